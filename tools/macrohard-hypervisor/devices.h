/* SPDX-License-Identifier: MIT */
/* The devices that the command line of "run" asks for: --disk, --share, --vsock, ... */
#ifndef DEVICES_H
#define DEVICES_H

#include "cli.h"

#define DEVICES_MAX 32
#define DEVICE_FORWARDS_MAX 16

struct device_kind;

struct device_net {
	struct mh_net_config config; /* forward and fd are set when it is attached */
	bool none;		     /* it only says that there is no network */
	int fd[MH_NET_QUEUES_MAX];
	struct mh_net_forward forward[DEVICE_FORWARDS_MAX];
};

struct device {
	const struct device_kind *kind;
	union device_config {
		struct mh_disk_config disk;
		struct device_net net;
		struct mh_rng_config rng;
		struct mh_share_config share;
		struct mh_vsock_config vsock;
		struct mh_balloon_config balloon;
	} config;
};

struct devices {
	struct device device[DEVICES_MAX];
	unsigned int count;
};

/*
 * Add what "--OPTION VALUE" asks for; value (NULL: the option has none) is cut into pieces, which
 * the devices then point to. CLI_OK, or CLI_USAGE, having said what is wrong.
 */
int devices_add(struct devices *devices, const struct cli_verb *verb, const char *option,
		char *value);
/* For "--OPTION help": prints the form of its value and what may be set. */
void devices_help(const char *option);
/* In the order in which they were asked for. 0 or the library's error. */
int devices_attach(const struct devices *devices, struct mh_vm *vm);
/* Was such a device asked for? */
bool devices_have(const struct devices *devices, const char *option);

/* device_net.c: the value of --net, those of mac= and hostfwd=; false: they have not the form. */
bool device_net_value(char *text, union device_config *config);
bool device_net_mac(char *text, union device_config *config);
bool device_net_forward(char *text, union device_config *config);
int device_net_attach(struct mh_vm *vm, const union device_config *config);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A VM's document: the table of its keys, which the reader follows and the schema is held against,
 * and what it becomes.
 */
#ifndef MHI_API_CONFIG_H
#define MHI_API_CONFIG_H

#include "api/json.h"
#include "macrohard/macrohard.h"

/* ---- the table ---- */

enum mhi_cfg_kind {
	MHI_CFG_TEXT,	/* const char *; least to most bytes */
	MHI_CFG_PATH,	/* const char *, made absolute, but for key->choices */
	MHI_CFG_IPV4,	/* const char * */
	MHI_CFG_MAC,	/* u8[6] */
	MHI_CFG_NUMBER, /* u32 */
	MHI_CFG_SIZE,	/* u64, bytes: multiples of MH_PAGE_SIZE */
	MHI_CFG_FLAG,	/* key->bit of a u32 */
	MHI_CFG_CHOICE, /* u32: the index in key->choices */
	MHI_CFG_WORD,	/* const char *: one of key->choices */
	MHI_CFG_OBJECT, /* in place */
	MHI_CFG_OPTION, /* an object: struct mhi_cfg_list of at most one */
	MHI_CFG_LIST,	/* of objects: struct mhi_cfg_list of at most most */
	MHI_CFG_NUMBERS /* a list of numbers: struct mhi_cfg_list of int */
};

struct mhi_cfg_object;

struct mhi_cfg_key {
	const char *name; /* NULL ends the table */
	enum mhi_cfg_kind kind;
	bool required;
	size_t at;		    /* where it goes in the object */
	u64 least, most;	    /* bytes, value, or items */
	u32 bit;		    /* MHI_CFG_FLAG */
	const char *const *choices; /* NULL ends them */
	const struct mhi_cfg_object *object;
};

struct mhi_cfg_object {
	const struct mhi_cfg_key *keys;
	size_t bytes;
	const void *defaults; /* [bytes] */
};

struct mhi_cfg_list {
	void *items;
	u32 count;
};

/* The whole document, struct mh_config; its "devices", whose keys are lists and options. */
extern const struct mhi_cfg_object mhi_cfg_root, mhi_cfg_devices;

/* ---- what it becomes ---- */

/* First in every device. */
struct mhi_cfg_place {
	u32 slot; /* 0: any */
};

struct mhi_cfg_disk {
	struct mhi_cfg_place place;
	struct mh_disk_config c;
};

struct mhi_cfg_forward {
	u32 udp, host_port, guest_port;
	const char *host, *guest;
};

struct mhi_cfg_net {
	struct mhi_cfg_place place;
	struct mh_net_config c;	      /* fd and forward are set when it is attached */
	struct mhi_cfg_list fds;      /* of int */
	struct mhi_cfg_list forwards; /* of struct mhi_cfg_forward */
};

enum mhi_cfg_share_type { MHI_CFG_9P, MHI_CFG_VIRTIOFS };

struct mhi_cfg_share {
	struct mhi_cfg_place place;
	struct mh_share_config c;
	u32 type; /* enum mhi_cfg_share_type */
};

struct mhi_cfg_rng {
	struct mhi_cfg_place place;
	struct mh_rng_config c;
};

struct mhi_cfg_vsock {
	struct mhi_cfg_place place;
	struct mh_vsock_config c; /* cid is set when it is attached */
	u32 cid;
};

struct mhi_cfg_balloon {
	struct mhi_cfg_place place;
	struct mh_balloon_config c;
};

struct mhi_cfg_input {
	struct mhi_cfg_place place; /* of several devices: never given */
	struct mh_input_config c;
};

struct mhi_cfg_watchdog {
	struct mhi_cfg_place place;
	struct mh_watchdog_config c;
};

enum mhi_cfg_display_kind { MHI_CFG_VIRTIO_GPU, MHI_CFG_FRAMEBUFFER };

struct mhi_cfg_display {
	struct mhi_cfg_place place;
	u32 kind; /* enum mhi_cfg_display_kind */
	struct mh_gpu_config c;
};

struct mhi_cfg_agent {
	struct mhi_cfg_place place;
	struct mh_agent_config c; /* clipboard is set when it is attached */
	struct mh_clip_policy clip;
	u32 ways;  /* of clip: its directions, as a choice */
	u32 bytes; /* of clip; 0: the default */
};

struct mhi_cfg_devices {
	struct mhi_cfg_list disks, nets, shares, rng, vsock, balloon, watchdog, input, display,
		agent;
};

struct mhi_cfg_gdb {
	const char *address; /* NULL: no stub */
	u32 flags;
};

struct mhi_cfg_vnc {
	const char *path; /* NULL: none */
};

struct mhi_cfg_chunk; /* config.c: memory that goes with the document */

struct mh_config {
	struct mhi_cfg_chunk *chunks;
	char *source, *folder; /* folder NULL: paths stay relative */
	u32 schema, engine, console;
	u32 tsc_khz; /* 0: the host's */
	struct mh_vm_config vm;
	struct mh_boot_config boot; /* kernel and firmware NULL: the firmware that is installed */
	struct mhi_cfg_gdb gdb;
	struct mhi_cfg_vnc vnc;
	struct mhi_cfg_devices devices;
};

/* A place in the document: a JSON pointer (RFC 6901) that grows and shrinks. */
#define MHI_CFG_PATH_BYTES 160

struct mhi_cfg_at {
	const struct mh_config *config;
	struct mhi_err *err;
	char path[MHI_CFG_PATH_BYTES];
};

/* Go down to a key or an item; returns what mhi_cfg_leave takes to go back. */
size_t mhi_cfg_enter(struct mhi_cfg_at *at, const char *key);
size_t mhi_cfg_enter_item(struct mhi_cfg_at *at, u32 index);
void mhi_cfg_leave(struct mhi_cfg_at *at, size_t mark);
/* "SOURCE: PATH: TEXT"; returns code. */
int mhi_cfg_fail(struct mhi_cfg_at *at, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Calls fn for each device, with its path, until that returns anything but 0. family: the list or
 * option that it is in; item begins with a struct mhi_cfg_place.
 */
typedef int mhi_cfg_device_fn(struct mhi_cfg_at *at, const struct mhi_cfg_key *family, void *item,
			      void *opaque);
int mhi_cfg_each(struct mhi_cfg_at *at, mhi_cfg_device_fn *fn, void *opaque);

/* config.c: zeroed memory that goes with the document; NULL. */
void *mhi_cfg_alloc(struct mh_config *config, size_t bytes);

/* config_read.c: fills config by the table. MH_EFORMAT, MH_ENOMEM. */
int mhi_cfg_read(struct mh_config *config, const struct mhi_json *root, struct mhi_err *err);
/* config_value.c: one value that is no object or list, into to. */
int mhi_cfg_value(struct mhi_cfg_at *at, struct mh_config *config, const struct mhi_cfg_key *key,
		  const struct mhi_json *value, void *to);
/* config_value.c: what a key takes, in words ("a whole number from 1 to 64"). */
void mhi_cfg_takes(const struct mhi_cfg_key *key, char *text, size_t bytes);
/* config_rules.c: what no single key can tell. MH_EFORMAT. */
int mhi_cfg_rules(const struct mh_config *config, struct mhi_err *err);

#endif

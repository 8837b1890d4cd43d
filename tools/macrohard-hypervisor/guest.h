/* SPDX-License-Identifier: MIT */
/* The CLI's side of a transfer with a guest's agent, by its VM's process. */
#ifndef GUEST_H
#define GUEST_H

#include "relay.h"

struct guest {
	struct rpc *rpc;
	int input; /* a descriptor that is read and sent; -1: none, or it has ended */
	/* A piece that came; false: give up. Behind data is a zero that is not counted. */
	bool (*piece)(struct guest *g, enum relay_kind kind, const char *data, size_t bytes);
	void *opaque;
	/* Of the end: */
	bool ended;
	int status, signal;
	char error[32]; /* MH_E*; "": none */
};

/* Call method, which is answered, and then move bytes until the end. CLI_OK, or after a message. */
int guest_transfer(struct guest *g, const char *method, cJSON *params);
bool guest_write_all(int fd, const char *data, size_t bytes);

#endif

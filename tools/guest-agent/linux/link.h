/* SPDX-License-Identifier: MIT */
/*
 * The connection to the host, or of a session's program to the agent: it is opened, moves bytes
 * between a descriptor and a session of the core, and is opened again when it is gone.
 */
#ifndef GUEST_AGENT_LINK_H
#define GUEST_AGENT_LINK_H

#include "../session.h"
#include "loop.h"

#define LINK_PORT "/dev/virtio-ports/org.macrohard.agent.0"

enum link_kind {
	LINK_VIRTIO, /* path: a port of a virtio console */
	LINK_SERIAL, /* path: a terminal device */
	LINK_UNIX,   /* path: a socket that somebody listens at */
	LINK_VSOCK,  /* number: the host's port */
	LINK_FD	     /* number: a descriptor that is connected; when it ends, all does */
};

struct link {
	enum link_kind kind;
	const char *path;
	unsigned int number;
	struct loop *loop;
	struct ga_session *session;
	struct watch *watch; /* NULL: not open */
	uint64_t retry_ms;   /* when to open it again */
	uint32_t instance;   /* of the last connection */
	int error;	     /* errno of the last attempt to open it that was told; 0: none */
};

void link_init(struct link *link, enum link_kind kind, const char *path, unsigned int number);
void link_start(struct link *link, struct loop *loop, struct ga_session *session);

/* To be called before each loop_run: opens it, says what to watch for, sets the time to wake. */
void link_step(struct link *link);

void link_close(struct link *link);

#endif

/* SPDX-License-Identifier: MIT */
/* What the agent knows of a session's program and of what the host wants of one. */
#ifndef GUEST_AGENT_DESK_STATE_H
#define GUEST_AGENT_DESK_STATE_H

#include "desk.h"

#define DESK_INPUT (2u * MHI_AGENT_FRAME)
/* What a program that does not read may have waiting, before it is thrown out. */
#define DESK_QUEUE (64u * MHI_AGENT_FRAME)
#define DESK_REQUESTS MHI_AGENT_REQUESTS_MAX

struct desk {
	struct agent *agent;	       /* (c) */
	const char *path;	       /* (c) */
	uid_t user;		       /* (c) who may connect, too */
	struct watch *listener, *peer; /* peer NULL: there is no program of a session */
	uid_t peer_user;
	uint8_t *in, *out; /* [DESK_INPUT], [DESK_QUEUE] */
	size_t in_bytes, out_bytes;
	bool welcome, broken;	       /* the peer has been greeted; has to go */
	uint32_t features;	       /* what the host and the agent agreed on */
	uint32_t asked[DESK_REQUESTS]; /* serials of the host that the peer is to answer */
	uint32_t own[DESK_REQUESTS];   /* serials of the peer that the host is to answer */
	uint64_t windows[MHI_AGENT_WINDOWS_MAX]; /* that the host knows of; 0: none */
	uint32_t offers[2];			 /* the last ones that the host knows of; 0: none */

	/* What the host said, for a program that comes later. */
	struct mhi_msg_seamless seamless;
	bool has_area;
	struct mhi_msg_work_area area;
	struct mhi_msg_clip_offer host_offers[2];
};

/* ---- desk.c ---- */

/* Send to the peer. Returns false: it does not read, and will be dropped. */
bool desk_send(struct desk *desk, uint32_t type, uint32_t serial, const void *msg);
void desk_drop(struct desk *desk);

/* ---- desk_relay.c ---- */

/* The peer has said this. Returns false: it may not. */
bool desk_said(struct desk *desk, const struct mhi_agent_msg *msg);

/* The peer is gone: the host is told what that means. */
void desk_forget(struct desk *desk);

#endif

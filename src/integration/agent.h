/* SPDX-License-Identifier: MIT */
/*
 * A session with the agent in a guest, over any two-way stream of bytes. It has no thread, no lock
 * and no clock: all functions are called on one thread, and seconds are told. Nothing waits. The
 * agent is hostile: what it sends is checked, what it may make this side keep is bounded, and one
 * that breaks the rules (docs/agent-protocol.md) is cut off.
 *
 * Functions return what the public ones of <macrohard/agent.h>, seamless.h and clipboard.h do,
 * without a sentence. Callbacks may call all of them but mhi_agent_destroy and those under "the
 * line".
 */
#ifndef MHI_INTEGRATION_AGENT_H
#define MHI_INTEGRATION_AGENT_H

#include "core/log.h"
#include "core/loop.h"
#include "integration/agent_proto.h"
#include "macrohard/agent.h"
#include "macrohard/clipboard.h"
#include "macrohard/seamless.h"

struct mhi_agent;

struct mhi_agent_env {
	/* Give the agent bytes. Returns how many were taken; if less, mhi_agent_room follows. */
	size_t (*send)(void *opaque, const void *data, size_t bytes);
	/* An agent is connected, with these features, or with others than before; or it is lost. */
	void (*state)(void *opaque);
	/* What came last broke the rules, or nothing came for too long. Not from within send. */
	void (*broken)(void *opaque);
	void *opaque;
	struct mhi_log *log;
	const char *owner;     /* "agent of VM \"x\"", for messages; it stays */
	struct mhi_loop *loop; /* of the thread; for mhi_clip_request_loop only */
	u32 features;	       /* that are wanted */
	/* Bytes of data that may be on the line until the agent has read them; 0: any number. */
	u32 window;
	struct mh_clip_policy clip; /* what mhi_clip_start may allow at most */
};

/* 0; MH_ENOMEM. */
int mhi_agent_create(const struct mhi_agent_env *env, struct mhi_agent **out);
/* Ends all with MH_ESTATE first. */
void mhi_agent_destroy(struct mhi_agent *a);

/* ---- the line ---- */

void mhi_agent_receive(struct mhi_agent *a, const void *data, size_t bytes);
/* There is room for bytes again. */
void mhi_agent_room(struct mhi_agent *a);
/* The line was cut: what is on it is lost, and what comes next is the beginning of something. */
void mhi_agent_cut(struct mhi_agent *a, const char *why);
/* A second has passed, in which the guest could run. */
void mhi_agent_tick(struct mhi_agent *a);
/* Does it need ticks? If not, it does not before the next byte that it receives. */
bool mhi_agent_wants_ticks(const struct mhi_agent *a);

/* Is one of its callbacks being called? */
bool mhi_agent_inside(const struct mhi_agent *a);
void mhi_agent_status(const struct mhi_agent *a, struct mh_agent_status *status);

/* ---- requests: agent_request.c, agent_info.c ---- */

int mhi_agent_info(struct mhi_agent *a, mh_agent_info_fn *fn, void *opaque);
/* A request without answers but its end: its feature, and the message that asks. */
struct mhi_agent_plain {
	u32 feature, type;
	const void *msg; /* struct mhi_msg_* */
	mh_agent_done_fn *fn;
	void *opaque;
};
int mhi_agent_ask_plain(struct mhi_agent *a, const struct mhi_agent_plain *plain);
/* A message that is not answered. */
int mhi_agent_tell(struct mhi_agent *a, u32 feature, u32 type, const void *msg);

/* ---- transfers: agent_transfer.c ---- */

/* What a transfer begins with: the message that asks, and whom it tells. */
struct mhi_agent_transfer {
	u32 type;	 /* MHI_MSG_EXEC, FILE_PUT, FILE_GET */
	const void *msg; /* struct mhi_msg_* */
	const struct mh_agent_transfer_ops *ops;
	void *opaque;
	uint64_t *id; /* or NULL */
};
int mhi_agent_transfer(struct mhi_agent *a, const struct mhi_agent_transfer *transfer);
int mhi_agent_write(struct mhi_agent *a, u64 id, const void *data, size_t bytes);
int mhi_agent_hold(struct mhi_agent *a, u64 id, bool held);
int mhi_agent_kill(struct mhi_agent *a, u64 id, u32 signal);
int mhi_agent_cancel(struct mhi_agent *a, u64 id);

/* ---- clipboard.c ---- */

int mhi_clip_start(struct mhi_agent *a, const struct mh_clip_policy *policy,
		   const struct mh_clipboard_ops *ops, void *opaque);
int mhi_clip_stop(struct mhi_agent *a);
int mhi_clip_offer(struct mhi_agent *a, u32 selection, u32 kinds);
int mhi_clip_get(struct mhi_agent *a, u32 selection, u32 kind, mh_clipboard_fn *fn, void *opaque);
/* The thread that these two are called on. Any thread. */
struct mhi_loop *mhi_clip_request_loop(const struct mh_clip_request *request);
int mhi_clip_answer(struct mh_clip_request *request, const void *data, size_t bytes);
void mhi_clip_refuse(struct mh_clip_request *request);

/* ---- windows.c ---- */

int mhi_windows_start(struct mhi_agent *a, const struct mh_seamless_ops *ops, void *opaque);
int mhi_windows_stop(struct mhi_agent *a);
int mhi_windows_configure(struct mhi_agent *a, u64 id, const struct mh_rect *rect);
int mhi_windows_act(struct mhi_agent *a, u64 id, u32 action);
int mhi_windows_work_area(struct mhi_agent *a, const struct mh_rect *area, u32 scale);

#endif

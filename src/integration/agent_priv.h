/* SPDX-License-Identifier: MIT */
/* What the files of a session with an agent share. All of it belongs to the session's thread. */
#ifndef MHI_INTEGRATION_AGENT_PRIV_H
#define MHI_INTEGRATION_AGENT_PRIV_H

#include "integration/agent.h"

#define SELECTIONS 2

/* Bytes in a row. */
struct mhi_agent_queue {
	u8 *data;
	size_t first, count, room;
};

struct mhi_agent_request;

/* What is asked of the agent, by its kind. */
struct mhi_agent_request_ops {
	/* A message of its serial, but RESULT and CREDIT. -1: it may not come, not now. */
	int (*message)(struct mhi_agent *a, struct mhi_agent_request *r,
		       const struct mhi_agent_msg *msg);
	/* Tell who asked that it is over. */
	void (*end)(struct mhi_agent *a, struct mhi_agent_request *r, int rc, const char *text);
	/* Is it the agent's turn? NULL: always. */
	bool (*waits)(const struct mhi_agent_request *r);
	/* NULL, or: frees what is inside. */
	void (*fini)(struct mhi_agent_request *r);
};

/* The first member of each kind of request. */
struct mhi_agent_request {
	const struct mhi_agent_request_ops *ops;
	struct mhi_agent_request *next;
	u32 serial;
	u32 idle;  /* ticks since the agent said something about it */
	bool dead; /* it is over, and freed when nobody is in its functions */
};

/* clipboard.c: what somebody in the guest pastes. */
struct mhi_clip_answer;

struct mhi_clip {
	bool on;
	struct mh_clip_policy policy;
	struct mh_clipboard_ops ops;
	void *opaque;
	u32 offers;	       /* counts those of the host */
	u32 offer[SELECTIONS]; /* the host's last one, and what it was of */
	u32 kinds[SELECTIONS];
	u32 guest_offer[SELECTIONS]; /* the guest's, whatever the policy */
	u32 guest_kinds[SELECTIONS];
	u32 gets;			 /* contents that are asked for */
	struct mhi_clip_answer *answers; /* that the agent waits for */
	struct mh_clip_request *asked;	 /* that the embedder has not answered */
	u32 asked_count;
};

struct mhi_window {
	u64 id, parent;
};

/* windows.c */
struct mhi_windows {
	bool on;     /* somebody wants them */
	bool agreed; /* the agent has said that it tells them */
	bool due;    /* there was no room for the request for that */
	u32 serial;  /* of the request for that; 0: none */
	struct mh_seamless_ops ops;
	void *opaque;
	struct mhi_window *window; /* [count] by id; room for MHI_AGENT_WINDOWS_MAX while on */
	u32 count;
	bool area_set;
	struct mhi_msg_work_area area;
};

struct mhi_agent {
	struct mhi_agent_env env;
	u32 depth;	    /* of functions that were called from outside */
	const char *broken; /* why it is to be cut off as soon as nobody is inside */
	bool connected;
	u32 hello, features;
	char system[MH_AGENT_SYSTEM_BYTES], name[MH_AGENT_NAME_BYTES];
	struct mhi_agent_queue in, out;
	size_t frame_left; /* of the first frame in out, when a part of it was sent; else 0 */
	u32 frame_ticks;   /* since the last frame was complete */
	u32 silent;	   /* ticks */
	bool moved;	   /* the line took bytes of out since the last tick */
	u32 unread;	   /* bytes of data since the agent has read all; of use with env.window */
	u32 budget;	   /* that messages may cost in this tick */
	u32 sessions;	   /* that may begin now */
	u32 breaks;	   /* that were logged */
	struct mhi_agent_request *requests;
	u32 request_count, last_serial;
	u64 last_id;
	struct mhi_clip clip;
	struct mhi_windows windows;
};

/* The cookie of the PING whose answer says that the agent has read all data before it. */
#define MHI_AGENT_READ_COOKIE 1u

/* ---- agent_io.c ---- */

/* Data [bytes] at the end. False: no memory. */
bool mhi_agent_append(struct mhi_agent_queue *q, const void *data, size_t bytes);
void mhi_agent_drop(struct mhi_agent_queue *q, size_t bytes);
void mhi_agent_queue_fini(struct mhi_agent_queue *q);
/*
 * Queue a message. 0; MH_EBUSY (the agent does not read), MH_ERANGE (no frame holds it, or a text
 * is none), MH_ENOMEM.
 */
int mhi_agent_push(struct mhi_agent *a, u32 type, u32 serial, const void *msg);
/* An answer that the rules demand: an agent that does not read it is cut off. */
void mhi_agent_push_answer(struct mhi_agent *a, u32 type, u32 serial, const void *msg);
void mhi_agent_push_result(struct mhi_agent *a, u32 serial, u32 code);
/*
 * Queue data [bytes] as DATA of stream 0, as far as *credit and the queue let it; less *credit.
 * Returns how many bytes were taken. Without memory the agent is cut off.
 */
size_t mhi_agent_push_data(struct mhi_agent *a, u32 serial, const u8 *data, size_t bytes,
			   u64 *credit);
/* How much mhi_agent_push_data would take by the queue. */
size_t mhi_agent_data_room(const struct mhi_agent *a);
/* Send what can be sent. */
void mhi_agent_flush(struct mhi_agent *a);
/* What was not sent is not, but for a frame that has begun. */
void mhi_agent_forget_output(struct mhi_agent *a);

/* ---- agent.c ---- */

/* Around whatever calls back, or may be called by a callback. */
void mhi_agent_enter(struct mhi_agent *a);
void mhi_agent_leave(struct mhi_agent *a);
/* It is cut off when nobody is inside any more; why is the first reason. */
void mhi_agent_break(struct mhi_agent *a, const char *why);
static inline bool mhi_agent_has(const struct mhi_agent *a, u32 feature)
{
	return a->connected && !a->broken && (a->features & feature) == feature;
}

/* ---- agent_request.c ---- */

/*
 * Ask, by a message of this type: r, which is freed if that fails. 0; MH_ESTATE, MH_ENOTSUP,
 * MH_EBUSY, MH_ERANGE, MH_ENOMEM.
 */
int mhi_agent_ask(struct mhi_agent *a, struct mhi_agent_request *r, u32 feature, u32 type,
		  const void *msg);
/* It is over; tells who asked, once. */
void mhi_agent_request_end(struct mhi_agent *a, struct mhi_agent_request *r, int rc,
			   const char *text);
/* The same, and the agent need not go on. */
void mhi_agent_request_give_up(struct mhi_agent *a, struct mhi_agent_request *r, int rc);
void mhi_agent_requests_message(struct mhi_agent *a, const struct mhi_agent_msg *msg);
void mhi_agent_requests_tick(struct mhi_agent *a);
/* All are over, with MH_ESTATE. */
void mhi_agent_requests_lost(struct mhi_agent *a);
/* Free what is dead; nobody is inside. */
void mhi_agent_requests_sweep(struct mhi_agent *a);

/* ---- agent_transfer.c ---- */

/* CREDIT for r came; it may be no transfer. */
void mhi_agent_transfer_credit(struct mhi_agent *a, struct mhi_agent_request *r, u32 bytes);
/* Those who wait for room are told. True: there was one. */
bool mhi_agent_transfers_pump(struct mhi_agent *a);

/* ---- clipboard.c ---- */

void mhi_clip_message(struct mhi_agent *a, const struct mhi_agent_msg *msg);
/* Queue contents that the agent waits for. True: there was something to queue. */
bool mhi_clip_pump(struct mhi_agent *a);
/* The agent is connected, or has other features. */
void mhi_clip_agreed(struct mhi_agent *a);
void mhi_clip_lost(struct mhi_agent *a);
void mhi_clip_fini(struct mhi_agent *a);

/* ---- windows.c ---- */

void mhi_windows_message(struct mhi_agent *a, const struct mhi_agent_msg *msg);
void mhi_windows_agreed(struct mhi_agent *a);
void mhi_windows_lost(struct mhi_agent *a);
void mhi_windows_tick(struct mhi_agent *a);

#endif

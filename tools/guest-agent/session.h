/* SPDX-License-Identifier: MIT */
/*
 * The agent's core, the same in all guests: frames out of a stream of bytes and into one, the
 * greeting, requests and their results, and how much data may be under way. It does no input or
 * output of its own and needs nothing but the C library: the agent's loop moves the bytes.
 *
 * All of it belongs to one thread. Whatever a host sends, the worst that happens is that
 * ga_input says so.
 */
#ifndef GUEST_AGENT_SESSION_H
#define GUEST_AGENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "integration/agent_proto.h"

/* Bytes that wait to be sent, at most; data and events leave three quarters of it to answers. */
#define GA_QUEUE (8u * MHI_AGENT_FRAME)
/* The most data that goes into one frame. */
#define GA_CHUNK 32768u

struct ga_os;
struct ga_session;
struct ga_request;

/* What a request that goes on for a while is told; functions that are NULL are of no interest. */
struct ga_request_ops {
	/* Data of the other side: at most what it had credit for. */
	void (*data)(struct ga_request *request, uint32_t stream, const uint8_t *data,
		     uint32_t bytes);
	/* ga_room may have become larger. */
	void (*room)(struct ga_request *request);
	/* Another message of the other side with the request's serial: EXEC_KILL, CLIP_SIZE. */
	void (*message)(struct ga_request *request, const struct mhi_agent_msg *msg);
	/*
	 * The request is over, and not by ga_end: cancelled, the host is gone, or (own requests)
	 * the host's RESULT. Let go of all that belongs to it, the request itself is freed.
	 */
	void (*over)(struct ga_request *request, uint32_t code, const char *text);
};

/* A request of the host's or of our own. */
struct ga_request {
	struct ga_session *session;
	uint32_t serial;		  /* 0: free */
	uint32_t type;			  /* MHI_MSG_* */
	uint64_t may_send;		  /* bytes of data that the host takes */
	uint64_t may_get;		  /* bytes of data that the host was told to send */
	const struct ga_request_ops *ops; /* NULL: none; set by who handles it */
	void *data;			  /* of who handles it */
};

struct ga_session {
	const struct ga_os *os;
	void *opaque;	      /* os's */
	uint32_t offered;     /* those of HELLO */
	uint32_t features;    /* those that were agreed on */
	uint32_t instance;    /* HELLO's serial: this connection; 0: there is none */
	uint32_t own;	      /* the last own serial */
	uint64_t hello_ms;    /* when HELLO is to be said again */
	uint64_t heard_ms;    /* when the host was heard, as far as ga_tick knows */
	bool heard, asked;    /* since then: anything; whether it is there */
	bool welcome, broken; /* the host has answered; it has to be given up */
	bool starved;	      /* somebody was told that there is no room */
	uint8_t *in, *out;    /* [2 * MHI_AGENT_FRAME], [GA_QUEUE] */
	size_t in_bytes, out_bytes;
	struct ga_request requests[2 * MHI_AGENT_REQUESTS_MAX]; /* the host's, then own ones */
};

/* Returns 0; -1: no memory. The os is used until ga_fini. */
int ga_init(struct ga_session *session, const struct ga_os *os, void *opaque, uint32_t features);
void ga_fini(struct ga_session *session);

/* ---- for the loop ---- */

/*
 * There is a new connection: say HELLO. instance is any number but 0 that the last connections did
 * not have.
 */
void ga_connected(struct ga_session *session, uint32_t instance, uint64_t now_ms);

/* The connection is gone: all requests are over, and what was not sent is forgotten. */
void ga_disconnected(struct ga_session *session);

/* What came. Returns 0; -1: give the connection up. */
int ga_input(struct ga_session *session, const uint8_t *data, size_t bytes);

/* Whether more input can be handled now; else send first. */
bool ga_wants_input(const struct ga_session *session);

/* What is to be sent: *data, valid until the next call. Returns its bytes. */
size_t ga_output(const struct ga_session *session, const uint8_t **data);

/* The first bytes of it were sent. */
void ga_sent(struct ga_session *session, size_t bytes);

/*
 * Do what is due. Returns milliseconds until it is to be called again at the latest; -1: no need.
 */
int ga_tick(struct ga_session *session, uint64_t now_ms);

/* Whether the connection has to be given up; to be asked after ga_tick. */
bool ga_is_broken(const struct ga_session *session);

/* ---- for handlers ---- */

/* Tell the host something with no serial. Returns false: no room, or it is none to be sent. */
bool ga_tell(struct ga_session *session, uint32_t type, const void *msg);

/* Whether events should be told now; if not os->room is called when they should. */
bool ga_has_room(struct ga_session *session);

/* Tell the host a message of a request. Nothing happens if request is NULL. */
void ga_reply(struct ga_request *request, uint32_t type, const void *msg);

/* Bytes of data that may be sent now; if that is little ops->room is called when there is more. */
size_t ga_room(const struct ga_request *request);

/* Send data [bytes], at most ga_room and GA_CHUNK. 0 bytes: the stream has ended. */
void ga_data(struct ga_request *request, uint32_t stream, const void *data, size_t bytes);

/* Data was dealt with: as many bytes more may be sent to us. */
void ga_credit(struct ga_request *request, uint64_t bytes);

/* End the host's request, with a text that says why if it failed. It must not be used any more. */
void ga_end(struct ga_request *request, enum mhi_agent_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define ga_done(request) ga_end(request, MHI_AGENT_OK, "%s", "")

/* Ask the host. Returns the request, which ends with ops->over; NULL: too many, or no host. */
struct ga_request *ga_ask(struct ga_session *session, uint32_t type, const void *msg,
			  const struct ga_request_ops *ops, void *data);

/* Do not wait for an own request any more: ops->over is not called. */
void ga_forget(struct ga_request *request);

/* Send a frame as it is, for relays. Returns false: no room. */
bool ga_send_raw(struct ga_session *session, const struct mhi_agent_msg *msg);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A host for one agent, for tests: it speaks the protocol over a TCP connection that the agent
 * makes, keeps what it is told, and ends the program with a sentence when something is not as it
 * must be.
 */
#ifndef AGENT_PEER_H
#define AGENT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "integration/agent_proto.h"

#define PEER_MS 60000 /* that anything may take: machines may be slow */
#define PEER_CALLS 16

struct bytes {
	uint8_t *data; /* with a zero behind it; NULL: none */
	size_t bytes;
};

/* A request of ours. */
struct call {
	uint32_t serial; /* 0: free */
	uint32_t type;
	bool done;
	uint32_t code;
	char text[512];
	struct bytes out[3]; /* by streams */
	int32_t status;	     /* EXEC_EXIT */
	uint32_t signal;
	bool exited;
	uint64_t size;	    /* FILE_IS, CLIP_SIZE */
	struct bytes names; /* INFO: a line for each thing */
	uint64_t may_send;
};

struct window {
	uint64_t id, parent;
	uint32_t flags;
	int32_t x, y;
	uint32_t width, height, min_width, min_height, max_width, max_height;
	char title[MHI_AGENT_TITLE_MAX], application[MHI_AGENT_TITLE_MAX];
	uint32_t icon; /* its width; 0: none */
};

struct peer {
	int listen, fd; /* listen: the agent's end of a line */
	bool is_line;
	uint8_t in[2 * MHI_AGENT_FRAME];
	size_t in_bytes;
	bool welcome;
	char agent[128];
	uint32_t features, serial, hello;
	struct call calls[PEER_CALLS];
	struct window windows[MHI_AGENT_WINDOWS_MAX];
	uint32_t count;
	uint64_t stack[MHI_AGENT_WINDOWS_MAX];
	uint32_t stacked;
	uint32_t offer, types; /* the agent's clipboard */
	uint32_t offers;
	struct bytes content[4]; /* of our offer, by the kind's bit */
	uint32_t our_offer, our_types, requests;
};

/* Ends the program. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/*
 * "tcp:FILE" listens on a port, whose number is written to FILE, "pty:FILE" is one end of a
 * pseudo-terminal, the other one's name is written there.
 */
void peer_init(struct peer *p, const char *place);
/* The agent's connection, and its greeting. */
void peer_accept(struct peer *p);
void peer_drop(struct peer *p);

/* Handle what comes for at most ms, or until something came. */
void peer_pump(struct peer *p, int ms);
void peer_send(struct peer *p, uint32_t type, uint32_t serial, const void *msg);

/* Ask; ended by call_end. */
struct call *peer_ask(struct peer *p, uint32_t type, const void *msg);
/* Wait for the result. */
void peer_finish(struct peer *p, struct call *call);
void peer_data(struct peer *p, struct call *call, const void *data, size_t bytes);
void call_end(struct call *call);
/* Ask, wait, and hold the result's code to what it must be. */
void peer_expect(struct peer *p, uint32_t type, const void *msg, uint32_t code);

/* Start a program: words is its arguments, NULL behind the last one. */
struct call *peer_exec(struct peer *p, uint32_t flags, const char *const *words,
		       uint32_t arguments);

/* The window that has text in its title; waits until it has all of the flags, or is gone. */
struct window *peer_window(struct peer *p, const char *title, uint32_t flags);
void peer_gone(struct peer *p, uint64_t id);

uint64_t now_ms(void);
void add(struct bytes *to, const void *data, size_t bytes);

#endif

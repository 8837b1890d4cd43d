/* SPDX-License-Identifier: MIT */
/*
 * What a client of the control socket asks of the guest's agent, between two threads: that of the
 * library, on which answers come, and the process's own, which serves the client.
 */
#ifndef RELAY_H
#define RELAY_H

#include "rpc.h"

/*
 * Behind the answer's line such a connection is the transfer's: pieces, each a kind, three bytes
 * for how many bytes follow (little-endian), and those.
 */
#define RELAY_HEADER 4
#define RELAY_PIECE 4096 /* that a client may send at once */

enum relay_kind {
	RELAY_INPUT = 'i', /* from the client; of no bytes: the end */
	RELAY_OUTPUT = 'o',
	RELAY_ERRORS = 'e',
	RELAY_FILE = 'f', /* a JSON document: mode, bytes */
	RELAY_END = 'x'	  /* the same: status, signal, error, text */
};

struct relay;

/* Begin. wake: an eventfd that hears when there is something to take. 0, or the library's error. */
int relay_exec(struct mh_agent *agent, const cJSON *params, int wake, struct relay **out);
int relay_put(struct mh_agent *agent, const cJSON *params, int wake, struct relay **out);
int relay_get(struct mh_agent *agent, const cJSON *params, int wake, struct relay **out);
/* answer: what the result is added to, the line for the client then; taken if it returns 0. */
int relay_info(struct mh_agent *agent, cJSON *answer, int wake, struct relay **out);
/* Ends what goes on; NULL is a no-op. */
void relay_free(struct relay *r);

/* Is the connection the transfer's? Else a line is all that comes. */
bool relay_streams(const struct relay *r);
/* All has come and was taken. */
bool relay_done(struct relay *r);
bool relay_has(struct relay *r);
/* Something of it is lost: the client is to be dropped. */
bool relay_broken(struct relay *r);
/* Copies what there is for the client; returns how many bytes. */
size_t relay_take(struct relay *r, char *data, size_t bytes);
/* The guest did not take the end of what the client sent: to be tried again. */
bool relay_ending(const struct relay *r);
/* Takes what the client sent, in whole pieces or parts of one; what is left waits. -1: nonsense. */
int relay_input(struct relay *r, char *data, size_t *bytes);

#endif

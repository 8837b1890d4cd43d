/* SPDX-License-Identifier: MIT */
/* A host of an agent in a test: it starts the agent at the other end of a socket. */
#ifndef TESTS_AGENT_FAKE_HOST_H
#define TESTS_AGENT_FAKE_HOST_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "integration/agent_proto.h"

struct host {
	int fd;
	pid_t pid;
	uint32_t features; /* that were agreed on */
	uint32_t instance; /* the agent's HELLO's serial */
	uint8_t in[4 * MHI_AGENT_FRAME];
	size_t in_bytes, taken; /* taken: of the frame that msg lies in */
	struct mhi_agent_msg msg;
	uint8_t *content; /* of host_content */
	size_t content_bytes;
};

/*
 * Start program with arguments, which find the socket's number for "--fd" behind them, and greet it
 * with all features that it has. Fails the test if it says no HELLO.
 */
void host_start(struct host *host, const char *program, const char *const arguments[]);
/* Its end is closed and it has to end; returns its status as of waitpid. */
int host_stop(struct host *host);

/* Start a program that is not the agent; its output goes nowhere. */
pid_t host_run(const char *const arguments[]);
/* Ends it, if it is still there. */
void host_kill(pid_t pid);

void host_send(struct host *host, const void *data, size_t bytes);
void host_say(struct host *host, uint32_t type, uint32_t serial, const void *msg);

/*
 * The agent's next message, valid until the next call; pings are answered. NULL: it has closed the
 * connection, or nothing came for ms.
 */
const struct mhi_agent_msg *host_next(struct host *host, int ms);

/* The next message of this type; others are skipped. Fails the test after a long time. */
const struct mhi_agent_msg *host_expect(struct host *host, uint32_t type);

/* The RESULT of a serial; what is before it is skipped, but for data, which is put together. */
uint32_t host_result(struct host *host, uint32_t serial);

/* Whether the agent has closed the connection, within a long time. */
bool host_is_dropped(struct host *host);

uint64_t host_now_ms(void);

/* Runs a suite, in this process. Returns the exit status. */
int host_tests(Suite *suite);

#endif

/* SPDX-License-Identifier: MIT */
/* Starting a program for the host: as whom, where, with what pipes. */
#ifndef GUEST_AGENT_SPAWN_H
#define GUEST_AGENT_SPAWN_H

#include <sys/types.h>

#include "../exec.h"
#include "fail.h"

struct spawn {
	struct ga_exec strings;
	const char *directory; /* "": the user's home; of the agent's user: / */
	const char *user;      /* "": the agent's */
	uint32_t streams;      /* MHI_AGENT_EXEC_*: which pipes; others are /dev/null */
	pid_t pid;	       /* out; it leads a process group of its own */
	int pipes[3];	       /* out: our ends, which do not block; -1: none */
};

/* Returns 0; -1: it could not be started, see why. */
int spawn(struct spawn *what, struct ga_failure *why);

#endif

/* SPDX-License-Identifier: MIT */
/* The strings of an EXEC message: a program's arguments and what its environment gets. */
#ifndef GUEST_AGENT_EXEC_H
#define GUEST_AGENT_EXEC_H

#include "session.h"

/* Of a program, at most; the payload's size limits their bytes. */
#define GA_EXEC_STRINGS 4096u

struct ga_exec {
	char **arguments;   /* at least one, and NULL at the end; in the message */
	char **environment; /* "NAME=VALUE", and NULL at the end; in the message */
};

/* Returns 0; -1: the strings are none, or no memory. Ended by ga_exec_fini, also then. */
int ga_exec_init(struct ga_exec *exec, const struct mhi_msg_exec *msg);
void ga_exec_fini(struct ga_exec *exec);

#endif

/* SPDX-License-Identifier: MIT */
/* Reasons for failures, out of errno. */
#ifndef GUEST_AGENT_FAIL_H
#define GUEST_AGENT_FAIL_H

#include "../files.h"

/* *why becomes "what NAME: errno's text", and the code that errno stands for. */
void fail_errno(struct ga_failure *why, const char *what, const char *name);

/* The code that errno stands for. */
enum mhi_agent_code fail_code(int error);

#endif

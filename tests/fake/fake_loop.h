/* SPDX-License-Identifier: MIT */
/*
 * The loop without a thread: what is asked for runs when the test says so, on the test's thread,
 * so that a test is the same each time.
 */
#ifndef FAKE_LOOP_H
#define FAKE_LOOP_H

#include "core/loop.h"

/* Runs what is asked for, and what that asks for, until there is nothing; looks at watches too. */
void fake_loop_run(struct mhi_loop *loop);
/* Lets so much time pass for timers. */
void fake_loop_pass(struct mhi_loop *loop, u64 ms);

#endif

/* SPDX-License-Identifier: MIT */
/* Workers without threads, in order: what was posted runs when the test says so. */
#ifndef FAKE_POOL_H
#define FAKE_POOL_H

#include "core/worker.h"

/* Runs what is posted, in order; returns how many. */
unsigned int fake_pool_run(void);

#endif

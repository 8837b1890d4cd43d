/* SPDX-License-Identifier: MIT */
/* Workers without threads: what bells ask for is done when the test says so, in order. */
#ifndef FAKE_POOL_H
#define FAKE_POOL_H

#include "core/worker.h"

/*
 * Answers bells until none is rung, on the test's thread; returns how many. A bell's function may
 * call it, when it stands for another worker.
 */
unsigned int fake_pool_run(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Workers without threads: work is done when the test says so. */
#ifndef FAKE_WORKER_H
#define FAKE_WORKER_H

#include "core/worker.h"

/* How many wait. */
u32 fake_workers_waiting(void);
/* Does all, the last one first. */
void fake_workers_run(void);

#endif

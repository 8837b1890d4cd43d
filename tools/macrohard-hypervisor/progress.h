/* SPDX-License-Identifier: MIT */
/* A progress bar on standard error, if that is a terminal that a person looks at. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct progress {
	const char *what; /* (c) "converting" */
	bool shown;	  /* (c) there is a terminal */
	bool drawn;
	struct timespec begin, last;
};

void progress_init(struct progress *p, const char *what, bool quiet);
/* A mh_disk_progress_fn; stops the work when the program was asked to end (Ctrl-C). */
int progress_step(void *opaque, uint64_t done, uint64_t total);
/* Removes the bar. */
void progress_fini(struct progress *p);

#endif

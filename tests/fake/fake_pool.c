// SPDX-License-Identifier: MIT
/* The workers of tests: one list, no threads. */
#include "fake_pool.h"

#include <stddef.h>

struct mhi_workers {
	struct mhi_work *first, *last;
};

static struct mhi_workers workers;

int mhi_workers_create(u32 most, struct mhi_workers **out, struct mhi_err *err)
{
	workers = (struct mhi_workers){ 0 };
	*out = &workers;
	return 0;
}

void mhi_workers_post(struct mhi_workers *w, struct mhi_work *work)
{
	work->next = NULL;
	*(w->first ? &w->last->next : &w->first) = work;
	w->last = work;
}

unsigned int fake_pool_run(void)
{
	unsigned int n = 0;

	while (workers.first) {
		struct mhi_work *work = workers.first;

		workers.first = work->next;
		work->run(work);
		n++;
	}
	return n;
}

void mhi_workers_destroy(struct mhi_workers *w)
{
	fake_pool_run();
}

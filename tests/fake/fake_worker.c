// SPDX-License-Identifier: MIT
/* Workers without threads. */
#include "fake_worker.h"

static struct mhi_work *first;

u32 fake_workers_waiting(void)
{
	u32 n = 0;

	for (struct mhi_work *work = first; work; work = work->next)
		n++;
	return n;
}

void fake_workers_run(void)
{
	while (first) {
		struct mhi_work *work = first;

		first = work->next;
		work->run(work);
	}
}

void mhi_workers_post(struct mhi_workers *w, struct mhi_work *work)
{
	work->next = first;
	first = work;
}

// SPDX-License-Identifier: MIT
/* The workers of tests: one pool, no threads. */
#include "fake_pool.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#define BELLS 64

struct mhi_workers {
	struct mhi_bell *first, *last; /* rung */
	struct mhi_bell *watched[BELLS];
};

static struct mhi_workers workers;

int mhi_workers_create(u32 most, const char *name, struct mhi_workers **out, struct mhi_err *err)
{
	workers = (struct mhi_workers){ 0 };
	*out = &workers;
	return 0;
}

int mhi_workers_watch(struct mhi_workers *w, struct mhi_bell *bell, int fd)
{
	unsigned int n = 0;

	while (w->watched[n])
		if (++n == BELLS)
			return -2; /* MH_ENOMEM */
	w->watched[n] = bell;
	bell->fd = fd;
	bell->rung = false;
	return 0;
}

void mhi_workers_ring(struct mhi_workers *w, struct mhi_bell *bell)
{
	if (bell->rung)
		return;
	bell->rung = true;
	bell->next = NULL;
	*(w->first ? &w->last->next : &w->first) = bell;
	w->last = bell;
}

static void ring_by_descriptors(struct mhi_workers *w)
{
	eventfd_t count;

	for (unsigned int n = 0; n < BELLS; n++)
		if (w->watched[n] && w->watched[n]->fd >= 0 &&
		    !eventfd_read(w->watched[n]->fd, &count))
			mhi_workers_ring(w, w->watched[n]);
}

unsigned int fake_pool_run(void)
{
	struct mhi_workers *w = &workers;
	unsigned int n = 0;

	for (ring_by_descriptors(w); w->first; ring_by_descriptors(w)) {
		struct mhi_bell *bell = w->first;

		w->first = bell->next;
		bell->rung = false;
		bell->fn(bell->opaque);
		n++;
	}
	return n;
}

void mhi_workers_unwatch(struct mhi_workers *w, struct mhi_bell *bell)
{
	struct mhi_bell **at = &w->first;

	for (unsigned int n = 0; n < BELLS; n++)
		if (w->watched[n] == bell)
			w->watched[n] = NULL;
	w->last = NULL;
	while (*at) {
		if (*at == bell) {
			*at = bell->next;
		} else {
			w->last = *at;
			at = &(*at)->next;
		}
	}
}

void mhi_workers_destroy(struct mhi_workers *w)
{
	for (unsigned int n = 0; w && n < BELLS; n++)
		if (w->watched[n])
			abort(); /* something was not unwatched */
}

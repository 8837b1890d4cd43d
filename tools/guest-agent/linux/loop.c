/* SPDX-License-Identifier: MIT */
/* poll(2) over the agent's file descriptors. */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

void loop_init(struct loop *loop)
{
	for (size_t n = 0; n < LOOP_WATCHES; n++)
		loop->watches[n] = (struct watch){ .fd = -1 };
	loop->wake_ms = UINT64_MAX;
	loop->quit = false;
}

struct watch *loop_watch(struct loop *loop, int fd, watch_fn *fn, void *opaque)
{
	for (size_t n = 0; n < LOOP_WATCHES; n++) {
		struct watch *watch = &loop->watches[n];

		if (watch->fd >= 0)
			continue;
		*watch = (struct watch){ fd, 0, fn, opaque };
		return watch;
	}
	return NULL;
}

void loop_close(struct watch **watch)
{
	if (!*watch)
		return;
	close((*watch)->fd);
	**watch = (struct watch){ .fd = -1 };
	*watch = NULL;
}

void loop_wake(struct loop *loop, uint64_t at_ms)
{
	if (at_ms < loop->wake_ms)
		loop->wake_ms = at_ms;
}

uint64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int timeout(struct loop *loop)
{
	uint64_t now = loop_now(), at = loop->wake_ms;

	loop->wake_ms = UINT64_MAX;
	if (at == UINT64_MAX)
		return -1;
	if (at <= now)
		return 0;
	return at - now < INT_MAX ? (int)(at - now) : INT_MAX;
}

int loop_run(struct loop *loop)
{
	struct pollfd fds[LOOP_WATCHES];
	struct watch before[LOOP_WATCHES];

	for (size_t n = 0; n < LOOP_WATCHES; n++) {
		before[n] = loop->watches[n];
		/* One that is watched for nothing would still tell of its end, again and again. */
		fds[n].fd = before[n].events ? before[n].fd : -1;
		fds[n].events = before[n].events;
		fds[n].revents = 0;
	}
	if (poll(fds, LOOP_WATCHES, timeout(loop)) < 0)
		return errno == EINTR ? 0 : -1;
	for (size_t n = 0; n < LOOP_WATCHES; n++) {
		struct watch *watch = &loop->watches[n];

		/* What was called may have closed this one, and opened another one there. */
		if (fds[n].revents && watch->fd == before[n].fd && watch->fn == before[n].fn &&
		    watch->opaque == before[n].opaque)
			watch->fn(watch->opaque, fds[n].revents);
	}
	return 0;
}

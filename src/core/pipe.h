/* SPDX-License-Identifier: MIT */
/*
 * Writing to pipes and sockets that others read: that nobody does any more is an error, and no
 * SIGPIPE, which ends the process. For threads that are not ours: ours have all signals blocked.
 */
#ifndef MHI_CORE_PIPE_H
#define MHI_CORE_PIPE_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/types.h"

/* What the thread has between begin and end. */
struct mhi_pipe {
	sigset_t before;
	bool pending; /* somebody else's, which stays */
};

static inline void mhi_pipe_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
}

static inline void mhi_pipe_begin(struct mhi_pipe *p)
{
	sigset_t set;

	mhi_pipe_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, &p->before);
	p->pending =
		sigismember(&p->before, SIGPIPE) && !sigpending(&set) && sigismember(&set, SIGPIPE);
}

/* errno stays. */
static inline void mhi_pipe_end(const struct mhi_pipe *p)
{
	static const struct timespec now = { 0 };
	const int error = errno;
	sigset_t set;

	mhi_pipe_set(&set);
	while (!p->pending && sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, &p->before, NULL);
	errno = error;
}

#endif

/* SPDX-License-Identifier: MIT */
/* The log: one sink per context, filtered by level, one call at a time. */
#ifndef MHI_CORE_LOG_H
#define MHI_CORE_LOG_H

#include <pthread.h>
#include "macrohard/ctx.h"

#define MHI_LOG_TEXT 1024

struct mhi_log {
	mh_log_fn *fn;		 /* (c) NULL: silent */
	void *opaque;		 /* (c) */
	enum mh_log_level level; /* (c) */
	pthread_mutex_t lock;	 /* serialises calls of fn; a leaf: nothing is locked inside */
};

int mhi_log_init(struct mhi_log *log, mh_log_fn *fn, void *opaque, enum mh_log_level level);
void mhi_log_fini(struct mhi_log *log);
void mhi_log(struct mhi_log *log, enum mh_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

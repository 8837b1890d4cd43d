/* SPDX-License-Identifier: MIT */
/* The log: one sink per context, filtered by level, one call at a time. */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>

int mhi_log_init(struct mhi_log *log, mh_log_fn *fn, void *opaque, enum mh_log_level level)
{
	log->fn = fn;
	log->opaque = opaque;
	log->level = level;
	return pthread_mutex_init(&log->lock, NULL) ? MH_ENOMEM : 0;
}

void mhi_log_fini(struct mhi_log *log)
{
	pthread_mutex_destroy(&log->lock);
}

void mhi_log(struct mhi_log *log, enum mh_log_level level, const char *fmt, ...)
{
	char text[MHI_LOG_TEXT];
	va_list args;

	if (!log->fn || level > log->level)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pthread_mutex_lock(&log->lock);
	log->fn(log->opaque, level, text);
	pthread_mutex_unlock(&log->lock);
}

/* SPDX-License-Identifier: MIT */
/*
 * The sentence that explains a failure: composed where the cause is known, fetched by
 * mh_last_error.
 */
#ifndef MHI_CORE_ERR_H
#define MHI_CORE_ERR_H

#include "macrohard/error.h"

#define MHI_ERR_TEXT 512

/* Cause and cure of most MH_ENOMEM. */
#define MHI_NO_MEMORY "out of memory; free some, or raise the limit (ulimit -v)"

struct mhi_err {
	int code;
	char text[MHI_ERR_TEXT];
};

/*
 * Set code and text ("what was attempted, on which object: cause; cure"), return code. err may be
 * NULL. The last writer wins: the outermost caller may add the object with mhi_err_wrap.
 */
int mhi_err_set(struct mhi_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Prefix the text with "<fmt>: ". Returns err->code; MH_ENOMEM when err is NULL. */
int mhi_err_wrap(struct mhi_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

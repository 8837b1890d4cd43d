/* SPDX-License-Identifier: MIT */
/* What errno means to the host. */
#include "fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum mhi_agent_code fail_code(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENODEV:
		return MHI_AGENT_MISSING;
	case EACCES:
	case EPERM:
	case EROFS:
		return MHI_AGENT_DENIED;
	case EINVAL:
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return MHI_AGENT_INVALID;
	case EBUSY:
	case EAGAIN:
	case EMFILE:
	case ENFILE:
		return MHI_AGENT_BUSY;
	case E2BIG:
	case EFBIG:
		return MHI_AGENT_TOO_LARGE;
	default:
		return MHI_AGENT_FAILED;
	}
}

void fail_errno(struct ga_failure *why, const char *what, const char *name)
{
	int error = errno;

	why->code = fail_code(error);
	snprintf(why->text, sizeof(why->text), "%s %.160s: %s", what, name, strerror(error));
}

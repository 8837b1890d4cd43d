/* SPDX-License-Identifier: MIT */
/*
 * What the sanitizers' run-time libraries call: on new threads, and on the main one at the end,
 * when they look for leaks from a process of their own that traces.
 */
#include "core/sandbox.h"

#include <sys/syscall.h>

const int *mhi_box_extra_calls(enum mhi_box_kind kind, size_t *count)
{
	static const int calls[] = {
		SYS_arch_prctl,
		SYS_getrlimit,
		SYS_mincore,
		SYS_sched_getaffinity,
		/* The caller's, from here on. */
		SYS_access,
		SYS_clone,
		SYS_getdents64,
		SYS_kill,
		SYS_open,
		SYS_openat,
		SYS_pipe,
		SYS_prctl,
		SYS_prlimit64,
		SYS_ptrace,
		SYS_readlink,
		SYS_wait4,
	};
	const size_t all = sizeof(calls) / sizeof(calls[0]);

	*count = kind == MHI_BOX_CALLER ? all : 4;
	return calls;
}

bool mhi_box_extra_trace(void)
{
	return true;
}

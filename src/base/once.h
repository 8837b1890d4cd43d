/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Fields shared with user space: included by kernel-side code before uapi.h. A field declared with
 * MHK_SHARED(type) becomes a struct there: reading it directly does not compile, MHI_ONCE reads it
 * exactly once.
 */
#ifndef MHI_BASE_ONCE_H
#define MHI_BASE_ONCE_H

#define MHK_SHARED(type)           \
	struct {                   \
		type mhi_shared_v; \
	}

#define MHI_ONCE(field) (*(const volatile __typeof__((field).mhi_shared_v) *)&(field).mhi_shared_v)
#define MHI_ONCE_SET(field, value) \
	(*(volatile __typeof__((field).mhi_shared_v) *)&(field).mhi_shared_v = (value))

#endif

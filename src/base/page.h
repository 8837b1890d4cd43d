/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Host pages: the only memory that freestanding code allocates. Provided by the host: src/kdrv, or
 * tests/fake.
 */
#ifndef MHI_BASE_PAGE_H
#define MHI_BASE_PAGE_H

#include "base/types.h"

/*
 * 2^order pages, zeroed, physically contiguous, aligned to their size; NULL when there are none.
 * May sleep.
 */
void *mhi_host_pages_alloc(unsigned int order);
void mhi_host_pages_free(void *pages, unsigned int order); /* NULL is allowed */

static inline void *mhi_host_page_alloc(void)
{
	return mhi_host_pages_alloc(0);
}

static inline void mhi_host_page_free(void *page)
{
	mhi_host_pages_free(page, 0);
}

mh_hpa mhi_host_va_to_pa(const void *va);
void *mhi_host_pa_to_va(mh_hpa pa);

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Host pages: the only memory that freestanding code allocates. Provided by the host: src/kdrv, or
 * tests/fake.
 */
#ifndef MHI_BASE_PAGE_H
#define MHI_BASE_PAGE_H

#include "base/types.h"

/* A zeroed page; NULL when there is none. May sleep. */
void *mhi_host_page_alloc(void);
void mhi_host_page_free(void *page); /* NULL is allowed */
/*
 * 2^order pages, zeroed, physically contiguous, aligned to their size; NULL when there are none.
 * May sleep.
 */
void *mhi_host_pages_alloc(unsigned int order);
void mhi_host_pages_free(void *pages, unsigned int order); /* NULL is allowed */
mh_hpa mhi_host_va_to_pa(const void *va);
void *mhi_host_pa_to_va(mh_hpa pa);

#endif

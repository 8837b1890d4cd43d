// SPDX-License-Identifier: MIT
/* The fake page pool: pages of the test's heap, with physical addresses that are no pointers. */
#include "pages.h"
#include <stdlib.h>

/* Physical addresses lie here, above any user address and within 52 bits. */
#define PA_BASE MHI_BIT(48)

static unsigned int live;
static int fail_after = -1;

unsigned int fake_pages_live(void)
{
	return live;
}

void fake_pages_fail_after(int n)
{
	fail_after = n;
}

void *mhi_host_pages_alloc(unsigned int order)
{
	size_t bytes = MHI_PAGE_SIZE << order;
	void *page;

	if (!fail_after)
		return NULL;
	page = aligned_alloc(bytes, bytes);
	if (!page)
		return NULL;
	if (fail_after > 0)
		fail_after--;
	memset(page, 0, bytes);
	live += 1u << order;
	return page;
}

void mhi_host_pages_free(void *pages, unsigned int order)
{
	if (!pages)
		return;
	live -= 1u << order;
	free(pages);
}

mh_hpa mhi_host_va_to_pa(const void *va)
{
	return (uintptr_t)va + PA_BASE;
}

void *mhi_host_pa_to_va(mh_hpa pa)
{
	return (void *)(uintptr_t)(pa - PA_BASE);
}

/* SPDX-License-Identifier: MIT */
/* Pages of L2 tables and refcount blocks in memory: a hash and a clock hand. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

static u32 bucket_of(const struct q2_cache *c, u64 offset)
{
	u64 n = offset / c->page_bytes;

	/* Fibonacci hashing: the neighbours of a page land far apart. */
	return (u32)((n * 0x9e3779b97f4a7c15ull) >> 40) & (c->buckets - 1);
}

int mhi_q2_cache_init(struct q2_cache *c, u32 page_bytes, u32 capacity)
{
	c->page_bytes = page_bytes;
	c->capacity = capacity;
	for (c->buckets = 16; c->buckets < capacity; c->buckets *= 2)
		continue;
	c->page = calloc(capacity, sizeof(*c->page));
	c->bucket = calloc(c->buckets, sizeof(*c->bucket));
	return c->page && c->bucket ? 0 : MH_ENOMEM;
}

void mhi_q2_cache_fini(struct q2_cache *c)
{
	u32 i;

	for (i = 0; c->page && i < c->used; i++)
		free(c->page[i].data);
	free(c->page);
	free(c->bucket);
}

struct q2_page *mhi_q2_page_cached(struct mhi_q2 *q, u64 offset)
{
	struct q2_cache *c = &q->cache;
	u32 i;

	for (i = c->bucket[bucket_of(c, offset)]; i; i = c->page[i - 1].next) {
		if (c->page[i - 1].offset != offset)
			continue;
		c->page[i - 1].recent = true;
		return &c->page[i - 1];
	}
	return NULL;
}

static void unlink_page(struct q2_cache *c, struct q2_page *page)
{
	u32 *at = &c->bucket[bucket_of(c, page->offset)];
	u32 self = (u32)(page - c->page) + 1;

	while (*at != self)
		at = &c->page[*at - 1].next;
	*at = page->next;
	page->offset = 0;
}

void mhi_q2_page_dirty(struct mhi_q2 *q, struct q2_page *page)
{
	if (page->dirty)
		return;
	page->dirty = true;
	if (page->kind == Q2_PAGE_L2)
		q->cache.dirty_l2++;
	else
		q->cache.dirty_ref++;
}

void mhi_q2_page_clean(struct mhi_q2 *q, struct q2_page *page)
{
	if (!page->dirty)
		return;
	page->dirty = false;
	if (page->kind == Q2_PAGE_L2)
		q->cache.dirty_l2--;
	else
		q->cache.dirty_ref--;
}

/* Counts on the disk may run ahead of the tables at any time: see the order in qcow2_int.h. */
static int write_ref(struct mhi_q2 *q, struct q2_page *page)
{
	int rc = mhi_blk_write(q->file, page->offset, page->data, q->cache.page_bytes);

	if (!rc)
		mhi_q2_page_clean(q, page);
	return rc;
}

int mhi_q2_write_refs(struct mhi_q2 *q)
{
	struct q2_cache *c = &q->cache;
	u32 i;
	int rc;

	for (i = 0; i < c->used && c->dirty_ref; i++) {
		if (!c->page[i].dirty || c->page[i].kind != Q2_PAGE_REF)
			continue;
		rc = write_ref(q, &c->page[i]);
		if (rc)
			return rc;
	}
	return 0;
}

/* A page to use anew. L2 pages in change stay: they may reach the file in a commit only. */
static int victim(struct mhi_q2 *q, struct q2_page **out)
{
	struct q2_cache *c = &q->cache;
	struct q2_page *page;
	u32 tries;
	int rc;

	if (c->used < c->capacity) {
		page = &c->page[c->used];
		page->data = aligned_alloc(c->page_bytes, c->page_bytes);
		if (page->data) {
			c->used++;
			*out = page;
			return 0;
		}
	}
	for (tries = 0; c->used && tries < 3 * c->used; tries++) {
		page = &c->page[c->hand];
		c->hand = (c->hand + 1) % c->used;
		if (page->writing || (page->dirty && page->kind == Q2_PAGE_L2))
			continue;
		if (page->recent) {
			page->recent = false;
			continue;
		}
		if (page->dirty) {
			rc = write_ref(q, page);
			if (rc)
				return rc;
		}
		if (page->offset)
			unlink_page(c, page);
		*out = page;
		return 0;
	}
	return MH_ENOMEM;
}

int mhi_q2_page(struct mhi_q2 *q, u64 offset, enum q2_page_kind kind, struct q2_page **out)
{
	struct q2_cache *c = &q->cache;
	struct q2_page *page = mhi_q2_page_cached(q, offset);
	u32 *bucket;
	int rc;

	if (page && page->kind != kind)
		return mhi_q2_damaged(q, "the L2 table and the refcount block at 0x%llx overlap",
				      offset);
	if (page) {
		*out = page;
		return 0;
	}
	rc = victim(q, &page);
	if (rc)
		return rc;
	rc = mhi_blk_read(q->file, offset, page->data, c->page_bytes);
	if (rc)
		return rc;
	page->offset = offset;
	page->kind = (u8)kind;
	page->recent = true;
	bucket = &c->bucket[bucket_of(c, offset)];
	page->next = *bucket;
	*bucket = (u32)(page - c->page) + 1;
	*out = page;
	return 0;
}

void mhi_q2_cache_forget(struct mhi_q2 *q, u64 offset, u64 bytes)
{
	struct q2_page *page;
	u64 at;

	for (at = offset; at < offset + bytes; at += q->cache.page_bytes) {
		page = mhi_q2_page_cached(q, at);
		if (!page)
			continue;
		mhi_q2_page_clean(q, page);
		unlink_page(&q->cache, page);
		page->recent = false;
	}
}

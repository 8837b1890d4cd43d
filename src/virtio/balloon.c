/* SPDX-License-Identifier: MIT */
/*
 * virtio-balloon. virtio 1.2, 5.5 "Traditional Memory Balloon Device". What the driver gives back,
 * page by page or as a report of free pages, is dropped from the host's memory at once; a page that
 * the guest touches again comes back as zeros, by itself. So the device keeps no list of pages, and
 * a driver that lies about them only loses its own content.
 */
#include "virtio/balloon.h"

#include <stdlib.h>

#include "core/le.h"
#include "macrohard/error.h"

#define CLASS_OTHER 0xff0000
#define QUEUE_SIZE 128

/*
 * 5.5.2 "Virtqueues". Drivers disagree about numbers: the specification gives each queue its own,
 * Linux counts only those whose features were negotiated. So behind the first two a queue is that
 * of statistics if it is number 2 and they were negotiated, and else one of reports.
 */
#define INFLATE 0
#define DEFLATE 1
#define STATS 2
#define QUEUES 5

/* 5.5.3 "Feature bits". */
#define F_STATS_VQ MHI_BIT(1)
#define F_DEFLATE_ON_OOM MHI_BIT(2)
#define F_PAGE_POISON MHI_BIT(4)
#define F_REPORTING MHI_BIT(5)

/* 5.5.4 "Device configuration layout". */
#define C_NUM_PAGES 0
#define C_ACTUAL 4
#define C_POISON_VAL 12
#define CONFIG_BYTES 16

/* 5.5.6.3 "Memory Statistics": le16 tag, le64 value, packed. */
#define STAT_BYTES 10
#define STATS_MAX 64

#define PFNS 1024      /* that are looked at together */
#define PFNS_MAX 4096  /* of one chain; drivers send 256 or 1024 */
#define BATCH 16       /* chains before other devices have their turn */
#define REPORT_BATCH 4 /* each may be large */

struct balloon {
	struct mhi_vdev dev;
	bool small;	 /* (m) huge pages are off */
	bool stats_held; /* (m) a chain of the driver's waits for the next question */
	bool stats_asked;
	struct mhi_chain_id stats_id;
	u64 updates;
	u64 value[MHI_BALLOON_STATS];
	struct mhi_chain chain; /* (m) the one at hand */
};

/*
 * The balloon makes holes of single pages. Where the host may use huge pages, one touch beside a
 * hole, or its tidying up in the background, would fill them again.
 */
static void set_small(struct balloon *b, bool small)
{
	if (b->small == small)
		return;
	b->small = small;
	mhi_gmem_huge(b->dev.env.mem, !small);
}

static int by_number(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/* Drivers give pages one by one, mostly neighbours: together they free huge pages of the host. */
static void give_back(struct balloon *b, u32 *pfn, size_t count)
{
	size_t first = 0;

	qsort(pfn, count, sizeof(*pfn), by_number);
	for (size_t i = 1; i <= count; i++) {
		/* A page may be named twice. */
		if (i < count && pfn[i] - pfn[i - 1] <= 1)
			continue;
		mhi_gmem_discard(b->dev.env.mem, (u64)pfn[first] << MHI_PAGE_SHIFT,
				 ((u64)pfn[i - 1] - pfn[first] + 1) << MHI_PAGE_SHIFT);
		first = i;
	}
}

static void inflate(struct balloon *b)
{
	u8 raw[PFNS * 4];
	u32 pfn[PFNS];
	u64 at = 0;
	size_t n;

	if (b->chain.out_bytes > PFNS_MAX * 4 || b->chain.out_bytes % 4)
		mhi_vdev_complain(&b->dev, "a list of pages has an odd length, or is too long");
	set_small(b, true);
	while (at < PFNS_MAX * 4) {
		n = mhi_chain_read(&b->chain, at, raw, sizeof(raw)) / 4;
		if (!n)
			break;
		for (size_t i = 0; i < n; i++)
			pfn[i] = mhi_get_le32(raw + 4 * i);
		give_back(b, pfn, n);
		at += n * 4;
	}
}

static void report(struct balloon *b)
{
	const struct iovec *in = mhi_chain_in(&b->chain);

	/* 5.5.6.6: a driver that fills free pages must find them so. */
	if (mhi_vdev_has(&b->dev, F_PAGE_POISON) && mhi_get_le32(b->dev.config + C_POISON_VAL))
		return;
	for (u32 i = 0; i < b->chain.ins; i++)
		mhi_gmem_discard_host(b->dev.env.mem, in[i].iov_base, in[i].iov_len);
}

/* ---- statistics ---- */

static void take_stats(struct balloon *b)
{
	u8 raw[STAT_BYTES];

	memset(b->value, 0xff, sizeof(b->value));
	for (u64 n = 0; n < STATS_MAX; n++) {
		u16 tag;

		if (mhi_chain_read(&b->chain, n * STAT_BYTES, raw, STAT_BYTES) < STAT_BYTES)
			break;
		tag = mhi_get_le16(raw);
		if (tag < MHI_BALLOON_STATS)
			b->value[tag] = mhi_get_le64(raw + 2);
	}
	b->updates++;
}

/* A driver gives its buffer once, unasked; giving it back is the question for new values. */
static void return_stats(struct balloon *b)
{
	if (!b->stats_held)
		return;
	mhi_vdev_push(&b->dev, STATS, b->stats_id, 0);
	b->stats_held = false;
	b->stats_asked = false;
}

static void stats_kick(struct balloon *b)
{
	if (b->stats_asked)
		return_stats(b);
	for (unsigned int n = 0; n < BATCH; n++) {
		if (!mhi_vdev_pop(&b->dev, STATS, &b->chain))
			return;
		return_stats(b);
		take_stats(b);
		b->stats_id = b->chain.id;
		b->stats_held = true;
	}
	mhi_vdev_again(&b->dev, STATS);
}

/* ---- the device ---- */

static void pages_kick(struct balloon *b, unsigned int q)
{
	unsigned int batch = q <= DEFLATE ? BATCH : REPORT_BATCH;

	for (unsigned int n = 0; n < batch; n++) {
		if (!mhi_vdev_pop(&b->dev, q, &b->chain))
			return;
		if (q == INFLATE)
			inflate(b);
		else if (q != DEFLATE && mhi_vdev_has(&b->dev, F_REPORTING))
			report(b);
		mhi_vdev_push(&b->dev, q, b->chain.id, 0);
		mhi_vdev_count(&b->dev, 0, 0);
	}
	mhi_vdev_again(&b->dev, q);
}

static void balloon_kick(struct mhi_vdev *dev, unsigned int q)
{
	if (q == STATS && mhi_vdev_has(dev, F_STATS_VQ))
		stats_kick(dev->model);
	else
		pages_kick(dev->model, q);
}

static void balloon_config(struct mhi_vdev *dev, unsigned int at, unsigned int bytes)
{
	if (!mhi_get_le32(dev->config + C_ACTUAL))
		set_small(dev->model, false);
}

/* All memory is the guest's again; the target stays. */
static void balloon_reset(struct mhi_vdev *dev)
{
	struct balloon *b = dev->model;

	set_small(b, false);
	b->stats_held = false;
	memset(b->value, 0xff, sizeof(b->value));
	mhi_put_le32(dev->config + C_ACTUAL, 0);
	mhi_put_le32(dev->config + C_POISON_VAL, 0);
}

static void balloon_destroy(struct mhi_vdev *dev)
{
	mhi_vdev_fini(dev);
	free(dev->model);
}

static const struct mhi_vdev_ops balloon_ops = {
	.name = "virtio-balloon",
	.id = MHI_BALLOON_ID,
	.class_code = CLASS_OTHER,
	.kick = balloon_kick,
	.reset = balloon_reset,
	.config = balloon_config,
	.destroy = balloon_destroy,
};

int mhi_balloon_create(const struct mhi_vdev_env *env, u32 pages, struct mhi_vdev **out)
{
	static const u16 sizes[QUEUES] = { QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE,
					   QUEUE_SIZE };
	struct balloon *b = calloc(1, sizeof(*b));

	if (!b)
		return MH_ENOMEM;
	b->dev.ops = &balloon_ops;
	b->dev.model = b;
	b->dev.env = *env;
	b->dev.offered = F_STATS_VQ | F_DEFLATE_ON_OOM | F_PAGE_POISON | F_REPORTING;
	b->dev.config_bytes = CONFIG_BYTES;
	memset(b->dev.config_writable + C_ACTUAL, 0xff, 4);
	memset(b->dev.config_writable + C_POISON_VAL, 0xff, 4);
	memset(b->value, 0xff, sizeof(b->value));
	mhi_put_le32(b->dev.config + C_NUM_PAGES, pages);
	if (mhi_vdev_init(&b->dev, sizes, QUEUES)) {
		free(b);
		return MH_ENOMEM;
	}
	*out = &b->dev;
	return 0;
}

/* ---- the host's side ---- */

void mhi_balloon_set(struct mhi_vdev *dev, u32 pages)
{
	pthread_mutex_lock(&dev->lock);
	mhi_put_le32(dev->config + C_NUM_PAGES, pages);
	mhi_vdev_config_changed(dev);
	pthread_mutex_unlock(&dev->lock);
}

void mhi_balloon_stats(struct mhi_vdev *dev, struct mhi_balloon_stats *out)
{
	struct balloon *b = dev->model;

	pthread_mutex_lock(&dev->lock);
	out->target = mhi_get_le32(dev->config + C_NUM_PAGES);
	out->actual = mhi_get_le32(dev->config + C_ACTUAL);
	out->updates = b->updates;
	memcpy(out->value, b->value, sizeof(out->value));
	b->stats_asked = true;
	pthread_mutex_unlock(&dev->lock);
	mhi_vdev_kick(dev, STATS);
}

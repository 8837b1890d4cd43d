/* SPDX-License-Identifier: MIT */
/*
 * The qcow2 engine's state and what its files share.
 *
 * Order of the writes to the file, which keeps the image consistent at any moment: (1) data and
 * reference counts that grow, (2) flush, (3) L2 entries that refer to them, (4) flush and (5) L1
 * entries if tables are new, (6) flush, (7) only now counts that shrink, and only now are those
 * clusters given away again. A crash in between leaks clusters at worst; the dirty flag then says
 * so.
 *
 * Guest data is transferred without the lock. What is unmapped meanwhile is not given away before
 * every transfer that might still use it has ended (epochs). Field tags: (c) constant after open,
 * (m) under lock, (i) under io_lock. Lock order: lock, io_lock; zip_lock is a leaf.
 */
#ifndef MHI_VIRTIO_QCOW2_INT_H
#define MHI_VIRTIO_QCOW2_INT_H

#include <pthread.h>

#include "base/checked.h"
#include "virtio/qcow2.h"
#include "virtio/qcow2_format.h"

#define Q2_PAGE_MOST 4096u
#define Q2_FAULT_TEXT 256
#define Q2_DIRTY_L2_MOST 128u /* pages; then they are committed */
#define Q2_DIRTY_L1_MOST 32u  /* sectors */
/*
 * A failed commit brings back what it had, while writers went on: twice as much. However often it
 * fails, what it has and what is dirty beside it stay within this: see mhi_q2_make_room.
 */
#define Q2_STAGE_L2 (2 * Q2_DIRTY_L2_MOST)
#define Q2_STAGE_L1 (2 * Q2_DIRTY_L1_MOST)
#define Q2_CACHE_LEAST (Q2_STAGE_L2 + 2 * Q2_DIRTY_L2_MOST) /* pages */
#define Q2_CACHE_MOST 8192u
#define Q2_PENDING_MOST 4096u  /* runs of clusters that wait for being freed */
#define Q2_RUN_MOST (1u << 20) /* bytes that one allocation covers, unless a cluster is larger */

enum q2_page_kind { Q2_PAGE_L2, Q2_PAGE_REF };

/* A part of an L2 table or of a refcount block. */
struct q2_page {
	u64 offset; /* in the file; 0: unused */
	u8 *data;
	u32 next; /* in the hash chain: index + 1 */
	u8 kind;
	bool dirty, writing, recent;
};

struct q2_cache {
	u32 page_bytes;		 /* (c) */
	u32 capacity, buckets;	 /* (c) */
	struct q2_page *page;	 /* (m) [capacity] */
	u32 *bucket;		 /* (m) [buckets] index + 1 */
	u32 hand, used;		 /* (m) */
	u32 dirty_l2, dirty_ref; /* (m) */
};

/* What a cluster of metadata holds. */
enum q2_meta {
	Q2_META_NONE,
	Q2_META_HEADER,
	Q2_META_L1,
	Q2_META_L2,
	Q2_META_REFTABLE,
	Q2_META_REFBLOCK,
	Q2_META_SNAPSHOTS,
	Q2_META_SNAPSHOT_L1,
	Q2_META_BITMAPS,
};

/* A set of clusters: open addressing; 0 is free, so keys are cluster index + 1. */
struct q2_meta_set {
	u64 *key; /* (m) [slots], kind in the upper 8 bits */
	u64 slots, used;
};

/* Guest clusters whose new storage is being filled. On the stack of the writer. */
struct q2_alloc {
	u64 guest, count; /* clusters */
	u64 host;	  /* cluster */
	struct q2_alloc *next;
};

/* Host clusters that lose a reference. */
struct q2_free {
	u64 host, count;
	bool punch; /* their storage goes back to the host */
};

struct q2_pending {
	struct q2_free *run; /* [room] */
	u32 count, room;
};

struct mhi_q2 {
	struct mhi_blk blk;
	struct mhi_blk *file;	     /* (c) owned */
	u32 version, cluster_bits;   /* (c) */
	u64 cluster;		     /* (c) bytes */
	u32 refcount_order, rb_bits; /* (c) rb_bits: log2 of counts in a refcount block */
	u32 header_length;	     /* (c) */
	u32 compression;	     /* (c) */
	bool check_only;	     /* (c) opened with MHI_QCOW2_CHECK */
	u64 incompatible, compatible, autoclear; /* (m) */
	char *backing_name, *backing_format;	 /* (c) NULL: none */
	u64 bitmaps_offset, bitmaps_bytes;	 /* (c) of the directory; 0: no extension */
	u32 bitmaps;				 /* (c) */

	u64 l1_offset;			       /* (m) */
	u32 l1_size;			       /* (m) entries */
	u64 *l1;			       /* (m) [l1_size] host order */
	u64 rt_offset;			       /* (m) */
	u32 rt_clusters;		       /* (m) */
	u64 rt_size;			       /* (m) entries */
	u64 *rt;			       /* (m) [rt_size] host order */
	u32 snapshots;			       /* (c) */
	u64 snapshots_offset, snapshots_bytes; /* (c) */

	pthread_mutex_t lock;
	pthread_cond_t cond;	   /* allocs shrank, committing ended */
	struct q2_cache cache;	   /* (m) */
	struct q2_meta_set meta;   /* (m) writable images only */
	struct q2_alloc *allocs;   /* (m) */
	bool committing;	   /* (m) */
	bool marked;		   /* (m) the header says that the image is in use */
	int failed;		   /* (m) MH_E*: writes are refused from now on */
	char fault[Q2_FAULT_TEXT]; /* (m) */
	u64 free_hint;		   /* (m) no free cluster below */
	/* (m) bytes: the file was never written at and beyond; reads as zeroes */
	u64 virgin;
	u32 dirty_l1[Q2_STAGE_L1]; /* (m) numbers of sectors of the L1 table */
	u32 dirty_l1_count;	   /* (m) */
	u32 staged_l2, staged_l1;  /* (m) pages and sectors that the commit under way has */
	struct q2_pending pending; /* (m) */
	/* the committer's: [Q2_STAGE_L2] pages and [Q2_STAGE_L1] sectors */
	u8 *stage;

	pthread_mutex_t io_lock; /* epochs */
	pthread_cond_t io_cond;
	u32 epoch;	  /* (i) */
	u64 transfers[2]; /* (i) under way, by parity of the epoch they began in */

	pthread_mutex_t zip_lock; /* the two below */
	u64 zip_entry;		  /* L2 entry that zip holds; 0: none */
	u8 *zip;		  /* [cluster] NULL until it is needed */
	u8 *zip_in;		  /* [2 * cluster + 1024]: the most that an entry can name */
};

static inline struct mhi_q2 *q2_of(struct mhi_blk *b)
{
	return (struct mhi_q2 *)b;
}

static inline u64 q2_round_up(const struct mhi_q2 *q, u64 bytes)
{
	return (bytes + q->cluster - 1) & ~(q->cluster - 1);
}

static inline u64 q2_clusters(const struct mhi_q2 *q, u64 bytes)
{
	return q2_round_up(q, bytes) >> q->cluster_bits;
}

/*
 * Under lock, after a failure: what the disk holds is not known. Nothing is written any more, for
 * flushing again would take for stored what the kernel may have thrown away.
 */
static inline int q2_give_up(struct mhi_q2 *q, int rc)
{
	q->failed = q->failed ? q->failed : rc;
	return rc;
}

/* ---- qcow2_cache.c: all under lock ---- */

int mhi_q2_cache_init(struct q2_cache *c, u32 page_bytes, u32 capacity);
void mhi_q2_cache_fini(struct q2_cache *c);
/*
 * The page at offset (multiple of page_bytes). Valid until the next call or until the lock is let
 * go.
 */
int mhi_q2_page(struct mhi_q2 *q, u64 offset, enum q2_page_kind kind, struct q2_page **out);
/* The same if it is in memory, else NULL. */
struct q2_page *mhi_q2_page_cached(struct mhi_q2 *q, u64 offset);
void mhi_q2_page_dirty(struct mhi_q2 *q, struct q2_page *page);
void mhi_q2_page_clean(struct mhi_q2 *q, struct q2_page *page);
/* What was cached of these bytes is out of date. */
void mhi_q2_cache_forget(struct mhi_q2 *q, u64 offset, u64 bytes);
int mhi_q2_write_refs(struct mhi_q2 *q);

/* ---- qcow2_meta.c: all under lock ---- */

const char *mhi_q2_meta_name(enum q2_meta kind);
enum q2_meta mhi_q2_meta_of(const struct mhi_q2 *q, u64 cluster);
/* 0, MH_EEXIST when the cluster is taken (by *other), MH_ENOMEM. */
int mhi_q2_meta_add(struct mhi_q2 *q, u64 cluster, enum q2_meta kind, enum q2_meta *other);
void mhi_q2_meta_remove(struct mhi_q2 *q, u64 cluster);
/* Enter all of an image's metadata; MH_EFORMAT when two overlap. */
int mhi_q2_meta_load(struct mhi_q2 *q, struct mhi_err *err);
void mhi_q2_meta_fini(struct q2_meta_set *set);

/* ---- qcow2_header.c ---- */

int mhi_q2_header_read(struct mhi_q2 *q, struct mhi_err *err);
int mhi_q2_tables_read(struct mhi_q2 *q, struct mhi_err *err);
/* Bring the feature bits to the file. */
int mhi_q2_write_features(struct mhi_q2 *q);
/* Under lock: damage was found. Remembers it, marks the image, returns MH_EFORMAT. */
int mhi_q2_damaged(struct mhi_q2 *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Under lock, before each change: 0 when writing is allowed; marks the image as in use. */
int mhi_q2_begin_change(struct mhi_q2 *q);

/* ---- qcow2_ref.c: all under lock ---- */

u64 mhi_q2_ref_in(const u8 *block, u32 order, u64 index);
void mhi_q2_ref_put(u8 *block, u32 order, u64 index, u64 count);
int mhi_q2_ref_get(struct mhi_q2 *q, u64 cluster, u64 *count);
/* MH_ENOENT when there is no refcount block for it. */
int mhi_q2_ref_set(struct mhi_q2 *q, u64 cluster, u64 count);
/* Up to want clusters in a row with count 1; at least one. */
int mhi_q2_alloc(struct mhi_q2 *q, u64 want, u64 *first, u64 *got);
/* Exactly want clusters in a row. */
int mhi_q2_alloc_row(struct mhi_q2 *q, u64 want, u64 *first);
/* One reference less, at once: only for what no table on the disk refers to. */
int mhi_q2_drop(struct mhi_q2 *q, u64 first, u64 count);
/* One reference less after the next commit. punch: their storage goes back to the host then. */
int mhi_q2_drop_later(struct mhi_q2 *q, u64 first, u64 count, bool punch);
/* The first use of clusters: do they read as zeroes, because the file has never been that long? */
bool mhi_q2_first_use(struct mhi_q2 *q, u64 first, u64 count);

/* ---- qcow2_rt.c: all under lock ---- */

/* A refcount block for the cluster, which must be the first that has none. */
int mhi_q2_add_refblock(struct mhi_q2 *q, u64 cluster);
/* Refcount blocks for `want` clusters in a row behind them, of which *first is the first. */
int mhi_q2_add_refblocks(struct mhi_q2 *q, u64 want, u64 *first);

/* ---- qcow2_map.c: all under lock ---- */

enum q2_kind { Q2_UNALLOCATED, Q2_ZERO_PLAIN, Q2_ZERO_ALLOCATED, Q2_NORMAL, Q2_PACKED };

enum q2_kind mhi_q2_kind(const struct mhi_q2 *q, u64 entry);
/* Is the entry within the file and without reserved bits? Else the image is damaged. */
int mhi_q2_entry_check(struct mhi_q2 *q, u64 entry, u64 guest);

struct q2_extent {
	enum q2_kind kind;
	u64 host;   /* byte in the file of the first byte (Q2_NORMAL) */
	u64 entry;  /* of the first cluster */
	u64 length; /* bytes */
};

/*
 * What is at a guest offset. wait false: MHI_BLK_WAIT when a table would have to be read. Runs end
 * with the page of the table.
 */
int mhi_q2_map(struct mhi_q2 *q, u64 offset, u64 bytes, bool wait, struct q2_extent *out);
/* The entry of a guest cluster in a table that may be written: new or copied if need be. */
int mhi_q2_l2_for_write(struct mhi_q2 *q, u64 guest, struct q2_page **page, u32 *index);
u32 mhi_q2_l2_index(const struct mhi_q2 *q, u64 guest);
/* Entries from this one to the end of its page. */
u64 mhi_q2_l2_left(const struct mhi_q2 *q, u64 guest);
static inline u64 q2_entry(const struct q2_page *page, u32 index)
{
	return q2_get64(page->data + 8ull * index);
}
/* Host clusters of an entry's data; count 0: none. */
void mhi_q2_entry_clusters(const struct mhi_q2 *q, u64 entry, u64 *first, u64 *count);

/* ---- qcow2_read.c ---- */

int mhi_q2_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count);
int mhi_q2_try_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count);
int mhi_q2_extent(struct mhi_blk *b, u64 offset, u64 bytes, enum mhi_blk_kind *kind, u64 *length);
/* Between these a transfer to clusters that were mapped under lock is safe. Begin under lock. */
u32 mhi_q2_io_begin(struct mhi_q2 *q);
void mhi_q2_io_end(struct mhi_q2 *q, u32 token);

/* ---- qcow2_zip.c, qcow2_zstd*.c ---- */

int mhi_q2_read_packed(struct mhi_q2 *q, u64 entry, u64 skip, struct mhi_iovs *to, u64 bytes);
bool mhi_q2_has_zstd(void);
/* Exactly out_bytes of a frame at the front of in. 0, MH_EFORMAT, MH_ENOMEM. */
int mhi_q2_unzstd(const u8 *in, size_t in_bytes, u8 *out, size_t out_bytes);

/* ---- qcow2_write.c, qcow2_zero.c ---- */

int mhi_q2_write(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count, u32 flags);
int mhi_q2_write_zeroes(struct mhi_blk *b, u64 offset, u64 bytes, u32 flags);
int mhi_q2_discard(struct mhi_blk *b, u64 offset, u64 bytes);
/* Under lock; lets it go while another writer fills these guest clusters. True if it waited. */
bool mhi_q2_wait_allocs(struct mhi_q2 *q, u64 guest, u64 count);

/* ---- qcow2_commit.c ---- */

int mhi_q2_flush(struct mhi_blk *b);
/* Under lock, which is let go meanwhile. stable: all is on the disk when it returns. */
int mhi_q2_commit(struct mhi_q2 *q, bool stable);
/* Under lock, may let it go: room for the changes of one step. */
int mhi_q2_make_room(struct mhi_q2 *q);
void mhi_q2_l1_dirty(struct mhi_q2 *q, u32 index);

/* ---- qcow2_resize.c ---- */

int mhi_q2_resize(struct mhi_blk *b, u64 bytes, struct mhi_err *err);

#endif

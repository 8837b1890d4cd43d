/* SPDX-License-Identifier: MIT */
/* virtio-blk. virtio 1.2, 5.2 "Block Device". */
#include "virtio/vblk.h"

#include <stdlib.h>
#include <x86intrin.h>

#include "base/checked.h"
#include "core/le.h"

#define DEVICE_ID 2
#define CLASS_STORAGE 0x018000
#define QUEUE_SIZE 256
/* A request has a header and a status besides; buffers may span memory slots. */
#define SEGMENTS 254
#define IOVS (SEGMENTS + 34)
#define SEGMENT_BYTES (4u << 20)
/* Chains taken in one turn. */
#define BATCH 128

/* 5.2.3 "Feature bits". */
#define F_SIZE_MAX MHI_BIT(1)
#define F_SEG_MAX MHI_BIT(2)
#define F_GEOMETRY MHI_BIT(4)
#define F_RO MHI_BIT(5)
#define F_BLK_SIZE MHI_BIT(6)
#define F_FLUSH MHI_BIT(9)
#define F_TOPOLOGY MHI_BIT(10)
#define F_CONFIG_WCE MHI_BIT(11)
#define F_MQ MHI_BIT(12)
#define F_DISCARD MHI_BIT(13)
#define F_WRITE_ZEROES MHI_BIT(14)

/* 5.2.4 "Device configuration layout". */
#define C_CAPACITY 0
#define C_SIZE_MAX 8
#define C_SEG_MAX 12
#define C_CYLINDERS 16
#define C_HEADS 18
#define C_SECTORS 19
#define C_BLK_SIZE 20
#define C_PHYSICAL_EXP 24
#define C_MIN_IO 26
#define C_OPT_IO 28
#define C_WRITEBACK 32
#define C_QUEUES 34
#define C_DISCARD_SECTORS 36
#define C_DISCARD_SEGS 40
#define C_DISCARD_ALIGN 44
#define C_ZEROES_SECTORS 48
#define C_ZEROES_SEGS 52
#define C_ZEROES_UNMAP 56
#define CONFIG_BYTES 60

/* 5.2.6 "Device Operation". */
#define HEADER_BYTES 16
#define SEGMENT_ENTRY 16 /* of discard and write zeroes */
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
#define ZEROES_F_UNMAP 1u
#define RANGE_SECTORS_MAX (1u << 21) /* 1 GiB a request */

/* CHS as PCs tell it of large disks. */
#define HEADS 16
#define SECTORS_PER_TRACK 63
#define CYLINDERS_MAX 16383

struct vblk_req {
	struct mhi_blk_req req;
	struct vblk *disk;
	struct vblk_req *next; /* free */
	struct mhi_chain_id id;
	u16 q;
	u64 began;  /* TSC, when it was taken */
	u32 filled; /* bytes of data for the driver, when all is well */
	u8 *status; /* in guest memory, which stays while the chain is in flight */
	struct iovec iov[IOVS];
};

struct vblk {
	struct mhi_vdev dev;
	struct mhi_blk *node;	      /* (c) */
	struct mhi_blkq queue;	      /* loop thread */
	bool write_through;	      /* (c) at reset */
	char serial[MHI_VBLK_SERIAL]; /* (c) */
	struct vblk_req *req;	      /* (c) [count] */
	u32 count, touched;	      /* (c), (m): from req[touched] on none was ever used */
	struct vblk_req *free;	      /* (m) */
	struct mhi_chain chain;	      /* (m) the one at hand */
};

/* ---- completion ---- */

static u8 status_of(int result)
{
	if (!result)
		return S_OK;
	return result == MH_ENOTSUP ? S_UNSUPP : S_IOERR;
}

/* With the lock held. */
static void finish(struct vblk_req *r, u8 status)
{
	struct vblk *disk = r->disk;

	*r->status = status;
	mhi_vdev_count_time(&disk->dev, r->began);
	mhi_vdev_count(&disk->dev, status == S_OK ? r->filled : 0,
		       status == S_OK && r->req.op == MHI_BLK_WRITE ? r->req.bytes : 0);
	disk->dev.counts.errors += status != S_OK;
	mhi_vdev_push(&disk->dev, r->q, r->id, (status == S_OK ? r->filled : 0) + 1);
	r->next = disk->free;
	disk->free = r;
}

static void on_done(struct mhi_blk_req *req)
{
	struct vblk_req *r = req->opaque;
	struct mhi_vdev *dev = &r->disk->dev;

	mhi_vdev_enter(dev);
	finish(r, status_of(req->result));
	mhi_vdev_release(dev);
	mhi_vdev_leave(dev);
}

static void submit(struct vblk_req *r)
{
	r->req.opaque = r;
	r->req.done = on_done;
	if (mhi_blkq_submit(&r->disk->queue, &r->req))
		finish(r, status_of(r->req.result));
	else
		mhi_vdev_hold(&r->disk->dev);
}

/* ---- requests ---- */

/* The bytes [skip, skip + bytes) of an iovec array; false: more pieces than there is room for. */
static bool cut(struct vblk_req *r, const struct iovec *iov, u32 count, u64 skip, u64 bytes)
{
	u32 n = 0;

	for (u32 i = 0; i < count && bytes; i++) {
		u64 len = iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		if (len > bytes)
			len = bytes;
		if (n == IOVS)
			return false;
		r->iov[n++] = (struct iovec){ (u8 *)iov[i].iov_base + skip, len };
		skip = 0;
		bytes -= len;
	}
	r->req.iov = r->iov;
	r->req.iov_count = n;
	return true;
}

/* Reads and writes: what lies outside of the disk, or is no whole sector, the queue refuses. */
static void transfer(struct vblk_req *r, bool write, u64 sector)
{
	const struct mhi_chain *chain = &r->disk->chain;
	bool fits;

	r->req.op = write ? MHI_BLK_WRITE : MHI_BLK_READ;
	if (write) {
		r->req.bytes = chain->out_bytes - HEADER_BYTES;
		fits = cut(r, chain->iov, chain->outs, HEADER_BYTES, r->req.bytes);
	} else {
		r->req.bytes = chain->in_bytes - 1;
		fits = cut(r, mhi_chain_in(chain), chain->ins, 0, r->req.bytes);
		r->filled = (u32)r->req.bytes;
	}
	if (!fits || r->req.bytes > 0x7fffffff ||
	    !mhi_mul_u64(sector, MHI_BLK_SECTOR, &r->req.offset))
		finish(r, S_IOERR);
	else
		submit(r);
}

static void get_id(struct vblk_req *r)
{
	struct vblk *disk = r->disk;
	size_t room = disk->chain.in_bytes - 1;

	if (room > MHI_VBLK_SERIAL)
		room = MHI_VBLK_SERIAL;
	r->filled = (u32)mhi_chain_write(&disk->chain, 0, disk->serial, room);
	finish(r, S_OK);
}

/* Discard and write zeroes: one range, as the configuration says. */
static void range(struct vblk_req *r, bool zeroes)
{
	struct vblk *disk = r->disk;
	u8 entry[SEGMENT_ENTRY];
	u32 sectors, flags;

	if (disk->chain.out_bytes != HEADER_BYTES + SEGMENT_ENTRY ||
	    mhi_chain_read(&disk->chain, HEADER_BYTES, entry, sizeof(entry)) != sizeof(entry)) {
		finish(r, S_IOERR);
		return;
	}
	sectors = mhi_get_le32(entry + 8);
	flags = mhi_get_le32(entry + 12);
	if (flags & ~(zeroes ? ZEROES_F_UNMAP : 0)) {
		finish(r, S_UNSUPP);
		return;
	}
	r->req.op = zeroes ? MHI_BLK_WRITE_ZEROES : MHI_BLK_DISCARD;
	r->req.flags = flags & ZEROES_F_UNMAP ? MHI_BLK_UNMAP : 0;
	r->req.bytes = (u64)sectors * MHI_BLK_SECTOR;
	if (sectors > RANGE_SECTORS_MAX ||
	    !mhi_mul_u64(mhi_get_le64(entry), MHI_BLK_SECTOR, &r->req.offset))
		finish(r, S_IOERR);
	else
		submit(r);
}

static void dispatch(struct vblk_req *r, u32 type, u64 sector)
{
	u64 offered = r->disk->dev.offered;

	switch (type) {
	case T_IN:
		transfer(r, false, sector);
		break;
	case T_OUT:
		transfer(r, true, sector);
		break;
	case T_FLUSH:
		r->req.op = MHI_BLK_FLUSH;
		submit(r);
		break;
	case T_GET_ID:
		get_id(r);
		break;
	case T_DISCARD:
	case T_WRITE_ZEROES:
		if (offered & (type == T_DISCARD ? F_DISCARD : F_WRITE_ZEROES))
			range(r, type == T_WRITE_ZEROES);
		else
			finish(r, S_UNSUPP);
		break;
	default:
		finish(r, S_UNSUPP);
		break;
	}
}

/* Memory of requests is touched when there are that many in flight. */
static struct vblk_req *get_request(struct vblk *disk)
{
	struct vblk_req *r = disk->free;

	if (!r) {
		r = &disk->req[disk->touched++];
		r->disk = disk;
		return r;
	}
	disk->free = r->next;
	return r;
}

/* The last byte of the in part: the status. */
static u8 *status_byte(const struct mhi_chain *chain)
{
	const struct iovec *last = &chain->iov[chain->outs + chain->ins - 1];

	return (u8 *)last->iov_base + last->iov_len - 1;
}

static void take(struct vblk *disk, unsigned int q)
{
	struct mhi_chain *chain = &disk->chain;
	struct vblk_req *r;
	u8 header[HEADER_BYTES];

	if (!chain->in_bytes) {
		mhi_vdev_complain(&disk->dev, "a request without room for its status");
		mhi_vdev_push(&disk->dev, q, chain->id, 0);
		return;
	}
	r = get_request(disk);
	r->id = chain->id;
	r->q = (u16)q;
	r->filled = 0;
	r->began = __rdtsc();
	r->status = status_byte(chain);
	memset(&r->req, 0, sizeof(r->req));
	if (mhi_chain_read(chain, 0, header, sizeof(header)) != sizeof(header)) {
		mhi_vdev_complain(&disk->dev, "a request without a whole header");
		finish(r, S_IOERR);
		return;
	}
	dispatch(r, mhi_get_le32(header), mhi_get_le64(header + 8));
}

static void vblk_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct vblk *disk = dev->model;

	/* There are as many requests as descriptors: they run out only for a driver that uses
	 * descriptors of the device's, who may wait until he kicks again. */
	for (unsigned int n = 0; n < BATCH; n++) {
		if ((!disk->free && disk->touched == disk->count) ||
		    !mhi_vdev_pop(dev, q, &disk->chain))
			return;
		take(disk, q);
	}
	mhi_vdev_again(dev, q);
}

/* ---- configuration ---- */

/* Without FLUSH the driver cannot make anything stable: each write is. */
static void set_write_through(struct vblk *disk)
{
	struct mhi_vdev *dev = &disk->dev;

	if (mhi_vdev_has(dev, F_CONFIG_WCE))
		disk->queue.write_through = !(dev->config[C_WRITEBACK] & 1);
	else
		disk->queue.write_through = disk->write_through || !mhi_vdev_has(dev, F_FLUSH);
}

static void vblk_start(struct mhi_vdev *dev)
{
	set_write_through(dev->model);
}

static void vblk_config(struct mhi_vdev *dev, unsigned int at, unsigned int bytes)
{
	if (at <= C_WRITEBACK && at + bytes > C_WRITEBACK)
		set_write_through(dev->model);
}

static void vblk_reset(struct mhi_vdev *dev)
{
	struct vblk *disk = dev->model;

	dev->config[C_WRITEBACK] = !disk->write_through;
}

static u8 log2_of(u32 n)
{
	return n > 1 ? (u8)(31 - __builtin_clz(n)) : 0;
}

static void put_geometry(u8 *c, u64 sectors)
{
	u64 cylinders = sectors / (HEADS * SECTORS_PER_TRACK);

	mhi_put_le16(c + C_CYLINDERS, (u16)(cylinders < CYLINDERS_MAX ? cylinders : CYLINDERS_MAX));
	c[C_HEADS] = HEADS;
	c[C_SECTORS] = SECTORS_PER_TRACK;
}

static void describe(struct vblk *disk, u16 queues)
{
	const struct mhi_blk_limits *limits = &disk->node->limits;
	struct mhi_vdev *dev = &disk->dev;
	u32 block = limits->block ? limits->block : MHI_BLK_SECTOR;
	u32 physical = limits->physical > block ? limits->physical : block;
	u8 *c = dev->config;

	dev->offered = F_SIZE_MAX | F_SEG_MAX | F_GEOMETRY | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY |
		       F_CONFIG_WCE;
	dev->offered |= disk->node->read_only ? F_RO : F_WRITE_ZEROES;
	if (!disk->node->read_only && limits->discard_align)
		dev->offered |= F_DISCARD;
	if (queues > 1)
		dev->offered |= F_MQ;
	dev->config_bytes = CONFIG_BYTES;
	dev->config_writable[C_WRITEBACK] = 1;
	mhi_put_le64(c + C_CAPACITY, disk->node->size / MHI_BLK_SECTOR);
	mhi_put_le32(c + C_SIZE_MAX, SEGMENT_BYTES);
	mhi_put_le32(c + C_SEG_MAX, SEGMENTS);
	put_geometry(c, disk->node->size / MHI_BLK_SECTOR);
	mhi_put_le32(c + C_BLK_SIZE, block);
	c[C_PHYSICAL_EXP] = log2_of(physical / block);
	mhi_put_le16(c + C_MIN_IO, (u16)(physical / block));
	mhi_put_le16(c + C_QUEUES, queues);
	mhi_put_le32(c + C_DISCARD_SECTORS, RANGE_SECTORS_MAX);
	mhi_put_le32(c + C_DISCARD_SEGS, 1);
	mhi_put_le32(c + C_DISCARD_ALIGN, limits->discard_align / MHI_BLK_SECTOR);
	mhi_put_le32(c + C_ZEROES_SECTORS, RANGE_SECTORS_MAX);
	mhi_put_le32(c + C_ZEROES_SEGS, 1);
	c[C_ZEROES_UNMAP] = 1;
	vblk_reset(dev);
}

static void vblk_destroy(struct mhi_vdev *dev)
{
	struct vblk *disk = dev->model;
	int rc;

	mhi_vdev_fini(dev);
	rc = disk->node->ops->close(disk->node);
	if (rc)
		mhi_log(dev->env.log, MH_LOG_ERROR,
			"%s: closing a disk: what was written last may not be stored: %s",
			dev->env.owner, mh_strerror(rc));
	free(disk->req);
	free(disk);
}

static const struct mhi_vdev_ops vblk_ops = {
	.name = "virtio-blk",
	.id = DEVICE_ID,
	.class_code = CLASS_STORAGE,
	.kick = vblk_kick,
	.start = vblk_start,
	.reset = vblk_reset,
	.config = vblk_config,
	.destroy = vblk_destroy,
};

int mhi_vblk_create(const struct mhi_vdev_env *env, const struct mhi_vblk_config *config,
		    struct mhi_vdev **out)
{
	struct vblk *disk = calloc(1, sizeof(*disk));
	u16 sizes[MHI_VBLK_QUEUES_MAX];

	if (!disk)
		return MH_ENOMEM;
	disk->count = (u32)config->queues * QUEUE_SIZE;
	disk->req = calloc(disk->count, sizeof(*disk->req));
	if (!disk->req)
		goto fail;
	disk->node = config->node;
	disk->write_through = config->write_through;
	memcpy(disk->serial, config->serial, sizeof(disk->serial));
	mhi_blkq_init(&disk->queue, config->node, config->workers);
	disk->dev.ops = &vblk_ops;
	disk->dev.model = disk;
	disk->dev.env = *env;
	describe(disk, config->queues);
	for (u32 q = 0; q < config->queues; q++)
		sizes[q] = QUEUE_SIZE;
	if (mhi_vdev_init(&disk->dev, sizes, config->queues))
		goto fail;
	*out = &disk->dev;
	return 0;

fail:
	free(disk->req);
	free(disk);
	return MH_ENOMEM;
}

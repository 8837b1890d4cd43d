/* SPDX-License-Identifier: MIT */
/* virtio-blk. virtio 1.2, 5.2 "Block Device". */
#include "virtio/vblk.h"

#include <stdlib.h>
#include <x86intrin.h>

#include "base/checked.h"
#include "core/le.h"
#include "core/mul.h"

#define DEVICE_ID 2
#define CLASS_STORAGE 0x018000
#define QUEUE_SIZE 256
#define SEGMENTS 254 /* a request has a header and a status besides */
#define SEGMENT_BYTES (4u << 20)
/* Chains taken in one turn, and of those the ones that take time. */
#define BATCH 128
#define BATCH_SLOW 32

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

/* A request that a worker has, from its chain to its completion. */
struct vblk_req {
	struct mhi_blk_req req;
	u16 q;
	u64 began;  /* TSC, when it was taken */
	u32 filled; /* bytes of data for the driver, when all is well */
	u8 *status; /* in guest memory, which stays while the chain is in flight */
	struct mhi_chain chain;
};

struct vblk {
	struct mhi_vdev dev;
	struct mhi_blk *node; /* (c) */
	/* (m) writes are stable when they complete: now; (c) at reset */
	bool stable, write_through;
	char serial[MHI_VBLK_SERIAL];			/* (c) */
	u32 free;					/* (m) bit n: request[n] is */
	struct vblk_req request[MHI_VBLK_WORKERS_MOST]; /* one for each worker that may be here */
};

/* ---- completion; the lock is held ---- */

static u8 status_of(int result)
{
	if (!result)
		return S_OK;
	return result == MH_ENOTSUP ? S_UNSUPP : S_IOERR;
}

static void finish(struct vblk *disk, struct vblk_req *r, u8 status)
{
	*r->status = status;
	mhi_vdev_count_time(&disk->dev, r->began);
	mhi_vdev_count(&disk->dev, status == S_OK ? r->filled : 0,
		       status == S_OK && r->req.op == MHI_BLK_WRITE ? r->req.bytes : 0);
	disk->dev.counts.errors += status != S_OK;
	mhi_vdev_push(&disk->dev, r->q, r->chain.id, (status == S_OK ? r->filled : 0) + 1);
	disk->free |= 1u << (r - disk->request);
}

static const enum mh_dev_operation operation[] = {
	[MHI_BLK_READ] = MH_DEV_READ,
	[MHI_BLK_WRITE] = MH_DEV_WRITE,
	[MHI_BLK_FLUSH] = MH_DEV_FLUSH,
	[MHI_BLK_DISCARD] = MH_DEV_DISCARD,
	[MHI_BLK_WRITE_ZEROES] = MH_DEV_WRITE_ZEROES,
};

/* What it takes longer to do, this worker does without the lock. True: it took longer. */
static bool execute(struct vblk *disk, struct vblk_req *r)
{
	struct mhi_vdev *dev = &disk->dev;
	int rc = mhi_blk_try(disk->node, &r->req);
	bool slow = rc == MHI_BLK_WAIT;

	if (slow) {
		if (disk->stable)
			r->req.flags |= MHI_BLK_FUA;
		mhi_vdev_step_out(dev, r->q);
		rc = mhi_blk_execute(disk->node, &r->req);
		if (rc && rc != MH_ENOTSUP)
			mhi_vdev_failed(&dev->env, operation[r->req.op], rc);
		mhi_vdev_enter(dev);
	}
	finish(disk, r, status_of(rc));
	if (slow)
		mhi_vdev_release(dev);
	return slow;
}

/* ---- requests; the lock is held; true: it took longer ---- */

static bool answer(struct vblk *disk, struct vblk_req *r, u8 status)
{
	finish(disk, r, status);
	return false;
}

/* The data of a write are behind the header. */
static void skip_header(struct mhi_chain *chain, struct mhi_blk_req *req)
{
	struct iovec *iov = chain->iov;
	size_t skip = HEADER_BYTES;

	for (; skip && skip >= iov->iov_len; iov++)
		skip -= iov->iov_len;
	if (skip) {
		iov->iov_base = (u8 *)iov->iov_base + skip;
		iov->iov_len -= skip;
	}
	req->bytes = chain->out_bytes - HEADER_BYTES;
	req->iov = iov;
	req->iov_count = chain->outs - (u32)(iov - chain->iov);
}

/* Those of a read are before the status. */
static void cut_status(struct mhi_chain *chain, struct mhi_blk_req *req)
{
	req->bytes = chain->in_bytes - 1;
	req->iov = mhi_chain_in(chain);
	req->iov_count = chain->ins;
	if (!--chain->iov[chain->outs + chain->ins - 1].iov_len)
		req->iov_count--;
}

/* Reads and writes: what lies outside of the disk, or is no whole sector, is refused later. */
static bool transfer(struct vblk *disk, struct vblk_req *r, bool write, u64 sector)
{
	r->req.op = write ? MHI_BLK_WRITE : MHI_BLK_READ;
	if (write) {
		skip_header(&r->chain, &r->req);
	} else {
		cut_status(&r->chain, &r->req);
		r->filled = (u32)r->req.bytes;
	}
	if (r->req.bytes > 0x7fffffff || !mhi_mul_u64(sector, MHI_BLK_SECTOR, &r->req.offset))
		return answer(disk, r, S_IOERR);
	return execute(disk, r);
}

static bool get_id(struct vblk *disk, struct vblk_req *r)
{
	size_t room = r->chain.in_bytes - 1;

	if (room > MHI_VBLK_SERIAL)
		room = MHI_VBLK_SERIAL;
	r->filled = (u32)mhi_chain_write(&r->chain, 0, disk->serial, room);
	return answer(disk, r, S_OK);
}

/* Discard and write zeroes: one range, as the configuration says. */
static bool range(struct vblk *disk, struct vblk_req *r, bool zeroes)
{
	u8 entry[SEGMENT_ENTRY];
	u32 sectors, flags;

	if (r->chain.out_bytes != HEADER_BYTES + SEGMENT_ENTRY ||
	    mhi_chain_read(&r->chain, HEADER_BYTES, entry, sizeof(entry)) != sizeof(entry))
		return answer(disk, r, S_IOERR);
	sectors = mhi_get_le32(entry + 8);
	flags = mhi_get_le32(entry + 12);
	if (flags & ~(zeroes ? ZEROES_F_UNMAP : 0))
		return answer(disk, r, S_UNSUPP);
	r->req.op = zeroes ? MHI_BLK_WRITE_ZEROES : MHI_BLK_DISCARD;
	r->req.flags = flags & ZEROES_F_UNMAP ? MHI_BLK_UNMAP : 0;
	r->req.bytes = (u64)sectors * MHI_BLK_SECTOR;
	if (sectors > RANGE_SECTORS_MAX ||
	    !mhi_mul_u64(mhi_get_le64(entry), MHI_BLK_SECTOR, &r->req.offset))
		return answer(disk, r, S_IOERR);
	return execute(disk, r);
}

static bool dispatch(struct vblk *disk, struct vblk_req *r, u32 type, u64 sector)
{
	switch (type) {
	case T_IN:
		return transfer(disk, r, false, sector);
	case T_OUT:
		return transfer(disk, r, true, sector);
	case T_FLUSH:
		r->req.op = MHI_BLK_FLUSH;
		return execute(disk, r);
	case T_GET_ID:
		return get_id(disk, r);
	case T_DISCARD:
	case T_WRITE_ZEROES:
		if (disk->dev.offered & (type == T_DISCARD ? F_DISCARD : F_WRITE_ZEROES))
			return range(disk, r, type == T_WRITE_ZEROES);
		return answer(disk, r, S_UNSUPP);
	default:
		return answer(disk, r, S_UNSUPP);
	}
}

/* The last byte of the in part: the status. */
static u8 *status_byte(const struct mhi_chain *chain)
{
	const struct iovec *last = &chain->iov[chain->outs + chain->ins - 1];

	return (u8 *)last->iov_base + last->iov_len - 1;
}

static bool serve(struct vblk *disk, struct vblk_req *r)
{
	u8 header[HEADER_BYTES];

	memset(&r->req, 0, sizeof(r->req));
	r->began = __rdtsc();
	r->filled = 0;
	r->status = status_byte(&r->chain);
	if (mhi_chain_read(&r->chain, 0, header, sizeof(header)) != sizeof(header)) {
		mhi_vdev_complain(&disk->dev, "a request without a whole header");
		return answer(disk, r, S_IOERR);
	}
	return dispatch(disk, r, mhi_get_le32(header), mhi_get_le64(header + 8));
}

static void vblk_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct vblk *disk = dev->model;
	unsigned int slow = 0;

	for (unsigned int n = 0; n < BATCH && slow < BATCH_SLOW; n++) {
		u32 free = (u32)__builtin_ctz(disk->free);
		struct vblk_req *r = &disk->request[free];

		if (!mhi_vdev_pop(dev, q, &r->chain))
			return;
		if (!r->chain.in_bytes) {
			mhi_vdev_complain(dev, "a request without room for its status");
			mhi_vdev_push(dev, q, r->chain.id, 0);
			continue;
		}
		disk->free &= ~(1u << free);
		r->q = (u16)q;
		slow += serve(disk, r);
	}
	mhi_vdev_again(dev, q);
}

/* ---- configuration ---- */

/* Without FLUSH the driver cannot make anything stable: each write is. */
static void set_write_through(struct vblk *disk)
{
	struct mhi_vdev *dev = &disk->dev;

	if (mhi_vdev_has(dev, F_CONFIG_WCE))
		disk->stable = !(dev->config[C_WRITEBACK] & 1);
	else
		disk->stable = disk->write_through || !mhi_vdev_has(dev, F_FLUSH);
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
	disk->free = (1u << MHI_VBLK_WORKERS_MOST) - 1;
	disk->node = config->node;
	disk->write_through = config->write_through;
	memcpy(disk->serial, config->serial, sizeof(disk->serial));
	disk->dev.ops = &vblk_ops;
	disk->dev.model = disk;
	disk->dev.env = *env;
	disk->dev.workers = config->workers;
	disk->dev.most = MHI_VBLK_WORKERS_MOST;
	describe(disk, config->queues);
	for (u32 q = 0; q < config->queues; q++)
		sizes[q] = QUEUE_SIZE;
	if (mhi_vdev_init(&disk->dev, sizes, config->queues)) {
		free(disk);
		return MH_ENOMEM;
	}
	*out = &disk->dev;
	return 0;
}

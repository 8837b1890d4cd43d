// SPDX-License-Identifier: MIT
/* Fuzzes virtio-blk over a disk in memory: see vfuzz.h. */
#include "core/le.h"
#include "fake_blk.h"
#include "fake_pool.h"
#include "vfuzz.h"
#include "virtio/vblk.h"

#define DISK_BYTES 0x8000u
#define HEADER 16u
#define RANGE 16u

static struct fake_blk *disk;

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	struct mhi_vblk_config config = { .queues = choice & 2 ? 3 : 1,
					  .serial = "a serial number",
					  .write_through = choice & 4 };
	struct mhi_vdev *dev;

	disk = fake_blk_new(DISK_BYTES, DISK_BYTES);
	disk->blk.read_only = choice & 8;
	disk->fail_writes_after = choice & 16 ? 3 : -1;
	config.node = &disk->blk;
	if (mhi_workers_create(1, "fuzz", &config.workers, NULL) ||
	    mhi_vblk_create(env, &config, &dev))
		fuzz_die("cannot prepare", "device");
	return dev;
}

static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	static const u32 types[] = { 0, 1, 0, 1, 4, 8, 11, 13 };
	u8 how = (u8)fuzz_take(in, 1);
	u32 type = how & 0x80 ? how : types[how & 7];
	u32 bytes = (how >> 3 & 1) * MHI_BLK_SECTOR + (how & 0x10 ? (u32)fuzz_take(in, 1) : 0);

	mhi_put_le32(out, type);
	mhi_put_le32(out + 4, 0);
	mhi_put_le64(out + 8, how & 0x20 ? fuzz_take(in, 8) : fuzz_take(in, 1));
	*in_bytes = type == 1 ? 1 : bytes + 1;
	if (type == 1)
		fuzz_fill(in, out + HEADER, bytes);
	else if (type == 11 || type == 13)
		fuzz_fill(in, out + HEADER, bytes = RANGE);
	else
		bytes = 0;
	return HEADER + bytes;
}

static void complete(struct mhi_vdev *dev)
{
	fake_pool_run();
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	fake_pool_run();
}

static void end(void)
{
	fake_blk_free(disk);
}

static const struct vfuzz_model model = {
	.create = create,
	.request = request,
	.host = host,
	.drain = complete,
	.end = end,
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}

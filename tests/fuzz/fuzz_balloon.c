// SPDX-License-Identifier: MIT
/* Fuzzes virtio-balloon: see vfuzz.h. */
#include "core/le.h"
#include "vfuzz.h"
#include "virtio/balloon.h"

#define STATS 2u
#define LIST_MOST 64

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	struct mhi_vdev *dev;

	if (mhi_balloon_create(env, choice, &dev))
		fuzz_die("cannot prepare", "device");
	return dev;
}

/* Pages that are there, and others; statistics; free pages. */
static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	u32 count = (u32)fuzz_take(in, 1) % LIST_MOST;

	if (q > STATS) {
		*in_bytes = count << 6;
		return 0;
	}
	for (u32 i = 0; i < count; i++) {
		u8 how = (u8)fuzz_take(in, 1);

		if (q == STATS) {
			mhi_put_le16(out + 10 * i, how & 15);
			mhi_put_le64(out + 10 * i + 2, how);
		} else {
			mhi_put_le32(out + 4 * i, how & 0x80 ? 0u - how : how & 31);
		}
	}
	return count * (q == STATS ? 10 : 4) - (count && count % 8 == 7);
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	struct mhi_balloon_stats stats;
	u8 how = (u8)fuzz_take(in, 1);

	if (how & 1)
		mhi_balloon_set(dev, how);
	else
		mhi_balloon_stats(dev, &stats);
}

static const struct vfuzz_model model = { .create = create, .request = request, .host = host };

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}

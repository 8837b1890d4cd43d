// SPDX-License-Identifier: MIT
/* Fuzzes virtio-rng: see vfuzz.h. */
#include "vfuzz.h"
#include "virtio/rng.h"

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	struct mhi_vdev *dev;

	if (mhi_rng_create(env, &dev))
		fuzz_die("cannot prepare", "device");
	return dev;
}

static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	*in_bytes = (u32)fuzz_take(in, 2);
	return 0;
}

static const struct vfuzz_model model = { .create = create, .request = request };

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}

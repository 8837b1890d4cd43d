// SPDX-License-Identifier: MIT
/* Fuzzes virtio-input: see vfuzz.h. */
#include "core/keys.h"
#include "core/le.h"
#include "vfuzz.h"
#include "virtio/input.h"

#define STATUS 1u

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	struct mhi_vdev *dev;

	if (mhi_input_create(env, choice & 3, &dev))
		fuzz_die("cannot prepare", "device");
	return dev;
}

/* Room for an event, or what the driver has for the lights. */
static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	u8 how = (u8)fuzz_take(in, 1);

	if (q != STATUS) {
		*in_bytes = how & 0x80 ? how & 15 : 8;
		return 0;
	}
	mhi_put_le16(out, how & 0x40 ? 0x11 : how);
	mhi_put_le16(out + 2, (u16)(how & 31));
	mhi_put_le32(out + 4, how & 0x20);
	return how & 0x80 ? how & 15 : 8;
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	u8 how = (u8)fuzz_take(in, 1), more = (u8)fuzz_take(in, 1);

	/* Many of them at once, so that the queue is full at times. */
	for (unsigned int n = 0; n < 1u + (more & 0x3f); n++) {
		switch (how & 7) {
		case 0:
			mhi_input_position(dev, n, more);
			break;
		case 1:
			mhi_input_motion(dev, (s32)n, -(s32)more);
			break;
		case 2:
			mhi_input_wheel(dev, (s8)more, (s32)n);
			break;
		case 3:
		case 4:
			mhi_input_touch(dev, (how >> 3) + n % 3, how & 1, n, more);
			break;
		case 5:
			mhi_input_leds(dev);
			break;
		default:
			mhi_input_key(dev, (how >> 3) * 8u + n + (more >> 7) * 0x110, how & 1);
		}
	}
}

static const struct vfuzz_model model = { .create = create, .request = request, .host = host };

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}

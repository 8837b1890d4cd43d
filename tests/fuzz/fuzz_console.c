// SPDX-License-Identifier: MIT
/* Fuzzes virtio-console, with and without ports: see vfuzz.h. */
#include "core/le.h"
#include "vfuzz.h"
#include "virtio/console.h"

#define CONTROL_TX 3u

static u64 said;

static void output(void *opaque, const void *data, size_t bytes)
{
	for (const u8 *p = data; bytes; bytes--)
		said += *p++;
}

static void opened(void *opaque, bool open)
{
	said += open;
}

static void room(void *opaque)
{
	said++;
}

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	const struct mhi_console_port port[] = {
		{ .output = output },
		{ .name = "fuzz.0", .output = output },
		{ .name = "fuzz.1", .opened = opened, .room = room }
	};
	struct mhi_vdev *dev;

	if (mhi_console_create(env, port, choice & 2 ? MHI_COUNT(port) : 1, &dev))
		fuzz_die("cannot prepare", "device");
	return dev;
}

static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	u8 how = (u8)fuzz_take(in, 1);

	if (!(q & 1)) {
		*in_bytes = how;
		return 0;
	}
	if (q != CONTROL_TX) {
		fuzz_fill(in, out, how);
		return how;
	}
	mhi_put_le32(out, how >> 4 & 3);
	mhi_put_le16(out + 4, how & 15);
	mhi_put_le16(out + 6, how >> 6 & 1);
	return how & 0x80 ? 8 : (u32)fuzz_take(in, 1) & 15;
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	static const u8 typed[4000];
	u8 how = (u8)fuzz_take(in, 1);
	unsigned int port = (how & 15) % mhi_console_ports(dev);

	if (how & 0x80)
		mhi_console_resize(dev, port, how, 25);
	else
		mhi_console_input(dev, port, typed, how & 0x40 ? sizeof(typed) : how);
}

static const struct vfuzz_model model = { .create = create, .request = request, .host = host };

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}

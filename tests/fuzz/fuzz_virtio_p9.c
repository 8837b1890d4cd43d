// SPDX-License-Identifier: MIT
/*
 * Fuzzes virtio-9p (see vfuzz.h) over a folder that it may only read; what the protocol's messages
 * do is fuzz_p9's.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/le.h"
#include "fake_pool.h"
#include "vfuzz.h"
#include "virtio/p9_dev.h"
#include "virtio/p9_proto.h"

static char folder[] = "/tmp/fuzz-virtio-p9-XXXXXX";
static int dir = -1;

static void leave(void)
{
	unlinkat(dir, "file", 0);
	close(dir);
	rmdir(folder);
}

static void prepare(void)
{
	int fd;

	if (dir >= 0)
		return;
	if (mkdtemp(folder))
		dir = open(folder, O_RDONLY | O_DIRECTORY);
	fd = openat(dir, "file", O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || write(fd, folder, sizeof(folder)) < 0)
		fuzz_die("cannot prepare", folder);
	close(fd);
	atexit(leave);
}

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	struct mhi_p9_config config = { .tree.path = folder, .tree.readonly = true };
	struct mhi_vdev *dev;
	struct mhi_err err;

	prepare();
	if (mhi_p9_dev_create(env, &config, "tag", &dev, &err))
		fuzz_die("cannot prepare", err.text);
	return dev;
}

static u32 head(u8 *out, u8 type, u32 bytes)
{
	mhi_put_le32(out, bytes);
	out[4] = type;
	mhi_put_le16(out + 5, 1);
	return bytes;
}

static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	static const u8 version[] = { 0, 0x20, 0, 0, 8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L' };
	static const u8 attach[] = { 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const u8 walk[] = { 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 4, 0, 'f', 'i', 'l', 'e' };
	static const u8 lopen[] = { 1, 0, 0, 0, 0, 0, 0, 0 };
	static const u8 read[] = { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0 };
	static const struct {
		u8 type;
		const u8 *body;
		u8 bytes;
	} good[] = { { P9_TVERSION, version, sizeof(version) },
		     { P9_TATTACH, attach, sizeof(attach) },
		     { P9_TWALK, walk, sizeof(walk) },
		     { P9_TLOPEN, lopen, sizeof(lopen) },
		     { P9_TREAD, read, sizeof(read) } };
	u8 how = (u8)fuzz_take(in, 1);
	u32 bytes = how >> 3 & 15;

	*in_bytes = how & 0x80 ? 0x400 : (u32)fuzz_take(in, 1);
	if ((how & 7) < MHI_COUNT(good)) {
		memcpy(out + P9_HEADER, good[how & 7].body, good[how & 7].bytes);
		return head(out, good[how & 7].type, P9_HEADER + good[how & 7].bytes);
	}
	fuzz_fill(in, out + P9_HEADER, 4 * bytes);
	return head(out, (u8)fuzz_take(in, 1), P9_HEADER + 4 * bytes);
}

static void drain(struct mhi_vdev *dev)
{
	fake_pool_run();
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	fake_pool_run();
}

static const struct vfuzz_model model = {
	.create = create,
	.request = request,
	.host = host,
	.drain = drain,
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}

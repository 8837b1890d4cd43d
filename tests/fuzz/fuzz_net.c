// SPDX-License-Identifier: MIT
/*
 * Fuzzes virtio-net over a back end with and without offloads: see vfuzz.h. Frames that reach the
 * back end must be such as their headers say.
 */
#include "core/le.h"
#include "fake_net.h"
#include "vfuzz.h"
#include "virtio/net_frame.h"
#include "virtio/vnet.h"

#define PAIRS 3u

static struct fake_net *net;

/* Looks at what was sent, and forgets it. */
static void check_sent(void)
{
	for (u32 n = 0; n < net->sents; n++) {
		struct mhi_net_todo todo = mhi_net_todo_get(net->sent[n].hdr);

		if (!mhi_net_todo_sane(&todo, net->sent[n].bytes) ||
		    (mhi_net_todo_needs(&todo) & ~net->net.takes))
			fuzz_die("a frame for the back end", "is not as its header says");
	}
	fake_net_clear(net);
}

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	struct mhi_vnet_config config = { .mac = { 2, 0, 0, 0, 0, 1 } };
	struct mhi_vdev *dev;

	net = fake_net_new(choice & 4	? MHI_NET_OFFLOADS
			   : choice & 8 ? MHI_NET_CSUM
					: 0,
			   choice & 16 ? MHI_NET_OFFLOADS : 0, choice & 2 ? PAIRS : 1);
	net->room = 4;
	config.net = &net->net;
	if (mhi_vnet_create(env, &config, &dev))
		fuzz_die("cannot prepare", "device");
	return dev;
}

/* A frame: nearly TCP over IPv4, with a header that asks for something. */
static u32 frame(struct fuzz_input *in, u8 *out)
{
	u8 how = (u8)fuzz_take(in, 1);
	u32 bytes = MHI_NET_HDR + 54 + (how >> 4) * 20u;

	memset(out, 0, bytes);
	out[MHI_NET_FLAGS] = how & 1;
	out[MHI_NET_GSO] = how & 2 ? (how & 4 ? MHI_NET_GSO_TCP6 : MHI_NET_GSO_TCP4) : 0;
	mhi_put_le16(out + MHI_NET_GSO_SIZE, (u16)fuzz_take(in, 1));
	mhi_put_le16(out + MHI_NET_CSUM_START, how & 8 ? (u16)fuzz_take(in, 2) : 34);
	mhi_put_le16(out + MHI_NET_CSUM_OFFSET, how & 8 ? (u16)fuzz_take(in, 1) : 16);
	out[MHI_NET_HDR + 12] = 0x08;
	out[MHI_NET_HDR + 14] = 0x45;
	out[MHI_NET_HDR + 46] = 0x50;
	return bytes;
}

static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	u8 how = (u8)fuzz_take(in, 1);

	check_sent();
	if (q & 1)
		return frame(in, out);
	if (q != 2 * net->net.queues && !(how & 1)) {
		*in_bytes = how * 8u;
		return 0;
	}
	/* A command with its data. */
	*in_bytes = 1;
	out[0] = how >> 1 & 7;
	out[1] = how >> 4 & 7;
	fuzz_fill(in, out + 2, 20);
	if (out[0] == 1)
		memset(out + 3, 0, 3);
	return 2 + (how & 0x80 ? 20 : (u32)fuzz_take(in, 1) % 20);
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	static u8 data[70000];
	u8 how = (u8)fuzz_take(in, 1), hdr[MHI_NET_HDR] = { 0 };
	u32 queue = (how & 3) % net->net.queues;

	check_sent();
	if (how & 4) {
		net->room = how >> 3;
		net->net.user->writable(net->net.opaque, queue);
		return;
	}
	if (net->ins[queue] - net->taken[queue] > 20)
		return;
	fuzz_fill(in, data, 18);
	hdr[MHI_NET_FLAGS] = how >> 3 & 1;
	hdr[MHI_NET_GSO] = how >> 4 & 1;
	fake_net_lay(net, queue, hdr, data, how & 0x80 ? fuzz_take(in, 2) + 1 : (how & 0x7f) + 1u);
}

static void end(void)
{
	fake_net_free(net);
}

static const struct vfuzz_model model = {
	.create = create, .request = request, .host = host, .end = end
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}

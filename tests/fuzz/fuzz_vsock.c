// SPDX-License-Identifier: MIT
/*
 * Fuzzes virtio-vsock: see vfuzz.h. The host's ends of the guest's connections do something
 * meanwhile, too. What the device keeps has its bounds.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "core/le.h"
#include "vfuzz.h"
#include "virtio/vsock_priv.h"

#define CID 3
#define HOSTS 8u
#define CONNECTIONS 6u

static int hosts[HOSTS]; /* the host's ends, the last one at newest */
static unsigned int newest;
static u8 buffer[1 << 17];

static void put_host(int fd)
{
	newest = (newest + 1) % HOSTS;
	if (hosts[newest] >= 0)
		close(hosts[newest]);
	hosts[newest] = fd;
}

static int on_accept(void *opaque, u32 port, u32 type)
{
	int pair[2];

	if (port > 4 || socketpair(AF_UNIX, type == 2 ? SOCK_SEQPACKET : SOCK_STREAM, 0, pair))
		return -1;
	put_host(pair[1]);
	return pair[0];
}

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	const struct mhi_vsock_config config = { .cid = CID,
						 .connections = CONNECTIONS,
						 .accept = on_accept };
	struct mhi_vdev *dev;

	for (unsigned int i = 0; i < HOSTS; i++)
		hosts[i] = -1;
	if (mhi_vsock_create(env, &config, &dev, NULL))
		fuzz_die("cannot prepare", "device");
	return dev;
}

/* Mostly what a driver may send. */
static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	u8 what = (u8)fuzz_take(in, 1), kind, ports;
	u32 len;

	*in_bytes = q == VSOCK_TX ? 0 : what << 3;
	if (q != VSOCK_TX)
		return 0;
	kind = (u8)fuzz_take(in, 1);
	ports = (u8)fuzz_take(in, 1);
	len = kind & 1 ? (u32)fuzz_take(in, 1) : 0;
	memset(out, 0, VSOCK_HEADER);
	mhi_put_le64(out, CID + (kind >= 0xf0));
	mhi_put_le64(out + 8, VSOCK_HOST_CID);
	mhi_put_le32(out + 16, ports & 3);
	mhi_put_le32(out + 20, ports & 8 ? VSOCK_FIRST_PORT + (ports >> 4) : ports >> 4 & 7);
	mhi_put_le32(out + 24, len);
	mhi_put_le16(out + 28, (u16)(1 + (kind >> 1 & 1)));
	mhi_put_le16(out + 30, what & 7);
	mhi_put_le32(out + 32, kind >> 2 & 3);
	mhi_put_le32(out + 36, kind & 16 ? (u32)fuzz_take(in, 3) : 1u << 16);
	mhi_put_le32(out + 40, kind & 32 ? (u32)fuzz_take(in, 2) : 0);
	fuzz_fill(in, out + VSOCK_HEADER, len);
	return VSOCK_HEADER + len;
}

static void use_host(unsigned int n, u8 how, u32 bytes)
{
	switch (how) {
	case 0:
		while (recv(hosts[n], buffer, bytes + 1, MSG_DONTWAIT) > 0)
			;
		break;
	case 1:
		send(hosts[n], buffer, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 2:
		shutdown(hosts[n], bytes & 1 ? SHUT_WR : SHUT_RD);
		break;
	default:
		close(hosts[n]);
		hosts[n] = -1;
	}
}

static void judge(const struct vsock *v)
{
	u32 count = 0;

	for (const struct vsock_link *at = v->all.next; at != &v->all; at = at->next) {
		const struct vsock_conn *c = VSOCK_CONN(at, all);

		if (c->count > VSOCK_SEQ_RING || c->rx_cnt - c->fwd_cnt > VSOCK_WINDOW)
			fuzz_die("a connection", "keeps more than it may");
		count++;
	}
	if (count > CONNECTIONS || v->rsts > VSOCK_RSTS)
		fuzz_die("the device", "keeps more than it may");
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	u8 how = (u8)fuzz_take(in, 1);
	unsigned int n = (newest + (how >> 5)) % HOSTS;
	int fd;

	if ((how & 7) == 7) {
		mhi_vsock_cut(dev, how & 8 ? CID : 0);
	} else if ((how & 7) == 6) {
		fd = mhi_vsock_connect(dev, how >> 6, 1 + (how >> 5 & 1), NULL);
		if (fd >= 0)
			put_host(fd);
	} else if (hosts[n] >= 0) {
		use_host(n, how & 3, (u32)fuzz_take(in, 2));
	}
	judge(dev->model);
}

static void end(void)
{
	for (unsigned int i = 0; i < HOSTS; i++)
		put_host(-1);
}

static const struct vfuzz_model model = {
	.create = create,
	.request = request,
	.host = host,
	.end = end,
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}

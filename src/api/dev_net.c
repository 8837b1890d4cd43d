/* SPDX-License-Identifier: MIT */
/* Attaching network cards: the public configuration of virtio-net and its back ends. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "api/dev.h"
#include "macrohard/net.h"
#include "virtio/be_embed.h"
#include "virtio/be_net.h"
#include "virtio/vnet.h"

#define NET_FLAGS (MH_NET_RESTRICT | MH_NET_NO_LOOPBACK)
#define MTU_DEFAULT 1500
#define FORWARDS_MAX 256

static int invalid(struct mh_dev *dev, const char *what)
{
	return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EINVAL, "%s", what);
}

static int check(struct mh_dev *dev, const struct mh_net_config *c)
{
	int rc = mhi_dev_check_flags(dev, c->flags, NET_FLAGS);

	if (rc)
		return rc;
	if (c->kind > MH_NET_OPS)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EINVAL,
				   "config.kind is %u; use one of MH_NET_USER, _TAP, _FD, _OPS",
				   c->kind);
	if (c->kind == MH_NET_TAP && !c->name)
		return invalid(dev, "config.name is NULL; a TAP interface needs it");
	if (c->kind == MH_NET_FD && !c->fd)
		return invalid(dev, "config.fd is NULL; pass the descriptors");
	if (c->kind == MH_NET_OPS && (!c->ops || c->ops->version != 1 || !c->ops->send))
		return invalid(
			dev,
			"config.ops is NULL, has no send, or its version is not 1; correct it");
	if (c->queues > MH_NET_QUEUES_MAX ||
	    (c->queues > 1 && (c->kind == MH_NET_USER || c->kind == MH_NET_OPS)))
		return invalid(dev, "config.queues is more than 16, or more than the 1 of a user "
				    "network and of MH_NET_OPS; take fewer");
	if (c->mtu && (c->mtu < MHI_NET_MTU_MIN || c->mtu > MHI_NET_MTU_MAX))
		return invalid(dev, "config.mtu is not 68 to 65535; choose a number from there");
	if (c->mac[0] & 1)
		return invalid(dev, "config.mac is the address of a group: its first byte is odd; "
				    "make it even");
	if (c->kind != MH_NET_USER && (c->forwards || (c->flags & NET_FLAGS)))
		return invalid(dev, "only a user network (MH_NET_USER) has port forwards and "
				    "MH_NET_* flags; leave them out");
	if (c->forwards > FORWARDS_MAX || (c->forwards && !c->forward))
		return invalid(
			dev,
			"config.forwards is more than 256, or config.forward is NULL; correct it");
	return 0;
}

/* ---- back ends ---- */

static bool address(const char *text, struct in_addr *out)
{
	out->s_addr = 0;
	return !text || inet_pton(AF_INET, text, out) == 1;
}

static int copy_forwards(struct mh_dev *dev, const struct mh_net_config *c,
			 struct mhi_net_forward *to)
{
	for (u32 n = 0; n < c->forwards; n++) {
		const struct mh_net_forward *from = &c->forward[n];

		if (from->udp > 1 || !from->host_port || !from->guest_port ||
		    !address(from->host, &to[n].host) || !address(from->guest, &to[n].guest))
			return mhi_err_set(
				mhi_ctx_err(dev->vm->ctx), MH_EINVAL,
				"config.forward[%u] has no port, or an address that is "
				"not IPv4's; write ports from 1 on, and addresses in numbers",
				n);
		to[n].udp = from->udp;
		to[n].host_port = from->host_port;
		to[n].guest_port = from->guest_port;
	}
	return 0;
}

static int open_user(struct mh_dev *dev, const struct mh_net_config *c, struct mhi_net **net)
{
	struct mhi_net_forward *forward = calloc(c->forwards + 1, sizeof(*forward));
	struct mhi_user_net_config user = {
		.mtu = c->mtu ? c->mtu : MTU_DEFAULT,
		.restricted = c->flags & MH_NET_RESTRICT,
		.no_loopback = c->flags & MH_NET_NO_LOOPBACK,
		.forward = forward,
		.forwards = c->forwards,
	};
	int rc;

	if (!forward)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_ENOMEM, MHI_NO_MEMORY);
	rc = copy_forwards(dev, c, forward);
	if (!rc)
		rc = mhi_user_net_open(&dev->env, &user, net, mhi_ctx_err(dev->vm->ctx));
	free(forward);
	return rc;
}

static int open_socket(struct mh_dev *dev, const struct mh_net_config *c, struct mhi_net **net)
{
	if (c->queues > 1)
		return invalid(dev, "config.queues is more than the 1 of a socket; take one");
	return mhi_net_socket_open(&dev->env, c->fd[0], c->mtu ? c->mtu : MTU_DEFAULT, net,
				   mhi_ctx_err(dev->vm->ctx));
}

static int open_ops(struct mh_dev *dev, const struct mh_net_config *c, struct mhi_net **net)
{
	int rc = mhi_embed_net_create(&dev->env, c->ops, c->opaque, c->mtu ? c->mtu : MTU_DEFAULT,
				      net);

	if (rc)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc, MHI_NO_MEMORY);
	dev->frames = *net;
	dev->adopted = mhi_embed_net_adopted(*net);
	return 0;
}

static int open_back_end(struct mh_dev *dev, const struct mh_net_config *c, struct mhi_net **net)
{
	struct mhi_tap_config tap = { .queues = c->queues ? c->queues : 1, .mtu = c->mtu };
	struct stat st;

	if (c->kind == MH_NET_USER)
		return open_user(dev, c, net);
	if (c->kind == MH_NET_OPS)
		return open_ops(dev, c, net);
	if (c->kind == MH_NET_FD && !fstat(c->fd[0], &st) && S_ISSOCK(st.st_mode))
		return open_socket(dev, c, net);
	tap.name = c->kind == MH_NET_TAP ? c->name : NULL;
	tap.fd = c->fd;
	return mhi_tap_open(&dev->env, &tap, net, mhi_ctx_err(dev->vm->ctx));
}

static void close_back_end(void *opaque)
{
	struct mhi_net *net = opaque;

	net->ops->close(net);
}

/* ---- the device ---- */

static int choose_mac(struct mh_dev *dev, const struct mh_net_config *c, u8 *mac)
{
	static const u8 none[6];

	memcpy(mac, c->mac, sizeof(c->mac));
	if (memcmp(mac, none, sizeof(none)))
		return 0;
	if (getrandom(mac, sizeof(c->mac), 0) != (ssize_t)sizeof(c->mac))
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EIO,
				   "the kernel gives no random numbers; set config.mac");
	/* IEEE 802, 8.2: one station's, locally administered. */
	mac[0] = (u8)((mac[0] & 0xfc) | 2);
	return 0;
}

static int make(struct mh_dev *dev, const struct mh_net_config *c)
{
	struct mhi_vnet_config vnet = { .net = NULL };
	int rc = check(dev, c);

	/* A restricted one without forwards connects to nobody. */
	if (c->kind == MH_NET_USER && (!(c->flags & MH_NET_RESTRICT) || c->forwards))
		dev->reach = MH_SANDBOX_REACH_INET;
	if (!rc)
		rc = choose_mac(dev, c, vnet.mac);
	if (!rc)
		rc = open_back_end(dev, c, &vnet.net);
	if (rc)
		return rc;
	if (c->pcap)
		rc = mhi_pcap_open(&dev->env, c->pcap, vnet.net, &vnet.net,
				   mhi_ctx_err(dev->vm->ctx));
	if (!rc) {
		rc = mhi_vnet_create(&dev->env, &vnet, &dev->vdev);
		if (rc)
			mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc, MHI_NO_MEMORY);
	}
	if (rc)
		mhi_loop_call(dev->env.loop, close_back_end, vnet.net);
	return rc;
}

int mh_net_attach(struct mh_vm *vm, const struct mh_net_config *config, struct mh_dev **out)
{
	struct mh_dev *dev;
	int rc = mhi_dev_begin(vm, "network card", config, sizeof(*config), &dev);

	return rc ? rc : mhi_dev_end(dev, config->flags, make(dev, config), out);
}

static int check_frames(struct mh_dev *dev)
{
	if (!dev->frames)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EINVAL,
				   "frames of VM \"%s\": the device is no network card of kind "
				   "MH_NET_OPS; pass one",
				   dev->vm->name);
	return 0;
}

int mh_net_input(struct mh_dev *dev, const void *frame, size_t bytes)
{
	struct mhi_err *err;
	int rc;

	if (!dev || !frame)
		return MH_EINVAL;
	rc = check_frames(dev);
	if (rc)
		return rc;
	rc = mhi_embed_net_input(dev->frames, frame, bytes);
	if (!rc)
		return 0;
	err = mhi_ctx_err(dev->vm->ctx);
	if (rc == MH_EINVAL)
		return mhi_err_set(err, rc,
				   "frame for VM \"%s\": its length is %zu, not 14 to 65597 bytes; "
				   "pass whole Ethernet frames",
				   dev->vm->name, bytes);
	return mhi_err_set(
		err, rc, "frame for VM \"%s\": %s", dev->vm->name,
		rc == MH_ENOSPC
			? "too many wait for the guest; send it again when the guest has taken some"
			: MHI_NO_MEMORY);
}

int mh_net_ready(struct mh_dev *dev)
{
	int rc = dev ? check_frames(dev) : MH_EINVAL;

	if (!rc)
		mhi_embed_net_ready(dev->frames);
	return rc;
}

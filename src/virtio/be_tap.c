/* SPDX-License-Identifier: MIT */
/*
 * Frames through a TAP interface of the host, with the kernel's own offloads. Linux,
 * Documentation/networking/tuntap.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/be_net.h"

#define DEVICE "/dev/net/tun"

struct tap_queue {
	struct tap *tap;
	u32 index;
	int fd; /* (c) */
	/* (l): */
	struct mhi_watch *watch;
	unsigned int events;
};

struct tap {
	struct mhi_net net;
	struct mhi_vdev_env env; /* (c) */
	char name[IFNAMSIZ];	 /* (c) */
	bool headers;		 /* (c) it speaks virtio's headers */
	bool gone;		 /* (l) the interface was deleted */
	struct tap_queue queue[MHI_NET_QUEUES_MAX];
};

/* ---- frames ---- */

static void want(struct tap_queue *q, unsigned int events)
{
	q->events = q->tap->gone ? 0 : events;
	mhi_watch_events(q->watch, q->events);
}

static void on_event(void *opaque, unsigned int events)
{
	struct tap_queue *q = opaque;
	struct mhi_net *net = &q->tap->net;

	if (events & q->events & MHI_WATCH_WRITE) {
		want(q, q->events & ~MHI_WATCH_WRITE);
		net->user->writable(net->opaque, q->index);
	}
	if (events & q->events & MHI_WATCH_READ)
		net->user->readable(net->opaque, q->index);
	/* An error ends the watching; what is still wanted begins it again. */
	want(q, q->events);
}

static u32 tap_send(struct mhi_net *net, u32 queue, const struct mhi_net_frame *frame, u32 count)
{
	struct tap *t = (struct tap *)net;
	struct tap_queue *q = &t->queue[queue];
	u32 skip = t->headers ? 0 : 1;

	for (u32 n = 0; n < count && !t->gone; n++) {
		ssize_t bytes;

		do
			bytes = writev(q->fd, frame[n].iov + skip, (int)(frame[n].count - skip));
		while (bytes < 0 && errno == EINTR);
		/* Other errors are the frame's, or the interface is down: it is lost. */
		if (bytes < 0 && errno == EAGAIN) {
			want(q, q->events | MHI_WATCH_WRITE);
			return n;
		}
	}
	return count;
}

static size_t tap_receive(struct mhi_net *net, u32 queue, const struct iovec *iov, u32 count)
{
	struct tap *t = (struct tap *)net;
	struct tap_queue *q = &t->queue[queue];
	u32 skip = t->headers ? 0 : 1;

	while (!t->gone) {
		ssize_t bytes = readv(q->fd, iov + skip, (int)(count - skip));

		if (bytes > 0) {
			if (skip)
				memset(iov[0].iov_base, 0, MHI_NET_HDR);
			else
				bytes -= MHI_NET_HDR;
			return bytes > 0 ? (size_t)bytes : 0;
		}
		if (bytes < 0 && errno == EINTR)
			continue;
		if (!bytes || errno == EAGAIN)
			return 0;
		t->gone = true;
		want(q, 0);
		mhi_log(t->env.log, MH_LOG_WARN, "%s: network: TAP interface %s is gone: %s",
			t->env.owner, t->name, strerror(errno));
		mhi_vdev_failed(&t->env, MH_DEV_GONE, MH_EIO);
	}
	return 0;
}

static void tap_listen(struct mhi_net *net, u32 queue, bool on)
{
	struct tap_queue *q = &((struct tap *)net)->queue[queue];

	want(q, on ? q->events | MHI_WATCH_READ : q->events & ~MHI_WATCH_READ);
}

static void tap_offloads(struct mhi_net *net, u32 offloads)
{
	struct tap *t = (struct tap *)net;
	unsigned int flags = 0;

	if (!t->headers)
		return;
	if (offloads & MHI_NET_CSUM)
		flags |= TUN_F_CSUM;
	/* The others are nothing without it. */
	if (flags && (offloads & MHI_NET_TSO4))
		flags |= TUN_F_TSO4;
	if (flags && (offloads & MHI_NET_TSO6))
		flags |= TUN_F_TSO6;
	if ((flags & ~(unsigned int)TUN_F_CSUM) && (offloads & MHI_NET_ECN))
		flags |= TUN_F_TSO_ECN;
	ioctl(t->queue[0].fd, TUNSETOFFLOAD, flags);
}

static void tap_queues(struct mhi_net *net, u32 queues)
{
	struct tap *t = (struct tap *)net;

	for (u32 n = 1; n < net->queues; n++) {
		struct ifreq ifr = { .ifr_flags =
					     n < queues ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

		/* One that is as it should be is refused. */
		ioctl(t->queue[n].fd, TUNSETQUEUE, &ifr);
	}
}

static void tap_close(struct mhi_net *net)
{
	struct tap *t = (struct tap *)net;

	for (u32 n = 0; n < net->queues; n++) {
		mhi_loop_unwatch(t->queue[n].watch);
		if (t->queue[n].fd >= 0)
			close(t->queue[n].fd);
	}
	free(t);
}

static const struct mhi_net_ops tap_ops = {
	.kind = "tap",
	.send = tap_send,
	.receive = tap_receive,
	.listen = tap_listen,
	.offloads = tap_offloads,
	.queues = tap_queues,
	.close = tap_close,
};

/* ---- opening ---- */

static int refused(struct mhi_err *err, const char *name, int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return mhi_err_set(err, MH_EPERM,
				   "TAP interface %s: no permission; as root: ip tuntap add mode "
				   "tap user NAME name %s",
				   name, name);
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return mhi_err_set(
			err, MH_ENOENT,
			"TAP interface %s: " DEVICE " is not there; load it: modprobe tun", name);
	case EBUSY:
		return mhi_err_set(err, MH_EBUSY,
				   "TAP interface %s: somebody else uses it, or has all its "
				   "queues; stop that first, or choose another",
				   name);
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return mhi_err_set(err, MH_ENOMEM,
				   "TAP interface %s: %s; free memory or files, or raise the limit",
				   name, strerror(error));
	default:
		return mhi_err_set(err, MH_EINVAL,
				   "TAP interface %s: %s; for several queues it has to be made "
				   "with multi_queue",
				   name, strerror(error));
	}
}

/* A descriptor for a queue of the interface; the error, or 0. */
static int open_queue(const char *name, bool many, int *out)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), error;

	if (fd < 0)
		return errno;
	memcpy(ifr.ifr_name, name, strlen(name));
	if (many)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	if (!ioctl(fd, TUNSETIFF, &ifr)) {
		*out = fd;
		return 0;
	}
	error = errno;
	close(fd);
	/* It may have been made for several queues. */
	return error == EINVAL && !many ? open_queue(name, true, out) : error;
}

static int open_by_name(struct tap *t, const char *name, struct mhi_err *err)
{
	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return mhi_err_set(err, MH_EINVAL,
				   "'%s' is no name of an interface; write 1 to %d bytes", name,
				   IFNAMSIZ - 1);
	for (u32 n = 0; n < t->net.queues; n++) {
		int error = open_queue(name, t->net.queues > 1, &t->queue[n].fd);

		if (error)
			return refused(err, name, error);
	}
	return 0;
}

static int open_by_fd(struct tap *t, const int *fd, struct mhi_err *err)
{
	for (u32 n = 0; n < t->net.queues; n++) {
		struct ifreq ifr = { .ifr_flags = 0 };
		int flags;

		if (ioctl(fd[n], TUNGETIFF, &ifr) || !(ifr.ifr_flags & IFF_TAP) ||
		    !(ifr.ifr_flags & IFF_NO_PI))
			return mhi_err_set(err, MH_EINVAL,
					   "file descriptor %d is no TAP interface's; pass one of "
					   "a TAP interface (IFF_TAP, IFF_NO_PI), or a socket",
					   fd[n]);
		t->queue[n].fd = fcntl(fd[n], F_DUPFD_CLOEXEC, 0);
		if (t->queue[n].fd < 0)
			return refused(err, ifr.ifr_name, errno);
		flags = fcntl(fd[n], F_GETFL);
		fcntl(fd[n], F_SETFL, flags | O_NONBLOCK);
	}
	return 0;
}

static u32 mtu_of(const char *name)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	u32 mtu = 1500;

	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (fd >= 0 && !ioctl(fd, SIOCGIFMTU, &ifr) && ifr.ifr_mtu >= MHI_NET_MTU_MIN &&
	    ifr.ifr_mtu <= MHI_NET_MTU_MAX)
		mtu = (u32)ifr.ifr_mtu;
	if (fd >= 0)
		close(fd);
	return mtu;
}

/* What the open interface can do. */
static int examine(struct tap *t, u32 mtu, struct mhi_err *err)
{
	const int bytes = MHI_NET_HDR;
	struct ifreq ifr = { .ifr_flags = 0 };

	if (ioctl(t->queue[0].fd, TUNGETIFF, &ifr))
		return refused(err, "?", errno);
	memcpy(t->name, ifr.ifr_name, IFNAMSIZ);
	t->name[IFNAMSIZ - 1] = '\0';
	t->headers = ifr.ifr_flags & IFF_VNET_HDR;
	t->net.mtu = mtu ? mtu : mtu_of(t->name);
	for (u32 n = 0; t->headers && n < t->net.queues; n++)
		if (ioctl(t->queue[n].fd, TUNSETVNETHDRSZ, &bytes))
			return refused(err, t->name, errno);
	if (!t->headers)
		return 0;
	t->net.takes = MHI_NET_OFFLOADS;
	t->net.gives = MHI_NET_OFFLOADS;
	tap_offloads(&t->net, 0);
	return 0;
}

static void watch(void *opaque)
{
	struct tap *t = opaque;

	for (u32 n = 0; n < t->net.queues; n++)
		if (mhi_loop_watch(t->env.loop, t->queue[n].fd, 0, on_event, &t->queue[n],
				   &t->queue[n].watch))
			t->queue[n].watch = NULL;
	tap_queues(&t->net, 1);
}

static void close_on_loop(void *opaque)
{
	tap_close(opaque);
}

int mhi_tap_open(const struct mhi_vdev_env *env, const struct mhi_tap_config *config,
		 struct mhi_net **out, struct mhi_err *err)
{
	struct tap *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	t->net = (struct mhi_net){ .ops = &tap_ops, .queues = config->queues };
	t->env = *env;
	for (u32 n = 0; n < config->queues; n++)
		t->queue[n] = (struct tap_queue){ .tap = t, .index = n, .fd = -1 };
	rc = config->name ? open_by_name(t, config->name, err) : open_by_fd(t, config->fd, err);
	if (!rc)
		rc = examine(t, config->mtu, err);
	if (!rc)
		mhi_loop_call(env->loop, watch, t);
	for (u32 n = 0; !rc && n < config->queues; n++)
		if (!t->queue[n].watch)
			rc = mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	if (rc)
		mhi_loop_call(env->loop, close_on_loop, t);
	else
		*out = &t->net;
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Frames as messages of a socket: links between VMs, and to programs that speak Ethernet. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/be_net.h"

/* Frames in one system call. */
#define BATCH 16

struct link {
	struct mhi_net net;
	struct mhi_vdev_env env; /* (c) */
	int fd;			 /* (c) */
	bool seqpacket;		 /* (c) an empty message is the end */
	/* All (l): */
	struct mhi_watch *watch;
	unsigned int events;
	bool gone; /* the other end was closed */
};

static void on_event(void *opaque, unsigned int events);

static void want(struct link *l, unsigned int events)
{
	l->events = l->gone ? 0 : events;
	mhi_watch_events(l->watch, l->events);
}

static void lose(struct link *l, const char *why)
{
	if (l->gone)
		return;
	l->gone = true;
	want(l, 0);
	mhi_log(l->env.log, MH_LOG_WARN, "%s: network: the other end of the socket is gone: %s",
		l->env.owner, why);
	mhi_vdev_failed(&l->env, MH_DEV_GONE, MH_EIO);
}

static void on_event(void *opaque, unsigned int events)
{
	struct link *l = opaque;
	unsigned int wanted = l->events;

	if (events & wanted & MHI_WATCH_WRITE) {
		want(l, wanted & ~MHI_WATCH_WRITE);
		l->net.user->writable(l->net.opaque, 0);
	}
	if (events & l->events & MHI_WATCH_READ)
		l->net.user->readable(l->net.opaque, 0);
	/* An error ends the watching; what is still wanted begins it again. */
	want(l, l->events);
}

static u32 link_send(struct mhi_net *net, u32 queue, const struct mhi_net_frame *frame, u32 count)
{
	struct link *l = (struct link *)net;
	struct mmsghdr msg[BATCH];
	u32 done = 0;

	while (done < count && !l->gone) {
		u32 n = 0;
		int sent;

		for (; n < BATCH && done + n < count; n++)
			msg[n] = (struct mmsghdr){
				.msg_hdr.msg_iov =
					(struct iovec *)(uintptr_t)frame[done + n].iov + 1,
				.msg_hdr.msg_iovlen = frame[done + n].count - 1,
			};
		sent = sendmmsg(l->fd, msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0) {
			done += (u32)sent;
		} else if (errno == EAGAIN) {
			want(l, l->events | MHI_WATCH_WRITE);
			return done;
		} else if (errno == EPIPE || errno == ECONNREFUSED || errno == ENOTCONN ||
			   errno == ECONNRESET) {
			lose(l, strerror(errno));
		} else if (errno != EINTR) {
			/* Larger than the socket's buffer, or no memory: frames may be lost. */
			done++;
		}
	}
	return count;
}

static size_t link_receive(struct mhi_net *net, u32 queue, const struct iovec *iov, u32 count)
{
	struct link *l = (struct link *)net;
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov + 1,
			      .msg_iovlen = count - 1 };

	while (!l->gone) {
		ssize_t bytes = recvmsg(l->fd, &msg, MSG_DONTWAIT);

		if (bytes > 0) {
			memset(iov[0].iov_base, 0, MHI_NET_HDR);
			return (size_t)bytes;
		}
		/* Empty datagrams are no frames; who sends nothing else must not keep us here. */
		if (bytes ? errno == EAGAIN : !l->seqpacket)
			return 0;
		if (!bytes)
			lose(l, "it was closed");
		else if (errno != EINTR)
			lose(l, strerror(errno));
	}
	return 0;
}

static void link_listen(struct mhi_net *net, u32 queue, bool on)
{
	struct link *l = (struct link *)net;

	want(l, on ? l->events | MHI_WATCH_READ : l->events & ~MHI_WATCH_READ);
}

static void link_close(struct mhi_net *net)
{
	struct link *l = (struct link *)net;

	mhi_loop_unwatch(l->watch);
	close(l->fd);
	free(l);
}

static const struct mhi_net_ops link_ops = {
	.kind = "socket",
	.send = link_send,
	.receive = link_receive,
	.listen = link_listen,
	.close = link_close,
};

static void watch(void *opaque)
{
	struct link *l = opaque;

	if (mhi_loop_watch(l->env.loop, l->fd, 0, on_event, l, &l->watch))
		l->watch = NULL;
}

int mhi_net_socket_open(const struct mhi_vdev_env *env, int fd, u32 mtu, struct mhi_net **out,
			struct mhi_err *err)
{
	socklen_t bytes = sizeof(int);
	struct link *l;
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes))
		return mhi_err_set(err, MH_EINVAL, "file descriptor %d is no socket: %s; pass one",
				   fd, strerror(errno));
	if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return mhi_err_set(err, MH_EINVAL,
				   "socket %d does not keep frames apart; use SOCK_DGRAM or "
				   "SOCK_SEQPACKET",
				   fd);
	l = calloc(1, sizeof(*l));
	if (!l)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	l->net = (struct mhi_net){ .ops = &link_ops, .queues = 1, .mtu = mtu };
	l->env = *env;
	l->seqpacket = type == SOCK_SEQPACKET;
	l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (l->fd >= 0)
		mhi_loop_call(env->loop, watch, l);
	if (!l->watch) {
		if (l->fd >= 0)
			close(l->fd);
		free(l);
		return mhi_err_set(err, MH_ENOMEM,
				   "no memory or no file descriptor for socket %d; free some, or "
				   "raise the limit (ulimit -n)",
				   fd);
	}
	*out = &l->net;
	return 0;
}

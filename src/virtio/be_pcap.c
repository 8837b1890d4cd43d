/* SPDX-License-Identifier: MIT */
/*
 * A back end around another one, which writes down what passes: a file of the pcap format (magic
 * 0xa1b23c4d: nanoseconds; link type 1: Ethernet). Frames appear as they pass: with their offloads
 * still to be done.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/pipe.h"
#include "virtio/be_net.h"

#define MAGIC 0xa1b23c4du
#define LINK_ETHERNET 1
#define SNAP_BYTES 262144
/* Of a frame, what a system call takes with its header. */
#define PIECES MHI_NET_IOVS_MAX

struct file_header {
	u32 magic;
	u16 major, minor;
	u32 zone, accuracy, snap_bytes, link;
};

struct record_header {
	u32 seconds, nanoseconds, kept, bytes;
};

struct pcap {
	struct mhi_net net;
	struct mhi_net *inner;	 /* (c) */
	struct mhi_vdev_env env; /* (c) */
	int fd;			 /* (l) -1: writing failed */
};

static void record(struct pcap *p, const struct iovec *iov, u32 count, size_t bytes)
{
	struct iovec piece[PIECES];
	struct record_header head;
	struct timespec now;
	size_t left = bytes;
	u32 n = 1;

	if (p->fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	head = (struct record_header){ (u32)now.tv_sec, (u32)now.tv_nsec, (u32)bytes, (u32)bytes };
	piece[0] = (struct iovec){ &head, sizeof(head) };
	for (u32 i = 1; i < count && left; i++, n++) {
		piece[n] = iov[i];
		if (piece[n].iov_len > left)
			piece[n].iov_len = left;
		left -= piece[n].iov_len;
	}
	if (writev(p->fd, piece, (int)n) == (ssize_t)(sizeof(head) + bytes))
		return;
	/* Half a record makes the rest unreadable. */
	mhi_log(p->env.log, MH_LOG_WARN, "%s: network: the record of frames ends here: %s",
		p->env.owner, strerror(errno));
	close(p->fd);
	p->fd = -1;
}

static u32 pcap_send(struct mhi_net *net, u32 queue, const struct mhi_net_frame *frame, u32 count)
{
	struct pcap *p = (struct pcap *)net;
	u32 taken = p->inner->ops->send(p->inner, queue, frame, count);

	for (u32 n = 0; n < taken; n++) {
		size_t bytes = 0;

		for (u32 i = 1; i < frame[n].count; i++)
			bytes += frame[n].iov[i].iov_len;
		record(p, frame[n].iov, frame[n].count, bytes);
	}
	net->waiting = p->inner->waiting;
	return taken;
}

static size_t pcap_receive(struct mhi_net *net, u32 queue, const struct iovec *iov, u32 count)
{
	struct pcap *p = (struct pcap *)net;
	size_t bytes = p->inner->ops->receive(p->inner, queue, iov, count);

	if (bytes)
		record(p, iov, count, bytes);
	net->waiting = p->inner->waiting;
	return bytes;
}

static void pcap_listen(struct mhi_net *net, u32 queue, bool on)
{
	struct pcap *p = (struct pcap *)net;

	p->inner->ops->listen(p->inner, queue, on);
}

static void pcap_offloads(struct mhi_net *net, u32 offloads)
{
	struct pcap *p = (struct pcap *)net;

	if (p->inner->ops->offloads)
		p->inner->ops->offloads(p->inner, offloads);
}

static void pcap_queues(struct mhi_net *net, u32 queues)
{
	struct pcap *p = (struct pcap *)net;

	if (p->inner->ops->queues)
		p->inner->ops->queues(p->inner, queues);
}

static void pcap_close(struct mhi_net *net)
{
	struct pcap *p = (struct pcap *)net;

	p->inner->ops->close(p->inner);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

static const struct mhi_net_ops pcap_ops = {
	.kind = "pcap",
	.send = pcap_send,
	.receive = pcap_receive,
	.listen = pcap_listen,
	.offloads = pcap_offloads,
	.queues = pcap_queues,
	.close = pcap_close,
};

static void on_readable(void *opaque, u32 queue)
{
	struct pcap *p = opaque;

	p->net.user->readable(p->net.opaque, queue);
}

static void on_writable(void *opaque, u32 queue)
{
	struct pcap *p = opaque;

	p->net.user->writable(p->net.opaque, queue);
}

static const struct mhi_net_user user = { .readable = on_readable, .writable = on_writable };

int mhi_pcap_open(const struct mhi_vdev_env *env, const char *path, struct mhi_net *inner,
		  struct mhi_net **out, struct mhi_err *err)
{
	const struct file_header head = { MAGIC, 2, 4, 0, 0, SNAP_BYTES, LINK_ETHERNET };
	struct pcap *p = calloc(1, sizeof(*p));
	struct mhi_pipe pipe;
	int fd, error;
	bool written;

	if (!p)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	mhi_pipe_begin(&pipe);
	written = fd >= 0 && write(fd, &head, sizeof(head)) == (ssize_t)sizeof(head);
	mhi_pipe_end(&pipe);
	if (!written) {
		error = errno;
		if (fd >= 0)
			close(fd);
		free(p);
		return mhi_err_set(err,
				   error == EACCES || error == EPERM || error == EROFS ? MH_EPERM
				   : error == ENOENT				       ? MH_ENOENT
										       : MH_EIO,
				   "cannot write frames to '%s': %s; %s", path, strerror(error),
				   error == ENOENT ? "correct the path, or make the folder"
				   : error == EMFILE || error == ENFILE
					   ? "close files or raise the limit (ulimit -n)"
					   : "give this user the right, or choose another place");
	}
	p->net = *inner;
	p->net.ops = &pcap_ops;
	p->inner = inner;
	p->env = *env;
	p->fd = fd;
	inner->user = &user;
	inner->opaque = p;
	*out = &p->net;
	return 0;
}

// SPDX-License-Identifier: MIT
/* A network back end in memory. */
#include "fake_net.h"

#include <stdlib.h>
#include <string.h>

static u32 fake_send(struct mhi_net *net, u32 queue, const struct mhi_net_frame *frame, u32 count)
{
	struct fake_net *f = (struct fake_net *)net;
	u32 n;

	f->calls++;
	for (n = 0; n < count && f->room; n++, f->room--) {
		struct fake_frame *to = &f->sent[f->sents];
		size_t at = 0;

		if (f->sents == FAKE_NET_FRAMES || frame[n].iov[0].iov_len != MHI_NET_HDR)
			abort();
		memcpy(to->hdr, frame[n].iov[0].iov_base, MHI_NET_HDR);
		for (u32 i = 1; i < frame[n].count; i++)
			to->bytes += frame[n].iov[i].iov_len;
		to->data = malloc(to->bytes);
		for (u32 i = 1; i < frame[n].count; i++) {
			memcpy(to->data + at, frame[n].iov[i].iov_base, frame[n].iov[i].iov_len);
			at += frame[n].iov[i].iov_len;
		}
		f->sent_queue[f->sents++] = queue;
	}
	return n;
}

static size_t fake_receive(struct mhi_net *net, u32 queue, const struct iovec *iov, u32 count)
{
	struct fake_net *f = (struct fake_net *)net;
	struct fake_frame *from;
	size_t at = 0;

	if (f->taken[queue] == f->ins[queue])
		return 0;
	if (iov[0].iov_len != MHI_NET_HDR)
		abort();
	from = &f->in[queue][f->taken[queue]++];
	memcpy(iov[0].iov_base, from->hdr, MHI_NET_HDR);
	for (u32 i = 1; i < count && at < from->bytes; i++) {
		size_t n = iov[i].iov_len;

		if (n > from->bytes - at)
			n = from->bytes - at;
		memcpy(iov[i].iov_base, from->data + at, n);
		at += n;
	}
	free(from->data);
	return at;
}

static void fake_listen(struct mhi_net *net, u32 queue, bool on)
{
	((struct fake_net *)net)->listening[queue] = on;
}

static void fake_offloads(struct mhi_net *net, u32 offloads)
{
	((struct fake_net *)net)->offloads = offloads;
}

static void fake_queues(struct mhi_net *net, u32 queues)
{
	((struct fake_net *)net)->used_queues = queues;
}

static void fake_close(struct mhi_net *net)
{
	((struct fake_net *)net)->closed = true;
}

static const struct mhi_net_ops fake_ops = {
	.kind = "fake",
	.send = fake_send,
	.receive = fake_receive,
	.listen = fake_listen,
	.offloads = fake_offloads,
	.queues = fake_queues,
	.close = fake_close,
};

struct fake_net *fake_net_new(u32 takes, u32 gives, u32 queues)
{
	struct fake_net *f = calloc(1, sizeof(*f));

	f->net = (struct mhi_net){
		.ops = &fake_ops, .takes = takes, .gives = gives, .queues = queues, .mtu = 1500
	};
	f->room = ~0u;
	return f;
}

void fake_net_clear(struct fake_net *f)
{
	for (u32 n = 0; n < f->sents; n++)
		free(f->sent[n].data);
	memset(f->sent, 0, sizeof(f->sent));
	f->sents = f->calls = 0;
}

void fake_net_free(struct fake_net *f)
{
	if (!f->closed)
		abort();
	for (u32 q = 0; q < MHI_NET_QUEUES_MAX; q++)
		for (u32 n = f->taken[q]; n < f->ins[q]; n++)
			free(f->in[q][n].data);
	fake_net_clear(f);
	free(f);
}

void fake_net_lay(struct fake_net *f, u32 queue, const u8 *hdr, const void *data, size_t bytes)
{
	struct fake_frame *to;

	if (f->taken[queue] == f->ins[queue])
		f->taken[queue] = f->ins[queue] = 0;
	if (f->ins[queue] == FAKE_NET_FRAMES)
		abort();
	to = &f->in[queue][f->ins[queue]++];
	memset(to->hdr, 0, sizeof(to->hdr));
	if (hdr)
		memcpy(to->hdr, hdr, MHI_NET_HDR);
	to->data = malloc(bytes);
	memcpy(to->data, data, bytes);
	to->bytes = bytes;
	if (f->listening[queue])
		f->net.user->readable(f->net.opaque, queue);
}

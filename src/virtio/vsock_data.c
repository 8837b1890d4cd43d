/* SPDX-License-Identifier: MIT */
/*
 * virtio-vsock: the bytes of connections. Those of the guest go straight to the host's socket, and
 * wait in a ring when it takes no more; those of the host are read into the guest's buffers.
 */
#include "virtio/vsock_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/le.h"

static bool is_seq(const struct vsock_conn *c)
{
	return c->type == MHI_VSOCK_SEQPACKET;
}

/* The part of some buffers that begins at an offset, at most bytes of it. */
static unsigned int slice(const struct iovec *iov, u32 count, u64 at, u64 bytes, struct iovec *out)
{
	unsigned int n = 0;

	for (u32 i = 0; i < count && bytes && n < VSOCK_IOVS; i++) {
		u64 len = iov[i].iov_len;

		if (at >= len) {
			at -= len;
			continue;
		}
		len -= at;
		if (len > bytes)
			len = bytes;
		out[n++] = (struct iovec){ (u8 *)iov[i].iov_base + at, len };
		bytes -= len;
		at = 0;
	}
	return n;
}

/* ---- from the guest ---- */

static void forward(struct vsock_conn *c, u32 bytes)
{
	c->fwd_cnt += bytes;
	/* So there always is room for half a window, as far as the guest knows. */
	if (c->fwd_cnt - c->told_fwd >= VSOCK_WINDOW / 2)
		c->due |= VSOCK_DUE(VSOCK_OP_CREDIT_UPDATE);
}

static void free_ring(struct vsock_conn *c)
{
	free(c->ring);
	c->ring = NULL;
	c->first = c->count = 0;
	c->record = false;
}

/* All that the guest had for the host is there. */
static void flushed(struct vsock_conn *c)
{
	free_ring(c);
	if (c->state == VSOCK_LINGER)
		mhi_vsock_kill(c);
	else if (c->guest_shut == VSOCK_SHUT_BOTH)
		mhi_vsock_reset_conn(c);
	else if (c->guest_shut & VSOCK_SHUT_SEND)
		shutdown(c->fd, SHUT_WR);
}

void mhi_vsock_broken(struct vsock_conn *c)
{
	c->sink = true;
	forward(c, c->rx_cnt - c->fwd_cnt);
	if (!(c->host_shut & VSOCK_SHUT_RECEIVE)) {
		c->host_shut |= VSOCK_SHUT_RECEIVE | (c->eof ? VSOCK_SHUT_SEND : 0);
		c->due |= VSOCK_DUE(VSOCK_OP_SHUTDOWN);
	}
	flushed(c);
}

/* How many bytes the socket took; -1: it takes none any more. */
static ssize_t to_host(struct vsock_conn *c, struct iovec *iov, unsigned int count)
{
	const struct msghdr m = { .msg_iov = iov, .msg_iovlen = count };
	ssize_t n;

	do {
		n = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n >= 0 ? n : errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? 0 : -1;
}

/* Part of the ring, from an offset behind its first byte. */
static unsigned int ring_slice(const struct vsock_conn *c, u32 at, u32 bytes, struct iovec *out)
{
	u32 size = is_seq(c) ? VSOCK_SEQ_RING : VSOCK_WINDOW;
	u32 start = (c->first + at) % size, end = size - start;

	out[0] = (struct iovec){ c->ring + start, bytes < end ? bytes : end };
	out[1] = (struct iovec){ c->ring, bytes - out[0].iov_len };
	return out[1].iov_len ? 2 : 1;
}

/* Bytes of the packet at hand to the end of the ring; false: no memory, or no room. */
static bool ring_add(struct vsock_conn *c, u32 at, u32 bytes)
{
	u32 size = is_seq(c) ? VSOCK_SEQ_RING : VSOCK_WINDOW;
	struct iovec iov[2];

	if (!c->ring)
		c->ring = malloc(size);
	if (!c->ring || bytes > size - c->count)
		return false;
	ring_slice(c, c->count, bytes, iov);
	at += VSOCK_HEADER;
	mhi_chain_read(&c->v->tx, at, iov[0].iov_base, iov[0].iov_len);
	mhi_chain_read(&c->v->tx, at + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
	c->count += bytes;
	return true;
}

static void ring_drop(struct vsock_conn *c, u32 bytes)
{
	c->first = (c->first + bytes) % (is_seq(c) ? VSOCK_SEQ_RING : VSOCK_WINDOW);
	c->count -= bytes;
}

static void set_record(struct vsock_conn *c, u32 at, u32 len)
{
	for (u32 i = 0; i < VSOCK_RECORD; i++)
		c->ring[(c->first + at + i) % VSOCK_SEQ_RING] = (u8)(len >> 8 * i);
}

static u32 get_record(const struct vsock_conn *c)
{
	u32 len = 0;

	for (u32 i = 0; i < VSOCK_RECORD; i++)
		len |= (u32)c->ring[(c->first + i) % VSOCK_SEQ_RING] << 8 * i;
	return len;
}

static bool take_record(struct vsock_conn *c, u32 flags, u32 len)
{
	/* AF_UNIX has no empty messages that are not its end. */
	if (!c->record && !len)
		return true;
	if (!c->record) {
		/* Room for the length: the header's last bytes stand in. */
		if (!ring_add(c, 0u - VSOCK_RECORD, VSOCK_RECORD))
			return false;
		c->record = true;
		c->open = 0;
	}
	if (!ring_add(c, 0, len))
		return false;
	c->open += len;
	if (flags & VSOCK_SEQ_EOM) {
		set_record(c, c->count - c->open - VSOCK_RECORD, c->open);
		c->record = false;
		mhi_vsock_flush(c);
	} else if (c->fwd_cnt != c->told_fwd) {
		/* The message may need the whole window. */
		c->due |= VSOCK_DUE(VSOCK_OP_CREDIT_UPDATE);
	}
	return true;
}

/* Without a copy, as much as the socket takes; false: it takes none any more. */
static bool take_now(struct vsock_conn *c, u32 len, u32 *done)
{
	struct iovec iov[VSOCK_IOVS];
	ssize_t n;

	for (*done = 0; *done < len; *done += (u32)n) {
		n = to_host(
			c, iov,
			slice(c->v->tx.iov, c->v->tx.outs, VSOCK_HEADER + *done, len - *done, iov));
		if (n < 0)
			return false;
		if (!n)
			break;
	}
	forward(c, *done);
	return true;
}

bool mhi_vsock_take(struct vsock_conn *c, u32 flags, u32 len)
{
	u32 done = 0;

	if (len > VSOCK_WINDOW - (c->rx_cnt - c->fwd_cnt))
		return false;
	c->rx_cnt += len;
	if (c->sink)
		forward(c, len);
	else if (is_seq(c))
		return take_record(c, flags, len);
	else if (!c->count && !take_now(c, len, &done))
		mhi_vsock_broken(c);
	else if (done < len)
		return ring_add(c, done, len - done);
	return true;
}

/* What is whole. */
static u32 whole(const struct vsock_conn *c)
{
	return c->record ? c->count - c->open - VSOCK_RECORD : c->count;
}

bool mhi_vsock_blocked(const struct vsock_conn *c)
{
	return whole(c) != 0;
}

void mhi_vsock_flush(struct vsock_conn *c)
{
	struct iovec iov[2];

	while (whole(c)) {
		u32 head = is_seq(c) ? VSOCK_RECORD : 0;
		u32 bytes = is_seq(c) ? get_record(c) : c->count;
		ssize_t n = to_host(c, iov, ring_slice(c, head, bytes, iov));

		if (!n)
			return;
		/* Part of a message: it is no SEQPACKET socket. */
		if (n < 0 || (head && (u32)n != bytes)) {
			mhi_vsock_broken(c);
			return;
		}
		ring_drop(c, head + (u32)n);
		forward(c, (u32)n);
		if (!c->count)
			flushed(c);
	}
}

void mhi_vsock_shut(struct vsock_conn *c, u32 flags)
{
	c->guest_shut |= flags;
	/* Half a message is none. */
	if ((flags & VSOCK_SHUT_SEND) && c->record) {
		c->count -= c->open + VSOCK_RECORD;
		c->record = false;
	}
	if (flags & VSOCK_SHUT_RECEIVE) {
		free(c->message);
		c->message = NULL;
		shutdown(c->fd, SHUT_RD);
	}
	if (!c->count)
		flushed(c);
}

/* ---- to the guest ---- */

u32 mhi_vsock_credit(const struct vsock_conn *c)
{
	/* So that what the guest has not read is less than half of the counters' range. */
	u32 room = c->peer_alloc < 0x7fffffffu ? c->peer_alloc : 0x7fffffffu;
	u32 unread = c->tx_cnt - c->peer_fwd;

	return room > unread ? room - unread : 0;
}

bool mhi_vsock_has_data(const struct vsock_conn *c)
{
	return c->state == VSOCK_OPEN && !c->eof && !(c->guest_shut & VSOCK_SHUT_RECEIVE) &&
	       (c->readable || c->hup || c->message);
}

/* The host's end sends no more; it may still receive. */
static u32 end(struct vsock_conn *c)
{
	struct pollfd p = { .fd = c->fd };

	c->eof = true;
	c->host_shut |= VSOCK_SHUT_SEND;
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP)) {
		c->hup = true;
		mhi_vsock_broken(c);
	}
	return mhi_vsock_put_conn(c, VSOCK_OP_SHUTDOWN, c->host_shut, 0);
}

/* A read that gave nothing; the buffer at hand gets another packet. */
static u32 nothing(struct vsock_conn *c, ssize_t n)
{
	u32 bytes;

	if (!n)
		return end(c);
	if (errno == EAGAIN || errno == EINTR) {
		c->readable = errno == EINTR;
		return mhi_vsock_put_conn(c, VSOCK_OP_CREDIT_UPDATE, 0, 0);
	}
	bytes = mhi_vsock_put_conn(c, VSOCK_OP_RST, 0, 0);
	mhi_vsock_kill(c);
	return bytes;
}

static u32 give_bytes(struct vsock_conn *c, u32 room)
{
	struct iovec iov[VSOCK_IOVS];
	struct msghdr m = { .msg_iov = iov };
	ssize_t n;

	m.msg_iovlen = slice(mhi_chain_in(&c->v->rx), c->v->rx.ins, VSOCK_HEADER, room, iov);
	n = recvmsg(c->fd, &m, MSG_DONTWAIT);
	if (n <= 0)
		return nothing(c, n);
	/* Less than asked for: that was all. */
	c->readable = (u32)n == room;
	c->tx_cnt += (u32)n;
	return mhi_vsock_put_conn(c, VSOCK_OP_RW, 0, (u32)n);
}

/* The next message of the host's end; as of recv. */
static ssize_t load_message(struct vsock_conn *c)
{
	u32 most = c->peer_alloc < VSOCK_MESSAGE_MAX ? c->peer_alloc : VSOCK_MESSAGE_MAX;
	ssize_t n = recv(c->fd, NULL, 0, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
	u8 *message;

	if (n <= 0)
		return n;
	/* One that never fits into the guest's room cannot be sent at all. */
	message = (size_t)n <= most ? malloc((size_t)n) : NULL;
	if (!message) {
		errno = EMSGSIZE;
		return -1;
	}
	n = recv(c->fd, message, (size_t)n, MSG_DONTWAIT);
	if (n <= 0) {
		free(message);
		return n;
	}
	c->message = message;
	c->message_bytes = (u32)n;
	c->message_at = 0;
	c->readable = false;
	return n;
}

static u32 give_message(struct vsock_conn *c, u32 room)
{
	ssize_t n = c->message ? 1 : load_message(c);
	u32 bytes, flags = 0;

	if (n <= 0)
		return nothing(c, n);
	bytes = c->message_bytes - c->message_at;
	if (bytes > room)
		bytes = room;
	mhi_chain_write(&c->v->rx, VSOCK_HEADER, c->message + c->message_at, bytes);
	c->message_at += bytes;
	if (c->message_at == c->message_bytes) {
		flags = VSOCK_SEQ_EOM;
		free(c->message);
		c->message = NULL;
	}
	c->tx_cnt += bytes;
	return mhi_vsock_put_conn(c, VSOCK_OP_RW, flags, bytes);
}

u32 mhi_vsock_give(struct vsock_conn *c)
{
	u64 room = c->v->rx.in_bytes - VSOCK_HEADER;
	u32 credit = mhi_vsock_credit(c);

	if (!room) {
		mhi_vdev_complain(&c->v->dev, "a buffer has no room but for a header");
		return mhi_vsock_put_conn(c, VSOCK_OP_CREDIT_UPDATE, 0, 0);
	}
	if (room > VSOCK_PACKET_MAX)
		room = VSOCK_PACKET_MAX;
	if (room > credit)
		room = credit;
	return is_seq(c) ? give_message(c, (u32)room) : give_bytes(c, (u32)room);
}

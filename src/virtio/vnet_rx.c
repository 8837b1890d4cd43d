/* SPDX-License-Identifier: MIT */
/*
 * virtio-net's reception: frames come from the back end right into the driver's buffers, of which
 * enough are popped ahead. What is longer than they are ends in our own memory, and waits there for
 * more. virtio 1.2, 5.1.6.4 "Processing of Incoming Packets".
 */
#include "virtio/vnet_priv.h"

#include "core/le.h"

/* Frames in one turn. */
#define BATCH 64
/* After a large frame room is kept for so many more. */
#define LARGE_FRAMES 64
/* What the filter looks at. */
#define PEEK_BYTES 18
/* Of a call: our header, and what does not fit. */
#define OWN_IOVS 2

/* ---- buffers ---- */

static bool mergeable(const struct vnet *v)
{
	return mhi_vdev_has(&v->dev, NET_F_MRG_RXBUF);
}

/* So many buffers may be held; a queue that has no more than that cannot have more room. */
static u32 bufs_max(const struct vnet *v, u32 pair)
{
	u32 size = v->dev.vq[2 * pair].size;

	if (!mergeable(v))
		return 1;
	return size < VNET_RX_BUFS ? size : VNET_RX_BUFS;
}

/* The chain at hand, popped from a receive queue, becomes a buffer; false: there is no room. */
static bool hold(struct vnet *v, struct vnet_rx *rx)
{
	const struct mhi_chain *chain = &v->chain;

	if (rx->iovs + chain->ins > MHI_NET_IOVS_MAX - OWN_IOVS)
		return false;
	memcpy(rx->iov + rx->iovs, mhi_chain_in(chain), chain->ins * sizeof(*rx->iov));
	rx->buf[rx->bufs].id = chain->id;
	rx->buf[rx->bufs].iovs = chain->ins;
	/* More than that no frame needs. */
	rx->buf[rx->bufs].bytes = (u32)(chain->in_bytes < MHI_NET_HDR + MHI_NET_FRAME_MAX
						? chain->in_bytes
						: MHI_NET_HDR + MHI_NET_FRAME_MAX);
	rx->room += rx->buf[rx->bufs].bytes;
	rx->iovs += chain->ins;
	rx->bufs++;
	return true;
}

/* Holds buffers with so much room, if there are. */
static void gather(struct vnet *v, u32 pair, u64 want)
{
	struct vnet_rx *rx = &v->rx[pair];
	u32 most = bufs_max(v, pair);

	for (u32 bad = 0; rx->room < want && rx->bufs < most && bad < VNET_RX_BUFS;) {
		if (!mhi_vdev_pop(&v->dev, 2 * pair, &v->chain))
			return;
		if (v->chain.in_bytes >= MHI_NET_HDR && hold(v, rx))
			continue;
		if (v->chain.in_bytes >= MHI_NET_HDR && rx->bufs) {
			mhi_vdev_unpop(&v->dev, 2 * pair, v->chain.id);
			return;
		}
		mhi_vdev_complain(&v->dev, "a receive buffer without room for a header");
		mhi_vdev_push(&v->dev, 2 * pair, v->chain.id, 0);
		bad++;
	}
}

/* The first so many buffers are gone. */
static void forget(struct vnet_rx *rx, u32 count)
{
	u32 iovs = 0;

	for (u32 n = 0; n < count; n++) {
		iovs += rx->buf[n].iovs;
		rx->room -= rx->buf[n].bytes;
	}
	rx->bufs -= count;
	rx->iovs -= iovs;
	memmove(rx->buf, rx->buf + count, rx->bufs * sizeof(rx->buf[0]));
	memmove(rx->iov, rx->iov + iovs, rx->iovs * sizeof(rx->iov[0]));
}

void vnet_rx_pause(struct vnet *v, u32 pair)
{
	struct vnet_rx *rx = &v->rx[pair];

	for (u32 n = rx->bufs; n; n--)
		mhi_vdev_unpop(&v->dev, 2 * pair, rx->buf[n - 1].id);
	forget(rx, rx->bufs);
}

void vnet_rx_reset(struct vnet *v, u32 pair)
{
	forget(&v->rx[pair], v->rx[pair].bufs);
	v->rx[pair].parked = 0;
	v->rx[pair].large = 0;
}

/* ---- frames ---- */

/* Copies to the held buffers, behind each other. */
static void scatter(const struct vnet_rx *rx, size_t offset, const u8 *from, size_t bytes)
{
	for (u32 n = 0; n < rx->iovs && bytes; n++) {
		size_t len = rx->iov[n].iov_len;

		if (offset >= len) {
			offset -= len;
			continue;
		}
		len -= offset;
		if (len > bytes)
			len = bytes;
		memcpy((u8 *)rx->iov[n].iov_base + offset, from, len);
		from += len;
		bytes -= len;
		offset = 0;
	}
}

/* A frame lies in the held buffers: the driver gets those that it fills. */
static void give(struct vnet *v, u32 pair, u8 *hdr, size_t bytes)
{
	struct vnet_rx *rx = &v->rx[pair];
	struct mhi_used used[VNET_RX_BUFS];
	size_t left = MHI_NET_HDR + bytes;
	u32 n = 0;

	if (v->net->verified && (v->offloads & NET_F_GUEST_CSUM))
		hdr[MHI_NET_FLAGS] |= MHI_NET_DATA_VALID;
	for (; left; n++) {
		u32 written = left < rx->buf[n].bytes ? (u32)left : rx->buf[n].bytes;

		used[n] = (struct mhi_used){ rx->buf[n].id, written };
		left -= written;
	}
	/* 5.1.6.4.1: without mergeable buffers it is 1, too. */
	mhi_put_le16(hdr + MHI_NET_BUFFERS, (u16)n);
	scatter(rx, 0, hdr, MHI_NET_HDR);
	mhi_vdev_push_all(&v->dev, 2 * pair, used, n);
	mhi_vdev_count(&v->dev, bytes, 0);
	forget(rx, n);
}

u32 vnet_guest_takes(const struct vnet *v)
{
	u32 offloads = 0;

	if (v->offloads & NET_F_GUEST_CSUM)
		offloads |= MHI_NET_CSUM;
	if (v->offloads & NET_F_GUEST_TSO4)
		offloads |= MHI_NET_TSO4;
	if (v->offloads & NET_F_GUEST_TSO6)
		offloads |= MHI_NET_TSO6;
	if (v->offloads & NET_F_GUEST_ECN)
		offloads |= MHI_NET_ECN;
	return offloads;
}

/* peek: the frame's first bytes. */
static bool wanted(const struct vnet *v, const u8 *hdr, const u8 *peek, size_t bytes)
{
	struct mhi_net_todo todo = mhi_net_todo_get(hdr);

	/* The back end may have frames from before the driver's last word. */
	return bytes >= MHI_NET_FRAME_MIN && bytes <= MHI_NET_FRAME_MAX &&
	       !(mhi_net_todo_needs(&todo) & ~vnet_guest_takes(v)) && vnet_wants(v, peek, bytes);
}

/* The parked frame to the driver; false: it waits for buffers. */
static bool unpark(struct vnet *v, u32 pair)
{
	struct vnet_rx *rx = &v->rx[pair];
	u64 need = MHI_NET_HDR + rx->parked;

	if (wanted(v, rx->parked_hdr, rx->spill, rx->parked)) {
		gather(v, pair, need);
		if (rx->room < need && rx->bufs < bufs_max(v, pair))
			return false;
		if (rx->room < need) {
			mhi_vdev_complain(&v->dev, "receive buffers too small for a frame");
		} else {
			scatter(rx, MHI_NET_HDR, rx->spill, rx->parked);
			give(v, pair, rx->parked_hdr, rx->parked);
		}
	}
	rx->parked = 0;
	return true;
}

/* The buffers' memory but for the header's, then our own; returns the number of entries. */
static u32 lay_out(const struct vnet_rx *rx, struct iovec *to)
{
	size_t skip = MHI_NET_HDR;
	u32 count = 0;

	for (u32 n = 0; n < rx->iovs; n++) {
		const struct iovec *iov = &rx->iov[n];

		if (iov->iov_len <= skip) {
			skip -= iov->iov_len;
			continue;
		}
		to[count].iov_base = (u8 *)iov->iov_base + skip;
		to[count++].iov_len = iov->iov_len - skip;
		skip = 0;
	}
	to[count++] = (struct iovec){ rx->spill, MHI_NET_FRAME_MAX };
	return count;
}

/* Gathers the first bytes of what was received. */
static void peek_at(const struct iovec *iov, u8 *peek)
{
	size_t done = 0;

	for (; done < PEEK_BYTES; iov++) {
		size_t n = iov->iov_len < PEEK_BYTES - done ? iov->iov_len : PEEK_BYTES - done;

		mhi_copy_once(peek + done, iov->iov_base, n);
		done += n;
	}
}

/* What is in the buffers and in spill becomes one piece in spill. */
static void park(struct vnet_rx *rx, const u8 *hdr, const struct iovec *iov, size_t room,
		 size_t bytes)
{
	size_t done = 0;

	memmove(rx->spill + room, rx->spill, bytes - room);
	for (; done < room; iov++) {
		mhi_copy_once(rx->spill + done, iov->iov_base, iov->iov_len);
		done += iov->iov_len;
	}
	memcpy(rx->parked_hdr, hdr, MHI_NET_HDR);
	rx->parked = bytes;
}

/* One frame from the back end; false: it has none. There is a buffer. */
static bool take(struct vnet *v, u32 pair)
{
	struct vnet_rx *rx = &v->rx[pair];
	struct iovec iov[MHI_NET_IOVS_MAX];
	u8 hdr[MHI_NET_HDR], peek[PEEK_BYTES];
	u32 count = lay_out(rx, iov + 1) + 1;
	size_t room = rx->room - MHI_NET_HDR, bytes;

	iov[0] = (struct iovec){ hdr, MHI_NET_HDR };
	bytes = v->net->ops->receive(v->net, pair, iov, count);
	if (!bytes)
		return false;
	if (bytes > room)
		rx->large = LARGE_FRAMES;
	else if (rx->large)
		rx->large--;
	if (bytes > MHI_NET_FRAME_MAX)
		return true;
	if (bytes > room) {
		park(rx, hdr, iov + 1, room, bytes);
		return true;
	}
	if (!v->filter.all)
		peek_at(iov + 1, peek);
	if (wanted(v, hdr, peek, bytes))
		give(v, pair, hdr, bytes);
	return true;
}

/* ---- flow ---- */

static void listen_to(struct vnet *v, u32 pair, bool on)
{
	if (v->rx[pair].listening != on)
		v->net->ops->listen(v->net, pair, on);
	v->rx[pair].listening = on;
}

void vnet_rx_pump(struct vnet *v, u32 pair)
{
	struct vnet_rx *rx = &v->rx[pair];
	u64 frame = v->net->mtu + MHI_NET_FRAME_MIN + 4;

	for (u32 n = 0; n < BATCH; n++) {
		if (!mhi_vdev_live(&v->dev) || pair >= v->pairs ||
		    (rx->parked && !unpark(v, pair))) {
			listen_to(v, pair, false);
			return;
		}
		gather(v, pair, MHI_NET_HDR + (rx->large ? MHI_NET_FRAME_MAX : frame));
		if (!rx->bufs) {
			listen_to(v, pair, false);
			return;
		}
		if (!take(v, pair)) {
			listen_to(v, pair, true);
			return;
		}
	}
	mhi_vdev_again(&v->dev, 2 * pair);
}

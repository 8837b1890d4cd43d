/* SPDX-License-Identifier: MIT */
/*
 * virtio-net's transmission: frames go to the back end from where they lie in guest memory. What
 * the back end cannot do of a frame's offloads is done here. virtio 1.2, 5.1.6.2 "Packet
 * Transmission".
 */
#include "virtio/vnet_priv.h"

/* Frames and segments in one turn, which ends with the frame that reaches it. */
#define TURN 64

/* What the driver may ask for. */
static u32 allowed(const struct vnet *v)
{
	u32 offloads = 0;

	if (mhi_vdev_has(&v->dev, NET_F_CSUM))
		offloads |= MHI_NET_CSUM;
	if (mhi_vdev_has(&v->dev, NET_F_HOST_TSO4))
		offloads |= MHI_NET_TSO4;
	if (mhi_vdev_has(&v->dev, NET_F_HOST_TSO6))
		offloads |= MHI_NET_TSO6;
	if (mhi_vdev_has(&v->dev, NET_F_HOST_ECN))
		offloads |= MHI_NET_ECN;
	return offloads;
}

/*
 * Reads the header, and makes the chain's out part a frame for the back end: our copy of the
 * header, then what follows it. False: it is none.
 */
static bool prepare(const struct vnet *v, struct vnet_tx *t)
{
	struct mhi_chain *chain = &t->chain;
	size_t skip = MHI_NET_HDR;
	u32 at = 0;

	if (mhi_chain_read(chain, 0, t->hdr, MHI_NET_HDR) != MHI_NET_HDR)
		return false;
	t->todo = mhi_net_todo_get(t->hdr);
	if ((mhi_net_todo_needs(&t->todo) & ~allowed(v)) ||
	    !mhi_net_todo_sane(&t->todo, chain->out_bytes - MHI_NET_HDR))
		return false;
	while (chain->iov[at].iov_len <= skip)
		skip -= chain->iov[at++].iov_len;
	chain->iov[at].iov_base = (u8 *)chain->iov[at].iov_base + skip;
	chain->iov[at].iov_len -= skip;
	if (chain->outs - at >= MHI_NET_IOVS_MAX)
		return false;
	if (at != 1)
		memmove(chain->iov + 1, chain->iov + at, (chain->outs - at) * sizeof(*chain->iov));
	chain->outs = chain->outs - at + 1;
	chain->iov[0] = (struct iovec){ t->hdr, MHI_NET_HDR };
	return true;
}

/* ---- in software ---- */

/* Back ends that have no room lose segments of such frames: TCP sends them again. */
static u32 send_segments(struct vnet *v, u32 pair, const struct vnet_tx *t, size_t bytes)
{
	u8 none[MHI_NET_HDR] = { 0 }, headers[MHI_NET_HEADERS_MAX];
	struct iovec iov[3] = { { none, MHI_NET_HDR }, { headers, 0 } };
	const struct mhi_net_frame frame = { iov, 3 };
	struct mhi_net_cut cut;

	if (!mhi_net_cut_begin(&cut, &t->todo, v->flat, bytes)) {
		mhi_vdev_complain(&v->dev, "a frame to be cut is no TCP as its header says");
		return 0;
	}
	iov[1].iov_len = cut.headers;
	while (mhi_net_cut_next(&cut, headers, &iov[2]))
		if (!v->net->ops->send(v->net, pair, &frame, 1))
			break;
	return cut.index;
}

/* Sends a frame whose offloads the back end does not take. False: it has no room. */
static bool send_soft(struct vnet *v, u32 pair, const struct vnet_tx *t, u32 *frames)
{
	u8 none[MHI_NET_HDR] = { 0 };
	struct iovec iov[2] = { { none, MHI_NET_HDR }, { v->flat, 0 } };
	const struct mhi_net_frame frame = { iov, 2 };
	size_t bytes = mhi_chain_read(&t->chain, MHI_NET_HDR, v->flat, MHI_NET_FRAME_MAX);

	if (mhi_net_todo_needs(&t->todo) & (MHI_NET_TSO4 | MHI_NET_TSO6)) {
		*frames += send_segments(v, pair, t, bytes);
		return true;
	}
	mhi_net_checksum(&t->todo, v->flat, bytes);
	iov[1].iov_len = bytes;
	++*frames;
	return v->net->ops->send(v->net, pair, &frame, 1);
}

/* ---- batches ---- */

/* Can it go to the back end as it is? */
static bool as_it_is(const struct vnet *v, const struct vnet_tx *t)
{
	return !t->drop && !(mhi_net_todo_needs(&t->todo) & ~v->net->takes);
}

/* The chains that are there, and what frames they are. */
static u32 fill(struct vnet *v, unsigned int q)
{
	u32 n = 0;

	for (; n < VNET_TX_BATCH && mhi_vdev_pop(&v->dev, q, &v->tx[n].chain); n++) {
		v->tx[n].drop = !prepare(v, &v->tx[n]);
		if (v->tx[n].drop)
			mhi_vdev_complain(&v->dev, "a frame that makes no sense");
	}
	return n;
}

/* Sends tx [0, count) until the turn is over or the back end full; returns where it stopped. */
static u32 send_batch(struct vnet *v, u32 pair, u32 count, u32 *frames)
{
	struct mhi_net_frame frame[VNET_TX_BATCH];
	u32 done = 0;

	while (done < count && *frames < TURN) {
		u32 n = 0, taken;

		while (done + n < count && as_it_is(v, &v->tx[done + n])) {
			const struct mhi_chain *chain = &v->tx[done + n].chain;

			frame[n++] = (struct mhi_net_frame){ chain->iov, chain->outs };
		}
		taken = n ? v->net->ops->send(v->net, pair, frame, n) : 0;
		done += taken;
		*frames += taken;
		if (taken < n)
			break;
		if (done == count)
			break;
		if (!v->tx[done].drop && !send_soft(v, pair, &v->tx[done], frames))
			break;
		*frames += v->tx[done++].drop;
	}
	return done;
}

static void count_frame(struct vnet *v, const struct vnet_tx *t)
{
	mhi_vdev_count(&v->dev, 0, t->drop ? 0 : t->chain.out_bytes - MHI_NET_HDR);
	v->dev.counts.errors += t->drop;
}

void vnet_tx_kick(struct vnet *v, u32 pair)
{
	unsigned int q = 2 * pair + 1;
	struct mhi_used used[VNET_TX_BATCH];
	u32 frames = 0;

	while (frames < TURN) {
		u32 count = fill(v, q), done = send_batch(v, pair, count, &frames);

		for (u32 n = 0; n < done; n++) {
			used[n] = (struct mhi_used){ .id = v->tx[n].chain.id };
			count_frame(v, &v->tx[n]);
		}
		mhi_vdev_push_all(&v->dev, q, used, done);
		/* The rest stays the driver's until the back end has room, or for another turn. */
		for (u32 n = count; n > done; n--)
			mhi_vdev_unpop(&v->dev, q, v->tx[n - 1].chain.id);
		if (done < VNET_TX_BATCH && frames < TURN)
			return;
	}
	mhi_vdev_again(&v->dev, q);
}

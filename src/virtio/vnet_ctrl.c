/* SPDX-License-Identifier: MIT */
/*
 * virtio-net's control queue, and the filter that it sets. virtio 1.2, 5.1.6.5 "Control Virtqueue".
 */
#include "virtio/vnet_priv.h"

#include "core/le.h"

#define BATCH 64
#define MAC 6

enum { C_RX, C_MAC, C_VLAN, C_ANNOUNCE, C_MQ, C_OFFLOADS };
enum { RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST };
enum { MAC_TABLE_SET, MAC_ADDR_SET };
enum { VLAN_ADD, VLAN_DEL };
#define HEADER_BYTES 2
#define S_OK 0
#define S_ERR 1

/* ---- the filter ---- */

void vnet_filter_reset(struct vnet *v)
{
	memset(&v->filter, 0, sizeof(v->filter));
	/* Until the driver says what it wants. */
	v->filter.all = true;
}

static bool in_table(const u8 (*mac)[MAC], u32 count, const u8 *to)
{
	for (u32 n = 0; n < count; n++)
		if (!memcmp(mac[n], to, MAC))
			return true;
	return false;
}

static bool vlan_wanted(const struct vnet *v, const u8 *frame, size_t bytes)
{
	u16 id;

	if (!mhi_vdev_has(&v->dev, NET_F_CTRL_VLAN) || bytes < MHI_NET_FRAME_MIN + 4 ||
	    frame[12] != 0x81 || frame[13])
		return true;
	id = (u16)((frame[14] << 8 | frame[15]) & (VNET_VLANS - 1));
	/* VLAN 0 is none: the tag holds a priority. */
	return !id || (v->filter.vlan[id / 8] & (1u << id % 8));
}

bool vnet_wants(const struct vnet *v, const u8 *frame, size_t bytes)
{
	static const u8 broadcast[MAC] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct vnet_filter *f = &v->filter;

	if (f->all)
		return true;
	if (!vlan_wanted(v, frame, bytes))
		return false;
	if (!memcmp(frame, broadcast, MAC))
		return !f->no_broadcast;
	if (frame[0] & 1)
		return !f->no_multi && (f->all_multi || f->many_multi ||
					in_table(f->mac + f->unis, f->macs - f->unis, frame));
	return !f->no_uni &&
	       (f->all_uni || f->many_uni || !memcmp(v->dev.config + NET_C_MAC, frame, MAC) ||
		in_table(f->mac, f->unis, frame));
}

/* ---- commands: true if the command can be obeyed ---- */

static bool rx_mode(struct vnet *v, u8 command, const u8 *data, size_t bytes)
{
	struct vnet_filter *f = &v->filter;
	bool *const mode[] = {
		[RX_PROMISC] = &f->all,	   [RX_ALLMULTI] = &f->all_multi,
		[RX_ALLUNI] = &f->all_uni, [RX_NOMULTI] = &f->no_multi,
		[RX_NOUNI] = &f->no_uni,   [RX_NOBCAST] = &f->no_broadcast,
	};

	if (command >= sizeof(mode) / sizeof(mode[0]) || bytes < 1)
		return false;
	*mode[command] = data[0];
	return true;
}

/* One of the two tables at an offset of the command's data, which it steps over. */
static bool mac_table(struct vnet *v, struct vnet_filter *f, u64 *at, bool *many)
{
	u8 raw[4];
	u32 count;

	if (mhi_chain_read(&v->chain, *at, raw, sizeof(raw)) != sizeof(raw))
		return false;
	count = mhi_get_le32(raw);
	*at += sizeof(raw);
	if ((u64)count * MAC > v->chain.out_bytes - *at)
		return false;
	*many = count > VNET_MACS - f->macs;
	if (!*many) {
		mhi_chain_read(&v->chain, *at, f->mac[f->macs], (size_t)count * MAC);
		f->macs += count;
	}
	*at += (u64)count * MAC;
	return true;
}

static bool set_macs(struct vnet *v)
{
	struct vnet_filter f = v->filter;
	u64 at = HEADER_BYTES;

	f.macs = 0;
	if (!mac_table(v, &f, &at, &f.many_uni))
		return false;
	f.unis = f.macs;
	if (!mac_table(v, &f, &at, &f.many_multi))
		return false;
	v->filter = f;
	return true;
}

static bool mac_command(struct vnet *v, u8 command, const u8 *data, size_t bytes)
{
	if (command == MAC_TABLE_SET)
		return set_macs(v);
	if (command != MAC_ADDR_SET || bytes < MAC)
		return false;
	memcpy(v->dev.config + NET_C_MAC, data, MAC);
	return true;
}

static bool vlan_command(struct vnet *v, u8 command, const u8 *data, size_t bytes)
{
	u16 id;

	if (command > VLAN_DEL || bytes < 2)
		return false;
	id = mhi_get_le16(data);
	if (id >= VNET_VLANS)
		return false;
	if (command == VLAN_ADD)
		v->filter.vlan[id / 8] |= (u8)(1u << id % 8);
	else
		v->filter.vlan[id / 8] &= (u8) ~(1u << id % 8);
	return true;
}

static bool set_pairs(struct vnet *v, u8 command, const u8 *data, size_t bytes)
{
	u16 pairs;

	if (command || bytes < 2 || !mhi_vdev_has(&v->dev, NET_F_MQ))
		return false;
	pairs = mhi_get_le16(data);
	if (!pairs || pairs > v->pairs_max)
		return false;
	v->pairs = pairs;
	v->queues_due = true;
	return true;
}

static bool set_offloads(struct vnet *v, u8 command, const u8 *data, size_t bytes)
{
	u64 offloads;

	if (command || bytes < 8)
		return false;
	offloads = mhi_get_le64(data);
	if (offloads & ~(v->dev.accepted & NET_GUEST_OFFLOADS))
		return false;
	v->offloads = offloads;
	v->queues_due = true;
	return true;
}

static bool obey(struct vnet *v, u8 class, u8 command, const u8 *data, size_t bytes)
{
	switch (class) {
	case C_RX:
		return rx_mode(v, command, data, bytes);
	case C_MAC:
		return mac_command(v, command, data, bytes);
	case C_VLAN:
		return vlan_command(v, command, data, bytes);
	case C_ANNOUNCE:
		v->dev.config[NET_C_STATUS] &= (u8)~NET_S_ANNOUNCE;
		return command == 0;
	case C_MQ:
		return set_pairs(v, command, data, bytes);
	case C_OFFLOADS:
		return set_offloads(v, command, data, bytes);
	default:
		return false;
	}
}

/* Every command gets an answer: drivers wait for it. */
void vnet_ctrl_kick(struct vnet *v, u32 q)
{
	for (unsigned int n = 0; n < BATCH; n++) {
		u8 head[HEADER_BYTES + 8] = { 0 }, status;
		size_t bytes;

		if (!mhi_vdev_pop(&v->dev, q, &v->chain))
			return;
		bytes = mhi_chain_read(&v->chain, 0, head, sizeof(head));
		status = bytes >= HEADER_BYTES && obey(v, head[0], head[1], head + HEADER_BYTES,
						       bytes - HEADER_BYTES)
				 ? S_OK
				 : S_ERR;
		mhi_vdev_push(&v->dev, q, v->chain.id,
			      (u32)mhi_chain_write(&v->chain, 0, &status, sizeof(status)));
	}
	mhi_vdev_again(&v->dev, q);
}

/* SPDX-License-Identifier: MIT */
/*
 * Checksums and segmentation in software. RFC 1071 "Computing the Internet Checksum", RFC 9293
 * "Transmission Control Protocol", 3.1 "Header Format"; virtio 1.2, 5.1.6.2 "Packet Transmission".
 */
#include "virtio/net_frame.h"

#include <string.h>

#include "core/le.h"

#define ETHERNET 14
#define ETHERTYPE_AT 12
#define VLAN_TAG 4
#define VLAN_TAGS_MAX 2
#define TYPE_IP4 0x0800
#define TYPE_IP6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_QINQ 0x88a8

#define IP4_BYTES 20
#define IP4_LENGTH 2
#define IP4_ID 4
#define IP4_CHECKSUM 10
#define IP4_ADDRESSES 12
#define IP6_BYTES 40
#define IP6_LENGTH 4
#define IP6_ADDRESSES 8
#define PROTOCOL_TCP 6

#define TCP_BYTES 20
#define TCP_SEQUENCE 4
#define TCP_OFFSET 12
#define TCP_FLAGS 13
#define TCP_CHECKSUM 16
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

/* ---- big-endian ---- */

static u16 get16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static void put16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

static u32 get32(const u8 *p)
{
	return (u32)get16(p) << 16 | get16(p + 2);
}

static void put32(u8 *p, u32 v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* ---- the header ---- */

struct mhi_net_todo mhi_net_todo_get(const u8 *hdr)
{
	return (struct mhi_net_todo){
		.flags = hdr[MHI_NET_FLAGS],
		.gso = hdr[MHI_NET_GSO],
		.hdr_len = mhi_get_le16(hdr + MHI_NET_HDR_LEN),
		.gso_size = mhi_get_le16(hdr + MHI_NET_GSO_SIZE),
		.csum_start = mhi_get_le16(hdr + MHI_NET_CSUM_START),
		.csum_offset = mhi_get_le16(hdr + MHI_NET_CSUM_OFFSET),
	};
}

u32 mhi_net_todo_needs(const struct mhi_net_todo *todo)
{
	u32 needs = todo->flags & MHI_NET_NEEDS_CSUM ? MHI_NET_CSUM : 0;

	if ((todo->gso & ~MHI_NET_GSO_ECN) == MHI_NET_GSO_TCP4)
		needs |= MHI_NET_TSO4;
	if ((todo->gso & ~MHI_NET_GSO_ECN) == MHI_NET_GSO_TCP6)
		needs |= MHI_NET_TSO6;
	if (todo->gso & MHI_NET_GSO_ECN)
		needs |= MHI_NET_ECN;
	return needs;
}

bool mhi_net_todo_sane(const struct mhi_net_todo *todo, u64 bytes)
{
	u32 needs = mhi_net_todo_needs(todo);

	if (bytes < MHI_NET_FRAME_MIN || bytes > MHI_NET_FRAME_MAX)
		return false;
	if ((needs & MHI_NET_CSUM) &&
	    (u64)todo->csum_start + todo->csum_offset + sizeof(u16) > bytes)
		return false;
	if (!todo->gso)
		return true;
	/* 5.1.6.2.1: segmentation goes with a checksum; ECN and nothing else is no kind of it. */
	return (needs & (MHI_NET_TSO4 | MHI_NET_TSO6)) && (needs & MHI_NET_CSUM) &&
	       todo->gso_size >= MHI_NET_GSO_SIZE_MIN;
}

/* ---- checksums ---- */

/* Of bytes from an even position on. */
static u64 add_bytes(u64 sum, const u8 *p, size_t bytes)
{
	u32 word;
	u16 last = 0;

	for (; bytes >= sizeof(word); bytes -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (bytes >= sizeof(last)) {
		memcpy(&last, p, sizeof(last));
		sum += last;
		p += sizeof(last);
		bytes -= sizeof(last);
		last = 0;
	}
	if (bytes) {
		memcpy(&last, p, 1);
		sum += last;
	}
	return sum;
}

/* In the byte order of the bytes that were added; 0 is never the result of a packet's sum. */
static u16 fold(u64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

static void store_sum(u8 *p, u64 sum)
{
	u16 folded = fold(sum);

	/* To UDP, 0 means that there is no checksum; to all, 0xffff is the same number. */
	if (!folded)
		folded = 0xffff;
	memcpy(p, &folded, sizeof(folded));
}

void mhi_net_checksum(const struct mhi_net_todo *todo, u8 *frame, size_t bytes)
{
	u8 *start = frame + todo->csum_start;

	/* The driver left the sum of the pseudo header in the field. */
	store_sum(start + todo->csum_offset, add_bytes(0, start, bytes - todo->csum_start));
}

/* ---- segments ---- */

static size_t network_offset(const u8 *frame, size_t bytes, u16 *type)
{
	size_t at = ETHERTYPE_AT;

	for (unsigned int tags = 0; tags <= VLAN_TAGS_MAX; tags++) {
		if (at + 2 > bytes)
			break;
		*type = get16(frame + at);
		if (*type != TYPE_VLAN && *type != TYPE_QINQ)
			return at + 2;
		at += VLAN_TAG;
	}
	*type = 0;
	return bytes;
}

bool mhi_net_cut_begin(struct mhi_net_cut *cut, const struct mhi_net_todo *todo, const u8 *frame,
		       size_t bytes)
{
	size_t tcp = todo->csum_start, ip;
	u16 type;

	ip = network_offset(frame, bytes, &type);
	*cut = (struct mhi_net_cut){ .todo = todo, .frame = frame, .bytes = bytes, .network = ip };
	cut->v6 = mhi_net_todo_needs(todo) & MHI_NET_TSO6;
	if (todo->csum_offset != TCP_CHECKSUM || type != (cut->v6 ? TYPE_IP6 : TYPE_IP4))
		return false;
	if (tcp < ip + (cut->v6 ? IP6_BYTES : IP4_BYTES) || tcp + TCP_BYTES > bytes)
		return false;
	if (!cut->v6 && (frame[ip] & 0x0f) * 4u != tcp - ip)
		return false;
	cut->headers = tcp + (frame[tcp + TCP_OFFSET] >> 4) * 4u;
	return cut->headers >= tcp + TCP_BYTES && cut->headers <= bytes &&
	       cut->headers <= MHI_NET_HEADERS_MAX;
}

static void fix_network(const struct mhi_net_cut *cut, u8 *headers, size_t payload)
{
	u8 *ip = headers + cut->network;
	size_t length = cut->headers - cut->network + payload;

	if (cut->v6) {
		put16(ip + IP6_LENGTH, (u32)(length - IP6_BYTES));
		return;
	}
	put16(ip + IP4_LENGTH, (u32)length);
	put16(ip + IP4_ID, get16(ip + IP4_ID) + cut->index);
	memset(ip + IP4_CHECKSUM, 0, sizeof(u16));
	store_sum(ip + IP4_CHECKSUM, add_bytes(0, ip, cut->todo->csum_start - cut->network));
}

static void fix_tcp(const struct mhi_net_cut *cut, u8 *headers, const u8 *payload, size_t bytes)
{
	size_t at = cut->todo->csum_start, length = cut->headers - at + bytes;
	const u8 *ip = headers + cut->network;
	u8 *tcp = headers + at, pseudo[4];
	bool last = cut->headers + cut->at + bytes == cut->bytes;
	u64 sum;

	put32(tcp + TCP_SEQUENCE, get32(tcp + TCP_SEQUENCE) + (u32)cut->at);
	if (!last)
		tcp[TCP_FLAGS] &= (u8) ~(TCP_FIN | TCP_PSH);
	/* RFC 3168, 6.1.2: the congestion window is reduced once. */
	if (cut->index)
		tcp[TCP_FLAGS] &= (u8)~TCP_CWR;
	memset(tcp + TCP_CHECKSUM, 0, sizeof(u16));
	put16(pseudo, PROTOCOL_TCP);
	put16(pseudo + 2, (u32)length);
	sum = add_bytes(0, pseudo, sizeof(pseudo));
	sum = cut->v6 ? add_bytes(sum, ip + IP6_ADDRESSES, 32)
		      : add_bytes(sum, ip + IP4_ADDRESSES, 8);
	/* Headers are multiples of 4 bytes long. */
	sum = add_bytes(sum, tcp, cut->headers - at);
	store_sum(tcp + TCP_CHECKSUM, add_bytes(sum, payload, bytes));
}

bool mhi_net_cut_next(struct mhi_net_cut *cut, u8 *headers, struct iovec *payload)
{
	size_t left = cut->bytes - cut->headers - cut->at, n = cut->todo->gso_size;
	const u8 *from = cut->frame + cut->headers + cut->at;

	if (cut->index && !left)
		return false;
	if (n > left)
		n = left;
	memcpy(headers, cut->frame, cut->headers);
	fix_network(cut, headers, n);
	fix_tcp(cut, headers, from, n);
	*payload = (struct iovec){ (void *)(uintptr_t)from, n };
	cut->at += n;
	cut->index++;
	return true;
}

/* SPDX-License-Identifier: MIT */
/* Doing in software what a frame's header leaves to do: checksums, cutting TCP into segments. */
#ifndef MHI_VIRTIO_NET_FRAME_H
#define MHI_VIRTIO_NET_FRAME_H

#include "core/net.h"

/* The header, as read once. */
struct mhi_net_todo {
	u8 flags, gso;
	u16 hdr_len, gso_size, csum_start, csum_offset;
};

struct mhi_net_todo mhi_net_todo_get(const u8 *hdr);
/* Offloads that the frame asks for. */
u32 mhi_net_todo_needs(const struct mhi_net_todo *todo);
/*
 * No TCP has smaller segments: what Linux, whose are the smallest, leaves of its least MSS when all
 * options are set (TCP_MIN_GSO_SIZE).
 */
#define MHI_NET_GSO_SIZE_MIN 8
/* Can a frame of so many bytes be as its header says? */
bool mhi_net_todo_sane(const struct mhi_net_todo *todo, u64 bytes);

/*
 * Compute the checksum that a sane header leaves to do.
 */
void mhi_net_checksum(const struct mhi_net_todo *todo, u8 *frame, size_t bytes);

/* Cutting a frame with a sane header, which stays in memory, into segments. */
#define MHI_NET_HEADERS_MAX 256

struct mhi_net_cut {
	const struct mhi_net_todo *todo;
	const u8 *frame;
	size_t bytes, headers; /* headers: of the link, the network and TCP */
	size_t network;	       /* offset of the network's header */
	bool v6;
	size_t at; /* of the payload: what was cut off */
	u32 index; /* of the next segment */
};

/* False: it is no TCP over IPv4 or IPv6 as the header says. */
bool mhi_net_cut_begin(struct mhi_net_cut *cut, const struct mhi_net_todo *todo, const u8 *frame,
		       size_t bytes);
/*
 * The next segment: its headers, complete, to headers [MHI_NET_HEADERS_MAX], and where its payload
 * is. False: there are no more.
 */
bool mhi_net_cut_next(struct mhi_net_cut *cut, u8 *headers, struct iovec *payload);

#endif

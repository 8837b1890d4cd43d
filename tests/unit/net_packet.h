/* SPDX-License-Identifier: MIT */
/* Packets for tests, and checksums computed the slow way, as RFC 1071 defines them. */
#ifndef TESTS_NET_PACKET_H
#define TESTS_NET_PACKET_H

#include <string.h>

#include "base/types.h"

#define PACKET_ETHERNET 14

static inline u16 be16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static inline u32 be32(const u8 *p)
{
	return (u32)be16(p) << 16 | be16(p + 2);
}

static inline void set16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

/* One's complement addition of big-endian words; the last byte is padded with zero. */
static inline u32 slow_sum(u32 sum, const u8 *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 2) {
		sum += (u32)(p[i] << 8 | (i + 1 < bytes ? p[i + 1] : 0));
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

/* Of TCP or UDP at l4 with its pseudo header. 0xffff: its checksum is right. */
static inline u32 slow_l4(const u8 *ip, bool v6, u8 protocol, const u8 *l4, size_t bytes)
{
	u8 tail[4] = { 0, protocol, (u8)(bytes >> 8), (u8)bytes };
	u32 sum = slow_sum(0, ip + (v6 ? 8 : 12), v6 ? 32 : 8);

	return slow_sum(slow_sum(sum, tail, sizeof(tail)), l4, bytes);
}

struct packet {
	u8 data[70000];
	size_t bytes, ip, l4, payload; /* offsets of headers */
	bool v6;
};

/*
 * TCP from port 1000 to 2000 with so many bytes of payload, options of tcp_options bytes, and the
 * sum of the pseudo header in the checksum, as a driver leaves it.
 */
static inline void make_tcp(struct packet *p, bool v6, bool vlan, u32 tcp_options, size_t payload)
{
	size_t tcp;
	u8 *ip, *l4, pseudo[4] = { 0, 6, 0, 0 };

	memset(p, 0, sizeof(*p));
	memset(p->data, 2, 12);
	p->v6 = v6;
	p->ip = PACKET_ETHERNET + (vlan ? 4 : 0);
	if (vlan) {
		set16(p->data + 12, 0x8100);
		set16(p->data + 14, 5);
	}
	set16(p->data + p->ip - 2, v6 ? 0x86dd : 0x0800);
	p->l4 = p->ip + (v6 ? 40 : 20);
	p->payload = p->l4 + 20 + tcp_options;
	p->bytes = p->payload + payload;
	tcp = p->bytes - p->l4;
	ip = p->data + p->ip;
	l4 = p->data + p->l4;
	ip[0] = v6 ? 0x60 : 0x45;
	set16(ip + (v6 ? 4 : 2), (u32)(tcp + (v6 ? 0 : 20)));
	ip[v6 ? 6 : 9] = 6;
	for (unsigned int i = 0; i < (v6 ? 32 : 8); i++)
		ip[(v6 ? 8 : 12) + i] = (u8)(17 * i + 3);
	if (!v6)
		set16(ip + 4, 0xfffe);
	set16(l4, 1000);
	set16(l4 + 2, 2000);
	set16(l4 + 4, 0xffff); /* the sequence number will carry */
	set16(l4 + 6, 0xf000);
	l4[12] = (u8)((20 + tcp_options) / 4 << 4);
	l4[13] = 0x10 | 0x80 | 0x08 | 0x01; /* ACK, CWR, PSH, FIN */
	for (size_t i = 0; i < payload; i++)
		p->data[p->payload + i] = (u8)(i * 7 + i / 251);
	set16(pseudo + 2, (u32)tcp);
	set16(l4 + 16, slow_sum(slow_sum(0, ip + (v6 ? 8 : 12), v6 ? 32 : 8), pseudo, 4));
}

#endif

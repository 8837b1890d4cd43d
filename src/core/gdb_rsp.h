/* SPDX-License-Identifier: MIT */
/*
 * GDB's remote serial protocol, the lowest layer: bytes to packets and back. Pure; the peer may
 * send anything. GDB manual, appendix E "GDB Remote Serial Protocol", E.1 "Overview".
 */
#ifndef MHI_CORE_GDB_RSP_H
#define MHI_CORE_GDB_RSP_H

#include "base/types.h"

#define MHI_RSP_PACKET 0x4000u /* bytes of a packet's body, escaped */

enum mhi_rsp_event {
	MHI_RSP_NOTHING,
	MHI_RSP_PACKET_IN, /* body[bytes], unescaped */
	MHI_RSP_BREAK,	   /* Ctrl-C */
	MHI_RSP_AGAIN,	   /* the peer wants the last packet once more */
	MHI_RSP_BAD,	   /* a wrong checksum, or too long: ask for it again */
};

struct mhi_rsp_in {
	u8 body[MHI_RSP_PACKET + 1]; /* ends in a NUL that does not count */
	u32 bytes;
	enum { MHI_RSP_IDLE, MHI_RSP_BODY, MHI_RSP_SUM_HIGH, MHI_RSP_SUM_LOW } at;
	u8 sum, told; /* checksums: of the bytes, and as the peer says */
	bool escape, too_long;
};

enum mhi_rsp_event mhi_rsp_feed(struct mhi_rsp_in *in, u8 byte);

/* A packet that is written; what does not fit is left out, and overflow says so. */
struct mhi_rsp_out {
	u8 data[MHI_RSP_PACKET + 8];
	u32 bytes; /* of the whole packet */
	u8 sum;
	bool overflow;
};

void mhi_rsp_begin(struct mhi_rsp_out *out);
void mhi_rsp_text(struct mhi_rsp_out *out, const char *text);
void mhi_rsp_binary(struct mhi_rsp_out *out, const void *data, size_t bytes); /* escaped */
void mhi_rsp_hex(struct mhi_rsp_out *out, const void *data, size_t bytes);
void mhi_rsp_number(struct mhi_rsp_out *out, u64 value); /* hexadecimal, no leading zeros */
void mhi_rsp_end(struct mhi_rsp_out *out);

/* ---- reading a body ---- */

/* Takes a hexadecimal number of at most 64 bits off *at; false: there is none. */
bool mhi_rsp_take_number(const char **at, u64 *value);
/* Takes that text off *at, or leaves *at. */
bool mhi_rsp_take(const char **at, const char *text);
/* Takes 2 * bytes digits; false: they are not there, and data may have changed. */
bool mhi_rsp_take_hex(const char **at, void *data, size_t bytes);

#endif

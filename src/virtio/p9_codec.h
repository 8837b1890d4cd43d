/* SPDX-License-Identifier: MIT */
/*
 * Bytes of 9P messages: bounded reading and writing of integers and strings. Nothing allocates. A
 * failed access sets a flag that is looked at once, at the message's end; until then reads give
 * zeros.
 */
#ifndef MHI_VIRTIO_P9_CODEC_H
#define MHI_VIRTIO_P9_CODEC_H

#include "virtio/sg.h"
#include "virtio/tree_name.h"

struct mhi_p9_in {
	const u8 *p;
	size_t left;
	bool bad;
};

struct mhi_p9_out {
	u8 *p;
	size_t used, room;
	bool full;
};

/* Bytes of the message, not terminated. */
struct mhi_p9_str {
	const char *p;
	u16 len;
};

struct mhi_p9_qid {
	u8 type;
	u32 version;
	u64 path;
};

u8 mhi_p9_get8(struct mhi_p9_in *in);
u16 mhi_p9_get16(struct mhi_p9_in *in);
u32 mhi_p9_get32(struct mhi_p9_in *in);
u64 mhi_p9_get64(struct mhi_p9_in *in);
struct mhi_p9_str mhi_p9_get_str(struct mhi_p9_in *in);

void mhi_p9_put8(struct mhi_p9_out *out, u8 v);
void mhi_p9_put16(struct mhi_p9_out *out, u16 v);
void mhi_p9_put32(struct mhi_p9_out *out, u32 v);
void mhi_p9_put64(struct mhi_p9_out *out, u64 v);
/* At most 65535 bytes of it. */
void mhi_p9_put_str(struct mhi_p9_out *out, const char *p, size_t len);
void mhi_p9_put_qid(struct mhi_p9_out *out, const struct mhi_p9_qid *qid);

bool mhi_p9_str_is(struct mhi_p9_str s, const char *text);
/*
 * The string with a terminator. 0; -EINVAL for an empty string or a NUL in it, -ENAMETOOLONG when
 * it and its terminator do not fit.
 */
int mhi_p9_str_copy(struct mhi_p9_str s, char *buf, size_t room);
/* A file's name in its folder, by mhi_tree_name. */
int mhi_p9_name(struct mhi_p9_str s, char *buf);

#endif

/* SPDX-License-Identifier: MIT */
/* Little-endian integers and strings of 9P messages. */
#include "virtio/p9_codec.h"

#include <errno.h>

#include "core/le.h"

/* The next n bytes, NULL when they are not there. */
static const u8 *take(struct mhi_p9_in *in, size_t n)
{
	const u8 *p = in->p;

	if (in->bad || in->left < n) {
		in->bad = true;
		return NULL;
	}
	in->p += n;
	in->left -= n;
	return p;
}

u8 mhi_p9_get8(struct mhi_p9_in *in)
{
	const u8 *p = take(in, 1);

	return p ? *p : 0;
}

u16 mhi_p9_get16(struct mhi_p9_in *in)
{
	const u8 *p = take(in, 2);

	return p ? mhi_get_le16(p) : 0;
}

u32 mhi_p9_get32(struct mhi_p9_in *in)
{
	const u8 *p = take(in, 4);

	return p ? mhi_get_le32(p) : 0;
}

u64 mhi_p9_get64(struct mhi_p9_in *in)
{
	const u8 *p = take(in, 8);

	return p ? mhi_get_le64(p) : 0;
}

struct mhi_p9_str mhi_p9_get_str(struct mhi_p9_in *in)
{
	u16 len = mhi_p9_get16(in);
	const u8 *p = take(in, len);

	return (struct mhi_p9_str){ (const char *)p, p ? len : 0 };
}

static u8 *make_room(struct mhi_p9_out *out, size_t n)
{
	u8 *p = out->p + out->used;

	if (out->full || out->room - out->used < n) {
		out->full = true;
		return NULL;
	}
	out->used += n;
	return p;
}

void mhi_p9_put8(struct mhi_p9_out *out, u8 v)
{
	u8 *p = make_room(out, 1);

	if (p)
		*p = v;
}

void mhi_p9_put16(struct mhi_p9_out *out, u16 v)
{
	u8 *p = make_room(out, 2);

	if (p)
		mhi_put_le16(p, v);
}

void mhi_p9_put32(struct mhi_p9_out *out, u32 v)
{
	u8 *p = make_room(out, 4);

	if (p)
		mhi_put_le32(p, v);
}

void mhi_p9_put64(struct mhi_p9_out *out, u64 v)
{
	u8 *p = make_room(out, 8);

	if (p)
		mhi_put_le64(p, v);
}

void mhi_p9_put_str(struct mhi_p9_out *out, const char *p, size_t len)
{
	u8 *to;

	if (len > 0xffff)
		len = 0xffff;
	mhi_p9_put16(out, (u16)len);
	to = make_room(out, len);
	if (to && len)
		memcpy(to, p, len);
}

void mhi_p9_put_qid(struct mhi_p9_out *out, const struct mhi_p9_qid *qid)
{
	mhi_p9_put8(out, qid->type);
	mhi_p9_put32(out, qid->version);
	mhi_p9_put64(out, qid->path);
}

bool mhi_p9_str_is(struct mhi_p9_str s, const char *text)
{
	return s.len == strlen(text) && (!s.len || !memcmp(s.p, text, s.len));
}

int mhi_p9_str_copy(struct mhi_p9_str s, char *buf, size_t room)
{
	if (!s.len || memchr(s.p, 0, s.len))
		return -EINVAL;
	if (s.len >= room)
		return -ENAMETOOLONG;
	memcpy(buf, s.p, s.len);
	buf[s.len] = 0;
	return 0;
}

int mhi_p9_name(struct mhi_p9_str s, char *buf)
{
	return mhi_tree_name(s.p, s.len, buf);
}

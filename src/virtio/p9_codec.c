/* SPDX-License-Identifier: MIT */
/* Little-endian integers, strings and scattered bytes of 9P messages. */
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
	if (s.len && memchr(s.p, '/', s.len))
		return -EINVAL;
	if (mhi_p9_str_is(s, ".") || mhi_p9_str_is(s, ".."))
		return -EINVAL;
	return mhi_p9_str_copy(s, buf, MHI_P9_NAME);
}

size_t mhi_p9_iov_bytes(const struct iovec *iov, unsigned int n)
{
	size_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		if (__builtin_add_overflow(sum, iov[i].iov_len, &sum))
			return SIZE_MAX;
	return sum;
}

size_t mhi_p9_iov_get(const struct iovec *iov, unsigned int n, size_t off, void *buf, size_t len)
{
	size_t done = 0;

	for (unsigned int i = 0; i < n && done < len; i++) {
		size_t part = iov[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= off;
		if (part > len - done)
			part = len - done;
		memcpy((u8 *)buf + done, (const u8 *)iov[i].iov_base + off, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t mhi_p9_iov_put(const struct iovec *iov, unsigned int n, size_t off, const void *buf,
		      size_t len)
{
	size_t done = 0;

	for (unsigned int i = 0; i < n && done < len; i++) {
		size_t part = iov[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= off;
		if (part > len - done)
			part = len - done;
		memcpy((u8 *)iov[i].iov_base + off, (const u8 *)buf + done, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t mhi_p9_slice(struct mhi_p9_slice *s, const struct iovec *iov, unsigned int n, size_t off,
		    size_t len)
{
	size_t done = 0;

	s->n = 0;
	for (unsigned int i = 0; i < n && done < len && s->n < MHI_COUNT(s->iov); i++) {
		size_t part = iov[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= off;
		if (part > len - done)
			part = len - done;
		s->iov[s->n].iov_base = (u8 *)iov[i].iov_base + off;
		s->iov[s->n++].iov_len = part;
		done += part;
		off = 0;
	}
	return done;
}

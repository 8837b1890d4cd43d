// SPDX-License-Identifier: MIT
/*
 * 9P's integers, strings and scattered bytes.
 *
 * header: the header of a request, scattered over segments that the guest chose, is read from those
 * segments only; a request that is too short for one is none.
 * Bounds: two segments of at most 8 bytes. Stubs: mutexes.
 *
 * body: any sequence of three reads from a message's body stays in it, and leaves what it did not
 * read; strings lie in it.
 * Bounds: a body of at most 8 bytes.
 *
 * name: a name that mhi_p9_name accepts is one component of a path, with its end; a copy fits.
 * Bounds: a name of at most 4 bytes.
 *
 * reply: any sequence of four writes stays in its room, and a string too.
 * Bounds: room of at most 16 bytes, a string of at most 8.
 *
 * round: what put writes, get reads.
 *
 * source: src/virtio/p9_codec.c src/virtio/p9_server.c src/virtio/sg.c src/virtio/tree_name.c
 * prove: header --unwind 4
 * fault: header src/virtio/sg.c s/if (part > len - done)/if (part > len)/
 * fault: header src/virtio/p9_codec.c s/in->left < n/in->left + 1 < n/
 * prove: body --unwind 5
 * fault: body src/virtio/p9_codec.c s/in->left < n/in->left + 1 < n/
 * prove: name --unwind 6
 * fault: name src/virtio/p9_codec.c s/s.len >= room/s.len > room/
 * fault: name src/virtio/tree_name.c s/memchr(name, '\/', len)/false/
 * prove: reply --unwind 10
 * fault: reply src/virtio/p9_codec.c s/out->room - out->used < n/out->room < n/
 * prove: round --unwind 10
 * fault: round src/virtio/p9_codec.c s/mhi_put_le32(p, v)/mhi_put_le32(p, v + (v == 77))/
 */
#include "proof.h"
#include "virtio/p9_server.h"

int pthread_mutex_lock(pthread_mutex_t *lock)
{
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *lock)
{
	return 0;
}

/* CBMC has none. */
void *memchr(const void *p, int c, size_t n)
{
	const u8 *at = p;

	for (; n; n--, at++)
		if (*at == (u8)c)
			return (void *)at;
	return NULL;
}

void header(void)
{
	static struct mhi_p9_server server;
	static u8 first_bytes[8], second_bytes[8];
	u8 *const bytes[2] = { first_bytes, second_bytes };
	struct mhi_p9_req req;
	struct iovec iov[2];
	size_t total;

	ANYTHING(first_bytes);
	ANYTHING(second_bytes);
	ANYTHING(req);
	for (u32 i = 0; i < 2; i++) {
		size_t len = nondet_size();

		ASSUME(len <= 8);
		iov[i] = (struct iovec){ bytes[i] + 8 - len, len };
	}
	req.out = iov;
	req.outs = nondet_u32();
	ASSUME(req.outs <= 2);
	total = mhi_sg_bytes(iov, req.outs);
	mhi_p9_server_begin(&server, &req);
	CLAIM(total >= 7 || req.size == 0);
	CLAIM(server.newest == &req && server.oldest == &req);
}

static bool is_component(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!name[i] || name[i] == '/')
			return false;
	return len && !(len == 1 && name[0] == '.') &&
	       !(len == 2 && name[0] == '.' && name[1] == '.');
}

void body(void)
{
	static u8 message[8];
	size_t left = nondet_size();
	struct mhi_p9_str s = { 0 };
	struct mhi_p9_in in;

	ANYTHING(message);
	ASSUME(left <= sizeof(message));
	in = (struct mhi_p9_in){ message + sizeof(message) - left, left, false };
	for (u32 n = 0; n < 3; n++) {
		switch (nondet_u8() % 5) {
		case 0:
			mhi_p9_get8(&in);
			break;
		case 1:
			mhi_p9_get16(&in);
			break;
		case 2:
			mhi_p9_get32(&in);
			break;
		case 3:
			mhi_p9_get64(&in);
			break;
		default:
			s = mhi_p9_get_str(&in);
		}
	}
	CLAIM(in.left <= left && in.p + in.left == message + sizeof(message));
	CLAIM(!s.len || READABLE(s.p, s.len));
}

void name(void)
{
	static char text[4], component[MHI_TREE_NAME], copy[3];
	struct mhi_p9_str s;

	ANYTHING(text);
	s.len = nondet_u16();
	ASSUME(s.len <= sizeof(text));
	s.p = text + sizeof(text) - s.len;
	if (!mhi_p9_name(s, component))
		CLAIM(is_component(component, s.len) && !component[s.len]);
	if (!mhi_p9_str_copy(s, copy, sizeof(copy)))
		CLAIM(s.len < sizeof(copy) && !copy[s.len]);
}

void reply(void)
{
	static u8 message[16];
	static char text[8];
	size_t room = nondet_size(), len = nondet_size();
	struct mhi_p9_out out;

	ASSUME(room <= sizeof(message) && len <= sizeof(text));
	out = (struct mhi_p9_out){ message + sizeof(message) - room, 0, room, false };
	for (u32 n = 0; n < 4; n++) {
		switch (nondet_u8() % 5) {
		case 0:
			mhi_p9_put8(&out, nondet_u8());
			break;
		case 1:
			mhi_p9_put16(&out, nondet_u16());
			break;
		case 2:
			mhi_p9_put32(&out, nondet_u32());
			break;
		case 3:
			mhi_p9_put64(&out, nondet_u64());
			break;
		default:
			mhi_p9_put_str(&out, text + sizeof(text) - len, len);
		}
		CLAIM(out.used <= out.room);
	}
}

void round(void)
{
	u8 message[32];
	struct mhi_p9_out out = { message, 0, sizeof(message), false };
	struct mhi_p9_in in = { message, sizeof(message), false };
	char text[3] = { (char)nondet_u8(), (char)nondet_u8(), (char)nondet_u8() };
	u64 v = nondet_u64();
	struct mhi_p9_str s;

	mhi_p9_put64(&out, v);
	mhi_p9_put_str(&out, text, sizeof(text));
	mhi_p9_put32(&out, (u32)v);
	mhi_p9_put16(&out, (u16)v);
	mhi_p9_put8(&out, (u8)v);
	CLAIM(!out.full);
	CLAIM(mhi_p9_get64(&in) == v);
	s = mhi_p9_get_str(&in);
	CLAIM(s.len == 3 && s.p[0] == text[0] && s.p[1] == text[1] && s.p[2] == text[2]);
	CLAIM(mhi_p9_get32(&in) == (u32)v);
	CLAIM(mhi_p9_get16(&in) == (u16)v);
	CLAIM(mhi_p9_get8(&in) == (u8)v);
	CLAIM(!in.bad);
}

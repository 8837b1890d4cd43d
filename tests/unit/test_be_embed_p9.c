/* SPDX-License-Identifier: MIT */
/*
 * A 9P server of the embedder's: what he is asked, which of his answers the guest sees, what both
 * get of requests and chains that make no sense.
 */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <unistd.h>

#include "core/le.h"
#include "fake_pool.h"
#include "vdriver.h"
#include "virtio/be_embed.h"
#include "virtio/p9_dev.h"
#include "virtio/p9_proto.h"

#define MEMORY 8192u
#define PIECES 4096u

/* ---- the embedder ---- */

/* What is answered, if it is not what was asked for. */
struct lie {
	int bytes; /* returned */
	u32 size;  /* of the header */
	u8 type;
	int tag;   /* added to the request's */
	u32 error; /* what the guest gets; 0: this */
};

static struct {
	u8 request[MEMORY]; /* the last */
	u32 bytes, room;
	unsigned int answers, resets, closes;
	const struct lie *lie;
	u32 msize;	     /* of Rversion; 0: Tversion's */
	const char *version; /* of Rversion; NULL: Tversion's */
	u32 extra;	     /* bytes of Rversion that are not its own */
	sem_t go;	     /* a Tread's answer waits for it, a Tflush's gives it */
} host;

static int put_head(u8 *answer, u32 size, u8 type, u16 tag)
{
	mhi_put_le32(answer, size);
	answer[4] = type;
	mhi_put_le16(answer + 5, tag);
	return (int)size;
}

static int answer_version(const u8 *request, u8 *answer)
{
	u16 len = mhi_get_le16(request + 11);

	memcpy(answer + 7, request + 7, 6u + len);
	if (host.msize)
		mhi_put_le32(answer + 7, host.msize);
	if (host.version) {
		len = (u16)strlen(host.version);
		mhi_put_le16(answer + 11, len);
		memcpy(answer + 13, host.version, len);
	}
	return put_head(answer, 13u + len + host.extra, P9_TVERSION + 1, P9_NOTAG);
}

static int answer(void *opaque, const void *request, u32 bytes, void *reply, u32 room)
{
	const u8 *t = request;
	u16 tag = mhi_get_le16(t + 5);

	ck_assert_ptr_eq(opaque, &host);
	ck_assert_uint_eq(mhi_get_le32(t), bytes);
	if (t[4] == P9_TREAD)
		sem_wait(&host.go);
	if (t[4] == P9_TFLUSH)
		sem_post(&host.go);
	if (t[4] == P9_TREAD || t[4] == P9_TFLUSH)
		return put_head(reply, P9_HEADER, t[4] + 1, tag);
	memcpy(host.request, request, bytes < MEMORY ? bytes : MEMORY);
	host.bytes = bytes;
	host.room = room;
	host.answers++;
	if (host.lie) {
		memset(reply, 0, room);
		put_head(reply, host.lie->size, host.lie->type, (u16)(tag + host.lie->tag));
		return host.lie->bytes;
	}
	return t[4] == P9_TVERSION ? answer_version(t, reply)
				   : put_head(reply, P9_HEADER, t[4] + 1, tag);
}

static void count_reset(void *opaque)
{
	host.resets++;
}

static void count_close(void *opaque)
{
	ck_assert_ptr_eq(opaque, &host);
	host.closes++;
}

static const struct mh_p9_ops ops = { 1, answer, count_reset, count_close };

/* ---- the guest ---- */

static struct mhi_p9_server *server;
static struct mhi_p9_req req;
static u8 request[MEMORY], reply[MEMORY];

static unsigned int cut(struct iovec *iov, u8 *memory, u32 bytes, u32 piece)
{
	unsigned int n = 0;

	for (u32 at = 0; at < bytes; at += piece)
		iov[n++] = (struct iovec){ memory + at, bytes - at < piece ? bytes - at : piece };
	return n;
}

/* In pieces; the reply's bytes. */
static u32 ask_pieces(u32 bytes, u32 room, u32 piece)
{
	static struct iovec out[PIECES], in[PIECES];

	memset(reply, 0xa5, sizeof(reply));
	req = (struct mhi_p9_req){ .out = out, .in = in };
	req.outs = cut(out, request, bytes, piece);
	req.ins = cut(in, reply, room, piece);
	mhi_p9_server_begin(server, &req);
	server->ops->run(server, &req);
	mhi_p9_server_end(server, &req);
	ck_assert_uint_le(req.replied, room);
	if (req.replied < sizeof(reply))
		ck_assert_uint_eq(reply[req.replied], 0xa5);
	return req.replied;
}

static u32 ask(u32 bytes)
{
	return ask_pieces(bytes, 64, MEMORY);
}

static u32 put_version(u32 msize, const char *version)
{
	u16 len = (u16)strlen(version);

	mhi_put_le32(request + 7, msize);
	mhi_put_le16(request + 11, len);
	memcpy(request + 13, version, len);
	return (u32)put_head(request, 13u + len, P9_TVERSION, P9_NOTAG);
}

static u32 put_clunk(u16 tag)
{
	mhi_put_le32(request + 7, 1);
	return (u32)put_head(request, 11, P9_TCLUNK, tag);
}

static void ck_rlerror(u32 bytes, u16 tag, u32 error)
{
	ck_assert_uint_eq(bytes, 11);
	ck_assert_uint_eq(mhi_get_le32(reply), 11);
	ck_assert_uint_eq(reply[4], P9_RLERROR);
	ck_assert_uint_eq(mhi_get_le16(reply + 5), tag);
	ck_assert_uint_eq(mhi_get_le32(reply + 7), error);
}

static void set_up(void)
{
	memset(&host, 0, sizeof(host));
	sem_init(&host.go, 0, 0);
	ck_assert_int_eq(mhi_embed_p9_create(&ops, &host, &server), 0);
	*mhi_embed_p9_adopted(server) = true;
}

static void tear_down(void)
{
	if (server)
		server->ops->destroy(server);
	ck_assert_uint_eq(host.closes, 1);
	sem_destroy(&host.go);
}

static void agree(u32 msize, const char *version)
{
	u32 bytes = put_version(msize, version);

	ck_assert_uint_eq(ask(bytes), bytes);
	ck_assert_uint_eq(reply[4], P9_TVERSION + 1);
	host.answers = 0;
}

/* ---- tests ---- */

START_TEST(whole_messages)
{
	static const u32 pieces[] = { 1, 3, 7, MEMORY };

	/* Nothing before a version; no version that is no version. */
	ck_rlerror(ask(put_clunk(1)), 1, EOPNOTSUPP);
	ck_rlerror(ask(put_version(4095, "9P2000.L")), P9_NOTAG, EINVAL);
	put_version(8192, "9P2000.L");
	mhi_put_le16(request + 11, 9);
	ck_rlerror(ask(21), P9_NOTAG, EINVAL);
	ck_assert_uint_eq(host.answers, 0);
	/* The msize is the device's at most. */
	ck_assert_uint_eq(ask(put_version(~0u, "9P2000.L")), 21);
	ck_assert_uint_eq(mhi_get_le32(host.request + 7), 1 << 20);
	ck_assert_uint_eq(mhi_get_le32(reply + 7), 1 << 20);
	agree(4096, "9P2000.L");
	for (unsigned int n = 0; n < MHI_COUNT(pieces); n++) {
		memset(request, 0x5a, sizeof(request));
		put_head(request, 4096, P9_TWRITE, 7);
		ck_assert_uint_eq(ask_pieces(4096, 4000, pieces[n]), P9_HEADER);
		ck_assert(host.bytes == 4096 && !memcmp(host.request, request, 4096));
		ck_assert_uint_eq(host.room, 4000);
		ck_assert_uint_eq(mhi_get_le16(reply + 5), 7);
	}
	/* More in the chain than in the message; more room than the msize. */
	ck_assert_uint_eq(ask_pieces(8000, 8000, 99), P9_HEADER);
	ck_assert(host.bytes == 4096 && host.room == 4096);
	ck_assert_uint_eq(host.answers, MHI_COUNT(pieces) + 1);
}
END_TEST

START_TEST(nonsense)
{
	static const u8 types[] = { P9_RLERROR - 1, P9_RERROR - 1, P9_TCLUNK + 1, P9_RERROR, 255 };

	agree(4096, "9P2000.L");
	/* No message, half a header, no room, too little for a header, for an error. */
	ck_assert_uint_eq(ask_pieces(0, 64, 64), 0);
	ck_assert_uint_eq(ask_pieces(5, 64, 64), 0);
	ck_assert_uint_eq(ask_pieces(put_clunk(1), 0, 64), 0);
	ck_assert_uint_eq(ask_pieces(put_clunk(1), 6, 1), 0);
	put_head(request, 6, P9_TCLUNK, 1);
	ck_assert_uint_eq(ask_pieces(11, 10, 64), 0);
	ck_rlerror(ask(11), 1, EINVAL);
	/* A size that the chain does not have, or the session. */
	put_head(request, 12, P9_TCLUNK, 1);
	ck_rlerror(ask(11), 1, EINVAL);
	put_head(request, ~0u, P9_TCLUNK, 1);
	ck_rlerror(ask(11), 1, EINVAL);
	put_head(request, 4097, P9_TWRITE, 1);
	ck_rlerror(ask(MEMORY), 1, EMSGSIZE);
	put_head(request, 8, P9_TFLUSH, 1);
	ck_rlerror(ask(8), 1, EINVAL);
	for (unsigned int n = 0; n < MHI_COUNT(types); n++) {
		put_head(request, 11, types[n], 2);
		ck_rlerror(ask(11), 2, EOPNOTSUPP);
	}
	ck_assert_uint_eq(host.answers, 0);
	ck_assert(!req.failed);
}
END_TEST

START_TEST(lies)
{
	static const struct lie all[] = {
		{ 7, 7, P9_TCLUNK + 1, 0, 0 },
		{ 64, 64, P9_TCLUNK + 1, 0, 0 },
		{ 11, 11, P9_RLERROR, 0, 0 },
		/* sizes */
		{ 7, 8, P9_TCLUNK + 1, 0, EIO },
		{ 8, 7, P9_TCLUNK + 1, 0, EIO },
		{ 7, ~0u, P9_TCLUNK + 1, 0, EIO },
		{ 6, 6, P9_TCLUNK + 1, 0, EIO },
		{ 0, 7, P9_TCLUNK + 1, 0, EIO },
		{ MH_EIO, 7, P9_TCLUNK + 1, 0, EIO },
		{ -7, (u32)-7, P9_TCLUNK + 1, 0, EIO },
		{ INT_MIN, 0x80000000u, P9_TCLUNK + 1, 0, EIO },
		{ 65, 65, P9_TCLUNK + 1, 0, EIO },
		{ INT_MAX, INT_MAX, P9_TCLUNK + 1, 0, EIO },
		/* tags */
		{ 7, 7, P9_TCLUNK + 1, 1, EIO },
		{ 7, 7, P9_TCLUNK + 1, 0x100, EIO },
		/* types */
		{ 7, 7, P9_TCLUNK, 0, EIO },
		{ 7, 7, P9_TREAD + 1, 0, EIO },
		{ 7, 7, P9_RLERROR, 0, EIO },
		{ 12, 12, P9_RLERROR, 0, EIO },
		{ 9, 9, P9_RERROR, 0, EIO },
	};

	agree(8192, "9P2000.L");
	for (unsigned int n = 0; n < MHI_COUNT(all); n++) {
		u32 got;

		host.lie = &all[n];
		got = ask_pieces(put_clunk((u16)n), 64, 5);
		ck_assert_uint_eq(req.failed, all[n].error != 0);
		if (all[n].error) {
			ck_rlerror(got, (u16)n, all[n].error);
			continue;
		}
		ck_assert_uint_eq(got, all[n].size);
		ck_assert_uint_eq(reply[4], all[n].type);
	}
	ck_assert_uint_eq(host.answers, MHI_COUNT(all));
}
END_TEST

START_TEST(lies_about_versions)
{
	static const struct {
		u32 msize, extra;
	} all[] = { { 8193, 0 }, { 1 << 20, 0 }, { 4095, 0 }, { 0, 1 }, { 0, (u32)-1 } };

	for (unsigned int n = 0; n < MHI_COUNT(all); n++) {
		host.msize = all[n].msize;
		host.extra = all[n].extra;
		ck_rlerror(ask(put_version(8192, "9P2000.L")), P9_NOTAG, EIO);
		ck_assert(req.failed);
		ck_rlerror(ask(put_clunk(1)), 1, EOPNOTSUPP);
	}
	ck_assert_uint_eq(host.answers, MHI_COUNT(all));
	host.msize = host.extra = 0;
	/* None that both know is no lie, and no session. */
	host.version = "unknown";
	ck_assert_uint_eq(ask(put_version(8192, "9P3000")), 20);
	ck_rlerror(ask(put_clunk(1)), 1, EOPNOTSUPP);
	host.version = NULL;
	agree(8192, "9P2000.L");
	ck_assert_uint_eq(ask(put_clunk(1)), P9_HEADER);
}
END_TEST

/* Errors are the dialect's. */
START_TEST(old_dialects)
{
	static const struct lie bad = { 7, 8, 0, 0, 0 }, rlerror = { 11, 11, P9_RLERROR, 0, 0 };
	static const struct lie rerror = { 13, 13, P9_RERROR, 0, 0 };
	u32 text = (u32)strlen(strerror(EIO));

	agree(8192, "9P2000");
	host.lie = &bad;
	ck_assert_uint_eq(ask(put_clunk(1)), 9 + text);
	ck_assert_uint_eq(reply[4], P9_RERROR);
	ck_assert(!memcmp(reply + 9, strerror(EIO), text));
	host.lie = &rlerror;
	ck_assert_uint_eq(ask(put_clunk(1)), 9 + text);
	host.lie = NULL;
	agree(8192, "9P2000.u");
	host.lie = &bad;
	ck_assert_uint_eq(ask(put_clunk(1)), 13 + text);
	ck_assert_uint_eq(mhi_get_le32(reply + 9 + text), EIO);
	host.lie = &rerror;
	ck_assert_uint_eq(ask(put_clunk(1)), 13);
	ck_assert(!req.failed);
}
END_TEST

/* A header that the guest changes after the device has looked at it. */
START_TEST(changing_header)
{
	struct iovec out = { request, 11 }, in = { reply, 64 };

	agree(8192, "9P2000.L");
	put_clunk(5);
	req = (struct mhi_p9_req){ .out = &out, .outs = 1, .in = &in, .ins = 1 };
	mhi_p9_server_begin(server, &req);
	memset(request, 0xff, P9_HEADER);
	server->ops->run(server, &req);
	mhi_p9_server_end(server, &req);
	ck_assert_uint_eq(host.bytes, 11);
	ck_assert(mhi_get_le32(host.request) == 11 && host.request[4] == P9_TCLUNK);
	ck_assert(req.replied == P9_HEADER && mhi_get_le16(reply + 5) == 5);
}
END_TEST

static struct {
	u8 request[16], reply[64];
	struct iovec out, in;
	struct mhi_p9_req req;
	bool answered; /* (a) */
} slow;

static void *run_slow(void *opaque)
{
	server->ops->run(server, &slow.req);
	usleep(50000);
	__atomic_store_n(&slow.answered, true, __ATOMIC_RELEASE);
	mhi_p9_server_end(server, &slow.req);
	return NULL;
}

/* The answer to a flush makes the older call return, and comes after its answer; so do versions. */
static void behind(u32 bytes)
{
	pthread_t thread;

	slow.answered = false;
	put_head(slow.request, 7, P9_TREAD, 3);
	slow.out = (struct iovec){ slow.request, 7 };
	slow.in = (struct iovec){ slow.reply, sizeof(slow.reply) };
	slow.req = (struct mhi_p9_req){ .out = &slow.out, .outs = 1, .in = &slow.in, .ins = 1 };
	mhi_p9_server_begin(server, &slow.req);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_slow, NULL), 0);
	ck_assert_uint_ge(ask(bytes), P9_HEADER);
	ck_assert(__atomic_load_n(&slow.answered, __ATOMIC_ACQUIRE));
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(slow.req.replied, P9_HEADER);
}

START_TEST(order)
{
	agree(8192, "9P2000.L");
	mhi_put_le16(request + 7, 3);
	behind((u32)put_head(request, 9, P9_TFLUSH, 4));
	ck_assert_uint_eq(reply[4], P9_TFLUSH + 1);
	sem_post(&host.go);
	behind(put_version(4096, "9P2000.L"));
	ck_assert_uint_eq(reply[4], P9_TVERSION + 1);
}
END_TEST

/* ---- under the device ---- */

static struct vdriver d;
static struct vring r;

static u32 transact(u32 bytes)
{
	mh_gpa at = vd_alloc(&d, bytes + 64, 1);
	struct vd_buf buf[] = { { at, bytes, false }, { at + bytes, 64, true } };
	u32 len = ~0u;

	memcpy(vd_ptr(&d, at), request, bytes);
	ck_assert_int_ge(vr_add(&r, buf, 2, false), 0);
	vr_kick(&r);
	vd_sync(&d);
	fake_pool_run();
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&r, &len), 0);
	memcpy(reply, vd_ptr(&d, at + bytes), 64);
	return len;
}

static void drive(void)
{
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1 | 1));
	vr_init(&r, &d, 0, 128);
	vd_ok(&d);
}

START_TEST(device)
{
	static const struct lie bad = { 7, 7, P9_TCLUNK + 1, 1, 0 };
	struct mhi_vdev_counts counts;
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;
	unsigned int resets;

	vd_init(&d);
	ck_assert_int_eq(mhi_p9_dev_serve(&d.env, server, "tag", &dev, &err), 0);
	server = NULL; /* the device's */
	vd_attach(&d, dev, false);
	drive();
	ck_assert_uint_eq(transact(put_version(8192, "9P2000.L")), 21);
	ck_assert_uint_eq(transact(put_clunk(1)), P9_HEADER);
	host.lie = &bad;
	ck_rlerror(transact(put_clunk(2)), 2, EIO);
	mhi_vdev_counts(d.dev, &counts);
	ck_assert(counts.requests == 3 && counts.errors == 1);
	host.lie = NULL;
	resets = host.resets;
	vd_set_status(&d, 0);
	ck_assert_uint_eq(host.resets, resets + 1);
	drive();
	ck_rlerror(transact(put_clunk(3)), 3, EOPNOTSUPP);
	ck_assert_uint_eq(host.closes, 0);
	vd_fini(&d);
}
END_TEST

/* What was not attached is not closed, and has a server that is freed. */
START_TEST(not_adopted)
{
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;

	vd_init(&d);
	*mhi_embed_p9_adopted(server) = false;
	ck_assert_int_eq(mhi_p9_dev_serve(&d.env, server, "", &dev, &err), MH_EINVAL);
	ck_assert_uint_eq(host.closes, 0);
	host.closes = 1;
	server = NULL;
	mhi_loop_destroy(d.loop);
	guest_ram_fini(&d.ram);
	mhi_log_fini(&d.log);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, whole_messages);
	tcase_add_test(tcase, nonsense);
	tcase_add_test(tcase, lies);
	tcase_add_test(tcase, lies_about_versions);
	tcase_add_test(tcase, old_dialects);
	tcase_add_test(tcase, changing_header);
	tcase_add_test(tcase, order);
	tcase_add_test(tcase, device);
	tcase_add_test(tcase, not_adopted);
}

UNIT_MAIN("be_embed_p9", add_tests)

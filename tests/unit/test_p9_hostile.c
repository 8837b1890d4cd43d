// SPDX-License-Identifier: MIT
/*
 * A client that means harm, or a guest whose memory is broken: short messages, wrong sizes, numbers
 * that were never given out, ways out of the folder, many threads that pull at the same files.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "long_names.h"
#include "p9_client.h"

static struct p9_client c;

static const char client_id[] = "host";

static void put_wstat(void)
{
	p9_put(&c, P9_TWSTAT, "4222414844", 3, 0, 0, 0, 0, 0, 0, 0ull, ~0u, ~0u);
	mhi_p9_put32(&c.out, ~0u);
	mhi_p9_put64(&c.out, ~0ull);
	for (int i = 0; i < 5; i++)
		mhi_p9_put_str(&c.out, "", 0);
	for (int i = 0; i < 3; i++)
		mhi_p9_put32(&c.out, ~0u);
}

/* A good message of each type; fids 1: a folder, 2: an open file, 3: a file, 4: a new attribute. */
static void put_message(u8 type)
{
	switch (type) {
	case P9_TSTATFS:
		p9_put(&c, type, "4", 1);
		break;
	case P9_TLOPEN:
		p9_put(&c, type, "44", 3, 0);
		break;
	case P9_TLCREATE:
		p9_put(&c, type, "4s444", 1, "new", O_RDWR, 0600, 0);
		break;
	case P9_TSYMLINK:
		p9_put(&c, type, "4ss4", 1, "sym", "target", 0);
		break;
	case P9_TMKNOD:
		p9_put(&c, type, "4s4444", 1, "fifo", S_IFIFO | 0600, 0, 0, 0);
		break;
	case P9_TRENAME:
		p9_put(&c, type, "44s", 3, 1, "moved");
		break;
	case P9_TREADLINK:
		p9_put(&c, type, "4", 3);
		break;
	case P9_TGETATTR:
		p9_put(&c, type, "48", 3, 0x3fffull);
		break;
	case P9_TSETATTR:
		p9_put(&c, type,
		       "44444"
		       "88888",
		       3, 1, 0600, 0, 0, 0ull, 0ull, 0ull, 0ull, 0ull);
		break;
	case P9_TXATTRWALK:
		p9_put(&c, type, "44s", 3, 90, "user.a");
		break;
	case P9_TXATTRCREATE:
		p9_put(&c, type, "4s84", 3, "user.a", 4ull, 0);
		break;
	case P9_TREADDIR:
		p9_put(&c, type, "484", 5, 0ull, 1000);
		break;
	case P9_TLOCK:
		p9_put(&c, type, "414884s", 2, 0, 0, 0ull, 1ull, 1, client_id);
		break;
	case P9_TGETLOCK:
		p9_put(&c, type, "41884s", 2, 0, 0ull, 1ull, 1, client_id);
		break;
	case P9_TLINK:
		p9_put(&c, type, "44s", 1, 3, "link");
		break;
	case P9_TMKDIR:
		p9_put(&c, type, "4s44", 1, "dir", 0700, 0);
		break;
	case P9_TRENAMEAT:
		p9_put(&c, type, "4s4s", 1, "a", 1, "b");
		break;
	case P9_TUNLINKAT:
		p9_put(&c, type, "4s4", 1, "f", 0);
		break;
	case P9_TVERSION:
		p9_put(&c, type, "4s", 8192, "9P2000.L");
		break;
	case P9_TATTACH:
		p9_put(&c, type, "44ss4", 91, P9_NOFID, "me", "", 0);
		break;
	case P9_TFLUSH:
		p9_put(&c, type, "2", 9);
		break;
	case P9_TWALK:
		p9_put(&c, type, "442ss", 0, 92, 2, "d", "f");
		break;
	case P9_TREAD:
		p9_put(&c, type, "484", 2, 0ull, 10);
		break;
	case P9_TWRITE:
		p9_put(&c, type, "484b", 2, 0ull, 4, "data", (size_t)4);
		break;
	case P9_TCLUNK:
		p9_put(&c, type, "4", 1);
		break;
	case P9_TREMOVE:
		p9_put(&c, type, "4", 1);
		break;
	case P9_TOPEN:
		p9_put(&c, type, "41", 3, 0);
		break;
	case P9_TCREATE:
		p9_put(&c, type, "4s41s", 1, "new", 0600, 2, "");
		break;
	case P9_TSTAT:
		p9_put(&c, type, "4", 3);
		break;
	case P9_TWSTAT:
		put_wstat();
		break;
	default:
		p9_put(&c, type, "44s", 1, 1, "x");
	}
}

static bool in_dialect(u8 type, bool old)
{
	bool only_old =
		type == P9_TOPEN || type == P9_TCREATE || type == P9_TSTAT || type == P9_TWSTAT;

	return type < P9_TVERSION || only_old ? only_old == old : true;
}

static const u8 types[] = {
	P9_TSTATFS,   P9_TLOPEN,   P9_TLCREATE, P9_TSYMLINK,   P9_TMKNOD,	P9_TRENAME,
	P9_TREADLINK, P9_TGETATTR, P9_TSETATTR, P9_TXATTRWALK, P9_TXATTRCREATE, P9_TREADDIR,
	P9_TLOCK,     P9_TGETLOCK, P9_TLINK,	P9_TMKDIR,     P9_TRENAMEAT,	P9_TUNLINKAT,
	P9_TVERSION,  P9_TATTACH,  P9_TFLUSH,	P9_TWALK,      P9_TREAD,	P9_TWRITE,
	P9_TCLUNK,    P9_TREMOVE,  P9_TOPEN,	P9_TCREATE,    P9_TSTAT,	P9_TWSTAT,
};

static void begin(const char *version)
{
	bool old = strcmp(version, "9P2000.L") != 0;

	p9_start(&c, NULL, version);
	mkdirat(c.dir, "d", 0755);
	p9_make(&c, "d/f", "text");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "d"), 0);
	ck_assert_int_eq(p9_walk(&c, 1, 2, "f"), 0);
	ck_assert_int_eq(old ? p9_call(&c, P9_TOPEN, "41", 2, 2) : p9_lopen(&c, 2, O_RDWR), 0);
	ck_assert_int_eq(p9_walk(&c, 1, 3, "f"), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 5, "d"), 0);
	ck_assert_int_eq(old ? p9_call(&c, P9_TOPEN, "41", 5, 0) : p9_lopen(&c, 5, O_RDONLY), 0);
}

/* Everything is as it was: nothing that was refused has been done in part. */
static void check_untouched(u8 type)
{
	ck_assert_msg(p9_has(&c, "d/f", "text"), "type %u has changed the file", type);
	ck_assert_msg(faccessat(c.dir, "d/new", F_OK, 0) && faccessat(c.dir, "d/sym", F_OK, 0) &&
			      faccessat(c.dir, "d/moved", F_OK, 0) &&
			      faccessat(c.dir, "d/link", F_OK, 0) &&
			      faccessat(c.dir, "d/dir", F_OK, 0),
		      "type %u has made something", type);
}

static void truncate_all(const char *version, bool old)
{
	begin(version);
	for (size_t i = 0; i < sizeof(types); i++) {
		u32 full;

		if (!in_dialect(types[i], old))
			continue;
		put_message(types[i]);
		full = (u32)c.out.used;
		for (u32 size = P9_HEADER; size < full; size++) {
			/* The message ends early; and: it says that it does, but bytes follow. */
			for (int rest = 0; rest < 2; rest++) {
				put_message(types[i]);
				if (!rest)
					c.out.used = size;
				c.size = size;
				ck_assert_msg(p9_send(&c) > 0, "type %u, %u bytes of %u", types[i],
					      size, full);
			}
		}
		/* It says that it is longer than what is there. */
		put_message(types[i]);
		c.size = full + 1;
		ck_assert_int_gt(p9_send(&c), 0);
		c.size = 0;
		check_untouched(types[i]);
	}
	p9_stop(&c);
}

START_TEST(truncated)
{
	truncate_all("9P2000.L", false);
	truncate_all("9P2000.u", true);
}
END_TEST

/* Else the above would test nothing. */
START_TEST(whole)
{
	for (size_t i = 0; i < sizeof(types) * 2; i++) {
		u8 type = types[i / 2];
		int want = type == P9_TREADLINK ? EINVAL : 0, error;

		if (!in_dialect(type, i % 2))
			continue;
		begin(i % 2 ? "9P2000.u" : "9P2000.L");
		put_message(type);
		error = p9_send(&c);
		if (type == P9_TRENAMEAT)
			want = ENOENT;
		if (type == P9_TREMOVE)
			want = ENOTEMPTY;
		if (type == P9_TXATTRWALK)
			want = ENODATA;
		ck_assert_msg(error == want, "type %u: error %d", type, error);
		p9_stop(&c);
	}
}
END_TEST

START_TEST(headers)
{
	static const u32 sizes[] = { 0, 1, 4, 6, 65537, 0x7fffffff, 0x80000000, 0xffffffff };

	begin("9P2000.L");
	for (size_t i = 1; i < MHI_COUNT(sizes); i++) {
		p9_put(&c, P9_TGETATTR, "48", 3, 0ull);
		c.size = sizes[i];
		ck_assert_int_gt(p9_send(&c), 0);
	}
	c.size = 0;
	/* Not even a header: there is nobody to answer to. */
	for (u32 bytes = 0; bytes < P9_HEADER; bytes++) {
		p9_put(&c, P9_TGETATTR, "48", 3, 0ull);
		c.out.used = bytes;
		ck_assert_int_eq(p9_send(&c), -1);
	}
	/* Types that do not exist, replies, errors. */
	for (unsigned int type = 0; type < 256; type++) {
		bool known = false;

		for (size_t i = 0; i < sizeof(types); i++)
			known |= types[i] == type && in_dialect(types[i], false);
		if (known || type == P9_TAUTH || type == P9_TFSYNC)
			continue;
		p9_put(&c, (u8)type, "44s", 1, 1, "x");
		ck_assert_msg(p9_send(&c) == EOPNOTSUPP, "type %u", type);
	}
	/* More than msize, and more than any message but Twrite may have. */
	p9_put(&c, P9_TWALK, "44", 0, 99);
	c.out.used = 9000;
	ck_assert_int_eq(p9_send(&c), ENAMETOOLONG);
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 4096, "9P2000.L"), 0);
	p9_put(&c, P9_TWRITE, "484", 2, 0ull, 4080);
	c.out.used = 4097;
	ck_assert_int_eq(p9_send(&c), EMSGSIZE);
	p9_stop(&c);
}
END_TEST

/* Whatever room the reply has: nothing is written behind it, and no reply is cut. */
START_TEST(small_rooms)
{
	for (u32 room = 0; room < 200; room++) {
		begin("9P2000.L");
		c.room = room;
		for (size_t i = 0; i < sizeof(types); i++) {
			if (!in_dialect(types[i], false) || types[i] == P9_TVERSION)
				continue;
			put_message(types[i]);
			p9_send(&c);
		}
		p9_stop(&c);
		if (room > 20)
			room += 30;
	}
}
END_TEST

START_TEST(bad_fids)
{
	static const u32 bad[] = { 77, 0x7fffffff, P9_NOFID };

	begin("9P2000.L");
	for (size_t i = 0; i < sizeof(types); i++) {
		if (!in_dialect(types[i], false) || types[i] == P9_TVERSION ||
		    types[i] == P9_TFLUSH || types[i] == P9_TATTACH)
			continue;
		for (size_t j = 0; j < MHI_COUNT(bad); j++) {
			struct mhi_p9_out fid = { c.request + P9_HEADER, 0, 4, false };

			put_message(types[i]);
			mhi_p9_put32(&fid, bad[j]);
			ck_assert_msg(p9_send(&c) == EBADF, "type %u, fid %u", types[i], bad[j]);
		}
	}
	check_untouched(0);
	/* The second fid of those that have two. */
	ck_assert_int_eq(p9_call(&c, P9_TLINK, "44s", 1, 77, "link"), EBADF);
	ck_assert_int_eq(p9_call(&c, P9_TRENAME, "44s", 3, 77, "moved"), EBADF);
	ck_assert_int_eq(p9_call(&c, P9_TRENAMEAT, "4s4s", 1, "f", 77, "moved"), EBADF);
	/* A file where a folder must be. */
	ck_assert_int_eq(p9_call(&c, P9_TRENAMEAT, "4s4s", 1, "f", 3, "moved"), ENOTDIR);
	ck_assert_int_eq(p9_call(&c, P9_TMKDIR, "4s44", 3, "x", 0700, 0), ENOTDIR);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 3, "x", 0), ENOTDIR);
	ck_assert_int_eq(p9_lcreate(&c, 3, "x", O_RDWR, 0600), ENOTDIR);
	ck_assert_int_eq(p9_call(&c, P9_TREADDIR, "484", 2, 0ull, 100), ENOTDIR);
	check_untouched(0);
	p9_stop(&c);
}
END_TEST

START_TEST(too_many)
{
	struct mhi_p9_config config = { .fids_max = 100 };
	char name[16];
	u32 n = 1;

	p9_start(&c, &config, "9P2000.L");
	while (!p9_walk(&c, 0, n, ""))
		n++;
	ck_assert_uint_eq(n, 100);
	ck_assert_int_eq(p9_walk(&c, 0, 1000, ""), ENFILE);
	ck_assert_int_eq(p9_clunk(&c, 5), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 1000, ""), 0);
	ck_assert_int_eq(p9_call(&c, P9_TWALK, "442", 0, 2000, 17), EINVAL);
	/* A folder in a folder in a folder. */
	ck_assert_int_eq(p9_clunk(&c, 6), 0);
	for (n = 0; n < 3000; n++) {
		u32 fid = n ? 1000 : 0;

		ck_assert_int_eq(p9_call(&c, P9_TMKDIR, "4s44", fid, "d", 0700, 0), 0);
		snprintf(name, sizeof(name), "d");
		if (!n)
			ck_assert_int_eq(p9_clunk(&c, 1000), 0);
		ck_assert_int_eq(p9_walk(&c, fid, 1000, name), 0);
	}
	p9_stop(&c);
}
END_TEST

/* ---- ways out ---- */

static const char *const ways[] = { "..",  "/etc", "../..", "d/../..", "./..",
				    "d/f", "/",	   ".",	    "",	       "../etc/passwd" };

START_TEST(names)
{
	begin("9P2000.L");
	for (size_t i = 0; i < MHI_COUNT(ways); i++) {
		const char *name = ways[i];

		ck_assert_int_gt(p9_call(&c, P9_TWALK, "442s", 1, 50, 1, name), 0);
		ck_assert_int_gt(p9_lcreate(&c, 1, name, O_RDWR, 0600), 0);
		ck_assert_int_gt(p9_call(&c, P9_TSYMLINK, "4ss4", 1, name, "t", 0), 0);
		ck_assert_int_gt(p9_call(&c, P9_TMKNOD, "4s4444", 1, name, S_IFIFO, 0, 0, 0), 0);
		ck_assert_int_gt(p9_call(&c, P9_TRENAME, "44s", 3, 1, name), 0);
		ck_assert_int_gt(p9_call(&c, P9_TLINK, "44s", 1, 3, name), 0);
		ck_assert_int_gt(p9_call(&c, P9_TMKDIR, "4s44", 1, name, 0700, 0), 0);
		ck_assert_int_gt(p9_call(&c, P9_TRENAMEAT, "4s4s", 1, name, 1, "x"), 0);
		ck_assert_int_gt(p9_call(&c, P9_TRENAMEAT, "4s4s", 1, "f", 1, name), 0);
		ck_assert_int_gt(p9_call(&c, P9_TUNLINKAT, "4s4", 1, name, 0), 0);
		ck_assert_int_gt(p9_call(&c, P9_TUNLINKAT, "4s4", 1, name, 0x200), 0);
	}
	ck_assert_int_gt(p9_call(&c, P9_TWALK, "442S", 1, 50, 1, "f\0x", (size_t)3), 0);
	ck_assert_int_gt(p9_call(&c, P9_TMKDIR, "4S44", 1, "x\0y", (size_t)3, 0700, 0), 0);
	check_untouched(0);
	p9_stop(&c);
}
END_TEST

/* Host names that are too long for the client made a reply that could not be read: left out. */
START_TEST(long_names)
{
	u64 offset = 0;

	begin("9P2000.L");
	long_names_next = 1;
	for (u32 n = 0; n < 2; n++) {
		struct mhi_p9_str name;

		ck_assert_int_eq(p9_call(&c, P9_TREADDIR, "484", 5, offset, 60000), 0);
		ck_assert_uint_eq(mhi_p9_get32(&c.in), c.in.left);
		ck_assert_uint_eq(mhi_p9_get8(&c.in), P9_QTFILE);
		mhi_p9_get32(&c.in);
		mhi_p9_get64(&c.in);
		offset = mhi_p9_get64(&c.in);
		ck_assert_uint_eq(mhi_p9_get8(&c.in), DT_REG);
		name = mhi_p9_get_str(&c.in);
		ck_assert(mhi_p9_str_is(name, n ? "z" : long_name(LONGEST)));
		ck_assert(!c.in.bad && !c.in.left);
	}
	ck_assert_int_eq(p9_call(&c, P9_TREADDIR, "484", 5, offset, 60000), 0);
	ck_assert_uint_eq(mhi_p9_get32(&c.in), 0);
	long_names_next = 0;
	p9_stop(&c);
}
END_TEST

START_TEST(links_that_lead_out)
{
	u32 n;

	begin("9P2000.L");
	ck_assert_int_eq(symlinkat("/", c.dir, "root"), 0);
	ck_assert_int_eq(symlinkat("..", c.dir, "d/up"), 0);
	ck_assert_int_eq(symlinkat("/etc/passwd", c.dir, "file"), 0);
	ck_assert_int_eq(symlinkat("/proc/self/root", c.dir, "magic"), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 50, "root/etc"), ENOENT);
	ck_assert_int_eq(p9_walk(&c, 0, 50, "magic/etc"), ENOENT);
	ck_assert_int_eq(p9_walk(&c, 0, 50, "d/up/d"), ENOENT);
	ck_assert_int_eq(p9_walk(&c, 0, 50, "file"), 0);
	ck_assert_int_eq(p9_lopen(&c, 50, O_RDONLY), ELOOP);
	ck_assert_int_eq(p9_read(&c, 50, 0, 10, &n), EBADF);
	ck_assert_int_eq(p9_walk(&c, 0, 51, "root"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TMKDIR, "4s44", 51, "x", 0700, 0), ENOTDIR);
	ck_assert_int_eq(p9_lcreate(&c, 51, "x", O_RDWR, 0600), ENOTDIR);
	ck_assert_int_eq(p9_call(&c, P9_TRENAMEAT, "4s4s", 1, "f", 51, "x"), ENOTDIR);
	p9_stop(&c);
}
END_TEST

/*
 * The host, or another client, swaps a folder and a link to the outside while the client walks
 * through it and creates in it: whatever it gets at is inside.
 */
static bool stop;
static char outside[64];

static void *swap(void *opaque)
{
	int dir = openat(c.dir, "race", O_RDONLY | O_DIRECTORY);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		renameat2(dir, "sub", dir, "link", RENAME_EXCHANGE);
		renameat(dir, "sub/in", dir, "sub/in2");
		renameat(dir, "sub/in2", dir, "sub/in");
	}
	close(dir);
	return NULL;
}

START_TEST(races)
{
	unsigned int inside = 0, refused = 0, removed = 0;
	struct mhi_p9_config config = { .tree.fds_max = 32 };
	pthread_t thread;
	struct stat st;
	u32 n;

	p9_start(&c, &config, "9P2000.L");
	snprintf(outside, sizeof(outside), "/var/tmp/p9-out-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(outside));
	mkdirat(c.dir, "race", 0700);
	mkdirat(c.dir, "race/sub", 0700);
	p9_make(&c, "race/sub/in", "inside");
	ck_assert_int_eq(symlinkat(outside, c.dir, "race/link"), 0);
	stop = false;
	pthread_create(&thread, NULL, swap, NULL);
	for (u32 i = 0; i < 3000; i++) {
		if (!p9_walk(&c, 0, 1, "race/sub")) {
			ck_assert_int_le(p9_call(&c, P9_TMKDIR, "4s44", 1, "made", 0700, 0), 133);
			removed += !p9_call(&c, P9_TUNLINKAT, "4s4", 1, "made", 0x200);
			p9_clunk(&c, 1);
		}
		if (p9_walk(&c, 0, 1, "race/sub/in")) {
			refused++;
			continue;
		}
		if (!p9_lopen(&c, 1, O_RDWR) && !p9_read(&c, 1, 0, 100, &n)) {
			ck_assert(n == 6 && !memcmp(c.in.p, "inside", 6));
			inside++;
		}
		p9_clunk(&c, 1);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	/* Nothing was made outside: the folder is empty. */
	ck_assert_int_eq(stat(outside, &st), 0);
	ck_assert_int_eq(rmdir(outside), 0);
	/* The race was one. */
	ck_assert_uint_gt(inside, 0);
	ck_assert_uint_gt(refused, 0);
	ck_assert_uint_gt(removed, 0);
	p9_stop(&c);
}
END_TEST

/* ---- many threads, one session ---- */

#define THREADS 4
#define ROUNDS 3000

static void put_random(struct rng *rng, u8 *buf, struct iovec *iov)
{
	static const char *const letters[] = { "a", "b", "d", "e" };
	u8 type = types[rng_below(rng, sizeof(types))];
	u32 fid = (u32)rng_below(rng, 12), other = (u32)rng_below(rng, 12);
	const char *name = letters[rng_below(rng, 4)], *second = letters[rng_below(rng, 4)];
	struct mhi_p9_out out = { buf + P9_HEADER, 0, 200, false };
	struct mhi_p9_out head = { buf, 0, P9_HEADER, false };

	if (type == P9_TVERSION && rng_below(rng, 100))
		type = P9_TWALK;
	mhi_p9_put32(&out, fid);
	if (type == P9_TWALK || type == P9_TLINK || type == P9_TRENAME)
		mhi_p9_put32(&out, other);
	if (type == P9_TWALK)
		mhi_p9_put16(&out, (u16)rng_below(rng, 2));
	if (type == P9_TVERSION) {
		out.used = 0;
		mhi_p9_put32(&out, 8192);
		mhi_p9_put_str(&out, "9P2000.L", 8);
	} else if (type == P9_TATTACH) {
		mhi_p9_put32(&out, P9_NOFID);
		mhi_p9_put32(&out, 0);
		mhi_p9_put32(&out, 0);
	} else if (type == P9_TREAD || type == P9_TWRITE || type == P9_TREADDIR) {
		mhi_p9_put64(&out, rng_below(rng, 3) * 100);
		mhi_p9_put32(&out, 64);
		out.used += 64;
	} else if (type != P9_TLOPEN && type != P9_TLOCK) {
		mhi_p9_put_str(&out, name, 1);
	}
	if (type == P9_TRENAMEAT) {
		mhi_p9_put32(&out, other);
		mhi_p9_put_str(&out, second, 1);
	}
	mhi_p9_put32(&out, type == P9_TLOPEN || type == P9_TLCREATE ? 2 : 0);
	mhi_p9_put32(&out, 0700);
	mhi_p9_put64(&out, 0);
	mhi_p9_put64(&out, 0);
	mhi_p9_put32(&head, (u32)(P9_HEADER + out.used));
	mhi_p9_put8(&head, type);
	mhi_p9_put16(&head, (u16)rng_below(rng, 4));
	iov->iov_base = buf;
	iov->iov_len = P9_HEADER + out.used;
}

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static void *pull(void *opaque)
{
	struct rng rng = { (u64)(uintptr_t)opaque * 7919 };
	u8 request[512] = { 0 }, reply[8192];

	for (int i = 0; i < ROUNDS; i++) {
		struct iovec out, in = { reply, sizeof(reply) };
		struct mhi_p9_req req = { .out = &out, .outs = 1, .in = &in, .ins = 1 };

		put_random(&rng, request, &out);
		pthread_mutex_lock(&order);
		mhi_p9_server_begin(mhi_p9_server(c.p9), &req);
		pthread_mutex_unlock(&order);
		mhi_p9_run(c.p9, &req);
		mhi_p9_server_end(mhi_p9_server(c.p9), &req);
	}
	return NULL;
}

START_TEST(threads)
{
	struct mhi_p9_config config = { .tree.fds_max = 32, .fids_max = 64 };
	pthread_t thread[THREADS];

	p9_start(&c, &config, "9P2000.L");
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, pull, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 8192, "9P2000.L"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TATTACH, "44ss4", 0, P9_NOFID, "", "", 0), 0);
	p9_stop(&c);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, truncated);
	tcase_add_test(tcase, whole);
	tcase_add_test(tcase, headers);
	tcase_add_test(tcase, small_rooms);
	tcase_add_test(tcase, bad_fids);
	tcase_add_test(tcase, too_many);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, long_names);
	tcase_add_test(tcase, links_that_lead_out);
	tcase_add_test(tcase, races);
	tcase_add_test(tcase, threads);
}

UNIT_MAIN("p9_hostile", add_tests)

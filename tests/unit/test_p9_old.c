// SPDX-License-Identifier: MIT
/* 9P2000 and 9P2000.u: what they have of their own, and errors as sentences. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p9_client.h"

static struct p9_client c;

struct old_stat {
	u32 mode, atime, mtime, n_uid;
	u64 length;
	char name[256], uid[16], extension[256];
};

static void take_str(struct mhi_p9_in *in, char *buf, size_t room)
{
	struct mhi_p9_str s = mhi_p9_get_str(in);

	snprintf(buf, room, "%.*s", s.len, s.p);
}

static void take_stat(struct mhi_p9_in *in, struct old_stat *st, bool u)
{
	u16 size = mhi_p9_get16(in);
	size_t before = in->left;
	char skip[16];

	ck_assert_uint_le(size, in->left);
	mhi_p9_get16(in);
	mhi_p9_get32(in);
	mhi_p9_get8(in);
	mhi_p9_get32(in);
	mhi_p9_get64(in);
	st->mode = mhi_p9_get32(in);
	st->atime = mhi_p9_get32(in);
	st->mtime = mhi_p9_get32(in);
	st->length = mhi_p9_get64(in);
	take_str(in, st->name, sizeof(st->name));
	take_str(in, st->uid, sizeof(st->uid));
	take_str(in, skip, sizeof(skip));
	take_str(in, skip, sizeof(skip));
	if (u) {
		take_str(in, st->extension, sizeof(st->extension));
		st->n_uid = mhi_p9_get32(in);
		mhi_p9_get32(in);
		mhi_p9_get32(in);
	}
	ck_assert(!in->bad && before - in->left == size);
}

static void stat_fid(u32 fid, struct old_stat *st, bool u)
{
	ck_assert_int_eq(p9_call(&c, P9_TSTAT, "4", fid), 0);
	ck_assert_uint_eq(mhi_p9_get16(&c.in), c.in.left);
	take_stat(&c.in, st, u);
	ck_assert_uint_eq(c.in.left, 0);
}

START_TEST(plain)
{
	static const char text[] = "No such file or directory";
	struct old_stat st;
	u32 n;

	p9_open(&c, NULL);
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 8192, "9P2000"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TATTACH, "44ss", 0, P9_NOFID, "me", ""), 0);
	ck_assert_int_eq(p9_call(&c, P9_TWALK, "442s", 0, 1, 1, "none"), 1);
	c.in = (struct mhi_p9_in){ c.reply + P9_HEADER, c.replied - P9_HEADER, false };
	ck_assert(mhi_p9_str_is(mhi_p9_get_str(&c.in), text) && !c.in.left);
	ck_assert_int_eq(p9_walk(&c, 0, 1, ""), 0);
	ck_assert_int_eq(p9_call(&c, P9_TCREATE, "4s41", 1, "f", 0640, P9_ORDWR), 0);
	ck_assert_int_eq(p9_write(&c, 1, 0, "plain", 5), 0);
	stat_fid(1, &st, false);
	ck_assert(st.mode == 0640 && st.length == 5 && !strcmp(st.name, "f") &&
		  !strcmp(st.uid, "0"));
	stat_fid(0, &st, false);
	ck_assert(st.mode & P9_DMDIR && !strcmp(st.name, "/") && !st.length);
	/* A name that exists is refused. */
	ck_assert_int_eq(p9_walk(&c, 0, 2, ""), 0);
	ck_assert_int_eq(p9_call(&c, P9_TCREATE, "4s41", 2, "f", 0640, P9_ORDWR), 1);
	ck_assert_int_eq(p9_call(&c, P9_TCREATE, "4s41", 2, "d", P9_DMDIR | 0750, P9_OREAD), 0);
	ck_assert_int_eq(p9_read(&c, 2, 0, 1000, &n), 0);
	ck_assert_uint_eq(n, 0);
	/* The way up, not further than the top. */
	ck_assert_int_eq(p9_walk(&c, 2, 3, "../../../f"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TOPEN, "41", 3, P9_OREAD | P9_ORCLOSE), 0);
	ck_assert(p9_has(&c, "f", "plain"));
	ck_assert_int_eq(p9_clunk(&c, 3), 0);
	ck_assert_int_eq(faccessat(c.dir, "f", F_OK, 0), -1);
	ck_assert_int_eq(p9_call(&c, P9_TREMOVE, "4", 2), 0);
	ck_assert_int_eq(faccessat(c.dir, "d", F_OK, 0), -1);
	p9_stop(&c);
}
END_TEST

START_TEST(folder_as_file)
{
	struct old_stat st;
	char name[32];
	bool seen[300] = { false };
	int total = 0;
	u64 offset = 0;
	u32 n;

	p9_start(&c, NULL, "9P2000.u");
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%d", i);
		p9_make(&c, name, "");
	}
	ck_assert_int_eq(p9_walk(&c, 0, 1, ""), 0);
	ck_assert_int_eq(p9_call(&c, P9_TOPEN, "41", 1, P9_OREAD), 0);
	for (;; offset += n) {
		ck_assert_int_eq(p9_read(&c, 1, offset, 1000, &n), 0);
		if (!n)
			break;
		while (c.in.left) {
			unsigned long number;

			take_stat(&c.in, &st, true);
			number = strtoul(st.name, NULL, 10);
			ck_assert(number < 300 && !seen[number]);
			seen[number] = true;
			total++;
		}
	}
	ck_assert_int_eq(total, 300);
	ck_assert_int_eq(p9_read(&c, 1, offset - 1, 1000, &n), EINVAL);
	ck_assert_int_eq(p9_read(&c, 1, 0, 30, &n), EINVAL);
	ck_assert_int_eq(p9_read(&c, 1, 0, 66, &n), EINVAL);
	ck_assert_int_eq(p9_read(&c, 1, 0, 1000, &n), 0);
	ck_assert_uint_gt(n, 500);
	p9_stop(&c);
}
END_TEST

static int make(u32 fid, const char *name, u32 perm, const char *extension)
{
	ck_assert_int_eq(p9_walk(&c, 0, fid, ""), 0);
	return p9_call(&c, P9_TCREATE, "4s41s", fid, name, perm, P9_OREAD, extension);
}

START_TEST(unix_files)
{
	struct old_stat st;
	struct stat host;

	p9_start(&c, NULL, "9P2000.u");
	ck_assert_int_eq(p9_call(&c, P9_TWALK, "442s", 0, 1, 1, "none"), ENOENT);
	ck_assert_int_eq(make(1, "f", 0600, ""), 0);
	ck_assert_int_eq(make(2, "sym", P9_DMSYMLINK | 0777, "to/where"), 0);
	stat_fid(2, &st, true);
	ck_assert(st.mode & P9_DMSYMLINK && !strcmp(st.extension, "to/where"));
	ck_assert_int_eq(make(3, "link", P9_DMLINK | 0777, "1"), 0);
	fstatat(c.dir, "f", &host, 0);
	ck_assert_int_eq(host.st_nlink, 2);
	ck_assert_int_eq(make(4, "fifo", P9_DMNAMEDPIPE | 0600, ""), 0);
	stat_fid(4, &st, true);
	ck_assert(st.mode == (P9_DMNAMEDPIPE | 0600));
	ck_assert_int_eq(p9_call(&c, P9_TOPEN, "41", 4, P9_OREAD), ENXIO);
	ck_assert_int_eq(make(5, "null", P9_DMDEVICE | 0600, "c 1 3"), EPERM);
	ck_assert_int_eq(p9_clunk(&c, 5), 0);
	ck_assert_int_eq(make(5, "null", P9_DMDEVICE | 0600, "x 1 3"), EINVAL);
	ck_assert_int_eq(p9_clunk(&c, 5), 0);
	ck_assert_int_eq(make(5, "l", P9_DMLINK, "99"), EBADF);
	ck_assert_int_eq(p9_clunk(&c, 5), 0);
	ck_assert_int_eq(make(5, "l", P9_DMLINK, "x"), EINVAL);
	ck_assert_int_eq(p9_clunk(&c, 5), 0);
	ck_assert_int_eq(make(5, "a/b", P9_DMDIR | 0700, ""), EINVAL);
	p9_stop(&c);
}
END_TEST

static int wstat(u32 fid, u32 mode, u32 mtime, u64 length, const char *name)
{
	p9_put(&c, P9_TWSTAT, "42224", fid, 0, 0, 0xffff, ~0u);
	mhi_p9_put8(&c.out, 0xff);
	mhi_p9_put32(&c.out, ~0u);
	mhi_p9_put64(&c.out, ~0ull);
	mhi_p9_put32(&c.out, mode);
	mhi_p9_put32(&c.out, ~0u);
	mhi_p9_put32(&c.out, mtime);
	mhi_p9_put64(&c.out, length);
	mhi_p9_put_str(&c.out, name, strlen(name));
	for (int i = 0; i < 4; i++)
		mhi_p9_put_str(&c.out, "", 0);
	for (int i = 0; i < 3; i++)
		mhi_p9_put32(&c.out, ~0u);
	return p9_send(&c);
}

START_TEST(wstats)
{
	struct stat host;

	p9_start(&c, NULL, "9P2000.u");
	p9_make(&c, "f", "0123456789");
	p9_make(&c, "other", "other");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "f"), 0);
	ck_assert_int_eq(wstat(1, ~0u, ~0u, ~0ull, ""), 0);
	ck_assert_int_eq(wstat(1, 0604, ~0u, ~0ull, ""), 0);
	ck_assert_int_eq(wstat(1, ~0u, ~0u, 4, ""), 0);
	ck_assert(p9_has(&c, "f", "0123"));
	ck_assert_int_eq(wstat(1, ~0u, 12345, ~0ull, "g"), 0);
	ck_assert_int_eq(fstatat(c.dir, "g", &host, 0), 0);
	ck_assert(host.st_mode == (S_IFREG | 0604) && host.st_mtim.tv_sec == 12345);
	ck_assert_int_eq(wstat(1, ~0u, ~0u, ~0ull, "../x"), EINVAL);
	ck_assert_int_eq(wstat(0, ~0u, ~0u, ~0ull, "x"), EBUSY);
	ck_assert_int_eq(p9_call(&c, P9_TREMOVE, "4", 1), 0);
	ck_assert_int_eq(faccessat(c.dir, "g", F_OK, 0), -1);
	p9_stop(&c);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, plain);
	tcase_add_test(tcase, folder_as_file);
	tcase_add_test(tcase, unix_files);
	tcase_add_test(tcase, wstats);
}

UNIT_MAIN("p9_old", add_tests)

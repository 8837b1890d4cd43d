// SPDX-License-Identifier: MIT
/* 9P2000.L beside names and data: attributes, locks, read-only and mapped folders. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "p9_client.h"

static struct p9_client c;

static void begin(const struct mhi_p9_config *config)
{
	p9_start(&c, config, "9P2000.L");
}

/* Tlremovexattr does not exist: size 0 with REPLACE is what Linux sends. */
static int set_xattr(const char *name, const void *value, u32 size, u32 flags)
{
	int error = p9_walk(&c, 1, 50, "");

	ck_assert_int_eq(error, 0);
	error = p9_call(&c, P9_TXATTRCREATE, "4s84", 50, name, (u64)size, flags);
	if (!error && size)
		error = p9_write(&c, 50, 0, value, size);
	if (!error)
		return p9_clunk(&c, 50);
	p9_clunk(&c, 50);
	return error;
}

START_TEST(xattrs)
{
	char back[64];
	u32 n;

	begin(NULL);
	p9_make(&c, "f", "");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "f"), 0);
	ck_assert_int_eq(set_xattr("user.a", "value", 5, P9_XATTR_CREATE), 0);
	ck_assert_int_eq(set_xattr("user.a", "other", 5, P9_XATTR_CREATE), EEXIST);
	ck_assert_int_eq(set_xattr("user.b", "other", 5, P9_XATTR_REPLACE), ENODATA);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRWALK, "44s", 1, 2, "user.a"), 0);
	ck_assert_uint_eq(mhi_p9_get64(&c.in), 5);
	ck_assert_int_eq(p9_read(&c, 2, 0, 100, &n), 0);
	ck_assert(n == 5 && !memcmp(c.in.p, "value", 5));
	ck_assert_int_eq(p9_read(&c, 2, 3, 100, &n), 0);
	ck_assert(n == 2 && !memcmp(c.in.p, "ue", 2));
	ck_assert_int_eq(p9_read(&c, 2, 6, 100, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(p9_write(&c, 2, 0, "x", 1), EBADF);
	ck_assert_int_eq(p9_walk(&c, 2, 3, ""), EBADF);
	ck_assert_int_eq(p9_call(&c, P9_TFSYNC, "44", 2, 0), EINVAL);
	ck_assert_int_eq(p9_clunk(&c, 2), 0);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRWALK, "44s", 1, 2, "user.none"), ENODATA);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRWALK, "44s", 1, 2, "security.x"), EOPNOTSUPP);
	ck_assert_int_eq(set_xattr("trusted.a", "x", 1, 0), EOPNOTSUPP);
	ck_assert_int_eq(set_xattr("user.macrohard.p9", "x", 1, 0), EOPNOTSUPP);
	/* The list has what the client may see. */
	snprintf(back, sizeof(back), "/proc/self/fd/%d", c.dir);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRWALK, "44s", 1, 2, ""), 0);
	ck_assert_uint_eq(mhi_p9_get64(&c.in), 7);
	ck_assert_int_eq(p9_read(&c, 2, 0, 100, &n), 0);
	ck_assert(n == 7 && !memcmp(c.in.p, "user.a", 7));
	ck_assert_int_eq(p9_clunk(&c, 2), 0);
	ck_assert_int_eq(set_xattr("user.empty", "", 0, 0), 0);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRWALK, "44s", 1, 2, "user.empty"), 0);
	ck_assert_uint_eq(mhi_p9_get64(&c.in), 0);
	ck_assert_int_eq(set_xattr("user.a", "", 0, P9_XATTR_REPLACE), 0);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRWALK, "44s", 1, 3, "user.a"), ENODATA);
	/* Less was written than was said; more; too much. */
	ck_assert_int_eq(p9_walk(&c, 1, 4, ""), 0);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRCREATE, "4s84", 4, "user.c", 4ull, 0), 0);
	ck_assert_int_eq(p9_write(&c, 4, 2, "xxx", 3), ENOSPC);
	ck_assert_int_eq(p9_write(&c, 4, ~0ull, "x", 1), ENOSPC);
	ck_assert_int_eq(p9_write(&c, 4, 0, "xxx", 3), 0);
	ck_assert_int_eq(p9_read(&c, 4, 0, 1, &n), EBADF);
	ck_assert_int_eq(p9_clunk(&c, 4), EINVAL);
	ck_assert_int_eq(p9_clunk(&c, 4), EBADF);
	ck_assert_int_eq(p9_walk(&c, 1, 4, ""), 0);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRCREATE, "4s84", 4, "user.c", 65537ull, 0), E2BIG);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRCREATE, "4s84", 4, "user.c", 1ull, 4), EINVAL);
	p9_stop(&c);
}
END_TEST

/* Their memory is bounded, and given back. */
START_TEST(xattr_memory)
{
	u32 n = 0;

	begin(NULL);
	p9_make(&c, "f", "");
	for (; n < 1000; n++) {
		ck_assert_int_eq(p9_walk(&c, 0, 10 + n, "f"), 0);
		if (p9_call(&c, P9_TXATTRCREATE, "4s84", 10 + n, "user.c", 65536ull, 0))
			break;
	}
	ck_assert_uint_eq(n, 64);
	ck_assert_int_eq(p9_clunk(&c, 10), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRCREATE, "4s84", 10 + n, "user.c", 65536ull, 0), 0);
	p9_stop(&c);
}
END_TEST

static int lock(u32 fid, u8 type, u64 start, u64 length, u32 proc)
{
	int error = p9_call(&c, P9_TLOCK, "414884s", fid, type, 0, start, length, proc, "host");

	return error ? -error : mhi_p9_get8(&c.in);
}

static int host_lock(int fd, short type, off_t start, off_t len)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, F_OFD_SETLK, &fl);
}

START_TEST(locks)
{
	int fd;

	begin(NULL);
	p9_make(&c, "f", "0123456789");
	fd = openat(c.dir, "f", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(p9_walk(&c, 0, 1, "f"), 0);
	ck_assert_int_eq(lock(1, P9_LOCK_WRLCK, 0, 4, 7), -EBADF);
	ck_assert_int_eq(p9_lopen(&c, 1, O_RDWR), 0);
	ck_assert_int_eq(lock(1, P9_LOCK_WRLCK, 0, 4, 7), P9_LOCK_SUCCESS);
	ck_assert_int_eq(lock(1, P9_LOCK_WRLCK, 2, 4, 7), P9_LOCK_SUCCESS);
	ck_assert_int_eq(lock(1, P9_LOCK_RDLCK, 0, 1, 8), P9_LOCK_BLOCKED);
	ck_assert_int_eq(lock(1, P9_LOCK_RDLCK, 8, 1, 8), P9_LOCK_SUCCESS);
	ck_assert_int_eq(host_lock(fd, F_RDLCK, 5, 1), -1);
	ck_assert_int_eq(host_lock(fd, F_WRLCK, 6, 1), 0);
	ck_assert_int_eq(
		p9_call(&c, P9_TGETLOCK, "41884s", 1, P9_LOCK_WRLCK, 6ull, 1ull, 7, "host"), 0);
	ck_assert_uint_eq(mhi_p9_get8(&c.in), P9_LOCK_WRLCK);
	ck_assert_uint_eq(mhi_p9_get64(&c.in), 6);
	ck_assert_uint_eq(mhi_p9_get64(&c.in), 1);
	ck_assert_int_eq(
		p9_call(&c, P9_TGETLOCK, "41884s", 1, P9_LOCK_WRLCK, 0ull, 1ull, 7, "host"), 0);
	ck_assert_uint_eq(mhi_p9_get8(&c.in), P9_LOCK_UNLCK);
	/* One owner's end is not the other's. */
	ck_assert_int_eq(lock(1, P9_LOCK_UNLCK, 0, 0, 8), P9_LOCK_SUCCESS);
	ck_assert_int_eq(host_lock(fd, F_WRLCK, 8, 1), 0);
	ck_assert_int_eq(host_lock(fd, F_WRLCK, 0, 1), -1);
	/* The last fid's end is all owners'. */
	ck_assert_int_eq(p9_walk(&c, 0, 2, "f"), 0);
	ck_assert_int_eq(p9_lopen(&c, 2, O_RDONLY), 0);
	ck_assert_int_eq(p9_clunk(&c, 1), 0);
	ck_assert_int_eq(host_lock(fd, F_WRLCK, 0, 1), -1);
	ck_assert_int_eq(p9_clunk(&c, 2), 0);
	ck_assert_int_eq(host_lock(fd, F_WRLCK, 0, 1), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 2, "f"), 0);
	ck_assert_int_eq(p9_lopen(&c, 2, O_RDONLY), 0);
	ck_assert_int_eq(lock(2, 3, 0, 1, 1), -EINVAL);
	ck_assert_int_eq(lock(2, P9_LOCK_RDLCK, ~0ull, 1, 1), -EINVAL);
	close(fd);
	p9_stop(&c);
}
END_TEST

static int set(u32 fid, u32 valid, u32 mode)
{
	return p9_call(&c, P9_TSETATTR,
		       "444448"
		       "8888",
		       fid, valid, mode, 1234, 1234, 0ull, 0ull, 0ull, 0ull, 0ull);
}

START_TEST(readonly)
{
	struct mhi_p9_config config = { .tree.readonly = true };
	u32 n;

	begin(&config);
	p9_make(&c, "f", "text");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "f"), 0);
	ck_assert_int_eq(p9_lopen(&c, 1, O_RDWR), EROFS);
	ck_assert_int_eq(p9_lopen(&c, 1, O_WRONLY), EROFS);
	ck_assert_int_eq(p9_lopen(&c, 1, O_RDONLY | O_TRUNC), EROFS);
	ck_assert_int_eq(p9_lopen(&c, 1, O_RDONLY), 0);
	ck_assert_int_eq(p9_read(&c, 1, 0, 10, &n), 0);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(p9_write(&c, 1, 0, "x", 1), EROFS);
	ck_assert_int_eq(p9_lcreate(&c, 0, "new", O_RDWR, 0600), EROFS);
	ck_assert_int_eq(p9_lcreate(&c, 0, "f", O_RDONLY, 0600), EROFS);
	ck_assert_int_eq(set(1, P9_SETATTR_MODE, 0777), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TRENAMEAT, "4s4s", 0, "f", 0, "g"), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TRENAME, "44s", 1, 0, "g"), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 0, "f", 0), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TLINK, "44s", 0, 1, "g"), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TSYMLINK, "4ss4", 0, "g", "f", 0), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TMKDIR, "4s44", 0, "g", 0700, 0), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TMKNOD, "4s4444", 0, "g", S_IFIFO, 0, 0, 0), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRCREATE, "4s84", 1, "user.a", 1ull, 0), EROFS);
	ck_assert_int_eq(p9_call(&c, P9_TREMOVE, "4", 1), EROFS);
	ck_assert_int_eq(p9_clunk(&c, 1), EBADF);
	ck_assert(p9_has(&c, "f", "text"));
	p9_stop(&c);
}
END_TEST

START_TEST(mapped)
{
	struct mhi_p9_config config = { .tree.ids = MHI_TREE_MAPPED,
					.tree.uid = 500,
					.tree.gid = 600 };
	struct p9_stat st;

	begin(&config);
	p9_make(&c, "host", "");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "host"), 0);
	ck_assert_int_eq(p9_getattr(&c, 1, &st), 0);
	ck_assert(st.uid == 500 && st.gid == 600);
	ck_assert_int_eq(p9_walk(&c, 0, 2, ""), 0);
	ck_assert_int_eq(p9_call(&c, P9_TLCREATE, "4s444", 2, "f", O_RDWR, 04711, 77), 0);
	ck_assert_uint_eq(p9_host_stat(&c, "f").st_mode, S_IFREG | 0600);
	ck_assert_int_eq(p9_getattr(&c, 2, &st), 0);
	ck_assert(st.uid == 1000 && st.gid == 77 && st.mode == (S_IFREG | 04711));
	ck_assert_int_eq(set(2, P9_SETATTR_UID, 0), 0);
	ck_assert_int_eq(set(2, P9_SETATTR_MODE, 0), 0);
	ck_assert_int_eq(p9_getattr(&c, 2, &st), 0);
	ck_assert(st.uid == 1234 && st.gid == 77 && st.mode == S_IFREG);
	ck_assert_int_eq(p9_call(&c, P9_TMKNOD, "4s4444", 0, "n", S_IFBLK | 0600, 8, 1, 0), 0);
	ck_assert(S_ISREG(p9_host_stat(&c, "n").st_mode));
	ck_assert_int_eq(p9_walk(&c, 0, 3, "n"), 0);
	ck_assert_int_eq(p9_getattr(&c, 3, &st), 0);
	ck_assert(S_ISBLK(st.mode) && st.rdev == 0x801);
	ck_assert_int_eq(p9_lopen(&c, 3, O_RDONLY), ENXIO);
	ck_assert_int_eq(p9_call(&c, P9_TMKDIR, "4s44", 0, "d", 01777, 5), 0);
	ck_assert_uint_eq(p9_host_stat(&c, "d").st_mode, S_IFDIR | 0700);
	ck_assert_int_eq(p9_walk(&c, 0, 4, "d"), 0);
	ck_assert_int_eq(p9_getattr(&c, 4, &st), 0);
	ck_assert(st.mode == (S_IFDIR | 01777) && st.gid == 5);
	/* The attribute itself is not the client's. */
	ck_assert_int_eq(p9_call(&c, P9_TXATTRWALK, "44s", 2, 9, "user.macrohard.p9"), EOPNOTSUPP);
	ck_assert_int_eq(p9_call(&c, P9_TXATTRWALK, "44s", 2, 9, ""), 0);
	ck_assert_uint_eq(mhi_p9_get64(&c.in), 0);
	p9_stop(&c);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, xattrs);
	tcase_add_test(tcase, xattr_memory);
	tcase_add_test(tcase, locks);
	tcase_add_test(tcase, readonly);
	tcase_add_test(tcase, mapped);
}

UNIT_MAIN("p9_modes", add_tests)

// SPDX-License-Identifier: MIT
/* Each message of 9P2000.L against a folder: what it does there and what it answers. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p9_client.h"

static struct p9_client c;

static void begin(const struct mhi_p9_config *config)
{
	p9_start(&c, config, "9P2000.L");
}

START_TEST(versions)
{
	p9_open(&c, NULL);
	ck_assert_int_eq(p9_call(&c, P9_TATTACH, "44ss4", 0, P9_NOFID, "", "", 0), EOPNOTSUPP);
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 4095, "9P2000.L"), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 1 << 30, "9P2000.L"), 0);
	ck_assert_uint_eq(mhi_p9_get32(&c.in), MHI_P9_MSIZE_MAX);
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 8192, "9P2000.W"), 0);
	ck_assert_uint_eq(mhi_p9_get32(&c.in), 8192);
	ck_assert(mhi_p9_str_is(mhi_p9_get_str(&c.in), "9P2000"));
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 8192, "9P1999"), 0);
	mhi_p9_get32(&c.in);
	ck_assert(mhi_p9_str_is(mhi_p9_get_str(&c.in), "unknown"));
	ck_assert_int_eq(p9_call(&c, P9_TATTACH, "44ss4", 0, P9_NOFID, "", "", 0), EOPNOTSUPP);
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 8192, "9P2000.L"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TAUTH, "4ss4", 1, "", "", 0), ENOENT);
	ck_assert_int_eq(p9_call(&c, P9_TATTACH, "44ss4", 0, 5, "", "", 0), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TATTACH, "44ss4", 0, P9_NOFID, "", "sub", 0), ENOENT);
	ck_assert_int_eq(p9_call(&c, P9_TATTACH, "44ss4", 0, P9_NOFID, "", "/", 0), 0);
	ck_assert_uint_eq(mhi_p9_get8(&c.in), P9_QTDIR);
	ck_assert_int_eq(p9_call(&c, P9_TATTACH, "44ss4", 0, P9_NOFID, "", "", 0), EBADF);
	/* A new version forgets all fids, and a reset the version, too. */
	ck_assert_int_eq(p9_call(&c, P9_TVERSION, "4s", 8192, "9P2000.L"), 0);
	ck_assert_int_eq(p9_clunk(&c, 0), EBADF);
	mhi_p9_reset(c.p9);
	ck_assert_int_eq(p9_clunk(&c, 0), EOPNOTSUPP);
	p9_stop(&c);
}
END_TEST

START_TEST(walks)
{
	struct p9_stat st;

	begin(NULL);
	mkdirat(c.dir, "d", 0755);
	p9_make(&c, "d/f", "text");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "d/f"), 0);
	mhi_p9_get8(&c.in);
	ck_assert_int_eq(p9_getattr(&c, 1, &st), 0);
	ck_assert_uint_eq(st.qid.path, p9_host_stat(&c, "d/f").st_ino);
	ck_assert_uint_eq(st.size, 4);
	ck_assert_int_eq(p9_walk(&c, 0, 2, "nothing"), ENOENT);
	ck_assert_uint_eq(c.type, P9_RLERROR);
	/* Part of the way: as many qids, and no fid. */
	ck_assert_int_eq(p9_walk(&c, 0, 2, "d/nothing"), ENOENT);
	ck_assert_uint_eq(c.type, P9_TWALK + 1);
	ck_assert_uint_eq(c.in.left, P9_QID_BYTES);
	ck_assert_int_eq(p9_clunk(&c, 2), EBADF);
	ck_assert_int_eq(p9_walk(&c, 0, 2, "d/f/x"), ENOENT);
	ck_assert_int_eq(p9_walk(&c, 1, 2, "x"), ENOTDIR);
	/* A number that is in use, itself, and a clone. */
	ck_assert_int_eq(p9_walk(&c, 0, 1, "d"), EBADF);
	ck_assert_int_eq(p9_walk(&c, 0, 2, ""), 0);
	ck_assert_int_eq(p9_walk(&c, 2, 2, ""), 0);
	ck_assert_int_eq(p9_walk(&c, 2, 2, "d"), 0);
	ck_assert_int_eq(p9_walk(&c, 2, 3, "f"), 0);
	ck_assert_int_eq(p9_walk(&c, 2, P9_NOFID, "f"), EBADF);
	/* 9P2000.L has no way up. */
	ck_assert_int_eq(p9_walk(&c, 2, 4, ".."), EINVAL);
	ck_assert_int_eq(p9_walk(&c, 2, 4, "."), EINVAL);
	ck_assert_int_eq(p9_clunk(&c, 1), 0);
	ck_assert_int_eq(p9_clunk(&c, 1), EBADF);
	ck_assert_int_eq(p9_getattr(&c, 1, &st), EBADF);
	p9_stop(&c);
}
END_TEST

START_TEST(data)
{
	char big[20000];
	u32 n;

	begin(NULL);
	ck_assert_int_eq(p9_walk(&c, 0, 1, ""), 0);
	ck_assert_int_eq(p9_lcreate(&c, 1, "f", O_RDWR, 0640), 0);
	ck_assert_uint_eq(mhi_p9_get8(&c.in), P9_QTFILE);
	ck_assert_uint_eq(p9_host_stat(&c, "f").st_mode, S_IFREG | 0640);
	ck_assert_int_eq(p9_write(&c, 1, 0, "hello", 5), 0);
	ck_assert_int_eq(p9_write(&c, 1, 10, "there", 5), 0);
	ck_assert(p9_has(&c, "f", "hello") == false);
	ck_assert_int_eq(p9_read(&c, 1, 3, 100, &n), 0);
	ck_assert(n == 12 && !memcmp(c.in.p, "lo\0\0\0\0\0there", 12));
	ck_assert_int_eq(p9_read(&c, 1, 15, 100, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(p9_read(&c, 1, 0, 0, &n), 0);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 256);
	ck_assert_int_eq(p9_write(&c, 1, 1, big, sizeof(big)), 0);
	ck_assert_int_eq(p9_read(&c, 1, 1, 1u << 30, &n), 0);
	ck_assert(n == sizeof(big) && !memcmp(c.in.p, big, n));
	/* Less room for the reply than asked for. */
	c.room = 100;
	ck_assert_int_eq(p9_read(&c, 1, 1, 1000, &n), 0);
	ck_assert(n == 89 && !memcmp(c.in.p, big, n));
	c.room = CLIENT_MSIZE;
	ck_assert_int_eq(p9_read(&c, 1, ~0ull, 10, &n), EINVAL);
	ck_assert_int_eq(p9_write(&c, 1, ~0ull, "x", 1), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TWRITE, "484b", 1, 0ull, 6, "hello", (size_t)5), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TFSYNC, "44", 1, 0), 0);
	ck_assert_int_eq(p9_call(&c, P9_TFSYNC, "44", 1, 1), 0);
	ck_assert_int_eq(p9_call(&c, P9_TFSYNC, "4", 1), 0);
	ck_assert_int_eq(p9_call(&c, P9_TFLUSH, "2", 99), 0);
	p9_stop(&c);
}
END_TEST

START_TEST(opening)
{
	u32 n;

	begin(NULL);
	p9_make(&c, "f", "0123456789");
	mkfifoat(c.dir, "fifo", 0600);
	mkdirat(c.dir, "d", 0755);
	ck_assert_int_eq(symlinkat("f", c.dir, "sym"), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 1, "f"), 0);
	ck_assert_int_eq(p9_read(&c, 1, 0, 1, &n), EBADF);
	ck_assert_int_eq(p9_call(&c, P9_TFSYNC, "44", 1, 0), EBADF);
	ck_assert_int_eq(p9_lopen(&c, 1, 3), EINVAL);
	ck_assert_int_eq(p9_lopen(&c, 1, O_DIRECTORY), ENOTDIR);
	ck_assert_int_eq(p9_lopen(&c, 1, O_RDONLY), 0);
	ck_assert_int_eq(p9_lopen(&c, 1, O_RDONLY), EBADF);
	ck_assert_int_eq(p9_write(&c, 1, 0, "x", 1), EBADF);
	ck_assert_int_eq(p9_walk(&c, 1, 1, ""), EBADF);
	ck_assert_int_eq(p9_walk(&c, 1, 2, ""), 0);
	ck_assert_int_eq(p9_lopen(&c, 2, O_WRONLY | O_TRUNC), 0);
	ck_assert_uint_eq(p9_host_stat(&c, "f").st_size, 0);
	ck_assert_int_eq(p9_read(&c, 2, 0, 1, &n), EBADF);
	/* What must never be opened: it would block, or do what a device does. */
	ck_assert_int_eq(p9_walk(&c, 0, 3, "fifo"), 0);
	ck_assert_int_eq(p9_lopen(&c, 3, O_RDONLY), ENXIO);
	ck_assert_int_eq(p9_walk(&c, 0, 4, "sym"), 0);
	ck_assert_int_eq(p9_lopen(&c, 4, O_RDONLY), ELOOP);
	ck_assert_int_eq(p9_walk(&c, 4, 5, "x"), ENOTDIR);
	ck_assert_int_eq(p9_walk(&c, 0, 5, "d"), 0);
	ck_assert_int_eq(p9_lopen(&c, 5, O_RDWR), EISDIR);
	ck_assert_int_eq(p9_lopen(&c, 5, O_RDONLY), 0);
	ck_assert_int_eq(p9_read(&c, 5, 0, 1, &n), EISDIR);
	p9_stop(&c);
}
END_TEST

START_TEST(creating)
{
	begin(NULL);
	p9_make(&c, "there", "old");
	mkfifoat(c.dir, "fifo", 0600);
	ck_assert_int_eq(symlinkat("/etc/passwd", c.dir, "out"), 0);
	ck_assert_int_eq(symlinkat("missing", c.dir, "dangling"), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 1, ""), 0);
	ck_assert_int_eq(p9_lcreate(&c, 1, "there", O_RDWR | P9_DOTL_EXCL, 0600), EEXIST);
	ck_assert_int_eq(p9_lcreate(&c, 1, "fifo", O_WRONLY, 0600), ENXIO);
	ck_assert_int_eq(p9_lcreate(&c, 1, "out", O_WRONLY, 0600), ELOOP);
	ck_assert_int_eq(p9_lcreate(&c, 1, "dangling", O_WRONLY, 0600), ELOOP);
	ck_assert_int_eq(faccessat(c.dir, "missing", F_OK, 0), -1);
	ck_assert_int_eq(p9_lcreate(&c, 1, "a/b", O_WRONLY, 0600), EINVAL);
	ck_assert_int_eq(p9_lcreate(&c, 1, "..", O_WRONLY, 0600), EINVAL);
	ck_assert_int_eq(p9_lcreate(&c, 1, "there", O_RDWR, 0600), 0);
	ck_assert(p9_has(&c, "there", "old"));
	ck_assert_int_eq(p9_lcreate(&c, 1, "again", O_RDWR, 0600), EBADF);
	ck_assert_int_eq(p9_walk(&c, 0, 2, ""), 0);
	ck_assert_int_eq(p9_lcreate(&c, 2, "there", O_RDWR | O_TRUNC, 0600), 0);
	ck_assert(p9_has(&c, "there", ""));
	/* No program of the host's that runs as somebody else. */
	ck_assert_int_eq(p9_walk(&c, 0, 3, ""), 0);
	ck_assert_int_eq(p9_lcreate(&c, 3, "suid", O_RDWR, 06777), 0);
	ck_assert_uint_eq(p9_host_stat(&c, "suid").st_mode, S_IFREG | 0777);
	ck_assert_int_eq(p9_call(&c, P9_TSETATTR,
				 "444448"
				 "8888",
				 3, P9_SETATTR_MODE, 06755, 0, 0, 0ull, 0ull, 0ull, 0ull, 0ull),
			 0);
	ck_assert_uint_eq(p9_host_stat(&c, "suid").st_mode, S_IFREG | 0755);
	p9_stop(&c);
}
END_TEST

static int set(u32 fid, u32 valid, u32 mode, u64 size, u64 mtime, u64 mtime_ns)
{
	return p9_call(&c, P9_TSETATTR,
		       "444448"
		       "8888",
		       fid, valid, mode, 1234, 1234, size, 0ull, 0ull, mtime, mtime_ns);
}

START_TEST(attributes)
{
	struct p9_stat st;

	begin(NULL);
	p9_make(&c, "f", "0123456789");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "f"), 0);
	ck_assert_int_eq(p9_getattr(&c, 1, &st), 0);
	ck_assert_uint_eq(st.valid & P9_GETATTR_BASIC, P9_GETATTR_BASIC);
	ck_assert_uint_eq(st.mode, p9_host_stat(&c, "f").st_mode);
	ck_assert(st.size == 10 && st.nlink == 1 && st.uid == 0 && st.gid == 0);
	ck_assert_int_eq(set(1, P9_SETATTR_MODE, 0400, 0, 0, 0), 0);
	ck_assert_uint_eq(p9_host_stat(&c, "f").st_mode, S_IFREG | 0400);
	ck_assert_int_eq(set(1, P9_SETATTR_SIZE, 0, 3, 0, 0), 0);
	ck_assert(p9_has(&c, "f", "012"));
	ck_assert_int_eq(set(1, P9_SETATTR_SIZE, 0, ~0ull, 0, 0), EINVAL);
	ck_assert_int_eq(set(0, P9_SETATTR_SIZE, 0, 0, 0, 0), EISDIR);
	ck_assert_int_eq(set(1, P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET, 0, 0, 1000, 999999999), 0);
	ck_assert_int_eq(p9_host_stat(&c, "f").st_mtim.tv_sec, 1000);
	ck_assert_int_eq(p9_host_stat(&c, "f").st_mtim.tv_nsec, 999999999);
	ck_assert_int_eq(set(1, P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET, 0, 0, 1, UTIME_NOW),
			 EINVAL);
	ck_assert_int_eq(set(1, P9_SETATTR_MTIME, 0, 0, 0, 0), 0);
	ck_assert_int_gt(p9_host_stat(&c, "f").st_mtim.tv_sec, 1000);
	ck_assert_int_eq(set(1, P9_SETATTR_CTIME, 0, 0, 0, 0), 0);
	ck_assert_int_eq(set(1, 0x200, 0, 0, 0, 0), EINVAL);
	/* Squashed: owners cannot be changed, but may be set to what they are. */
	ck_assert_int_eq(set(1, P9_SETATTR_UID, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(set(1, P9_SETATTR_GID, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(p9_call(&c, P9_TSETATTR,
				 "444448"
				 "8888",
				 1, P9_SETATTR_UID, 0, 0, 0, 0ull, 0ull, 0ull, 0ull, 0ull),
			 0);
	ck_assert_int_eq(p9_call(&c, P9_TSTATFS, "4", 1), 0);
	ck_assert_uint_eq(mhi_p9_get32(&c.in), P9_STATFS_TYPE);
	ck_assert_uint_eq(c.in.left, 56);
	p9_stop(&c);
}
END_TEST

/* All entries, by requests of count bytes: how many; names in *names, one a line. */
static int list(u32 fid, u32 count, char *names, size_t room)
{
	u64 offset = 0;
	int n = 0, error;
	u32 bytes;

	*names = 0;
	for (;;) {
		error = p9_call(&c, P9_TREADDIR, "484", fid, offset, count);
		if (error)
			return -error;
		bytes = mhi_p9_get32(&c.in);
		ck_assert(bytes <= count && bytes == c.in.left);
		if (!bytes)
			return n;
		while (c.in.left) {
			struct mhi_p9_str name;
			size_t used = strlen(names);

			mhi_p9_get8(&c.in);
			mhi_p9_get32(&c.in);
			mhi_p9_get64(&c.in);
			offset = mhi_p9_get64(&c.in);
			mhi_p9_get8(&c.in);
			name = mhi_p9_get_str(&c.in);
			ck_assert(!c.in.bad && used + name.len + 2 < room);
			snprintf(names + used, room - used, "%.*s\n", name.len, name.p);
			n++;
		}
	}
}

START_TEST(folders)
{
	static char names[65536];
	char text[32];

	begin(NULL);
	ck_assert_int_eq(p9_call(&c, P9_TMKDIR, "4s44", 0, "d", 0750, 0), 0);
	ck_assert_uint_eq(mhi_p9_get8(&c.in), P9_QTDIR);
	ck_assert_uint_eq(p9_host_stat(&c, "d").st_mode, S_IFDIR | 0750);
	ck_assert_int_eq(p9_call(&c, P9_TMKDIR, "4s44", 0, "d", 0750, 0), EEXIST);
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "d/%d", i);
		p9_make(&c, text, "");
	}
	ck_assert_int_eq(p9_walk(&c, 0, 1, "d"), 0);
	ck_assert_int_eq(list(1, 1000, names, sizeof(names)), -EBADF);
	ck_assert_int_eq(p9_lopen(&c, 1, O_RDONLY | O_DIRECTORY), 0);
	ck_assert_int_eq(list(1, 200, names, sizeof(names)), 502);
	ck_assert_int_eq(list(1, 60000, names, sizeof(names)), 502);
	ck_assert_ptr_nonnull(strstr(names, "\n499\n"));
	/* No room for one entry. */
	ck_assert_int_eq(list(1, 20, names, sizeof(names)), -EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 0, "d", 0), EISDIR);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 0, "d", 0x200), ENOTEMPTY);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 1, "1", 0x200), ENOTDIR);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 1, "1", 0x100), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 1, "..", 0x200), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 1, "1", 0), 0);
	ck_assert_int_eq(list(1, 60000, names, sizeof(names)), 501);
	/* At the top of the share ".." is the share. */
	ck_assert_int_eq(p9_walk(&c, 0, 2, ""), 0);
	ck_assert_int_eq(p9_lopen(&c, 2, O_RDONLY), 0);
	ck_assert_int_eq(p9_call(&c, P9_TREADDIR, "484", 2, 0ull, 1000), 0);
	mhi_p9_get32(&c.in);
	while (c.in.left) {
		struct mhi_p9_str name;
		u64 path;

		mhi_p9_get8(&c.in);
		mhi_p9_get32(&c.in);
		path = mhi_p9_get64(&c.in);
		mhi_p9_get64(&c.in);
		mhi_p9_get8(&c.in);
		name = mhi_p9_get_str(&c.in);
		if (mhi_p9_str_is(name, ".."))
			ck_assert_uint_eq(path, p9_host_stat(&c, ".").st_ino);
	}
	p9_stop(&c);
}
END_TEST

START_TEST(links)
{
	char target[4096];
	struct p9_stat st;

	begin(NULL);
	p9_make(&c, "f", "text");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "f"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TLINK, "44s", 0, 1, "g"), 0);
	ck_assert_int_eq(p9_host_stat(&c, "g").st_nlink, 2);
	ck_assert_int_eq(p9_call(&c, P9_TLINK, "44s", 0, 1, "g"), EEXIST);
	ck_assert_int_eq(p9_call(&c, P9_TLINK, "44s", 0, 1, "../g"), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TSYMLINK, "4ss4", 0, "s", "../../etc/passwd", 0), 0);
	ck_assert_uint_eq(mhi_p9_get8(&c.in), P9_QTSYMLINK);
	ck_assert_int_eq(p9_walk(&c, 0, 2, "s"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TREADLINK, "4", 2), 0);
	ck_assert(mhi_p9_str_is(mhi_p9_get_str(&c.in), "../../etc/passwd"));
	ck_assert_int_eq(p9_call(&c, P9_TREADLINK, "4", 1), EINVAL);
	ck_assert_int_eq(p9_getattr(&c, 2, &st), 0);
	ck_assert(S_ISLNK(st.mode));
	/* A link to the link, not to what it means. */
	ck_assert_int_eq(p9_call(&c, P9_TLINK, "44s", 0, 2, "s2"), 0);
	ck_assert(S_ISLNK(p9_host_stat(&c, "s2").st_mode));
	ck_assert_int_eq(p9_call(&c, P9_TSYMLINK, "4ss4", 0, "t", "", 0), EINVAL);
	memset(target, 't', sizeof(target));
	ck_assert_int_eq(p9_call(&c, P9_TSYMLINK, "4sS4", 0, "t", target, (size_t)4096, 0),
			 ENAMETOOLONG);
	ck_assert_int_eq(p9_call(&c, P9_TSYMLINK, "4sS4", 0, "t", target, (size_t)4000, 0), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 3, "t"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TREADLINK, "4", 3), 0);
	ck_assert_uint_eq(mhi_p9_get_str(&c.in).len, 4000);
	ck_assert_int_eq(p9_call(&c, P9_TMKNOD, "4s4444", 0, "p", S_IFIFO | 0600, 0, 0, 0), 0);
	ck_assert(S_ISFIFO(p9_host_stat(&c, "p").st_mode));
	ck_assert_int_eq(p9_call(&c, P9_TMKNOD, "4s4444", 0, "n", S_IFCHR | 0600, 1, 3, 0), EPERM);
	ck_assert_int_eq(p9_call(&c, P9_TMKNOD, "4s4444", 0, "x", S_IFDIR | 0600, 0, 0, 0), EINVAL);
	p9_stop(&c);
}
END_TEST

static int renameat_call(const char *from, const char *to)
{
	return p9_call(&c, P9_TRENAMEAT, "4s4s", 0, from, 0, to);
}

START_TEST(renaming)
{
	struct p9_stat st, other;
	u32 n;

	begin(NULL);
	mkdirat(c.dir, "d", 0755);
	p9_make(&c, "d/f", "in d");
	p9_make(&c, "g", "was g");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "d"), 0);
	ck_assert_int_eq(p9_walk(&c, 1, 2, "f"), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 3, "g"), 0);
	ck_assert_int_eq(p9_lopen(&c, 3, O_RDWR), 0);
	ck_assert_int_eq(renameat_call("d", "e"), 0);
	/* The fids know where they are now: by their names they can still be removed. */
	ck_assert_int_eq(p9_call(&c, P9_TRENAME, "44s", 2, 0, "g"), 0);
	ck_assert(p9_has(&c, "g", "in d"));
	ck_assert_int_eq(p9_call(&c, P9_TRENAME, "44s", 0, 1, "top"), EBUSY);
	/* What was there lives on for those who have it open. */
	ck_assert_int_eq(p9_read(&c, 3, 0, 100, &n), 0);
	ck_assert(n == 5 && !memcmp(c.in.p, "was g", 5));
	ck_assert_int_eq(p9_getattr(&c, 3, &st), 0);
	ck_assert_uint_eq(st.nlink, 0);
	ck_assert_int_eq(set(3, P9_SETATTR_SIZE, 0, 2, 0, 0), 0);
	ck_assert_int_eq(p9_getattr(&c, 3, &st), 0);
	ck_assert_uint_eq(st.size, 2);
	/* Its fid cannot remove the file that took its name. */
	ck_assert_int_eq(p9_call(&c, P9_TREMOVE, "4", 3), ESTALE);
	ck_assert(p9_has(&c, "g", "in d"));
	ck_assert_int_eq(renameat_call("g", "g"), 0);
	ck_assert_int_eq(p9_getattr(&c, 2, &other), 0);
	ck_assert_int_eq(renameat_call("none", "none"), ENOENT);
	ck_assert_int_eq(renameat_call("g", "../g"), EINVAL);
	ck_assert_int_eq(renameat_call("..", "g"), EINVAL);
	ck_assert_int_eq(p9_call(&c, P9_TREMOVE, "4", 2), 0);
	ck_assert_int_eq(faccessat(c.dir, "g", F_OK, 0), -1);
	ck_assert_int_eq(p9_call(&c, P9_TREMOVE, "4", 1), 0);
	ck_assert_int_eq(faccessat(c.dir, "e", F_OK, 0), -1);
	/* It clunks even when it fails. */
	ck_assert_int_eq(p9_call(&c, P9_TREMOVE, "4", 0), EBUSY);
	ck_assert_int_eq(p9_clunk(&c, 0), EBADF);
	p9_stop(&c);
}
END_TEST

/* A file without a name, whose only descriptor is that of its place. */
START_TEST(unlinked)
{
	struct p9_stat st;

	begin(NULL);
	p9_make(&c, "f", "text");
	ck_assert_int_eq(p9_walk(&c, 0, 1, "f"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 0, "f", 0), 0);
	ck_assert_int_eq(p9_getattr(&c, 1, &st), 0);
	ck_assert(st.nlink == 0 && st.size == 4);
	ck_assert_int_eq(p9_lopen(&c, 1, O_RDWR), 0);
	ck_assert_int_eq(p9_write(&c, 1, 0, "new", 3), 0);
	ck_assert_int_eq(p9_call(&c, P9_TREMOVE, "4", 1), ESTALE);
	p9_stop(&c);
}
END_TEST

/* More places than descriptors: they are closed, found again, and never mistaken. */
START_TEST(few_descriptors)
{
	struct mhi_p9_config config = { .tree.fds_max = 32 };
	struct p9_stat st;
	char name[32];
	u64 ino[200];
	u32 n;

	begin(&config);
	mkdirat(c.dir, "d", 0755);
	for (u32 i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d/%u", i);
		p9_make(&c, name, name);
		ck_assert_int_eq(p9_walk(&c, 0, 1 + i, name), 0);
		ino[i] = p9_host_stat(&c, name).st_ino;
	}
	ck_assert_int_le(p9_count_fds(), c.fds_before + 1 + 2 + 32);
	for (u32 i = 0; i < 200; i++) {
		ck_assert_int_eq(p9_getattr(&c, 1 + i, &st), 0);
		ck_assert_uint_eq(st.qid.path, ino[i]);
	}
	/* Renamed and removed by us: followed. */
	ck_assert_int_eq(renameat_call("d", "e"), 0);
	ck_assert_int_eq(p9_walk(&c, 0, 300, "e"), 0);
	ck_assert_int_eq(p9_call(&c, P9_TUNLINKAT, "4s4", 300, "0", 0), 0);
	for (u32 i = 199; i < 200; i--) {
		ck_assert_int_eq(p9_getattr(&c, 1 + i, &st), 0);
		ck_assert_uint_eq(st.qid.path, ino[i]);
	}
	/* Behind our back: stale, not another file. */
	ck_assert_int_eq(renameat(c.dir, "e/5", c.dir, "e/6"), 0);
	for (u32 i = 100; i < 200; i++)
		ck_assert_int_eq(p9_getattr(&c, 1 + i, &st), 0);
	ck_assert_int_eq(p9_getattr(&c, 1 + 5, &st), ESTALE);
	ck_assert_int_eq(p9_getattr(&c, 1 + 6, &st), ESTALE);
	/* All open at once: an error, and all is well after some are closed. */
	for (n = 0; n < 100 && !p9_lopen(&c, 1 + 10 + n, O_RDONLY); n++)
		;
	ck_assert_uint_ge(n, 20);
	ck_assert_uint_le(n, 32);
	ck_assert_int_eq(p9_lopen(&c, 1 + 150, O_RDONLY), EMFILE);
	ck_assert_int_eq(p9_clunk(&c, 1 + 10), 0);
	ck_assert_int_eq(p9_clunk(&c, 1 + 11), 0);
	ck_assert_int_eq(p9_lopen(&c, 1 + 150, O_RDONLY), 0);
	p9_stop(&c);
}
END_TEST

/* ---- Tflush and Tversion wait for what came before them ---- */

static struct mhi_p9_req first, second;
static u8 done;

static void *run_second(void *opaque)
{
	mhi_p9_run(c.p9, &second);
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void check_waits(u8 type, const void *body, size_t bytes)
{
	u8 clunk[] = { 11, 0, 0, 0, P9_TCLUNK, 1, 0, 99, 0, 0, 0 }, replies[2][64];
	u8 message[32] = { (u8)(7 + bytes), 0, 0, 0, type, 2, 0 };
	struct iovec iov[4] = { { clunk, sizeof(clunk) },
				{ message, 7 + bytes },
				{ replies[0], 64 },
				{ replies[1], 64 } };
	pthread_t thread;

	memcpy(message + 7, body, bytes);
	first = (struct mhi_p9_req){ .out = &iov[0], .outs = 1, .in = &iov[2], .ins = 1 };
	second = (struct mhi_p9_req){ .out = &iov[1], .outs = 1, .in = &iov[3], .ins = 1 };
	done = 0;
	mhi_p9_server_begin(mhi_p9_server(c.p9), &first);
	mhi_p9_server_begin(mhi_p9_server(c.p9), &second);
	pthread_create(&thread, NULL, run_second, NULL);
	mhi_p9_run(c.p9, &first);
	usleep(20000);
	ck_assert(!__atomic_load_n(&done, __ATOMIC_ACQUIRE));
	mhi_p9_server_end(mhi_p9_server(c.p9), &first);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(second.replied ? replies[1][4] : 0, type + 1u);
	mhi_p9_server_end(mhi_p9_server(c.p9), &second);
}

START_TEST(waiting)
{
	begin(NULL);
	check_waits(P9_TFLUSH, "\1\0", 2);
	check_waits(P9_TVERSION,
		    "\0\x20\0\0\x8\0"
		    "9P2000.L",
		    14);
	p9_stop(&c);
}
END_TEST

START_TEST(bad_folders)
{
	struct mhi_p9_config config = { .tree.path = "/nonexistent/folder" };
	struct mhi_err err = { 0 };
	struct mhi_p9 *p9 = NULL;

	ck_assert_int_eq(mhi_p9_create(&config, &p9, &err), MH_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/folder"));
	config.tree.path = "/etc/passwd";
	ck_assert_int_eq(mhi_p9_create(&config, &p9, &err), MH_EINVAL);
	config.tree.path = "";
	ck_assert_int_eq(mhi_p9_create(&config, &p9, &err), MH_EINVAL);
	config.tree.path = "/proc";
	config.tree.ids = MHI_TREE_MAPPED;
	ck_assert_int_eq(mhi_p9_create(&config, &p9, &err), MH_ENOTSUP);
	ck_assert_ptr_null(p9);
	mhi_p9_destroy(NULL);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, versions);
	tcase_add_test(tcase, walks);
	tcase_add_test(tcase, data);
	tcase_add_test(tcase, opening);
	tcase_add_test(tcase, creating);
	tcase_add_test(tcase, attributes);
	tcase_add_test(tcase, folders);
	tcase_add_test(tcase, links);
	tcase_add_test(tcase, renaming);
	tcase_add_test(tcase, unlinked);
	tcase_add_test(tcase, few_descriptors);
	tcase_add_test(tcase, waiting);
	tcase_add_test(tcase, bad_folders);
}

UNIT_MAIN("p9", add_tests)

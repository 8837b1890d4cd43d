// SPDX-License-Identifier: MIT
/* The FUSE server as Linux' client uses it: files, names, folders, attributes, what it forgets. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuse_client.h"

#define ROOT FUSE_ROOT_ID

static struct fuse_client c;

static int init_as(u32 major, u32 minor, u32 flags)
{
	const struct fuse_init_in in = { .major = major, .minor = minor, .flags = flags };

	/* The part that clients before 7.36 have. */
	return fc_raw(&c, FUSE_INIT, 0, &in, 16);
}

START_TEST(negotiation)
{
	const struct fuse_init_out *out;

	fc_open(&c, NULL);
	out = (const void *)(c.reply + sizeof(struct fuse_out_header));
	ck_assert_uint_eq(fc_lookup(&c, ROOT, "."), 0);
	ck_assert_int_eq(fc_raw(&c, FUSE_STATFS, ROOT, NULL, 0), -ENOTCONN);
	ck_assert_int_eq(init_as(6, 40, 0), -EPROTO);
	ck_assert_int_eq(init_as(7, 22, 0), -EPROTO);
	ck_assert_int_eq(init_as(8, 0, 0), 0);
	ck_assert_uint_eq(out->major, 7);
	ck_assert_int_eq(fc_raw(&c, FUSE_STATFS, ROOT, NULL, 0), -ENOTCONN);
	/* viofs */
	ck_assert_int_eq(init_as(7, 31, FUSE_DO_READDIRPLUS | FUSE_MAX_PAGES), 0);
	ck_assert_uint_eq(out->flags, FUSE_DO_READDIRPLUS | FUSE_MAX_PAGES);
	ck_assert_uint_eq(out->max_write, 1u << 20);
	ck_assert_uint_eq(out->max_pages, 256);
	ck_assert_uint_eq(fc_lookup(&c, ROOT, "."), ROOT);
	ck_assert_int_eq(init_as(7, 31, FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS), 0);
	ck_assert_uint_eq(out->flags, 0);
	ck_assert_uint_eq(out->max_write, 32 * 4096);
	ck_assert_int_eq(fc_raw(&c, FUSE_DESTROY, 0, NULL, 0), 0);
	ck_assert_int_eq(fc_raw(&c, FUSE_STATFS, ROOT, NULL, 0), -ENOTCONN);
	fc_stop(&c);
}
END_TEST

START_TEST(files)
{
	static u8 big[1 << 20];
	u64 node, fh, again;
	struct fuse_attr a;

	fc_start(&c, NULL);
	fh = fc_create(&c, ROOT, "f", 0640, &node);
	ck_assert_uint_ne(fh, UINT64_MAX);
	ck_assert_int_eq(fc_write(&c, fh, 0, "hello", 5), 5);
	ck_assert(fc_host_has(&c, "f", "hello"));
	ck_assert_int_eq(fc_read(&c, fh, 1, 100), 4);
	ck_assert(!memcmp(c.body, "ello", 4));
	a = fc_attr(&c, node);
	ck_assert_uint_eq(a.size, 5);
	ck_assert_uint_eq(a.mode, S_IFREG | 0640);
	ck_assert_uint_eq(fc_lookup(&c, ROOT, "f"), node);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (u8)rng_next(&c.rng);
	ck_assert_int_eq(fc_write(&c, fh, 3, big, sizeof(big)), sizeof(big));
	ck_assert_int_eq(fc_read(&c, fh, 3, sizeof(big)), sizeof(big));
	ck_assert(!memcmp(c.body, big, sizeof(big)));
	ck_assert_int_eq(fc_release(&c, fh), 0);
	ck_assert_int_eq(fc_read(&c, fh, 0, 1), -EBADF);
	ck_assert_int_eq(fc_release(&c, fh), -EBADF);
	again = fc_open_file(&c, node, O_RDONLY);
	ck_assert_uint_ne(again, fh);
	ck_assert_int_eq(fc_write(&c, again, 0, "x", 1), -EBADF);
	fc_release(&c, again);
	again = fc_open_file(&c, node, O_WRONLY | O_TRUNC);
	ck_assert_uint_eq(fc_attr(&c, node).size, 0);
	ck_assert_int_eq(fc_read(&c, again, 0, 1), -EBADF);
	fc_stop(&c);
}
END_TEST

START_TEST(more_of_files)
{
	struct fuse_fallocate_in room = { .length = 100000 };
	struct fuse_copy_file_range_in copy = { .len = 5, .off_out = 2 };
	struct fuse_lseek_in seek = { .whence = SEEK_HOLE };
	struct fuse_fsync_in sync = { .fsync_flags = 1 };
	u64 node, dir;

	fc_start(&c, NULL);
	room.fh = copy.fh_in = seek.fh = sync.fh = fc_create(&c, ROOT, "f", 0600, &node);
	copy.fh_out = fc_create(&c, ROOT, "g", 0600, &node);
	fc_write(&c, room.fh, 0, "12345", 5);
	ck_assert_int_eq(fc_raw(&c, FUSE_COPY_FILE_RANGE, 0, &copy, sizeof(copy)), 0);
	ck_assert_uint_eq(*(u32 *)(void *)c.body, 5);
	ck_assert_int_eq(fc_read(&c, copy.fh_out, 0, 10), 7);
	ck_assert(!memcmp(c.body, "\0\00012345", 7));
	ck_assert_int_eq(fc_raw(&c, FUSE_FALLOCATE, 0, &room, sizeof(room)), 0);
	room.mode = 0x40;
	ck_assert_int_eq(fc_raw(&c, FUSE_FALLOCATE, 0, &room, sizeof(room)), -EOPNOTSUPP);
	ck_assert_int_eq(fc_raw(&c, FUSE_LSEEK, 0, &seek, sizeof(seek)), 0);
	seek.whence = SEEK_END;
	ck_assert_int_eq(fc_raw(&c, FUSE_LSEEK, 0, &seek, sizeof(seek)), -EINVAL);
	ck_assert_int_eq(fc_raw(&c, FUSE_FSYNC, 0, &sync, sizeof(sync)), 0);
	dir = sync.fh = seek.fh = fc_open_file(&c, ROOT, O_DIRECTORY);
	ck_assert_int_eq(fc_raw(&c, FUSE_FSYNCDIR, 0, &sync, sizeof(sync)), 0);
	seek.whence = SEEK_HOLE;
	ck_assert_int_eq(fc_raw(&c, FUSE_LSEEK, 0, &seek, sizeof(seek)), -EINVAL);
	ck_assert_int_eq(fc_read(&c, dir, 0, 1), -EISDIR);
	ck_assert_int_eq(fc_raw(&c, FUSE_SYNCFS, ROOT, NULL, 0), 0);
	ck_assert_int_eq(fc_raw(&c, FUSE_STATFS, ROOT, NULL, 0), 0);
	ck_assert_uint_eq(((struct fuse_statfs_out *)(void *)c.body)->st.namelen, 255);
	ck_assert_int_eq(fc_raw(&c, FUSE_FLUSH, 0, &(struct fuse_flush_in){ 0 }, 24), 0);
	ck_assert_int_eq(fc_raw(&c, FUSE_GETLK, ROOT, &(struct fuse_lk_in){ 0 }, 48), -ENOSYS);
	fc_stop(&c);
}
END_TEST

static int two_names(u32 op, u64 from, const char *name, u64 to, const char *new_name, u32 flags)
{
	const struct fuse_rename2_in in = { .newdir = to, .flags = flags };

	c.second = new_name;
	return fc_call(&c, op, from, &in, op == FUSE_RENAME ? 8 : sizeof(in), name);
}

START_TEST(names)
{
	const struct fuse_mkdir_in mkdir_in = { .mode = 0750 };
	struct fuse_link_in link_in;
	u64 dir, node, fh;

	fc_start(&c, NULL);
	ck_assert_int_eq(fc_call(&c, FUSE_MKDIR, ROOT, &mkdir_in, 8, "d"), 0);
	dir = fc_lookup(&c, ROOT, "d");
	ck_assert_uint_eq(fc_attr(&c, dir).mode, S_IFDIR | 0750);
	ck_assert_int_eq(fc_call(&c, FUSE_MKDIR, ROOT, &mkdir_in, 8, "d"), -EEXIST);
	fh = fc_create(&c, dir, "f", 0600, &node);
	fc_write(&c, fh, 0, "text", 4);
	link_in.oldnodeid = node;
	ck_assert_int_eq(fc_call(&c, FUSE_LINK, ROOT, &link_in, 8, "hard"), 0);
	ck_assert_uint_eq(fc_lookup(&c, ROOT, "hard"), node);
	ck_assert_uint_eq(fc_attr(&c, node).nlink, 2);
	ck_assert_int_eq(two_names(FUSE_RENAME, dir, "f", ROOT, "moved", 0), 0);
	ck_assert(fc_host_has(&c, "moved", "text"));
	ck_assert_uint_eq(fc_lookup(&c, dir, "f"), 0);
	ck_assert_int_eq(two_names(FUSE_RENAME2, ROOT, "moved", ROOT, "hard", 1), -EEXIST);
	ck_assert_int_eq(two_names(FUSE_RENAME2, ROOT, "moved", ROOT, "hard", 2), -EINVAL);
	ck_assert_int_eq(two_names(FUSE_RENAME2, ROOT, "moved", dir, "back", 1), 0);
	ck_assert_int_eq(fc_call(&c, FUSE_RMDIR, ROOT, NULL, 0, "d"), -ENOTEMPTY);
	ck_assert_int_eq(fc_call(&c, FUSE_UNLINK, dir, NULL, 0, "back"), 0);
	/* Its other name still leads to it. */
	ck_assert_uint_eq(fc_attr(&c, node).nlink, 1);
	ck_assert_int_eq(fc_call(&c, FUSE_RMDIR, ROOT, NULL, 0, "d"), 0);
	ck_assert_int_eq(fc_call(&c, FUSE_UNLINK, ROOT, NULL, 0, "hard"), 0);
	/* Gone, but open. */
	ck_assert_uint_eq(fc_attr(&c, node).nlink, 0);
	ck_assert_int_eq(fc_read(&c, fh, 0, 10), 4);
	fc_stop(&c);
}
END_TEST

static int symlink_to(const char *name, const char *target)
{
	c.second = target;
	return fc_call(&c, FUSE_SYMLINK, ROOT, NULL, 0, name);
}

START_TEST(links_and_specials)
{
	struct fuse_mknod_in in = { .mode = S_IFCHR | 0600, .rdev = 0x103 };
	u64 link, pipe;

	fc_start(&c, NULL);
	ck_assert_int_eq(symlink_to("s", "/etc/passwd"), 0);
	link = fc_lookup(&c, ROOT, "s");
	ck_assert(S_ISLNK(fc_attr(&c, link).mode));
	ck_assert_int_eq(fc_raw(&c, FUSE_READLINK, link, NULL, 0), 0);
	ck_assert(c.bytes == 11 && !memcmp(c.body, "/etc/passwd", 11));
	ck_assert_int_eq(fc_raw(&c, FUSE_READLINK, ROOT, NULL, 0), -EINVAL);
	/* Never followed, whatever it is used for. */
	ck_assert_uint_eq(fc_open_file(&c, link, O_RDONLY), UINT64_MAX);
	ck_assert_uint_eq(fc_open_file(&c, link, O_DIRECTORY), UINT64_MAX);
	ck_assert_int_eq(symlink_to("up", ".."), 0);
	ck_assert_uint_eq(fc_lookup(&c, fc_lookup(&c, ROOT, "up"), "tmp"), 0);
	ck_assert_int_eq(fc_call(&c, FUSE_MKNOD, ROOT, &in, sizeof(in), "dev"), -EPERM);
	in.mode = S_IFIFO | 0600;
	ck_assert_int_eq(fc_call(&c, FUSE_MKNOD, ROOT, &in, sizeof(in), "pipe"), 0);
	pipe = fc_lookup(&c, ROOT, "pipe");
	ck_assert(S_ISFIFO(fc_attr(&c, pipe).mode));
	ck_assert_uint_eq(fc_open_file(&c, pipe, O_RDONLY), UINT64_MAX);
	ck_assert_uint_eq(fc_create(&c, ROOT, "pipe", 0600, &pipe), UINT64_MAX);
	fc_stop(&c);
}
END_TEST

/* ---- folders ---- */

#define CROWD 500

static u32 seen[CROWD];

/* The offset of the last one; 0: there are no more. */
static u64 read_some(u64 fh, u64 offset, u32 room, bool plus)
{
	const struct fuse_read_in in = { .fh = fh, .offset = offset, .size = room };
	size_t head = plus ? sizeof(struct fuse_entry_out) : 0;
	u64 last = 0;

	ck_assert_int_eq(fc_raw(&c, plus ? FUSE_READDIRPLUS : FUSE_READDIR, 0, &in, sizeof(in)), 0);
	ck_assert_uint_le(c.bytes, room);
	for (size_t at = 0; at < c.bytes;) {
		const struct fuse_entry_out *e = (const void *)(c.body + at);
		const struct fuse_dirent *d = (const void *)(c.body + at + head);
		unsigned int n;

		if (sscanf(d->name, "name-%u", &n) == 1) {
			seen[n]++;
			ck_assert(!plus || e->nodeid);
			ck_assert(!plus || e->attr.ino == d->ino);
		} else {
			ck_assert(!plus || !e->nodeid);
		}
		last = d->off;
		at += head + FUSE_DIRENT_SIZE(d);
	}
	return last;
}

static void list(bool plus, u32 room)
{
	u64 fh = fc_open_file(&c, ROOT, O_DIRECTORY), at = 0;

	memset(seen, 0, sizeof(seen));
	while ((at = read_some(fh, at, room, plus)))
		;
	for (u32 i = 0; i < CROWD; i++)
		ck_assert_uint_eq(seen[i], 1);
	fc_release(&c, fh);
}

START_TEST(folders)
{
	const struct fuse_read_in little = { .size = 30 };
	struct fuse_read_in in = little;
	struct {
		struct fuse_batch_forget_in head;
		struct fuse_forget_one one[CROWD];
	} batch = { .head.count = CROWD };
	char name[300];

	fc_start(&c, NULL);
	for (u32 i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "name-%u-%0*u", i, (int)(i % 200) + 1, i);
		fc_host_file(&c, name, "");
	}
	list(false, 1000);
	list(false, 65536);
	ck_assert_uint_eq(fc_inodes(&c), 1);
	list(true, 1000);
	list(true, 65536);
	ck_assert_uint_eq(fc_inodes(&c), 1 + CROWD);
	for (u32 i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "name-%u-%0*u", i, (int)(i % 200) + 1, i);
		batch.one[i].nodeid = fc_lookup(&c, ROOT, name);
		batch.one[i].nlookup = 2;
	}
	ck_assert_int_eq(fc_raw(&c, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch)), 1);
	ck_assert_uint_eq(fc_inodes(&c), 1 + CROWD);
	for (u32 i = 0; i < CROWD; i++)
		batch.one[i].nlookup = 1;
	ck_assert_int_eq(fc_raw(&c, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch)), 1);
	ck_assert_uint_eq(fc_inodes(&c), 1);
	in.fh = fc_open_file(&c, ROOT, O_DIRECTORY);
	ck_assert_int_eq(fc_raw(&c, FUSE_READDIR, 0, &in, sizeof(in)), -EINVAL);
	fc_stop(&c);
}
END_TEST

/* ---- attributes ---- */

START_TEST(attributes)
{
	const struct mhi_fuse_config config = { .tree = { .uid = 1000, .gid = 100 } };
	struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = 04755 };
	u64 node, fh;
	struct fuse_attr a;

	fc_start(&c, &config);
	fh = fc_create(&c, ROOT, "f", 0600, &node);
	ck_assert_int_eq(fc_raw(&c, FUSE_SETATTR, node, &in, sizeof(in)), 0);
	a = fc_attr(&c, node);
	ck_assert_uint_eq(a.mode, S_IFREG | 0755);
	ck_assert_uint_eq(a.uid, 1000);
	ck_assert_uint_eq(a.gid, 100);
	in = (struct fuse_setattr_in){ .valid = FATTR_UID, .uid = 5 };
	ck_assert_int_eq(fc_raw(&c, FUSE_SETATTR, node, &in, sizeof(in)), -EPERM);
	in = (struct fuse_setattr_in){
		.valid = FATTR_SIZE | FATTR_MTIME | FATTR_ATIME | FATTR_ATIME_NOW,
		.size = 7,
		.mtime = 12345,
		.mtimensec = 678,
	};
	ck_assert_int_eq(fc_raw(&c, FUSE_SETATTR, node, &in, sizeof(in)), 0);
	a = fc_attr(&c, node);
	ck_assert(a.size == 7 && a.mtime == 12345 && a.mtimensec == 678 && a.atime > 1000000000);
	in.mtimensec = 1000000000;
	ck_assert_int_eq(fc_raw(&c, FUSE_SETATTR, node, &in, sizeof(in)), -EINVAL);
	/* By what is open, where the mode would forbid it. */
	in = (struct fuse_setattr_in){ .valid = FATTR_MODE, .mode = 0 };
	ck_assert_int_eq(fc_raw(&c, FUSE_SETATTR, node, &in, sizeof(in)), 0);
	in = (struct fuse_setattr_in){ .valid = FATTR_SIZE | FATTR_FH, .fh = fh, .size = 3 };
	ck_assert_int_eq(fc_raw(&c, FUSE_SETATTR, node, &in, sizeof(in)), 0);
	ck_assert_uint_eq(fc_attr(&c, node).size, 3);
	fc_stop(&c);
}
END_TEST

START_TEST(mapped)
{
	const struct mhi_fuse_config config = { .tree.ids = MHI_TREE_MAPPED };
	struct fuse_mknod_in mknod_in = { .mode = S_IFBLK | 0640, .rdev = 0x0801 };
	struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = 06755 };
	struct fuse_write_in write_in = { .write_flags = FUSE_WRITE_KILL_SUIDGID };
	struct fuse_getxattr_in list = { 0 };
	struct stat st;
	u64 node;

	fc_start(&c, &config);
	c.uid = 17;
	c.gid = 18;
	write_in.fh = fc_create(&c, ROOT, "f", 0600, &node);
	ck_assert(fc_attr(&c, node).uid == 17 && fc_attr(&c, node).gid == 18);
	fc_raw(&c, FUSE_SETATTR, node, &in, sizeof(in));
	ck_assert_uint_eq(fc_attr(&c, node).mode, S_IFREG | 06755);
	ck_assert_int_eq(fstatat(c.dir, "f", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(fc_raw(&c, FUSE_WRITE, node, &write_in, sizeof(write_in)), 0);
	ck_assert_uint_eq(fc_attr(&c, node).mode, S_IFREG | 0755);
	ck_assert_int_eq(fc_call(&c, FUSE_MKNOD, ROOT, &mknod_in, sizeof(mknod_in), "b"), 0);
	node = fc_lookup(&c, ROOT, "b");
	ck_assert_uint_eq(fc_attr(&c, node).mode, S_IFBLK | 0640);
	ck_assert_uint_eq(fc_attr(&c, node).rdev, 0x0801);
	ck_assert_uint_eq(fc_open_file(&c, node, O_RDONLY), UINT64_MAX);
	/* How it is kept is not the client's business. */
	list.size = 1000;
	ck_assert_int_eq(fc_raw(&c, FUSE_LISTXATTR, node, &list, sizeof(list)), 0);
	ck_assert_uint_eq(c.bytes, 0);
	fc_stop(&c);
}
END_TEST

static int set_xattr(u64 node, const char *name, const u8 *value, u32 bytes, u32 flags)
{
	static u8 body[80000];
	const struct fuse_setxattr_in in = { .size = bytes, .flags = flags };
	size_t at = FUSE_COMPAT_SETXATTR_IN_SIZE;

	memcpy(body, &in, at);
	memcpy(body + at, name, strlen(name) + 1);
	at += strlen(name) + 1;
	if (bytes)
		memcpy(body + at, value, bytes);
	return fc_raw(&c, FUSE_SETXATTR, node, body, at + bytes);
}

START_TEST(xattrs)
{
	struct fuse_getxattr_in in = { 0 };
	static u8 value[3000];
	u64 node;

	fc_start(&c, NULL);
	fc_create(&c, ROOT, "f", 0600, &node);
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (u8)rng_next(&c.rng);
	ck_assert_int_eq(set_xattr(node, "user.a", value, sizeof(value), 0), 0);
	ck_assert_int_eq(set_xattr(node, "user.a", value, 1, XATTR_CREATE), -EEXIST);
	ck_assert_int_eq(set_xattr(node, "user.macrohard.p9", value, 1, 0), -EOPNOTSUPP);
	ck_assert_int_eq(set_xattr(node, "security.capability", value, 1, 0), -EOPNOTSUPP);
	ck_assert_int_eq(set_xattr(node, "", value, 1, 0), -EINVAL);
	ck_assert_int_eq(fc_call(&c, FUSE_GETXATTR, node, &in, 8, "user.a"), 0);
	ck_assert_uint_eq(*(u32 *)(void *)c.body, sizeof(value));
	in.size = sizeof(value) - 1;
	ck_assert_int_eq(fc_call(&c, FUSE_GETXATTR, node, &in, 8, "user.a"), -ERANGE);
	in.size = sizeof(value);
	ck_assert_int_eq(fc_call(&c, FUSE_GETXATTR, node, &in, 8, "user.a"), 0);
	ck_assert(c.bytes == sizeof(value) && !memcmp(c.body, value, sizeof(value)));
	ck_assert_int_eq(fc_call(&c, FUSE_GETXATTR, node, &in, 8, "user.b"), -ENODATA);
	ck_assert_int_eq(fc_raw(&c, FUSE_LISTXATTR, node, &in, sizeof(in)), 0);
	ck_assert(c.bytes == 7 && !memcmp(c.body, "user.a", 7));
	ck_assert_int_eq(fc_call(&c, FUSE_REMOVEXATTR, node, NULL, 0, "user.a"), 0);
	ck_assert_int_eq(fc_call(&c, FUSE_REMOVEXATTR, node, NULL, 0, "user.a"), -ENODATA);
	fc_stop(&c);
}
END_TEST

/* ---- what the host does meanwhile ---- */

START_TEST(changes_of_the_host)
{
	u64 node, dir, inner;

	fc_start(&c, NULL);
	fc_host_file(&c, "f", "one");
	node = fc_lookup(&c, ROOT, "f");
	ck_assert_int_eq(renameat(c.dir, "f", c.dir, "g"), 0);
	ck_assert_uint_eq(fc_lookup(&c, ROOT, "f"), 0);
	/* It is known by itself, not by its name. */
	ck_assert_uint_eq(fc_lookup(&c, ROOT, "g"), node);
	fc_host_file(&c, "new", "two");
	ck_assert_int_eq(renameat(c.dir, "new", c.dir, "g"), 0);
	ck_assert_uint_ne(fc_lookup(&c, ROOT, "g"), node);
	ck_assert_int_eq(mkdirat(c.dir, "d", 0700), 0);
	fc_host_file(&c, "d/x", "three");
	dir = fc_lookup(&c, ROOT, "d");
	inner = fc_lookup(&c, dir, "x");
	ck_assert_int_eq(renameat(c.dir, "d", c.dir, "e"), 0);
	ck_assert_uint_eq(fc_lookup(&c, ROOT, "e"), dir);
	ck_assert_uint_eq(fc_lookup(&c, dir, "x"), inner);
	ck_assert_uint_eq(fc_attr(&c, inner).size, 5);
	fc_stop(&c);
}
END_TEST

START_TEST(few_descriptors)
{
	const struct mhi_fuse_config config = { .tree.fds_max = 32 };
	u64 node[100];
	char name[16];

	fc_start(&c, &config);
	for (u32 i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%u", i);
		fc_host_file(&c, name, name);
		node[i] = fc_lookup(&c, ROOT, name);
		ck_assert_uint_ne(node[i], 0);
	}
	for (u32 i = 0; i < 100; i++) {
		u64 fh = fc_open_file(&c, node[i], O_RDONLY);

		ck_assert_uint_ne(fh, UINT64_MAX);
		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(fc_read(&c, fh, 0, 10), (int)strlen(name));
		ck_assert(!memcmp(c.body, name, strlen(name)));
		fc_release(&c, fh);
	}
	/* Renamed and removed behind the server's back: it says so, and finds the rest. */
	ck_assert_int_eq(renameat(c.dir, "0", c.dir, "1"), 0);
	ck_assert_int_eq(fc_raw(&c, FUSE_OPEN, node[1], &(struct fuse_open_in){ 0 }, 8), -ESTALE);
	ck_assert_uint_eq(fc_lookup(&c, ROOT, "1"), node[0]);
	ck_assert_uint_ne(fc_open_file(&c, node[0], O_RDONLY), UINT64_MAX);
	fc_stop(&c);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, negotiation);
	tcase_add_test(tcase, files);
	tcase_add_test(tcase, more_of_files);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, links_and_specials);
	tcase_add_test(tcase, folders);
	tcase_add_test(tcase, attributes);
	tcase_add_test(tcase, mapped);
	tcase_add_test(tcase, xattrs);
	tcase_add_test(tcase, changes_of_the_host);
	tcase_add_test(tcase, few_descriptors);
}

UNIT_MAIN("fuse", add_tests)

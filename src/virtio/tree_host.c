/* SPDX-License-Identifier: MIT */
/* The host's files: opening below a folder without being led elsewhere, identities. */
#include "virtio/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* openat2(2), "struct open_how" */
struct open_how_args {
	u64 flags, mode, resolve;
};
#define RESOLVE_NO_MAGICLINKS_BIT 0x02
#define RESOLVE_NO_SYMLINKS_BIT 0x04
#define RESOLVE_BENEATH_BIT 0x08

#define NS_PER_S 1000000000ull

/* Keeps numbers of files on other devices of the folder apart from its own. */
#define DEVICE_MIX 0x9e3779b97f4a7c15ull

int mhi_tree_open_at(int dir, const char *name, u64 flags, u32 mode)
{
	struct open_how_args how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = mode,
		.resolve =
			RESOLVE_BENEATH_BIT | RESOLVE_NO_SYMLINKS_BIT | RESOLVE_NO_MAGICLINKS_BIT,
	};
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

struct tree_proc_name mhi_tree_proc_name(int fd)
{
	struct tree_proc_name name;

	snprintf(name.text, sizeof(name.text), "%d", fd);
	return name;
}

struct tree_proc_path mhi_tree_proc_path(int fd)
{
	struct tree_proc_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

/*
 * Through the descriptor itself, not the name: what was found to be a regular file cannot have
 * become a device by then.
 */
int mhi_tree_reopen(const struct mhi_tree *t, int fd, int flags)
{
	struct tree_proc_name name = mhi_tree_proc_name(fd);
	int new_fd = openat(t->proc_fd, name.text, flags | O_CLOEXEC | O_NOCTTY);

	return new_fd < 0 ? -errno : new_fd;
}

static struct timespec time_of(const struct statx_timestamp *t)
{
	return (struct timespec){ .tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec };
}

static int stat_call(int dir, const char *name, int flags, struct tree_attr *a)
{
	struct statx sx;

	if (statx(dir, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_BTIME, &sx))
		return -errno;
	memset(a, 0, sizeof(*a));
	a->id.dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	a->id.ino = sx.stx_ino;
	if (sx.stx_mask & STATX_BTIME) {
		a->btime = time_of(&sx.stx_btime);
		a->id.born = (u64)sx.stx_btime.tv_sec * NS_PER_S + sx.stx_btime.tv_nsec;
	}
	a->mode = a->host_mode = sx.stx_mode;
	a->uid = sx.stx_uid;
	a->gid = sx.stx_gid;
	a->nlink = sx.stx_nlink;
	a->rdev = makedev(sx.stx_rdev_major, sx.stx_rdev_minor);
	a->size = sx.stx_size;
	a->blksize = sx.stx_blksize;
	a->blocks = sx.stx_blocks;
	a->atime = time_of(&sx.stx_atime);
	a->mtime = time_of(&sx.stx_mtime);
	a->ctime = time_of(&sx.stx_ctime);
	return 0;
}

int mhi_tree_stat(int fd, struct tree_attr *a)
{
	return stat_call(fd, "", AT_EMPTY_PATH, a);
}

int mhi_tree_stat_at(int dir, const char *name, struct tree_attr *a)
{
	return stat_call(dir, name, 0, a);
}

/*
 * By fstat, not by statx: that copies a name, even an empty one, into a page that it clears before.
 * (glibc's fstat is a call with an empty name, too.) It does not tell the birth.
 */
int mhi_tree_stat_known(int fd, const struct tree_id *id, struct tree_attr *a)
{
	struct stat st;

	if (syscall(SYS_fstat, fd, &st))
		return -errno;
	*a = (struct tree_attr){
		.id = *id,
		.mode = st.st_mode,
		.host_mode = st.st_mode,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.nlink = st.st_nlink,
		.rdev = st.st_rdev,
		.size = (u64)st.st_size,
		.blksize = (u64)st.st_blksize,
		.blocks = (u64)st.st_blocks,
		.atime = st.st_atim,
		.mtime = st.st_mtim,
		.ctime = st.st_ctim,
		.btime = { (time_t)(id->born / NS_PER_S), (long)(id->born % NS_PER_S) },
	};
	return 0;
}

bool mhi_tree_same(const struct tree_id *a, const struct tree_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->born == b->born;
}

u64 mhi_tree_ino(const struct mhi_tree *t, u64 dev, u64 ino)
{
	return dev == t->root_id.dev ? ino : ino + dev * DEVICE_MIX;
}

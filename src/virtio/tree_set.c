/* SPDX-License-Identifier: MIT */
/* What a client may set of a file: size, owner, mode, times. */
#include "virtio/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int resize(const struct tree_file *file, u64 size)
{
	if (size > INT64_MAX)
		return -EINVAL;
	if (S_ISDIR(file->node->type))
		return -EISDIR;
	if (!S_ISREG(file->node->type))
		return -EINVAL;
	/* A file that is open for writing may have a mode by now that forbids it. */
	if (file->io_fd >= 0 && file->access != O_RDONLY)
		return ftruncate(file->io_fd, (off_t)size) ? -errno : 0;
	return truncate(mhi_tree_proc_path(file->fd).text, (off_t)size) ? -errno : 0;
}

static struct timespec time_from(u32 valid, u32 now, u32 set, u64 s, u64 ns)
{
	if (!(valid & now))
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	if (!(valid & set))
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	return (struct timespec){ .tv_sec = (time_t)s, .tv_nsec = (long)ns };
}

static int set_times(const struct mhi_tree *t, const struct tree_file *file,
		     const struct tree_change *ch)
{
	struct tree_proc_name name = mhi_tree_proc_name(file->fd);
	struct timespec times[2] = {
		time_from(ch->valid, TREE_SET_ATIME, TREE_SET_ATIME_SET, ch->atime, ch->atime_ns),
		time_from(ch->valid, TREE_SET_MTIME, TREE_SET_MTIME_SET, ch->mtime, ch->mtime_ns),
	};

	return utimensat(t->proc_fd, name.text, times, 0) ? -errno : 0;
}

/* Resizing and changing the owner change other attributes, so the ones that may be given follow. */
int mhi_tree_apply(const struct mhi_tree *t, const struct tree_file *file,
		   const struct tree_change *ch)
{
	u32 uid = ch->valid & TREE_SET_UID ? ch->uid : ~0u;
	u32 gid = ch->valid & TREE_SET_GID ? ch->gid : ~0u;
	int error = 0;

	if (ch->valid & TREE_SET_SIZE)
		error = resize(file, ch->size);
	if (!error && (ch->valid & (TREE_SET_UID | TREE_SET_GID)))
		error = mhi_tree_chown(t, file->fd, uid, gid);
	if (!error && (ch->valid & TREE_SET_MODE))
		error = mhi_tree_chmod(t, file->fd, ch->mode);
	if (!error && (ch->valid & (TREE_SET_ATIME | TREE_SET_MTIME)))
		error = set_times(t, file, ch);
	return error;
}

/* SPDX-License-Identifier: MIT */
/*
 * Owners and modes as the client sees them. MAPPED keeps them in one attribute of the file, which
 * the client does not see: uid, gid, mode, device number, 4 bytes each, little endian. Symbolic
 * links cannot have it and belong to the server's user; devices, FIFOs and sockets are empty
 * regular files with it.
 */
#include "virtio/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/le.h"

#define OWN_PREFIX "user.macrohard."
#define OWN_ATTR OWN_PREFIX "p9"
#define OWN_BYTES 16

#define NOBODY 65534u
#define UNCHANGED 0xffffffffu

#define PERMISSIONS 07777u
#define SET_IDS (S_ISUID | S_ISGID)

static bool can_hold(u32 mode)
{
	return S_ISREG(mode) || S_ISDIR(mode);
}

/* The device number as 12 bits of major and 20 of minor. */
static u32 pack_rdev(u64 rdev)
{
	return (u32)(major(rdev) & 0xfff) << 20 | (u32)(minor(rdev) & 0xfffff);
}

static u64 unpack_rdev(u32 v)
{
	return makedev(v >> 20, v & 0xfffff);
}

static bool load_own(int fd, struct tree_attr *a)
{
	u8 own[OWN_BYTES];
	u32 mode;

	if (getxattr(mhi_tree_proc_path(fd).text, OWN_ATTR, own, sizeof(own)) != OWN_BYTES)
		return false;
	a->uid = mhi_get_le32(own + 0);
	a->gid = mhi_get_le32(own + 4);
	mode = mhi_get_le32(own + 8);
	a->rdev = unpack_rdev(mhi_get_le32(own + 12));
	/* A folder stays one; a link or a folder is never but what it is on the host. */
	if (S_ISDIR(a->host_mode) || S_ISDIR(mode) || S_ISLNK(mode))
		mode = (mode & PERMISSIONS) | (a->host_mode & S_IFMT);
	a->mode = mode;
	return true;
}

static int store_own(int fd, const struct tree_attr *a)
{
	u8 own[OWN_BYTES];

	mhi_put_le32(own + 0, a->uid);
	mhi_put_le32(own + 4, a->gid);
	mhi_put_le32(own + 8, a->mode);
	mhi_put_le32(own + 12, pack_rdev(a->rdev));
	return setxattr(mhi_tree_proc_path(fd).text, OWN_ATTR, own, sizeof(own), 0) ? -errno : 0;
}

void mhi_tree_map(const struct mhi_tree *t, int fd, struct tree_attr *a)
{
	bool mine = a->uid == t->euid;

	if (t->config.ids == MHI_TREE_HOST)
		return;
	if (t->config.ids == MHI_TREE_MAPPED && can_hold(a->host_mode) && load_own(fd, a))
		return;
	a->uid = mine ? t->config.uid : NOBODY;
	a->gid = mine || a->gid == t->egid ? t->config.gid : NOBODY;
}

int mhi_tree_attr(const struct mhi_tree *t, int fd, struct tree_attr *a)
{
	int error = mhi_tree_stat(fd, a);

	if (!error)
		mhi_tree_map(t, fd, a);
	return error;
}

int mhi_tree_file_attr(const struct mhi_tree *t, const struct tree_file *file, struct tree_attr *a)
{
	int error = mhi_tree_stat_known(file->fd, &file->node->id, a);

	if (!error)
		mhi_tree_map(t, file->fd, a);
	return error;
}

/*
 * Only HOST lets a client make a program of the host's that runs as another user. The server can
 * always get at what MAPPED makes.
 */
u32 mhi_tree_host_mode(const struct mhi_tree *t, u32 mode)
{
	u32 bits = mode & PERMISSIONS;

	switch (t->config.ids) {
	case MHI_TREE_MAPPED:
		return S_ISDIR(mode) ? 0700 : 0600;
	case MHI_TREE_SQUASH:
		return S_ISDIR(mode) ? bits & ~(u32)S_ISUID : bits & ~(u32)SET_IDS;
	case MHI_TREE_HOST:
	default:
		return bits;
	}
}

static int chmod_fd(int fd, u32 mode)
{
	return chmod(mhi_tree_proc_path(fd).text, mode) ? -errno : 0;
}

static int adopt_host(const struct mhi_tree *t, int fd, const struct tree_new *want,
		      struct tree_attr *a)
{
	u32 mode = mhi_tree_host_mode(t, want->mode);

	if (t->config.ids == MHI_TREE_HOST && !t->euid &&
	    (want->uid != a->uid || want->gid != a->gid)) {
		if (fchownat(fd, "", want->uid, want->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
			return -errno;
		a->uid = want->uid;
		a->gid = want->gid;
		/* Changing the owner has cleared them. */
		if (mode & SET_IDS)
			a->mode &= ~(u32)SET_IDS;
	}
	/* The process' umask is not the client's. A folder may have inherited S_ISGID. */
	if (!S_ISLNK(a->mode) && mode != (a->mode & PERMISSIONS & ~(u32)S_ISGID) &&
	    mode != (a->mode & PERMISSIONS)) {
		int error = chmod_fd(fd, mode | (a->mode & S_ISGID));

		if (error)
			return error;
		a->mode = (a->mode & S_IFMT) | mode | (a->mode & S_ISGID);
	}
	a->host_mode = a->mode;
	return 0;
}

int mhi_tree_adopt(const struct mhi_tree *t, int fd, const struct tree_new *want,
		   struct tree_attr *a)
{
	int error = adopt_host(t, fd, want, a);

	if (error || t->config.ids != MHI_TREE_MAPPED || !can_hold(a->host_mode))
		return error;
	a->uid = want->uid;
	a->gid = want->gid;
	a->mode = want->mode;
	a->rdev = want->rdev;
	return store_own(fd, a);
}

int mhi_tree_chown(const struct mhi_tree *t, int fd, u32 uid, u32 gid)
{
	struct tree_attr a;
	int error;

	if (t->config.ids == MHI_TREE_HOST)
		return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) ? -errno : 0;
	error = mhi_tree_attr(t, fd, &a);
	if (error)
		return error;
	if (t->config.ids == MHI_TREE_MAPPED && can_hold(a.host_mode)) {
		a.uid = uid == UNCHANGED ? a.uid : uid;
		a.gid = gid == UNCHANGED ? a.gid : gid;
		return store_own(fd, &a);
	}
	/* A link's owner matters to nobody, but a copying program must not fail for it. */
	if (t->config.ids == MHI_TREE_MAPPED && S_ISLNK(a.host_mode))
		return 0;
	if ((uid != UNCHANGED && uid != a.uid) || (gid != UNCHANGED && gid != a.gid))
		return -EPERM;
	return 0;
}

int mhi_tree_chmod(const struct mhi_tree *t, int fd, u32 mode)
{
	struct tree_attr a;
	int error = mhi_tree_attr(t, fd, &a);

	if (error)
		return error;
	if (S_ISLNK(a.host_mode))
		return -EOPNOTSUPP;
	if (t->config.ids == MHI_TREE_MAPPED && can_hold(a.host_mode)) {
		a.mode = (a.mode & S_IFMT) | (mode & PERMISSIONS);
		return store_own(fd, &a);
	}
	return chmod_fd(fd, mhi_tree_host_mode(t, (a.host_mode & S_IFMT) | (mode & PERMISSIONS)));
}

/* Attributes that say who may do what hold the host's ids, so they pass with HOST only. */
bool mhi_tree_xattr_allowed(const struct mhi_tree *t, const char *name)
{
	if (!strncmp(name, OWN_PREFIX, strlen(OWN_PREFIX)))
		return false;
	if (!strncmp(name, "user.", 5))
		return true;
	return t->config.ids == MHI_TREE_HOST && strncmp(name, "trusted.", 8) != 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Owners and modes as the client sees them. MAPPED keeps them in one attribute of the file, which
 * the client does not see: uid, gid, mode, device number, 4 bytes each, little endian. Symbolic
 * links cannot have it and belong to the server's user; devices, FIFOs and sockets are empty
 * regular files with it.
 */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

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

static bool load_own(int fd, struct p9_attr *a)
{
	u8 own[OWN_BYTES];
	struct mhi_p9_in in = { own, sizeof(own), false };
	u32 mode;

	if (getxattr(mhi_p9_proc_path(fd).text, OWN_ATTR, own, sizeof(own)) != OWN_BYTES)
		return false;
	a->uid = mhi_p9_get32(&in);
	a->gid = mhi_p9_get32(&in);
	mode = mhi_p9_get32(&in);
	a->rdev = unpack_rdev(mhi_p9_get32(&in));
	/* A folder stays one; a link or a folder is never but what it is on the host. */
	if (S_ISDIR(a->host_mode) || S_ISDIR(mode) || S_ISLNK(mode))
		mode = (mode & PERMISSIONS) | (a->host_mode & S_IFMT);
	a->mode = mode;
	return true;
}

static int store_own(int fd, const struct p9_attr *a)
{
	u8 own[OWN_BYTES];
	struct mhi_p9_out out = { own, 0, sizeof(own), false };

	mhi_p9_put32(&out, a->uid);
	mhi_p9_put32(&out, a->gid);
	mhi_p9_put32(&out, a->mode);
	mhi_p9_put32(&out, pack_rdev(a->rdev));
	return setxattr(mhi_p9_proc_path(fd).text, OWN_ATTR, own, sizeof(own), 0) ? -errno : 0;
}

void mhi_p9_map(const struct mhi_p9 *s, int fd, struct p9_attr *a)
{
	bool mine = a->uid == s->euid;

	if (s->config.ids == MHI_P9_HOST)
		return;
	if (s->config.ids == MHI_P9_MAPPED && can_hold(a->host_mode) && load_own(fd, a))
		return;
	a->uid = mine ? s->config.uid : NOBODY;
	a->gid = mine || a->gid == s->egid ? s->config.gid : NOBODY;
}

int mhi_p9_attr(const struct mhi_p9 *s, int fd, struct p9_attr *a)
{
	int error = mhi_p9_stat(fd, a);

	if (!error)
		mhi_p9_map(s, fd, a);
	return error;
}

int mhi_p9_use_attr(const struct mhi_p9 *s, const struct p9_use *use, struct p9_attr *a)
{
	int error = mhi_p9_stat_known(use->fd, &use->node->id, a);

	if (!error)
		mhi_p9_map(s, use->fd, a);
	return error;
}

/*
 * Only HOST lets a client make a program of the host's that runs as another user. The server can
 * always get at what MAPPED makes.
 */
u32 mhi_p9_host_mode(const struct mhi_p9 *s, u32 mode)
{
	u32 bits = mode & PERMISSIONS;

	switch (s->config.ids) {
	case MHI_P9_MAPPED:
		return S_ISDIR(mode) ? 0700 : 0600;
	case MHI_P9_SQUASH:
		return S_ISDIR(mode) ? bits & ~(u32)S_ISUID : bits & ~(u32)SET_IDS;
	case MHI_P9_HOST:
	default:
		return bits;
	}
}

static int chmod_fd(int fd, u32 mode)
{
	return chmod(mhi_p9_proc_path(fd).text, mode) ? -errno : 0;
}

static int adopt_host(const struct mhi_p9 *s, int fd, const struct p9_new *want, struct p9_attr *a)
{
	u32 mode = mhi_p9_host_mode(s, want->mode);

	if (s->config.ids == MHI_P9_HOST && !s->euid &&
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

int mhi_p9_adopt(const struct mhi_p9 *s, int fd, const struct p9_new *want, struct p9_attr *a)
{
	int error = adopt_host(s, fd, want, a);

	if (error || s->config.ids != MHI_P9_MAPPED || !can_hold(a->host_mode))
		return error;
	a->uid = want->uid;
	a->gid = want->gid;
	a->mode = want->mode;
	a->rdev = want->rdev;
	return store_own(fd, a);
}

int mhi_p9_chown(const struct mhi_p9 *s, int fd, u32 uid, u32 gid)
{
	struct p9_attr a;
	int error;

	if (s->config.ids == MHI_P9_HOST)
		return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) ? -errno : 0;
	error = mhi_p9_attr(s, fd, &a);
	if (error)
		return error;
	if (s->config.ids == MHI_P9_MAPPED && can_hold(a.host_mode)) {
		a.uid = uid == UNCHANGED ? a.uid : uid;
		a.gid = gid == UNCHANGED ? a.gid : gid;
		return store_own(fd, &a);
	}
	/* A link's owner matters to nobody, but a copying program must not fail for it. */
	if (s->config.ids == MHI_P9_MAPPED && S_ISLNK(a.host_mode))
		return 0;
	if ((uid != UNCHANGED && uid != a.uid) || (gid != UNCHANGED && gid != a.gid))
		return -EPERM;
	return 0;
}

int mhi_p9_chmod(const struct mhi_p9 *s, int fd, u32 mode)
{
	struct p9_attr a;
	int error = mhi_p9_attr(s, fd, &a);

	if (error)
		return error;
	if (S_ISLNK(a.host_mode))
		return -EOPNOTSUPP;
	if (s->config.ids == MHI_P9_MAPPED && can_hold(a.host_mode)) {
		a.mode = (a.mode & S_IFMT) | (mode & PERMISSIONS);
		return store_own(fd, &a);
	}
	return chmod_fd(fd, mhi_p9_host_mode(s, (a.host_mode & S_IFMT) | (mode & PERMISSIONS)));
}

/* Attributes that say who may do what hold the host's ids, so they pass with HOST only. */
bool mhi_p9_xattr_allowed(const struct mhi_p9 *s, const char *name)
{
	if (!strncmp(name, OWN_PREFIX, strlen(OWN_PREFIX)))
		return false;
	if (!strncmp(name, "user.", 5))
		return true;
	return s->config.ids == MHI_P9_HOST && strncmp(name, "trusted.", 8) != 0;
}

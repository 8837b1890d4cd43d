/* SPDX-License-Identifier: MIT */
/* Opening a disk image: its format, its backing files, and what must not be trusted about them. */
#include "virtio/be_open.h"

#include <stdio.h>
#include <stdlib.h>

#include "virtio/be_raw.h"
#include "virtio/qcow2.h"
#include "virtio/qcow2_format.h"

/* One image of a chain, while it is opened; the one above comes first. */
struct link {
	const struct link *above;
	const char *path;
	dev_t device;
	ino_t inode;
	u32 depth;
};

static int open_link(struct link *self, const char *format, u32 flags, struct mhi_blk **out,
		     struct mhi_err *err);

static int check_chain(const struct link *self, struct mhi_err *err)
{
	const struct link *l;

	if (self->depth > Q2_CHAIN_MOST)
		return mhi_err_set(err, MH_EFORMAT,
				   "'%s': the chain of backing files is longer than %u; shorten it "
				   "by 'disk convert'",
				   self->path, Q2_CHAIN_MOST);
	for (l = self->above; l; l = l->above)
		if (l->device == self->device && l->inode == self->inode)
			return mhi_err_set(
				err, MH_EFORMAT,
				"'%s' is a backing file of itself: its chain leads back to "
				"'%s'; name another by 'qemu-img rebase -u'",
				self->path, l->path);
	return 0;
}

/*
 * "nbd://host", "json:{...}": QEMU's names for what is no file. A path may contain ':' behind a
 * '/'.
 */
static bool names_protocol(const char *name)
{
	size_t n = strcspn(name, ":/");

	return name[n] == ':';
}

/* The path of a backing file: relative names start at the folder of the image that names them. */
static int backing_path(const char *image, const char *name, char **out, struct mhi_err *err)
{
	const char *slash = strrchr(image, '/');
	int folder = slash ? (int)(slash - image) + 1 : 0;

	if (!strncmp(name, "file:", 5))
		name += 5;
	else if (names_protocol(name))
		return mhi_err_set(err, MH_ENOTSUP,
				   "'%s': its backing file '%s' is no local file, which is not "
				   "supported; copy it here, and 'qemu-img rebase -u'",
				   image, name);
	if (asprintf(out, "%.*s%s", name[0] == '/' ? 0 : folder, image, name) < 0)
		return mhi_err_set(err, MH_ENOMEM, "'%s': " MHI_NO_MEMORY, image);
	return 0;
}

static int open_backing(const struct link *self, struct mhi_blk *image, u32 flags, bool guessed,
			struct mhi_err *err)
{
	struct mhi_qcow2_info info;
	struct link below = { .above = self, .depth = self->depth + 1 };
	struct mhi_blk *backing;
	char *path;
	int rc;

	mhi_qcow2_info(image, &info);
	if (!info.backing_name || (flags & MHI_OPEN_NO_BACKING))
		return 0;
	/* A guest may have written this header into a raw disk, to read any file of the host. */
	if (guessed && self->above)
		return mhi_err_set(
			err, MH_EFORMAT,
			"'%s' names a backing file, but the image above does not say that "
			"it is qcow2; 'qemu-img rebase -u -F qcow2' tells it",
			self->path);
	rc = backing_path(self->path, info.backing_name, &path, err);
	if (rc)
		return rc;
	below.path = path;
	flags = (flags & ~MHI_OPEN_DIRECT & ~MHI_OPEN_CHECK) | MHI_OPEN_READ_ONLY;
	rc = open_link(&below, info.backing_format, flags, &backing, err);
	if (!rc)
		mhi_qcow2_set_backing(image, backing);
	else
		mhi_err_wrap(err, "backing file of '%s'", self->path);
	free(path);
	return rc;
}

static u32 raw_flags(u32 flags, bool guessed)
{
	return (flags & MHI_OPEN_READ_ONLY ? MHI_RAW_READ_ONLY : 0) |
	       (flags & MHI_OPEN_DIRECT ? MHI_RAW_DIRECT : 0) |
	       (flags & MHI_OPEN_NO_LOCK ? MHI_RAW_NO_LOCK : 0) | (guessed ? MHI_RAW_GUESSED : 0);
}

static u32 qcow2_flags(u32 flags)
{
	return (flags & MHI_OPEN_READ_ONLY ? MHI_QCOW2_READ_ONLY : 0) |
	       (flags & MHI_OPEN_CHECK ? MHI_QCOW2_CHECK : 0);
}

/* Takes file over. */
static int open_qcow2(struct link *self, struct mhi_blk *file, u32 flags, bool guessed,
		      struct mhi_blk **out, struct mhi_err *err)
{
	int rc;

	rc = mhi_qcow2_open(file, qcow2_flags(flags), out, err);
	if (rc) {
		file->ops->close(file);
		mhi_err_wrap(err, "open '%s'", self->path);
		return rc;
	}
	rc = open_backing(self, *out, flags, guessed, err);
	if (rc)
		(*out)->ops->close(*out);
	return rc;
}

static int open_link(struct link *self, const char *format, u32 flags, struct mhi_blk **out,
		     struct mhi_err *err)
{
	bool guessed = !format, qcow2 = format && !strcmp(format, "qcow2");
	struct mhi_blk *file;
	struct stat st;
	int rc = 0;

	if (format && !qcow2 && strcmp(format, "raw"))
		return mhi_err_set(err, self->above ? MH_ENOTSUP : MH_EINVAL,
				   "open '%s': unknown image format '%.40s'; use raw or qcow2",
				   self->path, format);
	/* First of all: a chain that leads back to where it began would be locked by itself. */
	if (!stat(self->path, &st)) {
		self->device = st.st_dev;
		self->inode = st.st_ino;
		rc = check_chain(self, err);
	}
	if (rc)
		return rc;
	rc = mhi_raw_open(self->path, raw_flags(flags, guessed), &file, err);
	if (rc)
		return rc;
	mhi_raw_identity(file, &self->device, &self->inode);
	rc = check_chain(self, err);
	if (!rc && guessed) {
		rc = mhi_qcow2_probe(file);
		if (rc < 0)
			mhi_err_set(err, rc, "open '%s': cannot be read: %s; is its medium right?",
				    self->path, mh_strerror(rc));
		qcow2 = rc == 1;
		rc = rc < 0 ? rc : 0;
	}
	if (rc) {
		file->ops->close(file);
		return rc;
	}
	if (qcow2)
		return open_qcow2(self, file, flags, guessed, out, err);
	*out = file;
	return 0;
}

int mhi_image_open(const char *path, const char *format, u32 flags, struct mhi_blk **out,
		   struct mhi_err *err)
{
	struct link self = { .path = path };
	struct mhi_blk *image;
	int rc;

	rc = open_link(&self, format, flags, &image, err);
	if (!rc)
		*out = image;
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Folders: the host's entries become FUSE's, alone or with what the client would ask for next. */
#include "virtio/fuse_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define ENTRIES 32768u
/* The host's entry with the longest name that the client gets. */
#define ENTRY_MOST (offsetof(struct dirent64, d_name) + MHI_TREE_NAME)
#define NOWHERE UINT64_MAX
#define PLUS sizeof(struct fuse_entry_out)
#define PLUS_GROWTH 5

struct reader {
	struct fuse_ctx *c;
	struct fuse_use *use;
	bool plus;
	u32 room; /* what the client wants at most, and has room for */
	u32 at;	  /* bytes so far */
};

int mhi_fuse_do_opendir(struct fuse_ctx *c)
{
	struct fuse_open_out *out = mhi_fuse_reply(c, sizeof(*out));
	struct fuse_use *use;
	int error = mhi_fuse_use(c, c->head.nodeid, &use);
	int fd;

	if (error)
		return error;
	if (!S_ISDIR(use->f.node->type))
		return -ENOTDIR;
	fd = mhi_tree_counted_reopen(&c->s->tree, use->f.fd, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	error = mhi_fuse_open(c->s, use, fd, O_RDONLY, (u64 *)&out->fh);
	if (error)
		mhi_tree_counted_close(&c->s->tree, fd);
	return error;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Entries whose file cannot be found go without: the client asks if it wants to know. */
static void fill_plus(struct reader *r, const struct dirent64 *d, u64 ino, u32 type,
		      struct fuse_entry_out *out)
{
	if (!is_dots(d->d_name) && !mhi_fuse_entry(r->c->s, &r->use->f, d->d_name, out))
		return;
	memset(out, 0, sizeof(*out));
	out->attr.ino = ino;
	out->attr.mode = type << 12;
}

/* False: there is no room for it. */
static bool put_entry(struct reader *r, const struct dirent64 *d)
{
	const struct mhi_fuse_req *req = r->c->req;
	const struct mhi_tree *t = &r->c->s->tree;
	u32 len = (u32)strlen(d->d_name);
	u32 bytes = (u32)FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + len) + (r->plus ? (u32)PLUS : 0);
	/* Of the share's top, ".." is itself. */
	bool up = !r->use->f.node->parent && !strcmp(d->d_name, "..");
	/* A regular file may be a device in the client's eyes. */
	bool unsure = t->config.ids == MHI_TREE_MAPPED && d->d_type == DT_REG;
	u8 entry[PLUS + FUSE_NAME_OFFSET + MHI_TREE_NAME + 8] __attribute__((aligned(8))) = { 0 };
	struct fuse_dirent *out = (void *)(entry + (r->plus ? PLUS : 0));

	if (bytes > r->room - r->at)
		return false;
	out->ino = up ? t->root_id.ino : mhi_tree_ino(t, r->use->f.node->id.dev, d->d_ino);
	out->off = (u64)d->d_off;
	out->namelen = len;
	out->type = unsure ? DT_UNKNOWN : d->d_type;
	memcpy(out->name, d->d_name, len);
	if (r->plus)
		fill_plus(r, d, out->ino, out->type, (void *)entry);
	mhi_sg_put(req->in, req->ins, FUSE_REPLY_HEADER + r->at, entry, bytes);
	r->at += bytes;
	return true;
}

/* One system call's; *end: there are no more. */
static int read_some(struct reader *r, bool *end)
{
	struct fuse_handle *handle = r->use->handle;
	u64 buf[ENTRIES / 8];
	/* The client's entries are never smaller than the host's; mostly by far with files. */
	size_t room = r->plus ? r->room / PLUS_GROWTH : r->room;
	size_t want = room < ENTRY_MOST ? ENTRY_MOST : room;
	ssize_t n = getdents64(handle->fd, buf, want < sizeof(buf) ? want : sizeof(buf));

	if (n < 0) {
		handle->dir_pos = NOWHERE;
		return -errno;
	}
	*end = !n;
	for (ssize_t at = 0; at < n;) {
		const struct dirent64 *d = (const struct dirent64 *)((const char *)buf + at);

		if (mhi_tree_nameable(d->d_name) && !put_entry(r, d)) {
			handle->dir_pos = NOWHERE;
			return r->at ? 0 : -EINVAL;
		}
		handle->dir_pos = (u64)d->d_off;
		at += d->d_reclen;
	}
	return 0;
}

/* With the handle's lock held. */
static int read_entries(struct reader *r, u64 offset)
{
	struct fuse_handle *handle = r->use->handle;
	bool end = false;
	int error = 0;

	if (offset != handle->dir_pos && lseek(handle->fd, (off_t)offset, SEEK_SET) < 0) {
		handle->dir_pos = NOWHERE;
		return -errno;
	}
	handle->dir_pos = offset;
	/* No bytes would mean the end. */
	while (!error && !end && !r->at)
		error = read_some(r, &end);
	return error;
}

static int read_dir(struct fuse_ctx *c, bool plus)
{
	const struct fuse_read_in *in = (const void *)c->text;
	struct reader r = { .c = c, .plus = plus };
	int error = mhi_fuse_use_handle(c, in->fh, &r.use);

	if (error)
		return error;
	if (!S_ISDIR(r.use->f.node->type))
		return -ENOTDIR;
	r.room = in->size < c->room ? in->size : c->room;
	pthread_mutex_lock(&r.use->handle->lock);
	error = read_entries(&r, in->offset);
	pthread_mutex_unlock(&r.use->handle->lock);
	c->data = r.at;
	return error;
}

int mhi_fuse_do_readdir(struct fuse_ctx *c)
{
	return read_dir(c, false);
}

int mhi_fuse_do_readdirplus(struct fuse_ctx *c)
{
	return read_dir(c, true);
}

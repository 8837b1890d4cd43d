/* SPDX-License-Identifier: MIT */
/* Treaddir: the host's directory entries become 9P's, with one system call a request. */
#include "virtio/p9_priv.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

/* "readdir": qid[13] offset[8] type[1] name[s] */
#define ENTRY_FIXED (P9_QID_BYTES + 8 + 1 + 2)
/*
 * An entry takes 24 bytes and its name in 9P, and 20 and its name, rounded up to 8, on the host: at
 * most 28 bytes for 24.
 */
#define GROWTH_9P 28u
#define GROWTH_HOST 24u

#define ENTRIES 32768u

struct reader {
	struct p9_ctx *c;
	size_t at; /* in the reply */
	u64 root_ino;
	bool top; /* of the share: its ".." is itself */
	bool mapped;
};

static u8 type_of(const struct dirent64 *d)
{
	if (d->d_type == DT_DIR)
		return P9_QTDIR;
	return d->d_type == DT_LNK ? P9_QTSYMLINK : P9_QTFILE;
}

static void put_entry(struct reader *r, const struct dirent64 *d, u64 dev)
{
	const struct mhi_p9_req *req = r->c->req;
	size_t len = strlen(d->d_name);
	u8 entry[ENTRY_FIXED + MHI_TREE_NAME];
	struct mhi_p9_out out = { entry, 0, sizeof(entry), false };
	struct mhi_p9_qid qid = { .type = type_of(d) };
	bool up = r->top && !strcmp(d->d_name, "..");

	qid.path = up ? r->root_ino : mhi_tree_ino(&r->c->s->tree, dev, d->d_ino);
	mhi_p9_put_qid(&out, &qid);
	mhi_p9_put64(&out, (u64)d->d_off);
	/* A regular file may be a device in the client's eyes. */
	mhi_p9_put8(&out, r->mapped && d->d_type == DT_REG ? DT_UNKNOWN : d->d_type);
	mhi_p9_put_str(&out, d->d_name, len);
	r->at += mhi_sg_put(req->in, req->ins, r->at, entry, out.used);
}

/* With the fid's lock held. */
static int read_entries(struct reader *r, struct p9_use *use, u64 offset, size_t bytes)
{
	struct p9_fid *fid = use->fid;
	u64 buf[ENTRIES / 8];
	ssize_t n;

	if (offset != fid->dir_pos) {
		if (lseek(use->f.io_fd, (off_t)offset, SEEK_SET) < 0)
			return -errno;
		fid->dir_pos = offset;
	}
	/* No bytes would mean the end. */
	do {
		n = getdents64(use->f.io_fd, buf, bytes < sizeof(buf) ? bytes : sizeof(buf));
		if (n < 0)
			return -errno;
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *d = (const void *)((const char *)buf + at);

			if (mhi_tree_nameable(d->d_name))
				put_entry(r, d, use->f.node->id.dev);
			fid->dir_pos = (u64)d->d_off;
			at += d->d_reclen;
		}
	} while (n && r->at == P9_READ_HEADER);
	return 0;
}

int mhi_p9_do_readdir(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u64 offset = mhi_p9_get64(&c->in);
	u32 count = mhi_p9_get32(&c->in);
	struct reader r = { .c = c, .at = P9_READ_HEADER };
	struct p9_use *use;
	int error;

	if (c->room < P9_READ_HEADER)
		return -EINVAL;
	if (count > c->room - P9_READ_HEADER)
		count = c->room - P9_READ_HEADER;
	error = mhi_p9_use_open(c, number, &use);
	if (error)
		return error;
	if (use->fid->xattr || !S_ISDIR(use->f.node->type))
		return -ENOTDIR;
	r.root_ino = c->s->tree.root_id.ino;
	r.top = !use->f.node->parent;
	r.mapped = c->s->tree.config.ids == MHI_TREE_MAPPED;
	pthread_mutex_lock(&use->fid->lock);
	error = read_entries(&r, use, offset, (size_t)count * GROWTH_HOST / GROWTH_9P);
	pthread_mutex_unlock(&use->fid->lock);
	if (error)
		return error;
	c->data = (u32)(r.at - P9_READ_HEADER);
	mhi_p9_put32(&c->out, c->data);
	return 0;
}

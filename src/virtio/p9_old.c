/* SPDX-License-Identifier: MIT */
/*
 * What 9P2000 and 9P2000.u have of their own: open, create, stat, wstat, folders that are read as
 * files. Users without .u are decimal numbers.
 */
#include "virtio/p9_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define UNTOUCHED_32 0xffffffffu
#define UNTOUCHED_64 0xffffffffffffffffull

#define ENTRIES 8192u
#define STAT_MAX (PATH_MAX + 1024u)
#define STATS_MIN 64u /* less room than this cannot hold a stat */

/* ---- stat ---- */

struct mode_bit {
	u32 unix_mode, mask, p9;
};

/* 9P2000.u, "stat". */
static const struct mode_bit kinds[] = {
	{ S_IFLNK, S_IFMT, P9_DMSYMLINK }, { S_IFCHR, S_IFMT, P9_DMDEVICE },
	{ S_IFBLK, S_IFMT, P9_DMDEVICE },  { S_IFIFO, S_IFMT, P9_DMNAMEDPIPE },
	{ S_IFSOCK, S_IFMT, P9_DMSOCKET }, { S_ISUID, S_ISUID, P9_DMSETUID },
	{ S_ISGID, S_ISGID, P9_DMSETGID }, { S_ISVTX, S_ISVTX, P9_DMSETVTX },
};

static u32 to_p9_mode(const struct p9_ctx *c, u32 mode)
{
	u32 p9 = mode & 0777;

	if (S_ISDIR(mode))
		p9 |= P9_DMDIR;
	for (size_t i = 0; c->dialect == P9_2000U && i < MHI_COUNT(kinds); i++)
		if ((mode & kinds[i].mask) == kinds[i].unix_mode)
			p9 |= kinds[i].p9;
	return p9;
}

/* Permissions only. */
static u32 from_p9_mode(const struct p9_ctx *c, u32 p9)
{
	u32 mode = p9 & 0777;

	if (c->dialect != P9_2000U)
		return mode;
	mode |= p9 & P9_DMSETUID ? S_ISUID : 0;
	mode |= p9 & P9_DMSETGID ? S_ISGID : 0;
	mode |= p9 & P9_DMSETVTX ? S_ISVTX : 0;
	return mode;
}

static void put_number(struct mhi_p9_out *out, u32 v)
{
	char text[16];

	mhi_p9_put_str(out, text, (size_t)snprintf(text, sizeof(text), "%u", v));
}

static void put_extension(struct mhi_p9_out *out, int fd, const struct tree_attr *a)
{
	char text[PATH_MAX];
	ssize_t n = 0;

	if (S_ISLNK(a->host_mode))
		n = readlinkat(fd, "", text, sizeof(text));
	else if (S_ISCHR(a->mode) || S_ISBLK(a->mode))
		n = snprintf(text, sizeof(text), "%c %u %u", S_ISCHR(a->mode) ? 'c' : 'b',
			     major(a->rdev), minor(a->rdev));
	mhi_p9_put_str(out, text, n > 0 ? (size_t)n : 0);
}

static void put_stat(const struct p9_ctx *c, struct mhi_p9_out *out, int fd,
		     const struct tree_attr *a, const char *name)
{
	struct mhi_p9_qid qid = mhi_p9_qid(c->s, a);
	struct mhi_p9_out size = { out->p + out->used, 0, 2, false };
	size_t start = out->used + 2;

	mhi_p9_put16(out, 0);
	mhi_p9_put16(out, 0); /* type and dev: the server's own */
	mhi_p9_put32(out, 0);
	mhi_p9_put_qid(out, &qid);
	mhi_p9_put32(out, to_p9_mode(c, a->mode));
	mhi_p9_put32(out, (u32)a->atime.tv_sec);
	mhi_p9_put32(out, (u32)a->mtime.tv_sec);
	mhi_p9_put64(out, S_ISDIR(a->mode) ? 0 : a->size);
	mhi_p9_put_str(out, name, strlen(name));
	put_number(out, a->uid);
	put_number(out, a->gid);
	put_number(out, a->uid);
	if (c->dialect == P9_2000U) {
		put_extension(out, fd, a);
		mhi_p9_put32(out, a->uid);
		mhi_p9_put32(out, a->gid);
		mhi_p9_put32(out, a->uid);
	}
	if (!out->full)
		mhi_p9_put16(&size, (u16)(out->used - start));
}

int mhi_p9_do_stat(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_out size = { c->out.p, 0, 2, false };
	char name[MHI_TREE_NAME];
	struct p9_use *use;
	struct tree_attr a;
	int error;

	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	error = mhi_tree_file_attr(&c->s->tree, &use->f, &a);
	if (error)
		return error;
	pthread_mutex_lock(&c->s->tree.lock);
	memcpy(name, use->f.node->name, strlen(use->f.node->name) + 1);
	pthread_mutex_unlock(&c->s->tree.lock);
	mhi_p9_put16(&c->out, 0);
	put_stat(c, &c->out, use->f.fd, &a, name);
	if (!c->out.full)
		mhi_p9_put16(&size, (u16)(c->out.used - 2));
	return 0;
}

/* ---- folders ---- */

struct listing {
	struct p9_ctx *c;
	int dir;
	u32 at, room; /* in the reply's data */
};

/* 1: no room for it. */
static int put_entry(struct listing *l, const char *name)
{
	const struct mhi_p9_req *req = l->c->req;
	u8 buf[STAT_MAX];
	struct mhi_p9_out out = { buf, 0, sizeof(buf), false };
	struct tree_attr a;
	int fd, error;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	fd = mhi_tree_counted_open_at(&l->c->s->tree, l->dir, name, O_PATH, 0);
	/* It may have gone since. */
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	error = mhi_tree_attr(&l->c->s->tree, fd, &a);
	if (!error)
		put_stat(l->c, &out, fd, &a, name);
	mhi_tree_counted_close(&l->c->s->tree, fd);
	if (error || out.used > l->room - l->at)
		return error ? error : 1;
	mhi_sg_put(req->in, req->ins, P9_READ_HEADER + l->at, buf, out.used);
	l->at += (u32)out.used;
	return 0;
}

/* Entries that there was no room for are read again. */
static int read_some(struct listing *l, struct p9_fid *fid, bool *end)
{
	u64 buf[ENTRIES / 8];
	ssize_t n = getdents64(l->dir, buf, sizeof(buf));
	int error = 0;

	if (n < 0)
		return -errno;
	*end = !n;
	for (ssize_t at = 0; at < n && !error;) {
		const struct dirent64 *d = (const struct dirent64 *)((const char *)buf + at);

		error = put_entry(l, d->d_name);
		if (!error)
			fid->dir_pos = (u64)d->d_off;
		at += d->d_reclen;
	}
	if (error && lseek(l->dir, (off_t)fid->dir_pos, SEEK_SET) < 0)
		return -errno;
	return error;
}

/* With the fid's lock held. "read": from the start, or where the last read ended. */
static int list(struct listing *l, struct p9_fid *fid, u64 offset)
{
	bool end = false;
	int error = 0;

	if (!offset) {
		if (lseek(l->dir, 0, SEEK_SET) < 0)
			return -errno;
		fid->dir_pos = 0;
	} else if (offset != fid->dir_next) {
		return -EINVAL;
	}
	while (!error && !end && l->room - l->at > STATS_MIN)
		error = read_some(l, fid, &end);
	/* No bytes would mean the end. */
	if (!l->at && !end && l->room)
		return error < 0 ? error : -EINVAL;
	fid->dir_next = offset + l->at;
	return 0;
}

int mhi_p9_read_dir_stat(struct p9_ctx *c, struct p9_use *use, u64 offset, u32 count)
{
	struct listing l = { .c = c, .dir = use->f.io_fd, .room = count };
	int error;

	pthread_mutex_lock(&use->fid->lock);
	error = list(&l, use->fid, offset);
	pthread_mutex_unlock(&use->fid->lock);
	mhi_p9_put32(&c->out, l.at);
	c->data = l.at;
	return error;
}

/* ---- open, create ---- */

static int open_flags(const struct p9_ctx *c, u8 mode)
{
	static const int access[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY };
	int flags = access[mode & 3];

	flags |= mode & P9_OTRUNC ? O_TRUNC : 0;
	flags |= c->dialect == P9_2000U && mode & P9_OAPPEND ? O_APPEND : 0;
	return flags;
}

static void mark_remove(struct p9_ctx *c, u32 number)
{
	struct p9_fid *fid;

	pthread_mutex_lock(&c->s->tree.lock);
	fid = mhi_p9_fid_find(c->s, number);
	if (fid)
		fid->remove_on_clunk = true;
	pthread_mutex_unlock(&c->s->tree.lock);
}

int mhi_p9_do_open(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u8 mode = mhi_p9_get8(&c->in);
	struct p9_use *use;
	int error;

	if (c->in.bad)
		return -EINVAL;
	if (mode & P9_ORCLOSE && c->s->tree.config.readonly)
		return -EROFS;
	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	error = mhi_p9_open_fid(c, use, open_flags(c, mode));
	if (!error && mode & P9_ORCLOSE)
		mark_remove(c, number);
	return error;
}

/* The fid becomes that of what was made in its folder; a folder is open then. */
static int become(struct p9_ctx *c, struct p9_use *use, const char *name)
{
	struct mhi_p9 *s = c->s;
	struct p9_open open = { .fd = -1, .access = O_RDONLY };
	int path = mhi_tree_counted_open_at(&s->tree, use->f.fd, name, O_PATH, 0);
	struct tree_node *node;
	struct mhi_p9_qid qid;
	struct tree_attr a;
	int error;

	if (path < 0)
		return path;
	error = mhi_tree_stat(path, &a);
	if (!error && S_ISDIR(a.mode)) {
		open.fd = mhi_tree_counted_reopen(&s->tree, path, O_RDONLY | O_DIRECTORY);
		error = open.fd < 0 ? open.fd : 0;
	}
	mhi_tree_counted_close(&s->tree, path);
	if (error)
		return error;
	pthread_mutex_lock(&s->tree.lock);
	node = mhi_tree_node_new(&s->tree, use->f.node, name, &a, -1);
	pthread_mutex_unlock(&s->tree.lock);
	error = node ? mhi_p9_fid_new(c, use->fid->number, use->fid, node, &open) : -ENOMEM;
	pthread_mutex_lock(&s->tree.lock);
	mhi_tree_node_put(&s->tree, node);
	pthread_mutex_unlock(&s->tree.lock);
	if (error && open.fd >= 0)
		mhi_tree_counted_close(&s->tree, open.fd);
	qid = mhi_p9_qid(s, &a);
	mhi_p9_put_qid(&c->out, &qid);
	mhi_p9_put32(&c->out, 0);
	return error;
}

struct creation {
	char name[MHI_TREE_NAME];
	u32 perm;
	u8 mode;
	struct mhi_p9_str extension; /* .u */
};

/* .u: perm's bits say what, extension says the rest. */
static int make_special(struct p9_ctx *c, struct p9_use *use, const struct creation *cr,
			struct tree_new *want)
{
	const char *name = cr->name;
	u32 perm = cr->perm;
	char text[PATH_MAX] = "";
	struct p9_use *file;
	struct tree_attr a;
	unsigned int maj, min;
	char kind;
	int error = mhi_p9_str_copy(cr->extension, text, sizeof(text));

	if (perm & (P9_DMNAMEDPIPE | P9_DMSOCKET)) {
		want->mode |= perm & P9_DMSOCKET ? S_IFSOCK : S_IFIFO;
		return mhi_tree_make(&c->s->tree, &use->f, name, want, &a);
	}
	if (error)
		return error;
	if (perm & P9_DMSYMLINK) {
		want->mode = S_IFLNK | 0777;
		return mhi_tree_make_symlink(&c->s->tree, &use->f, name, text, want, &a);
	}
	if (perm & P9_DMLINK) {
		if (sscanf(text, "%u", &maj) != 1)
			return -EINVAL;
		error = mhi_p9_use(c, maj, &file);
		return error ? error : mhi_tree_make_link(&c->s->tree, &use->f, name, &file->f);
	}
	if (sscanf(text, "%c %u %u", &kind, &maj, &min) != 3 || (kind != 'c' && kind != 'b'))
		return -EINVAL;
	want->mode |= kind == 'c' ? S_IFCHR : S_IFBLK;
	want->rdev = makedev(maj, min);
	return mhi_tree_make(&c->s->tree, &use->f, name, want, &a);
}

static int create(struct p9_ctx *c, struct p9_use *use, const struct creation *cr)
{
	struct tree_new want = { .mode = from_p9_mode(c, cr->perm), .uid = use->fid->uid };
	struct tree_attr a;
	int error;

	want.gid = c->s->tree.config.gid;
	if (!(cr->perm & (P9_DMDIR | P9_DMSPECIAL))) {
		want.mode |= S_IFREG;
		return mhi_p9_create_fid(c, use, cr->name, open_flags(c, cr->mode) | O_EXCL, &want);
	}
	if (use->f.io_fd >= 0)
		return -EBADF;
	if (cr->perm & P9_DMDIR) {
		want.mode |= S_IFDIR;
		error = mhi_tree_make(&c->s->tree, &use->f, cr->name, &want, &a);
	} else if (c->dialect == P9_2000U) {
		error = make_special(c, use, cr, &want);
	} else {
		error = -EOPNOTSUPP;
	}
	return error ? error : become(c, use, cr->name);
}

int mhi_p9_do_create(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct creation cr = { .perm = mhi_p9_get32(&c->in) };
	struct p9_use *use;
	int error;

	cr.mode = mhi_p9_get8(&c->in);
	if (c->dialect == P9_2000U)
		cr.extension = mhi_p9_get_str(&c->in);
	error = mhi_p9_use_named(c, number, name, cr.name, &use);
	if (error)
		return error;
	error = create(c, use, &cr);
	if (!error && cr.mode & P9_ORCLOSE)
		mark_remove(c, number);
	return error;
}

/* ---- wstat ---- */

static u32 wanted(u32 value, u32 bit)
{
	return value == UNTOUCHED_32 ? 0 : bit;
}

/* Reads a stat; what is not to be touched has no bit in valid. */
static void get_stat(struct p9_ctx *c, struct tree_change *ch, struct mhi_p9_str *name)
{
	struct mhi_p9_in *in = &c->in;
	u32 mode, atime, mtime;

	mhi_p9_get16(in); /* the sizes are known from what follows */
	mhi_p9_get16(in);
	mhi_p9_get16(in); /* type, dev and qid cannot change */
	mhi_p9_get32(in);
	mhi_p9_get8(in);
	mhi_p9_get32(in);
	mhi_p9_get64(in);
	mode = mhi_p9_get32(in);
	atime = mhi_p9_get32(in);
	mtime = mhi_p9_get32(in);
	ch->size = mhi_p9_get64(in);
	*name = mhi_p9_get_str(in);
	mhi_p9_get_str(in); /* uid, gid, muid: names that nobody here knows */
	mhi_p9_get_str(in);
	mhi_p9_get_str(in);
	ch->uid = ch->gid = UNTOUCHED_32;
	if (c->dialect == P9_2000U) {
		mhi_p9_get_str(in);
		ch->uid = mhi_p9_get32(in);
		ch->gid = mhi_p9_get32(in);
		mhi_p9_get32(in); /* who changed it last is not kept */
	}
	ch->mode = from_p9_mode(c, mode);
	ch->atime = atime;
	ch->mtime = mtime;
	ch->valid = wanted(mode, P9_SETATTR_MODE) | wanted(ch->uid, P9_SETATTR_UID) |
		    wanted(ch->gid, P9_SETATTR_GID) |
		    wanted(atime, P9_SETATTR_ATIME | P9_SETATTR_ATIME_SET) |
		    wanted(mtime, P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET);
	if (ch->size != UNTOUCHED_64)
		ch->valid |= P9_SETATTR_SIZE;
}

int mhi_p9_do_wstat(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct tree_change ch = { 0 };
	struct mhi_p9_str name;
	char text[MHI_TREE_NAME];
	struct p9_use *use;
	int error = 0;

	get_stat(c, &ch, &name);
	if (c->in.bad)
		return -EINVAL;
	if (name.len)
		error = mhi_p9_name(name, text);
	if (error)
		return error;
	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	/* "stat": nothing to change means "make it safe". */
	if (!ch.valid && !name.len)
		return use->f.io_fd >= 0 && fsync(use->f.io_fd) ? -errno : 0;
	if (name.len)
		error = mhi_tree_move_node(&c->s->tree, use->f.node, NULL, text);
	return error ? error : mhi_tree_apply(&c->s->tree, &use->f, &ch);
}

// SPDX-License-Identifier: MIT
/* The 9P client of the tests. */
#include "p9_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define PIECES 64

int p9_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void remove_all(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct dirent *d;
	DIR *dir;

	if (fd < 0) {
		unlinkat(parent, name, 0);
		return;
	}
	dir = fdopendir(fd);
	while ((d = readdir(dir)))
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			remove_all(dirfd(dir), d->d_name);
	closedir(dir);
	unlinkat(parent, name, AT_REMOVEDIR);
}

void p9_open(struct p9_client *c, const struct mhi_p9_config *config)
{
	struct mhi_p9_config copy = { 0 };
	struct mhi_err err = { 0 };
	int error;

	memset(c, 0, sizeof(*c));
	c->fds_before = p9_count_fds();
	if (config)
		copy = *config;
	/* On a disk: tmpfs has neither user attributes nor times of birth on all kernels. */
	snprintf(c->path, sizeof(c->path), "/var/tmp/p9-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(c->path));
	c->dir = open(c->path, O_RDONLY | O_DIRECTORY);
	copy.tree.path = c->path;
	error = mhi_p9_create(&copy, &c->p9, &err);
	ck_assert_msg(!error, "%s", err.text);
	c->request = malloc(CLIENT_MSIZE);
	c->reply = malloc(CLIENT_MSIZE);
	c->room = CLIENT_MSIZE;
	c->rng.s = 42;
	c->pieces = true;
}

void p9_start(struct p9_client *c, const struct mhi_p9_config *config, const char *version)
{
	p9_open(c, config);
	ck_assert_int_eq(p9_call(c, P9_TVERSION, "4s", CLIENT_MSIZE, version), 0);
	ck_assert_uint_eq(mhi_p9_get32(&c->in), CLIENT_MSIZE);
	ck_assert(mhi_p9_str_is(mhi_p9_get_str(&c->in), version));
	ck_assert_int_eq(p9_call(c, P9_TATTACH, "44ss4", 0, P9_NOFID, "me", "", 1000), 0);
}

void p9_stop(struct p9_client *c)
{
	mhi_p9_destroy(c->p9);
	close(c->dir);
	remove_all(AT_FDCWD, c->path);
	free(c->request);
	free(c->reply);
	ck_assert_int_eq(p9_count_fds(), c->fds_before);
}

/* ---- messages ---- */

static void put_args(struct mhi_p9_out *out, const char *format, va_list args)
{
	for (; *format; format++) {
		const char *s;
		size_t n;

		switch (*format) {
		case '1':
			mhi_p9_put8(out, (u8)va_arg(args, unsigned int));
			break;
		case '2':
			mhi_p9_put16(out, (u16)va_arg(args, unsigned int));
			break;
		case '4':
			mhi_p9_put32(out, va_arg(args, unsigned int));
			break;
		case '8':
			mhi_p9_put64(out, va_arg(args, u64));
			break;
		case 's':
			s = va_arg(args, const char *);
			mhi_p9_put_str(out, s, strlen(s));
			break;
		case 'S':
			s = va_arg(args, const char *);
			mhi_p9_put_str(out, s, va_arg(args, size_t));
			break;
		default:
			s = va_arg(args, const char *);
			n = va_arg(args, size_t);
			ck_assert(out->room - out->used >= n);
			memcpy(out->p + out->used, s, n);
			out->used += n;
		}
	}
}

static void start(struct p9_client *c, u8 type)
{
	c->out = (struct mhi_p9_out){ c->request, 0, CLIENT_MSIZE, false };
	mhi_p9_put32(&c->out, 0);
	mhi_p9_put8(&c->out, type);
	mhi_p9_put16(&c->out, type == P9_TVERSION ? P9_NOTAG : 7);
}

void p9_put(struct p9_client *c, u8 type, const char *format, ...)
{
	va_list args;

	start(c, type);
	va_start(args, format);
	put_args(&c->out, format, args);
	va_end(args);
	ck_assert(!c->out.full);
}

int p9_call(struct p9_client *c, u8 type, const char *format, ...)
{
	va_list args;

	start(c, type);
	va_start(args, format);
	put_args(&c->out, format, args);
	va_end(args);
	ck_assert(!c->out.full);
	return p9_send(c);
}

/* Pieces of their own, each exactly as long as it says. */
static unsigned int cut(struct p9_client *c, struct iovec *iov, size_t bytes)
{
	unsigned int n = 0;

	while (bytes) {
		size_t part = c->pieces ? 1 + rng_below(&c->rng, 40) : bytes;

		if (part > bytes || n == PIECES - 1)
			part = bytes;
		iov[n].iov_base = malloc(part);
		memset(iov[n].iov_base, 0xa5, part);
		iov[n++].iov_len = part;
		bytes -= part;
	}
	return n;
}

static void free_pieces(struct iovec *iov, unsigned int n)
{
	while (n)
		free(iov[--n].iov_base);
}

static int read_reply(struct p9_client *c, u8 type)
{
	u32 size;

	c->in = (struct mhi_p9_in){ c->reply, c->replied, false };
	if (!c->replied)
		return -1;
	size = mhi_p9_get32(&c->in);
	c->type = mhi_p9_get8(&c->in);
	mhi_p9_get16(&c->in);
	ck_assert_uint_eq(size, c->replied);
	if (c->type == P9_RLERROR)
		return (int)mhi_p9_get32(&c->in);
	if (c->type == P9_RERROR) {
		mhi_p9_get_str(&c->in);
		return c->in.left ? (int)mhi_p9_get32(&c->in) : 1;
	}
	ck_assert_uint_eq(c->type, type + 1u);
	return 0;
}

int p9_send(struct p9_client *c)
{
	struct mhi_p9_out head = { c->request, 0, 4, false };
	struct iovec out[PIECES], in[PIECES];
	struct mhi_p9_req req = { .out = out, .in = in };

	mhi_p9_put32(&head, c->size ? c->size : (u32)c->out.used);
	req.outs = cut(c, out, c->out.used);
	req.ins = cut(c, in, c->room);
	mhi_sg_put(out, req.outs, 0, c->request, c->out.used);
	mhi_p9_server_begin(mhi_p9_server(c->p9), &req);
	mhi_p9_run(c->p9, &req);
	mhi_p9_server_end(mhi_p9_server(c->p9), &req);
	ck_assert_uint_le(req.replied, c->room);
	c->replied = req.replied;
	mhi_sg_get(in, req.ins, 0, c->reply, req.replied);
	free_pieces(out, req.outs);
	free_pieces(in, req.ins);
	return read_reply(c, c->request[4]);
}

/* ---- frequent ones ---- */

int p9_walk(struct p9_client *c, u32 fid, u32 new_fid, const char *path)
{
	struct mhi_p9_out count;
	u16 n = 0;
	int error;

	p9_put(c, P9_TWALK, "44", fid, new_fid);
	count = (struct mhi_p9_out){ c->out.p + c->out.used, 0, 2, false };
	mhi_p9_put16(&c->out, 0);
	while (*path) {
		size_t len = strcspn(path, "/");

		mhi_p9_put_str(&c->out, path, len);
		path += len + (path[len] == '/');
		n++;
	}
	mhi_p9_put16(&count, n);
	error = p9_send(c);
	/* As Linux does: part of the way is not there. */
	if (!error && mhi_p9_get16(&c->in) != n)
		return ENOENT;
	return error;
}

int p9_lopen(struct p9_client *c, u32 fid, u32 flags)
{
	return p9_call(c, P9_TLOPEN, "44", fid, flags);
}

int p9_lcreate(struct p9_client *c, u32 fid, const char *name, u32 flags, u32 mode)
{
	return p9_call(c, P9_TLCREATE, "4s444", fid, name, flags, mode, 0);
}

int p9_clunk(struct p9_client *c, u32 fid)
{
	return p9_call(c, P9_TCLUNK, "4", fid);
}

int p9_read(struct p9_client *c, u32 fid, u64 offset, u32 count, u32 *n)
{
	int error = p9_call(c, P9_TREAD, "484", fid, offset, count);

	if (!error) {
		*n = mhi_p9_get32(&c->in);
		ck_assert_uint_eq(*n, c->in.left);
	}
	return error;
}

int p9_write(struct p9_client *c, u32 fid, u64 offset, const void *data, u32 count)
{
	int error = p9_call(c, P9_TWRITE, "484b", fid, offset, count, data, (size_t)count);

	if (!error)
		ck_assert_uint_eq(mhi_p9_get32(&c->in), count);
	return error;
}

int p9_getattr(struct p9_client *c, u32 fid, struct p9_stat *st)
{
	int error = p9_call(c, P9_TGETATTR, "48", fid, (u64)0x3fff);
	struct mhi_p9_in *in = &c->in;

	if (error)
		return error;
	st->valid = mhi_p9_get64(in);
	st->qid.type = mhi_p9_get8(in);
	st->qid.version = mhi_p9_get32(in);
	st->qid.path = mhi_p9_get64(in);
	st->mode = mhi_p9_get32(in);
	st->uid = mhi_p9_get32(in);
	st->gid = mhi_p9_get32(in);
	st->nlink = mhi_p9_get64(in);
	st->rdev = mhi_p9_get64(in);
	st->size = mhi_p9_get64(in);
	for (int i = 0; i < 4; i++) /* blksize, blocks, atime */
		mhi_p9_get64(in);
	st->mtime = mhi_p9_get64(in);
	st->mtime_ns = mhi_p9_get64(in);
	for (int i = 0; i < 4; i++) /* ctime, btime */
		mhi_p9_get64(in);
	st->gen = mhi_p9_get64(in);
	mhi_p9_get64(in);
	ck_assert(!in->bad && !in->left);
	return 0;
}

/* ---- beside the server ---- */

void p9_make(struct p9_client *c, const char *name, const char *text)
{
	int fd = openat(c->dir, name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

bool p9_has(struct p9_client *c, const char *name, const char *text)
{
	char buf[4096];
	int fd = openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

struct stat p9_host_stat(struct p9_client *c, const char *name)
{
	struct stat st = { 0 };

	ck_assert_int_eq(fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

// SPDX-License-Identifier: MIT
/* The FUSE client of the tests. */
#include "fuse_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

#define PIECES 64

static int count_fds(void)
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

void fc_open(struct fuse_client *c, const struct mhi_fuse_config *config)
{
	struct mhi_fuse_config copy = { 0 };
	struct mhi_err err = { 0 };
	int error;

	memset(c, 0, sizeof(*c));
	c->fds_before = count_fds();
	if (config)
		copy = *config;
	/* On a disk: tmpfs has neither user attributes nor times of birth on all kernels. */
	snprintf(c->path, sizeof(c->path), "/var/tmp/fuse-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(c->path));
	c->dir = open(c->path, O_RDONLY | O_DIRECTORY);
	copy.tree.path = c->path;
	error = mhi_fuse_create(&copy, &c->f, &err);
	ck_assert_msg(!error, "%s", err.text);
	c->request = malloc(FC_BYTES);
	c->reply = malloc(FC_BYTES);
	c->room = FC_BYTES;
	c->rng.s = 42;
}

void fc_start(struct fuse_client *c, const struct mhi_fuse_config *config)
{
	const struct fuse_init_in in = { .major = 7, .minor = 36, .flags = ~0u };

	fc_open(c, config);
	ck_assert_int_eq(fc_raw(c, FUSE_INIT, 0, &in, sizeof(in)), 0);
	ck_assert_uint_eq(c->bytes, sizeof(struct fuse_init_out));
}

void fc_stop(struct fuse_client *c)
{
	mhi_fuse_destroy(c->f);
	close(c->dir);
	remove_all(AT_FDCWD, c->path);
	free(c->request);
	free(c->reply);
	ck_assert_int_eq(count_fds(), c->fds_before);
}

/* ---- messages ---- */

static unsigned int cut(struct fuse_client *c, struct iovec *iov, u8 *p, size_t bytes)
{
	unsigned int n = 0;

	while (bytes) {
		size_t part = n < PIECES - 1 ? rng_below(&c->rng, 3000) : bytes;

		if (part > bytes)
			part = bytes;
		iov[n].iov_base = p;
		iov[n++].iov_len = part;
		p += part;
		bytes -= part;
	}
	return n;
}

static int run(struct fuse_client *c, size_t bytes)
{
	struct iovec out[PIECES], in[PIECES];
	struct mhi_fuse_req req = { .out = out, .in = in };
	struct fuse_out_header head;

	memset(c->reply, 0xa5, 256);
	req.outs = cut(c, out, c->request, bytes);
	req.ins = cut(c, in, c->reply, c->room);
	mhi_fuse_run(c->f, &req);
	c->silent = !req.replied;
	c->body = c->reply + sizeof(head);
	c->bytes = 0;
	if (c->silent)
		return 1;
	memcpy(&head, c->reply, sizeof(head));
	ck_assert_uint_le(req.replied, c->room);
	ck_assert_uint_eq(head.len, req.replied);
	ck_assert_uint_eq(head.unique, c->unique);
	ck_assert_int_le(head.error, 0);
	c->bytes = head.len - (u32)sizeof(head);
	ck_assert(!head.error || !c->bytes);
	return head.error;
}

int fc_raw(struct fuse_client *c, u32 op, u64 nodeid, const void *body, size_t bytes)
{
	struct fuse_in_header head = {
		.len = (u32)(sizeof(head) + bytes),
		.opcode = op,
		.unique = ++c->unique,
		.nodeid = nodeid,
		.uid = c->uid,
		.gid = c->gid,
	};

	memcpy(c->request, &head, sizeof(head));
	if (bytes)
		memcpy(c->request + sizeof(head), body, bytes);
	return run(c, head.len);
}

int fc_call(struct fuse_client *c, u32 op, u64 nodeid, const void *arg, size_t bytes,
	    const char *name)
{
	static u8 body[16384];
	size_t at = bytes;

	if (bytes)
		memcpy(body, arg, bytes);
	for (int i = 0; i < 2; i++) {
		const char *text = i ? c->second : name;

		if (!text)
			continue;
		memcpy(body + at, text, strlen(text) + 1);
		at += strlen(text) + 1;
	}
	c->second = NULL;
	return fc_raw(c, op, nodeid, body, at);
}

/* ---- files ---- */

u64 fc_lookup(struct fuse_client *c, u64 parent, const char *name)
{
	const struct fuse_entry_out *out = (const void *)c->body;

	if (fc_call(c, FUSE_LOOKUP, parent, NULL, 0, name))
		return 0;
	out = (const void *)c->body;
	ck_assert_uint_eq(c->bytes, sizeof(*out));
	return out->nodeid;
}

void fc_forget(struct fuse_client *c, u64 nodeid, u64 lookups)
{
	const struct fuse_forget_in in = { lookups };

	ck_assert_int_eq(fc_raw(c, FUSE_FORGET, nodeid, &in, sizeof(in)), 1);
}

u64 fc_open_file(struct fuse_client *c, u64 nodeid, u32 flags)
{
	const struct fuse_open_in in = { .flags = flags };

	if (fc_raw(c, flags & O_DIRECTORY ? FUSE_OPENDIR : FUSE_OPEN, nodeid, &in, sizeof(in)))
		return UINT64_MAX;
	return ((const struct fuse_open_out *)(const void *)c->body)->fh;
}

u64 fc_create(struct fuse_client *c, u64 parent, const char *name, u32 mode, u64 *nodeid)
{
	const struct fuse_create_in in = { .flags = O_RDWR | O_CREAT, .mode = mode };
	struct fuse_entry_out entry;
	struct fuse_open_out open;

	if (fc_call(c, FUSE_CREATE, parent, &in, sizeof(in), name))
		return UINT64_MAX;
	ck_assert_uint_eq(c->bytes, sizeof(entry) + sizeof(open));
	memcpy(&entry, c->body, sizeof(entry));
	memcpy(&open, c->body + sizeof(entry), sizeof(open));
	*nodeid = entry.nodeid;
	return open.fh;
}

int fc_write(struct fuse_client *c, u64 fh, u64 offset, const void *data, u32 bytes)
{
	struct fuse_write_in in = { .fh = fh, .offset = offset, .size = bytes };
	u8 *body = malloc(sizeof(in) + bytes);
	int error;

	memcpy(body, &in, sizeof(in));
	memcpy(body + sizeof(in), data, bytes);
	error = fc_raw(c, FUSE_WRITE, 0, body, sizeof(in) + bytes);
	free(body);
	return error ? error : (int)((const struct fuse_write_out *)(const void *)c->body)->size;
}

int fc_read(struct fuse_client *c, u64 fh, u64 offset, u32 bytes)
{
	const struct fuse_read_in in = { .fh = fh, .offset = offset, .size = bytes };
	int error = fc_raw(c, FUSE_READ, 0, &in, sizeof(in));

	return error ? error : (int)c->bytes;
}

int fc_release(struct fuse_client *c, u64 fh)
{
	const struct fuse_release_in in = { .fh = fh };

	return fc_raw(c, FUSE_RELEASE, 0, &in, sizeof(in));
}

struct fuse_attr fc_attr(struct fuse_client *c, u64 nodeid)
{
	const struct fuse_getattr_in in = { 0 };
	struct fuse_attr_out out;

	ck_assert_int_eq(fc_raw(c, FUSE_GETATTR, nodeid, &in, sizeof(in)), 0);
	ck_assert_uint_eq(c->bytes, sizeof(out));
	memcpy(&out, c->body, sizeof(out));
	return out.attr;
}

/* ---- the host ---- */

void fc_host_file(struct fuse_client *c, const char *name, const char *text)
{
	int fd = openat(c->dir, name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

bool fc_host_has(struct fuse_client *c, const char *name, const char *text)
{
	char buf[256];
	int fd = openat(c->dir, name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

u32 fc_inodes(struct fuse_client *c)
{
	u32 n = 0;

	for (u32 i = 0; i < c->f->inodes; i++)
		n += c->f->inode[i]->refs != 0;
	return n;
}

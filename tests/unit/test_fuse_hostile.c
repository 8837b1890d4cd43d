// SPDX-License-Identifier: MIT
/* A hostile FUSE client: wrong sizes, forged numbers, floods, names that lead out, many threads. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse_client.h"
#include "long_names.h"

#define ROOT FUSE_ROOT_ID
#define OPCODES 60

static struct fuse_client c;

START_TEST(sizes)
{
	static u8 body[400];

	fc_start(&c, NULL);
	fc_host_file(&c, "f", "text");
	fc_lookup(&c, ROOT, "f");
	for (u32 op = 0; op < OPCODES; op++) {
		for (size_t bytes = 0; bytes < 130; bytes++) {
			for (size_t i = 0; i < bytes; i++)
				body[i] = (u8)(rng_below(&c.rng, 3) ? 0 : rng_next(&c.rng));
			fc_raw(&c, op, ROOT + rng_below(&c.rng, 2), body, bytes);
		}
	}
	fc_stop(&c);
}
END_TEST

/* Room for a header, or a little more or less. */
START_TEST(rooms)
{
	const struct fuse_getattr_in in = { 0 };

	fc_start(&c, NULL);
	for (c.room = 0; c.room < sizeof(struct fuse_out_header); c.room++)
		ck_assert_int_eq(fc_raw(&c, FUSE_GETATTR, ROOT, &in, sizeof(in)), 1);
	for (; c.room < sizeof(struct fuse_out_header) + sizeof(struct fuse_attr_out); c.room++)
		ck_assert_int_eq(fc_raw(&c, FUSE_GETATTR, ROOT, &in, sizeof(in)), -EINVAL);
	ck_assert_int_eq(fc_raw(&c, FUSE_GETATTR, ROOT, &in, sizeof(in)), 0);
	c.room = FC_BYTES;
	fc_stop(&c);
}
END_TEST

static u32 replied(const void *request, size_t bytes)
{
	struct iovec out = { (void *)(uintptr_t)request, bytes }, in = { c.reply, 256 };
	struct mhi_fuse_req req = { .out = &out, .in = &in, .outs = 1, .ins = 1 };

	mhi_fuse_run(c.f, &req);
	return req.replied;
}

START_TEST(lengths)
{
	struct {
		struct fuse_in_header head;
		struct fuse_write_in in;
	} request = { .head = { .opcode = FUSE_WRITE }, .in.size = 1000 };
	const int *error;

	fc_start(&c, NULL);
	error = &((const struct fuse_out_header *)(const void *)c.reply)->error;
	for (u32 bytes = 0; bytes < sizeof(request.head); bytes++)
		ck_assert_uint_eq(replied(&request, bytes), 0);
	for (u32 len = 0; len < 1000; len++) {
		request.head.len = len;
		ck_assert_uint_eq(replied(&request, sizeof(request)), 16);
		ck_assert_int_eq(*error, -EINVAL);
	}
	request.head.len = ~0u;
	ck_assert_uint_eq(replied(&request, sizeof(request)), 16);
	ck_assert_int_eq(*error, -EINVAL);
	fc_stop(&c);
}
END_TEST

static int symlink_to(const char *name, const char *target)
{
	c.second = target;
	return fc_call(&c, FUSE_SYMLINK, ROOT, NULL, 0, name);
}

START_TEST(names)
{
	static const char *const bad[] = { "", "..", "a/b", "/", "/etc", "../x" };
	const struct fuse_mkdir_in in = { .mode = 0700 };
	char text[300];

	fc_start(&c, NULL);
	for (size_t i = 0; i < MHI_COUNT(bad); i++) {
		ck_assert_int_eq(fc_call(&c, FUSE_LOOKUP, ROOT, NULL, 0, bad[i]), -EINVAL);
		ck_assert_int_eq(fc_call(&c, FUSE_MKDIR, ROOT, &in, 8, bad[i]), -EINVAL);
		ck_assert_int_eq(symlink_to(bad[i], "x"), -EINVAL);
		ck_assert_int_eq(fc_call(&c, FUSE_UNLINK, ROOT, NULL, 0, bad[i]), -EINVAL);
	}
	memset(text, 'n', sizeof(text));
	ck_assert_int_eq(fc_raw(&c, FUSE_LOOKUP, ROOT, text, 100), -EINVAL);
	text[256] = 0;
	ck_assert_int_eq(fc_call(&c, FUSE_LOOKUP, ROOT, NULL, 0, text), -ENAMETOOLONG);
	text[255] = 0;
	ck_assert_int_eq(fc_call(&c, FUSE_LOOKUP, ROOT, NULL, 0, text), -ENOENT);
	fc_stop(&c);
}
END_TEST

START_TEST(forged_numbers)
{
	const struct fuse_open_in open_in = { 0 };
	u64 node, fh, old;

	fc_start(&c, NULL);
	fh = fc_create(&c, ROOT, "f", 0600, &node);
	for (u32 i = 0; i < 64; i++) {
		u64 bit = 1ull << i;

		if ((node ^ bit) != ROOT)
			ck_assert_int_eq(fc_raw(&c, FUSE_OPEN, node ^ bit, &open_in, 8), -ESTALE);
		ck_assert_int_eq(fc_read(&c, fh ^ bit, 0, 1), -EBADF);
		ck_assert_int_eq(fc_release(&c, fh ^ bit), -EBADF);
	}
	ck_assert_int_eq(fc_raw(&c, FUSE_OPEN, 0, &open_in, 8), -ESTALE);
	fc_release(&c, fh);
	fc_forget(&c, node, 1);
	ck_assert_int_eq(fc_raw(&c, FUSE_OPEN, node, &open_in, 8), -ESTALE);
	/* Its place is used again, its number is not. */
	old = node;
	ck_assert_uint_ne(fc_create(&c, ROOT, "g", 0600, &node), fh);
	ck_assert_uint_ne(node, old);
	fc_stop(&c);
}
END_TEST

START_TEST(forget_floods)
{
	struct {
		struct fuse_batch_forget_in head;
		struct fuse_forget_one one[300];
	} batch = { .head.count = ~0u };
	u64 node;

	fc_start(&c, NULL);
	fc_host_file(&c, "f", "");
	for (u32 round = 0; round < 2000; round++) {
		node = fc_lookup(&c, ROOT, "f");
		fc_forget(&c, node, ~0ull);
		fc_forget(&c, node, 1);
		fc_forget(&c, ROOT, ~0ull);
		fc_forget(&c, rng_next(&c.rng), 1);
	}
	ck_assert_uint_eq(c.f->inodes, 2);
	node = fc_lookup(&c, ROOT, "f");
	for (u32 i = 0; i < MHI_COUNT(batch.one); i++)
		batch.one[i] = (struct fuse_forget_one){ i & 1 ? node : i, ~0ull };
	for (u32 round = 0; round < 100; round++)
		ck_assert_int_eq(fc_raw(&c, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch)), 1);
	ck_assert_uint_eq(fc_inodes(&c), 1);
	ck_assert_int_eq(fc_raw(&c, FUSE_BATCH_FORGET, 0, &batch, 3), 1);
	ck_assert_int_eq(fc_raw(&c, FUSE_FORGET, ROOT, &batch, 3), 1);
	ck_assert_uint_ne(fc_lookup(&c, ROOT, "f"), 0);
	fc_stop(&c);
}
END_TEST

/*
 * A chain may name the same memory again and again: one request's list had no end, and those who
 * wait for the request waited with it.
 */
START_TEST(forget_without_end)
{
	static struct fuse_forget_one one[1000];
	struct fuse_batch_forget_in batch = { .count = ~0u };
	struct fuse_in_header head = { .opcode = FUSE_BATCH_FORGET };
	struct iovec out[202] = { { &head, sizeof(head) }, { &batch, sizeof(batch) } };
	struct mhi_fuse_req req = { .out = out, .outs = MHI_COUNT(out) };
	const u64 many = 1 << 20, most = FUSE_DATA_MAX / sizeof(one[0]);
	struct fuse_inode *f;

	fc_start(&c, NULL);
	fc_host_file(&c, "f", "");
	one[0] = (struct fuse_forget_one){ fc_lookup(&c, ROOT, "f"), 1 };
	for (u32 i = 1; i < MHI_COUNT(one); i++)
		one[i] = one[0];
	for (u32 i = 2; i < MHI_COUNT(out); i++)
		out[i] = (struct iovec){ one, sizeof(one) };
	head.len = (u32)(sizeof(head) + sizeof(batch) + 200 * sizeof(one));
	f = c.f->inode[(u32)one[0].nodeid - ROOT];
	ck_assert_uint_eq(f->lookups, 1);
	f->lookups = many;
	mhi_fuse_run(c.f, &req);
	ck_assert_uint_eq(f->lookups, many - most);
	/* Nothing that a client's list may hold is left out. */
	batch.count = (u32)most - 1;
	mhi_fuse_run(c.f, &req);
	ck_assert_uint_eq(f->lookups, many - 2 * most + 1);
	fc_stop(&c);
}
END_TEST

/* Host names that are too long for the client overran the reply: they are left out. */
static void list_long_names(u32 op, size_t before)
{
	struct fuse_read_in in = { .size = 65536 };

	fc_start(&c, NULL);
	in.fh = fc_open_file(&c, ROOT, O_DIRECTORY);
	long_names_next = 1;
	for (u32 n = 0; n < 2; n++) {
		const struct fuse_dirent *d = (const void *)(c.body + before);

		ck_assert_int_eq(fc_raw(&c, op, 0, &in, sizeof(in)), 0);
		ck_assert_uint_eq(d->namelen, n ? 1 : LONGEST);
		ck_assert(!memcmp(d->name, n ? "z" : long_name(LONGEST), d->namelen));
		ck_assert_uint_eq(c.bytes, before + FUSE_DIRENT_SIZE(d));
		in.offset = d->off;
	}
	ck_assert_int_eq(fc_raw(&c, op, 0, &in, sizeof(in)), 0);
	ck_assert_uint_eq(c.bytes, 0);
	long_names_next = 0;
	fc_stop(&c);
}

START_TEST(long_names)
{
	list_long_names(FUSE_READDIR, 0);
	list_long_names(FUSE_READDIRPLUS, sizeof(struct fuse_entry_out));
}
END_TEST

/* What is kept for the client is bounded; what it gives back it may have again. */
START_TEST(limits)
{
	const struct mhi_fuse_config config = { .inodes_max = 16, .handles_max = 8 };
	struct fuse_read_in in = { .size = 65536 };
	u64 node[16], fh[8];
	char name[16];
	u32 n = 0;

	fc_start(&c, &config);
	for (u32 i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%u", i);
		fc_host_file(&c, name, "");
	}
	for (u32 i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "%u", i);
		node[i] = fc_lookup(&c, ROOT, name);
		ck_assert_uint_ne(node[i], 0);
	}
	ck_assert_int_eq(fc_call(&c, FUSE_LOOKUP, ROOT, NULL, 0, "20"), -ENFILE);
	ck_assert_uint_eq(fc_create(&c, ROOT, "made", 0600, &node[15]), UINT64_MAX);
	for (u32 i = 0; i < 7; i++)
		fh[i] = fc_open_file(&c, node[i], O_RDWR);
	/* A list goes on without what is behind the names. */
	in.fh = fc_open_file(&c, ROOT, O_DIRECTORY);
	ck_assert_int_eq(fc_raw(&c, FUSE_READDIRPLUS, 0, &in, sizeof(in)), 0);
	for (size_t at = 0; at < c.bytes; n++)
		at += FUSE_DIRENTPLUS_SIZE((const struct fuse_direntplus *)(void *)(c.body + at));
	ck_assert_uint_eq(n, 43);
	ck_assert_uint_eq(fc_open_file(&c, node[8], O_RDONLY), UINT64_MAX);
	fc_release(&c, fh[0]);
	ck_assert_uint_ne(fc_open_file(&c, node[8], O_RDONLY), UINT64_MAX);
	fc_forget(&c, node[14], 2);
	ck_assert_uint_ne(fc_lookup(&c, ROOT, "20"), 0);
	fc_stop(&c);
}
END_TEST

/* Two shares took all descriptors of the process, and nobody else could open or accept. */
START_TEST(shared_descriptors)
{
	static struct fuse_client other;
	struct fuse_client *const client[] = { &c, &other };
	struct rlimit old, few;
	u32 opened, left = 0;
	int fd[160];
	u64 node;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = MHI_COUNT(fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	fc_start(&c, NULL);
	fc_start(&other, NULL);
	for (u32 n = 0; n < MHI_COUNT(client); n++) {
		char name[16] = "0";

		for (opened = 0; fc_create(client[n], ROOT, name, 0600, &node) != UINT64_MAX;)
			snprintf(name, sizeof(name), "%u", ++opened);
		ck_assert_uint_ge(opened, 30);
	}
	while (left < MHI_COUNT(fd) && (fd[left] = dup(c.dir)) >= 0)
		left++;
	ck_assert_uint_ge(left, MHI_COUNT(fd) / 8);
	while (left)
		close(fd[--left]);
	mhi_fuse_reset(c.f);
	fc_stop(&other);
	fc_stop(&c);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
}
END_TEST

START_TEST(readonly)
{
	const struct mhi_fuse_config config = { .tree.readonly = true };
	static const u32 changes[] = { FUSE_SETATTR,   FUSE_SYMLINK,	 FUSE_MKNOD,
				       FUSE_MKDIR,     FUSE_UNLINK,	 FUSE_RMDIR,
				       FUSE_RENAME,    FUSE_LINK,	 FUSE_WRITE,
				       FUSE_SETXATTR,  FUSE_REMOVEXATTR, FUSE_CREATE,
				       FUSE_FALLOCATE, FUSE_RENAME2,	 FUSE_COPY_FILE_RANGE };
	static const u32 flags[] = { O_WRONLY, O_RDWR, O_TRUNC };
	u8 body[128] = { 0 };
	u64 node;

	fc_start(&c, &config);
	fc_host_file(&c, "f", "text");
	node = fc_lookup(&c, ROOT, "f");
	for (size_t i = 0; i < MHI_COUNT(changes); i++)
		ck_assert_int_eq(fc_raw(&c, changes[i], node, body, sizeof(body)), -EROFS);
	for (size_t i = 0; i < MHI_COUNT(flags); i++)
		ck_assert_int_eq(
			fc_raw(&c, FUSE_OPEN, node, &(struct fuse_open_in){ .flags = flags[i] }, 8),
			-EROFS);
	ck_assert_int_eq(fc_read(&c, fc_open_file(&c, node, O_RDONLY), 0, 10), 4);
	ck_assert(fc_host_has(&c, "f", "text"));
	fc_stop(&c);
}
END_TEST

START_TEST(resets)
{
	u64 node, fh;

	fc_start(&c, NULL);
	fh = fc_create(&c, ROOT, "f", 0600, &node);
	mhi_fuse_reset(c.f);
	ck_assert_uint_eq(fc_inodes(&c), 1);
	ck_assert_uint_eq(c.f->tree.fds, 0);
	ck_assert_int_eq(fc_read(&c, fh, 0, 1), -ENOTCONN);
	ck_assert_int_eq(
		fc_raw(&c, FUSE_INIT, 0, &(struct fuse_init_in){ .major = 7, .minor = 31 }, 16), 0);
	ck_assert_int_eq(fc_read(&c, fh, 0, 1), -EBADF);
	ck_assert_uint_ne(fc_lookup(&c, ROOT, "f"), node);
	fc_stop(&c);
}
END_TEST

/* ---- many at once ---- */

#define THREADS 4
#define ROUNDS 3000

struct storm {
	pthread_t thread;
	struct rng rng;
};

/* Numbers of others, too, so that they are closed and forgotten under each other's hands. */
static u32 random_request(struct rng *rng, u8 *out, u64 *nodes, u64 *fhs)
{
	static const u32 op[] = { FUSE_LOOKUP, FUSE_FORGET,  FUSE_OPEN,	       FUSE_READ,
				  FUSE_WRITE,  FUSE_RELEASE, FUSE_GETATTR,     FUSE_UNLINK,
				  FUSE_CREATE, FUSE_RENAME,  FUSE_READDIRPLUS, FUSE_OPENDIR };
	struct fuse_in_header head = { .opcode = op[rng_below(rng, MHI_COUNT(op))] };
	u64 *arg = (void *)(out + sizeof(head));
	u32 bytes = 64;
	char *name = (char *)out + sizeof(head);

	head.nodeid = rng_below(rng, 2) ? ROOT : nodes[rng_below(rng, 8)];
	memset(out + sizeof(head), 0, 128);
	arg[0] = fhs[rng_below(rng, 8)];
	arg[2] = 32;
	if (head.opcode == FUSE_READDIRPLUS)
		arg[2] = 1000;
	if (head.opcode == FUSE_FORGET)
		arg[0] = 1;
	if (head.opcode == FUSE_OPEN || head.opcode == FUSE_OPENDIR)
		arg[0] = O_RDWR;
	if (head.opcode == FUSE_CREATE)
		arg[0] = O_RDWR | 0600ull << 32;
	if (head.opcode == FUSE_RENAME)
		arg[0] = ROOT;
	name += head.opcode == FUSE_CREATE ? 16 : head.opcode == FUSE_RENAME ? 8 : 0;
	if (head.opcode == FUSE_LOOKUP || head.opcode == FUSE_UNLINK ||
	    head.opcode == FUSE_CREATE || head.opcode == FUSE_RENAME) {
		name[0] = (char)('a' + rng_below(rng, 4));
		name[1] = 0;
		name[2] = (char)('a' + rng_below(rng, 4));
	}
	if (head.opcode == FUSE_WRITE)
		bytes = sizeof(struct fuse_write_in) + 32;
	head.len = (u32)sizeof(head) + bytes;
	memcpy(out, &head, sizeof(head));
	return head.len;
}

static void learn(struct rng *rng, const u8 *request, const u8 *reply, u64 *nodes, u64 *fhs)
{
	const struct fuse_in_header *head = (const void *)request;
	const struct fuse_out_header *answer = (const void *)reply;
	const u64 *body = (const void *)(reply + sizeof(*answer));

	if (answer->error)
		return;
	if (head->opcode == FUSE_LOOKUP || head->opcode == FUSE_CREATE)
		nodes[rng_below(rng, 8)] = body[0];
	if (head->opcode == FUSE_OPEN || head->opcode == FUSE_OPENDIR)
		fhs[rng_below(rng, 8)] = body[0];
	if (head->opcode == FUSE_CREATE)
		fhs[rng_below(rng, 8)] = body[sizeof(struct fuse_entry_out) / 8];
}

static void *storm(void *opaque)
{
	struct storm *s = opaque;
	_Alignas(8) u8 request[256], reply[4096];
	u64 nodes[8] = { ROOT }, fhs[8] = { 0 };

	for (u32 i = 0; i < ROUNDS; i++) {
		struct iovec out = { request, 0 }, in = { reply, sizeof(reply) };
		struct mhi_fuse_req req = { .out = &out, .in = &in, .outs = 1, .ins = 1 };

		out.iov_len = random_request(&s->rng, request, nodes, fhs);
		mhi_fuse_run(c.f, &req);
		if (req.replied)
			learn(&s->rng, request, reply, nodes, fhs);
	}
	return NULL;
}

START_TEST(storms)
{
	const struct mhi_fuse_config config = { .tree.fds_max = 48, .handles_max = 64 };
	struct storm s[THREADS];

	fc_start(&c, &config);
	for (u32 i = 0; i < THREADS; i++) {
		s[i].rng.s = i + 1;
		ck_assert_int_eq(pthread_create(&s[i].thread, NULL, storm, &s[i]), 0);
	}
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(s[i].thread, NULL);
	mhi_fuse_reset(c.f);
	ck_assert_uint_eq(c.f->tree.fds, 0);
	ck_assert_uint_eq(fc_inodes(&c), 1);
	fc_stop(&c);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, rooms);
	tcase_add_test(tcase, lengths);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, forged_numbers);
	tcase_add_test(tcase, forget_floods);
	tcase_add_test(tcase, forget_without_end);
	tcase_add_test(tcase, long_names);
	tcase_add_test(tcase, limits);
	tcase_add_test(tcase, shared_descriptors);
	tcase_add_test(tcase, readonly);
	tcase_add_test(tcase, resets);
	tcase_add_test(tcase, storms);
}

UNIT_MAIN("fuse_hostile", add_tests)

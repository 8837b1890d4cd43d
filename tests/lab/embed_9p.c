/* SPDX-License-Identifier: MIT */
/*
 * A program whose guest mounts a folder that is nowhere: it answers 9P2000.L itself, read-only, of
 * a root with three files. "bad" is one whose reading is answered with a message of another tag.
 * usage: embed_9p KERNEL INITRD CMDLINE
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define FILES 4 /* 0: the root */
#define BIG_BYTES 3000001u
#define FIDS 64
#define HEADER 7
#define STOP_TRIES 240000 /* of 1 ms */

/* Messages: 9P2000.L, diod's protocol.md; a reply's type is one more. */
enum {
	RLERROR = 7,
	TLOPEN = 12,
	TGETATTR = 24,
	TREADDIR = 40,
	TVERSION = 100,
	TATTACH = 104,
	TFLUSH = 108,
	TWALK = 110,
	TREAD = 116,
	TCLUNK = 120,
};

static const struct {
	const char *name;
	unsigned int bytes;
} files[FILES] = { { "/", 0 }, { "hello", 20 }, { "big", BIG_BYTES }, { "bad", 5 } };

/* file + 1 by fid; a fid is used by one message at a time, as Linux does it. */
static unsigned int fid_table[FIDS];
static unsigned int seen[256]; /* (a) messages by type */
static unsigned int resets, closes;

static struct mh_ctx *ctx;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "embed_9p: %s (%s)\n", what, ctx ? mh_last_error(ctx) : "");
	exit(EXIT_FAILURE);
}

/* ---- integers of messages: little-endian, as this host is ---- */

struct message {
	const unsigned char *in, *in_end;
	unsigned char *out, *out_end;
	int bad; /* more was asked for than there is */
};

static uint64_t get(struct message *m, unsigned int bytes)
{
	uint64_t v = 0;

	if ((size_t)(m->in_end - m->in) < bytes) {
		m->bad = 1;
		return 0;
	}
	memcpy(&v, m->in, bytes);
	m->in += bytes;
	return v;
}

static void put(struct message *m, uint64_t v, unsigned int bytes)
{
	if ((size_t)(m->out_end - m->out) < bytes) {
		m->bad = 1;
		return;
	}
	memcpy(m->out, &v, bytes);
	m->out += bytes;
}

static void put_text(struct message *m, const char *text)
{
	put(m, strlen(text), 2);
	while (*text)
		put(m, (unsigned char)*text++, 1);
}

static void put_qid(struct message *m, unsigned int file)
{
	put(m, file ? 0 : 0x80, 1);
	put(m, 0, 4);
	put(m, file + 1, 8);
}

/* ---- the tree ---- */

static unsigned char byte_of(unsigned int file, uint64_t offset)
{
	return file == 1 ? (unsigned char)"from no file at all\n"[offset]
			 : (unsigned char)('a' + offset % 23);
}

/* A fid's place in the table; NULL: none has this number. */
static unsigned int *fid_of(struct message *m)
{
	uint64_t fid = get(m, 4);

	return fid < FIDS ? &fid_table[fid] : NULL;
}

/* 0 or a positive errno. */
static int do_version(struct message *m)
{
	uint64_t msize = get(m, 4);

	memset(fid_table, 0, sizeof(fid_table));
	put(m, msize, 4);
	put_text(m, "9P2000.L");
	return 0;
}

static int do_attach(struct message *m)
{
	unsigned int *fid = fid_of(m);

	if (!fid)
		return EBADF;
	*fid = 1;
	put_qid(m, 0);
	return 0;
}

static unsigned int find(const unsigned char *name, uint64_t bytes)
{
	for (unsigned int n = 1; n < FILES; n++)
		if (strlen(files[n].name) == bytes && !memcmp(files[n].name, name, bytes))
			return n;
	return 0;
}

static int do_walk(struct message *m)
{
	unsigned int *from = fid_of(m), *to = fid_of(m), file;
	uint64_t names = get(m, 2), bytes;

	if (!from || !to || !*from)
		return EBADF;
	if (names > 1)
		return ENOENT;
	file = *from - 1;
	put(m, names, 2);
	if (names) {
		bytes = get(m, 2);
		if (m->bad || (uint64_t)(m->in_end - m->in) < bytes)
			return EINVAL;
		file = file ? 0 : find(m->in, bytes);
		if (!file)
			return ENOENT;
		put_qid(m, file);
	}
	*to = file + 1;
	return 0;
}

static int do_getattr(struct message *m)
{
	unsigned int *fid = fid_of(m);

	if (!fid || !*fid)
		return EBADF;
	put(m, 0x7ff, 8);
	put_qid(m, *fid - 1);
	put(m, *fid == 1 ? S_IFDIR | 0555 : S_IFREG | 0444, 4);
	put(m, 0, 8);		      /* uid, gid */
	put(m, *fid == 1 ? 2 : 1, 8); /* links */
	put(m, 0, 8);
	put(m, files[*fid - 1].bytes, 8);
	put(m, 4096, 8);
	put(m, (files[*fid - 1].bytes + 511) / 512, 8);
	for (unsigned int n = 0; n < 10; n++)
		put(m, 0, 8); /* times, generation, data version */
	return 0;
}

static int do_lopen(struct message *m)
{
	unsigned int *fid = fid_of(m);

	if (!fid || !*fid)
		return EBADF;
	if (get(m, 4) & 3)
		return EROFS;
	put_qid(m, *fid - 1);
	put(m, 0, 4);
	return 0;
}

static int do_read(struct message *m)
{
	unsigned int *fid = fid_of(m), file;
	uint64_t offset = get(m, 8), count = get(m, 4), room;

	if (!fid || *fid < 2)
		return EBADF;
	file = *fid - 1;
	room = (uint64_t)(m->out_end - m->out);
	if (room < 4)
		return EMSGSIZE;
	if (count > room - 4)
		count = room - 4;
	if (offset > files[file].bytes)
		offset = files[file].bytes;
	if (count > files[file].bytes - offset)
		count = files[file].bytes - offset;
	put(m, count, 4);
	for (uint64_t n = 0; n < count; n++)
		*m->out++ = byte_of(file, offset + n);
	return 0;
}

static int do_readdir(struct message *m)
{
	unsigned int *fid = fid_of(m);
	uint64_t offset = get(m, 8), count = get(m, 4), used;
	unsigned char *start = m->out;

	if (!fid || *fid != 1)
		return EBADF;
	put(m, 0, 4);
	for (uint64_t n = offset + 1; n < FILES; n++) {
		used = (uint64_t)(m->out - start) - 4;
		if (used + 24 + strlen(files[n].name) > count)
			break;
		put_qid(m, (unsigned int)n);
		put(m, n, 8); /* where the next one is */
		put(m, 8, 1); /* DT_REG */
		put_text(m, files[n].name);
	}
	used = (uint64_t)(m->out - start) - 4;
	memcpy(start, &used, 4);
	return 0;
}

static int do_clunk(struct message *m)
{
	unsigned int *fid = fid_of(m);

	if (!fid)
		return EBADF;
	*fid = 0;
	return 0;
}

static int do_flush(struct message *m)
{
	return 0; /* nothing takes long */
}

static int serve(struct message *m, unsigned int type)
{
	switch (type) {
	case TVERSION:
		return do_version(m);
	case TATTACH:
		return do_attach(m);
	case TFLUSH:
		return do_flush(m);
	case TWALK:
		return do_walk(m);
	case TGETATTR:
		return do_getattr(m);
	case TLOPEN:
		return do_lopen(m);
	case TREAD:
		return do_read(m);
	case TREADDIR:
		return do_readdir(m);
	case TCLUNK:
		return do_clunk(m);
	default:
		return EOPNOTSUPP;
	}
}

static int of_bad(const unsigned char *request)
{
	struct message m = { .in = request + HEADER, .in_end = request + HEADER + 4 };
	unsigned int *fid = fid_of(&m);

	return request[4] == TREAD && fid && *fid == FILES;
}

static int answer(void *opaque, const void *request, uint32_t bytes, void *reply, uint32_t room)
{
	const unsigned char *t = request;
	unsigned char *r = reply;
	struct message m = { t + HEADER, t + bytes, r + HEADER, r + room, 0 };
	int error = serve(&m, t[4]);
	uint32_t size;

	__atomic_fetch_add(&seen[t[4]], 1, __ATOMIC_RELAXED);
	r[4] = (unsigned char)(t[4] + 1);
	if (error || m.bad) {
		r[4] = RLERROR;
		m.bad = 0;
		m.out = r + HEADER;
		put(&m, (uint64_t)(error ? error : EINVAL), 4);
	}
	r[5] = t[5];
	r[6] = (unsigned char)(t[6] + of_bad(t));
	size = (uint32_t)(m.out - r);
	memcpy(r, &size, 4);
	return (int)size;
}

static void reset(void *opaque)
{
	memset(fid_table, 0, sizeof(fid_table));
	resets++;
}

static void close_tree(void *opaque)
{
	closes++;
}

/* ---- the VM ---- */

static void print(void *opaque, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stdout);
	fflush(stdout);
}

static struct mh_vm *make(char **argv, struct mh_dev **tree)
{
	static const struct mh_p9_ops ops = { 1, answer, reset, close_tree };
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_share_config share = MH_SHARE_CONFIG_INIT;
	struct mh_vm *vm;

	check(!mh_ctx_create(NULL, &ctx), "create context");
	config.memory_bytes = 384u << 20;
	config.cpus = 2;
	config.flags = MH_VM_STOP_ON_RESET;
	check(!mh_vm_create(ctx, &config, &vm), "create VM");
	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = argv[3];
	check(!mh_vm_boot(vm, &boot), "boot");
	check(!mh_serial_attach(vm, 0, print, NULL), "serial port");
	share.tag = "nowhere";
	share.ops = &ops;
	check(!mh_share_attach(vm, &share, tree), "shared folder");
	return vm;
}

static void report(struct mh_dev *tree)
{
	static const int types[] = { TVERSION, TATTACH, TWALK,	  TGETATTR,
				     TLOPEN,   TREAD,	TREADDIR, TCLUNK };
	struct mh_dev_metrics metrics = MH_DEV_METRICS_INIT;

	check(!mh_dev_metrics(tree, &metrics), "metrics");
	printf("tree: %llu messages, %llu errors, %llu bytes to the guest, %u resets\n",
	       (unsigned long long)metrics.requests, (unsigned long long)metrics.errors,
	       (unsigned long long)metrics.to_guest_bytes, resets);
	for (unsigned int n = 0; n < sizeof(types) / sizeof(types[0]); n++) {
		printf("messages of type %d: %u\n", types[n], seen[types[n]]);
		check(seen[types[n]] > 0, "a message was never seen");
	}
	check(metrics.errors > 0, "what was no answer was not counted");
	check(metrics.to_guest_bytes > BIG_BYTES, "bytes were not counted");
}

int main(int argc, char **argv)
{
	struct mh_dev *tree;
	struct mh_vm *vm;

	check(argc == 4, "usage: embed_9p KERNEL INITRD CMDLINE");
	vm = make(argv, &tree);
	check(!mh_vm_start(vm), "start");
	for (unsigned int n = 0; mh_vm_state(vm) != MH_VM_STOPPED; n++) {
		check(n < STOP_TRIES, "the guest does not come to an end");
		usleep(1000);
	}
	report(tree);
	check(mh_vm_stop_reason(vm) == MH_STOP_POWEROFF, mh_vm_stop_text(vm));
	mh_vm_destroy(vm);
	check(closes == 1, "the tree was not closed");
	check(!mh_ctx_destroy(ctx), "destroy context");
	printf("embed_9p: all is well\n");
	return EXIT_SUCCESS;
}

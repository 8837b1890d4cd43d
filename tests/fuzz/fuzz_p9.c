// SPDX-License-Identifier: MIT
/*
 * Fuzzes the 9P server (libFuzzer): the input is a conversation. Its first byte chooses the version
 * and the owners' mode, then come messages: type, two bytes of room for the reply, one of length,
 * body. Beside the served folder lies a file that must stay as it is.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "rng.h"
#include "virtio/p9.h"
#include "virtio/p9_codec.h"
#include "virtio/p9_proto.h"

#define HEAD 4
#define PIECE 13
#define ROOM_MAX 8192
#define SECRET "outside"

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);

static int base = -1;
static char base_path[] = "/tmp/fuzz-p9-XXXXXX";

static void put_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fuzz_die("cannot prepare", base_path);
	close(fd);
}

static void remove_all(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct dirent *d;
	DIR *dir;

	if (fd < 0) {
		/* A folder whose mode was changed, or anything else. */
		if (unlinkat(parent, name, 0))
			unlinkat(parent, name, AT_REMOVEDIR);
		return;
	}
	dir = fdopendir(fd);
	while ((d = readdir(dir)))
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			remove_all(dirfd(dir), d->d_name);
	closedir(dir);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static void leave(void)
{
	remove_all(AT_FDCWD, base_path);
}

static int prepare(void)
{
	int share;

	if (base < 0) {
		if (!mkdtemp(base_path))
			fuzz_die("cannot make a folder", base_path);
		base = open(base_path, O_RDONLY | O_DIRECTORY);
		put_file(base, "secret", SECRET);
		atexit(leave);
	}
	mkdirat(base, "share", 0700);
	share = openat(base, "share", O_RDONLY | O_DIRECTORY);
	put_file(share, "f", "0123456789");
	mkdirat(share, "d", 0700);
	put_file(share, "d/g", "g");
	if (symlinkat("../secret", share, "s") || symlinkat("..", share, "up"))
		fuzz_die("cannot prepare", base_path);
	mkfifoat(share, "p", 0600);
	return share;
}

/* Nothing but the share has changed, and nothing else is there. */
static void check_outside(void)
{
	char text[32] = "";
	int fd = openat(base, "secret", O_RDONLY | O_NOFOLLOW), n = 0;
	struct stat st;
	DIR *dir;

	if (fd < 0 || read(fd, text, sizeof(text)) != (ssize_t)strlen(SECRET) ||
	    strcmp(text, SECRET) || fstat(fd, &st) || st.st_nlink != 1 ||
	    st.st_mode != (S_IFREG | 0600))
		fuzz_die("outside", "the file has changed");
	close(fd);
	dir = fdopendir(openat(base, ".", O_RDONLY | O_DIRECTORY));
	while (readdir(dir))
		n++;
	closedir(dir);
	if (n != 4)
		fuzz_die("outside", "something was made");
}

/* In pieces that end where their memory ends. */
static unsigned int cut(struct iovec *iov, size_t bytes, const u8 *data)
{
	unsigned int n = 0;

	while (bytes) {
		size_t part = bytes < PIECE || n > 40 ? bytes : PIECE;

		iov[n].iov_base = malloc(part);
		iov[n].iov_len = part;
		if (data) {
			memcpy(iov[n].iov_base, data, part);
			data += part;
		}
		bytes -= part;
		n++;
	}
	return n;
}

static void send_message(struct mhi_p9 *p9, const u8 *message, size_t size, size_t room)
{
	struct iovec out[64], in[64];
	struct mhi_p9_req req = { .out = out, .in = in };
	u8 head[HEAD];

	req.outs = cut(out, size, message);
	req.ins = cut(in, room, NULL);
	mhi_p9_server_begin(mhi_p9_server(p9), &req);
	mhi_p9_run(p9, &req);
	mhi_p9_server_end(mhi_p9_server(p9), &req);
	if (req.replied > room)
		fuzz_die("reply", "longer than its room");
	if (req.replied &&
	    (mhi_sg_get(in, req.ins, 0, head, HEAD) != HEAD || mhi_p9_size(head) != req.replied))
		fuzz_die("reply", "its size is wrong");
	while (req.outs)
		free(out[--req.outs].iov_base);
	while (req.ins)
		free(in[--req.ins].iov_base);
}

static void send_body(struct mhi_p9 *p9, u8 type, const u8 *body, size_t bytes, size_t room)
{
	u8 message[P9_HEADER + 256];
	struct mhi_p9_out out = { message, 0, sizeof(message), false };

	mhi_p9_put32(&out, (u32)(P9_HEADER + bytes));
	mhi_p9_put8(&out, type);
	mhi_p9_put16(&out, 1);
	memcpy(message + P9_HEADER, body, bytes);
	send_message(p9, message, P9_HEADER + bytes, room);
}

/* What every conversation starts with, so that the fuzzer need not find it. */
static void greet(struct mhi_p9 *p9, u8 choice)
{
	static const char *const versions[] = { "9P2000.L", "9P2000.L", "9P2000.u", "9P2000" };
	const char *version = versions[choice & 3];
	u8 body[64];
	struct mhi_p9_out out = { body, 0, sizeof(body), false };

	mhi_p9_put32(&out, ROOM_MAX);
	mhi_p9_put_str(&out, version, strlen(version));
	send_body(p9, P9_TVERSION, body, out.used, ROOM_MAX);
	out.used = 0;
	mhi_p9_put32(&out, 0);
	mhi_p9_put32(&out, P9_NOFID);
	mhi_p9_put32(&out, 0);
	mhi_p9_put32(&out, 0);
	send_body(p9, P9_TATTACH, body, out.used, ROOM_MAX);
	for (u32 fid = 1; fid < 4; fid++) {
		static const char *const names[] = { "", "f", "d", "s" };

		out.used = 0;
		mhi_p9_put32(&out, 0);
		mhi_p9_put32(&out, fid);
		mhi_p9_put16(&out, 1);
		mhi_p9_put_str(&out, names[fid], 1);
		send_body(p9, P9_TWALK, body, out.used, ROOM_MAX);
	}
}

/* ---- good messages, which chance alone would hardly find ---- */

/* 'f': a fid, 'n': a name, digits: small numbers of so many bytes. */
static const struct {
	u8 type;
	const char *body;
} messages[] = {
	{ P9_TSTATFS, "f" },
	{ P9_TLOPEN, "f4" },
	{ P9_TLCREATE, "fn444" },
	{ P9_TSYMLINK, "fnn4" },
	{ P9_TMKNOD, "fn4444" },
	{ P9_TRENAME, "ffn" },
	{ P9_TREADLINK, "f" },
	{ P9_TGETATTR, "f8" },
	{ P9_TSETATTR, "f444488888" },
	{ P9_TXATTRWALK, "ffn" },
	{ P9_TXATTRCREATE, "fn84" },
	{ P9_TREADDIR, "f84" },
	{ P9_TFSYNC, "f4" },
	{ P9_TLOCK, "f14884n" },
	{ P9_TGETLOCK, "f1884n" },
	{ P9_TLINK, "ffn" },
	{ P9_TMKDIR, "fn44" },
	{ P9_TRENAMEAT, "fnfn" },
	{ P9_TUNLINKAT, "fn4" },
	{ P9_TFLUSH, "2" },
	{ P9_TWALK, "ff2nn" },
	{ P9_TOPEN, "f1" },
	{ P9_TCREATE, "fn41n" },
	{ P9_TREAD, "f84" },
	{ P9_TWRITE, "f84n" },
	{ P9_TCLUNK, "f" },
	{ P9_TREMOVE, "f" },
	{ P9_TSTAT, "f" },
	{ P9_TWSTAT, "f2224148444448nnnnn444" },
};

static void put_field(struct mhi_p9_out *out, char kind, struct rng *rng)
{
	static const char *const names[] = { "f", "d", "g",  "s",   "up",     "p",
					     "a", "b", "..", "a/b", "user.a", "" };
	static const u32 numbers[] = { 0,     1,     2,	     3,	    7,		0x80,
				       0x200, 0x241, 0x1000, 04755, 0x80000000, 0xffffffff };
	const char *name = names[rng_below(rng, MHI_COUNT(names))];
	u32 number = numbers[rng_below(rng, MHI_COUNT(numbers))];

	switch (kind) {
	case 'f':
		mhi_p9_put32(out, (u32)rng_below(rng, 9));
		break;
	case 'n':
		mhi_p9_put_str(out, name, strlen(name));
		break;
	case '1':
		mhi_p9_put8(out, (u8)number);
		break;
	case '2':
		mhi_p9_put16(out, (u16)rng_below(rng, 3));
		break;
	case '4':
		mhi_p9_put32(out, number);
		break;
	default:
		mhi_p9_put64(out, number);
	}
}

/* A good message more at the end, or what libFuzzer does. */
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
	struct rng rng = { seed + 1ull };
	size_t which = rng_below(&rng, MHI_COUNT(messages) * 2);
	u8 buf[HEAD + 255];
	struct mhi_p9_out out = { buf, HEAD, sizeof(buf), false };

	if (which >= MHI_COUNT(messages) || size + sizeof(buf) > max)
		return LLVMFuzzerMutate(data, size, max);
	if (!size)
		data[size++] = (u8)rng_next(&rng);
	for (const char *kind = messages[which].body; *kind; kind++)
		put_field(&out, *kind, &rng);
	buf[0] = messages[which].type;
	buf[1] = (u8)rng_next(&rng);
	buf[2] = 0x1f;
	buf[3] = (u8)(out.used - HEAD);
	memcpy(data + size, buf, out.used);
	return size + out.used;
}

/* NULL: the file system cannot do what is asked for. */
static struct mhi_p9 *start(u8 choice)
{
	struct mhi_p9_config config = { .tree.fds_max = 32, .fids_max = 64 };
	struct mhi_p9 *p9;
	char path[64];

	snprintf(path, sizeof(path), "%s/share", base_path);
	config.tree.path = path;
	config.tree.ids = choice & 4 ? MHI_TREE_MAPPED : MHI_TREE_SQUASH;
	config.tree.readonly = (choice & 0xf8) == 0xf8;
	return mhi_p9_create(&config, &p9, NULL) ? NULL : p9;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct mhi_p9 *p9 = NULL;
	int share = prepare();

	if (size)
		p9 = start(data[0]);
	if (!p9)
		goto out;
	greet(p9, data[0]);
	for (data++, size--; size >= HEAD;) {
		size_t room = data[1] | (size_t)(data[2] & 0x1f) << 8;
		u8 type = data[0], bytes = data[3];

		data += HEAD;
		size -= HEAD;
		if (bytes > size)
			bytes = (u8)size;
		send_body(p9, type, data, bytes, room);
		data += bytes;
		size -= bytes;
	}
	mhi_p9_destroy(p9);
	check_outside();
out:
	close(share);
	remove_all(base, "share");
	return 0;
}

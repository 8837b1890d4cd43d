// SPDX-License-Identifier: MIT
/*
 * Fuzzes the FUSE server (libFuzzer): the input is a conversation. Its first byte chooses the
 * owners' mode, then come requests: opcode, two bytes of room for the reply, one for the number of
 * the file that it is about, one of length, body. Beside the served folder lies a file that must
 * stay as it is.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "rng.h"
#include "virtio/fuse.h"
#include "virtio/fuse_proto.h"
#include "virtio/sg.h"

#define HEAD 5
#define PIECE 29
#define ROOM_MAX 8192
#define SECRET "outside"
#define NUMBERS 16

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);

static int base = -1;
static char base_path[] = "/tmp/fuzz-fuse-XXXXXX";

/* What the server has told: files, and what is open. */
static struct {
	u64 node[NUMBERS], fh[NUMBERS];
	unsigned int nodes, fhs;
} told;

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

static void learn(u32 op, const struct iovec *in, unsigned int ins)
{
	u64 first[19];
	size_t at = sizeof(struct fuse_out_header);
	size_t bytes = mhi_sg_get(in, ins, at, first, sizeof(first));

	if (bytes >= sizeof(struct fuse_entry_out) &&
	    (op == FUSE_LOOKUP || op == FUSE_MKDIR || op == FUSE_CREATE))
		told.node[told.nodes++ % NUMBERS] = first[0];
	if (op == FUSE_OPEN || op == FUSE_OPENDIR)
		told.fh[told.fhs++ % NUMBERS] = first[0];
	if (bytes >= 144 && op == FUSE_CREATE)
		told.fh[told.fhs++ % NUMBERS] = first[sizeof(struct fuse_entry_out) / 8];
}

static void send_request(struct mhi_fuse *f, const u8 *request, size_t size, size_t room)
{
	struct iovec out[64], in[64];
	struct mhi_fuse_req req = { .out = out, .in = in };
	struct fuse_out_header head;

	req.outs = cut(out, size, request);
	req.ins = cut(in, room, NULL);
	mhi_fuse_run(f, &req);
	if (req.replied > room)
		fuzz_die("reply", "longer than its room");
	if (req.replied) {
		if (mhi_sg_get(in, req.ins, 0, &head, sizeof(head)) != sizeof(head) ||
		    head.len != req.replied || head.error > 0)
			fuzz_die("reply", "its header is wrong");
		if (!head.error)
			learn(((const struct fuse_in_header *)(const void *)request)->opcode, in,
			      req.ins);
	}
	while (req.outs)
		free(out[--req.outs].iov_base);
	while (req.ins)
		free(in[--req.ins].iov_base);
}

/* Which opcodes begin with what is open. */
static bool has_handle(u32 op)
{
	switch (op) {
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_RELEASE:
	case FUSE_FSYNC:
	case FUSE_FLUSH:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
	case FUSE_RELEASEDIR:
	case FUSE_FALLOCATE:
	case FUSE_LSEEK:
	case FUSE_COPY_FILE_RANGE:
		return true;
	default:
		return false;
	}
}

/* A small number in place of what only the server knows stands for that. */
static void send_body(struct mhi_fuse *f, u8 op, u8 file, const u8 *body, size_t bytes, size_t room)
{
	_Alignas(8) u8 request[sizeof(struct fuse_in_header) + 256];
	struct fuse_in_header *head = (void *)request;
	u64 first;

	*head = (struct fuse_in_header){
		.len = (u32)(sizeof(*head) + bytes),
		.opcode = op,
		.nodeid = file & 0x80 ? file & 0x7fu : told.node[file % NUMBERS],
	};
	memcpy(request + sizeof(*head), body, bytes);
	if (bytes >= 8) {
		memcpy(&first, body, 8);
		if (has_handle(op) && first < NUMBERS)
			first = told.fh[first];
		else if (op == FUSE_LINK && first < NUMBERS)
			first = told.node[first];
		memcpy(request + sizeof(*head), &first, 8);
	}
	send_request(f, request, head->len, room);
}

/* What every conversation starts with, so that the fuzzer need not find it. */
static void greet(struct mhi_fuse *f)
{
	const struct fuse_init_in init = { .major = 7, .minor = 36, .flags = ~0u };
	const struct fuse_open_in open_in = { .flags = O_RDWR };
	const struct fuse_open_in open_dir = { 0 };

	memset(&told, 0, sizeof(told));
	told.node[told.nodes++] = FUSE_ROOT_ID;
	send_body(f, FUSE_INIT, 0, (const u8 *)&init, sizeof(init), ROOM_MAX);
	send_body(f, FUSE_LOOKUP, 0, (const u8 *)"f", 2, ROOM_MAX);
	send_body(f, FUSE_LOOKUP, 0, (const u8 *)"d", 2, ROOM_MAX);
	send_body(f, FUSE_LOOKUP, 0, (const u8 *)"s", 2, ROOM_MAX);
	send_body(f, FUSE_OPEN, 1, (const u8 *)&open_in, sizeof(open_in), ROOM_MAX);
	send_body(f, FUSE_OPENDIR, 0, (const u8 *)&open_dir, sizeof(open_dir), ROOM_MAX);
}

/* ---- good requests, which chance alone would hardly find ---- */

/* 'h': 8 bytes, what is open or a file; '4', '8': a small number of so many bytes; 'n': a name. */
static const struct {
	u8 op;
	const char *body;
} requests[] = {
	{ FUSE_LOOKUP, "n" },
	{ FUSE_FORGET, "8" },
	{ FUSE_GETATTR, "448" },
	{ FUSE_SETATTR, "44h88888444444444" },
	{ FUSE_READLINK, "" },
	{ FUSE_SYMLINK, "nn" },
	{ FUSE_MKNOD, "4444n" },
	{ FUSE_MKDIR, "44n" },
	{ FUSE_UNLINK, "n" },
	{ FUSE_RMDIR, "n" },
	{ FUSE_RENAME, "8nn" },
	{ FUSE_LINK, "hn" },
	{ FUSE_OPEN, "44" },
	{ FUSE_READ, "h844844" },
	{ FUSE_WRITE, "h844844n" },
	{ FUSE_STATFS, "" },
	{ FUSE_RELEASE, "h448" },
	{ FUSE_FSYNC, "h44" },
	{ FUSE_SETXATTR, "44nn" },
	{ FUSE_GETXATTR, "44n" },
	{ FUSE_LISTXATTR, "44" },
	{ FUSE_REMOVEXATTR, "n" },
	{ FUSE_FLUSH, "h448" },
	{ FUSE_OPENDIR, "44" },
	{ FUSE_READDIR, "h844844" },
	{ FUSE_CREATE, "4444n" },
	{ FUSE_DESTROY, "" },
	{ FUSE_BATCH_FORGET, "448888" },
	{ FUSE_FALLOCATE, "h8844" },
	{ FUSE_READDIRPLUS, "h844844" },
	{ FUSE_RENAME2, "844nn" },
	{ FUSE_LSEEK, "h844" },
	{ FUSE_COPY_FILE_RANGE, "h888888" },
	{ FUSE_INIT, "4444" },
};

static size_t put_field(u8 *to, char kind, struct rng *rng)
{
	static const char *const names[] = { "f", "d", "g",  "s",   "up",     "p", ".",
					     "a", "b", "..", "a/b", "user.a", "" };
	static const u32 numbers[] = { 0,   1,	   2,	   3,	  7,	  0x80,
				       512, 0x241, 0x1000, 04755, 0x8000, 0xffffffff };
	const char *name = names[rng_below(rng, MHI_COUNT(names))];
	u64 number = kind == 'h' ? rng_below(rng, 4) : numbers[rng_below(rng, MHI_COUNT(numbers))];
	size_t bytes = kind == '4' ? 4 : kind == 'n' ? strlen(name) + 1 : 8;

	memcpy(to, kind == 'n' ? (const void *)name : &number, bytes);
	return bytes;
}

/* A good request more at the end, or what libFuzzer does. */
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
	struct rng rng = { seed + 1ull };
	size_t which = rng_below(&rng, MHI_COUNT(requests) * 2);
	size_t used = HEAD;
	u8 buf[HEAD + 255];

	if (which >= MHI_COUNT(requests) || size + sizeof(buf) > max)
		return LLVMFuzzerMutate(data, size, max);
	if (!size)
		data[size++] = (u8)rng_next(&rng);
	for (const char *kind = requests[which].body; *kind; kind++)
		used += put_field(buf + used, *kind, &rng);
	buf[0] = requests[which].op;
	buf[1] = (u8)rng_next(&rng);
	buf[2] = 0x1f;
	buf[3] = (u8)rng_below(&rng, 6);
	buf[4] = (u8)(used - HEAD);
	memcpy(data + size, buf, used);
	return size + used;
}

/* NULL: the file system cannot do what is asked for. */
static struct mhi_fuse *start(u8 choice)
{
	struct mhi_fuse_config config = { .tree.fds_max = 32, .inodes_max = 32, .handles_max = 16 };
	struct mhi_fuse *f;
	char path[64];

	snprintf(path, sizeof(path), "%s/share", base_path);
	config.tree.path = path;
	config.tree.ids = choice & 4 ? MHI_TREE_MAPPED : MHI_TREE_SQUASH;
	config.tree.readonly = (choice & 0xf8) == 0xf8;
	return mhi_fuse_create(&config, &f, NULL) ? NULL : f;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct mhi_fuse *f = NULL;
	int share = prepare();

	if (size)
		f = start(data[0]);
	if (!f)
		goto out;
	greet(f);
	for (data++, size--; size >= HEAD;) {
		size_t room = data[1] | (size_t)(data[2] & 0x1f) << 8;
		u8 op = data[0], file = data[3], bytes = data[4];

		data += HEAD;
		size -= HEAD;
		if (bytes > size)
			bytes = (u8)size;
		/* It would have this machine's disks written. */
		if (op != FUSE_SYNCFS)
			send_body(f, op, file, data, bytes, room);
		data += bytes;
		size -= bytes;
	}
	mhi_fuse_destroy(f);
	check_outside();
out:
	close(share);
	remove_all(base, "share");
	return 0;
}

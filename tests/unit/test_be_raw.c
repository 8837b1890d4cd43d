/* SPDX-License-Identifier: MIT */
/* Raw disks: odd sizes, direct I/O of any alignment, zeroes, discard, stability, locks, errors. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "virtio/be_raw.h"

#define KB 1024u
#define MB (1024u * 1024u)

static char path[64];
static struct mhi_blk *disk;
static struct mhi_err err;

static void set_up(void)
{
	int fd;

	snprintf(path, sizeof(path), "/var/tmp/mh-raw-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, MB), 0);
	close(fd);
	disk = NULL;
	memset(&err, 0, sizeof(err));
}

static void tear_down(void)
{
	if (disk)
		ck_assert_int_eq(disk->ops->close(disk), 0);
	unlink(path);
}

static void open_disk(u32 flags)
{
	int rc = mhi_raw_open(path, flags, &disk, &err);

	ck_assert_msg(!rc, "%s", err.text);
}

static void assert_all(u64 offset, size_t bytes, u8 value)
{
	u8 *buf = malloc(bytes);
	size_t i;

	memset(buf, 0x5a, bytes);
	ck_assert_int_eq(mhi_blk_read(disk, offset, buf, bytes), 0);
	for (i = 0; i < bytes; i++)
		ck_assert_uint_eq(buf[i], value);
	free(buf);
}

static void fill(u64 offset, size_t bytes, u8 value)
{
	u8 *buf = malloc(bytes);

	memset(buf, value, bytes);
	ck_assert_int_eq(mhi_blk_write(disk, offset, buf, bytes), 0);
	free(buf);
}

START_TEST(odd_size)
{
	int fd = open(path, O_WRONLY);
	u8 buf[1024];

	ck_assert_int_eq(ftruncate(fd, 1000), 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, 999), 1);
	close(fd);
	open_disk(0);
	ck_assert_uint_eq(disk->size, 1024);
	memset(buf, 0xff, sizeof(buf));
	ck_assert_int_eq(mhi_blk_read(disk, 0, buf, 1024), 0);
	ck_assert_uint_eq(buf[999], 'x');
	ck_assert_uint_eq(buf[1000], 0);
	ck_assert_uint_eq(buf[1023], 0);
	fill(512, 512, 9);
	assert_all(512, 512, 9);
	ck_assert_uint_eq(disk->size, 1024);
}
END_TEST

/* A file that somebody cuts short while it is a disk must not read as zeroes. */
START_TEST(cut_short)
{
	u8 buf[4096];

	open_disk(0);
	ck_assert_int_eq(truncate(path, 4096), 0);
	ck_assert_int_eq(mhi_blk_read(disk, 8192, buf, 4096), MH_EIO);
	ck_assert_int_eq(mhi_blk_read(disk, 0, buf, 4096), 0);
}
END_TEST

START_TEST(many_pieces)
{
	static struct iovec iov[3000];
	static u8 mem[3000 * 100 + 112];
	u32 i;

	open_disk(0);
	for (i = 0; i < 3000; i++)
		iov[i] = (struct iovec){ mem + i * 100, 100 };
	iov[2999].iov_len = 212;
	for (i = 0; i < sizeof(mem); i++)
		mem[i] = (u8)(i * 7 + i / 251);
	ck_assert_int_eq(disk->ops->write(disk, 512, iov, 3000, 0), 0);
	memset(mem, 0, sizeof(mem));
	ck_assert_int_eq(disk->ops->read(disk, 512, iov, 3000), 0);
	for (i = 0; i < sizeof(mem); i++)
		ck_assert_uint_eq(mem[i], (u8)(i * 7 + i / 251));
	fill(0, 512, 1);
	ck_assert_int_eq(disk->ops->try_read(disk, 512, iov, 3000), MHI_BLK_WAIT);
	ck_assert_int_eq(disk->ops->try_read(disk, 512, iov, 3), 0);
}
END_TEST

START_TEST(direct_of_any_alignment)
{
	u8 *mem = aligned_alloc(4096, 16384);
	int rc = mhi_raw_open(path, MHI_RAW_DIRECT, &disk, &err);

	if (rc == MH_EIO) {
		printf("no direct I/O here: %s\n", err.text);
		disk = NULL;
		free(mem);
		return;
	}
	ck_assert_msg(!rc, "%s", err.text);
	memset(mem, 3, 16384);
	ck_assert_int_eq(mhi_blk_write(disk, 4096, mem, 16384), 0);
	ck_assert_int_eq(mhi_blk_write(disk, 4096 + 512, "abcd", 4), 0);
	memset(mem, 0, 16384);
	ck_assert_int_eq(mhi_blk_read(disk, 4096, mem, 8192), 0);
	ck_assert_int_eq(memcmp(mem + 512, "abcd\3", 5), 0);
	ck_assert_int_eq(mhi_blk_read(disk, 4096 + 511, mem + 1, 7), 0);
	ck_assert_int_eq(memcmp(mem + 1, "\3abcd\3\3", 7), 0);
	free(mem);
}
END_TEST

START_TEST(zeroes_and_discard)
{
	enum mhi_blk_kind kind;
	u64 length;

	open_disk(0);
	fill(0, MB, 0x11);
	ck_assert_int_eq(disk->ops->write_zeroes(disk, 512, 1024, 0), 0);
	assert_all(0, 512, 0x11);
	assert_all(512, 1024, 0);
	assert_all(1536, 512, 0x11);
	ck_assert_int_eq(disk->ops->write_zeroes(disk, 64 * KB, 64 * KB, MHI_BLK_UNMAP), 0);
	assert_all(64 * KB, 64 * KB, 0);
	assert_all(128 * KB, 512, 0x11);
	ck_assert_int_eq(disk->ops->discard(disk, 256 * KB, 64 * KB), 0);
	ck_assert_int_eq(disk->ops->extent(disk, 0, MB, &kind, &length), 0);
	ck_assert_int_eq(kind, MHI_BLK_DATA);
	ck_assert_uint_le(length, MB);
	ck_assert_uint_eq(disk->size, MB);
}
END_TEST

START_TEST(holes_are_found)
{
	enum mhi_blk_kind kind;
	u64 length;

	open_disk(0);
	fill(512 * KB, 4096, 1);
	ck_assert_int_eq(disk->ops->extent(disk, 0, MB, &kind, &length), 0);
	if (kind == MHI_BLK_DATA) {
		printf("this file system does not tell holes\n");
		return;
	}
	ck_assert_uint_eq(length, 512 * KB);
	ck_assert_int_eq(disk->ops->extent(disk, 512 * KB, 512 * KB, &kind, &length), 0);
	ck_assert_int_eq(kind, MHI_BLK_DATA);
	ck_assert_uint_lt(length, 512 * KB);
}
END_TEST

START_TEST(stable_and_growing)
{
	struct iovec iov = { path, 512 };
	static u8 block[512];

	iov.iov_base = block;
	open_disk(0);
	ck_assert_int_eq(disk->ops->write(disk, 0, &iov, 1, MHI_BLK_FUA), 0);
	ck_assert_int_eq(disk->ops->flush(disk), 0);
	fill(MB + 1024, 512, 4);
	ck_assert_uint_eq(disk->size, MB + 1536);
	assert_all(MB, 1024, 0);
	ck_assert_int_eq(disk->ops->resize(disk, 64 * KB, &err), 0);
	ck_assert_uint_eq(disk->size, 64 * KB);
}
END_TEST

START_TEST(no_space)
{
	struct rlimit old, limit;
	u8 block[512] = { 1 };

	open_disk(0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 2 * MB;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(mhi_blk_write(disk, 4 * MB, block, 512), MH_ENOSPC);
	ck_assert_int_eq(mhi_blk_write(disk, 0, block, 512), 0);
	setrlimit(RLIMIT_FSIZE, &old);
	ck_assert_uint_eq(disk->size, MB);
}
END_TEST

/* ---- errors of which the kernel tells once ---- */

/* What happens in the next fdatasync, and in the next write's pwritev2, before it ends. */
static void (*in_sync)(void), (*in_write)(void);
static u32 sync_fails, write_fails;
static u32 flushes_begun;

static void once(void (**at)(void))
{
	void (*act)(void) = *at;

	*at = NULL;
	if (act)
		act();
}

int fdatasync(int fd)
{
	u32 fails = __atomic_exchange_n(&sync_fails, 0, __ATOMIC_SEQ_CST);

	if (fails)
		once(&in_sync);
	errno = EIO;
	return fails ? -1 : 0;
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	u32 fails = __atomic_exchange_n(&write_fails, 0, __ATOMIC_SEQ_CST);

	once(&in_write);
	errno = EIO;
	return fails ? -1 : syscall(SYS_pwritev2, fd, iov, count, at, 0, flags);
}

static int flush(void)
{
	__atomic_add_fetch(&flushes_begun, 1, __ATOMIC_SEQ_CST);
	return disk->ops->flush(disk);
}

static void fail_flush(void)
{
	sync_fails = 1;
	ck_assert_int_eq(flush(), MH_EIO);
}

static int write_flags(u32 flags)
{
	static u8 block[512];

	return disk->ops->write(disk, 4096, &(struct iovec){ block, 512 }, 1, flags);
}

static void fail_stable_write(void)
{
	write_fails = 1;
	ck_assert_int_eq(write_flags(MHI_BLK_FUA), MH_EIO);
}

static void write_one(void)
{
	ck_assert_int_eq(write_flags(0), 0);
}

static void wait_for_second(void)
{
	while (mhi_load32(&flushes_begun) < 2)
		usleep(1000);
	usleep(50000);
}

static void *flush_too(void *arg)
{
	while (mhi_load32(&sync_fails))
		usleep(1000);
	*(int *)arg = flush();
	return NULL;
}

/* Two flushes at once: the kernel told the first one only, and the second one succeeded. */
START_TEST(error_is_told_to_each_flush)
{
	pthread_t other;
	int second = 0;

	open_disk(0);
	flushes_begun = 0;
	in_sync = wait_for_second;
	sync_fails = 1;
	ck_assert_int_eq(pthread_create(&other, NULL, flush_too, &second), 0);
	ck_assert_int_eq(flush(), MH_EIO);
	pthread_join(other, NULL);
	ck_assert_int_eq(second, MH_EIO);
	ck_assert_int_eq(flush(), 0);
}
END_TEST

/* A write that was under way may have lost what it wrote: it succeeded, and so did later ones. */
START_TEST(error_is_told_to_writes)
{
	open_disk(0);
	in_write = _i & 1 ? fail_stable_write : fail_flush;
	ck_assert_int_eq(write_flags(_i & 2 ? MHI_BLK_FUA : 0), MH_EIO);
	ck_assert_int_eq(flush(), 0);
	ck_assert_int_eq(write_flags(MHI_BLK_FUA), 0);
}
END_TEST

/* The same for a write that ended while the flush went on that failed. */
START_TEST(error_is_told_to_next_flush)
{
	open_disk(0);
	if (_i) {
		write_one();
		fail_stable_write();
	} else {
		in_sync = write_one;
		fail_flush();
	}
	ck_assert_int_eq(flush(), MH_EIO);
	ck_assert_int_eq(flush(), 0);
	/* Written before, it is the failed flush's matter. */
	write_one();
	fail_flush();
	ck_assert_int_eq(flush(), 0);
}
END_TEST

START_TEST(second_writer_is_refused)
{
	struct mhi_blk *other = NULL;
	char want[64];

	open_disk(0);
	snprintf(want, sizeof(want), "this program itself");
	ck_assert_int_eq(mhi_raw_open(path, 0, &other, &err), MH_EBUSY);
	ck_assert_msg(strstr(err.text, want) && strstr(err.text, path), "%s", err.text);
	ck_assert_int_eq(mhi_raw_open(path, MHI_RAW_READ_ONLY, &other, &err), MH_EBUSY);
	ck_assert_int_eq(mhi_raw_open(path, MHI_RAW_READ_ONLY | MHI_RAW_NO_LOCK, &other, &err), 0);
	other->ops->close(other);
	/* The one that came too late has left nothing behind. */
	disk->ops->close(disk);
	open_disk(0);
}
END_TEST

START_TEST(readers_share)
{
	struct mhi_blk *other = NULL;

	open_disk(MHI_RAW_READ_ONLY);
	ck_assert_int_eq(mhi_raw_open(path, MHI_RAW_READ_ONLY, &other, &err), 0);
	other->ops->close(other);
	ck_assert_int_eq(mhi_raw_open(path, 0, &other, &err), MH_EBUSY);
}
END_TEST

START_TEST(other_process_is_named)
{
	struct mhi_blk *mine = NULL;
	int ready[2], go[2];
	char byte, want[32];
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (mhi_raw_open(path, 0, &mine, NULL) || write(ready[1], "x", 1) != 1)
			_exit(1);
		if (read(go[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(mhi_raw_open(path, 0, &mine, &err), MH_EBUSY);
	snprintf(want, sizeof(want), "process %d (", (int)pid);
	ck_assert_msg(strstr(err.text, want), "'%s' in: %s", want, err.text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	open_disk(0);
	close(ready[0]);
	close(go[0]);
	close(go[1]);
}
END_TEST

START_TEST(wrong_files)
{
	struct mhi_blk *b = NULL;

	ck_assert_int_eq(mhi_raw_open("/dev/null", 0, &b, &err), MH_EINVAL);
	ck_assert_msg(strstr(err.text, "/dev/null"), "%s", err.text);
	ck_assert_int_eq(mhi_raw_open("/nowhere/disk", 0, &b, &err), MH_ENOENT);
	ck_assert_int_eq(mhi_raw_open(path, MHI_RAW_CREATE, &b, &err), MH_EEXIST);
	ck_assert_int_eq(mhi_raw_open("/tmp", 0, &b, &err), MH_EIO);
	ck_assert_ptr_null(b);
}
END_TEST

/* Waits until somebody opens the FIFO for reading. */
static void *open_other_end(void *arg)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	mhi_store32(arg, 1);
	close(fd);
	return NULL;
}

/* What is no disk was opened before it was refused, which starts a watchdog, for one. */
START_TEST(others_are_not_opened)
{
	struct mhi_blk *b = NULL;
	pthread_t other;
	u32 opened = 0;
	int fd;

	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(pthread_create(&other, NULL, open_other_end, &opened), 0);
	usleep(50000);
	ck_assert_int_eq(mhi_raw_open(path, MHI_RAW_READ_ONLY, &b, &err), MH_EINVAL);
	ck_assert_msg(strstr(err.text, path), "%s", err.text);
	ck_assert_ptr_null(b);
	usleep(50000);
	ck_assert_uint_eq(mhi_load32(&opened), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	pthread_join(other, NULL);
	close(fd);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, odd_size);
	tcase_add_test(tcase, cut_short);
	tcase_add_test(tcase, many_pieces);
	tcase_add_test(tcase, direct_of_any_alignment);
	tcase_add_test(tcase, zeroes_and_discard);
	tcase_add_test(tcase, holes_are_found);
	tcase_add_test(tcase, stable_and_growing);
	tcase_add_test(tcase, no_space);
	tcase_add_test(tcase, error_is_told_to_each_flush);
	tcase_add_loop_test(tcase, error_is_told_to_writes, 0, 4);
	tcase_add_loop_test(tcase, error_is_told_to_next_flush, 0, 2);
	tcase_add_test(tcase, second_writer_is_refused);
	tcase_add_test(tcase, readers_share);
	tcase_add_test(tcase, other_process_is_named);
	tcase_add_test(tcase, wrong_files);
	tcase_add_test(tcase, others_are_not_opened);
}

UNIT_MAIN("be_raw", add_tests)

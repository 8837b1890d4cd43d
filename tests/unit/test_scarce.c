// SPDX-License-Identifier: MIT
/*
 * What a VM is made of runs out: file descriptors, memory, threads, at every moment of the life of
 * a VM with all devices. Either the VM works or there is an error that says why and what to do, and
 * nothing is left behind. Over a fake of the engine.
 */
#include "fake_engine.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define LIMIT_MAX 256
#define CALLS_MAX 4000
#define SETTLE_TRIES 1000
/* What libuv opens once in a process, and keeps. */
#define KEPT_MAX 4

static const char document[] =
	"{\"schema\":\"macrohard.vm/1\",\"name\":\"web\",\"memory\":\"16M\",\"cpus\":2,"
	"\"boot\":{\"firmware\":\"bios\"},\"gdb\":{\"address\":\"unix:gdb\"},\"devices\":{"
	"\"disks\":[{\"path\":\"raw\",\"format\":\"raw\"},{\"path\":\"image\"}],"
	"\"nets\":[{\"kind\":\"user\",\"pcap\":\"frames\"}],"
	"\"shares\":[{\"path\":\".\",\"tag\":\"here\"}],\"rng\":{},"
	"\"vsock\":{\"cid\":3,\"path\":\"vsock\"},\"balloon\":{},"
	"\"input\":{\"keyboard\":true,\"tablet\":true},\"agent\":{\"transport\":\"virtio\"},"
	"\"watchdog\":{\"action\":\"reset\"},\"display\":{\"kind\":\"virtio\"}}}";

/* ---- calls that fail; the library's own, as it is linked with --wrap ---- */

static unsigned int kept;   /* descriptors that may be left */
static unsigned int calls;  /* atomic: since the life began */
static unsigned int broken; /* which one fails; 0: none */
static bool ever_after;	    /* and all that follow */
static unsigned int wrong;  /* errors that are no good */
static bool sync_fails;

static bool fails(void)
{
	unsigned int n = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);

	return broken && (ever_after ? n >= broken : n == broken);
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *opaque);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *opaque);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

void *__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
	return fails() ? NULL : __real_realloc(old, bytes);
}

int __wrap_fdatasync(int fd)
{
	errno = EIO;
	return sync_fails ? -1 : __real_fdatasync(fd);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *opaque)
{
	return fails() ? EAGAIN : __real_pthread_create(thread, attr, fn, opaque);
}

/* ---- a life ---- */

static unsigned int entries(const char *path)
{
	unsigned int count = 0;
	DIR *dir = opendir(path);

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

struct life {
	struct mh_ctx *ctx;
	struct mh_config *config;
	struct mh_vm *vm;
};

static int begin(struct life *l, const char **where)
{
	struct mh_config_parts parts = MH_CONFIG_PARTS_INIT;
	int rc = mh_ctx_create(NULL, &l->ctx);

	*where = "context";
	if (rc)
		return rc;
	*where = "parse";
	rc = mh_config_parse(l->ctx, document, strlen(document), "test", NULL, &l->config);
	if (rc)
		return rc;
	*where = "create";
	rc = mh_config_create(l->ctx, l->config, &parts, &l->vm);
	if (rc)
		return rc;
	*where = "events";
	rc = mh_vm_events_fd(l->vm);
	if (rc < 0)
		return rc;
	*where = "start";
	return mh_vm_start(l->vm);
}

static int run(struct life *l, const char **where)
{
	int rc;

	*where = "pause";
	rc = mh_vm_pause(l->vm);
	if (rc)
		return rc;
	*where = "resume";
	rc = mh_vm_resume(l->vm);
	if (rc)
		return rc;
	*where = "reset";
	rc = mh_vm_reset(l->vm);
	if (rc)
		return rc;
	*where = "stop";
	return mh_vm_stop(l->vm);
}

/* Cause and cure: "WHAT: CAUSE; CURE". All that are wrong are told. */
static void judge(const struct life *l, int rc, const char *where, unsigned int at)
{
	const char *text = mh_last_error(l->ctx);

	if ((rc == MH_ENOMEM || rc == MH_EIO) &&
	    (!l->ctx || (strstr(text, ": ") && strstr(text, "; "))))
		return;
	wrong++;
	printf("%s, %u: %s: %s\n", where, at, mh_err_name(rc), text);
}

/* Threads that ended may be listed for a moment. */
static void nothing_left(unsigned int descriptors, unsigned int threads, unsigned int at)
{
	for (int n = 0; n < SETTLE_TRIES && entries("/proc/self/task") > threads; n++)
		usleep(1000);
	ck_assert_msg(entries("/proc/self/task") <= threads, "%u: a thread is left", at);
	ck_assert_msg(entries("/proc/self/fd") <= descriptors, "%u: %u descriptors, not %u", at,
		      entries("/proc/self/fd"), descriptors);
	ck_assert_msg(!fake_engine.vms && !fake_engine.vcpus, "%u: the engine has a VM", at);
}

static void limit_descriptors(unsigned int to)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = to ? to : limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* True when nothing was lacking. limit: of descriptors, 0: none. at: of what is lacking. */
static bool live(unsigned int limit, unsigned int at)
{
	unsigned int descriptors = entries("/proc/self/fd") + kept,
		     threads = entries("/proc/self/task");
	struct life l = { NULL, NULL, NULL };
	const char *where;
	int rc;

	limit_descriptors(limit);
	calls = 0;
	broken = limit ? 0 : at;
	rc = begin(&l, &where);
	if (!rc)
		rc = run(&l, &where);
	broken = 0;
	limit_descriptors(0);
	if (rc)
		judge(&l, rc, where, at);
	mh_vm_destroy(l.vm);
	mh_config_free(l.config);
	ck_assert_int_eq(mh_ctx_destroy(l.ctx), 0);
	nothing_left(descriptors, threads, at);
	return !rc;
}

static unsigned int descriptors_needed(void)
{
	unsigned int limit = 3;

	while (limit < LIMIT_MAX && !live(limit, limit))
		limit++;
	return limit;
}

START_TEST(descriptors)
{
	unsigned int limit;

	kept = KEPT_MAX;
	descriptors_needed();
	kept = 0;
	limit = descriptors_needed();
	printf("a VM with all devices needs %u descriptors\n", limit);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_gt(limit, 20);
	ck_assert_uint_lt(limit, LIMIT_MAX);
}
END_TEST

static void sweep(bool all)
{
	unsigned int n, most;

	ever_after = all;
	kept = KEPT_MAX; /* the first life of this process, where each test has its own */
	ck_assert(live(0, 0));
	kept = 0;
	most = calls;
	for (n = 1; n <= most && n < CALLS_MAX; n++)
		live(0, n);
	printf("%u allocations and threads\n", n);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_gt(n, 100);
	ck_assert(live(0, 0));
}

START_TEST(memory_once)
{
	sweep(false);
}
END_TEST

START_TEST(memory_from_then_on)
{
	sweep(true);
}
END_TEST

static void *reset(void *opaque)
{
	struct life *l = opaque;
	int rc;

	calls = 0;
	ever_after = true;
	broken = 1;
	rc = mh_vm_reset(l->vm);
	broken = 0;
	return (void *)(intptr_t)rc;
}

/* A thread that never had an error has no place for one: the VM's stop was to have its text. */
START_TEST(reset_by_a_fresh_thread)
{
	struct life l = { NULL, NULL, NULL };
	const char *where;
	pthread_t thread;
	void *rc;

	broken = 0;
	ck_assert_int_eq(begin(&l, &where), 0);
	ck_assert_int_eq(__real_pthread_create(&thread, NULL, reset, &l), 0);
	pthread_join(thread, &rc);
	ck_assert_int_eq((int)(intptr_t)rc, MH_ENOMEM);
	ck_assert_int_eq(mh_vm_state(l.vm), MH_VM_STOPPED);
	ck_assert_int_eq(mh_vm_stop_reason(l.vm), MH_STOP_ERROR);
	ck_assert_ptr_nonnull(strstr(mh_vm_stop_text(l.vm), "out of memory"));
	mh_vm_destroy(l.vm);
	mh_config_free(l.config);
	ck_assert_int_eq(mh_ctx_destroy(l.ctx), 0);
}
END_TEST

/* None is left for who connects: a debugger is turned away, and can come later. */
START_TEST(descriptor_for_a_debugger)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "gdb" };
	int fd[LIMIT_MAX], count = 0, peer[2];
	struct life l = { NULL, NULL, NULL };
	struct pollfd p = { .events = POLLIN };
	const char *where;
	char byte;

	ck_assert_int_eq(begin(&l, &where), 0);
	for (int n = 0; n < 2; n++)
		peer[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit_descriptors(entries("/proc/self/fd") + 16);
	while (count < LIMIT_MAX && (fd[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	ck_assert_int_eq(connect(peer[0], (struct sockaddr *)&address, sizeof(address)), 0);
	p.fd = peer[0];
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_int_eq(read(peer[0], &byte, 1), 0);
	while (count--)
		close(fd[count]);
	limit_descriptors(0);
	ck_assert_int_eq(connect(peer[1], (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(write(peer[1], "$?#3f", 5), 5);
	p.fd = peer[1];
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_int_eq(read(peer[1], &byte, 1), 1);
	close(peer[0]);
	close(peer[1]);
	mh_vm_destroy(l.vm);
	mh_config_free(l.config);
	mh_ctx_destroy(l.ctx);
}
END_TEST

static void make_file(const char *name, off_t bytes)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert(fd >= 0 && !ftruncate(fd, bytes));
	close(fd);
}

static void make_image(void)
{
	struct mh_disk_create_config config = MH_DISK_CREATE_CONFIG_INIT;
	struct mh_ctx *ctx;

	config.bytes = 1 << 20;
	ck_assert_int_eq(mh_ctx_create(NULL, &ctx), 0);
	ck_assert_int_eq(mh_disk_create(ctx, "image", &config), 0);
	mh_ctx_destroy(ctx);
}

/* What does not reach the disk is said so; there was no sentence, or that of an earlier error. */
START_TEST(disk_that_fails)
{
	struct mh_disk_create_config config = MH_DISK_CREATE_CONFIG_INIT;
	struct mh_ctx *ctx;

	config.bytes = 1 << 20;
	config.format = "raw";
	ck_assert_int_eq(mh_ctx_create(NULL, &ctx), 0);
	sync_fails = true;
	ck_assert_int_eq(mh_disk_create(ctx, "new", &config), MH_EIO);
	ck_assert_ptr_nonnull(strstr(mh_last_error(ctx), "create 'new': writing failed"));
	ck_assert_int_ne(access("new", F_OK), 0);
	ck_assert_int_eq(mh_disk_resize(ctx, "raw", "raw", 2 << 20), MH_EIO);
	ck_assert_ptr_nonnull(strstr(mh_last_error(ctx), "resize 'raw': writing failed"));
	sync_fails = false;
	ck_assert_int_eq(mh_disk_resize(ctx, "raw", "raw", 2 << 20), 0);
	mh_ctx_destroy(ctx);
}
END_TEST

static void make_files(void)
{
	make_file("bios", 65536);
	make_file("raw", 1 << 20);
	make_image();
}

int main(void)
{
	static const char *const files[] = { "bios", "raw", "image", "frames", "vsock", "gdb" };
	char folder[] = "/tmp/test-scarce-XXXXXX";
	Suite *suite = suite_create("scarce");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	tcase_set_timeout(tcase, 300);
	tcase_add_unchecked_fixture(tcase, make_files, NULL);
	tcase_add_test(tcase, descriptors);
	tcase_add_test(tcase, descriptor_for_a_debugger);
	tcase_add_test(tcase, reset_by_a_fresh_thread);
	tcase_add_test(tcase, disk_that_fails);
	tcase_add_test(tcase, memory_once);
	tcase_add_test(tcase, memory_from_then_on);
	suite_add_tcase(suite, tcase);
	if (!mkdtemp(folder) || chdir(folder))
		return EXIT_FAILURE;
	fake_engine_reset();
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	for (size_t n = 0; n < sizeof(files) / sizeof(files[0]); n++)
		unlink(files[n]);
	rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * The sandbox by the public interface: what threads of each kind can do afterwards, tried by system
 * calls. Each case is a process of its own, as there is no way back.
 */
#include "api_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/dev.h"
#include "core/sandbox.h"
#include "macrohard/sandbox.h"

#define PORT 0x80

/* What was let pass: bits of a try. */
enum {
	READS = 1,    /* /etc/passwd */
	MAKES = 2,    /* a file in /tmp */
	SHARES = 4,   /* a file in the shared folder, by openat2 */
	CONNECTS = 8, /* a socket of IP */
	UNIX = 16,    /* a UNIX socket */
	CODES = 32,   /* memory that can be executed */
	FORKS = 64,   /* a process */
};

static char folder[] = "/tmp/mh-sandbox-XXXXXX";

static bool opens(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}

static bool forks(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid)
		syscall(SYS_exit_group, 0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid > 0;
}

static bool shares(void)
{
	static const struct {
		u64 flags, mode, resolve;
	} how = { O_RDONLY | O_CLOEXEC, 0, 0 };
	char path[64];

	snprintf(path, sizeof(path), "%s/file", folder);
	return opens(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

static int try_all(void)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int done = code != MAP_FAILED ? CODES : 0;
	char path[64];

	snprintf(path, sizeof(path), "%s/new-%ld", folder, syscall(SYS_gettid));
	done |= opens(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)) ? READS : 0;
	done |= opens(syscall(SYS_open, path, O_WRONLY | O_CREAT, 0600)) ? MAKES : 0;
	done |= shares() ? SHARES : 0;
	done |= opens(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) ? CONNECTS : 0;
	done |= opens(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) ? UNIX : 0;
	done |= forks() ? FORKS : 0;
	return done;
}

/* ---- where ---- */

enum where { CALLER, LOOP, WORKER, SHARER, VCPU };

static void attempt(void *opaque)
{
	*(int *)opaque = try_all();
}

static void run_program(void *opaque)
{
	static char *argv[] = { "true", NULL };

	syscall(SYS_execve, "/bin/true", argv, argv);
	_exit(99);
}

static void (*guest_does)(void *opaque);
static int guest_did = -1;

static void on_out(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	if (guest_did < 0)
		guest_does(&guest_did);
	mh_vm_stop(opaque);
}

static int outs(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	return fake_exit_out(page, PORT, 1, 0);
}

static struct mh_vm *vm;
static struct mh_dev *share;

static int at(enum where where, void (*what)(void *opaque))
{
	static const struct mh_io_ops ops = { 1, NULL, on_out };
	int done = 0;

	switch (where) {
	case CALLER:
		what(&done);
		break;
	case LOOP:
		mhi_loop_call(ctx->loop, what, &done);
		break;
	case WORKER:
		mhi_workers_each(ctx->workers, what, &done);
		break;
	case SHARER:
		mhi_workers_each(share->vdev->workers, what, &done);
		break;
	case VCPU:
		guest_does = what;
		fake_engine.script = outs;
		if (mh_vm_pio_add(vm, PORT, 1, &ops, vm) || mh_vm_start(vm) || mh_vm_wait(vm, -1))
			_exit(98);
		return guest_did;
	}
	return done;
}

/* ---- cases ---- */

struct scenario {
	enum where where;
	u32 level, allow, net; /* net: mh_net_config.flags */
	bool no_net, no_share;
	void (*what)(void *opaque);
};

static void attach(const struct scenario *s)
{
	struct mh_share_config sc = MH_SHARE_CONFIG_INIT;
	struct mh_net_config nc = MH_NET_CONFIG_INIT;
	struct mhi_workers *workers;

	sc.path = folder;
	sc.tag = "tag";
	nc.flags = s->net;
	if ((!s->no_share && mh_share_attach(vm, &sc, &share)) ||
	    (!s->no_net && mh_net_attach(vm, &nc, NULL)) || mh_rng_attach(vm, NULL, NULL) ||
	    mhi_ctx_workers(ctx, &workers, NULL))
		_exit(97);
}

/* In the child; what was done is its status. */
static void play(const struct scenario *s)
{
	struct mh_sandbox_config config = MH_SANDBOX_CONFIG_INIT;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	attach(s);
	config.level = s->level;
	config.allow = s->allow;
	if (mh_sandbox_enter(ctx, &config)) {
		fprintf(stderr, "%s\n", mh_last_error(ctx));
		_exit(96);
	}
	_exit(at(s->where, s->what ? s->what : attempt));
}

static int status_of(const struct scenario *s)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		play(s);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static int done_by(const struct scenario *s)
{
	int status = status_of(s);

	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Kernels before 5.13, and those that were booted without it, have no Landlock. */
static bool landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static const u32 process = MH_SANDBOX_PROCESS, devices = MH_SANDBOX_DEVICES;

START_TEST(nobody_opens)
{
	static const enum where all[] = { LOOP, WORKER, VCPU };

	for (size_t n = 0; n < MHI_COUNT(all); n++) {
		struct scenario s = {
			.where = all[n], .level = process, .no_net = true, .no_share = true
		};

		ck_assert_int_eq(done_by(&s), 0);
		s.no_share = false;
		ck_assert_int_eq(done_by(&s), 0);
		s.level = devices;
		ck_assert_int_eq(done_by(&s) & ~FORKS, 0);
	}
}
END_TEST

/* What sanitizers do at the end of the main thread they may. */
START_TEST(nor_does_the_caller)
{
	struct scenario s = { .where = CALLER, .level = process };

	if (!mhi_box_extra_trace())
		ck_assert_int_eq(done_by(&s), 0);
	s.level = devices;
	ck_assert_int_eq(done_by(&s), READS | MAKES | SHARES | CONNECTS | UNIX | CODES | FORKS);
}
END_TEST

START_TEST(exceptions)
{
	struct scenario s = { .where = CALLER, .level = process };
	const int forked = mhi_box_extra_trace() ? FORKS : 0;

	s.allow = MH_SANDBOX_ALLOW_OPEN;
	ck_assert_int_eq(done_by(&s), READS | MAKES | SHARES | forked);
	s.allow |= MH_SANDBOX_ALLOW_CONNECT;
	ck_assert_int_eq(done_by(&s), READS | MAKES | SHARES | CONNECTS | UNIX | forked);
	s.allow |= MH_SANDBOX_ALLOW_CODE;
	ck_assert_int_eq(done_by(&s), READS | MAKES | SHARES | CONNECTS | UNIX | CODES | forked);
	/* They are the caller's alone. */
	s.where = LOOP;
	s.no_net = true;
	ck_assert_int_eq(done_by(&s), 0);
}
END_TEST

/* Below its folder only, where there is Landlock. */
START_TEST(sharers)
{
	struct scenario s = { .where = SHARER, .level = process };

	ck_assert_int_eq(done_by(&s), landlock() ? SHARES : SHARES | READS);
}
END_TEST

START_TEST(user_network)
{
	struct scenario s = { .where = LOOP, .level = process };

	ck_assert_int_eq(done_by(&s), landlock() ? CONNECTS : CONNECTS | READS);
	s.net = MH_NET_RESTRICT;
	ck_assert_int_eq(done_by(&s), 0);
}
END_TEST

static void take_kick(void *opaque)
{
	static const struct timespec now = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMAX - 2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_kill(pthread_self(), SIGRTMAX - 2);
	*(int *)opaque = sigtimedwait(&set, NULL, &now);
}

/* With KVM a vCPU takes back the signal that called it out; else its guest runs no more. */
START_TEST(kicks)
{
	const struct scenario s = { .where = VCPU, .level = process, .what = take_kick };

	ck_assert_int_eq(done_by(&s), SIGRTMAX - 2);
}
END_TEST

/* That is the end of the process: nothing of ours ever does it. */
START_TEST(programs)
{
	static const enum where all[] = { CALLER, LOOP, WORKER, SHARER, VCPU };

	for (size_t n = 0; n < MHI_COUNT(all); n++) {
		struct scenario s = { .where = all[n], .level = process, .what = run_program };
		int status = status_of(&s);

		ck_assert(WIFSIGNALED(status));
		ck_assert_int_eq(WTERMSIG(status), SIGSYS);
	}
}
END_TEST

START_TEST(refused)
{
	struct mh_sandbox_config c = MH_SANDBOX_CONFIG_INIT;
	struct mh_sandbox_info info = MH_SANDBOX_INFO_INIT;

	api_set_up();
	ck_assert_int_eq(mh_sandbox_enter(NULL, &c), MH_EINVAL);
	ck_assert_int_eq(mh_sandbox_enter(ctx, NULL), MH_EINVAL);
	ck_error_has("config is NULL");
	c.size--;
	ck_assert_int_eq(mh_sandbox_enter(ctx, &c), MH_EINVAL);
	ck_error_has("config.size");
	c.size++;
	c.level = MH_SANDBOX_NONE;
	ck_assert_int_eq(mh_sandbox_enter(ctx, &c), MH_EINVAL);
	ck_error_has("config.level");
	c.level = MH_SANDBOX_DEVICES;
	c.allow = MH_SANDBOX_ALLOW_OPEN;
	ck_assert_int_eq(mh_sandbox_enter(ctx, &c), MH_EINVAL);
	ck_error_has("config.allow");
	c.allow = 0;
	c.required = 1u << 31;
	ck_assert_int_eq(mh_sandbox_enter(ctx, &c), MH_EINVAL);
	ck_error_has("config.required");
	vm = api_vm(1, MH_VM_BARE, 0);
	ck_assert_int_eq(mh_sandbox_thread(NULL), MH_EINVAL);
	ck_assert_int_eq(mh_sandbox_thread(vm), MH_ESTATE);
	ck_error_has("mh_sandbox_enter");
	ck_assert_int_eq(mh_vm_start(vm), 0);
	c.required = 0;
	ck_assert_int_eq(mh_sandbox_enter(ctx, &c), MH_ESTATE);
	ck_error_has("mh_vm_start");
	mh_vm_destroy(vm);
	ck_assert_int_eq(mh_sandbox_info(ctx, &info), 0);
	ck_assert_uint_eq(info.level, MH_SANDBOX_NONE);
	ck_assert_uint_eq(info.active, 0);
	info.size--;
	ck_assert_int_eq(mh_sandbox_info(ctx, &info), MH_EINVAL);
	if (!landlock()) {
		c.required = MH_SANDBOX_LANDLOCK;
		ck_assert_int_eq(mh_sandbox_enter(ctx, &c), MH_ENOTSUP);
		ck_error_has("lsm=");
	}
	api_tear_down();
}
END_TEST

/* What is in force is told; the guest runs, stops and starts again. */
static void live(void)
{
	struct mh_sandbox_config c = MH_SANDBOX_CONFIG_INIT;
	struct mh_sandbox_info info = MH_SANDBOX_INFO_INIT;
	const struct scenario all = { .no_net = false };
	const bool has_landlock = landlock();

	api_set_up();
	vm = api_vm(2, 0, 1 << 20);
	attach(&all);
	ck_assert_int_eq(mh_sandbox_enter(ctx, &c), 0);
	ck_assert_int_eq(mh_sandbox_enter(ctx, &c), MH_ESTATE);
	ck_error_has("already");
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_reset(vm), 0);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_sandbox_thread(vm), 0);
	ck_assert_int_eq(mh_sandbox_info(ctx, &info), 0);
	ck_assert_uint_eq(info.level, MH_SANDBOX_PROCESS);
	ck_assert_uint_eq(info.active | info.missing, 7);
	ck_assert_uint_eq(info.missing, has_landlock ? 0 : MH_SANDBOX_LANDLOCK);
	ck_assert(has_landlock == !*info.reason);
	ck_assert_uint_eq(info.reach, MH_SANDBOX_REACH_SHARES | MH_SANDBOX_REACH_INET);
	mh_vm_destroy(vm);
	api_tear_down();
	_exit(0);
}

START_TEST(lives)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		live();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static void set_up(void)
{
	char path[64];
	int fd;

	snprintf(folder, sizeof(folder), "/tmp/mh-sandbox-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void tear_down(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, refused);
	if (!mhi_box_can_filter()) {
		fprintf(stderr, "SKIP: the library is built without libseccomp\n");
		return;
	}
	tcase_add_test(tcase, nobody_opens);
	tcase_add_test(tcase, nor_does_the_caller);
	tcase_add_test(tcase, exceptions);
	tcase_add_test(tcase, sharers);
	tcase_add_test(tcase, user_network);
	tcase_add_test(tcase, kicks);
	tcase_add_test(tcase, programs);
	tcase_add_test(tcase, lives);
}

UNIT_MAIN("sandbox", add_tests)

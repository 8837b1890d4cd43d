// SPDX-License-Identifier: MIT
/*
 * The CLI and a VM's process under faults that need no guest, over a fake library: the control
 * socket flooded, no descriptors left, killed at any moment, hundreds of VMs.
 */
#include "cli_run.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME "vm"
#define STATE 4
#define FLOOD 300
#define STREAMS 12
#define KILLS 40
#define MANY 500
#define AT_ONCE 40
#define LEAK_KIB 65536
#define CONSOLE "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"console\"}\n"

static const char *cli(int *status, char *const *args)
{
	static struct run r;

	*status = run_plain(&r, args);
	return r.text;
}

static void expect_said(int status, const char *text, char *const *args)
{
	int got;
	const char *said = cli(&got, args);

	ck_assert_msg(got == status && strstr(said, text), "%s: status %d: %s", args[1], got, said);
}

static void set_up(void)
{
	expect_said(0, "", ARGS("create", "--name", NAME, "--kernel", "k"));
	expect_said(0, "", ARGS("start", NAME));
}

static void tear_down(void)
{
	expect_said(0, NAME "    running", ARGS("list"));
	expect_said(0, "", ARGS("pause", NAME));
	expect_said(0, "", ARGS("resume", NAME));
	expect_said(0, "", ARGS("stop", "--force", NAME));
	expect_said(0, "", ARGS("destroy", NAME));
}

static void nap_ms(long ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* ---- the VM's process, from outside ---- */

static pid_t vm_pid(void)
{
	int status;
	const char *at = strstr(cli(&status, ARGS("list", "--json")), "\"pid\":");

	ck_assert_ptr_nonnull(at);
	return (pid_t)strtol(at + strlen("\"pid\":"), NULL, 10);
}

static long vm_kib(const char *key)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)vm_pid());
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			kib = strtol(line + strlen(key) + 1, NULL, 10);
	fclose(f);
	return kib;
}

/* How many it has open, and the highest. */
static unsigned int vm_descriptors(pid_t pid, long *highest)
{
	unsigned int count = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	*highest = 0;
	for (const struct dirent *e; (e = readdir(dir));) {
		long fd = strtol(e->d_name, NULL, 10);

		count += e->d_name[0] != '.';
		*highest = fd > *highest ? fd : *highest;
	}
	closedir(dir);
	return count;
}

static long vm_ticks(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user, system;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_int_eq(sscanf(strrchr(text, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
				"%*u %lu %lu",
				&user, &system),
			 2);
	return (long)(user + system);
}

/* -1 with errno; flags: of the socket. */
static int try_join(int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/macrohard/vms/" NAME "/control",
		 getenv("XDG_STATE_HOME"));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

static int join(void)
{
	int fd = try_join(0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* It may be sent away meanwhile. */
static void say(int fd, const void *data, size_t bytes)
{
	ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	ck_assert(n >= 0 || errno == EPIPE || errno == ECONNRESET || errno == EAGAIN);
}

/* What comes next, up to the end of a line or the end. */
static void hear(int fd, char *text, size_t bytes)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	do {
		ssize_t got;

		ck_assert_int_eq(poll(&p, 1, 20000), 1);
		got = read(fd, text + n, bytes - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	} while (text[n - 1] != '\n');
	text[n] = '\0';
}

/* ---- the control socket flooded ---- */

/* Who says nothing, or begins a request and never ends it, keeps nobody out. */
START_TEST(silent_connections)
{
	int fd[FLOOD];

	set_up();
	for (int n = 0; n < FLOOD; n++) {
		fd[n] = join();
		if (n % 2)
			say(fd[n], "{\"jsonrpc\":\"2.0\",\"id\":", 21);
		if (n % 50 == 49)
			expect_said(0, "12345", ARGS("stats", NAME));
	}
	expect_said(0, NAME "    running", ARGS("list"));
	expect_said(0, "", ARGS("pause", NAME));
	expect_said(0, "", ARGS("resume", NAME));
	for (int n = 0; n < FLOOD; n++)
		close(fd[n]);
	tear_down();
}
END_TEST

/* Those who stay leave places for those who only ask. */
START_TEST(too_many_streams)
{
	static const char events[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\"}\n";
	static const char console[] = CONSOLE;
	int fd[2 * STREAMS];
	char text[4096];

	set_up();
	for (int n = 0; n < 2 * STREAMS; n++) {
		const char *request = n % 2 ? console : events;

		fd[n] = join();
		say(fd[n], request, strlen(request));
		hear(fd[n], text, sizeof(text));
		ck_assert_msg(strstr(text, n < STREAMS ? "\"result\":{}" : "end one of them"),
			      "%d: %s", n, text);
	}
	expect_said(1, "12 connections look at the console", ARGS("console", NAME));
	expect_said(0, "12345", ARGS("stats", NAME));
	close(fd[0]);
	/* Until it is known that he has gone. */
	do {
		fd[0] = join();
		say(fd[0], events, strlen(events));
		hear(fd[0], text, sizeof(text));
		close(fd[0]);
	} while (strstr(text, "MH_EBUSY"));
	ck_assert_msg(strstr(text, "\"result\":{}") != NULL, "%s", text);
	for (int n = 1; n < 2 * STREAMS; n++)
		close(fd[n]);
	tear_down();
}
END_TEST

/* Requests one behind the other, and nobody reads the answers. */
START_TEST(slow_readers)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stats\"}\n";
	char *many = malloc(sizeof(ask) * 4096);
	size_t bytes = 0;
	long before;
	int fd[STREAMS];

	set_up();
	before = vm_kib("VmHWM");
	for (int n = 0; n < 4096; n++, bytes += sizeof(ask) - 1)
		memcpy(many + bytes, ask, sizeof(ask));
	for (int n = 0; n < STREAMS; n++)
		fd[n] = join();
	for (int round = 0; round < 20; round++)
		for (int n = 0; n < STREAMS; n++)
			say(fd[n], many, bytes);
	expect_said(0, "12345", ARGS("stats", NAME));
	ck_assert_int_lt(vm_kib("VmHWM"), before + LEAK_KIB);
	for (int n = 0; n < STREAMS; n++)
		close(fd[n]);
	free(many);
	tear_down();
}
END_TEST

/* Bytes of all kinds, documents without bottom, lines without end; they come and go. */
START_TEST(garbage)
{
	enum { BYTES = 8192 };
	unsigned char data[BYTES];
	unsigned int descriptors;
	long before, highest;
	pid_t pid;

	set_up();
	pid = vm_pid();
	before = vm_kib("VmHWM");
	descriptors = vm_descriptors(pid, &highest);
	srand(1);
	for (int n = 0; n < FLOOD; n++) {
		int fd = join();

		memset(data, n % 4 == 0 ? '[' : '\n', BYTES);
		for (int i = 0; i < BYTES && n % 4 >= 2; i++)
			data[i] =
				(unsigned char)(n % 4 == 2 ? rand() : "{}[]\":,0x\n"[rand() % 10]);
		say(fd, data, BYTES);
		if (n % 3)
			say(fd, "\n", 1);
		close(fd);
	}
	expect_said(0, "12345", ARGS("stats", NAME));
	for (int n = 0; n < 500 && vm_descriptors(pid, &highest) > descriptors; n++)
		nap_ms(10);
	ck_assert_uint_le(vm_descriptors(pid, &highest), descriptors);
	ck_assert_int_lt(vm_kib("VmHWM"), before + LEAK_KIB);
	tear_down();
}
END_TEST

/* What is typed reaches the guest, though who typed it has closed the console meanwhile. */
START_TEST(typed_and_gone)
{
	static const char console[] = CONSOLE;
	char typed[6000], want[6000], answer[4096];
	struct run r;

	set_up();
	start_pipes(&r, ARGS("logs", "-f", NAME));
	for (int n = 0; n < 2; n++) {
		int fd = join(), bytes;

		/* Answered while it is typed: that nobody hears it is no reason to stop. */
		bytes = snprintf(typed, sizeof(typed), "%sfirst%d\n%05000d\n", n ? console : "", n,
				 n);
		snprintf(want, sizeof(want), "got first%d\r\ngot %05000d\r\n", n, n);
		if (!n) {
			say(fd, console, sizeof(console) - 1);
			hear(fd, answer, sizeof(answer));
		}
		say(fd, typed, (size_t)bytes);
		close(fd);
		expect(&r, want);
	}
	kill(r.pid, SIGTERM);
	ck_assert_int_eq(waitpid(r.pid, NULL, 0), r.pid);
	close(r.in);
	close(r.out);
	tear_down();
}
END_TEST

/* Who types for a guest that does not listen, and goes, keeps nobody out. */
START_TEST(typed_for_nobody)
{
	static const char console[] = CONSOLE;
	char typed[600], text[4096];
	long ticks;
	pid_t pid;

	set_up();
	pid = vm_pid();
	expect_said(0, "", ARGS("pause", NAME));
	memset(typed, 'x', sizeof(typed));
	for (int n = 0; n < 3 * STREAMS; n++) {
		int fd = join();

		say(fd, console, sizeof(console) - 1);
		hear(fd, text, sizeof(text));
		ck_assert_msg(strstr(text, "\"result\":{}") != NULL, "%d: %s", n, text);
		say(fd, typed, sizeof(typed));
		close(fd);
	}
	ticks = vm_ticks(pid);
	nap_ms(1000);
	ck_assert_int_lt(vm_ticks(pid) - ticks, sysconf(_SC_CLK_TCK) / 2);
	expect_said(0, "", ARGS("resume", NAME));
	tear_down();
}
END_TEST

/* One that is stopped, with so many waiting that no more may, does not hold up the list. */
START_TEST(list_of_a_stopped_process)
{
	int fd[FLOOD], count = 0;
	pid_t pid;

	set_up();
	pid = vm_pid();
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	do
		fd[count] = try_join(SOCK_NONBLOCK);
	while (fd[count] >= 0 && ++count < FLOOD);
	ck_assert_int_eq(errno, EAGAIN);
	expect_said(0, NAME "    no answer", ARGS("list"));
	while (count--)
		close(fd[count]);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	tear_down();
}
END_TEST

/* ---- what cannot be written ---- */

/* A folder where a file is to be, so that it cannot be written. */
static void block(const char *file, bool on)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/macrohard/vms/" NAME "/%s", getenv("XDG_STATE_HOME"),
		 file);
	ck_assert_int_eq(on ? mkdir(path, 0700) : rmdir(path), 0);
}

/* The steward had nobody to tell it to. */
START_TEST(state_that_cannot_be_written)
{
	static char *const more[] = { "--verbose", "--no-sandbox" };

	expect_said(0, "", ARGS("create", "--name", NAME, "--kernel", "k"));
	for (int n = 0; n < 2; n++) {
		expect_said(0, "", ARGS("start", more[n], NAME));
		block(".state.new", true);
		expect_said(0, "", ARGS("stop", NAME));
		expect_said(0, "its state cannot be written: Is a directory",
			    ARGS("logs", "--vm", NAME));
		block(".state.new", false);
		unlink("state/macrohard/vms/" NAME "/vm.log");
	}
	expect_said(0, "", ARGS("destroy", NAME));
}
END_TEST

START_TEST(files_that_cannot_be_made)
{
	expect_said(0, "", ARGS("create", "--name", NAME, "--kernel", "k", "--display", "640x480"));
	block("control", true);
	expect_said(1, "cannot make the control socket: Address already in use",
		    ARGS("start", NAME));
	block("control", false);
	expect_said(0, "", ARGS("start", NAME));
	block(".screenshot.png.new", true);
	expect_said(1, "screenshot: cannot write a file into the VM's folder: File exists",
		    ARGS("screenshot", NAME, "-"));
	block(".screenshot.png.new", false);
	block("screenshot.png", true);
	expect_said(1, "screenshot: cannot write a file into the VM's folder: Is a directory",
		    ARGS("screenshot", NAME, "-"));
	block("screenshot.png", false);
	tear_down();
}
END_TEST

/* ---- descriptors ---- */

static void limit_descriptors(pid_t pid, rlim_t to)
{
	struct rlimit limit;

	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
	limit.rlim_cur = to ? to : limit.rlim_max;
	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* The process has none for a connection: who comes is told, and the process does not spin. */
START_TEST(no_descriptor_for_a_client)
{
	char text[512] = "";
	long ticks, highest;
	int fd[16], count = 0;
	pid_t pid;

	set_up();
	pid = vm_pid();
	vm_descriptors(pid, &highest);
	limit_descriptors(pid, (rlim_t)highest + 1);
	/* Until the gaps are filled. */
	do {
		struct pollfd p = { .events = POLLIN };

		ck_assert_int_lt(count, 16);
		fd[count] = p.fd = join();
		if (poll(&p, 1, 300))
			hear(fd[count], text, sizeof(text));
		count++;
	} while (!*text);
	ck_assert_ptr_nonnull(strstr(text, "no file descriptor left; close some, or raise"));
	ticks = vm_ticks(pid);
	expect_said(1, "VM \"" NAME "\": control socket: the process has no file descriptor left; ",
		    ARGS("pause", NAME));
	expect_said(1, "no file descriptor left", ARGS("console", NAME));
	nap_ms(1000);
	ck_assert_int_lt(vm_ticks(pid) - ticks, sysconf(_SC_CLK_TCK) / 2);
	while (count--)
		close(fd[count]);
	limit_descriptors(pid, 0);
	tear_down();
}
END_TEST

/* At each limit "start" starts the VM, or says why it does not, and leaves nothing behind. */
START_TEST(no_descriptors_to_start)
{
	struct rlimit old;
	int limit, status = 1;

	expect_said(0, "", ARGS("create", "--name", NAME, "--kernel", "k"));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (limit = 6; status && limit < 64; limit++) {
		int child = fork(), got;

		if (!child) {
			struct rlimit low = { (rlim_t)limit, (rlim_t)limit };

			close(open("said", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
			dup2(open("said", O_WRONLY | O_CLOEXEC), 2);
			setrlimit(RLIMIT_NOFILE, &low);
			execv(CLI_PATH, ARGS("start", NAME));
			_exit(126);
		}
		ck_assert_int_eq(waitpid(child, &got, 0), child);
		ck_assert_msg(WIFEXITED(got), "a limit of %d: signal %d", limit, WTERMSIG(got));
		status = WEXITSTATUS(got);
		if (status == 127) /* not even its libraries */
			continue;
		ck_assert_msg(status == 0 || status == 1, "a limit of %d: status %d", limit,
			      status);
		if (status)
			expect_said(0, NAME "    created", ARGS("list"));
	}
	ck_assert_int_eq(status, 0);
	unlink("said");
	tear_down();
}
END_TEST

/* What is left open for it, however high, is not the VM's. */
START_TEST(descriptors_left_open)
{
	struct rlimit limit, old;
	long highest;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(dup2(0, 900), 900);
	ck_assert_int_eq(dup2(0, 3000), 3000);
	set_up();
	close(900);
	close(3000);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	vm_descriptors(vm_pid(), &highest);
	ck_assert_int_lt(highest, 900);
	tear_down();
}
END_TEST

/* ---- kill -9 ---- */

/* Runs it and kills it after so many microseconds. */
static void run_and_kill(long us, char *const *args)
{
	const struct timespec pause = { .tv_nsec = us * 1000 };
	pid_t child = fork();

	if (!child) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		dup2(null, 1);
		dup2(null, 2);
		execv(CLI_PATH, args);
		_exit(126);
	}
	nanosleep(&pause, NULL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Whatever is killed when, what is there afterwards has a state, and can be gone on with. */
START_TEST(killed_at_any_moment)
{
	const char *said;
	int status;

	srand(2);
	for (int n = 0; n < KILLS; n++) {
		long us = rand() % 12000;

		run_and_kill(us, ARGS("create", "--name", NAME, "--kernel", "k"));
		cli(&status, ARGS("create", "--name", NAME, "--kernel", "k"));
		ck_assert_msg(status == 0 || status == STATE, "%ld us: status %d", us, status);
		expect_said(0, NAME "    created", ARGS("list"));
		setenv("EDITOR", "sed -i s/kernel/kernel/", 1);
		run_and_kill(us * 3, ARGS("edit", NAME));
		run_and_kill(us, ARGS("start", NAME));
		/* It may run, or start meanwhile. */
		cli(&status, ARGS("start", NAME));
		ck_assert_msg(status == 0 || status == STATE, "%ld us: status %d", us, status);
		for (int tries = 0; tries < 500; tries++) {
			cli(&status, ARGS("pause", NAME));
			if (!status)
				break;
			nap_ms(10);
		}
		ck_assert_msg(!status, "%ld us: it does not run: %s", us,
			      cli(&status, ARGS("list")));
		run_and_kill(us, ARGS("stop", "--force", NAME));
		/* It may be about to end, and not answer. */
		for (int tries = 0; tries < 500; tries++) {
			cli(&status, ARGS("stop", "--force", NAME));
			said = cli(&status, ARGS("list"));
			if (strstr(said, "stopped (request)"))
				break;
			nap_ms(10);
		}
		ck_assert_msg(strstr(said, "stopped (request)") != NULL, "%ld us: %s", us, said);
		run_and_kill(us, ARGS("destroy", NAME));
		said = cli(&status, ARGS("destroy", NAME));
		ck_assert_msg(status == 0 || status == 3, "%ld us: status %d: %s", us, status,
			      said);
	}
}
END_TEST

/* The steward of one that was killed is late: the socket is the next one's, whatever its inode. */
START_TEST(late_steward)
{
	char path[64], pid_text[32] = "";
	pid_t pid, steward;
	FILE *f;

	set_up();
	pid = vm_pid();
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	if (f && fgets(pid_text, sizeof(pid_text), f))
		steward = (pid_t)strtol(pid_text, NULL, 10);
	else
		steward = -1;
	if (f)
		fclose(f);
	ck_assert_int_gt(steward, 1);
	ck_assert_int_eq(kill(steward, SIGSTOP), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	for (int tries = 0, status = STATE; status && tries < 500; tries++, nap_ms(10))
		cli(&status, ARGS("start", NAME));
	ck_assert_int_eq(kill(steward, SIGCONT), 0);
	for (int tries = 0; !kill(steward, 0) && tries < 100; tries++)
		nap_ms(10);
	tear_down();
}
END_TEST

/* ---- hundreds ---- */

START_TEST(five_hundred)
{
	pid_t pid[AT_ONCE];
	char name[16];
	int status, listed = 0;

	for (int n = 0; n < MANY; n++) {
		snprintf(name, sizeof(name), "vm-%03d", n);
		expect_said(0, "", ARGS("create", "--name", name, "--kernel", "k"));
	}
	for (int n = 0; n < AT_ONCE; n++) {
		snprintf(name, sizeof(name), "vm-%03d", n);
		pid[n] = fork();
		if (!pid[n]) {
			execv(CLI_PATH, ARGS("start", name));
			_exit(126);
		}
	}
	for (int n = 0; n < AT_ONCE; n++) {
		ck_assert_int_eq(waitpid(pid[n], &status, 0), pid[n]);
		ck_assert_int_eq(status, 0);
	}
	for (const char *at = cli(&status, ARGS("list")); (at = strstr(at, "\nvm-")); at++)
		listed++;
	ck_assert_int_eq(listed, MANY);
	for (int n = 0; n < MANY; n++) {
		snprintf(name, sizeof(name), "vm-%03d", n);
		if (n < AT_ONCE)
			expect_said(0, "", ARGS("stop", "--force", name));
		expect_said(0, "", ARGS("destroy", name));
	}
}
END_TEST

int main(void)
{
	char folder[] = "/tmp/test-cli-faults-XXXXXX", state[64], options[512];
	Suite *suite = suite_create("cli_faults");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	/* The VMs' processes would inherit them: theirs are counted. */
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tcase, 200);
	tcase_add_test(tcase, silent_connections);
	tcase_add_test(tcase, too_many_streams);
	tcase_add_test(tcase, slow_readers);
	tcase_add_test(tcase, garbage);
	tcase_add_test(tcase, typed_and_gone);
	tcase_add_test(tcase, typed_for_nobody);
	tcase_add_test(tcase, list_of_a_stopped_process);
	tcase_add_test(tcase, state_that_cannot_be_written);
	tcase_add_test(tcase, files_that_cannot_be_made);
	tcase_add_test(tcase, descriptors_left_open);
	tcase_add_test(tcase, no_descriptor_for_a_client);
	tcase_add_test(tcase, no_descriptors_to_start);
	tcase_add_test(tcase, late_steward);
	tcase_add_test(tcase, killed_at_any_moment);
	tcase_add_test(tcase, five_hundred);
	suite_add_tcase(suite, tcase);
	if (!mkdtemp(folder) || chdir(folder))
		return EXIT_FAILURE;
	snprintf(state, sizeof(state), "%s/state", folder);
	/* With a sanitizer, what was freed would count as memory in use. */
	snprintf(options, sizeof(options), "%s:quarantine_size_mb=1",
		 getenv("ASAN_OPTIONS") ? getenv("ASAN_OPTIONS") : "");
	setenv("ASAN_OPTIONS", options, 1);
	setenv("XDG_STATE_HOME", state, 1);
	close(open("k", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink("k");
	rmdir("state/macrohard/vms");
	rmdir("state/macrohard");
	rmdir("state");
	rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: MIT
/*
 * Runs an emulator whose standard output carries the frames of init.c: hands the command's output
 * on as it comes, watches the host's kernel log for reports, ends a hung host, and turns all of it
 * into one exit status.
 *
 * relay [--timeout SEC] [--boot-limit SEC] [--verbose] [--tty] [--coverage FILE] --run-dir DIR
 * --keep-log FILE -- EMULATOR ARG...
 * DIR holds: console (the host's serial console, written by the emulator), tty (made here: the
 * terminal line for the host's second serial port), log and stderr (made here). DIR is removed at
 * the end.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "scan.h"

#define EXIT_TIMEOUT 124
#define EXIT_HOST 125
#define HEAD_BYTES 6
#define GRACE_MS 15000 /* what a host that reported an oops gets to end by itself */
#define MAX_STARTS 3
#define PANIC_MS 1500 /* what a panicking host gets to print its last lines */

/* Kernel taint bits that tell of a fault: Documentation/admin-guide/tainted-kernels. */
#define TAINT_BAD_PAGE (1ul << 5)
#define TAINT_DIED (1ul << 7)
#define TAINT_WARN (1ul << 9)
#define TAINT_LOCKUP (1ul << 14)

struct relay {
	char **emulator;
	const char *dir, *keep, *coverage;
	long timeout_ms;
	bool verbose, tty;

	pid_t pid;
	int in;	     /* read end of the emulator's standard output */
	int console; /* the console file, or -1 as long as it does not exist */
	int log;
	int gcov;   /* where gcov's data goes, or -1 */
	int master; /* our side of the terminal line, or -1 */
	struct termios saved;
	bool raw;

	unsigned char frame[HEAD_BYTES + 65536];
	size_t used;
	struct scan kmsg, cons;
	int64_t start, ready, deadline;
	long boot_ms; /* start again if init is not heard within this time; 0: never */
	int starts;
	bool heard; /* init runs */
	bool booted, finished, timed_out, broken_pipe;
	int status;
	unsigned long taint;
	char noise[2048]; /* the emulator's last words */
	size_t noise_used;
};

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	va_list ap;

	fputs("lab: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void write_all(struct relay *r, int fd, const void *data, size_t bytes)
{
	const char *p = data;

	while (bytes) {
		ssize_t n = write(fd, p, bytes);

		if (n < 0 && errno == EINTR && !caught)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			poll(&pfd, 1, 100);
			continue;
		}
		if (n < 0) {
			r->broken_pipe |= fd == 1;
			return;
		}
		p += n;
		bytes -= (size_t)n;
	}
}

static void on_message(const char *text, size_t bytes)
{
	fprintf(stderr, "lab: %.*s%s", (int)bytes, text,
		bytes && text[bytes - 1] == '\n' ? "" : "\n");
}

static void on_frame(struct relay *r, char type, const char *data, size_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%.*s", bytes < 31 ? (int)bytes : 31, data);
	r->heard = true;
	switch (type) {
	case 'o':
		write_all(r, 1, data, bytes);
		break;
	case 'k':
		write_all(r, r->log, data, bytes);
		if (r->verbose)
			write_all(r, 2, data, bytes);
		scan_feed(&r->kmsg, data, bytes);
		break;
	case 'm':
		on_message(data, bytes);
		break;
	case 'i':
		break;
	case 'b':
		r->booted = true;
		r->ready = now_ms();
		if (r->verbose)
			say("the host is up after %.1f s", (double)(r->ready - r->start) / 1000);
		break;
	case 't':
		r->taint = strtoul(text, NULL, 10);
		break;
	case 'g':
		write_all(r, r->gcov, data, bytes);
		break;
	case 'x':
		r->status = (int)strtol(text, NULL, 10);
		r->finished = true;
		break;
	default:
		say("unknown frame type %d from the host", type);
	}
}

static void on_noise(struct relay *r, unsigned char c)
{
	if (r->noise_used == sizeof(r->noise)) {
		memmove(r->noise, r->noise + 1024, 1024);
		r->noise_used = 1024;
	}
	r->noise[r->noise_used++] = (char)c;
}

/* Takes complete frames from the buffer; bytes outside of frames are the emulator's own words. */
static void parse(struct relay *r)
{
	size_t at = 0, left, bytes;

	while (at < r->used) {
		unsigned char *p = r->frame + at;

		left = r->used - at;
		if (p[0] != 0x1e || (left > 1 && p[1] != 'M') || (left > 2 && p[2] != 'H')) {
			on_noise(r, p[0]);
			at++;
			continue;
		}
		if (left < HEAD_BYTES)
			break;
		bytes = p[4] | (size_t)p[5] << 8;
		if (left < HEAD_BYTES + bytes)
			break;
		on_frame(r, (char)p[3], (char *)p + HEAD_BYTES, bytes);
		at += HEAD_BYTES + bytes;
	}
	memmove(r->frame, r->frame + at, r->used - at);
	r->used -= at;
}

static bool read_frames(struct relay *r)
{
	ssize_t n = read(r->in, r->frame + r->used, sizeof(r->frame) - r->used);

	if (n > 0) {
		r->used += (size_t)n;
		parse(r);
	}
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static void read_console(struct relay *r)
{
	char path[PATH_MAX], buf[4096];
	ssize_t n;

	if (r->console < 0) {
		snprintf(path, sizeof(path), "%s/console", r->dir);
		r->console = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	while (r->console >= 0 && (n = read(r->console, buf, sizeof(buf))) > 0)
		scan_feed(&r->cons, buf, (size_t)n);
}

static void read_terminal(struct relay *r)
{
	char buf[64];
	ssize_t n = read(0, buf, sizeof(buf));

	if (n > 0)
		write_all(r, r->master, buf, (size_t)n);
	else
		r->tty = false;
}

static int open_terminal(struct relay *r)
{
	char path[PATH_MAX];
	struct termios t;
	int slave;

	r->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (r->master < 0 || grantpt(r->master) || unlockpt(r->master))
		return -1;
	/* Stays open: without a slave the master would report a hang-up. */
	slave = open(ptsname(r->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &t))
		return -1;
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	snprintf(path, sizeof(path), "%s/tty", r->dir);
	if (symlink(ptsname(r->master), path))
		return -1;
	if (!tcgetattr(0, &r->saved)) {
		t = r->saved;
		cfmakeraw(&t);
		r->raw = !tcsetattr(0, TCSANOW, &t);
	}
	return 0;
}

static int start_emulator(struct relay *r)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	r->in = fds[0];
	r->pid = fork();
	if (r->pid < 0)
		return -1;
	if (r->pid == 0) {
		int null = open("/dev/null", O_RDONLY), err;
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/stderr", r->dir);
		err = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

		/* Its own group, so that Ctrl-C reaches only us; it never outlives us. */
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 0);
		dup2(fds[1], 1);
		dup2(err, 2);
		execvp(r->emulator[0], r->emulator);
		_exit(127);
	}
	close(fds[1]);
	r->starts++;
	r->start = now_ms();
	return 0;
}

/* A host that reported an oops, or panicked, gets little more time. */
static void shorten_deadline(struct relay *r)
{
	int64_t limit = INT64_MAX;

	if (r->cons.panic || r->kmsg.panic)
		limit = now_ms() + PANIC_MS;
	else if (r->cons.fatal || r->kmsg.fatal)
		limit = now_ms() + GRACE_MS;
	if (limit < r->deadline)
		r->deadline = limit;
}

static void stop_emulator(struct relay *r, int *wstatus)
{
	/* Gone by itself: give it the moment that its exit takes, to learn the status. */
	int tries = r->finished || r->timed_out || caught ? 0 : 20;

	for (; tries > 0; tries--) {
		if (waitpid(r->pid, wstatus, WNOHANG) == r->pid)
			return;
		usleep(50000);
	}
	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, wstatus, 0) < 0 && errno == EINTR)
		continue;
}

/*
 * TCG's timers run in real time, and a host is now and then stuck in the calibration of its clocks.
 * As long as init was not heard nothing has happened that a second start would hide.
 */
static bool boot_again(struct relay *r)
{
	int wstatus;

	if (r->heard || !r->boot_ms || r->starts >= MAX_STARTS || r->cons.reports ||
	    now_ms() < r->start + r->boot_ms)
		return false;
	say("the host did not come up within %ld s: starting it again", r->boot_ms / 1000);
	r->timed_out = true;
	stop_emulator(r, &wstatus);
	r->timed_out = false;
	close(r->in);
	close(r->console);
	r->console = -1;
	r->used = 0;
	return !start_emulator(r);
}

static void serve(struct relay *r)
{
	while (!r->finished && !caught && !r->broken_pipe) {
		struct pollfd fds[2] = {
			{ .fd = r->in, .events = POLLIN },
			{ .fd = r->tty ? 0 : -1, .events = POLLIN },
		};
		int n;

		if (now_ms() >= r->deadline) {
			r->timed_out = true;
			return;
		}
		if (boot_again(r))
			continue;
		n = poll(fds, 2, 100);
		if (n > 0 && fds[0].revents && !read_frames(r))
			return;
		if (n > 0 && fds[1].revents)
			read_terminal(r);
		read_console(r);
		shorten_deadline(r);
	}
}

static void copy_file(const char *from, int to)
{
	char buf[65536];
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) < 0)
			break;
	if (fd >= 0)
		close(fd);
}

/* Saves kernel log, console and the emulator's words under the name that --keep-log gave. */
static void keep_log(struct relay *r)
{
	char path[PATH_MAX];
	int fd = open(r->keep, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	dprintf(fd, "=== kernel log ===\n");
	snprintf(path, sizeof(path), "%s/log", r->dir);
	copy_file(path, fd);
	dprintf(fd, "\n=== serial console ===\n");
	snprintf(path, sizeof(path), "%s/console", r->dir);
	copy_file(path, fd);
	dprintf(fd, "\n=== emulator ===\n%.*s\n", (int)r->noise_used, r->noise);
	snprintf(path, sizeof(path), "%s/stderr", r->dir);
	copy_file(path, fd);
	dprintf(fd, "\n=== resets of the host's CPUs (QEMU) ===\n");
	snprintf(path, sizeof(path), "%s/resets", r->dir);
	copy_file(path, fd);
	close(fd);
	say("the whole log: %s", r->keep);
}

static void explain_death(struct relay *r, int wstatus)
{
	char how[64] = "ended", path[PATH_MAX];

	if (WIFSIGNALED(wstatus))
		snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(wstatus));
	else if (WIFEXITED(wstatus))
		snprintf(how, sizeof(how), "exited with status %d", WEXITSTATUS(wstatus));
	say("the emulator %s %s (%s)", how,
	    r->booted ? "before the command had ended" : "before the host was up",
	    "the host reset or powered itself off, or the emulator failed");
	if (r->noise_used)
		fprintf(stderr, "  emulator: %.*s\n", (int)r->noise_used, r->noise);
	snprintf(path, sizeof(path), "%s/stderr", r->dir);
	fflush(stderr);
	copy_file(path, 2);
}

static bool host_is_bad(struct relay *r)
{
	const unsigned long bad = TAINT_BAD_PAGE | TAINT_DIED | TAINT_WARN | TAINT_LOCKUP;

	if (r->kmsg.reports || r->cons.reports) {
		say("the host's kernel log has reports:");
		show_report(r->kmsg.reports && !r->cons.panic ? &r->kmsg : &r->cons);
		return true;
	}
	if (r->taint & bad) {
		say("the host's kernel is tainted (%#lx) by a report", r->taint & bad);
		return true;
	}
	return false;
}

static int verdict(struct relay *r, int wstatus)
{
	bool bad = host_is_bad(r), dead = !r->finished && !r->timed_out;

	if (caught)
		return 128 + caught;
	if (r->broken_pipe)
		return 128 + SIGPIPE;
	if (bad) {
		if (!r->finished)
			say("the host did not end by itself");
		return EXIT_HOST;
	}
	if (r->timed_out) {
		say("timeout: the %s did not end within %ld s",
		    r->booted ? "command" : "host's boot", r->timeout_ms / 1000);
		return EXIT_TIMEOUT;
	}
	if (dead) {
		explain_death(r, wstatus);
		return EXIT_HOST;
	}
	return r->status;
}

static int remove_dir(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(1);
	}
	return pid < 0 ? -1 : waitpid(pid, NULL, 0) < 0;
}

static int parse_args(struct relay *r, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--verbose"))
			r->verbose = true;
		else if (!strcmp(argv[i], "--tty"))
			r->tty = true;
		else if (i + 1 < argc && !strcmp(argv[i], "--timeout"))
			r->timeout_ms = strtol(argv[++i], NULL, 10) * 1000;
		else if (i + 1 < argc && !strcmp(argv[i], "--boot-limit"))
			r->boot_ms = strtol(argv[++i], NULL, 10) * 1000;
		else if (i + 1 < argc && !strcmp(argv[i], "--run-dir"))
			r->dir = argv[++i];
		else if (i + 1 < argc && !strcmp(argv[i], "--keep-log"))
			r->keep = argv[++i];
		else if (i + 1 < argc && !strcmp(argv[i], "--coverage"))
			r->coverage = argv[++i];
		else
			return -1;
	}
	r->emulator = argv + i + 1;
	return i + 1 < argc && r->dir && r->keep ? 0 : -1;
}

static void catch_signals(void)
{
	const int list[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal };
	size_t i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaction(list[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static struct relay r = { .timeout_ms = 120000, .console = -1, .gcov = -1, .master = -1 };
	char path[PATH_MAX];
	int wstatus = 0, status;

	if (parse_args(&r, argc, argv)) {
		say("relay: wrong arguments");
		return EXIT_HOST;
	}
	catch_signals();
	snprintf(path, sizeof(path), "%s/log", r.dir);
	r.log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (r.coverage)
		r.gcov = open(r.coverage, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (r.log < 0 || (r.coverage && r.gcov < 0) || (r.tty && open_terminal(&r)) ||
	    start_emulator(&r)) {
		say("cannot start the emulator: %s", strerror(errno));
		return EXIT_HOST;
	}
	r.deadline = r.start + r.timeout_ms;
	serve(&r);
	stop_emulator(&r, &wstatus);
	read_console(&r);
	if (r.raw)
		tcsetattr(0, TCSANOW, &r.saved);
	status = verdict(&r, wstatus);
	if (status == EXIT_HOST || status == EXIT_TIMEOUT)
		keep_log(&r);
	remove_dir(r.dir);
	return status;
}

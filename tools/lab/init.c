// SPDX-License-Identifier: MIT
/*
 * PID 1 of the emulated host: sets the host up, runs the one command and tells relay.c about it.
 *
 * Everything leaves through I/O port 0xE9, which both emulators copy to their standard output, in
 * frames: 0x1E 'M' 'H' type length-low length-high payload. Types: 'o' output of the command,
 * 'k' kernel log, 'm' message of this program, 'i' init runs, 'b' boot is complete, 't' the
 * kernel's taint mask at the end (text), 'g' gcov's data, a compressed tar archive, 'x' exit
 * status (text; the last frame).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/hpet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PORT_OUT 0xe9
#define FRAME_MAX 4096
#define ARGS_MAX 256
#define ENV_MAX 64
#define KMEMLEAK "/sys/kernel/debug/kmemleak"

/* c: read from /lab/conf, constant afterwards. */
struct host {
	char *argv[ARGS_MAX + 1]; /* (c) the command */
	char *env[ENV_MAX + 1];	  /* (c) additional environment */
	char *modules[32];	  /* (c) "PATH PARAMETERS", in order of loading */
	int argc, envc, modulec;
	bool leaks;    /* (c) look for leaks at the end: the kernel has kmemleak */
	bool coverage; /* (c) send what gcov counted: the module is built for that */
	bool tick;     /* (c) the emulator loses interrupts: let there be others */
	bool tty;      /* (c) the command gets a terminal fed by the second serial port */
	unsigned int rows, cols;
	int kmsg;    /* kernel log */
	int out;     /* our end of the command's output */
	int serial;  /* second serial port, or -1 */
	int signals; /* signalfd: SIGCHLD */
	pid_t child;
	int status; /* exit status of the command once child is 0 */
};

static void port_write(const void *data, size_t bytes)
{
	__asm__ volatile("rep outsb" : "+S"(data), "+c"(bytes) : "d"(PORT_OUT) : "memory");
}

static void frame(char type, const void *data, size_t bytes)
{
	const char *p = data;

	do {
		size_t part = bytes > FRAME_MAX ? FRAME_MAX : bytes;
		char head[6] = { 0x1e, 'M', 'H', type, (char)(part & 0xff), (char)(part >> 8) };

		port_write(head, sizeof(head));
		port_write(p, part);
		p += part;
		bytes -= part;
	} while (bytes);
}

__attribute__((format(printf, 2, 3))) static void framef(char type, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	frame(type, text, strlen(text));
}

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		framef('m', "cannot write %s: %s\n", path, strerror(errno));
	close(fd);
}

static void mount_at(const char *type, const char *where, const char *data)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, data))
		framef('m', "cannot mount %s: %s\n", where, strerror(errno));
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		framef('m', "cannot bring lo up: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void mount_all(void)
{
	mount_at("proc", "/proc", NULL);
	mount_at("sysfs", "/sys", NULL);
	mount_at("devtmpfs", "/dev", NULL);
	mount_at("devpts", "/dev/pts", NULL);
	mount_at("tmpfs", "/dev/shm", "mode=1777");
	mount_at("tmpfs", "/tmp", "mode=1777");
	mount_at("tmpfs", "/run", "mode=755");
	mount_at("debugfs", "/sys/kernel/debug", NULL);
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") || symlink("/proc/self/fd/2", "/dev/stderr"))
		framef('m', "cannot make /dev/fd: %s\n", strerror(errno));
}

static char *slurp(const char *path)
{
	size_t size = 0, room = 1 << 16;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || !text)
		return NULL;
	while ((n = read(fd, text + size, room - size - 1)) > 0) {
		size += (size_t)n;
		if (room - size < 2) {
			room *= 2;
			text = realloc(text, room);
			if (!text)
				return NULL;
		}
	}
	close(fd);
	text[size] = 0;
	return text;
}

/* Records end with 0x1F, so that arguments may hold any other byte. */
static int read_conf(struct host *h)
{
	char *text = slurp("/lab/conf"), *save = NULL, *rec;

	if (!text)
		return -1;
	for (rec = strtok_r(text, "\x1f", &save); rec; rec = strtok_r(NULL, "\x1f", &save)) {
		if (rec[0] == 'a' && h->argc < ARGS_MAX)
			h->argv[h->argc++] = rec + 1;
		else if (rec[0] == 'e' && h->envc < ENV_MAX)
			h->env[h->envc++] = rec + 1;
		else if (rec[0] == 'm' && h->modulec < 32)
			h->modules[h->modulec++] = rec + 1;
		else if (rec[0] == 'l')
			h->leaks = true;
		else if (rec[0] == 'g')
			h->coverage = true;
		else if (rec[0] == 'i')
			h->tick = true;
		else if (rec[0] == 't')
			h->tty = sscanf(rec + 1, "%u %u", &h->rows, &h->cols) >= 0;
		else
			return -1;
	}
	return h->argc ? 0 : -1;
}

/* Forwards kernel messages ("level,seq,time,flags;text\n"), one record per read. */
static void pump_kmsg(struct host *h)
{
	char rec[8192], line[8300];
	ssize_t n;

	for (;;) {
		unsigned long long us = 0;
		unsigned int prio = 0;
		char *text;

		n = read(h->kmsg, rec, sizeof(rec) - 1);
		if (n < 0 && errno == EPIPE)
			continue; /* messages were overwritten before we came */
		if (n <= 0)
			return;
		rec[n] = 0;
		text = strchr(rec, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		sscanf(rec, "%u,%*u,%llu", &prio, &us);
		snprintf(line, sizeof(line), "<%u>[%5llu.%06llu] %s\n", prio & 7, us / 1000000,
			 us % 1000000, text);
		frame('k', line, strlen(line));
	}
}

static void load_module(struct host *h, char *spec)
{
	char *params = strchr(spec, ' ');
	int fd, rc;

	if (params)
		*params++ = 0;
	fd = open(spec, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 ? -1 : (int)syscall(SYS_finit_module, fd, params ? params : "", 0);
	if (rc) {
		int err = errno;

		pump_kmsg(h);
		framef('m', "insmod %s refused: %s (the kernel log says why)\n",
		       strrchr(spec, '/') + 1, strerror(err));
	}
	if (fd >= 0)
		close(fd);
}

/* The disk of --disk, under one name for all emulators. */
static void name_disk(void)
{
	static const char *const names[] = { "vda", "sda" };
	char path[16];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/dev/%s", names[i]);
		if (!access(path, F_OK) && symlink(names[i], "/dev/disk"))
			framef('m', "cannot make /dev/disk: %s\n", strerror(errno));
	}
}

/* Two interrupts a second, of a timer that Linux does not use, as long as this process lives. */
static void start_tick(void)
{
	int fd = open("/dev/hpet", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, HPET_IRQFREQ, 2ul) || ioctl(fd, HPET_IE_ON))
		framef('m', "no interrupts of the HPET: %s\n", strerror(errno));
}

/* A module that stays busy after every process is gone has lost a reference. */
static bool unload_module(struct host *h)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (!syscall(SYS_delete_module, "macrohard", O_NONBLOCK) || errno == ENOENT)
			return true;
		if (errno != EAGAIN && errno != EBUSY)
			break;
		usleep(50000);
		pump_kmsg(h);
	}
	framef('m', "macrohard.ko could not be unloaded after the command ended: %s\n",
	       strerror(errno));
	return false;
}

/*
 * What nothing points to any more goes to the kernel log, with the addresses in what was the
 * module. The kernel reports no object that is younger than five seconds, or that it sees for the
 * first time.
 */
static void find_leaks(struct host *h, const char *module_at)
{
	char *text;

	sleep(6);
	put_file(KMEMLEAK, "scan");
	put_file(KMEMLEAK, "scan");
	pump_kmsg(h);
	text = slurp(KMEMLEAK);
	if (text && *text && module_at)
		framef('k', "macrohard.ko was at %s", module_at);
	if (text)
		frame('k', text, strlen(text));
	else
		framef('m', "the kernel does not look for leaks: no %s\n", KMEMLEAK);
	free(text);
}

/*
 * The kernel keeps the counts of modules that are gone, and adds up those of one that came again.
 * Its files have no size, which tar would believe.
 */
static void send_coverage(void)
{
	FILE *tar = popen("rm -rf /tmp/gcov && cp -r /sys/kernel/debug/gcov /tmp/gcov && "
			  "tar -C /tmp/gcov -cz .",
			  "r");
	char buf[FRAME_MAX];
	size_t n;

	while (tar && (n = fread(buf, 1, sizeof(buf), tar)) > 0)
		frame('g', buf, n);
	if (!tar || pclose(tar))
		framef('m', "gcov's data cannot be read\n");
}

static int make_pty(struct host *h, int *slave)
{
	struct winsize ws = { .ws_row = (unsigned short)h->rows,
			      .ws_col = (unsigned short)h->cols };
	struct termios raw;
	unsigned int n = 0;
	int unlock = 0;
	char path[32];

	h->serial = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (h->serial < 0 || tcgetattr(h->serial, &raw))
		return -1;
	cfmakeraw(&raw);
	cfsetspeed(&raw, B115200);
	raw.c_cflag |= CLOCAL;
	tcsetattr(h->serial, TCSANOW, &raw);
	h->out = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (h->out < 0 || ioctl(h->out, TIOCSPTLCK, &unlock) || ioctl(h->out, TIOCGPTN, &n))
		return -1;
	snprintf(path, sizeof(path), "/dev/pts/%u", n);
	*slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (h->rows)
		ioctl(h->out, TIOCSWINSZ, &ws);
	return *slave < 0 ? -1 : 0;
}

static int make_pipe(struct host *h, int *slave)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	h->out = fds[0];
	fcntl(h->out, F_SETFL, O_NONBLOCK);
	*slave = fds[1];
	return 0;
}

static void run_child(struct host *h, int slave)
{
	int in = h->tty ? slave : open("/dev/null", O_RDONLY), i;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (h->tty)
		ioctl(slave, TIOCSCTTY, 0);
	dup2(in, 0);
	dup2(slave, 1);
	dup2(slave, 2);
	for (i = 0; i < h->envc; i++)
		putenv(h->env[i]);
	if (iopl(0) == 0)
		execvp(h->argv[0], h->argv);
	fprintf(stderr, "lab: cannot run %s: %s\n", h->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int start_child(struct host *h)
{
	int slave = -1;

	if (h->tty ? make_pty(h, &slave) : make_pipe(h, &slave))
		return -1;
	h->child = fork();
	if (h->child < 0)
		return -1;
	if (h->child == 0)
		run_child(h, slave);
	close(slave);
	return 0;
}

static void pump_out(struct host *h)
{
	char buf[FRAME_MAX];
	ssize_t n;

	while ((n = read(h->out, buf, sizeof(buf))) > 0)
		frame('o', buf, (size_t)n);
}

static void pump_in(struct host *h)
{
	char buf[256];
	ssize_t n;

	while ((n = read(h->serial, buf, sizeof(buf))) > 0)
		if (write(h->out, buf, (size_t)n) < 0)
			return;
}

static void reap(struct host *h)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(h->signals, &info, sizeof(info)) > 0)
		continue;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != h->child)
			continue;
		h->child = 0;
		h->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (WIFSIGNALED(status))
			framef('m', "the command was ended by signal %d (%s)\n", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	}
}

static void serve(struct host *h)
{
	while (h->child) {
		struct pollfd fds[4] = {
			{ .fd = h->signals, .events = POLLIN },
			{ .fd = h->kmsg, .events = POLLIN },
			{ .fd = h->out, .events = POLLIN },
			{ .fd = h->serial, .events = POLLIN },
		};

		if (poll(fds, 4, -1) < 0)
			continue;
		if (fds[1].revents)
			pump_kmsg(h);
		if (fds[2].revents & POLLIN)
			pump_out(h);
		else if (fds[2].revents & POLLHUP && !h->tty) {
			close(h->out); /* the command closed its output and runs on */
			h->out = -1;
		}
		if (fds[3].revents & POLLIN)
			pump_in(h);
		if (fds[0].revents)
			reap(h);
	}
}

static void finish(struct host *h)
{
	char *taint, *module_at;
	bool ok;

	pump_out(h);
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	pump_out(h);
	pump_kmsg(h);
	module_at = slurp("/sys/module/macrohard/sections/.text");
	ok = unload_module(h);
	if (h->leaks)
		find_leaks(h, module_at);
	if (h->coverage)
		send_coverage();
	pump_kmsg(h);
	taint = slurp("/proc/sys/kernel/tainted");
	framef('t', "%s", taint ? taint : "?");
	framef('x', "%d", ok ? h->status : 125);
}

static void set_environment(void)
{
	setenv("PATH", "/lab/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LD_LIBRARY_PATH", "/lab/lib", 1);
	setenv("HOME", "/root", 1);
	setenv("LAB", "1", 1);
	put_file("/proc/sys/kernel/hostname", "lab");
	/* The whole log leaves through kmsg; the console only matters when the host dies. */
	put_file("/proc/sys/kernel/printk_ratelimit", "0");
}

/* Output leaves before the command's next step, so that its last words survive a panic. */
static void take_precedence(void)
{
	struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		framef('m', "cannot set the priority of init: %s\n", strerror(errno));
}

int main(void)
{
	struct host h = { .serial = -1, .out = -1 };
	sigset_t set;
	int i;

	if (iopl(3))
		_exit(1);
	frame('i', "", 0);
	mount_all();
	h.kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	set_environment();
	loopback_up();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	h.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	pump_kmsg(&h);
	if (chdir("/root") || read_conf(&h)) {
		framef('m', "the host's configuration /lab/conf is unusable\n");
		framef('x', "125");
		pause();
	}
	for (i = 0; i < h.modulec; i++)
		load_module(&h, h.modules[i]);
	name_disk();
	if (h.tick)
		start_tick();
	pump_kmsg(&h);
	take_precedence();
	frame('b', "", 0);
	if (start_child(&h)) {
		framef('m', "cannot start the command: %s\n", strerror(errno));
		framef('x', "125");
		pause();
	}
	serve(&h);
	finish(&h);
	for (;;)
		pause();
}

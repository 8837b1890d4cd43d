/* SPDX-License-Identifier: MIT */
/*
 * A running guest's console: COM1 to standard output, standard input to COM1, until the VM stops.
 */
#include "console.h"
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* How long to wait before typing on when the guest's receive queue is full. */
#define RETRY_MS 5

static void wake(struct console *c)
{
	uint64_t one = 1;

	while (write(c->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

/* The terminal may share its O_NONBLOCK flag with a program that set it. */
static int write_all(int fd, const unsigned char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n >= 0) {
			data += n;
			bytes -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

static void guest_printed(void *opaque, const void *data, size_t bytes)
{
	struct console *c = opaque;
	int error;

	if (c->terminal.output)
		terminal_follow(&c->terminal, data, bytes);
	error = write_all(STDOUT_FILENO, data, bytes);
	if (error && !atomic_exchange_explicit(&c->output_error, error, memory_order_release))
		wake(c);
}

static void vm_changed(void *opaque, struct mh_vm *vm, const struct mh_event *event)
{
	if (event->kind == MH_EVENT_STATE && event->state == MH_VM_STOPPED)
		wake(opaque);
}

int console_init(struct console *c, int escape, unsigned int grace_s)
{
	sigset_t set;

	memset(c, 0, sizeof(*c));
	c->escape = escape;
	c->grace_s = grace_s;
	c->input_open = true;
	c->signals = -1;
	terminal_init(&c->terminal);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &set, &c->old_mask))
		return -1;
	sigdelset(&set, SIGPIPE); /* only ever blocked: write says EPIPE */
	c->wake = eventfd(0, EFD_CLOEXEC);
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return c->wake < 0 || c->signals < 0 ? -1 : 0;
}

int console_attach(struct console *c, struct mh_vm *vm, bool virtio)
{
	struct mh_console_config config = MH_CONSOLE_CONFIG_INIT;
	struct mh_console_port port = { NULL, guest_printed, c };

	int rc = mh_vm_on_event(vm, vm_changed, c);

	c->vm = vm;
	if (rc)
		return rc;
	if (!virtio)
		return mh_serial_attach(vm, 0, guest_printed, c);
	config.ports = 1;
	config.port = &port;
	return mh_console_attach(vm, &config, &c->dev);
}

/* Types what waits into the guest's port, as far as it takes it. */
static void type_pending(struct console *c)
{
	int n;

	if (!c->typed_bytes)
		return;
	n = c->dev ? mh_console_input(c->dev, 0, c->typed, c->typed_bytes)
		   : mh_serial_input(c->vm, 0, c->typed, c->typed_bytes);
	if (n <= 0)
		return;
	c->typed_bytes -= (size_t)n;
	memmove(c->typed, c->typed + n, c->typed_bytes);
}

/* True when the escape key was pressed; what was typed before it still goes to the guest. */
static bool read_input(struct console *c)
{
	ssize_t n = read(STDIN_FILENO, c->typed, sizeof(c->typed));
	unsigned char *key = NULL;

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		c->input_open = false;
	if (n <= 0)
		return false;
	if (c->terminal.input && c->escape >= 0)
		key = memchr(c->typed, c->escape, (size_t)n);
	c->typed_bytes = key ? (size_t)(key - c->typed) : (size_t)n;
	type_pending(c);
	return key != NULL;
}

/* Ctrl-Z reaches the guest; this is for a SIGTSTP that somebody sent. */
static void suspend(struct console *c)
{
	terminal_cooked(&c->terminal);
	raise(SIGSTOP);
	terminal_raw(&c->terminal);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The first SIGTERM asks the guest to switch itself off, if it is given time for it. */
static bool ask_guest(struct console *c)
{
	if (!c->grace_s || c->deadline_ms || mh_vm_power_button(c->vm))
		return false;
	c->deadline_ms = now_ms() + c->grace_s * 1000ll;
	fprintf(stderr,
		CLI_NAME ": SIGTERM pressed the guest's power button; it has %u s, or until "
			 "another signal%s",
		c->grace_s, c->terminal.raw ? "\r\n" : "\n");
	return true;
}

/* How long to wait for something to happen; -1: for ever. */
static int patience(const struct console *c)
{
	int64_t left = c->deadline_ms - now_ms();

	if (c->typed_bytes)
		return RETRY_MS;
	if (!c->deadline_ms)
		return -1;
	return left < 0 ? 0 : (int)left;
}

/* The number of a signal that ends the program, or 0. */
static int read_signal(struct console *c)
{
	struct signalfd_siginfo info;

	while (read(c->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTSTP) {
			suspend(c);
			continue;
		}
		if (info.ssi_signo == SIGTERM && ask_guest(c))
			continue;
		/* A second signal kills, should stopping the VM take too long. */
		terminal_cooked(&c->terminal);
		sigprocmask(SIG_SETMASK, &c->old_mask, NULL);
		return (int)info.ssi_signo;
	}
	return 0;
}

enum console_end console_run(struct console *c, int *detail)
{
	for (;;) {
		struct pollfd fds[3] = {
			{ .fd = c->wake, .events = POLLIN },
			{ .fd = c->signals, .events = POLLIN },
			{ .fd = c->input_open && !c->typed_bytes ? STDIN_FILENO : -1,
			  .events = POLLIN },
		};

		if (poll(fds, 3, patience(c)) < 0)
			continue;
		*detail = atomic_load_explicit(&c->output_error, memory_order_acquire);
		if (*detail)
			return CONSOLE_OUTPUT;
		if (fds[0].revents)
			return CONSOLE_STOPPED;
		if (fds[1].revents && (*detail = read_signal(c)))
			return CONSOLE_SIGNAL;
		if (c->deadline_ms && now_ms() >= c->deadline_ms) {
			*detail = SIGTERM;
			return CONSOLE_SIGNAL;
		}
		if (fds[2].revents && read_input(c))
			return CONSOLE_ESCAPE;
		type_pending(c);
	}
}

void console_detach(struct console *c)
{
	if (c->dev)
		mh_dev_detach(c->dev);
	else if (c->vm)
		mh_serial_attach(c->vm, 0, NULL, NULL);
	c->dev = NULL;
	c->vm = NULL;
	terminal_restore(&c->terminal);
}

void console_fini(struct console *c)
{
	terminal_restore(&c->terminal);
	if (c->wake >= 0)
		close(c->wake);
	if (c->signals >= 0)
		close(c->signals);
}

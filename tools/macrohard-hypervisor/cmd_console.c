/* SPDX-License-Identifier: MIT */
/* The verbs "console" and "logs": what a guest says and has said, and typing to it. */
#include "rpc.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ESCAPE_DEFAULT 0x1d /* Ctrl-] */
#define FOLLOW_MS 200

static const int one[2] = { 1, 1 };

static bool write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			data += n, bytes -= (size_t)n;
	}
	return true;
}

/* ---- console ---- */

struct console {
	struct rpc *rpc;
	struct terminal terminal;
	int escape; /* -1: none */
	bool input_open, detached;
};

static const struct cli_option console_options[] = {
	{ "escape", "KEY", 0 },
	{ NULL, NULL, 0 },
};

static int console_option(const struct cli_verb *verb, void *opaque, const char *option,
			  char *value)
{
	struct console *c = opaque;

	if (cli_parse_key(value, &c->escape))
		return CLI_OK;
	return cli_usage_error(verb, "--%s: '%s' is no such value", option, value);
}

/* False when the VM's process has ended, or the output. */
static bool show(struct console *c, const char *data, size_t bytes)
{
	if (c->terminal.output)
		terminal_follow(&c->terminal, (const unsigned char *)data, bytes);
	return write_all(STDOUT_FILENO, data, bytes);
}

static bool receive(struct console *c)
{
	char data[4096];
	ssize_t n = read(c->rpc->fd, data, sizeof(data));

	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && show(c, data, (size_t)n);
}

/* False when the detach key was pressed, or the VM's process has ended. */
static bool type(struct console *c)
{
	char data[512], *key = NULL;
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n <= 0) {
		c->input_open = n < 0 && errno == EINTR;
		return true;
	}
	if (c->terminal.input && c->escape >= 0)
		key = memchr(data, c->escape, (size_t)n);
	c->detached = key != NULL;
	return write_all(c->rpc->fd, data, key ? (size_t)(key - data) : (size_t)n) && !key;
}

static void serve(struct console *c)
{
	bool on = show(c, c->rpc->line, c->rpc->bytes);

	while (on) {
		struct pollfd fds[2] = {
			{ .fd = c->rpc->fd, .events = POLLIN },
			{ .fd = c->input_open ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			on = receive(c);
		if (on && fds[1].revents)
			on = type(c);
	}
}

static int run_console(struct console *c)
{
	int status = rpc_call(c->rpc, "console", NULL, NULL);
	char key[16];

	if (status)
		return status;
	if (terminal_raw(&c->terminal)) {
		cli_message("cannot switch the terminal to raw mode: %s", strerror(errno));
		return CLI_ERROR;
	}
	if (c->terminal.raw && c->escape >= 0) {
		cli_key_name(c->escape, key, sizeof(key));
		fprintf(stderr, "%s: %s leaves the console; the VM goes on\r\n", CLI_NAME, key);
	}
	c->input_open = true;
	serve(c);
	terminal_restore(&c->terminal);
	if (!c->detached)
		cli_message("VM \"%s\" has ended", c->rpc->vm->name);
	return CLI_OK;
}

static int console(const struct cli_verb *verb, int argc, char **argv)
{
	struct console c = { .escape = ESCAPE_DEFAULT };
	int status = cli_parse(verb, argc, argv, console_option, &c, one);
	struct store_vm vm = { .dir = -1 };

	terminal_init(&c.terminal);
	if (!status)
		status = rpc_open(argv[optind], &vm, &c.rpc);
	if (!status)
		status = run_console(&c);
	rpc_shut(&vm, c.rpc);
	return status;
}

/* ---- logs ---- */

struct logs {
	bool follow, vm;
};

static const struct cli_option logs_options[] = {
	{ "follow", NULL, 'f' },
	{ "vm", NULL, 0 },
	{ NULL, NULL, 0 },
};

static int logs_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	struct logs *o = opaque;

	*(!strcmp(option, "follow") ? &o->follow : &o->vm) = true;
	return CLI_OK;
}

static bool copy(int fd)
{
	char data[4096];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		if (!write_all(STDOUT_FILENO, data, (size_t)n))
			return false;
	return n == 0;
}

/* Has another file taken the log's place? */
static bool replaced(const struct store_vm *vm, const char *file, int fd)
{
	struct stat now, then;

	return !fstatat(vm->dir, file, &now, 0) && !fstat(fd, &then) && now.st_ino != then.st_ino;
}

static int open_log(const struct store_vm *vm, const char *file)
{
	return openat(vm->dir, file, O_RDONLY | O_CLOEXEC);
}

/*
 * What was put aside, if there is any, comes before the log, which is open already: should it be
 * put aside itself meanwhile, it is there once all the same.
 */
static bool copy_older(const struct store_vm *vm, const char *older, int log)
{
	int fd = open_log(vm, older);
	bool good = fd < 0 || !replaced(vm, older, log) || copy(fd);

	if (fd >= 0)
		close(fd);
	return good;
}

static int print_log(const struct store_vm *vm, const struct logs *o)
{
	const char *file = o->vm ? STORE_VM_LOG : STORE_CONSOLE_LOG;
	const char *older = o->vm ? STORE_VM_LOG ".1" : STORE_CONSOLE_LOG ".1";
	const struct timespec pause = { .tv_nsec = FOLLOW_MS * 1000000l };
	int fd = open_log(vm, file);
	bool good, alive = true;

	if (fd < 0) {
		cli_message("VM \"%s\" has no log; it was never started", vm->name);
		return CLI_STATE;
	}
	good = copy_older(vm, older, fd);
	while (good) {
		/* What it said last is read after it has ended. */
		good = copy(fd);
		if (!good || !o->follow || !alive)
			break;
		nanosleep(&pause, NULL);
		alive = store_alive(vm);
		if (replaced(vm, file, fd)) {
			good = copy(fd);
			close(fd);
			fd = open_log(vm, file);
		}
	}
	close(fd);
	if (!good)
		cli_message("cannot copy the log: %s", strerror(errno));
	return good ? CLI_OK : CLI_ERROR;
}

static int logs(const struct cli_verb *verb, int argc, char **argv)
{
	struct logs o = { false, false };
	int status = cli_parse(verb, argc, argv, logs_option, &o, one);
	struct store_vm vm = { .dir = -1 };

	if (!status)
		status = store_open(&vm, argv[optind]);
	if (!status)
		status = print_log(&vm, &o);
	store_close(&vm);
	return status;
}

/* ---- the table ---- */

static const char console_usage[] =
	"usage: " CLI_NAME " console [--escape KEY] NAME\n"
	"\n"
	"Connects this terminal, or pipes, to a running VM's console; shows what it has said (the\n"
	"last 256 KiB) first. Several may look and type at once.\n"
	"\n"
	"  --escape KEY  the key that leaves, while the VM goes on: '^]' (default), 'ctrl-a', "
	"'none'\n"
	"\n"
	"Exit status: 0 left, or the VM has ended; 1 error, 2 wrong command line, 3 there is no\n"
	"such VM, 4 it does not run.\n";

const struct cli_verb cli_verb_console = {
	.name = "console",
	.summary = "see and type at a running VM's console",
	.usage = console_usage,
	.run = console,
	.options = console_options,
	.args = CLI_VM,
};

static const char logs_usage[] =
	"usage: " CLI_NAME " logs [-f|--follow] [--vm] NAME\n"
	"\n"
	"Prints what a VM's guest has said on its console, over all starts (the last 8 MiB, or\n"
	"up to 16).\n"
	"\n"
	"  --follow  go on until the VM's process ends\n"
	"  --vm      what the VM's process has to say instead: why it ended, warnings\n"
	"\n"
	"Exit status: 0 printed, 1 error, 2 wrong command line, 3 there is no such VM, 4 it was\n"
	"never started.\n";

const struct cli_verb cli_verb_logs = {
	.name = "logs",
	.summary = "print what a VM's guest has said",
	.usage = logs_usage,
	.run = logs,
	.options = logs_options,
	.args = CLI_VM,
};

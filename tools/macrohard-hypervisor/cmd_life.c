/* SPDX-License-Identifier: MIT */
/* The verbs that change a VM's state: start, stop, pause, resume, reset. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ESCAPE_DEFAULT 0x1d /* Ctrl-] */
#define GRACE_S 30
#define STOP_TIMEOUT_S 60
#define TIMEOUT_MAX 86400
#define VM_LOG_MAX (1 << 20)
#define SETTLE_MS 10 /* between the end of the socket and that of the lock */
#define SETTLE_TRIES 500

static const int one[2] = { 1, 1 };

/* ---- start ---- */

struct start {
	bool foreground, verbose, no_sandbox;
};

static const struct cli_option start_options[] = {
	{ "foreground", NULL, 0 },
	{ "verbose", NULL, 0 },
	{ "no-sandbox", NULL, 0 },
	{ NULL, NULL, 0 },
};

static int start_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	struct start *o = opaque;

	if (!strcmp(option, "no-sandbox"))
		o->no_sandbox = true;
	else
		*(!strcmp(option, "foreground") ? &o->foreground : &o->verbose) = true;
	return CLI_OK;
}

static int load(const struct store_vm *vm, struct mh_config **config)
{
	char *path = store_path(vm, STORE_DOCUMENT);
	struct mh_ctx *ctx = NULL;
	int error = path ? mh_ctx_create(NULL, &ctx) : MH_ENOMEM, status = CLI_OK;

	if (!error)
		error = mh_config_load(ctx, path, config);
	if (error)
		status = cli_library_error(ctx, error);
	mh_ctx_destroy(ctx);
	free(path);
	return error == MH_EFORMAT ? CLI_USAGE : status;
}

/* The log of the VM's process becomes its standard output; its input is nothing. */
static int detach(const struct store_vm *vm)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), log;
	struct stat st;

	if (!fstatat(vm->dir, STORE_VM_LOG, &st, 0) && st.st_size > VM_LOG_MAX)
		renameat(vm->dir, STORE_VM_LOG, vm->dir, STORE_VM_LOG ".1");
	log = openat(vm->dir, STORE_VM_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (null < 0 || log < 0 || setsid() < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(log, STDOUT_FILENO) < 0 || chdir("/")) {
		cli_message("VM \"%s\": cannot go to the background: %s", vm->name,
			    strerror(errno));
		return CLI_ERROR;
	}
	close(null);
	close(log);
	return CLI_OK;
}

/* In the child; what it has to say goes to who started it until the VM runs, then to the log. */
static int run_detached(struct process *p, int ready)
{
	int status;

	p->ready = ready;
	dup2(ready, STDERR_FILENO);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	status = detach(p->store);
	return status ? status : process_run(p);
}

/* Passes on what the child says; true when the VM runs. */
static bool wait_ready(int fd)
{
	char text[1024], *end;
	ssize_t n;

	for (;;) {
		n = read(fd, text, sizeof(text));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		end = memchr(text, '\0', (size_t)n);
		fwrite(text, 1, end ? (size_t)(end - text) : (size_t)n, stderr);
		if (end)
			return true;
	}
}

static int start_background(struct process *p)
{
	int ready[2], status = 0;
	bool runs;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC)) {
		cli_message("cannot make a pipe: %s", strerror(errno));
		return CLI_ERROR;
	}
	pid = fork();
	if (!pid) {
		close(ready[0]);
		status = run_detached(p, ready[1]);
		fflush(stdout);
		_exit(status);
	}
	close(ready[1]);
	runs = pid > 0 && wait_ready(ready[0]);
	close(ready[0]);
	if (pid < 0)
		cli_message("cannot make a process: %s", strerror(errno));
	if (runs)
		return CLI_OK;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (pid > 0 && WIFSIGNALED(status))
		cli_message("VM \"%s\": its process was ended by signal %d (%s) while it started",
			    p->store->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status)
								   : CLI_ERROR;
}

static int start_vm(const struct store_vm *vm, const struct start *o)
{
	struct process *p = calloc(1, sizeof(*p));
	struct mh_config *config = NULL;
	int status = p ? load(vm, &config) : cli_library_error(NULL, MH_ENOMEM);

	if (!status) {
		p->store = vm;
		p->config = config;
		p->escape = ESCAPE_DEFAULT;
		p->grace_s = GRACE_S;
		p->foreground = o->foreground;
		p->verbose = o->verbose;
		p->no_sandbox = o->no_sandbox;
		p->ready = -1;
		status = o->foreground ? process_run(p) : start_background(p);
	}
	mh_config_free(config);
	free(p);
	return status;
}

static int start(const struct cli_verb *verb, int argc, char **argv)
{
	struct start o = { .foreground = false };
	int status = cli_parse(verb, argc, argv, start_option, &o, one), lock = -1;
	struct store_vm vm = { .dir = -1 };

	if (!status)
		status = store_open(&vm, argv[optind]);
	/* A fork inherits the lock: it is held until both have ended. */
	if (!status)
		status = store_lock(&vm, &lock);
	if (!status)
		status = start_vm(&vm, &o);
	if (lock >= 0)
		close(lock);
	store_close(&vm);
	return status;
}

/* ---- stop ---- */

struct stop {
	bool force;
	uint32_t timeout_s;
};

static const struct cli_option stop_options[] = {
	{ "force", NULL, 0 },
	{ "timeout", "SECONDS", 0 },
	{ NULL, NULL, 0 },
};

static int stop_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	struct stop *o = opaque;

	if (!strcmp(option, "force"))
		o->force = true;
	else if (!cli_parse_number(value, 0, TIMEOUT_MAX, &o->timeout_s))
		return cli_usage_error(verb, "--%s: '%s' is no such value", option, value);
	return CLI_OK;
}

/* The process closes the socket when the guest has stopped, and leaves the lock when it ends. */
static bool wait_end(struct rpc *rpc, uint32_t timeout_s)
{
	const struct timespec pause = { .tv_nsec = SETTLE_MS * 1000000l };
	struct pollfd p = { .fd = rpc->fd, .events = POLLIN };

	if (poll(&p, 1, (int)timeout_s * 1000) < 1)
		return false;
	for (int n = 0; n < SETTLE_TRIES && store_alive(rpc->vm); n++)
		nanosleep(&pause, NULL);
	return !store_alive(rpc->vm);
}

static int stop_vm(struct rpc *rpc, const struct stop *o)
{
	cJSON *params = cJSON_CreateObject();
	int status;

	cJSON_AddBoolToObject(params, "force", o->force);
	status = rpc_call(rpc, "stop", params, NULL);
	if (status || wait_end(rpc, o->timeout_s))
		return status;
	cli_message("VM \"%s\" did not switch itself off within %u s; 'stop --force' cuts its "
		    "power",
		    rpc->vm->name, o->timeout_s);
	return CLI_ERROR;
}

static int stop(const struct cli_verb *verb, int argc, char **argv)
{
	struct stop o = { false, STOP_TIMEOUT_S };
	int status = cli_parse(verb, argc, argv, stop_option, &o, one);
	struct store_vm vm = { .dir = -1 };
	struct rpc *rpc = NULL;

	if (!status)
		status = rpc_open(argv[optind], &vm, &rpc);
	if (!status)
		status = stop_vm(rpc, &o);
	rpc_shut(&vm, rpc);
	return status;
}

/* ---- pause, resume, reset ---- */

static int no_options(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	return CLI_OK;
}

/* The method has the verb's name. */
static int call(const struct cli_verb *verb, int argc, char **argv)
{
	int status = cli_parse(verb, argc, argv, no_options, NULL, one);
	struct store_vm vm = { .dir = -1 };
	struct rpc *rpc = NULL;

	if (!status)
		status = rpc_open(argv[optind], &vm, &rpc);
	if (!status)
		status = rpc_call(rpc, verb->name, NULL, NULL);
	rpc_shut(&vm, rpc);
	return status;
}

/* ---- the table ---- */

#define CALL_STATUS                                                                             \
	"\nExit status: 0 done, 1 error, 2 wrong command line, 3 there is no such VM, 4 it is " \
	"not\n"                                                                                 \
	"in a state where that is possible.\n"

static const char start_usage[] =
	"usage: " CLI_NAME " start [--foreground] [--verbose] [--no-sandbox] NAME\n"
	"\n"
	"Starts a VM in a process of its own, and returns when the guest runs. The process "
	"outlives\n"
	"the terminal; it ends when the guest stops. 'console' shows the guest's console, 'logs'\n"
	"what it printed, 'logs --vm' what the process has to say.\n"
	"\n"
	"  --foreground  stay here until the guest has stopped, with its console on this terminal\n"
	"                (Ctrl-] cuts its power), as 'run'\n"
	"  --verbose     tell more in the process's log\n"
	"  --no-sandbox  for debugging: the process keeps all rights of yours\n"
	"\n"
	"SIGTERM to the process presses the power button; a second one, or 30 s, ends the VM.\n"
	"Exit status: 0 it runs, 1 error, 2 wrong command line or document, 3 there is no such "
	"VM,\n"
	"4 it runs already; with --foreground how the guest ended, as by 'run'.\n";

const struct cli_verb cli_verb_start = {
	.name = "start",
	.summary = "start a VM; returns when the guest runs",
	.usage = start_usage,
	.run = start,
	.options = start_options,
	.args = CLI_VM,
};

static const char stop_usage[] =
	"usage: " CLI_NAME " stop [--force] [--timeout SECONDS] NAME\n"
	"\n"
	"Asks the guest's agent to shut down, or presses the power button, and waits for the end.\n"
	"\n"
	"  --force            cut the power instead\n"
	"  --timeout SECONDS  how long to wait (60); after it the VM still runs\n" CALL_STATUS;

const struct cli_verb cli_verb_stop = {
	.name = "stop",
	.summary = "shut a VM's guest down, or cut its power",
	.usage = stop_usage,
	.run = stop,
	.options = stop_options,
	.args = CLI_VM,
};

static const char pause_usage[] = "usage: " CLI_NAME " pause NAME\n"
				  "\n"
				  "Stops a VM's CPUs where they are, until 'resume'.\n" CALL_STATUS;

const struct cli_verb cli_verb_pause = {
	.name = "pause",
	.summary = "stop a VM's CPUs where they are",
	.usage = pause_usage,
	.run = call,
	.args = CLI_VM,
};

static const char resume_usage[] = "usage: " CLI_NAME " resume NAME\n"
				   "\n"
				   "Lets a paused VM go on.\n" CALL_STATUS;

const struct cli_verb cli_verb_resume = {
	.name = "resume",
	.summary = "let a paused VM go on",
	.usage = resume_usage,
	.run = call,
	.args = CLI_VM,
};

static const char reset_usage[] = "usage: " CLI_NAME " reset NAME\n"
				  "\n"
				  "Presses a VM's reset button: the guest begins again at once, "
				  "and is not asked.\n" CALL_STATUS;

const struct cli_verb cli_verb_reset = {
	.name = "reset",
	.summary = "press a VM's reset button",
	.usage = reset_usage,
	.run = call,
	.args = CLI_VM,
	.seldom = true,
};

/* SPDX-License-Identifier: MIT */
/* A VM's process: makes the VM, serves its console, socket and signals until it has stopped. */
#include "process.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* How long to wait before typing on when the guest's receive queue is full. */
#define RETRY_MS 5

enum ending { GOES_ON, STOPPED, ESCAPED, SIGNALLED, OUTPUT_FAILED };

/* In raw mode a line feed alone does not return the carriage. */
static const char *line_end(const struct process *p)
{
	return p->terminal.raw && isatty(STDERR_FILENO) ? "\r\n" : "\n";
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t process_boot_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

/* ---- input ---- */

void input_type(struct process *p, struct input *in)
{
	struct mh_dev *console = p->parts.console;
	int n;

	if (!in->bytes)
		return;
	n = console ? mh_console_input(console, 0, in->data, in->bytes)
		    : mh_serial_input(p->vm, 0, in->data, in->bytes);
	if (n <= 0)
		return;
	in->bytes -= (size_t)n;
	memmove(in->data, in->data + n, in->bytes);
}

/* True when the escape key was pressed; what was typed before it still goes to the guest. */
static bool read_input(struct process *p)
{
	ssize_t n = read(STDIN_FILENO, p->input.data, sizeof(p->input.data));
	unsigned char *key = NULL;

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		p->input_open = false;
	if (n <= 0)
		return false;
	if (p->terminal.input && p->escape >= 0)
		key = memchr(p->input.data, p->escape, (size_t)n);
	p->input.bytes = key ? (size_t)(key - p->input.data) : (size_t)n;
	input_type(p, &p->input);
	return key != NULL;
}

/* ---- signals ---- */

static void on_shut_down(void *opaque, int rc, const char *text)
{
	struct process *p = opaque;

	/* The agent is lost when the guest goes down; else it would not. */
	if (rc && rc != MH_ESTATE)
		mh_vm_power_button(p->vm);
}

int process_shut_down(struct process *p)
{
	struct mh_agent *agent = mh_vm_agent(p->vm);

	if (agent && !mh_agent_shutdown(agent, MH_AGENT_OFF, on_shut_down, p))
		return 0;
	return mh_vm_power_button(p->vm);
}

/* They are to reach the loop and no other thread: before the library starts threads. */
static int block_signals(struct process *p)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	sigset_t set;

	sigemptyset(&set);
	for (size_t n = 0; n < sizeof(caught) / sizeof(caught[0]); n++)
		sigaddset(&set, caught[n]);
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	sigaddset(&set, SIGPIPE); /* only ever blocked: write says EPIPE */
	return sigprocmask(SIG_BLOCK, &set, &p->old_mask) || p->signals < 0 ? -1 : 0;
}

/* Ctrl-Z reaches the guest; this is for a SIGTSTP that somebody sent. */
static void suspend(struct process *p)
{
	terminal_cooked(&p->terminal);
	raise(SIGSTOP);
	terminal_raw(&p->terminal);
}

/* The first SIGTERM asks the guest to switch itself off, if it is given time for it. */
static bool ask_guest(struct process *p)
{
	if (!p->grace_s || p->deadline_ms || process_shut_down(p))
		return false;
	p->deadline_ms = now_ms() + p->grace_s * 1000ll;
	fprintf(stderr,
		CLI_NAME ": SIGTERM pressed the guest's power button; it has %u s, or until "
			 "another signal%s",
		p->grace_s, line_end(p));
	return true;
}

/* The number of a signal that ends the program, or 0. */
static int read_signal(struct process *p)
{
	struct signalfd_siginfo info;

	while (read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTSTP) {
			suspend(p);
			continue;
		}
		if (info.ssi_signo == SIGTERM && ask_guest(p))
			continue;
		/* A second signal kills, should stopping the VM take too long. */
		terminal_cooked(&p->terminal);
		sigprocmask(SIG_SETMASK, &p->old_mask, NULL);
		return (int)info.ssi_signo;
	}
	return 0;
}

/* ---- the loop ---- */

/* How long to wait for something to happen; -1: for ever. */
static int patience(const struct process *p)
{
	int64_t left = p->deadline_ms - now_ms();

	if (p->input.bytes || server_typing(p))
		return RETRY_MS;
	if (!p->deadline_ms)
		return -1;
	return left < 0 ? 0 : (int)left;
}

static void log_event(const struct process *p, const struct mh_event *event)
{
	if (!p->foreground)
		cli_message("%s", event->text);
}

static enum ending read_events(struct process *p)
{
	struct mh_event event = MH_EVENT_INIT;

	while (!mh_vm_event_read(p->vm, &event)) {
		log_event(p, &event);
		server_tell(p, &event);
	}
	return mh_vm_state(p->vm) == MH_VM_STOPPED ? STOPPED : GOES_ON;
}

enum { WAKE, SIGNALS, EVENTS, INPUT, SERVER, FDS = SERVER + SERVER_FDS };

/* poll, for those that are there alone: more than RLIMIT_NOFILE, even of -1, are an error. */
static int poll_used(struct pollfd fds[FDS], int timeout_ms)
{
	struct pollfd used[FDS];
	unsigned int n = 0;
	int ready;

	for (unsigned int i = 0; i < FDS; i++)
		if (fds[i].fd >= 0)
			used[n++] = fds[i];
	ready = poll(used, n, timeout_ms);
	for (unsigned int i = FDS; i--;)
		if (fds[i].fd >= 0)
			fds[i].revents = ready > 0 ? used[--n].revents : 0;
	return ready;
}

static enum ending step(struct process *p, int *detail)
{
	struct pollfd fds[FDS] = {
		[WAKE] = { .fd = p->output.wake, .events = POLLIN },
		[SIGNALS] = { .fd = p->signals, .events = POLLIN },
		[EVENTS] = { .fd = p->events, .events = POLLIN },
		[INPUT] = { .fd = p->input_open && !p->input.bytes ? STDIN_FILENO : -1,
			    .events = POLLIN },
	};
	uint64_t count;

	server_fill(p, &fds[SERVER]);
	if (poll_used(fds, patience(p)) < 0)
		return GOES_ON;
	while (fds[WAKE].revents && read(p->output.wake, &count, sizeof(count)) > 0)
		continue;
	if (output_log_full(&p->output))
		output_new_log(&p->output, steward_new_log(&p->steward));
	*detail = atomic_load_explicit(&p->output.error, memory_order_acquire);
	if (*detail)
		return OUTPUT_FAILED;
	if (fds[EVENTS].revents && read_events(p) == STOPPED)
		return STOPPED;
	if (fds[SIGNALS].revents && (*detail = read_signal(p)))
		return SIGNALLED;
	if (p->deadline_ms && now_ms() >= p->deadline_ms) {
		*detail = SIGTERM;
		return SIGNALLED;
	}
	if (fds[INPUT].revents && read_input(p))
		return ESCAPED;
	input_type(p, &p->input);
	server_serve(p, &fds[SERVER]);
	return GOES_ON;
}

/* ---- the end ---- */

static void print_stats(struct process *p)
{
	uint64_t number[CONTROL_NUMBERS];

	fprintf(stderr, "vCPU %12s %12s %12s %12s %12s %12s\n", "entries", "user exits",
		"page faults", "halts", "interrupts", "doorbells");
	for (uint32_t i = 0; i < p->info.cpus; i++) {
		if (!control_numbers(p, i, number))
			continue;
		fprintf(stderr, "%4u", i);
		for (unsigned int n = 0; n < CONTROL_NUMBERS; n++)
			fprintf(stderr, " %12llu", (unsigned long long)number[n]);
		fprintf(stderr, "\n");
	}
}

/* Why a VM that stopped by itself did so, as an exit status and in words. */
static int stop_status(struct process *p)
{
	enum mh_stop_reason reason = mh_vm_stop_reason(p->vm);

	switch (reason) {
	case MH_STOP_POWEROFF:
		return CLI_OK;
	case MH_STOP_RESET:
		cli_message("the guest reset itself");
		return CLI_RESET;
	case MH_STOP_WATCHDOG:
		cli_message("%s", mh_vm_stop_text(p->vm));
		return CLI_WATCHDOG;
	case MH_STOP_SHUTDOWN:
	case MH_STOP_ERROR:
		cli_message("%s", mh_vm_stop_text(p->vm));
		return reason == MH_STOP_SHUTDOWN ? CLI_SHUTDOWN : CLI_ERROR;
	case MH_STOP_NONE:
	case MH_STOP_REQUEST:
		break;
	}
	cli_message("the VM was stopped");
	return p->store ? CLI_OK : CLI_ERROR;
}

static int end_status(struct process *p, enum ending how, int detail)
{
	switch (how) {
	case ESCAPED:
		return CLI_QUIT;
	case SIGNALLED:
		return CLI_SIGNALLED + detail;
	case OUTPUT_FAILED:
		cli_message("cannot write the guest's output: %s", strerror(detail));
		return CLI_ERROR;
	case STOPPED:
	case GOES_ON:
		break;
	}
	return stop_status(p);
}

/* Serves the started VM until it has stopped; the window is as it was when this returns. */
static int serve(struct process *p)
{
	enum ending how;
	int detail = 0, status;

	do
		how = step(p, &detail);
	while (how == GOES_ON);
	if (how != STOPPED)
		mh_vm_stop(p->vm);
	/* Who looks at the console or at events is to see the last of it. */
	read_events(p);
	server_fini(p);
	terminal_restore(&p->terminal);
	status = end_status(p, how, detail);
	if (p->store)
		steward_set_state(&p->steward, control_reason(mh_vm_stop_reason(p->vm)),
				  mh_vm_stop_text(p->vm));
	if (p->stats)
		print_stats(p);
	return status;
}

/* ---- the beginning ---- */

static void log_line(void *opaque, enum mh_log_level level, const char *text)
{
	fprintf(stderr, "%s: %s%s", CLI_NAME, text, line_end(opaque));
}

static int system_error(const char *what)
{
	cli_message("%s: %s", what, strerror(errno));
	return CLI_ERROR;
}

static int start_terminal(struct process *p)
{
	char key[16];

	if (!p->foreground)
		return CLI_OK;
	p->input_open = true;
	if (terminal_raw(&p->terminal))
		return system_error("cannot switch the terminal to raw mode");
	if (!p->terminal.raw || p->escape < 0)
		return CLI_OK;
	cli_key_name(p->escape, key, sizeof(key));
	fprintf(stderr, "%s: %s ends the VM\r\n", CLI_NAME, key);
	return CLI_OK;
}

/* The VM runs: who started it may go. */
static void announce(struct process *p)
{
	p->started_s = time(NULL);
	p->started_ms = process_boot_ms();
	if (p->store)
		steward_set_state(&p->steward, NULL, NULL);
	if (p->ready >= 0) {
		while (write(p->ready, "", 1) < 0 && errno == EINTR)
			continue;
		close(p->ready);
		dup2(STDOUT_FILENO, STDERR_FILENO);
	}
}

static int run_vm(struct process *p)
{
	int status = start_terminal(p), error;

	if (status)
		return status;
	p->events = mh_vm_events_fd(p->vm);
	desk_init(p);
	status = confine(p);
	if (status) {
		terminal_restore(&p->terminal);
		return status;
	}
	error = p->events < 0 ? p->events : mh_vm_start(p->vm);
	if (error) {
		terminal_restore(&p->terminal);
		return cli_library_error(p->ctx, error);
	}
	announce(p);
	if (!p->foreground || p->verbose)
		confine_tell(p);
	return serve(p);
}

static int make_vm(struct process *p)
{
	int status, error;

	p->parts = (struct mh_config_parts)MH_CONFIG_PARTS_INIT;
	p->parts.output = output_add;
	p->parts.opaque = &p->output;
	error = mh_config_create(p->ctx, p->config, &p->parts, &p->vm);
	if (error)
		return cli_library_error(p->ctx, error);
	if (p->store && server_init(p))
		status = system_error("cannot make the control socket");
	else
		status = vnc_begin(p);
	if (!status)
		status = run_vm(p);
	vnc_end(p);
	server_fini(p);
	desk_fini(p);
	mh_vm_destroy(p->vm);
	return status;
}

int process_run(struct process *p)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	int status, error;

	p->info = (struct mh_config_info)MH_CONFIG_INFO_INIT;
	mh_config_info(p->config, &p->info);
	p->server.listen = -1;
	p->signals = -1;
	config.engine = (enum mh_engine_kind)p->info.engine;
	config.log = log_line;
	config.log_opaque = p;
	if (p->verbose)
		config.log_level = MH_LOG_DEBUG;
	terminal_init(&p->terminal);
	p->steward = (struct steward){ .store = p->store, .fd = -1 };
	if (!p->no_sandbox && confine_note_strangers(p)) {
		status = system_error("cannot see what is open");
	} else if (!p->no_sandbox && steward_start(&p->steward, p->store)) {
		status = system_error("cannot make a process");
	} else if (output_init(&p->output, p->store, p->foreground ? &p->terminal : NULL) ||
		   block_signals(p)) {
		status = system_error("cannot prepare the console");
	} else {
		status = confine_apart(p);
		error = status ? 0 : mh_ctx_create(&config, &p->ctx);
		if (error)
			status = cli_library_error(NULL, error);
		if (!status)
			status = make_vm(p);
		mh_ctx_destroy(p->ctx);
	}
	terminal_restore(&p->terminal);
	output_fini(&p->output);
	if (p->signals >= 0)
		close(p->signals);
	steward_end(&p->steward);
	free(p->strange);
	return status;
}

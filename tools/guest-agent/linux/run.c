/* SPDX-License-Identifier: MIT */
/* Programs that the host runs: their streams and their end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "spawn.h"

/* Whoever was started by a program that has ended may still write, for so long. */
#define GRACE_MS 1000u

struct program {
	struct program *next;
	struct agent *agent;
	struct ga_request *request;
	struct watch *pipes[3];
	pid_t pid;
	bool ended; /* pid is nobody's any more */
	int status; /* as of waitpid */
	uint64_t grace_ms;
	uint8_t *input; /* [MHI_AGENT_WINDOW_BYTES]: what the program has not read yet */
	size_t input_bytes;
	bool input_ends;
};

static void free_program(struct program *p)
{
	struct program **at = &p->agent->programs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	for (int n = 0; n < 3; n++)
		loop_close(&p->pipes[n]);
	free(p->input);
	free(p);
}

/* The last output, or nobody writes any more: tell how it ended. */
static void finish(struct program *p)
{
	struct mhi_msg_exec_exit msg = { 0 };
	struct ga_request *r = p->request;

	if (WIFEXITED(p->status))
		msg.status = WEXITSTATUS(p->status);
	else
		msg.signal = (uint32_t)WTERMSIG(p->status);
	free_program(p);
	r->ops = NULL;
	ga_reply(r, MHI_MSG_EXEC_EXIT, &msg);
	ga_done(r);
}

/* ---- output ---- */

static void watch_output(struct program *p)
{
	size_t room = ga_room(p->request);

	for (int n = 1; n < 3; n++)
		if (p->pipes[n])
			p->pipes[n]->events = room ? POLLIN : 0;
}

static void read_output(struct program *p, uint32_t stream)
{
	uint8_t data[GA_CHUNK];
	size_t room = ga_room(p->request);
	ssize_t n = room ? read(p->pipes[stream]->fd, data, room) : -1;

	if (n > 0)
		ga_data(p->request, stream, data, (size_t)n);
	else if (n == 0 || (room && errno != EAGAIN && errno != EINTR))
		loop_close(&p->pipes[stream]);
	watch_output(p);
}

static void output_1(void *opaque, short revents)
{
	read_output(opaque, 1);
}

static void output_2(void *opaque, short revents)
{
	read_output(opaque, 2);
}

static void more_room(struct ga_request *r)
{
	watch_output(r->data);
}

/* ---- input ---- */

/* What a program does not want to read is read for it, so that the host does not wait for ever. */
static void drop_input(struct program *p)
{
	if (p->input_bytes)
		ga_credit(p->request, p->input_bytes);
	p->input_bytes = 0;
	loop_close(&p->pipes[0]);
}

static void write_input(void *opaque, short revents)
{
	struct program *p = opaque;
	ssize_t n = p->input_bytes ? write(p->pipes[0]->fd, p->input, p->input_bytes) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		drop_input(p);
		return;
	}
	if (n > 0) {
		p->input_bytes -= (size_t)n;
		memmove(p->input, p->input + n, p->input_bytes);
		ga_credit(p->request, (uint64_t)n);
	}
	p->pipes[0]->events = p->input_bytes ? POLLOUT : 0;
	if (!p->input_bytes && p->input_ends)
		loop_close(&p->pipes[0]);
}

/* The credit for it is what there is room for. */
static void got_input(struct ga_request *r, uint32_t stream, const uint8_t *data, uint32_t bytes)
{
	struct program *p = r->data;

	if (!p->pipes[0] || stream || p->input_ends) {
		if (bytes)
			ga_credit(r, bytes);
		return;
	}
	memcpy(p->input + p->input_bytes, data, bytes);
	p->input_bytes += bytes;
	p->input_ends = !bytes;
	write_input(p, 0);
}

/* ---- the request ---- */

static void got_message(struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct program *p = r->data;

	if (msg->type == MHI_MSG_EXEC_KILL && !p->ended && msg->u.exec_kill.signal &&
	    msg->u.exec_kill.signal < NSIG)
		kill(-p->pid, (int)msg->u.exec_kill.signal);
}

static void is_over(struct ga_request *r, uint32_t code, const char *text)
{
	struct program *p = r->data;

	if (!p->ended)
		kill(-p->pid, SIGKILL);
	free_program(p);
}

static bool watch_pipes(struct program *p, const struct spawn *what)
{
	static watch_fn *const fns[] = { write_input, output_1, output_2 };
	bool all = true;

	for (int n = 0; n < 3; n++) {
		if (what->pipes[n] < 0)
			continue;
		p->pipes[n] = loop_watch(&p->agent->loop, what->pipes[n], fns[n], p);
		if (p->pipes[n])
			continue;
		close(what->pipes[n]);
		all = false;
	}
	return all;
}

static void attach(struct program *p, struct ga_request *r, const struct spawn *what)
{
	static const struct ga_request_ops ops = {
		.data = got_input, .room = more_room, .message = got_message, .over = is_over
	};

	p->request = r;
	p->pid = what->pid;
	p->next = p->agent->programs;
	p->agent->programs = p;
	r->ops = &ops;
	r->data = p;
	if (!watch_pipes(p, what)) {
		is_over(r, MHI_AGENT_BUSY, "");
		r->ops = NULL;
		ga_end(r, MHI_AGENT_BUSY, "too many programs run");
		return;
	}
	watch_output(p);
}

static void exec_start(struct agent *agent, struct ga_request *r, struct spawn *what)
{
	struct program *p = calloc(1, sizeof(*p));
	struct ga_failure why = { MHI_AGENT_FAILED, "no memory" };

	if (p)
		p->input = malloc(MHI_AGENT_WINDOW_BYTES);
	if (!p || !p->input || spawn(what, &why)) {
		if (p)
			free(p->input);
		free(p);
		ga_end(r, why.code, "%s", why.text);
		return;
	}
	p->agent = agent;
	attach(p, r, what);
}

void run_exec(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	const struct mhi_msg_exec *m = &msg->u.exec;
	struct spawn what = { .directory = m->directory, .user = m->user, .streams = m->flags };

	if (ga_exec_init(&what.strings, m))
		ga_end(r, MHI_AGENT_INVALID, "the program's arguments are none");
	else if (r)
		exec_start(os, r, &what);
	ga_exec_fini(&what.strings);
}

/* ---- ends ---- */

void run_reap(struct agent *agent)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (struct program *p = agent->programs; p; p = p->next) {
			if (p->pid != pid || p->ended)
				continue;
			p->ended = true;
			p->status = status;
			p->grace_ms = loop_now() + GRACE_MS;
			break;
		}
	}
}

/* Output that waits for the host's credit does not miss its time. */
static bool is_due(struct program *p, uint64_t now)
{
	if (!p->pipes[1] && !p->pipes[2])
		return true;
	if (!ga_room(p->request))
		p->grace_ms = now + GRACE_MS;
	loop_wake(&p->agent->loop, p->grace_ms);
	return now >= p->grace_ms;
}

void run_step(struct agent *agent)
{
	uint64_t now = loop_now();

	for (struct program *p = agent->programs, *next; p; p = next) {
		next = p->next;
		if (p->ended && is_due(p, now))
			finish(p);
	}
}

void run_fini(struct agent *agent)
{
	while (agent->programs)
		free_program(agent->programs);
}

int run_detached(char *const arguments[])
{
	struct spawn what = { .strings = { (char **)(uintptr_t)arguments, NULL },
			      .directory = "/",
			      .user = "" };
	char *none[] = { NULL };
	struct ga_failure why;

	what.strings.environment = none;
	return spawn(&what, &why);
}

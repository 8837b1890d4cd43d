// SPDX-License-Identifier: MIT
/* Runs the CLI on pipes and on pseudo-terminals: what a script and a person see. */
#include "cli_run.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000

void start(struct run *r, int in, int out, char *const *args)
{
	r->pid = fork();
	ck_assert_int_ge(r->pid, 0);
	if (r->pid)
		return;
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	execv(CLI_PATH, args);
	_exit(126);
}

/* The CLI on a new terminal that it controls. */
void start_tty(struct run *r, char *const *args)
{
	memset(r, 0, sizeof(*r));
	r->pid = forkpty(&r->in, NULL, NULL, NULL);
	ck_assert_int_ge(r->pid, 0);
	if (!r->pid) {
		/* The parent reads the terminal's mode before the CLI can change it. */
		raise(SIGSTOP);
		execv(CLI_PATH, args);
		_exit(126);
	}
	waitpid(r->pid, NULL, WUNTRACED);
	ck_assert_int_eq(tcgetattr(r->in, &r->before), 0);
	kill(r->pid, SIGCONT);
	r->out = r->in;
}

void start_pipes(struct run *r, char *const *args)
{
	int in[2], out[2];

	memset(r, 0, sizeof(*r));
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	start(r, in[0], out[1], args);
	close(in[0]);
	close(out[1]);
	r->in = in[1];
	r->out = out[0];
}

/* Reads more output; false at its end. */
static bool more(struct run *r)
{
	struct pollfd p = { .fd = r->out, .events = POLLIN };
	ssize_t n;

	ck_assert_msg(poll(&p, 1, WAIT_MS) == 1, "no output for %d ms after: %s", WAIT_MS, r->text);
	n = read(r->out, r->text + r->bytes, sizeof(r->text) - 1 - r->bytes);
	if (n <= 0)
		return false;
	r->bytes += (size_t)n;
	r->text[r->bytes] = 0;
	return true;
}

void expect(struct run *r, const char *text)
{
	while (!strstr(r->text, text))
		ck_assert_msg(more(r), "output ended without '%s': %s", text, r->text);
}

void type(struct run *r, const char *text)
{
	ck_assert_int_eq(write(r->in, text, strlen(text)), (ssize_t)strlen(text));
}

/* Reads to the end and returns the exit status. */
int finish(struct run *r)
{
	int status;

	while (more(r))
		continue;
	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	ck_assert_msg(WIFEXITED(status), "killed by signal %d: %s", WTERMSIG(status), r->text);
	return WEXITSTATUS(status);
}

/* Runs to the end without input; the output is in r->text. */
int run_plain(struct run *r, char *const *args)
{
	int status;

	start_pipes(r, args);
	close(r->in);
	status = finish(r);
	close(r->out);
	return status;
}

unsigned int lines_of(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

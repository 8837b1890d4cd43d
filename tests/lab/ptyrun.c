/* SPDX-License-Identifier: MIT */
/*
 * Runs a command on a pseudo-terminal of its own and plays a person at it: waits for texts, types,
 * looks at the terminal's mode. What the command prints goes to standard output. Fails if the
 * terminal is not afterwards as it was before, unless the command was killed.
 *
 * usage: ptyrun STEP... -- COMMAND ARG...
 *   -x TEXT  wait until TEXT was printed (after the last match)
 *   -s TEXT  type TEXT; \r \n \e \\ and \xHH as in C
 *   -r       the terminal must be in raw mode now
 *   -k N     send signal N to the command
 *   -c TEXT  run TEXT with sh beside the command; it must succeed
 *   -t SEC   wait so long at most in each later step (default 60); if SLOWER is in the environment,
 *            that many times as long
 * Exit status: the command's (128+N for a signal), 99 when a step failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FAILED 99

struct play {
	pid_t pid;
	int master;
	int keep; /* a second holder, so that the mode can be read when the command has ended */
	int status;
	bool ended;
	struct termios before;
	char text[1 << 20];
	size_t bytes, matched; /* what was printed, and up to where -x has matched */
	int seconds;
};

static void fail(const char *what, const char *detail)
{
	fprintf(stderr, "\nptyrun: %s%s\n", what, detail);
	exit(FAILED);
}

static void start(struct play *p, char **command)
{
	char name[64];

	p->pid = forkpty(&p->master, name, NULL, NULL);
	if (p->pid < 0)
		fail("no pseudo-terminal: ", strerror(errno));
	if (!p->pid) {
		/* The parent reads the mode first. */
		raise(SIGSTOP);
		execvp(command[0], command);
		fprintf(stderr, "ptyrun: %s: %s\n", command[0], strerror(errno));
		_exit(126);
	}
	waitpid(p->pid, NULL, WUNTRACED);
	p->keep = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->keep < 0 || tcgetattr(p->keep, &p->before))
		fail("cannot read the terminal's mode: ", strerror(errno));
	kill(p->pid, SIGCONT);
}

/* Takes what was printed within a tenth of a second. */
static void listen_once(struct play *p)
{
	struct pollfd fd = { .fd = p->master, .events = POLLIN };
	ssize_t n;

	if (!p->ended && waitpid(p->pid, &p->status, WNOHANG) == p->pid)
		p->ended = true;
	if (poll(&fd, 1, p->ended ? 0 : 100) <= 0 || !(fd.revents & POLLIN))
		return;
	if (p->bytes > sizeof(p->text) - 4097) {
		memmove(p->text, p->text + p->matched, p->bytes - p->matched);
		p->bytes -= p->matched;
		p->matched = 0;
	}
	if (p->bytes > sizeof(p->text) - 4097)
		fail("too much output", "");
	n = read(p->master, p->text + p->bytes, 4096);
	if (n <= 0)
		return;
	if (write(STDOUT_FILENO, p->text + p->bytes, (size_t)n) < 0)
		fail("cannot write: ", strerror(errno));
	p->bytes += (size_t)n;
	p->text[p->bytes] = '\0';
}

/* What is waited for at most: more in a host that tests/run knows to be slow. */
static int patience(const struct play *p)
{
	const char *slower = getenv("SLOWER");

	return p->seconds * (slower ? (int)strtol(slower, NULL, 10) : 1);
}

static void expect(struct play *p, const char *text)
{
	time_t end = time(NULL) + patience(p);
	char *at;

	while (!(at = strstr(p->text + p->matched, text))) {
		size_t before = p->bytes;

		listen_once(p);
		if (p->ended && p->bytes == before)
			fail("the command ended without printing: ", text);
		if (time(NULL) > end)
			fail("this was not printed in time: ", text);
	}
	p->matched = (size_t)(at - p->text) + strlen(text);
}

/* One character of the step's text, behind a backslash or not. */
static char next_char(const char **text)
{
	static const char names[] = "rne\\", values[] = "\r\n\033\\";
	char hex[3] = { 0 };
	const char *name;
	char c = *(*text)++;

	if (c != '\\' || !**text)
		return c;
	c = *(*text)++;
	name = strchr(names, c);
	if (name)
		return values[name - names];
	if (c != 'x' || !(*text)[0] || !(*text)[1])
		fail("bad escape in: ", *text);
	memcpy(hex, *text, 2);
	*text += 2;
	return (char)strtol(hex, NULL, 16);
}

static void type(struct play *p, const char *text)
{
	while (*text) {
		char c = next_char(&text);

		if (write(p->master, &c, 1) != 1)
			fail("cannot type: ", strerror(errno));
	}
}

static void must_be_raw(struct play *p)
{
	struct termios now;

	tcgetattr(p->keep, &now);
	if (now.c_lflag & (ICANON | ECHO | ISIG))
		fail("the terminal is not in raw mode", "");
}

static void must_be_restored(struct play *p)
{
	struct termios now;

	tcgetattr(p->keep, &now);
	if (now.c_lflag != p->before.c_lflag || now.c_iflag != p->before.c_iflag ||
	    now.c_oflag != p->before.c_oflag || now.c_cflag != p->before.c_cflag ||
	    memcmp(now.c_cc, p->before.c_cc, sizeof(now.c_cc)))
		fail("the terminal was not left as it was", "");
}

/* Runs beside the command, whose output is taken meanwhile. */
static void run_beside(struct play *p, const char *text)
{
	time_t end = time(NULL) + patience(p);
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		fail("cannot fork: ", strerror(errno));
	if (!pid) {
		execl("/bin/sh", "sh", "-c", text, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		listen_once(p);
		if (time(NULL) > end)
			fail("this did not end in time: ", text);
	}
	if (status)
		fail("this failed: ", text);
}

static void step(struct play *p, int option, const char *value)
{
	switch (option) {
	case 'x':
		expect(p, value);
		break;
	case 's':
		type(p, value);
		break;
	case 'r':
		must_be_raw(p);
		break;
	case 'k':
		kill(p->pid, (int)strtol(value, NULL, 10));
		break;
	case 'c':
		run_beside(p, value);
		break;
	case 't':
		p->seconds = (int)strtol(value, NULL, 10);
		break;
	default:
		fail("unknown step", "");
	}
}

int main(int argc, char **argv)
{
	static const char steps[] = "+x:s:rk:c:t:";
	struct play *p = calloc(1, sizeof(*p));
	time_t end;
	int option;

	if (!p)
		return FAILED;
	p->seconds = 60;
	/* Twice through the options: to find the command, then to play them. */
	while ((option = getopt(argc, argv, steps)) != -1)
		if (option == '?')
			return FAILED;
	if (optind >= argc)
		fail("no command", "");
	start(p, argv + optind);
	optind = 1;
	while ((option = getopt(argc, argv, steps)) != -1)
		step(p, option, optarg);
	end = time(NULL) + patience(p);
	while (!p->ended) {
		listen_once(p);
		if (time(NULL) > end)
			fail("the command did not end", "");
	}
	listen_once(p);
	/* Nobody can after SIGKILL. */
	if (!WIFSIGNALED(p->status) || WTERMSIG(p->status) != SIGKILL)
		must_be_restored(p);
	return WIFEXITED(p->status) ? WEXITSTATUS(p->status) : 128 + WTERMSIG(p->status);
}

// SPDX-License-Identifier: MIT
/*
 * The life cycle of VMs by the CLI, over a fake library whose guest is a thread: create, start in
 * the background, list, console, pause, crash, stop, destroy; what others would do at the same
 * time.
 */
#include "cli_run.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME "Windows 11"
#define NOT_FOUND 3
#define STATE 4
#define STARTERS 8

/* Runs a command and returns its status; *said is what it printed, valid until the next call. */
static int cli(const char **said, char *const *args)
{
	static struct run r;
	int status = run_plain(&r, args);

	if (said)
		*said = r.text;
	return status;
}

#define expect_status(status, ...)                                             \
	do {                                                                   \
		const char *said_;                                             \
		int got_ = cli(&said_, ARGS(__VA_ARGS__));                     \
		ck_assert_msg(got_ == (status), "status %d: %s", got_, said_); \
	} while (0)

#define expect_said(status, text, ...)                                                          \
	do {                                                                                    \
		const char *said_;                                                              \
		int got_ = cli(&said_, ARGS(__VA_ARGS__));                                      \
		ck_assert_msg(got_ == (status) && strstr(said_, (text)), "status %d: %s", got_, \
			      said_);                                                           \
	} while (0)

/* The first number behind "KEY": in the list of VMs. */
static long listed(const char *key)
{
	const char *said, *at;
	char quoted[64];

	ck_assert_int_eq(cli(&said, ARGS("list", "--json")), 0);
	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(said, quoted);
	ck_assert_msg(at != NULL, "no %s in %s", key, said);
	return strtol(at + strlen(quoted), NULL, 10);
}

static void wait_state(const char *state)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	const char *said = "";

	for (int n = 0; n < 500; n++) {
		ck_assert_int_eq(cli(&said, ARGS("list")), 0);
		if (strstr(said, state))
			return;
		nanosleep(&pause, NULL);
	}
	ck_abort_msg("never %s: %s", state, said);
}

static void kill_vm(void)
{
	ck_assert_int_eq(kill((pid_t)listed("pid"), SIGKILL), 0);
	wait_state("crashed");
}

static void set_up(void)
{
	expect_status(0, "create", "--name", NAME, "--memory", "4096", "--cpus", "2", "--disk",
		      "win11.qcow2", "--kernel", "k");
}

static void tear_down(void)
{
	expect_status(0, "destroy", NAME);
	expect_said(0, "NAME  STATE", "list");
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(whole_life)
{
	set_up();
	expect_said(0, NAME "  created               2    4096 MiB         -  serial", "list");
	expect_said(0, "\"name\":\t\"" NAME "\"", "show", NAME);
	expect_said(STATE, "there is a VM \"" NAME "\" already", "create", "--name", NAME);
	expect_said(0, "", "start", NAME);
	expect_said(0, NAME "  running ", "list");
	expect_said(STATE, "VM \"" NAME "\" is running", "start", NAME);
	expect_said(STATE, "is running", "destroy", NAME);
	expect_status(0, "pause", NAME);
	expect_said(0, NAME "  paused ", "list");
	expect_said(STATE, "another state", "pause", NAME);
	expect_status(0, "resume", NAME);
	expect_said(0, "12345", "stats", NAME);
	expect_said(0, "\"entries\":\t12345", "stats", "--json", NAME);
	expect_status(0, "send-key", "--delay", "0", NAME, "a", "ctrl-ALT-Delete");
	expect_said(0, "key 29 1\nkey 56 1\nkey 111 1\nkey 111 0\nkey 56 0\nkey 29 0\n", "logs",
		    "--vm", NAME);
	expect_said(1, "the guest is busy", "send-key", NAME, "a", "unknown", "b");
	expect_said(2, "'nokey' is no key", "send-key", NAME, "a", "ctrl-nokey");
	expect_said(2, "VM is missing", "send-key", NAME);
	expect_status(0, "reset", NAME);
	expect_status(0, "stop", NAME);
	expect_said(0, NAME "  stopped (poweroff)", "list");
	expect_said(0, "READY\r\nREADY\r\nBUTTON\r\n", "logs", NAME);
	expect_said(0, "the VM is paused", "logs", "--vm", NAME);
	expect_said(STATE, "is not running", "stop", NAME);
	/* Logs go on over starts. */
	expect_status(0, "start", NAME);
	expect_status(0, "pause", NAME);
	expect_status(0, "stop", NAME);
	expect_said(0, "BUTTON\r\nREADY\r\nBUTTON\r\n", "logs", NAME);
	tear_down();
}
END_TEST

START_TEST(crash_and_again)
{
	char path[256];

	set_up();
	snprintf(path, sizeof(path), "%s/macrohard/vms/" NAME "/control", getenv("XDG_STATE_HOME"));
	expect_status(0, "start", "--no-sandbox", NAME);
	kill_vm();
	expect_said(STATE, "is not running", "pause", NAME);
	/* The socket that it left is in nobody's way. */
	ck_assert_int_eq(access(path, F_OK), 0);
	expect_status(0, "start", NAME);
	kill_vm();
	/* Where it had a steward, he removes it. */
	for (int n = 0; n < 500 && !access(path, F_OK); n++)
		nanosleep(&(const struct timespec){ .tv_nsec = 20000000 }, NULL);
	ck_assert_int_eq(access(path, F_OK), -1);
	expect_status(0, "start", NAME);
	expect_said(0, NAME "  running ", "list");
	expect_status(0, "stop", "--force", NAME);
	expect_said(0, NAME "  stopped (request)", "list");
	ck_assert_int_eq(access(path, F_OK), -1);
	tear_down();
}
END_TEST

/* Of all who start it at once one wins. */
START_TEST(starts_at_once)
{
	pid_t pid[STARTERS];
	int won = 0, status;

	set_up();
	for (int n = 0; n < STARTERS; n++) {
		pid[n] = fork();
		if (!pid[n]) {
			int null = open("/dev/null", O_RDWR | O_CLOEXEC);

			dup2(null, 1);
			dup2(null, 2);
			execv(CLI_PATH, ARGS("start", NAME));
			_exit(126);
		}
	}
	for (int n = 0; n < STARTERS; n++) {
		ck_assert_int_eq(waitpid(pid[n], &status, 0), pid[n]);
		ck_assert(WIFEXITED(status));
		won += WEXITSTATUS(status) == 0;
		ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == STATE);
	}
	ck_assert_int_eq(won, 1);
	expect_status(0, "stop", "--timeout", "30", NAME);
	tear_down();
}
END_TEST

/* Who comes late sees what was said; the key leaves, and the VM goes on. */
START_TEST(console)
{
	struct run r, other;

	set_up();
	expect_status(0, "start", NAME);
	start_tty(&r, ARGS("console", NAME));
	expect(&r, "Ctrl-] leaves the console");
	expect(&r, "READY");
	type(&r, "hello\r");
	expect(&r, "got hello");
	start_tty(&other, ARGS("console", "--escape", "ctrl-a", NAME));
	expect(&other, "READY\r\ngot hello");
	type(&other, "from the other\r");
	expect(&r, "got from the other");
	type(&r, "\x1d");
	ck_assert_int_eq(finish(&r), 0);
	close(r.in);
	type(&other, "still\r");
	expect(&other, "got still");
	expect_status(0, "stop", NAME);
	expect(&other, "VM \"" NAME "\" has ended");
	ck_assert_int_eq(finish(&other), 0);
	close(other.in);
	expect_said(STATE, "is not running", "console", NAME);
	tear_down();
}
END_TEST

START_TEST(events_and_logs_that_follow)
{
	struct run events, logs;

	set_up();
	expect_said(STATE, "never started", "logs", NAME);
	expect_status(0, "start", NAME);
	start_pipes(&events, ARGS("events", "--json", NAME));
	start_pipes(&logs, ARGS("logs", "-f", NAME));
	expect(&logs, "READY");
	/* Until its request was heard nothing is told. */
	while (!poll(&(struct pollfd){ .fd = events.out, .events = POLLIN }, 1, 0)) {
		expect_status(0, "pause", NAME);
		expect_status(0, "resume", NAME);
	}
	expect_status(0, "pause", NAME);
	expect(&events, "\"kind\":\"state\",\"state\":\"paused\"");
	expect_status(0, "stop", NAME);
	ck_assert_int_eq(finish(&events), 0);
	ck_assert_ptr_nonnull(strstr(events.text, "\"reason\":\"poweroff\""));
	ck_assert_int_eq(finish(&logs), 0);
	ck_assert_ptr_nonnull(strstr(logs.text, "BUTTON"));
	close(events.in);
	close(events.out);
	close(logs.in);
	close(logs.out);
	/* What was put aside comes first. */
	write_file("state/macrohard/vms/" NAME "/console.log.1", "long ago\n");
	write_file("state/macrohard/vms/" NAME "/vm.log.1", "as long ago\n");
	expect_said(0, "long ago\nREADY", "logs", NAME);
	expect_said(0, "as long ago\nmemory", "logs", "--vm", NAME);
	tear_down();
}
END_TEST

START_TEST(guest_that_does_not_listen)
{
	struct run r;

	set_up();
	expect_status(0, "start", NAME);
	start_pipes(&r, ARGS("console", NAME));
	type(&r, "deaf\n");
	expect(&r, "got deaf");
	expect_said(1, "did not switch itself off within 0 s; 'stop --force'", "stop", "--timeout",
		    "0", NAME);
	expect_said(0, "running", "list");
	expect_status(0, "stop", "--force", NAME);
	ck_assert_int_eq(finish(&r), 0);
	close(r.in);
	close(r.out);
	tear_down();
}
END_TEST

START_TEST(in_the_foreground)
{
	struct run r;

	set_up();
	start_tty(&r, ARGS("start", "--foreground", NAME));
	expect(&r, "READY");
	expect_said(0, "running", "list");
	type(&r, "triple\r");
	expect(&r, "the guest's last words");
	ck_assert_int_eq(finish(&r), 11);
	close(r.in);
	expect_said(0, NAME "  stopped (shutdown)", "list");
	expect_said(0, "last words", "list", "--json");
	tear_down();
}
END_TEST

START_TEST(what_cannot_be_started)
{
	expect_status(0, "create", "--name", NAME);
	expect_said(1, "/boot: missing, and there is no disk to boot from", "start", NAME);
	expect_said(0, NAME "  created", "list");
	expect_status(0, "destroy", NAME);
	expect_status(0, "create", "--name", "no-module", "--kernel", "k");
	expect_said(1, "'macrohard-hypervisor probe' examines", "start", "no-module");
	expect_status(0, "destroy", "no-module");
	expect_said(1, "a new disk is made by --disk FILE,size=64G", "create", "--name", NAME,
		    "--disk", "none");
	expect_said(2, "/devices/disks/1/path: the same as /devices/disks/0/path", "create",
		    "--name", NAME, "--disk", "k", "--disk", "k");
	expect_said(2, "--name NAME is missing", "create");
	expect_said(2, "VM is missing", "start");
	expect_said(2, "'b' belongs to no option", "start", "a", "b");
	expect_said(2, "unknown option '--frob'", "stop", "--frob", "a");
	expect_said(2, "--timeout: 'x' is no such value", "stop", "--timeout", "x", "a");
	expect_said(0, "NAME  STATE", "list");
}
END_TEST

START_TEST(no_such_vm)
{
	static char *const verbs[] = { "start", "stop", "pause",   "resume", "reset",  "destroy",
				       "show",	"edit", "console", "logs",   "events", "stats" };

	for (size_t n = 0; n < sizeof(verbs) / sizeof(verbs[0]); n++)
		expect_said(NOT_FOUND, "there is no VM \"a b\"", verbs[n], "a b");
}
END_TEST

START_TEST(screenshots)
{
	char picture[16] = "";
	FILE *f;

	set_up();
	expect_said(STATE, "is not running", "screenshot", NAME, "p.png");
	expect_said(0, "", "start", NAME);
	expect_said(1, "display: it has none", "screenshot", NAME, "p.png");
	ck_assert_int_ne(access("p.png", F_OK), 0);
	expect_status(0, "stop", NAME);
	expect_status(0, "destroy", NAME);
	expect_status(0, "create", "--name", NAME, "--display", "800x600", "--kernel", "k");
	expect_said(0, "\"width\":\t800", "show", NAME);
	expect_said(0, "", "start", NAME);
	expect_said(0, "", "screenshot", NAME, "p.png");
	f = fopen("p.png", "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(picture, 1, sizeof(picture), f), 9);
	fclose(f);
	unlink("p.png");
	ck_assert_str_eq(picture, "a picture");
	expect_said(0, "a picture", "screenshot", NAME, "-");
	expect_said(1, "nowhere/p.png: No such file", "screenshot", NAME, "nowhere/p.png");
	expect_said(2, "FILE is missing", "screenshot", NAME);
	expect_said(NOT_FOUND, "there is no VM", "screenshot", "x", "p.png");
	expect_status(0, "stop", NAME);
	tear_down();
}
END_TEST

/* It is the rule; what the host has not of it is in the log. */
START_TEST(sandbox)
{
	set_up();
	expect_status(0, "start", NAME);
	expect_said(0, "\"sandbox\":\t\"partial\"", "list", "--json");
	expect_said(0, "the sandbox lacks something: files are not confined", "logs", "--vm", NAME);
	expect_status(0, "stop", NAME);
	expect_status(0, "start", "--no-sandbox", NAME);
	expect_said(0, "\"sandbox\":\t\"off\"", "list", "--json");
	expect_said(0, "there is no sandbox", "logs", "--vm", NAME);
	expect_status(0, "stop", NAME);
	tear_down();
}
END_TEST

START_TEST(any_name)
{
	static char *const names[] = { "a/b",  "..", ".hidden", "\xc3\xa4\xc3\xb6",
				       "100%", "-n", "a\"b\\c" };

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		expect_status(0, "create", "--name", names[n], "--kernel", "k");
		expect_said(0, names[n], "list");
		expect_status(0, "start", "--", names[n]);
		expect_said(0, names[n], "completion", "--names", "bash");
		expect_status(0, "stop", "--", names[n]);
		expect_status(0, "destroy", "--", names[n]);
	}
	expect_said(2, "/name: empty", "create", "--name", "");
	expect_said(2, "/name: 65 bytes; at most 64", "create", "--name",
		    "12345678901234567890123456789012345678901234567890123456789012345");
}
END_TEST

START_TEST(edit)
{
	set_up();
	unsetenv("VISUAL");
	setenv("EDITOR", "sed -i s/4096M/2G/", 1);
	expect_status(0, "edit", NAME);
	expect_said(0, "2048 MiB", "list");
	setenv("VISUAL", "sed -i s/2G/2Q/", 1);
	expect_said(2, "/memory: this is no number", "edit", NAME);
	setenv("VISUAL", "sed -i 's/" NAME "/Other/'", 1);
	expect_said(2, "/name: it must stay \"" NAME "\"", "edit", NAME);
	setenv("VISUAL", "false", 1);
	expect_said(1, "is as it was", "edit", NAME);
	expect_said(0, "2048 MiB", "list");
	unsetenv("VISUAL");
	tear_down();
}
END_TEST

/* ---- the control socket ---- */

static int connect_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/macrohard/vms/" NAME "/control",
		 getenv("XDG_STATE_HOME"));
	ck_assert_int_eq(stat(address.sun_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Sends this, and wants an answer with that text. */
static void ask(int fd, const char *request, const char *want)
{
	char answer[4096];
	size_t n = 0;

	ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL),
			 (ssize_t)strlen(request));
	do {
		ssize_t got = read(fd, answer + n, sizeof(answer) - 1 - n);

		ck_assert_msg(got > 0, "closed after: %s", request);
		n += (size_t)got;
		answer[n] = '\0';
	} while (answer[n - 1] != '\n');
	ck_assert_msg(strstr(answer, want) != NULL, "%s: %s", request, answer);
}

static const struct {
	const char *request, *answer;
} requests[] = {
	{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"hello\"}\n",
	  "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"protocol\":2," },
	{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"status\",\"params\":{}}\n",
	  "\"name\":\"" NAME "\",\"state\":\"running\"" },
	{ "nonsense\n", "\"id\":null,\"error\":{\"code\":-32700" },
	{ "{} {}\n", "\"code\":-32700" },
	{ "\n", "\"code\":-32700" },
	{ "{}\n", "\"code\":-32600" },
	{ "[]\n", "\"code\":-32600" },
	{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"hello\"}\n", "\"code\":-32600" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fly\"}\n", "\"code\":-32601" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\",\"params\":{\"force\":1}}\n",
	  "\"code\":-32602" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\",\"params\":{\"now\":true}}\n",
	  "\"code\":-32602" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\",\"params\":[]}\n",
	  "\"code\":-32602" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resume\"}\n",
	  "\"code\":-32000,\"message\":\"the VM is in another state\",\"data\":{\"error\":"
	  "\"MH_ESTATE\"}" },
	/* A notification has no answer; the next request has. */
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"pause\"}\n"
	  "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"resume\"}\n",
	  "{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{}}\n" },
};

START_TEST(control_socket)
{
	char *big = malloc(20000);
	int fd;

	set_up();
	expect_status(0, "start", NAME);
	fd = connect_socket();
	for (size_t n = 0; n < sizeof(requests) / sizeof(requests[0]); n++)
		ask(fd, requests[n].request, requests[n].answer);
	/* A line without end is the end of the connection, not of the VM. */
	memset(big, 'x', 20000);
	send(fd, big, 20000, MSG_NOSIGNAL);
	while (read(fd, big, 20000) > 0)
		continue;
	close(fd);
	free(big);
	/* More than there is room for are sent away; room is made again. */
	for (int n = 0; n < 40; n++)
		close(connect_socket());
	expect_said(0, "running", "list");
	expect_status(0, "stop", NAME);
	tear_down();
}
END_TEST

/* ---- help and completions ---- */

/* Each option that a verb's help begins a line with is known to the completions of all shells. */
static void check_options(const char *verb, const char *help, char text[3][32768])
{
	char option[64];

	for (const char *o = strstr(help, "\n  --"); o; o = strstr(o + 1, "\n  --")) {
		int bytes = (int)strcspn(o + 5, " ,");

		for (int shell = 0; shell < 3; shell++) {
			snprintf(option, sizeof(option), "%s%.*s", shell == 2 ? "-l " : "--", bytes,
				 o + 5);
			ck_assert_msg(strstr(text[shell], option) != NULL, "%d: no %s of %s", shell,
				      option, verb);
		}
	}
}

/* A program in the guest prints onto a full disk. */
static void expect_full_disk(void)
{
	FILE *f = popen("'" CLI_PATH "' exec -n '" NAME "' ls 2>&1 >/dev/full", "r");
	char said[256];

	ck_assert_ptr_nonnull(fgets(said, sizeof(said), f));
	ck_assert_ptr_nonnull(strstr(said, "standard output: No space left on device"));
	ck_assert_int_eq(WEXITSTATUS(pclose(f)), 125);
}

START_TEST(guests_agent)
{
	struct stat info;
	char text[16];
	int fd;

	expect_status(
		0, "create", "--name", NAME, "--kernel", "k", "--agent",
		"virtio,mount=/mnt,notime,clipboard=to-guest,clipboard_html=off,clipboard_bytes=9");
	expect_said(125, "is not running", "exec", "-n", NAME, "ls");
	expect_said(0, "", "start", NAME);
	expect_said(0, "agent 0 flags 200 mount /mnt clipboard 1 5 9\n", "logs", "--vm", NAME);
	expect_said(3, "ls\n-l\n--\nA=b", "exec", "-n", "--env", "A=b", NAME, "--", "ls", "-l",
		    "--");
	expect_said(1, "ls\n", "exec", NAME, "ls");
	expect_full_disk();
	expect_said(127, "the guest: fake: no?]0;x??\303\233\n", "exec", "-n", NAME, "none");
	expect_said(2, "is missing", "exec", "-n", NAME);
	expect_said(2, "the command is missing", "exec", "-n", NAME, "--");
	expect_said(0, "hello", "copy", NAME ":/etc/x", "-");
	expect_said(0, "", "copy", NAME ":/etc/x", "got");
	ck_assert_int_eq(stat("got", &info), 0);
	ck_assert_int_eq(info.st_size, 5);
	ck_assert_int_eq(info.st_mode & 0777, 0640);
	expect_said(1, "fake: no?]0;x??\303\233\n", "copy", NAME ":/none", "none");
	ck_assert_int_ne(stat("none", &info), 0);
	/* What is no plain file is not replaced. */
	ck_assert_int_eq(mkfifo("pipe", 0600), 0);
	fd = open("pipe", O_RDWR | O_CLOEXEC);
	expect_said(0, "", "copy", NAME ":/etc/x", "pipe");
	ck_assert_int_eq(stat("pipe", &info), 0);
	ck_assert_uint_eq(info.st_mode, S_IFIFO | 0600);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 5);
	close(fd);
	unlink("pipe");
	expect_said(1, "state: Is a directory", "copy", NAME ":/etc/x", "state");
	write_file("given", "some text");
	chmod("given", 0600);
	expect_said(0, "", "copy", "given", NAME ":/etc/y");
	expect_said(0, "put /etc/y mode 600 bytes 9\n", "logs", "--vm", NAME);
	expect_said(2, "one of the two", "copy", "a", "b");
	expect_said(1, "missing: No such file", "copy", "missing", NAME ":/x");
	expect_said(0, "system     Evil?[2J?2J\n", "guest-info", NAME);
	expect_said(0, "address    10.0.2.15/24 eth0\n", "guest-info", NAME);
	expect_said(0, "\"agent\":\"fake 1\"", "guest-info", "--json", NAME);
	expect_said(0, "", "stop", NAME);
	expect_said(0, "agent shuts down\n", "logs", "--vm", NAME);
	tear_down();
	set_up();
	expect_said(0, "", "start", NAME);
	expect_said(1, "it has no port for an agent", "guest-info", NAME);
	expect_said(125, "it has no port for an agent", "exec", "-n", NAME, "ls");
	expect_status(0, "stop", "--force", NAME);
	tear_down();
}
END_TEST

START_TEST(help_and_completions)
{
	static char *const shells[] = { "bash", "zsh", "fish" };
	static char help[32768], text[3][32768];
	const char *said;
	char *save, *verb;

	for (int n = 0; n < 3; n++) {
		ck_assert_int_eq(cli(&said, ARGS("completion", shells[n])), 0);
		snprintf(text[n], sizeof(text[n]), "%s", said);
	}
	/* The verbs are those of the first line with all of them in the script for bash. */
	verb = strstr(text[0], "words=\"help version ");
	ck_assert_ptr_nonnull(verb);
	verb = strdup(verb + strlen("words=\"help version "));
	*strchr(verb, '"') = '\0';
	for (char *v = strtok_r(verb, " ", &save); v; v = strtok_r(NULL, " ", &save)) {
		ck_assert_int_eq(cli(&said, ARGS(v, "--help")), 0);
		snprintf(help, sizeof(help), "%s", said);
		ck_assert_msg(lines_of(help) <= 24, "%s: %u lines", v, lines_of(help));
		ck_assert_msg(strstr(help, "Exit status: ") != NULL, "%s", v);
		check_options(v, help, text);
	}
	free(verb);
	expect_said(2, "'tcsh' is no shell that it knows", "completion", "tcsh");
}
END_TEST

/* What bash would propose for these words. */
static void propose(const char *words, const char *want)
{
	char command[1024], answer[1024];
	FILE *f;
	size_t n;

	snprintf(command, sizeof(command),
		 "bash -c 'macrohard-hypervisor() { %s \"$@\"; }; compopt() { :; }\n"
		 "source <(macrohard-hypervisor completion bash)\n"
		 "COMP_WORDS=(macrohard-hypervisor %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
		 "_macrohard; printf \"<%%s>\" \"${COMPREPLY[@]}\"'",
		 CLI_PATH, words);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(answer, 1, sizeof(answer) - 1, f);
	answer[n] = '\0';
	pclose(f);
	ck_assert_msg(!strcmp(answer, want), "%s: %s", words, answer);
}

START_TEST(bash_completes)
{
	set_up();
	propose("st", "<start><stop><stats>");
	propose("start Win", "<Windows\\ 11>");
	propose("start --f", "<--foreground>");
	propose("create --engine \"\"", "<shim><kvm>");
	propose("create --kernel k", "<k>");
	propose("disk re", "<resize>");
	propose("disk --rep", "<--repair>");
	tear_down();
}
END_TEST

int main(void)
{
	char folder[] = "/tmp/test-cli-life-XXXXXX", state[64];
	Suite *suite = suite_create("cli_life");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, whole_life);
	tcase_add_test(tcase, crash_and_again);
	tcase_add_test(tcase, starts_at_once);
	tcase_add_test(tcase, console);
	tcase_add_test(tcase, events_and_logs_that_follow);
	tcase_add_test(tcase, guest_that_does_not_listen);
	tcase_add_test(tcase, in_the_foreground);
	tcase_add_test(tcase, what_cannot_be_started);
	tcase_add_test(tcase, no_such_vm);
	tcase_add_test(tcase, screenshots);
	tcase_add_test(tcase, sandbox);
	tcase_add_test(tcase, any_name);
	tcase_add_test(tcase, edit);
	tcase_add_test(tcase, control_socket);
	tcase_add_test(tcase, guests_agent);
	tcase_add_test(tcase, help_and_completions);
	tcase_add_test(tcase, bash_completes);
	suite_add_tcase(suite, tcase);
	if (!mkdtemp(folder) || chdir(folder))
		return EXIT_FAILURE;
	snprintf(state, sizeof(state), "%s/state", folder);
	setenv("XDG_STATE_HOME", state, 1);
	close(open("k", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(open("win11.qcow2", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink("k");
	unlink("win11.qcow2");
	rmdir("state/macrohard/vms");
	rmdir("state/macrohard");
	rmdir("state");
	rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

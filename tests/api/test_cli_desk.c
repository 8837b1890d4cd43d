// SPDX-License-Identifier: MIT
/*
 * The verbs that show a VM on an X server, over a fake library and a fake of libmacrohard-x11: who
 * is asked for what, and what is said when it is not possible.
 */
#include "cli_run.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME "Windows 11"
#define STATE 4
#define LONG "a name that is too long"
#define REQUEST(params) \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"window\",\"params\":{" params "}}\n"

static void expect_said(int status, const char *text, char *const *args)
{
	static struct run r;
	int got = run_plain(&r, args);

	ck_assert_msg(got == status && strstr(r.text, text), "status %d: %s", got, r.text);
}

static void set_up(void)
{
	expect_said(0, "", ARGS("create", "--name", NAME, "--kernel", "k", "--display", "640x480"));
	expect_said(0, "", ARGS("start", NAME));
	setenv("DISPLAY", ":7", 1);
}

static void tear_down(void)
{
	expect_said(0, "", ARGS("stop", "--force", NAME));
	expect_said(0, "", ARGS("destroy", NAME));
}

START_TEST(window)
{
	set_up();
	expect_said(0, "", ARGS("window", NAME));
	expect_said(0, "x11: connect :7, dialled, screen 3, COOKIE 3 007fe5\n",
		    ARGS("logs", "--vm", NAME));
	expect_said(0, "x11: window " NAME, ARGS("logs", "--vm", NAME));
	expect_said(0, "", ARGS("window", NAME));
	setenv("DISPLAY", ":8", 1);
	expect_said(1, "showing it on the X server :8: it is shown on :7; end that first",
		    ARGS("window", NAME));
	expect_said(0, "", ARGS("window", "--close", NAME));
	expect_said(0, "x11: close\nx11: disconnect\n", ARGS("logs", "--vm", NAME));
	expect_said(0, "", ARGS("window", "--close", NAME));
	setenv("DISPLAY", ":404", 1);
	expect_said(1, "there is nothing at :404", ARGS("window", NAME));
	setenv("DISPLAY", ":405", 1);
	expect_said(1, "VM \"" NAME "\": nobody is let in at :405", ARGS("window", NAME));
	setenv("DISPLAY", ":8", 1);
	expect_said(0, "", ARGS("window", NAME));
	expect_said(0, "x11: connect :8, dialled", ARGS("logs", "--vm", NAME));
	tear_down();
}
END_TEST

START_TEST(what_cannot_be)
{
	expect_said(3, "there is no VM \"no\"", ARGS("seamless", "--enable", "no"));
	expect_said(2, "--enable VM or --disable VM is missing", ARGS("seamless"));
	expect_said(2, "one of --enable and --disable, once",
		    ARGS("seamless", "--enable", "a", "--disable", "a"));
	expect_said(2, "'maybe' is neither on nor off", ARGS("clipboard", "a", "maybe"));
	set_up();
	expect_said(1, "it has no agent; add one to its document",
		    ARGS("seamless", "--enable", NAME));
	expect_said(0, "", ARGS("seamless", "--disable", NAME));
	expect_said(1, "it has no agent", ARGS("clipboard", NAME, "on"));
	unsetenv("DISPLAY");
	expect_said(1, "DISPLAY is not set", ARGS("window", NAME));
	expect_said(0, "", ARGS("window", "--close", NAME));
	tear_down();
	expect_said(0, "", ARGS("create", "--name", NAME, "--kernel", "k"));
	setenv("DISPLAY", ":7", 1);
	expect_said(STATE, "is not running", ARGS("window", NAME));
	expect_said(0, "", ARGS("start", NAME));
	expect_said(1, "showing its display: it has none; add a graphics card to its document",
		    ARGS("window", NAME));
	expect_said(0, "", ARGS("stop", "--force", NAME));
	expect_said(0, "", ARGS("destroy", NAME));
}
END_TEST

static void no_library(void)
{
	close(open("libmacrohard-x11.so.1", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	setenv("LD_LIBRARY_PATH", ".", 1);
}

/*
 * A file that is no library stands for one that is not installed. The VM's process looks for it
 * before it is confined, and not again.
 */
START_TEST(without_the_library)
{
	char *path = strdup(getenv("LD_LIBRARY_PATH"));

	no_library();
	set_up();
	expect_said(1, "install the package libmacrohard-x11-1", ARGS("window", NAME));
	expect_said(0, NAME "  running", ARGS("list"));
	setenv("LD_LIBRARY_PATH", path, 1);
	expect_said(1, "with XCB's headers at hand, and start it again", ARGS("window", NAME));
	tear_down();
	unlink("libmacrohard-x11.so.1");
	free(path);
}
END_TEST

/* The process of its socket's file, connected. */
static int connect_to_vm(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "state/macrohard/vms/%s/control",
		 NAME);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void expect_answer(int fd, const char *request, const char *text)
{
	char answer[1024] = "";
	size_t bytes = 0;

	ck_assert_int_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	while (!strchr(answer, '\n')) {
		ssize_t n = read(fd, answer + bytes, sizeof(answer) - 1 - bytes);

		ck_assert_int_gt(n, 0);
		bytes += (size_t)n;
	}
	ck_assert_msg(strstr(answer, text) != NULL, "%s", answer);
}

/* What other clients may get wrong. */
START_TEST(wrong_servers)
{
	int fd;

	set_up();
	fd = connect_to_vm();
	expect_answer(fd, REQUEST("\"display\":\":7\""), "no socket to it came along");
	expect_answer(fd, REQUEST("\"screen\":0"), "no display is named");
	expect_answer(fd, REQUEST("\"display\":\":7\",\"auth_data\":\"abc\""),
		      "its authority is none");
	expect_answer(fd, REQUEST("\"display\":\":7\",\"auth_data\":\"xy\""),
		      "its authority is none");
	expect_answer(fd, REQUEST("\"auth_name\":\"" LONG LONG "\""), "its authority is none");
	expect_answer(fd, REQUEST("\"display\":\":7\",\"screen\":-1"), "-32602");
	expect_answer(fd, REQUEST("\"authority\":\"k\""), "-32602");
	close(fd);
	tear_down();
}
END_TEST

int main(void)
{
	char folder[] = "/tmp/test-cli-desk-XXXXXX", state[64];
	Suite *suite = suite_create("cli_desk");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, window);
	tcase_add_test(tcase, what_cannot_be);
	tcase_add_test(tcase, without_the_library);
	tcase_add_test(tcase, wrong_servers);
	suite_add_tcase(suite, tcase);
	if (!mkdtemp(folder) || chdir(folder))
		return EXIT_FAILURE;
	snprintf(state, sizeof(state), "%s/state", folder);
	setenv("XDG_STATE_HOME", state, 1);
	setenv("LD_LIBRARY_PATH", FAKE_X11_FOLDER, 1);
	close(open("k", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink("k");
	rmdir("state/macrohard/vms");
	rmdir("state/macrohard");
	rmdir("state");
	rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

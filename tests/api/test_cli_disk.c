/* SPDX-License-Identifier: MIT */
/* The verb "disk" of the real CLI over the real library, with QEMU's tools as the judge. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS 16

static char folder[64], output[16384];

/* Runs a program in the folder; standard output and error go to output. Returns the exit status. */
static int run(const char *program, ...)
{
	char *argv[ARGUMENTS + 1] = { (char *)program };
	int fd, status, n = 1;
	va_list args;
	ssize_t got;
	pid_t pid;

	va_start(args, program);
	while (n < ARGUMENTS && (argv[n] = va_arg(args, char *)))
		n++;
	va_end(args);
	fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	pid = fork();
	if (!pid) {
		dup2(fd, 1);
		dup2(fd, 2);
		if (!chdir(folder))
			execvp(argv[0], argv);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	got = pread(fd, output, sizeof(output) - 1, 0);
	output[got < 0 ? 0 : got] = '\0';
	close(fd);
	ck_assert_msg(WIFEXITED(status), "%s died: %s", program, output);
	return WEXITSTATUS(status);
}

#define CLI(...) run(CLI_PATH, "disk", __VA_ARGS__, NULL)
#define MUST(...) ck_assert_msg(run(__VA_ARGS__, NULL) == 0, "%s", output)

static bool says(const char *text)
{
	return strstr(output, text) != NULL;
}

static bool qemu_there(void)
{
	if (run("qemu-img", "--version", NULL) == 0)
		return true;
	printf("skipped in part: no qemu-img (Debian package qemu-utils)\n");
	return false;
}

static void set_up(void)
{
	snprintf(folder, sizeof(folder), "/var/tmp/mh-cli-disk-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void tear_down(void)
{
	run("sh", "-c", "rm -rf -- \"$PWD\"", NULL);
}

/* "create" makes disks, and leaves none behind when it fails; a start that fails loses nothing. */
START_TEST(disks_of_vms)
{
	char state[96];

	snprintf(state, sizeof(state), "%s/state", folder);
	setenv("XDG_STATE_HOME", state, 1);
	MUST("touch", "kernel");
	ck_assert_int_eq(run(CLI_PATH, "create", "--name", "Windows 11", "--disk",
			     "new.qcow2,size=1G", "--disk", "none", NULL),
			 1);
	ck_assert_msg(says("/devices/disks/1/path: \"") && says("/none\": No such file"), "%s",
		      output);
	ck_assert_int_ne(run("test", "-e", "new.qcow2", NULL), 0);
	MUST(CLI_PATH, "create", "--name", "Windows 11", "--kernel", "kernel", "--disk",
	     "new.qcow2,size=1G", "--disk", "raw,,1,size=1M,format=raw,readonly");
	ck_assert_int_eq(CLI("info", "new.qcow2"), 0);
	ck_assert_msg(says("1 GiB (1073741824 bytes)"), "%s", output);
	ck_assert_int_eq(CLI("info", "--format", "raw", "raw,1"), 0);
	ck_assert_int_eq(
		run(CLI_PATH, "create", "--name", "Other", "--disk", "new.qcow2,size=1G", NULL), 1);
	ck_assert_msg(says("new.qcow2") && says("exists"), "%s", output);
	/* Without the module, or with it: that is no kernel. */
	ck_assert_int_eq(run(CLI_PATH, "start", "Windows 11", NULL), 1);
	ck_assert_str_ne(output, "");
	MUST(CLI_PATH, "list");
	ck_assert_msg(says("Windows 11  created "), "%s", output);
	MUST(CLI_PATH, "destroy", "Windows 11");
	MUST("test", "-e", "new.qcow2");
	unsetenv("XDG_STATE_HOME");
}
END_TEST

START_TEST(create_and_info)
{
	ck_assert_msg(CLI("create", "a.qcow2", "10G") == 0, "%s", output);
	ck_assert_str_eq(output, "");
	ck_assert_int_eq(CLI("info", "a.qcow2"), 0);
	ck_assert_msg(says("qcow2 version 3") && says("10 GiB (10737418240 bytes)") &&
			      says("clean"),
		      "%s", output);
	ck_assert_int_eq(CLI("info", "--json", "a.qcow2"), 0);
	ck_assert_msg(says("\"schema\": \"macrohard.disk/1\"") && says("\"bytes\": 10737418240") &&
			      says("\"dirty\": false") && says("\"backing\": null"),
		      "%s", output);
	ck_assert_msg(CLI("create", "--format", "raw", "b.raw", "1536K") == 0, "%s", output);
	ck_assert_int_eq(CLI("info", "--json", "b.raw"), 0);
	ck_assert_msg(says("\"format\": \"raw\"") && says("\"bytes\": 1572864"), "%s", output);
	if (!qemu_there())
		return;
	MUST("qemu-img", "check", "a.qcow2");
	ck_assert_int_eq(run("qemu-img", "info", "a.qcow2", NULL), 0);
	ck_assert_msg(says("10 GiB (10737418240 bytes)"), "%s", output);
}
END_TEST

START_TEST(mistakes_are_explained)
{
	ck_assert_int_eq(CLI("create", "a.qcow2", "1G"), 0);
	ck_assert_int_eq(CLI("create", "a.qcow2", "1G"), 1);
	ck_assert_msg(says("a.qcow2") && says("File exists"), "%s", output);
	ck_assert_int_eq(CLI("create", "b.qcow2", "1Q"), 2);
	ck_assert_int_eq(CLI("create", "b.qcow2"), 2);
	ck_assert_int_eq(CLI("create", "--format", "vmdk", "b", "1G"), 1);
	ck_assert_msg(says("vmdk"), "%s", output);
	ck_assert_int_eq(CLI("create", "--cluster", "3K", "b", "1G"), 1);
	ck_assert_msg(says("3072"), "%s", output);
	ck_assert_int_ne(access("b", F_OK), 0);
	ck_assert_int_eq(CLI("info", "nothing"), 1);
	ck_assert_msg(says("nothing") && says("No such file"), "%s", output);
	ck_assert_int_eq(CLI("frobnicate"), 2);
	ck_assert_int_eq(CLI("resize", "a.qcow2", "512M"), 1);
	ck_assert_msg(says("smaller"), "%s", output);
	ck_assert_int_eq(CLI("create", "--backing", "nothing", "c.qcow2"), 1);
	ck_assert_msg(says("nothing"), "%s", output);
	ck_assert_int_eq(CLI("check", "--help"), 0);
}
END_TEST

START_TEST(resize)
{
	ck_assert_int_eq(CLI("create", "--cluster", "512", "a.qcow2", "1M"), 0);
	ck_assert_msg(CLI("resize", "a.qcow2", "+511M") == 0, "%s", output);
	ck_assert_int_eq(CLI("info", "a.qcow2"), 0);
	ck_assert_msg(says("512 MiB"), "%s", output);
	ck_assert_int_eq(CLI("check", "a.qcow2"), 0);
	ck_assert_int_eq(CLI("create", "--format", "raw", "b.raw", "4M"), 0);
	ck_assert_int_eq(CLI("resize", "b.raw", "2M"), 0);
	ck_assert_int_eq(CLI("info", "b.raw"), 0);
	ck_assert_msg(says("2 MiB"), "%s", output);
	if (qemu_there())
		MUST("qemu-img", "check", "a.qcow2");
}
END_TEST

/* A raw base, an overlay with data of its own, and everything in a single new image. */
START_TEST(convert_a_chain)
{
	if (!qemu_there())
		return;
	MUST("qemu-img", "create", "-f", "raw", "base.raw", "6M");
	MUST("qemu-io", "-f", "raw", "-c", "write -P 17 1M 2M", "base.raw");
	ck_assert_msg(CLI("create", "--backing", "base.raw", "top.qcow2") == 0, "%s", output);
	MUST("qemu-io", "-f", "qcow2", "-c", "write -P 34 1500k 100k", "-c", "write -z 2M 64k",
	     "top.qcow2");
	ck_assert_msg(CLI("convert", "top.qcow2", "all.qcow2") == 0, "%s", output);
	MUST("qemu-img", "compare", "top.qcow2", "all.qcow2");
	MUST("qemu-img", "check", "all.qcow2");
	ck_assert_msg(CLI("convert", "--format", "raw", "all.qcow2", "all.raw") == 0, "%s", output);
	MUST("qemu-img", "compare", "-f", "qcow2", "-F", "raw", "top.qcow2", "all.raw");
	ck_assert_int_eq(CLI("convert", "top.qcow2", "all.qcow2"), 1);
	ck_assert_msg(says("File exists"), "%s", output);
	ck_assert_int_eq(CLI("info", "top.qcow2"), 0);
	ck_assert_msg(says("base.raw (raw)"), "%s", output);
}
END_TEST

/* A refcount that is too large, put there by hand, is found and cured. */
START_TEST(check_finds_leaks)
{
	const unsigned char two[2] = { 0, 1 };
	char path[96];
	int fd;

	ck_assert_int_eq(CLI("create", "a.qcow2", "1G"), 0);
	ck_assert_int_eq(CLI("check", "a.qcow2"), 0);
	ck_assert_msg(says("No errors"), "%s", output);
	snprintf(path, sizeof(path), "%s/a.qcow2", folder);
	fd = open(path, O_RDWR);
	/* The first refcount block is in cluster 2; this is the count of cluster 9. */
	ck_assert_int_eq(pwrite(fd, two, 2, 2 * 65536 + 2 * 9), 2);
	close(fd);
	ck_assert_int_eq(CLI("check", "a.qcow2"), 3);
	ck_assert_msg(says("1 clusters are lost"), "%s", output);
	ck_assert_int_eq(CLI("check", "--repair", "a.qcow2"), 0);
	ck_assert_int_eq(CLI("check", "a.qcow2"), 0);
	if (qemu_there())
		MUST("qemu-img", "check", "a.qcow2");
}
END_TEST

/* On a terminal, long work draws a bar and removes it. */
START_TEST(progress_on_a_terminal)
{
	char text[8192];
	size_t used = 0;
	ssize_t n;
	int tty, status;
	pid_t pid;

	/* Slow enough for a bar: data, not holes. */
	ck_assert_int_eq(run("dd", "if=/dev/urandom", "of=in.raw", "bs=1M", "count=192", NULL), 0);
	pid = forkpty(&tty, NULL, NULL, NULL);
	if (!pid) {
		setenv("TERM", "xterm", 1);
		if (!chdir(folder))
			execl(CLI_PATH, CLI_PATH, "disk", "convert", "in.raw", "out.qcow2", NULL);
		_exit(127);
	}
	while (used < sizeof(text) - 1 && (n = read(tty, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	close(tty);
	waitpid(pid, &status, 0);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "%s", text);
	/* A fast machine needs no bar; one that was drawn is gone at the end. */
	if (used) {
		ck_assert_msg(strstr(text, "converting ["), "%s", text);
		ck_assert_str_eq(text + used - 4, "\r\033[K");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cli_disk");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, create_and_info);
	tcase_add_test(tcase, disks_of_vms);
	tcase_add_test(tcase, mistakes_are_explained);
	tcase_add_test(tcase, resize);
	tcase_add_test(tcase, convert_a_chain);
	tcase_add_test(tcase, check_finds_leaks);
	tcase_add_test(tcase, progress_on_a_terminal);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/* Runs QEMU's image tools. */
#include "qemu_img.h"

#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS 24

static int run(char *text, size_t bytes, char **argv)
{
	size_t used = 0;
	int out[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	while ((n = read(out[0], text + used, bytes - 1 - used)) > 0)
		used += (size_t)n < bytes - 1 - used ? (size_t)n : 0;
	text[used] = '\0';
	close(out[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void collect(char **argv, const char *program, va_list args)
{
	int n = 0;

	argv[n++] = (char *)program;
	while (n < ARGUMENTS && (argv[n] = va_arg(args, char *)))
		n++;
	argv[ARGUMENTS] = NULL;
}

int run_tool(char *text, size_t bytes, const char *program, ...)
{
	char *argv[ARGUMENTS + 1];
	va_list args;

	va_start(args, program);
	collect(argv, program, args);
	va_end(args);
	return run(text, bytes, argv);
}

void must_run(const char *program, ...)
{
	char *argv[ARGUMENTS + 1], text[4096];
	va_list args;
	int status;

	va_start(args, program);
	collect(argv, program, args);
	va_end(args);
	status = run(text, sizeof(text), argv);
	ck_assert_msg(!status, "%s %s: status %d: %s", argv[0], argv[1], status, text);
}

const char *image_folder(void)
{
	return access("/dev/shm", W_OK) ? "/var/tmp" : "/dev/shm";
}

bool qemu_img_there(void)
{
	char text[256];

	if (run_tool(text, sizeof(text), "qemu-img", "--version", NULL) == 0)
		return true;
	printf("skipped: no qemu-img (Debian package qemu-utils)\n");
	return false;
}

int qemu_check(const char *path, char *text, size_t bytes)
{
	return run_tool(text, bytes, "qemu-img", "check", "-f", "qcow2", path, NULL);
}

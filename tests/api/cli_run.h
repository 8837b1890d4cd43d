/* SPDX-License-Identifier: MIT */
/* Runs the CLI on pipes and on pseudo-terminals: what a script and a person see. */
#ifndef TESTS_API_CLI_RUN_H
#define TESTS_API_CLI_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

/* One run of the CLI. */
struct run {
	pid_t pid;
	int in, out; /* our ends; the same descriptor for a terminal */
	struct termios before;
	char text[32768];
	size_t bytes;
};

#define ARGS(...) ((char *const[]){ "macrohard-hypervisor", __VA_ARGS__, NULL })

/* In and out are the CLI's ends, which stay the caller's. */
void start(struct run *r, int in, int out, char *const *args);
void start_tty(struct run *r, char *const *args);
void start_pipes(struct run *r, char *const *args);
/* Reads on until the output has this text; it must come. */
void expect(struct run *r, const char *text);
void type(struct run *r, const char *text);
/* Reads to the end and returns the exit status. */
int finish(struct run *r);
/* Runs to the end without input; the output is in r->text. */
int run_plain(struct run *r, char *const *args);
unsigned int lines_of(const char *text);

#endif

/* SPDX-License-Identifier: MIT */
/* What the CLI's files share: verbs, exit statuses, messages, parsing of values. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <macrohard/macrohard.h>

#define CLI_NAME "macrohard-hypervisor"

/* Exit statuses are an interface: scripts tell by them how a guest ended. */
enum cli_exit {
	CLI_OK = 0,	    /* the guest switched itself off; the verb did what it should */
	CLI_ERROR = 1,	    /* no VM could be started, or it stopped by an error */
	CLI_USAGE = 2,	    /* wrong command line */
	CLI_RESET = 10,	    /* the guest reset itself (--stop-on-reset) */
	CLI_SHUTDOWN = 11,  /* triple fault */
	CLI_QUIT = 12,	    /* the escape key */
	CLI_SIGNALLED = 128 /* + the signal's number */
};

struct cli_verb {
	const char *name;
	const char *summary; /* one line, for the list of verbs */
	const char *usage;   /* the whole of --help, at most one screen */
	int (*run)(const struct cli_verb *verb, int argc, char **argv);
};

extern const struct cli_verb cli_verb_run;
extern const struct cli_verb cli_verb_probe;
extern const struct cli_verb cli_verb_disk;

/* "macrohard-hypervisor: TEXT" on standard error. */
void cli_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for a wrong command line, with the way to the help; returns CLI_USAGE. */
int cli_usage_error(const struct cli_verb *verb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A failed call of the library: its sentence; returns CLI_ERROR. */
int cli_library_error(struct mh_ctx *ctx, int error);
/* getopt_long's ':' and '?', said in words; returns CLI_USAGE. */
int cli_option_error(const struct cli_verb *verb, int result, const char *option);

/* "64K", "512M", "2G", "1T", "512" (MiB) in bytes; false: no such text, zero, or too large. */
bool cli_parse_size(const char *text, uint64_t *bytes);
bool cli_parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *number);
/* "^]", "ctrl-]" or one character; "none" gives -1. */
bool cli_parse_key(const char *text, int *key);
/* The reverse, for messages. */
void cli_key_name(int key, char *name, size_t bytes);

#endif

/* SPDX-License-Identifier: MIT */
/* What the CLI's files share: verbs, their options, exit statuses, messages, parsing of values. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <macrohard/macrohard.h>

#define CLI_NAME "macrohard-hypervisor"

/* Exit statuses are an interface: scripts tell by them how a guest ended. */
enum cli_exit {
	CLI_OK = 0,	    /* the guest switched itself off; the verb did what it should */
	CLI_ERROR = 1,	    /* no VM could be started, or it stopped by an error */
	CLI_USAGE = 2,	    /* wrong command line, or a document that is not valid */
	CLI_NOT_FOUND = 3,  /* there is no such VM */
	CLI_STATE = 4,	    /* the VM is in a state where that is not possible */
	CLI_RESET = 10,	    /* the guest reset itself (--stop-on-reset) */
	CLI_SHUTDOWN = 11,  /* triple fault */
	CLI_QUIT = 12,	    /* the escape key */
	CLI_WATCHDOG = 13,  /* the guest's watchdog expired */
	CLI_SIGNALLED = 128 /* + the signal's number */
};

/*
 * What an option takes, or a verb as arguments, for the shells' completions: CLI_FILE, CLI_FOLDER,
 * CLI_VM, words "a|b|c", or anything else, which is not completed. NULL: nothing.
 */
#define CLI_FILE "FILE"
#define CLI_FOLDER "FOLDER"
#define CLI_VM "VM"

struct cli_option {
	const char *name; /* without dashes; NULL ends the table */
	const char *value;
	char letter; /* "-l", or 0 */
};

struct cli_verb {
	const char *name;
	const char *summary; /* one line, for the list of verbs */
	const char *usage;   /* the whole of --help, at most one screen */
	int (*run)(const struct cli_verb *verb, int argc, char **argv);
	const struct cli_option *options; /* NULL: none */
	const char *args;
	bool seldom;  /* its name will do in the list of verbs, which is to fit on a screen */
	bool ordered; /* options come before the arguments, which may begin with dashes */
};

/* verbs.c: all of them, in the order of the help; NULL ends the list. */
extern const struct cli_verb *const cli_verbs[];

extern const struct cli_verb cli_verb_run, cli_verb_probe, cli_verb_disk;
extern const struct cli_verb cli_verb_create, cli_verb_edit, cli_verb_show, cli_verb_destroy;
extern const struct cli_verb cli_verb_start, cli_verb_stop, cli_verb_pause, cli_verb_resume;
extern const struct cli_verb cli_verb_reset, cli_verb_list, cli_verb_stats, cli_verb_events;
extern const struct cli_verb cli_verb_console, cli_verb_logs, cli_verb_completion;
extern const struct cli_verb cli_verb_send_key, cli_verb_screenshot;
extern const struct cli_verb cli_verb_window, cli_verb_seamless, cli_verb_clipboard;
extern const struct cli_verb cli_verb_exec, cli_verb_copy, cli_verb_guest_info;

/* A status that ends the parsing, or CLI_OK. value: NULL where the option takes none. */
typedef int cli_option_fn(const struct cli_verb *verb, void *opaque, const char *option,
			  char *value);
/*
 * Calls fn for each option, in order; then there must be least to most arguments, which are at
 * argv[optind]. CLI_OK, or a status after a message.
 */
int cli_parse(const struct cli_verb *verb, int argc, char **argv, cli_option_fn *fn, void *opaque,
	      const int arguments[2]);

/*
 * A text whose author may be a guest, for a terminal: '?' in place of what that obeys, which is C0,
 * DEL, and C1 in UTF-8.
 */
void cli_print_plain(FILE *to, const char *text);
/* "macrohard-hypervisor: TEXT" on standard error, as cli_print_plain does. */
void cli_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for a wrong command line, with the way to the help; returns CLI_USAGE. */
int cli_usage_error(const struct cli_verb *verb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A failed call of the library: its sentence; returns CLI_ERROR. */
int cli_library_error(struct mh_ctx *ctx, int error);
/* getopt_long's ':' and '?', said in words; returns CLI_USAGE. */
int cli_option_error(const struct cli_verb *verb, int result, const char *option);
/* Standard output is on its way; a status that was CLI_OK becomes CLI_ERROR if it is not. */
int cli_finish_output(int status);

/* "64K", "512M", "2G", "1T", "512" (MiB) in bytes; false: no such text, zero, or too large. */
bool cli_parse_size(const char *text, uint64_t *bytes);
bool cli_parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *number);
/* "^]", "ctrl-]" or one character; "none" gives -1. */
bool cli_parse_key(const char *text, int *key);
/* The reverse, for messages. */
void cli_key_name(int key, char *name, size_t bytes);

#endif

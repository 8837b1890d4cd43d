/* SPDX-License-Identifier: MIT */
/*
 * Failures, each provoked by the public API. A sentence is "what was attempted, on which object:
 * cause; cure".
 */
#ifndef TESTS_API_ERRORS_H
#define TESTS_API_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

#include <macrohard/macrohard.h>

/* What a failure needs to be provoked. */
enum error_needs {
	NEEDS_NOTHING = 0,
	NEEDS_ENGINE, /* the library's own engines, not a fake; no hardware */
	NEEDS_VM      /* "vm" is there, created anew for each */
};

/* What provoke returns when this machine does not let it. */
#define CANNOT 1

struct error_row {
	const char *when; /* what is wrong, for docs/errors.md */
	int (*provoke)(void);
	int code;
	/* Patterns of fnmatch(3): the sentence is "WHAT: CAUSE; CURE". */
	const char *what, *cause, *cure;
	const char *host; /* the state of a host in the lab; NULL: an ordinary one */
};

struct error_group {
	const char *title;
	enum error_needs needs;
	const struct error_row *row;
	size_t rows;
};

#define ERROR_GROUP(name, title, needs, rows) \
	const struct error_group name = { title, needs, rows, sizeof(rows) / sizeof(rows[0]) }

extern const struct error_group engine_errors, host_errors, config_errors, create_errors,
	disk_errors, image_errors, memory_errors, state_errors, boot_errors, device_errors,
	display_errors, agent_errors, net_errors, rule_errors, sandbox_errors;

/* The program has a fake of the shim: VMs can be made anywhere, and no engine fails. */
extern const bool engine_is_fake;

extern struct mh_ctx *ctx;
extern struct mh_vm *vm; /* "web", 64 MiB, not started */

/* ---- what rows have in common; all of it dies on errors of its own ---- */

void die(const char *what);
/* A file of the working folder; text NULL: as many zeroes. */
const char *make_file(const char *name, const void *text, size_t bytes);
/* An empty qcow2 image of 1 MiB. */
const char *make_image(const char *name);
/* That image, with the bytes at an offset replaced. */
const char *make_broken(const char *name, long at, const void *bytes, size_t count);
/* Root becomes nobody, as far as files are concerned, and back. */
void drop_rights(bool drop);
/* How many file descriptors may be open; 0: as before. */
void limit_files(unsigned int most);
/* A folder on a file system of 1 MiB; NULL: this user may not mount one. */
const char *small_folder(void);
void leave_small_folder(void);
/* Another process that has the image open for writing, until the end of this one. */
void lock_elsewhere(const char *name);
/* A VM that has no machine and runs HLT. */
struct mh_vm *bare_vm(uint64_t bytes);

#endif

/* SPDX-License-Identifier: MIT */
/* What the parts of p9_check share: the two views of the folder, and how a failure is told. */
#ifndef P9_CHECK_H
#define P9_CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

extern int
	served; /* the same folder, not through the mount; the mounted one is the working folder */
extern int divisor; /* of the number of repetitions */

void check_failed(int line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define CHECK(cond)                                          \
	do {                                                 \
		if (!(cond))                                 \
			check_failed(__LINE__, "%s", #cond); \
	} while (0)
/* The call fails with this errno. */
#define FAILS(call, error)                                                                         \
	do {                                                                                       \
		errno = 0;                                                                         \
		if ((call) >= 0 || errno != (error))                                               \
			check_failed(__LINE__, "%s: not refused with %s", #call, strerror(error)); \
	} while (0)

double check_now(void); /* s */
/* Make a file with this text: its descriptor. */
int check_make(const char *name, const char *text);
/* Does the file hold just this text? */
bool check_contains(int dir, const char *name, const char *text);

void check_big(void);
void check_append(void);
void check_full(void);
void check_unlinked(void);
void check_storm(void);
void check_renames(void);
void check_links(void);
void check_long_names(void);
void check_specials(void);
void check_many(void);
void check_attributes(void);
void check_mapped(void);
void check_xattrs(void);
void check_locks(void);
void check_readonly(void);

#endif

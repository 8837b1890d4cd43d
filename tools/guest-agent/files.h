/* SPDX-License-Identifier: MIT */
/*
 * Files to and from the guest. The handlers for struct ga_os are the same in all guests; the
 * functions below them are an operating system's, in its folder.
 */
#ifndef GUEST_AGENT_FILES_H
#define GUEST_AGENT_FILES_H

#include "session.h"

void ga_file_put(void *os, struct ga_request *request, const struct mhi_agent_msg *msg);
void ga_file_get(void *os, struct ga_request *request, const struct mhi_agent_msg *msg);

/* ---- what an operating system supplies ---- */

struct ga_file;

/* Why something failed: for ga_end. */
struct ga_failure {
	enum mhi_agent_code code;
	char text[256];
};

/*
 * A file that will be at path, an absolute one, with these bits of mode: what is at path stays as
 * it is until ga_file_commit. NULL: see why.
 */
struct ga_file *ga_file_create(const char *path, uint32_t mode, struct ga_failure *why);
bool ga_file_write(struct ga_file *file, const void *data, size_t bytes, struct ga_failure *why);
/* Puts it at its place. It is closed, whatever is returned. */
bool ga_file_commit(struct ga_file *file, struct ga_failure *why);

/* An ordinary file that is to be read. NULL: see why. */
struct ga_file *ga_file_open(const char *path, uint32_t *mode, uint64_t *bytes,
			     struct ga_failure *why);
/* Returns bytes read; 0: the end; -1: see why. */
long ga_file_read(struct ga_file *file, void *data, size_t bytes, struct ga_failure *why);

/* Lets go of a file that was opened, or created and not committed. */
void ga_file_close(struct ga_file *file);

#endif

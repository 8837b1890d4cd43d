/* SPDX-License-Identifier: MIT */
/*
 * The steward of a VM's process: a process beside it that has the VM's folder, while the VM's own,
 * in its sandbox, can open nothing. It does what is listed here, and knows all names beforehand:
 * none comes from the sandbox. It ends with the VM's process, and removes its sockets.
 */
#ifndef STEWARD_H
#define STEWARD_H

#include "store.h"

#include <sys/types.h>

struct steward {
	const struct store_vm *store; /* NULL: none */
	int fd;			      /* -1: there is none; what it would do is done here */
	pid_t pid;
};

/* Before there are threads. 0 or -1 with errno. */
int steward_start(struct steward *s, const struct store_vm *store);
/* It removes a socket at the end: by its path, "" for the VM's own one; before steward_seal. */
int steward_remove(struct steward *s, const char *path);
/* From now on it is asked by somebody who is not trusted. */
int steward_seal(struct steward *s);
/* Waits until it has done what is left. */
void steward_end(struct steward *s);

/* As store_set_state; a message if it fails. */
void steward_set_state(struct steward *s, const char *reason, const char *text);
/* A new log of the console, after the old one was put aside; -1 with errno. */
int steward_new_log(struct steward *s);
/* A new file for a screenshot; -1 with errno. */
int steward_new_screenshot(struct steward *s);
/* It takes the place of the last one, or goes. 0 or -1 with errno. */
int steward_keep_screenshot(struct steward *s, bool good);

#endif

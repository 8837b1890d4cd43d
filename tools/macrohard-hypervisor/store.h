/* SPDX-License-Identifier: MIT */
/*
 * Where VMs live between commands: one folder each in $XDG_STATE_HOME/macrohard/vms, with the
 * document vm.json, the logs console.log and vm.log, the socket "control", "state" (how it ended),
 * and "lock", which the VM's process holds for as long as it lives.
 */
#ifndef STORE_H
#define STORE_H

#include "cli.h"

#define STORE_DOCUMENT "vm.json"
#define STORE_CONSOLE_LOG "console.log"
#define STORE_VM_LOG "vm.log"
#define STORE_SOCKET "control"
#define STORE_EDITED ".edit.json"	  /* the document while somebody edits it */
#define STORE_SCREENSHOT "screenshot.png" /* the last one that was asked for */
#define STORE_STATE_TEXT 2100

struct store_vm {
	char *name;
	char *folder; /* its path */
	int dir;      /* its descriptor */
};

/* What can be told of a VM without asking it. */
enum store_state { STORE_CREATED, STORE_ALIVE, STORE_STOPPED, STORE_CRASHED };

/* Each returns a status of the CLI, after a message if that is not CLI_OK. */
int store_open(struct store_vm *vm, const char *name);
/*
 * A new folder, and its lock, to be closed when the document is there: without one nobody knows of
 * it. What a create or a destroy that was killed has left is removed. CLI_STATE if the name is
 * taken.
 */
int store_create(struct store_vm *vm, const char *name, int *lock);
/* The names of those that have a document, sorted; to be freed by store_free_names. */
int store_names(char ***names, size_t *count);
void store_free_names(char **names, size_t count);
void store_close(struct store_vm *vm);

/* The VM's lock, to be closed at its end: CLI_STATE with a message if its process lives. */
int store_lock(const struct store_vm *vm, int *lock);
bool store_alive(const struct store_vm *vm);
/* Removes the folder with all that the CLI made in it. The lock is held. */
int store_remove(const struct store_vm *vm);

/* Replaces a file as a whole, or leaves it. CLI_OK or CLI_ERROR. */
int store_write(const struct store_vm *vm, const char *file, const char *text);
/* "FOLDER/FILE", to be freed; NULL: out of memory. */
char *store_path(const struct store_vm *vm, const char *file);
/* How it is, or how it ended: the reason ("poweroff"), and the library's words, "" if none. */
enum store_state store_state(const struct store_vm *vm, char *reason, size_t reason_bytes,
			     char *text, size_t text_bytes);
/* reason NULL: it runs. 0, or an errno. */
int store_set_state(const struct store_vm *vm, const char *reason, const char *text);

#endif

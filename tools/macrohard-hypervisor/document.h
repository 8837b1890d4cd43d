/* SPDX-License-Identifier: MIT */
/* The document of a VM (schema macrohard.vm/1), as options of "create" and "run" describe it. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "cli.h"

#include <cjson/cJSON.h>

/* Of "create" and "run" alike. */
#define DOCUMENT_OPTIONS                                                                      \
	{ "kernel", CLI_FILE, 0 }, { "initrd", CLI_FILE, 0 }, { "cmdline", "TEXT", 0 },       \
		{ "firmware", CLI_FILE, 0 }, { "memory", "SIZE", 0 }, { "cpus", "N", 0 },     \
		{ "engine", "shim|kvm", 0 }, { "console", "serial|virtio", 0 },               \
		{ "hyperv", NULL, 0 }, { "tsc-khz", "KHZ", 0 }, { "stop-on-reset", NULL, 0 }, \
		{ "name", "TEXT", 0 }, { "disk", CLI_FILE, 0 },                               \
		{ "net", "user|tap=|fd=|none", 0 }, { "share", CLI_FOLDER, 0 },               \
		{ "vsock", "CID", 0 }, { "rng", NULL, 0 }, { "balloon", "SIZE", 0 },          \
		{ "gdb", "unix:|tcp:", 0 }, { "vnc", "unix:", 0 },                            \
		{ "input", "keyboard|tablet|touch|mouse|ps2", 0 }, { "display", "WxH", 0 },   \
		{ "agent", "virtio|serial", 0 },                                              \
	{                                                                                     \
		"watchdog", "reset|poweroff|pause|none", 0                                    \
	}

struct document {
	cJSON *root;
	bool absolute; /* paths start at this folder, for good */
	bool no_net;   /* somebody said so */
	bool helped;   /* somebody only wanted to know */
	bool failed;   /* out of memory */
};

void document_init(struct document *d, const char *name, bool absolute);
void document_fini(struct document *d);
/* A cli_option_fn for DOCUMENT_OPTIONS; opaque: the document. value is cut into pieces. */
int document_option(const struct cli_verb *verb, void *opaque, const char *option, char *value);
/* Adds what nobody spoke of: memory, a user network, the kernel's console. */
void document_defaults(struct document *d);
/* The text, to be freed; NULL: out of memory. */
char *document_text(const struct document *d);

/* devices.c: "--disk F,readonly" and its like, as above. */
int device_option(const struct cli_verb *verb, struct document *d, const char *option, char *value);
/* Would "create" have to make this disk first ("size=")? Takes the sizes out of the document. */
uint64_t device_take_size(cJSON *disk);
/* A path as the document is to have it; to be freed. */
char *document_path(const struct document *d, const char *path);

/* device_net.c: the value of --net, and of hostfwd=; false: they have not the form. */
bool device_net_value(struct document *d, char *text, cJSON *device);
bool device_net_forward(struct document *d, char *text, cJSON *device);

#endif

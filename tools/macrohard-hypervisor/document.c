/* SPDX-License-Identifier: MIT */
/* The document of a VM (schema macrohard.vm/1), as options of "create" and "run" describe it. */
#include "document.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_DEFAULT "512M"
#define CPUS_MAX 64
#define MIB (1ull << 20)

void document_init(struct document *d, const char *name, bool absolute)
{
	*d = (struct document){ .root = cJSON_CreateObject(), .absolute = absolute };
	d->failed = !cJSON_AddStringToObject(d->root, "schema", "macrohard.vm/1") ||
		    (name && !cJSON_AddStringToObject(d->root, "name", name));
}

void document_fini(struct document *d)
{
	cJSON_Delete(d->root);
}

char *document_path(const struct document *d, const char *path)
{
	char *here = d->absolute && path[0] != '/' ? getcwd(NULL, 0) : NULL, *whole;

	if (!here)
		return strdup(path);
	if (asprintf(&whole, "%s/%s", here, path) < 0)
		whole = NULL;
	free(here);
	return whole;
}

/* The last one counts. */
static void set(struct document *d, cJSON *object, const char *key, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, key);
	if (!cJSON_AddItemToObject(object, key, value)) {
		cJSON_Delete(value);
		d->failed = true;
	}
}

static cJSON *boot(struct document *d)
{
	cJSON *object = cJSON_GetObjectItemCaseSensitive(d->root, "boot");

	return object ? object : cJSON_AddObjectToObject(d->root, "boot");
}

static void set_path(struct document *d, const char *key, const char *value)
{
	char *path = document_path(d, value);

	set(d, boot(d), key, path ? cJSON_CreateString(path) : NULL);
	free(path);
}

static bool set_memory(struct document *d, const char *value)
{
	char text[32];
	uint64_t bytes;

	if (!cli_parse_size(value, &bytes))
		return false;
	snprintf(text, sizeof(text), "%llu%s",
		 (unsigned long long)(bytes % MIB ? bytes : bytes / MIB), bytes % MIB ? "" : "M");
	set(d, d->root, "memory", cJSON_CreateString(text));
	return true;
}

static bool set_number(struct document *d, const char *key, const char *value, uint32_t most)
{
	uint32_t number;

	if (!cli_parse_number(value, 1, most, &number))
		return false;
	set(d, d->root, key, cJSON_CreateNumber(number));
	return true;
}

static bool set_word(struct document *d, const char *key, const char *value, const char *a,
		     const char *b)
{
	if (strcmp(value, a) && strcmp(value, b))
		return false;
	set(d, d->root, key, cJSON_CreateString(value));
	return true;
}

/* "unix:PATH[,wait]", "tcp:[HOST:]PORT[,wait]" */
static bool set_gdb(struct document *d, char *value)
{
	char *comma = strrchr(value, ','), *path = NULL, *address = NULL;
	bool wait = comma && !strcmp(comma, ",wait"), is_unix = !strncmp(value, "unix:", 5);
	cJSON *gdb;

	if (wait)
		*comma = '\0';
	if (!is_unix && strncmp(value, "tcp:", 4))
		return false;
	gdb = cJSON_CreateObject();
	if (is_unix)
		path = document_path(d, value + 5);
	if (is_unix && path && asprintf(&address, "unix:%s", path) < 0)
		address = NULL;
	if (!is_unix)
		address = strdup(value);
	set(d, gdb, "address", address ? cJSON_CreateString(address) : NULL);
	if (wait)
		set(d, gdb, "wait", cJSON_CreateTrue());
	set(d, d->root, "gdb", gdb);
	free(path);
	free(address);
	return true;
}

/* "unix:PATH" */
static bool set_vnc(struct document *d, const char *value)
{
	cJSON *vnc;
	char *path;

	if (strncmp(value, "unix:", 5) || !value[5])
		return false;
	path = document_path(d, value + 5);
	vnc = cJSON_CreateObject();
	set(d, vnc, "path", path ? cJSON_CreateString(path) : NULL);
	set(d, d->root, "vnc", vnc);
	free(path);
	return true;
}

/* 1: done; 0: the value is none; -1: it is another option. */
static int machine_option(struct document *d, const char *option, char *value)
{
	if (!strcmp(option, "memory"))
		return set_memory(d, value);
	if (!strcmp(option, "cpus"))
		return set_number(d, option, value, CPUS_MAX);
	if (!strcmp(option, "tsc-khz"))
		return set_number(d, "tsc_khz", value, UINT32_MAX);
	if (!strcmp(option, "gdb"))
		return set_gdb(d, value);
	if (!strcmp(option, "vnc"))
		return set_vnc(d, value);
	if (!strcmp(option, "engine"))
		return set_word(d, option, value, "shim", "kvm");
	if (!strcmp(option, "console"))
		return set_word(d, option, value, "serial", "virtio");
	if (!strcmp(option, "hyperv"))
		set(d, d->root, "hyperv", cJSON_CreateTrue());
	else if (!strcmp(option, "stop-on-reset"))
		set(d, d->root, "stop_on_reset", cJSON_CreateTrue());
	else if (!strcmp(option, "name"))
		set(d, d->root, "name", cJSON_CreateString(value));
	else if (!strcmp(option, "cmdline"))
		set(d, boot(d), "cmdline", cJSON_CreateString(value));
	else if (!strcmp(option, "firmware") && !strcmp(value, MH_FIRMWARE_BIOS))
		set(d, boot(d), option, cJSON_CreateString(value));
	else if (!strcmp(option, "kernel") || !strcmp(option, "initrd") ||
		 !strcmp(option, "firmware"))
		set_path(d, option, value);
	else
		return -1;
	return 1;
}

int document_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	struct document *d = opaque;

	switch (machine_option(d, option, value)) {
	case 1:
		return CLI_OK;
	case 0:
		return cli_usage_error(verb, "--%s: '%s' is no such value", option, value);
	default:
		return device_option(verb, d, option, value);
	}
}

void document_defaults(struct document *d)
{
	cJSON *console = cJSON_GetObjectItemCaseSensitive(d->root, "console");
	cJSON *devices = cJSON_GetObjectItemCaseSensitive(d->root, "devices");
	cJSON *start = cJSON_GetObjectItemCaseSensitive(d->root, "boot");
	bool virtio = console && !strcmp(console->valuestring, "virtio");
	char user[] = "user";

	if (!cJSON_GetObjectItemCaseSensitive(d->root, "memory"))
		set_memory(d, MEMORY_DEFAULT);
	if (cJSON_GetObjectItemCaseSensitive(start, "kernel") &&
	    !cJSON_GetObjectItemCaseSensitive(start, "cmdline"))
		set(d, start, "cmdline",
		    cJSON_CreateString(virtio ? "console=hvc0" : "console=ttyS0"));
	if (!d->no_net && !cJSON_GetObjectItemCaseSensitive(devices, "nets"))
		device_option(NULL, d, "net", user);
}

char *document_text(const struct document *d)
{
	char *json = d->failed ? NULL : cJSON_Print(d->root), *text;

	if (!json || asprintf(&text, "%s\n", json) < 0)
		text = NULL;
	cJSON_free(json);
	return text;
}

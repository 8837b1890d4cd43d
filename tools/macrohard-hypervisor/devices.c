/* SPDX-License-Identifier: MIT */
/*
 * Device options, "VALUE[,NAME=VALUE]...", as devices of a document: one row in the table of kinds
 * for each option, one table of names for each kind. A comma that belongs to a value is written
 * twice. What a value may be, the document's reader knows.
 */
#include "document.h"

#include <stdlib.h>
#include <string.h>

enum setting_type { TEXT, FILE_NAME, NUMBER, FLAG, OTHER };

/* What may stand behind the value. */
struct setting {
	const char *name, *help;
	enum setting_type type;
	bool (*parse)(struct document *d, char *value, cJSON *device); /* OTHER */
};

struct device_kind {
	const char *option, *form, *help;
	const char *key; /* in the document's "devices" */
	bool list;	 /* there may be several */
	/* The value itself; false: it is none. NULL: the option has no value. */
	bool (*value)(struct document *d, char *text, cJSON *device);
	const struct setting *settings; /* one without a name ends it */
};

static bool add_text(cJSON *device, const char *key, const char *text)
{
	cJSON_DeleteItemFromObjectCaseSensitive(device, key);
	return cJSON_AddStringToObject(device, key, text) != NULL;
}

static bool add_path(struct document *d, cJSON *device, const char *key, const char *text)
{
	char *path = document_path(d, text);
	bool added = path && add_text(device, key, path);

	d->failed |= !added;
	free(path);
	return true;
}

/* Numbers that are none go into the document as they are: its reader says so. */
static bool add_number(cJSON *device, const char *key, const char *text)
{
	uint32_t number;

	if (!cli_parse_number(text, 0, UINT32_MAX, &number))
		return add_text(device, key, text);
	cJSON_DeleteItemFromObjectCaseSensitive(device, key);
	return cJSON_AddNumberToObject(device, key, number) != NULL;
}

/* ---- disks ---- */

#define SIZE_KEY "size" /* in the document only until the image is made */

static bool disk_value(struct document *d, char *text, cJSON *device)
{
	return *text && add_path(d, device, "path", text);
}

static bool disk_size(struct document *d, char *value, cJSON *device)
{
	uint64_t bytes;

	/* "run" makes no disks. */
	if (!d->absolute || !cli_parse_size(value, &bytes))
		return false;
	return add_text(device, SIZE_KEY, value);
}

uint64_t device_take_size(cJSON *disk)
{
	cJSON *size = cJSON_GetObjectItemCaseSensitive(disk, SIZE_KEY);
	uint64_t bytes = 0;

	if (size)
		cli_parse_size(size->valuestring, &bytes);
	cJSON_DeleteItemFromObjectCaseSensitive(disk, SIZE_KEY);
	return bytes;
}

#define SPLIT                                         \
	{                                             \
		"split", "no packed ring", FLAG, NULL \
	}
#define SLOT                                                                          \
	{                                                                             \
		"slot", "PCI slot, 1 to 31; default: the next free one", NUMBER, NULL \
	}
#define END                            \
	{                              \
		NULL, NULL, TEXT, NULL \
	}

static const struct setting disk_settings[] = {
	{ "format", "raw or qcow2; default: found out", TEXT, NULL },
	{ "size", "create: make this image first (qcow2, unless format=raw)", OTHER, disk_size },
	{ "serial", "at most 20 characters", TEXT, NULL },
	{ "queues", "1 to 16; default: one a CPU, at most 8", NUMBER, NULL },
	{ "readonly", "the guest cannot write", FLAG, NULL },
	{ "direct", "past the host's page cache", FLAG, NULL },
	{ "writethrough", "each write is stable when it is done", FLAG, NULL },
	SPLIT,
	SLOT,
	END,
};

/* ---- network cards ---- */

static const struct setting net_settings[] = {
	{ "hostfwd", "user: tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT", OTHER, device_net_forward },
	{ "restrict", "user: nothing but forwards", FLAG, NULL },
	{ "noloopback", "user: no way to your 127.0.0.1", FLAG, NULL },
	{ "queues", "tap: 1 (default) to 16", NUMBER, NULL },
	{ "mac", "02:...; default: a random one", TEXT, NULL },
	{ "mtu", "default: the interface's, or 1500", NUMBER, NULL },
	{ "pcap", "a file for all frames", FILE_NAME, NULL },
	SPLIT,
	SLOT,
	END,
};

/* ---- shared folders ---- */

/* FOLDER:TAG */
static bool share_value(struct document *d, char *text, cJSON *device)
{
	char *tag = strrchr(text, ':');

	if (!tag || tag == text || !tag[1])
		return false;
	*tag++ = '\0';
	return add_path(d, device, "path", text) && add_text(device, "tag", tag);
}

static const struct setting share_settings[] = {
	{ "type", "9p (default), or virtiofs, which Windows has a driver for", TEXT, NULL },
	{ "readonly", "the guest changes nothing", FLAG, NULL },
	{ "owners", "squash (default), mapped or host", TEXT, NULL },
	{ "uid", "squash: who owns your files there", NUMBER, NULL },
	{ "gid", "squash: whose group they have", NUMBER, NULL },
	SPLIT,
	SLOT,
	END,
};

/* ---- sockets, memory that is given back ---- */

static bool vsock_value(struct document *d, char *text, cJSON *device)
{
	return add_number(device, "cid", text);
}

static const struct setting vsock_settings[] = {
	{ "path", "say \"CONNECT port\" there; the guest reaches path_port", FILE_NAME, NULL },
	{ "connections", "at a time; default: 1024", NUMBER, NULL },
	SPLIT,
	SLOT,
	END,
};

static bool balloon_value(struct document *d, char *text, cJSON *device)
{
	uint64_t bytes = 0;

	if (strcmp(text, "0") && !cli_parse_size(text, &bytes))
		return false;
	/* Less than 2^53 is exact; more does not fit into any VM. */
	return cJSON_AddNumberToObject(device, "bytes", (double)bytes) != NULL;
}

/* KIND[+KIND]...: what is not named is not there. */
static bool input_value(struct document *d, char *text, cJSON *device)
{
	static const char *const kinds[] = { "keyboard", "tablet", "touch", "mouse", "ps2" };
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);
	char *copy = strdup(text), *word, *rest = copy;
	bool known = copy != NULL;
	size_t n;

	for (n = 0; n < count; n++)
		known &= cJSON_AddBoolToObject(device, kinds[n], false) != NULL;
	while (known && (word = strsep(&rest, "+"))) {
		for (n = 0; n < count && strcmp(kinds[n], word);)
			n++;
		known = n < count;
		if (known)
			cJSON_ReplaceItemInObjectCaseSensitive(device, word, cJSON_CreateTrue());
	}
	free(copy);
	return known;
}

static const struct setting input_settings[] = { SPLIT, END };

static const struct setting plain_settings[] = { SPLIT, SLOT, END };

static bool watchdog_value(struct document *d, char *text, cJSON *device)
{
	return add_text(device, "action", text);
}

static const struct setting watchdog_settings[] = { SLOT, END };

/* WIDTHxHEIGHT; what is behind the first 'x' is the height. */
static bool display_value(struct document *d, char *text, cJSON *device)
{
	char *height = strchr(text, 'x');

	if (!height || height == text || !height[1])
		return false;
	*height++ = '\0';
	return add_number(device, "width", text) && add_number(device, "height", height);
}

static const struct setting display_settings[] = {
	{ "kind", "virtio (default), or framebuffer, which firmware writes on", TEXT, NULL },
	{ "vram", "memory for the guest's pictures; default: 128M", TEXT, NULL },
	SPLIT,
	SLOT,
	END,
};

static bool agent_value(struct document *d, char *text, cJSON *device)
{
	return add_text(device, "transport", text);
}

static const struct setting agent_settings[] = {
	{ "mount", "where the guest has shares, each at its tag; default: /media", TEXT, NULL },
	{ "nomount", "shares are not mounted by themselves", FLAG, NULL },
	{ "notime", "its clock is not set after a pause", FLAG, NULL },
	{ "clipboard", "both (default), to-guest, from-guest or off", TEXT, NULL },
	{ "clipboard_text", "plain text may go over", FLAG, NULL },
	{ "clipboard_html", "HTML, too", FLAG, NULL },
	{ "clipboard_png", "images, too", FLAG, NULL },
	{ "clipboard_files", "lists of files, too; default: off", FLAG, NULL },
	{ "clipboard_bytes", "of one content; default: 16777216", NUMBER, NULL },
	SPLIT,
	SLOT,
	END,
};

/* ---- all of them ---- */

static const struct device_kind kinds[] = {
	{ "disk", "FILE", "an image or a block device", "disks", true, disk_value, disk_settings },
	{ "net", "user|tap=NAME|fd=N[:N]...|none", "a network card", "nets", true, device_net_value,
	  net_settings },
	{ "share", "FOLDER:TAG", "a folder of this host, for \"mount\" in the guest", "shares",
	  true, share_value, share_settings },
	{ "rng", NULL, "random numbers of this host", "rng", false, NULL, NULL },
	{ "vsock", "CID", "sockets between the guest, as CID, and this host", "vsock", false,
	  vsock_value, vsock_settings },
	{ "balloon", "SIZE", "memory that the guest gives back, besides what it does not use",
	  "balloon", false, balloon_value, plain_settings },
	{ "watchdog", "reset|poweroff|pause|none", "what a guest that hangs ends in (i6300esb)",
	  "watchdog", false, watchdog_value, watchdog_settings },
	{ "input", "keyboard|tablet|touch|mouse|ps2[+...]", "what 'send-key' and VNC feed", "input",
	  false, input_value, input_settings },
	{ "display", "WIDTHxHEIGHT|none", "a screen; 'screenshot' shows it", "display", false,
	  display_value, display_settings },
	{ "agent", "virtio|serial", "a port for the agent in the guest", "agent", false,
	  agent_value, agent_settings },
};

static const struct device_kind *find_kind(const char *option)
{
	const struct device_kind *kind = kinds;

	/* The options that are left for devices are those of the table. */
	while (strcmp(kind->option, option))
		kind++;
	return kind;
}

static bool set_flag(cJSON *device, const char *key, const char *value)
{
	bool on = !value || !strcmp(value, "on");

	if (!on && strcmp(value, "off"))
		return false;
	cJSON_DeleteItemFromObjectCaseSensitive(device, key);
	return cJSON_AddBoolToObject(device, key, on) != NULL;
}

/* value is NULL where there is no '='. */
static bool set(struct document *d, const struct setting *s, char *value, cJSON *device)
{
	if (!value && s->type != FLAG)
		return false;
	switch (s->type) {
	case TEXT:
		return add_text(device, s->name, value);
	case FILE_NAME:
		return add_path(d, device, s->name, value);
	case NUMBER:
		return add_number(device, s->name, value);
	case FLAG:
		return set_flag(device, s->name, value);
	case OTHER:
		return s->parse(d, value, device);
	}
	return false;
}

static bool take_word(struct document *d, const struct device_kind *kind, char *word, cJSON *device)
{
	size_t name = strcspn(word, "=");
	const struct setting *s;

	for (s = kind->settings; s->name; s++)
		if (!strncmp(s->name, word, name) && !s->name[name])
			return set(d, s, word[name] ? word + name + 1 : NULL, device);
	return false;
}

/* Ends the piece at text, with its double commas made single; returns the next one or NULL. */
static char *cut_piece(char *text)
{
	char *to = text;

	for (; *text; *to++ = *text++) {
		if (*text != ',')
			continue;
		if (*++text != ',') {
			*to = '\0';
			return text;
		}
	}
	*to = '\0';
	return NULL;
}

static void help(const struct device_kind *kind)
{
	const struct setting *s;

	printf("--%s %s[,NAME=VALUE]...    %s\n\n", kind->option, kind->form, kind->help);
	for (s = kind->settings; s->name; s++)
		printf("  %-12s %s%s\n", s->name, s->help, s->type == FLAG ? ": on or off" : "");
	printf("\nNAME alone is NAME=on. A comma that belongs to a value is written twice.\n");
}

static cJSON *new_device(struct document *d, const struct device_kind *kind)
{
	cJSON *devices = cJSON_GetObjectItemCaseSensitive(d->root, "devices"), *list;
	cJSON *device = cJSON_CreateObject();
	bool added;

	if (!devices)
		devices = cJSON_AddObjectToObject(d->root, "devices");
	list = kind->list ? cJSON_GetObjectItemCaseSensitive(devices, kind->key) : NULL;
	if (kind->list && !list)
		list = cJSON_AddArrayToObject(devices, kind->key);
	added = kind->list ? cJSON_AddItemToArray(list, device)
			   : cJSON_AddItemToObject(devices, kind->key, device);
	if (!added)
		cJSON_Delete(device);
	d->failed |= !added;
	return added ? device : NULL;
}

int device_option(const struct cli_verb *verb, struct document *d, const char *option, char *value)
{
	const struct device_kind *kind = find_kind(option);
	cJSON *device;
	char *next;

	if (value && !strcmp(value, "help")) {
		d->helped = true;
		help(kind);
		return CLI_OK;
	}
	if (!strcmp(option, "net") && !strcmp(value, "none")) {
		d->no_net = true;
		return CLI_OK;
	}
	if (!strcmp(option, "display") && !strcmp(value, "none"))
		return CLI_OK;
	device = new_device(d, kind);
	if (!device || !kind->value)
		return CLI_OK;
	next = cut_piece(value);
	if (!kind->value(d, value, device))
		return cli_usage_error(verb, "--%s: '%s' is no %s", option, value, kind->form);
	while (next) {
		char *word = next;

		next = cut_piece(word);
		if (!take_word(d, kind, word, device))
			return cli_usage_error(verb, "--%s: '%s' is no such setting ('--%s help')",
					       option, word, option);
	}
	return CLI_OK;
}

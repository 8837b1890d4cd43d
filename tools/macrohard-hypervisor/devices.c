/* SPDX-License-Identifier: MIT */
/*
 * Device options, "VALUE[,NAME=VALUE]...": one row in the table of kinds for each option, one table
 * of names for each kind. A comma that belongs to a value is written twice.
 */
#include "devices.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum setting_type { TEXT, NUMBER, FLAG, ONE_OF, OTHER };

/* What may stand behind the value. */
struct setting {
	const char *name, *help;
	enum setting_type type;
	size_t at;		  /* of the field in the configuration */
	uint32_t least, most;	  /* NUMBER */
	uint32_t bit;		  /* FLAG: in a field of 32 bits */
	const char *const *names; /* ONE_OF: their indices are the field's values; NULL ends it */
	bool (*parse)(char *value, union device_config *config); /* OTHER */
};

#define SET_TEXT(n, field, h)                                         \
	{                                                             \
		.name = (n), .help = (h), .type = TEXT, .at = (field) \
	}
#define SET_NUMBER(n, field, from, to, h)                                                 \
	{                                                                                 \
		.name = (n), .help = (h), .type = NUMBER, .at = (field), .least = (from), \
		.most = (to)                                                              \
	}
#define SET_FLAG(n, field, mask, h)                                                  \
	{                                                                            \
		.name = (n), .help = (h), .type = FLAG, .at = (field), .bit = (mask) \
	}
#define SET_ONE_OF(n, field, list, h)                                                    \
	{                                                                                \
		.name = (n), .help = (h), .type = ONE_OF, .at = (field), .names = (list) \
	}

#define SET_OTHER(n, function, h)                                            \
	{                                                                    \
		.name = (n), .help = (h), .type = OTHER, .parse = (function) \
	}

struct device_kind {
	const char *option, *form, *help;
	union device_config defaults;
	/* The value itself; false: it is none. NULL: the option has no value. */
	bool (*value)(char *text, union device_config *config);
	const struct setting *settings; /* one without a name ends it */
	int (*attach)(struct mh_vm *vm, const union device_config *config);
};

/* ---- disks ---- */

static bool disk_value(char *text, union device_config *config)
{
	config->disk.path = text;
	return *text != '\0';
}

static int disk_attach(struct mh_vm *vm, const union device_config *config)
{
	return mh_disk_attach(vm, &config->disk, NULL);
}

#define DISK(field) offsetof(struct mh_disk_config, field)

static const struct setting disk_settings[] = {
	SET_TEXT("format", DISK(format), "raw or qcow2; default: found out"),
	SET_TEXT("serial", DISK(serial), "at most 20 characters"),
	SET_NUMBER("queues", DISK(queues), 1, 16, "1 to 16; default: one a CPU, at most 8"),
	SET_FLAG("readonly", DISK(flags), MH_DISK_READONLY, "the guest cannot write"),
	SET_FLAG("direct", DISK(flags), MH_DISK_DIRECT, "past the host's page cache"),
	SET_FLAG("writethrough", DISK(flags), MH_DISK_WRITE_THROUGH,
		 "each write is stable when it is done"),
	SET_FLAG("split", DISK(flags), MH_VIRTIO_SPLIT, "no packed ring"),
	{ .name = NULL },
};

/* ---- network cards ---- */

#define NET(field) offsetof(struct device_net, config.field)

static const struct setting net_settings[] = {
	SET_OTHER("hostfwd", device_net_forward, "user: tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT"),
	SET_FLAG("restrict", NET(flags), MH_NET_RESTRICT, "user: nothing but forwards"),
	SET_FLAG("noloopback", NET(flags), MH_NET_NO_LOOPBACK, "user: no way to your 127.0.0.1"),
	SET_NUMBER("queues", NET(queues), 1, MH_NET_QUEUES_MAX, "tap: 1 (default) to 16"),
	SET_OTHER("mac", device_net_mac, "02:...; default: a random one"),
	SET_NUMBER("mtu", NET(mtu), 68, 65535, "default: the interface's, or 1500"),
	SET_TEXT("pcap", NET(pcap), "a file for all frames"),
	SET_FLAG("split", NET(flags), MH_VIRTIO_SPLIT, "no packed ring"),
	{ .name = NULL },
};

/* ---- shared folders ---- */

/* FOLDER:TAG */
static bool share_value(char *text, union device_config *config)
{
	char *tag = strrchr(text, ':');

	if (!tag || tag == text || !tag[1])
		return false;
	*tag++ = '\0';
	config->share.path = text;
	config->share.tag = tag;
	return true;
}

static int share_attach(struct mh_vm *vm, const union device_config *config)
{
	return mh_share_attach(vm, &config->share, NULL);
}

#define SHARE(field) offsetof(struct mh_share_config, field)

static const char *const share_owners[] = {
	[MH_SHARE_SQUASH] = "squash",
	[MH_SHARE_MAPPED] = "mapped",
	[MH_SHARE_HOST] = "host",
	NULL,
};

static const struct setting share_settings[] = {
	SET_FLAG("readonly", SHARE(readonly), 1, "the guest changes nothing"),
	SET_ONE_OF("owners", SHARE(owners), share_owners, "squash (default), mapped or host"),
	SET_NUMBER("uid", SHARE(uid), 0, UINT32_MAX - 1, "squash: who owns your files there"),
	SET_NUMBER("gid", SHARE(gid), 0, UINT32_MAX - 1, "squash: whose group they have"),
	SET_FLAG("split", SHARE(flags), MH_VIRTIO_SPLIT, "no packed ring"),
	{ .name = NULL },
};

/* ---- random numbers ---- */

static int rng_attach(struct mh_vm *vm, const union device_config *config)
{
	return mh_rng_attach(vm, &config->rng, NULL);
}

/* ---- sockets ---- */

#define CID_FIRST 3
#define CID_LAST 0xfffffffeu

static bool vsock_value(char *text, union device_config *config)
{
	uint32_t cid;

	if (!cli_parse_number(text, CID_FIRST, CID_LAST, &cid))
		return false;
	config->vsock.cid = cid;
	return true;
}

static int vsock_attach(struct mh_vm *vm, const union device_config *config)
{
	return mh_vsock_attach(vm, &config->vsock, NULL);
}

#define VSOCK(field) offsetof(struct mh_vsock_config, field)

static const struct setting vsock_settings[] = {
	SET_TEXT("path", VSOCK(path), "say \"CONNECT port\" there; the guest reaches path_port"),
	SET_NUMBER("connections", VSOCK(connections), 1, 65536, "at a time; default: 1024"),
	SET_FLAG("split", VSOCK(flags), MH_VIRTIO_SPLIT, "no packed ring"),
	{ .name = NULL },
};

/* ---- memory that is given back ---- */

static bool balloon_value(char *text, union device_config *config)
{
	return !strcmp(text, "0") || cli_parse_size(text, &config->balloon.bytes);
}

static int balloon_attach(struct mh_vm *vm, const union device_config *config)
{
	return mh_balloon_attach(vm, &config->balloon, NULL);
}

#define BALLOON(field) offsetof(struct mh_balloon_config, field)

static const struct setting balloon_settings[] = {
	SET_FLAG("split", BALLOON(flags), MH_VIRTIO_SPLIT, "no packed ring"),
	{ .name = NULL },
};

/* ---- all of them ---- */

static const struct device_kind kinds[] = {
	{ "disk",
	  "FILE",
	  "an image or a block device",
	  { .disk = MH_DISK_CONFIG_INIT },
	  disk_value,
	  disk_settings,
	  disk_attach },
	{ "net",
	  "user|tap=NAME|fd=N[:N]...|none",
	  "a network card",
	  { .net = { .config = MH_NET_CONFIG_INIT } },
	  device_net_value,
	  net_settings,
	  device_net_attach },
	{ "share",
	  "FOLDER:TAG",
	  "a folder of this host, for \"mount -t 9p\"",
	  { .share = MH_SHARE_CONFIG_INIT },
	  share_value,
	  share_settings,
	  share_attach },
	{ "rng",
	  NULL,
	  "random numbers of this host",
	  { .rng = MH_RNG_CONFIG_INIT },
	  NULL,
	  NULL,
	  rng_attach },
	{ "vsock",
	  "CID",
	  "sockets between the guest, as CID, and this host",
	  { .vsock = MH_VSOCK_CONFIG_INIT },
	  vsock_value,
	  vsock_settings,
	  vsock_attach },
	{ "balloon",
	  "SIZE",
	  "memory that the guest gives back, besides what it does not use",
	  { .balloon = MH_BALLOON_CONFIG_INIT },
	  balloon_value,
	  balloon_settings,
	  balloon_attach },
};

static const struct device_kind *find_kind(const char *option)
{
	const struct device_kind *kind = kinds;

	/* The options that getopt knows as devices are those of the table. */
	while (strcmp(kind->option, option))
		kind++;
	return kind;
}

static bool set_flag(const char *value, uint32_t bit, uint32_t *flags)
{
	if (!value || !strcmp(value, "on"))
		*flags |= bit;
	else if (!strcmp(value, "off"))
		*flags &= ~bit;
	else
		return false;
	return true;
}

static bool set_one_of(const char *value, const char *const *names, uint32_t *index)
{
	for (uint32_t i = 0; names[i]; i++) {
		if (!strcmp(names[i], value)) {
			*index = i;
			return true;
		}
	}
	return false;
}

/* value is NULL where there is no '='. */
static bool set(const struct setting *setting, char *value, union device_config *config)
{
	void *field = (char *)config + setting->at;

	if (!value && setting->type != FLAG)
		return false;
	switch (setting->type) {
	case TEXT:
		*(const char **)field = value;
		return true;
	case NUMBER:
		return cli_parse_number(value, setting->least, setting->most, field);
	case FLAG:
		return set_flag(value, setting->bit, field);
	case ONE_OF:
		return set_one_of(value, setting->names, field);
	case OTHER:
		return setting->parse(value, config);
	}
	return false;
}

static bool take_word(const struct device_kind *kind, char *word, union device_config *config)
{
	size_t name = strcspn(word, "=");
	const struct setting *s;

	for (s = kind->settings; s->name; s++)
		if (!strncmp(s->name, word, name) && !s->name[name])
			return set(s, word[name] ? word + name + 1 : NULL, config);
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

int devices_add(struct devices *devices, const struct cli_verb *verb, const char *option,
		char *value)
{
	const struct device_kind *kind = find_kind(option);
	struct device *device = &devices->device[devices->count];
	char *next;

	if (devices->count == DEVICES_MAX)
		return cli_usage_error(verb, "--%s: more than %d devices", option, DEVICES_MAX);
	devices->count++;
	device->kind = kind;
	device->config = kind->defaults;
	if (!kind->value)
		return CLI_OK;
	next = cut_piece(value);
	if (!kind->value(value, &device->config))
		return cli_usage_error(verb, "--%s: '%s' is no %s", option, value, kind->form);
	while (next) {
		char *word = next;

		next = cut_piece(word);
		if (!take_word(kind, word, &device->config))
			return cli_usage_error(verb, "--%s: '%s' is no such setting ('--%s help')",
					       option, word, option);
	}
	return CLI_OK;
}

void devices_help(const char *option)
{
	const struct device_kind *kind = find_kind(option);
	const struct setting *s;

	printf("--%s %s[,NAME=VALUE]...    %s\n\n", option, kind->form, kind->help);
	for (s = kind->settings; s->name; s++)
		printf("  %-12s %s%s\n", s->name, s->help, s->type == FLAG ? ": on or off" : "");
	printf("\nNAME alone is NAME=on. A comma that belongs to a value is written twice.\n");
}

int devices_attach(const struct devices *devices, struct mh_vm *vm)
{
	int error = 0;

	for (unsigned int i = 0; i < devices->count && !error; i++)
		error = devices->device[i].kind->attach(vm, &devices->device[i].config);
	return error;
}

bool devices_have(const struct devices *devices, const char *option)
{
	for (unsigned int i = 0; i < devices->count; i++)
		if (!strcmp(devices->device[i].kind->option, option))
			return true;
	return false;
}

// SPDX-License-Identifier: MIT
/* Failures of documents that describe VMs. */
#include "errors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse(const char *text)
{
	struct mh_config *config;
	int rc = mh_config_parse(ctx, text, strlen(text), "vm.json", NULL, &config);

	if (!rc)
		mh_config_free(config);
	return rc;
}

/* A document that is right but for these members. */
#define DOCUMENT(members) \
	parse("{\"schema\":\"macrohard.vm/1\",\"name\":\"web\",\"memory\":\"64M\"," members "}")

static int no_json(void)
{
	return parse("{\"schema\":\"macrohard.vm/1\",}");
}

static int unknown_key(void)
{
	return DOCUMENT("\"cpu\":2");
}

static int wrong_type(void)
{
	return DOCUMENT("\"cpus\":\"two\"");
}

static int out_of_range(void)
{
	return DOCUMENT("\"cpus\":65");
}

static int missing(void)
{
	return parse("{\"schema\":\"macrohard.vm/1\",\"memory\":\"64M\"}");
}

static int twice(void)
{
	return DOCUMENT("\"cpus\":1,\"cpus\":2");
}

static int other_schema(void)
{
	return parse("{\"schema\":\"macrohard.vm/9\",\"name\":\"web\",\"memory\":\"64M\"}");
}

static int odd_memory(void)
{
	return parse("{\"schema\":\"macrohard.vm/1\",\"name\":\"web\",\"memory\":10000001}");
}

static int unitless(void)
{
	return parse("{\"schema\":\"macrohard.vm/1\",\"name\":\"web\",\"memory\":64}");
}

static int one_slot(void)
{
	return DOCUMENT("\"devices\":{\"disks\":[{\"path\":\"a\",\"slot\":5},{\"path\":\"b\","
			"\"slot\":5}]}");
}

static int group_address(void)
{
	return DOCUMENT(
		"\"devices\":{\"nets\":[{\"kind\":\"user\",\"mac\":\"01:00:00:00:00:01\"}]}");
}

static int no_address(void)
{
	return DOCUMENT("\"devices\":{\"nets\":[{\"kind\":\"user\",\"mac\":\"nonsense\"}]}");
}

static int no_tap(void)
{
	return DOCUMENT("\"devices\":{\"nets\":[{\"kind\":\"tap\"}]}");
}

static int long_tag(void)
{
	return DOCUMENT("\"devices\":{\"shares\":[{\"path\":\"a\",\"type\":\"virtiofs\",\"tag\":"
			"\"a-name-of-thirty-seven-bytes-it-is-37\"}]}");
}

static int one_tag(void)
{
	return DOCUMENT("\"devices\":{\"shares\":[{\"path\":\"a\",\"tag\":\"x\"},{\"path\":\"b\","
			"\"tag\":\"x\"}]}");
}

static int large_balloon(void)
{
	return DOCUMENT("\"devices\":{\"balloon\":{\"bytes\":\"1G\"}}");
}

static int too_long(void)
{
	char *text = malloc(MH_CONFIG_BYTES_MAX + 2);
	int rc;

	if (!text)
		die("malloc");
	memset(text, ' ', MH_CONFIG_BYTES_MAX + 1);
	text[MH_CONFIG_BYTES_MAX + 1] = 0;
	rc = parse(text);
	free(text);
	return rc;
}

static int no_text(void)
{
	struct mh_config *config;

	return mh_config_parse(ctx, NULL, 0, "vm.json", NULL, &config);
}

static int file_gone(void)
{
	struct mh_config *config;

	return mh_config_load(ctx, "gone.json", &config);
}

static int file_forbidden(void)
{
	struct mh_config *config;
	int rc;

	chmod(make_file("secret.json", "{}", 2), 0);
	drop_rights(true);
	rc = mh_config_load(ctx, "secret.json", &config);
	drop_rights(false);
	return rc;
}

static int look(const char *text)
{
	struct mh_config *config;
	int rc;

	if (mh_config_parse(ctx, text, strlen(text), "vm.json", NULL, &config))
		die(mh_last_error(ctx));
	rc = mh_config_check(ctx, config);
	mh_config_free(config);
	return rc;
}

static int kernel_gone(void)
{
	return look("{\"schema\":\"macrohard.vm/1\",\"name\":\"web\",\"memory\":\"64M\",\"boot\":{"
		    "\"kernel\":\"gone\"}}");
}

static int disk_folder(void)
{
	return look("{\"schema\":\"macrohard.vm/1\",\"name\":\"web\",\"memory\":\"64M\","
		    "\"devices\":{\"disks\":[{\"path\":\"/\"}]}}");
}

static int other_engine(void)
{
	static const char text[] = "{\"schema\":\"macrohard.vm/1\",\"name\":\"web\",\"memory\":"
				   "\"64M\",\"engine\":\"kvm\"}";
	struct mh_config *config;
	struct mh_vm *made;
	int rc;

	if (mh_config_parse(ctx, text, strlen(text), "vm.json", NULL, &config))
		die(mh_last_error(ctx));
	rc = mh_config_create(ctx, config, NULL, &made);
	mh_config_free(config);
	return rc;
}

static const struct error_row config_rows[] = {
	{ "it is no JSON", no_json, MH_EFORMAT, "vm.json: *", "*", "*", NULL },
	{ "a key that is none", unknown_key, MH_EFORMAT, "vm.json: /cpu", "no such key*", "*",
	  NULL },
	{ "a value of another type", wrong_type, MH_EFORMAT, "vm.json: /cpus", "*", "write *",
	  NULL },
	{ "a value out of range", out_of_range, MH_EFORMAT, "vm.json: /cpus", "*", "write *",
	  NULL },
	{ "a member is missing", missing, MH_EFORMAT, "vm.json: /name", "missing", "write *",
	  NULL },
	{ "a member is there twice", twice, MH_EFORMAT, "vm.json: /cpus", "given twice",
	  "remove one", NULL },
	{ "another schema", other_schema, MH_EFORMAT, "vm.json: /schema", "*", "write *", NULL },
	{ "memory of no whole pages", odd_memory, MH_EFORMAT, "vm.json: /memory",
	  "10000001 bytes are no multiple of 4096", "round it to megabytes", NULL },
	{ "memory without its unit", unitless, MH_EFORMAT, "vm.json: /memory",
	  "64 bytes are less than *", "a size has a unit: \"64M\"", NULL },
	{ "two devices on one slot", one_slot, MH_EFORMAT, "vm.json: /devices/disks/1/slot",
	  "5 is the slot of /devices/disks/0, too", "choose another, or leave it out", NULL },
	{ "the address of a group", group_address, MH_EFORMAT, "vm.json: /devices/nets/0/mac",
	  "this is the address of a group: its first byte is odd", "write *", NULL },
	{ "what is no address", no_address, MH_EFORMAT, "vm.json: /devices/nets/0/mac",
	  "this is no address", "write *", NULL },
	{ "TAP without its interface", no_tap, MH_EFORMAT, "vm.json: /devices/nets/0/*", "missing",
	  "a network of kind \"tap\" needs it", NULL },
	{ "a name that is too long for virtio-fs", long_tag, MH_EFORMAT,
	  "vm.json: /devices/shares/0/tag", "37 bytes, and with type \"virtiofs\" there may be 36",
	  "shorten it", NULL },
	{ "two folders of one name", one_tag, MH_EFORMAT, "vm.json: /devices/shares/1/tag",
	  "the same as /devices/shares/0/tag", "choose another", NULL },
	{ "a balloon larger than the memory", large_balloon, MH_EFORMAT,
	  "vm.json: /devices/balloon/*", "more than the 67108864 bytes of /memory",
	  "make it smaller", NULL },
	{ "it is too long", too_long, MH_EFORMAT, "vm.json", "more than 1048576 bytes",
	  "is it the right file\\?", NULL },
	{ "no text", no_text, MH_EINVAL, "read a document", "text is NULL", "pass one", NULL },
	{ "the file is not there", file_gone, MH_ENOENT, "read a document: gone.json",
	  "No such file or directory", "correct the path", NULL },
	{ "no right to read the file", file_forbidden, MH_EPERM, "read a document: secret.json",
	  "Permission denied", "give yourself the permission (chmod, chown)", NULL },
	{ "its kernel is not there", kernel_gone, MH_ENOENT, "vm.json: /boot/kernel",
	  "\"gone\": No such file or directory", "correct the path, or put it there", NULL },
	{ "its disk is a folder", disk_folder, MH_EINVAL, "vm.json: /devices/disks/0/path",
	  "\"/\" is a folder", "correct the path", NULL },
	{ "it asks for another engine than the context's", other_engine, MH_EINVAL,
	  "vm.json: /engine", "the context has the engine \"shim\"",
	  "make one that has the document's", NULL },
};
ERROR_GROUP(config_errors, "Documents", NEEDS_NOTHING, config_rows);

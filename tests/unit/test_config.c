// SPDX-License-Identifier: MIT
/* Documents that describe VMs: what is refused, in which words; the schema and the parser. */
#include "api_fixture.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/config.h"

#define START "{\"schema\": \"macrohard.vm/1\", \"name\": \"Windows 11\", \"memory\": \"1G\""
#define DOC(rest) START ", " rest "}"
#define DEVICES(rest) DOC("\"devices\": {" rest "}")
#define DISKS(rest) DEVICES("\"disks\": [" rest "]")
#define NETS(rest) DEVICES("\"nets\": [" rest "]")
#define SHARES(rest) DEVICES("\"shares\": [" rest "]")

#define NO_JSON "this is no JSON; look for a missing quote, comma or bracket before it"
#define NO_NUMBER                                                                            \
	"this is no JSON number; a number has no leading zero or plus, is decimal, and has " \
	"digits "                                                                            \
	"on both sides of its point"
#define INEXACT                                                                        \
	"a number as large as this is not exact in JSON; write it as a text, such as " \
	"\"18446744073709551615\""
#define CPUS "write a whole number from 1 to 64"
#define SIZES "write a size such as \"512M\" or \"2G\", or a number of bytes"
#define MACS "write an address such as \"02:00:00:00:00:01\""
#define PATHS "write a path of 1 to 4095 bytes"

static const struct {
	const char *text, *error;
} bad[] = {
	/* JSON itself, and what cJSON would let pass. */
	{ "",
	  "line 1, column 1: the document ends too early; look for a missing quote or bracket" },
	{ "{\n  \"name\": \"a\",\n  \"\xc3\xa4\" 1\n}", "line 3, column 7: " NO_JSON },
	{ "{} x", "line 1, column 4: text behind the document's end; remove it" },
	{ "{}{}", "line 1, column 3: text behind the document's end; remove it" },
	{ DOC("\"cpus\": 01"), "line 1, column 76: " NO_NUMBER },
	{ DOC("\"cpus\": +1"), "line 1, column 76: " NO_JSON },
	{ DOC("\"cpus\": 1."), "line 1, column 76: " NO_NUMBER },
	{ DOC("\"cpus\": .5"), "line 1, column 76: " NO_JSON },
	{ DOC("\"cpus\": 0x2"), "line 1, column 76: " NO_NUMBER },
	{ DOC("\"cpus\": -"), "line 1, column 76: " NO_NUMBER },
	{ "{\"name\": \"\xff\"}",
	  "line 1, column 11: this is no UTF-8; save the document as UTF-8" },
	{ "{\"name\": \"\xed\xa0\x80\"}",
	  "line 1, column 11: this is no UTF-8; save the document as UTF-8" },
	{ "{\"name\": \"a\\u0000b\"}",
	  "line 1, column 12: \\u0000 is not possible in a text; remove it" },
	{ "{\"name\": \"a\tb\"}", "line 1, column 12: a control character inside quotes; write it "
				  "as \\n, \\t or \\u00XX" },
	{ "{\x01}", "line 1, column 2: a control character; remove it" },
	{ "{\xc2\xa0}",
	  "line 1, column 2: this is no JSON; only texts in quotes may have such characters" },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	  "line 1, column 33: more than 32 lists and objects in one another; make it flatter" },
	/* Keys. */
	{ "[]", "/: wrong type; write an object: { ... }" },
	{ "null", "/: wrong type; write an object: { ... }" },
	{ "{}", "/schema: missing; write the text \"macrohard.vm/1\"" },
	{ "{\"schema\": \"macrohard.vm/2\"}",
	  "/schema: this is not known; write the text \"macrohard.vm/1\"" },
	{ "{\"schema\": \"macrohard.vm/1\"}", "/name: missing; write a text of 1 to 64 bytes" },
	{ "{\"schema\": \"macrohard.vm/1\", \"name\": \"n\"}", "/memory: missing; " SIZES },
	{ DOC("\"cpu\": 1"), "/cpu: no such key; here may be: schema, name, memory, cpus, engine, "
			     "console, hyperv, tsc_khz, stop_on_reset, gdb, vnc, boot, devices" },
	{ DOC("\"Cpus\": 1"), "/Cpus: no such key: write it as \"cpus\"" },
	{ DOC("\"a/b~\\n\": 1"),
	  "/a~1b~0?: no such key; here may be: schema, name, memory, cpus, "
	  "engine, console, hyperv, tsc_khz, stop_on_reset, gdb, vnc, boot, devices" },
	{ DOC("\"cpus\": 1, \"cpus\": 2"), "/cpus: given twice; remove one" },
	{ DOC("\"cpus\": 1, \"CPUS\": 2"), "/CPUS: no such key: write it as \"cpus\"" },
	{ DISKS("{\"path\": \"a\"}, {\"path\": \"b\", \"\": 1}"),
	  "/devices/disks/1/: no such key; here may be: path, format, serial, queues, readonly, "
	  "direct, writethrough, split, slot" },
	/* Values. */
	{ DOC("\"cpus\": null"), "/cpus: wrong type; " CPUS },
	{ DOC("\"cpus\": [1]"), "/cpus: wrong type; " CPUS },
	{ DOC("\"cpus\": 0"), "/cpus: out of range; " CPUS },
	{ DOC("\"cpus\": 65"), "/cpus: out of range; " CPUS },
	{ DOC("\"cpus\": -1"), "/cpus: out of range; " CPUS },
	{ DOC("\"cpus\": 1.5"), "/cpus: not a whole number; " CPUS },
	{ DOC("\"cpus\": \"two\""), "/cpus: this is no number; " CPUS },
	{ DOC("\"cpus\": \"2G\""), "/cpus: this is no number; " CPUS },
	{ DOC("\"cpus\": \"0x\""), "/cpus: this is no number; " CPUS },
	{ DOC("\"cpus\": 1e999"), "/cpus: " INEXACT },
	{ DOC("\"cpus\": 9007199254740993"), "/cpus: " INEXACT },
	{ DOC("\"cpus\": \"18446744073709551616\""), "/cpus: out of range; " CPUS },
	{ DOC("\"cpus\": \"4294967297\""), "/cpus: out of range; " CPUS },
	{ "{\"memory\": 4096}",
	  "/memory: 4096 bytes are less than 1048576; a size has a unit: \"4096M\"" },
	{ "{\"memory\": 2000001}",
	  "/memory: 2000001 bytes are no multiple of 4096; round it to megabytes" },
	{ "{\"memory\": \"17179869184G\"}", "/memory: out of range; " SIZES },
	{ "{\"memory\": \"1Q\"}", "/memory: this is no number; " SIZES },
	{ "{\"memory\": \"1GB\"}", "/memory: this is no number; " SIZES },
	{ "{\"name\": \"\"}", "/name: empty; write a text of 1 to 64 bytes" },
	{ "{\"name\": \"a\\nb\"}", "/name: it has a control character; remove it" },
	{ "{\"name\": \"12345678901234567890123456789012345678901234567890123456789012345\"}",
	  "/name: 65 bytes; at most 64 are possible: shorten it" },
	{ DOC("\"hyperv\": 1"), "/hyperv: wrong type; write true or false" },
	{ DOC("\"tsc_khz\": 0"),
	  "/tsc_khz: out of range; write a whole number from 1 to 4294967295" },
	{ DOC("\"engine\": \"vmware\""),
	  "/engine: this is not known; write one of \"shim\", \"kvm\"" },
	{ DOC("\"boot\": \"vmlinuz\""), "/boot: wrong type; write an object: { ... }" },
	{ DOC("\"boot\": {\"initrd\": \"i\"}"), "/boot/kernel: missing; \"initrd\" and \"cmdline\" "
						"belong to a kernel: name it, or remove "
						"them" },
	{ DOC("\"boot\": {\"firmware\": \"bios\", \"cmdline\": \"quiet\"}"),
	  "/boot/kernel: missing; \"initrd\" and \"cmdline\" belong to a kernel: name it, or "
	  "remove "
	  "them" },
	{ DOC("\"boot\": {\"kernel\": \"k\", \"firmware\": \"bios\"}"),
	  "/boot/firmware: a VM boots a kernel or firmware, which finds its kernel on a disk: "
	  "remove "
	  "one of them" },
	{ DOC("\"boot\": {\"firmware\": true}"), "/boot/firmware: wrong type; " PATHS },
	{ DOC("\"devices\": []"), "/devices: wrong type; write an object: { ... }" },
	/* Devices. */
	{ DEVICES("\"disks\": {}"),
	  "/devices/disks: wrong type; write a list of objects: [ { ... } ]" },
	{ DISKS("{\"path\": \"a\"}, {\"path\": 7}"), "/devices/disks/1/path: wrong type; " PATHS },
	{ DISKS("{}"), "/devices/disks/0/path: missing; " PATHS },
	{ DISKS("\"a\""), "/devices/disks/0: wrong type; write an object: { ... }" },
	{ DISKS("{\"path\": \"a\", \"format\": \"vmdk\"}"),
	  "/devices/disks/0/format: this is not known; write one of \"raw\", \"qcow2\"" },
	{ DISKS("{\"path\": \"a\", \"serial\": \"123456789012345678901\"}"),
	  "/devices/disks/0/serial: 21 bytes; at most 20 are possible: shorten it" },
	{ DISKS("{\"path\": \"a\", \"slot\": 32}"),
	  "/devices/disks/0/slot: out of range; write a whole number from 1 to 31" },
	{ DISKS("{\"path\": \"a\", \"slot\": 5}, {\"path\": \"b\", \"slot\": 5}"),
	  "/devices/disks/1/slot: 5 is the slot of /devices/disks/0, too; choose another, or leave "
	  "it out" },
	{ DEVICES("\"disks\": [{\"path\": \"a\", \"slot\": 5}], \"rng\": {\"slot\": 5}"),
	  "/devices/rng/slot: 5 is the slot of /devices/disks/0, too; choose another, or leave it "
	  "out" },
	{ DISKS("{\"path\": \"a\"}, {\"path\": \"b\"}, {\"path\": \"a\", \"readonly\": true}"),
	  "/devices/disks/2/path: the same as /devices/disks/0/path; choose another" },
	{ DISKS("{\"path\": \"a\", \"serial\": \"s\"}, {\"path\": \"b\", \"serial\": \"s\"}"),
	  "/devices/disks/1/serial: the same as /devices/disks/0/serial; choose another" },
	{ NETS("{}"), "/devices/nets/0/kind: missing; write one of \"user\", \"tap\", \"fd\"" },
	{ NETS("{\"kind\": \"tap\"}"),
	  "/devices/nets/0/tap: missing; a network of kind \"tap\" needs it" },
	{ NETS("{\"kind\": \"fd\", \"fds\": []}"),
	  "/devices/nets/0/fds: missing; a network of kind \"fd\" needs it" },
	{ NETS("{\"kind\": \"fd\", \"fds\": [3, -1]}"),
	  "/devices/nets/0/fds/1: out of range; write a whole number from 0 to 2147483647" },
	{ NETS("{\"kind\": \"fd\", \"fds\": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}"),
	  "/devices/nets/0/fds: more than 16; remove some" },
	{ NETS("{\"kind\": \"user\", \"queues\": 2}"),
	  "/devices/nets/0/queues: only a network of kind \"tap\" has it; remove it" },
	{ NETS("{\"kind\": \"tap\", \"tap\": \"t\", \"restrict\": true}"),
	  "/devices/nets/0/restrict: only a network of kind \"user\" has it; remove it" },
	{ NETS("{\"kind\": \"tap\", \"tap\": \"t\"}, {\"kind\": \"tap\", \"tap\": \"t\"}"),
	  "/devices/nets/1/tap: the same as /devices/nets/0/tap; choose another" },
	{ NETS("{\"kind\": \"user\", \"mac\": \"02-00-00-00-00-01\"}"),
	  "/devices/nets/0/mac: this is no address; " MACS },
	{ NETS("{\"kind\": \"user\", \"mac\": \"01:00:00:00:00:01\"}"),
	  "/devices/nets/0/mac: this is the address of a group: its first byte is odd; " MACS },
	{ NETS("{\"kind\": \"user\", \"mac\": \"02:00:00:00:00:01\"},"
	       "{\"kind\": \"user\", \"mac\": \"02:00:00:00:00:01\"}"),
	  "/devices/nets/1/mac: the same as /devices/nets/0/mac; choose another" },
	{ NETS("{\"kind\": \"user\", \"forwards\": [{\"host\": \"localhost\"}]}"),
	  "/devices/nets/0/forwards/0/host: this is no address; write an IPv4 address such as "
	  "\"127.0.0.1\"" },
	{ NETS("{\"kind\": \"user\", \"forwards\": [{\"host_port\": 80}]}"),
	  "/devices/nets/0/forwards/0/guest_port: missing; write a whole number from 1 to 65535" },
	{ NETS("{\"kind\": \"user\", \"forwards\": [{\"host_port\": 80, \"guest_port\": 80}, "
	       "{\"host\": \"127.0.0.1\", \"host_port\": 80, \"guest_port\": 81}]}"),
	  "/devices/nets/0/forwards/1/host_port: TCP port 80 is forwarded already; choose "
	  "another" },
	{ SHARES("{\"path\": \"a\"}"),
	  "/devices/shares/0/tag: missing; write a text of 1 to 64 bytes" },
	{ SHARES("{\"path\": \"a\", \"tag\": \"t\"}, {\"path\": \"b\", \"tag\": \"t\"}"),
	  "/devices/shares/1/tag: the same as /devices/shares/0/tag; choose another" },
	{ SHARES("{\"path\": \"a\", \"tag\": \"t\", \"type\": \"nfs\"}"),
	  "/devices/shares/0/type: this is not known; write one of \"9p\", \"virtiofs\"" },
	{ SHARES("{\"path\": \"a\", \"type\": \"virtiofs\", "
		 "\"tag\": \"a-name-of-thirty-seven-bytes-it-is-37\"}"),
	  "/devices/shares/0/tag: 37 bytes, and with type \"virtiofs\" there may be 36; shorten "
	  "it" },
	{ DEVICES("\"vsock\": [{\"cid\": 3}]"),
	  "/devices/vsock: wrong type; write an object: { ... }" },
	{ DEVICES("\"vsock\": {\"cid\": 2}"), "/devices/vsock/cid: out of range; write a whole "
					      "number from 3 to 4294967294" },
	{ DEVICES("\"display\": {\"width\": 63}"),
	  "/devices/display/width: out of range; write a whole number from 64 to 16384" },
	{ DEVICES("\"display\": {\"height\": 640}"),
	  "/devices/display/width: missing; a size is \"width\" and \"height\": give both, or "
	  "none" },
	{ DEVICES("\"balloon\": {\"bytes\": \"2G\"}"),
	  "/devices/balloon/bytes: more than the 1073741824 bytes of /memory; make it smaller" },
	{ DOC("\"vnc\": {}"), "/vnc/path: missing; write a path of 1 to 80 bytes" },
	{ DEVICES("\"input\": {\"keyboard\": 1}"),
	  "/devices/input/keyboard: wrong type; write true or false" },
	{ DEVICES("\"input\": {\"keyboard\": false, \"tablet\": false, \"ps2\": false}"),
	  "/devices/input: all of its devices are off; remove it" },
};

static int parse(const char *text, struct mh_config **config)
{
	/* In memory that ends where the text ends. */
	size_t bytes = strlen(text);
	char *copy = malloc(bytes + !bytes);
	int rc;

	memcpy(copy, text, bytes);
	rc = mh_config_parse(ctx, copy, bytes, "vm.json", NULL, config);
	free(copy);
	return rc;
}

START_TEST(bad_documents)
{
	struct mh_config *config = NULL;
	char want[512];

	api_set_up();
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		snprintf(want, sizeof(want), "vm.json: %s", bad[n].error);
		ck_assert_msg(parse(bad[n].text, &config) == MH_EFORMAT, "accepted: %s",
			      bad[n].text);
		ck_assert_msg(!strcmp(mh_last_error(ctx), want), "%s:\n%s\nnot\n%s", bad[n].text,
			      mh_last_error(ctx), want);
	}
	ck_assert_ptr_null(config);
	ck_assert_uint_ge(sizeof(bad) / sizeof(bad[0]), 80);
	api_tear_down();
}
END_TEST

/* More than the bus has room for; a key whose end would be in the midst of a character. */
START_TEST(too_much)
{
	char text[8192], *big = calloc(1, MH_CONFIG_BYTES_MAX + 1);
	struct mh_config *config;
	int n;

	api_set_up();
	n = snprintf(text, sizeof(text),
		     START ", \"console\": \"virtio\", \"devices\": {\"disks\": [");
	for (int i = 0; i < 31; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s{\"path\": \"%d\"}",
			      i ? "," : "", i);
	snprintf(text + n, sizeof(text) - (size_t)n, "]}}");
	ck_assert_int_eq(parse(text, &config), MH_EFORMAT);
	ck_assert_str_eq(mh_last_error(ctx),
			 "vm.json: /devices: 32 devices, with a virtio console; the PCI bus has "
			 "room for 31: remove some");
	ck_assert_int_eq(parse(DOC("\"1234567890123456789012345678901234567890123\xf0\x9f\x98\x80\""
				   ": 1"),
			       &config),
			 MH_EFORMAT);
	ck_error_has("vm.json: /1234567890123456789012345678901234567890123...: no such key");
	ck_assert_int_eq(mh_config_parse(ctx, big, MH_CONFIG_BYTES_MAX + 1, "big", NULL, &config),
			 MH_EFORMAT);
	ck_assert_str_eq(mh_last_error(ctx), "big: more than 1048576 bytes; is it the right file?");
	ck_assert_int_eq(mh_config_parse(ctx, NULL, 0, NULL, NULL, &config), MH_EINVAL);
	ck_assert_int_eq(mh_config_parse(ctx, "{}", 2, NULL, NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_config_parse(NULL, "{}", 2, NULL, NULL, &config), MH_EINVAL);
	mh_config_free(NULL);
	free(big);
	api_tear_down();
}
END_TEST

START_TEST(good_documents)
{
	struct mh_config_info info = MH_CONFIG_INFO_INIT;
	struct mh_config *config;

	api_set_up();
	ck_assert_int_eq(parse(START "}\n", &config), 0);
	ck_assert_int_eq(mh_config_info(config, &info), 0);
	ck_assert_str_eq(info.name, "Windows 11");
	ck_assert_uint_eq(info.memory_bytes, 1u << 30);
	ck_assert_uint_eq(info.cpus, 1);
	ck_assert_uint_eq(info.engine, MH_ENGINE_SHIM);
	ck_assert_uint_eq(info.console, MH_CONFIG_SERIAL);
	ck_assert_ptr_null(info.kernel);
	info.size--;
	ck_assert_int_eq(mh_config_info(config, &info), MH_EINVAL);
	ck_assert_int_eq(mh_config_info(NULL, &info), MH_EINVAL);
	mh_config_free(config);
	info.size++;
	ck_assert_int_eq(
		parse("{\"schema\": \"macrohard.vm/1\", \"name\": \"\\u00e4 / \\\"x\\\"\", "
		      "\"memory\": \"0x100000000\", \"cpus\": \"64\", \"engine\": \"kvm\","
		      "\"console\": \"virtio\", \"boot\": {\"kernel\": \"k\","
		      "\"cmdline\": \"\"}}",
		      &config),
		0);
	ck_assert_int_eq(mh_config_info(config, &info), 0);
	ck_assert_str_eq(info.name, "\xc3\xa4 / \"x\"");
	ck_assert_uint_eq(info.memory_bytes, 1ull << 32);
	ck_assert_uint_eq(info.cpus, 64);
	ck_assert_uint_eq(info.engine, MH_ENGINE_KVM);
	ck_assert_uint_eq(info.console, MH_CONFIG_VIRTIO);
	ck_assert_str_eq(info.kernel, "k");
	mh_config_free(config);
	/* Without a folder paths stay as they are, else they start there. */
	ck_assert_int_eq(mh_config_parse(ctx, DOC("\"boot\": {\"kernel\": \"k\"}"),
					 strlen(DOC("\"boot\": {\"kernel\": \"k\"}")), NULL, "/f",
					 &config),
			 0);
	ck_assert_int_eq(mh_config_info(config, &info), 0);
	ck_assert_str_eq(info.kernel, "/f/k");
	mh_config_free(config);
	/* Two readers of one image; one port of two protocols and of two addresses. */
	ck_assert_int_eq(
		parse(DEVICES("\"disks\": [{\"path\": \"a\", \"readonly\": true},"
			      "{\"path\": \"a\", \"readonly\": true}], \"nets\": ["
			      "{\"kind\": \"user\", \"forwards\": ["
			      "{\"host\": \"127.0.0.1\", \"host_port\": 1, \"guest_port\": 1},"
			      "{\"host\": \"127.0.0.2\", \"host_port\": 1, \"guest_port\": 1},"
			      "{\"protocol\": \"udp\", \"host_port\": 1, \"guest_port\": 1}"
			      "]}, {\"kind\": \"user\"}]"),
		      &config),
		0);
	mh_config_free(config);
	api_tear_down();
}
END_TEST

/* ---- the schema ---- */

static unsigned int keys_seen;

static void compare(const char *name, const struct mhi_cfg_key *key, const cJSON *schema);

static bool is_required(const cJSON *schema, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(
					 schema, "required")) if (!strcmp(item->valuestring,
									  name)) return true;
	return false;
}

static void compare_object(const char *name, const struct mhi_cfg_object *o, const cJSON *schema)
{
	const cJSON *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties"), *item;
	const struct mhi_cfg_key *k;

	ck_assert_msg(
		cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(schema, "additionalProperties")),
		"%s: the schema allows other keys", name);
	cJSON_ArrayForEach(item, properties)
	{
		for (k = o->keys; k->name && strcmp(k->name, item->string);)
			k++;
		ck_assert_msg(k->name != NULL, "%s: the parser does not know %s", name,
			      item->string);
	}
	for (k = o->keys; k->name; k++) {
		item = cJSON_GetObjectItemCaseSensitive(properties, k->name);
		ck_assert_msg(item != NULL, "%s: the schema does not know %s", name, k->name);
		ck_assert_msg(is_required(schema, k->name) == k->required,
			      "%s: is %s required or not?", name, k->name);
		compare(k->name, k, item);
		keys_seen++;
	}
}

static double bound(const cJSON *schema, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(schema, name);

	return item ? item->valuedouble : 0;
}

static void compare_choices(const char *name, const struct mhi_cfg_key *key, const cJSON *schema)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(schema, "enum"), *item;
	u32 n = 0;

	cJSON_ArrayForEach(item, list)
	{
		ck_assert_msg(key->choices[n] && !strcmp(key->choices[n], item->valuestring),
			      "%s: other choices", name);
		n++;
	}
	ck_assert_msg(n && !key->choices[n], "%s: other choices", name);
}

static void compare_type(const char *name, const cJSON *schema, const char *type)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(schema, "type");

	if (cJSON_IsArray(item))
		item = item->child;
	ck_assert_msg(item && !strcmp(item->valuestring, type), "%s: not of type %s", name, type);
}

static void compare_bounds(const char *name, const struct mhi_cfg_key *key, const cJSON *schema,
			   const char *least, const char *most)
{
	ck_assert_msg(bound(schema, least) == (double)key->least, "%s: another %s", name, least);
	ck_assert_msg(bound(schema, most) == (double)key->most, "%s: another %s", name, most);
}

static void compare(const char *name, const struct mhi_cfg_key *key, const cJSON *schema)
{
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(schema, "items");

	switch (key->kind) {
	case MHI_CFG_OBJECT:
	case MHI_CFG_OPTION:
		compare_type(name, schema, "object");
		compare_object(name, key->object, schema);
		break;
	case MHI_CFG_LIST:
		compare_type(name, schema, "array");
		compare_bounds(name, key, schema, "minItems", "maxItems");
		compare_object(name, key->object, items);
		break;
	case MHI_CFG_NUMBERS:
		compare_type(name, schema, "array");
		compare_type(name, items, "integer");
		compare_bounds(name, key, schema, "minItems", "maxItems");
		break;
	case MHI_CFG_CHOICE:
	case MHI_CFG_WORD:
		compare_choices(name, key, schema);
		break;
	case MHI_CFG_FLAG:
		compare_type(name, schema, "boolean");
		break;
	case MHI_CFG_NUMBER:
	case MHI_CFG_SIZE:
		compare_type(name, schema, "integer");
		compare_bounds(name, key, schema, "minimum", "maximum");
		break;
	case MHI_CFG_TEXT:
	case MHI_CFG_PATH:
		compare_type(name, schema, "string");
		compare_bounds(name, key, schema, "minLength", "maxLength");
		break;
	case MHI_CFG_IPV4:
	case MHI_CFG_MAC:
		compare_type(name, schema, "string");
		break;
	}
}

START_TEST(schema_and_parser_agree)
{
	static char text[1 << 16];
	FILE *f = fopen(SCHEMA_PATH, "r");
	cJSON *schema;
	size_t bytes;

	ck_assert_ptr_nonnull(f);
	bytes = fread(text, 1, sizeof(text), f);
	fclose(f);
	ck_assert_uint_lt(bytes, sizeof(text));
	schema = cJSON_ParseWithLength(text, bytes);
	ck_assert_ptr_nonnull(schema);
	compare_object("/", &mhi_cfg_root, schema);
	ck_assert_uint_gt(keys_seen, 50);
	cJSON_Delete(schema);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, bad_documents);
	tcase_add_test(tcase, too_much);
	tcase_add_test(tcase, good_documents);
	tcase_add_test(tcase, schema_and_parser_agree);
}

UNIT_MAIN("config", add_tests)

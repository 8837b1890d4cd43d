/* SPDX-License-Identifier: MIT */
/* Single values of a document: texts, paths, addresses, numbers, sizes, flags, choices. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/config.h"
#include "base/checked.h"
#include "core/mul.h"

/* ---- in words ---- */

static void takes_choice(const struct mhi_cfg_key *key, char *text, size_t bytes)
{
	size_t used = (size_t)snprintf(text, bytes, key->choices[1] ? "one of" : "the text");

	for (u32 n = 0; key->choices[n] && used < bytes; n++)
		used += (size_t)snprintf(text + used, bytes - used, "%s \"%s\"", n ? "," : "",
					 key->choices[n]);
}

void mhi_cfg_takes(const struct mhi_cfg_key *key, char *text, size_t bytes)
{
	switch (key->kind) {
	case MHI_CFG_TEXT:
		snprintf(text, bytes, "a text of %llu to %llu bytes", key->least, key->most);
		break;
	case MHI_CFG_PATH:
		snprintf(text, bytes, "a path of 1 to %llu bytes", key->most);
		break;
	case MHI_CFG_IPV4:
		snprintf(text, bytes, "an IPv4 address such as \"127.0.0.1\"");
		break;
	case MHI_CFG_MAC:
		snprintf(text, bytes, "an address such as \"02:00:00:00:00:01\"");
		break;
	case MHI_CFG_NUMBER:
		snprintf(text, bytes, "a whole number from %llu to %llu", key->least, key->most);
		break;
	case MHI_CFG_SIZE:
		snprintf(text, bytes, "a size such as \"512M\" or \"2G\", or a number of bytes");
		break;
	case MHI_CFG_FLAG:
		snprintf(text, bytes, "true or false");
		break;
	case MHI_CFG_CHOICE:
	case MHI_CFG_WORD:
		takes_choice(key, text, bytes);
		break;
	case MHI_CFG_OBJECT:
	case MHI_CFG_OPTION:
		snprintf(text, bytes, "an object: { ... }");
		break;
	case MHI_CFG_LIST:
		snprintf(text, bytes, "a list of objects: [ { ... } ]");
		break;
	case MHI_CFG_NUMBERS:
		snprintf(text, bytes, "a list of numbers: [ 3, 4 ]");
		break;
	}
}

/* "WHAT; write TAKES" */
static int fail(struct mhi_cfg_at *at, const struct mhi_cfg_key *key, const char *what)
{
	char takes[MHI_ERR_TEXT / 2];

	mhi_cfg_takes(key, takes, sizeof(takes));
	return mhi_cfg_fail(at, MH_EFORMAT, "%s; write %s", what, takes);
}

/* ---- texts ---- */

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static int read_text(struct mhi_cfg_at *at, const struct mhi_cfg_key *key, const char *text)
{
	size_t bytes = strlen(text);

	if (bytes < key->least)
		return fail(at, key, "empty");
	if (bytes > key->most)
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "%zu bytes; at most %llu are possible: "
				    "shorten it",
				    bytes, key->most);
	if (has_control(text))
		return mhi_cfg_fail(at, MH_EFORMAT, "it has a control character; remove it");
	return 0;
}

static int keep(struct mhi_cfg_at *at, struct mh_config *config, const char *folder,
		const char *text, const char **to)
{
	size_t bytes = strlen(text) + (folder ? strlen(folder) + 1 : 0) + 1;
	char *copy = mhi_cfg_alloc(config, bytes);

	if (!copy)
		return mhi_cfg_fail(at, MH_ENOMEM, MHI_NO_MEMORY);
	snprintf(copy, bytes, "%s%s%s", folder ? folder : "", folder ? "/" : "", text);
	*to = copy;
	return 0;
}

static int read_path(struct mhi_cfg_at *at, struct mh_config *config, const struct mhi_cfg_key *key,
		     const char *text, const char **to)
{
	const char *folder = text[0] == '/' ? NULL : config->folder;
	int rc = read_text(at, key, text);

	for (u32 n = 0; key->choices && key->choices[n]; n++)
		if (!strcmp(key->choices[n], text))
			folder = NULL;
	if (!rc)
		rc = keep(at, config, folder, text, to);
	/* A folder in front may have made it too long. */
	return rc ? rc : read_text(at, key, *to);
}

static int read_ipv4(struct mhi_cfg_at *at, struct mh_config *config, const struct mhi_cfg_key *key,
		     const char *text, const char **to)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return fail(at, key, "this is no address");
	return keep(at, config, NULL, text, to);
}

static int read_mac(struct mhi_cfg_at *at, const struct mhi_cfg_key *key, const char *text, u8 *mac)
{
	for (unsigned int n = 0; n < 6; n++, text += 3) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    text[2] != (n < 5 ? ':' : '\0'))
			return fail(at, key, "this is no address");
		mac[n] = (u8)strtoul(text, NULL, 16);
	}
	if (mac[0] & 1)
		return fail(at, key, "this is the address of a group: its first byte is odd");
	return 0;
}

static int read_choice(struct mhi_cfg_at *at, const struct mhi_cfg_key *key, const char *text,
		       u32 *index)
{
	for (*index = 0; key->choices[*index]; ++*index)
		if (!strcmp(key->choices[*index], text))
			return 0;
	return fail(at, key, "this is not known");
}

static int read_word(struct mhi_cfg_at *at, const struct mhi_cfg_key *key, const char *text,
		     const char **to)
{
	u32 index;
	int rc = read_choice(at, key, text, &index);

	if (!rc)
		*to = key->choices[index];
	return rc;
}

/* ---- numbers ---- */

/* Decimal, or hexadecimal behind "0x"; *end: what follows, or text; false: it is too large. */
static bool parse_u64(const char *text, u64 *value, const char **end)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;

	*value = 0;
	for (*end = digits; hex ? isxdigit((unsigned char)**end) : isdigit((unsigned char)**end);
	     ++*end) {
		char c = **end;
		u64 digit = (u64)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);

		if (!mhi_mul_u64(*value, hex ? 16 : 10, value) ||
		    !mhi_add_u64(*value, digit, value))
			return false;
	}
	if (*end == digits)
		*end = text;
	return true;
}

/* A power of two: 0 for bytes; -1: no such unit. */
static int unit_shift(const char *unit)
{
	static const char units[] = "KMGT";
	const char *at;

	if (!*unit)
		return 0;
	at = unit[1] ? NULL : strchr(units, *unit);
	return at ? 10 * (int)(at - units + 1) : -1;
}

static int read_number_text(struct mhi_cfg_at *at, const struct mhi_cfg_key *key, const char *text,
			    u64 *value)
{
	const char *end;
	int shift;

	if (!parse_u64(text, value, &end))
		return fail(at, key, "out of range");
	shift = key->kind == MHI_CFG_SIZE ? unit_shift(end) : *end ? -1 : 0;
	if (end == text || shift < 0)
		return fail(at, key, "this is no number");
	if (*value > UINT64_MAX >> shift)
		return fail(at, key, "out of range");
	*value <<= shift;
	return 0;
}

static int read_number(struct mhi_cfg_at *at, const struct mhi_cfg_key *key,
		       const struct mhi_json *json, u64 *value)
{
	double number;

	if (mhi_json_type(json) == MHI_JSON_TEXT)
		return read_number_text(at, key, mhi_json_text(json), value);
	number = mhi_json_number(json);
	if (!(number < MHI_JSON_EXACT && number > -MHI_JSON_EXACT))
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "a number as large as this is not exact in JSON; write it as "
				    "a text, such as \"18446744073709551615\"");
	if (number != (double)(long long)number)
		return fail(at, key, "not a whole number");
	if (number < 0)
		return fail(at, key, "out of range");
	*value = (u64)number;
	return 0;
}

static int read_in_range(struct mhi_cfg_at *at, const struct mhi_cfg_key *key,
			 const struct mhi_json *json, u64 *value)
{
	int rc = read_number(at, key, json, value);

	if (rc)
		return rc;
	if (*value >= key->least && *value <= key->most)
		return 0;
	if (key->kind == MHI_CFG_SIZE && *value < key->least)
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "%llu bytes are less than %llu; a size has a unit: \"%lluM\"",
				    *value, key->least, *value ? *value : 512);
	return fail(at, key, "out of range");
}

static int read_size(struct mhi_cfg_at *at, const struct mhi_cfg_key *key,
		     const struct mhi_json *json, u64 *to)
{
	int rc = read_in_range(at, key, json, to);

	if (!rc && *to % MH_PAGE_SIZE)
		return mhi_cfg_fail(at, MH_EFORMAT,
				    "%llu bytes are no multiple of %u; round it "
				    "to megabytes",
				    *to, MH_PAGE_SIZE);
	return rc;
}

static int read_u32(struct mhi_cfg_at *at, const struct mhi_cfg_key *key,
		    const struct mhi_json *json, u32 *to)
{
	u64 value = 0;
	int rc = read_in_range(at, key, json, &value);

	*to = (u32)value;
	return rc;
}

/* ---- all of them ---- */

static bool right_type(const struct mhi_cfg_key *key, enum mhi_json_type type)
{
	switch (key->kind) {
	case MHI_CFG_FLAG:
		return type == MHI_JSON_BOOL;
	case MHI_CFG_NUMBER:
	case MHI_CFG_SIZE:
		return type == MHI_JSON_NUMBER || type == MHI_JSON_TEXT;
	case MHI_CFG_TEXT:
	case MHI_CFG_PATH:
	case MHI_CFG_IPV4:
	case MHI_CFG_MAC:
	case MHI_CFG_CHOICE:
	case MHI_CFG_WORD:
		return type == MHI_JSON_TEXT;
	case MHI_CFG_OBJECT:
	case MHI_CFG_OPTION:
	case MHI_CFG_LIST:
	case MHI_CFG_NUMBERS:
		break;
	}
	return false;
}

static void set_flag(const struct mhi_cfg_key *key, bool on, u32 *flags)
{
	*flags = on ? *flags | key->bit : *flags & ~key->bit;
}

int mhi_cfg_value(struct mhi_cfg_at *at, struct mh_config *config, const struct mhi_cfg_key *key,
		  const struct mhi_json *value, void *to)
{
	const char *text = mhi_json_text(value);
	int rc;

	if (!right_type(key, mhi_json_type(value)))
		return fail(at, key, "wrong type");
	switch (key->kind) {
	case MHI_CFG_TEXT:
		rc = read_text(at, key, text);
		return rc ? rc : keep(at, config, NULL, text, to);
	case MHI_CFG_PATH:
		return read_path(at, config, key, text, to);
	case MHI_CFG_IPV4:
		return read_ipv4(at, config, key, text, to);
	case MHI_CFG_MAC:
		return read_mac(at, key, text, to);
	case MHI_CFG_CHOICE:
		return read_choice(at, key, text, to);
	case MHI_CFG_WORD:
		return read_word(at, key, text, to);
	case MHI_CFG_NUMBER:
		return read_u32(at, key, value, to);
	case MHI_CFG_SIZE:
		return read_size(at, key, value, to);
	case MHI_CFG_FLAG:
		set_flag(key, mhi_json_true(value), to);
		break;
	case MHI_CFG_OBJECT:
	case MHI_CFG_OPTION:
	case MHI_CFG_LIST:
	case MHI_CFG_NUMBERS:
		break;
	}
	return 0;
}

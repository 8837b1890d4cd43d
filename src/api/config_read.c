/* SPDX-License-Identifier: MIT */
/* Reads a document by the table of its keys: objects, lists, what is unknown, missing or double. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/config.h"

#define QUOTED 48

/* ---- where ---- */

static size_t enter(struct mhi_cfg_at *at, const char *name)
{
	size_t mark = strlen(at->path);

	snprintf(at->path + mark, sizeof(at->path) - mark, "/%s", name);
	return mark;
}

size_t mhi_cfg_enter(struct mhi_cfg_at *at, const char *key)
{
	return enter(at, key);
}

size_t mhi_cfg_enter_item(struct mhi_cfg_at *at, u32 index)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", index);
	return enter(at, name);
}

void mhi_cfg_leave(struct mhi_cfg_at *at, size_t mark)
{
	at->path[mark] = '\0';
}

int mhi_cfg_fail(struct mhi_cfg_at *at, int code, const char *fmt, ...)
{
	char text[MHI_ERR_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return mhi_err_set(at->err, code, "%s: %s: %s", at->config->source,
			   at->path[0] ? at->path : "/", text);
}

/* ---- keys ---- */

/* A key of the document's own, fit to be printed: RFC 6901, 3 "Syntax"; short; no controls. */
static void quote(const char *key, char *out)
{
	size_t used = 0;

	for (; *key && used < QUOTED - 4; key++) {
		if (*key == '~' || *key == '/') {
			out[used++] = '~';
			out[used++] = *key == '~' ? '0' : '1';
		} else {
			out[used++] = (unsigned char)*key < 0x20 || *key == 0x7f ? '?' : *key;
		}
	}
	if (*key) {
		/* Not in the midst of a character. */
		while (used && ((unsigned char)out[used - 1] & 0xc0) == 0x80)
			used--;
		if (used && (unsigned char)out[used - 1] >= 0xc0)
			used--;
		memcpy(out + used, "...", 3);
		used += 3;
	}
	out[used] = '\0';
}

static void list_keys(const struct mhi_cfg_object *o, char *text, size_t bytes)
{
	size_t used = 0;

	for (const struct mhi_cfg_key *k = o->keys; k->name && used < bytes; k++)
		used += (size_t)snprintf(text + used, bytes - used, "%s%s",
					 k == o->keys ? "" : ", ", k->name);
}

static int fail_unknown(struct mhi_cfg_at *at, const struct mhi_cfg_object *o, const char *name)
{
	const struct mhi_cfg_key *k = o->keys;
	char quoted[QUOTED], known[160];

	quote(name, quoted);
	list_keys(o, known, sizeof(known));
	mhi_cfg_enter(at, quoted);
	while (k->name && strcasecmp(k->name, name))
		k++;
	if (k->name)
		return mhi_cfg_fail(at, MH_EFORMAT, "no such key: write it as \"%s\"", k->name);
	return mhi_cfg_fail(at, MH_EFORMAT, "no such key; here may be: %s", known);
}

static const struct mhi_cfg_key *find_key(const struct mhi_cfg_object *o, const char *name)
{
	for (const struct mhi_cfg_key *k = o->keys; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

/* ---- values ---- */

static int read_object(struct mhi_cfg_at *at, struct mh_config *config,
		       const struct mhi_cfg_object *o, const struct mhi_json *value, void *to);

static int check_type(struct mhi_cfg_at *at, const struct mhi_cfg_key *key,
		      const struct mhi_json *value, enum mhi_json_type want)
{
	char takes[MHI_ERR_TEXT / 2];

	if (mhi_json_type(value) == want)
		return 0;
	mhi_cfg_takes(key, takes, sizeof(takes));
	return mhi_cfg_fail(at, MH_EFORMAT, "wrong type; write %s", takes);
}

static int count_items(struct mhi_cfg_at *at, const struct mhi_cfg_key *key,
		       const struct mhi_json *value, u32 *count)
{
	*count = 0;
	for (const struct mhi_json *v = mhi_json_first(value); v; v = mhi_json_next(v))
		if (++*count > key->most)
			return mhi_cfg_fail(at, MH_EFORMAT, "more than %llu; remove some",
					    key->most);
	return 0;
}

static int read_item(struct mhi_cfg_at *at, struct mh_config *config, const struct mhi_cfg_key *key,
		     const struct mhi_json *value, void *to)
{
	const struct mhi_cfg_key number = { .kind = MHI_CFG_NUMBER, .most = INT32_MAX };
	static const struct mhi_cfg_key object = { .kind = MHI_CFG_OBJECT };
	int rc;

	if (!key->object)
		return mhi_cfg_value(at, config, &number, value, to);
	rc = check_type(at, &object, value, MHI_JSON_OBJECT);
	return rc ? rc : read_object(at, config, key->object, value, to);
}

static int read_list(struct mhi_cfg_at *at, struct mh_config *config, const struct mhi_cfg_key *key,
		     const struct mhi_json *value, struct mhi_cfg_list *list)
{
	size_t bytes = key->object ? key->object->bytes : sizeof(int);
	const struct mhi_json *v;
	u32 count;
	int rc = check_type(at, key, value, MHI_JSON_LIST);

	if (!rc)
		rc = count_items(at, key, value, &count);
	if (rc)
		return rc;
	list->items = mhi_cfg_alloc(config, (count + 1) * bytes);
	if (!list->items)
		return mhi_cfg_fail(at, MH_ENOMEM, MHI_NO_MEMORY);
	for (v = mhi_json_first(value); v && !rc; v = mhi_json_next(v), list->count++) {
		size_t mark = mhi_cfg_enter_item(at, list->count);

		rc = read_item(at, config, key, v, (char *)list->items + list->count * bytes);
		if (!rc)
			mhi_cfg_leave(at, mark);
	}
	return rc;
}

static int read_option(struct mhi_cfg_at *at, struct mh_config *config,
		       const struct mhi_cfg_key *key, const struct mhi_json *value,
		       struct mhi_cfg_list *list)
{
	int rc = check_type(at, key, value, MHI_JSON_OBJECT);

	if (rc)
		return rc;
	list->items = mhi_cfg_alloc(config, key->object->bytes);
	if (!list->items)
		return mhi_cfg_fail(at, MH_ENOMEM, MHI_NO_MEMORY);
	list->count = 1;
	return read_object(at, config, key->object, value, list->items);
}

static int read_key(struct mhi_cfg_at *at, struct mh_config *config, const struct mhi_cfg_key *key,
		    const struct mhi_json *value, void *to)
{
	int rc;

	switch (key->kind) {
	case MHI_CFG_OBJECT:
		rc = check_type(at, key, value, MHI_JSON_OBJECT);
		return rc ? rc : read_object(at, config, key->object, value, to);
	case MHI_CFG_OPTION:
		return read_option(at, config, key, value, to);
	case MHI_CFG_LIST:
	case MHI_CFG_NUMBERS:
		return read_list(at, config, key, value, to);
	case MHI_CFG_TEXT:
	case MHI_CFG_PATH:
	case MHI_CFG_IPV4:
	case MHI_CFG_MAC:
	case MHI_CFG_NUMBER:
	case MHI_CFG_SIZE:
	case MHI_CFG_FLAG:
	case MHI_CFG_CHOICE:
	case MHI_CFG_WORD:
		break;
	}
	return mhi_cfg_value(at, config, key, value, to);
}

static int check_required(struct mhi_cfg_at *at, const struct mhi_cfg_object *o, u32 seen)
{
	char takes[MHI_ERR_TEXT / 2];

	for (const struct mhi_cfg_key *k = o->keys; k->name; k++, seen >>= 1) {
		if (!k->required || (seen & 1))
			continue;
		mhi_cfg_enter(at, k->name);
		mhi_cfg_takes(k, takes, sizeof(takes));
		return mhi_cfg_fail(at, MH_EFORMAT, "missing; write %s", takes);
	}
	return 0;
}

static int read_object(struct mhi_cfg_at *at, struct mh_config *config,
		       const struct mhi_cfg_object *o, const struct mhi_json *value, void *to)
{
	const struct mhi_json *v;
	u32 seen = 0;
	int rc = 0;

	if (o->defaults)
		memcpy(to, o->defaults, o->bytes);
	for (v = mhi_json_first(value); v && !rc; v = mhi_json_next(v)) {
		const struct mhi_cfg_key *key = find_key(o, mhi_json_key(v));
		size_t mark;

		if (!key)
			return fail_unknown(at, o, mhi_json_key(v));
		mark = mhi_cfg_enter(at, key->name);
		if (seen & 1u << (key - o->keys))
			return mhi_cfg_fail(at, MH_EFORMAT, "given twice; remove one");
		seen |= 1u << (key - o->keys);
		rc = read_key(at, config, key, v, (char *)to + key->at);
		if (!rc)
			mhi_cfg_leave(at, mark);
	}
	return rc ? rc : check_required(at, o, seen);
}

int mhi_cfg_read(struct mh_config *config, const struct mhi_json *root, struct mhi_err *err)
{
	static const struct mhi_cfg_key object = { .kind = MHI_CFG_OBJECT };
	struct mhi_cfg_at at = { .config = config, .err = err };
	int rc = check_type(&at, &object, root, MHI_JSON_OBJECT);

	return rc ? rc : read_object(&at, config, &mhi_cfg_root, root, config);
}

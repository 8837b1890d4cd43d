/* SPDX-License-Identifier: MIT */
/* cJSON behind json.h. What it lets pass that is no JSON, json_scan.c refuses first. */
#include "api/json.h"

#include <cjson/cJSON.h>

static const cJSON *item_of(const struct mhi_json *value)
{
	return (const cJSON *)value;
}

/* Counted in characters, as editors do. */
static int wrong_at(const char *text, size_t at, const char *what, struct mhi_err *err)
{
	unsigned int line = 1, column = 1;

	for (size_t n = 0; n < at; n++) {
		if (text[n] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text[n] & 0xc0) != 0x80) {
			column++;
		}
	}
	return mhi_err_set(err, MH_EFORMAT, "line %u, column %u: %s", line, column, what);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int mhi_json_parse(const char *text, size_t bytes, struct mhi_json **root, struct mhi_err *err)
{
	const char *end = text, *wrong;
	cJSON *item;
	size_t at;

	wrong = mhi_json_scan(text, bytes, &at);
	if (wrong)
		return wrong_at(text, at, wrong, err);
	item = cJSON_ParseWithLengthOpts(text, bytes, &end, 0);
	while (item && end < text + bytes && is_space(*end))
		end++;
	at = (size_t)(end - text);
	if (!item)
		return wrong_at(text, at < bytes ? at : bytes,
				at < bytes ? "this is no JSON; look for a missing quote, comma or "
					     "bracket before it"
					   : "the document ends too early; look for a missing "
					     "quote or bracket",
				err);
	if (at < bytes) {
		cJSON_Delete(item);
		return wrong_at(text, at, "text behind the document's end; remove it", err);
	}
	*root = (struct mhi_json *)item;
	return 0;
}

void mhi_json_free(struct mhi_json *root)
{
	cJSON_Delete((cJSON *)root);
}

enum mhi_json_type mhi_json_type(const struct mhi_json *value)
{
	const cJSON *item = item_of(value);

	if (cJSON_IsBool(item))
		return MHI_JSON_BOOL;
	if (cJSON_IsNumber(item))
		return MHI_JSON_NUMBER;
	if (cJSON_IsString(item))
		return MHI_JSON_TEXT;
	if (cJSON_IsArray(item))
		return MHI_JSON_LIST;
	return cJSON_IsObject(item) ? MHI_JSON_OBJECT : MHI_JSON_NULL;
}

const struct mhi_json *mhi_json_first(const struct mhi_json *value)
{
	return (const struct mhi_json *)item_of(value)->child;
}

const struct mhi_json *mhi_json_next(const struct mhi_json *value)
{
	return (const struct mhi_json *)item_of(value)->next;
}

const char *mhi_json_key(const struct mhi_json *value)
{
	return item_of(value)->string;
}

bool mhi_json_true(const struct mhi_json *value)
{
	return cJSON_IsTrue(item_of(value));
}

double mhi_json_number(const struct mhi_json *value)
{
	return item_of(value)->valuedouble;
}

const char *mhi_json_text(const struct mhi_json *value)
{
	return item_of(value)->valuestring;
}

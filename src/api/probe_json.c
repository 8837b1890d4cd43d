/* SPDX-License-Identifier: MIT */
/* The preflight's report as JSON, schema "macrohard.probe/1". */
#include "api/probe.h"

#include <cjson/cJSON.h>
#include <string.h>

static const char *level_name(enum mh_probe_level level)
{
	static const char *const names[] = {
		[MH_PROBE_REQUIRED] = "required",
		[MH_PROBE_RECOMMENDED] = "recommended",
		[MH_PROBE_OPTIONAL] = "optional",
	};

	return names[level];
}

static const char *state_name(enum mh_probe_state state)
{
	static const char *const names[] = {
		[MH_PROBE_YES] = "yes",
		[MH_PROBE_NO] = "no",
		[MH_PROBE_UNKNOWN] = "unknown",
	};

	return names[state];
}

static bool add_item(cJSON *array, const struct mh_probe_item *item)
{
	cJSON *object = cJSON_CreateObject();

	if (!object || !cJSON_AddItemToArray(array, object)) {
		cJSON_Delete(object);
		return false;
	}
	return cJSON_AddStringToObject(object, "id", item->id) &&
	       cJSON_AddStringToObject(object, "name", item->name) &&
	       cJSON_AddStringToObject(object, "source", item->source) &&
	       cJSON_AddStringToObject(object, "level", level_name(item->level)) &&
	       cJSON_AddStringToObject(object, "state", state_name(item->state)) &&
	       cJSON_AddStringToObject(object, "detail", item->detail) &&
	       cJSON_AddStringToObject(object, "cure",
				       item->state == MH_PROBE_YES ? "" : item->cure);
}

static bool add_verdict(cJSON *root, int verdict)
{
	cJSON *object = cJSON_AddObjectToObject(root, "verdict");

	return object && cJSON_AddBoolToObject(object, "ok", verdict == 0) &&
	       cJSON_AddStringToObject(object, "error", verdict ? mh_err_name(verdict) : "") &&
	       cJSON_AddStringToObject(object, "text", verdict ? mh_strerror(verdict) : "");
}

char *mhi_probe_to_json(const struct mh_probe *p)
{
	cJSON *root = cJSON_CreateObject(), *array = NULL;
	char *text = NULL, *copy;
	bool ok;
	size_t i;

	ok = root && cJSON_AddStringToObject(root, "schema", "macrohard.probe/1") &&
	     cJSON_AddStringToObject(root, "version", mh_version()) &&
	     add_verdict(root, p->verdict);
	if (ok)
		array = cJSON_AddArrayToObject(root, "items");
	ok = array != NULL;
	for (i = 0; ok && i < p->count; i++)
		ok = add_item(array, &p->items[i]);
	if (ok)
		text = cJSON_Print(root);
	cJSON_Delete(root);
	/* The embedder may have given cJSON an allocator of its own. */
	copy = text ? strdup(text) : NULL;
	cJSON_free(text);
	return copy;
}

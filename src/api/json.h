/* SPDX-License-Identifier: MIT */
/* Strict JSON: a document is taken exactly as RFC 8259 has it, or refused with the place. */
#ifndef MHI_API_JSON_H
#define MHI_API_JSON_H

#include "base/types.h"
#include "core/err.h"

/* Lists and objects in one another. */
#define MHI_JSON_DEPTH 32
/* From here on not every integer is a JSON number (a double, IEEE 754). */
#define MHI_JSON_EXACT 9007199254740992.0

enum mhi_json_type {
	MHI_JSON_NULL,
	MHI_JSON_BOOL,
	MHI_JSON_NUMBER,
	MHI_JSON_TEXT,
	MHI_JSON_LIST,
	MHI_JSON_OBJECT
};

struct mhi_json; /* a value; it lives as long as its root */

/* json_scan.c: what cJSON lets pass. NULL: nothing, else what is wrong at *at. */
const char *mhi_json_scan(const char *text, size_t bytes, size_t *at);

/* 0 with the root; MH_EFORMAT ("line 1, column 2: ..."), MH_ENOMEM. */
int mhi_json_parse(const char *text, size_t bytes, struct mhi_json **root, struct mhi_err *err);
void mhi_json_free(struct mhi_json *root);

enum mhi_json_type mhi_json_type(const struct mhi_json *value);
/* Of a list or an object; NULL: it is empty. */
const struct mhi_json *mhi_json_first(const struct mhi_json *value);
const struct mhi_json *mhi_json_next(const struct mhi_json *value);
/* Of a member of an object. */
const char *mhi_json_key(const struct mhi_json *value);
bool mhi_json_true(const struct mhi_json *value);
double mhi_json_number(const struct mhi_json *value);
const char *mhi_json_text(const struct mhi_json *value);

#endif

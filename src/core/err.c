/* SPDX-License-Identifier: MIT */
/* Error sentences, and the names and texts of error codes. */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int mhi_err_set(struct mhi_err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}

int mhi_err_wrap(struct mhi_err *err, const char *fmt, ...)
{
	char prefix[MHI_ERR_TEXT];
	size_t used, rest;
	va_list args;

	if (!err)
		return MH_ENOMEM;
	va_start(args, fmt);
	vsnprintf(prefix, sizeof(prefix) - 2, fmt, args);
	va_end(args);
	used = strlen(prefix);
	prefix[used++] = ':';
	prefix[used++] = ' ';
	rest = strnlen(err->text, sizeof(err->text) - 1);
	if (rest > sizeof(err->text) - 1 - used)
		rest = sizeof(err->text) - 1 - used;
	memmove(err->text + used, err->text, rest);
	memcpy(err->text, prefix, used);
	err->text[used + rest] = '\0';
	return err->code;
}

const char *mh_strerror(int error)
{
	switch (error) {
	case MH_OK:
		return "success";
#define ERROR_TEXT(name, value, text) \
	case MH_##name:               \
		return text;
		MH_ERROR_LIST(ERROR_TEXT)
#undef ERROR_TEXT
	default:
		return "unknown error";
	}
}

const char *mh_err_name(int error)
{
	switch (error) {
	case MH_OK:
		return "MH_OK";
#define ERROR_NAME(name, value, text) \
	case MH_##name:               \
		return "MH_" #name;
		MH_ERROR_LIST(ERROR_NAME)
#undef ERROR_NAME
	default:
		return "MH_UNKNOWN";
	}
}

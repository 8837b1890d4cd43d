/* SPDX-License-Identifier: MIT */
/* The CLI's messages, and how it reads sizes, numbers and keys from the command line. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void cli_print_plain(FILE *to, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];
		bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;

		putc(c < ' ' || c == 0x7f || c1 ? '?' : c, to);
		text += c1;
	}
}

/* Names of files, and what a VM's process answers, may be a stranger's words. */
static void message(const char *fmt, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	fputs(CLI_NAME ": ", stderr);
	cli_print_plain(stderr, text ? text : "out of memory");
	fputc('\n', stderr);
	free(text);
}

void cli_message(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
}

int cli_usage_error(const struct cli_verb *verb, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
	fprintf(stderr, "Try: %s %s --help\n", CLI_NAME, verb->name);
	return CLI_USAGE;
}

int cli_library_error(struct mh_ctx *ctx, int error)
{
	const char *text = ctx ? mh_last_error(ctx) : "";

	cli_message("%s", text[0] ? text : mh_strerror(error));
	switch (error) {
	case MH_ENODEV:
	case MH_EPERM:
	case MH_ENOCPU:
	case MH_EFIRMWARE:
	case MH_EBUSY:
	case MH_EMISSING:
	case MH_EABI:
		cli_message("'%s probe' examines this machine and names the cures", CLI_NAME);
		break;
	default:
		break;
	}
	return CLI_ERROR;
}

int cli_option_error(const struct cli_verb *verb, int result, const char *option)
{
	if (result == ':')
		return cli_usage_error(verb, "%s needs a value", option);
	return cli_usage_error(verb, "unknown option '%s'", option);
}

int cli_finish_output(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	cli_message("cannot write the output");
	return status ? status : CLI_ERROR;
}

static bool parse_u64(const char *text, uint64_t *value, const char **end)
{
	unsigned long long result;
	char *stop;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	result = strtoull(text, &stop, 10);
	if (errno)
		return false;
	*value = result;
	*end = stop;
	return true;
}

bool cli_parse_size(const char *text, uint64_t *bytes)
{
	unsigned int shift = 20;
	const char *unit;
	uint64_t value;

	if (!parse_u64(text, &value, &unit))
		return false;
	if (!strcasecmp(unit, "g") || !strcasecmp(unit, "gib"))
		shift = 30;
	else if (!strcasecmp(unit, "t") || !strcasecmp(unit, "tib"))
		shift = 40;
	else if (!strcasecmp(unit, "k") || !strcasecmp(unit, "kib"))
		shift = 10;
	else if (unit[0] && strcasecmp(unit, "m") && strcasecmp(unit, "mib"))
		return false;
	if (!value || value > UINT64_MAX >> shift)
		return false;
	*bytes = value << shift;
	return true;
}

bool cli_parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *number)
{
	const char *end;
	uint64_t value;

	if (!parse_u64(text, &value, &end) || end[0] || value < least || value > most)
		return false;
	*number = (uint32_t)value;
	return true;
}

bool cli_parse_key(const char *text, int *key)
{
	const char *letter = text;

	if (!strcasecmp(text, "none")) {
		*key = -1;
		return true;
	}
	if (!strncasecmp(text, "ctrl-", 5))
		letter = text + 5;
	else if (text[0] == '^' && text[1])
		letter = text + 1;
	if (!letter[0] || letter[1] || !isprint((unsigned char)letter[0]))
		return false;
	*key = (unsigned char)letter[0];
	if (letter == text)
		return true;
	/* Control characters are those of columns 4 and 5 of ASCII, less 0x40. */
	*key = toupper(*key) ^ 0x40;
	return *key < 0x20;
}

void cli_key_name(int key, char *name, size_t bytes)
{
	if (key < 0)
		snprintf(name, bytes, "none");
	else if (key < 0x20)
		snprintf(name, bytes, "Ctrl-%c", key ^ 0x40);
	else
		snprintf(name, bytes, "%c", key);
}

/* SPDX-License-Identifier: MIT */
/*
 * What cJSON accepts although RFC 8259 does not, or what it reads as something else: bytes that are
 * not UTF-8, control characters, "\u0000" (it ends the text there), numbers such as 01, and nesting
 * without end. Everything else is left to cJSON.
 */
#include "api/json.h"

#include <string.h>

struct scan {
	const unsigned char *text, *at, *end;
	unsigned int depth;
};

/* The Unicode Standard, table 3-7 "Well-Formed UTF-8 Byte Sequences": bytes of one, 0: none. */
static size_t utf8_length(const unsigned char *s, size_t rest)
{
	unsigned char c = s[0], low = 0x80, high = 0xbf;
	size_t bytes, n;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	bytes = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (bytes > rest)
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (n = 2; n < bytes; n++)
		if ((s[n] & 0xc0) != 0x80)
			return 0;
	return bytes;
}

static bool is_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool is_one_of(const struct scan *s, const char *chars)
{
	return s->at < s->end && *s->at && strchr(chars, *s->at);
}

static bool digits(struct scan *s)
{
	if (!is_digit(s))
		return false;
	while (is_digit(s))
		s->at++;
	return true;
}

/* RFC 8259, 6 "Numbers". */
static bool number(struct scan *s)
{
	if (is_one_of(s, "-"))
		s->at++;
	if (is_one_of(s, "0"))
		s->at++;
	else if (!digits(s))
		return false;
	if (is_one_of(s, ".")) {
		s->at++;
		if (!digits(s))
			return false;
	}
	if (is_one_of(s, "eE")) {
		s->at++;
		if (is_one_of(s, "+-"))
			s->at++;
		if (!digits(s))
			return false;
	}
	return !is_digit(s) && !is_one_of(s, ".+-eExX");
}

/* One character inside quotes; the cursor stands on it. */
static const char *character(struct scan *s)
{
	size_t rest = (size_t)(s->end - s->at), bytes = utf8_length(s->at, rest);

	if (!bytes)
		return "this is no UTF-8; save the document as UTF-8";
	if (*s->at < 0x20)
		return "a control character inside quotes; write it as \\n, \\t or \\u00XX";
	if (*s->at == '\\') {
		if (rest >= 6 && !memcmp(s->at + 1, "u0000", 5))
			return "\\u0000 is not possible in a text; remove it";
		bytes = rest > 1 ? 2 : 1;
	}
	s->at += bytes;
	return NULL;
}

static const char *quoted(struct scan *s)
{
	const char *wrong = NULL;

	s->at++;
	while (!wrong && s->at < s->end && *s->at != '"')
		wrong = character(s);
	if (!wrong && s->at < s->end)
		s->at++;
	return wrong;
}

static const char *token(struct scan *s)
{
	const unsigned char *start = s->at;

	if (*s->at == '"')
		return quoted(s);
	if (is_digit(s) || *s->at == '-') {
		if (number(s))
			return NULL;
		s->at = start;
		return "this is no JSON number; a number has no leading zero or plus, is decimal, "
		       "and has digits on both sides of its point";
	}
	if (*s->at < 0x20 && !is_one_of(s, "\t\n\r"))
		return "a control character; remove it";
	if (*s->at >= 0x80)
		return "this is no JSON; only texts in quotes may have such characters";
	if (is_one_of(s, "[{") && ++s->depth > MHI_JSON_DEPTH)
		return "more than 32 lists and objects in one another; make it flatter";
	if (is_one_of(s, "]}") && s->depth)
		s->depth--;
	s->at++;
	return NULL;
}

const char *mhi_json_scan(const char *text, size_t bytes, size_t *at)
{
	struct scan s = { .text = (const unsigned char *)text,
			  .at = (const unsigned char *)text,
			  .end = (const unsigned char *)text + bytes };
	const char *wrong = NULL;

	while (!wrong && s.at < s.end)
		wrong = token(&s);
	*at = (size_t)(s.at - s.text);
	return wrong;
}

// SPDX-License-Identifier: MIT
/* The Windows agent's text: UTF-16, ends of lines, HTML, PNG's end, command lines, environments. */
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "../../tools/guest-agent/windows/win_text.h"

#define BAD "\xef\xbf\xbd"

/* Text to UTF-16 and back is this. */
static void through(const char *text, size_t bytes, const char *expected)
{
	size_t units, back_bytes;
	uint16_t *wide = win_wide(text, bytes, &units);
	char *back = win_narrow(wide, units, &back_bytes);

	ck_assert_uint_eq(wide[units], 0);
	ck_assert_str_eq(back, expected);
	ck_assert_uint_eq(back_bytes, strlen(expected));
	free(wide);
	free(back);
}

START_TEST(utf16)
{
	static const uint16_t lone[] = { 'a', 0xd800, 'b', 0xdc00, 0xdbff };
	size_t units;
	uint16_t *wide = win_wide("\xf0\x9f\x98\x80", 4, &units);
	char *text = win_narrow(lone, 5, NULL);

	ck_assert_uint_eq(units, 2);
	ck_assert_uint_eq(wide[0], 0xd83d);
	ck_assert_uint_eq(wide[1], 0xde00);
	ck_assert_str_eq(text, "a" BAD "b" BAD BAD);
	free(wide);
	free(text);
	through("", 0, "");
	through("\xc3\x84 \xe6\x97\xa5 \xf4\x8f\xbf\xbf", 11,
		"\xc3\x84 \xe6\x97\xa5 \xf4\x8f\xbf\xbf");
	/* Too long, a surrogate, too large, cut off, a byte that never is. */
	through("\xc0\x80", 2, BAD BAD);
	through("\xe0\x9f\xbf", 3, BAD BAD BAD);
	through("\xed\xa0\x80", 3, BAD BAD BAD);
	through("\xf4\x90\x80\x80", 4, BAD BAD BAD BAD);
	through("a\xe6\x97", 3, "a" BAD BAD);
	through("\xff", 1, BAD);
}
END_TEST

START_TEST(cut_between_characters)
{
	static const uint16_t text[] = { 'a', 0x65e5, 'b' };
	char out[8];

	win_narrow_into(out, 5, text, 3);
	ck_assert_str_eq(out, "a\xe6\x97\xa5");
	win_narrow_into(out, 4, text, 3);
	ck_assert_str_eq(out, "a");
	win_narrow_into(out, 1, text, 3);
	ck_assert_str_eq(out, "");
	win_narrow_into(out, 8, text, 3);
	ck_assert_str_eq(out, "a\xe6\x97\xa5"
			      "b");
}
END_TEST

static void lines(const char *lf, const char *crlf)
{
	size_t bytes;
	char *text = win_to_crlf(lf, strlen(lf), &bytes);

	ck_assert_str_eq(text, crlf);
	ck_assert_uint_eq(bytes, strlen(crlf));
	bytes = win_to_lf(text, bytes);
	ck_assert_uint_eq(bytes, strlen(lf));
	ck_assert(!memcmp(text, lf, bytes));
	free(text);
}

START_TEST(ends_of_lines)
{
	size_t bytes;
	char *text;

	lines("", "");
	lines("a\nb\n", "a\r\nb\r\n");
	lines("\n\n", "\r\n\r\n");
	lines("a\rb\r", "a\rb\r");
	text = win_to_crlf("a\r\nb\n", 5, &bytes);
	ck_assert_str_eq(text, "a\r\nb\r\n");
	free(text);
}
END_TEST

static void found(const char *data, const char *expected)
{
	size_t bytes;
	const char *html = win_html_find(data, strlen(data) + 1, &bytes);

	ck_assert_uint_eq(bytes, strlen(expected));
	ck_assert(!memcmp(html, expected, bytes));
}

START_TEST(html)
{
	size_t bytes;
	char *text = win_html_wrap("<b>x</b>", 8, &bytes);

	ck_assert_uint_eq(bytes, strlen(text));
	ck_assert(strstr(text, "StartHTML:0000000105\r\n"));
	ck_assert(!strncmp(text + 105, "<html>", 6));
	ck_assert(strstr(text, "<!--StartFragment--><b>x</b><!--EndFragment-->"));
	found(text, "<b>x</b>");
	free(text);
	found("Version:0.9\r\nStartFragment:47\r\nEndFragment:48\r\nx", "x");
	/* What has no head, or one that points outside, is taken whole. */
	found("<p>StartFragment:1</p>", "<p>StartFragment:1</p>");
	found("StartFragment:5\r\nEndFragment:999\r\n", "StartFragment:5\r\nEndFragment:999\r\n");
	found("StartFragment:9\r\nEndFragment:3\r\n", "StartFragment:9\r\nEndFragment:3\r\n");
	found("StartFragment:99999999999999999999999999\r\nEndFragment:3\r\n",
	      "StartFragment:99999999999999999999999999\r\nEndFragment:3\r\n");
	found("StartFragment:-1\r\nEndFragment:3\r\n", "StartFragment:-1\r\nEndFragment:3\r\n");
	found("EndFragment:", "EndFragment:");
	found("", "");
}
END_TEST

START_TEST(png)
{
	static const uint8_t file[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 1,
					'I',  'D', 'A', 'T', 7,	   1,	 1,    1,    1, 0, 0, 0,
					0,    'I', 'E', 'N', 'D',  1,	 2,    3,    4, 9, 9, 9 };

	ck_assert_uint_eq(win_png_bytes(file, sizeof(file)), sizeof(file) - 3);
	/* One that is cut off, or none at all: as it is. */
	ck_assert_uint_eq(win_png_bytes(file, 30), 30);
	ck_assert_uint_eq(win_png_bytes(file, 3), 3);
	ck_assert_uint_eq(win_png_bytes(file + 9, 20), 20);
}
END_TEST

static void line_is(char *const *arguments, const char *expected)
{
	char *line = win_command_line(arguments);

	ck_assert_str_eq(line, expected);
	free(line);
}

START_TEST(command_lines)
{
	char program[] = "C:\\a b\\", plain[] = "x", empty[] = "", space[] = "a b";
	char quote[] = "a\"b", slashes[] = "a\\\\b", both[] = "a\\\"", end[] = "a\\";

	line_is((char *[]){ program, NULL }, "\"C:\\a b\\\"");
	line_is((char *[]){ program, plain, empty, space, NULL },
		"\"C:\\a b\\\" \"x\" \"\" \"a b\"");
	line_is((char *[]){ plain, quote, slashes, NULL }, "\"x\" \"a\\\"b\" \"a\\\\b\"");
	line_is((char *[]){ plain, both, end, NULL }, "\"x\" \"a\\\\\\\"\" \"a\\\\\"");
	ck_assert_ptr_null(win_command_line((char *[]){ quote, NULL }));
}
END_TEST

START_TEST(environments)
{
	static const char own[] = "=C:=C:\\\0B=1\0Path=x\0z=2\0";
	char path[] = "PATH=y", a[] = "a=3", again[] = "A=4";
	size_t units, bytes;
	uint16_t *wide = win_wide(own, sizeof(own), &units);
	uint16_t *block = win_environment(wide, (char *[]){ path, a, again, NULL });
	char *text;

	ck_assert_ptr_nonnull(block);
	for (units = 0; block[units] || block[units + 1]; units++)
		;
	text = win_narrow(block, units + 1, &bytes);
	ck_assert_uint_eq(bytes, 27);
	ck_assert(!memcmp(text, "=C:=C:\\\0A=4\0B=1\0PATH=y\0z=2", 27));
	free(text);
	free(block);
	free(wide);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, utf16);
	tcase_add_test(tcase, cut_between_characters);
	tcase_add_test(tcase, ends_of_lines);
	tcase_add_test(tcase, html);
	tcase_add_test(tcase, png);
	tcase_add_test(tcase, command_lines);
	tcase_add_test(tcase, environments);
}

UNIT_MAIN("win_text", add_tests)

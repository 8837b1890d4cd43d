/* SPDX-License-Identifier: MIT */
/*
 * Text between the wire (UTF-8, lines end with \n) and Windows (UTF-16, \r\n, its clipboard's HTML,
 * its command lines): functions of memory only, that run and are tested anywhere.
 */
#ifndef WIN_TEXT_H
#define WIN_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * All functions that return memory return it for free(), with a final zero that is not counted;
 * NULL: there is no more memory, or that much text is none.
 */

/* UTF-8 as UTF-16; what is no UTF-8 becomes U+FFFD. units may be NULL. */
uint16_t *win_wide(const char *text, size_t bytes, size_t *units);

/* UTF-16 as UTF-8; what is no UTF-16 becomes U+FFFD. bytes may be NULL. */
char *win_narrow(const uint16_t *text, size_t units, size_t *bytes);

/* The same into out [room], cut between characters, always with a final zero. */
void win_narrow_into(char *out, size_t room, const uint16_t *text, size_t units);

/* Each \n that has no \r before it gets one. */
char *win_to_crlf(const char *text, size_t bytes, size_t *out);

/* Takes the \r before each \n away, in place; returns the bytes that are left. */
size_t win_to_lf(char *text, size_t bytes);

/* A document or a fragment as the clipboard format "HTML Format" has it. */
char *win_html_wrap(const char *html, size_t bytes, size_t *out);

/*
 * The fragment in what the clipboard has as "HTML Format"; the whole, if its head is none. Returns
 * where it begins in data [bytes], and its bytes.
 */
const char *win_html_find(const char *data, size_t bytes, size_t *out);

/* Bytes of the PNG picture that data [bytes] begins with; all, if it is none. */
size_t win_png_bytes(const uint8_t *data, size_t bytes);

/*
 * A command line of which CommandLineToArgvW and the C library of Windows make these arguments
 * again, NULL behind the last one. NULL, too: the first one, the program, has a quote.
 */
char *win_command_line(char *const *arguments);

/*
 * An environment block: own, a block itself, with the "NAME=VALUE" of others, NULL behind the last
 * one, in the place of those of own that have their names.
 */
uint16_t *win_environment(const uint16_t *own, char *const *others);

#endif

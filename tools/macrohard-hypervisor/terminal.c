/* SPDX-License-Identifier: MIT */
/* The terminal that shows a guest's console: raw mode, and leaving the window as it was. */
#include "terminal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* DEC private modes that are on when a terminal starts: 7 auto-wrap, 25 visible cursor. */
static bool default_on(unsigned int mode)
{
	return mode == 7 || mode == 25;
}

void terminal_init(struct terminal *t)
{
	memset(t, 0, sizeof(*t));
	t->input = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &t->saved);
	t->output = isatty(STDOUT_FILENO);
}

int terminal_raw(struct terminal *t)
{
	struct termios raw = t->saved;

	if (!t->input)
		return 0;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
		return -1;
	t->raw = true;
	return 0;
}

void terminal_cooked(struct terminal *t)
{
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->saved);
	t->raw = false;
}

static void note_mode(struct terminal_screen *s, unsigned int mode, bool on)
{
	unsigned int i;

	for (i = 0; i < s->count; i++)
		if (s->modes[i] == mode)
			break;
	if (on == default_on(mode)) {
		if (i < s->count)
			s->modes[i] = s->modes[--s->count];
	} else if (i == s->count && s->count < TERMINAL_MODES) {
		s->modes[s->count++] = mode;
	}
}

enum { TEXT, ESCAPE, SEQUENCE, PRIVATE };

/* One character of "ESC [ ? n ; n h": numbers[] are those so far, the last one still being read. */
static void follow_private(struct terminal_screen *s, unsigned char c)
{
	unsigned int *last = &s->numbers[s->given], i;

	if (c >= '0' && c <= '9') {
		*last = (*last * 10 + (c - '0')) % 100000;
		return;
	}
	if (c == ';') {
		if (s->given < TERMINAL_NUMBERS - 1)
			s->given++;
		s->numbers[s->given] = 0;
		return;
	}
	for (i = 0; i <= s->given && (c == 'h' || c == 'l'); i++)
		note_mode(s, s->numbers[i], c == 'h');
	s->state = TEXT;
}

static void follow_char(struct terminal_screen *s, unsigned char c)
{
	switch (s->state) {
	case ESCAPE:
		s->state = c == '[' ? SEQUENCE : TEXT;
		break;
	case SEQUENCE:
		s->given = 0;
		s->numbers[0] = 0;
		s->state = c == '?' ? PRIVATE : TEXT;
		break;
	case PRIVATE:
		follow_private(s, c);
		break;
	default:
		if (c == 0x1b) {
			s->state = ESCAPE;
			s->drawn = true;
		} else if (c != '\r') {
			s->line_open = c != '\n';
		}
		break;
	}
}

void terminal_follow(struct terminal *t, const unsigned char *data, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		follow_char(&t->screen, data[i]);
}

void terminal_restore(struct terminal *t)
{
	struct terminal_screen *s = &t->screen;
	unsigned int i;

	if (t->output) {
		for (i = 0; i < s->count; i++)
			printf("\033[?%u%c", s->modes[i], default_on(s->modes[i]) ? 'h' : 'l');
		/* Save cursor, whole window scrolls, cursor back; default colours. */
		if (s->drawn)
			fputs("\0337\033[r\0338\033[m", stdout);
		if (s->line_open)
			fputs("\r\n", stdout);
		fflush(stdout);
	}
	memset(s, 0, sizeof(*s));
	terminal_cooked(t);
}

/* SPDX-License-Identifier: MIT */
/* The terminal that shows a guest's console: raw mode, and leaving the window as it was. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#define TERMINAL_MODES 16
#define TERMINAL_NUMBERS 8

/*
 * Follows the guest's escape sequences as far as they change the window for whoever comes after it:
 * the DEC private modes (ESC [ ? n h and l), colours, the scrolling region. (o) output callback
 * only, until the guest's console is detached.
 */
struct terminal_screen {
	int state;				/* (o) of the parser */
	unsigned int numbers[TERMINAL_NUMBERS]; /* (o) of the sequence being read */
	unsigned int given;			/* (o) numbers[] but the last */
	unsigned int modes[TERMINAL_MODES]; /* (o) private modes that are not at their default */
	unsigned int count;		    /* (o) of modes */
	bool drawn;			    /* (o) there was any escape sequence */
	bool line_open;			    /* (o) the last character was no line feed */
};

struct terminal {
	struct termios saved; /* (c) */
	bool input;	      /* (c) standard input is a terminal */
	bool output;	      /* (c) standard output is a terminal */
	bool raw;
	struct terminal_screen screen;
};

void terminal_init(struct terminal *t);
/* Raw mode on standard input, if that is a terminal; 0 or -1 with errno. */
int terminal_raw(struct terminal *t);
/* The input's mode as terminal_init found it. May be called again and again. */
void terminal_cooked(struct terminal *t);
/* The same, and the window: modes that the guest left on, colours, an unfinished line. */
void terminal_restore(struct terminal *t);
/* The guest printed this. */
void terminal_follow(struct terminal *t, const unsigned char *data, size_t bytes);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the host knows of the windows, and what it has to be told. Windows are looked at as a whole,
 * again and again; only the differences are told, when there is room for them, so that a slow host
 * misses what lay in between but never grows a queue. Functions of memory only.
 */
#ifndef WIN_DIFF_H
#define WIN_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "integration/agent_proto.h"

#define WIN_APPLICATION_MAX 128u

/* A picture that several looks share; it never changes. */
struct win_icon {
	uint32_t users; /* structures that point to it */
	uint32_t width, height;
	uint8_t pixels[]; /* as in WINDOW_ICON */
};

struct win_window {
	uint64_t id, parent;
	uint32_t flags; /* MHI_AGENT_W_* */
	int32_t x, y;
	uint32_t width, height;
	uint32_t min_width, min_height, max_width, max_height;
	char title[MHI_AGENT_TITLE_MAX];
	char application[WIN_APPLICATION_MAX];
	struct win_icon *icon; /* NULL: none */
};

/* All windows at a time, the lowest first. */
struct win_look {
	uint32_t pointer; /* enum mhi_agent_pointer */
	uint32_t count;
	struct win_window windows[];
};

/* Tell the host; false: there is no room now. */
typedef bool win_tell(void *opaque, uint32_t type, const void *msg);

struct win_diff {
	struct win_look *told; /* NULL: nothing; has room for all that may be told */
	uint32_t stacked;      /* windows in stack */
	uint8_t stack[8 * MHI_AGENT_WINDOWS_MAX]; /* as in WINDOW_STACK */
};

/* Returns NULL: no memory. */
struct win_icon *win_icon_new(uint32_t width, uint32_t height);
struct win_icon *win_icon_get(struct win_icon *icon);
void win_icon_put(struct win_icon *icon);

/* A look with room for windows, which are all zero; NULL: no memory. */
struct win_look *win_look_new(uint32_t room);
void win_look_free(struct win_look *look);

/* Tell what is different in now. False: not all, there was no room. */
bool win_diff_tell(struct win_diff *diff, const struct win_look *now, win_tell *tell, void *opaque);

/* The host knows nothing any more. */
void win_diff_forget(struct win_diff *diff);

#endif

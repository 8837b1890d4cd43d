/* SPDX-License-Identifier: MIT */
/*
 * The windows' thread: it looks at all windows, ten times a second and whenever Windows says that
 * something has changed, and does to them what the host wants. A program that hangs can make it
 * late, but not the agent.
 */
#ifndef WIN_WINDOWS_H
#define WIN_WINDOWS_H

#include "win_agent.h"

/* Of a window, what is asked for only now and then. */
struct win_known {
	HWND window;
	DWORD process, thread; /* whose it is: handles are used again */
	uint64_t id;
	char application[WIN_APPLICATION_MAX];
	HICON source; /* of icon */
	struct win_icon *icon;
	uint32_t min_width, min_height, max_width, max_height;
	RECT rect;	/* that the host knows, while it was not minimised */
	RECT margins;	/* that the window has around it, and nobody sees */
	bool seen;	/* in this look */
	uint32_t asked; /* how often */
	bool answered;	/* or asked often enough */
};

/* All of it is the windows' thread's. */
struct win_eyes {
	uint32_t count;
	uint64_t ids;	/* the last one's number */
	uint32_t turns; /* looks so far: whose turn it is to be asked */
	struct win_known known[MHI_AGENT_WINDOWS_MAX];
};

/* What is to be done to a window. */
struct win_deed {
	uint64_t id;
	uint32_t action; /* enum mhi_agent_action, or WIN_DEED_MOVE */
	int32_t x, y;
	uint32_t width, height;
};
#define WIN_DEED_MOVE MHI_AGENT_ACTIONS

/* Look at all windows. NULL: no memory. */
struct win_look *win_eyes_look(struct win_eyes *eyes);
void win_eyes_forget(struct win_eyes *eyes);

/* Nothing happens if the window is gone. */
void win_eyes_do(struct win_eyes *eyes, const struct win_deed *deed);

/* Milliseconds that a window has to answer a question: others want to be looked at, too. */
#define WIN_ASK_MS 50u

/* A picture of an icon; NULL: there is none. */
struct win_icon *win_icon_of(HICON icon);
/* The icon that a window has; NULL: none, or it does not answer. */
HICON win_icon_source(HWND window);

#endif

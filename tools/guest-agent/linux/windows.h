/* SPDX-License-Identifier: MIT */
/* The windows of a desktop as the agent knows them, and as the host does. */
#ifndef GUEST_AGENT_WINDOWS_H
#define GUEST_AGENT_WINDOWS_H

#include "x11.h"

/* What of a window is to be asked for anew. */
#define WIN_LOOKS (1u << 0) /* its properties */
#define WIN_ICON (1u << 1)
#define WIN_SHAPE (1u << 2)

/* In place of the number of a window that has gone: none is that large (X11 protocol, 2). */
#define WIN_DEAD 0xffffffffu

struct win {
	xcb_window_t xid; /* 0: a free place */
	xcb_window_t top; /* the child of the root that it lies in: its frame, or itself */
	uint64_t id;	  /* the host's name for it */
	uint32_t stale;	  /* WIN_* */
	bool seen;	  /* by the scan that goes on */
	bool known;	  /* the host has been told of it */
	bool popup;	  /* no window manager has a say in it */
	bool shaped;	  /* the host was told so */
	uint32_t damage;  /* XDamage's object; 0: none */
	bool damaged;
	int32_t x0, y0, x1, y1; /* what is damaged */
	uint64_t damage_ms;	/* when that was told last */
	uint32_t looks;		/* MHI_AGENT_W_*, as its properties have it */
	xcb_window_t transient; /* WM_TRANSIENT_FOR; 0: none */
	bool hidden;		/* it is part of the desktop, no window on it */
	char title[MHI_AGENT_TITLE_MAX], application[MHI_AGENT_TITLE_MAX];
	uint32_t told_texts;	    /* a sum of the texts that the host knows */
	struct mhi_msg_window told; /* what the host knows, but for the texts */
	struct mhi_msg_window now;
	struct mhi_msg_window_move asked; /* where the host wants it; id 0: it has been there */
	int32_t border;			  /* that it once had */
};

struct windows {
	struct desktop *d;
	bool on;	  /* the host wants to know */
	bool dirty;	  /* a scan is due */
	bool retell;	  /* something could not be told yet */
	uint64_t scan_ms; /* of the last one */
	uint64_t next_id;
	uint32_t budget;    /* what may be told at once: hosts limit its rate */
	uint64_t budget_ms; /* when it was filled up */
	bool stack_stale;
	size_t stacked;			       /* of stack */
	uint64_t stack[MHI_AGENT_WINDOWS_MAX]; /* as the host knows it, lowest first */
	struct win list[MHI_AGENT_WINDOWS_MAX];
};

/* Costs, as docs/agent-protocol.md counts them. */
#define WIN_COST_SMALL 1u
#define WIN_COST_LARGE 8u

/* Whether something of this cost may be told now. If not, it will be tried again. */
bool windows_may_tell(struct windows *windows, uint32_t cost);

struct win *windows_find(struct windows *windows, xcb_window_t xid);
struct win *windows_find_id(struct windows *windows, uint64_t id);

/* ---- win_looks.c: what a window's properties say ---- */
void win_read_looks(struct windows *windows, struct win *win);

/* ---- win_act.c: what the host does to windows ---- */
/* The window's place is known anew. */
void win_settle(struct windows *windows, struct win *win);

/* ---- win_extra.c: icons, shapes, damage, the pointer ---- */
void win_watch(struct windows *windows, struct win *win);
void win_unwatch(struct windows *windows, struct win *win);
/* Tell what is stale of a window that the host knows. */
void win_tell_icon(struct windows *windows, struct win *win);
void win_tell_shape(struct windows *windows, struct win *win);
void win_tell_damage(struct windows *windows, struct win *win);
void win_damage_event(struct windows *windows, const xcb_generic_event_t *event);
void win_cursor_event(struct windows *windows, const xcb_generic_event_t *event);

#endif

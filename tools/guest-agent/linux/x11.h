/* SPDX-License-Identifier: MIT */
/*
 * macrohard-guest-x11: the program of a desktop's session on X11. It tells of windows, exchanges
 * the clipboard, feeds input and sets the screen's size, and speaks to macrohard-guest-agent, or to
 * the host itself, by the agents' protocol.
 */
#ifndef GUEST_AGENT_X11_H
#define GUEST_AGENT_X11_H

#include <xcb/xcb.h>

#include "../os.h"
#include "link.h"

/* Names of atoms: A(NAME, "text") */
#define X11_ATOMS(A)                                                 \
	A(UTF8_STRING, "UTF8_STRING")                                \
	A(CLIPBOARD, "CLIPBOARD")                                    \
	A(TARGETS, "TARGETS")                                        \
	A(TIMESTAMP, "TIMESTAMP")                                    \
	A(INCR, "INCR")                                              \
	A(TEXT_UTF8, "text/plain;charset=utf-8")                     \
	A(TEXT_PLAIN, "text/plain")                                  \
	A(TEXT_HTML, "text/html")                                    \
	A(IMAGE_PNG, "image/png")                                    \
	A(URI_LIST, "text/uri-list")                                 \
	A(AGENT, "_MACROHARD_AGENT")                                 \
	A(AGENT_PRIMARY, "_MACROHARD_AGENT_PRIMARY")                 \
	A(AGENT_TARGETS, "_MACROHARD_AGENT_TARGETS")                 \
	A(AGENT_TARGETS_PRIMARY, "_MACROHARD_AGENT_TARGETS_PRIMARY") \
	A(WM_STATE, "WM_STATE")                                      \
	A(WM_CHANGE_STATE, "WM_CHANGE_STATE")                        \
	A(WM_PROTOCOLS, "WM_PROTOCOLS")                              \
	A(WM_DELETE_WINDOW, "WM_DELETE_WINDOW")                      \
	A(WM_CHECK, "_NET_SUPPORTING_WM_CHECK")                      \
	A(CLIENTS, "_NET_CLIENT_LIST_STACKING")                      \
	A(ACTIVE_WINDOW, "_NET_ACTIVE_WINDOW")                       \
	A(CLOSE_WINDOW, "_NET_CLOSE_WINDOW")                         \
	A(MOVERESIZE_WINDOW, "_NET_MOVERESIZE_WINDOW")               \
	A(RESTACK_WINDOW, "_NET_RESTACK_WINDOW")                     \
	A(WM_NAME, "_NET_WM_NAME")                                   \
	A(WM_ICON, "_NET_WM_ICON")                                   \
	A(NET_WM_STATE, "_NET_WM_STATE")                             \
	A(STATE_HIDDEN, "_NET_WM_STATE_HIDDEN")                      \
	A(STATE_MAX_VERT, "_NET_WM_STATE_MAXIMIZED_VERT")            \
	A(STATE_MAX_HORZ, "_NET_WM_STATE_MAXIMIZED_HORZ")            \
	A(STATE_FULLSCREEN, "_NET_WM_STATE_FULLSCREEN")              \
	A(STATE_ABOVE, "_NET_WM_STATE_ABOVE")                        \
	A(STATE_ATTENTION, "_NET_WM_STATE_DEMANDS_ATTENTION")        \
	A(STATE_MODAL, "_NET_WM_STATE_MODAL")                        \
	A(STATE_SKIP_TASKBAR, "_NET_WM_STATE_SKIP_TASKBAR")          \
	A(WINDOW_TYPE, "_NET_WM_WINDOW_TYPE")                        \
	A(TYPE_DESKTOP, "_NET_WM_WINDOW_TYPE_DESKTOP")               \
	A(TYPE_DOCK, "_NET_WM_WINDOW_TYPE_DOCK")                     \
	A(TYPE_DIALOG, "_NET_WM_WINDOW_TYPE_DIALOG")                 \
	A(TYPE_MENU, "_NET_WM_WINDOW_TYPE_MENU")                     \
	A(TYPE_DROPDOWN, "_NET_WM_WINDOW_TYPE_DROPDOWN_MENU")        \
	A(TYPE_POPUP, "_NET_WM_WINDOW_TYPE_POPUP_MENU")              \
	A(TYPE_TOOLTIP, "_NET_WM_WINDOW_TYPE_TOOLTIP")               \
	A(TYPE_COMBO, "_NET_WM_WINDOW_TYPE_COMBO")                   \
	A(STRUT, "_NET_WM_STRUT")                                    \
	A(STRUT_PARTIAL, "_NET_WM_STRUT_PARTIAL")

#define X11_ATOM_INDEX(NAME, text) A_##NAME,
enum x11_atom { X11_ATOMS(X11_ATOM_INDEX) A_COUNT };

/* What is wanted of any window of others: one mask, since a client has but one for each. */
#define X11_WINDOW_EVENTS (XCB_EVENT_MASK_PROPERTY_CHANGE | XCB_EVENT_MASK_STRUCTURE_NOTIFY)

struct x11 {
	xcb_connection_t *c;
	xcb_window_t root;
	xcb_window_t own; /* ours: it owns selections and gets events */
	xcb_atom_t atoms[A_COUNT];
	uint32_t max_bytes;   /* of one property's change */
	xcb_timestamp_t time; /* the last one that an event had */
	/* The first events of extensions; 0: the server has it not. */
	uint8_t xfixes, damage, shape, randr;
	bool xtest;
};

struct windows;
struct clipboard;

struct desktop {
	struct loop loop;
	struct ga_session session;
	struct link link;
	struct x11 x;
	struct watch *server; /* the X server's socket */
	struct windows *windows;
	struct clipboard *clipboard;
	uint8_t keys[32];	/* bit map: that the host holds down */
	uint32_t buttons;	/* bit map, by X11's numbers */
	int32_t wheel[2];	/* what is less than a notch: vertical, horizontal */
	xcb_window_t work_area; /* of ours: it keeps the desktop's edges free; 0: none */
};

/* ---- x11.c: the connection ---- */

/* Returns 0; -1: it cannot, which was said. display NULL: $DISPLAY. */
int x11_open(struct x11 *x, const char *display);
void x11_close(struct x11 *x);

/*
 * A property of at most bytes: its value is xcb_get_property_value(reply). NULL: there is none, or
 * it is of another type or format. XCB_ATOM_ANY: any type. The caller frees it.
 */
xcb_get_property_reply_t *x11_property(struct x11 *x, xcb_window_t window, xcb_atom_t name,
				       xcb_atom_t type, uint32_t bytes);
/* Its items of 32 bits; 0: none. */
uint32_t x11_items(const xcb_get_property_reply_t *reply);

/* The first item of 32 bits of a property; 0: there is none. */
uint32_t x11_number(struct x11 *x, xcb_window_t window, xcb_atom_t name);

/* A message to the window manager about a window (EWMH 1.5, Root Window Messages). */
void x11_message(struct x11 *x, xcb_window_t window, xcb_atom_t type, const uint32_t data[5]);

/* Whether there is a window manager that knows EWMH. */
bool x11_has_manager(struct x11 *x);

/* ---- windows.c ---- */

struct windows *windows_create(struct desktop *desktop);
void windows_destroy(struct windows *windows);
void windows_event(struct windows *windows, const xcb_generic_event_t *event);
/* To be called before each loop_run: tells what has changed. */
void windows_step(struct windows *windows);
/* There is room again for what could not be told. */
void windows_retry(struct windows *windows);
ga_handler windows_seamless, windows_move, windows_act;

/* ---- clipboard.c ---- */

struct clipboard *clipboard_create(struct desktop *desktop);
void clipboard_destroy(struct clipboard *clipboard);
void clipboard_event(struct clipboard *clipboard, const xcb_generic_event_t *event);
void clipboard_step(struct clipboard *clipboard);
/* The host has come, or has gone. */
void clipboard_agreed(struct clipboard *clipboard, uint32_t features);
ga_handler clipboard_offer, clipboard_request;

/* ---- input.c ---- */

ga_handler input_key, input_pointer, input_button, input_wheel;
/* Nothing stays pressed when the host is gone. */
void input_release(struct desktop *desktop);

/* ---- screen.c ---- */

ga_handler screen_resize, screen_work_area;

#endif

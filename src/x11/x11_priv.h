/* SPDX-License-Identifier: MIT */
/* What the files of libmacrohard-x11 share: the connection, its thread, and what lives on it. */
#ifndef MHI_X11_PRIV_H
#define MHI_X11_PRIV_H

#include <macrohard/x11.h>

#include <pthread.h>
#include <stdbool.h>
#include <xcb/xcb.h>

/* X(name, text): atoms that are asked for once. */
#define MHI_X_ATOMS(X)                                        \
	X(UTF8_STRING, "UTF8_STRING")                         \
	X(WM_PROTOCOLS, "WM_PROTOCOLS")                       \
	X(WM_DELETE_WINDOW, "WM_DELETE_WINDOW")               \
	X(WM_STATE, "WM_STATE")                               \
	X(WM_CHANGE_STATE, "WM_CHANGE_STATE")                 \
	X(MOTIF_WM_HINTS, "_MOTIF_WM_HINTS")                  \
	X(NET_WM_NAME, "_NET_WM_NAME")                        \
	X(NET_WM_PID, "_NET_WM_PID")                          \
	X(NET_WM_ICON, "_NET_WM_ICON")                        \
	X(NET_WM_STATE, "_NET_WM_STATE")                      \
	X(STATE_HIDDEN, "_NET_WM_STATE_HIDDEN")               \
	X(STATE_HORZ, "_NET_WM_STATE_MAXIMIZED_HORZ")         \
	X(STATE_VERT, "_NET_WM_STATE_MAXIMIZED_VERT")         \
	X(STATE_FULL, "_NET_WM_STATE_FULLSCREEN")             \
	X(STATE_ABOVE, "_NET_WM_STATE_ABOVE")                 \
	X(STATE_MODAL, "_NET_WM_STATE_MODAL")                 \
	X(STATE_SKIP_TASKBAR, "_NET_WM_STATE_SKIP_TASKBAR")   \
	X(STATE_SKIP_PAGER, "_NET_WM_STATE_SKIP_PAGER")       \
	X(STATE_ATTENTION, "_NET_WM_STATE_DEMANDS_ATTENTION") \
	X(NET_WM_WINDOW_TYPE, "_NET_WM_WINDOW_TYPE")          \
	X(TYPE_NORMAL, "_NET_WM_WINDOW_TYPE_NORMAL")          \
	X(TYPE_DIALOG, "_NET_WM_WINDOW_TYPE_DIALOG")          \
	X(TYPE_UTILITY, "_NET_WM_WINDOW_TYPE_UTILITY")        \
	X(TYPE_POPUP, "_NET_WM_WINDOW_TYPE_POPUP_MENU")       \
	X(NET_ACTIVE_WINDOW, "_NET_ACTIVE_WINDOW")            \
	X(NET_STACKING, "_NET_CLIENT_LIST_STACKING")          \
	X(NET_WORKAREA, "_NET_WORKAREA")                      \
	X(NET_CURRENT_DESKTOP, "_NET_CURRENT_DESKTOP")        \
	X(CLIPBOARD, "CLIPBOARD")                             \
	X(TARGETS, "TARGETS")                                 \
	X(TIMESTAMP, "TIMESTAMP")                             \
	X(MULTIPLE, "MULTIPLE")                               \
	X(ATOM_PAIR, "ATOM_PAIR")                             \
	X(INCR, "INCR")                                       \
	X(TEXT, "TEXT")                                       \
	X(TEXT_PLAIN, "text/plain")                           \
	X(TEXT_PLAIN_UTF8, "text/plain;charset=utf-8")        \
	X(TEXT_HTML, "text/html")                             \
	X(IMAGE_PNG, "image/png")                             \
	X(URI_LIST, "text/uri-list")                          \
	X(MH_CONTENT, "_MACROHARD_CONTENT")                   \
	X(MH_TIME, "_MACROHARD_TIME")

#define MHI_X_ATOM_ENUM(name, text) MHI_X_##name,
enum mhi_x_atom { MHI_X_ATOMS(MHI_X_ATOM_ENUM) MHI_X_ATOM_COUNT };
#define MHI_X_ATOM(x, name) ((x)->atom[MHI_X_##name])

/* No deadline: mhi_x_part_ops.sync. */
#define MHI_X_NEVER INT64_MAX

struct mhi_x_part;

/* What lives on a connection. All functions are called on its thread. */
struct mhi_x_part_ops {
	void (*start)(struct mhi_x_part *part);
	/* Each event goes to each part. */
	void (*event)(struct mhi_x_part *part, const xcb_generic_event_t *event);
	/*
	 * Make the server show what there is to show; called after events, after mhi_x_wake and at
	 * the deadline, in ms of mhi_x_now, that the last call has returned.
	 */
	int64_t (*sync)(struct mhi_x_part *part, int64_t now);
	/* Free what it has on the server, which may be gone; not the part itself. */
	void (*end)(struct mhi_x_part *part);
	/* On the thread that disconnects: remove and free it. */
	void (*close)(struct mhi_x_part *part);
};

struct mhi_x_part {
	const struct mhi_x_part_ops *ops; /* (c) */
	struct mh_x11 *x;		  /* (c) */
	struct mhi_x_part *next;	  /* (m) */
	bool started;			  /* (x) */
	bool closing;			  /* (m) */
	bool ended;			  /* (m) the thread is done with it */
};

/* Fields: (c) constant, (x) the connection's thread, (m) lock. */
struct mh_x11 {
	xcb_connection_t *c;	 /* (c) */
	xcb_screen_t *screen;	 /* (c) */
	xcb_visualid_t visual;	 /* (c) of depth 24 */
	xcb_colormap_t colormap; /* (c) for that */
	xcb_gcontext_t gc;	 /* (c) of depth 24, black */
	xcb_cursor_t no_cursor;	 /* (c) a picture of nothing */
	uint32_t argb;		 /* (c) RENDER's format for cursors; 0: the server has none */
	xcb_atom_t atom[MHI_X_ATOM_COUNT]; /* (c) */
	uint8_t xfixes_event;		   /* (c) the first one; 0: no XFIXES */
	bool shape;			   /* (c) */
	bool shm;			   /* (c) it takes memory files */
	struct mh_x11_ops ops;		   /* (c) */
	void *opaque;			   /* (c) */
	int wake;			   /* (c) an eventfd */
	pthread_t thread;		   /* (c) */

	const struct mh_x11_config *config; /* (x) while it connects */
	xcb_timestamp_t time;		    /* (x) of the last event that had one */
	struct mh_rect work_area;	    /* (x) */
	uint32_t width, height;		    /* (x) of the screen */
	uint32_t scale;			    /* (x) in 1/120 */
	uint32_t desk_serial;		    /* (x) changes with the three above */
	uint32_t order_serial;		    /* (x) changes with the order of the server's windows */
	bool drawing;			    /* (x) the server has not done the last drawing yet */
	unsigned int drawing_serial;	    /* (x) of the answer that tells */

	pthread_mutex_t lock;	  /* parts, and their closing and ended; a leaf */
	pthread_cond_t ended;	  /* (m) a part has, or connecting, or the thread */
	struct mhi_x_part *parts; /* (m) */
	int socket;		  /* (m) the connection's, whatever XCB closes; -1: not yet */
	bool tried;		  /* (m) connecting has ended */
	int error;		  /* (c) from then on: how */
	const char *why;	  /* (c) from then on: what the server lacks; NULL: an answer */
	bool done;		  /* (m) the thread has ended */
	bool quit;		  /* (m) */
	bool lost;		  /* (m) */
};

/* ---- conn.c, thread.c ---- */

int64_t mhi_x_now(void);
/*
 * With the lock, until what the thread is about to do is done. If that takes too long the server is
 * given up, so that no call of XCB waits for it.
 */
void mhi_x_await(struct mh_x11 *x, const bool *done);
/* On the connection's thread: connect as x->config says. */
int mhi_x_open(struct mh_x11 *x);
/* Any thread: have all parts synced. */
void mhi_x_wake(struct mh_x11 *x);
/* Any thread but the connection's. MH_ESTATE: the server is gone. */
int mhi_x_part_add(struct mh_x11 *x, struct mhi_x_part *part, const struct mhi_x_part_ops *ops);
struct mhi_x_part *mhi_x_part_first(struct mh_x11 *x);
/* Returns when the part has ended. */
void mhi_x_part_remove(struct mhi_x_part *part);
void mhi_x_tell(struct mh_x11 *x, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Drawing is paced: draw only when the server has done what was drawn before. */
bool mhi_x_may_draw(struct mh_x11 *x);
void mhi_x_drawn(struct mh_x11 *x);
void *mhi_x_thread(void *opaque);
/* The bytes of a property's value that came: a server may tell of more. */
size_t mhi_x_value_bytes(const xcb_get_property_reply_t *r);
/* A property's 32-bit values, at most max; to be freed; NULL: there are none. */
uint32_t *mhi_x_values(struct mh_x11 *x, xcb_window_t window, xcb_atom_t property, uint32_t max,
		       uint32_t *count);
void mhi_x_message(struct mh_x11 *x, xcb_window_t window, enum mhi_x_atom type,
		   const uint32_t data[5]);

/* ---- desk.c: the server's screen, as window managers and settings have it ---- */

void mhi_x_desk_start(struct mh_x11 *x);
void mhi_x_desk_event(struct mh_x11 *x, const xcb_generic_event_t *event);

/* ---- auth.c, dial.c ---- */

/* The authority for a display of this machine, if the file has one and can be read. */
void mhi_x_auth_find(const char *file, unsigned int display, struct mh_x11_socket *socket);
/* A caller's, NULL included; false: it is none. */
bool mhi_x_config_read(const struct mh_x11_config *from, struct mh_x11_config *to);
/* Of the server, in sentences. */
const char *mhi_x_name(const struct mh_x11_config *config);
/* Tells that nobody answers: MH_ENOENT. */
int mhi_x_nobody(const struct mh_x11_config *config);
/* As mh_x11_dial, without a word. */
bool mhi_x_dial(const struct mh_x11_config *config, struct mh_x11_socket *out);

/* ---- text.c ---- */

#define MHI_X_TEXT_MAX 1024u

/*
 * Valid UTF-8 without control characters, cut at a character so that it fits with its final zero:
 * returns its bytes. NULL is an empty text.
 */
size_t mhi_x_clean(char *out, size_t room, const char *text);

/* ---- props.c: properties of windows ---- */

void mhi_x_title(struct mh_x11 *x, xcb_window_t window, const char *title);
void mhi_x_class(struct mh_x11 *x, xcb_window_t window, const char *application);
/* state, as _NET_WM_STATE and WM_STATE have it */
#define MHI_X_HIDDEN (1u << 0)
#define MHI_X_MAXIMISED (1u << 1)
#define MHI_X_FULL (1u << 2)
uint32_t mhi_x_state(struct mh_x11 *x, xcb_window_t window);
/* Ask the window manager to add or remove states; 0: no second one. */
void mhi_x_ask_state(struct mh_x11 *x, xcb_window_t window, bool add, xcb_atom_t first,
		     xcb_atom_t second);
struct mhi_x_limits {
	struct mh_rect rect;
	uint32_t min_width, min_height, max_width, max_height; /* 0: none */
};
void mhi_x_limits(struct mh_x11 *x, xcb_window_t window, const struct mhi_x_limits *limits);
void mhi_x_frame(struct mh_x11 *x, xcb_window_t window, bool frame);
void mhi_x_urgent(struct mh_x11 *x, xcb_window_t window, bool urgent);
/* A window of depth 24 with what is common to all of ours; not mapped. */
xcb_window_t mhi_x_window(struct mh_x11 *x, const struct mh_rect *rect, bool bare);

/* ---- cursor.c ---- */

/* XCB_NONE: the server cannot. pixels: 0xAARRGGBB, not premultiplied */
xcb_cursor_t mhi_x_cursor(struct mh_x11 *x, const struct mh_cursor *cursor);
xcb_cursor_t mhi_x_glyph(struct mh_x11 *x, enum mh_pointer_shape shape);

/* ---- rect.c ---- */

bool mhi_x_same(const struct mh_rect *a, const struct mh_rect *b);
/* What both have; false: nothing. */
bool mhi_x_common(const struct mh_rect *a, const struct mh_rect *b, struct mh_rect *out);
/* The smallest that has both. */
void mhi_x_join(struct mh_rect *a, const struct mh_rect *b);

#define MHI_X_DAMAGE_MAX 32u

/* Rectangles that wait to be shown; more than that many become one. */
struct mhi_x_damage {
	struct mh_rect rect[MHI_X_DAMAGE_MAX];
	uint32_t count;
};

void mhi_x_damage_add(struct mhi_x_damage *d, const struct mh_rect *rect);

/* ---- pixels.c: a surface, as the server sees it ---- */

struct mhi_x_pixels {
	struct mh_surface now; /* fd: -1, it is kept below */
	int fd;		       /* -1: none yet */
	uint32_t seg;	       /* the server's name for it; 0: it has none */
	void *map;	       /* or ours; NULL */
};

void mhi_x_pixels_init(struct mhi_x_pixels *p);
void mhi_x_pixels_set(struct mh_x11 *x, struct mhi_x_pixels *p, const struct mh_surface *surface);
/* Draw what the surface has of rect at (x, y) of the window. */
void mhi_x_pixels_put(struct mh_x11 *x, struct mhi_x_pixels *p, xcb_window_t window,
		      const struct mh_rect *rect, const int32_t at[2]);
void mhi_x_pixels_fini(struct mh_x11 *x, struct mhi_x_pixels *p);

/* ---- feed.c: a display, from the library's thread to the connection's ---- */

struct mhi_x_feed {
	struct mh_x11 *x;		      /* (c) */
	struct mh_display_listener *listener; /* (c) NULL: none */
	pthread_mutex_t lock;		      /* all below; a leaf */
	struct mh_surface surface;	      /* (m) fd: ours; -1: none yet */
	bool surface_new;		      /* (m) */
	struct mhi_x_damage damage;	      /* (m) */
	struct mh_cursor cursor;	      /* (m) pixels: ours, or NULL */
	bool cursor_new;		      /* (m) */
};

/* What a feed had. */
struct mhi_x_news {
	struct mh_surface surface;
	bool surface_new;
	struct mhi_x_damage damage;
	struct mh_cursor cursor; /* its pixels are to be freed */
	bool cursor_new;
};

/* vm NULL: nothing is listened to, and surface is all there is. */
void mhi_x_feed_init(struct mhi_x_feed *feed, struct mh_x11 *x);
int mhi_x_feed_listen(struct mhi_x_feed *feed, struct mh_vm *vm, const struct mh_surface *surface);
void mhi_x_feed_unlisten(struct mhi_x_feed *feed);
void mhi_x_feed_fini(struct mhi_x_feed *feed);
/* Draws nothing itself; damage stays in the feed if want_damage is false. */
void mhi_x_feed_take(struct mhi_x_feed *feed, bool want_damage, struct mhi_x_news *news);

/* ---- input.c: keys and pointer, from X's numbers to the guest's ---- */

struct mhi_x_input {
	struct mh_vm *vm;	/* (c) NULL: none */
	struct mh_agent *agent; /* (c) for a guest without input devices; NULL: none */
	uint8_t held[32];	/* (x) keys that are down in the guest, by code */
	uint32_t buttons;	/* (x) that are down in the guest, by X's number */
};

void mhi_x_input_key(struct mhi_x_input *in, xcb_keycode_t key, bool down);
void mhi_x_input_button(struct mhi_x_input *in, xcb_button_t button, bool down);
void mhi_x_input_pointer(struct mhi_x_input *in, const int32_t at[2],
			 const struct mh_surface *surface);
/* All keys and buttons are up. */
void mhi_x_input_release(struct mhi_x_input *in);

#endif

/* SPDX-License-Identifier: MIT */
/* What the files of seamless windows share: windows, as the guest and as the server have them. */
#ifndef MHI_X11_SEAMLESS_H
#define MHI_X11_SEAMLESS_H

#include "x11_priv.h"

#define MHI_X_WINDOWS_MAX 1024u
#define MHI_X_ICON_MAX 96u
#define MHI_X_RECTS_MAX 1024u
/* Windows without a frame, at a time. */
#define MHI_X_BARE_MAX 16u
/* For so long what one side says may be from before it heard of the other's change. */
#define MHI_X_ECHO_MS 1000

/* A window as the guest tells of it. */
struct mhi_x_looks {
	uint64_t parent;
	uint32_t flags; /* MH_WINDOW_* */
	struct mhi_x_limits limits;
	char title[MHI_X_TEXT_MAX], application[MHI_X_TEXT_MAX];
};

struct mhi_x_icon {
	uint32_t *data; /* width, height, pixels; NULL: none */
	uint32_t count;
};

struct mhi_x_shape {
	xcb_rectangle_t *rects; /* NULL: all */
	uint32_t count;
};

/* One window. Fields: (c) constant, (m) the lock of struct mh_x11_seamless, (x) the thread. */
struct mhi_x_win {
	struct mhi_x_win *next;	  /* (m) */
	uint64_t id;		  /* (c) the guest's */
	bool gone;		  /* (m) */
	bool looks_new;		  /* (m) */
	struct mhi_x_looks looks; /* (m) */
	bool icon_new, shape_new; /* (m) */
	struct mhi_x_icon icon;	  /* (m) what is new of it */
	struct mhi_x_shape shape; /* (m) what is new of it */

	struct mhi_x_looks now;		 /* (x) looks, as it is shown */
	xcb_window_t host;		 /* (x) 0: none yet */
	bool bare;			 /* (x) without a frame, and nobody else's business */
	bool mapped;			 /* (x) */
	bool redraw;			 /* (x) */
	uint32_t state;			 /* (x) MHI_X_HIDDEN, ... on the server */
	struct mh_rect at;		 /* (x) where it is on the server */
	bool at_unsure;			 /* (x) the server has to be asked */
	struct mh_rect asked;		 /* (x) the last place that the server was asked for */
	struct mh_rect told;		 /* (x) the last place that the guest was told */
	int64_t asked_until, told_until; /* (x) answers may be old until then; 0: they are not */
	int64_t tell_at;		 /* (x) when the guest is told its place; MHI_X_NEVER */
};

/* Fields as above. */
struct mh_x11_seamless {
	struct mhi_x_part part;
	struct mh_agent *agent; /* (c) */
	struct mh_vm *vm;	/* (c) NULL: none */
	int64_t poll_ms;	/* (c) 0: the display tells */
	struct mhi_x_feed feed;
	struct mhi_x_pixels pixels; /* (x) */
	struct mhi_x_input input;   /* (x) */

	pthread_mutex_t lock;		   /* all (m) here and in windows; a leaf */
	struct mhi_x_win *wins;		   /* (m) only the thread takes them off */
	uint32_t win_count;		   /* (m) */
	bool wins_new;			   /* (m) something of one of them is */
	uint64_t stack[MHI_X_WINDOWS_MAX]; /* (m) the guest's order, the lowest first */
	uint32_t stack_count;		   /* (m) */
	bool stack_new;			   /* (m) */
	enum mh_pointer_shape shape;	   /* (m) of the pointer */
	bool shape_new;			   /* (m) */

	uint64_t focus;		 /* (x) the window with the server's keyboard; 0: not ours */
	uint64_t focus_told;	 /* (x) that the guest was told last; 0: none */
	int64_t focus_at;	 /* (x) when the guest is told; MHI_X_NEVER */
	int64_t focus_until;	 /* (x) until then it may not have heard which window has it */
	int64_t told_until;	 /* (x) the same, or that none has */
	bool told_often;	 /* (x) it was told again before that */
	int64_t activated_until; /* (x) until then the server may not have heard */
	int32_t grip[2];	 /* (x) from the server's places to the guest's, while dragging */
	uint32_t desk_told;	 /* (x) the desk's serial that the guest knows */
	uint32_t order_seen;	 /* (x) the serial of the server's order */
	int64_t order_at;	 /* (x) when the orders are compared; MHI_X_NEVER */
	uint64_t order_tried;	 /* (x) what both were when the guest was told last */
	int64_t poll_at;	 /* (x) */
	xcb_cursor_t cursor;	 /* (x) XCB_NONE: the server's */
	bool cursor_own;	 /* (x) the guest's display has a picture of its pointer */
};

/* ---- seamless.c ---- */

struct mhi_x_win *mhi_x_win_first(struct mh_x11_seamless *s);
/* On the connection's thread; NULL: unknown, or gone. */
struct mhi_x_win *mhi_x_win_by_id(struct mh_x11_seamless *s, uint64_t id);
struct mhi_x_win *mhi_x_win_by_host(struct mh_x11_seamless *s, xcb_window_t host);

/* ---- model.c: what the agent tells ---- */

extern const struct mh_seamless_ops mhi_x_model_ops;
void mhi_x_win_free(struct mhi_x_win *w);

/* ---- view.c: one window, as the guest wants it ---- */

/* Takes what is new. */
void mhi_x_view_update(struct mh_x11_seamless *s, struct mhi_x_win *w);
void mhi_x_view_end(struct mh_x11_seamless *s, struct mhi_x_win *w);
/* Where the guest wants it on the server. */
struct mh_rect mhi_x_view_place(struct mh_x11_seamless *s, struct mhi_x_win *w);

/* ---- place.c: where it is, on both sides ---- */

/* The guest has told (or may have) of another place. */
void mhi_x_place_guest(struct mh_x11_seamless *s, struct mhi_x_win *w);
void mhi_x_place_host(struct mh_x11_seamless *s, struct mhi_x_win *w,
		      const xcb_configure_notify_event_t *e);
/* Returns the deadline of what is waited for. */
int64_t mhi_x_place_sync(struct mh_x11_seamless *s, struct mhi_x_win *w, int64_t now);

/* ---- order.c: focus, and who is above whom ---- */

void mhi_x_focus_event(struct mh_x11_seamless *s, struct mhi_x_win *w, bool in);
/* The guest has given the window its keyboard. */
void mhi_x_focus_guest(struct mh_x11_seamless *s, struct mhi_x_win *w);
/* The guest has taken it from the window: if it gives it to none, the server's user wins. */
void mhi_x_focus_lost(struct mh_x11_seamless *s, const struct mhi_x_win *w);
int64_t mhi_x_order_sync(struct mh_x11_seamless *s, int64_t now);

/* ---- event.c ---- */

void mhi_x_seamless_event(struct mhi_x_part *part, const xcb_generic_event_t *event);

#endif

/* SPDX-License-Identifier: MIT */
/* What the files of the clipboard share. */
#ifndef MHI_X11_CLIP_H
#define MHI_X11_CLIP_H

#include "x11_priv.h"

#define MHI_X_SELECTIONS 2u /* enum mh_clip_selection */
#define MHI_X_KINDS 4u	    /* MH_CLIP_TEXT, ...: one bit each */
/* Of each direction, at a time. */
#define MHI_X_TRANSFERS_MAX 16u
/* So long nothing may happen to a transfer before it is given up. */
#define MHI_X_TRANSFER_MS 10000

/* Bytes that grow, up to a limit. */
struct mhi_x_bytes {
	uint8_t *data;
	size_t bytes, room;
};

enum mhi_x_give_state {
	MHI_X_GIVE_FREE = 0,
	MHI_X_GIVE_ASKED, /* the guest has been */
	MHI_X_GIVE_READY, /* it has answered */
	MHI_X_GIVE_PARTS  /* content goes over in parts: INCR */
};

/* Content of the guest that a client of the server pastes. */
struct mhi_x_give {
	struct mh_x11_clipboard *clip;	       /* (c) */
	enum mhi_x_give_state state;	       /* (m) */
	int rc;				       /* (m) of the guest's answer */
	struct mhi_x_bytes content;	       /* (m) until it is READY, then (x) */
	xcb_selection_request_event_t request; /* (x) */
	size_t at;			       /* (x) */
	int64_t deadline;		       /* (x) */
};

/* Content of the server that somebody in the guest pastes. */
struct mhi_x_want {
	enum mh_clip_selection selection;
	uint32_t kind;
	struct mh_clip_request *request;
};

/* Fields: (c) constant, (m) lock, (x) the connection's thread. */
struct mh_x11_clipboard {
	struct mhi_x_part part;
	struct mh_agent *agent; /* (c) */
	uint64_t most;		/* (c) bytes of one content */
	xcb_window_t window;	/* (x) owns selections, and has what is pasted on its properties */

	pthread_mutex_t lock;			     /* all (m) here and in gives; a leaf */
	bool offer_new[MHI_X_SELECTIONS];	     /* (m) */
	uint32_t offer[MHI_X_SELECTIONS];	     /* (m) kinds that the guest has */
	struct mhi_x_want want[MHI_X_TRANSFERS_MAX]; /* (m) the first is being fetched */
	uint32_t want_count;			     /* (m) */
	struct mhi_x_give give[MHI_X_TRANSFERS_MAX];

	uint32_t kinds[MHI_X_SELECTIONS]; /* (x) that we own the selection with; 0: we do not */
	bool acquire[MHI_X_SELECTIONS];	  /* (x) when the server has told its time */
	xcb_timestamp_t since[MHI_X_SELECTIONS];       /* (x) */
	xcb_atom_t has[MHI_X_SELECTIONS][MHI_X_KINDS]; /* (x) the other owner's targets; 0: none */
	bool fetching;				       /* (x) want[0] */
	bool parts;				       /* (x) it comes in parts */
	xcb_atom_t fetch_target;		       /* (x) */
	struct mhi_x_bytes fetched;		       /* (x) */
	int64_t fetch_deadline;			       /* (x) */
};

xcb_atom_t mhi_x_selection_atom(struct mh_x11 *x, uint32_t selection);
/* MHI_X_SELECTIONS: none of ours. */
uint32_t mhi_x_selection_of(struct mh_x11 *x, xcb_atom_t atom);

/* ---- clip_give.c: the guest's content to the server's clients ---- */

void mhi_x_give_offers(struct mh_x11_clipboard *clip);
/* The server's time, as a property of our window's: now selections may be taken. */
void mhi_x_give_acquire(struct mh_x11_clipboard *clip, xcb_timestamp_t time);
void mhi_x_give_request(struct mh_x11_clipboard *clip, const xcb_selection_request_event_t *e);
/* A client has taken a part. */
void mhi_x_give_taken(struct mh_x11_clipboard *clip, const xcb_property_notify_event_t *e);
int64_t mhi_x_give_sync(struct mh_x11_clipboard *clip, int64_t now);
void mhi_x_give_end(struct mh_x11_clipboard *clip);

/* ---- clip_want.c: the server's content to the guest ---- */

/* Somebody else owns a selection now, or nobody. */
void mhi_x_want_owner(struct mh_x11_clipboard *clip, uint32_t selection, xcb_window_t owner,
		      xcb_timestamp_t time);
void mhi_x_want_notify(struct mh_x11_clipboard *clip, const xcb_selection_notify_event_t *e);
void mhi_x_want_part(struct mh_x11_clipboard *clip);
int64_t mhi_x_want_sync(struct mh_x11_clipboard *clip, int64_t now);
void mhi_x_want_end(struct mh_x11_clipboard *clip);

/* ---- clip_form.c: contents as X and as the guest has them ---- */

/* False: no memory, or more than most. */
bool mhi_x_bytes_add(struct mhi_x_bytes *b, const void *data, size_t bytes, uint64_t most);
void mhi_x_bytes_free(struct mhi_x_bytes *b);
/* In place of what was there; false: no memory. Unknown characters become "?". */
bool mhi_x_to_latin1(struct mhi_x_bytes *b);
bool mhi_x_from_latin1(struct mhi_x_bytes *b, uint64_t most);
/* Lines of absolute paths to and from RFC 2483's text/uri-list; only local files are taken. */
bool mhi_x_to_uris(struct mhi_x_bytes *b, uint64_t most);
bool mhi_x_from_uris(struct mhi_x_bytes *b);

#endif

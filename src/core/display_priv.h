/* SPDX-License-Identifier: MIT */
/* The display's inside, for the files that it is made of. */
#ifndef MHI_CORE_DISPLAY_PRIV_H
#define MHI_CORE_DISPLAY_PRIV_H

#include <pthread.h>

#include "core/display.h"

#define DAMAGES 16u

/* What has not been told yet. */
#define NEWS_SURFACE 1u
#define NEWS_DAMAGE 2u
#define NEWS_CURSOR 4u
#define NEWS_MOVED 8u
#define NEWS_SIZE 16u /* another one is wanted */

#define CURSOR_PIXELS (MH_CURSOR_SIDE_MAX * MH_CURSOR_SIDE_MAX)

struct mh_display_listener {
	struct mhi_display *display;	  /* (c) */
	struct mh_display_ops ops;	  /* (c) */
	void *opaque;			  /* (c) */
	struct mh_display_listener *next; /* (l) */
	bool gone;			  /* (l) it is freed when nobody is told any more */
};

/* All (l). */
struct mhi_scan {
	struct mhi_timer *timer; /* NULL until it is needed */
	bool armed;
	struct mhi_display_mode mode; /* that was compared last */
	u8 *before;		      /* [height * width * 4] what it was; NULL: unknown */
};

struct mhi_display {
	struct mhi_loop *loop; /* (c) */
	struct mhi_wake wake;  /* of the loop */
	/* Protects (m), and of vram what changes. Innermost, but for the loop's own. */
	pthread_mutex_t lock;
	struct mhi_vram vram;
	struct mhi_display_mode mode[MHI_DISPLAY_DRIVERS]; /* (m) */
	u32 width, height;				   /* (m) that are wanted */
	u32 news;					   /* (m) NEWS_* */
	u32 damages;					   /* (m) */
	struct mh_rect damage[DAMAGES];			   /* (m) of the mode that is seen */
	u32 listening;					   /* (m) how many look */
	struct mh_cursor cursor;			   /* (m) without its pixels */
	u32 picture[CURSOR_PIXELS];			   /* (m) these */
	u32 told[CURSOR_PIXELS];			   /* (l) as those who look see them */
	struct mh_display_listener *listeners;		   /* (l) */
	bool telling;					   /* (l) the list may not change */
	struct mhi_scan scan;
	void (*resized)(void *opaque); /* (l) or NULL */
	void *resized_opaque;	       /* (l) */
};

/* Under the lock: the one that is seen. */
const struct mhi_display_mode *mhi_display_mode(const struct mhi_display *d);
bool mhi_display_same(const struct mhi_display_mode *a, const struct mhi_display_mode *b);

/* display_scan.c, on the loop: look for changes soon, if somebody needs to be told of them. */
void mhi_display_scan(struct mhi_display *d);
void mhi_display_scan_end(struct mhi_display *d);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Seamless windows: the guest's windows, one by one, as its agent tells of them, and what is done
 * to them. The pixels are where the guest shows them, on its display (<macrohard/display.h>): a
 * window is a rectangle of that. Who shows them on the host's desktop is up to the embedder;
 * <macrohard/x11.h> has one that does it on an X server.
 */
#ifndef MACROHARD_SEAMLESS_H
#define MACROHARD_SEAMLESS_H

#include <macrohard/agent.h>
#include <macrohard/display.h>

#ifdef __cplusplus
extern "C" {
#endif

/* struct mh_window.flags */
#define MH_WINDOW_VISIBLE (1u << 0)
#define MH_WINDOW_MINIMISED (1u << 1)
#define MH_WINDOW_MAXIMISED (1u << 2)
#define MH_WINDOW_FULLSCREEN (1u << 3)
#define MH_WINDOW_POPUP (1u << 4)     /* a menu, a tooltip: no frame, not in task bars */
#define MH_WINDOW_DIALOG (1u << 5)    /* of its parent */
#define MH_WINDOW_MODAL (1u << 6)     /* its parent waits for it */
#define MH_WINDOW_ATTENTION (1u << 7) /* asks to be looked at */
#define MH_WINDOW_ABOVE (1u << 8)     /* stays above others */
#define MH_WINDOW_FIXED (1u << 9)     /* cannot have another size */
#define MH_WINDOW_NO_TASKBAR (1u << 10)
#define MH_WINDOW_ACTIVE (1u << 11)    /* has the guest's keyboard */
#define MH_WINDOW_DECORATED (1u << 12) /* the guest draws its frame: it is part of rect */

/*
 * A window of the guest. Titles and applications are UTF-8 of at most 1023 bytes; the guest chose
 * all of it, and may lie.
 */
struct mh_window {
	size_t size;	 /* of what the library fills in */
	uint64_t id;	 /* not 0; the guest's: of use until gone, and never twice in a session */
	uint64_t parent; /* the window that a dialog or a popup belongs to; 0: none */
	uint32_t flags;	 /* MH_WINDOW_* */
	struct mh_rect rect;		/* pixels of the guest's display; may reach beyond it */
	uint32_t min_width, min_height; /* pixels; 0: no limit */
	uint32_t max_width, max_height; /* pixels; 0: no limit */
	const char *title;		/* valid until the callback returns */
	const char *application;	/* X11's class, Windows' program: groups windows */
};

/* Pictures of the pointer, by their meaning. */
enum mh_pointer_shape {
	MH_POINTER_DEFAULT = 0,
	MH_POINTER_HIDDEN,
	MH_POINTER_TEXT,
	MH_POINTER_HAND,
	MH_POINTER_WAIT,
	MH_POINTER_CROSS,
	MH_POINTER_MOVE,
	MH_POINTER_NS, /* the sizes: up and down */
	MH_POINTER_EW,
	MH_POINTER_NESW,
	MH_POINTER_NWSE,
	MH_POINTER_NO
};

/*
 * Who shows the windows. All functions are called on the thread of the context's devices, one at
 * a time, and must not wait; see struct mh_dev for what they may do; the functions below are
 * allowed. NULL: not of interest.
 */
struct mh_seamless_ops {
	uint32_t version; /* 1 */
	/* There is a window, or one is another one than before. At most 1024 at a time. */
	void (*window)(void *opaque, const struct mh_window *window);
	void (*gone)(void *opaque, uint64_t id);
	/* All windows, the lowest first: ids [count]. */
	void (*stack)(void *opaque, const uint64_t *ids, uint32_t count);
	/* Pixels 0xAARRGGBB, not premultiplied, [width * height], at most 96 by 96. */
	void (*icon)(void *opaque, uint64_t id, uint32_t width, uint32_t height,
		     const uint32_t *pixels);
	/* Of the window: only rects [count] of it are there. count 0: all is again. */
	void (*shape)(void *opaque, uint64_t id, const struct mh_rect *rects, uint32_t count);
	/* Its content has changed, as far as the agent knows: the display's damage is exact. */
	void (*damage)(void *opaque, uint64_t id, const struct mh_rect *rect);
	void (*pointer)(void *opaque, enum mh_pointer_shape shape);
	/* The agent is gone: so are all windows. When it is back they come anew. */
	void (*lost)(void *opaque);
};

enum mh_window_action {
	MH_WINDOW_ACTIVATE = 0, /* give it the keyboard, and raise it */
	MH_WINDOW_DEACTIVATE,
	MH_WINDOW_RAISE,
	MH_WINDOW_LOWER,
	MH_WINDOW_MINIMISE,
	MH_WINDOW_RESTORE,
	MH_WINDOW_MAXIMISE,
	MH_WINDOW_CLOSE /* ask it to; it may ask its user back */
};

/**
 * Have the guest's windows told, one by one: those that are there at once, when an agent that can
 * is connected or as soon as one is. One at a time for each agent.
 * @ops  copied
 * Thread: [any]
 * Returns 0; MH_EINVAL (ops), MH_EBUSY (somebody does it already), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_seamless_start(struct mh_agent *agent, const struct mh_seamless_ops *ops,
			     void *opaque);

/**
 * End that: when it has returned nothing is called any more, not even gone or lost. The guest shows
 * its desktop as ever.
 * Thread: [any], callbacks of ops too   Returns 0; MH_ENOENT (nobody has started).   Since: 1.0
 */
MH_API int mh_seamless_stop(struct mh_agent *agent);

/*
 * What is done to a window. The guest need not obey: what became of it is told by the window
 * callback.
 * Thread: [any]
 * Return 0; MH_EINVAL (sizes not 1 to 16384, positions not within -32768 to 32767; action; scale),
 * MH_ENOENT (no such window), MH_ESTATE (not started, or no agent is connected), MH_EBUSY (the
 * guest takes nothing).   Since: 1.0
 */
MH_API int mh_window_configure(struct mh_agent *agent, uint64_t id, const struct mh_rect *rect);
/** @action  enum mh_window_action   As above. Since: 1.0 */
MH_API int mh_window_act(struct mh_agent *agent, uint64_t id, uint32_t action);

/**
 * The part of the guest's display where maximised windows go, and how large the host draws.
 * It is kept, and told again to an agent that comes later.
 * @area   pixels of the guest's display
 * @scale  in 1/120: 120 is 1:1, 240 doubles; 60 to 1200
 * As above, but without an agent it is 0.   Since: 1.0
 */
MH_API int mh_seamless_work_area(struct mh_agent *agent, const struct mh_rect *area,
				 uint32_t scale);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/*
 * A VM's display: its video memory, what of it is shown by which device, the cursor, and those who
 * look. Devices say what they show from any thread; it is told on the loop, and what happens faster
 * than the loop turns is told as one.
 */
#ifndef MHI_CORE_DISPLAY_H
#define MHI_CORE_DISPLAY_H

#include "core/loop.h"
#include "core/vram.h"
#include "macrohard/display.h"

/* Who may show something; a later one covers those before it. */
enum mhi_display_driver { MHI_DISPLAY_FIRMWARE, MHI_DISPLAY_GPU, MHI_DISPLAY_DRIVERS };

struct mhi_display;
struct mh_display_listener;

/* A part of the video memory; whoever shows it keeps it within. width 0: nothing. */
struct mhi_display_mode {
	u64 offset;
	u32 width, height, stride;
	bool silent; /* what changes in it is found out: the driver does not tell */
};

/* 0; MH_ENOMEM. */
int mhi_display_create(struct mhi_loop *loop, u64 vram_bytes, u32 width, u32 height,
		       struct mhi_display **out);
/* Its devices are gone. NULL is a no-op. Not on the loop's thread unless that is the caller's. */
void mhi_display_destroy(struct mhi_display *d);

/* ---- for devices; any thread. No lock is taken inside the display's. ---- */

/* The memory, which is there as long as the display. */
u8 *mhi_display_host(const struct mhi_display *d);
u64 mhi_display_vram_bytes(const struct mhi_display *d);
bool mhi_display_take(struct mhi_display *d, u64 bytes, u64 *offset);
void mhi_display_give(struct mhi_display *d, u64 offset, u64 bytes);

void mhi_display_show(struct mhi_display *d, enum mhi_display_driver driver,
		      const struct mhi_display_mode *mode);
/* rect is on the driver's mode; what is beside it is left out. */
void mhi_display_damage(struct mhi_display *d, enum mhi_display_driver driver,
			const struct mh_rect *rect);
/* pixels [width * height] are copied; each side is at most MH_CURSOR_SIDE_MAX. */
void mhi_display_cursor(struct mhi_display *d, const struct mh_cursor *cursor);
/* Where its hot spot is. */
void mhi_display_cursor_move(struct mhi_display *d, s32 x, s32 y);

/* The size that was asked for last. */
void mhi_display_wanted(struct mhi_display *d, u32 *width, u32 *height);
/*
 * fn is called on the loop when another size is asked for; NULL: no more, and it is not running
 * when this returns. One device may have that.
 */
void mhi_display_on_resize(struct mhi_display *d, void (*fn)(void *opaque), void *opaque);

/* ---- for those who look; any thread ---- */

/* 0; MH_EINVAL. */
int mhi_display_resize(struct mhi_display *d, u32 width, u32 height);
/* Does a size fit into the memory, and is it one that may be asked for? */
bool mhi_display_size_ok(u64 vram_bytes, u32 width, u32 height);
/* The descriptor in it is the display's. */
void mhi_display_surface(struct mhi_display *d, struct mh_surface *out);
/* 0; MH_ESTATE, MH_ERANGE. */
int mhi_display_read(struct mhi_display *d, const struct mh_rect *rect, void *pixels, u64 stride);
/* All of it with the cursor, of mallocs: *out [*width * *height]. 0; MH_ESTATE, MH_ENOMEM. */
int mhi_display_picture(struct mhi_display *d, u32 **out, u32 *width, u32 *height);
/* ops is copied. 0; MH_ENOMEM. */
int mhi_display_listen(struct mhi_display *d, const struct mh_display_ops *ops, void *opaque,
		       struct mh_display_listener **out);
void mhi_display_unlisten(struct mh_display_listener *listener);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the guest shows: one display for each VM, whichever of its devices drives it (virtio-gpu, or
 * the plain frame buffer of firmware), and who looks at it. The pixels lie in a memory file that
 * any process may map, or an X server attach: nothing is copied to look at them.
 */
#ifndef MACROHARD_DISPLAY_H
#define MACROHARD_DISPLAY_H

#include <macrohard/device.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mh_rect {
	int32_t x, y;
	uint32_t width, height;
};

/*
 * 32 bits a pixel, little-endian 0xXXRRGGBB: X11's depth 24, DRM's XRGB8888. What is in XX means
 * nothing.
 */
struct mh_surface {
	int fd;		 /* of the memory file; the library's: duplicate it to keep it. -1: none */
	uint32_t width;	 /* pixels; 0: the guest shows nothing */
	uint32_t height; /* pixels */
	uint32_t stride; /* bytes from a line to the next; a multiple of 4 */
	uint64_t offset; /* bytes, of the first pixel in fd; a multiple of 4 */
	uint64_t bytes;	 /* of the whole file: it never changes while the VM lives */
};

/* The pointer's picture: 32 bits a pixel, 0xAARRGGBB, not premultiplied. */
struct mh_cursor {
	uint32_t visible; /* 0: none, and the rest means nothing */
	int32_t x, y;	  /* of the hot spot, on the surface */
	uint32_t width, height;
	uint32_t hot_x, hot_y;
	const uint32_t *pixels; /* [width * height] valid until the callback returns */
};

/*
 * Who looks at the display. All functions are called on the thread of the context's devices, one at
 * a time, and must not wait; see struct mh_dev for what they may do. NULL: not of interest. The
 * guest may write its pixels at any time: damage says where it has finished to.
 */
struct mh_display_ops {
	uint32_t version; /* 1 */
	/* Another size or place of the pixels; at once when looking begins. All is damaged. */
	void (*surface)(void *opaque, const struct mh_surface *surface);
	/* rects [count] have new content, within the surface. */
	void (*damage)(void *opaque, const struct mh_rect *rects, uint32_t count);
	/* Another picture; moved: only x, y and visible are other ones. */
	void (*cursor)(void *opaque, const struct mh_cursor *cursor, uint32_t moved);
};

/*
 * Contract (draft), for who looks:
 *   mh_display_listen(vm, ops, opaque, struct mh_display_listener **out)   [any]
 *   mh_display_unlisten(listener)      when it has returned nothing is called any more
 *   mh_display_surface(vm, struct mh_surface *out)       a snapshot; fd duplicated for the caller
 *   mh_display_read(vm, const struct mh_rect *, void *pixels, size_t stride)   XRGB copy
 *   mh_display_png(vm, int fd)         screenshot with the cursor
 *   mh_display_resize(vm, width, height)   ask the guest (virtio-gpu display event)
 *   mh_gpu_attach(vm, config, dev **), mh_framebuffer_attach(vm, config, dev **)
 */

#ifdef __cplusplus
}
#endif
#endif

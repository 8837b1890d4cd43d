/* SPDX-License-Identifier: MIT */
/*
 * What the guest shows: one display for each VM, whichever of its devices drives it, and who looks
 * at it. The pixels lie in a memory file that any process may map, or an X server attach: nothing
 * is copied to look at them.
 */
#ifndef MACROHARD_DISPLAY_H
#define MACROHARD_DISPLAY_H

#include <macrohard/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of what a display may be asked to be; pixels. */
#define MH_DISPLAY_SIDE_MIN 64u
#define MH_DISPLAY_SIDE_MAX 16384u
#define MH_DISPLAY_VRAM_MIN (1u << 20)
#define MH_DISPLAY_VRAM_MAX (1u << 30)
/* The cursor's picture is no wider and no higher. */
#define MH_CURSOR_SIDE_MAX 256u

struct mh_rect {
	int32_t x, y;
	uint32_t width, height;
};

/*
 * 32 bits a pixel, little-endian 0xXXRRGGBB: X11's depth 24, DRM's XRGB8888. What is in XX means
 * nothing.
 */
struct mh_surface {
	int fd;		 /* of the memory file, for reading; see where the surface comes from */
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
	/*
	 * Another size or place of the pixels; at once when looking begins. All is damaged. The
	 * descriptor is the library's, and the same one each time: duplicate it to keep it.
	 */
	void (*surface)(void *opaque, const struct mh_surface *surface);
	/* rects [count] have new content, within the surface. */
	void (*damage)(void *opaque, const struct mh_rect *rects, uint32_t count);
	/* Another picture; moved: only x, y and visible are other ones. */
	void (*cursor)(void *opaque, const struct mh_cursor *cursor, uint32_t moved);
};

/* Somebody who looks. */
struct mh_display_listener;

/**
 * Begin to look: ops->surface and ops->cursor are called before this returns, the others as there
 * is something to tell. What happens faster than the devices' thread turns is told as one.
 * @ops     copied
 * @opaque  its first argument
 * @out     for mh_display_unlisten
 * Ownership: it lives until mh_display_unlisten, or until its VM is destroyed.
 * Thread: [any]; with a loop of the caller's, that loop's thread, or one that it runs beside
 * Returns 0; MH_EINVAL (ops), MH_ENOENT (the VM has no display), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_display_listen(struct mh_vm *vm, const struct mh_display_ops *ops, void *opaque,
			     struct mh_display_listener **out);

/**
 * End to look: when it has returned nothing is called any more. It may be called from its own
 * callbacks; NULL is a no-op.
 * Thread: as mh_display_listen.   Since: 1.0
 */
MH_API void mh_display_unlisten(struct mh_display_listener *listener);

/**
 * Where the pixels are now.
 * Ownership: out->fd is the caller's, to be closed.
 * Thread: [any]
 * Returns 0; MH_EINVAL (out), MH_ENOENT (the VM has no display), MH_ENOMEM (no descriptor is left).
 * Since: 1.0
 */
MH_API int mh_display_surface(struct mh_vm *vm, struct mh_surface *out);

/**
 * Copy pixels, without the cursor.
 * @rect    NULL: all
 * @pixels  rect->height lines of rect->width pixels, as in struct mh_surface
 * @stride  bytes from a line to the next there, at least 4 * rect->width
 * Thread: [any]
 * Returns 0; MH_EINVAL (pixels, stride), MH_ENOENT (no display), MH_ESTATE (the guest shows
 * nothing), MH_ERANGE (rect leaves the surface).   Since: 1.0
 */
MH_API int mh_display_read(struct mh_vm *vm, const struct mh_rect *rect, void *pixels,
			   size_t stride);

/**
 * Write a picture of the display with its cursor, as PNG. It may take a moment, and as long as
 * writing does.
 * @fd  a file, pipe or socket, that blocks; what is written begins where it stands
 * Thread: [any], but no callback
 * Returns 0; MH_ENOENT (no display), MH_ESTATE (the guest shows nothing), MH_EIO (writing),
 * MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_display_png(struct mh_vm *vm, int fd);

/**
 * Ask the guest for another size. It follows when its driver does, or never: ops->surface tells.
 * @width, @height  MH_DISPLAY_SIDE_MIN to MH_DISPLAY_SIDE_MAX; all of it must fit into the memory
 *                  of the display
 * Thread: [any]
 * Returns 0; MH_EINVAL (width, height), MH_ENOENT (no display).   Since: 1.0
 */
MH_API int mh_display_resize(struct mh_vm *vm, uint32_t width, uint32_t height);

struct mh_gpu_config {
	size_t size;	   /* sizeof(struct mh_gpu_config), by MH_GPU_CONFIG_INIT */
	uint32_t flags;	   /* MH_VIRTIO_* */
	uint32_t width;	   /* that the guest finds, as by mh_display_resize; 0: 1024 x 768 */
	uint32_t height;   /* 0 along with width */
	uint32_t reserved; /* 0 */
	/* Of the display's memory: MH_DISPLAY_VRAM_MIN to ..._MAX, whole pages; 0: 128 MiB. */
	uint64_t vram_bytes;
};

#define MH_GPU_CONFIG_INIT                                       \
	{                                                        \
		sizeof(struct mh_gpu_config), 0u, 0u, 0u, 0u, 0u \
	}

/**
 * Give the guest a graphics card without 3D (virtio-gpu), and the VM its display. The display's
 * memory is a file in memory; it costs what the guest's pictures take. What the guest draws is
 * copied there once, and not again. The display outlives the card: mh_dev_detach leaves it empty.
 * @config  NULL: defaults
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_ERANGE, MH_EEXIST (PCI slot; the VM has
 * one already), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_gpu_attach(struct mh_vm *vm, const struct mh_gpu_config *config, struct mh_dev **out);

struct mh_framebuffer_config {
	size_t size;	     /* sizeof(struct mh_framebuffer_config), by the INIT macro */
	uint32_t flags;	     /* MH_VIRTIO_SLOT */
	uint32_t width;	     /* that the guest finds; 0: 1024 x 768 */
	uint32_t height;     /* 0 along with width */
	uint32_t reserved;   /* 0 */
	uint64_t vram_bytes; /* of the display's memory, if it has none yet: as mh_gpu_config's */
	uint64_t bytes;	     /* of that, for this: a power of two, 1 to 128 MiB; 0: 16 MiB */
};

#define MH_FRAMEBUFFER_CONFIG_INIT                                           \
	{                                                                    \
		sizeof(struct mh_framebuffer_config), 0u, 0u, 0u, 0u, 0u, 0u \
	}

/**
 * Give the guest a plain frame buffer, as QEMU's bochs-display: memory of the display's that it
 * writes to without this process's doing. Firmware shows its text there if SeaBIOS' VGA BIOS is
 * installed on this host; Linux has a driver (bochs). While a graphics card shows something, that
 * is what is seen. Guests cannot have other devices write into it. Damage is found by comparing,
 * 30 times a second, and only while somebody listens.
 * @config  NULL: defaults
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ENOSPC (config.bytes), MH_ESTATE, MH_ERANGE,
 * MH_EEXIST (PCI slot; the VM has one already), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_framebuffer_attach(struct mh_vm *vm, const struct mh_framebuffer_config *config,
				 struct mh_dev **out);

#ifdef __cplusplus
}
#endif
#endif

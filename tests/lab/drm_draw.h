/* SPDX-License-Identifier: MIT */
/*
 * Of Linux' interface for displays (drm_mode.h), what drm_draw needs. Debian has the header in a
 * package of its own.
 */
#ifndef TESTS_LAB_DRM_DRAW_H
#define TESTS_LAB_DRM_DRAW_H

#include <stdint.h>
#include <sys/ioctl.h>

#define MODE_PREFERRED 8u
#define CONNECTED 1u
#define CURSOR_BO 1u
#define CURSOR_MOVE 2u
#define FLIP_EVENT 1u

struct drm_mode {
	uint32_t clock;
	uint16_t hdisplay, hsync_start, hsync_end, htotal, hskew;
	uint16_t vdisplay, vsync_start, vsync_end, vtotal, vscan;
	uint32_t vrefresh, flags, type;
	char name[32];
};

struct drm_resources {
	uint64_t fbs, crtcs, connectors, encoders; /* pointers to ids */
	uint32_t count_fbs, count_crtcs, count_connectors, count_encoders;
	uint32_t min_width, max_width, min_height, max_height;
};

struct drm_connector {
	uint64_t encoders, modes, props, values;
	uint32_t count_modes, count_props, count_encoders;
	uint32_t encoder, id, type, type_id, connection, mm_width, mm_height, subpixel, pad;
};

struct drm_crtc {
	uint64_t connectors;
	uint32_t count_connectors, id, fb, x, y, gamma, mode_valid;
	struct drm_mode mode;
};

struct drm_cursor {
	uint32_t flags, crtc;
	int32_t x, y;
	uint32_t width, height, handle;
	int32_t hot_x, hot_y;
};

struct drm_fb {
	uint32_t id, width, height, pitch, bpp, depth, handle;
};

struct drm_flip {
	uint32_t crtc, fb, flags, reserved;
	uint64_t user;
};

struct drm_clip {
	uint16_t x1, y1, x2, y2;
};

struct drm_dirty {
	uint32_t fb, flags, color, count;
	uint64_t clips;
};

struct drm_dumb {
	uint32_t height, width, bpp, flags, handle, pitch;
	uint64_t size;
};

struct drm_map {
	uint32_t handle, pad;
	uint64_t offset;
};

#define DRM(n, type) _IOWR('d', (n), type)
#define DRM_RESOURCES DRM(0xa0, struct drm_resources)
#define DRM_SETCRTC DRM(0xa2, struct drm_crtc)
#define DRM_CONNECTOR DRM(0xa7, struct drm_connector)
#define DRM_ADDFB DRM(0xae, struct drm_fb)
#define DRM_FLIP DRM(0xb0, struct drm_flip)
#define DRM_DIRTY DRM(0xb1, struct drm_dirty)
#define DRM_DUMB DRM(0xb2, struct drm_dumb)
#define DRM_MAP DRM(0xb3, struct drm_map)
#define DRM_CURSOR DRM(0xbb, struct drm_cursor)

#endif

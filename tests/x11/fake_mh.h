/* SPDX-License-Identifier: MIT */
/* A guest that does what it is told on standard input, for the X11 library to show. */
#ifndef FAKE_MH_H
#define FAKE_MH_H

#include <macrohard/x11.h>

#define FAKE_BYTES ((uint64_t)32 << 20)

struct mh_vm {
	int fd; /* the surface's */
	uint32_t *pixels;
	struct mh_surface surface;
	const struct mh_display_ops *display; /* NULL: nobody looks */
	void *display_opaque;
};

struct mh_agent {
	const struct mh_seamless_ops *windows; /* NULL: nobody asks */
	void *windows_opaque;
	const struct mh_clipboard_ops *clip; /* NULL: nobody asks */
	void *clip_opaque;
	char *content; /* of everything that mh_clipboard_get asks for; NULL: there is none */
	size_t content_bytes;
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Pixels of a memory file on the server: the server maps the file itself, once, for reading; one
 * that cannot is sent the pixels.
 */
#include "x11_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xcb/shm.h>

#define DEPTH 24
#define PIXEL 4u
#define COORDINATE_MAX 32767 /* X11's are 16 bits with a sign */

void mhi_x_pixels_init(struct mhi_x_pixels *p)
{
	*p = (struct mhi_x_pixels){ .fd = -1, .now.fd = -1 };
}

static bool attach(struct mh_x11 *x, struct mhi_x_pixels *p)
{
	xcb_generic_error_t *error;
	int fd;

	if (!x->shm)
		return false;
	fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 0); /* XCB closes the one that it sends */
	if (fd < 0)
		return false;
	p->seg = xcb_generate_id(x->c);
	error = xcb_request_check(x->c, xcb_shm_attach_fd_checked(x->c, p->seg, fd, 1));
	if (!error)
		return true;
	free(error);
	p->seg = 0;
	return false;
}

static void map(struct mhi_x_pixels *p, uint64_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, p->fd, 0);

	p->map = map == MAP_FAILED ? NULL : map;
}

static bool inside(const struct mh_surface *s)
{
	uint64_t last;

	if (!s->width || !s->height || s->width > COORDINATE_MAX || s->height > COORDINATE_MAX ||
	    s->stride % PIXEL || s->stride < s->width * PIXEL ||
	    s->stride / PIXEL > 2 * COORDINATE_MAX || s->offset % PIXEL)
		return false;
	last = (uint64_t)s->stride * s->height;
	return s->offset <= s->bytes && last <= s->bytes - s->offset;
}

void mhi_x_pixels_set(struct mh_x11 *x, struct mhi_x_pixels *p, const struct mh_surface *surface)
{
	bool shown = surface->fd >= 0 && inside(surface);

	p->now = *surface;
	p->now.fd = -1;
	if (shown && p->fd < 0) {
		p->fd = fcntl(surface->fd, F_DUPFD_CLOEXEC, 0);
		if (p->fd >= 0 && !attach(x, p))
			map(p, surface->bytes);
	}
	if (!shown)
		p->now.width = p->now.height = 0;
}

/* Lines of rect as they fit into requests. */
static void send(struct mh_x11 *x, const struct mhi_x_pixels *p, xcb_window_t window,
		 const struct mh_rect *rect, const int32_t at[2])
{
	uint32_t most = xcb_get_maximum_request_length(x->c), line = rect->width * PIXEL, lines;
	const uint8_t *from = (const uint8_t *)p->map + p->now.offset +
			      (uint64_t)rect->y * p->now.stride + (uint64_t)rect->x * PIXEL;
	uint8_t *buffer;

	/* In units of 4 bytes; 64 are more than the request's own. */
	most = most > (1u << 18) ? 1u << 18 : most;
	lines = (most - 64) * 4 / line;
	lines = lines > rect->height ? rect->height : lines;
	buffer = lines ? malloc((size_t)lines * line) : NULL;
	if (!buffer)
		return;
	for (uint32_t y = 0; y < rect->height; y += lines) {
		if (lines > rect->height - y)
			lines = rect->height - y;
		for (uint32_t n = 0; n < lines; n++)
			memcpy(buffer + (size_t)n * line, from + (uint64_t)(y + n) * p->now.stride,
			       line);
		xcb_put_image(x->c, XCB_IMAGE_FORMAT_Z_PIXMAP, window, x->gc, (uint16_t)rect->width,
			      (uint16_t)lines, (int16_t)at[0], (int16_t)(at[1] + (int32_t)y), 0,
			      DEPTH, lines * line, buffer);
	}
	free(buffer);
}

void mhi_x_pixels_put(struct mh_x11 *x, struct mhi_x_pixels *p, xcb_window_t window,
		      const struct mh_rect *rect, const int32_t at[2])
{
	struct mh_rect all = { 0, 0, p->now.width, p->now.height }, part;
	int32_t place[2];

	if (!mhi_x_common(rect, &all, &part))
		return;
	place[0] = at[0] + (part.x - rect->x);
	place[1] = at[1] + (part.y - rect->y);
	if (place[0] > COORDINATE_MAX || place[1] > COORDINATE_MAX || place[0] < -COORDINATE_MAX ||
	    place[1] < -COORDINATE_MAX)
		return;
	if (p->seg)
		xcb_shm_put_image(x->c, window, x->gc, (uint16_t)(p->now.stride / PIXEL),
				  (uint16_t)p->now.height, (uint16_t)part.x, (uint16_t)part.y,
				  (uint16_t)part.width, (uint16_t)part.height, (int16_t)place[0],
				  (int16_t)place[1], DEPTH, XCB_IMAGE_FORMAT_Z_PIXMAP, 0, p->seg,
				  (uint32_t)p->now.offset);
	else if (p->map)
		send(x, p, window, &part, place);
}

void mhi_x_pixels_fini(struct mh_x11 *x, struct mhi_x_pixels *p)
{
	if (p->seg)
		xcb_shm_detach(x->c, p->seg);
	if (p->map)
		munmap(p->map, p->now.bytes);
	if (p->fd >= 0)
		close(p->fd);
	mhi_x_pixels_init(p);
}

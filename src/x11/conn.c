/* SPDX-License-Identifier: MIT */
/* Connecting to an X server, and what has to be known of it once. */
#include "x11_priv.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xcb/render.h>
#include <xcb/shape.h>
#include <xcb/shm.h>
#include <xcb/xfixes.h>

#define DEPTH 24

static bool local(xcb_connection_t *c)
{
	struct sockaddr_storage address = { 0 };
	socklen_t bytes = sizeof(address);

	return !getsockname(xcb_get_file_descriptor(c), (struct sockaddr *)&address, &bytes) &&
	       address.ss_family == AF_UNIX;
}

static bool present(struct mh_x11 *x, xcb_extension_t *extension)
{
	const xcb_query_extension_reply_t *e = xcb_get_extension_data(x->c, extension);

	return e && e->present;
}

static void find_shm(struct mh_x11 *x)
{
	xcb_shm_query_version_reply_t *v;

	/* Descriptors go over sockets of this machine only; MIT-SHM takes them since 1.2. */
	if (!local(x->c) || !present(x, &xcb_shm_id))
		return;
	v = xcb_shm_query_version_reply(x->c, xcb_shm_query_version(x->c), NULL);
	x->shm = v && (v->major_version > 1 || v->minor_version >= 2);
	free(v);
}

static void find_xfixes(struct mh_x11 *x)
{
	const xcb_query_extension_reply_t *e = xcb_get_extension_data(x->c, &xcb_xfixes_id);
	xcb_xfixes_query_version_reply_t *v;

	if (!e || !e->present)
		return;
	v = xcb_xfixes_query_version_reply(x->c, xcb_xfixes_query_version(x->c, 5, 0), NULL);
	if (v)
		x->xfixes_event = e->first_event;
	free(v);
}

static bool is_argb(const xcb_render_pictforminfo_t *f)
{
	return f->type == XCB_RENDER_PICT_TYPE_DIRECT && f->depth == 32 &&
	       f->direct.alpha_mask == 0xff && f->direct.alpha_shift == 24 &&
	       f->direct.red_shift == 16 && f->direct.green_shift == 8 && !f->direct.blue_shift;
}

/* Cursors with colours need RENDER 0.5. */
static void find_render(struct mh_x11 *x)
{
	xcb_render_query_pict_formats_reply_t *formats;
	xcb_render_query_version_reply_t *v;
	xcb_render_pictforminfo_iterator_t i;
	size_t came;

	if (!present(x, &xcb_render_id))
		return;
	v = xcb_render_query_version_reply(x->c, xcb_render_query_version(x->c, 0, 11), NULL);
	formats = xcb_render_query_pict_formats_reply(x->c, xcb_render_query_pict_formats(x->c),
						      NULL);
	if (v && formats && (v->major_version || v->minor_version >= 5)) {
		i = xcb_render_query_pict_formats_formats_iterator(formats);
		/* The server may tell of more than came. */
		came = formats->length * (size_t)4 / sizeof(*i.data);
		for (; i.rem && came-- && !x->argb; xcb_render_pictforminfo_next(&i))
			x->argb = is_argb(i.data) ? i.data->id : 0;
	}
	free(formats);
	free(v);
}

/* Whether the server's answer has all of what it tells of the screen. */
static bool whole(const xcb_setup_t *setup, const xcb_screen_t *screen)
{
	const void *end = (const uint8_t *)&setup->release_number + 4 * (size_t)setup->length;
	xcb_depth_iterator_t d;

	if ((const void *)(screen + 1) > end)
		return false;
	d = xcb_screen_allowed_depths_iterator(screen);
	while (d.rem && (const void *)(d.data + 1) <= end)
		xcb_depth_next(&d);
	return !d.rem && (const void *)d.data <= end;
}

static bool find_visual(struct mh_x11 *x)
{
	xcb_depth_iterator_t d = xcb_screen_allowed_depths_iterator(x->screen);
	xcb_visualtype_iterator_t v;

	for (; d.rem; xcb_depth_next(&d)) {
		if (d.data->depth != DEPTH)
			continue;
		for (v = xcb_depth_visuals_iterator(d.data); v.rem; xcb_visualtype_next(&v)) {
			if (v.data->_class == XCB_VISUAL_CLASS_TRUE_COLOR &&
			    v.data->red_mask == 0xff0000 && v.data->blue_mask == 0xff) {
				x->visual = v.data->visual_id;
				return true;
			}
		}
	}
	return false;
}

static void find_atoms(struct mh_x11 *x)
{
#define TEXT(name, text) text,
	static const char *const names[] = { MHI_X_ATOMS(TEXT) };
	xcb_intern_atom_cookie_t cookie[MHI_X_ATOM_COUNT];
	xcb_intern_atom_reply_t *r;

	for (unsigned int n = 0; n < MHI_X_ATOM_COUNT; n++)
		cookie[n] = xcb_intern_atom(x->c, 0, (uint16_t)strlen(names[n]), names[n]);
	for (unsigned int n = 0; n < MHI_X_ATOM_COUNT; n++) {
		r = xcb_intern_atom_reply(x->c, cookie[n], NULL);
		x->atom[n] = r ? r->atom : XCB_NONE;
		free(r);
	}
}

static void make_shared(struct mh_x11 *x)
{
	xcb_pixmap_t pixmap = xcb_generate_id(x->c);
	uint32_t off = 0;

	x->colormap = xcb_generate_id(x->c);
	xcb_create_colormap(x->c, XCB_COLORMAP_ALLOC_NONE, x->colormap, x->screen->root, x->visual);
	xcb_create_pixmap(x->c, DEPTH, pixmap, x->screen->root, 1, 1);
	x->gc = xcb_generate_id(x->c);
	xcb_create_gc(x->c, x->gc, pixmap, XCB_GC_GRAPHICS_EXPOSURES, &off);
	xcb_free_pixmap(x->c, pixmap);
	pixmap = xcb_generate_id(x->c);
	xcb_create_pixmap(x->c, 1, pixmap, x->screen->root, 1, 1);
	x->no_cursor = xcb_generate_id(x->c);
	xcb_create_cursor(x->c, x->no_cursor, pixmap, pixmap, 0, 0, 0, 0, 0, 0, 0, 0);
	xcb_free_pixmap(x->c, pixmap);
}

void mhi_x_tell(struct mh_x11 *x, int error, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!x->ops.tell)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	x->ops.tell(x->opaque, error, text);
}

/* Closes the descriptor when it is done with it. */
static xcb_connection_t *open_socket(struct mh_x11_socket *socket)
{
	xcb_auth_info_t auth = { (int)strlen(socket->auth_name), socket->auth_name,
				 (int)socket->auth_bytes, (char *)socket->auth_data };

	return xcb_connect_to_fd(socket->fd, *socket->auth_name ? &auth : NULL);
}

static bool keep_socket(struct mh_x11 *x, int fd)
{
	bool kept;

	pthread_mutex_lock(&x->lock);
	x->socket = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	kept = x->socket >= 0;
	pthread_mutex_unlock(&x->lock);
	return kept;
}

/* NULL, or with an error: nobody answers. */
static xcb_connection_t *open_display(struct mh_x11 *x, int *screen)
{
	struct mh_x11_socket own = MH_X11_SOCKET_INIT;
	const struct mh_x11_config *config = x->config;
	xcb_connection_t *c;

	if (config->socket) {
		own = *config->socket;
		own.fd = fcntl(own.fd, F_DUPFD_CLOEXEC, 0);
		if (own.fd < 0)
			return NULL;
	} else if (!config->authority) {
		c = xcb_connect(config->display, screen);
		keep_socket(x, xcb_get_file_descriptor(c));
		return c;
	} else if (!mhi_x_dial(config, &own)) {
		return NULL;
	}
	*screen = (int)own.screen;
	if (keep_socket(x, own.fd))
		return open_socket(&own);
	close(own.fd);
	return NULL;
}

static int look(struct mh_x11 *x, int screen)
{
	xcb_screen_iterator_t i = xcb_setup_roots_iterator(xcb_get_setup(x->c));

	while (i.rem && whole(xcb_get_setup(x->c), i.data) && screen-- > 0 && i.rem > 1)
		xcb_screen_next(&i);
	x->screen = i.data;
	if (!i.rem || !whole(xcb_get_setup(x->c), i.data)) {
		x->why = "it has no screen; use one that has";
		return MH_ENOTSUP;
	}
	if (xcb_get_setup(x->c)->image_byte_order != XCB_IMAGE_ORDER_LSB_FIRST || !find_visual(x)) {
		x->why = "it has no TrueColor visual of depth 24 with little-endian pixels; use "
			 "one that has";
		return MH_ENOTSUP;
	}
	find_shm(x);
	find_xfixes(x);
	find_render(x);
	x->shape = present(x, &xcb_shape_id);
	make_shared(x);
	find_atoms(x);
	mhi_x_desk_start(x);
	return xcb_connection_has_error(x->c) ? MH_ENOENT : 0;
}

int mhi_x_open(struct mh_x11 *x)
{
	int screen = 0;

	x->c = open_display(x, &screen);
	return !x->c || xcb_connection_has_error(x->c) ? MH_ENOENT : look(x, screen);
}

/* The embedder's signals are not for this thread. */
static int start_thread(struct mh_x11 *x)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&x->thread, NULL, mhi_x_thread, x);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error ? MH_ENOMEM : 0;
}

/* The thread does it, as waiting for a server has to be given up some time. */
static int connect_to(struct mh_x11 *x, const struct mh_x11_config *config)
{
	int error;

	x->config = config;
	error = start_thread(x);
	if (error)
		return error;
	pthread_mutex_lock(&x->lock);
	mhi_x_await(x, &x->tried);
	pthread_mutex_unlock(&x->lock);
	if (!x->error)
		return 0;
	pthread_join(x->thread, NULL);
	if (!x->why)
		return mhi_x_nobody(config);
	mhi_x_tell(x, x->error, "connecting to the X server %s: %s", mhi_x_name(config), x->why);
	return x->error;
}

static struct mh_x11 *new_connection(const struct mh_x11_config *config)
{
	struct mh_x11 *x = calloc(1, sizeof(*x));
	pthread_condattr_t attr;

	if (!x)
		return NULL;
	if (config->ops)
		x->ops = *config->ops;
	x->opaque = config->opaque;
	x->socket = -1;
	pthread_mutex_init(&x->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&x->ended, &attr);
	pthread_condattr_destroy(&attr);
	x->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return x;
}

/* Its thread has ended, or never was. */
static void free_connection(struct mh_x11 *x)
{
	if (x->c)
		xcb_disconnect(x->c);
	if (x->socket >= 0)
		close(x->socket);
	if (x->wake >= 0)
		close(x->wake);
	pthread_cond_destroy(&x->ended);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

int mh_x11_connect(const struct mh_x11_config *config, struct mh_x11 **out)
{
	struct mh_x11_config own;
	struct mh_x11 *x;
	int error;

	if (!out || !mhi_x_config_read(config, &own))
		return MH_EINVAL;
	x = new_connection(&own);
	if (!x)
		return MH_ENOMEM;
	error = x->wake < 0 ? MH_ENOMEM : connect_to(x, &own);
	if (error)
		free_connection(x);
	else
		*out = x;
	return error;
}

void mh_x11_disconnect(struct mh_x11 *x)
{
	struct mhi_x_part *part;

	if (!x)
		return;
	while ((part = mhi_x_part_first(x)))
		part->ops->close(part);
	pthread_mutex_lock(&x->lock);
	x->quit = true;
	mhi_x_wake(x);
	mhi_x_await(x, &x->done);
	pthread_mutex_unlock(&x->lock);
	pthread_join(x->thread, NULL);
	free_connection(x);
}

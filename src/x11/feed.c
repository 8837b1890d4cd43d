/* SPDX-License-Identifier: MIT */
/*
 * What a display tells, kept until the connection's thread takes it. It is bounded, however fast
 * the guest is: the newest surface, the newest cursor, and a few rectangles.
 */
#include "x11_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CURSOR_SIDE_MAX 256u

static void damage_all(struct mhi_x_feed *feed)
{
	feed->damage.count = 0;
	mhi_x_damage_add(&feed->damage,
			 &(struct mh_rect){ 0, 0, feed->surface.width, feed->surface.height });
}

static void on_surface(void *opaque, const struct mh_surface *surface)
{
	struct mhi_x_feed *feed = opaque;
	int fd;

	pthread_mutex_lock(&feed->lock);
	fd = feed->surface.fd;
	if (fd < 0 && surface->fd >= 0)
		fd = fcntl(surface->fd, F_DUPFD_CLOEXEC, 0);
	feed->surface = *surface;
	feed->surface.fd = fd;
	feed->surface_new = true;
	damage_all(feed);
	pthread_mutex_unlock(&feed->lock);
	mhi_x_wake(feed->x);
}

static void on_damage(void *opaque, const struct mh_rect *rects, uint32_t count)
{
	struct mhi_x_feed *feed = opaque;

	pthread_mutex_lock(&feed->lock);
	for (uint32_t n = 0; n < count; n++)
		mhi_x_damage_add(&feed->damage, &rects[n]);
	pthread_mutex_unlock(&feed->lock);
	mhi_x_wake(feed->x);
}

static void on_cursor(void *opaque, const struct mh_cursor *cursor, uint32_t moved)
{
	struct mhi_x_feed *feed = opaque;
	uint32_t *pixels = NULL;
	size_t bytes = 0;

	/* The host's pointer is where it is: the guest's place does not matter. */
	if (moved && cursor->visible == feed->cursor.visible)
		return;
	if (cursor->visible && cursor->pixels && cursor->width <= CURSOR_SIDE_MAX &&
	    cursor->height <= CURSOR_SIDE_MAX)
		bytes = (size_t)cursor->width * cursor->height * sizeof(*pixels);
	if (bytes)
		pixels = malloc(bytes);
	if (pixels)
		memcpy(pixels, cursor->pixels, bytes);
	pthread_mutex_lock(&feed->lock);
	free((void *)feed->cursor.pixels);
	feed->cursor = *cursor;
	feed->cursor.pixels = pixels;
	feed->cursor_new = true;
	pthread_mutex_unlock(&feed->lock);
	mhi_x_wake(feed->x);
}

static const struct mh_display_ops display_ops = {
	.version = 1,
	.surface = on_surface,
	.damage = on_damage,
	.cursor = on_cursor,
};

void mhi_x_feed_init(struct mhi_x_feed *feed, struct mh_x11 *x)
{
	*feed = (struct mhi_x_feed){ .x = x, .surface.fd = -1 };
	pthread_mutex_init(&feed->lock, NULL);
}

int mhi_x_feed_listen(struct mhi_x_feed *feed, struct mh_vm *vm, const struct mh_surface *surface)
{
	if (vm)
		return mh_display_listen(vm, &display_ops, feed, &feed->listener);
	on_surface(feed, surface);
	return feed->surface.fd < 0 ? MH_ENOMEM : 0;
}

void mhi_x_feed_unlisten(struct mhi_x_feed *feed)
{
	mh_display_unlisten(feed->listener);
	feed->listener = NULL;
}

void mhi_x_feed_fini(struct mhi_x_feed *feed)
{
	if (feed->surface.fd >= 0)
		close(feed->surface.fd);
	free((void *)feed->cursor.pixels);
	pthread_mutex_destroy(&feed->lock);
}

void mhi_x_feed_take(struct mhi_x_feed *feed, bool want_damage, struct mhi_x_news *news)
{
	memset(news, 0, sizeof(*news));
	pthread_mutex_lock(&feed->lock);
	news->surface = feed->surface;
	news->surface_new = feed->surface_new;
	feed->surface_new = false;
	if (want_damage) {
		news->damage = feed->damage;
		feed->damage.count = 0;
	}
	if (feed->cursor_new) {
		news->cursor_new = true;
		news->cursor = feed->cursor;
		feed->cursor.pixels = NULL;
		feed->cursor_new = false;
	}
	pthread_mutex_unlock(&feed->lock);
}

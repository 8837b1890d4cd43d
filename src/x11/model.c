/* SPDX-License-Identifier: MIT */
/*
 * What an agent tells of its windows, kept until the connection's thread shows it. However much the
 * guest tells, there is one state of each window, and no more windows than the limit.
 */
#include "seamless.h"

#include <stdlib.h>
#include <string.h>

void mhi_x_win_free(struct mhi_x_win *w)
{
	free(w->icon.data);
	free(w->shape.rects);
	free(w);
}

static struct mhi_x_win *find(struct mh_x11_seamless *s, uint64_t id)
{
	struct mhi_x_win *w = s->wins;

	while (w && (w->id != id || w->gone))
		w = w->next;
	return w;
}

static struct mhi_x_win *add(struct mh_x11_seamless *s, uint64_t id)
{
	struct mhi_x_win *w;

	/* Those that have gone count as long as they are shown. */
	if (s->win_count >= 2 * MHI_X_WINDOWS_MAX)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->id = id;
	w->tell_at = MHI_X_NEVER;
	w->next = s->wins;
	s->wins = w;
	s->win_count++;
	return w;
}

static void copy_text(char to[MHI_X_TEXT_MAX], const char *from)
{
	size_t bytes = strnlen(from ? from : "", MHI_X_TEXT_MAX - 1);

	memcpy(to, from ? from : "", bytes);
	to[bytes] = '\0';
}

static void on_window(void *opaque, const struct mh_window *window)
{
	struct mh_x11_seamless *s = opaque;
	struct mhi_x_win *w;

	pthread_mutex_lock(&s->lock);
	w = find(s, window->id);
	if (!w)
		w = add(s, window->id);
	if (w) {
		w->looks.parent = window->parent;
		w->looks.flags = window->flags;
		w->looks.limits =
			(struct mhi_x_limits){ window->rect, window->min_width, window->min_height,
					       window->max_width, window->max_height };
		copy_text(w->looks.title, window->title);
		copy_text(w->looks.application, window->application);
		w->looks_new = true;
		s->wins_new = true;
	}
	pthread_mutex_unlock(&s->lock);
	mhi_x_wake(s->part.x);
}

static void on_gone(void *opaque, uint64_t id)
{
	struct mh_x11_seamless *s = opaque;
	struct mhi_x_win *w;

	pthread_mutex_lock(&s->lock);
	w = find(s, id);
	if (w)
		w->gone = true;
	pthread_mutex_unlock(&s->lock);
	mhi_x_wake(s->part.x);
}

static void on_stack(void *opaque, const uint64_t *ids, uint32_t count)
{
	struct mh_x11_seamless *s = opaque;

	if (count > MHI_X_WINDOWS_MAX)
		count = MHI_X_WINDOWS_MAX;
	pthread_mutex_lock(&s->lock);
	memcpy(s->stack, ids, count * sizeof(*ids));
	s->stack_count = count;
	s->stack_new = true;
	pthread_mutex_unlock(&s->lock);
	mhi_x_wake(s->part.x);
}

static void on_icon(void *opaque, uint64_t id, uint32_t width, uint32_t height,
		    const uint32_t *pixels)
{
	struct mh_x11_seamless *s = opaque;
	struct mhi_x_win *w;
	uint32_t *data;

	if (!width || !height || width > MHI_X_ICON_MAX || height > MHI_X_ICON_MAX)
		return;
	data = malloc(((size_t)width * height + 2) * sizeof(*data));
	if (!data)
		return;
	data[0] = width;
	data[1] = height;
	memcpy(data + 2, pixels, (size_t)width * height * sizeof(*data));
	pthread_mutex_lock(&s->lock);
	w = find(s, id);
	if (w) {
		free(w->icon.data);
		w->icon = (struct mhi_x_icon){ data, width * height + 2 };
		w->icon_new = true;
		s->wins_new = true;
		data = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	free(data);
	mhi_x_wake(s->part.x);
}

/* X11's are of 16 bits. */
static xcb_rectangle_t rectangle(const struct mh_rect *rect)
{
	struct mh_rect most = { 0, 0, INT16_MAX, INT16_MAX }, r = { 0, 0, 0, 0 };

	mhi_x_common(rect, &most, &r);
	return (xcb_rectangle_t){ (int16_t)r.x, (int16_t)r.y, (uint16_t)r.width,
				  (uint16_t)r.height };
}

static void on_shape(void *opaque, uint64_t id, const struct mh_rect *rects, uint32_t count)
{
	struct mh_x11_seamless *s = opaque;
	xcb_rectangle_t *shape = NULL;
	struct mhi_x_win *w;

	if (count > MHI_X_RECTS_MAX)
		return;
	if (count) {
		shape = calloc(count, sizeof(*shape));
		if (!shape)
			return;
	}
	for (uint32_t n = 0; n < count; n++)
		shape[n] = rectangle(&rects[n]);
	pthread_mutex_lock(&s->lock);
	w = find(s, id);
	if (w) {
		free(w->shape.rects);
		w->shape = (struct mhi_x_shape){ shape, count };
		w->shape_new = true;
		s->wins_new = true;
		shape = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	free(shape);
	mhi_x_wake(s->part.x);
}

/* The display's damage is exact; where there is no display of ours, this is the best there is. */
static void on_damage(void *opaque, uint64_t id, const struct mh_rect *rect)
{
	struct mh_x11_seamless *s = opaque;
	struct mh_rect place;
	struct mhi_x_win *w;

	if (s->vm)
		return;
	pthread_mutex_lock(&s->lock);
	w = find(s, id);
	if (w)
		place = w->looks.limits.rect;
	pthread_mutex_unlock(&s->lock);
	if (!w)
		return;
	pthread_mutex_lock(&s->feed.lock);
	mhi_x_damage_add(&s->feed.damage, &place);
	pthread_mutex_unlock(&s->feed.lock);
	mhi_x_wake(s->part.x);
}

static void on_pointer(void *opaque, enum mh_pointer_shape shape)
{
	struct mh_x11_seamless *s = opaque;

	pthread_mutex_lock(&s->lock);
	s->shape_new = shape != s->shape;
	s->shape = shape;
	pthread_mutex_unlock(&s->lock);
	mhi_x_wake(s->part.x);
}

static void on_lost(void *opaque)
{
	struct mh_x11_seamless *s = opaque;

	pthread_mutex_lock(&s->lock);
	for (struct mhi_x_win *w = s->wins; w; w = w->next)
		w->gone = true;
	s->stack_count = 0;
	pthread_mutex_unlock(&s->lock);
	mhi_x_wake(s->part.x);
}

const struct mh_seamless_ops mhi_x_model_ops = {
	.version = 1,
	.window = on_window,
	.gone = on_gone,
	.stack = on_stack,
	.icon = on_icon,
	.shape = on_shape,
	.damage = on_damage,
	.pointer = on_pointer,
	.lost = on_lost,
};

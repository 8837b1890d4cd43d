/* SPDX-License-Identifier: MIT */
/* Rectangles, and lists of those that are to be drawn again. */
#include "x11_priv.h"

static int64_t right(const struct mh_rect *r)
{
	return (int64_t)r->x + r->width;
}

static int64_t bottom(const struct mh_rect *r)
{
	return (int64_t)r->y + r->height;
}

bool mhi_x_same(const struct mh_rect *a, const struct mh_rect *b)
{
	return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

static bool between(int32_t x, int32_t y, int64_t to_x, int64_t to_y, struct mh_rect *out)
{
	if (to_x <= x || to_y <= y)
		return false;
	*out = (struct mh_rect){ x, y, (uint32_t)(to_x - x), (uint32_t)(to_y - y) };
	return true;
}

bool mhi_x_common(const struct mh_rect *a, const struct mh_rect *b, struct mh_rect *out)
{
	return between(a->x > b->x ? a->x : b->x, a->y > b->y ? a->y : b->y,
		       right(a) < right(b) ? right(a) : right(b),
		       bottom(a) < bottom(b) ? bottom(a) : bottom(b), out);
}

void mhi_x_join(struct mh_rect *a, const struct mh_rect *b)
{
	between(a->x < b->x ? a->x : b->x, a->y < b->y ? a->y : b->y,
		right(a) > right(b) ? right(a) : right(b),
		bottom(a) > bottom(b) ? bottom(a) : bottom(b), a);
}

void mhi_x_damage_add(struct mhi_x_damage *d, const struct mh_rect *rect)
{
	struct mh_rect both;

	if (!rect->width || !rect->height)
		return;
	for (uint32_t n = 0; n < d->count; n++) {
		if (mhi_x_common(&d->rect[n], rect, &both) && mhi_x_same(&both, rect))
			return;
	}
	if (d->count < MHI_X_DAMAGE_MAX) {
		d->rect[d->count++] = *rect;
		return;
	}
	for (uint32_t n = 1; n < d->count; n++)
		mhi_x_join(&d->rect[0], &d->rect[n]);
	mhi_x_join(&d->rect[0], rect);
	d->count = 1;
}

/* SPDX-License-Identifier: MIT */
/* The differences between what the host was told of the windows and what is. */
#include "win_diff.h"

#include <stdlib.h>
#include <string.h>

struct win_icon *win_icon_new(uint32_t width, uint32_t height)
{
	struct win_icon *icon;

	if (!width || !height || width > MHI_AGENT_ICON_MAX || height > MHI_AGENT_ICON_MAX)
		return NULL;
	icon = calloc(1, sizeof(*icon) + (size_t)width * height * 4);
	if (!icon)
		return NULL;
	icon->users = 1;
	icon->width = width;
	icon->height = height;
	return icon;
}

struct win_icon *win_icon_get(struct win_icon *icon)
{
	/* Who calls has a reference: nothing has to be ordered. */
	if (icon)
		__atomic_add_fetch(&icon->users, 1, __ATOMIC_RELAXED);
	return icon;
}

void win_icon_put(struct win_icon *icon)
{
	/* The last one must see that the others are done with it: pairs with itself. */
	if (icon && !__atomic_sub_fetch(&icon->users, 1, __ATOMIC_ACQ_REL))
		free(icon);
}

struct win_look *win_look_new(uint32_t room)
{
	return calloc(1, sizeof(struct win_look) + room * sizeof(struct win_window));
}

void win_look_free(struct win_look *look)
{
	for (uint32_t n = 0; look && n < look->count; n++)
		win_icon_put(look->windows[n].icon);
	free(look);
}

static struct win_window *find(struct win_look *look, uint64_t id)
{
	for (uint32_t n = 0; n < look->count; n++)
		if (look->windows[n].id == id)
			return &look->windows[n];
	return NULL;
}

static bool same(const struct win_window *a, const struct win_window *b)
{
	return a->parent == b->parent && a->flags == b->flags && a->x == b->x && a->y == b->y &&
	       a->width == b->width && a->height == b->height && a->min_width == b->min_width &&
	       a->min_height == b->min_height && a->max_width == b->max_width &&
	       a->max_height == b->max_height && !strcmp(a->title, b->title) &&
	       !strcmp(a->application, b->application);
}

static void forget_one(struct win_look *told, uint32_t n)
{
	win_icon_put(told->windows[n].icon);
	told->count--;
	memmove(&told->windows[n], &told->windows[n + 1],
		(told->count - n) * sizeof(told->windows[n]));
}

static bool tell_gone(struct win_look *told, const struct win_look *now, win_tell *tell,
		      void *opaque)
{
	for (uint32_t n = told->count; n-- > 0;) {
		struct mhi_msg_window_gone gone = { .id = told->windows[n].id };

		if (find((struct win_look *)(uintptr_t)now, gone.id))
			continue;
		if (!tell(opaque, MHI_MSG_WINDOW_GONE, &gone))
			return false;
		forget_one(told, n);
	}
	return true;
}

static bool tell_window(struct win_look *told, const struct win_window *w, win_tell *tell,
			void *opaque)
{
	struct win_window *old = find(told, w->id);
	struct mhi_msg_window msg = { .id = w->id,
				      .parent = w->parent,
				      .flags = w->flags,
				      .x = w->x,
				      .y = w->y,
				      .width = w->width,
				      .height = w->height,
				      .min_width = w->min_width,
				      .min_height = w->min_height,
				      .max_width = w->max_width,
				      .max_height = w->max_height,
				      .title = w->title,
				      .application = w->application };
	struct win_icon *icon = old ? old->icon : NULL;

	if (old && same(old, w))
		return true;
	if (!old && told->count == MHI_AGENT_WINDOWS_MAX)
		return true; /* more than anybody may show at a time */
	if (!tell(opaque, MHI_MSG_WINDOW, &msg))
		return false;
	if (!old)
		old = &told->windows[told->count++];
	*old = *w;
	old->icon = icon;
	return true;
}

static bool tell_icon(struct win_look *told, const struct win_window *w, win_tell *tell,
		      void *opaque)
{
	struct win_window *old = find(told, w->id);
	struct win_icon *icon = w->icon;
	struct mhi_msg_window_icon msg = { .id = w->id };

	if (!old || !icon || old->icon == icon)
		return true;
	msg.width = icon->width;
	msg.height = icon->height;
	msg.pixels.data = icon->pixels;
	msg.pixels.bytes = icon->width * icon->height * 4;
	if (!tell(opaque, MHI_MSG_WINDOW_ICON, &msg))
		return false;
	win_icon_put(old->icon);
	old->icon = win_icon_get(icon);
	return true;
}

static void put_id(uint8_t *p, uint64_t id)
{
	for (int n = 0; n < 8; n++)
		p[n] = (uint8_t)(id >> (8 * n));
}

static bool tell_stack(struct win_diff *diff, const struct win_look *now, win_tell *tell,
		       void *opaque)
{
	struct mhi_msg_window_stack msg = { .ids = { diff->stack, 8 * now->count } };
	uint8_t ids[sizeof(diff->stack)];

	for (uint32_t n = 0; n < now->count; n++)
		put_id(ids + 8 * (size_t)n, now->windows[n].id);
	if (diff->stacked == now->count && !memcmp(diff->stack, ids, msg.ids.bytes))
		return true;
	msg.ids.data = ids;
	if (!tell(opaque, MHI_MSG_WINDOW_STACK, &msg))
		return false;
	memcpy(diff->stack, ids, msg.ids.bytes);
	diff->stacked = now->count;
	return true;
}

static bool tell_pointer(struct win_diff *diff, uint32_t shape, win_tell *tell, void *opaque)
{
	struct mhi_msg_pointer_shape msg = { .shape = shape };

	if (diff->told->pointer == shape)
		return true;
	if (!tell(opaque, MHI_MSG_POINTER_SHAPE, &msg))
		return false;
	diff->told->pointer = shape;
	return true;
}

bool win_diff_tell(struct win_diff *diff, const struct win_look *now, win_tell *tell, void *opaque)
{
	if (!diff->told)
		diff->told = win_look_new(MHI_AGENT_WINDOWS_MAX);
	if (!diff->told || !tell_gone(diff->told, now, tell, opaque))
		return false;
	for (uint32_t n = 0; n < now->count; n++)
		if (!tell_window(diff->told, &now->windows[n], tell, opaque))
			return false;
	if (!tell_stack(diff, now, tell, opaque))
		return false;
	/* Icons are large, and nothing depends on them: last. */
	for (uint32_t n = 0; n < now->count; n++)
		if (!tell_icon(diff->told, &now->windows[n], tell, opaque))
			return false;
	return tell_pointer(diff, now->pointer, tell, opaque);
}

void win_diff_forget(struct win_diff *diff)
{
	win_look_free(diff->told);
	diff->told = NULL;
	diff->stacked = 0;
}

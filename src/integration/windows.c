/* SPDX-License-Identifier: MIT */
/*
 * The guest's windows, as its agent tells of them: which there are, and whether what is told can be
 * true. How they look is kept by who shows them.
 */
#include <stdlib.h>

#include "core/le.h"
#include "integration/agent_priv.h"

#define FLAGS 0x1fffu
#define POSITION_MAX 32768
#define EXTENT_MAX 16384u
#define RECT_BYTES 16u

MHI_STATIC_ASSERT(MH_WINDOW_VISIBLE == MHI_AGENT_W_VISIBLE);
MHI_STATIC_ASSERT(MH_WINDOW_DECORATED == MHI_AGENT_W_DECORATED);
MHI_STATIC_ASSERT(MH_POINTER_NO + 1 == (int)MHI_AGENT_POINTERS);
MHI_STATIC_ASSERT(MH_WINDOW_CLOSE + 1 == (int)MHI_AGENT_ACTIONS);

/* ---- the table ---- */

/* Where the window is, or belongs. */
static u32 place(const struct mhi_windows *w, u64 id)
{
	u32 low = 0, high = w->count;

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (w->window[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct mhi_window *find(const struct mhi_windows *w, u64 id)
{
	u32 n = place(w, id);

	return n < w->count && w->window[n].id == id ? &w->window[n] : NULL;
}

/* NULL: there is no room. */
static struct mhi_window *add(struct mhi_windows *w, u64 id)
{
	u32 n = place(w, id);

	if (w->count == MHI_AGENT_WINDOWS_MAX)
		return NULL;
	memmove(&w->window[n + 1], &w->window[n], (w->count - n) * sizeof(w->window[0]));
	w->window[n] = (struct mhi_window){ id, 0 };
	w->count++;
	return &w->window[n];
}

/* A parent that is there, and no descendant of the window itself; else 0. */
static u64 sane_parent(const struct mhi_windows *w, u64 id, u64 parent)
{
	const struct mhi_window *at = find(w, parent);

	for (u32 n = 0; at && n < MHI_AGENT_WINDOWS_MAX; n++) {
		if (at->id == id)
			return 0;
		if (!at->parent)
			return parent;
		at = find(w, at->parent);
	}
	/* One of its ancestors is gone. */
	return at ? 0 : find(w, parent) ? parent : 0;
}

/* ---- what is told ---- */

static bool is_position(s32 v)
{
	return v >= -POSITION_MAX && v < POSITION_MAX;
}

static bool is_rect(const struct mh_rect *r)
{
	return is_position(r->x) && is_position(r->y) && r->width <= EXTENT_MAX &&
	       r->height <= EXTENT_MAX;
}

static void limits(u32 least, u32 most, u32 *min, u32 *max)
{
	*min = least < EXTENT_MAX ? least : EXTENT_MAX;
	*max = most < EXTENT_MAX ? most : 0;
	if (*max && *max < *min)
		*max = *min;
}

static int on_window(struct mhi_windows *w, const struct mhi_msg_window *m)
{
	struct mh_window is = { .size = sizeof(is),
				.id = m->id,
				.flags = m->flags & FLAGS,
				.rect = { m->x, m->y, m->width, m->height },
				.title = m->title,
				.application = m->application };
	struct mhi_window *at;

	if (!m->id || !is_rect(&is.rect) || strlen(m->title) >= MHI_AGENT_TITLE_MAX ||
	    strlen(m->application) >= MHI_AGENT_TITLE_MAX)
		return -1;
	at = find(w, m->id);
	if (!at)
		at = add(w, m->id);
	if (!at)
		return -1;
	at->parent = 0;
	at->parent = is.parent = sane_parent(w, m->id, m->parent);
	limits(m->min_width, m->max_width, &is.min_width, &is.max_width);
	limits(m->min_height, m->max_height, &is.min_height, &is.max_height);
	if (w->ops.window)
		w->ops.window(w->opaque, &is);
	return 0;
}

static void on_gone(struct mhi_windows *w, u64 id)
{
	struct mhi_window *at = find(w, id);
	size_t after;

	if (!at)
		return;
	after = w->count - (size_t)(at - w->window) - 1;
	memmove(at, at + 1, after * sizeof(*at));
	w->count--;
	if (w->ops.gone)
		w->ops.gone(w->opaque, id);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool has_doubles(const uint64_t *ids, u32 count)
{
	uint64_t sorted[MHI_AGENT_WINDOWS_MAX];

	memcpy(sorted, ids, count * sizeof(*ids));
	qsort(sorted, count, sizeof(*sorted), compare);
	for (u32 n = 1; n < count; n++)
		if (sorted[n] == sorted[n - 1])
			return true;
	return false;
}

/* Windows that are not known are left out: they may come, or have gone. */
static int on_stack(struct mhi_windows *w, const struct mhi_agent_rest *rest)
{
	uint64_t ids[MHI_AGENT_WINDOWS_MAX];
	u32 count = 0;

	if (rest->bytes % sizeof(u64) || rest->bytes > sizeof(ids))
		return -1;
	for (u32 at = 0; at < rest->bytes; at += (u32)sizeof(u64)) {
		ids[count] = mhi_get_le64(rest->data + at);
		if (find(w, ids[count]))
			count++;
	}
	if (has_doubles(ids, count))
		return -1;
	if (w->ops.stack)
		w->ops.stack(w->opaque, ids, count);
	return 0;
}

static int on_icon(struct mhi_windows *w, const struct mhi_msg_window_icon *m)
{
	u32 pixels[MHI_AGENT_ICON_MAX * MHI_AGENT_ICON_MAX];
	u32 count = m->width * m->height;

	if (!m->width || m->width > MHI_AGENT_ICON_MAX || !m->height ||
	    m->height > MHI_AGENT_ICON_MAX || m->pixels.bytes != 4 * count)
		return -1;
	if (!find(w, m->id) || !w->ops.icon)
		return 0;
	for (u32 n = 0; n < count; n++)
		pixels[n] = mhi_get_le32(m->pixels.data + (size_t)4 * n);
	w->ops.icon(w->opaque, m->id, m->width, m->height, pixels);
	return 0;
}

static int on_shape(struct mhi_windows *w, const struct mhi_msg_window_shape *m)
{
	struct mh_rect rects[MHI_AGENT_RECTS_MAX];
	u32 count = m->rects.bytes / RECT_BYTES;

	if (m->rects.bytes % RECT_BYTES || count > MHI_AGENT_RECTS_MAX)
		return -1;
	for (u32 n = 0; n < count; n++) {
		const u8 *from = m->rects.data + (size_t)n * RECT_BYTES;

		rects[n] = (struct mh_rect){ (s32)mhi_get_le32(from), (s32)mhi_get_le32(from + 4),
					     mhi_get_le32(from + 8), mhi_get_le32(from + 12) };
		if (!is_rect(&rects[n]))
			return -1;
	}
	if (find(w, m->id) && w->ops.shape)
		w->ops.shape(w->opaque, m->id, count ? rects : NULL, count);
	return 0;
}

static int on_damage(struct mhi_windows *w, const struct mhi_msg_window_damage *m)
{
	const struct mh_rect rect = { m->x, m->y, m->width, m->height };

	if (!is_rect(&rect))
		return -1;
	if (find(w, m->id) && w->ops.damage)
		w->ops.damage(w->opaque, m->id, &rect);
	return 0;
}

static void on_pointer(struct mhi_windows *w, u32 shape)
{
	if (w->ops.pointer)
		w->ops.pointer(w->opaque, shape < MHI_AGENT_POINTERS ? (enum mh_pointer_shape)shape
								     : MH_POINTER_DEFAULT);
}

static int take(struct mhi_windows *w, const struct mhi_agent_msg *msg)
{
	switch (msg->type) {
	case MHI_MSG_WINDOW:
		return on_window(w, &msg->u.window);
	case MHI_MSG_WINDOW_GONE:
		on_gone(w, msg->u.window_gone.id);
		return 0;
	case MHI_MSG_WINDOW_STACK:
		return on_stack(w, &msg->u.window_stack.ids);
	case MHI_MSG_WINDOW_ICON:
		return on_icon(w, &msg->u.window_icon);
	case MHI_MSG_WINDOW_SHAPE:
		return on_shape(w, &msg->u.window_shape);
	case MHI_MSG_WINDOW_DAMAGE:
		return on_damage(w, &msg->u.window_damage);
	default:
		on_pointer(w, msg->u.pointer_shape.shape);
		return 0;
	}
}

void mhi_windows_message(struct mhi_agent *a, const struct mhi_agent_msg *msg)
{
	if (!mhi_agent_has(a, MHI_AGENT_F_WINDOWS))
		mhi_agent_break(a, "it tells of windows, which was not agreed on");
	else if (a->windows.on && a->windows.agreed && take(&a->windows, msg))
		mhi_agent_break(a, "what it tells of windows cannot be true");
}

/* ---- beginning and ending ---- */

/* What there was is to be forgotten. */
static void forget(struct mhi_windows *w)
{
	bool were = w->agreed;

	w->agreed = false;
	w->due = false;
	w->serial = 0;
	w->count = 0;
	if (were && w->on && w->ops.lost)
		w->ops.lost(w->opaque);
}

static int no_message(struct mhi_agent *a, struct mhi_agent_request *r,
		      const struct mhi_agent_msg *msg)
{
	return -1;
}

/* Only the last "on" or "off" counts. */
static void on_end(struct mhi_agent *a, struct mhi_agent_request *r, int rc, const char *text)
{
	if (r->serial != a->windows.serial)
		return;
	a->windows.serial = 0;
	a->windows.agreed = !rc && a->windows.on;
	if (rc && rc != MH_ESTATE)
		mhi_log(a->env.log, MH_LOG_WARN, "%s: it does not tell of windows (%s)",
			a->env.owner, mh_strerror(rc));
}

static const struct mhi_agent_request_ops toggle_ops = {
	.message = no_message,
	.end = on_end,
};

static void toggle(struct mhi_agent *a)
{
	const struct mhi_msg_seamless msg = { .on = a->windows.on };
	struct mhi_agent_request *r = calloc(1, sizeof(*r));

	a->windows.due = true;
	if (!r)
		return;
	r->ops = &toggle_ops;
	if (mhi_agent_ask(a, r, MHI_AGENT_F_WINDOWS, MHI_MSG_SEAMLESS, &msg))
		return;
	a->windows.serial = r->serial;
	a->windows.due = false;
}

void mhi_windows_tick(struct mhi_agent *a)
{
	if (a->windows.due && mhi_agent_has(a, MHI_AGENT_F_WINDOWS))
		toggle(a);
}

void mhi_windows_agreed(struct mhi_agent *a)
{
	struct mhi_windows *w = &a->windows;

	if (!mhi_agent_has(a, MHI_AGENT_F_WINDOWS)) {
		forget(w);
		return;
	}
	if (w->area_set)
		mhi_agent_push_answer(a, MHI_MSG_WORK_AREA, 0, &w->area);
	if (w->on && !w->agreed && !w->serial)
		toggle(a);
}

void mhi_windows_lost(struct mhi_agent *a)
{
	forget(&a->windows);
}

int mhi_windows_start(struct mhi_agent *a, const struct mh_seamless_ops *ops, void *opaque)
{
	struct mhi_windows *w = &a->windows;

	if (w->on)
		return MH_EBUSY;
	if (!w->window)
		w->window = calloc(MHI_AGENT_WINDOWS_MAX, sizeof(*w->window));
	if (!w->window)
		return MH_ENOMEM;
	w->on = true;
	w->ops = *ops;
	w->opaque = opaque;
	mhi_agent_enter(a);
	if (mhi_agent_has(a, MHI_AGENT_F_WINDOWS))
		toggle(a);
	mhi_agent_leave(a);
	return 0;
}

/* The table stays until the end: who stops may be called from where it is looked at. */
int mhi_windows_stop(struct mhi_agent *a)
{
	struct mhi_windows *w = &a->windows;

	if (!w->on)
		return MH_ENOENT;
	w->on = false;
	w->agreed = false;
	w->count = 0;
	w->ops = (struct mh_seamless_ops){ 0 };
	mhi_agent_enter(a);
	if (mhi_agent_has(a, MHI_AGENT_F_WINDOWS))
		toggle(a);
	mhi_agent_leave(a);
	return 0;
}

/* ---- what is done to them ---- */

static int check(const struct mhi_agent *a, u64 id)
{
	const struct mhi_windows *w = &a->windows;

	if (!w->on || !mhi_agent_has(a, MHI_AGENT_F_WINDOWS))
		return MH_ESTATE;
	return find(w, id) ? 0 : MH_ENOENT;
}

int mhi_windows_configure(struct mhi_agent *a, u64 id, const struct mh_rect *rect)
{
	const struct mhi_msg_window_move msg = {
		.id = id, .x = rect->x, .y = rect->y, .width = rect->width, .height = rect->height
	};
	int rc = check(a, id);

	if (!is_rect(rect) || !rect->width || !rect->height)
		return MH_EINVAL;
	return rc ? rc : mhi_agent_tell(a, MHI_AGENT_F_WINDOWS, MHI_MSG_WINDOW_MOVE, &msg);
}

int mhi_windows_act(struct mhi_agent *a, u64 id, u32 action)
{
	const struct mhi_msg_window_act msg = { .id = id, .action = action };
	int rc = check(a, id);

	if (action >= MHI_AGENT_ACTIONS)
		return MH_EINVAL;
	return rc ? rc : mhi_agent_tell(a, MHI_AGENT_F_WINDOWS, MHI_MSG_WINDOW_ACT, &msg);
}

int mhi_windows_work_area(struct mhi_agent *a, const struct mh_rect *area, u32 scale)
{
	struct mhi_windows *w = &a->windows;

	if (!is_rect(area) || !area->width || !area->height || scale < 60 || scale > 1200)
		return MH_EINVAL;
	w->area_set = true;
	w->area = (struct mhi_msg_work_area){ .x = area->x,
					      .y = area->y,
					      .width = area->width,
					      .height = area->height,
					      .scale = scale };
	if (!mhi_agent_has(a, MHI_AGENT_F_WINDOWS))
		return 0;
	return mhi_agent_tell(a, MHI_AGENT_F_WINDOWS, MHI_MSG_WORK_AREA, &w->area);
}

/* SPDX-License-Identifier: MIT */
/*
 * Which window has the keyboard, and which is above which. The server's user decides both; a guest
 * that has the keyboard anyway may hand it around among its windows, others may ask for attention.
 */
#include "seamless.h"

#include <stdlib.h>
#include <string.h>

#define LEAVE_MS 60 /* from one window to the next there is a moment without one */
#define ORDER_MS 50 /* window managers restack in several steps */
#define STACKED_MAX 4096u
/* EWMH "_NET_ACTIVE_WINDOW": an application asks */
#define SOURCE 1u

void mhi_x_focus_event(struct mh_x11_seamless *s, struct mhi_x_win *w, bool in)
{
	int64_t now = mhi_x_now();

	if (in) {
		s->focus = w->id;
		s->focus_at = now;
	} else if (s->focus == w->id) {
		s->focus = 0;
		s->focus_at = now + LEAVE_MS;
		mhi_x_input_release(&s->input);
	}
}

void mhi_x_focus_guest(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mhi_x_win *from = s->focus ? mhi_x_win_by_id(s, s->focus) : NULL;
	int64_t now = mhi_x_now();
	struct mh_x11 *x = s->part.x;

	/* Which of several orders it has obeyed now is not to be told. */
	if (w->id == s->focus && !s->told_often)
		s->focus_until = 0;
	if (w->id == s->focus || w->bare || !w->mapped || now < s->focus_until)
		return;
	if (!from) {
		if (w->id != s->focus_told)
			mhi_x_ask_state(x, w->host, true, MHI_X_ATOM(x, STATE_ATTENTION), 0);
		return;
	}
	mhi_x_message(x, w->host, MHI_X_NET_ACTIVE_WINDOW,
		      (uint32_t[5]){ SOURCE, x->time, from->host, 0, 0 });
	s->activated_until = now + MHI_X_ECHO_MS;
}

void mhi_x_focus_lost(struct mh_x11_seamless *s, const struct mhi_x_win *w)
{
	int64_t then = mhi_x_now() + MHI_X_ECHO_MS;

	if (w->id == s->focus && w->id == s->focus_told && then < s->focus_at)
		s->focus_at = then;
}

static bool any_active(struct mh_x11_seamless *s)
{
	struct mhi_x_win *w = mhi_x_win_first(s);

	while (w && !(w->now.flags & MH_WINDOW_ACTIVE))
		w = w->next;
	return w != NULL;
}

/* What a window was last heard to be it may be no more, when the guest has been told since. */
static void tell_focus(struct mh_x11_seamless *s, int64_t now)
{
	struct mhi_x_win *w = s->focus ? mhi_x_win_by_id(s, s->focus) : NULL;

	s->focus_at = MHI_X_NEVER;
	s->activated_until = 0;
	if (s->focus == s->focus_told && (!w || any_active(s)))
		return;
	if (w && (!(w->now.flags & MH_WINDOW_ACTIVE) || now < s->told_until)) {
		mh_window_act(s->agent, w->id, MH_WINDOW_ACTIVATE);
		s->told_often = now < s->told_until;
		s->focus_until = s->told_until = now + MHI_X_ECHO_MS;
	} else if (!w && s->focus_told) {
		mh_window_act(s->agent, s->focus_told, MH_WINDOW_DEACTIVATE);
		s->told_until = now + MHI_X_ECHO_MS;
	}
	s->focus_told = w ? w->id : 0;
}

/* ---- the order ---- */

/* The server's order of our windows, the lowest first: out [MHI_X_WINDOWS_MAX]. */
static uint32_t host_order(struct mh_x11_seamless *s, uint64_t *out)
{
	struct mh_x11 *x = s->part.x;
	uint32_t count, found = 0, *ids;
	struct mhi_x_win *w;

	ids = mhi_x_values(x, x->screen->root, MHI_X_ATOM(x, NET_STACKING), STACKED_MAX, &count);
	for (uint32_t n = 0; n < count && found < MHI_X_WINDOWS_MAX; n++) {
		w = mhi_x_win_by_host(s, ids[n]);
		if (w && w->mapped && !(w->state & MHI_X_HIDDEN))
			out[found++] = w->id;
	}
	free(ids);
	return found;
}

static bool among(const uint64_t *ids, uint32_t count, uint64_t id)
{
	uint32_t n = 0;

	while (n < count && ids[n] != id)
		n++;
	return n < count;
}

/*
 * How many of the lowest of host's are in that order in the guest: the others are to be raised.
 * What the guest has no order of is left out of host [*count].
 */
static uint32_t in_order(struct mh_x11_seamless *s, uint64_t *host, uint32_t *count, uint64_t *hash)
{
	uint32_t good = 0, known = 0;

	*hash = *count;
	pthread_mutex_lock(&s->lock);
	for (uint32_t n = 0; n < *count; n++) {
		if (!among(s->stack, s->stack_count, host[n]))
			continue;
		host[known++] = host[n];
		*hash = (*hash ^ host[n]) * 0x100000001b3u;
	}
	*count = known;
	for (uint32_t n = 0; n < s->stack_count; n++) {
		if (!among(host, known, s->stack[n]))
			continue;
		*hash = (*hash ^ s->stack[n]) * 0x100000001b3u;
		if (good < known && s->stack[n] == host[good])
			good++;
	}
	pthread_mutex_unlock(&s->lock);
	return good;
}

/* A guest that cannot have that order (windows that stay above others) is told once. */
static void compare(struct mh_x11_seamless *s)
{
	uint64_t host[MHI_X_WINDOWS_MAX], hash;
	uint32_t count = host_order(s, host);
	uint32_t good = in_order(s, host, &count, &hash);

	s->order_at = MHI_X_NEVER;
	if (good == count || hash == s->order_tried)
		return;
	s->order_tried = hash;
	for (uint32_t n = good; n < count; n++)
		mh_window_act(s->agent, host[n], MH_WINDOW_RAISE);
}

int64_t mhi_x_order_sync(struct mh_x11_seamless *s, int64_t now)
{
	bool changed = s->order_seen != s->part.x->order_serial;

	pthread_mutex_lock(&s->lock);
	changed |= s->stack_new;
	s->stack_new = false;
	pthread_mutex_unlock(&s->lock);
	s->order_seen = s->part.x->order_serial;
	if (now >= s->focus_at)
		tell_focus(s, now);
	if (changed)
		s->order_at = now + ORDER_MS;
	if (now >= s->order_at) {
		if (now < s->activated_until)
			s->order_at = s->activated_until;
		else
			compare(s);
	}
	return s->focus_at < s->order_at ? s->focus_at : s->order_at;
}

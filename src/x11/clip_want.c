/* SPDX-License-Identifier: MIT */
/*
 * What the server's clients have copied, for the guest: it is told the kinds, and the content is
 * fetched when somebody there pastes. One at a time, and no more than the policy's bytes.
 */
#include "clip.h"

#include <stdlib.h>
#include <string.h>

#define TARGETS_MAX 256u
#define READ_MAX 1048576u /* of 4 bytes */

static const struct {
	uint32_t kind;
	enum mhi_x_atom atom; /* MHI_X_ATOM_COUNT: STRING */
} wanted[] = {
	/* The best first. */
	{ 0, MHI_X_UTF8_STRING }, { 0, MHI_X_TEXT_PLAIN_UTF8 }, { 0, MHI_X_ATOM_COUNT },
	{ 0, MHI_X_TEXT_PLAIN },  { 1, MHI_X_TEXT_HTML },	{ 2, MHI_X_IMAGE_PNG },
	{ 3, MHI_X_URI_LIST },
};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static xcb_atom_t atom_of(struct mh_x11 *x, size_t n)
{
	return wanted[n].atom == MHI_X_ATOM_COUNT ? XCB_ATOM_STRING : x->atom[wanted[n].atom];
}

/* ---- what there is ---- */

void mhi_x_want_owner(struct mh_x11_clipboard *clip, uint32_t selection, xcb_window_t owner,
		      xcb_timestamp_t time)
{
	struct mh_x11 *x = clip->part.x;
	xcb_atom_t atom = mhi_x_selection_atom(x, selection);

	if (!clip->acquire[selection])
		clip->kinds[selection] = 0;
	if (owner)
		xcb_convert_selection(x->c, clip->window, atom, MHI_X_ATOM(x, TARGETS), atom, time);
	else
		mh_clipboard_offer(clip->agent, (enum mh_clip_selection)selection, 0);
}

static void on_targets(struct mh_x11_clipboard *clip, uint32_t selection, bool good)
{
	xcb_atom_t *has = clip->has[selection];
	struct mh_x11 *x = clip->part.x;
	uint32_t count = 0, kinds = 0, *list = NULL;

	memset(has, 0, sizeof(clip->has[selection]));
	if (good)
		list = mhi_x_values(x, clip->window, mhi_x_selection_atom(x, selection),
				    TARGETS_MAX, &count);
	for (size_t n = 0; n < WANTED; n++) {
		for (uint32_t at = 0; at < count; at++) {
			if (list[at] == atom_of(x, n) && !has[wanted[n].kind])
				has[wanted[n].kind] = list[at];
		}
		if (has[wanted[n].kind])
			kinds |= 1u << wanted[n].kind;
	}
	free(list);
	mh_clipboard_offer(clip->agent, (enum mh_clip_selection)selection, kinds);
}

/* ---- one content ---- */

static bool first_want(struct mh_x11_clipboard *clip, struct mhi_x_want *want, bool take)
{
	bool is;

	pthread_mutex_lock(&clip->lock);
	is = clip->want_count;
	if (is)
		*want = clip->want[0];
	if (is && take)
		memmove(clip->want, clip->want + 1, --clip->want_count * sizeof(*want));
	pthread_mutex_unlock(&clip->lock);
	return is;
}

static void done(struct mh_x11_clipboard *clip, bool good)
{
	struct mhi_x_want want;

	clip->fetching = clip->parts = false;
	clip->fetch_deadline = MHI_X_NEVER;
	if (first_want(clip, &want, true)) {
		if (good)
			mh_clipboard_answer(want.request, clip->fetched.data, clip->fetched.bytes);
		else
			mh_clipboard_refuse(want.request);
	}
	mhi_x_bytes_free(&clip->fetched);
}

static bool convert(struct mh_x11_clipboard *clip, xcb_atom_t type)
{
	if (type == XCB_ATOM_STRING)
		return mhi_x_from_latin1(&clip->fetched, clip->most);
	if (clip->fetch_target == MHI_X_ATOM(clip->part.x, URI_LIST))
		return mhi_x_from_uris(&clip->fetched);
	return true;
}

/* Reads and deletes the property; *type is XCB_NONE if there is none. False: it is too large. */
static bool read_content(struct mh_x11_clipboard *clip, xcb_atom_t *type, size_t *bytes)
{
	xcb_connection_t *c = clip->part.x->c;
	xcb_atom_t property = MHI_X_ATOM(clip->part.x, MH_CONTENT);
	xcb_get_property_reply_t *r;
	bool more = true, good = true;
	size_t came;
	uint32_t at = 0;

	*type = XCB_NONE;
	*bytes = 0;
	while (more && good) {
		/* It is deleted when all of it has been read. */
		r = xcb_get_property_reply(c,
					   xcb_get_property(c, 1, clip->window, property,
							    XCB_GET_PROPERTY_TYPE_ANY, at,
							    READ_MAX),
					   NULL);
		if (!r)
			return false;
		*type = r->type;
		more = r->bytes_after;
		came = mhi_x_value_bytes(r);
		if (r->type != MHI_X_ATOM(clip->part.x, INCR))
			good = mhi_x_bytes_add(&clip->fetched, xcb_get_property_value(r), came,
					       clip->most);
		*bytes += came;
		at += READ_MAX;
		free(r);
	}
	if (!good)
		xcb_delete_property(c, clip->window, property);
	return good;
}

static void on_content(struct mh_x11_clipboard *clip, bool good)
{
	xcb_atom_t type;
	size_t bytes;

	if (!good || !read_content(clip, &type, &bytes) || type == XCB_NONE) {
		done(clip, false);
	} else if (type == MHI_X_ATOM(clip->part.x, INCR)) {
		clip->parts = true;
		clip->fetch_deadline = mhi_x_now() + MHI_X_TRANSFER_MS;
	} else {
		done(clip, convert(clip, type));
	}
}

void mhi_x_want_part(struct mh_x11_clipboard *clip)
{
	xcb_atom_t type;
	size_t bytes;

	if (!clip->fetching || !clip->parts)
		return;
	if (!read_content(clip, &type, &bytes))
		done(clip, false);
	else if (!bytes && type)
		done(clip, convert(clip, type));
	else
		clip->fetch_deadline = mhi_x_now() + MHI_X_TRANSFER_MS;
}

void mhi_x_want_notify(struct mh_x11_clipboard *clip, const xcb_selection_notify_event_t *e)
{
	uint32_t selection = mhi_x_selection_of(clip->part.x, e->selection);

	if (selection == MHI_X_SELECTIONS)
		return;
	if (e->target == MHI_X_ATOM(clip->part.x, TARGETS))
		on_targets(clip, selection, e->property != XCB_NONE);
	else if (clip->fetching && !clip->parts && e->target == clip->fetch_target)
		on_content(clip, e->property != XCB_NONE);
}

static bool fetch(struct mh_x11_clipboard *clip, const struct mhi_x_want *want)
{
	struct mh_x11 *x = clip->part.x;
	xcb_atom_t target = XCB_NONE;

	for (uint32_t n = 0; n < MHI_X_KINDS; n++) {
		if (want->kind == 1u << n)
			target = clip->has[want->selection][n];
	}
	if (!target || clip->kinds[want->selection])
		return false;
	clip->fetching = true;
	clip->fetch_target = target;
	clip->fetch_deadline = mhi_x_now() + MHI_X_TRANSFER_MS;
	xcb_delete_property(x->c, clip->window, MHI_X_ATOM(x, MH_CONTENT));
	xcb_convert_selection(x->c, clip->window, mhi_x_selection_atom(x, want->selection), target,
			      MHI_X_ATOM(x, MH_CONTENT), XCB_CURRENT_TIME);
	return true;
}

int64_t mhi_x_want_sync(struct mh_x11_clipboard *clip, int64_t now)
{
	struct mhi_x_want want;

	if (clip->fetching && now >= clip->fetch_deadline)
		done(clip, false);
	while (!clip->fetching && first_want(clip, &want, false)) {
		if (!fetch(clip, &want))
			done(clip, false);
	}
	return clip->fetching ? clip->fetch_deadline : MHI_X_NEVER;
}

void mhi_x_want_end(struct mh_x11_clipboard *clip)
{
	struct mhi_x_want want;

	while (first_want(clip, &want, false))
		done(clip, false);
}

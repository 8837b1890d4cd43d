/* SPDX-License-Identifier: MIT */
/* The server's selections and a guest's clipboard: the public calls, and who is told what. */
#include "clip.h"

#include <stdlib.h>
#include <string.h>
#include <xcb/xfixes.h>

static struct mh_x11_clipboard *clip_of(struct mhi_x_part *part)
{
	return (struct mh_x11_clipboard *)part;
}

xcb_atom_t mhi_x_selection_atom(struct mh_x11 *x, uint32_t selection)
{
	return selection == MH_CLIP_PRIMARY ? XCB_ATOM_PRIMARY : MHI_X_ATOM(x, CLIPBOARD);
}

uint32_t mhi_x_selection_of(struct mh_x11 *x, xcb_atom_t atom)
{
	uint32_t n = 0;

	while (n < MHI_X_SELECTIONS && mhi_x_selection_atom(x, n) != atom)
		n++;
	return n;
}

/* ---- the agent's thread ---- */

static void on_offered(void *opaque, enum mh_clip_selection selection, uint32_t kinds)
{
	struct mh_x11_clipboard *clip = opaque;

	if ((uint32_t)selection >= MHI_X_SELECTIONS)
		return;
	pthread_mutex_lock(&clip->lock);
	clip->offer[selection] = kinds;
	clip->offer_new[selection] = true;
	pthread_mutex_unlock(&clip->lock);
	mhi_x_wake(clip->part.x);
}

static void on_wanted(void *opaque, enum mh_clip_selection selection, uint32_t kind,
		      struct mh_clip_request *request)
{
	struct mh_x11_clipboard *clip = opaque;
	bool room;

	pthread_mutex_lock(&clip->lock);
	room = clip->want_count < MHI_X_TRANSFERS_MAX && (uint32_t)selection < MHI_X_SELECTIONS;
	if (room)
		clip->want[clip->want_count++] = (struct mhi_x_want){ selection, kind, request };
	pthread_mutex_unlock(&clip->lock);
	if (room)
		mhi_x_wake(clip->part.x);
	else
		mh_clipboard_refuse(request);
}

static const struct mh_clipboard_ops clipboard_ops = {
	.version = 1,
	.offered = on_offered,
	.wanted = on_wanted,
};

/* ---- the connection's ---- */

static void start(struct mhi_x_part *part)
{
	struct mh_x11_clipboard *clip = clip_of(part);
	struct mh_rect place = { -1, -1, 1, 1 };
	struct mh_x11 *x = part->x;
	xcb_get_selection_owner_reply_t *r;

	clip->window = mhi_x_window(x, &place, true);
	mhi_x_title(x, clip->window, "macrohard clipboard");
	for (uint32_t n = 0; n < MHI_X_SELECTIONS; n++) {
		xcb_xfixes_select_selection_input(
			x->c, clip->window, mhi_x_selection_atom(x, n),
			XCB_XFIXES_SELECTION_EVENT_MASK_SET_SELECTION_OWNER |
				XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_WINDOW_DESTROY |
				XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_CLIENT_CLOSE);
		r = xcb_get_selection_owner_reply(
			x->c, xcb_get_selection_owner(x->c, mhi_x_selection_atom(x, n)), NULL);
		if (r && r->owner)
			mhi_x_want_owner(clip, n, r->owner, XCB_CURRENT_TIME);
		free(r);
	}
}

static void on_owner(struct mh_x11_clipboard *clip, const xcb_xfixes_selection_notify_event_t *e)
{
	uint32_t selection = mhi_x_selection_of(clip->part.x, e->selection);

	if (e->window == clip->window && selection < MHI_X_SELECTIONS && e->owner != clip->window)
		mhi_x_want_owner(clip, selection, e->owner, e->timestamp);
}

static void on_property(struct mh_x11_clipboard *clip, const xcb_property_notify_event_t *e)
{
	struct mh_x11 *x = clip->part.x;

	if (e->window != clip->window) {
		if (e->state == XCB_PROPERTY_DELETE)
			mhi_x_give_taken(clip, e);
	} else if (e->state == XCB_PROPERTY_NEW_VALUE) {
		if (e->atom == MHI_X_ATOM(x, MH_TIME))
			mhi_x_give_acquire(clip, e->time);
		else if (e->atom == MHI_X_ATOM(x, MH_CONTENT))
			mhi_x_want_part(clip);
	}
}

static void event(struct mhi_x_part *part, const xcb_generic_event_t *event)
{
	struct mh_x11_clipboard *clip = clip_of(part);
	const xcb_selection_request_event_t *request = (const void *)event;
	const xcb_selection_notify_event_t *notify = (const void *)event;
	uint8_t type = event->response_type & 0x7f;

	if (type == XCB_SELECTION_REQUEST && request->owner == clip->window)
		mhi_x_give_request(clip, request);
	else if (type == XCB_SELECTION_NOTIFY && notify->requestor == clip->window)
		mhi_x_want_notify(clip, notify);
	else if (type == XCB_PROPERTY_NOTIFY)
		on_property(clip, (const void *)event);
	else if (type == part->x->xfixes_event + XCB_XFIXES_SELECTION_NOTIFY)
		on_owner(clip, (const void *)event);
}

static int64_t sync(struct mhi_x_part *part, int64_t now)
{
	struct mh_x11_clipboard *clip = clip_of(part);
	int64_t give, want;

	mhi_x_give_offers(clip);
	give = mhi_x_give_sync(clip, now);
	want = mhi_x_want_sync(clip, now);
	return give < want ? give : want;
}

static void end(struct mhi_x_part *part)
{
	struct mh_x11_clipboard *clip = clip_of(part);

	mhi_x_give_end(clip);
	xcb_destroy_window(part->x->c, clip->window);
	xcb_flush(part->x->c);
}

static void close_part(struct mhi_x_part *part)
{
	mh_x11_clipboard_stop(clip_of(part));
}

static const struct mhi_x_part_ops clip_ops = {
	.start = start,
	.event = event,
	.sync = sync,
	.end = end,
	.close = close_part,
};

/* ---- API ---- */

static void free_clip(struct mh_x11_clipboard *clip)
{
	for (uint32_t n = 0; n < MHI_X_TRANSFERS_MAX; n++)
		mhi_x_bytes_free(&clip->give[n].content);
	mhi_x_bytes_free(&clip->fetched);
	pthread_mutex_destroy(&clip->lock);
	free(clip);
}

static struct mh_x11_clipboard *new_clip(struct mh_x11 *x11, struct mh_agent *agent,
					 const struct mh_clip_policy *policy)
{
	struct mh_clip_policy defaults = MH_CLIP_POLICY_INIT;
	struct mh_x11_clipboard *clip = calloc(1, sizeof(*clip));

	if (!clip)
		return NULL;
	clip->agent = agent;
	clip->most = policy ? policy->bytes : defaults.bytes;
	clip->part.x = x11;
	for (uint32_t n = 0; n < MHI_X_TRANSFERS_MAX; n++)
		clip->give[n].clip = clip;
	pthread_mutex_init(&clip->lock, NULL);
	return clip;
}

int mh_x11_clipboard_start(struct mh_x11 *x11, struct mh_agent *agent,
			   const struct mh_clip_policy *policy, struct mh_x11_clipboard **out)
{
	struct mh_x11_clipboard *clip;
	int error;

	if (!x11 || !agent || !out || (policy && policy->size != sizeof(*policy)))
		return MH_EINVAL;
	if (!x11->xfixes_event) {
		mhi_x_tell(x11, MH_ENOTSUP,
			   "sharing the clipboard: the X server has no XFIXES, so that nobody "
			   "tells when something is copied; use a server that has");
		return MH_ENOTSUP;
	}
	clip = new_clip(x11, agent, policy);
	if (!clip)
		return MH_ENOMEM;
	/* The agent first: what the server has is offered as soon as it is looked at. */
	error = mh_clipboard_start(agent, policy, &clipboard_ops, clip);
	if (error)
		goto fail;
	error = mhi_x_part_add(x11, &clip->part, &clip_ops);
	if (!error) {
		*out = clip;
		return 0;
	}
	mh_clipboard_stop(agent);
fail:
	free_clip(clip);
	return error;
}

void mh_x11_clipboard_stop(struct mh_x11_clipboard *clipboard)
{
	if (!clipboard)
		return;
	/* Requests are answered before the agent forgets them. */
	mhi_x_part_remove(&clipboard->part);
	mhi_x_want_end(clipboard);
	mh_clipboard_stop(clipboard->agent);
	mhi_x_want_end(clipboard);
	free_clip(clipboard);
}

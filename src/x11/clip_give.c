/* SPDX-License-Identifier: MIT */
/*
 * What the guest has copied, for the server's clients: we own the selection, ask the guest when
 * somebody pastes, and give it as ICCCM 2.2 "Responsibilities of the Selection Owner" says.
 */
#include "clip.h"

#include <stdlib.h>
#include <string.h>

#define PART_MAX 262144u

/* Targets by kind, the best first. */
struct target {
	uint32_t kind;
	enum mhi_x_atom atom; /* MHI_X_ATOM_COUNT: STRING */
};

static const struct target targets[] = {
	{ MH_CLIP_TEXT, MHI_X_UTF8_STRING }, { MH_CLIP_TEXT, MHI_X_TEXT_PLAIN_UTF8 },
	{ MH_CLIP_TEXT, MHI_X_TEXT_PLAIN },  { MH_CLIP_TEXT, MHI_X_TEXT },
	{ MH_CLIP_TEXT, MHI_X_ATOM_COUNT },  { MH_CLIP_HTML, MHI_X_TEXT_HTML },
	{ MH_CLIP_PNG, MHI_X_IMAGE_PNG },    { MH_CLIP_FILES, MHI_X_URI_LIST },
};
#define TARGETS (sizeof(targets) / sizeof(targets[0]))

static xcb_atom_t atom_of(struct mh_x11 *x, const struct target *t)
{
	return t->atom == MHI_X_ATOM_COUNT ? XCB_ATOM_STRING : x->atom[t->atom];
}

/* ---- owning ---- */

void mhi_x_give_offers(struct mh_x11_clipboard *clip)
{
	struct mh_x11 *x = clip->part.x;
	bool acquire = false, new;
	uint32_t kinds;

	for (uint32_t n = 0; n < MHI_X_SELECTIONS; n++) {
		pthread_mutex_lock(&clip->lock);
		new = clip->offer_new[n];
		clip->offer_new[n] = false;
		kinds = clip->offer[n];
		pthread_mutex_unlock(&clip->lock);
		if (!new)
			continue;
		/* Without the lock: the agent's thread does not wait for the server. */
		if (kinds)
			acquire = clip->acquire[n] = true;
		else if (clip->kinds[n])
			xcb_set_selection_owner(x->c, XCB_NONE, mhi_x_selection_atom(x, n),
						clip->since[n]);
		clip->kinds[n] = kinds;
	}
	/* ICCCM 2.1 "Acquiring Selection Ownership": with the server's time, which this tells. */
	if (acquire)
		xcb_change_property(x->c, XCB_PROP_MODE_APPEND, clip->window,
				    MHI_X_ATOM(x, MH_TIME), XCB_ATOM_STRING, 8, 0, NULL);
}

void mhi_x_give_acquire(struct mh_x11_clipboard *clip, xcb_timestamp_t time)
{
	struct mh_x11 *x = clip->part.x;

	for (uint32_t n = 0; n < MHI_X_SELECTIONS; n++) {
		if (clip->acquire[n] && clip->kinds[n]) {
			xcb_set_selection_owner(x->c, clip->window, mhi_x_selection_atom(x, n),
						time);
			clip->since[n] = time;
		}
		clip->acquire[n] = false;
	}
}

/* ---- answers ---- */

static void notify(struct mh_x11 *x, const xcb_selection_request_event_t *request, bool good)
{
	xcb_selection_notify_event_t e = { .response_type = XCB_SELECTION_NOTIFY,
					   .time = request->time,
					   .requestor = request->requestor,
					   .selection = request->selection,
					   .target = request->target,
					   .property = good ? request->property : XCB_NONE };

	xcb_send_event(x->c, 0, request->requestor, 0, (const char *)&e);
}

static void put(struct mh_x11 *x, const xcb_selection_request_event_t *request, xcb_atom_t type,
		uint32_t count, const void *values)
{
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, request->requestor, request->property,
			    type, 32, count, values);
	notify(x, request, true);
}

static void give_targets(struct mh_x11_clipboard *clip, uint32_t selection,
			 const xcb_selection_request_event_t *request)
{
	struct mh_x11 *x = clip->part.x;
	xcb_atom_t list[TARGETS + 2] = { MHI_X_ATOM(x, TARGETS), MHI_X_ATOM(x, TIMESTAMP) };
	uint32_t count = 2;

	for (size_t n = 0; n < TARGETS; n++) {
		if (clip->kinds[selection] & targets[n].kind)
			list[count++] = atom_of(x, &targets[n]);
	}
	put(x, request, XCB_ATOM_ATOM, count, list);
}

/* The agent's thread. */
static void on_content(void *opaque, int rc, const void *data, size_t bytes)
{
	struct mhi_x_give *give = opaque;
	struct mh_x11_clipboard *clip = give->clip;

	pthread_mutex_lock(&clip->lock);
	give->rc = rc;
	if (!rc && !mhi_x_bytes_add(&give->content, data, bytes, clip->most))
		give->rc = MH_ENOMEM;
	give->state = MHI_X_GIVE_READY;
	pthread_mutex_unlock(&clip->lock);
	mhi_x_wake(clip->part.x);
}

static struct mhi_x_give *free_give(struct mh_x11_clipboard *clip)
{
	struct mhi_x_give *found = NULL;

	pthread_mutex_lock(&clip->lock);
	for (uint32_t n = 0; n < MHI_X_TRANSFERS_MAX && !found; n++) {
		if (clip->give[n].state == MHI_X_GIVE_FREE)
			found = &clip->give[n];
	}
	if (found)
		found->state = MHI_X_GIVE_ASKED;
	pthread_mutex_unlock(&clip->lock);
	return found;
}

static void free_again(struct mhi_x_give *give)
{
	mhi_x_bytes_free(&give->content);
	pthread_mutex_lock(&give->clip->lock);
	give->state = MHI_X_GIVE_FREE;
	pthread_mutex_unlock(&give->clip->lock);
}

static bool ask_guest(struct mh_x11_clipboard *clip, uint32_t selection, uint32_t kind,
		      const xcb_selection_request_event_t *request)
{
	struct mhi_x_give *give = free_give(clip);

	if (!give)
		return false;
	give->request = *request;
	give->at = 0;
	give->deadline = MHI_X_NEVER;
	if (!mh_clipboard_get(clip->agent, (enum mh_clip_selection)selection, kind, on_content,
			      give))
		return true;
	free_again(give);
	return false;
}

void mhi_x_give_request(struct mh_x11_clipboard *clip, const xcb_selection_request_event_t *e)
{
	uint32_t selection = mhi_x_selection_of(clip->part.x, e->selection), kind = 0;
	xcb_selection_request_event_t request = *e;
	struct mh_x11 *x = clip->part.x;

	/* ICCCM 2.2: old clients name no property. */
	if (!request.property)
		request.property = request.target;
	if (selection == MHI_X_SELECTIONS || !clip->kinds[selection]) {
		notify(x, &request, false);
		return;
	}
	if (request.target == MHI_X_ATOM(x, TARGETS)) {
		give_targets(clip, selection, &request);
		return;
	}
	if (request.target == MHI_X_ATOM(x, TIMESTAMP)) {
		put(x, &request, XCB_ATOM_INTEGER, 1, &clip->since[selection]);
		return;
	}
	for (size_t n = 0; n < TARGETS; n++) {
		if (atom_of(x, &targets[n]) == request.target)
			kind = targets[n].kind & clip->kinds[selection];
	}
	/* MULTIPLE comes here, too: clients ask one by one then. */
	if (!kind || !ask_guest(clip, selection, kind, &request))
		notify(x, &request, false);
}

/* ---- contents ---- */

/* TEXT may be of any type: ICCCM 2.6.2 "Target Atoms". */
static xcb_atom_t type_of(struct mh_x11 *x, xcb_atom_t target)
{
	return target == MHI_X_ATOM(x, TEXT) ? MHI_X_ATOM(x, UTF8_STRING) : target;
}

static bool convert(struct mh_x11_clipboard *clip, struct mhi_x_give *give)
{
	xcb_atom_t target = give->request.target;

	if (give->rc)
		return false;
	if (target == XCB_ATOM_STRING)
		return mhi_x_to_latin1(&give->content);
	if (target == MHI_X_ATOM(clip->part.x, URI_LIST))
		return mhi_x_to_uris(&give->content, UINT32_MAX);
	return true;
}

/*
 * Whether it is told of what happens to a requestor's properties. Windows of this connection (the
 * clipboard of another guest has one) tell anyway, and must not be made to stop.
 */
static void watch(struct mh_x11 *x, xcb_window_t requestor, bool on)
{
	const xcb_setup_t *setup = xcb_get_setup(x->c);
	uint32_t mask = on ? XCB_EVENT_MASK_PROPERTY_CHANGE : 0;

	if ((requestor & ~setup->resource_id_mask) != setup->resource_id_base)
		xcb_change_window_attributes(x->c, requestor, XCB_CW_EVENT_MASK, &mask);
}

/* ICCCM 2.7.2 "INCR Properties": the property says how large it is; parts follow as it is taken. */
static void begin_parts(struct mh_x11 *x, struct mhi_x_give *give)
{
	uint32_t size = (uint32_t)give->content.bytes;

	watch(x, give->request.requestor, true);
	pthread_mutex_lock(&give->clip->lock);
	give->state = MHI_X_GIVE_PARTS;
	pthread_mutex_unlock(&give->clip->lock);
	give->deadline = mhi_x_now() + MHI_X_TRANSFER_MS;
	put(x, &give->request, MHI_X_ATOM(x, INCR), 1, &size);
}

static void answer(struct mh_x11_clipboard *clip, struct mhi_x_give *give)
{
	const xcb_selection_request_event_t *r = &give->request;
	struct mh_x11 *x = clip->part.x;

	if (!convert(clip, give)) {
		notify(x, r, false);
	} else if (give->content.bytes > PART_MAX) {
		begin_parts(x, give);
		return;
	} else {
		xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, r->requestor, r->property,
				    type_of(x, r->target), 8, (uint32_t)give->content.bytes,
				    give->content.data);
		notify(x, r, true);
	}
	free_again(give);
}

static void next_part(struct mh_x11 *x, struct mhi_x_give *give)
{
	size_t left = give->content.bytes - give->at, bytes = left < PART_MAX ? left : PART_MAX;
	const xcb_selection_request_event_t *r = &give->request;

	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, r->requestor, r->property,
			    type_of(x, r->target), 8, (uint32_t)bytes,
			    bytes ? give->content.data + give->at : NULL);
	give->at += bytes;
	give->deadline = mhi_x_now() + MHI_X_TRANSFER_MS;
	if (bytes)
		return;
	/* The empty part was the last one. */
	watch(x, r->requestor, false);
	free_again(give);
}

static enum mhi_x_give_state state_of(struct mhi_x_give *give)
{
	enum mhi_x_give_state state;

	pthread_mutex_lock(&give->clip->lock);
	state = give->state;
	pthread_mutex_unlock(&give->clip->lock);
	return state;
}

void mhi_x_give_taken(struct mh_x11_clipboard *clip, const xcb_property_notify_event_t *e)
{
	struct mhi_x_give *give;

	for (uint32_t n = 0; n < MHI_X_TRANSFERS_MAX; n++) {
		give = &clip->give[n];
		if (state_of(give) == MHI_X_GIVE_PARTS && give->request.requestor == e->window &&
		    give->request.property == e->atom) {
			next_part(clip->part.x, give);
			return;
		}
	}
}

int64_t mhi_x_give_sync(struct mh_x11_clipboard *clip, int64_t now)
{
	int64_t deadline = MHI_X_NEVER;
	struct mhi_x_give *give;

	for (uint32_t n = 0; n < MHI_X_TRANSFERS_MAX; n++) {
		give = &clip->give[n];
		if (state_of(give) == MHI_X_GIVE_READY)
			answer(clip, give);
		if (state_of(give) != MHI_X_GIVE_PARTS)
			continue;
		if (now >= give->deadline)
			free_again(give);
		else if (give->deadline < deadline)
			deadline = give->deadline;
	}
	return deadline;
}

void mhi_x_give_end(struct mh_x11_clipboard *clip)
{
	for (uint32_t n = 0; n < MHI_X_TRANSFERS_MAX; n++) {
		if (state_of(&clip->give[n]) == MHI_X_GIVE_ASKED)
			notify(clip->part.x, &clip->give[n].request, false);
	}
}

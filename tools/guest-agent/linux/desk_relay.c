/* SPDX-License-Identifier: MIT */
/* What is handed on between the host and the program of a user's session, and kept of it. */
#include <string.h>

#include "desk_state.h"

static uint32_t *find(uint32_t *list, uint32_t serial)
{
	for (size_t n = 0; n < DESK_REQUESTS; n++)
		if (list[n] == serial)
			return &list[n];
	return NULL;
}

static void to_host(struct desk *d, uint32_t type, uint32_t serial, const void *msg)
{
	struct mhi_agent_msg m = { .type = type, .serial = serial };

	memcpy(&m.u, msg, type == MHI_MSG_RESULT ? sizeof(m.u.result) : sizeof(m.u.clip_offer));
	ga_send_raw(&d->agent->session, &m);
}

/* ---- from the session ---- */

static void greet(struct desk *d, const struct mhi_agent_msg *m)
{
	struct mhi_msg_welcome welcome = { MHI_AGENT_VERSION, 0, 0 };

	if (!d->features || d->welcome || m->u.hello.version != MHI_AGENT_VERSION)
		return;
	welcome.features = d->features & m->u.hello.features & DESK_FEATURES;
	d->welcome = true;
	desk_send(d, MHI_MSG_WELCOME, m->serial, &welcome);
	if (d->seamless.on)
		desk_send(d, MHI_MSG_SEAMLESS, 0, &d->seamless);
	if (d->has_area)
		desk_send(d, MHI_MSG_WORK_AREA, 0, &d->area);
	for (size_t n = 0; n < 2; n++)
		if (d->host_offers[n].types)
			desk_send(d, MHI_MSG_CLIP_OFFER, 0, &d->host_offers[n]);
}

/* Returns false: more windows than there may be. */
static bool note_window(struct desk *d, uint64_t id, bool there)
{
	uint64_t *place = NULL;

	for (size_t n = 0; n < MHI_AGENT_WINDOWS_MAX; n++) {
		if (d->windows[n] == id) {
			d->windows[n] = there ? id : 0;
			return true;
		}
		if (!d->windows[n] && !place)
			place = &d->windows[n];
	}
	if (there && place)
		*place = id;
	return !there || place;
}

/* What is told without being asked. */
static bool said_event(struct desk *d, const struct mhi_agent_msg *m)
{
	switch (m->type) {
	case MHI_MSG_CLIP_OFFER:
		if (m->u.clip_offer.selection > MHI_AGENT_SEL_PRIMARY)
			return false;
		d->offers[m->u.clip_offer.selection] =
			m->u.clip_offer.types ? m->u.clip_offer.offer : 0;
		return true;
	case MHI_MSG_WINDOW:
		return m->u.window.id && note_window(d, m->u.window.id, true);
	case MHI_MSG_WINDOW_GONE:
		return note_window(d, m->u.window_gone.id, false);
	case MHI_MSG_WINDOW_STACK:
	case MHI_MSG_WINDOW_ICON:
	case MHI_MSG_WINDOW_SHAPE:
	case MHI_MSG_WINDOW_DAMAGE:
	case MHI_MSG_POINTER_SHAPE:
		return true;
	default:
		return false;
	}
}

static bool said_own(struct desk *d, const struct mhi_agent_msg *m)
{
	uint32_t *place = find(d->own, m->serial);

	if (m->type != MHI_MSG_CLIP_REQUEST || place)
		return place && (m->type == MHI_MSG_CREDIT || m->type == MHI_MSG_CANCEL);
	place = find(d->own, 0);
	if (place)
		*place = m->serial;
	return place;
}

/* The host's RESULT may be under way while this is said; then nobody needs it any more. */
static bool crosses_its_end(struct desk *d, const struct mhi_agent_msg *m)
{
	return (m->type == MHI_MSG_CREDIT || m->type == MHI_MSG_CANCEL) &&
	       m->serial & MHI_AGENT_SERIAL_GUEST && !find(d->own, m->serial);
}

static bool said_answer(struct desk *d, const struct mhi_agent_msg *m)
{
	uint32_t *place = find(d->asked, m->serial);

	if (!place ||
	    (m->type != MHI_MSG_RESULT && m->type != MHI_MSG_DATA && m->type != MHI_MSG_CLIP_SIZE))
		return false;
	if (m->type == MHI_MSG_RESULT)
		*place = 0;
	return true;
}

bool desk_said(struct desk *d, const struct mhi_agent_msg *m)
{
	bool may;

	if (m->type == MHI_MSG_HELLO) {
		greet(d, m);
		return true;
	}
	if (m->type == MHI_MSG_PING)
		return desk_send(d, MHI_MSG_PONG, m->serial, &m->u.ping);
	if (m->type == MHI_MSG_PONG)
		return true;
	if (!d->welcome)
		return false;
	if (crosses_its_end(d, m))
		return true;
	if (m->serial & MHI_AGENT_SERIAL_GUEST)
		may = said_own(d, m);
	else
		may = m->serial ? said_answer(d, m) : said_event(d, m);
	return may && ga_send_raw(&d->agent->session, m);
}

void desk_forget(struct desk *d)
{
	static const struct mhi_agent_msg cancel;
	struct mhi_msg_result result = { MHI_AGENT_FAILED, "the desktop's session has ended", 0 };

	for (size_t n = 0; n < DESK_REQUESTS; n++) {
		if (d->asked[n])
			to_host(d, MHI_MSG_RESULT, d->asked[n], &result);
		if (d->own[n])
			to_host(d, MHI_MSG_CANCEL, d->own[n], &cancel.u);
		d->asked[n] = d->own[n] = 0;
	}
	for (size_t n = 0; n < MHI_AGENT_WINDOWS_MAX; n++) {
		struct mhi_msg_window_gone gone = { d->windows[n], 0 };

		if (d->windows[n])
			to_host(d, MHI_MSG_WINDOW_GONE, 0, &gone);
		d->windows[n] = 0;
	}
	for (uint32_t n = 0; n < 2; n++) {
		struct mhi_msg_clip_offer none = { n, d->offers[n] + 1, 0, 0 };

		if (d->offers[n])
			to_host(d, MHI_MSG_CLIP_OFFER, 0, &none);
		d->offers[n] = 0;
	}
}

/* ---- from the host ---- */

void desk_agreed(struct desk *d, uint32_t features)
{
	/* Another host, or none: the session's program is to say HELLO to it as well. */
	desk_drop(d);
	d->features = features & DESK_FEATURES;
	memset(&d->seamless, 0, sizeof(d->seamless));
	memset(d->host_offers, 0, sizeof(d->host_offers));
	d->has_area = false;
}

static void keep(struct desk *d, const struct mhi_agent_msg *m)
{
	if (m->type == MHI_MSG_SEAMLESS)
		d->seamless = m->u.seamless;
	else if (m->type == MHI_MSG_CLIP_OFFER && m->u.clip_offer.selection < 2)
		d->host_offers[m->u.clip_offer.selection] = m->u.clip_offer;
	else if (m->type == MHI_MSG_WORK_AREA) {
		d->area = m->u.work_area;
		d->has_area = true;
	}
}

static uint32_t feature_of(uint32_t type)
{
	switch (type) {
	case MHI_MSG_CLIP_OFFER:
	case MHI_MSG_CLIP_REQUEST:
		return MHI_AGENT_F_CLIPBOARD | MHI_AGENT_F_PRIMARY;
	case MHI_MSG_SEAMLESS:
	case MHI_MSG_WORK_AREA:
	case MHI_MSG_WINDOW_MOVE:
	case MHI_MSG_WINDOW_ACT:
		return MHI_AGENT_F_WINDOWS;
	case MHI_MSG_RESIZE:
		return MHI_AGENT_F_RESIZE;
	case MHI_MSG_KEY:
	case MHI_MSG_POINTER:
	case MHI_MSG_BUTTON:
	case MHI_MSG_WHEEL:
		return MHI_AGENT_F_INPUT;
	default:
		return 0;
	}
}

static void refuse(struct desk *d, const struct mhi_agent_msg *m, uint32_t code, const char *text)
{
	struct mhi_msg_result result = { code, text, 0 };

	if (m->serial)
		to_host(d, MHI_MSG_RESULT, m->serial, &result);
}

/* A new request or event for a session that is not there. */
static void no_session(struct desk *d, const struct mhi_agent_msg *m)
{
	if (m->type == MHI_MSG_SEAMLESS)
		refuse(d, m, MHI_AGENT_OK, "");
	else
		refuse(d, m, MHI_AGENT_MISSING, "there is no desktop's session in the guest");
}

static void new_request(struct desk *d, const struct mhi_agent_msg *m)
{
	uint32_t *place = NULL;

	keep(d, m);
	if (!d->welcome) {
		no_session(d, m);
		return;
	}
	if (m->serial) {
		place = find(d->asked, 0);
		if (!place) {
			refuse(d, m, MHI_AGENT_BUSY, "too many requests are under way");
			return;
		}
		*place = m->serial;
	}
	desk_send(d, m->type, m->serial, &m->u);
}

/* What belongs to a request that the session's program answers, or has made. */
static void go_on(struct desk *d, const struct mhi_agent_msg *m)
{
	uint32_t *place =
		m->serial ? find(m->serial & MHI_AGENT_SERIAL_GUEST ? d->own : d->asked, m->serial)
			  : NULL;

	if (!place)
		return;
	if (m->type == MHI_MSG_RESULT) {
		if (!(m->serial & MHI_AGENT_SERIAL_GUEST))
			return;
		*place = 0;
	}
	desk_send(d, m->type, m->serial, &m->u);
}

bool desk_relay(struct desk *d, const struct mhi_agent_msg *m)
{
	uint32_t feature = feature_of(m->type);

	if (!feature) {
		go_on(d, m);
		return m->type == MHI_MSG_DATA || m->type == MHI_MSG_CREDIT ||
		       m->type == MHI_MSG_CANCEL || m->type == MHI_MSG_RESULT ||
		       m->type == MHI_MSG_CLIP_SIZE;
	}
	if (!(feature & d->features) || m->serial & MHI_AGENT_SERIAL_GUEST)
		return false;
	new_request(d, m);
	return true;
}

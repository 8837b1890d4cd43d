/* SPDX-License-Identifier: MIT */
/* A connection's thread: events, deadlines, and what other threads have changed. */
#include "x11_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xcb/xcbext.h>

#define PATIENCE_S 10 /* for a server that says nothing */

int64_t mhi_x_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void mhi_x_await(struct mh_x11 *x, const bool *done)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	while (!*done) {
		if (pthread_cond_timedwait(&x->ended, &x->lock, &until) != ETIMEDOUT)
			continue;
		if (x->socket >= 0)
			shutdown(x->socket, SHUT_RDWR);
		until.tv_sec += PATIENCE_S;
	}
}

void mhi_x_wake(struct mh_x11 *x)
{
	uint64_t one = 1;
	ssize_t n = write(x->wake, &one, sizeof(one));

	/* It fails only when the thread is awake anyway. */
	(void)n;
}

int mhi_x_part_add(struct mh_x11 *x, struct mhi_x_part *part, const struct mhi_x_part_ops *ops)
{
	bool lost;

	part->x = x;
	part->ops = ops;
	pthread_mutex_lock(&x->lock);
	lost = x->lost || x->quit;
	if (!lost) {
		part->next = x->parts;
		x->parts = part;
	}
	pthread_mutex_unlock(&x->lock);
	if (lost)
		return MH_ESTATE;
	mhi_x_wake(x);
	return 0;
}

void mhi_x_part_remove(struct mhi_x_part *part)
{
	struct mh_x11 *x = part->x;

	pthread_mutex_lock(&x->lock);
	part->closing = true;
	mhi_x_wake(x);
	mhi_x_await(x, &part->ended);
	pthread_mutex_unlock(&x->lock);
}

bool mhi_x_may_draw(struct mh_x11 *x)
{
	xcb_generic_error_t *error = NULL;
	void *reply = NULL;

	if (!x->drawing)
		return true;
	if (!xcb_poll_for_reply(x->c, x->drawing_serial, &reply, &error))
		return false;
	free(reply);
	free(error);
	x->drawing = false;
	return true;
}

/* Requests are done in order: the answer to one says that those before it are done. */
void mhi_x_drawn(struct mh_x11 *x)
{
	if (x->drawing)
		return;
	x->drawing_serial = xcb_get_input_focus(x->c).sequence;
	x->drawing = true;
}

size_t mhi_x_value_bytes(const xcb_get_property_reply_t *r)
{
	uint64_t told = (uint64_t)r->value_len * (r->format / 8), came = (uint64_t)r->length * 4;

	return (size_t)(told < came ? told : came);
}

uint32_t *mhi_x_values(struct mh_x11 *x, xcb_window_t window, xcb_atom_t property, uint32_t max,
		       uint32_t *count)
{
	xcb_get_property_reply_t *r = xcb_get_property_reply(
		x->c,
		xcb_get_property(x->c, 0, window, property, XCB_GET_PROPERTY_TYPE_ANY, 0, max),
		NULL);
	uint32_t *values = NULL;

	*count = 0;
	if (r && r->format == 32)
		*count = (uint32_t)(mhi_x_value_bytes(r) / sizeof(*values));
	if (*count > max)
		*count = max;
	if (*count)
		values = calloc(*count, sizeof(*values));
	if (values)
		memcpy(values, xcb_get_property_value(r), *count * sizeof(*values));
	else
		*count = 0;
	free(r);
	return values;
}

void mhi_x_message(struct mh_x11 *x, xcb_window_t window, enum mhi_x_atom type,
		   const uint32_t data[5])
{
	xcb_client_message_event_t e = { .response_type = XCB_CLIENT_MESSAGE,
					 .format = 32,
					 .window = window,
					 .type = x->atom[type] };

	memcpy(e.data.data32, data, sizeof(e.data.data32));
	xcb_send_event(x->c, 0, x->screen->root,
		       XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT | XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY,
		       (const char *)&e);
}

/* ---- parts: only this thread takes them off the list, so it may walk it without the lock ---- */

struct mhi_x_part *mhi_x_part_first(struct mh_x11 *x)
{
	struct mhi_x_part *part;

	pthread_mutex_lock(&x->lock);
	part = x->parts;
	pthread_mutex_unlock(&x->lock);
	return part;
}

/* Starts those that are new, and ends those that are to be closed (or all). */
static void turn_over(struct mh_x11 *x, bool all)
{
	struct mhi_x_part **at, *part;

	for (part = mhi_x_part_first(x); part && !all; part = part->next) {
		if (!part->started)
			part->ops->start(part);
		part->started = true;
	}
	pthread_mutex_lock(&x->lock);
	for (at = &x->parts; (part = *at);) {
		if (!part->closing && !all) {
			at = &part->next;
			continue;
		}
		*at = part->next;
		pthread_mutex_unlock(&x->lock);
		if (part->started)
			part->ops->end(part);
		pthread_mutex_lock(&x->lock);
		part->ended = true;
		pthread_cond_broadcast(&x->ended);
		at = &x->parts;
	}
	pthread_mutex_unlock(&x->lock);
}

static xcb_timestamp_t time_of(const xcb_generic_event_t *event)
{
	switch (event->response_type & 0x7f) {
	case XCB_KEY_PRESS:
	case XCB_KEY_RELEASE:
	case XCB_BUTTON_PRESS:
	case XCB_BUTTON_RELEASE:
	case XCB_MOTION_NOTIFY:
		return ((const xcb_key_press_event_t *)event)->time;
	case XCB_PROPERTY_NOTIFY:
		return ((const xcb_property_notify_event_t *)event)->time;
	default:
		return 0;
	}
}

static void hand_out(struct mh_x11 *x, const xcb_generic_event_t *event)
{
	xcb_timestamp_t time = time_of(event);

	if (time)
		x->time = time;
	mhi_x_desk_event(x, event);
	for (struct mhi_x_part *part = mhi_x_part_first(x); part; part = part->next) {
		if (part->started)
			part->ops->event(part, event);
	}
}

/* The server repeats a key that is held as one that is up and down at once: it stays down. */
static bool repeats(const xcb_generic_event_t *event, const xcb_generic_event_t *next)
{
	const xcb_key_press_event_t *a = (const void *)event, *b = (const void *)next;

	return next && (event->response_type & 0x7f) == XCB_KEY_RELEASE &&
	       (next->response_type & 0x7f) == XCB_KEY_PRESS && a->detail == b->detail &&
	       a->time == b->time;
}

static void serve_events(struct mh_x11 *x, xcb_generic_event_t *event)
{
	xcb_generic_event_t *next;

	if (!event)
		event = xcb_poll_for_event(x->c);
	while (event) {
		next = xcb_poll_for_event(x->c);
		if (repeats(event, next)) {
			free(event);
			free(next);
			event = xcb_poll_for_event(x->c);
			continue;
		}
		/* An error is of something that has gone meanwhile. */
		if (event->response_type)
			hand_out(x, event);
		free(event);
		event = next;
	}
}

static int64_t sync_parts(struct mh_x11 *x, int64_t now)
{
	int64_t deadline = MHI_X_NEVER, at;

	for (struct mhi_x_part *part = mhi_x_part_first(x); part; part = part->next) {
		at = part->started ? part->ops->sync(part, now) : MHI_X_NEVER;
		deadline = at < deadline ? at : deadline;
	}
	return deadline;
}

static void wait_for(struct mh_x11 *x, int64_t deadline)
{
	struct pollfd fds[2] = { { xcb_get_file_descriptor(x->c), POLLIN, 0 },
				 { x->wake, POLLIN, 0 } };
	int64_t left = deadline == MHI_X_NEVER ? -1 : deadline - mhi_x_now();
	uint64_t number;
	ssize_t n;

	if (deadline != MHI_X_NEVER)
		left = left < 0 ? 0 : left > 60000 ? 60000 : left;
	poll(fds, 2, (int)left);
	n = fds[1].revents ? read(x->wake, &number, sizeof(number)) : 0;
	(void)n;
}

static bool quitting(struct mh_x11 *x)
{
	bool quit;

	pthread_mutex_lock(&x->lock);
	quit = x->quit;
	pthread_mutex_unlock(&x->lock);
	return quit;
}

/* The server is gone: what was on it stays, without a use, until its owner closes it. */
static void wait_for_owner(struct mh_x11 *x)
{
	pthread_mutex_lock(&x->lock);
	x->lost = true;
	pthread_mutex_unlock(&x->lock);
	mhi_x_tell(x, MH_ESTATE,
		   "showing on the X server: the connection is lost; it ended, or threw us out");
	if (x->ops.lost)
		x->ops.lost(x->opaque);
	while (!quitting(x)) {
		struct pollfd fd = { x->wake, POLLIN, 0 };
		uint64_t number;
		ssize_t n;

		turn_over(x, false);
		poll(&fd, 1, -1);
		n = read(x->wake, &number, sizeof(number));
		(void)n;
	}
}

static void serve(struct mh_x11 *x)
{
	xcb_generic_event_t *event;
	int64_t deadline;

	while (!quitting(x) && !xcb_connection_has_error(x->c)) {
		turn_over(x, false);
		serve_events(x, NULL);
		deadline = sync_parts(x, mhi_x_now());
		xcb_flush(x->c);
		/* What was read while waiting for answers, or while writing, poll does not see. */
		if (x->drawing && mhi_x_may_draw(x))
			continue;
		event = xcb_poll_for_queued_event(x->c);
		if (event)
			serve_events(x, event);
		else
			wait_for(x, deadline);
	}
	if (!quitting(x))
		wait_for_owner(x);
	turn_over(x, true);
}

static void tell_owner(struct mh_x11 *x, bool *what)
{
	pthread_mutex_lock(&x->lock);
	*what = true;
	pthread_cond_broadcast(&x->ended);
	pthread_mutex_unlock(&x->lock);
}

void *mhi_x_thread(void *opaque)
{
	struct mh_x11 *x = opaque;

	x->error = mhi_x_open(x);
	tell_owner(x, &x->tried);
	if (!x->error)
		serve(x);
	tell_owner(x, &x->done);
	return NULL;
}

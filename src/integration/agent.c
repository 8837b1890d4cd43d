/* SPDX-License-Identifier: MIT */
/*
 * A session with the agent in a guest: finding frames in what comes, agreeing on what both sides
 * can do, noticing that the agent is gone, and giving each message to whom it concerns.
 */
#include "integration/agent.h"

#include <stdio.h>
#include <stdlib.h>

#include "integration/agent_priv.h"

/*
 * What messages may cost in a second: four times what docs/agent-protocol.md lets agents send, for
 * our seconds are not theirs.
 */
#define BUDGET 80000u
#define COST_LARGE 8u
#define SESSIONS_AT_ONCE 5u
#define BREAKS_LOGGED 5u

/* ---- being inside ---- */

void mhi_agent_enter(struct mhi_agent *a)
{
	a->depth++;
}

void mhi_agent_break(struct mhi_agent *a, const char *why)
{
	if (!a->broken)
		a->broken = why;
}

/* Nothing is expected of the agent any more, and who waited is told. */
static void lose(struct mhi_agent *a)
{
	if (!a->connected)
		return;
	a->connected = false;
	a->features = 0;
	a->unread = 0;
	mhi_agent_forget_output(a);
	mhi_agent_requests_lost(a);
	mhi_clip_lost(a);
	mhi_windows_lost(a);
	a->env.state(a->env.opaque);
}

static void cut_off(struct mhi_agent *a)
{
	if (a->breaks < BREAKS_LOGGED) {
		a->breaks++;
		mhi_log(a->env.log, MH_LOG_WARN, "%s: it is disconnected: %s%s", a->env.owner,
			a->broken,
			a->breaks < BREAKS_LOGGED ? "" : "; further ones are not logged");
	}
	a->broken = NULL;
	a->in.count = 0;
	mhi_agent_drop(&a->in, 0);
	lose(a);
	a->env.broken(a->env.opaque);
}

/* What waits for room goes as far as the line takes it: for all of that there is credit. */
static void send_all(struct mhi_agent *a)
{
	bool more = true;

	mhi_agent_flush(a);
	while (more && !a->broken) {
		more = mhi_clip_pump(a);
		more |= mhi_agent_transfers_pump(a);
		mhi_agent_flush(a);
	}
}

/* The outermost one does what must not happen under somebody's feet. */
void mhi_agent_leave(struct mhi_agent *a)
{
	if (a->depth == 1) {
		send_all(a);
		if (a->broken)
			cut_off(a);
		mhi_agent_requests_sweep(a);
	}
	a->depth--;
}

/* ---- hello ---- */

static void copy_text(char *to, size_t room, const char *from)
{
	size_t bytes = strlen(from);

	/* Not within a character. */
	if (bytes >= room)
		for (bytes = room - 1; bytes && ((u8)from[bytes] & 0xc0) == 0x80;)
			bytes--;
	memcpy(to, from, bytes);
	to[bytes] = '\0';
}

static void agree(struct mhi_agent *a, u32 serial, const struct mhi_msg_hello *hello)
{
	const struct mhi_msg_welcome welcome = {
		.version = hello->version < MHI_AGENT_VERSION ? hello->version : MHI_AGENT_VERSION,
		.features = hello->features & a->env.features & MH_AGENT_ALL,
	};
	bool news = !a->connected || a->features != welcome.features;

	a->connected = true;
	a->hello = serial;
	a->features = welcome.features;
	copy_text(a->system, sizeof(a->system), hello->system);
	copy_text(a->name, sizeof(a->name), hello->agent);
	mhi_agent_push_answer(a, MHI_MSG_WELCOME, serial, &welcome);
	if (!news)
		return;
	mhi_windows_agreed(a);
	mhi_clip_agreed(a);
	a->env.state(a->env.opaque);
}

/*
 * Another start of the agent begins a session. Of the same one it tells other features, or it was
 * said twice. Those that come too fast are not heard; they are repeated.
 */
static void on_hello(struct mhi_agent *a, u32 serial, const struct mhi_msg_hello *hello)
{
	bool again = a->connected && serial == a->hello;

	if (!hello->version)
		return;
	if (!again)
		lose(a);
	if (again && a->features == (hello->features & a->env.features & MH_AGENT_ALL)) {
		agree(a, serial, hello);
	} else if (a->sessions) {
		a->sessions--;
		a->silent = 0;
		agree(a, serial, hello);
	}
}

/* ---- messages ---- */

static u32 cost(u32 type)
{
	switch (type) {
	case MHI_MSG_DATA:
	case MHI_MSG_CREDIT:
		return 0;
	case MHI_MSG_WINDOW_STACK:
	case MHI_MSG_WINDOW_ICON:
	case MHI_MSG_WINDOW_SHAPE:
		return COST_LARGE;
	default:
		return 1;
	}
}

static void dispatch(struct mhi_agent *a, const struct mhi_agent_msg *msg)
{
	const struct mhi_msg_pong pong = { .cookie = msg->u.ping.cookie };

	switch (msg->type) {
	case MHI_MSG_HELLO:
		on_hello(a, msg->serial, &msg->u.hello);
		break;
	case MHI_MSG_PING:
		mhi_agent_push_answer(a, MHI_MSG_PONG, msg->serial, &pong);
		break;
	case MHI_MSG_PONG:
		if (msg->u.pong.cookie == MHI_AGENT_READ_COOKIE)
			a->unread = 0;
		break;
	case MHI_MSG_RESULT:
	case MHI_MSG_DATA:
	case MHI_MSG_INFO:
	case MHI_MSG_INFO_ADDRESS:
	case MHI_MSG_INFO_USER:
	case MHI_MSG_EXEC_EXIT:
	case MHI_MSG_FILE_IS:
	case MHI_MSG_CLIP_SIZE:
		mhi_agent_requests_message(a, msg);
		break;
	case MHI_MSG_CREDIT:
	case MHI_MSG_CANCEL:
		if (msg->serial & MHI_AGENT_SERIAL_GUEST)
			mhi_clip_message(a, msg);
		else
			mhi_agent_requests_message(a, msg);
		break;
	case MHI_MSG_CLIP_OFFER:
	case MHI_MSG_CLIP_REQUEST:
		mhi_clip_message(a, msg);
		break;
	case MHI_MSG_WINDOW:
	case MHI_MSG_WINDOW_GONE:
	case MHI_MSG_WINDOW_STACK:
	case MHI_MSG_WINDOW_ICON:
	case MHI_MSG_WINDOW_SHAPE:
	case MHI_MSG_WINDOW_DAMAGE:
	case MHI_MSG_POINTER_SHAPE:
		mhi_windows_message(a, msg);
		break;
	default:
		mhi_agent_break(a, "it asked for what only the host may ask for");
	}
}

static void on_frame(struct mhi_agent *a, const u8 *frame)
{
	struct mhi_agent_msg msg;
	int rc = mhi_agent_decode(frame, &msg);
	u32 price = cost(msg.type);

	if (a->budget < price) {
		mhi_agent_break(a, "it sends too many messages");
		return;
	}
	a->budget -= price;
	a->silent = 0;
	if (rc < 0)
		mhi_agent_break(a, "a message is not as the protocol has it");
	else if (!rc)
		dispatch(a, &msg);
}

/* ---- framing ---- */

/*
 * Before an agent is connected there may be anything on the line: only a hello is looked for. How
 * many bytes can go; 0: more must come.
 */
static size_t seek_hello(struct mhi_agent *a, const u8 *data, size_t count)
{
	long bytes = mhi_agent_frame(data, count);
	struct mhi_agent_msg msg;
	const u8 *next;

	if (bytes >= 0 && count >= MHI_AGENT_HEADER &&
	    (data[4] != MHI_MSG_HELLO || data[5] ||
	     (u32)(data[12] | data[13] << 8 | data[14] << 16) > MHI_AGENT_HELLO_MAX))
		bytes = -1;
	if (bytes > 0 && !mhi_agent_decode(data, &msg)) {
		on_hello(a, msg.serial, &msg.u.hello);
		return (size_t)bytes;
	}
	if (!bytes)
		return 0;
	next = memchr(data + 1, 'M', count - 1);
	return next ? (size_t)(next - data) : count;
}

static size_t take_frame(struct mhi_agent *a, const u8 *data, size_t count)
{
	long bytes = mhi_agent_frame(data, count);

	if (bytes > 0)
		on_frame(a, data);
	else if (bytes < 0)
		mhi_agent_break(a, "what it sends is no frame");
	return bytes > 0 ? (size_t)bytes : 0;
}

void mhi_agent_receive(struct mhi_agent *a, const void *data, size_t bytes)
{
	struct mhi_agent_queue *q = &a->in;
	size_t done = 1;

	mhi_agent_enter(a);
	if (!mhi_agent_append(q, data, bytes))
		mhi_agent_break(a, "there is no memory for what it sends");
	while (q->count && done && !a->broken) {
		const u8 *at = q->data + q->first;

		done = a->connected ? take_frame(a, at, q->count) : seek_hello(a, at, q->count);
		if (done)
			a->frame_ticks = 0;
		mhi_agent_drop(q, done);
	}
	mhi_agent_leave(a);
}

void mhi_agent_room(struct mhi_agent *a)
{
	mhi_agent_enter(a);
	mhi_agent_leave(a);
}

void mhi_agent_cut(struct mhi_agent *a, const char *why)
{
	mhi_agent_enter(a);
	if (a->connected)
		mhi_log(a->env.log, MH_LOG_INFO, "%s: it is lost: %s", a->env.owner, why);
	a->in.count = 0;
	mhi_agent_drop(&a->in, 0);
	a->frame_left = 0;
	lose(a);
	mhi_agent_forget_output(a);
	mhi_agent_leave(a);
}

/* ---- time ---- */

bool mhi_agent_wants_ticks(const struct mhi_agent *a)
{
	return a->connected || a->in.count || a->sessions < SESSIONS_AT_ONCE;
}

static void keep_alive(struct mhi_agent *a)
{
	const struct mhi_msg_ping ping = { 0 };

	a->silent++;
	if (a->silent >= MHI_AGENT_LOST_AFTER)
		mhi_agent_break(a, "nothing was heard of it for 30 seconds");
	else if (a->silent % MHI_AGENT_PING_AFTER == 0)
		mhi_agent_push_answer(a, MHI_MSG_PING, 0, &ping);
}

void mhi_agent_tick(struct mhi_agent *a)
{
	/* A slow line still takes what was said: the agent cannot have answered all of it. */
	bool busy = a->moved && a->out.count;

	a->moved = false;
	mhi_agent_enter(a);
	a->budget = BUDGET;
	if (a->sessions < SESSIONS_AT_ONCE)
		a->sessions++;
	if (a->in.count && ++a->frame_ticks > MHI_AGENT_FRAME_TIME) {
		a->frame_ticks = 0;
		if (a->connected)
			mhi_agent_break(a, "a message was not complete after 30 seconds");
		a->in.count = 0;
		mhi_agent_drop(&a->in, 0);
	}
	if (a->connected && !busy)
		keep_alive(a);
	if (!busy)
		mhi_agent_requests_tick(a);
	mhi_windows_tick(a);
	mhi_agent_leave(a);
}

/* ---- life ---- */

bool mhi_agent_inside(const struct mhi_agent *a)
{
	return a->depth > 0;
}

void mhi_agent_status(const struct mhi_agent *a, struct mh_agent_status *status)
{
	status->connected = a->connected;
	status->features = a->features;
	snprintf(status->system, sizeof(status->system), "%s", a->connected ? a->system : "");
	snprintf(status->agent, sizeof(status->agent), "%s", a->connected ? a->name : "");
}

int mhi_agent_create(const struct mhi_agent_env *env, struct mhi_agent **out)
{
	struct mhi_agent *a = calloc(1, sizeof(*a));

	if (!a)
		return MH_ENOMEM;
	a->env = *env;
	a->budget = BUDGET;
	a->sessions = SESSIONS_AT_ONCE;
	*out = a;
	return 0;
}

void mhi_agent_destroy(struct mhi_agent *a)
{
	mhi_agent_enter(a);
	lose(a);
	mhi_agent_leave(a);
	mhi_windows_stop(a);
	mhi_clip_stop(a);
	mhi_clip_fini(a);
	free(a->windows.window);
	mhi_agent_queue_fini(&a->in);
	mhi_agent_queue_fini(&a->out);
	free(a);
}

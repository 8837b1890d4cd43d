/* SPDX-License-Identifier: MIT */
/* The queues of a session with an agent: what came and is no frame yet, what is to be sent. */
#include <stdlib.h>

#include "core/le.h"
#include "integration/agent_priv.h"

#define FIRST_ROOM 4096u
/* A queue that needed more than this gives it back when it is empty. */
#define KEEP_ROOM 65536u
/* What the agent has not read: others' messages, and answers that the rules demand. */
#define OUT_BUSY (512u << 10)
#define OUT_MAX (1u << 20)
/* Data waits where it comes from: the queue stays short, so that what is urgent comes soon. */
#define OUT_DATA (128u << 10)
#define DATA_BYTES 32768u

/* ---- queues ---- */

/* Room for so many bytes behind what there is. */
static bool reserve(struct mhi_agent_queue *q, size_t bytes)
{
	size_t room = q->room ? q->room : FIRST_ROOM;
	u8 *data;

	if (q->room - q->first - q->count >= bytes)
		return true;
	if (q->count)
		memmove(q->data, q->data + q->first, q->count);
	q->first = 0;
	if (q->room - q->count >= bytes)
		return true;
	while (room - q->count < bytes)
		room *= 2;
	data = realloc(q->data, room);
	if (!data)
		return false;
	q->data = data;
	q->room = room;
	return true;
}

bool mhi_agent_append(struct mhi_agent_queue *q, const void *data, size_t bytes)
{
	if (!reserve(q, bytes))
		return false;
	if (bytes)
		memcpy(q->data + q->first + q->count, data, bytes);
	q->count += bytes;
	return true;
}

void mhi_agent_queue_fini(struct mhi_agent_queue *q)
{
	free(q->data);
	*q = (struct mhi_agent_queue){ 0 };
}

void mhi_agent_drop(struct mhi_agent_queue *q, size_t bytes)
{
	q->first += bytes;
	q->count -= bytes;
	if (q->count)
		return;
	q->first = 0;
	if (q->room > KEEP_ROOM)
		mhi_agent_queue_fini(q);
}

/* ---- messages ---- */

static size_t encode(struct mhi_agent_queue *q, u32 type, u32 serial, const void *msg)
{
	size_t used = q->first + q->count, bytes = 0;

	if (q->data)
		bytes = mhi_agent_encode(q->data + used, q->room - used, type, serial, msg);
	q->count += bytes;
	return bytes;
}

static int push(struct mhi_agent *a, u32 type, u32 serial, const void *msg)
{
	struct mhi_agent_queue *q = &a->out;

	if (encode(q, type, serial, msg))
		return 0;
	/* It does not fit, or never will: few messages are long. */
	if (!reserve(q, FIRST_ROOM))
		return MH_ENOMEM;
	if (encode(q, type, serial, msg))
		return 0;
	if (!reserve(q, MHI_AGENT_FRAME))
		return MH_ENOMEM;
	return encode(q, type, serial, msg) ? 0 : MH_ERANGE;
}

int mhi_agent_push(struct mhi_agent *a, u32 type, u32 serial, const void *msg)
{
	return a->out.count > OUT_BUSY ? MH_EBUSY : push(a, type, serial, msg);
}

void mhi_agent_push_answer(struct mhi_agent *a, u32 type, u32 serial, const void *msg)
{
	if (!a->connected || a->broken)
		return;
	if (a->out.count > OUT_MAX)
		mhi_agent_break(a, "it does not read what it is sent");
	else if (push(a, type, serial, msg))
		mhi_agent_break(a, "there is no memory for an answer");
}

void mhi_agent_push_result(struct mhi_agent *a, u32 serial, u32 code)
{
	const struct mhi_msg_result msg = { .code = code };

	mhi_agent_push_answer(a, MHI_MSG_RESULT, serial, &msg);
}

size_t mhi_agent_data_room(const struct mhi_agent *a)
{
	if (a->env.window && a->unread >= a->env.window)
		return 0;
	return a->out.count < OUT_DATA ? OUT_DATA - a->out.count : 0;
}

/* The window is full: the answer to this empties it. */
static void ask_whether_read(struct mhi_agent *a)
{
	const struct mhi_msg_ping ping = { .cookie = MHI_AGENT_READ_COOKIE };

	if (a->env.window && a->unread >= a->env.window)
		mhi_agent_push_answer(a, MHI_MSG_PING, 0, &ping);
}

size_t mhi_agent_push_data(struct mhi_agent *a, u32 serial, const u8 *data, size_t bytes,
			   u64 *credit)
{
	size_t taken = 0;

	while (taken < bytes && *credit && mhi_agent_data_room(a)) {
		struct mhi_msg_data msg = { .data = { data + taken, DATA_BYTES } };

		if (msg.data.bytes > bytes - taken)
			msg.data.bytes = (u32)(bytes - taken);
		if (msg.data.bytes > *credit)
			msg.data.bytes = (u32)*credit;
		/* There is room, and frames hold as much: who waited for room would wait on. */
		if (mhi_agent_push(a, MHI_MSG_DATA, serial, &msg)) {
			mhi_agent_break(a, "there is no memory for data");
			break;
		}
		taken += msg.data.bytes;
		*credit -= msg.data.bytes;
		a->unread += a->env.window ? msg.data.bytes : 0;
		ask_whether_read(a);
	}
	return taken;
}

/* ---- sending ---- */

/* So many bytes at the beginning of out were sent. */
static void sent(struct mhi_agent *a, size_t bytes)
{
	struct mhi_agent_queue *q = &a->out;

	while (bytes) {
		size_t n;

		if (!a->frame_left)
			a->frame_left = MHI_AGENT_HEADER + mhi_get_le32(q->data + q->first + 12);
		n = bytes < a->frame_left ? bytes : a->frame_left;
		a->frame_left -= n;
		bytes -= n;
		mhi_agent_drop(q, n);
	}
}

void mhi_agent_flush(struct mhi_agent *a)
{
	struct mhi_agent_queue *q = &a->out;

	while (q->count) {
		size_t want = q->count;
		size_t bytes = a->env.send(a->env.opaque, q->data + q->first, want);

		sent(a, bytes < want ? bytes : want);
		a->moved |= bytes != 0;
		if (bytes < want)
			return;
	}
}

void mhi_agent_forget_output(struct mhi_agent *a)
{
	a->out.count = a->frame_left;
	mhi_agent_drop(&a->out, 0);
}

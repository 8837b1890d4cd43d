/* SPDX-License-Identifier: MIT */
/*
 * Transfers: programs that run in the guest, and files that go there or come from there. Both sides
 * keep within the credit that the other one gives, so that neither must keep more than that.
 */
#include <stdlib.h>

#include "integration/agent_priv.h"

#define CREDIT_STEP 65536u
/* More than any agent has to give. */
#define CREDIT_MAX (1ull << 30)

MHI_STATIC_ASSERT(MH_AGENT_WINDOW == MHI_AGENT_WINDOW_BYTES);

struct transfer {
	struct mhi_agent_request r;
	u64 id;
	u32 type;    /* the message that asked */
	u32 streams; /* bit n: it may send stream n */
	struct mh_agent_transfer_ops ops;
	void *opaque;
	/* to the guest */
	bool feeds;  /* there is input, and its end has not been sent */
	bool hungry; /* less was taken than there is */
	u64 left;    /* of a file, as announced */
	u64 credit;
	/* from the guest */
	bool held;
	u32 window; /* bytes that may still come */
	u32 owed;   /* bytes that have come, and no credit was given for */
	u32 ended;  /* bit n: stream n has ended */
	bool told;  /* EXEC_EXIT or FILE_IS has come */
	s32 status;
	u32 signal;
};

static const struct mhi_agent_request_ops transfer_ops;

static struct transfer *find(struct mhi_agent *a, u64 id)
{
	for (struct mhi_agent_request *r = a->requests; r; r = r->next)
		if (r->ops == &transfer_ops && !r->dead && ((struct transfer *)r)->id == id)
			return (struct transfer *)r;
	return NULL;
}

/* ---- from the guest ---- */

static void give_credit(struct mhi_agent *a, struct transfer *t)
{
	const struct mhi_msg_credit credit = { .bytes = t->owed };

	if (t->r.dead || t->held || t->owed < CREDIT_STEP)
		return;
	t->window += t->owed;
	t->owed = 0;
	mhi_agent_push_answer(a, MHI_MSG_CREDIT, t->r.serial, &credit);
}

static int on_data(struct mhi_agent *a, struct transfer *t, const struct mhi_msg_data *msg)
{
	u32 bytes = msg->data.bytes;

	if (msg->stream > 2 || !(t->streams & MHI_BIT(msg->stream)) ||
	    (t->ended & MHI_BIT(msg->stream)) || bytes > t->window)
		return -1;
	/* A file is announced; of a program nothing comes after its exit. */
	if ((t->type == MHI_MSG_FILE_GET) != t->told)
		return -1;
	if (!bytes) {
		t->ended |= (u32)MHI_BIT(msg->stream);
		return 0;
	}
	t->window -= bytes;
	t->owed += bytes;
	if (t->ops.output)
		t->ops.output(t->opaque, msg->stream, msg->data.data, bytes);
	give_credit(a, t);
	return 0;
}

static int transfer_message(struct mhi_agent *a, struct mhi_agent_request *r,
			    const struct mhi_agent_msg *msg)
{
	struct transfer *t = (struct transfer *)r;
	bool first = !t->told;

	switch (msg->type) {
	case MHI_MSG_DATA:
		return on_data(a, t, &msg->u.data);
	case MHI_MSG_EXEC_EXIT:
		t->told = true;
		t->status = msg->u.exec_exit.status;
		t->signal = msg->u.exec_exit.signal;
		return t->type == MHI_MSG_EXEC && first ? 0 : -1;
	case MHI_MSG_FILE_IS:
		t->told = true;
		if (t->type != MHI_MSG_FILE_GET || !first)
			return -1;
		if (t->ops.file)
			t->ops.file(t->opaque, msg->u.file_is.mode & 07777, msg->u.file_is.bytes);
		return 0;
	default:
		return -1;
	}
}

static void transfer_end(struct mhi_agent *a, struct mhi_agent_request *r, int rc, const char *text)
{
	struct transfer *t = (struct transfer *)r;
	const struct mh_agent_end end = { sizeof(end), text, t->status, t->signal };

	/* It said "done", and not how. */
	if (!rc && t->type != MHI_MSG_FILE_PUT && !t->told)
		rc = MH_EIO;
	if (t->ops.done)
		t->ops.done(t->opaque, rc, &end);
}

/* A program takes its time; who holds a transfer up, or does not feed it, waits for himself. */
static bool transfer_waits(const struct mhi_agent_request *r)
{
	const struct transfer *t = (const struct transfer *)r;

	if (t->type == MHI_MSG_EXEC)
		return false;
	return t->type == MHI_MSG_FILE_GET ? !t->held : !t->feeds || !t->credit;
}

static const struct mhi_agent_request_ops transfer_ops = {
	.message = transfer_message,
	.end = transfer_end,
	.waits = transfer_waits,
};

int mhi_agent_hold(struct mhi_agent *a, u64 id, bool held)
{
	struct transfer *t = find(a, id);

	if (!t)
		return MH_ENOENT;
	mhi_agent_enter(a);
	t->held = held;
	give_credit(a, t);
	mhi_agent_leave(a);
	return 0;
}

/* ---- to the guest ---- */

void mhi_agent_transfer_credit(struct mhi_agent *a, struct mhi_agent_request *r, u32 bytes)
{
	struct transfer *t = (struct transfer *)r;

	if (r->ops != &transfer_ops || t->credit + bytes > CREDIT_MAX)
		mhi_agent_break(a, "it gives credit that nobody can use");
	else
		t->credit += bytes;
}

bool mhi_agent_transfers_pump(struct mhi_agent *a)
{
	bool some = false;

	for (struct mhi_agent_request *r = a->requests; r; r = r->next) {
		struct transfer *t = (struct transfer *)r;
		size_t room = mhi_agent_data_room(a);

		if (r->dead || r->ops != &transfer_ops || !t->hungry || !t->credit || !room)
			continue;
		t->hungry = false;
		some = true;
		if (t->ops.room)
			t->ops.room(t->opaque, room < t->credit ? room : (size_t)t->credit);
	}
	return some;
}

static int end_input(struct mhi_agent *a, struct transfer *t)
{
	const struct mhi_msg_data end = { 0 };
	int rc = mhi_agent_push(a, MHI_MSG_DATA, t->r.serial, &end);

	if (!rc)
		t->feeds = false;
	return rc;
}

static int feed(struct mhi_agent *a, struct transfer *t, const u8 *data, size_t bytes)
{
	size_t taken = 0, more;

	if (bytes > t->left)
		return MH_EINVAL;
	/* Until the line takes no more: who is told of room is not told at once. */
	do {
		more = mhi_agent_push_data(a, t->r.serial, data + taken, bytes - taken, &t->credit);
		mhi_agent_flush(a);
		taken += more;
	} while (more && taken < bytes);
	t->hungry = taken < bytes;
	if (t->left != MH_AGENT_UNKNOWN_BYTES)
		t->left -= taken;
	return (int)taken;
}

int mhi_agent_write(struct mhi_agent *a, u64 id, const void *data, size_t bytes)
{
	struct transfer *t = find(a, id);
	int rc;

	if (!t)
		return MH_ENOENT;
	if (!t->feeds)
		return MH_ESTATE;
	mhi_agent_enter(a);
	rc = bytes ? feed(a, t, data, bytes) : end_input(a, t);
	mhi_agent_leave(a);
	return rc;
}

/* ---- beginning and ending ---- */

int mhi_agent_kill(struct mhi_agent *a, u64 id, u32 signal)
{
	const struct mhi_msg_exec_kill msg = { .signal = signal };
	struct transfer *t = find(a, id);
	int rc;

	if (!t)
		return MH_ENOENT;
	if (t->type != MHI_MSG_EXEC)
		return MH_EINVAL;
	mhi_agent_enter(a);
	rc = mhi_agent_push(a, MHI_MSG_EXEC_KILL, t->r.serial, &msg);
	mhi_agent_leave(a);
	return rc;
}

int mhi_agent_cancel(struct mhi_agent *a, u64 id)
{
	struct transfer *t = find(a, id);

	if (!t)
		return MH_ENOENT;
	mhi_agent_enter(a);
	t->ops = (struct mh_agent_transfer_ops){ 0 };
	mhi_agent_request_give_up(a, &t->r, MH_ESTATE);
	mhi_agent_leave(a);
	return 0;
}

/* What goes which way. */
static void set_up(struct transfer *t, const void *msg)
{
	const struct mhi_msg_exec *exec = msg;
	const struct mhi_msg_file_put *put = msg;

	t->left = MH_AGENT_UNKNOWN_BYTES;
	if (t->type == MHI_MSG_EXEC) {
		t->feeds = exec->flags & MHI_AGENT_EXEC_INPUT;
		t->streams = exec->flags & (MHI_AGENT_EXEC_OUTPUT | MHI_AGENT_EXEC_ERRORS);
	} else if (t->type == MHI_MSG_FILE_PUT) {
		t->feeds = true;
		t->left = put->bytes;
	} else {
		t->streams = 1;
	}
	t->window = MHI_AGENT_WINDOW_BYTES;
	t->credit = MHI_AGENT_WINDOW_BYTES;
}

/* The flags that ask for streams are those streams' bits. */
MHI_STATIC_ASSERT(MHI_AGENT_EXEC_OUTPUT == MHI_BIT(1) && MHI_AGENT_EXEC_ERRORS == MHI_BIT(2));

int mhi_agent_transfer(struct mhi_agent *a, const struct mhi_agent_transfer *transfer)
{
	bool exec = transfer->type == MHI_MSG_EXEC;
	struct transfer *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return MH_ENOMEM;
	t->r.ops = &transfer_ops;
	t->id = ++a->last_id;
	t->type = transfer->type;
	t->ops = *transfer->ops;
	t->opaque = transfer->opaque;
	set_up(t, transfer->msg);
	mhi_agent_enter(a);
	rc = mhi_agent_ask(a, &t->r, exec ? MHI_AGENT_F_EXEC : MHI_AGENT_F_FILES, t->type,
			   transfer->msg);
	if (!rc && transfer->id)
		*transfer->id = a->last_id;
	mhi_agent_leave(a);
	return rc;
}

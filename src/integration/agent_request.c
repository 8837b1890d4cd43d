/* SPDX-License-Identifier: MIT */
/*
 * What is asked of the agent in a guest: serials, how many at a time, answers, and those that do
 * not come. Requests that are answered by their end only are here whole.
 */
#include <stdlib.h>

#include "integration/agent_priv.h"

#define GIVE_UP_AFTER 30u /* ticks */

/* ---- all kinds ---- */

static void request_free(struct mhi_agent_request *r)
{
	if (r->ops->fini)
		r->ops->fini(r);
	free(r);
}

static int check(const struct mhi_agent *a, u32 feature)
{
	if (!a->connected || a->broken)
		return MH_ESTATE;
	return mhi_agent_has(a, feature) ? 0 : MH_ENOTSUP;
}

static u32 next_serial(struct mhi_agent *a)
{
	a->last_serial = (a->last_serial + 1) & ~MHI_AGENT_SERIAL_GUEST;
	if (!a->last_serial)
		a->last_serial = 1;
	return a->last_serial;
}

int mhi_agent_ask(struct mhi_agent *a, struct mhi_agent_request *r, u32 feature, u32 type,
		  const void *msg)
{
	int rc = check(a, feature);

	if (!rc && a->request_count == MHI_AGENT_REQUESTS_MAX)
		rc = MH_EBUSY;
	r->serial = next_serial(a);
	if (!rc)
		rc = mhi_agent_push(a, type, r->serial, msg);
	if (rc) {
		request_free(r);
		return rc;
	}
	r->next = a->requests;
	a->requests = r;
	a->request_count++;
	return 0;
}

int mhi_agent_tell(struct mhi_agent *a, u32 feature, u32 type, const void *msg)
{
	int rc = check(a, feature);

	mhi_agent_enter(a);
	if (!rc)
		rc = mhi_agent_push(a, type, 0, msg);
	mhi_agent_leave(a);
	return rc;
}

void mhi_agent_request_end(struct mhi_agent *a, struct mhi_agent_request *r, int rc,
			   const char *text)
{
	if (r->dead)
		return;
	r->dead = true;
	a->request_count--;
	r->ops->end(a, r, rc, text);
}

void mhi_agent_request_give_up(struct mhi_agent *a, struct mhi_agent_request *r, int rc)
{
	const struct mhi_msg_cancel cancel = { 0 };

	mhi_agent_push_answer(a, MHI_MSG_CANCEL, r->serial, &cancel);
	mhi_agent_request_end(a, r, rc, "");
}

static int code_to_error(u32 code)
{
	static const int error[] = {
		[MHI_AGENT_OK] = 0,
		[MHI_AGENT_INVALID] = MH_EINVAL,
		[MHI_AGENT_UNSUPPORTED] = MH_ENOTSUP,
		[MHI_AGENT_DENIED] = MH_EPERM,
		[MHI_AGENT_MISSING] = MH_ENOENT,
		[MHI_AGENT_BUSY] = MH_EBUSY,
		[MHI_AGENT_TOO_LARGE] = MH_ERANGE,
		[MHI_AGENT_FAILED] = MH_EIO,
		[MHI_AGENT_CANCELLED] = MH_EIO,
	};

	return code < MHI_COUNT(error) ? error[code] : MH_EIO;
}

static void on_result(struct mhi_agent *a, struct mhi_agent_request *r,
		      const struct mhi_msg_result *result)
{
	if (strlen(result->text) >= MHI_AGENT_TEXT_MAX)
		mhi_agent_break(a, "a result's text is too long");
	else
		mhi_agent_request_end(a, r, code_to_error(result->code), result->text);
}

/* Answers and the end of their request cross: what comes for none is late. */
void mhi_agent_requests_message(struct mhi_agent *a, const struct mhi_agent_msg *msg)
{
	struct mhi_agent_request *r = a->requests;

	if (msg->serial & MHI_AGENT_SERIAL_GUEST) {
		mhi_agent_break(a, "it answers what it has asked itself");
		return;
	}
	while (r && (r->serial != msg->serial || r->dead))
		r = r->next;
	if (!r)
		return;
	r->idle = 0;
	if (msg->type == MHI_MSG_RESULT)
		on_result(a, r, &msg->u.result);
	else if (msg->type == MHI_MSG_CREDIT)
		mhi_agent_transfer_credit(a, r, msg->u.credit.bytes);
	else if (r->ops->message(a, r, msg))
		mhi_agent_break(a, "an answer does not go with its request");
}

void mhi_agent_requests_tick(struct mhi_agent *a)
{
	struct mhi_agent_request *r;

	/* What a callback asks is put in front. */
	for (r = a->requests; r; r = r->next) {
		if (r->dead || (r->ops->waits && !r->ops->waits(r)))
			continue;
		if (++r->idle >= GIVE_UP_AFTER)
			mhi_agent_request_give_up(a, r, MH_ETIMEDOUT);
	}
}

void mhi_agent_requests_lost(struct mhi_agent *a)
{
	struct mhi_agent_request *r;

	for (r = a->requests; r; r = r->next)
		mhi_agent_request_end(a, r, MH_ESTATE, "");
}

void mhi_agent_requests_sweep(struct mhi_agent *a)
{
	struct mhi_agent_request **at = &a->requests;

	while (*at) {
		struct mhi_agent_request *r = *at;

		if (r->dead) {
			*at = r->next;
			request_free(r);
		} else {
			at = &r->next;
		}
	}
}

/* ---- those without answers but their end ---- */

struct plain {
	struct mhi_agent_request r;
	mh_agent_done_fn *fn;
	void *opaque;
};

static int plain_message(struct mhi_agent *a, struct mhi_agent_request *r,
			 const struct mhi_agent_msg *msg)
{
	return -1;
}

static void plain_end(struct mhi_agent *a, struct mhi_agent_request *r, int rc, const char *text)
{
	struct plain *p = (struct plain *)r;

	if (p->fn)
		p->fn(p->opaque, rc, text);
}

static const struct mhi_agent_request_ops plain_ops = {
	.message = plain_message,
	.end = plain_end,
};

int mhi_agent_ask_plain(struct mhi_agent *a, const struct mhi_agent_plain *plain)
{
	struct plain *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return MH_ENOMEM;
	p->r.ops = &plain_ops;
	p->fn = plain->fn;
	p->opaque = plain->opaque;
	mhi_agent_enter(a);
	rc = mhi_agent_ask(a, &p->r, plain->feature, plain->type, plain->msg);
	mhi_agent_leave(a);
	return rc;
}

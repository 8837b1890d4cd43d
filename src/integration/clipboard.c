/* SPDX-License-Identifier: MIT */
/*
 * The clipboard between host and guest: who offers what, what is asked for, and what the policy
 * lets through. Policies are kept here, on the host's side: the agent need not be honest.
 */
#include <stdlib.h>

#include "integration/agent_priv.h"

#define ALL_KINDS (MH_CLIP_TEXT | MH_CLIP_HTML | MH_CLIP_PNG | MH_CLIP_FILES)
/* Contents that go over at a time, each way: each may be as large as the policy lets it. */
#define GETS_MAX 16u
#define ANSWERS_MAX 4u
/* Questions that the embedder has not answered, of lost agents too. */
#define ASKED_MAX 64u
#define CREDIT_STEP 65536u

MHI_STATIC_ASSERT(MH_CLIP_TEXT == MHI_AGENT_CLIP_TEXT && MH_CLIP_HTML == MHI_AGENT_CLIP_HTML);
MHI_STATIC_ASSERT(MH_CLIP_PNG == MHI_AGENT_CLIP_PNG && MH_CLIP_FILES == MHI_AGENT_CLIP_FILES);
MHI_STATIC_ASSERT(MH_CLIP_PRIMARY + 1 == SELECTIONS);

struct mh_clip_request {
	struct mhi_loop *loop;		/* (c) */
	struct mhi_agent *agent;	/* NULL: the agent is closed */
	struct mhi_clip_answer *answer; /* NULL: nobody waits any more */
	struct mh_clip_request *next;
};

struct mhi_clip_answer {
	u32 serial;
	struct mh_clip_request *request; /* NULL: it was answered */
	u8 *data;
	size_t bytes, sent;
	u64 credit;
	struct mhi_clip_answer *next;
};

static u32 feature_of(u32 selection)
{
	return selection ? MHI_AGENT_F_CLIPBOARD | MHI_AGENT_F_PRIMARY : MHI_AGENT_F_CLIPBOARD;
}

/* Of these kinds, what may go in a direction. */
static u32 allowed(const struct mhi_clip *c, u32 direction, u32 kinds)
{
	return c->policy.directions & direction ? kinds & c->policy.kinds & ALL_KINDS : 0;
}

/* ---- offers ---- */

static void tell_offer(struct mhi_agent *a, u32 selection)
{
	const struct mhi_msg_clip_offer msg = { .selection = selection,
						.offer = a->clip.offer[selection],
						.types = a->clip.kinds[selection] };

	if (mhi_agent_has(a, feature_of(selection)))
		mhi_agent_push_answer(a, MHI_MSG_CLIP_OFFER, 0, &msg);
}

static void set_offer(struct mhi_agent *a, u32 selection, u32 kinds)
{
	struct mhi_clip *c = &a->clip;

	if (!kinds && !c->kinds[selection])
		return;
	c->offer[selection] = ++c->offers;
	c->kinds[selection] = kinds;
	tell_offer(a, selection);
}

static void guest_offers(struct mhi_agent *a, u32 selection, u32 offer, u32 kinds)
{
	struct mhi_clip *c = &a->clip;
	u32 before = allowed(c, MH_CLIP_FROM_GUEST, c->guest_kinds[selection]);
	u32 now = allowed(c, MH_CLIP_FROM_GUEST, kinds);

	c->guest_offer[selection] = offer;
	c->guest_kinds[selection] = kinds;
	if (c->on && c->ops.offered && (now || before))
		c->ops.offered(c->opaque, selection, now);
}

static void on_offer(struct mhi_agent *a, const struct mhi_msg_clip_offer *m)
{
	if (m->selection >= SELECTIONS || !mhi_agent_has(a, feature_of(m->selection))) {
		mhi_agent_break(a, "it offers a clipboard that was not agreed on");
		return;
	}
	/* What is newest counts. */
	if (m->types)
		a->clip.kinds[m->selection] = 0;
	guest_offers(a, m->selection, m->offer, m->types);
}

int mhi_clip_offer(struct mhi_agent *a, u32 selection, u32 kinds)
{
	if (!a->clip.on)
		return MH_ESTATE;
	mhi_agent_enter(a);
	set_offer(a, selection, allowed(&a->clip, MH_CLIP_TO_GUEST, kinds));
	mhi_agent_leave(a);
	return 0;
}

void mhi_clip_agreed(struct mhi_agent *a)
{
	for (u32 n = 0; n < SELECTIONS; n++) {
		if (!mhi_agent_has(a, feature_of(n)))
			guest_offers(a, n, 0, 0);
		else if (a->clip.kinds[n])
			tell_offer(a, n);
	}
}

/* ---- somebody in the guest pastes ---- */

static void answer_free(struct mhi_agent *a, struct mhi_clip_answer *answer)
{
	struct mhi_clip_answer **at = &a->clip.answers;

	while (*at != answer)
		at = &(*at)->next;
	*at = answer->next;
	if (answer->request)
		answer->request->answer = NULL;
	free(answer->data);
	free(answer);
}

static void answer_end(struct mhi_agent *a, struct mhi_clip_answer *answer, u32 code)
{
	mhi_agent_push_result(a, answer->serial, code);
	answer_free(a, answer);
}

static struct mhi_clip_answer *find_answer(const struct mhi_agent *a, u32 serial)
{
	struct mhi_clip_answer *answer = a->clip.answers;

	while (answer && answer->serial != serial)
		answer = answer->next;
	return answer;
}

static u32 answers(const struct mhi_agent *a)
{
	u32 count = 0;

	for (const struct mhi_clip_answer *n = a->clip.answers; n; n = n->next)
		count++;
	return count;
}

/* 0: it may have that. */
static u32 judge(const struct mhi_agent *a, const struct mhi_msg_clip_request *m)
{
	const struct mhi_clip *c = &a->clip;

	if (!c->on || !c->kinds[m->selection] || m->offer != c->offer[m->selection])
		return MHI_AGENT_MISSING;
	if (!m->kind || (m->kind & (m->kind - 1)))
		return MHI_AGENT_INVALID;
	if (!(allowed(c, MH_CLIP_TO_GUEST, m->kind) & c->kinds[m->selection]) || !c->ops.wanted)
		return MHI_AGENT_DENIED;
	if (answers(a) >= ANSWERS_MAX || c->asked_count >= ASKED_MAX)
		return MHI_AGENT_BUSY;
	return 0;
}

static void on_request(struct mhi_agent *a, u32 serial, const struct mhi_msg_clip_request *m)
{
	struct mhi_clip_answer *answer;
	struct mh_clip_request *request;
	u32 code;

	if (m->selection >= SELECTIONS || !mhi_agent_has(a, feature_of(m->selection)) ||
	    !(serial & MHI_AGENT_SERIAL_GUEST) || find_answer(a, serial)) {
		mhi_agent_break(a, "it asks for a clipboard that was not agreed on, or twice");
		return;
	}
	code = judge(a, m);
	answer = code ? NULL : calloc(1, sizeof(*answer));
	request = code ? NULL : calloc(1, sizeof(*request));
	if (!answer || !request) {
		free(answer);
		free(request);
		mhi_agent_push_result(a, serial, code ? code : MHI_AGENT_BUSY);
		return;
	}
	*request = (struct mh_clip_request){ a->env.loop, a, answer, a->clip.asked };
	*answer = (struct mhi_clip_answer){ .serial = serial,
					    .request = request,
					    .credit = MHI_AGENT_WINDOW_BYTES,
					    .next = a->clip.answers };
	a->clip.asked = request;
	a->clip.asked_count++;
	a->clip.answers = answer;
	a->clip.ops.wanted(a->clip.opaque, m->selection, m->kind, request);
}

static void on_credit(struct mhi_agent *a, u32 serial, u32 bytes)
{
	struct mhi_clip_answer *answer = find_answer(a, serial);

	if (!answer)
		return;
	/* All that it can ever need. */
	if (answer->credit + bytes > (u64)MHI_AGENT_WINDOW_BYTES + (1ull << 30))
		mhi_agent_break(a, "it gives credit that nobody can use");
	else
		answer->credit += bytes;
}

void mhi_clip_message(struct mhi_agent *a, const struct mhi_agent_msg *msg)
{
	struct mhi_clip_answer *answer;

	switch (msg->type) {
	case MHI_MSG_CLIP_OFFER:
		on_offer(a, &msg->u.clip_offer);
		break;
	case MHI_MSG_CLIP_REQUEST:
		on_request(a, msg->serial, &msg->u.clip_request);
		break;
	case MHI_MSG_CREDIT:
		on_credit(a, msg->serial, msg->u.credit.bytes);
		break;
	default:
		answer = find_answer(a, msg->serial);
		if (answer)
			answer_end(a, answer, MHI_AGENT_CANCELLED);
	}
}

bool mhi_clip_pump(struct mhi_agent *a)
{
	struct mhi_clip_answer *answer, *next;
	bool some = false;

	for (answer = a->clip.answers; answer; answer = next) {
		size_t taken;

		next = answer->next;
		if (answer->request)
			continue;
		taken = mhi_agent_push_data(a, answer->serial, answer->data + answer->sent,
					    answer->bytes - answer->sent, &answer->credit);
		answer->sent += taken;
		some |= taken > 0;
		if (answer->sent == answer->bytes)
			answer_end(a, answer, MHI_AGENT_OK);
	}
	return some;
}

struct mhi_loop *mhi_clip_request_loop(const struct mh_clip_request *request)
{
	return request->loop;
}

/* It is answered: what waits for it, or NULL. */
static struct mhi_clip_answer *take_answer(struct mh_clip_request *request)
{
	struct mhi_clip_answer *answer = request->answer;
	struct mh_clip_request **at;

	if (request->agent) {
		at = &request->agent->clip.asked;
		while (*at != request)
			at = &(*at)->next;
		*at = request->next;
		request->agent->clip.asked_count--;
	}
	if (answer)
		answer->request = NULL;
	free(request);
	return answer;
}

static int fill_answer(struct mhi_agent *a, struct mhi_clip_answer *answer, const void *data,
		       size_t bytes)
{
	const struct mhi_msg_clip_size size = { .bytes = bytes };

	if (bytes > a->clip.policy.bytes) {
		answer_end(a, answer, MHI_AGENT_TOO_LARGE);
		return MH_ERANGE;
	}
	answer->data = malloc(bytes ? bytes : 1);
	if (!answer->data) {
		answer_end(a, answer, MHI_AGENT_FAILED);
		return MH_ENOMEM;
	}
	if (bytes)
		memcpy(answer->data, data, bytes);
	answer->bytes = bytes;
	mhi_agent_push_answer(a, MHI_MSG_CLIP_SIZE, answer->serial, &size);
	return 0;
}

int mhi_clip_answer(struct mh_clip_request *request, const void *data, size_t bytes)
{
	struct mhi_agent *a = request->agent;
	struct mhi_clip_answer *answer = take_answer(request);
	int rc;

	if (!answer)
		return MH_ESTATE;
	mhi_agent_enter(a);
	rc = fill_answer(a, answer, data, bytes);
	mhi_agent_leave(a);
	return rc;
}

void mhi_clip_refuse(struct mh_clip_request *request)
{
	struct mhi_agent *a = request->agent;
	struct mhi_clip_answer *answer = take_answer(request);

	if (!answer)
		return;
	mhi_agent_enter(a);
	answer_end(a, answer, MHI_AGENT_MISSING);
	mhi_agent_leave(a);
}

/* ---- somebody on the host pastes ---- */

struct get {
	struct mhi_agent_request r;
	u32 kind;
	mh_clipboard_fn *fn;
	void *opaque;
	bool sized;
	u64 bytes;
	u32 window, owed;
	struct mhi_agent_queue data;
};

static const struct mhi_agent_request_ops get_ops;

static int on_size(struct mhi_agent *a, struct get *g, u64 bytes)
{
	if (g->sized)
		return -1;
	g->sized = true;
	g->bytes = bytes;
	if (bytes > a->clip.policy.bytes)
		mhi_agent_request_give_up(a, &g->r, MH_ERANGE);
	return 0;
}

static int on_data(struct mhi_agent *a, struct get *g, const struct mhi_msg_data *msg)
{
	u32 bytes = msg->data.bytes;

	if (!g->sized || msg->stream || bytes > g->window || bytes > g->bytes - g->data.count)
		return -1;
	if (!mhi_agent_append(&g->data, msg->data.data, bytes)) {
		mhi_agent_request_give_up(a, &g->r, MH_ENOMEM);
		return 0;
	}
	g->window -= bytes;
	g->owed += bytes;
	if (g->owed >= CREDIT_STEP) {
		const struct mhi_msg_credit credit = { .bytes = g->owed };

		mhi_agent_push_answer(a, MHI_MSG_CREDIT, g->r.serial, &credit);
		g->window += g->owed;
		g->owed = 0;
	}
	return 0;
}

static int get_message(struct mhi_agent *a, struct mhi_agent_request *r,
		       const struct mhi_agent_msg *msg)
{
	struct get *g = (struct get *)r;

	switch (msg->type) {
	case MHI_MSG_CLIP_SIZE:
		return on_size(a, g, msg->u.clip_size.bytes);
	case MHI_MSG_DATA:
		return on_data(a, g, &msg->u.data);
	default:
		return -1;
	}
}

/* Programs on this host will believe that it is what it is said to be. */
static bool is_of_kind(const struct get *g)
{
	static const u8 png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	const u8 *data = g->data.data + g->data.first;

	if (g->kind != MH_CLIP_PNG)
		return mhi_agent_is_text(data, g->data.count);
	return g->data.count >= sizeof(png) && !memcmp(data, png, sizeof(png));
}

static void get_end(struct mhi_agent *a, struct mhi_agent_request *r, int rc, const char *text)
{
	struct get *g = (struct get *)r;

	a->clip.gets--;
	if (!rc && (!g->sized || g->data.count != g->bytes))
		rc = MH_EIO;
	if (!rc && !is_of_kind(g))
		rc = MH_EFORMAT;
	g->fn(g->opaque, rc, rc ? NULL : g->data.data + g->data.first, rc ? 0 : g->data.count);
}

static void get_fini(struct mhi_agent_request *r)
{
	mhi_agent_queue_fini(&((struct get *)r)->data);
}

static const struct mhi_agent_request_ops get_ops = {
	.message = get_message,
	.end = get_end,
	.fini = get_fini,
};

int mhi_clip_get(struct mhi_agent *a, u32 selection, u32 kind, mh_clipboard_fn *fn, void *opaque)
{
	struct mhi_clip *c = &a->clip;
	const struct mhi_msg_clip_request msg = { .selection = selection,
						  .offer = c->guest_offer[selection],
						  .kind = kind };
	struct get *g;
	int rc;

	if (!c->on || !a->connected)
		return MH_ESTATE;
	if (!(allowed(c, MH_CLIP_FROM_GUEST, c->guest_kinds[selection]) & kind))
		return MH_ENOENT;
	if (c->gets == GETS_MAX)
		return MH_EBUSY;
	g = calloc(1, sizeof(*g));
	if (!g)
		return MH_ENOMEM;
	*g = (struct get){ .r.ops = &get_ops,
			   .kind = kind,
			   .fn = fn,
			   .opaque = opaque,
			   .window = MHI_AGENT_WINDOW_BYTES };
	mhi_agent_enter(a);
	rc = mhi_agent_ask(a, &g->r, feature_of(selection), MHI_MSG_CLIP_REQUEST, &msg);
	if (!rc)
		c->gets++;
	mhi_agent_leave(a);
	return rc;
}

/* ---- life ---- */

int mhi_clip_start(struct mhi_agent *a, const struct mh_clip_policy *policy,
		   const struct mh_clipboard_ops *ops, void *opaque)
{
	struct mhi_clip *c = &a->clip;

	if (c->on)
		return MH_EBUSY;
	c->on = true;
	c->policy = *policy;
	c->policy.directions &= a->env.clip.directions;
	c->policy.kinds &= a->env.clip.kinds;
	if (c->policy.bytes > a->env.clip.bytes)
		c->policy.bytes = a->env.clip.bytes;
	c->ops = *ops;
	c->opaque = opaque;
	/* What the guest has offered so far. */
	mhi_agent_enter(a);
	for (u32 n = 0; n < SELECTIONS && c->on; n++)
		if (c->guest_kinds[n])
			guest_offers(a, n, c->guest_offer[n], c->guest_kinds[n]);
	mhi_agent_leave(a);
	return 0;
}

static void end_answers(struct mhi_agent *a)
{
	while (a->clip.answers)
		answer_end(a, a->clip.answers, MHI_AGENT_MISSING);
}

int mhi_clip_stop(struct mhi_agent *a)
{
	struct mhi_clip *c = &a->clip;

	if (!c->on)
		return MH_ENOENT;
	mhi_agent_enter(a);
	c->on = false;
	for (u32 n = 0; n < SELECTIONS; n++)
		set_offer(a, n, 0);
	end_answers(a);
	for (struct mhi_agent_request *r = a->requests; r; r = r->next)
		if (r->ops == &get_ops && !r->dead)
			mhi_agent_request_give_up(a, r, MH_ESTATE);
	mhi_agent_leave(a);
	return 0;
}

/* The host's offers stay, for the next agent. */
void mhi_clip_lost(struct mhi_agent *a)
{
	while (a->clip.answers)
		answer_free(a, a->clip.answers);
	for (u32 n = 0; n < SELECTIONS; n++)
		guest_offers(a, n, 0, 0);
}

void mhi_clip_fini(struct mhi_agent *a)
{
	for (struct mh_clip_request *r = a->clip.asked; r; r = r->next)
		r->agent = NULL;
}

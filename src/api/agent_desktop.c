/* SPDX-License-Identifier: MIT */
/* The guest's windows and clipboard by its agent: public functions, done on the loop's thread. */
#include "api/agent_impl.h"

/* What a call does on the loop. */
struct op {
	struct mh_agent *agent;
	const void *config, *ops;
	void *opaque;
	u64 id;
	u32 selection, kinds;
	const struct mh_rect *rect;
	mh_clipboard_fn *fn;
	int rc;
};

static int run(struct mh_agent *agent, const char *what, void (*fn)(void *opaque), struct op *op)
{
	op->agent = agent;
	mhi_loop_call(agent->loop, fn, op);
	return mhi_agent_failed(agent, what, op->rc);
}

/* ---- windows ---- */

static void do_start(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_windows_start(op->agent->session, op->ops, op->opaque);
}

int mh_seamless_start(struct mh_agent *agent, const struct mh_seamless_ops *ops, void *opaque)
{
	struct op op = { .ops = ops, .opaque = opaque };

	if (!agent)
		return MH_EINVAL;
	if (!ops || ops->version != 1)
		return mhi_agent_wrong(agent, "windows",
				       "ops is NULL, or its version is not 1; set it to 1");
	return run(agent, "windows", do_start, &op);
}

static void do_stop(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_windows_stop(op->agent->session);
}

int mh_seamless_stop(struct mh_agent *agent)
{
	struct op op = { 0 };

	return agent ? run(agent, "stop windows", do_stop, &op) : MH_EINVAL;
}

static void do_configure(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_windows_configure(op->agent->session, op->id, op->rect);
}

int mh_window_configure(struct mh_agent *agent, uint64_t id, const struct mh_rect *rect)
{
	struct op op = { .id = id, .rect = rect };

	return agent && rect ? run(agent, "place a window", do_configure, &op) : MH_EINVAL;
}

static void do_act(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_windows_act(op->agent->session, op->id, op->kinds);
}

int mh_window_act(struct mh_agent *agent, uint64_t id, uint32_t action)
{
	struct op op = { .id = id, .kinds = action };

	return agent ? run(agent, "act on a window", do_act, &op) : MH_EINVAL;
}

static void do_work_area(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_windows_work_area(op->agent->session, op->rect, op->kinds);
}

int mh_seamless_work_area(struct mh_agent *agent, const struct mh_rect *area, uint32_t scale)
{
	struct op op = { .rect = area, .kinds = scale };

	return agent && area ? run(agent, "work area", do_work_area, &op) : MH_EINVAL;
}

/* ---- clipboard ---- */

static void do_clip_start(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_clip_start(op->agent->session, op->config, op->ops, op->opaque);
}

int mh_clipboard_start(struct mh_agent *agent, const struct mh_clip_policy *policy,
		       const struct mh_clipboard_ops *ops, void *opaque)
{
	const struct mh_clip_policy any = {
		.size = sizeof(any),
		.directions = MH_CLIP_TO_GUEST | MH_CLIP_FROM_GUEST,
		.kinds = MH_CLIP_TEXT | MH_CLIP_HTML | MH_CLIP_PNG | MH_CLIP_FILES,
		.bytes = UINT64_MAX,
	};
	struct op op = { .config = policy ? policy : &any, .ops = ops, .opaque = opaque };

	if (!agent)
		return MH_EINVAL;
	if (policy && policy->size != sizeof(*policy))
		return mhi_agent_wrong(agent, "clipboard",
				       "policy->size is %zu, not %zu; use the INIT macro",
				       policy->size, sizeof(*policy));
	if (!ops || ops->version != 1)
		return mhi_agent_wrong(agent, "clipboard",
				       "ops is NULL, or its version is not 1; set it to 1");
	return run(agent, "clipboard", do_clip_start, &op);
}

static void do_clip_stop(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_clip_stop(op->agent->session);
}

int mh_clipboard_stop(struct mh_agent *agent)
{
	struct op op = { 0 };

	return agent ? run(agent, "stop the clipboard", do_clip_stop, &op) : MH_EINVAL;
}

static int check_selection(struct mh_agent *agent, u32 selection, u32 kinds, bool one)
{
	const u32 all = MH_CLIP_TEXT | MH_CLIP_HTML | MH_CLIP_PNG | MH_CLIP_FILES;

	if (selection > MH_CLIP_PRIMARY)
		return mhi_agent_wrong(agent, "clipboard",
				       "there is no selection %u; use MH_CLIP_CLIPBOARD or "
				       "MH_CLIP_PRIMARY",
				       selection);
	if ((kinds & ~all) || (one && (!kinds || (kinds & (kinds - 1)))))
		return mhi_agent_wrong(agent, "clipboard", "0x%x is not what MH_CLIP_* has; use %s",
				       kinds, one ? "one of them" : "those");
	return 0;
}

static void do_offer(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_clip_offer(op->agent->session, op->selection, op->kinds);
}

int mh_clipboard_offer(struct mh_agent *agent, uint32_t selection, uint32_t kinds)
{
	struct op op = { .selection = selection, .kinds = kinds };
	int rc = agent ? check_selection(agent, selection, kinds, false) : MH_EINVAL;

	return rc ? rc : run(agent, "offer", do_offer, &op);
}

static void do_get(void *opaque)
{
	struct op *op = opaque;

	op->rc = mhi_clip_get(op->agent->session, op->selection, op->kinds, op->fn, op->opaque);
}

int mh_clipboard_get(struct mh_agent *agent, uint32_t selection, uint32_t kind, mh_clipboard_fn *fn,
		     void *opaque)
{
	struct op op = { .selection = selection, .kinds = kind, .fn = fn, .opaque = opaque };
	int rc = agent ? check_selection(agent, selection, kind, true) : MH_EINVAL;

	if (!rc && !fn)
		rc = mhi_agent_wrong(agent, "clipboard", "fn is NULL; pass a function");
	return rc ? rc : run(agent, "get the clipboard", do_get, &op);
}

struct answer_call {
	struct mh_clip_request *request;
	const void *data;
	size_t bytes;
	int rc;
};

static void do_answer(void *opaque)
{
	struct answer_call *call = opaque;

	call->rc = mhi_clip_answer(call->request, call->data, call->bytes);
}

static void do_refuse(void *opaque)
{
	struct answer_call *call = opaque;

	mhi_clip_refuse(call->request);
}

int mh_clipboard_answer(struct mh_clip_request *request, const void *data, size_t bytes)
{
	struct answer_call call = { request, data, bytes, MH_EINVAL };
	bool good = data || !bytes;

	if (!request)
		return MH_EINVAL;
	mhi_loop_call(mhi_clip_request_loop(request), good ? do_answer : do_refuse, &call);
	return call.rc;
}

int mh_clipboard_refuse(struct mh_clip_request *request)
{
	struct answer_call call = { .request = request };

	if (!request)
		return MH_EINVAL;
	mhi_loop_call(mhi_clip_request_loop(request), do_refuse, &call);
	return 0;
}

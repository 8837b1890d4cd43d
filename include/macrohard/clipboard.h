/* SPDX-License-Identifier: MIT */
/*
 * The clipboard between host and guest, by the guest's agent: lazily, as every desktop does it. The
 * owner offers kinds of content; the content itself goes over when somebody pastes. What may go
 * where is the host's to say, by a policy.
 */
#ifndef MACROHARD_CLIPBOARD_H
#define MACROHARD_CLIPBOARD_H

#include <macrohard/agent.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mh_clip_selection {
	MH_CLIP_CLIPBOARD = 0,
	MH_CLIP_PRIMARY /* X11's: what is marked; Linux guests only */
};

/* Kinds of content, one bit each. */
#define MH_CLIP_TEXT (1u << 0)	/* UTF-8; lines end with \n here: the agent converts */
#define MH_CLIP_HTML (1u << 1)	/* UTF-8: a document or a fragment of one */
#define MH_CLIP_PNG (1u << 2)	/* an image */
#define MH_CLIP_FILES (1u << 3) /* absolute paths of this host, each with a \n behind it */

#define MH_CLIP_TO_GUEST (1u << 0)
#define MH_CLIP_FROM_GUEST (1u << 1)

struct mh_clip_policy {
	size_t size;	     /* sizeof(struct mh_clip_policy), by MH_CLIP_POLICY_INIT */
	uint32_t directions; /* MH_CLIP_TO_GUEST, MH_CLIP_FROM_GUEST; 0: off */
	uint32_t kinds;	     /* MH_CLIP_TEXT, ...: others are neither offered nor given */
	uint64_t bytes;	     /* of one content, at most; up to 1 GiB */
};

/* Both ways, everything but files, at most 16 MiB. */
#define MH_CLIP_POLICY_INIT                                                           \
	{                                                                             \
		sizeof(struct mh_clip_policy), MH_CLIP_TO_GUEST | MH_CLIP_FROM_GUEST, \
			MH_CLIP_TEXT | MH_CLIP_HTML | MH_CLIP_PNG, (uint64_t)16 << 20 \
	}

/* Somebody in the guest pastes what the host has offered. */
struct mh_clip_request;

/*
 * The host's side. Functions are called on the thread of the context's devices, one at a time, and
 * must not wait; the functions below are allowed.
 */
struct mh_clipboard_ops {
	uint32_t version; /* 1 */
	/* The guest has content of these kinds, as far as the policy lets it; 0: none any more. */
	void (*offered)(void *opaque, enum mh_clip_selection selection, uint32_t kinds);
	/*
	 * The guest wants what mh_clipboard_offer promised. Answer by mh_clipboard_answer or
	 * mh_clipboard_refuse, now or later, by any thread, once.
	 */
	void (*wanted)(void *opaque, enum mh_clip_selection selection, uint32_t kind,
		       struct mh_clip_request *request);
};

/*
 * Content that mh_clipboard_get asked for. rc 0: data [bytes] is all of it, valid until the
 * function returns; MH_ENOENT (the offer is gone), MH_EPERM (the policy), MH_ERANGE (too large),
 * MH_ETIMEDOUT (the guest does not answer), MH_ESTATE (the agent is gone, or nobody takes part any
 * more), MH_EFORMAT (it is not of its kind), MH_ENOMEM, or what the agent refuses it with:
 * MH_EINVAL, MH_ENOTSUP, MH_EBUSY, MH_EIO: there is none.
 */
typedef void mh_clipboard_fn(void *opaque, int rc, const void *data, size_t bytes);

/**
 * Take part in the guest's clipboard, when an agent that can is connected, and as soon as one is.
 * One at a time for each agent.
 * @policy  NULL: all that the agent's config allows; copied. What that does not allow stays
 *          forbidden
 * @ops     copied
 * Thread: [any]
 * Returns 0; MH_EINVAL (policy, ops), MH_EBUSY (somebody does it already).   Since: 1.0
 */
MH_API int mh_clipboard_start(struct mh_agent *agent, const struct mh_clip_policy *policy,
			      const struct mh_clipboard_ops *ops, void *opaque);

/**
 * End that: the guest is told that there is nothing to paste, contents that are on their way get
 * MH_ESTATE, and nothing is called any more when it has returned.
 * Thread: [any], callbacks too   Returns 0; MH_ENOENT (nobody has started).   Since: 1.0
 */
MH_API int mh_clipboard_stop(struct mh_agent *agent);

/**
 * Offer the guest content. It is kept, and offered again to an agent that comes later. What the
 * policy forbids is left out.
 * @selection  enum mh_clip_selection
 * @kinds      MH_CLIP_*; 0: nothing any more
 * Thread: [any]   Returns 0; MH_EINVAL (selection, kinds), MH_ESTATE (not started).   Since: 1.0
 */
MH_API int mh_clipboard_offer(struct mh_agent *agent, uint32_t selection, uint32_t kinds);

/**
 * Ask for content that the guest has offered. At most 16 contents come at a time.
 * @kind  one bit of what offered told
 * @fn    called once if 0 was returned
 * Thread: [any]
 * Returns 0; MH_EINVAL (selection, kind, fn), MH_ESTATE (not started, or no agent is connected),
 * MH_ENOENT (it is not offered), MH_EBUSY (too many), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_clipboard_get(struct mh_agent *agent, uint32_t selection, uint32_t kind,
			    mh_clipboard_fn *fn, void *opaque);

/**
 * Give what was wanted. More than the policy allows is refused for you. It also goes when nobody
 * waits any more, and the agent is lost or closed.
 * @data  copied
 * Ownership: the request is gone after it, whatever it returns.
 * Thread: [any], before mh_ctx_destroy
 * Returns 0; MH_EINVAL (request, data), MH_ERANGE (too large: refused), MH_ENOMEM (refused),
 * MH_ESTATE (nobody waits).   Since: 1.0
 */
MH_API int mh_clipboard_answer(struct mh_clip_request *request, const void *data, size_t bytes);

/**
 * There is none.
 * Ownership, thread: as above   Returns 0; MH_EINVAL (request is NULL).   Since: 1.0
 */
MH_API int mh_clipboard_refuse(struct mh_clip_request *request);

#ifdef __cplusplus
}
#endif
#endif

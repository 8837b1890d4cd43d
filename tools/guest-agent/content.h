/* SPDX-License-Identifier: MIT */
/* Contents of the clipboard on their way: one that is sent whole, one that is asked for whole. */
#ifndef GUEST_AGENT_CONTENT_H
#define GUEST_AGENT_CONTENT_H

#include "session.h"

/* The most that is sent or taken; the host's policy may be narrower. */
#define GA_CONTENT_MAX (256u << 20)

/*
 * Answer the host's CLIP_REQUEST by data [bytes], which was allocated by malloc and is freed here.
 * The request is ended by this.
 */
void ga_content_send(struct ga_request *request, uint8_t *data, size_t bytes);

/*
 * What was asked for is there: data [bytes], allocated by malloc, is the function's now, and has a
 * zero behind it. NULL: there is none: refused, too large, the host is gone.
 */
typedef void ga_content_fn(void *opaque, uint8_t *data, size_t bytes);

struct ga_content;

/*
 * Ask the host for what it offered. fn is called once, later, unless ga_content_forget comes first.
 * NULL: it cannot be asked now; fn is not called.
 */
struct ga_content *ga_content_ask(struct ga_session *session,
				  const struct mhi_msg_clip_request *what, ga_content_fn *fn,
				  void *opaque);
void ga_content_forget(struct ga_content *content);

#endif

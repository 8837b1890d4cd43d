/* SPDX-License-Identifier: MIT */
/* What the agent tells about its guest: collected until it is whole. */
#include <stdlib.h>

#include "integration/agent_priv.h"

MHI_STATIC_ASSERT(MH_AGENT_ADDRESSES_MAX == MHI_AGENT_INFO_MAX);
MHI_STATIC_ASSERT(MH_AGENT_USERS_MAX == MHI_AGENT_INFO_MAX);

struct info {
	struct mhi_agent_request r;
	mh_agent_info_fn *fn;
	void *opaque;
	bool begun; /* INFO has come */
	struct mh_agent_info is;
	struct mh_agent_address address[MH_AGENT_ADDRESSES_MAX];
	struct mh_agent_user user[MH_AGENT_USERS_MAX];
	/* All texts, by their place in it: it moves while it grows. */
	struct mhi_agent_queue texts;
	bool no_memory;
};

/* A place in texts, as the pointer that it becomes at the end. */
static const char *keep(struct info *in, const char *text)
{
	size_t at = in->texts.count;

	if (!mhi_agent_append(&in->texts, text, strlen(text) + 1))
		in->no_memory = true;
	return (const char *)(uintptr_t)at;
}

static void place(const struct info *in, const char **text)
{
	*text = (const char *)in->texts.data + (uintptr_t)*text;
}

static bool fits(const char *text)
{
	return strlen(text) < MHI_AGENT_TEXT_MAX;
}

static int on_info(struct info *in, const struct mhi_msg_info *m)
{
	if (in->begun || !fits(m->host_name) || !fits(m->os_name) || !fits(m->os_version) ||
	    !fits(m->kernel))
		return -1;
	in->begun = true;
	in->is.host_name = keep(in, m->host_name);
	in->is.os_name = keep(in, m->os_name);
	in->is.os_version = keep(in, m->os_version);
	in->is.kernel = keep(in, m->kernel);
	in->is.uptime_ms = m->uptime_ms;
	return 0;
}

static int on_address(struct info *in, const struct mhi_msg_info_address *m)
{
	struct mh_agent_address *to = &in->address[in->is.addresses];

	if (in->is.addresses == MH_AGENT_ADDRESSES_MAX || !fits(m->interface) || !fits(m->mac) ||
	    !fits(m->address))
		return -1;
	in->is.addresses++;
	to->interface = keep(in, m->interface);
	to->mac = keep(in, m->mac);
	to->address = keep(in, m->address);
	to->prefix = m->prefix;
	return 0;
}

static int on_user(struct info *in, const struct mhi_msg_info_user *m)
{
	struct mh_agent_user *to = &in->user[in->is.users];

	if (in->is.users == MH_AGENT_USERS_MAX || !fits(m->name) || !fits(m->terminal))
		return -1;
	in->is.users++;
	to->name = keep(in, m->name);
	to->terminal = keep(in, m->terminal);
	to->since = m->since;
	return 0;
}

static int info_message(struct mhi_agent *a, struct mhi_agent_request *r,
			const struct mhi_agent_msg *msg)
{
	struct info *in = (struct info *)r;

	switch (msg->type) {
	case MHI_MSG_INFO:
		return on_info(in, &msg->u.info);
	case MHI_MSG_INFO_ADDRESS:
		return on_address(in, &msg->u.info_address);
	case MHI_MSG_INFO_USER:
		return on_user(in, &msg->u.info_user);
	default:
		return -1;
	}
}

static void place_all(struct info *in)
{
	place(in, &in->is.host_name);
	place(in, &in->is.os_name);
	place(in, &in->is.os_version);
	place(in, &in->is.kernel);
	for (u32 n = 0; n < in->is.addresses; n++) {
		place(in, &in->address[n].interface);
		place(in, &in->address[n].mac);
		place(in, &in->address[n].address);
	}
	for (u32 n = 0; n < in->is.users; n++) {
		place(in, &in->user[n].name);
		place(in, &in->user[n].terminal);
	}
	in->is.address = in->address;
	in->is.user = in->user;
}

static void info_end(struct mhi_agent *a, struct mhi_agent_request *r, int rc, const char *text)
{
	struct info *in = (struct info *)r;

	if (!rc && in->no_memory)
		rc = MH_ENOMEM;
	/* It said "done" and nothing else. */
	if (!rc && !in->begun)
		rc = MH_EIO;
	if (!rc)
		place_all(in);
	in->fn(in->opaque, rc, rc ? NULL : &in->is);
}

static void info_fini(struct mhi_agent_request *r)
{
	mhi_agent_queue_fini(&((struct info *)r)->texts);
}

static const struct mhi_agent_request_ops info_ops = {
	.message = info_message,
	.end = info_end,
	.fini = info_fini,
};

int mhi_agent_info(struct mhi_agent *a, mh_agent_info_fn *fn, void *opaque)
{
	const struct mhi_msg_get_info msg = { 0 };
	struct info *in = calloc(1, sizeof(*in));
	int rc;

	if (!in)
		return MH_ENOMEM;
	in->r.ops = &info_ops;
	in->fn = fn;
	in->opaque = opaque;
	in->is.size = sizeof(in->is);
	mhi_agent_enter(a);
	rc = mhi_agent_ask(a, &in->r, MHI_AGENT_F_INFO, MHI_MSG_GET_INFO, &msg);
	mhi_agent_leave(a);
	return rc;
}

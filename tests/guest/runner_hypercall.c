/* SPDX-License-Identifier: MIT */
/* Who listens to the guests' hypercalls: checks what arrives, and answers. */
#include "runner.h"

static int echo(struct run *r, struct mh_hypercall *call)
{
	const uint8_t *in = call->in;
	uint8_t *out = call->out;
	uint32_t i;

	for (i = 0; i < call->in_bytes; i++)
		if (in[i] != (uint8_t)(i * 7 + call->in_bytes)) {
			run_fail(r, "byte %u of a message of %u is 0x%x", i, call->in_bytes, in[i]);
			return MH_EINVAL;
		}
	for (i = 0; i < call->in_bytes && i < call->out_room; i++)
		out[i] = in[i] ^ (uint8_t)call->number;
	call->out_bytes = i;
	return 0;
}

static int on_message(void *opaque, struct mh_hypercall *call)
{
	struct run *r = opaque;

	if (call->vcpu >= r->guest->cpus)
		run_fail(r, "a message of vCPU %u", call->vcpu);
	switch (call->channel) {
	case HC_CHANNEL_ECHO:
		return echo(r, call);
	case HC_CHANNEL_NONE:
		return MH_ENOENT;
	case HC_CHANNEL_TOO_MUCH:
		call->out_bytes = call->out_room + 1;
		return 0;
	default:
		run_fail(r, "a message to channel %u, of %u bytes, room for %u", call->channel,
			 call->in_bytes, call->out_room);
		return MH_EINVAL;
	}
}

int run_add_listeners(struct run *r)
{
	int rc = mh_hypercall_handler(r->vm, MH_HC_IPC, on_message, r);

	return rc ? rc : mh_hypercall_handler(r->vm, MH_HC_CLIPBOARD, on_message, r);
}

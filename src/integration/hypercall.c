/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: one table from numbers to what is done. Arguments are registers, copied before; a
 * buffer is copied out of guest memory once, and only the copy is looked at.
 */
#include "integration/hypercall.h"

#include <stdlib.h>

#include "macrohard/error.h"

#define FIRST_VECTOR \
	32u /* those below are the CPU's: SDM 3A 6.2 "Exception and Interrupt Vectors" */
#define LAST_VECTOR 255u
#define MAX_32 0xffffffffull

MHI_STATIC_ASSERT(sizeof(struct mhg_memory) == 24);
MHI_STATIC_ASSERT(sizeof(struct mhg_time) == 16);
MHI_STATIC_ASSERT(MHI_SLOTS_MAX + 2 <= MHG_MEMORY_MAX);
MHI_STATIC_ASSERT(MH_HC_IPC == MHG_IPC && MH_HC_CLIPBOARD == MHG_CLIPBOARD &&
		  MH_HC_DISPLAY == MHG_DISPLAY);

typedef s64 call_fn(struct mhi_hypercalls *h, const struct mhi_hc_call *call);

/* ---- what the library answers itself ---- */

static s64 on_version(struct mhi_hypercalls *h, const struct mhi_hc_call *call)
{
	return h->env.version;
}

static s64 on_features(struct mhi_hypercalls *h, const struct mhi_hc_call *call)
{
	return mhi_hc_features(h);
}

static const struct mhi_slot *next_slot(const struct mhi_slots *slots, mh_gpa from)
{
	const struct mhi_slot *next = NULL;
	u32 i;

	for (i = 0; i < slots->end; i++) {
		const struct mhi_slot *slot = &slots->slot[i];

		if (slot->bytes && slot->gpa >= from && (!next || slot->gpa < next->gpa))
			next = slot;
	}
	return next;
}

struct map {
	struct mhg_memory entry[MHG_MEMORY_MAX];
	u32 count;
};

static void add(struct map *map, mh_gpa start, mh_gpa end, u32 type)
{
	if (start < end)
		map->entry[map->count++] = (struct mhg_memory){ start, end - start, type, 0 };
}

static mh_gpa clamp(mh_gpa gpa, mh_gpa low, mh_gpa high)
{
	return gpa < low ? low : gpa > high ? high : gpa;
}

/* Only one slot holds the firmware's tables or two halves of them: at most two entries more. */
static void add_slot(struct map *map, const struct mhi_hc_env *env, const struct mhi_slot *slot)
{
	mh_gpa start = slot->gpa, end = start + slot->bytes;
	mh_gpa low = clamp(env->firmware_start, start, end);
	mh_gpa high = clamp(env->firmware_end, start, end);

	if (slot->readonly || low == high) {
		add(map, start, end, slot->readonly ? MHG_MEMORY_RESERVED : MHG_MEMORY_RAM);
		return;
	}
	add(map, start, low, MHG_MEMORY_RAM);
	add(map, low, high, MHG_MEMORY_RESERVED);
	add(map, high, end, MHG_MEMORY_RAM);
}

static s64 on_memory_map(struct mhi_hypercalls *h, const struct mhi_hc_call *call)
{
	const struct mhi_slot *slot = next_slot(&h->env.mem->slots, 0);
	struct map map = { .count = 0 };
	u64 room = call->arg[1];

	for (; slot; slot = next_slot(&h->env.mem->slots, slot->gpa + slot->bytes))
		add_slot(&map, &h->env, slot);
	if (room > map.count)
		room = map.count;
	if (mhi_gmem_write(h->env.mem, call->arg[0], map.entry, room * sizeof(map.entry[0]), false))
		return MHG_EFAULT;
	return map.count;
}

static s64 tell_time(struct mhi_hypercalls *h, mh_gpa gpa)
{
	struct mhg_time now;

	h->env.time(h->env.opaque, &now);
	return mhi_gmem_write(h->env.mem, gpa, &now, sizeof(now), false) ? MHG_EFAULT : 0;
}

static s64 on_timer(struct mhi_hypercalls *h, const struct mhi_hc_call *call)
{
	u64 us = call->arg[1], vector = call->arg[2];

	switch (call->arg[0]) {
	case MHG_TIMER_TIME:
		return tell_time(h, call->arg[1]);
	case MHG_TIMER_ARM:
		if (us > MAX_32)
			return MHG_ERANGE;
		if (vector < FIRST_VECTOR || vector > LAST_VECTOR)
			return MHG_EINVAL;
		return h->env.timer_arm(h->env.opaque, call->vcpu, us, (u8)vector);
	case MHG_TIMER_CANCEL:
		return h->env.timer_cancel(h->env.opaque, call->vcpu);
	default:
		return MHG_EINVAL;
	}
}

/* ---- what the embedder answers ---- */

static s64 guest_error(int error)
{
	switch (error) {
	case MH_EINVAL:
		return MHG_EINVAL;
	case MH_EPERM:
		return MHG_EPERM;
	case MH_ENOENT:
		return MHG_ENOENT;
	case MH_EBUSY:
		return MHG_EBUSY;
	case MH_ERANGE:
		return MHG_ERANGE;
	case MH_ENOTSUP:
		return MHG_ENOTSUP;
	case MH_ENOMEM:
		return MHG_ENOMEM;
	default:
		return MHG_EIO;
	}
}

static s64 answer(struct mhi_hypercalls *h, const struct mhi_hc_handler *handler, mh_gpa gpa,
		  struct mh_hypercall *msg)
{
	int rc = handler->fn(handler->opaque, msg);

	if (rc)
		return guest_error(rc);
	if (msg->out_bytes > msg->out_room)
		return MHG_EIO;
	if (mhi_gmem_write(h->env.mem, gpa, msg->out, msg->out_bytes, false))
		return MHG_EFAULT;
	return msg->out_bytes;
}

/* The handler sees a message only when it can be answered. */
static s64 on_message(struct mhi_hypercalls *h, const struct mhi_hc_call *call)
{
	const struct mhi_hc_handler *handler = mhi_hc_handler(h, (u32)call->number);
	mh_gpa gpa = call->arg[1];
	u64 bytes = call->arg[2], room = call->arg[3];
	struct mh_hypercall msg;
	u8 *buf;
	s64 rc;

	if (!handler->fn)
		return MHG_ENOTSUP;
	if (call->arg[0] > MAX_32)
		return MHG_EINVAL;
	if (bytes > MHG_MESSAGE_MAX || room > MHG_MESSAGE_MAX)
		return MHG_ERANGE;
	if (!mhi_gmem_writable(h->env.mem, gpa, room))
		return MHG_EFAULT;
	buf = calloc(1, bytes + room + 1);
	if (!buf)
		return MHG_ENOMEM;
	msg = (struct mh_hypercall){ .number = (u32)call->number,
				     .vcpu = call->vcpu,
				     .channel = (u32)call->arg[0],
				     .in_bytes = (u32)bytes,
				     .in = buf,
				     .out = buf + bytes,
				     .out_room = (u32)room };
	rc = mhi_gmem_read(h->env.mem, gpa, buf, bytes) ? MHG_EFAULT
							: answer(h, handler, gpa, &msg);
	free(buf);
	return rc;
}

/* ---- the table ---- */

#define NO_HANDLER MHI_HC_HANDLERS

static const struct {
	u32 number, feature;
	call_fn *fn;
	u32 handler; /* whose it is, or NO_HANDLER */
} calls[] = {
	{ MHG_VERSION, MHG_F_VERSION, on_version, NO_HANDLER },
	{ MHG_FEATURES, MHG_F_FEATURES, on_features, NO_HANDLER },
	{ MHG_MEMORY_MAP, MHG_F_MEMORY_MAP, on_memory_map, NO_HANDLER },
	{ MHG_TIMER, MHG_F_TIMER, on_timer, NO_HANDLER },
	{ MHG_IPC, MHG_F_IPC, on_message, 0 },
	{ MHG_CLIPBOARD, MHG_F_CLIPBOARD, on_message, 1 },
	{ MHG_DISPLAY, MHG_F_DISPLAY, on_message, 2 },
};

struct mhi_hc_handler *mhi_hc_handler(struct mhi_hypercalls *h, u32 number)
{
	u32 i;

	for (i = 0; i < MHI_COUNT(calls); i++)
		if (calls[i].number == number && calls[i].handler != NO_HANDLER)
			return &h->handler[calls[i].handler];
	return NULL;
}

u32 mhi_hc_features(const struct mhi_hypercalls *h)
{
	u32 features = 0, i;

	for (i = 0; i < MHI_COUNT(calls); i++)
		if (calls[i].handler == NO_HANDLER || h->handler[calls[i].handler].fn)
			features |= calls[i].feature;
	return features;
}

static u64 reg(const struct mhi_hc_call *call, u64 value)
{
	return call->wide ? value : value & MAX_32;
}

bool mhi_hc_is_ours(const struct mhi_hc_call *call)
{
	return reg(call, call->key) == MHG_KEY;
}

static s64 do_call(struct mhi_hypercalls *h, const struct mhi_hc_call *call)
{
	u32 i;

	if (call->cpl != 0)
		return MHG_EPERM;
	for (i = 0; i < MHI_COUNT(calls); i++)
		if (calls[i].number == call->number)
			return calls[i].fn(h, call);
	return MHG_ENOSYS;
}

u64 mhi_hc_do(struct mhi_hypercalls *h, const struct mhi_hc_call *call)
{
	struct mhi_hc_call narrow = *call;
	u32 i;

	narrow.number = reg(call, call->number);
	for (i = 0; i < MHI_HC_ARGS; i++)
		narrow.arg[i] = reg(call, call->arg[i]);
	return reg(call, (u64)do_call(h, &narrow));
}

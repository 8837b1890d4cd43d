/* SPDX-License-Identifier: MIT */
/*
 * virtio-input. virtio 1.2, 5.8 "Input Device"; event types and codes are those of Linux's evdev
 * (linux/input-event-codes.h), which the specification refers to.
 */
#include "virtio/input.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>

#include "core/keys.h"
#include "core/le.h"
#include "macrohard/error.h"
#include "virtio/input_desc.h"

/* 5.8.2 "Virtqueues". */
#define EVENTS 0
#define STATUS 1
#define QUEUES 2
#define QUEUE_SIZE 64

/* 5.8.6 "Device Operation": le16 type, le16 code, le32 value. */
#define EVENT_BYTES 8

#define RING 256		 /* events that wait for the guest */
#define REPORT_MAX 9		 /* events of one report, with the one that ends it */
#define BATCH 64		 /* buffers before other devices have their turn */
#define NOT_TOUCHING 0xffffffffu /* ABS_MT_TRACKING_ID of a finger that was lifted */
#define NO_SLOT (~0u)

struct event {
	u16 type, code;
	u32 value;
};

struct report {
	struct event event[REPORT_MAX];
	unsigned int count;
};

/* What a touch screen's guest has been told. */
struct touches {
	u32 down, owed; /* (m) bit n: slot n; owed: down, and to be lifted */
	u32 primary;	/* (m) the finger that also is the pointer */
	u32 tracking;	/* (m) */
};

struct input {
	struct mhi_vdev dev;
	enum mhi_input_kind kind; /* (c) */
	struct event ring[RING];  /* (m) */
	u32 head, count;	  /* (m) */
	struct mhi_keys keys;	  /* (m) */
	struct touches touch;	  /* (m) */
	u32 leds;		  /* (m) */
	struct mhi_chain chain;	  /* (m) the one at hand */
};

/* ---- reports ---- */

static void add(struct report *r, u16 type, u16 code, u32 value)
{
	r->event[r->count++] = (struct event){ type, code, value };
}

/* All of it or nothing. */
static int queue(struct input *in, struct report *r)
{
	add(r, EV_SYN, SYN_REPORT, 0);
	if (r->count > RING - in->count)
		return MH_EBUSY;
	for (unsigned int n = 0; n < r->count; n++)
		in->ring[(in->head + in->count++) % RING] = r->event[n];
	return 0;
}

static int queue_key(struct input *in, u32 code, bool down)
{
	struct report r = { .count = 0 };
	int rc;

	add(&r, EV_KEY, (u16)code, down);
	rc = queue(in, &r);
	if (!rc)
		mhi_keys_told(&in->keys, code, down);
	return rc;
}

static void add_pointer(struct report *r, u32 x, u32 y)
{
	add(r, EV_ABS, ABS_X, x);
	add(r, EV_ABS, ABS_Y, y);
}

static int queue_lift(struct input *in, u32 slot)
{
	struct touches *t = &in->touch;
	struct report r = { .count = 0 };
	u32 bit = 1u << slot;
	int rc;

	add(&r, EV_ABS, ABS_MT_SLOT, slot);
	add(&r, EV_ABS, ABS_MT_TRACKING_ID, NOT_TOUCHING);
	if (t->down == bit)
		add(&r, EV_KEY, BTN_TOUCH, 0);
	rc = queue(in, &r);
	if (rc)
		return rc;
	t->down &= ~bit;
	t->owed &= ~bit;
	if (t->primary == slot)
		t->primary = NO_SLOT;
	return 0;
}

/* Releases that there was no room for. */
static void settle(struct input *in)
{
	u32 code;

	while ((code = mhi_keys_next(&in->keys)) != MHI_KEYS_NONE)
		if (queue_key(in, code, false))
			return;
	while (in->touch.owed)
		if (queue_lift(in, (u32)__builtin_ctz(in->touch.owed)))
			return;
}

/* ---- the guest's side ---- */

static void send_events(struct input *in)
{
	struct mhi_vdev *dev = &in->dev;
	u8 raw[EVENT_BYTES];

	settle(in);
	for (unsigned int n = 0; n < BATCH; n++) {
		const struct event *e = &in->ring[in->head];

		if (!in->count || !mhi_vdev_pop(dev, EVENTS, &in->chain))
			return;
		if (in->chain.in_bytes < EVENT_BYTES) {
			mhi_vdev_complain(dev, "a buffer for an event is too small");
			mhi_vdev_push(dev, EVENTS, in->chain.id, 0);
			continue;
		}
		mhi_put_le16(raw, e->type);
		mhi_put_le16(raw + 2, e->code);
		mhi_put_le32(raw + 4, e->value);
		mhi_chain_write(&in->chain, 0, raw, EVENT_BYTES);
		mhi_vdev_push(dev, EVENTS, in->chain.id, EVENT_BYTES);
		mhi_vdev_count(dev, EVENT_BYTES, 0);
		in->head = (in->head + 1) % RING;
		in->count--;
		settle(in);
	}
	mhi_vdev_again(dev, EVENTS);
}

static void take_status(struct input *in)
{
	struct mhi_vdev *dev = &in->dev;
	u8 raw[EVENT_BYTES];

	for (unsigned int n = 0; n < BATCH; n++) {
		u16 code;

		if (!mhi_vdev_pop(dev, STATUS, &in->chain))
			return;
		if (mhi_chain_read(&in->chain, 0, raw, EVENT_BYTES) == EVENT_BYTES &&
		    mhi_get_le16(raw) == EV_LED) {
			code = mhi_get_le16(raw + 2);
			if (code <= LED_MAX && mhi_get_le32(raw + 4))
				in->leds |= 1u << code;
			else if (code <= LED_MAX)
				in->leds &= ~(1u << code);
		}
		mhi_vdev_push(dev, STATUS, in->chain.id, 0);
		mhi_vdev_count(dev, 0, EVENT_BYTES);
	}
	mhi_vdev_again(dev, STATUS);
}

static void input_kick(struct mhi_vdev *dev, unsigned int q)
{
	if (q == EVENTS)
		send_events(dev->model);
	else
		take_status(dev->model);
}

static void input_config(struct mhi_vdev *dev, unsigned int at, unsigned int bytes)
{
	const struct input *in = dev->model;

	mhi_input_describe(in->kind, dev->config);
}

static void input_reset(struct mhi_vdev *dev)
{
	struct input *in = dev->model;

	memset(dev->config, 0, sizeof(dev->config));
	memset(&in->keys, 0, sizeof(in->keys));
	in->touch = (struct touches){ .primary = NO_SLOT };
	in->head = in->count = 0;
	in->leds = 0;
}

static void input_destroy(struct mhi_vdev *dev)
{
	mhi_vdev_fini(dev);
	free(dev->model);
}

#define INPUT_OPS(n, class)                                                           \
	{                                                                             \
		.name = "virtio-input " n, .id = MHI_INPUT_ID, .class_code = (class), \
		.kick = input_kick, .reset = input_reset, .config = input_config,     \
		.destroy = input_destroy,                                             \
	}

/* PCI Code and ID Assignment, 1.10 "Base Class 09h". */
static const struct mhi_vdev_ops input_ops[] = {
	[MHI_INPUT_KEYBOARD] = INPUT_OPS("keyboard", 0x090000),
	[MHI_INPUT_TABLET] = INPUT_OPS("tablet", 0x090100),
	[MHI_INPUT_TOUCH] = INPUT_OPS("touch screen", 0x098000),
	[MHI_INPUT_MOUSE] = INPUT_OPS("mouse", 0x090200),
};

int mhi_input_create(const struct mhi_vdev_env *env, enum mhi_input_kind kind,
		     struct mhi_vdev **out)
{
	static const u16 sizes[QUEUES] = { QUEUE_SIZE, QUEUE_SIZE };
	struct input *in = calloc(1, sizeof(*in));

	if (!in)
		return MH_ENOMEM;
	in->kind = kind;
	in->touch.primary = NO_SLOT;
	in->dev.ops = &input_ops[kind];
	in->dev.model = in;
	in->dev.env = *env;
	in->dev.config_bytes = MHI_INPUT_CONFIG;
	memset(in->dev.config_writable, 0xff, MHI_INPUT_CONFIG_SELECTORS);
	if (mhi_vdev_init(&in->dev, sizes, QUEUES)) {
		free(in);
		return MH_ENOMEM;
	}
	*out = &in->dev;
	return 0;
}

/* ---- the host's side ---- */

/* Between the two the lock is held; begin tells whether there is a guest to hear of it. */
static int begin(struct input *in)
{
	mhi_vdev_enter(&in->dev);
	if (!mhi_vdev_live(&in->dev))
		return MH_ESTATE;
	settle(in);
	return 0;
}

static int end(struct input *in, int rc)
{
	mhi_vdev_leave(&in->dev);
	if (!rc)
		mhi_vdev_kick(&in->dev, EVENTS);
	return rc;
}

static int press(struct input *in, u32 code)
{
	if (mhi_keys_owed(&in->keys, code))
		return MH_EBUSY;
	return mhi_keys_down(&in->keys, code) ? 0 : queue_key(in, code, true);
}

/* rc: of begin. A machine that rests is told of it when it goes on. */
static int release(struct input *in, u32 code, int rc)
{
	if (mhi_keys_down(&in->keys, code) && (rc || queue_key(in, code, false)))
		mhi_keys_owe(&in->keys, code);
	return 0;
}

int mhi_input_key(struct mhi_vdev *dev, u32 code, bool down)
{
	struct input *in = dev->model;
	int rc = begin(in);

	if (!down)
		rc = release(in, code, rc);
	else if (!rc && mhi_input_has_key(in->kind, code))
		rc = press(in, code);
	return end(in, rc);
}

int mhi_input_position(struct mhi_vdev *dev, u32 x, u32 y)
{
	struct report r = { .count = 0 };
	struct input *in = dev->model;
	int rc = begin(in);

	add_pointer(&r, x, y);
	if (!rc && in->kind == MHI_INPUT_TABLET)
		rc = queue(in, &r);
	return end(in, rc);
}

/* A report of two relative axes, without those that do not move. */
static int relative(struct input *in, const u16 axis[2], const s32 by[2])
{
	struct report r = { .count = 0 };

	for (unsigned int n = 0; n < 2; n++)
		if (by[n])
			add(&r, EV_REL, axis[n], (u32)by[n]);
	return r.count ? queue(in, &r) : 0;
}

int mhi_input_motion(struct mhi_vdev *dev, s32 dx, s32 dy)
{
	static const u16 axis[] = { REL_X, REL_Y };
	struct input *in = dev->model;
	int rc = begin(in);

	if (!rc && in->kind == MHI_INPUT_MOUSE)
		rc = relative(in, axis, (const s32[]){ dx, dy });
	return end(in, rc);
}

int mhi_input_wheel(struct mhi_vdev *dev, s32 vertical, s32 horizontal)
{
	static const u16 axis[] = { REL_WHEEL, REL_HWHEEL };
	struct input *in = dev->model;
	int rc = begin(in);

	if (!rc && (in->kind == MHI_INPUT_MOUSE || in->kind == MHI_INPUT_TABLET))
		rc = relative(in, axis, (const s32[]){ vertical, horizontal });
	return end(in, rc);
}

static int put_finger(struct input *in, u32 slot, u32 x, u32 y)
{
	struct touches *t = &in->touch;
	struct report r = { .count = 0 };
	u32 bit = 1u << slot;
	bool first = !t->down;
	int rc;

	if (t->owed & bit)
		return MH_EBUSY;
	add(&r, EV_ABS, ABS_MT_SLOT, slot);
	if (!(t->down & bit))
		add(&r, EV_ABS, ABS_MT_TRACKING_ID, t->tracking);
	add(&r, EV_ABS, ABS_MT_POSITION_X, x);
	add(&r, EV_ABS, ABS_MT_POSITION_Y, y);
	if (first)
		add(&r, EV_KEY, BTN_TOUCH, 1);
	if (first || t->primary == slot)
		add_pointer(&r, x, y);
	rc = queue(in, &r);
	if (rc)
		return rc;
	if (!(t->down & bit))
		t->tracking = (t->tracking + 1) & 0xffff;
	if (first)
		t->primary = slot;
	t->down |= bit;
	return 0;
}

static int lift_finger(struct input *in, u32 slot, int rc)
{
	u32 bit = 1u << slot;

	if ((in->touch.down & bit) && (rc || queue_lift(in, slot)))
		in->touch.owed |= bit;
	return 0;
}

int mhi_input_touch(struct mhi_vdev *dev, u32 slot, bool down, u32 x, u32 y)
{
	struct input *in = dev->model;
	int rc = begin(in);

	if (in->kind != MHI_INPUT_TOUCH || slot >= MHI_INPUT_SLOTS)
		return end(in, rc);
	if (!down)
		rc = lift_finger(in, slot, rc);
	else if (!rc)
		rc = put_finger(in, slot, x, y);
	return end(in, rc);
}

bool mhi_input_ready(struct mhi_vdev *dev)
{
	bool ready;

	pthread_mutex_lock(&dev->lock);
	ready = mhi_vdev_live(dev);
	pthread_mutex_unlock(&dev->lock);
	return ready;
}

u32 mhi_input_leds(struct mhi_vdev *dev)
{
	const struct input *in = dev->model;
	u32 leds;

	pthread_mutex_lock(&dev->lock);
	leds = in->leds;
	pthread_mutex_unlock(&dev->lock);
	return leds;
}

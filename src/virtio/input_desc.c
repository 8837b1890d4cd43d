/* SPDX-License-Identifier: MIT */
/*
 * Names, identities and abilities of input devices. virtio 1.2, 5.8.4 "Device configuration
 * layout"; numbers are evdev's.
 */
#include "virtio/input_desc.h"

#include <linux/input.h>

#include "core/keys.h"
#include "core/le.h"

enum {
	SELECT_NAME = 0x01,
	SELECT_SERIAL = 0x02,
	SELECT_IDS = 0x03,
	SELECT_PROPERTIES = 0x10,
	SELECT_EVENTS = 0x11,
	SELECT_AXIS = 0x12,
};

#define IDS_BYTES 8   /* le16: bus, vendor, product, version */
#define AXIS_BYTES 20 /* le32: min, max, fuzz, flat, resolution */
#define VENDOR 0x1af4 /* of virtio devices on PCI */
#define PRODUCT 0x1052
#define VERSION 1
#define TRACKING_LAST 0xffff

struct axis {
	u16 code;
	u32 last;
};

struct desc {
	const char *name, *serial;
	u16 first_key, last_key;
	u32 rel, led;		 /* bits */
	bool repeats;		 /* the guest does that itself */
	bool direct;		 /* what is touched is what is shown */
	const struct axis *axes; /* one of ABS_CNT ends them */
};

#define NO_AXIS            \
	{                  \
		ABS_CNT, 0 \
	}

static const struct axis no_axes[] = { NO_AXIS };
static const struct axis tablet_axes[] = {
	{ ABS_X, MHI_INPUT_AXIS_LAST },
	{ ABS_Y, MHI_INPUT_AXIS_LAST },
	NO_AXIS,
};
static const struct axis touch_axes[] = {
	{ ABS_X, MHI_INPUT_AXIS_LAST },
	{ ABS_Y, MHI_INPUT_AXIS_LAST },
	{ ABS_MT_SLOT, MHI_INPUT_SLOTS - 1 },
	{ ABS_MT_POSITION_X, MHI_INPUT_AXIS_LAST },
	{ ABS_MT_POSITION_Y, MHI_INPUT_AXIS_LAST },
	{ ABS_MT_TRACKING_ID, TRACKING_LAST },
	NO_AXIS,
};

#define WHEELS (1u << REL_WHEEL | 1u << REL_HWHEEL)

static const struct desc descs[] = {
	[MHI_INPUT_KEYBOARD] = { .name = "macrohard keyboard",
				 .serial = "keyboard",
				 .first_key = KEY_ESC,
				 .last_key = MHI_INPUT_KEY_LAST,
				 .led = 1u << LED_NUML | 1u << LED_CAPSL | 1u << LED_SCROLLL,
				 .repeats = true,
				 .axes = no_axes },
	[MHI_INPUT_TABLET] = { .name = "macrohard tablet",
			       .serial = "tablet",
			       .first_key = BTN_LEFT,
			       .last_key = BTN_EXTRA,
			       .rel = WHEELS,
			       .axes = tablet_axes },
	[MHI_INPUT_TOUCH] = { .name = "macrohard touch screen",
			      .serial = "touch",
			      .first_key = BTN_TOUCH,
			      .last_key = BTN_TOUCH,
			      .direct = true,
			      .axes = touch_axes },
	[MHI_INPUT_MOUSE] = { .name = "macrohard mouse",
			      .serial = "mouse",
			      .first_key = BTN_LEFT,
			      .last_key = BTN_EXTRA,
			      .rel = 1u << REL_X | 1u << REL_Y | WHEELS,
			      .axes = no_axes },
};

bool mhi_input_has_key(enum mhi_input_kind kind, u32 code)
{
	return code >= descs[kind].first_key && code <= descs[kind].last_key;
}

static u8 describe_text(const char *text, u8 *data)
{
	size_t bytes = strlen(text);

	memcpy(data, text, bytes);
	return (u8)bytes;
}

static u8 describe_ids(enum mhi_input_kind kind, u8 *data)
{
	mhi_put_le16(data, BUS_VIRTUAL);
	mhi_put_le16(data + 2, VENDOR);
	mhi_put_le16(data + 4, (u16)(PRODUCT + kind));
	mhi_put_le16(data + 6, VERSION);
	return IDS_BYTES;
}

static void set_bit(u8 *data, u32 bit)
{
	data[bit / 8] |= (u8)(1u << bit % 8);
}

static void set_word(u8 *data, u32 bits)
{
	for (; bits; bits &= bits - 1)
		set_bit(data, (u32)__builtin_ctz(bits));
}

/* Which events of a type there are. */
static void describe_events(const struct desc *desc, u8 type, u8 *data)
{
	switch (type) {
	case EV_KEY:
		for (u32 code = desc->first_key; code <= desc->last_key; code++)
			set_bit(data, code);
		break;
	case EV_REL:
		set_word(data, desc->rel);
		break;
	case EV_ABS:
		for (const struct axis *a = desc->axes; a->code != ABS_CNT; a++)
			set_bit(data, a->code);
		break;
	case EV_LED:
		set_word(data, desc->led);
		break;
	case EV_REP:
		if (desc->repeats)
			set_word(data, 1u << REP_DELAY | 1u << REP_PERIOD);
		break;
	default:
		break;
	}
}

/* Up to the last byte that has a bit. */
static u8 used(const u8 *data)
{
	u8 bytes = MHI_INPUT_CONFIG_DATA_BYTES;

	while (bytes && !data[bytes - 1])
		bytes--;
	return bytes;
}

static u8 describe_axis(const struct desc *desc, u8 code, u8 *data)
{
	const struct axis *a = desc->axes;

	while (a->code != ABS_CNT && a->code != code)
		a++;
	if (a->code == ABS_CNT)
		return 0;
	mhi_put_le32(data + 4, a->last);
	return AXIS_BYTES;
}

void mhi_input_describe(enum mhi_input_kind kind, u8 *config)
{
	const struct desc *desc = &descs[kind];
	u8 *data = config + MHI_INPUT_CONFIG_DATA, *size = config + MHI_INPUT_CONFIG_SIZE;
	u8 select = config[0], subsel = config[1];

	memset(size, 0, MHI_INPUT_CONFIG - MHI_INPUT_CONFIG_SIZE);
	if (select == SELECT_EVENTS) {
		describe_events(desc, subsel, data);
		*size = used(data);
	} else if (select == SELECT_AXIS) {
		*size = describe_axis(desc, subsel, data);
	} else if (subsel) {
		return;
	} else if (select == SELECT_NAME) {
		*size = describe_text(desc->name, data);
	} else if (select == SELECT_SERIAL) {
		*size = describe_text(desc->serial, data);
	} else if (select == SELECT_IDS) {
		*size = describe_ids(kind, data);
	} else if (select == SELECT_PROPERTIES && desc->direct) {
		set_bit(data, INPUT_PROP_DIRECT);
		*size = used(data);
	}
}

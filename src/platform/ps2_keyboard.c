/* SPDX-License-Identifier: MIT */
/*
 * The PS/2 keyboard. Commands and answers: IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboards (101- and 102-Key)". Keys repeat when the host repeats them.
 */
#include "macrohard/error.h"
#include "platform/ps2.h"
#include "platform/ps2_codes.h"

enum {
	SET_LEDS = 0xed,
	ECHO = 0xee,
	SET_CODES = 0xf0,
	IDENTIFY = 0xf2,
	SET_RATE = 0xf3,
	ENABLE = 0xf4,
	DISABLE = 0xf5,
	DEFAULTS = 0xf6,
	RESEND = 0xfe,
	RESET = 0xff,
	ACK = 0xfa,
	NAK = 0xfe,
	TEST_PASSED = 0xaa,
};

#define ID_FIRST 0xab
#define ID_SECOND 0x83
#define LEDS 0x07
#define CODES_MAX 8

static void reply(struct mhi_ps2_keyboard *k, u8 byte)
{
	mhi_ps2_put(&k->replies, byte);
}

static void defaults(struct mhi_ps2_keyboard *k, bool scanning)
{
	k->codes.count = 0;
	k->set = 2;
	k->scanning = scanning;
}

void mhi_ps2_keyboard_init(struct mhi_ps2_keyboard *k)
{
	*k = (struct mhi_ps2_keyboard){ .last = TEST_PASSED };
	defaults(k, true);
}

/* ---- keys ---- */

static int send(struct mhi_ps2_keyboard *k, u32 code, bool down)
{
	u8 codes[CODES_MAX];
	u32 n = mhi_ps2_codes(code, down, codes);
	bool released = false;

	if (n > mhi_ps2_room(&k->codes))
		return MH_EBUSY;
	for (u32 i = 0; i < n; i++) {
		if (k->set == 2) {
			mhi_ps2_put(&k->codes, codes[i]);
		} else if (codes[i] == MHI_PS2_BREAK) {
			released = true;
		} else {
			u8 byte = mhi_ps2_translate(codes[i]);

			mhi_ps2_put(&k->codes, released ? byte | MHI_PS2_RELEASED : byte);
			released = false;
		}
	}
	mhi_keys_told(&k->keys, code, down);
	return 0;
}

static void settle(struct mhi_ps2_keyboard *k)
{
	u32 code;

	while (k->scanning && (code = mhi_keys_next(&k->keys)) != MHI_KEYS_NONE)
		if (send(k, code, false))
			return;
}

int mhi_ps2_keyboard_key(struct mhi_ps2_keyboard *k, u32 code, bool down)
{
	u8 codes[CODES_MAX];

	settle(k);
	if (!down) {
		if (mhi_keys_down(&k->keys, code) && (!k->scanning || send(k, code, false)))
			mhi_keys_owe(&k->keys, code);
		return 0;
	}
	if (!k->scanning || !mhi_ps2_codes(code, true, codes))
		return MH_ESTATE;
	return mhi_keys_owed(&k->keys, code) ? MH_EBUSY : send(k, code, true);
}

/* ---- bytes ---- */

static void choose_set(struct mhi_ps2_keyboard *k, u8 set)
{
	if (set > 2) {
		reply(k, NAK);
		return;
	}
	reply(k, ACK);
	if (!set) {
		reply(k, k->set);
		return;
	}
	k->set = set;
	k->codes.count = 0;
}

static void parameter(struct mhi_ps2_keyboard *k, u8 byte)
{
	u8 command = k->command;

	k->command = 0;
	if (command == SET_CODES) {
		choose_set(k, byte);
		return;
	}
	if (command == SET_LEDS)
		k->leds = byte & LEDS;
	reply(k, ACK);
}

static void command(struct mhi_ps2_keyboard *k, u8 byte)
{
	switch (byte) {
	case ECHO:
		reply(k, ECHO);
		return;
	case RESEND:
		reply(k, k->last);
		return;
	case SET_LEDS:
	case SET_CODES:
	case SET_RATE:
		k->command = byte;
		break;
	case ENABLE:
		k->scanning = true;
		break;
	case DISABLE:
	case DEFAULTS:
		defaults(k, byte == DEFAULTS);
		break;
	case IDENTIFY:
		reply(k, ACK);
		reply(k, ID_FIRST);
		reply(k, ID_SECOND);
		return;
	case RESET:
		/* Whoever resets it takes all keys for released. */
		mhi_ps2_keyboard_init(k);
		reply(k, ACK);
		reply(k, TEST_PASSED);
		return;
	default:
		reply(k, NAK);
		return;
	}
	reply(k, ACK);
	settle(k);
}

void mhi_ps2_keyboard_write(struct mhi_ps2_keyboard *k, u8 byte)
{
	/* A command in place of a parameter is one. */
	if (k->command && byte < SET_LEDS)
		parameter(k, byte);
	else
		command(k, byte);
}

bool mhi_ps2_keyboard_read(struct mhi_ps2_keyboard *k, u8 *byte)
{
	if (!mhi_ps2_take(&k->replies, byte) && !mhi_ps2_take(&k->codes, byte))
		return false;
	k->last = *byte;
	settle(k);
	return true;
}

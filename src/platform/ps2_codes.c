/* SPDX-License-Identifier: MIT */
/*
 * Which keys have which scan codes. Numbers: "Keyboard Scan Code Specification" (Microsoft, 1.3a),
 * appendix A "Keyboard Scan Code Table", and for the controller's translation the IBM PS/2 Hardware
 * Interface Technical Reference, "Keyboard and Auxiliary Device Controller". Keys are evdev's.
 */
#include "platform/ps2_codes.h"

#include <linux/input-event-codes.h>

#define CODES 128

/* By a code of set 1, that of set 2. 0: there is none. */
static const u8 set2[CODES] = {
	0x00, 0x76, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66,
	0x0d, 0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x14,
	0x1c, 0x1b, 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5d, 0x1a,
	0x22, 0x21, 0x2a, 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7c, 0x11, 0x29, 0x58, 0x05,
	0x06, 0x04, 0x0c, 0x03, 0x0b, 0x83, 0x0a, 0x01, 0x09, 0x77, 0x7e, 0x6c, 0x75, 0x7d, 0x7b,
	0x6b, 0x73, 0x74, 0x79, 0x69, 0x72, 0x7a, 0x70, 0x71, 0x84, 0x60, 0x61, 0x78, 0x07, 0x0f,
	0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x56, 0x5e, 0x08, 0x10, 0x18, 0x20, 0x28,
	0x30, 0x38, 0x40, 0x48, 0x50, 0x57, 0x6f, 0x13, 0x19, 0x39, 0x51, 0x53, 0x5c, 0x5f, 0x62,
	0x63, 0x64, 0x65, 0x67, 0x68, 0x6a, 0x6d, 0x6e,
};

u8 mhi_ps2_translate(u8 byte)
{
	for (u8 code = 1; code < CODES; code++)
		if (set2[code] == byte)
			return code;
	/* The two that the table has another code for. */
	if (byte == 0x02)
		return 0x41;
	return byte == 0x7f ? 0x54 : byte;
}

/* A key's code of set 1, with E0 in front of it or not. */
struct place {
	u8 code;
	bool e0;
};

#define PLAIN(key, code) [key] = { code, false }
#define E0(key, code) [key] = { code, true }

/* Up to KEY_F12 evdev's numbers are the codes of set 1, but for those that are in the table. */
#define SAME_LAST KEY_F12

static const struct place places[] = {
	PLAIN(KEY_ZENKAKUHANKAKU, 0x76),
	PLAIN(KEY_RO, 0x73),
	PLAIN(KEY_KATAKANA, 0x78),
	PLAIN(KEY_HIRAGANA, 0x77),
	PLAIN(KEY_HENKAN, 0x79),
	PLAIN(KEY_KATAKANAHIRAGANA, 0x70),
	PLAIN(KEY_MUHENKAN, 0x7b),
	PLAIN(KEY_KPJPCOMMA, 0x5c),
	E0(KEY_KPENTER, 0x1c),
	E0(KEY_RIGHTCTRL, 0x1d),
	E0(KEY_KPSLASH, 0x35),
	E0(KEY_SYSRQ, 0x37),
	E0(KEY_RIGHTALT, 0x38),
	E0(KEY_HOME, 0x47),
	E0(KEY_UP, 0x48),
	E0(KEY_PAGEUP, 0x49),
	E0(KEY_LEFT, 0x4b),
	E0(KEY_RIGHT, 0x4d),
	E0(KEY_END, 0x4f),
	E0(KEY_DOWN, 0x50),
	E0(KEY_PAGEDOWN, 0x51),
	E0(KEY_INSERT, 0x52),
	E0(KEY_DELETE, 0x53),
	E0(KEY_MUTE, 0x20),
	E0(KEY_VOLUMEDOWN, 0x2e),
	E0(KEY_VOLUMEUP, 0x30),
	E0(KEY_POWER, 0x5e),
	PLAIN(KEY_KPEQUAL, 0x59),
	PLAIN(KEY_KPCOMMA, 0x7e),
	PLAIN(KEY_HANGEUL, 0x72),
	PLAIN(KEY_HANJA, 0x71),
	PLAIN(KEY_YEN, 0x7d),
	E0(KEY_LEFTMETA, 0x5b),
	E0(KEY_RIGHTMETA, 0x5c),
	E0(KEY_COMPOSE, 0x5d),
	E0(KEY_STOP, 0x68),
	E0(KEY_CALC, 0x21),
	E0(KEY_SLEEP, 0x5f),
	E0(KEY_WAKEUP, 0x63),
	E0(KEY_MAIL, 0x6c),
	E0(KEY_BOOKMARKS, 0x66),
	E0(KEY_COMPUTER, 0x6b),
	E0(KEY_BACK, 0x6a),
	E0(KEY_FORWARD, 0x69),
	E0(KEY_NEXTSONG, 0x19),
	E0(KEY_PLAYPAUSE, 0x22),
	E0(KEY_PREVIOUSSONG, 0x10),
	E0(KEY_STOPCD, 0x24),
	E0(KEY_HOMEPAGE, 0x32),
	E0(KEY_REFRESH, 0x67),
	PLAIN(KEY_F13, 0x64),
	PLAIN(KEY_F14, 0x65),
	PLAIN(KEY_F15, 0x66),
	PLAIN(KEY_F16, 0x67),
	PLAIN(KEY_F17, 0x68),
	PLAIN(KEY_F18, 0x69),
	PLAIN(KEY_F19, 0x6a),
	PLAIN(KEY_F20, 0x6b),
	PLAIN(KEY_F21, 0x6c),
	PLAIN(KEY_F22, 0x6d),
	PLAIN(KEY_F23, 0x6e),
	E0(KEY_SEARCH, 0x65),
	E0(KEY_MEDIA, 0x6d),
};

static struct place find(u32 code)
{
	struct place place = { 0, false };

	if (code < sizeof(places) / sizeof(places[0]))
		place = places[code];
	if (!place.code && code <= SAME_LAST)
		place.code = (u8)code;
	return place;
}

u32 mhi_ps2_codes(u32 code, bool down, u8 out[8])
{
	/* It tells of no release. */
	static const u8 pause[] = { MHI_PS2_E1,	   0x14, 0x77,		MHI_PS2_E1,
				    MHI_PS2_BREAK, 0x14, MHI_PS2_BREAK, 0x77 };
	struct place place = find(code);
	u32 n = 0;

	if (code == KEY_PAUSE) {
		for (; down && n < sizeof(pause); n++)
			out[n] = pause[n];
		return n;
	}
	if (!place.code || !set2[place.code])
		return 0;
	if (place.e0)
		out[n++] = MHI_PS2_E0;
	if (!down)
		out[n++] = MHI_PS2_BREAK;
	out[n++] = set2[place.code];
	return n;
}

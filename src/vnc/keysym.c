/* SPDX-License-Identifier: MIT */
/*
 * Keysyms (X11's protocol, appendix A "KEYSYM Encoding") by the key of a US keyboard that has them;
 * a client sends Shift itself. Clients that tell of keys instead need none of this.
 */
#include "vnc/keysym.h"

#include <linux/input-event-codes.h>
#include <stddef.h>

/* From space to '~'. */
static const uint8_t ascii[] = {
	KEY_SPACE,     KEY_1,	       KEY_APOSTROPHE, KEY_3,	       KEY_4,	  KEY_5,
	KEY_7,	       KEY_APOSTROPHE, KEY_9,	       KEY_0,	       KEY_8,	  KEY_EQUAL,
	KEY_COMMA,     KEY_MINUS,      KEY_DOT,	       KEY_SLASH,      KEY_0,	  KEY_1,
	KEY_2,	       KEY_3,	       KEY_4,	       KEY_5,	       KEY_6,	  KEY_7,
	KEY_8,	       KEY_9,	       KEY_SEMICOLON,  KEY_SEMICOLON,  KEY_COMMA, KEY_EQUAL,
	KEY_DOT,       KEY_SLASH,      KEY_2,	       KEY_A,	       KEY_B,	  KEY_C,
	KEY_D,	       KEY_E,	       KEY_F,	       KEY_G,	       KEY_H,	  KEY_I,
	KEY_J,	       KEY_K,	       KEY_L,	       KEY_M,	       KEY_N,	  KEY_O,
	KEY_P,	       KEY_Q,	       KEY_R,	       KEY_S,	       KEY_T,	  KEY_U,
	KEY_V,	       KEY_W,	       KEY_X,	       KEY_Y,	       KEY_Z,	  KEY_LEFTBRACE,
	KEY_BACKSLASH, KEY_RIGHTBRACE, KEY_6,	       KEY_MINUS,      KEY_GRAVE, KEY_A,
	KEY_B,	       KEY_C,	       KEY_D,	       KEY_E,	       KEY_F,	  KEY_G,
	KEY_H,	       KEY_I,	       KEY_J,	       KEY_K,	       KEY_L,	  KEY_M,
	KEY_N,	       KEY_O,	       KEY_P,	       KEY_Q,	       KEY_R,	  KEY_S,
	KEY_T,	       KEY_U,	       KEY_V,	       KEY_W,	       KEY_X,	  KEY_Y,
	KEY_Z,	       KEY_LEFTBRACE,  KEY_BACKSLASH,  KEY_RIGHTBRACE, KEY_GRAVE,
};

static const struct {
	uint16_t keysym, code;
} others[] = {
	{ 0xff08, KEY_BACKSPACE },  { 0xff09, KEY_TAB },	{ 0xff0d, KEY_ENTER },
	{ 0xff13, KEY_PAUSE },	    { 0xff14, KEY_SCROLLLOCK }, { 0xff15, KEY_SYSRQ },
	{ 0xff1b, KEY_ESC },	    { 0xff50, KEY_HOME },	{ 0xff51, KEY_LEFT },
	{ 0xff52, KEY_UP },	    { 0xff53, KEY_RIGHT },	{ 0xff54, KEY_DOWN },
	{ 0xff55, KEY_PAGEUP },	    { 0xff56, KEY_PAGEDOWN },	{ 0xff57, KEY_END },
	{ 0xff61, KEY_SYSRQ },	    { 0xff63, KEY_INSERT },	{ 0xff67, KEY_COMPOSE },
	{ 0xff6b, KEY_PAUSE },	    { 0xff7e, KEY_RIGHTALT },	{ 0xff7f, KEY_NUMLOCK },
	{ 0xff8d, KEY_KPENTER },    { 0xff95, KEY_KP7 },	{ 0xff96, KEY_KP4 },
	{ 0xff97, KEY_KP8 },	    { 0xff98, KEY_KP6 },	{ 0xff99, KEY_KP2 },
	{ 0xff9a, KEY_KP9 },	    { 0xff9b, KEY_KP3 },	{ 0xff9c, KEY_KP1 },
	{ 0xff9d, KEY_KP5 },	    { 0xff9e, KEY_KP0 },	{ 0xff9f, KEY_KPDOT },
	{ 0xffaa, KEY_KPASTERISK }, { 0xffab, KEY_KPPLUS },	{ 0xffac, KEY_KPCOMMA },
	{ 0xffad, KEY_KPMINUS },    { 0xffae, KEY_KPDOT },	{ 0xffaf, KEY_KPSLASH },
	{ 0xffb0, KEY_KP0 },	    { 0xffb1, KEY_KP1 },	{ 0xffb2, KEY_KP2 },
	{ 0xffb3, KEY_KP3 },	    { 0xffb4, KEY_KP4 },	{ 0xffb5, KEY_KP5 },
	{ 0xffb6, KEY_KP6 },	    { 0xffb7, KEY_KP7 },	{ 0xffb8, KEY_KP8 },
	{ 0xffb9, KEY_KP9 },	    { 0xffbd, KEY_KPEQUAL },	{ 0xffbe, KEY_F1 },
	{ 0xffbf, KEY_F2 },	    { 0xffc0, KEY_F3 },		{ 0xffc1, KEY_F4 },
	{ 0xffc2, KEY_F5 },	    { 0xffc3, KEY_F6 },		{ 0xffc4, KEY_F7 },
	{ 0xffc5, KEY_F8 },	    { 0xffc6, KEY_F9 },		{ 0xffc7, KEY_F10 },
	{ 0xffc8, KEY_F11 },	    { 0xffc9, KEY_F12 },	{ 0xffe1, KEY_LEFTSHIFT },
	{ 0xffe2, KEY_RIGHTSHIFT }, { 0xffe3, KEY_LEFTCTRL },	{ 0xffe4, KEY_RIGHTCTRL },
	{ 0xffe5, KEY_CAPSLOCK },   { 0xffe7, KEY_LEFTMETA },	{ 0xffe8, KEY_RIGHTMETA },
	{ 0xffe9, KEY_LEFTALT },    { 0xffea, KEY_RIGHTALT },	{ 0xffeb, KEY_LEFTMETA },
	{ 0xffec, KEY_RIGHTMETA },  { 0xffff, KEY_DELETE },	{ 0xfe03, KEY_RIGHTALT },
	{ 0xfe20, KEY_TAB },
};

uint32_t mhv_keysym(uint32_t keysym)
{
	if (keysym >= ' ' && keysym - ' ' < sizeof(ascii))
		return ascii[keysym - ' '];
	for (size_t n = 0; n < sizeof(others) / sizeof(others[0]); n++)
		if (others[n].keysym == keysym)
			return others[n].code;
	return 0;
}

/* Behind E0. Others are evdev's own numbers, up to F12, or in the second table. */
static const struct {
	uint8_t scan, code;
} extended[] = {
	{ 0x10, KEY_PREVIOUSSONG }, { 0x19, KEY_NEXTSONG },  { 0x1c, KEY_KPENTER },
	{ 0x1d, KEY_RIGHTCTRL },    { 0x20, KEY_MUTE },	     { 0x21, KEY_CALC },
	{ 0x22, KEY_PLAYPAUSE },    { 0x24, KEY_STOPCD },    { 0x2e, KEY_VOLUMEDOWN },
	{ 0x30, KEY_VOLUMEUP },	    { 0x32, KEY_HOMEPAGE },  { 0x35, KEY_KPSLASH },
	{ 0x37, KEY_SYSRQ },	    { 0x38, KEY_RIGHTALT },  { 0x46, KEY_PAUSE },
	{ 0x47, KEY_HOME },	    { 0x48, KEY_UP },	     { 0x49, KEY_PAGEUP },
	{ 0x4b, KEY_LEFT },	    { 0x4d, KEY_RIGHT },     { 0x4f, KEY_END },
	{ 0x50, KEY_DOWN },	    { 0x51, KEY_PAGEDOWN },  { 0x52, KEY_INSERT },
	{ 0x53, KEY_DELETE },	    { 0x5b, KEY_LEFTMETA },  { 0x5c, KEY_RIGHTMETA },
	{ 0x5d, KEY_COMPOSE },	    { 0x5e, KEY_POWER },     { 0x5f, KEY_SLEEP },
	{ 0x63, KEY_WAKEUP },	    { 0x65, KEY_SEARCH },    { 0x66, KEY_BOOKMARKS },
	{ 0x67, KEY_REFRESH },	    { 0x68, KEY_STOP },	     { 0x69, KEY_FORWARD },
	{ 0x6a, KEY_BACK },	    { 0x6b, KEY_COMPUTER },  { 0x6c, KEY_MAIL },
	{ 0x6d, KEY_MEDIA },
}, plain[] = {
	{ 0x54, KEY_SYSRQ },	    { 0x59, KEY_KPEQUAL },   { 0x70, KEY_KATAKANAHIRAGANA },
	{ 0x73, KEY_RO },	    { 0x79, KEY_HENKAN },    { 0x7b, KEY_MUHENKAN },
	{ 0x7d, KEY_YEN },	    { 0x7e, KEY_KPCOMMA },
};

#define EXTENDED 0x80

uint32_t mhv_key_code(uint32_t code)
{
	if (code & EXTENDED) {
		for (size_t n = 0; n < sizeof(extended) / sizeof(extended[0]); n++)
			if (extended[n].scan == (code & 0x7f))
				return extended[n].code;
		return 0;
	}
	for (size_t n = 0; n < sizeof(plain) / sizeof(plain[0]); n++)
		if (plain[n].scan == code)
			return plain[n].code;
	return code <= KEY_F12 ? code : 0;
}

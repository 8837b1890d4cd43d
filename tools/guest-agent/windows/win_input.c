/* SPDX-License-Identifier: MIT */
/*
 * The host's keyboard and pointer, for guests whose virtual hardware has none: keys and buttons
 * have Linux' numbers (linux/input-event-codes.h).
 */
#include "win_agent.h"

#define BUTTON_FIRST 0x110u
#define WHEEL_MAX 12000

/* Those of Linux' keys whose number is not the one of set 1 (USB HID to PS/2 translation table). */
static const struct {
	uint16_t key, code;
} keys[] = {
	{ 96, 0xe01c },	 /* KPENTER */
	{ 97, 0xe01d },	 /* RIGHTCTRL */
	{ 98, 0xe035 },	 /* KPSLASH */
	{ 99, 0xe037 },	 /* SYSRQ */
	{ 100, 0xe038 }, /* RIGHTALT */
	{ 102, 0xe047 }, /* HOME */
	{ 103, 0xe048 }, /* UP */
	{ 104, 0xe049 }, /* PAGEUP */
	{ 105, 0xe04b }, /* LEFT */
	{ 106, 0xe04d }, /* RIGHT */
	{ 107, 0xe04f }, /* END */
	{ 108, 0xe050 }, /* DOWN */
	{ 109, 0xe051 }, /* PAGEDOWN */
	{ 110, 0xe052 }, /* INSERT */
	{ 111, 0xe053 }, /* DELETE */
	{ 113, 0xe020 }, /* MUTE */
	{ 114, 0xe02e }, /* VOLUMEDOWN */
	{ 115, 0xe030 }, /* VOLUMEUP */
	{ 117, 0x59 },	 /* KPEQUAL */
	{ 119, 0x45 },	 /* PAUSE, but for its prefix e1, which Windows does not take */
	{ 124, 0x7d },	 /* YEN */
	{ 125, 0xe05b }, /* LEFTMETA */
	{ 126, 0xe05c }, /* RIGHTMETA */
	{ 127, 0xe05d }, /* COMPOSE */
};

/* Set 1's code for a key; 0: it has none. */
static uint16_t scan_code(uint32_t key)
{
	if (key && key <= 88 && key != 84 && key != 85)
		return (uint16_t)key;
	for (size_t n = 0; n < sizeof(keys) / sizeof(keys[0]); n++)
		if (keys[n].key == key)
			return keys[n].code;
	return 0;
}

static void send(struct ga_request *request, INPUT *input)
{
	if (SendInput(1, input, sizeof(*input)) == 1)
		ga_done(request);
	else
		win_fail(request, "Windows does not take the input", GetLastError());
}

void win_key(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	uint16_t code = scan_code(msg->u.key.key);
	INPUT input = { .type = INPUT_KEYBOARD };

	if (!code) {
		ga_end(request, MHI_AGENT_UNSUPPORTED, "Windows has no key %u", msg->u.key.key);
		return;
	}
	input.ki.wScan = code & 0xff;
	/* Windows finds this out by itself, Wine does not. */
	input.ki.wVk = (WORD)MapVirtualKeyW(code, MAPVK_VSC_TO_VK_EX);
	input.ki.dwFlags = KEYEVENTF_SCANCODE | (code > 0xff ? KEYEVENTF_EXTENDEDKEY : 0) |
			   (msg->u.key.down ? 0 : KEYEVENTF_KEYUP);
	send(request, &input);
}

/* A pixel's place in 65536ths of all displays, at its middle: then rounding does no harm. */
static LONG fraction(int32_t at, int first, int size)
{
	int64_t offset = (int64_t)at - first;

	if (size <= 0)
		return 0;
	offset = offset < 0 ? 0 : offset >= size ? size - 1 : offset;
	return (LONG)((offset * 65536 + 32768) / size);
}

void win_pointer(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	INPUT input = { .type = INPUT_MOUSE };

	input.mi.dx = fraction(msg->u.pointer.x, GetSystemMetrics(SM_XVIRTUALSCREEN),
			       GetSystemMetrics(SM_CXVIRTUALSCREEN));
	input.mi.dy = fraction(msg->u.pointer.y, GetSystemMetrics(SM_YVIRTUALSCREEN),
			       GetSystemMetrics(SM_CYVIRTUALSCREEN));
	input.mi.dwFlags = MOUSEEVENTF_MOVE | MOUSEEVENTF_ABSOLUTE | MOUSEEVENTF_VIRTUALDESK;
	send(request, &input);
}

void win_button(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	/* BTN_LEFT, BTN_RIGHT, BTN_MIDDLE, BTN_SIDE, BTN_EXTRA: down, up, which one */
	static const DWORD buttons[][3] = {
		{ MOUSEEVENTF_LEFTDOWN, MOUSEEVENTF_LEFTUP, 0 },
		{ MOUSEEVENTF_RIGHTDOWN, MOUSEEVENTF_RIGHTUP, 0 },
		{ MOUSEEVENTF_MIDDLEDOWN, MOUSEEVENTF_MIDDLEUP, 0 },
		{ MOUSEEVENTF_XDOWN, MOUSEEVENTF_XUP, XBUTTON1 },
		{ MOUSEEVENTF_XDOWN, MOUSEEVENTF_XUP, XBUTTON2 },
	};
	uint32_t n = msg->u.button.button - BUTTON_FIRST;
	INPUT input = { .type = INPUT_MOUSE };

	if (n >= sizeof(buttons) / sizeof(buttons[0])) {
		ga_end(request, MHI_AGENT_UNSUPPORTED, "Windows has no button %u",
		       msg->u.button.button);
		return;
	}
	input.mi.dwFlags = buttons[n][msg->u.button.down ? 0 : 1];
	input.mi.mouseData = buttons[n][2];
	send(request, &input);
}

/* 120ths of a detent on the wire and, as WHEEL_DELTA, in Windows. */
static int32_t limited(int32_t way)
{
	return way > WHEEL_MAX ? WHEEL_MAX : way < -WHEEL_MAX ? -WHEEL_MAX : way;
}

void win_wheel(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	int32_t vertical = limited(msg->u.wheel.vertical);
	int32_t horizontal = limited(msg->u.wheel.horizontal);
	INPUT inputs[2] = { { .type = INPUT_MOUSE }, { .type = INPUT_MOUSE } };
	UINT count = 0;

	if (vertical) {
		inputs[count].mi.dwFlags = MOUSEEVENTF_WHEEL;
		inputs[count++].mi.mouseData = (DWORD)vertical;
	}
	if (horizontal) {
		inputs[count].mi.dwFlags = MOUSEEVENTF_HWHEEL;
		inputs[count++].mi.mouseData = (DWORD)horizontal;
	}
	if (SendInput(count, inputs, sizeof(inputs[0])) == count)
		ga_done(request);
	else
		win_fail(request, "Windows does not take the input", GetLastError());
}

/* SPDX-License-Identifier: MIT */
/* Input of the host's, by XTEST: as if it were the server's own keyboard and pointer. */
#include <limits.h>
#include <stdlib.h>
#include <xcb/xtest.h>

#include "x11.h"

/* X11's numbers of keys are evdev's and 8; those of its protocol end at 255. */
#define KEYCODE_FIRST 8u
#define KEYCODE_LAST 255u
#define NOTCH 120
/* Of one message; more is nobody's finger. */
#define NOTCHES_MAX 20

static void fake(struct desktop *d, uint8_t type, uint8_t detail, int16_t px, int16_t py)
{
	if (d->x.xtest)
		xcb_test_fake_input(d->x.c, type, detail, XCB_CURRENT_TIME, d->x.root, px, py, 0);
}

void input_key(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct desktop *d = os;
	uint32_t code = msg->u.key.key + KEYCODE_FIRST;

	if (msg->u.key.key > KEYCODE_LAST - KEYCODE_FIRST) {
		ga_end(r, MHI_AGENT_INVALID, "X11 has no key %u", msg->u.key.key);
		return;
	}
	if (msg->u.key.down)
		d->keys[code / 8] |= (uint8_t)(1u << code % 8);
	else
		d->keys[code / 8] &= (uint8_t) ~(1u << code % 8);
	fake(d, msg->u.key.down ? XCB_KEY_PRESS : XCB_KEY_RELEASE, (uint8_t)code, 0, 0);
	ga_done(r);
}

static int16_t clamp(int32_t value)
{
	return (int16_t)(value < 0 ? 0 : value > INT16_MAX ? INT16_MAX : value);
}

void input_pointer(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	fake(os, XCB_MOTION_NOTIFY, 0, clamp(msg->u.pointer.x), clamp(msg->u.pointer.y));
	ga_done(r);
}

/* evdev's BTN_LEFT and what follows it. */
static uint8_t button_of(uint32_t button)
{
	static const uint8_t numbers[] = { 1, 3, 2, 8, 9 };

	return button - 0x110u < sizeof(numbers) ? numbers[button - 0x110u] : 0;
}

void input_button(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct desktop *d = os;
	uint8_t number = button_of(msg->u.button.button);

	if (!number) {
		ga_end(r, MHI_AGENT_INVALID, "there is no button %u", msg->u.button.button);
		return;
	}
	if (msg->u.button.down)
		d->buttons |= 1u << number;
	else
		d->buttons &= ~(1u << number);
	fake(d, msg->u.button.down ? XCB_BUTTON_PRESS : XCB_BUTTON_RELEASE, number, 0, 0);
	ga_done(r);
}

/* A notch is a click of a button of its own. */
static void turn(struct desktop *d, int32_t *rest, int32_t by, uint8_t up, uint8_t down)
{
	int32_t limit = NOTCHES_MAX * NOTCH, sum = *rest + (by > limit	  ? limit
							    : by < -limit ? -limit
									  : by);
	uint8_t button = sum > 0 ? up : down;

	for (int32_t n = abs(sum) / NOTCH; n > 0; n--) {
		fake(d, XCB_BUTTON_PRESS, button, 0, 0);
		fake(d, XCB_BUTTON_RELEASE, button, 0, 0);
	}
	*rest = sum % NOTCH;
}

void input_wheel(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct desktop *d = os;

	turn(d, &d->wheel[0], msg->u.wheel.vertical, 4, 5);
	turn(d, &d->wheel[1], msg->u.wheel.horizontal, 7, 6);
	ga_done(r);
}

void input_release(struct desktop *d)
{
	for (unsigned int n = 0; n <= KEYCODE_LAST; n++)
		if (d->keys[n / 8] & 1u << n % 8)
			fake(d, XCB_KEY_RELEASE, (uint8_t)n, 0, 0);
	for (unsigned int n = 1; n < 32; n++)
		if (d->buttons & 1u << n)
			fake(d, XCB_BUTTON_RELEASE, (uint8_t)n, 0, 0);
	for (size_t n = 0; n < sizeof(d->keys); n++)
		d->keys[n] = 0;
	d->buttons = 0;
	d->wheel[0] = d->wheel[1] = 0;
}

/* SPDX-License-Identifier: MIT */
/* Keys, buttons and the pointer: X's numbers become the kernel's, which the guest knows. */
#include "x11_priv.h"

/* X servers on Linux number keys as the kernel does, from 8 on. */
#define KEYCODE_OFFSET 8

/* linux/input-event-codes.h */
#define BTN_LEFT 0x110u
#define BTN_RIGHT 0x111u
#define BTN_MIDDLE 0x112u
#define BTN_SIDE 0x113u
#define BTN_EXTRA 0x114u

#define BUTTONS 10u
#define WHEEL_UNIT 120 /* the agent counts parts of a detent */

static const uint16_t button_code[BUTTONS] = {
	[1] = BTN_LEFT, [2] = BTN_MIDDLE, [3] = BTN_RIGHT, [8] = BTN_SIDE, [9] = BTN_EXTRA
};

/* A wheel is buttons: up, down, left, right. */
static const int8_t wheel[BUTTONS][2] = {
	[4] = { 1, 0 }, [5] = { -1, 0 }, [6] = { 0, -1 }, [7] = { 0, 1 }
};

static void send_key(struct mhi_x_input *in, uint32_t code, bool down)
{
	int error = in->vm ? mh_input_key(in->vm, code, down) : MH_ESTATE;

	if (error == MH_ESTATE && in->agent)
		mh_agent_key(in->agent, code, down);
}

static void send_button(struct mhi_x_input *in, uint32_t code, bool down)
{
	int error = in->vm ? mh_input_button(in->vm, code, down) : MH_ESTATE;

	if (error == MH_ESTATE && in->agent)
		mh_agent_button(in->agent, code, down);
}

static void send_wheel(struct mhi_x_input *in, int32_t vertical, int32_t horizontal)
{
	int error = in->vm ? mh_input_wheel(in->vm, vertical, horizontal) : MH_ESTATE;

	if (error == MH_ESTATE && in->agent)
		mh_agent_wheel(in->agent, vertical * WHEEL_UNIT, horizontal * WHEEL_UNIT);
}

static bool bit(const uint8_t *set, uint32_t n)
{
	return set[n / 8] >> n % 8 & 1;
}

static void set_bit(uint8_t *set, uint32_t n, bool value)
{
	uint8_t mask = (uint8_t)(1u << n % 8);

	set[n / 8] = value ? set[n / 8] | mask : set[n / 8] & (uint8_t)~mask;
}

void mhi_x_input_key(struct mhi_x_input *in, xcb_keycode_t key, bool down)
{
	uint32_t code = key - KEYCODE_OFFSET;

	if (key < KEYCODE_OFFSET || bit(in->held, code) == down)
		return;
	set_bit(in->held, code, down);
	send_key(in, code, down);
}

void mhi_x_input_button(struct mhi_x_input *in, xcb_button_t button, bool down)
{
	uint32_t mask;

	if (button >= BUTTONS)
		return;
	if (wheel[button][0] || wheel[button][1]) {
		if (down)
			send_wheel(in, wheel[button][0], wheel[button][1]);
		return;
	}
	mask = 1u << button;
	if (!button_code[button] || !!(in->buttons & mask) == down)
		return;
	in->buttons = down ? in->buttons | mask : in->buttons & ~mask;
	send_button(in, button_code[button], down);
}

static int32_t within(int32_t at, uint32_t side)
{
	return at < 0 ? 0 : (uint32_t)at >= side ? (int32_t)side - 1 : at;
}

void mhi_x_input_pointer(struct mhi_x_input *in, const int32_t at[2],
			 const struct mh_surface *surface)
{
	int error = MH_ESTATE;
	int32_t x, y;

	if (!surface->width || !surface->height)
		return;
	x = within(at[0], surface->width);
	y = within(at[1], surface->height);
	if (in->vm)
		error = mh_input_pointer(in->vm, x, y, surface->width, surface->height);
	if (error == MH_ESTATE && in->agent)
		mh_agent_pointer(in->agent, x, y);
}

void mhi_x_input_release(struct mhi_x_input *in)
{
	for (uint32_t code = 0; code < 256 - KEYCODE_OFFSET; code++) {
		if (bit(in->held, code))
			mhi_x_input_key(in, (xcb_keycode_t)(code + KEYCODE_OFFSET), false);
	}
	for (xcb_button_t n = 1; n < BUTTONS; n++) {
		if (in->buttons >> n & 1)
			mhi_x_input_button(in, n, false);
	}
}

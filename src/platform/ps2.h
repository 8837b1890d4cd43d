/* SPDX-License-Identifier: MIT */
/*
 * A PS/2 keyboard and a PS/2 mouse, as the keyboard controller speaks with them: bytes to the
 * device, bytes from it. Who calls holds the controller's lock.
 */
#ifndef MHI_PLATFORM_PS2_H
#define MHI_PLATFORM_PS2_H

#include "core/keys.h"

#define MHI_PS2_FIFO 32

struct mhi_ps2_fifo {
	u8 byte[MHI_PS2_FIFO];
	u32 head, count;
};

struct mhi_ps2_keyboard {
	struct mhi_ps2_fifo replies, codes; /* replies go first */
	struct mhi_keys keys;
	u8 command; /* whose parameter comes; 0: none */
	u8 last;    /* byte that was sent */
	u8 set;	    /* of scan codes: 1 or 2 */
	u8 leds;    /* as the keyboard has them: scroll, num, caps */
	bool scanning;
};

struct mhi_ps2_mouse {
	struct mhi_ps2_fifo replies, packets;
	s32 dx, dy,
		dz; /* not sent yet; dy and dz as the mouse has them: up, and towards the user */
	u8 buttons, told;
	u8 command;
	u8 last;
	u8 rate, resolution, id;
	u8 knock[2]; /* the two sample rates before this one */
	bool reporting, remote, wrap, scaling;
};

enum mhi_ps2_button {
	MHI_PS2_LEFT = 0x01,
	MHI_PS2_RIGHT = 0x02,
	MHI_PS2_MIDDLE = 0x04,
	MHI_PS2_SIDE = 0x08,
	MHI_PS2_EXTRA = 0x10
};
#define MHI_PS2_BUTTONS 5

/* As after power-up. */
void mhi_ps2_keyboard_init(struct mhi_ps2_keyboard *k);
void mhi_ps2_keyboard_write(struct mhi_ps2_keyboard *k, u8 byte);
/* The next byte; false: none. */
bool mhi_ps2_keyboard_read(struct mhi_ps2_keyboard *k, u8 *byte);
/*
 * A key (evdev's code); one that is down already repeats. 0; MH_ESTATE (the guest has switched the
 * keyboard off, or it has no such key), MH_EBUSY.
 */
int mhi_ps2_keyboard_key(struct mhi_ps2_keyboard *k, u32 code, bool down);

void mhi_ps2_mouse_init(struct mhi_ps2_mouse *m);
void mhi_ps2_mouse_write(struct mhi_ps2_mouse *m, u8 byte);
bool mhi_ps2_mouse_read(struct mhi_ps2_mouse *m, u8 *byte);
/* 0; MH_ESTATE (the guest has not switched the mouse on), MH_EBUSY. What moves is never lost. */
int mhi_ps2_mouse_move(struct mhi_ps2_mouse *m, s32 dx, s32 dy, s32 dz);
int mhi_ps2_mouse_button(struct mhi_ps2_mouse *m, enum mhi_ps2_button button, bool down);

static inline u32 mhi_ps2_room(const struct mhi_ps2_fifo *f)
{
	return MHI_PS2_FIFO - f->count;
}

/* What there is no room for is dropped. */
static inline void mhi_ps2_put(struct mhi_ps2_fifo *f, u8 byte)
{
	if (f->count < MHI_PS2_FIFO)
		f->byte[(f->head + f->count++) % MHI_PS2_FIFO] = byte;
}

static inline bool mhi_ps2_take(struct mhi_ps2_fifo *f, u8 *byte)
{
	if (!f->count)
		return false;
	*byte = f->byte[f->head];
	f->head = (f->head + 1) % MHI_PS2_FIFO;
	f->count--;
	return true;
}

#endif

/* SPDX-License-Identifier: MIT */
/* The guest's keyboard, pointer and touch screen. */
#ifndef MACROHARD_INPUT_H
#define MACROHARD_INPUT_H

#include <macrohard/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds of input devices; a VM has at most one of each. */
#define MH_INPUT_KEYBOARD (1u << 0) /* virtio-input */
#define MH_INPUT_TABLET (1u << 1)   /* virtio-input: a pointer that is put somewhere; wheels */
#define MH_INPUT_TOUCH (1u << 2)    /* virtio-input: a touch screen for ten fingers */
#define MH_INPUT_MOUSE (1u << 3)    /* virtio-input: a pointer that is moved; wheels */
#define MH_INPUT_PS2 (1u << 4)	    /* keyboard and wheel mouse of a PC: firmware, boot loaders */

#define MH_INPUT_SLOTS 10 /* fingers of a touch screen */

struct mh_input_config {
	size_t size;	/* sizeof(struct mh_input_config), by MH_INPUT_CONFIG_INIT */
	uint32_t flags; /* MH_VIRTIO_*; a slot only where kinds has one virtio device */
	uint32_t kinds; /* MH_INPUT_*, at least one */
};

#define MH_INPUT_CONFIG_INIT                                               \
	{                                                                  \
		sizeof(struct mh_input_config), 0u,                        \
			MH_INPUT_KEYBOARD | MH_INPUT_TABLET | MH_INPUT_PS2 \
	}

/**
 * Give the guest input devices. The functions below feed all that a VM has: keys go to the virtio
 * keyboard as soon as the guest's driver is ready, and to the PS/2 one before.
 * @config  NULL: defaults, a keyboard and a tablet, and PS/2 until the guest has drivers for them
 * @out     all of them, as one device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_EEXIST (the VM has one of that kind;
 * PCI slot; a handler of yours has port 0x60), MH_ERANGE, MH_ENOMEM. On error nothing is attached.
 * Since: 1.0
 */
MH_API int mh_input_attach(struct mh_vm *vm, const struct mh_input_config *config,
			   struct mh_dev **out);

/*
 * Each of the following is one event, with a report of its own (SYN_REPORT). None of them waits:
 * when the guest does not take its events, a press or a motion gives MH_EBUSY and is lost, and a
 * release is told later, so that no key stays down. A release is never an error where there is a
 * device, not even while the VM is paused.
 */

/**
 * Press or let go a key. One that is down already repeats on PS/2; virtio's guests repeat keys
 * themselves.
 * @code  Linux evdev's KEY_* (linux/input-event-codes.h), 1 to 248
 * Thread: [any]
 * Returns 0; MH_EINVAL (code), MH_ESTATE (not running; no keyboard that the guest uses, or it has
 * no such key), MH_EBUSY.   Since: 1.0
 */
MH_API int mh_input_key(struct mh_vm *vm, uint32_t code, int down);

/**
 * Put the pointer somewhere. Where the guest uses no tablet, its mouse is moved by as much as the
 * position has changed since the last call.
 * @x, @y           0 .. width - 1, 0 .. height - 1
 * @width, @height  of the area that they are in, such as the display's surface; pixels
 * Thread: [any]
 * Returns 0; MH_EINVAL (position), MH_ESTATE (not running; no pointer that the guest uses),
 * MH_EBUSY.   Since: 1.0
 */
MH_API int mh_input_pointer(struct mh_vm *vm, int32_t x, int32_t y, uint32_t width,
			    uint32_t height);

/**
 * Move the pointer of a mouse, virtio's or PS/2's.
 * @dx, @dy  right and down are positive
 * Thread: [any]   Returns 0; MH_ESTATE (not running; no mouse that the guest uses), MH_EBUSY.
 * Since: 1.0
 */
MH_API int mh_input_motion(struct mh_vm *vm, int32_t dx, int32_t dy);

/**
 * Press or let go a button of the pointer that was put or moved last.
 * @code  evdev's BTN_LEFT, BTN_RIGHT, BTN_MIDDLE, BTN_SIDE, BTN_EXTRA (0x110 .. 0x114)
 * Thread: [any]
 * Returns 0; MH_EINVAL (code), MH_ESTATE (not running; no pointer that the guest uses), MH_EBUSY.
 * Since: 1.0
 */
MH_API int mh_input_button(struct mh_vm *vm, uint32_t code, int down);

/**
 * Turn the wheels of the pointer that was put or moved last.
 * @vertical, @horizontal  detents; up and right are positive. PS/2 has no horizontal wheel.
 * Thread: [any]   Returns 0; MH_ESTATE (not running; no pointer that the guest uses), MH_EBUSY.
 * Since: 1.0
 */
MH_API int mh_input_wheel(struct mh_vm *vm, int32_t vertical, int32_t horizontal);

/**
 * Touch the screen with a finger, or move one that touches it.
 * @slot  which finger, 0 .. MH_INPUT_SLOTS - 1
 * Others: as for mh_input_pointer.
 * Thread: [any]
 * Returns 0; MH_EINVAL (slot, position), MH_ESTATE (not running; no touch screen that the guest
 * uses), MH_EBUSY.   Since: 1.0
 */
MH_API int mh_input_touch(struct mh_vm *vm, uint32_t slot, int32_t x, int32_t y, uint32_t width,
			  uint32_t height);

/**
 * Lift a finger from the touch screen; one that does not touch it stays where it is.
 * Thread: [any]   Returns 0; MH_EINVAL (slot), MH_ESTATE (no touch screen).   Since: 1.0
 */
MH_API int mh_input_lift(struct mh_vm *vm, uint32_t slot);

/* Lights of the keyboard. */
#define MH_INPUT_LED_NUM (1u << 0)
#define MH_INPUT_LED_CAPS (1u << 1)
#define MH_INPUT_LED_SCROLL (1u << 2)

/**
 * Which lights the guest has switched on.
 * @leds  MH_INPUT_LED_*
 * Thread: [any]   Returns 0; MH_EINVAL (leds is NULL), MH_ESTATE (no keyboard).   Since: 1.0
 */
MH_API int mh_input_leds(struct mh_vm *vm, uint32_t *leds);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/*
 * virtio-input: keyboards, tablets, touch screens and mice. The host's side never waits: a device
 * holds a bounded number of events that the guest has not taken yet.
 */
#ifndef MHI_VIRTIO_INPUT_H
#define MHI_VIRTIO_INPUT_H

#include "virtio/vdev.h"

#define MHI_INPUT_ID 18

enum mhi_input_kind { MHI_INPUT_KEYBOARD, MHI_INPUT_TABLET, MHI_INPUT_TOUCH, MHI_INPUT_MOUSE };

#define MHI_INPUT_KEY_LAST 248	  /* KEY_MICMUTE: the last key of a keyboard */
#define MHI_INPUT_AXIS_LAST 32767 /* positions are from 0 to this */
#define MHI_INPUT_SLOTS 10	  /* fingers */

/* 0; MH_ENOMEM. The device frees itself by ops->destroy. */
int mhi_input_create(const struct mhi_vdev_env *env, enum mhi_input_kind kind,
		     struct mhi_vdev **out);

/*
 * Any thread: one report. 0; MH_ESTATE (the guest's driver is not there, or the machine does not
 * run), MH_EBUSY (the guest does not take its events). A release is no error: it is told as soon as
 * the guest takes it. What the device does not have is ignored.
 */
/* Keys of the keyboard, buttons of tablet and mouse: a code below MHI_KEYS. */
int mhi_input_key(struct mhi_vdev *dev, u32 code, bool down);
int mhi_input_position(struct mhi_vdev *dev, u32 x, u32 y);
int mhi_input_motion(struct mhi_vdev *dev, s32 dx, s32 dy);
int mhi_input_wheel(struct mhi_vdev *dev, s32 vertical, s32 horizontal);
int mhi_input_touch(struct mhi_vdev *dev, u32 slot, bool down, u32 x, u32 y);

/* Could it take events? */
bool mhi_input_ready(struct mhi_vdev *dev);
/* Bit n: LED n of evdev is on. */
u32 mhi_input_leds(struct mhi_vdev *dev);

#endif

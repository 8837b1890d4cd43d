/* SPDX-License-Identifier: MIT */
/* The guest's keyboard, pointer and touch screen. */
#ifndef MACROHARD_INPUT_H
#define MACROHARD_INPUT_H

#include <macrohard/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Contract (draft), for who feeds input:
 *   mh_input_key(vm, code, down)             code: Linux evdev KEY_*
 *   mh_input_pointer(vm, x, y, width, height)  absolute: x of 0 .. width - 1, y of 0 .. height - 1
 *   mh_input_motion(vm, dx, dy)              relative
 *   mh_input_button(vm, code, down)          evdev BTN_LEFT, ...
 *   mh_input_wheel(vm, vertical, horizontal) detents, up and right positive
 *   mh_input_touch(vm, slot, down, x, y, width, height)
 * Thread [any]; each call is one event with its SYN_REPORT; return 0, MH_ESTATE (not running, or no
 * such device), MH_EINVAL, MH_EBUSY (the guest does not take its events).
 */

#ifdef __cplusplus
}
#endif
#endif

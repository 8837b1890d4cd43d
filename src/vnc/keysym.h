/* SPDX-License-Identifier: MIT */
/* What clients send for keys, as evdev's codes. 0: there is no such key. */
#ifndef MHV_KEYSYM_H
#define MHV_KEYSYM_H

#include <stdint.h>

/* X11's keysyms, by the key of a US keyboard that has them. */
uint32_t mhv_keysym(uint32_t keysym);
/* Scan codes of set 1, with bit 7 for those with E0 in front of them. */
uint32_t mhv_key_code(uint32_t code);

#endif

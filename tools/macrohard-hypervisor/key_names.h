/* SPDX-License-Identifier: MIT */
/* Names of keys. */
#ifndef KEY_NAMES_H
#define KEY_NAMES_H

#include <stdint.h>

/* evdev's code, or 0: there is no such key. */
uint32_t key_code(const char *name);

#endif

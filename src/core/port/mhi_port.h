/* SPDX-License-Identifier: MIT */
/*
 * Port of the freestanding code to hosted C: the library and its unit tests. Same widths as the
 * kernel's types.
 */
#ifndef MHI_PORT_H
#define MHI_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#endif

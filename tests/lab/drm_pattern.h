/* SPDX-License-Identifier: MIT */
/* What drm_draw draws in the guest, and display finds on the host. */
#ifndef TESTS_LAB_DRM_PATTERN_H
#define TESTS_LAB_DRM_PATTERN_H

#include <stdint.h>

/* In step 3 only this part of step 2's picture is drawn anew. */
#define PART_X 100u
#define PART_Y 50u
#define PART_WIDTH 211u
#define PART_HEIGHT 97u

/* Step 4's cursor: opaque, but for a border of half of it; where the picture's corner is. */
#define CURSOR_SIDE 64u
#define CURSOR_X 200
#define CURSOR_Y 100
#define CURSOR_HOT_X 5
#define CURSOR_HOT_Y 7

static inline uint32_t pattern(uint32_t step, uint32_t x, uint32_t y)
{
	return ((x * 3 + step * 40) & 0xff) | ((y * 5 + x) & 0xff) << 8 |
	       (((x ^ y) + step * 70) & 0xff) << 16;
}

static inline uint32_t pattern_cursor(uint32_t x, uint32_t y)
{
	uint32_t border = x < 16 || y < 16 || x >= 48 || y >= 48;

	return border ? 0x00ff00ff : 0xffffff00 | (x ^ y);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Scan codes of PS/2 keyboards. */
#ifndef MHI_PLATFORM_PS2_CODES_H
#define MHI_PLATFORM_PS2_CODES_H

#include "base/types.h"

#define MHI_PS2_BREAK 0xf0 /* before a code of set 2: the key was let go */
#define MHI_PS2_E0 0xe0
#define MHI_PS2_E1 0xe1
#define MHI_PS2_RELEASED 0x80 /* the same in a code of set 1 */

/* A byte of set 2 as the controller translates it to set 1; what is no code stays. */
u8 mhi_ps2_translate(u8 byte);

/* A key's codes when it is pressed or let go, of set 2: out [8]; how many, 0: there is none. */
u32 mhi_ps2_codes(u32 code, bool down, u8 out[8]);

#endif

// SPDX-License-Identifier: MIT
/* State behind the faked x86 instructions. */
#include "x86_insn.h"

u64 fake_tsc;

/* SPDX-License-Identifier: MIT */
/* What Check includes for its integer types: C99 has them. */
#include <stdint.h>

// SPDX-License-Identifier: MIT
/* The library's own engines, as `errors` takes them. */
#include "errors.h"

const bool engine_is_fake = false;

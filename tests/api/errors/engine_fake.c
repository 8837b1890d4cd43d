// SPDX-License-Identifier: MIT
/* The fake of the shim, as `errors` takes it. */
#include "errors.h"
#include "fake_engine.h"

const bool engine_is_fake = true;

__attribute__((constructor)) static void begin(void)
{
	fake_engine_reset();
	fake_engine.tsc.shift = 48;
}

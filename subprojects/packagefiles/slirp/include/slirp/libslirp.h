/* SPDX-License-Identifier: MIT */
/* Where packaged versions have the header. */
#include "../../src/libslirp.h"

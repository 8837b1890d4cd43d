/* SPDX-License-Identifier: MIT */
/* Where an installed cJSON has its header, for one that is built as a subproject. */
#include "../../cJSON.h"

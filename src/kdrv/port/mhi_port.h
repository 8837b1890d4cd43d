/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Port of the freestanding code to the kernel: integer types and memory functions. */
#ifndef MHI_PORT_H
#define MHI_PORT_H

#include <linux/types.h>
#include <linux/stddef.h>
#include <linux/string.h>

#endif

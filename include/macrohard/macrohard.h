/* SPDX-License-Identifier: MIT */
/*
 * libmacrohard: all public headers (but uapi.h, which is between the library and its kernel
 * module, and guest.h, which is for guests).
 */
#ifndef MACROHARD_MACROHARD_H
#define MACROHARD_MACROHARD_H

#include <macrohard/error.h>
#include <macrohard/ctx.h>
#include <macrohard/vm.h>
#include <macrohard/config.h>
#include <macrohard/event.h>
#include <macrohard/vcpu.h>
#include <macrohard/policy.h>
#include <macrohard/device.h>
#include <macrohard/input.h>
#include <macrohard/agent.h>
#include <macrohard/clipboard.h>
#include <macrohard/seamless.h>
#include <macrohard/disk.h>
#include <macrohard/display.h>
#include <macrohard/net.h>
#include <macrohard/hypercall.h>
#include <macrohard/metrics.h>
#include <macrohard/gdb.h>
#include <macrohard/sandbox.h>

#endif

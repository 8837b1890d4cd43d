/* SPDX-License-Identifier: MIT */
/* What the tests of src/api share: a context over the fakes, a log that is kept, and VMs. */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include "unit.h"
#include "fake_engine.h"
#include "fake_insn.h"
#include "fake_machine.h"
#include "macrohard/macrohard.h"

extern struct mh_ctx *ctx;
extern char last_log[1024];

void api_set_up(void);
/* Whatever the test did: nothing may be left. */
void api_tear_down(void);
struct mh_vm *api_vm(u32 cpus, u32 flags, u64 memory);

#define ck_error_has(text)                                                                   \
	ck_assert_msg(strstr(mh_last_error(ctx), (text)), "\"%s\" is not in \"%s\"", (text), \
		      mh_last_error(ctx))

#endif

/* SPDX-License-Identifier: MIT */
/* What the tests of src/api share: a context over the fakes, a log that is kept, and VMs. */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include "unit.h"
#include "fake_engine.h"
#include "fake_insn.h"
#include "fake_machine.h"
#include "macrohard/macrohard.h"

static struct mh_ctx *ctx;
static char last_log[1024];

static void keep_log(void *opaque, enum mh_log_level level, const char *text)
{
	strncpy(last_log, text, sizeof(last_log) - 1);
}

static inline void api_set_up(void)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;

	fake_engine_reset();
	fake_machine_clear();
	last_log[0] = '\0';
	config.log = keep_log;
	config.log_level = MH_LOG_INFO;
	ck_assert_int_eq(mh_ctx_create(&config, &ctx), 0);
}

/* Whatever the test did: nothing may be left. */
static inline void api_tear_down(void)
{
	ck_assert_int_eq(mh_ctx_destroy(ctx), 0);
	ck_assert_uint_eq(fake_engine.engines, 0);
	ck_assert_uint_eq(fake_engine.vms, 0);
	ck_assert_uint_eq(fake_engine.vcpus, 0);
	ck_assert_uint_eq(fake_engine.slots, 0);
	ck_assert_uint_eq(fake_machine.machines, 0);
	ck_assert_uint_eq(fake_machine.boots, 0);
}

static inline struct mh_vm *api_vm(u32 cpus, u32 flags, u64 memory)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_vm *vm = NULL;

	config.name = "test";
	config.cpus = cpus;
	config.flags = flags;
	config.memory_bytes = memory;
	ck_assert_int_eq(mh_vm_create(ctx, &config, &vm), 0);
	return vm;
}

#define ck_error_has(text)                                                                   \
	ck_assert_msg(strstr(mh_last_error(ctx), (text)), "\"%s\" is not in \"%s\"", (text), \
		      mh_last_error(ctx))

#endif

/* SPDX-License-Identifier: MIT */
/* What the tests of src/api share: a context over the fakes, a log that is kept, and VMs. */
#include "api_fixture.h"

struct mh_ctx *ctx;
char last_log[1024];

static void keep_log(void *opaque, enum mh_log_level level, const char *text)
{
	strncpy(last_log, text, sizeof(last_log) - 1);
}

void api_set_up(void)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;

	fake_engine_reset();
	fake_machine_clear();
	last_log[0] = '\0';
	config.log = keep_log;
	config.log_level = MH_LOG_INFO;
	ck_assert_int_eq(mh_ctx_create(&config, &ctx), 0);
}

void api_tear_down(void)
{
	ck_assert_int_eq(mh_ctx_destroy(ctx), 0);
	ck_assert_uint_eq(fake_engine.engines, 0);
	ck_assert_uint_eq(fake_engine.vms, 0);
	ck_assert_uint_eq(fake_engine.vcpus, 0);
	ck_assert_uint_eq(fake_engine.slots, 0);
	ck_assert_uint_eq(fake_machine.machines, 0);
	ck_assert_uint_eq(fake_machine.boots, 0);
}

struct mh_vm *api_vm(u32 cpus, u32 flags, u64 memory)
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

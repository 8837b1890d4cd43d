/* SPDX-License-Identifier: MIT */
/* Contexts: configuration, the engine's life, last errors per thread, making VMs that cannot be. */
#include "api_fixture.h"

#include <pthread.h>
#include <stdio.h>

START_TEST(config_is_checked)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	struct mh_ctx *other = NULL;

	config.size--;
	ck_assert_int_eq(mh_ctx_create(&config, &other), MH_EINVAL);
	config.size++;
	config.engine = (enum mh_engine_kind)77;
	ck_assert_int_eq(mh_ctx_create(&config, &other), MH_EINVAL);
	config.engine = MH_ENGINE_SHIM;
	config.log_level = (enum mh_log_level)77;
	ck_assert_int_eq(mh_ctx_create(&config, &other), MH_EINVAL);
	ck_assert_int_eq(mh_ctx_create(NULL, NULL), MH_EINVAL);
	ck_assert_ptr_null(other);
	ck_assert_int_eq(mh_ctx_create(NULL, &other), 0);
	ck_assert_str_eq(mh_last_error(other), "");
	ck_assert_int_eq(mh_ctx_destroy(other), 0);
	ck_assert_int_eq(mh_ctx_destroy(NULL), 0);
	ck_assert_str_eq(mh_last_error(NULL), "");
	ck_assert_uint_gt(strlen(mh_version()), 0);
}
END_TEST

static int try_create(const struct mh_vm_config *config)
{
	struct mh_vm *vm = (void *)1;
	int rc = mh_vm_create(ctx, config, &vm);

	ck_assert_int_ne(rc, 0);
	ck_assert_ptr_eq(vm, (void *)1);
	ck_assert_uint_eq(fake_engine.vms, 0);
	ck_assert_uint_eq(fake_engine.engines, 0);
	return rc;
}

START_TEST(vm_config_is_checked)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_vm *vm = NULL;

	config.name = "x y";
	config.cpus = 0;
	ck_assert_int_eq(try_create(&config), MH_EINVAL);
	ck_error_has("create VM \"x y\"");
	ck_error_has("config.cpus is 0");
	config.cpus = 65;
	ck_assert_int_eq(try_create(&config), MH_EINVAL);
	config.cpus = 1;
	config.memory_bytes = 4097;
	ck_assert_int_eq(try_create(&config), MH_EINVAL);
	ck_error_has("config.memory_bytes");
	config.memory_bytes = 0;
	config.flags = 1u << 31;
	ck_assert_int_eq(try_create(&config), MH_EINVAL);
	ck_error_has("config.flags");
	config.flags = 0;
	config.size = 8;
	ck_assert_int_eq(try_create(&config), MH_EINVAL);
	ck_error_has("MH_VM_CONFIG_INIT");
	ck_assert_int_eq(mh_vm_create(ctx, NULL, &vm), MH_EINVAL);
	ck_assert_int_eq(mh_vm_create(NULL, &config, &vm), MH_EINVAL);
}
END_TEST

START_TEST(engine_errors)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;

	config.name = "x";
	config.memory_bytes = 1 << 20;
	fake_engine.open_error = MH_ENODEV;
	ck_assert_int_eq(try_create(&config), MH_ENODEV);
	ck_assert_str_eq(mh_last_error(ctx), "create VM \"x\": fake: no device");
	fake_engine.open_error = 0;
	fake_engine.vm_error = MH_EBUSY;
	ck_assert_int_eq(try_create(&config), MH_EBUSY);
	fake_engine.vm_error = 0;
	fake_engine.mem_error = MH_ENOMEM;
	ck_assert_int_eq(try_create(&config), MH_ENOMEM);
	fake_engine.mem_error = 0;
	fake_engine.vcpu_error = MH_EIO;
	ck_assert_int_eq(try_create(&config), MH_EIO);
	fake_engine.vcpu_error = 0;
	fake_machine.create_error = MH_EEXIST;
	ck_assert_int_eq(try_create(&config), MH_EEXIST);
	fake_machine.create_error = 0;
	fake_engine.info.phys_bits = 32;
	config.memory_bytes = 4ull << 30;
	ck_assert_int_eq(try_create(&config), MH_EINVAL);
	ck_error_has("32-bit");
	config.memory_bytes = 1ull << 62;
	ck_assert_int_eq(try_create(&config), MH_ENOMEM);
}
END_TEST

/* The device is open while there are VMs, and only then. */
START_TEST(engine_life)
{
	struct mh_vm *a, *b;

	ck_assert_uint_eq(fake_engine.engines, 0);
	a = api_vm(1, MH_VM_BARE, 0);
	b = api_vm(3, 0, 1 << 20);
	ck_assert_uint_eq(fake_engine.engines, 1);
	ck_assert_uint_eq(fake_engine.vms, 2);
	ck_assert_uint_eq(fake_engine.vcpus, 4);
	ck_assert_uint_eq(fake_machine.machines, 1);
	ck_assert_int_eq(mh_ctx_destroy(ctx), MH_ESTATE);
	ck_error_has("2 of its VMs");
	mh_vm_destroy(a);
	ck_assert_uint_eq(fake_engine.engines, 1);
	mh_vm_destroy(b);
	ck_assert_uint_eq(fake_engine.engines, 0);
	mh_vm_destroy(NULL);
}
END_TEST

static void *fail_here(void *opaque)
{
	char mine[128];

	snprintf(mine, sizeof(mine),
		 "create VM: config is NULL; pass a pointer to one that "
		 "MH_VM_CONFIG_INIT began");
	ck_assert_str_eq(mh_last_error(ctx), "");
	ck_assert_int_eq(mh_vm_create(ctx, NULL, opaque), MH_EINVAL);
	ck_assert_str_eq(mh_last_error(ctx), mine);
	return NULL;
}

START_TEST(errors_are_per_thread)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_vm *vm;
	pthread_t thread;
	int i;

	config.cpus = 99;
	ck_assert_int_eq(mh_vm_create(ctx, &config, &vm), MH_EINVAL);
	ck_error_has("config.cpus is 99");
	/* More threads than entries are kept without reuse. */
	for (i = 0; i < 100; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, fail_here, &vm), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	ck_error_has("config.cpus is 99");
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, config_is_checked);
	tcase_add_test(tcase, vm_config_is_checked);
	tcase_add_test(tcase, engine_errors);
	tcase_add_test(tcase, engine_life);
	tcase_add_test(tcase, errors_are_per_thread);
}

UNIT_MAIN("ctx", add_tests)

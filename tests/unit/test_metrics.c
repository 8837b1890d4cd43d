/* SPDX-License-Identifier: MIT */
/* Metrics of VMs and devices: what is counted, and that nothing is taken away. */
#include "api_fixture.h"

#include <unistd.h>

#include "macrohard/metrics.h"

#define PORT 0x80

/* An OUT, an RDMSR, then nothing for ever. */
static int guest(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	if (v->apic_id || v->step > 4)
		return fake_exit_halt(v, page);
	if (v->step % 2)
		return fake_exit_out(page, PORT, 1, v->step);
	page->exit.u.msr.index = 0xdeadbeef;
	return fake_exit(page, MHK_EXIT_RDMSR);
}

static struct mh_vm_metrics metrics_of(struct mh_vm *vm)
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;

	ck_assert_int_eq(mh_vm_metrics(vm, &m), 0);
	return m;
}

static void wait_exits(struct mh_vm *vm, u64 n)
{
	while (metrics_of(vm).services[MH_SERVICE_RDMSR] < n)
		usleep(100);
}

START_TEST(of_a_vm)
{
	struct mh_vm *vm = api_vm(2, 0, 1 << 20);
	struct mh_vm_metrics m = metrics_of(vm);

	fake_engine.script = guest;
	ck_assert_uint_eq(m.starts + m.resets + m.uptime_ns, 0);
	/* What the fake counts: 7 entries and the number of the vCPU; two exits of reason 3. */
	ck_assert_uint_eq(m.entries, 15);
	ck_assert_uint_eq(m.exits[MH_EXIT_INIT], 4);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	wait_exits(vm, 2);
	m = metrics_of(vm);
	ck_assert_uint_eq(m.services[MH_SERVICE_IO], 2);
	ck_assert_uint_eq(m.services[MH_SERVICE_MMIO], 0);
	ck_assert_uint_eq(m.starts, 1);
	ck_assert_uint_gt(m.uptime_ns, 0);
	ck_assert_uint_gt(m.vcpu_ns, 0);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_uint_gt(metrics_of(vm).uptime_ns, m.uptime_ns);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	/* New vCPUs of the engine, whose numbers begin anew. */
	fake_machine.env.power(fake_machine.env.opaque, MHI_POWER_RESET);
	wait_exits(vm, 4);
	m = metrics_of(vm);
	ck_assert_uint_eq(m.services[MH_SERVICE_IO], 4);
	ck_assert_uint_eq(m.entries, 30);
	ck_assert_uint_eq(m.exits[MH_EXIT_INIT], 8);
	ck_assert_uint_eq(m.resets, 1);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	m = metrics_of(vm);
	ck_assert_uint_eq(m.uptime_ns, 0);
	ck_assert_uint_gt(m.vcpu_ns, 0);
	mh_vm_destroy(vm);
}
END_TEST

/* The vCPUs' parts make the VM's whole, over resets too. */
START_TEST(of_a_vcpu)
{
	struct mh_vm_metrics m[2] = { MH_VM_METRICS_INIT, MH_VM_METRICS_INIT }, whole;
	struct mh_vm *vm = api_vm(2, 0, 1 << 20);

	fake_engine.script = guest;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	wait_exits(vm, 2);
	ck_assert_int_eq(mh_vm_reset(vm), 0);
	wait_exits(vm, 4);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	whole = metrics_of(vm);
	for (u32 n = 0; n < 2; n++)
		ck_assert_int_eq(mh_vcpu_metrics(vm, n, &m[n]), 0);
	ck_assert_uint_eq(m[0].entries, 14);
	ck_assert_uint_eq(m[1].entries, 16);
	ck_assert_uint_eq(whole.entries, 30);
	ck_assert_uint_eq(m[0].services[MH_SERVICE_IO], 4);
	ck_assert_uint_eq(m[1].services[MH_SERVICE_IO], 0);
	ck_assert_uint_eq(m[0].exits[MH_EXIT_INIT], 4);
	ck_assert_uint_eq(m[0].msr_refused + m[1].msr_refused, whole.msr_refused);
	ck_assert_uint_ge(m[0].vcpu_ns + m[1].vcpu_ns, whole.vcpu_ns);
	ck_assert_uint_eq(m[1].starts, 1);
	ck_assert_uint_eq(m[1].resets, 1);
	ck_assert_uint_gt(m[1].uptime_ns, 0);
	ck_assert_int_eq(mh_vcpu_metrics(vm, 2, &m[0]), MH_EINVAL);
	ck_error_has("there is no vCPU 2, only 0 to 1");
	m[0].size = 1;
	ck_assert_int_eq(mh_vcpu_metrics(vm, 0, &m[0]), MH_EINVAL);
	ck_assert_int_eq(mh_vcpu_metrics(NULL, 0, &m[1]), MH_EINVAL);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(of_a_device)
{
	struct mh_dev_metrics m = MH_DEV_METRICS_INIT;
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_dev *dev;

	ck_assert_int_eq(mh_rng_attach(vm, NULL, &dev), 0);
	m.requests = 77;
	ck_assert_int_eq(mh_dev_metrics(dev, &m), 0);
	ck_assert_uint_eq(m.requests, 0);
	ck_assert_uint_eq(m.size, sizeof(m));
	m.size = 3;
	ck_assert_int_eq(mh_dev_metrics(dev, &m), MH_EINVAL);
	ck_error_has("metrics of random numbers of VM \"test\"");
	ck_assert_int_eq(mh_dev_metrics(NULL, &m), MH_EINVAL);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(arguments_and_names)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;

	m.size = 0;
	ck_assert_int_eq(mh_vm_metrics(vm, &m), MH_EINVAL);
	ck_error_has("MH_VM_METRICS_INIT");
	ck_assert_int_eq(mh_vm_metrics(vm, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_metrics(NULL, &m), MH_EINVAL);
	ck_assert_str_eq(mh_exit_name(MH_EXIT_HLT), "hlt");
	ck_assert_str_eq(mh_exit_name(MH_EXIT_FETCH), "fetch");
	ck_assert_ptr_null(mh_exit_name(MH_EXIT_KINDS));
	ck_assert_str_eq(mh_service_name(MH_SERVICE_INSN), "insn");
	ck_assert_ptr_null(mh_service_name(MH_SERVICE_KINDS));
	mh_vm_destroy(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, of_a_vm);
	tcase_add_test(tcase, of_a_vcpu);
	tcase_add_test(tcase, of_a_device);
	tcase_add_test(tcase, arguments_and_names);
}

UNIT_MAIN("metrics", add_tests)

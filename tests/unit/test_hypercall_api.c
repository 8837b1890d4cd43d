/* SPDX-License-Identifier: MIT */
/* Hypercalls of a VM: registers to calls, handlers and their feature bits, CPUID, the timer. */
#include "api_fixture.h"

#include <stdio.h>

#include "api/impl.h"
#include "macrohard/guest.h"

#define KVM_ENOSYS ((u64)-1000)
#define SEG_LONG (1u << 13)

/* The registers of each step's hypercall, and what RAX was after it. */
static struct {
	u64 rax, rdi, rbx, rcx, rdx, rsi;
	u32 ss, cs;
	u64 efer, cr0;
} ask;
static u64 rax;
static u32 heard, heard_channel;

static void on_done(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	mh_vm_stop(opaque);
}

static int one_call(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	struct mhk_state *s = &page->state;

	if (v->step > 1) {
		rax = s->gpr[MHK_RAX];
		return fake_exit_out(page, 0xf4, 1, 0);
	}
	s->gpr[MHK_RAX] = ask.rax;
	s->gpr[MHK_RDI] = ask.rdi;
	s->gpr[MHK_RBX] = ask.rbx;
	s->gpr[MHK_RCX] = ask.rcx;
	s->gpr[MHK_RDX] = ask.rdx;
	s->gpr[MHK_RSI] = ask.rsi;
	s->seg[MHK_SS].attr = ask.ss;
	s->seg[MHK_CS].attr = ask.cs;
	s->efer = ask.efer;
	s->cr0 = ask.cr0;
	return fake_exit(page, MHK_EXIT_HYPERCALL);
}

static struct mh_vm *make_vm(u32 flags)
{
	const struct mh_io_ops done = { 1, NULL, on_done };
	struct mh_vm *vm = api_vm(1, flags, 1 << 20);

	heard = 0;
	ck_assert_int_eq(mh_vm_pio_add(vm, 0xf4, 1, &done, vm), 0);
	fake_engine.script = one_call;
	ask.rdi = MHG_KEY;
	ask.ss = 0x93;
	ask.cs = 0x9b | SEG_LONG;
	ask.efer = 0x500;
	ask.cr0 = 0x80000001;
	return vm;
}

static u64 result(struct mh_vm *vm, u64 number)
{
	ask.rax = number;
	rax = 0;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_REQUEST);
	return rax;
}

static u32 features_of_cpuid(void)
{
	const struct mhi_eng_vcpu *v = fake_engine.vcpu[0];

	for (u32 i = 0; i < v->cpuids; i++)
		if (v->cpuid[i].leaf == MHG_LEAF + 1)
			return v->cpuid[i].ecx;
	return 0;
}

static u32 version(void)
{
	u32 major, minor, patch;

	ck_assert_int_eq(sscanf(mh_version(), "%u.%u.%u", &major, &minor, &patch), 3);
	return major << 16 | minor << 8 | patch;
}

START_TEST(registers)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	ck_assert_uint_eq(result(vm, MHG_VERSION), version());
	/* User mode. */
	ask.ss = 0xf3;
	ck_assert_uint_eq(result(vm, MHG_VERSION), (u64)MHG_EPERM);
	/* In real mode that field means nothing. */
	ask.cr0 = 0;
	ask.efer = 0;
	ask.cs = 0x9b;
	ck_assert_uint_eq(result(vm, MHG_VERSION), version());
	ck_assert_uint_eq(result(vm, 0x99), (u32)MHG_ENOSYS);
	mh_vm_destroy(vm);
}
END_TEST

/* Without the key they are KVM's or Hyper-V's, as ever. */
START_TEST(not_ours)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	ask.rdi = 0;
	ck_assert_uint_eq(result(vm, MHG_VERSION), KVM_ENOSYS);
	ask.ss = 0xf3;
	ck_assert_uint_eq(result(vm, MHG_VERSION), KVM_ENOSYS);
	mh_vm_destroy(vm);
}
END_TEST

static int answer(void *opaque, struct mh_hypercall *msg)
{
	heard++;
	heard_channel = msg->channel;
	memcpy(msg->out, "pong", 4);
	msg->out_bytes = 4;
	return memcmp(msg->in, "ping", 4) ? MH_EINVAL : 0;
}

START_TEST(handlers)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);
	u32 before = features_of_cpuid();
	char text[4];

	ck_assert_uint_eq(before & MHG_F_IPC, 0);
	ck_assert_int_eq(mh_hypercall_handler(vm, MH_HC_IPC, answer, NULL), 0);
	ck_assert_uint_eq(features_of_cpuid(), before | MHG_F_IPC);
	ask.rbx = 77;
	ask.rcx = 0x2000;
	ask.rdx = 4;
	ask.rsi = 4;
	ck_assert_int_eq(mh_vm_mem_write(vm, 0x2000, "ping", 4), 0);
	ck_assert_uint_eq(result(vm, MHG_IPC), 4);
	ck_assert_uint_eq(heard_channel, 77);
	ck_assert_int_eq(mh_vm_mem_read(vm, 0x2000, text, 4), 0);
	ck_assert_mem_eq(text, "pong", 4);
	ck_assert_uint_eq(result(vm, MHG_IPC), (u64)MHG_EINVAL); /* no ping any more */
	ck_assert_uint_eq(result(vm, MHG_CLIPBOARD), (u64)MHG_ENOTSUP);
	ck_assert_int_eq(mh_hypercall_handler(vm, MH_HC_IPC, NULL, NULL), 0);
	ck_assert_uint_eq(result(vm, MHG_IPC), (u64)MHG_ENOTSUP);
	ck_assert_uint_eq(features_of_cpuid(), before);
	ck_assert_uint_eq(heard, 2);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(handlers_refused)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	ck_assert_int_eq(mh_hypercall_handler(NULL, MH_HC_IPC, answer, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_hypercall_handler(vm, MHG_TIMER, answer, NULL), MH_EINVAL);
	ck_error_has("hypercall handler of VM \"test\": number is 0x20");
	fake_engine.script = fake_exit_halt;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_hypercall_handler(vm, MH_HC_IPC, answer, NULL), MH_ESTATE);
	/* Of a paused VM the call tells at once. */
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_hypercall_handler(vm, MH_HC_IPC, answer, NULL), 0);
	ck_assert_uint_eq(features_of_cpuid() & MHG_F_IPC, 0);
	ck_assert_uint_ne(mhi_hc_features(&vm->hypercalls) & MHG_F_IPC, 0);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(memory_map_of_machine)
{
	static const struct mhg_memory want[] = {
		{ 0, 0x9fc00, MHG_MEMORY_RAM, 0 },
		{ 0x9fc00, 0x60400, MHG_MEMORY_RESERVED, 0 },
		{ 0x100000, 0x100000, MHG_MEMORY_RAM, 0 },
	};
	const struct mh_io_ops done = { 1, NULL, on_done };
	struct mh_vm *vm = make_vm(MH_VM_BARE);
	struct mhg_memory got[3];

	mh_vm_destroy(vm);
	vm = api_vm(1, 0, 2 << 20);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0xf4, 1, &done, vm), 0);
	ask.rbx = 0x2000;
	ask.rcx = 3;
	ck_assert_uint_eq(result(vm, MHG_MEMORY_MAP), 3);
	ck_assert_int_eq(mh_vm_mem_read(vm, 0x2000, got, sizeof(got)), 0);
	ck_assert_mem_eq(got, want, sizeof(want));
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(timer)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);
	u32 msis = 0;

	ask.rbx = MHG_TIMER_ARM;
	ask.rcx = 1000;
	ask.rdx = 0x55;
	ck_assert_uint_eq(result(vm, MHG_TIMER), 0);
	for (u32 i = 0; i < 5000 && !msis; i++) {
		const struct timespec ms = { 0, 1000000 };

		nanosleep(&ms, NULL);
		pthread_mutex_lock(&fake_engine.lock);
		msis = fake_engine.msis;
		pthread_mutex_unlock(&fake_engine.lock);
	}
	ck_assert_uint_eq(msis, 1);
	ck_assert_uint_eq(fake_engine.msi_addr, 0xfee00000);
	/* The next start disarms. */
	ask.rcx = 3600000000;
	ck_assert_uint_eq(result(vm, MHG_TIMER), 0);
	ask.rbx = MHG_TIMER_CANCEL;
	ck_assert_uint_eq(result(vm, MHG_TIMER), 0);
	ask.rbx = MHG_TIMER_ARM;
	ck_assert_uint_eq(result(vm, MHG_TIMER), 0);
	mh_vm_destroy(vm); /* with one that is armed */
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, registers);
	tcase_add_test(tcase, not_ours);
	tcase_add_test(tcase, handlers);
	tcase_add_test(tcase, handlers_refused);
	tcase_add_test(tcase, memory_map_of_machine);
	tcase_add_test(tcase, timer);
}

UNIT_MAIN("hypercall_api", add_tests)

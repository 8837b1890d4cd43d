// SPDX-License-Identifier: MIT
/*
 * An engine, "shim" or "kvm", under tiny guests: what uapi.h and engine.h promise, with the same
 * expectations for both.
 */
#include "engine_vm.h"
#include "core/err.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

static struct vm vm;

#define RFLAGS_IF 0x200u
#define START(guest) vm_start(&vm, 1, guest, guest##_end)

/* ---- ports and memory ---- */

static void test_pio(void)
{
	START(guest_pio);
	EXPECT_OUT(&vm, 0x80, 1, 0x41);
	EXPECT_OUT(&vm, 0x1234, 4, 0x11223344);
	vm.answer = 0xa5a55a;
	EXPECT(&vm, true, false, 0x81, 0x5a, 1);
	EXPECT_OUT(&vm, 0x82, 1, 0x5a);
	vm.answer = 0xffff1357;
	EXPECT(&vm, true, false, 0x1236, 0x1357, 2);
	EXPECT_OUT(&vm, 0x84, 2, 0x1357);
	vm_stop(&vm);
}

static void test_string_pio(void)
{
	START(guest_string_pio);
	EXPECT_OUT(&vm, 0x300, 1, 'a');
	EXPECT_OUT(&vm, 0x300, 1, 'b');
	EXPECT_OUT(&vm, 0x300, 1, 'c');
	vm.answer = 0x2468;
	EXPECT(&vm, true, false, 0x302, 0x2468, 2);
	EXPECT(&vm, true, false, 0x302, 0x2468, 2);
	EXPECT_OUT(&vm, 0x80, 2, 0x2468);
	CHECK(!memcmp(vm.ram + ENGINE_DATA + 0x10, "\x68\x24\x68\x24\0", 5));
	vm_stop(&vm);
}

static void test_mmio_real_mode(void)
{
	START(guest_mmio16);
	EXPECT(&vm, false, true, 0xb8010, 0xbeef, 2);
	vm.answer = 0x1234;
	EXPECT(&vm, false, false, 0xb8012, 0x1234, 2);
	EXPECT_OUT(&vm, 0x80, 2, 0x1234);
	vm.answer = 0x60;
	EXPECT(&vm, false, false, 0xb8014, 0x60, 1);
	EXPECT(&vm, false, true, 0xb8014, 0x6f, 1);
	vm_stop(&vm);
}

static void test_mmio_long_mode(void)
{
	START(guest_mmio64);
	vm_long_mode(&vm);
	EXPECT(&vm, false, true, ENGINE_MMIO, 0x12345678, 4);
	vm.answer = 0x1122334455667788;
	EXPECT(&vm, false, false, ENGINE_MMIO + 8, 0x1122334455667788, 8);
	EXPECT_OUT(&vm, 0x80, 4, 0x55667788);
	EXPECT(&vm, false, false, ENGINE_MMIO + 0x11, 0x88, 1);
	EXPECT_OUT(&vm, 0x80, 4, 0x88);
	EXPECT(&vm, false, true, ENGINE_MMIO + 0x100, 0x64636261, 4);
	EXPECT(&vm, false, true, ENGINE_MMIO + 0x104, 0x68676665, 4);
	vm_stop(&vm);
}

static void test_read_only_memory(void)
{
	START(guest_rom);
	vm_long_mode(&vm);
	EXPECT_OUT(&vm, 0x80, 4, 0x216d6f72);
	EXPECT(&vm, false, true, ENGINE_ROM + 4, 0x55, 4);
	EXPECT_OUT(&vm, 0x80, 4, 0x216d6f72);
	vm_stop(&vm);
}

static void test_memory_removed(void)
{
	struct mhk_mem clear = { .size = sizeof(clear), .flags = MHK_MEM_CLEAR, .slot = 1 };
	struct mhi_err err;

	START(guest_rom);
	vm_long_mode(&vm);
	EXPECT_OUT(&vm, 0x80, 4, 0x216d6f72);
	CHECK_EQ(ops->mem_set(vm.vm, &clear, &err), 0);
	vm.rom_gone = true;
	EXPECT(&vm, false, true, ENGINE_ROM + 4, 0x55, 4);
	vm.answer = 0x656e6f67;
	EXPECT(&vm, false, false, ENGINE_ROM + 4, 0x656e6f67, 4);
	EXPECT_OUT(&vm, 0x80, 4, 0x656e6f67);
	vm_stop(&vm);
}

/* ---- kicks ---- */

static bool kick_due;

static bool intel(void)
{
	struct mhi_engine *e;
	struct mhi_err err;
	bool vmx;

	if (ops->open(NULL, &e, &err))
		return false;
	vmx = ops->info(e)->vendor == MHK_VENDOR_VMX;
	ops->close(e);
	return vmx;
}

static void *kick_later(void *arg)
{
	usleep(50000);
	__atomic_store_n(&kick_due, true, __ATOMIC_RELEASE);
	ops->kick(vm.vcpu[0]);
	return NULL;
}

/* The run that is in the guest, or waiting in HLT, comes out with MHK_EXIT_NONE. */
static void kick_out(const u8 *code, const u8 *code_end, u64 rflags)
{
	pthread_t thread;

	vm_start(&vm, 1, code, code_end);
	vm.page->state.rflags |= rflags;
	kick_due = false;
	pthread_create(&thread, NULL, kick_later, NULL);
	do /* an engine may come out for its own reasons, too */
		CHECK_EQ(ops->run(vm.vcpu[0]), 0);
	while (vm.page->exit.reason == MHK_EXIT_NONE &&
	       !__atomic_load_n(&kick_due, __ATOMIC_ACQUIRE));
	CHECK_EQ(vm.page->exit.reason, MHK_EXIT_NONE);
	pthread_join(thread, NULL);
	vm_stop(&vm);
}

static void test_kick_loop(void)
{
	kick_out(guest_loop, guest_loop_end, RFLAGS_IF);
}

static void test_kick_deaf_loop(void)
{
	if (intel()) {
		printf("skip %s: Bochs has no exit for interrupts while the guest's IF is clear\n",
		       ops->name);
		return;
	}
	kick_out(guest_loop, guest_loop_end, 0);
}

static void test_kick_halted(void)
{
	kick_out(guest_hlt, guest_hlt_end, 0);
}

static void test_kick_sticks(void)
{
	START(guest_pio);
	CHECK_EQ(vm_run(&vm), MHK_EXIT_IO);
	ops->kick(vm.vcpu[0]);
	CHECK_EQ(ops->run(vm.vcpu[0]), 0);
	CHECK_EQ(vm.page->exit.reason, MHK_EXIT_NONE);
	CHECK_EQ(vm_run(&vm), MHK_EXIT_IO); /* once only, and nothing was lost */
	CHECK_EQ(vm.page->exit.u.io.port, 0x1234);
	vm.page->user.immediate_exit = 1;
	CHECK_EQ(ops->run(vm.vcpu[0]), 0);
	CHECK_EQ(vm.page->exit.reason, MHK_EXIT_NONE);
	CHECK_EQ(ops->run(vm.vcpu[0]), 0);
	CHECK_EQ(vm.page->exit.reason, MHK_EXIT_NONE);
	vm.page->user.immediate_exit = 0;
	CHECK_EQ(vm_run(&vm), MHK_EXIT_IO);
	CHECK_EQ(vm.page->exit.u.io.port, 0x81);
	vm_stop(&vm);
}

/* ---- MSRs and hypercalls ---- */

static void test_msr(void)
{
	START(guest_msr);
	CHECK_EQ(vm_run(&vm), MHK_EXIT_RDMSR);
	CHECK_EQ(vm.page->exit.u.msr.index, ENGINE_MSR);
	vm.page->user.reply = 0xaabbccdd11223344;
	vm.page->user.reply_flags = 0;
	EXPECT_OUT(&vm, 0x400, 4, 0x11223344);
	EXPECT_OUT(&vm, 0x400, 4, 0xaabbccdd);
	CHECK_EQ(vm_run(&vm), MHK_EXIT_WRMSR);
	CHECK_EQ(vm.page->exit.u.msr.index, ENGINE_MSR);
	CHECK_EQ(vm.page->exit.u.msr.data, 0x0506070801020304);
	EXPECT_OUT(&vm, 0x80, 1, 1);
	CHECK_EQ(vm_run(&vm), MHK_EXIT_RDMSR);
	vm.page->user.reply_flags = MHK_REPLY_GP;
	EXPECT_OUT(&vm, 0x90, 1, 0xfd);
	EXPECT_OUT(&vm, 0x80, 1, 2);
	CHECK_EQ(vm_run(&vm), MHK_EXIT_WRMSR);
	vm.page->user.reply_flags = MHK_REPLY_GP;
	EXPECT_OUT(&vm, 0x90, 1, 0xfd);
	EXPECT_OUT(&vm, 0x80, 1, 3);
	vm_stop(&vm);
}

static void test_hypercall(void)
{
	u32 reason;

	if (intel())
		START(guest_vmcall);
	else
		START(guest_vmmcall);
	reason = vm_run(&vm);
	if (reason == MHK_EXIT_IO && !strcmp(ops->name, "kvm")) {
		printf("skip kvm: hypercall: this kernel's KVM has no CONFIG_KVM_XEN and answers "
		       "itself\n");
		CHECK_EQ((s32)vm.page->exit.u.io.data, -1000);
		vm_stop(&vm);
		return;
	}
	CHECK_EQ(reason, MHK_EXIT_HYPERCALL);
	CHECK_EQ(vm.page->valid & (MHK_G_GPR | MHK_G_CR | MHK_G_SEG),
		 MHK_G_GPR | MHK_G_CR | MHK_G_SEG);
	CHECK_EQ(vm.page->state.gpr[MHK_RAX], 0x77);
	CHECK_EQ(vm.page->state.gpr[MHK_RBX], 0x1234);
	vm.page->state.gpr[MHK_RAX] = 0xfeed;
	vm.page->user.commit = MHK_G_GPR;
	EXPECT_OUT(&vm, 0x400, 4, 0xfeed);
	vm_stop(&vm);
}

/* ---- state ---- */

static void test_masks(void)
{
	START(guest_count);
	vm.page->state.gpr[MHK_RAX] = 5;
	EXPECT_OUT(&vm, 0x80, 2, 5);
	CHECK_EQ(vm.page->user.commit, 0);
	CHECK_EQ(vm.page->valid, 0);	     /* nobody asked */
	vm.page->state.gpr[MHK_RAX] = 0x777; /* and nobody commits */
	EXPECT_OUT(&vm, 0x80, 2, 6);
	vm.page->user.wanted = MHK_G_GPR | MHK_G_DR;
	EXPECT_OUT(&vm, 0x80, 2, 7);
	CHECK_EQ(vm.page->valid & (MHK_G_GPR | MHK_G_DR), MHK_G_GPR | MHK_G_DR);
	CHECK_EQ(vm.page->state.gpr[MHK_RAX] & 0xffff, 7);
	CHECK_EQ(vm.page->state.dr7, 0x400);
	vm.page->user.wanted = 0;
	vm.page->state.gpr[MHK_RAX] = 0x1000;
	vm.page->user.commit = MHK_G_GPR;
	EXPECT_OUT(&vm, 0x80, 2, 0x1001);
	vm.page->state.rip = ENGINE_CODE; /* the OUT again, without INC in between */
	vm.page->user.commit = MHK_G_RIP;
	EXPECT_OUT(&vm, 0x80, 2, 0x1001);
	vm_stop(&vm);
}

static void test_bad_state(void)
{
	START(guest_count);
	EXPECT_OUT(&vm, 0x80, 2, 0);
	vm.page->user.commit = 1u << 20;
	CHECK_EQ(ops->run(vm.vcpu[0]), MH_EINVAL);
	vm.page->user.commit = 0;
	vm.page->user.wanted = 1u << 20;
	CHECK_EQ(ops->run(vm.vcpu[0]), MH_EINVAL);
	vm.page->user.wanted = 0;
	CHECK_EQ(ops->get(vm.vcpu[0], MHK_G_RIP), 0);
	vm.page->state.rflags |= 1ull << 40;
	vm.page->user.commit = MHK_G_RIP;
	CHECK_EQ(ops->run(vm.vcpu[0]), MH_EINVAL);
	vm.page->user.commit = 0;
	CHECK_EQ(ops->get(vm.vcpu[0], MHK_G_CR), 0);
	vm.page->state.cr4 = ~0ull;
	vm.page->user.commit = MHK_G_CR;
	CHECK_EQ(ops->run(vm.vcpu[0]), MH_EINVAL);
	vm.page->user.commit = 0;
	EXPECT_OUT(&vm, 0x80, 2, 1);
	vm_stop(&vm);
}

static void fill_state(struct mhk_state *s)
{
	unsigned int i;

	for (i = 0; i < MHK_GPRS; i++)
		s->gpr[i] = 0x0101010101010101ull * (i + 1);
	s->rflags = 0x246;
	for (i = MHK_ES; i <= MHK_GS; i++)
		s->seg[i] = (struct mhk_seg){
			.base = i << 4, .limit = 0xffff, .attr = 0x93, .sel = (u16)i
		};
	s->seg[MHK_CS].attr = 0x9b;
	s->gdt = (struct mhk_dtable){ .base = 0x1111, .limit = 0x2f };
	s->idt = (struct mhk_dtable){ .base = 0x2222, .limit = 0x3ff };
	s->cr2 = 0x123456789abc;
	s->cr3 = 0x5000;
	s->cr8 = 3;
	for (i = 0; i < 4; i++)
		s->dr[i] = 0x1000 * (i + 1);
	s->dr7 = 0x401;
	s->star = 0x0010000800000000;
	s->lstar = 0xffffffff81000000;
	s->cstar = 0xffffffff82000000;
	s->sfmask = 0x47700;
	s->kernel_gs_base = 0xffff888000000000;
	s->sysenter_cs = 0x10;
	s->sysenter_esp = 0x81001000; /* AMD has 32 bits of these */
	s->sysenter_eip = 0x81002000;
	s->pat = 0x0007010600070106;
}

/* The legacy part of the image: SDM 1 10.5.1 "FXSAVE Area"; then the header's XSTATE_BV. */
static void fill_fpu(u8 *image)
{
	const u64 sse = 3;
	unsigned int i;

	for (i = 0; i < 128; i++)
		image[160 + i] = (u8)(i * 3 + 1);
	memcpy(image + 512, &sse, 8);
}

static void compare_segments(const struct mhk_state *a, const struct mhk_state *b)
{
	unsigned int i;

	for (i = MHK_ES; i <= MHK_GS; i++) {
		CHECK_EQ(a->seg[i].base, b->seg[i].base);
		CHECK_EQ(a->seg[i].limit, b->seg[i].limit);
		CHECK_EQ(a->seg[i].sel, b->seg[i].sel);
		CHECK_EQ(a->seg[i].attr & 0xf0f0, b->seg[i].attr & 0xf0f0);
	}
	CHECK_EQ(a->gdt.base, b->gdt.base);
	CHECK_EQ(a->gdt.limit, b->gdt.limit);
	CHECK_EQ(a->idt.base, b->idt.base);
	CHECK_EQ(a->idt.limit, b->idt.limit);
}

static void compare_state(const struct mhk_state *a, const struct mhk_state *b)
{
	unsigned int i;

	for (i = 0; i < MHK_GPRS; i++)
		CHECK_EQ(a->gpr[i], b->gpr[i]);
	CHECK_EQ(a->rip, b->rip);
	CHECK_EQ(a->rflags, b->rflags);
	compare_segments(a, b);
	CHECK_EQ(a->cr0, b->cr0);
	CHECK_EQ(a->cr2, b->cr2);
	CHECK_EQ(a->cr3, b->cr3);
	CHECK_EQ(a->cr4, b->cr4);
	CHECK_EQ(a->cr8, b->cr8);
	CHECK_EQ(a->efer, b->efer);
	CHECK_EQ(a->xcr0, b->xcr0);
	for (i = 0; i < 4; i++)
		CHECK_EQ(a->dr[i], b->dr[i]);
	CHECK_EQ(a->dr7, b->dr7);
	/* star .. pat are neighbours. */
	CHECK(!memcmp(&a->star, &b->star,
		      offsetof(struct mhk_state, tsc_aux) - offsetof(struct mhk_state, star)));
	CHECK_EQ(a->mp_state, b->mp_state);
	CHECK_EQ(a->shadow, b->shadow);
}

static void test_round_trip(void)
{
	struct mhk_state want;
	u8 *fpu, image[MHK_FPU_BYTES];

	START(guest_count);
	CHECK_EQ(ops->run(vm.vcpu[0]), 0);
	fpu = ops->fpu_image(vm.vcpu[0]);
	CHECK_EQ(ops->get(vm.vcpu[0], MHK_G_ALL), 0);
	CHECK_EQ(vm.page->valid & MHK_G_ALL, MHK_G_ALL);
	fill_state(&vm.page->state);
	fill_fpu(fpu);
	want = vm.page->state;
	memcpy(image, fpu, sizeof(image));
	vm.page->user.commit = MHK_G_ALL;
	vm.page->user.immediate_exit = 1;
	CHECK_EQ(ops->run(vm.vcpu[0]), 0);
	CHECK_EQ(vm.page->exit.reason, MHK_EXIT_NONE);
	CHECK_EQ(vm.page->user.commit, 0);
	memset(&vm.page->state, 0xee, sizeof(vm.page->state));
	memset(fpu, 0xee, MHK_FPU_BYTES);
	CHECK_EQ(ops->get(vm.vcpu[0], MHK_G_ALL), 0);
	compare_state(&vm.page->state, &want);
	CHECK(!memcmp(fpu + 160, image + 160, 128));
	vm_stop(&vm);
}

static void test_waiting_states(void)
{
	vm_start(&vm, 2, guest_count, guest_count_end);
	CHECK_EQ(ops->run(vm.vcpu[0]), 0);
	CHECK_EQ(ops->get(vm.vcpu[0], MHK_G_MISC), 0);
	CHECK_EQ(vm.page->state.mp_state, MHK_MP_RUNNABLE);
	CHECK_EQ(ops->get(vm.vcpu[1], MHK_G_MISC), 0);
	CHECK_EQ(ops->page(vm.vcpu[1])->state.mp_state, MHK_MP_WAIT_SIPI);
	vm_stop(&vm);
}

/* What was loaded is what the guest sees. */
static void test_registers_in_the_guest(void)
{
	u8 *fpu;

	START(guest_registers);
	vm_long_mode(&vm);
	fpu = ops->fpu_image(vm.vcpu[0]);
	vm.page->user.immediate_exit = 1;
	CHECK_EQ(ops->run(vm.vcpu[0]), 0);
	vm.page->user.immediate_exit = 0;
	CHECK_EQ(ops->get(vm.vcpu[0], MHK_G_ALL), 0);
	fill_fpu(fpu);
	vm.page->state.dr[2] = 0x123456;
	vm.page->state.kernel_gs_base = 0xffff888012345678;
	vm.page->state.cr2 = 0x9a;
	vm.page->user.commit = MHK_G_FPU | MHK_G_DR | MHK_G_MSR | MHK_G_CR;
	vm.page->user.wanted = MHK_G_GPR;
	EXPECT_OUT(&vm, 0x80, 1, 0x9a);
	CHECK(!memcmp(&vm.page->state.gpr[MHK_RSI], fpu + 160 + 7 * 16, 8));
	CHECK_EQ(vm.page->state.gpr[MHK_RDI], 0x123456);
	CHECK_EQ(vm.page->state.gpr[MHK_RBX], 0xffff888012345678);
	vm_stop(&vm);
}

/* ---- events ---- */

static void test_triple_fault(void)
{
	START(guest_fault);
	vm.page->state.idt.limit = 0;
	CHECK_EQ(vm_run(&vm), MHK_EXIT_SHUTDOWN);
	CHECK_EQ(vm.page->valid & (MHK_G_ALL & ~MHK_G_FPU), MHK_G_ALL & ~MHK_G_FPU);
	vm_stop(&vm);
}

static void test_injection(void)
{
	START(guest_count);
	EXPECT_OUT(&vm, 0x80, 2, 0);
	vm.page->user.inject = MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | 13;
	EXPECT_OUT(&vm, 0x90, 1, 0xfd);
	CHECK_EQ(vm.page->user.inject, 0);
	CHECK_EQ(ops->get(vm.vcpu[0], MHK_G_RIP), 0); /* to begin anew, in an NMI */
	vm.page->state.rip = ENGINE_CODE;
	vm.page->user.commit = MHK_G_RIP;
	vm.page->user.inject = MHK_INJECT_VALID | MHK_INJECT_NMI | 2;
	EXPECT_OUT(&vm, 0x90, 1, 0xf2);
	EXPECT_OUT(&vm, 0x80, 2, 0xf2);
	vm.page->user.inject = 0x1234;
	CHECK_EQ(ops->run(vm.vcpu[0]), MH_EINVAL);
	vm_stop(&vm);
}

/* A level-triggered message wakes the guest from HLT, and its EOI is told. */
static void test_interrupt_and_eoi(void)
{
	unsigned int i;

	START(guest_irq);
	EXPECT_OUT(&vm, 0x80, 1, 1);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(ops->msi(vm.vm, 0xfee00000, 0xc040), 1);
		EXPECT_OUT(&vm, 0x90, 1, 0xe0);
		CHECK_EQ(vm_run(&vm), MHK_EXIT_EOI);
		CHECK_EQ(vm.page->exit.u.eoi.vector, 0x40);
		EXPECT_OUT(&vm, 0x90, 1, 0xe1);
	}
	CHECK_EQ(ops->msi(vm.vm, 0xfee00000, 0x41), 1); /* edge: no EOI */
	EXPECT_OUT(&vm, 0x90, 1, 0xe0);
	EXPECT_OUT(&vm, 0x90, 1, 0xe1);
	vm_stop(&vm);
}

static void *run_second(void *arg)
{
	struct mhk_run *page = ops->page(vm.vcpu[1]);

	do
		CHECK_EQ(ops->run(vm.vcpu[1]), 0);
	while (page->exit.reason == MHK_EXIT_NONE);
	return NULL;
}

static void test_second_processor(void)
{
	const struct mhk_exit *exit;
	pthread_t thread;

	vm_start(&vm, 2, guest_boot, guest_boot_end);
	exit = &ops->page(vm.vcpu[1])->exit;
	pthread_create(&thread, NULL, run_second, NULL);
	EXPECT_OUT(&vm, 0x80, 1, 1);
	pthread_join(thread, NULL);
	CHECK_EQ(exit->reason, MHK_EXIT_IO);
	CHECK_EQ(exit->u.io.port, 0x90);
	CHECK_EQ(exit->u.io.data, ENGINE_AP >> 4);
	vm_stop(&vm);
}

static void test_tsc_offset(void)
{
	struct mhi_tsc tsc = { .offset = 0x100000000000 }, got = { 0 };
	u64 before, after, now;

	START(guest_tsc);
	CHECK_EQ(ops->tsc(vm.vm, true, &tsc), 0);
	CHECK_EQ(ops->tsc(vm.vm, false, &got), 0);
	CHECK_EQ(got.offset, tsc.offset);
	CHECK_EQ(got.ratio, 0);
	before = __rdtsc();
	vm.page->user.wanted = MHK_G_GPR;
	CHECK_EQ(vm_run(&vm), MHK_EXIT_IO);
	after = __rdtsc();
	now = vm.page->state.gpr[MHK_RDX] << 32 | (u32)vm.page->state.gpr[MHK_RAX];
	CHECK(now >= before + tsc.offset);
	CHECK(now <= after + tsc.offset);
	vm_stop(&vm);
}

/* What the CPU makes of each ratio is what the library takes it to make. */
static void test_tsc_ratio(void)
{
	static const u64 whole[] = { 1, 3, 511 }; /* of halves */
	struct mhi_tsc tsc = { 0 }, got;
	u64 before, after, now, i;

	START(guest_tsc);
	CHECK_EQ(ops->tsc(vm.vm, false, &tsc), 0);
	vm_stop(&vm);
	if (!tsc.shift || ops != &mhi_engine_shim)
		return;
	for (i = 0; i < 5; i++) {
		START(guest_tsc);
		tsc.ratio = i < 3    ? whole[i] << (tsc.shift - 1)
			    : i == 3 ? 1
				     : (256ull << tsc.shift) - 1;
		tsc.offset = 0x123456789abcdef;
		CHECK_EQ(ops->tsc(vm.vm, true, &tsc), 0);
		CHECK_EQ(ops->tsc(vm.vm, false, &got), 0);
		CHECK_EQ(got.ratio, tsc.ratio);
		before = mhi_tsc_guest(&tsc, __rdtsc());
		vm.page->user.wanted = MHK_G_GPR;
		CHECK_EQ(vm_run(&vm), MHK_EXIT_IO);
		after = mhi_tsc_guest(&tsc, __rdtsc());
		now = vm.page->state.gpr[MHK_RDX] << 32 | (u32)vm.page->state.gpr[MHK_RAX];
		CHECK(now - before <= after - before);
		vm_stop(&vm);
	}
}

/* ---- all ---- */

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "pio", test_pio },
	{ "string pio", test_string_pio },
	{ "mmio in real mode", test_mmio_real_mode },
	{ "mmio in long mode", test_mmio_long_mode },
	{ "doorbell", test_doorbell },
	{ "doorbell that comes and goes", test_doorbell_toggled },
	{ "read-only memory", test_read_only_memory },
	{ "removed memory", test_memory_removed },
	{ "kick out of a loop", test_kick_loop },
	{ "kick out of a loop with IF clear", test_kick_deaf_loop },
	{ "kick out of HLT", test_kick_halted },
	{ "kick and immediate exit before a run", test_kick_sticks },
	{ "msr", test_msr },
	{ "hypercall", test_hypercall },
	{ "commit, wanted, valid", test_masks },
	{ "refused state", test_bad_state },
	{ "state round trip", test_round_trip },
	{ "waiting states", test_waiting_states },
	{ "registers in the guest", test_registers_in_the_guest },
	{ "triple fault", test_triple_fault },
	{ "injection", test_injection },
	{ "interrupt and EOI", test_interrupt_and_eoi },
	{ "second processor", test_second_processor },
	{ "tsc offset", test_tsc_offset },
	{ "tsc ratio", test_tsc_ratio },
};

static bool wanted(int argc, char **argv, const char *name)
{
	int i;

	for (i = 2; i < argc; i++) {
		if (strstr(name, argv[i]))
			return true;
	}
	return argc == 2;
}

int main(int argc, char **argv)
{
	unsigned int i, before, failed = 0;

	if (argc >= 2 && !strcmp(argv[1], "kvm"))
		ops = &mhi_engine_kvm;
	else if (argc >= 2 && !strcmp(argv[1], "shim"))
		ops = &mhi_engine_shim;
	if (!ops) {
		fprintf(stderr, "usage: test_engine shim|kvm [NAME...]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < MHI_COUNT(tests); i++) {
		if (!wanted(argc, argv, tests[i].name))
			continue;
		before = failures;
		tests[i].run();
		printf("%s %s: %s\n", failures == before ? "ok" : "FAIL", ops->name, tests[i].name);
		failed += failures != before;
	}
	printf("%u failed\n", failed);
	return failed ? 1 : 0;
}

// SPDX-License-Identifier: MIT
/*
 * user.debug: masks that there are none, exceptions that come to user space and go on to the guest,
 * single steps, debug registers that are the debugger's while the guest has others.
 */
#include "ioctl_abuse.h"

#include <string.h>
#include <unistd.h>

#define TF 0x100u
#define DEBUGGER (MHK_DEBUG_DB | MHK_DEBUG_BP | MHK_DEBUG_UD)
#define INJECT(vector) (MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | (vector))
#define DB 1u
#define BP 3u
#define UD 6u
#define HANDLER (CODE + 0x100)

/*
 * Bochs's AMD: VMRUN with RFLAGS.TF set, outside of long mode, ends the host, whoever sets it; and
 * DR6 does not tell the cause of an intercepted #DB.
 */
static bool on_bochs_amd(void)
{
	struct mhk_info info = { .size = sizeof(info) };
	struct box b;

	box_make_bare(&b);
	WORKS(ioctl(b.dev, MHK_INFO, &info));
	box_free(&b);
	return quick && info.vendor == MHK_VENDOR_SVM;
}

/* In real mode, at CODE; the handler of each exception is at HANDLER: OUT 0x11, AL. */
static void make(struct box *b, const uint8_t *code, size_t bytes)
{
	static const uint8_t handler[] = { 0xe6, 0x11 };
	unsigned int i;

	box_make(b, &guest_halt);
	memcpy(b->ram + CODE, code, bytes);
	memcpy(b->ram + HANDLER, handler, sizeof(handler));
	for (i = 0; i < 32; i++)
		((uint32_t *)b->ram)[i] = HANDLER;
	b->page->state.gpr[MHK_RSP] = 0x8000;
	b->page->user.commit |= MHK_G_GPR;
	b->page->user.wanted = MHK_G_RIP;
}

static uint64_t run_to(struct box *b, uint32_t reason)
{
	WORKS(-(errno = box_run(b)));
	CHECK_VAL(b->page->exit.reason == reason, b->page->exit.reason);
	return b->page->state.rip;
}

static void wrong_masks(void)
{
	struct box b;
	unsigned int i;

	box_make(&b, &guest_out);
	for (i = 0; i < 32; i++) {
		b.page->user.debug = 1u << i;
		if (!(b.page->user.debug & MHK_DEBUG_ALL))
			FAILS(EINVAL, ioctl(b.vcpu, MHK_RUN));
	}
	b.page->user.debug = ~0u;
	FAILS(EINVAL, ioctl(b.vcpu, MHK_RUN));
	b.page->user.debug = MHK_DEBUG_ALL;
	run_to(&b, MHK_EXIT_IO);
	b.page->user.debug = 0;
	run_to(&b, MHK_EXIT_IO);
	box_free(&b);
}

/* To user space first; then, injected, to the guest; and to the guest alone when nobody asks. */
static void exception(const uint8_t *code, size_t bytes, uint32_t vector)
{
	struct box b;

	make(&b, code, bytes);
	run_to(&b, MHK_EXIT_IO);
	CHECK_VAL(b.page->exit.u.io.port == 0x11, b.page->exit.u.io.port);
	box_state(&b);
	b.page->user.debug = DEBUGGER;
	CHECK_VAL(run_to(&b, MHK_EXIT_DEBUG) == CODE, b.page->state.rip);
	CHECK_VAL(b.page->exit.u.eoi.vector == vector, b.page->exit.u.eoi.vector);
	CHECK_VAL((b.page->valid & (MHK_G_RIP | MHK_G_DR)) == (MHK_G_RIP | MHK_G_DR),
		  b.page->valid);
	/* Nothing was delivered, so the same comes again. */
	CHECK_VAL(run_to(&b, MHK_EXIT_DEBUG) == CODE, b.page->state.rip);
	b.page->user.inject = INJECT(vector);
	run_to(&b, MHK_EXIT_IO);
	CHECK_VAL(b.page->exit.u.io.port == 0x11, b.page->exit.u.io.port);
	box_free(&b);
}

static const uint8_t steps[] = {
	0x90,			/* NOP */
	0x0f, 0xa2,		/* CPUID: an exit of its own */
	0xe6, 0x10,		/* OUT 0x10, AL: one to user space */
	0xf4,			/* HLT */
	0x90, 0x90, 0x90, 0x90, /* NOP */
};

static void single_steps(void)
{
	static const uint16_t after[] = { 1, 3, 5, 6, 7 };
	struct box b;
	unsigned int i;

	make(&b, steps, sizeof(steps));
	b.page->user.debug = DEBUGGER | MHK_DEBUG_STEP;
	b.page->state.rflags |= TF;
	for (i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		if (i == 2)
			run_to(&b, MHK_EXIT_IO);
		run_to(&b, MHK_EXIT_DEBUG);
		CHECK_VAL(b.page->state.rip == CODE + after[i], b.page->state.rip - CODE);
		CHECK_VAL(b.page->exit.u.eoi.vector == DB, b.page->exit.u.eoi.vector);
		CHECK_VAL(b.page->state.dr6 & 0x4000, b.page->state.dr6);
	}
	box_free(&b);
}

/* Interrupts wait while a step is made: HLT with one pending, then without the mask. */
static void interrupts_wait(void)
{
	static const uint8_t code[] = { 0xfb, 0x90, 0xf4, 0x90, 0xeb, 0xfd }; /* STI ... JMP */
	struct mhk_msi msi = { .size = sizeof(msi), .addr = 0xfee00000, .data = 0x40 };
	struct mhk_lapic svr = {
		.size = sizeof(svr), .flags = MHK_LAPIC_WRITE, .offset = 0xf0, .value = 0x1ff
	};
	struct box b;
	unsigned int i;

	make(&b, code, sizeof(code));
	((uint32_t *)b.ram)[0x40] = HANDLER;
	WORKS(ioctl(b.vcpu, MHK_LAPIC, &svr));
	WORKS(ioctl(b.vm, MHK_MSI, &msi));
	CHECK_VAL(msi.delivered == 1, msi.delivered);
	b.page->state.rflags |= TF;
	b.page->user.debug = DEBUGGER | MHK_DEBUG_STEP;
	for (i = 0; i < 8; i++)
		run_to(&b, MHK_EXIT_DEBUG);
	CHECK_VAL(b.page->state.rip < HANDLER, b.page->state.rip);
	b.page->state.rflags &= ~(uint64_t)TF;
	b.page->user.commit = MHK_G_RIP;
	b.page->user.debug = DEBUGGER;
	run_to(&b, MHK_EXIT_IO);
	CHECK_VAL(b.page->exit.u.io.port == 0x11, b.page->exit.u.io.port);
	box_free(&b);
}

/* MOV DR is user space's while it has the registers, and the guest's before and after. */
static void debug_registers(void)
{
	static const uint8_t code[] = {
		0x0f, 0x23, 0xc0, /* MOV DR0, EAX */
		0x0f, 0x21, 0xc3, /* MOV EBX, DR0 */
		0xe6, 0x10,	  /* OUT 0x10, AL */
	};
	struct box b;

	make(&b, code, sizeof(code));
	b.page->user.wanted = MHK_G_RIP | MHK_G_GPR | MHK_G_DR;
	b.page->state.gpr[MHK_RAX] = 0x1234;
	b.page->user.debug = DEBUGGER;
	CHECK_VAL(run_to(&b, MHK_EXIT_INSN) == CODE, b.page->state.rip);
	/* An address of the host: it is the guest's linear address, and does nothing to us. */
	b.page->state.dr[1] = (uintptr_t)&box_make;
	b.page->state.dr[2] = 0xffffffff81000000;
	b.page->state.dr7 = in_qemu ? 0x400 : 0x400 | 0x28;
	b.page->user.commit = MHK_G_DR;
	CHECK_VAL(run_to(&b, MHK_EXIT_INSN) == CODE, b.page->state.rip);
	b.page->state.rip += 3;
	b.page->user.commit = MHK_G_RIP;
	CHECK_VAL(run_to(&b, MHK_EXIT_INSN) == CODE + 3, b.page->state.rip);
	CHECK_VAL(b.page->state.dr[1] == (uintptr_t)&box_make, (long long)b.page->state.dr[1]);
	CHECK_VAL(b.page->state.dr[0] == 0, (long long)b.page->state.dr[0]);
	b.page->state.dr7 = 0x400;
	b.page->state.rip = CODE;
	b.page->user.commit = MHK_G_RIP | MHK_G_DR;
	b.page->user.debug = 0;
	run_to(&b, MHK_EXIT_IO);
	CHECK_VAL(b.page->state.gpr[MHK_RBX] == 0x1234, (long long)b.page->state.gpr[MHK_RBX]);
	CHECK_VAL(b.page->state.dr[0] == 0x1234, (long long)b.page->state.dr[0]);
	box_free(&b);
}

/* A breakpoint of the debugger's, and a watchpoint, without the guest's knowledge. */
static void breakpoints(bool causes)
{
	static const uint8_t code[] = { 0x90, 0x90, 0xa3, 0x00, 0x20, 0x90, 0xe6, 0x10 };
	struct box b;

	if (in_qemu)
		return;		      /* its SVM does not arm what VMRUN loads into DR7 */
	make(&b, code, sizeof(code)); /* NOP, NOP, MOV [0x2000], AX, NOP, OUT */
	b.page->state.dr[0] = CODE + 1;
	b.page->state.dr[3] = COUNTER;
	b.page->state.dr7 = 0x400 | 1u << 1 | 1u << 7 | 5u << 28; /* execute; write 2 bytes */
	b.page->user.commit |= MHK_G_DR;
	b.page->user.debug = DEBUGGER;
	run_to(&b, MHK_EXIT_DEBUG);
	CHECK_VAL(b.page->state.rip == CODE + 1, b.page->state.rip - CODE);
	CHECK_VAL(!causes || (b.page->state.dr6 & 0x400f) == 1, b.page->state.dr6);
	b.page->state.dr6 = 0xffff0ff0;
	b.page->state.rflags |= 0x10000; /* RF */
	b.page->user.commit = MHK_G_DR | MHK_G_RIP;
	run_to(&b, MHK_EXIT_DEBUG);
	CHECK_VAL(b.page->state.rip == CODE + 5, b.page->state.rip - CODE);
	CHECK_VAL(!causes || (b.page->state.dr6 & 0x400f) == 8, b.page->state.dr6);
	run_to(&b, MHK_EXIT_IO);
	box_free(&b);
}

void test_debug(void)
{
	static const uint8_t int3[] = { 0xcc }, ud2[] = { 0x0f, 0x0b };

	wrong_masks();
	if (!in_qemu) /* INT3 is no exception to its SVM, but an INTn */
		exception(int3, sizeof(int3), BP);
	exception(ud2, sizeof(ud2), UD);
	if (!on_bochs_amd()) {
		single_steps();
		interrupts_wait();
	}
	debug_registers();
	breakpoints(!on_bochs_amd());
}

// SPDX-License-Identifier: MIT
/*
 * Guests out of control, that life.c does not have: loops with interrupts off, every VMX and SVM
 * instruction, storms of exceptions, exits, timer interrupts and IPIs. Whatever they do, a thread
 * of the host makes progress meanwhile, and the VM can be destroyed.
 */
#include "ioctl_abuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TICK_US 1000

/* Begins, and begins again after every exception, with a good stack and a counted lap. */
#define WILD(name, text) GUEST_BYTES(name, "1: movw $0x7000, %sp\nincl 0x2000\n" text "jmp 1b\n")
#define GUEST_BYTES(name, text)                                               \
	extern const uint8_t name##_code[], name##_end[];                     \
	__asm__(".pushsection .rodata\n.code16\n" #name "_code:\n" text #name \
		"_end:\n.code64\n.popsection\n")
#define INSN(name, bytes) WILD(name, ".byte " bytes "\n")

WILD(cli_loop, "cli\n2: incl 0x2000; jmp 2b\n");
WILD(cli_halt, "cli; hlt\n");
WILD(ud, "ud2\n");
WILD(int3, "int3\n");
WILD(divide, "xorl %ecx, %ecx; divl %ecx\n");
WILD(single_step, "pushfw; popw %ax; orw $0x100, %ax; pushw %ax; popfw; nop; nop\n");
WILD(icebp, ".byte 0xf1\n");
WILD(all_msrs, "rdmsr; wrmsr; incl %ecx\n");
WILD(x2apic_msrs, "andl $0xff, %ecx; orl $0x800, %ecx; rdmsr; incl %ecx\n");
WILD(svm_msrs, "andl $0x1ff, %ecx; orl $0xc0010000, %ecx; rdmsr; wrmsr; incl %ecx\n");
WILD(vmx_msrs, "andl $0x1f, %ecx; orl $0x480, %ecx; rdmsr; wrmsr; incl %ecx\n");
WILD(all_ports, "inb %dx, %al; outb %al, %dx; incw %dx\n");
WILD(cpuids, "cpuid; incl %eax\n");
WILD(crs, "movl %cr0, %eax; xorl $0x60000000, %eax; movl %eax, %cr0; movl %cr4, %eax;"
	  "notl %eax; movl %eax, %cr4\n");
WILD(cr4_all, "movl $-1, %eax; movl %eax, %cr4\n");
WILD(cr0_none, "xorl %eax, %eax; movl %eax, %cr0\n");
/* The paging bit without a page table. */
WILD(lost_paging, "movl $0x80000011, %eax; movl %eax, %cr0\n");
WILD(xsetbv, "orl $-1, %eax; xorl %ecx, %ecx; .byte 0x0f, 0x01, 0xd1\n");
/* x2APIC on; then a timer of one tick, with interrupts off and on. */
#define X2APIC                                              \
	"movl $0x1b, %ecx; rdmsr; orl $0xc00, %eax; wrmsr;" \
	"movl $0x80f, %ecx; movl $0x1ff, %eax; xorl %edx, %edx; wrmsr;"
WILD(timer_storm, X2APIC "movl $0x83e, %ecx; movl $11, %eax; wrmsr;"
			 "movl $0x832, %ecx; movl $0x20030, %eax; wrmsr;"
			 "movl $0x838, %ecx; movl $1, %eax; wrmsr;"
			 "sti\n2: incl 0x2000; jmp 2b\n");
WILD(deadline_storm, X2APIC "movl $0x832, %ecx; movl $0x40030, %eax; wrmsr; sti;"
			    "movl $0x6e0, %ecx\n2: movl $1, %eax; xorl %edx, %edx; wrmsr;"
			    "incl 0x2000; jmp 2b\n");
WILD(self_ipis, X2APIC "sti; movl $0x83f, %ecx\n2: movl $0x30, %eax; wrmsr; incl 0x2000; jmp 2b\n");
WILD(self_nmis, X2APIC "movl $0x830, %ecx\n2: movl $0x40400, %eax; wrmsr; incl 0x2000; jmp 2b\n");
WILD(self_inits, X2APIC "movl $0x830, %ecx; movl $0x500, %eax; xorl %edx, %edx; wrmsr\n");
WILD(bad_icr, X2APIC "movl $0x830, %ecx\n2: incb %ah; notl %edx; wrmsr; incl 0x2000; jmp 2b\n");
WILD(bad_ss, "movl $0x11, %ebx; movl %ebx, %cr0; movw $-1, %ax; movw %ax, %ss\n");
WILD(bad_ltr, "movl $0x11, %ebx; movl %ebx, %cr0; movw $-1, %ax; ltr %ax\n");
INSN(vmrun, "0x0f, 0x01, 0xd8");
INSN(vmmcall, "0x0f, 0x01, 0xd9");
INSN(vmload, "0x0f, 0x01, 0xda");
INSN(vmsave, "0x0f, 0x01, 0xdb");
INSN(stgi, "0x0f, 0x01, 0xdc");
INSN(clgi, "0x0f, 0x01, 0xdd");
INSN(skinit, "0x0f, 0x01, 0xde");
INSN(invlpga, "0x0f, 0x01, 0xdf");
INSN(vmcall, "0x0f, 0x01, 0xc1");
INSN(vmlaunch, "0x0f, 0x01, 0xc2");
INSN(vmresume, "0x0f, 0x01, 0xc3");
INSN(vmxoff, "0x0f, 0x01, 0xc4");
INSN(vmfunc, "0x0f, 0x01, 0xd4");
INSN(vmptrld, "0x0f, 0xc7, 0x36, 0x00, 0x30");
INSN(vmptrst, "0x0f, 0xc7, 0x3e, 0x00, 0x30");
INSN(vmclear, "0x66, 0x0f, 0xc7, 0x36, 0x00, 0x30");
INSN(vmxon, "0xf3, 0x0f, 0xc7, 0x36, 0x00, 0x30");
INSN(vmread, "0x0f, 0x78, 0xc0");
INSN(vmwrite, "0x0f, 0x79, 0xc0");
INSN(invept, "0x66, 0x0f, 0x38, 0x80, 0x06, 0x00, 0x30");
INSN(invvpid, "0x66, 0x0f, 0x38, 0x81, 0x06, 0x00, 0x30");
INSN(invpcid, "0x66, 0x0f, 0x38, 0x82, 0x06, 0x00, 0x30");
INSN(monitor, "0x0f, 0x01, 0xc8");
INSN(mwait, "0x0f, 0x01, 0xc9");
INSN(encls, "0x0f, 0x01, 0xcf");
INSN(getsec, "0x0f, 0x37");
INSN(rsm, "0x0f, 0xaa");
INSN(wbinvd, "0x0f, 0x09");
INSN(invd, "0x0f, 0x08");
INSN(rdpmc, "0x0f, 0x33");
INSN(rdtscp, "0x0f, 0x01, 0xf9");
INSN(pause_insn, "0xf3, 0x90");

#define ONE(name)                              \
	{                                      \
#name, name##_code, name##_end \
	}
static const struct {
	const char *name;
	const uint8_t *code, *end;
} wild[] = {
	ONE(cli_loop),	  ONE(cli_halt),    ONE(ud),	     ONE(int3),	       ONE(divide),
	ONE(single_step), ONE(icebp),	    ONE(all_msrs),   ONE(x2apic_msrs), ONE(svm_msrs),
	ONE(vmx_msrs),	  ONE(all_ports),   ONE(cpuids),     ONE(crs),	       ONE(cr4_all),
	ONE(cr0_none),	  ONE(lost_paging), ONE(xsetbv),     ONE(timer_storm), ONE(deadline_storm),
	ONE(self_ipis),	  ONE(self_nmis),   ONE(self_inits), ONE(bad_icr),     ONE(bad_ss),
	ONE(bad_ltr),	  ONE(vmrun),	    ONE(vmmcall),    ONE(vmload),      ONE(vmsave),
	ONE(stgi),	  ONE(clgi),	    ONE(skinit),     ONE(invlpga),     ONE(vmcall),
	ONE(vmlaunch),	  ONE(vmresume),    ONE(vmxoff),     ONE(vmfunc),      ONE(vmptrld),
	ONE(vmptrst),	  ONE(vmclear),	    ONE(vmxon),	     ONE(vmread),      ONE(vmwrite),
	ONE(invept),	  ONE(invvpid),	    ONE(invpcid),    ONE(monitor),     ONE(mwait),
	ONE(encls),	  ONE(getsec),	    ONE(rsm),	     ONE(wbinvd),      ONE(invd),
	ONE(rdpmc),	  ONE(rdtscp),	    ONE(pause_insn),
};

/* Answers every exit: what cannot be answered is passed over, by entering again. */
static void *wild_main(void *opaque)
{
	struct runner *r = opaque;
	struct mhk_run *page = r->box->page;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (ioctl(r->box->vcpu, MHK_RUN)) {
			if (errno == EINTR)
				continue;
			r->error = errno;
			break;
		}
		r->exit = page->exit;
		page->user.reply = ~0ull;
		page->user.reply_flags = MHK_REPLY_GP;
		if (page->exit.reason >= MHK_EXIT_COUNT)
			break;
	}
	return NULL;
}

/* Nothing that guests execute may be unknown to the kernel, or be refused by it. */
static bool harmless(uint32_t reason)
{
	return reason != MHK_EXIT_UNHANDLED && reason != MHK_EXIT_ENTRY_FAILED &&
	       reason < MHK_EXIT_COUNT;
}

static void start_wild(struct runner *r, struct box *b, size_t i)
{
	const struct guest guest = { wild[i].code, wild[i].end };

	box_make(b, &guest);
	memset(r, 0, sizeof(*r));
	r->box = b;
	if (pthread_create(&r->thread, NULL, wild_main, r))
		fatal("pthread_create");
}

/* By what has happened, not by the clock: the machine may be busy. */
static bool tick(unsigned int *ticks, unsigned int enough, uint64_t end)
{
	if (*ticks >= enough || now_ms() >= end)
		return false;
	usleep(TICK_US);
	++*ticks;
	return true;
}

static void run_wild(size_t i)
{
	unsigned int ticks = 0, enough = quick ? 20 : 60;
	uint64_t end = now_ms() + WAIT_MS;
	struct runner r;
	struct box b;

	start_wild(&r, &b, i);
	while (tick(&ticks, enough, end) || (!box_counter(&b) && now_ms() < end))
		;
	runner_stop(&r);
	if (r.error || !harmless(r.exit.reason) || ticks < enough || !box_counter(&b)) {
		printf("  %s: error %d, exit %u raw 0x%x, %u ticks, %u laps\n", wild[i].name,
		       r.error, r.exit.reason, r.exit.raw, ticks, box_counter(&b));
		CHECK(false);
	}
	box_free(&b);
}

void test_wild(void)
{
	size_t i;

	for (i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		/* Who hangs the host is to be known. */
		printf("  %s\n", wild[i].name);
		fflush(stdout);
		run_wild(i);
	}
}

/* Every fifth of them at once: a VM each. */
void test_wild_together(void)
{
	enum { EACH = 5, COUNT = sizeof(wild) / sizeof(wild[0]) / EACH };
	static struct runner r[COUNT];
	static struct box b[COUNT];
	unsigned int ticks = 0, enough = quick ? 30 : 200, i;
	uint64_t end;

	for (i = 0; i < COUNT; i++)
		start_wild(&r[i], &b[i], i * EACH);
	/* A dozen threads want the CPUs: this one is to have its share. */
	end = now_ms() + WAIT_MS;
	while (tick(&ticks, enough, end))
		;
	CHECK_VAL(ticks == enough, ticks);
	for (i = 0; i < COUNT; i++) {
		runner_stop(&r[i]);
		CHECK_VAL(r[i].error == 0, r[i].error);
		box_free(&b[i]);
	}
}

// SPDX-License-Identifier: MIT
/*
 * What a process keeps of its own CPU state while it runs guests: segments and their bases, LDT,
 * descriptor-table registers, the I/O permission bitmap, hardware breakpoints, CPU number. The
 * guest gives all of it other values. Straight on the kernel's ABI; 64-bit guest, so that it needs
 * no unrestricted guest.
 */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "macrohard/uapi.h"

#define RAM 0x40000
#define CODE 0x1000
#define PML4 0x10000
#define PDPT 0x11000
#define PD 0x12000
#define PORT_DONE 0x10
#define HOST_PORT 0x80 /* where firmware writes its progress: harmless */
#define RUNS 300
#define LDT_SEL 0x17 /* entry 2, LDT, RPL 3 */
#define GS_BASE_USER 0x123456789000ul

extern const uint8_t guest_code[], guest_code_end[];
/* Writes what it can reach of the state that the host has too, tells, and does it again. */
__asm__(".pushsection .rodata\n"
	"guest_code:\n"
	"mov $0x33334444, %eax; xor %edx, %edx\n"
	"mov $0xc0000100, %ecx; wrmsr\n" /* FS_BASE */
	"mov $0xc0000101, %ecx; wrmsr\n" /* GS_BASE */
	"mov $0xc0000102, %ecx; wrmsr\n" /* KERNEL_GS_BASE */
	"swapgs\n"
	"mov $0xc0000081, %ecx; wrmsr\n" /* STAR */
	"mov $0xc0000082, %ecx; wrmsr\n" /* LSTAR */
	"mov $0x174, %ecx; wrmsr\n"	 /* SYSENTER_CS */
	"mov $0x175, %ecx; wrmsr\n"	 /* SYSENTER_ESP */
	"mov %rax, %dr0; mov %rax, %dr3\n"
	"mov $0x402, %eax; mov %rax, %dr7\n"
	"mov $0xffff0ff0, %eax; mov %rax, %dr6\n"
	"xor %eax, %eax; mov %eax, %fs; mov %eax, %gs; mov %eax, %ds; mov %eax, %es\n"
	"lldt %ax\n"
	"mov $0x5555000, %eax; mov %rax, %cr2\n"
	"lidt 2f(%rip)\n"
	"out %al, $0x10\n"
	"jmp guest_code\n"
	"2: .word 0x3ff; .quad 0x8000\n"
	"guest_code_end:\n"
	".popsection\n");

struct segments {
	uint16_t ds, es, fs, gs, ldt, tr;
	uint64_t fs_base, gs_base;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdt, idt;
	uint32_t through_gs; /* what GS:0 reads: the LDT's descriptor must be there */
};

static unsigned int failures;
static int vm, vcpu;
static struct mhk_run *run_page;
static uint32_t *low; /* below 4 GiB: the LDT's segment */
static uint64_t watched;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void same(uint64_t is, uint64_t was, const char *what)
{
	if (is == was)
		return;
	printf("%s was 0x%llx, is 0x%llx\n", what, (unsigned long long)was, (unsigned long long)is);
	failures++;
}

/* ---- the guest ---- */

static void guest_memory(uint8_t *ram)
{
	uint64_t *pd = (uint64_t *)(ram + PD);
	uint64_t i;

	*(uint64_t *)(ram + PML4) = PDPT | 3;
	*(uint64_t *)(ram + PDPT) = PD | 3;
	for (i = 0; i < 512; i++)
		pd[i] = i << 21 | 0x83;
	memcpy(ram + CODE, guest_code, (size_t)(guest_code_end - guest_code));
}

static void guest_state(void)
{
	struct mhk_state *s = &run_page->state;
	struct mhk_get get = { .size = sizeof(get), .groups = MHK_G_ALL & ~MHK_G_FPU };
	int i;

	need(ioctl(vcpu, MHK_GET, &get) == 0, "MHK_GET");
	for (i = MHK_ES; i <= MHK_GS; i++)
		s->seg[i] = (struct mhk_seg){ .limit = ~0u, .attr = 0xc093, .sel = 0x10 };
	s->seg[MHK_CS].attr = 0xa09b;
	s->seg[MHK_CS].sel = 8;
	s->rip = CODE;
	s->cr0 = 0x80000031;
	s->cr3 = PML4;
	s->cr4 = 0x20;
	s->efer = 0x500;
	run_page->user.commit = MHK_G_RIP | MHK_G_SEG | MHK_G_CR;
}

static void guest_make(void)
{
	int dev = open(MHK_DEVICE, O_RDWR | O_CLOEXEC);
	struct mhk_vm_create create = { .size = sizeof(create) };
	struct mhk_mem mem = { .size = sizeof(mem), .bytes = RAM };
	struct mhk_vcpu_create cpu = { .size = sizeof(cpu) };
	uint8_t *ram;

	need(dev >= 0, MHK_DEVICE);
	vm = ioctl(dev, MHK_VM_CREATE, &create);
	need(vm >= 0, "MHK_VM_CREATE");
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(ram != MAP_FAILED, "mmap");
	guest_memory(ram);
	mem.hva = (uintptr_t)ram;
	need(ioctl(vm, MHK_MEM, &mem) == 0, "MHK_MEM");
	vcpu = ioctl(vm, MHK_VCPU_CREATE, &cpu);
	need(vcpu >= 0, "MHK_VCPU_CREATE");
	run_page = mmap(NULL, MHK_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	need(run_page != MAP_FAILED, "mmap of the vCPU");
	guest_state();
}

/* To the guest's next OUT. */
static void guest_run(void)
{
	int err;

	do {
		err = (int)lseek(vcpu, 0, SEEK_SET);
	} while ((err && errno == EINTR) || (!err && run_page->exit.reason == MHK_EXIT_NONE));
	need(err == 0, "run");
	if (run_page->exit.reason == MHK_EXIT_IO && run_page->exit.u.io.port == PORT_DONE)
		return;
	printf("exit %u raw 0x%x\n", run_page->exit.reason, run_page->exit.raw);
	exit(1);
}

/* ---- the host ---- */

static void ldt_make(void)
{
	struct user_desc d = { .entry_number = 2,
			       .limit = 0xfffff,
			       .seg_32bit = 1,
			       .limit_in_pages = 1,
			       .useable = 1 };

	low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
		   0);
	need(low != MAP_FAILED, "mmap below 4 GiB");
	*low = 0xabcdef01;
	d.base_addr = (unsigned int)(uintptr_t)low;
	need(syscall(SYS_modify_ldt, 1, &d, sizeof(d)) == 0, "modify_ldt");
}

/* With a selector of the LDT in GS, or with a base alone as every modern program. */
static void gs_set(int selector)
{
	if (selector) {
		__asm__ volatile("mov %0, %%gs" : : "r"(LDT_SEL));
		return;
	}
	__asm__ volatile("mov %0, %%gs" : : "r"(0));
	need(syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE_USER) == 0, "arch_prctl");
}

static void segments_read(struct segments *s, int selector)
{
	memset(s, 0, sizeof(*s));
	__asm__ volatile("mov %%ds, %0" : "=r"(s->ds));
	__asm__ volatile("mov %%es, %0" : "=r"(s->es));
	__asm__ volatile("mov %%fs, %0" : "=r"(s->fs));
	__asm__ volatile("mov %%gs, %0" : "=r"(s->gs));
	__asm__ volatile("sldt %0" : "=r"(s->ldt));
	__asm__ volatile("str %0" : "=r"(s->tr));
	__asm__ volatile("sgdt %0" : "=m"(s->gdt));
	__asm__ volatile("sidt %0" : "=m"(s->idt));
	syscall(SYS_arch_prctl, ARCH_GET_FS, &s->fs_base);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &s->gs_base);
	if (selector)
		__asm__ volatile("mov %%gs:0, %0" : "=r"(s->through_gs));
}

static void segments_compare(const struct segments *is, const struct segments *was)
{
	same(is->ds, was->ds, "DS");
	same(is->es, was->es, "ES");
	same(is->fs, was->fs, "FS");
	same(is->gs, was->gs, "GS");
	same(is->ldt, was->ldt, "LDTR");
	same(is->tr, was->tr, "TR");
	same(is->fs_base, was->fs_base, "FS base");
	same(is->gs_base, was->gs_base, "GS base");
	same(is->gdt.limit, was->gdt.limit, "GDT limit");
	same(is->idt.limit, was->idt.limit, "IDT limit");
	same(is->idt.base, was->idt.base, "IDT base");
	same(is->through_gs, was->through_gs, "memory through GS");
}

static int breakpoint_make(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched,
		.bp_len = HW_BREAKPOINT_LEN_8,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static void to_cpu(unsigned int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(n, &set);
	need(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

/* The kernel keeps TSC_AUX for getcpu in the vDSO. */
static void cpu_number(unsigned int n)
{
	unsigned int aux;

	__asm__ volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
	same(aux & 0xfff, n, "TSC_AUX");
}

static uint64_t hits_of(int breakpoint)
{
	uint64_t hits = 0;

	if (breakpoint >= 0)
		need(read(breakpoint, &hits, sizeof(hits)) == sizeof(hits),
		     "read of the breakpoint's count");
	return hits;
}

static void rounds(int selector, unsigned int cpus, int breakpoint)
{
	uint64_t before = hits_of(breakpoint);
	struct segments was, is;
	unsigned int i;

	gs_set(selector);
	for (i = 0; i < RUNS; i++) {
		to_cpu(i / 8 % cpus);
		/* The other CPU has other tables. */
		segments_read(&was, selector);
		guest_run();
		segments_read(&is, selector);
		segments_compare(&is, &was);
		cpu_number(i / 8 % cpus);
		outb(0, HOST_PORT);
		__atomic_store_n(&watched, i, __ATOMIC_RELAXED);
		if (failures)
			return;
	}
	if (breakpoint >= 0)
		same(hits_of(breakpoint) - before, RUNS, "hits of the breakpoint");
}

int main(int argc, char **argv)
{
	unsigned int cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	bool breakpoints = argc < 2 || strcmp(argv[1], "--no-breakpoints");
	int breakpoint = -1;

	guest_make();
	ldt_make();
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0x2b));
	need(ioperm(HOST_PORT, 1, 1) == 0, "ioperm");
	if (breakpoints) {
		breakpoint = breakpoint_make();
		need(breakpoint >= 0, "perf_event_open of a breakpoint");
	}
	rounds(1, cpus, breakpoint);
	rounds(0, cpus, breakpoint);
	printf("%u runs on %u CPUs, %u failures\n", 2 * RUNS, cpus, failures);
	return failures ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/* The runtime of the 64-bit guests: reports, exceptions, descriptor tables, pages. */
#include "guest.h"

#define IST_BYTES 4096
#define HEAP 0x800000ull

struct gate {
	u16 low, selector;
	u8 ist, type;
	u16 middle;
	u32 high, reserved;
};

struct tss {
	u32 reserved0;
	u32 sp[6]; /* RSP0-2 */
	u32 reserved1[2];
	u32 ist[14];
	u32 reserved2[2];
	u16 reserved3, io_map;
};

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct fixup {
	u64 rip, next;
};

extern const struct fixup fixups_start[], fixups_end[];

volatile struct guest_info guest_info;
struct cpu cpus[MAX_CPUS];
static struct gate idt[VECTORS];
static struct tss tss[MAX_CPUS];
static u8 ist_stacks[MAX_CPUS][2][IST_BYTES] __attribute__((aligned(16)));
static irq_fn *handlers[VECTORS];
static u32 reports;
static u64 accesses_seen;
static u64 heap = HEAP;

/* ---- talking to the runner ---- */

void report(const struct report *r)
{
	__atomic_add_fetch(&reports, 1, __ATOMIC_RELAXED);
	out32(PORT_REPORT, (u32)ADDRESS_OF(r));
}

static void stop_here(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_exit(void)
{
	out32(PORT_EXIT, reports);
	stop_here();
	__builtin_unreachable();
}

void guest_skip(const char *why)
{
	out32(PORT_SKIP, (u32)ADDRESS_OF(why));
	stop_here();
	__builtin_unreachable();
}

static void panic(const struct frame *f)
{
	const struct report r = {
		.got = f->rip, .low = f->error, .high = read_cr2(), .line = (u32)f->vector
	};

	out32(PORT_PANIC, (u32)ADDRESS_OF(&r));
	stop_here();
}

u64 host_call(enum host_op op, u64 arg0, u64 arg1, u64 arg2)
{
	struct host_call call = { .op = op, .arg = { arg0, arg1, arg2 } };

	out32(PORT_CALL, (u32)ADDRESS_OF(&call));
	return call.ret;
}

void access_forget(void)
{
	accesses_seen = host_call(CALL_ACCESSES, 0, 0, 0);
}

u64 access_count(void)
{
	return host_call(CALL_ACCESSES, 0, 0, 0) - accesses_seen;
}

struct device_access access_at(u64 n)
{
	struct device_access access = { .offset = ~0ull };

	host_call(CALL_ACCESS, accesses_seen + n, ADDRESS_OF(&access), 0);
	return access;
}

bool on_kvm(void)
{
	return guest_info.engine == ENGINE_KVM;
}

bool on_intel(void)
{
	return cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
}

bool on_qemu(void)
{
	return cpuid(0x80000002, 0).eax == 0x554d4551; /* "QEMU" */
}

/* ---- exceptions ---- */

void set_handler(unsigned int vector, irq_fn *fn)
{
	handlers[vector] = fn;
}

void set_gate(unsigned int vector, bool present, unsigned int dpl, unsigned int ist)
{
	u64 to = ADDRESS_OF(stubs) + 16 * vector;

	idt[vector] = (struct gate){ .low = (u16)to,
				     .selector = SEL_CODE64,
				     .ist = (u8)ist,
				     .type = (u8)((present ? 0x8e : 0x0e) | dpl << 5),
				     .middle = (u16)(to >> 16),
				     .high = (u32)(to >> 32) };
}

static const struct fixup *find_fixup(u64 rip)
{
	const struct fixup *f;

	for (f = fixups_start; f < fixups_end; f++)
		if (f->rip == rip)
			return f;
	return NULL;
}

static void user_end(struct frame *f)
{
	f->rip = ADDRESS_OF(user_return);
	f->cs = SEL_CODE64;
	f->ss = SEL_DATA;
	f->rflags = 2;
}

void trap(struct frame *f)
{
	struct trap *t = &this_cpu()->trap;
	const struct fixup *fix = f->vector < 32 ? find_fixup(f->rip) : NULL;

	if (!fix && handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	t->count++;
	t->vector = f->vector;
	t->error = f->error;
	t->rip = f->rip;
	t->rflags = f->rflags;
	t->cr2 = f->vector == VEC_PF ? read_cr2() : 0;
	if (fix) {
		f->rip = fix->next;
	} else if (this_cpu()->call_return) {
		f->rip = this_cpu()->call_return;
		f->rsp += 8;
	} else if (f->cs & 3) {
		user_end(f);
	} else {
		panic(f);
	}
}

/* ---- descriptor tables ---- */

static void set_stack(u32 *field, const void *top)
{
	field[0] = (u32)ADDRESS_OF(top);
	field[1] = 0;
}

static void init_tss(u32 id)
{
	u64 base = ADDRESS_OF(&tss[id]), *descriptor = &gdt[SEL_TSS / 8 + 2 * id];

	set_stack(&tss[id].sp[0], stacks + (id + 1) * 0x4000 - 0x2000);
	set_stack(&tss[id].ist[0], ist_stacks[id][1]);
	set_stack(&tss[id].ist[2], ist_stacks[id][1] + IST_BYTES);
	tss[id].io_map = sizeof(tss[id]);
	/* Available 64-bit TSS: SDM 3A 7.2.3 "TSS Descriptor in 64-bit mode". */
	descriptor[0] = (sizeof(tss[id]) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			(base >> 24 & 0xff) << 56;
	descriptor[1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS + 16 * id));
}

void cpu_init(u32 id)
{
	const struct table_register idtr = { sizeof(idt) - 1, ADDRESS_OF(idt) };
	struct cpu *cpu = &cpus[id];
	unsigned int i;

	cpu->self = cpu;
	cpu->id = id;
	__asm__ volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(0));
	__asm__ volatile("wrmsr" : : "c"(MSR_GS_BASE), "a"((u32)ADDRESS_OF(cpu)), "d"(0));
	if (id == 0) {
		for (i = 0; i < VECTORS; i++)
			set_gate(i, true, 0, 0);
		set_gate(VEC_DF, true, 0, 1);
		set_gate(VEC_BP, true, 3, 0);
		set_gate(USER_VECTOR, true, 3, 0);
		set_handler(USER_VECTOR, user_end);
	}
	init_tss(id);
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

u64 user_run(const void *code, size_t bytes, u64 rflags)
{
	memcpy((void *)USER_BASE, code, bytes);
	return user_call(USER_BASE, USER_BASE + 0x10000, rflags, SEL_USER_CODE64 | 3,
			 SEL_USER_DATA | 3);
}

/* ---- memory ---- */

void *page_alloc(void)
{
	return (void *)(uintptr_t)__atomic_fetch_add(&heap, PAGE, __ATOMIC_RELAXED);
}

void *memset(void *to, int v, size_t bytes)
{
	void *d = to;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(v) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *d = to;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

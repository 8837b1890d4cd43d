/* SPDX-License-Identifier: MIT */
/* Guests: the library's own hypercalls, through the header that guests have of it. */
#include "guest.h"

#include <macrohard/guest.h>

#define CPUS 2
#define TIMER_VECTOR 0x71
#define OTHER_VECTOR 0x72
#define MS 1000 /* in microseconds */
#define NOWHERE 0xd8000000ull
#define KVM_ENOSYS (-1000)
/* What of the VM has a handler: the runner says. */
#define FEATURES                                                                       \
	(MHG_F_VERSION | MHG_F_FEATURES | MHG_F_MEMORY_MAP | MHG_F_TIMER | MHG_F_IPC | \
	 MHG_F_CLIPBOARD)

static struct mhg_host host;

/* KVM hands hypercalls out only where it can do Xen's; it has a number 1 of its own. */
static void need_calls(void)
{
	EXPECT((u32)mhg_find(&host), 0);
	if (on_kvm() && mhg_call(&host, MHG_FEATURES, 0, 0, 0, 0) == KVM_ENOSYS)
		guest_skip("this KVM answers hypercalls itself");
}

static u64 call(u64 number, u64 rbx, u64 rcx, u64 rdx, u64 rsi)
{
	return (u64)mhg_call(&host, number, rbx, rcx, rdx, rsi);
}

GUEST(hypercall_identity)
{
	need_calls();
	EXPECT(host.interface, MHG_INTERFACE);
	EXPECT(host.features, FEATURES);
	EXPECT(host.vmmcall, !on_intel());
	EXPECT(cpuid(MHG_LEAF + 1, 0).edx, MHG_KEY);
	EXPECT_TRUE(host.version != 0);
	EXPECT(call(MHG_VERSION, 1, 2, 3, 4), host.version);
	EXPECT(call(MHG_FEATURES, 1, 2, 3, 4), FEATURES);
	EXPECT(call(0, 0, 0, 0, 0), MHG_ENOSYS);
	EXPECT(call(0x51, 0, 0, 0, 0), MHG_ENOSYS);
	EXPECT(call(MHG_VERSION | 1ull << 32, 0, 0, 0, 0), MHG_ENOSYS);
	/* KVM is found where it was. */
	EXPECT(kvm_leaf(), 0x40000000);
	EXPECT(cpuid(kvm_leaf(), 0).ebx, 0x4b4d564b);
}

/* Nothing but RAX changes. */
GUEST(hypercall_registers)
{
	u64 rax = MHG_VERSION, rbx = 11, rcx = 22, rdx = 33, rsi = 44, rdi = MHG_KEY;
	register u64 r8 __asm__("r8");
	register u64 r15 __asm__("r15");
	bool kept;

	need_calls();
	r8 = 88;
	r15 = 1515;
	if (host.vmmcall)
		__asm__ volatile("vmmcall"
				 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi),
				   "+r"(r8), "+r"(r15));
	else
		__asm__ volatile("vmcall"
				 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi),
				   "+r"(r8), "+r"(r15));
	kept = r8 == 88 && r15 == 1515; /* a call would use R8 */
	EXPECT(kept, true);
	EXPECT(rax, host.version);
	EXPECT(rbx, 11);
	EXPECT(rcx, 22);
	EXPECT(rdx, 33);
	EXPECT(rsi, 44);
	EXPECT(rdi, MHG_KEY);
}

/* The kernel's alone: refused at CPL 3, and nothing is done. */
GUEST(hypercall_user)
{
	/* mov edi, MHG_KEY; mov eax, MHG_VERSION; VMCALL or VMMCALL; int */
	u8 code[] = { 0xbf, 0x4d, 0x48, 0x48, 0x43, 0xb8, 1,	      0,
		      0,    0,	  0x0f, 0x01, 0xc1, 0xcd, USER_VECTOR };

	need_calls();
	if (host.vmmcall)
		code[12] = 0xd9;
	trap_clear();
	EXPECT(user_run(code, sizeof(code), 2), MHG_EPERM);
	EXPECT_NO_TRAP();
}

GUEST(hypercall_memory_map)
{
	struct mhg_memory *map = page_alloc();

	need_calls();
	EXPECT(call(MHG_MEMORY_MAP, 0, 0, 0, 0), 3);
	EXPECT(call(MHG_MEMORY_MAP, ADDRESS_OF(map), MHG_MEMORY_MAX, 0, 0), 3);
	EXPECT(map[0].start, 0);
	EXPECT(map[0].bytes, GUEST_RAM_BYTES);
	EXPECT(map[0].type, MHG_MEMORY_RAM);
	EXPECT(map[1].start, LOOSE_GPA);
	EXPECT(map[1].bytes, LOOSE_BYTES);
	EXPECT(map[1].type, MHG_MEMORY_RAM);
	EXPECT(map[2].start, ROM_GPA);
	EXPECT(map[2].bytes, ROM_BYTES);
	EXPECT(map[2].type, MHG_MEMORY_RESERVED);
	EXPECT(map[3].bytes, 0);
	EXPECT(call(MHG_MEMORY_MAP, ROM_GPA, 3, 0, 0), MHG_EFAULT);
	EXPECT(call(MHG_MEMORY_MAP, NOWHERE, 3, 0, 0), MHG_EFAULT);
	EXPECT(call(MHG_MEMORY_MAP, GUEST_RAM_BYTES - 24, 2, 0, 0), MHG_EFAULT);
}

GUEST(hypercall_time)
{
	volatile struct mhg_time *t = page_alloc();
	u64 before, first;

	need_calls();
	before = host_call(CALL_TIME, 0, 0, 0);
	EXPECT(call(MHG_TIMER, MHG_TIMER_TIME, ADDRESS_OF(t), 0, 0), 0);
	EXPECT_RANGE(t->monotonic_ns, before, host_call(CALL_TIME, 0, 0, 0));
	/* After 1999, which is where emulated hosts may live. */
	EXPECT_RANGE(t->realtime_ns, 940000000ull * 1000000000, ~0ull >> 1);
	first = t->monotonic_ns;
	EXPECT(call(MHG_TIMER, MHG_TIMER_TIME, ADDRESS_OF(t), 0, 0), 0);
	EXPECT_RANGE(t->monotonic_ns, first, ~0ull >> 1);
	EXPECT(call(MHG_TIMER, MHG_TIMER_TIME, ROM_GPA, 0, 0), MHG_EFAULT);
}

GUEST(hypercall_timer)
{
	u64 start, end;

	need_calls();
	apic_enable();
	set_handler(TIMER_VECTOR, count_irq);
	set_handler(OTHER_VECTOR, count_irq);
	start = host_call(CALL_TIME, 0, 0, 0);
	EXPECT(call(MHG_TIMER, MHG_TIMER_ARM, 30 * MS, TIMER_VECTOR, 0), 0);
	EXPECT_TRUE(wait_irqs(1, 20000));
	end = host_call(CALL_TIME, 0, 0, 0);
	EXPECT_RANGE(end - start, 30ull * MS * 1000, 20000ull * MS * 1000);
	EXPECT(irq_count[TIMER_VECTOR], 1);
	/* It has fired: once. */
	EXPECT(call(MHG_TIMER, MHG_TIMER_CANCEL, 0, 0, 0), 0);
	/* Another one takes its place; a cancelled one never comes. */
	EXPECT(call(MHG_TIMER, MHG_TIMER_ARM, 20 * MS, OTHER_VECTOR, 0), 0);
	EXPECT(call(MHG_TIMER, MHG_TIMER_ARM, 0, TIMER_VECTOR, 0), 0);
	EXPECT_TRUE(wait_irqs(2, 20000));
	EXPECT(call(MHG_TIMER, MHG_TIMER_ARM, 100 * MS, OTHER_VECTOR, 0), 0);
	EXPECT(call(MHG_TIMER, MHG_TIMER_CANCEL, 0, 0, 0), 1);
	delay_ms(200);
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT(irq_count[TIMER_VECTOR], 2);
	EXPECT(irq_count[OTHER_VECTOR], 0);
	EXPECT(call(MHG_TIMER, MHG_TIMER_ARM, 0, 31, 0), MHG_EINVAL);
	EXPECT(call(MHG_TIMER, MHG_TIMER_ARM, 1ull << 32, 32, 0), MHG_ERANGE);
	EXPECT(call(MHG_TIMER, 3, 0, 32, 0), MHG_EINVAL);
}

/* A message as the runner wants it; what it makes of it comes back. */
static void exchange(u32 number, u8 *buf, u32 bytes, u32 room)
{
	u32 wrong = 0, i, answer = bytes < room ? bytes : room;

	for (i = 0; i < bytes; i++)
		buf[i] = (u8)(i * 7 + bytes);
	EXPECT(call(number, HC_CHANNEL_ECHO, ADDRESS_OF(buf), bytes, room), answer);
	for (i = 0; i < answer; i++)
		wrong += buf[i] != (u8)((i * 7 + bytes) ^ number);
	for (; i < bytes; i++)
		wrong += buf[i] != (u8)(i * 7 + bytes);
	EXPECT(wrong, 0);
}

GUEST(hypercall_messages)
{
	u8 *buf = (u8 *)(uintptr_t)LOOSE_GPA;

	need_calls();
	exchange(MHG_IPC, buf, 5, 64);
	exchange(MHG_IPC, buf + 4093, 5, 5); /* across pages */
	exchange(MHG_IPC, buf + 1, 100, 7);
	exchange(MHG_IPC, buf, 0, 0);
	exchange(MHG_IPC, buf, MHG_MESSAGE_MAX, MHG_MESSAGE_MAX);
	exchange(MHG_IPC, buf + LOOSE_BYTES - 9, 9, 9); /* to the last byte */
	exchange(MHG_CLIPBOARD, buf, 33, 33);
	/* What the listener says. */
	EXPECT(call(MHG_IPC, HC_CHANNEL_NONE, ADDRESS_OF(buf), 4, 4), MHG_ENOENT);
	EXPECT(call(MHG_CLIPBOARD, HC_CHANNEL_NONE, ADDRESS_OF(buf), 4, 4), MHG_ENOENT);
	EXPECT(call(MHG_IPC, HC_CHANNEL_TOO_MUCH, ADDRESS_OF(buf), 4, 4), MHG_EIO);
	/* Nobody listens. */
	EXPECT(call(MHG_DISPLAY, HC_CHANNEL_ECHO, ADDRESS_OF(buf), 4, 4), MHG_ENOTSUP);
}

/* The runner fails the guest when one of these arrives. */
GUEST(hypercall_messages_bad)
{
	need_calls();
	EXPECT(call(MHG_IPC, HC_CHANNEL_NEVER, LOOSE_GPA + LOOSE_BYTES - 8, 9, 0), MHG_EFAULT);
	EXPECT(call(MHG_IPC, HC_CHANNEL_NEVER, LOOSE_GPA + LOOSE_BYTES - 8, 0, 9), MHG_EFAULT);
	EXPECT(call(MHG_IPC, HC_CHANNEL_NEVER, ROM_GPA, 8, 8), MHG_EFAULT);
	EXPECT(call(MHG_IPC, HC_CHANNEL_NEVER, NOWHERE, 8, 0), MHG_EFAULT);
	EXPECT(call(MHG_IPC, HC_CHANNEL_NEVER, ~0ull - 3, 8, 8), MHG_EFAULT);
	EXPECT(call(MHG_IPC, HC_CHANNEL_NEVER, LOOSE_GPA, MHG_MESSAGE_MAX + 1, 0), MHG_ERANGE);
	EXPECT(call(MHG_IPC, HC_CHANNEL_NEVER, LOOSE_GPA, 0, ~0ull), MHG_ERANGE);
	EXPECT(call(MHG_IPC, HC_CHANNEL_NEVER | 1ull << 32, LOOSE_GPA, 8, 8), MHG_EINVAL);
}

/* Messages of several vCPUs at once; a timer for each of them. */
static volatile u32 wrong_answers;

static void talk(void *arg)
{
	u8 *buf = (u8 *)(uintptr_t)(LOOSE_GPA + this_cpu()->id * PAGE);
	u64 end;
	u32 i, j;

	for (i = 1; i <= 200; i++) {
		for (j = 0; j < i; j++)
			buf[j] = (u8)(j * 7 + i);
		if (call(MHG_IPC, HC_CHANNEL_ECHO, ADDRESS_OF(buf), i, i) != i)
			__atomic_fetch_add(&wrong_answers, 1, __ATOMIC_SEQ_CST);
		for (j = 0; j < i; j++)
			if (buf[j] != (u8)((j * 7 + i) ^ MHG_IPC))
				__atomic_fetch_add(&wrong_answers, 1, __ATOMIC_SEQ_CST);
	}
	/* The interrupt comes to this CPU only. */
	call(MHG_TIMER, MHG_TIMER_ARM, MS, TIMER_VECTOR + this_cpu()->id, 0);
	for (end = rdtsc() + 20000 * tsc_per_ms(); rdtsc() < end;)
		if (irq_count[TIMER_VECTOR + this_cpu()->id])
			break;
}

GUEST_SMP(hypercall_smp, CPUS)
{
	need_calls();
	apic_enable();
	set_handler(TIMER_VECTOR, count_irq);
	set_handler(OTHER_VECTOR, count_irq);
	EXPECT(start_cpus(), CPUS - 1);
	cpu_call(1, talk, NULL);
	talk(NULL);
	EXPECT_TRUE(cpu_wait(1, 20000));
	EXPECT(wrong_answers, 0);
	EXPECT(irq_count[TIMER_VECTOR], 1);
	EXPECT(irq_count[OTHER_VECTOR], 1);
}

/* Beside Hyper-V's interface, whose hypercalls are on. */
GUEST_HYPERV(hypercall_beside_hyperv, 1)
{
	need_calls();
	EXPECT(cpuid(0x40000000, 0).ebx, 0x7263694d);
	EXPECT(cpuid(0x40000100, 0).ebx, 0x4b4d564b);
	wrmsr(0x40000000, 1);
	wrmsr(0x40000001, ADDRESS_OF(page_alloc()) | 1);
	EXPECT(rdmsr(0x40000001) & 1, 1);
	EXPECT(call(MHG_VERSION, 0, 0, 0, 0), host.version);
	EXPECT(call(0x51, 0, 0, 0, 0), MHG_ENOSYS);
}

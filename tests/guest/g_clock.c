/* SPDX-License-Identifier: MIT */
/* Guests: paravirtual clocks and TSC against the host's, through pauses, on several vCPUs. */
#include "guest.h"

#define KVM_WALL_OLD 0x11
#define KVM_TIME_OLD 0x12
#define KVM_WALL 0x4b564d00
#define KVM_TIME 0x4b564d01
#define TIME_STABLE 1u
#define TIME_PAUSED 2u
#define NS_PER_MS 1000000ull
#define CPUS 4

struct pv_time {
	u32 version, pad;
	u64 tsc, ns;
	u32 mul;
	int8_t shift;
	u8 flags, pad2[2];
};

struct pv_wall {
	u32 version, sec, nsec;
};

static volatile struct pv_time time_of[CPUS] __attribute__((aligned(64)));

/* Documentation/virt/kvm/x86/msr.rst: again while the version is odd or changes. */
static u64 pv_now(const volatile struct pv_time *t)
{
	u64 delta, ns;
	u32 version;

	do {
		version = t->version;
		delta = rdtsc() - t->tsc;
		delta = t->shift >= 0 ? delta << t->shift : delta >> -t->shift;
		ns = t->ns + (u64)(((unsigned __int128)delta * t->mul) >> 32);
	} while (version & 1 || version != t->version);
	return ns;
}

/* A reading of the guest's clock, and two of the host's around it. */
struct reading {
	u64 before, guest, after;
};

static struct reading take(void)
{
	struct reading r;

	r.before = host_call(CALL_TIME, 0, 0, 0);
	r.guest = pv_now(&time_of[0]);
	r.after = host_call(CALL_TIME, 0, 0, 0);
	return r;
}

/* The guest's clock has gone as far as the host's, to one part in 1000. */
static void expect_same_pace(struct reading a, struct reading b)
{
	u64 least = b.before - a.after, most = b.after - a.before;

	EXPECT_RANGE(b.guest - a.guest, least - least / 1000, most + most / 1000);
}

static u64 pauses;

static void pause_vm(u64 ms)
{
	host_call(CALL_PAUSE, ms, 0, 0);
	pauses++;
	while (host_call(CALL_SLOT_COUNT, 0, 0, 0) < pauses)
		pause();
}

static void check_kvm(u32 msr)
{
	struct reading a, b;

	wrmsr(msr, ADDRESS_OF(&time_of[0]) | 1);
	EXPECT_NO_TRAP();
	EXPECT(rdmsr(msr), ADDRESS_OF(&time_of[0]) | 1);
	EXPECT(time_of[0].version & 1, 0);
	if (!on_kvm())
		EXPECT(time_of[0].flags, TIME_STABLE);
	a = take();
	delay_ms(20);
	b = take();
	EXPECT_RANGE(b.guest - a.guest, 19 * NS_PER_MS, ~0ull);
	expect_same_pace(a, b);
}

GUEST(clock_kvm)
{
	check_kvm(KVM_TIME);
	check_kvm(KVM_TIME_OLD);
}

/* The wall clock of time 0 is the same whenever it is asked for: both clocks go alike. */
GUEST(clock_kvm_wall)
{
	static volatile struct pv_wall wall;
	u64 first, second;

	wrmsr(KVM_TIME, ADDRESS_OF(&time_of[0]) | 1);
	wrmsr(KVM_WALL, ADDRESS_OF(&wall));
	EXPECT_NO_TRAP();
	EXPECT(wall.version & 1, 0);
	EXPECT_RANGE(wall.nsec, 0, 999999999);
	first = wall.sec * 1000000000ull + wall.nsec;
	delay_ms(10);
	wrmsr(KVM_WALL_OLD, ADDRESS_OF(&wall));
	second = wall.sec * 1000000000ull + wall.nsec;
	/* Between two looks at the host's two clocks it may have had something else to do. */
	EXPECT_RANGE(second, first - 20 * NS_PER_MS, first + 20 * NS_PER_MS);
}

/* Time goes on, the guest is told, and the TSC keeps its distance from the host's. */
GUEST(clock_pause)
{
	struct reading a, b;
	u64 low, high, tsc;

	wrmsr(KVM_TIME, ADDRESS_OF(&time_of[0]) | 1);
	low = rdtsc();
	tsc = host_call(CALL_TSC, 0, 0, 0);
	low = tsc - low; /* host - guest is at most this */
	a = take();
	pause_vm(50);
	b = take();
	EXPECT_RANGE(b.guest - a.guest, 50 * NS_PER_MS, ~0ull);
	expect_same_pace(a, b);
	EXPECT(time_of[0].flags & TIME_PAUSED, TIME_PAUSED);
	tsc = host_call(CALL_TSC, 0, 0, 0);
	high = tsc - rdtsc(); /* and at least this */
	EXPECT_TRUE((int64_t)(low - high) >= 0);
	/* Without the mark, until the next pause. */
	time_of[0].flags &= (u8)~TIME_PAUSED;
	(void)take();
	EXPECT(time_of[0].flags & TIME_PAUSED, 0);
}

/* One distance between guest and host TSC fits all readings, with the host at work. */
GUEST(clock_tsc_busy)
{
	int64_t least = INT64_MIN, most = INT64_MAX, i;

	host_call(CALL_AVX_START, 0, 0, 0);
	for (i = 0; i < 100; i++) {
		u64 before = rdtsc(), host = host_call(CALL_TSC, 0, 0, 0), after = rdtsc();

		if ((int64_t)(host - before) < most)
			most = (int64_t)(host - before);
		if ((int64_t)(host - after) > least)
			least = (int64_t)(host - after);
	}
	EXPECT(host_call(CALL_AVX_STOP, 0, 0, 0), 0);
	EXPECT_TRUE(least <= most);
}

/* The guest's TSC, and the host's at some time between two readings of it. */
struct tsc_reading {
	u64 before, host, after;
};

static struct tsc_reading take_tsc(void)
{
	struct tsc_reading r;

	r.before = rdtsc();
	r.host = host_call(CALL_TSC, 0, 0, 0);
	r.after = rdtsc();
	return r;
}

/* Of the host's ticks the guest's TSC makes as many as their frequencies say. */
GUEST(clock_tsc_rate)
{
	u64 khz = host_call(CALL_HOST_KHZ, 0, 0, 0), ticks;
	struct tsc_reading a, b;

	if (!khz)
		guest_skip("the host's frequency is unknown");
	a = take_tsc();
	delay_ms(200);
	b = take_tsc();
	ticks = (b.host - a.host) * tsc_per_ms() / khz;
	EXPECT_RANGE(ticks, b.before - a.after - 2, b.after - a.before + 2);
}

/* Whoever computes it, the CPU for RDTSC and RDTSCP or the engine for RDMSR, gets the same TSC. */
GUEST(clock_tsc_ways)
{
	u64 last = 0, now, i, bad = 0;
	u32 low, high, aux;

	if (!(cpuid(0x80000001, 0).edx & 1u << 27))
		guest_skip("no RDTSCP");
	for (i = 0; i < 200; i++) {
		now = rdtsc();
		bad += now < last;
		last = rdmsr(MSR_TSC);
		bad += last < now;
		__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
		now = (u64)high << 32 | low;
		bad += now < last;
		last = now;
	}
	EXPECT(bad, 0);
	EXPECT_TRUE(last != 0);
}

/*
 * A deadline on the guest's TSC comes when so much of the host's time has passed: not early, and
 * not as late as one that forgets that the guest's TSC is the faster one.
 */
GUEST(clock_deadline)
{
	u64 khz = host_call(CALL_HOST_KHZ, 0, 0, 0), ms = 100, begin, took, most = ~0ull;

	if (khz && tsc_per_ms() >= 2 * khz)
		most = ms * NS_PER_MS * (1 + tsc_per_ms() / khz) / 2;
	apic_enable();
	set_handler(0x54, count_irq);
	apic_write(APIC_LVT_TIMER, LVT_DEADLINE | 0x54);
	begin = host_call(CALL_TIME, 0, 0, 0);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + ms * tsc_per_ms());
	EXPECT_TRUE(wait_irqs(1, 5000));
	took = host_call(CALL_TIME, 0, 0, 0) - begin;
	EXPECT_RANGE(took, ms * NS_PER_MS * 98 / 100, most);
}

static volatile u64 latest;

static void read_on(void *arg)
{
	u32 id = this_cpu()->id;

	wrmsr(KVM_TIME, ADDRESS_OF(&time_of[id]) | 1);
	latest = pv_now(&time_of[id]);
}

/* What one CPU has read is over for all others. */
GUEST_SMP(clock_smp, CPUS)
{
	u64 before, round, id;

	EXPECT(start_cpus(), CPUS - 1);
	wrmsr(KVM_TIME, ADDRESS_OF(&time_of[0]) | 1);
	for (round = 0; round < 5; round++) {
		for (id = 1; id < CPUS; id++) {
			before = pv_now(&time_of[0]);
			cpu_call((u32)id, read_on, NULL);
			EXPECT_TRUE(cpu_wait((u32)id, 5000));
			EXPECT_RANGE(latest, before, pv_now(&time_of[0]));
		}
	}
}

/* ---- Hyper-V: TLFS 2.4, 3.12, 12.7 ---- */

#define HV_GUEST_OS_ID 0x40000000
#define HV_HYPERCALL 0x40000001
#define HV_VP_INDEX 0x40000002
#define HV_TIME_REF_COUNT 0x40000020
#define HV_REFERENCE_TSC 0x40000021
#define HV_TSC_FREQUENCY 0x40000022
#define HV_APIC_FREQUENCY 0x40000023
#define HV_OS_ID 0x0001040a00003839ull /* Windows' form: vendor, version */
#define HV_INVALID_CODE 2
#define HV_NO_SUCH_CALL 0xfff0ull

struct reference {
	u32 sequence, reserved;
	u64 scale;
	int64_t offset;
};

GUEST_HYPERV(hyperv_identity, 1)
{
	struct cpuid c = cpuid(0x40000000, 0);
	u64 code = HV_NO_SUCH_CALL;
	void *page = page_alloc();

	EXPECT(c.ebx, 0x7263694d);
	EXPECT(cpuid(0x40000001, 0).eax, 0x31237648);
	EXPECT(cpuid(0x40000003, 0).eax & 0xa62, 0xa62);
	EXPECT(cpuid(kvm_leaf(), 0).ebx, 0x4b4d564b);
	wrmsr(HV_HYPERCALL, ADDRESS_OF(page) | 1);
	EXPECT(rdmsr(HV_HYPERCALL) & 1, 0);
	wrmsr(HV_GUEST_OS_ID, HV_OS_ID);
	EXPECT(rdmsr(HV_GUEST_OS_ID), HV_OS_ID);
	wrmsr(HV_HYPERCALL, ADDRESS_OF(page) | 1);
	EXPECT_NO_TRAP();
	EXPECT(rdmsr(HV_HYPERCALL), ADDRESS_OF(page) | 1);
	__asm__ volatile("xor %%edx, %%edx; xor %%r8d, %%r8d; call *%2"
			 : "=a"(c.eax), "+c"(code)
			 : "r"(page)
			 : "rdx", "r8", "r9", "r10", "r11", "memory");
	EXPECT(c.eax & 0xffff, HV_INVALID_CODE);
	EXPECT(rdmsr(HV_TSC_FREQUENCY) / 1000, tsc_per_ms());
	EXPECT_TRUE(rdmsr(HV_APIC_FREQUENCY) != 0);
	EXPECT_NO_TRAP();
	wrmsr(HV_VP_INDEX, 0);
	EXPECT_TRAP(VEC_GP, 0);
}

static u64 reference_now(const volatile struct reference *r)
{
	return (u64)(((unsigned __int128)rdtsc() * r->scale) >> 64) + (u64)r->offset;
}

GUEST_HYPERV(hyperv_time, 1)
{
	const volatile struct reference *r = page_alloc();
	u64 before, count, after, begin, ns;

	wrmsr(HV_GUEST_OS_ID, HV_OS_ID);
	wrmsr(HV_REFERENCE_TSC, ADDRESS_OF(r) | 1);
	EXPECT_NO_TRAP();
	wrmsr(KVM_TIME, ADDRESS_OF(&time_of[0]) | 1);
	/* The counter goes as kvmclock does, in 100 ns. */
	begin = rdmsr(HV_TIME_REF_COUNT);
	ns = pv_now(&time_of[0]);
	delay_ms(20);
	pause_vm(20);
	count = rdmsr(HV_TIME_REF_COUNT) - begin;
	ns = pv_now(&time_of[0]) - ns;
	EXPECT_RANGE(count, 400000 - 400, ~0ull);
	EXPECT_RANGE(count * 100, ns - ns / 100 - 5 * NS_PER_MS, ns + ns / 100 + 5 * NS_PER_MS);
	if (on_kvm() && !r->sequence)
		guest_skip("KVM finds no stable TSC");
	EXPECT_TRUE(r->sequence != 0);
	before = reference_now(r);
	count = rdmsr(HV_TIME_REF_COUNT);
	after = reference_now(r);
	EXPECT_RANGE(count, before - on_kvm(), after + on_kvm());
}

static volatile u64 vp_index[CPUS];

static void note_index(void *arg)
{
	vp_index[this_cpu()->id] = rdmsr(HV_VP_INDEX);
}

GUEST_HYPERV(hyperv_smp, CPUS)
{
	u32 id;

	EXPECT(start_cpus(), CPUS - 1);
	EXPECT(rdmsr(HV_VP_INDEX), 0);
	for (id = 1; id < CPUS; id++) {
		cpu_call(id, note_index, NULL);
		EXPECT_TRUE(cpu_wait(id, 5000));
		EXPECT(vp_index[id], id);
	}
}

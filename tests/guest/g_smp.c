/* SPDX-License-Identifier: MIT */
/* Guests: four vCPUs: start, IPIs, shared memory, TLB shoot-down, clocks. */
#include "guest.h"

#define CPUS 4
#define ROUNDS 200
#define IPI 0x71
#define LEAF1_ECX_X2APIC (1u << 21)

static volatile u64 counter, plain, lock;
static volatile u32 turn;

static void others_do(void (*fn)(void *), void *arg)
{
	u32 id;

	for (id = 1; id < guest_info.cpus; id++)
		cpu_call(id, fn, arg);
}

static bool others_done(u64 ms)
{
	bool all = true;
	u32 id;

	for (id = 1; id < guest_info.cpus; id++)
		all = cpu_wait(id, ms) && all;
	return all;
}

static void start(void)
{
	EXPECT(start_cpus(), guest_info.cpus - 1);
}

static volatile u32 apic_ids[CPUS], cpuid_ids[CPUS];

static void note_ids(void *arg)
{
	u32 id = this_cpu()->id;

	apic_ids[id] = apic_read(APIC_ID) >> 24;
	cpuid_ids[id] = cpuid(0xb, 0).edx;
}

GUEST_SMP(smp_start, CPUS)
{
	u32 id;

	start();
	others_do(note_ids, NULL);
	EXPECT_TRUE(others_done(5000));
	for (id = 1; id < CPUS; id++) {
		EXPECT(apic_ids[id], id);
		EXPECT(cpuid_ids[id], id);
	}
	/* The second SIPI of those that run is ignored; INIT and SIPI start them anew. */
	start();
	others_do(note_ids, NULL);
	EXPECT_TRUE(others_done(5000));
}

static void count_atomic(void *arg)
{
	u32 i;

	for (i = 0; i < ROUNDS * 10; i++)
		__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

static void count_locked(void *arg)
{
	u32 i;

	for (i = 0; i < ROUNDS; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			pause();
		plain++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
}

GUEST_SMP(smp_atomic, CPUS)
{
	start();
	others_do(count_atomic, NULL);
	count_atomic(NULL);
	EXPECT_TRUE(others_done(20000));
	EXPECT(counter, CPUS * ROUNDS * 10);
	others_do(count_locked, NULL);
	count_locked(NULL);
	EXPECT_TRUE(others_done(20000));
	EXPECT(plain, CPUS * ROUNDS);
}

/* Every vCPU touches its own, and then each other's, fresh pages. */
static void touch_pages(void *arg)
{
	u64 me = this_cpu()->id, i, at;

	for (i = 0; i < 64; i++) {
		at = HEAP_FREE + (i * CPUS + me) * PAGE;
		*(volatile u64 *)(uintptr_t)at = at;
		at = HEAP_FREE + (256 + i) * PAGE + me * 8;
		*(volatile u64 *)(uintptr_t)at = at;
	}
}

GUEST_SMP(smp_touch, CPUS)
{
	u64 i, at, bad = 0;

	start();
	others_do(touch_pages, NULL);
	touch_pages(NULL);
	EXPECT_TRUE(others_done(20000));
	for (i = 0; i < 256; i++) {
		at = HEAP_FREE + i * PAGE;
		bad += *(volatile u64 *)(uintptr_t)at != at;
		at = HEAP_FREE + (256 + i / CPUS) * PAGE + i % CPUS * 8;
		bad += *(volatile u64 *)(uintptr_t)at != at;
	}
	EXPECT(bad, 0);
}

/* ---- IPIs ---- */

static volatile u32 got[CPUS];

static void on_ipi(struct frame *f)
{
	__atomic_add_fetch(&got[this_cpu()->id], 1, __ATOMIC_SEQ_CST);
	if (f->vector >= 32)
		apic_eoi();
}

static void wait_hlt(void *arg)
{
	u32 want = (u32)(uintptr_t)arg, id = this_cpu()->id;

	cli();
	while (got[id] < want)
		sti_hlt_cli();
}

static void wait_spin(void *arg)
{
	u32 want = (u32)(uintptr_t)arg, id = this_cpu()->id;

	sti();
	while (got[id] < want)
		pause();
	cli();
}

/* To one, to a set, to all but self, to all. */
static void send_all_kinds(void)
{
	u32 id;

	for (id = 1; id < CPUS; id++)
		apic_ipi(id, ICR_ASSERT | IPI);
	EXPECT_TRUE(others_done(10000));
	others_do(wait_hlt, (void *)2);
	apic_ipi(0xe, ICR_LOGICAL | ICR_ASSERT | IPI);
	EXPECT_TRUE(others_done(10000));
	others_do(wait_spin, (void *)3);
	apic_ipi(0, ICR_OTHERS | ICR_ASSERT | IPI);
	EXPECT_TRUE(others_done(10000));
	EXPECT(got[0], 0);
	others_do(wait_spin, (void *)4);
	apic_ipi(0, ICR_ALL | ICR_ASSERT | IPI);
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT_TRUE(others_done(10000));
	EXPECT(got[0], 1);
	for (id = 1; id < CPUS; id++)
		EXPECT(got[id], 4);
}

static void set_logical(void *arg)
{
	apic_write(APIC_LDR, 1u << (24 + this_cpu()->id));
}

GUEST_SMP(smp_ipi, CPUS)
{
	set_handler(IPI, on_ipi);
	start();
	others_do(set_logical, NULL);
	set_logical(NULL);
	EXPECT_TRUE(others_done(5000));
	others_do(wait_hlt, (void *)1);
	send_all_kinds();
}

static void to_x2apic(void *arg)
{
	x2apic_enable();
}

GUEST_SMP(smp_ipi_x2apic, CPUS)
{
	if (!(cpuid(1, 0).ecx & LEAF1_ECX_X2APIC))
		guest_skip("the CPU has no x2APIC");
	set_handler(IPI, on_ipi);
	start();
	others_do(to_x2apic, NULL);
	EXPECT_TRUE(others_done(5000));
	x2apic_enable();
	others_do(wait_hlt, (void *)1);
	send_all_kinds();
}

static void halt_for_nmi(void *arg)
{
	u32 id = this_cpu()->id;

	cli();
	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
	while (!got[id])
		__asm__ volatile("hlt" ::: "memory");
}

GUEST_SMP(smp_nmi, CPUS)
{
	u32 id;

	set_handler(VEC_NMI, on_ipi);
	start();
	others_do(halt_for_nmi, NULL);
	while (counter < CPUS - 1)
		pause();
	delay_ms(5);
	for (id = 1; id < CPUS; id++)
		apic_ipi(id, ICR_ASSERT | ICR_NMI);
	EXPECT_TRUE(others_done(10000));
	for (id = 1; id < CPUS; id++)
		EXPECT(got[id], 1);
	EXPECT(got[0], 0);
}

static void pong(void *arg)
{
	u32 i;

	cli();
	for (i = 1; i <= ROUNDS; i++) {
		while (got[1] < i)
			sti_hlt_cli();
		apic_ipi(0, ICR_ASSERT | IPI);
	}
}

GUEST_SMP(smp_ping_pong, 2)
{
	u32 i;

	set_handler(IPI, on_ipi);
	start();
	cpu_call(1, pong, NULL);
	cli();
	for (i = 1; i <= ROUNDS; i++) {
		apic_ipi(1, ICR_ASSERT | IPI);
		while (got[0] < i)
			sti_hlt_cli();
	}
	EXPECT_TRUE(cpu_wait(1, 10000));
	EXPECT(got[0], ROUNDS);
	EXPECT(got[1], ROUNDS);
}

/* ---- INIT and SIPI ---- */

static void busy(void *arg)
{
	cli();
	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
	for (;;)
		plain++;
}

/* INIT stops a CPU that runs with interrupts off ("_cli": see guests.sh); SIPI starts it again. */
GUEST_SMP(smp_init_cli, 2)
{
	u64 before;

	start();
	cpu_call(1, busy, NULL);
	while (!counter)
		pause();
	apic_ipi(1, ICR_ASSERT | ICR_INIT);
	delay_ms(200);
	before = plain;
	delay_ms(20);
	EXPECT(plain, before);
	/* While it waits for SIPI, nothing else counts. */
	apic_ipi(1, ICR_ASSERT | IPI);
	apic_ipi(1, ICR_ASSERT | ICR_NMI);
	delay_ms(5);
	EXPECT(plain, before);
	start();
	cpu_call(1, count_atomic, NULL);
	EXPECT_TRUE(cpu_wait(1, 10000));
	EXPECT(counter, 1 + ROUNDS * 10);
}

/* ---- TLB shoot-down ---- */

static volatile u64 seen_wrong, shot;

static void on_shoot(struct frame *f)
{
	invlpg(VA_FREE);
	__atomic_add_fetch(&shot, 1, __ATOMIC_SEQ_CST);
	apic_eoi();
}

static void read_on(void *arg)
{
	/* What is there from this round on, or the round before. */
	sti();
	while (!__atomic_load_n(&turn, __ATOMIC_ACQUIRE)) {
		u64 low = __atomic_load_n(&plain, __ATOMIC_ACQUIRE);
		u64 value = *(volatile u64 *)(uintptr_t)VA_FREE;

		if (value < low)
			seen_wrong++;
	}
	cli();
}

GUEST_SMP(smp_shoot_down, CPUS)
{
	u64 *pages[2] = { page_alloc(), page_alloc() }, i, end;

	set_handler(IPI, on_shoot);
	start();
	map_page(VA_FREE, ADDRESS_OF(pages[0]), PTE_P | PTE_W);
	others_do(read_on, NULL);
	for (i = 1; i <= ROUNDS / 4; i++) {
		/* The other page says i; when all have flushed, nobody may see i - 1 any more. */
		*(volatile u64 *)pages[i & 1] = i;
		shot = 0;
		map_page(VA_FREE, ADDRESS_OF(pages[i & 1]), PTE_P | PTE_W);
		apic_ipi(0, ICR_OTHERS | ICR_ASSERT | IPI);
		end = rdtsc() + 5000 * tsc_per_ms();
		while (shot < CPUS - 1 && rdtsc() < end)
			pause();
		if (shot != CPUS - 1)
			break;
		__atomic_store_n(&plain, i, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&turn, 1, __ATOMIC_RELEASE);
	EXPECT(i, ROUNDS / 4 + 1);
	EXPECT_TRUE(others_done(5000));
	EXPECT(seen_wrong, 0);
}

/* ---- clocks ---- */

static volatile u64 last_tsc, went_back;

static void take_turns(void *arg)
{
	u32 me = this_cpu()->id, i;
	u64 now;

	for (i = 0; i < ROUNDS / 4; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % CPUS != me)
			pause();
		now = rdtsc();
		went_back += now < last_tsc;
		last_tsc = now;
		__atomic_add_fetch(&turn, 1, __ATOMIC_RELEASE);
	}
}

/* One time for all of them. */
GUEST_SMP(smp_tsc, CPUS)
{
	start();
	others_do(take_turns, NULL);
	take_turns(NULL);
	EXPECT_TRUE(others_done(20000));
	EXPECT(turn, ROUNDS / 4 * CPUS);
	EXPECT(went_back, 0);
}

static volatile u32 ticks[CPUS];

static void on_tick(struct frame *f)
{
	ticks[this_cpu()->id]++;
	apic_eoi();
}

static void tick(void *arg)
{
	u32 id = this_cpu()->id;
	u64 end = rdtsc() + 10000 * tsc_per_ms();

	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | 0x53);
	apic_write(APIC_TIMER_INIT, 5000000);
	while (ticks[id] < 5 && rdtsc() < end)
		sti_hlt_cli();
	apic_write(APIC_TIMER_INIT, 0);
	cli();
}

/* Each has a timer of its own. */
GUEST_SMP(smp_timers, CPUS)
{
	u32 id;

	set_handler(0x53, on_tick);
	start();
	others_do(tick, NULL);
	tick(NULL);
	EXPECT_TRUE(others_done(20000));
	for (id = 0; id < CPUS; id++)
		EXPECT_RANGE(ticks[id], 5, 0xffffffff);
}

/* Devices serve several CPUs at once. */
static void use_devices(void *arg)
{
	u64 me = this_cpu()->id, i, v;

	for (i = 0; i < ROUNDS / 4; i++) {
		MMIO(u32, 0x100 + 4 * me) = (u32)(i << 8 | me);
		__asm__ volatile("inl %%dx, %%eax" : "=a"(v) : "d"(PORT_RAM));
		if (MMIO(u32, 0x100 + 4 * me) != (i << 8 | me))
			__atomic_add_fetch(&seen_wrong, 1, __ATOMIC_SEQ_CST);
	}
}

GUEST_SMP(smp_devices, CPUS)
{
	start();
	others_do(use_devices, NULL);
	use_devices(NULL);
	EXPECT_TRUE(others_done(20000));
	EXPECT(seen_wrong, 0);
}

/* One CPU's triple fault ends the VM, while the others compute. */
static void fall(void *arg)
{
	static const struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0\nud2" : : "m"(none));
}

static void smp_triple_fault(void);
GUEST_ENTRY("smp_triple_fault", smp_triple_fault, NULL, MODE_LONG, END_SHUTDOWN, 2, 0);
static void smp_triple_fault(void)
{
	start();
	cpu_call(1, fall, NULL);
	for (;;)
		pause();
}

// SPDX-License-Identifier: MIT
/* Interrupt messages: IPIs in both modes and MSIs, whom they reach and what they do there. */
#include "lapic_vm.h"
#include "base/atomic.h"
#include <pthread.h>
#include <sched.h>

#define ICR_LOGICAL 0x800u
#define ICR_LOWEST 0x100u
#define ICR_SMI 0x200u
#define ICR_NMI 0x400u
#define ICR_INIT 0x500u
#define ICR_SIPI 0x600u
#define ICR_ASSERT 0x4000u
#define ICR_LEVEL 0x8000u
#define TO_SELF 0x40000u
#define TO_ALL 0x80000u
#define TO_OTHERS 0xc0000u

static void x1_ipi(struct mhi_vcpu *v, u32 dest, u32 icr)
{
	wr(v, O_ICR_HIGH, dest << 24);
	wr(v, O_ICR, icr | ICR_ASSERT);
}

static void x2_ipi(struct mhi_vcpu *v, u32 dest, u32 icr)
{
	wrmsr(v, MSR_X2(0x30), (u64)dest << 32 | icr | ICR_ASSERT);
}

/* The set of vCPUs that have the vector in IRR, which is cleared. */
static u64 takers(u32 vector)
{
	u64 set = 0;
	u32 i;

	for (i = 0; i < VCPUS; i++) {
		if (requested(V(i), vector))
			set |= 1ull << i;
		V(i)->lapic.reg[0x20 + vector / 32] &= ~(1u << vector % 32);
	}
	return set;
}

static u64 signalled(u32 signal)
{
	u64 set = 0;
	u32 i;

	for (i = 0; i < VCPUS; i++) {
		if (V(i)->lapic.signals & signal)
			set |= 1ull << i;
		V(i)->lapic.signals &= ~signal;
	}
	return set;
}

static u32 errors(struct mhi_vcpu *v)
{
	wr(v, O_ESR, 0);
	return rd(v, O_ESR);
}

START_TEST(physical)
{
	begin(4);
	x1_ipi(V(0), 2, 0x41);
	ck_assert_uint_eq(takers(0x41), 1 << 2);
	x1_ipi(V(0), 7, 0x41);
	ck_assert_uint_eq(takers(0x41), 0);
	x1_ipi(V(1), 0xff, 0x42);
	ck_assert_uint_eq(takers(0x42), 0xf);
	x1_ipi(V(1), 1, 0x43);
	ck_assert_uint_eq(takers(0x43), 1 << 1);
	all_x2(4);
	x2_ipi(V(3), 0, 0x44);
	ck_assert_uint_eq(takers(0x44), 1 << 0);
	x2_ipi(V(3), 0xff, 0x44); /* an ordinary id here */
	x2_ipi(V(3), 0xfffffffe, 0x44);
	ck_assert_uint_eq(takers(0x44), 0);
	x2_ipi(V(3), 0xffffffff, 0x44);
	ck_assert_uint_eq(takers(0x44), 0xf);
}
END_TEST

START_TEST(shorthands)
{
	begin(4);
	x1_ipi(V(1), 3, TO_SELF | 0x51);
	ck_assert_uint_eq(takers(0x51), 0x2);
	x1_ipi(V(1), 3, TO_ALL | 0x51);
	ck_assert_uint_eq(takers(0x51), 0xf);
	x1_ipi(V(1), 3, TO_OTHERS | 0x51);
	ck_assert_uint_eq(takers(0x51), 0xd);
	x1_ipi(V(1), 3, TO_OTHERS | ICR_NMI);
	ck_assert_uint_eq(signalled(MHI_SIG_NMI), 0xd);
	x1_ipi(V(1), 3, TO_OTHERS | ICR_INIT);
	ck_assert_uint_eq(signalled(MHI_SIG_INIT), 0xd);
	x1_ipi(V(1), 3, TO_ALL | ICR_INIT);
	ck_assert_uint_eq(signalled(MHI_SIG_INIT), 0xd);
	x1_ipi(V(1), 3, TO_SELF | ICR_INIT);
	ck_assert_uint_eq(signalled(MHI_SIG_INIT), 0);
	x1_ipi(V(1), 3, TO_OTHERS | ICR_SIPI | 0x9a);
	ck_assert_uint_eq(signalled(MHI_SIG_SIPI), 0xd);
	ck_assert_uint_eq(V(0)->lapic.sipi_vector, 0x9a);
}
END_TEST

/* Kicked are those who got something new; never the sender, who looks before it enters anyway. */
START_TEST(kicks)
{
	begin(3);
	x1_ipi(V(0), 0, TO_ALL | 0x51);
	ck_assert_uint_eq(fake_host[0].kicks, 0);
	ck_assert_uint_eq(fake_host[1].kicks, 1);
	x1_ipi(V(0), 1, 0x51);
	ck_assert_uint_eq(fake_host[1].kicks, 1);
	x1_ipi(V(0), 1, 0x52);
	ck_assert_uint_eq(fake_host[1].kicks, 2);
	x1_ipi(V(0), 1, ICR_NMI);
	ck_assert_uint_eq(fake_host[1].kicks, 3);
	mhi_lapic_msi(&vm, 0xfee00000, 0x53);
	ck_assert_uint_eq(fake_host[0].kicks, 1);
}
END_TEST

START_TEST(logical_flat)
{
	u32 i;

	begin(8);
	for (i = 0; i < 8; i++)
		wr(V(i), O_LDR, 1u << (24 + i));
	x1_ipi(V(0), 0xa5, ICR_LOGICAL | 0x61);
	ck_assert_uint_eq(takers(0x61), 0xa5);
	x1_ipi(V(0), 0xff, ICR_LOGICAL | 0x61);
	ck_assert_uint_eq(takers(0x61), 0xff);
	x1_ipi(V(0), 0, ICR_LOGICAL | 0x61);
	ck_assert_uint_eq(takers(0x61), 0);
}
END_TEST

START_TEST(logical_cluster)
{
	u32 i;

	begin(8);
	for (i = 0; i < 8; i++) {
		wr(V(i), O_DFR, 0x0fffffff);
		wr(V(i), O_LDR, (i / 4) << 28 | 1u << (24 + i % 4));
	}
	x1_ipi(V(0), 0x05, ICR_LOGICAL | 0x62);
	ck_assert_uint_eq(takers(0x62), 0x05);
	x1_ipi(V(0), 0x1c, ICR_LOGICAL | 0x62);
	ck_assert_uint_eq(takers(0x62), 0xc0);
	x1_ipi(V(0), 0xf2, ICR_LOGICAL | 0x62);
	ck_assert_uint_eq(takers(0x62), 0x22);
	x1_ipi(V(0), 0x21, ICR_LOGICAL | 0x62);
	ck_assert_uint_eq(takers(0x62), 0);
	x1_ipi(V(0), 0xff, ICR_LOGICAL | 0x62);
	ck_assert_uint_eq(takers(0x62), 0xff);
}
END_TEST

START_TEST(logical_x2)
{
	begin(40);
	all_x2(40);
	x2_ipi(V(0), 0x00018003, ICR_LOGICAL | 0x63);
	ck_assert_uint_eq(takers(0x63), 0x80030000);
	x2_ipi(V(0), 0x0002ffff, ICR_LOGICAL | 0x63);
	ck_assert_uint_eq(takers(0x63), 0xff00000000);
	x2_ipi(V(0), 0x0000ffff, ICR_LOGICAL | 0x63);
	ck_assert_uint_eq(takers(0x63), 0xffff);
	x2_ipi(V(0), 0x0004ffff, ICR_LOGICAL | 0x63);
	x2_ipi(V(0), 0xfffeffff, ICR_LOGICAL | 0x63);
	ck_assert_uint_eq(takers(0x63), 0);
	x2_ipi(V(0), 0xffffffff, ICR_LOGICAL | 0x63);
	ck_assert_uint_eq(takers(0x63), 0xffffffffff);
	x2_ipi(V(9), 1, TO_OTHERS | 0x63);
	ck_assert_uint_eq(takers(0x63), 0xffffffffff & ~(1ull << 9));
}
END_TEST

/* While the first vCPU is in x2APIC mode already, the others still start in xAPIC mode. */
START_TEST(mixed_modes)
{
	begin(4);
	set_mode(V(0), X2_MODE);
	x2_ipi(V(0), 3, ICR_INIT);
	ck_assert_uint_eq(signalled(MHI_SIG_INIT), 1 << 3);
	x2_ipi(V(0), 3, 0x64);
	x1_ipi(V(3), 0, 0x64);
	ck_assert_uint_eq(takers(0x64), 1 << 3 | 1);
	x2_ipi(V(0), 0xffffffff, 0x64);
	ck_assert_uint_eq(takers(0x64), 0xf);
	x1_ipi(V(3), 0xff, 0x64);
	ck_assert_uint_eq(takers(0x64), 0xf);
}
END_TEST

/*
 * One of the addressed takes it; different vectors do not all go to the same; disabled ones
 * never.
 */
START_TEST(lowest_priority)
{
	u64 set, seen = 0;
	u32 vector;

	begin(4);
	wr(V(2), O_SVR, 0xff);
	for (vector = 0x70; vector < 0x80; vector++) {
		x1_ipi(V(0), 0xff, ICR_LOWEST | vector);
		set = takers(vector);
		ck_assert_int_eq(__builtin_popcountll(set), 1);
		seen |= set;
		x1_ipi(V(0), 0xff, ICR_LOWEST | vector);
		ck_assert_uint_eq(takers(vector), set);
	}
	ck_assert_uint_eq(seen, 0xb);
	wr(V(0), O_SVR, 0xff);
	wr(V(1), O_SVR, 0xff);
	wr(V(3), O_SVR, 0xff);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfeeff000, ICR_LOWEST | 0x71), 0);
}
END_TEST

START_TEST(signals)
{
	begin(2);
	wr(V(1), O_SVR, 0xff); /* what comes by signal is taken by a software-disabled APIC too */
	x1_ipi(V(0), 1, ICR_NMI | 0x02);
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_NMI);
	ck_assert(mhi_lapic_has_work(V(1)));
	x1_ipi(V(0), 1, ICR_INIT);
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_NMI | MHI_SIG_INIT);
	V(1)->lapic.signals = 0;
	wr(V(0), O_ICR, ICR_INIT | ICR_LEVEL); /* INIT level de-assert */
	ck_assert_uint_eq(V(1)->lapic.signals, 0);
	wr(V(0), O_ICR, ICR_INIT | ICR_LEVEL | ICR_ASSERT);
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_INIT);
	V(1)->lapic.signals = 0;
	wr(V(0), O_ICR, ICR_INIT); /* edge-triggered: the level bit says nothing */
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_INIT);
	V(1)->lapic.signals = 0;
	x1_ipi(V(0), 1, ICR_SIPI | 0x08);
	x1_ipi(V(0), 1, ICR_SIPI | 0x09); /* the first is still pending */
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_SIPI);
	ck_assert_uint_eq(V(1)->lapic.sipi_vector, 8);
	x1_ipi(V(0), 1, ICR_INIT); /* it was sent to a CPU that did not wait for it */
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_INIT);
	V(1)->lapic.signals = 0;
	x1_ipi(V(0), 1, ICR_SMI);
	x1_ipi(V(0), 1, 0x300 | 0x55);
	x1_ipi(V(0), 1, 0x700 | 0x55);
	ck_assert_uint_eq(V(1)->lapic.signals, 0);
	ck_assert_uint_eq(takers(0x55), 0);
	ck_assert(!mhi_lapic_has_work(V(1)));
}
END_TEST

/* IPIs are edge-triggered whatever the trigger bit says (SDM 3A 11.6.1). */
START_TEST(ipi_trigger)
{
	begin(2);
	raise_irq(V(1), 0x66, true);
	raise_irq(V(1), 0x66, true);
	ck_assert_uint_eq(V(1)->lapic.reg[0x18 + 3], 1u << 6);
	x1_ipi(V(0), 1, ICR_LEVEL | 0x66);
	ck_assert_uint_eq(V(1)->lapic.reg[0x18 + 3], 0);
	wr(V(0), O_ERROR, 0x90);
	x1_ipi(V(0), 1, 0x00);
	ck_assert_uint_eq(takers(0x90), 1);
	ck_assert_uint_eq(V(0)->lapic.reg[0x18 + 4], 0);
	ck_assert_uint_eq(fake_host[0].kicks, 0); /* its own thread */
}
END_TEST

START_TEST(self_ipi)
{
	begin(2);
	all_x2(2);
	wrmsr(V(1), MSR_X2(0x3f), 0x77);
	ck_assert_uint_eq(takers(0x77), 1 << 1);
	ck_assert_uint_eq(fake_host[1].kicks, 0);
	ck_assert_uint_eq(V(1)->lapic.reg[0x18 + 3], 0);
	wrmsr(V(1), MSR_X2(0x3f), 0x10);
	ck_assert_uint_eq(takers(0x10), 1 << 1);
	wrmsr(V(1), MSR_X2(0x28), 0);
	ck_assert_uint_eq(rdmsr(V(1), MSR_X2(0x28)), 0);
	wrmsr(V(1), MSR_X2(0x3f), 0x0f);
	wrmsr(V(1), MSR_X2(0x28), 0);
	ck_assert_uint_eq(rdmsr(V(1), MSR_X2(0x28)), 0x60);
	wrmsr(V(1), MSR_X2(0x0f), 0xff);
	wrmsr(V(1), MSR_X2(0x3f), 0x77);
	ck_assert_uint_eq(takers(0x77), 0);
}
END_TEST

/* SDM 3A 11.5.3 "Error Handling" */
START_TEST(illegal_vectors)
{
	begin(2);
	wr(V(0), O_ERROR, 0xfe);
	x1_ipi(V(0), 1, 0x0f);
	ck_assert_uint_eq(V(1)->lapic.reg[0x20 + 0], 0);
	ck_assert_uint_eq(rd(V(0), O_ESR), 0); /* not before a write */
	ck_assert_uint_eq(takers(0xfe), 1);
	ck_assert_uint_eq(errors(V(0)), 0x20);
	ck_assert_uint_eq(errors(V(0)), 0);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee00000, 0x05), 1);
	ck_assert_uint_eq(takers(0xfe), 1);
	ck_assert_uint_eq(fake_host[0].kicks, 1);
	ck_assert_uint_eq(errors(V(0)), 0x40);
	/* A masked error interrupt is not delivered; an illegal one is an error itself. */
	wr(V(0), O_ERROR, 0x100fe);
	x1_ipi(V(0), 1, ICR_LOWEST | 0x00);
	ck_assert_uint_eq(takers(0xfe), 0);
	ck_assert_uint_eq(errors(V(0)), 0x20);
	wr(V(0), O_ERROR, 0x03);
	x1_ipi(V(0), 1, 0x00);
	ck_assert_uint_eq(errors(V(0)), 0x60);
	/* 16 is the first legal one. */
	wr(V(0), O_ERROR, 0x10);
	x1_ipi(V(0), 1, 0x0f);
	ck_assert_uint_eq(takers(0x10), 1);
	ck_assert_uint_eq(errors(V(0)), 0x20);
	x1_ipi(V(0), 1, 0x10);
	ck_assert_uint_eq(takers(0x10), 2);
	/* NMI and INIT have no vector that matters. */
	x1_ipi(V(0), 1, ICR_NMI);
	x1_ipi(V(0), 1, ICR_SIPI | 1);
	ck_assert_uint_eq(errors(V(0)), 0);
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_NMI | MHI_SIG_SIPI);
}
END_TEST

/* ---- many threads ---- */

#define SENDERS 4
#define ROUNDS 20000

static u32 handled[SENDERS]; /* by the vCPU's thread, read by the senders */

/* Sends the next edge only when the last was handled: one that is lost is never made good. */
static void *sender(void *arg)
{
	u32 n = (u32)(uintptr_t)arg, i;

	for (i = 0; i < ROUNDS; i++) {
		mhi_lapic_msi(&vm, 0xfee00000, 0x51 + n * 0x21);
		while (mhi_load32(&handled[n]) == i)
			sched_yield();
	}
	return NULL;
}

/*
 * A guest's handler sees its device before it ends the interrupt, and so before it is accepted
 * here.
 */
static void handle(int vector)
{
	u32 n = ((u32)vector - 0x51) / 0x21;

	mhi_store32(&handled[n], handled[n] + 1);
	sched_yield();
	mhi_lapic_accept(V(0), (u32)vector);
	wr(V(0), O_EOI, 0);
}

START_TEST(no_edge_is_lost)
{
	pthread_t thread[SENDERS];
	u32 n, total = 0;
	int vector;

	begin(1);
	memset(handled, 0, sizeof(handled));
	for (n = 0; n < SENDERS; n++)
		ck_assert_int_eq(pthread_create(&thread[n], NULL, sender, (void *)(uintptr_t)n), 0);
	while (total < SENDERS * ROUNDS) {
		vector = mhi_lapic_pending(V(0));
		if (vector >= 0) {
			handle(vector);
			total++;
		} else {
			sched_yield();
		}
	}
	for (n = 0; n < SENDERS; n++) {
		pthread_join(thread[n], NULL);
		ck_assert_uint_eq(handled[n], ROUNDS);
	}
	ck_assert_int_eq(mhi_lapic_pending(V(0)), -1);
}
END_TEST

/* ---- MSI ---- */

START_TEST(msi)
{
	u32 i;

	begin(8);
	for (i = 0; i < 8; i++)
		wr(V(i), O_LDR, 1u << (24 + i));
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee05000, 0x81), 1);
	ck_assert_uint_eq(takers(0x81), 1 << 5);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee09000, 0x81), 0);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfeeff000, 0x81), 8);
	ck_assert_uint_eq(takers(0x81), 0xff);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee06004, 0x81), 2);
	ck_assert_uint_eq(takers(0x81), 0x06);
	/* Redirection hint: one of them. */
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee0600c, 0x81), 1);
	ck_assert_int_eq(__builtin_popcountll(takers(0x81) & 0x06), 1);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee06004, 0x181), 1);
	ck_assert_int_eq(__builtin_popcountll(takers(0x81) & 0x06), 1);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee06008, 0x400), 1);
	ck_assert_uint_eq(signalled(MHI_SIG_NMI), 1 << 6);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee06000, 0x500), 1);
	ck_assert_uint_eq(signalled(MHI_SIG_INIT), 1 << 6);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee06000, 0x781), 0);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfed06000, 0x81), 0);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0x1fee06000, 0x81), 0);
	ck_assert_uint_eq(takers(0x81), 0);
}
END_TEST

START_TEST(msi_level)
{
	begin(1);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee00000, 0x8081), 0); /* de-assert */
	ck_assert_uint_eq(takers(0x81), 0);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee00000, 0xc081), 1);
	ck_assert_uint_eq(rd(V(0), O_TMR + 0x40), 2);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee00000, 0x4081), 1);
	ck_assert_uint_eq(rd(V(0), O_TMR + 0x40), 0);
}
END_TEST

/* Without interrupt remapping an MSI's 8-bit destination reaches the first vCPUs in x2APIC mode. */
START_TEST(msi_x2)
{
	begin(40);
	all_x2(40);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee00000 | 37 << 12, 0x82), 1);
	ck_assert_uint_eq(takers(0x82), 1ull << 37);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee81004, 0x82), 2);
	ck_assert_uint_eq(takers(0x82), 0x81);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfeeff000, 0x82), 40);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, physical);
	tcase_add_test(t, shorthands);
	tcase_add_test(t, kicks);
	tcase_add_test(t, logical_flat);
	tcase_add_test(t, logical_cluster);
	tcase_add_test(t, logical_x2);
	tcase_add_test(t, mixed_modes);
	tcase_add_test(t, lowest_priority);
	tcase_add_test(t, signals);
	tcase_add_test(t, ipi_trigger);
	tcase_add_test(t, self_ipi);
	tcase_add_test(t, illegal_vectors);
	tcase_add_test(t, no_edge_is_lost);
	tcase_add_test(t, msi);
	tcase_add_test(t, msi_level);
	tcase_add_test(t, msi_x2);
}

UNIT_MAIN("lapic_msg", add_tests)

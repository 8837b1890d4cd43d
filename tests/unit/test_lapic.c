// SPDX-License-Identifier: MIT
/* The local APIC's registers, modes and priorities. */
#include "lapic_vm.h"
#include "base/err.h"

/* ---- reset and modes ---- */

/* SDM 3A 11.4.7.1 "Local APIC State After Power-Up or Reset" */
START_TEST(power_up)
{
	u32 o;

	begin(2);
	mhi_lapic_reset(V(1), false);
	ck_assert(rdmsr(V(0), MHI_MSR_APIC_BASE) == 0xfee00900);
	ck_assert(rdmsr(V(1), MHI_MSR_APIC_BASE) == 0xfee00800);
	ck_assert_uint_eq(rd(V(1), O_ID), 0x01000000);
	ck_assert_uint_eq(rd(V(1), O_VERSION), 0x00050014);
	ck_assert_uint_eq(rd(V(1), O_SVR), 0xff);
	ck_assert_uint_eq(rd(V(1), O_DFR), 0xffffffff);
	for (o = O_TIMER; o <= O_ERROR; o += 0x10)
		ck_assert_uint_eq(rd(V(1), o), 0x10000);
	for (o = O_ISR; o <= O_ESR; o += 0x10)
		ck_assert_uint_eq(rd(V(1), o), 0);
	ck_assert_uint_eq(rd(V(1), O_TPR) | rd(V(1), O_PPR) | rd(V(1), O_LDR), 0);
	ck_assert_uint_eq(rd(V(1), O_ICR) | rd(V(1), O_ICR_HIGH) | rd(V(1), O_DIV), 0);
	ck_assert_uint_eq(rd(V(1), O_INIT) | rd(V(1), O_CURRENT), 0);
	ck_assert_int_eq(mhi_lapic_pending(V(1)), -1);
	ck_assert(!mhi_lapic_has_work(V(1)));
}
END_TEST

/* INIT clears the registers but neither the mode nor a SIPI that already arrived. */
START_TEST(init_reset)
{
	begin(2);
	all_x2(2);
	raise_irq(V(1), 0x55, true);
	raise_irq(V(1), 0xa5, false);
	ck_assert_int_eq(mhi_lapic_pending(V(1)), 0xa5);
	mhi_lapic_accept(V(1), 0xa5);
	raise_irq(V(1), 0xb5, false);
	ck_assert_int_eq(mhi_lapic_pending(V(1)), 0xb5);
	raise_irq(V(1), 0x03, false); /* an error */
	mhi_lapic_set_cr8(V(1), 9);
	wrmsr(V(1), MSR_X2(0x38), 1000);
	wrmsr(V(1), MSR_X2(0x3e), 3);
	wrmsr(V(0), MSR_X2(0x30), 1ull << 32 | 0x4612);
	mhi_lapic_reset(V(1), true);
	ck_assert(rdmsr(V(1), MHI_MSR_APIC_BASE) == 0xfee00c00);
	ck_assert(rdmsr(V(1), MSR_X2(0x0d)) == 2);
	ck_assert(rdmsr(V(1), MSR_X2(0x0f)) == 0xff);
	ck_assert(mhi_lapic_cr8(&V(1)->lapic) == 0);
	ck_assert_int_eq(mhi_lapic_pending(V(1)), -1);
	ck_assert(rdmsr(V(1), MSR_X2(0x0a)) == 0);
	ck_assert(rdmsr(V(1), MSR_X2(0x38)) == 0 && rdmsr(V(1), MSR_X2(0x3e)) == 0);
	wrmsr(V(1), MSR_X2(0x28), 0);
	ck_assert(rdmsr(V(1), MSR_X2(0x28)) == 0);
	ck_assert_uint_eq(V(1)->lapic.reg[0x18 + 2], 0);
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_SIPI);
	ck_assert_uint_eq(V(1)->lapic.sipi_vector, 0x12);
	mhi_lapic_reset(V(1), false);
	ck_assert_uint_eq(V(1)->lapic.signals, 0);
	ck_assert(V(1)->lapic.x2apic_ok);
	ck_assert(rdmsr(V(1), MHI_MSR_APIC_BASE) == 0xfee00800);
}
END_TEST

/* SDM 3A 11.12.5 "x2APIC State Transitions": all pairs; 0x400 alone is the invalid state. */
START_TEST(transitions)
{
	static const struct {
		u64 from, to;
		int rc;
	} t[] = {
		{ 0, 0, 0 },
		{ 0, X1_MODE, 0 },
		{ 0, X2_MODE, MHI_EINVAL },
		{ 0, 0x400, MHI_EINVAL },
		{ X1_MODE, 0, 0 },
		{ X1_MODE, X1_MODE, 0 },
		{ X1_MODE, X2_MODE, 0 },
		{ X1_MODE, 0x400, MHI_EINVAL },
		{ X2_MODE, 0, 0 },
		{ X2_MODE, X1_MODE, MHI_EINVAL },
		{ X2_MODE, X2_MODE, 0 },
		{ X2_MODE, 0x400, MHI_EINVAL },
	};
	u64 base;

	begin(1);
	set_mode(V(0), t[_i].from);
	base = rdmsr(V(0), MHI_MSR_APIC_BASE);
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_APIC_BASE, (base & ~MODE_BITS) | t[_i].to),
			 t[_i].rc);
	ck_assert((rdmsr(V(0), MHI_MSR_APIC_BASE) & MODE_BITS) ==
		  (t[_i].rc ? t[_i].from : t[_i].to));
}
END_TEST

START_TEST(apic_base_bits)
{
	begin(2);
	wrmsr(V(0), MHI_MSR_APIC_BASE, 0xfee00800);
	ck_assert(rdmsr(V(0), MHI_MSR_APIC_BASE) == 0xfee00900); /* BSP stays */
	wrmsr(V(1), MHI_MSR_APIC_BASE, 0xfffffff900);
	ck_assert(rdmsr(V(1), MHI_MSR_APIC_BASE) == 0xfffffff800);
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_APIC_BASE, 0xfee00801), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_APIC_BASE, 0xfee00a00), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_APIC_BASE, 0x100fee00800), MHI_EINVAL);
	V(0)->lapic.x2apic_ok = false;
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_APIC_BASE, 0xfee00d00), MHI_EINVAL);
}
END_TEST

/* A disabled APIC hears nothing and has no registers; enabled again it is as after reset. */
START_TEST(disabled)
{
	u64 x;
	u32 y;

	begin(2);
	raise_irq(V(1), 0x40, false);
	set_mode(V(1), 0);
	ck_assert_int_eq(mhi_lapic_pending(V(1)), -1);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee01000, 0x40), 0);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee01000, 0x400), 0);
	ck_assert_int_eq(mhi_lapic_read(V(1), O_ID, &y), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_write(V(1), O_TPR, 0), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_rdmsr(V(1), MSR_X2(2), &x), MHI_EINVAL);
	set_mode(V(1), X1_MODE);
	ck_assert_uint_eq(rd(V(1), O_SVR), 0xff);
}
END_TEST

/* ---- priorities ---- */

START_TEST(nesting)
{
	struct mhi_vcpu *v = V(0);

	begin(1);
	raise_irq(v, 0x31, false);
	raise_irq(v, 0x45, false);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x45);
	mhi_lapic_accept(v, 0x45);
	ck_assert_uint_eq(rd(v, O_ISR + 0x20), 1u << 5);
	ck_assert_uint_eq(rd(v, O_PPR), 0x40);
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
	raise_irq(v, 0x4f, false); /* the same class does not interrupt */
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
	raise_irq(v, 0xef, false);
	ck_assert_int_eq(mhi_lapic_pending(v), 0xef);
	mhi_lapic_accept(v, 0xef);
	ck_assert_uint_eq(rd(v, O_PPR), 0xe0);
	wr(v, O_EOI, 0);
	ck_assert_uint_eq(rd(v, O_PPR), 0x40);
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
	wr(v, O_EOI, 0);
	ck_assert_uint_eq(rd(v, O_PPR), 0);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x4f);
	mhi_lapic_accept(v, 0x4f);
	wr(v, O_EOI, 0);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x31);
	mhi_lapic_accept(v, 0x31);
	wr(v, O_EOI, 0);
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
	wr(v, O_EOI, 0); /* nothing in service */
	ck_assert(!v->lapic.eoi_pending);
	ck_assert_uint_eq(rd(v, O_PPR), 0);
}
END_TEST

START_TEST(task_priority)
{
	struct mhi_vcpu *v = V(0);

	begin(1);
	raise_irq(v, 0x52, false);
	wr(v, O_TPR, 0x5f);
	ck_assert_uint_eq(rd(v, O_PPR), 0x5f);
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
	ck_assert(!mhi_lapic_has_work(v));
	ck_assert(mhi_lapic_cr8(&v->lapic) == 5);
	mhi_lapic_set_cr8(v, 4);
	ck_assert_uint_eq(rd(v, O_TPR), 0x40);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x52);
	ck_assert(mhi_lapic_has_work(v));
	mhi_lapic_accept(v, 0x52);
	/* SDM 3A 11.8.3.1: equal classes take TPR, sub-class and all */
	wr(v, O_TPR, 0x53);
	ck_assert_uint_eq(rd(v, O_PPR), 0x53);
	wr(v, O_TPR, 0x4f);
	ck_assert_uint_eq(rd(v, O_PPR), 0x50);
}
END_TEST

/* Every vector above 15, one by one and in descending order together. */
START_TEST(all_vectors)
{
	struct mhi_vcpu *v = V(0);
	u32 n;

	begin(1);
	for (n = 16; n < 256; n++)
		raise_irq(v, n, n & 1);
	for (n = 255; n >= 16; n--) {
		ck_assert_int_eq(mhi_lapic_pending(v), (int)n);
		ck_assert_uint_eq(rd(v, O_IRR + n / 32 * 0x10) >> n % 32 & 1, 1);
		mhi_lapic_accept(v, n);
		ck_assert_uint_eq(rd(v, O_IRR + n / 32 * 0x10) >> n % 32 & 1, 0);
		ck_assert_uint_eq(rd(v, O_ISR + n / 32 * 0x10), 1u << n % 32);
		v->lapic.eoi_pending = false;
		wr(v, O_EOI, 0);
		ck_assert_uint_eq(v->lapic.eoi_pending, n & 1);
		if (n & 1)
			ck_assert_uint_eq(v->lapic.eoi_vector, n);
	}
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
}
END_TEST

/*
 * The guest takes the offered vector; before the exit is handled, its device raises the next
 * edge. A bit that stayed in IRR until mhi_lapic_accept would have swallowed it.
 */
START_TEST(edge_while_offered)
{
	struct mhi_vcpu *v = V(0);

	begin(1);
	raise_irq(v, 0x60, false);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x60);
	fake_host[0].kicks = 0;
	raise_irq(v, 0x60, false);
	ck_assert_uint_eq(fake_host[0].kicks, 1);
	mhi_lapic_accept(v, 0x60);
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
	wr(v, O_EOI, 0);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x60);
	mhi_lapic_accept(v, 0x60);
	wr(v, O_EOI, 0);
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
}
END_TEST

/*
 * What was offered but not taken gives way to a higher vector, and to a raised TPR, and comes
 * back.
 */
START_TEST(offer_withdrawn)
{
	struct mhi_vcpu *v = V(0);

	begin(1);
	raise_irq(v, 0x60, false);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x60);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x60);
	raise_irq(v, 0x70, false);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x70);
	ck_assert_uint_eq(rd(v, O_IRR + 0x30), 0x10001);
	mhi_lapic_set_cr8(v, 7);
	ck_assert_int_eq(mhi_lapic_pending(v), -1);
	ck_assert_uint_eq(rd(v, O_IRR + 0x30), 0x10001);
	mhi_lapic_set_cr8(v, 6);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x70);
	mhi_lapic_accept(v, 0x70);
	mhi_lapic_set_cr8(v, 0);
	wr(v, O_EOI, 0);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x60);
}
END_TEST

/* A vector that comes into service without having been on offer leaves IRR all the same. */
START_TEST(accept_unoffered)
{
	struct mhi_vcpu *v = V(0);

	begin(1);
	raise_irq(v, 0x60, false);
	raise_irq(v, 0x61, false);
	mhi_lapic_accept(v, 0x61);
	ck_assert_uint_eq(rd(v, O_IRR + 0x30), 1);
	wr(v, O_EOI, 0);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x60);
}
END_TEST

/* ---- the xAPIC page ---- */

START_TEST(page_access)
{
	struct mhi_vcpu *v = V(3);
	u32 value;

	begin(4);
	wr(v, O_ID, 0xff000000); /* read-only: ignored */
	ck_assert_uint_eq(rd(v, O_ID), 0x03000000);
	wr(v, O_PPR, 0xff);
	ck_assert_uint_eq(rd(v, O_PPR), 0);
	wr(v, O_LDR, 0x5a123456);
	ck_assert_uint_eq(rd(v, O_LDR), 0x5a000000);
	wr(v, O_DFR, 0);
	ck_assert_uint_eq(rd(v, O_DFR), 0x0fffffff);
	wr(v, O_SVR, 0xffffffff);
	ck_assert_uint_eq(rd(v, O_SVR), 0x3ff);
	wr(v, O_TIMER, 0xffffffff);
	ck_assert_uint_eq(rd(v, O_TIMER), 0x700ff);
	wr(v, O_LINT0, 0xffffffff);
	ck_assert_uint_eq(rd(v, O_LINT0), 0x1a7ff);
	wr(v, O_PMC, 0xffffffff);
	ck_assert_uint_eq(rd(v, O_PMC), 0x107ff);
	wr(v, O_ERROR, 0xffffffff);
	ck_assert_uint_eq(rd(v, O_ERROR), 0x100ff);
	wr(v, O_DIV, 0xffffffff);
	ck_assert_uint_eq(rd(v, O_DIV), 0xb);
	ck_assert_uint_eq(rd(v, O_EOI), 0);
	wr(v, O_ESR, 0);
	ck_assert_uint_eq(rd(v, O_ESR), 0);
	/* No CMCI entry, nothing at 0x40, no self IPI; not between registers, not beyond. */
	ck_assert_int_eq(mhi_lapic_read(v, 0x2f0, &value), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_read(v, 0x40, &value), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_write(v, 0x3f0, 0x44), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_read(v, O_TPR + 4, &value), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_read(v, 0x400, &value), MHI_EINVAL);
	ck_assert_int_eq(mhi_lapic_write(v, 0xfffffff0, 0), MHI_EINVAL);
	wr(v, O_ESR, 0);
	ck_assert_uint_eq(rd(v, O_ESR), 0x80);
	wr(v, O_ESR, 0);
	ck_assert_uint_eq(rd(v, O_ESR), 0);
}
END_TEST

/* SDM 3A 11.4.7.2 "Local APIC State After It Has Been Software Disabled" */
START_TEST(software_disable)
{
	struct mhi_vcpu *v = V(1);

	begin(2);
	wr(v, O_LINT1, 0x400);
	raise_irq(v, 0x80, false);
	wr(v, O_SVR, 0xff);
	ck_assert_uint_eq(rd(v, O_LINT1), 0x10400);
	ck_assert_uint_eq(rd(v, O_TIMER), 0x10000);
	wr(v, O_LINT1, 0x400);
	wr(v, O_TIMER, 0x20030);
	ck_assert_uint_eq(rd(v, O_LINT1), 0x10400);
	ck_assert_uint_eq(rd(v, O_TIMER), 0x30030);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee01000, 0x99), 0);
	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee01000, 0x400), 1);
	ck_assert_uint_eq(V(1)->lapic.signals, MHI_SIG_NMI);
	ck_assert_int_eq(mhi_lapic_pending(v), 0x80); /* held, not lost */
	wr(v, O_SVR, 0x1ff);
	ck_assert_uint_eq(rd(v, O_LINT1), 0x10400); /* the masks stay until software clears them */
	wr(v, O_LINT1, 0x400);
	ck_assert_uint_eq(rd(v, O_LINT1), 0x400);
}
END_TEST

/* ---- x2APIC ---- */

/* SDM 3A 11.12.1.2 "x2APIC Register Address Space": access and writable bits of each MSR. */
static void x2_expect(u32 reg, bool *rd_ok, bool *wr_ok, u64 *bits)
{
	*rd_ok = reg == 0x02 || reg == 0x03 || reg == 0x08 || reg == 0x0a || reg == 0x0d ||
		 (reg >= 0x0f && reg <= 0x28) || reg == 0x30 || (reg >= 0x32 && reg <= 0x39) ||
		 reg == 0x3e;
	*wr_ok = reg == 0x08 || reg == 0x0b || reg == 0x0f || reg == 0x28 || reg == 0x30 ||
		 (reg >= 0x32 && reg <= 0x38) || reg == 0x3e || reg == 0x3f;
	*bits = 0;
	switch (reg) {
	case 0x08:
	case 0x3f:
		*bits = 0xff;
		break;
	case 0x0f:
		*bits = 0x3ff;
		break;
	case 0x30:
		*bits = 0xffffffff000cdfff;
		break;
	case 0x32:
		*bits = 0x710ff;
		break;
	case 0x33:
	case 0x34:
		*bits = 0x117ff;
		break;
	case 0x35:
	case 0x36:
		*bits = 0x1f7ff;
		break;
	case 0x37:
		*bits = 0x110ff;
		break;
	case 0x38:
		*bits = 0xffffffff;
		break;
	case 0x3e:
		*bits = 0xb;
		break;
	}
}

START_TEST(x2apic_msrs)
{
	bool rd_ok, wr_ok;
	unsigned int bit;
	u64 bits, value;
	u32 reg;

	for (reg = 0; reg < 0x100; reg++) {
		x2_expect(reg, &rd_ok, &wr_ok, &bits);
		begin(1);
		ck_assert_int_eq(mhi_lapic_rdmsr(V(0), MSR_X2(reg), &value), MHI_EINVAL);
		ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MSR_X2(reg), 0), MHI_EINVAL);
		all_x2(1);
		value = 0x1234;
		ck_assert_int_eq(mhi_lapic_rdmsr(V(0), MSR_X2(reg), &value),
				 rd_ok ? 0 : MHI_EINVAL);
		ck_assert(rd_ok || value == 0x1234);
		for (bit = 0; bit < 64; bit++) {
			int rc = mhi_lapic_wrmsr(V(0), MSR_X2(reg), 1ull << bit);

			if (rc != (wr_ok && (bits >> bit & 1) ? 0 : MHI_EINVAL))
				ck_abort_msg("MSR 0x%x bit %u: %d", MSR_X2(reg), bit, rc);
		}
		ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MSR_X2(reg), 0), wr_ok ? 0 : MHI_EINVAL);
	}
	ck_assert_int_eq(mhi_lapic_rdmsr(V(0), 0x7ff, &value), MHI_EINVAL);
}
END_TEST

START_TEST(x2apic_registers)
{
	u32 value;

	begin(40);
	all_x2(40);
	ck_assert(rdmsr(V(37), MSR_X2(0x02)) == 37);
	ck_assert(rdmsr(V(37), MSR_X2(0x0d)) == 0x00020020);
	ck_assert(rdmsr(V(37), MHI_MSR_APIC_BASE) == 0xfee00c00);
	ck_assert_int_eq(mhi_lapic_read(V(37), O_ID, &value), MHI_EINVAL);
	wrmsr(V(37), MSR_X2(0x08), 0x21);
	ck_assert(rdmsr(V(37), MSR_X2(0x08)) == 0x21);
	wrmsr(V(37), MSR_X2(0x30), 0x0000000c00000055);
	ck_assert(rdmsr(V(37), MSR_X2(0x30)) == 0x0000000c00000055);
	ck_assert(requested(V(12), 0x55));
	/* Back by the disabled state, the only way. */
	set_mode(V(37), 0);
	set_mode(V(37), X1_MODE);
	ck_assert_uint_eq(rd(V(37), O_LDR), 0);
	ck_assert_uint_eq(rd(V(37), O_ID), 37u << 24);
}
END_TEST

/* Entering x2APIC mode keeps what is pending and in service. */
START_TEST(x2apic_entry_keeps_state)
{
	begin(2);
	raise_irq(V(1), 0x50, false);
	raise_irq(V(1), 0x90, true);
	ck_assert_int_eq(mhi_lapic_pending(V(1)), 0x90);
	mhi_lapic_accept(V(1), 0x90);
	wr(V(1), O_ICR_HIGH, 0x05000000);
	set_mode(V(1), X2_MODE);
	ck_assert(rdmsr(V(1), MSR_X2(0x0f)) == 0x1ff);
	ck_assert(rdmsr(V(1), MSR_X2(0x30)) == 0);
	ck_assert(rdmsr(V(1), MSR_X2(0x0a)) == 0x90);
	wrmsr(V(1), MSR_X2(0x0b), 0);
	ck_assert(V(1)->lapic.eoi_pending);
	ck_assert_uint_eq(V(1)->lapic.eoi_vector, 0x90);
	ck_assert_int_eq(mhi_lapic_pending(V(1)), 0x50);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, power_up);
	tcase_add_test(t, init_reset);
	tcase_add_loop_test(t, transitions, 0, 12);
	tcase_add_test(t, apic_base_bits);
	tcase_add_test(t, disabled);
	tcase_add_test(t, nesting);
	tcase_add_test(t, task_priority);
	tcase_add_test(t, all_vectors);
	tcase_add_test(t, edge_while_offered);
	tcase_add_test(t, offer_withdrawn);
	tcase_add_test(t, accept_unoffered);
	tcase_add_test(t, page_access);
	tcase_add_test(t, software_disable);
	tcase_add_test(t, x2apic_msrs);
	tcase_add_test(t, x2apic_registers);
	tcase_add_test(t, x2apic_entry_keeps_state);
}

UNIT_MAIN("lapic", add_tests)

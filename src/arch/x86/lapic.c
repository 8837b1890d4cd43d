// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The local APIC's registers, modes and priorities. Messages: lapic_msg.c. Timer: lapic_timer.c. */
#include "arch/x86/lapic_int.h"
#include "base/x86.h"

#define LAPIC_BASE_RESET 0xfee00000ull
#define LAPIC_BASE_FLAGS (MHI_APIC_BASE_BSP | LAPIC_BASE_MODE)

/* SDM 3A 11.4.8 "Local APIC Version Register": integrated, six LVT entries, no EOI suppression. */
#define VERSION_VALUE (0x14u | (LVT_COUNT - 1) << 16)
/* SDM 3A 11.4.7.1 "Local APIC State After Power-Up or Reset" */
#define SVR_RESET 0xffu
#define DFR_RESET 0xffffffffu

#define DELIVERY_STATUS (1u << 12)
#define REMOTE_IRR (1u << 14)

/* How a register may be used; the mode restrictions are those of SDM 3A 11.12.1.2. */
enum { RD = 1, WR = 2, X1_WR = 4, X1 = 8, X2 = 16 };

struct reg {
	u8 use;
	u32 bits;      /* writable */
	u32 read_only; /* writable without effect; any other bit is reserved */
};

#define LVT_VECTOR 0xffu
#define LVT_MODE 0x700u
#define LVT_PLAIN (LVT_VECTOR | LVT_MODE | LVT_MASKED)
#define LVT_LINT (LVT_PLAIN | 1u << 13 | 1u << 15)

static const struct reg regs[LAPIC_REGS] = {
	[LAPIC_ID... LAPIC_VERSION] = { RD, 0, 0 },
	[LAPIC_TPR] = { RD | WR, 0xff, 0 },
	[LAPIC_PPR] = { RD, 0, 0 },
	[LAPIC_EOI] = { WR, 0, 0 },
	[LAPIC_LDR] = { RD | X1_WR, 0xff000000, 0 },
	[LAPIC_DFR] = { X1 | RD | WR, 0xf0000000, 0 },
	[LAPIC_SVR] = { RD | WR, 0x3ff, 0 },
	[LAPIC_ISR... LAPIC_IRR + 7] = { RD, 0, 0 },
	[LAPIC_ESR] = { RD | WR, 0, 0 },
	[LAPIC_ICR] = { RD | WR, 0xccfff & ~DELIVERY_STATUS, DELIVERY_STATUS },
	[LAPIC_ICR_HIGH] = { X1 | RD | WR, 0xff000000, 0 },
	[LAPIC_LVT + LVT_TIMER] = { RD | WR, LVT_VECTOR | LVT_MASKED | 3u << 17, DELIVERY_STATUS },
	[LAPIC_LVT + LVT_THERMAL... LAPIC_LVT + LVT_PMC] = { RD | WR, LVT_PLAIN, DELIVERY_STATUS },
	[LAPIC_LVT + LVT_LINT0... LAPIC_LVT +
		LVT_LINT1] = { RD | WR, LVT_LINT, DELIVERY_STATUS | REMOTE_IRR },
	[LAPIC_LVT + LVT_ERROR] = { RD | WR, LVT_VECTOR | LVT_MASKED, DELIVERY_STATUS },
	[LAPIC_TIMER_INIT] = { RD | WR, 0xffffffff, 0 },
	[LAPIC_TIMER_CURRENT] = { RD, 0, 0 },
	[LAPIC_TIMER_DIV] = { RD | WR, 0xb, 0 },
	[LAPIC_SELF_IPI] = { X2 | WR, 0xff, 0 },
};

/* ---- priorities: SDM 3A 11.8.3 "Interrupt, Task, and Processor Priority" ---- */

static u32 top_vector(const u32 *words)
{
	int i;

	for (i = 7; i >= 0; i--) {
		u32 w = mhi_load32(&words[i]);

		if (w)
			return (u32)(i * 32 + 31 - __builtin_clz(w));
	}
	return 0;
}

static u32 ppr(const struct mhi_lapic *l)
{
	u32 tpr = l->reg[LAPIC_TPR];

	return tpr >> 4 >= l->isr_top >> 4 ? tpr : l->isr_top & 0xf0;
}

/* Straight-line: this is asked before every entry, and mostly there is nothing. */
static bool any_requested(const struct mhi_lapic *l)
{
	const u32 *w = &l->reg[LAPIC_IRR];

	return (mhi_load32(&w[0]) | mhi_load32(&w[1]) | mhi_load32(&w[2]) | mhi_load32(&w[3]) |
		mhi_load32(&w[4]) | mhi_load32(&w[5]) | mhi_load32(&w[6]) | mhi_load32(&w[7]) |
		l->offered) != 0;
}

/* What may be delivered now, 0 = nothing. */
static u32 deliverable(const struct mhi_lapic *l)
{
	u32 top;

	if (!any_requested(l))
		return 0;
	top = top_vector(&l->reg[LAPIC_IRR]);
	if (l->offered > top)
		top = l->offered;
	return top >> 4 > ppr(l) >> 4 ? top : 0;
}

int mhi_lapic_pending(struct mhi_vcpu *v)
{
	struct mhi_lapic *l = &v->lapic;
	u32 vector = deliverable(l);

	if (!vector)
		return -1;
	if (vector != l->offered) {
		if (l->offered)
			mhi_fetch_or32(mhi_irq_word(l, LAPIC_IRR, l->offered),
				       mhi_irq_bit(l->offered));
		mhi_fetch_and32(mhi_irq_word(l, LAPIC_IRR, vector), ~mhi_irq_bit(vector));
		l->offered = vector;
	}
	return (int)vector;
}

void mhi_lapic_accept(struct mhi_vcpu *v, unsigned int vector)
{
	struct mhi_lapic *l = &v->lapic;

	vector &= 0xff;
	if (l->offered == vector)
		l->offered = 0;
	else
		mhi_fetch_and32(mhi_irq_word(l, LAPIC_IRR, vector), ~mhi_irq_bit(vector));
	*mhi_irq_word(l, LAPIC_ISR, vector) |= mhi_irq_bit(vector);
	if (vector > l->isr_top)
		l->isr_top = vector;
}

bool mhi_lapic_has_work(struct mhi_vcpu *v)
{
	return mhi_load32(&v->lapic.signals) || deliverable(&v->lapic);
}

static void eoi(struct mhi_lapic *l)
{
	u32 vector = l->isr_top;

	if (!vector)
		return;
	*mhi_irq_word(l, LAPIC_ISR, vector) &= ~mhi_irq_bit(vector);
	l->isr_top = top_vector(&l->reg[LAPIC_ISR]);
	if (mhi_load32(mhi_irq_word(l, LAPIC_TMR, vector)) & mhi_irq_bit(vector)) {
		l->eoi_vector = vector;
		l->eoi_pending = true;
	}
}

void mhi_lapic_set_cr8(struct mhi_vcpu *v, u64 cr8)
{
	v->lapic.reg[LAPIC_TPR] = (u32)(cr8 & 0xf) << 4;
}

/* ---- reset and modes ---- */

/* SDM 3A 11.12.10.2 "Deriving Logical x2APIC ID from the Local x2APIC ID" */
static u32 x2_ldr(u32 id)
{
	return id >> 4 << 16 | 1u << (id & 15);
}

static void set_ids(struct mhi_vcpu *v)
{
	struct mhi_lapic *l = &v->lapic;
	bool x2 = mhi_lapic_x2(l);

	l->reg[LAPIC_ID] = x2 ? v->apic_id : v->apic_id << 24;
	mhi_store32(&l->reg[LAPIC_LDR], x2 ? x2_ldr(v->apic_id) : 0);
}

static void reset_registers(struct mhi_vcpu *v)
{
	struct mhi_lapic *l = &v->lapic;
	unsigned int i;

	mhi_lapic_timer_stop(v);
	mhi_fetch_and32(&l->signals, ~MHI_SIG_TIMER);
	mhi_store32(&l->reg[LAPIC_SVR], SVR_RESET); /* first: from now on no sender adds to IRR */
	for (i = 0; i < LAPIC_REGS; i++)
		if (i != LAPIC_SVR)
			mhi_store32(&l->reg[i], mhi_is_lvt(i) ? LVT_MASKED : 0);
	l->reg[LAPIC_VERSION] = VERSION_VALUE;
	mhi_store32(&l->reg[LAPIC_DFR], DFR_RESET);
	set_ids(v);
	mhi_store32(&l->esr_pending, 0);
	l->offered = l->isr_top = 0;
	l->eoi_pending = false;
}

void mhi_lapic_reset(struct mhi_vcpu *v, bool init)
{
	struct mhi_lapic *l = &v->lapic;

	if (!init) {
		mhi_store32(&l->signals, 0);
		mhi_store64(&l->base, LAPIC_BASE_RESET | LAPIC_BASE_ENABLE |
					      (v->apic_id ? 0 : MHI_APIC_BASE_BSP));
	}
	reset_registers(v);
}

/* SDM 3A 11.12.5 "x2APIC State Transitions": from the mode bits of APIC_BASE to those. */
static bool transition_ok(u64 from, u64 to)
{
	if (to == LAPIC_BASE_X2APIC)
		return false;
	if (from == LAPIC_BASE_MODE)
		return to != LAPIC_BASE_ENABLE;
	return from == LAPIC_BASE_ENABLE || to != LAPIC_BASE_MODE;
}

static int write_base(struct mhi_vcpu *v, u64 value)
{
	struct mhi_lapic *l = &v->lapic;
	u64 address = (MHI_BIT(v->vm->caps.phys_bits) - 1) & ~MHI_PAGE_MASK;
	u64 from = l->base & LAPIC_BASE_MODE, to = value & LAPIC_BASE_MODE;

	if (value & ~(address | LAPIC_BASE_FLAGS))
		return MHI_EINVAL;
	if (!transition_ok(from, to) || (to == LAPIC_BASE_MODE && !l->x2apic_ok))
		return MHI_EINVAL;
	mhi_store64(&l->base, (value & ~MHI_APIC_BASE_BSP) | (l->base & MHI_APIC_BASE_BSP));
	/* Also when enabled again: a late sender may have left something. */
	if (!from != !to)
		reset_registers(v);
	if (from != to) {
		set_ids(v);
		l->reg[LAPIC_ICR_HIGH] = 0;
	}
	return 0;
}

/* ---- registers ---- */

static u32 read_reg(struct mhi_vcpu *v, u32 reg)
{
	const struct mhi_lapic *l = &v->lapic;

	if (reg == LAPIC_PPR)
		return ppr(l);
	if (reg == LAPIC_TIMER_CURRENT)
		return mhi_lapic_timer_current(v);
	if (l->offered && reg == LAPIC_IRR + l->offered / 32)
		return mhi_load32(&l->reg[reg]) | mhi_irq_bit(l->offered);
	return mhi_load32(&l->reg[reg]);
}

static void write_svr(struct mhi_lapic *l, u32 value)
{
	unsigned int i;

	mhi_store32(&l->reg[LAPIC_SVR], value);
	for (i = LAPIC_LVT; !(value & LAPIC_SVR_ENABLE) && mhi_is_lvt(i); i++)
		mhi_store32(&l->reg[i], l->reg[i] | LVT_MASKED);
}

static void write_reg(struct mhi_vcpu *v, u32 reg, u32 value)
{
	struct mhi_lapic *l = &v->lapic;

	/* SDM 3A 11.4.7.2: while software-disabled the mask bits cannot be cleared. */
	if (mhi_is_lvt(reg) && !(l->reg[LAPIC_SVR] & LAPIC_SVR_ENABLE))
		value |= LVT_MASKED;
	if (reg == LAPIC_DFR)
		value |= ~regs[LAPIC_DFR].bits;
	switch (reg) {
	case LAPIC_EOI:
		eoi(l);
		break;
	case LAPIC_SVR:
		write_svr(l, value);
		break;
	/* SDM 3A 11.5.3 "Error Handling": a write makes the collected errors readable */
	case LAPIC_ESR:
		l->reg[LAPIC_ESR] = mhi_xchg32(&l->esr_pending, 0);
		break;
	case LAPIC_ICR:
		l->reg[LAPIC_ICR] = value;
		mhi_lapic_send_icr(v);
		break;
	case LAPIC_LVT + LVT_TIMER:
		mhi_lapic_timer_set_lvt(v, value);
		break;
	case LAPIC_TIMER_INIT:
		mhi_lapic_timer_set_init(v, value);
		break;
	case LAPIC_TIMER_DIV:
		mhi_lapic_timer_set_div(v, value);
		break;
	case LAPIC_SELF_IPI:
		mhi_lapic_self_ipi(v, value);
		break;
	default:
		mhi_store32(&l->reg[reg], value);
		break;
	}
}

/* ---- access by the xAPIC page ---- */

/* The register of a page offset, or LAPIC_REGS; an offset without one is an error of the guest. */
static u32 page_reg(struct mhi_vcpu *v, u32 offset)
{
	u32 reg = offset >> 4;

	if ((v->lapic.base & LAPIC_BASE_MODE) != LAPIC_BASE_ENABLE)
		return LAPIC_REGS;
	if (reg < LAPIC_REGS && !(offset & 0xf)) {
		reg = (u32)mhi_index_nospec(reg, LAPIC_REGS);
		if (regs[reg].use && !(regs[reg].use & X2))
			return reg;
	}
	mhi_lapic_error(v, ESR_REGISTER, true);
	return LAPIC_REGS;
}

int mhi_lapic_read(struct mhi_vcpu *v, u32 offset, u32 *value)
{
	u32 reg = page_reg(v, offset);

	if (reg == LAPIC_REGS)
		return MHI_EINVAL;
	*value = read_reg(v, reg);
	return 0;
}

int mhi_lapic_write(struct mhi_vcpu *v, u32 offset, u32 value)
{
	u32 reg = page_reg(v, offset);

	if (reg == LAPIC_REGS)
		return MHI_EINVAL;
	if (regs[reg].use & (WR | X1_WR))
		write_reg(v, reg, value & regs[reg].bits);
	return 0;
}

/* ---- access by MSRs ---- */

static int x2_read(struct mhi_vcpu *v, u32 reg, u64 *value)
{
	if (!mhi_lapic_x2(&v->lapic) || reg >= LAPIC_REGS)
		return MHI_EINVAL;
	reg = (u32)mhi_index_nospec(reg, LAPIC_REGS);
	if ((regs[reg].use & (RD | X1)) != RD)
		return MHI_EINVAL;
	*value = read_reg(v, reg);
	if (reg == LAPIC_ICR)
		*value |= (u64)v->lapic.reg[LAPIC_ICR_HIGH] << 32;
	return 0;
}

static int x2_write(struct mhi_vcpu *v, u32 reg, u64 value)
{
	const struct reg *r;
	u64 allowed;

	if (!mhi_lapic_x2(&v->lapic) || reg >= LAPIC_REGS)
		return MHI_EINVAL;
	reg = (u32)mhi_index_nospec(reg, LAPIC_REGS);
	r = &regs[reg];
	allowed = r->bits | r->read_only;
	if (reg == LAPIC_ICR)
		allowed |= 0xffffffffull << 32;
	if ((r->use & (WR | X1)) != WR || (value & ~allowed))
		return MHI_EINVAL;
	if (reg == LAPIC_ICR)
		v->lapic.reg[LAPIC_ICR_HIGH] = (u32)(value >> 32);
	write_reg(v, reg, (u32)value & r->bits);
	return 0;
}

int mhi_lapic_rdmsr(struct mhi_vcpu *v, u32 index, u64 *value)
{
	if (index == MHI_MSR_TSC_DEADLINE)
		*value = mhi_lapic_timer_deadline(v);
	else if (index == MHI_MSR_APIC_BASE)
		*value = v->lapic.base;
	else
		return x2_read(v, index - MHI_MSR_X2APIC_FIRST, value);
	return 0;
}

int mhi_lapic_wrmsr(struct mhi_vcpu *v, u32 index, u64 value)
{
	if (index == MHI_MSR_APIC_BASE)
		return write_base(v, value);
	if (index != MHI_MSR_TSC_DEADLINE)
		return x2_write(v, index - MHI_MSR_X2APIC_FIRST, value);
	mhi_lapic_timer_set_deadline(v, value);
	return 0;
}

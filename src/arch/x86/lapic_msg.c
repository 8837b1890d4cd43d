// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Interrupt messages: whom an IPI or an MSI addresses, and what its arrival does to the target. */
#include "arch/x86/lapic_int.h"

/* SDM 3A 11.6.1 "Interrupt Command Register (ICR)". */
#define ICR_MODE(icr) (((icr) >> 8) & 7)
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_SHORTHAND(icr) (((icr) >> 18) & 3)
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

/* SDM 3A 11.11 "Message Signalled Interrupts": address and data. */
#define MSI_IS_APIC(addr) (((addr) >> 20) == 0xfee)
#define MSI_DEST(addr) ((u32)((addr) >> 12) & 0xff)
#define MSI_LOGICAL MHI_BIT(2)
#define MSI_REDIRECT MHI_BIT(3)

/* Destinations: SDM 3A 11.6.2 "Determining IPI Destination". */
#define DEST_ALL_X1 0xffu
#define DEST_ALL_X2 0xffffffffu
#define DFR_FLAT 0xfu
#define CLUSTER_ALL 0xfu

struct msg {
	struct mhi_vm *vm;
	struct mhi_vcpu *own; /* the vCPU on whose thread we are; NULL: none */
	u32 dest;
	u32 broadcast; /* the dest that means all */
	u32 vector;
	u32 mode; /* enum mhi_apic_dm */
	u32 shorthand;
	bool logical;
	bool level; /* level-triggered */
	bool one;   /* lowest priority or redirected: just one of the addressed takes it */
};

/* ---- arrival ---- */

/* In ICR, in LVT entries and in the data of an MSI. */
static u32 vector_of(u32 value)
{
	return value & 0xff;
}

static void set_trigger(struct mhi_lapic *l, u32 vector, bool level)
{
	u32 *tmr = mhi_irq_word(l, LAPIC_TMR, vector);
	bool was = (mhi_load32(tmr) & mhi_irq_bit(vector)) != 0;

	if (level && !was)
		mhi_fetch_or32(tmr, mhi_irq_bit(vector));
	else if (!level && was)
		mhi_fetch_and32(tmr, ~mhi_irq_bit(vector));
}

void mhi_lapic_post(struct mhi_vcpu *t, u32 vector, bool level, bool own)
{
	struct mhi_lapic *l = &t->lapic;
	u32 old;

	if (vector < LAPIC_FIRST_VECTOR) {
		mhi_lapic_error(t, ESR_RECEIVE_VECTOR, own);
		return;
	}
	/* Before IRR: the EOI of this interrupt looks at it. */
	set_trigger(l, vector, level);
	old = mhi_fetch_or32(mhi_irq_word(l, LAPIC_IRR, vector), mhi_irq_bit(vector));
	/* Whoever has set the bit before us kicks. */
	if (!own && !(old & mhi_irq_bit(vector)))
		mhi_host_kick(t);
}

void mhi_lapic_error(struct mhi_vcpu *t, u32 bits, bool own)
{
	u32 lvt = mhi_load32(&t->lapic.reg[LAPIC_LVT + LVT_ERROR]);

	/*
	 * An error interrupt with an illegal vector is one more error, but not one more
	 * interrupt.
	 */
	if (!(lvt & LVT_MASKED) && vector_of(lvt) < LAPIC_FIRST_VECTOR)
		bits |= ESR_RECEIVE_VECTOR;
	mhi_fetch_or32(&t->lapic.esr_pending, bits);
	if (!(lvt & LVT_MASKED) && vector_of(lvt) >= LAPIC_FIRST_VECTOR)
		mhi_lapic_post(t, vector_of(lvt), false, own);
}

static void signal_vcpu(struct mhi_vcpu *t, u32 signal)
{
	mhi_fetch_or32(&t->lapic.signals, signal);
	mhi_host_kick(t);
}

void mhi_lapic_lvt_fire(struct mhi_vcpu *v, enum mhi_lvt n)
{
	u32 lvt = v->lapic.reg[LAPIC_LVT + n];

	if (!(lvt & LVT_MASKED))
		mhi_lapic_post(v, vector_of(lvt), false, true);
}

static bool enabled(const struct mhi_vcpu *t)
{
	return (mhi_load64(&t->lapic.base) & LAPIC_BASE_ENABLE) != 0;
}

/* Software-disabled APICs take only INIT, NMI, SMI and SIPI: SDM 3A 11.4.7.2. */
static bool takes_fixed(const struct mhi_vcpu *t)
{
	return enabled(t) && (mhi_load32(&t->lapic.reg[LAPIC_SVR]) & LAPIC_SVR_ENABLE);
}

static void arrive_sipi(struct mhi_vcpu *t, u32 vector)
{
	/* One that is still pending stays as it is: SIPIs do not queue. */
	if (mhi_load32(&t->lapic.signals) & MHI_SIG_SIPI)
		return;
	mhi_store32(&t->lapic.sipi_vector, vector);
	signal_vcpu(t, MHI_SIG_SIPI);
}

static bool arrive(struct mhi_vcpu *t, const struct msg *m)
{
	if (!enabled(t))
		return false;
	switch (m->mode) {
	case DM_FIXED:
	case DM_LOWEST:
		if (!takes_fixed(t))
			return false;
		mhi_lapic_post(t, m->vector, m->level, t == m->own);
		return true;
	case DM_NMI:
		signal_vcpu(t, MHI_SIG_NMI);
		return true;
	case DM_INIT:
		/* A SIPI that was not taken until now is none: SDM 3A 9.4. */
		mhi_fetch_and32(&t->lapic.signals, ~MHI_SIG_SIPI);
		signal_vcpu(t, MHI_SIG_INIT);
		return true;
	case DM_SIPI:
		arrive_sipi(t, m->vector);
		return true;
	default: /* there is no SMM, and no external interrupt controller to ask */
		return false;
	}
}

/* ---- destinations ---- */

/*
 * SDM 3A 11.6.2.2 "Logical Destination Mode"; for x2APIC 11.12.10.1 "Logical Destination Mode in
 * x2APIC Mode".
 */
static bool logical_match(const struct mhi_vcpu *t, u32 dest)
{
	u32 ldr = mhi_load32(&t->lapic.reg[LAPIC_LDR]);

	if (mhi_lapic_x2(&t->lapic))
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	ldr >>= 24;
	if (mhi_load32(&t->lapic.reg[LAPIC_DFR]) >> 28 == DFR_FLAT)
		return (ldr & dest & 0xff) != 0;
	if ((dest >> 4 & 0xf) != CLUSTER_ALL && (dest ^ ldr) & 0xf0)
		return false;
	return (ldr & dest & 0xf) != 0;
}

static bool addressed(const struct msg *m, const struct mhi_vcpu *t)
{
	/*
	 * INIT and SIPI never reach their sender by shorthand: SDM 3A 11.6.1, valid combinations.
	 */
	bool not_self = m->mode == DM_INIT || m->mode == DM_SIPI;

	switch (m->shorthand) {
	case SHORTHAND_SELF:
		return t == m->own && !not_self;
	case SHORTHAND_ALL:
		return t != m->own || !not_self;
	case SHORTHAND_OTHERS:
		return t != m->own;
	default:
		if (m->dest == m->broadcast)
			return true;
		return m->logical ? logical_match(t, m->dest) : t->apic_id == m->dest;
	}
}

/* Fills target[MHK_MAX_VCPUS] and returns their number. The usual message just names one. */
static u32 find_targets(const struct msg *m, struct mhi_vcpu **target)
{
	bool named = !m->shorthand && !m->logical && m->dest != m->broadcast;
	u32 id = named ? m->dest : 0, found = 0;

	for (; id < MHK_MAX_VCPUS; id++) {
		struct mhi_vcpu *t =
			mhi_load_ptr(&m->vm->vcpu[mhi_index_nospec(id, MHK_MAX_VCPUS)]);

		if (t && addressed(m, t) && (!m->one || takes_fixed(t)))
			target[found++] = t;
		if (named)
			break;
	}
	return found;
}

static unsigned int deliver(const struct msg *m)
{
	struct mhi_vcpu *target[MHK_MAX_VCPUS];
	u32 found = find_targets(m, target), i;
	unsigned int count = 0;

	/*
	 * Of several, the vector picks one: all interrupts of a source go to one vCPU, and sources
	 * spread. The specification leaves the arbitration to the model (SDM 3A 11.6.2.4 "Lowest
	 * Priority Delivery Mode").
	 */
	if (m->one)
		return found && arrive(target[m->vector % found], m);
	for (i = 0; i < found; i++)
		count += arrive(target[i], m);
	return count;
}

/* ---- senders ---- */

void mhi_lapic_self_ipi(struct mhi_vcpu *v, u32 vector)
{
	if (vector < LAPIC_FIRST_VECTOR)
		mhi_lapic_error(v, ESR_SEND_VECTOR, true);
	if (v->lapic.reg[LAPIC_SVR] & LAPIC_SVR_ENABLE)
		mhi_lapic_post(v, vector, false, true);
}

void mhi_lapic_send_icr(struct mhi_vcpu *v)
{
	u32 icr = v->lapic.reg[LAPIC_ICR], high = v->lapic.reg[LAPIC_ICR_HIGH];
	bool x2 = mhi_lapic_x2(&v->lapic);
	struct msg m = {
		.vm = v->vm,
		.own = v,
		.dest = x2 ? high : high >> 24,
		.broadcast = x2 ? DEST_ALL_X2 : DEST_ALL_X1,
		.vector = vector_of(icr),
		.mode = ICR_MODE(icr),
		.shorthand = ICR_SHORTHAND(icr),
		.logical = (icr & ICR_LOGICAL) != 0,
		.one = ICR_MODE(icr) == DM_LOWEST,
	};

	/*
	 * IPIs are edge-triggered; only for INIT the bit tells the de-assert, which nobody
	 * takes.
	 */
	if (m.mode == DM_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
		return;
	if (m.mode <= DM_LOWEST && m.vector < LAPIC_FIRST_VECTOR) {
		mhi_lapic_error(v, ESR_SEND_VECTOR, true);
		return;
	}
	deliver(&m);
}

unsigned int mhi_lapic_msi(struct mhi_vm *vm, u64 addr, u32 data)
{
	struct msg m = {
		.vm = vm,
		.dest = MSI_DEST(addr),
		.broadcast = DEST_ALL_X1,
		.vector = vector_of(data),
		.mode = ICR_MODE(data),
		.logical = (addr & MSI_LOGICAL) != 0,
		.level = (data & ICR_LEVEL) != 0,
		.one = ICR_MODE(data) == DM_LOWEST,
	};

	if (!MSI_IS_APIC(addr))
		return 0;
	/* The end of a level is no event. */
	if (m.level && !(data & ICR_ASSERT))
		return 0;
	if ((addr & MSI_REDIRECT) && m.mode == DM_FIXED)
		m.one = true;
	return deliver(&m);
}

/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* What the local APIC's files share: register numbers and bits, and calls between them. */
#ifndef MHI_ARCH_LAPIC_INT_H
#define MHI_ARCH_LAPIC_INT_H

#include "arch/x86/vcpu.h"
#include "base/atomic.h"
#include "base/checked.h"

/*
 * Registers by offset >> 4 in the xAPIC page, which is the MSR's number less 0x800: SDM 3A 11.4.1
 * "The Local APIC Block Diagram", 11.12.1.2 "x2APIC Register Address Space".
 */
enum mhi_apic_reg {
	LAPIC_ID = 0x02,
	LAPIC_VERSION = 0x03,
	LAPIC_TPR = MHI_LAPIC_TPR,
	LAPIC_PPR = 0x0a,
	LAPIC_EOI = 0x0b,
	LAPIC_LDR = 0x0d,
	LAPIC_DFR = 0x0e,
	LAPIC_SVR = 0x0f,
	LAPIC_ISR = 0x10,
	LAPIC_TMR = 0x18,
	LAPIC_IRR = 0x20,
	LAPIC_ESR = 0x28,
	LAPIC_ICR = 0x30,
	LAPIC_ICR_HIGH = 0x31,
	LAPIC_LVT = 0x32,
	LAPIC_TIMER_INIT = 0x38,
	LAPIC_TIMER_CURRENT = 0x39,
	LAPIC_TIMER_DIV = 0x3e,
	LAPIC_SELF_IPI = 0x3f,
	LAPIC_REGS = MHI_LAPIC_REGS
};

/* IA32_APIC_BASE: SDM 3A 11.4.3 "Enabling or Disabling the Local APIC", 11.12.1. */
#define LAPIC_BASE_X2APIC MHI_BIT(10)
#define LAPIC_BASE_ENABLE MHI_BIT(11)
#define LAPIC_BASE_MODE (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)

#define LAPIC_SVR_ENABLE (1u << 8)

enum mhi_lvt { LVT_TIMER, LVT_THERMAL, LVT_PMC, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };
#define LVT_MASKED (1u << 16)

/* Delivery modes: SDM 3A 11.5.1 "Local Vector Table", 11.6.1 "Interrupt Command Register". */
enum mhi_apic_dm { DM_FIXED, DM_LOWEST, DM_SMI, DM_RESERVED, DM_NMI, DM_INIT, DM_SIPI, DM_EXTINT };

/* SDM 3A 11.5.3 "Error Handling": bits of ESR. */
#define ESR_SEND_VECTOR (1u << 5)
#define ESR_RECEIVE_VECTOR (1u << 6)
#define ESR_REGISTER (1u << 7)

/* Vectors below are never delivered by a local APIC: SDM 3A 11.5.2 "Valid Interrupt Vectors". */
#define LAPIC_FIRST_VECTOR 16

static inline bool mhi_is_lvt(u32 reg)
{
	return reg - LAPIC_LVT < LVT_COUNT;
}

/* Of the 8 words that begin at register `first`, the one with the vector's bit. */
static inline u32 *mhi_irq_word(struct mhi_lapic *l, enum mhi_apic_reg first, u32 vector)
{
	return &l->reg[first + vector / 32 % 8];
}

static inline u32 mhi_irq_bit(u32 vector)
{
	return 1u << vector % 32;
}

static inline bool mhi_lapic_x2(const struct mhi_lapic *l)
{
	return (mhi_load64(&l->base) & LAPIC_BASE_MODE) == LAPIC_BASE_MODE;
}

/*
 * Request an interrupt of t. own: t's thread calls, so nobody needs to be kicked; it looks at IRR
 * before it enters the guest.
 */
void mhi_lapic_post(struct mhi_vcpu *t, u32 vector, bool level, bool own);
/* Record errors in t's ESR, and raise its error interrupt. */
void mhi_lapic_error(struct mhi_vcpu *t, u32 bits, bool own);
/* A local source fires: deliver what its LVT entry says. On v's thread. */
void mhi_lapic_lvt_fire(struct mhi_vcpu *v, enum mhi_lvt n);
/* Send the IPI in ICR. On v's thread. */
void mhi_lapic_send_icr(struct mhi_vcpu *v);
void mhi_lapic_self_ipi(struct mhi_vcpu *v, u32 vector);

/* The timer's registers. On v's thread. */
void mhi_lapic_timer_set_init(struct mhi_vcpu *v, u32 init);
void mhi_lapic_timer_set_div(struct mhi_vcpu *v, u32 div);
void mhi_lapic_timer_set_lvt(struct mhi_vcpu *v, u32 lvt);
void mhi_lapic_timer_set_deadline(struct mhi_vcpu *v, u64 tsc);
u32 mhi_lapic_timer_current(struct mhi_vcpu *v);
u64 mhi_lapic_timer_deadline(struct mhi_vcpu *v);

#endif

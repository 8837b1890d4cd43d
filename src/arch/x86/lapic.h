/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The local APIC: xAPIC and x2APIC registers, priorities, IPIs and the timer (SDM 3A 11 "Advanced
 * Programmable Interrupt Controller"). Lock-free: other threads only set bits in irr and signals
 * and then kick; everything else belongs to the vCPU's thread.
 */
#ifndef MHI_ARCH_LAPIC_H
#define MHI_ARCH_LAPIC_H

#include "base/types.h"

struct mhi_vcpu;
struct mhi_vm;

/* Bits of mhi_lapic.signals. */
#define MHI_SIG_INIT (1u << 0)
#define MHI_SIG_SIPI (1u << 1)
#define MHI_SIG_NMI (1u << 2)
#define MHI_SIG_TIMER (1u << 3)

#define MHI_LAPIC_REGS 0x40

/*
 * Legend: (c) constant, (v) only the vCPU's thread, (a) atomic, any thread, (r) written by the
 * vCPU's thread with release order, read by senders.
 */
struct mhi_lapic {
	u64 base; /* (r) IA32_APIC_BASE */
	/*
	 * By number, in the format of the current mode. IRR (without the offered vector) and TMR:
	 * (a). LDR, DFR, SVR, LVT: (r). PPR and the timer's current count are computed. Others:
	 * (v).
	 */
	u32 reg[MHI_LAPIC_REGS];
	u32 offered;	  /* (v) vector taken out of IRR to be delivered; 0 = none */
	u32 isr_top;	  /* (v) highest vector in ISR; 0 = none */
	u32 signals;	  /* (a) MHI_SIG_* */
	u32 sipi_vector;  /* (a) */
	u32 esr_pending;  /* (a) errors since the last write of ESR */
	u64 tsc_deadline; /* (v) guest TSC of the next expiry in every timer mode; 0 = disarmed */
	bool host_timer;  /* (v) the host's timer may still fire */
	bool x2apic_ok;	  /* (c) CPUID offers x2APIC */
	bool eoi_pending; /* (v) a level-triggered vector has been ended */
	u32 eoi_vector;	  /* (v) valid when eoi_pending: its EOI is for user space */
};

/*
 * The timer counts every second tick of the guest's TSC: nothing is rounded, and its rate in Hz
 * fits CPUID's 32 bits.
 */
#define MHI_LAPIC_TICK_SHIFT 1

#define MHI_LAPIC_TPR 0x08 /* its place in reg[] */

static inline u64 mhi_lapic_cr8(const struct mhi_lapic *l)
{
	return l->reg[MHI_LAPIC_TPR] >> 4;
}

/*
 * Power-up, or INIT, which keeps APIC_BASE and signals that arrived meanwhile. x2apic_ok is kept.
 * On the vCPU's thread.
 */
void mhi_lapic_reset(struct mhi_vcpu *v, bool init);
void mhi_lapic_timer_stop(struct mhi_vcpu *v); /* also before the vCPU is freed */

/*
 * One register by its offset in the xAPIC page. 0; MHI_EINVAL: no such register, or not in xAPIC
 * mode. Writes to read-only registers are ignored.
 */
int mhi_lapic_read(struct mhi_vcpu *v, u32 offset, u32 *value);
int mhi_lapic_write(struct mhi_vcpu *v, u32 offset, u32 value);
/* MSRs 0x800-0x83f, APIC_BASE, TSC_DEADLINE. 0; MHI_EINVAL: #GP. */
int mhi_lapic_rdmsr(struct mhi_vcpu *v, u32 index, u64 *value);
int mhi_lapic_wrmsr(struct mhi_vcpu *v, u32 index, u64 value);
void mhi_lapic_set_cr8(struct mhi_vcpu *v, u64 cr8);

/*
 * Highest vector that may be delivered now (priority above PPR), or -1. The vector moves from IRR
 * to `offered`, and back by a later call if it was not accepted: so an edge of the same vector
 * that comes after the guest took the interrupt, but before mhi_lapic_accept, is not lost.
 */
int mhi_lapic_pending(struct mhi_vcpu *v);
/* The guest took what mhi_lapic_pending returned: it is in service now. */
void mhi_lapic_accept(struct mhi_vcpu *v, unsigned int vector);
/*
 * Is there anything that ends a HLT: a deliverable interrupt, NMI, INIT, SIPI, an expired timer?
 * On the vCPU's thread; RFLAGS.IF is the caller's business.
 */
bool mhi_lapic_has_work(struct mhi_vcpu *v);
/* The armed time is over: sets MHI_SIG_TIMER, kicks; timer_sync does the rest. Any context. */
void mhi_lapic_timer_fired(struct mhi_vcpu *v);
/*
 * Turn MHI_SIG_TIMER into an interrupt, re-arm a periodic timer. On the vCPU's thread, before
 * mhi_lapic_pending.
 */
void mhi_lapic_timer_sync(struct mhi_vcpu *v);
/* The VM's TSC, now. Any thread. */
u64 mhi_guest_tsc(const struct mhi_vm *vm);
/* Before a HLT: an expiry so near that sleeping would take longer is waited for. As timer_sync. */
void mhi_lapic_timer_near(struct mhi_vcpu *v);

/* Deliver a message-signalled interrupt. Any thread. Returns how many local APICs took it. */
unsigned int mhi_lapic_msi(struct mhi_vm *vm, u64 addr, u32 data);

#endif

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

/* Legend: (v) only the vCPU's thread, (a) atomic, any thread. */
struct mhi_lapic {
	u64 base;	 /* (v) IA32_APIC_BASE; other threads read its mode bits atomically */
	u32 irr[8];	 /* (a) requested */
	u32 tmr[8];	 /* (a) level-triggered */
	u32 isr[8];	 /* (v) in service */
	u32 signals;	 /* (a) MHI_SIG_* */
	u32 sipi_vector; /* (a) */
	u32 ldr, dfr;	 /* (v) written, (a) read by senders */
	u32 svr, tpr, esr, esr_pending;
	u32 lvt[6];		   /* (v) timer, thermal, pmc, lint0, lint1, error */
	u32 icr_lo, icr_hi;	   /* (v) */
	u32 timer_init, timer_div; /* (v) */
	u64 timer_start;	   /* (v) guest TSC when the count began */
	u64 tsc_deadline;	   /* (v) guest TSC, 0 = disarmed */
	bool x2apic_ok;		   /* (c) CPUID offers x2APIC */
	u32 eoi_vector; /* (v) level vector whose EOI user space must hear about; valid when eoi_pending */
	bool eoi_pending; /* (v) */
};

#define MHI_LAPIC_TIMER_HZ 1000000000ull /* count rate of the timer before its divider */

void mhi_lapic_reset(struct mhi_vcpu *v,
		     bool init); /* power-up, or INIT (keeps APIC_BASE's enable) */
void mhi_lapic_fini(struct mhi_vcpu *v);

/* One register by its xAPIC page offset. 0; MHI_EINVAL: no such register (x2APIC: #GP). */
int mhi_lapic_read(struct mhi_vcpu *v, u32 offset, u32 *value);
int mhi_lapic_write(struct mhi_vcpu *v, u32 offset, u32 value);
/* MSRs 0x800-0x83f, APIC_BASE, TSC_DEADLINE. 0; MHI_EINVAL: #GP. */
int mhi_lapic_rdmsr(struct mhi_vcpu *v, u32 index, u64 *value);
int mhi_lapic_wrmsr(struct mhi_vcpu *v, u32 index, u64 value);
u64 mhi_lapic_cr8(const struct mhi_vcpu *v);
void mhi_lapic_set_cr8(struct mhi_vcpu *v, u64 cr8);

/* Highest vector that may be delivered now (priority above PPR), or -1. */
int mhi_lapic_pending(struct mhi_vcpu *v);
/* The guest took it: IRR -> ISR. */
void mhi_lapic_accept(struct mhi_vcpu *v, unsigned int vector);
/* Is there anything that ends a HLT (interrupt deliverable, NMI, INIT, SIPI, timer expired)? Any thread may be asked to wake it; called by its own. */
bool mhi_lapic_has_work(struct mhi_vcpu *v);
/* The armed time is over. Any context: sets MHI_SIG_TIMER, the vCPU's thread does the rest on its next look. */
void mhi_lapic_timer_fired(struct mhi_vcpu *v);
/* Turn MHI_SIG_TIMER into an interrupt, re-arm a periodic timer. On the vCPU's thread, before mhi_lapic_pending. */
void mhi_lapic_timer_sync(struct mhi_vcpu *v);

/* Deliver a message-signalled interrupt to all that it addresses. Any thread. Returns how many took it. */
unsigned int mhi_lapic_msi(struct mhi_vm *vm, u64 addr, u32 data);

#endif

// SPDX-License-Identifier: MIT
/* The fake host of vCPUs. */
#include "host.h"
#include "x86_insn.h"

struct fake_host fake_host[MHK_MAX_VCPUS];

void mhi_host_kick(struct mhi_vcpu *v)
{
	/* From any thread. */
	__atomic_add_fetch(&fake_host[v->apic_id].kicks, 1, __ATOMIC_RELAXED);
}

void mhi_host_timer_set(struct mhi_vcpu *v, u64 ticks)
{
	fake_host[v->apic_id].armed = true;
	fake_host[v->apic_id].deadline = fake_tsc + ticks;
	fake_host[v->apic_id].sets++;
}

void mhi_host_timer_cancel(struct mhi_vcpu *v)
{
	fake_host[v->apic_id].armed = false;
	fake_host[v->apic_id].cancels++;
}

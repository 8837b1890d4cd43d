/* SPDX-License-Identifier: MIT */
/* A VM of a few vCPUs with enabled local APICs, for the tests of lapic*.c. */
#ifndef TESTS_LAPIC_VM_H
#define TESTS_LAPIC_VM_H

#include "unit.h"
#include "host.h"
#include "x86_insn.h"
#include "base/x86.h"

#define X1_MODE 0x800ull
#define X2_MODE 0xc00ull
#define MODE_BITS 0xc00ull
#define MSR_X2(reg) (0x800u + (reg))

/* Page offsets: SDM 3A 11.4.1 "The Local APIC Block Diagram", table of the address map. */
#define O_ID 0x20u
#define O_VERSION 0x30u
#define O_TPR 0x80u
#define O_PPR 0xa0u
#define O_EOI 0xb0u
#define O_LDR 0xd0u
#define O_DFR 0xe0u
#define O_SVR 0xf0u
#define O_ISR 0x100u
#define O_TMR 0x180u
#define O_IRR 0x200u
#define O_ESR 0x280u
#define O_ICR 0x300u
#define O_ICR_HIGH 0x310u
#define O_TIMER 0x320u
#define O_THERMAL 0x330u
#define O_PMC 0x340u
#define O_LINT0 0x350u
#define O_LINT1 0x360u
#define O_ERROR 0x370u
#define O_INIT 0x380u
#define O_CURRENT 0x390u
#define O_DIV 0x3e0u

#define VCPUS 40

static struct mhi_vm vm;
static struct mhi_vcpu vcpus[VCPUS];
#define V(n) (&vcpus[n])

static inline u32 rd(struct mhi_vcpu *v, u32 offset)
{
	u32 value = 0xdead;

	ck_assert_int_eq(mhi_lapic_read(v, offset, &value), 0);
	return value;
}

static inline void wr(struct mhi_vcpu *v, u32 offset, u32 value)
{
	ck_assert_int_eq(mhi_lapic_write(v, offset, value), 0);
}

static inline u64 rdmsr(struct mhi_vcpu *v, u32 index)
{
	u64 value = 0xdead;

	ck_assert_int_eq(mhi_lapic_rdmsr(v, index, &value), 0);
	return value;
}

static inline void wrmsr(struct mhi_vcpu *v, u32 index, u64 value)
{
	ck_assert_int_eq(mhi_lapic_wrmsr(v, index, value), 0);
}

static inline void set_mode(struct mhi_vcpu *v, u64 mode)
{
	wrmsr(v, MHI_MSR_APIC_BASE, (v->lapic.base & ~MODE_BITS) | mode);
}

/* A 2 GHz TSC; the guest's is 1000000 ahead of the host's, which stands at 5000. */
static inline void begin(unsigned int n)
{
	unsigned int i;

	memset(&vm, 0, sizeof(vm));
	memset(vcpus, 0, sizeof(vcpus));
	memset(fake_host, 0, sizeof(fake_host));
	vm.caps.phys_bits = 40;
	vm.tsc_offset = 1000000;
	fake_tsc = 5000;
	for (i = 0; i < n; i++) {
		vcpus[i].vm = &vm;
		vcpus[i].apic_id = i;
		vcpus[i].lapic.x2apic_ok = true;
		mhi_lapic_reset(&vcpus[i], false);
		wr(&vcpus[i], O_SVR, 0x1ff);
		vm.vcpu[i] = &vcpus[i];
	}
}

static inline void all_x2(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		set_mode(&vcpus[i], X2_MODE);
}

static inline bool requested(struct mhi_vcpu *v, u32 vector)
{
	return v->lapic.reg[0x20 + vector / 32] >> vector % 32 & 1;
}

/* An interrupt from elsewhere. */
static inline void raise_irq(struct mhi_vcpu *v, u32 vector, bool level)
{
	u32 data = vector | (level ? 0xc000 : 0);

	ck_assert_uint_eq(mhi_lapic_msi(&vm, 0xfee00000 | v->apic_id << 12, data), 1);
}

#endif

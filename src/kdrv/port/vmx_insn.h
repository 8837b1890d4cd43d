/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Instructions that only the VMX back end uses, for the kernel build: VMX itself, and the host's
 * segment and descriptor registers, which a VM exit leaves changed.
 *
 * The VMX instructions return 0, or one of MHI_VMX_* (SDM 3C 30.2 "Conventions").
 */
#ifndef MHI_PORT_VMX_INSN_H
#define MHI_PORT_VMX_INSN_H

#include <linux/smp.h>
#include <asm/asm.h>
#include <asm/desc.h>
#include <asm/segment.h>
#include "mhi_port.h"

#define MHI_VMX_INVALID 1 /* VMfailInvalid: CF; no current VMCS to hold an error number */
#define MHI_VMX_VALID 2	  /* VMfailValid: ZF; the error number is in the current VMCS */
#define MHI_VMX_FAULT 3	  /* the instruction raised an exception */

struct mhi_dtr {
	u16 limit;
	u64 base;
} __attribute__((packed));

#define MHI_VMX_OUTCOME(carry, zero) ((carry) ? MHI_VMX_INVALID : (zero) ? MHI_VMX_VALID : 0)

/*
 * Faults when firmware or another feature forbids VMX operation; such a CPU is an error, not an
 * oops.
 */
/* clang-format off */
static inline int mhi_vmxon(u64 pa)
{
	asm goto("1: vmxon %[pa]\n\t"
		 "jbe %l[invalid]\n\t"
		 _ASM_EXTABLE(1b, %l[fault])
		 :
		 : [pa] "m"(pa)
		 : "cc", "memory"
		 : invalid, fault);
	return 0;
invalid:
	return MHI_VMX_INVALID;
fault:
	return MHI_VMX_FAULT;
}
/* clang-format on */

static inline int mhi_vmxoff(void)
{
	bool carry, zero;

	asm volatile("vmxoff" : "=@ccc"(carry), "=@ccz"(zero) : : "memory");
	return MHI_VMX_OUTCOME(carry, zero);
}

/* VMCLEAR and VMPTRLD: the operand is the address of an address. */
#define MHI_VMX_INSN_PA(insn)                                                                   \
	static inline int mhi_##insn(u64 pa)                                                    \
	{                                                                                       \
		bool carry, zero;                                                               \
		asm volatile(#insn " %2" : "=@ccc"(carry), "=@ccz"(zero) : "m"(pa) : "memory"); \
		return MHI_VMX_OUTCOME(carry, zero);                                            \
	}

MHI_VMX_INSN_PA(vmclear)
MHI_VMX_INSN_PA(vmptrld)
#undef MHI_VMX_INSN_PA

/*
 * True on failure; *value is then undefined. One flag is enough: these two run several times per
 * exit.
 */
static inline bool mhi_vmread(u32 field, u64 *value)
{
	bool failed;

	asm volatile("vmread %2, %1" : "=@ccbe"(failed), "=rm"(*value) : "r"((u64)field));
	return failed;
}

static inline bool mhi_vmwrite(u32 field, u64 value)
{
	bool failed;

	asm volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "rm"(value), "r"((u64)field) : "memory");
	return failed;
}

/* INVEPT takes an EPTP and 0, INVVPID a VPID and a linear address. */
#define MHI_VMX_INVALIDATE(insn)                                      \
	static inline int mhi_##insn(u64 type, u64 first, u64 second) \
	{                                                             \
		struct {                                              \
			u64 first, second;                            \
		} desc = { first, second };                           \
		bool carry, zero;                                     \
		asm volatile(#insn " %2, %3"                          \
			     : "=@ccc"(carry), "=@ccz"(zero)          \
			     : "m"(desc), "r"(type)                   \
			     : "memory");                             \
		return MHI_VMX_OUTCOME(carry, zero);                  \
	}

MHI_VMX_INVALIDATE(invept)
MHI_VMX_INVALIDATE(invvpid)
#undef MHI_VMX_INVALIDATE

#define MHI_DTR_INSN(insn, operand)                      \
	static inline void mhi_##insn(struct mhi_dtr *d) \
	{                                                \
		asm volatile(#insn " %0" : operand(*d)); \
	}

MHI_DTR_INSN(sgdt, "=m")
MHI_DTR_INSN(sidt, "=m")
MHI_DTR_INSN(lgdt, : "m")
MHI_DTR_INSN(lidt, : "m")
#undef MHI_DTR_INSN

static inline void mhi_lldt(u16 sel)
{
	asm volatile("lldt %0" : : "r"(sel));
}

#define MHI_SEL_READ(name, insn)                      \
	static inline u16 mhi_##name(void)            \
	{                                             \
		u16 sel;                              \
		asm volatile(insn " %0" : "=r"(sel)); \
		return sel;                           \
	}

MHI_SEL_READ(str, "str")
MHI_SEL_READ(sldt, "sldt")
MHI_SEL_READ(read_cs, "mov %%cs,")
MHI_SEL_READ(read_ss, "mov %%ss,")
MHI_SEL_READ(read_ds, "mov %%ds,")
MHI_SEL_READ(read_es, "mov %%es,")
MHI_SEL_READ(read_fs, "mov %%fs,")
MHI_SEL_READ(read_gs, "mov %%gs,")
#undef MHI_SEL_READ

/*
 * A user selector may have become invalid since: it then loads as null, as the kernel's own switch
 * does.
 */
#define MHI_SEG_LOAD(seg)                          \
	static inline void mhi_load_##seg(u16 sel) \
	{                                          \
		loadsegment(seg, sel);             \
	}

MHI_SEG_LOAD(ds)
MHI_SEG_LOAD(es)
MHI_SEG_LOAD(fs) /* changes the FS base too */
#undef MHI_SEG_LOAD

/*
 * Load GS without losing the kernel's GS base. Between the two SWAPGS an NMI finds a state that it
 * knows: a user GS base active, which is `base`, the kernel's in KERNEL_GS_BASE. The latter is
 * changed by this. A guest's base may be negative, as the kernel's: NMIs tell them apart by that.
 */
/* clang-format off */
static inline void mhi_load_gs(u16 sel, u64 base)
{
	u32 value = sel;

	mhi_wrmsr(MHI_MSR_KERNEL_GS_BASE, base);
	asm volatile("swapgs\n\t"
		     "1: movl %k0, %%gs\n\t"
		     "swapgs\n\t"
		     _ASM_EXTABLE_TYPE_REG(1b, 1b, EX_TYPE_ZERO_REG, %k0)
		     : "+r"(value)
		     :
		     : "memory");
}
/* clang-format on */

/*
 * Give TR its limit back, by loading it again: only so does the I/O permission bitmap of user tasks
 * work afterwards. The descriptor must not be busy, and LTR writes to the table: so it is done
 * through the writable alias of the GDT. Leaves GDTR at that alias: the caller loads the right one.
 */
static inline void mhi_reload_tr(u16 sel)
{
	u8 *gdt = (u8 *)get_cpu_gdt_rw(raw_smp_processor_id());
	struct mhi_dtr alias = { .limit = GDT_SIZE - 1, .base = (u64)(unsigned long)gdt };

	gdt[(sel & ~7u) + 5] &= (u8)~2u; /* type: busy TSS -> available TSS */
	mhi_lgdt(&alias);
	asm volatile("ltr %0" : : "r"(sel) : "memory");
}

/* Take the host's NMI that ended the guest's run. IRET unblocks NMIs. */
static inline void mhi_reraise_nmi(void)
{
	asm volatile("int $2" : : : "memory");
}

#endif

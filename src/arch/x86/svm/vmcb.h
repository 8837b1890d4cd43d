/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The layout of the virtual machine control block: APM 2 appendix B "VMCB Layout", tables B-1
 * "VMCB Layout, Control Area" and B-2 "VMCB Layout, State Save Area". What the shim leaves 0 is
 * reserved here; vmcb_fields_rest.def has it. tests/unit/test_svm_vmcb.c checks every offset.
 */
#ifndef MHI_SVM_VMCB_H
#define MHI_SVM_VMCB_H

#include "base/types.h"

/*
 * intercept_cr, intercept_dr: reads in the low half, writes in the high half, one bit per
 * register.
 */
#define MHI_SVM_WRITE(nr) (1u << (16 + (nr)))
#define MHI_SVM_ALL_DR 0xffffffffu

/* tlb_control, offset 05Ch */
#define MHI_SVM_TLB_NOTHING 0
#define MHI_SVM_TLB_FLUSH_ALL 1
#define MHI_SVM_TLB_FLUSH_ASID 3

/* virtual_intr, offset 060h */
#define MHI_SVM_V_IRQ MHI_BIT(8)
#define MHI_SVM_V_INTR_PRIO(p) ((u64)(p) << 16)
#define MHI_SVM_V_IGN_TPR MHI_BIT(20)
#define MHI_SVM_V_INTR_MASKING MHI_BIT(24)
#define MHI_SVM_V_INTR_VECTOR(n) ((u64)(n) << 32)

/* interrupt_shadow, offset 068h */
#define MHI_SVM_SHADOW MHI_BIT(0)

/* np_enable, offset 090h */
#define MHI_SVM_NP_ENABLE MHI_BIT(0)

/* vmcb_clean: APM 2 15.15.3 "VMCB Clean Field"; a set bit says that the group was not changed. */
#define MHI_SVM_CLEAN_I (1u << 0) /* intercepts, TSC offset, pause filter */
#define MHI_SVM_CLEAN_ASID (1u << 2)
#define MHI_SVM_CLEAN_TPR (1u << 3) /* virtual_intr */
#define MHI_SVM_CLEAN_NP (1u << 4)  /* nested paging: n_cr3, g_pat */
#define MHI_SVM_CLEAN_CRX (1u << 5) /* CR0, CR3, CR4, EFER */
#define MHI_SVM_CLEAN_DRX (1u << 6)
#define MHI_SVM_CLEAN_DT (1u << 7)
#define MHI_SVM_CLEAN_SEG (1u << 8) /* ES, CS, SS, DS, CPL */
#define MHI_SVM_CLEAN_CR2 (1u << 9)
#define MHI_SVM_CLEAN_ALL 0x1fffu

struct mhi_vmcb_control {
	u32 intercept_cr;
	u32 intercept_dr;
	u32 intercept_exceptions; /* one bit per vector */
	u32 intercept_misc1;
	u32 intercept_misc2;
	u32 intercept_misc3;
	u8 reserved_018[0x28];
	u64 iopm_base_pa;
	u64 msrpm_base_pa;
	u64 tsc_offset;
	u32 guest_asid;
	u8 tlb_control;
	u8 reserved_05d[3];
	u64 virtual_intr;
	u64 interrupt_shadow;
	u64 exit_code;
	u64 exit_info1;
	u64 exit_info2;
	u64 exit_int_info;
	u64 np_enable;
	u8 reserved_098[0x10];
	u64 event_inject;
	u64 n_cr3;
	u64 lbr_virtualization_enable;
	u32 vmcb_clean;
	u32 reserved_0c4;
	u64 next_rip;
	u8 bytes_fetched;
	u8 guest_instruction_bytes[15];
	u8 reserved_0e0[0x320];
} __attribute__((packed));

MHI_STATIC_ASSERT(sizeof(struct mhi_vmcb_control) == 0x400);

/*
 * attrib packs bits 55:52 and 47:40 of a descriptor: type 3:0, S 4, DPL 6:5, P 7, AVL 8, L 9, D/B
 * 10, G 11.
 */
#define MHI_SVM_SEG_DPL_SHIFT 5
#define MHI_SVM_SEG_P (1u << 7)
#define MHI_SVM_SEG_L (1u << 9)

struct mhi_vmcb_seg {
	u16 selector;
	u16 attrib;
	u32 limit; /* in bytes */
	u64 base;
} __attribute__((packed));

struct mhi_vmcb_state {
	struct mhi_vmcb_seg es, cs, ss, ds, fs, gs;
	struct mhi_vmcb_seg gdtr, ldtr, idtr, tr;
	u8 reserved_0a0[0x2b];
	u8 cpl;
	u32 reserved_0cc;
	u64 efer;
	u8 reserved_0d8[0x70];
	u64 cr4;
	u64 cr3;
	u64 cr0;
	u64 dr7;
	u64 dr6;
	u64 rflags;
	u64 rip;
	u8 reserved_180[0x58];
	u64 rsp;
	u8 reserved_1e0[0x18];
	u64 rax;
	u64 star;
	u64 lstar;
	u64 cstar;
	u64 sfmask;
	u64 kernel_gs_base;
	u64 sysenter_cs;
	u64 sysenter_esp;
	u64 sysenter_eip;
	u64 cr2;
	u8 reserved_248[0x20];
	u64 g_pat;
	u8 reserved_270[0x990];
} __attribute__((packed));

MHI_STATIC_ASSERT(sizeof(struct mhi_vmcb_seg) == 16);
MHI_STATIC_ASSERT(sizeof(struct mhi_vmcb_state) == 0xc00);

struct mhi_vmcb {
	struct mhi_vmcb_control control;
	struct mhi_vmcb_state state;
} __attribute__((packed, aligned(4096)));

MHI_STATIC_ASSERT(sizeof(struct mhi_vmcb) == 4096);

/* Say that fields of these groups were changed: the CPU reads them at the next VMRUN. */
static inline void mhi_vmcb_dirty(struct mhi_vmcb *vmcb, u32 groups)
{
	vmcb->control.vmcb_clean &= ~groups;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The layout of the virtual machine control block: APM 2 appendix B "VMCB Layout", tables B-1
 * "VMCB Layout, Control Area" and B-2 "VMCB Layout, State Save Area". Every offset is asserted.
 */
#ifndef MHI_SVM_VMCB_H
#define MHI_SVM_VMCB_H

#include "base/types.h"

/*
 * intercept_cr, intercept_dr: reads in the low half, writes in the high half, one bit per
 * register.
 */
#define MHI_SVM_READ(nr) (1u << (nr))
#define MHI_SVM_WRITE(nr) (1u << (16 + (nr)))

/* intercept_misc1, offset 00Ch */
#define MHI_SVM_I1_INTR (1u << 0)
#define MHI_SVM_I1_NMI (1u << 1)
#define MHI_SVM_I1_SMI (1u << 2)
#define MHI_SVM_I1_INIT (1u << 3)
#define MHI_SVM_I1_VINTR (1u << 4)
#define MHI_SVM_I1_CR0_SEL_WRITE (1u << 5)
#define MHI_SVM_I1_IDTR_READ (1u << 6)
#define MHI_SVM_I1_GDTR_READ (1u << 7)
#define MHI_SVM_I1_LDTR_READ (1u << 8)
#define MHI_SVM_I1_TR_READ (1u << 9)
#define MHI_SVM_I1_IDTR_WRITE (1u << 10)
#define MHI_SVM_I1_GDTR_WRITE (1u << 11)
#define MHI_SVM_I1_LDTR_WRITE (1u << 12)
#define MHI_SVM_I1_TR_WRITE (1u << 13)
#define MHI_SVM_I1_RDTSC (1u << 14)
#define MHI_SVM_I1_RDPMC (1u << 15)
#define MHI_SVM_I1_PUSHF (1u << 16)
#define MHI_SVM_I1_POPF (1u << 17)
#define MHI_SVM_I1_CPUID (1u << 18)
#define MHI_SVM_I1_RSM (1u << 19)
#define MHI_SVM_I1_IRET (1u << 20)
#define MHI_SVM_I1_SWINT (1u << 21)
#define MHI_SVM_I1_INVD (1u << 22)
#define MHI_SVM_I1_PAUSE (1u << 23)
#define MHI_SVM_I1_HLT (1u << 24)
#define MHI_SVM_I1_INVLPG (1u << 25)
#define MHI_SVM_I1_INVLPGA (1u << 26)
#define MHI_SVM_I1_IOIO (1u << 27)
#define MHI_SVM_I1_MSR (1u << 28)
#define MHI_SVM_I1_TASK_SWITCH (1u << 29)
#define MHI_SVM_I1_FERR_FREEZE (1u << 30)
#define MHI_SVM_I1_SHUTDOWN (1u << 31)

/* intercept_misc2, offset 010h */
#define MHI_SVM_I2_VMRUN (1u << 0)
#define MHI_SVM_I2_VMMCALL (1u << 1)
#define MHI_SVM_I2_VMLOAD (1u << 2)
#define MHI_SVM_I2_VMSAVE (1u << 3)
#define MHI_SVM_I2_STGI (1u << 4)
#define MHI_SVM_I2_CLGI (1u << 5)
#define MHI_SVM_I2_SKINIT (1u << 6)
#define MHI_SVM_I2_RDTSCP (1u << 7)
#define MHI_SVM_I2_ICEBP (1u << 8)
#define MHI_SVM_I2_WBINVD (1u << 9)
#define MHI_SVM_I2_MONITOR (1u << 10)
#define MHI_SVM_I2_MWAIT (1u << 11)
#define MHI_SVM_I2_MWAIT_ARMED (1u << 12)
#define MHI_SVM_I2_XSETBV (1u << 13)
#define MHI_SVM_I2_RDPRU (1u << 14)
#define MHI_SVM_I2_EFER_WRITE_TRAP (1u << 15)

/* intercept_misc3, offset 014h */
#define MHI_SVM_I3_INVLPGB (1u << 0)
#define MHI_SVM_I3_INVLPGB_ILLEGAL (1u << 1)
#define MHI_SVM_I3_INVPCID (1u << 2)
#define MHI_SVM_I3_MCOMMIT (1u << 3)
#define MHI_SVM_I3_TLBSYNC (1u << 4)
#define MHI_SVM_I3_BUS_LOCK (1u << 5)
#define MHI_SVM_I3_IDLE_HLT (1u << 6)

/* tlb_control, offset 05Ch */
#define MHI_SVM_TLB_NOTHING 0
#define MHI_SVM_TLB_FLUSH_ALL 1
#define MHI_SVM_TLB_FLUSH_ASID 3
#define MHI_SVM_TLB_FLUSH_ASID_LOCAL 7 /* its non-global entries */

/* virtual_intr, offset 060h */
#define MHI_SVM_V_TPR 0xffull /* bits 3:0 are CR8 */
#define MHI_SVM_V_IRQ MHI_BIT(8)
#define MHI_SVM_V_GIF MHI_BIT(9)
#define MHI_SVM_V_NMI MHI_BIT(11)
#define MHI_SVM_V_NMI_MASK MHI_BIT(12)
#define MHI_SVM_V_INTR_PRIO(p) ((u64)(p) << 16)
#define MHI_SVM_V_IGN_TPR MHI_BIT(20)
#define MHI_SVM_V_INTR_MASKING MHI_BIT(24)
#define MHI_SVM_V_GIF_ENABLE MHI_BIT(25)
#define MHI_SVM_V_NMI_ENABLE MHI_BIT(26)
#define MHI_SVM_V_X2AVIC_ENABLE MHI_BIT(30)
#define MHI_SVM_V_AVIC_ENABLE MHI_BIT(31)
#define MHI_SVM_V_INTR_VECTOR(n) ((u64)(n) << 32)

/* interrupt_shadow, offset 068h */
#define MHI_SVM_SHADOW MHI_BIT(0)
#define MHI_SVM_GUEST_IF MHI_BIT(1) /* SEV-ES guests only */

/* np_enable, offset 090h */
#define MHI_SVM_NP_ENABLE MHI_BIT(0)
#define MHI_SVM_SEV_ENABLE MHI_BIT(1)
#define MHI_SVM_SEV_ES_ENABLE MHI_BIT(2)
#define MHI_SVM_GMET_ENABLE MHI_BIT(3)

/* lbr_virtualization_enable, offset 0B8h */
#define MHI_SVM_LBR_ENABLE MHI_BIT(0)
#define MHI_SVM_VMLOAD_ENABLE MHI_BIT(1)

/*
 * exit_int_info and event_inject: APM 2 15.20 "Event Injection"; the low half is MHI_EVENT_* of
 * vcpu.h.
 */
#define MHI_SVM_EVENT_INTR 0u
#define MHI_SVM_EVENT_NMI 2u
#define MHI_SVM_EVENT_EXCEPTION 3u
#define MHI_SVM_EVENT_SOFT 4u

/* vmcb_clean: APM 2 15.15.3 "VMCB Clean Field"; a set bit says that the group was not changed. */
#define MHI_SVM_CLEAN_I (1u << 0) /* intercepts, TSC offset, pause filter */
#define MHI_SVM_CLEAN_IOPM (1u << 1)
#define MHI_SVM_CLEAN_ASID (1u << 2)
#define MHI_SVM_CLEAN_TPR (1u << 3) /* virtual_intr */
#define MHI_SVM_CLEAN_NP (1u << 4)  /* nested paging: n_cr3, g_pat */
#define MHI_SVM_CLEAN_CRX (1u << 5) /* CR0, CR3, CR4, EFER */
#define MHI_SVM_CLEAN_DRX (1u << 6)
#define MHI_SVM_CLEAN_DT (1u << 7)
#define MHI_SVM_CLEAN_SEG (1u << 8) /* ES, CS, SS, DS, CPL */
#define MHI_SVM_CLEAN_CR2 (1u << 9)
#define MHI_SVM_CLEAN_LBR (1u << 10)
#define MHI_SVM_CLEAN_AVIC (1u << 11)
#define MHI_SVM_CLEAN_CET (1u << 12)
#define MHI_SVM_CLEAN_ALL 0x1fffu

struct mhi_vmcb_control {
	u32 intercept_cr;
	u32 intercept_dr;
	u32 intercept_exceptions; /* one bit per vector */
	u32 intercept_misc1;
	u32 intercept_misc2;
	u32 intercept_misc3;
	u8 reserved_018[0x24];
	u16 pause_filter_threshold;
	u16 pause_filter_count;
	u64 iopm_base_pa;
	u64 msrpm_base_pa;
	u64 tsc_offset;
	u32 guest_asid;
	u8 tlb_control;
	u8 rap_control; /* bit 0 ALLOW_LARGER_RAP, bit 1 CLEAR_RAP */
	u8 reserved_05e[2];
	u64 virtual_intr;
	u64 interrupt_shadow;
	u64 exit_code;
	u64 exit_info1;
	u64 exit_info2;
	u64 exit_int_info;
	u64 np_enable;
	u64 avic_apic_bar;
	u64 ghcb_gpa;
	u64 event_inject;
	u64 n_cr3;
	u64 lbr_virtualization_enable;
	u32 vmcb_clean;
	u32 reserved_0c4;
	u64 next_rip;
	u8 bytes_fetched;
	u8 guest_instruction_bytes[15];
	u64 avic_backing_page;
	u64 reserved_0e8;
	u64 avic_logical_table;
	u64 avic_physical_table;
	u64 reserved_100;
	u64 vmsa_pa;
	u64 vmgexit_rax;
	u8 vmgexit_cpl;
	u8 reserved_119[7];
	u16 bus_lock_threshold;
	u8 reserved_122[0x12];
	u32 update_irr;
	u64 allowed_sev_features;
	u64 guest_sev_features;
	u64 reserved_148;
	u32 requested_irr[8];
	u8 reserved_170[0x270];
	u8 reserved_host[0x20]; /* for the hypervisor's own use */
} __attribute__((packed));

#define MHI_AT(type, field, offset) MHI_STATIC_ASSERT(offsetof(struct type, field) == (offset))

MHI_AT(mhi_vmcb_control, intercept_cr, 0x000);
MHI_AT(mhi_vmcb_control, intercept_dr, 0x004);
MHI_AT(mhi_vmcb_control, intercept_exceptions, 0x008);
MHI_AT(mhi_vmcb_control, intercept_misc1, 0x00c);
MHI_AT(mhi_vmcb_control, intercept_misc2, 0x010);
MHI_AT(mhi_vmcb_control, intercept_misc3, 0x014);
MHI_AT(mhi_vmcb_control, reserved_018, 0x018);
MHI_AT(mhi_vmcb_control, pause_filter_threshold, 0x03c);
MHI_AT(mhi_vmcb_control, pause_filter_count, 0x03e);
MHI_AT(mhi_vmcb_control, iopm_base_pa, 0x040);
MHI_AT(mhi_vmcb_control, msrpm_base_pa, 0x048);
MHI_AT(mhi_vmcb_control, tsc_offset, 0x050);
MHI_AT(mhi_vmcb_control, guest_asid, 0x058);
MHI_AT(mhi_vmcb_control, tlb_control, 0x05c);
MHI_AT(mhi_vmcb_control, rap_control, 0x05d);
MHI_AT(mhi_vmcb_control, reserved_05e, 0x05e);
MHI_AT(mhi_vmcb_control, virtual_intr, 0x060);
MHI_AT(mhi_vmcb_control, interrupt_shadow, 0x068);
MHI_AT(mhi_vmcb_control, exit_code, 0x070);
MHI_AT(mhi_vmcb_control, exit_info1, 0x078);
MHI_AT(mhi_vmcb_control, exit_info2, 0x080);
MHI_AT(mhi_vmcb_control, exit_int_info, 0x088);
MHI_AT(mhi_vmcb_control, np_enable, 0x090);
MHI_AT(mhi_vmcb_control, avic_apic_bar, 0x098);
MHI_AT(mhi_vmcb_control, ghcb_gpa, 0x0a0);
MHI_AT(mhi_vmcb_control, event_inject, 0x0a8);
MHI_AT(mhi_vmcb_control, n_cr3, 0x0b0);
MHI_AT(mhi_vmcb_control, lbr_virtualization_enable, 0x0b8);
MHI_AT(mhi_vmcb_control, vmcb_clean, 0x0c0);
MHI_AT(mhi_vmcb_control, reserved_0c4, 0x0c4);
MHI_AT(mhi_vmcb_control, next_rip, 0x0c8);
MHI_AT(mhi_vmcb_control, bytes_fetched, 0x0d0);
MHI_AT(mhi_vmcb_control, guest_instruction_bytes, 0x0d1);
MHI_AT(mhi_vmcb_control, avic_backing_page, 0x0e0);
MHI_AT(mhi_vmcb_control, reserved_0e8, 0x0e8);
MHI_AT(mhi_vmcb_control, avic_logical_table, 0x0f0);
MHI_AT(mhi_vmcb_control, avic_physical_table, 0x0f8);
MHI_AT(mhi_vmcb_control, reserved_100, 0x100);
MHI_AT(mhi_vmcb_control, vmsa_pa, 0x108);
MHI_AT(mhi_vmcb_control, vmgexit_rax, 0x110);
MHI_AT(mhi_vmcb_control, vmgexit_cpl, 0x118);
MHI_AT(mhi_vmcb_control, reserved_119, 0x119);
MHI_AT(mhi_vmcb_control, bus_lock_threshold, 0x120);
MHI_AT(mhi_vmcb_control, reserved_122, 0x122);
MHI_AT(mhi_vmcb_control, update_irr, 0x134);
MHI_AT(mhi_vmcb_control, allowed_sev_features, 0x138);
MHI_AT(mhi_vmcb_control, guest_sev_features, 0x140);
MHI_AT(mhi_vmcb_control, reserved_148, 0x148);
MHI_AT(mhi_vmcb_control, requested_irr, 0x150);
MHI_AT(mhi_vmcb_control, reserved_170, 0x170);
MHI_AT(mhi_vmcb_control, reserved_host, 0x3e0);
MHI_STATIC_ASSERT(sizeof(struct mhi_vmcb_control) == 0x400);

/*
 * attrib packs bits 55:52 and 47:40 of a descriptor: type 3:0, S 4, DPL 6:5, P 7, AVL 8, L 9, D/B
 * 10, G 11.
 */
#define MHI_SVM_SEG_TYPE 0x00fu
#define MHI_SVM_SEG_S (1u << 4)
#define MHI_SVM_SEG_DPL_SHIFT 5
#define MHI_SVM_SEG_P (1u << 7)
#define MHI_SVM_SEG_L (1u << 9)
#define MHI_SVM_SEG_DB (1u << 10)
#define MHI_SVM_SEG_G (1u << 11)

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
	u64 reserved_0d8;
	u64 perf[12]; /* PERF_CTL0, PERF_CTR0, .. PERF_CTL5, PERF_CTR5 */
	u64 reserved_140;
	u64 cr4;
	u64 cr3;
	u64 cr0;
	u64 dr7;
	u64 dr6;
	u64 rflags;
	u64 rip;
	u8 reserved_180[0x40];
	u64 instr_retired_ctr;
	u64 perf_ctr_global_sts;
	u64 perf_ctr_global_ctl;
	u64 rsp;
	u64 s_cet;
	u64 ssp;
	u64 isst_addr;
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
	u64 dbgctl;
	u64 br_from;
	u64 br_to;
	u64 last_excp_from;
	u64 last_excp_to;
	u64 dbgextncfg;
	u8 reserved_2a0[0x40];
	u64 spec_ctrl;
	u8 reserved_2e8[0x388];
	u64 lbr_stack[32]; /* 16 pairs of from and to */
	u64 lbr_select;
	u64 ibs_fetch_ctl;
	u64 ibs_fetch_linaddr;
	u64 ibs_op_ctl;
	u64 ibs_op_rip;
	u64 ibs_op_data;
	u64 ibs_op_data2;
	u64 ibs_op_data3;
	u64 ibs_dc_linaddr;
	u64 bp_ibstgt_rip;
	u64 ic_ibs_extd_ctl;
	u8 reserved_7c8[0x438];
} __attribute__((packed));

MHI_STATIC_ASSERT(sizeof(struct mhi_vmcb_seg) == 16);
MHI_AT(mhi_vmcb_state, es, 0x000);
MHI_AT(mhi_vmcb_state, cs, 0x010);
MHI_AT(mhi_vmcb_state, ss, 0x020);
MHI_AT(mhi_vmcb_state, ds, 0x030);
MHI_AT(mhi_vmcb_state, fs, 0x040);
MHI_AT(mhi_vmcb_state, gs, 0x050);
MHI_AT(mhi_vmcb_state, gdtr, 0x060);
MHI_AT(mhi_vmcb_state, ldtr, 0x070);
MHI_AT(mhi_vmcb_state, idtr, 0x080);
MHI_AT(mhi_vmcb_state, tr, 0x090);
MHI_AT(mhi_vmcb_state, reserved_0a0, 0x0a0);
MHI_AT(mhi_vmcb_state, cpl, 0x0cb);
MHI_AT(mhi_vmcb_state, reserved_0cc, 0x0cc);
MHI_AT(mhi_vmcb_state, efer, 0x0d0);
MHI_AT(mhi_vmcb_state, reserved_0d8, 0x0d8);
MHI_AT(mhi_vmcb_state, perf, 0x0e0);
MHI_AT(mhi_vmcb_state, reserved_140, 0x140);
MHI_AT(mhi_vmcb_state, cr4, 0x148);
MHI_AT(mhi_vmcb_state, cr3, 0x150);
MHI_AT(mhi_vmcb_state, cr0, 0x158);
MHI_AT(mhi_vmcb_state, dr7, 0x160);
MHI_AT(mhi_vmcb_state, dr6, 0x168);
MHI_AT(mhi_vmcb_state, rflags, 0x170);
MHI_AT(mhi_vmcb_state, rip, 0x178);
MHI_AT(mhi_vmcb_state, reserved_180, 0x180);
MHI_AT(mhi_vmcb_state, instr_retired_ctr, 0x1c0);
MHI_AT(mhi_vmcb_state, perf_ctr_global_sts, 0x1c8);
MHI_AT(mhi_vmcb_state, perf_ctr_global_ctl, 0x1d0);
MHI_AT(mhi_vmcb_state, rsp, 0x1d8);
MHI_AT(mhi_vmcb_state, s_cet, 0x1e0);
MHI_AT(mhi_vmcb_state, ssp, 0x1e8);
MHI_AT(mhi_vmcb_state, isst_addr, 0x1f0);
MHI_AT(mhi_vmcb_state, rax, 0x1f8);
MHI_AT(mhi_vmcb_state, star, 0x200);
MHI_AT(mhi_vmcb_state, lstar, 0x208);
MHI_AT(mhi_vmcb_state, cstar, 0x210);
MHI_AT(mhi_vmcb_state, sfmask, 0x218);
MHI_AT(mhi_vmcb_state, kernel_gs_base, 0x220);
MHI_AT(mhi_vmcb_state, sysenter_cs, 0x228);
MHI_AT(mhi_vmcb_state, sysenter_esp, 0x230);
MHI_AT(mhi_vmcb_state, sysenter_eip, 0x238);
MHI_AT(mhi_vmcb_state, cr2, 0x240);
MHI_AT(mhi_vmcb_state, reserved_248, 0x248);
MHI_AT(mhi_vmcb_state, g_pat, 0x268);
MHI_AT(mhi_vmcb_state, dbgctl, 0x270);
MHI_AT(mhi_vmcb_state, br_from, 0x278);
MHI_AT(mhi_vmcb_state, br_to, 0x280);
MHI_AT(mhi_vmcb_state, last_excp_from, 0x288);
MHI_AT(mhi_vmcb_state, last_excp_to, 0x290);
MHI_AT(mhi_vmcb_state, dbgextncfg, 0x298);
MHI_AT(mhi_vmcb_state, reserved_2a0, 0x2a0);
MHI_AT(mhi_vmcb_state, spec_ctrl, 0x2e0);
MHI_AT(mhi_vmcb_state, reserved_2e8, 0x2e8);
MHI_AT(mhi_vmcb_state, lbr_stack, 0x670);
MHI_AT(mhi_vmcb_state, lbr_select, 0x770);
MHI_AT(mhi_vmcb_state, ibs_fetch_ctl, 0x778);
MHI_AT(mhi_vmcb_state, ibs_fetch_linaddr, 0x780);
MHI_AT(mhi_vmcb_state, ibs_op_ctl, 0x788);
MHI_AT(mhi_vmcb_state, ibs_op_rip, 0x790);
MHI_AT(mhi_vmcb_state, ibs_op_data, 0x798);
MHI_AT(mhi_vmcb_state, ibs_op_data2, 0x7a0);
MHI_AT(mhi_vmcb_state, ibs_op_data3, 0x7a8);
MHI_AT(mhi_vmcb_state, ibs_dc_linaddr, 0x7b0);
MHI_AT(mhi_vmcb_state, bp_ibstgt_rip, 0x7b8);
MHI_AT(mhi_vmcb_state, ic_ibs_extd_ctl, 0x7c0);
MHI_AT(mhi_vmcb_state, reserved_7c8, 0x7c8);
MHI_STATIC_ASSERT(sizeof(struct mhi_vmcb_state) == 0xc00);

struct mhi_vmcb {
	struct mhi_vmcb_control control;
	struct mhi_vmcb_state state;
} __attribute__((packed, aligned(4096)));

MHI_AT(mhi_vmcb, state, 0x400);
MHI_STATIC_ASSERT(sizeof(struct mhi_vmcb) == 4096);
#undef MHI_AT

/* Say that fields of these groups were changed: the CPU reads them at the next VMRUN. */
static inline void mhi_vmcb_dirty(struct mhi_vmcb *vmcb, u32 groups)
{
	vmcb->control.vmcb_clean &= ~groups;
}

#endif

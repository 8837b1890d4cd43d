/* SPDX-License-Identifier: MIT */
/*
 * Fake of the port header of VMX's instructions: a CPU with VMX operation, VMCSs in a table, and
 * descriptor registers. The behaviour is in fake_vmx.c.
 */
#ifndef MHI_PORT_VMX_INSN_H
#define MHI_PORT_VMX_INSN_H

#include "base/types.h"

#define MHI_VMX_INVALID 1
#define MHI_VMX_VALID 2
#define MHI_VMX_FAULT 3

struct mhi_dtr {
	u16 limit;
	u64 base;
} __attribute__((packed));

int mhi_vmxon(u64 pa);
int mhi_vmxoff(void);
int mhi_vmclear(u64 pa);
int mhi_vmptrld(u64 pa);
bool mhi_vmread(u32 field, u64 *value);
bool mhi_vmwrite(u32 field, u64 value);
int mhi_invept(u64 type, u64 eptp, u64 zero);
int mhi_invvpid(u64 type, u64 vpid, u64 linear);

void mhi_sgdt(struct mhi_dtr *d);
void mhi_sidt(struct mhi_dtr *d);
void mhi_lgdt(const struct mhi_dtr *d);
void mhi_lidt(const struct mhi_dtr *d);
u16 mhi_str(void);
u16 mhi_sldt(void);
void mhi_lldt(u16 sel);
u16 mhi_read_cs(void);
u16 mhi_read_ss(void);
u16 mhi_read_ds(void);
u16 mhi_read_es(void);
u16 mhi_read_fs(void);
u16 mhi_read_gs(void);
void mhi_load_ds(u16 sel);
void mhi_load_es(u16 sel);
void mhi_load_fs(u16 sel);
void mhi_load_gs(u16 sel, u64 base);
void mhi_reload_tr(u16 sel);
void mhi_reraise_nmi(void);

#endif

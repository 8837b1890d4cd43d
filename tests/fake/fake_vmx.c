// SPDX-License-Identifier: MIT
/* VMX operation as far as the rules go that software must keep: SDM 3C 23, 24 and 30. */
#include "fake_vmx.h"
#include "arch/x86/vmx/vmx.h"
#include <assert.h>
#include <stdlib.h>

#define MAX_VMCS 4
#define FIELDS 0x8000u
#define TSS_DESCRIPTOR_LOW 0x8b0000000067ull

struct fake_vmcs {
	u64 pa;
	bool launched;
	bool cleared; /* VMCLEAR was executed since the region was made */
	u64 field[FIELDS / 2];
};

struct fake_vmx fake_vmx;
const char mhi_vmx_exit_point[1];

static struct fake_vmcs *table[MAX_VMCS];
static struct fake_vmcs *current, *last;
static u64 gdt[16];
static u64 vmxon_pa;

static u32 index_of(u32 field)
{
	return (field & (FIELDS - 1)) / 2;
}

static bool known(u32 field)
{
	switch (field) {
#define X(width, group, name, encoding) case encoding:
#include "arch/x86/vmx/vmcs_fields.def"
#include "arch/x86/vmx/vmcs_fields_rest.def"
#undef X
		return field != fake_vmx.absent;
	default:
		return false;
	}
}

void fake_vmx_reset(void)
{
	unsigned int i;

	for (i = 0; i < MAX_VMCS; i++) {
		free(table[i]);
		table[i] = NULL;
	}
	current = NULL;
	last = NULL;
	memset(&fake_vmx, 0, sizeof(fake_vmx));
	fake_vmx.absent = ~0u;
	gdt[FAKE_TR_SEL / 8] = TSS_DESCRIPTOR_LOW | mhi_bits(FAKE_TSS_BASE, 23, 0) << 16 |
			       mhi_bits(FAKE_TSS_BASE, 31, 24) << 56;
	gdt[FAKE_TR_SEL / 8 + 1] = FAKE_TSS_BASE >> 32;
	fake_vmx.gdt.base = (u64)(uintptr_t)gdt;
	fake_vmx.gdt.limit = 127;
	fake_vmx.idt.base = 0xfffffe0000000000ull;
	fake_vmx.idt.limit = 4095;
	fake_vmx.tr = FAKE_TR_SEL;
	fake_vmx.cs = 0x10;
	fake_vmx.ss = 0x18;
}

u64 fake_vmcs(u32 field)
{
	return last ? last->field[index_of(field)] : 0;
}

void fake_vmcs_set(u32 field, u64 value)
{
	if (last)
		last->field[index_of(field)] = value;
}

void fake_vmx_exit(u32 reason, u32 insn_len)
{
	fake_vmcs_set(VMCS_EXIT_REASON, reason);
	fake_vmcs_set(VMCS_EXIT_INSN_LEN, insn_len);
	fake_vmcs_set(VMCS_EXIT_QUALIFICATION, 0);
	fake_vmcs_set(VMCS_EXIT_INTR_INFO, 0);
	fake_vmcs_set(VMCS_IDT_VECTORING_INFO, 0);
}

static struct fake_vmcs *find(u64 pa)
{
	unsigned int i;

	for (i = 0; i < MAX_VMCS; i++) {
		if (!table[i]) {
			table[i] = calloc(1, sizeof(*table[i]));
			table[i]->pa = pa;
		}
		if (table[i]->pa == pa)
			return table[i];
	}
	abort();
}

static bool region_ok(u64 pa)
{
	u32 revision;

	memcpy(&revision, mhi_host_pa_to_va(pa), sizeof(revision));
	return revision == FAKE_VMX_REVISION && !(pa & MHI_PAGE_MASK);
}

/* SDM 3C 23.8 "Restrictions on VMX Operation". */
static bool fixed(u64 cr, u32 msr)
{
	return !(fake_msr(msr) & ~cr) && !(cr & ~fake_msr(msr + 1));
}

int mhi_vmxon(u64 pa)
{
	if (!(mhi_read_cr4() & MHI_CR4_VMXE) || !region_ok(pa))
		fake_vmx.misuses++;
	if (fake_vmx.vmxon_fails)
		return fake_vmx.vmxon_fails;
	if (!fixed(mhi_read_cr0(), MSR_VMX_CR0_FIXED0) ||
	    !fixed(mhi_read_cr4(), MSR_VMX_CR4_FIXED0))
		return MHI_VMX_FAULT;
	fake_vmx.vmxons++;
	fake_vmx.root = true;
	vmxon_pa = pa;
	current = NULL;
	return 0;
}

int mhi_vmxoff(void)
{
	/* A VMCS that is still active when root operation ends may be lost. */
	if (!fake_vmx.root || current)
		fake_vmx.misuses++;
	fake_vmx.root = false;
	return 0;
}

int mhi_vmclear(u64 pa)
{
	struct fake_vmcs *vmcs = find(pa);

	if (!fake_vmx.root || pa == vmxon_pa)
		fake_vmx.misuses++;
	if (fake_vmx.vmclear_fails)
		return fake_vmx.vmclear_fails;
	vmcs->launched = false;
	vmcs->cleared = true;
	if (current == vmcs)
		current = NULL;
	return 0;
}

int mhi_vmptrld(u64 pa)
{
	struct fake_vmcs *vmcs = find(pa);

	if (!fake_vmx.root || !region_ok(pa) || !vmcs->cleared)
		fake_vmx.misuses++;
	if (fake_vmx.vmptrld_fails)
		return fake_vmx.vmptrld_fails;
	current = vmcs;
	last = vmcs;
	return 0;
}

bool mhi_vmread(u32 field, u64 *value)
{
	fake_vmx.reads++;
	if (!current || !fake_vmx.root)
		fake_vmx.misuses++;
	if (!current || !known(field))
		return true;
	*value = current->field[index_of(field)];
	return false;
}

static u64 width_mask(u32 field)
{
	switch (VMCS_WIDTH(field)) {
	case VMCS_WIDTH_16:
		return 0xffff;
	case VMCS_WIDTH_32:
		return 0xffffffff;
	default:
		return ~0ull;
	}
}

bool mhi_vmwrite(u32 field, u64 value)
{
	bool read_only = ((field >> 10) & 3) == 1;

	fake_vmx.writes++;
	if (!current || !fake_vmx.root || (value & ~width_mask(field)))
		fake_vmx.misuses++;
	if (!current || !known(field) || read_only)
		return true;
	current->field[index_of(field)] = value;
	return false;
}

int mhi_invept(u64 type, u64 eptp, u64 zero)
{
	if (!fake_vmx.root || zero)
		fake_vmx.misuses++;
	fake_vmx.invepts++;
	fake_vmx.invept_type = type;
	fake_vmx.invept_eptp = eptp;
	return fake_vmx.invept_fails;
}

int mhi_invvpid(u64 type, u64 vpid, u64 linear)
{
	if (!fake_vmx.root || linear)
		fake_vmx.misuses++;
	fake_vmx.invvpids++;
	fake_vmx.invvpid_type = type;
	fake_vmx.invvpid_vpid = vpid;
	return 0;
}

/* What every VM exit does to the host: SDM 3C 27.5 "Loading Host State". */
static void load_host(void)
{
	fake_cr[0] = fake_vmcs(VMCS_HOST_CR0);
	fake_cr[3] = fake_vmcs(VMCS_HOST_CR3);
	fake_cr[4] = fake_vmcs(VMCS_HOST_CR4);
	fake_dr[7] = 0x400;
	fake_msr_set(MHI_MSR_DEBUGCTL, 0);
	fake_msr_set(MHI_MSR_FS_BASE, fake_vmcs(VMCS_HOST_FS_BASE));
	fake_msr_set(MHI_MSR_GS_BASE, fake_vmcs(VMCS_HOST_GS_BASE));
	fake_vmx.gdt.base = fake_vmcs(VMCS_HOST_GDTR_BASE);
	fake_vmx.idt.base = fake_vmcs(VMCS_HOST_IDTR_BASE);
	fake_vmx.gdt.limit = 0xffff;
	fake_vmx.idt.limit = 0xffff;
	fake_vmx.ldt = 0;
	fake_vmx.ds = (u16)fake_vmcs(VMCS_HOST_DS_SEL);
	fake_vmx.es = (u16)fake_vmcs(VMCS_HOST_ES_SEL);
	fake_vmx.fs = (u16)fake_vmcs(VMCS_HOST_FS_SEL);
	fake_vmx.gs = (u16)fake_vmcs(VMCS_HOST_GS_SEL);
	if (!(fake_cr[4] & MHI_CR4_VMXE))
		fake_vmx.misuses++;
}

u32 mhi_vmx_enter(u64 *gpr, u64 *host_rsp, u32 launched)
{
	*host_rsp = 0x5000;
	if (!current || !fake_vmx.root) {
		fake_vmx.misuses++;
		return MHI_VMX_INVALID;
	}
	if (launched)
		fake_vmx.vmresumes++;
	else
		fake_vmx.vmlaunches++;
	if (fake_vmx.entry_invalid)
		return MHI_VMX_INVALID;
	/* 4 and 5 of SDM 3C 30.4: the launch state must fit the instruction. */
	if (current->launched != (launched != 0))
		fake_vmx.entry_error = launched ? 5 : 4;
	if (fake_vmx.entry_error) {
		fake_vmcs_set(VMCS_INSN_ERROR, fake_vmx.entry_error);
		return MHI_VMX_VALID;
	}
	fake_vmx_exit(1, 0);
	if (fake_vmx.guest)
		fake_vmx.guest(gpr);
	current->launched = !(fake_vmcs(VMCS_EXIT_REASON) & EXIT_ENTRY_FAILURE);
	/* Every exit clears the valid bit, a failed entry does not. */
	if (current->launched)
		fake_vmcs_set(VMCS_ENTRY_INTR_INFO,
			      fake_vmcs(VMCS_ENTRY_INTR_INFO) & ~MHI_EVENT_VALID);
	load_host();
	return 0;
}

void mhi_sgdt(struct mhi_dtr *d)
{
	*d = fake_vmx.gdt;
}

void mhi_sidt(struct mhi_dtr *d)
{
	*d = fake_vmx.idt;
}

void mhi_lgdt(const struct mhi_dtr *d)
{
	fake_vmx.gdt = *d;
}

void mhi_lidt(const struct mhi_dtr *d)
{
	fake_vmx.idt = *d;
}

void mhi_lldt(u16 sel)
{
	fake_vmx.ldt = sel;
}

u16 mhi_str(void)
{
	return fake_vmx.tr;
}

u16 mhi_sldt(void)
{
	return fake_vmx.ldt;
}

#define SEG(name)                     \
	u16 mhi_read_##name(void)     \
	{                             \
		return fake_vmx.name; \
	}

SEG(cs)
SEG(ss)
SEG(ds)
SEG(es)
SEG(fs)
SEG(gs)

void mhi_load_ds(u16 sel)
{
	fake_vmx.ds = sel;
}

void mhi_load_es(u16 sel)
{
	fake_vmx.es = sel;
}

/* Loading a selector gives the base of its descriptor; here 0. */
void mhi_load_fs(u16 sel)
{
	fake_vmx.fs = sel;
	fake_msr_set(MHI_MSR_FS_BASE, 0);
}

void mhi_load_gs(u16 sel, u64 base)
{
	assert((s64)base >= 0);
	fake_vmx.gs = sel;
	fake_msr_set(MHI_MSR_KERNEL_GS_BASE, 0);
}

void mhi_reload_tr(u16 sel)
{
	fake_vmx.tr = sel;
	fake_vmx.tr_reloads++;
	fake_vmx.gdt.base = 0;
}

void mhi_reraise_nmi(void)
{
	fake_vmx.nmis++;
}

void mhi_raise_mce(void)
{
	fake_vmx.mces++;
}

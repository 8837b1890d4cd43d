/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Fields of the current VMCS and access to them. The width is checked when the program is compiled;
 * a failing VMREAD or VMWRITE is remembered in vmx_vcpu.bad_field and becomes a failed entry.
 */
#ifndef MHI_VMX_VMCS_H
#define MHI_VMX_VMCS_H

#include "base/types.h"
#include "vmx_insn.h"

enum vmcs_field {
#define X(width, group, name, encoding) VMCS_##name = encoding,
#include "arch/x86/vmx/vmcs_fields.def"
#undef X
};

/* Bits 14:13 of an encoding: SDM 3C 24.11.2 "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
#define VMCS_WIDTH_16 0
#define VMCS_WIDTH_64 1
#define VMCS_WIDTH_32 2
#define VMCS_WIDTH_NAT 3
#define VMCS_WIDTH(field) (((field) >> 13) & 3)

#define VMCS_NO_FIELD (~0u)

/* The VMCS of a section. Legend: (v) only the vCPU's thread. */
struct vmcs_ref {
	u32 bad_field; /* (v) the first field whose access failed; VMCS_NO_FIELD */
};

static inline u64 vmcs_read_raw(struct vmcs_ref *r, u32 field)
{
	u64 value = 0;

	if (__builtin_expect(mhi_vmread(field, &value), 0)) {
		if (r->bad_field == VMCS_NO_FIELD)
			r->bad_field = field;
		return 0;
	}
	return value;
}

static inline void vmcs_write_raw(struct vmcs_ref *r, u32 field, u64 value)
{
	if (__builtin_expect(mhi_vmwrite(field, value), 0) && r->bad_field == VMCS_NO_FIELD)
		r->bad_field = field;
}

/* A field that seldom changes: *cache is what it holds. */
static inline void vmcs_write_cached(struct vmcs_ref *r, u64 *cache, u32 field, u64 value)
{
	if (*cache == value)
		return;
	*cache = value;
	vmcs_write_raw(r, field, value);
}

/* The field itself, provided that it has the width; does not compile otherwise. */
#define VMCS_CHECKED(field, width)                                                 \
	((field) + 0 * (u32)sizeof(struct {                                        \
			   _Static_assert(VMCS_WIDTH(field) == VMCS_WIDTH_##width, \
					  #field " is not " #width);               \
			   char unused;                                            \
		   }))

#define vmread32(r, field) ((u32)vmcs_read_raw(r, VMCS_CHECKED(field, 32)))
#define vmread64(r, field) vmcs_read_raw(r, VMCS_CHECKED(field, 64))
#define vmreadn(r, field) vmcs_read_raw(r, VMCS_CHECKED(field, NAT))
#define vmwrite16(r, field, value) vmcs_write_raw(r, VMCS_CHECKED(field, 16), (u16)(value))
#define vmwrite32(r, field, value) vmcs_write_raw(r, VMCS_CHECKED(field, 32), (u32)(value))
#define vmwrite64(r, field, value) vmcs_write_raw(r, VMCS_CHECKED(field, 64), value)
#define vmwriten(r, field, value) vmcs_write_raw(r, VMCS_CHECKED(field, NAT), value)

/* The fields of segment n (MHK_ES .. MHK_TR) lie two encodings apart, in the order of the enum. */
#define VMCS_SEG(field, n) ((u32)VMCS_GUEST_ES_##field + 2 * (u32)(n))

#endif

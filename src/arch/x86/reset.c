// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The architectural reset state. */
#include "arch/x86/reset.h"
#include "base/x86.h"

/*
 * Access rights of SDM 3A table 10-1: data read/write accessed; code execute/read accessed; LDT;
 * busy 32-bit TSS.
 */
#define ATTR_DATA 0x93u
#define ATTR_CODE 0x9bu
#define ATTR_LDT 0x82u
#define ATTR_TSS 0x8bu
#define RESET_LIMIT 0xffffu
#define RESET_CS_SEL 0xf000u
#define RESET_CS_BASE 0xffff0000ull
#define RESET_RIP 0xfff0u
#define RESET_FAMILY_MODEL 0x600u /* EDX after reset: family 6 */

void mhi_reset_state(struct mhk_state *s, bool boot_processor)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->gpr[MHK_RDX] = RESET_FAMILY_MODEL;
	s->rip = RESET_RIP;
	s->rflags = MHI_RFLAGS_FIXED;
	for (i = 0; i < MHK_SEGS; i++) {
		s->seg[i].limit = RESET_LIMIT;
		s->seg[i].attr = ATTR_DATA;
	}
	s->seg[MHK_CS].attr = ATTR_CODE;
	s->seg[MHK_CS].sel = RESET_CS_SEL;
	s->seg[MHK_CS].base = RESET_CS_BASE;
	s->seg[MHK_LDTR].attr = ATTR_LDT;
	s->seg[MHK_TR].attr = ATTR_TSS;
	s->gdt.limit = RESET_LIMIT;
	s->idt.limit = RESET_LIMIT;
	/* Caches on, unlike hardware: there is no cache of ours to initialise. */
	s->cr0 = MHI_CR0_ET;
	s->xcr0 = MHI_XCR0_X87;
	s->dr6 = MHI_DR6_RESET;
	s->dr7 = MHI_DR7_RESET;
	s->pat = MHI_PAT_RESET;
	s->mp_state = boot_processor ? MHK_MP_RUNNABLE : MHK_MP_WAIT_SIPI;
}

void mhi_sipi_state(struct mhk_state *s, u32 vector)
{
	mhi_reset_state(s, true);
	s->seg[MHK_CS].sel = (u16)(vector << 8);
	s->seg[MHK_CS].base = (u64)vector << 12;
	s->rip = 0;
}

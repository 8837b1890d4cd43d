// SPDX-License-Identifier: MIT
/* The arithmetic of the instruction emulator: results and status flags, and nothing else. */
#include "core/insn_priv.h"

static u64 sign_bit(unsigned int bytes)
{
	return MHI_BIT(bytes * 8 - 1);
}

/* SF, ZF and PF follow from the result alone: SDM 1 3.4.3.1 "Status Flags". */
static u64 result_flags(u64 result, unsigned int bytes)
{
	u64 flags = 0;

	if (result & sign_bit(bytes))
		flags |= RFLAGS_SF;
	if (!result)
		flags |= RFLAGS_ZF;
	if (!__builtin_parity((unsigned int)(result & 0xff)))
		flags |= RFLAGS_PF;
	return flags;
}

static void set_status(u64 *rflags, u64 status)
{
	*rflags = (*rflags & ~RFLAGS_STATUS) | status;
}

u64 mhi_alu_add(u64 a, u64 b, unsigned int carry, unsigned int bytes, u64 *rflags)
{
	u64 mask = mhi_insn_mask(bytes);
	u64 r = (a + b + carry) & mask;
	u64 carries = (a & b) | ((a | b) & ~r);
	u64 flags = result_flags(r, bytes);

	if (carries & sign_bit(bytes))
		flags |= RFLAGS_CF;
	if ((a ^ r) & (b ^ r) & sign_bit(bytes))
		flags |= RFLAGS_OF;
	set_status(rflags, flags | ((a ^ b ^ r) & RFLAGS_AF));
	return r;
}

u64 mhi_alu_sub(u64 a, u64 b, unsigned int borrow, unsigned int bytes, u64 *rflags)
{
	u64 mask = mhi_insn_mask(bytes);
	u64 r = (a - b - borrow) & mask;
	u64 borrows = (~a & b) | ((~a | b) & r);
	u64 flags = result_flags(r, bytes);

	if (borrows & sign_bit(bytes))
		flags |= RFLAGS_CF;
	if ((a ^ b) & (a ^ r) & sign_bit(bytes))
		flags |= RFLAGS_OF;
	set_status(rflags, flags | ((a ^ b ^ r) & RFLAGS_AF));
	return r;
}

u64 mhi_alu_logic(u64 result, unsigned int bytes, u64 *rflags)
{
	u64 r = result & mhi_insn_mask(bytes);

	set_status(rflags, result_flags(r, bytes));
	return r;
}

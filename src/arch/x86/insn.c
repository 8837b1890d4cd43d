// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Reads the instruction at RIP from the guest's memory, and tells the length of plain stores: what
 * a doorbell needs, on whatever CPU (VMX leaves the length undefined for EPT violations).
 */
#include "arch/x86/insn.h"
#include "base/x86.h"

static int read_guest(struct mhi_insn *in, mh_gpa gpa, void *buf, u32 bytes)
{
	in->gpa = gpa;
	return mhi_host_guest_read(in->v, gpa, buf, bytes);
}

/* Entries of the guest's tables: SDM 3A 4.3 "32-Bit Paging" to 4.5 "4-Level and 5-Level Paging". */
#define PTE_P MHI_BIT(0)
#define PTE_LARGE MHI_BIT(7)
#define PTE_ADDR 0x000ffffffffff000ull
#define PAE_ROOT 0xffffffe0ull
#define MAX_LARGE_SHIFT 30

/*
 * Where the guest's tables have an address that it has just executed at: so every entry allows
 * that. If another vCPU has changed them since, the bytes are not the instruction's, or there are
 * none; executing again then gives the guest its #PF. A 4 MiB page lies below 4 GiB.
 */
static int walk(struct mhi_insn *in, u64 linear, mh_gpa *gpa)
{
	const struct mhi_code *c = &in->code;
	u32 bits = c->cr4 & MHI_CR4_PAE ? 9 : 10, bytes = bits == 9 ? 8 : 4, shift;
	bool large = (c->cr4 & (MHI_CR4_PAE | MHI_CR4_PSE)) != 0;
	mh_gpa table = c->cr3 & PTE_ADDR;
	u64 e;
	int err;

	if (c->efer & MHI_EFER_LMA) {
		shift = c->cr4 & MHI_CR4_LA57 ? 48 : 39;
	} else {
		shift = bits == 9 ? 30 : 22;
		table = c->cr3 & (bits == 9 ? PAE_ROOT : PTE_ADDR);
	}
	for (;; shift -= bits, table = e & PTE_ADDR) {
		e = 0;
		err = read_guest(in, table + (linear >> shift & (MHI_BIT(bits) - 1)) * bytes, &e,
				 bytes);
		if (err || !(e & PTE_P))
			return err ? err : MHI_EFAULT;
		if (shift == MHI_PAGE_SHIFT || (large && e & PTE_LARGE && shift <= MAX_LARGE_SHIFT))
			break;
	}
	*gpa = (e & PTE_ADDR & ~(MHI_BIT(shift) - 1)) | (linear & (MHI_BIT(shift) - 1));
	return 0;
}

/*
 * The page of RIP: as the guest's tables say, or as they said the last time. A stale page is
 * found out when its bytes are not the instruction that the exit names; the caller then asks the
 * tables.
 */
static int translate(struct mhi_insn *in, u64 linear, mh_gpa *gpa)
{
	const struct mhi_code *c = &in->code;
	struct mhi_code_page *page = &in->v->code_page;
	u64 paging = (c->cr3 & ~1ull) | (c->cr0 & MHI_CR0_PG ? 1 : 0);
	int err;

	*gpa = linear;
	if (in->may_guess && page->linear == (linear & ~MHI_PAGE_MASK) && page->paging == paging) {
		*gpa = page->gpa | (linear & MHI_PAGE_MASK);
		in->guessed = true;
		return 0;
	}
	err = c->cr0 & MHI_CR0_PG ? walk(in, linear, gpa) : 0;
	if (err)
		return err;
	page->linear = linear & ~MHI_PAGE_MASK;
	page->paging = paging;
	page->gpa = *gpa & ~MHI_PAGE_MASK;
	return 0;
}

/* Reads on to the end of the page or of the longest instruction. */
static int read_more(struct mhi_insn *in)
{
	u64 linear = in->code.linear + in->have;
	u32 bytes = MHK_INSN_MAX - in->have;
	u32 page_left;
	mh_gpa gpa;
	int err;

	if (!in->code.is64)
		linear &= 0xffffffffu;
	page_left = (u32)(MHI_PAGE_SIZE - (linear & MHI_PAGE_MASK));
	if (bytes > page_left)
		bytes = page_left;
	err = translate(in, linear, &gpa);
	if (!err)
		err = read_guest(in, gpa, in->byte + in->have, bytes);
	if (!err)
		in->have += bytes;
	return err;
}

u8 mhi_insn_more(struct mhi_insn *in, u32 n)
{
	if (n >= MHK_INSN_MAX)
		in->err = MHI_EINVAL;
	while (!in->err && n >= in->have)
		in->err = read_more(in);
	return in->err ? 0 : in->byte[n];
}

#define PREFIX_DATA_SIZE 0x66
#define PREFIX_LOCK 0xf0 /* and above: the repeat prefixes */
#define REX_W 8

bool mhi_insn_is_prefix(u8 b)
{
	static const u8 prefixes[] = { 0x26,	   0x2e, 0x36, 0x3e, 0x64,
				       0x65,	   0x67, 0xf2, 0xf3, PREFIX_DATA_SIZE,
				       PREFIX_LOCK };
	size_t i;

	for (i = 0; i < MHI_COUNT(prefixes); i++)
		if (prefixes[i] == b)
			return true;
	return false;
}

/*
 * Bytes of ModRM, SIB and displacement: SDM 2A 2.1.5 "Addressing-Mode Encoding of ModR/M and SIB
 * Bytes". 0: the operand is a register.
 */
static u32 operand_bytes(struct mhi_insn *in, u32 n)
{
	u8 modrm = mhi_insn_byte(in, n), mod = modrm >> 6, base = modrm & 7;
	u32 sib = base == 4;

	if (mod == 3)
		return 0;
	if (sib)
		base = mhi_insn_byte(in, n + 1) & 7;
	return 1 + sib + (mod == 1 ? 1 : mod == 2 || base == 5 ? 4 : 0);
}

/* MOV to memory from a register or an immediate: SDM 2B "MOV-Move". 0: it is not that. */
static u32 store_bytes(struct mhi_insn *in)
{
	bool narrow = false;
	u32 n = 0, operand;
	u8 b, rex = 0;

	for (b = mhi_insn_byte(in, 0); mhi_insn_is_prefix(b); b = mhi_insn_byte(in, ++n)) {
		narrow |= b == PREFIX_DATA_SIZE;
		if (b >= PREFIX_LOCK)
			return 0;
	}
	if ((b & 0xf0) == 0x40) {
		rex = b;
		b = mhi_insn_byte(in, ++n);
	}
	operand = operand_bytes(in, ++n);
	if (!operand)
		return 0;
	switch (b) {
	case 0x88:
	case 0x89:
		return n + operand;
	case 0xc6:
		return n + operand + 1;
	case 0xc7:
		return n + operand + (narrow && !(rex & REX_W) ? 2 : 4);
	default:
		return 0;
	}
}

int mhi_insn_store(struct mhi_vcpu *v, const struct mhi_exit *x, u8 *len)
{
	struct mhi_insn in = { .v = v };

	v->vm->ops->code(v, &in.code);
	if (!in.code.is64)
		return MHI_EINVAL;
	/* Decode assists spare the way through the guest's tables. No guess: see translate. */
	in.have = x->fault.insn_bytes;
	memcpy(in.byte, x->fault.insn, sizeof(in.byte));
	*len = (u8)store_bytes(&in);
	v->fault_gpa = in.gpa;
	v->fault_access = MHI_FAULT_READ;
	if (in.err)
		return in.err;
	return *len && *len <= MHK_INSN_MAX ? 0 : MHI_EINVAL;
}

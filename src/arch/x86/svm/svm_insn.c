// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Looks at the instruction behind an exit, for CPUs that report neither the next RIP nor the
 * operand (QEMU's SVM). The exit says which instruction it is; only prefixes, opcode and ModRM
 * are looked at.
 */
#include "arch/x86/svm/svm.h"

/*
 * The bytes at RIP, read piece by piece: the page behind RIP's is touched only when it is needed.
 */
struct insn {
	struct mhi_vcpu *v;
	u64 linear;
	bool long_mode;
	bool may_guess; /* look first where this linear page was the last time */
	bool guessed;
	mh_gpa gpa; /* last one read or tried */
	int err;    /* 0, or why reading ended */
	u32 have;
	u8 byte[MHK_INSN_MAX];
};

static int read_guest(void *opaque, mh_gpa gpa, void *buf, u32 bytes)
{
	struct insn *in = opaque;

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
static int walk(struct insn *in, u64 linear, mh_gpa *gpa)
{
	const struct mhi_vmcb_state *st = &svm_of(in->v)->vmcb->state;
	u32 bits = st->cr4 & MHI_CR4_PAE ? 9 : 10, bytes = bits == 9 ? 8 : 4, shift;
	bool large = (st->cr4 & (MHI_CR4_PAE | MHI_CR4_PSE)) != 0;
	mh_gpa table = st->cr3 & PTE_ADDR;
	u64 e;
	int err;

	if (st->efer & MHI_EFER_LMA) {
		shift = st->cr4 & MHI_CR4_LA57 ? 48 : 39;
	} else {
		shift = bits == 9 ? 30 : 22;
		table = st->cr3 & (bits == 9 ? PAE_ROOT : PTE_ADDR);
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

static u64 paging_key(const struct mhi_vmcb_state *st)
{
	return (st->cr3 & ~1ull) | (st->cr0 & MHI_CR0_PG ? 1 : 0);
}

/*
 * The page of RIP: as the guest's tables say, or as they said the last time. A stale page is
 * found out when its bytes are not the instruction that the exit names; parse_insn then asks the
 * tables.
 */
static int translate(struct insn *in, u64 linear, mh_gpa *gpa)
{
	struct svm_vcpu *svm = svm_of(in->v);
	const struct mhi_vmcb_state *st = &svm->vmcb->state;
	int err;

	*gpa = linear;
	if (in->may_guess && svm->code_linear == (linear & ~MHI_PAGE_MASK) &&
	    svm->code_paging == paging_key(st)) {
		*gpa = svm->code_gpa | (linear & MHI_PAGE_MASK);
		in->guessed = true;
		return 0;
	}
	err = st->cr0 & MHI_CR0_PG ? walk(in, linear, gpa) : 0;
	if (err)
		return err;
	svm->code_linear = linear & ~MHI_PAGE_MASK;
	svm->code_paging = paging_key(st);
	svm->code_gpa = *gpa & ~MHI_PAGE_MASK;
	return 0;
}

/* Reads on to the end of the page or of the longest instruction. */
static int read_more(struct insn *in)
{
	u64 linear = in->linear + in->have;
	u32 bytes = MHK_INSN_MAX - in->have;
	u32 page_left;
	mh_gpa gpa;
	int err;

	if (!in->long_mode)
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

/* Byte n of the instruction; 0 with in->err set when there is none. */
static u8 byte_at(struct insn *in, u32 n)
{
	if (n >= MHK_INSN_MAX)
		in->err = MHI_EINVAL;
	while (!in->err && n >= in->have)
		in->err = read_more(in);
	return in->err ? 0 : in->byte[n];
}

static bool is_legacy_prefix(u8 b)
{
	static const u8 prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
				       0x66, 0x67, 0xf0, 0xf2, 0xf3 };
	size_t i;

	for (i = 0; i < MHI_COUNT(prefixes); i++)
		if (prefixes[i] == b)
			return true;
	return false;
}

#define REX_R 4u
#define REX_B 1u
#define PREFIX_LOCK 0xf0

/* ModRM of MOV to or from a control register; LOCK is another way to name CR8: APM 3 "MOV CRn". */
static int decode_modrm(struct mhi_exit *x, u8 modrm, u8 rex, bool lock)
{
	u32 reg = (modrm >> 3 & 7) | (rex & REX_R ? 8 : 0) | (lock ? 8 : 0);
	u32 rm = (modrm & 7) | (rex & REX_B ? 8 : 0);

	if (reg != x->cr.nr)
		return MHI_EINVAL;
	x->cr.gpr = (u8)rm;
	return 0;
}

static int parse(struct insn *in, const struct svm_kind *kind, struct mhi_exit *x)
{
	u8 ignored = kind->flags & SVM_EVEN_OR_ODD ? 1 : 0;
	bool lock = false;
	u8 rex = 0;
	u32 n = 0;
	u32 i;
	u8 b;

	for (b = byte_at(in, 0); is_legacy_prefix(b); b = byte_at(in, ++n))
		lock |= b == PREFIX_LOCK;
	if (in->long_mode && (b & 0xf0) == 0x40) {
		rex = b;
		n++;
	}
	for (i = 0; i < kind->bytes; i++, n++)
		if ((byte_at(in, n) | ignored) != (kind->opcode[i] | ignored))
			return in->err ? in->err : MHI_EINVAL;
	if (kind->flags & SVM_MODRM_CR) {
		b = byte_at(in, n++);
		if (!in->err && decode_modrm(x, b, rex, lock))
			return MHI_EINVAL;
	}
	x->insn_len = (u8)n;
	return in->err;
}

static int parse_once(struct insn *in, const struct svm_kind *kind, struct mhi_exit *x,
		      bool may_guess)
{
	in->may_guess = may_guess;
	in->guessed = false;
	in->err = 0;
	in->have = 0;
	return parse(in, kind, x);
}

static int parse_insn(struct insn *in, const struct svm_kind *kind, struct mhi_exit *x)
{
	int err = parse_once(in, kind, x, true);

	return err && in->guessed ? parse_once(in, kind, x, false) : err;
}

void mhi_svm_insn_complete(struct mhi_vcpu *v, const struct svm_kind *kind, struct mhi_exit *x)
{
	const struct mhi_vmcb_state *st = &svm_of(v)->vmcb->state;
	struct insn in;
	int err;

	in.v = v;
	in.long_mode = st->efer & MHI_EFER_LMA && st->cs.attrib & MHI_SVM_SEG_L;
	in.linear = in.long_mode ? st->rip : st->cs.base + st->rip;
	in.gpa = 0;
	err = parse_insn(&in, kind, x);
	if (!err)
		return;
	x->insn_len = 0;
	if (err != MHI_EAGAIN) {
		x->reason = err == MHI_EFAULT ? MHI_X_HOST : MHI_X_UNHANDLED;
		return;
	}
	x->reason = MHI_X_FETCH;
	x->fault.gpa = in.gpa;
	x->fault.access = MHI_FAULT_READ;
	x->fault.insn_bytes = 0;
}

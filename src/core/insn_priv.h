/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the instruction emulator: the decoded form of an instruction, the context of
 * one emulation, and what insn_decode.c, insn_mem.c, insn_alu.c, insn_exec.c and insn_string.c give
 * each other.
 */
#ifndef MHI_CORE_INSN_PRIV_H
#define MHI_CORE_INSN_PRIV_H

#include "core/insn.h"
#include "base/x86.h"
#include "mm/gwalk.h"

/* RFLAGS: SDM 1 3.4.3 "EFLAGS Register". */
#define RFLAGS_CF MHI_BIT(0)
#define RFLAGS_PF MHI_BIT(2)
#define RFLAGS_AF MHI_BIT(4)
#define RFLAGS_ZF MHI_BIT(6)
#define RFLAGS_SF MHI_BIT(7)
#define RFLAGS_DF MHI_BIT(10)
#define RFLAGS_OF MHI_BIT(11)
#define RFLAGS_RF MHI_BIT(16)
#define RFLAGS_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* How the CPU decodes: by CS and EFER. Real mode and virtual-8086 mode decode alike. */
enum mhi_insn_mode { MHI_INSN_64, MHI_INSN_32, MHI_INSN_16, MHI_INSN_REAL, MHI_INSN_MODES };

enum mhi_insn_op {
	MHI_OP_UNKNOWN,
	MHI_OP_NOP,   /* cache line write-backs: nothing to do on MMIO */
	MHI_OP_STORE, /* MOV of a register or constant to memory */
	MHI_OP_LOAD,  /* MOV, MOVZX of memory to a register */
	MHI_OP_MOV,   /* MOV and MOVZX otherwise */
	MHI_OP_MOVSX,
	MHI_OP_MOVBE,
	MHI_OP_ADD,
	MHI_OP_OR,
	MHI_OP_ADC,
	MHI_OP_SBB,
	MHI_OP_AND,
	MHI_OP_SUB,
	MHI_OP_XOR,
	MHI_OP_CMP,
	MHI_OP_TEST,
	MHI_OP_INC,
	MHI_OP_DEC,
	MHI_OP_NEG,
	MHI_OP_NOT,
	MHI_OP_BT,
	MHI_OP_BTS,
	MHI_OP_BTR,
	MHI_OP_BTC,
	MHI_OP_XCHG,
	MHI_OP_XADD,
	MHI_OP_CMPXCHG,
	MHI_OP_CMPXCHG_PAIR, /* CMPXCHG8B, CMPXCHG16B */
	MHI_OP_PUSH,
	MHI_OP_POP,
	MHI_OP_MOVS,
	MHI_OP_STOS,
	MHI_OP_LODS,
	MHI_OP_CMPS,
	MHI_OP_SCAS,
	MHI_OP_INS,
	MHI_OP_OUTS,
	MHI_OP_COUNT
};

enum mhi_insn_rep { MHI_REP_NONE, MHI_REP_E, MHI_REP_NE };

enum mhi_insn_kind { MHI_OPND_NONE, MHI_OPND_GPR, MHI_OPND_MEM, MHI_OPND_IMM };

struct mhi_insn_opnd {
	u8 kind; /* enum mhi_insn_kind */
	u8 size; /* bytes */
	u8 reg;	 /* GPR: MHK_RAX.. */
	u8 high; /* GPR: AH, CH, DH, BH */
};

#define MHI_INSN_NO_REG 0xff
#define MHI_INSN_RIP MHK_GPRS /* as a base register */

/*
 * An instruction, decoded once. The bytes are kept as two little-endian words, zero beyond the
 * length, with the masks that cut other bytes to the same length.
 */
struct mhi_insn_dec {
	u64 word[2], mask[2];
	u64 imm;
	s64 disp;
	struct mhi_insn_opnd dst, src;
	u8 op;			    /* enum mhi_insn_op */
	u8 mode;		    /* enum mhi_insn_mode */
	u8 len;			    /* 0: an empty cache line */
	u8 size;		    /* operand size in bytes */
	u8 addrsize;		    /* 2, 4, 8 */
	u8 rep;			    /* enum mhi_insn_rep */
	u8 seg, base, index, scale; /* of the memory operand, or the source of a string */
};

/* Instruction bytes as fetched; what lies behind len is anything. */
struct mhi_insn_bytes {
	u64 word[2];
	u8 len;
};

/* One page translated earlier in the same instruction: for the iterations of REP. */
struct mhi_insn_page {
	mh_gva gva; /* page-aligned; ~0: none */
	mh_gpa gpa;
};

/* What governs page walks, as of the last look. */
struct mhi_insn_regs {
	u64 cr0, cr3, cr4, efer, rflags;
	struct mhi_gwalk_window window[MHI_GWALK_WINDOWS];
	u64 epoch; /* counts changes; not 0 after the first look */
};

/* A walk of the past, with the entries that it has read. */
struct mhi_insn_memo {
	u64 epoch; /* of the registers; 0: no walk */
	mh_gva page;
	mh_gpa gpa;	  /* of the page */
	const u8 *direct; /* the page, when it lies in a window */
	unsigned int access, levels;
	const u64 *at[5]; /* [levels] */
	u64 value[5];	  /* [levels] */
};

/* A line of the cache: an instruction, and the walks it has made. */
struct mhi_insn_line {
	struct mhi_insn_dec dec;
	struct mhi_insn_memo code, operand;
};

/* A translated operand in guest-physical memory: two pieces when it crosses a page. */
struct mhi_insn_ref {
	mh_gpa gpa[2];
	u8 size, first; /* bytes: all, in the first piece */
};

/* An operand made ready: translated when it lies in memory. */
struct mhi_insn_loc {
	const struct mhi_insn_opnd *opnd;
	struct mhi_insn_ref ref;
};

struct mhi_insn_ctx {
	struct mhi_insn_cache *cache;
	const struct mhi_insn_env *env;
	struct mhk_state *s;
	struct mhi_insn_out *out;
	const struct mhi_insn_dec *d;
	struct mhi_insn_page
		*page; /* the page of the next operand, as translated before, or NULL */
	struct mhi_gwalk_env walk;
	struct mhi_insn_bytes bytes;
	unsigned int user; /* MHI_GWALK_USER at CPL 3, else 0 */
	enum mhi_insn_mode mode;
};

/* All functions below that return int give enum mhi_insn_result: 0 is success. */

/* insn.c: end the emulation as UNKNOWN with the reason, as EXCEPTION. */
int mhi_insn_refuse(struct mhi_insn_ctx *c, const char *why);
int mhi_insn_fault(struct mhi_insn_ctx *c, unsigned int vector, u32 error);

/* insn_decode.c: the only user of Zydis. */
struct mhi_insn_decoders;
struct mhi_insn_decoders *mhi_insn_decoders_create(void);
void mhi_insn_decoders_destroy(struct mhi_insn_decoders *z);
/*
 * 0, with MHI_OP_UNKNOWN for what is not emulated; MH_EINVAL not an instruction; MH_ERANGE the
 * bytes end within it.
 */
int mhi_insn_decode(const struct mhi_insn_decoders *z, enum mhi_insn_mode mode,
		    const struct mhi_insn_bytes *bytes, struct mhi_insn_dec *d);
/* "<disassembly> [<bytes>]", whatever the bytes are. */
void mhi_insn_describe(const struct mhi_insn_decoders *z, enum mhi_insn_mode mode,
		       const struct mhi_insn_bytes *bytes, char *text, size_t size);

/* insn_mem.c */
int mhi_insn_walk(struct mhi_insn_ctx *c, mh_gva gva, unsigned int access, unsigned int seg,
		  mh_gpa *gpa);
/* Translate size bytes at seg:offset. */
int mhi_insn_ref(struct mhi_insn_ctx *c, unsigned int seg, u64 offset, unsigned int size,
		 bool write, struct mhi_insn_ref *ref);
int mhi_insn_ref_read(struct mhi_insn_ctx *c, const struct mhi_insn_ref *ref, void *buf);
int mhi_insn_ref_write(struct mhi_insn_ctx *c, const struct mhi_insn_ref *ref, const void *buf);
u64 mhi_insn_ea(const struct mhi_insn_ctx *c); /* of the memory operand */
int mhi_insn_open(struct mhi_insn_ctx *c, const struct mhi_insn_opnd *opnd, bool write,
		  struct mhi_insn_loc *loc);
int mhi_insn_load(struct mhi_insn_ctx *c, const struct mhi_insn_loc *loc, u64 *value);
int mhi_insn_store(struct mhi_insn_ctx *c, const struct mhi_insn_loc *loc, u64 value);
/* Replace the low bytes of a register; 4 bytes clear the upper half. */
void mhi_insn_gpr_set(struct mhi_insn_ctx *c, unsigned int reg, unsigned int bytes, u64 value);

static inline u64 mhi_insn_mask(unsigned int bytes) /* 1 to 8 */
{
	return ~0ull >> (64 - 8 * bytes);
}

static inline void mhi_insn_gpr_put(u64 *gpr, unsigned int bytes, u64 value)
{
	u64 mask = mhi_insn_mask(bytes);

	*gpr = (value & mask) | (bytes == 4 ? 0 : *gpr & ~mask);
}

/* SDM 3A 5.5 "Privilege Levels": the DPL of SS. */
static inline unsigned int mhi_insn_cpl(const struct mhk_state *s)
{
	return s->cr0 & MHI_CR0_PE ? s->seg[MHK_SS].attr >> 5 & 3 : 0;
}

/* insn_memo.c: the current registers; a new epoch when they or the windows have changed. */
void mhi_insn_regs_set(struct mhi_insn_regs *r, const struct mhk_state *s,
		       const struct mhi_insn_env *env);
/*
 * Walk to gva's page in IA-32e paging: then m->gpa and m->direct are current. False: the walk
 * faults, or its tables are not in the windows.
 */
bool mhi_insn_memo_walk(struct mhi_insn_memo *m, const struct mhi_insn_regs *r, mh_gva gva,
			unsigned int access, const struct mhi_insn_env *env);

/*
 * insn_fast.c: for MHI_OP_LOAD and MHI_OP_STORE in 64-bit mode; given: the CPU's bytes, or none.
 * False: nothing was done.
 */
bool mhi_insn_fast(struct mhi_insn_line *line, struct mhi_insn_regs *r,
		   const struct mhi_insn_env *env, struct mhk_state *s, struct mhi_insn_out *out,
		   const struct mhi_insn_bytes *given);

/* insn_alu.c: results cut to bytes, status flags replaced in *rflags. */
u64 mhi_alu_add(u64 a, u64 b, unsigned int carry, unsigned int bytes, u64 *rflags);
u64 mhi_alu_sub(u64 a, u64 b, unsigned int borrow, unsigned int bytes, u64 *rflags);
u64 mhi_alu_logic(u64 result, unsigned int bytes, u64 *rflags);

/* insn_exec.c, insn_string.c: act on c->d; RIP is moved by them. */
int mhi_insn_exec(struct mhi_insn_ctx *c);
int mhi_insn_string(struct mhi_insn_ctx *c);
void mhi_insn_advance(struct mhi_insn_ctx *c);

#endif

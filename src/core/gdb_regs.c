// SPDX-License-Identifier: MIT
/* Registers for GDB: one table says where each is, in the order of the target description. */
#include "core/gdb_regs.h"

#include <stddef.h>
#include <string.h>

#include "base/x86.h"

/* The XSAVE image, SDM 1 13.4.1 "Legacy Region of an XSAVE Area", 13.4.2 "XSAVE Header". */
#define X_FCW 0
#define X_FSW 2
#define X_FTW 4
#define X_FOP 6
#define X_FIP 8
#define X_FCS 12
#define X_FDP 16
#define X_FDS 20
#define X_MXCSR 24
#define X_ST 32
#define X_XMM 160
#define X_HEADER 512
#define X_SLOT 16
#define FCW_INIT 0x37f
#define MXCSR_INIT 0x1f80
#define TAG_EMPTY 3u

enum kind {
	STATE, /* of struct mhk_state; FPU: of the image */
	FPU,
	FTAG, /* two bits a register for GDB, one in the image */
};

struct reg {
	u8 kind, bytes, stored; /* bytes: GDB's; stored: those there are */
	u16 at;
	u32 group;
};

/* clang-format off */
#define AT(field) offsetof(struct mhk_state, field)
#define GPR(n) { STATE, 8, 8, AT(gpr) + 8 * MHK_##n, MHK_G_GPR }
#define SEL(n) { STATE, 4, 2, AT(seg[MHK_##n].sel), MHK_G_SEG }
#define CR(field) { STATE, 8, 8, AT(field), MHK_G_CR }
#define X(bytes, stored, at) { FPU, bytes, stored, at, MHK_G_FPU }
#define ST(n) X(10, 10, X_ST + X_SLOT * (n))
#define XMM(n) X(16, 16, X_XMM + X_SLOT * (n))

static const struct reg regs[MHI_GDB_REGS] = {
	GPR(RAX), GPR(RBX), GPR(RCX), GPR(RDX), GPR(RSI), GPR(RDI), GPR(RBP), GPR(RSP),
	GPR(R8), GPR(R9), GPR(R10), GPR(R11), GPR(R12), GPR(R13), GPR(R14), GPR(R15),
	{ STATE, 8, 8, AT(rip), MHK_G_RIP }, { STATE, 4, 8, AT(rflags), MHK_G_RIP },
	SEL(CS), SEL(SS), SEL(DS), SEL(ES), SEL(FS), SEL(GS),
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7),
	X(4, 2, X_FCW), X(4, 2, X_FSW), { FTAG, 4, 1, X_FTW, MHK_G_FPU }, X(4, 2, X_FCS),
	X(4, 4, X_FIP), X(4, 2, X_FDS), X(4, 4, X_FDP), X(4, 2, X_FOP),
	XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7),
	XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15),
	X(4, 4, X_MXCSR),
	{ STATE, 8, 8, AT(seg[MHK_FS].base), MHK_G_SEG },
	{ STATE, 8, 8, AT(seg[MHK_GS].base), MHK_G_SEG },
	{ STATE, 8, 8, AT(kernel_gs_base), MHK_G_MSR },
	CR(cr0), CR(cr2), CR(cr3), CR(cr4), CR(cr8), CR(efer),
};
/* clang-format on */

/* Numbers follow the order of the elements. */
/* clang-format off */
#define REG(name, bits, type) \
	"<reg name=\"" name "\" bitsize=\"" bits "\" type=\"" type "\"/>"
#define IN_GROUP(name, type, group) \
	"<reg name=\"" name "\" bitsize=\"32\" type=\"" type "\" group=\"" group "\"/>"
#define R64(name, type) REG(name, "64", type)
#define R32(name, type) REG(name, "32", type)
#define R80(name) REG(name, "80", "i387_ext")
#define R128(name) REG(name, "128", "vec128")
#define RFP(name) IN_GROUP(name, "int", "float")
#define BIT(name, n) "<field name=\"" name "\" start=\"" n "\" end=\"" n "\"/>"
#define FLAGS(name, bytes) "<flags id=\"" name "\" size=\"" bytes "\">"
#define VECTOR(name, type, n) \
	"<vector id=\"" name "\" type=\"" type "\" count=\"" n "\"/>"
#define FIELD(name, type) "<field name=\"" name "\" type=\"" type "\"/>"
#define FEATURE(name) "<feature name=\"" name "\">"

const char mhi_gdb_target_xml[] =
	"<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
	"<target><architecture>i386:x86-64</architecture>"
	FEATURE("org.gnu.gdb.i386.core")
	FLAGS("i386_eflags", "4")
	BIT("CF", "0") BIT("", "1") BIT("PF", "2") BIT("AF", "4")
	BIT("ZF", "6") BIT("SF", "7") BIT("TF", "8") BIT("IF", "9")
	BIT("DF", "10") BIT("OF", "11") BIT("NT", "14") BIT("RF", "16")
	BIT("VM", "17") BIT("AC", "18") BIT("VIF", "19") BIT("VIP", "20")
	BIT("ID", "21")
	"</flags>"
	R64("rax", "int64") R64("rbx", "int64") R64("rcx", "int64") R64("rdx", "int64")
	R64("rsi", "int64") R64("rdi", "int64") R64("rbp", "data_ptr") R64("rsp", "data_ptr")
	R64("r8", "int64") R64("r9", "int64") R64("r10", "int64") R64("r11", "int64")
	R64("r12", "int64") R64("r13", "int64") R64("r14", "int64") R64("r15", "int64")
	R64("rip", "code_ptr") R32("eflags", "i386_eflags")
	R32("cs", "int32") R32("ss", "int32") R32("ds", "int32")
	R32("es", "int32") R32("fs", "int32") R32("gs", "int32")
	R80("st0") R80("st1") R80("st2") R80("st3") R80("st4") R80("st5") R80("st6") R80("st7")
	RFP("fctrl") RFP("fstat") RFP("ftag") RFP("fiseg")
	RFP("fioff") RFP("foseg") RFP("fooff") RFP("fop")
	"</feature>"
	FEATURE("org.gnu.gdb.i386.sse")
	VECTOR("v4f", "ieee_single", "4") VECTOR("v2d", "ieee_double", "2")
	VECTOR("v16i8", "int8", "16") VECTOR("v8i16", "int16", "8")
	VECTOR("v4i32", "int32", "4") VECTOR("v2i64", "int64", "2")
	"<union id=\"vec128\">"
	FIELD("v4_float", "v4f") FIELD("v2_double", "v2d") FIELD("v16_int8", "v16i8")
	FIELD("v8_int16", "v8i16") FIELD("v4_int32", "v4i32") FIELD("v2_int64", "v2i64")
	FIELD("uint128", "uint128")
	"</union>"
	FLAGS("i386_mxcsr", "4")
	BIT("IE", "0") BIT("DE", "1") BIT("ZE", "2") BIT("OE", "3")
	BIT("UE", "4") BIT("PE", "5") BIT("DAZ", "6") BIT("IM", "7")
	BIT("DM", "8") BIT("ZM", "9") BIT("OM", "10") BIT("UM", "11")
	BIT("PM", "12") BIT("FZ", "15")
	"</flags>"
	R128("xmm0") R128("xmm1") R128("xmm2") R128("xmm3")
	R128("xmm4") R128("xmm5") R128("xmm6") R128("xmm7")
	R128("xmm8") R128("xmm9") R128("xmm10") R128("xmm11")
	R128("xmm12") R128("xmm13") R128("xmm14") R128("xmm15")
	IN_GROUP("mxcsr", "i386_mxcsr", "vector")
	"</feature>"
	FEATURE("org.gnu.gdb.i386.segments")
	R64("fs_base", "int64") R64("gs_base", "int64")
	"</feature>"
	FEATURE("org.macrohard.system")
	FLAGS("x64_cr0", "8")
	BIT("PE", "0") BIT("MP", "1") BIT("EM", "2") BIT("TS", "3")
	BIT("ET", "4") BIT("NE", "5") BIT("WP", "16") BIT("AM", "18")
	BIT("NW", "29") BIT("CD", "30") BIT("PG", "31")
	"</flags>"
	FLAGS("x64_cr4", "8")
	BIT("VME", "0") BIT("PVI", "1") BIT("TSD", "2") BIT("DE", "3")
	BIT("PSE", "4") BIT("PAE", "5") BIT("MCE", "6") BIT("PGE", "7")
	BIT("PCE", "8") BIT("OSFXSR", "9") BIT("OSXMMEXCPT", "10") BIT("UMIP", "11")
	BIT("LA57", "12") BIT("VMXE", "13") BIT("SMXE", "14") BIT("FSGSBASE", "16")
	BIT("PCIDE", "17") BIT("OSXSAVE", "18") BIT("SMEP", "20") BIT("SMAP", "21")
	BIT("PKE", "22")
	"</flags>"
	FLAGS("x64_efer", "8")
	BIT("SCE", "0") BIT("LME", "8") BIT("LMA", "10") BIT("NXE", "11")
	BIT("SVME", "12") BIT("FFXSR", "14")
	"</flags>"
	R64("k_gs_base", "int64") R64("cr0", "x64_cr0") R64("cr2", "int64") R64("cr3", "int64")
	R64("cr4", "x64_cr4") R64("cr8", "int64") R64("efer", "x64_efer")
	"</feature></target>";
/* clang-format on */

u32 mhi_gdb_reg_bytes(u32 nr)
{
	return nr < MHI_GDB_REGS ? regs[nr].bytes : 0;
}

u32 mhi_gdb_reg_group(u32 nr)
{
	return regs[nr].group;
}

/* ---- the FPU's image ---- */

/* Which of XSTATE_BV's components a place belongs to. */
static u64 component(u32 at)
{
	return at >= X_XMM || at == X_MXCSR ? MHI_XCR0_SSE : MHI_XCR0_X87;
}

/* What a component holds that XSTATE_BV does not name: SDM 1 13.6 "Processor Tracking". */
static void initial(u32 at, u8 *bytes)
{
	u16 fcw = FCW_INIT;
	u32 mxcsr = MXCSR_INIT;

	if (at == X_FCW)
		memcpy(bytes, &fcw, sizeof(fcw));
	if (at == X_MXCSR)
		memcpy(bytes, &mxcsr, sizeof(mxcsr));
}

static u64 xstate_bv(const u8 *fpu)
{
	u64 bv;

	memcpy(&bv, fpu + X_HEADER, sizeof(bv));
	return bv;
}

/* Everything that the component has in its initial state becomes explicit. */
static void materialise(u8 *fpu, u64 which)
{
	u64 bv = xstate_bv(fpu);

	if (bv & which)
		return;
	if (which == MHI_XCR0_X87) {
		memset(fpu, 0, X_MXCSR);
		memset(fpu + X_ST, 0, 8 * X_SLOT);
		initial(X_FCW, fpu + X_FCW);
	} else {
		memset(fpu + X_XMM, 0, 16 * X_SLOT);
		initial(X_MXCSR, fpu + X_MXCSR);
	}
	bv |= which;
	memcpy(fpu + X_HEADER, &bv, sizeof(bv));
}

static u32 full_tags(u8 abridged)
{
	u32 tags = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		tags |= (abridged >> i & 1 ? 0 : TAG_EMPTY) << 2 * i;
	return tags;
}

static u8 abridged_tags(u32 tags)
{
	u8 abridged = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		if ((tags >> 2 * i & 3) != TAG_EMPTY)
			abridged |= (u8)(1u << i);
	return abridged;
}

/* ---- one register ---- */

static void fpu_get(const struct reg *r, const u8 *fpu, u8 *bytes)
{
	u32 tags;

	if (xstate_bv(fpu) & component(r->at))
		memcpy(bytes, fpu + r->at, r->stored);
	else
		initial(r->at, bytes);
	if (r->kind == FTAG) {
		tags = full_tags(bytes[0]);
		memcpy(bytes, &tags, sizeof(tags));
	}
}

void mhi_gdb_reg_get(u32 nr, const struct mhk_state *s, const u8 *fpu, u8 *bytes)
{
	const struct reg *r = &regs[nr];
	u32 stored = r->stored < r->bytes ? r->stored : r->bytes;

	memset(bytes, 0, r->bytes);
	if (r->kind == STATE)
		memcpy(bytes, (const u8 *)s + r->at, stored);
	else
		fpu_get(r, fpu, bytes);
}

void mhi_gdb_reg_set(u32 nr, struct mhk_state *s, u8 *fpu, const u8 *bytes)
{
	const struct reg *r = &regs[nr];
	u32 stored = r->stored < r->bytes ? r->stored : r->bytes, tags;

	if (r->kind == STATE) {
		memcpy((u8 *)s + r->at, bytes, stored);
		return;
	}
	materialise(fpu, component(r->at));
	if (r->kind == FTAG) {
		memcpy(&tags, bytes, sizeof(tags));
		fpu[r->at] = abridged_tags(tags);
	} else {
		memcpy(fpu + r->at, bytes, stored);
	}
}

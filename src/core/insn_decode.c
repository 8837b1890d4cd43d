// SPDX-License-Identifier: MIT
/* From instruction bytes to the emulator's decoded form: the only file that knows Zydis. */
#include "core/insn_priv.h"
#include "macrohard/error.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>

struct mhi_insn_decoders {
	ZydisDecoder mode[MHI_INSN_MODES]; /* (c) */
};

/* What is emulated. String instructions share mnemonics with SSE, but not the category. */
static const struct {
	u16 mnemonic;
	u8 op;
	u8 size; /* of the element of a string instruction; 0: not one */
} known[] = {
	{ ZYDIS_MNEMONIC_MOV, MHI_OP_MOV, 0 },
	{ ZYDIS_MNEMONIC_MOVNTI, MHI_OP_MOV, 0 },
	{ ZYDIS_MNEMONIC_MOVZX, MHI_OP_MOV, 0 },
	{ ZYDIS_MNEMONIC_MOVSX, MHI_OP_MOVSX, 0 },
	{ ZYDIS_MNEMONIC_MOVSXD, MHI_OP_MOVSX, 0 },
	{ ZYDIS_MNEMONIC_MOVBE, MHI_OP_MOVBE, 0 },
	{ ZYDIS_MNEMONIC_ADD, MHI_OP_ADD, 0 },
	{ ZYDIS_MNEMONIC_OR, MHI_OP_OR, 0 },
	{ ZYDIS_MNEMONIC_ADC, MHI_OP_ADC, 0 },
	{ ZYDIS_MNEMONIC_SBB, MHI_OP_SBB, 0 },
	{ ZYDIS_MNEMONIC_AND, MHI_OP_AND, 0 },
	{ ZYDIS_MNEMONIC_SUB, MHI_OP_SUB, 0 },
	{ ZYDIS_MNEMONIC_XOR, MHI_OP_XOR, 0 },
	{ ZYDIS_MNEMONIC_CMP, MHI_OP_CMP, 0 },
	{ ZYDIS_MNEMONIC_TEST, MHI_OP_TEST, 0 },
	{ ZYDIS_MNEMONIC_INC, MHI_OP_INC, 0 },
	{ ZYDIS_MNEMONIC_DEC, MHI_OP_DEC, 0 },
	{ ZYDIS_MNEMONIC_NEG, MHI_OP_NEG, 0 },
	{ ZYDIS_MNEMONIC_NOT, MHI_OP_NOT, 0 },
	{ ZYDIS_MNEMONIC_BT, MHI_OP_BT, 0 },
	{ ZYDIS_MNEMONIC_BTS, MHI_OP_BTS, 0 },
	{ ZYDIS_MNEMONIC_BTR, MHI_OP_BTR, 0 },
	{ ZYDIS_MNEMONIC_BTC, MHI_OP_BTC, 0 },
	{ ZYDIS_MNEMONIC_XCHG, MHI_OP_XCHG, 0 },
	{ ZYDIS_MNEMONIC_XADD, MHI_OP_XADD, 0 },
	{ ZYDIS_MNEMONIC_CMPXCHG, MHI_OP_CMPXCHG, 0 },
	{ ZYDIS_MNEMONIC_CMPXCHG8B, MHI_OP_CMPXCHG_PAIR, 0 },
	{ ZYDIS_MNEMONIC_CMPXCHG16B, MHI_OP_CMPXCHG_PAIR, 0 },
	{ ZYDIS_MNEMONIC_PUSH, MHI_OP_PUSH, 0 },
	{ ZYDIS_MNEMONIC_POP, MHI_OP_POP, 0 },
	{ ZYDIS_MNEMONIC_CLFLUSH, MHI_OP_NOP, 0 },
	{ ZYDIS_MNEMONIC_CLFLUSHOPT, MHI_OP_NOP, 0 },
	{ ZYDIS_MNEMONIC_CLWB, MHI_OP_NOP, 0 },
	{ ZYDIS_MNEMONIC_MOVSB, MHI_OP_MOVS, 1 },
	{ ZYDIS_MNEMONIC_MOVSW, MHI_OP_MOVS, 2 },
	{ ZYDIS_MNEMONIC_MOVSD, MHI_OP_MOVS, 4 },
	{ ZYDIS_MNEMONIC_MOVSQ, MHI_OP_MOVS, 8 },
	{ ZYDIS_MNEMONIC_STOSB, MHI_OP_STOS, 1 },
	{ ZYDIS_MNEMONIC_STOSW, MHI_OP_STOS, 2 },
	{ ZYDIS_MNEMONIC_STOSD, MHI_OP_STOS, 4 },
	{ ZYDIS_MNEMONIC_STOSQ, MHI_OP_STOS, 8 },
	{ ZYDIS_MNEMONIC_LODSB, MHI_OP_LODS, 1 },
	{ ZYDIS_MNEMONIC_LODSW, MHI_OP_LODS, 2 },
	{ ZYDIS_MNEMONIC_LODSD, MHI_OP_LODS, 4 },
	{ ZYDIS_MNEMONIC_LODSQ, MHI_OP_LODS, 8 },
	{ ZYDIS_MNEMONIC_CMPSB, MHI_OP_CMPS, 1 },
	{ ZYDIS_MNEMONIC_CMPSW, MHI_OP_CMPS, 2 },
	{ ZYDIS_MNEMONIC_CMPSD, MHI_OP_CMPS, 4 },
	{ ZYDIS_MNEMONIC_CMPSQ, MHI_OP_CMPS, 8 },
	{ ZYDIS_MNEMONIC_SCASB, MHI_OP_SCAS, 1 },
	{ ZYDIS_MNEMONIC_SCASW, MHI_OP_SCAS, 2 },
	{ ZYDIS_MNEMONIC_SCASD, MHI_OP_SCAS, 4 },
	{ ZYDIS_MNEMONIC_SCASQ, MHI_OP_SCAS, 8 },
	{ ZYDIS_MNEMONIC_INSB, MHI_OP_INS, 1 },
	{ ZYDIS_MNEMONIC_INSW, MHI_OP_INS, 2 },
	{ ZYDIS_MNEMONIC_INSD, MHI_OP_INS, 4 },
	{ ZYDIS_MNEMONIC_OUTSB, MHI_OP_OUTS, 1 },
	{ ZYDIS_MNEMONIC_OUTSW, MHI_OP_OUTS, 2 },
	{ ZYDIS_MNEMONIC_OUTSD, MHI_OP_OUTS, 4 },
};

struct mhi_insn_decoders *mhi_insn_decoders_create(void)
{
	static const struct {
		ZydisMachineMode mode;
		ZydisStackWidth stack;
	} kind[MHI_INSN_MODES] = {
		[MHI_INSN_64] = { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
		[MHI_INSN_32] = { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
		[MHI_INSN_16] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
		[MHI_INSN_REAL] = { ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16 },
	};
	struct mhi_insn_decoders *z = calloc(1, sizeof(*z));
	unsigned int i;

	if (!z)
		return NULL;
	for (i = 0; i < MHI_INSN_MODES; i++) {
		if (!ZYAN_SUCCESS(ZydisDecoderInit(&z->mode[i], kind[i].mode, kind[i].stack))) {
			free(z);
			return NULL;
		}
	}
	return z;
}

void mhi_insn_decoders_destroy(struct mhi_insn_decoders *z)
{
	free(z);
}

/* Both number registers as instructions encode them; SPL to DIL have numbers of their own. */
static bool gpr_number(ZydisRegister reg, u8 *number, u8 *high)
{
	*high = 0;
	if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL) {
		*number = (u8)(reg - ZYDIS_REGISTER_AL);
	} else if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
		*number = (u8)(reg - ZYDIS_REGISTER_AH);
		*high = 1;
	} else if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B) {
		*number = (u8)(reg - ZYDIS_REGISTER_SPL + MHK_RSP);
	} else if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W) {
		*number = (u8)(reg - ZYDIS_REGISTER_AX);
	} else if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D) {
		*number = (u8)(reg - ZYDIS_REGISTER_EAX);
	} else if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15) {
		*number = (u8)(reg - ZYDIS_REGISTER_RAX);
	} else {
		return false;
	}
	return true;
}

static bool address_register(ZydisRegister reg, u8 *number)
{
	u8 high;

	if (reg == ZYDIS_REGISTER_NONE)
		*number = MHI_INSN_NO_REG;
	else if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		*number = MHI_INSN_RIP;
	else
		return gpr_number(reg, number, &high) && !high;
	return true;
}

static bool segment_number(ZydisRegister reg, u8 *number)
{
	if (reg < ZYDIS_REGISTER_ES || reg > ZYDIS_REGISTER_GS)
		return false;
	*number = (u8)(reg - ZYDIS_REGISTER_ES + MHK_ES);
	return true;
}

static bool take_memory(const ZydisDecodedOperand *z, struct mhi_insn_dec *d)
{
	if (z->mem.type != ZYDIS_MEMOP_TYPE_MEM)
		return false;
	d->disp = z->mem.disp.value;
	d->scale = z->mem.scale;
	return segment_number(z->mem.segment, &d->seg) && address_register(z->mem.base, &d->base) &&
	       address_register(z->mem.index, &d->index);
}

static bool take_operand(const ZydisDecodedOperand *z, struct mhi_insn_dec *d,
			 struct mhi_insn_opnd *o)
{
	o->size = (u8)(z->size / 8);
	if (o->size < 1 || o->size > 16)
		return false;
	switch (z->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		o->kind = MHI_OPND_GPR;
		return gpr_number(z->reg.value, &o->reg, &o->high);
	case ZYDIS_OPERAND_TYPE_MEMORY:
		o->kind = MHI_OPND_MEM;
		return take_memory(z, d);
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		o->kind = MHI_OPND_IMM;
		o->size = o == &d->dst ? d->size : d->dst.size;
		d->imm = z->imm.value.u;
		return !z->imm.is_relative;
	case ZYDIS_OPERAND_TYPE_UNUSED:
	case ZYDIS_OPERAND_TYPE_POINTER:
	default:
		return false;
	}
}

/* Sizes that the executor relies on: only the pair compare has 16 bytes. */
static bool sizes_fit(const struct mhi_insn_dec *d)
{
	unsigned int max = d->op == MHI_OP_CMPXCHG_PAIR ? 16 : 8;

	if (d->op == MHI_OP_NOP)
		return true;
	return d->dst.size && d->dst.size <= max && !(d->dst.size & (d->dst.size - 1)) &&
	       d->src.size <= 8 && !(d->src.size & (d->src.size - 1));
}

static bool needs_source(u8 op)
{
	switch (op) {
	case MHI_OP_INC:
	case MHI_OP_DEC:
	case MHI_OP_NEG:
	case MHI_OP_NOT:
	case MHI_OP_CMPXCHG_PAIR:
	case MHI_OP_PUSH:
	case MHI_OP_POP:
	case MHI_OP_NOP:
		return false;
	default:
		return true;
	}
}

static bool take_operands(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *z,
			  struct mhi_insn_dec *d)
{
	if (insn->operand_count_visible < 1 || insn->operand_count_visible > 2)
		return false;
	if (!take_operand(&z[0], d, &d->dst))
		return d->op == MHI_OP_NOP;
	if (insn->operand_count_visible == 2 && !take_operand(&z[1], d, &d->src))
		return false;
	if (needs_source(d->op) != (d->src.kind != MHI_OPND_NONE))
		return false;
	return sizes_fit(d);
}

/* The source segment is the one thing of a string instruction that is not fixed. */
static bool take_string(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *z,
			struct mhi_insn_dec *d)
{
	unsigned int i;

	d->seg = MHK_DS;
	for (i = 0; i < insn->operand_count; i++) {
		if (z[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (z[i].mem.base != ZYDIS_REGISTER_SI && z[i].mem.base != ZYDIS_REGISTER_ESI &&
		    z[i].mem.base != ZYDIS_REGISTER_RSI)
			continue;
		if (!segment_number(z[i].mem.segment, &d->seg))
			return false;
	}
	return true;
}

/* The last of the repeat prefixes counts; either repeats an instruction without a condition. */
static u8 repeat_prefix(const ZydisDecodedInstruction *insn)
{
	u8 rep = MHI_REP_NONE, i;

	for (i = 0; i < insn->raw.prefix_count; i++) {
		if (insn->raw.prefixes[i].value == 0xf3)
			rep = MHI_REP_E;
		else if (insn->raw.prefixes[i].value == 0xf2)
			rep = MHI_REP_NE;
	}
	return rep;
}

static void set_bytes(const struct mhi_insn_bytes *bytes, struct mhi_insn_dec *d)
{
	unsigned int high = d->len > 8 ? d->len - 8u : 0;

	d->mask[0] = mhi_insn_mask(d->len < 8 ? d->len : 8);
	d->mask[1] = high ? mhi_insn_mask(high) : 0;
	d->word[0] = bytes->word[0] & d->mask[0];
	d->word[1] = bytes->word[1] & d->mask[1];
}

/* The plain forms of MOV between memory and a register go the short way. */
static u8 plain_move(const struct mhi_insn_dec *d)
{
	if (d->dst.kind == MHI_OPND_MEM && !d->src.high)
		return MHI_OP_STORE;
	if (d->src.kind == MHI_OPND_MEM && !d->dst.high)
		return MHI_OP_LOAD;
	return MHI_OP_MOV;
}

static void translate(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *z,
		      struct mhi_insn_dec *d)
{
	bool string = insn->meta.category == ZYDIS_CATEGORY_STRINGOP ||
		      insn->meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
	bool ok = false;
	size_t i;

	if (insn->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return;
	for (i = 0; i < MHI_COUNT(known); i++) {
		if (known[i].mnemonic != insn->mnemonic || (known[i].size != 0) != string)
			continue;
		d->op = known[i].op;
		d->size = string ? known[i].size : insn->operand_width / 8;
		ok = string ? take_string(insn, z, d) : take_operands(insn, z, d);
		break;
	}
	if (!ok)
		d->op = MHI_OP_UNKNOWN;
	else if (d->op == MHI_OP_MOV)
		d->op = plain_move(d);
}

int mhi_insn_decode(const struct mhi_insn_decoders *z, enum mhi_insn_mode mode,
		    const struct mhi_insn_bytes *bytes, struct mhi_insn_dec *d)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZyanStatus status;

	memset(d, 0, sizeof(*d));
	d->base = d->index = MHI_INSN_NO_REG;
	status = ZydisDecoderDecodeFull(&z->mode[mode], bytes->word, bytes->len, &insn, operands);
	if (status == ZYDIS_STATUS_NO_MORE_DATA)
		return MH_ERANGE;
	if (!ZYAN_SUCCESS(status))
		return MH_EINVAL;
	d->mode = (u8)mode;
	d->len = insn.length;
	d->addrsize = insn.address_width / 8;
	d->rep = repeat_prefix(&insn);
	set_bytes(bytes, d);
	translate(&insn, operands, d);
	return 0;
}

void mhi_insn_describe(const struct mhi_insn_decoders *z, enum mhi_insn_mode mode,
		       const struct mhi_insn_bytes *bytes, char *text, size_t size)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisFormatter formatter;
	char name[96] = "not an instruction", hex[2 * MHK_INSN_MAX + 1] = "";
	const u8 *byte = (const u8 *)bytes->word;
	unsigned int i, len = bytes->len;

	if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&z->mode[mode], byte, len, &insn, operands))) {
		len = insn.length;
		if (!ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) ||
		    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(
			    &formatter, &insn, operands, insn.operand_count_visible, name,
			    sizeof(name), ZYDIS_RUNTIME_ADDRESS_NONE, ZYAN_NULL)))
			name[0] = '\0';
	}
	for (i = 0; i < len && i < MHK_INSN_MAX; i++)
		snprintf(hex + 2 * i, 3, "%02x", byte[i]);
	snprintf(text, size, "%s [%s]", name, hex);
}

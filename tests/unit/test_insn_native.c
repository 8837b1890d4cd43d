// SPDX-License-Identifier: MIT
/*
 * The emulator against this machine's own CPU: random instructions with random registers, flags and
 * memory run natively from a small stub and in the emulator, and all must come out the same.
 */
#include "unit.h"
#include "insn_vm.h"
#include "rng.h"

#include <stdio.h>
#include <sys/mman.h>

#define ROUNDS 40000
#define BUF VM_DATA /* the native buffer lies where the guest has its MMIO pages */
#define BUF_BYTES VM_MMIO_BYTES
#define CODE_MAX 15
#define STATUS 0x8d5ull /* CF PF AF ZF SF OF */
#define DF 0x400ull
#define NO_AF 0x10ull
#define NO_BT 0x894ull /* all but CF and ZF */

/* What the stub loads and stores; it lies in the second page after the stub's code. */
struct native {
	u64 gpr[16];
	u64 rflags;
	u64 host_rsp;
};

struct stub {
	u8 *page;
	struct native *n;
	u8 *end;
};

static struct stub stub;
static u8 *buffer;
static u8 before[BUF_BYTES];

static void emit(const void *bytes, size_t len)
{
	memcpy(stub.end, bytes, len);
	stub.end += len;
}

/* MOV between register and [RIP + distance to *field]: opcode 8B loads, 89 stores. */
static void emit_mov(u8 opcode, unsigned int reg, const void *field)
{
	u8 code[3] = { (u8)(reg >= 8 ? 0x4c : 0x48), opcode, (u8)(5 | (reg & 7) << 3) };
	s32 distance = (s32)((const u8 *)field - (stub.end + 7));

	emit(code, 3);
	emit(&distance, 4);
}

/* PUSH/POP qword [RIP + distance]. */
static void emit_stack(u8 opcode, u8 modrm, const void *field)
{
	s32 distance = (s32)((const u8 *)field - (stub.end + 6));
	u8 code[2] = { opcode, modrm };

	emit(code, 2);
	emit(&distance, 4);
}

static void assemble(const u8 *insn, unsigned int len)
{
	static const u8 save[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
	static const u8 restore[] = { 0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41,
				      0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3 };
	static const u8 pushf = 0x9c, popf = 0x9d;
	unsigned int i;

	stub.end = stub.page;
	emit(save, sizeof(save));
	emit_mov(0x89, MHK_RSP, &stub.n->host_rsp);
	emit_stack(0xff, 0x35, &stub.n->rflags);
	emit(&popf, 1);
	for (i = 0; i < 16; i++)
		emit_mov(0x8b, i, &stub.n->gpr[i]);
	emit(insn, len);
	for (i = 0; i < 16; i++)
		emit_mov(0x89, i, &stub.n->gpr[i]);
	emit_mov(0x8b, MHK_RSP, &stub.n->host_rsp);
	emit(&pushf, 1);
	emit_stack(0x8f, 0x05, &stub.n->rflags);
	emit(restore, sizeof(restore));
}

static void stub_setup(void)
{
	stub.page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(stub.page, MAP_FAILED);
	stub.n = (struct native *)(stub.page + 4096);
	buffer = mmap((void *)BUF, BUF_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ck_assert_ptr_eq(buffer, (void *)BUF);
}

static void stub_teardown(void)
{
	munmap(buffer, BUF_BYTES);
	munmap(stub.page, 8192);
}

/* ---- random instructions ---- */

enum shape {
	RM_REG,	     /* opcode /r, both sizes by the low opcode bit */
	RM_REG_WIDE, /* the same without the 8-bit form */
	RM_IMM,	     /* group with an immediate of the operand's size (at most 4) */
	RM_IMM8,     /* group with an 8-bit immediate */
	RM_ONLY,     /* group without */
	RM_BIT_REG,  /* bit offset in a register */
	RM_PAIR,     /* CMPXCHG8B/16B */
	RM_STACK,    /* PUSH/POP */
	MOFFS,
	STRING,
};

static const struct kind {
	const char *name;
	u8 shape;
	u8 map;	       /* 0: one byte; 1: 0F; 2: 0F 38 */
	u8 opcode;     /* of the 8-bit form, where there is one */
	u8 digit;      /* of a group */
	u64 undefined; /* flags */
} kinds[] = {
	{ "add", RM_REG, 0, 0x00, 0, 0 },	    { "add ld", RM_REG, 0, 0x02, 0, 0 },
	{ "or", RM_REG, 0, 0x08, 0, NO_AF },	    { "or ld", RM_REG, 0, 0x0a, 0, NO_AF },
	{ "adc", RM_REG, 0, 0x10, 0, 0 },	    { "adc ld", RM_REG, 0, 0x12, 0, 0 },
	{ "sbb", RM_REG, 0, 0x18, 0, 0 },	    { "sbb ld", RM_REG, 0, 0x1a, 0, 0 },
	{ "and", RM_REG, 0, 0x20, 0, NO_AF },	    { "and ld", RM_REG, 0, 0x22, 0, NO_AF },
	{ "sub", RM_REG, 0, 0x28, 0, 0 },	    { "sub ld", RM_REG, 0, 0x2a, 0, 0 },
	{ "xor", RM_REG, 0, 0x30, 0, NO_AF },	    { "xor ld", RM_REG, 0, 0x32, 0, NO_AF },
	{ "cmp", RM_REG, 0, 0x38, 0, 0 },	    { "cmp ld", RM_REG, 0, 0x3a, 0, 0 },
	{ "test", RM_REG, 0, 0x84, 0, NO_AF },	    { "xchg", RM_REG, 0, 0x86, 0, 0 },
	{ "mov", RM_REG, 0, 0x88, 0, 0 },	    { "mov ld", RM_REG, 0, 0x8a, 0, 0 },
	{ "add i", RM_IMM, 0, 0x80, 0, 0 },	    { "or i", RM_IMM, 0, 0x80, 1, NO_AF },
	{ "adc i", RM_IMM, 0, 0x80, 2, 0 },	    { "sbb i", RM_IMM, 0, 0x80, 3, 0 },
	{ "and i", RM_IMM, 0, 0x80, 4, NO_AF },	    { "sub i", RM_IMM, 0, 0x80, 5, 0 },
	{ "xor i", RM_IMM, 0, 0x80, 6, NO_AF },	    { "cmp i", RM_IMM, 0, 0x80, 7, 0 },
	{ "add i8", RM_IMM8, 0, 0x83, 0, 0 },	    { "and i8", RM_IMM8, 0, 0x83, 4, NO_AF },
	{ "cmp i8", RM_IMM8, 0, 0x83, 7, 0 },	    { "sub i8", RM_IMM8, 0, 0x83, 5, 0 },
	{ "mov i", RM_IMM, 0, 0xc6, 0, 0 },	    { "test i", RM_IMM, 0, 0xf6, 0, NO_AF },
	{ "not", RM_ONLY, 0, 0xf6, 2, 0 },	    { "neg", RM_ONLY, 0, 0xf6, 3, 0 },
	{ "inc", RM_ONLY, 0, 0xfe, 0, 0 },	    { "dec", RM_ONLY, 0, 0xfe, 1, 0 },
	{ "movzx8", RM_REG_WIDE, 1, 0xb6, 0, 0 },   { "movzx16", RM_REG_WIDE, 1, 0xb7, 0, 0 },
	{ "movsx8", RM_REG_WIDE, 1, 0xbe, 0, 0 },   { "movsx16", RM_REG_WIDE, 1, 0xbf, 0, 0 },
	{ "movsxd", RM_REG_WIDE, 0, 0x63, 0, 0 },   { "bt", RM_BIT_REG, 1, 0xa3, 0, NO_BT },
	{ "bts", RM_BIT_REG, 1, 0xab, 0, NO_BT },   { "btr", RM_BIT_REG, 1, 0xb3, 0, NO_BT },
	{ "btc", RM_BIT_REG, 1, 0xbb, 0, NO_BT },   { "bt i", RM_IMM8, 1, 0xba, 4, NO_BT },
	{ "bts i", RM_IMM8, 1, 0xba, 5, NO_BT },    { "btr i", RM_IMM8, 1, 0xba, 6, NO_BT },
	{ "btc i", RM_IMM8, 1, 0xba, 7, NO_BT },    { "cmpxchg", RM_REG, 1, 0xb0, 0, 0 },
	{ "xadd", RM_REG, 1, 0xc0, 0, 0 },	    { "cmpxchg pair", RM_PAIR, 1, 0xc7, 1, 0 },
	{ "movbe ld", RM_REG_WIDE, 2, 0xf0, 0, 0 }, { "movbe", RM_REG_WIDE, 2, 0xf1, 0, 0 },
	{ "push", RM_STACK, 0, 0xff, 6, 0 },	    { "pop", RM_STACK, 0, 0x8f, 0, 0 },
	{ "mov moffs ld", MOFFS, 0, 0xa0, 0, 0 },   { "mov moffs", MOFFS, 0, 0xa2, 0, 0 },
	{ "movs", STRING, 0, 0xa4, 0, 0 },	    { "stos", STRING, 0, 0xaa, 0, 0 },
	{ "lods", STRING, 0, 0xac, 0, 0 },	    { "cmps", STRING, 0, 0xa6, 0, 0 },
	{ "scas", STRING, 0, 0xae, 0, 0 },
};

/* One random case. Memory is addressed as [base + index * scale + disp32]. */
struct draw {
	const struct kind *kind;
	u8 code[CODE_MAX];
	unsigned int len, size;
	u64 gpr[16], rflags;
	u64 target; /* address of the operand */
	u8 base, index;
};

static u8 random_reg(struct rng *r)
{
	u8 reg;

	do
		reg = (u8)rng_below(r, 16);
	while (reg == MHK_RSP);
	return reg;
}

static void put(struct draw *d, const void *bytes, unsigned int len)
{
	ck_assert_uint_le(d->len + len, CODE_MAX);
	memcpy(d->code + d->len, bytes, len);
	d->len += len;
}

static void put8(struct draw *d, unsigned int byte)
{
	u8 b = (u8)byte;

	put(d, &b, 1);
}

static void put_opcode(struct draw *d, u8 opcode)
{
	if (d->kind->map)
		put8(d, 0x0f);
	if (d->kind->map == 2)
		put8(d, 0x38);
	put8(d, opcode);
}

static bool has_byte_form(const struct kind *k)
{
	return k->shape == RM_REG || k->shape == MOFFS || k->shape == STRING ||
	       k->shape == RM_ONLY || k->shape == RM_IMM;
}

/* Prefixes, and REX when it is needed or by chance: without it AH to BH are reached. */
static void put_prefixes(struct draw *d, struct rng *r, unsigned int reg)
{
	u8 rex = (u8)((reg >= 8 ? 4 : 0) | (d->index >= 8 ? 2 : 0) | (d->base >= 8 ? 1 : 0));

	if (d->size == 2)
		put8(d, 0x66);
	if (d->size == 8 && d->kind->shape != RM_STACK)
		rex |= 8;
	if (rex || rng_below(r, 2))
		put8(d, 0x40u | rex);
}

static void put_memory(struct draw *d, struct rng *r, unsigned int reg)
{
	unsigned int scale = (unsigned int)rng_below(r, 4);
	u64 sum = d->gpr[d->base] + (d->gpr[d->index] << scale);
	s32 disp = (s32)rng_next(r);

	put8(d, 0x84u | (reg & 7) << 3);
	put8(d, scale << 6 | (d->index & 7u) << 3 | (d->base & 7u));
	put(d, &disp, 4);
	/* Move the base so that the sum meets the target. */
	d->gpr[d->base] += d->target - (sum + (u64)(s64)disp);
}

static void draw_rm(struct draw *d, struct rng *r)
{
	const struct kind *k = d->kind;
	bool group = k->shape == RM_IMM || k->shape == RM_IMM8 || k->shape == RM_ONLY ||
		     k->shape == RM_PAIR || k->shape == RM_STACK;
	unsigned int reg = group ? k->digit : random_reg(r);
	u64 imm = rng_next(r);

	do
		d->base = random_reg(r);
	while (k->shape == RM_PAIR && d->base <= MHK_RBX);
	do
		d->index = random_reg(r);
	while (d->index == d->base);
	if (k->shape == RM_BIT_REG) {
		/* The offset must stay what it is while the base is moved. */
		while (reg == d->base)
			reg = random_reg(r);
		d->gpr[reg] = rng_below(r, 2 * 8 * 1024) - 8 * 1024;
	}
	put_prefixes(d, r, reg);
	put_opcode(d, (u8)(k->opcode | (has_byte_form(k) && d->size > 1)));
	put_memory(d, r, reg);
	if (k->shape == RM_IMM)
		put(d, &imm, d->size < 4 ? d->size : 4);
	else if (k->shape == RM_IMM8)
		put(d, &imm, 1);
}

static void draw_moffs(struct draw *d, struct rng *r)
{
	d->base = d->index = 0;
	put_prefixes(d, r, 0);
	put_opcode(d, (u8)(d->kind->opcode | (d->size > 1)));
	put(d, &d->target, 8);
}

/* Both indices in the buffer, with room for the count either way; at times 32-bit addresses. */
static void draw_string(struct draw *d, struct rng *r)
{
	unsigned int rep = (unsigned int)rng_below(r, 3);

	d->base = d->index = 0;
	if (rng_below(r, 2))
		d->rflags |= DF;
	d->gpr[MHK_RSI] = BUF + 1024 + rng_below(r, BUF_BYTES - 2048);
	d->gpr[MHK_RDI] = BUF + 1024 + rng_below(r, BUF_BYTES - 2048);
	d->gpr[MHK_RCX] = rng_below(r, 100);
	if (rep)
		put8(d, 0xf1 + rep);
	if (rng_below(r, 4) == 0 && d->gpr[MHK_RCX]) {
		put8(d, 0x67);
		d->gpr[MHK_RSI] |= rng_next(r) << 32;
		d->gpr[MHK_RDI] |= rng_next(r) << 32;
		d->gpr[MHK_RCX] |= rng_next(r) << 32;
	}
	put_prefixes(d, r, 0);
	put_opcode(d, (u8)(d->kind->opcode | (d->size > 1)));
}

static unsigned int draw_size(struct rng *r, const struct kind *k)
{
	unsigned int size = 1u << rng_below(r, 4);

	if (size == 1 && !has_byte_form(k))
		size = 4;
	if (k->shape == RM_PAIR)
		size = 4 + 4 * (unsigned int)rng_below(r, 2);
	if (k->shape == RM_STACK)
		size = rng_below(r, 2) ? 8 : 2;
	return size;
}

static void draw(struct draw *d, struct rng *r)
{
	unsigned int i;

	memset(d, 0, sizeof(*d));
	d->kind = &kinds[rng_below(r, MHI_COUNT(kinds))];
	d->size = draw_size(r, d->kind);
	for (i = 0; i < 16; i++)
		d->gpr[i] = rng_below(r, 3) ? rng_next(r) : rng_below(r, 4) - 2;
	d->gpr[MHK_RSP] = BUF + BUF_BYTES - 512;
	d->rflags = 0x202 | (rng_next(r) & STATUS);
	d->target = BUF + 1024 + rng_below(r, BUF_BYTES - 2048);
	if (rng_below(r, 8) == 0) /* across the pages */
		d->target = BUF + 4096 - 1 - rng_below(r, 7);
	if (d->kind->shape == RM_PAIR)
		d->target &= ~15ull;
	if (d->kind->shape == STRING)
		draw_string(d, r);
	else if (d->kind->shape == MOFFS)
		draw_moffs(d, r);
	else
		draw_rm(d, r);
}

/* Make comparisons succeed at times. */
static void plant_equal(struct draw *d, struct rng *r)
{
	u8 *at = buffer + (d->target - BUF);

	if (rng_below(r, 2))
		return;
	if (d->kind->shape == RM_PAIR) {
		memcpy(at, &d->gpr[MHK_RAX], d->size);
		memcpy(at + d->size, &d->gpr[MHK_RDX], d->size);
	} else if (d->kind->opcode == 0xb0 && d->base != MHK_RAX) {
		memcpy(at, &d->gpr[MHK_RAX], 8);
	} else if (d->kind->shape == STRING && rng_below(r, 2)) {
		memset(buffer, (int)(d->gpr[MHK_RAX] & 0xff), BUF_BYTES);
	}
}

static void report(const struct draw *d, const char *what)
{
	unsigned int i;

	fprintf(stderr, "%s size %u:", d->kind->name, d->size);
	for (i = 0; i < d->len; i++)
		fprintf(stderr, " %02x", d->code[i]);
	fprintf(stderr, ": %s differs\n", what);
}

static void compare(const struct vm *vm, const struct draw *d)
{
	u64 flags = (STATUS | DF) & ~d->kind->undefined;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		if (vm->s.gpr[i] != stub.n->gpr[i])
			report(d, "a register");
		ck_assert_uint_eq(vm->s.gpr[i], stub.n->gpr[i]);
	}
	if ((vm->s.rflags & flags) != (stub.n->rflags & flags))
		report(d, "RFLAGS");
	ck_assert_uint_eq(vm->s.rflags & flags, stub.n->rflags & flags);
	if (memcmp(vm->mmio, buffer, BUF_BYTES))
		report(d, "memory");
	ck_assert_mem_eq(vm->mmio, buffer, BUF_BYTES);
	ck_assert_uint_eq(vm->s.rip, VM_CODE + d->len);
}

static void emulate(struct vm *vm, const struct draw *d)
{
	if (vm_run(vm) != MHI_INSN_DONE) {
		report(d, vm->out.text);
		ck_abort_msg("not emulated: %s", vm->out.text);
	}
	compare(vm, d);
}

static void round_of(struct vm *vm, struct rng *r)
{
	void (*enter)(void);
	struct draw d;
	unsigned int i;

	draw(&d, r);
	for (i = 0; i < BUF_BYTES; i += 8) {
		u64 v = rng_next(r);

		memcpy(buffer + i, &v, 8);
	}
	plant_equal(&d, r);
	memcpy(vm->mmio, buffer, BUF_BYTES);
	memcpy(before, buffer, BUF_BYTES);
	memcpy(vm->s.gpr, d.gpr, sizeof(d.gpr));
	memcpy(stub.n->gpr, d.gpr, sizeof(d.gpr));
	vm->s.rflags = stub.n->rflags = d.rflags;
	vm->s.rip = VM_CODE;
	vm_code(vm, d.code, d.len);
	assemble(d.code, d.len);
	memcpy(&enter, &stub.page, sizeof(enter));
	enter();
	emulate(vm, &d);
	/* Once more, now from the cache. */
	memcpy(vm->mmio, before, BUF_BYTES);
	memcpy(vm->s.gpr, d.gpr, sizeof(d.gpr));
	vm->s.rflags = d.rflags;
	vm->s.rip = VM_CODE;
	emulate(vm, &d);
}

START_TEST(random_instructions_match_the_cpu)
{
	struct rng r = { 0x1badb002deadbeefull };
	struct vm *vm = malloc(sizeof(*vm));
	unsigned int i;

	ck_assert_ptr_nonnull(vm);
	vm_init(vm, VM_LONG);
	stub_setup();
	for (i = 0; i < ROUNDS; i++)
		vm_window(vm, i & 1);
	round_of(vm, &r);
	stub_teardown();
	vm_fini(vm);
	free(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, random_instructions_match_the_cpu);
}

UNIT_MAIN("insn_native", add_tests)

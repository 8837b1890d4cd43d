// SPDX-License-Identifier: MIT
/*
 * Fuzzes the decoder and emulator of MMIO instructions. The input: the CPU's mode, registers,
 * segments, page table entries and code. Each instruction runs on two machines, one that reads
 * memory in windows (the short way) and one that does not: they must agree in everything, and each
 * access must be what the contract of the environment says.
 */
#include <string.h>

#include "base/page.h"
#include "fuzz.h"
#include "insn_vm.h"

#define STEPS 6
#define CODE_MOST 32

static struct vm vm[2];
static struct mhi_insn_env inner[2];

static void check_access(mh_gpa gpa, unsigned int bytes)
{
	if (!bytes || bytes > 16 || (gpa & MHI_PAGE_MASK) + bytes > MHI_PAGE_SIZE)
		fuzz_die("environment", "an access that is too long or leaves its page");
}

static int env_read(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes)
{
	const struct mhi_insn_env *env = &inner[(struct vm *)opaque - vm];

	check_access(gpa, bytes);
	return env->read(opaque, gpa, buf, bytes);
}

static int env_write(void *opaque, mh_gpa gpa, const void *buf, unsigned int bytes)
{
	const struct mhi_insn_env *env = &inner[(struct vm *)opaque - vm];

	check_access(gpa, bytes);
	return env->write(opaque, gpa, buf, bytes);
}

static void fill_registers(struct mhk_state *s, struct fuzz_input *in)
{
	static const u64 places[] = { VM_DATA,	      VM_DATA + 4092,  VM_DATA + 8190,
				      VM_MMIO,	      VM_CODE,	       VM_ROM + 8,
				      VM_STACK + 100, 0x8000000000000, VM_MMIO + 4090,
				      0xffff,	      0xffffffff,      0x100 };

	for (unsigned int i = 0; i < MHK_GPRS; i++) {
		u8 how = (u8)fuzz_take(in, 1);

		s->gpr[i] = how & 0x80 ? how & 0x7f : places[how % MHI_COUNT(places)];
		if ((how & 0xf0) == 0xf0)
			s->gpr[i] = fuzz_take(in, 8);
	}
}

static void spoil(struct vm *v, struct fuzz_input *in)
{
	u8 how = (u8)fuzz_take(in, 1);
	struct mhk_state *s = &v->s;

	if (how & 1)
		s->rflags ^= fuzz_take(in, 3);
	if (how & 2)
		s->seg[fuzz_take(in, 1) % MHK_SEGS].attr = (u32)fuzz_take(in, 3);
	if (how & 4)
		s->seg[fuzz_take(in, 1) % MHK_SEGS].limit = (u32)fuzz_take(in, 4);
	if (how & 8)
		s->seg[fuzz_take(in, 1) % MHK_SEGS].base = fuzz_take(in, 8);
	if (how & 16)
		s->cr4 ^= fuzz_take(in, 3);
	if (how & 32)
		vm_remap(v, how & 128 ? VM_CODE : VM_DATA + 4096, fuzz_take(in, 8));
	if (how & 64)
		s->cr3 = fuzz_take(in, 3);
}

/* Instructions that MMIO meets, which chance finds seldom; prefixes, then an opcode of each map. */
static unsigned int put_insn(u8 *code, struct fuzz_input *in)
{
	static const u8 prefixes[] = { 0x48, 0x66, 0xf3, 0xf2, 0x67, 0xf0, 0x64, 0x41 };
	static const u8 one[] = {
		0x88, 0x89, 0x8a, 0x8b, 0xc6, 0xc7, 0xa1, 0xa2, 0xa3, 0x01, 0x0b,
		0x13, 0x19, 0x21, 0x2b, 0x31, 0x38, 0x3b, 0x80, 0x81, 0x83, 0x84,
		0x85, 0x86, 0x87, 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad,
		0xae, 0xaf, 0x6c, 0x6d, 0x6e, 0x6f, 0x8f, 0xf6, 0xf7, 0xfe, 0xff
	};
	static const u8 two[] = { 0xb0, 0xb1, 0xc0, 0xc1, 0xc7, 0xc7, 0xa3, 0xab, 0xb3, 0xbb,
				  0xba, 0xb6, 0xb7, 0xbe, 0xbf, 0xc3, 0x18, 0xae, 0xc7 };
	u8 how = (u8)fuzz_take(in, 1);
	unsigned int n = 0;

	if (how & 1)
		code[n++] = prefixes[fuzz_take(in, 1) % MHI_COUNT(prefixes)];
	if (how & 2)
		code[n++] = prefixes[fuzz_take(in, 1) % MHI_COUNT(prefixes)];
	if (how & 4) {
		code[n++] = 0x0f;
		code[n++] = two[(how >> 3) % MHI_COUNT(two)];
	} else {
		code[n++] = one[fuzz_take(in, 1) % MHI_COUNT(one)];
	}
	/* Mostly an operand in memory, without displacement or with one byte. */
	code[n++] = (u8)(fuzz_take(in, 1) & (how & 0x80 ? 0xff : 0x7f));
	return n;
}

/* Both machines alike. */
static void prepare(struct fuzz_input *in)
{
	enum vm_mode mode = (enum vm_mode)(fuzz_take(in, 1) % (VM_REAL + 1));
	struct fuzz_input again;
	u8 code[CODE_MOST];
	unsigned int len;

	again = *in;
	for (unsigned int i = 0; i < 2; i++) {
		*in = again;
		vm_init(&vm[i], mode);
		inner[i] = vm[i].env;
		vm[i].env.read = env_read;
		vm[i].env.write = env_write;
		fill_registers(&vm[i].s, in);
		if (fuzz_take(in, 1) & 1)
			vm[i].s.rip += 4096 - 9;
		len = put_insn(code, in);
		fuzz_fill(in, code + len, CODE_MOST - len);
		vm_code(&vm[i], code, CODE_MOST);
		spoil(&vm[i], in);
	}
	vm_window(&vm[1], true);
}

static void check(enum mhi_insn_result result, const struct mhk_state *before, const struct vm *v)
{
	const struct mhi_insn_out *out = &v->out;

	if (result == MHI_INSN_UNKNOWN &&
	    (!out->text[0] || !memchr(out->text, 0, sizeof(out->text))))
		fuzz_die("unknown instruction", "no text");
	if (result == MHI_INSN_EXCEPTION && !(out->inject & MHK_INJECT_VALID))
		fuzz_die("exception", "none");
	if (result == MHI_INSN_EXCEPTION && v->s.rip != before->rip)
		fuzz_die("exception", "RIP has moved");
	if (result == MHI_INSN_DONE && !out->again && v->s.rip == before->rip)
		fuzz_die("instruction", "RIP has not moved");
}

static void compare(enum mhi_insn_result a, enum mhi_insn_result b)
{
	unsigned int n = vm[0].logged < VM_LOG ? vm[0].logged : VM_LOG;

	if (a != b || vm[0].out.inject != vm[1].out.inject ||
	    vm[0].out.inject_error != vm[1].out.inject_error ||
	    vm[0].out.again != vm[1].out.again || strcmp(vm[0].out.text, vm[1].out.text))
		fuzz_die("the two ways differ", "result");
	if (memcmp(&vm[0].s, &vm[1].s, sizeof(vm[0].s)))
		fuzz_die("the two ways differ", "registers");
	if (memcmp(vm[0].mmio, vm[1].mmio, VM_MMIO_BYTES) || memcmp(vm[0].ram, vm[1].ram, VM_RAM))
		fuzz_die("the two ways differ", "memory");
	if (vm[0].logged != vm[1].logged || memcmp(vm[0].log, vm[1].log, n * sizeof(vm[0].log[0])))
		fuzz_die("the two ways differ", "accesses");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	u64 start;

	prepare(&in);
	start = vm[0].s.rip;
	for (unsigned int n = 0; n < STEPS; n++) {
		struct mhk_state before = vm[0].s;
		enum mhi_insn_result result = vm_run(&vm[0]);

		check(result, &before, &vm[0]);
		compare(result, vm_run(&vm[1]));
		/* Once more from the start, where the short way knows the instruction. */
		if (result != MHI_INSN_DONE || n == STEPS / 2)
			vm[0].s.rip = vm[1].s.rip = start;
	}
	vm_fini(&vm[0]);
	vm_fini(&vm[1]);
	return 0;
}

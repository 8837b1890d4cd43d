// SPDX-License-Identifier: MIT
/* The small VM of test_engine.c: see engine_vm.h. */
#include "engine_vm.h"
#include "arch/x86/reset.h"
#include "core/cpuid.h"
#include "core/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PML4 0x10000u
#define PDPT 0x11000u
#define PD 0x12000u
#define PTE 3ull
#define PTE_LARGE 0x83ull
#define EXITS_MAX 10000

unsigned int failures;
const struct mhi_engine_ops *ops;

void check_failed(const char *file, int line, const char *what, u64 is, u64 wanted)
{
	printf("%s:%d: %s", file, line, what);
	if (is != wanted)
		printf(" is 0x%llx, not 0x%llx", is, wanted);
	printf("\n");
	failures++;
}

static void die(const char *what, const struct mhi_err *err)
{
	printf("cannot make a VM: %s: %s\n", what, err ? err->text : "");
	exit(1);
}

/* ---- memory of the guest, for instructions that the library emulates ---- */

static u8 *memory(struct vm *vm, mh_gpa gpa, unsigned int bytes, bool write)
{
	if (gpa < VM_RAM && gpa + bytes <= VM_RAM)
		return vm->ram + gpa;
	if (!write && !vm->rom_gone && gpa >= ENGINE_ROM && gpa + bytes <= ENGINE_ROM + VM_ROM)
		return vm->rom + (gpa - ENGINE_ROM);
	return NULL;
}

static void put(struct vm *vm, struct access a)
{
	if (vm->queued < VM_QUEUE)
		vm->queue[vm->queued++] = a;
}

static u64 cut(u64 value, unsigned int bytes)
{
	return bytes >= 8 ? value : value & ((1ull << (8 * bytes)) - 1);
}

static int env_read(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes)
{
	struct vm *vm = opaque;
	const u8 *from = memory(vm, gpa, bytes, false);

	if (from) {
		memcpy(buf, from, bytes);
		return 0;
	}
	put(vm, (struct access){ false, false, gpa, cut(vm->answer, bytes), bytes });
	memcpy(buf, &vm->answer, bytes);
	return 0;
}

static int env_write(void *opaque, mh_gpa gpa, const void *buf, unsigned int bytes)
{
	struct vm *vm = opaque;
	u8 *to = memory(vm, gpa, bytes, true);
	u64 value = 0;

	if (to) {
		memcpy(to, buf, bytes);
		return 0;
	}
	memcpy(&value, buf, bytes);
	put(vm, (struct access){ false, true, gpa, value, bytes });
	return 0;
}

static u32 env_in(void *opaque, u16 port, unsigned int bytes)
{
	struct vm *vm = opaque;

	put(vm, (struct access){ true, false, port, cut(vm->answer, bytes), bytes });
	return (u32)vm->answer;
}

static void env_out(void *opaque, u16 port, unsigned int bytes, u32 value)
{
	put(opaque, (struct access){ true, true, port, value, bytes });
}

static int env_fetch(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes)
{
	const u8 *from = memory(opaque, gpa, bytes, false);

	if (!from)
		return MH_EFAULT;
	memcpy(buf, from, bytes);
	return 0;
}

/* ---- making ---- */

static void make_vcpu(struct vm *vm, u32 index, u32 cpus)
{
	struct mhk_cpuid_entry table[MHK_MAX_CPUID];
	const struct mhi_cpuid_config config = { .info = vm->ops->info(vm->e),
						 .cpus = cpus,
						 .apic_id = index };
	struct mhk_run *page;
	struct mhi_err err;
	u32 count = mhi_cpuid_build(&mhi_cpuid_native, &config, table);

	if (vm->ops->vcpu_create(vm->vm, index, &vm->vcpu[index], &err))
		die("vCPU", &err);
	if (vm->ops->cpuid(vm->vcpu[index], table, count, &err))
		die("CPUID", &err);
	page = vm->ops->page(vm->vcpu[index]);
	mhi_reset_state(&page->state, index == 0);
	page->user.commit = MHK_G_ALL & ~MHK_G_FPU;
}

static void make_slot(struct vm *vm, u32 slot, u64 gpa, u8 *at, u64 bytes, u32 flags)
{
	const struct mhk_mem mem = { .size = sizeof(mem),
				     .flags = flags,
				     .slot = slot,
				     .gpa = gpa,
				     .bytes = bytes,
				     .hva = (u64)(uintptr_t)at };
	struct mhi_err err;

	if (vm->ops->mem_set(vm->vm, &mem, &err))
		die("memory", &err);
}

static u8 *make_memory(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("memory", NULL);
	return at;
}

static void set_vector(struct vm *vm, unsigned int vector, u16 handler)
{
	u16 entry[2] = { (u16)(ENGINE_HANDLER + handler), 0 };

	memcpy(vm->ram + 4u * vector, entry, sizeof(entry));
}

static void place_code(struct vm *vm, const u8 *code, const u8 *code_end)
{
	memcpy(vm->ram + ENGINE_CODE, code, (size_t)(code_end - code));
	memcpy(vm->ram + ENGINE_AP, guest_ap, (size_t)(guest_ap_end - guest_ap));
	memcpy(vm->ram + ENGINE_HANDLER, guest_handlers,
	       (size_t)(guest_handlers_end - guest_handlers));
	set_vector(vm, 2, ENGINE_HANDLER_NMI);
	set_vector(vm, 6, ENGINE_HANDLER_UD);
	set_vector(vm, 13, ENGINE_HANDLER_GP);
	set_vector(vm, 0x40, ENGINE_HANDLER_IRQ);
	set_vector(vm, 0x41, ENGINE_HANDLER_IRQ);
	memcpy(vm->ram + ENGINE_DATA, "abcdefgh", 8);
	memcpy(vm->rom, "rom!rom!", 8);
}

void vm_start(struct vm *vm, u32 cpus, const u8 *code, const u8 *code_end)
{
	struct mhk_state *s;
	struct mhi_err err;
	u32 i;

	memset(vm, 0, sizeof(*vm));
	vm->ops = ops;
	if (ops->open(NULL, &vm->e, &err))
		die("open", &err);
	if (ops->vm_create(vm->e, &vm->vm, &err))
		die("VM", &err);
	vm->ram = make_memory(VM_RAM);
	vm->rom = make_memory(VM_ROM);
	make_slot(vm, 0, 0, vm->ram, VM_RAM, 0);
	make_slot(vm, 1, ENGINE_ROM, vm->rom, VM_ROM, MHK_MEM_READONLY);
	for (i = 0; i < cpus; i++)
		make_vcpu(vm, i, cpus);
	vm->insn = mhi_insn_cache_create();
	vm->env = (struct mhi_insn_env){ .read = env_read,
					 .write = env_write,
					 .in = env_in,
					 .out = env_out,
					 .fetch = env_fetch,
					 .opaque = vm };
	place_code(vm, code, code_end);
	vm->page = ops->page(vm->vcpu[0]);
	s = &vm->page->state;
	s->seg[MHK_CS].base = 0;
	s->seg[MHK_CS].sel = 0;
	s->rip = ENGINE_CODE;
	s->gpr[MHK_RSP] = ENGINE_STACK;
}

void vm_stop(struct vm *vm)
{
	u32 i;

	for (i = 0; i < 2; i++)
		if (vm->vcpu[i])
			vm->ops->vcpu_destroy(vm->vcpu[i]);
	vm->ops->vm_destroy(vm->vm);
	vm->ops->close(vm->e);
	mhi_insn_cache_destroy(vm->insn);
	munmap(vm->ram, VM_RAM);
	munmap(vm->rom, VM_ROM);
}

static void set_entry(struct vm *vm, u32 table, u32 index, u64 e)
{
	memcpy(vm->ram + table + index * 8, &e, 8);
}

void vm_long_mode(struct vm *vm)
{
	struct mhk_state *s = &vm->page->state;
	u32 i;

	set_entry(vm, PML4, 0, PDPT | PTE);
	for (i = 0; i < 4; i++)
		set_entry(vm, PDPT, i, (PD + i * 0x1000) | PTE);
	for (i = 0; i < 2048; i++)
		set_entry(vm, PD, i, (u64)i << 21 | PTE_LARGE);
	for (i = MHK_ES; i <= MHK_GS; i++) {
		s->seg[i] = (struct mhk_seg){ .limit = 0xffffffff, .attr = 0xc093, .sel = 0x10 };
	}
	s->seg[MHK_CS].attr = 0xa09b;
	s->seg[MHK_CS].sel = 8;
	s->cr0 = 0x80000031;
	s->cr3 = PML4;
	s->cr4 = 0x620; /* PAE, OSFXSR, OSXMMEXCPT */
	s->efer = 0x500;
}

/* ---- running ---- */

u32 vm_run(struct vm *vm)
{
	unsigned int i;
	int rc;

	for (i = 0; i < EXITS_MAX; i++) {
		rc = vm->ops->run(vm->vcpu[0]);
		if (rc) {
			check_failed(__FILE__, __LINE__, "run", (u64)(s64)rc, 0);
			return MHK_EXIT_COUNT;
		}
		if (vm->page->exit.reason != MHK_EXIT_NONE)
			return vm->page->exit.reason;
	}
	return MHK_EXIT_NONE;
}

static void emulate(struct vm *vm)
{
	const struct mhk_exit *exit = &vm->page->exit;
	const u8 *bytes = exit->reason == MHK_EXIT_MMIO ? exit->u.mmio.insn : NULL;
	unsigned int len = bytes ? exit->u.mmio.insn_len : 0;
	struct mhi_insn_out out;

	CHECK_EQ(vm->page->valid & (MHK_G_GPR | MHK_G_RIP | MHK_G_CODE | MHK_G_CR),
		 MHK_G_GPR | MHK_G_RIP | MHK_G_CODE | MHK_G_CR);
	if (mhi_insn_emulate(vm->insn, &vm->env, &vm->page->state, bytes, len, &out) !=
	    MHI_INSN_DONE) {
		printf("not emulated: %s\n", out.text);
		failures++;
	}
	vm->page->user.commit |= out.dirty;
}

static void take_io(struct vm *vm)
{
	const struct mhk_exit *exit = &vm->page->exit;
	bool in = exit->u.io.flags & MHK_IO_IN;
	u64 value = in ? vm->answer : exit->u.io.data;

	if (exit->u.io.flags & MHK_IO_STRING) {
		emulate(vm);
		return;
	}
	put(vm, (struct access){ true, !in, exit->u.io.port, cut(value, exit->u.io.width),
				 exit->u.io.width });
	vm->page->user.reply = vm->answer;
}

static void take_mmio(struct vm *vm)
{
	const struct mhk_exit *exit = &vm->page->exit;
	bool write = exit->u.mmio.flags & MHK_MMIO_WRITE;
	u64 value = vm->answer;

	if (!(exit->u.mmio.flags & MHK_MMIO_DECODED)) {
		emulate(vm);
		return;
	}
	if (write)
		memcpy(&value, exit->u.mmio.insn, 8);
	put(vm, (struct access){ false, write, exit->u.mmio.gpa, cut(value, exit->u.mmio.insn_len),
				 exit->u.mmio.insn_len });
	vm->page->user.reply = vm->answer;
}

struct access vm_access(struct vm *vm)
{
	while (vm->taken == vm->queued) {
		u32 reason;

		vm->taken = vm->queued = 0;
		reason = vm_run(vm);
		if (reason == MHK_EXIT_IO) {
			take_io(vm);
		} else if (reason == MHK_EXIT_MMIO) {
			take_mmio(vm);
		} else {
			const struct mhk_exit *x = &vm->page->exit;

			printf("exit %u (raw 0x%x, 0x%llx 0x%llx) instead of an access\n", reason,
			       x->raw, (u64)x->raw_info[0], (u64)x->raw_info[1]);
			failures++;
			return (struct access){ 0 };
		}
	}
	return vm->queue[vm->taken++];
}

void vm_expect(struct vm *vm, struct access want, int line)
{
	struct access a = vm_access(vm);

	if (a.port == want.port && a.write == want.write && a.at == want.at &&
	    a.value == want.value && a.bytes == want.bytes)
		return;
	printf("line %d: %s of %u bytes at %s 0x%llx: 0x%llx\n", line, a.write ? "write" : "read",
	       a.bytes, a.port ? "port" : "gpa", a.at, a.value);
	failures++;
}

void vm_expect_out(struct vm *vm, u16 port, unsigned int bytes, u64 value, int line)
{
	vm_expect(vm, (struct access){ true, true, port, value, bytes }, line);
}

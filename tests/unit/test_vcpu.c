/* SPDX-License-Identifier: MIT */
/* What is done about each exit, register access, and the report of what cannot be continued. */
#include "api_fixture.h"

#include <unistd.h>

#define PORT 0x80
#define MMIO 0xd0000000ull
#define LAPIC 0xfee00000ull

static struct {
	u64 value, offset;
	unsigned int bytes;
	u32 reads, writes, odd; /* odd: of a size that handlers do not take */
} seen;

static uint64_t on_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	seen.reads++;
	seen.offset = offset;
	seen.bytes = bytes;
	seen.odd += bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8;
	return 0x1122334455667788;
}

static void on_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	seen.writes++;
	seen.offset = offset;
	seen.bytes = bytes;
	seen.odd += bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8;
	seen.value = value;
}

static void on_done(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	mh_vm_stop(opaque);
}

/* The guest under test: one exit, then a look at what the library answered, then the end. */
static int (*first_exit)(struct mhi_eng_vcpu *v, struct mhk_run *page);
static struct mhi_eng_vcpu answer;

static int one_exit(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	/* Other CPUs only halt. */
	if (v->apic_id)
		return fake_exit_halt(v, page);
	if (v->step == 1)
		return first_exit(v, page);
	if (v->step == 2)
		answer = *v;
	return fake_exit_out(page, 0xf4, 1, 0);
}

static struct mh_vm *make_vm(u32 flags)
{
	const struct mh_io_ops ops = { 1, on_read, on_write }, done = { 1, NULL, on_done };
	struct mh_vm *vm = api_vm(1, flags, 1 << 20);

	memset(&seen, 0, sizeof(seen));
	memset(&answer, 0, sizeof(answer));
	ck_assert_int_eq(mh_vm_pio_add(vm, PORT, 8, &ops, NULL), 0);
	ck_assert_int_eq(mh_vm_mmio_add(vm, MMIO, 0x1000, &ops, NULL), 0);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0xf4, 1, &done, vm), 0);
	fake_engine.script = one_exit;
	return vm;
}

/* Runs a guest with that exit; returns why it stopped. The VM is left for the caller. */
static enum mh_stop_reason run(struct mh_vm *vm,
			       int (*exit)(struct mhi_eng_vcpu *, struct mhk_run *))
{
	first_exit = exit;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	return mh_vm_stop_reason(vm);
}

static int exit_in(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	return fake_exit_in(page, PORT + 2, 2);
}

static int exit_in_nobody(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	return fake_exit_in(page, 0x999, 4);
}

static int exit_out(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	return fake_exit_out(page, PORT + 4, 4, 0xaabbccdd);
}

START_TEST(pio)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	ck_assert_int_eq(run(vm, exit_in), MH_STOP_REQUEST);
	ck_assert_uint_eq(seen.offset, 2);
	ck_assert_uint_eq(seen.bytes, 2);
	ck_assert_uint_eq(answer.reply, 0x7788);
	/* Nothing was committed beyond the state of power-up, nothing was fetched. */
	ck_assert_uint_eq(answer.gets, 0);
	ck_assert_int_eq(run(vm, exit_in_nobody), MH_STOP_REQUEST);
	ck_assert_uint_eq(answer.reply, 0xffffffff);
	ck_assert_int_eq(run(vm, exit_out), MH_STOP_REQUEST);
	ck_assert_uint_eq(seen.value, 0xaabbccdd);
	ck_assert_uint_eq(seen.offset, 4);
	mh_vm_destroy(vm);
}
END_TEST

static u32 msr;

static int exit_rdmsr(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	page->exit.u.msr.index = msr;
	return fake_exit(page, MHK_EXIT_RDMSR);
}

static int exit_wrmsr(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	page->exit.u.msr.index = msr;
	page->exit.u.msr.data = 6;
	return fake_exit(page, MHK_EXIT_WRMSR);
}

START_TEST(msrs)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	msr = 0xfe;
	run(vm, exit_rdmsr);
	ck_assert_uint_eq(answer.reply, 0x508);
	ck_assert_uint_eq(answer.reply_flags, 0);
	msr = 0x12345;
	run(vm, exit_rdmsr);
	ck_assert_uint_eq(answer.reply_flags, MHK_REPLY_GP);
	ck_assert_str_eq(last_log, "VM \"test\" stops: stopped on request, from a handler");
	msr = 0x200;
	run(vm, exit_wrmsr);
	ck_assert_uint_eq(answer.reply_flags, 0);
	mh_vm_destroy(vm);
}
END_TEST

/*
 * A guest that hammers an unknown MSR: every write is #GP, the log has one line a second at most.
 */
static int hammer_msr(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	if (v->step > 1)
		ck_assert_uint_eq(v->reply_flags, MHK_REPLY_GP);
	if (v->step > 5000)
		return fake_exit_out(page, 0xf4, 1, 0);
	page->exit.u.msr.index = 0xdead;
	return fake_exit(page, MHK_EXIT_WRMSR);
}

static u32 msr_lines;

static void count_lines(void *opaque, enum mh_log_level level, const char *text)
{
	if (strstr(text, "0xdead"))
		msr_lines++;
}

START_TEST(msr_hammer)
{
	const struct mh_io_ops done = { 1, NULL, on_done };
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	struct mh_vm_config vm_config = MH_VM_CONFIG_INIT;
	struct mh_ctx *other;
	struct mh_vm *vm;

	msr_lines = 0;
	config.log = count_lines;
	vm_config.flags = MH_VM_BARE;
	ck_assert_int_eq(mh_ctx_create(&config, &other), 0);
	ck_assert_int_eq(mh_vm_create(other, &vm_config, &vm), 0);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0xf4, 1, &done, vm), 0);
	fake_engine.script = hammer_msr;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_REQUEST);
	ck_assert_uint_ge(msr_lines, 1);
	ck_assert_uint_le(msr_lines, 6);
	mh_vm_destroy(vm);
	ck_assert_int_eq(mh_ctx_destroy(other), 0);
}
END_TEST

static u64 insn_gpa;
static u8 insn_buf[32];
static unsigned int insn_bytes;
static bool insn_write;

static enum mhi_insn_result access_insn(const struct mhi_insn_env *env, struct mhk_state *s,
					const u8 *bytes, unsigned int len, struct mhi_insn_out *out)
{
	if (insn_write)
		ck_assert_int_eq(env->write(env->opaque, insn_gpa, insn_buf, insn_bytes), 0);
	else
		ck_assert_int_eq(env->read(env->opaque, insn_gpa, insn_buf, insn_bytes), 0);
	out->dirty = MHK_G_RIP;
	return MHI_INSN_DONE;
}

static int exit_mmio(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	v->commits = 0;
	page->exit.u.mmio.gpa = insn_gpa;
	page->exit.u.mmio.flags = insn_write ? MHK_MMIO_WRITE : 0;
	return fake_exit(page, MHK_EXIT_MMIO);
}

static void mmio(struct mh_vm *vm, u64 gpa, bool write, unsigned int bytes)
{
	fake_insn = access_insn;
	insn_gpa = gpa;
	insn_write = write;
	insn_bytes = bytes;
	ck_assert_int_eq(run(vm, exit_mmio), MH_STOP_REQUEST);
	ck_assert_uint_eq(answer.commits, MHK_G_RIP);
}

START_TEST(mmio_device)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	mmio(vm, MMIO + 0x10, false, 4);
	ck_assert_uint_eq(seen.offset, 0x10);
	ck_assert_int_eq(memcmp(insn_buf, "\x88\x77\x66\x55", 4), 0);
	/* Wider than a handler takes: in pieces of 8. */
	mmio(vm, MMIO + 0x20, false, 16);
	ck_assert_uint_eq(seen.reads, 3);
	ck_assert_uint_eq(seen.offset, 0x28);
	memset(insn_buf, 0x5a, sizeof(insn_buf));
	mmio(vm, MMIO + 0x30, true, 2);
	ck_assert_uint_eq(seen.value, 0x5a5a);
	/* Handlers once got what an operand has on one side of a page, of any length. */
	for (unsigned int bytes = 3; bytes < 16; bytes++) {
		mmio(vm, MMIO, false, bytes);
		mmio(vm, MMIO, true, bytes);
	}
	ck_assert_uint_eq(seen.odd, 0);
	seen.writes = 0;
	memset(insn_buf, 0x5a, sizeof(insn_buf));
	mmio(vm, MMIO + 0xffd, true, 3);
	ck_assert_uint_eq(seen.writes, 2);
	ck_assert_uint_eq(seen.offset, 0xfff);
	ck_assert_uint_eq(seen.value, 0x5a);
	/* Nobody there. */
	mmio(vm, MMIO + 0x2000, false, 4);
	ck_assert_int_eq(memcmp(insn_buf, "\xff\xff\xff\xff", 4), 0);
	mmio(vm, MMIO + 0x2000, true, 4);
	mh_vm_destroy(vm);
}
END_TEST

static u8 decoded_bytes;

static int exit_decoded(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	page->exit.u.mmio.gpa = MMIO + 0x18;
	page->exit.u.mmio.flags = MHK_MMIO_DECODED | (insn_write ? MHK_MMIO_WRITE : 0);
	page->exit.u.mmio.insn_len = decoded_bytes;
	memcpy(page->exit.u.mmio.insn, "\x04\x03\x02\x01\xff\xff\xff\xff", 8);
	return fake_exit(page, MHK_EXIT_MMIO);
}

/* An engine that has decoded the access itself: no emulation. */
START_TEST(mmio_decoded)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	fake_insn = NULL;
	insn_write = false;
	decoded_bytes = 4;
	ck_assert_int_eq(run(vm, exit_decoded), MH_STOP_REQUEST);
	ck_assert_uint_eq(seen.offset, 0x18);
	ck_assert_uint_eq(seen.bytes, 4);
	ck_assert_uint_eq(answer.reply, 0x55667788);
	insn_write = true;
	ck_assert_int_eq(run(vm, exit_decoded), MH_STOP_REQUEST);
	ck_assert_uint_eq(seen.value, 0x01020304);
	decoded_bytes = 7;
	ck_assert_int_eq(run(vm, exit_decoded), MH_STOP_REQUEST);
	ck_assert_uint_eq(seen.odd, 0);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(mmio_lapic)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	fake_engine.lapic_value = 0xcafe1234;
	mmio(vm, LAPIC + 0x20, false, 4);
	ck_assert_int_eq(memcmp(insn_buf, "\x34\x12\xfe\xca", 4), 0);
	ck_assert_uint_eq(fake_engine.lapic_offset, 0x20);
	mmio(vm, LAPIC + 0x22, false, 1);
	ck_assert_uint_eq(insn_buf[0], 0xfe);
	mmio(vm, LAPIC + 0x24, false, 4);
	ck_assert_uint_eq(insn_buf[0], 0);
	memcpy(insn_buf, "\x11\x22\x33\x44", 4);
	mmio(vm, LAPIC + 0xb0, true, 4);
	ck_assert_uint_eq(fake_engine.lapic_value, 0x44332211);
	ck_assert_uint_eq(fake_engine.lapic_offset, 0xb0);
	/* In x2APIC mode nobody answers there. */
	fake_engine.lapic_base |= 1u << 10;
	mmio(vm, LAPIC + 0x20, false, 4);
	ck_assert_uint_eq(insn_buf[0], 0xff);
	mh_vm_destroy(vm);
}
END_TEST

/* An instruction may touch a device and memory: each goes where it belongs. */
static enum mhi_insn_result move_insn(const struct mhi_insn_env *env, struct mhk_state *s,
				      const u8 *bytes, unsigned int len, struct mhi_insn_out *out)
{
	u32 word = 0;

	ck_assert_int_eq(env->read(env->opaque, MMIO, &word, 4), 0);
	ck_assert_int_eq(env->write(env->opaque, 0x2000, &word, 4), 0);
	ck_assert_int_eq(env->read(env->opaque, 0x2000, &word, 4), 0);
	ck_assert_uint_eq(word, 0x55667788);
	ck_assert_int_ne(env->fetch(env->opaque, MMIO, &word, 4), 0);
	ck_assert_uint_eq(env->in(env->opaque, PORT, 1), 0x88);
	env->out(env->opaque, PORT, 1, 0x99);
	out->dirty = MHK_G_RIP | MHK_G_GPR;
	out->again = seen.writes < 3;
	return MHI_INSN_DONE;
}

START_TEST(mmio_and_memory)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);
	u32 word = 0;

	fake_insn = move_insn;
	insn_gpa = MMIO;
	ck_assert_int_eq(run(vm, exit_mmio), MH_STOP_REQUEST);
	ck_assert_uint_eq(answer.commits, MHK_G_RIP | MHK_G_GPR);
	ck_assert_int_eq(mh_vm_mem_read(vm, 0x2000, &word, 4), 0);
	ck_assert_uint_eq(word, 0x55667788);
	/* REP: the emulator is asked again while it says so. */
	ck_assert_uint_eq(seen.writes, 3);
	mh_vm_destroy(vm);
}
END_TEST

static enum mhi_insn_result fault_insn(const struct mhi_insn_env *env, struct mhk_state *s,
				       const u8 *bytes, unsigned int len, struct mhi_insn_out *out)
{
	s->cr2 = 0x1234;
	out->inject = MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | MHK_INJECT_ERROR | 14;
	out->inject_error = 2;
	out->dirty = MHK_G_CR;
	return MHI_INSN_EXCEPTION;
}

static enum mhi_insn_result unknown_insn(const struct mhi_insn_env *env, struct mhk_state *s,
					 const u8 *bytes, unsigned int len,
					 struct mhi_insn_out *out)
{
	memcpy(out->text, "fnord eax (0f ff)", 18);
	return MHI_INSN_UNKNOWN;
}

START_TEST(emulation_ends_otherwise)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	fake_insn = fault_insn;
	insn_gpa = MMIO;
	insn_write = true;
	ck_assert_int_eq(run(vm, exit_mmio), MH_STOP_REQUEST);
	ck_assert_uint_eq(answer.injected,
			  MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | MHK_INJECT_ERROR | 14);
	ck_assert_uint_eq(answer.commits, MHK_G_CR);
	ck_assert_uint_eq(answer.page.state.cr2, 0x1234);
	fake_insn = unknown_insn;
	ck_assert_int_eq(run(vm, exit_mmio), MH_STOP_ERROR);
	ck_assert_ptr_nonnull(strstr(mh_vm_stop_text(vm), "0xd0000000: fnord eax (0f ff)"));
	ck_assert_ptr_nonnull(strstr(mh_vm_stop_text(vm), "\nrip 000000000000fff0"));
	mh_vm_destroy(vm);
}
END_TEST

static u32 other_reason;

static int exit_other(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	page->exit.raw = 0x40;
	page->exit.raw_info[0] = 0xabc;
	if (other_reason == MHK_EXIT_MEM_FAULT || other_reason == MHK_EXIT_MMIO) {
		page->exit.u.mmio.gpa = 0x7000;
		page->exit.u.mmio.flags = MHK_MMIO_FETCH;
	}
	return fake_exit(page, other_reason);
}

static void fatal(struct mh_vm *vm, u32 reason, enum mh_stop_reason stop, const char *text)
{
	other_reason = reason;
	ck_assert_int_eq(run(vm, exit_other), stop);
	ck_assert_msg(strstr(mh_vm_stop_text(vm), text), "\"%s\" is not in \"%s\"", text,
		      mh_vm_stop_text(vm));
	ck_assert_ptr_nonnull(strstr(mh_vm_stop_text(vm), "vCPU 0: "));
	ck_assert_ptr_nonnull(strstr(mh_vm_stop_text(vm), "\ncr0 "));
}

START_TEST(fatal_exits)
{
	struct mh_vm *vm = make_vm(MH_VM_BARE);

	fatal(vm, MHK_EXIT_SHUTDOWN, MH_STOP_SHUTDOWN, "triple fault");
	/* 0x40 is SVM's intercepted exception 0. */
	fatal(vm, MHK_EXIT_UNHANDLED, MH_STOP_ERROR, mhi_engine_exit_name(&fake_engine.info, 0x40));
	fatal(vm, MHK_EXIT_UNHANDLED, MH_STOP_ERROR, "raw reason 0x40, information 0xabc");
	fatal(vm, MHK_EXIT_ENTRY_FAILED, MH_STOP_ERROR, "refused to enter");
	fatal(vm, MHK_EXIT_MEM_FAULT, MH_STOP_ERROR, "guest-physical 0x7000");
	fatal(vm, MHK_EXIT_MMIO, MH_STOP_ERROR, "executes at guest-physical 0x7000");
	fatal(vm, 999, MH_STOP_ERROR, "a kind this library does not know: 999");
	mh_vm_destroy(vm);
}
END_TEST

static int exit_run_error(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	return MH_EINVAL;
}

static int exit_hypercall(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	page->state.gpr[MHK_RAX] = 1;
	return fake_exit(page, MHK_EXIT_HYPERCALL);
}

static int exit_eoi(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	page->exit.u.eoi.vector = 0x31;
	return fake_exit(page, MHK_EXIT_EOI);
}

START_TEST(other_exits)
{
	struct mh_vm *vm = make_vm(0);

	ck_assert_int_eq(run(vm, exit_hypercall), MH_STOP_REQUEST);
	ck_assert_int_eq((int)answer.page.state.gpr[MHK_RAX], -1000);
	ck_assert_int_eq(run(vm, exit_eoi), MH_STOP_REQUEST);
	ck_assert_uint_eq(fake_machine.eoi_vector, 0x31);
	ck_assert_int_eq(run(vm, exit_run_error), MH_STOP_ERROR);
	ck_assert_ptr_nonnull(
		strstr(mh_vm_stop_text(vm), "refuses its register state (MH_EINVAL)"));
	mh_vm_destroy(vm);
}
END_TEST

static void change_regs(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mh_regs regs;

	ck_assert_int_eq(mh_vcpu_get_regs(opaque, 0, &regs), 0);
	regs.rbx = 0x4242;
	ck_assert_int_eq(mh_vcpu_set_regs(opaque, 0, &regs), 0);
	ck_assert_int_eq(mh_vcpu_get_regs(opaque, 1, &regs), MH_ESTATE);
}

static int exit_change(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	return fake_exit_out(page, 0x70, 1, 0);
}

START_TEST(registers_from_a_handler)
{
	const struct mh_io_ops ops = { 1, NULL, change_regs }, done = { 1, NULL, on_done };
	struct mh_vm *vm = api_vm(2, MH_VM_BARE, 0);
	struct mh_regs regs;

	ck_assert_int_eq(mh_vm_pio_add(vm, 0x70, 1, &ops, vm), 0);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0xf4, 1, &done, vm), 0);
	fake_engine.script = one_exit;
	ck_assert_int_eq(run(vm, exit_change), MH_STOP_REQUEST);
	ck_assert_int_eq(mh_vcpu_get_regs(vm, 0, &regs), 0);
	ck_assert_uint_eq(regs.rbx, 0x4242);
	mh_vm_destroy(vm);
}
END_TEST

/* The boot CPU begins where the loader says, in the state of that protocol. */
START_TEST(entry_states)
{
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_vm *vm = make_vm(0);
	struct mh_sregs s;

	boot.kernel = "/kernel";
	fake_machine.entry = (struct mhi_entry){ .long_mode = true,
						 .rip = 0x1000200,
						 .rsi = 0x7000,
						 .rsp = 0x8ff0,
						 .cr3 = 0x9000,
						 .gdt_base = 0x500,
						 .gdt_limit = 31 };
	ck_assert_int_eq(mh_vm_boot(vm, &boot), 0);
	ck_assert_int_eq(run(vm, exit_in), MH_STOP_REQUEST);
	ck_assert_uint_eq(answer.page.state.rip, 0x1000200);
	ck_assert_uint_eq(answer.page.state.gpr[MHK_RSI], 0x7000);
	ck_assert_int_eq(mh_vcpu_get_sregs(vm, 0, &s), 0);
	ck_assert_uint_eq(s.cs.selector, 0x10);
	ck_assert_uint_eq(s.cs.attr, 0xa09b);
	ck_assert_uint_eq(s.ds.selector, 0x18);
	ck_assert_uint_eq(s.efer, 0x500);
	ck_assert_uint_eq(s.cr0 & 0x80000001, 0x80000001);
	ck_assert_uint_eq(s.cr3, 0x9000);
	ck_assert_uint_eq(s.cr4, 0x20);
	fake_machine.entry = (struct mhi_entry){ .rip = 0x1000000, .rbx = 0x6000 };
	ck_assert_int_eq(run(vm, exit_in), MH_STOP_REQUEST);
	ck_assert_uint_eq(answer.page.state.gpr[MHK_RBX], 0x6000);
	ck_assert_int_eq(mh_vcpu_get_sregs(vm, 0, &s), 0);
	ck_assert_uint_eq(s.cs.attr, 0xc09b);
	ck_assert_uint_eq(s.cr0, 0x11);
	ck_assert_uint_eq(s.cr4, 0);
	ck_assert_uint_eq(s.tr.attr, 0x8b);
	mh_vm_destroy(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, pio);
	tcase_add_test(tcase, msrs);
	tcase_add_test(tcase, msr_hammer);
	tcase_add_test(tcase, mmio_device);
	tcase_add_test(tcase, mmio_decoded);
	tcase_add_test(tcase, mmio_lapic);
	tcase_add_test(tcase, mmio_and_memory);
	tcase_add_test(tcase, emulation_ends_otherwise);
	tcase_add_test(tcase, fatal_exits);
	tcase_add_test(tcase, other_exits);
	tcase_add_test(tcase, registers_from_a_handler);
	tcase_add_test(tcase, entry_states);
}

UNIT_MAIN("vcpu", add_tests)

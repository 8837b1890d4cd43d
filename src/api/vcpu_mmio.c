/* SPDX-License-Identifier: MIT */
/*
 * Where the memory accesses of emulated instructions go: the local APIC's page, guest memory, or a
 * handler. String port instructions come here too.
 */
#include "api/impl.h"
#include "base/x86.h"

#define EMULATED_GROUPS (MHK_G_GPR | MHK_G_RIP | MHK_G_CR)
#define LAPIC_REGISTER 0xff0u
/*
 * IA32_APIC_BASE: SDM 3A 11.4.3 "Enabling or Disabling the Local APIC", 11.12.1 "Detecting and
 * Enabling x2APIC Mode".
 */
#define APIC_BASE_EXTD (1ull << 10)
#define APIC_BASE_EN (1ull << 11)
#define DR6_BS (1ull << 14) /* SDM 3B 18.2.3 "Debug Status Register (DR6)" */

/*
 * Registers are 32 bits wide on 16-byte boundaries; narrower reads see a part. False: no local
 * APIC answers there.
 */
static bool lapic_access(struct mh_vcpu *v, bool write, mh_gpa gpa, unsigned int bytes, u64 *value)
{
	u32 offset = (u32)gpa & LAPIC_REGISTER, within = (u32)gpa & 15, reg = (u32)*value;
	u64 base = 0;

	if (within + bytes > 4 || (write && bytes != 4)) {
		*value = 0;
		return true;
	}
	if (v->vm->ops->lapic(v->eng, write, offset, &reg, &base))
		return false;
	if ((base & (APIC_BASE_EN | APIC_BASE_EXTD)) != APIC_BASE_EN)
		return false;
	if (!write)
		*value = (reg >> (8 * within)) & (~0ull >> (64 - 8 * bytes));
	return true;
}

static bool is_lapic(mh_gpa gpa)
{
	return gpa >> MHI_PAGE_SHIFT == MHI_LAPIC_BASE >> MHI_PAGE_SHIFT;
}

/*
 * Handlers take 1, 2, 4 or 8 bytes; what is left of an operand that crosses a page may have any
 * length.
 */
static unsigned int piece(unsigned int bytes)
{
	unsigned int n = 8;

	while (n > bytes)
		n /= 2;
	return n;
}

static void device_read(struct mh_vcpu *v, mh_gpa gpa, void *buf, unsigned int bytes)
{
	u8 *to = buf;

	while (bytes) {
		unsigned int n = piece(bytes);
		u64 value = 0;

		if (!is_lapic(gpa) || !lapic_access(v, false, gpa, n, &value))
			mhi_bus_read(&v->vm->mmio, gpa, n, &value);
		memcpy(to, &value, n);
		to += n;
		gpa += n;
		bytes -= n;
	}
}

static void device_write(struct mh_vcpu *v, mh_gpa gpa, const void *buf, unsigned int bytes)
{
	const u8 *from = buf;

	while (bytes) {
		unsigned int n = piece(bytes);
		u64 value = 0;

		memcpy(&value, from, n);
		if (!is_lapic(gpa) || !lapic_access(v, true, gpa, n, &value))
			mhi_bus_write(&v->vm->mmio, gpa, n, value);
		from += n;
		gpa += n;
		bytes -= n;
	}
}

static int env_read(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes)
{
	struct mh_vcpu *v = opaque;
	bool device = gpa >> MHI_PAGE_SHIFT == v->mmio_page && !v->mmio_write;

	if (device || mhi_gmem_read(&v->vm->mem, gpa, buf, bytes))
		device_read(v, gpa, buf, bytes);
	return 0;
}

static int env_write(void *opaque, mh_gpa gpa, const void *buf, unsigned int bytes)
{
	struct mh_vcpu *v = opaque;
	bool device = gpa >> MHI_PAGE_SHIFT == v->mmio_page && v->mmio_write;

	if (device || mhi_gmem_write(&v->vm->mem, gpa, buf, bytes, false))
		device_write(v, gpa, buf, bytes);
	return 0;
}

static u32 env_in(void *opaque, u16 port, unsigned int bytes)
{
	return mhi_vcpu_in(opaque, port, bytes);
}

static void env_out(void *opaque, u16 port, unsigned int bytes, u32 value)
{
	mhi_vcpu_out(opaque, port, bytes, value);
}

static int env_fetch(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes)
{
	struct mh_vcpu *v = opaque;

	return mhi_gmem_read(&v->vm->mem, gpa, buf, bytes);
}

static void inject(struct mh_vcpu *v, const struct mhi_insn_out *out)
{
	struct mhk_run *page = v->page;

	page->user.inject = out->inject;
	page->user.inject_error = out->inject_error;
	page->user.commit |= out->dirty;
}

void mhi_vcpu_init_env(struct mh_vcpu *v)
{
	v->mmio_page = MHI_NO_PAGE;
	v->insn_env = (struct mhi_insn_env){ .read = env_read,
					     .write = env_write,
					     .in = env_in,
					     .out = env_out,
					     .fetch = env_fetch,
					     .opaque = v };
}

static struct mhi_gwalk_window window_of(const struct mhi_slot *slot)
{
	return (struct mhi_gwalk_window){ .gpa = slot->gpa,
					  .bytes = slot->bytes,
					  .at = (const u8 *)(uintptr_t)slot->hva };
}

/* The largest pieces of memory: page tables and code lie there. */
void mhi_vm_set_windows(struct mh_vm *vm)
{
	struct mhi_gwalk_window window[MHI_GWALK_WINDOWS] = { 0 };
	unsigned int i, n;

	for (i = 0; i < MHI_SLOTS_MAX; i++) {
		struct mhi_gwalk_window next = window_of(&vm->mem.slots.slot[i]);

		for (n = 0; n < MHI_GWALK_WINDOWS; n++) {
			struct mhi_gwalk_window other = window[n];

			if (next.bytes <= other.bytes)
				continue;
			window[n] = next;
			next = other;
		}
	}
	for (i = 0; i < vm->cpus; i++)
		memcpy(vm->vcpu[i].insn_env.window, window, sizeof(window));
}

void mhi_vcpu_mmio(struct mh_vcpu *v)
{
	const struct mhk_exit *exit = &v->page->exit;
	unsigned int bytes = exit->u.mmio.insn_len;
	u64 value = 0;

	if (bytes > sizeof(value))
		bytes = sizeof(value);
	if (exit->u.mmio.flags & MHK_MMIO_WRITE) {
		device_write(v, exit->u.mmio.gpa, exit->u.mmio.insn, bytes);
	} else {
		device_read(v, exit->u.mmio.gpa, &value, bytes);
		v->page->user.reply = value;
	}
}

static void unknown_instruction(struct mh_vcpu *v, const struct mhi_insn_out *out)
{
	if (v->mmio_page == MHI_NO_PAGE)
		mhi_vcpu_fail(v, MH_STOP_ERROR, "an instruction that cannot be emulated: %s",
			      out->text);
	else
		mhi_vcpu_fail(v, MH_STOP_ERROR,
			      "an instruction that cannot be emulated touches a device in "
			      "guest-physical page "
			      "0x%llx: %s",
			      v->mmio_page << MHI_PAGE_SHIFT, out->text);
}

/* The emulated instruction was a single step: #DB behind it, as the CPU itself would. */
void mhi_vcpu_single_step(struct mh_vcpu *v)
{
	struct mhk_run *page = v->page;

	if (mhi_vcpu_fetch(v, MHK_G_DR))
		return;
	page->state.dr6 |= DR6_BS;
	page->user.commit |= MHK_G_DR;
	page->user.inject = MHI_INJECT(MHI_VEC_DB);
}

void mhi_vcpu_emulate(struct mh_vcpu *v, const u8 *bytes, unsigned int len)
{
	struct mhk_run *page = v->page;
	bool step = (page->state.rflags & MHI_RFLAGS_TF) != 0;
	struct mhi_insn_out out;

	v->ours = EMULATED_GROUPS;
	do {
		memset(&out, 0, sizeof(out));
		switch (mhi_insn_emulate(v->insn, &v->insn_env, &page->state, bytes, len, &out)) {
		case MHI_INSN_DONE:
			page->user.commit |= out.dirty;
			if (step)
				mhi_vcpu_single_step(v);
			break;
		case MHI_INSN_EXCEPTION:
			inject(v, &out);
			break;
		case MHI_INSN_UNKNOWN:
			unknown_instruction(v, &out);
			break;
		}
	} while (out.again && !step && mhi_vm_go(v->vm));
	v->ours = 0;
}

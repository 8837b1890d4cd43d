/* SPDX-License-Identifier: MIT */
/* Registers of a vCPU, for the embedder. */
#include "api/impl.h"
#include "base/x86.h"

#define ATTR_CODE32 0xc09bu
#define ATTR_CODE64 0xa09bu
#define ATTR_DATA 0xc093u
#define ATTR_TSS 0x8bu
#define TSS_LIMIT 0x67u
#define FLAT_LIMIT 0xffffffffu
/* Selectors of the boot protocol: Documentation/arch/x86/boot.rst, "64-bit Boot Protocol". */
#define BOOT_CS 0x10u
#define BOOT_DS 0x18u
#define BOOT_TR 0x20u

int mhi_vcpu_fetch(struct mh_vcpu *v, u32 groups)
{
	u32 missing = groups & ~(v->page->user.commit | v->ours);

	return missing ? v->vm->ops->get(v->eng, missing) : 0;
}

int mhi_vcpu_commit(struct mh_vcpu *v, u32 groups, const struct mhk_state *s)
{
	struct mhk_run *page = v->page;
	const struct mhk_state old = page->state;
	u32 old_commit = page->user.commit;
	int rc;

	page->state = *s;
	page->user.commit |= groups;
	page->user.immediate_exit = 1;
	rc = v->vm->ops->run(v->eng);
	page->user.immediate_exit = 0;
	if (rc) {
		page->state = old;
		page->user.commit = old_commit;
	}
	return rc;
}

static struct mhk_seg flat(u32 selector, u32 attr)
{
	return (struct mhk_seg){ .sel = (u16)selector, .limit = FLAT_LIMIT, .attr = attr };
}

void mhi_vcpu_set_entry(struct mh_vcpu *v, const struct mhi_entry *entry)
{
	struct mhk_state *s = &v->page->state;
	unsigned int i;

	if (entry->reset)
		return;
	s->rip = entry->rip;
	s->rflags = MHI_RFLAGS_FIXED;
	s->gpr[MHK_RSI] = entry->rsi;
	s->gpr[MHK_RBX] = entry->rbx;
	s->gpr[MHK_RSP] = entry->rsp;
	for (i = MHK_ES; i <= MHK_GS; i++)
		s->seg[i] = flat(BOOT_DS, ATTR_DATA);
	s->seg[MHK_CS] = flat(BOOT_CS, entry->long_mode ? ATTR_CODE64 : ATTR_CODE32);
	s->seg[MHK_TR] = (struct mhk_seg){ .sel = BOOT_TR, .limit = TSS_LIMIT, .attr = ATTR_TSS };
	s->gdt.base = entry->gdt_base;
	s->gdt.limit = (u16)entry->gdt_limit;
	s->cr0 = MHI_CR0_PE | MHI_CR0_ET;
	if (entry->long_mode) {
		s->cr0 |= MHI_CR0_PG | MHI_CR0_NE | MHI_CR0_WP;
		s->cr3 = entry->cr3;
		s->cr4 = MHI_CR4_PAE;
		s->efer = MHI_EFER_LME | MHI_EFER_LMA;
	}
	v->page->user.commit |= MHK_G_GPR | MHK_G_RIP | MHK_G_SEG | MHK_G_CR;
}

static int bad_argument(struct mh_vm *vm, const char *what, u32 index)
{
	if (index >= vm->cpus)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "%s of VM \"%s\": there is no vCPU %u; choose one from 0 to %u",
				   what, vm->name, index, vm->cpus - 1);
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
			   "%s of VM \"%s\": a pointer is NULL, or a size not set; set them", what,
			   vm->name);
}

/*
 * vm->lock is held on success; the vCPU is parked, or the caller is its own thread in a handler. A
 * device's callback does not wait for who is busy, and may swap the engine's vCPUs.
 */
static int begin(struct mh_vm *vm, u32 index, const void *pointer, const char *what,
		 struct mh_vcpu **out)
{
	bool runs;
	int rc;

	if (!vm)
		return MH_EINVAL;
	if (index >= vm->cpus || !pointer)
		return bad_argument(vm, what, index);
	mhi_vm_enter(vm);
	*out = &vm->vcpu[index];
	runs = vm->state == MH_VM_RUNNING || mhi_vm_self(vm);
	if (mhi_vm_self(vm) == *out || (!runs && !vm->busy))
		return 0;
	rc = mhi_err_set(mhi_ctx_err(vm->ctx), MH_ESTATE, "%s of VM \"%s\": vCPU %u %s", what,
			 vm->name, index,
			 runs ? "runs; pause the VM first"
			      : "is being started or reset by another thread; ask again later");
	mhi_vm_leave(vm);
	return rc;
}

/* Leaves the VM; turns an engine's refusal into the public error. */
static int end(struct mh_vcpu *v, const char *what, int rc)
{
	struct mh_vm *vm = v->vm;

	if (rc == MH_EINVAL)
		mhi_err_set(mhi_ctx_err(vm->ctx), rc,
			    "%s of VM \"%s\": vCPU %u: no CPU can have these values; look for "
			    "reserved bits, non-canonical addresses, limits above 0xffff of GDT "
			    "and IDT, and CR0, CR4 and EFER that contradict each other",
			    what, vm->name, v->index);
	else if (rc)
		mhi_err_set(mhi_ctx_err(vm->ctx), rc,
			    "%s of VM \"%s\": vCPU %u: the engine cannot reach them; see the "
			    "kernel log: dmesg",
			    what, vm->name, v->index);
	mhi_vm_leave(vm);
	return rc;
}

/* struct mh_regs and the engine's order of registers, field by field. */
/* clang-format off */
#define REGS(X)                                                                                 \
	X(rax, RAX) X(rbx, RBX) X(rcx, RCX) X(rdx, RDX) X(rsi, RSI) X(rdi, RDI) X(rsp, RSP)     \
	X(rbp, RBP) X(r8, R8) X(r9, R9) X(r10, R10) X(r11, R11) X(r12, R12) X(r13, R13)         \
	X(r14, R14) X(r15, R15)
/* clang-format on */

int mh_vcpu_get_regs(struct mh_vm *vm, uint32_t index, struct mh_regs *out)
{
	const struct mhk_state *s;
	struct mh_vcpu *v;
	int rc = begin(vm, index, out, "registers", &v);

	if (rc)
		return rc;
	rc = mhi_vcpu_fetch(v, MHK_G_GPR | MHK_G_RIP);
	if (!rc) {
		s = &v->page->state;
#define GET_REG(field, reg) out->field = s->gpr[MHK_##reg];
		REGS(GET_REG)
#undef GET_REG
		out->rip = s->rip;
		out->rflags = s->rflags;
	}
	return end(v, "registers", rc);
}

int mh_vcpu_set_regs(struct mh_vm *vm, uint32_t index, const struct mh_regs *regs)
{
	struct mhk_state s;
	struct mh_vcpu *v;
	int rc = begin(vm, index, regs, "set registers", &v);

	if (rc)
		return rc;
	s = v->page->state;
#define SET_REG(field, reg) s.gpr[MHK_##reg] = regs->field;
	REGS(SET_REG)
#undef SET_REG
	s.rip = regs->rip;
	s.rflags = regs->rflags | MHI_RFLAGS_FIXED;
	return end(v, "set registers", mhi_vcpu_commit(v, MHK_G_GPR | MHK_G_RIP, &s));
}

#define SEGMENTS(X) \
	X(es, ES) X(cs, CS) X(ss, SS) X(ds, DS) X(fs, FS) X(gs, GS) X(ldtr, LDTR) X(tr, TR)

static struct mh_segment segment_out(const struct mhk_seg *seg)
{
	return (struct mh_segment){
		.base = seg->base, .limit = seg->limit, .attr = seg->attr, .selector = seg->sel
	};
}

static struct mhk_seg segment_in(const struct mh_segment *seg)
{
	return (struct mhk_seg){
		.base = seg->base, .limit = seg->limit, .attr = seg->attr, .sel = seg->selector
	};
}

static void sregs_out(const struct mhk_state *s, struct mh_sregs *out)
{
#define GET_SEGMENT(field, reg) out->field = segment_out(&s->seg[MHK_##reg]);
	SEGMENTS(GET_SEGMENT)
#undef GET_SEGMENT
	out->gdt_base = s->gdt.base;
	out->gdt_limit = s->gdt.limit;
	out->idt_base = s->idt.base;
	out->idt_limit = s->idt.limit;
	out->cr0 = s->cr0;
	out->cr2 = s->cr2;
	out->cr3 = s->cr3;
	out->cr4 = s->cr4;
	out->cr8 = s->cr8;
	out->efer = s->efer;
}

static void sregs_in(const struct mh_sregs *in, struct mhk_state *s)
{
#define SET_SEGMENT(field, reg) s->seg[MHK_##reg] = segment_in(&in->field);
	SEGMENTS(SET_SEGMENT)
#undef SET_SEGMENT
	s->gdt.base = in->gdt_base;
	s->gdt.limit = (u16)in->gdt_limit;
	s->idt.base = in->idt_base;
	s->idt.limit = (u16)in->idt_limit;
	s->cr0 = in->cr0;
	s->cr2 = in->cr2;
	s->cr3 = in->cr3;
	s->cr4 = in->cr4;
	s->cr8 = in->cr8;
	s->efer = in->efer;
}

int mh_vcpu_get_sregs(struct mh_vm *vm, uint32_t index, struct mh_sregs *out)
{
	struct mh_vcpu *v;
	int rc = begin(vm, index, out, "system registers", &v);

	if (rc)
		return rc;
	rc = mhi_vcpu_fetch(v, MHK_G_SEG | MHK_G_CR);
	if (!rc)
		sregs_out(&v->page->state, out);
	return end(v, "system registers", rc);
}

int mh_vcpu_set_sregs(struct mh_vm *vm, uint32_t index, const struct mh_sregs *sregs)
{
	struct mhk_state s;
	struct mh_vcpu *v;
	int rc = begin(vm, index, sregs, "set system registers", &v);

	if (rc)
		return rc;
	if (sregs->gdt_limit > 0xffff || sregs->idt_limit > 0xffff)
		return end(v, "set system registers", MH_EINVAL);
	/* XCR0 is in the same group and not in struct mh_sregs. */
	rc = mhi_vcpu_fetch(v, MHK_G_SEG | MHK_G_CR);
	if (!rc) {
		s = v->page->state;
		sregs_in(sregs, &s);
		rc = mhi_vcpu_commit(v, MHK_G_SEG | MHK_G_CR, &s);
	}
	return end(v, "set system registers", rc);
}

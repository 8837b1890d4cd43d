// SPDX-License-Identifier: MIT
/* The KVM engine's translation of vCPU state, group by group, and of injected events. */
#include "core/engine_kvm.h"
#include "base/x86.h"

#include <errno.h>
#include <sys/ioctl.h>

#define VCPU_MSRS 10

static int call(struct mhi_eng_vcpu *v, unsigned long request, void *arg)
{
	if (ioctl(v->fd, request, arg) >= 0)
		return 0;
	return errno == EINVAL ? MH_EINVAL : MH_EIO;
}

/* ---- general registers: struct kvm_regs is in another order ---- */

static __u64 *kvm_gpr(struct kvm_regs *r, unsigned int i)
{
	__u64 *const at[MHK_GPRS] = {
		&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
		&r->r8,	 &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15,
	};

	return at[i];
}

static int set_regs(struct mhi_eng_vcpu *v, u32 groups)
{
	const struct mhk_state *s = &v->page->state;
	struct kvm_regs regs;
	unsigned int i;
	int rc = call(v, KVM_GET_REGS, &regs);

	if (rc)
		return rc;
	for (i = 0; i < MHK_GPRS && (groups & MHK_G_GPR); i++)
		*kvm_gpr(&regs, i) = s->gpr[i];
	if (groups & MHK_G_RIP) {
		if (s->rflags & ~MHI_RFLAGS_VALID)
			return MH_EINVAL;
		regs.rip = s->rip;
		regs.rflags = s->rflags | MHI_RFLAGS_FIXED;
	}
	return call(v, KVM_SET_REGS, &regs);
}

static int get_regs(struct mhi_eng_vcpu *v, u32 groups)
{
	struct mhk_state *s = &v->page->state;
	struct kvm_regs regs;
	unsigned int i;
	int rc = call(v, KVM_GET_REGS, &regs);

	if (rc)
		return rc;
	for (i = 0; i < MHK_GPRS && (groups & MHK_G_GPR); i++)
		s->gpr[i] = *kvm_gpr(&regs, i);
	if (groups & MHK_G_RIP) {
		s->rip = regs.rip;
		s->rflags = regs.rflags;
	}
	return 0;
}

/* ---- segments and control registers ---- */

static struct kvm_segment to_kvm_seg(const struct mhk_seg *seg)
{
	u32 attr = seg->attr;

	return (struct kvm_segment){
		.base = seg->base,
		.limit = seg->limit,
		.selector = seg->sel,
		.type = (__u8)mhi_bits(attr, 3, 0),
		.s = (__u8)mhi_bits(attr, 4, 4),
		.dpl = (__u8)mhi_bits(attr, 6, 5),
		.present = (__u8)mhi_bits(attr, 7, 7),
		.avl = (__u8)mhi_bits(attr, 12, 12),
		.l = (__u8)mhi_bits(attr, 13, 13),
		.db = (__u8)mhi_bits(attr, 14, 14),
		.g = (__u8)mhi_bits(attr, 15, 15),
		.unusable = (__u8)mhi_bits(attr, 16, 16),
	};
}

static struct mhk_seg from_kvm_seg(const struct kvm_segment *seg)
{
	return (struct mhk_seg){
		.base = seg->base,
		.limit = seg->limit,
		.sel = seg->selector,
		.attr = seg->type | (u32)seg->s << 4 | (u32)seg->dpl << 5 | (u32)seg->present << 7 |
			(u32)seg->avl << 12 | (u32)seg->l << 13 | (u32)seg->db << 14 |
			(u32)seg->g << 15 | (u32)seg->unusable << 16,
	};
}

static struct kvm_segment *kvm_seg(struct kvm_sregs *r, unsigned int i)
{
	struct kvm_segment *const at[MHK_SEGS] = {
		[MHK_ES] = &r->es, [MHK_CS] = &r->cs, [MHK_SS] = &r->ss,    [MHK_DS] = &r->ds,
		[MHK_FS] = &r->fs, [MHK_GS] = &r->gs, [MHK_LDTR] = &r->ldt, [MHK_TR] = &r->tr,
	};

	return at[i];
}

static int set_xcr0(struct mhi_eng_vcpu *v, u64 xcr0)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1 };

	if (!(v->vm->e->info.features & MHI_BIT(MHK_F_XSAVE)))
		return xcr0 == MHI_XCR0_X87 ? 0 : MH_EINVAL;
	xcrs.xcrs[0].value = xcr0;
	return call(v, KVM_SET_XCRS, &xcrs);
}

static void sregs_take(struct kvm_sregs *r, const struct mhk_state *s, u32 groups)
{
	unsigned int i;

	for (i = 0; i < MHK_SEGS && (groups & MHK_G_SEG); i++)
		*kvm_seg(r, i) = to_kvm_seg(&s->seg[i]);
	if (groups & MHK_G_SEG) {
		r->gdt.base = s->gdt.base;
		r->gdt.limit = s->gdt.limit;
		r->idt.base = s->idt.base;
		r->idt.limit = s->idt.limit;
	}
	if (groups & MHK_G_CR) {
		r->cr0 = s->cr0;
		r->cr2 = s->cr2;
		r->cr3 = s->cr3;
		r->cr4 = s->cr4;
		r->cr8 = s->cr8;
		r->efer = s->efer;
	}
}

static int set_sregs(struct mhi_eng_vcpu *v, u32 groups)
{
	const struct mhk_state *s = &v->page->state;
	struct kvm_sregs sregs;
	int rc = call(v, KVM_GET_SREGS, &sregs);

	if (rc)
		return rc;
	sregs_take(&sregs, s, groups);
	rc = call(v, KVM_SET_SREGS, &sregs);
	if (!rc && (groups & MHK_G_CR))
		rc = set_xcr0(v, s->xcr0);
	return rc;
}

static int get_xcr0(struct mhi_eng_vcpu *v, __u64 *xcr0)
{
	struct kvm_xcrs xcrs = { 0 };
	int rc;

	*xcr0 = MHI_XCR0_X87;
	if (!(v->vm->e->info.features & MHI_BIT(MHK_F_XSAVE)))
		return 0;
	rc = call(v, KVM_GET_XCRS, &xcrs);
	if (!rc && xcrs.nr_xcrs)
		*xcr0 = xcrs.xcrs[0].value;
	return rc;
}

static int get_sregs(struct mhi_eng_vcpu *v, u32 groups)
{
	struct mhk_state *s = &v->page->state;
	struct kvm_sregs r;
	unsigned int i;
	int rc = call(v, KVM_GET_SREGS, &r);

	if (rc)
		return rc;
	for (i = 0; i < MHK_SEGS && (groups & MHK_G_SEG); i++)
		s->seg[i] = from_kvm_seg(kvm_seg(&r, i));
	if (groups & MHK_G_SEG) {
		s->gdt = (struct mhk_dtable){ .base = r.gdt.base, .limit = r.gdt.limit };
		s->idt = (struct mhk_dtable){ .base = r.idt.base, .limit = r.idt.limit };
	}
	if (!(groups & MHK_G_CR))
		return 0;
	s->cr0 = r.cr0;
	s->cr2 = r.cr2;
	s->cr3 = r.cr3;
	s->cr4 = r.cr4;
	s->cr8 = r.cr8;
	s->efer = r.efer;
	return get_xcr0(v, &s->xcr0);
}

/* ---- debug registers, MSRs, FPU ---- */

static int set_debug(struct mhi_eng_vcpu *v)
{
	const struct mhk_state *s = &v->page->state;
	struct kvm_debugregs regs = { .dr6 = s->dr6, .dr7 = s->dr7 };

	memcpy(regs.db, s->dr, sizeof(regs.db));
	return call(v, KVM_SET_DEBUGREGS, &regs);
}

static int get_debug(struct mhi_eng_vcpu *v)
{
	struct mhk_state *s = &v->page->state;
	struct kvm_debugregs regs;
	int rc = call(v, KVM_GET_DEBUGREGS, &regs);

	if (rc)
		return rc;
	memcpy(s->dr, regs.db, sizeof(regs.db));
	s->dr6 = regs.dr6;
	s->dr7 = regs.dr7;
	return 0;
}

struct msr_list {
	struct kvm_msrs head;
	struct kvm_msr_entry entry[VCPU_MSRS];
};

/* TSC_AUX is last: a CPU without RDTSCP has none. */
static void msr_list_init(struct msr_list *list, const struct mhk_state *s)
{
	const struct kvm_msr_entry entry[VCPU_MSRS] = {
		{ .index = MHI_MSR_STAR, .data = s->star },
		{ .index = MHI_MSR_LSTAR, .data = s->lstar },
		{ .index = MHI_MSR_CSTAR, .data = s->cstar },
		{ .index = MHI_MSR_SFMASK, .data = s->sfmask },
		{ .index = MHI_MSR_KERNEL_GS_BASE, .data = s->kernel_gs_base },
		{ .index = MHI_MSR_SYSENTER_CS, .data = s->sysenter_cs },
		{ .index = MHI_MSR_SYSENTER_ESP, .data = s->sysenter_esp },
		{ .index = MHI_MSR_SYSENTER_EIP, .data = s->sysenter_eip },
		{ .index = MHI_MSR_PAT, .data = s->pat },
		{ .index = MHI_MSR_TSC_AUX, .data = s->tsc_aux },
	};

	memset(list, 0, sizeof(*list));
	list->head.nmsrs = VCPU_MSRS;
	memcpy(list->entry, entry, sizeof(entry));
}

/* KVM returns how many it has done, up to the first that it refuses. */
static int set_msrs(struct mhi_eng_vcpu *v)
{
	const struct mhk_state *s = &v->page->state;
	struct msr_list list;
	int done;

	msr_list_init(&list, s);
	done = ioctl(v->fd, KVM_SET_MSRS, &list);
	if (done < 0)
		return MH_EIO;
	if (done == VCPU_MSRS || (done == VCPU_MSRS - 1 && !s->tsc_aux))
		return 0;
	return MH_EINVAL;
}

static int get_msrs(struct mhi_eng_vcpu *v)
{
	struct mhk_state *s = &v->page->state;
	struct mhk_state none = { 0 };
	struct msr_list list;
	int done;

	msr_list_init(&list, &none);
	done = ioctl(v->fd, KVM_GET_MSRS, &list);
	if (done < VCPU_MSRS - 1)
		return MH_EIO;
	s->star = list.entry[0].data;
	s->lstar = list.entry[1].data;
	s->cstar = list.entry[2].data;
	s->sfmask = list.entry[3].data;
	s->kernel_gs_base = list.entry[4].data;
	s->sysenter_cs = list.entry[5].data;
	s->sysenter_esp = list.entry[6].data;
	s->sysenter_eip = list.entry[7].data;
	s->pat = list.entry[8].data;
	s->tsc_aux = done == VCPU_MSRS ? list.entry[9].data : 0;
	return 0;
}

static void *fpu_image(struct mhi_eng_vcpu *v)
{
	return (u8 *)v->page + MHK_FPU_OFFSET;
}

/* ---- waiting state and shadows ---- */

static int set_events(struct mhi_eng_vcpu *v, u32 shadow)
{
	struct kvm_vcpu_events events;
	int rc = call(v, KVM_GET_VCPU_EVENTS, &events);

	if (rc)
		return rc;
	events.interrupt.shadow = shadow & MHK_SHADOW_STI ? KVM_X86_SHADOW_INT_STI : 0;
	events.nmi.masked = shadow & MHK_SHADOW_NMI ? 1 : 0;
	events.flags |= KVM_VCPUEVENT_VALID_SHADOW;
	return call(v, KVM_SET_VCPU_EVENTS, &events);
}

/* SIPI ends INIT_RECEIVED; KVM's own name for a fresh AP, UNINITIALIZED, waits for INIT first. */
static int set_misc(struct mhi_eng_vcpu *v)
{
	static const u32 states[] = {
		[MHK_MP_RUNNABLE] = KVM_MP_STATE_RUNNABLE,
		[MHK_MP_WAIT_SIPI] = KVM_MP_STATE_INIT_RECEIVED,
		[MHK_MP_HALTED] = KVM_MP_STATE_HALTED,
	};
	const struct mhk_state *s = &v->page->state;
	struct kvm_mp_state mp;
	int rc;

	if (s->mp_state >= MHI_COUNT(states) || (s->shadow & ~(MHK_SHADOW_STI | MHK_SHADOW_NMI)))
		return MH_EINVAL;
	mp.mp_state = states[s->mp_state];
	rc = call(v, KVM_SET_MP_STATE, &mp);
	return rc ? rc : set_events(v, s->shadow);
}

static int get_misc(struct mhi_eng_vcpu *v)
{
	struct mhk_state *s = &v->page->state;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	int rc = call(v, KVM_GET_MP_STATE, &mp);

	if (!rc)
		rc = call(v, KVM_GET_VCPU_EVENTS, &events);
	if (rc)
		return rc;
	if (mp.mp_state == KVM_MP_STATE_HALTED)
		s->mp_state = MHK_MP_HALTED;
	else if (mp.mp_state == KVM_MP_STATE_RUNNABLE)
		s->mp_state = MHK_MP_RUNNABLE;
	else
		s->mp_state = MHK_MP_WAIT_SIPI;
	s->shadow = (events.interrupt.shadow ? MHK_SHADOW_STI : 0) |
		    (events.nmi.masked ? MHK_SHADOW_NMI : 0);
	return 0;
}

/* ---- all groups ---- */

int mhi_kvm_state_set(struct mhi_eng_vcpu *v, u32 groups)
{
	int rc = 0;

	/* CR before the rest: KVM checks MSRs and XSAVE against the mode. */
	if (groups & (MHK_G_SEG | MHK_G_CR))
		rc = set_sregs(v, groups);
	if (!rc && (groups & (MHK_G_GPR | MHK_G_RIP)))
		rc = set_regs(v, groups);
	if (!rc && (groups & MHK_G_DR))
		rc = set_debug(v);
	if (!rc && (groups & MHK_G_MSR))
		rc = set_msrs(v);
	if (!rc && (groups & MHK_G_FPU))
		rc = call(v, KVM_SET_XSAVE, fpu_image(v));
	if (!rc && (groups & MHK_G_MISC))
		rc = set_misc(v);
	return rc;
}

int mhi_kvm_state_get(struct mhi_eng_vcpu *v, u32 groups)
{
	int rc = 0;

	if (groups & (MHK_G_SEG | MHK_G_CR))
		rc = get_sregs(v, groups);
	if (!rc && (groups & (MHK_G_GPR | MHK_G_RIP)))
		rc = get_regs(v, groups);
	if (!rc && (groups & MHK_G_DR))
		rc = get_debug(v);
	if (!rc && (groups & MHK_G_MSR))
		rc = get_msrs(v);
	if (!rc && (groups & MHK_G_FPU))
		rc = call(v, KVM_GET_XSAVE, fpu_image(v));
	if (!rc && (groups & MHK_G_MISC))
		rc = get_misc(v);
	if (!rc)
		v->page->valid |= groups;
	return rc;
}

int mhi_kvm_inject(struct mhi_eng_vcpu *v, u32 inject, u32 error)
{
	struct kvm_vcpu_events events;
	u32 vector = inject & 0xff;
	int rc;

	if (inject == (MHK_INJECT_VALID | MHK_INJECT_NMI | MHI_VEC_NMI))
		return ioctl(v->fd, KVM_NMI) < 0 ? MH_EIO : 0;
	if ((inject & ~(MHK_INJECT_ERROR | 0x1fu)) != (MHK_INJECT_VALID | MHK_INJECT_EXCEPTION) ||
	    vector == MHI_VEC_NMI)
		return MH_EINVAL;
	rc = call(v, KVM_GET_VCPU_EVENTS, &events);
	if (rc)
		return rc;
	events.exception.injected = 1;
	events.exception.nr = (__u8)vector;
	events.exception.has_error_code = inject & MHK_INJECT_ERROR ? 1 : 0;
	events.exception.error_code = error;
	return call(v, KVM_SET_VCPU_EVENTS, &events);
}

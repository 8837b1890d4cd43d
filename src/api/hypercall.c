/* SPDX-License-Identifier: MIT */
/* A VM's hypercalls: what they stand on, the embedder's handlers, and a vCPU's exit for one. */
#include <stdio.h>
#include <time.h>

#include "api/impl.h"
#include "base/x86.h"
#include "platform/layout.h"

#define NS_PER_S 1000000000ull
#define SEG_LONG (1u << 13) /* CS.L, in mhk_seg.attr */
/* For one local APIC, fixed, edge-triggered: SDM 3A 11.11 "Message Signalled Interrupts" */
#define MSI_ADDRESS(apic_id) (0xfee00000ull | (u64)(apic_id) << 12)

MHI_STATIC_ASSERT(MHI_HC_TIMERS == MHK_MAX_VCPUS);

static u64 clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (u64)now.tv_sec * NS_PER_S + (u64)now.tv_nsec;
}

static void tell_time(void *opaque, struct mhg_time *out)
{
	out->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	out->realtime_ns = clock_ns(CLOCK_REALTIME);
}

static void fire(void *opaque, u32 vcpu, u8 vector)
{
	mhi_vm_send_msi(opaque, MSI_ADDRESS(vcpu), vector);
}

static int arm(void *opaque, u32 vcpu, u64 us, u8 vector)
{
	struct mh_vm *vm = opaque;

	return mhi_hc_timers_arm(&vm->hc_timers, vcpu, us, vector) ? MHG_ENOMEM : 0;
}

static bool cancel(void *opaque, u32 vcpu)
{
	struct mh_vm *vm = opaque;

	return mhi_hc_timers_cancel(&vm->hc_timers, vcpu);
}

static u32 version(void)
{
	unsigned int major = 0, minor = 0, patch = 0;

	sscanf(MHI_VERSION, "%u.%u.%u", &major, &minor, &patch);
	return major << 16 | (minor & 0xff) << 8 | (patch & 0xff);
}

int mhi_vm_init_hypercalls(struct mh_vm *vm)
{
	bool bare = (vm->flags & MH_VM_BARE) != 0;

	vm->hypercalls.env = (struct mhi_hc_env){ .mem = &vm->mem,
						  .version = version(),
						  .firmware_start = bare ? 0 : MHI_LOW_RAM_END,
						  .firmware_end = bare ? 0 : MHI_BIOS_END,
						  .time = tell_time,
						  .timer_arm = arm,
						  .timer_cancel = cancel,
						  .opaque = vm };
	return mhi_hc_timers_init(&vm->hc_timers, fire, vm);
}

int mh_hypercall_handler(struct mh_vm *vm, uint32_t number, mh_hypercall_fn *fn, void *opaque)
{
	struct mhi_hc_handler *handler, before;
	struct mhi_err *err;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	handler = mhi_hc_handler(&vm->hypercalls, number);
	if (!handler)
		return mhi_err_set(
			err, MH_EINVAL,
			"hypercall handler of VM \"%s\": number is 0x%x; only MH_HC_IPC, "
			"MH_HC_CLIPBOARD and MH_HC_DISPLAY can have one",
			vm->name, number);
	rc = mhi_vm_enter_setup(vm, "hypercall handler of");
	if (rc)
		return rc;
	before = *handler;
	*handler = (struct mhi_hc_handler){ fn, opaque };
	rc = mhi_vm_set_cpuid(vm, err);
	if (rc) {
		*handler = before;
		mhi_err_wrap(err, "hypercall handler of VM \"%s\"", vm->name);
	}
	mhi_vm_leave(vm);
	return rc;
}

/* SDM 3A 5.5 "Privilege Levels": the DPL of SS. */
static unsigned int cpl(const struct mhk_state *s)
{
	return s->cr0 & MHI_CR0_PE ? (unsigned int)mhi_bits(s->seg[MHK_SS].attr, 6, 5) : 0;
}

bool mhi_vcpu_hypercall(struct mh_vcpu *v)
{
	const struct mhk_state *s = &v->page->state;
	const struct mhi_hc_call call = {
		.vcpu = v->index,
		.cpl = cpl(s),
		.wide = (s->efer & MHI_EFER_LMA) && (s->seg[MHK_CS].attr & SEG_LONG),
		.number = s->gpr[MHK_RAX],
		.key = s->gpr[MHK_RDI],
		.arg = { s->gpr[MHK_RBX], s->gpr[MHK_RCX], s->gpr[MHK_RDX], s->gpr[MHK_RSI] },
	};

	if (!mhi_hc_is_ours(&call))
		return false;
	v->page->state.gpr[MHK_RAX] = mhi_hc_do(&v->vm->hypercalls, &call);
	v->page->user.commit |= MHK_G_GPR;
	return true;
}

/* SPDX-License-Identifier: MIT */
/* Exits that a debugger outside the guest causes: his breakpoints and steps, and MOV DR. */
#include "api/gdb.h"
#include "base/x86.h"

#define MOV_FROM_DR 0x21u
#define MOV_TO_DR 0x23u
#define INSN_BYTES 4u /* with a REX prefix */

void mhi_vcpu_on_debug(struct mh_vcpu *v)
{
	struct mh_vm *vm = v->vm;
	struct mhi_gdb_stop stop = { .cpu = v->index };
	bool ours;

	/* It goes only when no vCPU runs. */
	ours = vm->gdb && mhi_gdb_hit(vm->gdb, v, &stop);
	if (!ours) {
		vm->ops->debug_pass(v->eng);
		return;
	}
	pthread_mutex_lock(&vm->lock);
	if (!vm->gdb->hit)
		vm->gdb->stop = stop;
	vm->gdb->hit = true;
	pthread_mutex_unlock(&vm->lock);
	mhi_vm_request(vm, MHI_REQ_PAUSE, MH_STOP_NONE, "stopped for the debugger");
}

/* "MOV DRn, reg" or back: SDM 2B "MOV-Move to/from Debug Registers". Bytes, or 0: it is neither. */
static u32 decode(const u8 *insn, bool code64, bool *write, u32 *nr, u32 *gpr)
{
	u32 n = 0, rex = 0;

	if (code64 && (insn[0] & 0xf0) == 0x40)
		rex = insn[n++];
	if (insn[n] != 0x0f || (insn[n + 1] != MOV_FROM_DR && insn[n + 1] != MOV_TO_DR))
		return 0;
	*write = insn[n + 1] == MOV_TO_DR;
	*nr = insn[n + 2] >> 3 & 7;
	*gpr = (insn[n + 2] & 7) | (rex & 1) << 3;
	return n + 3;
}

/* 0, or the exception. */
static u32 move(struct mh_vcpu *v, bool code64, bool write, u32 nr, u64 *gpr)
{
	struct mhk_state *s = &v->page->state;
	u64 value = code64 ? *gpr : (u32)*gpr;

	/* DR4 and DR5 are other names of DR6 and DR7, unless CR4.DE. */
	if (nr == 4 || nr == 5) {
		if (s->cr4 & MHI_CR4_DE)
			return MHI_INJECT(MHI_VEC_UD);
		nr += 2;
	}
	if (write && nr >= 6 && value >> 32)
		return MHI_INJECT(MHI_VEC_GP) | MHK_INJECT_ERROR;
	v->vm->ops->debug_register(v->eng, nr, write, &value);
	if (!write) {
		*gpr = value;
		v->page->user.commit |= MHK_G_GPR;
	}
	return 0;
}

bool mhi_vcpu_mov_dr(struct mh_vcpu *v)
{
	struct mhk_run *page = v->page;
	struct mhk_state *s = &page->state;
	u32 nr, gpr, bytes;
	bool code64, write;
	u8 insn[INSN_BYTES] = { 0 };

	/* Without a debugger the guest has its debug registers itself. */
	if (!page->user.debug || !v->vm->ops->debug_register || mhi_vcpu_fetch(v, MHK_G_SEG))
		return false;
	code64 = mhi_gdb_code64(s);
	bytes = sizeof(insn);
	/* The instruction may be the last of its page, and shorter. */
	while (bytes && mhi_gdb_read_code(v, mhi_gdb_linear_rip(s), insn, bytes))
		bytes--;
	bytes = decode(insn, code64, &write, &nr, &gpr);
	if (!bytes)
		return false;
	page->user.inject = move(v, code64, write, nr, &s->gpr[gpr]);
	page->user.inject_error = 0;
	if (page->user.inject)
		return true;
	s->rip += bytes;
	page->user.commit |= MHK_G_RIP;
	if (s->rflags & MHI_RFLAGS_TF)
		mhi_vcpu_single_step(v);
	return true;
}

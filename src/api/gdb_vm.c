/* SPDX-License-Identifier: MIT */
/*
 * The VM as a debugger sees it: registers and memory of a guest that stands still, breakpoints, and
 * letting it go. Everything here enters the VM, so that it is as its state says.
 */
#include "api/gdb.h"
#include "base/x86.h"
#include "mm/gwalk.h"

#define DR7_LEN_SHIFT 18
#define DR7_KIND_SHIFT 16
#define DR7_GLOBAL(n) (2u << 2 * (n))
enum { DR7_EXECUTE = 0, DR7_WRITE = 1, DR7_ACCESS = 3 };

/* Enters, if the guest stands still; the vCPU in *v. */
static bool enter(struct mhi_gdb_stub *g, u32 cpu, struct mh_vcpu **v)
{
	struct mh_vm *vm = g->vm;

	mhi_vm_enter(vm);
	if (vm->state == MH_VM_PAUSED) {
		*v = &vm->vcpu[cpu];
		return true;
	}
	mhi_vm_leave(vm);
	return false;
}

/* ---- registers ---- */

static int get(void *opaque, u32 cpu, u32 groups, struct mhk_state *s, u8 *fpu)
{
	struct mhi_gdb_stub *g = opaque;
	struct mh_vcpu *v;
	int rc;

	if (!enter(g, cpu, &v))
		return MH_ESTATE;
	rc = mhi_vcpu_fetch(v, groups);
	*s = v->page->state;
	if (groups & MHK_G_FPU)
		memcpy(fpu, g->vm->ops->fpu_image(v->eng), MHK_FPU_BYTES);
	mhi_vm_leave(g->vm);
	return rc;
}

static int set(void *opaque, u32 cpu, u32 groups, const struct mhk_state *s, const u8 *fpu)
{
	struct mhi_gdb_stub *g = opaque;
	struct mh_vcpu *v;
	int rc;

	if (!enter(g, cpu, &v))
		return MH_ESTATE;
	if (groups & MHK_G_FPU)
		memcpy(g->vm->ops->fpu_image(v->eng), fpu, MHK_FPU_BYTES);
	rc = mhi_vcpu_commit(v, groups, s);
	mhi_vm_leave(g->vm);
	return rc;
}

/* ---- memory ---- */

static int walk_read(void *opaque, mh_gpa gpa, void *buf, u32 bytes)
{
	return mhi_gmem_read(opaque, gpa, buf, bytes);
}

/* As the guest's own tables say, whatever they allow. The page has CR and RIP. */
static int translate(struct mh_vcpu *v, u64 at, mh_gpa *gpa)
{
	const struct mhk_state *s = &v->page->state;
	const struct mhi_gwalk_env env = { .cr0 = s->cr0,
					   .cr3 = s->cr3,
					   .cr4 = s->cr4,
					   .efer = s->efer,
					   .rflags = s->rflags | MHI_RFLAGS_AC,
					   .read = walk_read,
					   .opaque = &v->vm->mem };
	struct mhi_gwalk_fault fault;

	return mhi_gwalk(&env, at, 0, gpa, &fault);
}

/* fn for each piece in one page, until it fails. */
static int each_page(struct mh_vcpu *v, bool physical, u64 at, u8 *buf, u32 bytes,
		     int (*fn)(struct mh_vm *vm, mh_gpa gpa, u8 *buf, u32 bytes))
{
	int rc = mhi_vcpu_fetch(v, MHK_G_CR | MHK_G_RIP);

	while (bytes && !rc) {
		u32 piece = (u32)(MHI_PAGE_SIZE - (at & MHI_PAGE_MASK));
		mh_gpa gpa = at;

		if (piece > bytes)
			piece = bytes;
		if (!physical)
			rc = translate(v, at, &gpa);
		if (!rc)
			rc = fn(v->vm, gpa, buf, piece);
		at += piece;
		buf += piece;
		bytes -= piece;
	}
	return rc;
}

static int read_piece(struct mh_vm *vm, mh_gpa gpa, u8 *buf, u32 bytes)
{
	return mhi_gmem_read(&vm->mem, gpa, buf, bytes);
}

/* Read-only memory is so for the guest. */
static int write_piece(struct mh_vm *vm, mh_gpa gpa, u8 *buf, u32 bytes)
{
	return mhi_gmem_write(&vm->mem, gpa, buf, bytes, true);
}

static int probe_piece(struct mh_vm *vm, mh_gpa gpa, u8 *buf, u32 bytes)
{
	return mhi_gmem_ptr(&vm->mem, gpa, bytes, false) ? 0 : MH_EFAULT;
}

static int read_memory(void *opaque, u32 cpu, bool physical, u64 at, void *buf, u32 bytes)
{
	struct mhi_gdb_stub *g = opaque;
	struct mh_vcpu *v;
	int rc;

	if (!enter(g, cpu, &v))
		return MH_ESTATE;
	rc = each_page(v, physical, at, buf, bytes, read_piece);
	mhi_vm_leave(g->vm);
	return rc;
}

static int write_memory(void *opaque, u32 cpu, bool physical, u64 at, const void *buf, u32 bytes)
{
	struct mhi_gdb_stub *g = opaque;
	struct mh_vcpu *v;
	int rc;

	if (!enter(g, cpu, &v))
		return MH_ESTATE;
	rc = each_page(v, physical, at, (u8 *)buf, bytes, probe_piece);
	if (!rc)
		rc = each_page(v, physical, at, (u8 *)buf, bytes, write_piece);
	mhi_vm_leave(g->vm);
	return rc;
}

int mhi_gdb_read_code(struct mh_vcpu *v, u64 at, u8 *buf, u32 bytes)
{
	return each_page(v, false, at, buf, bytes, read_piece);
}

bool mhi_gdb_code64(const struct mhk_state *s)
{
	return (s->efer & MHI_EFER_LMA) && (s->seg[MHK_CS].attr & MHI_ATTR_L);
}

u64 mhi_gdb_linear_rip(const struct mhk_state *s)
{
	if (mhi_gdb_code64(s))
		return s->rip;
	return (u32)(s->seg[MHK_CS].base + s->rip);
}

/* ---- software breakpoints ---- */

static void remove_soft(struct mhi_gdb_stub *g, u32 n)
{
	struct mhi_gdb_soft *b = &g->soft[n];
	u8 now;

	/* What the guest has written there since stays. */
	if (!read_piece(g->vm, b->gpa, &now, 1) && now == b->is)
		write_piece(g->vm, b->gpa, &b->was, 1);
	*b = g->soft[--g->softs];
}

static int insert_soft(struct mhi_gdb_stub *g, struct mh_vcpu *v, u64 at)
{
	struct mhi_gdb_soft b = { .at = at };
	u32 i;

	if (mhi_vcpu_fetch(v, MHK_G_CR | MHK_G_RIP | MHK_G_SEG) || translate(v, at, &b.gpa) ||
	    read_piece(g->vm, b.gpa, &b.was, 1))
		return MH_EFAULT;
	for (i = 0; i < g->softs; i++)
		if (g->soft[i].gpa == b.gpa)
			return 0;
	if (g->softs == MHI_GDB_SOFT_MAX)
		return MH_ENOMEM;
	b.is = g->vm->ops->break_insn(mhi_gdb_code64(&v->page->state));
	if (write_piece(g->vm, b.gpa, &b.is, 1))
		return MH_EFAULT;
	g->soft[g->softs++] = b;
	return 0;
}

static int drop_soft(struct mhi_gdb_stub *g, u64 at)
{
	u32 i;

	for (i = 0; i < g->softs; i++)
		if (g->soft[i].at == at) {
			remove_soft(g, i);
			break;
		}
	return 0;
}

/* ---- hardware breakpoints and watchpoints: SDM 3B 17.2.4 "Debug Control Register (DR7)" ---- */

static int drop_hard(struct mhi_gdb_stub *g, enum mhi_gdb_point kind, u64 at, u32 bytes)
{
	u32 i;

	for (i = 0; i < MHI_GDB_HARD_MAX; i++) {
		struct mhi_gdb_hard *h = &g->hard[i];

		if (h->kind == kind && h->at == at && h->bytes == bytes)
			h->used = false;
	}
	return 0;
}

static struct mhi_gdb_hard *free_hard(struct mhi_gdb_stub *g)
{
	u32 i;

	for (i = 0; i < MHI_GDB_HARD_MAX; i++)
		if (!g->hard[i].used)
			return &g->hard[i];
	return NULL;
}

/* Aligned pieces of 8, 4, 2 and 1 bytes, a register for each. */
static int insert_hard(struct mhi_gdb_stub *g, enum mhi_gdb_point kind, u64 at, u32 bytes)
{
	u64 address = at;
	u32 left = kind == MHI_GDB_HARD ? 1 : bytes, width;

	if (!bytes || left > 8 * MHI_GDB_HARD_MAX)
		return MH_EINVAL;
	drop_hard(g, kind, at, bytes);
	for (; left; left -= width, address += width) {
		struct mhi_gdb_hard *h = free_hard(g);

		if (!h) {
			drop_hard(g, kind, at, bytes);
			return MH_ENOMEM;
		}
		for (width = 8; width > left || address % width; width /= 2)
			;
		*h = (struct mhi_gdb_hard){ true, kind, at, bytes, address, width };
	}
	return 0;
}

static u64 dr7_of(const struct mhi_gdb_hard *h, u32 n)
{
	u64 kind = h->kind == MHI_GDB_HARD    ? DR7_EXECUTE
		   : h->kind == MHI_GDB_WRITE ? DR7_WRITE
					      : DR7_ACCESS;
	/* 1, 2, 8 and 4 bytes are 0, 1, 2 and 3. */
	u64 length = h->width == 8 ? 2 : h->width - 1;

	return DR7_GLOBAL(n) | kind << (DR7_KIND_SHIFT + 4 * n) | length << (DR7_LEN_SHIFT + 4 * n);
}

static int point(void *opaque, u32 cpu, bool insert, enum mhi_gdb_point kind, u64 at, u32 bytes)
{
	struct mhi_gdb_stub *g = opaque;
	struct mh_vcpu *v;
	int rc;

	if (!enter(g, cpu, &v))
		return MH_ESTATE;
	if (kind == MHI_GDB_SOFT)
		rc = insert ? insert_soft(g, v, at) : drop_soft(g, at);
	else
		rc = insert ? insert_hard(g, kind, at, bytes) : drop_hard(g, kind, at, bytes);
	mhi_vm_leave(g->vm);
	return rc;
}

/* ---- what stops it ---- */

static bool hit_soft(struct mhi_gdb_stub *g, struct mh_vcpu *v, struct mhi_gdb_stop *stop)
{
	mh_gpa gpa;
	u32 i;

	if (translate(v, mhi_gdb_linear_rip(&v->page->state), &gpa))
		return false;
	for (i = 0; i < g->softs; i++)
		if (g->soft[i].gpa == gpa) {
			stop->why = MHI_GDB_POINT;
			stop->point = MHI_GDB_SOFT;
			return true;
		}
	return false;
}

static bool hit_hard(struct mhi_gdb_stub *g, struct mh_vcpu *v, u64 causes,
		     struct mhi_gdb_stop *stop)
{
	u64 rip = mhi_gdb_linear_rip(&v->page->state);
	u32 i;

	for (i = 0; i < MHI_GDB_HARD_MAX; i++) {
		const struct mhi_gdb_hard *h = &g->hard[i];
		bool execute = h->kind == MHI_GDB_HARD;

		/* Where the CPU does not say which, the only one that it can be. */
		if (!h->used || (causes ? !(causes >> i & 1) : execute && h->address != rip))
			continue;
		stop->why = MHI_GDB_POINT;
		stop->point = h->kind;
		stop->address = h->at;
		return true;
	}
	return false;
}

bool mhi_gdb_hit(struct mhi_gdb_stub *g, struct mh_vcpu *v, struct mhi_gdb_stop *stop)
{
	const struct mhk_exit *exit = &v->page->exit;
	u64 causes = exit->raw_info[0];

	if (!g->attached || mhi_vcpu_fetch(v, MHK_G_RIP | MHK_G_SEG | MHK_G_CR))
		return false;
	if (exit->u.eoi.vector != MHI_VEC_DB)
		return hit_soft(g, v, stop);
	if (!(causes & MHI_DR6_BS) || (causes & MHI_DR6_BREAKPOINTS)) {
		if (hit_hard(g, v, causes & MHI_DR6_BREAKPOINTS, stop))
			return true;
	}
	stop->why = MHI_GDB_TRAP;
	return g->stepping[v->index] && (causes & MHI_DR6_BS);
}

/* ---- letting it go ---- */

void mhi_gdb_arm(struct mhi_gdb_stub *g, bool on)
{
	struct mhi_eng_debug debug = { .on = on, .dr7 = MHI_DR7_RESET };
	struct mh_vm *vm = g->vm;
	u32 i;

	for (i = 0; on && i < MHI_GDB_HARD_MAX; i++) {
		if (!g->hard[i].used)
			continue;
		debug.dr[i] = g->hard[i].address;
		debug.dr7 |= dr7_of(&g->hard[i], i);
	}
	for (i = 0; i < vm->cpus; i++) {
		struct mh_vcpu *v = &vm->vcpu[i];

		debug.step = on && g->stepping[i];
		/* What is to be committed goes first: the engine may look at it. */
		if (v->page->user.commit)
			mhi_vcpu_commit(v, 0, &v->page->state);
		vm->ops->debug(v->eng, &debug);
	}
}

static void resume(void *opaque, const u8 *action)
{
	struct mhi_gdb_stub *g = opaque;
	struct mh_vm *vm = g->vm;
	bool step = false;
	u32 i;

	mhi_vm_enter(vm);
	if (vm->state == MH_VM_PAUSED) {
		for (i = 0; i < vm->cpus; i++) {
			g->stepping[i] = action[i] == MHI_GDB_STEP;
			vm->vcpu[i].held = action[i] == MHI_GDB_HOLD;
			step |= g->stepping[i];
		}
		mhi_gdb_arm(g, true);
		mhi_vm_debug_resume(vm, step);
	}
	mhi_vm_leave(vm);
}

static void stop(void *opaque)
{
	struct mhi_gdb_stub *g = opaque;

	/* If it cannot be paused any more, its state tells. */
	(void)mh_vm_pause(g->vm);
}

bool mhi_gdb_attach(struct mhi_gdb_stub *g)
{
	struct mh_vm *vm = g->vm;
	bool there;

	(void)mh_vm_pause(vm);
	mhi_vm_enter(vm);
	there = vm->state == MH_VM_PAUSED;
	g->attached = there;
	g->hit = false;
	if (there)
		mhi_gdb_arm(g, true);
	mhi_vm_leave(vm);
	return there;
}

static void forget(struct mhi_gdb_stub *g)
{
	while (g->softs)
		remove_soft(g, g->softs - 1);
	memset(g->hard, 0, sizeof(g->hard));
	memset(g->stepping, 0, sizeof(g->stepping));
	mhi_gdb_arm(g, false);
	g->attached = g->hit = false;
}

void mhi_gdb_leave(struct mhi_gdb_stub *g)
{
	struct mh_vm *vm = g->vm;
	bool still;

	/* Only the stub's thread changes it. */
	if (!g->attached)
		return;
	/* Somebody else may resume it in between. */
	do {
		(void)mh_vm_pause(vm);
		mhi_vm_enter(vm);
		still = vm->state != MH_VM_RUNNING;
		if (still)
			forget(g);
		mhi_vm_leave(vm);
	} while (!still);
	(void)mh_vm_resume(vm);
}

void mhi_gdb_renew(struct mh_vm *vm)
{
	if (!vm->gdb || !vm->gdb->attached)
		return;
	vm->gdb->hit = false;
	mhi_gdb_arm(vm->gdb, true);
}

static void detach(void *opaque)
{
	mhi_gdb_leave(opaque);
}

static void kill_vm(void *opaque)
{
	struct mhi_gdb_stub *g = opaque;

	(void)mh_vm_stop(g->vm);
}

const struct mhi_gdb_target mhi_gdb_vm_target = {
	.get = get,
	.set = set,
	.read = read_memory,
	.write = write_memory,
	.point = point,
	.resume = resume,
	.stop = stop,
	.detach = detach,
	.kill = kill_vm,
};

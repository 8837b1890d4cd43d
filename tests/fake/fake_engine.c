/* SPDX-License-Identifier: MIT */
/* A fake engine in the shim's place: exits come from a script, objects and calls are counted. */
#include "fake_engine.h"

#include <stdlib.h>

#include "base/x86.h"
#include "core/err.h"

struct mhi_engine {
	int unused;
};

struct mhi_eng_vm {
	struct mhi_eng_vcpu *vcpu[MHK_MAX_VCPUS];
	bool slot[MHK_MAX_SLOTS];
};

struct fake_engine fake_engine = { .lock = PTHREAD_MUTEX_INITIALIZER,
				   .kick = PTHREAD_COND_INITIALIZER };

void fake_engine_reset(void)
{
	struct fake_engine *f = &fake_engine;

	f->info = (struct mhk_info){ .size = sizeof(f->info),
				     .abi = MHK_ABI_VERSION,
				     .vendor = MHK_VENDOR_SVM,
				     .features = MHI_BIT(MHK_F_NESTED_PAGING) |
						 MHI_BIT(MHK_F_UNRESTRICTED),
				     .xcr0 = MHI_XCR0_X87 | MHI_XCR0_SSE,
				     .cr4 = MHI_CR4_PAE | MHI_CR4_OSXSAVE,
				     .tsc_khz = 2000000,
				     .timer_khz = 1000000,
				     .phys_bits = 40 };
	f->script = NULL;
	f->open_error = f->vm_error = f->mem_error = f->vcpu_error = 0;
	f->refuse_state = false;
	f->lapic_base = MHI_BIT(11) | 0xfee00000;
	f->lapic_value = f->lapic_offset = 0;
	f->tsc = (struct mhi_tsc){ 0 };
	f->tsc_error = 0;
	f->vms_made = f->msis = 0;
}

static int fake_open(const char *device, struct mhi_engine **out, struct mhi_err *err)
{
	if (fake_engine.open_error)
		return mhi_err_set(err, fake_engine.open_error, "fake: no device");
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	fake_engine.engines++;
	return 0;
}

static void fake_close(struct mhi_engine *e)
{
	fake_engine.engines--;
	free(e);
}

static const struct mhk_info *fake_info(const struct mhi_engine *e)
{
	return &fake_engine.info;
}

static int fake_vm_create(struct mhi_engine *e, struct mhi_eng_vm **out, struct mhi_err *err)
{
	if (fake_engine.vm_error)
		return mhi_err_set(err, fake_engine.vm_error, "fake: no VM");
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	fake_engine.vms++;
	fake_engine.vms_made++;
	return 0;
}

static void fake_vm_destroy(struct mhi_eng_vm *vm)
{
	u32 i;

	for (i = 0; i < MHK_MAX_SLOTS; i++)
		fake_engine.slots -= vm->slot[i];
	fake_engine.vms--;
	free(vm);
}

static int fake_mem_set(struct mhi_eng_vm *vm, const struct mhk_mem *mem, struct mhi_err *err)
{
	if (fake_engine.mem_error)
		return mhi_err_set(err, fake_engine.mem_error, "fake: no slot");
	fake_engine.slots -= vm->slot[mem->slot];
	vm->slot[mem->slot] = !(mem->flags & MHK_MEM_CLEAR);
	fake_engine.slots += vm->slot[mem->slot];
	return 0;
}

static int fake_msi(struct mhi_eng_vm *vm, u64 addr, u32 data)
{
	pthread_mutex_lock(&fake_engine.lock);
	fake_engine.msis++;
	fake_engine.msi_addr = addr;
	pthread_mutex_unlock(&fake_engine.lock);
	return 1;
}

static int fake_tsc(struct mhi_eng_vm *vm, bool set, struct mhi_tsc *tsc)
{
	u32 shift = fake_engine.tsc.shift;

	if (set && fake_engine.tsc_error)
		return fake_engine.tsc_error;
	if (set)
		fake_engine.tsc = *tsc;
	fake_engine.tsc.shift = shift;
	*tsc = fake_engine.tsc;
	return 0;
}

static int fake_vcpu_create(struct mhi_eng_vm *vm, u32 apic_id, struct mhi_eng_vcpu **out,
			    struct mhi_err *err)
{
	struct mhi_eng_vcpu *v;

	if (fake_engine.vcpu_error)
		return mhi_err_set(err, fake_engine.vcpu_error, "fake: no vCPU");
	v = calloc(1, sizeof(*v));
	if (!v)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	v->vm = vm;
	v->apic_id = apic_id;
	vm->vcpu[apic_id] = v;
	fake_engine.vcpu[apic_id] = v;
	fake_engine.vcpus++;
	*out = v;
	return 0;
}

static void fake_vcpu_destroy(struct mhi_eng_vcpu *v)
{
	fake_engine.vcpus--;
	free(v);
}

static int fake_cpuid(struct mhi_eng_vcpu *v, const struct mhk_cpuid_entry *table, u32 count,
		      struct mhi_err *err)
{
	memcpy(v->cpuid, table, count * sizeof(*table));
	v->cpuids = count;
	return 0;
}

static struct mhk_run *fake_page(struct mhi_eng_vcpu *v)
{
	return &v->page;
}

static void *fake_fpu_image(struct mhi_eng_vcpu *v)
{
	return v->fpu;
}

static int fake_debug(struct mhi_eng_vcpu *v, const struct mhi_eng_debug *debug)
{
	v->debug = *debug;
	return 0;
}

static void fake_debug_pass(struct mhi_eng_vcpu *v)
{
	__atomic_add_fetch(&v->passed, 1, __ATOMIC_RELAXED);
}

static u8 fake_break_insn(bool code64)
{
	return 0xcc;
}

static bool take_kick(struct mhi_eng_vcpu *v)
{
	bool kicked;

	pthread_mutex_lock(&fake_engine.lock);
	kicked = v->kicked;
	v->kicked = false;
	pthread_mutex_unlock(&fake_engine.lock);
	return kicked;
}

static int fake_run(struct mhi_eng_vcpu *v)
{
	struct mhk_run *page = &v->page;

	if (page->user.commit && fake_engine.refuse_state)
		return MH_EINVAL;
	v->commits |= page->user.commit;
	page->user.commit = 0;
	v->injected = page->user.inject;
	page->user.inject = 0;
	v->reply = page->user.reply;
	v->reply_flags = page->user.reply_flags;
	memset(&page->exit, 0, sizeof(page->exit));
	if (page->user.immediate_exit || take_kick(v))
		return 0;
	v->step++;
	return fake_engine.script ? fake_engine.script(v, page) : fake_exit_halt(v, page);
}

static void fake_kick(struct mhi_eng_vcpu *v)
{
	pthread_mutex_lock(&fake_engine.lock);
	v->kicked = true;
	pthread_cond_broadcast(&fake_engine.kick);
	pthread_mutex_unlock(&fake_engine.lock);
}

static int fake_get(struct mhi_eng_vcpu *v, u32 groups)
{
	v->gets |= groups;
	v->page.valid |= groups;
	return 0;
}

static int fake_lapic(struct mhi_eng_vcpu *v, bool write, u32 offset, u32 *value, u64 *base)
{
	*base = fake_engine.lapic_base;
	fake_engine.lapic_offset = offset;
	if (write)
		fake_engine.lapic_value = *value;
	else
		*value = fake_engine.lapic_value;
	return 0;
}

static int fake_stats(struct mhi_eng_vcpu *v, struct mhk_stats *out)
{
	*out = (struct mhk_stats){ .entries = v->apic_id + 7, .by_reason = { [3] = 2 } };
	return 0;
}

void fake_wait_kick(struct mhi_eng_vcpu *v)
{
	pthread_mutex_lock(&fake_engine.lock);
	while (!v->kicked)
		pthread_cond_wait(&fake_engine.kick, &fake_engine.lock);
	v->kicked = false;
	pthread_mutex_unlock(&fake_engine.lock);
}

int fake_exit(struct mhk_run *page, u32 reason)
{
	page->exit.reason = reason;
	return 0;
}

int fake_exit_out(struct mhk_run *page, u16 port, u8 width, u32 data)
{
	page->exit.u.io.port = port;
	page->exit.u.io.width = width;
	page->exit.u.io.flags = 0;
	page->exit.u.io.data = data;
	return fake_exit(page, MHK_EXIT_IO);
}

int fake_exit_in(struct mhk_run *page, u16 port, u8 width)
{
	page->exit.u.io.port = port;
	page->exit.u.io.width = width;
	page->exit.u.io.flags = MHK_IO_IN;
	return fake_exit(page, MHK_EXIT_IO);
}

int fake_exit_halt(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	fake_wait_kick(v);
	return fake_exit(page, MHK_EXIT_NONE);
}

/* In the place of both engines. */
#define FAKE_OPS(engine_name)                                                                      \
	{                                                                                          \
		.name = engine_name, .open = fake_open, .close = fake_close, .info = fake_info,    \
		.vm_create = fake_vm_create, .vm_destroy = fake_vm_destroy,                        \
		.mem_set = fake_mem_set, .msi = fake_msi, .tsc = fake_tsc, .timer_shift = 1,       \
		.vcpu_create = fake_vcpu_create, .vcpu_destroy = fake_vcpu_destroy,                \
		.cpuid = fake_cpuid, .page = fake_page, .fpu_image = fake_fpu_image,               \
		.debug = fake_debug, .debug_pass = fake_debug_pass, .break_insn = fake_break_insn, \
		.run = fake_run, .kick = fake_kick, .get = fake_get, .lapic = fake_lapic,          \
		.stats = fake_stats,                                                               \
	}

const struct mhi_engine_ops mhi_engine_shim = FAKE_OPS("fake shim");
const struct mhi_engine_ops mhi_engine_kvm = FAKE_OPS("fake kvm");

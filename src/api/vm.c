/* SPDX-License-Identifier: MIT */
/* Making and freeing a VM, and looking at it. */
#include <stdlib.h>
#include <sys/mman.h>

#include "api/impl.h"
#include "core/hw_error.h"

#define RAM_ALIGN (2ull << 20) /* so that 2 MiB pages can back it */
#define VM_FLAGS (MH_VM_STOP_ON_RESET | MH_VM_BARE | MH_VM_HYPERV)

static int check_config(const struct mh_vm_config *config, const char *name, struct mhi_err *err)
{
	if (config->size != sizeof(*config))
		return mhi_err_set(
			err, MH_EINVAL,
			"create VM \"%s\": config.size is %zu, not %zu; use MH_VM_CONFIG_INIT",
			name, config->size, sizeof(*config));
	if (config->cpus < 1 || config->cpus > MHK_MAX_VCPUS)
		return mhi_err_set(err, MH_EINVAL,
				   "create VM \"%s\": config.cpus is %u, not 1 to %u; choose a "
				   "number from there",
				   name, config->cpus, MHK_MAX_VCPUS);
	if (config->memory_bytes % MH_PAGE_SIZE)
		return mhi_err_set(err, MH_EINVAL,
				   "create VM \"%s\": config.memory_bytes is %llu, not a multiple "
				   "of %u; round it",
				   name, (u64)config->memory_bytes, MH_PAGE_SIZE);
	if (config->flags & ~VM_FLAGS)
		return mhi_err_set(err, MH_EINVAL,
				   "create VM \"%s\": config.flags has unknown bits 0x%x; use "
				   "MH_VM_* of a library of this version",
				   name, config->flags & ~VM_FLAGS);
	return 0;
}

static int init_locks(struct mh_vm *vm)
{
	pthread_condattr_t attr;
	int rc;

	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->inputs.lock, NULL);
	pthread_mutex_init(&vm->shares_lock, NULL);
	pthread_rwlock_init(&vm->mem_lock, NULL);
	pthread_rwlock_init(&vm->engine_lock, NULL);
	if (pthread_condattr_init(&attr))
		return MH_ENOMEM;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	rc = pthread_cond_init(&vm->cond, &attr);
	pthread_condattr_destroy(&attr);
	if (rc || pthread_cond_init(&vm->cond_cpu, NULL))
		return MH_ENOMEM;
	return 0;
}

static u64 guest_tsc(void *opaque, u64 host_tsc)
{
	struct mh_vm *vm = opaque;
	struct mhi_tsc tsc = { 0 };

	vm->ops->tsc(vm->eng, false, &tsc);
	return mhi_tsc_guest(&tsc, host_tsc);
}

static int init_vcpus(struct mh_vm *vm)
{
	u32 i;

	vm->vcpu = calloc(vm->cpus, sizeof(*vm->vcpu));
	if (!vm->vcpu)
		return MH_ENOMEM;
	for (i = 0; i < vm->cpus; i++) {
		vm->vcpu[i].vm = vm;
		vm->vcpu[i].index = i;
		mhi_vcpu_init_env(&vm->vcpu[i]);
		vm->vcpu[i].insn = mhi_insn_cache_create();
		if (!vm->vcpu[i].insn)
			return MH_ENOMEM;
	}
	return 0;
}

/* One mapping for all RAM, sparse until it is touched; a fork of the embedder does not copy it. */
static int alloc_ram(struct mh_vm *vm, struct mhi_err *err)
{
	u64 span = vm->ram_bytes + RAM_ALIGN;
	uintptr_t start, aligned;
	void *map;

	if (span < vm->ram_bytes)
		return mhi_err_set(err, MH_ENOMEM,
				   "config.memory_bytes is too large; give it less");
	map = mmap(NULL, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	if (map == MAP_FAILED)
		return mhi_err_set(
			err, MH_ENOMEM,
			"no address space for %llu MiB of guest memory; give it less, or raise "
			"the limit (ulimit -v)",
			vm->ram_bytes >> 20);
	start = (uintptr_t)map;
	aligned = (start + RAM_ALIGN - 1) & ~(uintptr_t)(RAM_ALIGN - 1);
	if (aligned != start)
		munmap(map, aligned - start);
	munmap((u8 *)aligned + vm->ram_bytes, start + span - (aligned + vm->ram_bytes));
	vm->ram = (u8 *)aligned;
	/* Both are hints: a kernel without huge pages runs the guest all the same. */
	madvise(vm->ram, vm->ram_bytes, MADV_HUGEPAGE);
	madvise(vm->ram, vm->ram_bytes, MADV_DONTFORK);
	return 0;
}

static int add_ram_slots(struct mh_vm *vm, struct mhi_err *err)
{
	u64 low = vm->ram_bytes < MHI_RAM_HOLE_START ? vm->ram_bytes : MHI_RAM_HOLE_START;
	struct mhi_slot slot = { .gpa = 0, .bytes = low, .hva = (u64)(uintptr_t)vm->ram };
	int rc = mhi_slots_set(&vm->mem.slots, 0, &slot, vm->mem.gpa_limit);

	if (!rc && vm->ram_bytes > low) {
		slot = (struct mhi_slot){ .gpa = MHI_RAM_HOLE_END,
					  .bytes = vm->ram_bytes - low,
					  .hva = (u64)(uintptr_t)vm->ram + low };
		rc = mhi_slots_set(&vm->mem.slots, 1, &slot, vm->mem.gpa_limit);
	}
	if (rc)
		return mhi_err_set(
			err, MH_EINVAL,
			"config.memory_bytes: %llu MiB do not fit into the guest's %u-bit "
			"physical addresses; give it less",
			vm->ram_bytes >> 20, vm->info->phys_bits);
	return 0;
}

static int init_memory(struct mh_vm *vm, u64 bytes, struct mhi_err *err)
{
	int rc;

	vm->mem.gpa_limit = MHI_BIT(vm->info->phys_bits);
	vm->ram_bytes = bytes;
	if (!bytes)
		return 0;
	rc = alloc_ram(vm, err);
	vm->mem.own = (u64)(uintptr_t)vm->ram;
	vm->mem.own_bytes = vm->ram ? bytes : 0;
	if (!rc)
		rc = add_ram_slots(vm, err);
	mhi_vm_set_windows(vm);
	return rc;
}

void mhi_vm_send_msi(void *opaque, u64 addr, u32 data)
{
	struct mh_vm *vm = opaque;

	pthread_rwlock_rdlock(&vm->engine_lock);
	if (vm->eng)
		vm->ops->msi(vm->eng, addr, data);
	pthread_rwlock_unlock(&vm->engine_lock);
}

/* Where the engine cannot, the guest's write comes as an exit, and does the same. */
static void set_doorbell(void *opaque, mh_gpa gpa, int fd, bool on)
{
	struct mh_vm *vm = opaque;

	pthread_rwlock_rdlock(&vm->engine_lock);
	if (vm->eng)
		vm->ops->doorbell(vm->eng, gpa, fd, on);
	pthread_rwlock_unlock(&vm->engine_lock);
}

/*
 * In a slot of its own, which the library's map of guest memory does not know: other devices do
 * not reach it. Where the engine cannot, each access comes as an exit.
 */
static void set_memory(void *opaque, mh_gpa gpa, void *host, u64 bytes, bool on)
{
	struct mh_vm *vm = opaque;
	const struct mhk_mem mem = { .size = sizeof(mem),
				     .flags = on ? 0 : MHK_MEM_CLEAR,
				     .slot = MHI_SLOT_DEVICE,
				     .gpa = gpa,
				     .bytes = bytes,
				     .hva = (u64)(uintptr_t)host };

	pthread_rwlock_rdlock(&vm->engine_lock);
	if (vm->eng)
		vm->ops->mem_set(vm->eng, &mem, NULL);
	pthread_rwlock_unlock(&vm->engine_lock);
}

static void panicked(struct mh_vm *vm, enum mhi_power what)
{
	bool crash_kernel = what == MHI_POWER_CRASH_KERNEL, again;
	const char *text = crash_kernel ? "the guest's kernel panicked; its crash kernel goes on"
					: "the guest's kernel panicked";

	/* It may write to the port as often as it likes. */
	pthread_mutex_lock(&vm->lock);
	again = vm->panics & MHI_BIT(what);
	vm->panics |= (u32)MHI_BIT(what);
	if (!again)
		mhi_vm_emit(vm, crash_kernel ? MH_EVENT_CRASH_KERNEL : MH_EVENT_PANIC, text);
	pthread_mutex_unlock(&vm->lock);
	if (!again)
		mhi_log(&vm->ctx->log, MH_LOG_WARN, "VM \"%s\": %s", vm->name, text);
}

static void power(void *opaque, enum mhi_power what)
{
	switch (what) {
	case MHI_POWER_RESET:
		mhi_vm_request(opaque, MHI_REQ_RESET, MH_STOP_RESET, "the guest reset itself");
		break;
	case MHI_POWER_OFF:
		mhi_vm_request(opaque, MHI_REQ_STOP, MH_STOP_POWEROFF,
			       "the guest switched itself off");
		break;
	case MHI_POWER_PANIC:
	case MHI_POWER_CRASH_KERNEL:
		panicked(opaque, what);
		break;
	}
}

static int init_machine(struct mh_vm *vm, struct mhi_err *err)
{
	const struct mhi_machine_env env = {
		.mem = &vm->mem,
		.pio = &vm->pio,
		.mmio = &vm->mmio,
		.msi = { mhi_vm_send_msi, vm },
		.doorbell = { vm->ops->doorbell ? set_doorbell : NULL, vm },
		.memory = { set_memory, vm },
		.power = power,
		.opaque = vm,
		.ram_bytes = vm->ram_bytes,
		.cpus = vm->cpus,
		.tsc_khz = vm->info->tsc_khz,
		.phys_bits = vm->info->phys_bits,
	};

	if (vm->flags & MH_VM_BARE)
		return 0;
	return mhi_machine_create(&env, &vm->machine, err);
}

/* Frees what there is; accepts a half-made VM whose threads have ended. */
static void vm_free(struct mh_vm *vm)
{
	u32 i;

	mhi_hc_timers_fini(&vm->hc_timers);
	mhi_vm_agent_end(vm);
	mhi_vm_free_devs(vm);
	mhi_display_destroy(vm->display);
	mhi_vm_agent_free(vm);
	if (vm->machine)
		mhi_machine_destroy(vm->machine);
	if (vm->boot)
		mhi_boot_destroy(vm->boot);
	if (vm->eng)
		mhi_vm_power_off(vm);
	for (i = 0; vm->vcpu && i < vm->cpus; i++)
		if (vm->vcpu[i].insn)
			mhi_insn_cache_destroy(vm->vcpu[i].insn);
	mhi_bus_fini(&vm->pio);
	mhi_bus_fini(&vm->mmio);
	if (vm->ram)
		munmap(vm->ram, vm->ram_bytes);
	if (vm->engine)
		mhi_ctx_engine_put(vm->ctx);
	pthread_cond_destroy(&vm->cond_cpu);
	pthread_cond_destroy(&vm->cond);
	pthread_rwlock_destroy(&vm->engine_lock);
	pthread_rwlock_destroy(&vm->mem_lock);
	pthread_mutex_destroy(&vm->inputs.lock);
	pthread_mutex_destroy(&vm->shares_lock);
	pthread_mutex_destroy(&vm->lock);
	mhi_hyperv_fini(&vm->hyperv);
	mhi_vm_events_fini(vm);
	free(vm->vcpu);
	free(vm->name);
	free(vm);
}

static int vm_init(struct mh_vm *vm, const struct mh_vm_config *config, struct mhi_err *err)
{
	int rc;

	vm->ops = vm->ctx->ops;
	vm->events.fd = -1;
	vm->flags = config->flags;
	vm->cpus = config->cpus;
	mhi_bus_init(&vm->pio);
	mhi_bus_init(&vm->mmio);
	vm->msr_env = (struct mhi_msr_env){ .mem = &vm->mem,
					    .clock = &vm->clock,
					    .guest_tsc = guest_tsc,
					    .opaque = vm,
					    .policy = &vm->policy };
	vm->name = strdup(config->name ? config->name : "vm");
	if (init_locks(vm) || !vm->name || init_vcpus(vm) || mhi_vm_init_hypercalls(vm))
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	rc = mhi_ctx_engine_get(vm->ctx, &vm->engine, err);
	if (rc)
		return rc;
	vm->facts = *vm->ops->info(vm->engine);
	vm->info = &vm->facts;
	mhi_hyperv_init(&vm->hyperv, vm->info->tsc_khz, vm->info->timer_khz,
			vm->info->vendor == MHK_VENDOR_VMX);
	if (vm->flags & MH_VM_HYPERV)
		vm->msr_env.hyperv = &vm->hyperv;
	/* What the CPU lacks comes first; the rest may have changed since the device was opened. */
	if (vm->info->hw == MHK_HW_NO_CPU || vm->info->hw == MHK_HW_MISSING)
		return mhi_hw_error(err, vm->info->vendor, vm->info->hw, vm->info->missing);
	rc = init_memory(vm, config->memory_bytes, err);
	if (!rc)
		rc = mhi_vm_power_cycle(vm, err);
	if (!rc)
		rc = init_machine(vm, err);
	vm->fresh = true;
	return rc;
}

static void list_vm(struct mh_vm *vm)
{
	pthread_mutex_lock(&vm->ctx->lock);
	vm->next = vm->ctx->first_vm;
	vm->ctx->first_vm = vm;
	pthread_mutex_unlock(&vm->ctx->lock);
}

static void unlist_vm(struct mh_vm *vm)
{
	struct mh_vm **at = &vm->ctx->first_vm;

	pthread_mutex_lock(&vm->ctx->lock);
	while (*at != vm)
		at = &(*at)->next;
	*at = vm->next;
	pthread_mutex_unlock(&vm->ctx->lock);
}

int mh_vm_create(struct mh_ctx *ctx, const struct mh_vm_config *config, struct mh_vm **out)
{
	struct mhi_err *err;
	const char *name;
	struct mh_vm *vm;
	int rc;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	if (!config || !out)
		return mhi_err_set(err, MH_EINVAL, "create VM: %s",
				   config ? "out is NULL; pass where the VM goes"
					  : "config is NULL; pass a pointer to one that "
					    "MH_VM_CONFIG_INIT began");
	name = config->size == sizeof(*config) && config->name ? config->name : "vm";
	rc = check_config(config, name, err);
	if (rc)
		return rc;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return mhi_err_set(err, MH_ENOMEM, "create VM \"%s\": " MHI_NO_MEMORY, name);
	vm->ctx = ctx;
	rc = vm_init(vm, config, err);
	if (rc) {
		mhi_err_wrap(err, "create VM \"%s\"", name);
		vm_free(vm);
		return rc;
	}
	list_vm(vm);
	*out = vm;
	return 0;
}

void mh_vm_destroy(struct mh_vm *vm)
{
	if (!vm)
		return;
	if (!mhi_vm_end_threads(vm))
		return;
	mhi_gdb_end(vm);
	unlist_vm(vm);
	vm_free(vm);
}

/* ---- looking ---- */

enum mh_vm_state mh_vm_state(struct mh_vm *vm)
{
	enum mh_vm_state state;

	if (!vm)
		return MH_VM_STOPPED;
	pthread_mutex_lock(&vm->lock);
	state = vm->state;
	pthread_mutex_unlock(&vm->lock);
	return state;
}

enum mh_stop_reason mh_vm_stop_reason(struct mh_vm *vm)
{
	enum mh_stop_reason reason;

	if (!vm)
		return MH_STOP_NONE;
	pthread_mutex_lock(&vm->lock);
	reason = vm->stop_reason;
	pthread_mutex_unlock(&vm->lock);
	return reason;
}

const char *mh_vm_stop_text(struct mh_vm *vm)
{
	const char *text;

	if (!vm)
		return "";
	pthread_mutex_lock(&vm->lock);
	text = vm->state == MH_VM_STOPPED ? vm->stop_text : "";
	pthread_mutex_unlock(&vm->lock);
	return text;
}

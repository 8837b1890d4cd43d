/* SPDX-License-Identifier: MIT */
/* A VM's memory, its PIO and MMIO handlers, and interrupt messages. */
#include "api/impl.h"
#include "base/checked.h"
#include "base/err.h"

/* Message addresses: SDM 3A 11.11.1 "Message Address Register Format". */
#define MSI_ADDRESS 0xfee00000ull
#define MSI_ADDRESS_MASK 0xfff00000ull
#define PORTS 0x10000u

static int null_pointer(struct mh_vm *vm, const char *what)
{
	return vm ? mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				"%s VM \"%s\": a pointer is NULL; pass one", what, vm->name)
		  : MH_EINVAL;
}

/* ---- memory ---- */

static int free_slot(const struct mh_vm *vm, unsigned int *out)
{
	unsigned int i;

	for (i = 0; i < MHI_SLOT_DEVICE; i++) {
		if (!vm->mem.slots.slot[i].bytes) {
			*out = i;
			return 0;
		}
	}
	return MH_ERANGE;
}

static int slot_error(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MHI_EEXIST:
		return MH_EEXIST;
	case MHI_ERANGE:
		return MH_ERANGE;
	default:
		return MH_EINVAL;
	}
}

static int map_error(struct mh_vm *vm, int rc, const struct mhi_slot *slot)
{
	const char *why = "it is empty, wraps around, or is not aligned; gpa, hva and bytes must "
			  "be multiples of 4096";

	if (rc == MH_EEXIST)
		why = "it overlaps memory that is mapped already; unmap that, or choose another "
		      "place";
	else if (rc == MH_ERANGE)
		why = "beyond the guest's physical address width; map it below (mh_probe tells the "
		      "width)";
	return mhi_err_set(mhi_ctx_err(vm->ctx), rc,
			   "map memory of VM \"%s\" at 0x%llx, 0x%llx bytes: %s", vm->name,
			   slot->gpa, slot->bytes, why);
}

static int engine_mem(struct mh_vm *vm, unsigned int n, const struct mhi_slot *slot, u32 flags)
{
	struct mhi_err *err = mhi_ctx_err(vm->ctx);
	const struct mhk_mem mem = { .size = sizeof(mem),
				     .flags = flags,
				     .slot = n,
				     .gpa = slot->gpa,
				     .bytes = slot->bytes,
				     .hva = slot->hva };
	int rc = vm->ops->mem_set(vm->eng, &mem, err);

	if (rc && err)
		mhi_err_wrap(err, "memory of VM \"%s\" at 0x%llx", vm->name, slot->gpa);
	return rc;
}

int mhi_vm_map(struct mh_vm *vm, const struct mhi_slot *slot)
{
	unsigned int n;
	int rc;

	if (free_slot(vm, &n))
		return mhi_err_set(
			mhi_ctx_err(vm->ctx), MH_ERANGE,
			"map memory of VM \"%s\": all %d slots are in use; map larger pieces",
			vm->name, MHI_SLOT_DEVICE);
	pthread_rwlock_wrlock(&vm->mem_lock);
	rc = slot_error(mhi_slots_set(&vm->mem.slots, n, slot, vm->mem.gpa_limit));
	pthread_rwlock_unlock(&vm->mem_lock);
	if (rc)
		return map_error(vm, rc, slot);
	rc = engine_mem(vm, n, slot, slot->readonly ? MHK_MEM_READONLY : 0);
	if (rc) {
		pthread_rwlock_wrlock(&vm->mem_lock);
		mhi_slots_clear(&vm->mem.slots, n);
		pthread_rwlock_unlock(&vm->mem_lock);
	}
	mhi_vm_set_windows(vm);
	return rc;
}

int mh_vm_mem_map(struct mh_vm *vm, uint64_t gpa, void *hva, uint64_t bytes, uint32_t flags)
{
	const struct mhi_slot slot = { .gpa = gpa,
				       .bytes = bytes,
				       .hva = (u64)(uintptr_t)hva,
				       .readonly = (flags & MH_MEM_READONLY) != 0 };
	int rc;

	if (!vm || !hva)
		return null_pointer(vm, "map memory of");
	if (flags & ~MH_MEM_READONLY)
		return mhi_err_set(
			mhi_ctx_err(vm->ctx), MH_EINVAL,
			"map memory of VM \"%s\": flags has unknown bits 0x%x; use MH_MEM_* or 0",
			vm->name, flags & ~MH_MEM_READONLY);
	rc = mhi_vm_enter_setup(vm, "map memory of");
	if (rc)
		return rc;
	rc = mhi_vm_map(vm, &slot);
	mhi_vm_leave(vm);
	return rc;
}

static bool is_own_ram(const struct mh_vm *vm, const struct mhi_slot *slot)
{
	return slot->hva - (u64)(uintptr_t)vm->ram < vm->ram_bytes;
}

int mhi_vm_unmap(struct mh_vm *vm, u64 gpa)
{
	const struct mhi_slot *slot = mhi_slots_find(&vm->mem.slots, gpa);
	int rc = engine_mem(vm, (unsigned int)(slot - vm->mem.slots.slot), slot, MHK_MEM_CLEAR);
	if (rc)
		return rc;
	pthread_rwlock_wrlock(&vm->mem_lock);
	mhi_slots_clear(&vm->mem.slots, (unsigned int)(slot - vm->mem.slots.slot));
	pthread_rwlock_unlock(&vm->mem_lock);
	mhi_vm_set_windows(vm);
	return 0;
}

static int unmap_callers(struct mh_vm *vm, u64 gpa)
{
	const struct mhi_slot *slot = mhi_slots_find(&vm->mem.slots, gpa);

	if (!slot || slot->gpa != gpa || is_own_ram(vm, slot) || mhi_vm_is_rom(vm, slot))
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ENOENT,
				   "unmap memory of VM \"%s\": no mapping of the caller starts at "
				   "0x%llx; name the gpa that mh_vm_mem_map was given",
				   vm->name, gpa);
	return mhi_vm_unmap(vm, gpa);
}

int mh_vm_mem_unmap(struct mh_vm *vm, uint64_t gpa)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	rc = mhi_vm_enter_setup(vm, "unmap memory of");
	if (rc)
		return rc;
	rc = unmap_callers(vm, gpa);
	mhi_vm_leave(vm);
	return rc;
}

static int copy_error(struct mh_vm *vm, const char *what, u64 gpa, u64 bytes)
{
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EFAULT,
			   "%s VM \"%s\" at 0x%llx, %llu bytes: part of it is not memory; stay "
			   "within memory_bytes and what is mapped",
			   what, vm->name, gpa, bytes);
}

int mh_vm_mem_read(struct mh_vm *vm, uint64_t gpa, void *buf, uint64_t bytes)
{
	int rc;

	if (!vm || !buf)
		return null_pointer(vm, "read memory of");
	pthread_rwlock_rdlock(&vm->mem_lock);
	rc = mhi_gmem_read(&vm->mem, gpa, buf, bytes);
	pthread_rwlock_unlock(&vm->mem_lock);
	return rc ? copy_error(vm, "read memory of", gpa, bytes) : 0;
}

int mh_vm_mem_write(struct mh_vm *vm, uint64_t gpa, const void *buf, uint64_t bytes)
{
	int rc;

	if (!vm || !buf)
		return null_pointer(vm, "write memory of");
	/* The embedder may fill what is read-only to the guest. */
	pthread_rwlock_rdlock(&vm->mem_lock);
	rc = mhi_gmem_write(&vm->mem, gpa, buf, bytes, true);
	pthread_rwlock_unlock(&vm->mem_lock);
	return rc ? copy_error(vm, "write memory of", gpa, bytes) : 0;
}

/* ---- handlers ---- */

static int handler_error(struct mh_vm *vm, int rc, const char *what, u64 start, u64 count)
{
	const char *why = "the range is empty or wraps, or ops.version is not 1; correct them";

	if (!rc)
		return 0;
	if (rc == MH_EEXIST)
		why = "another handler has part of the range; choose another range";
	else if (rc == MH_ENOENT)
		why = "no handler starts there; name the start that it was added with";
	else if (rc == MH_ENOMEM)
		why = MHI_NO_MEMORY;
	return mhi_err_set(mhi_ctx_err(vm->ctx), rc, "%s of VM \"%s\" at 0x%llx, 0x%llx long: %s",
			   what, vm->name, start, count, why);
}

int mh_vm_pio_add(struct mh_vm *vm, uint16_t port, uint32_t count, const struct mh_io_ops *ops,
		  void *opaque)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	rc = mhi_vm_enter_setup(vm, "PIO handler of");
	if (rc)
		return rc;
	rc = count <= PORTS - port ? mhi_bus_add(&vm->pio, port, count, ops, opaque) : MH_EINVAL;
	rc = handler_error(vm, rc, "PIO handler", port, count);
	mhi_vm_leave(vm);
	return rc;
}

int mh_vm_mmio_add(struct mh_vm *vm, uint64_t gpa, uint64_t bytes, const struct mh_io_ops *ops,
		   void *opaque)
{
	u64 end;
	int rc;

	if (!vm)
		return MH_EINVAL;
	rc = mhi_vm_enter_setup(vm, "MMIO handler of");
	if (rc)
		return rc;
	if (!mhi_add_u64(gpa, bytes, &end))
		rc = MH_EINVAL;
	else if (bytes && mhi_ranges_overlap(gpa, bytes, MHI_LAPIC_BASE, MHI_PAGE_SIZE))
		rc = MH_EEXIST;
	else
		rc = mhi_bus_add(&vm->mmio, gpa, bytes, ops, opaque);
	rc = handler_error(vm, rc, "MMIO handler", gpa, bytes);
	mhi_vm_leave(vm);
	return rc;
}

static int remove_handler(struct mh_vm *vm, struct mhi_bus *bus, const char *what, u64 start)
{
	int rc = mhi_vm_enter_setup(vm, what);

	if (rc)
		return rc;
	rc = handler_error(vm, mhi_bus_remove(bus, start), what, start, 0);
	mhi_vm_leave(vm);
	return rc;
}

int mh_vm_pio_remove(struct mh_vm *vm, uint16_t port)
{
	return vm ? remove_handler(vm, &vm->pio, "PIO handler", port) : MH_EINVAL;
}

int mh_vm_mmio_remove(struct mh_vm *vm, uint64_t gpa)
{
	return vm ? remove_handler(vm, &vm->mmio, "MMIO handler", gpa) : MH_EINVAL;
}

int mh_vm_msi(struct mh_vm *vm, uint64_t addr, uint32_t data)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	rc = MH_EINVAL;
	if ((addr & ~0xfffffull) == MSI_ADDRESS) {
		pthread_rwlock_rdlock(&vm->engine_lock);
		rc = vm->ops->msi(vm->eng, addr, data);
		pthread_rwlock_unlock(&vm->engine_lock);
	}
	if (rc < 0)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "message to VM \"%s\": 0x%llx, 0x%x is not an interrupt "
				   "message; the address is "
				   "0xFEExxxxx, the vector 16 or more",
				   vm->name, (u64)addr, data);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* What a VM boots: a kernel, or firmware, which lies in memory of its own right below 4 GiB. */
#include "api/impl.h"

/* All of it under vm->lock or with vm->busy set; not running. */

static struct mhi_slot rom_slot(const struct mhi_boot *boot)
{
	u64 bytes = 0;
	const void *rom = boot ? mhi_boot_rom(boot, &bytes) : NULL;

	return (struct mhi_slot){ .gpa = MHI_RAM_HOLE_END - bytes,
				  .bytes = bytes,
				  .hva = (u64)(uintptr_t)rom,
				  .readonly = true };
}

bool mhi_vm_is_rom(const struct mh_vm *vm, const struct mhi_slot *slot)
{
	const struct mhi_slot rom = rom_slot(vm->boot);

	return rom.bytes && slot->hva == rom.hva;
}

/* The machine has this to boot instead of what it has; on error nothing. */
static int put_in(struct mh_vm *vm, struct mhi_boot *boot, struct mhi_err *err)
{
	const struct mhi_slot rom = rom_slot(boot);
	struct mhi_entry entry;
	int rc = mhi_machine_firmware(vm->machine, rom.bytes, err);

	if (rc)
		return rc;
	if (rom.bytes)
		rc = mhi_vm_map(vm, &rom);
	if (rc)
		goto no_firmware;
	/* A trial: it finds now what would not fit later. */
	rc = mhi_boot_load(boot, vm->machine, &entry, err);
	if (rc)
		goto no_rom;
	vm->boot = boot;
	return 0;
no_rom:
	if (rom.bytes)
		mhi_vm_unmap(vm, rom.gpa);
no_firmware:
	mhi_machine_firmware(vm->machine, 0, NULL);
	return rc;
}

static void take_out(struct mh_vm *vm)
{
	const struct mhi_slot rom = rom_slot(vm->boot);

	if (rom.bytes)
		mhi_vm_unmap(vm, rom.gpa);
	mhi_machine_firmware(vm->machine, 0, NULL);
	vm->boot = NULL;
}

static int create(const struct mh_boot_config *config, struct mhi_boot **boot, struct mhi_err *err)
{
	const char *path = config->firmware;
	int rc = 0;

	if (!path)
		return mhi_boot_create(config->kernel, config->initrd,
				       config->cmdline ? config->cmdline : "", boot, err);
	if (!strcmp(path, MH_FIRMWARE_BIOS))
		rc = mhi_boot_find_firmware(&path, err);
	return rc ? rc : mhi_boot_create_firmware(path, boot, err);
}

static int choose_boot(struct mh_vm *vm, const struct mh_boot_config *config, struct mhi_err *err)
{
	struct mhi_boot *boot = NULL, *old = vm->boot;
	int rc = create(config, &boot, err);

	if (rc)
		return rc;
	if (old)
		take_out(vm);
	rc = put_in(vm, boot, err);
	if (rc) {
		mhi_boot_destroy(boot);
		if (old && !put_in(vm, old, NULL))
			old = NULL;
	}
	if (old)
		mhi_boot_destroy(old);
	return rc;
}

static int check_source(const struct mh_boot_config *config, struct mhi_err *err)
{
	if (!config->kernel && !config->firmware)
		return mhi_err_set(err, MH_EINVAL,
				   "config.kernel and config.firmware are NULL; set one to a path");
	if (config->kernel && config->firmware)
		return mhi_err_set(
			err, MH_EINVAL,
			"config.kernel and config.firmware: it boots one of them; firmware "
			"finds its kernel on a disk");
	if (config->firmware && (config->initrd || (config->cmdline && *config->cmdline)))
		return mhi_err_set(err, MH_EINVAL,
				   "config.initrd and config.cmdline belong to a kernel; with "
				   "firmware the boot loader on the disk has its own");
	return 0;
}

static int check_boot(struct mh_vm *vm, const struct mh_boot_config *config, struct mhi_err *err)
{
	int rc;

	if (config->size != sizeof(*config))
		return mhi_err_set(err, MH_EINVAL,
				   "config.size is %zu, not %zu; use MH_BOOT_CONFIG_INIT",
				   config->size, sizeof(*config));
	rc = check_source(config, err);
	if (rc)
		return rc;
	if (vm->flags & MH_VM_BARE)
		return mhi_err_set(err, MH_EINVAL,
				   "it is a bare VM (MH_VM_BARE), without the machine that kernels "
				   "need; write memory "
				   "and registers instead");
	if (!vm->ram_bytes)
		return mhi_err_set(err, MH_EINVAL,
				   "it has no memory; set mh_vm_config.memory_bytes");
	return 0;
}

int mh_vm_boot(struct mh_vm *vm, const struct mh_boot_config *config)
{
	struct mhi_err *err;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	if (!config)
		return mhi_err_set(err, MH_EINVAL,
				   "boot configuration of VM \"%s\": a pointer is NULL; pass one",
				   vm->name);
	rc = mhi_vm_enter_setup(vm, "boot configuration of");
	if (rc)
		return rc;
	rc = check_boot(vm, config, err);
	if (!rc) {
		/* Reading files may take long. */
		mhi_vm_begin_work(vm);
		rc = choose_boot(vm, config, err);
		mhi_vm_end_work(vm);
	}
	if (rc && err)
		mhi_err_wrap(err, "boot configuration of VM \"%s\"", vm->name);
	mhi_vm_leave(vm);
	return rc;
}

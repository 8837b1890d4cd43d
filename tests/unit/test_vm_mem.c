/* SPDX-License-Identifier: MIT */
/* Memory, handlers, messages, boot configuration and devices of a VM: what is accepted when. */
#include "api_fixture.h"

#include <sys/mman.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static u8 *page_alloc(size_t bytes)
{
	u8 *p = aligned_alloc(MH_PAGE_SIZE, bytes);

	ck_assert_ptr_nonnull(p);
	memset(p, 0, bytes);
	return p;
}

START_TEST(ram)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 3 * GIB + 16 * MIB);
	u8 byte = 0x77;

	/* Around the hole below 4 GiB. */
	ck_assert_uint_eq(fake_engine.slots, 2);
	ck_assert_int_eq(mh_vm_mem_write(vm, 3 * GIB - 1, &byte, 1), 0);
	ck_assert_int_eq(mh_vm_mem_write(vm, 3 * GIB - 1, "ab", 2), MH_EFAULT);
	ck_error_has("0xbfffffff");
	ck_assert_int_eq(mh_vm_mem_write(vm, 4 * GIB + 16 * MIB - 1, &byte, 1), 0);
	ck_assert_int_eq(mh_vm_mem_read(vm, 4 * GIB + 16 * MIB, &byte, 1), MH_EFAULT);
	byte = 0;
	ck_assert_int_eq(mh_vm_mem_read(vm, 3 * GIB - 1, &byte, 1), 0);
	ck_assert_uint_eq(byte, 0x77);
	ck_assert_int_eq(mh_vm_mem_read(vm, 4 * GIB, &byte, 1), 0);
	ck_assert_uint_eq(byte, 0);
	ck_assert_int_eq(mh_vm_mem_read(vm, 0, NULL, 1), MH_EINVAL);
	/* Neither piece is the caller's to unmap. */
	ck_assert_int_eq(mh_vm_mem_unmap(vm, 0), MH_ENOENT);
	ck_assert_int_eq(mh_vm_mem_unmap(vm, 4 * GIB), MH_ENOENT);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(map_rules)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, MIB);
	u8 *p = page_alloc(3 * MH_PAGE_SIZE);
	u8 byte = 1;

	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB, NULL, 4096, 0), MH_EINVAL);
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB + 1, p, 4096, 0), MH_EINVAL);
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB, p + 8, 4096, 0), MH_EINVAL);
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB, p, 0, 0), MH_EINVAL);
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB, p, 4097, 0), MH_EINVAL);
	ck_assert_int_eq(mh_vm_mem_map(vm, ~0ull & ~4095ull, p, 8192, 0), MH_EINVAL);
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB, p, 4096, 2), MH_EINVAL);
	ck_assert_int_eq(mh_vm_mem_map(vm, 1ull << 40, p, 4096, 0), MH_ERANGE);
	ck_assert_int_eq(mh_vm_mem_map(vm, MIB - 4096, p, 4096, 0), MH_EEXIST);
	ck_error_has("overlaps");
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB, p, 8192, 0), 0);
	ck_assert_uint_eq(fake_engine.slots, 2);
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB + 8192, p + 8192, 4096, MH_MEM_READONLY), 0);
	/* The embedder may write what is read-only to the guest; accesses may span mappings. */
	ck_assert_int_eq(mh_vm_mem_write(vm, 2 * MIB + 8191, "xy", 2), 0);
	ck_assert_uint_eq(p[8191], 'x');
	ck_assert_uint_eq(p[8192], 'y');
	ck_assert_int_eq(mh_vm_mem_unmap(vm, 2 * MIB + 4096), MH_ENOENT);
	ck_assert_int_eq(mh_vm_mem_unmap(vm, 0), MH_ENOENT);
	ck_assert_int_eq(mh_vm_mem_unmap(vm, 2 * MIB), 0);
	ck_assert_int_eq(mh_vm_mem_unmap(vm, 2 * MIB), MH_ENOENT);
	ck_assert_int_eq(mh_vm_mem_read(vm, 2 * MIB, &byte, 1), MH_EFAULT);
	ck_assert_uint_eq(byte, 1);
	ck_assert_uint_eq(fake_engine.slots, 2);
	mh_vm_destroy(vm);
	free(p);
}
END_TEST

START_TEST(map_fails_in_the_engine)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	u8 *p = page_alloc(MH_PAGE_SIZE), byte;

	fake_engine.mem_error = MH_ENOMEM;
	ck_assert_int_eq(mh_vm_mem_map(vm, 0, p, 4096, 0), MH_ENOMEM);
	ck_error_has("memory of VM \"test\" at 0x0: fake: no slot");
	ck_assert_int_eq(mh_vm_mem_read(vm, 0, &byte, 1), MH_EFAULT);
	fake_engine.mem_error = 0;
	ck_assert_int_eq(mh_vm_mem_map(vm, 0, p, 4096, 0), 0);
	mh_vm_destroy(vm);
	free(p);
}
END_TEST

START_TEST(slots_run_out)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	u8 *p = page_alloc(MH_PAGE_SIZE);
	u64 i;

	/* The last one is for memory of a device. */
	for (i = 0; i < MHK_MAX_SLOTS - 1; i++)
		ck_assert_int_eq(mh_vm_mem_map(vm, i * 8192, p, 4096, 0), 0);
	ck_assert_int_eq(mh_vm_mem_map(vm, i * 8192, p, 4096, 0), MH_ERANGE);
	ck_error_has("slots");
	mh_vm_destroy(vm);
	free(p);
}
END_TEST

/* While it runs nothing of it may be changed. */
START_TEST(not_while_running)
{
	const struct mh_io_ops ops = { 1, NULL, NULL };
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_vm *vm = api_vm(1, 0, MIB);
	u8 *p = page_alloc(MH_PAGE_SIZE);

	boot.kernel = "/kernel";
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB, p, 4096, 0), MH_ESTATE);
	ck_error_has("it is running");
	ck_assert_int_eq(mh_vm_mem_unmap(vm, 0), MH_ESTATE);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0, 1, &ops, NULL), MH_ESTATE);
	ck_assert_int_eq(mh_vm_mmio_add(vm, 2 * MIB, 1, &ops, NULL), MH_ESTATE);
	ck_assert_int_eq(mh_vm_pio_remove(vm, 0), MH_ESTATE);
	ck_assert_int_eq(mh_vm_mmio_remove(vm, 0), MH_ESTATE);
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_ESTATE);
	ck_assert_int_eq(mh_serial_attach(vm, 0, NULL, NULL), MH_ESTATE);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0, 1, &ops, NULL), 0);
	ck_assert_int_eq(mh_vm_mem_map(vm, 2 * MIB, p, 4096, 0), 0);
	mh_vm_destroy(vm);
	free(p);
}
END_TEST

START_TEST(handlers)
{
	const struct mh_io_ops ops = { 1, NULL, NULL };
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);

	ck_assert_int_eq(mh_vm_pio_add(vm, 0xffff, 1, &ops, NULL), 0);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0xfff0, 16, &ops, NULL), MH_EEXIST);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0xfff0, 17, &ops, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0, 0x10001, &ops, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_pio_add(vm, 0, 0, &ops, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_pio_remove(vm, 0xfffe), MH_ENOENT);
	ck_error_has("no handler starts there");
	ck_assert_int_eq(mh_vm_pio_remove(vm, 0xffff), 0);
	ck_assert_int_eq(mh_vm_mmio_add(vm, ~0ull, 2, &ops, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_mmio_add(vm, MHI_LAPIC_BASE, 4, &ops, NULL), MH_EEXIST);
	ck_assert_int_eq(mh_vm_mmio_add(vm, MHI_LAPIC_BASE - 4, 8, &ops, NULL), MH_EEXIST);
	ck_assert_int_eq(mh_vm_mmio_add(vm, MHI_LAPIC_BASE - 4, 4, &ops, NULL), 0);
	ck_assert_int_eq(mh_vm_mmio_remove(vm, MHI_LAPIC_BASE - 4), 0);
	ck_assert_int_eq(mh_vm_mmio_remove(vm, MHI_LAPIC_BASE - 4), MH_ENOENT);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(messages)
{
	struct mh_vm *vm = api_vm(1, 0, MIB);

	ck_assert_int_eq(mh_vm_msi(vm, 0xfee01000, 0x31), 0);
	ck_assert_uint_eq(fake_engine.msi_addr, 0xfee01000);
	ck_assert_int_eq(mh_vm_msi(vm, 0xfed01000, 0x31), MH_EINVAL);
	ck_assert_int_eq(mh_vm_msi(vm, 0x1fee01000, 0x31), MH_EINVAL);
	ck_assert_uint_eq(fake_engine.msis, 1);
	fake_machine.env.msi.send(fake_machine.env.msi.opaque, 0xfee00000, 0x40);
	ck_assert_uint_eq(fake_engine.msis, 2);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(boot_config)
{
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_vm *bare = api_vm(1, MH_VM_BARE, MIB);
	struct mh_vm *empty = api_vm(1, 0, 0);
	struct mh_vm *vm = api_vm(1, 0, MIB);

	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EINVAL);
	ck_error_has("config.kernel and config.firmware are NULL");
	boot.kernel = "/kernel";
	ck_assert_int_eq(mh_vm_boot(vm, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_boot(bare, &boot), MH_EINVAL);
	ck_error_has("MH_VM_BARE");
	ck_assert_int_eq(mh_vm_boot(empty, &boot), MH_EINVAL);
	ck_error_has("memory_bytes");
	fake_machine.boot_error = MH_EFORMAT;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EFORMAT);
	fake_machine.boot_error = 0;
	/* What does not fit is found now, not at the start. */
	fake_machine.load_error = MH_ERANGE;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_ERANGE);
	ck_error_has("boot configuration of VM \"test\": fake: does not fit");
	ck_assert_uint_eq(fake_machine.boots, 0);
	fake_machine.load_error = 0;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), 0);
	ck_assert_int_eq(mh_vm_boot(vm, &boot), 0);
	ck_assert_uint_eq(fake_machine.boots, 1);
	boot.size++;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EINVAL);
	mh_vm_destroy(vm);
	mh_vm_destroy(empty);
	mh_vm_destroy(bare);
}
END_TEST

/* Firmware lies right below 4 GiB, until something else is booted. */
START_TEST(firmware)
{
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_vm *vm = api_vm(1, 0, MIB);
	u8 *rom = page_alloc(FAKE_ROM_BYTES), *p = page_alloc(MH_PAGE_SIZE), seen = 0;
	const u64 at = (1ull << 32) - FAKE_ROM_BYTES;

	rom[FAKE_ROM_BYTES - 1] = 0x5a;
	fake_machine.rom = rom;
	boot.firmware = MH_FIRMWARE_BIOS;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_ENOENT);
	ck_error_has("boot configuration of VM \"test\": fake: no BIOS is installed");
	fake_machine.installed = "/bios.bin";
	boot.cmdline = "quiet";
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EINVAL);
	ck_error_has("config.initrd and config.cmdline belong to a kernel");
	boot.cmdline = NULL;
	boot.kernel = "/kernel";
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EINVAL);
	ck_error_has("one of them");
	boot.kernel = NULL;
	/* Something is in the way: nothing is left behind. */
	ck_assert_int_eq(mh_vm_mem_map(vm, at, p, MH_PAGE_SIZE, 0), 0);
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EEXIST);
	ck_assert_uint_eq(fake_machine.boots, 0);
	ck_assert_uint_eq(fake_machine.rom_bytes, 0);
	ck_assert_int_eq(mh_vm_mem_unmap(vm, at), 0);
	fake_machine.firmware_error = MH_EEXIST;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EEXIST);
	fake_machine.firmware_error = 0;
	fake_machine.load_error = MH_EINVAL;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EINVAL);
	fake_machine.load_error = 0;
	ck_assert_int_eq(mh_vm_mem_read(vm, ~0u, &seen, 1), MH_EFAULT);

	ck_assert_int_eq(mh_vm_boot(vm, &boot), 0);
	ck_assert_uint_eq(fake_machine.rom_bytes, FAKE_ROM_BYTES);
	ck_assert_int_eq(mh_vm_mem_read(vm, ~0u, &seen, 1), 0);
	ck_assert_uint_eq(seen, 0x5a);
	/* It is not the caller's to unmap. */
	ck_assert_int_eq(mh_vm_mem_unmap(vm, at), MH_ENOENT);
	boot.firmware = "/another";
	ck_assert_int_eq(mh_vm_boot(vm, &boot), 0);
	ck_assert_uint_eq(fake_machine.boots, 1);
	/* What comes instead cannot be: the firmware stays. */
	boot = (struct mh_boot_config)MH_BOOT_CONFIG_INIT;
	boot.kernel = "/kernel";
	fake_machine.boot_error = MH_EFORMAT;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), MH_EFORMAT);
	fake_machine.boot_error = 0;
	ck_assert_int_eq(mh_vm_mem_read(vm, ~0u, &seen, 1), 0);
	ck_assert_int_eq(mh_vm_boot(vm, &boot), 0);
	ck_assert_uint_eq(fake_machine.rom_bytes, 0);
	ck_assert_int_eq(mh_vm_mem_read(vm, ~0u, &seen, 1), MH_EFAULT);
	mh_vm_destroy(vm);
	free(rom);
	free(p);
}
END_TEST

static size_t serial_bytes;

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	serial_bytes += bytes;
}

START_TEST(devices)
{
	struct mh_vm *bare = api_vm(1, MH_VM_BARE, MIB), *vm = api_vm(1, 0, MIB);

	ck_assert_int_eq(mh_serial_attach(vm, 0, on_serial, NULL), 0);
	ck_assert_uint_eq(serial_bytes, 8);
	ck_assert_int_eq(mh_serial_attach(vm, 4, on_serial, NULL), MH_EINVAL);
	ck_error_has("there is no port 4");
	ck_assert_int_eq(mh_serial_attach(bare, 0, on_serial, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_serial_input(vm, 0, "hello", 5), 4);
	ck_assert_int_eq(mh_serial_input(vm, 0, NULL, 5), MH_EINVAL);
	ck_assert_int_eq(mh_serial_input(bare, 0, "hello", 5), MH_EINVAL);
	ck_assert_int_eq(mh_vm_power_button(bare), MH_EINVAL);
	ck_assert_int_eq(mh_vm_power_button(vm), MH_ESTATE);
	mh_vm_destroy(vm);
	mh_vm_destroy(bare);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, ram);
	tcase_add_test(tcase, map_rules);
	tcase_add_test(tcase, map_fails_in_the_engine);
	tcase_add_test(tcase, slots_run_out);
	tcase_add_test(tcase, not_while_running);
	tcase_add_test(tcase, handlers);
	tcase_add_test(tcase, messages);
	tcase_add_test(tcase, boot_config);
	tcase_add_test(tcase, firmware);
	tcase_add_test(tcase, devices);
}

UNIT_MAIN("vm_mem", add_tests)

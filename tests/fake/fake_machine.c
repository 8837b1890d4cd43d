/* SPDX-License-Identifier: MIT */
/* A fake of the platform: counts resets and loads, and lets the test press its power switch. */
#include "fake_machine.h"

#include <stdio.h>
#include <stdlib.h>

struct mhi_machine {
	int unused;
};

struct mhi_boot {
	const void *rom;
};

struct fake_machine fake_machine;

void fake_machine_clear(void)
{
	memset(&fake_machine, 0, sizeof(fake_machine));
}

int mhi_machine_create(const struct mhi_machine_env *env, struct mhi_machine **out,
		       struct mhi_err *err)
{
	if (fake_machine.create_error)
		return mhi_err_set(err, fake_machine.create_error, "fake: no machine");
	fake_machine.env = *env;
	fake_machine.machines++;
	*out = calloc(1, sizeof(**out));
	return 0;
}

void mhi_machine_destroy(struct mhi_machine *m)
{
	fake_machine.machines--;
	free(m);
}

int mhi_machine_reset(struct mhi_machine *m, struct mhi_err *err)
{
	if (fake_machine.reset_error)
		return mhi_err_set(err, fake_machine.reset_error, "fake: no reset");
	fake_machine.resets++;
	return 0;
}

int mhi_machine_pci_add(struct mhi_machine *m, struct mhi_pci_dev *dev, struct mhi_err *err)
{
	if (fake_machine.add_error)
		return mhi_err_set(err, fake_machine.add_error, "fake: no slot");
	for (unsigned int n = 0; dev->want_slot && n < fake_machine.dev_count; n++)
		if (fake_machine.devs[n]->want_slot == dev->want_slot)
			return mhi_err_set(err, MH_EEXIST, "fake: slot %u", dev->want_slot);
	fake_machine.devs[fake_machine.dev_count++] = dev;
	return 0;
}

void mhi_machine_pci_remove(struct mhi_machine *m, struct mhi_pci_dev *dev)
{
	unsigned int n = 0;

	while (fake_machine.devs[n] != dev)
		n++;
	fake_machine.devs[n] = fake_machine.devs[--fake_machine.dev_count];
}

void mhi_machine_run(struct mhi_machine *m, bool on)
{
	__atomic_store_n(&fake_machine.running, on, __ATOMIC_SEQ_CST);
	for (unsigned int n = 0; n < fake_machine.dev_count; n++)
		fake_machine.devs[n]->ops->run(fake_machine.devs[n]->opaque, on);
}

void mhi_machine_eoi(struct mhi_machine *m, u32 vector)
{
	fake_machine.eois++;
	fake_machine.eoi_vector = vector;
}

void mhi_machine_power_button(struct mhi_machine *m)
{
	fake_machine.buttons++;
}

int mhi_machine_serial_attach(struct mhi_machine *m, unsigned int port,
			      void (*fn)(void *opaque, const void *data, size_t bytes),
			      void *opaque, struct mhi_err *err)
{
	if (fn)
		fn(opaque, "attached", 8);
	return 0;
}

size_t mhi_machine_serial_input(struct mhi_machine *m, unsigned int port, const void *data,
				size_t bytes)
{
	return bytes < 4 ? bytes : 4;
}

int mhi_machine_ps2(struct mhi_machine *m, bool on, struct mhi_err *err)
{
	if (on && fake_machine.ps2)
		return mhi_err_set(err, MH_EEXIST, "fake: there is one");
	fake_machine.ps2 = on;
	return 0;
}

static void note(const char *fmt, int a, int b, int c)
{
	size_t used = strlen(fake_machine.ps2_log);

	snprintf(fake_machine.ps2_log + used, sizeof(fake_machine.ps2_log) - used, fmt, a, b, c);
}

int mhi_machine_ps2_key(struct mhi_machine *m, u32 code, bool down)
{
	note("key %d %d;", (int)code, down, 0);
	return fake_machine.ps2_error;
}

int mhi_machine_ps2_move(struct mhi_machine *m, s32 dx, s32 dy, s32 dz)
{
	note("move %d %d %d;", dx, dy, dz);
	return fake_machine.ps2_error;
}

int mhi_machine_ps2_button(struct mhi_machine *m, unsigned int button, bool down)
{
	note("button %d %d;", (int)button, down, 0);
	return fake_machine.ps2_error;
}

u32 mhi_machine_ps2_leds(struct mhi_machine *m)
{
	return 2;
}

int mhi_boot_create(const char *kernel, const char *initrd, const char *cmdline,
		    struct mhi_boot **out, struct mhi_err *err)
{
	if (fake_machine.boot_error)
		return mhi_err_set(err, fake_machine.boot_error, "fake: no kernel");
	fake_machine.boots++;
	snprintf(fake_machine.booted, sizeof(fake_machine.booted), "%s", kernel);
	*out = calloc(1, sizeof(**out));
	return 0;
}

int mhi_boot_create_firmware(const char *path, struct mhi_boot **out, struct mhi_err *err)
{
	int rc = mhi_boot_create(path, NULL, NULL, out, err);

	if (!rc)
		(*out)->rom = fake_machine.rom;
	return rc;
}

int mhi_boot_find_firmware(const char **path, struct mhi_err *err)
{
	if (!fake_machine.installed)
		return mhi_err_set(err, MH_ENOENT, "fake: no BIOS is installed");
	*path = fake_machine.installed;
	return 0;
}

const void *mhi_boot_rom(const struct mhi_boot *boot, u64 *bytes)
{
	*bytes = boot->rom ? FAKE_ROM_BYTES : 0;
	return boot->rom;
}

int mhi_machine_firmware(struct mhi_machine *m, u64 rom_bytes, struct mhi_err *err)
{
	if (rom_bytes && fake_machine.firmware_error)
		return mhi_err_set(err, fake_machine.firmware_error, "fake: no firmware");
	fake_machine.rom_bytes = rom_bytes;
	return 0;
}

void mhi_boot_destroy(struct mhi_boot *boot)
{
	fake_machine.boots--;
	free(boot);
}

int mhi_boot_load(const struct mhi_boot *boot, const struct mhi_machine *machine,
		  struct mhi_entry *entry, struct mhi_err *err)
{
	/* Set while another thread may be here. */
	int error = __atomic_load_n(&fake_machine.load_error, __ATOMIC_SEQ_CST);

	if (error)
		return mhi_err_set(err, error, "fake: does not fit");
	fake_machine.loads++;
	*entry = fake_machine.entry;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The machine: which devices there are, where they sit on the buses, and their common life. */
#include "platform/machine_priv.h"

#include <stdlib.h>

#include "platform/acpi.h"
#include "platform/layout.h"
#include "platform/pmtimer.h"

#define CLASS_STORAGE 0x01 /* PCI Code and ID Assignment, 1.2 "Base Class 01h" */
#define CPUS_MAX 64	   /* what mh_vm_config allows */

/*
 * The window for 64-bit BARs: a quarter of the guest's addresses, but no more than this, behind
 * RAM.
 */
#define WINDOW64_BYTES_MAX (1ull << 38)

/* The reset control register lies inside CONFIG_ADDRESS, which only takes doublewords. */
static uint64_t pci_port_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_machine *m = opaque;

	if (offset == MHI_RESET_PORT - MHI_PCI_PORT && bytes == 1)
		return mhi_reset_ops.read(&m->power, 0, bytes);
	return mhi_pci_port_io_ops.read(m->pci, offset, bytes);
}

static void pci_port_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_machine *m = opaque;

	if (offset == MHI_RESET_PORT - MHI_PCI_PORT && bytes == 1)
		mhi_reset_ops.write(&m->power, 0, bytes, value);
	else
		mhi_pci_port_io_ops.write(m->pci, offset, bytes, value);
}

static const struct mh_io_ops pci_port_ops = {
	.version = 1,
	.read = pci_port_read,
	.write = pci_port_write,
};

struct range {
	bool mmio;
	u64 start, bytes;
	const struct mh_io_ops *ops;
	size_t opaque; /* offset of the device in struct mhi_machine */
};

static const struct range ranges[] = {
	{ true, MHI_IOAPIC_BASE, MHI_IOAPIC_BYTES, &mhi_ioapic_ops,
	  offsetof(struct mhi_machine, ioapic) },
	{ false, MHI_RTC_PORT, MHI_RTC_PORTS, &mhi_rtc_ops, offsetof(struct mhi_machine, rtc) },
	{ false, MHI_SLEEP_PORT, MHI_SLEEP_PORTS, &mhi_sleep_ops,
	  offsetof(struct mhi_machine, power) },
	{ false, MHI_KBC_PORT, 1, &mhi_kbc_ops, offsetof(struct mhi_machine, kbc) },
	{ false, MHI_PANIC_PORT, 1, &mhi_panic_ops, offsetof(struct mhi_machine, power) },
	{ false, MHI_PCI_PORT, MHI_PCI_PORTS, &pci_port_ops, 0 },
	{ false, MHI_PMTIMER_PORT, MHI_PMTIMER_PORTS, &mhi_pmtimer_ops, 0 },
};

static struct mhi_bus *bus_of(struct mhi_machine *m, const struct range *range)
{
	return range->mmio ? m->env.mmio : m->env.pio;
}

static void detach(struct mhi_machine *m)
{
	for (unsigned int n = 0; n < MHI_UARTS; n++)
		if (m->uarts & MHI_BIT(n))
			mhi_bus_remove(m->env.pio, mhi_uart_place[n].port);
	mhi_machine_ps2(m, false, NULL);
	while (m->ranges) {
		const struct range *range = &ranges[--m->ranges];

		mhi_bus_remove(bus_of(m, range), range->start);
	}
}

static int taken(struct mhi_err *err, int rc, const char *what, u64 at)
{
	return mhi_err_set(err, rc,
			   "placing the machine's devices: %s 0x%llx cannot be taken (%s); leave "
			   "the machine's addresses free",
			   what, at, mh_strerror(rc));
}

static int attach(struct mhi_machine *m, struct mhi_err *err)
{
	for (; m->ranges < MHI_COUNT(ranges); m->ranges++) {
		const struct range *range = &ranges[m->ranges];
		int rc = mhi_bus_add(bus_of(m, range), range->start, range->bytes, range->ops,
				     (u8 *)m + range->opaque);

		if (rc)
			return taken(err, rc, range->mmio ? "address" : "port", range->start);
	}
	return 0;
}

/* ---- PCI ---- */

static void detach_pci(struct mhi_machine *m)
{
	for (; m->pci_ranges; m->pci_ranges--)
		mhi_bus_remove(m->env.mmio, m->pci_range[m->pci_ranges - 1]);
}

static int attach_pci_range(struct mhi_machine *m, u64 start, u64 bytes,
			    const struct mh_io_ops *ops, struct mhi_err *err)
{
	int rc = bytes ? mhi_bus_add(m->env.mmio, start, bytes, ops, m->pci) : 0;

	if (rc)
		return taken(err, rc, "address", start);
	if (bytes)
		m->pci_range[m->pci_ranges++] = start;
	return 0;
}

static void choose_window64(struct mhi_machine *m)
{
	u64 ram_end = m->env.ram_bytes, bytes, start;

	if (m->env.phys_bits <= 32)
		return;
	bytes = MHI_BIT(m->env.phys_bits - 2);
	if (bytes > WINDOW64_BYTES_MAX)
		bytes = WINDOW64_BYTES_MAX;
	if (ram_end > MHI_RAM_HOLE_START)
		ram_end += MHI_RAM_HOLE_END - MHI_RAM_HOLE_START;
	start = bytes;
	while (start < ram_end)
		start += bytes;
	if (start + bytes > MHI_BIT(m->env.phys_bits))
		return;
	m->window64 = start;
	m->window64_bytes = bytes;
}

static int attach_pci(struct mhi_machine *m, struct mhi_err *err)
{
	struct mhi_pci_env env = {
		.lines = { .set = mhi_ioapic_set, .opaque = &m->ioapic },
		.msi = m->env.msi,
		.doorbell = m->env.doorbell,
		.memory = m->env.memory,
	};
	int rc;

	choose_window64(m);
	env.window64 = m->window64;
	env.window64_bytes = m->window64_bytes;
	rc = mhi_pci_create(&env, &m->pci);
	if (rc)
		return mhi_err_set(err, rc, "making the PCI bus: " MHI_NO_MEMORY);
	rc = attach_pci_range(m, MHI_ECAM_BASE, MHI_ECAM_BYTES, &mhi_pci_ecam_ops, err);
	if (!rc)
		rc = attach_pci_range(m, MHI_PCI_WINDOW32, MHI_PCI_WINDOW32_BYTES,
				      &mhi_pci_window32_ops, err);
	if (!rc)
		rc = attach_pci_range(m, m->window64, m->window64_bytes, &mhi_pci_window64_ops,
				      err);
	return rc;
}

int mhi_machine_pci_add(struct mhi_machine *m, struct mhi_pci_dev *dev, struct mhi_err *err)
{
	int rc = mhi_pci_add(m->pci, dev);

	if (!rc && dev->rom)
		m->rom_dev = dev;
	if (!rc && dev->class_code >> 16 == CLASS_STORAGE)
		m->disk_slot[m->disks++] = mhi_pci_slot(dev);
	if (rc == MH_ERANGE)
		mhi_err_set(
			err, rc,
			"no PCI slot, or no addresses, are left: at most %d devices; detach one",
			MHI_PCI_SLOTS - 1);
	else if (rc == MH_EEXIST)
		mhi_err_set(err, rc, "PCI slot %u has another device; choose another slot",
			    dev->want_slot);
	else if (rc)
		mhi_err_set(err, rc, "plugging the device into PCI: %s; free memory",
			    mh_strerror(rc));
	return rc;
}

void mhi_machine_pci_remove(struct mhi_machine *m, struct mhi_pci_dev *dev)
{
	unsigned int slot = mhi_pci_slot(dev), kept = 0;

	for (unsigned int n = 0; n < m->disks; n++)
		if (m->disk_slot[n] != slot)
			m->disk_slot[kept++] = m->disk_slot[n];
	m->disks = kept;
	if (m->rom_dev == dev)
		m->rom_dev = NULL;
	mhi_pci_remove(m->pci, dev);
}

void mhi_machine_run(struct mhi_machine *m, bool on)
{
	mhi_pci_run(m->pci, on);
}

/* ---- life ---- */

static int attach_uart(struct mhi_machine *m, unsigned int n, struct mhi_err *err)
{
	const struct mhi_uart_place *place = &mhi_uart_place[n];
	int rc;

	if (m->uarts & MHI_BIT(n))
		return 0;
	rc = mhi_bus_add(m->env.pio, place->port, MHI_UART_PORTS, &mhi_uart_ops, &m->com[n]);
	if (rc)
		return mhi_err_set(err, rc,
				   "placing serial port %s: I/O port 0x%x cannot be taken (%s); "
				   "leave it free",
				   place->name, place->port, mh_strerror(rc));
	m->uarts |= (u32)MHI_BIT(n);
	return 0;
}

static int check_env(const struct mhi_machine_env *env, struct mhi_err *err)
{
	if (!env->cpus || env->cpus > CPUS_MAX)
		return mhi_err_set(err, MH_EINVAL, "a machine has 1 to %d CPUs, not %u", CPUS_MAX,
				   env->cpus);
	if (env->ram_bytes && env->ram_bytes < MHI_BIOS_END)
		return mhi_err_set(err, MH_EINVAL,
				   "%llu bytes of memory: the firmware tables lie below 1 MiB; "
				   "give the VM at least 1 MiB",
				   env->ram_bytes);
	return 0;
}

int mhi_machine_create(const struct mhi_machine_env *env, struct mhi_machine **out,
		       struct mhi_err *err)
{
	struct mhi_irq_sink lines = { .set = mhi_ioapic_set };
	struct mhi_machine *m;
	int rc = check_env(env, err);

	if (rc)
		return rc;
	m = calloc(1, sizeof(*m));
	if (!m)
		return mhi_err_set(err, MH_ENOMEM, "making the machine: " MHI_NO_MEMORY);
	m->env = *env;
	m->power.power = env->power;
	m->power.opaque = env->opaque;
	mhi_ioapic_init(&m->ioapic, &env->msi);
	lines.opaque = &m->ioapic;
	for (unsigned int n = 0; n < MHI_UARTS; n++)
		mhi_uart_init(&m->com[n], &lines, mhi_uart_place[n].gsi);
	mhi_i8042_init(&m->kbc, &lines, &m->power);
	mhi_rtc_init(&m->rtc, NULL);
	mhi_fwcfg_init(&m->fwcfg, env->mem);
	rc = attach(m, err);
	if (!rc)
		rc = attach_pci(m, err);
	if (!rc)
		rc = attach_uart(m, 0, err);
	if (rc) {
		mhi_machine_destroy(m);
		return rc;
	}
	*out = m;
	return 0;
}

void mhi_machine_destroy(struct mhi_machine *m)
{
	if (!m)
		return;
	detach(m);
	detach_pci(m);
	mhi_machine_firmware(m, 0, NULL);
	mhi_fwcfg_fini(&m->fwcfg);
	mhi_pci_destroy(m->pci);
	mhi_rtc_fini(&m->rtc);
	mhi_i8042_fini(&m->kbc);
	for (unsigned int n = 0; n < MHI_UARTS; n++)
		mhi_uart_fini(&m->com[n]);
	mhi_ioapic_fini(&m->ioapic);
	free(m);
}

struct mhi_acpi_config mhi_machine_acpi(const struct mhi_machine *m)
{
	return (struct mhi_acpi_config){
		.cpus = m->env.cpus,
		.uarts = m->uarts,
		.ps2 = m->kbc.present,
		.window64 = m->window64,
		.window64_bytes = m->window64_bytes,
	};
}

/* What firmware would have left below 1 MiB: the ACPI tables, and code at the reset vector. */
static int write_firmware(struct mhi_machine *m, struct mhi_err *err)
{
	struct mhi_acpi_config config = mhi_machine_acpi(m);
	/* What lies between the tables goes to the guest, too: nothing of the heap. */
	u8 *tables = calloc(1, MHI_ACPI_BYTES);
	size_t bytes;
	int rc;

	if (!tables)
		return mhi_err_set(err, MH_ENOMEM, "making the ACPI tables: " MHI_NO_MEMORY);
	config.base = MHI_ACPI_BASE;
	rc = mhi_acpi_build(&config, tables, MHI_ACPI_BYTES, &bytes, err);
	if (!rc && (mhi_gmem_write(m->env.mem, MHI_ACPI_BASE, tables, bytes, true) ||
		    mhi_gmem_write(m->env.mem, MHI_RESET_VECTOR, mhi_reset_code,
				   sizeof(mhi_reset_code), true)))
		rc = mhi_err_set(err, MH_EINVAL,
				 "writing the ACPI tables: no memory from 0x%llx to 0x%llx; map "
				 "memory there",
				 MHI_ACPI_BASE, MHI_BIOS_END);
	free(tables);
	return rc;
}

int mhi_machine_reset(struct mhi_machine *m, struct mhi_err *err)
{
	mhi_ioapic_reset(&m->ioapic);
	mhi_pci_reset(m->pci);
	for (unsigned int n = 0; n < MHI_UARTS; n++)
		mhi_uart_reset(&m->com[n]);
	mhi_i8042_reset(&m->kbc);
	mhi_rtc_reset(&m->rtc);
	if (m->rom_bytes)
		return mhi_machine_tell_firmware(m, err);
	/* A caller who brings the memory brings what is in it. */
	return m->env.ram_bytes ? write_firmware(m, err) : 0;
}

void mhi_machine_eoi(struct mhi_machine *m, u32 vector)
{
	mhi_ioapic_eoi(&m->ioapic, vector);
}

void mhi_machine_power_button(struct mhi_machine *m)
{
	mhi_ioapic_set(&m->ioapic, MHI_GSI_POWER_BUTTON, true);
	mhi_ioapic_set(&m->ioapic, MHI_GSI_POWER_BUTTON, false);
}

int mhi_machine_serial_attach(struct mhi_machine *m, unsigned int port,
			      void (*fn)(void *opaque, const void *data, size_t bytes),
			      void *opaque, struct mhi_err *err)
{
	int rc = 0;

	if (port >= MHI_UARTS)
		return mhi_err_set(err, MH_EINVAL,
				   "there is no serial port %u; choose one from 0 to %d", port,
				   MHI_UARTS - 1);
	if (fn)
		rc = attach_uart(m, port, err);
	if (!rc)
		mhi_uart_attach(&m->com[port], fn, opaque);
	return rc;
}

size_t mhi_machine_serial_input(struct mhi_machine *m, unsigned int port, const void *data,
				size_t bytes)
{
	if (port >= MHI_UARTS || !(m->uarts & MHI_BIT(port)))
		return 0;
	return mhi_uart_input(&m->com[port], data, bytes);
}

/* ---- keyboard and mouse ---- */

int mhi_machine_ps2(struct mhi_machine *m, bool on, struct mhi_err *err)
{
	int rc;

	if (on == m->kbc.present)
		return on ? mhi_err_set(err, MH_EEXIST,
					"the VM has a PS/2 keyboard and mouse already; it takes "
					"one of them")
			  : 0;
	if (!on) {
		mhi_bus_remove(m->env.pio, MHI_KBC_DATA_PORT);
		m->kbc.present = false;
		return 0;
	}
	rc = mhi_bus_add(m->env.pio, MHI_KBC_DATA_PORT, 1, &mhi_kbc_data_ops, &m->kbc);
	if (rc)
		return taken(err, rc, "port", MHI_KBC_DATA_PORT);
	m->kbc.present = true;
	return 0;
}

int mhi_machine_ps2_key(struct mhi_machine *m, u32 code, bool down)
{
	return mhi_i8042_key(&m->kbc, code, down);
}

int mhi_machine_ps2_move(struct mhi_machine *m, s32 dx, s32 dy, s32 dz)
{
	return mhi_i8042_move(&m->kbc, dx, dy, dz);
}

int mhi_machine_ps2_button(struct mhi_machine *m, unsigned int button, bool down)
{
	return button < MHI_PS2_BUTTONS ? mhi_i8042_button(&m->kbc, 1u << button, down) : MH_ESTATE;
}

u32 mhi_machine_ps2_leds(struct mhi_machine *m)
{
	return mhi_i8042_leds(&m->kbc);
}

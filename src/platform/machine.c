/* SPDX-License-Identifier: MIT */
/* The machine: which devices there are, where they sit on the buses, and their common life. */
#include "platform/machine_priv.h"

#include <stdlib.h>

#include "platform/acpi.h"
#include "platform/layout.h"
#include "platform/pmtimer.h"

#define CPUS_MAX 64 /* what mh_vm_config allows */

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
	{ false, MHI_RESET_PORT, 1, &mhi_reset_ops, offsetof(struct mhi_machine, power) },
	{ false, MHI_KBC_PORT, 1, &mhi_kbc_ops, offsetof(struct mhi_machine, power) },
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
	while (m->ranges) {
		const struct range *range = &ranges[--m->ranges];

		mhi_bus_remove(bus_of(m, range), range->start);
	}
}

static int attach(struct mhi_machine *m, struct mhi_err *err)
{
	for (; m->ranges < MHI_COUNT(ranges); m->ranges++) {
		const struct range *range = &ranges[m->ranges];
		int rc = mhi_bus_add(bus_of(m, range), range->start, range->bytes, range->ops,
				     (u8 *)m + range->opaque);

		if (rc)
			return mhi_err_set(err, rc,
					   "placing the machine's devices: %s 0x%llx cannot be "
					   "taken (%s); leave the machine's addresses free",
					   range->mmio ? "address" : "port", range->start,
					   mh_strerror(rc));
	}
	return 0;
}

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
		return mhi_err_set(err, MH_ENOMEM, "making the machine: out of memory");
	m->env = *env;
	m->power.power = env->power;
	m->power.opaque = env->opaque;
	mhi_ioapic_init(&m->ioapic, &env->msi);
	lines.opaque = &m->ioapic;
	for (unsigned int n = 0; n < MHI_UARTS; n++)
		mhi_uart_init(&m->com[n], &lines, mhi_uart_place[n].gsi);
	mhi_rtc_init(&m->rtc, NULL);
	rc = attach(m, err);
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
	mhi_rtc_fini(&m->rtc);
	for (unsigned int n = 0; n < MHI_UARTS; n++)
		mhi_uart_fini(&m->com[n]);
	mhi_ioapic_fini(&m->ioapic);
	free(m);
}

/* What firmware would have left below 1 MiB: the ACPI tables, and code at the reset vector. */
static int write_firmware(struct mhi_machine *m, struct mhi_err *err)
{
	const struct mhi_acpi_config config = {
		.base = MHI_ACPI_BASE,
		.cpus = m->env.cpus,
		.uarts = m->uarts,
	};
	u8 *tables = malloc(MHI_ACPI_BYTES);
	size_t bytes;
	int rc;

	if (!tables)
		return mhi_err_set(err, MH_ENOMEM, "making the ACPI tables: out of memory");
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
	for (unsigned int n = 0; n < MHI_UARTS; n++)
		mhi_uart_reset(&m->com[n]);
	mhi_rtc_reset(&m->rtc);
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
		return mhi_err_set(err, MH_EINVAL, "there is no serial port %u, only 0 to %d", port,
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

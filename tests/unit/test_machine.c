// SPDX-License-Identifier: MIT
/*
 * The machine as a whole: its devices on the buses, power and reset, lines to the I/O APIC,
 * serial, tables.
 */
#include "unit.h"
#include "guest_ram.h"
#include "platform/layout.h"
#include "core/le.h"
#include "platform/machine.h"
#include "platform/pmtimer.h"

#include <time.h>

#define RAM (4ull << 20)

static struct guest_ram ram;
static struct mhi_bus pio, mmio;
static struct mhi_machine *machine;
static struct mhi_err err;
static struct {
	unsigned int msis, offs, resets, panics, crash_kernels;
	u32 data;
	char text[64];
	size_t len;
} seen;

static void on_msi(void *opaque, u64 addr, u32 data)
{
	seen.msis++;
	seen.data = data;
}

static void on_power(void *opaque, enum mhi_power what)
{
	ck_assert_ptr_eq(opaque, &seen);
	seen.offs += what == MHI_POWER_OFF;
	seen.resets += what == MHI_POWER_RESET;
	seen.panics += what == MHI_POWER_PANIC;
	seen.crash_kernels += what == MHI_POWER_CRASH_KERNEL;
}

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	ck_assert_uint_le(seen.len + bytes, sizeof(seen.text));
	memcpy(seen.text + seen.len, data, bytes);
	seen.len += bytes;
}

static struct mhi_machine_env env(void)
{
	return (struct mhi_machine_env){
		.mem = &ram.mem,
		.pio = &pio,
		.mmio = &mmio,
		.msi = { .send = on_msi },
		.power = on_power,
		.opaque = &seen,
		.ram_bytes = RAM,
		.cpus = 2,
	};
}

static void setup(void)
{
	struct mhi_machine_env e = env();

	memset(&seen, 0, sizeof(seen));
	memset(&err, 0, sizeof(err));
	guest_ram_init(&ram, RAM);
	mhi_bus_init(&pio);
	mhi_bus_init(&mmio);
	ck_assert_int_eq(mhi_machine_create(&e, &machine, &err), 0);
}

static void teardown(void)
{
	mhi_machine_destroy(machine);
	ck_assert_uint_eq(pio.count, 0);
	ck_assert_uint_eq(mmio.count, 0);
	mhi_bus_fini(&pio);
	mhi_bus_fini(&mmio);
	guest_ram_fini(&ram);
}

static void out(u16 port, unsigned int bytes, u32 value)
{
	ck_assert(mhi_bus_write(&pio, port, bytes, value));
}

static u32 in(u16 port, unsigned int bytes)
{
	u64 value;

	ck_assert(mhi_bus_read(&pio, port, bytes, &value));
	return (u32)value;
}

static void redirect(unsigned int pin, u32 low)
{
	ck_assert(mhi_bus_write(&mmio, MHI_IOAPIC_BASE, 4, 0x10 + 2 * pin));
	ck_assert(mhi_bus_write(&mmio, MHI_IOAPIC_BASE + 0x10, 4, low));
}

START_TEST(refusals)
{
	struct mhi_machine_env e;
	struct mhi_machine *other = NULL;

	setup();
	/* The addresses are taken: nothing of the second machine stays behind. */
	e = env();
	ck_assert_int_eq(mhi_machine_create(&e, &other, &err), MH_EEXIST);
	ck_assert_ptr_null(other);
	ck_assert_ptr_nonnull(strstr(err.text, "0xfec00000"));
	e.cpus = 0;
	ck_assert_int_eq(mhi_machine_create(&e, &other, &err), MH_EINVAL);
	e.cpus = 65;
	ck_assert_int_eq(mhi_machine_create(&e, &other, &err), MH_EINVAL);
	e.cpus = 1;
	e.ram_bytes = 4096;
	ck_assert_int_eq(mhi_machine_create(&e, &other, &err), MH_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "1 MiB"));
	out(0x3f8, 1, 'x');
	mhi_machine_destroy(NULL);
	teardown();
}
END_TEST

START_TEST(power)
{
	setup();
	/* S5 without the enable bit, other sleep types, the status register: nothing. */
	out(0x600, 1, 5 << 2);
	out(0x600, 1, 3 << 2 | 0x20);
	out(0x601, 1, 5 << 2 | 0x20);
	ck_assert_uint_eq(seen.offs, 0);
	out(0x600, 1, 5 << 2 | 0x20);
	ck_assert_uint_eq(seen.offs, 1);
	ck_assert_uint_eq(in(0x601, 1), 0);
	/* The reset register, as the FADT says and as Linux's "reboot=pci" does it. */
	out(0xcf9, 1, 0x02);
	ck_assert_uint_eq(seen.resets, 0);
	out(0xcf9, 1, 0x06);
	ck_assert_uint_eq(seen.resets, 1);
	/* The keyboard controller is ready at once, takes the pulse, and ignores the rest. */
	ck_assert_uint_eq(in(0x64, 1), 0);
	out(0x64, 1, 0xd1);
	ck_assert_uint_eq(seen.resets, 1);
	out(0x64, 1, 0xfe);
	ck_assert_uint_eq(seen.resets, 2);
	ck_assert_uint_eq(seen.offs, 1);
	teardown();
}
END_TEST

/* QEMU's docs/specs/pvpanic. */
START_TEST(panic)
{
	setup();
	ck_assert_uint_eq(in(0x505, 1), 3);
	out(0x505, 1, 0);
	ck_assert_uint_eq(seen.panics + seen.crash_kernels, 0);
	out(0x505, 1, 1);
	ck_assert_uint_eq(seen.panics, 1);
	out(0x505, 1, 2);
	ck_assert_uint_eq(seen.panics, 1);
	ck_assert_uint_eq(seen.crash_kernels, 1);
	out(0x505, 1, 0xfc);
	ck_assert_uint_eq(seen.panics + seen.crash_kernels, 2);
	ck_assert_uint_eq(seen.offs + seen.resets, 0);
	teardown();
}
END_TEST

START_TEST(power_button)
{
	setup();
	mhi_machine_power_button(machine);
	ck_assert_uint_eq(seen.msis, 0);
	redirect(9, 0x35);
	mhi_machine_power_button(machine);
	ck_assert_uint_eq(seen.msis, 1);
	ck_assert_uint_eq(seen.data & 0xff, 0x35);
	mhi_machine_power_button(machine);
	ck_assert_uint_eq(seen.msis, 2);
	teardown();
}
END_TEST

START_TEST(serial)
{
	setup();
	out(0x3f8, 1, '?');
	ck_assert_int_eq(mhi_machine_serial_attach(machine, 0, on_serial, NULL, &err), 0);
	out(0x3f8, 1, 'h');
	out(0x3f8, 1, 'i');
	ck_assert_uint_eq(seen.len, 2);
	ck_assert(!memcmp(seen.text, "hi", 2));
	redirect(4, 0x8000 | 0x24);
	out(0x3f9, 1, 1);
	ck_assert_uint_eq(seen.msis, 0);
	ck_assert_uint_eq(mhi_machine_serial_input(machine, 0, "ab", 2), 2);
	ck_assert_uint_eq(mhi_machine_serial_input(machine, 1, "ab", 2), 0);
	ck_assert_uint_eq(seen.msis, 1);
	/* Level-triggered, the data not read yet: the EOI brings the next one. */
	mhi_machine_eoi(machine, 0x24);
	ck_assert_uint_eq(seen.msis, 2);
	ck_assert_uint_eq(in(0x3f8, 1), 'a');
	ck_assert_uint_eq(in(0x3f8, 1), 'b');
	mhi_machine_eoi(machine, 0x24);
	ck_assert_uint_eq(seen.msis, 2);
	/* A reset closes the pins and lowers the lines. */
	mhi_machine_serial_input(machine, 0, "c", 1);
	ck_assert_int_eq(mhi_machine_reset(machine, &err), 0);
	redirect(4, 0x8000 | 0x24);
	ck_assert_uint_eq(seen.msis, 3);
	teardown();
}
END_TEST

static size_t count(const char *word)
{
	static u8 tables[0x1000];
	size_t found = 0;

	ck_assert_int_eq(mhi_machine_reset(machine, &err), 0);
	ck_assert_int_eq(mhi_gmem_read(&ram.mem, MHI_ACPI_BASE, tables, sizeof(tables)), 0);
	for (size_t i = 0; i + 4 <= sizeof(tables); i++)
		found += !memcmp(tables + i, word, 4);
	return found;
}

/* COM2 to COM4 come with who attaches to them, and the tables tell of them from then on. */
START_TEST(more_serial_ports)
{
	static const struct mh_io_ops own = { .version = 1 };

	setup();
	ck_assert(!mhi_bus_write(&pio, 0x2f8, 1, 'x'));
	ck_assert_uint_eq(count("COM1"), 1);
	ck_assert_uint_eq(count("COM2"), 0);
	ck_assert_int_eq(mhi_machine_serial_attach(machine, 1, NULL, NULL, &err), 0);
	ck_assert(!mhi_bus_write(&pio, 0x2f8, 1, 'x'));
	ck_assert_int_eq(mhi_machine_serial_attach(machine, 1, on_serial, NULL, &err), 0);
	ck_assert_int_eq(mhi_machine_serial_attach(machine, 1, on_serial, NULL, &err), 0);
	out(0x2f8, 1, '2');
	ck_assert_uint_eq(seen.len, 1);
	ck_assert_uint_eq(count("COM2"), 1);
	redirect(3, 0x23);
	out(0x2f9, 1, 1);
	ck_assert_uint_eq(mhi_machine_serial_input(machine, 1, "a", 1), 1);
	ck_assert_uint_eq(seen.data & 0xff, 0x23);
	/* Output ends, the port stays. */
	ck_assert_int_eq(mhi_machine_serial_attach(machine, 1, NULL, NULL, &err), 0);
	out(0x2f8, 1, 'x');
	ck_assert_uint_eq(seen.len, 1);
	/* The addresses are somebody else's; there is no such port. */
	ck_assert_int_eq(mhi_bus_add(&pio, 0x3ef, 1, &own, NULL), 0);
	ck_assert_int_eq(mhi_machine_serial_attach(machine, 2, on_serial, NULL, &err), MH_EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "COM3"));
	ck_assert_uint_eq(mhi_machine_serial_input(machine, 2, "a", 1), 0);
	ck_assert_int_eq(mhi_machine_serial_attach(machine, 4, on_serial, NULL, &err), MH_EINVAL);
	ck_assert_int_eq(mhi_bus_remove(&pio, 0x3ef), 0);
	teardown();
}
END_TEST

START_TEST(tables)
{
	u8 rsdp[36], xsdt[4];
	u64 at;

	setup();
	ck_assert_int_eq(mhi_machine_reset(machine, &err), 0);
	ck_assert_int_eq(mhi_gmem_read(&ram.mem, MHI_ACPI_BASE, rsdp, sizeof(rsdp)), 0);
	ck_assert(!memcmp(rsdp, "RSD PTR ", 8));
	at = mhi_get_le64(rsdp + 24);
	ck_assert_int_eq(mhi_gmem_read(&ram.mem, at, xsdt, 4), 0);
	ck_assert(!memcmp(xsdt, "XSDT", 4));
	teardown();
}
END_TEST

/*
 * Linux without EFI, on a hardware-reduced machine, reboots by a jump to F000:FFF0 in real mode and
 * spun there for ever: there must be code that writes what the FADT says to the reset register.
 */
START_TEST(reset_vector)
{
	static const u8 want[] = { 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee };
	u8 code[sizeof(want)];

	setup();
	ck_assert_int_eq(mhi_machine_reset(machine, &err), 0);
	ck_assert_int_eq(mhi_gmem_read(&ram.mem, 0xffff0, code, sizeof(code)), 0);
	ck_assert(!memcmp(code, want, sizeof(want)));
	teardown();
}
END_TEST

START_TEST(tables_without_memory)
{
	struct mhi_machine_env e;

	setup();
	mhi_machine_destroy(machine);
	e = env();
	memset(&ram.mem.slots, 0, sizeof(ram.mem.slots));
	ck_assert_int_eq(mhi_machine_create(&e, &machine, &err), 0);
	ck_assert_int_eq(mhi_machine_reset(machine, &err), MH_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "0xe0000"));
	mhi_machine_destroy(machine);
	/* Who brings the memory need not have any there. */
	e.ram_bytes = 0;
	ck_assert_int_eq(mhi_machine_create(&e, &machine, &err), 0);
	ck_assert_int_eq(mhi_machine_reset(machine, &err), 0);
	teardown();
}
END_TEST

START_TEST(pm_timer)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	u32 a, b;

	ck_assert_uint_eq(mhi_pmtimer_ticks(0), 0);
	ck_assert_uint_eq(mhi_pmtimer_ticks(1000000000), 3579545);
	ck_assert_uint_eq(mhi_pmtimer_ticks(500000000), 1789772);
	/* Wraps: 2^32 ticks are 1199.86 s. After 584 years, no overflow on the way. */
	ck_assert_uint_eq(mhi_pmtimer_ticks(1200000000000), (u32)(1200 * 3579545ull));
	ck_assert_uint_eq(mhi_pmtimer_ticks(~0ull), (u32)(18446744073 * 3579545ull + 2539871));
	setup();
	a = in(0x608, 4);
	nanosleep(&pause, NULL);
	b = in(0x608, 4);
	ck_assert_uint_ge(b - a, 71590);
	out(0x608, 4, 0);
	teardown();
}
END_TEST

START_TEST(rtc)
{
	time_t now = time(NULL);
	struct tm tm;

	setup();
	gmtime_r(&now, &tm);
	out(0x70, 1, 0x32);
	ck_assert_uint_eq(in(0x71, 1), 0x20);
	out(0x70, 1, 0x09);
	ck_assert_uint_eq(in(0x71, 1), (u32)((tm.tm_year % 100) / 10 << 4 | tm.tm_year % 10));
	teardown();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, power);
	tcase_add_test(tcase, panic);
	tcase_add_test(tcase, power_button);
	tcase_add_test(tcase, serial);
	tcase_add_test(tcase, more_serial_ports);
	tcase_add_test(tcase, tables);
	tcase_add_test(tcase, reset_vector);
	tcase_add_test(tcase, tables_without_memory);
	tcase_add_test(tcase, pm_timer);
	tcase_add_test(tcase, rtc);
}

UNIT_MAIN("machine", add_tests)

// SPDX-License-Identifier: MIT
/*
 * The ACPI tables: found from the RSDP on, checksums, what they claim; and what iasl says of
 * them.
 */
#include "unit.h"
#include "platform/acpi.h"
#include "platform/aml.h"
#include "core/le.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE 0xe0000ull
#define CAP 0x8000u

static u8 blob[CAP];
static size_t used;

static u8 sum(const u8 *p, size_t bytes)
{
	u8 s = 0;

	while (bytes--)
		s += *p++;
	return s;
}

static const u8 *at(u64 gpa)
{
	ck_assert_uint_ge(gpa, BASE);
	ck_assert_uint_lt(gpa, BASE + used);
	return blob + (gpa - BASE);
}

static const u8 *table_at(u64 gpa, const char *signature)
{
	const u8 *t = at(gpa);

	ck_assert_msg(!memcmp(t, signature, 4), "%.4s is not %s", (const char *)t, signature);
	ck_assert_uint_le(gpa + mhi_get_le32(t + 4), BASE + used);
	ck_assert_uint_eq(sum(t, mhi_get_le32(t + 4)), 0);
	return t;
}

static void build(u32 cpus)
{
	struct mhi_acpi_config config = {
		.base = BASE,
		.uarts = 0xf,
		.ps2 = cpus > 1,
		.window64 = 1ull << 38,
		.window64_bytes = 1ull << 38,
	};

	memset(blob, 0xcc, sizeof(blob));
	config.cpus = cpus;
	ck_assert_int_eq(mhi_acpi_build(&config, blob, CAP, &used, NULL), 0);
	ck_assert_uint_le(used, CAP);
}

/* By the RSDP and the XSDT, as a guest finds them. The DSDT is found by the FADT. */
static const u8 *find(const char *signature)
{
	const u8 *xsdt, *fadt;

	ck_assert(!memcmp(blob, "RSD PTR ", 8));
	ck_assert_uint_eq(sum(blob, 20), 0);
	ck_assert_uint_eq(sum(blob, 36), 0);
	ck_assert_uint_eq(blob[15], 2);
	ck_assert_uint_eq(mhi_get_le32(blob + 16), 0);
	xsdt = table_at(mhi_get_le64(blob + 24), "XSDT");
	ck_assert_uint_eq(mhi_get_le32(xsdt + 4), 36 + 3 * 8);
	fadt = table_at(mhi_get_le64(xsdt + 36), "FACP");
	if (!strcmp(signature, "FACP"))
		return fadt;
	if (!strcmp(signature, "DSDT"))
		return table_at(mhi_get_le64(fadt + 140), "DSDT");
	return table_at(mhi_get_le64(xsdt + (strcmp(signature, "MCFG") ? 44 : 52)), signature);
}

START_TEST(fadt)
{
	const u8 *t;
	u32 flags;

	build(2);
	t = find("FACP");
	ck_assert_uint_eq(t[8], 6);
	ck_assert_uint_eq(mhi_get_le32(t + 4), 276);
	ck_assert_uint_eq(mhi_get_le32(t + 40), mhi_get_le64(t + 140));
	/* Hardware-reduced, reset register, no fixed hardware. */
	flags = mhi_get_le32(t + 112);
	ck_assert_uint_eq(flags & 0x100000, 0x100000);
	ck_assert_uint_eq(flags & 0x400, 0x400);
	ck_assert_uint_eq(flags & 0x10, 0x10);
	for (unsigned int i = 46; i < 76; i++)
		ck_assert_uint_eq(t[i], 0);
	/* No VGA, a keyboard controller if there is one; the RTC is there. */
	ck_assert_uint_eq(mhi_get_le16(t + 109), 0x07);
	ck_assert_uint_eq(t[108], 0x32);
	ck_assert_uint_eq(mhi_get_le64(t + 120), 0xcf9);
	ck_assert_uint_eq(t[128], 0x06);
	ck_assert_uint_eq(t[244], 1);
	ck_assert_uint_eq(mhi_get_le64(t + 248), 0x600);
	ck_assert_uint_eq(mhi_get_le64(t + 260), 0x601);
	ck_assert_uint_eq(mhi_get_le64(t + 212), 0x608);
}
END_TEST

static void check_madt(u32 cpus)
{
	const u8 *t, *p, *end;
	u32 next = 0, ioapics = 0;

	build(cpus);
	t = find("APIC");
	end = t + mhi_get_le32(t + 4);
	ck_assert_uint_eq(mhi_get_le32(t + 36), 0xfee00000);
	ck_assert_uint_eq(mhi_get_le32(t + 40), 0);
	for (p = t + 44; p < end; p += p[1]) {
		ck_assert_uint_ge(p[1], 8);
		if (p[0] == 0) {
			ck_assert_uint_eq(p[2], next);
			ck_assert_uint_eq(p[3], next++);
			ck_assert_uint_eq(mhi_get_le32(p + 4), 1);
		} else if (p[0] == 9) {
			ck_assert_uint_ge(next, 255);
			ck_assert_uint_eq(mhi_get_le32(p + 4), next);
			ck_assert_uint_eq(mhi_get_le32(p + 8), 1);
			ck_assert_uint_eq(mhi_get_le32(p + 12), next++);
		} else {
			ck_assert_uint_eq(p[0], 1);
			ck_assert_uint_eq(mhi_get_le32(p + 4), 0xfec00000);
			ck_assert_uint_eq(mhi_get_le32(p + 8), 0);
			ioapics++;
		}
	}
	ck_assert_ptr_eq(p, end);
	ck_assert_uint_eq(next, cpus);
	ck_assert_uint_eq(ioapics, 1);
}

START_TEST(madt)
{
	check_madt(1);
	check_madt(64);
	check_madt(300);
}
END_TEST

static bool holds(const u8 *p, size_t bytes, const void *what, size_t len)
{
	for (size_t i = 0; i + len <= bytes; i++)
		if (!memcmp(p + i, what, len))
			return true;
	return false;
}

START_TEST(dsdt)
{
	static const u8 s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x07, 4, 0x0a, 5, 0, 0, 0 };
	const u8 *t;

	build(1);
	t = find("DSDT");
	ck_assert(!memcmp(t + 36, s5, sizeof(s5)));
	/* EISAID("PNP0501") */
	ck_assert(holds(t, mhi_get_le32(t + 4), "\x0c\x41\xd0\x05\x01", 5));
	/* PNP0303 and PNP0F13, with a keyboard only. */
	ck_assert(!holds(t, mhi_get_le32(t + 4), "\x0c\x41\xd0\x03\x03", 5));
	ck_assert_uint_eq(mhi_get_le16(find("FACP") + 109), 0x05);
	build(2);
	t = find("DSDT");
	ck_assert(holds(t, mhi_get_le32(t + 4), "\x0c\x41\xd0\x03\x03", 5));
	ck_assert(holds(t, mhi_get_le32(t + 4), "\x0c\x41\xd0\x0f\x13", 5));
	/* Ports 0x60 and 0x64. */
	ck_assert(holds(t, mhi_get_le32(t + 4), "\x47\x01\x60\x00\x60\x00\x01\x01", 8));
	ck_assert(holds(t, mhi_get_le32(t + 4), "\x47\x01\x64\x00\x64\x00\x01\x01", 8));
}
END_TEST

START_TEST(too_small)
{
	const struct mhi_acpi_config config = { .base = BASE, .cpus = 4, .uarts = 1 };
	struct mhi_err err;

	for (size_t cap = 0; cap < 1024; cap++) {
		u8 *buf = malloc(cap ? cap : 1);
		int rc = mhi_acpi_build(&config, buf, cap, &used, &err);

		ck_assert(rc == MH_ERANGE || (rc == 0 && used <= cap));
		ck_assert(rc == 0 || strstr(err.text, "4 CPUs"));
		free(buf);
	}
}
END_TEST

/* The package length takes one to four bytes and counts them. */
START_TEST(aml_lengths)
{
	static u8 buf[1 << 21];
	static const size_t body[] = { 0, 58, 59, 60, 4000, 4089, 4090, 70000, 1 << 20 };

	for (size_t i = 0; i < MHI_COUNT(body); i++) {
		struct mhi_aml aml;
		size_t mark, lead, length;

		mhi_aml_init(&aml, buf, sizeof(buf));
		mark = mhi_aml_scope(&aml, "A");
		for (size_t j = 0; j < body[i]; j++)
			mhi_aml_integer(&aml, 0);
		mhi_aml_end(&aml, mark);
		ck_assert(!aml.failed);
		lead = buf[1] >> 6;
		length = lead ? buf[1] & 0x0f : buf[1] & 0x3f;
		for (size_t j = 0; j < lead; j++)
			length |= (size_t)buf[2 + j] << (4 + 8 * j);
		ck_assert_uint_eq(length, aml.len - 1);
		ck_assert_uint_eq(length, 1 + lead + 4 + body[i]);
		ck_assert(!memcmp(buf + 2 + lead, "A___", 4));
		/* One byte less would not do. */
		if (lead)
			ck_assert_uint_gt(length - 1,
					  lead == 1 ? 0x3f : (1u << (8 * lead - 4)) - 1);
	}
}
END_TEST

START_TEST(aml_errors)
{
	u8 buf[8];
	struct mhi_aml aml;

	mhi_aml_init(&aml, buf, sizeof(buf));
	mhi_aml_name(&aml, "FIVE5");
	ck_assert(aml.failed);
	mhi_aml_init(&aml, buf, sizeof(buf));
	mhi_aml_eisaid(&aml, "PNP05");
	ck_assert(aml.failed);
	mhi_aml_init(&aml, buf, sizeof(buf));
	mhi_aml_string(&aml, "longer than the buffer");
	ck_assert(aml.failed);
	ck_assert_uint_le(aml.len, sizeof(buf));
}
END_TEST

static void save(const char *dir, const char *name, const u8 *table)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(table, 1, mhi_get_le32(table + 4), f), mhi_get_le32(table + 4));
	fclose(f);
}

/* The command's exit status. */
static int shell(const char *command)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run(const char *dir, const char *command)
{
	char line[512];

	snprintf(
		line, sizeof(line),
		"cd %s && touch log && mv log log.old && { %s; } >log 2>&1 || { cat log; exit 1; }",
		dir, command);
	ck_assert_msg(shell(line) == 0, "%s failed", command);
}

/*
 * iasl reads the tables, and compiles what it read to the same bytes, without an error or
 * warning.
 */
START_TEST(iasl)
{
	static const char *const name[] = { "facp", "apic", "mcfg", "dsdt" };
	static const char *const signature[] = { "FACP", "APIC", "MCFG", "DSDT" };
	char dir[64], command[128];

	if (shell("iasl -v >/dev/null 2>&1")) {
		printf("SKIP iasl: not installed (package acpica-tools)\n");
		return;
	}
	snprintf(dir, sizeof(dir), "/tmp/mh-acpi-%d", (int)getpid());
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	build(64);
	for (unsigned int i = 0; i < MHI_COUNT(name); i++) {
		snprintf(command, sizeof(command), "%s.dat", name[i]);
		save(dir, command, find(signature[i]));
		snprintf(command, sizeof(command), "iasl -d %s.dat", name[i]);
		run(dir, command);
		snprintf(command, sizeof(command), "iasl -p new %s.dsl", name[i]);
		run(dir, command);
		run(dir, "grep -q ' 0 Errors, 0 Warnings' log.old");
		snprintf(command, sizeof(command), "cmp -i 36 new.aml %s.dat", name[i]);
		run(dir, command);
	}
	run(dir, "grep -q 'Notify (PWRB, 0x80)' dsdt.dsl");
	run(dir, "grep -q 'Device (PCI0)' dsdt.dsl && grep -q 'Return (Arg3)' dsdt.dsl");
	run(dir, "! grep -i -e invalid -e unknown *.dsl");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(shell(command), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, fadt);
	tcase_add_test(tcase, madt);
	tcase_add_test(tcase, dsdt);
	tcase_add_test(tcase, too_small);
	tcase_add_test(tcase, aml_lengths);
	tcase_add_test(tcase, aml_errors);
	tcase_add_test(tcase, iasl);
}

UNIT_MAIN("acpi", add_tests)

// SPDX-License-Identifier: MIT
/*
 * The 6300ESB watchdog on a PCI bus: what the datasheet and Linux' driver say of its registers,
 * both stages, the lock, pauses and resets, and drivers that write anything anywhere.
 */
#include "unit.h"
#include "fake_loop.h"
#include "platform/pci.h"
#include "platform/watchdog.h"
#include "rng.h"

#define SLOT 1u
#define CONFIG 0x60u
#define LOCK 0x68u
#define PRELOAD1 0x00u
#define PRELOAD2 0x04u
#define STATUS 0x08u
#define RELOAD 0x0cu
#define ENABLE 2u
/* A preload of 1000 at PCI's clock by 2^15. */
#define STAGE_MS 992u

static struct mhi_loop *loop;
static struct mhi_watchdog *w;
static struct mhi_pci *pci;
static u64 bar;
static bool line;
static unsigned int expirations;

static void on_line(void *opaque, unsigned int gsi, bool level)
{
	line = level;
}

static void on_msi(void *opaque, u64 addr, u32 data)
{
	ck_abort_msg("an MSI");
}

static void on_expired(void *opaque)
{
	ck_assert_ptr_eq(opaque, &expirations);
	expirations++;
}

static u32 config_read(unsigned int at, unsigned int bytes)
{
	return (u32)mhi_pci_ecam_ops.read(pci, SLOT << 15 | at, bytes) &
	       (bytes >= 4 ? ~0u : (1u << (8 * bytes)) - 1);
}

static void config_write(unsigned int at, unsigned int bytes, u32 value)
{
	mhi_pci_ecam_ops.write(pci, SLOT << 15 | at, bytes, value);
	fake_loop_run(loop);
}

static u32 reg_read(unsigned int at, unsigned int bytes)
{
	return (u32)mhi_pci_window32_ops.read(pci, bar - MHI_PCI_WINDOW32 + at, bytes);
}

static void reg_write(unsigned int at, unsigned int bytes, u64 value)
{
	mhi_pci_window32_ops.write(pci, bar - MHI_PCI_WINDOW32 + at, bytes, value);
	fake_loop_run(loop);
}

/* As Linux does it. */
static void unlocked_write(unsigned int at, unsigned int bytes, u32 value)
{
	reg_write(RELOAD, 1, 0x80);
	reg_write(RELOAD, 1, 0x86);
	reg_write(at, bytes, value);
}

static void reload(void)
{
	unlocked_write(RELOAD, 2, 0x100);
}

static void pass(u64 ms)
{
	fake_loop_pass(loop, ms);
	fake_loop_run(loop);
}

static void decode(void)
{
	config_write(0x04, 2, 2);
	bar = config_read(0x10, 4) & ~0xfu;
}

static void setup(void)
{
	const struct mhi_pci_env env = { .lines = { .set = on_line }, .msi = { .send = on_msi } };

	expirations = 0;
	line = false;
	ck_assert_int_eq(mhi_loop_create(&loop), 0);
	ck_assert_int_eq(mhi_pci_create(&env, &pci), 0);
	ck_assert_int_eq(mhi_watchdog_create(loop, on_expired, &expirations, &w), 0);
	ck_assert_int_eq(mhi_pci_add(pci, mhi_watchdog_pci(w)), 0);
	mhi_pci_reset(pci);
	decode();
	mhi_pci_run(pci, true);
	fake_loop_run(loop);
}

static void teardown(void)
{
	mhi_pci_run(pci, false);
	mhi_pci_remove(pci, mhi_watchdog_pci(w));
	mhi_pci_destroy(pci);
	mhi_watchdog_destroy(w);
	mhi_loop_destroy(loop);
}

/* Both stages of about a second, no interrupt, as Linux' driver sets it up. */
static void start(void)
{
	config_write(CONFIG, 2, 0x03);
	config_write(LOCK, 1, 0);
	unlocked_write(PRELOAD1, 4, 1000);
	unlocked_write(PRELOAD2, 4, 1000);
	reload();
	config_write(LOCK, 1, ENABLE);
}

START_TEST(identity)
{
	ck_assert_uint_eq(config_read(0, 4), 0x25ab8086);
	ck_assert_uint_eq(config_read(8, 4) >> 8, 0x088000);
	ck_assert_uint_eq(config_read(6, 2) & 0x10, 0);
	config_write(0x10, 4, ~0u);
	ck_assert_uint_eq(config_read(0x10, 4), 0xfffffff0);
	config_write(0x10, 4, (u32)bar);
	ck_assert_uint_eq(config_read(CONFIG, 2), 0);
	ck_assert_uint_eq(config_read(LOCK, 1), 0);
	ck_assert_uint_eq(reg_read(PRELOAD1, 4), 0xfffff);
	ck_assert_uint_eq(reg_read(PRELOAD2, 4), 0xfffff);
	ck_assert_uint_eq(reg_read(STATUS, 4), 0);
	ck_assert_uint_eq(reg_read(RELOAD, 2), 0);
	/* Only bits that there are. */
	config_write(CONFIG, 4, ~0u);
	ck_assert_uint_eq(config_read(CONFIG, 4), 0x27);
	config_write(0x64, 4, ~0u);
	ck_assert_uint_eq(config_read(0x64, 4), 0);
}
END_TEST

START_TEST(two_stages)
{
	start();
	pass(STAGE_MS);
	pass(1);
	ck_assert_uint_eq(expirations, 0);
	pass(STAGE_MS);
	ck_assert_uint_eq(expirations, 0);
	ck_assert_uint_eq(reg_read(RELOAD, 2), 0);
	pass(1);
	ck_assert_uint_eq(expirations, 1);
	ck_assert_uint_eq(reg_read(RELOAD, 2), 0x200);
	ck_assert(!line);
	/* Once; and again when the guest has been heard of. */
	pass(100000);
	ck_assert_uint_eq(expirations, 1);
	reload();
	pass(STAGE_MS + 1);
	pass(STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 2);
	reg_write(RELOAD, 2, 0x200);
	ck_assert_uint_eq(reg_read(RELOAD, 2), 0x200);
	unlocked_write(RELOAD, 2, 0x200);
	ck_assert_uint_eq(reg_read(RELOAD, 2), 0);
}
END_TEST

START_TEST(heard_of)
{
	start();
	for (int i = 0; i < 20; i++) {
		pass(STAGE_MS - 10);
		reload();
	}
	/* In the second stage, too, which takes it back to the first. */
	pass(STAGE_MS + 1);
	pass(STAGE_MS - 10);
	reload();
	pass(STAGE_MS + 1);
	pass(STAGE_MS - 10);
	ck_assert_uint_eq(expirations, 0);
	/* Switched off. */
	config_write(LOCK, 1, 0);
	pass(100000);
	reload();
	pass(100000);
	ck_assert_uint_eq(expirations, 0);
}
END_TEST

/* A reload between the timer's end and the loop's hearing of it counts. */
START_TEST(last_moment)
{
	start();
	pass(STAGE_MS + 1);
	reg_write(RELOAD, 1, 0x80);
	reg_write(RELOAD, 1, 0x86);
	mhi_pci_window32_ops.write(pci, bar - MHI_PCI_WINDOW32 + RELOAD, 2, 0x100);
	fake_loop_pass(loop, STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 0);
	fake_loop_run(loop);
	pass(STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 0);
	pass(STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 1);
}
END_TEST

START_TEST(unlocking)
{
	reg_write(PRELOAD1, 4, 5);
	ck_assert_uint_eq(reg_read(PRELOAD1, 4), 0xfffff);
	unlocked_write(PRELOAD1, 4, 0xfff12345);
	ck_assert_uint_eq(reg_read(PRELOAD1, 4), 0x12345);
	/* Each unlocking lets one write through. */
	reg_write(PRELOAD2, 4, 7);
	ck_assert_uint_eq(reg_read(PRELOAD2, 4), 0xfffff);
	/* The other way around, half of it, something between. */
	reg_write(RELOAD, 1, 0x86);
	reg_write(RELOAD, 1, 0x80);
	reg_write(PRELOAD2, 4, 7);
	reg_write(RELOAD, 1, 0x86);
	reg_write(PRELOAD2, 4, 7);
	reg_write(RELOAD, 1, 0x80);
	reg_write(PRELOAD1, 4, 7);
	reg_write(RELOAD, 1, 0x86);
	reg_write(PRELOAD2, 4, 7);
	ck_assert_uint_eq(reg_read(PRELOAD1, 4), 0x12345);
	ck_assert_uint_eq(reg_read(PRELOAD2, 4), 0xfffff);
	/* Parts of a register, and both at once, are no writes to it. */
	unlocked_write(PRELOAD2, 2, 7);
	unlocked_write(PRELOAD2 + 1, 4, 7);
	unlocked_write(PRELOAD1, 8, 7);
	ck_assert_uint_eq(reg_read(PRELOAD2, 4), 0xfffff);
	/* A reload that is not unlocked does not count. */
	start();
	pass(STAGE_MS + 1);
	reg_write(RELOAD, 2, 0x100);
	pass(STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 1);
}
END_TEST

START_TEST(lock)
{
	start();
	config_write(LOCK, 1, ENABLE | 1);
	config_write(LOCK, 1, 0);
	ck_assert_uint_eq(config_read(LOCK, 1), ENABLE | 1);
	config_write(CONFIG + 8, 4, 4);
	ck_assert_uint_eq(config_read(LOCK, 1), ENABLE | 1);
	pass(STAGE_MS + 1);
	pass(STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 1);
	/* A reset unlocks and switches off; that it expired stays known. */
	reload();
	mhi_pci_reset(pci);
	decode();
	ck_assert_uint_eq(config_read(LOCK, 1), 0);
	ck_assert_uint_eq(reg_read(PRELOAD1, 4), 0xfffff);
	ck_assert_uint_eq(reg_read(RELOAD, 2), 0x200);
	pass(100000);
	ck_assert_uint_eq(expirations, 1);
	start();
	pass(STAGE_MS + 1);
	pass(STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 2);
}
END_TEST

START_TEST(no_output)
{
	start();
	config_write(CONFIG, 2, 0x23);
	pass(STAGE_MS + 1);
	pass(STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 0);
	ck_assert_uint_eq(reg_read(RELOAD, 2), 0);
}
END_TEST

/* The first stage's interrupt, until the driver takes it back. */
START_TEST(interrupt)
{
	start();
	config_write(CONFIG, 2, 0);
	pass(STAGE_MS + 1);
	ck_assert(line);
	ck_assert_uint_eq(reg_read(STATUS, 4), 1);
	reg_write(STATUS, 4, 0);
	ck_assert(line);
	reg_write(STATUS, 4, 1);
	ck_assert(!line);
	ck_assert_uint_eq(reg_read(STATUS, 4), 0);
	reload();
	pass(STAGE_MS + 1);
	ck_assert(line);
	mhi_pci_reset(pci);
	ck_assert(!line);
}
END_TEST

START_TEST(fast_and_free)
{
	start();
	config_write(LOCK, 1, 0);
	config_write(CONFIG, 2, 0x07);
	unlocked_write(PRELOAD2, 4, 0x8000);
	config_write(LOCK, 1, ENABLE | 4);
	/* The second stage only, again and again; its clock is PCI's by 2^5. */
	for (unsigned int n = 1; n < 10; n++) {
		pass(31);
		ck_assert_uint_eq(expirations, n - 1);
		pass(1);
		ck_assert_uint_eq(expirations, n);
	}
	/* Nothing is shorter than a millisecond. */
	config_write(LOCK, 1, 0);
	unlocked_write(PRELOAD2, 4, 0);
	config_write(LOCK, 1, ENABLE | 4);
	pass(1);
	pass(1);
	ck_assert_uint_le(expirations, 11);
}
END_TEST

/* It stands still while the guest does; then the stage begins anew. */
START_TEST(paused)
{
	start();
	pass(STAGE_MS + 1);
	pass(STAGE_MS - 10);
	mhi_pci_run(pci, false);
	fake_loop_run(loop);
	pass(100000);
	ck_assert_uint_eq(expirations, 0);
	mhi_pci_run(pci, true);
	fake_loop_run(loop);
	pass(STAGE_MS);
	ck_assert_uint_eq(expirations, 0);
	pass(1);
	ck_assert_uint_eq(expirations, 1);
	mhi_pci_run(pci, false);
	mhi_pci_run(pci, true);
	fake_loop_run(loop);
	pass(100000);
	ck_assert_uint_eq(expirations, 1);
}
END_TEST

static void wild_step(struct rng *r)
{
	static const u32 words[] = { 0x80, 0x86, 0x100, 0x300, 0, 1, 2, 3, 4, 7, 0xffffffff };
	unsigned int bytes = 1u << rng_below(r, 4);
	u32 value = rng_below(r, 4) ? words[rng_below(r, MHI_COUNT(words))] : (u32)rng_next(r);

	switch (rng_below(r, 8)) {
	case 0:
		config_write((0x60 + (u32)rng_below(r, 12)) & ~(bytes - 1), bytes, value);
		break;
	case 1:
		config_read((0x5c + (u32)rng_below(r, 16)) & ~(bytes - 1), bytes);
		break;
	case 2:
		reg_read((u32)rng_below(r, 17), bytes);
		break;
	case 3:
		pass(rng_below(r, 3000));
		break;
	case 4:
		mhi_pci_run(pci, rng_below(r, 2));
		break;
	case 5:
		reg_write(rng_below(r, 2) ? RELOAD : (u32)rng_below(r, 17), bytes, value);
		break;
	default:
		unlocked_write((u32)rng_below(r, 5) * 4, 1u << rng_below(r, 3), value);
		break;
	}
}

START_TEST(wild)
{
	struct rng r = { 77 };

	for (int i = 0; i < 200000; i++)
		wild_step(&r);
	ck_assert_uint_gt(expirations, 0);
	ck_assert_uint_eq(config_read(CONFIG, 2) & ~0x27u, 0);
	ck_assert_uint_le(reg_read(PRELOAD1, 4), 0xfffff);
	/* Whatever it did: after a reset it works. */
	mhi_pci_run(pci, false);
	mhi_pci_reset(pci);
	mhi_pci_run(pci, true);
	decode();
	expirations = 0;
	start();
	pass(STAGE_MS + 1);
	pass(STAGE_MS + 1);
	ck_assert_uint_eq(expirations, 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, identity);
	tcase_add_test(tcase, two_stages);
	tcase_add_test(tcase, heard_of);
	tcase_add_test(tcase, last_moment);
	tcase_add_test(tcase, unlocking);
	tcase_add_test(tcase, lock);
	tcase_add_test(tcase, no_output);
	tcase_add_test(tcase, interrupt);
	tcase_add_test(tcase, fast_and_free);
	tcase_add_test(tcase, paused);
	tcase_add_test(tcase, wild);
}

UNIT_MAIN("watchdog", add_tests)

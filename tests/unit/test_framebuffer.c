// SPDX-License-Identifier: MIT
/* The plain frame buffer behind the PCI bus: registers, modes, its memory, damage; nonsense. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/edid.h"
#include "fake_loop.h"
#include "macrohard/error.h"
#include "platform/framebuffer.h"
#include "platform/pci.h"

#define VRAM (4ull << 20)
#define BYTES (1ull << 20)
#define SLOT 1u
#define DISPI(index) (0x500 + 2 * (index))
enum { ID, WIDTH, HEIGHT, BPP, ENABLE, BANK, WIDE, HIGH, X, Y, MEMORY };

static struct mhi_loop *loop;
static struct mhi_display *display;
static struct mhi_framebuffer *f;
static struct mhi_pci *pci;
static struct {
	mh_gpa gpa;
	u8 *host;
	u64 bytes;
	u32 on, off;
} mapped;
static u32 surfaces, damages;
static struct mh_rect first, last;

static void on_memory(void *opaque, mh_gpa gpa, void *host, u64 bytes, bool on)
{
	if (on) {
		mapped.gpa = gpa;
		mapped.host = host;
		mapped.bytes = bytes;
		mapped.on++;
	} else {
		ck_assert_uint_eq(gpa, mapped.gpa);
		mapped.gpa = 0;
		mapped.off++;
	}
}

static void on_line(void *opaque, unsigned int gsi, bool level)
{
}

static void on_msi(void *opaque, u64 addr, u32 data)
{
}

static u32 config_read(unsigned int at, unsigned int bytes)
{
	return (u32)mhi_pci_ecam_ops.read(pci, SLOT << 15 | at, bytes);
}

static void config_write(unsigned int at, unsigned int bytes, u32 value)
{
	mhi_pci_ecam_ops.write(pci, SLOT << 15 | at, bytes, value);
}

static u64 bar_at(unsigned int bar)
{
	return config_read(0x10 + 4 * bar, 4) & ~0xfu;
}

static void setup(void)
{
	const struct mhi_pci_env env = { .lines = { .set = on_line },
					 .msi = { .send = on_msi },
					 .memory = { .set = on_memory } };

	memset(&mapped, 0, sizeof(mapped));
	surfaces = damages = 0;
	ck_assert_int_eq(mhi_loop_create(&loop), 0);
	ck_assert_int_eq(mhi_display_create(loop, VRAM, 800, 600, &display), 0);
	ck_assert_int_eq(mhi_framebuffer_create(display, BYTES, &f), 0);
	ck_assert_int_eq(mhi_pci_create(&env, &pci), 0);
	ck_assert_int_eq(mhi_pci_add(pci, mhi_framebuffer_pci(f)), 0);
	mhi_pci_reset(pci);
	config_write(4, 2, 2);
}

static void teardown(void)
{
	u64 offset;

	mhi_pci_remove(pci, mhi_framebuffer_pci(f));
	ck_assert_uint_eq(mapped.gpa, 0);
	mhi_pci_destroy(pci);
	mhi_framebuffer_destroy(f);
	/* It has given its memory back. */
	ck_assert(mhi_display_take(display, VRAM, &offset));
	mhi_display_destroy(display);
	mhi_loop_destroy(loop);
}

static u64 reg_read(u64 at, unsigned int bytes)
{
	return mhi_pci_window32_ops.read(pci, bar_at(2) + at - MHI_PCI_WINDOW32, bytes);
}

static void reg_write(u64 at, unsigned int bytes, u64 value)
{
	mhi_pci_window32_ops.write(pci, bar_at(2) + at - MHI_PCI_WINDOW32, bytes, value);
}

static void set_mode(u32 width, u32 height)
{
	reg_write(DISPI(WIDTH), 2, width);
	reg_write(DISPI(HEIGHT), 2, height);
	reg_write(DISPI(BPP), 2, 32);
	reg_write(DISPI(ENABLE), 2, 0x41);
}

static struct mh_surface surface(void)
{
	struct mh_surface s;

	mhi_display_surface(display, &s);
	return s;
}

START_TEST(registers)
{
	u8 edid[MHI_EDID_BYTES];

	ck_assert_uint_eq(config_read(0, 4), 0x11111234);
	ck_assert_uint_eq(config_read(8, 4), 0x03000002);
	ck_assert_uint_eq(reg_read(DISPI(ID), 2) & 0xffff, 0xb0c5);
	ck_assert_uint_eq(reg_read(DISPI(MEMORY), 2) & 0xffff, BYTES / 65536);
	reg_write(DISPI(ID), 2, 1);
	reg_write(DISPI(MEMORY), 2, 1);
	ck_assert_uint_eq(reg_read(DISPI(ID), 4) & 0xffff, 0xb0c5);
	ck_assert_uint_eq(reg_read(DISPI(MEMORY), 2) & 0xffff, BYTES / 65536);
	reg_write(DISPI(BANK), 2, 0x1234);
	ck_assert_uint_eq(reg_read(DISPI(BANK), 2) & 0xffff, 0x1234);
	ck_assert_uint_eq(reg_read(DISPI(BANK) + 1, 1) & 0xff, 0x12);
	ck_assert_uint_eq(reg_read(0x600, 8), 0x1e1e1e1e00000008);
	mhi_edid_make(edid, 800, 600);
	for (u32 n = 0; n < MHI_EDID_BYTES; n++)
		ck_assert_uint_eq(reg_read(n, 1) & 0xff, edid[n]);
	/* Registers in part, beside them, VGA's. */
	reg_write(DISPI(BANK), 1, 0xff);
	reg_write(DISPI(BANK) + 1, 2, 0xffff);
	reg_write(DISPI(BANK), 4, 0xffffffff);
	reg_write(0x4ff, 2, 0xffff);
	reg_write(0x400, 1, 0xff);
	reg_write(DISPI(MEMORY + 1), 2, 0xffff);
	reg_write(0xff8, 8, ~0ull);
	ck_assert_uint_eq(reg_read(DISPI(BANK), 2) & 0xffff, 0x1234);
	ck_assert_uint_eq(reg_read(DISPI(MEMORY + 1), 8), 0);
	ck_assert_uint_eq(reg_read(0xff8, 8), 0);
}
END_TEST

START_TEST(modes)
{
	ck_assert_uint_eq(surface().width, 0);
	set_mode(320, 200);
	ck_assert_uint_eq(surface().width, 320);
	ck_assert_uint_eq(surface().height, 200);
	ck_assert_uint_eq(surface().stride, 1280);
	ck_assert_uint_eq(surface().offset, 0);
	reg_write(DISPI(WIDE), 2, 400);
	reg_write(DISPI(X), 2, 3);
	reg_write(DISPI(Y), 2, 7);
	ck_assert_uint_eq(surface().stride, 1600);
	ck_assert_uint_eq(surface().offset, 7 * 1600 + 12);
	/* What leaves the memory is not shown. */
	reg_write(DISPI(Y), 2, 0xffff);
	ck_assert_uint_eq(surface().width, 0);
	reg_write(DISPI(Y), 2, 0);
	reg_write(DISPI(WIDTH), 2, 0xffff);
	ck_assert_uint_eq(surface().width, 0);
	reg_write(DISPI(WIDTH), 2, 320);
	reg_write(DISPI(HEIGHT), 2, 0xffff);
	ck_assert_uint_eq(surface().width, 0);
	reg_write(DISPI(HEIGHT), 2, 0);
	ck_assert_uint_eq(surface().width, 0);
	reg_write(DISPI(HEIGHT), 2, 200);
	reg_write(DISPI(BPP), 2, 16);
	ck_assert_uint_eq(surface().width, 0);
	reg_write(DISPI(BPP), 2, 32);
	ck_assert_uint_eq(surface().width, 320);
	reg_write(DISPI(ENABLE), 2, 0);
	ck_assert_uint_eq(surface().width, 0);
	reg_write(DISPI(ENABLE), 2, 1);
	mhi_pci_reset(pci);
	ck_assert_uint_eq(surface().width, 0);
	config_write(4, 2, 2);
	ck_assert_uint_eq(reg_read(DISPI(WIDTH), 2) & 0xffff, 0);
}
END_TEST

START_TEST(memory)
{
	const struct mhi_pci_dev *dev = mhi_framebuffer_pci(f);
	u64 at = bar_at(0);

	/* Guests have it where BAR 0 says. */
	ck_assert_uint_eq(mapped.gpa, at);
	ck_assert_ptr_eq(mapped.host, mhi_display_host(display));
	ck_assert_uint_eq(mapped.bytes, BYTES);
	config_write(0x10, 4, (u32)(at + 2 * BYTES));
	ck_assert_uint_eq(mapped.gpa, at + 2 * BYTES);
	config_write(4, 2, 0);
	ck_assert_uint_eq(mapped.gpa, 0);
	ck_assert_uint_eq(mapped.on, 2);
	config_write(4, 2, 2);
	/* Without the engine's help the device does the same. */
	dev->ops->bar_write(f, 0, BYTES - 8, 8, 0x1122334455667788);
	ck_assert_uint_eq(dev->ops->bar_read(f, 0, BYTES - 6, 2), 0x5566);
	ck_assert_uint_eq(mhi_display_host(display)[BYTES - 1], 0x11);
}
END_TEST

static void on_surface(void *opaque, const struct mh_surface *s)
{
	surfaces++;
}

static void on_damage(void *opaque, const struct mh_rect *rects, u32 count)
{
	damages += count;
	first = rects[0];
	last = rects[count - 1];
}

START_TEST(damage)
{
	static const struct mh_display_ops ops = { 1, on_surface, on_damage, NULL };
	u32 *pixels = (u32 *)mhi_display_host(display);
	struct mh_display_listener *l;
	struct mhi_display_mode over = { 2 * BYTES, 64, 64, 256, false };

	set_mode(100, 50);
	fake_loop_pass(loop, 100);
	fake_loop_run(loop);
	ck_assert_int_eq(mhi_display_listen(display, &ops, NULL, &l), 0);
	/* What changed before it could be compared is damaged in whole. */
	fake_loop_pass(loop, 40);
	fake_loop_run(loop);
	ck_assert_uint_eq(damages, 1);
	ck_assert_uint_eq(first.height, 50);
	fake_loop_pass(loop, 40);
	fake_loop_run(loop);
	ck_assert_uint_eq(damages, 1);
	pixels[10 * 100 + 99] = 1;
	pixels[11 * 100] = 1;
	pixels[49 * 100] = 1;
	pixels[50 * 100] = 1;
	fake_loop_run(loop);
	ck_assert_uint_eq(damages, 1);
	fake_loop_pass(loop, 40);
	fake_loop_run(loop);
	ck_assert_uint_eq(damages, 3);
	ck_assert_int_eq(first.y, 10);
	ck_assert_uint_eq(first.height, 2);
	ck_assert_uint_eq(first.width, 100);
	ck_assert_int_eq(last.y, 49);
	ck_assert_uint_eq(last.height, 1);
	/* A graphics card's picture is not looked through. */
	mhi_display_show(display, MHI_DISPLAY_GPU, &over);
	fake_loop_run(loop);
	pixels[0] = 1;
	fake_loop_pass(loop, 40);
	fake_loop_run(loop);
	ck_assert_uint_eq(damages, 3);
	over.width = 0;
	mhi_display_show(display, MHI_DISPLAY_GPU, &over);
	fake_loop_run(loop);
	fake_loop_pass(loop, 40);
	fake_loop_run(loop);
	ck_assert_uint_eq(damages, 4);
	/* Another mode, while one is compared. */
	surfaces = 0;
	set_mode(200, 100);
	fake_loop_pass(loop, 40);
	fake_loop_run(loop);
	ck_assert_uint_eq(surfaces, 1);
	pixels[99 * 200] = 1;
	fake_loop_pass(loop, 40);
	fake_loop_run(loop);
	ck_assert_int_eq(first.y, 99);
	mhi_display_unlisten(l);
	pixels[0] = 2;
	damages = 0;
	fake_loop_pass(loop, 40);
	fake_loop_run(loop);
	ck_assert_uint_eq(damages, 0);
}
END_TEST

START_TEST(too_large)
{
	struct mhi_framebuffer *other;

	ck_assert_int_eq(mhi_framebuffer_create(display, VRAM, &other), MH_ENOSPC);
	ck_assert_int_eq(mhi_framebuffer_create(display, 2 * VRAM, &other), MH_ENOSPC);
}
END_TEST

static void make_file(const char *path, size_t bytes, bool good)
{
	static u8 data[0x20000];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	data[0] = good ? 0x55 : 0;
	data[1] = 0xaa;
	ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
}

START_TEST(roms)
{
	char path[] = "/tmp/test-rom-XXXXXX";
	u32 bytes = 7;
	u8 *rom;

	close(mkstemp(path));
	ck_assert_ptr_null(mhi_framebuffer_rom("/nowhere/rom", &bytes));
	ck_assert_ptr_null(mhi_framebuffer_rom("/tmp", &bytes));
	make_file(path, 511, true);
	ck_assert_ptr_null(mhi_framebuffer_rom(path, &bytes));
	make_file(path, 0x10001, true);
	ck_assert_ptr_null(mhi_framebuffer_rom(path, &bytes));
	make_file(path, 1024, false);
	ck_assert_ptr_null(mhi_framebuffer_rom(path, &bytes));
	ck_assert_uint_eq(bytes, 7);
	make_file(path, 1024, true);
	rom = mhi_framebuffer_rom(path, &bytes);
	ck_assert_ptr_nonnull(rom);
	ck_assert_uint_eq(bytes, 1024);
	free(rom);
	unlink(path);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, registers);
	tcase_add_test(tcase, modes);
	tcase_add_test(tcase, memory);
	tcase_add_test(tcase, damage);
	tcase_add_test(tcase, too_large);
	tcase_add_test(tcase, roms);
}

UNIT_MAIN("framebuffer", add_tests)

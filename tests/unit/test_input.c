// SPDX-License-Identifier: MIT
/* Input by the public interface: what is attached and refused, which device an event goes to. */
#include "api_fixture.h"

#include <linux/input-event-codes.h>

#include "virtio/tr_pci.h"

static struct mh_vm *vm;

static struct mh_dev *attach(u32 kinds)
{
	struct mh_input_config config = MH_INPUT_CONFIG_INIT;
	struct mh_dev *dev = NULL;

	config.kinds = kinds;
	ck_assert_msg(!mh_input_attach(vm, &config, &dev), "%s", mh_last_error(ctx));
	ck_assert_ptr_nonnull(dev);
	return dev;
}

static void refuse(u32 kinds, u32 flags, int error, const char *text)
{
	struct mh_input_config config = MH_INPUT_CONFIG_INIT;
	unsigned int before = fake_machine.dev_count;
	struct mh_dev *dev = NULL;

	config.kinds = kinds;
	config.flags = flags;
	ck_assert_int_eq(mh_input_attach(vm, &config, &dev), error);
	ck_error_has(text);
	ck_assert_ptr_null(dev);
	ck_assert_uint_eq(fake_machine.dev_count, before);
}

/* The guest's driver has come. */
static void ready(unsigned int n, bool is)
{
	struct mhi_vpci *pci = fake_machine.devs[n]->opaque;

	pci->dev->status = is ? VIRTIO_DRIVER_OK : 0;
}

static void set_up(u32 kinds)
{
	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	if (kinds)
		attach(kinds);
	ck_assert_int_eq(mh_vm_start(vm), 0);
}

static void tear_down(void)
{
	mh_vm_destroy(vm);
	ck_assert_uint_eq(fake_machine.dev_count, 0);
	ck_assert(!fake_machine.ps2);
	api_tear_down();
}

static void expect_ps2(const char *log)
{
	ck_assert_str_eq(fake_machine.ps2_log, log);
	fake_machine.ps2_log[0] = '\0';
}

START_TEST(attaching)
{
	struct mh_input_config config = MH_INPUT_CONFIG_INIT;
	struct mh_dev *dev = NULL, *touch;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	ck_assert_int_eq(mh_input_attach(NULL, NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_input_attach(vm, NULL, &dev), 0);
	ck_assert_uint_eq(fake_machine.dev_count, 2);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1052);
	ck_assert_uint_eq(fake_machine.devs[0]->class_code, 0x090000);
	ck_assert_uint_eq(fake_machine.devs[1]->class_code, 0x090100);
	ck_assert(fake_machine.ps2);
	/* One of each kind, and all or nothing. */
	refuse(MH_INPUT_TOUCH | MH_INPUT_MOUSE | MH_INPUT_PS2, 0, MH_EEXIST, "there is one");
	refuse(MH_INPUT_TABLET, 0, MH_EEXIST, "tablet of VM");
	touch = attach(MH_INPUT_TOUCH | MH_INPUT_MOUSE);
	ck_assert_uint_eq(fake_machine.dev_count, 4);
	/* All of one call go together. */
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_uint_eq(fake_machine.dev_count, 2);
	ck_assert(!fake_machine.ps2);
	ck_assert_int_eq(mh_dev_detach(touch), 0);
	ck_assert_uint_eq(fake_machine.dev_count, 0);
	refuse(0, 0, MH_EINVAL, "config.kinds is 0x0");
	refuse(MH_INPUT_TABLET | 64, 0, MH_EINVAL, "config.kinds is 0x42");
	refuse(MH_INPUT_TABLET, 1u << 31, MH_EINVAL, "0x80000000");
	refuse(MH_INPUT_TABLET | MH_INPUT_MOUSE, MH_VIRTIO_SLOT(3), MH_EINVAL, "several devices");
	refuse(MH_INPUT_PS2, MH_VIRTIO_SLOT(3), MH_EINVAL, "no device on PCI");
	config.size--;
	ck_assert_int_eq(mh_input_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("config.size");
	config.size++;
	config.kinds = MH_INPUT_KEYBOARD | MH_INPUT_PS2;
	config.flags = MH_VIRTIO_SLOT(5);
	ck_assert_int_eq(mh_input_attach(vm, &config, NULL), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->want_slot, 5);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	refuse(MH_INPUT_MOUSE, 0, MH_ESTATE, "mouse VM");
	tear_down();
}
END_TEST

START_TEST(keys)
{
	unsigned int told = 0;
	u32 leds = 9;

	set_up(MH_INPUT_KEYBOARD | MH_INPUT_PS2);
	/* Before the guest's driver is there: PS/2. */
	ck_assert_int_eq(mh_input_key(vm, KEY_A, 1), 0);
	ck_assert_int_eq(mh_input_leds(vm, &leds), 0);
	ck_assert_uint_eq(leds, MH_INPUT_LED_CAPS);
	expect_ps2("key 30 1;");
	ready(0, true);
	ck_assert_int_eq(mh_input_leds(vm, &leds), 0);
	ck_assert_uint_eq(leds, 0);
	/* Its release finds the one that has it. */
	ck_assert_int_eq(mh_input_key(vm, KEY_A, 0), 0);
	expect_ps2("key 30 0;");
	while (!mh_input_key(vm, 1 + told, 1))
		told++;
	ck_assert_uint_eq(told, 128);
	ck_assert_int_eq(mh_input_key(vm, 1 + told, 1), MH_EBUSY);
	ck_error_has("does not take");
	expect_ps2("");
	/* Paused: a release is no error. */
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_input_key(vm, KEY_A, 1), MH_ESTATE);
	ck_error_has("not running");
	ck_assert_int_eq(mh_input_key(vm, KEY_A, 0), 0);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	ready(0, false);
	fake_machine.ps2_error = MH_ESTATE;
	ck_assert_int_eq(mh_input_key(vm, KEY_A, 1), MH_ESTATE);
	ck_error_has("uses no device");
	ck_assert_int_eq(mh_input_key(vm, 0, 1), MH_EINVAL);
	ck_assert_int_eq(mh_input_key(vm, 249, 1), MH_EINVAL);
	ck_error_has("249");
	ck_assert_int_eq(mh_input_key(NULL, 1, 1), MH_EINVAL);
	ck_assert_int_eq(mh_input_leds(vm, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_input_leds(NULL, &leds), MH_EINVAL);
	tear_down();
}
END_TEST

START_TEST(nothing_attached)
{
	u32 leds;

	set_up(0);
	ck_assert_int_eq(mh_input_key(vm, 1, 1), MH_ESTATE);
	ck_assert_int_eq(mh_input_key(vm, 1, 0), MH_ESTATE);
	ck_assert_int_eq(mh_input_leds(vm, &leds), MH_ESTATE);
	ck_assert_int_eq(mh_input_pointer(vm, 1, 1, 10, 10), MH_ESTATE);
	ck_assert_int_eq(mh_input_motion(vm, 1, 1), MH_ESTATE);
	ck_assert_int_eq(mh_input_button(vm, BTN_LEFT, 1), MH_ESTATE);
	ck_assert_int_eq(mh_input_button(vm, BTN_LEFT, 0), MH_ESTATE);
	ck_assert_int_eq(mh_input_wheel(vm, 1, 0), MH_ESTATE);
	ck_assert_int_eq(mh_input_touch(vm, 0, 1, 1, 10, 10), MH_ESTATE);
	ck_assert_int_eq(mh_input_lift(vm, 0), MH_ESTATE);
	expect_ps2("");
	tear_down();
}
END_TEST

START_TEST(pointers)
{
	set_up(MH_INPUT_TABLET | MH_INPUT_PS2);
	/* A mouse goes where the position has gone. */
	ck_assert_int_eq(mh_input_pointer(vm, 10, 20, 100, 100), 0);
	ck_assert_int_eq(mh_input_pointer(vm, 15, 18, 100, 100), 0);
	ck_assert_int_eq(mh_input_motion(vm, 1, 2), 0);
	ck_assert_int_eq(mh_input_pointer(vm, 50, 50, 100, 100), 0);
	ck_assert_int_eq(mh_input_button(vm, BTN_RIGHT, 1), 0);
	ck_assert_int_eq(mh_input_button(vm, BTN_RIGHT, 0), 0);
	ck_assert_int_eq(mh_input_wheel(vm, 2, 7), 0);
	expect_ps2("move 0 0 0;move 5 2 0;move 1 -2 0;move 0 0 0;button 1 1;button 1 0;"
		   "move 0 0 -2;");
	ck_assert_int_eq(mh_input_motion(vm, 1, INT32_MIN), 0);
	expect_ps2("move 1 2147483647 0;");
	/* The tablet, as soon as there is one; a mouse that moves is meant by what follows. */
	ready(0, true);
	ck_assert_int_eq(mh_input_pointer(vm, 0, 99, 100, 100), 0);
	ck_assert_int_eq(mh_input_button(vm, BTN_LEFT, 1), 0);
	ck_assert_int_eq(mh_input_wheel(vm, 1, 1), 0);
	expect_ps2("");
	ck_assert_int_eq(mh_input_motion(vm, 3, 0), 0);
	ck_assert_int_eq(mh_input_wheel(vm, 1, 1), 0);
	expect_ps2("move 3 0 0;move 0 0 -1;");
	ck_assert_int_eq(mh_input_button(vm, BTN_LEFT, 0), 0);
	expect_ps2("button 0 0;");
	tear_down();
}
END_TEST

START_TEST(positions)
{
	set_up(MH_INPUT_TABLET | MH_INPUT_TOUCH);
	ready(0, true);
	ready(1, true);
	ck_assert_int_eq(mh_input_pointer(vm, -1, 0, 10, 10), MH_EINVAL);
	ck_error_has("-1,0");
	ck_assert_int_eq(mh_input_pointer(vm, 10, 0, 10, 10), MH_EINVAL);
	ck_assert_int_eq(mh_input_pointer(vm, 0, 10, 10, 10), MH_EINVAL);
	ck_assert_int_eq(mh_input_pointer(vm, 0, 0, 0, 0), MH_EINVAL);
	ck_assert_int_eq(mh_input_pointer(vm, 0, 0, 1, 1), 0);
	ck_assert_int_eq(mh_input_pointer(vm, INT32_MAX, 0, UINT32_MAX, 1), 0);
	ck_assert_int_eq(mh_input_motion(vm, 1, 1), MH_ESTATE);
	ck_assert_int_eq(mh_input_button(vm, BTN_LEFT - 1, 1), MH_EINVAL);
	ck_assert_int_eq(mh_input_button(vm, BTN_EXTRA + 1, 1), MH_EINVAL);
	ck_assert_int_eq(mh_input_touch(vm, 0, 5, 5, 10, 10), 0);
	ck_assert_int_eq(mh_input_touch(vm, 0, 5, 10, 10, 10), MH_EINVAL);
	ck_assert_int_eq(mh_input_lift(vm, 0), 0);
	ck_assert_int_eq(mh_input_touch(vm, 10, 5, 5, 10, 10), MH_EINVAL);
	ck_error_has("slot is 10");
	ready(1, false);
	ck_assert_int_eq(mh_input_touch(vm, 0, 5, 5, 10, 10), MH_ESTATE);
	ck_assert_int_eq(mh_input_pointer(NULL, 0, 0, 1, 1), MH_EINVAL);
	ck_assert_int_eq(mh_input_motion(NULL, 0, 0), MH_EINVAL);
	ck_assert_int_eq(mh_input_wheel(NULL, 0, 0), MH_EINVAL);
	ck_assert_int_eq(mh_input_button(NULL, BTN_LEFT, 0), MH_EINVAL);
	ck_assert_int_eq(mh_input_lift(NULL, 0), MH_EINVAL);
	tear_down();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, attaching);
	tcase_add_test(tcase, keys);
	tcase_add_test(tcase, nothing_attached);
	tcase_add_test(tcase, pointers);
	tcase_add_test(tcase, positions);
}

UNIT_MAIN("input", add_tests)

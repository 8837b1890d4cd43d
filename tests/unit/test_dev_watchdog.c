// SPDX-License-Identifier: MIT
/* Watchdogs by the public interface: what is refused, and what each action ends in. */
#include "api_fixture.h"

#include <poll.h>
#include <unistd.h>

#include "core/pci_dev.h"

/* ---- the guest's driver: straight into the fake machine's device ---- */

static void no_intx(void *slot, bool level)
{
}

static const struct mhi_pci_port_ops port = { .intx = no_intx };

static void unlocked_write(struct mhi_pci_dev *card, u64 at, unsigned int bytes, u64 value)
{
	card->ops->bar_write(card->opaque, 0, 0x0c, 1, 0x80);
	card->ops->bar_write(card->opaque, 0, 0x0c, 1, 0x86);
	card->ops->bar_write(card->opaque, 0, at, bytes, value);
}

/* It expires in a few milliseconds. */
static void start_watchdog(void)
{
	struct mhi_pci_dev *card = fake_machine.devs[0];
	u8 regs[MHI_PCI_REGS] = { [0] = 0x07, [8] = 0x02 };

	card->port = &port;
	unlocked_write(card, 0x00, 4, 2000);
	unlocked_write(card, 0x04, 4, 2000);
	card->ops->regs(card->opaque, regs, true);
}

static void reload_watchdog(void)
{
	unlocked_write(fake_machine.devs[0], 0x0c, 2, 0x100);
}

static struct mh_vm *vm_with(enum mh_watchdog_action action, u32 flags)
{
	struct mh_watchdog_config config = MH_WATCHDOG_CONFIG_INIT;
	struct mh_vm *vm = api_vm(2, flags, 1 << 20);

	config.action = action;
	ck_assert_int_eq(mh_watchdog_attach(vm, &config, NULL), 0);
	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	return vm;
}

static struct mh_event wait_event(struct mh_vm *vm)
{
	struct pollfd p = { .fd = mh_vm_events_fd(vm), .events = POLLIN };
	struct mh_event event = MH_EVENT_INIT;

	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	ck_assert_int_eq(mh_vm_event_read(vm, &event), 0);
	return event;
}

static void expect_expired(struct mh_vm *vm, enum mh_watchdog_action action)
{
	struct mh_event event;

	ck_assert_uint_eq(wait_event(vm).state, MH_VM_RUNNING);
	start_watchdog();
	event = wait_event(vm);
	ck_assert_uint_eq(event.kind, MH_EVENT_WATCHDOG);
	ck_assert_uint_eq(event.detail, action);
	ck_assert_ptr_nonnull(strstr(event.text, "watchdog expired"));
}

START_TEST(refused)
{
	struct mh_watchdog_config config = MH_WATCHDOG_CONFIG_INIT;
	struct mh_dev_metrics metrics = MH_DEV_METRICS_INIT;
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_dev *dev = NULL;

	config.action = 4;
	ck_assert_int_eq(mh_watchdog_attach(vm, &config, &dev), MH_EINVAL);
	ck_error_has("watchdog of VM \"test\": config.action is 4, not 0 to 3");
	config.action = 0;
	config.flags = MH_VIRTIO_SPLIT;
	ck_assert_int_eq(mh_watchdog_attach(vm, &config, &dev), MH_EINVAL);
	config.flags = 1u << 8;
	ck_assert_int_eq(mh_watchdog_attach(vm, &config, &dev), MH_EINVAL);
	config.flags = MH_VIRTIO_SLOT(3);
	config.size--;
	ck_assert_int_eq(mh_watchdog_attach(vm, &config, &dev), MH_EINVAL);
	config.size++;
	fake_machine.add_error = MH_ERANGE;
	ck_assert_int_eq(mh_watchdog_attach(vm, &config, &dev), MH_ERANGE);
	ck_assert_ptr_null(dev);
	fake_machine.add_error = 0;
	ck_assert_int_eq(mh_watchdog_attach(vm, &config, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->want_slot, 3);
	/* It is no virtio device. */
	ck_assert_int_eq(mh_balloon_set(dev, 0), MH_EINVAL);
	ck_assert_int_eq(mh_console_input(dev, 0, "x", 1), MH_EINVAL);
	ck_assert_int_eq(mh_vsock_cut(dev, 3), MH_EINVAL);
	ck_assert_int_eq(mh_dev_metrics(dev, &metrics), 0);
	ck_assert_uint_eq(metrics.requests, 0);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_uint_eq(fake_machine.dev_count, 0);
	ck_assert_int_eq(mh_watchdog_attach(vm, NULL, NULL), 0);
	mh_vm_destroy(vm);
	vm = api_vm(1, MH_VM_BARE, 1 << 20);
	ck_assert_int_eq(mh_watchdog_attach(vm, NULL, NULL), MH_EINVAL);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(resets)
{
	struct mh_vm *vm = vm_with(MH_WATCHDOG_RESET, 0);
	struct mh_event event;

	expect_expired(vm, MH_WATCHDOG_RESET);
	event = wait_event(vm);
	ck_assert_uint_eq(event.kind, MH_EVENT_RESET);
	ck_assert_uint_eq(event.reason, MH_STOP_WATCHDOG);
	ck_assert_str_eq(event.text, "the guest's watchdog expired: reset");
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_RUNNING);
	ck_assert_uint_eq(fake_engine.vms_made, 2);
	mh_vm_destroy(vm);
	/* Where the guest's resets are the end, this one is, too. */
	vm = vm_with(MH_WATCHDOG_RESET, MH_VM_STOP_ON_RESET);
	expect_expired(vm, MH_WATCHDOG_RESET);
	ck_assert_int_eq(mh_vm_wait(vm, 10000), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_WATCHDOG);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(powers_off)
{
	struct mh_vm *vm = vm_with(MH_WATCHDOG_POWEROFF, 0);

	expect_expired(vm, MH_WATCHDOG_POWEROFF);
	ck_assert_int_eq(mh_vm_wait(vm, 10000), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_WATCHDOG);
	ck_assert_str_eq(mh_vm_stop_text(vm), "the guest's watchdog expired: power off");
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(pauses)
{
	struct mh_vm *vm = vm_with(MH_WATCHDOG_PAUSE, 0);
	struct mh_event event;

	expect_expired(vm, MH_WATCHDOG_PAUSE);
	event = wait_event(vm);
	ck_assert_uint_eq(event.kind, MH_EVENT_STATE);
	ck_assert_uint_eq(event.state, MH_VM_PAUSED);
	ck_assert_int_eq(mh_vm_pause(vm), MH_ESTATE);
	ck_assert(!fake_machine.running);
	/* The guest goes on, is heard of, and falls silent again. */
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	ck_assert_uint_eq(wait_event(vm).state, MH_VM_RUNNING);
	reload_watchdog();
	ck_assert_uint_eq(wait_event(vm).kind, MH_EVENT_WATCHDOG);
	ck_assert_uint_eq(wait_event(vm).state, MH_VM_PAUSED);
	mh_vm_destroy(vm);
}
END_TEST

/* The event only, and not as often as the guest likes. */
START_TEST(does_nothing)
{
	struct mh_vm *vm = vm_with(MH_WATCHDOG_NONE, 0);
	struct mh_event event = MH_EVENT_INIT;
	u32 told = 0;

	expect_expired(vm, MH_WATCHDOG_NONE);
	for (int i = 0; i < 50; i++) {
		reload_watchdog();
		usleep(10000);
	}
	while (!mh_vm_event_read(vm, &event))
		told++;
	ck_assert_uint_le(told, 2);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_RUNNING);
	mh_vm_destroy(vm);
}
END_TEST

/* However it falls together with transitions. */
START_TEST(races)
{
	struct mh_vm *vm = vm_with(MH_WATCHDOG_PAUSE, 0);

	for (int i = 0; i < 200; i++) {
		int rc;

		start_watchdog();
		reload_watchdog();
		usleep((unsigned int)(i * 97 % 6000));
		rc = i % 3 ? mh_vm_pause(vm) : mh_vm_reset(vm);
		ck_assert(rc == 0 || (rc == MH_ESTATE && i % 3));
		rc = mh_vm_resume(vm);
		ck_assert(rc == 0 || rc == MH_ESTATE);
	}
	mh_vm_destroy(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, resets);
	tcase_add_test(tcase, powers_off);
	tcase_add_test(tcase, pauses);
	tcase_add_test(tcase, does_nothing);
	tcase_add_test(tcase, races);
}

UNIT_MAIN("dev_watchdog", add_tests)

/* SPDX-License-Identifier: MIT */
/* The life cycle: states, stop reasons, resets, callbacks, calls from handlers. */
#include "api_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "api/impl.h"

#define PORT 0x80

static u32 out_count;

static void count_out(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	__atomic_fetch_add(&out_count, 1, __ATOMIC_SEQ_CST);
}

static const struct mh_io_ops count_ops = { 1, NULL, count_out };

static int busy_guest(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	return fake_exit_out(page, PORT, 1, v->step);
}

static struct mh_vm *busy_vm(u32 cpus)
{
	struct mh_vm *vm = api_vm(cpus, MH_VM_BARE, 1 << 20);

	fake_engine.script = busy_guest;
	out_count = 0;
	ck_assert_int_eq(mh_vm_pio_add(vm, PORT, 1, &count_ops, NULL), 0);
	return vm;
}

static u32 outs(void)
{
	return __atomic_load_n(&out_count, __ATOMIC_SEQ_CST);
}

static void wait_for_outs(u32 n)
{
	while (outs() < n)
		usleep(100);
}

START_TEST(states)
{
	struct mh_vm *vm = busy_vm(3);
	u32 seen;

	ck_assert_int_eq(mh_vm_state(vm), MH_VM_CREATED);
	ck_assert_int_eq(mh_vm_pause(vm), MH_ESTATE);
	ck_assert_int_eq(mh_vm_resume(vm), MH_ESTATE);
	ck_assert_int_eq(mh_vm_stop(vm), MH_ESTATE);
	ck_error_has("it is created");
	ck_assert_int_eq(mh_vm_wait(vm, 1), MH_ETIMEDOUT);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_RUNNING);
	ck_assert_int_eq(mh_vm_start(vm), MH_ESTATE);
	wait_for_outs(100);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_PAUSED);
	seen = outs();
	usleep(2000);
	ck_assert_uint_eq(outs(), seen);
	ck_assert_int_eq(mh_vm_start(vm), MH_ESTATE);
	ck_error_has("resume");
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	wait_for_outs(seen + 100);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_NONE);
	ck_assert_str_eq(mh_vm_stop_text(vm), "");
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	seen = outs();
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_STOPPED);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_REQUEST);
	ck_assert_int_eq(mh_vm_wait(vm, -1), 0);
	ck_assert_int_eq(mh_vm_pause(vm), MH_ESTATE);
	usleep(2000);
	ck_assert_uint_eq(outs(), seen);
	mh_vm_destroy(vm);
}
END_TEST

/* A stopped VM starts from power-up: a new VM of the engine, with the memory as it was. */
START_TEST(start_again)
{
	struct mh_vm *vm = busy_vm(2);
	u32 word = 0x12345678;

	ck_assert_int_eq(mh_vm_mem_write(vm, 0x1000, &word, 4), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_uint_eq(fake_engine.vms_made, 1);
	wait_for_outs(10);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	out_count = word = 0;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_uint_eq(fake_engine.vms_made, 2);
	ck_assert_uint_eq(fake_engine.vms, 1);
	ck_assert_uint_eq(fake_engine.slots, 1);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_NONE);
	wait_for_outs(10);
	ck_assert_int_eq(mh_vm_mem_read(vm, 0x1000, &word, 4), 0);
	ck_assert_uint_eq(word, 0x12345678);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(start_fails)
{
	struct mh_vm *vm = busy_vm(1);

	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	fake_engine.vm_error = MH_EBUSY;
	ck_assert_int_eq(mh_vm_start(vm), MH_EBUSY);
	ck_error_has("start VM \"test\": fake: no VM");
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_STOPPED);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_REQUEST);
	fake_engine.vm_error = 0;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	mh_vm_destroy(vm);
}
END_TEST

/* Halted for ever in the engine: a stop must still get through. */
START_TEST(halted_guest)
{
	struct mh_vm *vm = api_vm(4, MH_VM_BARE, 0);

	ck_assert_int_eq(mh_vm_start(vm), 0);
	usleep(1000);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5), MH_ETIMEDOUT);
	ck_error_has("not stopped after 5 ms");
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	mh_vm_destroy(vm);
	/* Destroyed without a stop, and without a start. */
	vm = api_vm(4, MH_VM_BARE, 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	mh_vm_destroy(vm);
	mh_vm_destroy(api_vm(4, MH_VM_BARE, 0));
}
END_TEST

static struct {
	int stop, start, pause, resume, wait, map;
} from_handler;

static void call_all(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	static char page[4096];

	from_handler.start = mh_vm_start(opaque);
	from_handler.pause = mh_vm_pause(opaque);
	from_handler.resume = mh_vm_resume(opaque);
	from_handler.wait = mh_vm_wait(opaque, -1);
	from_handler.map = mh_vm_mem_map(opaque, 0, page, 4096, 0);
	mh_vm_destroy(opaque);
	from_handler.stop = mh_vm_stop(opaque);
}

/* From a handler nothing may wait for the handler; only a stop is possible. */
START_TEST(calls_from_a_handler)
{
	const struct mh_io_ops ops = { 1, NULL, call_all };
	struct mh_vm *vm = api_vm(2, MH_VM_BARE, 0);

	fake_engine.script = busy_guest;
	ck_assert_int_eq(mh_vm_pio_add(vm, PORT, 1, &ops, vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_REQUEST);
	ck_assert_int_eq(from_handler.start, MH_ESTATE);
	ck_assert_int_eq(from_handler.pause, MH_ESTATE);
	ck_assert_int_eq(from_handler.resume, MH_ESTATE);
	ck_assert_int_eq(from_handler.wait, MH_ESTATE);
	ck_assert_int_eq(from_handler.map, MH_ESTATE);
	ck_assert_int_eq(from_handler.stop, 0);
	mh_vm_destroy(vm);
}
END_TEST

struct on_loop {
	struct mh_vm *vm;
	int rc;
	char text[256];
};

static void start_on_loop(void *opaque)
{
	struct on_loop *c = opaque;

	c->rc = mh_vm_start(c->vm);
	snprintf(c->text, sizeof(c->text), "%s", mh_last_error(ctx));
}

/* Of a VM that did not run it was said that it did. */
START_TEST(start_in_a_callback)
{
	struct on_loop c = { api_vm(1, MH_VM_BARE, 0), 0, "" };
	struct mhi_loop *loop;

	ck_assert_int_eq(mhi_ctx_loop(ctx, &loop, NULL), 0);
	mhi_loop_call(loop, start_on_loop, &c);
	ck_assert_int_eq(c.rc, MH_ESTATE);
	ck_assert_str_eq(c.text, "start VM \"test\": it is created, and the call comes from a "
				 "handler or callback; call from another thread");
	mh_vm_destroy(c.vm);
}
END_TEST

START_TEST(no_vm)
{
	ck_assert_int_eq(mh_vm_state(NULL), MH_VM_STOPPED);
	ck_assert_int_eq(mh_vm_stop_reason(NULL), MH_STOP_NONE);
	ck_assert_str_eq(mh_vm_stop_text(NULL), "");
}
END_TEST

static int power_guest(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	if (v->apic_id || v->step != 3)
		return fake_exit_halt(v, page);
	fake_machine.env.power(fake_machine.env.opaque, MHI_POWER_OFF);
	return 0;
}

START_TEST(power_off)
{
	struct mh_vm *vm = api_vm(3, 0, 1 << 20);

	fake_engine.script = power_guest;
	ck_assert_int_eq(mh_vm_power_button(vm), MH_ESTATE);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_power_button(vm), 0);
	ck_assert_uint_eq(fake_machine.buttons, 1);
	/* The boot CPU's third run needs two kicks more than its own, and may come at any. */
	while (mh_vm_wait(vm, 20) == MH_ETIMEDOUT) {
		int rc = mh_vm_pause(vm);

		ck_assert(rc == 0 || rc == MH_ESTATE);
		rc = mh_vm_resume(vm);
		ck_assert(rc == 0 || rc == MH_ESTATE);
	}
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_POWEROFF);
	ck_assert_uint_eq(fake_machine.resets, 1);
	mh_vm_destroy(vm);
}
END_TEST

static u32 resets_wanted;

static int reset_guest(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	if (v->apic_id)
		return fake_exit_halt(v, page);
	if (fake_engine.vms_made > resets_wanted)
		fake_machine.env.power(fake_machine.env.opaque, MHI_POWER_OFF);
	else
		fake_machine.env.power(fake_machine.env.opaque, MHI_POWER_RESET);
	return 0;
}

static struct mh_vm *booting_vm(u32 cpus, u32 flags)
{
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_vm *vm = api_vm(cpus, flags, 1 << 20);

	boot.kernel = "/kernel";
	fake_engine.script = reset_guest;
	ck_assert_int_eq(mh_vm_boot(vm, &boot), 0);
	fake_machine.loads = 0;
	return vm;
}

START_TEST(reset)
{
	struct mh_vm *vm = booting_vm(2, 0);

	resets_wanted = 5;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_POWEROFF);
	ck_assert_uint_eq(fake_engine.vms_made, 6);
	ck_assert_uint_eq(fake_machine.resets, 6);
	ck_assert_uint_eq(fake_machine.loads, 6);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(reset_stops)
{
	struct mh_vm *vm = booting_vm(2, MH_VM_STOP_ON_RESET);

	resets_wanted = 5;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_RESET);
	ck_assert_uint_eq(fake_engine.vms_made, 1);
	mh_vm_destroy(vm);
}
END_TEST

/* What fails on the way up again ends in Stopped with the sentence. */
START_TEST(reset_fails)
{
	struct mh_vm *vm = booting_vm(2, 0);

	resets_wanted = 5;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	__atomic_store_n(&fake_machine.load_error, MH_ERANGE, __ATOMIC_SEQ_CST);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	if (mh_vm_stop_reason(vm) != MH_STOP_POWEROFF) {
		ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_ERROR);
		ck_assert_str_eq(mh_vm_stop_text(vm), "reset VM \"test\": fake: does not fit");
	}
	mh_vm_destroy(vm);
}
END_TEST

static struct mh_event next_event(struct mh_vm *vm)
{
	struct mh_event event = MH_EVENT_INIT;

	ck_assert_int_eq(mh_vm_event_read(vm, &event), 0);
	return event;
}

/* The reset button: a new VM of the engine, which runs on, with the memory as it was. */
START_TEST(reset_button)
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;
	struct mh_vm *vm = busy_vm(2);
	struct mh_event event;
	u32 word = 0x12345678;
	int fd;

	ck_assert_int_eq(mh_vm_reset(NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_reset(vm), MH_ESTATE);
	ck_error_has("reset VM \"test\": it is created");
	fd = mh_vm_events_fd(vm);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	wait_for_outs(10);
	ck_assert_int_eq(mh_vm_mem_write(vm, 0x1000, &word, 4), 0);
	ck_assert_int_eq(mh_vm_reset(vm), 0);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_RUNNING);
	ck_assert_uint_eq(fake_engine.vms_made, 2);
	ck_assert_uint_eq(fake_engine.vms, 1);
	wait_for_outs(outs() + 10);
	word = 0;
	ck_assert_int_eq(mh_vm_mem_read(vm, 0x1000, &word, 4), 0);
	ck_assert_uint_eq(word, 0x12345678);
	ck_assert_int_eq(mh_vm_metrics(vm, &m), 0);
	ck_assert_uint_eq(m.starts, 1);
	ck_assert_uint_eq(m.resets, 1);
	ck_assert_int_eq(mh_vm_events_fd(vm), fd);
	ck_assert_uint_eq(next_event(vm).kind, MH_EVENT_STATE);
	event = next_event(vm);
	ck_assert_uint_eq(event.kind, MH_EVENT_RESET);
	ck_assert_uint_eq(event.state, MH_VM_RUNNING);
	ck_assert_uint_eq(event.reason, MH_STOP_REQUEST);
	ck_assert_str_eq(event.text, "reset on request");
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	ck_assert_int_eq(mh_vm_reset(vm), MH_ESTATE);
	ck_error_has("it is stopped");
	mh_vm_destroy(vm);
}
END_TEST

/* A paused VM begins again when it is resumed, not before. */
START_TEST(reset_button_paused)
{
	struct mh_vm *vm = busy_vm(2);
	struct mh_regs regs;
	u32 seen;

	ck_assert_int_eq(mh_vm_start(vm), 0);
	wait_for_outs(10);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	fake_engine.vcpu[0]->page.state.rip = 0x1234;
	seen = outs();
	ck_assert_int_eq(mh_vm_reset(vm), 0);
	ck_assert_int_eq(mh_vm_reset(vm), 0);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_PAUSED);
	ck_assert_uint_eq(fake_engine.vms, 1);
	ck_assert_int_eq(mh_vcpu_get_regs(vm, 0, &regs), 0);
	ck_assert_uint_eq(regs.rip, 0xfff0);
	usleep(2000);
	ck_assert_uint_eq(outs(), seen);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	wait_for_outs(seen + 10);
	mh_vm_destroy(vm);
}
END_TEST

static int halted_guest_script(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	return fake_exit_halt(v, page);
}

/* Boot data are loaded again, whatever the guest's own resets end in. */
START_TEST(reset_button_boots)
{
	struct mh_vm *vm = booting_vm(2, MH_VM_STOP_ON_RESET);

	fake_engine.script = halted_guest_script;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_reset(vm), 0);
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_RUNNING);
	ck_assert_uint_eq(fake_machine.resets, 2);
	ck_assert_uint_eq(fake_machine.loads, 2);
	/* What fails on the way up ends in Stopped, and another start may come. */
	fake_machine.load_error = MH_ERANGE;
	ck_assert_int_eq(mh_vm_reset(vm), MH_ERANGE);
	ck_error_has("reset VM \"test\": fake: does not fit");
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_STOPPED);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_ERROR);
	ck_assert_str_eq(mh_vm_stop_text(vm), "reset VM \"test\": fake: does not fit");
	fake_machine.load_error = 0;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	mh_vm_destroy(vm);
}
END_TEST

static void reset_twice(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	if (fake_engine.vms_made < 3)
		ck_assert_int_eq(mh_vm_reset(opaque), 0);
	else
		ck_assert_int_eq(mh_vm_stop(opaque), 0);
}

START_TEST(reset_button_in_a_handler)
{
	const struct mh_io_ops ops = { 1, NULL, reset_twice };
	struct mh_vm *vm = api_vm(1, MH_VM_BARE | MH_VM_STOP_ON_RESET, 0);

	fake_engine.script = busy_guest;
	ck_assert_int_eq(mh_vm_pio_add(vm, PORT, 1, &ops, vm), 0);
	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_REQUEST);
	ck_assert_uint_eq(fake_engine.vms_made, 3);
	ck_assert_uint_eq(next_event(vm).kind, MH_EVENT_STATE);
	ck_assert_str_eq(next_event(vm).text, "reset on request, from a handler");
	ck_assert_uint_eq(next_event(vm).reason, MH_STOP_REQUEST);
	ck_assert_uint_eq(next_event(vm).state, MH_VM_STOPPED);
	mh_vm_destroy(vm);
}
END_TEST

static enum mh_vm_state told[16];
static u32 told_count;

static void on_event(void *opaque, struct mh_vm *vm, const struct mh_event *event)
{
	ck_assert_uint_lt(told_count, 16);
	ck_assert_uint_eq(event->kind, MH_EVENT_STATE);
	told[told_count++] = event->state;
	/* Started again from the callback, once. */
	if (event->state == MH_VM_STOPPED && told_count < 6)
		*(int *)opaque = mh_vm_start(vm);
	/* Too late for this VM. */
	if (event->state == MH_VM_STOPPED && told_count > 6)
		mh_vm_destroy(vm);
}

START_TEST(state_callback)
{
	static const enum mh_vm_state expected[] = { MH_VM_RUNNING, MH_VM_PAUSED,  MH_VM_RUNNING,
						     MH_VM_STOPPED, MH_VM_RUNNING, MH_VM_PAUSED,
						     MH_VM_STOPPED };
	struct mh_vm *vm = busy_vm(2);
	int started = 1;
	u32 i;

	told_count = 0;
	ck_assert_int_eq(mh_vm_on_event(vm, on_event, &started), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	while (mh_vm_state(vm) != MH_VM_RUNNING)
		usleep(100);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	mh_vm_destroy(vm);
	ck_assert_int_eq(started, 0);
	ck_assert_uint_eq(told_count, 7);
	for (i = 0; i < 7; i++)
		ck_assert_int_eq(told[i], expected[i]);
	ck_assert_msg(strstr(last_log, "destroy VM \"test\": not done"), "%s", last_log);
}
END_TEST

static void *wait_for_ever(void *opaque)
{
	return (void *)(intptr_t)mh_vm_wait(opaque, -1);
}

/* Who waits for a VM that is destroyed is told, not left. */
START_TEST(destroy_ends_waits)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	pthread_t waiter;
	void *result;

	ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_ever, vm), 0);
	usleep(20000);
	mh_vm_destroy(vm);
	pthread_join(waiter, &result);
	ck_assert_int_eq((int)(intptr_t)result, MH_ESTATE);
}
END_TEST

/* VMX without unrestricted guest: real mode and several CPUs are refused, a paged start is not. */
START_TEST(no_unrestricted_guest)
{
	struct mh_vm *vm;

	fake_engine.info.features &= ~MHI_BIT(MHK_F_UNRESTRICTED);
	vm = api_vm(1, MH_VM_BARE, 0);
	ck_assert_int_eq(mh_vm_start(vm), MH_EMISSING);
	ck_error_has("unrestricted guest");
	ck_assert_int_eq(mh_vm_state(vm), MH_VM_CREATED);
	mh_vm_destroy(vm);
	fake_machine.entry = (struct mhi_entry){ .long_mode = true, .rip = 0x100000 };
	vm = booting_vm(2, 0);
	ck_assert_int_eq(mh_vm_start(vm), MH_EMISSING);
	ck_error_has("several CPUs");
	mh_vm_destroy(vm);
	vm = booting_vm(1, 0);
	resets_wanted = 0;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_wait(vm, 5000), 0);
	mh_vm_destroy(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, states);
	tcase_add_test(tcase, start_again);
	tcase_add_test(tcase, start_fails);
	tcase_add_test(tcase, halted_guest);
	tcase_add_test(tcase, calls_from_a_handler);
	tcase_add_test(tcase, start_in_a_callback);
	tcase_add_test(tcase, no_vm);
	tcase_add_test(tcase, power_off);
	tcase_add_test(tcase, reset);
	tcase_add_test(tcase, reset_stops);
	tcase_add_test(tcase, reset_fails);
	tcase_add_test(tcase, reset_button);
	tcase_add_test(tcase, reset_button_paused);
	tcase_add_test(tcase, reset_button_boots);
	tcase_add_test(tcase, reset_button_in_a_handler);
	tcase_add_test(tcase, state_callback);
	tcase_add_test(tcase, destroy_ends_waits);
	tcase_add_test(tcase, no_unrestricted_guest);
}

UNIT_MAIN("vm_life", add_tests)

/* SPDX-License-Identifier: MIT */
/* Rules about I/O ports: what a guest's access comes to, with and without them. */
#include "api_fixture.h"

#include <unistd.h>

#include "macrohard/metrics.h"
#include "macrohard/policy.h"

#define DEVICE 0x100u /* eight ports */
#define NOBODY 0x200u
#define ACCESSES 16
#define ALL_ONES(bytes) (~0u >> (32 - 8 * (bytes)))

static struct access {
	u16 port;
	u8 bytes;
	bool out;
	u32 value;
} acc[ACCESSES];
static u32 accesses, done; /* done: atomic */
static u32 device_reads, device_writes;

static int guest(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	const struct access *a = &acc[v->step - 1];

	if (v->step > 1 && v->step <= accesses + 1) {
		if (!acc[v->step - 2].out)
			acc[v->step - 2].value = (u32)v->reply;
		__atomic_store_n(&done, v->step - 1, __ATOMIC_SEQ_CST);
	}
	if (v->step > accesses)
		return fake_exit_halt(v, page);
	return a->out ? fake_exit_out(page, a->port, a->bytes, a->value)
		      : fake_exit_in(page, a->port, a->bytes);
}

static uint64_t device_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	device_reads++;
	return 0x40 + offset;
}

static void device_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	device_writes++;
}

static struct mh_vm *vm_with_device(void)
{
	static const struct mh_io_ops ops = { 1, device_read, device_write };
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);

	ck_assert_int_eq(mh_vm_pio_add(vm, DEVICE, 8, &ops, NULL), 0);
	device_reads = device_writes = 0;
	return vm;
}

static void begin(struct mh_vm *vm, const struct access *list, u32 count)
{
	memcpy(acc, list, count * sizeof(*list));
	accesses = count;
	done = 0;
	fake_engine.script = guest;
	ck_assert_int_eq(mh_vm_start(vm), 0);
}

static void run(struct mh_vm *vm, const struct access *list, u32 count)
{
	begin(vm, list, count);
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < count)
		usleep(100);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
}

#define IN(port, bytes)                     \
	{                                   \
		(port), (bytes), false, 0x5 \
	}
#define OUT(port, bytes)                   \
	{                                  \
		(port), (bytes), true, 0x5 \
	}
#define RUN(vm, ...)                                      \
	run((vm), (const struct access[]){ __VA_ARGS__ }, \
	    sizeof((const struct access[]){ __VA_ARGS__ }) / sizeof(struct access))

static int rule(struct mh_vm *vm, u32 first, u32 last, enum mh_port_action action, u32 flags)
{
	struct mh_port_rule r = MH_PORT_RULE_INIT;

	r.first = first;
	r.last = last;
	r.action = action;
	r.flags = flags;
	return mh_vm_port_rule(vm, &r);
}

static u64 denied(struct mh_vm *vm)
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;

	ck_assert_int_eq(mh_vm_metrics(vm, &m), 0);
	return m.ports_denied;
}

/* No device has the port, or not all of the access: nothing is reached. */
START_TEST(no_rules)
{
	struct mh_vm *vm = vm_with_device();

	RUN(vm, IN(DEVICE + 2, 1), OUT(DEVICE, 4), IN(NOBODY, 1), IN(NOBODY, 2), IN(NOBODY, 4),
	    OUT(NOBODY, 4), IN(DEVICE + 6, 4), IN(0xffff, 4));
	ck_assert_uint_eq(acc[0].value, 0x42);
	ck_assert_uint_eq(acc[2].value, ALL_ONES(1));
	ck_assert_uint_eq(acc[3].value, ALL_ONES(2));
	ck_assert_uint_eq(acc[4].value, ALL_ONES(4));
	ck_assert_uint_eq(acc[6].value, ALL_ONES(4));
	ck_assert_uint_eq(acc[7].value, ALL_ONES(4));
	ck_assert_uint_eq(device_reads, 1);
	ck_assert_uint_eq(device_writes, 1);
	ck_assert_uint_eq(denied(vm), 0);
	mh_vm_destroy(vm);
}
END_TEST

/* A list of what is allowed, and all else denied. */
START_TEST(allowed_ranges)
{
	struct mh_vm *vm = vm_with_device();

	ck_assert_int_eq(rule(vm, DEVICE, DEVICE + 3, MH_PORT_DEFAULT, 0), 0);
	ck_assert_int_eq(rule(vm, 0, 0xffff, MH_PORT_DENY, 0), 0);
	RUN(vm, IN(DEVICE, 1), OUT(DEVICE + 3, 1), IN(DEVICE + 4, 1), OUT(DEVICE + 4, 2),
	    IN(NOBODY, 2));
	ck_assert_uint_eq(acc[0].value, 0x40);
	ck_assert_uint_eq(acc[2].value, ALL_ONES(1));
	ck_assert_uint_eq(acc[4].value, ALL_ONES(2));
	ck_assert_uint_eq(device_reads, 1);
	ck_assert_uint_eq(device_writes, 1);
	ck_assert_uint_eq(denied(vm), 3);
	mh_vm_destroy(vm);
}
END_TEST

/* A wide access reaches into a denied range from below it. */
START_TEST(wide_access)
{
	struct mh_vm *vm = vm_with_device();

	ck_assert_int_eq(rule(vm, DEVICE + 3, DEVICE + 3, MH_PORT_DENY, MH_PORT_IN), 0);
	RUN(vm, IN(DEVICE, 4), IN(DEVICE + 2, 2), IN(DEVICE + 2, 1), IN(DEVICE + 4, 4),
	    OUT(DEVICE, 4));
	ck_assert_uint_eq(acc[0].value, ALL_ONES(4));
	ck_assert_uint_eq(acc[1].value, ALL_ONES(2));
	ck_assert_uint_eq(acc[2].value, 0x42);
	ck_assert_uint_eq(acc[3].value, 0x44);
	ck_assert_uint_eq(device_writes, 1);
	ck_assert_uint_eq(denied(vm), 2);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(unclaimed_logged)
{
	struct mh_vm *vm = vm_with_device();

	ck_assert_int_eq(rule(vm, 0, 0xffff, MH_PORT_LOG, MH_PORT_UNCLAIMED | MH_PORT_OUT), 0);
	RUN(vm, OUT(DEVICE, 1), IN(NOBODY, 1), OUT(NOBODY, 1), OUT(NOBODY, 1));
	ck_assert_uint_eq(device_writes, 1);
	ck_assert_uint_eq(denied(vm), 2);
	ck_assert_msg(strstr(last_log, "OUT to port 0x200 is denied by a rule"), "%s", last_log);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(stopped)
{
	static const struct access list[] = { IN(DEVICE, 1), OUT(NOBODY, 1) };
	struct mh_vm *vm = vm_with_device();

	ck_assert_int_eq(rule(vm, 0, 0xffff, MH_PORT_STOP, MH_PORT_UNCLAIMED), 0);
	begin(vm, list, 2);
	ck_assert_int_eq(mh_vm_wait(vm, -1), 0);
	ck_assert_int_eq(mh_vm_stop_reason(vm), MH_STOP_ERROR);
	ck_assert_ptr_nonnull(strstr(mh_vm_stop_text(vm), "OUT to port 0x200"));
	ck_assert_uint_eq(device_reads, 1);
	ck_assert_uint_eq(denied(vm), 1);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(refused)
{
	struct mh_vm *vm = vm_with_device();
	struct mh_port_rule r = MH_PORT_RULE_INIT;

	ck_assert_int_eq(rule(vm, 2, 1, MH_PORT_DENY, 0), MH_EINVAL);
	ck_error_has("first is above last");
	ck_assert_int_eq(rule(vm, 0, 0x10000, MH_PORT_DENY, 0), MH_EINVAL);
	ck_error_has("last is above 0xffff");
	ck_assert_int_eq(rule(vm, 1, 1, (enum mh_port_action)4, 0), MH_EINVAL);
	ck_assert_int_eq(rule(vm, 1, 1, MH_PORT_DENY, 8), MH_EINVAL);
	for (u32 n = 0; n < MH_RULES_MAX; n++)
		ck_assert_int_eq(rule(vm, n, n, MH_PORT_DENY, 0), 0);
	ck_assert_int_eq(rule(vm, 1, 1, MH_PORT_DENY, 0), MH_ERANGE);
	ck_error_has("64 rules already");
	ck_assert_int_eq(mh_vm_port_rule(vm, NULL), MH_EINVAL);
	r.size = 0;
	ck_assert_int_eq(mh_vm_port_rule(vm, &r), MH_EINVAL);
	ck_assert_int_eq(mh_vm_port_rule(NULL, &r), MH_EINVAL);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(rule(vm, 1, 1, MH_PORT_DENY, 0), MH_ESTATE);
	mh_vm_destroy(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, no_rules);
	tcase_add_test(tcase, allowed_ranges);
	tcase_add_test(tcase, wide_access);
	tcase_add_test(tcase, unclaimed_logged);
	tcase_add_test(tcase, stopped);
	tcase_add_test(tcase, refused);
}

UNIT_MAIN("port_rules", add_tests)

/* SPDX-License-Identifier: MIT */
/* Several threads change one VM's state at once, while its guest resets and stops itself. */
#include "api_fixture.h"

#include <pthread.h>

#include "api/impl.h"

#define PORT 0x80
#define THREADS 4
#define ROUNDS 1000

static u32 inside[64];

/* One vCPU is never in two handlers, and no handler runs while the VM is not running. */
static void handler(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	ck_assert_uint_eq(__atomic_fetch_add(&inside[value], 1, __ATOMIC_SEQ_CST), 0);
	__atomic_fetch_sub(&inside[value], 1, __ATOMIC_SEQ_CST);
}

static u32 nobody_inside(void)
{
	u32 i, sum = 0;

	for (i = 0; i < 64; i++)
		sum += __atomic_load_n(&inside[i], __ATOMIC_SEQ_CST);
	return sum;
}

/* Works, halts, and now and then resets itself, switches itself off, or fails. */
static int wild_guest(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	switch (v->step % 97) {
	case 13:
		return v->apic_id == 0 ? fake_exit_halt(v, page) : 0;
	case 51:
		if (v->apic_id == 1 && fake_engine.vms_made % 4)
			fake_machine.env.power(fake_machine.env.opaque, MHI_POWER_RESET);
		return 0;
	case 89:
		if (v->apic_id == 2)
			fake_machine.env.power(fake_machine.env.opaque, MHI_POWER_OFF);
		return 0;
	case 96:
		return fake_exit(page, v->apic_id == 3 ? MHK_EXIT_SHUTDOWN : MHK_EXIT_NONE);
	default:
		return fake_exit_out(page, PORT, 1, v->apic_id);
	}
}

static void one_call(struct mh_vm *vm, u32 which)
{
	struct mh_regs regs;
	int rc = 0;

	switch (which % 9) {
	case 0:
	case 1:
		rc = mh_vm_start(vm);
		break;
	case 2:
		rc = mh_vm_pause(vm);
		break;
	case 3:
		rc = mh_vm_resume(vm);
		break;
	case 4:
		rc = mh_vm_stop(vm);
		break;
	case 5:
		rc = mh_vm_wait(vm, 0) == MH_ETIMEDOUT ? 0 : MH_ESTATE;
		break;
	case 6:
		rc = mh_vcpu_get_regs(vm, 1, &regs);
		break;
	case 7:
		rc = mh_vm_msi(vm, 0xfee00000, 0x40);
		break;
	case 8:
		rc = mh_vm_reset(vm);
		break;
	}
	ck_assert_msg(rc == 0 || rc == MH_ESTATE, "call %u: %s: %s", which % 9, mh_err_name(rc),
		      mh_last_error(ctx));
}

struct worker {
	struct mh_vm *vm;
	u64 seed;
};

static void *work(void *opaque)
{
	struct worker *w = opaque;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
		one_call(w->vm, (u32)(w->seed >> 40));
	}
	return NULL;
}

static u32 state_calls;

static void on_event(void *opaque, struct mh_vm *vm, const struct mh_event *event)
{
	__atomic_fetch_add(&state_calls, 1, __ATOMIC_SEQ_CST);
}

static struct mh_vm *wild_vm(void)
{
	const struct mh_io_ops ops = { 1, NULL, handler };
	struct mh_vm *vm = api_vm(4, 0, 1 << 20);

	fake_engine.script = wild_guest;
	ck_assert_int_eq(mh_vm_pio_add(vm, PORT, 1, &ops, NULL), 0);
	ck_assert_int_eq(mh_vm_on_event(vm, on_event, NULL), 0);
	return vm;
}

START_TEST(many_threads_one_vm)
{
	struct mh_vm *vm = wild_vm();
	struct worker worker[THREADS];
	pthread_t thread[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		worker[i] = (struct worker){ vm, (u64)i * 77 + 5 };
		ck_assert_int_eq(pthread_create(&thread[i], NULL, work, &worker[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	mh_vm_stop(vm);
	ck_assert_uint_eq(nobody_inside(), 0);
	mh_vm_destroy(vm);
	ck_assert_uint_gt(state_calls, 0);
}
END_TEST

/* Created, run a moment and destroyed, again and again, several at once. */
static void *live_and_die(void *opaque)
{
	u32 i;

	for (i = 0; i < 40; i++) {
		struct mh_vm *vm = wild_vm();

		ck_assert_int_eq(mh_vm_start(vm), 0);
		if (i & 1)
			mh_vm_wait(vm, (int)(i % 3));
		mh_vm_destroy(vm);
	}
	return NULL;
}

START_TEST(destroyed_while_running)
{
	live_and_die(NULL);
}
END_TEST

static void *wait_end(void *opaque)
{
	return (void *)(intptr_t)mh_vm_wait(opaque, -1);
}

START_TEST(waiters_at_destroy)
{
	pthread_t waiter[3];
	void *result;
	int i, round;

	for (round = 0; round < 20; round++) {
		struct mh_vm *vm = wild_vm();

		for (i = 0; i < 3; i++)
			ck_assert_int_eq(pthread_create(&waiter[i], NULL, wait_end, vm), 0);
		ck_assert_int_eq(mh_vm_start(vm), 0);
		ck_assert_int_eq(mh_vm_wait(vm, -1), 0);
		for (i = 0; i < 3; i++) {
			pthread_join(waiter[i], &result);
			ck_assert_int_eq((int)(intptr_t)result, 0);
		}
		mh_vm_destroy(vm);
	}
}
END_TEST

/*
 * A device's callback asks for registers while another thread resets the VM, which frees the
 * engine's vCPUs: it was let in, for its thread waits for nobody.
 */
static struct mh_vm *asked;
static int answers[2];

static void ask_on_loop(void *opaque)
{
	struct mh_sregs sregs;
	struct mh_regs regs;

	answers[0] = mh_vcpu_get_regs(asked, 0, &regs);
	answers[1] = mh_vcpu_get_sregs(asked, 0, &sregs);
	if (answers[0])
		ck_error_has("reset by another thread");
}

/* The reset says that it begins, and nobody else is told in its midst. */
static void ask_in_reset(void *opaque, enum mh_log_level level, const char *text)
{
	if (strstr(text, "begins again"))
		mhi_loop_call(ctx->loop, ask_on_loop, NULL);
}

START_TEST(registers_during_a_reset)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	struct mh_ctx *quiet = ctx;
	struct mhi_loop *loop;

	config.log = ask_in_reset;
	config.log_level = MH_LOG_INFO;
	ck_assert_int_eq(mh_ctx_create(&config, &ctx), 0);
	ck_assert_int_eq(mhi_ctx_loop(ctx, &loop, NULL), 0);
	asked = api_vm(1, MH_VM_BARE, 1 << 20);
	ck_assert_int_eq(mh_vm_start(asked), 0);
	ck_assert_int_eq(mh_vm_pause(asked), 0);
	mhi_loop_call(loop, ask_on_loop, NULL);
	ck_assert_int_eq(answers[0], 0);
	ck_assert_int_eq(answers[1], 0);
	ck_assert_int_eq(mh_vm_reset(asked), 0);
	ck_assert_int_eq(answers[0], MH_ESTATE);
	ck_assert_int_eq(answers[1], MH_ESTATE);
	mh_vm_destroy(asked);
	ck_assert_int_eq(mh_ctx_destroy(ctx), 0);
	ctx = quiet;
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, many_threads_one_vm);
	tcase_add_test(tcase, destroyed_while_running);
	tcase_add_test(tcase, waiters_at_destroy);
	tcase_add_test(tcase, registers_during_a_reset);
}

UNIT_MAIN("vm_race", add_tests)

/* SPDX-License-Identifier: MIT */
/* Hypercalls as hostile guests make them: who may call, every argument, every buffer; timers. */
#include "unit.h"

#include <time.h>

#include "integration/hc_timer.h"
#include "integration/hypercall.h"
#include "macrohard/error.h"

#define RAM_BYTES (2 * MHI_PAGE_SIZE)
#define ROM 0x10000ull
#define HIGH 0x100000000ull
#define VERSION 0x00010203u

static struct mhi_gmem mem;
static struct mhi_hypercalls hc;
static u8 *host; /* RAM at 0 and HIGH (one page), ROM */
static struct mhi_hc_call call;

static struct {
	u32 arms, cancels, vcpu;
	u64 us;
	u8 vector;
	int answer;
} timer;

static struct {
	u32 calls;
	struct mh_hypercall got;
	u8 in[16];
	int rc;
	u32 out_bytes;
} heard;

static void tell_time(void *opaque, struct mhg_time *out)
{
	*out = (struct mhg_time){ 111, 222 };
}

static int timer_arm(void *opaque, u32 vcpu, u64 us, u8 vector)
{
	timer.arms++;
	timer.vcpu = vcpu;
	timer.us = us;
	timer.vector = vector;
	return timer.answer;
}

static bool timer_cancel(void *opaque, u32 vcpu)
{
	timer.cancels++;
	timer.vcpu = vcpu;
	return true;
}

static int listen(void *opaque, struct mh_hypercall *msg)
{
	ck_assert_ptr_eq(opaque, &heard);
	heard.calls++;
	heard.got = *msg;
	memcpy(heard.in, msg->in, msg->in_bytes < 16 ? msg->in_bytes : 16);
	for (u32 i = 0; i < msg->out_room; i++)
		ck_assert_uint_eq(((const u8 *)msg->out)[i], 0);
	memset(msg->out, 0x5a, msg->out_room);
	msg->out_bytes = heard.out_bytes;
	return heard.rc;
}

static void map(u32 n, u64 gpa, u64 offset, u64 bytes, bool readonly)
{
	const struct mhi_slot slot = { gpa, bytes, (u64)(uintptr_t)host + offset, readonly };

	ck_assert_int_eq(mhi_slots_set(&mem.slots, n, &slot, mem.gpa_limit), 0);
}

static void set_up(void)
{
	memset(&mem, 0, sizeof(mem));
	memset(&timer, 0, sizeof(timer));
	memset(&heard, 0, sizeof(heard));
	mem.gpa_limit = 1ull << 40;
	host = aligned_alloc(MHI_PAGE_SIZE, 4 * MHI_PAGE_SIZE);
	memset(host, 0xcc, 4 * MHI_PAGE_SIZE);
	map(0, HIGH, RAM_BYTES, MHI_PAGE_SIZE, false);
	map(1, 0, 0, RAM_BYTES, false);
	map(2, ROM, 3 * MHI_PAGE_SIZE, MHI_PAGE_SIZE, true);
	hc = (struct mhi_hypercalls){ .env = { .mem = &mem,
					       .version = VERSION,
					       .firmware_start = 0x800,
					       .firmware_end = 0x900,
					       .time = tell_time,
					       .timer_arm = timer_arm,
					       .timer_cancel = timer_cancel } };
	call = (struct mhi_hc_call){ .vcpu = 2, .wide = true, .key = MHG_KEY };
}

static void tear_down(void)
{
	free(host);
}

static s64 made(u64 number, u64 rbx, u64 rcx, u64 rdx, u64 rsi)
{
	call.number = number;
	call.arg[0] = rbx;
	call.arg[1] = rcx;
	call.arg[2] = rdx;
	call.arg[3] = rsi;
	return (s64)mhi_hc_do(&hc, &call);
}

static void set_handler(u32 number)
{
	*mhi_hc_handler(&hc, number) = (struct mhi_hc_handler){ listen, &heard };
}

START_TEST(whose)
{
	ck_assert(mhi_hc_is_ours(&call));
	call.key |= 1ull << 32;
	ck_assert(!mhi_hc_is_ours(&call));
	call.wide = false; /* what is above does not exist there */
	ck_assert(mhi_hc_is_ours(&call));
	call.key = 0;
	ck_assert(!mhi_hc_is_ours(&call));
}
END_TEST

START_TEST(version_and_features)
{
	const u32 own = MHG_F_VERSION | MHG_F_FEATURES | MHG_F_MEMORY_MAP | MHG_F_TIMER;

	ck_assert_int_eq(made(MHG_VERSION, 1, 2, 3, 4), VERSION);
	ck_assert_int_eq(made(MHG_FEATURES, 1, 2, 3, 4), own);
	set_handler(MH_HC_CLIPBOARD);
	ck_assert_int_eq(made(MHG_FEATURES, 0, 0, 0, 0), own | MHG_F_CLIPBOARD);
	set_handler(MH_HC_IPC);
	set_handler(MH_HC_DISPLAY);
	ck_assert_int_eq(made(MHG_FEATURES, 0, 0, 0, 0),
			 own | MHG_F_CLIPBOARD | MHG_F_IPC | MHG_F_DISPLAY);
}
END_TEST

START_TEST(unknown)
{
	ck_assert_int_eq(made(0, 0, 0, 0, 0), MHG_ENOSYS);
	ck_assert_int_eq(made(3, 0, 0, 0, 0), MHG_ENOSYS);
	ck_assert_int_eq(made(MHG_VERSION | 1ull << 32, 0, 0, 0, 0), MHG_ENOSYS);
	ck_assert_int_eq(made(~0ull, 0, 0, 0, 0), MHG_ENOSYS);
	ck_assert_ptr_null(mhi_hc_handler(&hc, MHG_VERSION));
	ck_assert_ptr_null(mhi_hc_handler(&hc, 0x31));
}
END_TEST

/* Nothing is done for code that is not the kernel's. */
START_TEST(privilege)
{
	static const u32 numbers[] = { MHG_VERSION, MHG_FEATURES,  MHG_MEMORY_MAP, MHG_TIMER,
				       MHG_IPC,	    MHG_CLIPBOARD, MHG_DISPLAY,	   0x77 };

	set_handler(MH_HC_IPC);
	for (call.cpl = 1; call.cpl <= 3; call.cpl++)
		for (u32 i = 0; i < MHI_COUNT(numbers); i++)
			ck_assert_int_eq(made(numbers[i], 1, 0, 32, 8), MHG_EPERM);
	ck_assert_uint_eq(heard.calls + timer.arms + timer.cancels, 0);
	ck_assert_uint_eq(host[0], 0xcc);
}
END_TEST

START_TEST(narrow)
{
	call.wide = false;
	ck_assert_int_eq(made(~0ull << 32 | MHG_VERSION, 0, 0, 0, 0), VERSION);
	/* An error is a negative number of 32 bits, as the guest reads it. */
	ck_assert_uint_eq(made(0x99, 0, 0, 0, 0), (u32)MHG_ENOSYS);
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_ARM, ~0ull, ~0ull << 32 | 0x40, 0), 0);
	ck_assert_uint_eq(timer.us, 0xffffffff);
	ck_assert_uint_eq(timer.vector, 0x40);
}
END_TEST

START_TEST(memory_map)
{
	static const struct mhg_memory want[] = {
		{ 0, 0x800, MHG_MEMORY_RAM, 0 },
		{ 0x800, 0x100, MHG_MEMORY_RESERVED, 0 },
		{ 0x900, RAM_BYTES - 0x900, MHG_MEMORY_RAM, 0 },
		{ ROM, MHI_PAGE_SIZE, MHG_MEMORY_RESERVED, 0 },
		{ HIGH, MHI_PAGE_SIZE, MHG_MEMORY_RAM, 0 },
	};

	ck_assert_int_eq(made(MHG_MEMORY_MAP, 5, 100, 0, 0), 5);
	ck_assert_mem_eq(host + 5, want, sizeof(want));
	ck_assert_uint_eq(host[5 + sizeof(want)], 0xcc);
	memset(host, 0xcc, RAM_BYTES);
	ck_assert_int_eq(made(MHG_MEMORY_MAP, 0, 2, 0, 0), 5);
	ck_assert_mem_eq(host, want, 2 * sizeof(want[0]));
	ck_assert_uint_eq(host[2 * sizeof(want[0])], 0xcc);
	/* Only a question. */
	ck_assert_int_eq(made(MHG_MEMORY_MAP, ~0ull, 0, 0, 0), 5);
	/* No firmware: a bare VM. */
	hc.env.firmware_end = hc.env.firmware_start = 0;
	ck_assert_int_eq(made(MHG_MEMORY_MAP, 0, ~0ull, 0, 0), 3);
}
END_TEST

/* The firmware's range ends in the middle of one slot and of another: two entries more. */
START_TEST(memory_map_longest)
{
	memset(&mem.slots, 0, sizeof(mem.slots));
	for (u32 n = 0; n < MHI_SLOTS_MAX; n++)
		map(n, (u64)(MHI_SLOTS_MAX - 1 - n) * MHI_PAGE_SIZE, 0, MHI_PAGE_SIZE, false);
	hc.env.firmware_start = 0x800;
	hc.env.firmware_end = 0x2800;
	ck_assert_int_eq(made(MHG_MEMORY_MAP, 0, ~0ull, 0, 0), MHI_SLOTS_MAX + 2);
}
END_TEST

START_TEST(memory_map_bad)
{
	const u64 bytes = 5 * sizeof(struct mhg_memory);

	ck_assert_int_eq(made(MHG_MEMORY_MAP, RAM_BYTES - bytes, 9, 0, 0), 5);
	memset(host, 0xcc, RAM_BYTES);
	ck_assert_int_eq(made(MHG_MEMORY_MAP, RAM_BYTES - bytes + 1, 9, 0, 0), MHG_EFAULT);
	ck_assert_uint_eq(host[RAM_BYTES - 1], 0xcc);
	ck_assert_int_eq(made(MHG_MEMORY_MAP, ROM, 9, 0, 0), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_MEMORY_MAP, ~0ull, 9, 0, 0), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_MEMORY_MAP, ~0ull - 8, ~0ull, 0, 0), MHG_EFAULT);
}
END_TEST

START_TEST(timer_calls)
{
	static const struct mhg_time want = { 111, 222 };

	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_TIME, 3, 0, 0), 0);
	ck_assert_mem_eq(host + 3, &want, sizeof(want));
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_TIME, ROM, 0, 0), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_TIME, RAM_BYTES - 15, 0, 0), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_ARM, 1500, 255, 0), 0);
	ck_assert_uint_eq(timer.vcpu, 2);
	ck_assert_uint_eq(timer.us, 1500);
	ck_assert_uint_eq(timer.vector, 255);
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_ARM, 1500, 31, 0), MHG_EINVAL);
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_ARM, 1500, 256, 0), MHG_EINVAL);
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_ARM, 1500, 0x120, 0), MHG_EINVAL);
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_ARM, 1ull << 32, 32, 0), MHG_ERANGE);
	ck_assert_uint_eq(timer.arms, 1);
	timer.answer = MHG_ENOMEM;
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_ARM, 0, 32, 0), MHG_ENOMEM);
	ck_assert_int_eq(made(MHG_TIMER, MHG_TIMER_CANCEL, 0, 0, 0), 1);
	ck_assert_int_eq(made(MHG_TIMER, 3, 0, 32, 0), MHG_EINVAL);
	ck_assert_int_eq(made(MHG_TIMER, 1ull << 32, 0, 32, 0), MHG_EINVAL);
	ck_assert_uint_eq(timer.cancels, 1);
}
END_TEST

START_TEST(message)
{
	set_handler(MH_HC_IPC);
	memcpy(host + 100, "question", 8);
	heard.out_bytes = 4;
	ck_assert_int_eq(made(MHG_IPC, 0xfeedbeef, 100, 8, 6), 4);
	ck_assert_uint_eq(heard.got.number, MH_HC_IPC);
	ck_assert_uint_eq(heard.got.vcpu, 2);
	ck_assert_uint_eq(heard.got.channel, 0xfeedbeef);
	ck_assert_uint_eq(heard.got.in_bytes, 8);
	ck_assert_uint_eq(heard.got.out_room, 6);
	ck_assert_mem_eq(heard.in, "question", 8);
	ck_assert_mem_eq(host + 100, "ZZZZtion", 8);
	/* Without question, without answer. */
	heard.out_bytes = 0;
	ck_assert_int_eq(made(MHG_IPC, 0, ~0ull, 0, 0), 0);
	ck_assert_uint_eq(heard.calls, 2);
	/* What cannot be written to can be read, when nothing is to come back. */
	ck_assert_int_eq(made(MHG_IPC, 0, ROM, 16, 0), 0);
	ck_assert_uint_eq(heard.in[15], 0xcc);
}
END_TEST

START_TEST(message_nobody)
{
	ck_assert_int_eq(made(MHG_IPC, 0, 0, 0, 0), MHG_ENOTSUP);
	ck_assert_int_eq(made(MHG_CLIPBOARD, 0, 0, 0, 0), MHG_ENOTSUP);
	set_handler(MH_HC_DISPLAY);
	ck_assert_int_eq(made(MHG_IPC, 0, 0, 0, 0), MHG_ENOTSUP);
	ck_assert_int_eq(made(MHG_DISPLAY, 0, 0, 0, 0), 0);
	ck_assert_uint_eq(heard.got.number, MH_HC_DISPLAY);
}
END_TEST

/* What is wrong with a call is found before the handler sees it. */
START_TEST(message_bad)
{
	set_handler(MH_HC_IPC);
	ck_assert_int_eq(made(MHG_IPC, 1ull << 32, 0, 8, 8), MHG_EINVAL);
	ck_assert_int_eq(made(MHG_IPC, 0, 0, MHG_MESSAGE_MAX + 1, 0), MHG_ERANGE);
	ck_assert_int_eq(made(MHG_IPC, 0, 0, 0, MHG_MESSAGE_MAX + 1), MHG_ERANGE);
	ck_assert_int_eq(made(MHG_IPC, 0, 0, ~0ull, ~0ull), MHG_ERANGE);
	ck_assert_int_eq(made(MHG_IPC, 0, RAM_BYTES - 7, 8, 0), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_IPC, 0, RAM_BYTES - 7, 0, 8), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_IPC, 0, ~0ull - 3, 8, 0), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_IPC, 0, ~0ull - 3, 0, 8), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_IPC, 0, ROM, 8, 1), MHG_EFAULT);
	ck_assert_int_eq(made(MHG_IPC, 0, 0xd0000000, 1, 0), MHG_EFAULT);
	ck_assert_uint_eq(heard.calls, 0);
}
END_TEST

START_TEST(message_refused)
{
	static const struct {
		int rc, want;
	} errors[] = { { MH_EINVAL, MHG_EINVAL }, { MH_EPERM, MHG_EPERM },
		       { MH_ENOENT, MHG_ENOENT }, { MH_EBUSY, MHG_EBUSY },
		       { MH_ERANGE, MHG_ERANGE }, { MH_ENOTSUP, MHG_ENOTSUP },
		       { MH_ENOMEM, MHG_ENOMEM }, { MH_EIO, MHG_EIO },
		       { MH_ETIMEDOUT, MHG_EIO }, { 5, MHG_EIO } };

	set_handler(MH_HC_IPC);
	for (u32 i = 0; i < MHI_COUNT(errors); i++) {
		heard.rc = errors[i].rc;
		heard.out_bytes = 8;
		ck_assert_int_eq(made(MHG_IPC, 0, 0, 8, 8), errors[i].want);
		ck_assert_uint_eq(host[0], 0xcc);
	}
	/* A handler that says more than there is room for. */
	heard.rc = 0;
	heard.out_bytes = 9;
	ck_assert_int_eq(made(MHG_IPC, 0, 0, 8, 8), MHG_EIO);
	ck_assert_uint_eq(host[0], 0xcc);
}
END_TEST

/* ---- timers ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	u32 count;
	u64 vectors; /* the last eight, latest lowest */
	u64 at;
} fired = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000ull + (u64)now.tv_nsec;
}

static void on_fire(void *opaque, u32 vcpu, u8 vector)
{
	pthread_mutex_lock(&fired.lock);
	fired.count++;
	fired.vectors = fired.vectors << 8 | vector;
	fired.at = now_ns();
	pthread_cond_signal(&fired.more);
	pthread_mutex_unlock(&fired.lock);
}

static void wait_fired(u32 count)
{
	pthread_mutex_lock(&fired.lock);
	while (fired.count < count)
		pthread_cond_wait(&fired.more, &fired.lock);
	pthread_mutex_unlock(&fired.lock);
}

START_TEST(timers)
{
	struct mhi_hc_timers t = { 0 };
	u64 start = now_ns();

	fired.count = 0;
	ck_assert_int_eq(mhi_hc_timers_init(&t, on_fire, NULL), 0);
	ck_assert(!mhi_hc_timers_cancel(&t, 0));
	ck_assert(!t.has_thread);
	/* The later one first; one in an hour, which never is. */
	ck_assert_int_eq(mhi_hc_timers_arm(&t, 63, 3600000000ull, 99), 0);
	ck_assert_int_eq(mhi_hc_timers_arm(&t, 1, 60000, 41), 0);
	ck_assert_int_eq(mhi_hc_timers_arm(&t, 0, 20000, 40), 0);
	wait_fired(2);
	ck_assert_uint_eq(fired.vectors & 0xffff, 40 << 8 | 41);
	ck_assert_uint_ge(fired.at - start, 60000000);
	/* Each once; one that has fired is not armed. */
	ck_assert(!mhi_hc_timers_cancel(&t, 0));
	ck_assert(mhi_hc_timers_cancel(&t, 63));
	/* Arming again moves it. */
	ck_assert_int_eq(mhi_hc_timers_arm(&t, 0, 3600000000ull, 42), 0);
	ck_assert_int_eq(mhi_hc_timers_arm(&t, 0, 0, 43), 0);
	wait_fired(3);
	ck_assert_uint_eq(fired.vectors & 0xff, 43);
	ck_assert_int_eq(mhi_hc_timers_arm(&t, 0, 3600000000ull, 42), 0);
	mhi_hc_timers_reset(&t);
	ck_assert(!mhi_hc_timers_cancel(&t, 0));
	mhi_hc_timers_fini(&t);
	mhi_hc_timers_fini(&t);
	ck_assert_uint_eq(fired.count, 3);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, whose);
	tcase_add_test(tcase, version_and_features);
	tcase_add_test(tcase, unknown);
	tcase_add_test(tcase, privilege);
	tcase_add_test(tcase, narrow);
	tcase_add_test(tcase, memory_map);
	tcase_add_test(tcase, memory_map_longest);
	tcase_add_test(tcase, memory_map_bad);
	tcase_add_test(tcase, timer_calls);
	tcase_add_test(tcase, message);
	tcase_add_test(tcase, message_nobody);
	tcase_add_test(tcase, message_bad);
	tcase_add_test(tcase, message_refused);
	tcase_add_test(tcase, timers);
}

UNIT_MAIN("hypercall", add_tests)

// SPDX-License-Identifier: MIT
/* Programs and files by an agent: streams, credit both ways, holding up, giving up. */
#include "unit.h"
#include "fake_agent.h"
#include "integration/agent_priv.h"

static struct mhi_agent_msg heard;
static u64 bytes_out[3];
static struct {
	u32 done, rooms, files;
	int rc;
	s32 status;
	u32 signal, mode;
	u64 size;
	size_t room;
} got;
static uint64_t id;
static u8 endless[MHI_AGENT_WINDOW_BYTES];
static bool cancel_in_output, write_in_room;

/* The library's own: this test is linked with --wrap. */
static bool no_memory;
void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

void *__wrap_realloc(void *old, size_t bytes)
{
	return no_memory ? NULL : __real_realloc(old, bytes);
}

static void on_output(void *opaque, uint32_t stream, const void *data, size_t bytes)
{
	bytes_out[stream] += bytes;
	if (cancel_in_output)
		ck_assert_int_eq(mhi_agent_cancel(fake_agent.session, id), 0);
}

static void on_room(void *opaque, size_t bytes)
{
	got.rooms++;
	got.room = bytes;
	/* So that what would go on for ever fails the test. */
	if (got.rooms == 100)
		no_memory = false;
	if (write_in_room)
		mhi_agent_write(fake_agent.session, id, endless, sizeof(endless));
}

static void on_file(void *opaque, uint32_t mode, uint64_t bytes)
{
	got.files++;
	got.mode = mode;
	got.size = bytes;
}

static void on_done(void *opaque, int rc, const struct mh_agent_end *end)
{
	got.done++;
	got.rc = rc;
	got.status = end->status;
	got.signal = end->signal;
	ck_assert_ptr_nonnull(end->text);
}

static const struct mh_agent_transfer_ops ops = { 1, on_output, on_room, on_file, on_done };

static u32 begin(u32 type, const void *msg)
{
	const struct mhi_agent_transfer transfer = { type, msg, &ops, NULL, &id };

	memset(&got, 0, sizeof(got));
	memset(bytes_out, 0, sizeof(bytes_out));
	cancel_in_output = write_in_room = false;
	fake_agent_begin(MH_AGENT_ALL);
	fake_agent_hello(1, MH_AGENT_ALL);
	ck_assert_int_eq(mhi_agent_transfer(fake_agent.session, &transfer), 0);
	ck_assert(fake_agent_hear_type(type, &heard));
	return heard.serial;
}

static u32 begin_exec(u32 flags)
{
	const struct mhi_msg_exec msg = { flags, "", "", 1, { (const u8 *)"ls", 3 }, 0 };

	return begin(MHI_MSG_EXEC, &msg);
}

static u32 begin_put(u64 bytes)
{
	const struct mhi_msg_file_put msg = { "/f", 0644, bytes, 0 };

	return begin(MHI_MSG_FILE_PUT, &msg);
}

static u32 begin_get(void)
{
	const struct mhi_msg_file_get msg = { "/f", 0 };

	return begin(MHI_MSG_FILE_GET, &msg);
}

static void ck_broken(void)
{
	ck_assert_uint_eq(fake_agent.breaks, 1);
	ck_assert_uint_eq(got.done, 1);
	ck_assert_int_eq(got.rc, MH_ESTATE);
	fake_agent_end();
}

static void tick_alive(u32 count)
{
	const struct mhi_msg_pong pong = { 0 };

	while (count--) {
		fake_agent_say(MHI_MSG_PONG, 0, &pong);
		mhi_agent_tick(fake_agent.session);
	}
}

static u64 credited(void)
{
	u64 sum = 0;

	while (fake_agent_hear(&heard))
		if (heard.type == MHI_MSG_CREDIT)
			sum += heard.u.credit.bytes;
	return sum;
}

START_TEST(program)
{
	const struct mhi_msg_exec_exit gone = { 3, 9, 0 };
	u32 serial = begin_exec(MHI_AGENT_EXEC_OUTPUT | MHI_AGENT_EXEC_ERRORS);

	fake_agent_say_data(serial, 1, "hello", 5);
	fake_agent_say_data(serial, 2, "oh", 2);
	fake_agent_say_data(serial, 1, "", 0);
	fake_agent_say(MHI_MSG_EXEC_EXIT, serial, &gone);
	ck_assert_uint_eq(got.done, 0);
	tick_alive(100); /* it takes its time */
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_uint_eq(got.done, 1);
	ck_assert_int_eq(got.rc, 0);
	ck_assert_int_eq(got.status, 3);
	ck_assert_uint_eq(got.signal, 9);
	ck_assert_uint_eq(bytes_out[1], 5);
	ck_assert_uint_eq(bytes_out[2], 2);
	ck_assert_int_eq(mhi_agent_cancel(fake_agent.session, id), MH_ENOENT);
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, "x", 1), MH_ENOENT);
	fake_agent_end();
}
END_TEST

START_TEST(program_input)
{
	u32 serial = begin_exec(MHI_AGENT_EXEC_INPUT);

	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, "abc", 3), 3);
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, NULL, 0), 0);
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, "abc", 3), MH_ESTATE);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.serial, serial);
	ck_assert_uint_eq(heard.u.data.data.bytes, 3);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.u.data.data.bytes, 0);
	ck_assert_int_eq(mhi_agent_kill(fake_agent.session, id, 15), 0);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_EXEC_KILL);
	ck_assert_uint_eq(heard.u.exec_kill.signal, 15);
	/* "Done", without an exit status. */
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_int_eq(got.rc, MH_EIO);
	fake_agent_end();
}
END_TEST

/* As much as the agent has given credit for, and the line takes. */
START_TEST(file_to_guest)
{
	static u8 data[MHI_AGENT_WINDOW_BYTES + 1000];
	const struct mhi_msg_credit credit = { 500, 0 };
	u32 serial = begin_put(sizeof(data));
	size_t sent = 0;
	int rc;

	while ((rc = mhi_agent_write(fake_agent.session, id, data, sizeof(data) - sent)) > 0)
		sent += (size_t)rc;
	ck_assert_uint_eq(sent, MHI_AGENT_WINDOW_BYTES);
	ck_assert_uint_eq(got.rooms, 0);
	tick_alive(29);
	fake_agent_say(MHI_MSG_CREDIT, serial, &credit);
	ck_assert_uint_eq(got.rooms, 1);
	ck_assert_uint_eq(got.room, 500);
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, data, 1000), 500);
	fake_agent_say(MHI_MSG_CREDIT, serial, &credit);
	/* More than was announced. */
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, data, 501), MH_EINVAL);
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, data, 500), 500);
	fake_agent_say(MHI_MSG_CREDIT, serial, &credit);
	tick_alive(100); /* who feeds it may take his time */
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, NULL, 0), 0);
	for (sent = 0; fake_agent_hear(&heard);)
		sent += heard.type == MHI_MSG_DATA ? heard.u.data.data.bytes : 0;
	ck_assert_uint_eq(sent, sizeof(data));
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_uint_eq(got.done, 1);
	ck_assert_int_eq(got.rc, 0);
	fake_agent_end();
}
END_TEST

/* On a line that loses what its reader is late for, no more is sent than it has read. */
START_TEST(unread)
{
	static u8 data[MHI_AGENT_WINDOW_BYTES];
	struct mhi_msg_pong pong = { 0 };
	int rc;

	begin_put(MH_AGENT_UNKNOWN_BYTES);
	fake_agent.session->env.window = 10000;
	rc = mhi_agent_write(fake_agent.session, id, data, sizeof(data));
	ck_assert_int_ge(rc, 10000);
	ck_assert_int_le(rc, 10000 + 32768);
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, data, sizeof(data)), 0);
	ck_assert(fake_agent_hear_type(MHI_MSG_PING, &heard));
	ck_assert(!fake_agent_hear(&heard));
	ck_assert_uint_eq(got.rooms, 0);
	/* Not the answer to this question. */
	fake_agent_say(MHI_MSG_PONG, 0, &pong);
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, data, sizeof(data)), 0);
	pong.cookie = heard.u.ping.cookie;
	fake_agent_say(MHI_MSG_PONG, 0, &pong);
	ck_assert_uint_eq(got.rooms, 1);
	ck_assert_int_gt(mhi_agent_write(fake_agent.session, id, data, sizeof(data)), 0);
	ck_assert(fake_agent_hear_type(MHI_MSG_PING, &heard));
	fake_agent_end();
}
END_TEST

/* The line takes nothing for a while: who feeds it is told when it does. */
START_TEST(line_is_full)
{
	static u8 data[MHI_AGENT_WINDOW_BYTES];
	int rc;

	begin_put(MH_AGENT_UNKNOWN_BYTES);
	fake_agent.room = 100;
	rc = mhi_agent_write(fake_agent.session, id, data, sizeof(data));
	ck_assert_int_gt(rc, 0);
	ck_assert_int_lt(rc, (int)sizeof(data));
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, data, sizeof(data)), 0);
	ck_assert_uint_eq(got.rooms, 0);
	fake_agent.room = SIZE_MAX;
	mhi_agent_room(fake_agent.session);
	ck_assert_uint_eq(got.rooms, 1);
	ck_assert_uint_ge(got.room, 65536);
	fake_agent_end();
	ck_assert_int_eq(got.rc, MH_ESTATE);
}
END_TEST

/* Who is told of room writes at once: without memory that went on for ever. */
START_TEST(no_memory_for_data)
{
	begin_put(MH_AGENT_UNKNOWN_BYTES);
	write_in_room = no_memory = true;
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, endless, sizeof(endless)), 0);
	no_memory = false;
	ck_assert_ptr_nonnull(strstr(fake_agent.last_log, "no memory for data"));
	ck_broken();
}
END_TEST

START_TEST(put_times_out)
{
	begin_put(0);
	ck_assert_int_eq(mhi_agent_write(fake_agent.session, id, NULL, 0), 0);
	tick_alive(30);
	ck_assert_uint_eq(got.done, 1);
	ck_assert_int_eq(got.rc, MH_ETIMEDOUT);
	fake_agent_end();
}
END_TEST

START_TEST(file_from_guest)
{
	static u8 data[32768];
	const struct mhi_msg_file_is is = { 0104755, 1 << 20, 0 };
	u32 serial = begin_get();

	fake_agent_say(MHI_MSG_FILE_IS, serial, &is);
	ck_assert_uint_eq(got.files, 1);
	ck_assert_uint_eq(got.mode, 04755);
	ck_assert_uint_eq(got.size, 1 << 20);
	for (u32 n = 0; n < 32; n++) {
		fake_agent_say_data(serial, 0, data, sizeof(data));
		ck_assert_uint_eq(fake_agent.breaks, 0);
	}
	ck_assert_uint_eq(credited(), 1 << 20);
	ck_assert_uint_eq(bytes_out[0], 1 << 20);
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_int_eq(got.rc, 0);
	fake_agent_end();
}
END_TEST

/* Held up, no credit is given: the window is all that comes. */
START_TEST(held)
{
	static u8 data[32768];
	const struct mhi_msg_file_is is = { 0 };
	u32 serial = begin_get();

	fake_agent_say(MHI_MSG_FILE_IS, serial, &is);
	ck_assert_int_eq(mhi_agent_hold(fake_agent.session, id, true), 0);
	for (u32 n = 0; n < 8; n++)
		fake_agent_say_data(serial, 0, data, sizeof(data));
	ck_assert_uint_eq(credited(), 0);
	ck_assert_uint_eq(bytes_out[0], MH_AGENT_WINDOW);
	tick_alive(100);
	ck_assert_uint_eq(got.done, 0);
	ck_assert_int_eq(mhi_agent_hold(fake_agent.session, id, false), 0);
	ck_assert_uint_eq(credited(), MH_AGENT_WINDOW);
	ck_assert_int_eq(mhi_agent_hold(fake_agent.session, id, true), 0);
	for (u32 n = 0; n < 9; n++)
		fake_agent_say_data(serial, 0, data, sizeof(data));
	ck_broken();
}
END_TEST

/* Cancelled from its own callback: not even done comes. */
START_TEST(cancelled)
{
	const struct mhi_msg_exec_exit gone = { 0 };
	u32 serial = begin_exec(MHI_AGENT_EXEC_OUTPUT);

	cancel_in_output = true;
	fake_agent_say_data(serial, 1, "hello", 5);
	ck_assert(fake_agent_hear_type(MHI_MSG_CANCEL, &heard));
	ck_assert_uint_eq(heard.serial, serial);
	fake_agent_say_data(serial, 1, "hello", 5);
	fake_agent_say(MHI_MSG_EXEC_EXIT, serial, &gone);
	fake_agent_say_result(serial, MHI_AGENT_CANCELLED, "");
	ck_assert_uint_eq(bytes_out[1], 5);
	ck_assert_uint_eq(got.done, 0);
	ck_assert_uint_eq(fake_agent.breaks, 0);
	fake_agent_end();
}
END_TEST

START_TEST(wrong_stream)
{
	fake_agent_say_data(begin_exec(MHI_AGENT_EXEC_OUTPUT), 2, "x", 1);
	ck_broken();
	fake_agent_say_data(begin_exec(MHI_AGENT_EXEC_OUTPUT), 33, "x", 1);
	ck_broken();
	fake_agent_say_data(begin_put(1), 0, "x", 1);
	ck_broken();
}
END_TEST

START_TEST(wrong_order)
{
	const struct mhi_msg_exec_exit gone = { 0 };
	const struct mhi_msg_file_is is = { 0 };
	u32 serial;

	fake_agent_say_data(begin_get(), 0, "x", 1); /* not announced */
	ck_broken();
	serial = begin_get();
	fake_agent_say(MHI_MSG_FILE_IS, serial, &is);
	fake_agent_say(MHI_MSG_FILE_IS, serial, &is);
	ck_broken();
	fake_agent_say(MHI_MSG_EXEC_EXIT, begin_get(), &gone);
	ck_broken();
	serial = begin_exec(MHI_AGENT_EXEC_OUTPUT);
	fake_agent_say(MHI_MSG_EXEC_EXIT, serial, &gone);
	fake_agent_say_data(serial, 1, "x", 1);
	ck_broken();
	serial = begin_exec(MHI_AGENT_EXEC_OUTPUT);
	fake_agent_say_data(serial, 1, "", 0);
	fake_agent_say_data(serial, 1, "x", 1);
	ck_broken();
}
END_TEST

START_TEST(endless_credit)
{
	const struct mhi_msg_credit credit = { 0x3fffffff, 0 };
	u32 serial = begin_put(1);

	fake_agent_say(MHI_MSG_CREDIT, serial, &credit);
	ck_broken();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, program);
	tcase_add_test(tcase, program_input);
	tcase_add_test(tcase, file_to_guest);
	tcase_add_test(tcase, unread);
	tcase_add_test(tcase, line_is_full);
	tcase_add_test(tcase, no_memory_for_data);
	tcase_add_test(tcase, put_times_out);
	tcase_add_test(tcase, file_from_guest);
	tcase_add_test(tcase, held);
	tcase_add_test(tcase, cancelled);
	tcase_add_test(tcase, wrong_stream);
	tcase_add_test(tcase, wrong_order);
	tcase_add_test(tcase, endless_credit);
}

UNIT_MAIN("agent_transfer", add_tests)

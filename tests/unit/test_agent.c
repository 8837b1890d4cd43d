// SPDX-License-Identifier: MIT
/* A session with an agent: hello, framing, requests, transfers, and agents that break the rules. */
#include "unit.h"
#include "fake_agent.h"

static struct mhi_agent_msg heard;
static struct {
	u32 count;
	int rc;
	char text[100];
} done;

static void on_done(void *opaque, int rc, const char *text)
{
	done.count++;
	done.rc = rc;
	strncpy(done.text, text, sizeof(done.text) - 1);
}

static void set_up(void)
{
	memset(&done, 0, sizeof(done));
	fake_agent_begin(MH_AGENT_ALL);
}

static void connect(void)
{
	set_up();
	fake_agent_hello(7, MH_AGENT_ALL);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_WELCOME);
}

static bool connected(void)
{
	struct mh_agent_status status = MH_AGENT_STATUS_INIT;

	mhi_agent_status(fake_agent.session, &status);
	return status.connected;
}

static void ticks(u32 count)
{
	while (count--)
		mhi_agent_tick(fake_agent.session);
}

/* The agent breaks a rule, and is cut off; log tells why. */
static void ck_broken(const char *why)
{
	ck_assert_uint_eq(fake_agent.breaks, 1);
	ck_assert(!connected());
	ck_assert_msg(strstr(fake_agent.last_log, why), "\"%s\"", fake_agent.last_log);
	fake_agent_end();
}

static int ask(u32 feature, u32 type, const void *msg)
{
	const struct mhi_agent_plain plain = { feature, type, msg, on_done, NULL };

	return mhi_agent_ask_plain(fake_agent.session, &plain);
}

static int ask_shutdown(void)
{
	const struct mhi_msg_shutdown msg = { 0 };

	return ask(MHI_AGENT_F_POWER, MHI_MSG_SHUTDOWN, &msg);
}

/* ---- hello ---- */

START_TEST(hello)
{
	struct mh_agent_status status = MH_AGENT_STATUS_INIT;

	fake_agent_begin(MH_AGENT_INFO | MH_AGENT_EXEC);
	ck_assert(!mhi_agent_wants_ticks(fake_agent.session));
	fake_agent_hello(99, MH_AGENT_EXEC | MH_AGENT_FILES | 1u << 30);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_WELCOME);
	ck_assert_uint_eq(heard.serial, 99);
	ck_assert_uint_eq(heard.u.welcome.version, 1);
	ck_assert_uint_eq(heard.u.welcome.features, MH_AGENT_EXEC);
	mhi_agent_status(fake_agent.session, &status);
	ck_assert_uint_eq(status.connected, 1);
	ck_assert_uint_eq(status.features, MH_AGENT_EXEC);
	ck_assert_str_eq(status.system, "linux");
	ck_assert_str_eq(status.agent, "fake 1");
	ck_assert_uint_eq(fake_agent.states, 1);
	ck_assert(mhi_agent_wants_ticks(fake_agent.session));
	/* Said twice, it is the same; with other features that is told. */
	fake_agent_hello(99, MH_AGENT_EXEC);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(fake_agent.states, 1);
	fake_agent_hello(99, MH_AGENT_EXEC | MH_AGENT_INFO);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.u.welcome.features, MH_AGENT_EXEC | MH_AGENT_INFO);
	ck_assert_uint_eq(fake_agent.states, 2);
	fake_agent_end();
}
END_TEST

/* Boot noise, pieces of frames, other frames, hellos that are none; then byte by byte. */
START_TEST(noise_before_hello)
{
	struct mhi_msg_hello msg = { 1, MH_AGENT_ALL, "linux", "a", 0 };
	struct mhi_msg_ping ping = { 5, 0 };
	u8 frame[200];
	size_t bytes;

	set_up();
	mhi_agent_receive(fake_agent.session, "\rGRUB MMHMHAMHA1", 16);
	bytes = mhi_agent_encode(frame, sizeof(frame), MHI_MSG_PING, 0, &ping);
	mhi_agent_receive(fake_agent.session, frame, bytes);
	bytes = mhi_agent_encode(frame, sizeof(frame), MHI_MSG_HELLO, 3, &msg);
	mhi_agent_receive(fake_agent.session, frame, bytes - 3);
	frame[20]++; /* a text that is none */
	frame[bytes - 1] = 'x';
	mhi_agent_receive(fake_agent.session, frame, bytes);
	ck_assert(!connected());
	ck_assert(!fake_agent_hear(&heard));
	bytes = mhi_agent_encode(frame, sizeof(frame), MHI_MSG_HELLO, 4, &msg);
	for (size_t n = 0; n < bytes; n++)
		mhi_agent_receive(fake_agent.session, frame + n, 1);
	ck_assert(connected());
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.serial, 4);
	ck_assert_uint_eq(fake_agent.breaks, 0);
	fake_agent_end();
}
END_TEST

/* It was killed, maybe within a frame, and begins anew. */
START_TEST(starts_anew)
{
	connect();
	ck_assert_int_eq(ask_shutdown(), 0);
	fake_agent_hello(8, MH_AGENT_INFO);
	ck_assert_uint_eq(done.count, 1);
	ck_assert_int_eq(done.rc, MH_ESTATE);
	ck_assert_uint_eq(fake_agent.states, 3); /* connected, lost, connected */
	ck_assert(fake_agent_hear_type(MHI_MSG_WELCOME, &heard));
	ck_assert_int_eq(ask_shutdown(), MH_ENOTSUP);
	/* Version 0 is none. */
	fake_agent_end();
	connect();
	mhi_agent_receive(fake_agent.session, "MHA1\6\0\0\0\1\0\0\0\0\377\0\0", 16);
	ticks(29);
	ck_assert(connected());
	ticks(2);
	ck_assert(!connected());
	fake_agent_hello(9, MH_AGENT_ALL);
	ck_assert(connected());
	fake_agent_end();
}
END_TEST

/* A host that is told hello without end does not work without end. */
START_TEST(hellos_without_end)
{
	set_up();
	for (u32 n = 1; n < 1000; n++)
		fake_agent_hello(n, MH_AGENT_ALL);
	ck_assert_uint_le(fake_agent.states, 10);
	ck_assert(!connected());
	ck_assert(mhi_agent_wants_ticks(fake_agent.session));
	ticks(1);
	fake_agent_hello(2000, MH_AGENT_ALL);
	ck_assert(connected());
	/* Nor if its features come and go. */
	fake_agent.states = 0;
	for (u32 n = 1; n < 1000; n++)
		fake_agent_hello(2000, n & 1);
	ck_assert_uint_eq(fake_agent.states, 0);
	ticks(2);
	for (u32 n = 1; n < 1000; n++)
		fake_agent_hello(2000, n & 1);
	ck_assert_uint_le(fake_agent.states, 4);
	fake_agent_end();
}
END_TEST

START_TEST(keep_alive)
{
	const struct mhi_msg_ping ping = { 0x1122334455667788, 0 };

	connect();
	fake_agent_say(MHI_MSG_PING, 0, &ping);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_PONG);
	ck_assert_uint_eq(heard.u.pong.cookie, ping.cookie);
	ticks(9);
	ck_assert(!fake_agent_hear(&heard));
	ticks(1);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_PING);
	fake_agent_say(MHI_MSG_PONG, 0, &heard.u.ping);
	ticks(29);
	ck_assert(connected());
	ticks(1);
	ck_broken("30 seconds");
}
END_TEST

/*
 * A serial line takes minutes for what is queued, and the question whether the agent lives is at
 * the end of that. It was cut off while it read.
 */
START_TEST(slow_line)
{
	const struct mhi_msg_ping ping = { 7, 0 };

	connect();
	fake_agent.room = 0;
	for (u32 i = 0; i < 10; i++)
		fake_agent_say(MHI_MSG_PING, 0, &ping);
	for (u32 i = 0; i < 100; i++) {
		fake_agent.room = 1;
		mhi_agent_room(fake_agent.session);
		ticks(1);
	}
	ck_assert(connected());
	/* Not read any more. */
	ticks(29);
	ck_assert(connected());
	ticks(1);
	ck_broken("30 seconds");
}
END_TEST

/* A type that only newer agents have. */
START_TEST(unknown_type)
{
	connect();
	mhi_agent_receive(fake_agent.session, "MHA1\377\1\0\0\0\0\0\0\2\0\0\0xx", 18);
	ck_assert(connected());
	fake_agent_end();
}
END_TEST

/* ---- requests ---- */

START_TEST(requests)
{
	connect();
	ck_assert_int_eq(ask_shutdown(), 0);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_SHUTDOWN);
	ck_assert_uint_ne(heard.serial, 0);
	fake_agent_say_result(heard.serial + 1, MHI_AGENT_OK, ""); /* nobody's */
	ck_assert_uint_eq(done.count, 0);
	fake_agent_say_result(heard.serial, MHI_AGENT_DENIED, "no");
	fake_agent_say_result(heard.serial, MHI_AGENT_OK, ""); /* too late */
	ck_assert_uint_eq(done.count, 1);
	ck_assert_int_eq(done.rc, MH_EPERM);
	ck_assert_str_eq(done.text, "no");
	/* A code that is none; a request that is never answered. */
	ck_assert_int_eq(ask_shutdown(), 0);
	ck_assert(fake_agent_hear(&heard));
	fake_agent_say_result(heard.serial, 12345, "");
	ck_assert_int_eq(done.rc, MH_EIO);
	ck_assert_int_eq(ask_shutdown(), 0);
	for (u32 n = 0; n < 30; n++) {
		const struct mhi_msg_pong pong = { 0 };

		ck_assert_uint_eq(done.count, 2);
		fake_agent_say(MHI_MSG_PONG, 0, &pong);
		ticks(1);
	}
	ck_assert_uint_eq(done.count, 3);
	ck_assert_int_eq(done.rc, MH_ETIMEDOUT);
	ck_assert(fake_agent_hear_type(MHI_MSG_CANCEL, &heard));
	fake_agent_end();
}
END_TEST

START_TEST(refused_requests)
{
	static char longer[70000];
	const struct mhi_msg_mount mount = { "t", longer, 0, 0 }, bad = { "\xff", "/", 0, 0 };

	set_up();
	ck_assert_int_eq(ask_shutdown(), MH_ESTATE);
	fake_agent_hello(1, MH_AGENT_ALL);
	memset(longer, 'x', sizeof(longer) - 1);
	ck_assert_int_eq(ask(MHI_AGENT_F_MOUNT, MHI_MSG_MOUNT, &mount), MH_ERANGE);
	ck_assert_int_eq(ask(MHI_AGENT_F_MOUNT, MHI_MSG_MOUNT, &bad), MH_ERANGE);
	for (u32 n = 0; n < MHI_AGENT_REQUESTS_MAX; n++)
		ck_assert_int_eq(ask_shutdown(), 0);
	ck_assert_int_eq(ask_shutdown(), MH_EBUSY);
	ck_assert_uint_eq(done.count, 0);
	fake_agent_end();
	ck_assert_uint_eq(done.count, MHI_AGENT_REQUESTS_MAX);
}
END_TEST

/* An agent that does not read: the host's requests wait for themselves, answers end it. */
START_TEST(does_not_read)
{
	static const char zeroes[40000];
	const struct mhi_msg_ping ping = { 0 };
	struct mhi_msg_mount mount = { "t", zeroes, 0, 0 };
	static char path[40000];

	connect();
	fake_agent.room = 0;
	memset(path, '/', sizeof(path) - 1);
	mount.path = path;
	for (u32 n = 0; n < 13; n++)
		ck_assert_int_eq(ask(MHI_AGENT_F_MOUNT, MHI_MSG_MOUNT, &mount), 0);
	for (u32 n = 0; n < 5; n++)
		ask(MHI_AGENT_F_MOUNT, MHI_MSG_MOUNT, &mount);
	ck_assert_int_eq(ask(MHI_AGENT_F_MOUNT, MHI_MSG_MOUNT, &mount), MH_EBUSY);
	for (u32 n = 0; n < 30000 && !fake_agent.breaks; n++)
		fake_agent_say(MHI_MSG_PING, 0, &ping);
	ck_broken("does not read");
}
END_TEST

/* What of a frame was sent goes on when the agent is another one. */
START_TEST(frames_stay_whole)
{
	connect();
	fake_agent.room = 5;
	ck_assert_int_eq(ask_shutdown(), 0);
	ck_assert_int_eq(ask_shutdown(), 0);
	fake_agent_hello(12, MH_AGENT_ALL);
	fake_agent.room = SIZE_MAX;
	mhi_agent_room(fake_agent.session);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_SHUTDOWN);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_WELCOME);
	ck_assert(!fake_agent_hear(&heard));
	fake_agent_end();
}
END_TEST

/* ---- info ---- */

static struct mh_agent_info info;
static char info_address[100], info_user[100], info_os[100];

static void on_info(void *opaque, int rc, const struct mh_agent_info *is)
{
	done.count++;
	done.rc = rc;
	ck_assert_int_eq(!rc, is != NULL);
	if (!is)
		return;
	info = *is;
	strncpy(info_os, is->os_name, sizeof(info_os) - 1);
	if (is->addresses)
		strncpy(info_address, is->address[is->addresses - 1].address,
			sizeof(info_address) - 1);
	if (is->users)
		strncpy(info_user, is->user[is->users - 1].name, sizeof(info_user) - 1);
}

static u32 begin_info(void)
{
	const struct mhi_msg_info msg = { "host", "Debian", "12", "6.1", 1234, 0 };

	connect();
	ck_assert_int_eq(mhi_agent_info(fake_agent.session, on_info, NULL), 0);
	ck_assert(fake_agent_hear_type(MHI_MSG_GET_INFO, &heard));
	fake_agent_say(MHI_MSG_INFO, heard.serial, &msg);
	return heard.serial;
}

START_TEST(info_of_guest)
{
	const struct mhi_msg_info_address address = { "eth0", "", "10.0.2.15", 24, 0 };
	const struct mhi_msg_info_user user = { "root", "tty1", 99, 0 };
	u32 serial = begin_info();

	for (u32 n = 0; n < MHI_AGENT_INFO_MAX; n++) {
		fake_agent_say(MHI_MSG_INFO_ADDRESS, serial, &address);
		fake_agent_say(MHI_MSG_INFO_USER, serial, &user);
	}
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_uint_eq(done.count, 1);
	ck_assert_int_eq(done.rc, 0);
	ck_assert_str_eq(info_os, "Debian");
	ck_assert_uint_eq(info.uptime_ms, 1234);
	ck_assert_uint_eq(info.addresses, MHI_AGENT_INFO_MAX);
	ck_assert_str_eq(info_address, "10.0.2.15");
	ck_assert_uint_eq(info.users, MHI_AGENT_INFO_MAX);
	ck_assert_str_eq(info_user, "root");
	/* Done, and nothing was said. */
	ck_assert_int_eq(mhi_agent_info(fake_agent.session, on_info, NULL), 0);
	ck_assert(fake_agent_hear_type(MHI_MSG_GET_INFO, &heard));
	fake_agent_say_result(heard.serial, MHI_AGENT_OK, "");
	ck_assert_int_eq(done.rc, MH_EIO);
	fake_agent_end();
}
END_TEST

START_TEST(info_without_end)
{
	const struct mhi_msg_info_user user = { "root", "tty1", 99, 0 };
	u32 serial = begin_info();

	for (u32 n = 0; n <= MHI_AGENT_INFO_MAX; n++)
		fake_agent_say(MHI_MSG_INFO_USER, serial, &user);
	ck_assert_uint_eq(done.count, 1);
	ck_assert_int_eq(done.rc, MH_ESTATE);
	ck_broken("does not go with its request");
}
END_TEST

/* ---- agents that break the rules ---- */

START_TEST(no_frame)
{
	connect();
	mhi_agent_receive(fake_agent.session, "boot", 4);
	ck_broken("no frame");
}
END_TEST

START_TEST(not_decoded)
{
	connect();
	mhi_agent_receive(fake_agent.session, "MHA1\3\0\0\0\0\0\0\0\2\0\0\0xx", 18);
	ck_broken("not as the protocol has it");
}
END_TEST

START_TEST(asks_the_host)
{
	const struct mhi_msg_exec exec = { 0 };

	connect();
	fake_agent_say(MHI_MSG_EXEC, MHI_AGENT_SERIAL_GUEST | 1, &exec);
	ck_broken("only the host");
}
END_TEST

START_TEST(answers_itself)
{
	connect();
	fake_agent_say_result(MHI_AGENT_SERIAL_GUEST | 1, 0, "");
	ck_broken("what it has asked itself");
}
END_TEST

START_TEST(long_result)
{
	char text[MHI_AGENT_TEXT_MAX + 1];

	connect();
	ck_assert_int_eq(ask_shutdown(), 0);
	ck_assert(fake_agent_hear(&heard));
	memset(text, 'x', sizeof(text));
	text[MHI_AGENT_TEXT_MAX] = '\0';
	fake_agent_say_result(heard.serial, 0, text);
	ck_broken("text is too long");
}
END_TEST

START_TEST(too_many_messages)
{
	const struct mhi_msg_pong pong = { 0 };

	connect();
	for (u32 n = 0; n < 70000; n++)
		fake_agent_say(MHI_MSG_PONG, 0, &pong);
	ticks(1);
	for (u32 n = 0; n < 70000; n++)
		fake_agent_say(MHI_MSG_PONG, 0, &pong);
	ck_assert(connected());
	for (u32 n = 0; n < 20000; n++)
		fake_agent_say(MHI_MSG_PONG, 0, &pong);
	ck_broken("too many messages");
}
END_TEST

START_TEST(logs_are_few)
{
	set_up();
	for (u32 n = 1; n < 100; n++) {
		ticks(1);
		fake_agent_hello(n, MH_AGENT_ALL);
		mhi_agent_receive(fake_agent.session, "noise", 5);
	}
	ck_assert_uint_eq(fake_agent.breaks, 99);
	ck_assert_uint_eq(fake_agent.logs, 5);
	fake_agent_end();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, hello);
	tcase_add_test(tcase, noise_before_hello);
	tcase_add_test(tcase, starts_anew);
	tcase_add_test(tcase, hellos_without_end);
	tcase_add_test(tcase, keep_alive);
	tcase_add_test(tcase, slow_line);
	tcase_add_test(tcase, unknown_type);
	tcase_add_test(tcase, requests);
	tcase_add_test(tcase, refused_requests);
	tcase_add_test(tcase, does_not_read);
	tcase_add_test(tcase, frames_stay_whole);
	tcase_add_test(tcase, info_of_guest);
	tcase_add_test(tcase, info_without_end);
	tcase_add_test(tcase, no_frame);
	tcase_add_test(tcase, not_decoded);
	tcase_add_test(tcase, asks_the_host);
	tcase_add_test(tcase, answers_itself);
	tcase_add_test(tcase, long_result);
	tcase_add_test(tcase, too_many_messages);
	tcase_add_test(tcase, logs_are_few);
}

UNIT_MAIN("agent", add_tests)

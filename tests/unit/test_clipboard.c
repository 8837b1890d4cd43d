// SPDX-License-Identifier: MIT
/* The clipboard by an agent: offers and contents both ways, the policy, and agents that lie. */
#include "unit.h"
#include "fake_agent.h"

#define GUEST MHI_AGENT_SERIAL_GUEST

static struct mhi_agent_msg heard;
static struct {
	u32 offered, wanted, contents;
	enum mh_clip_selection selection;
	u32 kinds;
	struct mh_clip_request *request[128];
	int rc;
	size_t bytes;
	char text[16];
} got;

static void on_offered(void *opaque, enum mh_clip_selection selection, uint32_t kinds)
{
	got.offered++;
	got.selection = selection;
	got.kinds = kinds;
}

static void on_wanted(void *opaque, enum mh_clip_selection selection, uint32_t kind,
		      struct mh_clip_request *request)
{
	got.request[got.wanted++] = request;
	got.selection = selection;
	got.kinds = kind;
}

static void on_content(void *opaque, int rc, const void *data, size_t bytes)
{
	got.contents++;
	got.rc = rc;
	got.bytes = bytes;
	if (data)
		memcpy(got.text, data, bytes < sizeof(got.text) ? bytes : sizeof(got.text));
}

static const struct mh_clipboard_ops ops = { 1, on_offered, on_wanted };

static void begin_with(const struct mh_clip_policy *policy)
{
	memset(&got, 0, sizeof(got));
	fake_agent_begin_with(policy);
	fake_agent_hello(1, MH_AGENT_ALL);
	ck_assert_int_eq(mhi_clip_start(fake_agent.session, policy, &ops, NULL), 0);
	ck_assert(fake_agent_hear_type(MHI_MSG_WELCOME, &heard));
}

static void begin(void)
{
	const struct mh_clip_policy policy = MH_CLIP_POLICY_INIT;

	begin_with(&policy);
}

static void say_offer(u32 selection, u32 offer, u32 types)
{
	const struct mhi_msg_clip_offer msg = { selection, offer, types, 0 };

	fake_agent_say(MHI_MSG_CLIP_OFFER, 0, &msg);
}

static void say_request(u32 serial, u32 selection, u32 offer, u32 kind)
{
	const struct mhi_msg_clip_request msg = { selection, offer, kind, 0 };

	fake_agent_say(MHI_MSG_CLIP_REQUEST, serial, &msg);
}

/* The host's answer to a request is this code. */
static void ck_result(u32 serial, u32 code)
{
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_RESULT);
	ck_assert_uint_eq(heard.serial, serial);
	ck_assert_uint_eq(heard.u.result.code, code);
}

static void ck_broken(void)
{
	ck_assert_uint_eq(fake_agent.breaks, 1);
	fake_agent_end();
}

static u32 host_offers(u32 kinds)
{
	ck_assert_int_eq(mhi_clip_offer(fake_agent.session, MH_CLIP_CLIPBOARD, kinds), 0);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_CLIP_OFFER);
	return heard.u.clip_offer.offer;
}

static u32 guest_is_asked(u32 kind)
{
	say_offer(0, 9, MHI_AGENT_CLIP_TEXT | MHI_AGENT_CLIP_PNG);
	ck_assert_int_eq(mhi_clip_get(fake_agent.session, 0, kind, on_content, NULL), 0);
	ck_assert(fake_agent_hear_type(MHI_MSG_CLIP_REQUEST, &heard));
	ck_assert_uint_eq(heard.u.clip_request.offer, 9);
	ck_assert_uint_eq(heard.u.clip_request.kind, kind);
	return heard.serial;
}

static void say_size(u32 serial, u64 bytes)
{
	const struct mhi_msg_clip_size size = { bytes, 0 };

	fake_agent_say(MHI_MSG_CLIP_SIZE, serial, &size);
}

/* ---- to the guest ---- */

START_TEST(pasted_in_guest)
{
	u32 offer;

	begin();
	offer = host_offers(MH_CLIP_TEXT | MH_CLIP_FILES);
	ck_assert_uint_eq(heard.u.clip_offer.types, MHI_AGENT_CLIP_TEXT);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_TEXT);
	ck_assert_uint_eq(got.wanted, 1);
	ck_assert_uint_eq(got.kinds, MH_CLIP_TEXT);
	ck_assert_int_eq(mhi_clip_answer(got.request[0], "hello", 5), 0);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.u.clip_size.bytes, 5);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.serial, GUEST | 1);
	ck_assert_mem_eq(heard.u.data.data.data, "hello", 5);
	ck_result(GUEST | 1, MHI_AGENT_OK);
	say_request(GUEST | 2, 0, offer, MHI_AGENT_CLIP_TEXT);
	mhi_clip_refuse(got.request[1]);
	ck_result(GUEST | 2, MHI_AGENT_MISSING);
	/* Empty is something, too. */
	say_request(GUEST | 3, 0, offer, MHI_AGENT_CLIP_TEXT);
	ck_assert_int_eq(mhi_clip_answer(got.request[2], NULL, 0), 0);
	ck_assert(fake_agent_hear(&heard));
	ck_result(GUEST | 3, MHI_AGENT_OK);
	fake_agent_end();
}
END_TEST

/* In pieces, as the agent gives credit. */
START_TEST(large_to_guest)
{
	static u8 data[1 << 20];
	const struct mhi_msg_credit credit = { 1 << 20, 0 };
	u32 offer;
	size_t sent = 0;

	begin();
	offer = host_offers(MH_CLIP_PNG);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_PNG);
	ck_assert_int_eq(mhi_clip_answer(got.request[0], data, sizeof(data)), 0);
	while (fake_agent_hear(&heard))
		sent += heard.type == MHI_MSG_DATA ? heard.u.data.data.bytes : 0;
	ck_assert_uint_eq(sent, MHI_AGENT_WINDOW_BYTES);
	fake_agent_say(MHI_MSG_CREDIT, GUEST | 1, &credit);
	while (fake_agent_hear(&heard))
		sent += heard.type == MHI_MSG_DATA ? heard.u.data.data.bytes : 0;
	ck_assert_uint_eq(sent, sizeof(data));
	ck_assert_uint_eq(heard.type, MHI_MSG_RESULT);
	fake_agent_end();
}
END_TEST

START_TEST(not_allowed_to_guest)
{
	struct mh_clip_policy policy = MH_CLIP_POLICY_INIT;
	u32 offer;

	policy.bytes = 4;
	begin_with(&policy);
	offer = host_offers(MH_CLIP_TEXT);
	say_request(GUEST | 1, 0, offer + 1, MHI_AGENT_CLIP_TEXT);
	ck_result(GUEST | 1, MHI_AGENT_MISSING);
	say_request(GUEST | 1, 1, offer, MHI_AGENT_CLIP_TEXT);
	ck_result(GUEST | 1, MHI_AGENT_MISSING);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_HTML);
	ck_result(GUEST | 1, MHI_AGENT_DENIED);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_TEXT | MHI_AGENT_CLIP_HTML);
	ck_result(GUEST | 1, MHI_AGENT_INVALID);
	say_request(GUEST | 1, 0, offer, 0);
	ck_result(GUEST | 1, MHI_AGENT_INVALID);
	ck_assert_uint_eq(got.wanted, 0);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_TEXT);
	ck_assert_int_eq(mhi_clip_answer(got.request[0], "12345", 5), MH_ERANGE);
	ck_result(GUEST | 1, MHI_AGENT_TOO_LARGE);
	/* An offer that was taken back, or is older than the guest's. */
	ck_assert_uint_ne(host_offers(0), offer);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_TEXT);
	ck_result(GUEST | 1, MHI_AGENT_MISSING);
	offer = host_offers(MH_CLIP_TEXT);
	say_offer(0, 1, MHI_AGENT_CLIP_TEXT);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_TEXT);
	ck_result(GUEST | 1, MHI_AGENT_MISSING);
	fake_agent_end();
	/* One way only: nothing is even offered. */
	policy.directions = MH_CLIP_FROM_GUEST;
	begin_with(&policy);
	ck_assert_int_eq(mhi_clip_offer(fake_agent.session, 0, MH_CLIP_TEXT), 0);
	ck_assert(!fake_agent_hear(&heard));
	say_request(GUEST | 1, 0, 1, MHI_AGENT_CLIP_TEXT);
	ck_result(GUEST | 1, MHI_AGENT_MISSING);
	fake_agent_end();
}
END_TEST

/* What the config does not allow, no start may. */
START_TEST(config_is_the_most)
{
	struct mh_clip_policy least = MH_CLIP_POLICY_INIT, most = MH_CLIP_POLICY_INIT;
	u32 offer;

	memset(&got, 0, sizeof(got));
	least.kinds = MH_CLIP_HTML;
	least.bytes = 3;
	fake_agent_begin_with(&least);
	fake_agent_hello(1, MH_AGENT_ALL);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_int_eq(mhi_clip_start(fake_agent.session, &most, &ops, NULL), 0);
	offer = host_offers(MH_CLIP_TEXT | MH_CLIP_HTML);
	ck_assert_uint_eq(heard.u.clip_offer.types, MHI_AGENT_CLIP_HTML);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_HTML);
	ck_assert_int_eq(mhi_clip_answer(got.request[0], "1234", 4), MH_ERANGE);
	fake_agent_end();
}
END_TEST

/* Only so many at a time; questions that are not answered count beyond the session. */
START_TEST(many_requests)
{
	u32 offer = 0;

	begin();
	for (u32 session = 2; got.wanted < 64; session++) {
		offer = host_offers(MH_CLIP_TEXT);
		for (u32 n = 0; n < 4; n++)
			say_request(GUEST | n, 0, offer, MHI_AGENT_CLIP_TEXT);
		say_request(GUEST | 5, 0, offer, MHI_AGENT_CLIP_TEXT);
		ck_result(GUEST | 5, MHI_AGENT_BUSY);
		mhi_agent_tick(fake_agent.session);
		fake_agent_hello(session, MH_AGENT_ALL);
		ck_assert(fake_agent_hear_type(MHI_MSG_CLIP_OFFER, &heard));
	}
	offer = host_offers(MH_CLIP_TEXT);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_TEXT);
	ck_result(GUEST | 1, MHI_AGENT_BUSY);
	ck_assert_int_eq(mhi_clip_answer(got.request[0], "x", 1), MH_ESTATE);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_TEXT);
	ck_assert_uint_eq(got.wanted, 65);
	fake_agent_end();
	/* The session is gone; the questions are still somebody's. */
	for (u32 n = 1; n < 64; n++)
		mhi_clip_refuse(got.request[n]);
	ck_assert_int_eq(mhi_clip_answer(got.request[64], "x", 1), MH_ESTATE);
}
END_TEST

START_TEST(cancelled_by_guest)
{
	static u8 data[1 << 20];
	const struct mhi_msg_cancel cancel = { 0 };
	u32 offer;

	begin();
	offer = host_offers(MH_CLIP_TEXT);
	say_request(GUEST | 1, 0, offer, MHI_AGENT_CLIP_TEXT);
	fake_agent_say(MHI_MSG_CANCEL, GUEST | 1, &cancel);
	ck_result(GUEST | 1, MHI_AGENT_CANCELLED);
	ck_assert_int_eq(mhi_clip_answer(got.request[0], "x", 1), MH_ESTATE);
	say_request(GUEST | 2, 0, offer, MHI_AGENT_CLIP_TEXT);
	ck_assert_int_eq(mhi_clip_answer(got.request[1], data, sizeof(data)), 0);
	while (fake_agent_hear(&heard))
		continue;
	fake_agent_say(MHI_MSG_CANCEL, GUEST | 2, &cancel);
	ck_result(GUEST | 2, MHI_AGENT_CANCELLED);
	fake_agent_say(MHI_MSG_CANCEL, GUEST | 2, &cancel);
	ck_assert(!fake_agent_hear(&heard));
	fake_agent_end();
}
END_TEST

/* ---- from the guest ---- */

START_TEST(pasted_on_host)
{
	u32 serial;

	begin();
	serial = guest_is_asked(MH_CLIP_TEXT);
	ck_assert_uint_eq(got.offered, 1);
	ck_assert_uint_eq(got.kinds, MH_CLIP_TEXT | MH_CLIP_PNG);
	say_size(serial, 5);
	fake_agent_say_data(serial, 0, "hel", 3);
	fake_agent_say_data(serial, 0, "lo", 2);
	ck_assert_uint_eq(got.contents, 0);
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_uint_eq(got.contents, 1);
	ck_assert_int_eq(got.rc, 0);
	ck_assert_uint_eq(got.bytes, 5);
	ck_assert_mem_eq(got.text, "hello", 5);
	/* Less than was said; another kind than was said; the agent refuses. */
	serial = guest_is_asked(MH_CLIP_TEXT);
	say_size(serial, 5);
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_int_eq(got.rc, MH_EIO);
	serial = guest_is_asked(MH_CLIP_PNG);
	say_size(serial, 9);
	fake_agent_say_data(serial, 0, "GIF89a...", 9);
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_int_eq(got.rc, MH_EFORMAT);
	serial = guest_is_asked(MH_CLIP_PNG);
	say_size(serial, 9);
	fake_agent_say_data(serial, 0, "\x89PNG\r\n\x1a\nx", 9);
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_int_eq(got.rc, 0);
	serial = guest_is_asked(MH_CLIP_TEXT);
	say_size(serial, 1);
	fake_agent_say_data(serial, 0, "\xff", 1);
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_int_eq(got.rc, MH_EFORMAT);
	serial = guest_is_asked(MH_CLIP_TEXT);
	fake_agent_say_result(serial, MHI_AGENT_MISSING, "gone");
	ck_assert_int_eq(got.rc, MH_ENOENT);
	ck_assert_uint_eq(fake_agent.breaks, 0);
	fake_agent_end();
}
END_TEST

START_TEST(refused_on_host)
{
	struct mh_clip_policy policy = MH_CLIP_POLICY_INIT;
	struct mhi_agent *a;
	u32 serial;

	policy.bytes = 100;
	begin_with(&policy);
	a = fake_agent.session;
	ck_assert_int_eq(mhi_clip_get(a, 0, MH_CLIP_TEXT, on_content, NULL), MH_ENOENT);
	say_offer(0, 9, MHI_AGENT_CLIP_FILES);
	ck_assert_uint_eq(got.offered, 0); /* the policy */
	ck_assert_int_eq(mhi_clip_get(a, 0, MH_CLIP_FILES, on_content, NULL), MH_ENOENT);
	serial = guest_is_asked(MH_CLIP_TEXT);
	say_size(serial, 101);
	ck_assert_uint_eq(got.contents, 1);
	ck_assert_int_eq(got.rc, MH_ERANGE);
	ck_assert(fake_agent_hear_type(MHI_MSG_CANCEL, &heard));
	fake_agent_say_data(serial, 0, "x", 1); /* under way */
	fake_agent_say_result(serial, MHI_AGENT_CANCELLED, "");
	for (u32 n = 0; n < 16; n++)
		ck_assert_int_eq(mhi_clip_get(a, 0, MH_CLIP_TEXT, on_content, NULL), 0);
	ck_assert_int_eq(mhi_clip_get(a, 0, MH_CLIP_TEXT, on_content, NULL), MH_EBUSY);
	/* Nobody takes part any more. */
	ck_assert_int_eq(mhi_clip_stop(a), 0);
	ck_assert_uint_eq(got.contents, 17);
	ck_assert_int_eq(got.rc, MH_ESTATE);
	ck_assert_int_eq(mhi_clip_get(a, 0, MH_CLIP_TEXT, on_content, NULL), MH_ESTATE);
	ck_assert_int_eq(mhi_clip_offer(a, 0, MH_CLIP_TEXT), MH_ESTATE);
	ck_assert_int_eq(mhi_clip_stop(a), MH_ENOENT);
	/* Who comes later learns what there is. */
	got.offered = 0;
	ck_assert_int_eq(mhi_clip_start(a, &policy, &ops, NULL), 0);
	ck_assert_uint_eq(got.offered, 1);
	fake_agent_hello(1, MH_AGENT_INFO);
	ck_assert_uint_eq(got.offered, 2);
	ck_assert_uint_eq(got.kinds, 0);
	ck_assert_uint_eq(fake_agent.breaks, 0);
	fake_agent_end();
}
END_TEST

START_TEST(large_from_guest)
{
	static u8 data[32768];
	u32 serial;
	u64 credit = 0;

	begin();
	serial = guest_is_asked(MH_CLIP_TEXT);
	memset(data, 'x', sizeof(data));
	say_size(serial, 5 << 20);
	for (u32 n = 0; n < 5 << 5; n++)
		fake_agent_say_data(serial, 0, data, sizeof(data));
	while (fake_agent_hear(&heard))
		credit += heard.u.credit.bytes;
	ck_assert_uint_eq(credit, 5 << 20);
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	ck_assert_int_eq(got.rc, 0);
	ck_assert_uint_eq(got.bytes, 5 << 20);
	fake_agent_end();
}
END_TEST

START_TEST(breaks)
{
	u32 serial;

	begin();
	serial = guest_is_asked(MH_CLIP_TEXT);
	say_size(serial, 1);
	fake_agent_say_data(serial, 0, "xx", 2);
	ck_broken();
	begin();
	fake_agent_say_data(guest_is_asked(MH_CLIP_TEXT), 0, "x", 1);
	ck_broken();
	begin();
	serial = guest_is_asked(MH_CLIP_TEXT);
	say_size(serial, 1);
	say_size(serial, 1);
	ck_broken();
	begin();
	say_offer(2, 1, 1);
	ck_broken();
	begin();
	say_request(1, 0, 1, 1); /* a serial of the host's */
	ck_broken();
	begin();
	serial = host_offers(MH_CLIP_TEXT);
	say_request(GUEST | 1, 0, serial, MHI_AGENT_CLIP_TEXT);
	say_request(GUEST | 1, 0, serial, MHI_AGENT_CLIP_TEXT);
	ck_broken();
	mhi_clip_refuse(got.request[0]);
	begin();
	fake_agent_hello(1, MH_AGENT_CLIPBOARD);
	say_offer(1, 1, 1); /* no second selection was agreed on */
	ck_broken();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, pasted_in_guest);
	tcase_add_test(tcase, large_to_guest);
	tcase_add_test(tcase, not_allowed_to_guest);
	tcase_add_test(tcase, config_is_the_most);
	tcase_add_test(tcase, many_requests);
	tcase_add_test(tcase, cancelled_by_guest);
	tcase_add_test(tcase, pasted_on_host);
	tcase_add_test(tcase, refused_on_host);
	tcase_add_test(tcase, large_from_guest);
	tcase_add_test(tcase, breaks);
}

UNIT_MAIN("clipboard", add_tests)

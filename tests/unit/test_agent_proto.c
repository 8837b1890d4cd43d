// SPDX-License-Identifier: MIT
/* The agent protocol's codec: messages survive it, and what is none is refused. */
#include <string.h>

#include "unit.h"
#include "base/types.h"
#include "integration/agent_proto.h"

static u8 frame[MHI_AGENT_FRAME];
static struct mhi_agent_msg got;

static size_t encode(u32 type, const void *msg)
{
	size_t bytes = mhi_agent_encode(frame, sizeof(frame), type, 77, msg);

	ck_assert_uint_ge(bytes, MHI_AGENT_HEADER);
	ck_assert_int_eq(mhi_agent_frame(frame, sizeof(frame)), (long)bytes);
	return bytes;
}

/* The payload as the document has it. */
START_TEST(on_the_wire)
{
	static const u8 wire[] = { 'M', 'H', 'A', '1', 0x51, 0, 0, 0, 77, 0, 0, 0,
				   8,	0,   0,	  0,   0,    4, 0, 0, 0,  3, 0, 0 };
	struct mhi_msg_resize msg = { .width = 1024, .height = 768 };

	ck_assert_uint_eq(encode(MHI_MSG_RESIZE, &msg), sizeof(wire));
	ck_assert(!memcmp(frame, wire, sizeof(wire)));
}
END_TEST

START_TEST(every_kind_of_field)
{
	struct mhi_msg_window w = { 0x123456789abcdef0ull,
				    7,
				    MHI_AGENT_W_VISIBLE,
				    -5,
				    -6,
				    640,
				    480,
				    1,
				    2,
				    3,
				    4,
				    "\xc3\x84 \xe6\x97\xa5 \xf0\x9f\x98\x80",
				    "xterm",
				    0 };
	struct mhi_msg_window_icon icon = { 9, 2, 1, { (const u8 *)"12345678", 8 }, 0 };

	encode(MHI_MSG_WINDOW, &w);
	ck_assert_int_eq(mhi_agent_decode(frame, &got), 0);
	ck_assert_uint_eq(got.type, MHI_MSG_WINDOW);
	ck_assert_uint_eq(got.serial, 77);
	ck_assert_uint_eq(got.u.window.id, w.id);
	ck_assert_int_eq(got.u.window.x, -5);
	ck_assert_int_eq(got.u.window.y, -6);
	ck_assert_uint_eq(got.u.window.max_height, 4);
	ck_assert_str_eq(got.u.window.title, w.title);
	ck_assert_str_eq(got.u.window.application, "xterm");
	encode(MHI_MSG_WINDOW_ICON, &icon);
	ck_assert_int_eq(mhi_agent_decode(frame, &got), 0);
	ck_assert_uint_eq(got.u.window_icon.height, 1);
	ck_assert_uint_eq(got.u.window_icon.pixels.bytes, 8);
	ck_assert(!memcmp(got.u.window_icon.pixels.data, "12345678", 8));
}
END_TEST

static const u32 types[] = {
#define NUMBER(NAME, name, number) number,
	MHI_AGENT_MESSAGES(NUMBER)
};

/* Zeroes go through; a payload that is cut anywhere, or goes on, does not. */
START_TEST(cut_or_longer)
{
	static const struct mhi_agent_msg zero;

	for (size_t n = 0; n < MHI_COUNT(types); n++) {
		size_t bytes = encode(types[n], &zero.u);
		bool rest = types[n] == MHI_MSG_DATA || types[n] == MHI_MSG_EXEC ||
			    types[n] == MHI_MSG_WINDOW_STACK || types[n] == MHI_MSG_WINDOW_ICON ||
			    types[n] == MHI_MSG_WINDOW_SHAPE;

		ck_assert_int_eq(mhi_agent_decode(frame, &got), 0);
		ck_assert_uint_eq(got.type, types[n]);
		ck_assert_ptr_nonnull(mhi_agent_name(types[n]));
		frame[12]++;
		ck_assert_int_eq(mhi_agent_decode(frame, &got), rest ? 0 : -1);
		for (size_t cut = MHI_AGENT_HEADER; cut < bytes; cut++) {
			frame[12] = (u8)(cut - MHI_AGENT_HEADER);
			ck_assert_int_eq(mhi_agent_decode(frame, &got), -1);
			ck_assert_uint_eq(mhi_agent_encode(frame, cut, types[n], 77, &zero.u), 0);
			encode(types[n], &zero.u);
		}
	}
}
END_TEST

START_TEST(texts_that_are_none)
{
	static const char *const bad[] = { "\x80",
					   "\xc0\xaf",
					   "\xe0\x80\x80",
					   "\xed\xa0\x80",
					   "\xf4\x90\x80\x80",
					   "\xf5\x80\x80\x80",
					   "a\xc3",
					   "\xff" };
	struct mhi_msg_file_get msg = { "abcd", 0 };
	size_t bytes = encode(MHI_MSG_FILE_GET, &msg);

	for (size_t n = 0; n < MHI_COUNT(bad); n++) {
		struct mhi_msg_file_get wrong = { bad[n], 0 };

		ck_assert_uint_eq(
			mhi_agent_encode(frame, sizeof(frame), MHI_MSG_FILE_GET, 1, &wrong), 0);
		encode(MHI_MSG_FILE_GET, &msg);
		memset(frame + MHI_AGENT_HEADER + 4, 'a', 4);
		memcpy(frame + MHI_AGENT_HEADER + 4, bad[n], strlen(bad[n]));
		ck_assert_int_eq(mhi_agent_decode(frame, &got), -1);
	}
	encode(MHI_MSG_FILE_GET, &msg);
	frame[bytes - 1] = 'e'; /* no final zero */
	ck_assert_int_eq(mhi_agent_decode(frame, &got), -1);
	frame[bytes - 1] = 0;
	frame[bytes - 2] = 0; /* one too early */
	ck_assert_int_eq(mhi_agent_decode(frame, &got), -1);
	encode(MHI_MSG_FILE_GET, &msg);
	memset(frame + MHI_AGENT_HEADER, 0, 4); /* not even a zero */
	ck_assert_int_eq(mhi_agent_decode(frame, &got), -1);
}
END_TEST

START_TEST(frames)
{
	struct mhi_msg_data msg = { 1, { frame, MHI_AGENT_PAYLOAD }, 0 };
	static const struct mhi_agent_msg zero;
	size_t bytes = encode(MHI_MSG_PING, &zero.u);

	for (size_t n = 0; n < bytes; n++)
		ck_assert_int_eq(mhi_agent_frame(frame, n), 0);
	frame[4] = 0xee;
	ck_assert_int_eq(mhi_agent_decode(frame, &got), 1);
	frame[14] = 2; /* 128 KiB */
	ck_assert_int_eq(mhi_agent_frame(frame, sizeof(frame)), -1);
	encode(MHI_MSG_PING, &zero.u);
	frame[2] = 'B';
	ck_assert_int_eq(mhi_agent_frame(frame, 3), -1);
	ck_assert_ptr_null(mhi_agent_name(0xee));
	ck_assert_uint_eq(mhi_agent_encode(frame, sizeof(frame), 0xee, 1, &zero.u), 0);
	ck_assert_uint_eq(mhi_agent_encode(frame, sizeof(frame), MHI_MSG_DATA, 1, &msg), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, on_the_wire);
	tcase_add_test(tcase, every_kind_of_field);
	tcase_add_test(tcase, cut_or_longer);
	tcase_add_test(tcase, texts_that_are_none);
	tcase_add_test(tcase, frames);
}

UNIT_MAIN("agent_proto", add_tests)

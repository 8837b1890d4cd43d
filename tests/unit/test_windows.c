// SPDX-License-Identifier: MIT
/* The guest's windows by an agent: what is told, what is done to them, and lies. */
#include "unit.h"
#include "core/le.h"
#include "fake_agent.h"

static struct mhi_agent_msg heard;
static struct {
	u32 windows, gone, stacks, icons, shapes, damages, pointers, lost;
	struct mh_window window;
	char title[100];
	u64 ids[4];
	u32 ids_count, pixel, rects;
	struct mh_rect rect;
	enum mh_pointer_shape shape;
} got;

static void on_window(void *opaque, const struct mh_window *window)
{
	got.windows++;
	got.window = *window;
	strncpy(got.title, window->title, sizeof(got.title) - 1);
}

static void on_gone(void *opaque, uint64_t id)
{
	got.gone++;
}

static void on_stack(void *opaque, const uint64_t *ids, uint32_t count)
{
	got.stacks++;
	got.ids_count = count;
	for (u32 n = 0; n < count && n < 4; n++)
		got.ids[n] = ids[n];
}

static void on_icon(void *opaque, uint64_t id, uint32_t width, uint32_t height,
		    const uint32_t *pixels)
{
	got.icons++;
	got.pixel = pixels[width * height - 1];
}

static void on_shape(void *opaque, uint64_t id, const struct mh_rect *rects, uint32_t count)
{
	got.shapes++;
	got.rects = count;
	if (count)
		got.rect = rects[count - 1];
}

static void on_damage(void *opaque, uint64_t id, const struct mh_rect *rect)
{
	got.damages++;
	got.rect = *rect;
}

static void on_pointer(void *opaque, enum mh_pointer_shape shape)
{
	got.pointers++;
	got.shape = shape;
}

static void on_lost(void *opaque)
{
	got.lost++;
}

static const struct mh_seamless_ops ops = { 1,	      on_window, on_gone,    on_stack, on_icon,
					    on_shape, on_damage, on_pointer, on_lost };

static void say(u32 type, const void *msg)
{
	fake_agent_say(type, 0, msg);
}

static void say_window(u64 id, u64 parent)
{
	const struct mhi_msg_window msg = {
		id, parent, ~0u, -3, 4, 50, 60, 1, 2, 3, 4, "t", "a", 0
	};

	say(MHI_MSG_WINDOW, &msg);
}

static void say_ids(const u64 *ids, u32 count)
{
	u8 bytes[64];
	const struct mhi_msg_window_stack msg = { { bytes, 8 * count }, 0 };

	for (u32 n = 0; n < count; n++)
		mhi_put_le64(bytes + (size_t)8 * n, ids[n]);
	say(MHI_MSG_WINDOW_STACK, &msg);
}

static void begin(void)
{
	memset(&got, 0, sizeof(got));
	fake_agent_begin(MH_AGENT_ALL);
	fake_agent_hello(1, MH_AGENT_ALL);
	ck_assert_int_eq(mhi_windows_start(fake_agent.session, &ops, NULL), 0);
	ck_assert(fake_agent_hear_type(MHI_MSG_SEAMLESS, &heard));
	ck_assert_uint_eq(heard.u.seamless.on, 1);
	fake_agent_say_result(heard.serial, MHI_AGENT_OK, "");
}

static void ck_broken(void)
{
	ck_assert_uint_eq(fake_agent.breaks, 1);
	ck_assert_uint_eq(got.lost, 1);
	fake_agent_end();
}

START_TEST(told)
{
	const struct mhi_msg_window_gone gone = { 5, 0 };

	begin();
	say_window(5, 0);
	ck_assert_uint_eq(got.windows, 1);
	ck_assert_uint_eq(got.window.id, 5);
	ck_assert_uint_eq(got.window.flags, 0x1fff);
	ck_assert_int_eq(got.window.rect.x, -3);
	ck_assert_uint_eq(got.window.rect.height, 60);
	ck_assert_uint_eq(got.window.max_height, 4);
	ck_assert_str_eq(got.title, "t");
	say_window(3, 5);
	ck_assert_uint_eq(got.window.parent, 5);
	say_ids((const u64[]){ 9, 5, 3 }, 3);
	ck_assert_uint_eq(got.ids_count, 2);
	ck_assert_uint_eq(got.ids[0], 5);
	say(MHI_MSG_WINDOW_GONE, &gone);
	say(MHI_MSG_WINDOW_GONE, &gone);
	ck_assert_uint_eq(got.gone, 1);
	say_ids((const u64[]){ 5, 3 }, 2);
	ck_assert_uint_eq(got.ids_count, 1);
	ck_assert_uint_eq(got.ids[0], 3);
	ck_assert_uint_eq(fake_agent.breaks, 0);
	fake_agent_end();
	ck_assert_uint_eq(got.lost, 1);
}
END_TEST

START_TEST(pictures)
{
	static const u8 pixels[] = { 1, 2, 3, 4, 0x44, 0x33, 0x22, 0x11 };
	const struct mhi_msg_window_icon icon = { 5, 2, 1, { pixels, 8 }, 0 };
	const struct mhi_msg_window_icon other = { 6, 2, 1, { pixels, 8 }, 0 };
	u8 rect[16] = { 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 3, 0, 0, 0, 4 };
	const struct mhi_msg_window_shape shape = { 5, { rect, 16 }, 0 }, whole = { 5, { 0 }, 0 };
	const struct mhi_msg_window_damage damage = { 5, 1, 2, 3, 4, 0 };
	const struct mhi_msg_pointer_shape hand = { MHI_AGENT_PTR_HAND, 0 }, none = { 999, 0 };

	begin();
	say_window(5, 0);
	say(MHI_MSG_WINDOW_ICON, &icon);
	say(MHI_MSG_WINDOW_ICON, &other);
	ck_assert_uint_eq(got.icons, 1);
	ck_assert_uint_eq(got.pixel, 0x11223344);
	say(MHI_MSG_WINDOW_SHAPE, &shape);
	ck_assert_uint_eq(got.rects, 1);
	ck_assert_int_eq(got.rect.x, -1);
	ck_assert_uint_eq(got.rect.height, 4);
	say(MHI_MSG_WINDOW_SHAPE, &whole);
	ck_assert_uint_eq(got.rects, 0);
	ck_assert_uint_eq(got.shapes, 2);
	say(MHI_MSG_WINDOW_DAMAGE, &damage);
	ck_assert_uint_eq(got.damages, 1);
	ck_assert_uint_eq(got.rect.width, 3);
	say(MHI_MSG_POINTER_SHAPE, &hand);
	ck_assert_int_eq(got.shape, MH_POINTER_HAND);
	say(MHI_MSG_POINTER_SHAPE, &none);
	ck_assert_int_eq(got.shape, MH_POINTER_DEFAULT);
	fake_agent_end();
}
END_TEST

/* A compositor that follows parents must come to an end. */
START_TEST(parents)
{
	begin();
	say_window(1, 1);
	ck_assert_uint_eq(got.window.parent, 0);
	say_window(2, 1);
	ck_assert_uint_eq(got.window.parent, 1);
	say_window(1, 2);
	ck_assert_uint_eq(got.window.parent, 0);
	say_window(3, 2);
	ck_assert_uint_eq(got.window.parent, 2);
	say_window(1, 3);
	ck_assert_uint_eq(got.window.parent, 0);
	say_window(4, 77); /* not there */
	ck_assert_uint_eq(got.window.parent, 0);
	fake_agent_end();
}
END_TEST

START_TEST(done_to_them)
{
	const struct mh_rect rect = { 1, 2, 3, 4 }, flat = { 1, 2, 3, 0 }, far = { 40000, 2, 3, 4 };

	begin();
	say_window(5, 0);
	ck_assert_int_eq(mhi_windows_configure(fake_agent.session, 5, &rect), 0);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.type, MHI_MSG_WINDOW_MOVE);
	ck_assert_uint_eq(heard.serial, 0);
	ck_assert_uint_eq(heard.u.window_move.height, 4);
	ck_assert_int_eq(mhi_windows_configure(fake_agent.session, 5, &flat), MH_EINVAL);
	ck_assert_int_eq(mhi_windows_configure(fake_agent.session, 5, &far), MH_EINVAL);
	ck_assert_int_eq(mhi_windows_configure(fake_agent.session, 6, &rect), MH_ENOENT);
	ck_assert_int_eq(mhi_windows_act(fake_agent.session, 5, MH_WINDOW_CLOSE), 0);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.u.window_act.action, MHI_AGENT_ACT_CLOSE);
	ck_assert_int_eq(mhi_windows_act(fake_agent.session, 5, MH_WINDOW_CLOSE + 1), MH_EINVAL);
	ck_assert_int_eq(mhi_windows_work_area(fake_agent.session, &rect, 59), MH_EINVAL);
	ck_assert_int_eq(mhi_windows_work_area(fake_agent.session, &rect, 240), 0);
	ck_assert(fake_agent_hear(&heard));
	ck_assert_uint_eq(heard.u.work_area.scale, 240);
	fake_agent.room = 0;
	while (!mhi_windows_act(fake_agent.session, 5, MH_WINDOW_RAISE))
		continue;
	ck_assert_int_eq(mhi_windows_act(fake_agent.session, 5, MH_WINDOW_RAISE), MH_EBUSY);
	/* Another agent learns the area. */
	fake_agent.room = SIZE_MAX;
	fake_agent_hello(2, MH_AGENT_WINDOWS);
	ck_assert_uint_eq(got.lost, 1);
	ck_assert_int_eq(mhi_windows_act(fake_agent.session, 5, MH_WINDOW_RAISE), MH_ENOENT);
	ck_assert(fake_agent_hear_type(MHI_MSG_WORK_AREA, &heard));
	ck_assert(fake_agent_hear_type(MHI_MSG_SEAMLESS, &heard));
	fake_agent_end();
}
END_TEST

/* Windows that are told after the end, or before the beginning. */
START_TEST(stopped_and_started)
{
	begin();
	say_window(5, 0);
	ck_assert_int_eq(mhi_windows_start(fake_agent.session, &ops, NULL), MH_EBUSY);
	ck_assert_int_eq(mhi_windows_stop(fake_agent.session), 0);
	ck_assert_int_eq(mhi_windows_stop(fake_agent.session), MH_ENOENT);
	ck_assert(fake_agent_hear_type(MHI_MSG_SEAMLESS, &heard));
	ck_assert_uint_eq(heard.u.seamless.on, 0);
	say_window(6, 0);
	ck_assert_int_eq(mhi_windows_start(fake_agent.session, &ops, NULL), 0);
	say_window(7, 0);
	fake_agent_say_result(heard.serial, MHI_AGENT_OK, "");
	say_window(8, 0);
	ck_assert_uint_eq(got.windows, 1);
	ck_assert(fake_agent_hear_type(MHI_MSG_SEAMLESS, &heard));
	fake_agent_say_result(heard.serial, MHI_AGENT_OK, "");
	say_window(9, 0);
	ck_assert_uint_eq(got.windows, 2);
	/* The X server in the guest ends: the feature goes, and comes again. */
	fake_agent_hello(1, MH_AGENT_INFO);
	ck_assert_uint_eq(got.lost, 1);
	fake_agent_hello(1, MH_AGENT_ALL);
	ck_assert(fake_agent_hear_type(MHI_MSG_SEAMLESS, &heard));
	fake_agent_say_result(heard.serial, MHI_AGENT_OK, "");
	say_window(9, 0);
	ck_assert_uint_eq(got.windows, 3);
	ck_assert_uint_eq(fake_agent.breaks, 0);
	fake_agent_end();
}
END_TEST

/* All places for requests are taken: it is asked later. */
START_TEST(asked_later)
{
	const struct mhi_msg_get_info info = { 0 };
	const struct mhi_agent_plain plain = { MHI_AGENT_F_INFO, MHI_MSG_GET_INFO, &info, NULL,
					       NULL };
	u32 serial;

	fake_agent_begin(MH_AGENT_ALL);
	fake_agent_hello(1, MH_AGENT_ALL);
	for (u32 n = 0; n < MHI_AGENT_REQUESTS_MAX; n++)
		ck_assert_int_eq(mhi_agent_ask_plain(fake_agent.session, &plain), 0);
	ck_assert_int_eq(mhi_windows_start(fake_agent.session, &ops, NULL), 0);
	while (fake_agent_hear(&heard) && heard.type != MHI_MSG_GET_INFO)
		continue;
	serial = heard.serial;
	ck_assert(!fake_agent_hear_type(MHI_MSG_SEAMLESS, &heard));
	fake_agent_say_result(serial, MHI_AGENT_OK, "");
	mhi_agent_tick(fake_agent.session);
	ck_assert(fake_agent_hear_type(MHI_MSG_SEAMLESS, &heard));
	fake_agent_end();
}
END_TEST

START_TEST(too_many)
{
	begin();
	for (u64 n = 1; n <= MHI_AGENT_WINDOWS_MAX; n++)
		say_window(n * 77 % 1031 + 1, 0);
	ck_assert_uint_eq(got.windows, MHI_AGENT_WINDOWS_MAX);
	ck_assert_uint_eq(fake_agent.breaks, 0);
	say_window(5000, 0);
	ck_broken();
}
END_TEST

/* Each of them ends it. */
START_TEST(lies)
{
	static char title[MHI_AGENT_TITLE_MAX + 1];
	static u8 bytes[8 * MHI_AGENT_WINDOWS_MAX + 8], rects[16 * MHI_AGENT_RECTS_MAX + 16];
	const struct mhi_msg_window windows[] = {
		{ 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, "", "", 0 },
		{ 1, 0, 0, 40000, 0, 1, 1, 0, 0, 0, 0, "", "", 0 },
		{ 1, 0, 0, 0, -2147483647, 1, 1, 0, 0, 0, 0, "", "", 0 },
		{ 1, 0, 0, 0, 0, 16385, 1, 0, 0, 0, 0, "", "", 0 },
		{ 1, 0, 0, 0, 0, 1, ~0u, 0, 0, 0, 0, "", "", 0 },
		{ 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, title, "", 0 },
		{ 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, "", title, 0 },
	};
	const struct mhi_msg_window_icon icons[] = {
		{ 5, 0, 1, { bytes, 0 }, 0 },
		{ 5, 97, 1, { bytes, 97 * 4 }, 0 },
		{ 5, 0x10000, 0x10000, { bytes, 0 }, 0 },
		{ 5, 2, 2, { bytes, 15 }, 0 },
	};
	const struct mhi_msg_window_stack stacks[] = { { { bytes, 7 }, 0 },
						       { { bytes, sizeof(bytes) }, 0 } };
	const struct mhi_msg_window_shape shapes[] = { { 5, { rects, 15 }, 0 },
						       { 5, { rects, sizeof(rects) }, 0 } };
	const struct mhi_msg_window_damage damage = { 5, 0, 0, 70000, 1, 0 };
	u64 twice[] = { 5, 5 };

	memset(title, 'x', MHI_AGENT_TITLE_MAX);
#define LIE(type, msg)            \
	do {                      \
		begin();          \
		say_window(5, 0); \
		say(type, msg);   \
		ck_broken();      \
	} while (0)
	for (size_t n = 0; n < MHI_COUNT(windows); n++)
		LIE(MHI_MSG_WINDOW, &windows[n]);
	for (size_t n = 0; n < MHI_COUNT(icons); n++)
		LIE(MHI_MSG_WINDOW_ICON, &icons[n]);
	for (size_t n = 0; n < MHI_COUNT(stacks); n++)
		LIE(MHI_MSG_WINDOW_STACK, &stacks[n]);
	for (size_t n = 0; n < MHI_COUNT(shapes); n++)
		LIE(MHI_MSG_WINDOW_SHAPE, &shapes[n]);
	LIE(MHI_MSG_WINDOW_DAMAGE, &damage);
	begin();
	say_window(5, 0);
	say_ids(twice, 2);
	ck_broken();
	/* Not agreed on. */
	memset(&got, 0, sizeof(got));
	fake_agent_begin(MH_AGENT_INFO);
	fake_agent_hello(1, MH_AGENT_ALL);
	say_window(5, 0);
	ck_assert_uint_eq(fake_agent.breaks, 1);
	fake_agent_end();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, told);
	tcase_add_test(tcase, pictures);
	tcase_add_test(tcase, parents);
	tcase_add_test(tcase, done_to_them);
	tcase_add_test(tcase, stopped_and_started);
	tcase_add_test(tcase, asked_later);
	tcase_add_test(tcase, too_many);
	tcase_add_test(tcase, lies);
}

UNIT_MAIN("windows", add_tests)

// SPDX-License-Identifier: MIT
/* The Windows agent's windows: just the differences are told, and all of them in the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "../../tools/guest-agent/windows/win_diff.h"

static struct win_diff diff;
static char told[4096]; /* a word for each message */
static int room;	/* messages that are taken */

static bool tell(void *opaque, uint32_t type, const void *msg)
{
	const struct mhi_msg_window *w = msg;
	const struct mhi_msg_window_stack *stack = msg;
	char text[64];

	if (!room)
		return false;
	room--;
	if (type == MHI_MSG_WINDOW_STACK)
		snprintf(text, sizeof(text), "stack%u ", stack->ids.bytes / 8);
	else if (type == MHI_MSG_POINTER_SHAPE)
		snprintf(text, sizeof(text), "pointer ");
	else
		snprintf(text, sizeof(text), "%s%u%s ",
			 type == MHI_MSG_WINDOW	       ? "+"
			 : type == MHI_MSG_WINDOW_GONE ? "-"
						       : "icon",
			 (unsigned)w->id, type == MHI_MSG_WINDOW ? w->title : "");
	strncat(told, text, sizeof(told) - strlen(told) - 1);
	return true;
}

/* A look at windows with these numbers, the lowest first. */
static struct win_look *look_at(const char *ids)
{
	struct win_look *look = win_look_new(16);

	for (; *ids; ids++)
		look->windows[look->count++].id = (uint64_t)(*ids - '0');
	return look;
}

static void tells(const struct win_look *look, int messages, bool all, const char *expected)
{
	told[0] = 0;
	room = messages;
	ck_assert_int_eq(win_diff_tell(&diff, look, tell, NULL), all);
	ck_assert_str_eq(told, expected);
}

START_TEST(only_differences)
{
	struct win_look *look = look_at("123"), *other = look_at("31");

	tells(look, 99, true, "+1 +2 +3 stack3 ");
	tells(look, 99, true, "");
	look->windows[1].title[0] = 't';
	look->windows[2].x = 5;
	tells(look, 99, true, "+2t +3 ");
	other->pointer = MHI_AGENT_PTR_TEXT;
	tells(other, 99, true, "-2 +3 stack2 pointer ");
	win_diff_forget(&diff);
	tells(other, 99, true, "+3 +1 stack2 pointer ");
	win_diff_forget(&diff);
	win_look_free(look);
	win_look_free(other);
}
END_TEST

/* Each message that has no room comes first the next time; nothing comes twice. */
START_TEST(without_room)
{
	struct win_look *look = look_at("12"), *other = look_at("23");

	tells(look, 1, false, "+1 ");
	tells(look, 0, false, "");
	tells(look, 1, false, "+2 ");
	tells(other, 1, false, "-1 ");
	tells(other, 1, false, "+3 ");
	tells(other, 1, true, "stack2 ");
	tells(other, 0, true, "");
	win_diff_forget(&diff);
	win_look_free(look);
	win_look_free(other);
}
END_TEST

START_TEST(icons)
{
	struct win_look *look = look_at("12"), *again = look_at("12"), *none = look_at("2");

	look->windows[0].icon = win_icon_new(2, 3);
	again->windows[0].icon = win_icon_get(look->windows[0].icon);
	tells(look, 99, true, "+1 +2 stack2 icon1 ");
	win_look_free(look);
	tells(again, 99, true, "");
	again->windows[0].width = 9;
	tells(again, 99, true, "+1 ");
	win_icon_put(again->windows[0].icon);
	again->windows[0].icon = win_icon_new(2, 3);
	tells(again, 99, true, "icon1 ");
	tells(none, 99, true, "-1 stack1 ");
	win_diff_forget(&diff);
	win_look_free(again);
	win_look_free(none);
	ck_assert_ptr_null(win_icon_new(0, 1));
	ck_assert_ptr_null(win_icon_new(MHI_AGENT_ICON_MAX + 1, 1));
}
END_TEST

/* More windows than anybody may have at a time: the rest is left out, and nothing is overrun. */
START_TEST(as_many_as_there_may_be)
{
	struct win_look *look = win_look_new(MHI_AGENT_WINDOWS_MAX);

	look->count = MHI_AGENT_WINDOWS_MAX;
	for (uint32_t n = 0; n < look->count; n++)
		look->windows[n].id = n + 1;
	room = 5000;
	ck_assert(win_diff_tell(&diff, look, tell, NULL));
	ck_assert_int_eq(room, 5000 - (int)MHI_AGENT_WINDOWS_MAX - 1);
	for (uint32_t n = 0; n < look->count; n++)
		look->windows[n].id += 7;
	ck_assert(win_diff_tell(&diff, look, tell, NULL));
	win_diff_forget(&diff);
	win_look_free(look);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, only_differences);
	tcase_add_test(tcase, without_room);
	tcase_add_test(tcase, icons);
	tcase_add_test(tcase, as_many_as_there_may_be);
}

UNIT_MAIN("win_diff", add_tests)

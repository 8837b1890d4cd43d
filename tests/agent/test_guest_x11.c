// SPDX-License-Identifier: MIT
/* The agent of an X11 desktop, as a host sees it: windows and input, with a window manager. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desktop.h"

#define SERIAL 7u

static struct desktop d;
static struct host h;
static pid_t programs[8];
static size_t program_count;

static void start_desktop(void)
{
	desktop_start(&d);
}

static void stop_desktop(void)
{
	desktop_stop(&d);
}

static void start(void)
{
	struct mhi_msg_seamless on = { 1, 0 };

	d.host = &h;
	d.count = d.stacked = 0;
	program_count = 0;
	host_start(&h, getenv("AGENT_X11"), NULL);
	host_say(&h, MHI_MSG_SEAMLESS, SERIAL, &on);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_OK);
}

static void stop(void)
{
	for (size_t n = 0; n < program_count; n++)
		host_kill(programs[n]);
	ck_assert_int_eq(host_stop(&h), 0);
}

static void run(const char *const arguments[])
{
	programs[program_count++] = host_run(arguments);
}

static void run_xterm(const char *title, const char *geometry, const char *script)
{
	const char *const arguments[] = { "xterm", "-T",      title, "-geometry", geometry,
					  "-e",	   "/bin/sh", "-c",  script,	  NULL };

	run(arguments);
}

static void run_xeyes(const char *title, const char *geometry)
{
	const char *const arguments[] = { "xeyes", "-title", title, "-geometry", geometry, NULL };

	run(arguments);
}

/* ---- what is told ---- */

static bool is_where_it_is(struct desktop *desktop, void *title)
{
	struct seen *w = desktop_window(desktop, title), truth = desktop_truth(title);

	return w->x == truth.x && w->y == truth.y && w->width == truth.width &&
	       w->height == truth.height;
}

static void await_place(const char *title)
{
	desktop_await(&d, is_where_it_is, (void *)(uintptr_t)title, "the place of a window");
}

static bool has_damage(struct desktop *desktop, void *id)
{
	struct seen *w = desktop_find(desktop, *(uint64_t *)id);

	return w && w->damages > 5;
}

START_TEST(windows)
{
	struct seen *w;
	uint64_t id;

	run_xterm("alpha", "40x10+100+80", "while sleep 0.1; do date; done");
	w = desktop_window(&d, "alpha");
	id = w->id;
	ck_assert_str_eq(w->application, "XTerm");
	ck_assert_uint_gt(w->min_width, 0);
	ck_assert_uint_eq(w->flags & (MHI_AGENT_W_POPUP | MHI_AGENT_W_DIALOG |
				      MHI_AGENT_W_DECORATED | MHI_AGENT_W_MINIMISED),
			  0);
	await_place("alpha");
	desktop_await(&d, has_damage, &id, "damage of what changes all the time");
	shell("xdotool search --name '^alpha$' windowmove 400 300");
	await_place("alpha");
	ck_assert_int_gt(desktop_find(&d, id)->x, 390);
	shell("xprop -name alpha -f _NET_WM_NAME 8u -set _NET_WM_NAME 'be\xc3\xa4ta'");
	ck_assert_uint_eq(desktop_window(&d, "be\xc3\xa4ta")->id, id);
	host_kill(programs[0]);
	programs[0] = 0;
	desktop_gone(&d, id);
	ck_assert_uint_eq(d.count, 0);
}
END_TEST

static bool has_rects(struct desktop *desktop, void *id)
{
	struct seen *w = desktop_find(desktop, *(uint64_t *)id);

	return w && w->rects > 10;
}

/* Two eyes: a window that is no rectangle. */
START_TEST(shape)
{
	uint64_t id;

	run_xeyes("eyes", "200x150+50+60");
	id = desktop_window(&d, "eyes")->id;
	desktop_await(&d, has_rects, &id, "the rectangles of a shape");
}
END_TEST

static bool has_icon(struct desktop *desktop, void *id)
{
	return desktop_find(desktop, *(uint64_t *)id)->icon;
}

START_TEST(gtk_dialog)
{
	static const char *const zenity[] = { "zenity", "--info",      "--title", "Greeting",
					      "--text", "Hello, host", NULL };
	struct mhi_msg_window_act act = { 0, MHI_AGENT_ACT_CLOSE, 0 };
	struct seen *w;

	run(zenity);
	w = desktop_window(&d, "Greeting");
	ck_assert_str_eq(w->application, "Zenity");
	ck_assert_uint_ne(w->flags & MHI_AGENT_W_DIALOG, 0);
	act.id = w->id;
	await_place("Greeting");
	desktop_await(&d, has_icon, &act.id, "an icon");
	host_say(&h, MHI_MSG_WINDOW_ACT, 0, &act);
	desktop_gone(&d, act.id);
}
END_TEST

/* ---- what is done ---- */

struct want {
	uint64_t id;
	uint32_t set, clear;
};

static bool has_flags(struct desktop *desktop, void *opaque)
{
	struct want *want = opaque;
	struct seen *w = desktop_find(desktop, want->id);

	return w && (w->flags & (want->set | want->clear)) == want->set;
}

static void act(uint64_t id, uint32_t action, uint32_t set, uint32_t clear)
{
	struct mhi_msg_window_act msg = { id, action, 0 };
	struct want want = { id, set, clear };

	host_say(&h, MHI_MSG_WINDOW_ACT, 0, &msg);
	desktop_await(&d, has_flags, &want, "a window's state");
}

static bool is_at(struct desktop *desktop, void *opaque)
{
	struct mhi_msg_window_move *at = opaque;
	struct seen *w = desktop_find(desktop, at->id);

	return w->x == at->x && w->y == at->y && w->width == at->width && w->height == at->height;
}

/* Where it was before is up to the window manager. */
static bool has_size(struct desktop *desktop, void *opaque)
{
	struct mhi_msg_window_move *at = opaque;
	struct seen *w = desktop_find(desktop, at->id);

	return w->width == at->width && w->height == at->height;
}

/* The first window, which may be on its way there. */
static bool fills(struct desktop *desktop, void *opaque)
{
	struct mhi_msg_work_area *area = opaque;
	struct seen *w = desktop_window(desktop, "one");

	return w->x >= area->x && w->y >= area->y && w->width > area->width * 9 / 10 &&
	       w->x + (int32_t)w->width <= area->x + (int32_t)area->width &&
	       w->y + (int32_t)w->height <= area->y + (int32_t)area->height;
}

static bool is_above(struct desktop *desktop, void *id)
{
	return desktop->stacked && desktop->stack[desktop->stacked - 1] == *(uint64_t *)id;
}

START_TEST(actions)
{
	struct mhi_msg_window_move at = { 0, 333, 222, 300, 200, 0 };
	struct mhi_msg_work_area area = { 100, 50, 1000, 600, 240, 0 };
	uint64_t one, two;

	run_xeyes("one", "200x150+50+60");
	run_xterm("two", "20x10+350+60", "sleep 1000"); /* eyes take no keyboard */
	one = desktop_window(&d, "one")->id;
	two = desktop_window(&d, "two")->id;
	at.id = one;
	host_say(&h, MHI_MSG_WINDOW_MOVE, 0, &at);
	desktop_await(&d, is_at, &at, "a window to move where the host wants it");
	await_place("one");
	act(one, MHI_AGENT_ACT_MINIMISE, MHI_AGENT_W_MINIMISED, MHI_AGENT_W_VISIBLE);
	act(one, MHI_AGENT_ACT_RESTORE, MHI_AGENT_W_VISIBLE, MHI_AGENT_W_MINIMISED);
	host_say(&h, MHI_MSG_WORK_AREA, 0, &area);
	act(one, MHI_AGENT_ACT_MAXIMISE, MHI_AGENT_W_MAXIMISED, 0);
	desktop_await(&d, fills, &area, "the work area to be filled");
	ck_assert_ptr_nonnull(strstr(shell("xprop -root RESOURCE_MANAGER"), "Xft.dpi:\\t192"));
	act(one, MHI_AGENT_ACT_RESTORE, 0, MHI_AGENT_W_MAXIMISED);
	desktop_await(&d, has_size, &at, "a window to have its size again");
	act(two, MHI_AGENT_ACT_ACTIVATE, MHI_AGENT_W_ACTIVE, 0);
	desktop_await(&d, is_above, &two, "a window to be above");
	act(one, MHI_AGENT_ACT_RAISE, 0, 0);
	desktop_await(&d, is_above, &one, "another one to be above");
	act(one, MHI_AGENT_ACT_LOWER, 0, 0);
	desktop_await(&d, is_above, &two, "that one to be below");
	act(two, MHI_AGENT_ACT_DEACTIVATE, 0, MHI_AGENT_W_ACTIVE);
	act(two, MHI_AGENT_ACT_ACTIVATE, MHI_AGENT_W_ACTIVE, 0);
	host_say(&h, MHI_MSG_WINDOW_ACT, 0,
		 &(struct mhi_msg_window_act){ two, MHI_AGENT_ACT_CLOSE, 0 });
	desktop_gone(&d, two);
	ck_assert_uint_eq(d.count, 1);
}
END_TEST

/* ---- input ---- */

static void key(uint32_t code, uint32_t down)
{
	struct mhi_msg_key msg = { code, down, 0 };

	host_say(&h, MHI_MSG_KEY, 0, &msg);
}

static void button(uint32_t down)
{
	struct mhi_msg_button msg = { 0x110, down, 0 };

	host_say(&h, MHI_MSG_BUTTON, 0, &msg);
}

static void point(const struct seen *w)
{
	struct mhi_msg_pointer msg = { w->x + 50, w->y + 40, 0 };

	host_say(&h, MHI_MSG_POINTER, 0, &msg);
}

#define CTRL 29u

static bool has_popup(struct desktop *desktop, void *parent)
{
	for (size_t n = 0; n < desktop->count; n++)
		if (desktop->windows[n].flags & MHI_AGENT_W_POPUP &&
		    desktop->windows[n].parent == *(uint64_t *)parent)
			return true;
	return false;
}

static bool has_no_popup(struct desktop *desktop, void *parent)
{
	return !has_popup(desktop, parent);
}

/* xterm's menu, as its user gets it: the pointer, the control key, the button. */
START_TEST(popup)
{
	struct seen *w;
	uint64_t id;

	run_xterm("menu", "60x20+200+150", "sleep 1000");
	w = desktop_window(&d, "menu");
	id = w->id;
	act(id, MHI_AGENT_ACT_ACTIVATE, MHI_AGENT_W_ACTIVE, 0);
	await_place("menu");
	point(desktop_find(&d, id));
	key(CTRL, 1);
	button(1);
	desktop_await(&d, has_popup, &id, "a menu of the window");
	for (size_t n = 0; n < d.count; n++)
		if (d.windows[n].flags & MHI_AGENT_W_POPUP) {
			ck_assert_int_le(d.windows[n].x, desktop_find(&d, id)->x + 50);
			ck_assert_int_ge(d.windows[n].x + (int32_t)d.windows[n].width,
					 desktop_find(&d, id)->x + 50);
			ck_assert_uint_gt(d.windows[n].height, 50);
			desktop_await(&d, is_above, &d.windows[n].id, "the menu to be above");
		}
	button(0);
	key(CTRL, 0);
	desktop_await(&d, has_no_popup, &id, "the menu to go");
}
END_TEST

START_TEST(typing)
{
	static const uint32_t keys[] = { 35, 18, 38, 38, 24, 28 }; /* h e l l o, enter */
	char script[256];
	uint64_t id;

	/* It has a title of its own when it can be typed at. */
	snprintf(script, sizeof(script),
		 "printf '\\033]0;ready\\007'; read word; echo $word >%s/typed", d.folder);
	run_xterm("typing", "60x20+200+150", script);
	id = desktop_window(&d, "ready")->id;
	act(id, MHI_AGENT_ACT_ACTIVATE, MHI_AGENT_W_ACTIVE, 0);
	for (size_t n = 0; n < sizeof(keys) / sizeof(keys[0]); n++) {
		key(keys[n], 1);
		key(keys[n], 0);
	}
	desktop_gone(&d, id);
	ck_assert_str_eq(shell("cat %s/typed", d.folder), "hello\n");
}
END_TEST

/* A host that goes while a key is down leaves none down. */
START_TEST(keys_come_up)
{
	key(CTRL, 1);
	stop();
	start();
	run_xterm("up", "60x20+200+150", "sleep 1000");
	desktop_window(&d, "up");
	point(desktop_window(&d, "up"));
	button(1); /* without the control key: no menu */
	button(0);
	for (int n = 0; n < 10; n++)
		desktop_pump(&d, 100);
	for (size_t n = 0; n < d.count; n++)
		ck_assert_uint_eq(d.windows[n].flags & MHI_AGENT_W_POPUP, 0);
}
END_TEST

START_TEST(resize)
{
	struct mhi_msg_resize msg = { 1024, 700, 0 };

	host_say(&h, MHI_MSG_RESIZE, SERIAL, &msg);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_OK);
	ck_assert_ptr_nonnull(strstr(shell("xwininfo -root"), "1024x700"));
	msg.width = 1280;
	msg.height = 800;
	host_say(&h, MHI_MSG_RESIZE, SERIAL, &msg);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_OK);
	ck_assert_ptr_nonnull(strstr(shell("xwininfo -root"), "1280x800"));
	msg.width = 0;
	host_say(&h, MHI_MSG_RESIZE, SERIAL, &msg);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_INVALID);
}
END_TEST

/* ---- hosts that break the rules ---- */

static uint32_t ask(uint32_t type, const void *msg)
{
	host_say(&h, type, SERIAL, msg);
	return host_result(&h, SERIAL);
}

START_TEST(nonsense)
{
	struct mhi_msg_window_act act_none = { 99, MHI_AGENT_ACT_CLOSE, 0 };
	struct mhi_msg_window_act act_what = { 0, 4711, 0 };
	struct mhi_msg_window_move move = { 99, 0, 0, 10, 10, 0 };
	struct mhi_msg_work_area area = { 0, 0, 0, 0, 0, 0 };
	struct mhi_msg_wheel wheel = { INT32_MIN, INT32_MAX, 0 };
	struct mhi_msg_pointer far = { INT32_MIN, INT32_MAX, 0 };
	struct mhi_msg_key no_key = { 0xffffffffu, 1, 0 };
	struct mhi_msg_button no_button = { 0x115, 1, 0 };

	run_xeyes("victim", "200x150+50+60");
	act_what.id = move.id = desktop_window(&d, "victim")->id;
	ck_assert_uint_eq(ask(MHI_MSG_WINDOW_ACT, &act_none), MHI_AGENT_MISSING);
	ck_assert_uint_eq(ask(MHI_MSG_WINDOW_ACT, &act_what), MHI_AGENT_INVALID);
	move.x = INT32_MIN;
	ck_assert_uint_eq(ask(MHI_MSG_WINDOW_MOVE, &move), MHI_AGENT_INVALID);
	move.x = 0;
	move.width = 0xffffffffu;
	ck_assert_uint_eq(ask(MHI_MSG_WINDOW_MOVE, &move), MHI_AGENT_INVALID);
	move.id = 99;
	move.width = 1;
	ck_assert_uint_eq(ask(MHI_MSG_WINDOW_MOVE, &move), MHI_AGENT_MISSING);
	ck_assert_uint_eq(ask(MHI_MSG_WORK_AREA, &area), MHI_AGENT_INVALID);
	ck_assert_uint_eq(ask(MHI_MSG_KEY, &no_key), MHI_AGENT_INVALID);
	ck_assert_uint_eq(ask(MHI_MSG_BUTTON, &no_button), MHI_AGENT_INVALID);
	ck_assert_uint_eq(ask(MHI_MSG_WHEEL, &wheel), MHI_AGENT_OK);
	ck_assert_uint_eq(ask(MHI_MSG_POINTER, &far), MHI_AGENT_OK);
	ck_assert_uint_eq(ask(MHI_MSG_GET_INFO, NULL), MHI_AGENT_UNSUPPORTED);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guest_x11");
	TCase *tcase = tcase_create("all");

	tcase_add_unchecked_fixture(tcase, start_desktop, stop_desktop);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, windows);
	tcase_add_test(tcase, shape);
	tcase_add_test(tcase, gtk_dialog);
	tcase_add_test(tcase, actions);
	tcase_add_test(tcase, popup);
	tcase_add_test(tcase, typing);
	tcase_add_test(tcase, keys_come_up);
	tcase_add_test(tcase, resize);
	tcase_add_test(tcase, nonsense);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	if (!desktop_lacks())
		return host_tests(suite());
	printf("%s is not installed (tools/deps --install test)\n", desktop_lacks());
	return 77;
}

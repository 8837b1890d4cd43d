/* SPDX-License-Identifier: MIT */
/* The scenario's parts about windows and input. */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void move(uint64_t id, int32_t x, int32_t y, uint32_t width, uint32_t height)
{
	struct mhi_msg_window_move msg = { id, x, y, width, height, 0 };
	uint64_t end = now_ms() + PEER_MS;
	struct window *w = NULL;

	peer_send(&peer, MHI_MSG_WINDOW_MOVE, 0, &msg);
	while (now_ms() < end) {
		for (uint32_t n = 0; n < peer.count; n++)
			if (peer.windows[n].id == id)
				w = &peer.windows[n];
		if (w && w->x == x && w->y == y && w->width == width && w->height == height)
			return;
		peer_pump(&peer, 100);
	}
	fail("the window is not moved: %d,%d %ux%u", w ? w->x : 0, w ? w->y : 0, w ? w->width : 0,
	     w ? w->height : 0);
}

/* Where it is from below in the stack; waits until all windows are in it. */
static uint32_t rank(uint64_t id)
{
	uint64_t end = now_ms() + PEER_MS;

	while (peer.stacked != peer.count && now_ms() < end)
		peer_pump(&peer, 100);
	for (uint32_t n = 0; n < peer.stacked; n++)
		if (peer.stack[n] == id)
			return n;
	fail("a window is not in the stack");
}

static void wait_icon(const char *title)
{
	uint64_t end = now_ms() + PEER_MS;

	while (!peer_window(&peer, title, 0)->icon && now_ms() < end)
		peer_pump(&peer, 100);
	if (!peer_window(&peer, title, 0)->icon)
		fail("%s has no icon", title);
}

/* It is asked for them, and may be busy. */
static void wait_limits(const char *title)
{
	uint64_t end = now_ms() + PEER_MS;
	struct window *w = peer_window(&peer, title, 0);

	while (w->min_width != 321 && now_ms() < end) {
		peer_pump(&peer, 100);
		w = peer_window(&peer, title, 0);
	}
	if (w->min_width != 321 || w->min_height != 234 || w->max_width || w->max_height)
		fail("%s has limits of %ux%u to %ux%u", title, w->min_width, w->min_height,
		     w->max_width, w->max_height);
}

/* Notepad, as a user has it: typed into, moved, named, minimised, closed with a question. */
void part_notepad(void)
{
	struct call *notepad;
	struct window *w;
	uint64_t id, dialog;

	seamless(1);
	notepad = start("notepad.exe", NULL);
	w = peer_window(&peer, "Notepad", MHI_AGENT_W_VISIBLE | MHI_AGENT_W_DECORATED);
	id = w->id;
	if (strcmp(w->application, "notepad.exe") || w->parent || w->flags & MHI_AGENT_W_POPUP ||
	    w->flags & MHI_AGENT_W_FIXED)
		fail("notepad: %s, flags %#x", w->application, w->flags);
	wait_icon("Notepad");
	move(id, 60, 70, 640, 300);
	act(id, MHI_AGENT_ACT_ACTIVATE);
	peer_window(&peer, "Notepad", MHI_AGENT_W_ACTIVE);
	must("type", "Notepad", "\xc3\x84 \xe6\x97\xa5\xe6\x9c\xac \xe2\x82\xac", NULL);
	must_say("text", "Notepad", "\xc3\x84 \xe6\x97\xa5\xe6\x9c\xac \xe2\x82\xac");
	act(id, MHI_AGENT_ACT_MAXIMISE);
	peer_window(&peer, "Notepad", MHI_AGENT_W_MAXIMISED);
	act(id, MHI_AGENT_ACT_RESTORE);
	act(id, MHI_AGENT_ACT_MINIMISE);
	peer_window(&peer, "Notepad", MHI_AGENT_W_MINIMISED);
	act(id, MHI_AGENT_ACT_RESTORE);
	move(id, 61, 71, 641, 301);
	/* It has been changed: it asks, and the answer is no. */
	act(id, MHI_AGENT_ACT_CLOSE);
	w = peer_window(&peer, "Notepad", MHI_AGENT_W_DIALOG | MHI_AGENT_W_MODAL);
	dialog = w->id;
	if (w->parent != id || dialog == id || rank(dialog) < rank(id))
		fail("notepad's question is not its dialog");
	act(dialog, MHI_AGENT_ACT_CLOSE);
	peer_gone(&peer, dialog);
	must("title", "Notepad", "Other \xc3\x84", NULL);
	if (peer_window(&peer, "Other \xc3\x84", 0)->id != id)
		fail("another window than notepad's is called so");
	seamless(0);
	peer.count = peer.stacked = 0;
	seamless(1);
	if (peer_window(&peer, "Other \xc3\x84", 0)->id == id)
		fail("a window has the number again that it had before");
	peer_send(&peer, MHI_MSG_EXEC_KILL, notepad->serial, &(struct mhi_msg_exec_kill){ 9, 0 });
	wait_exit(notepad, 9);
	peer_gone(&peer, peer_window(&peer, "Other \xc3\x84", 0)->id);
	seamless(0);
}

/* Windows of all kinds, their order, and a program that answers nothing. */
void part_windows(void)
{
	struct call *show, *hang;
	struct window *w;
	uint64_t main_id, other;

	seamless(1);
	show = start(poke, "show");
	w = peer_window(&peer, "Poke \xe6\x97\xa5\xe6\x9c\xac", MHI_AGENT_W_DECORATED);
	main_id = w->id;
	wait_limits("Poke \xe6\x97\xa5\xe6\x9c\xac");
	w = peer_window(&peer, "Poke \xe6\x97\xa5\xe6\x9c\xac", 0);
	if (w->x != 100 || w->y != 110 || w->width != 400 || w->height != 300)
		fail("%d,%d %ux%u", w->x, w->y, w->width, w->height);
	w = peer_window(&peer, "Poke's dialog",
			MHI_AGENT_W_DIALOG | MHI_AGENT_W_MODAL | MHI_AGENT_W_FIXED |
				MHI_AGENT_W_NO_TASKBAR);
	if (w->parent != main_id)
		fail("the dialog has no parent");
	w = peer_window(&peer, "Poke's popup", MHI_AGENT_W_POPUP);
	if (w->parent != main_id || w->flags & MHI_AGENT_W_DECORATED)
		fail("the popup has no parent, or a frame");
	hang = start(poke, "hang");
	other = peer_window(&peer, "Poke hangs", 0)->id;
	act(other, MHI_AGENT_ACT_RAISE);
	act(main_id, MHI_AGENT_ACT_CLOSE);
	peer_gone(&peer, main_id);
	wait_exit(show, 0);
	/* It does not answer, and all else goes on. */
	act(other, MHI_AGENT_ACT_CLOSE);
	part_info();
	peer_send(&peer, MHI_MSG_EXEC_KILL, hang->serial, &(struct mhi_msg_exec_kill){ 9, 0 });
	wait_exit(hang, 9);
	peer_gone(&peer, other);
	seamless(0);
}

/* Keys and the pointer, as from a host whose VM has neither. */
void part_input(void)
{
	static const uint32_t keys[] = { 35, 23, 57, 3 }; /* h, i, space, 2 */
	struct call *notepad;

	seamless(1);
	notepad = start("notepad.exe", NULL);
	act(peer_window(&peer, "Notepad", 0)->id, MHI_AGENT_ACT_ACTIVATE);
	peer_window(&peer, "Notepad", MHI_AGENT_W_ACTIVE);
	for (size_t n = 0; n < sizeof(keys) / sizeof(keys[0]); n++) {
		peer_expect(&peer, MHI_MSG_KEY, &(struct mhi_msg_key){ keys[n], 1, 0 }, 0);
		peer_expect(&peer, MHI_MSG_KEY, &(struct mhi_msg_key){ keys[n], 0, 0 }, 0);
	}
	must_say("text", "Notepad", "hi 2");
	peer_expect(&peer, MHI_MSG_POINTER, &(struct mhi_msg_pointer){ 50, 60, 0 }, 0);
	peer_expect(&peer, MHI_MSG_WHEEL, &(struct mhi_msg_wheel){ 120, -240, 0 }, 0);
	peer_expect(&peer, MHI_MSG_BUTTON, &(struct mhi_msg_button){ 0x111, 0, 0 }, 0);
	peer_expect(&peer, MHI_MSG_BUTTON, &(struct mhi_msg_button){ 0x150, 0, 0 },
		    MHI_AGENT_UNSUPPORTED);
	peer_expect(&peer, MHI_MSG_KEY, &(struct mhi_msg_key){ 700, 1, 0 }, MHI_AGENT_UNSUPPORTED);
	peer_send(&peer, MHI_MSG_EXEC_KILL, notepad->serial, &(struct mhi_msg_exec_kill){ 9, 0 });
	wait_exit(notepad, 9);
	seamless(0);
}

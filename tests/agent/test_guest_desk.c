// SPDX-License-Identifier: MIT
/*
 * The two agents of a desktop together, as a host sees them: what the one of the session says goes
 * through the one that runs as root, which stays when the session goes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "desktop.h"

#define SERIAL 7u

static struct desktop d;
static struct host h;
static char desk[100];

static void start_desktop(void)
{
	desktop_start(&d);
	snprintf(desk, sizeof(desk), "%s/run/desk", d.folder);
}

static void stop_desktop(void)
{
	desktop_stop(&d);
}

static void start(void)
{
	const char *const arguments[] = { "--desk", desk, NULL };

	d.host = &h;
	d.count = d.stacked = 0;
	memset(d.offers, 0, sizeof(d.offers));
	host_start(&h, getenv("AGENT_PROGRAM"), arguments);
}

static void stop(void)
{
	ck_assert_int_eq(host_stop(&h), 0);
}

static pid_t start_session(void)
{
	const char *const arguments[] = { getenv("AGENT_X11"), "--desk", desk, NULL };

	return host_run(arguments);
}

static uint32_t ask(uint32_t type, const void *msg)
{
	host_say(&h, type, SERIAL, msg);
	return host_result(&h, SERIAL);
}

static pid_t run_eyes(const char *title)
{
	const char *const arguments[] = { "xeyes", "-title", title, NULL };

	return host_run(arguments);
}

static bool has_none(struct desktop *desktop, void *opaque)
{
	return !desktop->count && !desktop->offers[0].types;
}

static bool has_offer(struct desktop *desktop, void *opaque)
{
	return desktop->offers[0].types == MHI_AGENT_CLIP_TEXT;
}

/* A host that wants windows gets them when there is a session, each time there is one. */
START_TEST(sessions_come_and_go)
{
	struct mhi_msg_seamless on = { 1, 0 };
	struct mhi_msg_resize size = { 1000, 600, 0 };
	struct mhi_msg_clip_request request = { 0, 1, MHI_AGENT_CLIP_TEXT, 0 };
	pid_t eyes = run_eyes("shared"), session;
	uint64_t id;

	shell("printf text | xclip -i -selection clipboard >/dev/null 2>&1");
	ck_assert_uint_eq(ask(MHI_MSG_SEAMLESS, &on), MHI_AGENT_OK);
	ck_assert_uint_eq(ask(MHI_MSG_RESIZE, &size), MHI_AGENT_MISSING);
	ck_assert_uint_eq(ask(MHI_MSG_CLIP_REQUEST, &request), MHI_AGENT_MISSING);
	session = start_session();
	id = desktop_window(&d, "shared")->id;
	desktop_await(&d, has_offer, NULL, "the clipboard's offer");
	request.offer = d.offers[0].offer;
	ck_assert_uint_eq(ask(MHI_MSG_CLIP_REQUEST, &request), MHI_AGENT_OK);
	ck_assert_str_eq((char *)h.content, "text");
	ck_assert_uint_eq(ask(MHI_MSG_RESIZE, &size), MHI_AGENT_OK);
	host_kill(session);
	desktop_await(&d, has_none, NULL, "the windows and the offer to go");
	ck_assert_uint_eq(ask(MHI_MSG_GET_INFO, NULL), MHI_AGENT_OK);
	ck_assert_uint_eq(ask(MHI_MSG_CLIP_REQUEST, &request), MHI_AGENT_MISSING);
	session = start_session();
	ck_assert_uint_ne(desktop_window(&d, "shared")->id, id);
	host_kill(eyes);
	desktop_gone(&d, desktop_window(&d, "shared")->id);
	host_kill(session);
}
END_TEST

/* What the host offered before there was a session is there when it comes. */
START_TEST(offers_wait)
{
	struct mhi_msg_clip_offer offer = { 0, 3, MHI_AGENT_CLIP_TEXT, 0 };
	struct mhi_msg_result denied = { MHI_AGENT_DENIED, "", 0 };
	char command[] = "for n in $(seq 300); do xclip -o -selection clipboard -t TARGETS | "
			 "grep -q charset=utf-8 && exec xclip -o -selection clipboard; sleep 0.2; "
			 "done";
	const char *const arguments[] = { "/bin/sh", "-c", command, NULL };
	pid_t session, paste;

	host_say(&h, MHI_MSG_CLIP_OFFER, 0, &offer);
	session = start_session();
	paste = host_run(arguments);
	ck_assert_uint_eq(host_expect(&h, MHI_MSG_CLIP_REQUEST)->u.clip_request.offer, 3);
	host_say(&h, MHI_MSG_RESULT, h.msg.serial, &denied);
	host_kill(paste);
	host_kill(session);
}
END_TEST

/* ---- a session's program that is none ---- */

static struct host rogue;

static void connect_rogue(void)
{
	struct mhi_msg_hello hello = { MHI_AGENT_VERSION, 0xffffffffu, "linux", "rogue", 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/* By then the agent has heard the host's welcome, and has thrown out the last one. */
	ck_assert_uint_eq(ask(MHI_MSG_GET_INFO, NULL), MHI_AGENT_OK);
	memset(&rogue, 0, sizeof(rogue));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", desk);
	rogue.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(rogue.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	host_say(&rogue, MHI_MSG_HELLO, 1, &hello);
	ck_assert_uint_eq(host_expect(&rogue, MHI_MSG_WELCOME)->u.welcome.features & 0x3f, 0);
}

static void expect_thrown_out(void)
{
	ck_assert(host_is_dropped(&rogue));
	close(rogue.fd);
	connect_rogue();
}

/* It can answer nothing that it was not asked, and say nothing that is not its part. */
START_TEST(rogue_session)
{
	static const char strings[] = "sleep\0"
				      "1000";
	struct mhi_msg_exec exec = {
		MHI_AGENT_EXEC_OUTPUT, "", "", 2, { (const uint8_t *)strings, sizeof(strings) }, 0
	};
	struct mhi_msg_result ok = { MHI_AGENT_OK, "", 0 };
	struct mhi_msg_exec_exit ended = { 0, 0, 0 };
	struct mhi_msg_window window = { .id = 0 };
	struct mhi_msg_clip_offer offer = { 2, 1, 1, 0 };

	host_say(&h, MHI_MSG_EXEC, 9, &exec);
	connect_rogue();
	host_say(&rogue, MHI_MSG_RESULT, 9, &ok);
	expect_thrown_out();
	host_say(&rogue, MHI_MSG_EXEC_EXIT, 9, &ended);
	expect_thrown_out();
	host_say(&rogue, MHI_MSG_EXEC, 0x80000001u, &exec);
	expect_thrown_out();
	host_say(&rogue, MHI_MSG_CREDIT, 0x80000001u, NULL); /* it may come too late */
	host_say(&rogue, MHI_MSG_CREDIT, 9, NULL);
	expect_thrown_out();
	host_say(&rogue, MHI_MSG_WINDOW, 0, &window);
	expect_thrown_out();
	host_say(&rogue, MHI_MSG_CLIP_OFFER, 0, &offer);
	expect_thrown_out();
	host_say(&rogue, MHI_MSG_WELCOME, 0, NULL);
	expect_thrown_out();
	host_send(&rogue, "nonsense", 8);
	expect_thrown_out();
	for (window.id = 1; window.id <= MHI_AGENT_WINDOWS_MAX + 1; window.id++)
		host_say(&rogue, MHI_MSG_WINDOW, 0, &window);
	for (uint32_t n = 0; n < MHI_AGENT_WINDOWS_MAX; n++)
		host_expect(&h, MHI_MSG_WINDOW_GONE);
	close(rogue.fd);
	host_say(&h, MHI_MSG_CANCEL, 9, NULL);
	ck_assert_uint_eq(host_result(&h, 9), MHI_AGENT_CANCELLED);
}
END_TEST

/* One program of a session at a time: the second one is sent away. */
START_TEST(second_session)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char byte;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	connect_rogue();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", desk);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
	close(fd);
	host_say(&rogue, MHI_MSG_PING, 4, NULL);
	ck_assert_uint_eq(host_expect(&rogue, MHI_MSG_PONG)->serial, 4);
	close(rogue.fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guest_desk");
	TCase *tcase = tcase_create("all");

	tcase_add_unchecked_fixture(tcase, start_desktop, stop_desktop);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, sessions_come_and_go);
	tcase_add_test(tcase, offers_wait);
	tcase_add_test(tcase, rogue_session);
	tcase_add_test(tcase, second_session);
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

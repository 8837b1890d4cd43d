// SPDX-License-Identifier: MIT
/* The agent of an X11 desktop, as a host sees it: the clipboard, with xclip at the other end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "desktop.h"

#define SERIAL 7u
#define PNG_BYTES (5u << 20)

static struct desktop d;
static struct host h;
static uint8_t *png;

static void start_desktop(void)
{
	uint32_t x = 1;
	FILE *file;
	char path[128];

	desktop_start(&d);
	png = malloc(PNG_BYTES);
	ck_assert_ptr_nonnull(png);
	for (size_t n = 0; n < PNG_BYTES; n++) {
		x = x * 1664525u + 1013904223u;
		png[n] = (uint8_t)(x >> 24);
	}
	memcpy(png, "\x89PNG\r\n\x1a\n", 8);
	snprintf(path, sizeof(path), "%s/png", d.folder);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(png, 1, PNG_BYTES, file), PNG_BYTES);
	fclose(file);
}

static void stop_desktop(void)
{
	free(png);
	desktop_stop(&d);
}

static void start(void)
{
	d.host = &h;
	memset(d.offers, 0, sizeof(d.offers));
	host_start(&h, getenv("AGENT_X11"), NULL);
}

static void stop(void)
{
	ck_assert_int_eq(host_stop(&h), 0);
}

/* ---- from the guest ---- */

static uint32_t wanted_types;

static bool is_offered(struct desktop *desktop, void *selection)
{
	return desktop->offers[*(uint32_t *)selection].types == wanted_types;
}

static void await_offer(uint32_t selection, uint32_t types)
{
	wanted_types = types;
	desktop_await(&d, is_offered, &selection, "an offer");
}

static uint32_t request(uint32_t selection, uint32_t kind)
{
	struct mhi_msg_clip_request msg = { selection, d.offers[selection].offer, kind, 0 };

	host_say(&h, MHI_MSG_CLIP_REQUEST, SERIAL, &msg);
	return host_result(&h, SERIAL);
}

START_TEST(text_from_guest)
{
	uint32_t offer;

	shell("printf 'one\\r\\ntwo \xc3\xa4' | xclip -i -selection clipboard >/dev/null 2>&1");
	await_offer(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_TEXT);
	ck_assert_uint_eq(request(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_TEXT), MHI_AGENT_OK);
	ck_assert_str_eq((char *)h.content, "one\ntwo \xc3\xa4");
	ck_assert_uint_eq(request(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_PNG), MHI_AGENT_MISSING);
	shell("printf marked | xclip -i -selection primary >/dev/null 2>&1");
	await_offer(MHI_AGENT_SEL_PRIMARY, MHI_AGENT_CLIP_TEXT);
	ck_assert_uint_eq(request(MHI_AGENT_SEL_PRIMARY, MHI_AGENT_CLIP_TEXT), MHI_AGENT_OK);
	ck_assert_str_eq((char *)h.content, "marked");
	/* A newer one. The old one's number is not good any more. */
	offer = d.offers[0].offer;
	shell("printf '<b>x</b>' | xclip -i -selection clipboard -t text/html >/dev/null 2>&1");
	await_offer(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_HTML);
	ck_assert_uint_ne(d.offers[0].offer, offer);
	ck_assert_uint_eq(request(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_HTML), MHI_AGENT_OK);
	ck_assert_str_eq((char *)h.content, "<b>x</b>");
	d.offers[0].offer = offer;
	ck_assert_uint_eq(request(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_HTML), MHI_AGENT_MISSING);
}
END_TEST

/* It is there when the host comes, and by INCR. */
START_TEST(png_from_guest)
{
	stop();
	shell("xclip -i -selection clipboard -t image/png %s/png >/dev/null 2>&1", d.folder);
	start();
	await_offer(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_PNG);
	ck_assert_uint_eq(request(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_PNG), MHI_AGENT_OK);
	ck_assert_uint_eq(h.content_bytes, PNG_BYTES);
	ck_assert(!memcmp(h.content, png, PNG_BYTES));
}
END_TEST

START_TEST(files_from_guest)
{
	shell("printf 'file:///tmp/a%%%%20b\\r\\n#c\\r\\nhttp://x/y\\r\\nfile://host/c\\r\\n' | "
	      "xclip -i -selection clipboard -t text/uri-list >/dev/null 2>&1");
	await_offer(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_FILES);
	ck_assert_uint_eq(request(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_FILES), MHI_AGENT_OK);
	ck_assert_str_eq((char *)h.content, "/tmp/a b\n/c\n");
}
END_TEST

/* Who owned it ends. */
START_TEST(gone_from_guest)
{
	static const char *const owner[] = { "xclip",	   "-quiet",	"-i",
					     "-selection", "clipboard", NULL };
	pid_t pid = host_run(owner);

	await_offer(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_TEXT);
	host_kill(pid);
	await_offer(MHI_AGENT_SEL_CLIPBOARD, 0);
}
END_TEST

/* ---- to the guest ---- */

static void offer_types(uint32_t selection, uint32_t offer, uint32_t types)
{
	struct mhi_msg_clip_offer msg = { selection, offer, types, 0 };

	host_say(&h, MHI_MSG_CLIP_OFFER, 0, &msg);
	/* It owns the selection when it has answered what comes next. */
	host_say(&h, MHI_MSG_CLIP_REQUEST, 1, NULL);
	while (desktop_pump(&d, 60000) != MHI_MSG_RESULT)
		;
	ck_assert_uint_eq(h.msg.serial, 1);
}

/* xclip -o, whose output goes to the folder's file "out". */
static pid_t paste(const char *selection, const char *target)
{
	char command[256];
	const char *const arguments[] = { "/bin/sh", "-c", command, NULL };

	snprintf(command, sizeof(command), "xclip -o -selection %s -t %s >%s/out", selection,
		 target, d.folder);
	return host_run(arguments);
}

/* Answer the agent's next request by content [bytes], as credit lets us. */
static void answer(uint32_t offer, uint32_t kind, const void *content, size_t bytes)
{
	const struct mhi_agent_msg *m = host_expect(&h, MHI_MSG_CLIP_REQUEST);
	struct mhi_msg_clip_size size = { bytes, 0 };
	struct mhi_msg_result ok = { MHI_AGENT_OK, "", 0 };
	size_t credit = MHI_AGENT_WINDOW_BYTES, sent = 0;
	uint32_t serial = m->serial;

	ck_assert_uint_ne(serial & 0x80000000u, 0);
	ck_assert_uint_eq(m->u.clip_request.offer, offer);
	ck_assert_uint_eq(m->u.clip_request.kind, kind);
	host_say(&h, MHI_MSG_CLIP_SIZE, serial, &size);
	while (sent < bytes) {
		size_t part = bytes - sent < 32768 ? bytes - sent : 32768;
		struct mhi_msg_data data = { 0,
					     { (const uint8_t *)content + sent, (uint32_t)part },
					     0 };

		if (part <= credit) {
			host_say(&h, MHI_MSG_DATA, serial, &data);
			credit -= part;
			sent += part;
		} else
			credit += host_expect(&h, MHI_MSG_CREDIT)->u.credit.bytes;
	}
	host_say(&h, MHI_MSG_RESULT, serial, &ok);
}

static int pasted(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(text_to_guest)
{
	pid_t pid;

	offer_types(MHI_AGENT_SEL_CLIPBOARD, 5, MHI_AGENT_CLIP_TEXT | MHI_AGENT_CLIP_HTML);
	ck_assert_ptr_nonnull(
		strstr(shell("xclip -o -selection clipboard -t TARGETS"), "text/html"));
	pid = paste("clipboard", "UTF8_STRING");
	answer(5, MHI_AGENT_CLIP_TEXT, "from \xe2\x82\xac\n", 9);
	ck_assert_int_eq(pasted(pid), 0);
	ck_assert_str_eq(shell("cat %s/out", d.folder), "from \xe2\x82\xac\n");
	/* Nothing is echoed, and there is nothing that is not offered. */
	ck_assert_uint_eq(d.offers[0].types, 0);
	ck_assert_int_ne(pasted(paste("clipboard", "image/png")), 0);
	offer_types(MHI_AGENT_SEL_PRIMARY, 6, MHI_AGENT_CLIP_TEXT);
	pid = paste("primary", "UTF8_STRING");
	answer(6, MHI_AGENT_CLIP_TEXT, "", 0);
	ck_assert_int_eq(pasted(pid), 0);
	offer_types(MHI_AGENT_SEL_CLIPBOARD, 7, 0);
	ck_assert_int_ne(pasted(paste("clipboard", "UTF8_STRING")), 0);
}
END_TEST

START_TEST(png_to_guest)
{
	pid_t pid;

	offer_types(MHI_AGENT_SEL_CLIPBOARD, 5, MHI_AGENT_CLIP_PNG);
	pid = paste("clipboard", "image/png");
	answer(5, MHI_AGENT_CLIP_PNG, png, PNG_BYTES);
	ck_assert_int_eq(pasted(pid), 0);
	shell("cmp %s/png %s/out", d.folder, d.folder);
}
END_TEST

START_TEST(files_to_guest)
{
	static const char files[] = "/tmp/a b\n/srv/100%\n";
	pid_t pid;

	offer_types(MHI_AGENT_SEL_CLIPBOARD, 5, MHI_AGENT_CLIP_FILES);
	pid = paste("clipboard", "text/uri-list");
	answer(5, MHI_AGENT_CLIP_FILES, files, sizeof(files) - 1);
	ck_assert_int_eq(pasted(pid), 0);
	ck_assert_str_eq(shell("cat %s/out", d.folder),
			 "file:///tmp/a%20b\r\nfile:///srv/100%25\r\n");
}
END_TEST

/* The guest's own takes it back, whoever was first. */
START_TEST(the_last_one_wins)
{
	offer_types(MHI_AGENT_SEL_CLIPBOARD, 5, MHI_AGENT_CLIP_TEXT);
	shell("printf mine | xclip -i -selection clipboard >/dev/null 2>&1");
	await_offer(MHI_AGENT_SEL_CLIPBOARD, MHI_AGENT_CLIP_TEXT);
	ck_assert_str_eq(shell("xclip -o -selection clipboard"), "mine");
	offer_types(MHI_AGENT_SEL_CLIPBOARD, 6, MHI_AGENT_CLIP_TEXT);
	await_offer(MHI_AGENT_SEL_CLIPBOARD, 0);
	/* A host that goes takes it along. */
	stop();
	ck_assert_int_ne(pasted(paste("clipboard", "UTF8_STRING")), 0);
	start();
}
END_TEST

/* Answers that are none: who pastes gets nothing, and nothing else happens. */
START_TEST(lies)
{
	struct mhi_msg_clip_size sizes[] = { { 3, 0 }, { UINT64_MAX, 0 }, { 100, 0 }, { 0, 0 } };
	struct mhi_msg_result results[] = { { MHI_AGENT_OK, "", 0 },
					    { MHI_AGENT_DENIED, "no", 0 } };
	struct mhi_msg_data data = { 0, { (const uint8_t *)"abcd", 4 }, 0 };

	offer_types(MHI_AGENT_SEL_CLIPBOARD, 5, MHI_AGENT_CLIP_TEXT);
	for (size_t n = 0; n < 5; n++) {
		pid_t pid = paste("clipboard", "UTF8_STRING");
		uint32_t serial = host_expect(&h, MHI_MSG_CLIP_REQUEST)->serial;

		if (n < 4)
			host_say(&h, MHI_MSG_CLIP_SIZE, serial, &sizes[n]);
		host_say(&h, MHI_MSG_DATA, serial, &data);
		host_say(&h, MHI_MSG_RESULT, serial, &results[n == 4]);
		ck_assert_int_ne(pasted(pid), 0);
	}
	offer_types(99, 5, MHI_AGENT_CLIP_TEXT);
	offer_types(MHI_AGENT_SEL_CLIPBOARD, 6, 0xffffffffu);
	ck_assert_int_ne(pasted(paste("clipboard", "no/such-kind")), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guest_clip");
	TCase *tcase = tcase_create("all");

	tcase_add_unchecked_fixture(tcase, start_desktop, stop_desktop);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, text_from_guest);
	tcase_add_test(tcase, png_from_guest);
	tcase_add_test(tcase, files_from_guest);
	tcase_add_test(tcase, gone_from_guest);
	tcase_add_test(tcase, text_to_guest);
	tcase_add_test(tcase, png_to_guest);
	tcase_add_test(tcase, files_to_guest);
	tcase_add_test(tcase, the_last_one_wins);
	tcase_add_test(tcase, lies);
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

/* SPDX-License-Identifier: MIT */
/*
 * What the Windows agent must do, from the host's side: usage: scenario PLACE POKE [PART...]
 * POKE is the path of poke.exe as Windows has it.
 */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peer peer;
const char *poke;

/* ---- helpers ---- */

struct call *run(const char *what, const char *a, const char *b, const struct bytes *input)
{
	const char *words[] = { poke, what, a, b, NULL };
	struct call *c = peer_exec(&peer, 7, words, a ? b ? 4 : 3 : 2);

	if (input && input->bytes)
		peer_data(&peer, c, input->data, input->bytes);
	peer_data(&peer, c, "", 0);
	peer_finish(&peer, c);
	if (c->code || !c->exited || c->signal)
		fail("poke %s: code %u, %s", what, c->code, c->text);
	add(&c->out[1], "", 0);
	return c;
}

void must(const char *what, const char *a, const char *b, const struct bytes *input)
{
	struct call *c = run(what, a, b, input);

	if (c->status)
		fail("poke %s ends with %d: %s", what, c->status, (char *)c->out[2].data);
	call_end(c);
}

void must_say(const char *what, const char *a, const char *expected)
{
	uint64_t end = now_ms() + PEER_MS;

	for (;;) {
		struct call *c = run(what, a, NULL, NULL);
		const char *said = (const char *)c->out[1].data;

		if (!strcmp(said, expected)) {
			call_end(c);
			return;
		}
		if (now_ms() > end)
			fail("poke %s %s says \"%.200s\", not \"%.200s\"", what, a, said, expected);
		call_end(c);
		peer_pump(&peer, 200);
	}
}

struct call *start(const char *program, const char *a)
{
	const char *words[] = { program, a, NULL };

	return peer_exec(&peer, 0, words, a ? 2 : 1);
}

void wait_exit(struct call *c, uint32_t signal)
{
	peer_finish(&peer, c);
	if (c->code || !c->exited || c->signal != signal)
		fail("a program's end: code %u (%s), signal %u", c->code, c->text, c->signal);
	call_end(c);
}

/* ---- the parts ---- */

void part_info(void)
{
	struct call *c = peer_ask(&peer, MHI_MSG_GET_INFO, NULL);
	const char *names;

	peer_finish(&peer, c);
	names = (const char *)c->names.data;
	printf("%s", names);
	if (c->code || !names || !strstr(names, "\nos ") || !strstr(names, "\nversion ") ||
	    !strstr(names, "kernel Windows NT ") || !strstr(names, "address ") ||
	    !strstr(names, "\nuser ") || !strncmp(names, "host \n", 6))
		fail("GET_INFO tells not enough");
	call_end(c);
}

static void part_exec(void)
{
	static const char hard[] = "a \"b\\\" \\\\ c\\";
	static const char *const no[] = { "C:\\no\\such.exe", NULL };
	const char *words[] = { poke, "env", "PoKe", "POKE=\xe2\x82\xac=1", NULL };
	struct mhi_msg_exec_kill kill = { 15, 0 };
	struct bytes large = { malloc(3 << 20), 3 << 20 };
	struct call *c;

	must_say("args", hard, "a \"b\\\" \\\\ c\\\n");
	must_say("args", "", "\n");
	must_say("args", "\xe6\x97\xa5\xf0\x9f\x98\x80", "\xe6\x97\xa5\xf0\x9f\x98\x80\n");
	c = peer_exec(&peer, MHI_AGENT_EXEC_OUTPUT, words, 3);
	peer_finish(&peer, c);
	if (c->code || !c->out[1].data || strcmp((char *)c->out[1].data, "\xe2\x82\xac=1"))
		fail("the environment: %s", c->text);
	call_end(c);
	for (size_t n = 0; n < large.bytes; n++)
		large.data[n] = (uint8_t)(n * 2654435761u >> 13);
	c = run("echo", "-7", NULL, &large);
	if (c->status != -7 || c->out[1].bytes != large.bytes ||
	    memcmp(c->out[1].data, large.data, large.bytes) ||
	    strncmp((char *)c->out[2].data, "3145728 bytes", 13))
		fail("echo: status %d, %zu bytes", c->status, c->out[1].bytes);
	call_end(c);
	c = peer_exec(&peer, 0, no, 1);
	peer_finish(&peer, c);
	if (c->code != MHI_AGENT_MISSING || c->exited)
		fail("a program that is none: code %u", c->code);
	call_end(c);
	c = start("notepad.exe", NULL);
	peer_send(&peer, MHI_MSG_EXEC_KILL, c->serial, &kill);
	wait_exit(c, 15);
	free(large.data);
}

static void put(const char *path, const uint8_t *data, size_t bytes, uint64_t announced,
		uint32_t code)
{
	struct mhi_msg_file_put msg = { path, 0644, announced, 0 };
	struct call *c = peer_ask(&peer, MHI_MSG_FILE_PUT, &msg);

	peer_data(&peer, c, data, bytes);
	if (bytes)
		peer_data(&peer, c, data, 0);
	peer_finish(&peer, c);
	if (c->code != code)
		fail("FILE_PUT %s: code %u (%s)", path, c->code, c->text);
	call_end(c);
}

static void get(const char *path, const uint8_t *data, size_t bytes)
{
	struct mhi_msg_file_get msg = { path, 0 };
	struct call *c = peer_ask(&peer, MHI_MSG_FILE_GET, &msg);

	peer_finish(&peer, c);
	if (c->code || c->size != bytes || c->out[0].bytes != bytes ||
	    (bytes && memcmp(c->out[0].data, data, bytes)))
		fail("FILE_GET %s: code %u (%s), %zu bytes", path, c->code, c->text,
		     c->out[0].bytes);
	call_end(c);
}

static void part_files(void)
{
	static const char path[] = "C:\\mh \xe6\x97\xa5.bin";
	struct mhi_msg_file_get missing = { "C:\\no\\such", 0 };
	struct mhi_msg_file_get relative = { "such", 0 }, folder = { "C:\\windows", 0 };
	size_t bytes = 5 << 20;
	uint8_t *data = malloc(bytes);

	for (size_t n = 0; n < bytes; n++)
		data[n] = (uint8_t)(n * 2654435761u >> 13);
	put(path, data, bytes, bytes, MHI_AGENT_OK);
	get(path, data, bytes);
	/* Another one in its place, of unknown size; one that fails half way leaves it. */
	put(path, data + 7, 100000, UINT64_MAX, MHI_AGENT_OK);
	get(path, data + 7, 100000);
	put(path, data, 1000, 2000, MHI_AGENT_INVALID);
	get("C:/mh \xe6\x97\xa5.bin", data + 7, 100000);
	put(path, data, 0, 0, MHI_AGENT_OK);
	get(path, data, 0);
	put("C:\\no\\such\\folder", data, 10, 10, MHI_AGENT_MISSING);
	peer_expect(&peer, MHI_MSG_FILE_GET, &missing, MHI_AGENT_MISSING);
	peer_expect(&peer, MHI_MSG_FILE_GET, &relative, MHI_AGENT_INVALID);
	peer_expect(&peer, MHI_MSG_FILE_GET, &folder, MHI_AGENT_DENIED);
	free(data);
}

void seamless(uint32_t on)
{
	struct mhi_msg_seamless msg = { on, 0 };

	peer_expect(&peer, MHI_MSG_SEAMLESS, &msg, MHI_AGENT_OK);
}

void act(uint64_t id, uint32_t action)
{
	struct mhi_msg_window_act msg = { id, action, 0 };

	peer_send(&peer, MHI_MSG_WINDOW_ACT, 0, &msg);
}

/* What is refused, and that all goes on behind it. */
static void part_refused(void)
{
	struct mhi_msg_exec user = { .user = "Somebody", .arguments = 1 };
	struct mhi_msg_exec none = { .arguments = 7 };

	user.strings = (struct mhi_agent_rest){ (const uint8_t *)"x", 2 };
	peer_expect(&peer, MHI_MSG_EXEC, &user, MHI_AGENT_UNSUPPORTED);
	peer_expect(&peer, MHI_MSG_EXEC, &none, MHI_AGENT_INVALID);
	peer_expect(&peer, MHI_MSG_SHUTDOWN, &(struct mhi_msg_shutdown){ 9, 0 }, MHI_AGENT_INVALID);
	peer_expect(&peer, MHI_MSG_RESIZE, &(struct mhi_msg_resize){ 0, 9, 0 }, MHI_AGENT_INVALID);
	peer_expect(&peer, MHI_MSG_UNMOUNT, &(struct mhi_msg_unmount){ "tag", "/x", 0 },
		    MHI_AGENT_UNSUPPORTED);
}

/* The share's mount: the code that is expected, and what the agent says then. */
static void mount(uint32_t flags, uint32_t code, const char *said)
{
	const struct mhi_msg_mount msg = { "tag", "/media/tag", flags, 0 };
	struct call *c = peer_ask(&peer, MHI_MSG_MOUNT, &msg);

	peer_finish(&peer, c);
	if (c->code != code || !strstr(c->text, said))
		fail("MOUNT: code %u (%s) instead of %u (%s)", c->code, c->text, code, said);
	call_end(c);
}

/* Of a run before, in the same Windows. */
static void remove_service(const char *name)
{
	const char *words[] = { "C:\\windows\\system32\\sc.exe", "delete", name, NULL };

	wait_exit(peer_exec(&peer, 0, words, 3), 0);
}

static void make_service(const char *name)
{
	/* One that Wine has. */
	const char *words[] = { "C:\\windows\\system32\\sc.exe",      "create", name, "binPath=",
				"C:\\windows\\system32\\spoolsv.exe", NULL };

	wait_exit(peer_exec(&peer, 0, words, 5), 0);
}

/* What a share needs is missed piece by piece, and then its service is started. */
static void part_mount(void)
{
	remove_service("VirtioFsSvc");
	remove_service("VirtioFsDrv");
	remove_service("WinFsp.Launcher");
	mount(MHI_AGENT_MOUNT_READONLY, MHI_AGENT_UNSUPPORTED, "no driver for 9P");
	mount(MHI_AGENT_MOUNT_VIRTIOFS, MHI_AGENT_UNSUPPORTED, "viofs");
	make_service("VirtioFsDrv");
	mount(MHI_AGENT_MOUNT_VIRTIOFS, MHI_AGENT_UNSUPPORTED, "WinFsp");
	make_service("WinFsp.Launcher");
	mount(MHI_AGENT_MOUNT_VIRTIOFS, MHI_AGENT_UNSUPPORTED, "VirtioFsSvc");
	make_service("VirtioFsSvc");
	mount(MHI_AGENT_MOUNT_VIRTIOFS, MHI_AGENT_OK, "");
	mount(MHI_AGENT_MOUNT_VIRTIOFS, MHI_AGENT_OK, "");
}

/* A program that a program leaves behind keeps its pipes open, and lives on. */
static void part_left(void)
{
	struct call *c = run("leave", NULL, NULL, NULL);

	if (c->status || strcmp((char *)c->out[1].data, "left\n"))
		fail("leave: %d, %s", c->status, (char *)c->out[1].data);
	call_end(c);
	seamless(1);
	c = NULL;
	act(peer_window(&peer, "Notepad", 0)->id, MHI_AGENT_ACT_CLOSE);
	peer_gone(&peer, peer_window(&peer, "Notepad", 0)->id);
	seamless(0);
}

/* The host goes and comes: nothing of the last session is left. */
static void part_again(void)
{
	uint32_t hello = peer.hello;
	struct call *notepad = start("notepad.exe", NULL);

	seamless(1);
	peer_window(&peer, "Notepad", 0);
	offer(MHI_AGENT_CLIP_TEXT, "gone", 4);
	call_end(notepad);
	peer_drop(&peer);
	peer_accept(&peer);
	if (peer.hello == hello)
		fail("the agent says HELLO with the number it had before");
	must_say("get", "text", "");
	seamless(1);
	/* The program went with its host. */
	for (int n = 0; n < 10; n++)
		peer_pump(&peer, 100);
	if (peer.count)
		fail("window \"%s\" is there", peer.windows[0].title);
	seamless(0);
}

static void part_shutdown(void)
{
	peer_expect(&peer, MHI_MSG_SHUTDOWN, &(struct mhi_msg_shutdown){ MHI_AGENT_OFF, 0 }, 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} parts[] = {
		{ "info", part_info },	     { "exec", part_exec },
		{ "files", part_files },     { "refused", part_refused },
		{ "mount", part_mount },     { "notepad", part_notepad },
		{ "windows", part_windows }, { "left", part_left },
		{ "input", part_input },     { "clipboard", part_clipboard },
		{ "formats", part_formats }, { "picture", part_picture },
		{ "again", part_again },     { "shutdown", part_shutdown },
	};
	uint64_t begin;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		fail("usage: scenario PLACE POKE PART...");
	poke = argv[2];
	peer_init(&peer, argv[1]);
	peer_accept(&peer);
	printf("%s, features %#x\n", peer.agent, peer.features);
	for (int n = 3; n < argc; n++)
		for (size_t m = 0; m < sizeof(parts) / sizeof(parts[0]); m++) {
			if (strcmp(argv[n], parts[m].name))
				continue;
			begin = now_ms();
			parts[m].fn();
			printf("%s: %u ms\n", parts[m].name, (unsigned)(now_ms() - begin));
		}
	printf("PASS\n");
	return 0;
}

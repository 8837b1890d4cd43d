/* SPDX-License-Identifier: MIT */
/*
 * A program that shows a made-up guest by the X11 library. Each line of standard input is a
 * command: something that the guest does, or something that is done with the library.
 */
#include "fake_mh.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xcb/xfixes.h>

#define ARGS 64

struct host {
	struct mh_vm vm;
	struct mh_agent agent;
	struct mh_x11 *x11;
	struct mh_x11_window *window;
	struct mh_x11_seamless *seamless;
	struct mh_x11_clipboard *clipboard;
};

/* A command's arguments, and the text that may be the last of them. */
struct args {
	long number[ARGS];
	unsigned int count;
	const char *text;
};

static void tell(void *opaque, int error, const char *text)
{
	printf("tell %s %s\n", mh_err_name(error), text);
}

static void lost(void *opaque)
{
	printf("lost\n");
}

static void result(const char *what, int error)
{
	printf("%s %s\n", what, error ? mh_err_name(error) : "ok");
}

/* ---- the library ---- */

static void do_connect(struct host *h, const struct args *a)
{
	static const struct mh_x11_ops ops = { 1, tell, lost };
	struct mh_x11_config config = MH_X11_CONFIG_INIT;

	config.ops = &ops;
	config.authority = *a->text ? a->text : NULL;
	result("connected", mh_x11_connect(&config, &h->x11));
}

/* The same in two steps; the second needs neither the display's name nor the authority. */
static void do_dial(struct host *h, const struct args *a)
{
	struct mh_x11_socket socket = MH_X11_SOCKET_INIT;
	struct mh_x11_config config = MH_X11_CONFIG_INIT;
	int error;

	config.display = *a->text ? a->text : NULL;
	error = mh_x11_dial(&config, &socket);
	result("dialled", error);
	if (error)
		return;
	config.display = "elsewhere";
	config.authority = "/nowhere";
	config.socket = &socket;
	result("connected", mh_x11_connect(&config, &h->x11));
	close(socket.fd);
}

/* Of a program that was compiled when the configuration had no socket, and of wrong ones. */
static void do_configs(struct host *h, const struct args *a)
{
	struct mh_x11_socket socket = MH_X11_SOCKET_INIT, out = MH_X11_SOCKET_INIT;
	struct mh_x11_config config = MH_X11_CONFIG_INIT;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return;
	config.socket = &socket;
	result("no descriptor", mh_x11_connect(&config, &h->x11));
	socket.fd = h->vm.fd;
	result("no socket", mh_x11_connect(&config, &h->x11));
	socket.fd = ends[0];
	socket.auth_bytes = sizeof(socket.auth_data) + 1;
	result("long authority", mh_x11_connect(&config, &h->x11));
	socket.auth_bytes = 0;
	memset(socket.auth_name, 'a', sizeof(socket.auth_name));
	result("endless name", mh_x11_connect(&config, &h->x11));
	socket.auth_name[0] = '\0';
	socket.size--;
	result("other socket", mh_x11_connect(&config, &h->x11));
	socket.size++;
	result("socket to dial", mh_x11_dial(&config, &out));
	config.socket = NULL;
	out.size = 0;
	result("no size", mh_x11_dial(&config, &out));
	config.socket = (void *)1;
	config.size = offsetof(struct mh_x11_config, socket);
	result("older", mh_x11_connect(&config, &h->x11));
	close(ends[0]);
	close(ends[1]);
}

static void do_disconnect(struct host *h, const struct args *a)
{
	mh_x11_disconnect(h->x11);
	h->x11 = NULL;
}

static void do_open(struct host *h, const struct args *a)
{
	struct mh_x11_window_config config = MH_X11_WINDOW_CONFIG_INIT;

	config.vm = &h->vm;
	config.title = a->text;
	result("opened", mh_x11_window_open(h->x11, &config, &h->window));
}

static void do_close(struct host *h, const struct args *a)
{
	mh_x11_window_close(h->window);
	h->window = NULL;
}

static void do_seamless(struct host *h, const struct args *a)
{
	struct mh_x11_seamless_config config = MH_X11_SEAMLESS_CONFIG_INIT;

	config.agent = &h->agent;
	if (a->count)
		config.surface = &h->vm.surface;
	else
		config.vm = &h->vm;
	result("seamless", mh_x11_seamless_start(h->x11, &config, &h->seamless));
}

static void do_seamless_stop(struct host *h, const struct args *a)
{
	mh_x11_seamless_stop(h->seamless);
	h->seamless = NULL;
}

static void do_clipboard(struct host *h, const struct args *a)
{
	result("clipboard", mh_x11_clipboard_start(h->x11, &h->agent, NULL, &h->clipboard));
}

static void do_clipboard_stop(struct host *h, const struct args *a)
{
	mh_x11_clipboard_stop(h->clipboard);
	h->clipboard = NULL;
}

/* What the server shows, by a connection of its own. */
static void do_server_pointer(struct host *h, const struct args *a)
{
	xcb_connection_t *c = xcb_connect(NULL, NULL);
	xcb_xfixes_get_cursor_image_reply_t *r;

	free(xcb_xfixes_query_version_reply(c, xcb_xfixes_query_version(c, 5, 0), NULL));
	r = xcb_xfixes_get_cursor_image_reply(c, xcb_xfixes_get_cursor_image(c), NULL);
	if (r)
		printf("server-pointer %u %u %u %u %08x\n", r->width, r->height, r->xhot, r->yhot,
		       *xcb_xfixes_get_cursor_image_cursor_image(r));
	free(r);
	xcb_disconnect(c);
}

/* ---- the guest's display ---- */

static void do_surface(struct host *h, const struct args *a)
{
	h->vm.surface = (struct mh_surface){ h->vm.fd,
					     (uint32_t)a->number[0],
					     (uint32_t)a->number[1],
					     (uint32_t)a->number[0] * 4,
					     0,
					     FAKE_BYTES };
	if (h->vm.display)
		h->vm.display->surface(h->vm.display_opaque, &h->vm.surface);
}

static void do_fill(struct host *h, const struct args *a)
{
	struct mh_rect r = { (int32_t)a->number[0], (int32_t)a->number[1], (uint32_t)a->number[2],
			     (uint32_t)a->number[3] };

	for (uint32_t y = 0; y < r.height; y++) {
		for (uint32_t x = 0; x < r.width; x++)
			h->vm.pixels[((uint32_t)r.y + y) * h->vm.surface.width + (uint32_t)r.x +
				     x] = (uint32_t)strtoul(a->text, NULL, 16);
	}
	if (h->vm.display)
		h->vm.display->damage(h->vm.display_opaque, &r, 1);
}

static void do_cursor(struct host *h, const struct args *a)
{
	uint32_t pixels[64 * 64];
	struct mh_cursor cursor = { .visible = a->count == 4, .width = 64, .height = 64 };

	for (unsigned int n = 0; n < 64 * 64; n++)
		pixels[n] = (uint32_t)strtoul(a->text, NULL, 16);
	if (a->count == 4) {
		cursor.width = (uint32_t)a->number[0];
		cursor.height = (uint32_t)a->number[1];
		cursor.hot_x = (uint32_t)a->number[2];
		cursor.hot_y = (uint32_t)a->number[3];
		cursor.pixels = pixels;
	}
	if (h->vm.display)
		h->vm.display->cursor(h->vm.display_opaque, &cursor, 0);
}

/* ---- the guest's windows ---- */

static struct mh_rect rect_at(const struct args *a, unsigned int at)
{
	return (struct mh_rect){ (int32_t)a->number[at], (int32_t)a->number[at + 1],
				 (uint32_t)a->number[at + 2], (uint32_t)a->number[at + 3] };
}

static void do_window(struct host *h, const struct args *a)
{
	struct mh_window w = { .size = sizeof(w),
			       .id = (uint64_t)a->number[0],
			       .parent = (uint64_t)a->number[1],
			       .flags = (uint32_t)a->number[2],
			       .rect = rect_at(a, 3),
			       .min_width = (uint32_t)a->number[7],
			       .min_height = (uint32_t)a->number[8],
			       .title = a->text,
			       .application = "Testapp" };

	/* What was answered to the library may come when it has stopped. */
	if (h->agent.windows)
		h->agent.windows->window(h->agent.windows_opaque, &w);
}

static void do_gone(struct host *h, const struct args *a)
{
	h->agent.windows->gone(h->agent.windows_opaque, (uint64_t)a->number[0]);
}

static void do_lost(struct host *h, const struct args *a)
{
	h->agent.windows->lost(h->agent.windows_opaque);
}

static void do_stack(struct host *h, const struct args *a)
{
	uint64_t ids[ARGS];

	for (unsigned int n = 0; n < a->count; n++)
		ids[n] = (uint64_t)a->number[n];
	h->agent.windows->stack(h->agent.windows_opaque, ids, a->count);
}

static void do_icon(struct host *h, const struct args *a)
{
	uint32_t pixels[16] = { 0xff102030 };

	h->agent.windows->icon(h->agent.windows_opaque, (uint64_t)a->number[0], 4, 4, pixels);
}

static void do_shape(struct host *h, const struct args *a)
{
	struct mh_rect rect = { 0, 0, 0, 0 };

	if (a->count == 5)
		rect = rect_at(a, 1);
	h->agent.windows->shape(h->agent.windows_opaque, (uint64_t)a->number[0], &rect,
				a->count == 5);
}

static void do_pointer(struct host *h, const struct args *a)
{
	h->agent.windows->pointer(h->agent.windows_opaque, (enum mh_pointer_shape)a->number[0]);
}

/* ---- the guest's clipboard ---- */

static void do_offered(struct host *h, const struct args *a)
{
	h->agent.clip->offered(h->agent.clip_opaque, (enum mh_clip_selection)a->number[0],
			       (uint32_t)a->number[1]);
}

static void do_wanted(struct host *h, const struct args *a)
{
	h->agent.clip->wanted(h->agent.clip_opaque, (enum mh_clip_selection)a->number[0],
			      (uint32_t)a->number[1], malloc(1));
}

/* A text ("\n" in it is a line's end), or so many bytes. */
static void do_content(struct host *h, const struct args *a)
{
	char *content = h->agent.content;
	size_t to = 0;

	free(content);
	h->agent.content_bytes = a->count ? (size_t)a->number[0] : strlen(a->text);
	h->agent.content = content = calloc(1, h->agent.content_bytes + 1);
	for (size_t n = 0; n < h->agent.content_bytes; n++) {
		if (a->count)
			content[to++] = (char)(n * 7 + n / 1000);
		else if (!strncmp(a->text + n, "\\n", 2))
			content[to++] = '\n', n++;
		else
			content[to++] = a->text[n];
	}
	h->agent.content_bytes = to;
}

/* ---- commands ---- */

static const struct {
	const char *name;
	void (*run)(struct host *h, const struct args *a);
} commands[] = {
	{ "connect", do_connect },     { "disconnect", do_disconnect },
	{ "dial", do_dial },	       { "configs", do_configs },
	{ "open", do_open },	       { "close", do_close },
	{ "seamless", do_seamless },   { "seamless-stop", do_seamless_stop },
	{ "clipboard", do_clipboard }, { "clipboard-stop", do_clipboard_stop },
	{ "surface", do_surface },     { "fill", do_fill },
	{ "cursor", do_cursor },       { "window", do_window },
	{ "gone", do_gone },	       { "agent-lost", do_lost },
	{ "stack", do_stack },	       { "icon", do_icon },
	{ "shape", do_shape },	       { "pointer", do_pointer },
	{ "offered", do_offered },     { "wanted", do_wanted },
	{ "content", do_content },     { "server-pointer", do_server_pointer },
};

/* Numbers, then perhaps ":" and a text. */
static void run(struct host *h, char *line)
{
	char *name, *rest = NULL, *word, *text = strchr(line, ':');
	struct args a = { .text = text ? text + 1 : "" };

	line[strcspn(line, "\n")] = '\0';
	if (text)
		*text = '\0';
	name = strtok_r(line, " ", &rest);
	while (name && a.count < ARGS && (word = strtok_r(NULL, " ", &rest)))
		a.number[a.count++] = strtol(word, NULL, 0);
	for (size_t n = 0; name && n < sizeof(commands) / sizeof(commands[0]); n++) {
		if (!strcmp(commands[n].name, name)) {
			commands[n].run(h, &a);
			printf("done\n");
			return;
		}
	}
	printf("unknown\n");
}

int main(void)
{
	struct host h = { .vm.fd = memfd_create("surface", MFD_CLOEXEC) };
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (h.vm.fd < 0 || ftruncate(h.vm.fd, FAKE_BYTES))
		return 1;
	h.vm.pixels = mmap(NULL, FAKE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, h.vm.fd, 0);
	if (h.vm.pixels == MAP_FAILED)
		return 1;
	h.vm.surface.fd = -1;
	while (fgets(line, sizeof(line), stdin))
		run(&h, line);
	mh_x11_disconnect(h.x11);
	free(h.agent.content);
	munmap(h.vm.pixels, FAKE_BYTES);
	close(h.vm.fd);
	return 0;
}

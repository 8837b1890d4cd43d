/* SPDX-License-Identifier: MIT */
/* A desktop in a test, and the picture that its host has of it. */
#include "desktop.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 60000

/* ---- processes ---- */

const char *shell(const char *format, ...)
{
	static char out[8192];
	char command[1024];
	size_t bytes;
	va_list list;
	FILE *pipe;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	bytes = fread(out, 1, sizeof(out) - 1, pipe);
	out[bytes] = 0;
	ck_assert_msg(pclose(pipe) == 0, "%s: failed: %s", command, out);
	return out;
}

const char *desktop_lacks(void)
{
	static const char *const programs[] = { "Xvfb",	 "openbox",  "xterm", "xclip", "xdotool",
						"xprop", "xwininfo", "xeyes", "zenity" };
	static char path[256];

	for (size_t n = 0; n < sizeof(programs) / sizeof(programs[0]); n++) {
		snprintf(path, sizeof(path), "/usr/bin/%s", programs[n]);
		if (access(path, X_OK))
			return programs[n];
	}
	return NULL;
}

/* The server chooses a display that is free, and says which when it is ready. */
static void start_server(struct desktop *d)
{
	char number[16] = "", fd[16], display[20];
	const char *arguments[] = { "Xvfb",	   "-displayfd", fd,	"-screen",  "0",
				    "1280x800x24", "-nolisten",	 "tcp", "-noreset", NULL };
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	snprintf(fd, sizeof(fd), "%d", ends[1]);
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	d->server = host_run(arguments);
	close(ends[1]);
	/* It writes the number and the newline by two calls, and must not lose its reader. */
	while (!strchr(number, '\n')) {
		size_t bytes = strlen(number);

		ck_assert_int_gt(read(ends[0], number + bytes, sizeof(number) - 1 - bytes), 0);
	}
	close(ends[0]);
	snprintf(display, sizeof(display), ":%d", (int)strtol(number, NULL, 10));
	setenv("DISPLAY", display, 1);
}

void desktop_start(struct desktop *d)
{
	static const char *const manager[] = { "openbox", "--sm-disable", NULL };

	memset(d, 0, sizeof(*d));
	snprintf(d->folder, sizeof(d->folder), "/tmp/guest-x11-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(d->folder));
	setenv("HOME", d->folder, 1);
	setenv("XDG_RUNTIME_DIR", d->folder, 1);
	setenv("NO_AT_BRIDGE", "1", 1);
	unsetenv("WAYLAND_DISPLAY");
	unsetenv("XDG_SESSION_TYPE");
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
	unsetenv("XAUTHORITY");
	start_server(d);
	d->manager = host_run(manager);
	/* Until it manages: windows of before would be moved when it begins. */
	shell("for n in $(seq 600); do xprop -root _NET_SUPPORTING_WM_CHECK | grep -q '#' && "
	      "exit 0; sleep 0.1; done; exit 1");
}

void desktop_stop(struct desktop *d)
{
	host_kill(d->manager);
	host_kill(d->server);
	shell("rm -rf %s", d->folder);
}

/* ---- the host's picture ---- */

struct seen *desktop_find(struct desktop *d, uint64_t id)
{
	for (size_t n = 0; n < d->count; n++)
		if (d->windows[n].id == id)
			return &d->windows[n];
	return NULL;
}

static void window(struct desktop *d, const struct mhi_msg_window *m)
{
	struct seen *w = desktop_find(d, m->id);

	ck_assert_uint_ne(m->id, 0);
	ck_assert_uint_lt(d->count, 64);
	if (!w) {
		w = &d->windows[d->count++];
		memset(w, 0, sizeof(*w));
	}
	w->id = m->id;
	w->parent = m->parent;
	w->flags = m->flags;
	w->x = m->x;
	w->y = m->y;
	w->width = m->width;
	w->height = m->height;
	w->min_width = m->min_width;
	snprintf(w->title, sizeof(w->title), "%s", m->title);
	snprintf(w->application, sizeof(w->application), "%s", m->application);
	if (getenv("AGENT_TEST_LOUD"))
		fprintf(stderr, "window %lx '%s' %s %d,%d %ux%u flags %x parent %lx\n",
			(unsigned long)w->id, w->title, w->application, w->x, w->y, w->width,
			w->height, w->flags, (unsigned long)w->parent);
}

static void gone(struct desktop *d, uint64_t id)
{
	struct seen *w = desktop_find(d, id);

	ck_assert_ptr_nonnull(w);
	*w = d->windows[--d->count];
}

static void stack(struct desktop *d, const struct mhi_agent_rest *ids)
{
	d->stacked = ids->bytes / 8;
	ck_assert_uint_le(d->stacked, 64);
	for (size_t n = 0; n < d->stacked; n++) {
		d->stack[n] = 0;
		for (int b = 0; b < 8; b++)
			d->stack[n] |= (uint64_t)ids->data[8 * n + (size_t)b] << (8 * b);
		ck_assert_ptr_nonnull(desktop_find(d, d->stack[n]));
	}
}

/* What is of a window comes after the window. */
static void of_window(struct desktop *d, const struct mhi_agent_msg *m)
{
	struct seen *w = desktop_find(d, m->u.window_gone.id); /* the first field of all of them */

	ck_assert_ptr_nonnull(w);
	if (m->type == MHI_MSG_WINDOW_ICON) {
		w->icon = m->u.window_icon.width;
		ck_assert_uint_le(m->u.window_icon.width, MHI_AGENT_ICON_MAX);
		ck_assert_uint_eq(m->u.window_icon.pixels.bytes,
				  4 * w->icon * m->u.window_icon.height);
	} else if (m->type == MHI_MSG_WINDOW_SHAPE) {
		w->rects = m->u.window_shape.rects.bytes / 16;
	} else {
		w->damages++;
		ck_assert_uint_ne(m->u.window_damage.width, 0);
		ck_assert_uint_ne(m->u.window_damage.height, 0);
	}
}

uint32_t desktop_pump(struct desktop *d, int ms)
{
	const struct mhi_agent_msg *m = host_next(d->host, ms);

	if (!m)
		return 0;
	switch (m->type) {
	case MHI_MSG_WINDOW:
		window(d, &m->u.window);
		break;
	case MHI_MSG_WINDOW_GONE:
		gone(d, m->u.window_gone.id);
		break;
	case MHI_MSG_WINDOW_STACK:
		stack(d, &m->u.window_stack.ids);
		break;
	case MHI_MSG_WINDOW_ICON:
	case MHI_MSG_WINDOW_SHAPE:
	case MHI_MSG_WINDOW_DAMAGE:
		of_window(d, m);
		break;
	case MHI_MSG_POINTER_SHAPE:
		d->pointer = m->u.pointer_shape.shape;
		break;
	case MHI_MSG_CLIP_OFFER:
		ck_assert_uint_lt(m->u.clip_offer.selection, 2);
		d->offers[m->u.clip_offer.selection] = m->u.clip_offer;
		break;
	default:
		break;
	}
	return m->type;
}

void desktop_await(struct desktop *d, desktop_fn *fn, void *opaque, const char *what)
{
	uint64_t until = host_now_ms() + LONG_MS;

	while (!fn(d, opaque)) {
		ck_assert_msg(host_now_ms() < until, "waited for: %s", what);
		desktop_pump(d, 200);
	}
}

static struct seen *titled(struct desktop *d, const char *title)
{
	for (size_t n = 0; n < d->count; n++)
		if (!strcmp(d->windows[n].title, title) &&
		    d->windows[n].flags & MHI_AGENT_W_VISIBLE)
			return &d->windows[n];
	return NULL;
}

static bool has_title(struct desktop *d, void *title)
{
	return titled(d, title);
}

struct seen *desktop_window(struct desktop *d, const char *title)
{
	desktop_await(d, has_title, (void *)(uintptr_t)title, title);
	return titled(d, title);
}

static bool is_gone(struct desktop *d, void *id)
{
	return !desktop_find(d, *(uint64_t *)id);
}

void desktop_gone(struct desktop *d, uint64_t id)
{
	desktop_await(d, is_gone, &id, "a window to go");
}

struct seen desktop_truth(const char *title)
{
	const char *text = shell("xwininfo -name '%s'", title);
	struct seen w = { 0 };
	const char *at;

	at = strstr(text, "Absolute upper-left X:");
	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(
		sscanf(at, "Absolute upper-left X: %d Absolute upper-left Y: %d", &w.x, &w.y), 2);
	at = strstr(text, "Width:");
	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(sscanf(at, "Width: %u Height: %u", &w.width, &w.height), 2);
	return w;
}

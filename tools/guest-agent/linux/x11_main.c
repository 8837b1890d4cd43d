/* SPDX-License-Identifier: MIT */
/* macrohard-guest-x11: its options and its loop. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desk.h"
#include "x11.h"

struct options {
	struct link link;
	const char *display;
	uint32_t features;
};

static const char usage[] =
	"usage: macrohard-guest-x11 [OPTION]...\n"
	"\n"
	"Shares an X11 desktop with the host of this virtual machine: windows, clipboard, input, "
	"size.\n"
	"\n"
	"  --desk PATH         where macrohard-guest-agent listens (" DESK_SOCKET ")\n"
	"  --fd NUMBER         a connected descriptor instead; when it ends, so does this\n"
	"  --display NAME      the X server; $DISPLAY if not given\n"
	"  --without LIST      what is not shared: clipboard primary windows resize input, by "
	"commas\n"
	"  --help, --version\n";

/* ---- options ---- */

static uint32_t feature_named(const char *name)
{
	static const struct {
		const char *name;
		uint32_t feature;
	} names[] = {
		{ "clipboard", MHI_AGENT_F_CLIPBOARD | MHI_AGENT_F_PRIMARY },
		{ "primary", MHI_AGENT_F_PRIMARY },
		{ "windows", MHI_AGENT_F_WINDOWS },
		{ "resize", MHI_AGENT_F_RESIZE },
		{ "input", MHI_AGENT_F_INPUT },
	};

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (strcmp(names[n].name, name) == 0)
			return names[n].feature;
	return 0;
}

static bool without(struct options *o, char *list)
{
	char *save = NULL;

	for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		uint32_t feature = feature_named(name);

		if (!feature) {
			fprintf(stderr, "macrohard-guest-x11: --without: nothing is called %s\n",
				name);
			return false;
		}
		o->features &= ~feature;
	}
	return true;
}

static bool descriptor(struct options *o, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || value > INT32_MAX) {
		fprintf(stderr, "macrohard-guest-x11: %s is not a number\n", text);
		return false;
	}
	link_init(&o->link, LINK_FD, NULL, (unsigned int)value);
	return true;
}

/* Returns -1: go on; else the exit status. */
static int option(struct options *o, int c)
{
	switch (c) {
	case 'd':
		link_init(&o->link, LINK_UNIX, optarg, 0);
		return -1;
	case 'f':
		return descriptor(o, optarg) ? -1 : 2;
	case 'x':
		o->display = optarg;
		return -1;
	case 'w':
		return without(o, optarg) ? -1 : 2;
	case 'h':
		fputs(usage, stdout);
		return 0;
	case 'V':
		puts("macrohard-guest-x11 " GUEST_AGENT_VERSION);
		return 0;
	default:
		fputs("try macrohard-guest-x11 --help\n", stderr);
		return 2;
	}
}

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "desk", required_argument, NULL, 'd' },
		{ "fd", required_argument, NULL, 'f' },
		{ "display", required_argument, NULL, 'x' },
		{ "without", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c, rc = -1;

	while (rc < 0 && (c = getopt_long(argc, argv, "", names, NULL)) >= 0)
		rc = option(o, c);
	if (rc < 0 && optind < argc) {
		fprintf(stderr, "macrohard-guest-x11: what is %s? try --help\n", argv[optind]);
		rc = 2;
	}
	return rc;
}

/* ---- the core's functions ---- */

static void agreed(void *opaque, uint32_t features)
{
	static const struct mhi_agent_msg off = { .type = MHI_MSG_SEAMLESS };
	struct desktop *d = opaque;

	if (!features) {
		input_release(d);
		windows_seamless(d, NULL, &off);
	}
	if (d->clipboard)
		clipboard_agreed(d->clipboard, features);
}

static void room(void *opaque)
{
	windows_retry(((struct desktop *)opaque)->windows);
}

static const struct ga_os x11_os = {
	.system = "linux",
	.agent = "macrohard-guest-x11 " GUEST_AGENT_VERSION,
	.agreed = agreed,
	.room = room,
	.clip_offer = clipboard_offer,
	.clip_request = clipboard_request,
	.seamless = windows_seamless,
	.work_area = screen_work_area,
	.window_move = windows_move,
	.window_act = windows_act,
	.resize = screen_resize,
	.key = input_key,
	.pointer = input_pointer,
	.button = input_button,
	.wheel = input_wheel,
};

/* ---- the loop ---- */

/* Answers that were waited for may have brought events along: so this is done before each wait. */
static void events(struct desktop *d)
{
	xcb_generic_event_t *event;

	while ((event = xcb_poll_for_event(d->x.c))) {
		if (event->response_type) { /* not an error: windows go while we ask for them */
			if (d->clipboard)
				clipboard_event(d->clipboard, event);
			windows_event(d->windows, event);
		}
		free(event);
	}
	if (xcb_connection_has_error(d->x.c))
		d->loop.quit = true;
}

static void server_ready(void *opaque, short revents)
{
	struct desktop *d = opaque;

	if (revents & (POLLHUP | POLLERR))
		d->loop.quit = true;
}

static int run(struct desktop *d)
{
	while (!d->loop.quit) {
		events(d);
		windows_step(d->windows);
		if (d->clipboard)
			clipboard_step(d->clipboard);
		/* What these asked has brought more. */
		events(d);
		link_step(&d->link);
		xcb_flush(d->x.c);
		if (!d->loop.quit && loop_run(&d->loop))
			return 1;
	}
	return 0;
}

/* What the X server has not, the host is not offered. */
static uint32_t possible(const struct x11 *x, uint32_t features)
{
	if (!x->xfixes)
		features &= ~(MHI_AGENT_F_CLIPBOARD | MHI_AGENT_F_PRIMARY);
	if (!x->randr)
		features &= ~MHI_AGENT_F_RESIZE;
	if (!x->xtest)
		features &= ~MHI_AGENT_F_INPUT;
	return features;
}

static int start(struct desktop *d, struct options *o)
{
	uint32_t features = possible(&d->x, o->features);
	int rc = 1;

	loop_init(&d->loop);
	d->windows = windows_create(d);
	if (features & (MHI_AGENT_F_CLIPBOARD | MHI_AGENT_F_PRIMARY))
		d->clipboard = clipboard_create(d);
	d->server = loop_watch(&d->loop, dup(xcb_get_file_descriptor(d->x.c)), server_ready, d);
	d->server->events = POLLIN;
	if (d->windows && ga_init(&d->session, &x11_os, d, features) == 0) {
		d->link = o->link;
		link_start(&d->link, &d->loop, &d->session);
		rc = run(d);
		link_close(&d->link);
		xcb_flush(d->x.c);
		ga_fini(&d->session);
	}
	loop_close(&d->server);
	clipboard_destroy(d->clipboard);
	windows_destroy(d->windows);
	return rc;
}

/* Its X server has but a part of the windows, and none of the clipboard when another has focus. */
static bool is_wayland(void)
{
	const char *type = getenv("XDG_SESSION_TYPE");

	return type && strcmp(type, "wayland") == 0;
}

int main(int argc, char **argv)
{
	struct options o = { .features = DESK_FEATURES };
	struct desktop *d;
	int rc;

	link_init(&o.link, LINK_UNIX, DESK_SOCKET, 0);
	rc = parse(&o, argc, argv);
	if (rc >= 0)
		return rc;
	if (!o.display && is_wayland()) {
		fputs("macrohard-guest-x11: this session is Wayland's, which lets nobody share "
		      "it\n",
		      stderr);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	d = calloc(1, sizeof(*d));
	if (!d || x11_open(&d->x, o.display)) {
		free(d);
		return 1;
	}
	rc = start(d, &o);
	x11_close(&d->x);
	free(d);
	return rc;
}

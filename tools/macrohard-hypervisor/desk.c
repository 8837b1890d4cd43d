/* SPDX-License-Identifier: MIT */
/*
 * What a VM's process shows on an X server, when somebody asks for it: by a socket to the server
 * that he gives, as the process itself may not connect, nor load the library then.
 */
#include "process.h"
#include "x11.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct desk {
	struct x11_library library;
	struct mh_x11 *x11; /* NULL: nothing is shown */
	char *display;	    /* where */
	struct mh_x11_window *window;
	struct mh_x11_seamless *seamless;
	struct mh_x11_clipboard *clipboard;
	atomic_bool connecting; /* what is told is the answer to somebody */
	atomic_bool lost;	/* the server is gone */
};

static int fail(struct process *p, int error, const char *text)
{
	snprintf(p->why, sizeof(p->why), "%s", text);
	return error;
}

/* ---- the connection ---- */

static void tell(void *opaque, int error, const char *text)
{
	struct process *p = opaque;

	if (atomic_load_explicit(&p->desk->connecting, memory_order_relaxed))
		snprintf(p->why, sizeof(p->why), "%s", text);
	else
		cli_message("%s", text);
}

static void lost(void *opaque)
{
	struct process *p = opaque;

	atomic_store_explicit(&p->desk->lost, true, memory_order_relaxed);
}

static void leave(struct desk *d)
{
	if (d->x11)
		d->library.call.disconnect(d->x11);
	free(d->display);
	d->x11 = NULL;
	d->display = NULL;
	d->window = NULL;
	d->seamless = NULL;
	d->clipboard = NULL;
	atomic_store_explicit(&d->lost, false, memory_order_relaxed);
}

static int enter(struct process *p, struct desk *d, const struct desk_place *place)
{
	static const struct mh_x11_ops ops = { 1, tell, lost };
	struct mh_x11_config config = MH_X11_CONFIG_INIT;
	int error;

	if (!*place->display)
		return fail(p, MH_EINVAL, "showing it on an X server: no display is named");
	if (d->x11 && !strcmp(d->display, place->display))
		return 0;
	if (d->x11) {
		snprintf(p->why, sizeof(p->why),
			 "showing it on the X server %s: it is shown on %s; end that first",
			 place->display, d->display);
		return MH_EBUSY;
	}
	if (place->socket.fd < 0)
		return fail(p, MH_EINVAL,
			    "showing it on an X server: no socket to it came along; send one with "
			    "the request, and if one was, raise the process's limit (ulimit -n)");
	config.display = place->display;
	config.socket = &place->socket;
	config.ops = &ops;
	config.opaque = p;
	d->display = strdup(place->display);
	atomic_store_explicit(&d->connecting, true, memory_order_relaxed);
	error = d->display ? d->library.call.connect(&config, &d->x11) : MH_ENOMEM;
	atomic_store_explicit(&d->connecting, false, memory_order_relaxed);
	return error;
}

/* ---- what is shown ---- */

static bool has_display(struct process *p)
{
	struct mh_surface surface;

	if (mh_display_surface(p->vm, &surface))
		return false;
	close(surface.fd);
	return true;
}

/* Whether the VM has what the part is about. */
static int look(struct process *p, enum desk_part part)
{
	if (part == DESK_WINDOW && !has_display(p))
		return fail(p, MH_ENOENT,
			    "showing its display: it has none; add a graphics card to its "
			    "document");
	if (part == DESK_SEAMLESS && !mh_vm_agent(p->vm))
		return fail(p, MH_ENOENT,
			    "showing its windows: it has no agent; add one to its document");
	if (part == DESK_SEAMLESS && !has_display(p))
		return fail(p, MH_ENOENT,
			    "showing its windows: it has no display; add a graphics card to its "
			    "document");
	if (part == DESK_CLIPBOARD && !mh_vm_agent(p->vm))
		return fail(p, MH_ENOENT,
			    "sharing its clipboard: it has no agent; add one to its document");
	return 0;
}

static int show(struct process *p, struct desk *d, enum desk_part part)
{
	struct mh_x11_seamless_config seamless = MH_X11_SEAMLESS_CONFIG_INIT;
	struct mh_x11_window_config window = MH_X11_WINDOW_CONFIG_INIT;

	if (part == DESK_WINDOW) {
		window.vm = p->vm;
		window.title = p->info.name;
		return d->window ? 0 : d->library.call.window_open(d->x11, &window, &d->window);
	}
	if (part == DESK_SEAMLESS) {
		seamless.vm = p->vm;
		seamless.agent = mh_vm_agent(p->vm);
		return d->seamless
			       ? 0
			       : d->library.call.seamless_start(d->x11, &seamless, &d->seamless);
	}
	return d->clipboard ? 0
			    : d->library.call.clipboard_start(d->x11, mh_vm_agent(p->vm), NULL,
							      &d->clipboard);
}

static void hide(struct desk *d, enum desk_part part)
{
	if (part == DESK_WINDOW) {
		d->library.call.window_close(d->window);
		d->window = NULL;
	} else if (part == DESK_SEAMLESS) {
		d->library.call.seamless_stop(d->seamless);
		d->seamless = NULL;
	} else {
		d->library.call.clipboard_stop(d->clipboard);
		d->clipboard = NULL;
	}
}

void desk_init(struct process *p)
{
	/* Without a control socket nobody can ask. */
	if (!p->store || (!mh_vm_agent(p->vm) && !has_display(p)))
		return;
	p->desk = calloc(1, sizeof(*p->desk));
	if (p->desk)
		x11_load(&p->desk->library);
}

int desk_show(struct process *p, enum desk_part part, const struct desk_place *place)
{
	struct desk *d = p->desk;
	int error = look(p, part);

	if (error)
		return error;
	if (!d)
		return fail(p, MH_ENOMEM, mh_strerror(MH_ENOMEM));
	if (!d->library.handle) {
		snprintf(p->why, sizeof(p->why), "%s, and start it again", d->library.why);
		return MH_ENOENT;
	}
	if (atomic_load_explicit(&d->lost, memory_order_relaxed))
		leave(d);
	error = enter(p, d, place);
	if (!error)
		error = show(p, d, part);
	if (error && !*p->why)
		fail(p, error, mh_strerror(error));
	if (!d->window && !d->seamless && !d->clipboard)
		leave(d);
	return error;
}

int desk_hide(struct process *p, enum desk_part part)
{
	struct desk *d = p->desk;

	if (!d || !d->x11)
		return 0;
	hide(d, part);
	if (!d->window && !d->seamless && !d->clipboard)
		leave(d);
	return 0;
}

void desk_fini(struct process *p)
{
	if (!p->desk)
		return;
	leave(p->desk);
	x11_unload(&p->desk->library);
	free(p->desk);
	p->desk = NULL;
}

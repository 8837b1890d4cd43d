/* SPDX-License-Identifier: MIT */
/*
 * What a VM's process shows on an X server, when somebody asks for it. The library for that is
 * loaded then and not before: hosts without a screen need none.
 */
#include "process.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <macrohard/x11.h>

#define LIBRARY "libmacrohard-x11.so.1"

#define CALLS(X)           \
	X(connect)         \
	X(disconnect)      \
	X(window_open)     \
	X(window_close)    \
	X(seamless_start)  \
	X(seamless_stop)   \
	X(clipboard_start) \
	X(clipboard_stop)

#define POINTER(name) __typeof__(mh_x11_##name) *name;

struct desk {
	void *library;
	struct {
		CALLS(POINTER)
	} call;
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

/* ---- the library ---- */

static int load(struct process *p, struct desk *d)
{
	void **place;

	d->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!d->library) {
		snprintf(p->why, sizeof(p->why),
			 "showing it on an X server: %s; install the package libmacrohard-x11-1, "
			 "or build macrohard with XCB's headers at hand",
			 dlerror());
		return MH_ENOENT;
	}
#define LOAD(name)                                                                           \
	place = (void **)&d->call.name;                                                      \
	*place = dlsym(d->library, "mh_x11_" #name);                                         \
	if (!*place)                                                                         \
		return fail(p, MH_ENOENT,                                                    \
			    "showing it on an X server: " LIBRARY " is of another version; " \
			    "install the same one as of libmacrohard");
	CALLS(LOAD)
	return 0;
}

static void unload(struct desk *d)
{
	if (d->library)
		dlclose(d->library);
	d->library = NULL;
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
		d->call.disconnect(d->x11);
	free(d->display);
	d->x11 = NULL;
	d->display = NULL;
	d->window = NULL;
	d->seamless = NULL;
	d->clipboard = NULL;
	atomic_store_explicit(&d->lost, false, memory_order_relaxed);
}

static int enter(struct process *p, struct desk *d, const char *display, const char *authority)
{
	static const struct mh_x11_ops ops = { 1, tell, lost };
	struct mh_x11_config config = MH_X11_CONFIG_INIT;
	int error;

	if (!*display)
		return fail(p, MH_EINVAL, "showing it on an X server: no display is named");
	if (d->x11 && !strcmp(d->display, display))
		return 0;
	if (d->x11) {
		snprintf(p->why, sizeof(p->why),
			 "showing it on the X server %s: it is shown on %s; end that first",
			 display, d->display);
		return MH_EBUSY;
	}
	config.display = display;
	config.authority = *authority ? authority : NULL;
	config.ops = &ops;
	config.opaque = p;
	d->display = strdup(display);
	atomic_store_explicit(&d->connecting, true, memory_order_relaxed);
	error = d->display ? d->call.connect(&config, &d->x11) : MH_ENOMEM;
	atomic_store_explicit(&d->connecting, false, memory_order_relaxed);
	return error;
}

/* ---- what is shown ---- */

static int show_window(struct process *p, struct desk *d)
{
	struct mh_x11_window_config config = MH_X11_WINDOW_CONFIG_INIT;
	int error;

	config.vm = p->vm;
	config.title = p->info.name;
	error = d->window ? 0 : d->call.window_open(d->x11, &config, &d->window);
	if (error == MH_ENOENT)
		fail(p, error,
		     "showing its display: it has none; add a graphics card to its document");
	return error;
}

static int show_seamless(struct process *p, struct desk *d)
{
	struct mh_x11_seamless_config config = MH_X11_SEAMLESS_CONFIG_INIT;
	int error;

	config.vm = p->vm;
	config.agent = mh_vm_agent(p->vm);
	if (!config.agent)
		return fail(p, MH_ENOENT,
			    "showing its windows: it has no agent; add one to its document");
	error = d->seamless ? 0 : d->call.seamless_start(d->x11, &config, &d->seamless);
	if (error == MH_ENOENT)
		fail(p, error,
		     "showing its windows: it has no display; add a graphics card to its document");
	return error;
}

static int show_clipboard(struct process *p, struct desk *d)
{
	struct mh_agent *agent = mh_vm_agent(p->vm);

	if (!agent)
		return fail(p, MH_ENOENT,
			    "sharing its clipboard: it has no agent; add one to its document");
	return d->clipboard ? 0 : d->call.clipboard_start(d->x11, agent, NULL, &d->clipboard);
}

static void hide(struct desk *d, enum desk_part part)
{
	if (part == DESK_WINDOW) {
		d->call.window_close(d->window);
		d->window = NULL;
	} else if (part == DESK_SEAMLESS) {
		d->call.seamless_stop(d->seamless);
		d->seamless = NULL;
	} else {
		d->call.clipboard_stop(d->clipboard);
		d->clipboard = NULL;
	}
}

int desk_show(struct process *p, enum desk_part part, const char *display, const char *authority)
{
	static int (*const show[])(struct process * p, struct desk * d) = {
		[DESK_WINDOW] = show_window,
		[DESK_SEAMLESS] = show_seamless,
		[DESK_CLIPBOARD] = show_clipboard,
	};
	int error = 0;

	if (!p->desk) {
		p->desk = calloc(1, sizeof(*p->desk));
		if (!p->desk)
			return MH_ENOMEM;
	}
	if (atomic_load_explicit(&p->desk->lost, memory_order_relaxed))
		leave(p->desk);
	if (!p->desk->library)
		error = load(p, p->desk);
	if (error) {
		unload(p->desk);
		return error;
	}
	error = enter(p, p->desk, display, authority);
	if (!error)
		error = show[part](p, p->desk);
	if (error && !*p->why)
		fail(p, error, mh_strerror(error));
	if (!p->desk->window && !p->desk->seamless && !p->desk->clipboard)
		leave(p->desk);
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
	unload(p->desk);
	free(p->desk);
	p->desk = NULL;
}

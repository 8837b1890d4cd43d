/* SPDX-License-Identifier: MIT */
/*
 * libmacrohard-x11, which is loaded where X servers have to do with it: by verbs that reach one,
 * and by processes of VMs that may have something to show. Hosts without a screen need none.
 */
#ifndef X11_H
#define X11_H

#include <macrohard/x11.h>

#define X11_CALLS(X)       \
	X(dial)            \
	X(connect)         \
	X(disconnect)      \
	X(window_open)     \
	X(window_close)    \
	X(seamless_start)  \
	X(seamless_stop)   \
	X(clipboard_start) \
	X(clipboard_stop)

#define X11_POINTER(name) __typeof__(mh_x11_##name) *name;

struct x11_library {
	void *handle; /* NULL: it is not loaded */
	struct {
		X11_CALLS(X11_POINTER)
	} call;
	char why[480]; /* it is not */
};

/* 0, or MH_ENOENT, of which why says more. */
int x11_load(struct x11_library *x11);
void x11_unload(struct x11_library *x11);

#endif

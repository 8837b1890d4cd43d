/* SPDX-License-Identifier: MIT */
/* Loading libmacrohard-x11. */
#include "x11.h"

#include <dlfcn.h>
#include <stdio.h>

#define LIBRARY "libmacrohard-x11.so.1"

int x11_load(struct x11_library *x11)
{
	void **place;

	x11->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!x11->handle) {
		snprintf(x11->why, sizeof(x11->why),
			 "showing it on an X server: %s; install the package libmacrohard-x11-1, "
			 "or build macrohard with XCB's headers at hand",
			 dlerror());
		return MH_ENOENT;
	}
#define LOAD(name)                                    \
	place = (void **)&x11->call.name;             \
	*place = dlsym(x11->handle, "mh_x11_" #name); \
	if (!*place)                                  \
		goto other;
	X11_CALLS(LOAD)
	return 0;
other:
	snprintf(x11->why, sizeof(x11->why),
		 "showing it on an X server: " LIBRARY " is of another version; install the same "
		 "one as of libmacrohard");
	x11_unload(x11);
	return MH_ENOENT;
}

void x11_unload(struct x11_library *x11)
{
	if (x11->handle)
		dlclose(x11->handle);
	x11->handle = NULL;
}

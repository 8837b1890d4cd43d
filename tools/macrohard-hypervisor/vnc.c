/* SPDX-License-Identifier: MIT */
/* The VNC server of a VM's process: in a library that is loaded when one is wanted. */
#include "process.h"

#include <dlfcn.h>
#include <string.h>
#include <macrohard/vnc.h>

#define LIBRARY "libmacrohard-vnc.so.1"

/* A function of the library's, by its name. */
static bool find(void *library, const char *name, void *function, size_t bytes)
{
	void *at = dlsym(library, name);

	memcpy(function, &at, bytes);
	return at != NULL;
}

static int load(struct process *p)
{
	p->vnc.library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (p->vnc.library &&
	    find(p->vnc.library, "mh_vnc_start", &p->vnc.start, sizeof(p->vnc.start)) &&
	    find(p->vnc.library, "mh_vnc_sandbox", &p->vnc.sandbox, sizeof(p->vnc.sandbox)) &&
	    find(p->vnc.library, "mh_vnc_stop", &p->vnc.stop, sizeof(p->vnc.stop)))
		return CLI_OK;
	cli_message("VNC: %s; install the library (on Debian the package libmacrohard-vnc1), or go "
		    "without --vnc",
		    dlerror());
	return CLI_ERROR;
}

int vnc_begin(struct process *p)
{
	struct mh_vnc_config config = MH_VNC_CONFIG_INIT;
	char why[512];

	if (!p->info.vnc)
		return CLI_OK;
	if (load(p))
		return CLI_ERROR;
	config.path = p->info.vnc;
	config.why = why;
	config.why_bytes = sizeof(why);
	if (!p->vnc.start(p->vm, &config, &p->vnc.server))
		return CLI_OK;
	cli_message("%s", why);
	return CLI_ERROR;
}

void vnc_end(struct process *p)
{
	if (p->vnc.server)
		p->vnc.stop(p->vnc.server);
	if (p->vnc.library)
		dlclose(p->vnc.library);
	p->vnc.server = NULL;
	p->vnc.library = NULL;
}

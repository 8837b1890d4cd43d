/* SPDX-License-Identifier: MIT */
/*
 * A VM's display and input for VNC clients: libmacrohard-vnc, a library of its own
 * (-lmacrohard-vnc) over the public functions of <macrohard/display.h> and <macrohard/input.h>.
 */
#ifndef MACROHARD_VNC_H
#define MACROHARD_VNC_H

#include <macrohard/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A server, with a thread of its own. */
struct mh_vnc;

struct mh_vnc_config {
	size_t size;	  /* sizeof(struct mh_vnc_config), by MH_VNC_CONFIG_INIT */
	uint32_t clients; /* at most, at a time: up to 32; 0: 8 */
	uint32_t flags;	  /* 0 */
	/* Of a UNIX socket, at most 80 bytes, that only this user may open. */
	const char *path;
	char *why; /* where a sentence goes on error: cause and cure; NULL: nobody asks */
	size_t why_bytes;
};

#define MH_VNC_CONFIG_INIT                                                  \
	{                                                                   \
		sizeof(struct mh_vnc_config), 0u, 0u, NULL, NULL, (size_t)0 \
	}

/**
 * Let VNC clients (RFB 3.8, RFC 6143) see the VM's display and use its input devices. A VM without
 * input devices is only looked at. There is no password: who may open the socket may use it, and
 * others come by ssh -L.
 * @config  copied
 * Ownership: *out lives until mh_vnc_stop, which comes before mh_vm_destroy.
 * Thread: as mh_display_listen
 * Returns 0; MH_EINVAL (config), MH_ENOENT (the VM has no display), MH_EEXIST (the path), MH_EIO
 * (it cannot listen), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_vnc_start(struct mh_vm *vm, const struct mh_vnc_config *config, struct mh_vnc **out);

/**
 * Confine the server's thread as mh_sandbox_thread does: after mh_sandbox_enter (sandbox.h), for a
 * server that was started before. It cannot remove its socket any more, which is left for others.
 * Thread: as mh_vnc_stop
 * Returns 0; MH_EINVAL (vnc is NULL), and what mh_sandbox_thread returns.   Since: 1.0
 */
MH_API int mh_vnc_sandbox(struct mh_vnc *vnc);

/**
 * Disconnect all clients and end the server; NULL is a no-op.
 * Thread: as mh_display_unlisten.   Since: 1.0
 */
MH_API void mh_vnc_stop(struct mh_vnc *vnc);

#ifdef __cplusplus
}
#endif
#endif

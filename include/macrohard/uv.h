/* SPDX-License-Identifier: MIT */
/* Devices on a libuv loop of the embedder's. The only public header that names libuv. */
#ifndef MACROHARD_UV_H
#define MACROHARD_UV_H

#include <macrohard/ctx.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Make a context whose devices work on a libuv loop, which you run by uv_run on the calling thread.
 * What MH_LOOP_FOREIGN says of threads holds here, too.
 * @config  NULL: all defaults; config.loop does not matter
 * @uv      initialized; it outlives the context
 * @out     the context; destroy it with mh_ctx_destroy on this thread
 * Ownership: the loop stays yours. While the context exists the loop is alive: uv_run waits. What
 * is left of the context when it has been destroyed goes with the loop's next turn: run it once
 * more before you close it.
 * Thread: that of the loop
 * Returns 0; MH_EINVAL (size, engine, log_level; uv is NULL), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_ctx_create_uv(const struct mh_ctx_config *config, uv_loop_t *uv, struct mh_ctx **out);

#ifdef __cplusplus
}
#endif
#endif

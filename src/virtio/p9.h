/* SPDX-License-Identifier: MIT */
/*
 * A 9P server for one folder of the host: 9P2000.L, 9P2000.u and 9P2000. It knows no transport:
 * a request and the room for its reply are scattered pieces of memory (a guest's, or a socket's
 * buffer), into and out of which file data goes without a copy. What a client can reach is up to
 * tree.h.
 */
#ifndef MHI_VIRTIO_P9_H
#define MHI_VIRTIO_P9_H

#include "core/err.h"
#include "virtio/p9_server.h"
#include "virtio/tree_config.h"

struct mhi_p9_config {
	struct mhi_tree_config tree;
	u32 msize_max; /* 0: MHI_P9_MSIZE_MAX */
	u32 fids_max;  /* 0: 65536 */
};

struct mhi_p9; /* one client's session */

/* 0; MH_EINVAL, MH_ENOENT, MH_EPERM, MH_ENOMEM, MH_ENOTSUP with a sentence in err. */
int mhi_p9_create(const struct mhi_p9_config *config, struct mhi_p9 **out, struct mhi_err *err);
/* No request is in flight. NULL is allowed. */
void mhi_p9_destroy(struct mhi_p9 *p9);
/* As if the client had gone and come back. No request is in flight. */
void mhi_p9_reset(struct mhi_p9 *p9);

/* What begins and ends its requests; for transports that take any server. */
struct mhi_p9_server *mhi_p9_server(struct mhi_p9 *p9);

void mhi_p9_run(struct mhi_p9 *p9, struct mhi_p9_req *req);

/* The size of the message that starts with these 4 bytes: for transports that are streams. */
static inline u32 mhi_p9_size(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

#endif

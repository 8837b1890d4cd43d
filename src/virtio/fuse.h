/* SPDX-License-Identifier: MIT */
/*
 * A FUSE server for one folder of the host: what Linux' virtiofs and virtio-win's viofs speak. It
 * knows no transport: a request and the room for its reply are scattered pieces of memory, into and
 * out of which file data goes without a copy. What a client can reach is up to tree.h.
 *
 * Requests may run on any number of threads at once, in any order; calls block as long as the files
 * do. File locks are the client's own: its kernel keeps them, and neither the host's nor other
 * clients' programs see them.
 */
#ifndef MHI_VIRTIO_FUSE_H
#define MHI_VIRTIO_FUSE_H

#include <sys/uio.h>

#include "core/err.h"
#include "virtio/tree_config.h"

struct mhi_fuse_config {
	struct mhi_tree_config tree;
	u32 inodes_max;	 /* files that the client knows; 0: 524288 */
	u32 handles_max; /* open files and folders; 0: 65536 */
};

/* One request, owned by the transport. */
struct mhi_fuse_req {
	const struct iovec *out; /* the request; its memory may change under our feet */
	const struct iovec *in;	 /* room for the reply */
	unsigned int outs, ins;
	u32 replied; /* by run: bytes of the reply; 0: none is due, or there is no room for any */
	bool failed; /* by run: the host's files do not work (EIO) */
};

struct mhi_fuse; /* one client's session */

/* 0; MH_EINVAL, MH_ENOENT, MH_EPERM, MH_ENOMEM, MH_ENOTSUP, MH_EIO with a sentence in err. */
int mhi_fuse_create(const struct mhi_fuse_config *config, struct mhi_fuse **out,
		    struct mhi_err *err);
/* No request is in flight. NULL is allowed. */
void mhi_fuse_destroy(struct mhi_fuse *f);
/* As if the client had gone and come back. */
void mhi_fuse_reset(struct mhi_fuse *f);

void mhi_fuse_run(struct mhi_fuse *f, struct mhi_fuse_req *req);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A 9P server for one folder of the host: 9P2000.L, 9P2000.u and 9P2000. It knows no transport:
 * a request and the room for its reply are scattered pieces of memory (a guest's, or a socket's
 * buffer), into and out of which file data goes without a copy.
 *
 * The client cannot get out of the folder: names are single components, resolved one by one below
 * a descriptor of the folder they are in; symbolic links are data; devices and FIFOs are never
 * opened.
 */
#ifndef MHI_VIRTIO_P9_H
#define MHI_VIRTIO_P9_H

#include "core/err.h"
#include "virtio/p9_server.h"

enum mhi_p9_ids {
	/* The server's user's files belong to config.uid and gid, all others to nobody. */
	MHI_P9_SQUASH,
	/* Owner, mode and device number are kept in a user.* attribute; absent: as SQUASH. */
	MHI_P9_MAPPED,
	/*
	 * The host's ids, modes and attributes: for a trusted guest and a server with privileges.
	 */
	MHI_P9_HOST,
};

struct mhi_p9_config {
	const char *path; /* the folder; may be a symbolic link to one */
	bool readonly;
	enum mhi_p9_ids ids;
	u32 uid, gid;  /* whose the server's files are for the client */
	u32 msize_max; /* 0: MHI_P9_MSIZE_MAX */
	u32 fids_max;  /* 0: 65536 */
	u32 fds_max;   /* open descriptors; 0: half of the process' limit, at most 16384 */
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

/* SPDX-License-Identifier: MIT */
/* Which folder of the host is shared, and how. */
#ifndef MHI_VIRTIO_TREE_CONFIG_H
#define MHI_VIRTIO_TREE_CONFIG_H

#include "base/types.h"

enum mhi_tree_ids {
	/* The server's user's files belong to config.uid and gid, all others to nobody. */
	MHI_TREE_SQUASH,
	/* Owner, mode and device number are kept in a user.* attribute; absent: as SQUASH. */
	MHI_TREE_MAPPED,
	/*
	 * The host's ids, modes and attributes: for a trusted guest and a server with privileges.
	 */
	MHI_TREE_HOST,
};

struct mhi_tree_config {
	const char *path; /* the folder; may be a symbolic link to one */
	bool readonly;
	enum mhi_tree_ids ids;
	u32 uid, gid; /* whose the server's files are for the client */
	/*
	 * Open descriptors; 0: half of the process' limit, at most 16384. More than 32 are opened
	 * only where an eighth of the limit stays free, whatever other folders there are.
	 */
	u32 fds_max;
};

#endif

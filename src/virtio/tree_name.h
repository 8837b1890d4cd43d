/* SPDX-License-Identifier: MIT */
/* What may be the name of a file in its folder. */
#ifndef MHI_VIRTIO_TREE_NAME_H
#define MHI_VIRTIO_TREE_NAME_H

#include "base/types.h"

/* Room for a name and its terminator: NAME_MAX of Linux. */
#define MHI_TREE_NAME 256

/*
 * A client's name, with a terminator, to buf [MHI_TREE_NAME]. 0; -EINVAL: it is empty, "." or "..",
 * or has a NUL or a '/' in it; -ENAMETOOLONG.
 */
int mhi_tree_name(const char *name, size_t len, char *buf);
/*
 * Can a client name this entry of a folder? On vfat, NTFS and FUSE there are longer ones: 255
 * characters, not bytes.
 */
bool mhi_tree_nameable(const char *entry);

#endif

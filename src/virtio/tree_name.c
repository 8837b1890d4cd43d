/* SPDX-License-Identifier: MIT */
/* What may be the name of a file in its folder. */
#include "virtio/tree_name.h"

#include <errno.h>

int mhi_tree_name(const char *name, size_t len, char *buf)
{
	if (!len || memchr(name, 0, len) || memchr(name, '/', len))
		return -EINVAL;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return -EINVAL;
	if (len >= MHI_TREE_NAME)
		return -ENAMETOOLONG;
	memcpy(buf, name, len);
	buf[len] = 0;
	return 0;
}

bool mhi_tree_nameable(const char *entry)
{
	return strlen(entry) < MHI_TREE_NAME;
}

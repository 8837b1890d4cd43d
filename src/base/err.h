/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Error codes of freestanding code: negative, with the values of Linux's errno, so that they pass
 * to ioctls.
 */
#ifndef MHI_BASE_ERR_H
#define MHI_BASE_ERR_H

#define MHI_ENOENT (-2)
#define MHI_EIO (-5)
#define MHI_EAGAIN (-11)
#define MHI_ENOMEM (-12)
#define MHI_EFAULT (-14)
#define MHI_EBUSY (-16)
#define MHI_EEXIST (-17)
#define MHI_EINVAL (-22)
#define MHI_ERANGE (-34)
#define MHI_EOPNOTSUPP (-95)

#endif

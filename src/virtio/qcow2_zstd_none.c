/* SPDX-License-Identifier: MIT */
/* Stands for zstd in builds without libzstd: such images are refused when they are opened. */
#include "virtio/qcow2_int.h"

bool mhi_q2_has_zstd(void)
{
	return false;
}

int mhi_q2_unzstd(const u8 *in, size_t in_bytes, u8 *out, size_t out_bytes)
{
	return MH_ENOTSUP;
}

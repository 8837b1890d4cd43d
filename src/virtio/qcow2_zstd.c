/* SPDX-License-Identifier: MIT */
/* Unpacking zstd, where libzstd is there at build time. */
#include "virtio/qcow2_int.h"

#include <zstd.h>

bool mhi_q2_has_zstd(void)
{
	return true;
}

int mhi_q2_unzstd(const u8 *in, size_t in_bytes, u8 *out, size_t out_bytes)
{
	ZSTD_inBuffer from = { in, in_bytes, 0 };
	ZSTD_outBuffer to = { out, out_bytes, 0 };
	ZSTD_DCtx *z = ZSTD_createDCtx();
	size_t before, rc;

	if (!z)
		return MH_ENOMEM;
	do {
		before = from.pos + to.pos;
		rc = ZSTD_decompressStream(z, &to, &from);
	} while (!ZSTD_isError(rc) && rc && to.pos < out_bytes && from.pos + to.pos != before);
	ZSTD_freeDCtx(z);
	return !ZSTD_isError(rc) && to.pos == out_bytes ? 0 : MH_EFORMAT;
}

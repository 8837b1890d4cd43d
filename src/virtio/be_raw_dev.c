/* SPDX-License-Identifier: MIT */
/* What the kernel knows about a raw disk: sizes, alignments, and its block device calls. */
#include "virtio/be_raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Where a file system does not say what direct I/O needs. */
#define DIRECT_ALIGN 4096u

static void file_alignment(int fd, struct mhi_raw_facts *facts)
{
	struct statx sx;

	facts->direct_align = facts->direct_memory = DIRECT_ALIGN;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx))
		return;
	if (!(sx.stx_mask & STATX_DIOALIGN) || !sx.stx_dio_offset_align)
		return;
	facts->direct_align = sx.stx_dio_offset_align;
	facts->direct_memory = sx.stx_dio_mem_align;
}

static int device_facts(int fd, struct mhi_raw_facts *facts)
{
	unsigned int physical = 0;
	int block = 0, read_only = 0;
	u64 bytes;

	if (ioctl(fd, BLKGETSIZE64, &bytes))
		return -errno;
	facts->bytes = bytes;
	if (!ioctl(fd, BLKSSZGET, &block) && block > 0)
		facts->block = facts->direct_align = facts->direct_memory = (u32)block;
	if (!ioctl(fd, BLKPBSZGET, &physical) && physical)
		facts->physical = physical;
	if (!ioctl(fd, BLKROGET, &read_only))
		facts->read_only = read_only != 0;
	return 0;
}

int mhi_raw_facts(int fd, struct mhi_raw_facts *facts)
{
	struct stat st;

	memset(facts, 0, sizeof(*facts));
	if (fstat(fd, &st))
		return -errno;
	facts->block = MHI_BLK_SECTOR;
	facts->physical = st.st_blksize > 0 ? (u32)st.st_blksize : DIRECT_ALIGN;
	file_alignment(fd, facts);
	if (S_ISBLK(st.st_mode)) {
		facts->device = true;
		return device_facts(fd, facts);
	}
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	facts->bytes = (u64)st.st_size;
	return 0;
}

int mhi_raw_dev_discard(int fd, u64 offset, u64 bytes)
{
	u64 range[2] = { offset, bytes };

	return ioctl(fd, BLKDISCARD, range) ? -errno : 0;
}

int mhi_raw_dev_zero(int fd, u64 offset, u64 bytes)
{
	u64 range[2] = { offset, bytes };

	return ioctl(fd, BLKZEROOUT, range) ? -errno : 0;
}

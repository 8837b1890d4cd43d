/* SPDX-License-Identifier: MIT */
/* Reading the frame buffer's option ROM: PCI Firmware 3.0, 5.1 "PCI Expansion ROM Contents". */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/framebuffer.h"

#define SIGNATURE_0 0x55
#define SIGNATURE_1 0xaa
#define LEAST_BYTES 512

static bool is_rom(const u8 *data)
{
	return data[0] == SIGNATURE_0 && data[1] == SIGNATURE_1;
}

u8 *mhi_framebuffer_rom(const char *path, u32 *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	u8 *data = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size >= LEAST_BYTES &&
	    st.st_size <= MHI_FRAMEBUFFER_ROM_MAX)
		data = malloc((size_t)st.st_size);
	if (data && (read(fd, data, (size_t)st.st_size) != st.st_size || !is_rom(data))) {
		free(data);
		data = NULL;
	}
	if (data)
		*bytes = (u32)st.st_size;
	close(fd);
	return data;
}

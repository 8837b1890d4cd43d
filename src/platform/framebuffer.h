/* SPDX-License-Identifier: MIT */
/*
 * A plain linear frame buffer, as QEMU's bochs-display has it: what firmware, boot loaders and
 * kernels draw on before they have a driver for more.
 */
#ifndef MHI_PLATFORM_FRAMEBUFFER_H
#define MHI_PLATFORM_FRAMEBUFFER_H

#include "core/display.h"
#include "core/pci_dev.h"

#define MHI_FRAMEBUFFER_VENDOR 0x1234
#define MHI_FRAMEBUFFER_DEVICE 0x1111
#define MHI_FRAMEBUFFER_ROM_MAX 0x10000u

struct mhi_framebuffer;

/*
 * bytes: of the pixels' memory, which is taken from the display's: a power of two, at least a
 * page. With the option ROM that is installed here, if there is one. 0; MH_ENOMEM, MH_ENOSPC (the
 * display's memory is not that large, or in use).
 */
int mhi_framebuffer_create(struct mhi_display *display, u64 bytes, struct mhi_framebuffer **out);
/* Plug this in. */
struct mhi_pci_dev *mhi_framebuffer_pci(struct mhi_framebuffer *f);
/* It is not plugged in. */
void mhi_framebuffer_destroy(struct mhi_framebuffer *f);

/*
 * Its VGA BIOS: a file of at most MHI_FRAMEBUFFER_ROM_MAX bytes, to be freed. NULL: it is none, or
 * not there.
 */
u8 *mhi_framebuffer_rom(const char *path, u32 *bytes);

#endif

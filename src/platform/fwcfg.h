/* SPDX-License-Identifier: MIT */
/*
 * What firmware asks of the machine it runs on: QEMU's fw_cfg device at I/O ports, with DMA. QEMU,
 * docs/specs/fw_cfg.
 */
#ifndef MHI_PLATFORM_FWCFG_H
#define MHI_PLATFORM_FWCFG_H

#include <pthread.h>

#include "core/gmem.h"
#include "macrohard/vm.h"

#define MHI_FWCFG_PORT 0x510
#define MHI_FWCFG_PORTS 12
#define MHI_FWCFG_ITEMS 16
#define MHI_FWCFG_NAME 56 /* of a file, with the final zero */

/* Keys of items that are no files. */
#define MHI_FWCFG_CPUS 0x05
#define MHI_FWCFG_MAX_CPUS 0x0f

/* A directory's entry: its size, its key, nothing, its name. */
#define MHI_FWCFG_ENTRY (8 + MHI_FWCFG_NAME)

struct mhi_fwcfg_item {
	u16 key;
	u32 bytes;
	u8 *data; /* [bytes] */
};

struct mhi_fwcfg {
	const struct mhi_gmem *mem; /* (c) */
	/* Protects (m); items change only while no vCPU runs. */
	pthread_mutex_t lock;
	struct mhi_fwcfg_item item[MHI_FWCFG_ITEMS];
	unsigned int items, files;
	u8 directory[4 + MHI_FWCFG_ENTRY * MHI_FWCFG_ITEMS];
	u16 key; /* (m) of the item that is read */
	u32 at;	 /* (m) how far */
	u64 dma; /* (m) address of a DMA request, as far as it is written */
};

void mhi_fwcfg_init(struct mhi_fwcfg *f, const struct mhi_gmem *mem);
void mhi_fwcfg_fini(struct mhi_fwcfg *f);
/* Power-up state, without items. */
void mhi_fwcfg_reset(struct mhi_fwcfg *f);
/*
 * An item that is copied: a number of two bytes with a key of its own, or a file, whose name is
 * shorter than MHI_FWCFG_NAME. 0; MH_ENOMEM; MH_ERANGE: there are too many.
 */
int mhi_fwcfg_number(struct mhi_fwcfg *f, u16 key, u16 value);
int mhi_fwcfg_file(struct mhi_fwcfg *f, const char *name, const void *data, size_t bytes);

/* For the PIO bus, MHI_FWCFG_PORTS ports, opaque = f. */
extern const struct mh_io_ops mhi_fwcfg_ops;

#endif

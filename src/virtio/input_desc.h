/* SPDX-License-Identifier: MIT */
/* What each kind of virtio-input device is and has, as its driver asks for it. */
#ifndef MHI_VIRTIO_INPUT_DESC_H
#define MHI_VIRTIO_INPUT_DESC_H

#include "virtio/input.h"

/* virtio 1.2, 5.8.4 "Device configuration layout". */
#define MHI_INPUT_CONFIG_SELECTORS 2 /* what the driver writes: select, subsel */
#define MHI_INPUT_CONFIG_SIZE 2
#define MHI_INPUT_CONFIG_DATA 8
#define MHI_INPUT_CONFIG_DATA_BYTES 128
#define MHI_INPUT_CONFIG (MHI_INPUT_CONFIG_DATA + MHI_INPUT_CONFIG_DATA_BYTES)

/* config [MHI_INPUT_CONFIG]: answer what its selectors ask. */
void mhi_input_describe(enum mhi_input_kind kind, u8 *config);
bool mhi_input_has_key(enum mhi_input_kind kind, u32 code);

#endif

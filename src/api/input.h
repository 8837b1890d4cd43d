/* SPDX-License-Identifier: MIT */
/* Which input devices a VM has, and where its events go. */
#ifndef MHI_API_INPUT_H
#define MHI_API_INPUT_H

#include <pthread.h>

#include "virtio/input.h"

#define MHI_INPUT_KINDS (MHI_INPUT_MOUSE + 1)

struct mhi_inputs {
	/*
	 * Protects the rest, and makes events one at a time. Taken after vm.lock, before those of
	 * devices.
	 */
	pthread_mutex_t lock;
	struct mhi_vdev *vdev[MHI_INPUT_KINDS]; /* by enum mhi_input_kind; NULL: none */
	bool ps2;
	bool moved;  /* the mouse last, virtio's or PS/2's, and not the tablet */
	bool placed; /* x and y are those of the last position */
	s32 x, y;
};

#endif

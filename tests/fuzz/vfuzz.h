/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes a virtio device behind its PCI transport: the input is what a driver does, from register
 * accesses and kicks to requests, well-formed or not, on rings of either layout. What it finds is
 * wrong besides what sanitizers see: writes to read-only memory, a reset that does not end, more
 * than one line in the log, work that never ends.
 */
#ifndef TESTS_VFUZZ_H
#define TESTS_VFUZZ_H

#include "fuzz.h"
#include "virtio/vdev.h"

#define VFUZZ_REQUEST_MAX 0x400

/* A device. Everything is called in the order in which the input says so, in one thread. */
struct vfuzz_model {
	struct mhi_vdev *(*create)(const struct mhi_vdev_env *env, u8 choice);
	/*
	 * A likely request for a queue: what the driver writes into out [VFUZZ_REQUEST_MAX];
	 * returns its length, *in_bytes is what the device has room to write.
	 */
	u32 (*request)(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes);
	/* NULL, or: what the host does with the device meanwhile. */
	void (*host)(struct mhi_vdev *dev, struct fuzz_input *in);
	/* NULL, or: complete all that is in flight. */
	void (*drain)(struct mhi_vdev *dev);
	/* NULL, or: the device has been destroyed. */
	void (*end)(void);
};

int vfuzz(const struct vfuzz_model *model, const u8 *data, size_t size);

#endif

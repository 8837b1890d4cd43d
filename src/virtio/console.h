/* SPDX-License-Identifier: MIT */
/* virtio-console: consoles and named byte channels of the guest. */
#ifndef MHI_VIRTIO_CONSOLE_H
#define MHI_VIRTIO_CONSOLE_H

#include "virtio/vdev.h"

#define MHI_CONSOLE_PORTS_MAX 16
#define MHI_CONSOLE_NAME 64 /* with the final zero */

struct mhi_console_port {
	char name[MHI_CONSOLE_NAME]; /* "": it is a console */
	/* What the guest wrote; on the loop's thread, without locks. NULL: dropped. */
	void (*output)(void *opaque, const void *data, size_t bytes);
	void *opaque;
	/* These two as output. NULL: not of interest. */
	/* mhi_console_input took less than it was given, and there is room again. */
	void (*room)(void *opaque);
	/*
	 * The guest has opened the port, or closed it. With such a function, what was input and the
	 * guest has not read is dropped then.
	 */
	void (*opened)(void *opaque, bool open);
};

/*
 * ports is 1 .. MHI_CONSOLE_PORTS_MAX; a single console without a name is a device without ports.
 * 0; MH_ENOMEM.
 */
int mhi_console_create(const struct mhi_vdev_env *env, const struct mhi_console_port *port,
		       unsigned int ports, struct mhi_vdev **out);
/* Takes what fits; the rest is for later. Any thread. */
size_t mhi_console_input(struct mhi_vdev *dev, unsigned int port, const void *data, size_t bytes);
/* Any thread. */
void mhi_console_resize(struct mhi_vdev *dev, unsigned int port, u16 columns, u16 rows);
unsigned int mhi_console_ports(const struct mhi_vdev *dev);

#endif

/* SPDX-License-Identifier: MIT */
/* The network back ends (core/net.h). All are opened from any thread but the loop's. */
#ifndef MHI_VIRTIO_BE_NET_H
#define MHI_VIRTIO_BE_NET_H

#include <netinet/in.h>

#include "core/err.h"
#include "core/net.h"
#include "virtio/vdev.h"

/*
 * A connected socket that keeps messages apart (SOCK_DGRAM, SOCK_SEQPACKET): each is one frame,
 * without a header. The back end takes a duplicate of fd. 0; MH_EINVAL (no such socket), MH_ENOMEM.
 */
int mhi_net_socket_open(const struct mhi_vdev_env *env, int fd, u32 mtu, struct mhi_net **out,
			struct mhi_err *err);

/* A port of the host that leads to one of the guest. */
struct mhi_net_forward {
	bool udp;
	struct in_addr host, guest; /* guest 0: the first address that DHCP gives */
	u16 host_port, guest_port;
};

struct mhi_user_net_config {
	u32 mtu;
	bool restricted;		       /* the guest reaches nothing but this network */
	bool no_loopback;		       /* the host's loopback is no part of it */
	const struct mhi_net_forward *forward; /* [forwards] */
	u32 forwards;
};

/* 0; MH_EBUSY (a port of the host is in use), MH_ENOMEM. */
int mhi_user_net_open(const struct mhi_vdev_env *env, const struct mhi_user_net_config *config,
		      struct mhi_net **out, struct mhi_err *err);

struct mhi_tap_config {
	const char *name; /* NULL: fd */
	const int *fd;	  /* [queues] */
	u32 queues;	  /* 1 .. MHI_NET_QUEUES_MAX */
	u32 mtu;	  /* 0: the interface's */
};

/*
 * A TAP interface, by name or by descriptors, of which the back end takes duplicates and which
 * become non-blocking. 0; MH_EINVAL, MH_EPERM, MH_ENOENT, MH_EBUSY, MH_ENOMEM.
 */
int mhi_tap_open(const struct mhi_vdev_env *env, const struct mhi_tap_config *config,
		 struct mhi_net **out, struct mhi_err *err);

/*
 * Write what passes a back end, which has no user yet, to a file. On error inner is still the
 * caller's. 0; MH_EPERM, MH_ENOENT, MH_EIO, MH_ENOMEM.
 */
int mhi_pcap_open(const struct mhi_vdev_env *env, const char *path, struct mhi_net *inner,
		  struct mhi_net **out, struct mhi_err *err);

#endif

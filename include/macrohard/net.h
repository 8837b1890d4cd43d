/* SPDX-License-Identifier: MIT */
/* Network cards of the guest (virtio-net), and what they are connected to. */
#ifndef MACROHARD_NET_H
#define MACROHARD_NET_H

#include <macrohard/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a network card is connected to. */
enum mh_net_kind {
	/*
	 * A network in this process (libslirp), which needs no privilege: the guest gets 10.0.2.15
	 * by DHCP, the host is 10.0.2.2 and routes TCP and UDP, 10.0.2.3 answers DNS.
	 */
	MH_NET_USER = 0,
	/* A TAP interface of the host, config.name; it is made if it is not there and you may. */
	MH_NET_TAP,
	/*
	 * Descriptors, config.fd: those of a TAP interface (IFF_TAP, IFF_NO_PI, best with
	 * IFF_VNET_HDR), one for each queue; or a connected socket that keeps messages apart
	 * (SOCK_DGRAM, SOCK_SEQPACKET), each of which is one Ethernet frame.
	 */
	MH_NET_FD,
	/* Functions of yours, config.ops: frames come from mh_net_input. */
	MH_NET_OPS
};

#define MH_NET_RESTRICT (1u << 8)    /* user: the guest reaches only what is forwarded to it */
#define MH_NET_NO_LOOPBACK (1u << 9) /* user: 10.0.2.2 does not lead to the host's loopback */

#define MH_NET_QUEUES_MAX 16

/* user: a port of the host that leads to one of the guest. */
struct mh_net_forward {
	uint32_t udp;	     /* 0: TCP, 1: UDP */
	uint16_t host_port;  /* 1 .. 65535 */
	uint16_t guest_port; /* 1 .. 65535 */
	const char *host;    /* IPv4 address to listen on; NULL: any */
	const char *guest;   /* IPv4 address; NULL: 10.0.2.15 */
};

struct mh_net_config {
	size_t size;	  /* by MH_NET_CONFIG_INIT */
	uint32_t flags;	  /* MH_NET_*, MH_VIRTIO_* */
	uint32_t kind;	  /* enum mh_net_kind */
	const char *name; /* MH_NET_TAP: the interface */
	const int *fd;	  /* MH_NET_FD: [queues]; duplicated: yours stay yours */
	uint32_t queues;  /* TAP: 1 .. MH_NET_QUEUES_MAX; else 1; 0: 1 */
	uint32_t mtu;	  /* bytes, 68 .. 65535; 0: the interface's, or 1500 */
	uint8_t mac[6];	  /* all zero: a random one */
	const char *pcap; /* a file for all frames; NULL: none */
	const struct mh_net_forward *forward; /* [forwards] */
	uint32_t forwards;
	const struct mh_net_ops *ops; /* MH_NET_OPS; copied */
	void *opaque;		      /* its first argument */
};

#define MH_NET_CONFIG_INIT                                                                       \
	{                                                                                        \
		sizeof(struct mh_net_config), 0u, 0u, NULL, NULL, 0u, 0u, { 0 }, NULL, NULL, 0u, \
			NULL, NULL                                                               \
	}

/**
 * Give the guest a network card (virtio-net).
 * @config  copied, with what it points to
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE; descriptors of another kind), MH_ESTATE, MH_ERANGE,
 * MH_EEXIST (PCI slot), MH_ENOMEM, MH_EPERM (the interface or the file), MH_ENOENT (no
 * /dev/net/tun; the file's folder), MH_EBUSY (interface or port in use), MH_EIO (the file).
 * Since: 1.0
 */
MH_API int mh_net_attach(struct mh_vm *vm, const struct mh_net_config *config, struct mh_dev **out);

/**
 * Send a frame to the guest, by a card of kind MH_NET_OPS. The guest takes it when it runs and has
 * room; up to 1 MiB of frames wait for that.
 * @frame  [bytes], copied: Ethernet, without checksum at its end
 * Thread: [any], and struct mh_net_ops
 * Returns 0; MH_ENOSPC (too many wait: this one is lost), MH_EINVAL (dev is no such card; bytes is
 * not 14 to 65597), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_net_input(struct mh_dev *dev, const void *frame, size_t bytes);

/**
 * There may be room again: what mh_net_ops.send has refused is offered anew.
 * Thread: [any], and struct mh_net_ops   Returns 0; MH_EINVAL (dev is no such card).   Since: 1.0
 */
MH_API int mh_net_ready(struct mh_dev *dev);

#ifdef __cplusplus
}
#endif
#endif

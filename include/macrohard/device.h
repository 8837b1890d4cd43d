/* SPDX-License-Identifier: MIT */
/* Devices of the machine that an embedder attaches to or feeds. */
#ifndef MACROHARD_DEVICE_H
#define MACROHARD_DEVICE_H

#include <macrohard/backend.h>
#include <macrohard/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that the guest wrote to a serial port; from a library thread, one call at a time. */
typedef void mh_serial_fn(void *opaque, const void *data, size_t bytes);

/**
 * Receive what the guest writes to COM1 (port 0: 0x3f8) .. COM4.
 * @port  0 .. 3; only port 0 exists unless attached
 * @fn    NULL: output is dropped again
 * Thread: [setup]
 * Returns 0; MH_EINVAL (port; MH_VM_BARE), MH_ESTATE, MH_EEXIST (a handler of yours has the port's
 * addresses), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_serial_attach(struct mh_vm *vm, unsigned int port, mh_serial_fn *fn, void *opaque);

/**
 * Type into a serial port. Takes as much as fits into the port's queue.
 * Thread: [any]
 * Returns the number of bytes taken (0 .. bytes), or MH_EINVAL.   Since: 1.0
 */
MH_API int mh_serial_input(struct mh_vm *vm, unsigned int port, const void *data, size_t bytes);

/**
 * Press the ACPI power button. Thread: [any]. Returns 0; MH_ESTATE (not running); MH_EINVAL
 * (MH_VM_BARE). Since: 1.0
 */
MH_API int mh_vm_power_button(struct mh_vm *vm);

/* ---- devices on PCI ---- */

/*
 * An attached device. It lives until mh_dev_detach, or until its VM is destroyed. Devices have a
 * thread of the library that all VMs of a context share; their callbacks come from there: a
 * callback must not wait, and may not pause, resume, start or destroy a VM; mh_vm_stop stops the VM
 * when it has returned.
 */
struct mh_dev;

/* for all virtio devices: offer the split ring only */
#define MH_VIRTIO_SPLIT (1u << 0)
/*
 * The PCI slot, 1 to 31, where the guest finds the device; 0: the next free one. Attaching gives
 * MH_EEXIST when another device is there, MH_ERANGE when no slot is left.
 */
#define MH_VIRTIO_SLOT(n) (((uint32_t)(n)&31u) << 16)

/**
 * Take a device out of its VM and free it; NULL is a no-op.
 * Thread: [setup]
 * Returns 0; MH_ESTATE (the VM runs: nothing happens).   Since: 1.0
 */
MH_API int mh_dev_detach(struct mh_dev *dev);

struct mh_rng_config {
	size_t size;	/* sizeof(struct mh_rng_config), by MH_RNG_CONFIG_INIT */
	uint32_t flags; /* MH_VIRTIO_* */
};

#define MH_RNG_CONFIG_INIT                       \
	{                                        \
		sizeof(struct mh_rng_config), 0u \
	}

/**
 * Give the guest random numbers of this host (virtio-rng).
 * @config  NULL: defaults
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_ERANGE, MH_EEXIST (PCI slot), MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_rng_attach(struct mh_vm *vm, const struct mh_rng_config *config, struct mh_dev **out);

#define MH_DISK_READONLY (1u << 8)
#define MH_DISK_DIRECT (1u << 9)	 /* past the host's page cache */
#define MH_DISK_WRITE_THROUGH (1u << 10) /* each write is stable when the guest sees it done */

struct mh_disk_config {
	size_t size;	    /* sizeof(struct mh_disk_config), by MH_DISK_CONFIG_INIT */
	const char *path;   /* a file or a block device; NULL: ops */
	const char *format; /* "raw" or "qcow2"; NULL: found out */
	const char *serial; /* at most 20 bytes; NULL: none */
	uint32_t flags;	    /* MH_DISK_*, MH_VIRTIO_* */
	uint32_t queues;    /* 1 .. 16; 0: one for each vCPU, at most 8 */
	/* Storage of yours, in place of path and format. */
	const struct mh_block_ops *ops; /* copied */
	void *opaque;			/* its first argument */
	uint64_t bytes;			/* of the disk; multiple of block_bytes */
	uint32_t block_bytes;		/* 512 .. 65536, a power of two; 0: 512 */
	uint32_t reserved;		/* 0 */
};

#define MH_DISK_CONFIG_INIT                                                                     \
	{                                                                                       \
		sizeof(struct mh_disk_config), NULL, NULL, NULL, 0u, 0u, NULL, NULL, 0u, 0u, 0u \
	}

/**
 * Give the guest a disk (virtio-blk). The image is opened now, and locked against other writers
 * until the device is gone. With config.ops there is no image: the embedder stores the bytes.
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_ERANGE, MH_EEXIST (PCI slot), MH_ENOMEM,
 * and what is wrong with the image: MH_ENOENT, MH_EPERM, MH_EBUSY (somebody else writes it),
 * MH_EFORMAT, MH_ENOTSUP, MH_EIO.   Since: 1.0
 */
MH_API int mh_disk_attach(struct mh_vm *vm, const struct mh_disk_config *config,
			  struct mh_dev **out);

/* Whose a shared folder's files are. */
enum mh_share_owners {
	/* Files of the user who runs this process are the guest's config.uid's; others nobody's. */
	MH_SHARE_SQUASH = 0,
	/* The guest may set owner, mode and device files; they are kept in a user.* attribute. */
	MH_SHARE_MAPPED,
	/* The host's owners, modes and attributes as they are: for trusted guests only. */
	MH_SHARE_HOST
};

/* flags of mh_share_attach: by FUSE (virtio-fs), not by 9P (virtio-9p) */
#define MH_SHARE_VIRTIOFS (1u << 8)

struct mh_share_config {
	size_t size;	   /* sizeof(struct mh_share_config), by MH_SHARE_CONFIG_INIT */
	uint32_t flags;	   /* MH_SHARE_VIRTIOFS, MH_VIRTIO_* */
	uint32_t readonly; /* 1: the guest changes nothing */
	const char *path;  /* the folder; NULL: ops */
	const char *tag;   /* its name for the guest's mount, 1 to 64 bytes; virtio-fs: to 36 */
	uint32_t owners;   /* enum mh_share_owners */
	uint32_t uid, gid; /* MH_SHARE_SQUASH: of the files of the process' user */
	/* A 9P server of yours, in place of path, readonly, owners, uid, gid, and not virtio-fs. */
	const struct mh_p9_ops *ops; /* copied */
	void *opaque;		     /* its first argument */
};

#define MH_SHARE_CONFIG_INIT                                                               \
	{                                                                                  \
		sizeof(struct mh_share_config), 0u, 0u, NULL, NULL, 0u, 0u, 0u, NULL, NULL \
	}

/**
 * Share a folder of this host with the guest, by 9P (virtio-9p), or by FUSE (virtio-fs). Linux
 * mounts it by "mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 TAG /mnt", or by
 * "mount -t virtiofs TAG /mnt". Windows knows virtio-fs only, by a driver, and shows one share of a
 * VM. By virtio-fs the guest may believe for a second what it was told of a file, and locks are not
 * seen outside of it. The guest cannot leave the folder: the host never follows its symbolic links,
 * and never opens devices or FIFOs in it. With config.ops there is no folder: the embedder answers
 * the guest's messages.
 * @config  copied
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; not a folder; MH_VM_BARE), MH_ENOENT, MH_EPERM (the folder),
 * MH_ENOTSUP (MH_SHARE_MAPPED without user attributes; a kernel before 5.6), MH_ESTATE, MH_ERANGE,
 * MH_EEXIST (PCI slot), MH_ENOMEM, MH_EIO.   Since: 1.0
 */
MH_API int mh_share_attach(struct mh_vm *vm, const struct mh_share_config *config,
			   struct mh_dev **out);

/*
 * Bytes that the guest wrote to a port of a console device; see struct mh_dev for what it may do.
 */
typedef void mh_console_fn(void *opaque, const void *data, size_t bytes);

#define MH_CONSOLE_PORTS_MAX 16

struct mh_console_port {
	const char *name;      /* at most 63 bytes; NULL: a console (hvc0, ...) */
	mh_console_fn *output; /* NULL: dropped */
	void *opaque;
};

struct mh_console_config {
	size_t size;			    /* by MH_CONSOLE_CONFIG_INIT */
	uint32_t flags;			    /* MH_VIRTIO_* */
	uint32_t ports;			    /* 1 .. MH_CONSOLE_PORTS_MAX */
	const struct mh_console_port *port; /* [ports]; copied */
};

#define MH_CONSOLE_CONFIG_INIT                                 \
	{                                                      \
		sizeof(struct mh_console_config), 0u, 0u, NULL \
	}

/**
 * Give the guest consoles and named byte channels (virtio-console): /dev/hvc0,
 * /dev/virtio-ports/NAME in Linux.
 * @out     the device, for the functions below
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_ERANGE, MH_EEXIST (PCI slot), MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_console_attach(struct mh_vm *vm, const struct mh_console_config *config,
			     struct mh_dev **out);

/**
 * Type into a port. Takes as much as fits; it waits there until the guest opens the port.
 * Thread: [any]
 * Returns the number of bytes taken (0 .. bytes); MH_EINVAL (no console device, no such port).
 * Since: 1.0
 */
MH_API int mh_console_input(struct mh_dev *dev, uint32_t port, const void *data, size_t bytes);

/**
 * Tell the guest the size of a console's window.
 * Thread: [any]   Returns 0; MH_EINVAL (no console device, no such port).   Since: 1.0
 */
MH_API int mh_console_resize(struct mh_dev *dev, uint32_t port, uint16_t columns, uint16_t rows);

/* What a watchdog does when it expires. */
enum mh_watchdog_action {
	/* As if the guest reset itself: with MH_VM_STOP_ON_RESET the VM is Stopped then. */
	MH_WATCHDOG_RESET = 0,
	MH_WATCHDOG_POWEROFF, /* Stopped, with MH_STOP_WATCHDOG */
	MH_WATCHDOG_PAUSE,    /* Paused, until mh_vm_resume */
	MH_WATCHDOG_NONE      /* nothing but the event */
};

struct mh_watchdog_config {
	size_t size;	 /* sizeof(struct mh_watchdog_config), by MH_WATCHDOG_CONFIG_INIT */
	uint32_t flags;	 /* MH_VIRTIO_SLOT */
	uint32_t action; /* enum mh_watchdog_action */
};

#define MH_WATCHDOG_CONFIG_INIT                           \
	{                                                 \
		sizeof(struct mh_watchdog_config), 0u, 0u \
	}

/**
 * Give the guest a watchdog (Intel 6300ESB; Linux: module i6300esb). Once the guest has started it
 * and does not reload it in time, there is MH_EVENT_WATCHDOG, and the action. In a pause of the VM
 * it stands still.
 * @config  NULL: defaults
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_ERANGE, MH_EEXIST (PCI slot), MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_watchdog_attach(struct mh_vm *vm, const struct mh_watchdog_config *config,
			      struct mh_dev **out);

struct mh_balloon_config {
	size_t size;	/* sizeof(struct mh_balloon_config), by MH_BALLOON_CONFIG_INIT */
	uint32_t flags; /* MH_VIRTIO_* */
	uint64_t bytes; /* as by mh_balloon_set, from the start */
};

#define MH_BALLOON_CONFIG_INIT                           \
	{                                                \
		sizeof(struct mh_balloon_config), 0u, 0u \
	}

/**
 * Let the guest give memory back to this host (virtio-balloon): pages that mh_balloon_set takes
 * from it, and pages that it reports as free by itself. They leave this process at once, and come
 * back, zeroed, when the guest uses them again. That holds for the VM's own memory
 * (mh_vm_config.memory_bytes) and for mappings of the caller's that are shared (there it punches
 * holes into what is mapped); private mappings of the caller's, locked and read-only memory stay.
 * @config  NULL: defaults, an empty balloon
 * @out     the device, for the functions below; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_ERANGE, MH_EEXIST (PCI slot), MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_balloon_attach(struct mh_vm *vm, const struct mh_balloon_config *config,
			     struct mh_dev **out);

/**
 * Take memory from the guest: its driver fills the balloon up to this size, or empties it down to
 * it, as fast as it can; a guest that runs out of memory takes some back. A reset empties the
 * balloon, and the driver fills it again.
 * @bytes  of the balloon; a multiple of MH_PAGE_SIZE, at most mh_vm_config.memory_bytes
 * Thread: [any]   Returns 0; MH_EINVAL (no balloon, bytes).   Since: 1.0
 */
MH_API int mh_balloon_set(struct mh_dev *dev, uint64_t bytes);

/* UINT64_MAX: the guest has not told it. */
struct mh_balloon_stats {
	size_t size;		  /* sizeof(struct mh_balloon_stats), by the INIT macro */
	uint64_t target_bytes;	  /* that mh_balloon_set asked for */
	uint64_t actual_bytes;	  /* that the balloon has */
	uint64_t updates;	  /* how often the guest has told the rest */
	uint64_t swap_in_bytes;	  /* read from and written to swap since the start */
	uint64_t swap_out_bytes;  /* " */
	uint64_t major_faults;	  /* page faults with and without reading a disk */
	uint64_t minor_faults;	  /* " */
	uint64_t free_bytes;	  /* unused */
	uint64_t total_bytes;	  /* of its memory, with or without the balloon */
	uint64_t available_bytes; /* that programs could have without swapping */
	uint64_t cache_bytes;	  /* of files */
};

#define MH_BALLOON_STATS_INIT                                                               \
	{                                                                                   \
		sizeof(struct mh_balloon_stats), 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u \
	}

/**
 * What the guest has told about its memory, and ask it for new values: they are there a moment
 * later, when updates has grown.
 * Thread: [any]   Returns 0; MH_EINVAL (no balloon, stats->size).   Since: 1.0
 */
MH_API int mh_balloon_stats(struct mh_dev *dev, struct mh_balloon_stats *stats);

/* Kinds of sockets. */
#define MH_VSOCK_STREAM 1
#define MH_VSOCK_SEQPACKET 2

/*
 * The guest connects to a port of this host (CID 2): return a connected socket of that kind, say,
 * one end of a socketpair(), or a negative number to refuse. The socket is the library's then. See
 * struct mh_dev for what a callback may do; mh_vsock_connect is allowed.
 */
typedef int mh_vsock_accept_fn(void *opaque, uint32_t port, uint32_t type);

struct mh_vsock_config {
	size_t size;		    /* sizeof(struct mh_vsock_config), by MH_VSOCK_CONFIG_INIT */
	uint32_t flags;		    /* MH_VIRTIO_* */
	uint32_t connections;	    /* at most, at a time: up to 65536; 0: 1024 */
	uint64_t cid;		    /* the guest's address, 3 to 0xfffffffe */
	const char *path;	    /* of AF_UNIX sockets, at most 96 bytes; NULL: none */
	mh_vsock_accept_fn *accept; /* asked before path; NULL: nobody */
	void *opaque;
};

#define MH_VSOCK_CONFIG_INIT                                                 \
	{                                                                    \
		sizeof(struct mh_vsock_config), 0u, 0u, 3u, NULL, NULL, NULL \
	}

/**
 * Give the guest sockets to this host (virtio-vsock, AF_VSOCK in Linux). With a path they work as
 * Firecracker's: who connects to the AF_UNIX socket at path and writes "CONNECT port\n" is
 * connected to that port of the guest, and reads "OK port\n" first; when the guest connects to a
 * port of CID 2, the library connects to the AF_UNIX socket path_port, of the same kind. The file
 * at path is made now, with the process's umask, and removed with the device. Half-closing works
 * both ways. For each connection the device keeps at most 128 KiB of what the guest has sent (640
 * KiB where SEQPACKET messages are tiny), and one message of at most 256 KiB for it.
 * @config  copied
 * @out     the device, for the functions below; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_EEXIST, MH_ENOENT, MH_EPERM, MH_EIO (path),
 * MH_ESTATE, MH_ERANGE, MH_EEXIST (PCI slot), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_vsock_attach(struct mh_vm *vm, const struct mh_vsock_config *config,
			   struct mh_dev **out);

/**
 * Connect to a port of the guest.
 * @type  MH_VSOCK_*
 * Ownership: the returned file descriptor is the caller's, a blocking AF_UNIX socket with
 * close-on-exec. What is written waits until the guest accepts; if it refuses, the other end is
 * closed.
 * Thread: [any]
 * Returns the descriptor (0 or more); MH_EINVAL (no vsock device, type), MH_ESTATE (the guest's
 * driver is not there), MH_ENOTSUP (it has no SEQPACKET), MH_ERANGE (config.connections), MH_ENOMEM
 * (also: no descriptors).   Since: 1.0
 */
MH_API int mh_vsock_connect(struct mh_dev *dev, uint32_t port, uint32_t type);

/**
 * End all connections, as after a snapshot: the host's ends are closed, the guest is told by a
 * transport reset.
 * @cid  the guest's new address; 0: it keeps the one that it has
 * Thread: [any]   Returns 0; MH_EINVAL (no vsock device, cid).   Since: 1.0
 */
MH_API int mh_vsock_cut(struct mh_dev *dev, uint64_t cid);

#ifdef __cplusplus
}
#endif
#endif

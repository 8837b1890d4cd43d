/* SPDX-License-Identifier: MIT */
/*
 * Back ends of devices that the embedder supplies: a disk's storage, a network card's other end, a
 * shared folder's files. (What is behind a console is always the embedder's: mh_console_attach.)
 *
 * The tables begin with their version and are copied. Iovecs lie in guest memory: they are valid
 * until the function returns, and the guest may change what is in them meanwhile: copy first, then
 * look. Nothing is called any more when the device is detached or its VM is destroyed.
 */
#ifndef MACROHARD_BACKEND_H
#define MACROHARD_BACKEND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Storage of a disk (struct mh_disk_config.ops). All functions but close are called by worker
 * threads of the library, up to 16 calls at a time, of any order; they may block. Offsets and
 * lengths are multiples of 512, and lie within the disk. Requests that overlap in time have no
 * order. They may call anything but what waits for the VM: mh_vm_pause, mh_vm_stop, mh_vm_destroy,
 * mh_dev_detach.
 * Return 0; MH_EIO, MH_ENOSPC, MH_EPERM, MH_ENOMEM: the guest sees an I/O error; MH_ENOTSUP: it
 * sees that there is no such request.
 */
struct mh_block_ops {
	uint32_t version; /* 1 */
	/* Transfer all bytes of iov [count] at offset. */
	int (*read)(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count);
	int (*write)(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count);
	/* What was written before the call is stable when it returns. */
	int (*flush)(void *opaque);
	/* A hint that the guest does not need what is there. NULL: it is not asked for hints. */
	int (*discard)(void *opaque, uint64_t offset, uint64_t bytes);
	/* NULL: zeroes are written. */
	int (*write_zeroes)(void *opaque, uint64_t offset, uint64_t bytes);
	/*
	 * The last call, by the thread that detaches the device or destroys the VM; none when
	 * attaching failed. NULL: nothing.
	 */
	void (*close)(void *opaque);
};

/*
 * The other end of a network card (struct mh_net_config.ops). All functions are called on the
 * thread of the context's devices, one at a time, and must not wait. They may call mh_net_input and
 * mh_net_ready of any card, and no other function of the library.
 */
struct mh_net_ops {
	uint32_t version; /* 1 */
	/*
	 * The guest sends a frame: Ethernet, without checksum at its end, complete. Returns 1: it
	 * is taken, or lost; 0: there is no room: it is offered again after mh_net_ready.
	 */
	int (*send)(void *opaque, const struct iovec *iov, uint32_t count);
	/* The last call; none when attaching failed. NULL: nothing. */
	void (*close)(void *opaque);
};

/*
 * The files of a shared folder (struct mh_share_config.ops): a 9P server of the embedder's, say, of
 * files that are nowhere. What a message means is between it and the guest: names that lead out of
 * the tree, fids that do not exist, counts and offsets of any size are for it to refuse.
 */
struct mh_p9_ops {
	uint32_t version; /* 1 */
	/*
	 * Answer a message. request [bytes] is a whole T-message in memory of the library, whose
	 * size field is bytes; all else in it may be nonsense. The R-message goes to answer [room];
	 * both are valid until the function returns. room is what the guest has for it, 7 bytes to
	 * 1 MiB, and no more than the msize that was agreed on.
	 * Returns the answer's bytes, its size field. The guest gets the error EIO (Rlerror; in
	 * 9P2000 and 9P2000.u Rerror), and the device counts an error, for what is no answer to
	 * request: a negative number, more than room, another size or tag in the header, a type
	 * that is neither request's plus 1 nor an error of the dialect, in an Rversion an msize
	 * above Tversion's or below 4096.
	 * Called by worker threads of the library, up to 4 calls at a time; it may block. May call
	 * anything but what waits for the VM: mh_vm_pause, mh_vm_stop, mh_vm_destroy,
	 * mh_dev_detach. The first message is a Tversion: no other comes before one was answered
	 * by an Rversion with a version of 9P2000. A Tversion asks for 1 MiB of msize at most; when
	 * it comes everything older is answered, and all fids are to be forgotten. A Tflush may
	 * make the older call return sooner, and need not wait for it: the guest gets the older
	 * answer first. It waits for a thread while 4 calls block.
	 */
	int (*answer)(void *opaque, const void *request, uint32_t bytes, void *answer,
		      uint32_t room);
	/*
	 * The guest's driver is gone, or new: forget all fids; the next message is a Tversion. By
	 * any thread, while no call of answer is made. Must not wait, and must not call the
	 * library. May come when there is nothing to forget. NULL: nothing.
	 */
	void (*reset)(void *opaque);
	/*
	 * The last call, by the thread that detaches the device or destroys the VM; none when
	 * attaching failed. NULL: nothing.
	 */
	void (*close)(void *opaque);
};

#ifdef __cplusplus
}
#endif
#endif

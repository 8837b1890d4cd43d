/* SPDX-License-Identifier: MIT */
/*
 * A 9P server for one folder of the host: 9P2000.L, 9P2000.u and 9P2000. It knows no transport:
 * a request and the room for its reply are scattered pieces of memory (a guest's, or a socket's
 * buffer), into and out of which file data goes without a copy.
 *
 * The client cannot get out of the folder: names are single components, resolved one by one below
 * a descriptor of the folder they are in; symbolic links are data; devices and FIFOs are never
 * opened.
 *
 * Threads: one thread begins the requests in the order of their arrival and ends each when its
 * reply is with the client. Any thread may run a begun request, and calls block as long as the
 * files do; to start them in the order of their arrival is enough to be free of deadlock. Tflush
 * and Tversion wait in mhi_p9_run for older requests to be ended, so a thread that runs requests
 * must not be the only one to end them, unless it ends each before it runs the next.
 */
#ifndef MHI_VIRTIO_P9_H
#define MHI_VIRTIO_P9_H

#include <sys/uio.h>

#include "base/types.h"
#include "core/err.h"

/* msize: more than Linux' virtio transport asks for (500 KiB), no more than a stream should hold */
#define MHI_P9_MSIZE_MAX (1u << 20)
#define MHI_P9_MSIZE_MIN 4096u

enum mhi_p9_ids {
	/* The server's user's files belong to config.uid and gid, all others to nobody. */
	MHI_P9_SQUASH,
	/* Owner, mode and device number are kept in a user.* attribute; absent: as SQUASH. */
	MHI_P9_MAPPED,
	/*
	 * The host's ids, modes and attributes: for a trusted guest and a server with privileges.
	 */
	MHI_P9_HOST,
};

struct mhi_p9_config {
	const char *path; /* the folder; may be a symbolic link to one */
	bool readonly;
	enum mhi_p9_ids ids;
	u32 uid, gid;  /* whose the server's files are for the client */
	u32 msize_max; /* 0: MHI_P9_MSIZE_MAX */
	u32 fids_max;  /* 0: 65536 */
	u32 fds_max;   /* open descriptors; 0: half of the process' limit, at most 16384 */
};

struct mhi_p9; /* one client's session */

/* One request, owned by the transport from begin to end. */
struct mhi_p9_req {
	const struct iovec *out; /* the request; its memory may change under our feet */
	const struct iovec *in;	 /* room for the reply */
	unsigned int outs, ins;
	u32 replied; /* by run: bytes of the reply; 0: there is no room for any */
	/* the server's */
	struct mhi_p9_req *prev, *next; /* in flight, oldest first */
	u64 seq;
	u32 size;
	u16 tag;
	u8 type;
};

/* 0; MH_EINVAL, MH_ENOENT, MH_EPERM, MH_ENOMEM, MH_ENOTSUP with a sentence in err. */
int mhi_p9_create(const struct mhi_p9_config *config, struct mhi_p9 **out, struct mhi_err *err);
/* No request is in flight. NULL is allowed. */
void mhi_p9_destroy(struct mhi_p9 *p9);
/* As if the client had gone and come back. No request is in flight. */
void mhi_p9_reset(struct mhi_p9 *p9);

void mhi_p9_begin(struct mhi_p9 *p9, struct mhi_p9_req *req);
void mhi_p9_run(struct mhi_p9 *p9, struct mhi_p9_req *req);
void mhi_p9_end(struct mhi_p9 *p9, struct mhi_p9_req *req);

/* The size of the message that starts with these 4 bytes: for transports that are streams. */
static inline u32 mhi_p9_size(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

#endif

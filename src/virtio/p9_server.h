/* SPDX-License-Identifier: MIT */
/*
 * What a transport needs of a 9P server, and what all servers have: requests in flight, dialects.
 * A server is p9.h's engine, or an embedder behind be_embed.h.
 *
 * Threads: one thread begins the requests in the order of their arrival and ends each when its
 * reply is with the client. Any thread may run a begun request, and calls block as long as the
 * files do; to start them in the order of their arrival is enough to be free of deadlock. Tflush
 * and Tversion wait in run for older requests to be ended, so a thread that runs requests must not
 * be the only one to end them, unless it ends each before it runs the next.
 */
#ifndef MHI_VIRTIO_P9_SERVER_H
#define MHI_VIRTIO_P9_SERVER_H

#include <pthread.h>
#include <sys/uio.h>

#include "virtio/p9_codec.h"

/* msize: more than Linux' virtio transport asks for (500 KiB), no more than a stream should hold */
#define MHI_P9_MSIZE_MAX (1u << 20)
#define MHI_P9_MSIZE_MIN 4096u

enum p9_dialect { P9_NONE, P9_2000, P9_2000U, P9_2000L };

/* One request, owned by the transport from begin to end. */
struct mhi_p9_req {
	const struct iovec *out; /* the request; its memory may change under our feet */
	const struct iovec *in;	 /* room for the reply */
	unsigned int outs, ins;
	u32 replied; /* by run: bytes of the reply; 0: there is no room for any */
	bool failed; /* by run: the server did not do its work */
	/* the server's */
	struct mhi_p9_req *prev, *next; /* in flight, oldest first */
	u64 seq;
	u32 size;
	u16 tag;
	u8 type;
};

struct mhi_p9_server;

struct mhi_p9_server_ops {
	void (*run)(struct mhi_p9_server *s, struct mhi_p9_req *req);
	/* As if the client had gone and come back. No request is in flight. */
	void (*reset)(struct mhi_p9_server *s);
	/* No request is in flight. */
	void (*destroy)(struct mhi_p9_server *s);
};

struct mhi_p9_server {
	const struct mhi_p9_server_ops *ops; /* (c) */
	/* Protects (m); nothing is taken inside it. */
	pthread_mutex_t lock;
	pthread_cond_t ended;		    /* with lock: a request left the list */
	struct mhi_p9_req *oldest, *newest; /* (m) */
	u64 seq;			    /* (m) */
};

void mhi_p9_server_init(struct mhi_p9_server *s, const struct mhi_p9_server_ops *ops);
void mhi_p9_server_fini(struct mhi_p9_server *s);

void mhi_p9_server_begin(struct mhi_p9_server *s, struct mhi_p9_req *req);
void mhi_p9_server_end(struct mhi_p9_server *s, struct mhi_p9_req *req);
/* In run: until no request that came before this one is in flight. tag: that one; -1: any. */
void mhi_p9_server_wait(struct mhi_p9_server *s, const struct mhi_p9_req *req, int tag);

/* Of a Tversion's or Rversion's text. */
enum p9_dialect mhi_p9_dialect(struct mhi_p9_str version);
/* The body of an error's reply, in place of what is in out; its type. error: a negative errno. */
u8 mhi_p9_put_error(struct mhi_p9_out *out, enum p9_dialect dialect, int error);
/* The whole reply, where room has P9_HEADER bytes or more. */
void mhi_p9_reply_error(struct mhi_p9_req *req, u32 room, enum p9_dialect dialect, int error);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Inside of the 9P server: the session and its fids, one request's context.
 *
 * A fid refers to a node of the tree, and to a second descriptor once it is open for reading or
 * writing. The tree's lock protects what is tagged (m). fid.lock, taken without it, protects (f). A
 * request counts a reference on each fid that it uses and marks each node whose descriptor it uses
 * as busy.
 */
#ifndef MHI_VIRTIO_P9_PRIV_H
#define MHI_VIRTIO_P9_PRIV_H

#include <pthread.h>
#include <sys/stat.h>

#include "virtio/p9.h"
#include "virtio/p9_codec.h"
#include "virtio/p9_proto.h"
#include "virtio/tree.h"

#define P9_BUCKETS 4096u
#define P9_TEXT 8192u		  /* requests but for written data: two names and a path fit */
#define P9_REPLY 8192u		  /* replies but for read data */
#define P9_XATTR_TOTAL (4u << 20) /* of one session's open attributes */
#define P9_LOCKS_MAX 4096u

/* A client's lock owner on a file: Linux' open file description locks. */
struct p9_lock {
	struct p9_lock *next; /* (m) */
	struct tree_id id;    /* (c) */
	u32 proc;	      /* (c) */
	u64 client;	      /* (c) hash of client_id */
	int fd;		      /* (c) */
	bool writable;	      /* (c) */
};

struct p9_xattr {
	u8 *value;
	u32 size;
	u32 filled; /* (f) of a new one */
	u32 flags;
	bool create;
	char name[MHI_TREE_NAME];
};

struct p9_fid {
	u32 number;		/* (c) */
	u32 uid;		/* (c) the user who attached */
	u32 refs;		/* (m) the table's and the requests' */
	int io_fd;		/* (m) -1 until open, then constant */
	u32 access;		/* (m) O_ACCMODE of io_fd */
	bool remove_on_clunk;	/* (m) */
	struct tree_node *node; /* (c) */
	struct p9_xattr *xattr; /* (m) */
	struct p9_fid *chain;	/* (m) */
	pthread_mutex_t lock;
	u64 dir_pos;  /* (f) the position of io_fd, a folder's */
	u64 dir_next; /* (f) 9P2000: the offset that the next Tread has */
};

struct mhi_p9 {
	struct mhi_p9_server server; /* first */
	struct mhi_tree tree;
	u32 msize_max, fids_max;	      /* (c) */
	enum p9_dialect dialect;	      /* (m) */
	u32 msize;			      /* (m) */
	u32 fids;			      /* (m) how many there are */
	u32 xattr_bytes;		      /* (m) */
	u32 locks;			      /* (m) */
	struct p9_lock *lock_list;	      /* (m) */
	struct p9_fid *free_fids;	      /* (m) by chain */
	struct p9_fid *fid_table[P9_BUCKETS]; /* (m) */
};

/* A fid that a request uses, with a descriptor for system calls. */
struct p9_use {
	struct p9_fid *fid;
	struct tree_file f;
	bool busy; /* f.fd is the node's */
};

struct p9_ctx {
	struct mhi_p9 *s;
	struct mhi_p9_req *req;
	enum p9_dialect dialect;
	u32 msize;
	u32 room; /* for the reply, at most msize */
	struct mhi_p9_in in;
	struct mhi_p9_out out; /* behind the header */
	u32 data;	       /* bytes of the reply that are in req->in already, behind out */
	u32 uid;	       /* Tattach's */
	struct p9_use use[2];
	unsigned int uses;
	u8 text[P9_TEXT];
	u8 reply[P9_REPLY];
};

struct mhi_p9_qid mhi_p9_qid(const struct mhi_p9 *s, const struct tree_attr *a);

/* ---- p9_fid.c: without the lock unless said otherwise ---- */

/*
 * Use the file of a fid in this request, all of which has been read: 0; -EINVAL when it ended too
 * early, -EBADF, or another error.
 */
int mhi_p9_use(struct p9_ctx *c, u32 number, struct p9_use **use);
/* And copy a name in it to text [MHI_TREE_NAME], if it is one. */
int mhi_p9_use_named(struct p9_ctx *c, u32 number, struct mhi_p9_str name, char *text,
		     struct p9_use **use);
/* Use what a fid has open: a file or folder, or an attribute (fid->xattr). */
int mhi_p9_use_open(struct p9_ctx *c, u32 number, struct p9_use **use);
void mhi_p9_unuse(struct p9_ctx *c);
/*
 * A fid for the node, which gets a reference of its own. In place of the fid old, which the request
 * uses, or NULL: the number must be free. 0 or -errno; on error what is in open is still the
 * caller's.
 */
struct p9_open {
	int fd; /* -1, or a counted descriptor */
	u32 access;
	struct p9_xattr *xattr; /* its size is counted */
};
int mhi_p9_fid_new(struct p9_ctx *c, u32 number, struct p9_fid *old, struct tree_node *node,
		   const struct p9_open *open);
/* Take it out of the table; the reference is the caller's. NULL when there is no such fid. */
struct p9_fid *mhi_p9_fid_take(struct mhi_p9 *s, u32 number);
void mhi_p9_fid_put(struct mhi_p9 *s, struct p9_fid *fid);
/* With the lock held. */
struct p9_fid *mhi_p9_fid_find(const struct mhi_p9 *s, u32 number);
/* All of them. */
void mhi_p9_fids_clear(struct mhi_p9 *s);
void mhi_p9_fids_fini(struct mhi_p9 *s);

/* ---- requests: 0, or -errno for an error reply ---- */

int mhi_p9_do_attach(struct p9_ctx *c);
int mhi_p9_do_walk(struct p9_ctx *c);
int mhi_p9_do_clunk(struct p9_ctx *c);
int mhi_p9_do_remove(struct p9_ctx *c);

int mhi_p9_do_lopen(struct p9_ctx *c);
int mhi_p9_do_lcreate(struct p9_ctx *c);
int mhi_p9_do_read(struct p9_ctx *c);
int mhi_p9_do_write(struct p9_ctx *c);
int mhi_p9_do_fsync(struct p9_ctx *c);

int mhi_p9_do_readdir(struct p9_ctx *c);
int mhi_p9_do_symlink(struct p9_ctx *c);
int mhi_p9_do_mknod(struct p9_ctx *c);
int mhi_p9_do_mkdir(struct p9_ctx *c);
int mhi_p9_do_link(struct p9_ctx *c);
int mhi_p9_do_rename(struct p9_ctx *c);
int mhi_p9_do_renameat(struct p9_ctx *c);
int mhi_p9_do_unlinkat(struct p9_ctx *c);
int mhi_p9_do_readlink(struct p9_ctx *c);

int mhi_p9_do_getattr(struct p9_ctx *c);
int mhi_p9_do_setattr(struct p9_ctx *c);
int mhi_p9_do_statfs(struct p9_ctx *c);

int mhi_p9_do_xattrwalk(struct p9_ctx *c);
int mhi_p9_do_xattrcreate(struct p9_ctx *c);
/* Store a new attribute when its fid goes. */
int mhi_p9_xattr_commit(struct mhi_p9 *s, struct p9_fid *fid);

int mhi_p9_do_lock(struct p9_ctx *c);
int mhi_p9_do_getlock(struct p9_ctx *c);
/* A fid went: forget locks on files that no fid has open. With the lock held. */
void mhi_p9_locks_drop(struct mhi_p9 *s, const struct tree_id *id);

int mhi_p9_do_open(struct p9_ctx *c);
int mhi_p9_do_create(struct p9_ctx *c);
int mhi_p9_do_stat(struct p9_ctx *c);
int mhi_p9_do_wstat(struct p9_ctx *c);
int mhi_p9_read_dir_stat(struct p9_ctx *c, struct p9_use *use, u64 offset, u32 count);

/* ---- shared parts of requests ---- */

/* Open the file of use for its fid. flags: the host's. */
int mhi_p9_open_fid(struct p9_ctx *c, struct p9_use *use, int flags);
/* A new regular file, which becomes the fid's. flags: the host's, without O_CREAT. */
int mhi_p9_create_fid(struct p9_ctx *c, struct p9_use *use, const char *name, int flags,
		      const struct tree_new *want);

#endif

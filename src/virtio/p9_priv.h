/* SPDX-License-Identifier: MIT */
/*
 * Inside of the 9P server: the session, its nodes and fids, one request's context.
 *
 * A node is a place in the folder: its descriptor (O_PATH) and the name by which it was reached
 * from its parent. The descriptor may be closed when too many are open; then the name leads to the
 * file again, and the file's identity tells whether it still is the same. A fid refers to a node,
 * and to a second descriptor once it is open for reading or writing.
 *
 * session.lock protects what is tagged (m). It is not held during system calls on files, but for
 * the reopening of closed nodes. fid.lock, taken without it, protects (f). A request counts a
 * reference on each fid that it uses and marks each node whose descriptor it uses as busy.
 */
#ifndef MHI_VIRTIO_P9_PRIV_H
#define MHI_VIRTIO_P9_PRIV_H

#include <pthread.h>
#include <sys/stat.h>

#include "virtio/p9.h"
#include "virtio/p9_codec.h"
#include "virtio/p9_proto.h"

#define P9_BUCKETS 4096u
#define P9_DEPTH_MAX 2048u	  /* what a path of PATH_MAX could reach */
#define P9_TEXT 8192u		  /* requests but for written data: two names and a path fit */
#define P9_REPLY 8192u		  /* replies but for read data */
#define P9_XATTR_MAX 65536u	  /* XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux */
#define P9_XATTR_TOTAL (4u << 20) /* of one session's open attributes */
#define P9_LOCKS_MAX 4096u

struct p9_id {
	u64 dev, ino;
	u64 born; /* tells a new file with an old number; 0 where the file system does not say */
};

struct p9_attr {
	struct p9_id id;
	u32 mode, uid, gid; /* the client's view */
	u32 host_mode;
	u64 nlink, rdev, size, blksize, blocks;
	struct timespec atime, mtime, ctime, btime;
};

struct p9_node {
	u32 refs;		/* (m) fids, children, requests */
	u32 busy;		/* (m) requests that use fd */
	int fd;			/* (m) -1: closed; stays while busy */
	bool kept;		/* (m) closing fd would lose it: its name goes or is gone */
	bool orphan;		/* (m) its name is gone */
	u32 type;		/* (c) S_IFMT */
	struct p9_id id;	/* (c) */
	struct p9_node *parent; /* (m) NULL: the root */
	struct p9_node *chain;	/* (m) of its bucket, by the parent's identity and the name */
	struct p9_node *older, *newer; /* (m) open nodes, by use */
	char *name;		       /* (m) */
	char small[48];
};

/* A client's lock owner on a file: Linux' open file description locks. */
struct p9_lock {
	struct p9_lock *next; /* (m) */
	struct p9_id id;      /* (c) */
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
	char name[MHI_P9_NAME];
};

struct p9_fid {
	u32 number;		/* (c) */
	u32 uid;		/* (c) the user who attached */
	u32 refs;		/* (m) the table's and the requests' */
	int io_fd;		/* (m) -1 until open, then constant */
	u32 access;		/* (m) O_ACCMODE of io_fd */
	bool remove_on_clunk;	/* (m) */
	struct p9_node *node;	/* (c) */
	struct p9_xattr *xattr; /* (m) */
	struct p9_fid *chain;	/* (m) */
	pthread_mutex_t lock;
	u64 dir_pos;  /* (f) the position of io_fd, a folder's */
	u64 dir_next; /* (f) 9P2000: the offset that the next Tread has */
};

struct mhi_p9 {
	struct mhi_p9_server server; /* first */
	struct mhi_p9_config config; /* (c) but for path */
	int root_fd, proc_fd;	     /* (c) the folder; /proc/self/fd */
	u32 euid, egid;		     /* (c) */
	struct p9_id root_id;	     /* (c) */
	pthread_mutex_t lock;
	enum p9_dialect dialect;		   /* (m) */
	u32 msize;				   /* (m) */
	u32 fids, fds;				   /* (m) how many there are, of nodes and fids */
	u32 xattr_bytes;			   /* (m) */
	u32 locks;				   /* (m) */
	struct p9_lock *lock_list;		   /* (m) */
	struct p9_node *root;			   /* (c) */
	struct p9_node *oldest_open, *newest_open; /* (m) */
	struct p9_node *free_nodes;		   /* (m) by chain */
	struct p9_fid *free_fids;		   /* (m) by chain */
	struct p9_node *node_table[P9_BUCKETS];	   /* (m) */
	struct p9_fid *fid_table[P9_BUCKETS];	   /* (m) */
};

/* A fid that a request uses, with a descriptor for system calls. */
struct p9_use {
	struct p9_fid *fid;
	struct p9_node *node;
	int fd;	   /* io_fd, or the node's */
	int io_fd; /* -1: not open */
	u32 access;
	bool busy; /* fd is the node's */
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

/* ---- p9_host.c: the host's files ---- */

/* A component below dir; never through a link. The descriptor, or -errno. */
int mhi_p9_open_at(int dir, const char *name, u64 flags, u32 mode);
/* Another opening of the same file; only of regular files and folders. */
int mhi_p9_reopen(const struct mhi_p9 *s, int fd, int flags);
/* "N" in proc_fd, for calls that take no O_PATH descriptor. */
struct p9_proc_name {
	char text[16];
};
struct p9_proc_name mhi_p9_proc_name(int fd);
/* The same with "/proc/self/fd/" before it. */
struct p9_proc_path {
	char text[32];
};
struct p9_proc_path mhi_p9_proc_path(int fd);
int mhi_p9_stat(int fd, struct p9_attr *a);
/* The same of a file whose identity is known, with less work. */
int mhi_p9_stat_known(int fd, const struct p9_id *id, struct p9_attr *a);
int mhi_p9_stat_at(int dir, const char *name, struct p9_attr *a);
bool mhi_p9_same(const struct p9_id *a, const struct p9_id *b);
u64 mhi_p9_qid_path(const struct mhi_p9 *s, u64 dev, u64 ino);
struct mhi_p9_qid mhi_p9_qid(const struct mhi_p9 *s, const struct p9_attr *a);

/* ---- p9_ids.c: owners and modes as the client sees them ---- */

/* Of a file by its descriptor. */
int mhi_p9_attr(const struct mhi_p9 *s, int fd, struct p9_attr *a);
int mhi_p9_use_attr(const struct mhi_p9 *s, const struct p9_use *use, struct p9_attr *a);
void mhi_p9_map(const struct mhi_p9 *s, int fd, struct p9_attr *a);
/* The mode that a new file gets on the host. */
u32 mhi_p9_host_mode(const struct mhi_p9 *s, u32 mode);
struct p9_new {
	u32 mode, uid, gid; /* what the client wants; mode with its type */
	u64 rdev;
};
/* Give a file that was just made its owner and mode; a tells how it is and then was made. */
int mhi_p9_adopt(const struct mhi_p9 *s, int fd, const struct p9_new *want, struct p9_attr *a);
/* ~0: unchanged. */
int mhi_p9_chown(const struct mhi_p9 *s, int fd, u32 uid, u32 gid);
int mhi_p9_chmod(const struct mhi_p9 *s, int fd, u32 mode);
bool mhi_p9_xattr_allowed(const struct mhi_p9 *s, const char *name);

/* ---- p9_node.c: with session.lock held ---- */

/*
 * parent NULL: the root, whose fd is not counted and never closed. fd -1: closed; else it is handed
 * over. NULL: no memory, fd is still the caller's.
 */
struct p9_node *mhi_p9_node_new(struct mhi_p9 *s, struct p9_node *parent, const char *name,
				const struct p9_attr *a, int fd);
/* An open one by this name in parent, which may lead elsewhere by now; NULL: there is none. */
struct p9_node *mhi_p9_node_find(const struct mhi_p9 *s, const struct p9_node *parent,
				 const char *name);
void mhi_p9_node_put(struct mhi_p9 *s, struct p9_node *node); /* NULL is allowed */
/* Make node->fd valid until mhi_p9_node_idle. 0 or -errno. */
int mhi_p9_node_busy(struct mhi_p9 *s, struct p9_node *node);
void mhi_p9_node_idle(struct mhi_p9 *s, struct p9_node *node);
/* Count one more descriptor, closing idle nodes for it. -EMFILE. */
int mhi_p9_fd_take(struct mhi_p9 *s);
void mhi_p9_fd_give(struct mhi_p9 *s);
/* Close idle nodes because the process has run out of descriptors. */
bool mhi_p9_fd_squeeze(struct mhi_p9 *s);
/*
 * Before a name goes: open the files it leads to, and keep them open. Then settle, whether or not
 * it went.
 */
void mhi_p9_node_keep(struct mhi_p9 *s, const struct p9_id *dir, const char *name);
void mhi_p9_node_settle(struct mhi_p9 *s, const struct p9_id *dir, const char *name, bool gone);
/* After it moved to another folder or name. */
void mhi_p9_node_moved(struct mhi_p9 *s, const struct p9_id *dir, const char *name,
		       struct p9_node *new_dir, const char *new_name);
void mhi_p9_nodes_fini(struct mhi_p9 *s);

/* ---- p9_fid.c: without session.lock unless said otherwise ---- */

/*
 * Use the file of a fid in this request, all of which has been read: 0; -EINVAL when it ended too
 * early, -EBADF, or another error.
 */
int mhi_p9_use(struct p9_ctx *c, u32 number, struct p9_use **use);
/* And copy a name in it to text [MHI_P9_NAME], if it is one. */
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
int mhi_p9_fid_new(struct p9_ctx *c, u32 number, struct p9_fid *old, struct p9_node *node,
		   const struct p9_open *open);
/* Take it out of the table; the reference is the caller's. NULL when there is no such fid. */
struct p9_fid *mhi_p9_fid_take(struct mhi_p9 *s, u32 number);
void mhi_p9_fid_put(struct mhi_p9 *s, struct p9_fid *fid);
/* With the lock held. */
struct p9_fid *mhi_p9_fid_find(const struct mhi_p9 *s, u32 number);
/* All of them. */
void mhi_p9_fids_clear(struct mhi_p9 *s);
void mhi_p9_fids_fini(struct mhi_p9 *s);
/* The host's calls that make a descriptor, within the session's limit. fd or -errno. */
int mhi_p9_counted_open_at(struct mhi_p9 *s, int dir, const char *name, u64 flags, u32 mode);
int mhi_p9_counted_reopen(struct mhi_p9 *s, int fd, int flags);
void mhi_p9_counted_close(struct mhi_p9 *s, int fd);

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
/* A fid went: forget locks on files that no fid has open. With the session's lock held. */
void mhi_p9_locks_drop(struct mhi_p9 *s, const struct p9_id *id);

int mhi_p9_do_open(struct p9_ctx *c);
int mhi_p9_do_create(struct p9_ctx *c);
int mhi_p9_do_stat(struct p9_ctx *c);
int mhi_p9_do_wstat(struct p9_ctx *c);
int mhi_p9_read_dir_stat(struct p9_ctx *c, struct p9_use *use, u64 offset, u32 count);

/* ---- shared parts of requests ---- */

struct p9_change {
	u32 valid; /* P9_SETATTR_ */
	u32 mode, uid, gid;
	u64 size;
	u64 atime, atime_ns, mtime, mtime_ns; /* ns below 10^9 */
};
int mhi_p9_apply(const struct mhi_p9 *s, const struct p9_use *use, const struct p9_change *ch);

/* Open the file of use for its fid. flags: the host's. */
int mhi_p9_open_fid(struct p9_ctx *c, struct p9_use *use, int flags);
/* A new regular file, which becomes the fid's. flags: the host's, without O_CREAT. */
int mhi_p9_create_fid(struct p9_ctx *c, struct p9_use *use, const char *name, int flags,
		      const struct p9_new *want);
/* Anything else but links; *a is what was made. */
int mhi_p9_make(struct p9_ctx *c, struct p9_use *dir, const char *name, const struct p9_new *want,
		struct p9_attr *a);
int mhi_p9_make_symlink(struct p9_ctx *c, struct p9_use *dir, const char *name, const char *target,
			const struct p9_new *want, struct p9_attr *a);
int mhi_p9_make_link(struct p9_ctx *c, struct p9_use *dir, const char *name, struct p9_use *file);
/* The file of a fid, by its parent and name, if it still is there. to NULL: its folder. */
int mhi_p9_move_node(struct mhi_p9 *s, struct p9_node *node, const struct p9_use *to,
		     const char *new_name);
int mhi_p9_remove_node(struct mhi_p9 *s, struct p9_node *node);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A folder of the host that is shared with a guest, whatever protocol the guest speaks: files, who
 * owns them in the guest's eyes, and how many descriptors are open.
 *
 * The client cannot get out of the folder: names are single components, resolved one by one below
 * a descriptor of the folder they are in; symbolic links are data; devices and FIFOs are never
 * opened.
 *
 * A node is a place in the folder: its descriptor (O_PATH) and the name by which it was reached
 * from its parent. The descriptor may be closed when too many are open; then the name leads to the
 * file again, and the file's identity tells whether it still is the same.
 *
 * tree.lock protects what is tagged (m), and what servers tag so. It is not held during system
 * calls on files, but for the reopening of closed nodes. Whoever uses a node's descriptor without
 * the lock marks it as busy before.
 */
#ifndef MHI_VIRTIO_TREE_H
#define MHI_VIRTIO_TREE_H

#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "core/err.h"
#include "virtio/tree_config.h"
#include "virtio/tree_name.h"

#define TREE_BUCKETS 16384u
#define TREE_FDS_MIN 32u     /* so many descriptors a tree may have in any case */
#define TREE_DEPTH_MAX 2048u /* what a path of PATH_MAX could reach */

struct tree_id {
	u64 dev, ino;
	u64 born; /* tells a new file with an old number; 0 where the file system does not say */
};

struct tree_attr {
	struct tree_id id;
	u32 mode, uid, gid; /* the client's view */
	u32 host_mode;
	u64 nlink, rdev, size, blksize, blocks;
	struct timespec atime, mtime, ctime, btime;
};

struct tree_node {
	u32 refs;		  /* (m) handles, children, requests */
	u32 busy;		  /* (m) requests that use fd */
	int fd;			  /* (m) -1: closed; stays while busy */
	bool kept;		  /* (m) closing fd would lose it: its name goes or is gone */
	bool orphan;		  /* (m) its name is gone */
	u32 type;		  /* (c) S_IFMT */
	struct tree_id id;	  /* (c) */
	struct tree_node *parent; /* (m) NULL: the root */
	struct tree_node *chain;  /* (m) of its bucket, by the parent's identity and the name */
	struct tree_node *older, *newer; /* (m) open nodes, by use */
	char *name;			 /* (m) */
	char small[48];
};

struct mhi_tree {
	struct mhi_tree_config config; /* (c) but for path */
	int root_fd, proc_fd;	       /* (c) the folder; /proc/self/fd */
	u64 fd_end;		       /* (c) descriptors from here on are left to others */
	u32 euid, egid;		       /* (c) */
	struct tree_id root_id;	       /* (c) */
	pthread_mutex_t lock;
	u32 fds;				     /* (m) how many there are */
	struct tree_node *root;			     /* (c) */
	struct tree_node *oldest_open, *newest_open; /* (m) */
	struct tree_node *free_nodes;		     /* (m) by chain */
	struct tree_node *node_table[TREE_BUCKETS];  /* (m) */
};

/* A file that a request uses. */
struct tree_file {
	struct tree_node *node;
	int fd;	    /* io_fd, or the node's */
	int io_fd;  /* -1: not open */
	u32 access; /* O_ACCMODE of io_fd */
};

/*
 * @t is zeroed. 0; MH_EINVAL, MH_ENOENT, MH_EPERM, MH_ENOMEM, MH_ENOTSUP, MH_EIO with a sentence in
 * err. Fini in any case.
 */
int mhi_tree_init(struct mhi_tree *t, const struct mhi_tree_config *config, struct mhi_err *err);
/* Nobody has a node any more. */
void mhi_tree_fini(struct mhi_tree *t);

/* ---- tree_host.c: the host's files; 0 or -errno ---- */

/* A component below dir; never through a link. The descriptor, or -errno. */
int mhi_tree_open_at(int dir, const char *name, u64 flags, u32 mode);
/* Another opening of the same file; only of regular files and folders. */
int mhi_tree_reopen(const struct mhi_tree *t, int fd, int flags);
/* "N" in proc_fd, for calls that take no O_PATH descriptor. */
struct tree_proc_name {
	char text[16];
};
struct tree_proc_name mhi_tree_proc_name(int fd);
/* The same with "/proc/self/fd/" before it. */
struct tree_proc_path {
	char text[32];
};
struct tree_proc_path mhi_tree_proc_path(int fd);
int mhi_tree_stat(int fd, struct tree_attr *a);
/* The same of a file whose identity is known, with less work. */
int mhi_tree_stat_known(int fd, const struct tree_id *id, struct tree_attr *a);
int mhi_tree_stat_at(int dir, const char *name, struct tree_attr *a);
bool mhi_tree_same(const struct tree_id *a, const struct tree_id *b);
/* A number for the client, unlike those of files on other devices of the folder. */
u64 mhi_tree_ino(const struct mhi_tree *t, u64 dev, u64 ino);

/* ---- tree_ids.c: owners and modes as the client sees them; 0 or -errno ---- */

/* Of a file by its descriptor. */
int mhi_tree_attr(const struct mhi_tree *t, int fd, struct tree_attr *a);
int mhi_tree_file_attr(const struct mhi_tree *t, const struct tree_file *file, struct tree_attr *a);
/* From the host's view, as mhi_tree_stat gives it. */
void mhi_tree_map(const struct mhi_tree *t, int fd, struct tree_attr *a);
/* The mode that a new file gets on the host. */
u32 mhi_tree_host_mode(const struct mhi_tree *t, u32 mode);
struct tree_new {
	u32 mode, uid, gid; /* what the client wants; mode with its type */
	u64 rdev;
};
/* Give a file that was just made its owner and mode; a tells how it is and then was made. */
int mhi_tree_adopt(const struct mhi_tree *t, int fd, const struct tree_new *want,
		   struct tree_attr *a);
/* ~0: unchanged. */
int mhi_tree_chown(const struct mhi_tree *t, int fd, u32 uid, u32 gid);
int mhi_tree_chmod(const struct mhi_tree *t, int fd, u32 mode);
bool mhi_tree_xattr_allowed(const struct mhi_tree *t, const char *name);

/* ---- tree_node.c: with the lock held ---- */

/*
 * parent NULL: the root, whose fd is not counted and never closed. fd -1: closed; else it is handed
 * over. NULL: no memory, fd is still the caller's.
 */
struct tree_node *mhi_tree_node_new(struct mhi_tree *t, struct tree_node *parent, const char *name,
				    const struct tree_attr *a, int fd);
/* An open one by this name in parent, which may lead elsewhere by now; NULL: there is none. */
struct tree_node *mhi_tree_node_find(const struct mhi_tree *t, const struct tree_node *parent,
				     const char *name);
void mhi_tree_node_put(struct mhi_tree *t, struct tree_node *node); /* NULL is allowed */
/* Make node->fd valid until mhi_tree_node_idle. 0 or -errno. */
int mhi_tree_node_busy(struct mhi_tree *t, struct tree_node *node);
void mhi_tree_node_idle(struct mhi_tree *t, struct tree_node *node);
/* Count one more descriptor, closing idle nodes for it. -EMFILE. */
int mhi_tree_fd_take(struct mhi_tree *t);
void mhi_tree_fd_give(struct mhi_tree *t);
/* Close idle nodes because the process has run out of descriptors. */
bool mhi_tree_fd_squeeze(struct mhi_tree *t);
/*
 * Before a name goes: open the files it leads to, and keep them open. Then settle, whether or not
 * it went.
 */
void mhi_tree_node_keep(struct mhi_tree *t, const struct tree_id *dir, const char *name);
void mhi_tree_node_settle(struct mhi_tree *t, const struct tree_id *dir, const char *name,
			  bool gone);
/* After it moved to another folder or name. */
void mhi_tree_node_moved(struct mhi_tree *t, const struct tree_id *dir, const char *name,
			 struct tree_node *new_dir, const char *new_name);
void mhi_tree_nodes_fini(struct mhi_tree *t);

/* ---- without the lock, from here on; 0 or -errno ---- */

/* The host's calls that make a descriptor, within the tree's limit. fd or -errno. */
int mhi_tree_counted_open_at(struct mhi_tree *t, int dir, const char *name, u64 flags, u32 mode);
int mhi_tree_counted_reopen(struct mhi_tree *t, int fd, int flags);
void mhi_tree_counted_close(struct mhi_tree *t, int fd);

/* What dir has under a name: a node that is busy, with a reference, until mhi_tree_leave. */
int mhi_tree_step(struct mhi_tree *t, const struct tree_file *dir, const char *name,
		  struct tree_node **out, struct tree_attr *a);
void mhi_tree_leave(struct mhi_tree *t, struct tree_node *node);

/* May it be opened? Devices, FIFOs and sockets are the client's own business. */
int mhi_tree_openable(const struct tree_attr *a);
/* A new file, or, without O_EXCL, one that is there; a counted descriptor or -errno. */
int mhi_tree_create_file(struct mhi_tree *t, int dir, const char *name, int flags,
			 const struct tree_new *want, struct tree_attr *a);

#define TREE_SET_MODE 0x001u
#define TREE_SET_UID 0x002u
#define TREE_SET_GID 0x004u
#define TREE_SET_SIZE 0x008u
#define TREE_SET_ATIME 0x010u /* to now, without the next but one */
#define TREE_SET_MTIME 0x020u
#define TREE_SET_ATIME_SET 0x080u
#define TREE_SET_MTIME_SET 0x100u

struct tree_change {
	u32 valid; /* TREE_SET_ */
	u32 mode, uid, gid;
	u64 size;
	u64 atime, atime_ns, mtime, mtime_ns; /* ns below 10^9 */
};
int mhi_tree_apply(const struct mhi_tree *t, const struct tree_file *file,
		   const struct tree_change *ch);

/* Anything else but links; *a is what was made. */
int mhi_tree_make(struct mhi_tree *t, const struct tree_file *dir, const char *name,
		  const struct tree_new *want, struct tree_attr *a);
int mhi_tree_make_symlink(struct mhi_tree *t, const struct tree_file *dir, const char *name,
			  const char *target, const struct tree_new *want, struct tree_attr *a);
int mhi_tree_make_link(struct mhi_tree *t, const struct tree_file *dir, const char *name,
		       const struct tree_file *file);
/* flags: of renameat2; none, or RENAME_NOREPLACE. */
int mhi_tree_move(struct mhi_tree *t, const struct tree_file *from, const char *name,
		  const struct tree_file *to, const char *new_name, u32 flags);
/* flags: of unlinkat. */
int mhi_tree_unlink(struct mhi_tree *t, const struct tree_file *dir, const char *name, int flags);
/* The file of a node, by its parent and name, if it still is there. to NULL: its folder. */
int mhi_tree_move_node(struct mhi_tree *t, struct tree_node *node, const struct tree_file *to,
		       const char *new_name);
int mhi_tree_remove_node(struct mhi_tree *t, struct tree_node *node);

#define TREE_XATTR_MAX 65536u /* XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux */
/* name "": the list of names. The bytes or -errno; room 0 asks how many there may be. */
ssize_t mhi_tree_xattr_get(const struct mhi_tree *t, int fd, const char *name, void *buf,
			   size_t room);

#endif

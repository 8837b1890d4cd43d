/* SPDX-License-Identifier: MIT */
/*
 * Inside of the FUSE server: the session, the files that the client knows (inodes), what it has
 * open (handles), one request's context.
 *
 * An inode is a file by its identity, whatever names it has; it has the node of the place where it
 * was last looked up. It lives while the client remembers it (lookups), has it open, or uses it in
 * a request. The tree's lock protects what is tagged (m). handle.lock, taken without it, protects
 * (h). Both tables only grow, and have limits; a number's upper half tells who had it before.
 */
#ifndef MHI_VIRTIO_FUSE_PRIV_H
#define MHI_VIRTIO_FUSE_PRIV_H

#include "virtio/fuse.h"
#include "virtio/fuse_proto.h"
#include "virtio/sg.h"
#include "virtio/tree.h"

#define FUSE_BUCKETS 16384u
#define FUSE_TEXT 8192u	 /* requests but for data: two names and a path fit */
#define FUSE_REPLY 4096u /* replies but for data; PATH_MAX */
#define FUSE_DATA_MAX (1u << 20)
#define FUSE_HEADER sizeof(struct fuse_in_header)
#define FUSE_REPLY_HEADER sizeof(struct fuse_out_header)

struct fuse_inode {
	u32 index;		  /* (c) in the table */
	u32 generation;		  /* (m) how often it was used for another file */
	u32 refs;		  /* (m) 1 for any lookups, handles, requests; 0: free */
	u64 lookups;		  /* (m) */
	struct tree_node *node;	  /* (m) */
	struct fuse_inode *chain; /* (m) of its bucket, by identity; or of the free ones */
};

struct fuse_handle {
	u32 index;		   /* (c) in the table */
	u32 generation;		   /* (m) */
	u32 refs;		   /* (m) the table's and the requests'; 0: free */
	int fd;			   /* (c) */
	u32 access;		   /* (c) O_ACCMODE */
	struct fuse_inode *inode;  /* (c) */
	struct tree_node *node;	   /* (c) where it was opened */
	bool open;		   /* (m) the client has not closed it yet */
	struct fuse_handle *chain; /* (m) of the free ones */
	pthread_mutex_t lock;
	u64 dir_pos; /* (h) the position of fd, a folder's */
};

struct mhi_fuse {
	struct mhi_tree tree;
	u32 inodes_max, handles_max;		/* (c) */
	bool ready;				/* (m) FUSE_INIT was answered */
	u32 inodes, handles;			/* (m) in the tables, with the free ones */
	u32 inode_room, handle_room;		/* (m) of the tables */
	struct fuse_inode **inode;		/* (m) [inodes], 0: the root */
	struct fuse_handle **handle;		/* (m) [handles] */
	struct fuse_inode *free_inodes;		/* (m) by chain */
	struct fuse_handle *free_handles;	/* (m) by chain */
	struct fuse_inode *by_id[FUSE_BUCKETS]; /* (m) */
};

/* A file that a request uses, by its inode, or by a handle, too. */
struct fuse_use {
	struct fuse_inode *inode;
	struct fuse_handle *handle; /* NULL: by the inode */
	struct tree_file f;
};

struct fuse_ctx {
	struct mhi_fuse *s;
	struct mhi_fuse_req *req;
	struct fuse_in_header head;
	u32 room; /* for the reply behind its header */
	u32 have; /* bytes of text */
	u32 body; /* bytes of reply */
	u32 data; /* bytes of the reply that are in req->in already, behind those of reply */
	bool silent;
	struct fuse_use use[2];
	unsigned int uses;
	u8 text[FUSE_TEXT + 1] __attribute__((aligned(8))); /* what follows the request's header */
	u8 reply[FUSE_REPLY] __attribute__((aligned(8)));
};

/* ---- fuse_node.c; 0 or -errno ---- */

/* Use a file in this request. -ESTALE: the client does not know it. */
int mhi_fuse_use(struct fuse_ctx *c, u64 nodeid, struct fuse_use **use);
/* Use what it has open. -EBADF. */
int mhi_fuse_use_handle(struct fuse_ctx *c, u64 fh, struct fuse_use **use);
void mhi_fuse_unuse(struct fuse_ctx *c);
/* The client is told of the file at node, which is busy, once more: its number in *nodeid. */
int mhi_fuse_remember(struct mhi_fuse *s, struct tree_node *node, u64 *nodeid);
void mhi_fuse_forget(struct mhi_fuse *s, u64 nodeid, u64 lookups);
/* Open: fd is counted, and handed over. -ENFILE. */
int mhi_fuse_open(struct mhi_fuse *s, const struct fuse_use *use, int fd, u32 access, u64 *fh);
int mhi_fuse_close(struct mhi_fuse *s, u64 fh);
/* Everything that the client knows. */
void mhi_fuse_clear(struct mhi_fuse *s);
/* The root's inode. */
int mhi_fuse_nodes_init(struct mhi_fuse *s);
void mhi_fuse_nodes_fini(struct mhi_fuse *s);

/* ---- fuse_name.c ---- */

/* The text at *at in the request, which ends with a NUL, as a name; *at is moved behind it. */
int mhi_fuse_name(const struct fuse_ctx *c, u32 *at, char *name);
/* What dir has under a name: tell the client of it. */
int mhi_fuse_entry(struct mhi_fuse *s, const struct tree_file *dir, const char *name,
		   struct fuse_entry_out *out);
void mhi_fuse_put_attr(const struct mhi_fuse *s, const struct tree_attr *a, struct fuse_attr *out);

/* How long the client may believe what it was told, without asking again. */
#define FUSE_VALID_S 1

static inline void *mhi_fuse_reply(struct fuse_ctx *c, u32 bytes)
{
	c->body = bytes;
	return memset(c->reply, 0, bytes);
}

/* ---- requests: 0, or -errno for an error reply ---- */

int mhi_fuse_do_lookup(struct fuse_ctx *c);
int mhi_fuse_do_forget(struct fuse_ctx *c);
int mhi_fuse_do_batch_forget(struct fuse_ctx *c);
int mhi_fuse_do_mknod(struct fuse_ctx *c);
int mhi_fuse_do_mkdir(struct fuse_ctx *c);
int mhi_fuse_do_symlink(struct fuse_ctx *c);
int mhi_fuse_do_readlink(struct fuse_ctx *c);
int mhi_fuse_do_link(struct fuse_ctx *c);
int mhi_fuse_do_unlink(struct fuse_ctx *c);
int mhi_fuse_do_rmdir(struct fuse_ctx *c);
int mhi_fuse_do_rename(struct fuse_ctx *c);
int mhi_fuse_do_rename2(struct fuse_ctx *c);

int mhi_fuse_do_getattr(struct fuse_ctx *c);
int mhi_fuse_do_setattr(struct fuse_ctx *c);
int mhi_fuse_do_statfs(struct fuse_ctx *c);
int mhi_fuse_do_getxattr(struct fuse_ctx *c);
int mhi_fuse_do_listxattr(struct fuse_ctx *c);
int mhi_fuse_do_setxattr(struct fuse_ctx *c);
int mhi_fuse_do_removexattr(struct fuse_ctx *c);
/* The client wrote to a file or cut it: it is no program that runs as somebody else any more. */
int mhi_fuse_kill_set_ids(const struct mhi_fuse *s, const struct tree_file *file);

int mhi_fuse_do_open(struct fuse_ctx *c);
int mhi_fuse_do_create(struct fuse_ctx *c);
int mhi_fuse_do_read(struct fuse_ctx *c);
int mhi_fuse_do_write(struct fuse_ctx *c);
int mhi_fuse_do_release(struct fuse_ctx *c);
int mhi_fuse_do_flush(struct fuse_ctx *c);
int mhi_fuse_do_fsync(struct fuse_ctx *c);
int mhi_fuse_do_fallocate(struct fuse_ctx *c);
int mhi_fuse_do_lseek(struct fuse_ctx *c);
int mhi_fuse_do_copy_file_range(struct fuse_ctx *c);
int mhi_fuse_do_syncfs(struct fuse_ctx *c);

int mhi_fuse_do_opendir(struct fuse_ctx *c);
int mhi_fuse_do_readdir(struct fuse_ctx *c);
int mhi_fuse_do_readdirplus(struct fuse_ctx *c);

#endif

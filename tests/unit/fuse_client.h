/* SPDX-License-Identifier: MIT */
/* A FUSE client for tests: requests in pieces of any size, and their answers. */
#ifndef TESTS_FUSE_CLIENT_H
#define TESTS_FUSE_CLIENT_H

#include "rng.h"
#include "virtio/fuse_priv.h"

#define FC_BYTES (2u << 20)

struct fuse_client {
	struct mhi_fuse *f;
	char path[64]; /* the shared folder, which is in one of the test's own */
	int dir;
	u8 *request, *reply;
	size_t room; /* for the reply */
	u8 *body;    /* of the last reply */
	u32 bytes;   /* of body */
	u64 unique;
	u32 uid, gid;
	const char *second; /* name of the next fc_call */
	bool silent;	    /* there was no reply */
	int fds_before;
	struct rng rng;
};

/* A session without FUSE_INIT; config's path is not used. */
void fc_open(struct fuse_client *c, const struct mhi_fuse_config *config);
void fc_start(struct fuse_client *c, const struct mhi_fuse_config *config);
void fc_stop(struct fuse_client *c);

/* Error of the reply: 0 or -errno; +1: there is none. */
int fc_raw(struct fuse_client *c, u32 op, u64 nodeid, const void *body, size_t bytes);
/* A structure and a name behind it, and then c->second, which is NULL afterwards. */
int fc_call(struct fuse_client *c, u32 op, u64 nodeid, const void *arg, size_t bytes,
	    const char *name);

/* The nodeid, or 0. */
u64 fc_lookup(struct fuse_client *c, u64 parent, const char *name);
void fc_forget(struct fuse_client *c, u64 nodeid, u64 lookups);
/* fh, or UINT64_MAX. */
u64 fc_open_file(struct fuse_client *c, u64 nodeid, u32 flags);
u64 fc_create(struct fuse_client *c, u64 parent, const char *name, u32 mode, u64 *nodeid);
int fc_write(struct fuse_client *c, u64 fh, u64 offset, const void *data, u32 bytes);
int fc_read(struct fuse_client *c, u64 fh, u64 offset, u32 bytes);
int fc_release(struct fuse_client *c, u64 fh);
struct fuse_attr fc_attr(struct fuse_client *c, u64 nodeid);
/* On the host, in the shared folder. */
void fc_host_file(struct fuse_client *c, const char *name, const char *text);
bool fc_host_has(struct fuse_client *c, const char *name, const char *text);
/* Inodes that are not free. */
u32 fc_inodes(struct fuse_client *c);

#endif

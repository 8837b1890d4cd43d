/* SPDX-License-Identifier: MIT */
/*
 * A 9P client for tests, in the server's process: a folder that is served, messages by a format,
 * requests and replies in pieces that end where the allocation ends.
 */
#ifndef TESTS_P9_CLIENT_H
#define TESTS_P9_CLIENT_H

#include <sys/stat.h>

#include "rng.h"
#include "virtio/p9.h"
#include "virtio/p9_codec.h"
#include "virtio/p9_proto.h"

#define CLIENT_MSIZE 65536u

struct p9_client {
	struct mhi_p9 *p9;
	char path[64]; /* of the served folder */
	int dir;
	int fds_before;
	struct rng rng;
	u32 room;    /* for replies; CLIENT_MSIZE unless a test wants less */
	u32 size;    /* to say in the next request's header; 0: the truth */
	bool pieces; /* cut them */
	u8 *request, *reply;
	struct mhi_p9_out out;
	/* the reply */
	u8 type;
	u32 replied;
	struct mhi_p9_in in;
};

/* A new folder and a session on it; config's path is ignored. */
void p9_open(struct p9_client *c, const struct mhi_p9_config *config);
/* The same, with version and Tattach of fid 0. */
void p9_start(struct p9_client *c, const struct mhi_p9_config *config, const char *version);
/* Ends the session, removes the folder, and fails the test if descriptors have leaked. */
void p9_stop(struct p9_client *c);
int p9_count_fds(void);

/*
 * format: '1' '2' '4' integers (unsigned int), '8' (u64), 's' (const char *) a string, 'S' (const
 * char *, size_t) one with any bytes, 'b' (const void *, size_t) bytes without a length. Returns 0,
 * or the error's number; -1: no reply, 9P2000: 1.
 */
int p9_call(struct p9_client *c, u8 type, const char *format, ...);
/* The same in two steps. */
void p9_put(struct p9_client *c, u8 type, const char *format, ...);
int p9_send(struct p9_client *c);

/* Frequent ones, 9P2000.L. path: names with '/' between. */
int p9_walk(struct p9_client *c, u32 fid, u32 new_fid, const char *path);
int p9_lopen(struct p9_client *c, u32 fid, u32 flags);
int p9_lcreate(struct p9_client *c, u32 fid, const char *name, u32 flags, u32 mode);
int p9_clunk(struct p9_client *c, u32 fid);
/* Data is at c->in.p; *n: how much. */
int p9_read(struct p9_client *c, u32 fid, u64 offset, u32 count, u32 *n);
int p9_write(struct p9_client *c, u32 fid, u64 offset, const void *data, u32 count);
struct p9_stat {
	u64 valid, nlink, rdev, size, gen;
	u32 mode, uid, gid;
	struct mhi_p9_qid qid;
	u64 mtime, mtime_ns;
};
int p9_getattr(struct p9_client *c, u32 fid, struct p9_stat *st);

/* Beside the server, in the served folder. */
void p9_make(struct p9_client *c, const char *name, const char *text);
bool p9_has(struct p9_client *c, const char *name, const char *text);
struct stat p9_host_stat(struct p9_client *c, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* A FUSE session: its life, and the table of what each request does. */
#include "virtio/fuse_priv.h"

#include <errno.h>
#include <stdlib.h>

#define MAJOR 7
#define MINOR 36       /* what is answered; the client goes by the lower of both */
#define MINOR_LEAST 23 /* since when FUSE_INIT's answer has its size */
#define PAGE 4096u
#define OLD_WRITE_MAX (32u * PAGE) /* of a client without FUSE_MAX_PAGES */
#define BACKGROUND 64
#define ROOM_MAX (1u << 30)

#define INODES_DEFAULT 524288u
#define HANDLES_DEFAULT 65536u

/*
 * FUSE_AUTO_INVAL_DATA: the host changes files, too. FUSE_HANDLE_KILLPRIV_V2: or the client asks
 * for an attribute before each write.
 */
#define FEATURES                                                                               \
	(FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_AUTO_INVAL_DATA |      \
	 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | \
	 FUSE_MAX_PAGES | FUSE_HANDLE_KILLPRIV_V2)

/* The part of struct fuse_init_in that all clients have. */
#define INIT_LEAST offsetof(struct fuse_init_in, flags2)

static int do_init(struct fuse_ctx *c)
{
	const struct fuse_init_in *in = (const void *)c->text;
	struct fuse_init_out *out = mhi_fuse_reply(c, sizeof(*out));

	if (in->major < MAJOR || (in->major == MAJOR && in->minor < MINOR_LEAST))
		return -EPROTO;
	out->major = MAJOR;
	out->minor = MINOR;
	/* A newer client asks again. */
	if (in->major > MAJOR)
		return 0;
	mhi_fuse_clear(c->s);
	pthread_mutex_lock(&c->s->tree.lock);
	c->s->ready = true;
	pthread_mutex_unlock(&c->s->tree.lock);
	out->flags = in->flags & FEATURES;
	out->max_readahead = in->max_readahead;
	out->max_background = BACKGROUND;
	out->congestion_threshold = BACKGROUND * 3 / 4;
	out->max_write = out->flags & FUSE_MAX_PAGES ? FUSE_DATA_MAX : OLD_WRITE_MAX;
	out->max_pages = (u16)(out->max_write / PAGE);
	out->time_gran = 1;
	return 0;
}

static int do_destroy(struct fuse_ctx *c)
{
	mhi_fuse_reset(c->s);
	return 0;
}

/* Requests do not wait for one another, so none is worth interrupting. */
static int do_interrupt(struct fuse_ctx *c)
{
	c->silent = true;
	return 0;
}

/* ---- the table of requests ---- */

#define CHANGES 1u /* refused on a read-only share */
#define NAMES 2u   /* what follows the structure is text, and is read, too */
#define AT_ONCE 4u /* also before FUSE_INIT */

struct op {
	int (*run)(struct fuse_ctx *c);
	u16 least; /* bytes of the structure */
	u16 flags;
};

static const struct op ops[] = {
	[FUSE_LOOKUP] = { mhi_fuse_do_lookup, 0, NAMES },
	[FUSE_FORGET] = { mhi_fuse_do_forget, sizeof(struct fuse_forget_in), 0 },
	[FUSE_GETATTR] = { mhi_fuse_do_getattr, sizeof(struct fuse_getattr_in), 0 },
	[FUSE_SETATTR] = { mhi_fuse_do_setattr, sizeof(struct fuse_setattr_in), CHANGES },
	[FUSE_READLINK] = { mhi_fuse_do_readlink, 0, 0 },
	[FUSE_SYMLINK] = { mhi_fuse_do_symlink, 0, NAMES | CHANGES },
	[FUSE_MKNOD] = { mhi_fuse_do_mknod, sizeof(struct fuse_mknod_in), NAMES | CHANGES },
	[FUSE_MKDIR] = { mhi_fuse_do_mkdir, sizeof(struct fuse_mkdir_in), NAMES | CHANGES },
	[FUSE_UNLINK] = { mhi_fuse_do_unlink, 0, NAMES | CHANGES },
	[FUSE_RMDIR] = { mhi_fuse_do_rmdir, 0, NAMES | CHANGES },
	[FUSE_RENAME] = { mhi_fuse_do_rename, sizeof(struct fuse_rename_in), NAMES | CHANGES },
	[FUSE_LINK] = { mhi_fuse_do_link, sizeof(struct fuse_link_in), NAMES | CHANGES },
	[FUSE_OPEN] = { mhi_fuse_do_open, sizeof(struct fuse_open_in), 0 },
	[FUSE_READ] = { mhi_fuse_do_read, sizeof(struct fuse_read_in), 0 },
	[FUSE_WRITE] = { mhi_fuse_do_write, sizeof(struct fuse_write_in), CHANGES },
	[FUSE_STATFS] = { mhi_fuse_do_statfs, 0, 0 },
	[FUSE_RELEASE] = { mhi_fuse_do_release, sizeof(struct fuse_release_in), 0 },
	[FUSE_FSYNC] = { mhi_fuse_do_fsync, sizeof(struct fuse_fsync_in), 0 },
	[FUSE_SETXATTR] = { mhi_fuse_do_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, CHANGES },
	[FUSE_GETXATTR] = { mhi_fuse_do_getxattr, sizeof(struct fuse_getxattr_in), NAMES },
	[FUSE_LISTXATTR] = { mhi_fuse_do_listxattr, sizeof(struct fuse_getxattr_in), 0 },
	[FUSE_REMOVEXATTR] = { mhi_fuse_do_removexattr, 0, NAMES | CHANGES },
	[FUSE_FLUSH] = { mhi_fuse_do_flush, sizeof(struct fuse_flush_in), 0 },
	[FUSE_INIT] = { do_init, INIT_LEAST, AT_ONCE },
	[FUSE_OPENDIR] = { mhi_fuse_do_opendir, sizeof(struct fuse_open_in), 0 },
	[FUSE_READDIR] = { mhi_fuse_do_readdir, sizeof(struct fuse_read_in), 0 },
	[FUSE_RELEASEDIR] = { mhi_fuse_do_release, sizeof(struct fuse_release_in), 0 },
	[FUSE_FSYNCDIR] = { mhi_fuse_do_fsync, sizeof(struct fuse_fsync_in), 0 },
	[FUSE_CREATE] = { mhi_fuse_do_create, sizeof(struct fuse_create_in), NAMES | CHANGES },
	[FUSE_INTERRUPT] = { do_interrupt, sizeof(struct fuse_interrupt_in), AT_ONCE },
	[FUSE_DESTROY] = { do_destroy, 0, AT_ONCE },
	[FUSE_BATCH_FORGET] = { mhi_fuse_do_batch_forget, sizeof(struct fuse_batch_forget_in), 0 },
	[FUSE_FALLOCATE] = { mhi_fuse_do_fallocate, sizeof(struct fuse_fallocate_in), CHANGES },
	[FUSE_READDIRPLUS] = { mhi_fuse_do_readdirplus, sizeof(struct fuse_read_in), 0 },
	[FUSE_RENAME2] = { mhi_fuse_do_rename2, sizeof(struct fuse_rename2_in), NAMES | CHANGES },
	[FUSE_LSEEK] = { mhi_fuse_do_lseek, sizeof(struct fuse_lseek_in), 0 },
	[FUSE_COPY_FILE_RANGE] = { mhi_fuse_do_copy_file_range,
				   sizeof(struct fuse_copy_file_range_in), CHANGES },
	[FUSE_SYNCFS] = { mhi_fuse_do_syncfs, 0, 0 },
};

static bool is_ready(struct mhi_fuse *s)
{
	bool ready;

	pthread_mutex_lock(&s->tree.lock);
	ready = s->ready;
	pthread_mutex_unlock(&s->tree.lock);
	return ready;
}

static int dispatch(struct fuse_ctx *c)
{
	const struct op *op = &ops[c->head.opcode < MHI_COUNT(ops) ? c->head.opcode : 0];
	size_t total = mhi_sg_bytes(c->req->out, c->req->outs);
	size_t want;

	/* Nobody waits for an answer to these, whatever is wrong with them. */
	c->silent = c->head.opcode == FUSE_FORGET || c->head.opcode == FUSE_BATCH_FORGET;
	if (c->head.len < FUSE_HEADER || c->head.len > total)
		return -EINVAL;
	if (!op->run)
		return -ENOSYS;
	want = c->head.len - FUSE_HEADER;
	if (want < op->least)
		return -EINVAL;
	if (!(op->flags & NAMES))
		want = op->least;
	if (want > FUSE_TEXT)
		return -ENAMETOOLONG;
	if (!(op->flags & AT_ONCE) && !is_ready(c->s))
		return -ENOTCONN;
	if (c->s->tree.config.readonly && (op->flags & CHANGES))
		return -EROFS;
	c->have = (u32)mhi_sg_get(c->req->out, c->req->outs, FUSE_HEADER, c->text, want);
	return op->run(c);
}

/* ---- replies ---- */

static void reply(struct fuse_ctx *c, int error)
{
	struct fuse_out_header head = { .error = error, .unique = c->head.unique };
	struct mhi_fuse_req *req = c->req;

	if (c->silent)
		return;
	if (!error && c->body > c->room)
		head.error = -EINVAL;
	if (head.error)
		c->body = c->data = 0;
	head.len = (u32)FUSE_REPLY_HEADER + c->body + c->data;
	mhi_sg_put(req->in, req->ins, 0, &head, sizeof(head));
	mhi_sg_put(req->in, req->ins, sizeof(head), c->reply, c->body);
	req->replied = head.len;
	req->failed = head.error == -EIO;
}

void mhi_fuse_run(struct mhi_fuse *s, struct mhi_fuse_req *req)
{
	size_t room = mhi_sg_bytes(req->in, req->ins);
	struct fuse_ctx c;
	int error;

	c.s = s;
	c.req = req;
	c.have = c.body = c.data = 0;
	c.silent = false;
	c.uses = 0;
	req->replied = 0;
	req->failed = false;
	if (mhi_sg_get(req->out, req->outs, 0, &c.head, sizeof(c.head)) != sizeof(c.head))
		return;
	c.room = 0;
	if (room > FUSE_REPLY_HEADER)
		c.room = room < ROOM_MAX ? (u32)(room - FUSE_REPLY_HEADER) : ROOM_MAX;
	error = dispatch(&c);
	mhi_fuse_unuse(&c);
	if (room >= FUSE_REPLY_HEADER)
		reply(&c, error);
}

/* ---- life ---- */

int mhi_fuse_create(const struct mhi_fuse_config *config, struct mhi_fuse **out,
		    struct mhi_err *err)
{
	struct mhi_fuse *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	s->inodes_max = config->inodes_max ? config->inodes_max : INODES_DEFAULT;
	s->handles_max = config->handles_max ? config->handles_max : HANDLES_DEFAULT;
	error = mhi_tree_init(&s->tree, &config->tree, err);
	if (!error && mhi_fuse_nodes_init(s))
		error = mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	if (error) {
		mhi_fuse_destroy(s);
		return error;
	}
	*out = s;
	return 0;
}

void mhi_fuse_destroy(struct mhi_fuse *s)
{
	if (!s)
		return;
	mhi_fuse_nodes_fini(s);
	mhi_tree_fini(&s->tree);
	free(s);
}

void mhi_fuse_reset(struct mhi_fuse *s)
{
	pthread_mutex_lock(&s->tree.lock);
	s->ready = false;
	pthread_mutex_unlock(&s->tree.lock);
	mhi_fuse_clear(s);
}

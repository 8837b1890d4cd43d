/* SPDX-License-Identifier: MIT */
/* A 9P session: its life, requests in flight, and the table of what each message does. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <stdlib.h>

#define FIDS_DEFAULT 65536u

/* ---- as a server ---- */

static void server_run(struct mhi_p9_server *server, struct mhi_p9_req *req)
{
	mhi_p9_run((struct mhi_p9 *)server, req);
}

static void server_reset(struct mhi_p9_server *server)
{
	mhi_p9_reset((struct mhi_p9 *)server);
}

static void server_destroy(struct mhi_p9_server *server)
{
	mhi_p9_destroy((struct mhi_p9 *)server);
}

static const struct mhi_p9_server_ops server_ops = {
	.run = server_run,
	.reset = server_reset,
	.destroy = server_destroy,
};

struct mhi_p9_server *mhi_p9_server(struct mhi_p9 *s)
{
	return &s->server;
}

/* ---- flush and version ---- */

static int do_flush(struct p9_ctx *c)
{
	u16 tag = mhi_p9_get16(&c->in);

	if (c->in.bad)
		return -EINVAL;
	mhi_p9_server_wait(&c->s->server, c->req, tag);
	return 0;
}

static int do_version(struct p9_ctx *c)
{
	static const char *const names[] = {
		[P9_NONE] = "unknown",
		[P9_2000] = "9P2000",
		[P9_2000U] = "9P2000.u",
		[P9_2000L] = "9P2000.L",
	};
	struct mhi_p9 *s = c->s;
	u32 msize = mhi_p9_get32(&c->in);
	enum p9_dialect dialect = mhi_p9_dialect(mhi_p9_get_str(&c->in));

	if (c->in.bad || msize < MHI_P9_MSIZE_MIN)
		return -EINVAL;
	if (msize > s->msize_max)
		msize = s->msize_max;
	mhi_p9_server_wait(&s->server, c->req, -1);
	mhi_p9_fids_clear(s);
	pthread_mutex_lock(&s->tree.lock);
	s->dialect = dialect;
	s->msize = msize;
	pthread_mutex_unlock(&s->tree.lock);
	mhi_p9_put32(&c->out, msize);
	mhi_p9_put_str(&c->out, names[dialect], strlen(names[dialect]));
	return 0;
}

/* The answer from which clients, diod's among them, understand that none is needed. */
static int do_auth(struct p9_ctx *c)
{
	return c->in.bad ? -EINVAL : -ENOENT;
}

/* ---- the table of messages ---- */

#define IN_L (1u << P9_2000L)
#define IN_OLD (1u << P9_2000 | 1u << P9_2000U)
#define IN_ALL (IN_L | IN_OLD)
#define CHANGES 0x80u /* refused on a read-only share */

struct op {
	int (*run)(struct p9_ctx *c);
	u8 flags;
};

static const struct op ops[P9_TYPES] = {
	[P9_TSTATFS] = { mhi_p9_do_statfs, IN_L },
	[P9_TLOPEN] = { mhi_p9_do_lopen, IN_L },
	[P9_TLCREATE] = { mhi_p9_do_lcreate, IN_L | CHANGES },
	[P9_TSYMLINK] = { mhi_p9_do_symlink, IN_L | CHANGES },
	[P9_TMKNOD] = { mhi_p9_do_mknod, IN_L | CHANGES },
	[P9_TRENAME] = { mhi_p9_do_rename, IN_L | CHANGES },
	[P9_TREADLINK] = { mhi_p9_do_readlink, IN_L },
	[P9_TGETATTR] = { mhi_p9_do_getattr, IN_L },
	[P9_TSETATTR] = { mhi_p9_do_setattr, IN_L | CHANGES },
	[P9_TXATTRWALK] = { mhi_p9_do_xattrwalk, IN_L },
	[P9_TXATTRCREATE] = { mhi_p9_do_xattrcreate, IN_L | CHANGES },
	[P9_TREADDIR] = { mhi_p9_do_readdir, IN_L },
	[P9_TFSYNC] = { mhi_p9_do_fsync, IN_L },
	[P9_TLOCK] = { mhi_p9_do_lock, IN_L },
	[P9_TGETLOCK] = { mhi_p9_do_getlock, IN_L },
	[P9_TLINK] = { mhi_p9_do_link, IN_L | CHANGES },
	[P9_TMKDIR] = { mhi_p9_do_mkdir, IN_L | CHANGES },
	[P9_TRENAMEAT] = { mhi_p9_do_renameat, IN_L | CHANGES },
	[P9_TUNLINKAT] = { mhi_p9_do_unlinkat, IN_L | CHANGES },
	[P9_TVERSION] = { do_version, IN_ALL | 1u << P9_NONE },
	[P9_TAUTH] = { do_auth, IN_ALL },
	[P9_TATTACH] = { mhi_p9_do_attach, IN_ALL },
	[P9_TFLUSH] = { do_flush, IN_ALL },
	[P9_TWALK] = { mhi_p9_do_walk, IN_ALL },
	[P9_TOPEN] = { mhi_p9_do_open, IN_OLD },
	[P9_TCREATE] = { mhi_p9_do_create, IN_OLD | CHANGES },
	[P9_TREAD] = { mhi_p9_do_read, IN_ALL },
	[P9_TWRITE] = { mhi_p9_do_write, IN_ALL | CHANGES },
	[P9_TCLUNK] = { mhi_p9_do_clunk, IN_ALL },
	[P9_TREMOVE] = { mhi_p9_do_remove, IN_ALL },
	[P9_TSTAT] = { mhi_p9_do_stat, IN_OLD },
	[P9_TWSTAT] = { mhi_p9_do_wstat, IN_OLD | CHANGES },
};

static int dispatch(struct p9_ctx *c)
{
	const struct op *op = &ops[c->req->type % P9_TYPES];
	size_t total = mhi_sg_bytes(c->req->out, c->req->outs);
	size_t want = c->req->type == P9_TWRITE ? P9_WRITE_HEADER : c->req->size;

	if (c->req->size < P9_HEADER || c->req->size > total)
		return -EINVAL;
	if (c->req->size > c->msize)
		return -EMSGSIZE;
	if (c->req->type >= P9_TYPES || !op->run || !(op->flags & 1u << c->dialect))
		return -EOPNOTSUPP;
	if (c->s->tree.config.readonly && (op->flags & CHANGES))
		return -EROFS;
	if (want > c->req->size)
		return -EINVAL;
	if (want > sizeof(c->text))
		return -ENAMETOOLONG;
	mhi_sg_get(c->req->out, c->req->outs, 0, c->text, want);
	c->in = (struct mhi_p9_in){ c->text + P9_HEADER, want - P9_HEADER, false };
	return op->run(c);
}

/* ---- replies ---- */

static void reply(struct p9_ctx *c, int error)
{
	struct mhi_p9_out head = { c->reply, 0, P9_HEADER, false };
	u8 type = (u8)(c->req->type + 1);
	u32 bytes;

	if (!error && c->out.full)
		error = -EMSGSIZE;
	if (error) {
		type = mhi_p9_put_error(&c->out, c->dialect, error);
		c->data = 0;
	}
	if (c->out.full)
		return;
	bytes = (u32)(P9_HEADER + c->out.used);
	mhi_p9_put32(&head, bytes + c->data);
	mhi_p9_put8(&head, type);
	mhi_p9_put16(&head, c->req->tag);
	mhi_sg_put(c->req->in, c->req->ins, 0, c->reply, bytes);
	c->req->replied = bytes + c->data;
}

void mhi_p9_run(struct mhi_p9 *s, struct mhi_p9_req *req)
{
	size_t room = mhi_sg_bytes(req->in, req->ins);
	struct p9_ctx c;
	int error;

	c.s = s;
	c.req = req;
	c.data = 0;
	c.uses = 0;
	pthread_mutex_lock(&s->tree.lock);
	c.dialect = s->dialect;
	c.msize = s->msize;
	pthread_mutex_unlock(&s->tree.lock);
	c.room = room < c.msize ? (u32)room : c.msize;
	if (!req->size || c.room < P9_HEADER)
		return;
	c.out = (struct mhi_p9_out){ c.reply + P9_HEADER, 0, 0, false };
	c.out.room = (c.room < sizeof(c.reply) ? c.room : sizeof(c.reply)) - P9_HEADER;
	error = dispatch(&c);
	mhi_p9_unuse(&c);
	reply(&c, error);
}

/* ---- life ---- */

static void set_config(struct mhi_p9 *s, const struct mhi_p9_config *config)
{
	s->msize_max = config->msize_max;
	if (!s->msize_max || s->msize_max > MHI_P9_MSIZE_MAX)
		s->msize_max = MHI_P9_MSIZE_MAX;
	if (s->msize_max < MHI_P9_MSIZE_MIN)
		s->msize_max = MHI_P9_MSIZE_MIN;
	s->fids_max = config->fids_max ? config->fids_max : FIDS_DEFAULT;
	s->msize = s->msize_max;
}

int mhi_p9_create(const struct mhi_p9_config *config, struct mhi_p9 **out, struct mhi_err *err)
{
	struct mhi_p9 *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	mhi_p9_server_init(&s->server, &server_ops);
	set_config(s, config);
	error = mhi_tree_init(&s->tree, &config->tree, err);
	if (error) {
		mhi_p9_destroy(s);
		return error;
	}
	*out = s;
	return 0;
}

void mhi_p9_destroy(struct mhi_p9 *s)
{
	if (!s)
		return;
	mhi_p9_fids_fini(s);
	mhi_tree_fini(&s->tree);
	mhi_p9_server_fini(&s->server);
	free(s);
}

void mhi_p9_reset(struct mhi_p9 *s)
{
	mhi_p9_fids_clear(s);
	pthread_mutex_lock(&s->tree.lock);
	s->dialect = P9_NONE;
	s->msize = s->msize_max;
	pthread_mutex_unlock(&s->tree.lock);
}

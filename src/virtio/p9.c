/* SPDX-License-Identifier: MIT */
/* A 9P session: its life, requests in flight, and the table of what each message does. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FIDS_DEFAULT 65536u
#define FDS_DEFAULT_MAX 16384u
#define FDS_MIN 32u

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
	if (msize > s->config.msize_max)
		msize = s->config.msize_max;
	mhi_p9_server_wait(&s->server, c->req, -1);
	mhi_p9_fids_clear(s);
	pthread_mutex_lock(&s->lock);
	s->dialect = dialect;
	s->msize = msize;
	pthread_mutex_unlock(&s->lock);
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
	size_t total = mhi_p9_iov_bytes(c->req->out, c->req->outs);
	size_t want = c->req->type == P9_TWRITE ? P9_WRITE_HEADER : c->req->size;

	if (c->req->size < P9_HEADER || c->req->size > total)
		return -EINVAL;
	if (c->req->size > c->msize)
		return -EMSGSIZE;
	if (c->req->type >= P9_TYPES || !op->run || !(op->flags & 1u << c->dialect))
		return -EOPNOTSUPP;
	if (c->s->config.readonly && (op->flags & CHANGES))
		return -EROFS;
	if (want > c->req->size)
		return -EINVAL;
	if (want > sizeof(c->text))
		return -ENAMETOOLONG;
	mhi_p9_iov_get(c->req->out, c->req->outs, 0, c->text, want);
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
	mhi_p9_iov_put(c->req->in, c->req->ins, 0, c->reply, bytes);
	c->req->replied = bytes + c->data;
}

void mhi_p9_run(struct mhi_p9 *s, struct mhi_p9_req *req)
{
	size_t room = mhi_p9_iov_bytes(req->in, req->ins);
	struct p9_ctx c;
	int error;

	c.s = s;
	c.req = req;
	c.data = 0;
	c.uses = 0;
	pthread_mutex_lock(&s->lock);
	c.dialect = s->dialect;
	c.msize = s->msize;
	pthread_mutex_unlock(&s->lock);
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

static u32 fds_default(void)
{
	struct rlimit limit;
	u64 half = FDS_MIN;

	if (!getrlimit(RLIMIT_NOFILE, &limit))
		half = limit.rlim_cur / 2;
	return half < FDS_DEFAULT_MAX ? (u32)half : FDS_DEFAULT_MAX;
}

static void set_config(struct mhi_p9 *s, const struct mhi_p9_config *config)
{
	s->config = *config;
	s->config.path = NULL;
	if (!s->config.msize_max || s->config.msize_max > MHI_P9_MSIZE_MAX)
		s->config.msize_max = MHI_P9_MSIZE_MAX;
	if (s->config.msize_max < MHI_P9_MSIZE_MIN)
		s->config.msize_max = MHI_P9_MSIZE_MIN;
	if (!s->config.fids_max)
		s->config.fids_max = FIDS_DEFAULT;
	if (!s->config.fds_max)
		s->config.fds_max = fds_default();
	if (s->config.fds_max < FDS_MIN)
		s->config.fds_max = FDS_MIN;
	s->euid = geteuid();
	s->egid = getegid();
	s->msize = s->config.msize_max;
}

static int open_error(struct mhi_err *err, const char *path)
{
	const char *cause = strerrordesc_np(errno);
	const char *cure = "is it the right folder?";
	int code = MH_EIO;

	if (errno == ENOENT)
		code = MH_ENOENT, cure = "correct the path, or make the folder";
	else if (errno == ENOTDIR)
		code = MH_EINVAL, cure = "name a folder";
	else if (errno == EACCES || errno == EPERM)
		code = MH_EPERM, cure = "give this user the right to read and enter it";
	return mhi_err_set(err, code, "open the shared folder %s: %s; %s", path, cause, cure);
}

/* What the server cannot do without. */
static int probe(struct mhi_p9 *s, const char *path, struct mhi_err *err)
{
	int fd = mhi_p9_open_at(s->root_fd, ".", O_PATH | O_DIRECTORY, 0);

	if (fd == -ENOSYS)
		return mhi_err_set(err, MH_ENOTSUP,
				   "share %s: the kernel has no openat2; 5.6 or newer is needed",
				   path);
	if (fd >= 0)
		close(fd);
	fd = mhi_p9_reopen(s, s->root_fd, O_RDONLY | O_DIRECTORY);
	if (fd < 0) {
		errno = -fd;
		return open_error(err, path);
	}
	close(fd);
	if (s->config.ids == MHI_P9_MAPPED &&
	    getxattr(mhi_p9_proc_path(s->root_fd).text, "user.macrohard.p9", NULL, 0) < 0 &&
	    errno == EOPNOTSUPP)
		return mhi_err_set(err, MH_ENOTSUP,
				   "share %s: its file system has no user attributes, which mapped "
				   "owners need; use another mapping of owners",
				   path);
	return 0;
}

static int open_root(struct mhi_p9 *s, const char *path, struct mhi_err *err)
{
	struct p9_attr a;
	int error;

	s->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root_fd < 0)
		return open_error(err, path);
	s->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->proc_fd < 0)
		return mhi_err_set(err, MH_ENOTSUP, "share %s: /proc is not mounted; mount it",
				   path);
	if (mhi_p9_stat(s->root_fd, &a))
		return mhi_err_set(err, MH_EIO,
				   "share %s: cannot ask for its state; is it the right folder?",
				   path);
	s->root_id = a.id;
	error = probe(s, path, err);
	if (error)
		return error;
	s->root = mhi_p9_node_new(s, NULL, "/", &a, s->root_fd);
	return s->root ? 0 : mhi_err_set(err, MH_ENOMEM, "share %s: " MHI_NO_MEMORY, path);
}

int mhi_p9_create(const struct mhi_p9_config *config, struct mhi_p9 **out, struct mhi_err *err)
{
	struct mhi_p9 *s;
	int error;

	if (!config->path || !*config->path)
		return mhi_err_set(err, MH_EINVAL, "no folder is named; set config.path");
	s = calloc(1, sizeof(*s));
	if (!s)
		return mhi_err_set(err, MH_ENOMEM, "share %s: " MHI_NO_MEMORY, config->path);
	pthread_mutex_init(&s->lock, NULL);
	mhi_p9_server_init(&s->server, &server_ops);
	s->root_fd = s->proc_fd = -1;
	set_config(s, config);
	error = open_root(s, config->path, err);
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
	mhi_p9_nodes_fini(s);
	if (s->proc_fd >= 0)
		close(s->proc_fd);
	if (s->root_fd >= 0)
		close(s->root_fd);
	mhi_p9_server_fini(&s->server);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void mhi_p9_reset(struct mhi_p9 *s)
{
	mhi_p9_fids_clear(s);
	pthread_mutex_lock(&s->lock);
	s->dialect = P9_NONE;
	s->msize = s->config.msize_max;
	pthread_mutex_unlock(&s->lock);
}

/* SPDX-License-Identifier: MIT */
/* A folder of the host that is shared: its life. */
#include "virtio/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FDS_DEFAULT_MAX 16384u
/* This part of the process' descriptors is left to others. */
#define FDS_OTHERS 8

static void set_limits(struct mhi_tree *t)
{
	struct rlimit limit;
	u64 fds = 0;

	if (!getrlimit(RLIMIT_NOFILE, &limit))
		fds = limit.rlim_cur;
	t->fd_end = fds - fds / FDS_OTHERS;
	if (!t->config.fds_max)
		t->config.fds_max = fds / 2 < FDS_DEFAULT_MAX ? (u32)(fds / 2) : FDS_DEFAULT_MAX;
	if (t->config.fds_max < TREE_FDS_MIN)
		t->config.fds_max = TREE_FDS_MIN;
}

static int open_error(struct mhi_err *err, const char *path)
{
	const char *cause = strerrordesc_np(errno);
	const char *cure = errno == EMFILE || errno == ENFILE
				   ? "close files or raise the limit (ulimit -n)"
				   : "is it the right folder?";
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
static int probe(struct mhi_tree *t, const char *path, struct mhi_err *err)
{
	int fd = mhi_tree_open_at(t->root_fd, ".", O_PATH | O_DIRECTORY, 0);

	if (fd == -ENOSYS)
		return mhi_err_set(err, MH_ENOTSUP,
				   "share %s: the kernel has no openat2; 5.6 or newer is needed",
				   path);
	if (fd >= 0)
		close(fd);
	fd = mhi_tree_reopen(t, t->root_fd, O_RDONLY | O_DIRECTORY);
	if (fd < 0) {
		errno = -fd;
		return open_error(err, path);
	}
	close(fd);
	if (t->config.ids == MHI_TREE_MAPPED &&
	    getxattr(mhi_tree_proc_path(t->root_fd).text, "user.macrohard.p9", NULL, 0) < 0 &&
	    errno == EOPNOTSUPP)
		return mhi_err_set(err, MH_ENOTSUP,
				   "share %s: its file system has no user attributes, which mapped "
				   "owners need; use another mapping of owners",
				   path);
	return 0;
}

static int open_root(struct mhi_tree *t, const char *path, struct mhi_err *err)
{
	struct tree_attr a;
	int error;

	t->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->root_fd < 0)
		return open_error(err, path);
	t->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->proc_fd < 0 && (errno == EMFILE || errno == ENFILE))
		return open_error(err, path);
	if (t->proc_fd < 0)
		return mhi_err_set(err, MH_ENOTSUP, "share %s: /proc is not mounted; mount it",
				   path);
	if (mhi_tree_stat(t->root_fd, &a))
		return mhi_err_set(err, MH_EIO,
				   "share %s: cannot ask for its state; is it the right folder?",
				   path);
	t->root_id = a.id;
	error = probe(t, path, err);
	if (error)
		return error;
	t->root = mhi_tree_node_new(t, NULL, "/", &a, t->root_fd);
	return t->root ? 0 : mhi_err_set(err, MH_ENOMEM, "share %s: " MHI_NO_MEMORY, path);
}

int mhi_tree_init(struct mhi_tree *t, const struct mhi_tree_config *config, struct mhi_err *err)
{
	pthread_mutex_init(&t->lock, NULL);
	t->root_fd = t->proc_fd = -1;
	t->config = *config;
	t->config.path = NULL;
	set_limits(t);
	t->euid = geteuid();
	t->egid = getegid();
	if (!config->path || !*config->path)
		return mhi_err_set(err, MH_EINVAL, "no folder is named; set config.path");
	return open_root(t, config->path, err);
}

void mhi_tree_fini(struct mhi_tree *t)
{
	mhi_tree_nodes_fini(t);
	if (t->proc_fd >= 0)
		close(t->proc_fd);
	if (t->root_fd >= 0)
		close(t->root_fd);
	pthread_mutex_destroy(&t->lock);
}

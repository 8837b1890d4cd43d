/* SPDX-License-Identifier: MIT */
/*
 * Record locks. The client's kernel settles conflicts among its own processes; here they meet those
 * of the host and of other clients. Each lock owner of the client (a process) has, on each file, an
 * open file description of its own, to which the host's lock belongs. The list and the locks are
 * the session's lock's: asking for a lock never waits.
 */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define HASH_START 5381ull
#define HASH_FACTOR 33ull

struct request {
	u8 type;
	u64 start, length; /* length 0: to the end */
	u32 proc;
	struct mhi_p9_str client;
};

static u64 hash(struct mhi_p9_str s)
{
	u64 h = HASH_START;

	for (u16 i = 0; i < s.len; i++)
		h = h * HASH_FACTOR + (u8)s.p[i];
	return h;
}

static struct p9_lock **find(struct mhi_p9 *s, const struct tree_id *id, const struct request *r)
{
	struct p9_lock **slot = &s->lock_list;
	u64 client = hash(r->client);

	while (*slot && !(mhi_tree_same(&(*slot)->id, id) && (*slot)->proc == r->proc &&
			  (*slot)->client == client))
		slot = &(*slot)->next;
	return slot;
}

static void drop(struct mhi_p9 *s, struct p9_lock **slot)
{
	struct p9_lock *lock = *slot;

	*slot = lock->next;
	close(lock->fd);
	mhi_tree_fd_give(&s->tree);
	s->locks--;
	free(lock);
}

static bool has_open(const struct mhi_p9 *s, const struct tree_id *id)
{
	for (unsigned int i = 0; i < P9_BUCKETS; i++)
		for (const struct p9_fid *f = s->fid_table[i]; f; f = f->chain)
			if (f->io_fd >= 0 && mhi_tree_same(&f->node->id, id))
				return true;
	return false;
}

void mhi_p9_locks_drop(struct mhi_p9 *s, const struct tree_id *id)
{
	struct p9_lock **slot = &s->lock_list;
	bool checked = false;

	while (*slot) {
		if (!mhi_tree_same(&(*slot)->id, id)) {
			slot = &(*slot)->next;
			continue;
		}
		if (!checked && has_open(s, id))
			return;
		checked = true;
		drop(s, slot);
	}
}

/* A new owner's description; it must not be one that another owner locks through. */
static struct p9_lock *new_lock(struct p9_ctx *c, const struct p9_use *use, const struct request *r,
				int *error)
{
	struct p9_lock *lock = calloc(1, sizeof(*lock));

	*error = -ENOMEM;
	if (!lock)
		return NULL;
	lock->writable = !c->s->tree.config.readonly;
	lock->fd = -EACCES;
	if (lock->writable)
		lock->fd = mhi_tree_counted_reopen(&c->s->tree, use->f.io_fd, O_RDWR);
	if (lock->fd < 0) {
		lock->writable = false;
		lock->fd = mhi_tree_counted_reopen(&c->s->tree, use->f.io_fd, O_RDONLY);
	}
	if (lock->fd < 0) {
		*error = lock->fd;
		free(lock);
		return NULL;
	}
	lock->id = use->f.node->id;
	lock->proc = r->proc;
	lock->client = hash(r->client);
	return lock;
}

static int set_lock(const struct p9_lock *lock, const struct request *r)
{
	struct flock fl = {
		.l_type = F_UNLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)r->start,
		.l_len = (off_t)r->length,
	};

	if (r->type == P9_LOCK_RDLCK)
		fl.l_type = F_RDLCK;
	else if (r->type == P9_LOCK_WRLCK)
		fl.l_type = F_WRLCK;
	if (r->type == P9_LOCK_WRLCK && !lock->writable)
		return -EBADF;
	return fcntl(lock->fd, F_OFD_SETLK, &fl) ? -errno : 0;
}

/* With the session's lock held. */
static int settle(struct mhi_p9 *s, struct p9_lock **slot, const struct request *r)
{
	int error = set_lock(*slot, r);

	if (!error && r->type == P9_LOCK_UNLCK && !r->start && !r->length)
		drop(s, slot);
	return error;
}

static int lock_as(struct p9_ctx *c, const struct p9_use *use, const struct request *r)
{
	const struct tree_id *id = &use->f.node->id;
	struct mhi_p9 *s = c->s;
	struct p9_lock *lock = NULL, **slot;
	bool known;
	int error = 0;

	pthread_mutex_lock(&s->tree.lock);
	known = *find(s, id, r);
	pthread_mutex_unlock(&s->tree.lock);
	if (!known && r->type == P9_LOCK_UNLCK)
		return 0;
	if (!known) {
		lock = new_lock(c, use, r, &error);
		if (!lock)
			return error;
	}
	pthread_mutex_lock(&s->tree.lock);
	slot = find(s, id, r);
	if (!*slot && lock && s->locks < P9_LOCKS_MAX) {
		lock->next = s->lock_list;
		s->lock_list = lock;
		s->locks++;
		slot = &s->lock_list;
		lock = NULL;
	}
	error = *slot ? settle(s, slot, r) : -ENOLCK;
	pthread_mutex_unlock(&s->tree.lock);
	if (lock) {
		mhi_tree_counted_close(&s->tree, lock->fd);
		free(lock);
	}
	return error;
}

static int check(const struct p9_ctx *c, const struct request *r)
{
	if (c->in.bad || r->type > P9_LOCK_UNLCK || r->start > INT64_MAX || r->length > INT64_MAX)
		return -EINVAL;
	return 0;
}

static int file_of(struct p9_ctx *c, u32 number, struct p9_use **use)
{
	int error = mhi_p9_use_open(c, number, use);

	if (!error && ((*use)->fid->xattr || !S_ISREG((*use)->f.node->type)))
		error = -EINVAL;
	return error;
}

int mhi_p9_do_lock(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct request r = { .type = mhi_p9_get8(&c->in) };
	struct p9_use *use;
	int error;

	/* flags: whether the client will wait, and for whom; it asks again by itself. */
	mhi_p9_get32(&c->in);
	r.start = mhi_p9_get64(&c->in);
	r.length = mhi_p9_get64(&c->in);
	r.proc = mhi_p9_get32(&c->in);
	r.client = mhi_p9_get_str(&c->in);
	error = check(c, &r);
	if (!error)
		error = file_of(c, number, &use);
	if (error)
		return error;
	error = lock_as(c, use, &r);
	if (error && error != -EAGAIN && error != -EACCES)
		return error;
	mhi_p9_put8(&c->out, error ? P9_LOCK_BLOCKED : P9_LOCK_SUCCESS);
	return 0;
}

static u8 type_from(int type)
{
	if (type == F_RDLCK)
		return P9_LOCK_RDLCK;
	return type == F_WRLCK ? P9_LOCK_WRLCK : P9_LOCK_UNLCK;
}

/* Who would be in the way; l_type F_UNLCK: nobody. */
static int ask(struct mhi_p9 *s, const struct p9_use *use, const struct request *r,
	       struct flock *fl)
{
	struct p9_lock *own;
	int error;

	pthread_mutex_lock(&s->tree.lock);
	own = *find(s, &use->f.node->id, r);
	error = fcntl(own ? own->fd : use->f.io_fd, F_OFD_GETLK, fl) ? -errno : 0;
	pthread_mutex_unlock(&s->tree.lock);
	return error;
}

int mhi_p9_do_getlock(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct request r = { .type = mhi_p9_get8(&c->in) };
	struct flock fl = { .l_whence = SEEK_SET };
	struct p9_use *use;
	int error;

	r.start = mhi_p9_get64(&c->in);
	r.length = mhi_p9_get64(&c->in);
	r.proc = mhi_p9_get32(&c->in);
	r.client = mhi_p9_get_str(&c->in);
	error = check(c, &r);
	if (!error)
		error = file_of(c, number, &use);
	if (error)
		return error;
	fl.l_type = r.type == P9_LOCK_RDLCK ? F_RDLCK : F_WRLCK;
	fl.l_start = (off_t)r.start;
	fl.l_len = (off_t)r.length;
	error = ask(c->s, use, &r, &fl);
	if (error)
		return error;
	mhi_p9_put8(&c->out, type_from(fl.l_type));
	mhi_p9_put64(&c->out, (u64)fl.l_start);
	mhi_p9_put64(&c->out, (u64)fl.l_len);
	mhi_p9_put32(&c->out, fl.l_type == F_UNLCK ? r.proc : (u32)fl.l_pid);
	mhi_p9_put_str(&c->out, r.client.p, r.client.len);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The steward, and who asks it. */
#include "steward.h"
#include "rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKETS_MAX 16
#define NEW_SCREENSHOT "." STORE_SCREENSHOT ".new"

enum wish { REMOVE = 1, SEAL, STATE, NEW_LOG, NEW_SCREENSHOT_FILE, KEEP, DROP };

/* One message each way; a descriptor may come with an answer. */
struct message {
	unsigned char wish;
	char text[STORE_STATE_TEXT + 32]; /* STATE: "REASON\nTEXT"; REMOVE: a path */
};

struct answer {
	int error; /* an errno, or 0 */
};

/* ---- what it does, for whoever has the folder ---- */

static int set_state(const struct store_vm *vm, const char *state)
{
	char reason[64] = "";
	const char *text = strchr(state, '\n');

	if (!text)
		return EINVAL;
	if ((size_t)(text - state) < sizeof(reason))
		memcpy(reason, state, (size_t)(text - state));
	return store_set_state(vm, *reason ? reason : NULL, text + 1);
}

static int new_log(const struct store_vm *vm)
{
	renameat(vm->dir, STORE_CONSOLE_LOG, vm->dir, STORE_CONSOLE_LOG ".1");
	return openat(vm->dir, STORE_CONSOLE_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int new_screenshot(const struct store_vm *vm)
{
	unlinkat(vm->dir, NEW_SCREENSHOT, 0);
	return openat(vm->dir, NEW_SCREENSHOT, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int keep_screenshot(const struct store_vm *vm, bool good)
{
	int error;

	if (good && !renameat(vm->dir, NEW_SCREENSHOT, vm->dir, STORE_SCREENSHOT))
		return 0;
	error = errno;
	if (unlinkat(vm->dir, NEW_SCREENSHOT, 0))
		return -1;
	errno = error;
	return good ? -1 : 0;
}

/* ---- the steward's process ---- */

/*
 * Sockets are removed if they are still those that were there. The next one at their place may have
 * the same inode, but was made later; a change of mode or owner is none of that.
 */
struct place {
	char path[256];
	struct statx was;
};

struct office {
	const struct store_vm *store;
	int fd;
	bool sealed;
	unsigned int places;
	struct place place[SOCKETS_MAX];
};

static bool look(const struct office *o, const struct place *place, struct statx *st)
{
	int dir = *place->path ? AT_FDCWD : o->store->dir;
	const char *path = *place->path ? place->path : STORE_SOCKET;

	memset(st, 0, sizeof(*st));
	return !statx(dir, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO | STATX_BTIME, st) &&
	       S_ISSOCK(st->stx_mode);
}

/* Where a file system knows no time of birth, it is 0. */
static bool same(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor && a->stx_btime.tv_sec == b->stx_btime.tv_sec &&
	       a->stx_btime.tv_nsec == b->stx_btime.tv_nsec;
}

static int note(struct office *o, const char *path)
{
	struct place *place = &o->place[o->places];

	if (o->sealed || o->places == SOCKETS_MAX || strlen(path) >= sizeof(place->path) ||
	    (!*path && !o->store))
		return EPERM;
	memcpy(place->path, path, strlen(path) + 1);
	if (!look(o, place, &place->was))
		return ENOENT;
	o->places++;
	return 0;
}

static void clean_up(const struct office *o)
{
	for (unsigned int n = 0; n < o->places; n++) {
		const struct place *place = &o->place[n];
		struct statx now;

		if (!look(o, place, &now) || !same(&now, &place->was))
			continue;
		if (*place->path)
			unlink(place->path);
		else
			unlinkat(o->store->dir, STORE_SOCKET, 0);
	}
}

static void reply(const struct office *o, int error, int fd)
{
	struct answer answer = { error };

	rpc_send_some(o->fd, &answer, sizeof(answer), fd);
	if (fd >= 0)
		close(fd);
}

static void serve(struct office *o, const struct message *m)
{
	int fd = -1, error = 0;

	if (m->wish == REMOVE)
		error = note(o, m->text);
	else if (m->wish == SEAL)
		o->sealed = true;
	else if (!o->store)
		error = EPERM;
	else if (m->wish == STATE)
		error = set_state(o->store, m->text);
	else if (m->wish == NEW_LOG)
		error = (fd = new_log(o->store)) < 0 ? errno : 0;
	else if (m->wish == NEW_SCREENSHOT_FILE)
		error = (fd = new_screenshot(o->store)) < 0 ? errno : 0;
	else if (m->wish == KEEP || m->wish == DROP)
		error = keep_screenshot(o->store, m->wish == KEEP) ? errno : 0;
	else
		error = EINVAL;
	reply(o, error, fd);
}

/* It has what it needs, and nothing of the VM's. */
static void settle(int fd, int dir)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), least = dir < fd ? dir : fd,
	    most = dir < fd ? fd : dir;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "steward");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int n = 0; n <= STDERR_FILENO; n++)
		dup2(null, n);
	if (least > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned int)least - 1, 0);
	if (most > least + 1)
		close_range((unsigned int)least + 1, (unsigned int)most - 1, 0);
	close_range((unsigned int)most + 1, ~0u, 0);
}

static void be_steward(int fd, const struct store_vm *store)
{
	struct office o = { .store = store, .fd = fd };
	struct message m;
	ssize_t n;

	settle(fd, store ? store->dir : STDERR_FILENO);
	while ((n = recv(fd, &m, sizeof(m), 0)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		if (n < 1)
			continue;
		((char *)&m)[(size_t)n < sizeof(m) ? (size_t)n : sizeof(m) - 1] = '\0';
		serve(&o, &m);
	}
	clean_up(&o);
	_exit(0);
}

int steward_start(struct steward *s, const struct store_vm *store)
{
	int pair[2];

	*s = (struct steward){ .store = store, .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	s->pid = fork();
	if (!s->pid) {
		close(pair[0]);
		be_steward(pair[1], store);
	}
	close(pair[1]);
	if (s->pid < 0) {
		close(pair[0]);
		return -1;
	}
	s->fd = pair[0];
	return 0;
}

void steward_end(struct steward *s)
{
	if (s->fd < 0)
		return;
	close(s->fd);
	s->fd = -1;
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* ---- who asks ---- */

/* 0, or -1 with errno; fd NULL: none comes. */
static int hear(int from, int *fd)
{
	struct answer answer = { EIO };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec piece = { &answer, sizeof(answer) };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t n;

	while ((n = recvmsg(from, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		continue;
	header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (fd)
		*fd = -1;
	if (fd && header && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	if (n < 0 || (!answer.error && fd && *fd < 0))
		answer.error = EIO;
	errno = answer.error;
	return answer.error ? -1 : 0;
}

static int ask(struct steward *s, enum wish wish, const char *text, int *fd)
{
	struct message m = { .wish = (unsigned char)wish };
	size_t bytes = offsetof(struct message, text) +
		       (size_t)snprintf(m.text, sizeof(m.text), "%s", text) + 1;

	if (bytes > sizeof(m))
		bytes = sizeof(m);
	if (send(s->fd, &m, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		return -1;
	return hear(s->fd, fd);
}

int steward_remove(struct steward *s, const char *path)
{
	return ask(s, REMOVE, path, NULL);
}

int steward_seal(struct steward *s)
{
	return ask(s, SEAL, "", NULL);
}

void steward_set_state(struct steward *s, const char *reason, const char *text)
{
	char state[STORE_STATE_TEXT + 32];
	int error;

	snprintf(state, sizeof(state), "%s\n%s", reason ? reason : "", text ? text : "");
	if (s->fd < 0)
		error = set_state(s->store, state);
	else
		error = ask(s, STATE, state, NULL) ? errno : 0;
	if (error)
		cli_message("VM \"%s\": its state cannot be written: %s; 'list' shows an old one",
			    s->store->name, strerror(error));
}

static int asked_fd(struct steward *s, enum wish wish)
{
	int fd;

	return ask(s, wish, "", &fd) ? -1 : fd;
}

int steward_new_log(struct steward *s)
{
	return s->fd < 0 ? new_log(s->store) : asked_fd(s, NEW_LOG);
}

int steward_new_screenshot(struct steward *s)
{
	return s->fd < 0 ? new_screenshot(s->store) : asked_fd(s, NEW_SCREENSHOT_FILE);
}

int steward_keep_screenshot(struct steward *s, bool good)
{
	return s->fd < 0 ? keep_screenshot(s->store, good) : ask(s, good ? KEEP : DROP, "", NULL);
}

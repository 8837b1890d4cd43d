/* SPDX-License-Identifier: MIT */
/* What a guest prints on its console: kept for who looks later, logged, shown on a terminal. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static void open_log(struct output *o)
{
	struct stat st;

	o->log = openat(o->vm->dir, STORE_CONSOLE_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			0600);
	atomic_store_explicit(&o->log_bytes,
			      o->log >= 0 && !fstat(o->log, &st) ? (uint64_t)st.st_size : 0,
			      memory_order_relaxed);
}

int output_init(struct output *o, const struct store_vm *vm, struct terminal *terminal)
{
	memset(o, 0, sizeof(*o));
	pthread_mutex_init(&o->lock, NULL);
	o->terminal = terminal;
	o->vm = vm;
	o->log = -1;
	o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm)
		open_log(o);
	return o->wake < 0 || (vm && o->log < 0) ? -1 : 0;
}

void output_fini(struct output *o)
{
	if (o->wake >= 0)
		close(o->wake);
	if (o->log >= 0)
		close(o->log);
	pthread_mutex_destroy(&o->lock);
}

/* The terminal may share its O_NONBLOCK flag with a program that set it. */
static int write_all(int fd, const unsigned char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n >= 0) {
			data += n;
			bytes -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

static void wake(struct output *o)
{
	uint64_t one = 1;

	while (write(o->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void print(struct output *o, const void *data, size_t bytes)
{
	int error;

	if (o->terminal->output)
		terminal_follow(o->terminal, data, bytes);
	error = write_all(STDOUT_FILENO, data, bytes);
	if (error)
		atomic_store_explicit(&o->error, error, memory_order_release);
}

/* A full disk ends the log, not the guest; nor does a log that cannot be put aside grow on. */
static void append(struct output *o, const void *data, size_t bytes)
{
	if (atomic_load_explicit(&o->log_bytes, memory_order_relaxed) < 2 * OUTPUT_LOG_MAX)
		write_all(o->log, data, bytes);
	atomic_fetch_add_explicit(&o->log_bytes, bytes, memory_order_relaxed);
}

bool output_log_full(struct output *o)
{
	return o->vm && atomic_load_explicit(&o->log_bytes, memory_order_relaxed) > OUTPUT_LOG_MAX;
}

void output_new_log(struct output *o, int fd)
{
	/* Who prints meanwhile prints into one of the two. */
	if (fd >= 0 && dup3(fd, o->log, O_CLOEXEC) >= 0)
		atomic_store_explicit(&o->log_bytes, 0, memory_order_relaxed);
	if (fd >= 0)
		close(fd);
}

static void keep(struct output *o, const char *data, size_t bytes)
{
	pthread_mutex_lock(&o->lock);
	for (size_t done = 0; done < bytes;) {
		size_t at = o->end % OUTPUT_KEPT, n = OUTPUT_KEPT - at;

		if (n > bytes - done)
			n = bytes - done;
		memcpy(o->kept + at, data + done, n);
		o->end += n;
		done += n;
	}
	pthread_mutex_unlock(&o->lock);
}

void output_add(void *opaque, const void *data, size_t bytes)
{
	struct output *o = opaque;

	if (o->terminal)
		print(o, data, bytes);
	if (o->vm) {
		append(o, data, bytes);
		keep(o, data, bytes);
	}
	wake(o);
}

size_t output_read(struct output *o, uint64_t *at, void *data, size_t bytes)
{
	size_t start, n;

	pthread_mutex_lock(&o->lock);
	if (o->end - *at > OUTPUT_KEPT)
		*at = o->end - OUTPUT_KEPT;
	start = *at % OUTPUT_KEPT;
	n = OUTPUT_KEPT - start;
	if (n > bytes)
		n = bytes;
	if (n > o->end - *at)
		n = (size_t)(o->end - *at);
	memcpy(data, o->kept + start, n);
	*at += n;
	pthread_mutex_unlock(&o->lock);
	return n;
}

bool output_has(struct output *o, uint64_t at)
{
	bool has;

	pthread_mutex_lock(&o->lock);
	has = o->end != at;
	pthread_mutex_unlock(&o->lock);
	return has;
}

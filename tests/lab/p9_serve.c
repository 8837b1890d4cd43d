// SPDX-License-Identifier: MIT
/*
 * A 9P server on a socket: the library's engine for the kernel's own client, diod's tools and any
 * other, without a VM. Each connection is a session with workers of its own.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtio/p9.h"

#define SLOTS 64
#define PIECES_MAX 200

struct conn;

/* One request with its buffers. */
struct slot {
	struct mhi_p9_req req;
	struct conn *conn;
	struct slot *next; /* in the free list or the queue */
	u8 *request, *reply;
	struct iovec out[PIECES_MAX], in[PIECES_MAX];
};

struct conn {
	int fd;
	bool closing;
	struct mhi_p9 *p9;
	pthread_mutex_t lock; /* the lists, closing */
	pthread_mutex_t write_lock;
	pthread_cond_t changed;
	struct slot slots[SLOTS];
	struct slot *free, *first, *last;
};

static struct mhi_p9_config config;
static unsigned int workers = 2, piece = 0;

/* ---- bytes ---- */

static bool read_all(int fd, u8 *p, size_t n)
{
	while (n) {
		ssize_t got = read(fd, p, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

static bool write_all(int fd, const u8 *p, size_t n)
{
	while (n) {
		ssize_t got = send(fd, p, n, MSG_NOSIGNAL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

/* One piece, or with --pieces many of unequal sizes, as a guest's memory would be. */
static unsigned int cut(struct iovec *iov, u8 *p, size_t n)
{
	unsigned int pieces = 0;

	while (n && pieces < PIECES_MAX) {
		size_t part = piece ? 1 + (pieces * 37 + piece) % (piece * 2) : n;

		if (part > n || pieces == PIECES_MAX - 1)
			part = n;
		iov[pieces++] = (struct iovec){ p, part };
		p += part;
		n -= part;
	}
	return pieces;
}

/* ---- workers ---- */

static struct slot *next_job(struct conn *conn)
{
	struct slot *slot;

	pthread_mutex_lock(&conn->lock);
	while (!conn->first && !conn->closing)
		pthread_cond_wait(&conn->changed, &conn->lock);
	slot = conn->first;
	if (slot)
		conn->first = slot->next;
	pthread_mutex_unlock(&conn->lock);
	return slot;
}

static void finish(struct conn *conn, struct slot *slot)
{
	pthread_mutex_lock(&conn->write_lock);
	write_all(conn->fd, slot->reply, slot->req.replied);
	mhi_p9_server_end(mhi_p9_server(conn->p9), &slot->req);
	pthread_mutex_unlock(&conn->write_lock);
	pthread_mutex_lock(&conn->lock);
	slot->next = conn->free;
	conn->free = slot;
	pthread_cond_broadcast(&conn->changed);
	pthread_mutex_unlock(&conn->lock);
}

static void *work(void *opaque)
{
	struct conn *conn = opaque;
	struct slot *slot;

	while ((slot = next_job(conn))) {
		mhi_p9_run(conn->p9, &slot->req);
		finish(conn, slot);
	}
	return NULL;
}

/* ---- a connection ---- */

static struct slot *free_slot(struct conn *conn)
{
	struct slot *slot;

	pthread_mutex_lock(&conn->lock);
	while (!conn->free)
		pthread_cond_wait(&conn->changed, &conn->lock);
	slot = conn->free;
	conn->free = slot->next;
	slot->next = NULL;
	pthread_mutex_unlock(&conn->lock);
	return slot;
}

static void queue(struct conn *conn, struct slot *slot)
{
	mhi_p9_server_begin(mhi_p9_server(conn->p9), &slot->req);
	pthread_mutex_lock(&conn->lock);
	*(conn->first ? &conn->last->next : &conn->first) = slot;
	conn->last = slot;
	pthread_cond_broadcast(&conn->changed);
	pthread_mutex_unlock(&conn->lock);
}

static bool receive(struct conn *conn)
{
	struct slot *slot = free_slot(conn);
	u32 size;

	if (!read_all(conn->fd, slot->request, 4))
		return false;
	size = mhi_p9_size(slot->request);
	if (size < 7 || size > config.msize_max || !read_all(conn->fd, slot->request + 4, size - 4))
		return false;
	slot->req.outs = cut(slot->out, slot->request, size);
	slot->req.ins = cut(slot->in, slot->reply, config.msize_max);
	queue(conn, slot);
	return true;
}

static bool start_conn(struct conn *conn)
{
	struct mhi_err err;

	if (mhi_p9_create(&config, &conn->p9, &err)) {
		fprintf(stderr, "p9_serve: %s\n", err.text);
		return false;
	}
	pthread_mutex_init(&conn->lock, NULL);
	pthread_mutex_init(&conn->write_lock, NULL);
	pthread_cond_init(&conn->changed, NULL);
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &conn->slots[i];

		slot->request = malloc(config.msize_max);
		slot->reply = malloc(config.msize_max);
		if (!slot->request || !slot->reply)
			return false;
		slot->req.out = slot->out;
		slot->req.in = slot->in;
		slot->next = conn->free;
		conn->free = slot;
	}
	return true;
}

static void end_conn(struct conn *conn)
{
	for (int i = 0; i < SLOTS; i++) {
		free(conn->slots[i].request);
		free(conn->slots[i].reply);
	}
	mhi_p9_destroy(conn->p9);
	close(conn->fd);
	free(conn);
}

static void *serve(void *opaque)
{
	struct conn *conn = opaque;
	pthread_t threads[16];
	unsigned int n = workers < 16 ? workers : 16;

	if (start_conn(conn)) {
		for (unsigned int i = 0; i < n; i++)
			pthread_create(&threads[i], NULL, work, conn);
		while (receive(conn))
			;
		pthread_mutex_lock(&conn->lock);
		conn->closing = true;
		pthread_cond_broadcast(&conn->changed);
		pthread_mutex_unlock(&conn->lock);
		for (unsigned int i = 0; i < n; i++)
			pthread_join(threads[i], NULL);
	}
	end_conn(conn);
	return NULL;
}

/* ---- listening ---- */

static int listen_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8))
		return -1;
	return fd;
}

static int listen_tcp(const char *port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((u16)strtoul(port, NULL, 10)),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8))
		return -1;
	return fd;
}

static enum mhi_tree_ids parse_ids(const char *text)
{
	if (!strcmp(text, "mapped"))
		return MHI_TREE_MAPPED;
	return strcmp(text, "host") ? MHI_TREE_SQUASH : MHI_TREE_HOST;
}

static void usage(void)
{
	fputs("usage: p9_serve [OPTION...] (--unix PATH | --tcp PORT) FOLDER\n"
	      "  --readonly  --ids squash|mapped|host  --uid N  --gid N  --msize N  --fids N\n"
	      "  --fds N  --workers N  --pieces N (cut buffers into about that many bytes)\n",
	      stderr);
	exit(2);
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "unix", 1, NULL, 'U' },     { "tcp", 1, NULL, 'T' },
		{ "readonly", 0, NULL, 'r' }, { "ids", 1, NULL, 'i' },
		{ "uid", 1, NULL, 'u' },      { "gid", 1, NULL, 'g' },
		{ "msize", 1, NULL, 'm' },    { "fds", 1, NULL, 'd' },
		{ "fids", 1, NULL, 'f' },     { "workers", 1, NULL, 'w' },
		{ "pieces", 1, NULL, 'p' },   { NULL, 0, NULL, 0 },
	};
	int fd = -1, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		u32 n = optarg ? (u32)strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'U':
			fd = listen_unix(optarg);
			break;
		case 'T':
			fd = listen_tcp(optarg);
			break;
		case 'r':
			config.tree.readonly = true;
			break;
		case 'i':
			config.tree.ids = parse_ids(optarg);
			break;
		case 'u':
			config.tree.uid = n;
			break;
		case 'g':
			config.tree.gid = n;
			break;
		case 'm':
			config.msize_max = n;
			break;
		case 'd':
			config.tree.fds_max = n;
			break;
		case 'f':
			config.fids_max = n;
			break;
		case 'w':
			workers = n;
			break;
		case 'p':
			piece = n;
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || fd < 0 || !workers)
		usage();
	config.tree.path = argv[optind];
	return fd;
}

int main(int argc, char **argv)
{
	int listener;

	config.msize_max = 512 << 10;
	listener = parse(argc, argv);
	for (;;) {
		struct conn *conn = calloc(1, sizeof(*conn));
		pthread_t thread;

		if (!conn)
			return 1;
		conn->fd = accept(listener, NULL, NULL);
		if (conn->fd < 0 || pthread_create(&thread, NULL, serve, conn))
			return 1;
		pthread_detach(thread);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * The user-mode network: libslirp, a TCP/IP stack in this process, which needs no privilege. It
 * runs when one of its sockets, a timer or a frame of the guest wants something, and tells after
 * each such turn what it waits for next. What it sends to the guest is kept here until the device
 * takes it.
 */
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "virtio/be_net.h"

/* Frames kept for the guest; TCP's windows keep a connection below 64 KiB of them. */
#define BACKLOG_MAX 1024
/* Guests' errors that are logged. */
#define COMPLAINTS_MAX 8

/* 10.0.2.0/24 and fec0::/64, as users of other programs know them. */
#define NETWORK 0x0a000200u
#define NETMASK 0xffffff00u
#define HOST 2
#define NAMESERVER 3
#define FIRST_GUEST 15

struct frame {
	struct frame *next;
	size_t bytes;
	u8 data[];
};

struct poll {
	struct user_net *u;
	int fd;
	struct mhi_watch *watch;
	unsigned int wanted, events; /* MHI_WATCH_*: to wait for, that came */
};

struct timer {
	struct user_net *u;
	struct mhi_timer *timer;
	SlirpTimerCb fn;
	void *opaque;
};

/* All (l), but for what says otherwise. */
struct user_net {
	struct mhi_net net;
	struct mhi_vdev_env env; /* (c) */
	Slirp *slirp;
	struct mhi_timer *timer; /* libslirp's own timeouts */
	struct poll **poll;	 /* [polls] by fd, or NULL */
	u32 polls;
	int *asked; /* [asks] of [asked_room]: descriptors by libslirp's index */
	u32 asks, asked_room;
	struct frame *first, **end; /* to the guest */
	u32 frames;
	bool listening;
	u32 complaints;
	u8 flat[MHI_NET_FRAME_MAX]; /* a frame of the guest, in one piece */
};

/* ---- frames to the guest ---- */

static ssize_t send_packet(const void *data, size_t bytes, void *opaque)
{
	struct user_net *u = opaque;
	struct frame *frame;

	/* Dropped as a network drops it. */
	if (u->frames >= BACKLOG_MAX || bytes > MHI_NET_FRAME_MAX)
		return (ssize_t)bytes;
	frame = malloc(sizeof(*frame) + bytes);
	if (!frame)
		return (ssize_t)bytes;
	frame->next = NULL;
	frame->bytes = bytes;
	memcpy(frame->data, data, bytes);
	*u->end = frame;
	u->end = &frame->next;
	u->frames++;
	u->net.waiting = true;
	return (ssize_t)bytes;
}

static void drop_first(struct user_net *u)
{
	struct frame *frame = u->first;

	u->first = frame->next;
	if (!u->first)
		u->end = &u->first;
	u->frames--;
	u->net.waiting = u->first != NULL;
	free(frame);
}

static void deliver(struct user_net *u)
{
	if (u->first && u->listening)
		u->net.user->readable(u->net.opaque, 0);
}

static size_t user_receive(struct mhi_net *net, u32 queue, const struct iovec *iov, u32 count)
{
	struct user_net *u = (struct user_net *)net;
	size_t done = 0;

	if (!u->first)
		return 0;
	memset(iov[0].iov_base, 0, MHI_NET_HDR);
	for (u32 n = 1; n < count && done < u->first->bytes; n++) {
		size_t left = u->first->bytes - done;

		if (left > iov[n].iov_len)
			left = iov[n].iov_len;
		memcpy(iov[n].iov_base, u->first->data + done, left);
		done += left;
	}
	drop_first(u);
	return done;
}

static void user_listen(struct mhi_net *net, u32 queue, bool on)
{
	((struct user_net *)net)->listening = on;
}

/* ---- what libslirp waits for ---- */

static void turn(struct user_net *u);

static void on_event(void *opaque, unsigned int events)
{
	struct poll *p = opaque;

	p->events |= events;
	/* The poll may be gone afterwards. */
	turn(p->u);
}

static struct poll *poll_of(struct user_net *u, int fd)
{
	struct poll *p;

	if ((u32)fd >= u->polls) {
		u32 polls = ((u32)fd | 63) + 1;
		struct poll **grown = realloc(u->poll, polls * sizeof(*grown));

		if (!grown)
			return NULL;
		memset(grown + u->polls, 0, (polls - u->polls) * sizeof(*grown));
		u->poll = grown;
		u->polls = polls;
	}
	if (u->poll[fd])
		return u->poll[fd];
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->u = u;
	p->fd = fd;
	if (mhi_loop_watch(u->env.loop, fd, 0, on_event, p, &p->watch)) {
		free(p);
		return NULL;
	}
	u->poll[fd] = p;
	return p;
}

static int add_poll(int fd, int events, void *opaque)
{
	struct user_net *u = opaque;
	struct poll *p;

	if (u->asks == u->asked_room) {
		u32 room = u->asked_room ? 2 * u->asked_room : 16;
		int *grown = realloc(u->asked, room * sizeof(*grown));

		if (!grown)
			return -1;
		u->asked = grown;
		u->asked_room = room;
	}
	p = poll_of(u, fd);
	if (!p)
		return -1;
	if (events & SLIRP_POLL_IN)
		p->wanted |= MHI_WATCH_READ;
	if (events & SLIRP_POLL_OUT)
		p->wanted |= MHI_WATCH_WRITE;
	u->asked[u->asks] = fd;
	return (int)u->asks++;
}

static int get_events(int index, void *opaque)
{
	struct user_net *u = opaque;
	const struct poll *p;

	if (index < 0 || (u32)index >= u->asks)
		return 0;
	p = u->poll[u->asked[index]];
	if (!p)
		return 0;
	return (p->events & MHI_WATCH_READ ? SLIRP_POLL_IN : 0) |
	       (p->events & MHI_WATCH_WRITE ? SLIRP_POLL_OUT : 0);
}

static void forget_poll(struct user_net *u, int fd)
{
	struct poll *p = u->poll[fd];

	mhi_loop_unwatch(p->watch);
	free(p);
	u->poll[fd] = NULL;
}

/* Before libslirp closes it. */
static void unregister(int fd, void *opaque)
{
	struct user_net *u = opaque;

	if (fd >= 0 && (u32)fd < u->polls && u->poll[fd])
		forget_poll(u, fd);
}

static void ask(struct user_net *u)
{
	u32 timeout = UINT32_MAX;

	for (u32 fd = 0; fd < u->polls; fd++)
		if (u->poll[fd])
			u->poll[fd]->wanted = u->poll[fd]->events = 0;
	u->asks = 0;
	slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
	for (u32 fd = 0; fd < u->polls; fd++)
		if (u->poll[fd])
			mhi_watch_events(u->poll[fd]->watch, u->poll[fd]->wanted);
	if (timeout == UINT32_MAX)
		mhi_timer_stop(u->timer);
	else
		mhi_timer_set(u->timer, timeout);
}

static void turn(struct user_net *u)
{
	slirp_pollfds_poll(u->slirp, 0, get_events, u);
	ask(u);
	deliver(u);
}

static void on_timeout(void *opaque)
{
	turn(opaque);
}

static u32 user_send(struct mhi_net *net, u32 queue, const struct mhi_net_frame *frame, u32 count)
{
	struct user_net *u = (struct user_net *)net;

	for (u32 n = 0; n < count; n++) {
		size_t bytes = 0;

		/* libslirp reads fields more than once: the guest must not change them then. */
		for (u32 i = 1; i < frame[n].count; i++) {
			const struct iovec *iov = &frame[n].iov[i];

			if (iov->iov_len > sizeof(u->flat) - bytes)
				break;
			memcpy(u->flat + bytes, iov->iov_base, iov->iov_len);
			bytes += iov->iov_len;
		}
		slirp_input(u->slirp, u->flat, (int)bytes);
	}
	ask(u);
	return count;
}

/* ---- what libslirp asks of its host ---- */

static void guest_error(const char *text, void *opaque)
{
	struct user_net *u = opaque;

	if (u->complaints++ < COMPLAINTS_MAX)
		mhi_log(u->env.log, MH_LOG_DEBUG, "%s: user network: %s", u->env.owner, text);
}

static int64_t clock_ns(void *opaque)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void on_timer(void *opaque)
{
	struct timer *t = opaque;
	struct user_net *u = t->u;

	t->fn(t->opaque);
	deliver(u);
}

static void *timer_new(SlirpTimerCb fn, void *fn_opaque, void *opaque)
{
	struct user_net *u = opaque;
	struct timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct timer){ .u = u, .fn = fn, .opaque = fn_opaque };
	if (mhi_timer_create(u->env.loop, on_timer, t, &t->timer)) {
		free(t);
		return NULL;
	}
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct timer *t = timer;

	if (!t)
		return;
	mhi_timer_destroy(t->timer);
	free(t);
}

static void timer_mod(void *timer, int64_t expires_ms, void *opaque)
{
	struct timer *t = timer;
	int64_t ms = expires_ms - clock_ns(opaque) / 1000000;

	if (t)
		mhi_timer_set(t->timer, ms > 0 ? (u64)ms : 0);
}

/* Descriptors are watched from when libslirp first waits for them. */
static void ignore_fd(int fd, void *opaque)
{
}

/* Only of use to another thread. */
static void ignore(void *opaque)
{
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = unregister,
	.notify = ignore,
};

/* ---- begin and end ---- */

static void user_close(struct mhi_net *net)
{
	struct user_net *u = (struct user_net *)net;

	for (u32 fd = 0; fd < u->polls; fd++)
		if (u->poll[fd])
			forget_poll(u, (int)fd);
	if (u->slirp)
		slirp_cleanup(u->slirp);
	mhi_timer_destroy(u->timer);
	while (u->first)
		drop_first(u);
	free(u->poll);
	free(u->asked);
	free(u);
}

static const struct mhi_net_ops user_ops = {
	.kind = "user",
	.send = user_send,
	.receive = user_receive,
	.listen = user_listen,
	.close = user_close,
};

static Slirp *new_slirp(struct user_net *u, const struct mhi_user_net_config *config)
{
	SlirpConfig c = {
		.version = 1,
		.restricted = config->restricted,
		.in_enabled = true,
		.vnetwork.s_addr = htonl(NETWORK),
		.vnetmask.s_addr = htonl(NETMASK),
		.vhost.s_addr = htonl(NETWORK + HOST),
		.vdhcp_start.s_addr = htonl(NETWORK + FIRST_GUEST),
		.vnameserver.s_addr = htonl(NETWORK + NAMESERVER),
		.in6_enabled = true,
		.vprefix_addr6.s6_addr = { 0xfe, 0xc0 },
		.vprefix_len = 64,
		.vhost6.s6_addr = { 0xfe, 0xc0, [15] = HOST },
		.vnameserver6.s6_addr = { 0xfe, 0xc0, [15] = NAMESERVER },
		.if_mtu = config->mtu,
		.if_mru = config->mtu,
		.disable_host_loopback = config->no_loopback,
	};

	return slirp_new(&c, &callbacks, u);
}

static int add_forwards(struct user_net *u, const struct mhi_user_net_config *config,
			struct mhi_err *err)
{
	for (u32 n = 0; n < config->forwards; n++) {
		const struct mhi_net_forward *f = &config->forward[n];
		char host[INET_ADDRSTRLEN];

		if (!slirp_add_hostfwd(u->slirp, f->udp, f->host, f->host_port, f->guest,
				       f->guest_port))
			continue;
		inet_ntop(AF_INET, &f->host, host, sizeof(host));
		return mhi_err_set(
			err, MH_EBUSY,
			"port forward: cannot listen on %s %s:%u: %s; choose another port",
			f->udp ? "udp" : "tcp", host, f->host_port, strerror(errno));
	}
	return 0;
}

struct open {
	struct user_net *u;
	const struct mhi_user_net_config *config;
	struct mhi_err *err;
	int rc;
};

static void open_on_loop(void *opaque)
{
	struct open *o = opaque;
	struct user_net *u = o->u;

	o->rc = mhi_timer_create(u->env.loop, on_timeout, u, &u->timer);
	if (!o->rc) {
		u->slirp = new_slirp(u, o->config);
		o->rc = u->slirp ? 0 : MH_ENOMEM;
	}
	if (o->rc)
		mhi_err_set(o->err, o->rc, MHI_NO_MEMORY);
	else
		o->rc = add_forwards(u, o->config, o->err);
	if (o->rc)
		user_close(&u->net);
	else
		ask(u);
}

int mhi_user_net_open(const struct mhi_vdev_env *env, const struct mhi_user_net_config *config,
		      struct mhi_net **out, struct mhi_err *err)
{
	struct user_net *u = calloc(1, sizeof(*u));
	struct open o = { .u = u, .config = config, .err = err };

	if (!u)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	/* What its sockets gave it came over TCP and UDP of the host, checksums and all. */
	u->net = (struct mhi_net){
		.ops = &user_ops, .queues = 1, .mtu = config->mtu, .verified = true
	};
	u->env = *env;
	u->end = &u->first;
	mhi_loop_call(env->loop, open_on_loop, &o);
	if (!o.rc)
		*out = &u->net;
	return o.rc;
}

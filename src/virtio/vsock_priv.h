/* SPDX-License-Identifier: MIT */
/*
 * What the files of virtio-vsock share: vsock.c has the queues and the life of the device,
 * vsock_conn.c the connections, vsock_data.c their bytes, vsock_host.c the host's sockets. All of
 * it has the device's lock; what touches descriptors is on the loop's thread.
 */
#ifndef MHI_VIRTIO_VSOCK_PRIV_H
#define MHI_VIRTIO_VSOCK_PRIV_H

#include <stddef.h>

#include "virtio/vsock.h"

#define VSOCK_RX 0
#define VSOCK_TX 1
#define VSOCK_EVENT 2

/* virtio 1.2, 5.10.6 "Device Operation". */
#define VSOCK_HEADER 44
#define VSOCK_HOST_CID 2
enum vsock_op {
	VSOCK_OP_INVALID,
	VSOCK_OP_REQUEST,
	VSOCK_OP_RESPONSE,
	VSOCK_OP_RST,
	VSOCK_OP_SHUTDOWN,
	VSOCK_OP_RW,
	VSOCK_OP_CREDIT_UPDATE,
	VSOCK_OP_CREDIT_REQUEST,
};
/* Flags of SHUTDOWN, and of RW in a SEQPACKET connection. */
#define VSOCK_SHUT_RECEIVE 1u
#define VSOCK_SHUT_SEND 2u
#define VSOCK_SHUT_BOTH 3u
#define VSOCK_SEQ_EOM 1u

/* What the guest may send ahead of the host's reading, and the device therefore keeps. */
#define VSOCK_WINDOW (128u << 10)
/* The same with a length in front of each message, for messages of a single byte. */
#define VSOCK_RECORD 4u
#define VSOCK_SEQ_RING (VSOCK_WINDOW * (1 + VSOCK_RECORD))
/* The largest message to the guest. */
#define VSOCK_MESSAGE_MAX (256u << 10)
#define VSOCK_PACKET_MAX (64u << 10)
#define VSOCK_IOVS 64
/* Ports of the host's for connections to the guest; others are its servers'. */
#define VSOCK_FIRST_PORT (1u << 30)
#define VSOCK_LAST_PORT 0x7fffffffu
#define VSOCK_HASH 256
#define VSOCK_RSTS 64
#define VSOCK_LINE 20 /* "CONNECT 4294967295\n" and a zero */

struct vsock_header {
	u64 src_cid, dst_cid;
	u32 src_port, dst_port, len;
	u16 type, op;
	u32 flags, buf_alloc, fwd_cnt;
};

/* A place in a list, or the list itself. */
struct vsock_link {
	struct vsock_link *prev, *next;
};

enum vsock_state {
	VSOCK_HELLO,  /* a client of the host's has not said yet what he wants */
	VSOCK_ASKED,  /* the guest has been asked, or will be */
	VSOCK_OPEN,   /* */
	VSOCK_LINGER, /* over for the guest; bytes for the host are left */
	VSOCK_DYING,  /* over, but that the guest is to be told */
	VSOCK_DEAD,   /* to be freed */
};

/* Packets that are due, in the order in which they go. */
#define VSOCK_DUE(op) (1u << (op))

struct vsock_conn {
	struct vsock *v;
	struct vsock_link all;	 /* vsock.all or vsock.dead */
	struct vsock_link hash;	 /* while the guest knows it */
	struct vsock_link ready; /* vsock.ready: there is something for the guest */
	enum vsock_state state;
	u16 type;
	u32 guest_port, host_port;

	int fd; /* -1: closed */
	struct mhi_watch *watch;
	unsigned int watched;
	bool readable; /* it may be: until a read finds nothing */
	bool eof, hup; /* the host's end sends no more, is closed */
	bool sink;     /* it takes no more: what the guest sends is dropped */
	bool hello;    /* the client waits for "OK" */

	u32 due;	/* VSOCK_DUE of operations */
	u32 guest_shut; /* VSOCK_SHUT_*: what the guest will not do any more */
	u32 host_shut;	/* the same of the host's end; the guest is told */

	/* Credit, 5.10.6.3 "Buffer Space Management"; counters wrap. */
	u32 rx_cnt, fwd_cnt, told_fwd;	  /* from the guest; forwarded; what it knows of that */
	u32 tx_cnt, peer_fwd, peer_alloc; /* to the guest; what it has read; its room */
	bool credit_asked;

	/* Bytes for the host that its socket did not take. SEQPACKET: records. */
	u8 *ring;
	u32 first, count, open; /* open: bytes of the last record, which has no end yet */
	bool record;		/* there is one without end */

	/* SEQPACKET: the message that goes to the guest. */
	u8 *message;
	u32 message_bytes, message_at;

	char line[VSOCK_LINE];
	unsigned int line_bytes;
};

struct vsock {
	struct mhi_vdev dev;
	struct mhi_vsock_config is;	     /* (c) but cid, which the lock protects */
	char *path;			     /* (c) */
	struct vsock_link all, dead, ready;  /* of connections */
	struct vsock_link hash[VSOCK_HASH];  /* by both ports */
	u32 count;			     /* in all and dead */
	u32 next_port;			     /* of the host's, for connections to the guest */
	struct vsock_header rst[VSOCK_RSTS]; /* packets that are answered by RST */
	unsigned int rsts;
	bool tx_waits; /* until there is room in rst */
	bool event;    /* the transport reset is to be told */
	struct mhi_wake reap;
	int listener, spare; /* [loop] spare: a descriptor for when there is none left */
	struct mhi_watch *listen_watch;
	int rc;			 /* of create */
	struct mhi_chain rx, tx; /* the ones at hand */
};

static inline void vsock_link_init(struct vsock_link *link)
{
	link->prev = link->next = link;
}

static inline bool vsock_linked(const struct vsock_link *link)
{
	return link->next != link;
}

static inline void vsock_unlink(struct vsock_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	vsock_link_init(link);
}

/* To the end of a list. */
static inline void vsock_link_to(struct vsock_link *list, struct vsock_link *link)
{
	link->prev = list->prev;
	link->next = list;
	list->prev->next = link;
	list->prev = link;
}

#define VSOCK_CONN(link, member) \
	((struct vsock_conn *)((u8 *)(link)-offsetof(struct vsock_conn, member)))

/* ---- vsock.c ---- */

/* Has the guest a driver? It may be paused. */
bool mhi_vsock_ready(const struct vsock *v);
/* Hands the guest what is ready for it. */
void mhi_vsock_pump(struct vsock *v);

/* ---- vsock_conn.c ---- */

/* A connection over fd, which becomes its own; NULL: too many, or no memory. Any thread. */
struct vsock_conn *mhi_vsock_conn_new(struct vsock *v, enum vsock_state state, u16 type, int fd);
struct vsock_conn *mhi_vsock_find(struct vsock *v, u32 guest_port, u32 host_port);
/* Ask the guest for a connection to its port. Any thread. */
void mhi_vsock_ask(struct vsock_conn *c, u32 guest_port);
/* What the guest asked for is there. */
void mhi_vsock_accepted(struct vsock_conn *c, const struct vsock_header *h);
/* A packet from the guest; its content is in v->tx. */
void mhi_vsock_packet(struct vsock *v, const struct vsock_header *h);
/* The connection's turn to fill v->rx; returns how many bytes. */
u32 mhi_vsock_turn(struct vsock_conn *c);
/* Into the list of those that have something for the guest, and watch for what it needs. */
void mhi_vsock_update(struct vsock_conn *c);
/* It ends, and the guest is told. */
void mhi_vsock_reset_conn(struct vsock_conn *c);
/* Nobody is told. Any thread; its memory is freed by mhi_vsock_reap. */
void mhi_vsock_kill(struct vsock_conn *c);
/* The guest has forgotten all connections. Any thread. */
void mhi_vsock_kill_all(struct vsock *v);
void mhi_vsock_reap(struct vsock *v);
/* A packet without content into v->rx. */
u32 mhi_vsock_put(struct vsock *v, const struct vsock_header *h);
u32 mhi_vsock_put_conn(struct vsock_conn *c, enum vsock_op op, u32 flags, u32 len);
void mhi_vsock_on_watch(void *opaque, unsigned int events);

/* ---- vsock_data.c ---- */

/* Bytes from the guest, len of them in v->tx; false: it sent more than it may. */
bool mhi_vsock_take(struct vsock_conn *c, u32 flags, u32 len);
/* Bytes in the ring to the host's socket. */
void mhi_vsock_flush(struct vsock_conn *c);
/* Bytes of the host's into v->rx; returns the packet's size. */
u32 mhi_vsock_give(struct vsock_conn *c);
/* Has the host's end bytes for the guest, as far as is known? */
bool mhi_vsock_has_data(const struct vsock_conn *c);
/* How many bytes the guest has room for. */
u32 mhi_vsock_credit(const struct vsock_conn *c);
/* Are there bytes in the ring that can go to the host's socket? */
bool mhi_vsock_blocked(const struct vsock_conn *c);
/* The host's end takes nothing any more. */
void mhi_vsock_broken(struct vsock_conn *c);
/* The guest will not send, or receive, any more. */
void mhi_vsock_shut(struct vsock_conn *c, u32 flags);

/* ---- vsock_host.c ---- */

int mhi_vsock_listen(struct vsock *v, struct mhi_err *err);
void mhi_vsock_unlisten(struct vsock *v);
/* The host's end for the guest's wish, or -1. The lock is let go of meanwhile. */
int mhi_vsock_reach(struct vsock *v, u32 port, u16 type);
/* More of a client's first line has come. */
void mhi_vsock_hello(struct vsock_conn *c);
/* The guest has agreed; false: the client is gone. */
bool mhi_vsock_greet(struct vsock_conn *c);

#endif

/* SPDX-License-Identifier: MIT */
/* What the public functions about agents share. */
#ifndef MHI_API_AGENT_IMPL_H
#define MHI_API_AGENT_IMPL_H

#include "api/dev.h"
#include "integration/agent.h"

/* A serial port of the VM as a line: written by a vCPU, read by the loop. */
struct mhi_agent_serial {
	pthread_mutex_t lock; /* protects all but timer; nothing is taken inside it */
	u8 *data;	      /* [room] that came */
	size_t bytes, room;
	bool lost;		 /* there was no room */
	struct mhi_timer *timer; /* (l) for what the port did not take; NULL until it is needed */
};

struct mh_agent {
	struct mh_ctx *ctx;		/* (c) */
	struct mh_vm *vm;		/* (c) NULL: a socket is its line */
	struct mhi_loop *loop;		/* (c) */
	struct mhi_log *log;		/* (c) */
	char owner[96];			/* (c) "agent of VM \"x\"" */
	u32 flags;			/* (c) */
	char *mount;			/* (c) */
	mh_agent_state_fn *state;	/* (c) or NULL */
	void *opaque;			/* (c) */
	struct mhi_agent *session;	/* (l) NULL: it has ended */
	bool connected;			/* (l) that was told last */
	struct mhi_timer *timer;	/* (l) seconds; NULL until it is needed */
	bool ticking;			/* (l) it is set */
	struct mhi_wake wake;		/* of the loop */
	u32 events;			/* (a) enum mhi_agent_event: that came since it ran */
	u32 transport;			/* (c) */
	struct mh_dev *dev;		/* (c) the console device; NULL: another line */
	struct mhi_agent_serial serial; /* of use for MH_AGENT_SERIAL */
	int fd;				/* (l) the socket; -1: none, or it is closed */
	struct mhi_watch *watch;	/* (l) */
	bool full;			/* (l) the socket took less than it was given */
	int clock;			/* (l) tells when the host's clock is set; -1: none */
	struct mhi_watch *clock_watch;	/* (l) */
};

/* The serial port that the agent has; MHI_AGENT_NO_SERIAL: none. */
#define MHI_AGENT_COM 1u
#define MHI_AGENT_NO_SERIAL (~0u)
static inline u32 mhi_agent_serial(const struct mh_agent *agent)
{
	return agent->transport == MH_AGENT_SERIAL ? MHI_AGENT_COM : MHI_AGENT_NO_SERIAL;
}

/* ---- agent.c ---- */

/* Sets the sentence for what failed, and returns rc; 0 and more are no failure. */
int mhi_agent_failed(struct mh_agent *agent, const char *what, int rc);
/* The same with a sentence of one's own for MH_EINVAL. */
int mhi_agent_wrong(struct mh_agent *agent, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Something came: seconds count from now on. [loop] */
void mhi_agent_tick_on(struct mh_agent *agent);
/* Make the agent of a VM, or of none; a sentence on failure. */
int mhi_agent_make(struct mh_ctx *ctx, struct mh_vm *vm, const struct mh_agent_config *config,
		   struct mh_agent **out);
void mhi_agent_unmake(struct mh_agent *agent);

/* ---- agent_clock.c; all [loop] ---- */

/* Tell the agent what the time is, unless it is not to be told. */
void mhi_agent_set_clock(struct mh_agent *agent);
/* From now on, whenever the host's clock has jumped. */
void mhi_agent_clock_begin(struct mh_agent *agent);
void mhi_agent_clock_end(struct mh_agent *agent);

/* ---- agent_line.c ---- */

/* For struct mhi_agent_env.send and broken. */
size_t mhi_agent_line_send(void *opaque, const void *data, size_t bytes);
void mhi_agent_line_broken(void *opaque);
/* [loop] What came on the serial port. */
void mhi_agent_line_serial(struct mh_agent *agent);
/* [loop] Nothing comes any more. */
void mhi_agent_line_end(struct mh_agent *agent);

#endif

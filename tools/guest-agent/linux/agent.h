/* SPDX-License-Identifier: MIT */
/* macrohard-guest-agent: the program that runs as root and does what needs no desktop. */
#ifndef GUEST_AGENT_AGENT_H
#define GUEST_AGENT_AGENT_H

#include <sys/types.h>

#include "../os.h"
#include "link.h"

struct desk;
struct program;

struct agent {
	struct loop loop;
	struct ga_session session;
	struct link link;
	struct watch *signals;
	struct desk *desk;	  /* what belongs to the session of a user */
	struct program *programs; /* those that run, and those nobody waits for any more */
	const char *power;	  /* a program that is run to shut down; NULL: the system's own */
	int down;		  /* -1; enum mhi_agent_shutdown: that is to be done */
	uint64_t down_ms;	  /* at the latest */
};

/* ---- handlers of struct ga_os: os is a struct agent ---- */

ga_handler info_get;   /* info.c */
ga_handler power_down; /* power.c */
ga_handler power_time;
ga_handler run_exec;	/* run.c */
ga_handler mount_share; /* mount.c */
ga_handler mount_remove;

/* Do what SHUTDOWN asked for, as soon as the host has its answer. Called before each loop_run. */
void power_step(struct agent *agent);

/* Programs that have ended are waited for. */
void run_reap(struct agent *agent);
/* Time goes on for programs that have ended. Called before each loop_run. */
void run_step(struct agent *agent);
void run_fini(struct agent *agent);

/*
 * Run arguments[0], and do not wait for it. Returns 0; -1: it could not be started.
 */
int run_detached(char *const arguments[]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the parts of ioctl_fuzz.c share: the dice, and the world of one process in which several
 * threads throw them.
 */
#ifndef LAB_IOCTL_FUZZ_H
#define LAB_IOCTL_FUZZ_H

#include "ioctl_abuse.h"

#define FUZZ_VMS 3
#define FUZZ_VCPUS 6
#define FUZZ_BELLS 2
#define FUZZ_FDS (1 + FUZZ_VMS + FUZZ_VCPUS + FUZZ_BELLS)
#define FUZZ_THREADS 4
#define FAIL_NTH "/proc/thread-self/fail-nth"
#define ARENA_BYTES 0x400000ul /* guests' memory, in every state that mmap knows */

struct dice {
	uint64_t state;
};

/*
 * One process. Every slot may be closed, or be given to another object, by any thread at any
 * moment; pages[] are mappings of vCPUs, or of nothing, but always there.
 */
struct world {
	int fds[FUZZ_FDS];		   /* atomic; the device, VMs, vCPUs, eventfds; -1 */
	struct mhk_run *pages[FUZZ_VCPUS]; /* (c) */
	uint8_t *arena;			   /* (c) */
	int memory;			   /* (c) a memfd of the arena's size */
	int pair[2];			   /* (c) a socket whose two ends are ours */
	pid_t tids[FUZZ_THREADS];	   /* atomic */
	int stop;			   /* atomic */
	bool faults;			   /* (c) the host's kernel can make allocations fail */
};

/* Calls, those without an error, steps in which something was to fail. The judge sees them, too. */
struct tally {
	unsigned int calls, worked, failing;
};

/* A thread of a world. */
struct thrower {
	struct dice dice;
	struct world *world;
	struct tally *tally;
	unsigned int steps, number;
	int fail_nth; /* /proc/thread-self/fail-nth, or -1 */
	pthread_t thread;
};

uint64_t throw(struct dice * d);
/* 0 .. n - 1 */
unsigned int pick(struct dice *d, unsigned int n);
/* true in one of n cases */
bool rarely(struct dice *d, unsigned int n);
/* Another value in the place of an old one. */
uint64_t strange(struct dice *d, uint64_t old);

/* One step of a thread: some calls of one kind. */
void fuzz_step(struct thrower *t);

/* /proc/thread-self/fail-nth for the calling thread, or -1 where the kernel cannot do that. */
int fail_nth_open(void);
/* The nth chance to fail from now on is taken; 0: none is. */
void fail_nth_set(int fd, unsigned int nth);
/* Every allocation that a call makes fails once. */
void fuzz_allocations(void);

#endif

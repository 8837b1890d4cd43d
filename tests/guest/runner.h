/* SPDX-License-Identifier: MIT */
/* The runner of the guests: one run of one guest, and what it found. */
#ifndef TESTS_GUEST_RUNNER_H
#define TESTS_GUEST_RUNNER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <macrohard/macrohard.h>

#include "abi.h"

#define RUN_TEXT 1024
#define RUN_ACCESSES 4096
#define RUN_TASKS 128

extern const uint8_t guest_image[], guest_image_end[];

enum run_result { RUN_OK = 0, RUN_FAIL, RUN_SKIP };

struct run;

/* What a guest has asked for, on a thread of its own. */
struct run_task {
	struct run *run;
	struct host_call call;
	pthread_t thread;
};

/* One guest's run. Legend: (c) constant, (m) under lock. */
struct run {
	const struct guest_entry *guest; /* (c) */
	const char *name;		 /* (c) */
	enum guest_engine engine;	 /* (c) */
	bool verbose;			 /* (c) */
	uint32_t times, parts; /* (c) the guest's TSC goes at times/parts of the host's rate */
	uint32_t host_khz;     /* (c) the host's TSC */
	struct mh_ctx *ctx;    /* (c) */
	struct mh_vm *vm;      /* (c) */
	uint8_t *rom, *loose;  /* (c) */

	pthread_mutex_t lock;
	enum run_result result; /* (m) */
	/* (m) of the first failure, or why it was skipped */
	char text[RUN_TEXT];
	uint32_t reports;			     /* (m) */
	bool exited;				     /* (m) */
	uint8_t port_ram[PORT_RAM_BYTES];	     /* (m) */
	uint8_t mmio_ram[MMIO_BYTES];		     /* (m) */
	struct device_access accesses[RUN_ACCESSES]; /* (m) */
	uint64_t access_count;			     /* (m) */
	struct run_task tasks[RUN_TASKS];	     /* (m) */
	unsigned int task_count, slots_done;	     /* (m) */
};

/* A string or object of the image, by its guest address; NULL: not in it. */
const void *image_at(uint64_t gpa, size_t bytes);
const char *image_text(uint64_t gpa);

/* Run r->guest to its end: fills result and text. */
void run_guest(struct run *r, enum guest_engine engine, int timeout_ms);
/* The first failure counts. */
void run_fail(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* runner_calls.c: what a guest may ask for. */
void run_call(struct run *r, uint64_t gpa);
void run_join_tasks(struct run *r);

/* runner_hypercall.c: who listens to the guests' messages. 0, or MH_E*. */
int run_add_listeners(struct run *r);

/*
 * runner_avx.c: host threads that compute in vector registers; stop returns the wrong values seen.
 */
void avx_start(void);
uint64_t avx_stop(uint64_t *rounds);

#endif

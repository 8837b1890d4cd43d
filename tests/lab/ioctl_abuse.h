/* SPDX-License-Identifier: MIT */
/*
 * What the parts of ioctl_abuse.c share: a small VM straight on the kernel's ABI, calls that must
 * fail with a certain error, guests in 16-bit code.
 */
#ifndef LAB_IOCTL_ABUSE_H
#define LAB_IOCTL_ABUSE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "macrohard/uapi.h"

#define RAM_BYTES 0x10000u
#define CODE 0x1000u
#define COUNTER 0x2000u
/* Where tests put memory of their own; the sweeping guest counts in each of its pages. */
#define LOOSE 0x200000u
#define LOOSE_PAGES 16u
#define LOOSE_BYTES (LOOSE_PAGES * 4096u)
#define LOOSE_SLOT 1u
#define WAIT_MS 30000 /* long enough for the slowest emulated host */

/* A VM with one vCPU in real mode, DS up to 4 GiB; everything is set up by box_make. */
struct box {
	int dev, vm, vcpu;
	struct mhk_run *page;
	uint8_t *ram; /* shared with children, so that they can be watched */
};

/* A thread that runs the box's vCPU until told to stop, or until an exit. */
struct runner {
	pthread_t thread;
	struct box *box;
	int stop;	      /* atomic: 1 asked to end, 2 ended by itself */
	bool blind;	      /* never looks at the page: it may not be there */
	int error;	      /* errno of the last MHK_RUN, 0: it made an exit */
	struct mhk_exit exit; /* the last one */
};

struct guest {
	const uint8_t *code, *end;
};

extern const struct guest guest_count; /* counts at COUNTER */
extern const struct guest guest_out;   /* OUT to port 0x10, for ever */
extern const struct guest guest_halt;  /* CLI, HLT */
extern const struct guest guest_sweep; /* counts in each page of LOOSE, then at COUNTER */
extern const struct guest guest_read;  /* reads LOOSE once, then counts at COUNTER */
extern const struct guest guest_last;  /* HLT when the TSC is at COUNTER below 2^64, in 32 bits */
extern const struct guest guest_crash; /* triple fault */

extern unsigned int failures;
extern bool in_qemu;	 /* QEMU 7.2 dies of guests' breakpoints, and of some modes */
extern bool quick;	 /* a slow host: fewer rounds */
extern const char *self; /* this program, for exec */

void expect_at(const char *file, int line, const char *what, long ret, int want);
void check_at(const char *file, int line, const char *what, bool ok, long long value);
_Noreturn void fatal(const char *what);

/* The call must fail with that errno; 0: must not fail. */
#define FAILS(want, call) (errno = 0, expect_at(__FILE__, __LINE__, #call, (long)(call), want))
#define WORKS(call) FAILS(0, call)
#define CHECK(cond) check_at(__FILE__, __LINE__, #cond, (cond), 0)
#define CHECK_VAL(cond, value) check_at(__FILE__, __LINE__, #cond, (cond), (long long)(value))

/* Words that a guest or another process reads and writes at the same time. */
static inline uint32_t get32(const void *at)
{
	return __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
}

static inline void put32(void *at, uint32_t value)
{
	__atomic_store_n((uint32_t *)at, value, __ATOMIC_RELAXED);
}

void box_make(struct box *b, const struct guest *guest);
/* Only the VM and a vCPU: no memory, state as after reset. */
void box_make_bare(struct box *b);
void box_free(struct box *b);
/* Real mode at CODE, committed by the next run. */
void box_state(struct box *b);
/* To the next exit for user space: 0, or the errno of MHK_RUN. */
int box_run(struct box *b);
uint32_t box_counter(const struct box *b);
/* The counter moves on within a generous time. */
bool box_progress(const struct box *b);
int box_mem(const struct box *b, uint32_t slot, uint64_t gpa, const void *hva, uint64_t bytes,
	    uint32_t flags);
int box_mem_clear(const struct box *b, uint32_t slot);
uint32_t vms_alive(void);

void runner_start(struct runner *r, struct box *b);
void runner_start_blind(struct runner *r, struct box *b);
/* Ends it and waits. */
void runner_stop(struct runner *r);
/* Waits for it to end by itself; false: it had to be stopped. */
bool runner_ended(struct runner *r);
void nap_ms(unsigned int ms);
uint64_t now_ms(void);
void *map_pages(size_t bytes);

void test_numbers(void);
void test_sizes(void);
void test_pointers(void);
void test_states(void);
void test_in_use(void);
void test_mmap(void);
void test_create(void);
void test_slots(void);
void test_slot_memory(void);
void test_memory_moves(void);
void test_memory_fork(void);
void test_memory_end(void);
void test_memory_free(void);
void test_memory_huge(void);
void test_memory_ahead(void);
void test_doorbells(void);
void test_doorbell_limits(void);
void test_debug(void);
void test_own_page(void);
void test_state_mutated(void);
void test_page_rewritten(void);
void test_passed_fds(void);
void test_fork_exec(void);
void test_signals(void);
void test_ptrace(void);
void test_migration(void);
void test_freezer(void);
void test_kill(void);
void test_limits(void);
void test_many(void);
void test_wild(void);
void test_wild_together(void);

/* What the child of test_fork_exec does: exit status 0 is as it should be. */
int exec_child(int vm, int vcpu);

#endif

/* SPDX-License-Identifier: MIT */
/* What a guest may ask the runner for. */
#include "runner.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

/* What CALL_REGS writes. */
struct call_regs {
	uint64_t rip, rflags, rax, r15;
};

static void sleep_ms(uint64_t ms)
{
	const struct timespec wait = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000l };

	nanosleep(&wait, NULL);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- what takes its time: on threads ---- */

static void *message_main(void *opaque)
{
	struct run_task *t = opaque;

	sleep_ms(t->call.arg[0]);
	if (mh_vm_msi(t->run->vm, t->call.arg[1], (uint32_t)t->call.arg[2]))
		run_fail(t->run, "message refused: %s", mh_last_error(t->run->ctx));
	return NULL;
}

static int change_slot(struct run *r, const struct host_call *call)
{
	uint64_t bytes = call->arg[2] & ~1ull;
	int rc = mh_vm_pause(r->vm), rc2;

	if (rc)
		return rc;
	if (call->op == CALL_SLOT_UNMAP)
		rc = mh_vm_mem_unmap(r->vm, call->arg[0]);
	else
		rc = mh_vm_mem_map(r->vm, call->arg[0], r->loose + call->arg[1], bytes,
				   call->arg[2] & 1 ? MH_MEM_READONLY : 0);
	rc2 = mh_vm_resume(r->vm);
	return rc ? rc : rc2;
}

static int pause_vm(struct run *r, uint64_t ms)
{
	int rc = mh_vm_pause(r->vm);

	if (rc)
		return rc;
	sleep_ms(ms);
	return mh_vm_resume(r->vm);
}

static void *slot_main(void *opaque)
{
	struct run_task *t = opaque;
	struct run *r = t->run;

	if (t->call.op == CALL_PAUSE ? pause_vm(r, t->call.arg[0]) : change_slot(r, &t->call))
		run_fail(r, "with the VM paused: %s", mh_last_error(r->ctx));
	pthread_mutex_lock(&r->lock);
	r->slots_done++;
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static void start_task(struct run *r, const struct host_call *call, void *(*fn)(void *))
{
	struct run_task *t = &r->tasks[r->task_count];

	if (r->task_count == RUN_TASKS) {
		run_fail(r, "too many threads");
		return;
	}
	*t = (struct run_task){ .run = r, .call = *call };
	if (pthread_create(&t->thread, NULL, fn, t))
		run_fail(r, "cannot make a thread");
	else
		r->task_count++;
}

void run_join_tasks(struct run *r)
{
	unsigned int i;

	for (i = 0; i < r->task_count; i++)
		pthread_join(r->tasks[i].thread, NULL);
}

static uint64_t count_slots(struct run *r)
{
	uint64_t n;

	pthread_mutex_lock(&r->lock);
	n = r->slots_done;
	pthread_mutex_unlock(&r->lock);
	return n;
}

/* ---- the host side of memory ---- */

static uint64_t replace(uint8_t *at, size_t bytes, int fill)
{
	void *p = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		       -1, 0);

	if (p == MAP_FAILED)
		return 1;
	memset(p, fill, bytes);
	return 0;
}

static uint64_t change_memory(struct run *r, const struct host_call *call)
{
	size_t bytes = call->arg[1];
	uint8_t *at = r->loose + call->arg[0];

	if (call->arg[0] > LOOSE_BYTES || bytes > LOOSE_BYTES - call->arg[0])
		return 1;
	switch (call->op) {
	case CALL_MUNMAP:
		return munmap(at, bytes) != 0;
	case CALL_DONTNEED:
		return madvise(at, bytes, MADV_DONTNEED) != 0;
	case CALL_REPLACE:
		return replace(at, bytes, (int)call->arg[2]);
	default:
		return mprotect(at, bytes, PROT_READ) != 0;
	}
}

/* ---- registers, devices ---- */

static uint64_t give_regs(struct run *r, const struct host_call *call)
{
	struct mh_regs regs;
	struct call_regs out;

	if (mh_vcpu_get_regs(r->vm, 0, &regs))
		return 1;
	out = (struct call_regs){ regs.rip, regs.rflags, regs.rax, regs.r15 };
	if (mh_vm_mem_write(r->vm, call->arg[0], &out, sizeof(out)))
		return 2;
	regs.r15 = call->arg[1];
	return mh_vcpu_set_regs(r->vm, 0, &regs) ? 3 : 0;
}

static uint64_t give_access(struct run *r, const struct host_call *call)
{
	struct device_access access = { 0 };
	bool there;

	pthread_mutex_lock(&r->lock);
	there = call->arg[0] < r->access_count && call->arg[0] < RUN_ACCESSES;
	if (there)
		access = r->accesses[call->arg[0]];
	pthread_mutex_unlock(&r->lock);
	return !there || mh_vm_mem_write(r->vm, call->arg[1], &access, sizeof(access));
}

static uint64_t count_accesses(struct run *r)
{
	uint64_t n;

	pthread_mutex_lock(&r->lock);
	n = r->access_count;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static uint64_t serve(struct run *r, struct host_call *call)
{
	switch (call->op) {
	case CALL_TIME:
		return now_ns();
	case CALL_SLEEP:
		sleep_ms(call->arg[0]);
		return 0;
	case CALL_MSI_AFTER:
		start_task(r, call, message_main);
		return 0;
	case CALL_SLOT_UNMAP:
	case CALL_SLOT_MAP:
	case CALL_PAUSE:
		start_task(r, call, slot_main);
		return 0;
	case CALL_TSC:
		return __rdtsc();
	case CALL_HOST_KHZ:
		return r->host_khz;
	case CALL_SLOT_COUNT:
		return count_slots(r);
	case CALL_MUNMAP:
	case CALL_DONTNEED:
	case CALL_REPLACE:
	case CALL_PROTECT:
		return change_memory(r, call);
	case CALL_ACCESSES:
		return count_accesses(r);
	case CALL_ACCESS:
		return give_access(r, call);
	case CALL_REGS:
		return give_regs(r, call);
	case CALL_AVX_START:
		avx_start();
		return 0;
	case CALL_AVX_STOP:
		return avx_stop(&call->arg[0]);
	case CALL_WRITE:
		return mh_vm_mem_write(r->vm, call->arg[0], &call->arg[1], 8) != 0;
	default:
		run_fail(r, "host call %u means nothing", call->op);
		return ~0ull;
	}
}

void run_call(struct run *r, uint64_t gpa)
{
	struct host_call call;

	if (mh_vm_mem_read(r->vm, gpa, &call, sizeof(call))) {
		run_fail(r, "a host call at 0x%llx, which is not memory", (unsigned long long)gpa);
		return;
	}
	call.ret = serve(r, &call);
	mh_vm_mem_write(r->vm, gpa, &call, sizeof(call));
}

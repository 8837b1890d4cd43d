/* SPDX-License-Identifier: MIT */
/* The threads of a VM: one per vCPU, and the keeper, which serves requests and tells events. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/impl.h"
#include "api/sandbox.h"

/*
 * A stack of 8 MiB holds a whole huge page, which is there from the first touch on where they are
 * always used: two megabytes for each thread of each VM. What calls back needs less than this.
 */
#define STACK_BYTES (1u << 20)

/* Of glibc, since 2.35: its registration of each thread, relative to the thread pointer. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* The kernel's rseq(2), in words of its uapi. */
#define AUX_RSEQ_FEATURE_SIZE 27
#define RSEQ_BYTES_LEAST 32
#define RSEQ_UNREGISTER 1
#define RSEQ_SIGNATURE 0x53053053

/*
 * glibc registers each thread for restartable sequences. With that, Linux takes a thread through
 * user space whenever it comes back to a CPU: each HLT and each preemption of the guest would end
 * its run. Threads of vCPUs have no such sequences. Where it fails guests are slower, no more.
 */
static void leave_rseq(void)
{
	unsigned long bytes = getauxval(AUX_RSEQ_FEATURE_SIZE);
	char *thread;

	if (!&__rseq_size || !__rseq_size)
		return;
	asm("mov %%fs:0, %0" : "=r"(thread));
	if (bytes < RSEQ_BYTES_LEAST)
		bytes = RSEQ_BYTES_LEAST;
	syscall(SYS_rseq, thread + __rseq_offset, bytes, RSEQ_UNREGISTER, RSEQ_SIGNATURE);
}

/* By the thread itself, as all are: to name another one takes a descriptor for a moment. */
static void name_me(const char *what, const struct mh_vm *vm)
{
	char name[16]; /* the kernel's limit, with the terminator */

	snprintf(name, sizeof(name), "%s:%s", what, vm->name);
	pthread_setname_np(pthread_self(), name);
}

static void *vcpu_main(void *opaque)
{
	struct mh_vcpu *v = opaque;
	struct mh_vm *vm = v->vm;
	char what[12];

	snprintf(what, sizeof(what), "vcpu%u", v->index);
	name_me(what, vm);
	leave_rseq();
	mhi_ctx_confine(vm->ctx, MHI_BOX_VCPU);
	pthread_mutex_lock(&vm->lock);
	for (;;) {
		while ((!vm->go || v->held) && !vm->quit)
			pthread_cond_wait(&vm->cond_cpu, &vm->lock);
		if (vm->quit)
			break;
		vm->active++;
		pthread_mutex_unlock(&vm->lock);
		mhi_vcpu_run(v);
		pthread_mutex_lock(&vm->lock);
		if (!--vm->active)
			pthread_cond_broadcast(&vm->cond);
	}
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

static void *keeper_main(void *opaque)
{
	struct mh_vm *vm = opaque;

	name_me("vm", vm);
	mhi_ctx_confine(vm->ctx, MHI_BOX_SERVER);
	pthread_mutex_lock(&vm->lock);
	for (;;) {
		if (vm->request && !vm->busy)
			mhi_vm_serve_request(vm);
		else if (mhi_vm_tell_event(vm))
			continue;
		else if (vm->quit)
			break;
		else
			pthread_cond_wait(&vm->cond, &vm->lock);
	}
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

static int start_thread(pthread_t *thread, void *(*fn)(void *opaque), void *opaque)
{
	pthread_attr_t attr;
	int rc = pthread_attr_init(&attr);

	if (rc)
		return MH_ENOMEM;
	rc = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (!rc)
		rc = pthread_create(thread, &attr, fn, opaque);
	pthread_attr_destroy(&attr);
	return rc ? MH_ENOMEM : 0;
}

static int start_vcpu_thread(struct mh_vcpu *v)
{
	if (v->has_thread)
		return 0;
	if (start_thread(&v->thread, vcpu_main, v))
		return MH_ENOMEM;
	v->has_thread = true;
	return 0;
}

int mhi_vm_start_threads(struct mh_vm *vm)
{
	sigset_t all, old;
	int rc = 0;
	u32 i;

	/* The embedder's signals are for the embedder's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!vm->has_keeper) {
		if (start_thread(&vm->keeper, keeper_main, vm))
			rc = MH_ENOMEM;
		else
			vm->has_keeper = true;
	}
	for (i = 0; i < vm->cpus && !rc; i++)
		rc = start_vcpu_thread(&vm->vcpu[i]);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

void mhi_vm_join_threads(struct mh_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->cpus; i++)
		if (vm->vcpu[i].has_thread)
			pthread_join(vm->vcpu[i].thread, NULL);
	if (vm->has_keeper)
		pthread_join(vm->keeper, NULL);
}

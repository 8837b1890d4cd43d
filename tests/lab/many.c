// SPDX-License-Identifier: MIT
/*
 * Hundreds of VMs in one process, created and started at once by several threads: all of them run,
 * or those for which there is no descriptor are refused with cause and cure, and the others go on.
 * usage: many shim|kvm VMS
 */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <macrohard/macrohard.h>

#define THREADS 8
#define CODE 0x1000u
#define COUNT 0x2000u
#define VMS_MAX 1000u
#define WAIT_MS 200000
#define FEW_DESCRIPTORS 256

static struct mh_ctx *ctx;
static struct mh_vm *vm[VMS_MAX];
static unsigned int wanted, next; /* next: atomic */
static unsigned int refused;	  /* atomic */

/* 1: inc dword [0x2000]; hlt; jmp 1b */
static const unsigned char guest[] = { 0x66, 0xff, 0x06, 0x00, 0x20, 0xf4, 0xeb, 0xf8 };

static void die(const char *what, const char *why)
{
	fprintf(stderr, "many: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void must(int rc, const char *what)
{
	if (rc)
		die(what, mh_last_error(ctx));
}

static unsigned int entries(const char *path)
{
	unsigned int count = 0;
	DIR *dir = opendir(path);

	if (!dir)
		die(path, "cannot be opened");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void nap_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- one VM ---- */

static int make(struct mh_vm **out)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_regs regs = { .rip = CODE, .rflags = 2 };
	struct mh_sregs sregs;
	int rc;

	config.memory_bytes = 0x10000;
	config.flags = MH_VM_BARE;
	rc = mh_vm_create(ctx, &config, out);
	if (rc)
		return rc;
	must(mh_vm_mem_write(*out, CODE, guest, sizeof(guest)), "write");
	must(mh_vcpu_get_sregs(*out, 0, &sregs), "get sregs");
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	must(mh_vcpu_set_sregs(*out, 0, &sregs), "set sregs");
	must(mh_vcpu_set_regs(*out, 0, &regs), "set regs");
	rc = mh_vm_start(*out);
	if (rc) {
		mh_vm_destroy(*out);
		*out = NULL;
	}
	return rc;
}

static uint32_t count_of(struct mh_vm *v)
{
	uint32_t count;

	must(mh_vm_mem_read(v, COUNT, &count, sizeof(count)), "read");
	return count;
}

static void runs(struct mh_vm *v)
{
	int ms;

	for (ms = 0; ms < WAIT_MS && !count_of(v); ms++) {
		if (mh_vm_state(v) != MH_VM_RUNNING)
			die("a VM stopped", mh_vm_stop_text(v));
		nap_ms(1);
	}
	if (ms == WAIT_MS)
		die("a VM", "does not run");
}

/* ---- all of them ---- */

static void *work(void *opaque)
{
	unsigned int n;

	while ((n = __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST)) < wanted) {
		int rc = make(&vm[n]);
		const char *text = mh_last_error(ctx);

		if (!rc)
			continue;
		vm[n] = NULL;
		if (rc != MH_ENOMEM || !strstr(text, "ulimit -n"))
			die("a VM was refused", text);
		if (!__atomic_fetch_add(&refused, 1, __ATOMIC_SEQ_CST))
			printf("refused: %s\n", text);
	}
	return NULL;
}

static void round_of(unsigned int count)
{
	unsigned int descriptors = entries("/proc/self/fd"), n;
	pthread_t thread[THREADS];

	next = refused = 0;
	wanted = count;
	for (n = 0; n < THREADS; n++)
		must(pthread_create(&thread[n], NULL, work, NULL), "thread");
	for (n = 0; n < THREADS; n++)
		pthread_join(thread[n], NULL);
	printf("%u VMs run, %u were refused; %u descriptors, %u threads\n", count - refused,
	       refused, entries("/proc/self/fd") - descriptors, entries("/proc/self/task"));
	for (n = 0; n < count; n++)
		if (vm[n])
			runs(vm[n]);
	for (n = 0; n < count; n++)
		mh_vm_destroy(vm[n]);
	if (entries("/proc/self/fd") != descriptors)
		die("descriptors", "some are left");
}

int main(int argc, char **argv)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	struct rlimit limit;
	unsigned long vms;

	vms = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	if (!vms || vms > VMS_MAX || getrlimit(RLIMIT_NOFILE, &limit))
		return EXIT_FAILURE;
	config.engine = strcmp(argv[1], "kvm") ? MH_ENGINE_SHIM : MH_ENGINE_KVM;
	if (mh_ctx_create(&config, &ctx))
		return EXIT_FAILURE;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("limit", "cannot be raised");
	round_of((unsigned int)vms);
	if (refused)
		die("a VM", "was refused");
	limit.rlim_cur = FEW_DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("limit", "cannot be lowered");
	round_of((unsigned int)vms);
	if (!refused)
		die("descriptors", "the limit was not reached");
	must(mh_ctx_destroy(ctx), "destroy context");
	return EXIT_SUCCESS;
}

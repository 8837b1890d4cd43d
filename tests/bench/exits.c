// SPDX-License-Identifier: MIT
/*
 * What an exit costs, in ticks of the guest's TSC: instructions in `lab svm --icount` and in
 * Bochs, time on real hardware. The median of many samples for each engine named on the command
 * line, side by side; of first touches the mean, as one of them may serve several pages.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <macrohard/macrohard.h>

#define SAMPLES 256
#define GUEST_BASE 0x100000u
#define BUFFER 0x200000u
#define STACK_TOP 0x300000u
#define LOW_BYTES 0x400000u
#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u /* four of them: 4 GiB by 2 MiB pages */
#define MMIO 0xd0000000u
#define TOUCH 0x40000000u
#define TOUCH_PRESENT 0x50000000u
#define TOUCH_BYTES (SAMPLES * MH_PAGE_SIZE) /* no more: all that is brought in is counted */
#define VECTOR 0x40

extern const char bench_guest_start[], bench_guest_end[];

static const char *const tests[] = {
	"(empty loop)",
	"CPUID",
	"OUT to a handler",
	"IN from a handler",
	"MMIO store to a handler",
	"MMIO load from a handler",
	"RDMSR APIC_BASE",
	"WRMSR TSC_DEADLINE, far away",
	"TSC_DEADLINE in the past, interrupt, EOI",
	"self IPI, interrupt, EOI",
	"TSC_DEADLINE 2000 ticks ahead ends HLT",
	"OUT, another thread's MSI ends HLT",
	"first touch, host page absent",
	"first touch, host page present",
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))
#define FIRST_TOUCH (TESTS - 2)

struct bench {
	struct mh_vm *vm;
	uint32_t test;
	uint64_t result[TESTS];
	sem_t wake;
	int done;
};

static void fail(struct mh_ctx *ctx, const char *what)
{
	fprintf(stderr, "exits: %s: %s\n", what, mh_last_error(ctx));
	exit(1);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t mean(const uint64_t *sample)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < SAMPLES; i++)
		sum += sample[i];
	return sum / SAMPLES;
}

static void test_end(struct bench *b)
{
	uint64_t sample[SAMPLES];

	if (b->test >= TESTS || mh_vm_mem_read(b->vm, BUFFER, sample, sizeof(sample)))
		return;
	qsort(sample, SAMPLES, sizeof(sample[0]), compare);
	b->result[b->test] = b->test >= FIRST_TOUCH ? mean(sample) : sample[SAMPLES / 2];
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	return 0;
}

static void port_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct bench *b = opaque;

	switch (offset) {
	case 0:
		b->test = (uint32_t)value;
		break;
	case 1:
		test_end(b);
		break;
	case 3:
		sem_post(&b->wake);
		break;
	case 4:
		mh_vm_stop(b->vm);
		break;
	}
}

static void *waker(void *opaque)
{
	struct bench *b = opaque;

	for (;;) {
		while (sem_wait(&b->wake) && errno == EINTR)
			;
		if (__atomic_load_n(&b->done, __ATOMIC_ACQUIRE))
			return NULL;
		mh_vm_msi(b->vm, 0xfee00000u, VECTOR);
	}
}

static void *map(struct mh_ctx *ctx, struct mh_vm *vm, uint64_t gpa, size_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED) {
		perror("exits: mmap");
		exit(1);
	}
	/* One page at a time, whatever the host would rather do. */
	madvise(mem, bytes, MADV_NOHUGEPAGE);
	if (mh_vm_mem_map(vm, gpa, mem, bytes, 0))
		fail(ctx, "map memory");
	return mem;
}

static void load_guest(uint8_t *low)
{
	uint64_t *pml4 = (uint64_t *)(low + PML4), *pdpt = (uint64_t *)(low + PDPT);
	uint64_t *pd = (uint64_t *)(low + PD);
	uint64_t i;

	pml4[0] = PDPT | 3;
	for (i = 0; i < 4; i++)
		pdpt[i] = (PD + i * MH_PAGE_SIZE) | 3;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | 0x83;
	memcpy(low + GUEST_BASE, bench_guest_start, (size_t)(bench_guest_end - bench_guest_start));
}

static void set_state(struct mh_ctx *ctx, struct mh_vm *vm)
{
	const struct mh_segment code = { 0, 0xffffffffu, 0xa09b, 8, { 0 } };
	const struct mh_segment data = { 0, 0xffffffffu, 0xc093, 16, { 0 } };
	struct mh_sregs s;
	struct mh_regs r = { .rip = GUEST_BASE, .rsp = STACK_TOP, .rflags = 2 };

	if (mh_vcpu_get_sregs(vm, 0, &s))
		fail(ctx, "read registers");
	s.cs = code;
	s.ds = s.es = s.ss = s.fs = s.gs = data;
	s.cr0 = 0x80000011u;
	s.cr3 = PML4;
	s.cr4 = 0x20;
	s.efer = 0x500;
	if (mh_vcpu_set_sregs(vm, 0, &s) || mh_vcpu_set_regs(vm, 0, &r))
		fail(ctx, "set registers");
}

static void run_guest(struct mh_ctx *ctx, struct bench *b)
{
	pthread_t thread;

	if (mh_vm_start(b->vm) || sem_init(&b->wake, 0, 0) ||
	    pthread_create(&thread, NULL, waker, b))
		fail(ctx, "start");
	mh_vm_wait(b->vm, -1);
	__atomic_store_n(&b->done, 1, __ATOMIC_RELEASE);
	sem_post(&b->wake);
	pthread_join(thread, NULL);
	if (mh_vm_stop_reason(b->vm) != MH_STOP_REQUEST) {
		fprintf(stderr, "exits: %s\n", mh_vm_stop_text(b->vm));
		exit(1);
	}
}

static void measure(enum mh_engine_kind engine, int sandbox, struct bench *b)
{
	const struct mh_sandbox_config sc = MH_SANDBOX_CONFIG_INIT;
	static const struct mh_io_ops ops = { 1, port_read, port_write };
	struct mh_ctx_config cc = MH_CTX_CONFIG_INIT;
	struct mh_vm_config vc = MH_VM_CONFIG_INIT;
	struct mh_ctx *ctx;

	cc.engine = engine;
	vc.flags = MH_VM_BARE;
	memset(b, 0, sizeof(*b));
	if (mh_ctx_create(&cc, &ctx))
		exit(1);
	if (mh_vm_create(ctx, &vc, &b->vm))
		fail(ctx, "create a VM");
	load_guest(map(ctx, b->vm, 0, LOW_BYTES));
	map(ctx, b->vm, TOUCH, TOUCH_BYTES);
	memset(map(ctx, b->vm, TOUCH_PRESENT, TOUCH_BYTES), 1, TOUCH_BYTES);
	if (mh_vm_pio_add(b->vm, 0x10, 5, &ops, b) ||
	    mh_vm_mmio_add(b->vm, MMIO, MH_PAGE_SIZE, &(struct mh_io_ops){ 1, port_read, NULL }, b))
		fail(ctx, "add handlers");
	set_state(ctx, b->vm);
	if (sandbox && mh_sandbox_enter(ctx, &sc))
		fail(ctx, "sandbox");
	run_guest(ctx, b);
	mh_vm_destroy(b->vm);
	mh_ctx_destroy(ctx);
}

static void print(const struct bench *shim, const struct bench *kvm)
{
	size_t i;

	printf("%-42s %10s", "ticks per iteration", shim ? "shim" : "kvm");
	printf(shim && kvm ? " %10s %6s\n" : "\n", "kvm", "ratio");
	for (i = 0; i < TESTS; i++) {
		printf("%-42s %10llu", tests[i],
		       (unsigned long long)(shim ? shim : kvm)->result[i]);
		if (shim && kvm)
			printf(" %10llu %6.2f", (unsigned long long)kvm->result[i],
			       (double)shim->result[i] / (double)kvm->result[i]);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	struct bench shim, kvm;
	int i, with_shim = 0, with_kvm = 0, sandbox = 0;

	for (i = 1; i < argc; i++) {
		with_shim |= !strcmp(argv[i], "shim");
		with_kvm |= !strcmp(argv[i], "kvm");
		sandbox |= !strcmp(argv[i], "sandbox");
	}
	/* Out of the sandbox of the first there is no way to the second. */
	if ((!with_shim && !with_kvm) || (with_shim && with_kvm && sandbox)) {
		fprintf(stderr, "usage: exits shim|kvm...\n       exits sandbox shim|kvm\n");
		return 2;
	}
	if (with_shim)
		measure(MH_ENGINE_SHIM, sandbox, &shim);
	if (with_kvm)
		measure(MH_ENGINE_KVM, sandbox, &kvm);
	print(with_shim ? &shim : NULL, with_kvm ? &kvm : NULL);
	return 0;
}

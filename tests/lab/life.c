/* SPDX-License-Identifier: MIT */
/*
 * The life of VMs on a real engine, by the public API only: pause, stop, start again, destroy at
 * any moment, many at once; and guests that do what no guest should.
 * usage: life shim|kvm
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define CODE 0x1000u
#define COUNTER 0x2000u
#define GP_HANDLER 0x1100u
#define UD_HANDLER 0x1110u
#define RESET_PAGE 0xfffff000u
#define LOOSE 0x200000u
#define MANY_VMS 8
#define ROUNDS 20

static struct mh_ctx *ctx;
static int on_kvm;
static const char *test_name;

/* All 16-bit code. */
static const unsigned char guest_count[] = {
	0x66, 0xff, 0x06, 0x00, 0x20, /* inc dword [0x2000] */
	0xeb, 0xf9,
};
static const unsigned char guest_halt[] = { 0xfa, 0xf4, 0xeb, 0xfd };
static const unsigned char guest_triple_fault[] = {
	0x0f, 0x01, 0x1e, 0x00, 0x30, /* lidt [0x3000]: zeros */
	0xcc,
};
static const unsigned char guest_away[] = { 0xea, 0x00, 0x00, 0x00, 0xf0 }; /* jmp f000:0 */
static const unsigned char guest_ports[] = {
	0xba, 0x99, 0x09, 0xec, 0xee, 0xed, 0x66, 0xed, 0x66, 0xef, /* in, out: port 0x999 */
	0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xef,
};
static const unsigned char guest_msrs[] = {
	0x66, 0xb9, 0xad, 0xde, 0xad, 0xde, /* mov ecx, 0xdeaddead */
	0x0f, 0x32, 0x0f, 0x30,		    /* rdmsr; wrmsr */
	0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xef,
};
static const unsigned char guest_virt[] = {
	0x0f, 0x01, 0xc1, 0x0f, 0x01, 0xd9, /* vmcall; vmmcall: one an error code, one #UD */
	0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xf3,
};
static const unsigned char guest_rules[] = {
	0x66, 0xb9, 0xad, 0xde, 0xad, 0xde,	  /* mov ecx, 0xdeaddead */
	0x66, 0xb8, 0x78, 0x56, 0x34, 0x12,	  /* mov eax, 0x12345678 */
	0x66, 0x31, 0xd2, 0x0f, 0x30,		  /* xor edx, edx; wrmsr */
	0x66, 0x31, 0xc0, 0x0f, 0x32,		  /* xor eax, eax; rdmsr */
	0x66, 0xa3, 0x04, 0x20,			  /* mov [0x2004], eax */
	0x66, 0xb8, 0x00, 0x02, 0x00, 0x40,	  /* mov eax, 0x40000200 */
	0x0f, 0xa2, 0x66, 0x89, 0x1e, 0x08, 0x20, /* cpuid; mov [0x2008], ebx */
	0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xf9, /* inc dword [0x2000] */
};
/* They skip the instruction that faulted: mov bp, sp; add word [bp], 2 or 3; iret. */
static const unsigned char gp_handler[] = { 0x89, 0xe5, 0x83, 0x46, 0x00, 0x02, 0xcf };
static const unsigned char ud_handler[] = { 0x89, 0xe5, 0x83, 0x46, 0x00, 0x03, 0xcf };
/* Reads memory at 2 MiB, in protected mode with flat segments; counts. */
static const unsigned char guest_loose[] = {
	0x67, 0x66, 0xa1, 0x00, 0x00, 0x20, 0x00, /* mov eax, [0x200000] */
	0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xf2,
};
static const unsigned char reset_jump[] = { 0xea, 0x00, 0x10, 0x00, 0x00 };

static void die(const char *what)
{
	fprintf(stderr, "life: %s: %s (%s)\n", test_name, what, mh_last_error(ctx));
	exit(EXIT_FAILURE);
}

static void must(int rc, const char *what)
{
	if (rc)
		die(what);
}

static void check(int ok, const char *what)
{
	if (!ok)
		die(what);
}

/* A bare VM with 64 KiB, whose boot CPU begins with that code in real mode. */
static struct mh_vm *make(const unsigned char *code, size_t bytes, uint32_t cpus)
{
	static const unsigned char gp_vector[] = { GP_HANDLER & 0xff, GP_HANDLER >> 8, 0, 0 };
	static const unsigned char ud_vector[] = { UD_HANDLER & 0xff, UD_HANDLER >> 8, 0, 0 };
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_sregs sregs;
	struct mh_regs regs;
	struct mh_vm *vm;

	config.name = test_name;
	config.memory_bytes = 0x10000;
	config.flags = MH_VM_BARE;
	config.cpus = cpus;
	must(mh_vm_create(ctx, &config, &vm), "create");
	must(mh_vm_mem_write(vm, CODE, code, bytes), "write code");
	must(mh_vm_mem_write(vm, GP_HANDLER, gp_handler, sizeof(gp_handler)), "write handler");
	must(mh_vm_mem_write(vm, UD_HANDLER, ud_handler, sizeof(ud_handler)), "write handler");
	must(mh_vm_mem_write(vm, 13 * 4, gp_vector, 4), "write vector");
	must(mh_vm_mem_write(vm, 6 * 4, ud_vector, 4), "write vector");
	must(mh_vcpu_get_sregs(vm, 0, &sregs), "get sregs");
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	sregs.ds.limit = 0xffffffff;
	sregs.ds.attr |= 0xc000;
	must(mh_vcpu_set_sregs(vm, 0, &sregs), "set sregs");
	memset(&regs, 0, sizeof(regs));
	regs.rip = CODE;
	regs.rsp = 0x8000;
	regs.rflags = 2;
	must(mh_vcpu_set_regs(vm, 0, &regs), "set regs");
	return vm;
}

#define MAKE(code) make((code), sizeof(code), 1)

static uint32_t counter(struct mh_vm *vm)
{
	uint32_t value;

	must(mh_vm_mem_read(vm, COUNTER, &value, 4), "read the counter");
	return value;
}

static void wait_progress(struct mh_vm *vm)
{
	uint32_t from = counter(vm);
	int i;

	for (i = 0; i < 10000 && counter(vm) == from; i++) {
		if (mh_vm_state(vm) == MH_VM_STOPPED)
			die(mh_vm_stop_text(vm));
		usleep(1000);
	}
	check(counter(vm) != from, "the guest makes no progress");
}

static void test_pause(void)
{
	struct mh_vm *vm = MAKE(guest_count);
	struct mh_regs regs;
	uint32_t seen;
	int i;

	must(mh_vm_start(vm), "start");
	for (i = 0; i < ROUNDS; i++) {
		wait_progress(vm);
		must(mh_vm_pause(vm), "pause");
		seen = counter(vm);
		must(mh_vcpu_get_regs(vm, 0, &regs), "get regs");
		check(regs.rip >= CODE && regs.rip < CODE + sizeof(guest_count),
		      "RIP is elsewhere");
		usleep(500);
		check(counter(vm) == seen, "a paused guest runs");
		must(mh_vm_resume(vm), "resume");
	}
	must(mh_vm_stop(vm), "stop");
	mh_vm_destroy(vm);
}

/* From Stopped it begins at the reset vector, with memory as it was. */
static void test_start_again(void)
{
	struct mh_vm *vm = MAKE(guest_count);
	unsigned char *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t seen;
	int i;

	memcpy(page + 0xff0, reset_jump, sizeof(reset_jump));
	must(mh_vm_mem_map(vm, RESET_PAGE, page, 4096, MH_MEM_READONLY), "map the reset page");
	must(mh_vm_start(vm), "start");
	for (i = 0; i < ROUNDS; i++) {
		wait_progress(vm);
		must(mh_vm_stop(vm), "stop");
		check(mh_vm_stop_reason(vm) == MH_STOP_REQUEST, "another stop reason");
		seen = counter(vm);
		must(mh_vm_start(vm), "start again");
		wait_progress(vm);
		check(counter(vm) > seen, "memory was not kept");
	}
	mh_vm_destroy(vm);
	munmap(page, 4096);
}

static void test_halted(void)
{
	struct mh_vm *vm = MAKE(guest_halt);
	struct mh_regs regs = { 0 };
	int i;

	must(mh_vm_start(vm), "start");
	for (i = 0; i < 500 && regs.rip != CODE + 2; i++) {
		check(mh_vm_wait(vm, 20) == MH_ETIMEDOUT, "a halted guest stopped");
		must(mh_vm_pause(vm), "pause");
		must(mh_vcpu_get_regs(vm, 0, &regs), "get regs");
		must(mh_vm_resume(vm), "resume");
	}
	check(regs.rip == CODE + 2, "RIP does not come behind HLT");
	must(mh_vm_stop(vm), "stop");
	mh_vm_destroy(vm);
	vm = MAKE(guest_halt);
	must(mh_vm_start(vm), "start");
	mh_vm_destroy(vm);
}

static void ends(const unsigned char *code, size_t bytes, enum mh_stop_reason reason,
		 const char *text)
{
	struct mh_vm *vm = make(code, bytes, 1);

	must(mh_vm_start(vm), "start");
	must(mh_vm_wait(vm, 60000), "wait");
	if (mh_vm_stop_reason(vm) != reason || !strstr(mh_vm_stop_text(vm), text) ||
	    !strstr(mh_vm_stop_text(vm), "\nrip ")) {
		fprintf(stderr, "life: %s: stop reason %d, text: %s\n", test_name,
			(int)mh_vm_stop_reason(vm), mh_vm_stop_text(vm));
		exit(EXIT_FAILURE);
	}
	mh_vm_destroy(vm);
}

static void test_triple_fault(void)
{
	ends(guest_triple_fault, sizeof(guest_triple_fault), MH_STOP_SHUTDOWN, "triple fault");
}

static void test_away(void)
{
	/* KVM only says that it cannot emulate what is there. */
	ends(guest_away, sizeof(guest_away), MH_STOP_ERROR,
	     on_kvm ? "the kvm engine gave up" : "0xf0000");
}

/* What is not there is answered, and the guest goes on. */
static void goes_on(const unsigned char *code, size_t bytes)
{
	struct mh_vm *vm = make(code, bytes, 1);
	int i;

	must(mh_vm_start(vm), "start");
	for (i = 0; i < ROUNDS; i++)
		wait_progress(vm);
	must(mh_vm_stop(vm), "stop");
	mh_vm_destroy(vm);
}

static void test_ports(void)
{
	goes_on(guest_ports, sizeof(guest_ports));
}

static void test_msrs(void)
{
	goes_on(guest_msrs, sizeof(guest_msrs));
}

/* Rules of the embedder's reach the guest. */
static void test_rules(void)
{
	struct mh_cpuid_rule cpuid = MH_CPUID_RULE_INIT;
	struct mh_msr_rule msr = MH_MSR_RULE_INIT;
	struct mh_vm *vm = MAKE(guest_rules);
	uint32_t seen[2];

	msr.first = msr.last = 0xdeaddead;
	msr.action = MH_MSR_ALLOW;
	must(mh_vm_msr_rule(vm, &msr), "MSR rule");
	cpuid.leaf = 0x40000200;
	cpuid.set[1] = 0xcafe0001;
	must(mh_vm_cpuid_rule(vm, &cpuid), "CPUID rule");
	must(mh_vm_start(vm), "start");
	wait_progress(vm);
	must(mh_vm_mem_read(vm, COUNTER + 4, seen, sizeof(seen)), "read");
	check(seen[0] == 0x12345678, "the MSR does not keep what was written");
	check(seen[1] == 0xcafe0001, "CPUID does not tell what the rule says");
	mh_vm_destroy(vm);
}

static void test_hypercalls(void)
{
	goes_on(guest_virt, sizeof(guest_virt));
}

static void test_many(void)
{
	struct mh_vm *vm[MANY_VMS];
	int i;

	for (i = 0; i < MANY_VMS; i++) {
		vm[i] = MAKE(guest_count);
		must(mh_vm_start(vm[i]), "start");
	}
	for (i = 0; i < MANY_VMS; i++)
		wait_progress(vm[i]);
	/* In another order than they were made. */
	for (i = 0; i < MANY_VMS; i++)
		mh_vm_destroy(vm[i * 3 % MANY_VMS]);
}

static void *churn(void *opaque)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct mh_vm *vm = MAKE(guest_count);

		must(mh_vm_start(vm), "start");
		if (i & 1)
			wait_progress(vm);
		if (i & 2)
			must(mh_vm_pause(vm), "pause");
		mh_vm_destroy(vm);
	}
	return NULL;
}

static void test_churn(void)
{
	pthread_t thread[2];
	int i;

	for (i = 0; i < 2; i++)
		check(!pthread_create(&thread[i], NULL, churn, NULL), "thread");
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

/* Other CPUs wait for a start-up message that never comes. */
static void test_cpus(void)
{
	struct mh_vm *vm = make(guest_count, sizeof(guest_count), 64);

	must(mh_vm_start(vm), "start");
	wait_progress(vm);
	must(mh_vm_pause(vm), "pause");
	must(mh_vm_resume(vm), "resume");
	wait_progress(vm);
	mh_vm_destroy(vm);
}

/* A child of the embedder neither has the VM nor harms it. */
static void test_fork(void)
{
	struct mh_vm *vm = MAKE(guest_count);
	int i, status;

	must(mh_vm_start(vm), "start");
	for (i = 0; i < ROUNDS; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(7);
		wait_progress(vm);
		check(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7, "child");
	}
	mh_vm_destroy(vm);
}

/* Memory of the embedder: mapped, read, taken away while paused, then under the guest's feet. */
static void test_memory_goes(void)
{
	unsigned char *page =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mh_vm *vm = MAKE(guest_loose);

	must(mh_vm_mem_map(vm, LOOSE, page, 8192, 0), "map");
	must(mh_vm_start(vm), "start");
	wait_progress(vm);
	must(mh_vm_pause(vm), "pause");
	must(mh_vm_mem_unmap(vm, LOOSE), "unmap");
	must(mh_vm_resume(vm), "resume");
	/* Nobody there reads as ones. */
	wait_progress(vm);
	must(mh_vm_pause(vm), "pause");
	must(mh_vm_mem_map(vm, LOOSE, page, 8192, 0), "map again");
	must(mh_vm_resume(vm), "resume");
	wait_progress(vm);
	munmap(page, 8192);
	must(mh_vm_wait(vm, 60000), "wait");
	check(mh_vm_stop_reason(vm) == MH_STOP_ERROR, "another stop reason");
	/* KVM of Linux 6.1 does not say where. */
	check(strstr(mh_vm_stop_text(vm), on_kvm ? "cannot be reached" : "0x200000") != NULL,
	      mh_vm_stop_text(vm));
	mh_vm_destroy(vm);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "pause", test_pause },
	{ "start again", test_start_again },
	{ "halted", test_halted },
	{ "triple fault", test_triple_fault },
	{ "jump into unmapped space", test_away },
	{ "unknown ports", test_ports },
	{ "unknown MSRs", test_msrs },
	{ "rules about MSRs and CPUID", test_rules },
	{ "hypercalls", test_hypercalls },
	{ "many VMs", test_many },
	{ "create and destroy in two threads", test_churn },
	{ "64 vCPUs", test_cpus },
	{ "fork", test_fork },
	{ "memory goes away", test_memory_goes },
};

int main(int argc, char **argv)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	size_t i;

	if (argc > 1 && strcmp(argv[1], "kvm") == 0)
		on_kvm = 1;
	if (on_kvm)
		config.engine = MH_ENGINE_KVM;
	if (mh_ctx_create(&config, &ctx))
		return EXIT_FAILURE;
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		test_name = tests[i].name;
		tests[i].run();
		printf("ok  %s\n", test_name);
		fflush(stdout);
	}
	return mh_ctx_destroy(ctx) ? EXIT_FAILURE : EXIT_SUCCESS;
}

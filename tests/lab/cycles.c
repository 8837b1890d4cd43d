/* SPDX-License-Identifier: MIT */
/*
 * VMs with devices are created, started, stopped and destroyed a thousand times, by several threads
 * at once: afterwards no descriptor, thread or memory is left of them.
 * usage: cycles shim|kvm CYCLES
 */
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <macrohard/macrohard.h>

#define THREADS 4
#define WARM_UP 40
#define CODE 0x1000u
#define PORT 0xe9u
/* A VM's own structures are larger by far: one in a hundred that is left is found. */
#define HEAP_SLACK (256u << 10)

static struct mh_ctx *ctx;
static unsigned int done; /* atomic */
static unsigned int cycles;

/* out 0xe9, al; 1: hlt; jmp 1b */
static const unsigned char guest[] = { 0xe6, PORT, 0xf4, 0xeb, 0xfd };

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "cycles: %s: %s: %s\n", what, mh_err_name(rc), mh_last_error(ctx));
	exit(EXIT_FAILURE);
}

static void on_out(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	__atomic_store_n((int *)opaque, 1, __ATOMIC_SEQ_CST);
}

static int no_frame(void *opaque, const struct iovec *iov, uint32_t count)
{
	return 1;
}

static void attach(struct mh_vm *vm)
{
	static const struct mh_net_ops ops = { 1, no_frame, NULL };
	struct mh_console_config console = MH_CONSOLE_CONFIG_INIT;
	struct mh_console_port port = { NULL, NULL, NULL };
	struct mh_net_config net = MH_NET_CONFIG_INIT;
	struct mh_dev *dev;

	console.ports = 1;
	console.port = &port;
	net.kind = MH_NET_OPS;
	net.ops = &ops;
	must(mh_rng_attach(vm, NULL, NULL), "attach rng");
	must(mh_console_attach(vm, &console, NULL), "attach console");
	must(mh_net_attach(vm, &net, &dev), "attach network card");
	must(mh_net_input(dev, "to:ff from:ff type", 18), "send a frame");
}

static struct mh_vm *make(int *said)
{
	const struct mh_io_ops ops = { 1, NULL, on_out };
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_sregs sregs;
	struct mh_regs regs;
	struct mh_vm *vm;

	config.memory_bytes = 1 << 20;
	must(mh_vm_create(ctx, &config, &vm), "create");
	must(mh_vm_mem_write(vm, CODE, guest, sizeof(guest)), "write code");
	must(mh_vm_pio_add(vm, PORT, 1, &ops, said), "port");
	must(mh_vcpu_get_sregs(vm, 0, &sregs), "get sregs");
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	must(mh_vcpu_set_sregs(vm, 0, &sregs), "set sregs");
	memset(&regs, 0, sizeof(regs));
	regs.rip = CODE;
	regs.rflags = 2;
	must(mh_vcpu_set_regs(vm, 0, &regs), "set regs");
	return vm;
}

/* Waits by the events' descriptor, as a program with a loop would. */
static void wait_stopped(struct mh_vm *vm)
{
	struct pollfd p = { .fd = mh_vm_events_fd(vm), .events = POLLIN };
	struct mh_event event = MH_EVENT_INIT;

	while (event.kind != MH_EVENT_STATE || event.state != MH_VM_STOPPED) {
		while (mh_vm_event_read(vm, &event))
			poll(&p, 1, -1);
	}
}

static void cycle(unsigned int n)
{
	int said = 0;
	struct mh_vm *vm = make(&said);

	if (n % 2)
		attach(vm);
	if (n % 8 == 7) {
		/* Never started. */
		mh_vm_destroy(vm);
		return;
	}
	must(mh_vm_events_fd(vm) < 0, "events");
	must(mh_vm_start(vm), "start");
	while (!__atomic_load_n(&said, __ATOMIC_SEQ_CST))
		poll(NULL, 0, 1);
	if (n % 4 == 0) {
		must(mh_vm_pause(vm), "pause");
		must(mh_vm_resume(vm), "resume");
	}
	if (n % 8 != 5) {
		must(mh_vm_stop(vm), "stop");
		wait_stopped(vm);
	}
	mh_vm_destroy(vm);
}

static void *work(void *opaque)
{
	unsigned int n;

	while ((n = __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST)) < cycles)
		cycle(n);
	return NULL;
}

static void run(unsigned int count)
{
	pthread_t thread[THREADS];

	done = 0;
	cycles = count;
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&thread[i], NULL, work, NULL), "thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* ---- what there is ---- */

struct inventory {
	unsigned int fds, threads;
	size_t heap;
};

static unsigned int entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static struct inventory take_inventory(void)
{
	return (struct inventory){ entries("/proc/self/fd"), entries("/proc/self/task"),
				   mallinfo2().uordblks };
}

static int is_more(struct inventory now, struct inventory then)
{
	return now.fds > then.fds || now.threads > then.threads ||
	       now.heap > then.heap + HEAP_SLACK;
}

/* A thread that was joined is in /proc for a moment still. */
static void compare(struct inventory then, const char *what)
{
	struct inventory now = take_inventory();

	for (int i = 0; i < 5000 && is_more(now, then); i++) {
		poll(NULL, 0, 1);
		now = take_inventory();
	}
	printf("%s: descriptors %u -> %u, threads %u -> %u, heap %zu -> %zu\n", what, then.fds,
	       now.fds, then.threads, now.threads, then.heap, now.heap);
	fflush(stdout);
	if (!is_more(now, then))
		return;
	fprintf(stderr, "cycles: something is left of %s\n", what);
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	unsigned int count = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : 1000;
	struct inventory first, before;

	if (argc > 1 && !strcmp(argv[1], "kvm"))
		config.engine = MH_ENGINE_KVM;
	/* What is made once: libuv's own descriptors, the C library's caches. */
	must(mh_ctx_create(&config, &ctx), "create context");
	run(WARM_UP);
	must(mh_ctx_destroy(ctx), "destroy context");
	first = take_inventory();
	must(mh_ctx_create(&config, &ctx), "create context");
	run(WARM_UP);
	before = take_inventory();
	run(count);
	compare(before, "the VMs");
	must(mh_ctx_destroy(ctx), "destroy context");
	compare(first, "the context");
	printf("%u cycles\n", count);
	return EXIT_SUCCESS;
}

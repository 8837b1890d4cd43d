/* SPDX-License-Identifier: MIT */
/*
 * A VM in a program that has an epoll loop: the library's devices, the VM's events and a timer of
 * the program's own are three descriptors of one set, and all of them are served by one thread.
 *
 * Usage: loop_epoll KERNEL INITRD COMMAND-LINE
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

static unsigned int ticks;

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stdout);
}

static int make_vm(struct mh_ctx *ctx, char **argv, struct mh_vm **out)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	int rc;

	config.memory_bytes = 256u << 20;
	rc = mh_vm_create(ctx, &config, out);
	if (rc)
		return rc;
	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = argv[3];
	rc = mh_vm_boot(*out, &boot);
	if (!rc)
		rc = mh_serial_attach(*out, 0, on_serial, NULL);
	return rc ? rc : mh_rng_attach(*out, NULL, NULL);
}

/* Returns whether the VM is at its end. */
static int read_events(struct mh_vm *vm)
{
	struct mh_event event = MH_EVENT_INIT;

	while (!mh_vm_event_read(vm, &event)) {
		printf("event %u: %s\n", (unsigned int)event.number, event.text);
		if (event.kind == MH_EVENT_STATE && event.state == MH_VM_STOPPED)
			return 1;
	}
	return 0;
}

static int add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int loop(struct mh_ctx *ctx, struct mh_vm *vm, int epoll, int timer)
{
	int devices = mh_ctx_loop_fd(ctx), events = mh_vm_events_fd(vm);
	int timeout, rc = mh_vm_start(vm);

	if (!rc && (events < 0 || add(epoll, devices) || add(epoll, events) || add(epoll, timer)))
		rc = MH_EIO;
	while (!rc) {
		struct epoll_event event;
		uint64_t count;

		rc = mh_ctx_loop_timeout(ctx, &timeout);
		/* What is due is found by dispatching, also when the time is up. */
		if (!rc && epoll_wait(epoll, &event, 1, timeout) == 1) {
			if (event.data.fd == events && read_events(vm))
				return 0;
			if (event.data.fd == timer &&
			    read(timer, &count, sizeof(count)) == sizeof(count))
				ticks += (unsigned int)count;
		}
		if (!rc)
			rc = mh_ctx_loop_dispatch(ctx);
	}
	return rc;
}

int main(int argc, char **argv)
{
	const struct itimerspec second = { { 1, 0 }, { 1, 0 } };
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct mh_ctx *ctx = NULL;
	struct mh_vm *vm = NULL;
	int rc;

	if (argc != 4) {
		fprintf(stderr, "usage: loop_epoll KERNEL INITRD COMMAND-LINE\n");
		return 2;
	}
	config.loop = MH_LOOP_FOREIGN;
	if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &second, NULL) ||
	    mh_ctx_create(&config, &ctx)) {
		perror("loop_epoll");
		return EXIT_FAILURE;
	}
	rc = make_vm(ctx, argv, &vm);
	if (!rc)
		rc = loop(ctx, vm, epoll, timer);
	if (rc)
		fprintf(stderr, "loop_epoll: %s\n", mh_last_error(ctx));
	else
		printf("the loop ticked meanwhile: %s\n", ticks ? "yes" : "no");
	mh_vm_destroy(vm);
	mh_ctx_destroy(ctx);
	close(timer);
	close(epoll);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

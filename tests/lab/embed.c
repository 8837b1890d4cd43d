/* SPDX-License-Identifier: MIT */
/*
 * A program with an epoll loop of its own, in which a Linux guest's devices work: it stores the
 * guest's disk in its memory, answers ARP on the guest's network, and follows the VM's events until
 * the guest's kernel panics and resets itself.
 * usage: embed KERNEL INITRD CMDLINE
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <macrohard/macrohard.h>

#define DISK_BYTES (2u << 20)
#define FRAME_MAX 1600u
#define ARP_BYTES 42

static struct {
	pthread_t thread; /* that has the loop */
	struct mh_ctx *ctx;
	struct mh_vm *vm;
	struct mh_dev *disk, *card;
	unsigned char *bytes; /* [DISK_BYTES] the disk */
	unsigned int answered, panics;
	int stopped;
} e;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "embed: %s (%s)\n", what, e.ctx ? mh_last_error(e.ctx) : "");
	exit(EXIT_FAILURE);
}

/* ---- the disk: on workers' threads ---- */

static int disk_read(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count)
{
	for (uint32_t i = 0; i < count; offset += iov[i++].iov_len)
		memcpy(iov[i].iov_base, e.bytes + offset, iov[i].iov_len);
	return 0;
}

static int disk_write(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count)
{
	for (uint32_t i = 0; i < count; offset += iov[i++].iov_len)
		memcpy(e.bytes + offset, iov[i].iov_base, iov[i].iov_len);
	return 0;
}

static int disk_flush(void *opaque)
{
	return 0;
}

/* ---- the network: on the loop's thread ---- */

static void answer_arp(const unsigned char *request)
{
	static const unsigned char mac[6] = { 2, 0, 0, 0, 0, 0x77 };
	unsigned char frame[60] = { 0 };

	memcpy(frame, request, ARP_BYTES);
	memcpy(frame, request + 6, 6); /* to whom asked */
	memcpy(frame + 6, mac, 6);
	frame[21] = 2; /* a reply */
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 28, request + 38, 4); /* our address is the one that was asked for */
	memcpy(frame + 32, request + 22, 10);
	check(!mh_net_input(e.card, frame, sizeof(frame)), "a frame to the guest");
	e.answered++;
}

static int take_frame(void *opaque, const struct iovec *iov, uint32_t count)
{
	static const unsigned char arp_request[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	static const unsigned char us[] = { 10, 0, 0, 1 };
	unsigned char frame[FRAME_MAX];
	size_t bytes = 0;

	check(pthread_equal(pthread_self(), e.thread), "a frame on another thread");
	for (uint32_t i = 0; i < count && bytes + iov[i].iov_len <= FRAME_MAX; i++) {
		memcpy(frame + bytes, iov[i].iov_base, iov[i].iov_len);
		bytes += iov[i].iov_len;
	}
	if (bytes >= ARP_BYTES && !memcmp(frame + 12, arp_request, sizeof(arp_request)) &&
	    !memcmp(frame + 38, us, sizeof(us)))
		answer_arp(frame);
	return 1;
}

/* ---- the VM ---- */

static void print(void *opaque, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stdout);
	fflush(stdout);
}

static void make(char **argv)
{
	static const struct mh_block_ops disk_ops = { 1,    disk_read, disk_write, disk_flush,
						      NULL, NULL,      NULL };
	static const struct mh_net_ops net_ops = { 1, take_frame, NULL };
	struct mh_ctx_config ctx = MH_CTX_CONFIG_INIT;
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_disk_config disk = MH_DISK_CONFIG_INIT;
	struct mh_net_config net = MH_NET_CONFIG_INIT;

	ctx.loop = MH_LOOP_FOREIGN;
	check(!mh_ctx_create(&ctx, &e.ctx), "create context");
	config.memory_bytes = 256u << 20;
	config.flags = MH_VM_STOP_ON_RESET;
	check(!mh_vm_create(e.ctx, &config, &e.vm), "create VM");
	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = argv[3];
	check(!mh_vm_boot(e.vm, &boot), "boot");
	check(!mh_serial_attach(e.vm, 0, print, NULL), "serial port");
	e.bytes = calloc(1, DISK_BYTES);
	disk.ops = &disk_ops;
	disk.bytes = DISK_BYTES;
	disk.serial = "lab-disk";
	check(e.bytes && !mh_disk_attach(e.vm, &disk, &e.disk), "disk");
	net.kind = MH_NET_OPS;
	net.ops = &net_ops;
	check(!mh_net_attach(e.vm, &net, &e.card), "network card");
}

/* ---- the loop ---- */

static void read_events(void)
{
	struct mh_event event = MH_EVENT_INIT;

	while (!mh_vm_event_read(e.vm, &event)) {
		printf("event %llu: kind %u, state %u, reason %u: %s\n",
		       (unsigned long long)event.number, event.kind, event.state, event.reason,
		       event.text);
		e.panics += event.kind == MH_EVENT_PANIC;
		e.stopped |= event.kind == MH_EVENT_STATE && event.state == MH_VM_STOPPED;
	}
}

static void add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	check(fd >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll");
}

static void loop(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), events = mh_vm_events_fd(e.vm), ms;
	struct epoll_event ready;

	add(epoll, mh_ctx_loop_fd(e.ctx));
	add(epoll, events);
	check(!mh_vm_start(e.vm), "start");
	while (!e.stopped) {
		check(!mh_ctx_loop_timeout(e.ctx, &ms), "timeout");
		if (epoll_wait(epoll, &ready, 1, ms) == 1 && ready.data.fd == events)
			read_events();
		check(!mh_ctx_loop_dispatch(e.ctx), "dispatch");
	}
}

static void report(void)
{
	struct mh_dev_metrics disk = MH_DEV_METRICS_INIT, card = MH_DEV_METRICS_INIT;
	struct mh_vm_metrics vm = MH_VM_METRICS_INIT;

	check(!mh_dev_metrics(e.disk, &disk) && !mh_dev_metrics(e.card, &card) &&
		      !mh_vm_metrics(e.vm, &vm),
	      "metrics");
	printf("disk: %llu requests, %llu bytes written, %llu read, %llu us on average\n",
	       (unsigned long long)disk.requests, (unsigned long long)disk.from_guest_bytes,
	       (unsigned long long)disk.to_guest_bytes,
	       (unsigned long long)(disk.latency_sum_ns / 1000 /
				    (disk.latency_count ? disk.latency_count : 1)));
	for (unsigned int i = 0; mh_exit_name(i); i++)
		if (vm.exits[i])
			printf("exits %s %llu\n", mh_exit_name(i), (unsigned long long)vm.exits[i]);
	for (unsigned int i = 0; mh_service_name(i); i++)
		if (vm.services[i])
			printf("services %s %llu\n", mh_service_name(i),
			       (unsigned long long)vm.services[i]);
	check(disk.from_guest_bytes >= DISK_BYTES && disk.to_guest_bytes >= DISK_BYTES,
	      "the disk's bytes were not counted");
	check(disk.latency_count == disk.requests && disk.latency_max_ns, "no latencies");
	check(card.from_guest_bytes && card.to_guest_bytes, "frames were not counted");
	check(vm.exits[MH_EXIT_IO] && vm.entries && vm.services[MH_SERVICE_IO], "exits");
}

int main(int argc, char **argv)
{
	check(argc == 4, "usage: embed KERNEL INITRD CMDLINE");
	e.thread = pthread_self();
	make(argv);
	loop();
	report();
	check(e.answered, "the guest did not ask for our address");
	check(e.panics == 1, "the guest's panic was not told of");
	check(mh_vm_stop_reason(e.vm) == MH_STOP_RESET, mh_vm_stop_text(e.vm));
	mh_vm_destroy(e.vm);
	check(!mh_ctx_destroy(e.ctx), "destroy context");
	free(e.bytes);
	printf("embed: all is well\n");
	return EXIT_SUCCESS;
}

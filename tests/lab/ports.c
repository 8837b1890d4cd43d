/* SPDX-License-Identifier: MIT */
/*
 * Types into a named port of a guest's virtio-console device, faster than the guest takes it, and
 * gets the same back. The guest's part is MH_ports of tests/guest/linux/virtio.
 * usage: ports KERNEL INITRD
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define BYTES 40000u
#define PATIENCE 100
#define PORT 1 /* 0 is a console */

static struct mh_ctx *ctx;
static char said[1 << 16]; /* on the serial port */
static size_t said_bytes;
static unsigned char back[BYTES];
static size_t back_bytes;

static void die(const char *what)
{
	fprintf(stderr, "ports: %s (%s)\n", what, mh_last_error(ctx));
	exit(EXIT_FAILURE);
}

/* From the devices' thread; main looks at the count first. */
static void take(char *to, size_t room, size_t *count, const void *data, size_t bytes)
{
	size_t at = __atomic_load_n(count, __ATOMIC_RELAXED);

	if (bytes > room - at)
		bytes = room - at;
	memcpy(to + at, data, bytes);
	/* Paired with the loads in main. */
	__atomic_store_n(count, at + bytes, __ATOMIC_RELEASE);
}

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stdout);
	take(said, sizeof(said), &said_bytes, data, bytes);
}

static void on_port(void *opaque, const void *data, size_t bytes)
{
	take((char *)back, sizeof(back), &back_bytes, data, bytes);
}

static int heard(const char *text)
{
	size_t n = __atomic_load_n(&said_bytes, __ATOMIC_ACQUIRE);

	return memmem(said, n, text, strlen(text)) != NULL;
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

static void type_all(struct mh_dev *dev)
{
	static unsigned char text[BYTES];
	time_t end = time(NULL) + PATIENCE;
	size_t done = 0;
	int n, full = 0;

	for (size_t i = 0; i < BYTES; i++)
		text[i] = pattern(i);
	while (done < BYTES) {
		n = mh_console_input(dev, PORT, text + done, BYTES - done);
		if (n < 0 || time(NULL) > end)
			die("cannot type");
		done += (size_t)n;
		if (n)
			continue;
		full++;
		usleep(10000);
	}
	if (!full)
		die("there is no bound on what may be typed ahead");
}

int main(int argc, char **argv)
{
	struct mh_console_port port[] = { { NULL, NULL, NULL }, { "org.lab.0", on_port, NULL } };
	struct mh_console_config console = MH_CONSOLE_CONFIG_INIT;
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_dev *dev;
	struct mh_vm *vm = NULL;

	if (argc != 3)
		return 2;
	config.memory_bytes = 192u << 20;
	config.flags = MH_VM_STOP_ON_RESET;
	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = "console=ttyS0 quiet panic=-1 mh.run=virtio mh.arg.ports=org.lab.0";
	console.ports = 2;
	console.port = port;
	if (mh_ctx_create(NULL, &ctx) || mh_vm_create(ctx, &config, &vm) || mh_vm_boot(vm, &boot) ||
	    mh_serial_attach(vm, 0, on_serial, NULL) || mh_console_attach(vm, &console, &dev) ||
	    mh_vm_start(vm))
		die("cannot start the guest");
	/* It waits for the guest. */
	type_all(dev);
	if (mh_vm_wait(vm, PATIENCE * 1000) || !heard("GUEST TESTS: 0 failed"))
		die("the guest's part failed");
	if (__atomic_load_n(&back_bytes, __ATOMIC_ACQUIRE) != BYTES)
		die("the port did not give back what was typed");
	for (size_t i = 0; i < BYTES; i++)
		if (back[i] != pattern(i))
			die("the port gave back something else");
	printf("ports: %u bytes there and back\n", BYTES);
	mh_vm_destroy(vm);
	return mh_ctx_destroy(ctx) != 0;
}

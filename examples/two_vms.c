/* SPDX-License-Identifier: MIT */
/*
 * Two Linux guests in one process, linked by a network cable: a pair of sockets, each message of
 * which is an Ethernet frame. What they print comes out line by line, behind their names.
 *
 * Usage: two_vms KERNEL INITRD COMMAND-LINE-OF-A COMMAND-LINE-OF-B
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

struct guest {
	const char *name;
	struct mh_vm *vm;
	char line[512];
	size_t length;
};

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	const char *text = data;
	struct guest *g = opaque;

	for (size_t n = 0; n < bytes; n++) {
		if (text[n] != '\n' && g->length < sizeof(g->line) - 1)
			g->line[g->length++] = text[n];
		if (text[n] != '\n')
			continue;
		printf("%s: %.*s\n", g->name, (int)g->length, g->line);
		g->length = 0;
	}
}

static int make(struct mh_ctx *ctx, struct guest *g, int cable, char **files, const char *cmdline)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_net_config net = MH_NET_CONFIG_INIT;
	int rc;

	config.name = g->name;
	config.memory_bytes = 256u << 20;
	rc = mh_vm_create(ctx, &config, &g->vm);
	if (rc)
		return rc;
	net.kind = MH_NET_FD;
	net.fd = &cable;
	rc = mh_net_attach(g->vm, &net, NULL);
	boot.kernel = files[0];
	boot.initrd = files[1];
	boot.cmdline = cmdline;
	if (!rc)
		rc = mh_vm_boot(g->vm, &boot);
	return rc ? rc : mh_serial_attach(g->vm, 0, on_serial, g);
}

static int run(struct mh_ctx *ctx, struct guest *guests, const int *cable, char **argv)
{
	int rc = 0;

	for (int n = 0; n < 2 && !rc; n++)
		rc = make(ctx, &guests[n], cable[n], argv + 1, argv[3 + n]);
	for (int n = 0; n < 2 && !rc; n++)
		rc = mh_vm_start(guests[n].vm);
	for (int n = 0; n < 2 && !rc; n++)
		rc = mh_vm_wait(guests[n].vm, -1);
	for (int n = 0; n < 2 && !rc; n++) {
		if (mh_vm_stop_reason(guests[n].vm) == MH_STOP_POWEROFF)
			continue;
		fprintf(stderr, "two_vms: %s: %s\n", guests[n].name, mh_vm_stop_text(guests[n].vm));
		rc = MH_EGUEST;
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct guest guests[2] = { { .name = "a" }, { .name = "b" } };
	struct mh_ctx *ctx = NULL;
	int cable[2], rc;

	if (argc != 5) {
		fprintf(stderr,
			"usage: two_vms KERNEL INITRD COMMAND-LINE-OF-A COMMAND-LINE-OF-B\n");
		return 2;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, cable)) {
		perror("two_vms: socketpair");
		return EXIT_FAILURE;
	}
	rc = mh_ctx_create(NULL, &ctx);
	if (!rc)
		rc = run(ctx, guests, cable, argv);
	if (rc && rc != MH_EGUEST)
		fprintf(stderr, "two_vms: %s\n", ctx ? mh_last_error(ctx) : mh_strerror(rc));
	mh_vm_destroy(guests[0].vm);
	mh_vm_destroy(guests[1].vm);
	if (ctx)
		mh_ctx_destroy(ctx);
	close(cable[0]);
	close(cable[1]);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * Boots a Linux kernel with its console on standard output, and tells how the guest ended.
 *
 * Usage: linux_boot KERNEL INITRD [COMMAND-LINE]
 */
#include <stdio.h>
#include <stdlib.h>

#include <macrohard/macrohard.h>

/* In a thread of the library, one call at a time. */
static void on_serial(void *opaque, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stdout);
	fflush(stdout);
}

static int run(struct mh_vm *vm, char **argv)
{
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_rng_config rng = MH_RNG_CONFIG_INIT;
	int rc;

	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = argv[3] ? argv[3] : "console=ttyS0 quiet";
	/* The files are read here, and loaded at each start. */
	rc = mh_vm_boot(vm, &boot);
	if (!rc)
		rc = mh_serial_attach(vm, 0, on_serial, NULL);
	if (!rc)
		rc = mh_rng_attach(vm, &rng, NULL);
	if (!rc)
		rc = mh_vm_start(vm);
	/* The guest runs in threads of the library now; this one has nothing to do but wait. */
	if (!rc)
		rc = mh_vm_wait(vm, -1);
	return rc;
}

int main(int argc, char **argv)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_ctx *ctx = NULL;
	struct mh_vm *vm = NULL;
	int rc;

	if (argc < 3) {
		fprintf(stderr, "usage: linux_boot KERNEL INITRD [COMMAND-LINE]\n");
		return 2;
	}
	rc = mh_ctx_create(NULL, &ctx);
	if (rc) {
		fprintf(stderr, "linux_boot: %s\n", mh_strerror(rc));
		return EXIT_FAILURE;
	}
	config.name = "linux";
	config.memory_bytes = 256u << 20;
	rc = mh_vm_create(ctx, &config, &vm);
	if (!rc)
		rc = run(vm, argv);
	if (rc)
		fprintf(stderr, "linux_boot: %s\n", mh_last_error(ctx));
	else if (mh_vm_stop_reason(vm) != MH_STOP_POWEROFF)
		fprintf(stderr, "linux_boot: %s\n", mh_vm_stop_text(vm));
	else
		printf("the guest has switched itself off\n");
	mh_vm_destroy(vm);
	mh_ctx_destroy(ctx);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * The smallest VM: no machine around it, 1 MiB of memory, and a 16-bit guest that prints a text
 * through I/O port 0xe9 and then asks, through another port, to be stopped.
 *
 * Usage: first_vm [shim|kvm]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <macrohard/macrohard.h>

#define PORT_PRINT 0xe9
#define PORT_STOP 0xf4
#define GUEST_ADDRESS 0x1000

/*
 * At 0000:1000:         mov si, 0x100f
 *               next:   lodsb
 *                       test al, al
 *                       jz done
 *                       out 0xe9, al
 *                       jmp next
 *               done:   out 0xf4, al
 *                       hlt
 */
static const unsigned char guest[] = {
	0xbe,	   0x0f, 0x10, 0xac, 0x84, 0xc0, 0x74, 0x04, 0xe6, PORT_PRINT, 0xeb, 0xf7, 0xe6,
	PORT_STOP, 0xf4, 'H',  'e',  'l',  'l',	 'o',  ' ',  'f',  'r',	       'o',  'm',  ' ',
	'r',	   'e',	 'a',  'l',  ' ',  'm',	 'o',  'd',  'e',  '\n',       0,
};

static void on_print(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	putchar((int)(value & 0xff));
}

static void on_stop(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	mh_vm_stop(opaque);
}

static int add_ports(struct mh_vm *vm)
{
	const struct mh_io_ops print = { 1, NULL, on_print };
	const struct mh_io_ops stop = { 1, NULL, on_stop };
	int rc = mh_vm_pio_add(vm, PORT_PRINT, 1, &print, NULL);

	return rc ? rc : mh_vm_pio_add(vm, PORT_STOP, 1, &stop, vm);
}

/* A vCPU starts at the reset vector; this one starts at 0000:1000 instead. */
static int set_start(struct mh_vm *vm)
{
	struct mh_sregs sregs;
	struct mh_regs regs;
	int rc = mh_vcpu_get_sregs(vm, 0, &sregs);

	if (rc)
		return rc;
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	rc = mh_vcpu_set_sregs(vm, 0, &sregs);
	if (rc)
		return rc;
	memset(&regs, 0, sizeof(regs));
	regs.rip = GUEST_ADDRESS;
	regs.rflags = 2;
	return mh_vcpu_set_regs(vm, 0, &regs);
}

static int run_guest(struct mh_vm *vm)
{
	int rc = mh_vm_mem_write(vm, GUEST_ADDRESS, guest, sizeof(guest));

	if (!rc)
		rc = add_ports(vm);
	if (!rc)
		rc = set_start(vm);
	if (!rc)
		rc = mh_vm_start(vm);
	if (!rc)
		rc = mh_vm_wait(vm, 10000);
	if (!rc && mh_vm_stop_reason(vm) != MH_STOP_REQUEST) {
		fprintf(stderr, "first_vm: %s\n", mh_vm_stop_text(vm));
		rc = MH_EGUEST;
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	struct mh_vm_config vm_config = MH_VM_CONFIG_INIT;
	struct mh_ctx *ctx = NULL;
	struct mh_vm *vm = NULL;
	int rc;

	if (argc > 1 && strcmp(argv[1], "kvm") == 0)
		config.engine = MH_ENGINE_KVM;
	rc = mh_ctx_create(&config, &ctx);
	if (rc) {
		fprintf(stderr, "first_vm: %s\n", mh_strerror(rc));
		return EXIT_FAILURE;
	}
	vm_config.name = "first";
	vm_config.memory_bytes = 1 << 20;
	vm_config.flags = MH_VM_BARE;
	rc = mh_vm_create(ctx, &vm_config, &vm);
	if (!rc)
		rc = run_guest(vm);
	if (rc && rc != MH_EGUEST)
		fprintf(stderr, "first_vm: %s\n", mh_last_error(ctx));
	mh_vm_destroy(vm);
	mh_ctx_destroy(ctx);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * A snapshot of registers and memory: a guest counts and waits for leave to go on; its state at
 * that moment becomes a second VM, which counts on from there by itself.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define MEMORY_BYTES (64u << 10)
#define CODE 0x1000
#define LEAVE 0x2000
#define PORT_PRINT 0xe9
#define PORT_CALL 0xf4 /* '5': it waits; else: it is done */

/*
 * 16-bit code, al starts as '0':
 *               next: out 0xe9, al
 *                     inc ax
 *                     cmp al, '5'
 *                     jne more
 *                     out 0xf4, al
 *               wait: cmp byte [0x2000], 0
 *                     je wait
 *               more: cmp al, '9' + 1
 *                     jne next
 *                     out 0xf4, al
 *                     hlt
 */
static const unsigned char code[] = {
	0xe6, PORT_PRINT, 0x40, 0x3c, '5',  0x75, 0x09, 0xe6, PORT_CALL, 0x80,	    0x3e, 0x00,
	0x20, 0x00,	  0x74, 0xf9, 0x3c, 0x3a, 0x75, 0xec, 0xe6,	 PORT_CALL, 0xf4,
};

struct snapshot {
	struct mh_regs regs;
	struct mh_sregs sregs;
	unsigned char memory[MEMORY_BYTES];
};

static int waits[2]; /* a pipe: the guest waits */

static void on_print(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	putchar((int)value);
}

static void on_call(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	if (value != '5' || write(waits[1], "", 1) != 1)
		mh_vm_stop(opaque);
}

static int make(struct mh_ctx *ctx, struct mh_vm **out)
{
	const struct mh_io_ops print = { 1, NULL, on_print };
	const struct mh_io_ops call = { 1, NULL, on_call };
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	int rc;

	config.memory_bytes = MEMORY_BYTES;
	config.flags = MH_VM_BARE;
	rc = mh_vm_create(ctx, &config, out);
	if (!rc)
		rc = mh_vm_pio_add(*out, PORT_PRINT, 1, &print, NULL);
	return rc ? rc : mh_vm_pio_add(*out, PORT_CALL, 1, &call, *out);
}

static int take(struct mh_vm *vm, struct snapshot *s)
{
	int rc = mh_vcpu_get_regs(vm, 0, &s->regs);

	if (!rc)
		rc = mh_vcpu_get_sregs(vm, 0, &s->sregs);
	return rc ? rc : mh_vm_mem_read(vm, 0, s->memory, MEMORY_BYTES);
}

static int put(struct mh_vm *vm, const struct snapshot *s)
{
	int rc = mh_vm_mem_write(vm, 0, s->memory, MEMORY_BYTES);

	if (!rc)
		rc = mh_vcpu_set_sregs(vm, 0, &s->sregs);
	return rc ? rc : mh_vcpu_set_regs(vm, 0, &s->regs);
}

/* Runs until the guest waits, and then, when *s is taken, to its end. */
static int run_first(struct mh_vm *vm, struct snapshot *s)
{
	struct pollfd fd = { .fd = waits[0], .events = POLLIN };
	int rc = take(vm, s);

	s->sregs.cs.selector = 0;
	s->sregs.cs.base = 0;
	s->regs.rip = CODE;
	s->regs.rax = '0';
	memcpy(s->memory + CODE, code, sizeof(code));
	if (!rc)
		rc = put(vm, s);
	if (!rc)
		rc = mh_vm_start(vm);
	if (!rc && poll(&fd, 1, 10000) != 1)
		rc = MH_ETIMEDOUT;
	if (!rc)
		rc = mh_vm_pause(vm);
	if (!rc)
		rc = take(vm, s);
	s->memory[LEAVE] = 1;
	if (!rc)
		rc = mh_vm_mem_write(vm, LEAVE, &s->memory[LEAVE], 1);
	if (!rc)
		rc = mh_vm_resume(vm);
	return rc ? rc : mh_vm_wait(vm, 10000);
}

int main(void)
{
	struct mh_vm *first = NULL, *second = NULL;
	static struct snapshot s;
	struct mh_ctx *ctx = NULL;
	int rc;

	if (pipe(waits) || mh_ctx_create(NULL, &ctx))
		return EXIT_FAILURE;
	rc = make(ctx, &first);
	if (!rc)
		rc = run_first(first, &s);
	putchar('\n');
	if (!rc)
		rc = make(ctx, &second);
	if (!rc)
		rc = put(second, &s);
	if (!rc)
		rc = mh_vm_start(second);
	if (!rc)
		rc = mh_vm_wait(second, 10000);
	putchar('\n');
	if (rc)
		fprintf(stderr, "snapshot: %s: %s\n", mh_strerror(rc), mh_last_error(ctx));
	mh_vm_destroy(second);
	mh_vm_destroy(first);
	mh_ctx_destroy(ctx);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

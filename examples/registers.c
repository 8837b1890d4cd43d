/* SPDX-License-Identifier: MIT */
/*
 * Memory and registers: gives the guest memory of this program's own, hands it a table to add up,
 * and reads the sum from its registers and from that memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <macrohard/macrohard.h>

#define MEMORY_BYTES (64u << 10)
#define CODE 0x1000
#define TABLE 0x2000
#define SUM 0x3000
#define NUMBERS 100
#define PORT_STOP 0xf4

/*
 * 16-bit code, cx numbers at si, the sum to di:
 *               add: add ax, [si]
 *                    add si, 2
 *                    loop add
 *                    mov [di], ax
 *                    out 0xf4, al
 *                    hlt
 */
static const unsigned char code[] = {
	0x03, 0x04, 0x83, 0xc6, 0x02, 0xe2, 0xf9, 0x89, 0x05, 0xe6, PORT_STOP, 0xf4,
};

static void on_stop(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	mh_vm_stop(opaque);
}

static int set_registers(struct mh_vm *vm)
{
	struct mh_sregs sregs;
	struct mh_regs regs;
	int rc = mh_vcpu_get_sregs(vm, 0, &sregs);

	if (rc)
		return rc;
	/* Out of reset the code segment is at the end of the address space. */
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	rc = mh_vcpu_set_sregs(vm, 0, &sregs);
	memset(&regs, 0, sizeof(regs));
	regs.rip = CODE;
	regs.rflags = 2;
	regs.rsi = TABLE;
	regs.rcx = NUMBERS;
	regs.rdi = SUM;
	return rc ? rc : mh_vcpu_set_regs(vm, 0, &regs);
}

static int run(struct mh_vm *vm, unsigned char *memory)
{
	const struct mh_io_ops stop = { 1, NULL, on_stop };
	struct mh_regs regs;
	uint16_t sum;
	int rc;

	/* From now on the guest's address 0 is *memory, for both of us. */
	rc = mh_vm_mem_map(vm, 0, memory, MEMORY_BYTES, 0);
	if (!rc)
		rc = mh_vm_pio_add(vm, PORT_STOP, 1, &stop, vm);
	if (!rc)
		rc = set_registers(vm);
	if (!rc)
		rc = mh_vm_start(vm);
	if (!rc)
		rc = mh_vm_wait(vm, 10000);
	if (!rc)
		rc = mh_vcpu_get_regs(vm, 0, &regs);
	if (rc)
		return rc;
	memcpy(&sum, memory + SUM, sizeof(sum));
	printf("sum in ax: %u, in memory: %u; si went from %#x to %#x\n",
	       (unsigned int)(regs.rax & 0xffff), sum, TABLE, (unsigned int)regs.rsi);
	return 0;
}

int main(void)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_ctx *ctx = NULL;
	struct mh_vm *vm = NULL;
	unsigned char *memory;
	int rc;

	memory =
		mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mh_ctx_create(NULL, &ctx)) {
		fprintf(stderr, "registers: out of memory\n");
		return EXIT_FAILURE;
	}
	memcpy(memory + CODE, code, sizeof(code));
	for (uint16_t n = 0; n < NUMBERS; n++) {
		uint16_t number = (uint16_t)(n + 1);

		memcpy(memory + TABLE + 2 * n, &number, sizeof(number));
	}
	config.name = "registers";
	config.flags = MH_VM_BARE;
	rc = mh_vm_create(ctx, &config, &vm);
	if (!rc)
		rc = run(vm, memory);
	if (rc)
		fprintf(stderr, "registers: %s\n", mh_last_error(ctx));
	mh_vm_destroy(vm);
	mh_ctx_destroy(ctx);
	munmap(memory, MEMORY_BYTES);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

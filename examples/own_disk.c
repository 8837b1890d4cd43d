/* SPDX-License-Identifier: MIT */
/*
 * A disk of the program's own (virtio-blk): the guest reads and writes the program's memory, in
 * which only what was written takes room. At the end it tells what was asked of it.
 *
 * Usage: own_disk KERNEL INITRD COMMAND-LINE
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <macrohard/macrohard.h>

#define DISK_BYTES (2u << 20)
#define CHUNK 65536u

static struct {
	/* Up to 16 threads of the library call at a time. */
	pthread_mutex_t lock;
	unsigned char *chunk[DISK_BYTES / CHUNK]; /* NULL: zeroes */
	unsigned int reads, writes, flushes;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Copy between a piece of guest memory and the disk; the piece may cross chunks. */
static int copy(uint64_t offset, const struct iovec *iov, int write)
{
	for (size_t done = 0, n; done < iov->iov_len; done += n, offset += n) {
		unsigned char *memory = (unsigned char *)iov->iov_base + done;
		unsigned char **chunk = &disk.chunk[offset / CHUNK];

		n = CHUNK - offset % CHUNK;
		if (n > iov->iov_len - done)
			n = iov->iov_len - done;
		if (write && !*chunk)
			*chunk = calloc(1, CHUNK);
		if (write && !*chunk)
			return MH_ENOSPC; /* the guest sees an I/O error */
		if (write)
			memcpy(*chunk + offset % CHUNK, memory, n);
		else if (*chunk)
			memcpy(memory, *chunk + offset % CHUNK, n);
		else
			memset(memory, 0, n);
	}
	return 0;
}

/* Offsets and lengths lie within the disk: the library has checked them. */
static int transfer(uint64_t offset, const struct iovec *iov, uint32_t count, int write)
{
	int rc = 0;

	pthread_mutex_lock(&disk.lock);
	disk.reads += !write;
	disk.writes += write;
	for (uint32_t i = 0; i < count && !rc; offset += iov[i++].iov_len)
		rc = copy(offset, &iov[i], write);
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

static int disk_read(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count)
{
	return transfer(offset, iov, count, 0);
}

static int disk_write(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count)
{
	return transfer(offset, iov, count, 1);
}

/* Memory is as stable as it gets here; a file would be synced. */
static int disk_flush(void *opaque)
{
	pthread_mutex_lock(&disk.lock);
	disk.flushes++;
	pthread_mutex_unlock(&disk.lock);
	return 0;
}

/* When the device is gone, nothing is called any more. */
static void disk_close(void *opaque)
{
	printf("reads: %s, writes: %s, flushes: %s\n", disk.reads ? "yes" : "no",
	       disk.writes ? "yes" : "no", disk.flushes ? "yes" : "no");
	for (unsigned int i = 0; i < DISK_BYTES / CHUNK; i++)
		free(disk.chunk[i]);
}

static const struct mh_block_ops disk_ops = {
	.version = 1,
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.close = disk_close,
};

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stdout);
	fflush(stdout);
}

static int run(struct mh_vm *vm, char **argv)
{
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_disk_config config = MH_DISK_CONFIG_INIT;
	int rc;

	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = argv[3];
	config.ops = &disk_ops;
	config.bytes = DISK_BYTES;
	config.serial = "lab-disk"; /* /dev/disk/by-id/virtio-lab-disk */
	rc = mh_vm_boot(vm, &boot);
	if (!rc)
		rc = mh_serial_attach(vm, 0, on_serial, NULL);
	if (!rc)
		rc = mh_disk_attach(vm, &config, NULL);
	if (!rc)
		rc = mh_vm_start(vm);
	return rc ? rc : mh_vm_wait(vm, -1);
}

int main(int argc, char **argv)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_ctx *ctx;
	struct mh_vm *vm = NULL;
	int rc;

	if (argc != 4) {
		fprintf(stderr, "usage: own_disk KERNEL INITRD COMMAND-LINE\n");
		return 2;
	}
	if (mh_ctx_create(NULL, &ctx))
		return EXIT_FAILURE;
	config.memory_bytes = 256u << 20;
	config.flags = MH_VM_STOP_ON_RESET;
	rc = mh_vm_create(ctx, &config, &vm);
	if (!rc)
		rc = run(vm, argv);
	if (rc)
		fprintf(stderr, "own_disk: %s\n", mh_last_error(ctx));
	mh_vm_destroy(vm);
	mh_ctx_destroy(ctx);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

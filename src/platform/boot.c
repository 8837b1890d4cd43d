/* SPDX-License-Identifier: MIT */
/* Reading a kernel and its initrd from files, and choosing the loader by the image's format. */
#include "platform/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/le.h"
#include "platform/machine_priv.h"

/* No kernel image is near this; it bounds what a wrong path can cost. */
#define KERNEL_BYTES_MAX (1ull << 30)
/* An initrd lies below the hole. */
#define INITRD_BYTES_MAX MHI_RAM_HOLE_START

/* Nor is firmware, which lies between the local APICs and 4 GiB. */
#define FIRMWARE_BYTES_MAX (16ull << 20)

#define NAME_SHOWN 160 /* of a path in messages: its end, so that the cause still fits behind it */

static const char *shown(const char *path)
{
	size_t len = strlen(path);

	return len > NAME_SHOWN ? path + len - NAME_SHOWN : path;
}

int mhi_boot_error(const struct mhi_boot *boot, struct mhi_err *err, int code, const char *fmt, ...)
{
	char text[MHI_ERR_TEXT - NAME_SHOWN];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return mhi_err_set(err, code, "%s %s: %s",
			   boot->format == &mhi_boot_firmware ? "firmware" : "kernel",
			   shown(boot->kernel.path), text);
}

static int open_error(const char *what, const char *path, struct mhi_err *err)
{
	int code = MH_EIO;

	if (errno == ENOENT || errno == ENOTDIR)
		code = MH_ENOENT;
	else if (errno == EACCES || errno == EPERM)
		code = MH_EPERM;
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		return mhi_err_set(err, MH_ENOMEM,
				   "%s %s: cannot be opened: %m; close files or raise the limit "
				   "(ulimit -n)",
				   what, shown(path));
	return mhi_err_set(err, code,
			   "%s %s: cannot be opened: %m; check the path and its permissions", what,
			   shown(path));
}

/* All of a file whose size is known; one that shrinks meanwhile is an error. */
static int read_all(int fd, const char *what, struct mhi_boot_file *f, struct mhi_err *err)
{
	u64 done = 0;

	while (done < f->bytes) {
		ssize_t n = read(fd, f->data + done, f->bytes - done);

		if (n > 0)
			done += (u64)n;
		else if (n == 0)
			return mhi_err_set(err, MH_EIO,
					   "%s %s: became shorter while it was read; do not change "
					   "it meanwhile",
					   what, shown(f->path));
		else if (errno != EINTR)
			return mhi_err_set(err, MH_EIO, "%s %s: cannot be read: %m", what,
					   shown(f->path));
	}
	return 0;
}

static int check_size(const struct stat *st, const char *what, const char *path, u64 max,
		      struct mhi_err *err)
{
	if (!S_ISREG(st->st_mode))
		return mhi_err_set(err, MH_EFORMAT, "%s %s: is not a regular file; name a file",
				   what, shown(path));
	if (!st->st_size)
		return mhi_err_set(err, MH_EFORMAT, "%s %s: is empty; name another file", what,
				   shown(path));
	if ((u64)st->st_size > max)
		return mhi_err_set(err, MH_ERANGE,
				   "%s %s: %llu bytes are more than the %llu that can be loaded; "
				   "use a smaller one",
				   what, shown(path), (u64)st->st_size, max);
	return 0;
}

static int read_file(struct mhi_boot_file *f, const char *what, const char *path, u64 max,
		     struct mhi_err *err)
{
	struct stat st;
	int fd, rc;

	f->path = strdup(path);
	if (!f->path)
		return mhi_err_set(err, MH_ENOMEM, "%s: " MHI_NO_MEMORY, what);
	/* A FIFO must not make the open wait. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return open_error(what, path, err);
	if (fstat(fd, &st)) {
		rc = mhi_err_set(err, MH_EIO, "%s %s: cannot be examined: %m", what, shown(path));
		goto out;
	}
	rc = check_size(&st, what, path, max, err);
	if (rc)
		goto out;
	f->data = malloc((size_t)st.st_size);
	if (!f->data) {
		rc = mhi_err_set(err, MH_ENOMEM,
				 "%s %s: no memory for its %llu bytes; free some, or raise the "
				 "limit (ulimit -v)",
				 what, shown(path), (u64)st.st_size);
		goto out;
	}
	f->bytes = (u64)st.st_size;
	rc = read_all(fd, what, f, err);
out:
	close(fd);
	return rc;
}

struct magic {
	u8 bytes[6];
	u8 len;
	const char *tool;
};

static const struct magic compressed[] = {
	{ { 0x1f, 0x8b }, 2, "gzip" },
	{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, "zstd" },
	{ { 0xfd, '7', 'z', 'X', 'Z' }, 5, "xz" },
	{ { 'B', 'Z', 'h' }, 3, "bzip2" },
	{ { 0x04, 0x22, 0x4d, 0x18 }, 4, "lz4" },
};

#define BZIMAGE_MAGIC_AT 0x202
#define BZIMAGE_MAGIC 0x53726448u /* "HdrS": boot protocol 1.3 "header" */

static int choose_format(struct mhi_boot *boot, struct mhi_err *err)
{
	const u8 *data = boot->kernel.data;
	u64 bytes = boot->kernel.bytes;

	if (bytes >= 4 && !memcmp(data, "\177ELF", 4)) {
		boot->format = &mhi_boot_elf;
		return 0;
	}
	if (bytes >= BZIMAGE_MAGIC_AT + 4 &&
	    mhi_get_le32(data + BZIMAGE_MAGIC_AT) == BZIMAGE_MAGIC) {
		boot->format = &mhi_boot_bzimage;
		return 0;
	}
	for (size_t i = 0; i < MHI_COUNT(compressed); i++)
		if (bytes >= compressed[i].len &&
		    !memcmp(data, compressed[i].bytes, compressed[i].len))
			return mhi_boot_error(boot, err, MH_EFORMAT,
					      "is compressed as a whole with %s; decompress it",
					      compressed[i].tool);
	return mhi_boot_error(boot, err, MH_EFORMAT,
			      "neither a bzImage (\"HdrS\" at 0x202) nor an ELF file; name a Linux "
			      "bzImage or vmlinux for x86-64, or a PVH kernel");
}

static int read_all_parts(struct mhi_boot *boot, const char *kernel, const char *initrd,
			  struct mhi_err *err)
{
	int rc = read_file(&boot->kernel, "kernel", kernel, KERNEL_BYTES_MAX, err);

	if (!rc && initrd)
		rc = read_file(&boot->initrd, "initrd", initrd, INITRD_BYTES_MAX, err);
	if (!rc)
		rc = choose_format(boot, err);
	return rc ? rc : boot->format->parse(boot, err);
}

int mhi_boot_create(const char *kernel, const char *initrd, const char *cmdline,
		    struct mhi_boot **out, struct mhi_err *err)
{
	struct mhi_boot *boot;
	int rc;

	if (!kernel)
		return mhi_err_set(err, MH_EINVAL, "booting: no kernel was named; give its path");
	boot = calloc(1, sizeof(*boot));
	if (!boot)
		return mhi_err_set(err, MH_ENOMEM, "booting %s: " MHI_NO_MEMORY, shown(kernel));
	boot->cmdline = strdup(cmdline ? cmdline : "");
	if (!boot->cmdline) {
		rc = mhi_err_set(err, MH_ENOMEM, "booting %s: " MHI_NO_MEMORY, shown(kernel));
		goto fail;
	}
	boot->cmdline_bytes = strlen(boot->cmdline);
	rc = read_all_parts(boot, kernel, initrd, err);
	if (rc)
		goto fail;
	*out = boot;
	return 0;
fail:
	mhi_boot_destroy(boot);
	return rc;
}

int mhi_boot_create_firmware(const char *path, struct mhi_boot **out, struct mhi_err *err)
{
	struct mhi_boot *boot = calloc(1, sizeof(*boot));
	int rc;

	if (!boot)
		return mhi_err_set(err, MH_ENOMEM, "firmware %s: " MHI_NO_MEMORY, shown(path));
	boot->format = &mhi_boot_firmware;
	rc = read_file(&boot->kernel, "firmware", path, FIRMWARE_BYTES_MAX, err);
	if (!rc)
		rc = boot->format->parse(boot, err);
	if (rc)
		mhi_boot_destroy(boot);
	else
		*out = boot;
	return rc;
}

const void *mhi_boot_rom(const struct mhi_boot *boot, u64 *bytes)
{
	*bytes = boot->rom ? boot->kernel.bytes : 0;
	return boot->rom;
}

void mhi_boot_destroy(struct mhi_boot *boot)
{
	if (!boot)
		return;
	free(boot->kernel.path);
	free(boot->kernel.data);
	free(boot->rom);
	free(boot->initrd.path);
	free(boot->initrd.data);
	free(boot->cmdline);
	free(boot);
}

int mhi_boot_load(const struct mhi_boot *boot, const struct mhi_machine *machine,
		  struct mhi_entry *entry, struct mhi_err *err)
{
	u64 ram = machine->env.ram_bytes;
	struct mhi_boot_target to = {
		.mem = machine->env.mem,
		.ram_bytes = ram,
		.low_end = ram < MHI_RAM_HOLE_START ? ram : MHI_RAM_HOLE_START,
	};

	if (!ram)
		return mhi_boot_error(
			boot, err, MH_EINVAL,
			"the VM has no memory of its own; create it with memory_bytes");
	return boot->format->load(boot, &to, entry, err);
}

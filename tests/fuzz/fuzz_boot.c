// SPDX-License-Identifier: MIT
/*
 * Fuzzes the loaders of kernels (libFuzzer): a good ELF file or bzImage, bytes of which the input
 * changes. What is parsed lies in the file, and what is loaded is written to the guest's RAM only.
 */
#include <string.h>

#include "core/le.h"
#include "fuzz.h"
#include "guest_ram.h"
#include "platform/boot.h"

#define IMAGE 4096
#define RAM (64ull << 20)

static u8 image[IMAGE], initrd[100];

/* Two segments and a note that names PVH's entry. */
static void make_elf(void)
{
	static const u8 note[] = {
		4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0, 'X', 'e', 'n', 0, 0, 0, 16
	};
	u8 *ph = image + 64;

	memcpy(image, "\177ELF\2\1\1", 7);
	mhi_put_le16(image + 16, 2);
	mhi_put_le16(image + 18, 62);
	mhi_put_le64(image + 24, 0x100000);
	mhi_put_le64(image + 32, 64);
	mhi_put_le16(image + 54, 56);
	mhi_put_le16(image + 56, 3);
	for (u32 n = 0; n < 3; n++, ph += 56) {
		mhi_put_le32(ph, n == 2 ? 4 : 1);
		mhi_put_le64(ph + 8, 512 + 512 * n);
		mhi_put_le64(ph + 24, 0x100000 + 0x10000 * n);
		mhi_put_le64(ph + 32, n == 2 ? 20 : 512);
		mhi_put_le64(ph + 40, n == 2 ? 20 : 0x1000);
		mhi_put_le64(ph + 48, 4);
	}
	memcpy(image + 1536, note, sizeof(note));
}

/* Linux' Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". */
static void make_bzimage(void)
{
	image[0x1f1] = 1;
	mhi_put_le32(image + 0x1f4, (IMAGE - 1024) / 16);
	mhi_put_le16(image + 0x1fe, 0xaa55);
	image[0x201] = 0x66;
	memcpy(image + 0x202, "HdrS", 4);
	mhi_put_le16(image + 0x206, 0x020f);
	image[0x211] = 1;
	mhi_put_le32(image + 0x22c, 0x7fffffff);
	mhi_put_le32(image + 0x230, 0x200000);
	image[0x234] = 1;
	image[0x236] = 1;
	mhi_put_le32(image + 0x238, 2047);
	mhi_put_le64(image + 0x258, 0x1000000);
	mhi_put_le32(image + 0x260, 0x100000);
}

static void patch(struct fuzz_input *in)
{
	while (fuzz_more(in)) {
		u32 at = (u32)fuzz_take(in, 2), bytes = (u32)fuzz_take(in, 1) % 9;

		/* Most of them go to the headers. */
		at = at & 0x8000 ? at % IMAGE : at % 0x300;
		while (bytes-- && at < IMAGE)
			image[at++] = (u8)fuzz_take(in, 1);
	}
}

static void check_elf(const struct mhi_boot *boot)
{
	const struct mhi_boot_elf *elf = &boot->u.elf;

	for (unsigned int n = 0; n < elf->segments; n++) {
		const struct mhi_boot_segment *s = &elf->segment[n];

		if (s->offset > boot->kernel.bytes ||
		    s->file_bytes > boot->kernel.bytes - s->offset || s->file_bytes > s->bytes)
			fuzz_die("a segment", "is not in the file");
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct guest_ram ram;
	struct fuzz_input in = { data, data + size };
	u8 shape = (u8)fuzz_take(&in, 1);
	char path[] = "image", cmdline[] = "quiet";
	struct mhi_boot boot = { .format = shape & 1 ? &mhi_boot_elf : &mhi_boot_bzimage,
				 .cmdline = cmdline,
				 .cmdline_bytes = sizeof(cmdline) - 1 };
	struct mhi_boot_target to = { &ram.mem, RAM, RAM };
	bool good = size <= 2;
	struct mhi_entry entry;
	struct mhi_err err;
	int rc;

	if (!ram.host)
		guest_ram_init(&ram, RAM);
	memset(image, 0, sizeof(image));
	shape & 1 ? make_elf() : make_bzimage();
	patch(&in);
	boot.kernel = (struct mhi_boot_file){ path, malloc(IMAGE), IMAGE };
	if (shape & 2)
		boot.initrd = (struct mhi_boot_file){ path, initrd, sizeof(initrd) };
	if (shape & 4 && shape >= 8)
		boot.kernel.bytes = IMAGE / 256 * (u64)shape;
	memcpy(boot.kernel.data, image, IMAGE);
	boot.kernel.data = realloc(boot.kernel.data, boot.kernel.bytes);
	rc = boot.format->parse(&boot, &err);
	if (!rc && (shape & 1))
		check_elf(&boot);
	if (!rc)
		rc = boot.format->load(&boot, &to, &entry, &err);
	if (rc && good && !(shape & 4))
		fuzz_die("a good image is refused", err.text);
	free(boot.kernel.data);
	return 0;
}

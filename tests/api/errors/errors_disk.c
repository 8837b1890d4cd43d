// SPDX-License-Identifier: MIT
/* Failures of disk images: creating, opening, checking, resizing, converting. */
#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "QFI\xfb"

static struct mh_disk_create_config config;

static void start_over(void)
{
	config = (struct mh_disk_create_config)MH_DISK_CREATE_CONFIG_INIT;
	config.bytes = 1u << 20;
}

/* ---- making images ---- */

static int create_twice(void)
{
	start_over();
	return mh_disk_create(ctx, make_image("twice.qcow2"), &config);
}

static int create_no_size(void)
{
	start_over();
	config.size = 0;
	return mh_disk_create(ctx, "new.qcow2", &config);
}

static int create_no_folder(void)
{
	start_over();
	return mh_disk_create(ctx, "gone/new.qcow2", &config);
}

static int create_forbidden(void)
{
	int rc;

	start_over();
	mkdir("locked", 0700);
	drop_rights(true);
	rc = mh_disk_create(ctx, "locked/new.qcow2", &config);
	drop_rights(false);
	return geteuid() ? CANNOT : rc;
}

static int create_format(void)
{
	start_over();
	config.format = "vmdk";
	return mh_disk_create(ctx, "new.vmdk", &config);
}

static int create_empty(void)
{
	start_over();
	config.bytes = 0;
	return mh_disk_create(ctx, "new.qcow2", &config);
}

static int create_odd(void)
{
	start_over();
	config.bytes = 1000;
	return mh_disk_create(ctx, "new.qcow2", &config);
}

static int create_clusters(void)
{
	start_over();
	config.cluster_bytes = 1000;
	return mh_disk_create(ctx, "new.qcow2", &config);
}

static int create_raw(void)
{
	start_over();
	config.format = "raw";
	config.cluster_bytes = 65536;
	return mh_disk_create(ctx, "new.raw", &config);
}

static int create_backing(void)
{
	start_over();
	config.backing = "base.qcow2";
	return mh_disk_create(ctx, "new.qcow2", &config);
}

static int create_too_large(void)
{
	start_over();
	config.bytes = 1ull << 60;
	config.cluster_bytes = 512;
	return mh_disk_create(ctx, "new.qcow2", &config);
}

/* 4 MiB of data into a file system of 1 MiB. */
static int convert_full(void)
{
	struct mh_disk_convert_config c = MH_DISK_CONVERT_CONFIG_INIT;
	char *bytes = malloc(4u << 20);

	if (!bytes || !small_folder()) {
		free(bytes);
		return CANNOT;
	}
	memset(bytes, 'x', 4u << 20);
	c.from = make_file("data.raw", bytes, 4u << 20);
	free(bytes);
	c.from_format = "raw";
	c.to = "small/data.qcow2";
	return mh_disk_convert(ctx, &c);
}

static int stop(void *opaque, uint64_t done, uint64_t total)
{
	return 1;
}

static int convert_stopped(void)
{
	struct mh_disk_convert_config c = MH_DISK_CONVERT_CONFIG_INIT;

	c.from = make_image("from.qcow2");
	c.to = "to.qcow2";
	c.progress = stop;
	return mh_disk_convert(ctx, &c);
}

static const struct error_row create_rows[] = {
	{ "there is such a file", create_twice, MH_EEXIST, "create 'twice.qcow2'", "File exists",
	  "choose another name or remove it first", NULL },
	{ "the configuration's size is not set", create_no_size, MH_EINVAL, "create 'new.qcow2'",
	  "size is 0, not *", "use the INIT macro", NULL },
	{ "the folder is not there", create_no_folder, MH_ENOENT, "create 'gone/new.qcow2'",
	  "No such file or directory", "correct the path, or make its folder", NULL },
	{ "no right to write there", create_forbidden, MH_EPERM, "create 'locked/new.qcow2'",
	  "Permission denied", "give this user the right, or run as another one", NULL },
	{ "an unknown format", create_format, MH_EINVAL, "create 'new.vmdk'",
	  "unknown image format 'vmdk'", "use raw or qcow2", NULL },
	{ "neither size nor backing file", create_empty, MH_EINVAL, "create 'new.qcow2'",
	  "bytes is 0 and there is no backing file", "set one of them", NULL },
	{ "a size of no whole sectors", create_odd, MH_EINVAL, "create 'new.qcow2'",
	  "bytes is 1000: not a multiple of 512, or too large", "round it", NULL },
	{ "odd clusters", create_clusters, MH_EINVAL, "create 'new.qcow2'",
	  "clusters of 1000 bytes", "choose a power of two from 512 to 2M", NULL },
	{ "a raw image with clusters", create_raw, MH_EINVAL, "create 'new.raw'",
	  "a raw image has neither a backing file nor clusters", "leave them out, or make it qcow2",
	  NULL },
	{ "the backing file is not there", create_backing, MH_ENOENT,
	  "create 'new.qcow2': open for reading 'base.qcow2'", "No such file or directory",
	  "correct the path, or create it", NULL },
	{ "too many small clusters", create_too_large, MH_EINVAL, "create 'new.qcow2'",
	  "1152921504606846976 bytes are too many for clusters of 512 bytes", "take larger ones",
	  NULL },
	{ "the disk is full in the middle of a copy", convert_full, MH_ENOSPC,
	  "convert 'data.raw' to 'small/data.qcow2'", "no space left",
	  "free some there, or choose another place", NULL },
	{ "the copy was stopped", convert_stopped, MH_ESTATE, "convert 'from.qcow2' to 'to.qcow2'",
	  "stopped by its progress function", "begin anew", NULL },
};
ERROR_GROUP(disk_errors, "Making disk images", NEEDS_NOTHING, create_rows);

/* ---- images that are there ---- */

static int info(const char *name, const char *format)
{
	struct mh_disk_info *out;
	int rc = mh_disk_info(ctx, name, format, &out);

	if (!rc)
		mh_disk_info_free(out);
	return rc;
}

static int check(const char *name, mh_disk_progress_fn *progress)
{
	struct mh_disk_report report = MH_DISK_REPORT_INIT;

	return mh_disk_check(ctx, name, 0, &report, progress, NULL);
}

static int info_gone(void)
{
	return info("gone.qcow2", NULL);
}

static int info_folder(void)
{
	return info("/", NULL);
}

static int info_pointer(void)
{
	return mh_disk_info(ctx, "gone.qcow2", NULL, NULL);
}

static int info_forbidden(void)
{
	int rc;

	chmod(make_image("mine.qcow2"), 0);
	drop_rights(true);
	rc = info("mine.qcow2", NULL);
	drop_rights(false);
	return rc;
}

static int not_qcow2(void)
{
	char text[1024] = "text";

	return info(make_file("text.qcow2", text, sizeof(text)), "qcow2");
}

static int old_version(void)
{
	return info(make_broken("old.qcow2", 4, "\0\0\0\1", 4), NULL);
}

static int encrypted(void)
{
	return check(make_broken("secret.qcow2", 32, "\0\0\0\2", 4), NULL);
}

static int cluster_bits(void)
{
	return info(make_broken("bits.qcow2", 20, "\0\0\0\77", 4), NULL);
}

static int unknown_feature(void)
{
	return info(make_broken("new.qcow2", 72, "\200", 1), NULL);
}

static int marked_corrupt(void)
{
	return mh_disk_resize(ctx, make_broken("corrupt.qcow2", 79, "\2", 1), NULL, 2u << 20);
}

static int backing_loop(void)
{
	start_over();
	make_image("a.qcow2");
	config.backing = "a.qcow2";
	unlink("b.qcow2");
	if (mh_disk_create(ctx, "b.qcow2", &config))
		die(mh_last_error(ctx));
	unlink("a.qcow2");
	if (rename("b.qcow2", "a.qcow2"))
		die("rename");
	return mh_disk_resize(ctx, "a.qcow2", NULL, 2u << 20);
}

static int in_use(void)
{
	lock_elsewhere(make_image("used.qcow2"));
	return mh_disk_resize(ctx, "used.qcow2", NULL, 2u << 20);
}

static int shrink(void)
{
	return mh_disk_resize(ctx, make_image("large.qcow2"), NULL, 512u << 10);
}

static int resize_odd(void)
{
	return mh_disk_resize(ctx, make_image("large.qcow2"), NULL, 1000);
}

static int resize_too_far(void)
{
	start_over();
	config.cluster_bytes = 512;
	unlink("fine.qcow2");
	if (mh_disk_create(ctx, "fine.qcow2", &config))
		die(mh_last_error(ctx));
	return mh_disk_resize(ctx, "fine.qcow2", NULL, 1ull << 60);
}

static int check_raw(void)
{
	return check(make_file("disk.raw", NULL, 1u << 20), NULL);
}

static int check_stopped(void)
{
	return check(make_image("whole.qcow2"), stop);
}

static int check_report(void)
{
	struct mh_disk_report report = { 0 };

	return mh_disk_check(ctx, "whole.qcow2", 0, &report, NULL, NULL);
}

static const struct error_row image_rows[] = {
	{ "the image is not there", info_gone, MH_ENOENT, "open for reading 'gone.qcow2'",
	  "No such file or directory", "correct the path, or create it", NULL },
	{ "the image is a folder", info_folder, MH_EINVAL, "open '/'",
	  "it is neither a regular file nor a block device", "name one", NULL },
	{ "the answer has no place", info_pointer, MH_EINVAL, "info of 'gone.qcow2'", "out is NULL",
	  "pass one", NULL },
	{ "no right to read it", info_forbidden, MH_EPERM, "open for reading 'mine.qcow2'",
	  "Permission denied", "give this user the right, or run as another one", NULL },
	{ "a text that is said to be qcow2", not_qcow2, MH_EFORMAT, "open 'text.qcow2'",
	  "it is not a qcow2 image: no magic number", "name its format, or leave it out", NULL },
	{ "the first version of qcow", old_version, MH_ENOTSUP, "open 'old.qcow2'",
	  "the qcow2 image uses version 1 (qcow), which is not supported",
	  "'qemu-img convert -O qcow2' makes a version 3", NULL },
	{ "an encrypted image", encrypted, MH_ENOTSUP, "open 'secret.qcow2'",
	  "the qcow2 image uses LUKS encryption, which is not supported",
	  "decrypt it with 'qemu-img convert'", NULL },
	{ "clusters that cannot be", cluster_bits, MH_EFORMAT, "open 'bits.qcow2'",
	  "qcow2 header: cluster_bits is 0x3f: *", "the image is damaged: take a copy of it",
	  NULL },
	{ "a feature that nobody knows", unknown_feature, MH_ENOTSUP, "open 'new.qcow2'",
	  "the qcow2 image uses unknown incompatible features 0x8000000000000000",
	  "convert it with the program that made it", NULL },
	{ "an image that is known to be damaged", marked_corrupt, MH_EFORMAT,
	  "open 'corrupt.qcow2'", "the qcow2 image is marked corrupt",
	  "check and repair it first, or open it read-only to save what can be read", NULL },
	{ "an image that is its own backing file", backing_loop, MH_EFORMAT,
	  "backing file of 'a.qcow2'",
	  "'a.qcow2' is a backing file of itself: its chain leads back to 'a.qcow2'",
	  "name another by 'qemu-img rebase -u'", NULL },
	{ "an image in use by another process", in_use, MH_EBUSY, "open 'used.qcow2' for writing",
	  "process * (*) has it open", "stop that first", NULL },
	{ "making a qcow2 image smaller", shrink, MH_ENOTSUP, "'large.qcow2': resize",
	  "from 1048576 to 524288 bytes: a qcow2 image cannot be made smaller",
	  "convert it to a new one", NULL },
	{ "a new size of no whole sectors", resize_odd, MH_EINVAL, "resize 'large.qcow2'",
	  "1000 bytes: not a multiple of 512, or too large", "round it", NULL },
	{ "larger than its clusters allow", resize_too_far, MH_ERANGE, "'fine.qcow2': resize",
	  "1152921504606846976 bytes are too many for clusters of 512 bytes",
	  "convert it to one with larger clusters", NULL },
	{ "checking a raw image", check_raw, MH_ENOTSUP, "check 'disk.raw'",
	  "it is a raw image, which has nothing to check", "check what is in it with its own tools",
	  NULL },
	{ "the check was stopped", check_stopped, MH_ESTATE, "check 'whole.qcow2'",
	  "stopped by its progress function", "begin anew", NULL },
	{ "the report's size is not set", check_report, MH_EINVAL, "check 'whole.qcow2'",
	  "size is 0, not *", "use the INIT macro", NULL },
};
ERROR_GROUP(image_errors, "Disk images that are there", NEEDS_NOTHING, image_rows);

// SPDX-License-Identifier: MIT
/* VMs made from documents: their devices, files that are not there, what is undone on errors. */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/impl.h"
#include "fake_image.h"

static char folder[64];

static void touch(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
}

static void set_up(void)
{
	api_set_up();
	snprintf(folder, sizeof(folder), "/tmp/config-vm-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	touch("kernel");
	touch("disk");
	touch("disk2");
}

static void tear_down(void)
{
	static const char *const names[] = { "kernel", "disk", "disk2" };
	char path[128];

	for (int n = 0; n < 3; n++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[n]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(folder), 0);
	api_tear_down();
}

static struct mh_config *parse(const char *rest)
{
	struct mh_config *config = NULL;
	char text[2048];
	int n = snprintf(text, sizeof(text),
			 "{\"schema\": \"macrohard.vm/1\", \"name\": \"Windows 11\","
			 "\"memory\": \"2M\", %s}",
			 rest);

	ck_assert_msg(!mh_config_parse(ctx, text, (size_t)n, "vm.json", folder, &config), "%s",
		      mh_last_error(ctx));
	return config;
}

static void expect_error(const char *rest, int error, const char *text)
{
	struct mh_config *config = parse(rest);
	struct mh_vm *vm = NULL;
	char want[512];

	snprintf(want, sizeof(want), text, folder);
	ck_assert_int_eq(mh_config_create(ctx, config, NULL, &vm), error);
	ck_assert_ptr_null(vm);
	ck_assert_str_eq(mh_last_error(ctx), want);
	mh_config_free(config);
	ck_assert_uint_eq(fake_image.open, 0);
}

#define BOOT "\"boot\": {\"kernel\": \"kernel\"}"

START_TEST(with_all_devices)
{
	struct mh_config_parts parts = MH_CONFIG_PARTS_INIT;
	struct mh_surface surface;
	struct mh_config *config;
	struct mh_vm *vm;

	set_up();
	config = parse(BOOT ", \"cpus\": 3, \"console\": \"virtio\", \"devices\": {"
			    "\"disks\": [{\"path\": \"disk\"}, {\"path\": \"disk2\", \"slot\": 1,"
			    " \"readonly\": true}],"
			    "\"nets\": [{\"kind\": \"user\"}],"
			    "\"shares\": [{\"path\": \".\", \"tag\": \"t\"}],"
			    "\"rng\": {\"slot\": 9}, \"vsock\": {\"cid\": 3}, \"balloon\": {}, "
			    "\"watchdog\": {\"action\": \"pause\", \"slot\": 12}, \"input\": "
			    "{\"touch\": true}, "
			    "\"display\": {\"width\": 800, \"height\": 600, \"vram\": \"8M\"}, "
			    "\"agent\": {\"clipboard\": \"off\"}}");
	ck_assert_int_eq(mh_config_check(ctx, config), 0);
	ck_assert_msg(!mh_config_create(ctx, config, &parts, &vm), "%s", mh_last_error(ctx));
	/* The VM does not need the document any more. */
	mh_config_free(config);
	ck_assert_uint_eq(fake_machine.dev_count, 14);
	ck_assert_ptr_nonnull(mh_vm_agent(vm));
	ck_assert(fake_machine.ps2);
	/* Those with a slot are first. */
	ck_assert_uint_eq(fake_machine.devs[0]->want_slot, 1);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1042);
	ck_assert_uint_eq(fake_machine.devs[1]->want_slot, 9);
	ck_assert_uint_eq(fake_machine.devs[1]->device, 0x1044);
	ck_assert_uint_eq(fake_machine.devs[2]->want_slot, 12);
	ck_assert_uint_eq(fake_machine.devs[2]->device, 0x25ab);
	ck_assert_uint_eq(fake_machine.devs[3]->device, 0x1042);
	ck_assert_uint_eq(fake_machine.devs[8]->device, 0x1052);
	ck_assert_uint_eq(fake_machine.devs[10]->device, 0x1052);
	ck_assert_uint_eq(fake_machine.devs[11]->device, 0x1050);
	ck_assert_uint_eq(fake_machine.devs[12]->device, 0x1043);
	ck_assert_int_eq(mh_display_surface(vm, &surface), 0);
	ck_assert_uint_eq(surface.bytes, 8 << 20);
	close(surface.fd);
	ck_assert_uint_eq(fake_machine.devs[13]->device, 0x1043);
	ck_assert_uint_eq(fake_image.open, 2);
	ck_assert_ptr_nonnull(parts.console);
	ck_assert_int_eq(mh_console_input(parts.console, 0, "x", 1), 1);
	ck_assert_int_eq(mh_balloon_set(parts.balloon, 0), 0);
	ck_assert_int_eq(mh_vsock_cut(parts.vsock, 0), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	mh_vm_destroy(vm);
	tear_down();
}
END_TEST

START_TEST(nothing_but_a_kernel)
{
	struct mh_config_parts parts = MH_CONFIG_PARTS_INIT;
	struct mh_config *config;
	struct mh_vm *vm;

	set_up();
	config = parse(BOOT);
	parts.console = (struct mh_dev *)&parts;
	ck_assert_int_eq(mh_config_create(ctx, config, &parts, &vm), 0);
	ck_assert_ptr_null(parts.console);
	ck_assert_ptr_null(parts.balloon);
	mh_vm_destroy(vm);
	parts.size--;
	ck_assert_int_eq(mh_config_create(ctx, config, &parts, &vm), MH_EINVAL);
	ck_assert_int_eq(mh_config_create(ctx, NULL, NULL, &vm), MH_EINVAL);
	ck_assert_int_eq(mh_config_create(ctx, config, NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_config_create(NULL, config, NULL, &vm), MH_EINVAL);
	ck_assert_int_eq(mh_config_check(ctx, NULL), MH_EINVAL);
	mh_config_free(config);
	tear_down();
}
END_TEST

struct create {
	struct mh_config *config;
	struct mh_vm *vm;
	int rc;
	char text[256];
};

static void create_on_loop(void *opaque)
{
	struct create *c = opaque;

	c->rc = mh_config_create(ctx, c->config, NULL, &c->vm);
	snprintf(c->text, sizeof(c->text), "%s", mh_last_error(ctx));
}

/* There it cannot be given anything to boot, nor be destroyed: it was left over, with no handle. */
START_TEST(from_a_callback)
{
	struct create c = { NULL, NULL, 0, "" };
	struct mhi_loop *loop;

	set_up();
	c.config = parse(BOOT);
	ck_assert_int_eq(mhi_ctx_loop(ctx, &loop, NULL), 0);
	mhi_loop_call(loop, create_on_loop, &c);
	ck_assert_int_eq(c.rc, MH_ESTATE);
	ck_assert_ptr_null(c.vm);
	ck_assert_ptr_nonnull(strstr(c.text, "from a callback; call it from another thread"));
	mh_config_free(c.config);
	tear_down();
}
END_TEST

/* A disk without a kernel: by the firmware that is installed, or that is named. */
START_TEST(firmware)
{
	static const char *const documents[] = {
		"\"devices\": {\"disks\": [{\"path\": \"disk\"}]}",
		"\"boot\": {\"firmware\": \"bios\"}",
		"\"boot\": {\"firmware\": \"kernel\"}",
	};
	struct mh_config_info info = MH_CONFIG_INFO_INIT;
	char path[128];

	set_up();
	snprintf(path, sizeof(path), "%s/kernel", folder);
	fake_machine.rom = aligned_alloc(MH_PAGE_SIZE, FAKE_ROM_BYTES);
	fake_machine.installed = "/bios.bin";
	for (int n = 0; n < 3; n++) {
		struct mh_config *config = parse(documents[n]);
		struct mh_vm *vm;

		ck_assert_msg(!mh_config_create(ctx, config, NULL, &vm), "%s", mh_last_error(ctx));
		ck_assert_uint_eq(fake_machine.rom_bytes, FAKE_ROM_BYTES);
		ck_assert_str_eq(fake_machine.booted, n < 2 ? "/bios.bin" : path);
		ck_assert_int_eq(mh_config_info(config, &info), 0);
		ck_assert_ptr_null(info.kernel);
		if (n)
			ck_assert_str_eq(info.firmware, n < 2 ? "bios" : path);
		mh_vm_destroy(vm);
		mh_config_free(config);
	}
	free((void *)fake_machine.rom);
	tear_down();
}
END_TEST

START_TEST(what_is_not_there)
{
	set_up();
	expect_error("\"cpus\": 1", MH_EINVAL,
		     "vm.json: /boot: missing, and there is no disk to boot from; give a disk, or "
		     "\"boot\" with a \"kernel\"");
	expect_error("\"devices\": {\"disks\": [{\"path\": \"disk\"}]}", MH_ENOENT,
		     "vm.json: /boot: boot configuration of VM \"Windows 11\": fake: no BIOS is "
		     "installed");
	expect_error("\"boot\": {\"firmware\": \"none\"}", MH_ENOENT,
		     "vm.json: /boot/firmware: \"%s/none\": No such file or directory; correct "
		     "the path, or put it there");
	expect_error(BOOT ", \"engine\": \"kvm\"", MH_EINVAL,
		     "vm.json: /engine: the context has the engine \"shim\"; make one that has the "
		     "document's");
	expect_error("\"boot\": {\"kernel\": \"none\"}", MH_ENOENT,
		     "vm.json: /boot/kernel: \"%s/none\": No such file or directory; correct the "
		     "path, or put it there");
	expect_error("\"boot\": {\"kernel\": \"kernel\", \"initrd\": \"kernel/x\"}", MH_ENOENT,
		     "vm.json: /boot/initrd: \"%s/kernel/x\": Not a directory; correct the path, "
		     "or put it there");
	expect_error("\"boot\": {\"kernel\": \".\"}", MH_EINVAL,
		     "vm.json: /boot/kernel: \"%s/.\" is a folder; correct the path");
	expect_error(BOOT ", \"devices\": {\"disks\": [{\"path\": \"disk\"}, {\"path\": \"d\"}]}",
		     MH_ENOENT,
		     "vm.json: /devices/disks/1/path: \"%s/d\": No such file or directory; correct "
		     "the path, or put it there");
	expect_error(BOOT ", \"devices\": {\"shares\": [{\"path\": \"disk\", \"tag\": \"t\"}]}",
		     MH_EPERM,
		     "vm.json: /devices/shares/0/path: \"%s/disk\": Permission denied; correct the "
		     "path, or give yourself the permission (chmod, chown)");
	expect_error(BOOT ", \"devices\": {\"nets\": [{\"kind\": \"user\", \"pcap\": \"x/y\"}]}",
		     MH_ENOENT,
		     "vm.json: /devices/nets/0/pcap: \"%s/x/y\": its folder: No such file or "
		     "directory; correct the path, or make the folder");
	tear_down();
}
END_TEST

/* What the library says of a device comes with the device's place. */
START_TEST(failing_devices)
{
	set_up();
	fake_image.error = MH_EBUSY;
	expect_error(
		BOOT ", \"devices\": {\"rng\": {}, \"disks\": [{\"path\": \"disk\"}]}", MH_EBUSY,
		"vm.json: /devices/disks/0: disk of VM \"Windows 11\": fake: no image %s/disk");
	fake_image.error = 0;
	fake_machine.add_error = MH_ERANGE;
	expect_error(BOOT ", \"console\": \"virtio\"", MH_ERANGE,
		     "vm.json: /console: console of VM \"Windows 11\": fake: no slot");
	tear_down();
}
END_TEST

START_TEST(files)
{
	struct mh_config_info info = MH_CONFIG_INFO_INIT;
	char path[128], want[128];
	struct mh_config *config;
	FILE *f;

	set_up();
	snprintf(path, sizeof(path), "%s/disk2", folder);
	f = fopen(path, "w");
	fprintf(f, "{\"schema\": \"macrohard.vm/1\", \"name\": \"n\", \"memory\": \"1M\","
		   "\"boot\": {\"kernel\": \"k\"}}");
	fclose(f);
	ck_assert_int_eq(mh_config_load(ctx, path, &config), 0);
	ck_assert_int_eq(mh_config_info(config, &info), 0);
	snprintf(want, sizeof(want), "%s/k", folder);
	ck_assert_str_eq(info.kernel, want);
	mh_config_free(config);
	ck_assert_int_eq(mh_config_load(ctx, "/nowhere/at/all", &config), MH_ENOENT);
	ck_assert_str_eq(
		mh_last_error(ctx),
		"read a document: /nowhere/at/all: No such file or directory; correct the path");
	ck_assert_int_eq(mh_config_load(ctx, "/", &config), MH_EIO);
	ck_assert_int_eq(mh_config_load(ctx, NULL, &config), MH_EINVAL);
	ck_assert_int_eq(mh_config_load(NULL, path, &config), MH_EINVAL);
	tear_down();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, with_all_devices);
	tcase_add_test(tcase, nothing_but_a_kernel);
	tcase_add_test(tcase, from_a_callback);
	tcase_add_test(tcase, firmware);
	tcase_add_test(tcase, what_is_not_there);
	tcase_add_test(tcase, failing_devices);
	tcase_add_test(tcase, files);
}

UNIT_MAIN("config_vm", add_tests)

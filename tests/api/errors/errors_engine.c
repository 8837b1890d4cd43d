// SPDX-License-Identifier: MIT
/* Failures of engines and of making VMs: what is missing on the host, and configurations. */
#include "errors.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define VM_CR 0xc0010114

/* ---- engines ---- */

/* A VM in a context of its own, whose sentence becomes ctx's. */
static int with_engine(enum mh_engine_kind engine, const char *device)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	struct mh_vm_config c = MH_VM_CONFIG_INIT;
	struct mh_vm *made;

	config.engine = engine;
	config.device = device;
	c.name = "web";
	c.memory_bytes = 1u << 20;
	if (mh_ctx_destroy(ctx) || mh_ctx_create(&config, &ctx))
		die("context");
	return mh_vm_create(ctx, &c, &made);
}

static int no_device(void)
{
	return with_engine(MH_ENGINE_SHIM, "/dev/gone");
}

static int other_device(void)
{
	return with_engine(MH_ENGINE_SHIM, "/dev/null");
}

static const char *forbidden(void)
{
	make_file("forbidden", NULL, 0);
	chmod("forbidden", 0);
	return "forbidden";
}

static int no_permission(void)
{
	const char *device = forbidden();
	int rc;

	drop_rights(true);
	rc = with_engine(MH_ENGINE_SHIM, device);
	drop_rights(false);
	return rc;
}

static int no_descriptor(void)
{
	int rc;

	limit_files(3);
	rc = with_engine(MH_ENGINE_SHIM, "/dev/null");
	limit_files(0);
	return rc;
}

static int no_kvm(void)
{
	return with_engine(MH_ENGINE_KVM, "/dev/gone");
}

static int other_kvm(void)
{
	return with_engine(MH_ENGINE_KVM, "/dev/null");
}

static int no_kvm_permission(void)
{
	const char *device = forbidden();
	int rc;

	drop_rights(true);
	rc = with_engine(MH_ENGINE_KVM, device);
	drop_rights(false);
	return rc;
}

static const struct error_row engine_rows[] = {
	{ "the module is not loaded (its device is not there)", no_device, MH_ENODEV,
	  "create VM \"web\"",
	  "/dev/gone does not exist: the macrohard kernel module is not loaded",
	  "load it: modprobe macrohard", NULL },
	{ "the device's path leads to something else", other_device, MH_ENODEV, "create VM \"web\"",
	  "/dev/null is not the device of macrohard",
	  "leave mh_ctx_config.device NULL, or name /dev/macrohard", NULL },
	{ "no right to open the module's device", no_permission, MH_EPERM, "create VM \"web\"",
	  "user * may not open forbidden",
	  "let an administrator allow it (group or udev rule of the device), or run as root",
	  NULL },
	{ "the process has no file descriptor left", no_descriptor, MH_ENOMEM, "create VM \"web\"",
	  "cannot open /dev/null: Too many open files",
	  "close files or raise the limit (ulimit -n)", NULL },
	{ "engine KVM: it is not there", no_kvm, MH_ENODEV, "create VM \"web\"",
	  "/dev/gone does not exist: KVM is not loaded, or CPU or firmware have no "
	  "virtualization extension",
	  "try: modprobe kvm-intel or modprobe kvm-amd", NULL },
	{ "engine KVM: the path leads to something else", other_kvm, MH_ENODEV, "create VM \"web\"",
	  "/dev/null is not the device of KVM", "leave mh_ctx_config.device NULL, or name /dev/kvm",
	  NULL },
	{ "engine KVM: no right to open its device", no_kvm_permission, MH_EPERM,
	  "create VM \"web\"", "user * may not open forbidden",
	  "add the user to the group kvm (usermod -aG kvm USER, then log in again), or run as "
	  "root",
	  NULL },
};
ERROR_GROUP(engine_errors, "Engines", NEEDS_ENGINE, engine_rows);

/* ---- hosts in which nothing runs ---- */

static int plain(void)
{
	return with_engine(MH_ENGINE_SHIM, NULL);
}

static int plain_kvm(void)
{
	return with_engine(MH_ENGINE_KVM, NULL);
}

static int plain_nobody(void)
{
	int rc;

	drop_rights(true);
	rc = with_engine(MH_ENGINE_SHIM, NULL);
	drop_rights(false);
	return rc;
}

/* What firmware does: it sets SVMDIS in VM_CR (APM 2, 15.30.1 "VM_CR MSR") of each CPU. */
static int locked_off(void)
{
	uint64_t svmdis = 1u << 4;
	int fd = open("/dev/cpu/0/msr", O_RDWR | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, &svmdis, sizeof(svmdis), VM_CR) != (ssize_t)sizeof(svmdis))
		die("VM_CR");
	close(fd);
	return plain();
}

static const struct error_row host_rows[] = {
	{ "the module is not loaded", plain, MH_ENODEV, "create VM \"web\"",
	  "/dev/macrohard does not exist: the macrohard kernel module is not loaded",
	  "load it: modprobe macrohard", "no-module" },
	{ "the user is not in the device's group", plain_nobody, MH_EPERM, "create VM \"web\"",
	  "user 65534 may not open /dev/macrohard",
	  "let an administrator allow it (group or udev rule of the device), or run as root",
	  "no-permission" },
	{ "KVM holds the CPU", plain, MH_EBUSY, "create VM \"web\"",
	  "KVM holds the CPU's virtualization extension (* is set)",
	  "stop its VMs and unload it: modprobe -r kvm_*", "kvm-holds" },
	{ "a VM of ours holds the CPU, and KVM is asked for one", plain_kvm, MH_EBUSY,
	  "create VM \"web\"", "KVM cannot make a VM: another hypervisor holds the CPU",
	  "unload its kernel module", "we-hold" },
	{ "the firmware locks the extension off", locked_off, MH_EFIRMWARE, "create VM \"web\"",
	  "the firmware locks * off (*)",
	  "enable \"*\" in the firmware's set-up and power-cycle the machine", "firmware" },
	{ "the CPU has no virtualization extension", plain, MH_ENOCPU, "create VM \"web\"",
	  "the CPU has neither VT-x (VMX) nor AMD-V (SVM)",
	  "in a virtual machine, give it a CPU model with nested virtualization", "no-cpu" },
	{ "the CPU has no nested paging", plain, MH_EMISSING, "create VM \"web\"",
	  "the CPU's * lacks nested paging (EPT or NPT), which is required",
	  "a newer CPU is needed", "no-npt" },
};
ERROR_GROUP(host_errors, "Hosts in which no VM can run", NEEDS_ENGINE, host_rows);

/* ---- configurations of VMs ---- */

static struct mh_vm_config config;

/* As config says, from its defaults on. */
static void start_over(void)
{
	config = (struct mh_vm_config)MH_VM_CONFIG_INIT;
	config.name = "db";
	config.memory_bytes = 1u << 20;
}

static int create(void)
{
	struct mh_vm *made;
	int rc = mh_vm_create(ctx, &config, &made);

	if (!rc)
		mh_vm_destroy(made);
	return rc;
}

static int no_config(void)
{
	struct mh_vm *made;

	return mh_vm_create(ctx, NULL, &made);
}

static int no_size(void)
{
	start_over();
	config.size = 0;
	return create();
}

static int no_cpus(void)
{
	start_over();
	config.cpus = 0;
	return create();
}

static int half_page(void)
{
	start_over();
	config.memory_bytes += 2048;
	return create();
}

static int unknown_flag(void)
{
	start_over();
	config.flags = 1u << 31;
	return create();
}

static int wraps(void)
{
	start_over();
	config.memory_bytes = UINT64_MAX - MH_PAGE_SIZE + 1;
	return create();
}

static int no_address_space(void)
{
	start_over();
	config.memory_bytes = 1ull << 50;
	return create();
}

static int too_wide(void)
{
	start_over();
	config.memory_bytes = 1ull << 41;
	return create();
}

static int no_room_for_tables(void)
{
	start_over();
	config.memory_bytes = MH_PAGE_SIZE;
	return create();
}

static int vms_left(void)
{
	return mh_ctx_destroy(ctx);
}

static int no_such_loop(void)
{
	return mh_ctx_loop_dispatch(ctx);
}

static const struct error_row create_rows[] = {
	{ "no configuration", no_config, MH_EINVAL, "create VM", "config is NULL",
	  "pass a pointer to one that MH_VM_CONFIG_INIT began", NULL },
	{ "its size is not set", no_size, MH_EINVAL, "create VM \"vm\"", "config.size is 0, not *",
	  "use MH_VM_CONFIG_INIT", NULL },
	{ "no vCPUs", no_cpus, MH_EINVAL, "create VM \"db\"", "config.cpus is 0, not 1 to 64",
	  "choose a number from there", NULL },
	{ "memory of half a page", half_page, MH_EINVAL, "create VM \"db\"",
	  "config.memory_bytes is 1050624, not a multiple of 4096", "round it", NULL },
	{ "an unknown flag", unknown_flag, MH_EINVAL, "create VM \"db\"",
	  "config.flags has unknown bits 0x80000000", "use MH_VM_* of a library of this version",
	  NULL },
	{ "more memory than numbers go", wraps, MH_ENOMEM, "create VM \"db\"",
	  "config.memory_bytes is too large", "give it less", NULL },
	{ "more memory than a process can have", no_address_space, MH_ENOMEM, "create VM \"db\"",
	  "no address space for 1073741824 MiB of guest memory",
	  "give it less, or raise the limit (ulimit -v)", NULL },
	{ "more memory than the CPU can address", too_wide, MH_EINVAL, "create VM \"db\"",
	  "config.memory_bytes: 2097152 MiB do not fit into the guest's *-bit physical addresses",
	  "give it less", NULL },
	{ "too little memory for a machine", no_room_for_tables, MH_EINVAL, "create VM \"db\"",
	  "4096 bytes of memory: the firmware tables lie below 1 MiB", "give the VM at least 1 MiB",
	  NULL },
	{ "a context is destroyed before its VMs", vms_left, MH_ESTATE, "destroy context",
	  "1 of its VMs are alive", "destroy them first", NULL },
	{ "a loop is dispatched that is the library's", no_such_loop, MH_EINVAL, "dispatch",
	  "the context has a loop thread of its own", "make it with config.loop = MH_LOOP_FOREIGN",
	  NULL },
};
ERROR_GROUP(create_errors, "Contexts and new VMs", NEEDS_VM, create_rows);

/* SPDX-License-Identifier: MIT */
/* The engine over our own kernel module: the only caller of the ioctls of /dev/macrohard. */
#include "core/engine_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/x86/lapic.h"
#include "core/err.h"
#include "core/hw_error.h"

struct mhi_engine {
	int fd;		      /* (c) */
	struct mhk_info info; /* (c) */
};

struct mhi_eng_vm {
	int fd; /* (c) */
};

static int open_error(struct mhi_err *err, const char *device, int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return mhi_err_set(err, MH_ENODEV,
				   "%s does not exist: the macrohard kernel module is not loaded; "
				   "load it: modprobe macrohard",
				   device);
	case EACCES:
	case EPERM:
		return mhi_err_set(
			err, MH_EPERM,
			"user %u may not open %s; let an administrator allow it (group or "
			"udev rule of the device), or run as root",
			(unsigned int)geteuid(), device);
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return mhi_err_set(err, MH_ENOMEM,
				   "cannot open %s: %s; close files or raise the limit (ulimit -n)",
				   device, strerror(error));
	default:
		return mhi_err_set(err, MH_EIO, "cannot open %s: %s; see the kernel log: dmesg",
				   device, strerror(error));
	}
}

/* For ioctls on objects that exist already: what is left to go wrong. */
static int ioctl_error(struct mhi_err *err, const char *what, int error)
{
	switch (error) {
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOSPC:
		return mhi_err_set(err, MH_ENOMEM, "%s: %s; %s", what, strerror(error),
				   error == EMFILE || error == ENFILE
					   ? "close files or raise the limit (ulimit -n)"
					   : "free memory or raise the limit");
	case EEXIST:
		return mhi_err_set(err, MH_EEXIST,
				   "%s: it exists or overlaps already; choose another place", what);
	case EINVAL:
		return mhi_err_set(err, MH_EINVAL,
				   "%s: the kernel module refuses the values; correct them", what);
	case ERANGE:
		return mhi_err_set(err, MH_ERANGE,
				   "%s: beyond the guest's physical address width; stay below it",
				   what);
	case EBUSY:
		return mhi_err_set(err, MH_EBUSY, "%s: busy; try again when its user has ended",
				   what);
	default:
		return mhi_err_set(err, MH_EIO, "%s: %s; see the kernel log: dmesg", what,
				   strerror(error));
	}
}

static int shim_read_info(struct mhi_engine *e, const char *device, struct mhi_err *err)
{
	e->info = (struct mhk_info){ .size = sizeof(e->info) };
	if (ioctl(e->fd, MHK_INFO, &e->info) < 0) {
		if (errno == ENOTTY)
			return mhi_err_set(err, MH_ENODEV,
					   "%s is not the device of macrohard; leave "
					   "mh_ctx_config.device NULL, or name " MHK_DEVICE,
					   device);
		return ioctl_error(err, device, errno);
	}
	if (e->info.abi != MHK_ABI_VERSION)
		return mhi_err_set(
			err, MH_EABI,
			"the loaded kernel module speaks interface version %u, this library "
			"version %u; install both from one release and reload the module",
			e->info.abi, MHK_ABI_VERSION);
	return 0;
}

static int shim_open(const char *device, struct mhi_engine **out, struct mhi_err *err)
{
	struct mhi_engine *e = calloc(1, sizeof(*e));
	int rc;

	if (!device)
		device = MHK_DEVICE;
	if (!e)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	e->fd = open(device, O_RDWR | O_CLOEXEC);
	if (e->fd < 0) {
		rc = open_error(err, device, errno);
		goto fail;
	}
	rc = shim_read_info(e, device, err);
	if (rc)
		goto fail_close;
	*out = e;
	return 0;

fail_close:
	close(e->fd);
fail:
	free(e);
	return rc;
}

static void shim_close(struct mhi_engine *e)
{
	close(e->fd);
	free(e);
}

static const struct mhk_info *shim_info(const struct mhi_engine *e)
{
	return &e->info;
}

static int shim_vm_create(struct mhi_engine *e, struct mhi_eng_vm **out, struct mhi_err *err)
{
	struct mhk_vm_create create = { .size = sizeof(create) };
	struct mhi_eng_vm *vm = calloc(1, sizeof(*vm));
	int rc;

	if (!vm)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	vm->fd = ioctl(e->fd, MHK_VM_CREATE, &create);
	if (vm->fd < 0) {
		int error = errno;

		rc = mhi_hw_error(err, e->info.vendor, create.hw, create.missing);
		if (!rc)
			rc = ioctl_error(err, "the kernel module cannot make a VM", error);
		free(vm);
		return rc;
	}
	*out = vm;
	return 0;
}

static void shim_vm_destroy(struct mhi_eng_vm *vm)
{
	close(vm->fd);
	free(vm);
}

static int shim_mem_set(struct mhi_eng_vm *vm, const struct mhk_mem *mem, struct mhi_err *err)
{
	struct mhk_mem set = *mem;

	set.size = sizeof(set);
	if (ioctl(vm->fd, MHK_MEM, &set) < 0)
		return ioctl_error(err, "memory slot", errno);
	return 0;
}

static int shim_msi(struct mhi_eng_vm *vm, u64 addr, u32 data)
{
	struct mhk_msi msi = { .size = sizeof(msi), .addr = addr, .data = data };

	if (ioctl(vm->fd, MHK_MSI, &msi) < 0)
		return MH_EINVAL;
	return (int)msi.delivered;
}

static int shim_doorbell(struct mhi_eng_vm *vm, mh_gpa gpa, int fd, bool on)
{
	struct mhk_doorbell bell = {
		.size = sizeof(bell), .flags = on ? 0 : MHK_DOORBELL_CLEAR, .gpa = gpa, .fd = fd
	};

	return ioctl(vm->fd, MHK_DOORBELL, &bell) < 0 ? MH_EIO : 0;
}

static int shim_tsc(struct mhi_eng_vm *vm, bool set, struct mhi_tsc *tsc)
{
	struct mhk_tsc arg = { .size = sizeof(arg) };

	if (set) {
		arg.flags = MHK_TSC_SET;
		arg.offset = tsc->offset;
		arg.ratio = tsc->ratio;
	}
	if (ioctl(vm->fd, MHK_TSC, &arg) < 0)
		return MH_EIO;
	/* A module of before answers with less: no ratio, and no shift. */
	tsc->offset = arg.offset;
	tsc->ratio = arg.ratio;
	tsc->shift = arg.shift;
	return 0;
}

static int shim_vcpu_create(struct mhi_eng_vm *vm, u32 apic_id, struct mhi_eng_vcpu **out,
			    struct mhi_err *err)
{
	struct mhk_vcpu_create create = { .size = sizeof(create), .apic_id = apic_id };
	struct mhi_eng_vcpu *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	v->fd = ioctl(vm->fd, MHK_VCPU_CREATE, &create);
	if (v->fd < 0) {
		rc = ioctl_error(err, "the kernel module cannot make a vCPU", errno);
		goto fail;
	}
	v->page = mmap(NULL, MHK_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->page == MAP_FAILED) {
		rc = ioctl_error(err, "the vCPU's shared page", errno);
		goto fail_close;
	}
	*out = v;
	return 0;

fail_close:
	close(v->fd);
fail:
	free(v);
	return rc;
}

static void shim_vcpu_destroy(struct mhi_eng_vcpu *v)
{
	munmap(v->page, MHK_RUN_BYTES);
	close(v->fd);
	free(v);
}

static int shim_cpuid(struct mhi_eng_vcpu *v, const struct mhk_cpuid_entry *table, u32 count,
		      struct mhi_err *err)
{
	struct mhk_cpuid cpuid = { .size = sizeof(cpuid),
				   .count = count,
				   .entries = (u64)(uintptr_t)table };

	if (ioctl(v->fd, MHK_CPUID, &cpuid) < 0)
		return ioctl_error(err, "CPUID table", errno);
	return 0;
}

static struct mhk_run *shim_page(struct mhi_eng_vcpu *v)
{
	return v->page;
}

static void *shim_fpu_image(struct mhi_eng_vcpu *v)
{
	return (u8 *)v->page + MHK_FPU_OFFSET;
}

static int run_once(struct mhi_eng_vcpu *v)
{
	if (lseek(v->fd, 0, SEEK_SET) == 0)
		return 0;
	switch (errno) {
	case EINTR:
		v->page->exit.reason = MHK_EXIT_NONE;
		return 0;
	case EFAULT:
		return MH_EFAULT;
	case EINVAL:
		return MH_EINVAL;
	default:
		return MH_EIO;
	}
}

static int shim_run(struct mhi_eng_vcpu *v)
{
	int rc;

	if (!v->debug.on)
		return run_once(v);
	if (mhi_shim_debug_before(v))
		return 0;
	rc = run_once(v);
	if (!rc)
		mhi_shim_debug_after(v);
	return rc;
}

static void shim_kick(struct mhi_eng_vcpu *v)
{
	ioctl(v->fd, MHK_KICK, 0);
}

int mhi_shim_get(struct mhi_eng_vcpu *v, u32 groups)
{
	struct mhk_get get = { .size = sizeof(get), .groups = groups };

	return ioctl(v->fd, MHK_GET, &get) < 0 ? MH_EIO : 0;
}

static int shim_lapic(struct mhi_eng_vcpu *v, bool write, u32 offset, u32 *value, u64 *base)
{
	struct mhk_lapic lapic = { .size = sizeof(lapic),
				   .flags = write ? MHK_LAPIC_WRITE : 0,
				   .offset = offset,
				   .value = *value };

	if (ioctl(v->fd, MHK_LAPIC, &lapic) < 0)
		return MH_EINVAL;
	*value = lapic.value;
	*base = lapic.base;
	return 0;
}

static int shim_stats(struct mhi_eng_vcpu *v, struct mhk_stats *out)
{
	*out = (struct mhk_stats){ .size = sizeof(*out) };
	return ioctl(v->fd, MHK_STATS, out) < 0 ? MH_EIO : 0;
}

const struct mhi_engine_ops mhi_engine_shim = {
	.name = "shim",
	.timer_shift = MHI_LAPIC_TICK_SHIFT,
	.open = shim_open,
	.close = shim_close,
	.info = shim_info,
	.vm_create = shim_vm_create,
	.vm_destroy = shim_vm_destroy,
	.mem_set = shim_mem_set,
	.msi = shim_msi,
	.doorbell = shim_doorbell,
	.tsc = shim_tsc,
	.vcpu_create = shim_vcpu_create,
	.vcpu_destroy = shim_vcpu_destroy,
	.cpuid = shim_cpuid,
	.page = shim_page,
	.fpu_image = shim_fpu_image,
	.run = shim_run,
	.kick = shim_kick,
	.get = mhi_shim_get,
	.debug = mhi_shim_debug,
	.debug_pass = mhi_shim_debug_pass,
	.debug_register = mhi_shim_debug_register,
	.break_insn = mhi_shim_break_insn,
	.lapic = shim_lapic,
	.stats = shim_stats,
};

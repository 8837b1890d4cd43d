/* SPDX-License-Identifier: MIT */
/*
 * Virtual machines: life cycle, memory, boot, PIO and MMIO handlers.
 *
 * Thread tags: [any] any thread, but for what is said there; [setup] while the VM is Created,
 * Paused or Stopped, one thread at a time; [vcpu] a vCPU's own thread, that is: inside a PIO or
 * MMIO handler. vCPU threads belong to the library. What is [setup] returns MH_ESTATE while the
 * VM runs, and to handlers and devices' callbacks. A NULL handle or pointer that is needed is
 * MH_EINVAL, everywhere; functions that return no error say what they return then.
 */
#ifndef MACROHARD_VM_H
#define MACROHARD_VM_H

#include <macrohard/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MH_PAGE_SIZE 4096u

struct mh_vm;

enum mh_vm_state { MH_VM_CREATED = 0, MH_VM_RUNNING, MH_VM_PAUSED, MH_VM_STOPPED };

/* Why a VM went to Stopped. */
enum mh_stop_reason {
	MH_STOP_NONE = 0, /* it has not stopped */
	MH_STOP_REQUEST,  /* mh_vm_stop */
	MH_STOP_POWEROFF, /* the guest switched itself off (ACPI S5) */
	MH_STOP_RESET,	  /* the guest reset itself; with MH_VM_STOP_ON_RESET only */
	MH_STOP_SHUTDOWN, /* triple fault */
	MH_STOP_ERROR,	  /* an error that cannot be continued: see mh_vm_stop_text */
	MH_STOP_WATCHDOG, /* its watchdog expired: power off, or reset with MH_VM_STOP_ON_RESET */
};

/* a guest's reset ends in Stopped instead of starting again */
#define MH_VM_STOP_ON_RESET (1u << 0)
/* no machine: no platform devices, no ACPI, no firmware tables */
#define MH_VM_BARE (1u << 1)
/*
 * for Windows: the guest sees Hyper-V's interface, as far as its clock needs it (reference time),
 * before the one of KVM, which Linux takes all the same
 */
#define MH_VM_HYPERV (1u << 2)

struct mh_vm_config {
	size_t size;	  /* sizeof(struct mh_vm_config), by MH_VM_CONFIG_INIT */
	const char *name; /* any UTF-8 text, for messages; copied; NULL: "vm" */
	/*
	 * RAM that the library allocates and maps (below and above the 3 GiB hole); multiple of
	 * MH_PAGE_SIZE; 0: the caller maps memory itself
	 */
	uint64_t memory_bytes;
	uint32_t cpus;	/* 1 .. 64 */
	uint32_t flags; /* MH_VM_* */
};

#define MH_VM_CONFIG_INIT                                  \
	{                                                  \
		sizeof(struct mh_vm_config), NULL, 0, 1, 0 \
	}

/**
 * Make a VM: state Created, vCPUs in reset state, memory zero. Its threads, which call handlers and
 * callbacks, have 1 MiB of stack.
 * Thread: [any]
 * Returns 0; MH_EINVAL, MH_ENOMEM, and the reasons why virtualization is not available: MH_ENODEV,
 * MH_EPERM, MH_ENOCPU, MH_EFIRMWARE, MH_EBUSY, MH_EMISSING, MH_EABI.   Since: 1.0
 */
MH_API int mh_vm_create(struct mh_ctx *ctx, const struct mh_vm_config *config, struct mh_vm **out);

/**
 * Stop the VM if need be and free it: waits until no thread of the VM runs. NULL is a no-op.
 * Thread: [any], not from a handler or event callback of this VM, nor from a callback of any device
 * of the context: that is refused with a line in the log, and the VM stays
 * After it returns nothing of this VM calls back.   Since: 1.0
 */
MH_API void mh_vm_destroy(struct mh_vm *vm);

/**
 * Created or Stopped -> Running. A Stopped VM starts from reset: memory is kept, boot data are
 * loaded anew.
 * Returns when the vCPU threads run.   Thread: [any], not [vcpu], nor from a device's callback
 * Returns 0; MH_ESTATE, MH_ENOMEM; MH_EMISSING (the CPU lacks unrestricted guest, and the VM starts
 * in real mode or has several vCPUs); MH_EFAULT, MH_ERANGE (boot data do not fit any more); from
 * Stopped also the reasons of mh_vm_create. On error the state is as before.
 * Since: 1.0
 */
MH_API int mh_vm_start(struct mh_vm *vm);

/**
 * Running -> Paused; returns when no vCPU executes. The guest's clocks go on, all of them: TSC,
 * paravirtual clocks, PM timer and RTC. After a resume its time of day is right without help, and
 * what it waited for is due at once; Linux guests are told of the
 * pause (PVCLOCK_GUEST_STOPPED). Thread: [any], not [vcpu], nor from a device's callback.
 * Returns 0; MH_ESTATE. Since: 1.0
 */
MH_API int mh_vm_pause(struct mh_vm *vm);

/**
 * Paused -> Running. Thread: [any], not [vcpu], nor from a device's callback.
 * Returns 0; MH_ESTATE. Since: 1.0
 */
MH_API int mh_vm_resume(struct mh_vm *vm);

/**
 * Running or Paused -> Stopped, as if the power was cut; returns when no vCPU executes. From a
 * handler [vcpu] it returns at once and the VM stops when the handler returns.
 * Thread: [any]
 * Returns 0 (also when it is Stopped already); MH_ESTATE (Created).   Since: 1.0
 */
MH_API int mh_vm_stop(struct mh_vm *vm);

/**
 * Press the reset button of a VM that is Running or Paused; it stays so. vCPUs, platform and
 * devices begin in their reset state, memory is kept, boot data are loaded anew; devices stay
 * attached, their back ends open. Returns when that is done. With MH_VM_STOP_ON_RESET too. From a
 * handler [vcpu], or a device's callback, it returns at once, and the VM is reset when that has
 * returned.
 * Thread: [any]
 * Returns 0; MH_ESTATE (Created, Stopped, or it stops at this moment); the reasons of mh_vm_start
 * from Stopped: the VM is Stopped then, with MH_STOP_ERROR.   Since: 1.0
 */
MH_API int mh_vm_reset(struct mh_vm *vm);

/** Of NULL: MH_VM_STOPPED, MH_STOP_NONE. Thread: [any]. Since: 1.0 */
MH_API enum mh_vm_state mh_vm_state(struct mh_vm *vm);
MH_API enum mh_stop_reason mh_vm_stop_reason(struct mh_vm *vm);

/**
 * One or more lines on why the VM stopped; for MH_STOP_ERROR and MH_STOP_SHUTDOWN with the exit's
 * name and the registers. "" while it is not Stopped, and of NULL.
 * Ownership: the VM's, until it is started or destroyed.   Thread: [any]   Since: 1.0
 */
MH_API const char *mh_vm_stop_text(struct mh_vm *vm);

/**
 * Wait until the VM is Stopped.
 * @timeout_ms  -1: for ever
 * Thread: [any], not [vcpu], nor from a device's callback
 * Returns 0; MH_ETIMEDOUT; MH_ESTATE (from a handler; or the VM is destroyed meanwhile).
 * Since: 1.0
 */
MH_API int mh_vm_wait(struct mh_vm *vm, int timeout_ms);

/* ---- memory ---- */

#define MH_MEM_READONLY (1u << 0)

/**
 * Map host memory into the guest.
 * @gpa    guest-physical start; bytes; multiple of MH_PAGE_SIZE
 * @hva    host start; page-aligned; [hva, hva+bytes) stays mapped until mh_vm_mem_unmap
 * @bytes  length; non-zero multiple of MH_PAGE_SIZE; gpa + bytes must not wrap
 * @flags  MH_MEM_READONLY or 0; guest writes to read-only memory go to the MMIO handler of that
 *         address, or are ignored
 * Ownership: the caller keeps @hva.   Thread: [setup]
 * Returns 0; MH_EINVAL (alignment, wrap, flags), MH_EEXIST (overlaps a mapping), MH_ERANGE (beyond
 * the guest's physical address width, or too many mappings), MH_ENOMEM. On error nothing is mapped.
 * Spec: SDM 3C 29.3 (EPT), APM 2 15.25 (nested paging).   Since: 1.0
 */
MH_API int mh_vm_mem_map(struct mh_vm *vm, uint64_t gpa, void *hva, uint64_t bytes, uint32_t flags);

/** Undo one mh_vm_mem_map, named by its start. Thread: [setup]. Returns 0; MH_ENOENT. Since: 1.0 */
MH_API int mh_vm_mem_unmap(struct mh_vm *vm, uint64_t gpa);

/**
 * Copy from or to guest memory; the range may span mappings.
 * Thread: [any]
 * Returns 0; MH_EFAULT (part of the range is not memory: nothing was copied).   Since: 1.0
 */
MH_API int mh_vm_mem_read(struct mh_vm *vm, uint64_t gpa, void *buf, uint64_t bytes);
MH_API int mh_vm_mem_write(struct mh_vm *vm, uint64_t gpa, const void *buf, uint64_t bytes);

/* ---- PIO and MMIO ---- */

/*
 * Handlers run on the vCPU's thread that made the access [vcpu]; several vCPUs may call at once.
 * offset counts from the start of the registered range, bytes is 1, 2, 4 or 8 (PIO: at most 4).
 */
struct mh_io_ops {
	uint32_t version; /* 1 */
	/* NULL: all ones */
	uint64_t (*read)(void *opaque, uint64_t offset, unsigned int bytes);
	/* NULL: ignored */
	void (*write)(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value);
};

/**
 * Handle a range of I/O ports, or of guest-physical addresses.
 * @ops     copied
 * Thread: [setup]
 * Returns 0; MH_EINVAL (empty, wraps, version), MH_EEXIST (overlaps another handler), MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_vm_pio_add(struct mh_vm *vm, uint16_t port, uint32_t count,
			 const struct mh_io_ops *ops, void *opaque);
MH_API int mh_vm_mmio_add(struct mh_vm *vm, uint64_t gpa, uint64_t bytes,
			  const struct mh_io_ops *ops, void *opaque);
/** Remove the range that starts there. Thread: [setup]. Returns 0; MH_ENOENT. Since: 1.0 */
MH_API int mh_vm_pio_remove(struct mh_vm *vm, uint16_t port);
MH_API int mh_vm_mmio_remove(struct mh_vm *vm, uint64_t gpa);

/**
 * Send a message-signalled interrupt to the guest's local APICs.
 * @addr, @data  as a PCI device would write them: SDM 3A 11.11
 * Thread: [any]   Returns 0; MH_EINVAL (not an interrupt address).   Since: 1.0
 */
MH_API int mh_vm_msi(struct mh_vm *vm, uint64_t addr, uint32_t data);

/* ---- boot ---- */

/* A kernel or firmware, one of them. */
struct mh_boot_config {
	size_t size;	     /* sizeof(struct mh_boot_config), by MH_BOOT_CONFIG_INIT */
	const char *kernel;  /* path: bzImage (64-bit protocol), ELF vmlinux, or PVH ELF; or NULL */
	const char *initrd;  /* path; NULL: none. Of a kernel, as is cmdline */
	const char *cmdline; /* NULL: "" */
	/* path of a BIOS image (SeaBIOS), or MH_FIRMWARE_BIOS; it boots from a disk; or NULL */
	const char *firmware;
};

/* The SeaBIOS that is installed on this machine; "./bios" is a file of that name. */
#define MH_FIRMWARE_BIOS "bios"

#define MH_BOOT_CONFIG_INIT                                           \
	{                                                             \
		sizeof(struct mh_boot_config), NULL, NULL, NULL, NULL \
	}

/**
 * Choose what the VM boots: the files are read now, and loaded into memory at each start.
 *
 * Firmware boots from the disk that was attached first, or else from the others in turn. Its text
 * goes to serial port 0. It lies in memory of its own right below 4 GiB, and takes the I/O ports
 * 0x510 to 0x51b and the addresses 0xf0100000 to 0xfebfffff.
 * Thread: [setup]
 * Returns 0; MH_EINVAL (MH_VM_BARE, no memory, no kernel and no firmware, or both, or firmware with
 * an initrd or a command line), MH_ENOENT (no such file, or no firmware is installed), MH_EPERM,
 * MH_EIO, MH_EFORMAT (not a kernel, truncated, corrupt; not a BIOS image, UEFI firmware), MH_ERANGE
 * (kernel + initrd do not fit into memory, command line too long, firmware too large), MH_EEXIST (a
 * handler or memory is where firmware needs to be), MH_ENOMEM. On error the VM boots what it did.
 * Since: 1.0
 */
MH_API int mh_vm_boot(struct mh_vm *vm, const struct mh_boot_config *config);

#ifdef __cplusplus
}
#endif
#endif

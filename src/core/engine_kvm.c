// SPDX-License-Identifier: MIT
/* The engine over /dev/kvm: the oracle of tests, and the way where our module may not be loaded. */
#include "core/engine_kvm.h"
#include "base/x86.h"
#include "core/err.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <x86intrin.h>

#define KVM_DEVICE "/dev/kvm"
#define CPUID_ENTRIES 256

/* Guest-physical pages that KVM needs for real mode on old Intel CPUs; no memory may be there. */
#define KVM_IDENTITY_MAP 0xfeffc000ul
#define KVM_TSS 0xfeffd000ul

/* KVM's local APIC timers count nanoseconds. */
#define KVM_TIMER_KHZ 1000000u

/*
 * Binary places of the CPUs' ratios: SDM 3C 25.6.5 "Time-Stamp Counter Offset and Multiplier", APM
 * 2 15.30.5 "TSC Ratio MSR".
 */
#define TSC_SHIFT_VMX 48u
#define TSC_SHIFT_SVM 32u
/* KVM does not scale by what could be an error in measuring the host's frequency: in 10^6. */
#define TSC_TOLERANCE 250u

/* MSI data: SDM 3A 11.11.2 "Message Data Register Format". */
#define MSI_DATA_LEVEL (1u << 15)

/* ---- opening ---- */

static int open_error(struct mhi_err *err, const char *device, int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return mhi_err_set(err, MH_ENODEV,
				   "%s does not exist: KVM is not loaded, or CPU or firmware have "
				   "no virtualization extension; try: modprobe kvm-intel or "
				   "modprobe kvm-amd",
				   device);
	case EACCES:
	case EPERM:
		return mhi_err_set(err, MH_EPERM,
				   "user %u may not open %s; add the user to the group kvm "
				   "(usermod -aG kvm USER, then log in again), or run as root",
				   (unsigned int)geteuid(), device);
	default:
		return mhi_kvm_error(err, device, error);
	}
}

int mhi_kvm_error(struct mhi_err *err, const char *what, int error)
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
		return mhi_err_set(err, MH_EINVAL, "%s: KVM refuses the values; correct them",
				   what);
	case EBUSY:
		return mhi_err_set(err, MH_EBUSY,
				   "%s: another hypervisor holds the CPU; unload its kernel module",
				   what);
	default:
		return mhi_err_set(err, MH_EIO, "%s: %s; see the kernel log: dmesg", what,
				   strerror(error));
	}
}

/* What the engine cannot do without, and the kernel that brought it. */
static const struct {
	u32 cap;
	const char *name, *since;
} required[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "2.6" },
	{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR", "2.6" },
	{ KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE", "2.6" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", "2.6" },
	{ KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS", "2.6" },
	{ KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS", "2.6" },
	{ KVM_CAP_XSAVE, "KVM_CAP_XSAVE", "2.6" },
	{ KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI", "3.5" },
	{ KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM", "3.7" },
	{ KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP", "4.4" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH", "4.4" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "4.13" },
	{ KVM_CAP_X86_USER_SPACE_MSR, "KVM_CAP_X86_USER_SPACE_MSR", "5.10" },
};

static int check_extensions(const struct mhi_engine *e, const char *device, struct mhi_err *err)
{
	size_t i;
	int version = ioctl(e->fd, KVM_GET_API_VERSION, 0);

	if (version < 0)
		return mhi_err_set(err, MH_ENODEV,
				   "%s is not the device of KVM; leave mh_ctx_config.device NULL, "
				   "or name /dev/kvm",
				   device);
	if (version != KVM_API_VERSION)
		return mhi_err_set(err, MH_EABI, "%s speaks KVM interface version %d, needed is %d",
				   device, version, KVM_API_VERSION);
	for (i = 0; i < MHI_COUNT(required); i++) {
		if (ioctl(e->fd, KVM_CHECK_EXTENSION, (unsigned long)required[i].cap) <= 0)
			return mhi_err_set(
				err, MH_EMISSING,
				"KVM of this kernel lacks %s; it needs Linux %s or newer",
				required[i].name, required[i].since);
	}
	return 0;
}

/* ---- facts ---- */

static int read_cpuid(struct mhi_engine *e, struct mhi_err *err)
{
	e->cpuid = calloc(1, sizeof(*e->cpuid) + CPUID_ENTRIES * sizeof(e->cpuid->entries[0]));
	if (!e->cpuid)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	e->cpuid->nent = CPUID_ENTRIES;
	if (ioctl(e->fd, KVM_GET_SUPPORTED_CPUID, e->cpuid) < 0)
		return mhi_kvm_error(err, "KVM's CPUID", errno);
	return 0;
}

static struct kvm_cpuid_entry2 cpuid_leaf(const struct mhi_engine *e, u32 leaf)
{
	u32 i;

	for (i = 0; i < e->cpuid->nent; i++) {
		if (e->cpuid->entries[i].function == leaf && e->cpuid->entries[i].index == 0)
			return e->cpuid->entries[i];
	}
	return (struct kvm_cpuid_entry2){ 0 };
}

static u32 host_vendor(void)
{
	unsigned int eax, ebx, ecx, edx;

	/* SDM 3C 23.6 "Discovering Support for VMX", APM 2 15.4 "Enabling SVM". */
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & MHI_BIT(5)))
		return MHK_VENDOR_VMX;
	if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & MHI_BIT(2)))
		return MHK_VENDOR_SVM;
	return MHK_VENDOR_NONE;
}

/* CR4 bits that hang on CPUID: SDM 3A 2.5 "Control Registers". */
static u64 guest_cr4(const struct mhi_engine *e)
{
	const struct kvm_cpuid_entry2 one = cpuid_leaf(e, 1), seven = cpuid_leaf(e, 7);
	u64 cr4 = MHI_CR4_VME | MHI_CR4_PVI | MHI_CR4_TSD | MHI_CR4_DE | MHI_CR4_PSE | MHI_CR4_PAE |
		  MHI_CR4_MCE | MHI_CR4_PGE | MHI_CR4_PCE | MHI_CR4_OSFXSR | MHI_CR4_OSXMMEXCPT;

	cr4 |= one.ecx & MHI_BIT(17) ? MHI_CR4_PCIDE : 0;
	cr4 |= one.ecx & MHI_BIT(26) ? MHI_CR4_OSXSAVE : 0;
	cr4 |= seven.ebx & MHI_BIT(0) ? MHI_CR4_FSGSBASE : 0;
	cr4 |= seven.ebx & MHI_BIT(7) ? MHI_CR4_SMEP : 0;
	cr4 |= seven.ebx & MHI_BIT(20) ? MHI_CR4_SMAP : 0;
	cr4 |= seven.ecx & MHI_BIT(2) ? MHI_CR4_UMIP : 0;
	return cr4;
}

static u64 kvm_features(const struct mhi_engine *e)
{
	/* KVM has these itself, or emulates them. */
	u64 features = MHI_BIT(MHK_F_NESTED_PAGING) | MHI_BIT(MHK_F_UNRESTRICTED) |
		       MHI_BIT(MHK_F_NEXT_RIP) | MHI_BIT(MHK_F_PAGE_2M);

	if (cpuid_leaf(e, 0x80000001).edx & MHI_BIT(26))
		features |= MHI_BIT(MHK_F_PAGE_1G);
	if (cpuid_leaf(e, 1).ecx & MHI_BIT(26))
		features |= MHI_BIT(MHK_F_XSAVE);
	if (ioctl(e->fd, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_TSC_CONTROL) > 0)
		features |= MHI_BIT(MHK_F_TSC_SCALING);
	return features;
}

/* KVM tells the frequency of the TSC only to a vCPU. 0: unknown. */
static u32 tsc_khz(const struct mhi_engine *e)
{
	int vm, vcpu, khz = 0;

	vm = ioctl(e->fd, KVM_CREATE_VM, 0);
	if (vm < 0)
		return 0;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu >= 0) {
		khz = ioctl(vcpu, KVM_GET_TSC_KHZ, 0);
		close(vcpu);
	}
	close(vm);
	return khz > 0 ? (u32)khz : 0;
}

static void read_info(struct mhi_engine *e)
{
	const struct kvm_cpuid_entry2 xsave = cpuid_leaf(e, 0xd);
	u32 phys_bits = cpuid_leaf(e, 0x80000008).eax & 0xff;
	int xen = ioctl(e->fd, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_XEN_HVM);

	e->hypercalls = xen > 0 && (xen & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL);
	e->info = (struct mhk_info){
		.size = sizeof(e->info),
		.abi = MHK_ABI_VERSION,
		.vendor = host_vendor(),
		.hw = MHK_HW_OK,
		.features = kvm_features(e),
		.xcr0 = ((u64)xsave.edx << 32 | xsave.eax) & MHI_XCR0_SUPPORTED,
		.cr4 = guest_cr4(e),
		.tsc_khz = tsc_khz(e),
		.timer_khz = KVM_TIMER_KHZ,
		.phys_bits = phys_bits ? phys_bits : 36,
	};
	if (!(e->info.features & MHI_BIT(MHK_F_XSAVE)))
		e->info.xcr0 = MHI_XCR0_X87;
}

static void kvm_close(struct mhi_engine *e)
{
	if (e->fd >= 0)
		close(e->fd);
	free(e->cpuid);
	free(e);
}

static int kvm_open(const char *device, struct mhi_engine **out, struct mhi_err *err)
{
	struct mhi_engine *e = calloc(1, sizeof(*e));
	int rc, bytes;

	if (!e)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	if (!device)
		device = KVM_DEVICE;
	e->fd = open(device, O_RDWR | O_CLOEXEC);
	if (e->fd < 0) {
		rc = open_error(err, device, errno);
		goto fail;
	}
	rc = check_extensions(e, device, err);
	if (!rc)
		rc = read_cpuid(e, err);
	if (rc)
		goto fail;
	bytes = ioctl(e->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (bytes < (int)sizeof(struct kvm_run)) {
		rc = mhi_err_set(err, MH_EIO, "%s: KVM's shared area has %d bytes", device, bytes);
		goto fail;
	}
	e->run_bytes = (size_t)bytes;
	read_info(e);
	*out = e;
	return 0;

fail:
	kvm_close(e);
	return rc;
}

static const struct mhk_info *kvm_info(const struct mhi_engine *e)
{
	return &e->info;
}

/* ---- VM ---- */

static int enable(int vm, u32 cap, u64 arg)
{
	struct kvm_enable_cap enable_cap = { .cap = cap, .args = { arg } };

	return ioctl(vm, KVM_ENABLE_CAP, &enable_cap) < 0 ? errno : 0;
}

/* Of KVM's ratios, which it takes as the CPU does. */
static u32 tsc_shift(const struct mhi_engine *e)
{
	if (!(e->info.features & MHI_BIT(MHK_F_TSC_SCALING)))
		return 0;
	return e->info.vendor == MHK_VENDOR_VMX ? TSC_SHIFT_VMX : TSC_SHIFT_SVM;
}

static int vm_setup(const struct mhi_engine *e, int vm, struct mhi_err *err)
{
	struct kvm_xen_hvm_config hypercalls = { .flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL };
	__u64 identity = KVM_IDENTITY_MAP;
	int error;

	if (ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return mhi_kvm_error(err, "KVM's identity map", errno);
	if (ioctl(vm, KVM_SET_TSS_ADDR, KVM_TSS) < 0)
		return mhi_kvm_error(err, "KVM's task state segment", errno);
	error = enable(vm, KVM_CAP_SPLIT_IRQCHIP, KVM_IOAPIC_PINS);
	if (error)
		return mhi_kvm_error(err, "KVM's local APICs", error);
	error = enable(vm, KVM_CAP_X86_USER_SPACE_MSR,
		       KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL |
			       KVM_MSR_EXIT_REASON_FILTER);
	if (error)
		return mhi_kvm_error(err, "KVM's exits for MSRs", error);
	/* Kernels before 6.0 do MONITOR and MWAIT for every guest, and cannot be told not to. */
	(void)enable(vm, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);
	/* Where this fails, KVM answers hypercalls itself, with "does not exist". */
	if (e->hypercalls)
		(void)ioctl(vm, KVM_XEN_HVM_CONFIG, &hypercalls);
	return 0;
}

static int kvm_vm_create(struct mhi_engine *e, struct mhi_eng_vm **out, struct mhi_err *err)
{
	struct mhi_eng_vm *vm = calloc(1, sizeof(*vm));
	int rc;

	if (!vm)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	vm->fd = ioctl(e->fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0) {
		/* KVM's word for a CPU that it does not get is EIO from Linux 6.12 on. */
		rc = mhi_kvm_error(err, "KVM cannot make a VM", errno == EIO ? EBUSY : errno);
		free(vm);
		return rc;
	}
	rc = vm_setup(e, vm->fd, err);
	if (rc) {
		close(vm->fd);
		free(vm);
		return rc;
	}
	vm->e = e;
	vm->tsc = (struct mhi_tsc){ .offset = -__rdtsc(), .shift = tsc_shift(e) };
	pthread_mutex_init(&vm->lock, NULL);
	*out = vm;
	return 0;
}

static void kvm_vm_destroy(struct mhi_eng_vm *vm)
{
	close(vm->fd);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

static int kvm_mem_set(struct mhi_eng_vm *vm, const struct mhk_mem *mem, struct mhi_err *err)
{
	struct kvm_userspace_memory_region region = { .slot = mem->slot };

	if (!(mem->flags & MHK_MEM_CLEAR)) {
		region.flags = mem->flags & MHK_MEM_READONLY ? KVM_MEM_READONLY : 0;
		region.guest_phys_addr = mem->gpa;
		region.memory_size = mem->bytes;
		region.userspace_addr = mem->hva;
	}
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return mhi_kvm_error(err, "memory slot", errno);
	return 0;
}

/* ---- interrupts ---- */

static int push_routes(struct mhi_eng_vm *vm)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[KVM_IOAPIC_PINS];
	} table = { 0 };
	u32 i;

	for (i = 0; i < KVM_IOAPIC_PINS; i++) {
		struct kvm_irq_routing_entry *entry = &table.entry[table.head.nr];

		if (!vm->level[i].addr)
			continue;
		entry->gsi = i;
		entry->type = KVM_IRQ_ROUTING_MSI;
		entry->u.msi.address_lo = (u32)vm->level[i].addr;
		entry->u.msi.address_hi = (u32)(vm->level[i].addr >> 32);
		entry->u.msi.data = vm->level[i].data;
		table.head.nr++;
	}
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, &table) < 0 ? MH_EIO : 0;
}

/*
 * KVM tells of the EOI of a vector only when a route to one of the pins in user space carries it:
 * the level-triggered messages seen so far are those routes.
 */
static int know_level(struct mhi_eng_vm *vm, u64 addr, u32 data)
{
	u32 i;

	for (i = 0; i < KVM_IOAPIC_PINS; i++) {
		if (vm->level[i].addr == addr && vm->level[i].data == data)
			return 0;
	}
	vm->level[vm->level_next].addr = addr;
	vm->level[vm->level_next].data = data;
	vm->level_next = (vm->level_next + 1) % KVM_IOAPIC_PINS;
	return push_routes(vm);
}

static int kvm_msi(struct mhi_eng_vm *vm, u64 addr, u32 data)
{
	struct kvm_msi msi = { .address_lo = (u32)addr,
			       .address_hi = (u32)(addr >> 32),
			       .data = data };
	int rc = 0;

	if (data & MSI_DATA_LEVEL) {
		pthread_mutex_lock(&vm->lock);
		rc = know_level(vm, addr, data);
		pthread_mutex_unlock(&vm->lock);
	}
	if (rc)
		return rc;
	rc = ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
	return rc < 0 ? MH_EINVAL : rc;
}

static int kvm_doorbell(struct mhi_eng_vm *vm, mh_gpa gpa, int fd, bool on)
{
	struct kvm_ioeventfd bell = { .addr = gpa,
				      .fd = fd,
				      .flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN };

	return ioctl(vm->fd, KVM_IOEVENTFD, &bell) < 0 ? MH_EIO : 0;
}

/* ---- TSC ---- */

int mhi_kvm_tsc_apply(struct mhi_eng_vcpu *v, const struct mhi_tsc *tsc)
{
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
					.attr = KVM_VCPU_TSC_OFFSET,
					.addr = (u64)(uintptr_t)&tsc->offset };

	if (tsc->khz && ioctl(v->fd, KVM_SET_TSC_KHZ, (unsigned long)tsc->khz) < 0)
		return MH_ENOTSUP;
	return ioctl(v->fd, KVM_SET_DEVICE_ATTR, &attr) < 0 ? MH_ENOTSUP : 0;
}

/* The ratio that KVM makes of it; the guest's TSC of now stays what it would have been. */
static struct mhi_tsc tolerated(const struct mhi_eng_vm *vm, const struct mhi_tsc *want)
{
	u64 host = vm->e->info.tsc_khz,
	    apart = host > want->khz ? host - want->khz : want->khz - host;
	struct mhi_tsc tsc = *want;
	u64 now = __rdtsc();

	tsc.shift = vm->tsc.shift;
	if (tsc.ratio && apart * 1000000 <= host * TSC_TOLERANCE) {
		tsc.offset = mhi_tsc_guest(&tsc, now) - now;
		tsc.ratio = 0;
	}
	return tsc;
}

static int kvm_tsc(struct mhi_eng_vm *vm, bool set, struct mhi_tsc *tsc)
{
	struct mhi_tsc want;
	u32 i;
	int rc = 0;

	pthread_mutex_lock(&vm->lock);
	want = tolerated(vm, tsc);
	for (i = 0; i < MHK_MAX_VCPUS && set && !rc; i++) {
		if (vm->vcpu[i])
			rc = mhi_kvm_tsc_apply(vm->vcpu[i], &want);
	}
	if (set && !rc)
		vm->tsc = want;
	if (!rc)
		*tsc = vm->tsc;
	pthread_mutex_unlock(&vm->lock);
	return rc;
}

/* ---- vCPU ---- */

static int kvm_cpuid(struct mhi_eng_vcpu *v, const struct mhk_cpuid_entry *table, u32 count,
		     struct mhi_err *err)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[MHK_MAX_CPUID];
	} cpuid = { .head.nent = count };
	u32 i;

	if (count > MHK_MAX_CPUID)
		return mhi_err_set(err, MH_EINVAL, "%u CPUID entries: at most %u", count,
				   MHK_MAX_CPUID);
	for (i = 0; i < count; i++) {
		cpuid.entry[i].function = table[i].leaf;
		cpuid.entry[i].index = table[i].subleaf;
		if (table[i].flags & MHK_CPUID_SUBLEAF)
			cpuid.entry[i].flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		cpuid.entry[i].eax = table[i].eax;
		cpuid.entry[i].ebx = table[i].ebx;
		cpuid.entry[i].ecx = table[i].ecx;
		cpuid.entry[i].edx = table[i].edx;
	}
	if (ioctl(v->fd, KVM_SET_CPUID2, &cpuid) < 0)
		return mhi_kvm_error(err, "CPUID table", errno);
	return 0;
}

static struct mhk_run *kvm_page(struct mhi_eng_vcpu *v)
{
	return v->page;
}

static void *kvm_fpu_image(struct mhi_eng_vcpu *v)
{
	return (u8 *)v->page + MHK_FPU_OFFSET;
}

/* KVM serves xAPIC accesses itself: reading is for those who look, writing has no use. */
static int kvm_lapic(struct mhi_eng_vcpu *v, bool write, u32 offset, u32 *value, u64 *base)
{
	struct kvm_lapic_state lapic;
	struct kvm_sregs sregs;

	if (write)
		return MH_ENOTSUP;
	if (offset > sizeof(lapic.regs) - sizeof(*value) || (offset & 15))
		return MH_EINVAL;
	if (ioctl(v->fd, KVM_GET_LAPIC, &lapic) < 0 || ioctl(v->fd, KVM_GET_SREGS, &sregs) < 0)
		return MH_EIO;
	memcpy(value, lapic.regs + offset, sizeof(*value));
	*base = sregs.apic_base;
	return 0;
}

/* KVM has the guest's clock for itself. It refuses when the guest does not use it. */
static void kvm_paused(struct mhi_eng_vcpu *v)
{
	(void)ioctl(v->fd, KVM_KVMCLOCK_CTRL);
}

static int kvm_stats(struct mhi_eng_vcpu *v, struct mhk_stats *out)
{
	return MH_ENOTSUP;
}

const struct mhi_engine_ops mhi_engine_kvm = {
	.name = "kvm",
	.open = kvm_open,
	.close = kvm_close,
	.info = kvm_info,
	.vm_create = kvm_vm_create,
	.vm_destroy = kvm_vm_destroy,
	.mem_set = kvm_mem_set,
	.msi = kvm_msi,
	.doorbell = kvm_doorbell,
	.tsc = kvm_tsc,
	.vcpu_create = mhi_kvm_vcpu_create,
	.vcpu_destroy = mhi_kvm_vcpu_destroy,
	.cpuid = kvm_cpuid,
	.page = kvm_page,
	.fpu_image = kvm_fpu_image,
	.run = mhi_kvm_run,
	.kick = mhi_kvm_kick,
	.get = mhi_kvm_get,
	.debug = mhi_kvm_debug,
	.debug_pass = mhi_kvm_debug_pass,
	.break_insn = mhi_kvm_break_insn,
	.lapic = kvm_lapic,
	.paused = kvm_paused,
	.stats = kvm_stats,
};

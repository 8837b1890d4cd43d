/* SPDX-License-Identifier: MIT */
/*
 * The preflight on fake machines: a tree of /proc, /sys and /dev, a CPUID table, a module's answer.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/probe.h"
#include "unit.h"

enum machine_kind { INTEL, AMD, INTEL_NO_VMX, AMD_NO_SVM };

static struct fake {
	char root[64];
	enum machine_kind kind;
	const char *hypervisor; /* CPUID.40000000H; NULL: bare machine */
	u32 svm_edx;
	struct {
		u32 index;
		u64 value;
	} msr[8];
	unsigned int msrs;
	int info_error;
	struct mhk_info info;
	struct mh_probe probe;
} fake;

const char *mh_version(void)
{
	return "1.2.3";
}

static void fake_cpuid(void *opaque, u32 leaf, u32 subleaf, u32 r[4])
{
	bool amd = fake.kind == AMD || fake.kind == AMD_NO_SVM;

	memset(r, 0, 4 * sizeof(r[0]));
	switch (leaf) {
	case 0:
		memcpy(&r[1], amd ? "Auth" : "Genu", 4);
		memcpy(&r[3], amd ? "enti" : "ineI", 4);
		memcpy(&r[2], amd ? "cAMD" : "ntel", 4);
		break;
	case 1:
		r[2] = (fake.kind == INTEL ? 1u << 5 : 0) | (fake.hypervisor ? 1u << 31 : 0);
		break;
	case 0x40000000:
		if (fake.hypervisor)
			memcpy(&r[1], fake.hypervisor, 12);
		break;
	case 0x80000000:
		r[0] = 0x8000001f;
		break;
	case 0x80000001:
		r[2] = fake.kind == AMD ? 1u << 2 : 0;
		break;
	case 0x8000000a:
		r[3] = fake.svm_edx;
		r[1] = 64;
		break;
	default:
		break;
	}
}

static int fake_msr(void *opaque, u32 index, u64 *value)
{
	unsigned int i;

	for (i = 0; i < fake.msrs; i++) {
		if (fake.msr[i].index != index)
			continue;
		*value = fake.msr[i].value;
		return 0;
	}
	return -EIO;
}

static int fake_info(void *opaque, struct mhk_info *out, struct mhi_err *err)
{
	if (fake.info_error)
		return mhi_err_set(err, fake.info_error, "module's words");
	*out = fake.info;
	return 0;
}

/* A path in the fake tree, its folders made. */
static const char *in_tree(const char *path)
{
	static char full[PATH_MAX];
	char *slash;

	snprintf(full, sizeof(full), "%s%s", fake.root, path);
	for (slash = full + strlen(fake.root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	return full;
}

static void put_bytes(const char *path, const void *data, size_t bytes, off_t at)
{
	int fd = open(in_tree(path), O_WRONLY | O_CREAT, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, data, bytes, at), (ssize_t)bytes);
	close(fd);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text), 0);
}

static void put_msr(u32 index, u64 value)
{
	fake.msr[fake.msrs].index = index;
	fake.msr[fake.msrs++].value = value;
}

/* A machine with nothing but a CPU, on which the module is not loaded. */
static void machine(enum machine_kind kind)
{
	snprintf(fake.root, sizeof(fake.root), "/tmp/probe.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(fake.root));
	fake.kind = kind;
	fake.hypervisor = NULL;
	fake.msrs = 0;
	fake.svm_edx = 0xff;
	fake.info_error = MH_ENODEV;
	memset(&fake.info, 0, sizeof(fake.info));
	put("/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n");
}

static void loaded(u32 vendor, u32 hw, u64 features)
{
	fake.info_error = 0;
	fake.info = (struct mhk_info){ .abi = MHK_ABI_VERSION,
				       .vendor = vendor,
				       .hw = hw,
				       .features = features,
				       .phys_bits = 39 };
	put("/dev/macrohard", "");
	put("/sys/module/macrohard/version", "1.2.3\n");
}

static void look(void)
{
	struct mhi_probe_env env = {
		.root = fake.root, .cpuid = fake_cpuid, .msr = fake_msr, .info = fake_info
	};
	char command[128];
	pid_t child;

	memset(&fake.probe, 0, sizeof(fake.probe));
	mhi_probe_fill(&fake.probe, &env);
	snprintf(command, sizeof(command), "%s", fake.root);
	child = fork();
	if (!child) {
		execlp("rm", "rm", "-rf", command, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	fake.root[0] = '\0';
}

static const struct mh_probe_item *item(const char *id)
{
	size_t i;

	for (i = 0; i < fake.probe.count; i++)
		if (!strcmp(fake.probe.items[i].id, id))
			return &fake.probe.items[i];
	ck_abort_msg("no item '%s'", id);
	return NULL;
}

static void is(const char *id, enum mh_probe_state state, const char *detail, const char *cure)
{
	const struct mh_probe_item *it = item(id);

	ck_assert_msg(it->state == state, "%s: state %d, detail '%s'", id, it->state, it->detail);
	ck_assert_msg(strstr(it->detail, detail) != NULL, "%s: detail '%s'", id, it->detail);
	ck_assert_msg(strstr(it->cure, cure) != NULL, "%s: cure '%s'", id, it->cure);
}

static void level(const char *id, enum mh_probe_level want, const char *source)
{
	ck_assert_int_eq(item(id)->level, want);
	ck_assert_str_eq(item(id)->source, source);
}

START_TEST(intel_table)
{
	machine(INTEL);
	look();
	level("vmx", MH_PROBE_REQUIRED, "CPUID.1:ECX[5]");
	level("ept", MH_PROBE_REQUIRED, "IA32_VMX_PROCBASED_CTLS2[33]");
	level("vpid", MH_PROBE_RECOMMENDED, "IA32_VMX_PROCBASED_CTLS2[37]");
	level("unrestricted", MH_PROBE_RECOMMENDED, "IA32_VMX_PROCBASED_CTLS2[39]");
	is("vmx", MH_PROBE_YES, "GenuineIntel", "");
	/* Without the module, the MSR driver and /proc/cpuinfo nothing more is known. */
	is("ept", MH_PROBE_UNKNOWN, "", "modprobe msr");
	is("firmware", MH_PROBE_UNKNOWN, "", "modprobe msr");
	is("vmx-controls", MH_PROBE_UNKNOWN, "", "load the module");
	is("bare", MH_PROBE_YES, "", "");
	ck_assert_int_eq(fake.probe.verdict, MH_ENODEV);
}
END_TEST

START_TEST(intel_by_msr)
{
	machine(INTEL);
	put_msr(0x3a, 5);
	put_msr(0x482, 1ull << 63);
	put_msr(0x48b, 1ull << 33 | 1ull << 39);
	put_msr(0x48c, 1u << 6 | 1u << 14 | 1u << 16);
	look();
	is("ept", MH_PROBE_YES, "", "");
	is("ept-walk", MH_PROBE_YES, "", "");
	is("vpid", MH_PROBE_NO, "", "");
	is("unrestricted", MH_PROBE_YES, "", "");
	is("ept-2m", MH_PROBE_YES, "", "");
	is("ept-1g", MH_PROBE_NO, "", "");
	is("firmware", MH_PROBE_YES, "", "");
	/* No secondary controls at all: MSR 48BH does not exist there. */
	machine(INTEL);
	put_msr(0x3a, 1);
	put_msr(0x482, 1ull << 62);
	look();
	is("ept", MH_PROBE_NO, "", "");
	is("unrestricted", MH_PROBE_NO, "", "");
	is("firmware", MH_PROBE_NO, "", "Intel Virtualization Technology");
}
END_TEST

START_TEST(intel_by_cpuinfo)
{
	machine(INTEL);
	put("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx sse\n"
			     "vmx flags\t: vnmi invvpid ept vpid\nbugs\t\t:\n");
	look();
	is("ept", MH_PROBE_YES, "/proc/cpuinfo", "");
	is("vpid", MH_PROBE_YES, "/proc/cpuinfo", "");
	is("unrestricted", MH_PROBE_NO, "/proc/cpuinfo", "");
	is("ept-walk", MH_PROBE_UNKNOWN, "", "modprobe msr");
	is("firmware", MH_PROBE_YES, "", "");
	/* The kernel hides the flag when the firmware locked VMX off; invvpid is not vpid. */
	machine(INTEL);
	put("/proc/cpuinfo", "flags\t\t: fpu sse\nvmx flags\t: invvpid\n");
	look();
	is("firmware", MH_PROBE_NO, "", "power-cycle");
	is("vpid", MH_PROBE_NO, "/proc/cpuinfo", "");
}
END_TEST

START_TEST(amd_table)
{
	machine(AMD);
	fake.svm_edx = 1u << 0 | 1u << 7;
	put("/proc/cpuinfo", "flags\t\t: fpu svm sse\n");
	look();
	level("svm", MH_PROBE_REQUIRED, "CPUID.80000001H:ECX[2]");
	level("npt", MH_PROBE_REQUIRED, "CPUID.8000000AH:EDX[0]");
	level("nrips", MH_PROBE_RECOMMENDED, "CPUID.8000000AH:EDX[3]");
	level("decode", MH_PROBE_RECOMMENDED, "CPUID.8000000AH:EDX[7]");
	is("svm", MH_PROBE_YES, "AuthenticAMD", "");
	is("npt", MH_PROBE_YES, "", "");
	is("nrips", MH_PROBE_NO, "", "");
	is("decode", MH_PROBE_YES, "", "");
	is("firmware", MH_PROBE_UNKNOWN, "", "modprobe msr");
	machine(AMD);
	put_msr(0xc0010114u, 1u << 4);
	look();
	is("firmware", MH_PROBE_NO, "", "SVM mode");
	machine(AMD);
	put_msr(0xc0010114u, 0);
	look();
	is("firmware", MH_PROBE_YES, "", "");
}
END_TEST

START_TEST(no_extension)
{
	machine(INTEL_NO_VMX);
	look();
	is("vmx", MH_PROBE_NO, "GenuineIntel", "firmware's set-up");
	is("ept", MH_PROBE_NO, "", "");
	machine(AMD_NO_SVM);
	fake.hypervisor = "KVMKVMKVM\0\0\0";
	look();
	is("svm", MH_PROBE_NO, "AuthenticAMD", "nested virtualization");
	is("npt", MH_PROBE_NO, "", "");
	ck_assert_str_eq(item("npt")->cure, "");
	is("firmware", MH_PROBE_UNKNOWN, "nothing to lock", "");
	is("bare", MH_PROBE_NO, "KVM", "");
	machine(INTEL);
	fake.hypervisor = "Microsoft Hv";
	look();
	is("bare", MH_PROBE_NO, "Hyper-V", "");
}
END_TEST

START_TEST(module_answers)
{
	const u64 all = (1ull << MHK_F_COUNT) - 1;

	machine(INTEL);
	loaded(MHK_VENDOR_VMX, MHK_HW_OK, all & ~(1ull << MHK_F_UNRESTRICTED));
	/* The module knows better than the kernel's flags. */
	put("/proc/cpuinfo", "vmx flags\t: unrestricted_guest\n");
	look();
	is("module", MH_PROBE_YES, "version 1.2.3", "");
	is("device", MH_PROBE_YES, "mode 0644", "");
	is("abi", MH_PROBE_YES, "version 3", "");
	is("ept", MH_PROBE_YES, "", "");
	is("unrestricted", MH_PROBE_NO, "", "");
	is("vmx-controls", MH_PROBE_YES, "", "");
	is("firmware", MH_PROBE_YES, "", "");
	is("holder", MH_PROBE_YES, "", "");
	is("ready", MH_PROBE_YES, "39 bits", "");
	ck_assert_int_eq(fake.probe.verdict, 0);
}
END_TEST

/* What the module finds, and mh_vm_create's error for it. */
START_TEST(verdicts)
{
	static const struct {
		u32 hw, missing;
		int verdict;
		const char *id, *ready;
	} cases[] = {
		{ MHK_HW_NO_CPU, 0, MH_ENOCPU, "ready", "neither VT-x" },
		{ MHK_HW_FIRMWARE, 0, MH_EFIRMWARE, "firmware", "firmware locks" },
		{ MHK_HW_BUSY, 0, MH_EBUSY, "holder", "holds" },
		{ MHK_HW_MISSING, MHK_F_NESTED_PAGING, MH_EMISSING, "ept", "nested paging" },
	};
	size_t i;

	for (i = 0; i < MHI_COUNT(cases); i++) {
		machine(INTEL);
		loaded(MHK_VENDOR_VMX, cases[i].hw, 0);
		fake.info.missing = cases[i].missing;
		look();
		ck_assert_int_eq(fake.probe.verdict, cases[i].verdict);
		ck_assert_int_eq(item(cases[i].id)->state, MH_PROBE_NO);
		is("ready", MH_PROBE_NO, cases[i].ready, "");
	}
}
END_TEST

START_TEST(module_out_of_reach)
{
	machine(INTEL);
	look();
	is("module", MH_PROBE_NO, "", "modprobe macrohard");
	is("device", MH_PROBE_NO, "does not exist", "modprobe macrohard");
	is("abi", MH_PROBE_UNKNOWN, "cannot be opened", "");
	is("ready", MH_PROBE_UNKNOWN, "cannot be opened", "");
	machine(INTEL);
	loaded(MHK_VENDOR_VMX, MHK_HW_OK, 0);
	fake.info_error = MH_EPERM;
	look();
	is("device", MH_PROBE_NO, "you are user", "usermod -aG");
	ck_assert_int_eq(fake.probe.verdict, MH_EPERM);
	machine(INTEL);
	loaded(MHK_VENDOR_VMX, MHK_HW_OK, 0);
	fake.info_error = MH_EABI;
	look();
	is("abi", MH_PROBE_NO, "module's words", "one release");
	ck_assert_int_eq(fake.probe.verdict, MH_EABI);
}
END_TEST

START_TEST(kvm_holds_it)
{
	/* A loaded but idle KVM of an old kernel. */
	machine(INTEL);
	put("/sys/module/kvm_intel/refcnt", "0\n");
	look();
	is("holder", MH_PROBE_YES, "idle", "");
	/* With VMs. */
	machine(INTEL);
	put("/sys/module/kvm_intel/refcnt", "12\n");
	look();
	is("holder", MH_PROBE_NO, "12 users", "end KVM's VMs");
	/* Since Linux 6.12 the load alone is enough. */
	machine(AMD);
	put("/sys/module/kvm_amd/refcnt", "0\n");
	put("/sys/module/kvm/parameters/enable_virt_at_load", "Y\n");
	look();
	is("holder", MH_PROBE_NO, "enable_virt_at_load", "modprobe -r kvm_amd");
	machine(AMD);
	put("/sys/module/kvm_amd/refcnt", "0\n");
	put("/sys/module/kvm/parameters/enable_virt_at_load", "N\n");
	look();
	is("holder", MH_PROBE_YES, "idle", "");
	/* The other vendor's module does not matter. */
	machine(AMD);
	put("/sys/module/kvm_intel/refcnt", "1\n");
	look();
	is("holder", MH_PROBE_YES, "", "");
	/* The module's word counts: here KVM's VMs have ended meanwhile. */
	machine(INTEL);
	loaded(MHK_VENDOR_VMX, MHK_HW_OK, 0);
	put("/sys/module/kvm_intel/refcnt", "1\n");
	look();
	is("holder", MH_PROBE_YES, "idle", "");
	machine(INTEL);
	put("/sys/module/vboxdrv/refcnt", "2\n");
	look();
	is("holder", MH_PROBE_UNKNOWN, "vboxdrv", "modprobe -r vboxdrv");
	machine(INTEL);
	loaded(MHK_VENDOR_VMX, MHK_HW_BUSY, 0);
	look();
	is("holder", MH_PROBE_NO, "not to be seen", "unload");
}
END_TEST

#define SECURE_BOOT "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

START_TEST(lockdown_and_secure_boot)
{
	machine(INTEL);
	look();
	is("lockdown", MH_PROBE_UNKNOWN, "not readable", "");
	is("secure-boot", MH_PROBE_YES, "not started by UEFI", "");
	machine(INTEL);
	put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	put_bytes(SECURE_BOOT, "\x06\0\0\0\0", 5, 0);
	look();
	is("lockdown", MH_PROBE_YES, "", "");
	is("secure-boot", MH_PROBE_YES, "", "");
	machine(INTEL);
	put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	put_bytes(SECURE_BOOT, "\x06\0\0\0\1", 5, 0);
	look();
	is("lockdown", MH_PROBE_NO, "mode integrity:", "mokutil --import");
	is("secure-boot", MH_PROBE_NO, "", "mokutil --import");
}
END_TEST

START_TEST(iommu_and_kernel)
{
	machine(INTEL);
	look();
	is("iommu", MH_PROBE_NO, "pass devices through", "\"VT-d\"");
	is("kernel", MH_PROBE_YES, "6.1.0-56-amd64", "");
	machine(AMD);
	put("/sys/firmware/acpi/tables/IVRS", "x");
	put("/proc/sys/kernel/osrelease", "5.19.0-1-amd64\n");
	look();
	is("iommu", MH_PROBE_NO, "does not use it", "amd_iommu=on");
	is("kernel", MH_PROBE_NO, "5.19.0", "newer kernel");
	machine(INTEL);
	put("/sys/class/iommu/dmar0/name", "x");
	put("/proc/sys/kernel/osrelease", "10.0.0\n");
	look();
	is("iommu", MH_PROBE_YES, "dmar0", "");
	is("kernel", MH_PROBE_YES, "10.0.0", "");
}
END_TEST

static void vulnerability(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", name);
	put(path, text);
}

/* A machine on which one file has another text than the others; NULL: it is not there. */
static void vulnerable(enum machine_kind kind, const char *name, const char *text)
{
	static const char *const names[] = {
		"spectre_v2",
		"l1tf",
		"mds",
		"tsx_async_abort",
		"mmio_stale_data",
		"retbleed",
		"spec_rstack_overflow",
		"reg_file_data_sampling",
		"indirect_target_selection",
		"tsa",
		"vmscape",
	};

	machine(kind);
	for (size_t i = 0; i < MHI_COUNT(names); i++)
		if (strcmp(names[i], name))
			vulnerability(names[i], "Not affected\n");
		else if (text)
			vulnerability(name, text);
}

START_TEST(speculation)
{
	machine(INTEL);
	look();
	is("speculation", MH_PROBE_UNKNOWN, "", "");
	vulnerable(AMD, "", NULL);
	look();
	is("speculation", MH_PROBE_YES, "", "");
	vulnerable(INTEL, "mds", "Vulnerable: Clear CPU buffers attempted, no microcode\n");
	look();
	is("speculation", MH_PROBE_NO, "mds", "mitigations=off");
	/* Mitigated for the kernel itself; the module needs the command to flush the cache. */
	vulnerable(INTEL, "l1tf", "Mitigation: PTE Inversion; VMX: conditional cache flushes\n");
	look();
	is("speculation", MH_PROBE_NO, "l1tf", "microcode");
	vulnerable(INTEL, "l1tf", "Mitigation: PTE Inversion; VMX: conditional cache flushes\n");
	put("/proc/cpuinfo", "flags\t\t: fpu flush_l1d\n");
	loaded(MHK_VENDOR_VMX, MHK_HW_OK, 0);
	fake.info.barriers = MHK_BARRIER_IBPB | MHK_BARRIER_L1D;
	look();
	is("speculation", MH_PROBE_YES, "IBPB between guests, L1 cache flushed", "");
	/* A kernel that does not know of it protects nobody from it. */
	vulnerable(AMD, "vmscape", NULL);
	look();
	is("speculation", MH_PROBE_NO, "vmscape", "update the kernel");
}
END_TEST

START_TEST(json_says_the_same)
{
	const cJSON *root, *items, *object, *verdict;
	size_t i = 0;
	char *text;

	machine(INTEL);
	look();
	text = mhi_probe_to_json(&fake.probe);
	ck_assert_ptr_nonnull(text);
	root = cJSON_Parse(text);
	ck_assert_ptr_nonnull(root);
	ck_assert_str_eq(cJSON_GetObjectItem(root, "schema")->valuestring, "macrohard.probe/1");
	verdict = cJSON_GetObjectItem(root, "verdict");
	ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(verdict, "ok")));
	ck_assert_str_eq(cJSON_GetObjectItem(verdict, "error")->valuestring, "MH_ENODEV");
	items = cJSON_GetObjectItem(root, "items");
	ck_assert_int_eq(cJSON_GetArraySize(items), (int)fake.probe.count);
	cJSON_ArrayForEach(object, items)
	{
		const struct mh_probe_item *it = &fake.probe.items[i++];

		ck_assert_str_eq(cJSON_GetObjectItem(object, "id")->valuestring, it->id);
		ck_assert_str_eq(cJSON_GetObjectItem(object, "source")->valuestring, it->source);
		ck_assert_str_eq(cJSON_GetObjectItem(object, "detail")->valuestring, it->detail);
	}
	object = cJSON_GetArrayItem(items, 0);
	ck_assert_str_eq(cJSON_GetObjectItem(object, "state")->valuestring, "yes");
	ck_assert_str_eq(cJSON_GetObjectItem(object, "level")->valuestring, "required");
	ck_assert_str_eq(cJSON_GetObjectItem(object, "cure")->valuestring, "");
	cJSON_Delete((cJSON *)root);
	free(text);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, intel_table);
	tcase_add_test(tcase, intel_by_msr);
	tcase_add_test(tcase, intel_by_cpuinfo);
	tcase_add_test(tcase, amd_table);
	tcase_add_test(tcase, no_extension);
	tcase_add_test(tcase, module_answers);
	tcase_add_test(tcase, verdicts);
	tcase_add_test(tcase, module_out_of_reach);
	tcase_add_test(tcase, kvm_holds_it);
	tcase_add_test(tcase, lockdown_and_secure_boot);
	tcase_add_test(tcase, iommu_and_kernel);
	tcase_add_test(tcase, speculation);
	tcase_add_test(tcase, json_says_the_same);
}

UNIT_MAIN("probe", add_tests)

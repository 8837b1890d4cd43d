/* SPDX-License-Identifier: MIT */
/* The preflight's look at the rest of the machine: the IOMMU and the kernel. */
#include "api/probe.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The oldest kernel that the module is built and tested for. */
#define KERNEL_MAJOR 6
#define KERNEL_MINOR 1

/* The names in /sys/class/iommu: dmar0 (VT-d), ivhd0 (AMD-Vi); false if there are none. */
static bool iommu_units(const struct mhi_probe_facts *f, char *names, size_t bytes)
{
	char path[PATH_MAX];
	struct dirent *entry;
	size_t used = 0;
	DIR *dir;

	names[0] = '\0';
	snprintf(path, sizeof(path), "%s/sys/class/iommu", f->env->root);
	dir = opendir(path);
	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || used + strlen(entry->d_name) + 2 > bytes)
			continue;
		used += (size_t)snprintf(names + used, bytes - used, "%s%s", used ? " " : "",
					 entry->d_name);
	}
	closedir(dir);
	return used != 0;
}

static void add_iommu(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	const char *name = f->amd ? "AMD-Vi" : "VT-d";
	struct mhi_probe_row row = { "iommu", f->amd ? "IOMMU (AMD-Vi)" : "IOMMU (Intel VT-d)",
				     f->amd ? "/sys/class/iommu, ACPI IVRS"
					    : "/sys/class/iommu, ACPI DMAR",
				     MH_PROBE_RECOMMENDED, "" };
	char names[128];

	if (iommu_units(f, names, sizeof(names))) {
		mhi_probe_add(p, &row, MH_PROBE_YES);
		mhi_probe_detail(p, "%s", names);
		return;
	}
	mhi_probe_add(p, &row, MH_PROBE_NO);
	if (mhi_probe_exists(f, f->amd ? "/sys/firmware/acpi/tables/IVRS"
				       : "/sys/firmware/acpi/tables/DMAR")) {
		mhi_probe_detail(p, "the machine has %s, but the kernel does not use it", name);
		mhi_probe_cure(p, "add %s=on to the kernel's command line",
			       f->amd ? "amd_iommu" : "intel_iommu");
		return;
	}
	mhi_probe_detail(p, "needed to pass devices through only");
	mhi_probe_cure(p, "enable \"%s\" in the firmware's set-up, if it is there",
		       f->amd ? "IOMMU" : "VT-d");
}

static void add_kernel(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "kernel", "Linux 6.1 or newer",
						  "/proc/sys/kernel/osrelease",
						  MH_PROBE_RECOMMENDED, "" };
	unsigned int major, minor;
	char text[128];

	if (mhi_probe_read(f, "/proc/sys/kernel/osrelease", text, sizeof(text)) ||
	    sscanf(text, "%u.%u", &major, &minor) != 2) {
		mhi_probe_add(p, &row, MH_PROBE_UNKNOWN);
		return;
	}
	mhi_probe_add(p, &row,
		      major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR)
			      ? MH_PROBE_YES
			      : MH_PROBE_NO);
	mhi_probe_detail(p, "Linux %s", text);
	mhi_probe_cure(p, "install a newer kernel: the module is built and tested for those");
}

/* Files of vulnerabilities that a guest could use; their text begins with one of these. */
static const char *const dangers[] = {
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
#define VULNERABLE "Vulnerable"
#define SAFE "Not affected"

/* Also by a CPU or kernel that lacks what the module needs against it. */
static bool open_to(const struct mhi_probe_facts *f, const char *name)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", name);
	/* The kernel knows nothing of it: it is too old to protect anybody from it. */
	if (mhi_probe_read(f, path, text, sizeof(text)))
		return true;
	if (!strncmp(text, VULNERABLE, strlen(VULNERABLE)))
		return true;
	return !strcmp(name, "l1tf") && strncmp(text, SAFE, strlen(SAFE)) &&
	       !mhi_probe_has_word(f->cpu_flags, "flush_l1d");
}

static void add_speculation(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "speculation",
						  "no attack by speculation is left open",
						  "/sys/devices/system/cpu/vulnerabilities",
						  MH_PROBE_RECOMMENDED, "" };
	char names[MHI_PROBE_DETAIL / 2] = "";
	size_t used = 0;

	if (!mhi_probe_exists(f, row.source)) {
		mhi_probe_add(p, &row, MH_PROBE_UNKNOWN);
		return;
	}
	for (size_t i = 0; i < MHI_COUNT(dangers); i++)
		if (open_to(f, dangers[i]) && used + strlen(dangers[i]) + 2 < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? " " : "", dangers[i]);
	mhi_probe_add(p, &row, used ? MH_PROBE_NO : MH_PROBE_YES);
	mhi_probe_detail(p, "%s%s%s%s", names, used ? "; " : "",
			 f->info.barriers & MHK_BARRIER_IBPB ? "IBPB between guests" : "",
			 f->info.barriers & MHK_BARRIER_L1D ? ", L1 cache flushed" : "");
	if (used)
		mhi_probe_cure(p, "update the kernel and the CPU's microcode, and boot without "
				  "mitigations=off; what is left needs guests that you trust");
}

void mhi_probe_host(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	add_iommu(p, f);
	add_kernel(p, f);
	add_speculation(p, f);
}

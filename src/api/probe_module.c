/* SPDX-License-Identifier: MIT */
/*
 * The preflight's look at our kernel module, at what keeps it out, and at who holds VMX or SVM
 * instead.
 */
#include "api/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hw_error.h"

#define LOAD "load it: modprobe macrohard; in the source tree tools/quickstart builds and loads it"
#define SECURE_BOOT "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

static bool module_loaded(const struct mhi_probe_facts *f, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return mhi_probe_exists(f, path);
}

/* The number of a module's users; -1: it is not loaded, or built into the kernel. */
static long module_users(const struct mhi_probe_facts *f, const char *name)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	if (mhi_probe_read(f, path, text, sizeof(text)))
		return -1;
	return strtol(text, NULL, 10);
}

static void add_module(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "module", "kernel module macrohard is loaded",
						  "/sys/module/macrohard", MH_PROBE_REQUIRED,
						  LOAD };
	char version[64];

	mhi_probe_add(p, &row, module_loaded(f, "macrohard") ? MH_PROBE_YES : MH_PROBE_NO);
	if (!mhi_probe_read(f, "/sys/module/macrohard/version", version, sizeof(version)))
		mhi_probe_detail(p, "version %s", version);
}

static void add_device(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "device", "you may open the module's device",
						  MHK_DEVICE, MH_PROBE_REQUIRED, "" };
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", f->env->root, MHK_DEVICE);
	if (stat(path, &st)) {
		mhi_probe_add(p, &row, MH_PROBE_NO);
		mhi_probe_detail(p, "it does not exist");
		mhi_probe_cure(p, LOAD);
		return;
	}
	mhi_probe_add(p, &row, f->info_error == MH_EPERM ? MH_PROBE_NO : MH_PROBE_YES);
	mhi_probe_detail(p, "mode %04o, owner %u, group %u; you are user %u",
			 (unsigned int)(st.st_mode & 07777), (unsigned int)st.st_uid,
			 (unsigned int)st.st_gid, (unsigned int)geteuid());
	mhi_probe_cure(p,
		       "join group %u (usermod -aG), let a udev rule name your group, or be root",
		       (unsigned int)st.st_gid);
}

static void add_abi(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "abi", "module and library fit together",
						  "ioctl MHK_INFO", MH_PROBE_REQUIRED, "" };

	if (!f->info_error) {
		mhi_probe_add(p, &row, MH_PROBE_YES);
		mhi_probe_detail(p, "interface version %u", f->info.abi);
	} else if (f->info_error == MH_EABI) {
		mhi_probe_add(p, &row, MH_PROBE_NO);
		mhi_probe_detail(p, "%s", f->info_text.text);
		mhi_probe_cure(p, "install both from one release and load the module anew");
	} else {
		mhi_probe_add(p, &row, MH_PROBE_UNKNOWN);
		mhi_probe_detail(p, "the device cannot be opened");
	}
}

/* The module's own verdict on the hardware, all of the above in one. */
static void add_ready(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "ready", "the module can start VMs now",
						  "ioctl MHK_INFO", MH_PROBE_REQUIRED, "" };
	struct mhi_err err = { .code = 0 };

	if (f->info_error) {
		mhi_probe_add(p, &row, MH_PROBE_UNKNOWN);
		mhi_probe_detail(p, "the device cannot be opened");
		return;
	}
	if (!mhi_hw_error(&err, f->info.vendor, f->info.hw, f->info.missing)) {
		mhi_probe_add(p, &row, MH_PROBE_YES);
		mhi_probe_detail(p, "%u VMs are alive; guests have %u bits of physical address",
				 f->info.vms, f->info.phys_bits);
		return;
	}
	mhi_probe_add(p, &row, MH_PROBE_NO);
	mhi_probe_detail(p, "%s", err.text);
}

static void add_lockdown(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "lockdown", "kernel lockdown is off",
						  "/sys/kernel/security/lockdown",
						  MH_PROBE_RECOMMENDED, "" };
	char text[128], *mode, *end;

	if (mhi_probe_read(f, "/sys/kernel/security/lockdown", text, sizeof(text))) {
		mhi_probe_add(p, &row, MH_PROBE_UNKNOWN);
		mhi_probe_detail(p,
				 "not readable here; a kernel without lockdown has no such file");
		return;
	}
	/* "none [integrity] confidentiality" */
	mode = strchr(text, '[');
	end = mode ? strchr(mode, ']') : NULL;
	if (!end || !strncmp(mode, "[none]", 6)) {
		mhi_probe_add(p, &row, MH_PROBE_YES);
		return;
	}
	mhi_probe_add(p, &row, MH_PROBE_NO);
	mhi_probe_detail(p, "mode %.*s: only signed modules load", (int)(end - mode - 1), mode + 1);
	mhi_probe_cure(p,
		       "sign the module with a key that the machine trusts (mokutil --import), or "
		       "use the KVM engine (--engine kvm)");
}

static void add_secure_boot(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "secure-boot", "Secure Boot is off",
						  "UEFI variable SecureBoot", MH_PROBE_OPTIONAL,
						  "" };
	char value[16];
	bool on;

	if (!mhi_probe_exists(f, "/sys/firmware/efi")) {
		mhi_probe_add(p, &row, MH_PROBE_YES);
		mhi_probe_detail(p, "not started by UEFI");
		return;
	}
	memset(value, 0, sizeof(value));
	if (mhi_probe_read(f, SECURE_BOOT, value, sizeof(value))) {
		mhi_probe_add(p, &row, MH_PROBE_UNKNOWN);
		return;
	}
	/* Four bytes of attributes, then the value: UEFI 2.10, 3.3 "Globally Defined Variables". */
	on = value[4] == 1;
	mhi_probe_add(p, &row, on ? MH_PROBE_NO : MH_PROBE_YES);
	mhi_probe_cure(p, "the kernel may refuse unsigned modules: sign macrohard.ko with a key "
			  "enrolled by mokutil --import");
}

/* ---- who holds VMX or SVM now ---- */

static const struct mhi_probe_row holder_row = { "holder", "nobody else holds VMX or SVM",
						 "/sys/module, ioctl MHK_INFO", MH_PROBE_REQUIRED,
						 "" };

static void held_by_kvm(struct mh_probe *p, const char *kvm, long users)
{
	mhi_probe_add(p, &holder_row, MH_PROBE_NO);
	if (users > 0)
		mhi_probe_detail(p, "KVM holds it: %s has %ld users (running VMs)", kvm, users);
	else
		mhi_probe_detail(p, "KVM holds it from its loading on (kvm.enable_virt_at_load)");
	if (users > 0)
		mhi_probe_cure(p, "end KVM's VMs, then: modprobe -r %s", kvm);
	else
		mhi_probe_cure(p,
			       "modprobe -r %s; or for good, in /etc/modprobe.d: options kvm "
			       "enable_virt_at_load=0",
			       kvm);
}

/* Other hypervisors' modules, by their name in /sys/module. */
static const char *const others[] = { "vboxdrv", "vmmon", "haxm", "bhyve", "nvmm" };

static bool add_other_holder(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	size_t i;

	for (i = 0; i < MHI_COUNT(others); i++) {
		if (module_users(f, others[i]) <= 0)
			continue;
		mhi_probe_add(p, &holder_row, MH_PROBE_UNKNOWN);
		mhi_probe_detail(p, "%s is loaded and in use: it may hold it", others[i]);
		mhi_probe_cure(p, "end its VMs, then: modprobe -r %s", others[i]);
		return true;
	}
	return false;
}

static void add_holder(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	const char *kvm = f->amd ? "kvm_amd" : "kvm_intel";
	long users = module_users(f, kvm);
	bool loaded = module_loaded(f, kvm), known = !f->info_error;
	char at_load[8];

	mhi_probe_read(f, "/sys/module/kvm/parameters/enable_virt_at_load", at_load,
		       sizeof(at_load));
	if (known && f->info.hw != MHK_HW_BUSY) {
		mhi_probe_add(p, &holder_row, MH_PROBE_YES);
		if (loaded)
			mhi_probe_detail(p, "%s is loaded, but idle", kvm);
	} else if (loaded && (users > 0 || at_load[0] == 'Y')) {
		held_by_kvm(p, kvm, users);
	} else if (add_other_holder(p, f)) {
		return;
	} else if (known) {
		mhi_probe_add(p, &holder_row, MH_PROBE_NO);
		mhi_probe_detail(p, "CR4.VMXE or EFER.SVME is set, by whom is not to be seen");
		mhi_probe_cure(p, "end other hypervisors and unload their kernel modules");
	} else {
		mhi_probe_add(p, &holder_row, MH_PROBE_YES);
		mhi_probe_detail(p, "%s", loaded ? "KVM is loaded, but idle" : "");
	}
}

void mhi_probe_module(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	add_module(p, f);
	add_device(p, f);
	add_abi(p, f);
	add_holder(p, f);
	add_lockdown(p, f);
	add_secure_boot(p, f);
	add_ready(p, f);
}

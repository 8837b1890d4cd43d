/* SPDX-License-Identifier: MIT */
/* The preflight's eyes: files under /proc, /sys and /dev, model-specific registers, CPUID. */
#include "api/probe.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* SDM 2A "CPUID-CPU Identification", APM 3 E.3: leaves and bits. */
#define LEAF1_ECX_VMX (1u << 5)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define LEAF_HYPERVISOR 0x40000000u
#define LEAF_EXT 0x80000000u
#define LEAF_EXT1 0x80000001u
#define LEAF_EXT1_ECX_SVM (1u << 2)
#define LEAF_SVM 0x8000000au

/* The first CPU is described in less, and all are alike. */
#define CPUINFO_BYTES 16384

static int open_in(const struct mhi_probe_facts *f, const char *path)
{
	char full[PATH_MAX];

	if (snprintf(full, sizeof(full), "%s%s", f->env->root, path) >= (int)sizeof(full))
		return -1;
	return open(full, O_RDONLY | O_CLOEXEC);
}

bool mhi_probe_exists(const struct mhi_probe_facts *f, const char *path)
{
	char full[PATH_MAX];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", f->env->root, path);
	return stat(full, &st) == 0;
}

int mhi_probe_read(const struct mhi_probe_facts *f, const char *path, char *text, size_t bytes)
{
	int fd = open_in(f, path);
	size_t used = 0;
	ssize_t n = -1;

	text[0] = '\0';
	if (fd < 0)
		return -1;
	while (used < bytes - 1 && (n = read(fd, text + used, bytes - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	if (!used && n < 0)
		return -1;
	text[used] = '\0';
	if (used && text[used - 1] == '\n')
		text[used - 1] = '\0';
	return 0;
}

bool mhi_probe_has_word(const char *line, const char *word)
{
	size_t n = strlen(word);
	const char *at = line;

	while ((at = strstr(at, word))) {
		bool starts = at == line || at[-1] == ' ' || at[-1] == '\t' || at[-1] == ':';

		if (starts && (at[n] == ' ' || at[n] == '\0'))
			return true;
		at += n;
	}
	return false;
}

/* The value of the first line of /proc/cpuinfo with that key. */
static void copy_line(const char *cpuinfo, const char *key, char *out, size_t bytes)
{
	size_t n = strlen(key);
	const char *line;

	out[0] = '\0';
	for (line = cpuinfo; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) || (line[n] != '\t' && line[n] != ' ' && line[n] != ':'))
			continue;
		line += n;
		line += strspn(line, " \t:");
		snprintf(out, bytes, "%.*s", (int)strcspn(line, "\n"), line);
		return;
	}
}

static void read_cpu_flags(struct mhi_probe_facts *f)
{
	char cpuinfo[CPUINFO_BYTES];

	if (mhi_probe_read(f, "/proc/cpuinfo", cpuinfo, sizeof(cpuinfo)))
		return;
	copy_line(cpuinfo, "flags", f->cpu_flags, sizeof(f->cpu_flags));
	copy_line(cpuinfo, "vmx flags", f->vmx_flags, sizeof(f->vmx_flags));
}

static void cpuid(const struct mhi_probe_facts *f, u32 leaf, u32 regs[4])
{
	f->env->cpuid(f->env->opaque, leaf, 0, regs);
}

static void read_cpuid(struct mhi_probe_facts *f)
{
	u32 r[4], most;

	cpuid(f, 0, r);
	memcpy(f->vendor, &r[1], 4);
	memcpy(f->vendor + 4, &r[3], 4);
	memcpy(f->vendor + 8, &r[2], 4);
	f->amd = !strcmp(f->vendor, "AuthenticAMD") || !strcmp(f->vendor, "HygonGenuine");
	cpuid(f, 1, r);
	f->nested = r[2] & LEAF1_ECX_HYPERVISOR;
	f->extension = r[2] & LEAF1_ECX_VMX;
	if (f->nested) {
		cpuid(f, LEAF_HYPERVISOR, r);
		memcpy(f->hypervisor, &r[1], 12);
	}
	if (!f->amd)
		return;
	f->extension = false;
	cpuid(f, LEAF_EXT, r);
	most = r[0];
	if (most < LEAF_EXT1)
		return;
	cpuid(f, LEAF_EXT1, r);
	f->extension = r[2] & LEAF_EXT1_ECX_SVM;
	if (!f->extension || most < LEAF_SVM)
		return;
	cpuid(f, LEAF_SVM, r);
	f->svm_features = r[3];
	f->svm_asids = r[1];
}

void mhi_probe_read_facts(const struct mhi_probe_env *env, struct mhi_probe_facts *f)
{
	memset(f, 0, sizeof(*f));
	f->env = env;
	read_cpuid(f);
	read_cpu_flags(f);
	f->info_error = env->info(env->opaque, &f->info, &f->info_text);
}

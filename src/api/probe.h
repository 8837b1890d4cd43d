/* SPDX-License-Identifier: MIT */
/*
 * The preflight's parts: where the machine is looked at (real, or a test's fake tree), the facts
 * read once, and the report that the parts fill in.
 */
#ifndef MHI_API_PROBE_H
#define MHI_API_PROBE_H

#include "base/types.h"
#include "core/err.h"
#include "macrohard/ctx.h"
#include "macrohard/uapi.h"

#define MHI_PROBE_ITEMS 48
#define MHI_PROBE_DETAIL 256
#define MHI_PROBE_CURE 320

struct mhi_probe_env {
	const char *root; /* prefix of /proc, /sys and /dev: "" on a real machine */
	void (*cpuid)(void *opaque, u32 leaf, u32 subleaf, u32 regs[4]); /* eax ebx ecx edx */
	/* 0 or a negative errno: no MSR driver, no permission, no such MSR. */
	int (*msr)(void *opaque, u32 index, u64 *value);
	/* What the module says: 0, or why it cannot be asked (as mh_vm_create would). */
	int (*info)(void *opaque, struct mhk_info *out, struct mhi_err *err);
	void *opaque;
};

/* Read once at the start. */
struct mhi_probe_facts {
	const struct mhi_probe_env *env;
	char vendor[13];     /* CPUID.0 */
	char hypervisor[13]; /* CPUID.40000000H; "" on the bare machine */
	bool nested;	     /* CPUID.1:ECX[31] */
	bool amd;	     /* which of the two tables applies */
	bool extension;	     /* VMX or SVM, by CPUID */
	u32 svm_features;    /* CPUID.8000000AH:EDX */
	u32 svm_asids;	     /* CPUID.8000000AH:EBX */
	int info_error;	     /* of env->info */
	struct mhk_info info;
	struct mhi_err info_text;
	char cpu_flags[8192]; /* /proc/cpuinfo, "flags"; "" if unreadable */
	char vmx_flags[2048]; /* /proc/cpuinfo, "vmx flags" */
};

struct mh_probe {
	struct mh_probe_item items[MHI_PROBE_ITEMS];
	char detail[MHI_PROBE_ITEMS][MHI_PROBE_DETAIL];
	char cure[MHI_PROBE_ITEMS][MHI_PROBE_CURE];
	size_t count;
	int verdict;
	char *json; /* made at the first mh_probe_json */
};

/* ---- probe_env.c: reading the machine ---- */

void mhi_probe_read_facts(const struct mhi_probe_env *env, struct mhi_probe_facts *f);
bool mhi_probe_exists(const struct mhi_probe_facts *f, const char *path);
/* The file's start, without the last line feed; -1 if it cannot be read. */
int mhi_probe_read(const struct mhi_probe_facts *f, const char *path, char *text, size_t bytes);
/* Is a word in a line of flags? */
bool mhi_probe_has_word(const char *line, const char *word);

/* ---- probe.c: the report ---- */

/* One kind of item; cure: what helps when the state is not YES, may be set anew for a case. */
struct mhi_probe_row {
	const char *id, *name, *source;
	enum mh_probe_level level;
	const char *cure;
};

void mhi_probe_add(struct mh_probe *p, const struct mhi_probe_row *row, enum mh_probe_state state);
/* Details and cure of the item that was added last. */
void mhi_probe_detail(struct mh_probe *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void mhi_probe_cure(struct mh_probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The whole report. */
void mhi_probe_fill(struct mh_probe *p, const struct mhi_probe_env *env);

void mhi_probe_cpu(struct mh_probe *p, const struct mhi_probe_facts *f);
void mhi_probe_module(struct mh_probe *p, const struct mhi_probe_facts *f);
void mhi_probe_host(struct mh_probe *p, const struct mhi_probe_facts *f);

/* ---- probe_json.c ---- */

/* malloc'ed; NULL when out of memory. */
char *mhi_probe_to_json(const struct mh_probe *p);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The policy for MSRs that the shim does not serve itself. SDM 4 "Model-Specific Registers", APM 2
 * appendix A "MSR Cross-Reference". What is not listed does not exist: #GP, which guests' probing
 * expects.
 */
#include "core/msr.h"

#include "core/count.h"

#include <time.h>
#include <x86intrin.h>

enum kind {
	MSR_FIXED,     /* reads as value, writes are ignored */
	MSR_READ_ONLY, /* reads as value, writes are #GP */
	MSR_STORED,    /* keeps what valid() accepts */
	MSR_TIME,      /* kvmclock: address of the vCPU's time | enable */
	MSR_WALL,      /* kvmclock: address of the wall clock, written at once */
};

struct msr_range {
	u32 first, last;
	enum kind kind;
	u64 value; /* for MSR_STORED: after reset */
	u32 slot;  /* for MSR_STORED: first of last - first + 1 places */
	bool (*valid)(u32 index, u64 value);
};

/* Places of mhi_msrs.stored. */
enum {
	SLOT_MTRR_VAR = 0,			/* 8 pairs */
	SLOT_MTRR_FIX64K = SLOT_MTRR_VAR + 16,	/* 1 */
	SLOT_MTRR_FIX16K,			/* 2 */
	SLOT_MTRR_FIX4K = SLOT_MTRR_FIX16K + 2, /* 8 */
	SLOT_MTRR_DEF = SLOT_MTRR_FIX4K + 8,
	SLOTS,
};
MHI_STATIC_ASSERT(SLOTS == MHI_MSR_STORED);

#define FEATURE_CONTROL_LOCKED 1u
#define MTRR_CAP 0x508u	     /* 8 variable ranges, fixed ranges, write-combining */
#define MTRR_DEF_TYPE 0x806u /* enabled, all write-back, as firmware leaves it: no fixed ranges */
#define MISC_ENABLE 0x1801u  /* fast strings; no BTS, no PEBS */
#define RAPL_UNITS 0xa1003u
#define HWCR_TSC_FREQ_SEL (1u << 24)
#define VM_CR_LOCKED_OFF 0x18u /* SVMDIS and LOCK */
#define DE_CFG_LFENCE (1u << 1)
/*
 * A revision that no microcode check finds too old; in both halves: Intel reports the upper, AMD
 * the lower.
 */
#define MICROCODE_REVISION ~0ull
#define KVMCLOCK_ENABLE 1ull
#define WALL_TRIES 10
#define WALL_CLOSE_NS 10000

/* SDM 3A 12.11 "Memory Type Range Registers (MTRRs)": UC, WC, WT, WP, WB. */
static bool mtrr_type_ok(u64 type)
{
	return type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
}

static bool mtrr_variable_ok(u32 index, u64 value)
{
	if (index & 1)
		return !(value & 0x7ff);
	return !(value & 0xf00) && mtrr_type_ok(value & 0xff);
}

static bool mtrr_fixed_ok(u32 index, u64 value)
{
	int i;

	for (i = 0; i < 64; i += 8)
		if (!mtrr_type_ok((value >> i) & 0xff))
			return false;
	return true;
}

static bool mtrr_default_ok(u32 index, u64 value)
{
	return !(value & ~0xcffull) && mtrr_type_ok(value & 0xff);
}

#define FIXED(first, last, value)                      \
	{                                              \
		first, last, MSR_FIXED, value, 0, NULL \
	}
#define READ_ONLY(index, value)                             \
	{                                                   \
		index, index, MSR_READ_ONLY, value, 0, NULL \
	}
#define STORED(first, last, value, slot, valid)             \
	{                                                   \
		first, last, MSR_STORED, value, slot, valid \
	}
#define PV(index, kind)                        \
	{                                      \
		index, index, kind, 0, 0, NULL \
	}

/* Sorted by first; ranges do not overlap. */
static const struct msr_range ranges[] = {
	FIXED(0x10, 0x10, 0), /* TSC; reads are the shim's: all vCPUs keep one TSC */
	PV(0x11, MSR_WALL),   /* kvmclock, first numbering */
	PV(0x12, MSR_TIME),
	READ_ONLY(0x17, 0),   /* PLATFORM_ID */
	FIXED(0x2a, 0x2a, 0), /* EBL_CR_POWERON */
	READ_ONLY(0x34, 0),   /* SMI_COUNT */
	READ_ONLY(0x3a, FEATURE_CONTROL_LOCKED),
	FIXED(0x79, 0x79, 0), /* BIOS_UPDT_TRIG */
	FIXED(0x8b, 0x8b, MICROCODE_REVISION),
	FIXED(0xc1, 0xc8, 0), /* PMC */
	FIXED(0xcd, 0xce, 0), /* FSB_FREQ, PLATFORM_INFO */
	FIXED(0xe2, 0xe2, 0), /* PKG_CST_CONFIG_CONTROL */
	FIXED(0xe7, 0xe8, 0), /* MPERF, APERF */
	READ_ONLY(0xfe, MTRR_CAP),
	FIXED(0x11e, 0x11e, 0), /* BBL_CR_CTL3 */
	FIXED(0x140, 0x140, 0), /* MISC_FEATURES_ENABLES */
	READ_ONLY(0x179, 0),	/* MCG_CAP: no banks */
	FIXED(0x17a, 0x17b, 0), /* MCG_STATUS, MCG_CTL */
	FIXED(0x186, 0x18d, 0), /* PERFEVTSEL */
	READ_ONLY(0x198, 0),	/* PERF_STATUS */
	FIXED(0x199, 0x19c, 0), /* PERF_CTL, clock modulation, thermal */
	FIXED(0x1a0, 0x1a0, MISC_ENABLE),
	FIXED(0x1a2, 0x1a2, 0), /* TEMPERATURE_TARGET */
	FIXED(0x1a6, 0x1a7, 0), /* OFFCORE_RSP */
	FIXED(0x1ad, 0x1ae, 0), /* TURBO_RATIO_LIMIT */
	FIXED(0x1c9, 0x1c9, 0), /* LASTBRANCH_TOS */
	FIXED(0x1d9, 0x1d9, 0), /* DEBUGCTL: no LBR, no BTF */
	FIXED(0x1db, 0x1de, 0), /* last branch and exception */
	FIXED(0x1fc, 0x1fc, 0), /* POWER_CTL */
	STORED(0x200, 0x20f, 0, SLOT_MTRR_VAR, mtrr_variable_ok),
	STORED(0x250, 0x250, 0, SLOT_MTRR_FIX64K, mtrr_fixed_ok),
	STORED(0x258, 0x259, 0, SLOT_MTRR_FIX16K, mtrr_fixed_ok),
	STORED(0x268, 0x26f, 0, SLOT_MTRR_FIX4K, mtrr_fixed_ok),
	STORED(0x2ff, 0x2ff, MTRR_DEF_TYPE, SLOT_MTRR_DEF, mtrr_default_ok),
	FIXED(0x309, 0x30b, 0), /* FIXED_CTR */
	READ_ONLY(0x345, 0),	/* PERF_CAPABILITIES */
	FIXED(0x38d, 0x390, 0), /* PMU control */
	FIXED(0x400, 0x47f, 0), /* machine-check banks */
	READ_ONLY(0x606, RAPL_UNITS),
	FIXED(0x610, 0x611, 0), /* RAPL package */
	FIXED(0x619, 0x619, 0),
	FIXED(0x639, 0x639, 0),
	FIXED(0x641, 0x641, 0),
	PV(0x4b564d00, MSR_WALL),
	PV(0x4b564d01, MSR_TIME),
	FIXED(0xc0010000, 0xc0010007, 0), /* AMD: PERFEVTSEL, PERFCTR */
	FIXED(0xc0010010, 0xc0010010, 0), /* SYSCFG */
	FIXED(0xc0010015, 0xc0010015, HWCR_TSC_FREQ_SEL),
	FIXED(0xc001001a, 0xc001001d, 0), /* TOP_MEM, NB */
	FIXED(0xc001001f, 0xc0010020, 0), /* NB_CFG, PATCH_LOADER */
	FIXED(0xc0010055, 0xc0010055, 0), /* INT_PENDING */
	FIXED(0xc0010058, 0xc0010058, 0), /* MMIO_CFG_BASE */
	FIXED(0xc0010061, 0xc0010071, 0), /* P-states */
	FIXED(0xc0010112, 0xc0010113, 0), /* SMM_ADDR, SMM_MASK */
	FIXED(0xc0010114, 0xc0010114, VM_CR_LOCKED_OFF),
	FIXED(0xc0010115, 0xc0010115, 0), /* IGNNE */
	FIXED(0xc0010117, 0xc0010117, 0), /* VM_HSAVE_PA */
	FIXED(0xc0010140, 0xc0010141, 0), /* OSVW: nothing is worked around */
	FIXED(0xc0010200, 0xc001020b, 0), /* extended PERFEVTSEL, PERFCTR */
	FIXED(0xc0011020, 0xc0011023, 0), /* LS_CFG, IC_CFG, DC_CFG, BU_CFG */
	FIXED(0xc0011029, 0xc0011029, DE_CFG_LFENCE),
	FIXED(0xc001102a, 0xc001102d, 0), /* BU_CFG2 and like it */
};

static const struct msr_range *find(u32 index)
{
	size_t low = 0, high = MHI_COUNT(ranges);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index > ranges[middle].last)
			low = middle + 1;
		else if (index < ranges[middle].first)
			high = middle;
		else
			return &ranges[middle];
	}
	return NULL;
}

void mhi_msrs_reset(struct mhi_msrs *msrs, const struct mhi_msr_env *env, u32 vcpu)
{
	size_t i;
	u32 n;

	memset(msrs, 0, offsetof(struct mhi_msrs, counts));
	msrs->env = env;
	msrs->vcpu = vcpu;
	for (i = 0; i < MHI_COUNT(ranges); i++)
		if (ranges[i].kind == MSR_STORED)
			for (n = 0; n <= ranges[i].last - ranges[i].first; n++)
				msrs->stored[ranges[i].slot + n] = ranges[i].value;
}

static void read_known(const struct mhi_msrs *msrs, const struct msr_range *r, u32 index,
		       u64 *value)
{
	switch (r->kind) {
	case MSR_FIXED:
	case MSR_READ_ONLY:
		*value = r->value;
		break;
	case MSR_STORED:
		*value = msrs->stored[r->slot + (index - r->first)];
		break;
	case MSR_TIME:
		*value = msrs->time_msr;
		break;
	case MSR_WALL:
		*value = msrs->wall_msr;
		break;
	}
}

static bool read_default(struct mhi_msrs *msrs, const struct msr_range *r, u32 index, u64 *value)
{
	const struct mhi_msr_env *env = msrs->env;

	if (mhi_hyperv_has(env->hyperv, index))
		return mhi_hyperv_read(env->hyperv, env, msrs->vcpu, index, value);
	if (r)
		read_known(msrs, r, index, value);
	return r != NULL;
}

/* The rule for an access, if one says something else than the library does by itself. */
static const struct mhi_msr_rule *rule_of(const struct mhi_msrs *msrs, const struct msr_range *r,
					  u32 index, u32 access)
{
	const struct mhi_msr_env *env = msrs->env;
	const struct mhi_msr_rule *rule;

	if (!env->policy)
		return NULL;
	rule = mhi_policy_msr(env->policy, index, access, r || mhi_hyperv_has(env->hyperv, index));
	return rule && rule->rule.action != MH_MSR_DEFAULT ? rule : NULL;
}

static bool by_rule(struct mhi_msrs *msrs, const struct mhi_msr_rule *rule, u32 index, bool write,
		    u64 *value)
{
	uint64_t answer = *value;
	u64 *kept;
	int rc;

	switch (rule->rule.action) {
	case MH_MSR_IGNORE:
		mhi_count(&msrs->counts.ignored);
		*value = 0;
		return true;
	case MH_MSR_ALLOW:
		mhi_count(&msrs->counts.allowed);
		kept = &msrs->kept[rule->kept + (index - rule->rule.first)];
		if (write)
			*kept = *value;
		else
			*value = *kept;
		return true;
	case MH_MSR_CALL:
		mhi_count(&msrs->counts.called);
		rc = rule->rule.fn(rule->rule.opaque, msrs->vcpu, index, write, &answer);
		*value = answer;
		return !rc;
	default:
		return false;
	}
}

bool mhi_msrs_read(struct mhi_msrs *msrs, u32 index, u64 *value)
{
	const struct msr_range *r = find(index);
	const struct mhi_msr_rule *rule = rule_of(msrs, r, index, MH_MSR_READ);
	bool done = rule ? by_rule(msrs, rule, index, false, value)
			 : read_default(msrs, r, index, value);

	if (!done)
		mhi_count(&msrs->counts.refused);
	return done;
}

/* The page of the clock that the guest has given by value, if it has. False: it is no memory. */
static bool write_time_page(struct mhi_msrs *msrs, u64 value, bool paused)
{
	const struct mhi_msr_env *env = msrs->env;

	return !(value & KVMCLOCK_ENABLE) ||
	       !mhi_kvmclock_write_time(env->clock, env->mem, value & ~KVMCLOCK_ENABLE, paused,
					&msrs->time_version);
}

static bool write_time(struct mhi_msrs *msrs, u64 value)
{
	if (!write_time_page(msrs, value, false))
		return false;
	msrs->time_msr = value;
	return true;
}

/* Where the page has gone meanwhile, there is nobody to tell. */
void mhi_msrs_paused(struct mhi_msrs *msrs)
{
	(void)write_time_page(msrs, msrs->time_msr, true);
}

static u64 realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (u64)now.tv_sec * 1000000000ull + (u64)now.tv_nsec;
}

static u64 guest_ns(const struct mhi_msr_env *env, u64 host_tsc)
{
	return mhi_kvmclock_ns(env->clock, env->guest_tsc(env->opaque, host_tsc));
}

/*
 * What the wall clock was at guest time 0. A busy host may take the CPU away between the two looks:
 * the guest would be wrong by that for ever. The closest pair of some counts.
 */
static u64 wall_of_zero(const struct mhi_msr_env *env)
{
	u64 best = ~0ull, wall = 0;
	int i;

	for (i = 0; i < WALL_TRIES && best > WALL_CLOSE_NS; i++) {
		u64 first = __rdtsc(), real = realtime_ns(), last = __rdtsc();
		u64 before = guest_ns(env, first), apart = guest_ns(env, last) - before;

		if (apart < best) {
			best = apart;
			wall = real - before - apart / 2;
		}
	}
	return wall;
}

static bool write_wall(struct mhi_msrs *msrs, u64 value)
{
	const struct mhi_msr_env *env = msrs->env;
	u64 wall = wall_of_zero(env);

	/* Address 0 is no wish for a clock there: KVM takes it so, too. */
	if (value && mhi_kvmclock_write_wall(env->mem, value, wall, &msrs->wall_version))
		return false;
	msrs->wall_msr = value;
	return true;
}

static bool write_known(struct mhi_msrs *msrs, const struct msr_range *r, u32 index, u64 value)
{
	switch (r->kind) {
	case MSR_FIXED:
		return true;
	case MSR_STORED:
		if (!r->valid(index, value))
			return false;
		msrs->stored[r->slot + (index - r->first)] = value;
		return true;
	case MSR_TIME:
		return write_time(msrs, value);
	case MSR_WALL:
		return write_wall(msrs, value);
	case MSR_READ_ONLY:
	default:
		return false;
	}
}

static bool write_default(struct mhi_msrs *msrs, const struct msr_range *r, u32 index, u64 value)
{
	const struct mhi_msr_env *env = msrs->env;

	if (mhi_hyperv_has(env->hyperv, index))
		return mhi_hyperv_write(env->hyperv, env, index, value);
	return r && write_known(msrs, r, index, value);
}

bool mhi_msrs_write(struct mhi_msrs *msrs, u32 index, u64 value)
{
	const struct msr_range *r = find(index);
	const struct mhi_msr_rule *rule = rule_of(msrs, r, index, MH_MSR_WRITE);
	bool done = rule ? by_rule(msrs, rule, index, true, &value)
			 : write_default(msrs, r, index, value);

	if (!done)
		mhi_count(&msrs->counts.refused);
	return done;
}

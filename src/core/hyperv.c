/* SPDX-License-Identifier: MIT */
/* Hyper-V's synthetic MSRs, its hypercall page and its reference time page. */
#include "core/hyperv.h"

#include <x86intrin.h>

#include "core/msr.h"

#define MSR_FIRST 0x40000000u
#define MSR_LAST 0x400001ffu
enum {
	MSR_GUEST_OS_ID = 0x40000000,
	MSR_HYPERCALL = 0x40000001,
	MSR_VP_INDEX = 0x40000002,
	MSR_TIME_REF_COUNT = 0x40000020,
	MSR_REFERENCE_TSC = 0x40000021,
	MSR_TSC_FREQUENCY = 0x40000022,
	MSR_APIC_FREQUENCY = 0x40000023,
};

/* TLFS 3.12 "Establishing the Hypercall Interface", 12.7.1 "Reference TSC Page". */
#define PAGE_ENABLE 1ull
#define HYPERCALL_LOCKED 2ull
#define PAGE_ADDRESS(value) ((value) & ~0xfffull)

#define REFERENCE_HZ 10000000ull /* units of 100 ns */

/* TLFS 12.7.2 "Format of the Reference TSC Page": time = (tsc * scale >> 64) + offset. */
struct reference_page {
	u32 sequence; /* 0: do not use this page */
	u32 reserved;
	u64 scale;
	s64 offset;
};
MHI_STATIC_ASSERT(sizeof(struct reference_page) == 24);

void mhi_hyperv_set_rates(struct mhi_hyperv *hv, u32 tsc_khz, u32 timer_khz)
{
	hv->tsc_hz = (tsc_khz ? tsc_khz : 1) * 1000ull;
	hv->apic_hz = timer_khz * 1000ull;
}

void mhi_hyperv_init(struct mhi_hyperv *hv, u32 tsc_khz, u32 timer_khz, bool intel)
{
	memset(hv, 0, sizeof(*hv));
	mhi_hyperv_set_rates(hv, tsc_khz, timer_khz);
	hv->intel = intel;
	pthread_mutex_init(&hv->lock, NULL);
}

void mhi_hyperv_fini(struct mhi_hyperv *hv)
{
	pthread_mutex_destroy(&hv->lock);
}

void mhi_hyperv_reset(struct mhi_hyperv *hv)
{
	hv->guest_os_id = 0;
	hv->hypercall = 0;
	hv->reference_tsc = 0;
}

bool mhi_hyperv_hypercalls(struct mhi_hyperv *hv)
{
	bool on;

	pthread_mutex_lock(&hv->lock);
	on = hv->hypercall & PAGE_ENABLE;
	pthread_mutex_unlock(&hv->lock);
	return on;
}

/* ---- reference time ---- */

static u64 scaled(u64 tsc, u64 scale)
{
	return (u64)(((unsigned __int128)tsc * scale) >> 64);
}

/* Time is 0 where kvmclock's is. */
static struct reference_page reference(const struct mhi_hyperv *hv, const struct mhi_msr_env *env)
{
	u64 scale = (u64)(((unsigned __int128)REFERENCE_HZ << 64) / hv->tsc_hz);

	return (struct reference_page){ .sequence = 1,
					.scale = scale,
					.offset = -(s64)scaled(env->clock->tsc_zero, scale) };
}

static u64 reference_count(const struct mhi_hyperv *hv, const struct mhi_msr_env *env)
{
	const struct reference_page now = reference(hv, env);

	return scaled(env->guest_tsc(env->opaque, __rdtsc()), now.scale) + (u64)now.offset;
}

static bool write_reference(struct mhi_hyperv *hv, const struct mhi_msr_env *env, u64 value)
{
	struct reference_page page = reference(hv, env);

	if ((value & PAGE_ENABLE) &&
	    mhi_gmem_write(env->mem, PAGE_ADDRESS(value), &page, sizeof(page), false))
		return false;
	hv->reference_tsc = value;
	return true;
}

/* ---- hypercalls ---- */

/* Without an identity there is no page; losing it takes the page away. */
static void write_identity(struct mhi_hyperv *hv, u64 value)
{
	hv->guest_os_id = value;
	if (!value)
		hv->hypercall &= ~PAGE_ENABLE;
}

static bool write_hypercall(struct mhi_hyperv *hv, const struct mhi_msr_env *env, u64 value)
{
	static const u8 vmcall_ret[] = { 0x0f, 0x01, 0xc1, 0xc3 };
	static const u8 vmmcall_ret[] = { 0x0f, 0x01, 0xd9, 0xc3 };

	if (!hv->guest_os_id || (hv->hypercall & HYPERCALL_LOCKED))
		return true; /* ignored */
	if ((value & PAGE_ENABLE) &&
	    mhi_gmem_write(env->mem, PAGE_ADDRESS(value), hv->intel ? vmcall_ret : vmmcall_ret,
			   sizeof(vmcall_ret), false))
		return false;
	hv->hypercall = value;
	return true;
}

/* ---- MSRs ---- */

bool mhi_hyperv_has(const struct mhi_hyperv *hv, u32 index)
{
	return hv && index >= MSR_FIRST && index <= MSR_LAST;
}

static bool read_msr(const struct mhi_hyperv *hv, const struct mhi_msr_env *env, u32 vcpu,
		     u32 index, u64 *value)
{
	switch (index) {
	case MSR_GUEST_OS_ID:
		*value = hv->guest_os_id;
		return true;
	case MSR_HYPERCALL:
		*value = hv->hypercall;
		return true;
	case MSR_VP_INDEX:
		*value = vcpu;
		return true;
	case MSR_TIME_REF_COUNT:
		*value = reference_count(hv, env);
		return true;
	case MSR_REFERENCE_TSC:
		*value = hv->reference_tsc;
		return true;
	case MSR_TSC_FREQUENCY:
		*value = hv->tsc_hz;
		return true;
	case MSR_APIC_FREQUENCY:
		*value = hv->apic_hz;
		return true;
	default:
		return false;
	}
}

bool mhi_hyperv_read(struct mhi_hyperv *hv, const struct mhi_msr_env *env, u32 vcpu, u32 index,
		     u64 *value)
{
	bool known;

	pthread_mutex_lock(&hv->lock);
	known = read_msr(hv, env, vcpu, index, value);
	pthread_mutex_unlock(&hv->lock);
	return known;
}

bool mhi_hyperv_write(struct mhi_hyperv *hv, const struct mhi_msr_env *env, u32 index, u64 value)
{
	bool done = false;

	pthread_mutex_lock(&hv->lock);
	if (index == MSR_GUEST_OS_ID) {
		write_identity(hv, value);
		done = true;
	} else if (index == MSR_HYPERCALL) {
		done = write_hypercall(hv, env, value);
	} else if (index == MSR_REFERENCE_TSC) {
		done = write_reference(hv, env, value);
	}
	pthread_mutex_unlock(&hv->lock);
	return done;
}

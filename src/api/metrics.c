/* SPDX-License-Identifier: MIT */
/* Metrics: sums over vCPUs and what the engine and the devices have counted. */
#include <time.h>

#include "api/dev.h"
#include "api/exit_kind.h"
#include "api/sized.h"
#include "macrohard/metrics.h"

static const u8 service_kind[MHK_EXIT_COUNT] = {
#define SERVICE_KIND(name, text) [MHK_EXIT_##name] = MH_SERVICE_##name,
	MH_SERVICE_LIST(SERVICE_KIND)
#undef SERVICE_KIND
};

MHI_STATIC_ASSERT((int)MH_SERVICE_KINDS == (int)MHK_EXIT_COUNT);
MHI_STATIC_ASSERT(MH_SERVICE_KINDS <= MH_SERVICE_KINDS_MAX);

const char *mh_service_name(unsigned int kind)
{
	static const char *const names[] = {
#define SERVICE_NAME(name, text) text,
		MH_SERVICE_LIST(SERVICE_NAME)
#undef SERVICE_NAME
	};

	return kind < MHI_COUNT(names) ? names[kind] : NULL;
}

/* ---- VM ---- */

static void add_stats(struct mhk_stats *to, const struct mhk_stats *from)
{
	to->entries += from->entries;
	to->interrupts += from->interrupts;
	to->halts += from->halts;
	to->faults += from->faults;
	to->doorbells += from->doorbells;
	for (unsigned int i = 0; i < MHI_COUNT(to->by_reason); i++)
		to->by_reason[i] += from->by_reason[i];
}

void mhi_vm_add_stats(const struct mh_vm *vm, struct mhi_eng_vcpu *v, struct mhk_stats *to)
{
	struct mhk_stats stats;

	if (v && vm->ops->stats && !vm->ops->stats(v, &stats))
		add_stats(to, &stats);
}

static void put_engine(struct mh_vm *vm, struct mh_vm_metrics *m)
{
	struct mhk_stats sum;
	u32 i;

	pthread_rwlock_rdlock(&vm->engine_lock);
	sum = vm->past;
	for (i = 0; i < vm->cpus; i++)
		mhi_vm_add_stats(vm, vm->vcpu[i].eng, &sum);
	pthread_rwlock_unlock(&vm->engine_lock);
	m->entries = sum.entries;
	m->interrupts = sum.interrupts;
	m->halts = sum.halts;
	m->faults = sum.faults;
	m->doorbells = sum.doorbells;
	for (i = 0; i < MHI_COUNT(mhi_exit_kind); i++)
		m->exits[mhi_exit_kind[i]] = sum.by_reason[i];
}

static void put_services(const struct mh_vm *vm, struct mh_vm_metrics *m)
{
	for (u32 i = 0; i < vm->cpus; i++)
		for (u32 n = 0; n < MHI_COUNT(service_kind); n++)
			m->services[service_kind[n]] += mhi_counted(&vm->vcpu[i].exits[n]);
}

static void put_msrs(const struct mh_vm *vm, struct mh_vm_metrics *m)
{
	for (u32 i = 0; i < vm->cpus; i++) {
		const struct mhi_msr_counts *c = &vm->vcpu[i].msrs.counts;

		m->msr_refused += mhi_counted(&c->refused);
		m->msr_ignored += mhi_counted(&c->ignored);
		m->msr_allowed += mhi_counted(&c->allowed);
		m->msr_called += mhi_counted(&c->called);
	}
}

static u64 now_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		return 0;
	return (u64)now.tv_sec * 1000000000ull + (u64)now.tv_nsec;
}

u64 mhi_monotonic_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

/* Under vm->lock: threads are not joined meanwhile. */
static u64 vcpu_ns(const struct mh_vm *vm)
{
	clockid_t clock;
	u64 sum = 0;

	for (u32 i = 0; i < vm->cpus; i++)
		if (vm->vcpu[i].has_thread && !pthread_getcpuclockid(vm->vcpu[i].thread, &clock))
			sum += now_ns(clock);
	return sum;
}

int mh_vm_metrics(struct mh_vm *vm, struct mh_vm_metrics *out)
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;

	if (!vm)
		return MH_EINVAL;
	if (!mhi_sized_ok(out))
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "metrics of VM \"%s\": out is NULL, or out->size is not set; "
				   "use MH_VM_METRICS_INIT",
				   vm->name);
	pthread_mutex_lock(&vm->lock);
	if (vm->state == MH_VM_RUNNING || vm->state == MH_VM_PAUSED)
		m.uptime_ns = mhi_monotonic_ns() - vm->started_ns;
	m.vcpu_ns = vcpu_ns(vm);
	m.starts = vm->starts;
	m.resets = vm->resets;
	pthread_mutex_unlock(&vm->lock);
	put_engine(vm, &m);
	put_services(vm, &m);
	put_msrs(vm, &m);
	mhi_sized_put(out, &m, sizeof(m));
	return 0;
}

/* ---- devices ---- */

static u64 ticks_to_ns(const struct mh_vm *vm, u64 ticks)
{
	return vm->info->tsc_khz ? (u64)((unsigned __int128)ticks * 1000000u / vm->info->tsc_khz)
				 : 0;
}

int mh_dev_metrics(struct mh_dev *dev, struct mh_dev_metrics *out)
{
	struct mh_dev_metrics m = MH_DEV_METRICS_INIT;
	struct mhi_vdev_counts c = { 0 };

	if (!dev)
		return MH_EINVAL;
	if (!mhi_sized_ok(out))
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EINVAL,
				   "metrics of %s of VM \"%s\": out is NULL, or out->size is not "
				   "set; use MH_DEV_METRICS_INIT",
				   dev->what, dev->vm->name);
	if (dev->vdev)
		mhi_vdev_counts(dev->vdev, &c);
	m.requests = c.requests;
	m.errors = c.errors;
	m.to_guest_bytes = c.to_guest;
	m.from_guest_bytes = c.from_guest;
	m.latency_count = c.timed;
	m.latency_sum_ns = ticks_to_ns(dev->vm, c.ticks);
	m.latency_max_ns = ticks_to_ns(dev->vm, c.ticks_max);
	m.interrupts = c.interrupts;
	mhi_sized_put(out, &m, sizeof(m));
	return 0;
}

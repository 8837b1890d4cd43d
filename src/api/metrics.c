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

void mhi_vcpu_add_stats(const struct mh_vcpu *v, struct mhk_stats *to)
{
	const struct mhi_engine_ops *ops = v->vm->ops;
	struct mhk_stats stats;

	if (v->eng && ops->stats && !ops->stats(v->eng, &stats))
		add_stats(to, &stats);
}

static void put_engine(const struct mh_vcpu *v, struct mh_vm_metrics *m)
{
	struct mhk_stats sum;

	pthread_rwlock_rdlock(&v->vm->engine_lock);
	sum = v->past;
	mhi_vcpu_add_stats(v, &sum);
	pthread_rwlock_unlock(&v->vm->engine_lock);
	m->entries += sum.entries;
	m->interrupts += sum.interrupts;
	m->halts += sum.halts;
	m->faults += sum.faults;
	m->doorbells += sum.doorbells;
	for (u32 i = 0; i < MHI_COUNT(mhi_exit_kind); i++)
		m->exits[mhi_exit_kind[i]] += sum.by_reason[i];
}

static void put_services(const struct mh_vcpu *v, struct mh_vm_metrics *m)
{
	for (u32 n = 0; n < MHI_COUNT(service_kind); n++)
		m->services[service_kind[n]] += mhi_counted(&v->exits[n]);
}

static void put_policy(const struct mh_vcpu *v, struct mh_vm_metrics *m)
{
	const struct mhi_msr_counts *c = &v->msrs.counts;

	m->msr_refused += mhi_counted(&c->refused);
	m->msr_ignored += mhi_counted(&c->ignored);
	m->msr_allowed += mhi_counted(&c->allowed);
	m->msr_called += mhi_counted(&c->called);
	m->ports_denied += mhi_counted(&v->ports_denied);
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
static u64 vcpu_ns(const struct mh_vcpu *v)
{
	clockid_t clock;

	return v->has_thread && !pthread_getcpuclockid(v->thread, &clock) ? now_ns(clock) : 0;
}

/* Of count vCPUs from first on. */
static int put_all(struct mh_vm *vm, u32 first, u32 count, struct mh_vm_metrics *out)
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;
	const struct mh_vcpu *v;

	if (!mhi_sized_ok(out))
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "metrics of VM \"%s\": out is NULL, or out->size is not set; "
				   "use MH_VM_METRICS_INIT",
				   vm->name);
	pthread_mutex_lock(&vm->lock);
	if (vm->state == MH_VM_RUNNING || vm->state == MH_VM_PAUSED)
		m.uptime_ns = mhi_monotonic_ns() - vm->started_ns;
	m.starts = vm->starts;
	m.resets = vm->resets;
	for (v = &vm->vcpu[first]; v < &vm->vcpu[first + count]; v++)
		m.vcpu_ns += vcpu_ns(v);
	pthread_mutex_unlock(&vm->lock);
	for (v = &vm->vcpu[first]; v < &vm->vcpu[first + count]; v++) {
		put_engine(v, &m);
		put_services(v, &m);
		put_policy(v, &m);
	}
	mhi_sized_put(out, &m, sizeof(m));
	return 0;
}

int mh_vm_metrics(struct mh_vm *vm, struct mh_vm_metrics *out)
{
	return vm ? put_all(vm, 0, vm->cpus, out) : MH_EINVAL;
}

int mh_vcpu_metrics(struct mh_vm *vm, uint32_t index, struct mh_vm_metrics *out)
{
	if (!vm)
		return MH_EINVAL;
	if (index >= vm->cpus)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "metrics of VM \"%s\": there is no vCPU %u, only 0 to %u",
				   vm->name, index, vm->cpus - 1);
	return put_all(vm, index, 1, out);
}

/* ---- devices ---- */

static u64 ticks_to_ns(const struct mh_vm *vm, u64 ticks)
{
	u32 khz = vm->ops->info(vm->engine)->tsc_khz;

	return khz ? (u64)((unsigned __int128)ticks * 1000000u / khz) : 0;
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

/* SPDX-License-Identifier: MIT */
/* Rules about MSRs and CPUID: which one decides, what each comes to, what is refused. */
#include "api_fixture.h"

#include <x86intrin.h>
#include <unistd.h>

#include "core/policy.h"
#include "macrohard/metrics.h"
#include "macrohard/policy.h"

#define UNKNOWN 0xdead0000u /* the library knows none from here on */
#define MTRR_CAP 0xfeu	    /* it knows this one, which can only be read */
#define ACCESSES 16

/* What the guest does, one after the other, and what came of it. */
static struct access {
	u32 index;
	bool write;
	u64 value;
	bool gp;
} acc[ACCESSES];
static u32 accesses, done; /* done: atomic */

static void keep_reply(struct mhi_eng_vcpu *v, u32 n)
{
	acc[n].gp = v->reply_flags & MHK_REPLY_GP;
	if (!acc[n].write)
		acc[n].value = v->reply;
	__atomic_store_n(&done, n + 1, __ATOMIC_SEQ_CST);
}

static int guest(struct mhi_eng_vcpu *v, struct mhk_run *page)
{
	const struct access *a = &acc[v->step - 1];

	if (v->step > 1 && v->step <= accesses + 1)
		keep_reply(v, v->step - 2);
	if (v->step > accesses)
		return fake_exit_halt(v, page);
	page->exit.u.msr.index = a->index;
	page->exit.u.msr.data = a->value;
	return fake_exit(page, a->write ? MHK_EXIT_WRMSR : MHK_EXIT_RDMSR);
}

static void run(struct mh_vm *vm, const struct access *list, u32 count)
{
	memcpy(acc, list, count * sizeof(*list));
	accesses = count;
	done = 0;
	fake_engine.script = guest;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < count)
		usleep(100);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
}

#define R(index)                         \
	{                                \
		(index), false, 0, false \
	}
#define W(index, value)                       \
	{                                     \
		(index), true, (value), false \
	}
#define RUN(vm, ...)                                      \
	run((vm), (const struct access[]){ __VA_ARGS__ }, \
	    sizeof((const struct access[]){ __VA_ARGS__ }) / sizeof(struct access))

static int rule(struct mh_vm *vm, u32 first, u32 last, enum mh_msr_action action, u32 flags)
{
	struct mh_msr_rule r = MH_MSR_RULE_INIT;

	r.first = first;
	r.last = last;
	r.action = action;
	r.flags = flags;
	return mh_vm_msr_rule(vm, &r);
}

static struct mh_vm_metrics metrics_of(struct mh_vm *vm)
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;

	ck_assert_int_eq(mh_vm_metrics(vm, &m), 0);
	return m;
}

START_TEST(actions)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	struct mh_vm_metrics m;

	ck_assert_int_eq(rule(vm, UNKNOWN, UNKNOWN, MH_MSR_IGNORE, 0), 0);
	ck_assert_int_eq(rule(vm, UNKNOWN + 1, UNKNOWN + 2, MH_MSR_ALLOW, 0), 0);
	ck_assert_int_eq(rule(vm, MTRR_CAP, MTRR_CAP, MH_MSR_DENY, MH_MSR_READ), 0);
	RUN(vm, W(UNKNOWN, 5), R(UNKNOWN), R(UNKNOWN + 2), W(UNKNOWN + 2, 77), W(UNKNOWN + 1, 66),
	    R(UNKNOWN + 2), R(UNKNOWN + 1), R(MTRR_CAP), R(UNKNOWN + 3));
	ck_assert(!acc[0].gp && !acc[1].gp);
	ck_assert_uint_eq(acc[1].value, 0);
	ck_assert_uint_eq(acc[2].value, 0);
	ck_assert_uint_eq(acc[5].value, 77);
	ck_assert_uint_eq(acc[6].value, 66);
	ck_assert(acc[7].gp && acc[8].gp);
	m = metrics_of(vm);
	ck_assert_uint_eq(m.msr_ignored, 2);
	ck_assert_uint_eq(m.msr_allowed, 5);
	ck_assert_uint_eq(m.msr_refused, 2);
	ck_assert_uint_eq(m.msr_called, 0);
	ck_assert_msg(strstr(last_log, "a write is ignored, MSR 0xdead0000"), "%s", last_log);
	/* A new life: what was kept is gone, what was counted is not. */
	RUN(vm, R(UNKNOWN + 2));
	ck_assert_uint_eq(acc[0].value, 0);
	ck_assert_uint_eq(metrics_of(vm).msr_allowed, 6);
	mh_vm_destroy(vm);
}
END_TEST

/* The first rule that fits: by direction, by whether the library knows the MSR. */
START_TEST(first_match)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);

	ck_assert_int_eq(rule(vm, UNKNOWN, UNKNOWN, MH_MSR_DENY, MH_MSR_WRITE), 0);
	ck_assert_int_eq(rule(vm, UNKNOWN + 1, UNKNOWN + 1, MH_MSR_DEFAULT, 0), 0);
	ck_assert_int_eq(rule(vm, 0, ~0u, MH_MSR_IGNORE, MH_MSR_UNKNOWN), 0);
	RUN(vm, W(UNKNOWN, 5), R(UNKNOWN), R(UNKNOWN + 1), R(UNKNOWN + 2), R(MTRR_CAP),
	    W(MTRR_CAP, 0));
	ck_assert(acc[0].gp);
	ck_assert(!acc[1].gp);
	ck_assert(acc[2].gp);
	ck_assert(!acc[3].gp);
	ck_assert_uint_eq(acc[4].value, 0x508);
	ck_assert(acc[5].gp);
	mh_vm_destroy(vm);
}
END_TEST

static int decide(void *opaque, uint32_t vcpu, uint32_t index, int write, uint64_t *value)
{
	u64 *last = opaque;

	ck_assert_uint_eq(vcpu, 0);
	if (index != UNKNOWN)
		return MH_ENOTSUP;
	if (write)
		*last = *value;
	else
		*value = *last + 1;
	return 0;
}

START_TEST(callback)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	struct mh_msr_rule r = MH_MSR_RULE_INIT;
	u64 last = 0;

	r.first = UNKNOWN;
	r.last = UNKNOWN + 1;
	r.action = MH_MSR_CALL;
	ck_assert_int_eq(mh_vm_msr_rule(vm, &r), MH_EINVAL);
	ck_error_has("fn goes with MH_MSR_CALL");
	r.fn = decide;
	r.opaque = &last;
	ck_assert_int_eq(mh_vm_msr_rule(vm, &r), 0);
	RUN(vm, W(UNKNOWN, 41), R(UNKNOWN), R(UNKNOWN + 1));
	ck_assert_uint_eq(last, 41);
	ck_assert_uint_eq(acc[1].value, 42);
	ck_assert(acc[2].gp);
	ck_assert_uint_eq(metrics_of(vm).msr_called, 3);
	ck_assert_uint_eq(metrics_of(vm).msr_refused, 1);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(msr_rules_refused)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	struct mh_msr_rule r = MH_MSR_RULE_INIT;

	ck_assert_int_eq(rule(vm, 2, 1, MH_MSR_DENY, 0), MH_EINVAL);
	ck_error_has("first is above last");
	ck_assert_int_eq(rule(vm, 1, 1, (enum mh_msr_action)5, 0), MH_EINVAL);
	ck_assert_int_eq(rule(vm, 1, 1, MH_MSR_DENY, 8), MH_EINVAL);
	ck_assert_int_eq(rule(vm, 0, ~0u, MH_MSR_ALLOW, 0), MH_ERANGE);
	ck_error_has("more than 256");
	ck_assert_int_eq(rule(vm, 0, 199, MH_MSR_ALLOW, 0), 0);
	ck_assert_int_eq(rule(vm, 300, 356, MH_MSR_ALLOW, 0), MH_ERANGE);
	ck_assert_int_eq(rule(vm, 300, 355, MH_MSR_ALLOW, 0), 0);
	for (u32 n = 2; n < MH_RULES_MAX; n++)
		ck_assert_int_eq(rule(vm, n, n, MH_MSR_DENY, 0), 0);
	ck_assert_int_eq(rule(vm, 1, 1, MH_MSR_DENY, 0), MH_ERANGE);
	ck_assert_int_eq(mh_vm_msr_rule(vm, NULL), MH_EINVAL);
	r.size = 0;
	ck_assert_int_eq(mh_vm_msr_rule(vm, &r), MH_EINVAL);
	ck_error_has("INIT macro");
	ck_assert_int_eq(mh_vm_msr_rule(NULL, &r), MH_EINVAL);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(rule(vm, 1, 1, MH_MSR_DENY, 0), MH_ESTATE);
	mh_vm_destroy(vm);
}
END_TEST

/* ---- CPUID ---- */

static const struct mhk_cpuid_entry *find_leaf(u32 vcpu, u32 leaf, u32 subleaf)
{
	const struct mhi_eng_vcpu *v = fake_engine.vcpu[vcpu];

	for (u32 i = 0; i < v->cpuids; i++)
		if (v->cpuid[i].leaf == leaf && v->cpuid[i].subleaf == subleaf)
			return &v->cpuid[i];
	return NULL;
}

/* The guest's kHz by KVM's leaf and by the CPU's, and the rate of its local APIC's timer. */
static void check_clocks(u32 khz)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		ck_assert_uint_eq(find_leaf(i, 0x40000010, 0)->eax, khz);
		ck_assert_uint_eq(find_leaf(i, 0x40000010, 0)->ebx, khz / 2);
		ck_assert_uint_eq(find_leaf(i, 0x15, 0)->eax, khz / 2);
		ck_assert_uint_eq(find_leaf(i, 0x15, 0)->ebx, khz);
		ck_assert_uint_eq(find_leaf(i, 0x15, 0)->ecx, khz / 2 * 1000);
		ck_assert_uint_eq(find_leaf(i, 0x16, 0)->eax, khz / 1000);
	}
}

START_TEST(tsc_khz)
{
	struct mh_vm *vm;
	u64 before, after;

	fake_engine.info.vendor = MHK_VENDOR_VMX;
	vm = api_vm(2, MH_VM_BARE, 0);
	ck_assert_uint_eq(mh_vm_tsc_khz(vm), 2000000);
	fake_engine.tsc.shift = 48;
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 3000000), 0);
	ck_assert_uint_eq(mh_vm_tsc_khz(vm), 3000000);
	check_clocks(3000000);
	ck_assert_uint_eq(fake_engine.tsc.ratio, 0); /* not before it starts */
	before = __rdtsc();
	ck_assert_int_eq(mh_vm_start(vm), 0);
	after = __rdtsc();
	ck_assert_uint_eq(fake_engine.tsc.ratio, 3ull << 47);
	ck_assert_uint_eq(fake_engine.tsc.khz, 3000000);
	/* It began at 0. */
	ck_assert_uint_le(-fake_engine.tsc.offset, (u64)((unsigned __int128)after * 3 / 2));
	ck_assert_uint_ge(-fake_engine.tsc.offset, (u64)((unsigned __int128)before * 3 / 2));
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 2000000), MH_ESTATE);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 2000000), MH_ESTATE);
	ck_error_has("its guest has seen it");
	ck_assert_uint_eq(mh_vm_tsc_khz(vm), 3000000);
	/* The host's again, by its number or by 0. */
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 2000000), 0);
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 0), 0);
	ck_assert_uint_eq(mh_vm_tsc_khz(vm), 2000000);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	check_clocks(2000000);
	ck_assert_uint_eq(fake_engine.tsc.ratio, 0);
	ck_assert_uint_eq(fake_engine.tsc.khz, 0);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	/* What cannot be. */
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 7843), MH_ERANGE);
	ck_error_has("choose 7844 to 510000000");
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 510000001), MH_ERANGE);
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 7844), 0);
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 510000000), 0);
	/* An engine that refuses what it seemed to offer. */
	fake_engine.tsc_error = MH_EIO;
	ck_assert_int_eq(mh_vm_start(vm), MH_EIO);
	ck_error_has("510000000 kHz");
	fake_engine.tsc_error = 0;
	fake_engine.tsc.shift = 0;
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 2000001), MH_EMISSING);
	ck_error_has("lacks TSC scaling");
	ck_assert_uint_eq(mh_vm_tsc_khz(vm), 510000000);
	ck_assert_int_eq(mh_vm_set_tsc_khz(vm, 2000000), 0);
	ck_assert_uint_eq(mh_vm_tsc_khz(vm), 2000000);
	mh_vm_destroy(vm);
	ck_assert_int_eq(mh_vm_set_tsc_khz(NULL, 0), MH_EINVAL);
	ck_assert_uint_eq(mh_vm_tsc_khz(NULL), 0);
}
END_TEST

START_TEST(cpuid)
{
	struct mh_vm *vm = api_vm(2, MH_VM_BARE, 0);
	struct mh_cpuid_rule r = MH_CPUID_RULE_INIT;
	u32 features = find_leaf(1, 1, 0)->ecx;

	ck_assert_uint_ne(features & 1u << 31, 0);
	r.leaf = 1;
	r.clear[2] = 1u << 31;
	ck_assert_int_eq(mh_vm_cpuid_rule(vm, &r), 0);
	ck_assert_uint_eq(find_leaf(0, 1, 0)->ecx, find_leaf(1, 1, 0)->ecx);
	ck_assert_uint_eq(find_leaf(1, 1, 0)->ecx, features & ~(1u << 31));
	/* A leaf of the embedder's own, for a paravirtual driver. */
	r = (struct mh_cpuid_rule)MH_CPUID_RULE_INIT;
	r.leaf = 0x40000200;
	r.subleaf = 3;
	r.flags = MH_CPUID_SUBLEAF;
	r.set[1] = 0x12345678;
	ck_assert_int_eq(mh_vm_cpuid_rule(vm, &r), 0);
	ck_assert_uint_eq(find_leaf(0, 0x40000200, 3)->ebx, 0x12345678);
	ck_assert_ptr_null(find_leaf(0, 0x40000200, 0));
	/* It holds for later lives, too. */
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_cpuid_rule(vm, &r), MH_ESTATE);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_cpuid_rule(vm, &r), MH_ESTATE);
	ck_error_has("its guest has seen CPUID");
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	r.set[1] = 1;
	r.clear[1] = ~0u;
	ck_assert_int_eq(mh_vm_cpuid_rule(vm, &r), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_uint_eq(find_leaf(1, 0x40000200, 3)->ebx, 1);
	ck_assert_uint_eq(find_leaf(1, 1, 0)->ecx, features & ~(1u << 31));
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(cpuid_rules_refused)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	struct mh_cpuid_rule r = MH_CPUID_RULE_INIT;
	u32 before = fake_engine.vcpu[0]->cpuids;
	int rc = 0;

	r.flags = 2;
	ck_assert_int_eq(mh_vm_cpuid_rule(vm, &r), MH_EINVAL);
	r.flags = 0;
	for (u32 n = 0; n < MH_RULES_MAX && !rc; n++) {
		r.leaf = 0x60000000 + n;
		rc = mh_vm_cpuid_rule(vm, &r);
	}
	/* Whichever limit comes first. */
	if (!rc)
		rc = mh_vm_cpuid_rule(vm, &r);
	ck_assert_int_eq(rc, MH_ERANGE);
	ck_assert_uint_gt(fake_engine.vcpu[0]->cpuids, before);
	/* The rule that failed is not there. */
	ck_assert_int_eq(mh_vm_start(vm), 0);
	r.size = 3;
	ck_assert_int_eq(mh_vm_cpuid_rule(vm, &r), MH_EINVAL);
	ck_assert_int_eq(mh_vm_cpuid_rule(vm, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_cpuid_rule(NULL, &r), MH_EINVAL);
	mh_vm_destroy(vm);
}
END_TEST

/* A table that is full takes changes, but no leaf. */
START_TEST(cpuid_table)
{
	struct mhk_cpuid_entry table[MHK_MAX_CPUID] = { 0 };
	struct mh_cpuid_rule r = MH_CPUID_RULE_INIT;
	u32 count = MHK_MAX_CPUID;

	for (u32 i = 0; i < count; i++)
		table[i] = (struct mhk_cpuid_entry){
			.leaf = i / 2, .subleaf = i % 2, .flags = MHK_CPUID_SUBLEAF, .edx = 0xff
		};
	r.leaf = 5;
	r.clear[3] = 0x0f;
	r.set[3] = 0x101;
	ck_assert(mhi_cpuid_rule_apply(&r, table, &count));
	ck_assert_uint_eq(table[10].edx, 0x1f1);
	ck_assert_uint_eq(table[11].edx, 0x1f1);
	ck_assert_uint_eq(table[9].edx, 0xff);
	r.flags = MH_CPUID_SUBLEAF;
	r.subleaf = 2;
	ck_assert(!mhi_cpuid_rule_apply(&r, table, &count));
	ck_assert_uint_eq(count, MHK_MAX_CPUID);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, actions);
	tcase_add_test(tcase, first_match);
	tcase_add_test(tcase, callback);
	tcase_add_test(tcase, msr_rules_refused);
	tcase_add_test(tcase, cpuid);
	tcase_add_test(tcase, tsc_khz);
	tcase_add_test(tcase, cpuid_rules_refused);
	tcase_add_test(tcase, cpuid_table);
}

UNIT_MAIN("policy", add_tests)

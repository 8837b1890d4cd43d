/* SPDX-License-Identifier: MIT */
/* The embedder's rules about CPUID and MSRs. */
#include "core/policy.h"

#include "macrohard/error.h"

#define MSR_FLAGS (MH_MSR_READ | MH_MSR_WRITE | MH_MSR_UNKNOWN)

static const char *wrong(const struct mh_msr_rule *rule)
{
	if (rule->first > rule->last)
		return "first is above last; exchange them";
	if (rule->action > MH_MSR_CALL)
		return "action is no MH_MSR_*; use one of them";
	if (rule->flags & ~MSR_FLAGS)
		return "flags has unknown bits; use MH_MSR_READ, _WRITE, _UNKNOWN";
	if (!rule->fn != (rule->action != MH_MSR_CALL))
		return "fn goes with MH_MSR_CALL, and with nothing else; set both or neither";
	return NULL;
}

int mhi_policy_add_msr(struct mhi_policy *p, const struct mh_msr_rule *rule, const char **why)
{
	u64 count = (u64)rule->last - rule->first + 1;
	struct mhi_msr_rule *to;

	*why = wrong(rule);
	if (*why)
		return MH_EINVAL;
	*why = "there are 64 rules already; join neighbours into one";
	if (p->msrs == MH_RULES_MAX)
		return MH_ERANGE;
	*why = "rules with MH_MSR_ALLOW have more than 256 MSRs; allow fewer, or use MH_MSR_CALL";
	if (rule->action != MH_MSR_ALLOW)
		count = 0;
	if (count > MH_MSR_ALLOWED_MAX - p->kept)
		return MH_ERANGE;
	to = &p->msr[p->msrs++];
	to->rule = *rule;
	if (!(rule->flags & (MH_MSR_READ | MH_MSR_WRITE)))
		to->rule.flags |= MH_MSR_READ | MH_MSR_WRITE;
	to->kept = p->kept;
	p->kept += (u32)count;
	return 0;
}

const struct mhi_msr_rule *mhi_policy_msr(const struct mhi_policy *p, u32 index, u32 access,
					  bool known)
{
	for (u32 i = 0; i < p->msrs; i++) {
		const struct mh_msr_rule *rule = &p->msr[i].rule;

		if (index >= rule->first && index <= rule->last && (rule->flags & access) &&
		    !(known && (rule->flags & MH_MSR_UNKNOWN)))
			return &p->msr[i];
	}
	return NULL;
}

static bool fits(const struct mh_cpuid_rule *rule, const struct mhk_cpuid_entry *entry)
{
	if (entry->leaf != rule->leaf)
		return false;
	if (!(rule->flags & MH_CPUID_SUBLEAF))
		return true;
	return (entry->flags & MHK_CPUID_SUBLEAF) && entry->subleaf == rule->subleaf;
}

static void change(const struct mh_cpuid_rule *rule, struct mhk_cpuid_entry *entry)
{
	entry->eax = (entry->eax & ~rule->clear[0]) | rule->set[0];
	entry->ebx = (entry->ebx & ~rule->clear[1]) | rule->set[1];
	entry->ecx = (entry->ecx & ~rule->clear[2]) | rule->set[2];
	entry->edx = (entry->edx & ~rule->clear[3]) | rule->set[3];
}

bool mhi_cpuid_rule_apply(const struct mh_cpuid_rule *rule, struct mhk_cpuid_entry *table,
			  u32 *count)
{
	bool sub = rule->flags & MH_CPUID_SUBLEAF, found = false;

	for (u32 i = 0; i < *count; i++) {
		if (!fits(rule, &table[i]))
			continue;
		change(rule, &table[i]);
		found = true;
	}
	if (found)
		return true;
	if (*count == MHK_MAX_CPUID)
		return false;
	table[*count] = (struct mhk_cpuid_entry){ .leaf = rule->leaf,
						  .subleaf = sub ? rule->subleaf : 0,
						  .flags = sub ? MHK_CPUID_SUBLEAF : 0 };
	change(rule, &table[(*count)++]);
	return true;
}

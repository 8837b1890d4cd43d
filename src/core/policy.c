/* SPDX-License-Identifier: MIT */
/* The embedder's rules about I/O ports, CPUID and MSRs. */
#include "core/policy.h"

#include "macrohard/error.h"

#define MSR_FLAGS (MH_MSR_READ | MH_MSR_WRITE | MH_MSR_UNKNOWN)
#define PORT_FLAGS (MH_PORT_IN | MH_PORT_OUT | MH_PORT_UNCLAIMED)
#define LAST_PORT 0xffffu
#define TOO_MANY "there are 64 rules already; join neighbours into one"

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
	*why = TOO_MANY;
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

static const char *wrong_port(const struct mh_port_rule *rule)
{
	if (rule->first > rule->last)
		return "first is above last; exchange them";
	if (rule->last > LAST_PORT)
		return "last is above 0xffff; end there";
	if (rule->action > MH_PORT_STOP)
		return "action is no MH_PORT_*; use one of them";
	if (rule->flags & ~PORT_FLAGS)
		return "flags has unknown bits; use MH_PORT_IN, _OUT, _UNCLAIMED";
	return NULL;
}

int mhi_policy_add_port(struct mhi_policy *p, const struct mh_port_rule *rule, const char **why)
{
	*why = wrong_port(rule);
	if (*why)
		return MH_EINVAL;
	*why = TOO_MANY;
	if (p->ports == MH_RULES_MAX)
		return MH_ERANGE;
	p->port[p->ports] = *rule;
	if (!(rule->flags & (MH_PORT_IN | MH_PORT_OUT)))
		p->port[p->ports].flags |= MH_PORT_IN | MH_PORT_OUT;
	p->ports++;
	return 0;
}

enum mh_port_action mhi_policy_port(const struct mhi_policy *p, u32 port, u32 bytes, u32 access,
				    bool claimed)
{
	for (u32 i = 0; i < p->ports; i++) {
		const struct mh_port_rule *rule = &p->port[i];

		if (port <= rule->last && port + bytes > rule->first && (rule->flags & access) &&
		    !(claimed && (rule->flags & MH_PORT_UNCLAIMED)))
			return (enum mh_port_action)rule->action;
	}
	return MH_PORT_DEFAULT;
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

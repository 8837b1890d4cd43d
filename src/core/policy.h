/* SPDX-License-Identifier: MIT */
/* The embedder's rules about I/O ports, CPUID and MSRs. They change only while no vCPU runs. */
#ifndef MHI_CORE_POLICY_H
#define MHI_CORE_POLICY_H

#include "macrohard/policy.h"
#include "macrohard/uapi.h"
#include "base/types.h"

struct mhi_msr_rule {
	struct mh_msr_rule rule;
	u32 kept; /* MH_MSR_ALLOW: the place of rule.first among the values that vCPUs keep */
};

struct mhi_policy {
	struct mhi_msr_rule msr[MH_RULES_MAX];
	struct mh_cpuid_rule cpuid[MH_RULES_MAX];
	struct mh_port_rule port[MH_RULES_MAX];
	u32 msrs, cpuids, ports;
	u32 kept; /* values that each vCPU keeps */
};

/* 0; MH_EINVAL, MH_ERANGE; *why is the reason then. */
int mhi_policy_add_msr(struct mhi_policy *p, const struct mh_msr_rule *rule, const char **why);
/* The same of ports. */
int mhi_policy_add_port(struct mhi_policy *p, const struct mh_port_rule *rule, const char **why);
/*
 * What an access (MH_PORT_IN or MH_PORT_OUT) to bytes ports from port on comes to. claimed: a
 * device has them.
 */
enum mh_port_action mhi_policy_port(const struct mhi_policy *p, u32 port, u32 bytes, u32 access,
				    bool claimed);
/*
 * The rule for an access, MH_MSR_READ or MH_MSR_WRITE; NULL: there is none. known: the library
 * knows the MSR.
 */
const struct mhi_msr_rule *mhi_policy_msr(const struct mhi_policy *p, u32 index, u32 access,
					  bool known);
/* Apply a rule to table [*count], which has room for MHK_MAX_CPUID. False: there is no room. */
bool mhi_cpuid_rule_apply(const struct mh_cpuid_rule *rule, struct mhk_cpuid_entry *table,
			  u32 *count);

#endif

/* SPDX-License-Identifier: MIT */
/* A fake of what the host provides to a vCPU (vcpu.h): kicks are counted, the timer is recorded. */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include "arch/x86/vcpu.h"

struct fake_host {
	unsigned int kicks;
	bool armed;
	u64 deadline; /* host TSC; when armed */
	unsigned int sets, cancels;
};

/* By APIC id. The test clears it. */
extern struct fake_host fake_host[MHK_MAX_VCPUS];

#endif

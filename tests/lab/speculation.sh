#!/bin/sh
# SPDX-License-Identifier: MIT
# Guests behind the barriers of entries, exits and sections at once: the host's kernel is told that the CPU
# has and needs them, and the emulators ignore the MSRs that they lack. It proves that they can be run, and
# leave alone what they must; not that they stop anything.
# lab: svm --kernel 7.x --append setcpuid=114,236,237,250,378,604,676,685,686
# lab: vmx --kernel 7.x --append setcpuid=114,236,237,250,378,604,676,685,686
# bring: @BUILD@/tests/guest/guest-runner
# timeout: 500

# arch/x86/include/asm/cpufeatures.h: CLEAR_CPU_BUF, KERNEL_IBRS, RSB_VMEXIT, IBPB, IBPB_ON_VMEXIT,
# FLUSH_L1D, CLEAR_BHB_VMEXIT, CLEAR_CPU_BUF_VM, IBPB_EXIT_TO_USER.
for word in 3:18 7:12 7:13 ibpb 11:26 flush_l1d 21:4 21:13 21:14; do
	if ! dmesg | grep -q "force-enabling CPU feature flag: $word\$"; then
		echo "the host's kernel does not believe in feature $word:"
		dmesg | grep -i "cpuid" | head
		exit 1
	fi
done
want="IBPB between guests"
! grep -q "^bugs.* l1tf" /proc/cpuinfo || want="$want, L1 cache flushed"
if ! macrohard-hypervisor probe >/tmp/probe || ! grep -q "$want" /tmp/probe; then
	echo "the module does not say \"$want\", but:"
	grep -A 2 specul /tmp/probe
	exit 1
fi
exec guest-runner --only 'msr_*' --only 'cpuid_*' --only pio_registers --only irq_registers \
	--only 'fpu_*' --only loop_of_exits --only 'memory_*' --only 'real_s*' --only 'apic_timer_*'

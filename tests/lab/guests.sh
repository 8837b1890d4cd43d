#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tiny guests of tests/guest on the shim.
# lab: svm --smp 2
# lab: svm --smp 2 --kernel debug --leaks
# lab: svm-full --env EMULATOR=bochs-amd
# lab: vmx --env EMULATOR=bochs-intel
# lab: vmx --env EMULATOR=bochs-intel --kernel debug
# bring: @BUILD@/tests/guest/guest-runner
# timeout: 400

# leave_out WHY PATTERN...: guests that the emulated CPU is not good enough for.
leave_out()
{
	echo "left out: $1"
	shift
	for pattern; do
		NOT="$NOT --not $pattern"
	done
}

NOT=
set -f
case $EMULATOR-$ENGINE in
bochs-*-kvm)
	leave_out "Bochs keeps the host's interrupts masked in a guest entered with IF clear" '*_cli' 'smp_*'
	;;
bochs-intel-*)
	leave_out "Bochs keeps the host's interrupts masked in a guest entered with IF clear" \
		loop_of_exits_cli # the others come out by the VMX-preemption timer
	;;
esac
case $EMULATOR in
bochs-amd)
	leave_out "Bochs' SVM leaves DR6 as it was at intercepted #DBs" 'breakpoint_*' 'step_*'
	leave_out "Bochs' SVM cannot take an interrupt whose delivery met a nested fault" \
		delivery_software delivery_interrupt
	leave_out "Bochs' SVM panics at exits from virtual-8086 mode" prot_virtual8086
	;;
esac
case $EMULATOR in
qemu-kvm)
	leave_out "QEMU's SVM lets XSETBV pass without an exit, so that KVM does not know XCR0" \
		cpuid_xsave_size xcr0 'fpu_avx*' fpu_xsave
	leave_out "QEMU checks no reserved bits of CR8, which KVM leaves to the CPU" cr8
	leave_out "KVM lets guests execute STGI and CLGI on CPUs with virtual GIF" svm_instructions
	leave_out "KVM on QEMU's SVM faults for ever behind PAE paging that was off meanwhile" \
		prot_paging_pae_off
	;;
esac
case $ENGINE in
kvm)
	leave_out "KVM forgets single steps over accesses that it emulates" \
		step_over_user_exits step_over_strings
	;;
esac
# shellcheck disable=SC2086
exec guest-runner --engine "${ENGINE:-shim}" $NOT "$@"

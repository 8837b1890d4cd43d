#!/bin/sh
# SPDX-License-Identifier: MIT
# Beside KVM: who comes second is refused with the reason and the cure, and who was first computes on
# unharmed, whichever of the two it is; when the first has gone, the second works.
# lab: svm --smp 2 --no-insmod
# lab: svm --smp 2 --no-insmod --kernel 6.12
# lab: svm --smp 2 --no-insmod --kernel 7.x
# lab: vmx --no-insmod
# lab: vmx --no-insmod --kernel 7.x
# bring: @BUILD@/tests/lab/robust_steps
# timeout: 400
set -e
kvm=kvm_amd
[ -z "$(grep -m 1 '^flags.* vmx' /proc/cpuinfo)" ] || kvm=kvm_intel
# holder TEXT: what the probe says about who holds it.
holder()
{
	echo "@macrohard-hypervisor probe | tee /tmp/probe | grep -q '$1' || { cat /tmp/probe; false; }"
}

# KVM holds the CPUs only while it has VMs.
by_turns()
{
	# Ours is first. On AMD-V it holds the CPUs, so KVM is refused; on VT-x it holds them only
	# while it runs, so KVM gets them and ours is told so.
	if [ $kvm = kvm_amd ]; then
		robust_steps shim+ shim+ shim= kvm! shim= kvm! shim= shim- kvm+ kvm= kvm-
	else
		robust_steps shim+ shim= kvm+ kvm= shim# kvm= shim- kvm= kvm- shim+ shim= shim-
	fi
	# KVM is first.
	robust_steps kvm+ kvm= shim! kvm= "$(holder 'KVM holds it')" shim! kvm= kvm- \
		shim+ shim= "$(holder 'nobody else holds')" shim- kvm+ kvm= kvm- shim+ shim= shim-
}

insmod /lab/macrohard.ko
modprobe $kvm
# Linux 6.12 and later: KVM takes the CPUs when it is loaded, if it is not told otherwise.
if ! grep -q Y /sys/module/kvm/parameters/enable_virt_at_load 2>/dev/null; then
	by_turns
	exit
fi
# KVM is there first, and keeps the CPUs without any VM.
robust_steps shim! "$(holder 'KVM holds it')" kvm+ kvm= shim! kvm= kvm- shim! \
	"@modprobe -r $kvm" shim+ shim= shim-
# Ours is there first.
if [ $kvm = kvm_amd ]; then
	robust_steps shim+ shim= "~modprobe $kvm 2>/dev/null" shim= shim- "@modprobe $kvm" kvm+ kvm= kvm-
else
	robust_steps shim+ shim= "@modprobe $kvm" shim# shim- kvm+ kvm= kvm-
fi
modprobe -r $kvm
! lsmod | grep -q '^kvm ' || rmmod kvm
modprobe kvm enable_virt_at_load=0
modprobe $kvm
by_turns

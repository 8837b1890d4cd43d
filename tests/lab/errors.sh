#!/bin/sh
# SPDX-License-Identifier: MIT
# The failures of tests/api/errors that need a host: no module, no permission, KVM holds the CPU, a firmware
# that locks it off, lockdown, a CPU that lacks something. And those that need a VM, by the module.
# lab: svm --no-insmod --env CPU=svm
# lab: svm-full --no-insmod --env CPU=firmware
# lab: svm --no-insmod --env CPU=lockdown
# lab: svm-nonpt --env CPU=no-npt
# lab: none --env CPU=no-cpu
# bring: @BUILD@/tests/api/errors
# bring: @BUILD@/tests/lab/robust_steps
# timeout: 240
failed=0

# walk ARGUMENT...: the failures of the table that these choose.
walk()
{
	errors "$@" >/tmp/out 2>&1 || failed=1
	grep -v '^ok' /tmp/out
	grep -q '^ok' /tmp/out || failed=1
}

case $CPU in
firmware)
	modprobe msr
	insmod /lab/macrohard.ko
	;;
lockdown)
	case $(uname -r) in *-lab-debug-*) echo "the debug kernel has no lockdown"; exit 77 ;; esac
	# The kernel refuses the module, and the preflight knows why.
	mount -t securityfs none /sys/kernel/security 2>/dev/null
	echo integrity >/sys/kernel/security/lockdown || failed=1
	insmod /lab/macrohard.ko && failed=1
	macrohard-hypervisor probe >/tmp/probe
	grep -A 2 'kernel lockdown is off' /tmp/probe
	grep -q 'mode integrity: only signed modules load' /tmp/probe || failed=1
	grep -q 'cure: .*sign the module with a key that the machine trusts' /tmp/probe || failed=1
	CPU=no-module
	;;
esac
if [ "$CPU" != svm ]; then
	walk --host "$CPU"
	exit $failed
fi
walk --host no-module
insmod /lab/macrohard.ko
modprobe tun
walk --vm
chmod 0600 /dev/macrohard
walk --host no-permission
modprobe kvm_amd
robust_steps kvm+ "@errors --host kvm-holds" kvm- shim+ "@errors --host we-hold" shim- || failed=1
exit $failed

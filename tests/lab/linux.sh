#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's stock cloud kernel to user space on one and on several vCPUs: SHA-256 on each, vector registers
# kept while the host computes with its own, clocks that go on, power-off. Where there are several vCPUs,
# Hyper-V's leafs come before KVM's, which Linux is to find all the same.
# lab: svm --smp 2 --env CPUS=1,4
# lab: svm --smp 2 --env CPUS=4 --kernel 6.12
# lab: svm --smp 2 --env CPUS=4 --kernel 7.x
# lab: vmx --env CPUS=1,2
# lab: vmx --env CPUS=2 --kernel 6.12
# lab: vmx --env CPUS=2 --kernel 7.x
# lab: svm-full --smp 2 --env CPUS=1,2
# bring: @BUILD@/tests/lab/simd
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 400
failed=0

# boot CPUS: the guest with so many vCPUs.
boot()
{
	more=
	[ "$1" = 1 ] || more=--hyperv
	simd 7 3600 10 >/tmp/host-simd &
	host=$!
	macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs \
		--memory 256M --cpus "$1" $more --stop-on-reset --cmdline \
		"console=ttyS0 quiet panic=-1 mh.run=selftest,simd mh.arg.cpus=$1" >/tmp/out
	status=$?
	cat /tmp/out
	if [ $status != 0 ] || ! grep -q 'GUEST TESTS: 0 failed' /tmp/out; then
		echo "FAIL: $1 vCPUs: exit status $status"
		failed=1
	fi
	# The guest's kernel must be as content as its user space.
	if grep -q 'WARNING: \|BUG: \|Call Trace' /tmp/out; then
		echo "FAIL: $1 vCPUs: the guest's kernel complains"
		failed=1
	fi
	if ! kill $host 2>/dev/null; then
		cat /tmp/host-simd
		echo "FAIL: the host's vector registers changed"
		failed=1
	fi
	wait
}

for cpus in $(echo "${CPUS:-1}" | tr ',' ' '); do
	boot "$cpus"
done
exit $failed

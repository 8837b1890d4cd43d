#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's stock kernel with its own drivers on our PCI bus and virtio devices; packed and split rings.
# lab: svm --smp 2
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 300
failed=0

# boot GUEST-WORDS OPTION...: one guest.
boot()
{
	words=$1
	shift
	macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs \
		--memory 256M --cpus 2 --stop-on-reset --engine "${ENGINE:-shim}" "$@" --cmdline \
		"console=ttyS0 quiet panic=-1 mh.run=virtio $words" >/tmp/out
	status=$?
	cat /tmp/out
	if [ $status != 0 ] || ! grep -q 'GUEST TESTS: 0 failed' /tmp/out; then
		echo "FAIL: $*: exit status $status"
		failed=1
	fi
	if grep -q 'WARNING: \|BUG: \|Call Trace' /tmp/out; then
		echo "FAIL: $*: the guest's kernel complains"
		failed=1
	fi
}

boot mh.arg.rng=1 --rng
exit $failed

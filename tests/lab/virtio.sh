#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's stock kernel with its own drivers on our PCI bus and virtio devices; packed and split rings.
# lab: svm --smp 2
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 420
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

# disk OPTIONS: a guest that fills the disk; what is stored must be what it wrote.
disk()
{
	rm -f /tmp/disk
	dd if=/dev/zero of=/tmp/disk bs=1M count=0 seek=2 2>/dev/null
	boot "mh.arg.disk=2 mh.arg.rng=1" --disk "/tmp/disk,serial=lab-disk,$1" --rng
	if ! seq 1000000 9999999 | head -c 2097152 | cmp - /tmp/disk; then
		echo "FAIL: $1: the image is not what the guest wrote"
		failed=1
	fi
}

disk format=raw,split=on,queues=1
disk format=raw
exit $failed

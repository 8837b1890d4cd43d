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
		--memory 256M --cpus 2 --stop-on-reset --engine "${ENGINE:-shim}" --stats "$@" --cmdline \
		"console=ttyS0 quiet panic=-1 mh.run=virtio $words" >/tmp/out 2>/tmp/stats
	status=$?
	cat /tmp/out /tmp/stats
	# The last column: notifications that never left the kernel.
	if [ "${ENGINE:-shim}" = shim ] && ! awk '/^ *[01] /{ n += $NF } END { exit n < 20 }' /tmp/stats; then
		echo "FAIL: $*: the doorbells were not used"
		failed=1
	fi
	if [ $status != 0 ] || ! grep -q 'GUEST TESTS: 0 failed' /tmp/out; then
		echo "FAIL: $*: exit status $status"
		failed=1
	fi
	if grep -q 'WARNING: \|BUG: \|Call Trace' /tmp/out; then
		echo "FAIL: $*: the guest's kernel complains"
		failed=1
	fi
}

# disk FORMAT[,OPTION...]: a guest that fills the disk; what is stored must be what it wrote.
disk()
{
	rm -f /tmp/disk /tmp/raw
	macrohard-hypervisor disk create --format "${1%%,*}" /tmp/disk 2M || failed=1
	boot "mh.arg.disk=2 mh.arg.rng=1" --disk "/tmp/disk,serial=lab-disk,format=$1" --rng
	macrohard-hypervisor disk convert --quiet --format raw /tmp/disk /tmp/raw || failed=1
	if ! seq 1000000 9999999 | head -c 2097152 | cmp - /tmp/raw; then
		echo "FAIL: $1: the image is not what the guest wrote"
		failed=1
	fi
}

disk raw,split=on,queues=1
disk raw
disk qcow2
macrohard-hypervisor disk check /tmp/disk || failed=1
exit $failed

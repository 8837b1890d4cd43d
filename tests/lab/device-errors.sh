#!/bin/sh
# SPDX-License-Identifier: MIT
# What the host hears of a disk whose storage is full, and of a TAP interface that somebody deletes;
# the guest goes on.
# lab: svm --modules tun
# bring: @BUILD@/tests/lab/ptyrun
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 400
export HOME=/tmp

fail()
{
	echo "FAIL: $*"
	cat /tmp/events
	macrohard-hypervisor logs --vm errors
	macrohard-hypervisor stop --force errors
	exit 1
}

modprobe tun
mkdir -p /tmp/small
mount -t tmpfs -o size=4m none /tmp/small
truncate -s 64M /tmp/small/disk
macrohard-hypervisor create --name errors --memory 256M --disk /tmp/small/disk,format=raw,slot=7 \
	--net tap=tap0 --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs \
	--cmdline "console=ttyS0 quiet panic=-1 mh.shell" || exit 1
macrohard-hypervisor start errors || exit 1
macrohard-hypervisor events --json errors >/tmp/events &

ptyrun -t 120 -x "switches the guest off" \
	-s 'modprobe virtio_pci; modprobe virtio_blk; modprobe virtio_net\r' \
	-s 'ifconfig eth0 10.77.0.2 up; echo $((6*7))x\r' -x 42x \
	-s 'yes | head -c 16777216 >/dev/vda; sync; echo $((7*7))y\r' -x 49y \
	-c 'ip link delete tap0' -s 'echo $((8*8))z\r' -x 64z \
	-s 'exit\r' -x 'switching off' -- macrohard-hypervisor console errors || fail "the console"
wait
cat /tmp/events
grep -q '"device-error".*"slot":7,"operation":"write","error":"MH_ENOSPC","count":1,' /tmp/events ||
	fail "no event of the full disk"
grep -q 'disk in PCI slot 7: write failed.*no space left.*: /tmp/small/disk"' /tmp/events ||
	fail "no sentence about the full disk"
[ "$(grep -c '"slot":7' /tmp/events)" -lt 60 ] || fail "too many events"
[ "$(grep -c '"operation":"gone"' /tmp/events)" = 1 ] || fail "no event of the TAP interface"
grep -q '"reason":"poweroff"' /tmp/events || fail "the guest did not go on"

#!/bin/sh
# SPDX-License-Identifier: MIT
# A program with its own epoll loop, disk, network and eye for events: a Linux guest uses all, and panics.
# lab: svm --smp 2
# bring: @BUILD@/tests/lab/embed
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 300
set -e
embed /lab/bin/vmlinuz /lab/bin/initramfs \
	"console=ttyS0 quiet panic=-1 mh.run=virtio,panic mh.arg.disk=2 mh.arg.arp=10.0.0.1" >/tmp/out || {
	cat /tmp/out
	exit 1
}
cat /tmp/out
grep -q 'GUEST TEST virtio: passed' /tmp/out

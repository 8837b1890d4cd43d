#!/bin/sh
# SPDX-License-Identifier: MIT
# A program that answers 9P itself: a Linux guest mounts its tree of no files, lists and reads it.
# lab: svm --smp 2
# bring: @BUILD@/tests/lab/embed_9p
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# timeout: 300
embed_9p /lab/bin/vmlinuz-full /lab/bin/initramfs-full \
	"console=ttyS0 quiet panic=-1 mh.run=tree" >/tmp/out
status=$?
cat /tmp/out
[ $status = 0 ] && grep -q 'GUEST TEST tree: passed' /tmp/out && grep -q 'all is well' /tmp/out

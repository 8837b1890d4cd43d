#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's stock kernel gives memory back: RSS of the VM's process, by the balloon and by reports of free
# pages; what the guest reads stays right.
# lab: svm
# bring: @BUILD@/tests/lab/balloon
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 300

# Each line is another number.
seq 10000000 99999999 | head -c 100663296 >/tmp/disk
balloon /lab/bin/vmlinuz /lab/bin/initramfs /tmp/disk

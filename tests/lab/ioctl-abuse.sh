#!/bin/sh
# SPDX-License-Identifier: MIT
# Abuse of the kernel's interface: wrong arguments, states and processes, memory that changes under the
# guest, processes that are stopped and killed. Afterwards nothing may be left, and the module can go.
# lab: svm --smp 2 --parallel
# lab: svm --smp 2 --kernel debug
# lab: svm-full --env SIZE=quick
# lab: vmx --env SIZE=quick
# bring: @BUILD@/tests/lab/ioctl_abuse
# timeout: 400

# The argument is empty or "quick".
# shellcheck disable=SC2086
ioctl_abuse $SIZE || exit 1
refs=$(cat /sys/module/macrohard/refcnt)
if [ "$refs" != 0 ]; then
	echo "the module has $refs references left"
	exit 1
fi
rmmod macrohard && insmod /lab/macrohard.ko && rmmod macrohard

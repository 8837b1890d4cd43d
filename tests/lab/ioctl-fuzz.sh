#!/bin/sh
# SPDX-License-Identifier: MIT
# Every allocation of the kernel's interface fails once, where the host's kernel can do that; afterwards
# nothing may be left, and the module can go. With SIZE=--rounds=N, by hand: random use by threads, too.
# lab: svm --smp 2 --kernel debug --leaks --env SIZE=--rounds=0
# bring: @BUILD@/tests/lab/ioctl_fuzz
# timeout: 400

# The argument is empty or options; SEED repeats a run: lab ... --env SEED=--seed=N.
# shellcheck disable=SC2086
ioctl_fuzz $SIZE $SEED || exit 1
refs=$(cat /sys/module/macrohard/refcnt)
if [ "$refs" != 0 ]; then
	echo "the module has $refs references left"
	exit 1
fi
rmmod macrohard && insmod /lab/macrohard.ko

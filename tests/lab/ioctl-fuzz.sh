#!/bin/sh
# SPDX-License-Identifier: MIT
# Random use of the kernel's interface by processes of several threads, while the host disturbs them and,
# where its kernel can do that, lets allocations fail. Afterwards nothing may be left, and the module can go.
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

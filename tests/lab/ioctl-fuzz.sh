#!/bin/sh
# SPDX-License-Identifier: MIT
# Random use of the kernel's interface by processes of several threads, while the host disturbs them. Where
# its kernel can do that, allocations and copies fail: first each one of every call, then some at random.
# Afterwards nothing may be left, and the module can go.
# lab: svm --smp 2 --parallel --env SIZE=--rounds=40
# lab: vmx --smp 2 --env SIZE=--rounds=12
# lab: svm --smp 2 --kernel debug --leaks --env SIZE=--rounds=5
# bring: @BUILD@/tests/lab/ioctl_fuzz
# timeout: 400

# The kernel kills a thread whose restartable sequences it cannot read as a copy fails: without them processes
# live longer. SIZE is options; SEED repeats a run: lab ... --env SEED=--seed=N.
# shellcheck disable=SC2086
GLIBC_TUNABLES=glibc.pthread.rseq=0 ioctl_fuzz $SIZE $SEED || exit 1
refs=$(cat /sys/module/macrohard/refcnt)
if [ "$refs" != 0 ]; then
	echo "the module has $refs references left"
	exit 1
fi
rmmod macrohard && insmod /lab/macrohard.ko

#!/bin/sh
# SPDX-License-Identifier: MIT
# The host changes under running and paused VMs: CPUs go and come, it sleeps and wakes, its module is to be
# unloaded. The guests compute on, and what was asked for happens.
# lab: svm --smp 2 --parallel
# lab: svm --smp 2 --kernel debug
# lab: svm --smp 2 --parallel --kernel 7.x
# lab: vmx --smp 2
# bring: @BUILD@/tests/lab/robust_steps
# timeout: 300
set -e
cpu1=/sys/devices/system/cpu/cpu1/online
off="@echo 0 >$cpu1"
on="@echo 1 >$cpu1"
alarm=/sys/class/rtc/rtc0/wakealarm
# Suspend to memory, woken by the clock. A busy host needs seconds to fall asleep, and an alarm before that
# wakes nobody.
sleep="@echo 0 >$alarm; echo +8 >$alarm; echo mem >/sys/power/state"

# A CPU goes and comes while VMs run, is gone when one is made and when one ends, and goes and comes in haste.
robust_steps shim+ shim+ shim= "$off" shim= shim+ shim= "$on" shim= shim_ "$off" "$on" shim^ shim= \
	"$off" shim- "$on" shim+ shim= \
	"@for i in 1 2 3 4 5 6; do echo 0 >$cpu1; echo 1 >$cpu1; done" shim= shim-
# Threads that may run nowhere else.
taskset 2 robust_steps shim+ shim= "$off" shim= "$on" shim=

# Bochs has nothing that wakes the host.
if grep -q QEMU /proc/cpuinfo; then
	robust_steps shim+ shim+ shim= "$sleep" shim= shim_ "$off" "$sleep" "$on" shim^ shim= \
		shim- shim+ shim=
fi

# VMs hold the module.
robust_steps shim+ shim= "~rmmod macrohard 2>/dev/null" shim= shim-
rmmod macrohard && insmod /lab/macrohard.ko
robust_steps shim+ shim=

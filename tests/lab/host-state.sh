#!/bin/sh
# SPDX-License-Identifier: MIT
# A process that runs guests keeps its own CPU state, whatever the guest does with its copy.
# lab: svm --smp 2 --parallel
# lab: svm-full
# lab: vmx
# lab: vmx-noug
# lab: vmx --smp 2
# bring: @BUILD@/tests/lab/host_state
# timeout: 240

# QEMU (7.2) loads DR7 at VMRUN without moving its own record of breakpoints, and dies of it.
! grep -q "^model name.*QEMU" /proc/cpuinfo || set -- --no-breakpoints
exec host_state "$@"

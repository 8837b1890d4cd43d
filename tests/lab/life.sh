#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of VMs on the shim: pause, stop, start again, destroy at any moment; guests out of control.
# lab: svm --smp 2 --parallel
# lab: svm --smp 2 --kernel debug
# lab: svm-full
# lab: vmx
# lab: vmx --kernel debug
# bring: @BUILD@/tests/lab/life
# bring: @BUILD@/examples/first_vm
# timeout: 300
set -e
life shim
[ "$(first_vm)" = "Hello from real mode" ]

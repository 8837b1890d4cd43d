#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of VMs on the KVM engine: the same expectations as life.sh has of the shim.
# lab: svm --smp 2 --with-kvm
# bring: @BUILD@/tests/lab/life
# bring: @BUILD@/examples/first_vm
# timeout: 300
set -e
life kvm
[ "$(first_vm kvm)" = "Hello from real mode" ]

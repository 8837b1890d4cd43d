#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tiny guests of tests/guest on the KVM engine: the same results as guests.sh wants.
# lab: svm --smp 2 --with-kvm --env EMULATOR=qemu-kvm
# lab: vmx --with-kvm --env EMULATOR=bochs-intel
# bring: @BUILD@/tests/guest/guest-runner
# bring: tests/lab/guests.sh
# timeout: 500
ENGINE=kvm exec guests.sh "$@"

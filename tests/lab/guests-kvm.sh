#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tiny guests of tests/guest on the KVM engine: the same results as guests.sh wants. Not in the svm
# host: KVM injects interrupts by EVENTINJ there, which QEMU may deliver twice, and the guest hangs. By hand:
# svm --smp 2 --with-kvm --env EMULATOR=qemu-kvm
# lab: vmx --with-kvm --env EMULATOR=bochs-intel
# bring: @BUILD@/tests/guest/guest-runner
# bring: tests/lab/guests.sh
# timeout: 500
ENGINE=kvm exec guests.sh "$@"

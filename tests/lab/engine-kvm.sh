#!/bin/sh
# SPDX-License-Identifier: MIT
# The KVM engine under tiny guests: what the engine's contract promises, as engine-shim.sh of ours.
# lab: svm --with-kvm
# lab: svm --with-kvm --kernel 6.12
# lab: vmx --with-kvm
# bring: @BUILD@/tests/lab/test_engine
# timeout: 120
exec test_engine kvm

#!/bin/sh
# SPDX-License-Identifier: MIT
# Our engine under tiny guests: what the engine's contract promises, as engine-kvm.sh of KVM's.
# lab: svm
# lab: vmx
# bring: @BUILD@/tests/lab/test_engine
# timeout: 120
exec test_engine shim

#!/bin/sh
# SPDX-License-Identifier: MIT
# Our engine under tiny guests: what the engine's contract promises, as engine-kvm.sh of KVM's.
# lab: svm
# lab: vmx
# lab: vmx --cpu corei7_skylake_x --append tsc_early_khz=100000 --append retbleed=off
# bring: @BUILD@/tests/lab/test_engine
# timeout: 120
exec test_engine shim

#!/bin/sh
# SPDX-License-Identifier: MIT
# 500 VMs at once in one process; the same with descriptors for some of them only, the others of which
# are refused with cause and cure.
# lab: svm --smp 2 --parallel
# lab: vmx
# bring: @BUILD@/tests/lab/many
# timeout: 300
set -e
many shim 500
[ "$(cat /sys/module/macrohard/refcnt)" = 0 ]

#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tiny guests of tests/guest on the shim.
# lab: svm --smp 2
# lab: svm-full
# lab: vmx
# bring: @BUILD@/tests/guest/guest-runner
# timeout: 400
exec guest-runner --engine "${ENGINE:-shim}"

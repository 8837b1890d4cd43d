#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tiny guests of tests/guest on the shim.
# lab: svm --smp 2
# lab: svm-full --env EMULATOR=bochs-amd
# lab: vmx --env EMULATOR=bochs-intel
# bring: @BUILD@/tests/guest/guest-runner
# timeout: 400

# leave_out WHY PATTERN...: guests that the emulated CPU is not good enough for.
leave_out()
{
	echo "left out: $1"
	shift
	for pattern; do
		NOT="$NOT --not $pattern"
	done
}

NOT=
set -f
case $EMULATOR in
bochs-*)
	leave_out "Bochs keeps the host's interrupts masked in a guest entered with IF clear" '*_cli'
	;;
esac
case $EMULATOR in
bochs-amd)
	leave_out "Bochs' SVM leaves DR6 as it was at intercepted #DBs" 'breakpoint_*' 'step_*'
	leave_out "Bochs' SVM cannot take an interrupt whose delivery met a nested fault" \
		delivery_software delivery_interrupt
	;;
esac
# shellcheck disable=SC2086
exec guest-runner --engine "${ENGINE:-shim}" $NOT "$@"

#!/bin/bash
# SPDX-License-Identifier: MIT
# Reset and power-off of the host with VMs running: it goes down in time, and without a complaint.
# lab: outside
# timeout: 400
set -u

LAB=${LAB:-tools/lab/lab}
BUILD=${BUILD:-build}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
FAILED=0

# down COMMAND MODE...: the host ends by that command, not by the lab's timeout.
down()
{
	local command=$1
	shift
	"$LAB" "$@" --timeout 180 --add "$BUILD/tests/lab/robust_steps" -- \
		robust_steps shim+ shim+ shim= "@$command; sleep 1000" >"$WORK/out" 2>"$WORK/err"
	if ! grep -q '^ok  shim=' "$WORK/out" || ! grep -q 'reset or powered itself off' "$WORK/err"; then
		echo "FAIL: $command in $*"
		tail -n 30 "$WORK/out" "$WORK/err"
		FAILED=1
	fi
}

down 'reboot -f' svm --smp 2
down 'poweroff -f' svm --smp 2
# Bochs would boot it again.
down 'poweroff -f' vmx
exit $FAILED

#!/bin/bash
# SPDX-License-Identifier: MIT
# The newcomer's first command, when everything is there already: the guest's user space, its tests,
# its power-off; and a shell in it on a terminal.
# lab: outside
# timeout: 400
set -u

BUILD=${BUILD:-build}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
failed=0

bad()
{
	echo "FAIL: $*"
	failed=1
}

start=$SECONDS
tools/quickstart --lab svm --no-shell >"$WORK/out" 2>&1 &
while kill -0 $! 2>/dev/null && ! grep -q 'GUEST: user space' "$WORK/out"; do
	sleep 0.2
done
seconds=$((SECONDS - start))
wait $!
status=$?
cat "$WORK/out"
[ $status = 0 ] || bad "quickstart: exit status $status"
grep -q 'GUEST TESTS: 0 failed' "$WORK/out" || bad "the guest's tests did not pass"
# Told, not judged: another emulator may run beside it. On an idle machine it is under 20 s.
echo "user space after $seconds s"

"$BUILD/tests/lab/ptyrun" -t 120 -x 'switches the guest off' -s 'echo $((6*7))x\r' -x 42x \
	-s 'exit\r' -x 'switching off' -- tools/quickstart --lab svm || bad "with a shell: status $?"
exit $failed

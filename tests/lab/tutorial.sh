#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the commands of docs/tutorial.md as they stand, in a copy of the tree.
# lab: outside
# timeout: 1200
set -u

TOP=$(cd "$(dirname "$0")/../.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
(cd "$TOP" && tar -c --exclude='./build*' --exclude=./tutorial --exclude=./.git .) | tar -xC "$WORK" || exit 1
# One script, as one reader's shell is: what follows a failure is not run.
{
	echo 'set -ex'
	awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$WORK/docs/tutorial.md"
} >"$WORK/tutorial.sh"
(cd "$WORK" && bash tutorial.sh) >"$WORK/out" 2>&1
status=$?
cat "$WORK/out"
for text in 'hello: create VM "hello": .*modprobe macrohard' 'the guest says !' 'GUEST TESTS: 0 failed' \
	'No errors were found' 'web .*running' 'web .*stopped'; do
	grep -q "$text" "$WORK/out" || { echo "FAIL: the tutorial does not say \"$text\""; status=1; }
done
exit $status

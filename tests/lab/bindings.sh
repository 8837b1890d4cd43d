#!/bin/bash
# SPDX-License-Identifier: MIT
# The programs of docs/bindings.md in Rust and Go create a VM on the module.
# lab: outside
# timeout: 600
set -u

LAB=${LAB:-tools/lab/lab} BUILD=${BUILD:-build} status=0
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
option()
{
	meson introspect "$BUILD" --buildoptions |
		python3 -c 'import json, sys
print([o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]][0])' "$1"
}
tests/install/bindings "$BUILD" "$(option prefix)" "$(option libdir)" "$WORK" || exit
for program in "$WORK"/example-*; do
	LD_LIBRARY_PATH=$BUILD/src "$LAB" svm --build "$BUILD" --timeout 120 \
		--env LD_LIBRARY_PATH=/lab/lib --add "$program" -- "${program##*/}" \
		>"$WORK/said" 2>&1 || status=1
	cat "$WORK/said"
	grep -qx 'the VM is created' "$WORK/said" || status=1
done
exit $status

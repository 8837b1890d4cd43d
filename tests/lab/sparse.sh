#!/bin/bash
# SPDX-License-Identifier: MIT
# Sparse (address spaces, byte order, locks) and the compiler's W=1 have nothing to say about the module;
# about one with a fault they have.
# lab: outside
# timeout: 300
set -u

TOOLS=$(dirname "${LAB:-tools/lab/lab}")

"$TOOLS/mkmod" --check || exit 1
if "$TOOLS/mkmod" --check --source "$TOOLS/../../tests/lab/faulty" >/tmp/sparse.$$ 2>&1; then
	echo "FAIL: a faulty module passes"
	exit 1
fi
grep 'faulty.c.*dereference of noderef expression' /tmp/sparse.$$
found=$?
rm -f /tmp/sparse.$$
exit $found

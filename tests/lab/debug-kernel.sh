#!/bin/bash
# SPDX-License-Identifier: MIT
# The lab's debug kernel: each of its detectors finds a module's fault, the lab sees each report, and
# there is none without a fault; gcov's data of our module comes out.
# lab: outside --kernel debug
# timeout: 300
set -u

LAB=${LAB:-tools/lab/lab}
TOP=$(dirname "$LAB")/../..
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
FAILED=0

bad()
{
	echo "FAIL: $*"
	FAILED=1
}

# debug_host STATUS ARG...
debug_host()
{
	local want=$1 got
	shift
	"$LAB" svm --kernel debug --timeout 250 --log "$WORK/log" "$@" >"$WORK/out" 2>&1
	got=$?
	if [ $got != "$want" ]; then
		bad "exit status $got instead of $want"
		tail -n 40 "$WORK/out"
	fi
}

# reported FAULT TEXT: the kernel says so, and the lab takes each such line for a report by itself.
reported()
{
	if ! grep -F -e "$2" "$WORK/log" >"$WORK/lines"; then
		bad "$1: the kernel does not say '$2'"
	elif "$WORK/scan" <"$WORK/lines" | grep -v ' 1$'; then
		bad "$1: the lab does not see it"
	fi
}

cat >"$WORK/scan.c" <<'END'
#define _GNU_SOURCE
#include "scan.h"

int main(void)
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin))
		printf("%.*s %d\n", (int)strcspn(line, "\n"), line, is_report(line));
}
END
gcc -Wno-unused-function -I"$(dirname "$LAB")" -o "$WORK/scan" "$WORK/scan.c" || exit 1
faulty=$("$(dirname "$LAB")/mkmod" --source "$TOP/tests/lab/faulty" debug) || exit 1

debug_host 0 --leaks --coverage "$WORK/gcov" -- grep -c ^processor /proc/cpuinfo
tar -xzf "$WORK/gcov" -C "$WORK" && [ -s "$(find "$WORK" -path '*/src/kdrv/main.gcda')" ] ||
	bad "nothing of gcov's about the module"
# The first of what lockdep says is all that it says, and KASAN's first report silences it, too.
debug_host 125 --no-module --leaks --add "$faulty" -- sh -c \
	'for f in shift sleep list timer rcu preempt leak locks free; do
		insmod /lab/bin/faulty.ko fault=$f 2>/dev/null
	done; true'
reported shift 'UBSAN: shift-out-of-bounds'
reported sleep 'BUG: sleeping function called from invalid context'
reported list 'list_add double add'
reported timer 'ODEBUG: free active'
reported rcu 'WARNING: suspicious RCU usage'
reported preempt 'BUG: using smp_processor_id() in preemptible'
reported leak 'unreferenced object'
reported locks 'WARNING: possible circular locking dependency detected'
reported free 'BUG: KASAN: use-after-free'
exit $FAILED

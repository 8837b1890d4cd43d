#!/bin/sh
# SPDX-License-Identifier: MIT
# TSC scaling: guests whose TSC goes faster or slower than the host's tell the same time as the host, by every
# clock that they have, and their timers fire when it is time. Where the CPU cannot, the error says so.
# lab: vmx --cpu corei7_skylake_x --append tsc_early_khz=100000 --append retbleed=off
# lab: vmx --cpu corei7_skylake_x --smp 2 --env FEW=1 --append tsc_early_khz=100000 --append retbleed=off
# lab: svm --env CPU=without
# bring: @BUILD@/tests/guest/guest-runner
# timeout: 400

fail()
{
	echo "FAIL: $*"
	exit 1
}

if [ "$CPU" = without ]; then
	guest-runner --only clock_tsc_rate --tsc 1/1 || fail "the host's own frequency"
	guest-runner --only clock_tsc_rate --tsc 3/2 >/tmp/out && fail "a CPU without scaling scales"
	cat /tmp/out
	grep -q 'MH_EMISSING.*the CPU lacks TSC scaling' /tmp/out || fail "the error"
	exit 0
fi

# The distance of clock_pause and clock_tsc_busy is that of TSCs at one rate.
run()
{
	guest-runner --tsc "$1" --only 'clock_*' --only 'hyperv_*' --only '*apic_timer_*' \
		--only '*tsc_*' --only smp_tsc --not clock_pause --not clock_tsc_busy ||
		fail "$1 of the host's rate"
}

run 7/3
[ -n "$FEW" ] || run 1/3
[ -n "$FEW" ] || run 40/1
# The CPU's own rate again: no guest has left anything behind.
guest-runner --only 'clock_*' || fail "the host's own frequency"

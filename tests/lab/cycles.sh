#!/bin/sh
# SPDX-License-Identifier: MIT
# A thousand VMs with devices live and die, by four threads: nothing is left in the process or the host.
# lab: svm --smp 2 --parallel
# bring: @BUILD@/tests/lab/cycles
# timeout: 300
set -e

kib()
{
	awk -v what="$1:" '$1 == what { print $2 }' /proc/meminfo
}

# settle: nothing stays cached for its next use, or held back by KASAN.
settle()
{
	for cache in /sys/kernel/slab/*/shrink; do
		echo 1 >"$cache"
	done
}

cycles shim 100
settle
available=$(kib MemAvailable) slab=$(kib SUnreclaim)
cycles shim 1000
settle
echo "the host: $available -> $(kib MemAvailable) KiB available, $slab -> $(kib SUnreclaim) KiB of slabs"
# The host's own caches come and go by less; 1 KiB of slabs or 40 KiB of pages for each VM is more.
[ "$(kib SUnreclaim)" -lt $((slab + 1000)) ]
[ "$(kib MemAvailable)" -gt $((available - 40000)) ]
[ "$(cat /sys/module/macrohard/refcnt)" = 0 ]

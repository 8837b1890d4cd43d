#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's stock kernel on our network card: DHCP, HTTP from the host and, through a port forward, to the
# guest, over the user network; the same over TAP with two pairs of queues.
# lab: svm --smp 2 --modules tun
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 420
failed=0

fail()
{
	echo "FAIL: $*"
	failed=1
}

# boot NET GUEST-WORDS ADDRESS HTTP-PORT END-PORT: a guest that gets our file and gives it back.
boot()
{
	# The last one's GUEST SERVES is not this one's.
	rm -f /tmp/out
	macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs \
		--memory 256M --cpus 2 --stop-on-reset --engine "${ENGINE:-shim}" --net "$1" --cmdline \
		"console=ttyS0 quiet panic=-1 mh.run=net mh.arg.sum=$sum $2" </dev/null >/tmp/out 2>&1 &
	vm=$!
	while kill -0 $vm 2>/dev/null && ! grep -qs 'GUEST SERVES' /tmp/out; do
		# Only now there is an interface, if the VM made it.
		[ "$3" = 127.0.0.1 ] || ifconfig tap0 10.77.0.1 netmask 255.255.255.0 2>/dev/null
		sleep 1
	done
	timeout 200 wget -q -O /tmp/back "http://$3:$4/data" || fail "$1: cannot get the guest's file"
	cmp /tmp/www/data /tmp/back || fail "$1: the guest's file is not what it got"
	timeout 20 nc "$3" "$5" </dev/null
	wait $vm || fail "$1: exit status $?"
	cat /tmp/out
	grep -q 'GUEST TESTS: 0 failed' /tmp/out || fail "$1: the guest's test failed"
	! grep -q 'WARNING: \|BUG: \|Call Trace' /tmp/out || fail "$1: the guest's kernel complains"
}

ip link set lo up
modprobe tun
mkdir -p /tmp/www
seq 1000000 9999999 | head -c 3000001 >/tmp/www/data
sum=$(sha256sum </tmp/www/data)
sum=${sum%% *}
httpd -p 8000 -h /tmp/www

boot "user,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:8081-:81,pcap=/tmp/frames" \
	"mh.arg.net=dhcp mh.arg.get=http://10.0.2.2:8000/data" 127.0.0.1 8080 8081
# Both files, and what comes with them.
frames=$(wc -c </tmp/frames)
[ "$frames" -gt 6000000 ] && [ "$frames" -lt 7500000 ] || fail "the record of frames has $frames bytes"
boot tap=tap0,queues=2 \
	"mh.arg.net=10.77.0.2/24 mh.arg.pairs=2 mh.arg.get=http://10.77.0.1:8000/data" \
	10.77.0.2 80 81
exit $failed

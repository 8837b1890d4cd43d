#!/bin/sh
# SPDX-License-Identifier: MIT
# AF_VSOCK in Debian's stock kernel against AF_UNIX sockets of the host: streams and messages, both ways at
# once, half-closed, many connections; every byte is looked at.
# lab: svm --smp 2
# lab: vmx
# bring: @BUILD@/tests/lab/vsock_peer
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 300
failed=0
path=/tmp/vsock
pids=

fail()
{
	echo "FAIL: $*"
	failed=1
}

# serve PORT WORD...: a listener of this host, in the background.
serve()
{
	port=$1
	shift
	timeout 200 vsock_peer -l "$@" >"/tmp/serve.$port" 2>&1 &
	pids="$pids $port:$!"
	until grep -q listening "/tmp/serve.$port"; do
		sleep 0.1
	done
}

serve 5000 unix:${path}_5000 2000000 2000000
serve 5001 -w unix:${path}_5001 1000000 100000
serve 5002 -q unix:${path}_5002 1000000 1000000
serve 5003 unix:${path}_5003 0 0

macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs --memory 256M --cpus 2 \
	--stop-on-reset --vsock 4711,path=$path --cmdline \
	"console=ttyS0 quiet panic=-1 mh.run=virtio mh.arg.vsock=4711" >/tmp/out 2>&1 &
vm=$!
# ask PORT SEND RECEIVE: connects to the guest, which says when it listens.
ask()
{
	until grep -q "VSOCK: $1 listening" /tmp/out; do
		kill -0 $vm 2>/dev/null || return
		sleep 0.2
	done
	timeout 100 vsock_peer "unix:$path:$1" "$2" "$3"
}

ask 6000 2000000 2000000 || fail "port 6000 of the guest"
ask 6001 100000 1000000 || fail "port 6001 of the guest"
if vsock_peer unix:$path:6999 0 0 2>/dev/null; then
	fail "port 6999 of the guest is open, where nobody listens"
fi
many=
for n in 1 2 3 4 5 6 7 8; do
	ask 6002 20000 20000 >/dev/null &
	many="$many $!"
done
for pid in $many; do
	wait "$pid" || fail "port 6002 of the guest"
done
wait $vm
status=$?
cat /tmp/out
if [ $status != 0 ] || ! grep -q 'GUEST TESTS: 0 failed' /tmp/out; then
	fail "exit status $status"
fi
if grep -q 'WARNING: \|BUG: \|Call Trace' /tmp/out; then
	fail "the guest's kernel complains"
fi
for pid in $pids; do
	wait "${pid#*:}" || fail "port ${pid%:*} of the host: $(cat "/tmp/serve.${pid%:*}")"
done
[ ! -e $path ] || fail "the socket was left behind"
exit $failed

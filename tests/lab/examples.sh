#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples, each doing what its first lines say: bare guests, Linux, Linux on loops of the embedder's,
# a disk that the program stores, two Linux guests on one cable.
# lab: svm --smp 2
# bring: @BUILD@/examples/first_vm
# bring: @BUILD@/examples/registers
# bring: @BUILD@/examples/snapshot
# bring: @BUILD@/examples/linux_boot
# bring: @BUILD@/examples/loop_epoll
# bring: @BUILD@/examples/loop_uv
# bring: @BUILD@/examples/own_disk
# bring: @BUILD@/examples/two_vms
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 400
failed=0

fail()
{
	echo "FAIL: $*"
	failed=1
}

# prints TEXT PROGRAM: its whole output.
prints()
{
	out=$("$2" 2>&1) || fail "$2: status $?"
	echo "$out"
	[ "$out" = "$1" ] || fail "$2 should have printed: $1"
}

prints "Hello from real mode" first_vm
prints "sum in ax: 5050, in memory: 5050; si went from 0x2000 to 0x20c8" registers
prints "0123456789
56789" snapshot

linux_boot /lab/bin/vmlinuz /lab/bin/initramfs >/tmp/out 2>&1 || fail "linux_boot: status $?"
cat /tmp/out
grep -q 'GUEST TESTS: 0 failed' /tmp/out || fail "linux_boot: the guest's tests failed"
grep -q '^the guest has switched itself off' /tmp/out || fail "linux_boot does not tell the end"

for program in loop_epoll loop_uv; do
	$program /lab/bin/vmlinuz /lab/bin/initramfs \
		"console=ttyS0 quiet panic=-1 mh.run=virtio mh.arg.rng=1" >/tmp/out 2>&1 ||
		fail "$program: status $?"
	cat /tmp/out
	grep -q 'GUEST TESTS: 0 failed' /tmp/out || fail "$program: the guest's device does not work"
	grep -q '^event 1: ' /tmp/out || fail "$program tells of no events"
	grep -q '^the loop ticked meanwhile: yes' /tmp/out || fail "$program: its own timer did not tick"
done

own_disk /lab/bin/vmlinuz /lab/bin/initramfs \
	"console=ttyS0 quiet panic=-1 mh.run=virtio mh.arg.disk=2" >/tmp/out 2>&1 ||
	fail "own_disk: status $?"
cat /tmp/out
grep -q 'GUEST TEST virtio: passed' /tmp/out || fail "own_disk: the guest's disk does not work"
grep -q '^reads: yes, writes: yes, flushes: yes' /tmp/out || fail "own_disk was not asked for all"

words="console=ttyS0 quiet panic=-1 mh.run=link"
two_vms /lab/bin/vmlinuz /lab/bin/initramfs \
	"$words mh.arg.net=10.9.0.1/24 mh.arg.peer=10.9.0.2 mh.arg.serve=1" \
	"$words mh.arg.net=10.9.0.2/24 mh.arg.peer=10.9.0.1" >/tmp/out 2>&1 || fail "two_vms: status $?"
cat /tmp/out
grep -q '^a: *10.9.0.2 answers pings' /tmp/out || fail "two_vms: b does not answer a"
grep -q '^b: *10.9.0.1 answers pings' /tmp/out || fail "two_vms: a does not answer b"
grep -q '^b: *the file of 2000001 bytes has come' /tmp/out || fail "two_vms: no file"
[ "$(grep -c 'GUEST TESTS: 0 failed' /tmp/out)" = 2 ] || fail "two_vms: a guest's test failed"
exit $failed

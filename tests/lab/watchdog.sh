#!/bin/sh
# SPDX-License-Identifier: MIT
# A Linux guest that hangs, as its watchdog sees it: the VM is reset, switched off, paused, or just
# spoken of, as it was told to be.
# lab: svm
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# timeout: 600
export HOME=/tmp
failed=0

fail()
{
	echo "FAIL: $*"
	failed=1
}

# run ACTION STATUS OPTION...: the guest's end.
run()
{
	action=$1 want=$2
	shift 2
	macrohard-hypervisor run --kernel /lab/bin/vmlinuz-full --initrd /lab/bin/initramfs-full \
		--memory 256M --watchdog "$action" "$@" --verbose --cmdline \
		"console=ttyS0 quiet panic=-1 mh.run=watchdog mh.arg.action=$action" >/tmp/out 2>&1
	status=$?
	cat /tmp/out
	[ $status = "$want" ] || fail "$action: exit status $status instead of $want"
	grep -q 'switched off, and silent' /tmp/out || fail "$action: not as long as it is fed"
	grep -q "the guest's watchdog expired" /tmp/out || fail "$action: it did not expire"
	! grep -q 'WARNING: \|BUG: \|Call Trace' /tmp/out || fail "the guest's kernel complains"
}

run reset 0
grep -q 'GUEST TESTS: 0 failed' /tmp/out || fail "the guest does not know why it was reset"
[ "$(grep -c 'MACROHARD GUEST: user space' /tmp/out)" = 2 ] || fail "it did not begin again"
run poweroff 13
run reset 13 --stop-on-reset

macrohard-hypervisor create --name hangs --kernel /lab/bin/vmlinuz-full --initrd \
	/lab/bin/initramfs-full --memory 256M --watchdog pause --cmdline \
	"console=ttyS0 quiet panic=-1 mh.run=watchdog mh.arg.action=pause" || fail "create"
macrohard-hypervisor start hangs || fail "start"
macrohard-hypervisor events hangs >/tmp/events &
for _ in $(seq 200); do
	macrohard-hypervisor list | grep -q '^hangs  paused' && break
	sleep 1
done
macrohard-hypervisor list
macrohard-hypervisor resume hangs || fail "it is not paused"
wait
cat /tmp/events
grep -q " watchdog .*expired: pause" /tmp/events || fail "no event"
grep -q " state .*expired: pause" /tmp/events || fail "no event of the pause"
macrohard-hypervisor logs hangs | grep -q 'GUEST TESTS: 0 failed' || fail "it did not go on"
exit $failed

#!/bin/sh
# SPDX-License-Identifier: MIT
# Keyboard, mouse, tablet and touch screen in Debian's stock kernel: what is fed arrives, event by event; the
# CLI's keys, to a guest that a keyboard controller resets.
# lab: svm
# bring: @BUILD@/tests/lab/input
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# timeout: 600
export HOME=/tmp

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor logs typed | tail -n 40
	exit 1
}

input /lab/bin/vmlinuz-full /lab/bin/initramfs-full || fail "events"

# said TEXT: waits until the guest has printed it.
said()
{
	for _ in $(seq 100); do
		! macrohard-hypervisor logs typed | grep -q "$1" || return 0
		sleep 1
	done
	fail "the guest did not say '$1'"
}

macrohard-hypervisor create --name typed --kernel /lab/bin/vmlinuz-full --initrd /lab/bin/initramfs-full \
	--memory 256M --input keyboard+ps2 --stop-on-reset --cmdline \
	'console=ttyS0 quiet panic=-1 reboot=k mh.run=input' || fail create
macrohard-hypervisor start typed || fail start
said 'EVENTS: ready'
macrohard-hypervisor send-key typed x shift-y || fail send-key
said 'keyboard: 1 42 0'
macrohard-hypervisor logs typed | tr -d '\r' | grep 'keyboard: 1 ' >/tmp/keys
[ "$(tr '\n' '/' </tmp/keys | sed 's/AT Translated Set 2 keyboard: //g')" = \
	'1 45 1/1 45 0/1 42 1/1 21 1/1 21 0/1 42 0/' ] || fail "$(cat /tmp/keys)"
macrohard-hypervisor events typed >/tmp/events &
macrohard-hypervisor send-key typed ctrl-alt-delete || fail send-key
wait
cat /tmp/events
grep -q reset /tmp/events || fail "ctrl-alt-delete resets nothing"
macrohard-hypervisor send-key typed a
[ $? = 4 ] || fail "it does not run any more"

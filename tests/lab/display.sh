#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's kernel draws with its own driver on our graphics card: pictures, page flips, damage, a cursor,
# another size. What the host sees is compared pixel by pixel; the CLI's screenshot is the library's.
# lab: svm --smp 2
# bring: @BUILD@/tests/lab/display
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# timeout: 600
export HOME=/tmp

fail()
{
	echo "FAIL: $*"
	exit 1
}

CMDLINE="console=ttyS0 quiet panic=-1 mh.run=draw"
# draw [WORDS [plain]]: a guest that draws, and is looked at.
draw()
{
	display /lab/bin/vmlinuz-full /lab/bin/initramfs-full "$CMDLINE $1" /tmp/library.png $2 >/tmp/out 2>&1
	status=$?
	cat /tmp/out
	[ $status = 0 ] || fail "display: exit status $status"
	grep -q 'GUEST TESTS: 0 failed' /tmp/out || fail "the guest's tests"
	! grep -q 'WARNING: \|BUG: \|Call Trace' /tmp/out || fail "the guest's kernel complains"
}

draw "mh.arg.driver=bochs mh.arg.steps=3" plain
draw

macrohard-hypervisor create --name screen --kernel /lab/bin/vmlinuz-full --initrd \
	/lab/bin/initramfs-full --memory 256M --net none --display 800x600 --cmdline \
	"$CMDLINE mh.arg.steps=4 mh.arg.once=1" || fail "create"
macrohard-hypervisor start screen || fail "start"
for _ in $(seq 200); do
	macrohard-hypervisor logs screen | grep -q "DRAWN 4" && break
	sleep 1
done
for _ in $(seq 30); do
	macrohard-hypervisor screenshot screen /tmp/cli.png || fail "screenshot"
	cmp -s /tmp/cli.png /tmp/library.png && break
	sleep 1
done
cmp /tmp/cli.png /tmp/library.png || fail "the pictures of CLI and library are not the same"
[ -z "$SHOW" ] || base64 /tmp/cli.png
macrohard-hypervisor stop --force screen || fail "stop"
exit 0

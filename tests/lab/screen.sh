#!/bin/sh
# SPDX-License-Identifier: MIT
# SeaBIOS writes its text on the plain frame buffer, which it reaches without exits: once by a program,
# which looks at the pixels, and once by the CLI, whose picture is the same.
# lab: svm --smp 2
# lab: vmx --env PROGRAM=1
# bring: @BUILD@/tests/lab/screen
# bring: /usr/share/seabios/bios-256k.bin:/usr/share/seabios/bios-256k.bin
# bring: /usr/share/seabios/vgabios-bochs-display.bin:/usr/share/seabios/vgabios-bochs-display.bin
# timeout: 400
export HOME=/tmp
cd /tmp || exit 1

truncate -s 1M empty || exit 1
screen library.png empty >out 2>&1
status=$?
cat out
[ -z "$PROGRAM" ] || exit $status
[ $status = 0 ] || exit $status

macrohard-hypervisor create --name screen --disk empty --net none \
	--display 800x600,kind=framebuffer && macrohard-hypervisor start screen || exit 1
for _ in $(seq 60); do
	macrohard-hypervisor screenshot screen cli.png && cmp -s cli.png library.png && break
	sleep 1
done
cmp cli.png library.png || status=1
macrohard-hypervisor stop --force screen
exit $status

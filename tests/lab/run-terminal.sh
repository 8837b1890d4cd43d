#!/bin/sh
# SPDX-License-Identifier: MIT
# A person at the terminal of `run`: a shell in the guest, raw mode, the escape key, signals, a guest
# that dies; after each the terminal is as it was.
# lab: svm
# bring: @BUILD@/tests/lab/ptyrun
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 240

failed=0

# play STATUS STEP... : the guest with a shell.
play()
{
	want=$1
	shift
	ptyrun -t 60 -x 'GUEST: user space' -x "switches the guest off" -r "$@" -- \
		macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs \
		--memory 256M --stop-on-reset --cmdline "console=ttyS0 quiet panic=-1 mh.shell"
	got=$?
	if [ $got != "$want" ]; then
		echo "FAIL: exit status $got instead of $want after: $*"
		failed=1
	fi
}

play 0 -s 'echo $((6*7))x\r' -x 42x -s 'echo n$((5))p; sleep 100\r' -x n5p -s '\x03' \
	-s 'echo interrupted $?\r' -x 'interrupted 130' -s 'exit\r' -x 'switching off'
play 12 -s 'echo last\r' -x 'last' -s '\x1d'
play 130 -k 2
play 10 -s 'echo c >/proc/sysrq-trigger\r' -x 'Kernel panic'
exit $failed

#!/bin/sh
# SPDX-License-Identifier: MIT
# SIGTERM to `run` is the guest's power button: a Linux that listens switches itself off, one that does
# not is ended when its time is over.
# lab: svm
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 300
failed=0

# press STATUS TEXT GUEST-WORD OPTION...: SIGTERM when the guest has said TEXT.
press()
{
	want=$1 text=$2 word=$3
	shift 3
	rm -f /tmp/out
	macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs --memory 256M \
		--stop-on-reset "$@" --cmdline "console=ttyS0 quiet panic=-1 $word" >/tmp/out 2>&1 &
	pid=$!
	while ! grep -qs "$text" /tmp/out && kill -0 $pid; do
		sleep 1
	done
	kill -TERM $pid
	wait $pid
	status=$?
	cat /tmp/out
	if [ $status != "$want" ]; then
		echo "FAIL: exit status $status instead of $want"
		failed=1
	fi
}

press 0 'waiting for the power button' mh.run=power
grep -q 'GUEST TESTS: 0 failed' /tmp/out || { echo "FAIL: the guest did not see the button"; failed=1; }
press 143 'switches the guest off' mh.shell --grace 2
exit $failed

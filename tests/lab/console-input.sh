#!/bin/sh
# SPDX-License-Identifier: MIT
# Input of virtio-console in Debian's stock kernel: a person types at /dev/hvc0 of `run --console virtio`, a
# program into a named port.
# lab: svm
# bring: @BUILD@/tests/lab/ptyrun
# bring: @BUILD@/tests/lab/ports
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 240
failed=0

# The guest's own messages go to a serial port that nobody reads.
ptyrun -t 100 -x 'CONSOLE SAYS hello' -r -s 'typed on a terminal\r' \
	-x 'CONSOLE HEARD typed on a terminal' -- \
	macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs --memory 192M \
	--stop-on-reset --console virtio --cmdline \
	"console=ttyS0 quiet panic=-1 mh.run=virtio mh.arg.console=hello"
status=$?
if [ $status != 0 ]; then
	echo "FAIL: exit status $status of the guest that was typed at"
	failed=1
fi
ports /lab/bin/vmlinuz /lab/bin/initramfs || failed=1
exit $failed

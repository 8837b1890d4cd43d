#!/bin/sh
# SPDX-License-Identifier: MIT
# The life cycle of a VM named "Windows 11" (a Linux) by the CLI: created with a qcow2 disk, started in
# the background, its console looked at late, paused, resumed, reset, crashed, started again by two at
# once, switched off by its power button, typed at, destroyed. As a user without privileges.
# lab: svm
# bring: @BUILD@/tests/lab/ptyrun
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 600
N="Windows 11"
export HOME=/tmp/user
# All of it as a user who may open the device, and nothing else.
if [ "$(id -u)" = 0 ]; then
	mkdir $HOME
	chown 1000 $HOME
	echo "user:x:1000:1000::$HOME:/bin/sh" >>/etc/passwd
	chown 1000 /dev/macrohard
	chmod 0600 /dev/macrohard
	exec su user -c "exec env PATH=$PATH $0"
fi
cd $HOME || exit 1

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor list
	macrohard-hypervisor logs --vm "$N"
	macrohard-hypervisor logs "$N" | tail -n 20
	macrohard-hypervisor stop --force "$N"
	exit 1
}

# mh STATUS VERB ARG...: the CLI; it must end so.
mh()
{
	want=$1
	shift
	macrohard-hypervisor "$@" >said.txt 2>&1
	got=$?
	cat said.txt
	[ $got = "$want" ] || fail "$*: status $got instead of $want"
}

# state STATE: what "list" has to say.
state()
{
	macrohard-hypervisor list | grep "^$N  $1 " || fail "not $1"
}

# said TEXT COUNT: waits until the guest has printed that so often, over all its starts.
said()
{
	for _ in $(seq 300); do
		[ "$(macrohard-hypervisor logs "$N" | grep -c "$1")" -lt "$2" ] || return 0
		sleep 1
	done
	fail "the guest did not say '$1'"
}

pid()
{
	macrohard-hypervisor list --json | sed -n 's/.*"pid":[^0-9]*\([0-9]*\).*/\1/p'
}

mh 0 list
mh 0 create --name "$N" --memory 256 --cpus 1 --disk win11.qcow2,size=64M --rng --balloon 0 \
	--kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs \
	--cmdline "console=ttyS0 quiet panic=-1 mh.run=power"
state created
mh 4 create --name "$N"
mh 4 pause "$N"

# start returns while the guest boots; its process is nobody's child here.
mh 0 start "$N"
state running
[ "$(awk '/^PPid/ { print $2 }' "/proc/$(pid)/status")" = 1 ] || fail "the process has not left us"
[ "$(stat -c %a ".local/state/macrohard/vms/$N/control")" = 600 ] || fail "the socket's mode"
mh 4 start "$N"
mh 4 destroy "$N"
said 'waiting for the power button' 1
ptyrun -x 'MACROHARD GUEST: user space' -x 'waiting for the power button' -r -s '\x1d' -- \
	macrohard-hypervisor console "$N" || fail "a late look at the console"

macrohard-hypervisor events --json "$N" >events.txt &
mh 0 pause "$N"
state paused
mh 4 pause "$N"
mh 0 resume "$N"
# Until it listens nothing is told.
while [ ! -s events.txt ]; do
	mh 0 pause "$N"
	mh 0 resume "$N"
done
mh 0 stats "$N"
awk '$1 == "0" && $2 > 1000 { good = 1 } END { exit !good }' said.txt || fail "no entries counted"
before=$(pid)
mh 0 reset "$N"
said 'waiting for the power button' 2
[ "$(pid)" = "$before" ] || fail "another process after the reset"

kill -9 "$(pid)"
wait
grep -q '"kind":"reset".*"reason":"request"' events.txt || fail "no event of the reset"
! grep -q '"state":"stopped"' events.txt || fail "the reset stopped it"
for _ in $(seq 100); do
	[ ! -e "/proc/$(pid)" ] && break
	sleep 0.1
done
state crashed

macrohard-hypervisor start "$N" &
macrohard-hypervisor start "$N"
first=$?
wait $!
second=$?
case $first$second in 04 | 40) ;; *) fail "two starts at once: $first and $second" ;; esac
state running
said 'waiting for the power button' 3
mh 0 stop --timeout 200 "$N"
state 'stopped (poweroff)'
[ "$(macrohard-hypervisor logs "$N" | grep -c 'GUEST TESTS: 0 failed')" = 1 ] || fail "no button"

# Another command line; a person at the console, who resets the guest in mid-request, and reboots it.
VISUAL="sed -i s/mh.run=power/mh.shell/" mh 0 edit "$N"
mh 0 start "$N"
ptyrun -t 120 -x "switches the guest off" -s 'modprobe virtio_pci; modprobe virtio_blk\r' \
	-s 'echo $((6*7))x\r' -x 42x -s 'yes life | head -c 4096 >/dev/vda && sync; echo $?w\r' -x 0w \
	-s 'while :; do cat /dev/vda >/dev/null; done & echo $((7*7))y\r' -x 49y \
	-c "macrohard-hypervisor reset '$N'" -x "switches the guest off" \
	-s 'modprobe virtio_pci; modprobe virtio_blk; head -c 4 /dev/vda; echo =\r' -x life \
	-s 'reboot -f\r' -x "switches the guest off" \
	-s 'exit\r' -x 'switching off' -- macrohard-hypervisor console "$N" || fail "the console"
for _ in $(seq 100); do
	macrohard-hypervisor list | grep -q 'stopped (poweroff)' && break
	sleep 0.1
done
state 'stopped (poweroff)'
mh 0 disk check win11.qcow2
mh 0 disk convert --quiet --format raw win11.qcow2 raw
yes life | head -c 4096 >life.txt
head -c 4096 raw | cmp - life.txt || fail "the disk does not hold what the guest wrote"

mh 0 destroy "$N"
mh 0 list
! grep -q "$N" said.txt || fail "still listed"
[ -e win11.qcow2 ] || fail "the disk went with the VM"
exit 0

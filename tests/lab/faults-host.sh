#!/bin/sh
# SPDX-License-Identifier: MIT
# Faults of a host under Linux guests: its clock jumps, it sleeps, the agent dies in the midst of a
# transfer, a VM's process is killed because memory has run out, or at any moment. The guests go on; what
# was told to be safe is on the disk; the other VM does not notice, and the killed one starts again.
# lab: svm --smp 2 --memory 1536 --modules loop
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# bring: /usr/bin/qemu-img
# timeout: 560
export HOME=/tmp/user
mkdir -p $HOME
cd $HOME || exit 1

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor list
	macrohard-hypervisor logs --vm one | tail -n 20
	macrohard-hypervisor logs one | tail -n 20
	macrohard-hypervisor stop --force one
	macrohard-hypervisor stop --force two
	exit 1
}

guest()
{
	timeout 100 macrohard-hypervisor exec -n one "$@"
}

# Until the agent of a VM is connected.
wait_agent()
{
	for _ in $(seq 120); do
		timeout 100 macrohard-hypervisor exec -n "$1" true 2>/dev/null && return
		sleep 1
	done
	fail "no agent in $1"
}

# clocks WHEN: the guest's is the host's, soon.
clocks()
{
	for _ in $(seq 30); do
		off=$(($(date +%s) - $(guest date +%s)))
		[ "$off" -ge -3 ] && [ "$off" -le 3 ] && break
		sleep 1
	done
	echo "$1: the clocks differ by $off s"
	[ "$off" -ge -3 ] && [ "$off" -le 3 ] || fail "$1: the guest's clock is off by $off s"
}

# goes_on WHEN: timers of the guest fire, and its disk works.
goes_on()
{
	guest sh -c 'sleep 1; echo x | dd of=/dev/vda bs=512 seek=9 conv=fsync,notrunc 2>/dev/null' ||
		fail "$1: the guest does not go on"
	timeout 20 macrohard-hypervisor list | grep '^one  *running  .* [0-9]*m[0-9]*s ' || fail "$1: list"
}

pid()
{
	macrohard-hypervisor list --json | sed -n 's/.*"pid":[^0-9]*\([0-9]*\).*/\1/p' | head -n 1
}

# begin NAME: a VM with a disk and an agent; it may run already.
begin()
{
	macrohard-hypervisor start "$1" || [ $? = 4 ] || fail "start $1"
	wait_agent "$1"
	timeout 100 macrohard-hypervisor exec -n "$1" modprobe virtio_blk || fail "no disk in $1"
}

for name in one two; do
	macrohard-hypervisor create --name $name --memory 160M --kernel /lab/bin/vmlinuz-full --net none \
		--initrd /lab/bin/initramfs-full --agent virtio --disk $name.qcow2,size=64M \
		--cmdline "console=ttyS0 quiet panic=-1 mh.run=agent" || fail create
done
begin one

# Hours ahead, and a day back.
date -s "@$(($(date +%s) + 21600))" >/dev/null
clocks "six hours ahead"
goes_on "six hours ahead"
date -s "@$(($(date +%s) - 86400))" >/dev/null
clocks "a day back"
goes_on "a day back"

# The host sleeps while the guest computes and writes.
guest sh -c 'for n in $(seq 200); do yes $n | head -c 65536; done | tee /tmp/sum.in |
	dd of=/dev/vda bs=64k seek=16 conv=fsync,notrunc 2>/dev/null; md5sum </tmp/sum.in >/tmp/sum' &
sleep 1
alarm=/sys/class/rtc/rtc0/wakealarm
echo 0 >$alarm
echo +12 >$alarm
echo mem >/sys/power/state || fail "the host does not sleep"
wait $! || fail "the guest's work over the host's sleep"
clocks "after the host's sleep"
goes_on "after the host's sleep"
[ "$(guest sh -c 'echo 3 >/proc/sys/vm/drop_caches
	dd if=/dev/vda bs=64k skip=16 count=200 2>/dev/null | md5sum')" = "$(guest cat /tmp/sum)" ] ||
	fail "what was written over the host's sleep is not there"

# The agent dies while a file comes.
mkfifo end
(head -c 1048576 /dev/urandom; cat end) | timeout 200 macrohard-hypervisor copy - one:/tmp/big 2>said &
copy=$!
sleep 4
guest sh -c 'kill -9 $PPID' 2>/dev/null
sleep 1
: >end
wait $copy
status=$?
cat said
[ $status = 1 ] || fail "copy: status $status"
grep -qi 'agent' said || fail "copy does not say that the agent was lost"
wait_agent one
timeout 200 macrohard-hypervisor copy said one:/tmp/said || fail "copy after the agent's death"

# Memory has run out for one VM, which the kernel kills: another one and the host go on.
mkdir -p /tmp/cgroup && mount -t cgroup2 none /tmp/cgroup || fail "no cgroups"
echo +memory >/tmp/cgroup/cgroup.subtree_control
mkdir /tmp/cgroup/two || fail "no group"
sh -c 'echo $$ >/tmp/cgroup/two/cgroup.procs; exec macrohard-hypervisor start two' || fail "start in a group"
begin two
timeout 100 macrohard-hypervisor exec -n two sh -c \
	'yes safe | head -c 1048576 | dd of=/dev/vda bs=64k conv=fsync,notrunc' || fail "write in two"
victim=$(tr '\n' ' ' </tmp/cgroup/two/cgroup.procs)
echo 16M >/tmp/cgroup/two/memory.max
for _ in $(seq 100); do
	[ -e "/proc/${victim%% *}" ] || break
	sleep 1
done
grep oom_kill /tmp/cgroup/two/memory.events
macrohard-hypervisor list
macrohard-hypervisor list | grep -q '^two  *crashed' || fail "the victim's state"
goes_on "after the other one's end"
macrohard-hypervisor disk check --quiet two.qcow2 || fail "check"
begin two
[ "$(timeout 100 macrohard-hypervisor exec -n two head -c 1048576 /dev/vda | md5sum)" = \
	"$(yes safe | head -c 1048576 | md5sum)" ] || fail "what was safe is not there"
macrohard-hypervisor stop --force two

# kill -9 while the guest writes numbers, and says which are safe.
for wait in 1 3; do
	guest sh -c 'n=0; while :; do
		printf "%-512s" "$n" | dd of=/dev/vda bs=512 seek=$((64 + n)) conv=fsync,notrunc 2>/dev/null
		echo $n; n=$((n + 1)); done' >numbers 2>/dev/null &
	sleep $wait
	until [ -s numbers ]; do sleep 1; done
	kill -9 "$(pid)"
	wait $!
	last=$(tail -n 1 numbers)
	macrohard-hypervisor list | grep -q '^one  *crashed' || fail "the state after kill -9"
	macrohard-hypervisor disk check one.qcow2 || fail "check after kill -9"
	qemu-img check one.qcow2 || fail "qemu-img check after kill -9"
	macrohard-hypervisor disk convert --quiet --format raw one.qcow2 raw || fail "convert"
	for n in $(seq 0 "$last"); do
		[ "$(dd if=raw bs=512 skip=$((64 + n)) count=1 2>/dev/null | tr -d ' ')" = "$n" ] ||
			fail "number $n of $last is lost"
	done
	echo "all $((last + 1)) numbers are there"
	rm raw
	begin one
done
macrohard-hypervisor stop one || fail "stop"
echo "all passed"

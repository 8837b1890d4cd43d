#!/bin/sh
# SPDX-License-Identifier: MIT
# A VM that boots from its disk by SeaBIOS. In AMD-V: a Linux by GRUB, from a qcow2 disk, in a VM named
# "Windows 11" with 4 GiB and two CPUs, by the design's own commands; switched off and started again, it
# finds what it wrote. In VT-x: a boot sector, which reads its disk and prints.
# lab: svm --smp 2 --memory 1280
# lab: vmx --env SECTOR=1
# bring: @BUILD@/guest/bios.qcow2
# bring: @BUILD@/tests/lab/boot_sector.bin
# bring: /usr/share/seabios/bios-256k.bin:/usr/share/seabios/bios-256k.bin
# timeout: 300
export HOME=/tmp
cd /tmp || exit 1

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor list
	macrohard-hypervisor logs --vm "Windows 11"
	macrohard-hypervisor logs "Windows 11" | tail -n 30
	exit 1
}

# said TEXT COUNT: waits until the guest has printed that so often, over all its starts.
said()
{
	for _ in $(seq 200); do
		[ "$(macrohard-hypervisor logs "Windows 11" | grep -c "$1")" -lt "$2" ] || return 0
		sleep 1
	done
	fail "the guest did not say '$1'"
}

if [ -n "$SECTOR" ]; then
	# A BIOS's disk has a cylinder at least.
	cp /lab/bin/boot_sector.bin sector && truncate -s 1M sector &&
		macrohard-hypervisor disk convert --quiet sector sector.qcow2 || exit 1
	macrohard-hypervisor run --disk sector.qcow2 --net none >out || { cat out; exit 1; }
	cat out
	grep -q 'SeaBIOS (version' out && grep -q 'BOOT SECTOR: the disk can be read' out
	exit
fi

cp /lab/bin/bios.qcow2 win11.qcow2
macrohard-hypervisor create --name "Windows 11" --memory 4096 --cpus 2 --disk win11.qcow2 || fail create
for n in 1 2; do
	macrohard-hypervisor start "Windows 11" || fail start
	macrohard-hypervisor list | grep '^Windows 11  running ' || fail list
	said 'waiting for the power button' $n
	macrohard-hypervisor stop --timeout 100 "Windows 11" || fail stop
	macrohard-hypervisor list | grep '^Windows 11  stopped (poweroff)' || fail list
	macrohard-hypervisor logs "Windows 11" | grep "start $n from this disk, 2 CPU(s)" || fail "start $n"
done
macrohard-hypervisor logs "Windows 11" | grep 'SeaBIOS (version\|GRUB: starting'
macrohard-hypervisor disk check win11.qcow2

#!/bin/sh
# SPDX-License-Identifier: MIT
# What is behind a guest's disks fails: storage is full until somebody makes room, a device answers with
# errors for a while, another one is pulled out. The guest hears of it and goes on, the host gets events,
# and what the guest was told to be safe is there.
# lab: svm --modules loop,dm-flakey,sd_mod,scsi_debug
# bring: @BUILD@/tests/lab/ptyrun
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# bring: /sbin/dmsetup
# bring: /usr/bin/qemu-img
# timeout: 400
export HOME=/tmp DM_DISABLE_UDEV=1
sectors=65536

fail()
{
	echo "FAIL: $*"
	cat /tmp/events
	macrohard-hypervisor logs --vm faults
	macrohard-hypervisor stop --force faults
	exit 1
}

# table TARGET...: what the faulty device is from now on.
cat >/tmp/table <<END
#!/bin/sh
dmsetup suspend --noflush faulty && dmsetup reload faulty --table "0 $sectors \$*" && dmsetup resume faulty
END
chmod 755 /tmp/table

# event SLOT OPERATION ERROR
event()
{
	grep -q "\"device-error\".*\"slot\":$1,\"operation\":\"$2\",\"error\":\"$3\"" /tmp/events ||
		fail "no event: $*"
}

mkdir /tmp/small
mount -t tmpfs -o size=1m none /tmp/small
macrohard-hypervisor disk create /tmp/small/disk.qcow2 64M || exit 1
truncate -s $((sectors * 512)) /tmp/disk.raw
losetup /dev/loop0 /tmp/disk.raw || exit 1
dmsetup create faulty --table "0 $sectors linear /dev/loop0 0" || exit 1
macrohard-hypervisor create --name faults --memory 256M --net none --disk /tmp/small/disk.qcow2,slot=7 \
	--disk /dev/mapper/faulty,format=raw,slot=8 --disk /dev/sda,format=raw,slot=9 \
	--kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs \
	--cmdline "console=ttyS0 quiet panic=-1 mh.shell" || exit 1
macrohard-hypervisor start faults || exit 1
macrohard-hypervisor events --json faults >/tmp/events &

# In the guest: w DISK TEXT COUNT SEEK writes so many pieces of 256 KiB until it is safe; r: are
# they there?
ptyrun -t 200 -x "switches the guest off" \
	-s 'modprobe virtio_pci; modprobe virtio_blk; alias t="echo 3 >/proc/sys/vm/drop_caches"\r' \
	-s 'w() { yes $2 | dd of=/dev/$1 bs=256k count=$3 seek=$4 iflag=fullblock conv=fsync,notrunc; }\r' \
	-s 'm() { head -c $((262144 * $1)) | md5sum; }\r' \
	-s 'r() { t; [ "$(dd if=/dev/$1 bs=256k count=$3 skip=$4 | m $3)" = "$(yes $2 | m $3)" ]; }\r' \
	-s 'w vda first 1 0; echo =$?=a; w vda more 4 8; echo =$?=b\r' -x =0=a -x =1=b \
	-s 'r vda first 1 0; echo =$?=c\r' -x =0=c \
	-c 'mount -o remount,size=64m /tmp/small' \
	-s 'w vda again 4 8; echo =$?=d; r vda again 4 8; echo =$?=e\r' -x =0=d -x =0=e \
	-s 'w vdb first 1 0; echo =$?=f\r' -x =0=f \
	-c 'sync; echo 3 >/proc/sys/vm/drop_caches; /tmp/table error' \
	-s 'r vdb first 1 0; echo =$?=g; w vdb more 1 4; echo =$?=h\r' -x =1=g -x =1=h \
	-c '/tmp/table flakey /dev/loop0 0 0 1 1 error_writes' \
	-s 'r vdb first 1 0; echo =$?=i; w vdb more 1 4; echo =$?=j\r' -x =0=i -x =1=j \
	-c '/tmp/table linear /dev/loop0 0' \
	-s 'r vdb first 1 0; echo =$?=k; w vdb again 1 4; echo =$?=l\r' -x =0=k -x =0=l \
	-s 'w vdc first 1 0; echo =$?=m\r' -x =0=m \
	-c 'echo 1 >/sys/block/sda/device/delete' \
	-s 'w vdc more 1 2; echo =$?=n\r' -x =1=n \
	-s 'w vda third 1 32; echo =$?=p\r' -x =0=p \
	-s 'exit\r' -x 'switching off' -- macrohard-hypervisor console faults || fail "the console"
wait
cat /tmp/events
event 7 write MH_ENOSPC
event 8 read MH_EIO
event 8 flush MH_EIO
grep -q '"device-error".*"slot":9,.*: /dev/sda"' /tmp/events || fail "no event of the disk that was pulled"
[ "$(grep -c device-error /tmp/events)" -lt 100 ] || fail "too many events"
grep -q '"reason":"poweroff"' /tmp/events || fail "the guest did not go on"

# same DISK TEXT COUNT SEEK: by the host's eyes.
same()
{
	dd if="$1" bs=256k skip="$4" count="$3" 2>/dev/null >/tmp/part
	yes "$2" | head -c $((262144 * $3)) | cmp - /tmp/part || fail "$1 has not '$2'"
}

macrohard-hypervisor disk check --quiet /tmp/small/disk.qcow2 || fail "disk check"
qemu-img check /tmp/small/disk.qcow2 || fail "qemu-img check"
macrohard-hypervisor disk convert --quiet --format raw /tmp/small/disk.qcow2 /tmp/raw || fail "convert"
same /tmp/raw first 1 0
same /tmp/raw again 4 8
same /tmp/raw third 1 32
same /tmp/disk.raw first 1 0
same /tmp/disk.raw again 1 4
# What has gone is told by name.
macrohard-hypervisor start faults 2>/tmp/said && fail "it starts without its disk"
cat /tmp/said
grep -q '/dev/sda' /tmp/said || fail "which disk has gone?"

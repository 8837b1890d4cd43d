#!/bin/sh
# SPDX-License-Identifier: MIT
# A stock Debian 12 on a qcow2 disk: boots to a login, uses its disks, a shared folder and the network,
# builds a program, loses its power in the midst of writing, boots again and is switched off by its power
# button. All data is verified on the host.
# lab: svm --smp 2 --memory 1536 --modules ext4,loop,crc32c_generic --disk @BUILD@/guest/debian/disk.qcow2
# lab: vmx --env CORE=1 --modules ext4,loop,crc32c_generic --disk @BUILD@/guest/debian/disk.qcow2
# bring: @BUILD@/guest/debian/vmlinuz
# bring: @BUILD@/guest/debian/initrd.img
# bring: @BUILD@/tests/lab/ptyrun
# bring: tests/guest/debian/steps
# bring: tests/lab/fsx.c
# bring: /sbin/e2fsck
# bring: /usr/bin/qemu-img
# bring: /usr/bin/iperf3
# timeout: 1500
CPUS=2
[ -z "$CORE" ] || CPUS=1
USER_NET=user,hostfwd=tcp:127.0.0.1:8080-:80

fail()
{
	echo "FAIL: $*"
	exit 1
}

# person NET STEP...: boots the guest on that network and plays a person at its console, who first logs in.
person()
{
	net=$1
	shift
	{
		ptyrun -t 3000 -x 'debian login: ' -s 'root\r' -x 'root@debian:~# ' \
			-s 'mount -t 9p -o trans=virtio,version=9p2000.L,cache=mmap lab /mnt\r' \
			-s 'echo SHARE $?\r' \
			-x 'SHARE 0' "$@" -- \
			macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initrd.img \
			--memory 384M --cpus "$CPUS" --disk /tmp/debian.qcow2 --rng --share /tmp/share:lab \
			--disk /tmp/data.qcow2,serial=debian-data --net "$net" --grace 900 --stats \
			--cmdline 'console=ttyS0 root=/dev/vda1 ro quiet'
		echo $? >/tmp/status
	} | tee /tmp/out
	return "$(cat /tmp/status)"
}

# sound: both images are, by our own judgement and by QEMU's.
sound()
{
	for disk in /tmp/debian.qcow2 /tmp/data.qcow2; do
		macrohard-hypervisor disk check --quiet $disk || fail "disk check $disk"
		qemu-img check $disk || fail "qemu-img check $disk"
	done
}

# look: mounts the data disk's file system, as it is now, at /tmp/mnt.
look()
{
	macrohard-hypervisor disk convert --quiet --format raw /tmp/data.qcow2 /tmp/raw || fail "convert"
	mkdir -p /tmp/mnt
	mount -t ext4 -o loop /tmp/raw /tmp/mnt || fail "the data disk cannot be mounted"
	(cd /tmp/mnt && sha256sum -c /tmp/share/sums >/tmp/sums) || { cat /tmp/sums; fail "other data"; }
	for n in 0 1; do
		cmp /tmp/share/model.$n /tmp/mnt/files/fsx.$n || fail "fsx' file $n"
	done
	echo "$(wc -l </tmp/sums) files on the data disk are what the guest wrote"
}

unlook()
{
	umount /tmp/mnt
	e2fsck -fn /tmp/raw || fail "the file system is not consistent"
	rm /tmp/raw
}

# servers: what the guest finds on this host: a file by HTTP, iperf3, and DHCP on the TAP.
servers()
{
	mkdir -p /tmp/www
	seq 1000000 1500000 >/tmp/www/numbers
	httpd -p 8000 -h /tmp/www || fail "httpd"
	iperf3 -s -D || fail "iperf3"
	[ -z "$CORE" ] || return
	modprobe tun && tunctl -t tap0 && ip address add 10.9.8.1/24 dev tap0 && ip link set tap0 up ||
		fail "no TAP"
	cat >/tmp/udhcpd.conf <<-END
		start 10.9.8.2
		end 10.9.8.2
		interface tap0
		lease_file /tmp/leases
		option subnet 255.255.255.0
		option router 10.9.8.1
	END
	: >/tmp/leases
	udhcpd -S /tmp/udhcpd.conf || fail "udhcpd"
}

# get ADDRESS: the words that fetch the file from the guest's server.
get()
{
	echo "wget -q -O - http://$1/numbers | cmp - /tmp/www/numbers"
}

# records: those are in the log that the guest announced to be safe.
records()
{
	last=$(grep -ao 'RECORD [0-9]* IS SAFE' /tmp/out | tail -n 1 | cut -d ' ' -f 2)
	for n in $(seq 0 "$last"); do
		yes "record $n" | head -c 4096
	done | cmp -n $(((last + 1) * 4096)) - /tmp/mnt/log || fail "a record is lost that was safe"
	echo "all $((last + 1)) records are there"
}

mkdir -p /tmp/share
cp /lab/bin/steps /lab/bin/fsx.c /tmp/share
# Minutes instead of seconds: --env STRESS_SECONDS=300 and so on, and a longer timeout.
cat >/tmp/share/settings <<END
CPUS=$CPUS
FSX_OPERATIONS=${FSX_OPERATIONS:-2000}
FIO_SIZE=${FIO_SIZE:-8M}
STRESS_SECONDS=${STRESS_SECONDS:-5}
IPERF_SECONDS=${IPERF_SECONDS:-2}
END
macrohard-hypervisor disk create --backing /dev/disk /tmp/debian.qcow2 || exit 1
macrohard-hypervisor disk create /tmp/data.qcow2 128M || exit 1
servers

if [ -n "$CORE" ]; then
	person $USER_NET -s "sh /mnt/steps system disk build net sums content\r" \
		-x 'STEPS: all passed' -c "$(get 127.0.0.1:8080)" \
		-k 15 || fail "the guest's end: status $?"
else
	person $USER_NET -s "sh /mnt/steps system disk build net fio stress sums content\r" \
		-x 'STEPS: all passed' -c "$(get 127.0.0.1:8080)" \
		-s 'sh /mnt/steps power-cut\r' -x 'RECORD 20 IS SAFE' -k 9
	[ $? = 137 ] || fail "the steps before the power cut"
fi
[ -x /tmp/share/fsx ] || fail "the guest built no program in the shared folder"
seq 1000000 3000000 | head -c 5000000 | cmp - /tmp/share/numbers || fail "the guest's file in the share"
sound
look
[ -n "$CORE" ] || records
unlook
[ -z "$CORE" ] || exit 0

person tap=tap0 -s 'sh /mnt/steps recovered net content\r' -x 'STEPS: all passed' \
	-c "$(get 10.9.8.2)" -k 15 || fail "the boot after the power cut: status $?"
sound
look
unlook

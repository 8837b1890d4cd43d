#!/bin/sh
# SPDX-License-Identifier: MIT
# In an emulated host: the same guest and the same disk under this VMM and under QEMU on KVM.
# usage: io_host.sh VMLINUZ INITRAMFS
set -eu
kernel=$1 initrd=$2
words="console=ttyS0 quiet panic=-1 mh.run=bench_disk"
results=/tmp/results

# On a page-cached file: what is compared is the way from the guest to it.
truncate -s 300M /tmp/fs
losetup /dev/loop0 /tmp/fs
mkfs.ext4 -q -O ^has_journal /dev/loop0
mkdir /disks
mount /dev/loop0 /disks
dd if=/dev/urandom of=/disks/raw bs=1M count=64 2>/dev/null
macrohard-hypervisor disk convert --quiet --format qcow2 /disks/raw /disks/qcow2
: >$results

# keep COLUMN: the guest's figures are on standard input.
keep()
{
	echo "$1" >&2
	tr -d '\r' | awk -v c="$1" '/^BENCH failed/ { print > "/dev/stderr" }
		/^BENCH/ { print c, $2, $3 }' | tee -a $results >&2
}

ours()
{
	macrohard-hypervisor run --kernel "$kernel" --initrd "$initrd" --memory 256M --cpus 1 \
		--disk "/disks/$1,format=$1" --cmdline "$words" | keep "macrohard-$1"
}

# theirs FORMAT NAME DEVICE-OPTION...: nested guests of KVM hang now and then in QEMU's AMD-V, so again.
theirs()
{
	format=$1 name=$2
	shift 2
	for try in 1 2 3; do
		timeout 60 qemu-system-x86_64 -L /lab/qemu -L /lab/seabios -accel kvm -cpu host -M q35 \
			-m 256 -nodefaults -no-reboot -display none -serial stdio \
			-kernel "$kernel" -initrd "$initrd" -append "$words" \
			-drive "file=/disks/$format,format=$format,if=none,id=d" "$@" >/tmp/out && break
		echo "$name: attempt $try hung" >&2
	done
	keep "$name" </tmp/out
}

for format in raw qcow2; do
	ours $format
	theirs $format qemu-$format -device virtio-blk-pci,drive=d
	theirs $format qemu-$format-iothread -object iothread,id=t \
		-device virtio-blk-pci,drive=d,iothread=t
done

awk '
	{ if (!($1 in col)) { col[$1] = ++cols; name[cols] = $1 }
	  if (!($2 in row)) { row[$2] = ++rows; line[rows] = $2 }
	  v[$2, $1] = $3 }
	END {
		printf "%-16s", "instructions"
		for (c = 1; c <= cols; c++) printf " %19s", name[c]
		print ""
		for (r = 1; r <= rows; r++) {
			printf "%-16s", line[r]
			for (c = 1; c <= cols; c++) printf " %19s", v[line[r], name[c]]
			print ""
		}
	}' $results

#!/bin/sh
# SPDX-License-Identifier: MIT
# In an emulated host: one guest, with the same disk, folder or network, under this VMM and under QEMU on KVM.
# usage: io_host.sh disk|share|virtiofs|net...
set -eu
kernel=/lab/bin/vmlinuz initrd=/lab/bin/bench-initramfs
results=/tmp/results

# words WHAT: the guest's kernel arguments.
words()
{
	echo "console=ttyS0 quiet panic=-1 mh.run=bench mh.arg.what=$1"
}

# keep COLUMN: the guest's figures are on standard input.
keep()
{
	echo "$1" >&2
	tr -d '\r' | awk -v c="$1" '/^BENCH failed/ { print > "/dev/stderr" }
		/^BENCH/ && NF == 3 { print c, $2, $3 }' | tee -a $results >&2
}

# guest WHAT OPTION...
guest()
{
	what=$1
	shift
	macrohard-hypervisor run --kernel $kernel --initrd $initrd --memory 256M --cpus 1 \
		--cmdline "$(words "$what")" "$@"
}

# ours WHAT COLUMN OPTION...
ours()
{
	what=$1 column=$2
	shift 2
	guest "$what" "$@" | keep "macrohard$column"
}

# theirs WHAT COLUMN OPTION...: nested guests of KVM hang now and then in QEMU's AMD-V, so again.
theirs()
{
	what=$1 column=$2
	shift 2
	for try in 1 2 3; do
		timeout 20 qemu-system-x86_64 -L /lab/qemu -L /lab/seabios -accel kvm -cpu host -M q35 \
			-m 256 -nodefaults -no-reboot -display none -serial stdio -kernel $kernel \
			-initrd $initrd -append "$(words "$what")" "$@" >/tmp/out && break
		echo "qemu$column: attempt $try hung" >&2
	done
	keep "qemu$column" </tmp/out
}

# On a page-cached file: what is compared is the way from the guest to it.
disk()
{
	truncate -s 300M /tmp/fs
	losetup /dev/loop0 /tmp/fs
	mkfs.ext4 -q -O ^has_journal /dev/loop0
	mkdir /disks
	mount /dev/loop0 /disks
	dd if=/dev/urandom of=/disks/raw bs=1M count=64 2>/dev/null
	macrohard-hypervisor disk convert --quiet --format qcow2 /disks/raw /disks/qcow2
	# What the host does once for a file, the first guest pays for, and for writing back what was made.
	guest disk --net none --disk /disks/raw,format=raw >/dev/null
	for format in raw qcow2; do
		ours disk -$format --net none --disk "/disks/$format,format=$format"
		for thread in "" ,iothread=t; do
			theirs disk "-$format${thread:+-iothread}" -object iothread,id=t \
				-drive "file=/disks/$format,format=$format,if=none,id=d" \
				-device "virtio-blk-pci,drive=d$thread"
		done
	done
}

share()
{
	mkdir /share
	ours share "" --net none --share /share:bench,owners=host
	theirs share "" -fsdev local,id=f,path=/share,security_model=none \
		-device virtio-9p-pci,fsdev=f,mount_tag=bench
}

# Beside "share": the guest's own cache has what it wrote, so that reads of it cost the host nothing.
virtiofs()
{
	mkdir -p /share
	ours virtiofs -virtiofs --net none --share /share:bench,owners=host,type=virtiofs
}

net()
{
	tunctl -t tap0 >/dev/null
	ip addr add 10.9.0.1/24 dev tap0
	ip link set tap0 up
	bench_net serve &
	ours net "" --net tap=tap0
	theirs net "" -netdev tap,id=n,ifname=tap0,script=no,downscript=no \
		-device virtio-net-pci,netdev=n,romfile=
	kill $!
}

# One line for each figure, one column for each VMM.
table()
{
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
}

for what in "$@"; do
	: >$results
	"$what"
	table
done

#!/bin/sh
# SPDX-License-Identifier: MIT
# Folders shared by virtio-fs in a Linux guest with two vCPUs: its own FUSE client on our device,
# checked with what 9P shows of the same folder and with what the host then finds in it.
# lab: svm --smp 2 --modules crc32c_generic,ext4,loop
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# bring: /sbin/mke2fs
# timeout: 420
failed=0

fail()
{
	echo "FAIL: $*"
	failed=1
}

# tmpfs has no user attributes.
mkdir -p /tmp/fs
truncate -s 192M /tmp/image
/lab/bin/mke2fs -q -F -t ext4 -O ^metadata_csum,^has_journal -I 256 -m 0 -N 8192 /tmp/image || exit 1
mount -t ext4 -o loop /tmp/image /tmp/fs || exit 1
cd /tmp/fs || exit 1
mkdir work mapped host ro ro/dir
printf text >ro/here
echo secret | tee /tmp/secret >secret
ln -s /tmp/secret work/way-out
ln -s /tmp work/way-out-folder
mkdir work/crowd
seq 3000 | sed 's/$/-a-name-that-takes-its-room/; s,^,work/crowd/,' | xargs touch

macrohard-hypervisor run --kernel /lab/bin/vmlinuz-full --initrd /lab/bin/initramfs-full \
	--memory 384M --cpus 2 --stop-on-reset --engine "${ENGINE:-shim}" \
	--share work:work,type=virtiofs --share work:beside \
	--share mapped:mapped,owners=mapped,type=virtiofs --share mapped:mapped-raw \
	--share host:host,owners=host,type=virtiofs --share ro:ro,readonly,type=virtiofs --cmdline \
	"console=ttyS0 quiet panic=-1 mh.run=virtiofs mh.arg.ops=${OPS:-120}" >/tmp/out 2>/tmp/err
status=$?
cat /tmp/out
[ $status = 0 ] && grep -q 'GUEST TESTS: 0 failed' /tmp/out || fail "exit status $status: $(cat /tmp/err)"
! grep -q 'WARNING: \|BUG: \|Call Trace' /tmp/out || fail "the guest's kernel complains"

tr -d '\r' </tmp/out | sed -n 's/^SUM \([0-9a-f]*\) /\1  work\//p' >/tmp/sums
[ "$(wc -l </tmp/sums)" = 7 ] || fail "7 files must be compared"
sha256sum -c /tmp/sums || fail "the folder does not hold what the guest wrote"
[ ! -e /tmp/escaped ] || fail "the guest wrote out of its folder"
[ "$(find ro | wc -l) $(cat ro/here)" = "3 text" ] || fail "the read-only folder has changed"
rm -r work/way-out work/way-out-folder work/crowd
cut -c 67- /tmp/sums | xargs rm
left=$(find work mapped host -mindepth 1)
[ -z "$left" ] || fail "left behind: $left"
exit $failed

#!/bin/sh
# SPDX-License-Identifier: MIT
# Linux' own 9P client on the library's 9P server, over a socket: what programs expect of a folder.
# lab: none --no-module --kernel 6.1-full --modules crc32c_generic,9pnet_fd,9p,ext4,loop
# bring: @BUILD@/tests/lab/p9_serve
# bring: @BUILD@/tests/lab/p9_check
# bring: @BUILD@/tests/lab/fsx
# bring: /sbin/mke2fs
# timeout: 600
failed=0
mkdir -p /tmp/mnt /tmp/fs /tmp/small
# tmpfs has no user attributes; this is also where names go when the server is done with them.
truncate -s 96M /tmp/image
/lab/bin/mke2fs -q -F -t ext4 -O ^metadata_csum,^has_journal -I 256 -m 0 /tmp/image || exit 1
mount -t ext4 -o loop /tmp/image /tmp/fs || exit 1
rmdir /tmp/fs/lost+found
mount -t tmpfs -o size=1M none /tmp/small || exit 1

# serve OPTION... FOLDER: a server on /tmp/sock.
serve()
{
	rm -f /tmp/sock
	p9_serve --unix /tmp/sock "$@" &
	server=$!
	while [ ! -S /tmp/sock ]; do usleep 10000; done
}

# random FOLDER: random work on a file of the mounted folder, which the served one must hold then.
random()
{
	fsx -n 1500 -m /tmp/model /tmp/mnt/random && cmp /tmp/model "$1/random" &&
		rm /tmp/mnt/random || { echo "FAIL: random work"; failed=1; }
}

# check MOUNT-OPTIONS FOLDER TEST...: mount, ask, unmount; the server must survive it. The first test
# may be "random".
check()
{
	options=$1 folder=$2
	shift 2
	echo "== $options: $*"
	if ! mount -t 9p -o "trans=unix,$options" /tmp/sock /tmp/mnt; then
		echo "FAIL: mount $options"
		failed=1
		return
	fi
	if [ "$1" = random ]; then
		random "$folder"
		shift
	fi
	p9_check /tmp/mnt "$folder" "$@" || failed=1
	umount /tmp/mnt || failed=1
	kill -0 $server || { echo "FAIL: the server died"; failed=1; }
}

stop()
{
	kill $server
	wait $server 2>/dev/null
	left=$(ls -A "$1")
	[ -z "$left" ] || { echo "FAIL: left in $1: $left"; failed=1; }
}

L=version=9p2000.L
serve /tmp/fs
check $L,msize=262144,cache=none /tmp/fs random usual xattrs locks
check $L,msize=262144,cache=mmap /tmp/fs random big renames unlinked append
check $L,msize=65536,cache=loose /tmp/fs random storm big
check $L,msize=4096,cache=none,access=client /tmp/fs random links xattrs
# It has no renaming across folders and no link count.
check version=9p2000.u,msize=65536 /tmp/fs random big long-names append
stop /tmp/fs
# Few descriptors, so that most files are closed and found again; buffers in odd pieces.
serve --fds 32 --pieces 97 --workers 4 /tmp/fs
check $L,msize=65536,cache=none /tmp/fs random storm renames links unlinked xattrs
stop /tmp/fs
serve --ids mapped /tmp/fs
check $L,msize=262144,cache=none /tmp/fs specials unlinked attributes xattrs mapped
stop /tmp/fs
serve --ids host /tmp/fs
check $L,msize=262144,cache=none /tmp/fs specials attributes
stop /tmp/fs
serve /tmp/small
check $L,cache=none /tmp/small full
stop /tmp/small
printf text >/tmp/fs/here
mkdir /tmp/fs/dir
serve --readonly /tmp/fs
check $L,cache=none /tmp/fs readonly
check version=9p2000.u /tmp/fs readonly
kill $server
dmesg | grep -i '9p' | tail -n 5
exit $failed

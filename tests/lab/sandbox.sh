#!/bin/sh
# SPDX-License-Identifier: MIT
# The process of a VM with all that reaches out (disk, user network, folder, sockets, VNC, gdb) and all that
# is shown (display, agent) in its sandbox: what the kernel says of each of its threads, and what happens to
# system calls that somebody makes in them: root traces the process, and puts calls of his own into its
# threads.
# lab: svm
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# bring: @BUILD@/tests/lab/intrude
# bring: @BUILD@/src/vnc/libmacrohard-vnc.so.1:/lab/lib/libmacrohard-vnc.so.1
# bring: @BUILD@/src/x11/libmacrohard-x11.so.1:/lab/lib/libmacrohard-x11.so.1
# timeout: 420
failed=0

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor logs --vm box
	macrohard-hypervisor logs box | tail -n 20
	failed=1
}

pid()
{
	macrohard-hypervisor list --json | sed -n 's/.*"pid":[^0-9]*\([0-9]*\).*/\1/p'
}

# said TEXT: waits until the guest has printed it.
said()
{
	for _ in $(seq 240); do
		! macrohard-hypervisor logs box | grep -q "$1" || return 0
		sleep 1
	done
	fail "the guest did not say '$1'"
}

# confined: each thread has its kind's filter and the one of all, and none of another kind's, which would cost
# time; no capability, and no way to privileges.
confined()
{
	for task in "/proc/$(pid)/task/"*; do
		for line in "Seccomp:	2" "Seccomp_filters:	2" "NoNewPrivs:	1" \
			"CapEff:	0000000000000000" "CapPrm:	0000000000000000" \
			"CapBnd:	0000000000000000"; do
			grep -qx "$line" "$task/status" ||
				fail "$(cat "$task/comm"): not '$line'"
		done
	done
}

# apart PID NAMESPACE...: these are not the host's, all others are.
apart()
{
	process=$1
	shift
	for space in net ipc uts user; do
		theirs=$(readlink "/proc/$process/ns/$space")
		case " $* " in
		*" $space "*) [ "$theirs" != "$(readlink /proc/self/ns/$space)" ] ;;
		*) [ "$theirs" = "$(readlink /proc/self/ns/$space)" ] ;;
		esac || fail "namespaces: not $*, as $space is $theirs"
	done
}

# intrude THREAD CALL RESULT: the thread whose name begins so makes the call; its result.
intrude()
{
	for task in "/proc/$(pid)/task/"*; do
		case $(cat "$task/comm") in
		"$1"*) break ;;
		esac
	done
	intrude_task "$task" "$2" "$3"
}

# intrude_task TASK CALL RESULT
intrude_task()
{
	got=$(/lab/bin/intrude "$(basename "$1")" "$2")
	[ "$got" = "$3" ] || fail "$2 on $(cat "$1/comm"): $got instead of $3"
}

# intrude_all: each thread, whatever its name is, is refused everything; but the one that serves the user
# network and vsock connects, which is what it is for.
intrude_all()
{
	tasks=0 names=
	for task in "/proc/$(pid)/task/"*; do
		name=$(cat "$task/comm")
		for call in open create code connect unix; do
			case $name:$call in
			devices:connect) intrude_task "$task" connect connected ;;
			devices:unix) intrude_task "$task" unix connected ;;
			*) intrude_task "$task" $call refused ;;
			esac
		done
		tasks=$((tasks + 1)) names="$names $name"
	done
	echo "$tasks threads:$names"
	for name in macrohard vcpu0 vm: devices disks share; do
		case $names in
		*" $name"*) ;;
		*) fail "there is no thread $name" ;;
		esac
	done
}

mkdir /tmp/share
echo shared >/tmp/share/file
echo nameserver 127.0.0.1 >/etc/resolv.conf
macrohard-hypervisor create --name box --memory 384 --kernel /lab/bin/vmlinuz \
	--initrd /lab/bin/initramfs --cmdline "console=ttyS0 quiet panic=-1 mh.run=power" \
	--disk /tmp/disk.qcow2,size=64M --share /tmp/share:share \
	--net user,hostfwd=tcp:127.0.0.1:8080-:80 \
	--vsock 3,path=/tmp/vsock --display 640x480 --input keyboard+tablet --agent virtio \
	--vnc unix:/tmp/vnc --gdb unix:/tmp/gdb --rng --balloon 0 ||
	exit 1

# What the tests would find if it were not there.
macrohard-hypervisor start --no-sandbox box || fail "it does not start without a sandbox"
grep -qx "Seccomp:	0" "/proc/$(pid)/status" || fail "--no-sandbox has one"
for thread in vcpu0 macrohard; do
	intrude $thread open opened
	intrude $thread connect connected
	intrude $thread unix connected
	intrude $thread code executable
done
macrohard-hypervisor list --json | grep -q '"sandbox":[[:space:]]*"off"' || fail "list does not say it is off"
said 'waiting for the power button'
macrohard-hypervisor stop --force box
for left in vsock vnc gdb; do [ ! -e /tmp/$left ] || fail "left without a sandbox: $left"; done

macrohard-hypervisor start box || fail "it does not start"
macrohard-hypervisor list --json | grep -q '"sandbox":[[:space:]]*"on"' || fail "list does not say it is on"
said 'waiting for the power button'
confined
apart "$(pid)" ipc uts
intrude_all
DISPLAY=:1 macrohard-hypervisor window box && fail "a window, where no X server is"
[ "$(ls /tmp/share)" = file ] || fail "something was made"

# The sockets, which the process cannot remove, go with it; also when it is killed.
for left in vsock vnc gdb; do [ -S /tmp/$left ] || fail "no socket $left"; done
kill -9 "$(pid)"
for _ in $(seq 100); do
	[ ! -e /tmp/gdb ] && break
	sleep 0.1
done
for left in vsock vnc gdb; do [ ! -e /tmp/$left ] || fail "left behind: $left"; done
macrohard-hypervisor list | grep -q '^box .*crashed' || fail "it is not crashed"

# A program is the end of the process.
for thread in vcpu0 macrohard; do
	macrohard-hypervisor start box || fail "it does not start again"
	intrude $thread exec gone
	for _ in $(seq 100); do
		macrohard-hypervisor list | grep -q '^box .*crashed' && break
		sleep 0.1
	done
	macrohard-hypervisor list | grep -q '^box .*crashed' || fail "it lives on"
done
macrohard-hypervisor destroy box || fail "it cannot be destroyed"

# Without a user network there is none of the host's; who is not root is among no other users.
alone()
{
	cli="$* macrohard-hypervisor"
	$cli create --name alone --memory 384 --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs \
		--cmdline mh.run=power --net none && $cli start alone ||
		fail "it does not start: $cli"
	process=$($cli list --json | sed -n 's/.*"pid":[^0-9]*\([0-9]*\).*/\1/p')
}

alone env
apart "$process" net ipc uts
macrohard-hypervisor stop --force alone
mkdir /tmp/user
echo "user:x:1000:1000::/tmp/user:/bin/sh" >>/etc/passwd
chown 1000 /tmp/user /dev/macrohard
cat >/tmp/as-user <<END
#!/bin/sh
exec su user -c "exec env HOME=/tmp/user PATH=$PATH \$*"
END
chmod +x /tmp/as-user
alone /tmp/as-user
apart "$process" net ipc uts user
/tmp/as-user macrohard-hypervisor stop --force alone
exit $failed

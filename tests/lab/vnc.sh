#!/bin/sh
# SPDX-License-Identifier: MIT
# VNC clients of a Linux guest: Debian's gvnccapture sees the picture that the library's screenshot has, pixel
# by pixel; keys and the pointer arrive at the guest's drivers; the socket is its user's, and goes with the
# VM.
# lab: svm --smp 2
# bring: @BUILD@/src/vnc/libmacrohard-vnc.so.1:/lab/lib/
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# bring: /usr/bin/gvnccapture
# bring: /usr/bin/socat
# bring: /usr/bin/pngtopnm
# timeout: 600
export HOME=/tmp
SOCKET=/tmp/screen.vnc

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor logs --vm screen
	macrohard-hypervisor logs screen | tail -n 30
	macrohard-hypervisor stop --force screen
	exit 1
}

# said TEXT: waits until the guest has printed it.
said()
{
	for _ in $(seq 200); do
		! macrohard-hypervisor logs screen | grep -q "$1" || return 0
		sleep 1
	done
	fail "the guest did not say '$1'"
}

# The library is not there: told, with the cure.
mv /lab/lib/libmacrohard-vnc.so.1 /tmp/away
macrohard-hypervisor run --kernel /lab/bin/vmlinuz-full --net none --vnc unix:/tmp/no >/tmp/out 2>&1 &&
	fail "VNC without its library"
mv /tmp/away /lab/lib/libmacrohard-vnc.so.1
cat /tmp/out
grep -q 'libmacrohard-vnc.so.1.*; install the library' /tmp/out || fail "no cure"

# begin CMDLINE: a guest with a display.
begin()
{
	macrohard-hypervisor create --name screen --kernel /lab/bin/vmlinuz-full --initrd \
		/lab/bin/initramfs-full --memory 256M --net none --display 800x600 --vnc "unix:$SOCKET" \
		--input keyboard+tablet --cmdline "console=ttyS0 quiet panic=-1 $1" || fail "create"
	macrohard-hypervisor start screen || fail "start"
	[ "$(stat -c %a "$SOCKET")" = 600 ] || fail "the socket is not its user's alone"
}

end()
{
	macrohard-hypervisor stop --force screen || fail "stop"
	macrohard-hypervisor destroy screen || fail "destroy"
	[ ! -e "$SOCKET" ] || fail "the socket is still there"
}

ifconfig lo 127.0.0.1 up
socat TCP-LISTEN:5907,fork,bind=127.0.0.1 UNIX-CONNECT:"$SOCKET" &
relay=$!

begin "mh.run=draw mh.arg.steps=1"
said 'DRAWN 1'
for _ in $(seq 30); do
	macrohard-hypervisor screenshot screen /tmp/cli.png || fail "screenshot"
	gvnccapture 127.0.0.1:7 /tmp/vnc.png || fail "gvnccapture"
	pngtopnm /tmp/cli.png >/tmp/cli.pnm
	pngtopnm /tmp/vnc.png >/tmp/vnc.pnm
	cmp -s /tmp/cli.pnm /tmp/vnc.pnm && break
	sleep 1
done
cmp /tmp/cli.pnm /tmp/vnc.pnm || fail "the client sees another picture"
[ "$(head -c 14 /tmp/vnc.pnm | tr '\n' ' ')" = "P6 800 600 255" ] || fail "it has another size"
[ "$(tail -c +16 /tmp/vnc.pnm | tr -d '\000' | wc -c)" -gt 100000 ] || fail "the picture is black"
end

# As a client sends it: version, no security, shared; the key a; the pointer in the middle, its left button.
begin "mh.run=input mh.arg.drivers=virtio mh.arg.count=2"
said 'EVENTS: ready'
{
	printf 'RFB 003.008\n\001\001\004\001\000\000\000\000\000a\004\000\000\000\000\000\000a'
	printf '\005\001\000\100\000\100'
} | socat -t 2 - UNIX-CONNECT:"$SOCKET" >/dev/null
said 'macrohard keyboard: 1 30 1'
said 'macrohard keyboard: 1 30 0'
said 'macrohard tablet: 3 0 '
said 'macrohard tablet: 1 272 1'
# It has left: what it held is let go.
said 'macrohard tablet: 1 272 0'
end
kill $relay
exit 0

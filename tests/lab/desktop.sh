#!/bin/sh
# SPDX-License-Identifier: MIT
# A Debian desktop in a guest whose windows are windows of this host: there Xorg on virtio-gpu, openbox, an
# xterm and a GTK editor, here Xvfb, openbox and an xterm. Both are of one disk; this host's is a chroot.
# With ONLY=shown the windows come and go, and nothing is done to them.
# lab: svm --smp 2 --memory 2048 --modules ext4,crc32c_generic --disk @BUILD@/guest/debian/disk.raw
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# bring: @BUILD@/tools/guest-agent/linux/macrohard-guest-agent
# bring: @BUILD@/tools/guest-agent/linux/macrohard-guest-x11
# bring: @BUILD@/src/x11/libmacrohard-x11.so.1:/lab/lib/libmacrohard-x11.so.1
# bring: tests/guest/debian/desktop
# bring: tests/guest/debian/session
# bring: tests/lab/desktop_picture
# bring: @BUILD@/tests/lab/intrude
# timeout: 1200
ROOT=/tmp/root VM="Windows 11"
PATIENCE=240 # of one step, in seconds: the guest is emulated in an emulated host

fail()
{
	echo "FAIL: $*"
	macrohard-hypervisor logs "$VM" | tail -n 30
	here xwininfo -root -tree | grep '"'
	there xwininfo -root -tree | grep '"'
	exit 1
}

here()
{
	chroot $ROOT env DISPLAY=:1 HOME=/tmp LC_ALL=C.UTF-8 "$@"
}

there()
{
	macrohard-hypervisor exec --no-input --env DISPLAY=:0 "$VM" -- "$@"
}

# patiently WHAT COMMAND...: until the command succeeds.
patiently()
{
	what=$1
	shift
	for _ in $(seq $PATIENCE); do
		"$@" && return
		sleep 1
	done
	fail "$what"
}

# window WHERE TITLE: the number of the window with that title.
window()
{
	$1 xdotool search --onlyvisible --name "^$2\$" 2>/dev/null | tail -n 1
}

shown()
{
	[ -n "$(window "$@")" ]
}

gone()
{
	! shown "$@"
}

# active WHERE TITLE: it has the keyboard. (xdotool's own waiting fails while no window has it.)
active()
{
	[ "$($1 xdotool getactivewindow 2>/dev/null)" = "$(window "$@")" ]
}

# activate TITLE: here, and the guest follows.
activate()
{
	here xdotool windowactivate "$(window here "$1")"
	patiently "'$1' does not become active" active here "$1"
	patiently "'$1' does not become active there" active there "$1"
}

# place WHERE TITLE: its content's "X Y WIDTH HEIGHT".
place()
{
	$1 xwininfo -id "$(window "$1" "$2")" 2>/dev/null | awk '
		/Absolute upper-left|^ *(Width|Height):/ { printf "%s%d", n++ ? " " : "", $NF }'
}

# at WHERE TITLE PLACE
at()
{
	[ "$(place "$1" "$2")" = "$3" ]
}

# same TITLE: it is at one place in both.
same()
{
	[ -n "$(place here "$1")" ] && [ "$(place here "$1")" = "$(place there "$1")" ]
}

# picture WHERE TITLE: what is in it.
picture()
{
	$1 xwd -silent -nobdrs -id "$(window "$1" "$2")" | here python3 /tmp/desktop_picture
}

same_picture()
{
	[ "$(picture here "$1")" = "$(picture there "$1")" ]
}

# same_display: the window of the whole display shows the guest's screen.
same_display()
{
	[ "$(picture here "$VM")" = "$(there xwd -silent -root | here python3 /tmp/desktop_picture)" ]
}

# menu WHERE: what is in the editor's menu, a window that no window manager has framed.
menu()
{
	id=$($1 xwininfo -root -children | awk '/"L3afpad": .* [0-9][0-9][0-9]x/ { print $1 }')
	[ -n "$id" ] && $1 xwd -silent -id "$id" | here python3 /tmp/desktop_picture
}

same_menu()
{
	[ -n "$(menu here)" ] && [ "$(menu here)" = "$(menu there)" ]
}

session_ready()
{
	macrohard-hypervisor logs "$VM" | grep -q 'SESSION READY'
}

typed()
{
	[ "$(there cat /tmp/typed)" = "$1" ]
}

# copy WHERE TYPE FILE: offers the file's content there.
copy()
{
	$1 sh -c "xclip -selection clipboard -t $2 -i $3 >/dev/null 2>&1"
}

# pastes WHERE TYPE SUM: its clipboard has that content.
pastes()
{
	[ "$($1 xclip -selection clipboard -t "$2" -o 2>/dev/null | sha256sum)" = "$3" ]
}

# clipboard TYPE FILE: goes from here to there and back.
clipboard()
{
	sum=$(sha256sum <"$ROOT/tmp/$2")
	copy here "$1" "/tmp/$2"
	patiently "$1 does not get there" pastes there "$1" "$sum"
	macrohard-hypervisor copy "$ROOT/tmp/$2" "$VM:/tmp/$2" || fail "copy $2"
	copy there "$1" "/tmp/$2"
	patiently "$1 does not come back" pastes here "$1" "$sum"
	echo "clipboard: $1, $(wc -c <"$ROOT/tmp/$2") bytes, both ways"
}

# use: what a user does with the windows and the clipboard, on either side.
use()
{
	activate terminal
	here xdotool type --delay 50 'Hello 123' || fail "typing"
	here xdotool key Return
	patiently "what was typed here is not there" typed 'Hello 123'
	here xdotool windowmove "$(window here terminal)" 300 200
	patiently "moved here, not there" same terminal
	there xdotool windowmove "$(window there terminal)" 120 90
	patiently "moved there, not here" same terminal
	here xdotool windowsize "$(window here fstab)" 500 300
	patiently "another size here, not there" same fstab
	there xdotool windowsize "$(window there fstab)" 420 340
	patiently "another size there, not here" same fstab
	patiently "after that fstab looks another way" same_picture fstab
	echo "typed, moved, sized: $(place here terminal), $(place here fstab)"

	# A menu by a click: it is a window without a frame, at the pointer.
	activate fstab
	here xdotool mousemove --window "$(window here fstab)" 20 12 click 1 || fail "clicking"
	patiently "a click opens no menu, or it looks another way" same_menu
	here xdotool key Escape

	printf 'Text of the clipboard: \303\204\303\226\303\234\n' >$ROOT/tmp/text
	here python3 /tmp/desktop_picture --png /tmp/image.png || fail "no image"
	printf 'file:///etc/fstab\r\nfile:///etc/hostname\r\n' >$ROOT/tmp/files
	clipboard UTF8_STRING text
	clipboard image/png image.png
	clipboard text/uri-list files

	activate fstab
	here xdotool key alt+F4
	patiently "closed here, not there" gone there fstab
	patiently "closed, and still here" gone here fstab
	there pkill xterm
	patiently "closed there, not here" gone here terminal
}

# whole: the guest's display in one window of this host; what is typed there arrives.
whole()
{
	there sh -c 'xterm -T again -e sh -c "head -n 1 >/tmp/typed" </dev/null >/dev/null 2>&1 &'
	DISPLAY=:1 macrohard-hypervisor window "$VM" || fail "window"
	patiently "the display is not shown" shown here "$VM"
	patiently "the display looks another way" same_display
	here xdotool windowactivate "$(window here "$VM")"
	patiently "the display's window does not become active" active here "$VM"
	patiently "the guest's window does not become active" active there again
	here xdotool type --delay 50 'Hello again' || fail "typing"
	here xdotool key Return
	patiently "what was typed into the display is not there" typed 'Hello again'
	patiently "after that the display looks another way" same_display
	macrohard-hypervisor window --close "$VM" || fail "window --close"
	patiently "the display's window is still there" gone here "$VM"
	echo "the display was a window of the host"
}

# sandboxed: no thread of the process that shows all this can do what it takes to reach an X server.
sandboxed()
{
	macrohard-hypervisor list --json | tr -d '\n' >/tmp/list
	grep -q '"sandbox":[[:space:]]*"on"' /tmp/list || fail "it is not in its sandbox"
	pid=$(sed 's/.*"pid":[^0-9]*\([0-9]*\).*/\1/' /tmp/list) tasks=0
	for task in "/proc/$pid/task/"*; do
		for call in open create connect unix code; do
			got=$(/lab/bin/intrude "$(basename "$task")" $call)
			[ "$got" = refused ] || fail "$call on $(cat "$task/comm"): $got instead of refused"
		done
		tasks=$((tasks + 1))
	done
	echo "refused in all of its $tasks threads: to open, make, connect, make code"
}

# x_server: one that is new, with a window manager, which overlooks windows that come while it starts.
x_server()
{
	rm -f $ROOT/tmp/managed
	chroot $ROOT Xvfb :1 -screen 0 1280x1000x24 -nolisten tcp >/tmp/xvfb.log 2>&1 &
	x_server=$!
	patiently "no X server" here xwininfo -root >/dev/null 2>&1
	here openbox --sm-disable --startup 'touch /tmp/managed' >/tmp/openbox.log 2>&1 &
	patiently "no window manager" [ -e $ROOT/tmp/managed ]
}

# again: the X server ends, and another one begins.
again()
{
	kill $x_server
	wait $x_server
	patiently "the lost server is not told of" sh -c "macrohard-hypervisor logs --vm '$VM' |
		grep -q 'connection is lost'"
	x_server
	DISPLAY=:1 macrohard-hypervisor seamless --enable "$VM" || fail "seamless on a new server"
	for title in terminal fstab; do
		patiently "'$title' is not shown on a new server" shown here "$title"
	done
	echo "the guest's windows came to a new X server"
}

mkdir -p $ROOT && mount -t ext4 -o ro /dev/vda1 $ROOT || exit 1
for dir in dev dev/pts proc sys; do
	mount -o bind /$dir $ROOT/$dir || exit 1
done
mount -t tmpfs tmpfs $ROOT/tmp && mount -t tmpfs tmpfs $ROOT/run || exit 1
cp /lab/bin/desktop_picture $ROOT/tmp
mkdir -p /tmp/.X11-unix $ROOT/tmp/.X11-unix && mount -o bind /tmp/.X11-unix $ROOT/tmp/.X11-unix || exit 1

mkdir /tmp/share
cp /lab/bin/desktop /lab/bin/session "$(command -v macrohard-guest-agent)" \
	"$(command -v macrohard-guest-x11)" /tmp/share || exit 1
macrohard-hypervisor disk create --backing /dev/disk --backing-format raw /tmp/desk.qcow2 || exit 1
macrohard-hypervisor create --name "$VM" --memory 768 --cpus 1 --disk /tmp/desk.qcow2 --net none \
	--share /tmp/share:lab --display 1024x768 --input keyboard+tablet \
	--agent virtio,nomount,clipboard_files --kernel /lab/bin/vmlinuz-full \
	--initrd /lab/bin/initramfs-full \
	--cmdline 'console=ttyS0 quiet panic=-1 mh.run=desktop' || exit 1
macrohard-hypervisor start "$VM" || exit 1

x_server
here xterm -T 'of the host' -geometry 60x12+640+600 -e sleep 10000 &

patiently "the guest has no desktop" session_ready
DISPLAY=:1 macrohard-hypervisor seamless --enable "$VM" || fail "seamless --enable"
DISPLAY=:1 macrohard-hypervisor clipboard "$VM" on || fail "clipboard on"
for title in terminal fstab 'of the host'; do
	patiently "'$title' is not shown" shown here "$title"
done
gone there 'of the host' || fail "the guest has a window of the host"
for title in terminal fstab; do
	patiently "'$title' is not where it is in the guest" same "$title"
	patiently "'$title' looks another way" same_picture "$title"
done
echo "windows of the guest: $(place here terminal), $(place here fstab)"

sandboxed
again
here xterm -T 'of the host' -geometry 60x12+640+600 -e sleep 10000 &
patiently "'of the host' is not shown" shown here 'of the host'
[ "$ONLY" = shown ] || use
DISPLAY=:1 macrohard-hypervisor seamless --disable "$VM" || fail "seamless --disable"
shown here 'of the host' || fail "the host's own window is gone"
[ "$ONLY" = shown ] || whole
macrohard-hypervisor stop --force "$VM" || fail "stop"
echo "the guest's windows were windows of the host"

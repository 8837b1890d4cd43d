#!/bin/bash
# SPDX-License-Identifier: MIT
# As a new user has it: library and CLI from an installed prefix, the module built by dkms from the sources
# that were installed with them, and a program compiled by pkg-config; nothing of the build directory. They
# run a guest in real mode, a VM that boots from its disk, and one whose windows the host's desktop shows.
# lab: outside
# bring: @BUILD@/guest/bios.qcow2
# bring: @BUILD@/guest/vmlinuz-full
# bring: @BUILD@/guest/initramfs-full
# bring: @BUILD@/guest/debian/disk.raw
# timeout: 1500
set -u

LAB=${LAB:-tools/lab/lab} BUILD=${BUILD:-build}
GUEST=$BUILD/guest INTRUDE=$BUILD/tests/lab/intrude
BUILD=$BUILD-prefix
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
ROOT=$WORK/root PREFIX=/opt/macrohard
failed=0

bad()
{
	echo "FAIL: $*"
	failed=1
}

install_prefix()
{
	if [ -e "$BUILD/build.ninja" ]; then
		ninja -C "$BUILD"
	else
		meson setup "$BUILD" --prefix "$PREFIX" --buildtype debug -Dtests=false
	fi >"$WORK/log" 2>&1 && DESTDIR=$ROOT meson install -C "$BUILD" >>"$WORK/log" 2>&1 && return
	tail -n 40 "$WORK/log"
	bad "meson install"
	return 1
}

# dkms_build VERSION: the module for that kernel of the lab, by dkms.
dkms_build()
{
	local release headers
	export PATH=$PATH:/usr/sbin:/sbin
	tools/lab/mkmod "$1" >/dev/null || { bad "mkmod $1"; return 1; }
	headers=${MACROHARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/macrohard}/kernels/$1/kbuild/usr/src
	headers=$(echo "$headers"/*64)
	release=${headers##*/linux-headers-}
	mkdir -p "$WORK/dkms" "$WORK/src" "$WORK/modules"
	set -- --dkmstree "$WORK/dkms" --sourcetree "$WORK/src" --installtree "$WORK/modules"
	dkms add "$@" "$ROOT$PREFIX"/src/macrohard-* &&
		dkms build "$@" -k "$release" --kernelsourcedir "$headers" --no-depmod macrohard/"$VERSION" ||
		{ cat "$WORK"/dkms/macrohard/*/build/make.log; bad "dkms"; return 1; }
	KO=$(find "$WORK/dkms" -name 'macrohard.ko*' | head -n 1)
	[ -n "$KO" ] || { bad "dkms built no module"; return 1; }
}

compile()
{
	local flags
	PKG_CONFIG_PATH=$(dirname "$(find "$ROOT" -name macrohard.pc)")
	export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR=$ROOT
	flags=$(pkg-config --cflags --libs macrohard)
	LIBDIR=$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=libdir macrohard)
	# shellcheck disable=SC2086
	cc -o "$WORK/first_vm" "$ROOT$PREFIX/share/doc/macrohard/examples/first_vm.c" \
		-Wl,-rpath,"$LIBDIR" $flags || bad "first_vm does not compile by pkg-config"
}

# What runs in the host: only what was installed, at its place.
steps()
{
	cat <<END
#!/bin/sh
# SPDX-License-Identifier: MIT
# In the host, before and after the module is there.
set -e
PATH=/bin:/sbin:/usr/bin:$PREFIX/bin
# refused TEXT COMMAND...: it fails, and says TEXT.
refused()
{
	text=\$1
	shift
	if "\$@" >/tmp/out 2>&1; then
		echo "not refused: \$*"
		exit 1
	fi
	cat /tmp/out
	grep -q "\$text" /tmp/out
}

refused 'modprobe macrohard' first_vm
refused 'modprobe macrohard' macrohard-hypervisor probe
insmod /lab/dkms.ko
macrohard-hypervisor probe
[ "\$(first_vm)" = "Hello from real mode" ]
# A user who is not in the device's group is told so, and one who is can run VMs.
echo 'macrohard:x:990:in' >>/etc/group
printf '%s:x:%s:100::/:/bin/sh\\n' in 1001 out 1002 >>/etc/passwd
chgrp macrohard /dev/macrohard
refused 'user 1002 may not open' su out -s /bin/sh -c $PREFIX/bin/first_vm
[ "\$(su in -s /bin/sh -c $PREFIX/bin/first_vm)" = "Hello from real mode" ]
# The design's commands, on a VM named "Windows 11" with a Linux on its disk.
su in -s /bin/sh -c "exec env PATH=\$PATH /lab/bin/bios.sh"
rmmod macrohard
END
}

# The design's last command, seamless, on a VM of that name which has a desktop.
desktop_steps()
{
	cat <<END
#!/bin/sh
# SPDX-License-Identifier: MIT
# In the host: a desktop in a guest, by the installed program, library and agents.
set -e
export PATH=/bin:/sbin:/usr/bin:$PREFIX/bin:$PREFIX/sbin ONLY=shown
insmod /lab/dkms.ko
/lab/bin/desktop.sh
rmmod macrohard
END
}

command -v dkms >/dev/null || { echo "dkms is not installed (apt-get install dkms)"; exit 77; }
install_prefix || exit 1
VERSION=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$ROOT$PREFIX"/src/macrohard-*/dkms.conf)
dkms_build 6.1 && compile
[ $failed = 0 ] || exit 1
# host OPTION... -- COMMAND: in a host that has what was installed at its place, where programs find the
# library, and nothing else.
host()
{
	LD_LIBRARY_PATH=$ROOT$LIBDIR "$LAB" svm --no-module --build "$WORK/nothing" --smp 2 \
		--add "$ROOT$PREFIX:$PREFIX" --add "$KO:/lab/dkms.ko" "$@" ||
		bad "in the host: status $?"
}

steps >"$WORK/steps"
chmod 755 "$WORK/steps"
mkdir "$WORK/nothing"
host --memory 1280 --timeout 400 --add tests/lab/bios.sh --add "$GUEST/bios.qcow2" \
	--add /usr/share/seabios/bios-256k.bin:/usr/share/seabios/bios-256k.bin \
	--add "$WORK/first_vm:$PREFIX/bin/first_vm" -- "$WORK/steps"
desktop_steps >"$WORK/desktop_steps"
chmod 755 "$WORK/desktop_steps"
host --memory 2048 --timeout 500 --modules ext4,crc32c_generic --disk "$GUEST/debian/disk.raw" \
	--add "$GUEST/vmlinuz-full" --add "$GUEST/initramfs-full" \
	--add tests/guest/debian/desktop --add tests/guest/debian/session \
	--add tests/lab/desktop_picture --add "$INTRUDE" --add tests/lab/desktop.sh \
	-- "$WORK/desktop_steps"
exit $failed

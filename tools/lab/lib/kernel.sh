# SPDX-License-Identifier: MIT
# Host kernels: which package a --kernel name means, and its image, modules and headers in the cache.

# NAME is a version, or VERSION-full: Debian's kernel for all machines (9P, sound, real disks) instead
# of its cloud kernel; or "debug", of kernel_build.sh.

# kernel_stamp: changes with everything here that makes the debug kernel what it is.
kernel_stamp()
{
	# The number is ours: another one for other changes of kernel_build.sh.
	cat "$LAB_DIR"/kernel/*.config <(echo 1) | sha256sum | cut -c1-8
}

# kernel_suite NAME: the Debian suite whose newest kernel is meant.
kernel_suite()
{
	case ${1%-full} in
	6.1 | debug) echo bookworm ;;
	6.12) echo trixie ;;
	7.x | 7.[0-9]*) echo trixie-backports ;;
	*) die "unknown --kernel '$1': 6.1 (Debian 12), 6.12 (Debian 13), 7.x (newest backport)," \
		"each also with -full; debug" ;;
	esac
}

# kernel_toolsuite: the suite that has the compiler of the current kernel.
kernel_toolsuite()
{
	case $(basename "$KERNEL_DIR") in
	6.1 | 6.1-full | debug-*) echo bookworm ;;
	*) echo trixie ;;
	esac
}

# kernel_require NAME: fetches what is missing; sets KERNEL_DIR, KERNEL_REL.
kernel_require()
{
	kernel_suite "$1" >/dev/null
	case $1 in
	7.*-full) KERNEL_DIR=$LAB_CACHE/kernels/7.x-full ;;
	7.*) KERNEL_DIR=$LAB_CACHE/kernels/7.x ;;
	debug) KERNEL_DIR=$LAB_CACHE/kernels/debug-$(kernel_stamp) ;;
	*) KERNEL_DIR=$LAB_CACHE/kernels/$1 ;;
	esac
	if [ "$1" = debug ]; then
		[ -e "$KERNEL_DIR/complete" ] || with_lock kernel-debug kernel_build || exit $?
	elif [ ! -e "$KERNEL_DIR/complete" ] || [ "${LAB_REFRESH:-0}" != 0 ]; then
		with_lock "kernel-$(basename "$KERNEL_DIR")" kernel_fetch "$1" || exit $?
	fi
	KERNEL_REL=$(cat "$KERNEL_DIR/release")
}

kernel_fetch()
{
	local name=$1 packages new=$KERNEL_DIR.new deb flavour=cloud-amd64
	case $name in *-full) flavour=amd64 ;; esac
	[ ! -e "$KERNEL_DIR/complete" ] || [ "${LAB_REFRESH:-0}" != 0 ] || return 0
	need dpkg dpkg
	apt_setup "$(kernel_suite "$name")"
	apt_update
	packages=$(apt_closure '^linux-(image|binary|modules|headers|kbuild)-' \
		"linux-image-$flavour" "linux-headers-$flavour" | sed 's/ [^ ]*-unsigned / /g')
	say "fetching host kernel $name:$packages"
	rm -rf "$new"
	# shellcheck disable=SC2086
	apt_fetch "$new/debs" $packages
	for deb in "$new"/debs/*.deb; do
		dpkg -x "$deb" "$new/root" || die "cannot unpack $deb"
	done
	rm -rf "$new/debs"
	kernel_arrange "$new"
	rm -rf "$KERNEL_DIR"
	mv "$new" "$KERNEL_DIR"
	say "host kernel $(cat "$KERNEL_DIR/release") is in the cache"
}

# kernel_arrange DIR: finds the parts of the unpacked packages and gives them fixed names.
kernel_arrange()
{
	local dir=$1 vmlinuz moddir rel
	vmlinuz=$(find "$dir/root" -name 'vmlinuz*' -size +1M | head -n 1)
	moddir=$(find "$dir/root" -type d -path '*/lib/modules/*/kernel' | head -n 1)
	[ -n "$vmlinuz" ] && [ -n "$moddir" ] || die "no kernel image in the packages of $dir"
	rel=$(basename "$(dirname "$moddir")")
	cp "$vmlinuz" "$dir/vmlinuz"
	echo "$rel" >"$dir/release"
	ln -s "$(realpath --relative-to="$dir" "$(dirname "$moddir")")" "$dir/modules"
	: >"$dir/complete"
}

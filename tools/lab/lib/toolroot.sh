# SPDX-License-Identifier: MIT
# The compiler of another Debian release, unpacked into the cache, for kernels that need it.

# toolroot_require SUITE CC: sets TOOLROOT; fetches and unpacks it at first use.
toolroot_require()
{
	TOOLROOT=$LAB_CACHE/toolroot/$1
	[ -e "$TOOLROOT/complete-$2" ] || with_lock "toolroot-$1" toolroot_make "$1" "$2" || exit $?
}

toolroot_make()
{
	local suite=$1 cc=$2 new=$TOOLROOT.new deb
	[ ! -e "$TOOLROOT/complete-$cc" ] || return 0
	apt_setup "$suite"
	apt_update
	say "fetching $cc of $suite (once)"
	rm -rf "$new"
	mkdir -p "$new/usr"/{bin,sbin,lib,lib64} "$new"/{proc,dev,tmp,build,usr/src}
	for deb in bin sbin lib lib64; do
		ln -s "usr/$deb" "$new/$deb"
	done
	# The private apt knows no installed package, so this is the whole closure.
	quietly "$APT_DIR/tools.log" apt_private apt-get -q install --download-only \
		--no-install-recommends "$cc" make bash dash coreutils sed grep mawk findutils \
		libelf1 || die "apt cannot download $cc of $suite"
	for deb in "$APT_DIR"/cache/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --keep-directory-symlink ||
			die "cannot unpack $deb"
	done
	rm -f "$APT_DIR"/cache/archives/*.deb
	ln -sf mawk "$new/usr/bin/awk"
	[ -e "$new/usr/bin/sh" ] || ln -s dash "$new/usr/bin/sh"
	: >"$new/complete-$cc"
	rm -rf "$TOOLROOT"
	mv "$new" "$TOOLROOT"
}

# toolroot_run TREE COMMAND...: runs the command in the tool root, with the kernel's headers at
# their own place and TREE at /build, in a mount name space that ends with the command.
toolroot_run()
{
	local tree=$1 ns=(unshare --mount --propagation private)
	shift
	need unshare util-linux
	[ "$(id -u)" = 0 ] || ns=(unshare --user --map-root-user --mount --propagation private)
	"${ns[@]}" true 2>/dev/null || die "cannot make a mount name space, which the build for" \
		"$KERNEL_REL needs. Cure: run as root, or sysctl kernel.unprivileged_userns_clone=1"
	mkdir -p "$(echo "$TOOLROOT/$(cd "$KERNEL_DIR/root" && echo usr/lib/linux-kbuild-*)")"
	"${ns[@]}" bash -c '
		root=$1 kernel=$2 tree=$3
		shift 3
		kbuild=$(cd "$kernel" && echo usr/lib/linux-kbuild-*)
		mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" &&
			mount -t tmpfs tmpfs "$root/tmp" &&
			mount --bind "$kernel/usr/src" "$root/usr/src" &&
			mount --bind "$kernel/$kbuild" "$root/$kbuild" &&
			mount --bind "$tree" "$root/build" || exit 1
		exec env -i PATH=/usr/bin:/usr/sbin LC_ALL=C chroot "$root" "$@"
	' bash "$TOOLROOT" "$KERNEL_DIR/root" "$tree" "$@"
}

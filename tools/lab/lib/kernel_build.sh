# SPDX-License-Identifier: MIT
# The host kernel of our own, with the kernel's detectors of faults: out of Debian's source, once, into
# the cache.

KERNEL_BUILD_SOURCE=linux-source-6.1
KERNEL_BUILD_CC=gcc-12

# kernel_build: builds it into KERNEL_DIR. With the lock of the kernel.
kernel_build()
{
	local new=$KERNEL_DIR.new tree=$KERNEL_DIR.new/tree start=$SECONDS tool
	[ ! -e "$KERNEL_DIR/complete" ] || return 0
	for tool in make:make gcc:gcc bc:bc flex:flex bison:bison depmod:kmod xz:xz-utils; do
		need "${tool%:*}" "${tool#*:}"
	done
	need_file /usr/include/libelf.h libelf-dev
	module_native "$KERNEL_BUILD_CC" || toolroot_require "$(kernel_suite debug)" "$KERNEL_BUILD_CC"
	say "building the debug kernel (once; some minutes)"
	rm -rf "$new"
	mkdir -p "$tree"
	kernel_source "$new"
	kernel_configure "$tree"
	quietly "$new/build.log" kernel_make "$tree" -j"$(nproc)" bzImage modules &&
		quietly "$new/install.log" kernel_make "$tree" INSTALL_MOD_PATH="$new" modules_install ||
		die "the debug kernel does not build (log: $new/build.log)"
	kernel_keep "$new" || die "cannot write $new"
	rm -rf "$KERNEL_DIR"
	mv "$new" "$KERNEL_DIR"
	say "host kernel $(cat "$KERNEL_DIR/release") is in the cache after $((SECONDS - start)) s"
}

# kernel_source DIR: the source, unpacked in DIR/tree.
kernel_source()
{
	local dir=$1
	apt_setup "$(kernel_suite debug)"
	apt_update
	apt_fetch "$dir/debs" "$KERNEL_BUILD_SOURCE"
	dpkg -x "$dir"/debs/*.deb "$dir/source" &&
		tar -xf "$dir/source/usr/src/$KERNEL_BUILD_SOURCE.tar.xz" -C "$dir/tree" \
			--strip-components=1 || die "cannot unpack $KERNEL_BUILD_SOURCE"
	rm -rf "$dir/debs" "$dir/source"
}

# kernel_make TREE ARG...: its own build system, with the compiler that builds the module, too.
kernel_make()
{
	local tree=$1
	shift
	compiler_args "$KERNEL_BUILD_CC"
	env -u MAKEFLAGS -u MAKELEVEL -u CFLAGS make -C "$tree" "${COMPILER_ARGS[@]}" "$@"
}

# kernel_configure TREE: tinyconfig and our lines, each of which has to come out as it went in.
kernel_configure()
{
	local tree=$1 line ours=("$LAB_DIR"/kernel/*.config)
	quietly "$tree.log" kernel_make "$tree" tinyconfig || die "cannot configure the host kernel"
	cat "${ours[@]}" >>"$tree/.config"
	# In the release: a module of another configuration is refused, and built anew.
	echo "CONFIG_LOCALVERSION=\"-lab-debug-$(kernel_stamp)\"" >>"$tree/.config"
	quietly "$tree.log" kernel_make "$tree" olddefconfig || die "cannot configure the host kernel"
	while IFS= read -r line; do
		case $line in
		*=n) ! grep -q "^${line%n}" "$tree/.config" ;;
		*) grep -qxF "$line" "$tree/.config" ;;
		esac || die "the kernel does not take $line of tools/lab/kernel/*.config"
	done < <(grep -h '^CONFIG_' "${ours[@]}")
	rm -f "$tree.log"
}

# kernel_keep DIR: fixed names for what hosts need; of the tree only what builds modules.
kernel_keep()
{
	local dir=$1 rel
	rel=$(cat "$dir/tree/include/config/kernel.release") &&
		cp "$dir/tree/arch/x86/boot/bzImage" "$dir/vmlinuz" &&
		rm -f "$dir/lib/modules/$rel/build" "$dir/lib/modules/$rel/source" &&
		ln -s "lib/modules/$rel" "$dir/modules" &&
		find "$dir/tree" -type f ! -path '*/scripts/*' ! -path '*/include/*' \
			! -path '*/tools/objtool/objtool' ! -name 'Makefile*' ! -name 'Kbuild*' \
			! -name 'Kconfig*' ! -name .config ! -name Module.symvers -delete &&
		find "$dir/tree" -type d -empty -delete &&
		mkdir -p "$dir/kbuild/usr/src" && mv "$dir/tree" "$dir/kbuild/usr/src/linux-headers-$rel" &&
		: >"$dir/kbuild/complete" && echo "$rel" >"$dir/release" && : >"$dir/complete"
}

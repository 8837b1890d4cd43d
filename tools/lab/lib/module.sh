# SPDX-License-Identifier: MIT
# Builds macrohard.ko for one host kernel, in a copy of the sources in the cache.

# module_dir: the build folder of this source tree for the current kernel.
module_dir()
{
	echo "$LAB_CACHE/modules/$(echo "$LAB_TOP" | sha256sum | cut -c1-12)/$KERNEL_REL"
}

# module_build: builds if a source changed; sets MODULE_KO. With the lock of the build folder.
module_build()
{
	local dir
	[ -e "$LAB_TOP/src/kdrv/Kbuild" ] ||
		die "src/kdrv/Kbuild does not exist: no module to build (--no-module goes without)"
	dir=$(module_dir)
	with_lock "module-$(echo "$dir" | sha256sum | cut -c1-12)" module_update "$dir" || exit $?
	MODULE_KO=$dir/macrohard.ko
}

module_update()
{
	local dir=$1 sum
	need rsync rsync
	mkdir -p "$dir/tree/src"
	# -c: a checkout touches files without changing them; what was built in the copy stays.
	rsync -ac --delete --prune-empty-dirs \
		--exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' --exclude='*.cmd' \
		--exclude='Module.symvers' --exclude='modules.order' \
		"$LAB_TOP/src/base" "$LAB_TOP/src/mm" "$LAB_TOP/src/arch" "$LAB_TOP/src/kdrv" \
		"$dir/tree/src/" || die "cannot copy the module's sources"
	rsync -ac --delete "$LAB_TOP/include" "$dir/tree/" || die "cannot copy the headers"
	sum=$(cd "$dir/tree" && find . -type f \( -name '*.[chS]' -o -name '*.def' -o -name 'Kbuild*' \
		-o -name 'Makefile*' \) ! -name '*.mod.c' -print0 | LC_ALL=C sort -z |
		xargs -0 sha256sum | sha256sum)
	if [ -e "$dir/macrohard.ko" ] && [ "$sum" = "$(cat "$dir/sum" 2>/dev/null)" ]; then
		return 0
	fi
	say "building macrohard.ko for $KERNEL_REL"
	rm -f "$dir/macrohard.ko"
	quietly "$dir/build.log" module_make "$dir/tree" ||
		die "macrohard.ko does not build for $KERNEL_REL (log: $dir/build.log)"
	grep -E ': warning:' "$dir/build.log" >&2
	cp "$dir/tree/src/kdrv/macrohard.ko" "$dir/macrohard.ko" || die "the build made no macrohard.ko"
	echo "$sum" >"$dir/sum"
}

# module_make TREE: runs the kernel's build system, natively where its compiler is installed.
module_make()
{
	local tree=$1 cc args
	cc=$(module_compiler)
	args=(CONFIG_DEBUG_INFO_BTF_MODULES= modules)
	if command -v "$cc" >/dev/null 2>&1 && [ "$cc" = gcc-12 ]; then
		env -u MAKEFLAGS -u MAKELEVEL -u CFLAGS make -C "$(module_headers)" \
			M="$tree/src/kdrv" CC="$cc" "${args[@]}"
	else
		toolroot_require "$(kernel_toolsuite)" "$cc"
		toolroot_run "$tree" make -C "/usr/src/linux-headers-$KERNEL_REL" \
			M=/build/src/kdrv CC="$cc" "${args[@]}"
	fi
}

# module_compiler: the compiler that the kernel was built with, e.g. gcc-12.
module_compiler()
{
	sed -n 's/^CONFIG_CC_VERSION_TEXT="[^ "]*-\(gcc-[0-9]*\) .*/\1/p;
		s/^CONFIG_CC_VERSION_TEXT="\(gcc-[0-9]*\) .*/\1/p' \
		"$KERNEL_DIR"/root/usr/src/linux-headers-"$KERNEL_REL"/.config | head -n 1
}

# module_headers: a view of the headers where Debian's absolute path is that of the cache.
module_headers()
{
	local src=$KERNEL_DIR/root/usr/src view=$KERNEL_DIR/headers item
	if [ ! -e "$view/Makefile" ]; then
		mkdir -p "$view"
		for item in "$src/linux-headers-$KERNEL_REL"/{.[a-z],}*; do
			ln -sfn "$item" "$view/$(basename "$item")"
		done
		rm "$view/Makefile"
		sed "s,/usr/src/,$src/," "$src/linux-headers-$KERNEL_REL/Makefile" >"$view/Makefile"
	fi
	echo "$view"
}

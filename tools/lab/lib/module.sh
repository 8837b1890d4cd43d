# SPDX-License-Identifier: MIT
# Builds macrohard.ko for one host kernel, in a copy of the sources in the cache.

MODULE_COVERAGE=0 # 1: built to count which lines run

# module_dir: the build folder of this source tree for the current kernel.
module_dir()
{
	local dir
	dir=$LAB_CACHE/modules/$(echo "$LAB_TOP" | sha256sum | cut -c1-12)/$KERNEL_REL
	[ "$MODULE_COVERAGE" = 0 ] || dir=$dir-coverage
	echo "$dir"
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
	local dir=$1 sum cc
	need rsync rsync
	mkdir -p "$dir/tree/src"
	# -c: a checkout touches files without changing them; what was built in the copy stays.
	rsync -ac --delete --prune-empty-dirs \
		--exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' --exclude='*.cmd' \
		--exclude='Module.symvers' --exclude='modules.order' --exclude='*.gcno' \
		"$LAB_TOP/src/base" "$LAB_TOP/src/mm" "$LAB_TOP/src/arch" "$LAB_TOP/src/kdrv" \
		"$dir/tree/src/" || die "cannot copy the module's sources"
	rsync -ac --delete "$LAB_TOP/include" "$dir/tree/" || die "cannot copy the headers"
	sum=$(cd "$dir/tree" && find . -type f \( -name '*.[chS]' -o -name '*.def' -o -name 'Kbuild*' \
		-o -name 'Makefile*' \) ! -name '*.mod.c' -print0 | LC_ALL=C sort -z |
		xargs -0 sha256sum | sha256sum)
	if [ -e "$dir/macrohard.ko" ] && [ "$sum" = "$(cat "$dir/sum" 2>/dev/null)" ]; then
		return 0
	fi
	need make make
	need gcc gcc
	cc=$(module_compiler)
	module_native "$cc" || toolroot_require "$(kernel_toolsuite)" "$cc"
	with_lock "kbuild-$KERNEL_REL" module_view || exit $?
	say "building macrohard.ko for $KERNEL_REL"
	rm -f "$dir/macrohard.ko"
	quietly "$dir/build.log" module_make "$dir/tree/src/kdrv" ||
		die "macrohard.ko does not build for $KERNEL_REL (log: $dir/build.log)"
	grep -E ': warning:' "$dir/build.log" >&2
	cp "$dir/tree/src/kdrv/macrohard.ko" "$dir/macrohard.ko" || die "the build made no macrohard.ko"
	echo "$sum" >"$dir/sum"
}

# module_build_other DIR: any other module, in a copy of its folder; sets MODULE_KO.
module_build_other()
{
	local name dir
	name=$(basename "$(realpath "$1")")
	dir=$(module_dir)-$name
	with_lock "module-$(echo "$dir" | sha256sum | cut -c1-12)" module_update_other "$1" "$dir" || exit $?
	MODULE_KO=$dir/$name.ko
}

module_update_other()
{
	local cc
	need rsync rsync
	need make make
	cc=$(module_compiler)
	module_native "$cc" || toolroot_require "$(kernel_toolsuite)" "$cc"
	with_lock "kbuild-$KERNEL_REL" module_view || exit $?
	mkdir -p "$2"
	rsync -ac "$1/" "$2/" || die "cannot copy $1"
	quietly "$2.log" module_make "$2" || die "$1 does not build for $KERNEL_REL (log: $2.log)"
}

# module_check: what sparse and the compiler's additional warnings say about the module that was built.
module_check()
{
	local log=${MODULE_KO%.ko}.check dir
	need sparse sparse
	dir=$(dirname "$MODULE_KO")
	[ ! -d "$dir/tree" ] || dir=$dir/tree/src/kdrv
	rm -f "$dir"/*.ko
	find "$dir" "$dir/../arch" "$dir/../mm" -name '*.o' -delete 2>/dev/null
	# Of ioctl numbers the upper half is cut off on purpose.
	quietly "$log" module_make "$dir" C=2 W=1 CF=-Wno-cast-truncate ||
		die "the module does not build with sparse (log: $log)"
	grep -q '^  CHECK ' "$log" || die "sparse did not run (log: $log)"
	! grep -E ':[0-9]+:[0-9]+: (warning|error):' "$log"
}

# module_native CC: is the kernel's compiler this machine's own?
module_native()
{
	[ "$1" = gcc-12 ] && command -v "$1" >/dev/null 2>&1
}

# compiler_args CC: sets COMPILER_ARGS, which name it to the kernel's build system.
compiler_args()
{
	COMPILER_ARGS=("CC=$1")
	module_native "$1" || COMPILER_ARGS=("CC=$TOOLROOT/wrap/$1"
		"CROSS_COMPILE=$TOOLROOT/wrap/x86_64-linux-gnu-")
}

# module_make DIR [ARG...]: runs the kernel's build system.
module_make()
{
	local dir=$1
	shift
	compiler_args "$(module_compiler)"
	# In these ways the debug kernel watches nobody but the module.
	case $KERNEL_REL in *-lab-debug-*) set -- "$@" UBSAN_SANITIZE=y ;; esac
	[ "$MODULE_COVERAGE" = 0 ] || set -- "$@" GCOV_PROFILE=y
	env -u MAKEFLAGS -u MAKELEVEL -u CFLAGS make -C "$(module_headers)" M="$dir" \
		"${COMPILER_ARGS[@]}" "$@" CONFIG_DEBUG_INFO_BTF_MODULES= modules
}

# module_compiler: the compiler that the kernel was built with, e.g. gcc-12.
module_compiler()
{
	sed -n 's/^CONFIG_CC_VERSION_TEXT="[^ "]*-\(gcc-[0-9]*\) .*/\1/p;
		s/^CONFIG_CC_VERSION_TEXT="\(gcc-[0-9]*\) .*/\1/p' \
		"$KERNEL_DIR"/{root,kbuild}/usr/src/linux-headers-"$KERNEL_REL"/.config 2>/dev/null | head -n 1
}

# module_headers: prints the folder of the headers that the module is built with.
module_headers()
{
	echo "$KERNEL_DIR/kbuild/usr/src/linux-headers-$KERNEL_REL"
}

# module_view: a copy (of links) of the packaged headers that works where it is in the cache.
module_view()
{
	local view=$KERNEL_DIR/kbuild
	[ ! -e "$view/complete" ] || return 0
	rm -rf "$view"
	mkdir -p "$view/usr/lib"
	cp -al "$KERNEL_DIR/root/usr/src" "$view/usr/src" &&
		cp -al "$KERNEL_DIR"/root/usr/lib/linux-kbuild-* "$view/usr/lib/" ||
		die "cannot link the kernel's headers to $view"
	sed -i "s,\([= ]\)/usr/src/,\1$view/usr/src/,g" "$(module_headers)/Makefile"
	if ! module_native "$(module_compiler)"; then
		toolroot_wrap_kbuild "$view"/usr/lib/linux-kbuild-*
	fi
	: >"$view/complete"
}

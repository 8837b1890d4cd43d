# SPDX-License-Identifier: MIT
# The host's initramfs: concatenated cpio archives, the constant ones cached, the run's own one last.

# Modules that every host carries (not loaded, except on request), with what they depend on.
LAB_MODULES="kvm kvm-amd kvm-intel irqbypass msr cpuid tun bridge vhost_net vfio-pci loop"

# pack_dir DIR OUT: a cpio archive of DIR, owned by root.
pack_dir()
{
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio --quiet --null -o -H newc -R 0:0 --reproducible) >"$2.$$" || die "cannot pack $1"
	mv "$2.$$" "$2"
}

# base_layer: prints the path of the archive with busybox, init and the folder tree.
base_layer()
{
	local init out busybox dir applet
	need cpio cpio
	busybox=$(command -v busybox) || die "'busybox' is not installed." \
		"Cure: apt-get install -y --no-install-recommends busybox-static"
	if ldd "$busybox" >/dev/null 2>&1; then
		die "$busybox is not static. Cure: apt-get install -y busybox-static"
	fi
	init=$(as_cached_tool "$LAB_DIR/init.c" -static) || exit $?
	out=$LAB_CACHE/layers/base-$(cat "$init" "$busybox" | sha256sum | cut -c1-16).cpio
	if [ ! -e "$out" ]; then
		dir=$(mktemp -d "$LAB_CACHE/run/base.XXXXXX")
		mkdir -p "$LAB_CACHE/layers" "$dir"/{bin,sbin,etc,proc,sys,dev,tmp,run,root,mnt,var} \
			"$dir"/usr/{bin,sbin,lib} "$dir"/lab/{bin,lib}
		ln -s /run "$dir/var/run"
		ln -s /tmp "$dir/var/tmp"
		ln -s /proc/mounts "$dir/etc/mtab"
		echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/etc/passwd"
		echo 'root:x:0:' >"$dir/etc/group"
		echo '127.0.0.1 localhost lab' >"$dir/etc/hosts"
		cp "$init" "$dir/init"
		cp "$busybox" "$dir/bin/busybox"
		for applet in $("$busybox" --list-full); do
			[ -e "$dir/$applet" ] || ln -s /bin/busybox "$dir/$applet"
		done
		pack_dir "$dir" "$out"
		rm -rf "$dir"
	fi
	echo "$out"
}

# module_files NAME...: files of the modules and of what they depend on, dependencies first.
module_files()
{
	local name
	for name; do
		awk -v want="${name//-/_}" -F '[: ]+' '
			{
				n = $1; sub(/.*\//, "", n); sub(/\.ko.*/, "", n); gsub(/-/, "_", n)
				if (n != want) next
				for (i = NF; i >= 1; i--) if ($i != "") print $i
			}' "$KERNEL_DIR/dep/lib/modules/$KERNEL_REL/modules.dep"
	done | awk '!seen[$0]++'
}

# kernel_layer [MODULE...]: prints the path of the archive with the host kernel's modules.
kernel_layer()
{
	local out=$KERNEL_DIR/modules-$(echo "$LAB_MODULES" "$*" | sha256sum | cut -c1-12).cpio
	[ -e "$out" ] || with_lock "layer-$KERNEL_REL" make_kernel_layer "$out" "$@" || exit $?
	echo "$out"
}

make_kernel_layer()
{
	local out=$1 dir file name moddir=lib/modules/$KERNEL_REL
	shift
	need depmod kmod
	if [ ! -e "$KERNEL_DIR/dep/ok" ]; then
		mkdir -p "$KERNEL_DIR/dep/lib/modules"
		ln -sfn "$(realpath "$KERNEL_DIR/modules")" "$KERNEL_DIR/dep/$moddir"
		PATH=$PATH:/usr/sbin:/sbin quietly "$KERNEL_DIR/depmod.log" \
			depmod -b "$KERNEL_DIR/dep" "$KERNEL_REL" || die "depmod failed"
		: >"$KERNEL_DIR/dep/ok"
	fi
	dir=$(mktemp -d "$LAB_CACHE/run/layer.XXXXXX")
	# shellcheck disable=SC2086
	for file in $(module_files $LAB_MODULES "$@"); do
		name=$dir/$moddir/${file%.xz}
		name=${name%.zst}
		mkdir -p "$(dirname "$name")"
		case $file in
		*.xz) xz -dc "$KERNEL_DIR/modules/$file" >"$name" ;;
		*.zst) zstd -qdc "$KERNEL_DIR/modules/$file" >"$name" ;;
		*) cp "$KERNEL_DIR/modules/$file" "$name" ;;
		esac || die "cannot unpack $file"
	done
	for file in order builtin builtin.modinfo; do
		cp "$KERNEL_DIR/modules/modules.$file" "$dir/$moddir/" 2>/dev/null
	done
	PATH=$PATH:/usr/sbin:/sbin quietly "$dir/log" depmod -b "$dir" "$KERNEL_REL" ||
		die "depmod failed"
	rm -f "$dir/log"
	pack_dir "$dir" "$out"
	rm -rf "$dir"
}

# add_libs ROOT PROGRAM: copies the shared libraries of a program to where it will look for them.
add_libs()
{
	local root=$1 program=$2 lib
	case $(head -c 4 "$program" | tr -d '\0') in
	$'\177ELF') ;;
	*) return 0 ;;
	esac
	if ldd "$program" 2>/dev/null | grep 'not found' >&2; then
		die "$program needs libraries that this machine does not have (see above)"
	fi
	for lib in $(ldd "$program" 2>/dev/null | grep -oE '(^|[[:space:]])/[^ ]+' | tr -d ' \t'); do
		[ ! -e "$root/$lib" ] || continue
		mkdir -p "$root/$(dirname "$lib")"
		cp -L "$lib" "$root/$lib"
	done
}

# add_path ROOT SPEC: PATH[:DEST]; a file goes to /lab/bin by default, a directory to /lab/NAME.
add_path()
{
	local root=$1 src=${2%%:*} dest= file
	case $2 in *:*) dest=${2#*:} ;; esac
	[ -e "$src" ] || die "--add $src: there is no such file"
	if [ -d "$src" ]; then
		dest=${dest:-/lab/$(basename "$(realpath "$src")")}
		mkdir -p "$root/$dest"
		cp -a "$src/." "$root/$dest/" || die "cannot copy $src"
	else
		dest=${dest:-/lab/bin/$(basename "$src")}
		case $dest in */) dest=$dest$(basename "$src") ;; esac
		mkdir -p "$root/$(dirname "$dest")"
		cp -L "$src" "$root/$dest" || die "cannot copy $src"
		chmod u+r "$root/$dest"
	fi
	find -L "$src" -type f \( -perm -u+x -o -name '*.so*' \) -print0 |
		while IFS= read -r -d '' file; do
			add_libs "$root" "$file" || exit 125
		done || exit 125
}

# add_build ROOT BUILD: the library and the CLI out of a build directory, as far as they exist.
add_build()
{
	local root=$1 build=$2 file
	[ -d "$build" ] || return 0
	mkdir -p "$root/lab/lib" "$root/lab/bin"
	for file in "$build"/libmacrohard.so* "$build"/src/libmacrohard.so*; do
		case $file in *.p | *.symbols | *\**) continue ;; esac
		cp -a "$file" "$root/lab/lib/"
		[ -L "$file" ] || add_libs "$root" "$file"
	done
	file=$(find "$build" -name macrohard-hypervisor -type f -perm -u+x | head -n 1)
	[ -z "$file" ] || add_path "$root" "$file"
}

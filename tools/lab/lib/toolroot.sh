# SPDX-License-Identifier: MIT
# The compiler of another Debian release, unpacked into the cache, for kernels that need it. Its
# programs run in place, by their own dynamic linker: no root, no chroot, no mount is needed.

# toolroot_require SUITE CC: sets TOOLROOT; fetches and unpacks it at first use.
toolroot_require()
{
	TOOLROOT=$LAB_CACHE/compilers/$1
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
	mkdir -p "$new/usr"/{bin,sbin,lib,lib64}
	for deb in bin sbin lib lib64; do
		ln -s "usr/$deb" "$new/$deb"
	done
	# The private apt knows no installed package, so this is the whole closure.
	quietly "$APT_DIR/tools.log" apt_private apt-get -q install --download-only \
		--no-install-recommends "$cc" libelf1 libssl3 || die "apt cannot download $cc of $suite"
	for deb in "$APT_DIR"/cache/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --keep-directory-symlink ||
			die "cannot unpack $deb"
	done
	rm -f "$APT_DIR"/cache/archives/*.deb
	toolroot_wrap_tools "$new" "$cc"
	: >"$new/complete-$cc"
	rm -rf "$TOOLROOT"
	mv "$new" "$TOOLROOT"
}

# toolroot_linker: the words that start one of the root's programs.
toolroot_linker()
{
	local libs=$TOOLROOT/usr/lib/x86_64-linux-gnu
	echo "$TOOLROOT/lib64/ld-linux-x86-64.so.2 --library-path $libs:$TOOLROOT/lib/x86_64-linux-gnu"
}

# wrapper SCRIPT PROGRAM [ARG...]: writes a script that starts the program with the root's linker.
wrapper()
{
	local script=$1
	shift
	printf '#!/bin/sh\nexec %s %s "$@"\n' "$(toolroot_linker)" "$*" >"$script"
	chmod +x "$script"
}

# toolroot_wrap_tools ROOT CC: scripts in ROOT/wrap with the names that the kernel's build uses.
toolroot_wrap_tools()
{
	local root=$1 cc=$2 prefix=x86_64-linux-gnu- tool linker
	linker=$(toolroot_linker)
	mkdir -p "$root/wrap"
	for tool in ar as ld ld.bfd nm objcopy objdump ranlib readelf strip; do
		wrapper "$root/wrap/$prefix$tool" "$TOOLROOT/usr/bin/$prefix$tool"
	done
	# The compiler starts its parts in the same way, and looks for them in the root (-B).
	wrapper "$root/wrap/$cc" "$TOOLROOT/usr/bin/$prefix$cc" \
		-wrapper "${linker// /,}" "-B$TOOLROOT/usr/bin/"
}

# toolroot_wrap_kbuild DIR: the same for the programs that come with the kernel's headers. Some are
# chosen by a starter that finds itself through /proc, which the linker's name would mislead.
toolroot_wrap_kbuild()
{
	local dir=$1 file real
	for file in "$dir"/scripts/{basic/fixdep,mod/modpost,genksyms/genksyms,sign-file} \
		"$dir"/scripts/{recordmcount,kallsyms,gendwarfksyms/gendwarfksyms} \
		"$dir"/tools/objtool/objtool; do
		[ -e "$file" ] || continue
		for real in "$file.real-x86" "$file.real-lsb-64" "$file.elf"; do
			[ ! -e "$real" ] || break
		done
		[ -e "$real" ] || ln "$file" "$real"
		rm -f "$file"
		wrapper "$file" "$real"
	done
}

# SPDX-License-Identifier: MIT
# The model checker CBMC: this machine's, or the one of Debian 13, unpacked into the cache of tools/lab and
# installed nowhere (bash, sourced).

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tools/lab" && pwd)
for lib in common apt; do
	# shellcheck source=/dev/null
	. "$LAB_DIR/lib/$lib.sh"
done

CBMC_SUITE=trixie
# What runs it, beside the preprocessor of this machine's gcc.
CBMC_PACKAGES=(cbmc minisat libc6 libgcc-s1 libstdc++6 zlib1g)

# cbmc_major PROGRAM...: the major version of a CBMC that can be started.
cbmc_major()
{
	"$@" --version 2>/dev/null | sed -n 's/^\([0-9]*\)\..*/\1/p'
}

# cbmc_require: sets CBMC (array), the words that start it.
cbmc_require()
{
	local root=$LAB_CACHE/cbmc/$CBMC_SUITE libs
	need gcc gcc
	CBMC=(cbmc)
	if [ "$(cbmc_major cbmc)" = 6 ]; then
		return 0
	fi
	[ -e "$root/complete" ] || with_lock cbmc cbmc_fetch "$root" || exit $?
	libs=$root/usr/lib/x86_64-linux-gnu
	# In place, by its own dynamic linker: the programs that it starts find this machine's libraries.
	CBMC=("$libs/ld-linux-x86-64.so.2" --library-path "$libs:$root/usr/lib" "$root/usr/bin/cbmc")
}

cbmc_fetch()
{
	local root=$1 new=$1.new deb
	[ ! -e "$root/complete" ] || return 0
	apt_setup "$CBMC_SUITE"
	apt_update
	say "fetching cbmc of $CBMC_SUITE (once)"
	rm -rf "$new"
	mkdir -p "$new/usr"/{bin,lib,lib64}
	for deb in bin lib lib64; do
		ln -s "usr/$deb" "$new/$deb"
	done
	apt_fetch "$new/debs" "${CBMC_PACKAGES[@]}"
	for deb in "$new"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --keep-directory-symlink ||
			die "cannot unpack $deb"
	done
	rm -rf "$new/debs"
	: >"$new/complete"
	rm -rf "$root"
	mv "$new" "$root"
}

# SPDX-License-Identifier: MIT
# Messages, cache locations and locks shared by lab's scripts (bash, sourced).

LAB_DIR=${LAB_DIR:?}
LAB_TOP=$(cd "$LAB_DIR/../.." && pwd)
LAB_CACHE=${MACROHARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/macrohard}
LAB_VERBOSE=${LAB_VERBOSE:-0}

say()
{
	echo "lab: $*" >&2
}

note()
{
	[ "$LAB_VERBOSE" = 0 ] || say "$@"
}

die()
{
	say "$@"
	exit 125
}

# need PROGRAM PACKAGE: stops with the cure when the program is not installed.
need()
{
	command -v "$1" >/dev/null 2>&1 && return 0
	PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 && return 0
	die "'$1' is not installed. Cure: apt-get install -y --no-install-recommends $2" \
		"(everything the lab needs: apt-get install -y --no-install-recommends \$(tools/lab/deps))"
}

# need_file FILE PACKAGE
need_file()
{
	[ -e "$1" ] || die "'$1' is missing. Cure: apt-get install -y --no-install-recommends $2"
}

# with_lock NAME COMMAND...: runs the command while holding a lock of the cache.
with_lock()
{
	local name=$1
	shift
	mkdir -p "$LAB_CACHE/locks"
	(
		if ! flock -n 9; then
			note "waiting for another run that prepares '$name'"
			flock 9
		fi
		"$@" 9>&-
	) 9>"$LAB_CACHE/locks/$name"
}

# quietly LOG COMMAND...: output goes to LOG and is shown only when the command fails.
quietly()
{
	local log=$1
	shift
	if ! "$@" >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		return 1
	fi
}

# as_cached_tool SOURCE.c [CFLAGS...]: prints the path of the compiled program, builds it if stale.
as_cached_tool()
{
	local src=$1 name out
	shift
	name=$(basename "$src" .c)
	out=$LAB_CACHE/tools/$name-$(cat "$src" "$LAB_DIR"/*.h <(echo "$*") | sha256sum | cut -c1-16)
	if [ ! -x "$out" ]; then
		need gcc gcc
		need_file /usr/include/stdio.h libc6-dev
		mkdir -p "$LAB_CACHE/tools"
		gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror "$@" -o "$out.$$" "$src" ||
			die "cannot build $src"
		mv "$out.$$" "$out"
	fi
	echo "$out"
}

# SPDX-License-Identifier: MIT
# Wine for the tests of the Windows agent: a prefix of their own below the build directory (bash, sourced).
# WORK is where it is; wine_begin makes it, or waits for it, wine_end ends all that runs in it.

WINE_LIMIT=300

skip()
{
	echo "$*"
	exit 77
}

# wine_begin DRIVER: DRIVER is null or x11; programs of null need no display, and have none.
wine_begin()
{
	[ -n "${AGENT:-}" ] || skip "the Windows agent is not built: gcc-mingw-w64-x86-64 is not installed"
	command -v wine >/dev/null && command -v wineserver >/dev/null ||
		skip "Wine is not installed (apt-get install wine64 wine)"
	mkdir -p "$WORK"
	# Without winedbg a crash ends the program instead of waiting for ever; nothing is put into menus.
	export WINEPREFIX=$WORK/prefix WINEDEBUG=-all WINEARCH=win64 LC_ALL=C.UTF-8 HOME=$WORK \
		WINEDLLOVERRIDES="mscoree,mshtml=;winedbg.exe,winemenubuilder.exe=d"
	unset DISPLAY WAYLAND_DISPLAY
	trap wine_end EXIT
	trap 'exit 130' INT TERM
	exec 9>"$WORK/lock"
	flock 9
	[ -e "$WORK/made" ] || wine_make
	registry 'HKCU\Software\Wine\Drivers' Graphics "$1"
	wine_end
}

# The prefix takes some seconds and 700 MB, and stays.
wine_make()
{
	rm -rf "$WINEPREFIX"
	timeout $WINE_LIMIT wine wineboot -i >"$WORK/make.log" 2>&1 </dev/null &&
		timeout $WINE_LIMIT wineserver -w ||
		{ tail -n 5 "$WORK/make.log"; echo "FAIL: Wine's prefix cannot be made"; exit 1; }
	touch "$WORK/made"
}

# registry KEY NAME VALUE
registry()
{
	timeout $WINE_LIMIT wine reg add "$1" /v "$2" /d "$3" /f >/dev/null 2>&1 </dev/null ||
		{ echo "FAIL: $1 cannot be set"; exit 1; }
}

# Everything that runs in the prefix ends.
wine_end()
{
	timeout 20 wineserver -k >/dev/null 2>&1
	timeout 60 wineserver -w >/dev/null 2>&1
	return 0
}

# wait_file FILE PID: until the file is there, or the process that writes it is not.
wait_file()
{
	while [ ! -s "$1" ]; do
		kill -0 "$2" 2>/dev/null || { echo "FAIL: $1 does not come"; exit 1; }
		sleep 0.05
	done
}

# windows_path FILE: as programs in Wine see it.
windows_path()
{
	echo "Z:$(realpath "$1" | tr / '\\')"
}

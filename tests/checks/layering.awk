# SPDX-License-Identifier: MIT
# Holds the #include lines of a tree against layers.tab. Arguments, in this order: layers.tab, a file
# that lists the tree's files, the sources. Prints a line for each include that the table does not allow.

function fail(text)
{
	printf "%s:%d: %s\n", FILENAME, FNR, text
	bad = 1
}

# The row of layers.tab that a path belongs to: its folder, or the nearest folder above.
function layer_of(path)
{
	while (sub(/\/[^\/]*$/, "", path))
		if (path in row)
			return path
	return ""
}

function normal(path, n)
{
	gsub(/\/\.\//, "/", path)
	do
		n = sub(/[^\/]+\/\.\.\//, "", path)
	while (n)
	return path
}

# What an include line names: a word of layers.tab, or a file of the tree.
function target_of(path, angle, folder)
{
	if (path == "macrohard/uapi.h")
		return "uapi"
	if (path == "macrohard/uv.h")
		return "include/macrohard/uv.h"
	if (path ~ /^macrohard\//)
		return "public"
	if (path in port)
		return "port"
	if (path ~ /^(linux|asm|asm-generic|trace)\//)
		return "kernel"
	if (path == "uv.h" || path ~ /^uv\//)
		return "uv"
	if (path ~ /cJSON\.h$/)
		return "cjson"
	if (path ~ /^Zy(dis|core)\//)
		return "zydis"
	if (angle && path in win32_header)
		return "win32"
	if (path == "zlib.h")
		return "zlib"
	if (path == "zstd.h")
		return "zstd"
	if (path == "seccomp.h")
		return "seccomp"
	if (path ~ /^slirp\//)
		return "slirp"
	if (path ~ /^xcb\//)
		return "xcb"
	if (path == "check.h")
		return "check"
	if (angle)
		return path in free_header ? "free" : path in libc_header ? "libc" : "unknown"
	if (("src/" path) in exists)
		return "src/" path
	if (FILENAME ~ /^tests\// && ("tests/fake/" path) in exists)
		return "tests/fake/" path
	folder = FILENAME
	sub(/[^\/]*$/, "", folder)
	path = normal(folder path)
	return path in exists ? path : "unknown"
}

function allowed(target, own, layer)
{
	if ((own, target) in may || (FILENAME, target) in may)
		return 1
	if (target == "free")
		return ((own, "libc") in may) || ((own, "kernel") in may)
	if (!(target in exists))
		return 0
	layer = layer_of(target)
	return layer == own || (own, layer) in may
}

function check_include(line, own, angle, path, target)
{
	angle = line ~ /</
	path = line
	sub(/^[^<"]*[<"]/, "", path)
	sub(/[>"].*$/, "", path)
	target = target_of(path, angle)
	if (target == "unknown")
		fail("include of " path ": no such file in the tree, and no known header of the C library")
	else if (!allowed(target, own))
		fail(own " may not include " path (target == path ? "" : " (" target ")"))
}

BEGIN {
	split("mhi_port.h x86_insn.h vmx_insn.h svm_insn.h asm.h", names, " ")
	for (i in names)
		port[names[i]] = 1
	split("float.h iso646.h limits.h stdarg.h stdbool.h stddef.h stdint.h stdnoreturn.h", names, " ")
	for (i in names)
		free_header[names[i]] = 1
	split("assert.h ctype.h dirent.h dlfcn.h endian.h errno.h fcntl.h fnmatch.h ftw.h getopt.h glob.h inttypes.h libgen.h malloc.h " \
	      "poll.h pthread.h pty.h sched.h semaphore.h signal.h stdatomic.h stdio.h stdlib.h " \
	      "string.h strings.h termios.h time.h unistd.h utmp.h wchar.h math.h locale.h ucontext.h " \
	      "sys/auxv.h sys/epoll.h sys/eventfd.h sys/io.h sys/ioctl.h sys/random.h sys/mman.h sys/mount.h " \
	      "sys/prctl.h sys/ptrace.h sys/reboot.h sys/resource.h sys/select.h sys/sendfile.h " \
	      "sys/signalfd.h sys/socket.h sys/stat.h sys/sysmacros.h sys/syscall.h sys/time.h " \
	      "sys/timerfd.h sys/types.h sys/uio.h sys/un.h sys/user.h sys/utsname.h sys/vfs.h sys/wait.h sys/xattr.h net/if.h " \
	      "grp.h ifaddrs.h netpacket/packet.h pwd.h utmpx.h " \
	      "arpa/inet.h netdb.h netinet/in.h netinet/tcp.h cpuid.h immintrin.h x86intrin.h", names, " ")
	for (i in names)
		libc_header[names[i]] = 1
	split("dwmapi.h fcntl.h initguid.h io.h iphlpapi.h objbase.h shellapi.h shlobj.h wincodec.h windows.h " \
	      "winsock2.h ws2tcpip.h wtsapi32.h", names, " ")
	for (i in names)
		if (!(names[i] in libc_header))
			win32_header[names[i]] = 1
}

FNR == 1 {
	file_nr++
	in_comment = 0
	own = layer_of(FILENAME)
}

file_nr == 1 {
	if ($0 ~ /^#/ || NF == 0)
		next
	row[$1] = 1
	for (i = 2; i <= NF; i++)
		may[$1, $i] = 1
	next
}

file_nr == 2 {
	exists[$0] = 1
	next
}

FNR == 1 && own == "" {
	fail("layers.tab has no row for this folder")
}

{
	code = strip($0)
	if (own != "" && code ~ /^[ \t]*#[ \t]*include/)
		check_include(code, own)
	if (code ~ /(^|[^a-z_])ioctl *\(/ && own ~ /^src\// && own != "src/kdrv" &&
	    FILENAME !~ /^src\/core\/engine_[a-z_]+\.c$/ &&
	    FILENAME !~ /^src\/virtio\/be_[a-z_]+\.c$/)
		fail("only the engines (src/core/engine_*.c) and back ends (src/virtio/be_*.c) call ioctl")
}

END {
	exit bad
}

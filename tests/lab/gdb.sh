#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's gdb, in the host, on a Linux guest through a UNIX socket: a breakpoint at a function, steps,
# registers, memory, threads, hardware breakpoints and a watchpoint where the emulated CPU has them; then it
# goes, and the guest ends well.
# lab: outside
# timeout: 600
set -u

LAB=${LAB:-tools/lab/lab} BUILD=${BUILD:-build}
PYTHON_LIB=$(echo /usr/lib/python3.?*/)
GDB=$(command -v gdb) || { echo "gdb is not installed"; exit 77; }
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
failed=0

# What gdb's own Python needs to begin.
mkdir -p "$WORK$PYTHON_LIB"
cp "$PYTHON_LIB"*.py "$WORK$PYTHON_LIB"
for folder in encodings collections re importlib json ctypes; do
	cp -r "$PYTHON_LIB$folder" "$WORK$PYTHON_LIB"
done
find "$WORK" -name __pycache__ -prune -exec rm -rf {} +

# In the host. The guest has the host's own kernel, without KASLR: symbols are where the host says.
cat >"$WORK/session" <<'END'
#!/bin/sh
text=$(grep ' T _text$' /proc/kallsyms | cut -d' ' -f1)
at()
{
	address=$(grep " $1\$" /proc/kallsyms | head -n 1 | cut -d' ' -f1)
	printf 0x%x $((0x$address - 0x$text + 0xffffffff81000000))
}

# gdb takes its time to begin: the guest does so afterwards.
cat >/tmp/boot <<BOOT
QUIET=
[ -z "$WAIT" ] || QUIET=quiet
(
	macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs --memory 256M \
		--cpus "$CPUS" --gdb "unix:/tmp/gdb$WAIT" --stop-on-reset --cmdline \
		"console=ttyS0 \$QUIET nokaslr nopti panic=-1 mh.run=selftest" </dev/null >/tmp/out 2>&1
	echo \$? >/tmp/status
) &
until [ -S /tmp/gdb ]; do sleep 0.1; done
# Once it runs its own page tables, there are addresses to break at.
[ -n "$WAIT" ] || until grep -q 'Memory: ' /tmp/out; do sleep 0.1; done
BOOT
hard=
if [ -n "$WAIT" ]; then
	hard="hbreak *$(at start_kernel)
		continue
		printf \"HBREAK %d\\n\", \$pc == $(at start_kernel)
		delete
		watch *(unsigned long *)$(at jiffies_64)
		continue
		continue
		printf \"WATCH %d\\n\", *(unsigned long *)$(at jiffies_64) != 0
		delete"
fi
cat >/tmp/commands <<GDB
set pagination off
set confirm off
shell sh /tmp/boot
target remote /tmp/gdb
info threads
$hard
break *$(at vfs_read)
continue
printf "BREAK %d\n", \$pc == $(at vfs_read)
x/2i \$pc
stepi
printf "STEP %d\n", \$pc != $(at vfs_read)
stepi
stepi
printf "EFER %x\n", \$efer & 0x500
printf "KERNEL %d\n", \$gs_base != 0
x/s $(at linux_banner)
delete
set var \$kept = *(unsigned char *)$(at vfs_write)
break *$(at vfs_write)
continue
printf "BREAK %d\n", \$pc == $(at vfs_write)
printf "SHADOW %d\n", *(unsigned char *)$(at vfs_write) == \$kept
info registers rip eflags cr0 cr3 cr4
detach
quit
GDB
PYTHONDONTWRITEBYTECODE=1 timeout 120 gdb -nx -batch -x /tmp/commands 2>&1
until [ -e /tmp/status ]; do sleep 0.1; done
echo "STATUS $(cat /tmp/status)"
cat /tmp/out
[ ! -e /tmp/gdb ] || echo "LEFT BEHIND"
END
chmod +x "$WORK/session"

# session MODE CPUS WAIT WORD...: each word must be in what is said.
session()
{
	local mode=$1 cpus=$2 wait=$3 word
	shift 3
	echo "== $mode, $cpus vCPUs"
	"$LAB" "$mode" --build "$BUILD" --timeout 280 --env "CPUS=$cpus" --env "WAIT=$wait" \
		--add "$GDB" --add /usr/share/gdb:/usr/share/gdb --add "$WORK/usr:/usr" \
		--add "$BUILD/guest/vmlinuz" --add "$BUILD/guest/initramfs" \
		--add "$WORK/session" -- session >"$WORK/out" 2>&1
	local status=$?
	cat "$WORK/out"
	[ $status = 0 ] || { echo "FAIL: $mode: the host's status is $status"; failed=1; }
	for word; do
		grep -q "^$word" "$WORK/out" || { echo "FAIL: $mode: no '$word'"; failed=1; }
	done
	if grep -q '^[A-RT-Z][A-Z]* 0$\|WARNING: \|BUG: \|Call Trace\|LEFT BEHIND' "$WORK/out"; then
		echo "FAIL: $mode: see above"
		failed=1
	fi
}

common=('BREAK 1' 'STEP 1' 'EFER 500' 'KERNEL 1' 'SHADOW 1' 'STATUS 0' 'GUEST TESTS: 0 failed')
# QEMU's SVM does not arm breakpoints that VMRUN loads.
session svm 2 "" "${common[@]}"
session vmx 1 ,wait 'HBREAK 1' 'WATCH 1' "${common[@]}"
exit $failed

#!/bin/bash
# SPDX-License-Identifier: MIT
# The lab itself: exit status, output, faults of the host, timeout, files brought along, CPUs, icount.
# lab: outside
# timeout: 900
set -u

LAB=${LAB:-tools/lab/lab}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
FAILED=0 CASE=

# host SECONDS STATUS MODE ARG...: runs the lab; its output is in $WORK/out and $WORK/err.
host()
{
	local limit=$1 want=$2 got
	shift 2
	"$LAB" "$1" --no-module --timeout "$limit" "${@:2}" >"$WORK/out" 2>"$WORK/err"
	got=$?
	[ $got = "$want" ] || bad "exit status $got instead of $want"
}

bad()
{
	echo "FAIL $CASE: $*"
	tail -n 20 "$WORK/out" "$WORK/err"
	FAILED=1
}

stdout_is()
{
	printf "$1" | cmp -s - "$WORK/out" || bad "the output is not exactly '$1'"
}

stderr_has()
{
	grep -q -e "$1" "$WORK/err" || bad "stderr does not say '$1'"
}

status_and_output()
{
	host 120 7 svm -- sh -c 'printf "one\ntwo\0\377"; echo err >&2; exit 7'
	stdout_is 'one\ntwo\0\377err\n'
	host 120 0 none -- true
	stdout_is ''
	host 120 127 svm -- no-such-command
	host 120 137 svm -- sh -c 'kill -9 $$'
	stderr_has 'signal 9'
}

# A megabyte arrives unchanged, and the first line long before the last.
output_is_live()
{
	local first last
	"$LAB" svm --no-module --timeout 120 -- sh -c \
		'echo first; sleep 3; seq 1 150000; echo last' |
		while IFS= read -r line; do
			case $line in
			first | last) date +%s ;;
			*) echo "$line" >&3 ;;
			esac
		done 3>"$WORK/numbers" >"$WORK/out"
	first=$(sed -n 1p "$WORK/out") last=$(sed -n 2p "$WORK/out")
	[ "$((last - first))" -ge 2 ] || bad "the output came all at once"
	seq 1 150000 | cmp -s - "$WORK/numbers" || bad "the output was changed on its way"
}

faults_of_the_host()
{
	host 120 125 svm -- sh -c 'echo before; echo c >/proc/sysrq-trigger; echo after; sleep 60'
	stdout_is 'before\n'
	stderr_has 'Kernel panic'
	# A stock kernel cannot be made to warn, but the log can be made to look like it.
	host 120 125 svm -- sh -c 'echo "WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2" >/dev/kmsg'
	stderr_has 'WARNING: CPU: 0'
	host 120 125 svm -- sh -c 'echo "BUG: KASAN: use-after-free in f" >/dev/kmsg; exit 0'
	host 120 125 svm -- sh -c \
		'echo "WARNING: possible circular locking dependency detected" >/dev/kmsg'
	host 120 0 svm -- sh -c 'echo "an ordinary warning of a driver" >/dev/kmsg'
	host 120 125 svm -- reboot -f
	stderr_has 'before the command had ended'
}

timeout_ends()
{
	local start=$SECONDS
	host 40 124 svm -- sh -c 'echo started; sleep 1000'
	stdout_is 'started\n'
	stderr_has 'timeout'
	[ $((SECONDS - start)) -lt 60 ] || bad "it took $((SECONDS - start)) s"
}

files_come_along()
{
	mkdir -p "$WORK/folder/deep"
	echo content >"$WORK/folder/deep/file"
	echo other >"$WORK/single"
	printf '#!/bin/sh\necho "script $1"\n' >"$WORK/script.sh"
	chmod +x "$WORK/script.sh"
	host 120 0 svm --add "$WORK/folder" --add "$WORK/single:/etc/single" --add "$(command -v gcc)" \
		--env "WORD=a b" -- \
		sh -c 'cat /lab/folder/deep/file /etc/single; echo "$WORD"; gcc --version | grep -c Free'
	stdout_is 'content\nother\na b\n1\n'
	host 120 0 svm -- "$WORK/script.sh" argument
	stdout_is 'script argument\n'
}

# The host reads and writes the disk, and the file stays what it was.
a_disk_can_be_attached()
{
	local mode
	seq 1 20000 | head -c 65536 >"$WORK/disk"
	cp "$WORK/disk" "$WORK/before"
	for mode in svm vmx; do
		host 240 0 $mode --disk "$WORK/disk" -- sh -c \
			'wc -c </dev/disk; sha256sum </dev/disk
			echo changed | dd of=/dev/disk conv=notrunc,fsync 2>/dev/null
			echo 3 >/proc/sys/vm/drop_caches; head -n 1 /dev/disk'
		stdout_is "65536\n$(sha256sum <"$WORK/before")\nchanged\n"
		cmp -s "$WORK/disk" "$WORK/before" || bad "$mode: the file was changed"
	done
	host 120 125 svm --disk "$WORK/no-such-file" -- true
	stderr_has 'no such file'
	echo short >>"$WORK/disk"
	host 120 125 vmx --disk "$WORK/disk" -- true
	stderr_has 'multiple of 64 KiB'
}

cpus_and_memory()
{
	host 120 0 svm --smp 2 --memory 700 -- sh -c \
		'nproc; awk "/MemTotal/ { print (\$2 > 550000 && \$2 < 700000) }" /proc/meminfo'
	stdout_is '2\n1\n'
	host 300 0 vmx --smp 2 -- sh -c 'nproc; grep -c "^flags.* vmx" /proc/cpuinfo'
	stdout_is '2\n2\n'
	host 300 0 svm-full -- sh -c 'grep -c "^flags.* nrip_save" /proc/cpuinfo'
	stdout_is '1\n'
	host 120 1 none -- grep -q -w -e svm -e vmx /proc/cpuinfo
	host 120 125 svm --smp 2 --icount -- true
}

icount_is_exact()
{
	cat >"$WORK/ticks.c" <<-'END'
		#include <stdio.h>
		#include <x86intrin.h>

		int main(void)
		{
			unsigned long long start = __rdtsc();
			for (volatile int i = 0; i < 1000; i++)
				;
			printf("%llu\n", __rdtsc() - start);
		}
	END
	gcc -O2 -o "$WORK/ticks" "$WORK/ticks.c" || bad "cannot build"
	host 240 0 svm --icount -- "$WORK/ticks"
	cp "$WORK/out" "$WORK/first"
	host 240 0 svm --icount -- "$WORK/ticks"
	cmp -s "$WORK/first" "$WORK/out" || bad "two runs differ: $(cat "$WORK/first" "$WORK/out")"
	[ "$(cat "$WORK/out")" -lt 20000 ] || bad "the TSC does not count instructions"
}

kvm_can_be_loaded()
{
	host 120 0 svm --with-kvm -- sh -c 'test -c /dev/kvm && lsmod | grep -c ^kvm_amd'
	stdout_is '1\n'
}

# A terminal goes both ways: what is typed arrives, the end of the shell is the end of the lab.
shell_on_svm()
{
	shell_on svm
}

shell_on_vmx()
{
	shell_on vmx
}

# appears REGEX: waits until the output has it.
appears()
{
	local tries
	for tries in $(seq 100); do
		grep -q -e "$1" "$WORK/out" && return
		sleep 1
	done
	bad "no '$1' came in $tries s"
}

shell_on()
{
	need_program script || return
	{
		appears '# '
		printf 'tty; echo $((40 + 2))\n'
		appears '^42'
		printf 'exit 5\n'
		sleep 5
	} | script -qefc "$LAB $1 --no-module --shell --timeout 120" /dev/null >"$WORK/out" 2>"$WORK/err"
	[ "${PIPESTATUS[1]}" = 5 ] || bad "exit status ${PIPESTATUS[1]} instead of 5"
	grep -q '^/dev/pts/0' "$WORK/out" || bad "the shell has no terminal"
	grep -q '^42' "$WORK/out" || bad "the shell did not run what was typed"
}

need_program()
{
	command -v "$1" >/dev/null && return
	echo "$CASE: left out, no $1 here"
	return 1
}

# Nothing of a run stays behind, also when it is ended by a signal.
nothing_stays()
{
	local pid
	"$LAB" svm --no-module -- sleep 1000 >/dev/null 2>&1 &
	pid=$!
	sleep 6
	kill -TERM $pid
	wait $pid
	[ $? -ge 128 ] || bad "a terminated run has an ordinary exit status"
	if ls -d "${MACROHARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/macrohard}/run/$pid."* \
		>/dev/null 2>&1; then
		bad "its folder is still there"
	fi
	if pgrep -f "/run/$pid\\." >/dev/null; then
		bad "its emulator still runs"
	fi
}

[ $# -gt 0 ] || set -- status_and_output output_is_live faults_of_the_host timeout_ends \
	files_come_along a_disk_can_be_attached cpus_and_memory icount_is_exact kvm_can_be_loaded \
	shell_on_svm shell_on_vmx nothing_stays
for CASE; do
	: >"$WORK/out"
	: >"$WORK/err"
	start=$SECONDS
	$CASE
	echo "$CASE: $((SECONDS - start)) s"
done
exit $FAILED

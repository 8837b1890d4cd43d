#!/bin/sh
# SPDX-License-Identifier: MIT
# CPUs that lack something: what is required is refused by its name, with the cure, by the API, by `probe`
# and by `run`; without unrestricted guest only what needs it is refused.
# lab: vmx-noug --env CPU=vmx-noug --env EMULATOR=bochs-intel
# lab: vmx-noept --env CPU=vmx-noept
# lab: svm-nonpt --env CPU=svm-nonpt
# lab: none --env CPU=none
# bring: @BUILD@/tests/guest/guest-runner
# bring: tests/lab/guests.sh
# bring: @BUILD@/guest/vmlinuz
# bring: @BUILD@/guest/initramfs
# timeout: 500
OUT=/tmp/out
failed=0

bad()
{
	echo "FAIL: $*; it said:"
	cat $OUT
	failed=1
}

# refused WHAT TEXT1 TEXT2 COMMAND...: the command fails, and says both.
refused()
{
	what=$1 code=$2 text=$3
	shift 3
	if "$@" >$OUT 2>&1 </dev/null; then
		bad "$what was not refused"
	elif ! grep -q "$code" $OUT || ! grep -q "$text" $OUT; then
		bad "$what: neither $code nor \"$text\""
	else
		echo "ok: $what is refused: $(grep "$text" $OUT | head -1)"
	fi
}

# probed PATTERN...: `probe` prints a line for each.
probed()
{
	macrohard-hypervisor probe >$OUT 2>&1
	for pattern; do
		if grep -q "$pattern" $OUT; then
			echo "ok: $(grep "$pattern" $OUT | head -1)"
		else
			bad "probe has no \"$pattern\""
		fi
	done
}

run_linux()
{
	macrohard-hypervisor run --kernel /lab/bin/vmlinuz --initrd /lab/bin/initramfs --memory 256M \
		--stop-on-reset --cmdline "console=ttyS0 quiet panic=-1 mh.run=selftest" "$@"
}

# nothing_runs CODE TEXT: no VM at all.
nothing_runs()
{
	refused "a VM" "$1" "$2" guest-runner --only tsc_monotonic
	refused "run" "$2" "$2" run_linux
	refused "probe" "$1" "cure" macrohard-hypervisor probe
}

case $CPU in
vmx-noept)
	probed "^NO *required *EPT (nested paging)" "cure: .*CPU"
	nothing_runs MH_EMISSING "lacks nested paging (EPT or NPT), which is required"
	;;
svm-nonpt)
	probed "^NO *required *NPT (nested paging)" "cure: .*CPU"
	nothing_runs MH_EMISSING "lacks nested paging (EPT or NPT), which is required"
	;;
none)
	probed "^NO *required *\(SVM\|VMX\)" "cure: "
	nothing_runs MH_ENOCPU "the CPU has neither VT-x (VMX) nor AMD-V (SVM)"
	;;
vmx-noug)
	probed "^no *recommended *unrestricted guest" "^A VM can run"
	text="the CPU lacks unrestricted guest"
	refused "real mode" MH_EMISSING "$text" guest-runner --only real_start
	refused "protected mode without paging" MH_EMISSING "$text" guest-runner --only prot_start
	refused "SMP" MH_EMISSING "$text" guest-runner --only smp_atomic
	refused "run --cpus 2" "several CPUs" "$text" run_linux --cpus 2
	refused "switching paging off" "CPU refused to enter" "paging off needs the unrestricted guest" \
		guest-runner --only modes_from_long
	guests.sh --not 'real_*' --not 'prot_*' --not 'modes_*' --not 'smp_*' --not '*_smp' || failed=1
	run_linux --cpus 1 >$OUT 2>&1
	grep -q 'GUEST TESTS: 0 failed' $OUT || bad "Linux on one vCPU"
	;;
*)
	echo "FAIL: CPU=$CPU?"
	failed=1
	;;
esac
exit $failed

# SPDX-License-Identifier: MIT
# Starts a host in QEMU's TCG.

# qemu_command: sets EMULATOR (array) from the OPT_ variables.
qemu_command()
{
	local cpu=max append=$LAB_APPEND threads=single khz
	need qemu-system-x86_64 qemu-system-x86
	case $OPT_MODE in
	svm-nonpt) cpu=max,-npt ;;
	# "max,-svm" reads links wrongly in QEMU 7.2 (seen: readlink of /proc/self/exe).
	none) cpu=EPYC,-svm ;;
	esac
	cpu=${OPT_CPU:-$cpu}
	# On a busy machine QEMU's timer may not tick ten times in the time in which Linux tests it so, and a
	# CPU may get no turn for 20 s, which Linux would report as stuck.
	append="$append no_timer_check watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=60"
	# In turns, as Bochs does it: half the time on a busy machine, where a CPU whose thread has no turn
	# makes the others spin for it. In parallel QEMU 7.2 took triple faults now and then, of hosts and of
	# guests, that nobody saw of CPUs in turns.
	[ "$OPT_PARALLEL" = 0 ] || threads=multi
	EMULATOR=(qemu-system-x86_64 -accel "tcg,thread=$threads")
	khz=$("$(as_cached_tool "$LAB_DIR/tsckhz.c")") || exit $?
	if [ "$OPT_ICOUNT" = 1 ]; then
		[ "$OPT_SMP" = 1 ] || die "--icount works with one CPU only"
		cpu=$cpu,-rdrand,-rdseed
		append="$append nokaslr norandmaps"
		khz=1000000
		EMULATOR+=(-icount "shift=0,sleep=off" -rtc "base=2026-01-01,clock=vm" -seed 1)
	fi
	# The TSC is this machine's. Linux would measure it by timers that may come late here: seen on a busy
	# machine was a host whose clock ran seven times too fast.
	append="$append tsc_early_khz=$khz"
	# The lines that the HPET may use: by default only 2, which is Linux' own.
	EMULATOR+=(-global "hpet.hpet-intcap=0xff0004")
	EMULATOR+=(-cpu "$cpu" -m "$OPT_MEMORY" -smp "$OPT_SMP" -nodefaults -no-user-config -no-reboot
		-display none -monitor none -d cpu_reset -D "$RUN_DIR/resets"
		-chardev "file,id=console,path=$RUN_DIR/console" -serial chardev:console
		-chardev "file,id=out,path=/dev/stdout" -device "isa-debugcon,iobase=0xe9,chardev=out"
		-kernel "$KERNEL_DIR/vmlinuz" -initrd "$RUN_DIR/initrd" -append "$append $OPT_APPEND")
	if [ -n "$OPT_DISK" ]; then
		EMULATOR+=(-drive "if=virtio,format=raw,snapshot=on,file=$OPT_DISK")
	fi
	if [ "$OPT_TTY" = 1 ]; then
		EMULATOR+=(-chardev "serial,id=tty,path=$RUN_DIR/tty" -serial chardev:tty)
	fi
}

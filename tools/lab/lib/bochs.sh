# SPDX-License-Identifier: MIT
# Starts a host in Bochs: picks the program, writes its configuration and the CD that it boots from.

# bochs_find: sets BOCHS_VERSION (3 or 2) and BOCHS_ROMS. LAB_BOCHS=package avoids the own build.
bochs_find()
{
	BOCHS_ROMS=/usr/share/bochs
	# Its name in Bochs' folder, VGABIOS-lgpl-latest, comes with Debian's package of Bochs only.
	BOCHS_VGABIOS=/usr/share/vgabios/vgabios.bin
	if [ "${LAB_BOCHS:-own}" = own ] && { [ -x "$LAB_BOCHS_DIR/bin/bochs" ] ||
		with_lock bochs bochs_build; }; then
		BOCHS_VERSION=3
		[ ! -e "$LAB_BOCHS_DIR/bin/BIOS-bochs-latest" ] || BOCHS_ROMS=$LAB_BOCHS_DIR/bin
	else
		need bochs "bochs bochs-sdl"
		BOCHS_VERSION=2
	fi
	need_file "$BOCHS_ROMS/BIOS-bochs-latest" bochsbios
	need_file "$BOCHS_VGABIOS" vgabios
}

# bochs_model: the CPU model that stands for a mode.
bochs_model()
{
	case $OPT_MODE in
	vmx) echo corei7_haswell_4770 ;;
	vmx-noept) echo core2_penryn_t9600 ;;
	vmx-noug) echo corei5_lynnfield_750 ;;
	svm-full) echo ryzen ;;
	esac
}

# bochs_disk: the line for the disk of --disk. Bochs has no half cylinders; one of ours is 64 KiB.
bochs_disk()
{
	local bytes
	[ -n "$OPT_DISK" ] || return 0
	bytes=$(stat -c %s "$OPT_DISK")
	[ $((bytes % 65536)) = 0 ] || die "--disk $OPT_DISK: its size is no multiple of 64 KiB, as Bochs needs it"
	echo "ata0-slave: type=disk, mode=volatile, path=$OPT_DISK, journal=$RUN_DIR/disk.redolog," \
		"cylinders=$((bytes / 65536)), heads=16, spt=8"
}

bochs_config()
{
	local model=${OPT_CPU:-$(bochs_model)} extra=
	[ "$model" != ryzen ] || extra=", mwait_is_nop=1"
	cat <<-END
		cpu: model=$model, count=$OPT_SMP, ips=100000000, reset_on_triple_fault=0$extra
		memory: guest=$OPT_MEMORY, host=$OPT_MEMORY
		romimage: file=$BOCHS_ROMS/BIOS-bochs-latest
		vgaromimage: file=$BOCHS_VGABIOS
		ata0-master: type=cdrom, path=$RUN_DIR/host.iso, status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev=$RUN_DIR/console
		port_e9_hack: enabled=1
		clock: sync=none, time0=946684800
		log: $RUN_DIR/bochs.log
		panic: action=fatal
		error: action=ignore
		info: action=ignore
	END
	bochs_disk
	[ "$OPT_TTY" = 0 ] || echo "com2: enabled=1, mode=term, dev=$RUN_DIR/tty"
	if [ "$BOCHS_VERSION" = 2 ]; then
		echo "display_library: sdl2"
		echo "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy"
		echo "speaker: enabled=0"
	else
		echo "display_library: nogui"
	fi
}

bochs_iso()
{
	local iso=$RUN_DIR/iso
	need xorriso xorriso
	need_file /usr/lib/ISOLINUX/isolinux.bin isolinux
	need_file /usr/lib/syslinux/modules/bios/ldlinux.c32 syslinux-common
	mkdir -p "$iso/isolinux"
	cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$iso/isolinux/"
	ln "$RUN_DIR/initrd" "$iso/initrd"
	cp "$KERNEL_DIR/vmlinuz" "$iso/vmlinuz"
	cat >"$iso/isolinux/isolinux.cfg" <<-END
		default host
		prompt 0
		label host
		kernel /vmlinuz
		append initrd=/initrd $LAB_APPEND $OPT_APPEND
	END
	quietly "$RUN_DIR/iso.log" xorriso -as mkisofs -quiet -o "$RUN_DIR/host.iso" \
		-b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
		-boot-info-table "$iso" || die "cannot make the host's CD"
	rm -rf "$iso" "$RUN_DIR/initrd"
}

# bochs_command: sets EMULATOR (array) from the OPT_ variables.
bochs_command()
{
	[ "$OPT_ICOUNT" = 0 ] || die "--icount is for QEMU: in Bochs the TSC always counts instructions"
	bochs_find
	bochs_iso
	bochs_config >"$RUN_DIR/bochsrc"
	if [ "$BOCHS_VERSION" = 2 ]; then
		echo c >"$RUN_DIR/bochs.rc"
		EMULATOR=(env SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy
			bochs -q -f "$RUN_DIR/bochsrc" -rc "$RUN_DIR/bochs.rc")
	else
		EMULATOR=("$LAB_BOCHS_DIR/bin/bochs" -q -f "$RUN_DIR/bochsrc")
	fi
}

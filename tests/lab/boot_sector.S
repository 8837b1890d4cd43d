/* SPDX-License-Identifier: MIT */
/*
 * The first two sectors of a disk. The first one, which the BIOS starts at 0:7c00, prints,
 * reads the second one by BIOS calls, prints what is in it, and switches the machine off.
 */
#define SLEEP_PORT 0x600 /* ACPI sleep control: SLP_EN, type 5 */
#define SLEEP_OFF 0x34

	.code16
	.globl _start
_start:
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %ss
	mov $0x7c00, %sp
	mov $first, %si
	call print
	mov $request, %si
	mov $0x42, %ah
	int $0x13
	jc off
	mov $second, %si
	call print
off:
	mov $SLEEP_PORT, %dx
	mov $SLEEP_OFF, %al
	out %al, %dx
1:	hlt
	jmp 1b

/* The text at si, which ends with a zero. */
print:
	lodsb
	test %al, %al
	jz 2f
	mov $0x0e, %ah
	mov $7, %bx
	int $0x10
	jmp print
2:	ret

/* Of int 13h, function 42h: size, sectors, where to, from which sector on. */
request:
	.byte 16, 0
	.word 1
	.word second, 0
	.quad 1
first:
	.asciz "BOOT SECTOR: started\r\n"
	.org 510
	.word 0xaa55
second:
	.asciz "BOOT SECTOR: the disk can be read\r\n...\r\n"
	.org 1024

/* SPDX-License-Identifier: MIT */
/* The tiny guests of test_engine.c: each is copied to ENGINE_CODE and runs at any place. */
#include "engine_guests.h"

	.intel_syntax noprefix
	.section .rodata

	.macro guest name, bits
	.code\bits
	.globl \name
\name:
	.endm

	.macro end_guest name
	.globl \name\()_end
\name\()_end:
	.endm

/* Ports in all widths and both directions. */
guest guest_pio, 16
	mov al, 0x41
	out 0x80, al
	mov dx, 0x1234
	mov eax, 0x11223344
	out dx, eax
	in al, 0x81
	out 0x82, al
	mov dx, 0x1236
	in ax, dx
	out 0x84, ax
	hlt
end_guest guest_pio

/* String ports: three bytes from ENGINE_DATA out, two words in behind them. */
guest guest_string_pio, 16
	cld
	mov si, ENGINE_DATA
	mov cx, 3
	mov dx, 0x300
	rep outsb
	mov di, ENGINE_DATA + 0x10
	mov cx, 2
	mov dx, 0x302
	rep insw
	mov ax, [ENGINE_DATA + 0x12]
	out 0x80, ax
	hlt
end_guest guest_string_pio

/* Device memory from real mode. */
guest guest_mmio16, 16
	mov ax, 0xb800
	mov ds, ax
	mov word ptr [0x10], 0xbeef
	mov ax, [0x12]
	out 0x80, ax
	or byte ptr [0x14], 0x0f
	hlt
end_guest guest_mmio16

/* Device memory from long mode, with several instructions. */
guest guest_mmio64, 64
	mov rdi, ENGINE_MMIO
	mov eax, 0x12345678
	mov [rdi], eax
	mov rbx, [rdi + 8]
	mov eax, ebx
	out 0x80, eax
	movzx eax, byte ptr [rdi + 0x11]
	out 0x80, eax
	cld
	mov rsi, ENGINE_DATA
	lea rdi, [rdi + 0x100]
	mov ecx, 2
	rep movsd
	hlt
end_guest guest_mmio64

/* Plain stores of every kind, then two that are none; other stores beside the doorbell. */
guest guest_doorbell, 64
	mov edi, ENGINE_MMIO
	mov esi, 0x10
	mov eax, 0x12345678
	mov [rdi + 0x10], al
	mov [rdi + 0x10], ax
	mov [rdi + 0x10], eax
	mov [rdi + 0x10], rax
	mov byte ptr [rdi + 0x10], 1
	mov word ptr [rdi + 0x10], 2
	mov dword ptr [rdi + 0x10], 3
	mov qword ptr [rdi + 0x10], 4
	mov r8, rdi
	mov r9, rsi
	mov [r8 + r9], r9w
	mov [rdi + rsi * 1 + 0], r9b
	mov [r8 + r9 * 4 - 0x30], eax
	mov dword ptr [r8 + r9 * 4 - 0x30], 5
	mov word ptr [rdi + 0x7ffffff0 - 0x7fffffe0], 6
	mov rbx, ENGINE_MMIO + 0x10
	mov [rbx], ah
	mov word ptr gs:[rbx], 7
	out 0x80, al
	mov [rdi + 0x11], al
	mov [rdi + 0x0f], al
	mov rax, [rdi + 0x10]
	out 0x80, eax
	xchg [rdi + 0x10], eax
	lea rdi, [rdi + 0x10]
	stosb
	out 0x81, al
	mov [rbx], ax
	hlt
end_guest guest_doorbell

/* Rings so often, and tells when it is done. */
guest guest_ringing, 64
	mov edi, ENGINE_MMIO
	mov ecx, ENGINE_RINGS
1:	mov [rdi + 0x10], cx
	dec ecx
	jnz 1b
	out 0x80, al
	hlt
end_guest guest_ringing

/* Read-only memory can be read; a write is an access to a device. */
guest guest_rom, 64
	mov rdi, ENGINE_ROM
	mov eax, [rdi]
	out 0x80, eax
	mov dword ptr [rdi + 4], 0x55
	mov eax, [rdi + 4]
	out 0x80, eax
	hlt
end_guest guest_rom

guest guest_loop, 16
	jmp guest_loop
end_guest guest_loop

/* Interrupts are off: nothing but a kick ends the HLT, and that does not. */
guest guest_hlt, 16
	cli
	hlt
	mov al, 1
	out 0x80, al
	hlt
end_guest guest_hlt

/* An MSR that nobody knows: a read, a write, and both refused; then a marker. */
guest guest_msr, 16
	mov ecx, ENGINE_MSR
	rdmsr
	mov ebx, edx
	mov dx, 0x400
	out dx, eax
	mov eax, ebx
	out dx, eax
	mov eax, 0x01020304
	mov edx, 0x05060708
	wrmsr
	mov al, 1
	out 0x80, al
	rdmsr
	mov al, 2
	out 0x80, al
	wrmsr
	mov al, 3
	out 0x80, al
	hlt
end_guest guest_msr

guest guest_vmcall, 16
	mov eax, 0x77
	mov ebx, 0x1234
	vmcall
	mov dx, 0x400
	out dx, eax
	hlt
end_guest guest_vmcall

guest guest_vmmcall, 16
	mov eax, 0x77
	mov ebx, 0x1234
	vmmcall
	mov dx, 0x400
	out dx, eax
	hlt
end_guest guest_vmmcall

/* Registers that user space has loaded, as the guest sees them: RAX, RBX, RCX, RSI, RDI. */
guest guest_registers, 64
	movq rsi, xmm7
	mov rdi, dr2
	mov ecx, 0xc0000102
	rdmsr
	shl rdx, 32
	or rax, rdx
	mov rbx, rax
	mov rax, cr2
	out 0x80, al
	hlt
end_guest guest_registers

/* Nobody handles this: with an empty IDT it is a triple fault. */
guest guest_fault, 16
	ud2
end_guest guest_fault

/* A marker each time round, so that commits between exits show. */
guest guest_count, 16
1:	out 0x80, ax
	inc ax
	jmp 1b
end_guest guest_count

/* The TSC in EDX:EAX at the exit. */
guest guest_tsc, 16
	rdtsc
	out 0x80, al
	hlt
end_guest guest_tsc

/* Local APIC in x2APIC mode: wait for interrupts, forever. */
guest guest_irq, 16
	mov ecx, 0x1b
	rdmsr
	or eax, 0xc00
	wrmsr
	mov ecx, 0x80f
	mov eax, 0x1ff
	xor edx, edx
	wrmsr
	mov al, 1
	out 0x80, al
1:	sti
	hlt
	jmp 1b
end_guest guest_irq

/* Start the other processors at ENGINE_AP. */
guest guest_boot, 16
	mov ecx, 0x1b
	rdmsr
	or eax, 0xc00
	wrmsr
	mov ecx, 0x80f
	mov eax, 0x1ff
	xor edx, edx
	wrmsr
	mov ecx, 0x830
	mov eax, 0xc4500
	wrmsr
	mov eax, 0xc4600 + (ENGINE_AP >> 12)
	wrmsr
	mov al, 1
	out 0x80, al
	cli
	hlt
end_guest guest_boot

/* ---- copied elsewhere ---- */

/* At ENGINE_AP: what a started processor does. */
guest guest_ap, 16
	mov ax, cs
	out 0x90, ax
	cli
	hlt
end_guest guest_ap

/* At ENGINE_HANDLER, where the real-mode IDT points: faults say 0xf0 + vector, interrupts 0xe0. */
guest guest_handlers, 16
	.org guest_handlers + ENGINE_HANDLER_NMI
	mov al, 0xf2
	out 0x90, al
	iret
	.org guest_handlers + ENGINE_HANDLER_UD
	mov al, 0xf6
	out 0x90, al
	mov bp, sp
	add word ptr [bp], 2
	iret
	.org guest_handlers + ENGINE_HANDLER_GP
	mov al, 0xfd
	out 0x90, al
	mov bp, sp
	add word ptr [bp], 2
	iret
	.org guest_handlers + ENGINE_HANDLER_IRQ
	mov al, 0xe0
	out 0x90, al
	mov ecx, 0x80b
	xor eax, eax
	xor edx, edx
	wrmsr
	mov al, 0xe1
	out 0x90, al
	iret
end_guest guest_handlers

	.section .note.GNU-stack, "", @progbits

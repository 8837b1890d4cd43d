/* SPDX-License-Identifier: MIT */
/* Guests: 32-bit protected mode without paging, with 16-bit code, at CPL 3, as virtual 8086. */
#include "prot.def"

#define MSR_EFER 0xc0000080
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define APIC 0xfee00000
#define APIC_SVR 0xf0
#define APIC_ICR 0x300
#define APIC_LVT_TIMER 0x320
#define APIC_COUNT 0x380
#define APIC_DIVIDE 0x3e0
#define ICR_SELF 0x44000
#define LEAF1_EDX_SEP (1 << 11)
#define FLAGS_IOPL3_VM 0x23002
#define SEG 0x1000

	.text
	.code32

	guest	prot_start, MODE_PROTECTED
	mov	%cs, %eax
	EXPECT(SEL_CODE32)
	mov	%cr0, %eax
	EXPECT(0x31)
	mov	$MSR_EFER, %ecx
	rdmsr
	EXPECT(0)
	/* What is a prefix in 64-bit mode is an instruction here. */
	mov	$41, %ecx
	.byte	0x41
	EXPECT_OF(%ecx, 42)
	mov	%esp, %ebx
	pusha
	popa
	sub	%esp, %ebx
	EXPECT_OF(%ebx, 0)
	FINISH

	guest	prot_exits, MODE_PROTECTED
	call	prot_init
	xor	%eax, %eax
	xor	%ebx, %ebx
	cpuid
	test	%ebx, %ebx
	setnz	%al
	movzx	%al, %eax
	EXPECT(1)
	mov	$0x44332211, %eax
	mov	$PORT_RAM, %edx
	out	%eax, %dx
	in	%dx, %ax
	EXPECT(0x44332211)
	mov	$prot_bytes, %esi
	mov	$4, %ecx
	rep outsb
	mov	%esi, %eax
	sub	$prot_bytes, %eax
	EXPECT(4)
	in	%dx, %al
	EXPECT(4)
	mov	$0x7000, %edi
	mov	$2, %ecx
	rep insl
	EXPECT_OF(%edi, 0x7008)
	EXPECT_OF(0x7004, 0x44332204)
	/* Addresses of 16 bits. */
	mov	$0x55557000, %esi
	mov	$0x55550002, %ecx
	addr16 rep outsw
	EXPECT_OF(%esi, 0x55557004)
	EXPECT_OF(%ecx, 0x55550000)
	set_msr	0x277, 0x07040600, 0x01050406
	mov	$0x277, %ecx
	rdmsr
	EXPECT(0x07040600)
	EXPECT_OF(%edx, 0x01050406)
	mov	$0x12345, %ecx
	FAULTS(13, 0, rdmsr)
	FAULTS(6, 0, vmxoff)
	FAULTS(6, 0, vmrun)
	mov	$0x345678, %eax
	mov	%eax, %cr2
	mov	%cr2, %eax
	EXPECT(0x345678)
	mov	%eax, %dr3
	mov	%dr3, %eax
	EXPECT(0x345678)
	wbinvd
	invlpg	0x7000
	FINISH
prot_bytes:
	.byte	1, 2, 3, 4

	guest	prot_mmio, MODE_PROTECTED
	movl	$0x12345678, MMIO_GPA
	EXPECT_OF(MMIO_GPA, 0x12345678)
	mov	$MMIO_GPA, %ebx
	mov	$0xab, %ah
	mov	%ah, 1(%ebx)
	movzwl	(%ebx), %eax
	EXPECT(0xab78)
	movsbl	1(%ebx), %eax
	EXPECT(0xffffffab)
	incl	(%ebx)
	mov	$4, %ecx
	EXPECT_OF(-16(%ebx, %ecx, 4), 0x1234ab79)
	lock addw $1, 2(%ebx)
	EXPECT_OF((%ebx), 0x1235ab79)
	push	(%ebx)
	pop	8(%ebx)
	EXPECT_OF(8(%ebx), 0x1235ab79)
	mov	$7, %eax
	xchg	%eax, 8(%ebx)
	EXPECT(0x1235ab79)
	EXPECT_OF(8(%ebx), 7)
	movl	$0x01020304, 0x7000
	mov	$0x7000, %esi
	lea	0x100(%ebx), %edi
	mov	$4, %ecx
	rep movsb
	EXPECT_OF(0x100(%ebx), 0x01020304)
	lea	0x100(%ebx), %esi
	mov	$0x7104, %edi
	movsl
	EXPECT_OF(0x7104, 0x01020304)
	/* The string's destination by a segment that begins at the device. */
	descriptor 4, MMIO_GPA, 0xfff, 0x93, 4
	mov	$SEL_FREE(4), %eax
	mov	%eax, %es
	mov	$0x55555555, %eax
	mov	$0x40, %edi
	mov	$2, %ecx
	rep stosl
	EXPECT_OF(%edi, 0x48)
	EXPECT_OF(0x44(%ebx), 0x55555555)
	EXPECT_OF(%es:0x40, 0x55555555)
	/* Nobody there. */
	EXPECT_OF(MMIO_NOBODY, -1)
	FINISH

	guest	prot_exceptions, MODE_PROTECTED
	call	prot_init
	xor	%ebx, %ebx
	FAULTS(0, 0, div %ebx)
	FAULTS(6, 0, ud2)
	mov	$SEL_ABSENT, %ebx
	FAULTS(11, SEL_ABSENT, mov %ebx, %ds)
	FAULTS(12, SEL_ABSENT, mov %ebx, %ss)
	mov	$0x1ff8, %ebx
	FAULTS(13, 0x1ff8, mov %ebx, %fs)
	xor	%ebx, %ebx
	FAULTS(13, 0, mov %ebx, %ss)
	/* Bounds. */
	movl	$2, 0x7000
	movl	$5, 0x7004
	mov	$6, %ebx
	FAULTS(5, 0, bound %ebx, 0x7000)
	FAULTS(13, 0x87 * 8 + 2, int $0x87)
	/* Traps go on behind the instruction. */
	movl	$0, trap_count
	int3
	EXPECT_OF(trap_vector, 3)
	int	$0x55
	EXPECT_OF(trap_count, 2)
	FINISH

/* Bases, limits, kinds of segments. */
	guest	prot_limits, MODE_PROTECTED
	skip_on_qemu "QEMU checks no segment limits and kinds"
	call	prot_init
	/* No segment; code, which is not for writing. */
	xor	%ebx, %ebx
	mov	%ebx, %fs
	FAULTS(13, 0, mov %fs:0x7000, %eax)
	FAULTS(13, 0, movl $1, %cs:0x7000)
	mov	$SEL_DATA16, %eax
	mov	%eax, %fs
	movl	image_copy, %ebx
	EXPECT_OF(%fs:image_copy - 0x10000, 0x13572468)
	FAULTS(13, 0, mov %fs:0xfffd, %eax)
	mov	$0xfffd, %ebx
	FAULTS(13, 0, mov %fs:(%ebx), %eax)
	mov	%eax, %gs
	/* Expand-down: what lies above the limit. */
	descriptor 4, 0x1000, 0x0fff, 0x97, 4
	mov	$SEL_FREE(4), %eax
	mov	%eax, %gs
	movl	$0x11112222, 0x7000
	EXPECT_OF(%gs:0x6000, 0x11112222)
	FAULTS(13, 0, mov %gs:0x800, %eax)
	/* Read-only. */
	descriptor 5, 0, 0xffff, 0x91, 4
	mov	$SEL_FREE(5), %eax
	mov	%eax, %gs
	EXPECT_OF(%gs:0x7000, 0x11112222)
	FAULTS(13, 0, movl $1, %gs:0x7000)
	/* A string of ports that leaves its segment. */
	mov	$PORT_RAM, %edx
	mov	$0xfffe, %esi
	mov	$4, %ecx
	FAULTS(13, 0, rep outsb %fs:(%esi), %dx)
	EXPECT_OF(%ecx, 2)
	EXPECT_OF(%esi, 0x10000)
	FINISH

	guest	prot_code16, MODE_PROTECTED
	call	prot_init
	mov	%esp, %ebp
	ljmp	$SEL_CODE16, $code16 - 0x10000
	.code16
	.pushsection .real, "ax"
code16:
	mov	$SEL_DATA16, %ax
	mov	%ax, %ds
#undef BASE
#define BASE 0x10000
	xor	%eax, %eax
	mov	%cs, %ax
	EXPECT(SEL_CODE16)
	xor	%eax, %eax
	xor	%ebx, %ebx
	cpuid
	test	%ebx, %ebx
	setnz	%al
	movzx	%al, %eax
	EXPECT(1)
	mov	$0x44332211, %eax
	mov	$PORT_RAM, %dx
	out	%eax, %dx
	mov	$-1, %eax
	in	%dx, %ax
	EXPECT(0xffff2211)
	/* ES is flat still: MMIO by addresses of 32 bits. */
	mov	$MMIO_GPA, %ebx
	movl	$0x12345678, %es:(%ebx)
	addw	$1, %es:2(%ebx)
	EXPECT_OF(%es:(%ebx), 0x12355678)
	mov	$0xffff0000, %esi
	mov	$code16_bytes - 0x10000, %si
	mov	$0xffff0003, %ecx
	rep outsb
	in	%dx, %al
	movzx	%al, %eax
	EXPECT(3)
	EXPECT_OF(%ecx, 0xffff0000)
	mov	$SEL_DATA, %ax
	mov	%ax, %ds
	ljmpl	$SEL_CODE32, $code16_back
code16_bytes:
	.byte	1, 2, 3
#undef BASE
#define BASE 0
	.popsection
	.code32
code16_back:
	mov	%cs, %eax
	EXPECT(SEL_CODE32)
	mov	%esp, %eax
	sub	%ebp, %eax
	EXPECT(0)
	FINISH

	guest	prot_user, MODE_PROTECTED
	call	prot_init
	user_call user_plain
	EXPECT_OF(trap_user_eax, 0x44332211)
	EXPECT_OF(trap_vector, NO_TRAP)
	/* A port that the bitmap denies, privileged instructions, a gate that is not for users. */
	user_call user_in
	EXPECT_OF(trap_vector, 13)
	EXPECT_OF(trap_error, 0)
	EXPECT_AT(trap_eip, user_in)
	user_call user_hlt
	EXPECT_AT(trap_eip, user_hlt)
	user_call user_int
	EXPECT_OF(trap_error, 0x41 * 8 + 2)
	FINISH
user_plain:
	xor	%eax, %eax
	cpuid
	mov	$0x44332211, %eax
	mov	$PORT_RAM + 4, %edx
	out	%eax, %dx
	xor	%eax, %eax
	in	%dx, %eax
	int	$USER_VECTOR
user_in:
	in	$0x60, %al
user_hlt:
	hlt
user_int:
	int	$0x41

	guest	prot_virtual8086, MODE_PROTECTED
	call	prot_init
	movl	$1f, trap_user_next
	mov	%esp, trap_user_esp
	push	$0
	push	$0
	push	$SEG
	push	$0
	push	$0
	push	$0x7000
	push	$FLAGS_IOPL3_VM
	push	$SEG
	push	$virtual8086 - SEG * 16
	iretl
1:	mov	$SEL_DATA, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	EXPECT_OF(trap_user_eax, 0x00551211)
	EXPECT_OF(trap_vector, NO_TRAP)
	FINISH
	.pushsection .real, "ax"
	.code16
virtual8086:
	mov	%ds, %ax
	shl	$8, %eax
	mov	$PORT_RAM, %dx
	mov	$0x55, %al
	out	%al, %dx
	xor	%eax, %eax
	in	%dx, %al
	shl	$16, %eax
	mov	%cs, %ax
	shr	$3, %ax
	add	$0x1011, %ax
	int	$USER_VECTOR
	.code32
	.popsection

	guest	prot_sysenter, MODE_PROTECTED
	call	prot_init
	mov	$1, %eax
	cpuid
	test	$LEAF1_EDX_SEP, %edx
	jnz	1f
	skip_guest "the CPU has no SYSENTER"
1:	set_msr	MSR_SYSENTER_CS, SEL_CODE32
	set_msr	MSR_SYSENTER_ESP, 0x6800
	set_msr	MSR_SYSENTER_EIP, sysenter_entry
	user_call sysenter_user
	EXPECT_OF(trap_user_eax, 0x778)
	FINISH
sysenter_user:
	mov	%esp, %ebp
	mov	$0x777, %ebx
	sysenter
sysenter_entry:
	mov	$SEL_DATA, %eax
	mov	%eax, %ss
	mov	%eax, %ds
	inc	%ebx
	EXPECT_OF(%esp, 0x6800)
	mov	%ebp, %ecx
	mov	$sysenter_back, %edx
	sysexit
sysenter_back:
	mov	%ebx, %eax
	int	$USER_VECTOR

	guest	prot_apic, MODE_PROTECTED
	call	prot_init
	movl	$0x1ff, APIC + APIC_SVR
	movl	$ICR_SELF + 0x51, APIC + APIC_ICR
	EXPECT_OF(trap_count, 0)
	sti
	nop
	nop
	cli
	EXPECT_OF(trap_count, 1)
	EXPECT_OF(trap_vector, 0x51)
	movl	$0xb, APIC + APIC_DIVIDE
	movl	$0x52, APIC + APIC_LVT_TIMER
	movl	$1000000, APIC + APIC_COUNT
	sti
	hlt
	cli
	EXPECT_OF(trap_count, 2)
	EXPECT_OF(trap_vector, 0x52)
	FINISH

	/* A jump to another task: the CPU does it on AMD, on Intel it is an exit. */
	.macro	task_switch
	call	prot_init
	descriptor 1, task2, 103, 0x89, 0
	ljmp	$SEL_FREE(1), $0
	.endm
	/* On to 1 where the shim runs on VT-x (or elsewhere, by the jump). */
	.macro	if_vtx_shim jump
	xor	%eax, %eax
	cpuid
	xor	$0x756e6547, %ebx		/* "Genu" */
	or	guest_info, %ebx
	\jump	1f
	.endm

	guest	prot_task_switch, MODE_PROTECTED
	if_vtx_shim jnz
	skip_guest "VT-x leaves task switches to the hypervisor, ours refuses: prot_task_refused"
1:	task_switch
task_return:
	FINISH
task_entry:
	EXPECT_OF(%ebx, 0x1234)
	str	%ax
	movzx	%ax, %eax
	EXPECT(SEL_FREE(1))
	/* The old task's state was saved. */
	EXPECT_AT(tss32 + 0x20, task_return)
	FINISH

	guest	prot_task_refused, MODE_PROTECTED, END_ERROR, "task switch"
	if_vtx_shim jz
	skip_guest "AMD's CPUs switch tasks, and so does KVM: prot_task_switch"
1:	task_switch
	FINISH

	guest	prot_triple_fault, MODE_PROTECTED, END_SHUTDOWN
	lidt	empty
	ud2
	FINISH

	guest	prot_jump_nowhere, MODE_PROTECTED, END_ERROR, "where there is no memory"
	mov	$MMIO_NOBODY, %eax
	jmp	*%eax

	guest	prot_loop, MODE_PROTECTED, END_LOOP
	sti
	jmp	.

	.section .real.data, "aw"
	.balign	8
empty:
	.word	0
	.long	0
	.balign	8
image_copy:
	.long	0x13572468
/* Task-State Segment: SDM 3A 7.2.1. */
task2:
	.fill	7, 4, 0
	.long	0, task_entry, 2		/* CR3, EIP, EFLAGS */
	.long	0, 0, 0, 0x1234, 0x6000, 0, 0, 0
	.long	SEL_DATA, SEL_CODE32, SEL_DATA, SEL_DATA, SEL_DATA, SEL_DATA
	.long	0, 104 << 16
	.section .note.GNU-stack, "", @progbits

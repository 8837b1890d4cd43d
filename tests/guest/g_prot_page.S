/* SPDX-License-Identifier: MIT */
/* Guests: 32-bit and PAE paging. The first 16 MiB are one to one, the window is at 1 GiB. */
#include "prot.def"

#define MSR_EFER 0xc0000080
#define EFER_NXE 0x800
#define CR0_WP 0x10000
#define CR0_PG 0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define CR4_PGE 0x80

#define PTE_P 1
#define PTE_W 2
#define PTE_U 4
#define PTE_A 0x20
#define PTE_D 0x40
#define PTE_PS 0x80
#define PTE_G 0x100

/* Free RAM: tables, and pages to map. */
#define DIRECTORY 0x800000
#define TABLE 0x801000
#define POINTERS 0x802000
#define DIRECTORY2 0x803000
#define DEVICES 0x804000
#define PAGE_A 0x900000
#define PAGE_B 0x901000
#define PAGE_BIG 0xc00000
#define WINDOW 0x40000000
#define WINDOW_BIG 0x40400000

	.text
	.code32

	.macro	set_cr0 bits
	mov	%cr0, %eax
	or	$\bits, %eax
	mov	%eax, %cr0
	.endm
	.macro	clear_cr0 bits
	mov	%cr0, %eax
	and	$~(\bits), %eax
	mov	%eax, %cr0
	.endm
	.macro	set_cr4 bits
	mov	%cr4, %eax
	or	$\bits, %eax
	mov	%eax, %cr4
	.endm
	.macro	clear_cr4 bits
	mov	%cr4, %eax
	and	$~(\bits), %eax
	mov	%eax, %cr4
	.endm
	.macro	reload_cr3
	mov	%cr3, %eax
	mov	%eax, %cr3
	.endm

/* 4 MiB pages, and one table. */
page_32:
	movl	$PTE_P | PTE_W | PTE_PS, DIRECTORY
	movl	$0x400000 | PTE_P | PTE_W | PTE_PS, DIRECTORY + 4
	movl	$0x800000 | PTE_P | PTE_W | PTE_PS, DIRECTORY + 8
	movl	$0xc00000 | PTE_P | PTE_W | PTE_PS, DIRECTORY + 12
	movl	$MMIO_GPA | PTE_P | PTE_W | PTE_PS, DIRECTORY + (MMIO_GPA >> 20)
	movl	$TABLE | PTE_P | PTE_W, DIRECTORY + (WINDOW >> 20)
	mov	$DIRECTORY, %eax
	mov	%eax, %cr3
	set_cr4	CR4_PSE
	movl	$0x11111111, PAGE_A
	movl	$0x22222222, PAGE_B
	movl	$0x33333333, PAGE_BIG
	set_cr0	CR0_PG | CR0_WP
	ret

	guest	prot_paging, MODE_PROTECTED
	call	prot_init
	call	page_32
	movl	$PAGE_A | PTE_P | PTE_W, TABLE
	EXPECT_OF(WINDOW, 0x11111111)
	EXPECT_OF(TABLE, PAGE_A | PTE_P | PTE_W | PTE_A)
	movl	$0x44444444, WINDOW + 4
	EXPECT_OF(PAGE_A + 4, 0x44444444)
	EXPECT_OF(TABLE, PAGE_A | PTE_P | PTE_W | PTE_A | PTE_D)
	EXPECT_OF(DIRECTORY + (WINDOW >> 20), TABLE | PTE_P | PTE_W | PTE_A)
	/* Other contents by INVLPG, by CR3. */
	movl	$PAGE_B | PTE_P | PTE_W, TABLE
	invlpg	WINDOW
	EXPECT_OF(WINDOW, 0x22222222)
	movl	$PAGE_A | PTE_P | PTE_W, TABLE
	reload_cr3
	EXPECT_OF(WINDOW, 0x11111111)
	/* A global page outlives CR3, not CR4.PGE. */
	set_cr4	CR4_PGE
	movl	$PAGE_A | PTE_P | PTE_W | PTE_G, TABLE
	invlpg	WINDOW
	EXPECT_OF(WINDOW, 0x11111111)
	movl	$PAGE_B | PTE_P | PTE_W | PTE_G, TABLE
	clear_cr4 CR4_PGE
	EXPECT_OF(WINDOW, 0x22222222)
	/* 4 MiB. */
	movl	$PAGE_BIG | PTE_P | PTE_W | PTE_PS, DIRECTORY + (WINDOW_BIG >> 20)
	EXPECT_OF(WINDOW_BIG, 0x33333333)
	movl	$0x55555555, WINDOW_BIG + 0x3ffffc
	EXPECT_OF(PAGE_BIG + 0x3ffffc, 0x55555555)
	/* A device. */
	movl	$MMIO_GPA | PTE_P | PTE_W, TABLE + 8
	movl	$0x66666666, WINDOW + 0x2010
	EXPECT_OF(MMIO_GPA + 0x10, 0x66666666)
	incl	WINDOW + 0x2010
	EXPECT_OF(MMIO_GPA + 0x10, 0x66666667)
	/* Off and on again: addresses are physical in between. */
	clear_cr0 CR0_PG
	EXPECT_OF(PAGE_A, 0x11111111)
	EXPECT_OF(WINDOW, -1)
	set_cr0	CR0_PG
	EXPECT_OF(WINDOW, 0x22222222)
	FINISH

	guest	prot_page_faults, MODE_PROTECTED
	call	prot_init
	call	page_32
	FAULTS(14, 0, mov WINDOW, %eax)
	EXPECT_OF(trap_cr2, WINDOW)
	FAULTS(14, 2, movl $1, WINDOW + 0x123)
	EXPECT_OF(trap_cr2, WINDOW + 0x123)
	movl	$PAGE_A | PTE_P, TABLE
	FAULTS(14, 3, movl $1, WINDOW)
	clear_cr0 CR0_WP
	movl	$0x77777777, WINDOW
	EXPECT_OF(PAGE_A, 0x77777777)
	set_cr0	CR0_WP
	FAULTS(14, 3, movl $1, WINDOW)
	/* No permission for users: neither at the table nor at the page. */
	orl	$PTE_U, DIRECTORY
	movl	$PAGE_A | PTE_P | PTE_W, TABLE
	reload_cr3
	user_call user_read
	EXPECT_OF(trap_vector, 14)
	EXPECT_OF(trap_error, 5)
	EXPECT_OF(trap_cr2, WINDOW)
	orl	$PTE_U, DIRECTORY + (WINDOW >> 20)
	orl	$PTE_U, TABLE
	reload_cr3
	movl	$0, trap_vector
	user_call user_read
	EXPECT_OF(trap_vector, 0)
	EXPECT_OF(trap_user_eax, 0x77777777)
	FINISH
user_read:
	mov	$SEL_USER_DATA | 3, %eax
	mov	%eax, %ds
	mov	WINDOW, %eax
	int	$USER_VECTOR

/* 2 MiB pages, one table, and the devices' GiB. */
page_pae:
	movl	$DIRECTORY | PTE_P, POINTERS
	movl	$DIRECTORY2 | PTE_P, POINTERS + 8
	movl	$DEVICES | PTE_P, POINTERS + 24
	xor	%ecx, %ecx
	mov	$PTE_P | PTE_W | PTE_PS, %eax
1:	mov	%eax, DIRECTORY(, %ecx, 8)
	add	$0x200000, %eax
	inc	%ecx
	cmp	$8, %ecx
	jb	1b
	movl	$TABLE | PTE_P | PTE_W, DIRECTORY2
	movl	$MMIO_GPA | PTE_P | PTE_W | PTE_PS, DEVICES + ((MMIO_GPA & 0x3fffffff) >> 18)
	mov	$POINTERS, %eax
	mov	%eax, %cr3
	set_cr4	CR4_PAE
	movl	$0x11111111, PAGE_A
	movl	$0x22222222, PAGE_B
	movl	$0x33333333, PAGE_BIG
	set_cr0	CR0_PG | CR0_WP
	ret

	guest	prot_paging_pae, MODE_PROTECTED
	call	prot_init
	call	page_pae
	movl	$PAGE_A | PTE_P | PTE_W, TABLE
	EXPECT_OF(WINDOW, 0x11111111)
	EXPECT_OF(TABLE, PAGE_A | PTE_P | PTE_W | PTE_A)
	movl	$1, WINDOW + 4
	EXPECT_OF(TABLE, PAGE_A | PTE_P | PTE_W | PTE_A | PTE_D)
	movl	$PAGE_B | PTE_P | PTE_W, TABLE
	invlpg	WINDOW
	EXPECT_OF(WINDOW, 0x22222222)
	movl	$PAGE_A | PTE_P | PTE_W, TABLE
	reload_cr3
	EXPECT_OF(WINDOW, 0x11111111)
	movl	$PAGE_BIG | PTE_P | PTE_W | PTE_PS, DIRECTORY2 + 16
	EXPECT_OF(WINDOW_BIG, 0x33333333)
	movl	$0x12345678, MMIO_GPA + 0x20
	EXPECT_OF(MMIO_GPA + 0x20, 0x12345678)
	FAULTS(14, 0, mov 0x80000000, %eax)
	/* The four pointers are loaded with CR3. */
	movl	$DIRECTORY2 | PTE_P, POINTERS + 16
	reload_cr3
	EXPECT_OF(0x80000000, 0x11111111)
	movl	$0, POINTERS + 16
	reload_cr3
	FAULTS(14, 0, mov 0x80000000, %eax)
	/* They outlive exits to user space. */
	mov	$PORT_NOBODY, %edx
	in	%dx, %al
	EXPECT_OF(WINDOW, 0x11111111)
	FINISH

	guest	prot_paging_pae_off, MODE_PROTECTED
	call	prot_init
	call	page_pae
	movl	$PAGE_A | PTE_P | PTE_W, TABLE
	EXPECT_OF(WINDOW, 0x11111111)
	clear_cr0 CR0_PG
	EXPECT_OF(WINDOW, -1)
	set_cr0	CR0_PG
	EXPECT_OF(WINDOW, 0x11111111)
	FINISH

	guest	prot_paging_nx, MODE_PROTECTED
	call	prot_init
	set_msr	MSR_EFER, EFER_NXE
	call	page_pae
	movl	$PAGE_A | PTE_P | PTE_W, TABLE
	movl	$0xc3, WINDOW			/* ret */
	mov	$WINDOW, %ebx
	call	*%ebx
	EXPECT_OF(trap_vector, NO_TRAP)
	movl	$0x80000000, TABLE + 4
	invlpg	WINDOW
	mov	%esp, %ebp
	movl	$1f, trap_resume
	call	*%ebx
1:	mov	%ebp, %esp
	EXPECT_OF(trap_vector, 14)
	EXPECT_OF(trap_error, 0x11)
	EXPECT_OF(trap_eip, WINDOW)
	EXPECT_OF(WINDOW, 0xc3)
	FINISH
	.section .note.GNU-stack, "", @progbits

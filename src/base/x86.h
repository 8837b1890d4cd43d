/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Architectural constants of x86. SDM 3A 2.5 "Control Registers", SDM 3A 6.15 "Exception and
 * Interrupt Reference", SDM 4 2.1 "Architectural MSRs", APM 2 appendix A "MSR Cross-Reference".
 */
#ifndef MHI_BASE_X86_H
#define MHI_BASE_X86_H

#define MHI_CR0_PE (1ull << 0)
#define MHI_CR0_MP (1ull << 1)
#define MHI_CR0_EM (1ull << 2)
#define MHI_CR0_TS (1ull << 3)
#define MHI_CR0_ET (1ull << 4)
#define MHI_CR0_NE (1ull << 5)
#define MHI_CR0_WP (1ull << 16)
#define MHI_CR0_AM (1ull << 18)
#define MHI_CR0_NW (1ull << 29)
#define MHI_CR0_CD (1ull << 30)
#define MHI_CR0_PG (1ull << 31)
#define MHI_CR0_VALID                                                                  \
	(MHI_CR0_PE | MHI_CR0_MP | MHI_CR0_EM | MHI_CR0_TS | MHI_CR0_ET | MHI_CR0_NE | \
	 MHI_CR0_WP | MHI_CR0_AM | MHI_CR0_NW | MHI_CR0_CD | MHI_CR0_PG)

#define MHI_CR4_VME (1ull << 0)
#define MHI_CR4_PVI (1ull << 1)
#define MHI_CR4_TSD (1ull << 2)
#define MHI_CR4_DE (1ull << 3)
#define MHI_CR4_PSE (1ull << 4)
#define MHI_CR4_PAE (1ull << 5)
#define MHI_CR4_MCE (1ull << 6)
#define MHI_CR4_PGE (1ull << 7)
#define MHI_CR4_PCE (1ull << 8)
#define MHI_CR4_OSFXSR (1ull << 9)
#define MHI_CR4_OSXMMEXCPT (1ull << 10)
#define MHI_CR4_UMIP (1ull << 11)
#define MHI_CR4_LA57 (1ull << 12)
#define MHI_CR4_VMXE (1ull << 13)
#define MHI_CR4_SMXE (1ull << 14)
#define MHI_CR4_FSGSBASE (1ull << 16)
#define MHI_CR4_PCIDE (1ull << 17)
#define MHI_CR4_OSXSAVE (1ull << 18)
#define MHI_CR4_SMEP (1ull << 20)
#define MHI_CR4_SMAP (1ull << 21)
#define MHI_CR4_PKE (1ull << 22)

#define MHI_EFER_SCE (1ull << 0)
#define MHI_EFER_LME (1ull << 8)
#define MHI_EFER_LMA (1ull << 10)
#define MHI_EFER_NXE (1ull << 11)
#define MHI_EFER_SVME (1ull << 12)
/* What a guest may set; LMA follows from LME and CR0.PG. */
#define MHI_EFER_VALID (MHI_EFER_SCE | MHI_EFER_LME | MHI_EFER_LMA | MHI_EFER_NXE)

#define MHI_RFLAGS_FIXED (1ull << 1)
#define MHI_RFLAGS_TF (1ull << 8)
#define MHI_RFLAGS_IF (1ull << 9)
#define MHI_RFLAGS_VM (1ull << 17)
#define MHI_RFLAGS_AC (1ull << 18)
#define MHI_RFLAGS_VALID 0x3f7fd7ull

#define MHI_XCR0_X87 (1ull << 0)
#define MHI_XCR0_SSE (1ull << 1)
#define MHI_XCR0_AVX (1ull << 2)
#define MHI_XCR0_AVX512 (7ull << 5)
/*
 * The state components that the shim switches: no PKRU (host's own), no MPX, AMX or supervisor
 * state.
 */
#define MHI_XCR0_SUPPORTED (MHI_XCR0_X87 | MHI_XCR0_SSE | MHI_XCR0_AVX | MHI_XCR0_AVX512)

#define MHI_VEC_DB 1
#define MHI_VEC_NMI 2
#define MHI_VEC_BP 3
#define MHI_VEC_OF 4
#define MHI_VEC_UD 6
#define MHI_VEC_DF 8
#define MHI_VEC_SS 12
#define MHI_VEC_GP 13
#define MHI_VEC_PF 14
#define MHI_VEC_AC 17
#define MHI_VEC_MC 18

#define MHI_MSR_TSC 0x10
#define MHI_MSR_APIC_BASE 0x1b
#define MHI_MSR_FEATURE_CONTROL 0x3a
#define MHI_MSR_SYSENTER_CS 0x174
#define MHI_MSR_SYSENTER_ESP 0x175
#define MHI_MSR_SYSENTER_EIP 0x176
#define MHI_MSR_DEBUGCTL 0x1d9
#define MHI_MSR_PAT 0x277
#define MHI_MSR_TSC_DEADLINE 0x6e0
#define MHI_MSR_X2APIC_FIRST 0x800
#define MHI_MSR_X2APIC_LAST 0x8ff
#define MHI_MSR_XSS 0xda0
#define MHI_MSR_EFER 0xc0000080
#define MHI_MSR_STAR 0xc0000081
#define MHI_MSR_LSTAR 0xc0000082
#define MHI_MSR_CSTAR 0xc0000083
#define MHI_MSR_SFMASK 0xc0000084
#define MHI_MSR_FS_BASE 0xc0000100
#define MHI_MSR_GS_BASE 0xc0000101
#define MHI_MSR_KERNEL_GS_BASE 0xc0000102
#define MHI_MSR_TSC_AUX 0xc0000103

/* SDM 3B 17.2 "Debug Registers", APM 2 13.1.1 "Debug Registers" */
#define MHI_DR6_RESET 0xffff0ff0ull
#define MHI_DR6_BREAKPOINTS 0xfull
#define MHI_DR6_BS MHI_BIT(14)
#define MHI_DR7_RESET 0x400ull
#define MHI_DR7_ENABLES 0xffull

#define MHI_PAT_RESET 0x0007040600070406ull
#define MHI_APIC_BASE_BSP (1ull << 8)

#endif

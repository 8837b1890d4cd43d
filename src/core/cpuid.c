/* SPDX-License-Identifier: MIT */
/*
 * The CPUID policy: which of the host's features a guest sees, and its topology. A feature is
 * shown when the host has it, it is in the allow list here (the shim virtualizes it, or it needs
 * nothing), and the CR4 and XCR0 bits it depends on are open to guests. SDM 2A "CPUID", APM 3
 * appendix E "Obtaining Processor Information Via the CPUID Instruction".
 */
#include "core/cpuid.h"

#include <cpuid.h>

#include "base/x86.h"
#include "core/hyperv.h"
#include "macrohard/guest.h"

#define EXT_BASE 0x80000000u
#define HV_BASE 0x40000000u
#define HV_SECOND 0x40000100u /* where a second hypervisor's leafs begin */
#define HV_FEATURES 1u	      /* leafs from the base */
#define HV_TIMING 0x10u
#define LEAF_TOPOLOGY 0xbu
#define LEAF_XSAVE 0xdu
#define LEAF_CRYSTAL 0x15u
#define LEAF_FREQUENCY 0x16u
#define LEAF_TOPOLOGY_V2 0x1fu
#define EXT_LAST 0x80000021u

/*
 * KVM's paravirtual interface, of which guests get only the clock:
 * Documentation/virt/kvm/x86/cpuid.rst.
 */
#define KVM_FEATURE_CLOCKSOURCE (1u << 0)
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)
#define KVM_FEATURE_CLOCKSOURCE_STABLE (1u << 24)

/* "Microsoft Hv", "Hv#1"; a version that had all that is offered, 10.0.14393. */
#define HYPERV_NAME 0x7263694d, 0x666f736f, 0x76482074
#define HYPERV_V1 0x31237648
#define HYPERV_BUILD 14393
#define HYPERV_VERSION 0x000a0000
#define HYPERV_RELAXED_TIMING (1u << 5) /* no watchdogs: time may pass unseen */
#define HYPERV_SPIN_FOR_EVER 0xffffffffu

#define LEAF1_ECX_PCID (1u << 17)
#define LEAF1_ECX_X2APIC (1u << 21)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_XSAVE (1u << 26)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define LEAF1_EDX_HTT (1u << 28)
#define LEAF6_EAX_ARAT (1u << 2)
#define EXT1_ECX_CMP_LEGACY (1u << 1)
#define EXT1_ECX_TOPOEXT (1u << 22)
#define XSAVE1_XSAVEOPT (1u << 0)
#define XSAVE1_XSAVEC (1u << 1)
#define XSAVE1_XGETBV1 (1u << 2)
#define XSAVE_SUPERVISOR (1u << 0)
#define XSAVE_ALIGN64 (1u << 1)
#define XSAVE_LEGACY_BYTES 576u
#define CACHE_TYPE(eax) ((eax)&31)
#define CACHE_LEVEL(eax) (((eax) >> 5) & 7)
#define CACHE_SUBLEAFS 8u
#define LINEAR_BITS 48u

/*
 * What is missing here needs something that the shim does not virtualize: see the comment of each
 * group.
 */
struct allowed {
	u32 leaf, subleaf, reg, bits;
};

#define B(n) (1u << (n))

static const struct allowed allowed[] = {
	/*
	 * Hidden: DTES64 MONITOR DS-CPL VMX SMX EIST TM2 CNXT-ID SDBG xTPR PDCM DCA. Shown: SSE3
	 * PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND
	 */
	{ 1, 0, MHI_ECX,
	  B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | B(22) | B(23) | B(25) |
		  B(26) | B(28) | B(29) | B(30) },
	/* Hidden: PSN DS ACPI TM IA64 PBE */
	{ 1, 0, MHI_EDX, 0x0f8bfbffu },
	/*
	 * Hidden: TSC_ADJUST SGX PQM MPX PQE PT. Shown: FSGSBASE BMI1 HLE AVX2 FDP_EXCPTN_ONLY
	 * SMEP BMI2 ERMS INVPCID RTM NO_FPU_CSDS AVX512F/DQ RDSEED ADX SMAP AVX512_IFMA
	 * CLFLUSHOPT CLWB AVX512PF/ER/CD SHA AVX512BW/VL
	 */
	{ 7, 0, MHI_EBX,
	  B(0) | B(3) | B(4) | B(5) | B(6) | B(7) | B(8) | B(9) | B(10) | B(11) | B(13) | B(16) |
		  B(17) | B(18) | B(19) | B(20) | B(21) | B(23) | B(24) | B(26) | B(27) | B(28) |
		  B(29) | B(30) | B(31) },
	/*
	 * Hidden: PKU OSPKE WAITPKG CET_SS TME LA57 KL BUS_LOCK_DETECT ENQCMD SGX_LC PKS. Shown:
	 * AVX512_VBMI UMIP VBMI2 GFNI VAES VPCLMULQDQ AVX512_VNNI BITALG VPOPCNTDQ RDPID CLDEMOTE
	 * MOVDIRI MOVDIR64B
	 */
	{ 7, 0, MHI_ECX,
	  B(1) | B(2) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | B(14) | B(22) | B(25) | B(27) |
		  B(28) },
	/*
	 * Hidden: UINTR SRBDS_CTRL HYBRID PCONFIG ARCH_LBR CET_IBT AMX and the MSRs of
	 * speculation control. Shown: AVX512_4VNNIW 4FMAPS FSRM VP2INTERSECT MD_CLEAR
	 * RTM_ALWAYS_ABORT SERIALIZE TSXLDTRK AVX512_FP16
	 */
	{ 7, 0, MHI_EDX, B(2) | B(3) | B(4) | B(8) | B(10) | B(11) | B(14) | B(16) | B(23) },
	/* SHA512 SM3 SM4 AVX-VNNI AVX512_BF16 CMPCCXADD FZLRM FSRS FSRC AVX-IFMA */
	{ 7, 1, MHI_EAX, B(0) | B(1) | B(2) | B(4) | B(5) | B(7) | B(10) | B(11) | B(12) | B(23) },
	/* AVX-VNNI-INT8 AVX-NE-CONVERT AVX-VNNI-INT16 PREFETCHI */
	{ 7, 1, MHI_EDX, B(4) | B(5) | B(10) | B(14) },
	/* Hidden: XSAVES XFD */
	{ LEAF_XSAVE, 1, MHI_EAX, XSAVE1_XSAVEOPT | XSAVE1_XSAVEC | XSAVE1_XGETBV1 },
	/*
	 * Hidden: SVM EXTAPIC CR8_LEGACY OSVW IBS SKINIT WDT LWP TCE NODEID PERFCTR DBEXT PERFTSC
	 * MWAITX. Shown: LAHF CMP_LEGACY ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM TOPOEXT
	 */
	{ 0x80000001, 0, MHI_ECX,
	  B(0) | B(1) | B(5) | B(6) | B(7) | B(8) | B(11) | B(16) | B(21) | B(22) },
	/*
	 * Hidden: MP FFXSR. Shown: SYSCALL NX MMXEXT PDPE1GB RDTSCP LM 3DNOWEXT 3DNOW, and AMD's
	 * copies of leaf 1
	 */
	{ 0x80000001, 0, MHI_EDX,
	  B(11) | B(20) | B(22) | B(26) | B(27) | B(29) | B(30) | B(31) | 0x0183f3ffu },
	/* Invariant TSC */
	{ 0x80000007, 0, MHI_EDX, B(8) },
	/* Hidden: RDPRU INVLPGB IBPB IBRS STIBP SSBD. Shown: CLZERO XSAVEERPTR WBNOINVD */
	{ 0x80000008, 0, MHI_EBX, B(0) | B(2) | B(9) },
	/* No nested data breakpoints, LFENCE always serialising, null selector clears base */
	{ 0x80000021, 0, MHI_EAX, B(0) | B(2) | B(6) },
};

/* Features that need a CR4 bit. */
struct depends {
	u32 leaf, reg, bit;
	u64 cr4;
};

static const struct depends on_cr4[] = {
	{ 1, MHI_EDX, 1, MHI_CR4_VME },
	{ 1, MHI_EDX, 2, MHI_CR4_DE },
	{ 1, MHI_EDX, 3, MHI_CR4_PSE },
	{ 1, MHI_EDX, 6, MHI_CR4_PAE },
	{ 1, MHI_EDX, 7, MHI_CR4_MCE },
	{ 1, MHI_EDX, 13, MHI_CR4_PGE },
	{ 1, MHI_ECX, 17, MHI_CR4_PCIDE },
	{ 1, MHI_ECX, 26, MHI_CR4_OSXSAVE },
	{ 7, MHI_EBX, 0, MHI_CR4_FSGSBASE },
	{ 7, MHI_EBX, 7, MHI_CR4_SMEP },
	{ 7, MHI_EBX, 20, MHI_CR4_SMAP },
	{ 7, MHI_ECX, 2, MHI_CR4_UMIP },
	{ EXT_BASE + 1, MHI_EDX, 1, MHI_CR4_VME },
	{ EXT_BASE + 1, MHI_EDX, 2, MHI_CR4_DE },
	{ EXT_BASE + 1, MHI_EDX, 3, MHI_CR4_PSE },
	{ EXT_BASE + 1, MHI_EDX, 6, MHI_CR4_PAE },
	{ EXT_BASE + 1, MHI_EDX, 7, MHI_CR4_MCE },
	{ EXT_BASE + 1, MHI_EDX, 13, MHI_CR4_PGE },
};

/*
 * Features whose registers are a component of XCR0 (sub-leaf 0 or 1 of leaf 7, leaf 1, extended
 * leaf 1).
 */
static const struct {
	u32 leaf, subleaf, reg, bits;
	u64 xcr0;
} on_xcr0[] = {
	{ 1, 0, MHI_ECX, B(12) | B(28) | B(29), MHI_XCR0_AVX },
	{ 7, 0, MHI_EBX, B(5), MHI_XCR0_AVX },
	{ 7, 0, MHI_ECX, B(9) | B(10), MHI_XCR0_AVX },
	{ 7, 1, MHI_EAX, B(0) | B(1) | B(2) | B(4) | B(23), MHI_XCR0_AVX },
	{ 7, 1, MHI_EDX, B(4) | B(5) | B(10), MHI_XCR0_AVX },
	{ EXT_BASE + 1, 0, MHI_ECX, B(11) | B(16), MHI_XCR0_AVX },
	{ 7, 0, MHI_EBX, B(16) | B(17) | B(21) | B(26) | B(27) | B(28) | B(30) | B(31),
	  MHI_XCR0_AVX512 },
	{ 7, 0, MHI_ECX, B(1) | B(6) | B(11) | B(12) | B(14), MHI_XCR0_AVX512 },
	{ 7, 0, MHI_EDX, B(2) | B(3) | B(8) | B(23), MHI_XCR0_AVX512 },
	{ 7, 1, MHI_EAX, B(5), MHI_XCR0_AVX512 },
};

struct builder {
	const struct mhi_cpuid_host *host;
	const struct mhi_cpuid_config *config;
	const struct mhk_info *info;
	struct mhk_cpuid_entry *table; /* [MHK_MAX_CPUID] */
	u32 count;
	u32 host_max, host_ext_max;
	u64 xcr0;     /* what the guest may set; 0: no XSAVE */
	u32 id_shift; /* bits of an APIC id that number the CPUs of the package */
};

static void native_query(void *opaque, u32 leaf, u32 subleaf, u32 regs[4])
{
	__cpuid_count(leaf, subleaf, regs[MHI_EAX], regs[MHI_EBX], regs[MHI_ECX], regs[MHI_EDX]);
}

const struct mhi_cpuid_host mhi_cpuid_native = { native_query, NULL };

static void host_query(const struct builder *b, u32 leaf, u32 subleaf, u32 regs[4])
{
	u32 max = leaf >= EXT_BASE ? b->host_ext_max : b->host_max;

	memset(regs, 0, 4 * sizeof(regs[0]));
	/* Beyond its last leaf a CPU repeats another's values. */
	if (leaf <= max)
		b->host->query(b->host->opaque, leaf, subleaf, regs);
}

static void add(struct builder *b, u32 leaf, u32 subleaf, u32 flags, const u32 regs[4])
{
	if (b->count == MHK_MAX_CPUID)
		return;
	b->table[b->count++] = (struct mhk_cpuid_entry){ .leaf = leaf,
							 .subleaf = subleaf,
							 .flags = flags,
							 .eax = regs[MHI_EAX],
							 .ebx = regs[MHI_EBX],
							 .ecx = regs[MHI_ECX],
							 .edx = regs[MHI_EDX] };
}

/* Reduce one register to what a guest may see; a register without an allow-list entry reads 0. */
static u32 filter(const struct builder *b, u32 leaf, u32 subleaf, u32 reg, u32 value)
{
	u32 keep = 0;
	size_t i;

	for (i = 0; i < MHI_COUNT(allowed); i++)
		if (allowed[i].leaf == leaf && allowed[i].subleaf == subleaf &&
		    allowed[i].reg == reg)
			keep = allowed[i].bits;
	if (subleaf == 0)
		for (i = 0; i < MHI_COUNT(on_cr4); i++)
			if (on_cr4[i].leaf == leaf && on_cr4[i].reg == reg &&
			    !(b->info->cr4 & on_cr4[i].cr4))
				keep &= ~B(on_cr4[i].bit);
	for (i = 0; i < MHI_COUNT(on_xcr0); i++)
		if (on_xcr0[i].leaf == leaf && on_xcr0[i].subleaf == subleaf &&
		    on_xcr0[i].reg == reg && (b->xcr0 & on_xcr0[i].xcr0) != on_xcr0[i].xcr0)
			keep &= ~on_xcr0[i].bits;
	return value & keep;
}

static void filter_all(const struct builder *b, u32 leaf, u32 subleaf, u32 regs[4])
{
	u32 reg;

	for (reg = 0; reg < 4; reg++)
		regs[reg] = filter(b, leaf, subleaf, reg, regs[reg]);
}

static u32 log2_up(u32 n)
{
	u32 bits = 0;

	while ((1u << bits) < n)
		bits++;
	return bits;
}

static void copy(struct builder *b, u32 leaf)
{
	u32 regs[4];

	host_query(b, leaf, 0, regs);
	add(b, leaf, 0, 0, regs);
}

static void leaf_0(struct builder *b)
{
	u32 regs[4], max = b->host_max < LEAF_TOPOLOGY_V2 ? b->host_max : LEAF_TOPOLOGY_V2;

	host_query(b, 0, 0, regs);
	if (max < LEAF_TOPOLOGY)
		max = LEAF_TOPOLOGY;
	if (b->info->vendor == MHK_VENDOR_VMX && max < LEAF_FREQUENCY)
		max = LEAF_FREQUENCY;
	regs[MHI_EAX] = max;
	add(b, 0, 0, 0, regs);
}

static void leaf_1(struct builder *b)
{
	u32 regs[4], ebx;

	host_query(b, 1, 0, regs);
	/* EBX: CLFLUSH size stays; APIC ids of the package, and this CPU's own. */
	ebx = regs[MHI_EBX] & 0xff00;
	ebx |= (B(b->id_shift) & 0xff) << 16 | b->config->apic_id << 24;
	regs[MHI_EBX] = ebx;
	regs[MHI_ECX] = filter(b, 1, 0, MHI_ECX, regs[MHI_ECX]);
	regs[MHI_ECX] |= LEAF1_ECX_X2APIC | LEAF1_ECX_TSC_DEADLINE | LEAF1_ECX_HYPERVISOR;
	if (!b->xcr0)
		regs[MHI_ECX] &= ~LEAF1_ECX_XSAVE;
	regs[MHI_EDX] = filter(b, 1, 0, MHI_EDX, regs[MHI_EDX]);
	if (b->config->cpus > 1)
		regs[MHI_EDX] |= LEAF1_EDX_HTT;
	add(b, 1, 0, 0, regs);
}

/* Caches: one core per CPU, all cores share what the host's level 3 and above share. */
static void caches(struct builder *b, u32 leaf)
{
	u32 sharing = B(b->id_shift) - 1, regs[4], i;

	for (i = 0; i < CACHE_SUBLEAFS; i++) {
		u32 eax;

		host_query(b, leaf, i, regs);
		eax = regs[MHI_EAX] & 0x3fff;
		if (CACHE_TYPE(eax) && CACHE_LEVEL(eax) >= 3)
			eax |= sharing << 14;
		if (CACHE_TYPE(eax) && leaf == 4)
			eax |= sharing << 26;
		regs[MHI_EAX] = eax;
		add(b, leaf, i, MHK_CPUID_SUBLEAF, regs);
		if (!CACHE_TYPE(eax))
			break;
	}
}

static void leaf_6(struct builder *b)
{
	/* The APIC timer does not stop; nothing else of power management is there. */
	const u32 regs[4] = { LEAF6_EAX_ARAT, 0, 0, 0 };

	add(b, 6, 0, 0, regs);
}

static void leaf_7(struct builder *b)
{
	u32 regs[4], sub1[4], last;

	host_query(b, 7, 0, regs);
	last = regs[MHI_EAX] ? 1 : 0;
	filter_all(b, 7, 0, regs);
	regs[MHI_EAX] = last;
	add(b, 7, 0, MHK_CPUID_SUBLEAF, regs);
	if (!last)
		return;
	host_query(b, 7, 1, sub1);
	filter_all(b, 7, 1, sub1);
	add(b, 7, 1, MHK_CPUID_SUBLEAF, sub1);
}

/*
 * One thread per core, all cores in one package: SDM 3A 9.9.1 "Hierarchical Mapping of Shared
 * Resources".
 */
static void topology(struct builder *b, u32 leaf)
{
	const u32 id = b->config->apic_id;
	const u32 thread[4] = { 0, 1, 0 | 1 << 8, id };
	const u32 core[4] = { b->id_shift, b->config->cpus, 1 | 2 << 8, id };
	const u32 end[4] = { 0, 0, 2, id };

	add(b, leaf, 0, MHK_CPUID_SUBLEAF, thread);
	add(b, leaf, 1, MHK_CPUID_SUBLEAF, core);
	add(b, leaf, 2, MHK_CPUID_SUBLEAF, end);
}

static u32 align64(u32 n)
{
	return (n + 63) & ~63u;
}

/*
 * Sizes follow from the components that the guest may enable: SDM 1 13.2 "Enumeration of CPU
 * Support".
 */
static void leaf_xsave(struct builder *b)
{
	u32 component[64][4], regs[4], standard = XSAVE_LEGACY_BYTES, compact = XSAVE_LEGACY_BYTES,
				       i;

	if (!b->xcr0)
		return;
	for (i = 2; i < 63; i++) {
		if (!(b->xcr0 & MHI_BIT(i)))
			continue;
		host_query(b, LEAF_XSAVE, i, component[i]);
		component[i][MHI_ECX] &= XSAVE_ALIGN64;
		component[i][MHI_EDX] = 0;
		if (component[i][MHI_EBX] + component[i][MHI_EAX] > standard)
			standard = component[i][MHI_EBX] + component[i][MHI_EAX];
		if (component[i][MHI_ECX] & XSAVE_ALIGN64)
			compact = align64(compact);
		compact += component[i][MHI_EAX];
	}
	regs[MHI_EAX] = (u32)b->xcr0;
	regs[MHI_EBX] = XSAVE_LEGACY_BYTES; /* the kernel keeps it true to XCR0 */
	regs[MHI_ECX] = standard;
	regs[MHI_EDX] = (u32)(b->xcr0 >> 32);
	add(b, LEAF_XSAVE, 0, MHK_CPUID_SUBLEAF, regs);
	host_query(b, LEAF_XSAVE, 1, regs);
	filter_all(b, LEAF_XSAVE, 1, regs);
	if (regs[MHI_EAX] & XSAVE1_XSAVEC)
		regs[MHI_EBX] = compact;
	add(b, LEAF_XSAVE, 1, MHK_CPUID_SUBLEAF, regs);
	for (i = 2; i < 63; i++)
		if (b->xcr0 & MHI_BIT(i))
			add(b, LEAF_XSAVE, i, MHK_CPUID_SUBLEAF, component[i]);
}

/*
 * The "crystal" is the clock that feeds the local APIC's timer; the ratio makes the TSC exact in
 * kHz.
 */
static void leaf_clocks(struct builder *b)
{
	const u32 timer_khz = b->info->timer_khz, mhz = b->info->tsc_khz / 1000;
	const u32 crystal[4] = { timer_khz, b->info->tsc_khz, timer_khz * 1000, 0 };
	const u32 frequency[4] = { mhz, mhz, 100, 0 };

	if (b->info->vendor != MHK_VENDOR_VMX)
		return;
	add(b, LEAF_CRYSTAL, 0, 0, crystal);
	add(b, LEAF_FREQUENCY, 0, 0, frequency);
}

/* TLFS 2.4 "Microsoft Hypervisor CPUID Leaves", 0x40000000 to 0x40000006. */
static void leafs_hyperv(struct builder *b)
{
	static const u32 identity[4] = { HV_BASE + 6, HYPERV_NAME }, interface[4] = { HYPERV_V1 };
	static const u32 version[4] = { HYPERV_BUILD, HYPERV_VERSION };
	static const u32 features[4] = { MHI_HV_EAX_FEATURES, 0, 0, MHI_HV_EDX_FEATURES };
	static const u32 advice[4] = { HYPERV_RELAXED_TIMING, HYPERV_SPIN_FOR_EVER };
	static const u32 none[4];
	const u32 limits[4] = { b->config->cpus, b->config->cpus };

	add(b, HV_BASE, 0, 0, identity);
	add(b, HV_BASE + 1, 0, 0, interface);
	add(b, HV_BASE + 2, 0, 0, version);
	add(b, MHI_HV_FEATURES, 0, 0, features);
	add(b, HV_BASE + 4, 0, 0, advice);
	add(b, HV_BASE + 5, 0, 0, limits);
	add(b, HV_BASE + 6, 0, 0, none);
}

/*
 * Our own, behind the others: guests look for the interface they know from 0x40000000 on, in steps
 * of 0x100.
 */
static void leafs_own(struct builder *b)
{
	static const u32 signature[4] = { MHG_LEAF + 1, MHG_SIGNATURE_EBX, MHG_SIGNATURE_ECX,
					  MHG_SIGNATURE_EDX };
	const u32 calls[4] = { MHG_INTERFACE, b->config->version, b->config->hypercalls, MHG_KEY };

	if (!b->config->hypercalls)
		return;
	add(b, MHG_LEAF, 0, 0, signature);
	add(b, MHG_LEAF + 1, 0, 0, calls);
}

static void leafs_hypervisor(struct builder *b)
{
	const u32 base = b->config->hyperv ? HV_SECOND : HV_BASE;
	/* "KVMKVMKVM\0\0\0" */
	const u32 signature[4] = { base + HV_TIMING, 0x4b4d564b, 0x564b4d56, 0x4d };
	const u32 features[4] = { KVM_FEATURE_CLOCKSOURCE | KVM_FEATURE_CLOCKSOURCE2 |
					  KVM_FEATURE_CLOCKSOURCE_STABLE,
				  0, 0, 0 };
	const u32 timing[4] = { b->info->tsc_khz, b->info->timer_khz, 0, 0 };

	if (b->config->hyperv)
		leafs_hyperv(b);
	add(b, base, 0, 0, signature);
	add(b, base + HV_FEATURES, 0, 0, features);
	add(b, base + HV_TIMING, 0, 0, timing);
	leafs_own(b);
}

static void leaf_ext_0(struct builder *b)
{
	u32 regs[4];

	host_query(b, EXT_BASE, 0, regs);
	if (regs[MHI_EAX] > EXT_LAST)
		regs[MHI_EAX] = EXT_LAST;
	add(b, EXT_BASE, 0, 0, regs);
}

static void leaf_ext_1(struct builder *b)
{
	u32 regs[4], eax, ebx;

	host_query(b, EXT_BASE + 1, 0, regs);
	eax = regs[MHI_EAX];
	ebx = regs[MHI_EBX];
	filter_all(b, EXT_BASE + 1, 0, regs);
	regs[MHI_EAX] = eax;
	regs[MHI_EBX] = ebx;
	regs[MHI_ECX] &= ~EXT1_ECX_CMP_LEGACY;
	if (b->info->vendor == MHK_VENDOR_SVM && b->config->cpus > 1)
		regs[MHI_ECX] |= EXT1_ECX_CMP_LEGACY;
	add(b, EXT_BASE + 1, 0, 0, regs);
}

static void leaf_ext_8(struct builder *b)
{
	u32 regs[4], phys;

	host_query(b, EXT_BASE + 8, 0, regs);
	phys = regs[MHI_EAX] & 0xff;
	if (phys > b->info->phys_bits)
		phys = b->info->phys_bits;
	regs[MHI_EAX] = phys | LINEAR_BITS << 8;
	regs[MHI_EBX] = filter(b, EXT_BASE + 8, 0, MHI_EBX, regs[MHI_EBX]);
	regs[MHI_ECX] = 0;
	regs[MHI_EDX] = 0;
	if (b->info->vendor == MHK_VENDOR_SVM)
		regs[MHI_ECX] = (b->config->cpus - 1) | b->id_shift << 12;
	add(b, EXT_BASE + 8, 0, 0, regs);
}

/* Extended leafs 0x1d and 0x1e exist for guests that see TOPOEXT. */
static void leafs_amd_topology(struct builder *b)
{
	const u32 id = b->config->apic_id;
	const u32 node[4] = { id, id, 0, 0 };
	u32 regs[4];

	host_query(b, EXT_BASE + 1, 0, regs);
	if (b->info->vendor != MHK_VENDOR_SVM || !(regs[MHI_ECX] & EXT1_ECX_TOPOEXT))
		return;
	caches(b, EXT_BASE + 0x1d);
	add(b, EXT_BASE + 0x1e, 0, 0, node);
}

static void leaf_filtered(struct builder *b, u32 leaf)
{
	u32 regs[4];

	host_query(b, leaf, 0, regs);
	filter_all(b, leaf, 0, regs);
	add(b, leaf, 0, 0, regs);
}

static void leafs_extended(struct builder *b)
{
	u32 leaf;

	leaf_ext_0(b);
	leaf_ext_1(b);
	for (leaf = EXT_BASE + 2; leaf <= EXT_BASE + 6; leaf++)
		copy(b, leaf);
	leaf_filtered(b, EXT_BASE + 7);
	leaf_ext_8(b);
	copy(b, EXT_BASE + 0x19); /* TLBs of 1 GiB pages */
	copy(b, EXT_BASE + 0x1a); /* width of the FPU's data paths */
	leafs_amd_topology(b);
	leaf_filtered(b, EXT_BASE + 0x21);
}

u32 mhi_cpuid_build(const struct mhi_cpuid_host *host, const struct mhi_cpuid_config *config,
		    struct mhk_cpuid_entry *table)
{
	struct builder b = { .host = host, .config = config, .info = config->info, .table = table };
	u32 regs[4];

	host->query(host->opaque, 0, 0, regs);
	b.host_max = regs[MHI_EAX];
	host->query(host->opaque, EXT_BASE, 0, regs);
	b.host_ext_max = regs[MHI_EAX];
	host_query(&b, 1, 0, regs);
	if ((regs[MHI_ECX] & LEAF1_ECX_XSAVE) && (b.info->cr4 & MHI_CR4_OSXSAVE))
		b.xcr0 = b.info->xcr0 & MHI_XCR0_SUPPORTED;
	b.id_shift = log2_up(config->cpus);

	leaf_0(&b);
	leaf_1(&b);
	copy(&b, 2);
	if (b.info->vendor == MHK_VENDOR_VMX)
		caches(&b, 4);
	leaf_6(&b);
	leaf_7(&b);
	topology(&b, LEAF_TOPOLOGY);
	leaf_xsave(&b);
	leaf_clocks(&b);
	if (b.host_max >= LEAF_TOPOLOGY_V2)
		topology(&b, LEAF_TOPOLOGY_V2);
	leafs_hypervisor(&b);
	leafs_extended(&b);
	return b.count;
}

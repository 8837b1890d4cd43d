/* SPDX-License-Identifier: MIT */
/* The CPUID policy over fake host tables: what is hidden, what is added, topology, sizes. */
#include "unit.h"
#include "base/x86.h"
#include "core/cpuid.h"
#include "macrohard/guest.h"

#define ALL_CR4 (~0ull)

/* A host that has every feature bit, with believable values where bits are not features. */
struct host {
	u32 max, ext_max;
	u32 phys_linear; /* 0x80000008.EAX */
};

static void rich_leaf(const struct host *h, u32 leaf, u32 subleaf, u32 r[4])
{
	static const u32 cache_eax[] = { 0xfc004121, 0xfc004122, 0xfc004143, 0xfc03c163, 0 };

	memset(r, 0xff, 4 * sizeof(u32));
	switch (leaf) {
	case 0:
		r[MHI_EAX] = h->max;
		break;
	case 0x80000000:
		r[MHI_EAX] = h->ext_max;
		break;
	case 1:
		r[MHI_EAX] = 0x000906ea;
		r[MHI_EBX] = 0x05100800;
		break;
	case 4:
	case 0x8000001d:
		memset(r, 0, 4 * sizeof(u32));
		r[MHI_EAX] = cache_eax[subleaf < 5 ? subleaf : 4];
		break;
	case 0xd:
		memset(r, 0, 4 * sizeof(u32));
		if (subleaf == 1)
			r[MHI_EAX] = 0x1f;
		if (subleaf == 2)
			r[MHI_EAX] = 256, r[MHI_EBX] = 576;
		if (subleaf >= 5 && subleaf <= 7) {
			static const u32 bytes[] = { 64, 512, 1024 }, at[] = { 1088, 1152, 1664 };

			r[MHI_EAX] = bytes[subleaf - 5];
			r[MHI_EBX] = at[subleaf - 5];
			r[MHI_ECX] = 2;
		}
		break;
	case 0x80000008:
		r[MHI_EAX] = h->phys_linear;
		break;
	}
}

static void rich(void *opaque, u32 leaf, u32 subleaf, u32 r[4])
{
	rich_leaf(opaque, leaf, subleaf, r);
}

/* A host from before most of it: the same with 0xa as its last leaf, and no XSAVE. */
static void poor(void *opaque, u32 leaf, u32 subleaf, u32 r[4])
{
	rich_leaf(opaque, leaf, subleaf, r);
	if (leaf == 1)
		r[MHI_ECX] &= ~(1u << 26);
}

static struct host host;
static struct mhk_info info;
static struct mhk_cpuid_entry table[MHK_MAX_CPUID];
static u32 count;

static void set_up(void)
{
	host = (struct host){ 0x20, 0x80000028, 0x3930 }; /* 57 linear, 48 physical bits */
	info = (struct mhk_info){ .vendor = MHK_VENDOR_VMX,
				  .xcr0 = 0xe7,
				  .cr4 = ALL_CR4,
				  .tsc_khz = 2445123,
				  .timer_khz = 1222561,
				  .phys_bits = 46 };
}

static bool hyperv;
static u32 hypercalls;

static void build_from(void (*query)(void *, u32, u32, u32[4]), u32 cpus, u32 id)
{
	const struct mhi_cpuid_host h = { query, &host };
	const struct mhi_cpuid_config config = { &info, cpus, id, hyperv, hypercalls, 0x10203 };

	count = mhi_cpuid_build(&h, &config, table);
	ck_assert_uint_gt(count, 10);
	ck_assert_uint_lt(count, MHK_MAX_CPUID);
}

static void build(u32 cpus, u32 id)
{
	build_from(rich, cpus, id);
}

/* As the kernel answers: zeros for what is not listed. */
static struct mhk_cpuid_entry get(u32 leaf, u32 subleaf)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (table[i].leaf == leaf &&
		    (!(table[i].flags & MHK_CPUID_SUBLEAF) || table[i].subleaf == subleaf))
			return table[i];
	return (struct mhk_cpuid_entry){ 0 };
}

START_TEST(no_doubles)
{
	u32 i, j;

	build(4, 0);
	for (i = 0; i < count; i++) {
		ck_assert_uint_eq(table[i].pad, 0);
		for (j = i + 1; j < count; j++)
			ck_assert(table[i].leaf != table[j].leaf ||
				  ((table[i].flags & MHK_CPUID_SUBLEAF) &&
				   (table[j].flags & MHK_CPUID_SUBLEAF) &&
				   table[i].subleaf != table[j].subleaf));
	}
}
END_TEST

#define HIDDEN(value, bit) ck_assert_msg(!((value) >> (bit)&1), #value " bit %u is shown", bit)
#define SHOWN(value, bit) ck_assert_msg((value) >> (bit)&1, #value " bit %u is hidden", bit)

START_TEST(hides_what_is_not_virtualized)
{
	static const unsigned int leaf1_ecx[] = { 2, 3, 4, 5, 6, 7, 8, 10, 11, 14, 15, 16, 18, 27 };
	static const unsigned int leaf1_edx[] = { 10, 18, 20, 21, 22, 29, 30, 31 };
	static const unsigned int leaf7_ebx[] = { 1, 2, 12, 14, 15, 22, 25 };
	static const unsigned int leaf7_ecx[] = { 0,  3,  4,  5,  7,  13, 15, 16, 17, 18,
						  19, 20, 21, 23, 24, 26, 29, 30, 31 };
	static const unsigned int leaf7_edx[] = { 5,  9,  13, 15, 18, 19, 20, 22,
						  24, 25, 26, 27, 28, 29, 30, 31 };
	static const unsigned int ext1_ecx[] = { 2,  3,	 4,  9,	 10, 12, 13, 15,
						 17, 19, 23, 24, 26, 27, 28, 29 };
	struct mhk_cpuid_entry e;
	size_t i;

	build(1, 0);
	e = get(1, 0);
	for (i = 0; i < MHI_COUNT(leaf1_ecx); i++)
		HIDDEN(e.ecx, leaf1_ecx[i]);
	for (i = 0; i < MHI_COUNT(leaf1_edx); i++)
		HIDDEN(e.edx, leaf1_edx[i]);
	e = get(7, 0);
	for (i = 0; i < MHI_COUNT(leaf7_ebx); i++)
		HIDDEN(e.ebx, leaf7_ebx[i]);
	for (i = 0; i < MHI_COUNT(leaf7_ecx); i++)
		HIDDEN(e.ecx, leaf7_ecx[i]);
	for (i = 0; i < MHI_COUNT(leaf7_edx); i++)
		HIDDEN(e.edx, leaf7_edx[i]);
	e = get(0x80000001, 0);
	for (i = 0; i < MHI_COUNT(ext1_ecx); i++)
		HIDDEN(e.ecx, ext1_ecx[i]);
	HIDDEN(e.edx, 25);
	ck_assert_uint_eq(get(0x80000008, 0).ebx & 0x0107f010, 0);
	ck_assert_uint_eq(get(6, 0).eax, 1u << 2);
	ck_assert_uint_eq(get(6, 0).ecx, 0);
}
END_TEST

START_TEST(absent_leafs)
{
	static const u32 absent[] = { 3,	  5,	      8,	  9,	      0xa,
				      0xc,	  0xf,	      0x10,	  0x12,	      0x14,
				      0x17,	  0x18,	      0x19,	  0x1a,	      0x1b,
				      0x1c,	  0x1d,	      0x20,	  0x8000000a, 0x8000001b,
				      0x8000001c, 0x8000001f, 0x80000020, 0x80000022 };
	size_t i;

	info.vendor = MHK_VENDOR_SVM;
	build(2, 0);
	for (i = 0; i < MHI_COUNT(absent); i++) {
		struct mhk_cpuid_entry e = get(absent[i], 0);

		ck_assert_msg(!(e.eax | e.ebx | e.ecx | e.edx), "leaf 0x%x is not zero", absent[i]);
	}
	ck_assert_uint_eq(get(0x80000000, 0).eax, 0x80000021);
}
END_TEST

START_TEST(keeps_and_adds)
{
	struct mhk_cpuid_entry e;

	build(1, 0);
	e = get(1, 0);
	ck_assert_uint_eq(e.eax, 0x000906ea);
	SHOWN(e.ecx, 0);
	SHOWN(e.ecx, 13);
	SHOWN(e.ecx, 21);
	SHOWN(e.ecx, 24);
	SHOWN(e.ecx, 26);
	SHOWN(e.ecx, 28);
	SHOWN(e.ecx, 31);
	/* What every 64-bit kernel needs. */
	ck_assert_uint_eq(e.edx & 0x078bfbff, 0x078bfbff);
	SHOWN(get(0x80000001, 0).edx, 11);
	SHOWN(get(0x80000001, 0).edx, 20);
	SHOWN(get(0x80000001, 0).edx, 29);
	SHOWN(get(0x80000007, 0).edx, 8);
	ck_assert_uint_eq(get(0x80000007, 0).edx, 1u << 8);
	ck_assert_uint_eq(get(0x80000002, 0).eax, ~0u);
}
END_TEST

/* Always there, although the host has neither. */
static void bare_leaf1(void *opaque, u32 leaf, u32 subleaf, u32 r[4])
{
	rich_leaf(opaque, leaf, subleaf, r);
	if (leaf == 1)
		r[MHI_ECX] = 0;
}

START_TEST(x2apic_always)
{
	build_from(bare_leaf1, 1, 0);
	ck_assert_uint_eq(get(1, 0).ecx, 1u << 21 | 1u << 24 | 1u << 31);
	ck_assert_uint_eq(get(0xd, 0).eax, 0);
}
END_TEST

START_TEST(follows_cr4)
{
	build(1, 0);
	SHOWN(get(1, 0).ecx, 17);
	SHOWN(get(7, 0).ebx, 0);
	SHOWN(get(7, 0).ebx, 7);
	SHOWN(get(7, 0).ebx, 20);
	SHOWN(get(7, 0).ecx, 2);
	info.cr4 &=
		~(MHI_CR4_PCIDE | MHI_CR4_FSGSBASE | MHI_CR4_SMEP | MHI_CR4_SMAP | MHI_CR4_UMIP);
	build(1, 0);
	HIDDEN(get(1, 0).ecx, 17);
	HIDDEN(get(7, 0).ebx, 0);
	HIDDEN(get(7, 0).ebx, 7);
	HIDDEN(get(7, 0).ebx, 20);
	HIDDEN(get(7, 0).ecx, 2);
	info.cr4 &= ~MHI_CR4_OSXSAVE;
	build(1, 0);
	HIDDEN(get(1, 0).ecx, 26);
	HIDDEN(get(1, 0).ecx, 28);
	ck_assert_uint_eq(get(0xd, 0).eax, 0);
}
END_TEST

START_TEST(xsave_sizes)
{
	build(1, 0);
	ck_assert_uint_eq(get(0xd, 0).eax, 0xe7);
	ck_assert_uint_eq(get(0xd, 0).ecx, 1664 + 1024);
	ck_assert_uint_eq(get(0xd, 1).eax, 7);
	/* 576 + 256, then three components on 64-byte boundaries. */
	ck_assert_uint_eq(get(0xd, 1).ebx, 832 + 64 + 512 + 1024);
	ck_assert_uint_eq(get(0xd, 2).eax, 256);
	ck_assert_uint_eq(get(0xd, 6).ecx, 2);
	ck_assert_uint_eq(get(0xd, 9).eax, 0);
	/* The engine takes the upper components away: so do their features go. */
	info.xcr0 = 7 | 1u << 9 | 1u << 17;
	build(1, 0);
	ck_assert_uint_eq(get(0xd, 0).eax, 7);
	ck_assert_uint_eq(get(0xd, 0).ecx, 832);
	ck_assert_uint_eq(get(0xd, 6).eax, 0);
	HIDDEN(get(7, 0).ebx, 16);
	HIDDEN(get(7, 0).ecx, 1);
	SHOWN(get(7, 0).ebx, 5);
	info.xcr0 = 3;
	build(1, 0);
	HIDDEN(get(1, 0).ecx, 28);
	HIDDEN(get(1, 0).ecx, 12);
	HIDDEN(get(7, 0).ebx, 5);
	ck_assert_uint_eq(get(0xd, 0).ecx, 576);
}
END_TEST

START_TEST(topology_intel)
{
	struct mhk_cpuid_entry e;

	build(6, 5);
	e = get(1, 0);
	ck_assert_uint_eq(e.ebx, 5u << 24 | 8u << 16 | 0x0800);
	SHOWN(e.edx, 28);
	e = get(0xb, 0);
	ck_assert_uint_eq(e.eax, 0);
	ck_assert_uint_eq(e.ebx, 1);
	ck_assert_uint_eq(e.ecx, 0x100);
	ck_assert_uint_eq(e.edx, 5);
	e = get(0xb, 1);
	ck_assert_uint_eq(e.eax, 3);
	ck_assert_uint_eq(e.ebx, 6);
	ck_assert_uint_eq(e.ecx, 0x201);
	ck_assert_uint_eq(get(0xb, 2).ecx, 2);
	ck_assert_uint_eq(get(0xb, 2).ebx, 0);
	ck_assert_uint_eq(get(0x1f, 1).ebx, 6);
	/* L1 data: not shared, 8 ids in the package; L3: shared by all. */
	ck_assert_uint_eq(get(4, 0).eax, 7u << 26 | 0x121);
	ck_assert_uint_eq(get(4, 3).eax, 7u << 26 | 7u << 14 | 0x163);
	ck_assert_uint_eq(get(4, 4).eax, 0);
	build(1, 0);
	HIDDEN(get(1, 0).edx, 28);
	ck_assert_uint_eq(get(0xb, 1).eax, 0);
	ck_assert_uint_eq(get(4, 3).eax, 0x163);
}
END_TEST

START_TEST(topology_amd)
{
	info.vendor = MHK_VENDOR_SVM;
	build(5, 3);
	ck_assert_uint_eq(get(0x80000008, 0).ecx, 4 | 3u << 12);
	ck_assert_uint_eq(get(0x8000001e, 0).eax, 3);
	ck_assert_uint_eq(get(0x8000001e, 0).ebx, 3);
	ck_assert_uint_eq(get(0x8000001d, 3).eax, 7u << 14 | 0x163);
	ck_assert_uint_eq(get(4, 0).eax, 0);
	SHOWN(get(0x80000001, 0).ecx, 1);
	ck_assert_uint_eq(get(0x15, 0).eax, 0);
	build(1, 0);
	HIDDEN(get(0x80000001, 0).ecx, 1);
}
END_TEST

START_TEST(clocks)
{
	struct mhk_cpuid_entry e;

	build(1, 0);
	e = get(0x15, 0);
	ck_assert_uint_eq((u64)e.ecx * e.ebx / e.eax, info.tsc_khz * 1000ull);
	ck_assert_uint_eq(e.ecx, 1222561000);
	ck_assert_uint_eq(get(0x16, 0).eax, 2445);
	e = get(0x40000010, 0);
	ck_assert_uint_eq(e.eax, 2445123);
	ck_assert_uint_eq(e.ebx, 1222561);
}
END_TEST

START_TEST(hypervisor_leafs)
{
	struct mhk_cpuid_entry e;
	char signature[12];

	build(1, 0);
	e = get(0x40000000, 0);
	memcpy(signature, &e.ebx, 12);
	ck_assert_int_eq(memcmp(signature, "KVMKVMKVM\0\0", 12), 0);
	ck_assert_uint_eq(e.eax, 0x40000010);
	/* Nothing of KVM but its clock. */
	ck_assert_uint_eq(get(0x40000001, 0).eax, 1u << 0 | 1u << 3 | 1u << 24);
	ck_assert_uint_eq(get(0x40000001, 0).edx, 0);
}
END_TEST

/* Hyper-V's name first, KVM's where a guest looks for a second hypervisor. */
START_TEST(two_hypervisors)
{
	struct mhk_cpuid_entry e;

	hyperv = true;
	build(4, 0);
	hyperv = false;
	e = get(0x40000000, 0);
	ck_assert_int_eq(memcmp(&e.ebx, "Microsoft Hv", 12), 0);
	ck_assert_uint_eq(e.eax, 0x40000006);
	e = get(0x40000001, 0);
	ck_assert_int_eq(memcmp(&e.eax, "Hv#1", 4), 0);
	/* TIME_REF_COUNT, hypercalls, VP_INDEX, REFERENCE_TSC, frequencies; and nothing else. */
	ck_assert_uint_eq(get(0x40000003, 0).eax, 0xa62);
	ck_assert_uint_eq(get(0x40000003, 0).edx, 1u << 8);
	ck_assert_uint_eq(get(0x40000005, 0).eax, 4);
	e = get(0x40000100, 0);
	ck_assert_int_eq(memcmp(&e.ebx, "KVMKVMKVM\0\0", 12), 0);
	ck_assert_uint_eq(e.eax, 0x40000110);
	ck_assert_uint_eq(get(0x40000101, 0).eax, 1u << 0 | 1u << 3 | 1u << 24);
	ck_assert_uint_eq(get(0x40000110, 0).eax, info.tsc_khz);
}
END_TEST

START_TEST(address_widths)
{
	build(1, 0);
	ck_assert_uint_eq(get(0x80000008, 0).eax, 48u << 8 | 46);
	info.phys_bits = 52;
	build(1, 0);
	ck_assert_uint_eq(get(0x80000008, 0).eax, 48u << 8 | 48);
}
END_TEST

/* Behind the others, wherever those are. */
START_TEST(own_leafs)
{
	u32 i;

	build(1, 0);
	ck_assert_uint_eq(get(MHG_LEAF, 0).eax, 0);
	hypercalls = MHG_F_VERSION | MHG_F_IPC;
	for (i = 0; i < 2; i++) {
		hyperv = i;
		build(1, 0);
		ck_assert_uint_eq(get(MHG_LEAF, 0).eax, MHG_LEAF + 1);
		ck_assert_uint_eq(get(MHG_LEAF, 0).ebx, MHG_SIGNATURE_EBX);
		ck_assert_uint_eq(get(MHG_LEAF, 0).ecx, MHG_SIGNATURE_ECX);
		ck_assert_uint_eq(get(MHG_LEAF, 0).edx, MHG_SIGNATURE_EDX);
		ck_assert_uint_eq(get(MHG_LEAF + 1, 0).eax, MHG_INTERFACE);
		ck_assert_uint_eq(get(MHG_LEAF + 1, 0).ebx, 0x10203);
		ck_assert_uint_eq(get(MHG_LEAF + 1, 0).ecx, hypercalls);
		ck_assert_uint_eq(get(MHG_LEAF + 1, 0).edx, MHG_KEY);
		ck_assert_uint_eq(get(0x40000000 + i * 0x100, 0).ebx, 0x4b4d564b);
	}
	hypercalls = 0;
	hyperv = false;
}
END_TEST

START_TEST(old_host)
{
	host.max = 0xa;
	host.ext_max = 0x80000008;
	build_from(poor, 2, 1);
	/* Leafs of our own making are reachable; the host's last leaf is not repeated. */
	ck_assert_uint_eq(get(0, 0).eax, 0x16);
	ck_assert_uint_eq(get(0xb, 1).ebx, 2);
	ck_assert_uint_eq(get(0xd, 0).eax, 0);
	ck_assert_uint_eq(get(0x1f, 0).ebx, 0);
	ck_assert_uint_eq(get(0x80000000, 0).eax, 0x80000008);
	ck_assert_uint_eq(get(0x80000021, 0).eax, 0);
	info.vendor = MHK_VENDOR_SVM;
	build_from(poor, 2, 1);
	ck_assert_uint_eq(get(0, 0).eax, 0xb);
}
END_TEST

/* The real CPU's table has no surprise in form. */
START_TEST(native)
{
	const struct mhi_cpuid_config config = { &info, 4, 2, false, 1, 1 };

	count = mhi_cpuid_build(&mhi_cpuid_native, &config, table);
	ck_assert_uint_le(count, MHK_MAX_CPUID);
	ck_assert_uint_eq(get(1, 0).ebx >> 24, 2);
	HIDDEN(get(1, 0).ecx, 5);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, no_doubles);
	tcase_add_test(tcase, hides_what_is_not_virtualized);
	tcase_add_test(tcase, absent_leafs);
	tcase_add_test(tcase, keeps_and_adds);
	tcase_add_test(tcase, x2apic_always);
	tcase_add_test(tcase, follows_cr4);
	tcase_add_test(tcase, xsave_sizes);
	tcase_add_test(tcase, topology_intel);
	tcase_add_test(tcase, topology_amd);
	tcase_add_test(tcase, clocks);
	tcase_add_test(tcase, hypervisor_leafs);
	tcase_add_test(tcase, own_leafs);
	tcase_add_test(tcase, two_hypervisors);
	tcase_add_test(tcase, address_widths);
	tcase_add_test(tcase, old_host);
	tcase_add_test(tcase, native);
}

UNIT_MAIN("cpuid", add_tests)

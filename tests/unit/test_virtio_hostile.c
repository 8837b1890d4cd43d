// SPDX-License-Identifier: MIT
/*
 * The virtio core with drivers that are wrong or hostile: each malformed ring ends in a chain given
 * back unused or in NEEDS_RESET, with one line in the log; a reset makes the device usable again.
 */
#include "unit.h"
#include "vecho.h"

#define FEATURES (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC)
#define SIZE 16

struct raw_desc {
	u64 addr;
	u32 len;
	u16 at12, at14;
};

static struct vdriver d;
static struct echo *e;
static struct vring r;
static struct raw_desc *desc;
static u16 *driver, *device;
static mh_gpa buffer;

static void begin(bool packed, u64 features)
{
	ck_assert(vd_negotiate(&d, features | (packed ? VIRTIO_F_RING_PACKED : 0)));
	vr_init(&r, &d, 0, SIZE);
	desc = vd_ptr(&d, r.desc);
	driver = vd_ptr(&d, r.driver);
	device = vd_ptr(&d, r.device);
	vd_ok(&d);
	vd_sync(&d);
	d.irqs[1] = 0;
}

static void setup(bool packed)
{
	vd_init(&d);
	e = echo_create(&d);
	vd_attach(&d, &e->dev, false);
	buffer = vd_alloc(&d, 4096, 16);
	begin(packed, FEATURES);
}

/* One split chain with head 0 becomes available. */
static void offer(void)
{
	driver[2 + driver[1] % SIZE] = 0;
	__atomic_store_n(&driver[1], driver[1] + 1, __ATOMIC_SEQ_CST);
	vr_force_kick(&r);
	vd_sync(&d);
}

/* The device gave the last chain back, unused, and works on. */
static void refused(const char *why)
{
	const u32 *used = (const u32 *)(const void *)(device + 2);

	ck_assert_uint_eq(device[1], driver[1]);
	ck_assert_uint_eq(used[2 * ((device[1] - 1) % SIZE)], 0);
	ck_assert_uint_eq(used[2 * ((device[1] - 1) % SIZE) + 1], 0);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	ck_assert_uint_eq(d.logged, 1);
	ck_assert_msg(strstr(d.last_log, why), "%s", d.last_log);
}

static void needs_reset(const char *why)
{
	ck_assert_uint_eq(vd_status(&d), 0xf | VIRTIO_NEEDS_RESET);
	ck_assert_uint_eq(d.logged, 1);
	ck_assert_msg(strstr(d.last_log, why), "%s", d.last_log);
	/* Nothing more is done, whatever comes. */
	e->kicks = 0;
	vr_force_kick(&r);
	vd_sync(&d);
	ck_assert_uint_eq(e->kicks, 0);
}

/* A driver that does right gets an answer. */
static void works(void)
{
	struct vd_buf buf[2] = { { buffer, 4, false }, { buffer + 8, 4, true } };
	u32 len;

	memcpy(vd_ptr(&d, buffer), "abcd", 4);
	ck_assert_int_ge(vr_add(&r, buf, 2, false), 0);
	vr_kick(&r);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&r, &len), 0);
	ck_assert_uint_eq(len, 4);
	ck_assert_uint_eq(*(u8 *)vd_ptr(&d, buffer + 8), 'a' ^ ECHO_KEY);
}

static void table(const struct raw_desc *entries, unsigned int count, u32 bytes)
{
	memcpy(vd_ptr(&d, r.table[0]), entries, count * sizeof(*entries));
	desc[0] = (struct raw_desc){ r.table[0], bytes, 4, 0 };
}

/* Spoils descriptors 0 and 1; returns what the log must say. */
static const char *spoil_direct(unsigned int n)
{
	switch (n) {
	case 0: /* next outside of the table */
		desc[0].at12 = 1;
		desc[0].at14 = SIZE;
		return "no end";
	case 1: /* a loop */
		desc[0].at12 = desc[1].at12 = 1;
		desc[0].at14 = 1;
		return "no end";
	case 2: /* no memory there */
		desc[0].addr = VD_RAM;
		return "not in guest memory";
	case 3: /* its end is none */
		desc[0].addr = VD_RAM - 15;
		return "not in guest memory";
	case 4: /* wraps */
		desc[0].addr = ~0ull - 3;
		return "not in guest memory";
	default: /* out after in */
		desc[0].at12 = 2 | 1;
		desc[0].at14 = 1;
		return "follows";
	}
}

#define DIRECT 6

/* Spoils an indirect table, or the descriptor that names it. */
static const char *spoil_indirect(unsigned int n)
{
	struct raw_desc two[2] = { { buffer, 16, 1, 1 }, { buffer, 16, 2, 0 } };

	switch (n) {
	case 6: /* nested */
		two[0] = (struct raw_desc){ buffer, 16, 4, 0 };
		table(two, 2, 32);
		return "indirect";
	case 7: /* empty */
		table(two, 2, 0);
		return "indirect";
	case 8: /* odd size */
		table(two, 2, 33);
		return "indirect";
	case 9: /* with next */
		table(two, 2, 32);
		desc[0].at12 = 4 | 1;
		return "indirect";
	case 10: /* next outside of the indirect table */
		two[0].at14 = 2;
		table(two, 2, 32);
		return "no end";
	case 11: /* a loop in it */
		two[1].at12 = 3;
		two[1].at14 = 1;
		table(two, 2, 32);
		return "too long";
	case 12: /* the table is nowhere */
		desc[0] = (struct raw_desc){ 1ull << 50, 32, 4, 0 };
		return "not in guest memory";
	default: /* its end is nowhere */
		desc[0] = (struct raw_desc){ VD_RAM - 16, 1 << 30, 4, 0 };
		memcpy(vd_ptr(&d, VD_RAM - 16), two, 16);
		return "not in guest memory";
	}
}

START_TEST(split_chains)
{
	for (unsigned int n = 0; n < 14; n++) {
		const char *why;

		setup(false);
		desc[0] = desc[1] = (struct raw_desc){ buffer, 16, 0, 0 };
		why = n < DIRECT ? spoil_direct(n) : spoil_indirect(n);
		offer();
		refused(why);
		/* A second mistake is not logged. */
		offer();
		refused(why);
		begin(false, FEATURES);
		works();
		vd_fini(&d);
	}
}
END_TEST

START_TEST(split_ring)
{
	setup(false);
	driver[2] = SIZE;
	driver[1] = 1;
	vr_force_kick(&r);
	vd_sync(&d);
	needs_reset("head");
	begin(false, FEATURES);
	works();
	vd_fini(&d);

	setup(false);
	driver[1] = SIZE + 1;
	vr_force_kick(&r);
	vd_sync(&d);
	needs_reset("runs ahead");
	begin(false, FEATURES);
	works();
	vd_fini(&d);

	/* Indirect without having negotiated it. */
	setup(false);
	begin(false, VIRTIO_F_VERSION_1);
	desc[0] = (struct raw_desc){ r.table[0], 16, 4, 0 };
	offer();
	refused("indirect");
	vd_fini(&d);
}
END_TEST

/* Many malformed chains are all given back, with one line in the log. */
START_TEST(many)
{
	setup(false);
	desc[0] = (struct raw_desc){ VD_RAM, 16, 0, 0 };
	for (unsigned int n = 0; n < 40; n++)
		offer();
	ck_assert_uint_eq(d.logged, 1);
	ck_assert_uint_eq(device[1], 40);
	vd_fini(&d);
}
END_TEST

static void offer_packed(unsigned int count)
{
	for (unsigned int n = count; n-- > 0;)
		__atomic_store_n(&desc[n].at14, desc[n].at14 | 0x80, __ATOMIC_SEQ_CST);
	vr_force_kick(&r);
	vd_sync(&d);
}

static void refused_packed(const char *why, u16 id)
{
	ck_assert_uint_eq(desc[0].at14 & 0x8080, 0x8080);
	ck_assert_uint_eq(desc[0].at12, id);
	ck_assert_uint_eq(desc[0].len, 0);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	ck_assert_uint_eq(d.logged, 1);
	ck_assert_msg(strstr(d.last_log, why), "%s", d.last_log);
}

START_TEST(packed_chains)
{
	struct raw_desc two[2];

	for (unsigned int n = 0; n < 8; n++) {
		const char *why = "indirect";
		unsigned int count = 1;

		setup(true);
		desc[0] = desc[1] = (struct raw_desc){ buffer, 16, 77, 0 };
		two[0] = two[1] = (struct raw_desc){ buffer, 16, 0, 0 };
		memcpy(vd_ptr(&d, r.table[0]), two, sizeof(two));
		switch (n) {
		case 0:
			desc[0].addr = VD_RAM;
			why = "not in guest memory";
			break;
		case 1: /* out after in, in two descriptors */
			desc[0].at14 = 2 | 1;
			count = 2;
			why = "follows";
			break;
		case 2:
			desc[0] = (struct raw_desc){ r.table[0], 0, 77, 4 };
			break;
		case 3:
			desc[0] = (struct raw_desc){ r.table[0], 17, 77, 4 };
			break;
		case 4: /* nested */
			((struct raw_desc *)vd_ptr(&d, r.table[0]))->at14 = 4;
			desc[0] = (struct raw_desc){ r.table[0], 32, 77, 4 };
			break;
		case 5: /* too long */
			desc[0] = (struct raw_desc){ r.table[0], 16 * 1025, 77, 4 };
			why = "too long";
			break;
		case 6: /* indirect behind another */
			desc[0].at14 = 1;
			desc[1] = (struct raw_desc){ r.table[0], 32, 77, 4 };
			count = 2;
			break;
		default:
			desc[0] = (struct raw_desc){ ~0ull << 4, 32, 77, 4 };
			why = "not in guest memory";
			break;
		}
		offer_packed(count);
		refused_packed(why, 77);
		begin(true, FEATURES);
		works();
		vd_fini(&d);
	}
}
END_TEST

START_TEST(packed_ring)
{
	setup(true);
	for (unsigned int n = 0; n < SIZE; n++)
		desc[n] = (struct raw_desc){ buffer, 16, 1, 1 };
	offer_packed(SIZE);
	needs_reset("no end");
	begin(true, FEATURES);
	works();
	vd_fini(&d);
}
END_TEST

/* A queue whose registers say nonsense. */
START_TEST(queue_registers)
{
	static const struct {
		u64 desc, driver, device;
		u16 size;
		bool packed;
	} bad[] = {
		{ 0x1000, 0x2000, 0x3000, 0, false },
		{ 0x1000, 0x2000, 0x3000, 12, false },
		{ 0x1000, 0x2000, 0x3000, 512, false },
		{ 0x1008, 0x2000, 0x3000, 16, false },
		{ 0x1000, 0x2001, 0x3000, 16, false },
		{ 0x1000, 0x2000, 0x3002, 16, false },
		{ VD_RAM, 0x2000, 0x3000, 16, false },
		{ 0x1000, VD_RAM - 8, 0x3000, 16, false },
		{ 0x1000, 0x2000, 1ull << 60, 16, false },
		{ ~0ull << 4, 0x2000, 0x3000, 16, false },
		{ 0x1000, 0x2002, 0x3000, 16, true },
		{ 0x1000, 0x2000, 0x3000, 300, true },
		{ VD_RAM - 16, 0x2000, 0x3000, 16, true },
	};

	for (unsigned int n = 0; n < MHI_COUNT(bad); n++) {
		setup(bad[n].packed);
		vd_write(&d, 0x16, 2, 1);
		vd_write(&d, 0x18, 2, bad[n].size);
		vd_write(&d, 0x20, 8, bad[n].desc);
		vd_write(&d, 0x28, 8, bad[n].driver);
		vd_write(&d, 0x30, 8, bad[n].device);
		vd_write(&d, 0x1c, 2, 1);
		ck_assert_uint_eq(vd_read(&d, 0x1c, 2), 0);
		needs_reset("ring's size or address");
		vd_fini(&d);
	}
}
END_TEST

/*
 * Rings in read-only memory: a device that wrote there would change firmware, or end with a fault
 * in what an embedder has mapped for reading.
 */
START_TEST(read_only_rings)
{
	for (unsigned int n = 0; n < 2; n++) {
		setup(n);
		vd_write(&d, 0x16, 2, 1);
		vd_write(&d, 0x18, 2, 16);
		vd_write(&d, 0x20, 8, 0x1000);
		vd_write(&d, 0x28, 8, 0x2000);
		vd_write(&d, 0x30, 8, 0x3000);
		d.ram.mem.slots.slot[0].readonly = true;
		vd_write(&d, 0x1c, 2, 1);
		ck_assert_uint_eq(vd_read(&d, 0x1c, 2), 0);
		needs_reset("ring's size or address");
		vd_fini(&d);
	}
}
END_TEST

/* Random words in every ring structure, random registers, resets: nothing may break. */
static void storm(bool packed, u64 seed)
{
	struct rng rng = { seed };

	vd_init(&d);
	e = echo_create(&d);
	vd_attach(&d, &e->dev, false);
	buffer = vd_alloc(&d, 4096, 16);
	for (unsigned int round = 0; round < 300; round++) {
		e->hold = rng_below(&rng, 2);
		d.brk = 0x20000;
		begin(packed, VIRTIO_F_VERSION_1 | (rng_next(&rng) &
						    (VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)));
		for (unsigned int n = 0; n < 60; n++) {
			u16 *words = vd_ptr(&d, r.desc);
			u64 span = (r.table[SIZE - 1] + 1024 - r.desc) / 2;

			for (unsigned int i = 0; i < 30; i++)
				words[rng_below(&rng, rng_below(&rng, 3) ? 8 * SIZE : span)] =
					(u16)(rng_next(&rng) &
					      (rng_below(&rng, 2) ? 0x8f : 0xffff));
			if (!packed)
				driver[1] += (u16)rng_below(&rng, 3);
			if (!rng_below(&rng, 4))
				vd_write(&d, rng_below(&rng, 0x40), 1u << rng_below(&rng, 4),
					 rng_next(&rng));
			vr_force_kick(&r);
			if (!rng_below(&rng, 3))
				mhi_loop_call(d.loop, echo_complete, e);
			if (!rng_below(&rng, 16))
				vd_set_status(&d, 0);
		}
		e->hold = false;
		mhi_loop_call(d.loop, echo_complete, e);
		vd_sync(&d);
		d.pci.pci.ops->run(&d.pci, false);
		d.pci.pci.ops->reset(&d.pci);
		d.pci.pci.ops->run(&d.pci, true);
	}
	/* All in all one line. */
	ck_assert_uint_eq(d.logged, 1);
	begin(packed, FEATURES);
	works();
	vd_fini(&d);
}

START_TEST(storms)
{
	storm(false, 0x9e3779b97f4a7c15);
	storm(true, 0xbf58476d1ce4e5b9);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, split_chains);
	tcase_add_test(tcase, split_ring);
	tcase_add_test(tcase, many);
	tcase_add_test(tcase, packed_chains);
	tcase_add_test(tcase, packed_ring);
	tcase_add_test(tcase, queue_registers);
	tcase_add_test(tcase, read_only_rings);
	tcase_add_test(tcase, storms);
}

UNIT_MAIN("virtio_hostile", add_tests)

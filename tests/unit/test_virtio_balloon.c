// SPDX-License-Identifier: MIT
/* virtio-balloon: pages that go, targets, statistics, reports; lists and addresses of nonsense. */
#include "unit.h"
#include "core/le.h"
#include "vdriver.h"
#include "virtio/balloon.h"

#define STATS 2
#define POISON 16
#define REPORTING 32
#define FEATURES (2 | 4 | POISON | REPORTING)
#define PAGE MHI_PAGE_SIZE
#define NUM_PAGES 0x2000
#define ACTUAL 0x2004
#define POISON_VAL 0x200c

static struct vdriver d;
static struct mhi_vdev *dev;
static struct vring inflate, deflate, stats, reports;
static mh_gpa list, spare;

static void setup(u64 features, unsigned int reports_queue)
{
	vd_init(&d);
	ck_assert_int_eq(mhi_balloon_create(&d.env, 7, &dev), 0);
	vd_attach(&d, dev, false);
	list = vd_alloc(&d, 65536, 4);
	ck_assert_uint_eq(d.pci.pci.device, 0x1045);
	ck_assert_uint_eq(vd_offered(&d) & 0xff, FEATURES);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1 | features));
	vr_init(&inflate, &d, 0, 16);
	vr_init(&deflate, &d, 1, 16);
	if (features & 2)
		vr_init(&stats, &d, 2, 16);
	vr_init(&reports, &d, reports_queue, 16);
	spare = vd_alloc(&d, 16 * PAGE, PAGE);
	vd_ok(&d);
	vd_sync(&d);
}

static void send(struct vring *r, const struct vd_buf *buf, unsigned int count)
{
	u32 len = 1;

	ck_assert_int_ge(vr_add(r, buf, count, false), 0);
	vr_force_kick(r);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(r, &len), 0);
	ck_assert_uint_eq(len, 0);
}

static void send_pfns(struct vring *r, const u32 *pfn, unsigned int count)
{
	const struct vd_buf buf = { list, count * 4, false };

	for (unsigned int i = 0; i < count; i++)
		mhi_put_le32((u8 *)vd_ptr(&d, list) + 4 * i, pfn[i]);
	send(r, &buf, 1);
}

static u8 byte(mh_gpa gpa)
{
	return *(u8 *)vd_ptr(&d, gpa);
}

START_TEST(give_and_take)
{
	u32 first, count = 0, pfn[8];

	setup(FEATURES, 3);
	first = (u32)(spare / PAGE);
	pfn[count++] = first + 5;
	pfn[count++] = first + 2;
	pfn[count++] = first + 3;
	pfn[count++] = first + 2;
	pfn[count++] = first;
	ck_assert_uint_eq(byte(spare), 0xcc);
	send_pfns(&inflate, pfn, count);
	for (u32 i = 0; i < 8; i++) {
		u8 want = i == 0 || i == 2 || i == 3 || i == 5 ? 0 : 0xcc;

		ck_assert_uint_eq(byte(spare + i * PAGE), want);
		ck_assert_uint_eq(byte(spare + i * PAGE + PAGE - 1), want);
	}
	/* Taking them back is using them. */
	*(u8 *)vd_ptr(&d, spare) = 9;
	send_pfns(&deflate, pfn, count);
	ck_assert_uint_eq(byte(spare), 9);
	ck_assert_uint_eq(d.logged, 0);
	vd_fini(&d);
}
END_TEST

START_TEST(target)
{
	struct mhi_balloon_stats s;

	setup(FEATURES, 3);
	vd_write(&d, 0x10, 2, 0);
	ck_assert_uint_eq(vd_read(&d, NUM_PAGES, 4), 7);
	mhi_balloon_set(dev, 1234);
	ck_assert_uint_eq(vd_read(&d, NUM_PAGES, 4), 1234);
	ck_assert_uint_eq(d.irqs[0], 1);
	vd_write(&d, ACTUAL, 4, 1000);
	/* The target is not the driver's. */
	vd_write(&d, NUM_PAGES, 4, 1);
	mhi_balloon_stats(dev, &s);
	ck_assert_uint_eq(s.target, 1234);
	ck_assert_uint_eq(s.actual, 1000);
	vd_set_status(&d, 0);
	mhi_balloon_stats(dev, &s);
	ck_assert_uint_eq(s.target, 1234);
	ck_assert_uint_eq(s.actual, 0);
	vd_sync(&d);
	vd_fini(&d);
}
END_TEST

static void put_stat(unsigned int n, u16 tag, u64 value)
{
	u8 *at = (u8 *)vd_ptr(&d, list) + 10 * n;

	mhi_put_le16(at, tag);
	mhi_put_le64(at + 2, value);
}

START_TEST(statistics)
{
	struct mhi_balloon_stats s;
	struct vd_buf buf = { list, 30, false };
	u32 len;

	setup(FEATURES, 3);
	mhi_balloon_stats(dev, &s);
	ck_assert_uint_eq(s.updates, 0);
	ck_assert_uint_eq(s.value[4], ~0ull);
	vd_sync(&d);
	put_stat(0, 4, 4444);
	put_stat(1, 99, 1);
	put_stat(2, 5, 5555);
	ck_assert_int_ge(vr_add(&stats, &buf, 1, false), 0);
	vr_force_kick(&stats);
	vd_sync(&d);
	/* It is kept until somebody asks. */
	ck_assert_int_lt(vr_get(&stats, &len), 0);
	mhi_balloon_stats(dev, &s);
	ck_assert_uint_eq(s.updates, 1);
	ck_assert_uint_eq(s.value[4], 4444);
	ck_assert_uint_eq(s.value[5], 5555);
	ck_assert_uint_eq(s.value[0], ~0ull);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&stats, &len), 0);
	ck_assert_uint_eq(len, 0);
	/* Two at once, of odd length: the first one is not kept. */
	buf.bytes = 27;
	put_stat(0, 4, 1);
	ck_assert_int_ge(vr_add(&stats, &buf, 1, false), 0);
	ck_assert_int_ge(vr_add(&stats, &buf, 1, false), 0);
	vr_force_kick(&stats);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&stats, &len), 0);
	ck_assert_int_lt(vr_get(&stats, &len), 0);
	mhi_balloon_stats(dev, &s);
	ck_assert_uint_eq(s.value[4], 1);
	ck_assert_uint_eq(s.value[5], ~0ull);
	/* A reset while it is kept. */
	vd_set_status(&d, 0);
	vd_sync(&d);
	vd_fini(&d);
}
END_TEST

START_TEST(free_pages)
{
	struct {
		u64 features;
		unsigned int queue;
		bool goes;
	} kinds[] = {
		/* Linux' number, the specification's, Linux' without statistics */
		{ FEATURES, 3, true },
		{ FEATURES, 4, true },
		{ REPORTING, 2, true },
		{ 2, 3, false },
	};

	for (unsigned int k = 0; k < MHI_COUNT(kinds); k++) {
		struct vd_buf buf[2];
		u32 poison;

		setup(kinds[k].features, kinds[k].queue);
		buf[0] = (struct vd_buf){ spare, (u32)PAGE, true };
		buf[1] = (struct vd_buf){ spare + 4 * PAGE + 1, 2 * (u32)PAGE, true };
		/* A driver that fills free pages keeps them. */
		poison = kinds[k].features & POISON ? 0xaaaaaaaa : 0;
		vd_write(&d, POISON_VAL, 4, poison);
		if (poison) {
			send(&reports, buf, 2);
			ck_assert_uint_eq(byte(spare), 0xcc);
			vd_write(&d, POISON_VAL, 4, 0);
		}
		send(&reports, buf, 2);
		ck_assert_uint_eq(byte(spare), kinds[k].goes ? 0 : 0xcc);
		ck_assert_uint_eq(byte(spare + PAGE), 0xcc);
		ck_assert_uint_eq(byte(spare + 5 * PAGE - 1), 0xcc);
		ck_assert_uint_eq(byte(spare + 5 * PAGE), kinds[k].goes ? 0 : 0xcc);
		ck_assert_uint_eq(byte(spare + 6 * PAGE), 0xcc);
		vd_fini(&d);
	}
}
END_TEST

START_TEST(hostile)
{
	const u32 far[] = {
		0xffffffff, 0xfffffffe, 0, 0x80000000, (u32)(VD_RAM / PAGE), 0xffffffff
	};
	struct vd_buf buf = { 0, 7, false };

	/* The first page has no ring; others that are named do not exist. */
	setup(FEATURES, 3);
	send_pfns(&inflate, far, MHI_COUNT(far));
	ck_assert_uint_eq(byte(0), 0);
	ck_assert_uint_eq(byte(PAGE), 0xcc);
	ck_assert_uint_eq(d.logged, 0);
	/* A whole page and a piece. */
	buf.at = list;
	mhi_put_le32(vd_ptr(&d, list), (u32)(spare / PAGE));
	mhi_put_le32((u8 *)vd_ptr(&d, list) + 4, (u32)(spare / PAGE) + 1);
	send(&inflate, &buf, 1);
	ck_assert_uint_eq(byte(spare), 0);
	ck_assert_uint_eq(byte(spare + PAGE), 0xcc);
	ck_assert_uint_eq(d.logged, 1);
	/* Far too long: all of memory as a list. The rings go with it, and come again as zeros. */
	buf = (struct vd_buf){ 0x100000, 4 << 20, false };
	send(&deflate, &buf, 1);
	memset(vd_ptr(&d, 0x100000), 0xff, 4 << 20);
	send(&inflate, &buf, 1);
	/* Nothing at all, and lists in buffers for the device. */
	buf.bytes = 0;
	send(&inflate, &buf, 1);
	buf = (struct vd_buf){ spare + PAGE, (u32)PAGE, true };
	send(&inflate, &buf, 1);
	ck_assert_uint_eq(byte(spare + PAGE), 0xcc);
	/* Its own rings. */
	buf = (struct vd_buf){ 0, (u32)VD_RAM, true };
	ck_assert_int_ge(vr_add(&reports, &buf, 1, false), 0);
	vr_force_kick(&reports);
	vd_sync(&d);
	ck_assert_uint_eq(vd_status(&d) & (u8)~VIRTIO_NEEDS_RESET, 0xf);
	vd_fini(&d);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, give_and_take);
	tcase_add_test(tcase, target);
	tcase_add_test(tcase, statistics);
	tcase_add_test(tcase, free_pages);
	tcase_add_test(tcase, hostile);
}

UNIT_MAIN("virtio_balloon", add_tests)

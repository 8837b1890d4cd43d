// SPDX-License-Identifier: MIT
/* virtio-rng: bytes that differ, in any shape of buffers; requests that make no sense. */
#include "unit.h"
#include "vdriver.h"
#include "virtio/rng.h"

static struct vdriver d;
static struct vring r;

static void setup(u64 features)
{
	struct mhi_vdev *dev;

	vd_init(&d);
	ck_assert_int_eq(mhi_rng_create(&d.env, &dev), 0);
	vd_attach(&d, dev, false);
	ck_assert_uint_eq(d.pci.pci.device, 0x1044);
	ck_assert_uint_eq(d.pci.pci.revision, 1);
	ck_assert(vd_negotiate(&d, features | VIRTIO_F_VERSION_1));
	vr_init(&r, &d, 0, 64);
	vd_ok(&d);
}

static u32 ask(const struct vd_buf *buf, unsigned int count)
{
	u32 len = ~0u;

	ck_assert_int_ge(vr_add(&r, buf, count, false), 0);
	vr_kick(&r);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&r, &len), 0);
	return len;
}

START_TEST(bytes)
{
	for (unsigned int f = 0; f < 2; f++) {
		struct vd_buf buf[2];
		u8 *a, *b;

		setup(f ? VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX : 0);
		buf[0] = (struct vd_buf){ vd_alloc(&d, 64, 1), 63, true };
		buf[1] = (struct vd_buf){ vd_alloc(&d, 64, 1), 1, true };
		a = vd_ptr(&d, buf[0].at);
		b = vd_ptr(&d, buf[1].at);
		memset(a, 0, 64);
		memset(b, 0, 64);
		ck_assert_uint_eq(ask(buf, 2), 64);
		ck_assert(memcmp(a, b, 32));
		ck_assert_uint_eq(a[63], 0);
		ck_assert_uint_eq(b[1], 0);
		memcpy(b, a, 63);
		ck_assert_uint_eq(ask(buf, 1), 63);
		ck_assert(memcmp(a, b, 63));
		ck_assert_uint_eq(d.irqs[1], 2);
		vd_fini(&d);
	}
}
END_TEST

START_TEST(odd_requests)
{
	struct vd_buf buf[2];

	setup(0);
	/* A large one is answered in part; one with nothing to fill, with nothing. */
	buf[0] = (struct vd_buf){ vd_alloc(&d, 1 << 20, 1), 1 << 20, true };
	ck_assert_uint_eq(ask(buf, 1), 4096);
	buf[0].write = false;
	ck_assert_uint_eq(ask(buf, 1), 0);
	buf[1] = (struct vd_buf){ buf[0].at, 0, true };
	ck_assert_uint_eq(ask(buf, 2), 0);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	vd_fini(&d);
}
END_TEST

/* More at once than one turn serves. */
START_TEST(many)
{
	struct vd_buf buf;
	unsigned int done = 0;
	u32 len;

	setup(VIRTIO_F_RING_PACKED);
	buf = (struct vd_buf){ vd_alloc(&d, 64, 1), 64, true };
	for (unsigned int n = 0; n < 64; n++)
		ck_assert_int_ge(vr_add(&r, &buf, 1, false), 0);
	vr_kick(&r);
	vd_sync(&d);
	while (vr_get(&r, &len) >= 0)
		done += len == 64;
	ck_assert_uint_eq(done, 64);
	vd_fini(&d);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, bytes);
	tcase_add_test(tcase, odd_requests);
	tcase_add_test(tcase, many);
}

UNIT_MAIN("virtio_rng", add_tests)

// SPDX-License-Identifier: MIT
/*
 * The virtio core with a driver that is right: registers and negotiation, both rings with random
 * traffic against a model, suppression on both sides without a lost wake-up, resets and pauses.
 */
#include "unit.h"
#include "vecho.h"

#include <unistd.h>

#define TRANSPORT (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_PACKED)
#define BUFFERS 8
#define BUFFER_BYTES 600

static struct vdriver d;
static struct echo *e;

static void setup(void)
{
	vd_init(&d);
	e = echo_create(&d);
	vd_attach(&d, &e->dev, false);
}

START_TEST(registers)
{
	setup();
	ck_assert_uint_eq(vd_offered(&d), 0x15 | TRANSPORT | VIRTIO_F_VERSION_1);
	vd_write(&d, 0, 4, 2);
	ck_assert_uint_eq(vd_read(&d, 4, 4), 0);
	ck_assert_uint_eq(vd_read(&d, 0x12, 2), ECHO_QUEUES);
	/*
	 * A driver that does not know VERSION_1, one that wants too much, one that does not wait.
	 */
	ck_assert(!vd_negotiate(&d, 0x15));
	ck_assert(!vd_negotiate(&d, VIRTIO_F_VERSION_1 | 0x2));
	vd_set_status(&d, 0);
	vd_set_status(&d, VIRTIO_DRIVER_OK);
	ck_assert_uint_eq(vd_status(&d), 0);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1 | 0x1));
	/* Too late for other features. */
	vd_write(&d, 8, 4, 0);
	vd_write(&d, 0x0c, 4, 0x5);
	ck_assert_uint_eq(e->dev.accepted, VIRTIO_F_VERSION_1 | 0x1);
	vd_ok(&d);
	ck_assert_uint_eq(e->starts, 1);
	/* Status bits are added only; NEEDS_RESET is not the driver's. */
	vd_set_status(&d, VIRTIO_NEEDS_RESET);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	/* A queue that does not exist. */
	vd_write(&d, 0x16, 2, ECHO_QUEUES);
	ck_assert_uint_eq(vd_read(&d, 0x18, 2), 0);
	vd_write(&d, 0x1c, 2, 1);
	vd_write(&d, 0x3000 + 4 * ECHO_QUEUES, 2, 0);
	vd_write(&d, 0x3ffc, 4, 0);
	/* A vector that does not exist. */
	vd_write(&d, 0x10, 2, 3);
	ck_assert_uint_eq(vd_read(&d, 0x10, 2), 0xffff);
	vd_write(&d, 0x10, 2, 2);
	ck_assert_uint_eq(vd_read(&d, 0x10, 2), 2);
	vd_fini(&d);
}
END_TEST

START_TEST(configuration)
{
	u32 generation;

	setup();
	ck_assert_uint_eq(vd_read(&d, 0x2000, 8), 0x72756769666e6f63ull);
	ck_assert_uint_eq(vd_read(&d, 0x200b, 1), 'e');
	/* Behind its end: zero. */
	ck_assert_uint_eq(vd_read(&d, 0x200a, 4), 'l' | 'e' << 8);
	ck_assert_uint_eq(vd_read(&d, 0x2100, 4), 0);
	vd_write(&d, 0x2008, 1, 0xff);
	ck_assert_uint_eq(vd_read(&d, 0x2008, 1), ('a' & 0xf0) | 0x0f);
	ck_assert_uint_eq(e->config_writes, 1);
	vd_write(&d, 0x200b, 2, 0xffff);
	ck_assert_uint_eq(vd_read(&d, 0x200b, 1), 'e');
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1));
	vd_write(&d, 0x10, 2, 0);
	generation = (u32)vd_read(&d, 0x15, 1);
	mhi_vdev_enter(&e->dev);
	mhi_vdev_config_changed(&e->dev);
	mhi_vdev_leave(&e->dev);
	ck_assert_uint_ne(vd_read(&d, 0x15, 1), generation);
	ck_assert_uint_eq(d.irqs[0], 0);
	vd_ok(&d);
	mhi_vdev_enter(&e->dev);
	mhi_vdev_config_changed(&e->dev);
	mhi_vdev_leave(&e->dev);
	ck_assert_uint_eq(d.irqs[0], 1);
	vd_fini(&d);
}
END_TEST

/* The registers again, by the window in configuration space. */
START_TEST(configuration_window)
{
	const struct mhi_pci_dev_ops *ops;
	struct mhi_pci_cap *cap;

	setup();
	ops = d.pci.pci.ops;
	cap = &d.pci.pci.cap[d.pci.pci.caps - 1];
	ck_assert_uint_eq(cap->body[1], 5);
	ck_assert(cap->watched);
	/* offset 0x12, 2 bytes: the number of queues. */
	cap->body[6] = 0x12;
	cap->body[10] = 2;
	ops->cap(&d.pci, d.pci.pci.caps - 1, cap->body, false, 14, 4);
	ck_assert_uint_eq(cap->body[14], ECHO_QUEUES);
	cap->body[6] = 0x14;
	cap->body[10] = 1;
	cap->body[14] = VIRTIO_ACKNOWLEDGE;
	ops->cap(&d.pci, d.pci.pci.caps - 1, cap->body, true, 14, 4);
	ck_assert_uint_eq(vd_status(&d), VIRTIO_ACKNOWLEDGE);
	/* What cannot be: another BAR, odd sizes, out of bounds. */
	cap->body[14] = 0x77;
	cap->body[2] = 1;
	ops->cap(&d.pci, d.pci.pci.caps - 1, cap->body, false, 14, 4);
	cap->body[2] = 0;
	cap->body[10] = 3;
	ops->cap(&d.pci, d.pci.pci.caps - 1, cap->body, false, 14, 4);
	cap->body[10] = 4;
	memset(cap->body + 6, 0xff, 4);
	ops->cap(&d.pci, d.pci.pci.caps - 1, cap->body, false, 14, 4);
	cap->body[6] = 0xfc;
	ops->cap(&d.pci, d.pci.pci.caps - 1, cap->body, false, 14, 4);
	ck_assert_uint_eq(cap->body[14], 0x77);
	vd_fini(&d);
}
END_TEST

/* ---- traffic ---- */

struct request {
	struct vd_buf buf[BUFFERS];
	u32 out, in;
	u8 seed;
};

static struct request requests[VD_RING_MAX];
static mh_gpa area;

static u8 pattern(const struct request *r, u32 i)
{
	return (u8)(r->seed + i * 7);
}

/* Memory of its own for each id. */
static void make_request(struct request *r, struct rng *rng, unsigned int place, unsigned int most)
{
	unsigned int count = 1 + (unsigned int)rng_below(rng, most);
	unsigned int outs = (unsigned int)rng_below(rng, count + 1);
	u32 n = 0;

	r->out = r->in = 0;
	r->seed = (u8)rng_next(rng);
	memset(r->buf, 0, sizeof(r->buf));
	for (unsigned int i = 0; i < count; i++) {
		struct vd_buf *b = &r->buf[i];
		u8 *byte;

		b->at = area + (u64)(place * BUFFERS + i) * BUFFER_BYTES;
		b->bytes = (u32)rng_below(rng, BUFFER_BYTES);
		b->write = i >= outs;
		byte = vd_ptr(&d, b->at);
		if (b->write)
			r->in += b->bytes;
		else
			r->out += b->bytes;
		for (u32 j = 0; j < b->bytes; j++)
			byte[j] = b->write ? 0xee : pattern(r, n++);
	}
}

/* One assertion for all bytes: each costs a system call. */
static void check_reply(const struct request *r, u32 len)
{
	u32 want = r->out < r->in ? r->out : r->in, n = 0, wrong = 0;

	ck_assert_uint_eq(len, want);
	for (unsigned int i = 0; i < BUFFERS; i++) {
		const struct vd_buf *b = &r->buf[i];
		const u8 *byte = vd_ptr(&d, b->at);

		for (u32 j = 0; b->write && j < b->bytes; j++, n++)
			wrong += byte[j] != (n < want ? pattern(r, n) ^ ECHO_KEY : 0xee);
	}
	ck_assert_uint_eq(wrong, 0);
}

/* Takes what is used; with interrupts asked for, there must have been one. */
static unsigned int collect(struct vring *r, u32 irqs_before)
{
	unsigned int count = 0;
	u32 len;
	int id;

	while ((id = vr_get(r, &len)) >= 0) {
		if (!count && r->interrupts)
			ck_assert_uint_gt(d.irqs[r->q + 1], irqs_before);
		check_reply(&requests[id], len);
		count++;
	}
	return count;
}

static unsigned int add_some(struct vring *r, struct rng *rng)
{
	unsigned int added = 0, want = (unsigned int)rng_below(rng, 12);

	while (added < want) {
		bool indirect = (d.features & VIRTIO_F_INDIRECT_DESC) && rng_below(rng, 2);
		unsigned int most = indirect || r->size >= BUFFERS ? BUFFERS : r->size;
		struct request request;
		unsigned int place = 0, count = BUFFERS;
		int id;

		/* The id is known before: the place must be free. */
		if (!r->free)
			break;
		place = r->packed ? 0 : r->free_list[r->free - 1];
		while (r->packed && r->busy[place])
			place++;
		make_request(&request, rng, place, most);
		while (count > 1 && !request.buf[count - 1].at)
			count--;
		id = vr_add(r, request.buf, count, indirect);
		if (id < 0)
			break;
		ck_assert_uint_eq(id, place);
		requests[id] = request;
		added++;
	}
	return added;
}

static void traffic(u64 features, u16 size, bool hold, u64 seed)
{
	struct rng rng = { seed };
	unsigned int added = 0, done = 0;
	struct vring r;
	u32 before;

	setup();
	e->hold = hold;
	area = vd_alloc(&d, VD_RING_MAX * BUFFERS * BUFFER_BYTES, 16);
	ck_assert(vd_negotiate(&d, features | VIRTIO_F_VERSION_1));
	vr_init(&r, &d, 1, size);
	vd_ok(&d);
	for (unsigned int n = 0; n < 1000; n++) {
		before = d.irqs[2];
		added += add_some(&r, &rng);
		if (rng_below(&rng, 2))
			vr_kick(&r);
		if (rng_below(&rng, 2))
			mhi_loop_call(d.loop, echo_complete, e);
		/* The device must not be at work while the driver changes its wish and looks. */
		vd_sync(&d);
		done += collect(&r, before);
		vr_interrupts(&r, rng_below(&rng, 2));
	}
	vr_kick(&r);
	vd_sync(&d);
	e->hold = false;
	mhi_loop_call(d.loop, echo_complete, e);
	vd_sync(&d);
	vr_interrupts(&r, false);
	done += collect(&r, 0);
	ck_assert_uint_eq(done, added);
	ck_assert_uint_gt(done, 200);
	ck_assert_uint_eq(d.logged, 0);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	vd_fini(&d);
}

START_TEST(random_traffic)
{
	static const u16 sizes[] = { 4, 16, 256, 5, 100 };
	u64 seed = 88172645463325252ull;

	/* Sizes that are no powers of two are for packed rings only. */
	for (unsigned int f = 0; f < 8; f++)
		for (unsigned int s = 0; s < (f & 4 ? 5 : 3); s++)
			traffic((f & 1 ? VIRTIO_F_INDIRECT_DESC : 0) |
					(f & 2 ? VIRTIO_F_EVENT_IDX : 0) |
					(f & 4 ? VIRTIO_F_RING_PACKED : 0),
				sizes[s], (f + s) & 1, seed += 77);
}
END_TEST

/* A busy device is not kicked, an idle one is; who wants no interrupt gets none. */
START_TEST(suppression)
{
	for (unsigned int f = 0; f < 4; f++) {
		struct vd_buf buf;
		struct vring r;
		u32 len;

		setup();
		e->hold = true;
		ck_assert(vd_negotiate(&d, (f & 1 ? VIRTIO_F_EVENT_IDX : 0) |
						   (f & 2 ? VIRTIO_F_RING_PACKED : 0) |
						   VIRTIO_F_VERSION_1));
		vr_init(&r, &d, 0, 64);
		vd_ok(&d);
		vd_sync(&d);
		buf = (struct vd_buf){ vd_alloc(&d, 64, 8), 64, true };
		for (unsigned int n = 0; n < 200; n++) {
			ck_assert_int_ge(vr_add(&r, &buf, 1, false), 0);
			/* The device emptied the ring, and told so. */
			ck_assert(vr_kick(&r));
			vr_interrupts(&r, n & 1);
			vd_sync(&d);
			ck_assert_uint_eq(e->count, 1);
			e->hold = false;
			mhi_loop_call(d.loop, echo_complete, e);
			e->hold = true;
			ck_assert_uint_eq(d.irqs[1], (n + 1) / 2);
			ck_assert_int_ge(vr_get(&r, &len), 0);
		}
		/* Not yet back at an empty ring: one kick for many. */
		ck_assert_int_ge(vr_add(&r, &buf, 1, false), 0);
		ck_assert(vr_kick(&r));
		ck_assert_int_ge(vr_add(&r, &buf, 1, false), 0);
		if (f & 1)
			ck_assert(!vr_kick(&r));
		vd_sync(&d);
		ck_assert_uint_eq(e->count, 2);
		e->hold = false;
		mhi_loop_call(d.loop, echo_complete, e);
		vd_fini(&d);
	}
}
END_TEST

START_TEST(line)
{
	struct vd_buf buf;
	struct vring r;
	u32 len;

	setup();
	d.msix = false;
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1));
	vr_init(&r, &d, 0, 16);
	vd_ok(&d);
	buf = (struct vd_buf){ vd_alloc(&d, 64, 8), 64, true };
	vr_add(&r, &buf, 1, false);
	vr_force_kick(&r);
	vd_sync(&d);
	ck_assert(d.line);
	ck_assert_uint_eq(vd_read(&d, 0x1000, 1), 1);
	ck_assert(!d.line);
	ck_assert_uint_eq(vd_read(&d, 0x1000, 1), 0);
	mhi_vdev_enter(&e->dev);
	mhi_vdev_config_changed(&e->dev);
	mhi_vdev_leave(&e->dev);
	ck_assert(d.line);
	ck_assert_uint_eq(vd_read(&d, 0x1000, 1), 2);
	ck_assert_int_ge(vr_get(&r, &len), 0);
	vd_fini(&d);
}
END_TEST

/* The driver resets while chains are in flight: status becomes 0 when the last one came back. */
START_TEST(reset_in_flight)
{
	for (unsigned int f = 0; f < 2; f++) {
		struct vd_buf buf;
		struct vring r;

		setup();
		for (unsigned int round = 0; round < 3; round++) {
			u32 resets = e->resets;

			e->hold = true;
			ck_assert(vd_negotiate(&d, (f ? VIRTIO_F_RING_PACKED : 0) |
							   VIRTIO_F_VERSION_1));
			resets = e->resets;
			vr_init(&r, &d, 0, 64);
			vd_ok(&d);
			buf = (struct vd_buf){ vd_alloc(&d, 64, 8), 64, true };
			for (unsigned int n = 0; n < 10; n++)
				vr_add(&r, &buf, 1, false);
			vr_force_kick(&r);
			vd_sync(&d);
			ck_assert_uint_eq(e->count, 10);
			vr_add(&r, &buf, 1, false);
			vd_set_status(&d, 0);
			ck_assert_uint_ne(vd_status(&d), 0);
			/* Nothing new is begun. */
			vr_force_kick(&r);
			vd_sync(&d);
			ck_assert_uint_eq(e->count, 10);
			ck_assert_uint_eq(e->resets, resets);
			e->hold = false;
			mhi_loop_call(d.loop, echo_complete, e);
			ck_assert_uint_eq(vd_status(&d), 0);
			ck_assert_uint_eq(e->resets, resets + 1);
		}
		vd_fini(&d);
	}
}
END_TEST

static void *complete_later(void *opaque)
{
	usleep(20000);
	echo_complete(opaque);
	return NULL;
}

/* A machine that does not run is not worked for, and what was in flight has ended. */
START_TEST(pauses)
{
	const struct mhi_pci_dev_ops *ops;
	struct vd_buf buf;
	struct vring r;
	pthread_t thread;
	u32 len;

	setup();
	ops = d.pci.pci.ops;
	e->hold = true;
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1));
	vr_init(&r, &d, 0, 64);
	vd_ok(&d);
	buf = (struct vd_buf){ vd_alloc(&d, 64, 8), 64, true };
	vr_add(&r, &buf, 1, false);
	vr_force_kick(&r);
	vd_sync(&d);
	ck_assert_uint_eq(e->count, 1);
	e->hold = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, complete_later, e), 0);
	ops->run(&d.pci, false);
	ck_assert_uint_eq(e->count, 0);
	pthread_join(thread, NULL);
	ck_assert_int_ge(vr_get(&r, &len), 0);
	vr_add(&r, &buf, 1, false);
	vr_force_kick(&r);
	vd_sync(&d);
	ck_assert_int_lt(vr_get(&r, &len), 0);
	/* The kick was not lost. */
	ops->run(&d.pci, true);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&r, &len), 0);
	/* Memory that went away meanwhile. */
	ops->run(&d.pci, false);
	mhi_slots_clear(&d.ram.mem.slots, 0);
	ops->run(&d.pci, true);
	ck_assert_uint_eq(vd_status(&d), 0xf | VIRTIO_NEEDS_RESET);
	ck_assert_uint_eq(d.logged, 1);
	/* Power-up. */
	ops->run(&d.pci, false);
	ops->reset(&d.pci);
	ck_assert_uint_eq(vd_status(&d), 0);
	vd_fini(&d);
}
END_TEST

/* Kicks by eventfd, as an engine counts them. */
START_TEST(doorbells)
{
	struct mhi_pci_doorbell bell;
	struct vd_buf buf;
	struct vring r;
	u64 one = 1;
	u32 len;

	vd_init(&d);
	e = echo_create(&d);
	vd_attach(&d, &e->dev, true);
	ck_assert(d.pci.pci.ops->doorbell(&d.pci, 1, &bell));
	ck_assert_uint_eq(bell.bar, 0);
	ck_assert_uint_eq(bell.offset, 0x3004);
	ck_assert(!d.pci.pci.ops->doorbell(&d.pci, ECHO_QUEUES, &bell));
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1));
	vr_init(&r, &d, 1, 64);
	vd_ok(&d);
	vd_sync(&d);
	buf = (struct vd_buf){ vd_alloc(&d, 64, 8), 64, true };
	for (unsigned int n = 0; n < 5; n++) {
		vr_add(&r, &buf, 1, false);
		ck_assert_int_eq(write(bell.fd, &one, sizeof(one)), sizeof(one));
		vd_sync(&d);
		ck_assert_uint_eq(d.irqs[2], 1);
		ck_assert_int_ge(vr_get(&r, &len), 0);
		d.irqs[2] = 0;
	}
	vd_fini(&d);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, registers);
	tcase_add_test(tcase, configuration);
	tcase_add_test(tcase, configuration_window);
	tcase_add_test(tcase, random_traffic);
	tcase_add_test(tcase, suppression);
	tcase_add_test(tcase, line);
	tcase_add_test(tcase, reset_in_flight);
	tcase_add_test(tcase, pauses);
	tcase_add_test(tcase, doorbells);
}

UNIT_MAIN("virtio", add_tests)

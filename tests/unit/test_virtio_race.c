// SPDX-License-Identifier: MIT
/*
 * Virtio devices on the real loop with real workers, while several vCPUs set them up, reset them,
 * read and write their registers and kick, the machine pauses, and the host has something to say:
 * everybody at once. The rings stay as they are, so that only the device changes memory.
 */
#include "unit.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/le.h"
#include "fake_blk.h"
#include "fake_loop.h"
#include "rng.h"
#include "vdriver.h"
#include "virtio/be_embed.h"
#include "virtio/console.h"
#include "virtio/p9_dev.h"
#include "virtio/p9_proto.h"
#include "virtio/rng.h"
#include "virtio/vblk.h"

#define VCPUS 3
#define STEPS 20000
#define TRIES 300000 /* of 100 us: the machine may be busy with other things */
#define QUEUES 2
#define CHAINS 8
#define RING_BYTES 0x1000u
#define BUFFERS 0x100000u
#define BUFFER_BYTES 0x1000u
#define DISK_BYTES (64u << 10)

static struct vdriver d;
static struct mhi_workers *workers;
static struct fake_blk *disk;
static bool stop;
static pthread_rwlock_t running; /* vCPUs hold it for reading, as long as the machine runs */

/* For the driver's fixture: what was asked for so far has been done. */
static void nothing(void *opaque)
{
}

void fake_loop_run(struct mhi_loop *loop)
{
	mhi_loop_call(loop, nothing, NULL);
}

/* ---- the devices ---- */

static struct mhi_vdev *make_rng(void)
{
	struct mhi_vdev *dev;

	ck_assert_int_eq(mhi_rng_create(&d.env, &dev), 0);
	return dev;
}

static struct mhi_vdev *make_blk(void)
{
	struct mhi_vblk_config config = { .queues = QUEUES, .workers = workers };
	struct mhi_vdev *dev;

	disk = fake_blk_new(DISK_BYTES, DISK_BYTES);
	config.node = &disk->blk;
	ck_assert_int_eq(mhi_vblk_create(&d.env, &config, &dev), 0);
	return dev;
}

static u64 said;

static void on_output(void *opaque, const void *data, size_t bytes)
{
	said += bytes;
}

static struct mhi_vdev *make_console(void)
{
	const struct mhi_console_port port = { .output = on_output };
	struct mhi_vdev *dev;

	ck_assert_int_eq(mhi_console_create(&d.env, &port, 1, &dev), 0);
	return dev;
}

static struct mhi_vdev *make_p9(void)
{
	char folder[] = "/tmp/virtio-race-XXXXXX";
	struct mhi_p9_config config = { .tree.path = folder };
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(mhi_p9_dev_create(&d.env, &config, "tag", &dev, &err), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	return dev;
}

static u64 asked; /* (a) */

/* The header of the answer, and Tversion's body. */
static int answer(void *opaque, const void *request, u32 bytes, void *reply, u32 room)
{
	u8 *r = reply;

	__atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
	memcpy(reply, request, bytes);
	r[4]++;
	return (int)bytes;
}

static void forget(void *opaque)
{
	*(u32 *)opaque += 1; /* for ThreadSanitizer */
}

static struct mhi_vdev *make_p9_ops(void)
{
	static const struct mh_p9_ops ops = { 1, answer, forget, NULL };
	static u32 resets;
	struct mhi_p9_server *server;
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;

	ck_assert_int_eq(mhi_embed_p9_create(&ops, &resets, &server), 0);
	ck_assert_int_eq(mhi_p9_dev_serve(&d.env, server, "tag", &dev, &err), 0);
	return dev;
}

/* ---- a ring that offers all its chains, of a header, data and a status ---- */

static void put_desc(u8 *at, u64 addr, u32 len, u16 flags, u16 next)
{
	mhi_put_le64(at, addr);
	mhi_put_le32(at + 8, len);
	mhi_put_le16(at + 12, flags);
	mhi_put_le16(at + 14, next);
}

/* A version, then flushes, each of the one before it: 9P's that wait for others. */
static void put_9p(u8 *header, u16 tag)
{
	static const u8 version[] = { 0, 0x20, 0, 0, 8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L' };

	if (!tag) {
		mhi_put_le32(header, P9_HEADER + sizeof(version));
		header[4] = P9_TVERSION;
		mhi_put_le16(header + 5, P9_NOTAG);
		memcpy(header + 7, version, sizeof(version));
		return;
	}
	mhi_put_le32(header, P9_HEADER + 2);
	header[4] = P9_TFLUSH;
	mhi_put_le16(header + 5, tag);
	mhi_put_le16(header + 7, (u16)(tag - 1));
}

static void fill_ring(unsigned int q, bool write, bool p9)
{
	u8 *ring = vd_ptr(&d, (1 + q) * RING_BYTES);

	for (u16 n = 0; n < CHAINS; n++) {
		u64 at = BUFFERS + (q * CHAINS + n) * (u64)BUFFER_BYTES;
		u8 *header = vd_ptr(&d, at);

		memset(header, 0, BUFFER_BYTES);
		mhi_put_le32(header, write);
		mhi_put_le64(header + 8, q * 64u + n * 2u);
		if (p9)
			put_9p(header, n);
		put_desc(ring + 64 * n, at, p9 ? 32 : 16, 1, (u16)(4 * n + 1));
		put_desc(ring + 64 * n + 16, at + 512, 1024, write ? 1 : 3, (u16)(4 * n + 2));
		put_desc(ring + 64 * n + 32, at + 64, 1, 2, 0);
		mhi_put_le16(ring + 0x404 + 2 * n, (u16)(4 * n));
	}
	mhi_put_le16(ring + 0x402, CHAINS);
}

static void set_up(void)
{
	for (unsigned int q = 0; q < QUEUES; q++) {
		u64 at = (1 + q) * RING_BYTES;

		vd_write(&d, 0x16, 2, q);
		vd_write(&d, 0x18, 2, 4 * CHAINS);
		vd_write(&d, 0x1a, 2, q + 1);
		vd_write(&d, 0x20, 8, at);
		vd_write(&d, 0x28, 8, at + 0x400);
		vd_write(&d, 0x30, 8, at + 0x800);
		vd_write(&d, 0x1c, 2, 1);
	}
}

/* ---- everybody ---- */

/* By the doorbell, or, as configuration space does it, by the register. */
static void kick(unsigned int q, bool by_bell)
{
	struct mhi_pci_doorbell bell;

	if (!by_bell)
		vd_write(&d, 0x3000 + 4 * q, 2, 0);
	else if (d.pci.pci.ops->doorbell(&d.pci, q, &bell))
		ck_assert_int_eq(eventfd_write(bell.fd, 1), 0);
}

static void one_step(struct rng *rng)
{
	static const u8 states[] = { 0, 1, 3, 0xb, 0xf };

	switch (rng_below(rng, 10)) {
	case 0:
		vd_set_status(&d, states[rng_below(rng, MHI_COUNT(states))]);
		break;
	case 1:
		vd_set_status(&d, 3);
		vd_write(&d, 8, 4, rng_below(rng, 2));
		vd_write(&d, 0x0c, 4, rng_below(rng, 2));
		break;
	case 2:
		vd_set_status(&d, 0xb);
		set_up();
		vd_set_status(&d, 0xf);
		break;
	case 3:
		vd_read(&d, rng_below(rng, 0x38), 4);
		vd_read(&d, 0x1000, 1);
		break;
	case 4:
		vd_write(&d, 0x2000 + rng_below(rng, 60), 1, rng_next(rng));
		break;
	case 5:
		/* All that it takes, if nobody is in between. */
		vd_set_status(&d, 0);
		vd_set_status(&d, 3);
		vd_write(&d, 8, 4, 1);
		vd_write(&d, 0x0c, 4, 1);
		vd_set_status(&d, 0xb);
		set_up();
		vd_set_status(&d, 0xf);
		sched_yield();
		break;
	default:
		kick((unsigned int)rng_below(rng, QUEUES), rng_below(rng, 2));
	}
}

static void *vcpu(void *opaque)
{
	struct rng rng = { 0x9e3779b97f4a7c15 + (u64)(uintptr_t)opaque };

	for (unsigned int n = 0; n < STEPS; n++) {
		pthread_rwlock_rdlock(&running);
		one_step(&rng);
		pthread_rwlock_unlock(&running);
	}
	return NULL;
}

static void *machine(void *opaque)
{
	bool power_up = false;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		pthread_rwlock_wrlock(&running);
		d.pci.pci.ops->run(&d.pci, false);
		ck_assert_uint_eq(d.dev->in_flight, 0);
		power_up = !power_up;
		if (power_up)
			d.pci.pci.ops->reset(&d.pci);
		d.pci.pci.ops->run(&d.pci, true);
		pthread_rwlock_unlock(&running);
		usleep(500);
	}
	return NULL;
}

static void *host(void *opaque)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		mhi_console_input(d.dev, 0, "typed", 5);
		mhi_console_resize(d.dev, 0, 80, 25);
		usleep(100);
	}
	return NULL;
}

/* Alone again, a driver is served in full. */
static void works(unsigned int q)
{
	u8 *used = vd_ptr(&d, (1 + q) * RING_BYTES + 0x800);
	unsigned int tries = 0;

	vd_set_status(&d, 0);
	while (vd_status(&d)) {
		ck_assert_uint_lt(tries++, TRIES);
		usleep(100);
	}
	vd_set_status(&d, 3);
	vd_write(&d, 8, 4, 1);
	vd_write(&d, 0x0c, 4, 1);
	vd_set_status(&d, 0xb);
	memset(used, 0, 4);
	set_up();
	vd_set_status(&d, 0xf);
	while (__atomic_load_n((const u16 *)(const void *)(used + 2), __ATOMIC_ACQUIRE) != CHAINS) {
		ck_assert_uint_lt(tries++, TRIES);
		usleep(100);
	}
	ck_assert_uint_eq(vd_status(&d), 0xf);
}

static void everybody(struct mhi_vdev *(*make)(void), bool write)
{
	pthread_t thread[VCPUS + 2];
	unsigned int threads = VCPUS + 1 + (make == make_console);

	vd_init(&d);
	ck_assert_int_eq(mhi_workers_create(3, "test", &workers, NULL), 0);
	vd_attach(&d, make(), true);
	for (unsigned int q = 0; q < QUEUES; q++)
		fill_ring(q, write, make == make_p9 || make == make_p9_ops);
	stop = false;
	pthread_rwlock_init(&running, NULL);
	for (unsigned int n = 0; n < threads; n++) {
		void *(*fn)(void *) = n < VCPUS ? vcpu : n == VCPUS ? machine : host;

		ck_assert_int_eq(pthread_create(&thread[n], NULL, fn, (void *)(uintptr_t)n), 0);
	}
	for (unsigned int n = 0; n < threads; n++) {
		if (n == VCPUS)
			__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
		ck_assert_int_eq(pthread_join(thread[n], NULL), 0);
	}
	pthread_rwlock_destroy(&running);
	works(make == make_console);
	ck_assert_uint_le(d.logged, 1);
	d.pci.pci.ops->run(&d.pci, false);
	vd_fini(&d);
	mhi_workers_destroy(workers);
}

START_TEST(rng)
{
	everybody(make_rng, false);
}
END_TEST

START_TEST(blk)
{
	everybody(make_blk, false);
	ck_assert_uint_ge(disk->reads, CHAINS);
	fake_blk_free(disk);
	everybody(make_blk, true);
	ck_assert_uint_ge(disk->writes, CHAINS);
	fake_blk_free(disk);
}
END_TEST

START_TEST(p9)
{
	everybody(make_p9, false);
}
END_TEST

START_TEST(p9_ops)
{
	asked = 0;
	everybody(make_p9_ops, false);
	ck_assert_uint_ge(asked, CHAINS);
}
END_TEST

START_TEST(console)
{
	said = 0;
	everybody(make_console, true);
	ck_assert_uint_ge(said, CHAINS * 16);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 200);
	tcase_add_test(tcase, rng);
	tcase_add_test(tcase, blk);
	tcase_add_test(tcase, p9);
	tcase_add_test(tcase, p9_ops);
	tcase_add_test(tcase, console);
}

UNIT_MAIN("virtio_race", add_tests)

// SPDX-License-Identifier: MIT
/*
 * Every virtio device with hostile drivers, on rings of either layout: features that were not
 * offered, registers full of nonsense, chains of any shape on any queue, answers over the ring,
 * resets and pauses in mid-request, memory that changes meanwhile. The device must come back after
 * a reset each time, with one line in the log at most.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/le.h"
#include "fake_blk.h"
#include "fake_pool.h"
#include "rng.h"
#include "vdriver.h"
#include "virtio/console.h"
#include "virtio/fs_dev.h"
#include "virtio/fuse_proto.h"
#include "virtio/p9_dev.h"
#include "virtio/p9_proto.h"
#include "virtio/rng.h"
#include "virtio/vblk.h"

#define SIZE 16
#define QUEUES 8
#define BUFFER 0x10000u
#define RINGS 0x80000u
#define ROM VD_RAM
#define ROM_BYTES 4096u
#define ROM_FILL 0x77

/* A device, and a request that it answers. */
struct subject {
	const char *name;
	struct mhi_vdev *(*create)(void);
	unsigned int queue;
	/* Fills memory at BUFFER, and buf [3]; returns how many. */
	unsigned int (*request)(struct vd_buf *buf);
	void (*answered)(u32 len);
	bool keeps_even; /* buffers on even queues wait for what the host has to say */
	void (*end)(void);
};

static struct vdriver d;
static struct vring r[QUEUES];
static unsigned int queues;
static u8 *rom;

/* ---- the devices ---- */

static struct mhi_vdev *rng_create(void)
{
	struct mhi_vdev *dev;

	ck_assert_int_eq(mhi_rng_create(&d.env, &dev), 0);
	return dev;
}

static unsigned int rng_request(struct vd_buf *buf)
{
	buf[0] = (struct vd_buf){ BUFFER, 64, true };
	return 1;
}

static void rng_answered(u32 len)
{
	ck_assert_uint_eq(len, 64);
}

static struct fake_blk *disk;

static struct mhi_vdev *blk_create(void)
{
	struct mhi_vblk_config config = { .queues = 2 };
	struct mhi_vdev *dev;

	disk = fake_blk_new(1 << 20, 1 << 20);
	config.node = &disk->blk;
	ck_assert_int_eq(mhi_workers_create(1, "test", &config.workers, NULL), 0);
	ck_assert_int_eq(mhi_vblk_create(&d.env, &config, &dev), 0);
	return dev;
}

static unsigned int blk_request(struct vd_buf *buf)
{
	memset(vd_ptr(&d, BUFFER), 0, 16);
	*(u8 *)vd_ptr(&d, BUFFER + 16) = 0xff;
	buf[0] = (struct vd_buf){ BUFFER, 16, false };
	buf[1] = (struct vd_buf){ BUFFER + 32, 1024, true };
	buf[2] = (struct vd_buf){ BUFFER + 16, 1, true };
	return 3;
}

static void blk_answered(u32 len)
{
	ck_assert_uint_eq(len, 1025);
	ck_assert_uint_eq(*(u8 *)vd_ptr(&d, BUFFER + 16), 0);
}

static void blk_end(void)
{
	fake_blk_free(disk);
}

static u64 said;

static void on_output(void *opaque, const void *data, size_t bytes)
{
	said += bytes;
}

static struct mhi_vdev *console_create(void)
{
	const struct mhi_console_port port[2] = { { .output = on_output },
						  { .name = "name", .output = on_output } };
	struct mhi_vdev *dev;

	ck_assert_int_eq(mhi_console_create(&d.env, port, 2, &dev), 0);
	return dev;
}

static unsigned int console_request(struct vd_buf *buf)
{
	said = 0;
	buf[0] = (struct vd_buf){ BUFFER, 100, false };
	return 1;
}

static void console_answered(u32 len)
{
	ck_assert_uint_eq(len, 0);
	ck_assert_uint_eq(said, 100);
}

static char folder[32];

static struct mhi_vdev *p9_create(void)
{
	struct mhi_p9_config config = { .tree.path = folder, .tree.readonly = true };
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;

	memcpy(folder, "/tmp/virtio-devices-XXXXXX", 27);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(mhi_p9_dev_create(&d.env, &config, "tag", &dev, &err), 0);
	return dev;
}

static unsigned int p9_request(struct vd_buf *buf)
{
	static const u8 version[] = { 21, 0, 0,	  0,   P9_TVERSION, 0xff, 0xff, 0,   0x20, 0,  0,
				      8,  0, '9', 'P', '2',	    '0',  '0',	'0', '.',  'L' };

	memcpy(vd_ptr(&d, BUFFER), version, sizeof(version));
	buf[0] = (struct vd_buf){ BUFFER, sizeof(version), false };
	buf[1] = (struct vd_buf){ BUFFER + 64, 256, true };
	return 2;
}

static void p9_answered(u32 len)
{
	ck_assert_uint_eq(len, 21);
	ck_assert_uint_eq(*(u8 *)vd_ptr(&d, BUFFER + 64 + 4), P9_TVERSION + 1);
}

static struct mhi_vdev *fs_create(void)
{
	struct mhi_fuse_config config = { .tree.path = folder, .tree.readonly = true };
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;

	memcpy(folder, "/tmp/virtio-devices-XXXXXX", 27);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(mhi_fs_dev_create(&d.env, &config, "tag", &dev, &err), 0);
	return dev;
}

static unsigned int fs_request(struct vd_buf *buf)
{
	const struct {
		struct fuse_in_header head;
		u32 major, minor, readahead, flags;
	} init = { { .len = sizeof(init), .opcode = FUSE_INIT }, 7, 31, 0, 0 };

	memcpy(vd_ptr(&d, BUFFER), &init, sizeof(init));
	buf[0] = (struct vd_buf){ BUFFER, sizeof(init), false };
	buf[1] = (struct vd_buf){ BUFFER + 64, 256, true };
	return 2;
}

static void fs_answered(u32 len)
{
	ck_assert_uint_eq(len, sizeof(struct fuse_out_header) + sizeof(struct fuse_init_out));
}

static void folder_end(void)
{
	ck_assert_int_eq(rmdir(folder), 0);
}

static const struct subject subjects[] = {
	{ "rng", rng_create, 0, rng_request, rng_answered, false, NULL },
	{ "blk", blk_create, 1, blk_request, blk_answered, false, blk_end },
	{ "console", console_create, 1, console_request, console_answered, true, NULL },
	{ "fs", fs_create, 1, fs_request, fs_answered, false, folder_end },
	{ "9p", p9_create, 0, p9_request, p9_answered, false, folder_end },
};

/* ---- a driver ---- */

static void add_rom(void)
{
	struct mhi_slot slot = { .gpa = ROM, .bytes = ROM_BYTES, .readonly = true };

	rom = mmap(NULL, ROM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(rom, ROM_FILL, ROM_BYTES);
	ck_assert_int_eq(mprotect(rom, ROM_BYTES, PROT_READ), 0);
	slot.hva = (u64)(uintptr_t)rom;
	ck_assert_int_eq(mhi_slots_set(&d.ram.mem.slots, 1, &slot, 1ull << 40), 0);
}

/* What the device has to do, wherever it does it. */
static void settle(void)
{
	do
		vd_sync(&d);
	while (fake_pool_run());
}

static void begin(u64 features)
{
	d.brk = RINGS;
	vd_set_status(&d, 0);
	settle();
	ck_assert(vd_negotiate(&d, features | VIRTIO_F_VERSION_1));
	for (unsigned int q = 0; q < queues; q++)
		vr_init(&r[q], &d, q, SIZE);
	vd_ok(&d);
	settle();
}

static void setup(const struct subject *s)
{
	vd_init(&d);
	add_rom();
	vd_attach(&d, s->create(), false);
	queues = d.dev->vqs < QUEUES ? d.dev->vqs : QUEUES;
}

static void end(const struct subject *s)
{
	vd_fini(&d);
	munmap(rom, ROM_BYTES);
	if (s->end)
		s->end();
}

static void add_request(const struct subject *s)
{
	struct vd_buf buf[3];
	unsigned int n = s->request(buf);

	ck_assert_int_ge(vr_add(&r[s->queue], buf, n, false), 0);
	vr_force_kick(&r[s->queue]);
}

/* A driver that does right is served; so far at most one line was logged. */
static void works(const struct subject *s, u64 features)
{
	u32 len = ~0u;

	begin(features);
	add_request(s);
	settle();
	ck_assert_msg(vr_get(&r[s->queue], &len) >= 0, "%s does not answer", s->name);
	s->answered(len);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	ck_assert_uint_le(d.logged, 1);
	vd_set_status(&d, 0);
	settle();
	ck_assert_uint_eq(vd_status(&d), 0);
}

static const u64 layouts[] = { 0, VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC, VIRTIO_F_RING_PACKED,
			       VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC };

static void for_each(void (*fn)(const struct subject *s, u64 features))
{
	for (unsigned int i = 0; i < MHI_COUNT(subjects); i++)
		for (unsigned int k = 0; k < MHI_COUNT(layouts); k++)
			fn(&subjects[i], layouts[k]);
}

/* ---- features ---- */

static void feature_bits(const struct subject *s, u64 features)
{
	u64 offered;

	setup(s);
	offered = vd_offered(&d);
	for (unsigned int bit = 0; bit < 64; bit++) {
		u64 wanted = MHI_BIT(bit) | features | VIRTIO_F_VERSION_1;

		ck_assert_uint_eq(vd_negotiate(&d, wanted), (offered & MHI_BIT(bit)) != 0);
		/* Too late: what was refused is not taken by repeating it. */
		vd_write(&d, 0x14, 1, 0xf);
		if (!(offered & MHI_BIT(bit)))
			ck_assert_uint_eq(vd_status(&d) & VIRTIO_DRIVER_OK, 0);
		else
			works(s, features | MHI_BIT(bit));
	}
	ck_assert(!vd_negotiate(&d, offered & ~VIRTIO_F_VERSION_1));
	ck_assert(!vd_negotiate(&d, 0));
	works(s, features);
	end(s);
}

START_TEST(features_of_any_kind)
{
	for_each(feature_bits);
}
END_TEST

/* ---- registers ---- */

static void write_everything(struct rng *rng, unsigned int times)
{
	static const u64 starts[] = { 0, 0x1000, 0x2000, 0x3000, 0x4000, 0x7ff8 };

	while (times--) {
		u64 at = starts[rng_below(rng, MHI_COUNT(starts))] + rng_below(rng, 0x108);
		unsigned int bytes = 1u << rng_below(rng, 4);

		if (at + bytes > 0x8000)
			at = 0x8000 - bytes;
		vd_read(&d, at, bytes);
		vd_write(&d, at, bytes, rng_below(rng, 2) ? rng_next(rng) : rng_below(rng, 4));
		if (!rng_below(rng, 8))
			settle();
	}
}

static void registers(const struct subject *s, u64 features)
{
	static const u8 states[] = { 0, 1, 3, 0xb, 0xf, 0x8f, 0x4f, 0xff };
	struct rng rng = { 0x9e3779b97f4a7c15 };

	setup(s);
	for (unsigned int n = 0; n < MHI_COUNT(states) * 4; n++) {
		if (n & 1)
			begin(features);
		vd_set_status(&d, states[n % MHI_COUNT(states)]);
		write_everything(&rng, 300);
		settle();
		works(s, features);
	}
	end(s);
}

START_TEST(registers_of_any_value)
{
	for_each(registers);
}
END_TEST

/* ---- chains ---- */

/* Shapes that chains may have, if not those that the device expects. */
static const struct {
	unsigned int count; /* 1 .. 2: as they are; more: that many of buf[0], then of buf[1] */
	struct vd_buf buf[2];
	bool valid;
} shapes[] = {
	{ 1, { { BUFFER, 1, false } }, true },
	{ 1, { { BUFFER, 1, true } }, true },
	{ 1, { { BUFFER, 0, false } }, true },
	{ 1, { { BUFFER, 0, true } }, true },
	{ 2, { { BUFFER, 0, false }, { BUFFER, 0, true } }, true },
	{ 2, { { BUFFER, 16, false }, { BUFFER, 0, true } }, true },
	{ 2, { { BUFFER, 15, false }, { BUFFER, 1, true } }, true },
	{ 2, { { BUFFER, 1 << 16, false }, { BUFFER, 1 << 16, true } }, true },
	{ 1, { { 0, RINGS, true } }, true },
	{ 1, { { 0, VD_RAM, false } }, true },
	{ 2, { { BUFFER, 7, false }, { VD_RAM - 1, 1, true } }, true },
	{ 1, { { ROM, ROM_BYTES, false } }, true },
	{ 1, { { VD_RAM - 16, 32, false } }, true },
	{ 30, { { BUFFER, 1, false }, { BUFFER + 64, 1, true } }, true },
	{ 30, { { BUFFER, 1 << 16, false }, { BUFFER, 1 << 16, true } }, true },
	{ 30, { { 0, VD_RAM, false }, { 0, RINGS, true } }, true },
	{ 30, { { BUFFER, 0, false }, { BUFFER, 0, true } }, true },
	/* Not memory, or not to be written. */
	{ 1, { { ROM, 16, true } }, false },
	{ 1, { { VD_RAM - 16, 32, true } }, false },
	{ 1, { { ROM + ROM_BYTES - 1, 2, false } }, false },
	{ 1, { { BUFFER, 0xffffffff, true } }, false },
	{ 1, { { ~0ull, 1, false } }, false },
	{ 1, { { ~0ull - 7, 8, true } }, false },
	{ 2, { { BUFFER, 16, false }, { 1ull << 52, 512, true } }, false },
	{ 2, { { BUFFER, 16, true }, { BUFFER, 16, false } }, false },
};

static int add_shape(struct vring *ring, unsigned int n, bool indirect)
{
	struct vd_buf buf[60];
	unsigned int count = shapes[n].count;

	if (count <= 2)
		return vr_add(ring, shapes[n].buf, count, false);
	count = indirect ? 60 : 14;
	for (unsigned int i = 0; i < count; i++)
		buf[i] = shapes[n].buf[i >= count / 2];
	return vr_add(ring, buf, count, indirect);
}

static void chain_on(const struct subject *s, u64 features, unsigned int q, unsigned int n)
{
	bool kept = s->keeps_even && !(q & 1);
	u32 len;

	begin(features);
	ck_assert_int_ge(add_shape(&r[q], n, (features & VIRTIO_F_INDIRECT_DESC) != 0), 0);
	vr_force_kick(&r[q]);
	settle();
	/* Each other chain goes back, also one that could not be used. */
	ck_assert_uint_eq(vd_status(&d), 0xf);
	if (!kept)
		ck_assert_msg(vr_get(&r[q], &len) >= 0, "%s keeps chain %u of queue %u", s->name, n,
			      q);
	if (!kept && !shapes[n].valid)
		ck_assert_uint_eq(len, 0);
}

static void chains(const struct subject *s, u64 features)
{
	setup(s);
	for (unsigned int q = 0; q < queues; q++)
		for (unsigned int n = 0; n < MHI_COUNT(shapes); n++)
			chain_on(s, features, q, n);
	works(s, features);
	end(s);
}

START_TEST(chains_of_any_shape)
{
	for_each(chains);
}
END_TEST

/* The device's own answer overwrites the ring that it came from. */
static void answers_into_rings(const struct subject *s, u64 features)
{
	struct vd_buf buf[3];

	setup(s);
	for (u32 at = 0; at < 0x800; at += 0x70) {
		unsigned int n;

		begin(features);
		n = s->request(buf);
		for (unsigned int i = 0; i < n; i++)
			if (buf[i].write)
				buf[i] = (struct vd_buf){ RINGS + at, 0x400, true };
		ck_assert_int_ge(vr_add(&r[s->queue], buf, n, false), 0);
		vr_force_kick(&r[s->queue]);
		settle();
		works(s, features);
	}
	end(s);
}

START_TEST(answers_over_rings)
{
	for_each(answers_into_rings);
}
END_TEST

/* ---- resets ---- */

static void resets(const struct subject *s, u64 features)
{
	setup(s);
	for (unsigned int n = 0; n < 24; n++) {
		begin(features);
		for (unsigned int i = 0; i <= n % 3; i++)
			add_request(s);
		if (n & 4)
			vd_sync(&d);
		/* In flight, or not even seen. */
		vd_set_status(&d, 0);
		if (n & 8) {
			vd_write(&d, 0x16, 2, s->queue);
			vd_write(&d, 0x1c, 2, 1);
			vd_set_status(&d, 0xf);
			vr_force_kick(&r[s->queue]);
		}
		settle();
		vd_set_status(&d, 0);
		works(s, features);
	}
	end(s);
}

START_TEST(resets_in_mid_request)
{
	for_each(resets);
}
END_TEST

/* The machine stops with requests in flight, is reset, or loses the memory where rings are. */
static void pauses(const struct subject *s, u64 features)
{
	setup(s);
	for (unsigned int n = 0; n < 9; n++) {
		struct mhi_slot memory = d.ram.mem.slots.slot[0];

		begin(features);
		add_request(s);
		add_request(s);
		if (n % 3 == 1)
			settle();
		fake_pool_run();
		d.pci.pci.ops->run(&d.pci, false);
		ck_assert_uint_eq(d.dev->in_flight, 0);
		if (n % 3 == 0)
			d.pci.pci.ops->reset(&d.pci);
		ck_assert_int_eq(mhi_slots_clear(&d.ram.mem.slots, 0), 0);
		if (n % 3 != 2)
			ck_assert_int_eq(mhi_slots_set(&d.ram.mem.slots, 0, &memory, 1ull << 40),
					 0);
		d.pci.pci.ops->run(&d.pci, true);
		settle();
		if (n % 3 == 2) {
			ck_assert_uint_eq(vd_status(&d), 0xf | VIRTIO_NEEDS_RESET);
			ck_assert_int_eq(mhi_slots_set(&d.ram.mem.slots, 0, &memory, 1ull << 40),
					 0);
		}
		works(s, features);
	}
	end(s);
}

START_TEST(pauses_in_mid_request)
{
	for_each(pauses);
}
END_TEST

/* ---- memory that changes while the device looks at it ---- */

static bool stop;

static void *scribble(void *opaque)
{
	struct rng rng = { 0x853c49e6748fea9b };

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		u64 at = rng_below(&rng, 4) ? RINGS + rng_below(&rng, 0x600) * 2
					    : BUFFER + rng_below(&rng, 16) * 2;
		u16 *word = vd_ptr(&d, at);
		u16 old = __atomic_load_n(word, __ATOMIC_RELAXED);

		/* Back again at once, so that most of what the device sees makes sense. */
		__atomic_store_n(word, (u16)(old ^ 1u << rng_below(&rng, 16)), __ATOMIC_RELAXED);
		__atomic_store_n(word, old, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void changes(const struct subject *s, u64 features)
{
	pthread_t thread;

	setup(s);
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_create(&thread, NULL, scribble, NULL), 0);
	for (unsigned int n = 0; n < 300; n++) {
		begin(features);
		for (unsigned int i = 0; i < 4; i++)
			add_request(s);
		settle();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	works(s, features);
	end(s);
}

START_TEST(memory_that_changes)
{
	for_each(changes);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, features_of_any_kind);
	tcase_add_test(tcase, registers_of_any_value);
	tcase_add_test(tcase, chains_of_any_shape);
	tcase_add_test(tcase, answers_over_rings);
	tcase_add_test(tcase, resets_in_mid_request);
	tcase_add_test(tcase, pauses_in_mid_request);
	tcase_add_test(tcase, memory_that_changes);
}

UNIT_MAIN("virtio_devices", add_tests)

/* SPDX-License-Identifier: MIT */
/*
 * Power cuts: the writes and flushes of a run are kept, files that a cut would have left are made
 * from them (every write between two flushes may have reached the disk or not, by sectors), and
 * each must be consistent and hold what was flushed.
 */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "fake_blk.h"
#include "qemu_img.h"
#include "rng.h"
#include "virtio/be_raw.h"
#include "virtio/qcow2.h"

#define CAPACITY (24u << 20)
#define OPS 400
#define CUTS 100
#define SECTOR 512u

/* One guest operation; value 0 is zeroes. A flush has count 0. */
struct op {
	u64 sector, count, value;
	bool discard;
	size_t begin, end; /* steps of the journal */
};

static struct fake_blk *file, *base;
static struct mhi_blk *disk;
static struct mhi_err err;
static struct op ops[OPS];
static u8 *start;
static u64 start_size, sectors;
static struct rng rng;
static char path[80];
static bool judge, made;

static const struct shape {
	u64 size;
	u32 cluster, refcount_bits, version;
	bool backed;
	bool packed; /* made by QEMU: compressed clusters and a snapshot of them */
} shapes[] = {
	{ 4 << 20, 65536, 16, 3, false, false }, { 2 << 20, 512, 16, 3, false, false },
	{ 2 << 20, 512, 64, 3, true, false },	 { 4 << 20, 4096, 1, 3, true, false },
	{ 4 << 20, 65536, 16, 3, true, false },	 { 1 << 20, 512, 16, 2, false, false },
	{ 1 << 20, 4096, 16, 2, true, false },	 { 2 << 20, 4096, 16, 3, false, true },
	{ 2 << 20, 65536, 16, 3, false, true },
};

static void attach(struct fake_blk *f, u32 flags)
{
	int rc = mhi_qcow2_open(&f->blk, flags, &disk, &err);

	ck_assert_msg(!rc, "%s", err.text);
	if (base)
		mhi_qcow2_set_backing(disk, &base->blk);
}

static u64 base_value(u64 sector)
{
	return base || made ? sector / 8 * 3 + 1 : 0;
}

static void make_base(u64 bytes)
{
	u64 i, n;

	base = fake_blk_new(bytes, bytes);
	for (i = 0; i < bytes / SECTOR; i++)
		for (n = 0; n < SECTOR; n += 8) {
			u64 value = base_value(i);

			memcpy(base->data + i * SECTOR + n, &value, 8);
		}
	base->blk.read_only = true;
}

static void write_file(const char *name, const u8 *data, u64 bytes)
{
	FILE *f = fopen(name, "w");

	ck_assert_uint_eq(fwrite(data, 1, bytes, f), bytes);
	fclose(f);
}

/* An image of QEMU's, loaded into the fake file. */
static void make_packed(const struct shape *s)
{
	char name[96], option[64];
	FILE *f;

	made = true;
	snprintf(name, sizeof(name), "%s.base", path);
	make_base(s->size);
	write_file(name, base->data, s->size);
	fake_blk_free(base);
	base = NULL;
	snprintf(option, sizeof(option), "cluster_size=%u", s->cluster);
	must_run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", option, name, path,
		 NULL);
	must_run("qemu-img", "snapshot", "-c", "one", path, NULL);
	f = fopen(path, "r");
	file->blk.size = (fread(file->data, 1, CAPACITY, f) + 511ull) & ~511ull;
	fclose(f);
}

static void set_up_shape(const struct shape *s)
{
	struct mhi_qcow2_create o = { .size = s->size,
				      .cluster_bytes = s->cluster,
				      .refcount_bits = s->refcount_bits,
				      .version = s->version };
	char name[96];

	file = fake_blk_new(0, CAPACITY);
	sectors = s->size / SECTOR;
	base = NULL;
	made = false;
	snprintf(path, sizeof(path), "%s/mh-cut-%d", image_folder(), (int)getpid());
	if (s->backed) {
		make_base(s->size);
		snprintf(name, sizeof(name), "%s.base", path);
		write_file(name, base->data, s->size);
		o.backing_name = strrchr(name, '/') + 1;
		o.backing_format = "raw";
	}
	if (s->packed)
		make_packed(s);
	else
		ck_assert_int_eq(mhi_qcow2_create(&file->blk, &o, &err), 0);
}

static void write_op(struct op *op)
{
	u64 *buf = malloc(op->count * SECTOR), i;
	int rc;

	for (i = 0; i < op->count * SECTOR / 8; i++)
		buf[i] = op->value;
	if (op->value)
		rc = mhi_blk_write(disk, op->sector * SECTOR, buf, op->count * SECTOR);
	else if (op->discard)
		rc = disk->ops->discard(disk, op->sector * SECTOR, op->count * SECTOR);
	else
		rc = disk->ops->write_zeroes(disk, op->sector * SECTOR, op->count * SECTOR,
					     rng_next(&rng) & 1024 ? MHI_BLK_UNMAP : 0);
	ck_assert_int_eq(rc, 0);
	free(buf);
}

/* Runs operations, some before the journal begins, and keeps what they did. */
static void run_ops(void)
{
	u64 kind;
	u32 i;

	for (i = 0; i < OPS; i++) {
		struct op *op = &ops[i];

		memset(op, 0, sizeof(*op));
		kind = rng_below(&rng, 12);
		op->begin = file->steps;
		if (kind == 0) {
			ck_assert_int_eq(disk->ops->flush(disk), 0);
		} else {
			op->sector = rng_below(&rng, sectors);
			op->count = rng_below(&rng, rng_below(&rng, 4) ? 16 : 400) + 1;
			if (op->count > sectors - op->sector)
				op->count = sectors - op->sector;
			op->value = kind < 3 ? 0 : 1000000 + i;
			op->discard = kind == 1;
			write_op(op);
		}
		op->end = file->steps;
	}
}

struct cut {
	size_t at, sure; /* steps before `sure` have reached the disk, from `at` on none has */
	u32 odds;	 /* of those between, in 1/8 */
	struct rng rng;
};

static bool reached(size_t step, u64 sector, void *opaque)
{
	struct cut *cut = opaque;

	if (step < cut->sure)
		return true;
	return step < cut->at && rng_below(&cut->rng, 8) < cut->odds;
}

static u64 sector_value(const u8 *data)
{
	u64 value, i, next;

	memcpy(&value, data, 8);
	for (i = 8; i < SECTOR; i += 8) {
		memcpy(&next, data + i, 8);
		if (next != value)
			return ~0ull; /* torn: no whole write */
	}
	return value;
}

/* What a sector may hold after a cut: what was flushed, or what was written since. */
static bool allowed(u64 sector, u64 value, const struct cut *cut)
{
	bool ok = value == base_value(sector), hit;
	size_t i;

	for (i = 0; i < OPS && ops[i].begin < cut->at; i++) {
		if (!ops[i].count)
			continue;
		hit = sector >= ops[i].sector && sector < ops[i].sector + ops[i].count;
		if (hit && value == ops[i].value)
			ok = true;
		else if (hit && !ops[i].discard) {
			/* Overwritten: the old value may stay only if no flush followed in time. */
			size_t f;

			for (f = i + 1; f < OPS && (ops[f].count || ops[f].end > cut->at); f++)
				continue;
			if (f < OPS)
				ok = false;
		}
	}
	return ok;
}

static void check_content(const struct cut *cut, const char *when)
{
	u8 *all = malloc(sectors * SECTOR);
	u64 i, value;

	ck_assert_int_eq(mhi_blk_read(disk, 0, all, sectors * SECTOR), 0);
	for (i = 0; i < sectors; i++) {
		value = sector_value(all + i * SECTOR);
		if (!allowed(i, value, cut))
			ck_abort_msg("%s, cut at step %zu (sure %zu): sector %llu holds %llu", when,
				     cut->at, cut->sure, i, value);
	}
	free(all);
}

static int judge_file(const struct fake_blk *f, char *text, size_t bytes)
{
	write_file(path, f->data, f->blk.size);
	return qemu_check(path, text, bytes);
}

static void close_disk(void)
{
	/* The backing node is the test's. */
	mhi_qcow2_set_backing(disk, NULL);
	ck_assert_int_eq(disk->ops->close(disk), 0);
}

static void check_cut(struct cut *cut, bool ask_qemu)
{
	struct fake_blk *after = fake_blk_replay(file, start, start_size, reached, cut);
	struct mhi_qcow2_check report;
	char text[4096];
	int status;

	if (ask_qemu) {
		status = judge_file(after, text, sizeof(text));
		ck_assert_msg(status == 0 || status == 3, "cut at %zu: status %d: %s", cut->at,
			      status, text);
	}
	attach(after, MHI_QCOW2_READ_ONLY);
	ck_assert_int_eq(mhi_qcow2_check(disk, false, &report, NULL, NULL), 0);
	ck_assert_msg(!report.errors, "cut at %zu: %s", cut->at, report.first);
	check_content(cut, "as it was left");
	close_disk();
	/* Opened for writing, it is as good as new: the leaks are gone, but for version 2. */
	attach(after, 0);
	check_content(cut, "repaired");
	ck_assert_int_eq(mhi_qcow2_check(disk, false, &report, NULL, NULL), 0);
	ck_assert_uint_eq(report.errors, 0);
	close_disk();
	if (ask_qemu) {
		status = judge_file(after, text, sizeof(text));
		ck_assert_msg(status == 0 || status == 3, "status %d: %s", status, text);
	}
	fake_blk_free(after);
}

/* The last flush of the journal before a step. */
static size_t last_flush(size_t at)
{
	while (at > 0) {
		at--;
		if (!file->step[at].bytes && !file->step[at].resize)
			return at;
	}
	return 0;
}

START_TEST(power_cuts)
{
	struct mhi_blk *live;
	struct cut cut;
	char name[96];
	u32 i;

	judge = qemu_img_there();
	if (shapes[_i].packed && !judge)
		return;
	rng.s = 77 + (u64)_i;
	set_up_shape(&shapes[_i]);
	start_size = file->blk.size;
	start = malloc(start_size);
	memcpy(start, file->data, start_size);
	fake_blk_record(file);
	attach(file, 0);
	run_ops();
	for (i = 0; i < CUTS; i++) {
		cut.at = rng_below(&rng, file->steps + 1);
		cut.sure = last_flush(cut.at);
		cut.odds = (u32)rng_below(&rng, 9);
		cut.rng.s = rng_next(&rng);
		live = disk;
		check_cut(&cut, judge && i % 8 == 0);
		disk = live;
	}
	close_disk();
	unlink(path);
	snprintf(name, sizeof(name), "%s.base", path);
	unlink(name);
	free(start);
	fake_blk_free(file);
	if (base)
		fake_blk_free(base);
}
END_TEST

/*
 * A flush that failed may have lost tables, too, that were written before it and changed by none
 * since. Flushes after it once succeeded. The third flush of a resize is that of the new size.
 */
START_TEST(failed_flush_is_remembered)
{
	const struct shape s = { 4 << 20, 65536, 16, 3, false, false };
	u8 block[SECTOR] = { 1 };

	set_up_shape(&s);
	attach(file, 0);
	ck_assert_int_eq(mhi_blk_write(disk, 0, block, SECTOR), 0);
	ck_assert_int_eq(disk->ops->flush(disk), 0);
	ck_assert_int_eq(mhi_blk_write(disk, SECTOR, block, SECTOR), 0);
	file->fail_flushes_after = _i ? 2 : 0;
	ck_assert_int_eq(_i ? disk->ops->resize(disk, 5 << 20, &err) : disk->ops->flush(disk),
			 MH_EIO);
	file->fail_flushes_after = -1;
	ck_assert_int_eq(disk->ops->flush(disk), MH_EIO);
	ck_assert_int_eq(mhi_blk_write(disk, 0, block, SECTOR), MH_EIO);
	ck_assert_int_eq(disk->ops->close(disk), MH_EIO);
	fake_blk_free(file);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, failed_flush_is_remembered, 0, 2);
	tcase_add_loop_test(tcase, power_cuts, 0, (int)MHI_COUNT(shapes));
}

UNIT_MAIN("qcow2_crash", add_tests)

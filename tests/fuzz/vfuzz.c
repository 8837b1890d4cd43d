// SPDX-License-Identifier: MIT
/* The driver of virtio fuzz targets: guest memory, rings, and the input's operations. */
#include "vfuzz.h"

#include <string.h>
#include <unistd.h>

#include "core/le.h"
#include "fake_loop.h"
#include "virtio/tr_pci.h"

/* Each slot is memory of its own, so that what leaves it is seen. */
#define MAIN_BYTES 0x10000u
#define SECOND_AT MAIN_BYTES
#define SECOND_BYTES 0x2000u
#define ROM_AT (SECOND_AT + SECOND_BYTES)
#define ROM_BYTES 0x1000u
#define ROM_FILL 0x77
#define RAM_END (ROM_AT + ROM_BYTES)
#define LIMIT (1ull << 40)

/* Rings of eight entries, one behind the other; a table and buffers for each of their entries. */
#define QUEUES 12u
#define SIZE 8u
#define RING_BYTES 0x200u
#define DRIVER_AT 0x80u
#define DEVICE_AT 0xc0u
#define TABLE_AT 0x2000u
#define TABLE_BYTES 0x100u
#define BUFFER_AT 0x4000u
#define BUFFER_BYTES 0x600u
#define DESCS_MOST 6u

/* Registers: tr_pci.c. */
#define NOTIFY_AT 0x3000u
#define STATUS 0x14u
#define WINDOW_CAP 4u
#define OPS_MOST 200u

struct desc {
	u64 addr;
	u32 len;
	u16 flags;
};

struct queue {
	u16 next;
	bool wrap;
};

struct vfuzz {
	const struct vfuzz_model *model;
	struct fuzz_input in;
	u8 *main, *second, *rom;
	struct mhi_gmem mem;
	struct mhi_log log;
	struct mhi_loop *loop;
	struct mhi_vdev *dev;
	struct mhi_vpci pci;
	bool msix, packed;
	u32 logged;
	struct queue queue[QUEUES];
};

/* ---- the bus and the machine ---- */

static bool port_msix_on(void *slot)
{
	return ((struct vfuzz *)slot)->msix;
}

static void port_msix(void *slot, unsigned int vector)
{
	if (vector >= ((struct vfuzz *)slot)->pci.pci.msix_vectors)
		fuzz_die("the device", "a vector that does not exist");
}

static void port_intx(void *slot, bool level)
{
}

static const struct mhi_pci_port_ops port_ops = {
	.msix_on = port_msix_on,
	.msix = port_msix,
	.intx = port_intx,
};

static void on_log(void *opaque, enum mh_log_level level, const char *text)
{
	((struct vfuzz *)opaque)->logged++;
}

static u8 *add_slot(struct vfuzz *f, unsigned int n, u64 gpa, u64 bytes, bool readonly)
{
	u8 *host = aligned_alloc(4096, bytes);
	struct mhi_slot slot = { gpa, bytes, (u64)(uintptr_t)host, readonly };

	if (!host || mhi_slots_set(&f->mem.slots, n, &slot, LIMIT))
		fuzz_die("cannot prepare", "memory");
	memset(host, readonly ? ROM_FILL : 0, bytes);
	return host;
}

static void begin(struct vfuzz *f)
{
	struct mhi_vdev_env env = { .mem = &f->mem, .log = &f->log, .owner = "VM \"fuzz\"" };
	u8 choice = (u8)fuzz_take(&f->in, 1);

	f->mem.gpa_limit = LIMIT;
	f->main = add_slot(f, 0, 0, MAIN_BYTES, false);
	f->second = add_slot(f, 1, SECOND_AT, SECOND_BYTES, false);
	f->rom = add_slot(f, 2, ROM_AT, ROM_BYTES, true);
	if (mhi_log_init(&f->log, on_log, f, MH_LOG_DEBUG) || mhi_loop_create(&f->loop))
		fuzz_die("cannot prepare", "log and loop");
	env.loop = f->loop;
	f->dev = f->model->create(&env, choice);
	if (mhi_vpci_init(&f->pci, f->dev, choice & 0x20))
		fuzz_die("cannot prepare", "transport");
	f->pci.pci.port = &port_ops;
	f->pci.pci.slot = f;
	f->msix = choice & 1;
	f->pci.pci.ops->reset(&f->pci);
	f->pci.pci.ops->run(&f->pci, true);
}

static void write_reg(struct vfuzz *f, u64 at, unsigned int bytes, u64 value)
{
	f->pci.pci.ops->bar_write(&f->pci, 0, at, bytes, value);
}

static u64 read_reg(struct vfuzz *f, u64 at, unsigned int bytes)
{
	return f->pci.pci.ops->bar_read(&f->pci, 0, at, bytes);
}

static void settle(struct vfuzz *f)
{
	fake_loop_run(f->loop);
	if (f->model->drain)
		f->model->drain(f->dev);
	fake_loop_run(f->loop);
	if (f->model->drain)
		f->model->drain(f->dev);
}

static void stop_and_go(struct vfuzz *f, bool power_up)
{
	settle(f);
	f->pci.pci.ops->run(&f->pci, false);
	if (power_up)
		f->pci.pci.ops->reset(&f->pci);
	f->pci.pci.ops->run(&f->pci, true);
}

static void check(struct vfuzz *f)
{
	write_reg(f, STATUS, 1, 0);
	settle(f);
	if (f->dev->status || f->dev->in_flight)
		fuzz_die("the device", "a reset does not end");
	if (f->logged > 1)
		fuzz_die("the device", "a guest can flood the log");
	for (unsigned int i = 0; i < ROM_BYTES; i++)
		if (f->rom[i] != ROM_FILL)
			fuzz_die("the device", "read-only memory was written");
}

static void end(struct vfuzz *f)
{
	check(f);
	f->pci.pci.ops->run(&f->pci, false);
	mhi_vpci_fini(&f->pci);
	f->dev->ops->destroy(f->dev);
	if (f->model->end)
		f->model->end();
	mhi_loop_destroy(f->loop);
	mhi_log_fini(&f->log);
	free(f->main);
	free(f->second);
	free(f->rom);
}

/* ---- a driver ---- */

static void negotiate(struct vfuzz *f)
{
	u8 choice = (u8)fuzz_take(&f->in, 1);
	u64 features = f->dev->offered;

	f->packed = choice & 1;
	if (!f->packed)
		features &= ~VIRTIO_F_RING_PACKED;
	if (choice & 2)
		features &= ~VIRTIO_F_EVENT_IDX;
	if (choice & 4)
		features &= ~VIRTIO_F_INDIRECT_DESC;
	if (choice & 8)
		features &= fuzz_take(&f->in, 4) | ~0xffffffull;
	write_reg(f, STATUS, 1, 0);
	settle(f);
	write_reg(f, STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	for (u32 i = 0; i < 2; i++) {
		write_reg(f, 0x08, 4, i);
		write_reg(f, 0x0c, 4, (u32)(features >> (32 * i)));
	}
	write_reg(f, STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
}

static void set_up(struct vfuzz *f)
{
	negotiate(f);
	for (u32 q = 0; q < QUEUES; q++) {
		u64 at = q * RING_BYTES;

		f->queue[q] = (struct queue){ 0, true };
		memset(f->main + at, 0, RING_BYTES);
		write_reg(f, 0x16, 2, q);
		write_reg(f, 0x18, 2, SIZE);
		write_reg(f, 0x1a, 2, q + 1);
		write_reg(f, 0x20, 8, at);
		write_reg(f, 0x28, 8, at + DRIVER_AT);
		write_reg(f, 0x30, 8, at + DEVICE_AT);
		write_reg(f, 0x1c, 2, 1);
	}
	write_reg(f, STATUS, 1,
		  VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

static void put_desc(u8 *at, const struct desc *d, u16 at12, u16 at14)
{
	mhi_put_le64(at, d->addr);
	mhi_put_le32(at + 8, d->len);
	mhi_put_le16(at + 12, at12);
	mhi_put_le16(at + 14, at14);
}

static void fill_table(struct vfuzz *f, u8 *table, const struct desc *d, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		u16 link = i + 1 < n ? VQ_DESC_NEXT : 0;

		if (f->packed)
			put_desc(table + 16 * i, &d[i], 7, d[i].flags);
		else
			put_desc(table + 16 * i, &d[i], d[i].flags | link, (u16)(i + 1));
	}
}

static void offer_split(struct queue *queue, u8 *ring, const struct desc *d, unsigned int n)
{
	u16 first = (u16)(queue->next * 3 % SIZE), at = first;

	for (unsigned int i = 0; i < n; i++) {
		u16 next = (u16)((at + 1) % SIZE), link = i + 1 < n ? VQ_DESC_NEXT : 0;

		put_desc(ring + 16 * at, &d[i], d[i].flags | link, next);
		at = next;
	}
	mhi_put_le16(ring + DRIVER_AT + 4 + 2 * (queue->next % SIZE), first);
	mhi_put_le16(ring + DRIVER_AT + 2, ++queue->next);
}

static void offer_packed(struct queue *queue, u8 *ring, const struct desc *d, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		u16 flags = d[i].flags | (i + 1 < n ? VQ_DESC_NEXT : 0);

		flags |= queue->wrap ? 0x0080 : 0x8000;
		put_desc(ring + 16 * queue->next, &d[i], queue->next, flags);
		if (++queue->next == SIZE) {
			queue->next = 0;
			queue->wrap = !queue->wrap;
		}
	}
}

static void offer(struct vfuzz *f, unsigned int q, const struct desc *d, unsigned int n,
		  bool indirect)
{
	u64 table = TABLE_AT + f->queue[q].next % SIZE * TABLE_BYTES;
	struct desc whole = { table, 16 * n, VQ_DESC_INDIRECT };

	if (indirect) {
		fill_table(f, f->main + table, d, n);
		d = &whole;
		n = 1;
	}
	if (f->packed)
		offer_packed(&f->queue[q], f->main + q * RING_BYTES, d, n);
	else
		offer_split(&f->queue[q], f->main + q * RING_BYTES, d, n);
	write_reg(f, NOTIFY_AT + 4 * q, 2, q);
}

/* A buffer in up to three pieces. */
static unsigned int pieces(struct fuzz_input *in, struct desc *d, u64 addr, u32 bytes, u16 flags)
{
	unsigned int n = 0;

	while (bytes && n < DESCS_MOST / 2) {
		u32 len = 1 + (u32)fuzz_take(in, 1) * 8;

		if (len > bytes || n + 1 == DESCS_MOST / 2)
			len = bytes;
		d[n++] = (struct desc){ addr, len, flags };
		addr += len;
		bytes -= len;
	}
	return n;
}

static void good_request(struct vfuzz *f)
{
	u8 how = (u8)fuzz_take(&f->in, 1);
	unsigned int q = (how & 15) % QUEUES, n;
	u64 at = BUFFER_AT + (how >> 4) % SIZE * 2 * BUFFER_BYTES;
	struct desc d[DESCS_MOST];
	u32 in_bytes = 0, out_bytes;

	out_bytes = f->model->request(&f->in, q, f->main + at, &in_bytes);
	if (in_bytes > BUFFER_BYTES)
		in_bytes = BUFFER_BYTES;
	n = pieces(&f->in, d, at, out_bytes, 0);
	n += pieces(&f->in, d + n, at + BUFFER_BYTES, in_bytes, VQ_DESC_WRITE);
	if (n)
		offer(f, q, d, n, how & 0x80);
}

/* Where slots begin and end, and where there is none. */
static struct desc wild_desc(struct fuzz_input *in)
{
	static const u64 places[] = { MAIN_BYTES - 8, ROM_AT - 8, ROM_AT,    RAM_END - 8,
				      RAM_END,	      0,	  ~0ull - 7, LIMIT - 1 };
	static const u32 lengths[] = { 0, 1, 16, 512, 4096, SECOND_BYTES + 16, MAIN_BYTES, ~0u };
	u8 how = (u8)fuzz_take(in, 1);
	struct desc d = { .flags = how & 1 ? VQ_DESC_WRITE : 0 };

	d.addr = how & 2 ? places[how >> 2 & 7] : BUFFER_AT + fuzz_take(in, 2) % 0xa000;
	d.len = how & 0x20 ? lengths[fuzz_take(in, 1) & 7] : (u32)fuzz_take(in, 1);
	if (how & 0x40)
		d.flags |= VQ_DESC_INDIRECT;
	return d;
}

static void wild_request(struct vfuzz *f)
{
	u8 how = (u8)fuzz_take(&f->in, 1), request[VFUZZ_REQUEST_MAX];
	unsigned int q = (how & 15) % QUEUES, n = 1 + (how >> 4 & 3);
	struct desc d[DESCS_MOST];
	u32 in_bytes, out_bytes;

	for (unsigned int i = 0; i < n; i++)
		d[i] = wild_desc(&f->in);
	/* The start of something that makes sense, where it can be. */
	if ((how & 0x40) && d[0].addr < MAIN_BYTES) {
		out_bytes = f->model->request(&f->in, q, request, &in_bytes);
		if (out_bytes > MAIN_BYTES - d[0].addr)
			out_bytes = (u32)(MAIN_BYTES - d[0].addr);
		memcpy(f->main + d[0].addr, request, out_bytes);
	}
	offer(f, q, d, n, how & 0x80);
}

/* ---- operations ---- */

/* A kick, by the doorbell if there is one. */
static void kick(struct vfuzz *f, unsigned int q)
{
	const u64 one = 1;
	struct mhi_pci_doorbell bell;

	if (!f->pci.pci.ops->doorbell(&f->pci, q, &bell))
		write_reg(f, NOTIFY_AT + 4 * q, 2, 0);
	else if (write(bell.fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		fuzz_die("the transport", "a doorbell that cannot be rung");
}

static void any_register(struct vfuzz *f, bool write)
{
	static const u64 kinds[] = { 0, 0, 0x1000, 0x2000, NOTIFY_AT, 0x4000, 0x7f00, 0 };
	u8 how = (u8)fuzz_take(&f->in, 1);
	unsigned int bytes = 1u << (how & 3);
	u64 at = kinds[how >> 2 & 7] + fuzz_take(&f->in, 1);

	if (!(how & 0x80))
		at &= ~(u64)(bytes - 1);
	if (at + bytes > f->pci.pci.bar[0].bytes)
		at = 0;
	if (write)
		write_reg(f, at, bytes, fuzz_take(&f->in, bytes));
	else
		read_reg(f, at, bytes);
}

static void patch(struct vfuzz *f)
{
	u64 at = fuzz_take(&f->in, 2);
	u8 n = (u8)fuzz_take(&f->in, 1);

	if (n & 0x80)
		at %= QUEUES * RING_BYTES;
	for (n &= 7; n && at < MAIN_BYTES; n--)
		f->main[at++] = (u8)fuzz_take(&f->in, 1);
}

static void window(struct vfuzz *f)
{
	u8 body[MHI_PCI_CAP_BODY], how = (u8)fuzz_take(&f->in, 1);
	unsigned int caps = f->pci.pci.caps, at = fuzz_take(&f->in, 1) % MHI_PCI_CAP_BODY;

	memcpy(body, f->pci.pci.cap[caps - 1].body, sizeof(body));
	mhi_put_le32(body + 6, (u32)fuzz_take(&f->in, 2));
	mhi_put_le32(body + 10, how >> 2 & 7);
	mhi_put_le32(body + 14, (u32)fuzz_take(&f->in, 4));
	f->pci.pci.ops->cap(&f->pci, caps - 1, body, how & 1, at, how & 2 ? 4 : 1);
}

static void operate(struct vfuzz *f)
{
	u8 op = (u8)fuzz_take(&f->in, 1);

	switch (op & 15) {
	case 0:
	case 1:
		any_register(f, op & 1);
		break;
	case 2:
		patch(f);
		break;
	case 3:
		kick(f, op >> 4);
		break;
	case 4:
	case 5:
		fake_loop_run(f->loop);
		break;
	case 6:
		write_reg(f, STATUS, 1, op >> 4 ? fuzz_take(&f->in, 1) : 0);
		break;
	case 7:
		set_up(f);
		break;
	case 8:
		window(f);
		break;
	case 9:
		stop_and_go(f, op & 16);
		break;
	case 10:
	case 11:
		if (f->model->host)
			f->model->host(f->dev, &f->in);
		break;
	case 12:
		wild_request(f);
		break;
	default:
		good_request(f);
	}
}

int vfuzz(const struct vfuzz_model *model, const u8 *data, size_t size)
{
	struct vfuzz f = { .model = model, .in = { data, data + size } };

	begin(&f);
	set_up(&f);
	for (unsigned int n = 0; n < OPS_MOST && fuzz_more(&f.in); n++)
		operate(&f);
	end(&f);
	return 0;
}

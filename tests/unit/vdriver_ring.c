// SPDX-License-Identifier: MIT
/*
 * Rings as a driver keeps them, written from the driver's side of virtio 1.2, 2.7 and 2.8, and
 * sharing no code with the device's.
 */
#include "vdriver.h"

#include <check.h>

#define NOTIFY 0x3000

struct desc {
	u64 addr;
	u32 len;
	u16 at12, at14;
};

static struct desc *desc_at(struct vring *r, unsigned int i)
{
	return (struct desc *)vd_ptr(r->d, r->desc) + i;
}

static u16 *word(struct vring *r, mh_gpa base, unsigned int offset)
{
	return vd_ptr(r->d, base + offset);
}

static u16 get(const u16 *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void put(u16 *p, u16 v)
{
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

void vr_init(struct vring *r, struct vdriver *d, unsigned int q, u16 size)
{
	memset(r, 0, sizeof(*r));
	r->d = d;
	r->q = q;
	r->size = size;
	r->packed = d->features & VIRTIO_F_RING_PACKED;
	r->event_idx = d->features & VIRTIO_F_EVENT_IDX;
	r->next_wrap = r->used_wrap = r->kicked_wrap = true;
	r->desc = vd_alloc(d, 16ull * size, 16);
	r->driver = vd_alloc(d, r->packed ? 4 : 6 + 2ull * size, 4);
	r->device = vd_alloc(d, r->packed ? 4 : 6 + 8ull * size, 4);
	memset(vd_ptr(d, r->desc), 0, 16ull * size);
	memset(vd_ptr(d, r->driver), 0, r->packed ? 4 : 6 + 2ull * size);
	memset(vd_ptr(d, r->device), 0, r->packed ? 4 : 6 + 8ull * size);
	for (u16 i = 0; i < size; i++) {
		r->free_list[r->free++] = i;
		r->table[i] = vd_alloc(d, 16ull * 64, 16);
	}
	vd_write(d, 0x16, 2, q);
	ck_assert_uint_ge(vd_read(d, 0x18, 2), size);
	vd_write(d, 0x18, 2, size);
	vd_write(d, 0x1a, 2, q + 1);
	ck_assert_uint_eq(vd_read(d, 0x1a, 2), q + 1);
	vd_write(d, 0x20, 4, (u32)r->desc);
	vd_write(d, 0x24, 4, r->desc >> 32);
	vd_write(d, 0x28, 8, r->driver);
	vd_write(d, 0x30, 8, r->device);
	vd_write(d, 0x1c, 2, 1);
	ck_assert_uint_eq(vd_read(d, 0x1c, 2), 1);
	ck_assert_uint_eq(vd_read(d, 0x1e, 2), q);
	vr_interrupts(r, true);
}

static u16 flags_of(const struct vd_buf *buf)
{
	return buf->write ? 2 : 0;
}

static void fill_table(struct vring *r, u16 id, const struct vd_buf *buf, unsigned int count)
{
	struct desc *table = vd_ptr(r->d, r->table[id]);

	for (unsigned int i = 0; i < count; i++) {
		u16 next = i + 1 < count ? 1 : 0;

		table[i] = (struct desc){ buf[i].at, buf[i].bytes, 0, 0 };
		if (r->packed) {
			table[i].at14 = flags_of(&buf[i]);
		} else {
			table[i].at12 = flags_of(&buf[i]) | next;
			table[i].at14 = (u16)(i + 1);
		}
	}
}

static int add_split(struct vring *r, const struct vd_buf *buf, unsigned int count, bool indirect)
{
	unsigned int n = indirect ? 1 : count;
	u16 head, *at;

	if (r->free < n)
		return -1;
	head = r->free_list[r->free - 1];
	for (unsigned int i = 0; i < n; i++) {
		u16 index = r->free_list[--r->free];
		struct desc *d = desc_at(r, index);

		r->chain[head][i] = index;
		if (indirect) {
			*d = (struct desc){ r->table[head], 16 * count, 4, 0 };
			continue;
		}
		*d = (struct desc){ buf[i].at, buf[i].bytes, flags_of(&buf[i]), 0 };
		if (i + 1 < n) {
			d->at12 |= 1;
			d->at14 = r->free_list[r->free - 1];
		}
	}
	if (indirect)
		fill_table(r, head, buf, count);
	r->chain_len[head] = (u16)n;
	r->busy[head] = true;
	put(word(r, r->driver, 4 + 2 * (r->next & (r->size - 1))), head);
	at = word(r, r->driver, 2);
	put(at, ++r->next);
	return head;
}

static u16 packed_flags(bool wrap)
{
	return wrap ? 0x0080 : 0x8000;
}

static int add_packed(struct vring *r, const struct vd_buf *buf, unsigned int count, bool indirect)
{
	unsigned int n = indirect ? 1 : count, first = r->next;
	u16 id = 0, first_flags = 0;

	if (r->free < n)
		return -1;
	while (r->busy[id])
		id++;
	if (indirect)
		fill_table(r, id, buf, count);
	for (unsigned int i = 0; i < n; i++) {
		struct desc *d = desc_at(r, r->next);
		u16 flags = packed_flags(r->next_wrap);

		flags |= indirect ? 4 : flags_of(&buf[i]) | (i + 1 < n ? 1 : 0);
		d->addr = indirect ? r->table[id] : buf[i].at;
		d->len = indirect ? 16 * count : buf[i].bytes;
		d->at12 = id;
		if (i)
			put(&d->at14, flags);
		else
			first_flags = flags;
		if (++r->next == r->size) {
			r->next = 0;
			r->next_wrap = !r->next_wrap;
		}
	}
	put(&desc_at(r, first)->at14, first_flags);
	r->free -= n;
	r->chain_len[id] = (u16)n;
	r->busy[id] = true;
	return id;
}

int vr_add(struct vring *r, const struct vd_buf *buf, unsigned int count, bool indirect)
{
	return r->packed ? add_packed(r, buf, count, indirect) : add_split(r, buf, count, indirect);
}

static bool passed(u16 event, u16 now, u16 before)
{
	return (u16)(now - event - 1) < (u16)(now - before);
}

static bool wanted_split(struct vring *r)
{
	if (!r->event_idx)
		return !(get(word(r, r->device, 0)) & 1);
	return passed(get(word(r, r->device, 4 + 8u * r->size)), r->next, r->kicked);
}

static bool wanted_packed(struct vring *r)
{
	u16 flags = get(word(r, r->device, 2)), offset = get(word(r, r->device, 0));
	u16 event = offset & 0x7fff, before = r->kicked;

	if (flags != 2)
		return flags == 0;
	if (!!(offset & 0x8000) != r->next_wrap)
		event = (u16)(event - r->size);
	if (r->kicked_wrap != r->next_wrap)
		before = (u16)(before - r->size);
	return passed(event, r->next, before);
}

void vr_force_kick(struct vring *r)
{
	vd_write(r->d, NOTIFY + 4 * r->q, 2, r->q);
}

bool vr_kick(struct vring *r)
{
	bool wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = r->packed ? wanted_packed(r) : wanted_split(r);
	r->kicked = r->next;
	r->kicked_wrap = r->next_wrap;
	if (wanted)
		vr_force_kick(r);
	return wanted;
}

static int get_split(struct vring *r, u32 *len)
{
	u32 *element;
	u16 head;

	if (get(word(r, r->device, 2)) == r->last_used)
		return -1;
	element = vd_ptr(r->d, r->device + 4 + 8u * (r->last_used & (r->size - 1)));
	ck_assert_uint_lt(element[0], r->size);
	head = (u16)element[0];
	*len = element[1];
	ck_assert(r->busy[head]);
	for (unsigned int i = r->chain_len[head]; i-- > 0;)
		r->free_list[r->free++] = r->chain[head][i];
	r->last_used++;
	return head;
}

static int get_packed(struct vring *r, u32 *len)
{
	struct desc *d = desc_at(r, r->last_used);
	u16 flags = get(&d->at14), id;

	if (!!(flags & 0x80) != !!(flags & 0x8000) || !!(flags & 0x8000) != r->used_wrap)
		return -1;
	id = d->at12;
	ck_assert_uint_lt(id, VD_RING_MAX);
	ck_assert(r->busy[id]);
	*len = d->len;
	r->free += r->chain_len[id];
	r->last_used += r->chain_len[id];
	if (r->last_used >= r->size) {
		r->last_used -= r->size;
		r->used_wrap = !r->used_wrap;
	}
	return id;
}

int vr_get(struct vring *r, u32 *len)
{
	int id = r->packed ? get_packed(r, len) : get_split(r, len);

	if (id >= 0) {
		r->busy[id] = false;
		vr_interrupts(r, r->interrupts);
	}
	return id;
}

void vr_interrupts(struct vring *r, bool on)
{
	r->interrupts = on;
	if (r->packed && r->event_idx && on) {
		put(word(r, r->driver, 0), r->last_used | (r->used_wrap ? 0x8000 : 0));
		put(word(r, r->driver, 2), 2);
	} else if (r->packed) {
		put(word(r, r->driver, 2), on ? 0 : 1);
	} else if (r->event_idx) {
		/* Far ahead: none. */
		put(word(r, r->driver, 4 + 2u * r->size),
		    on ? r->last_used : (u16)(r->last_used + 0x8000));
	} else {
		put(word(r, r->driver, 0), on ? 0 : 1);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

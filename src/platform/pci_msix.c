/* SPDX-License-Identifier: MIT */
/*
 * MSI-X: a device's table of messages, their masks and pending bits. PCI 3.0, 6.8.2 "MSI-X
 * Capability and Table Structure".
 */
#include "platform/pci_priv.h"

#include <stdlib.h>

enum { WORD_ADDR_LOW, WORD_ADDR_HIGH, WORD_DATA, WORD_CONTROL };

#define VECTOR_MASKED 1u

static size_t pending_words(const struct mhi_msix *x)
{
	return (x->count + 63) / 64;
}

int mhi_msix_init(struct mhi_msix *x, unsigned int vectors, const struct mhi_msi_sink *sink)
{
	memset(x, 0, sizeof(*x));
	pthread_mutex_init(&x->lock, NULL);
	x->sink = *sink;
	x->count = vectors;
	if (!vectors)
		return 0;
	x->entry = calloc(vectors, sizeof(*x->entry));
	x->pending = calloc(pending_words(x), sizeof(*x->pending));
	if (!x->entry || !x->pending) {
		mhi_msix_fini(x);
		return MH_ENOMEM;
	}
	mhi_msix_reset(x);
	return 0;
}

void mhi_msix_fini(struct mhi_msix *x)
{
	free(x->entry);
	free(x->pending);
	pthread_mutex_destroy(&x->lock);
	memset(x, 0, sizeof(*x));
}

void mhi_msix_reset(struct mhi_msix *x)
{
	if (!x->count)
		return;
	pthread_mutex_lock(&x->lock);
	memset(x->entry, 0, x->count * sizeof(*x->entry));
	for (unsigned int i = 0; i < x->count; i++)
		x->entry[i].word[WORD_CONTROL] = VECTOR_MASKED;
	memset(x->pending, 0, pending_words(x) * sizeof(*x->pending));
	x->enabled = x->masked = false;
	pthread_mutex_unlock(&x->lock);
}

/* Under the lock: the vector goes out, or waits. */
static void deliver(struct mhi_msix *x, unsigned int vector)
{
	const u32 *word = x->entry[vector].word;

	if (x->masked || (word[WORD_CONTROL] & VECTOR_MASKED)) {
		x->pending[vector / 64] |= MHI_BIT(vector % 64);
		return;
	}
	x->pending[vector / 64] &= ~MHI_BIT(vector % 64);
	x->sink.send(x->sink.opaque, (u64)word[WORD_ADDR_HIGH] << 32 | word[WORD_ADDR_LOW],
		     word[WORD_DATA]);
}

static void deliver_pending(struct mhi_msix *x, unsigned int vector)
{
	if (x->enabled && (x->pending[vector / 64] & MHI_BIT(vector % 64)))
		deliver(x, vector);
}

void mhi_msix_control(struct mhi_msix *x, u16 control)
{
	pthread_mutex_lock(&x->lock);
	x->enabled = (control & MSIX_ENABLE) != 0;
	x->masked = (control & MSIX_MASK_ALL) != 0;
	for (unsigned int i = 0; i < x->count; i++)
		deliver_pending(x, i);
	pthread_mutex_unlock(&x->lock);
}

bool mhi_msix_on(struct mhi_msix *x)
{
	bool on;

	pthread_mutex_lock(&x->lock);
	on = x->enabled;
	pthread_mutex_unlock(&x->lock);
	return on;
}

void mhi_msix_raise(struct mhi_msix *x, unsigned int vector)
{
	pthread_mutex_lock(&x->lock);
	if (x->enabled && vector < x->count)
		deliver(x, vector);
	pthread_mutex_unlock(&x->lock);
}

static u32 table_read(const struct mhi_msix *x, u64 word)
{
	return x->entry[word / 4].word[word % 4];
}

static void table_write(struct mhi_msix *x, u64 word, u32 value)
{
	unsigned int vector = (unsigned int)(word / 4);

	/* The address is that of a doubleword; but for the mask, control is reserved. */
	if (word % 4 == WORD_ADDR_LOW)
		value &= ~3u;
	else if (word % 4 == WORD_CONTROL)
		value &= VECTOR_MASKED;
	x->entry[vector].word[word % 4] = value;
	if (word % 4 == WORD_CONTROL)
		deliver_pending(x, vector);
}

/* Accesses other than of a whole doubleword or two are undefined: they read zero here. */
static void table_access(struct mhi_msix *x, u64 at, unsigned int bytes, bool write, u64 *value)
{
	u64 in = *value;

	if (!write)
		*value = 0;
	if ((bytes != 4 && bytes != 8) || at % bytes)
		return;
	for (unsigned int i = 0; i < bytes / 4; i++) {
		if (write)
			table_write(x, at / 4 + i, (u32)(in >> (32 * i)));
		else
			*value |= (u64)table_read(x, at / 4 + i) << (32 * i);
	}
}

static void pending_access(struct mhi_msix *x, u64 at, unsigned int bytes, bool write, u64 *value)
{
	if (write)
		return;
	*value = 0;
	if ((bytes == 4 || bytes == 8) && at % bytes == 0)
		*value = x->pending[at / 8] >> (8 * (at % 8));
	if (bytes == 4)
		*value = (u32)*value;
}

bool mhi_msix_access(struct mhi_pci_slot *slot, u64 offset, unsigned int bytes, bool write,
		     u64 *value)
{
	const struct mhi_pci_dev *dev = slot->dev;
	struct mhi_msix *x = &slot->msix;
	u64 table = offset - dev->msix_table, pba = offset - dev->msix_pba;
	bool hit = true;

	pthread_mutex_lock(&x->lock);
	if (table < (u64)x->count * MSIX_ENTRY_BYTES)
		table_access(x, table, bytes, write, value);
	else if (pba < pending_words(x) * 8)
		pending_access(x, pba, bytes, write, value);
	else
		hit = false;
	pthread_mutex_unlock(&x->lock);
	return hit;
}

/* SPDX-License-Identifier: MIT */
/*
 * Items, each under a key, read byte by byte or by DMA; files are found by a directory. Nothing can
 * be written. QEMU, docs/specs/fw_cfg.
 */
#include "platform/fwcfg.h"

#include <stdlib.h>

#include "core/be.h"
#include "core/le.h"
#include "macrohard/error.h"

/* "Selector (Control) Register", "Data Register", "Guest-side DMA Interface": ports. */
#define SELECTOR 0
#define DATA 1
#define DMA_HIGH 4
#define DMA_LOW 8

/* "Firmware Configuration Items". */
#define KEY_SIGNATURE 0x0000
#define KEY_FEATURES 0x0001
#define KEY_DIRECTORY 0x0019
#define KEY_FIRST_FILE 0x0020

#define FEATURE_PORTS 0x1
#define FEATURE_DMA 0x2

#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG", as the address reads */

/* "Guest-side DMA Interface", FWCfgDmaAccess: all big-endian. */
#define REQUEST_BYTES 16
#define REQUEST_LENGTH 4
#define REQUEST_ADDRESS 8
#define CONTROL_ERROR 0x01u
#define CONTROL_READ 0x02u
#define CONTROL_SKIP 0x04u
#define CONTROL_SELECT 0x08u
#define CONTROL_WRITE 0x10u
#define CONTROL_KEY_SHIFT 16

/* No item is near this; it bounds how long one request keeps a vCPU. */
#define DMA_BYTES_MAX (1u << 20)

static const u8 signature[4] = { 'Q', 'E', 'M', 'U' };
static const u8 features[4] = { FEATURE_PORTS | FEATURE_DMA };

void mhi_fwcfg_init(struct mhi_fwcfg *f, const struct mhi_gmem *mem)
{
	memset(f, 0, sizeof(*f));
	f->mem = mem;
	pthread_mutex_init(&f->lock, NULL);
}

void mhi_fwcfg_reset(struct mhi_fwcfg *f)
{
	while (f->items)
		free(f->item[--f->items].data);
	f->files = 0;
	memset(f->directory, 0, sizeof(f->directory));
	f->key = 0;
	f->at = 0;
	f->dma = 0;
}

void mhi_fwcfg_fini(struct mhi_fwcfg *f)
{
	mhi_fwcfg_reset(f);
	pthread_mutex_destroy(&f->lock);
}

/* ---- items ---- */

static int add(struct mhi_fwcfg *f, u16 key, const void *data, size_t bytes)
{
	struct mhi_fwcfg_item *item = &f->item[f->items];

	if (f->items == MHI_FWCFG_ITEMS || bytes > DMA_BYTES_MAX)
		return MH_ERANGE;
	item->data = malloc(bytes + !bytes);
	if (!item->data)
		return MH_ENOMEM;
	memcpy(item->data, data, bytes);
	item->key = key;
	item->bytes = (u32)bytes;
	f->items++;
	return 0;
}

int mhi_fwcfg_number(struct mhi_fwcfg *f, u16 key, u16 value)
{
	u8 data[2];

	mhi_put_le16(data, value);
	return add(f, key, data, sizeof(data));
}

int mhi_fwcfg_file(struct mhi_fwcfg *f, const char *name, const void *data, size_t bytes)
{
	u16 key = (u16)(KEY_FIRST_FILE + f->files);
	u8 *entry = f->directory + 4 + MHI_FWCFG_ENTRY * f->files;
	int rc = add(f, key, data, bytes);

	if (rc)
		return rc;
	mhi_put_be32(entry, (u32)bytes);
	mhi_put_be16(entry + 4, key);
	strncpy((char *)entry + 8, name, MHI_FWCFG_NAME - 1);
	mhi_put_be32(f->directory, ++f->files);
	return 0;
}

/* What there is of the item that is selected, from where it is read; zeros are behind it. */
static u32 rest(const struct mhi_fwcfg *f, const u8 **data)
{
	u32 bytes = 0;

	*data = NULL;
	switch (f->key) {
	case KEY_SIGNATURE:
		*data = signature;
		bytes = sizeof(signature);
		break;
	case KEY_FEATURES:
		*data = features;
		bytes = sizeof(features);
		break;
	case KEY_DIRECTORY:
		*data = f->directory;
		bytes = 4 + MHI_FWCFG_ENTRY * f->files;
		break;
	default:
		for (unsigned int n = 0; n < f->items; n++) {
			if (f->item[n].key != f->key)
				continue;
			*data = f->item[n].data;
			bytes = f->item[n].bytes;
		}
	}
	if (f->at >= bytes)
		return 0;
	*data += f->at;
	return bytes - f->at;
}

static void skip(struct mhi_fwcfg *f, u32 bytes)
{
	f->at = bytes > ~f->at ? ~0u : f->at + bytes;
}

static void choose(struct mhi_fwcfg *f, u16 key)
{
	f->key = key;
	f->at = 0;
}

/* ---- DMA ---- */

static int transfer(struct mhi_fwcfg *f, u64 gpa, u32 bytes)
{
	static const u8 zeros[MHI_PAGE_SIZE];
	const u8 *data;
	u32 n = rest(f, &data);

	if (bytes > DMA_BYTES_MAX)
		return MH_ERANGE;
	skip(f, bytes);
	n = n < bytes ? n : bytes;
	if (n && mhi_gmem_write(f->mem, gpa, data, n, false))
		return MH_EFAULT;
	for (; n < bytes; n += MHI_PAGE_SIZE) {
		u32 part = bytes - n < MHI_PAGE_SIZE ? bytes - n : MHI_PAGE_SIZE;

		if (mhi_gmem_write(f->mem, gpa + n, zeros, part, false))
			return MH_EFAULT;
	}
	return 0;
}

/* The request is read once; its control word says in the end how it went. */
static void request(struct mhi_fwcfg *f, u64 gpa)
{
	u8 r[REQUEST_BYTES], done[4];
	u32 control, bytes;
	int rc = 0;

	if (mhi_gmem_read(f->mem, gpa, r, sizeof(r)))
		return;
	control = mhi_get_be32(r);
	bytes = mhi_get_be32(r + REQUEST_LENGTH);
	if (control & CONTROL_SELECT)
		choose(f, (u16)(control >> CONTROL_KEY_SHIFT));
	if (control & CONTROL_READ)
		rc = transfer(f, mhi_get_be64(r + REQUEST_ADDRESS), bytes);
	else if (control & CONTROL_WRITE)
		rc = MH_ENOTSUP;
	else if (control & CONTROL_SKIP)
		skip(f, bytes);
	mhi_put_be32(done, rc ? CONTROL_ERROR : 0);
	mhi_gmem_write(f->mem, gpa, done, sizeof(done), false);
}

/* ---- ports ---- */

static u8 read_byte(struct mhi_fwcfg *f)
{
	const u8 *data;
	u8 byte = rest(f, &data) ? *data : 0;

	skip(f, 1);
	return byte;
}

static uint64_t fwcfg_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_fwcfg *f = opaque;
	u64 value = 0;

	pthread_mutex_lock(&f->lock);
	if (offset == DATA && bytes == 1)
		value = read_byte(f);
	else if (offset == DMA_HIGH && bytes == 4)
		value = __builtin_bswap32((u32)(DMA_SIGNATURE >> 32));
	else if (offset == DMA_LOW && bytes == 4)
		value = __builtin_bswap32((u32)DMA_SIGNATURE);
	pthread_mutex_unlock(&f->lock);
	return value;
}

/* The low half of an address starts its request; the high half is zero again after it. */
static void fwcfg_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_fwcfg *f = opaque;

	pthread_mutex_lock(&f->lock);
	if (offset == SELECTOR && bytes == 2) {
		choose(f, (u16)value);
	} else if (offset == DMA_HIGH && bytes == 4) {
		f->dma = (u64)__builtin_bswap32((u32)value) << 32;
	} else if (offset == DMA_LOW && bytes == 4) {
		request(f, f->dma | __builtin_bswap32((u32)value));
		f->dma = 0;
	}
	pthread_mutex_unlock(&f->lock);
}

const struct mh_io_ops mhi_fwcfg_ops = {
	.version = 1,
	.read = fwcfg_read,
	.write = fwcfg_write,
};

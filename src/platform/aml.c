/* SPDX-License-Identifier: MIT */
/*
 * The AML encoding: ACPI 6.5, 20.2 "AML Grammar Definition" (names, lengths, terms) and 6.4
 * "Resource Data Types for ACPI" (resource templates).
 */
#include "platform/aml.h"

#include "core/le.h"

#define ZERO_OP 0x00
#define ONE_OP 0x01
#define NAME_OP 0x08
#define BYTE_PREFIX 0x0a
#define WORD_PREFIX 0x0b
#define DWORD_PREFIX 0x0c
#define STRING_PREFIX 0x0d
#define QWORD_PREFIX 0x0e
#define SCOPE_OP 0x10
#define BUFFER_OP 0x11
#define PACKAGE_OP 0x12
#define METHOD_OP 0x14
#define EXT_PREFIX 0x5b
#define EXT_DEVICE_OP 0x82
#define ARG0_OP 0x68
#define NOTIFY_OP 0x86
#define EQUAL_OP 0x93
#define IF_OP 0xa0

#define SEGMENT 4 /* letters of a name */

/* 20.2.4 "Package Length Encoding": 6 bits, or 4 bits and 8 in each of up to 3 more bytes. */
#define LENGTH_ONE 0x3f
#define LENGTH_BYTES_MAX 4

/* 6.4.2.5 "I/O Port Descriptor", 6.4.3.6 "Extended Interrupt Descriptor", 6.4.2.9 "End Tag". */
#define RES_IO 0x47
#define RES_IO_DECODE16 0x01
#define RES_INTERRUPT 0x89
#define RES_INTERRUPT_EDGE_HIGH 0x03 /* and: this device consumes it */
/* 6.4.3.4 "32-Bit Fixed Memory Range Descriptor", 6.4.3.5 "Address Space Resource Descriptors". */
#define RES_FIXED32 0x86
#define RES_WORD_SPACE 0x88
#define RES_DWORD_SPACE 0x87
#define RES_QWORD_SPACE 0x8a
#define RES_SPACE_MEMORY 0
#define RES_SPACE_BUS 2
#define RES_SPACE_FIXED 0x0c /* minimum and maximum do not move */
#define RES_WRITABLE 0x01
#define RES_END 0x79
#define RES_MAX 160

void mhi_aml_init(struct mhi_aml *aml, u8 *buf, size_t cap)
{
	memset(aml, 0, sizeof(*aml));
	aml->buf = buf;
	aml->cap = cap;
}

static void put(struct mhi_aml *aml, const void *data, size_t bytes)
{
	if (aml->failed || bytes > aml->cap - aml->len) {
		aml->failed = true;
		return;
	}
	memcpy(aml->buf + aml->len, data, bytes);
	aml->len += bytes;
}

static void put_byte(struct mhi_aml *aml, unsigned int byte)
{
	u8 b = (u8)byte;

	put(aml, &b, 1);
}

/* Names shorter than a segment are filled up with underscores. */
static void put_name(struct mhi_aml *aml, const char *name)
{
	char segment[SEGMENT] = { '_', '_', '_', '_' };
	size_t len = strlen(name);

	if (!len || len > SEGMENT) {
		aml->failed = true;
		return;
	}
	memcpy(segment, name, len);
	put(aml, segment, SEGMENT);
}

size_t mhi_aml_scope(struct mhi_aml *aml, const char *name)
{
	size_t mark;

	put_byte(aml, SCOPE_OP);
	mark = aml->len;
	put_name(aml, name);
	return mark;
}

size_t mhi_aml_device(struct mhi_aml *aml, const char *name)
{
	size_t mark;

	put_byte(aml, EXT_PREFIX);
	put_byte(aml, EXT_DEVICE_OP);
	mark = aml->len;
	put_name(aml, name);
	return mark;
}

size_t mhi_aml_method(struct mhi_aml *aml, const char *name, unsigned int args)
{
	size_t mark;

	put_byte(aml, METHOD_OP);
	mark = aml->len;
	put_name(aml, name);
	put_byte(aml, args & 7); /* not serialized */
	return mark;
}

size_t mhi_aml_package(struct mhi_aml *aml, unsigned int elements)
{
	size_t mark;

	put_byte(aml, PACKAGE_OP);
	mark = aml->len;
	put_byte(aml, elements);
	return mark;
}

size_t mhi_aml_if_arg0_equals(struct mhi_aml *aml, u64 value)
{
	size_t mark;

	put_byte(aml, IF_OP);
	mark = aml->len;
	put_byte(aml, EQUAL_OP);
	put_byte(aml, ARG0_OP);
	mhi_aml_integer(aml, value);
	return mark;
}

/*
 * The length counts its own bytes and goes before the block, whose size is known only now: move
 * it up.
 */
void mhi_aml_end(struct mhi_aml *aml, size_t mark)
{
	u8 length[LENGTH_BYTES_MAX];
	size_t body = aml->len - mark, extra = 0, total;

	if (aml->failed)
		return;
	if (body + 1 > LENGTH_ONE)
		for (extra = 1; (body + 1 + extra) >> (4 + 8 * extra); extra++)
			if (extra == LENGTH_BYTES_MAX - 1) {
				aml->failed = true;
				return;
			}
	total = body + 1 + extra;
	length[0] = extra ? (u8)(extra << 6 | (total & 0x0f)) : (u8)total;
	for (size_t i = 0; i < extra; i++)
		length[1 + i] = (u8)(total >> (4 + 8 * i));
	put(aml, length, 1 + extra);
	if (aml->failed)
		return;
	memmove(aml->buf + mark + 1 + extra, aml->buf + mark, body);
	memcpy(aml->buf + mark, length, 1 + extra);
}

void mhi_aml_name(struct mhi_aml *aml, const char *name)
{
	put_byte(aml, NAME_OP);
	put_name(aml, name);
}

void mhi_aml_integer(struct mhi_aml *aml, u64 value)
{
	u8 le[8];

	mhi_put_le64(le, value);
	if (value <= 1) {
		put_byte(aml, value ? ONE_OP : ZERO_OP);
	} else if (value <= 0xff) {
		put_byte(aml, BYTE_PREFIX);
		put(aml, le, 1);
	} else if (value <= 0xffff) {
		put_byte(aml, WORD_PREFIX);
		put(aml, le, 2);
	} else if (value <= 0xffffffff) {
		put_byte(aml, DWORD_PREFIX);
		put(aml, le, 4);
	} else {
		put_byte(aml, QWORD_PREFIX);
		put(aml, le, 8);
	}
}

void mhi_aml_string(struct mhi_aml *aml, const char *text)
{
	put_byte(aml, STRING_PREFIX);
	put(aml, text, strlen(text) + 1);
}

static unsigned int hex_digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* 19.3.4 "ASL Macros", EISAID: three letters of 5 bits, four digits, big-endian. */
void mhi_aml_eisaid(struct mhi_aml *aml, const char *id)
{
	unsigned int letters, digits = 0;

	if (strlen(id) != 7) {
		aml->failed = true;
		return;
	}
	letters = (unsigned int)((id[0] & 0x1f) << 10 | (id[1] & 0x1f) << 5 | (id[2] & 0x1f));
	for (unsigned int i = 3; i < 7; i++)
		digits = digits << 4 | hex_digit(id[i]);
	put_byte(aml, DWORD_PREFIX);
	put_byte(aml, letters >> 8);
	put_byte(aml, letters);
	put_byte(aml, digits >> 8);
	put_byte(aml, digits);
}

void mhi_aml_raw(struct mhi_aml *aml, const void *code, size_t bytes)
{
	put(aml, code, bytes);
}

void mhi_aml_notify(struct mhi_aml *aml, const char *object, u64 value)
{
	put_byte(aml, NOTIFY_OP);
	put_name(aml, object);
	mhi_aml_integer(aml, value);
}

static size_t put_io(u8 *p, u16 base, u8 ports)
{
	p[0] = RES_IO;
	p[1] = RES_IO_DECODE16;
	mhi_put_le16(p + 2, base);
	mhi_put_le16(p + 4, base);
	p[6] = 1; /* alignment */
	p[7] = ports;
	return 8;
}

static size_t put_interrupt(u8 *p, u32 gsi)
{
	p[0] = RES_INTERRUPT;
	mhi_put_le16(p + 1, 6); /* bytes that follow */
	p[3] = RES_INTERRUPT_EDGE_HIGH;
	p[4] = 1; /* one number */
	mhi_put_le32(p + 5, gsi);
	return 9;
}

static size_t put_fixed(u8 *p, u32 base, u32 bytes)
{
	p[0] = RES_FIXED32;
	mhi_put_le16(p + 1, 9);
	p[3] = RES_WRITABLE;
	mhi_put_le32(p + 4, base);
	mhi_put_le32(p + 8, bytes);
	return 12;
}

/* Granularity, minimum, maximum, translation and length, each of one, two or four words. */
static size_t put_space(u8 *p, unsigned int tag, u8 type, u64 base, u64 bytes)
{
	unsigned int width = tag == RES_WORD_SPACE ? 2 : tag == RES_DWORD_SPACE ? 4 : 8;
	const u64 value[5] = { 0, base, base + bytes - 1, 0, bytes };

	p[0] = (u8)tag;
	mhi_put_le16(p + 1, (u16)(3 + 5 * width));
	p[3] = type;
	p[4] = RES_SPACE_FIXED;
	p[5] = type == RES_SPACE_MEMORY ? RES_WRITABLE : 0;
	for (unsigned int i = 0; i < 5; i++)
		for (unsigned int j = 0; j < width; j++)
			p[6 + i * width + j] = (u8)(value[i] >> (8 * j));
	return 6 + 5 * width;
}

static size_t put_bridge(u8 *p, const struct mhi_aml_resources *res)
{
	size_t len = put_space(p, RES_WORD_SPACE, RES_SPACE_BUS, 0, 1);

	if (res->window32_bytes)
		len += put_space(p + len, RES_DWORD_SPACE, RES_SPACE_MEMORY, res->window32,
				 res->window32_bytes);
	if (res->window_fw_bytes)
		len += put_space(p + len, RES_DWORD_SPACE, RES_SPACE_MEMORY, res->window_fw,
				 res->window_fw_bytes);
	if (res->window64_bytes)
		len += put_space(p + len, RES_QWORD_SPACE, RES_SPACE_MEMORY, res->window64,
				 res->window64_bytes);
	return len;
}

void mhi_aml_resource_template(struct mhi_aml *aml, const struct mhi_aml_resources *res)
{
	u8 bytes[RES_MAX];
	size_t len = 0, mark;

	if (res->io_ports)
		len += put_io(bytes + len, res->io_base, res->io_ports);
	if (res->io_other)
		len += put_io(bytes + len, res->io_other, 1);
	if (res->has_irq)
		len += put_interrupt(bytes + len, res->gsi);
	if (res->mem_bytes)
		len += put_fixed(bytes + len, res->mem_base, res->mem_bytes);
	if (res->bus0)
		len += put_bridge(bytes + len, res);
	bytes[len++] = RES_END;
	bytes[len++] = 0; /* no checksum */
	put_byte(aml, BUFFER_OP);
	mark = aml->len;
	mhi_aml_integer(aml, len);
	put(aml, bytes, len);
	mhi_aml_end(aml, mark);
}

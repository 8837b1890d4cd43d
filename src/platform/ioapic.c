/* SPDX-License-Identifier: MIT */
/*
 * The I/O APIC's registers, trigger modes and remote IRR. Numbers: 82093AA datasheet, 3.1 "Memory
 * Mapped Registers for Accessing IOAPIC Registers", 3.2 "IOAPIC Registers"; the EOI register came
 * with version 0x20.
 */
#include "platform/ioapic.h"

#define REG_SELECT 0x00
#define REG_WINDOW 0x10
#define REG_EOI 0x40

#define INDEX_ID 0x00
#define INDEX_VERSION 0x01
#define INDEX_ARBITRATION 0x02
#define INDEX_REDIRECTION 0x10

#define VERSION (0x20u | (MHI_IOAPIC_PINS - 1) << 16)
#define ID_SHIFT 24
#define ID_MASK 0x0f

/* Redirection entry: 82093AA 3.2.4 "IOREDTBL[23:0]". */
#define RTE_VECTOR 0xffull
#define RTE_MODE (7ull << 8)
#define RTE_LOGICAL MHI_BIT(11)
#define RTE_STATUS MHI_BIT(12)
#define RTE_REMOTE_IRR MHI_BIT(14)
#define RTE_LEVEL MHI_BIT(15)
#define RTE_MASKED MHI_BIT(16)
#define RTE_DEST_SHIFT 56
#define RTE_READ_ONLY (RTE_STATUS | RTE_REMOTE_IRR)
#define RTE_WRITABLE (0x1afffull | 0xffull << RTE_DEST_SHIFT)

/* SDM 3A 11.11 "Message Signalled Interrupts". */
#define MSI_BASE 0xfee00000ull
#define MSI_DEST_SHIFT 12
#define MSI_ADDR_LOGICAL MHI_BIT(2)
#define MSI_DATA_ASSERT MHI_BIT(14)
#define MSI_DATA_LEVEL MHI_BIT(15)

void mhi_ioapic_init(struct mhi_ioapic *io, const struct mhi_msi_sink *msi)
{
	memset(io, 0, sizeof(*io));
	pthread_mutex_init(&io->lock, NULL);
	io->msi = *msi;
	mhi_ioapic_reset(io);
}

void mhi_ioapic_fini(struct mhi_ioapic *io)
{
	pthread_mutex_destroy(&io->lock);
}

void mhi_ioapic_reset(struct mhi_ioapic *io)
{
	pthread_mutex_lock(&io->lock);
	for (unsigned int pin = 0; pin < MHI_IOAPIC_PINS; pin++)
		io->entry[pin] = RTE_MASKED;
	io->select = 0;
	io->id = 0;
	pthread_mutex_unlock(&io->lock);
}

static void send(struct mhi_ioapic *io, u64 entry)
{
	u64 addr = MSI_BASE | entry >> RTE_DEST_SHIFT << MSI_DEST_SHIFT;
	u32 data = (u32)(entry & (RTE_VECTOR | RTE_MODE)) | (u32)MSI_DATA_ASSERT;

	if (entry & RTE_LOGICAL)
		addr |= MSI_ADDR_LOGICAL;
	if (entry & RTE_LEVEL)
		data |= (u32)MSI_DATA_LEVEL;
	io->msi.send(io->msi.opaque, addr, data);
}

/* A level-triggered pin delivers when it is high, open and its last delivery was acknowledged. */
static void service_level(struct mhi_ioapic *io, unsigned int pin)
{
	u64 *entry = &io->entry[pin];

	if (!(io->lines & MHI_BIT(pin)) || !(*entry & RTE_LEVEL))
		return;
	if (*entry & (RTE_MASKED | RTE_REMOTE_IRR))
		return;
	*entry |= RTE_REMOTE_IRR;
	send(io, *entry);
}

void mhi_ioapic_set(void *opaque, unsigned int gsi, bool level)
{
	struct mhi_ioapic *io = opaque;
	bool was;

	if (gsi >= MHI_IOAPIC_PINS)
		return;
	pthread_mutex_lock(&io->lock);
	was = io->lines & MHI_BIT(gsi);
	if (level)
		io->lines |= (u32)MHI_BIT(gsi);
	else
		io->lines &= (u32)~MHI_BIT(gsi);
	if (io->entry[gsi] & RTE_LEVEL)
		service_level(io, gsi);
	else if (level && !was && !(io->entry[gsi] & RTE_MASKED))
		send(io, io->entry[gsi]);
	pthread_mutex_unlock(&io->lock);
}

static void eoi_locked(struct mhi_ioapic *io, u32 vector)
{
	for (unsigned int pin = 0; pin < MHI_IOAPIC_PINS; pin++) {
		u64 *entry = &io->entry[pin];

		if (!(*entry & RTE_LEVEL) || (*entry & RTE_VECTOR) != vector)
			continue;
		*entry &= ~RTE_REMOTE_IRR;
		service_level(io, pin);
	}
}

void mhi_ioapic_eoi(struct mhi_ioapic *io, u32 vector)
{
	pthread_mutex_lock(&io->lock);
	eoi_locked(io, vector);
	pthread_mutex_unlock(&io->lock);
}

static u32 index_read(const struct mhi_ioapic *io)
{
	unsigned int n = io->select - INDEX_REDIRECTION;

	switch (io->select) {
	case INDEX_ID:
	case INDEX_ARBITRATION:
		return (u32)io->id << ID_SHIFT;
	case INDEX_VERSION:
		return VERSION;
	default:
		break;
	}
	if (io->select < INDEX_REDIRECTION || n >= 2 * MHI_IOAPIC_PINS)
		return 0;
	return (u32)(io->entry[n / 2] >> (n & 1 ? 32 : 0));
}

static void redirection_write(struct mhi_ioapic *io, unsigned int n, u32 value)
{
	u64 *entry = &io->entry[n / 2], fresh;

	if (n & 1)
		fresh = (*entry & 0xffffffffull) | (u64)value << 32;
	else
		fresh = (*entry & ~0xffffffffull) | value;
	fresh = (fresh & RTE_WRITABLE) | (*entry & RTE_READ_ONLY);
	/* Guests without the EOI register acknowledge by switching to edge and back. */
	if (!(fresh & RTE_LEVEL))
		fresh &= ~RTE_REMOTE_IRR;
	*entry = fresh;
	service_level(io, n / 2);
}

static void index_write(struct mhi_ioapic *io, u32 value)
{
	unsigned int n = io->select - INDEX_REDIRECTION;

	if (io->select == INDEX_ID)
		io->id = value >> ID_SHIFT & ID_MASK;
	else if (io->select >= INDEX_REDIRECTION && n < 2 * MHI_IOAPIC_PINS)
		redirection_write(io, n, value);
}

static uint64_t ioapic_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_ioapic *io = opaque;
	u32 value = 0;

	pthread_mutex_lock(&io->lock);
	if (offset == REG_SELECT)
		value = io->select;
	else if (offset == REG_WINDOW)
		value = index_read(io);
	pthread_mutex_unlock(&io->lock);
	return value;
}

static void ioapic_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_ioapic *io = opaque;

	pthread_mutex_lock(&io->lock);
	if (offset == REG_SELECT)
		io->select = (u8)value;
	else if (offset == REG_WINDOW)
		index_write(io, (u32)value);
	else if (offset == REG_EOI)
		eoi_locked(io, (u8)value);
	pthread_mutex_unlock(&io->lock);
}

const struct mh_io_ops mhi_ioapic_ops = {
	.version = 1,
	.read = ioapic_read,
	.write = ioapic_write,
};

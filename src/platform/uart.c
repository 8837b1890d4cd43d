/* SPDX-License-Identifier: MIT */
/*
 * The 16550A's registers, FIFO, loopback and interrupts. Numbers: PC16550D datasheet, 8
 * "Registers". The line has no speed: a byte is sent when it is written, and a receive time-out
 * is over as soon as it begins. Output goes out byte by byte: nothing tells when a burst ends,
 * and a held-back prompt would be seen.
 */
#include "platform/uart.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RX 0x01
#define IER_TX 0x02
#define IER_LINE 0x04
#define IER_MODEM 0x08
#define IER_MASK 0x0f

#define IIR_NONE 0x01
#define IIR_MODEM 0x00
#define IIR_TX 0x02
#define IIR_RX 0x04
#define IIR_LINE 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFOS 0xc0

#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04
#define FCR_DMA 0x08
#define FCR_TRIGGER 0xc0
#define FCR_KEPT (FCR_ENABLE | FCR_DMA | FCR_TRIGGER)

#define LCR_DLAB 0x80

#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DATA 0x01
#define LSR_OVERRUN 0x02
#define LSR_ERRORS 0x1e
#define LSR_TX_EMPTY 0x60 /* holding register and shift register */

#define MSR_DCTS 0x01
#define MSR_DDSR 0x02
#define MSR_TERI 0x04
#define MSR_DDCD 0x08
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80
#define MSR_DELTAS 0x0f

/* 115200 / 12 = 9600 baud, as firmware leaves it. */
#define DIVISOR_RESET 12
/* 8 data bits, no parity, 1 stop bit. */
#define LCR_RESET 0x03

const struct mhi_uart_place mhi_uart_place[MHI_UARTS] = {
	{ 0x3f8, 4, "COM1" },
	{ 0x2f8, 3, "COM2" },
	{ 0x3e8, 5, "COM3" },
	{ 0x2e8, 7, "COM4" },
};

static unsigned int fifo_capacity(const struct mhi_uart *u)
{
	return u->fcr & FCR_ENABLE ? MHI_UART_FIFO : 1;
}

static unsigned int fifo_trigger(const struct mhi_uart *u)
{
	static const u8 level[4] = { 1, 4, 8, 14 };

	return u->fcr & FCR_ENABLE ? level[u->fcr >> 6] : 1;
}

/* The pending interrupt of highest priority, as IIR shows it without the FIFO bits. */
static u8 pending(const struct mhi_uart *u)
{
	if ((u->ier & IER_LINE) && (u->lsr & LSR_ERRORS))
		return IIR_LINE;
	if ((u->ier & IER_RX) && u->fifo_count)
		return u->fifo_count >= fifo_trigger(u) ? IIR_RX : IIR_TIMEOUT;
	if ((u->ier & IER_TX) && u->thre_pending)
		return IIR_TX;
	if ((u->ier & IER_MODEM) && (u->msr & MSR_DELTAS))
		return IIR_MODEM;
	return IIR_NONE;
}

/*
 * May the host's end send? Not while a driver that is there (DTR), and that has asked to be sent
 * to (RTS), asks no more. Those who never touch RTS - boot loaders, consoles - get all that comes.
 */
static bool may_receive(const struct mhi_uart *u)
{
	if (u->mcr & MCR_LOOP)
		return false;
	return !u->flow_control || (u->mcr & MCR_RTS);
}

/* After every change: take bytes from the wire while there is room, drive the interrupt line. */
static void update(struct mhi_uart *u)
{
	bool line;

	while (may_receive(u) && u->wire_count && u->fifo_count < fifo_capacity(u)) {
		u->fifo[u->fifo_count++] = u->wire[u->wire_head];
		u->wire_head = (u->wire_head + 1) % MHI_UART_WIRE;
		u->wire_count--;
	}
	line = pending(u) != IIR_NONE;
	if (line != u->line) {
		u->line = line;
		mhi_irq_set(&u->irq, u->gsi, line);
	}
}

/* Modem inputs: the host's end is always ready; in loopback they are the outputs. */
static void update_modem(struct mhi_uart *u)
{
	u8 now = MSR_DCD | MSR_DSR | MSR_CTS, was = u->msr & (u8)~MSR_DELTAS;

	if (u->mcr & MCR_LOOP) {
		now = u->mcr & MCR_RTS ? MSR_CTS : 0;
		now |= u->mcr & MCR_DTR ? MSR_DSR : 0;
		now |= u->mcr & MCR_OUT1 ? MSR_RI : 0;
		now |= u->mcr & MCR_OUT2 ? MSR_DCD : 0;
	}
	u->msr = now | (u->msr & MSR_DELTAS);
	if ((now ^ was) & MSR_CTS)
		u->msr |= MSR_DCTS;
	if ((now ^ was) & MSR_DSR)
		u->msr |= MSR_DDSR;
	if (was & ~now & MSR_RI)
		u->msr |= MSR_TERI;
	if ((now ^ was) & MSR_DCD)
		u->msr |= MSR_DDCD;
}

void mhi_uart_init(struct mhi_uart *u, const struct mhi_irq_sink *irq, unsigned int gsi)
{
	memset(u, 0, sizeof(*u));
	pthread_mutex_init(&u->lock, NULL);
	pthread_mutex_init(&u->out_lock, NULL);
	u->irq = *irq;
	u->gsi = gsi;
	mhi_uart_reset(u);
}

void mhi_uart_fini(struct mhi_uart *u)
{
	pthread_mutex_destroy(&u->out_lock);
	pthread_mutex_destroy(&u->lock);
}

void mhi_uart_reset(struct mhi_uart *u)
{
	pthread_mutex_lock(&u->lock);
	u->ier = 0;
	u->fcr = 0;
	u->lcr = LCR_RESET;
	u->mcr = 0;
	u->lsr = 0;
	u->scr = 0;
	u->dll = DIVISOR_RESET;
	u->dlm = 0;
	u->thre_pending = false;
	u->flow_control = false;
	u->fifo_count = 0;
	update_modem(u);
	u->msr &= (u8)~MSR_DELTAS;
	update(u);
	pthread_mutex_unlock(&u->lock);
}

void mhi_uart_attach(struct mhi_uart *u, mhi_uart_out_fn *out, void *opaque)
{
	pthread_mutex_lock(&u->out_lock);
	u->out = out;
	u->out_opaque = opaque;
	pthread_mutex_unlock(&u->out_lock);
}

size_t mhi_uart_input(struct mhi_uart *u, const void *data, size_t bytes)
{
	const u8 *from = data;
	size_t taken = 0;

	pthread_mutex_lock(&u->lock);
	while (taken < bytes && u->wire_count < MHI_UART_WIRE) {
		u->wire[(u->wire_head + u->wire_count) % MHI_UART_WIRE] = from[taken++];
		u->wire_count++;
	}
	update(u);
	pthread_mutex_unlock(&u->lock);
	return taken;
}

static u8 receive(struct mhi_uart *u)
{
	u8 value = u->fifo[0];

	if (!u->fifo_count)
		return 0;
	u->fifo_count--;
	memmove(u->fifo, u->fifo + 1, u->fifo_count);
	return value;
}

static u8 identify(struct mhi_uart *u)
{
	u8 value = pending(u);

	/* Reading IIR acknowledges a transmitter interrupt, if that is what it shows. */
	if (value == IIR_TX)
		u->thre_pending = false;
	return value | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static u8 line_status(struct mhi_uart *u)
{
	u8 value = u->lsr | LSR_TX_EMPTY | (u->fifo_count ? LSR_DATA : 0);

	u->lsr = 0;
	return value;
}

static u8 modem_status(struct mhi_uart *u)
{
	u8 value = u->msr;

	u->msr &= (u8)~MSR_DELTAS;
	return value;
}

static u8 read_reg(struct mhi_uart *u, unsigned int reg)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? u->dll : receive(u);
	case REG_IER:
		return dlab ? u->dlm : u->ier;
	case REG_IIR_FCR:
		return identify(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		return line_status(u);
	case REG_MSR:
		return modem_status(u);
	case REG_SCR:
		return u->scr;
	default:
		return 0xff;
	}
}

static void loop_back(struct mhi_uart *u, u8 value)
{
	if (u->fifo_count < fifo_capacity(u))
		u->fifo[u->fifo_count++] = value;
	else
		u->lsr |= LSR_OVERRUN;
}

static void fifo_control(struct mhi_uart *u, u8 value)
{
	/* A change of the enable bit empties the FIFOs, and the other bits need it set. */
	if (((value ^ u->fcr) & FCR_ENABLE) || (value & FCR_CLEAR_RX))
		u->fifo_count = 0;
	u->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static void interrupt_enable(struct mhi_uart *u, u8 value)
{
	value &= IER_MASK;
	if (value & ~u->ier & IER_TX)
		u->thre_pending = true;
	u->ier = value;
}

/* True when value is to be sent. */
static bool transmit(struct mhi_uart *u, u8 value)
{
	/* Full for an instant: an edge-triggered line must fall to rise again. */
	u->thre_pending = false;
	update(u);
	u->thre_pending = true;
	if (!(u->mcr & MCR_LOOP))
		return true;
	loop_back(u, value);
	return false;
}

/* True when the write sends a byte. */
static bool write_reg(struct mhi_uart *u, unsigned int reg, u8 value)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (!dlab)
			return transmit(u, value);
		u->dll = value;
		break;
	case REG_IER:
		if (dlab)
			u->dlm = value;
		else
			interrupt_enable(u, value);
		break;
	case REG_IIR_FCR:
		fifo_control(u, value);
		break;
	case REG_LCR:
		u->lcr = value;
		break;
	case REG_MCR:
		u->mcr = value & MCR_MASK;
		u->flow_control = (value & MCR_DTR) && ((value & MCR_RTS) || u->flow_control);
		update_modem(u);
		break;
	case REG_SCR:
		u->scr = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
	return false;
}

static void emit(struct mhi_uart *u, u8 value)
{
	pthread_mutex_lock(&u->out_lock);
	if (u->out)
		u->out(u->out_opaque, &value, 1);
	pthread_mutex_unlock(&u->out_lock);
}

static uint64_t uart_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_uart *u = opaque;
	u64 value = 0;

	pthread_mutex_lock(&u->lock);
	for (unsigned int i = 0; i < bytes; i++)
		value |= (u64)read_reg(u, (unsigned int)offset + i) << (8 * i);
	update(u);
	pthread_mutex_unlock(&u->lock);
	return value;
}

static void uart_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_uart *u = opaque;

	for (unsigned int i = 0; i < bytes; i++) {
		u8 byte = (u8)(value >> (8 * i));
		bool sent;

		pthread_mutex_lock(&u->lock);
		sent = write_reg(u, (unsigned int)offset + i, byte);
		pthread_mutex_unlock(&u->lock);
		/*
		 * Out before the interrupt that says so: what the guest does next comes after it.
		 */
		if (sent)
			emit(u, byte);
		pthread_mutex_lock(&u->lock);
		update(u);
		pthread_mutex_unlock(&u->lock);
	}
}

const struct mh_io_ops mhi_uart_ops = {
	.version = 1,
	.read = uart_read,
	.write = uart_write,
};

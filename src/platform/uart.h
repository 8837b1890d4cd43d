/* SPDX-License-Identifier: MIT */
/* A 16550A serial port whose line is a pair of byte queues of this process. */
#ifndef MHI_PLATFORM_UART_H
#define MHI_PLATFORM_UART_H

#include <pthread.h>

#include "core/irq.h"
#include "macrohard/vm.h"

#define MHI_UART_PORTS 8
#define MHI_UART_FIFO 16
#define MHI_UART_WIRE 4096 /* bytes that input may be ahead of the guest */

#define MHI_UARTS 4 /* COM1 .. COM4 */

/*
 * Where PCs have them, but for the lines: COM3 and COM4 have their own, since an edge-triggered
 * line cannot be shared.
 */
struct mhi_uart_place {
	u16 port;
	u8 gsi;
	const char *name;
};
extern const struct mhi_uart_place mhi_uart_place[MHI_UARTS];

typedef void mhi_uart_out_fn(void *opaque, const void *data, size_t bytes);

struct mhi_uart {
	/* Protects (m); taken before the interrupt controller's lock. */
	pthread_mutex_t lock;
	/* Protects (o) and makes output one call at a time. Never held together with lock, so that
	 * the output function may give input. */
	pthread_mutex_t out_lock;
	struct mhi_irq_sink irq;			/* (c) */
	unsigned int gsi;				/* (c) */
	mhi_uart_out_fn *out;				/* (o) */
	void *out_opaque;				/* (o) */
	u8 ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm; /* (m) */
	bool thre_pending;	 /* (m) the transmitter became empty and nobody has looked yet */
	bool line;		 /* (m) what the interrupt line was last set to */
	bool flow_control;	 /* (m) the driver has set RTS since it has set DTR */
	u8 fifo[MHI_UART_FIFO];	 /* (m) received */
	unsigned int fifo_count; /* (m) */
	u8 wire[MHI_UART_WIRE];	 /* (m) ring: sent by the host, not received yet */
	unsigned int wire_head, wire_count; /* (m) */
};

void mhi_uart_init(struct mhi_uart *u, const struct mhi_irq_sink *irq, unsigned int gsi);
void mhi_uart_fini(struct mhi_uart *u);
/* Registers to their state after MR; bytes on the wire stay there. */
void mhi_uart_reset(struct mhi_uart *u);
/*
 * NULL: output is dropped. When it returns, the former function is not running and will not be
 * called.
 */
void mhi_uart_attach(struct mhi_uart *u, mhi_uart_out_fn *out, void *opaque);
/* Any thread; returns how many bytes were taken. */
size_t mhi_uart_input(struct mhi_uart *u, const void *data, size_t bytes);

/* For the PIO bus, MHI_UART_PORTS ports, opaque = u. */
extern const struct mh_io_ops mhi_uart_ops;

#endif

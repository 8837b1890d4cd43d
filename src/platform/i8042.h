/* SPDX-License-Identifier: MIT */
/*
 * The keyboard controller, with a keyboard and a mouse behind it where the VM has them. Without
 * them its command port only resets.
 */
#ifndef MHI_PLATFORM_I8042_H
#define MHI_PLATFORM_I8042_H

#include <pthread.h>

#include "core/irq.h"
#include "platform/power.h"
#include "platform/ps2.h"

#define MHI_KBC_DATA_PORT 0x60
#define MHI_KBC_PORT 0x64
#define MHI_KBC_KEYBOARD_GSI 1
#define MHI_KBC_MOUSE_GSI 12

struct mhi_i8042 {
	/* Protects (m); taken before the interrupt controller's lock. */
	pthread_mutex_t lock;
	struct mhi_irq_sink irq;	    /* (c) */
	const struct mhi_power_port *power; /* (c) */
	bool present;			    /* (c) while vCPUs run: with keyboard and mouse */
	struct mhi_ps2_keyboard keyboard;   /* (m) */
	struct mhi_ps2_mouse mouse;	    /* (m) */
	u8 control, output_port;	    /* (m) */
	u8 command;			    /* (m) whose parameter comes next; 0: none */
	bool command_last;		    /* (m) the last write was to the command port */
	u8 data;			    /* (m) the output buffer */
	bool full, from_mouse;		    /* (m) of the output buffer */
	u8 reply;			    /* (m) the controller's own, before what devices say */
	bool replies, reply_as_mouse;	    /* (m) */
	bool tested;			    /* (m) the self-test has been made */
	bool broken;			    /* (m) translation: a break prefix came */
};

void mhi_i8042_init(struct mhi_i8042 *k, const struct mhi_irq_sink *irq,
		    const struct mhi_power_port *power);
void mhi_i8042_fini(struct mhi_i8042 *k);
/* The RESET pin: as firmware leaves it, with the keyboard on and the mouse off. */
void mhi_i8042_reset(struct mhi_i8042 *k);

/* Any thread; as those of ps2.h. MH_ESTATE: it is not there. */
int mhi_i8042_key(struct mhi_i8042 *k, u32 code, bool down);
int mhi_i8042_move(struct mhi_i8042 *k, s32 dx, s32 dy, s32 dz);
int mhi_i8042_button(struct mhi_i8042 *k, enum mhi_ps2_button button, bool down);
/* Bit n: LED n of evdev is on. */
u32 mhi_i8042_leds(struct mhi_i8042 *k);

/* For the PIO bus, one port each, opaque = k. The data port is there with the keyboard only. */
extern const struct mh_io_ops mhi_kbc_data_ops, mhi_kbc_ops;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The keyboard controller's registers and commands: IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller".
 */
#include "platform/i8042.h"

#include "macrohard/error.h"
#include "platform/ps2_codes.h"

#define STATUS_FULL 0x01
#define STATUS_TESTED 0x04
#define STATUS_COMMAND 0x08
#define STATUS_UNLOCKED 0x10
#define STATUS_MOUSE 0x20

#define CONTROL_KEYBOARD_IRQ 0x01
#define CONTROL_MOUSE_IRQ 0x02
#define CONTROL_TESTED 0x04
#define CONTROL_KEYBOARD_OFF 0x10
#define CONTROL_MOUSE_OFF 0x20
#define CONTROL_TRANSLATE 0x40
#define CONTROL_RESET \
	(CONTROL_KEYBOARD_IRQ | CONTROL_TESTED | CONTROL_MOUSE_OFF | CONTROL_TRANSLATE)

#define OUTPUT_NO_RESET 0x01
#define OUTPUT_A20 0x02
#define OUTPUT_KEYBOARD_FULL 0x10
#define OUTPUT_MOUSE_FULL 0x20

enum {
	READ_CONTROL = 0x20,
	WRITE_CONTROL = 0x60,
	MOUSE_OFF = 0xa7,
	MOUSE_ON = 0xa8,
	TEST_MOUSE = 0xa9,
	TEST = 0xaa,
	TEST_KEYBOARD = 0xab,
	KEYBOARD_OFF = 0xad,
	KEYBOARD_ON = 0xae,
	READ_INPUT_PORT = 0xc0,
	READ_OUTPUT_PORT = 0xd0,
	WRITE_OUTPUT_PORT = 0xd1,
	AS_KEYBOARD = 0xd2,
	AS_MOUSE = 0xd3,
	TO_MOUSE = 0xd4,
	A20_OFF = 0xdd,
	A20_ON = 0xdf,
	PULSE = 0xf0, /* the low bits that are 0 are pulsed; bit 0 is reset */
};

#define PULSE_MASK 0xf1
#define TEST_PASSED 0x55
#define INTERFACE_GOOD 0x00
#define KEYBOARD_NOT_LOCKED 0x80 /* of the input port */

/* What the keyboard has as bits 0 to 2, in evdev's order: num, caps, scroll. */
#define KEYBOARD_SCROLL 0x01
#define KEYBOARD_NUM 0x02
#define KEYBOARD_CAPS 0x04

void mhi_i8042_init(struct mhi_i8042 *k, const struct mhi_irq_sink *irq,
		    const struct mhi_power_port *power)
{
	*k = (struct mhi_i8042){ .irq = *irq, .power = power };
	pthread_mutex_init(&k->lock, NULL);
	mhi_i8042_reset(k);
}

void mhi_i8042_fini(struct mhi_i8042 *k)
{
	pthread_mutex_destroy(&k->lock);
}

/* ---- the output buffer ---- */

/* A code of set 2, as one of set 1; false: it only is the first part of one. */
static bool translate(struct mhi_i8042 *k, u8 *byte)
{
	if (!(k->control & CONTROL_TRANSLATE))
		return true;
	if (*byte == MHI_PS2_BREAK) {
		k->broken = true;
		return false;
	}
	*byte = mhi_ps2_translate(*byte);
	if (k->broken && *byte < MHI_PS2_RELEASED)
		*byte |= MHI_PS2_RELEASED;
	k->broken = false;
	return true;
}

static bool from_keyboard(struct mhi_i8042 *k, u8 *byte)
{
	if (k->control & CONTROL_KEYBOARD_OFF)
		return false;
	while (mhi_ps2_keyboard_read(&k->keyboard, byte))
		if (translate(k, byte))
			return true;
	return false;
}

static bool fill(struct mhi_i8042 *k)
{
	if (k->replies) {
		k->data = k->reply;
		k->from_mouse = k->reply_as_mouse;
		k->replies = false;
		return true;
	}
	k->from_mouse = false;
	if (from_keyboard(k, &k->data))
		return true;
	k->from_mouse = true;
	return !(k->control & CONTROL_MOUSE_OFF) && mhi_ps2_mouse_read(&k->mouse, &k->data);
}

static void set_lines(struct mhi_i8042 *k)
{
	bool mouse = k->full && k->from_mouse, keyboard = k->full && !k->from_mouse;

	mhi_irq_set(&k->irq, MHI_KBC_KEYBOARD_GSI, keyboard && k->control & CONTROL_KEYBOARD_IRQ);
	mhi_irq_set(&k->irq, MHI_KBC_MOUSE_GSI, mouse && k->control & CONTROL_MOUSE_IRQ);
}

/* Something has changed: the next byte, if there is one and nobody has to read another before. */
static void update(struct mhi_i8042 *k)
{
	if (!k->full)
		k->full = fill(k);
	set_lines(k);
}

static void reply(struct mhi_i8042 *k, u8 byte, bool as_mouse)
{
	k->reply = byte;
	k->reply_as_mouse = as_mouse;
	k->replies = true;
}

void mhi_i8042_reset(struct mhi_i8042 *k)
{
	pthread_mutex_lock(&k->lock);
	mhi_ps2_keyboard_init(&k->keyboard);
	mhi_ps2_mouse_init(&k->mouse);
	k->control = CONTROL_RESET;
	k->output_port = OUTPUT_NO_RESET | OUTPUT_A20;
	k->command = 0;
	k->command_last = k->full = k->replies = k->broken = false;
	k->tested = true;
	if (k->present)
		set_lines(k);
	pthread_mutex_unlock(&k->lock);
}

/* ---- commands ---- */

static u8 output_port(const struct mhi_i8042 *k)
{
	u8 full = k->from_mouse ? OUTPUT_MOUSE_FULL : OUTPUT_KEYBOARD_FULL;

	return k->output_port | (k->full ? full : 0);
}

static void switch_control(struct mhi_i8042 *k, u8 bit, bool on)
{
	k->control = on ? k->control | bit : k->control & (u8)~bit;
}

/* Those that answer; false: it is none of them. */
static bool asks(struct mhi_i8042 *k, u8 byte)
{
	switch (byte) {
	case READ_CONTROL:
		reply(k, k->control, false);
		return true;
	case TEST_MOUSE:
	case TEST_KEYBOARD:
		reply(k, INTERFACE_GOOD, false);
		return true;
	case TEST:
		k->tested = true;
		reply(k, TEST_PASSED, false);
		return true;
	case READ_INPUT_PORT:
		reply(k, KEYBOARD_NOT_LOCKED, false);
		return true;
	case READ_OUTPUT_PORT:
		reply(k, output_port(k), false);
		return true;
	default:
		return false;
	}
}

static void command(struct mhi_i8042 *k, u8 byte)
{
	k->command = 0;
	if (asks(k, byte))
		return;
	switch (byte) {
	case MOUSE_OFF:
	case MOUSE_ON:
		switch_control(k, CONTROL_MOUSE_OFF, byte == MOUSE_OFF);
		break;
	case KEYBOARD_OFF:
	case KEYBOARD_ON:
		switch_control(k, CONTROL_KEYBOARD_OFF, byte == KEYBOARD_OFF);
		break;
	case WRITE_CONTROL:
	case WRITE_OUTPUT_PORT:
	case AS_KEYBOARD:
	case AS_MOUSE:
	case TO_MOUSE:
		k->command = byte;
		break;
	case A20_OFF:
	case A20_ON:
		k->output_port &= (u8)~OUTPUT_A20;
		k->output_port |= byte == A20_ON ? OUTPUT_A20 : 0;
		break;
	default:
		break;
	}
}

/* True: the processor is to be reset. */
static bool write_data(struct mhi_i8042 *k, u8 byte)
{
	u8 command = k->command;

	k->command = 0;
	switch (command) {
	case WRITE_CONTROL:
		k->control = byte;
		k->tested = byte & CONTROL_TESTED;
		break;
	case WRITE_OUTPUT_PORT:
		k->output_port = (byte & OUTPUT_A20) | OUTPUT_NO_RESET;
		return !(byte & OUTPUT_NO_RESET);
	case AS_KEYBOARD:
	case AS_MOUSE:
		reply(k, byte, command == AS_MOUSE);
		break;
	case TO_MOUSE:
		switch_control(k, CONTROL_MOUSE_OFF, false);
		mhi_ps2_mouse_write(&k->mouse, byte);
		break;
	default:
		switch_control(k, CONTROL_KEYBOARD_OFF, false);
		mhi_ps2_keyboard_write(&k->keyboard, byte);
	}
	return false;
}

/* ---- ports ---- */

static uint64_t data_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_i8042 *k = opaque;
	u8 data;

	pthread_mutex_lock(&k->lock);
	data = k->data;
	k->full = false;
	/* The line falls between two bytes: each is an interrupt of its own. */
	set_lines(k);
	update(k);
	pthread_mutex_unlock(&k->lock);
	return data;
}

static void data_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_i8042 *k = opaque;
	bool reset;

	pthread_mutex_lock(&k->lock);
	k->command_last = false;
	reset = write_data(k, (u8)value);
	update(k);
	pthread_mutex_unlock(&k->lock);
	if (reset)
		k->power->power(k->power->opaque, MHI_POWER_RESET);
}

static uint64_t status_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_i8042 *k = opaque;
	u8 status = STATUS_UNLOCKED;

	/* Ready for a command; and the FADT says that there is no keyboard behind it. */
	if (!k->present)
		return 0;
	pthread_mutex_lock(&k->lock);
	if (k->full)
		status |= k->from_mouse ? STATUS_FULL | STATUS_MOUSE : STATUS_FULL;
	if (k->tested)
		status |= STATUS_TESTED;
	if (k->command_last)
		status |= STATUS_COMMAND;
	pthread_mutex_unlock(&k->lock);
	return status;
}

static void command_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_i8042 *k = opaque;

	if ((value & PULSE_MASK) == PULSE) {
		k->power->power(k->power->opaque, MHI_POWER_RESET);
		return;
	}
	if (!k->present)
		return;
	pthread_mutex_lock(&k->lock);
	k->command_last = true;
	command(k, (u8)value);
	update(k);
	pthread_mutex_unlock(&k->lock);
}

const struct mh_io_ops mhi_kbc_data_ops = {
	.version = 1,
	.read = data_read,
	.write = data_write,
};

const struct mh_io_ops mhi_kbc_ops = {
	.version = 1,
	.read = status_read,
	.write = command_write,
};

/* ---- the host's side ---- */

int mhi_i8042_key(struct mhi_i8042 *k, u32 code, bool down)
{
	int rc;

	if (!k->present)
		return MH_ESTATE;
	pthread_mutex_lock(&k->lock);
	rc = mhi_ps2_keyboard_key(&k->keyboard, code, down);
	update(k);
	pthread_mutex_unlock(&k->lock);
	return rc;
}

int mhi_i8042_move(struct mhi_i8042 *k, s32 dx, s32 dy, s32 dz)
{
	int rc;

	if (!k->present)
		return MH_ESTATE;
	pthread_mutex_lock(&k->lock);
	rc = mhi_ps2_mouse_move(&k->mouse, dx, dy, dz);
	update(k);
	pthread_mutex_unlock(&k->lock);
	return rc;
}

int mhi_i8042_button(struct mhi_i8042 *k, enum mhi_ps2_button button, bool down)
{
	int rc;

	if (!k->present)
		return MH_ESTATE;
	pthread_mutex_lock(&k->lock);
	rc = mhi_ps2_mouse_button(&k->mouse, button, down);
	update(k);
	pthread_mutex_unlock(&k->lock);
	return rc;
}

u32 mhi_i8042_leds(struct mhi_i8042 *k)
{
	u32 leds = 0;

	pthread_mutex_lock(&k->lock);
	if (k->keyboard.leds & KEYBOARD_NUM)
		leds |= 1;
	if (k->keyboard.leds & KEYBOARD_CAPS)
		leds |= 2;
	if (k->keyboard.leds & KEYBOARD_SCROLL)
		leds |= 4;
	pthread_mutex_unlock(&k->lock);
	return leds;
}

/* SPDX-License-Identifier: MIT */
/*
 * The PS/2 mouse, with a wheel and two more buttons for drivers that ask for them: IBM PS/2
 * Hardware Interface Technical Reference, "Mouse"; the sample rates that switch the longer packets
 * on are those of Microsoft's IntelliMouse and IntelliMouse Explorer.
 */
#include "macrohard/error.h"
#include "platform/ps2.h"

enum {
	SCALING_1 = 0xe6,
	SCALING_2 = 0xe7,
	SET_RESOLUTION = 0xe8,
	STATUS = 0xe9,
	STREAM = 0xea,
	READ_DATA = 0xeb,
	UNWRAP = 0xec,
	WRAP = 0xee,
	REMOTE = 0xf0,
	IDENTIFY = 0xf2,
	SET_RATE = 0xf3,
	ENABLE = 0xf4,
	DISABLE = 0xf5,
	DEFAULTS = 0xf6,
	RESEND = 0xfe,
	RESET = 0xff,
	ACK = 0xfa,
	NAK = 0xfc,
	TEST_PASSED = 0xaa,
};

#define ID_PLAIN 0
#define ID_WHEEL 3
#define ID_FIVE_BUTTONS 4

#define RATE 100
#define RESOLUTION 2

/* The first byte of a packet. */
#define ALWAYS 0x08
#define X_NEGATIVE 0x10
#define Y_NEGATIVE 0x20
#define PLAIN_BUTTONS 0x07
#define MORE_BUTTONS 0x18 /* in ours; the fourth byte has them higher */
#define MORE_SHIFT 1
#define WHEEL_NIBBLE 0x0f

#define STEP_MAX 255
#define WHEEL_MAX 127
#define WHEEL_MAX_SHORT 7
#define AHEAD_MAX 32767 /* how far the host may be ahead of the guest */

#define STATUS_REMOTE 0x40
#define STATUS_ENABLED 0x20
#define STATUS_SCALING 0x10

static void reply(struct mhi_ps2_mouse *m, u8 byte)
{
	mhi_ps2_put(&m->replies, byte);
}

static void defaults(struct mhi_ps2_mouse *m)
{
	m->packets.count = 0;
	m->dx = m->dy = m->dz = 0;
	m->rate = RATE;
	m->resolution = RESOLUTION;
	m->reporting = m->remote = m->scaling = false;
}

void mhi_ps2_mouse_init(struct mhi_ps2_mouse *m)
{
	*m = (struct mhi_ps2_mouse){ .last = TEST_PASSED };
	defaults(m);
}

/* ---- packets ---- */

static s32 clamp(s32 value, s32 most)
{
	return value > most ? most : value < -most ? -most : value;
}

static u32 packet_bytes(const struct mhi_ps2_mouse *m)
{
	return m->id == ID_PLAIN ? 3 : 4;
}

static void put_packet(struct mhi_ps2_mouse *m, struct mhi_ps2_fifo *to)
{
	s32 dx = clamp(m->dx, STEP_MAX), dy = clamp(m->dy, STEP_MAX);
	s32 dz = clamp(m->dz, m->id == ID_FIVE_BUTTONS ? WHEEL_MAX_SHORT : WHEEL_MAX);

	mhi_ps2_put(to, (u8)(ALWAYS | (m->buttons & PLAIN_BUTTONS) | (dx < 0 ? X_NEGATIVE : 0) |
			     (dy < 0 ? Y_NEGATIVE : 0)));
	mhi_ps2_put(to, (u8)dx);
	mhi_ps2_put(to, (u8)dy);
	if (m->id == ID_WHEEL)
		mhi_ps2_put(to, (u8)dz);
	else if (m->id == ID_FIVE_BUTTONS)
		mhi_ps2_put(to,
			    (u8)((dz & WHEEL_NIBBLE) | (m->buttons & MORE_BUTTONS) << MORE_SHIFT));
	m->dx -= dx;
	m->dy -= dy;
	m->dz -= dz;
	m->told = m->buttons;
}

/* Is there something that a packet would tell? */
static bool changed(struct mhi_ps2_mouse *m)
{
	u8 visible = m->id == ID_FIVE_BUTTONS ? PLAIN_BUTTONS | MORE_BUTTONS : PLAIN_BUTTONS;

	if (m->id == ID_PLAIN)
		m->dz = 0;
	return m->dx || m->dy || m->dz || ((m->buttons ^ m->told) & visible);
}

static bool streams(const struct mhi_ps2_mouse *m)
{
	return m->reporting && !m->remote && !m->wrap;
}

static void flush(struct mhi_ps2_mouse *m)
{
	while (streams(m) && mhi_ps2_room(&m->packets) >= packet_bytes(m) && changed(m))
		put_packet(m, &m->packets);
}

int mhi_ps2_mouse_move(struct mhi_ps2_mouse *m, s32 dx, s32 dy, s32 dz)
{
	if (!m->reporting && !m->remote)
		return MH_ESTATE;
	m->dx = clamp(m->dx + clamp(dx, AHEAD_MAX), AHEAD_MAX);
	m->dy = clamp(m->dy + clamp(dy, AHEAD_MAX), AHEAD_MAX);
	m->dz = clamp(m->dz + clamp(dz, AHEAD_MAX), AHEAD_MAX);
	flush(m);
	return 0;
}

int mhi_ps2_mouse_button(struct mhi_ps2_mouse *m, enum mhi_ps2_button button, bool down)
{
	if (!down) {
		m->buttons &= (u8)~button;
		flush(m);
		return 0;
	}
	if (!m->reporting && !m->remote)
		return MH_ESTATE;
	flush(m);
	/* Pressed and let go between two packets nobody would see it. */
	if (!(m->buttons & button) && (changed(m) || mhi_ps2_room(&m->packets) < packet_bytes(m)))
		return MH_EBUSY;
	m->buttons |= button;
	flush(m);
	return 0;
}

/* ---- bytes ---- */

static void set_rate(struct mhi_ps2_mouse *m, u8 rate)
{
	if (m->knock[0] == 200 && m->knock[1] == 100 && rate == 80)
		m->id = ID_WHEEL;
	else if (m->knock[0] == 200 && m->knock[1] == 200 && rate == 80 && m->id == ID_WHEEL)
		m->id = ID_FIVE_BUTTONS;
	m->knock[0] = m->knock[1];
	m->knock[1] = rate;
	m->rate = rate;
	m->packets.count = 0;
}

static void reply_status(struct mhi_ps2_mouse *m)
{
	u8 buttons =
		(u8)((m->buttons & MHI_PS2_LEFT ? 4 : 0) | (m->buttons & MHI_PS2_MIDDLE ? 2 : 0) |
		     (m->buttons & MHI_PS2_RIGHT ? 1 : 0));

	reply(m, (u8)(buttons | (m->remote ? STATUS_REMOTE : 0) |
		      (m->reporting ? STATUS_ENABLED : 0) | (m->scaling ? STATUS_SCALING : 0)));
	reply(m, m->resolution);
	reply(m, m->rate);
}

static void parameter(struct mhi_ps2_mouse *m, u8 byte)
{
	if (m->command == SET_RATE)
		set_rate(m, byte);
	else
		m->resolution = byte;
	m->command = 0;
	reply(m, ACK);
}

static void reset(struct mhi_ps2_mouse *m)
{
	u8 buttons = m->buttons;

	mhi_ps2_mouse_init(m);
	m->buttons = m->told = buttons;
	reply(m, ACK);
	reply(m, TEST_PASSED);
	reply(m, ID_PLAIN);
}

/* Those that change how it works; false: it is none of them. */
static bool mode_command(struct mhi_ps2_mouse *m, u8 byte)
{
	switch (byte) {
	case SCALING_1:
	case SCALING_2:
		m->scaling = byte == SCALING_2;
		return true;
	case SET_RESOLUTION:
	case SET_RATE:
		m->command = byte;
		return true;
	case STREAM:
	case REMOTE:
		m->remote = byte == REMOTE;
		m->packets.count = 0;
		return true;
	case WRAP:
	case UNWRAP:
		m->wrap = byte == WRAP;
		return true;
	case ENABLE:
	case DISABLE:
		m->reporting = byte == ENABLE;
		m->packets.count = 0;
		return true;
	case DEFAULTS:
		defaults(m);
		return true;
	default:
		return false;
	}
}

static void command(struct mhi_ps2_mouse *m, u8 byte)
{
	if (mode_command(m, byte)) {
		reply(m, ACK);
		flush(m);
		return;
	}
	switch (byte) {
	case STATUS:
		reply(m, ACK);
		reply_status(m);
		break;
	case READ_DATA:
		reply(m, ACK);
		put_packet(m, &m->replies);
		break;
	case IDENTIFY:
		reply(m, ACK);
		reply(m, m->id);
		break;
	case RESEND:
		reply(m, m->last);
		break;
	case RESET:
		reset(m);
		break;
	default:
		reply(m, NAK);
	}
}

void mhi_ps2_mouse_write(struct mhi_ps2_mouse *m, u8 byte)
{
	if (m->wrap && byte != UNWRAP && byte != RESET)
		reply(m, byte);
	else if (m->command)
		parameter(m, byte);
	else
		command(m, byte);
}

bool mhi_ps2_mouse_read(struct mhi_ps2_mouse *m, u8 *byte)
{
	if (!mhi_ps2_take(&m->replies, byte) && !mhi_ps2_take(&m->packets, byte))
		return false;
	m->last = *byte;
	flush(m);
	return true;
}

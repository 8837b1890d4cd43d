/* SPDX-License-Identifier: MIT */
/*
 * The EDID of a display that does not exist. VESA Enhanced EDID Standard, release A, revision 2:
 * section 3 "Extended Display Identification Data (EDID) Version 1 Revision 4".
 */
#include "core/edid.h"

#include "core/le.h"

/* Offsets: table 3.1 "EDID structure version 1, revision 4". */
#define AT_VENDOR 8
#define AT_YEAR 17
#define AT_VERSION 18
#define AT_INPUT 20
#define AT_COLOURS 25
#define AT_ESTABLISHED 35
#define AT_STANDARD 38
#define AT_DESCRIPTORS 54
#define DESCRIPTOR 18
#define AT_CHECKSUM 127

#define VENDOR 0x3504 /* "MHD", five bits a letter, big-endian */
#define YEAR (2026 - 1990)
#define INPUT_DIGITAL_8 0xa0
#define GAMMA_2_2 120
#define FEATURES 0x06	   /* sRGB; the preferred timing is the native size */
#define ESTABLISHED 0x21   /* 640x480 and 800x600 at 60 Hz */
#define ESTABLISHED_2 0x08 /* 1024x768 at 60 Hz */
#define DIGITAL_SYNC 0x1a  /* separate; vertical negative, horizontal positive */
#define TAG_NAME 0xfc
#define TAG_DUMMY 0x10

/* VESA Coordinated Video Timings, 3.4 "Reduced Blanking": pixels, lines, microseconds. */
#define H_BLANK 160u
#define H_FRONT 48u
#define H_SYNC 32u
#define V_FRONT 3u
#define V_SYNC 4u
#define V_BACK 6u
#define V_BLANK_US 460u
#define HZ 60u

/* At 96 dots per inch. */
static u32 millimetres(u32 pixels)
{
	return pixels * 254 / 960;
}

static u8 at_most(u32 value, u32 most)
{
	return (u8)(value < most ? value : most);
}

/* Table 3.21 "Detailed timing definition". */
static void put_timing(u8 *p, u32 width, u32 height)
{
	u32 blank = height * V_BLANK_US / (1000000 / HZ - V_BLANK_US) + 1;
	u32 least = V_FRONT + V_SYNC + V_BACK, mm_x = millimetres(width),
	    mm_y = millimetres(height);
	u64 clock;

	blank = blank < least ? least : blank;
	/* A display that is too large for the field is a slower one. */
	clock = (u64)(width + H_BLANK) * (height + blank) * HZ / 10000;
	mhi_put_le16(p, (u16)(clock < 0xffff ? clock : 0xffff));
	p[2] = (u8)width;
	p[3] = H_BLANK;
	p[4] = (u8)(width >> 8 << 4);
	p[5] = (u8)height;
	p[6] = (u8)blank;
	p[7] = (u8)(height >> 8 << 4 | blank >> 8);
	p[8] = H_FRONT;
	p[9] = H_SYNC;
	p[10] = V_FRONT << 4 | V_SYNC;
	p[12] = (u8)mm_x;
	p[13] = (u8)mm_y;
	p[14] = (u8)((mm_x >> 8 & 15) << 4 | (mm_y >> 8 & 15));
	p[17] = DIGITAL_SYNC;
}

void mhi_edid_make(u8 edid[MHI_EDID_BYTES], u32 width, u32 height)
{
	static const u8 header[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
	/* Of sRGB: table 3.13 "Chromaticity". */
	static const u8 colours[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
	static const char name[] = "macrohard\n   ";
	u8 sum = 0, *descriptor = edid + AT_DESCRIPTORS;

	memset(edid, 0, MHI_EDID_BYTES);
	memcpy(edid, header, sizeof(header));
	edid[AT_VENDOR] = VENDOR >> 8;
	edid[AT_VENDOR + 1] = VENDOR & 0xff;
	mhi_put_le16(edid + AT_VENDOR + 2, 1);
	edid[AT_YEAR] = YEAR;
	edid[AT_VERSION] = 1;
	edid[AT_VERSION + 1] = 4;
	edid[AT_INPUT] = INPUT_DIGITAL_8;
	edid[AT_INPUT + 1] = at_most((millimetres(width) + 9) / 10, 255);
	edid[AT_INPUT + 2] = at_most((millimetres(height) + 9) / 10, 255);
	edid[AT_INPUT + 3] = GAMMA_2_2;
	edid[AT_INPUT + 4] = FEATURES;
	memcpy(edid + AT_COLOURS, colours, sizeof(colours));
	edid[AT_ESTABLISHED] = ESTABLISHED;
	edid[AT_ESTABLISHED + 1] = ESTABLISHED_2;
	memset(edid + AT_STANDARD, 1, AT_DESCRIPTORS - AT_STANDARD);
	put_timing(descriptor, width, height);
	descriptor[DESCRIPTOR + 3] = TAG_NAME;
	memcpy(descriptor + DESCRIPTOR + 5, name, sizeof(name) - 1);
	descriptor[2 * DESCRIPTOR + 3] = TAG_DUMMY;
	descriptor[3 * DESCRIPTOR + 3] = TAG_DUMMY;
	for (unsigned int i = 0; i < AT_CHECKSUM; i++)
		sum = (u8)(sum + edid[i]);
	edid[AT_CHECKSUM] = (u8)-sum;
}

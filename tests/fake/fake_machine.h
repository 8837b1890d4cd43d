/* SPDX-License-Identifier: MIT */
/* A fake of the platform: counts resets and loads, and lets the test press its power switch. */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include "platform/machine.h"

#define FAKE_ROM_BYTES 0x10000

extern struct fake_machine {
	struct mhi_machine_env env; /* of the last machine made */
	u32 machines, boots;	    /* alive */
	u32 resets, loads, eois, buttons;
	u32 eoi_vector;
	struct mhi_pci_dev *devs[16];
	unsigned int dev_count;
	bool running;
	int add_error;
	bool ps2;
	int ps2_error;	   /* what keys and buttons give */
	char ps2_log[512]; /* "key 30 1;move 1 2 3;button 0 1;" */
	int create_error, reset_error, boot_error, load_error, firmware_error;
	const void *rom;	/* what firmware is, page-aligned */
	const char *installed;	/* the path of the BIOS; NULL: there is none */
	u64 rom_bytes;		/* what the machine was told of firmware */
	char booted[128];	/* the path of the last kernel or firmware */
	struct mhi_entry entry; /* what the next load answers */
} fake_machine;

void fake_machine_clear(void);

#endif

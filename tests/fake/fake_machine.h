/* SPDX-License-Identifier: MIT */
/* A fake of the platform: counts resets and loads, and lets the test press its power switch. */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include "platform/machine.h"

extern struct fake_machine {
	struct mhi_machine_env env; /* of the last machine made */
	u32 machines, boots;	    /* alive */
	u32 resets, loads, eois, buttons;
	u32 eoi_vector;
	struct mhi_pci_dev *devs[16];
	unsigned int dev_count;
	bool running;
	int add_error;
	int create_error, reset_error, boot_error, load_error;
	struct mhi_entry entry; /* what the next load answers */
} fake_machine;

void fake_machine_clear(void);

#endif

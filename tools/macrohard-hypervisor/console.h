/* SPDX-License-Identifier: MIT */
/*
 * A running guest's console: COM1 to standard output, standard input to COM1, until the VM stops.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "terminal.h"
#include <macrohard/macrohard.h>
#include <signal.h>
#include <stdatomic.h>

struct console {
	struct mh_vm *vm;   /* (c) */
	struct mh_dev *dev; /* (c) virtio-console, or NULL: it is COM1 */
	int escape;	    /* (c) the key that ends it, or -1 */
	int wake;	    /* (c) eventfd: the VM stopped, or output failed */
	int signals;	    /* (c) signalfd */
	sigset_t old_mask;  /* (c) signals that were blocked before */
	struct terminal terminal;
	unsigned char typed[512]; /* what the guest's port did not take yet */
	size_t typed_bytes;
	bool input_open;
	unsigned int grace_s;	 /* (c) how long the guest has after SIGTERM; 0: it ends at once */
	int64_t deadline_ms;	 /* of CLOCK_MONOTONIC, when that is over; 0: no SIGTERM yet */
	atomic_int output_error; /* errno; release in the output callback, acquire in the loop */
};

enum console_end { CONSOLE_STOPPED, CONSOLE_ESCAPE, CONSOLE_SIGNAL, CONSOLE_OUTPUT };

/*
 * Blocks the signals that end the program, so that they reach console_run and no other thread: call
 * it before the library starts threads. 0 or -1 with errno.
 */
int console_init(struct console *c, int escape, unsigned int grace_s);
/*
 * Connects the VM's COM1, or a virtio-console; the VM must not run yet. 0 or the library's error.
 */
int console_attach(struct console *c, struct mh_vm *vm, bool virtio);
/*
 * Serves the console until the VM stops, or it is to be stopped. *detail: signal or errno. SIGTERM
 * presses the power button first.
 */
enum console_end console_run(struct console *c, int *detail);
/* Disconnects the stopped VM and leaves the window as it was. */
void console_detach(struct console *c);
void console_fini(struct console *c);

#endif

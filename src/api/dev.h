/* SPDX-License-Identifier: MIT */
/* What the functions that attach virtio devices share. */
#ifndef MHI_API_DEV_H
#define MHI_API_DEV_H

#include "api/impl.h"
#include "platform/framebuffer.h"
#include "platform/watchdog.h"
#include "virtio/input.h"
#include "virtio/tr_pci.h"

/* What its back end failed in. */
struct mhi_dev_errors {
	pthread_mutex_t lock;		 /* protects (e); nothing is taken inside it */
	enum mh_dev_operation operation; /* (e) the last one */
	int error;			 /* (e) */
	u64 count;			 /* (e) since it was told */
	bool used;			 /* (e) there was one ever */
	struct mhi_wake wake;		 /* of the loop */
	struct mhi_timer *timer;	 /* (l) NULL until it is needed */
	bool resting;			 /* (l) nothing is told before the timer */
};

struct mh_dev {
	struct mh_vm *vm;	       /* (c) */
	const char *what;	       /* (c) its name in messages */
	struct mh_dev *next;	       /* (p) */
	struct mhi_vdev *vdev;	       /* (c) NULL: a watchdog, or PS/2 */
	struct mhi_vdev_env env;       /* (c) */
	struct mhi_vpci pci;	       /* (c) */
	struct mhi_pci_dev *card;      /* (c) what is plugged in */
	struct mhi_watchdog *watchdog; /* (c) or NULL */
	bool ps2;		       /* (c) keyboard and mouse of the machine, and no card */
	enum mhi_input_kind input;     /* (c) of a virtio-input device */
	struct mh_dev *leader;	       /* (c) that it is detached with; NULL: itself */
	u32 action;		       /* (c) the watchdog's: enum mh_watchdog_action */
	u64 told_ns;		       /* (l) when it was told of last */
	char *label;		       /* (c) for messages: a path; NULL: none */
	char *tag;		       /* (c) of a shared folder; NULL: it is none */
	bool readonly, virtiofs;       /* (c) that folder */
	char *folder;		       /* (c) its path; NULL: the embedder serves it */
	bool host_ids;		       /* (c) its files have the host's owners */
	u32 reach;		       /* (c) MH_SANDBOX_REACH_*: what it needs while it works */
	struct mh_dev *next_share;     /* vm->shares_lock */
	struct mhi_dev_errors errors;
	struct mhi_display *display; /* made for it, and not the VM's yet; NULL: none */
	bool console;		     /* (c) it has ports */
	struct mhi_net *frames;	     /* (c) the embedder's end of a network card; NULL: none */
	bool *adopted; /* (c) the back end's: set when the device is there; NULL: none */
	/* (c) the plain frame buffer; NULL: this is another device */
	struct mhi_framebuffer *framebuffer;
	char owner[64]; /* (c) "VM \"name\"" */
};

/*
 * Attaching is begin, checking the config and making dev->vdev or what else it is, end. Begin
 * refuses a VM that is NULL or bare and a config that is NULL or whose first field, its size, is
 * not config_bytes; it enters the VM for setup. End plugs the device in if rc is 0, frees it else,
 * and leaves the VM. what names the device in messages; end puts it and the VM's name before the
 * sentence that rc came with.
 */
int mhi_dev_begin(struct mh_vm *vm, const char *what, const void *config, size_t config_bytes,
		  struct mh_dev **out);
/* flags: the config's. */
int mhi_dev_end(struct mh_dev *dev, u32 flags, int rc, struct mh_dev **out);
/* Between the two. known: the flags that this device has beside MH_VIRTIO_*. */
int mhi_dev_check_flags(struct mh_dev *dev, u32 flags, u32 known);

/* Take it out and free it; the VM is entered for setup. */
void mhi_dev_detach(struct mh_dev *dev);

/* ---- dev_input.c ---- */

/* It is plugged in, or about to be taken out: an input device gets events, or none any more. */
void mhi_dev_input_attached(struct mh_dev *dev, bool on);

/* ---- dev_error.c ---- */

/* dev->env reports failures from now on. */
void mhi_dev_errors_init(struct mh_dev *dev);
/* The device reports no more. */
void mhi_dev_errors_fini(struct mh_dev *dev);

#endif

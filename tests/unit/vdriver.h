/* SPDX-License-Identifier: MIT */
/*
 * A virtio driver for tests: guest memory, a fake loop, a device behind its PCI transport with the
 * bus played by the test, and rings of both layouts as a driver keeps them.
 */
#ifndef TESTS_VDRIVER_H
#define TESTS_VDRIVER_H

#include "guest_ram.h"
#include "virtio/tr_pci.h"

#define VD_RAM (8ull << 20)
#define VD_VECTORS 65

struct vdriver {
	struct guest_ram ram;
	struct mhi_loop *loop;
	struct mhi_log log;
	struct mhi_vdev_env env;
	struct mhi_vdev *dev;
	struct mhi_vpci pci;
	bool msix, line;
	u32 irqs[VD_VECTORS]; /* (a) by vector; without MSI-X [0] counts edges of the line */
	u32 logged;	      /* (a) lines */
	char last_log[256];
	u32 failures; /* (a) of the back end; the last one: */
	enum mh_dev_operation failed;
	int error;
	u64 features;
	mh_gpa brk; /* guest memory is given out up to here */
	/* NULL, or: the device has been destroyed, and the loop is still there. */
	void (*gone)(void);
};

void vd_init(struct vdriver *d);
/* Take over a device; bells: with doorbells. */
void vd_attach(struct vdriver *d, struct mhi_vdev *dev, bool bells);
void vd_fini(struct vdriver *d);
/* Runs the device's work that was asked for so far. */
void vd_sync(struct vdriver *d);
mh_gpa vd_alloc(struct vdriver *d, u64 bytes, u64 align);
void *vd_ptr(struct vdriver *d, mh_gpa gpa);

u64 vd_read(struct vdriver *d, u64 offset, unsigned int bytes);
void vd_write(struct vdriver *d, u64 offset, unsigned int bytes, u64 value);
u8 vd_status(struct vdriver *d);
void vd_set_status(struct vdriver *d, u8 status);
u64 vd_offered(struct vdriver *d);
/* Reset to FEATURES_OK with these features of those offered; false: refused. */
bool vd_negotiate(struct vdriver *d, u64 features);
void vd_ok(struct vdriver *d);

struct vd_buf {
	mh_gpa at;
	u32 bytes;
	bool write;
};

#define VD_RING_MAX 256

struct vring {
	struct vdriver *d;
	unsigned int q;
	u16 size;
	bool packed, event_idx;
	mh_gpa desc, driver, device;
	u16 next, last_used;	   /* split: free running indices; packed: positions */
	bool next_wrap, used_wrap; /* packed */
	u16 kicked;		   /* next at the last kick */
	bool kicked_wrap;
	u16 free; /* descriptors */
	u16 free_list[VD_RING_MAX];
	u16 chain_len[VD_RING_MAX];	     /* by id: descriptors in the ring */
	u16 chain[VD_RING_MAX][VD_RING_MAX]; /* split, by head: its descriptors */
	bool busy[VD_RING_MAX];
	mh_gpa table[VD_RING_MAX]; /* by id: room for an indirect table */
	bool interrupts;	   /* asked for */
};

/* Sets the queue up and enables it. */
void vr_init(struct vring *r, struct vdriver *d, unsigned int q, u16 size);
/* Returns the id, or -1: no room. */
int vr_add(struct vring *r, const struct vd_buf *buf, unsigned int count, bool indirect);
/* Kicks if the device wants it; true: it was kicked. */
bool vr_kick(struct vring *r);
void vr_force_kick(struct vring *r);
/* A used chain's id, or -1; *len: bytes written. */
int vr_get(struct vring *r, u32 *len);
/* Ask for an interrupt with the next used chain, or for none. */
void vr_interrupts(struct vring *r, bool on);

#endif

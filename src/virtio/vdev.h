/* SPDX-License-Identifier: MIT */
/*
 * The core of a virtio device, between a transport and a model. It owns status, features,
 * configuration, the queues, reset, and when the model may work: while the machine runs and the
 * driver is ready, with the device's lock held; on the loop's thread, or, for a model whose
 * requests block, on workers. A doorbell wakes one of those, which takes the chain, does what it
 * asks for without the lock, and gives it back.
 */
#ifndef MHI_VIRTIO_VDEV_H
#define MHI_VIRTIO_VDEV_H

#include <pthread.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/worker.h"
#include "macrohard/event.h"
#include "virtio/vq.h"

/* virtio 1.2, 2.1 "Device Status Field". */
#define VIRTIO_ACKNOWLEDGE 1
#define VIRTIO_DRIVER 2
#define VIRTIO_DRIVER_OK 4
#define VIRTIO_FEATURES_OK 8
#define VIRTIO_NEEDS_RESET 64
#define VIRTIO_FAILED 128

/* 6 "Reserved Feature Bits". */
#define VIRTIO_F_INDIRECT_DESC MHI_BIT(28)
#define VIRTIO_F_EVENT_IDX MHI_BIT(29)
#define VIRTIO_F_VERSION_1 MHI_BIT(32)
#define VIRTIO_F_RING_PACKED MHI_BIT(34)
#define MHI_VIRTIO_FEATURES \
	(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED)

#define MHI_VQS_MAX 64
#define MHI_VDEV_CONFIG_MAX 256

struct mhi_vdev;

/* A model. All but destroy with the device's lock held. */
struct mhi_vdev_ops {
	const char *name; /* "virtio-rng" */
	u16 id;		  /* virtio 1.2, 5 "Device Types" */
	u32 class_code;	  /* PCI's, 24 bits */
	/* The driver kicked queue q, or the device woke up: take what is in it. Loop or worker. */
	void (*kick)(struct mhi_vdev *dev, unsigned int q);
	/* NULL, or: the driver is ready. vCPU thread. */
	void (*start)(struct mhi_vdev *dev);
	/* NULL, or: forget what the driver set up; nothing is in flight. Any thread. */
	void (*reset)(struct mhi_vdev *dev);
	/* NULL, or: the driver wrote dev->config [at, at + bytes). vCPU thread. */
	void (*config)(struct mhi_vdev *dev, unsigned int at, unsigned int bytes);
	/* NULL, or: the machine stops; unpop what was popped ahead. Any thread. */
	void (*pause)(struct mhi_vdev *dev);
	/* Frees the model; the device is unplugged and idle. */
	void (*destroy)(struct mhi_vdev *dev);
};

/* Interrupts; with the device's lock held. */
struct mhi_vdev_transport {
	void (*queue)(void *opaque, unsigned int q);
	void (*config)(void *opaque);
};

struct mhi_vdev_env {
	const struct mhi_gmem *mem;
	struct mhi_loop *loop;
	struct mhi_log *log;
	const char *owner; /* "VM \"x\"", for messages */
	/* The device's back end failed, with MH_E*; NULL: nobody wants to know. Any thread. */
	void (*failed)(void *opaque, enum mh_dev_operation operation, int error);
	void *failed_opaque;
};

static inline void mhi_vdev_failed(const struct mhi_vdev_env *env, enum mh_dev_operation operation,
				   int error)
{
	if (env->failed)
		env->failed(env->failed_opaque, operation, error);
}

/* What a device has done, for people. */
struct mhi_vdev_counts {
	u64 requests, errors;
	u64 to_guest, from_guest;    /* bytes */
	u64 timed, ticks, ticks_max; /* requests that were timed, by the TSC */
	u64 interrupts;
};

struct mhi_vdev {
	const struct mhi_vdev_ops *ops;		    /* (c) */
	void *model;				    /* (c) */
	struct mhi_vdev_env env;		    /* (c) */
	const struct mhi_vdev_transport *transport; /* (c) */
	void *transport_opaque;			    /* (c) */
	u64 offered;				    /* (c) */
	struct mhi_workers *workers;		    /* (c) that kick runs on; NULL: on the loop */
	u32 most;				    /* (c) workers that may be in kick at once */
	unsigned int vqs;			    /* (c) */
	struct mhi_vq *vq;			    /* (m) [vqs] */

	/* Protects (m). Taken on vCPU threads for registers and on the loop's or workers for work;
	 * inside it only the bus's interrupt locks and the pool's are taken. */
	pthread_mutex_t lock;
	pthread_cond_t drained;			 /* in_flight became 0 */
	u64 accepted;				 /* (m) */
	u8 status;				 /* (m) */
	u32 generation;				 /* (m) of config */
	u8 config[MHI_VDEV_CONFIG_MAX];		 /* (m) device-specific, as the driver reads it */
	unsigned int config_bytes;		 /* (c) */
	u8 config_writable[MHI_VDEV_CONFIG_MAX]; /* (c) bits */
	bool running;				 /* (m) the machine's vCPUs run */
	bool reset_pending;			 /* (m) as soon as nothing is in flight */
	u32 in_flight;		       /* (m) chains that the model has and completes later */
	u64 kicked;		       /* (a) bit q: queue q was kicked */
	struct mhi_vdev_counts counts; /* (m) models count all but interrupts */
	u32 inside;		       /* (m) threads that are in kick, with the lock or without */
	bool put_off;	      /* (m) one of them takes what is kicked, for there are `most` */
	bool logged;	      /* (m) one complaint about the driver is enough */
	struct mhi_wake wake; /* of the loop */
	struct mhi_bell turn; /* of workers */
};

/*
 * @dev is zeroed but for ops, model, env, offered (without MHI_VIRTIO_FEATURES), config, and, where
 * there are workers, these and most. sizes [vqs]: the queues' sizes, each a power of two. 0;
 * MH_ENOMEM.
 */
int mhi_vdev_init(struct mhi_vdev *dev, const u16 *sizes, unsigned int vqs);
/* The transport is unplugged. Not on the loop's thread with the lock held. */
void mhi_vdev_fini(struct mhi_vdev *dev);

/* ---- for models, with the lock held ---- */

/* 1: *chain is the next one of queue q; 0: none, or the device may not work now. */
int mhi_vdev_pop(struct mhi_vdev *dev, unsigned int q, struct mhi_chain *chain);
/* Give a chain back, with so many bytes written to its in part. */
void mhi_vdev_push(struct mhi_vdev *dev, unsigned int q, struct mhi_chain_id id, u32 written);
/* Several of them: the driver sees all at once. */
void mhi_vdev_push_all(struct mhi_vdev *dev, unsigned int q, const struct mhi_used *used,
		       u32 count);
/*
 * The chain that was popped last from queue q, of those that were not pushed, is as if it had not
 * been popped.
 */
void mhi_vdev_unpop(struct mhi_vdev *dev, unsigned int q, struct mhi_chain_id id);
/* Call kick for this queue again, after others had their turn. */
void mhi_vdev_again(struct mhi_vdev *dev, unsigned int q);
/* May queues be worked on? */
bool mhi_vdev_live(const struct mhi_vdev *dev);
/* Chains that are completed later: between hold and its release no reset happens. */
void mhi_vdev_hold(struct mhi_vdev *dev);
void mhi_vdev_release(struct mhi_vdev *dev);
/*
 * In kick on a worker, for a chain of queue q that takes time: hold it and give up the lock. If
 * there is more to do another worker is called to help. Back: mhi_vdev_enter, push, release.
 */
void mhi_vdev_step_out(struct mhi_vdev *dev, unsigned int q);
/* dev->config was changed by the device. */
void mhi_vdev_config_changed(struct mhi_vdev *dev);
/* The driver did what no driver may: needs reset, one line in the log. */
void mhi_vdev_fault(struct mhi_vdev *dev, const char *why);
/* One line in the log about a driver's mistake, the first time. */
void mhi_vdev_complain(struct mhi_vdev *dev, const char *what);

/* One request is answered, with so many bytes. */
static inline void mhi_vdev_count(struct mhi_vdev *dev, u64 to_guest, u64 from_guest)
{
	dev->counts.requests++;
	dev->counts.to_guest += to_guest;
	dev->counts.from_guest += from_guest;
}

/* It was taken at since, of __rdtsc(). */
void mhi_vdev_count_time(struct mhi_vdev *dev, u64 since);

static inline bool mhi_vdev_has(const struct mhi_vdev *dev, u64 feature)
{
	return (dev->accepted & feature) != 0;
}

/* Any thread, without the lock. */
void mhi_vdev_counts(struct mhi_vdev *dev, struct mhi_vdev_counts *out);

/* Work on the device from outside of kick, on any thread: leave sends the interrupts due. */
void mhi_vdev_enter(struct mhi_vdev *dev);
void mhi_vdev_leave(struct mhi_vdev *dev);

/* ---- for transports ---- */

/* Any thread, without the lock. Queues that do not exist are ignored. */
void mhi_vdev_kick(struct mhi_vdev *dev, unsigned int q);
/* The same on the loop's thread or a worker: it is done at once. q exists. */
void mhi_vdev_ring(struct mhi_vdev *dev, unsigned int q);
/* The machine's vCPUs run, or have stopped: waits until nothing is in flight. Without the lock. */
void mhi_vdev_run(struct mhi_vdev *dev, bool on);
/* As at power-up. The machine does not run. Without the lock. */
void mhi_vdev_power_up(struct mhi_vdev *dev);
/* With the lock held: */
void mhi_vdev_set_status(struct mhi_vdev *dev, u8 status);
void mhi_vdev_set_features(struct mhi_vdev *dev, bool high, u32 value);
void mhi_vdev_enable_queue(struct mhi_vdev *dev, unsigned int q);
void mhi_vdev_config_read(struct mhi_vdev *dev, unsigned int at, void *buf, unsigned int bytes);
void mhi_vdev_config_write(struct mhi_vdev *dev, unsigned int at, const void *buf,
			   unsigned int bytes);

#endif

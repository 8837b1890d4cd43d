/* SPDX-License-Identifier: MIT */
/*
 * The watchdog of Intel's 6300ESB: two timers of 20 bits that count down one after the other. The
 * first one's end may interrupt the guest, the second one's is the end of its patience. Intel
 * 6300ESB I/O Controller Hub Datasheet (300641), chapter "Watchdog Timer".
 */
#include "platform/watchdog.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/le.h"
#include "macrohard/error.h"

#define CLASS_SYSTEM_OTHER 0x088000

/* Configuration space: WDT Configuration, WDT Lock. */
#define REGS_AT 0x60
#define REGS_BYTES 9
#define R_CONFIG 0
#define R_LOCK 8

#define CONFIG_INTERRUPT 0x03 /* what the first stage does: 0 interrupts, 2 SMI, 3 nothing */
#define CONFIG_FAST 0x04      /* the clock: PCI's by 2^5, else by 2^15 */
#define CONFIG_NO_OUTPUT 0x20 /* the second stage's end has no effect */
#define LOCK_LOCKED 0x01      /* this register stays as it is until the next reset */
#define LOCK_ENABLE 0x02
#define LOCK_FREE_RUN 0x04 /* the second stage only, again and again */

/* Memory space: preload values 1 and 2, general interrupt status, reload. */
#define BAR_BYTES 0x10
#define R_PRELOAD1 0x00
#define R_PRELOAD2 0x04
#define R_STATUS 0x08
#define R_RELOAD 0x0c

#define PRELOAD_MASK 0xfffffu
#define STATUS_INTERRUPT 0x01
#define RELOAD_NOW 0x100
#define RELOAD_TIMED_OUT 0x200

/* Written to R_RELOAD one after the other they let the next write through, to any register. */
#define UNLOCK_FIRST 0x80
#define UNLOCK_SECOND 0x86

#define PCI_KHZ 33000u

struct mhi_watchdog {
	struct mhi_pci_dev pci;	       /* (c) */
	struct mhi_loop *loop;	       /* (c) */
	void (*expired)(void *opaque); /* (c) */
	void *opaque;		       /* (c) */
	struct mhi_timer *timer;       /* (l) */
	struct mhi_wake wake;
	/* Protects (m). A device's lock: see struct mhi_pci. */
	pthread_mutex_t lock;
	pthread_cond_t told;
	u8 config, mode;     /* (m) the two registers of configuration space */
	u32 preload[2];	     /* (m) */
	unsigned int unlock; /* (m) how many steps of unlocking were made: 2, it is */
	unsigned int stage;  /* (m) 1 or 2; 0: it does not count */
	bool status;	     /* (m) the first stage's interrupt */
	bool timed_out;	     /* (m) outlives resets */
	bool running;	     /* (m) vCPUs run; else it stands still */
	bool again;	     /* (m) the stage begins when the loop has heard of it */
	bool telling;	     /* (m) expired is being called */
};

/* ---- counting; the lock is held ---- */

static bool counts(const struct mhi_watchdog *w)
{
	return w->running && w->stage && (w->mode & LOCK_ENABLE);
}

/* At least the loop's 1 ms. */
static u64 stage_ms(const struct mhi_watchdog *w)
{
	u64 ticks = (u64)w->preload[w->stage - 1] << (w->config & CONFIG_FAST ? 5 : 15);

	return ticks < PCI_KHZ ? 1 : ticks / PCI_KHZ;
}

/* The timer is the loop's. */
static void begin(struct mhi_watchdog *w, unsigned int stage)
{
	w->stage = stage;
	w->again = true;
	mhi_loop_wake(w->loop, &w->wake);
}

static void begin_first(struct mhi_watchdog *w)
{
	begin(w, w->mode & LOCK_FREE_RUN ? 2 : 1);
}

static void set_status(struct mhi_watchdog *w, bool on)
{
	w->status = on;
	w->pci.port->intx(w->pci.slot, on);
}

/* ---- on the loop ---- */

static void on_wake(void *opaque)
{
	struct mhi_watchdog *w = opaque;

	pthread_mutex_lock(&w->lock);
	w->again = false;
	if (counts(w))
		mhi_timer_set(w->timer, stage_ms(w));
	else
		mhi_timer_stop(w->timer);
	pthread_mutex_unlock(&w->lock);
}

/* Under the lock, which is let go meanwhile. */
static void tell(struct mhi_watchdog *w)
{
	w->telling = true;
	pthread_mutex_unlock(&w->lock);
	w->expired(w->opaque);
	pthread_mutex_lock(&w->lock);
	w->telling = false;
	pthread_cond_signal(&w->told);
}

static void end_stage(struct mhi_watchdog *w)
{
	bool last = w->stage == 2;

	if (!last && !(w->config & CONFIG_INTERRUPT))
		set_status(w, true);
	if (!last || (w->mode & LOCK_FREE_RUN))
		begin(w, 2);
	else
		w->stage = 0;
	if (!last || (w->config & CONFIG_NO_OUTPUT))
		return;
	w->timed_out = true;
	tell(w);
}

static void on_timer(void *opaque)
{
	struct mhi_watchdog *w = opaque;

	pthread_mutex_lock(&w->lock);
	/* The guest may have been heard of at the last moment. */
	if (!w->again && counts(w))
		end_stage(w);
	pthread_mutex_unlock(&w->lock);
}

/* ---- registers ---- */

static u64 bar_read(void *opaque, unsigned int bar, u64 offset, unsigned int bytes)
{
	u8 image[BAR_BYTES + sizeof(u64)] = { 0 };
	struct mhi_watchdog *w = opaque;

	pthread_mutex_lock(&w->lock);
	mhi_put_le32(image + R_PRELOAD1, w->preload[0]);
	mhi_put_le32(image + R_PRELOAD2, w->preload[1]);
	image[R_STATUS] = w->status ? STATUS_INTERRUPT : 0;
	mhi_put_le16(image + R_RELOAD, w->timed_out ? RELOAD_TIMED_OUT : 0);
	pthread_mutex_unlock(&w->lock);
	return mhi_get_le64(image + offset);
}

static bool is_unlocking(struct mhi_watchdog *w, u64 offset, u32 value)
{
	if (offset == R_RELOAD && value == UNLOCK_FIRST)
		w->unlock = 1;
	else if (offset == R_RELOAD && value == UNLOCK_SECOND && w->unlock == 1)
		w->unlock = 2;
	else
		return false;
	return true;
}

static void reload(struct mhi_watchdog *w, u32 value)
{
	if (value & RELOAD_TIMED_OUT)
		w->timed_out = false;
	if ((value & RELOAD_NOW) && (w->mode & LOCK_ENABLE))
		begin_first(w);
}

static void register_write(struct mhi_watchdog *w, u64 offset, unsigned int bytes, u32 value)
{
	bool unlocked;

	if (offset == R_STATUS) {
		if ((value & STATUS_INTERRUPT) && w->status)
			set_status(w, false);
		return;
	}
	if (is_unlocking(w, offset, value))
		return;
	unlocked = w->unlock == 2;
	w->unlock = 0;
	if (!unlocked)
		return;
	if (offset == R_RELOAD)
		reload(w, value);
	else if (bytes == 4 && (offset == R_PRELOAD1 || offset == R_PRELOAD2))
		w->preload[offset / 4] = value & PRELOAD_MASK;
}

static void bar_write(void *opaque, unsigned int bar, u64 offset, unsigned int bytes, u64 value)
{
	struct mhi_watchdog *w = opaque;

	if (bytes > 4)
		return;
	pthread_mutex_lock(&w->lock);
	register_write(w, offset, bytes, (u32)value);
	pthread_mutex_unlock(&w->lock);
}

static void lock_write(struct mhi_watchdog *w, u8 value)
{
	bool was = w->mode & LOCK_ENABLE;

	if (w->mode & LOCK_LOCKED)
		return;
	w->mode = value;
	if (!was && (value & LOCK_ENABLE))
		begin_first(w);
}

static void regs(void *opaque, u8 *body, bool write)
{
	struct mhi_watchdog *w = opaque;

	pthread_mutex_lock(&w->lock);
	if (write) {
		w->config = body[R_CONFIG];
		lock_write(w, body[R_LOCK]);
	}
	body[R_LOCK] = w->mode;
	pthread_mutex_unlock(&w->lock);
}

/* ---- as a PCI device ---- */

static void power_up(struct mhi_watchdog *w)
{
	w->config = w->mode = 0;
	w->preload[0] = w->preload[1] = PRELOAD_MASK;
	w->unlock = w->stage = 0;
	w->status = false;
}

static void reset(void *opaque)
{
	struct mhi_watchdog *w = opaque;

	pthread_mutex_lock(&w->lock);
	power_up(w);
	pthread_mutex_unlock(&w->lock);
}

/* In a pause the guest cannot be heard of: behind it the stage begins anew. */
static void run(void *opaque, bool on)
{
	struct mhi_watchdog *w = opaque;

	pthread_mutex_lock(&w->lock);
	w->running = on;
	if (on && w->stage)
		begin(w, w->stage);
	while (!on && w->telling)
		pthread_cond_wait(&w->told, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

static const struct mhi_pci_dev_ops pci_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.reset = reset,
	.run = run,
	.regs = regs,
};

/* ---- life ---- */

static void make_timer(void *opaque)
{
	struct mhi_watchdog *w = opaque;

	mhi_timer_create(w->loop, on_timer, w, &w->timer);
}

static void end_timer(void *opaque)
{
	struct mhi_watchdog *w = opaque;

	mhi_loop_cancel(w->loop, &w->wake);
	mhi_timer_destroy(w->timer);
}

int mhi_watchdog_create(struct mhi_loop *loop, void (*expired)(void *opaque), void *opaque,
			struct mhi_watchdog **out)
{
	struct mhi_watchdog *w = calloc(1, sizeof(*w));

	if (!w)
		return MH_ENOMEM;
	w->loop = loop;
	w->expired = expired;
	w->opaque = opaque;
	w->wake = (struct mhi_wake){ .fn = on_wake, .opaque = w };
	w->pci = (struct mhi_pci_dev){
		.ops = &pci_ops,
		.opaque = w,
		.vendor = MHI_WATCHDOG_VENDOR,
		.device = MHI_WATCHDOG_DEVICE,
		.class_code = CLASS_SYSTEM_OTHER,
		.bar = { { .bytes = BAR_BYTES } },
		.regs_at = REGS_AT,
		.regs_bytes = REGS_BYTES,
		.regs_writable = { [R_CONFIG] = CONFIG_INTERRUPT | CONFIG_FAST | CONFIG_NO_OUTPUT,
				   [R_LOCK] = LOCK_LOCKED | LOCK_ENABLE | LOCK_FREE_RUN },
	};
	power_up(w);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->told, NULL);
	mhi_loop_call(loop, make_timer, w);
	if (!w->timer) {
		mhi_watchdog_destroy(w);
		return MH_ENOMEM;
	}
	*out = w;
	return 0;
}

struct mhi_pci_dev *mhi_watchdog_pci(struct mhi_watchdog *w)
{
	return &w->pci;
}

void mhi_watchdog_destroy(struct mhi_watchdog *w)
{
	mhi_loop_call(w->loop, end_timer, w);
	pthread_cond_destroy(&w->told);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

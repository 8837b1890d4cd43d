/* SPDX-License-Identifier: MIT */
/* virtio-console. virtio 1.2, 5.3 "Console Device". */
#include "virtio/console.h"

#include <stdlib.h>

#include "core/le.h"

#define DEVICE_ID 3
#define CLASS_SERIAL 0x078000
#define QUEUE_SIZE 64
#define CHUNK 4096
#define INPUT_BYTES 16384 /* that input may be ahead of the guest */
/* One turn of the loop's thread, which other devices need too: buffers, and bytes of output. */
#define BATCH 32
#define TURN_BYTES (1u << 20)
/* A guest could name all its memory a thousand times in one buffer. */
#define OUTPUT_BYTES (16u << 20)

/* 5.3.2 "Virtqueues". */
#define CONTROL_RX 2
#define CONTROL_TX 3

/* 5.3.3 "Feature bits", 5.3.4 "Device configuration layout". */
#define F_SIZE MHI_BIT(0)
#define F_MULTIPORT MHI_BIT(1)
#define C_COLUMNS 0
#define C_ROWS 2
#define C_PORTS 4
#define CONFIG_BYTES 12

/* 5.3.6.2 "Multiport Device Operation". */
enum {
	DEVICE_READY,
	PORT_ADD,
	PORT_REMOVE,
	PORT_READY,
	CONSOLE_PORT,
	RESIZE,
	PORT_OPEN,
	PORT_NAME,
	EVENTS
};
#define CONTROL_BYTES 8
#define RESIZE_BYTES 4

struct port {
	struct mhi_console_port is; /* (c) */
	bool open;		    /* (m) the guest has it open */
	u32 due;		    /* (m) bit n: event n is to be told */
	u16 columns, rows;	    /* (m) */
	u8 input[INPUT_BYTES];	    /* (m) ring */
	unsigned int first, count;  /* (m) */
	bool starved;		    /* (m) room is to be told */
	bool changed;		    /* (m) opened is to be told */
};

struct console {
	struct mhi_vdev dev;
	unsigned int ports;	/* (c) */
	struct mhi_chain chain; /* (m) the one at hand */
	struct port port[];	/* [ports] */
};

static unsigned int rx_queue(unsigned int port)
{
	return port ? 2 + 2 * port : 0;
}

/* ---- to the guest ---- */

/*
 * The queues are the driver's to fill: what does not fit into a buffer goes into the next. Buffers
 * without room would never end.
 */
static void send_input(struct console *c, unsigned int n)
{
	struct port *p = &c->port[n];
	bool open = p->open || !mhi_vdev_has(&c->dev, F_MULTIPORT);

	for (unsigned int i = 0; open && p->count; i++) {
		unsigned int end = INPUT_BYTES - p->first;
		size_t done;

		if (i == BATCH) {
			mhi_vdev_again(&c->dev, rx_queue(n));
			return;
		}
		if (!mhi_vdev_pop(&c->dev, rx_queue(n), &c->chain))
			return;
		done = mhi_chain_write(&c->chain, 0, p->input + p->first,
				       p->count < end ? p->count : end);
		mhi_vdev_push(&c->dev, rx_queue(n), c->chain.id, (u32)done);
		mhi_vdev_count(&c->dev, done, 0);
		p->first = (p->first + (unsigned int)done) % INPUT_BYTES;
		p->count -= (unsigned int)done;
	}
}

static size_t control_message(const struct port *p, unsigned int n, unsigned int event, u8 *buf)
{
	mhi_put_le32(buf, n);
	mhi_put_le16(buf + 4, (u16)event);
	mhi_put_le16(buf + 6, 1);
	if (event == RESIZE) {
		mhi_put_le16(buf + CONTROL_BYTES, p->columns);
		mhi_put_le16(buf + CONTROL_BYTES + 2, p->rows);
		return CONTROL_BYTES + RESIZE_BYTES;
	}
	if (event == PORT_NAME) {
		/* Without the final zero, as Linux expects it. */
		memcpy(buf + CONTROL_BYTES, p->is.name, strlen(p->is.name));
		return CONTROL_BYTES + strlen(p->is.name);
	}
	return CONTROL_BYTES;
}

/* Tells what is due, as long as the driver has given buffers for it. */
static void send_control(struct console *c)
{
	u8 buf[CONTROL_BYTES + MHI_CONSOLE_NAME];

	for (unsigned int n = 0; n < c->ports; n++) {
		struct port *p = &c->port[n];

		while (p->due && mhi_vdev_pop(&c->dev, CONTROL_RX, &c->chain)) {
			unsigned int event = (unsigned int)__builtin_ctz(p->due);
			size_t bytes = control_message(p, n, event, buf);

			bytes = mhi_chain_write(&c->chain, 0, buf, bytes);
			mhi_vdev_push(&c->dev, CONTROL_RX, c->chain.id, (u32)bytes);
			p->due &= p->due - 1;
		}
	}
}

/* ---- from the guest ---- */

static void on_control(struct console *c, const u8 *message)
{
	u32 n = mhi_get_le32(message);
	u16 event = mhi_get_le16(message + 4), value = mhi_get_le16(message + 6);

	if (event == DEVICE_READY) {
		for (n = 0; value && n < c->ports; n++)
			c->port[n].due |= (u32)MHI_BIT(PORT_ADD);
		return;
	}
	if (n >= c->ports) {
		mhi_vdev_complain(&c->dev, "a control message for a port that does not exist");
		return;
	}
	if (event == PORT_READY && value) {
		struct port *p = &c->port[n];

		p->due |= (u32)MHI_BIT(PORT_OPEN);
		if (p->is.name[0])
			p->due |= (u32)MHI_BIT(PORT_NAME);
		else
			p->due |= (u32)(MHI_BIT(CONSOLE_PORT) | MHI_BIT(RESIZE));
		if (!p->columns)
			p->due &= (u32)~MHI_BIT(RESIZE);
	} else if (event == PORT_OPEN) {
		c->port[n].open = value != 0;
		if (c->port[n].is.opened) {
			c->port[n].changed = true;
			c->port[n].count = 0;
		}
		if (value)
			mhi_vdev_kick(&c->dev, rx_queue(n));
	}
}

static void take_control(struct console *c)
{
	u8 message[CONTROL_BYTES];

	for (unsigned int n = 0; n < BATCH; n++) {
		if (!mhi_vdev_pop(&c->dev, CONTROL_TX, &c->chain))
			return;
		if (mhi_chain_read(&c->chain, 0, message, sizeof(message)) == sizeof(message))
			on_control(c, message);
		mhi_vdev_push(&c->dev, CONTROL_TX, c->chain.id, 0);
	}
	mhi_vdev_again(&c->dev, CONTROL_TX);
}

/* What the port's owner is to be told, without the lock. */
static void tell_owner(struct console *c, struct port *p)
{
	bool room = p->starved && p->count <= INPUT_BYTES / 2, changed = p->changed, open = p->open;

	if (!room && !changed)
		return;
	p->starved = p->starved && !room;
	p->changed = false;
	mhi_vdev_hold(&c->dev);
	mhi_vdev_leave(&c->dev);
	if (changed)
		p->is.opened(p->is.opaque, open);
	if (room)
		p->is.room(p->is.opaque);
	mhi_vdev_enter(&c->dev);
	mhi_vdev_release(&c->dev);
}

/*
 * The receiver is called without the lock, and may do what a callback may; the chain is in flight
 * meanwhile. Returns how many bytes there were.
 */
static u64 output(struct console *c, const struct port *p)
{
	u8 bytes[CHUNK];
	u64 done = 0;
	size_t n;

	if (!p->is.output)
		return 0;
	if (c->chain.out_bytes > OUTPUT_BYTES) {
		mhi_vdev_complain(&c->dev, "a buffer of more than 16 MiB for a port");
		return 0;
	}
	mhi_vdev_hold(&c->dev);
	while ((n = mhi_chain_read(&c->chain, done, bytes, sizeof(bytes)))) {
		done += n;
		mhi_vdev_leave(&c->dev);
		p->is.output(p->is.opaque, bytes, n);
		mhi_vdev_enter(&c->dev);
	}
	mhi_vdev_release(&c->dev);
	return done;
}

static void take_output(struct console *c, unsigned int n, unsigned int q)
{
	u64 bytes = 0;

	for (unsigned int i = 0; i < BATCH && bytes < TURN_BYTES; i++) {
		struct mhi_chain_id id;
		size_t done;

		if (!mhi_vdev_pop(&c->dev, q, &c->chain))
			return;
		id = c->chain.id;
		done = output(c, &c->port[n]);
		mhi_vdev_push(&c->dev, q, id, 0);
		mhi_vdev_count(&c->dev, 0, done);
		bytes += done;
	}
	mhi_vdev_again(&c->dev, q);
}

static void console_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct console *c = dev->model;
	unsigned int n = q < CONTROL_RX ? 0 : q / 2 - 1;

	if (q == CONTROL_TX)
		take_control(c);
	if (q == CONTROL_RX || q == CONTROL_TX) {
		send_control(c);
		for (n = 0; n < c->ports; n++)
			tell_owner(c, &c->port[n]);
	} else if (q & 1) {
		take_output(c, n, q);
	} else {
		send_input(c, n);
		tell_owner(c, &c->port[n]);
	}
}

/* ---- the host's side ---- */

unsigned int mhi_console_ports(const struct mhi_vdev *dev)
{
	return ((const struct console *)dev->model)->ports;
}

size_t mhi_console_input(struct mhi_vdev *dev, unsigned int port, const void *data, size_t bytes)
{
	struct console *c = dev->model;
	struct port *p = &c->port[port];
	const u8 *from = data;

	pthread_mutex_lock(&dev->lock);
	if (bytes > INPUT_BYTES - p->count) {
		bytes = INPUT_BYTES - p->count;
		p->starved = p->is.room != NULL;
	}
	for (size_t i = 0; i < bytes; i++)
		p->input[(p->first + p->count++) % INPUT_BYTES] = from[i];
	pthread_mutex_unlock(&dev->lock);
	if (bytes)
		mhi_vdev_kick(dev, rx_queue(port));
	return bytes;
}

void mhi_console_resize(struct mhi_vdev *dev, unsigned int port, u16 columns, u16 rows)
{
	struct console *c = dev->model;

	pthread_mutex_lock(&dev->lock);
	c->port[port].columns = columns;
	c->port[port].rows = rows;
	if (port == 0) {
		mhi_put_le16(dev->config + C_COLUMNS, columns);
		mhi_put_le16(dev->config + C_ROWS, rows);
		mhi_vdev_config_changed(dev);
	}
	if (mhi_vdev_has(dev, F_MULTIPORT) && !c->port[port].is.name[0])
		c->port[port].due |= (u32)MHI_BIT(RESIZE);
	pthread_mutex_unlock(&dev->lock);
	if (dev->vqs > CONTROL_RX)
		mhi_vdev_kick(dev, CONTROL_RX);
}

/* ---- life ---- */

static void console_reset(struct mhi_vdev *dev)
{
	struct console *c = dev->model;

	for (unsigned int n = 0; n < c->ports; n++) {
		c->port[n].open = false;
		c->port[n].due = 0;
	}
}

static void console_destroy(struct mhi_vdev *dev)
{
	mhi_vdev_fini(dev);
	free(dev->model);
}

static const struct mhi_vdev_ops console_ops = {
	.name = "virtio-console",
	.id = DEVICE_ID,
	.class_code = CLASS_SERIAL,
	.kick = console_kick,
	.reset = console_reset,
	.destroy = console_destroy,
};

int mhi_console_create(const struct mhi_vdev_env *env, const struct mhi_console_port *port,
		       unsigned int ports, struct mhi_vdev **out)
{
	struct console *c = calloc(1, sizeof(*c) + ports * sizeof(c->port[0]));
	bool multiport = ports > 1 || port[0].name[0];
	unsigned int vqs = multiport ? 2 * (ports + 1) : 2;
	u16 sizes[2 * (MHI_CONSOLE_PORTS_MAX + 1)];

	if (!c)
		return MH_ENOMEM;
	c->ports = ports;
	for (unsigned int n = 0; n < ports; n++)
		c->port[n].is = port[n];
	for (unsigned int q = 0; q < vqs; q++)
		sizes[q] = QUEUE_SIZE;
	c->dev.ops = &console_ops;
	c->dev.model = c;
	c->dev.env = *env;
	c->dev.offered = F_SIZE | (multiport ? F_MULTIPORT : 0);
	c->dev.config_bytes = CONFIG_BYTES;
	mhi_put_le32(c->dev.config + C_PORTS, ports);
	if (mhi_vdev_init(&c->dev, sizes, vqs)) {
		free(c);
		return MH_ENOMEM;
	}
	*out = &c->dev;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* What agents are reached by: a port of a console device, a serial port, a socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/agent_impl.h"
#include "virtio/console.h"

#define PORT_NAME "org.macrohard.agent.0"
/* More than a guest can write before the loop has a turn; what is beyond is lost. */
#define SERIAL_BYTES_MAX (1u << 20)
#define SERIAL_BYTES_FIRST 4096u
/* A serial port does not say when it has room again. */
#define SERIAL_RETRY_MS 10
/* One turn of the loop's thread, which others need too. */
#define SOCKET_CHUNK 16384
#define SOCKET_CHUNKS 16

static void receive(struct mh_agent *agent, const void *data, size_t bytes)
{
	if (!agent->session)
		return;
	mhi_agent_receive(agent->session, data, bytes);
	mhi_agent_tick_on(agent);
}

/* ---- a console device's port ---- */

static void on_output(void *opaque, const void *data, size_t bytes)
{
	receive(opaque, data, bytes);
}

static void on_room(void *opaque)
{
	struct mh_agent *agent = opaque;

	if (agent->session)
		mhi_agent_room(agent->session);
}

static void on_opened(void *opaque, bool open)
{
	struct mh_agent *agent = opaque;

	if (agent->session)
		mhi_agent_cut(agent->session, open ? "the guest has opened its port anew"
						   : "the guest has closed its port");
}

static int make_port(struct mh_dev *dev, struct mh_agent *agent)
{
	struct mhi_console_port port = { .name = PORT_NAME,
					 .output = on_output,
					 .opaque = agent,
					 .room = on_room,
					 .opened = on_opened };
	int rc = mhi_dev_check_flags(dev, agent->flags, MH_AGENT_NO_MOUNT | MH_AGENT_NO_TIME);

	if (rc)
		return rc;
	rc = mhi_console_create(&dev->env, &port, 1, &dev->vdev);
	return rc ? mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc, MHI_NO_MEMORY) : 0;
}

static int check_free(struct mh_vm *vm)
{
	if (vm->agent)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EEXIST,
				   "it has one already; close that first");
	return 0;
}

static int attach_virtio(struct mh_vm *vm, const struct mh_agent_config *config,
			 struct mh_agent **out)
{
	struct mh_agent *agent = NULL;
	struct mh_dev *dev;
	int rc = mhi_dev_begin(vm, "agent", config, sizeof(*config), &dev);

	if (rc)
		return rc;
	rc = check_free(vm);
	if (!rc)
		rc = mhi_agent_make(vm->ctx, vm, config, &agent);
	if (!rc)
		rc = make_port(dev, agent);
	rc = mhi_dev_end(dev, config->flags, rc, &dev);
	if (rc && agent)
		mhi_agent_unmake(agent);
	if (rc)
		return rc;
	agent->dev = dev;
	__atomic_store_n(&vm->agent, agent, __ATOMIC_RELEASE);
	*out = agent;
	return 0;
}

/* ---- a serial port ---- */

/* A vCPU's thread, or a setup's; it must not wait. */
static void on_serial(void *opaque, const void *data, size_t bytes)
{
	struct mh_agent *agent = opaque;
	struct mhi_agent_serial *s = &agent->serial;
	size_t room = s->room ? s->room : SERIAL_BYTES_FIRST;
	u8 *bigger;

	pthread_mutex_lock(&s->lock);
	while (room - s->bytes < bytes)
		room *= 2;
	if (room != s->room && room <= SERIAL_BYTES_MAX) {
		bigger = realloc(s->data, room);
		s->data = bigger ? bigger : s->data;
		s->room = bigger ? room : s->room;
	}
	if (s->room - s->bytes >= bytes) {
		memcpy(s->data + s->bytes, data, bytes);
		s->bytes += bytes;
	} else {
		s->lost = true;
	}
	pthread_mutex_unlock(&s->lock);
	__atomic_fetch_or(&agent->events, (u32)MHI_AGENT_LINE, __ATOMIC_ACQ_REL);
	mhi_loop_wake(agent->loop, &agent->wake);
}

void mhi_agent_line_serial(struct mh_agent *agent)
{
	struct mhi_agent_serial *s = &agent->serial;
	size_t bytes;
	bool lost;
	u8 *data;

	pthread_mutex_lock(&s->lock);
	data = s->data;
	bytes = s->bytes;
	lost = s->lost;
	s->data = NULL;
	s->bytes = s->room = 0;
	s->lost = false;
	pthread_mutex_unlock(&s->lock);
	if (lost)
		mhi_agent_cut(agent->session, "more came on its serial port than could be kept");
	else if (bytes)
		receive(agent, data, bytes);
	free(data);
}

static void on_retry(void *opaque)
{
	struct mh_agent *agent = opaque;

	mhi_agent_room(agent->session);
}

static size_t send_serial(struct mh_agent *agent, const void *data, size_t bytes)
{
	struct mhi_timer **timer = &agent->serial.timer;
	size_t taken = mhi_machine_serial_input(agent->vm->machine, MHI_AGENT_COM, data, bytes);

	/* Without memory for a timer the rest goes with what comes next. */
	if (taken < bytes && (*timer || !mhi_timer_create(agent->loop, on_retry, agent, timer)))
		mhi_timer_set(*timer, SERIAL_RETRY_MS);
	return taken;
}

static int check_serial(struct mh_vm *vm, const struct mh_agent_config *config)
{
	struct mhi_err *err = mhi_ctx_err(vm->ctx);
	u32 unknown = config->flags & ~(MH_AGENT_NO_MOUNT | MH_AGENT_NO_TIME);

	if (!vm->machine)
		return mhi_err_set(err, MH_EINVAL,
				   "a bare VM (MH_VM_BARE) has no place for it; create the VM "
				   "without that flag");
	if (unknown)
		return mhi_err_set(err, MH_EINVAL,
				   "config.flags has unknown bits 0x%x; use those that go with a "
				   "serial port",
				   unknown);
	if (vm->serials & MHI_BIT(MHI_AGENT_COM))
		return mhi_err_set(err, MH_EEXIST,
				   "COM2 is in use; detach its function, or use MH_AGENT_VIRTIO");
	return check_free(vm);
}

static int attach_serial(struct mh_vm *vm, const struct mh_agent_config *config,
			 struct mh_agent **out)
{
	struct mhi_err *err = mhi_ctx_err(vm->ctx);
	struct mh_agent *agent = NULL;
	int rc = mhi_vm_enter_setup(vm, "agent of");

	if (rc)
		return rc;
	rc = check_serial(vm, config);
	if (!rc)
		rc = mhi_agent_make(vm->ctx, vm, config, &agent);
	if (!rc)
		rc = mhi_machine_serial_attach(vm->machine, MHI_AGENT_COM, on_serial, agent, err);
	if (rc) {
		mhi_err_wrap(err, "agent of VM \"%s\"", vm->name);
		if (agent)
			mhi_agent_unmake(agent);
	} else {
		__atomic_store_n(&vm->agent, agent, __ATOMIC_RELEASE);
		*out = agent;
	}
	mhi_vm_leave(vm);
	return rc;
}

int mh_agent_attach(struct mh_vm *vm, const struct mh_agent_config *config, struct mh_agent **out)
{
	const struct mh_agent_config defaults = MH_AGENT_CONFIG_INIT;
	struct mh_agent *agent;
	int rc;

	if (!vm)
		return MH_EINVAL;
	if (!config)
		config = &defaults;
	if (config->size == sizeof(*config) && config->transport == MH_AGENT_SERIAL)
		rc = attach_serial(vm, config, &agent);
	else
		rc = attach_virtio(vm, config, &agent);
	if (!rc && out)
		*out = agent;
	return rc;
}

/* ---- a socket ---- */

static void close_socket(struct mh_agent *agent)
{
	if (agent->fd < 0)
		return;
	mhi_loop_unwatch(agent->watch);
	close(agent->fd);
	agent->fd = -1;
}

static void want(struct mh_agent *agent, bool full)
{
	agent->full = full;
	mhi_watch_events(agent->watch, MHI_WATCH_READ | (full ? MHI_WATCH_WRITE : 0));
}

static size_t send_socket(struct mh_agent *agent, const void *data, size_t bytes)
{
	ssize_t n = -1;

	if (agent->fd >= 0)
		n = send(agent->fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* An error of the socket is also told to who reads from it. */
	if (agent->fd >= 0 && n < (ssize_t)bytes && !agent->full)
		want(agent, true);
	return n < 0 ? 0 : (size_t)n;
}

static void read_socket(struct mh_agent *agent)
{
	u8 data[SOCKET_CHUNK];

	for (unsigned int n = 0; n < SOCKET_CHUNKS && agent->fd >= 0; n++) {
		ssize_t bytes = recv(agent->fd, data, sizeof(data), MSG_DONTWAIT);

		if (bytes > 0) {
			receive(agent, data, (size_t)bytes);
			continue;
		}
		if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		close_socket(agent);
		mhi_agent_cut(agent->session, "the other end has closed the socket");
	}
}

static void on_socket(void *opaque, unsigned int events)
{
	struct mh_agent *agent = opaque;

	if ((events & MHI_WATCH_WRITE) && agent->full) {
		want(agent, false);
		mhi_agent_room(agent->session);
	}
	if (events & MHI_WATCH_READ)
		read_socket(agent);
}

struct open_call {
	struct mh_agent *agent;
	int fd, rc;
};

static void watch_socket(void *opaque)
{
	struct open_call *call = opaque;
	struct mh_agent *agent = call->agent;

	call->rc = mhi_loop_watch(agent->loop, call->fd, MHI_WATCH_READ, on_socket, agent,
				  &agent->watch);
	if (!call->rc)
		agent->fd = call->fd;
}

static int check_socket(struct mh_ctx *ctx, int fd, const struct mh_agent_config *config)
{
	struct mhi_err *err = mhi_ctx_err(ctx);
	socklen_t bytes = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) || type != SOCK_STREAM)
		return mhi_err_set(err, MH_EINVAL,
				   "agent: descriptor %d is no stream socket; pass one that is "
				   "connected",
				   fd);
	if (config->size == sizeof(*config) &&
	    (config->flags & ~(MH_AGENT_NO_MOUNT | MH_AGENT_NO_TIME)))
		return mhi_err_set(err, MH_EINVAL,
				   "agent: config.flags has unknown bits 0x%x; use those that go "
				   "with a socket",
				   config->flags);
	return 0;
}

int mh_agent_open(struct mh_ctx *ctx, int fd, const struct mh_agent_config *config,
		  struct mh_agent **out)
{
	const struct mh_agent_config defaults = MH_AGENT_CONFIG_INIT;
	struct open_call call = { .fd = fd };
	int rc;

	if (!ctx)
		return MH_EINVAL;
	if (!config)
		config = &defaults;
	if (!out)
		return mhi_err_set(mhi_ctx_err(ctx), MH_EINVAL,
				   "agent: out is NULL; pass where the agent goes");
	rc = check_socket(ctx, fd, config);
	if (rc)
		return rc;
	rc = mhi_agent_make(ctx, NULL, config, &call.agent);
	if (rc)
		return mhi_err_wrap(mhi_ctx_err(ctx), "agent");
	mhi_loop_call(call.agent->loop, watch_socket, &call);
	if (call.rc) {
		mhi_agent_unmake(call.agent);
		return mhi_err_set(mhi_ctx_err(ctx), call.rc == MH_ENOMEM ? MH_ENOMEM : MH_EIO,
				   "agent: descriptor %d cannot be watched (%s); pass a connected "
				   "socket",
				   fd, mh_strerror(call.rc));
	}
	pthread_mutex_lock(&ctx->lock);
	ctx->agents++;
	pthread_mutex_unlock(&ctx->lock);
	*out = call.agent;
	return 0;
}

/* ---- whichever it is ---- */

size_t mhi_agent_line_send(void *opaque, const void *data, size_t bytes)
{
	struct mh_agent *agent = opaque;

	if (!agent->vm)
		return send_socket(agent, data, bytes);
	if (agent->transport == MH_AGENT_SERIAL)
		return send_serial(agent, data, bytes);
	return agent->dev ? mhi_console_input(agent->dev->vdev, 0, data, bytes) : 0;
}

/* The guest may start another agent on its port; on a socket there will be none. */
void mhi_agent_line_broken(void *opaque)
{
	close_socket(opaque);
}

void mhi_agent_line_end(struct mh_agent *agent)
{
	close_socket(agent);
}

/* SPDX-License-Identifier: MIT */
/*
 * Shows the windows of an agent that speaks at a socket, with the real library and without a VM.
 * usage: x11-agent-host SOCKET SURFACE WIDTH HEIGHT (descriptors; the surface's pixels follow each
 * other). It ends with its input. With SANDBOX in its environment it does so in the sandbox, which
 * lets it connect nowhere: by a socket that it has dialled before.
 */
#include <macrohard/macrohard.h>
#include <macrohard/sandbox.h>
#include <macrohard/x11.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct host {
	struct mh_ctx *ctx;
	struct mh_agent *agent;
	struct mh_x11 *x11;
	struct mh_x11_seamless *seamless;
	struct mh_x11_clipboard *clipboard;
};

static void tell(void *opaque, int error, const char *text)
{
	printf("%s: %s\n", mh_err_name(error), text);
}

/* Without seccomp it is none, and the rest is tried all the same. */
static int enter_sandbox(struct host *h)
{
	struct mh_sandbox_config config = MH_SANDBOX_CONFIG_INIT;
	struct mh_sandbox_info info = MH_SANDBOX_INFO_INIT;
	int error;

	config.required = 0;
	error = mh_sandbox_enter(h->ctx, &config);
	if (!error)
		error = mh_sandbox_info(h->ctx, &info);
	if (!error && info.active & MH_SANDBOX_SECCOMP &&
	    mh_x11_connect(NULL, &h->x11) != MH_ENOENT) {
		printf("it connects\n");
		return MH_ESTATE;
	}
	return error;
}

static int connect_to_server(struct host *h)
{
	static const struct mh_x11_ops ops = { 1, tell, NULL };
	struct mh_x11_socket socket = MH_X11_SOCKET_INIT;
	struct mh_x11_config config = MH_X11_CONFIG_INIT;
	int error;

	config.ops = &ops;
	if (!getenv("SANDBOX"))
		return mh_x11_connect(&config, &h->x11);
	error = mh_x11_dial(&config, &socket);
	if (!error)
		error = enter_sandbox(h);
	config.socket = &socket;
	if (!error)
		error = mh_x11_connect(&config, &h->x11);
	close(socket.fd);
	return error;
}

static int show(struct host *h, const struct mh_surface *surface)
{
	struct mh_x11_seamless_config windows = MH_X11_SEAMLESS_CONFIG_INIT;
	int error = connect_to_server(h);

	windows.agent = h->agent;
	windows.surface = surface;
	if (!error)
		error = mh_x11_seamless_start(h->x11, &windows, &h->seamless);
	if (!error)
		error = mh_x11_clipboard_start(h->x11, h->agent, NULL, &h->clipboard);
	return error;
}

static int run(struct host *h, int fd, const struct mh_surface *surface)
{
	int error = mh_ctx_create(NULL, &h->ctx);
	char byte;

	if (!error)
		error = mh_agent_open(h->ctx, fd, NULL, &h->agent);
	if (!error)
		error = show(h, surface);
	if (error)
		printf("%s: %s\n", mh_err_name(error), h->ctx ? mh_last_error(h->ctx) : "");
	while (!error && read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	/* The connection takes what is on it along. */
	mh_x11_disconnect(h->x11);
	if (!error)
		error = mh_agent_close(h->agent);
	if (h->ctx)
		mh_ctx_destroy(h->ctx);
	return error;
}

int main(int argc, char **argv)
{
	struct host h = { NULL, NULL, NULL, NULL, NULL };
	struct mh_surface surface = { -1, 0, 0, 0, 0, 0 };
	int status;

	if (argc != 5)
		return 2;
	surface.fd = (int)strtol(argv[2], NULL, 10);
	surface.width = (uint32_t)strtoul(argv[3], NULL, 10);
	surface.height = (uint32_t)strtoul(argv[4], NULL, 10);
	surface.stride = 4 * surface.width;
	surface.bytes = (uint64_t)surface.stride * surface.height;
	status = run(&h, (int)strtol(argv[1], NULL, 10), &surface) ? 1 : 0;
	fflush(stdout);
	/* A sanitizer that looks for leaks now would open files. */
	if (getenv("SANDBOX"))
		_exit(status);
	return status;
}

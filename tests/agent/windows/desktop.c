/* SPDX-License-Identifier: MIT */
/*
 * An embedder that shows the windows of an agent which runs without a VM: usage: desktop PORT-FILE
 * XWD-FILE. It listens on a port, whose number it writes to PORT-FILE, and speaks with the agent
 * that connects; XWD-FILE is where that one's X server keeps its screen (Xvfb -fbdir). Windows and
 * clipboard go to the X server of DISPLAY until standard input ends.
 */
#include <macrohard/macrohard.h>
#include <macrohard/x11.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first words of an XWD file are big-endian numbers (X11's XWDFile.h). */
enum { HEADER_BYTES = 0, WIDTH = 4, HEIGHT = 5, STRIDE = 12, COLOURS = 19 };
#define COLOUR_BYTES 12u

static void check(int is_good, const char *what)
{
	if (is_good)
		return;
	printf("failed: %s\n", what);
	exit(1);
}

static void tell(void *opaque, int error, const char *text)
{
	printf("x11: %s: %s\n", mh_strerror(error), text);
}

static int wait_agent(const char *port_file)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	FILE *file;

	check(s >= 0 && !bind(s, (struct sockaddr *)&a, bytes) && !listen(s, 1) &&
		      !getsockname(s, (struct sockaddr *)&a, &bytes),
	      "listen");
	file = fopen(port_file, "w");
	check(file && fprintf(file, "%u\n", ntohs(a.sin_port)) > 0 && !fclose(file), "port file");
	fd = accept(s, NULL, NULL);
	check(fd >= 0, "accept");
	close(s);
	return fd;
}

static uint32_t word(const uint8_t *header, int n)
{
	uint32_t value;

	memcpy(&value, header + 4 * n, sizeof(value));
	return ntohl(value);
}

static void find_surface(const char *path, struct mh_surface *surface)
{
	uint8_t header[100];
	struct stat stat;

	surface->fd = open(path, O_RDWR | O_CLOEXEC);
	check(surface->fd >= 0 && !fstat(surface->fd, &stat) &&
		      pread(surface->fd, header, sizeof(header), 0) == sizeof(header),
	      path);
	surface->width = word(header, WIDTH);
	surface->height = word(header, HEIGHT);
	surface->stride = word(header, STRIDE);
	surface->offset = word(header, HEADER_BYTES) + word(header, COLOURS) * COLOUR_BYTES;
	surface->bytes = (uint64_t)stat.st_size;
	printf("surface %ux%u, stride %u, offset %u of %u\n", surface->width, surface->height,
	       surface->stride, (unsigned)surface->offset, (unsigned)surface->bytes);
}

static void state(void *opaque, const struct mh_agent_status *status)
{
	printf("agent %s %s\n", status->connected ? "connected" : "lost", status->agent);
}

int main(int argc, char **argv)
{
	static const struct mh_x11_ops ops = { .version = 1, .tell = tell };
	struct mh_x11_seamless_config seamless_config = MH_X11_SEAMLESS_CONFIG_INIT;
	struct mh_agent_config agent_config = MH_AGENT_CONFIG_INIT;
	struct mh_x11_config x11_config = MH_X11_CONFIG_INIT;
	struct mh_surface surface = { 0 };
	struct mh_x11_clipboard *clipboard;
	struct mh_x11_seamless *seamless;
	struct mh_agent *agent;
	struct mh_ctx *ctx;
	struct mh_x11 *x11;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(argc == 3, "usage: desktop PORT-FILE XWD-FILE");
	find_surface(argv[2], &surface);
	agent_config.state = state;
	x11_config.ops = &ops;
	check(!mh_ctx_create(NULL, &ctx), "mh_ctx_create");
	check(!mh_agent_open(ctx, wait_agent(argv[1]), &agent_config, &agent), "mh_agent_open");
	check(!mh_x11_connect(&x11_config, &x11), "mh_x11_connect");
	seamless_config.agent = agent;
	seamless_config.surface = &surface;
	check(!mh_x11_seamless_start(x11, &seamless_config, &seamless), "mh_x11_seamless_start");
	check(!mh_x11_clipboard_start(x11, agent, NULL, &clipboard), "mh_x11_clipboard_start");
	printf("ready\n");
	while (getchar() != EOF)
		;
	mh_x11_clipboard_stop(clipboard);
	mh_x11_seamless_stop(seamless);
	mh_x11_disconnect(x11);
	check(!mh_agent_close(agent), "mh_agent_close");
	mh_ctx_destroy(ctx);
	close(surface.fd);
	return 0;
}

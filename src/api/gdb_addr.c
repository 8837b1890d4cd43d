/* SPDX-License-Identifier: MIT */
/* Where a GDB stub listens: "unix:PATH", "tcp:[HOST:]PORT" on the loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/gdb.h"

#define FORMS "give unix:PATH or tcp:[HOST:]PORT"
#define HOST_BYTES 64

static int failed(struct mhi_err *err, const char *address)
{
	int error = errno;
	int code = error == EADDRINUSE			 ? MH_EBUSY
		   : error == EACCES || error == EPERM	 ? MH_EPERM
		   : error == EMFILE || error == ENFILE	 ? MH_ENOMEM
		   : error == ENOENT || error == ENOTDIR ? MH_EINVAL
		   : error == EADDRNOTAVAIL		 ? MH_EINVAL
							 : MH_EIO;

	return mhi_err_set(err, code, "cannot listen on %s: %s; %s", address, strerror(error),
			   error == EADDRINUSE ? "choose another, or remove what is left there"
			   : code == MH_ENOMEM ? "close files or raise the limit (ulimit -n)"
					       : "choose another address, or correct this one");
}

static int listen_on(struct mhi_gdb_stub *g, int family, const void *sa, socklen_t bytes)
{
	int one = 1;

	g->listen = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (g->listen < 0)
		return -1;
	if (family != AF_UNIX)
		setsockopt(g->listen, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(g->listen, sa, bytes);
}

static int open_unix(struct mhi_gdb_stub *g, const char *path, struct mhi_err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (!*path || strlen(path) >= sizeof(sa.sun_path))
		return mhi_err_set(err, MH_EINVAL, "the path of a UNIX socket has 1 to %zu bytes",
				   sizeof(sa.sun_path) - 1);
	memcpy(sa.sun_path, path, strlen(path));
	g->path = strdup(path);
	if (!g->path)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	if (listen_on(g, AF_UNIX, &sa, sizeof(sa))) {
		/* What is there is not ours to remove. */
		free(g->path);
		g->path = NULL;
		return failed(err, path);
	}
	/* Nobody can have connected: it does not listen yet. */
	return chmod(path, 0600) || listen(g->listen, 1) ? failed(err, path) : 0;
}

/* "HOST:PORT", "[HOST]:PORT" or "PORT". */
static bool split(const char *text, char host[HOST_BYTES], unsigned long *port)
{
	const char *colon = strrchr(text, ':'), *digits = colon ? colon + 1 : text;
	size_t bytes = colon ? (size_t)(colon - text) : 0;
	char *end;

	if (bytes >= 2 && *text == '[' && text[bytes - 1] == ']') {
		text++;
		bytes -= 2;
	}
	if (bytes >= HOST_BYTES || *digits < '0' || *digits > '9')
		return false;
	memcpy(host, text, bytes);
	host[bytes] = '\0';
	*port = strtoul(digits, &end, 10);
	return !*end && *port <= UINT16_MAX;
}

static int open_tcp(struct mhi_gdb_stub *g, const char *text, struct mhi_err *err)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	socklen_t bytes = sizeof(in6);
	char host[HOST_BYTES];
	unsigned long port;
	bool six;

	if (!split(text, host, &port))
		return mhi_err_set(err, MH_EINVAL, "'%s' is no port: " FORMS, text);
	six = strchr(host, ':') != NULL;
	in.sin_port = in6.sin6_port = htons((u16)port);
	if (six ? inet_pton(AF_INET6, host, &in6.sin6_addr) != 1
		: inet_pton(AF_INET, *host ? host : "127.0.0.1", &in.sin_addr) != 1)
		return mhi_err_set(err, MH_EINVAL, "'%s' is no numeric address", host);
	/* Who connects has the guest: that is not for a network. */
	if (six ? !IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr)
		: ntohl(in.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return mhi_err_set(err, MH_EINVAL,
				   "'%s' is not this machine's loopback; from elsewhere come by "
				   "ssh -L",
				   host);
	if (six ? listen_on(g, AF_INET6, &in6, sizeof(in6))
		: listen_on(g, AF_INET, &in, sizeof(in)))
		return failed(err, text);
	if (listen(g->listen, 1) || getsockname(g->listen, (struct sockaddr *)&in6, &bytes))
		return failed(err, text);
	/* At the same place in both families. */
	g->port = ntohs(in6.sin6_port);
	return 0;
}

int mhi_gdb_open(struct mhi_gdb_stub *g, const char *address, struct mhi_err *err)
{
	if (!strncmp(address, "unix:", 5))
		return open_unix(g, address + 5, err);
	if (!strncmp(address, "tcp:", 4))
		return open_tcp(g, address + 4, err);
	return mhi_err_set(err, MH_EINVAL, "'%s' is no address: " FORMS, address);
}

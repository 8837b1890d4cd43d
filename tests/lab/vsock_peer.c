/* SPDX-License-Identifier: MIT */
/*
 * One end of a connection, in a guest or on its host: sends a pattern while it receives one, each
 * with its end, and looks at every byte.
 *
 * usage: vsock_peer [-q] [-l] [-n N] [-w] ADDRESS SEND RECEIVE      (bytes)
 *   ADDRESS  vsock:CID:PORT, unix:PATH, or unix:PATH:PORT ("CONNECT PORT" is said first)
 *   -q       SOCK_SEQPACKET, by messages of many sizes; else SOCK_STREAM
 *   -l       listen there, and take one connection; -n: so many, at once
 *   -w       send when the other end has sent all, not before
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define MESSAGE_MAX 60000u

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_vm vm;
	} a;
	socklen_t bytes;
	const char *port; /* of unix:PATH:PORT */
};

static char buffer[1 << 17];

static void die(const char *what)
{
	fprintf(stderr, "vsock_peer: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void parse(char *text, struct address *to)
{
	char *rest = strchr(text, ':'), *port;

	memset(to, 0, sizeof(*to));
	if (!rest)
		die("no address");
	*rest++ = '\0';
	port = strchr(rest, ':');
	if (port)
		*port++ = '\0';
	if (!strcmp(text, "vsock") && port) {
		to->a.vm.svm_family = AF_VSOCK;
		to->a.vm.svm_cid = (unsigned int)strtoll(rest, NULL, 10);
		to->a.vm.svm_port = (unsigned int)strtoul(port, NULL, 10);
		to->bytes = sizeof(to->a.vm);
		return;
	}
	if (strlen(rest) >= sizeof(to->a.un.sun_path))
		die("path");
	to->a.un.sun_family = AF_UNIX;
	memcpy(to->a.un.sun_path, rest, strlen(rest));
	to->bytes = sizeof(to->a.un);
	to->port = port;
}

/* Says which port it wants, and reads the answer's line. */
static void ask(int fd, const char *port)
{
	char line[64], c;
	int n = snprintf(line, sizeof(line), "CONNECT %s\n", port);

	if (write(fd, line, (size_t)n) != n)
		die("CONNECT");
	for (n = 0; n < (int)sizeof(line) - 1; n++) {
		if (read(fd, &c, 1) != 1)
			die("no answer to CONNECT");
		line[n] = c;
		if (c == '\n')
			break;
	}
	line[n] = '\0';
	if (strncmp(line, "OK ", 3))
		die(line);
}

/* Each connection but the last one is a child's; the others' ends are waited for by main. */
static int take(int listener, int count)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (!--count || !fork())
			break;
		close(fd);
	}
	if (fd < 0)
		die("accept");
	close(listener);
	return fd;
}

static int reach(const struct address *to, int type, int count)
{
	int fd = socket(to->a.any.sa_family, type, 0);

	if (fd < 0)
		die("socket");
	if (!count) {
		if (connect(fd, &to->a.any, to->bytes))
			die("connect");
		if (to->port)
			ask(fd, to->port);
		return fd;
	}
	if (bind(fd, &to->a.any, to->bytes) || listen(fd, 8))
		die("listen");
	printf("vsock_peer: listening\n");
	fflush(stdout);
	return take(fd, count);
}

static char pattern(uint32_t i)
{
	return (char)(i * 2654435761u >> 21);
}

/* How long the message is that starts at i. */
static size_t message(uint32_t i, uint32_t left)
{
	uint32_t n = 1 + i * 2654435761u % MESSAGE_MAX;

	return n < left ? n : left;
}

static void send_all(int fd, int type, uint32_t bytes)
{
	for (uint32_t at = 0; at < bytes;) {
		size_t n = message(at, bytes - at);
		ssize_t done;

		for (size_t i = 0; i < n; i++)
			buffer[i] = pattern(at + (uint32_t)i);
		done = send(fd, buffer, n, MSG_NOSIGNAL);
		if (done <= 0 || (type == SOCK_SEQPACKET && (size_t)done != n))
			die("send");
		at += (uint32_t)done;
	}
	if (shutdown(fd, SHUT_WR))
		die("shutdown");
}

static void receive_all(int fd, int type, uint32_t bytes)
{
	uint32_t at = 0;
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		if ((uint32_t)n > bytes - at ||
		    (type == SOCK_SEQPACKET && (size_t)n != message(at, bytes - at))) {
			errno = EMSGSIZE;
			die("more than there should be");
		}
		for (ssize_t i = 0; i < n; i++) {
			if (buffer[i] != pattern(at + (uint32_t)i)) {
				errno = EILSEQ;
				die("a wrong byte");
			}
		}
		at += (uint32_t)n;
	}
	if (n < 0 || at != bytes)
		die("receive");
}

int main(int argc, char **argv)
{
	int type = SOCK_STREAM, count = 0, later = 0, option, fd, status;
	struct address to;
	uint32_t out, in;

	while ((option = getopt(argc, argv, "qln:w")) != -1) {
		type = option == 'q' ? SOCK_SEQPACKET : type;
		later |= option == 'w';
		if (option == 'l')
			count = 1;
		if (option == 'n')
			count = (int)strtol(optarg, NULL, 10);
	}
	if (argc - optind != 3)
		return 2;
	parse(argv[optind], &to);
	out = (uint32_t)strtoul(argv[optind + 1], NULL, 10);
	in = (uint32_t)strtoul(argv[optind + 2], NULL, 10);
	fd = reach(&to, type, count);
	if (!later && !fork()) {
		send_all(fd, type, out);
		_exit(0);
	}
	receive_all(fd, type, in);
	if (later)
		send_all(fd, type, out);
	/* The sender, and who had other connections. */
	while (wait(&status) > 0)
		if (status)
			die("another process failed");
	printf("vsock_peer: %u bytes sent, %u received\n", out, in);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * What packets cost between a guest and its host.
 * usage: bench_net serve         on the host
 *        bench_net ADDRESS       in the guest
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

#define PORT 7007
#define ROUNDS 500u
#define BUFFER (16u << 10)
#define KIB 4096u /* of a bulk transfer */

/* The first byte of a connection says what it is for. */
enum { WORD_ECHO = 'e', WORD_SINK = 's', WORD_SOURCE = 'g' };

static uint8_t buffer[BUFFER];

static int make(int type)
{
	int fd = socket(AF_INET, type, 0), on = 1;

	if (fd < 0)
		bench_fatal("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	if (text && inet_pton(AF_INET, text, &to.sin_addr) != 1)
		bench_fatal(text);
	return to;
}

/* ---- the host's side ---- */

static void serve_datagrams(const struct sockaddr_in *at)
{
	struct sockaddr_in from;
	int fd = make(SOCK_DGRAM);

	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)))
		bench_fatal("bind");
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buffer, BUFFER, 0, (struct sockaddr *)&from, &len);

		if (n >= 0)
			sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static void serve_connection(int fd)
{
	unsigned int left = KIB * 1024;
	ssize_t n;
	char word;

	if (read(fd, &word, 1) != 1)
		return;
	if (word == WORD_ECHO)
		while ((n = read(fd, buffer, 1)) > 0 && write(fd, buffer, 1) == 1)
			continue;
	if (word == WORD_SINK) {
		while (left && (n = read(fd, buffer, BUFFER)) > 0)
			left -= (unsigned int)n;
		/* All has arrived. */
		if (write(fd, &word, 1) != 1)
			return;
	}
	if (word == WORD_SOURCE)
		while (left && (n = write(fd, buffer, BUFFER)) > 0)
			left -= (unsigned int)n;
}

static void serve(void)
{
	struct sockaddr_in at = address(NULL);
	int listener = make(SOCK_STREAM);

	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 8))
		bench_fatal("bind");
	if (!fork())
		serve_datagrams(&at);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		serve_connection(fd);
		close(fd);
	}
}

/* ---- the guest's side ---- */

static void udp_rounds(const struct sockaddr_in *to)
{
	int fd = make(SOCK_DGRAM);
	uint64_t begin = 0;

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		bench_fatal("connect");
	for (unsigned int i = 0; i < ROUNDS + ROUNDS / 10; i++) {
		if (i == ROUNDS / 10)
			begin = bench_tsc();
		if (send(fd, buffer, 1, 0) != 1 || recv(fd, buffer, BUFFER, 0) != 1)
			bench_fatal("a datagram");
	}
	bench_report("udp_rr", begin, ROUNDS);
	close(fd);
}

static int dial(const struct sockaddr_in *to, char word)
{
	int fd = make(SOCK_STREAM);

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) || write(fd, &word, 1) != 1)
		bench_fatal("connect");
	return fd;
}

static void tcp_rounds(const struct sockaddr_in *to)
{
	int fd = dial(to, WORD_ECHO);
	uint64_t begin = 0;

	for (unsigned int i = 0; i < ROUNDS + ROUNDS / 10; i++) {
		if (i == ROUNDS / 10)
			begin = bench_tsc();
		if (write(fd, buffer, 1) != 1 || read(fd, buffer, 1) != 1)
			bench_fatal("a byte");
	}
	bench_report("tcp_rr", begin, ROUNDS);
	close(fd);
}

static void tcp_bulk(const struct sockaddr_in *to)
{
	int fd = dial(to, WORD_SINK);
	uint64_t begin = bench_tsc();
	unsigned int left = KIB * 1024;
	ssize_t n = 1;

	while (left && (n = write(fd, buffer, BUFFER)) > 0)
		left -= (unsigned int)n;
	if (n <= 0 || read(fd, buffer, 1) != 1)
		bench_fatal("sending");
	bench_report("tcp_send-kib", begin, KIB);
	close(fd);

	fd = dial(to, WORD_SOURCE);
	begin = bench_tsc();
	left = KIB * 1024;
	while (left && (n = read(fd, buffer, BUFFER)) > 0)
		left -= (unsigned int)n;
	if (left)
		bench_fatal("receiving");
	bench_report("tcp_recv-kib", begin, KIB);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to;

	if (argc != 2)
		return 2;
	if (!strcmp(argv[1], "serve"))
		serve();
	to = address(argv[1]);
	udp_rounds(&to);
	tcp_rounds(&to);
	tcp_bulk(&to);
	return 0;
}

// SPDX-License-Identifier: MIT
/* How the agent for Linux finds a host, and finds it again: by a socket, by a serial line. */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_host.h"

static struct host h;
static char folder[32];

static void start(void)
{
	memset(&h, 0, sizeof(h));
	h.fd = -1;
	snprintf(folder, sizeof(folder), "/tmp/guest-link-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* It ends by itself when it is asked to. */
static void stop(void)
{
	char path[64];
	int status = -1;

	kill(h.pid, SIGTERM);
	ck_assert_int_eq(waitpid(h.pid, &status, 0), h.pid);
	ck_assert_int_eq(status, 0);
	close(h.fd);
	snprintf(path, sizeof(path), "%s/host", folder);
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void run(const char *option, const char *value)
{
	const char *const arguments[] = {
		getenv("AGENT_PROGRAM"), "--without", "desktop", option, value, NULL
	};

	h.pid = host_run(arguments);
}

/* The agent's HELLO; what was said before it does not count. */
static uint32_t hello(void)
{
	h.in_bytes = h.taken = 0;
	return host_expect(&h, MHI_MSG_HELLO)->serial;
}

static void expect_service(uint32_t serial)
{
	struct mhi_msg_welcome welcome = { MHI_AGENT_VERSION, MHI_AGENT_F_INFO, 0 };

	/* One that is not meant for this agent, and a version that it does not know. */
	host_say(&h, MHI_MSG_WELCOME, serial + 1, &welcome);
	welcome.version = 99;
	host_say(&h, MHI_MSG_WELCOME, serial, &welcome);
	host_say(&h, MHI_MSG_GET_INFO, 3, NULL);
	ck_assert_uint_eq(host_next(&h, 60000)->type, MHI_MSG_HELLO);
	welcome.version = MHI_AGENT_VERSION;
	host_say(&h, MHI_MSG_WELCOME, serial, &welcome);
	host_say(&h, MHI_MSG_GET_INFO, 4, NULL);
	ck_assert_uint_eq(host_result(&h, 4), MHI_AGENT_OK);
	host_say(&h, MHI_MSG_EXEC, 5, NULL); /* not agreed on */
	ck_assert_uint_eq(host_result(&h, 5), MHI_AGENT_UNSUPPORTED);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* A host that comes later than the agent, goes, and comes again. */
START_TEST(a_socket)
{
	char path[64];
	uint32_t first, second;
	int listener;

	snprintf(path, sizeof(path), "%s/host", folder);
	run("--connect", path);
	usleep(100000);
	listener = listen_at(path);
	h.fd = accept(listener, NULL, NULL);
	first = hello();
	expect_service(first);
	close(h.fd);
	h.fd = accept(listener, NULL, NULL);
	second = hello();
	ck_assert_uint_ne(first, second);
	expect_service(second);
	host_send(&h, "nonsense", 8);
	ck_assert(host_is_dropped(&h));
	close(h.fd);
	h.fd = accept(listener, NULL, NULL);
	expect_service(hello());
	close(listener);
}
END_TEST

/* On a line there may be anything before the host's answer, and bytes are not a terminal's. */
START_TEST(a_serial_line)
{
	static const char noise[] = "\r\nlogin: \x03\x04\x1a MHA1 MHA1\x02\0\0\0";
	char path[128];
	int line;

	ck_assert_int_eq(openpty(&h.fd, &line, path, NULL, NULL), 0);
	fcntl(h.fd, F_SETFD, FD_CLOEXEC);
	fcntl(line, F_SETFD, FD_CLOEXEC);
	run("--serial", path);
	/* The terminal is raw by now: what is said to it is not echoed. */
	hello();
	host_send(&h, noise, sizeof(noise));
	expect_service(hello());
	close(line);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guest_link");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, a_socket);
	tcase_add_test(tcase, a_serial_line);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return host_tests(suite());
}

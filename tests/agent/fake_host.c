/* SPDX-License-Identifier: MIT */
/* The host of an agent in a test. */
#include "fake_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS 60000
#define ARGUMENTS_MAX 32

uint64_t host_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- processes ---- */

static void exec_agent(const char *program, const char *const arguments[], int fd)
{
	const char *list[ARGUMENTS_MAX] = { program };
	size_t count = 1;
	char number[16];

	while (arguments && arguments[count - 1] && count < ARGUMENTS_MAX - 3) {
		list[count] = arguments[count - 1];
		count++;
	}
	snprintf(number, sizeof(number), "%d", fd);
	list[count++] = "--fd";
	list[count++] = number;
	fcntl(fd, F_SETFD, 0);
	execv(program, (char **)(uintptr_t)list);
	_exit(127);
}

void host_start(struct host *h, const char *program, const char *const arguments[])
{
	struct mhi_msg_welcome welcome = { MHI_AGENT_VERSION, 0, 0 };
	const struct mhi_agent_msg *hello;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	memset(h, 0, sizeof(*h));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	h->fd = fds[0];
	h->pid = fork();
	ck_assert_int_ge(h->pid, 0);
	if (!h->pid)
		exec_agent(program, arguments, fds[1]);
	close(fds[1]);
	hello = host_expect(h, MHI_MSG_HELLO);
	ck_assert_uint_eq(hello->u.hello.version, MHI_AGENT_VERSION);
	h->instance = hello->serial;
	h->features = welcome.features = hello->u.hello.features;
	host_say(h, MHI_MSG_WELCOME, hello->serial, &welcome);
}

int host_stop(struct host *h)
{
	int status = -1;

	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	ck_assert_int_eq(waitpid(h->pid, &status, 0), h->pid);
	free(h->content);
	h->content = NULL;
	return status;
}

pid_t host_run(const char *const arguments[])
{
	pid_t pid = fork();
	int null;

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	if (!getenv("AGENT_TEST_LOUD"))
		dup2(null, 2);
	execvp(arguments[0], (char **)(uintptr_t)arguments);
	_exit(127);
}

void host_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- messages ---- */

void host_send(struct host *h, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	while (bytes) {
		ssize_t n = write(h->fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) /* an agent that was told nonsense may be gone */
			return;
		at += n;
		bytes -= (size_t)n;
	}
}

void host_say(struct host *h, uint32_t type, uint32_t serial, const void *msg)
{
	static const struct mhi_agent_msg empty;
	uint8_t *frame = malloc(MHI_AGENT_FRAME);
	size_t bytes = mhi_agent_encode(frame, MHI_AGENT_FRAME, type, serial, msg ? msg : &empty.u);

	ck_assert_uint_gt(bytes, 0);
	host_send(h, frame, bytes);
	free(frame);
}

/* Returns false: there is none, and there will be none in time. */
static bool read_frame(struct host *h, uint64_t until)
{
	while (mhi_agent_frame(h->in, h->in_bytes) == 0) {
		struct pollfd poll_fd = { .fd = h->fd, .events = POLLIN };
		uint64_t now = host_now_ms();
		ssize_t n;

		if (now > until || poll(&poll_fd, 1, (int)(until - now)) <= 0)
			return false;
		n = read(h->fd, h->in + h->in_bytes, sizeof(h->in) - h->in_bytes);
		if (n <= 0)
			return false;
		h->in_bytes += (size_t)n;
	}
	return true;
}

const struct mhi_agent_msg *host_next(struct host *h, int ms)
{
	uint64_t until = host_now_ms() + (uint64_t)ms;

	for (;;) {
		h->in_bytes -= h->taken;
		memmove(h->in, h->in + h->taken, h->in_bytes);
		h->taken = 0;
		if (!read_frame(h, until))
			return NULL;
		ck_assert_int_gt(mhi_agent_frame(h->in, h->in_bytes), 0);
		h->taken = (size_t)mhi_agent_frame(h->in, h->in_bytes);
		ck_assert_int_eq(mhi_agent_decode(h->in, &h->msg), 0);
		if (h->msg.type != MHI_MSG_PING)
			return &h->msg;
		host_say(h, MHI_MSG_PONG, h->msg.serial, &h->msg.u.ping);
	}
}

const struct mhi_agent_msg *host_expect(struct host *h, uint32_t type)
{
	const struct mhi_agent_msg *m;

	do {
		m = host_next(h, LONG_MS);
		ck_assert_msg(m != NULL, "waited for %s: nothing came", mhi_agent_name(type));
	} while (m->type != type);
	return m;
}

static void collect(struct host *h, const struct mhi_agent_rest *rest)
{
	struct mhi_msg_credit credit = { rest->bytes, 0 };

	h->content = realloc(h->content, h->content_bytes + rest->bytes + 1);
	memcpy(h->content + h->content_bytes, rest->data, rest->bytes);
	h->content_bytes += rest->bytes;
	h->content[h->content_bytes] = 0;
	if (rest->bytes)
		host_say(h, MHI_MSG_CREDIT, h->msg.serial, &credit);
}

uint32_t host_result(struct host *h, uint32_t serial)
{
	const struct mhi_agent_msg *m;

	h->content_bytes = 0;
	do {
		m = host_next(h, LONG_MS);
		ck_assert_msg(m != NULL, "waited for the result of %u: nothing came", serial);
		if (m->serial == serial && m->type == MHI_MSG_DATA)
			collect(h, &m->u.data.data);
	} while (m->type != MHI_MSG_RESULT || m->serial != serial);
	return m->u.result.code;
}

bool host_is_dropped(struct host *h)
{
	uint64_t until = host_now_ms() + LONG_MS;
	struct pollfd poll_fd = { .fd = h->fd, .events = POLLIN };
	uint8_t data[4096];
	ssize_t n = 1;

	while (n > 0 && host_now_ms() < until && poll(&poll_fd, 1, LONG_MS) > 0)
		n = read(h->fd, data, sizeof(data));
	return n <= 0;
}

int host_tests(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

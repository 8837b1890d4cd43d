// SPDX-License-Identifier: MIT
/*
 * The library and our agent for Linux, over a socket on this machine: what both were tested with
 * alone is one protocol.
 */
#include <check.h>
#include <fcntl.h>
#include <macrohard/macrohard.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES (3u << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct {
	uint32_t connected, done, infos, rooms;
	int rc;
	int32_t status;
	uint32_t signal;
	char system[64], os_name[100];
	size_t bytes[3];
	uint64_t size;
} got;
static unsigned char given[FILE_BYTES], back[FILE_BYTES + 1];
static struct mh_ctx *ctx;
static struct mh_agent *agent;
static pid_t peer;
static char folder[] = "/tmp/agent-peer-XXXXXX", path[64];

static void tell(void)
{
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
}

static void wait_for(const uint32_t *what, uint32_t value)
{
	pthread_mutex_lock(&lock);
	while (*what != value)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
}

static void on_state(void *opaque, const struct mh_agent_status *status)
{
	pthread_mutex_lock(&lock);
	got.connected = status->connected;
	memcpy(got.system, status->system, sizeof(got.system));
	tell();
}

static void on_info(void *opaque, int rc, const struct mh_agent_info *info)
{
	pthread_mutex_lock(&lock);
	got.rc = rc;
	if (info)
		strncpy(got.os_name, info->kernel, sizeof(got.os_name) - 1);
	got.infos++;
	tell();
}

static void on_output(void *opaque, uint32_t stream, const void *data, size_t bytes)
{
	ck_assert_uint_le(got.bytes[stream] + bytes, sizeof(back));
	memcpy(back + got.bytes[stream], data, bytes);
	got.bytes[stream] += bytes;
}

static void on_room(void *opaque, size_t bytes)
{
	pthread_mutex_lock(&lock);
	got.rooms++;
	tell();
}

static void on_file(void *opaque, uint32_t mode, uint64_t bytes)
{
	got.size = bytes;
}

static void on_done(void *opaque, int rc, const struct mh_agent_end *end)
{
	pthread_mutex_lock(&lock);
	got.rc = rc;
	got.status = end->status;
	got.signal = end->signal;
	got.done++;
	tell();
}

static const struct mh_agent_transfer_ops ops = { 1, on_output, on_room, on_file, on_done };

static void set_up(void)
{
	struct mh_agent_config config = MH_AGENT_CONFIG_INIT;
	int fds[2];

	memset(&got, 0, sizeof(got));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	peer = fork();
	if (!peer) {
		dup2(fds[1], 9);
		execl(AGENT_PATH, AGENT_PATH, "--fd", "9", "--without", "power,time,mount,desktop",
		      (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	ck_assert_int_eq(mh_ctx_create(NULL, &ctx), 0);
	config.state = on_state;
	ck_assert_int_eq(mh_agent_open(ctx, fds[0], &config, &agent), 0);
	wait_for(&got.connected, 1);
}

static void tear_down(void)
{
	ck_assert_int_eq(mh_agent_close(agent), 0);
	ck_assert_int_eq(mh_ctx_destroy(ctx), 0);
	waitpid(peer, NULL, 0);
}

static uint64_t run(const char *script, uint32_t flags)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct mh_agent_exec_config config = MH_AGENT_EXEC_CONFIG_INIT;
	uint64_t id = 0;

	memset(got.bytes, 0, sizeof(got.bytes));
	got.done = 0;
	config.argv = argv;
	config.flags = flags;
	ck_assert_int_eq(mh_agent_exec(agent, &config, &ops, NULL, &id), 0);
	return id;
}

/* All of given, as fast as it is taken. */
static void feed(uint64_t id)
{
	size_t sent = 0;

	while (sent < FILE_BYTES) {
		uint32_t rooms = got.rooms;
		int n = mh_agent_write(agent, id, given + sent, FILE_BYTES - sent);

		ck_assert_int_ge(n, 0);
		sent += (size_t)n;
		pthread_mutex_lock(&lock);
		while (sent < FILE_BYTES && got.rooms == rooms)
			pthread_cond_wait(&cond, &lock);
		pthread_mutex_unlock(&lock);
	}
	ck_assert_int_eq(mh_agent_write(agent, id, NULL, 0), 0);
}

START_TEST(info_and_refusal)
{
	ck_assert_str_eq(got.system, "linux");
	ck_assert_int_eq(mh_agent_info(agent, on_info, NULL), 0);
	wait_for(&got.infos, 1);
	ck_assert_int_eq(got.rc, 0);
	ck_assert_uint_gt(strlen(got.os_name), 0);
	ck_assert_int_eq(mh_agent_shutdown(agent, MH_AGENT_OFF, NULL, NULL), MH_ENOTSUP);
}
END_TEST

START_TEST(programs)
{
	uint64_t id;

	run("echo out; echo err >&2; exit 5", 0);
	wait_for(&got.done, 1);
	ck_assert_int_eq(got.rc, 0);
	ck_assert_int_eq(got.status, 5);
	ck_assert_uint_eq(got.bytes[1], 4);
	ck_assert_uint_eq(got.bytes[2], 4);
	id = run("exec cat", MH_AGENT_EXEC_INPUT);
	feed(id);
	wait_for(&got.done, 1);
	ck_assert_int_eq(got.rc, 0);
	ck_assert_uint_eq(got.bytes[1], FILE_BYTES);
	ck_assert_mem_eq(back, given, FILE_BYTES);
	id = run("exec sleep 1000", 0);
	ck_assert_int_eq(mh_agent_kill(agent, id, SIGTERM), 0);
	wait_for(&got.done, 1);
	ck_assert_uint_eq(got.signal, SIGTERM);
	/* More than the window, which nobody takes: it ends all the same when it is cancelled. */
	id = run("yes", 0);
	ck_assert_int_eq(mh_agent_hold(agent, id, 1), 0);
	ck_assert_int_eq(mh_agent_cancel(agent, id), 0);
	run("true", 0);
	wait_for(&got.done, 1);
	ck_assert_int_eq(got.rc, 0);
}
END_TEST

START_TEST(files)
{
	struct mh_agent_file file = MH_AGENT_FILE_INIT;
	uint64_t id;

	file.path = path;
	file.bytes = FILE_BYTES;
	ck_assert_int_eq(mh_agent_put(agent, &file, &ops, NULL, &id), 0);
	feed(id);
	wait_for(&got.done, 1);
	ck_assert_int_eq(got.rc, 0);
	ck_assert_int_eq(mh_agent_get(agent, path, &ops, NULL, NULL), 0);
	wait_for(&got.done, 2);
	ck_assert_int_eq(got.rc, 0);
	ck_assert_uint_eq(got.size, FILE_BYTES);
	ck_assert_uint_eq(got.bytes[0], FILE_BYTES);
	ck_assert_mem_eq(back, given, FILE_BYTES);
	ck_assert_int_eq(mh_agent_get(agent, "/none/at/all", &ops, NULL, NULL), 0);
	wait_for(&got.done, 3);
	ck_assert_int_eq(got.rc, MH_ENOENT);
	/* Of a size that is not known; empty. */
	file.bytes = MH_AGENT_UNKNOWN_BYTES;
	ck_assert_int_eq(mh_agent_put(agent, &file, &ops, NULL, &id), 0);
	ck_assert_int_eq(mh_agent_write(agent, id, NULL, 0), 0);
	wait_for(&got.done, 4);
	ck_assert_int_eq(got.rc, 0);
	unlink(path);
}
END_TEST

START_TEST(killed)
{
	run("sleep 1000", 0);
	ck_assert_int_eq(kill(peer, SIGKILL), 0);
	wait_for(&got.done, 1);
	ck_assert_int_eq(got.rc, MH_ESTATE);
	wait_for(&got.connected, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("agent_peer");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	for (size_t n = 0; n < FILE_BYTES; n++)
		given[n] = (unsigned char)(n * 7 + n / 251);
	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	snprintf(path, sizeof(path), "%s/file", folder);
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, info_and_refusal);
	tcase_add_test(tcase, programs);
	tcase_add_test(tcase, files);
	tcase_add_test(tcase, killed);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rmdir(folder);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

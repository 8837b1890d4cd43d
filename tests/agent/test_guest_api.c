// SPDX-License-Identifier: MIT
/*
 * The library and the agents for Linux guests, both ends as they are: an embedder's program, to
 * which a socket stands for a VM, and a desktop beside it, which stands for the guest's.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <macrohard/agent.h>
#include <macrohard/clipboard.h>
#include <macrohard/ctx.h>
#include <macrohard/seamless.h>

#include "desktop.h"

#define BIG (3u << 20)
#define LONG_MS 60000u

/* What callbacks have told, by the thread of the context's devices. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	bool done;
	int rc, status;
	uint8_t *data; /* [BIG] */
	size_t bytes, given;
	char kernel[128];
	uint64_t eyes; /* the window of that title; 0: there is none */
	struct mh_rect rect;
	uint32_t flags, offered;
} told;

static struct desktop d;
static struct mh_ctx *ctx;
static struct mh_agent *agent;
static pid_t daemon_pid, session_pid;
static char desk[100];

/* ---- waiting ---- */

typedef bool so_fn(void);

static void await(so_fn *fn, const char *what)
{
	uint64_t until = host_now_ms() + LONG_MS;
	bool so = false;

	while (!so) {
		ck_assert_msg(host_now_ms() < until, "waited for: %s", what);
		pthread_mutex_lock(&lock);
		so = fn();
		pthread_mutex_unlock(&lock);
		usleep(so ? 0 : 10000);
	}
}

static bool is_done(void)
{
	return told.done;
}

static void begin(void)
{
	pthread_mutex_lock(&lock);
	told.done = false;
	told.bytes = 0;
	pthread_mutex_unlock(&lock);
}

static int wait_done(const char *what)
{
	await(is_done, what);
	return told.rc;
}

static void finish(int rc)
{
	pthread_mutex_lock(&lock);
	told.rc = rc;
	told.done = true;
	pthread_mutex_unlock(&lock);
}

/* ---- callbacks ---- */

static void got_info(void *opaque, int rc, const struct mh_agent_info *info)
{
	if (!rc)
		snprintf(told.kernel, sizeof(told.kernel), "%s", info->kernel);
	finish(rc);
}

static void output(void *opaque, uint32_t stream, const void *data, size_t bytes)
{
	pthread_mutex_lock(&lock);
	if (told.bytes + bytes <= BIG)
		memcpy(told.data + told.bytes, data, bytes);
	told.bytes += bytes;
	pthread_mutex_unlock(&lock);
}

static void transfer_done(void *opaque, int rc, const struct mh_agent_end *end)
{
	told.status = end ? end->status : -1;
	finish(rc);
}

static void got_content(void *opaque, int rc, const void *data, size_t bytes)
{
	if (!rc)
		output(opaque, 0, data, bytes);
	finish(rc);
}

static void window(void *opaque, const struct mh_window *w)
{
	pthread_mutex_lock(&lock);
	if (!strcmp(w->title, "eyes")) {
		told.eyes = w->id;
		told.rect = w->rect;
		told.flags = w->flags;
	}
	pthread_mutex_unlock(&lock);
}

static void window_gone(void *opaque, uint64_t id)
{
	pthread_mutex_lock(&lock);
	if (told.eyes == id)
		told.eyes = 0;
	pthread_mutex_unlock(&lock);
}

static void offered(void *opaque, enum mh_clip_selection selection, uint32_t kinds)
{
	pthread_mutex_lock(&lock);
	if (selection == MH_CLIP_CLIPBOARD)
		told.offered = kinds;
	pthread_mutex_unlock(&lock);
}

static void wanted(void *opaque, enum mh_clip_selection selection, uint32_t kind,
		   struct mh_clip_request *request)
{
	if (kind == MH_CLIP_PNG)
		mh_clipboard_answer(request, told.data, BIG);
	else
		mh_clipboard_answer(request, "from the host", 13);
}

/* ---- the two ends ---- */

static void start_agent(int fd)
{
	char number[16];
	const char *const daemon_arguments[] = {
		getenv("AGENT_PROGRAM"), "--desk", desk, "--fd", number, NULL
	};
	const char *const session_arguments[] = { getenv("AGENT_X11"), "--desk", desk, NULL };

	snprintf(number, sizeof(number), "%d", fd);
	daemon_pid = host_run(daemon_arguments);
	session_pid = host_run(session_arguments);
}

static bool is_connected(void)
{
	struct mh_agent_status status = MH_AGENT_STATUS_INIT;

	return mh_agent_status(agent, &status) == 0 && status.connected;
}

static void start(void)
{
	uint32_t x = 1;
	int fds[2];

	desktop_start(&d);
	snprintf(desk, sizeof(desk), "%s/desk", d.folder);
	told.data = malloc(BIG);
	for (size_t n = 0; n < BIG; n++) {
		x = x * 1664525u + 1013904223u;
		told.data[n] = (uint8_t)(x >> 24);
	}
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	start_agent(fds[1]);
	close(fds[1]);
	ck_assert_int_eq(mh_ctx_create(NULL, &ctx), 0);
	ck_assert_int_eq(mh_agent_open(ctx, fds[0], NULL, &agent), 0);
	await(is_connected, "the agent");
}

static void stop(void)
{
	int status;

	ck_assert_int_eq(mh_agent_close(agent), 0);
	mh_ctx_destroy(ctx);
	ck_assert_int_eq(waitpid(daemon_pid, &status, 0), daemon_pid);
	ck_assert_int_eq(status, 0);
	host_kill(session_pid);
	free(told.data);
	desktop_stop(&d);
}

/* ---- tests ---- */

static const struct mh_agent_transfer_ops transfer_ops = { .version = 1,
							   .output = output,
							   .done = transfer_done };

START_TEST(headless)
{
	static const char *const argv[] = { "sh", "-c", "echo $WORD; exit 7", NULL };
	static const char *const env[] = { "WORD=hello", NULL };
	struct mh_agent_exec_config exec = MH_AGENT_EXEC_CONFIG_INIT;

	begin();
	ck_assert_int_eq(mh_agent_info(agent, got_info, NULL), 0);
	ck_assert_int_eq(wait_done("info"), 0);
	ck_assert_ptr_nonnull(strstr(shell("uname -r"), told.kernel));
	exec.argv = argv;
	exec.env = env;
	begin();
	ck_assert_int_eq(mh_agent_exec(agent, &exec, &transfer_ops, NULL, NULL), 0);
	ck_assert_int_eq(wait_done("a program"), 0);
	ck_assert_int_eq(told.status, 7);
	ck_assert_uint_eq(told.bytes, 6);
	ck_assert(!memcmp(told.data, "hello\n", 6));
}
END_TEST

START_TEST(files)
{
	struct mh_agent_file file = MH_AGENT_FILE_INIT;
	uint8_t *data = malloc(BIG);
	char path[128];
	size_t given = 0;
	uint64_t id, until = host_now_ms() + LONG_MS;

	memcpy(data, told.data, BIG);
	snprintf(path, sizeof(path), "%s/file", d.folder);
	file.path = path;
	file.bytes = BIG;
	begin();
	ck_assert_int_eq(mh_agent_put(agent, &file, &transfer_ops, NULL, &id), 0);
	while (given < BIG && host_now_ms() < until) {
		int n = mh_agent_write(agent, id, data + given, BIG - given);

		ck_assert_int_ge(n, 0);
		given += (size_t)n;
		usleep(n ? 0 : 1000);
	}
	ck_assert_int_eq(mh_agent_write(agent, id, "", 0), 0);
	ck_assert_int_eq(wait_done("a file to be written"), 0);
	begin();
	ck_assert_int_eq(mh_agent_get(agent, path, &transfer_ops, NULL, NULL), 0);
	ck_assert_int_eq(wait_done("a file to be read"), 0);
	ck_assert_uint_eq(told.bytes, BIG);
	ck_assert(!memcmp(told.data, data, BIG));
	begin();
	ck_assert_int_eq(mh_agent_get(agent, "/no/such/file", &transfer_ops, NULL, NULL), 0);
	ck_assert_int_eq(wait_done("no file"), MH_ENOENT);
	free(data);
}
END_TEST

static bool is_there(void)
{
	return told.eyes && told.flags & MH_WINDOW_VISIBLE;
}

static bool is_moved(void)
{
	return told.rect.x == 300 && told.rect.y == 200 && told.rect.width == 250;
}

static bool is_gone(void)
{
	return !told.eyes;
}

START_TEST(windows)
{
	static const struct mh_seamless_ops ops = { .version = 1,
						    .window = window,
						    .gone = window_gone };
	static const char *const eyes[] = { "xeyes", "-title", "eyes", NULL };
	struct mh_rect rect = { 300, 200, 250, 180 };
	pid_t pid = host_run(eyes);

	ck_assert_int_eq(mh_seamless_start(agent, &ops, NULL), 0);
	await(is_there, "the window");
	ck_assert_int_eq(mh_window_configure(agent, told.eyes, &rect), 0);
	await(is_moved, "the window at its place");
	ck_assert_int_eq(mh_window_act(agent, told.eyes, MH_WINDOW_CLOSE), 0);
	await(is_gone, "the window to go");
	ck_assert_int_eq(mh_seamless_stop(agent), 0);
	waitpid(pid, NULL, 0);
}
END_TEST

static bool has_png(void)
{
	return told.offered == MH_CLIP_PNG;
}

/* Both ways: what comes back is what went there. */
START_TEST(clipboard)
{
	static const struct mh_clipboard_ops ops = { .version = 1,
						     .offered = offered,
						     .wanted = wanted };
	uint8_t *data = malloc(BIG);

	memcpy(told.data, "\x89PNG\r\n\x1a\n", 8); /* what is none goes to no host */
	memcpy(data, told.data, BIG);
	ck_assert_int_eq(mh_clipboard_start(agent, NULL, &ops, NULL), 0);
	ck_assert_int_eq(mh_clipboard_offer(agent, MH_CLIP_CLIPBOARD, MH_CLIP_TEXT | MH_CLIP_PNG),
			 0);
	ck_assert_str_eq(shell("for n in $(seq 300); do xclip -o -selection clipboard -t TARGETS "
			       "2>/dev/null | grep -q png && break; sleep 0.2; done; "
			       "xclip -o -selection clipboard"),
			 "from the host");
	shell("xclip -o -selection clipboard -t image/png >%s/png", d.folder);
	shell("xclip -i -selection clipboard -t image/png %s/png >/dev/null 2>&1", d.folder);
	await(has_png, "the guest's offer");
	begin();
	ck_assert_int_eq(mh_clipboard_get(agent, MH_CLIP_CLIPBOARD, MH_CLIP_PNG, got_content, NULL),
			 0);
	ck_assert_int_eq(wait_done("the content"), 0);
	ck_assert_uint_eq(told.bytes, BIG);
	ck_assert(!memcmp(told.data, data, BIG));
	ck_assert_int_eq(mh_clipboard_stop(agent), 0);
	free(data);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guest_api");
	TCase *tcase = tcase_create("all");

	tcase_add_unchecked_fixture(tcase, start, stop);
	tcase_add_test(tcase, headless);
	tcase_add_test(tcase, files);
	tcase_add_test(tcase, windows);
	tcase_add_test(tcase, clipboard);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	if (!desktop_lacks())
		return host_tests(suite());
	printf("%s is not installed (tools/deps --install test)\n", desktop_lacks());
	return 77;
}

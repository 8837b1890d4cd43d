// SPDX-License-Identifier: MIT
/* The agent for Linux, as a host sees it: what needs no desktop. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake_host.h"

#define SERIAL 7u

static struct host h;
static char folder[] = "/tmp/guest-agent-XXXXXX";
static char power_log[64];

static void start(void)
{
	const char *const arguments[] = { "--without", "desktop", "--power", getenv("AGENT_POWER"),
					  NULL };

	host_start(&h, getenv("AGENT_PROGRAM"), arguments);
}

static void stop(void)
{
	ck_assert_int_eq(host_stop(&h), 0);
}

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

START_TEST(info)
{
	const struct mhi_agent_msg *m;
	struct utsname name;

	uname(&name);
	host_say(&h, MHI_MSG_GET_INFO, SERIAL, NULL);
	m = host_expect(&h, MHI_MSG_INFO);
	ck_assert_uint_eq(m->serial, SERIAL);
	ck_assert_str_eq(m->u.info.host_name, name.nodename);
	ck_assert_str_eq(m->u.info.kernel, name.release);
	ck_assert_str_ne(m->u.info.os_name, "");
	ck_assert_uint_gt(m->u.info.uptime_ms, 0);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_OK);
}
END_TEST

/* The program that is run in place of the system's writes what it was called with. */
static void expect_power(uint32_t mode, const char *verb)
{
	struct mhi_msg_shutdown msg = { mode, 0 };
	char text[32] = "";

	unlink(power_log);
	host_say(&h, MHI_MSG_SHUTDOWN, SERIAL, &msg);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_OK);
	for (int n = 0; n < 600 && !strchr(text, '\n'); n++) {
		FILE *file = fopen(power_log, "r");

		if (file && !fgets(text, sizeof(text), file))
			text[0] = 0;
		if (file)
			fclose(file);
		usleep(100000);
	}
	ck_assert_str_eq(text, verb);
}

START_TEST(power)
{
	struct mhi_msg_shutdown nonsense = { 2, 0 };

	expect_power(MHI_AGENT_OFF, "poweroff\n");
	expect_power(MHI_AGENT_REBOOT, "reboot\n");
	host_say(&h, MHI_MSG_SHUTDOWN, SERIAL, &nonsense);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_INVALID);
}
END_TEST

/* No more than what this machine's clock shows anyway is set here. */
START_TEST(clock_is_set)
{
	struct mhi_msg_set_time msg = { UINT64_MAX, 0 };
	struct timespec now;
	uint32_t code;

	host_say(&h, MHI_MSG_SET_TIME, SERIAL, &msg);
	code = host_result(&h, SERIAL);
	ck_assert(code == MHI_AGENT_INVALID || code == MHI_AGENT_DENIED);
	clock_gettime(CLOCK_REALTIME, &now);
	msg.unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	host_say(&h, MHI_MSG_SET_TIME, SERIAL, &msg);
	code = host_result(&h, SERIAL);
	ck_assert(code == MHI_AGENT_OK || code == MHI_AGENT_DENIED);
}
END_TEST

START_TEST(mount_nonsense)
{
	struct mhi_msg_mount msg = { "no-such-share", "not/absolute", 0, 0 };
	struct mhi_msg_unmount gone = { "no-such-share", "", 0 };

	host_say(&h, MHI_MSG_MOUNT, SERIAL, &msg);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_INVALID);
	msg.path = in_folder("mnt/deep");
	host_say(&h, MHI_MSG_MOUNT, SERIAL, &msg);
	ck_assert_uint_ne(host_result(&h, SERIAL), MHI_AGENT_OK);
	host_say(&h, MHI_MSG_UNMOUNT, SERIAL, &gone);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_MISSING);
}
END_TEST

static char out[300000], err[4096];
static size_t out_bytes, err_bytes;
static struct mhi_msg_exec_exit ended;

static void exec_say(uint32_t flags, const char *directory, uint32_t arguments, const char *strings,
		     size_t bytes)
{
	struct mhi_msg_exec msg = {
		flags, directory, "", arguments, { (const uint8_t *)strings, (uint32_t)bytes }, 0
	};

	host_say(&h, MHI_MSG_EXEC, SERIAL, &msg);
}

/* What a program says until its RESULT, which is returned. */
static uint32_t exec_wait(void)
{
	out_bytes = err_bytes = 0;
	memset(&ended, 0, sizeof(ended));
	for (;;) {
		const struct mhi_agent_msg *m = host_next(&h, 60000);

		ck_assert_ptr_nonnull(m);
		ck_assert_uint_eq(m->serial, SERIAL);
		if (m->type == MHI_MSG_DATA && m->u.data.stream == 1) {
			ck_assert_uint_le(out_bytes + m->u.data.data.bytes, sizeof(out) - 1);
			memcpy(out + out_bytes, m->u.data.data.data, m->u.data.data.bytes);
			out_bytes += m->u.data.data.bytes;
		} else if (m->type == MHI_MSG_DATA) {
			ck_assert_uint_le(err_bytes + m->u.data.data.bytes, sizeof(err) - 1);
			memcpy(err + err_bytes, m->u.data.data.data, m->u.data.data.bytes);
			err_bytes += m->u.data.data.bytes;
		} else if (m->type == MHI_MSG_EXEC_EXIT) {
			ended = m->u.exec_exit;
		} else if (m->type == MHI_MSG_RESULT) {
			out[out_bytes] = err[err_bytes] = 0;
			return m->u.result.code;
		}
	}
}

#define EXEC(flags, directory, arguments, strings) \
	exec_say(flags, directory, arguments, strings, sizeof(strings))
#define BOTH (MHI_AGENT_EXEC_OUTPUT | MHI_AGENT_EXEC_ERRORS)

START_TEST(exec_output)
{
	EXEC(BOTH, "/usr", 3, "sh\0-c\0pwd; echo $GREETING >&2; exit 3\0GREETING=hello");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_OK);
	ck_assert_str_eq(out, "/usr\n");
	ck_assert_str_eq(err, "hello\n");
	ck_assert_int_eq(ended.status, 3);
	ck_assert_uint_eq(ended.signal, 0);
	/* Not asked for. */
	EXEC(0, "", 3, "sh\0-c\0echo text; kill -9 $$");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_OK);
	ck_assert_uint_eq(out_bytes, 0);
	ck_assert_uint_eq(ended.signal, SIGKILL);
}
END_TEST

START_TEST(exec_refused)
{
	static char many[2 * 5000];

	EXEC(BOTH, "", 1, "/no/such/program");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_MISSING);
	EXEC(BOTH, "/no/such/folder", 1, "true");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_MISSING);
	EXEC(BOTH, "", 1, "/etc/passwd");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_DENIED);
	EXEC(BOTH, "", 0, "true");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_INVALID);
	EXEC(BOTH, "", 3, "true\0x");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_INVALID);
	EXEC(BOTH, "", 1, "true\0no-assignment");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_INVALID);
	EXEC(BOTH, "", 0xffffffffu, "true");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_INVALID);
	exec_say(BOTH, "", 1, "true", 4); /* no final zero */
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_INVALID);
	memset(many, 'a', sizeof(many));
	for (size_t n = 1; n < sizeof(many); n += 2)
		many[n] = 0;
	exec_say(BOTH, "", 5000, many, sizeof(many));
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_INVALID);
	EXEC(BOTH, "", 1, "");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_INVALID);
}
END_TEST

static void input(const void *data, size_t bytes)
{
	struct mhi_msg_data msg = { 0, { data, (uint32_t)bytes }, 0 };

	host_say(&h, MHI_MSG_DATA, SERIAL, &msg);
}

START_TEST(exec_input)
{
	EXEC(BOTH | MHI_AGENT_EXEC_INPUT, "", 2, "tr\0a-z");
	input("", 0);
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_OK);
	ck_assert_int_eq(ended.status, 1);
	EXEC(BOTH | MHI_AGENT_EXEC_INPUT, "", 3, "tr\0a-z\0A-Z");
	input("some ", 5);
	input("input", 5);
	input("", 0);
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_OK);
	ck_assert_str_eq(out, "SOME INPUT");
	/* One that does not read it: it is dropped, and its credit comes back. */
	EXEC(MHI_AGENT_EXEC_INPUT, "", 3, "sh\0-c\0exec <&-; sleep 1");
	for (int n = 0; n < 8; n++)
		input(out, 32768);
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_OK);
}
END_TEST

/* More than the credit is not sent until there is more of it, and the program waits for that. */
START_TEST(exec_credit)
{
	static const char strings[] = "head\0-c\0"
				      "280000\0/dev/zero";
	struct mhi_msg_credit credit = { 1000000, 0 };
	const struct mhi_agent_msg *m;
	size_t got = 0;

	EXEC(BOTH, "", 4, strings);
	while (got < MHI_AGENT_WINDOW_BYTES) {
		m = host_expect(&h, MHI_MSG_DATA);
		ck_assert_uint_le(m->u.data.data.bytes, 32768);
		got += m->u.data.data.bytes;
	}
	ck_assert_uint_eq(got, MHI_AGENT_WINDOW_BYTES);
	ck_assert_ptr_null(host_next(&h, 1500));
	host_say(&h, MHI_MSG_CREDIT, SERIAL, &credit);
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_OK);
	ck_assert_uint_eq(out_bytes, 280000 - MHI_AGENT_WINDOW_BYTES);
	ck_assert_int_eq(ended.status, 0);
}
END_TEST

/* Who is left of a program's may keep its pipes open, but not for ever. */
START_TEST(exec_left_behind)
{
	EXEC(BOTH, "", 3, "sh\0-c\0sleep 30 & echo started");
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_OK);
	ck_assert_str_eq(out, "started\n");
	ck_assert_int_eq(ended.status, 0);
}
END_TEST

START_TEST(exec_kill)
{
	struct mhi_msg_exec_kill msg = { SIGTERM, 0 };
	uint32_t serial = SERIAL;

	EXEC(BOTH, "", 3, "sh\0-c\0echo up; sleep 1000");
	host_expect(&h, MHI_MSG_DATA);
	host_say(&h, MHI_MSG_EXEC_KILL, serial, &msg);
	ck_assert_uint_eq(exec_wait(), MHI_AGENT_OK);
	ck_assert_uint_eq(ended.signal, SIGTERM);
	EXEC(BOTH, "", 3, "sh\0-c\0echo up; sleep 1000");
	host_expect(&h, MHI_MSG_DATA);
	host_say(&h, MHI_MSG_CANCEL, serial, NULL);
	ck_assert_uint_eq(host_result(&h, serial), MHI_AGENT_CANCELLED);
	host_say(&h, MHI_MSG_CANCEL, serial, NULL); /* as it may cross with its end */
	host_say(&h, MHI_MSG_EXEC_KILL, serial, &msg);
	input("x", 1);
}
END_TEST

/* A host that is gone wants nothing any more. */
START_TEST(exec_ends_with_host)
{
	pid_t pid;
	int n;

	EXEC(BOTH, "", 3, "sh\0-c\0echo $$; exec sleep 1000");
	host_expect(&h, MHI_MSG_DATA);
	pid = (pid_t)strtol((const char *)h.msg.u.data.data.data, NULL, 10);
	ck_assert_int_gt(pid, 1);
	ck_assert_int_eq(kill(pid, 0), 0);
	ck_assert_int_eq(host_stop(&h), 0);
	for (n = 0; n < 600 && kill(pid, 0) == 0; n++) {
		/* Where nobody waits for orphans it is a zombie. */
		char path[64], line[128] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		file = fopen(path, "r");
		if (file && fgets(line, sizeof(line), file) && strstr(line, ") Z"))
			n = 1000;
		if (file)
			fclose(file);
		usleep(100000);
	}
	ck_assert_int_ne(n, 600);
	start();
}
END_TEST

START_TEST(as_many_as_there_may_be)
{
	static const char strings[] = "sleep\0"
				      "1000";
	struct mhi_msg_exec msg = { BOTH | MHI_AGENT_EXEC_INPUT,
				    "",
				    "",
				    2,
				    { (const uint8_t *)strings, sizeof(strings) },
				    0 };

	for (uint32_t n = 1; n <= MHI_AGENT_REQUESTS_MAX; n++)
		host_say(&h, MHI_MSG_EXEC, n, &msg);
	host_say(&h, MHI_MSG_GET_INFO, 1000, NULL);
	ck_assert_uint_eq(host_result(&h, 1000), MHI_AGENT_BUSY);
	for (uint32_t n = 1; n <= MHI_AGENT_REQUESTS_MAX; n++)
		host_say(&h, MHI_MSG_CANCEL, n, NULL);
	for (uint32_t n = 1; n <= MHI_AGENT_REQUESTS_MAX; n++)
		ck_assert_uint_eq(host_result(&h, n), MHI_AGENT_CANCELLED);
	host_say(&h, MHI_MSG_GET_INFO, 1000, NULL);
	ck_assert_uint_eq(host_result(&h, 1000), MHI_AGENT_OK);
}
END_TEST

static void fill(uint8_t *data, size_t bytes)
{
	uint32_t x = 1;

	for (size_t n = 0; n < bytes; n++) {
		x = x * 1664525u + 1013904223u;
		data[n] = (uint8_t)(x >> 24);
	}
}

/* Send data, as far as credit goes, and its end. Returns the RESULT. */
static uint32_t put_file(const char *path, const uint8_t *data, size_t bytes, uint64_t announced)
{
	struct mhi_msg_file_put msg = { path, 0640, announced, 0 };
	size_t credit = MHI_AGENT_WINDOW_BYTES, sent = 0;

	host_say(&h, MHI_MSG_FILE_PUT, SERIAL, &msg);
	while (sent < bytes) {
		size_t part = bytes - sent < 32768 ? bytes - sent : 32768;

		if (part <= credit) {
			input(data + sent, part);
			sent += part;
			credit -= part;
			continue;
		}
		if (host_next(&h, 60000)->type == MHI_MSG_RESULT)
			return h.msg.u.result.code;
		ck_assert_uint_eq(h.msg.type, MHI_MSG_CREDIT);
		credit += h.msg.u.credit.bytes;
	}
	input("", 0);
	return host_result(&h, SERIAL);
}

START_TEST(files)
{
	size_t bytes = 3 << 20;
	uint8_t *data = malloc(bytes);
	struct mhi_msg_file_get get = { in_folder("file"), 0 };
	const struct mhi_agent_msg *m;
	struct stat st;

	fill(data, bytes);
	ck_assert_uint_eq(put_file(in_folder("file"), data, bytes, bytes), MHI_AGENT_OK);
	ck_assert_int_eq(stat(in_folder("file"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
	host_say(&h, MHI_MSG_FILE_GET, SERIAL, &get);
	m = host_expect(&h, MHI_MSG_FILE_IS);
	ck_assert_uint_eq(m->u.file_is.bytes, bytes);
	ck_assert_uint_eq(m->u.file_is.mode, 0640);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_OK);
	ck_assert_uint_eq(h.content_bytes, bytes);
	ck_assert(!memcmp(h.content, data, bytes));
	/* Over what is there; its size is not known before. */
	ck_assert_uint_eq(put_file(in_folder("file"), data, 5, UINT64_MAX), MHI_AGENT_OK);
	ck_assert_int_eq(stat(in_folder("file"), &st), 0);
	ck_assert_int_eq(st.st_size, 5);
	ck_assert_uint_eq(put_file(in_folder("file"), data, 0, 0), MHI_AGENT_OK);
	ck_assert_int_eq(stat(in_folder("file"), &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	free(data);
}
END_TEST

/* Nothing else is in the folder: a file that did not come to its end leaves nothing behind. */
static void expect_entries(const char *names)
{
	char command[300], text[256] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "ls -A %s | tr '\\n' ' '", in_folder("half"));
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	if (!fgets(text, sizeof(text), pipe))
		text[0] = 0;
	pclose(pipe);
	ck_assert_str_eq(text, names);
}

START_TEST(files_that_fail)
{
	struct mhi_msg_file_get get = { in_folder("none"), 0 };
	struct mhi_msg_file_put half = { NULL, 0600, 100, 0 };
	char path[300];

	host_say(&h, MHI_MSG_FILE_GET, SERIAL, &get);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_MISSING);
	get.path = folder;
	host_say(&h, MHI_MSG_FILE_GET, SERIAL, &get);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_INVALID);
	get.path = "/dev/zero";
	host_say(&h, MHI_MSG_FILE_GET, SERIAL, &get);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_INVALID);
	get.path = "etc/passwd";
	host_say(&h, MHI_MSG_FILE_GET, SERIAL, &get);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_INVALID);
	ck_assert_int_eq(mkdir(in_folder("half"), 0700), 0);
	snprintf(path, sizeof(path), "%s/half/file", folder);
	ck_assert_uint_eq(put_file(path, (const uint8_t *)"abc", 3, 2), MHI_AGENT_INVALID);
	ck_assert_uint_eq(put_file(path, (const uint8_t *)"abc", 3, 4), MHI_AGENT_INVALID);
	expect_entries("");
	ck_assert_uint_eq(put_file(path, (const uint8_t *)"abc", 3, 3), MHI_AGENT_OK);
	half.path = path;
	host_say(&h, MHI_MSG_FILE_PUT, SERIAL, &half);
	input("x", 1);
	host_say(&h, MHI_MSG_CANCEL, SERIAL, NULL);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_CANCELLED);
	expect_entries("file ");
	ck_assert_uint_eq(put_file(folder, (const uint8_t *)"abc", 3, 3), MHI_AGENT_INVALID);
	ck_assert_uint_eq(put_file("/no/such/folder/x", NULL, 0, 0), MHI_AGENT_MISSING);
	ck_assert_uint_eq(put_file("x", NULL, 0, 0), MHI_AGENT_INVALID);
	ck_assert_uint_eq(put_file("", NULL, 0, 0), MHI_AGENT_INVALID);
	ck_assert_uint_eq(put_file("/", NULL, 0, 0), MHI_AGENT_INVALID);
}
END_TEST

/* The agent drops such a host and, at the end of its only connection, ends. */
static void expect_dropped(void)
{
	ck_assert(host_is_dropped(&h));
	stop();
	start();
}

START_TEST(nonsense)
{
	static uint8_t noise[100000];
	static const uint8_t large[16] = { 'M', 'H', 'A', '1', 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0 };
	static const uint8_t short_ping[20] = { 'M', 'H', 'A', '1', 3, 0, 0, 0, 0, 0, 0, 0, 4 };
	static const uint8_t unknown[20] = { 'M', 'H', 'A', '1', 0xee, 0, 0, 0, 1, 0, 0, 0, 4 };

	fill(noise, sizeof(noise));
	host_send(&h, noise, sizeof(noise));
	expect_dropped();
	host_send(&h, large, sizeof(large));
	expect_dropped();
	host_send(&h, short_ping, sizeof(short_ping));
	expect_dropped();
	/* What a newer host may say is not nonsense. */
	host_send(&h, unknown, sizeof(unknown));
	host_say(&h, MHI_MSG_GET_INFO, SERIAL, NULL);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_OK);
}
END_TEST

START_TEST(broken_rules)
{
	struct mhi_msg_file_put put = { in_folder("broken"), 0600, UINT64_MAX, 0 };
	static uint8_t data[32768];

	/* The same serial twice. */
	host_say(&h, MHI_MSG_FILE_PUT, SERIAL, &put);
	host_say(&h, MHI_MSG_FILE_PUT, SERIAL, &put);
	expect_dropped();
	/* A serial of the agent's. */
	host_say(&h, MHI_MSG_FILE_PUT, 0x80000001u, &put);
	expect_dropped();
	/* More than its credit, at once, to one who does not read: a pipe holds 64 KiB of it. */
	EXEC(MHI_AGENT_EXEC_INPUT, "", 2,
	     "sleep\0"
	     "1000");
	for (int n = 0; n < 12; n++)
		input(data, sizeof(data));
	expect_dropped();
}
END_TEST

/* What was not agreed on, what there is not, and what belongs to nothing. */
START_TEST(out_of_place)
{
	struct mhi_msg_seamless on = { 1, 0 };
	struct mhi_msg_credit credit = { 0xffffffffu, 0 };
	struct mhi_msg_welcome again = { MHI_AGENT_VERSION, 0, 0 };

	ck_assert_uint_eq(h.features & MHI_AGENT_F_WINDOWS, 0);
	host_say(&h, MHI_MSG_SEAMLESS, SERIAL, &on);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_UNSUPPORTED);
	host_say(&h, MHI_MSG_CREDIT, 99, &credit);
	host_say(&h, MHI_MSG_HELLO, 1, NULL);
	host_say(&h, MHI_MSG_WINDOW_GONE, 0, NULL);
	host_say(&h, MHI_MSG_WELCOME, h.instance, &again);
	host_say(&h, MHI_MSG_WELCOME, h.instance + 1, &again);
	host_say(&h, MHI_MSG_PING, 5, NULL);
	ck_assert_uint_eq(host_expect(&h, MHI_MSG_PONG)->serial, 5);
	host_say(&h, MHI_MSG_GET_INFO, 0, NULL); /* nobody wants to know */
	host_say(&h, MHI_MSG_GET_INFO, SERIAL, NULL);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_OK);
}
END_TEST

/* A host that asks and does not listen: the agent stops to listen, and nothing piles up. */
START_TEST(deaf_host)
{
	static const char strings[] = "cat\0/dev/zero";
	struct mhi_msg_credit credit = { 0xffffffffu, 0 };
	struct mhi_msg_exec msg = { BOTH, "", "", 2, { (const uint8_t *)strings, sizeof(strings) },
				    0 };

	host_say(&h, MHI_MSG_EXEC, SERIAL, &msg);
	host_say(&h, MHI_MSG_CREDIT, SERIAL, &credit);
	usleep(300000);
	host_say(&h, MHI_MSG_CANCEL, SERIAL, NULL);
	ck_assert_uint_eq(host_result(&h, SERIAL), MHI_AGENT_CANCELLED);
	ck_assert_uint_gt(h.content_bytes, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guest_agent");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, info);
	tcase_add_test(tcase, power);
	tcase_add_test(tcase, clock_is_set);
	tcase_add_test(tcase, mount_nonsense);
	tcase_add_test(tcase, exec_output);
	tcase_add_test(tcase, exec_refused);
	tcase_add_test(tcase, exec_input);
	tcase_add_test(tcase, exec_credit);
	tcase_add_test(tcase, exec_left_behind);
	tcase_add_test(tcase, exec_kill);
	tcase_add_test(tcase, exec_ends_with_host);
	tcase_add_test(tcase, as_many_as_there_may_be);
	tcase_add_test(tcase, files);
	tcase_add_test(tcase, files_that_fail);
	tcase_add_test(tcase, nonsense);
	tcase_add_test(tcase, broken_rules);
	tcase_add_test(tcase, out_of_place);
	tcase_add_test(tcase, deaf_host);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	char command[64];
	int status;

	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	snprintf(power_log, sizeof(power_log), "%s/power", folder);
	setenv("AGENT_POWER_LOG", power_log, 1);
	status = host_tests(suite());
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return popen(command, "r") ? status : EXIT_FAILURE;
}

// SPDX-License-Identifier: MIT
/*
 * Agents by the public interface: over a socket, on a VM's console device and on its serial port;
 * what a VM's life means to them; what is refused.
 */
#include "api_fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "api/agent_impl.h"
#include "integration/agent_proto.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	u32 states, connected, done;
	int rc;
	char output[64];
	size_t bytes;
	s32 status;
} got = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void tell(void)
{
	pthread_cond_broadcast(&got.cond);
	pthread_mutex_unlock(&got.lock);
}

static void on_state(void *opaque, const struct mh_agent_status *status)
{
	pthread_mutex_lock(&got.lock);
	got.states++;
	got.connected = status->connected;
	tell();
}

static void on_done(void *opaque, int rc, const char *text)
{
	pthread_mutex_lock(&got.lock);
	got.done++;
	got.rc = rc;
	tell();
}

static void on_output(void *opaque, uint32_t stream, const void *data, size_t bytes)
{
	memcpy(got.output + got.bytes, data, bytes);
	got.bytes += bytes;
}

static void on_serial(void *opaque, const void *data, size_t bytes)
{
}

static void on_end(void *opaque, int rc, const struct mh_agent_end *end)
{
	got.status = end->status;
	on_done(opaque, rc, end->text);
}

static void wait_for(const u32 *what, u32 value)
{
	pthread_mutex_lock(&got.lock);
	while (*what != value)
		pthread_cond_wait(&got.cond, &got.lock);
	pthread_mutex_unlock(&got.lock);
}

/* ---- the agent, on the other end of a socket ---- */

static int peer;
static u8 frame[MHI_AGENT_FRAME];
static struct mhi_agent_msg heard;

static void say(u32 type, u32 serial, const void *msg)
{
	size_t bytes = mhi_agent_encode(frame, sizeof(frame), type, serial, msg);

	ck_assert_int_eq(write(peer, frame, bytes), (int)bytes);
}

static void read_all(u8 *to, size_t bytes)
{
	while (bytes) {
		ssize_t n = read(peer, to, bytes);

		ck_assert_int_gt((int)n, 0);
		to += n;
		bytes -= (size_t)n;
	}
}

static void hear(u32 type)
{
	do {
		read_all(frame, MHI_AGENT_HEADER);
		read_all(frame + MHI_AGENT_HEADER, frame[12] | frame[13] << 8 | frame[14] << 16);
		ck_assert_int_eq(mhi_agent_decode(frame, &heard), 0);
	} while (heard.type != type);
}

static void say_hello(void)
{
	const struct mhi_msg_hello msg = { 1, MH_AGENT_ALL, "linux", "test 1", 0 };

	say(MHI_MSG_HELLO, 77, &msg);
	hear(MHI_MSG_WELCOME);
}

static struct mh_agent *open_agent(void)
{
	struct mh_agent_config config = MH_AGENT_CONFIG_INIT;
	struct mh_agent *agent = NULL;
	int fds[2];

	memset(&got.states, 0, sizeof(got) - offsetof(__typeof__(got), states));
	api_set_up();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	config.state = on_state;
	ck_assert_int_eq(mh_agent_open(ctx, fds[0], &config, &agent), 0);
	peer = fds[1];
	return agent;
}

static void close_agent(struct mh_agent *agent)
{
	ck_assert_int_eq(mh_ctx_destroy(ctx), MH_ESTATE);
	ck_error_has("1 of its agents");
	ck_assert_int_eq(mh_agent_close(agent), 0);
	close(peer);
	api_tear_down();
}

START_TEST(over_a_socket)
{
	struct mh_agent *agent = open_agent();
	struct mh_agent_status status = MH_AGENT_STATUS_INIT;
	const struct mhi_msg_result ok = { 0 };

	ck_assert_int_eq(mh_agent_shutdown(agent, MH_AGENT_OFF, on_done, NULL), MH_ESTATE);
	ck_error_has("agent on a socket: shut down: no agent is connected");
	say_hello();
	wait_for(&got.connected, 1);
	ck_assert_int_eq(mh_agent_status(agent, &status), 0);
	ck_assert_str_eq(status.agent, "test 1");
	ck_assert_int_eq(mh_agent_shutdown(agent, MH_AGENT_REBOOT, on_done, NULL), 0);
	hear(MHI_MSG_SHUTDOWN);
	ck_assert_uint_eq(heard.u.shutdown.mode, MHI_AGENT_REBOOT);
	say(MHI_MSG_RESULT, heard.serial, &ok);
	wait_for(&got.done, 1);
	ck_assert_int_eq(got.rc, 0);
	/* What is not answered ends with the socket. */
	ck_assert_int_eq(mh_agent_set_time(agent, 0, on_done, NULL), 0);
	hear(MHI_MSG_SET_TIME);
	ck_assert_uint_gt(heard.u.set_time.unix_ns, 1600000000ull * 1000000000);
	shutdown(peer, SHUT_WR);
	wait_for(&got.done, 2);
	ck_assert_int_eq(got.rc, MH_ESTATE);
	wait_for(&got.connected, 0);
	close_agent(agent);
}
END_TEST

START_TEST(program)
{
	static const char *const argv[] = { "ls", "-l", NULL }, *const env[] = { "A=b", NULL };
	const struct mh_agent_transfer_ops ops = { 1, on_output, NULL, NULL, on_end };
	struct mh_agent_exec_config config = MH_AGENT_EXEC_CONFIG_INIT;
	const struct mhi_msg_exec_exit gone = { 7, 0, 0 };
	const struct mhi_msg_data data = { 1, { (const u8 *)"hi", 2 }, 0 };
	const struct mhi_msg_result ok = { 0 };
	struct mh_agent *agent = open_agent();
	uint64_t id;

	say_hello();
	config.argv = argv;
	config.env = env;
	config.flags = MH_AGENT_EXEC_INPUT;
	ck_assert_int_eq(mh_agent_exec(agent, &config, &ops, NULL, &id), 0);
	hear(MHI_MSG_EXEC);
	ck_assert_uint_eq(heard.u.exec.flags, 7);
	ck_assert_uint_eq(heard.u.exec.arguments, 2);
	ck_assert_uint_eq(heard.u.exec.strings.bytes, 10);
	ck_assert_mem_eq(heard.u.exec.strings.data, "ls\0-l\0A=b", 10);
	say(MHI_MSG_DATA, heard.serial, &data);
	ck_assert_int_eq(mh_agent_write(agent, id, "in", 2), 2);
	hear(MHI_MSG_DATA);
	ck_assert_mem_eq(heard.u.data.data.data, "in", 2);
	ck_assert_int_eq(mh_agent_hold(agent, id, 1), 0);
	ck_assert_int_eq(mh_agent_kill(agent, id, 65), MH_EINVAL);
	ck_assert_int_eq(mh_agent_kill(agent, id, 2), 0);
	say(MHI_MSG_EXEC_EXIT, heard.serial, &gone);
	say(MHI_MSG_RESULT, heard.serial, &ok);
	wait_for(&got.done, 1);
	ck_assert_int_eq(got.rc, 0);
	ck_assert_int_eq(got.status, 7);
	ck_assert_mem_eq(got.output, "hi", 2);
	ck_assert_int_eq(mh_agent_cancel(agent, id), MH_ENOENT);
	ck_error_has("it may have ended");
	close_agent(agent);
}
END_TEST

/* An agent that breaks the rules does not get another try. */
START_TEST(broken_on_a_socket)
{
	struct mh_agent *agent = open_agent();
	char c;

	say_hello();
	ck_assert_int_eq(write(peer, "nonsense", 8), 8);
	wait_for(&got.states, 2);
	ck_assert_uint_eq(got.connected, 0);
	while (read(peer, &c, 1) > 0)
		continue;
	ck_assert(strstr(last_log, "agent on a socket: it is disconnected"));
	close_agent(agent);
}
END_TEST

/* More than the socket takes at once. */
START_TEST(large_file)
{
	static u8 data[1 << 20];
	const struct mh_agent_transfer_ops ops = { .version = 1 };
	struct mh_agent_file file = MH_AGENT_FILE_INIT;
	const struct mhi_msg_credit credit = { 1 << 20, 0 };
	struct mh_agent *agent = open_agent();
	size_t sent = 0, came = 0;
	uint64_t id;
	int rc;

	say_hello();
	file.path = "/tmp/x";
	ck_assert_int_eq(mh_agent_put(agent, &file, &ops, NULL, &id), 0);
	hear(MHI_MSG_FILE_PUT);
	ck_assert_uint_eq(heard.u.file_put.bytes, MHI_AGENT_BYTES_UNKNOWN);
	say(MHI_MSG_CREDIT, heard.serial, &credit);
	while (sent < sizeof(data)) {
		rc = mh_agent_write(agent, id, data, sizeof(data) - sent);
		ck_assert_int_ge(rc, 0);
		sent += (size_t)rc;
		while (came < sent) {
			hear(MHI_MSG_DATA);
			came += heard.u.data.data.bytes;
		}
	}
	ck_assert_int_eq(mh_agent_write(agent, id, NULL, 0), 0);
	hear(MHI_MSG_DATA);
	ck_assert_uint_eq(heard.u.data.data.bytes, 0);
	close_agent(agent);
}
END_TEST

START_TEST(input)
{
	struct mh_agent *agent = open_agent();

	say_hello();
	ck_assert_int_eq(mh_agent_key(agent, 0, 1), MH_EINVAL);
	ck_assert_int_eq(mh_agent_key(agent, 30, 1), 0);
	hear(MHI_MSG_KEY);
	ck_assert_uint_eq(heard.u.key.key, 30);
	ck_assert_int_eq(mh_agent_pointer(agent, -1, 2), 0);
	hear(MHI_MSG_POINTER);
	ck_assert_int_eq(heard.u.pointer.x, -1);
	ck_assert_int_eq(mh_agent_button(agent, 0x110, 1), 0);
	hear(MHI_MSG_BUTTON);
	ck_assert_int_eq(mh_agent_wheel(agent, 120, 0), 0);
	hear(MHI_MSG_WHEEL);
	ck_assert_int_eq(heard.u.wheel.vertical, 120);
	close_agent(agent);
}
END_TEST

static void on_content(void *opaque, int rc, const void *data, size_t bytes)
{
	on_done(opaque, rc, "");
}

START_TEST(desktop)
{
	const struct mh_seamless_ops windows = { .version = 1 }, bad = { .version = 2 };
	const struct mh_clipboard_ops clip = { .version = 1 };
	const struct mh_rect area = { 0, 0, 800, 600 };
	struct mh_clip_policy policy = MH_CLIP_POLICY_INIT;
	struct mh_agent *agent = open_agent();

	ck_assert_int_eq(mh_seamless_start(agent, &bad, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_seamless_start(agent, &windows, NULL), 0);
	ck_assert_int_eq(mh_seamless_start(agent, &windows, NULL), MH_EBUSY);
	ck_assert_int_eq(mh_seamless_work_area(agent, &area, 120), 0);
	ck_assert_int_eq(mh_window_act(agent, 1, MH_WINDOW_CLOSE), MH_ESTATE);
	policy.size--;
	ck_assert_int_eq(mh_clipboard_start(agent, &policy, &clip, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_clipboard_start(agent, NULL, &clip, NULL), 0);
	ck_assert_int_eq(mh_clipboard_offer(agent, 2, MH_CLIP_TEXT), MH_EINVAL);
	ck_assert_int_eq(mh_clipboard_offer(agent, 0, MH_CLIP_TEXT), 0);
	say_hello();
	hear(MHI_MSG_SEAMLESS);
	hear(MHI_MSG_CLIP_OFFER);
	ck_assert_int_eq(mh_window_act(agent, 1, MH_WINDOW_CLOSE), MH_ENOENT);
	ck_assert_int_eq(mh_window_configure(agent, 1, &area), MH_ENOENT);
	ck_assert_int_eq(mh_clipboard_get(agent, 0, 3, on_content, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_clipboard_get(agent, 0, 1, on_content, NULL), MH_ENOENT);
	ck_assert_int_eq(mh_clipboard_stop(agent), 0);
	ck_assert_int_eq(mh_seamless_stop(agent), 0);
	ck_assert_int_eq(mh_seamless_stop(agent), MH_ENOENT);
	ck_assert_int_eq(mh_clipboard_answer(NULL, "x", 1), MH_EINVAL);
	ck_assert_int_eq(mh_clipboard_refuse(NULL), MH_EINVAL);
	close_agent(agent);
}
END_TEST

/* ---- of a VM ---- */

START_TEST(of_a_vm)
{
	struct mh_agent_config config = MH_AGENT_CONFIG_INIT;
	struct mh_agent *agent = NULL;
	struct mh_vm *vm;

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	ck_assert_ptr_null(mh_vm_agent(vm));
	ck_assert_int_eq(mh_agent_attach(vm, NULL, &agent), 0);
	ck_assert_ptr_eq(mh_vm_agent(vm), agent);
	ck_assert_uint_eq(fake_machine.dev_count, 1);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1043);
	ck_assert_int_eq(mh_agent_attach(vm, NULL, NULL), MH_EEXIST);
	ck_error_has("agent of VM \"test\": it has one already");
	config.transport = MH_AGENT_SERIAL;
	ck_assert_int_eq(mh_agent_attach(vm, &config, NULL), MH_EEXIST);
	ck_assert_int_eq(mh_agent_close(agent), 0);
	ck_assert_uint_eq(fake_machine.dev_count, 0);
	ck_assert_ptr_null(mh_vm_agent(vm));
	/* The serial port, which somebody else may have. */
	ck_assert_int_eq(mh_serial_attach(vm, 1, on_serial, NULL), 0);
	ck_assert_int_eq(mh_agent_attach(vm, &config, NULL), MH_EEXIST);
	ck_error_has("COM2 is in use");
	ck_assert_int_eq(mh_serial_attach(vm, 1, NULL, NULL), 0);
	ck_assert_int_eq(mh_agent_attach(vm, &config, &agent), 0);
	ck_assert_int_eq(mh_serial_attach(vm, 1, on_serial, NULL), MH_EEXIST);
	ck_error_has("agent has COM2");
	ck_assert_int_eq(mh_agent_info(agent, NULL, NULL), MH_EINVAL);
	mh_vm_destroy(vm); /* with it */
	api_tear_down();
}
END_TEST

START_TEST(refused)
{
	static const struct {
		size_t offset;
		u32 value;
		const char *text;
	} wrong[] = {
		{ offsetof(struct mh_agent_config, transport), 2, "config.transport is 2" },
		{ offsetof(struct mh_agent_config, features), 1u << 11, "0x800" },
		{ offsetof(struct mh_agent_config, flags), 1u << 31, "0x80000000" },
		{ offsetof(struct mh_agent_config, size), 3, "config.size" },
	};
	struct mh_agent_config config = MH_AGENT_CONFIG_INIT;
	struct mh_clip_policy policy = MH_CLIP_POLICY_INIT;
	struct mh_agent *agent = NULL;
	struct mh_vm *vm;
	int pipes[2];

	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	for (size_t n = 0; n < MHI_COUNT(wrong); n++) {
		struct mh_agent_config c = MH_AGENT_CONFIG_INIT;

		memcpy((char *)&c + wrong[n].offset, &wrong[n].value, sizeof(u32));
		ck_assert_int_eq(mh_agent_attach(vm, &c, NULL), MH_EINVAL);
		ck_error_has(wrong[n].text);
	}
	config.mount = "media";
	ck_assert_int_eq(mh_agent_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("config.mount");
	config.mount = NULL;
	config.clipboard = &policy;
	policy.bytes = (1ull << 30) + 1;
	ck_assert_int_eq(mh_agent_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("more than 1 GiB");
	policy.bytes = 1;
	policy.kinds = 16;
	ck_assert_int_eq(mh_agent_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("unknown bits");
	mh_vm_destroy(vm);
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(mh_agent_open(ctx, pipes[0], NULL, &agent), MH_EINVAL);
	ck_error_has("no stream socket");
	ck_assert_int_eq(mh_agent_open(ctx, pipes[0], NULL, NULL), MH_EINVAL);
	ck_assert_ptr_null(agent);
	ck_assert_int_eq(mh_agent_close(NULL), 0);
	close(pipes[0]);
	close(pipes[1]);
	vm = api_vm(1, MH_VM_BARE, 1 << 20);
	ck_assert_int_eq(mh_agent_attach(vm, NULL, NULL), MH_EINVAL);
	config.clipboard = NULL;
	config.transport = MH_AGENT_SERIAL;
	ck_assert_int_eq(mh_agent_attach(vm, &config, NULL), MH_EINVAL);
	ck_error_has("bare");
	mh_vm_destroy(vm);
	api_tear_down();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, over_a_socket);
	tcase_add_test(tcase, program);
	tcase_add_test(tcase, broken_on_a_socket);
	tcase_add_test(tcase, large_file);
	tcase_add_test(tcase, input);
	tcase_add_test(tcase, desktop);
	tcase_add_test(tcase, of_a_vm);
	tcase_add_test(tcase, refused);
}

UNIT_MAIN("agent_api", add_tests)

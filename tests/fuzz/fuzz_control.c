// SPDX-License-Identifier: MIT
/*
 * Fuzzes the control socket of the CLI's VM processes (libFuzzer): clients that connect, send any
 * bytes in any pieces, read or do not, and leave, while the guest prints, events come and transfers
 * by its agent go on. Answers are one JSON-RPC document a line as long as no connection is a
 * stream, nobody keeps more than may be kept, and what belongs to a client goes with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../tools/macrohard-hypervisor/process.h"
#include "fuzz.h"

#define PEERS 20 /* more than there are places */
#define OPS_MOST 150
#define TRANSFERS 16
#define OUT_MOST (1u << 20)

/* Pieces of requests: the input's bytes from 0x80 on choose them. */
static const char *const words[] = {
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"",
	"\"}\n",
	"\",\"params\":{",
	"}}\n",
	"hello",
	"status",
	"pause",
	"resume",
	"reset",
	"stop",
	"stats",
	"events",
	"console",
	"send-key",
	"exec",
	"put",
	"get",
	"guest-info",
	"screenshot",
	"window",
	"seamless",
	"clipboard",
	"\"force\":true",
	"\"codes\":[1,2,999]",
	"\"argv\":[\"a\",\"b\"]",
	"\"env\":[\"A=1\"]",
	"\"directory\":\"/\"",
	"\"input\":true",
	"\"path\":\"/p\"",
	"\"mode\":420",
	"\"bytes\":9e15",
	"\"on\":false",
	"\"display\":\":1\"",
	",",
	"{\"jsonrpc\":\"2.0\",\"method\":\"",
	"{\"id\":null,",
	"{\"id\":\"\\u0000\\ud800\",\"jsonrpc\":\"2.0\",\"method\":\"status\"}\n",
	"[[[[[[[[[[[[[[[[",
	"i\x03",
	"i",
	"1e999",
	"\r\n",
	"\"auth_name\":\"a\"",
	"\"auth_data\":\"00ff\"",
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static struct process process;
static struct store_vm store = { .name = "n", .folder = "/", .dir = -1 };
static struct sockaddr_un address;
static socklen_t address_bytes;
static int peer[PEERS];
static char heard[PEERS][1 << 16];
static size_t heard_bytes[PEERS];
static bool streamed; /* some connection is, or was, no place of documents only */

/* ---- the guest's agent ---- */

struct mh_agent {
	struct transfer {
		struct mh_agent_transfer_ops ops;
		mh_agent_info_fn *info;
		void *opaque;
		uint64_t id; /* 0: none */
		bool input;
	} transfer[TRANSFERS];
	uint64_t last;
};

static struct mh_agent agent;
static bool attached;

struct mh_agent *mh_vm_agent(struct mh_vm *vm)
{
	return attached ? &agent : NULL;
}

static struct transfer *transfer_of(uint64_t id)
{
	for (unsigned int n = 0; n < TRANSFERS; n++)
		if (agent.transfer[n].id == id)
			return &agent.transfer[n];
	return NULL;
}

static int begin(const struct mh_agent_transfer_ops *ops, void *opaque, bool input, uint64_t *id)
{
	struct transfer *t = transfer_of(0);

	if (!t)
		return MH_EBUSY;
	*t = (struct transfer){ .opaque = opaque, .id = ++agent.last, .input = input };
	if (ops)
		t->ops = *ops;
	if (id)
		*id = t->id;
	return 0;
}

int mh_agent_exec(struct mh_agent *a, const struct mh_agent_exec_config *config,
		  const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id)
{
	if (!config->argv || !config->argv[0])
		return MH_EINVAL;
	return begin(ops, opaque, config->flags & MH_AGENT_EXEC_INPUT, id);
}

int mh_agent_put(struct mh_agent *a, const struct mh_agent_file *file,
		 const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id)
{
	return *file->path == '/' ? begin(ops, opaque, true, id) : MH_EINVAL;
}

int mh_agent_get(struct mh_agent *a, const char *path, const struct mh_agent_transfer_ops *ops,
		 void *opaque, uint64_t *id)
{
	return *path == '/' ? begin(ops, opaque, false, id) : MH_EINVAL;
}

int mh_agent_info(struct mh_agent *a, mh_agent_info_fn *fn, void *opaque)
{
	uint64_t id;
	int rc = begin(NULL, opaque, false, &id);

	if (!rc)
		transfer_of(id)->info = fn;
	return rc;
}

int mh_agent_write(struct mh_agent *a, uint64_t id, const void *data, size_t bytes)
{
	struct transfer *t = id ? transfer_of(id) : NULL;

	if (!t)
		return MH_ENOENT;
	if (!t->input)
		return MH_ESTATE;
	if (!bytes)
		t->input = false;
	return (int)(bytes > 100 ? 100 : bytes);
}

int mh_agent_hold(struct mh_agent *a, uint64_t id, uint32_t held)
{
	return transfer_of(id) ? 0 : MH_ENOENT;
}

int mh_agent_cancel(struct mh_agent *a, uint64_t id)
{
	struct transfer *t = transfer_of(id);

	if (t)
		t->id = 0;
	return t ? 0 : MH_ENOENT;
}

int mh_agent_status(struct mh_agent *a, struct mh_agent_status *status)
{
	status->connected = 1;
	return 0;
}

static void finish(struct transfer *t, int rc)
{
	static const struct mh_agent_info info = { .size = sizeof(info),
						   .host_name = "h",
						   .os_name = "\"\\\n",
						   .os_version = "",
						   .kernel = "\xc3\xa4" };
	const struct mh_agent_end end = { sizeof(end), "an end", 3, 0 };

	t->id = 0;
	if (t->info)
		t->info(t->opaque, rc, rc ? NULL : &info);
	else
		t->ops.done(t->opaque, rc, &end);
}

/* It goes on: what it may say of one of its transfers. */
static void answer(u8 which, u8 how)
{
	static const u8 bytes[5000];
	struct transfer *t = &agent.transfer[which % TRANSFERS];

	if (!t->id)
		return;
	if (t->info || how < 64)
		finish(t, how % 2 ? MH_EIO : 0);
	else if (how < 192)
		t->ops.output(t->opaque, how % 3, bytes, 20u * how);
	else if (how < 224)
		t->ops.room(t->opaque, how);
	else
		t->ops.file(t->opaque, how, how);
}

/* ---- the rest of the library and of the process ---- */

const char *mh_version(void)
{
	return "9.9.9";
}

const char *mh_err_name(int err)
{
	return "MH_ENAME";
}

const char *mh_strerror(int err)
{
	return "an error";
}

const char *mh_last_error(struct mh_ctx *ctx)
{
	return "it failed \"so\"";
}

enum mh_vm_state mh_vm_state(struct mh_vm *vm)
{
	return MH_VM_RUNNING;
}

int mh_vm_pause(struct mh_vm *vm)
{
	return 0;
}

int mh_vm_resume(struct mh_vm *vm)
{
	return MH_ESTATE;
}

int mh_vm_reset(struct mh_vm *vm)
{
	return 0;
}

int mh_vm_stop(struct mh_vm *vm)
{
	return 0;
}

int mh_vcpu_metrics(struct mh_vm *vm, uint32_t index, struct mh_vm_metrics *metrics)
{
	return index < 2 ? 0 : MH_ENOENT;
}

int mh_balloon_stats(struct mh_dev *dev, struct mh_balloon_stats *stats)
{
	return 0;
}

int mh_input_key(struct mh_vm *vm, uint32_t code, int down)
{
	return code < 256 ? 0 : MH_EINVAL;
}

int mh_display_png(struct mh_vm *vm, int fd)
{
	return MH_ENOENT;
}

int process_shut_down(struct process *p)
{
	return 0;
}

int64_t process_boot_ms(void)
{
	return 0;
}

/* The guest takes some. */
void input_type(struct process *p, struct input *in)
{
	size_t taken = in->bytes < 16 ? in->bytes : 16;

	memmove(in->data, in->data + taken, in->bytes - taken);
	in->bytes -= taken;
}

const char *confine_state(struct process *p)
{
	return "on";
}

int desk_show(struct process *p, enum desk_part part, const struct desk_place *place)
{
	if (place->socket.fd >= 0 && fcntl(place->socket.fd, F_GETFD) < 0)
		fuzz_die("desk_show", "the descriptor that came along is closed");
	snprintf(p->why, sizeof(p->why), "no display \"%s\"", place->display);
	return MH_ENOENT;
}

int desk_hide(struct process *p, enum desk_part part)
{
	return 0;
}

int steward_new_screenshot(struct steward *s)
{
	return -1;
}

int steward_keep_screenshot(struct steward *s, bool good)
{
	return 0;
}

void terminal_follow(struct terminal *t, const unsigned char *data, size_t bytes)
{
}

/* In place of rpc.c: a socket without a file. */
int rpc_listen(const struct store_vm *vm)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address.sun_family = AF_UNIX;
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) || listen(fd, 16))
		fuzz_die("listen", strerror(errno));
	address_bytes = sizeof(address);
	getsockname(fd, (struct sockaddr *)&address, &address_bytes);
	return fd;
}

const char *rpc_text(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsString(item) ? item->valuestring : "";
}

/* ---- clients ---- */

static void hang_up(unsigned int n)
{
	if (peer[n] >= 0)
		close(peer[n]);
	peer[n] = -1;
	heard_bytes[n] = 0;
}

static void ring_up(unsigned int n)
{
	hang_up(n);
	peer[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (peer[n] < 0)
		fuzz_die("socket", strerror(errno));
	/* The queue may be full. */
	if (connect(peer[n], (struct sockaddr *)&address, address_bytes))
		hang_up(n);
}

static void check_line(const char *line, size_t bytes)
{
	cJSON *document = cJSON_ParseWithLength(line, bytes);
	bool result = cJSON_HasObjectItem(document, "result");
	bool error = cJSON_HasObjectItem(document, "error");
	bool event = cJSON_HasObjectItem(document, "method");

	if (strcmp(rpc_text(document, "jsonrpc"), "2.0") || result + error + event != 1)
		fuzz_die("answer", "it is no document of JSON-RPC");
	cJSON_Delete(document);
}

static void hear(unsigned int n)
{
	size_t room = sizeof(heard[n]) - heard_bytes[n];
	ssize_t got = peer[n] < 0 ? 0 : recv(peer[n], heard[n] + heard_bytes[n], room, 0);
	char *line = heard[n], *end;

	if (got <= 0)
		return;
	heard_bytes[n] += (size_t)got;
	while ((end = memchr(line, '\n', heard_bytes[n]))) {
		if (!streamed)
			check_line(line, (size_t)(end - line));
		heard_bytes[n] -= (size_t)(end + 1 - line);
		line = end + 1;
	}
	memmove(heard[n], line, heard_bytes[n]);
	if (heard_bytes[n] == sizeof(heard[n])) {
		if (!streamed)
			fuzz_die("answer", "a line without end");
		heard_bytes[n] = 0;
	}
}

/* along: with a descriptor */
static void transmit(int fd, char *text, size_t bytes, bool along)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec piece = { text, bytes };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (along) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_LEN(sizeof(int));
	}
	sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void say(unsigned int n, bool along, struct fuzz_input *in)
{
	char text[2048];
	size_t used = 0, count = fuzz_take(in, 1);

	while (count-- && fuzz_more(in)) {
		u8 byte = (u8)fuzz_take(in, 1);
		const char *word = byte >= 0x80 ? words[(byte - 0x80u) % WORDS] : NULL;
		size_t bytes = word ? strlen(word) : 1;

		if (used + bytes > sizeof(text))
			break;
		memcpy(text + used, word ? word : (const char *)&byte, bytes);
		used += bytes;
	}
	if (peer[n] >= 0 && used)
		transmit(peer[n], text, used, along);
}

/* ---- the loop ---- */

static void check_clients(void)
{
	unsigned int streams = 0;

	for (unsigned int n = 0; n < CLIENTS_MAX; n++) {
		const struct client *c = &process.server.client[n];
		bool stream = c->console || (c->relay && relay_streams(c->relay));

		if (c->line_bytes > sizeof(c->line) || c->input.bytes > sizeof(c->input.data))
			fuzz_die("client", "more than its buffer holds");
		if (c->out_bytes > OUT_MOST || c->out_bytes > c->out_room)
			fuzz_die("client", "more is kept for it than may be");
		if (c->fd < 0 && (c->out || c->relay || c->line_bytes || c->given >= 0))
			fuzz_die("client", "it is gone, and something of it is left");
		streamed |= stream;
		streams += c->console || c->events || c->relay;
	}
	if (streams > STREAMS_MAX)
		fuzz_die("clients", "more streams than there may be");
}

static void serve(void)
{
	struct pollfd fds[SERVER_FDS];

	server_fill(&process, fds);
	if (poll(fds, SERVER_FDS, 0) < 0)
		fuzz_die("poll", strerror(errno));
	server_serve(&process, fds);
	check_clients();
}

static void happen(u8 what)
{
	static const struct mh_event event = { .kind = MH_EVENT_DEVICE_ERROR,
					       .state = MH_VM_STOPPED,
					       .reason = MH_STOP_ERROR,
					       .error = MH_EIO,
					       .text = "it\n\"broke\"" };

	if (what < 0x40)
		server_tell(&process, &event);
	else
		output_add(&process.output, "a guest prints\n", 15);
}

static void step(struct fuzz_input *in)
{
	u8 what = (u8)fuzz_take(in, 1);
	unsigned int n = what % 32 % PEERS;

	switch (what >> 5) {
	case 0:
		ring_up(n);
		break;
	case 1:
		hang_up(n);
		break;
	case 2:
		hear(n);
		break;
	case 3:
		happen((u8)fuzz_take(in, 1));
		break;
	case 4:
		answer((u8)n, (u8)fuzz_take(in, 1));
		break;
	default:
		if (peer[n] < 0)
			ring_up(n);
		say(n, what >> 5 == 7, in);
	}
	serve();
}

/* The lowest one that is free: it is another one when one has been left open. */
static int free_descriptor(void)
{
	int fd = dup(process.output.wake);

	close(fd);
	return fd;
}

static void start(void)
{
	memset(&process.server, 0, sizeof(process.server));
	memset(&agent, 0, sizeof(agent));
	process.store = &store;
	process.info.name = "n";
	process.info.cpus = 2;
	streamed = false;
	/* What is printed is kept, and the log cannot be written. */
	process.output.vm = &store;
	process.output.end = 0;
	if (server_init(&process))
		fuzz_die("server_init", strerror(errno));
	for (unsigned int n = 0; n < PEERS; n++) {
		peer[n] = -1;
		heard_bytes[n] = 0;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	int first;

	if (!process.output.wake && output_init(&process.output, NULL, NULL))
		fuzz_die("output_init", strerror(errno));
	first = free_descriptor();
	start();
	attached = fuzz_take(&in, 1) != 0;
	for (unsigned int n = 0; n < OPS_MOST && fuzz_more(&in); n++)
		step(&in);
	serve();
	for (unsigned int n = 0; n < PEERS; n++)
		hear(n);
	server_fini(&process);
	for (unsigned int n = 0; n < PEERS; n++)
		hang_up(n);
	/* What was asked is answered, though nobody hears it. */
	for (unsigned int n = 0; n < TRANSFERS; n++)
		if (agent.transfer[n].id)
			finish(&agent.transfer[n], MH_ESTATE);
	if (free_descriptor() != first)
		fuzz_die("descriptors", "one is left open");
	return 0;
}

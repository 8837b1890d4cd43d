// SPDX-License-Identifier: MIT
/*
 * Fuzzes the agents' core (libFuzzer): a host that says anything, and listens when it likes. No
 * request has two results, and what belongs to one is let go of when it is over.
 */
#include <string.h>

#include "../../tools/guest-agent/content.h"
#include "../../tools/guest-agent/exec.h"
#include "../../tools/guest-agent/files.h"
#include "../../tools/guest-agent/os.h"
#include "fuzz.h"

static const u8 types[] = {
#define NUMBER(NAME, name, number) number,
	MHI_AGENT_MESSAGES(NUMBER)
};

struct state {
	struct ga_session session;
	unsigned int contents; /* that are asked for */
};

/* ---- files, in memory ---- */

struct ga_file {
	u64 at;
};

struct ga_file *ga_file_create(const char *path, u32 mode, struct ga_failure *why)
{
	struct ga_file *file = strlen(path) % 7 ? calloc(1, sizeof(*file)) : NULL;

	*why = (struct ga_failure){ MHI_AGENT_DENIED, "not this one" };
	return file;
}

bool ga_file_write(struct ga_file *file, const void *data, size_t bytes, struct ga_failure *why)
{
	*why = (struct ga_failure){ MHI_AGENT_FAILED, "full" };
	file->at += bytes;
	return file->at < 1000000;
}

bool ga_file_commit(struct ga_file *file, struct ga_failure *why)
{
	*why = (struct ga_failure){ MHI_AGENT_FAILED, "gone" };
	free(file);
	return true;
}

struct ga_file *ga_file_open(const char *path, uint32_t *mode, uint64_t *bytes,
			     struct ga_failure *why)
{
	*mode = 0;
	*bytes = strlen(path) * 100000;
	return ga_file_create(path, 0, why);
}

long ga_file_read(struct ga_file *file, void *data, size_t bytes, struct ga_failure *why)
{
	*why = (struct ga_failure){ MHI_AGENT_FAILED, "bad" };
	memset(data, 'x', bytes);
	file->at += bytes;
	return file->at < 1000000 ? (long)bytes : -1;
}

void ga_file_close(struct ga_file *file)
{
	free(file);
}

/* ---- handlers ---- */

static void at_once(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct mhi_msg_info info = { 0 };

	if (msg->type == MHI_MSG_GET_INFO)
		ga_reply(r, MHI_MSG_INFO, &info);
	ga_end(r, (enum mhi_agent_code)(msg->serial % 9), "%s", "a text");
}

/* Takes its input and says it again. */
static void echo(struct ga_request *r, u32 stream, const u8 *data, u32 bytes)
{
	size_t room = ga_room(r);

	ga_data(r, 1, data, bytes < room ? bytes : room);
	if (bytes)
		ga_credit(r, bytes);
	else
		ga_done(r);
}

static void run(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	static const struct ga_request_ops ops = { .data = echo };
	struct ga_exec exec;
	int rc = ga_exec_init(&exec, &msg->u.exec);
	size_t bytes = 0;

	for (char **at = rc ? NULL : exec.arguments; at && *at; at++)
		bytes += strlen(*at);
	for (char **at = rc ? NULL : exec.environment; at && *at; at++)
		bytes += strlen(*at);
	if (bytes > msg->u.exec.strings.bytes)
		fuzz_die("strings", "longer than what there is");
	ga_exec_fini(&exec);
	if (rc)
		ga_end(r, MHI_AGENT_INVALID, "none");
	else if (r)
		r->ops = &ops;
}

static void content(void *opaque, u8 *data, size_t bytes)
{
	struct state *s = opaque;

	s->contents--;
	if (data && data[bytes])
		fuzz_die("content", "without a zero behind it");
	free(data);
}

static void offer(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct mhi_msg_clip_request what = { 0, msg->u.clip_offer.offer, 1, 0 };
	struct state *s = os;

	if (ga_content_ask(&s->session, &what, content, s))
		s->contents++;
	ga_done(r);
}

static void want(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	size_t bytes = msg->u.clip_request.offer % 1000000;
	u8 *data = calloc(1, bytes + 1);

	if (r && data)
		ga_content_send(r, data, bytes);
	else
		free(data);
}

static const struct ga_os fake_os = {
	.system = "fuzz",
	.agent = "fuzz",
	.get_info = at_once,
	.shutdown = at_once,
	.exec = run,
	.file_put = ga_file_put,
	.file_get = ga_file_get,
	.clip_offer = offer,
	.clip_request = want,
	.seamless = at_once,
	.key = at_once,
};

/* ---- a host ---- */

/* Take some of what was said: it consists of frames that can be decoded. */
static void listen(struct state *s, size_t most)
{
	const u8 *data;
	size_t bytes = ga_output(&s->session, &data);
	struct mhi_agent_msg msg;
	long n = bytes ? mhi_agent_frame(data, bytes) : 0;

	if (n < 0 || (n > 0 && mhi_agent_decode(data, &msg)))
		fuzz_die("output", "no frame");
	ga_sent(&s->session, n > 0 && (size_t)n <= most * 1000 ? (size_t)n : 0);
}

static void welcome(struct state *s)
{
	struct mhi_msg_welcome msg = { MHI_AGENT_VERSION, 0xffffffffu, 0 };
	u8 frame[64];
	size_t bytes = mhi_agent_encode(frame, sizeof(frame), MHI_MSG_WELCOME, 5, &msg);

	ga_connected(&s->session, 5, 0);
	ga_input(&s->session, frame, bytes);
}

/* A message of data: type, serial, bytes of the payload, those. Returns its bytes. */
static size_t say(struct state *s, const u8 *data, size_t size)
{
	u8 frame[MHI_AGENT_HEADER + 255] = "MHA1";
	size_t payload = size < 3 ? 0 : data[2];

	if (size < 3)
		return size;
	payload = payload < size - 3 ? payload : size - 3;
	frame[4] = types[data[0] % sizeof(types)];
	frame[8] = data[1] & 0x7f;
	frame[11] = data[1] & 0x80;
	frame[12] = (u8)payload;
	memcpy(frame + MHI_AGENT_HEADER, data + 3, payload);
	if (ga_input(&s->session, frame, MHI_AGENT_HEADER + payload))
		welcome(s);
	return 3 + payload;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s || ga_init(&s->session, &fake_os, s, 0xffffffffu)) {
		free(s);
		return 0;
	}
	welcome(s);
	while (size) {
		u8 first = *data++;
		size_t n;

		size--;
		if (first < 0x40)
			listen(s, first);
		else if (first == 0x40)
			ga_tick(&s->session, size * 1000);
		else if (first == 0x41 && ga_input(&s->session, data, size))
			welcome(s);
		n = first > 0x41 ? say(s, data, size) : 0;
		data += n;
		size -= n;
	}
	ga_fini(&s->session);
	if (s->contents)
		fuzz_die("contents", "not let go of");
	free(s);
	return 0;
}

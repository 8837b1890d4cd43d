/* SPDX-License-Identifier: MIT */
/* What the host asks of an agent: public functions, which go to the loop's thread. */
#include <stdlib.h>
#include <time.h>

#include "api/agent_impl.h"

/* Leaves room for the other fields of the message. */
#define STRINGS_MAX 61440u
#define SIZE_LEAST 64u
#define SIZE_MOST 16384u
#define SIGNAL_MAX 64u
/* Linux' KEY_MAX. */
#define CODE_MAX 0x2ffu

/* ---- plain requests ---- */

struct plain_call {
	struct mh_agent *agent;
	const struct mhi_agent_plain *plain;
	int rc;
};

static void ask_plain(void *opaque)
{
	struct plain_call *call = opaque;

	call->rc = mhi_agent_ask_plain(call->agent->session, call->plain);
}

static int ask(struct mh_agent *agent, const char *what, const struct mhi_agent_plain *plain)
{
	struct plain_call call = { agent, plain, 0 };

	mhi_loop_call(agent->loop, ask_plain, &call);
	return mhi_agent_failed(agent, what, call.rc);
}

int mh_agent_shutdown(struct mh_agent *agent, uint32_t how, mh_agent_done_fn *fn, void *opaque)
{
	const struct mhi_msg_shutdown msg = { .mode = how == MH_AGENT_REBOOT ? MHI_AGENT_REBOOT
									     : MHI_AGENT_OFF };
	const struct mhi_agent_plain plain = { MHI_AGENT_F_POWER, MHI_MSG_SHUTDOWN, &msg, fn,
					       opaque };

	if (!agent)
		return MH_EINVAL;
	if (how > MH_AGENT_REBOOT)
		return mhi_agent_wrong(agent, "shut down",
				       "how is %u; use MH_AGENT_OFF or MH_AGENT_REBOOT", how);
	return ask(agent, "shut down", &plain);
}

int mh_agent_set_time(struct mh_agent *agent, uint64_t unix_ns, mh_agent_done_fn *fn, void *opaque)
{
	struct mhi_msg_set_time msg = { .unix_ns = unix_ns };
	const struct mhi_agent_plain plain = { MHI_AGENT_F_TIME, MHI_MSG_SET_TIME, &msg, fn,
					       opaque };
	struct timespec now;

	if (!agent)
		return MH_EINVAL;
	if (!unix_ns) {
		clock_gettime(CLOCK_REALTIME, &now);
		msg.unix_ns = (u64)now.tv_sec * 1000000000ull + (u64)now.tv_nsec;
	}
	return ask(agent, "set the time", &plain);
}

int mh_agent_mount(struct mh_agent *agent, const char *tag, const char *path, uint32_t flags,
		   mh_agent_done_fn *fn, void *opaque)
{
	const u32 how = (flags & MH_AGENT_READONLY ? MHI_AGENT_MOUNT_READONLY : 0) |
			(flags & MH_AGENT_VIRTIOFS ? MHI_AGENT_MOUNT_VIRTIOFS : 0);
	const struct mhi_msg_mount msg = { .tag = tag, .path = path, .flags = how };
	const struct mhi_agent_plain plain = { MHI_AGENT_F_MOUNT, MHI_MSG_MOUNT, &msg, fn, opaque };

	if (!agent)
		return MH_EINVAL;
	if (!tag || !path || path[0] != '/' || (flags & ~(MH_AGENT_READONLY | MH_AGENT_VIRTIOFS)))
		return mhi_agent_wrong(agent, "mount",
				       "tag or path is NULL, path is not absolute, or flags has "
				       "unknown bits; pass a share's tag and a path from /");
	return ask(agent, "mount", &plain);
}

int mh_agent_unmount(struct mh_agent *agent, const char *tag, const char *path,
		     mh_agent_done_fn *fn, void *opaque)
{
	const struct mhi_msg_unmount msg = { .tag = tag, .path = path };
	const struct mhi_agent_plain plain = { MHI_AGENT_F_MOUNT, MHI_MSG_UNMOUNT, &msg, fn,
					       opaque };

	if (!agent)
		return MH_EINVAL;
	if (!tag || !path || path[0] != '/')
		return mhi_agent_wrong(agent, "unmount",
				       "tag or path is NULL, or path is not absolute; pass what "
				       "was mounted");
	return ask(agent, "unmount", &plain);
}

int mh_agent_resize(struct mh_agent *agent, uint32_t width, uint32_t height, mh_agent_done_fn *fn,
		    void *opaque)
{
	const struct mhi_msg_resize msg = { .width = width, .height = height };
	const struct mhi_agent_plain plain = { MHI_AGENT_F_RESIZE, MHI_MSG_RESIZE, &msg, fn,
					       opaque };

	if (!agent)
		return MH_EINVAL;
	if (width < SIZE_LEAST || width > SIZE_MOST || height < SIZE_LEAST || height > SIZE_MOST)
		return mhi_agent_wrong(agent, "resize",
				       "%u by %u is not %u to %u each; choose a size from there",
				       width, height, SIZE_LEAST, SIZE_MOST);
	return ask(agent, "resize", &plain);
}

/* ---- info ---- */

struct info_call {
	struct mh_agent *agent;
	mh_agent_info_fn *fn;
	void *opaque;
	int rc;
};

static void ask_info(void *opaque)
{
	struct info_call *call = opaque;

	call->rc = mhi_agent_info(call->agent->session, call->fn, call->opaque);
}

int mh_agent_info(struct mh_agent *agent, mh_agent_info_fn *fn, void *opaque)
{
	struct info_call call = { agent, fn, opaque, 0 };

	if (!agent)
		return MH_EINVAL;
	if (!fn)
		return mhi_agent_wrong(agent, "info", "fn is NULL; pass a function");
	mhi_loop_call(agent->loop, ask_info, &call);
	return mhi_agent_failed(agent, "info", call.rc);
}

/* ---- transfers ---- */

struct transfer_call {
	struct mh_agent *agent;
	const struct mhi_agent_transfer *transfer;
	int rc;
};

static void do_transfer(void *opaque)
{
	struct transfer_call *call = opaque;

	call->rc = mhi_agent_transfer(call->agent->session, call->transfer);
}

static int transfer(struct mh_agent *agent, const char *what, const struct mhi_agent_transfer *t)
{
	struct transfer_call call = { agent, t, 0 };

	if (!t->ops || t->ops->version != 1)
		return mhi_agent_wrong(agent, what,
				       "ops is NULL, or its version is not 1; set it to 1");
	mhi_loop_call(agent->loop, do_transfer, &call);
	return mhi_agent_failed(agent, what, call.rc);
}

/* Bytes of the strings with their zeroes; UINT32_MAX: too many. */
static u32 measure(const char *const *strings, u32 *count)
{
	u64 bytes = 0;

	for (*count = 0; strings && strings[*count] && bytes <= STRINGS_MAX; (*count)++)
		bytes += strlen(strings[*count]) + 1;
	return bytes <= STRINGS_MAX ? (u32)bytes : UINT32_MAX;
}

static u8 *copy_strings(u8 *to, const char *const *strings, u32 count)
{
	for (u32 n = 0; n < count; n++) {
		size_t bytes = strlen(strings[n]) + 1;

		memcpy(to, strings[n], bytes);
		to += bytes;
	}
	return to;
}

static int check_exec(struct mh_agent *agent, const struct mh_agent_exec_config *config)
{
	if (!config || config->size != sizeof(*config))
		return mhi_agent_wrong(
			agent, "exec",
			"config is NULL, or its size is not set; use the INIT macro");
	if (config->flags & ~MH_AGENT_EXEC_INPUT)
		return mhi_agent_wrong(agent, "exec",
				       "config.flags has unknown bits 0x%x; use "
				       "MH_AGENT_EXEC_INPUT",
				       config->flags & ~MH_AGENT_EXEC_INPUT);
	if (!config->argv || !config->argv[0] || !config->argv[0][0])
		return mhi_agent_wrong(agent, "exec",
				       "config.argv has no program; put its name first");
	return 0;
}

int mh_agent_exec(struct mh_agent *agent, const struct mh_agent_exec_config *config,
		  const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id)
{
	struct mhi_msg_exec msg = { 0 };
	const struct mhi_agent_transfer t = { MHI_MSG_EXEC, &msg, ops, opaque, id };
	u32 argv_bytes, env_bytes, env;
	u8 *strings;
	int rc;

	if (!agent)
		return MH_EINVAL;
	rc = check_exec(agent, config);
	if (rc)
		return rc;
	argv_bytes = measure(config->argv, &msg.arguments);
	env_bytes = measure(config->env, &env);
	if ((u64)argv_bytes + env_bytes > STRINGS_MAX)
		return mhi_agent_failed(agent, "exec", MH_ERANGE);
	strings = malloc(argv_bytes + env_bytes);
	if (!strings)
		return mhi_agent_failed(agent, "exec", MH_ENOMEM);
	copy_strings(copy_strings(strings, config->argv, msg.arguments), config->env, env);
	msg.strings = (struct mhi_agent_rest){ strings, argv_bytes + env_bytes };
	msg.directory = config->directory;
	msg.user = config->user;
	if (config->flags & MH_AGENT_EXEC_INPUT)
		msg.flags |= MHI_AGENT_EXEC_INPUT;
	if (ops && ops->output)
		msg.flags |= MHI_AGENT_EXEC_OUTPUT | MHI_AGENT_EXEC_ERRORS;
	rc = transfer(agent, "exec", &t);
	free(strings);
	return rc;
}

int mh_agent_put(struct mh_agent *agent, const struct mh_agent_file *file,
		 const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id)
{
	struct mhi_msg_file_put msg = { 0 };
	const struct mhi_agent_transfer t = { MHI_MSG_FILE_PUT, &msg, ops, opaque, id };

	if (!agent)
		return MH_EINVAL;
	if (!file || file->size != sizeof(*file) || !file->path || !file->path[0])
		return mhi_agent_wrong(agent, "put",
				       "file is NULL, its size is not set, or it has no path; use "
				       "the INIT macro and set path");
	msg.path = file->path;
	msg.mode = file->mode & 07777;
	msg.bytes = file->bytes;
	return transfer(agent, "put", &t);
}

int mh_agent_get(struct mh_agent *agent, const char *path, const struct mh_agent_transfer_ops *ops,
		 void *opaque, uint64_t *id)
{
	const struct mhi_msg_file_get msg = { .path = path };
	const struct mhi_agent_transfer t = { MHI_MSG_FILE_GET, &msg, ops, opaque, id };

	if (!agent)
		return MH_EINVAL;
	if (!path || !path[0])
		return mhi_agent_wrong(agent, "get", "path is NULL or empty; pass a file's");
	return transfer(agent, "get", &t);
}

struct transfer_op {
	struct mh_agent *agent;
	u64 id;
	const void *data;
	size_t bytes;
	u32 value;
	int rc;
};

static int run(struct mh_agent *agent, const char *what, void (*fn)(void *opaque),
	       struct transfer_op *op)
{
	if (!agent)
		return MH_EINVAL;
	op->agent = agent;
	mhi_loop_call(agent->loop, fn, op);
	return mhi_agent_failed(agent, what, op->rc);
}

static void do_write(void *opaque)
{
	struct transfer_op *op = opaque;

	op->rc = mhi_agent_write(op->agent->session, op->id, op->data, op->bytes);
}

int mh_agent_write(struct mh_agent *agent, uint64_t id, const void *data, size_t bytes)
{
	struct transfer_op op = { .id = id, .data = data, .bytes = bytes };

	if (agent && bytes && !data)
		return mhi_agent_wrong(agent, "write", "data is NULL; pass some");
	return run(agent, "write", do_write, &op);
}

static void do_hold(void *opaque)
{
	struct transfer_op *op = opaque;

	op->rc = mhi_agent_hold(op->agent->session, op->id, op->value != 0);
}

int mh_agent_hold(struct mh_agent *agent, uint64_t id, uint32_t held)
{
	struct transfer_op op = { .id = id, .value = held };

	return run(agent, "hold", do_hold, &op);
}

static void do_kill(void *opaque)
{
	struct transfer_op *op = opaque;

	op->rc = mhi_agent_kill(op->agent->session, op->id, op->value);
}

int mh_agent_kill(struct mh_agent *agent, uint64_t id, uint32_t signal)
{
	struct transfer_op op = { .id = id, .value = signal };

	if (agent && (!signal || signal > SIGNAL_MAX))
		return mhi_agent_wrong(agent, "kill", "signal is %u, not 1 to %u; choose another",
				       signal, SIGNAL_MAX);
	return run(agent, "kill", do_kill, &op);
}

static void do_cancel(void *opaque)
{
	struct transfer_op *op = opaque;

	op->rc = mhi_agent_cancel(op->agent->session, op->id);
}

int mh_agent_cancel(struct mh_agent *agent, uint64_t id)
{
	struct transfer_op op = { .id = id };

	return run(agent, "cancel", do_cancel, &op);
}

/* ---- input ---- */

struct tell_call {
	struct mh_agent *agent;
	u32 type;
	const void *msg;
	int rc;
};

static void do_tell(void *opaque)
{
	struct tell_call *call = opaque;

	call->rc = mhi_agent_tell(call->agent->session, MHI_AGENT_F_INPUT, call->type, call->msg);
}

static int tell(struct mh_agent *agent, u32 type, const void *msg)
{
	struct tell_call call = { agent, type, msg, 0 };

	if (!agent)
		return MH_EINVAL;
	mhi_loop_call(agent->loop, do_tell, &call);
	return mhi_agent_failed(agent, "input", call.rc);
}

static int check_code(struct mh_agent *agent, u32 code)
{
	if (agent && (!code || code > CODE_MAX))
		return mhi_agent_wrong(agent, "input",
				       "code is %u, not 1 to %u; use KEY_* or BTN_*", code,
				       CODE_MAX);
	return 0;
}

int mh_agent_key(struct mh_agent *agent, uint32_t code, uint32_t down)
{
	const struct mhi_msg_key msg = { .key = code, .down = down != 0 };
	int rc = check_code(agent, code);

	return rc ? rc : tell(agent, MHI_MSG_KEY, &msg);
}

int mh_agent_pointer(struct mh_agent *agent, int32_t x, int32_t y)
{
	const struct mhi_msg_pointer msg = { .x = x, .y = y };

	return tell(agent, MHI_MSG_POINTER, &msg);
}

int mh_agent_button(struct mh_agent *agent, uint32_t code, uint32_t down)
{
	const struct mhi_msg_button msg = { .button = code, .down = down != 0 };
	int rc = check_code(agent, code);

	return rc ? rc : tell(agent, MHI_MSG_BUTTON, &msg);
}

int mh_agent_wheel(struct mh_agent *agent, int32_t vertical, int32_t horizontal)
{
	const struct mhi_msg_wheel msg = { .vertical = vertical, .horizontal = horizontal };

	return tell(agent, MHI_MSG_WHEEL, &msg);
}

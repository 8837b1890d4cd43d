/* SPDX-License-Identifier: MIT */
/* What can be asked of a VM's process: the methods of docs/control-socket.md. */
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *control_state(enum mh_vm_state state)
{
	static const char *const names[] = {
		[MH_VM_CREATED] = "created",
		[MH_VM_RUNNING] = "running",
		[MH_VM_PAUSED] = "paused",
		[MH_VM_STOPPED] = "stopped",
	};

	return names[state];
}

const char *control_reason(enum mh_stop_reason reason)
{
	static const char *const names[] = {
		[MH_STOP_NONE] = "none",	 [MH_STOP_REQUEST] = "request",
		[MH_STOP_POWEROFF] = "poweroff", [MH_STOP_RESET] = "reset",
		[MH_STOP_SHUTDOWN] = "shutdown", [MH_STOP_ERROR] = "error",
		[MH_STOP_WATCHDOG] = "watchdog",
	};

	return names[reason];
}

static const char *event_name(uint32_t kind)
{
	static const char *const names[] = {
		[MH_EVENT_STATE] = "state",	  [MH_EVENT_RESET] = "reset",
		[MH_EVENT_PANIC] = "panic",	  [MH_EVENT_CRASH_KERNEL] = "crash-kernel",
		[MH_EVENT_WATCHDOG] = "watchdog", [MH_EVENT_DEVICE_ERROR] = "device-error",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "other";
}

/* ---- methods: 0, or the library's error ---- */

static int do_hello(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	cJSON_AddNumberToObject(result, "protocol", RPC_VERSION);
	cJSON_AddStringToObject(result, "program", CLI_VERSION);
	cJSON_AddStringToObject(result, "library", mh_version());
	return 0;
}

static int do_status(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	bool virtio = p->info.console == MH_CONFIG_VIRTIO;

	cJSON_AddStringToObject(result, "name", p->info.name);
	cJSON_AddStringToObject(result, "state", control_state(mh_vm_state(p->vm)));
	cJSON_AddNumberToObject(result, "pid", getpid());
	cJSON_AddNumberToObject(result, "cpus", p->info.cpus);
	cJSON_AddNumberToObject(result, "memory_bytes", (double)p->info.memory_bytes);
	cJSON_AddNumberToObject(result, "started", (double)p->started_s);
	cJSON_AddNumberToObject(result, "uptime_s",
				(double)((process_boot_ms() - p->started_ms) / 1000));
	cJSON_AddStringToObject(result, "console", virtio ? "virtio" : "serial");
	cJSON_AddStringToObject(result, "sandbox", confine_state(p));
	return 0;
}

static int do_pause(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	return mh_vm_pause(p->vm);
}

static int do_resume(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	return mh_vm_resume(p->vm);
}

static int do_reset(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	return mh_vm_reset(p->vm);
}

/* A paused guest does not see its button. */
static int do_stop(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	int error = 0;

	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(params, "force")))
		return mh_vm_stop(p->vm);
	if (mh_vm_state(p->vm) == MH_VM_PAUSED)
		error = mh_vm_resume(p->vm);
	return error ? error : process_shut_down(p);
}

bool control_numbers(struct process *p, uint32_t index, uint64_t number[CONTROL_NUMBERS])
{
	struct mh_vm_metrics m = MH_VM_METRICS_INIT;

	if (mh_vcpu_metrics(p->vm, index, &m))
		return false;
	number[0] = m.entries;
	number[1] = 0;
	for (unsigned int kind = MH_SERVICE_NONE + 1; kind < MH_SERVICE_KINDS_MAX; kind++)
		number[1] += m.services[kind];
	number[2] = m.faults;
	number[3] = m.halts;
	number[4] = m.interrupts;
	number[5] = m.doorbells;
	return true;
}

static void add_vcpu(struct process *p, uint32_t index, cJSON *list)
{
	static const char *const keys[CONTROL_NUMBERS] = { "entries", "user_exits", "faults",
							   "halts",   "interrupts", "doorbells" };
	uint64_t number[CONTROL_NUMBERS];
	cJSON *vcpu;

	if (!control_numbers(p, index, number))
		return;
	vcpu = cJSON_CreateObject();
	for (unsigned int n = 0; n < CONTROL_NUMBERS; n++)
		cJSON_AddNumberToObject(vcpu, keys[n], (double)number[n]);
	cJSON_AddItemToArray(list, vcpu);
}

static void add_balloon(struct process *p, cJSON *result)
{
	struct mh_balloon_stats s = MH_BALLOON_STATS_INIT;
	cJSON *balloon;

	if (!p->parts.balloon || mh_balloon_stats(p->parts.balloon, &s))
		return;
	balloon = cJSON_AddObjectToObject(result, "balloon");
	cJSON_AddNumberToObject(balloon, "target_bytes", (double)s.target_bytes);
	cJSON_AddNumberToObject(balloon, "actual_bytes", (double)s.actual_bytes);
}

static int do_stats(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	cJSON *list = cJSON_AddArrayToObject(result, "vcpus");

	for (uint32_t n = 0; n < p->info.cpus; n++)
		add_vcpu(p, n, list);
	add_balloon(p, result);
	return 0;
}

/* Who has no place gets an error with its cure. */
static int no_stream(struct process *p)
{
	snprintf(
		p->why, sizeof(p->why),
		"control socket: %d connections look at the console, hear events or transfer files "
		"already, and no more may; end one of them",
		STREAMS_MAX);
	return MH_EBUSY;
}

static int do_events(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	if (!server_may_stream(p, c))
		return no_stream(p);
	c->events = true;
	return 0;
}

static int do_console(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	if (!server_may_stream(p, c))
		return no_stream(p);
	c->console = true;
	c->events = false;
	return 0;
}

/* ---- what the guest's agent does ---- */

static struct mh_agent *agent_of(struct process *p, int *error)
{
	struct mh_agent *agent = mh_vm_agent(p->vm);

	*error = agent ? 0 : MH_ENOENT;
	return agent;
}

/* The connection becomes the transfer's. */
static int do_transfer(struct process *p, struct client *c, const cJSON *params,
		       int (*begin)(struct mh_agent *agent, const cJSON *params, int wake,
				    struct relay **out))
{
	int error;
	struct mh_agent *agent = agent_of(p, &error);

	if (!error && !server_may_stream(p, c))
		error = no_stream(p);
	if (!error)
		error = begin(agent, params, p->output.wake, &c->relay);
	if (!error)
		c->events = false;
	return error;
}

static int do_exec(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	return do_transfer(p, c, params, relay_exec);
}

static int do_put(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	return do_transfer(p, c, params, relay_put);
}

static int do_get(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	return do_transfer(p, c, params, relay_get);
}

static cJSON_bool is_texts(const cJSON *param)
{
	const cJSON *item;

	if (!cJSON_IsArray(param))
		return false;
	cJSON_ArrayForEach(item, param) if (!cJSON_IsString(item)) return false;
	return true;
}

static cJSON_bool is_natural(const cJSON *param)
{
	return cJSON_IsNumber(param) && param->valuedouble >= 0 && param->valuedouble < 9e15;
}

#define CODES_MAX 16

static cJSON_bool is_codes(const cJSON *param)
{
	const cJSON *code;

	if (!cJSON_IsArray(param) || cJSON_GetArraySize(param) > CODES_MAX)
		return false;
	cJSON_ArrayForEach(code,
			   param) if (!cJSON_IsNumber(code) || code->valueint < 0) return false;
	return true;
}

/* All of them are pressed, in their order, and let go in the other one. */
static int do_send_key(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	const cJSON *codes = cJSON_GetObjectItemCaseSensitive(params, "codes");
	int count = cJSON_GetArraySize(codes), n, error = 0;
	uint32_t code[CODES_MAX];

	for (n = 0; n < count; n++)
		code[n] = (uint32_t)cJSON_GetArrayItem(codes, n)->valueint;
	for (n = 0; n < count && !error; n++)
		error = mh_input_key(p->vm, code[n], true);
	while (n--)
		mh_input_key(p->vm, code[n], false);
	return error;
}

/* By errno. */
static int no_screenshot(struct process *p)
{
	snprintf(p->why, sizeof(p->why), "screenshot: cannot write a file into the VM's folder: %s",
		 strerror(errno));
	return MH_EIO;
}

static int do_screenshot(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	int fd = steward_new_screenshot(&p->steward), error;

	if (fd < 0)
		return no_screenshot(p);
	error = mh_display_png(p->vm, fd);
	close(fd);
	if (steward_keep_screenshot(&p->steward, !error) && !error)
		error = no_screenshot(p);
	if (error)
		return error;
	cJSON_AddStringToObject(result, "file", STORE_SCREENSHOT);
	return 0;
}

static bool read_authority(const cJSON *params, struct mh_x11_socket *to)
{
	const char *name = rpc_text(params, "auth_name"), *hex = rpc_text(params, "auth_data");
	size_t bytes = strlen(hex) / 2;

	if (strlen(name) >= sizeof(to->auth_name) || bytes > sizeof(to->auth_data) ||
	    strspn(hex, "0123456789abcdef") != 2 * bytes)
		return false;
	memcpy(to->auth_name, name, strlen(name) + 1);
	to->auth_bytes = (uint32_t)bytes;
	for (size_t n = 0; n < bytes; n++) {
		char digits[3] = { hex[2 * n], hex[2 * n + 1], '\0' };

		to->auth_data[n] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

static int show(struct process *p, enum desk_part part, struct client *c, const cJSON *params)
{
	struct desk_place place = { rpc_text(params, "display"), MH_X11_SOCKET_INIT };
	const cJSON *screen = cJSON_GetObjectItemCaseSensitive(params, "screen");

	place.socket.fd = c->given;
	place.socket.screen = screen ? (uint32_t)screen->valueint : 0;
	if (read_authority(params, &place.socket))
		return desk_show(p, part, &place);
	snprintf(
		p->why, sizeof(p->why),
		"showing it on an X server: its authority is none: a name, and hexadecimal digits");
	return MH_EINVAL;
}

/* What came along is used up: the connection has a descriptor of its own. */
static int desk(struct process *p, enum desk_part part, struct client *c, const cJSON *params)
{
	int error;

	if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(params, "on")))
		error = desk_hide(p, part);
	else
		error = show(p, part, c, params);
	if (c->given >= 0)
		close(c->given);
	c->given = -1;
	return error;
}

static int do_window(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	return desk(p, DESK_WINDOW, c, params);
}

/* Windows of the guest among those of the desktop have the same clipboard as those. */
static int do_seamless(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	int error = desk(p, DESK_SEAMLESS, c, params);

	return error ? error : desk(p, DESK_CLIPBOARD, c, params);
}

static int do_clipboard(struct process *p, struct client *c, const cJSON *params, cJSON *result)
{
	return desk(p, DESK_CLIPBOARD, c, params);
}

struct param {
	const char *name; /* NULL ends the table */
	cJSON_bool (*is)(const cJSON *);
};

static const struct param stop_params[] = { { "force", cJSON_IsBool }, { NULL, NULL } };
static const struct param key_params[] = { { "codes", is_codes }, { NULL, NULL } };
static const struct param exec_params[] = {
	{ "argv", is_texts },	    { "env", is_texts },       { "directory", cJSON_IsString },
	{ "user", cJSON_IsString }, { "input", cJSON_IsBool }, { NULL, NULL },
};
static const struct param put_params[] = {
	{ "path", cJSON_IsString },
	{ "mode", is_natural },
	{ "bytes", is_natural },
	{ NULL, NULL },
};
static const struct param get_params[] = { { "path", cJSON_IsString }, { NULL, NULL } };

static const struct param desk_params[] = {
	{ "on", cJSON_IsBool },		 { "display", cJSON_IsString },	  { "screen", is_natural },
	{ "auth_name", cJSON_IsString }, { "auth_data", cJSON_IsString }, { NULL, NULL },
};

static const struct method {
	const char *name;
	int (*run)(struct process *p, struct client *c, const cJSON *params, cJSON *result);
	const struct param *params; /* NULL: none */
} methods[] = {
	{ "hello", do_hello, NULL },
	{ "status", do_status, NULL },
	{ "pause", do_pause, NULL },
	{ "resume", do_resume, NULL },
	{ "reset", do_reset, NULL },
	{ "stop", do_stop, stop_params },
	{ "stats", do_stats, NULL },
	{ "events", do_events, NULL },
	{ "console", do_console, NULL },
	{ "send-key", do_send_key, key_params },
	{ "exec", do_exec, exec_params },
	{ "put", do_put, put_params },
	{ "get", do_get, get_params },
	{ "guest-info", NULL, NULL },
	{ "screenshot", do_screenshot, NULL },
	{ "window", do_window, desk_params },
	{ "seamless", do_seamless, desk_params },
	{ "clipboard", do_clipboard, desk_params },
};

/* ---- JSON-RPC 2.0 ---- */

static cJSON *new_answer(const cJSON *id)
{
	cJSON *answer = cJSON_CreateObject(), *copy = id ? cJSON_Duplicate(id, 0) : NULL;

	cJSON_AddStringToObject(answer, "jsonrpc", "2.0");
	cJSON_AddItemToObject(answer, "id", copy ? copy : cJSON_CreateNull());
	return answer;
}

static void answer_error(struct client *c, const cJSON *id, int code, const char *text,
			 const char *name)
{
	cJSON *answer = new_answer(id), *error = cJSON_AddObjectToObject(answer, "error");

	cJSON_AddNumberToObject(error, "code", code);
	cJSON_AddStringToObject(error, "message", text);
	if (name)
		cJSON_AddStringToObject(cJSON_AddObjectToObject(error, "data"), "error", name);
	client_send_document(c, answer);
	cJSON_Delete(answer);
}

static bool known_param(const cJSON *item, const struct param *known)
{
	for (; known && known->name; known++)
		if (!strcmp(item->string, known->name))
			return known->is(item);
	return false;
}

static bool known_params(const cJSON *params, const struct param *known)
{
	const cJSON *item;

	if (params && !cJSON_IsObject(params))
		return false;
	cJSON_ArrayForEach(item, params) if (!known_param(item, known)) return false;
	return true;
}

/* The only method whose answer comes later: answer is taken. */
static int do_guest_info(struct process *p, struct client *c, cJSON *answer)
{
	int error;
	struct mh_agent *agent = agent_of(p, &error);

	if (!error && !server_may_stream(p, c))
		error = no_stream(p);
	return error ? error : relay_info(agent, answer, p->output.wake, &c->relay);
}

static bool needs_agent(const struct method *method)
{
	return !method->run || method->run == do_exec || method->run == do_put ||
	       method->run == do_get;
}

static void run(struct process *p, struct client *c, const cJSON *id, const struct method *method,
		const cJSON *params)
{
	cJSON *answer = new_answer(id), *result = cJSON_AddObjectToObject(answer, "result");
	int error;

	p->why[0] = '\0';
	error = method->run ? method->run(p, c, params, result) : do_guest_info(p, c, answer);
	if (!error && !method->run)
		return;
	if (error && needs_agent(method) && !mh_vm_agent(p->vm))
		answer_error(c, id, RPC_FAILED,
			     "it has no port for an agent; create it with --agent virtio",
			     mh_err_name(error));
	else if (error)
		answer_error(c, id, RPC_FAILED, p->why[0] ? p->why : mh_last_error(p->ctx),
			     mh_err_name(error));
	else if (id)
		client_send_document(c, answer);
	cJSON_Delete(answer);
}

static void call(struct process *p, struct client *c, const cJSON *id, const char *method,
		 const cJSON *params)
{
	size_t n = 0;

	while (n < sizeof(methods) / sizeof(methods[0]) && strcmp(methods[n].name, method))
		n++;
	if (n == sizeof(methods) / sizeof(methods[0])) {
		answer_error(c, id, RPC_METHOD, "no such method", NULL);
		return;
	}
	if (!known_params(params, methods[n].params))
		answer_error(c, id, RPC_PARAMS, "unknown or wrong parameters", NULL);
	else
		run(p, c, id, &methods[n], params);
}

void control_line(struct process *p, struct client *c, const char *line, size_t bytes)
{
	const char *end = line;
	cJSON *request = cJSON_ParseWithLengthOpts(line, bytes, &end, 0);
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(request, "id");
	const cJSON *method = cJSON_GetObjectItemCaseSensitive(request, "method");

	while (request && end < line + bytes && strchr(" \t\r", *end))
		end++;
	if (!request || end < line + bytes)
		answer_error(c, NULL, RPC_PARSE, "this line is no JSON document", NULL);
	else if (strcmp(rpc_text(request, "jsonrpc"), "2.0") || !cJSON_IsString(method))
		answer_error(c, id, RPC_REQUEST, "this is no request of JSON-RPC 2.0", NULL);
	else
		call(p, c, id, method->valuestring,
		     cJSON_GetObjectItemCaseSensitive(request, "params"));
	cJSON_Delete(request);
}

static void add_device_error(const struct mh_event *event, cJSON *params)
{
	static const char *const names[] = {
		[MH_DEV_READ] = "read",
		[MH_DEV_WRITE] = "write",
		[MH_DEV_FLUSH] = "flush",
		[MH_DEV_DISCARD] = "discard",
		[MH_DEV_WRITE_ZEROES] = "write-zeroes",
		[MH_DEV_GONE] = "gone",
	};
	bool known = event->detail < sizeof(names) / sizeof(names[0]);

	cJSON_AddNumberToObject(params, "slot", event->slot);
	cJSON_AddStringToObject(params, "operation", known ? names[event->detail] : "other");
	cJSON_AddStringToObject(params, "error", mh_err_name(event->error));
	cJSON_AddNumberToObject(params, "count", (double)event->count);
}

cJSON *control_event(const struct mh_event *event)
{
	cJSON *document = cJSON_CreateObject(), *params;

	cJSON_AddStringToObject(document, "jsonrpc", "2.0");
	cJSON_AddStringToObject(document, "method", "event");
	params = cJSON_AddObjectToObject(document, "params");
	cJSON_AddStringToObject(params, "kind", event_name(event->kind));
	cJSON_AddStringToObject(params, "state", control_state((enum mh_vm_state)event->state));
	if (event->state == MH_VM_STOPPED || event->kind == MH_EVENT_RESET)
		cJSON_AddStringToObject(params, "reason",
					control_reason((enum mh_stop_reason)event->reason));
	if (event->kind == MH_EVENT_DEVICE_ERROR)
		add_device_error(event, params);
	cJSON_AddNumberToObject(params, "number", (double)event->number);
	cJSON_AddNumberToObject(params, "time", (double)(event->time_ns / 1000000) / 1000);
	cJSON_AddStringToObject(params, "text", event->text);
	return document;
}

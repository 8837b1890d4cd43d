/* SPDX-License-Identifier: MIT */
/* What a client of the control socket asks of the guest's agent. */
#include "relay.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A client that does not read holds the guest up. */
#define HOLD_AT (256u << 10)
#define GO_ON_AT (64u << 10)

struct relay {
	pthread_mutex_t lock; /* protects (m); nothing of the library is called inside it */
	struct mh_agent *agent;
	uint64_t id; /* of the transfer; 0: none */
	int wake;
	cJSON *answer;	/* info's */
	char *data;	/* (m) for the client */
	size_t bytes;	/* (m) */
	bool over;	/* (m) nothing more comes */
	bool broken;	/* (m) something was lost: the client is to go */
	bool held;	/* (m) */
	bool abandoned; /* (m) whoever comes last frees it */
	size_t piece;	/* bytes of the client's piece that are still to come */
	bool ending;	/* the piece has none: the end is to be told */
};

static struct relay *relay_new(struct mh_agent *agent, int wake)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->agent = agent;
	r->wake = wake;
	return r;
}

static void destroy(struct relay *r)
{
	pthread_mutex_destroy(&r->lock);
	cJSON_Delete(r->answer);
	free(r->data);
	free(r);
}

static void ring(const struct relay *r)
{
	const uint64_t one = 1;

	/* Full, it is readable all the same. */
	if (write(r->wake, &one, sizeof(one)) < 0)
		return;
}

void relay_free(struct relay *r)
{
	bool over;

	if (!r)
		return;
	if (r->id)
		mh_agent_cancel(r->agent, r->id);
	pthread_mutex_lock(&r->lock);
	/* A transfer that was cancelled tells nothing any more. */
	over = r->over || r->id;
	r->abandoned = true;
	pthread_mutex_unlock(&r->lock);
	if (over)
		destroy(r);
}

/* ---- to the client ---- */

/* Under the lock, as the next ones. What finds no memory is lost, and with it the client. */
static bool make_room(struct relay *r, size_t bytes)
{
	char *more = r->broken ? NULL : realloc(r->data, r->bytes + bytes);

	r->broken = !more;
	if (more)
		r->data = more;
	return more;
}

static void append(struct relay *r, const void *data, size_t bytes)
{
	memcpy(r->data + r->bytes, data, bytes);
	r->bytes += bytes;
}

static void append_piece(struct relay *r, enum relay_kind kind, const void *data, size_t bytes)
{
	const unsigned char header[RELAY_HEADER] = { (unsigned char)kind, (unsigned char)bytes,
						     (unsigned char)(bytes >> 8),
						     (unsigned char)(bytes >> 16) };

	if (!make_room(r, sizeof(header) + bytes))
		return;
	append(r, header, sizeof(header));
	append(r, data, bytes);
}

static void append_document(struct relay *r, enum relay_kind kind, cJSON *document)
{
	char *text = cJSON_PrintUnformatted(document);

	if (text)
		append_piece(r, kind, text, strlen(text));
	else
		r->broken = true;
	cJSON_free(text);
	cJSON_Delete(document);
}

static void on_output(void *opaque, uint32_t stream, const void *data, size_t bytes)
{
	struct relay *r = opaque;
	bool hold;

	pthread_mutex_lock(&r->lock);
	append_piece(r, stream == 2 ? RELAY_ERRORS : RELAY_OUTPUT, data, bytes);
	hold = r->bytes > HOLD_AT && !r->held;
	r->held |= hold;
	pthread_mutex_unlock(&r->lock);
	if (hold)
		mh_agent_hold(r->agent, r->id, 1);
	ring(r);
}

static void on_room(void *opaque, size_t bytes)
{
	ring(opaque);
}

static void on_file(void *opaque, uint32_t mode, uint64_t bytes)
{
	struct relay *r = opaque;
	cJSON *document = cJSON_CreateObject();

	cJSON_AddNumberToObject(document, "mode", mode);
	cJSON_AddNumberToObject(document, "bytes", (double)bytes);
	pthread_mutex_lock(&r->lock);
	append_document(r, RELAY_FILE, document);
	pthread_mutex_unlock(&r->lock);
	ring(r);
}

/* Why it failed. The agent, when it is lost, leaves no words. */
static const char *reason(int rc, const char *text)
{
	if (*text || !rc)
		return text;
	if (rc == MH_ESTATE)
		return "its agent was lost meanwhile, and what was begun is not whole; when it has "
		       "come back ('guest-info' tells), try again";
	return mh_strerror(rc);
}

static void on_done(void *opaque, int rc, const struct mh_agent_end *end)
{
	struct relay *r = opaque;
	cJSON *document = cJSON_CreateObject();

	cJSON_AddNumberToObject(document, "status", end->status);
	cJSON_AddNumberToObject(document, "signal", end->signal);
	if (rc)
		cJSON_AddStringToObject(document, "error", mh_err_name(rc));
	cJSON_AddStringToObject(document, "text", reason(rc, end->text));
	pthread_mutex_lock(&r->lock);
	append_document(r, RELAY_END, document);
	r->over = true;
	pthread_mutex_unlock(&r->lock);
	ring(r);
}

size_t relay_take(struct relay *r, char *data, size_t bytes)
{
	bool go_on;

	pthread_mutex_lock(&r->lock);
	if (bytes > r->bytes)
		bytes = r->bytes;
	if (bytes)
		memcpy(data, r->data, bytes);
	r->bytes -= bytes;
	if (r->bytes)
		memmove(r->data, r->data + bytes, r->bytes);
	go_on = r->held && r->bytes < GO_ON_AT;
	r->held &= !go_on;
	pthread_mutex_unlock(&r->lock);
	if (go_on)
		mh_agent_hold(r->agent, r->id, 0);
	return bytes;
}

bool relay_has(struct relay *r)
{
	bool has;

	pthread_mutex_lock(&r->lock);
	has = r->bytes > 0 || r->broken;
	pthread_mutex_unlock(&r->lock);
	return has;
}

bool relay_done(struct relay *r)
{
	bool done;

	pthread_mutex_lock(&r->lock);
	done = r->over && !r->bytes;
	pthread_mutex_unlock(&r->lock);
	return done;
}

bool relay_broken(struct relay *r)
{
	bool broken;

	pthread_mutex_lock(&r->lock);
	broken = r->broken;
	pthread_mutex_unlock(&r->lock);
	return broken;
}

bool relay_ending(const struct relay *r)
{
	return r->ending;
}

bool relay_streams(const struct relay *r)
{
	return r->id != 0;
}

/* ---- from the client ---- */

static void drop(char *data, size_t *bytes, size_t count)
{
	*bytes -= count;
	memmove(data, data + count, *bytes);
}

/* False: that is no piece. */
static bool begin_piece(struct relay *r, char *data, size_t *bytes)
{
	const unsigned char *h = (const unsigned char *)data;

	r->piece = (size_t)h[1] | (size_t)h[2] << 8 | (size_t)h[3] << 16;
	r->ending = !r->piece;
	if (h[0] != RELAY_INPUT || r->piece > RELAY_PIECE)
		return false;
	drop(data, bytes, RELAY_HEADER);
	return true;
}

int relay_input(struct relay *r, char *data, size_t *bytes)
{
	for (;;) {
		size_t count;
		int taken;

		if (!r->piece && !r->ending) {
			if (*bytes < RELAY_HEADER)
				return 0;
			if (!begin_piece(r, data, bytes))
				return -1;
		}
		count = *bytes < r->piece ? *bytes : r->piece;
		if (!count && !r->ending)
			return 0;
		taken = mh_agent_write(r->agent, r->id, data, count);
		if (taken == MH_EBUSY)
			return 0;
		/* What comes when it is over, or takes none, goes nowhere. */
		if (taken < 0)
			taken = (int)count;
		drop(data, bytes, (size_t)taken);
		r->piece -= (size_t)taken;
		r->ending = false;
		if ((size_t)taken < count)
			return 0;
	}
}

/* ---- beginning ---- */

static const struct mh_agent_transfer_ops ops = { 1, on_output, on_room, on_file, on_done };

static int started(struct relay *r, int error, struct relay **out)
{
	if (error)
		destroy(r);
	else
		*out = r;
	return error;
}

/* NULL-terminated; the texts are the list's. */
static const char **texts(const cJSON *list)
{
	const char **text = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*text));
	const cJSON *item;
	size_t n = 0;

	if (text)
		cJSON_ArrayForEach(item, list) text[n++] = item->valuestring;
	return text;
}

int relay_exec(struct mh_agent *agent, const cJSON *params, int wake, struct relay **out)
{
	struct mh_agent_exec_config config = MH_AGENT_EXEC_CONFIG_INIT;
	const char **argv = texts(cJSON_GetObjectItemCaseSensitive(params, "argv"));
	const char **env = texts(cJSON_GetObjectItemCaseSensitive(params, "env"));
	struct relay *r = relay_new(agent, wake);
	int error = MH_ENOMEM;

	if (argv && env && r) {
		config.argv = argv;
		config.env = env;
		config.directory = rpc_text(params, "directory");
		config.user = rpc_text(params, "user");
		if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(params, "input")))
			config.flags = MH_AGENT_EXEC_INPUT;
		error = started(r, mh_agent_exec(agent, &config, &ops, r, &r->id), out);
	} else if (r) {
		destroy(r);
	}
	free(argv);
	free(env);
	return error;
}

int relay_put(struct mh_agent *agent, const cJSON *params, int wake, struct relay **out)
{
	const cJSON *bytes = cJSON_GetObjectItemCaseSensitive(params, "bytes");
	const cJSON *mode = cJSON_GetObjectItemCaseSensitive(params, "mode");
	struct mh_agent_file file = MH_AGENT_FILE_INIT;
	struct relay *r = relay_new(agent, wake);

	if (!r)
		return MH_ENOMEM;
	file.path = rpc_text(params, "path");
	if (mode)
		file.mode = (uint32_t)mode->valueint;
	if (bytes)
		file.bytes = (uint64_t)bytes->valuedouble;
	return started(r, mh_agent_put(agent, &file, &ops, r, &r->id), out);
}

int relay_get(struct mh_agent *agent, const cJSON *params, int wake, struct relay **out)
{
	struct relay *r = relay_new(agent, wake);

	if (!r)
		return MH_ENOMEM;
	return started(r, mh_agent_get(agent, rpc_text(params, "path"), &ops, r, &r->id), out);
}

/* ---- info ---- */

static void add_addresses(cJSON *result, const struct mh_agent_info *info)
{
	cJSON *list = cJSON_AddArrayToObject(result, "addresses");

	for (uint32_t n = 0; n < info->addresses; n++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "interface", info->address[n].interface);
		cJSON_AddStringToObject(item, "mac", info->address[n].mac);
		cJSON_AddStringToObject(item, "address", info->address[n].address);
		cJSON_AddNumberToObject(item, "prefix", info->address[n].prefix);
		cJSON_AddItemToArray(list, item);
	}
}

static void add_users(cJSON *result, const struct mh_agent_info *info)
{
	cJSON *list = cJSON_AddArrayToObject(result, "users");

	for (uint32_t n = 0; n < info->users; n++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "name", info->user[n].name);
		cJSON_AddStringToObject(item, "terminal", info->user[n].terminal);
		cJSON_AddNumberToObject(item, "since", (double)info->user[n].since);
		cJSON_AddItemToArray(list, item);
	}
}

static void add_info(cJSON *answer, struct mh_agent *agent, const struct mh_agent_info *info)
{
	struct mh_agent_status status = MH_AGENT_STATUS_INIT;
	cJSON *result = cJSON_GetObjectItemCaseSensitive(answer, "result");

	mh_agent_status(agent, &status);
	cJSON_AddStringToObject(result, "agent", status.agent);
	cJSON_AddStringToObject(result, "system", status.system);
	cJSON_AddStringToObject(result, "host_name", info->host_name);
	cJSON_AddStringToObject(result, "os_name", info->os_name);
	cJSON_AddStringToObject(result, "os_version", info->os_version);
	cJSON_AddStringToObject(result, "kernel", info->kernel);
	cJSON_AddNumberToObject(result, "uptime_s", (double)(info->uptime_ms / 1000));
	add_addresses(result, info);
	add_users(result, info);
}

static void add_failure(cJSON *answer, int rc)
{
	cJSON *error;

	cJSON_DeleteItemFromObjectCaseSensitive(answer, "result");
	error = cJSON_AddObjectToObject(answer, "error");
	cJSON_AddNumberToObject(error, "code", RPC_FAILED);
	cJSON_AddStringToObject(error, "message", reason(rc, ""));
	cJSON_AddStringToObject(cJSON_AddObjectToObject(error, "data"), "error", mh_err_name(rc));
}

static void on_info(void *opaque, int rc, const struct mh_agent_info *info)
{
	struct relay *r = opaque;
	bool abandoned;
	char *text;

	if (rc)
		add_failure(r->answer, rc);
	else
		add_info(r->answer, r->agent, info);
	text = cJSON_PrintUnformatted(r->answer);
	pthread_mutex_lock(&r->lock);
	if (text && make_room(r, strlen(text) + 1)) {
		append(r, text, strlen(text));
		append(r, "\n", 1);
	} else {
		r->broken = true;
	}
	r->over = true;
	abandoned = r->abandoned;
	/* Whoever sees that it is over frees it. The descriptor outlives the library's threads. */
	if (!abandoned)
		ring(r);
	pthread_mutex_unlock(&r->lock);
	cJSON_free(text);
	if (abandoned)
		destroy(r);
}

int relay_info(struct mh_agent *agent, cJSON *answer, int wake, struct relay **out)
{
	struct relay *r = relay_new(agent, wake);
	int error = r ? 0 : MH_ENOMEM;

	if (error)
		return error;
	r->answer = answer;
	error = mh_agent_info(agent, on_info, r);
	if (error)
		r->answer = NULL;
	return started(r, error, out);
}

/* SPDX-License-Identifier: MIT */
/* JSON-RPC 2.0 with a VM's process: the socket's place, and the CLI's side. */
#include "rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static void address_of(const struct store_vm *vm, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", vm->dir,
		 STORE_SOCKET);
}

int rpc_listen(const struct store_vm *vm)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	mode_t mask;
	int error;

	if (fd < 0)
		return -1;
	address_of(vm, &address);
	/* One that a crash left; the lock says that it is nobody's. */
	unlinkat(vm->dir, STORE_SOCKET, 0);
	mask = umask(0177);
	error = bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG);
	umask(mask);
	if (!error)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int say(const struct rpc *rpc, int status, const char *what, const char *cure)
{
	if (!rpc->quiet)
		cli_message("VM \"%s\" %s; %s", rpc->vm->name, what, cure);
	return status;
}

static int no_answer(const struct rpc *rpc)
{
	return say(rpc, CLI_ERROR, "ended, or does not answer",
		   "'" CLI_NAME " logs --vm' may tell why");
}

int rpc_connect(struct rpc *rpc, const struct store_vm *vm)
{
	struct timeval limit = { .tv_sec = rpc->timeout_s };
	struct sockaddr_un address;
	int error;

	rpc->vm = vm;
	rpc->bytes = 0;
	rpc->fd = -1;
	if (!store_alive(vm))
		return say(rpc, CLI_STATE, "is not running", "'" CLI_NAME " start' starts it");
	rpc->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address_of(vm, &address);
	/* connect waits, too: for a place among those that the process has not accepted yet. */
	setsockopt(rpc->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(rpc->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (rpc->fd >= 0 && !connect(rpc->fd, (struct sockaddr *)&address, sizeof(address)))
		return CLI_OK;
	error = errno;
	rpc_close(rpc);
	if (error == EAGAIN)
		return no_answer(rpc);
	return say(rpc, CLI_STATE, "does not answer yet", "if it is starting, try again");
}

int rpc_open(const char *name, struct store_vm *vm, struct rpc **rpc)
{
	int status = store_open(vm, name);

	if (status)
		return status;
	*rpc = calloc(1, sizeof(**rpc));
	return *rpc ? rpc_connect(*rpc, vm) : cli_library_error(NULL, MH_ENOMEM);
}

void rpc_shut(struct store_vm *vm, struct rpc *rpc)
{
	if (rpc)
		rpc_close(rpc);
	free(rpc);
	store_close(vm);
}

void rpc_close(struct rpc *rpc)
{
	if (rpc->fd >= 0)
		close(rpc->fd);
	rpc->fd = -1;
}

ssize_t rpc_send_some(int to, const void *data, size_t bytes, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec piece = { (void *)data, bytes };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(to, &message, MSG_NOSIGNAL);
}

static bool send_all(int to, const char *text, size_t bytes, int fd)
{
	while (bytes) {
		ssize_t n = rpc_send_some(to, text, bytes, fd);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			text += n, bytes -= (size_t)n, fd = -1;
	}
	return true;
}

static bool send_request(struct rpc *rpc, const char *method, cJSON *params, int fd)
{
	cJSON *request = cJSON_CreateObject();
	char *text = NULL, *line = NULL;
	bool sent;

	cJSON_AddStringToObject(request, "jsonrpc", "2.0");
	cJSON_AddNumberToObject(request, "id", 1);
	cJSON_AddStringToObject(request, "method", method);
	if (params)
		cJSON_AddItemToObject(request, "params", params);
	text = cJSON_PrintUnformatted(request);
	sent = text && asprintf(&line, "%s\n", text) > 0 &&
	       send_all(rpc->fd, line, strlen(line), fd);
	free(line);
	cJSON_free(text);
	cJSON_Delete(request);
	return sent;
}

cJSON *rpc_next(struct rpc *rpc)
{
	for (;;) {
		char *end = memchr(rpc->line, '\n', rpc->bytes);
		ssize_t n;

		if (end) {
			cJSON *document =
				cJSON_ParseWithLength(rpc->line, (size_t)(end - rpc->line));

			rpc->bytes -= (size_t)(end + 1 - rpc->line);
			memmove(rpc->line, end + 1, rpc->bytes);
			return document;
		}
		if (rpc->bytes == sizeof(rpc->line))
			return NULL;
		n = read(rpc->fd, rpc->line + rpc->bytes, sizeof(rpc->line) - rpc->bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		rpc->bytes += (size_t)n;
	}
}

/* What an error object says, as a status. */
static int failed(struct rpc *rpc, const cJSON *error)
{
	const char *name = rpc_text(cJSON_GetObjectItemCaseSensitive(error, "data"), "error");

	if (!rpc->quiet)
		cli_message("VM \"%s\": %s", rpc->vm->name, rpc_text(error, "message"));
	return strcmp(name, "MH_ESTATE") ? CLI_ERROR : CLI_STATE;
}

static int call(struct rpc *rpc, const char *method, cJSON *params, int fd, cJSON **result)
{
	bool sent = send_request(rpc, method, params, fd);
	cJSON *answer = NULL, *error;
	int status = CLI_OK;

	/* Who turned us away before he heard it may have said why. */
	if (sent || errno == EPIPE)
		answer = rpc_next(rpc);
	if (!answer)
		return no_answer(rpc);
	error = cJSON_GetObjectItemCaseSensitive(answer, "error");
	if (error)
		status = failed(rpc, error);
	else if (result)
		*result = cJSON_DetachItemFromObjectCaseSensitive(answer, "result");
	cJSON_Delete(answer);
	return status;
}

int rpc_call(struct rpc *rpc, const char *method, cJSON *params, cJSON **result)
{
	return call(rpc, method, params, -1, result);
}

int rpc_call_with(struct rpc *rpc, const char *method, cJSON *params, int fd)
{
	return call(rpc, method, params, fd, NULL);
}

const char *rpc_text(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsString(item) ? item->valuestring : "";
}

double rpc_number(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

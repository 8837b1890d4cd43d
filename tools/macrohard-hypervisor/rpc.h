/* SPDX-License-Identifier: MIT */
/* JSON-RPC 2.0 with a VM's process, one document a line: docs/control-socket.md. */
#ifndef RPC_H
#define RPC_H

#include "store.h"

#include <cjson/cJSON.h>

#define RPC_VERSION 2
#define RPC_LINE_MAX 65536

/* JSON-RPC 2.0, 5.1 "Error object". */
enum rpc_error {
	RPC_PARSE = -32700,
	RPC_REQUEST = -32600,
	RPC_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_FAILED = -32000 /* data: the library's error */
};

/* ---- both sides ---- */

/* The socket's file, seen from everywhere: its own path may be too long for a socket address. */
int rpc_listen(const struct store_vm *vm);
/* As send, without SIGPIPE; a descriptor, if it is not -1, goes with the first bytes and stays. */
ssize_t rpc_send_some(int to, const void *data, size_t bytes, int fd);

/* ---- the CLI's side ---- */

struct rpc {
	int fd;
	const struct store_vm *vm;
	bool quiet;    /* no messages; set before rpc_connect */
	int timeout_s; /* no answer is waited for longer than that; 0: for ever; set likewise */
	char line[RPC_LINE_MAX];
	size_t bytes; /* in line, not yet taken */
};

/* Opens the VM of that name and connects to its process, which must live. To be closed anyway. */
int rpc_open(const char *name, struct store_vm *vm, struct rpc **rpc);
void rpc_shut(struct store_vm *vm, struct rpc *rpc);
/*
 * CLI_OK, or a status after a message: CLI_STATE if the VM's process does not live or listen,
 * CLI_ERROR if it does not answer.
 */
int rpc_connect(struct rpc *rpc, const struct store_vm *vm);
/*
 * Calls and waits; params is taken. *result (NULL: not wanted) is to be deleted. CLI_OK, or a
 * status after a message.
 */
int rpc_call(struct rpc *rpc, const char *method, cJSON *params, cJSON **result);
/* The same; a copy of the descriptor goes along. -1: none does. */
int rpc_call_with(struct rpc *rpc, const char *method, cJSON *params, int fd);
/* The next document that comes, to be deleted; NULL: the VM's process has ended. */
cJSON *rpc_next(struct rpc *rpc);
void rpc_close(struct rpc *rpc);

/* Members of a result; "" and 0 if they are not there. */
const char *rpc_text(const cJSON *object, const char *key);
double rpc_number(const cJSON *object, const char *key);

#endif

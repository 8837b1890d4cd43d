/* SPDX-License-Identifier: MIT */
/* The verb "send-key": keys for a guest, one after the other. */
#include "key_names.h"
#include "rpc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEYS_MAX 4096
#define TOGETHER_MAX 16
#define DELAY_MS 20
#define DELAY_MAX_MS 60000

static const int arguments[2] = { 2, KEYS_MAX };

static const struct cli_option options[] = {
	{ "delay", "MS", 0 },
	{ NULL, NULL, 0 },
};

static int option(const struct cli_verb *verb, void *opaque, const char *name, char *value)
{
	if (!cli_parse_number(value, 0, DELAY_MAX_MS, opaque))
		return cli_usage_error(verb, "--%s: '%s' is no such value", name, value);
	return CLI_OK;
}

/* "ctrl-alt-delete" as a list of codes; the text is cut. NULL: a key that there is not. */
static cJSON *codes_of(char *text, const char **wrong)
{
	cJSON *codes = cJSON_CreateArray();
	char *name, *rest = text;
	int count = 0;

	while ((name = strsep(&rest, "-"))) {
		uint32_t code = key_code(name);

		if (!code || count++ == TOGETHER_MAX) {
			*wrong = name;
			cJSON_Delete(codes);
			return NULL;
		}
		cJSON_AddItemToArray(codes, cJSON_CreateNumber(code));
	}
	return codes;
}

static int send_keys(struct rpc *rpc, cJSON *keys, uint32_t delay_ms)
{
	const struct timespec pause = { delay_ms / 1000, delay_ms % 1000 * 1000000l };
	int status = CLI_OK;
	cJSON *codes;

	while (!status && (codes = cJSON_DetachItemFromArray(keys, 0))) {
		cJSON *params = cJSON_CreateObject();

		cJSON_AddItemToObject(params, "codes", codes);
		status = rpc_call(rpc, "send-key", params, NULL);
		if (!status && cJSON_GetArraySize(keys))
			nanosleep(&pause, NULL);
	}
	return status;
}

static int send_key(const struct cli_verb *verb, int argc, char **argv)
{
	uint32_t delay_ms = DELAY_MS;
	int status = cli_parse(verb, argc, argv, option, &delay_ms, arguments);
	cJSON *keys = cJSON_CreateArray();
	struct store_vm vm = { .dir = -1 };
	struct rpc *rpc = NULL;

	for (int n = optind + 1; n < argc && !status; n++) {
		const char *wrong = NULL;
		cJSON *codes = codes_of(argv[n], &wrong);

		if (codes)
			cJSON_AddItemToArray(keys, codes);
		else
			status = cli_usage_error(verb, "'%s' is no key, or one too many", wrong);
	}
	if (!status)
		status = rpc_open(argv[optind], &vm, &rpc);
	if (!status)
		status = send_keys(rpc, keys, delay_ms);
	cJSON_Delete(keys);
	rpc_shut(&vm, rpc);
	return status;
}

static const char usage[] =
	"usage: " CLI_NAME " send-key [--delay MS] NAME KEY...\n"
	"\n"
	"Presses keys of a VM's keyboard, one after the other; a VM has one with --input. KEY is "
	"a\n"
	"key's name, or several with '-' between, which are pressed together: ctrl-alt-delete.\n"
	"Names are those of Linux's evdev without KEY_: a, 1, f10, enter, esc, space, minus, up,\n"
	"leftshift, kp7, ...; ctrl, alt, shift, meta, altgr are short for the left ones.\n"
	"\n"
	"  --delay MS  between two of them (20)\n"
	"\n"
	"Exit status: 0 done, 1 error, 2 wrong command line, 3 there is no such VM, 4 it is not\n"
	"running.\n";

const struct cli_verb cli_verb_send_key = {
	.name = "send-key",
	.summary = "press keys of a VM's keyboard",
	.usage = usage,
	.run = send_key,
	.options = options,
	.args = CLI_VM,
	.seldom = true,
};

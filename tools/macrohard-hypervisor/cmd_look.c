/* SPDX-License-Identifier: MIT */
/* The verbs "list", "stats" and "events": how VMs are. */
#include "rpc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_S 3 /* a process that is stopped or swapped out does not hold up the others */

static const int one[2] = { 1, 1 };
static const int none[2] = { 0, 0 };

static const struct cli_option json_options[] = {
	{ "json", NULL, 0 },
	{ NULL, NULL, 0 },
};

static int json_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	*(bool *)opaque = true;
	return CLI_OK;
}

static int print_document(const cJSON *document, bool pretty)
{
	char *text = pretty ? cJSON_Print(document) : cJSON_PrintUnformatted(document);
	bool good = text && puts(text) >= 0;

	cJSON_free(text);
	return cli_finish_output(good ? CLI_OK : CLI_ERROR);
}

/* ---- list ---- */

static void add_document(const struct store_vm *vm, cJSON *entry)
{
	struct mh_config_info info = MH_CONFIG_INFO_INIT;
	char *path = store_path(vm, STORE_DOCUMENT);
	struct mh_config *config = NULL;
	struct mh_ctx *ctx = NULL;
	bool virtio;

	if (path && !mh_ctx_create(NULL, &ctx) && !mh_config_load(ctx, path, &config) &&
	    !mh_config_info(config, &info)) {
		virtio = info.console == MH_CONFIG_VIRTIO;
		cJSON_AddNumberToObject(entry, "cpus", info.cpus);
		cJSON_AddNumberToObject(entry, "memory_bytes", (double)info.memory_bytes);
		cJSON_AddStringToObject(entry, "console", virtio ? "virtio" : "serial");
	} else {
		cJSON_AddStringToObject(entry, "problem", ctx ? mh_last_error(ctx) : "");
	}
	mh_config_free(config);
	mh_ctx_destroy(ctx);
	free(path);
}

/* What its process says; it may differ from the document, which may be newer. */
static void add_answer(const struct store_vm *vm, cJSON *entry)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	cJSON *answer = NULL, *item;
	int status = CLI_ERROR;

	if (rpc) {
		rpc->quiet = true;
		rpc->timeout_s = ANSWER_S;
		status = rpc_connect(rpc, vm);
	}
	if (!status) {
		status = rpc_call(rpc, "status", NULL, &answer) ? CLI_ERROR : CLI_OK;
		rpc_close(rpc);
	}
	if (status)
		cJSON_AddStringToObject(entry, "state",
					status == CLI_STATE ? "starting" : "no answer");
	while (answer && (item = answer->child)) {
		cJSON_DetachItemViaPointer(answer, item);
		cJSON_DeleteItemFromObjectCaseSensitive(entry, item->string);
		cJSON_AddItemToObject(entry, item->string, item);
	}
	cJSON_Delete(answer);
	free(rpc);
}

static cJSON *entry_of(const char *name)
{
	static const char *const states[] = {
		[STORE_CREATED] = "created",
		[STORE_STOPPED] = "stopped",
		[STORE_CRASHED] = "crashed",
	};
	char reason[32], text[STORE_STATE_TEXT];
	cJSON *entry = cJSON_CreateObject();
	struct store_vm vm;
	enum store_state state;

	cJSON_AddStringToObject(entry, "name", name);
	if (store_open(&vm, name)) {
		store_close(&vm);
		return entry;
	}
	add_document(&vm, entry);
	state = store_state(&vm, reason, sizeof(reason), text, sizeof(text));
	if (state == STORE_ALIVE) {
		add_answer(&vm, entry);
	} else {
		cJSON_AddStringToObject(entry, "state", states[state]);
		if (state == STORE_STOPPED) {
			cJSON_AddStringToObject(entry, "reason", reason);
			cJSON_AddStringToObject(entry, "text", text);
		}
	}
	store_close(&vm);
	return entry;
}

static void uptime(const cJSON *entry, char *text, size_t bytes)
{
	long s = (long)rpc_number(entry, "uptime_s");

	if (!cJSON_HasObjectItem(entry, "uptime_s"))
		snprintf(text, bytes, "-");
	else if (s >= 86400)
		snprintf(text, bytes, "%ldd%02ldh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(text, bytes, "%ldh%02ldm", s / 3600, s / 60 % 60);
	else
		snprintf(text, bytes, "%ldm%02lds", s / 60, s % 60);
}

/* Columns on a terminal, not bytes: characters of one column each. */
static int columns(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_entry(const cJSON *entry, int width)
{
	const char *name = rpc_text(entry, "name"), *state = rpc_text(entry, "state");
	bool known = cJSON_HasObjectItem(entry, "cpus");
	char up[32], memory[32] = "-", cpus[16] = "-", how[48];

	uptime(entry, up, sizeof(up));
	if (known) {
		snprintf(cpus, sizeof(cpus), "%d", (int)rpc_number(entry, "cpus"));
		snprintf(memory, sizeof(memory), "%.0f MiB",
			 rpc_number(entry, "memory_bytes") / (1 << 20));
	}
	snprintf(how, sizeof(how), "%s%s%s%s", state, rpc_text(entry, "reason")[0] ? " (" : "",
		 rpc_text(entry, "reason"), rpc_text(entry, "reason")[0] ? ")" : "");
	printf("%s%*s  %-18s %4s  %10s  %8s  %s\n", name, width - columns(name), "", how, cpus,
	       memory, up, known ? rpc_text(entry, "console") : "document not valid");
}

static void print_table(const cJSON *list)
{
	const cJSON *entry;
	int width = 4;

	cJSON_ArrayForEach(entry, list) if (columns(rpc_text(entry, "name")) > width) width =
		columns(rpc_text(entry, "name"));
	printf("%-*s  %-18s %4s  %10s  %8s  %s\n", width, "NAME", "STATE", "CPUS", "MEMORY",
	       "UPTIME", "CONSOLE");
	cJSON_ArrayForEach(entry, list) print_entry(entry, width);
}

static int list(const struct cli_verb *verb, int argc, char **argv)
{
	cJSON *document, *vms;
	bool json = false;
	char **names = NULL;
	size_t count = 0;
	int status = cli_parse(verb, argc, argv, json_option, &json, none);

	if (!status)
		status = store_names(&names, &count);
	if (status)
		return status;
	document = cJSON_CreateObject();
	cJSON_AddStringToObject(document, "schema", "macrohard.list/1");
	vms = cJSON_AddArrayToObject(document, "vms");
	for (size_t n = 0; n < count; n++)
		cJSON_AddItemToArray(vms, entry_of(names[n]));
	if (json)
		status = print_document(document, true);
	else
		print_table(vms);
	cJSON_Delete(document);
	store_free_names(names, count);
	return cli_finish_output(status);
}

/* ---- stats ---- */

static void print_stats(const cJSON *stats)
{
	static const char *const keys[] = { "entries", "user_exits", "faults",
					    "halts",   "interrupts", "doorbells" };
	const cJSON *vcpu, *balloon = cJSON_GetObjectItemCaseSensitive(stats, "balloon");
	int index = 0;

	printf("vCPU %14s %14s %14s %14s %14s %14s\n", "entries", "user exits", "page faults",
	       "halts", "interrupts", "doorbells");
	cJSON_ArrayForEach(vcpu, cJSON_GetObjectItemCaseSensitive(stats, "vcpus"))
	{
		printf("%4d", index++);
		for (size_t n = 0; n < sizeof(keys) / sizeof(keys[0]); n++)
			printf(" %14.0f", rpc_number(vcpu, keys[n]));
		printf("\n");
	}
	if (balloon)
		printf("balloon: %.0f of %.0f MiB\n",
		       rpc_number(balloon, "actual_bytes") / (1 << 20),
		       rpc_number(balloon, "target_bytes") / (1 << 20));
}

static int stats(const struct cli_verb *verb, int argc, char **argv)
{
	struct store_vm vm = { .dir = -1 };
	struct rpc *rpc = NULL;
	cJSON *result = NULL;
	bool json = false;
	int status = cli_parse(verb, argc, argv, json_option, &json, one);

	if (!status)
		status = rpc_open(argv[optind], &vm, &rpc);
	if (!status)
		status = rpc_call(rpc, "stats", NULL, &result);
	if (!status && json)
		status = print_document(result, true);
	else if (!status)
		print_stats(result);
	cJSON_Delete(result);
	rpc_shut(&vm, rpc);
	return cli_finish_output(status);
}

/* ---- events ---- */

static void print_event(const cJSON *params)
{
	time_t when = (time_t)rpc_number(params, "time");
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%F %T", &tm);
	printf("%s  %-12s  ", text, rpc_text(params, "kind"));
	cli_print_plain(stdout, rpc_text(params, "text"));
	putchar('\n');
}

static int follow_events(struct rpc *rpc, bool json)
{
	int status = CLI_OK;
	cJSON *document;

	while (!status && (document = rpc_next(rpc))) {
		const cJSON *params = cJSON_GetObjectItemCaseSensitive(document, "params");

		if (json)
			status = print_document(params, false);
		else
			print_event(params);
		status = cli_finish_output(status);
		cJSON_Delete(document);
	}
	return status;
}

static int events(const struct cli_verb *verb, int argc, char **argv)
{
	struct store_vm vm = { .dir = -1 };
	struct rpc *rpc = NULL;
	bool json = false;
	int status = cli_parse(verb, argc, argv, json_option, &json, one);

	if (!status)
		status = rpc_open(argv[optind], &vm, &rpc);
	if (!status)
		status = rpc_call(rpc, "events", NULL, NULL);
	if (!status)
		status = follow_events(rpc, json);
	rpc_shut(&vm, rpc);
	return status;
}

/* ---- the table ---- */

static const char list_usage[] =
	"usage: " CLI_NAME " list [--json]\n"
	"\n"
	"Shows all VMs of this user. A VM is\n"
	"  created    never started\n"
	"  starting, running, paused, or \"no answer\" while its process lives\n"
	"  stopped    with the reason: poweroff, request (stop --force), reset, shutdown (triple\n"
	"             fault), error\n"
	"  crashed    its process ended without saying why; it can be started again\n"
	"\n"
	"  --json     one document, schema macrohard.list/1\n"
	"\n"
	"Exit status: 0 shown, 1 error, 2 wrong command line.\n";

const struct cli_verb cli_verb_list = {
	.name = "list",
	.summary = "show all VMs: state, CPUs, memory, uptime",
	.usage = list_usage,
	.run = list,
	.options = json_options,
};

#define LOOK_STATUS                                                                               \
	"\nExit status: 0 done, 1 error, 2 wrong command line, 3 there is no such VM, 4 it does " \
	"not\nrun.\n"

static const char stats_usage[] =
	"usage: " CLI_NAME " stats [--json] NAME\n"
	"\n"
	"Shows what a running VM's CPUs have done: entries into the guest, exits to the library,\n"
	"page faults, halts, interrupts, notifications that stayed in the kernel.\n" LOOK_STATUS;

const struct cli_verb cli_verb_stats = {
	.name = "stats",
	.summary = "show what a running VM's CPUs have done",
	.usage = stats_usage,
	.run = stats,
	.options = json_options,
	.args = CLI_VM,
	.seldom = true,
};

static const char events_usage[] =
	"usage: " CLI_NAME " events [--json] NAME\n"
	"\n"
	"Shows what happens to a running VM from now on, until it stops: state changes, resets,\n"
	"panics of the guest's kernel, its watchdog, failures of disks and interfaces.\n"
	"--json: one object a line.\n" LOOK_STATUS;

const struct cli_verb cli_verb_events = {
	.name = "events",
	.summary = "show what happens to a running VM",
	.usage = events_usage,
	.run = events,
	.options = json_options,
	.args = CLI_VM,
	.seldom = true,
};

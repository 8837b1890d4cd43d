/* SPDX-License-Identifier: MIT */
/* The verbs "exec", "copy" and "guest-info": what a guest's agent does for this host. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As of a shell, for what was not run. */
enum { EXEC_FAILED = 125, EXEC_DENIED = 126, EXEC_MISSING = 127, EXEC_SIGNALLED = 128 };

/* ---- exec ---- */

struct exec {
	cJSON *params, *env;
	bool no_input;
};

static const struct cli_option exec_options[] = {
	{ "directory", "PATH", 0 }, { "user", "NAME", 0 }, { "env", "NAME=VALUE", 0 },
	{ "no-input", NULL, 'n' },  { NULL, NULL, 0 },
};

static int exec_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	struct exec *e = opaque;

	if (!value)
		e->no_input = true;
	else if (!strcmp(option, "env"))
		cJSON_AddItemToArray(e->env, cJSON_CreateString(value));
	else
		cJSON_AddStringToObject(e->params, option, value);
	return CLI_OK;
}

static int system_error(const char *what)
{
	cli_message("%s: %s", what, strerror(errno));
	return CLI_ERROR;
}

static bool exec_piece(struct guest *g, enum relay_kind kind, const char *data, size_t bytes)
{
	bool errors = kind == RELAY_ERRORS;

	if (guest_write_all(errors ? STDERR_FILENO : STDOUT_FILENO, data, bytes))
		return true;
	system_error(errors ? "standard error" : "standard output");
	return false;
}

static int exec_status(const struct guest *g, int status)
{
	if (!strcmp(g->error, "MH_ENOENT"))
		return EXEC_MISSING;
	if (!strcmp(g->error, "MH_EPERM"))
		return EXEC_DENIED;
	if (status)
		return EXEC_FAILED;
	return g->signal ? EXEC_SIGNALLED + g->signal : g->status & 0xff;
}

static int run_exec(struct exec *e, const char *name, char **argv)
{
	struct guest g = { .input = e->no_input ? -1 : STDIN_FILENO, .piece = exec_piece };
	cJSON *list = cJSON_AddArrayToObject(e->params, "argv");
	struct store_vm vm = { .dir = -1 };
	int status;

	while (*argv)
		cJSON_AddItemToArray(list, cJSON_CreateString(*argv++));
	cJSON_AddItemToObject(e->params, "env", e->env);
	cJSON_AddBoolToObject(e->params, "input", !e->no_input);
	status = rpc_open(name, &vm, &g.rpc);
	if (!status)
		status = guest_transfer(&g, "exec", e->params);
	else
		cJSON_Delete(e->params);
	rpc_shut(&vm, g.rpc);
	return exec_status(&g, status);
}

static int exec_verb(const struct cli_verb *verb, int argc, char **argv)
{
	static const int arguments[2] = { 2, INT_MAX };
	struct exec e = { cJSON_CreateObject(), cJSON_CreateArray(), false };
	int status = cli_parse(verb, argc, argv, exec_option, &e, arguments), command = optind + 1;

	if (!status && !strcmp(argv[command], "--"))
		command++;
	if (!status && !argv[command])
		status = cli_usage_error(verb, "the command is missing");
	if (!status)
		return run_exec(&e, argv[optind], argv + command);
	cJSON_Delete(e.params);
	cJSON_Delete(e.env);
	return status;
}

/* ---- copy ---- */

static int no_options(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	return CLI_OK;
}

/* The path in "NAME:PATH", cut behind NAME; NULL: it is a file of this host. */
static char *guest_path(char *text)
{
	char *colon = strchr(text, ':'), *slash = strchr(text, '/');

	if (!colon || (slash && slash < colon))
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static bool no_piece(struct guest *g, enum relay_kind kind, const char *data, size_t bytes)
{
	return true;
}

static int put(struct guest *g, const char *from, const char *path)
{
	cJSON *params = cJSON_CreateObject();
	bool is_input = !strcmp(from, "-");
	int fd = is_input ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC), status;
	struct stat info;

	cJSON_AddStringToObject(params, "path", path);
	if (fd < 0 || fstat(fd, &info)) {
		cJSON_Delete(params);
		return system_error(from);
	}
	if (S_ISREG(info.st_mode) && !is_input) {
		cJSON_AddNumberToObject(params, "mode", info.st_mode & 0777);
		cJSON_AddNumberToObject(params, "bytes", (double)info.st_size);
	}
	g->input = fd;
	g->piece = no_piece;
	status = guest_transfer(g, "put", params);
	if (!is_input)
		close(fd);
	return status;
}

struct target {
	const char *name;
	int fd;
	mode_t mode;
};

static bool get_piece(struct guest *g, enum relay_kind kind, const char *data, size_t bytes)
{
	struct target *t = g->opaque;
	cJSON *document;

	if (kind == RELAY_FILE) {
		document = cJSON_Parse(data);
		t->mode = (mode_t)rpc_number(document, "mode") & 0777;
		cJSON_Delete(document);
		return true;
	}
	if (guest_write_all(t->fd, data, bytes))
		return true;
	system_error(t->name);
	return false;
}

/* What is there, but is no plain file, stays what it is, and is written to. */
static int get_special(struct guest *g, const char *path, cJSON *params)
{
	struct target t = { .name = path, .fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC) };
	int status;

	if (t.fd < 0) {
		cJSON_Delete(params);
		return system_error(path);
	}
	g->opaque = &t;
	status = guest_transfer(g, "get", params);
	if (close(t.fd) && !status)
		status = system_error(path);
	return status;
}

/* Beside its place until it is whole. */
static int get_file(struct guest *g, const char *path, cJSON *params)
{
	struct target t = { .name = path, .fd = -1 };
	char *temporary = NULL;
	int status;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		cJSON_Delete(params);
		return cli_library_error(NULL, MH_ENOMEM);
	}
	t.fd = mkostemp(temporary, O_CLOEXEC);
	if (t.fd < 0) {
		status = system_error(path);
		cJSON_Delete(params);
		free(temporary);
		return status;
	}
	g->opaque = &t;
	status = guest_transfer(g, "get", params);
	if (!status && (fchmod(t.fd, t.mode) || rename(temporary, path)))
		status = system_error(path);
	if (status)
		unlink(temporary);
	close(t.fd);
	free(temporary);
	return status;
}

static int get(struct guest *g, const char *from, const char *path)
{
	struct target out = { .name = "standard output", .fd = STDOUT_FILENO };
	cJSON *params = cJSON_CreateObject();
	struct stat there;

	cJSON_AddStringToObject(params, "path", from);
	g->input = -1;
	g->piece = get_piece;
	if (strcmp(path, "-") && !stat(path, &there) && !S_ISREG(there.st_mode))
		return get_special(g, path, params);
	if (strcmp(path, "-"))
		return get_file(g, path, params);
	g->opaque = &out;
	return guest_transfer(g, "get", params);
}

static int copy(const struct cli_verb *verb, int argc, char **argv)
{
	static const int two[2] = { 2, 2 };
	int status = cli_parse(verb, argc, argv, no_options, NULL, two);
	char *from = NULL, *to = NULL;
	struct store_vm vm = { .dir = -1 };
	struct guest g = { .input = -1 };

	if (status)
		return status;
	from = guest_path(argv[optind]);
	to = guest_path(argv[optind + 1]);
	if (!from == !to)
		return cli_usage_error(verb, "one of the two must be NAME:PATH, the other a file");
	status = rpc_open(argv[optind + (to != NULL)], &vm, &g.rpc);
	if (!status)
		status = from ? get(&g, from, argv[optind + 1]) : put(&g, argv[optind], to);
	rpc_shut(&vm, g.rpc);
	return status;
}

/* ---- guest-info ---- */

static const struct cli_option info_options[] = {
	{ "json", NULL, 0 },
	{ NULL, NULL, 0 },
};

static int info_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	*(bool *)opaque = true;
	return CLI_OK;
}

static void print_row(const char *name, const cJSON *info, const char *key)
{
	printf("%-10s ", name);
	cli_print_plain(stdout, rpc_text(info, key));
	putchar('\n');
}

static void print_info(const cJSON *info)
{
	const cJSON *item;

	print_row("host name", info, "host_name");
	print_row("system", info, "os_name");
	print_row("version", info, "os_version");
	print_row("kernel", info, "kernel");
	print_row("agent", info, "agent");
	printf("%-10s %.0f s\n", "up", rpc_number(info, "uptime_s"));
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(info, "addresses"))
	{
		printf("%-10s ", "address");
		cli_print_plain(stdout, rpc_text(item, "address"));
		printf("/%.0f ", rpc_number(item, "prefix"));
		cli_print_plain(stdout, rpc_text(item, "interface"));
		putchar('\n');
	}
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(info, "users"))
	{
		print_row("user", item, "name");
	}
}

static int guest_info(const struct cli_verb *verb, int argc, char **argv)
{
	static const int one[2] = { 1, 1 };
	struct store_vm vm = { .dir = -1 };
	struct rpc *rpc = NULL;
	cJSON *info = NULL;
	bool json = false;
	int status = cli_parse(verb, argc, argv, info_option, &json, one);
	char *text;

	if (!status)
		status = rpc_open(argv[optind], &vm, &rpc);
	if (!status)
		status = rpc_call(rpc, "guest-info", NULL, &info);
	if (!status && json) {
		text = cJSON_PrintUnformatted(info);
		puts(text ? text : "");
		cJSON_free(text);
	} else if (!status) {
		print_info(info);
	}
	cJSON_Delete(info);
	rpc_shut(&vm, rpc);
	return cli_finish_output(status);
}

/* ---- the table ---- */

static const char exec_usage[] =
	"usage: " CLI_NAME " exec [OPTION...] NAME [--] COMMAND [ARGUMENT...]\n"
	"\n"
	"Runs a program in a VM's guest, by the agent there (create --agent), with this\n"
	"standard input, output and error.\n"
	"\n"
	"  --directory PATH   where it starts\n"
	"  --user NAME        who it runs as; default: the agent's user\n"
	"  --env NAME=VALUE   a variable of its environment; as often as needed\n"
	"  -n, --no-input     its input is empty\n"
	"\n"
	"Exit status: the program's, or 128 and the signal that ended it; 125 it was not run, or\n"
	"its end is unknown; 126 not permitted; 127 not found; 2 wrong command line.\n";

const struct cli_verb cli_verb_exec = {
	.name = "exec",
	.summary = "run a program in a VM's guest",
	.usage = exec_usage,
	.run = exec_verb,
	.options = exec_options,
	.args = CLI_VM,
	.ordered = true,
};

static const char copy_usage[] =
	"usage: " CLI_NAME " copy NAME:PATH FILE\n"
	"       " CLI_NAME " copy FILE NAME:PATH\n"
	"\n"
	"Copies a file out of a VM's guest, or into it, with its permission bits, by the agent\n"
	"there (create --agent). PATH is absolute; FILE '-' is standard output or input. A file\n"
	"is replaced when the new one is whole; a device or a pipe is written to.\n"
	"\n"
	"Exit status: 0 copied, 1 error, 2 wrong command line, 3 there is no such VM, 4 it is not\n"
	"running, or no agent is connected.\n";

const struct cli_verb cli_verb_copy = {
	.name = "copy",
	.summary = "copy a file out of a VM's guest, or into it",
	.usage = copy_usage,
	.run = copy,
	.args = CLI_FILE,
};

static const char info_usage[] =
	"usage: " CLI_NAME " guest-info [--json] NAME\n"
	"\n"
	"Prints what the agent in a VM's guest tells: system, addresses, who is logged in.\n"
	"\n"
	"  --json  one JSON object instead\n"
	"\n"
	"Exit status: 0 printed, 1 error, 2 wrong command line, 3 there is no such VM, 4 it is "
	"not\n"
	"running, or no agent is connected.\n";

const struct cli_verb cli_verb_guest_info = {
	.name = "guest-info",
	.summary = "print a guest's system, addresses and users",
	.usage = info_usage,
	.run = guest_info,
	.seldom = true,
	.options = info_options,
	.args = CLI_VM,
};

/* SPDX-License-Identifier: MIT */
/* The verbs "show", "edit" and "destroy": a VM's document, and its end. */
#include "rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int one[2] = { 1, 1 };

/* ---- show ---- */

static int copy_out(const char *path)
{
	char data[4096];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (n = read(fd, data, sizeof(data))) > 0)
		fwrite(data, 1, (size_t)n, stdout);
	if (n < 0)
		cli_message("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return n < 0 ? CLI_ERROR : CLI_OK;
}

static int no_options(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	return CLI_OK;
}

static int show(const struct cli_verb *verb, int argc, char **argv)
{
	int status = cli_parse(verb, argc, argv, no_options, NULL, one);
	struct store_vm vm = { .dir = -1 };
	char *path;

	if (!status)
		status = store_open(&vm, argv[optind]);
	if (!status) {
		path = store_path(&vm, STORE_DOCUMENT);
		status = path ? copy_out(path) : CLI_ERROR;
		free(path);
	}
	store_close(&vm);
	return cli_finish_output(status);
}

/* ---- edit ---- */

/* The editor's command may have arguments: a shell takes it apart. */
static int run_editor(const char *path)
{
	const char *editor = getenv("VISUAL");
	char *command;
	int status = -1;
	pid_t pid;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (asprintf(&command, "%s \"$0\"", editor && *editor ? editor : "vi") < 0)
		return CLI_ERROR;
	pid = fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", command, path, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	free(command);
	if (!status)
		return CLI_OK;
	cli_message("the editor failed; set VISUAL or EDITOR to one that is there");
	return CLI_ERROR;
}

static int check_document(const struct store_vm *vm, const char *path)
{
	struct mh_config_info info = MH_CONFIG_INFO_INIT;
	struct mh_config *config = NULL;
	struct mh_ctx *ctx;
	int error = mh_ctx_create(NULL, &ctx), status = CLI_OK;

	if (error)
		return cli_library_error(NULL, error);
	error = mh_config_load(ctx, path, &config);
	if (error) {
		cli_library_error(ctx, error);
		status = error == MH_EFORMAT ? CLI_USAGE : CLI_ERROR;
	} else if (mh_config_info(config, &info) || strcmp(info.name, vm->name)) {
		cli_message("%s: /name: it must stay \"%s\"; to rename a VM, create another one",
			    path, vm->name);
		status = CLI_USAGE;
	}
	mh_config_free(config);
	mh_ctx_destroy(ctx);
	return status;
}

static bool again(void)
{
	char answer[16];

	if (!isatty(STDIN_FILENO))
		return false;
	fputs("Edit it again? [Y/n] ", stderr);
	return fgets(answer, sizeof(answer), stdin) && answer[0] != 'n' && answer[0] != 'N';
}

static int copy_file(const char *from, const char *to)
{
	char data[4096];
	size_t n;
	FILE *in = fopen(from, "re"), *out = in ? fopen(to, "we") : NULL;
	bool good = out != NULL;

	while (good && (n = fread(data, 1, sizeof(data), in)) > 0)
		good = fwrite(data, 1, n, out) == n;
	good = good && !ferror(in);
	if (in)
		fclose(in);
	if (out && fclose(out))
		good = false;
	if (!good)
		cli_message("%s: %s", out ? to : from, strerror(errno));
	return good ? CLI_OK : CLI_ERROR;
}

/* On a copy beside the document, where relative paths mean the same. */
static int edit_copy(const struct store_vm *vm, const char *path, const char *copy)
{
	int status = copy_file(path, copy);

	do {
		if (!status)
			status = run_editor(copy);
		if (status == CLI_ERROR)
			break;
		status = check_document(vm, copy);
	} while (status && again());
	if (!status && rename(copy, path)) {
		cli_message("%s: %s", path, strerror(errno));
		status = CLI_ERROR;
	}
	if (status) {
		cli_message("VM \"%s\" is as it was", vm->name);
		unlink(copy);
	} else if (store_alive(vm)) {
		cli_message("VM \"%s\" runs: it will be so when it is started again", vm->name);
	}
	return status;
}

static int edit(const struct cli_verb *verb, int argc, char **argv)
{
	int status = cli_parse(verb, argc, argv, no_options, NULL, one);
	struct store_vm vm = { .dir = -1 };
	char *path = NULL, *copy = NULL;

	if (!status)
		status = store_open(&vm, argv[optind]);
	if (!status) {
		path = store_path(&vm, STORE_DOCUMENT);
		copy = store_path(&vm, STORE_EDITED);
		status = path && copy ? edit_copy(&vm, path, copy)
				      : cli_library_error(NULL, MH_ENOMEM);
	}
	free(path);
	free(copy);
	store_close(&vm);
	return status;
}

/* ---- destroy ---- */

static int destroy(const struct cli_verb *verb, int argc, char **argv)
{
	int status = cli_parse(verb, argc, argv, no_options, NULL, one), lock = -1;
	struct store_vm vm = { .dir = -1 };

	if (!status)
		status = store_open(&vm, argv[optind]);
	if (!status)
		status = store_lock(&vm, &lock);
	if (!status)
		status = store_remove(&vm);
	if (lock >= 0)
		close(lock);
	store_close(&vm);
	return status;
}

/* ---- the table ---- */

static const char show_usage[] =
	"usage: " CLI_NAME " show NAME\n"
	"\n"
	"Prints a VM's document: JSON, schema macrohard.vm/1. 'list' tells how VMs are.\n"
	"\n"
	"Exit status: 0 shown, 1 error, 2 wrong command line, 3 there is no such VM.\n";

const struct cli_verb cli_verb_show = {
	.name = "show",
	.summary = "print a VM's document",
	.usage = show_usage,
	.run = show,
	.args = CLI_VM,
	.seldom = true,
};

static const char edit_usage[] =
	"usage: " CLI_NAME " edit NAME\n"
	"\n"
	"Opens a VM's document (JSON, schema macrohard.vm/1) in $VISUAL or $EDITOR. It is "
	"replaced\n"
	"only by a valid one; a VM that runs is not changed before it is started again.\n"
	"\n"
	"Exit status: 0 changed, 1 error, 2 wrong command line or document, 3 there is no such "
	"VM.\n";

const struct cli_verb cli_verb_edit = {
	.name = "edit",
	.summary = "change a VM's document in an editor",
	.usage = edit_usage,
	.run = edit,
	.args = CLI_VM,
	.seldom = true,
};

static const char destroy_usage[] =
	"usage: " CLI_NAME " destroy NAME\n"
	"\n"
	"Removes a VM that does not run: its document, its logs. Disks and shared folders stay.\n"
	"\n"
	"Exit status: 0 removed, 1 error, 2 wrong command line, 3 there is no such VM, 4 it "
	"runs.\n";

const struct cli_verb cli_verb_destroy = {
	.name = "destroy",
	.summary = "remove a VM; its disks stay",
	.usage = destroy_usage,
	.run = destroy,
	.args = CLI_VM,
};

// SPDX-License-Identifier: MIT
/*
 * Walks through the failures of all groups: provokes each, and holds code and sentence against the
 * table. usage: errors [--vm] [--host STATE] | --markdown
 */
#include "errors.h"

#include <fnmatch.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY (64u << 20)

struct mh_ctx *ctx;
struct mh_vm *vm;

static const struct error_group *const groups[] = {
	&host_errors,  &engine_errors,	&create_errors, &memory_errors, &state_errors,
	&rule_errors,  &sandbox_errors, &boot_errors,	&device_errors, &display_errors,
	&agent_errors, &net_errors,	&disk_errors,	&image_errors,	&config_errors,
};

static struct {
	bool vm; /* there is an engine for VMs */
	const char *host;
	unsigned int good, bad, skipped;
} run;

#define FOR_EACH_GROUP(g) \
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]) && (g = groups[i]); i++)

/* ---- one failure ---- */

static void set_up(const struct error_group *g)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;

	if (mh_ctx_create(NULL, &ctx))
		die("context");
	config.name = "web";
	config.memory_bytes = MEMORY;
	if (g->needs == NEEDS_VM && mh_vm_create(ctx, &config, &vm))
		die(mh_last_error(ctx));
}

static void tear_down(void)
{
	mh_vm_destroy(vm);
	vm = NULL;
	if (mh_ctx_destroy(ctx))
		die("a VM was left");
}

static void judge(const struct error_row *row, int rc)
{
	char pattern[1024];
	const char *text = mh_last_error(ctx);

	snprintf(pattern, sizeof(pattern), "%s: %s; %s", row->what, row->cause, row->cure);
	if (rc == row->code && !fnmatch(pattern, text, 0)) {
		run.good++;
		printf("ok: %s: %s: %s\n", row->when, mh_err_name(rc), text);
		return;
	}
	run.bad++;
	printf("FAIL: %s\n    %s, not %s\n    \"%s\"\n    \"%s\"\n", row->when, mh_err_name(rc),
	       mh_err_name(row->code), text, pattern);
}

static void try(const struct error_group *g, const struct error_row *row)
{
	int rc;

	set_up(g);
	rc = row->provoke();
	if (rc == CANNOT) {
		run.skipped++;
		printf("skipped: %s: this user, or this machine, cannot\n", row->when);
	} else {
		judge(row, rc);
	}
	tear_down();
}

static bool wanted(const struct error_group *g, const struct error_row *row)
{
	if (row->host || run.host)
		return row->host && run.host && !strcmp(row->host, run.host);
	if (g->needs == NEEDS_ENGINE)
		return !engine_is_fake;
	return g->needs == NEEDS_NOTHING || run.vm;
}

/* ---- the document ---- */

static void cell(const char *text)
{
	printf(" | ");
	for (; *text; text++) {
		if (*text == '*')
			printf("...");
		else if (*text == '\\' && text[1])
			putchar(*++text);
		else if (*text == '|')
			printf("\\|");
		else
			putchar(*text);
	}
}

static const char intro[] = "# Errors\n\n"
			    "Each function returns 0 or one of these, negative; `mh_last_error` is "
			    "the sentence that goes "
			    "with it: what was attempted,\non which object: the cause; the cure. "
			    "The CLI prints the same "
			    "sentence.\n\n"
			    "| error | value | in general |\n|---|---|---|\n";

static const char tables[] = "\nBelow are failures that tests provoke: `tests/api/errors` has a "
			     "function for each, which "
			     "must fail with that error and\nthat sentence. `...` stands for what "
			     "depends on the machine. "
			     "This page is the output of `build/tests/api/errors --markdown`.\n";

static void markdown(void)
{
	const struct error_group *g;

	fputs(intro, stdout);
#define CODE(name, value, text) printf("| `MH_%s` | %d | %s |\n", #name, value, text);
	MH_ERROR_LIST(CODE)
#undef CODE
	fputs(tables, stdout);
	FOR_EACH_GROUP(g)
	{
		printf("\n## %s\n\n| when | error | attempted, on what | cause | cure |\n"
		       "|---|---|---|---|---|\n",
		       g->title);
		for (const struct error_row *row = g->row; row < g->row + g->rows; row++) {
			printf("| %s | `%s`", row->when, mh_err_name(row->code));
			cell(row->what);
			cell(row->cause);
			cell(row->cure);
			printf(" |\n");
		}
	}
}

/* ---- all of them ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static void parse(int argc, char **argv)
{
	run.vm = engine_is_fake;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--vm"))
			run.vm = true;
		else if (!strcmp(argv[i], "--host") && i + 1 < argc)
			run.host = argv[++i];
		else
			die("usage: errors [--vm] [--host STATE] | --markdown");
	}
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/mh-errors-XXXXXX";
	const struct error_group *g;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "--markdown")) {
		markdown();
		return EXIT_SUCCESS;
	}
	parse(argc, argv);
	if (!mkdtemp(folder) || chdir(folder) || chmod(folder, 0711))
		die("folder");
	FOR_EACH_GROUP(g)
	for (const struct error_row *row = g->row; row < g->row + g->rows; row++)
		if (wanted(g, row))
			try(g, row);
	leave_small_folder();
	if (chdir("/") || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS))
		die("clean up");
	printf("%u as the table says, %u otherwise, %u not tried\n", run.good, run.bad,
	       run.skipped);
	return run.good && !run.bad ? EXIT_SUCCESS : EXIT_FAILURE;
}

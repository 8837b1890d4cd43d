/* SPDX-License-Identifier: MIT */
/* macrohard-hypervisor: finds the verb, and says what belongs to none of them. */
#include "cli.h"

#include <string.h>

static void usage(FILE *to)
{
	fprintf(to,
		"usage: %s VERB [OPTION...]\n"
		"VERB --help tells all of a verb, with its exit statuses.\n\n",
		CLI_NAME);
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (!cli_verbs[i]->seldom)
			fprintf(to, "  %-10s  %s\n", cli_verbs[i]->name, cli_verbs[i]->summary);
	}
	fputs("\nOthers:", to);
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (cli_verbs[i]->seldom)
			fprintf(to, " %s,", cli_verbs[i]->name);
	}
	fputs(" version\n", to);
}

static const struct cli_verb *find_verb(const char *name)
{
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!strcmp(cli_verbs[i]->name, name))
			return cli_verbs[i];
	return NULL;
}

static bool asks_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int help(int argc, char **argv)
{
	const struct cli_verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;

	if (verb)
		fputs(verb->usage, stdout);
	else
		usage(stdout);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	const struct cli_verb *verb;

	if (argc < 2) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "version") || !strcmp(argv[1], "--version")) {
		printf("%s %s\nlibmacrohard %s\n", CLI_NAME, CLI_VERSION, mh_version());
		return CLI_OK;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(argc - 1, argv + 1);
	verb = find_verb(argv[1]);
	if (!verb) {
		cli_message("unknown verb '%s'", argv[1]);
		usage(stderr);
		return CLI_USAGE;
	}
	if (asks_help(argc - 1, argv + 1)) {
		fputs(verb->usage, stdout);
		return CLI_OK;
	}
	return verb->run(verb, argc - 1, argv + 1);
}

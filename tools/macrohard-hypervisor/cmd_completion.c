/* SPDX-License-Identifier: MIT */
/* The verb "completion": scripts for shells, made from the table of verbs and options. */
#include "store.h"

#include <string.h>
#include <unistd.h>

static const int one[2] = { 1, 1 };

static bool is_words(const char *value)
{
	return value && strchr(value, '|');
}

/* "a|b|c" with another character between. */
static void print_words(const char *words, char between)
{
	for (; *words; words++)
		putchar(*words == '|' ? between : *words);
}

/* ---- bash ---- */

static void bash_value(const char *value)
{
	if (is_words(value)) {
		printf("words=\"");
		print_words(value, ' ');
		printf("\"");
	} else if (!strcmp(value, CLI_VM)) {
		printf("_macrohard_vms; return");
	} else if (!strcmp(value, CLI_FILE) || !strcmp(value, CLI_FOLDER)) {
		printf("compopt -o filenames; mapfile -t COMPREPLY < <(compgen -%c -- \"$cur\"); "
		       "return",
		       value[1] == 'I' ? 'f' : 'd');
	} else {
		printf("return");
	}
}

static void bash_verb(const struct cli_verb *v)
{
	const struct cli_option *o;

	printf("\t%s)\n\t\tcase $prev in\n", v->name);
	for (o = v->options; o && o->name; o++) {
		if (!o->value)
			continue;
		printf("\t\t--%s) ", o->name);
		bash_value(o->value);
		printf(" ;;\n");
	}
	printf("\t\t*)\n\t\t\tif [[ $cur == -* ]]; then words=\"--help");
	for (o = v->options; o && o->name; o++)
		printf(" --%s", o->name);
	printf("\"\n\t\t\telse ");
	bash_value(v->args ? v->args : "");
	printf("; fi ;;\n\t\tesac ;;\n");
}

static void bash(void)
{
	printf("# bash completion for " CLI_NAME ", made by '" CLI_NAME " completion bash'\n"
	       "_macrohard_vms()\n{\n"
	       "\tlocal name\n"
	       "\twhile IFS= read -r name; do\n"
	       "\t\t[[ $name != \"$cur\"* ]] || COMPREPLY+=(\"$(printf %%q \"$name\")\")\n"
	       "\tdone < <(" CLI_NAME " completion --names bash 2>/dev/null)\n}\n\n"
	       "_macrohard()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [ \"$COMP_CWORD\" = 1 ]; then words=\"help version");
	for (size_t n = 0; cli_verbs[n]; n++)
		printf(" %s", cli_verbs[n]->name);
	printf("\"\n\telse case ${COMP_WORDS[1]} in\n");
	for (size_t n = 0; cli_verbs[n]; n++)
		bash_verb(cli_verbs[n]);
	printf("\tesac; fi\n"
	       "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n"
	       "complete -F _macrohard " CLI_NAME "\n");
}

/* ---- zsh ---- */

/* Between single quotes; the shell gives the special characters a meaning. */
static void print_quoted(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			printf("'\\''");
		else if (strchr(special, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_value(const char *value)
{
	if (is_words(value)) {
		printf(":value:(");
		print_words(value, ' ');
		printf(")");
	} else if (!strcmp(value, CLI_VM)) {
		printf(":VM:_macrohard_vms");
	} else if (!strcmp(value, CLI_FILE) || !strcmp(value, CLI_FOLDER)) {
		printf(":%s:_files%s", value, value[1] == 'O' ? " -/" : "");
	} else {
		printf(":%s: ", value);
	}
}

static void zsh_verb(const struct cli_verb *v)
{
	printf("\t%s) _arguments '--help'", v->name);
	for (const struct cli_option *o = v->options; o && o->name; o++) {
		printf(" '*--%s", o->name);
		if (o->value)
			zsh_value(o->value);
		printf("'");
	}
	if (v->args) {
		printf(" '1");
		zsh_value(v->args);
		printf("' '*:file:_files'");
	}
	printf(" ;;\n");
}

static void zsh(void)
{
	printf("#compdef " CLI_NAME "\n"
	       "# zsh completion, made by '" CLI_NAME " completion zsh'\n"
	       "_macrohard_vms()\n{\n"
	       "\tlocal -a vms\n"
	       "\tvms=(\"${(@f)$(" CLI_NAME " completion --names zsh 2>/dev/null)}\")\n"
	       "\tcompadd -a vms\n}\n\n"
	       "_macrohard()\n{\n\tlocal -a verbs\n\tverbs=('help' 'version'");
	for (size_t n = 0; cli_verbs[n]; n++) {
		printf("\n\t\t'%s:", cli_verbs[n]->name);
		print_quoted(cli_verbs[n]->summary, ":[]");
		printf("'");
	}
	printf(")\n\tif ((CURRENT == 2)); then _describe verb verbs; return; fi\n"
	       "\tlocal verb=$words[2]\n\tshift words; ((CURRENT--))\n\tcase $verb in\n");
	for (size_t n = 0; cli_verbs[n]; n++)
		zsh_verb(cli_verbs[n]);
	printf("\tesac\n}\n_macrohard \"$@\"\n");
}

/* ---- fish ---- */

#define FISH "complete -c " CLI_NAME

static void fish_words(const char *value)
{
	if (is_words(value)) {
		printf(" -a '");
		print_words(value, ' ');
		printf("'");
	} else if (!strcmp(value, CLI_VM)) {
		printf(" -a '(" CLI_NAME " completion --names fish 2>/dev/null)'");
	} else if (!strcmp(value, CLI_FOLDER)) {
		printf(" -a '(__fish_complete_directories)'");
	} else if (!strcmp(value, CLI_FILE)) {
		printf(" -F");
	}
}

static void fish_verb(const struct cli_verb *v)
{
	printf(FISH " -n __fish_use_subcommand -a %s -d '", v->name);
	print_quoted(v->summary, "");
	printf("'\n");
	for (const struct cli_option *o = v->options; o && o->name; o++) {
		printf(FISH " -n '__fish_seen_subcommand_from %s' -l %s%s", v->name, o->name,
		       o->value ? " -r" : "");
		if (o->letter)
			printf(" -s %c", o->letter);
		if (o->value)
			fish_words(o->value);
		printf("\n");
	}
	if (v->args) {
		printf(FISH " -n '__fish_seen_subcommand_from %s'", v->name);
		fish_words(v->args);
		printf("\n");
	}
}

static void fish(void)
{
	printf("# fish completion for " CLI_NAME ", made by '" CLI_NAME " completion fish'\n" FISH
	       " -f\n" FISH " -l help -d 'the rest'\n" FISH
	       " -n __fish_use_subcommand -a 'help version'\n");
	for (size_t n = 0; cli_verbs[n]; n++)
		fish_verb(cli_verbs[n]);
}

/* ---- the verb ---- */

static int print_names(void)
{
	size_t count = 0;
	char **names;
	int status = store_names(&names, &count);

	for (size_t n = 0; n < count; n++)
		printf("%s\n", names[n]);
	if (!status)
		store_free_names(names, count);
	return status;
}

static int take_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	*(bool *)opaque = true;
	return CLI_OK;
}

static int completion(const struct cli_verb *verb, int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
	bool names = false;
	int status = cli_parse(verb, argc, argv, take_option, &names, one);

	if (status)
		return status;
	for (size_t n = 0; n < sizeof(shells) / sizeof(shells[0]); n++) {
		if (strcmp(shells[n].name, argv[optind]))
			continue;
		if (names)
			status = print_names();
		else
			shells[n].print();
		return cli_finish_output(status);
	}
	return cli_usage_error(verb, "'%s' is no shell that it knows", argv[optind]);
}

static const struct cli_option completion_options[] = {
	{ "names", NULL, 0 },
	{ NULL, NULL, 0 },
};

static const char completion_usage[] =
	"usage: " CLI_NAME " completion [--names] bash|zsh|fish\n"
	"\n"
	"Prints the shell's completions for this program. They are installed with it; without "
	"that:\n"
	"\n"
	"  bash  source <(" CLI_NAME " completion bash)\n"
	"  zsh   " CLI_NAME " completion zsh >FOLDER-OF-$fpath/_" CLI_NAME "\n"
	"  fish  " CLI_NAME " completion fish | source\n"
	"\n"
	"  --names  the names of all VMs instead, one a line\n"
	"\n"
	"Exit status: 0 printed, 1 error, 2 wrong command line.\n";

const struct cli_verb cli_verb_completion = {
	.name = "completion",
	.summary = "print completions for a shell",
	.usage = completion_usage,
	.run = completion,
	.options = completion_options,
	.args = "bash|zsh|fish",
	.seldom = true,
};

/* SPDX-License-Identifier: MIT */
/* The table of verbs, and the one parser of their options. */
#include "cli.h"

#include <getopt.h>
#include <string.h>

/* clang-format off */
const struct cli_verb *const cli_verbs[] = {
	&cli_verb_create,
	&cli_verb_start,
	&cli_verb_list,
	&cli_verb_stop,
	&cli_verb_pause,
	&cli_verb_resume,
	&cli_verb_reset,
	&cli_verb_destroy,
	&cli_verb_show,
	&cli_verb_edit,
	&cli_verb_console,
	&cli_verb_window,
	&cli_verb_seamless,
	&cli_verb_clipboard,
	&cli_verb_logs,
	&cli_verb_screenshot,
	&cli_verb_send_key,
	&cli_verb_exec,
	&cli_verb_copy,
	&cli_verb_guest_info,
	&cli_verb_stats,
	&cli_verb_events,
	&cli_verb_run,
	&cli_verb_disk,
	&cli_verb_probe,
	&cli_verb_completion,
	NULL,
};
/* clang-format on */

#define OPTIONS_MAX 40

struct table {
	struct option longs[OPTIONS_MAX + 1];
	char letters[2 * OPTIONS_MAX + 3];
};

/* getopt_long's return value for option n: behind all characters. */
#define VALUE(n) (256 + (n))

static void fill(const struct cli_verb *verb, struct table *t)
{
	const struct cli_option *o = verb->options;
	char *letter = t->letters;
	int n;

	memset(t, 0, sizeof(*t));
	if (verb->ordered)
		*letter++ = '+';
	*letter++ = ':';
	for (n = 0; o && o[n].name && n < OPTIONS_MAX; n++) {
		t->longs[n] =
			(struct option){ o[n].name, o[n].value ? required_argument : no_argument,
					 NULL, VALUE(n) };
		if (!o[n].letter)
			continue;
		*letter++ = o[n].letter;
		if (o[n].value)
			*letter++ = ':';
	}
}

static const struct cli_option *find(const struct cli_verb *verb, int result)
{
	const struct cli_option *o = verb->options;

	if (result >= VALUE(0))
		return &o[result - VALUE(0)];
	while (o->letter != result)
		o++;
	return o;
}

int cli_parse(const struct cli_verb *verb, int argc, char **argv, cli_option_fn *fn, void *opaque,
	      const int arguments[2])
{
	int result, status, given;
	struct table table;

	fill(verb, &table);
	opterr = 0;
	while ((result = getopt_long(argc, argv, table.letters, table.longs, NULL)) != -1) {
		if (result == ':' || result == '?')
			return cli_option_error(verb, result, argv[optind - 1]);
		status = fn(verb, opaque, find(verb, result)->name, optarg);
		if (status)
			return status;
	}
	given = argc - optind;
	if (given > arguments[1])
		return cli_usage_error(verb, "'%s' belongs to no option",
				       argv[optind + arguments[1]]);
	if (given < arguments[0])
		return cli_usage_error(verb, "%s is missing", verb->args);
	return CLI_OK;
}

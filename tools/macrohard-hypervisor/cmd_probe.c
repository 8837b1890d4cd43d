/* SPDX-License-Identifier: MIT */
/* The verb "probe": says whether VMs can run on this machine, and for every obstacle the cure. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define BOLD "\033[1m"
#define PLAIN "\033[m"

struct probe_options {
	bool json, colour;
};

static const struct cli_option probe_options[] = {
	{ "json", NULL, 0 },
	{ "color", "auto|always|never", 0 },
	{ NULL, NULL, 0 },
};

/* Colour only where a person looks at it: https://no-color.org. */
static bool colour_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && term && strcmp(term, "dumb");
}

static const char *state_text(const struct mh_probe_item *item)
{
	switch (item->state) {
	case MH_PROBE_YES:
		return "yes";
	case MH_PROBE_NO:
		return item->level == MH_PROBE_REQUIRED ? "NO" : "no";
	case MH_PROBE_UNKNOWN:
		break;
	}
	return "?";
}

static const char *state_colour(const struct mh_probe_item *item)
{
	if (item->state == MH_PROBE_YES)
		return GREEN;
	if (item->state == MH_PROBE_UNKNOWN)
		return YELLOW;
	if (item->level == MH_PROBE_REQUIRED)
		return RED;
	return item->level == MH_PROBE_RECOMMENDED ? YELLOW : "";
}

static const char *level_text(enum mh_probe_level level)
{
	static const char *const texts[] = {
		[MH_PROBE_REQUIRED] = "required",
		[MH_PROBE_RECOMMENDED] = "recommended",
		[MH_PROBE_OPTIONAL] = "optional",
	};

	return texts[level];
}

static void print_item(const struct mh_probe_item *item, bool colour)
{
	const char *on = colour ? state_colour(item) : "", *off = on[0] ? PLAIN : "";

	printf("%s%-4s%s %-11s  %-38s  %s\n", on, state_text(item), off, level_text(item->level),
	       item->name, item->source);
	if (item->detail[0])
		printf("%19s%s\n", "", item->detail);
	if (item->state != MH_PROBE_YES && item->cure[0])
		printf("%19scure: %s\n", "", item->cure);
}

/* Of several obstacles the first one is to be removed first: the items are in that order. */
static void print_first_obstacle(const struct mh_probe_item *items, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (items[i].level != MH_PROBE_REQUIRED || items[i].state != MH_PROBE_NO)
			continue;
		printf("Begin with: %s.%s%s\n", items[i].name, items[i].cure[0] ? " Cure: " : "",
		       items[i].cure);
		return;
	}
}

static void print_table(const struct mh_probe *probe, bool colour)
{
	const struct mh_probe_item *items;
	size_t count = mh_probe_items(probe, &items), i;
	int verdict = mh_probe_verdict(probe);
	const char *off = colour ? PLAIN : "";

	for (i = 0; i < count; i++)
		print_item(&items[i], colour);
	if (verdict) {
		printf("\n%sA VM cannot run here: %s (%s).%s\n", colour ? BOLD RED : "",
		       mh_strerror(verdict), mh_err_name(verdict), off);
		print_first_obstacle(items, count);
	} else {
		printf("\n%sA VM can run here.%s\n", colour ? BOLD GREEN : "", off);
	}
}

static int take_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	struct probe_options *o = opaque;

	if (!strcmp(option, "json"))
		o->json = true;
	else if (!strcmp(value, "always"))
		o->colour = true;
	else if (!strcmp(value, "never"))
		o->colour = false;
	else if (strcmp(value, "auto"))
		return cli_usage_error(verb, "--color: auto, always or never, not '%s'", value);
	return CLI_OK;
}

static int report(struct mh_ctx *ctx, bool json, bool colour)
{
	struct mh_probe *probe;
	const char *text;
	int error, status;

	error = mh_probe_create(ctx, &probe);
	if (error)
		return cli_library_error(ctx, error);
	status = mh_probe_verdict(probe) ? CLI_ERROR : CLI_OK;
	if (json) {
		text = mh_probe_json(probe);
		if (text)
			puts(text);
		else
			status = cli_library_error(ctx, MH_ENOMEM);
	} else {
		print_table(probe, colour);
	}
	mh_probe_free(probe);
	return cli_finish_output(status);
}

static int probe(const struct cli_verb *verb, int argc, char **argv)
{
	static const int none[2] = { 0, 0 };
	struct probe_options o = { false, colour_wanted() };
	struct mh_ctx *ctx;
	int status, error;

	status = cli_parse(verb, argc, argv, take_option, &o, none);
	if (status)
		return status;
	error = mh_ctx_create(NULL, &ctx);
	if (error)
		return cli_library_error(NULL, error);
	status = report(ctx, o.json, o.colour);
	mh_ctx_destroy(ctx);
	return status;
}

static const char probe_usage[] =
	"usage: " CLI_NAME " probe [--json] [--color auto|always|never]\n"
	"\n"
	"Examines this machine: the CPU's virtualization features, the firmware's locks, the "
	"kernel\n"
	"module, permissions, who else holds the virtualization extension, and the IOMMU. Changes\n"
	"nothing and needs no privilege; what cannot be read without is shown as '?'.\n"
	"\n"
	"  --json   one JSON document, schema macrohard.probe/1\n"
	"  --color  when to colour the table (default auto: on a terminal, unless NO_COLOR is "
	"set)\n"
	"\n"
	"Exit status: 0 a VM can run here, 1 it cannot, 2 wrong command line.\n";

const struct cli_verb cli_verb_probe = {
	.name = "probe",
	.summary = "say whether VMs can run on this machine, and what to do if not",
	.usage = probe_usage,
	.run = probe,
	.options = probe_options,
};

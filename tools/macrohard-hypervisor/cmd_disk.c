/* SPDX-License-Identifier: MIT */
/* The verb "disk": creates, describes, checks, resizes and converts disk images. */
#include "cli.h"
#include "progress.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

/* Exit status of a check that found lost space only. */
#define DISK_LEAKS 3

enum {
	OPT_FORMAT = 1,
	OPT_FROM,
	OPT_BACKING,
	OPT_BACKING_FORMAT,
	OPT_CLUSTER,
	OPT_JSON,
	OPT_REPAIR,
	OPT_QUIET
};

struct disk_options {
	const char *format, *from, *backing, *backing_format;
	uint64_t cluster;
	bool json, repair, quiet;
};

struct disk_verb {
	const char *name;
	int least, most; /* arguments */
	const struct option *options;
	int (*run)(const struct cli_verb *verb, struct mh_ctx *ctx, const struct disk_options *o,
		   char **args);
};

static const struct option create_options[] = {
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "backing", required_argument, NULL, OPT_BACKING },
	{ "backing-format", required_argument, NULL, OPT_BACKING_FORMAT },
	{ "cluster", required_argument, NULL, OPT_CLUSTER },
	{ NULL, 0, NULL, 0 },
};

static const struct option info_options[] = {
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

static const struct option check_options[] = {
	{ "repair", no_argument, NULL, OPT_REPAIR },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ NULL, 0, NULL, 0 },
};

static const struct option resize_options[] = {
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ NULL, 0, NULL, 0 },
};

static const struct option convert_options[] = {
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "cluster", required_argument, NULL, OPT_CLUSTER },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ NULL, 0, NULL, 0 },
};

/* Of all of them, for completions. */
static const struct cli_option all_options[] = {
	{ "format", "qcow2|raw", 0 },
	{ "from", "qcow2|raw", 0 },
	{ "backing", CLI_FILE, 0 },
	{ "backing-format", "qcow2|raw", 0 },
	{ "cluster", "SIZE", 0 },
	{ "json", NULL, 0 },
	{ "repair", NULL, 0 },
	{ "quiet", NULL, 0 },
	{ NULL, NULL, 0 },
};

/* ---- create, resize ---- */

static int create(const struct cli_verb *verb, struct mh_ctx *ctx, const struct disk_options *o,
		  char **args)
{
	struct mh_disk_create_config config = MH_DISK_CREATE_CONFIG_INIT;
	int error;

	if (args[1] && !cli_parse_size(args[1], &config.bytes))
		return cli_usage_error(verb, "'%s' is no size: try 20G", args[1]);
	if (!args[1] && !o->backing)
		return cli_usage_error(verb, "create: SIZE is missing");
	config.format = o->format;
	config.backing = o->backing;
	config.backing_format = o->backing_format;
	config.cluster_bytes = (uint32_t)o->cluster;
	error = mh_disk_create(ctx, args[0], &config);
	return error ? cli_library_error(ctx, error) : CLI_OK;
}

/* "20G", or "+5G" on top of what there is. */
static int new_size(const struct cli_verb *verb, struct mh_ctx *ctx, const struct disk_options *o,
		    char **args, uint64_t *bytes)
{
	bool more = args[1][0] == '+';
	struct mh_disk_info *info;
	int error;

	if (!cli_parse_size(args[1] + more, bytes))
		return cli_usage_error(verb, "'%s' is no size: try 20G or +5G", args[1]);
	if (!more)
		return CLI_OK;
	error = mh_disk_info(ctx, args[0], o->format, &info);
	if (error)
		return cli_library_error(ctx, error);
	if (*bytes > UINT64_MAX - info->bytes)
		*bytes = UINT64_MAX / SECTOR * SECTOR;
	else
		*bytes += info->bytes;
	mh_disk_info_free(info);
	return CLI_OK;
}

static int resize(const struct cli_verb *verb, struct mh_ctx *ctx, const struct disk_options *o,
		  char **args)
{
	uint64_t bytes;
	int status, error;

	status = new_size(verb, ctx, o, args, &bytes);
	if (status)
		return status;
	error = mh_disk_resize(ctx, args[0], o->format, bytes);
	return error ? cli_library_error(ctx, error) : CLI_OK;
}

/* ---- info ---- */

/* "20 GiB", "1.5 MiB", "512 bytes". */
static void size_text(uint64_t bytes, char *text, size_t room)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1; unit++)
		value /= 1024;
	snprintf(text, room, value == (double)(uint64_t)value ? "%.0f %s" : "%.1f %s", value,
		 units[unit]);
}

static void print_size(const char *name, uint64_t bytes)
{
	char text[32];

	size_text(bytes, text, sizeof(text));
	printf("%-16s %s (%llu bytes)\n", name, text, (unsigned long long)bytes);
}

static void print_info(const char *path, const struct mh_disk_info *info)
{
	printf("%-16s %s\n%-16s %s", "image", path, "format", info->format);
	if (info->version)
		printf(" version %u", info->version);
	putchar('\n');
	print_size("disk size", info->bytes);
	print_size("file size", info->file_bytes);
	if (info->used_bytes)
		print_size("storage used", info->used_bytes);
	if (!info->version)
		return;
	print_size("cluster size", info->cluster_bytes);
	printf("%-16s %u bits\n", "refcounts", info->refcount_bits);
	printf("%-16s %s\n", "compression", info->compression);
	printf("%-16s %u\n", "snapshots", info->snapshots);
	if (info->backing)
		printf("%-16s %s (%s)\n", "backing file", info->backing,
		       info->backing_format ? info->backing_format : "format not said");
	printf("%-16s %s\n", "state",
	       info->corrupt ? "DAMAGED: 'disk check --repair' may cure it"
	       : info->dirty ? "in use, or not closed properly"
			     : "clean");
}

/* File names are bytes; what is not ASCII goes out as it is. */
static void json_text(const char *name, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	printf(",\n  \"%s\": ", name);
	if (!text) {
		fputs("null", stdout);
		return;
	}
	putchar('"');
	for (; *p; p++) {
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			printf("\\u%04x", *p);
		else
			putchar(*p);
	}
	putchar('"');
}

static void json_number(const char *name, uint64_t value)
{
	printf(",\n  \"%s\": %llu", name, (unsigned long long)value);
}

static void print_json(const char *path, const struct mh_disk_info *info)
{
	printf("{\n  \"schema\": \"macrohard.disk/1\"");
	json_text("path", path);
	json_text("format", info->format);
	json_number("bytes", info->bytes);
	json_number("file_bytes", info->file_bytes);
	json_number("used_bytes", info->used_bytes);
	if (info->version) {
		json_number("version", info->version);
		json_number("cluster_bytes", info->cluster_bytes);
		json_number("refcount_bits", info->refcount_bits);
		json_number("snapshots", info->snapshots);
		json_text("compression", info->compression);
		json_text("backing", info->backing);
		json_text("backing_format", info->backing_format);
		printf(",\n  \"dirty\": %s", info->dirty ? "true" : "false");
		printf(",\n  \"corrupt\": %s", info->corrupt ? "true" : "false");
	}
	printf("\n}\n");
}

static int info(const struct cli_verb *verb, struct mh_ctx *ctx, const struct disk_options *o,
		char **args)
{
	struct mh_disk_info *found;
	int error;

	error = mh_disk_info(ctx, args[0], o->format, &found);
	if (error)
		return cli_library_error(ctx, error);
	if (o->json)
		print_json(args[0], found);
	else
		print_info(args[0], found);
	mh_disk_info_free(found);
	return CLI_OK;
}

/* ---- check, convert ---- */

static int judge(const struct mh_disk_report *r, bool repair)
{
	printf("%llu of %llu clusters are in use, %llu of them hold the disk's content.\n",
	       (unsigned long long)r->referenced, (unsigned long long)r->clusters,
	       (unsigned long long)r->guest_data);
	if (r->leaks)
		printf("%llu clusters are lost space (leaks): no danger.\n",
		       (unsigned long long)r->leaks);
	if (r->errors)
		printf("%llu errors; the first one: %s.\n", (unsigned long long)r->errors,
		       r->first_error);
	if (!r->leaks && !r->errors) {
		puts("No errors were found.");
		return CLI_OK;
	}
	if (repair)
		printf("%llu entries were set right; check again to see what is left.\n",
		       (unsigned long long)r->fixed);
	else
		puts("Cure: the same with --repair.");
	return r->errors ? CLI_ERROR : repair ? CLI_OK : DISK_LEAKS;
}

static int check(const struct cli_verb *verb, struct mh_ctx *ctx, const struct disk_options *o,
		 char **args)
{
	struct mh_disk_report report = MH_DISK_REPORT_INIT;
	struct progress bar;
	int error;

	progress_init(&bar, "checking", o->quiet);
	error = mh_disk_check(ctx, args[0], o->repair, &report, progress_step, &bar);
	progress_fini(&bar);
	return error ? cli_library_error(ctx, error) : judge(&report, o->repair);
}

static int convert(const struct cli_verb *verb, struct mh_ctx *ctx, const struct disk_options *o,
		   char **args)
{
	struct mh_disk_convert_config config = MH_DISK_CONVERT_CONFIG_INIT;
	struct progress bar;
	int error;

	progress_init(&bar, "converting", o->quiet);
	config.from = args[0];
	config.from_format = o->from;
	config.to = args[1];
	config.to_format = o->format;
	config.cluster_bytes = (uint32_t)o->cluster;
	config.progress = progress_step;
	config.opaque = &bar;
	error = mh_disk_convert(ctx, &config);
	progress_fini(&bar);
	return error ? cli_library_error(ctx, error) : CLI_OK;
}

/* ---- the verb ---- */

static const struct disk_verb disk_verbs[] = {
	{ "create", 1, 2, create_options, create },    { "info", 1, 1, info_options, info },
	{ "check", 1, 1, check_options, check },       { "resize", 2, 2, resize_options, resize },
	{ "convert", 2, 2, convert_options, convert },
};

static int set_cluster(const struct cli_verb *verb, struct disk_options *o)
{
	uint32_t bytes;

	/* A bare number is bytes here: nobody has clusters of so many MiB. */
	if (cli_parse_number(optarg, 1, UINT32_MAX, &bytes))
		o->cluster = bytes;
	else if (!cli_parse_size(optarg, &o->cluster) || o->cluster > UINT32_MAX)
		return cli_usage_error(verb, "--cluster: '%s' is no size: try 64K", optarg);
	return CLI_OK;
}

static int set_option(const struct cli_verb *verb, int option, char **argv, struct disk_options *o)
{
	switch (option) {
	case OPT_FORMAT:
		o->format = optarg;
		break;
	case OPT_FROM:
		o->from = optarg;
		break;
	case OPT_BACKING:
		o->backing = optarg;
		break;
	case OPT_BACKING_FORMAT:
		o->backing_format = optarg;
		break;
	case OPT_CLUSTER:
		return set_cluster(verb, o);
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_REPAIR:
		o->repair = true;
		break;
	case OPT_QUIET:
		o->quiet = true;
		break;
	default:
		return cli_option_error(verb, option, argv[optind - 1]);
	}
	return CLI_OK;
}

static const struct disk_verb *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(disk_verbs) / sizeof(disk_verbs[0]); i++)
		if (!strcmp(disk_verbs[i].name, name))
			return &disk_verbs[i];
	return NULL;
}

static int disk(const struct cli_verb *verb, int argc, char **argv)
{
	const struct disk_verb *sub = argc > 1 ? find(argv[1]) : NULL;
	struct disk_options o = { 0 };
	struct mh_ctx *ctx;
	int option, error, status = CLI_OK, args;

	if (!sub)
		return cli_usage_error(verb, "disk: create, info, check, resize or convert%s%s",
				       argc > 1 ? ", not " : "", argc > 1 ? argv[1] : "");
	opterr = 0;
	argv++;
	argc--;
	while (!status && (option = getopt_long(argc, argv, ":", sub->options, NULL)) != -1)
		status = set_option(verb, option, argv, &o);
	if (status)
		return status;
	args = argc - optind;
	if (args < sub->least || args > sub->most)
		return cli_usage_error(verb, "disk %s: %s", sub->name,
				       args < sub->least ? "an argument is missing"
							 : "too many arguments");
	error = mh_ctx_create(NULL, &ctx);
	if (error)
		return cli_library_error(NULL, error);
	status = sub->run(verb, ctx, &o, argv + optind);
	mh_ctx_destroy(ctx);
	return cli_finish_output(status);
}

static const char disk_usage[] =
	"usage: " CLI_NAME " disk create [--format F] [--backing FILE [--backing-format F]]\n"
	"                                       [--cluster SIZE] FILE [SIZE]\n"
	"       " CLI_NAME " disk info [--format F] [--json] FILE\n"
	"       " CLI_NAME " disk check [--repair] [--quiet] FILE\n"
	"       " CLI_NAME " disk resize [--format F] FILE SIZE|+SIZE\n"
	"       " CLI_NAME " disk convert [--from F] [--format F] [--cluster SIZE] [--quiet]\n"
	"                                        FILE NEW-FILE\n"
	"\n"
	"Disk images. F is qcow2 (the default for new images) or raw; existing images tell their\n"
	"format themselves. SIZE is in MiB, or with K, M, G or T;\n"
	"that of clusters is in bytes, or with K or M.\n"
	"\n"
	"  create   a new, empty image; with --backing, one that shows that file's content until\n"
	"           it is overwritten\n"
	"  info     what an image is; with --json a document of schema macrohard.disk/1. Images "
	"in\n"
	"           use can be looked at.\n"
	"  check    whether a qcow2 image is consistent; --repair sets wrong counts right\n"
	"  resize   another size: SIZE, or +SIZE more. The file systems inside are not touched.\n"
	"  convert  a copy that stands alone, without backing files\n"
	"\n"
	"Exit status: 0 done, and for check: no errors; 1 failed, or errors found; 2 wrong "
	"command\n"
	"line; 3 check found lost space only.\n";

const struct cli_verb cli_verb_disk = {
	.name = "disk",
	.summary = "create, describe, check, resize and convert disk images",
	.usage = disk_usage,
	.run = disk,
	.options = all_options,
	.args = "create|info|check|resize|convert",
};

/* SPDX-License-Identifier: MIT */
/*
 * Runs the guests of the image, one line each: "ok NAME", "FAIL NAME: why", "skip NAME: why".
 *
 * Usage: guest-runner [--engine shim|kvm] [--list] [--only PATTERN]... [--not PATTERN]...
 *                     [--timeout SECONDS] [--verbose] [--tsc TIMES/PARTS]
 * --tsc: the guests' TSC goes at that rate of the host's.
 * Exit status: 0, 1 when a guest failed, 2 for a wrong call, 77 when none could be run.
 */
#include "runner.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATTERNS 64
#define TIMEOUT_MS 30000

struct options {
	enum guest_engine engine;
	bool list, verbose;
	int timeout_ms;
	uint32_t times, parts;
	const char *only[PATTERNS], *not [PATTERNS];
	size_t onlys, nots;
};

static bool matches(const char *const *patterns, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!fnmatch(patterns[i], name, 0))
			return true;
	return false;
}

static bool parse_engine(struct options *o, const char *name)
{
	o->engine = strcmp(name, "kvm") == 0 ? ENGINE_KVM : ENGINE_SHIM;
	return o->engine == ENGINE_KVM || strcmp(name, "shim") == 0;
}

static bool parse_tsc(struct options *o, const char *value)
{
	char *end;

	o->times = (uint32_t)strtoul(value, &end, 10);
	if (*end != '/')
		return false;
	o->parts = (uint32_t)strtoul(end + 1, &end, 10);
	return !*end && o->times && o->parts;
}

static bool parse_value(struct options *o, const char *option, const char *value)
{
	if (!value)
		return false;
	if (strcmp(option, "--engine") == 0)
		return parse_engine(o, value);
	if (strcmp(option, "--tsc") == 0)
		return parse_tsc(o, value);
	if (strcmp(option, "--timeout") == 0)
		return (o->timeout_ms = (int)strtol(value, NULL, 10) * 1000) > 0;
	if (strcmp(option, "--only") == 0 && o->onlys < PATTERNS)
		return (o->only[o->onlys++] = value) != NULL;
	if (strcmp(option, "--not") == 0 && o->nots < PATTERNS)
		return (o->not [o->nots++] = value) != NULL;
	return false;
}

static bool parse(struct options *o, char **argv)
{
	for (argv++; *argv; argv++) {
		if (strcmp(*argv, "--list") == 0)
			o->list = true;
		else if (strcmp(*argv, "--verbose") == 0)
			o->verbose = true;
		else if (parse_value(o, argv[0], argv[1]))
			argv++;
		else
			return false;
	}
	return true;
}

static void log_line(void *opaque, enum mh_log_level level, const char *text)
{
	printf("    log: %s\n", text);
}

static enum run_result run_one(const struct options *o, const struct guest_entry *guest)
{
	static const char *const words[] = { "ok", "FAIL", "skip" };
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	struct run *r = calloc(1, sizeof(*r));
	enum run_result result = RUN_FAIL;

	if (!r)
		return RUN_FAIL;
	r->guest = guest;
	r->name = image_text(guest->name);
	r->verbose = o->verbose;
	r->times = o->times;
	r->parts = o->parts;
	config.engine = o->engine == ENGINE_KVM ? MH_ENGINE_KVM : MH_ENGINE_SHIM;
	config.log = o->verbose ? log_line : NULL;
	config.log_level = MH_LOG_INFO;
	if (mh_ctx_create(&config, &r->ctx)) {
		printf("FAIL %s: no context\n", r->name);
	} else {
		run_guest(r, o->engine, o->timeout_ms);
		result = r->result;
		printf("%s %s%s%s\n", words[result], r->name, r->text[0] ? ": " : "", r->text);
		mh_ctx_destroy(r->ctx);
	}
	fflush(stdout);
	free(r);
	return result;
}

int main(int argc, char **argv)
{
	const struct image_header *h = image_at(IMAGE_GPA, sizeof(*h));
	struct options o = { .timeout_ms = TIMEOUT_MS, .times = 1, .parts = 1 };
	size_t count[3] = { 0 };
	uint64_t at;

	/* A host that dies takes what is not written yet along. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse(&o, argv) || h->magic != IMAGE_MAGIC) {
		fprintf(stderr,
			"usage: guest-runner [--engine shim|kvm] [--list] [--only PATTERN] "
			"[--not PATTERN] [--timeout SECONDS] [--verbose] [--tsc TIMES/PARTS]\n");
		return 2;
	}
	for (at = h->table; at < h->table_end; at += sizeof(struct guest_entry)) {
		const struct guest_entry *guest = image_at(at, sizeof(*guest));
		const char *name = image_text(guest->name);

		if ((o.onlys && !matches(o.only, o.onlys, name)) || matches(o.not, o.nots, name))
			continue;
		if (o.list)
			puts(name);
		else
			count[run_one(&o, guest)]++;
	}
	if (o.list)
		return 0;
	printf("guests: %zu ok, %zu failed, %zu skipped\n", count[RUN_OK], count[RUN_FAIL],
	       count[RUN_SKIP]);
	return count[RUN_FAIL] ? 1 : count[RUN_OK] ? 0 : 77;
}

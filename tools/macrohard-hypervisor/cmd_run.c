/* SPDX-License-Identifier: MIT */
/* The verb "run": a VM without a name in the store, with its console on this terminal. */
#include "document.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>

#define ESCAPE_DEFAULT 0x1d /* Ctrl-] */
#define GRACE_DEFAULT 30    /* seconds */
#define GRACE_MAX 86400

struct run {
	struct document document;
	struct process process;
};

static const struct cli_option run_options[] = {
	DOCUMENT_OPTIONS,	{ "stats", NULL, 0 },	   { "escape", "KEY", 0 },
	{ "verbose", NULL, 0 }, { "grace", "SECONDS", 0 }, { "no-sandbox", NULL, 0 },
	{ NULL, NULL, 0 },
};

static int take_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	struct run *r = opaque;
	bool good = true;

	if (r->document.helped)
		return CLI_OK;
	if (!strcmp(option, "stats"))
		r->process.stats = true;
	else if (!strcmp(option, "verbose"))
		r->process.verbose = true;
	else if (!strcmp(option, "no-sandbox"))
		r->process.no_sandbox = true;
	else if (!strcmp(option, "escape"))
		good = cli_parse_key(value, &r->process.escape);
	else if (!strcmp(option, "grace"))
		good = cli_parse_number(value, 0, GRACE_MAX, &r->process.grace_s);
	else
		return document_option(verb, &r->document, option, value);
	return good ? CLI_OK : cli_usage_error(verb, "--%s: '%s' is no such value", option, value);
}

static int run_document(const struct cli_verb *verb, struct run *r)
{
	char *text = document_text(&r->document);
	struct mh_config *config = NULL;
	struct mh_ctx *ctx;
	int error, status;

	error = text ? mh_ctx_create(NULL, &ctx) : MH_ENOMEM;
	if (error) {
		free(text);
		return cli_library_error(NULL, error);
	}
	error = mh_config_parse(ctx, text, strlen(text), "command line", NULL, &config);
	free(text);
	status = error ? cli_usage_error(verb, "%s", mh_last_error(ctx)) : CLI_OK;
	mh_ctx_destroy(ctx);
	if (!status) {
		r->process.config = config;
		status = process_run(&r->process);
	}
	mh_config_free(config);
	return status;
}

static bool has_source(const cJSON *root)
{
	return cJSON_HasObjectItem(root, "boot") ||
	       cJSON_HasObjectItem(cJSON_GetObjectItemCaseSensitive(root, "devices"), "disks");
}

static int run(const struct cli_verb *verb, int argc, char **argv)
{
	static const int none[2] = { 0, 0 };
	struct run *r = calloc(1, sizeof(*r));
	int status;

	if (!r)
		return cli_library_error(NULL, MH_ENOMEM);
	r->process.foreground = true;
	r->process.escape = ESCAPE_DEFAULT;
	r->process.grace_s = GRACE_DEFAULT;
	r->process.ready = -1;
	document_init(&r->document, "vm", false);
	status = cli_parse(verb, argc, argv, take_option, r, none);
	if (!status && !r->document.helped) {
		if (has_source(r->document.root)) {
			document_defaults(&r->document);
			status = run_document(verb, r);
		} else {
			status = cli_usage_error(verb,
						 "there is nothing to boot: give --kernel FILE, "
						 "or a --disk FILE to boot from");
		}
	}
	document_fini(&r->document);
	free(r);
	return status;
}

static const char run_usage[] =
	"usage: " CLI_NAME " run [OPTION...]\n"
	"Boots a kernel, or the first disk. The console may be pipes, whose end ends nothing.\n"
	"\n"
	"  --kernel FILE    bzImage, or ELF vmlinux (PVH); --initrd FILE: initial RAM disk\n"
	"  --cmdline TEXT   kernel command line (default: console=ttyS0, or hvc0)\n"
	"  --firmware FILE  without a kernel: a BIOS image; bios (default): SeaBIOS\n"
	"  --memory SIZE    512M (default), 2G, ...; a number alone is MiB. --cpus N: 1 to 64 "
	"CPUs\n"
	"  --console KIND   serial (default): the first serial port; virtio: virtio-console\n"
	"  --disk FILE[,NAME=VALUE...]      a disk; '--disk help' tells the names\n"
	"  --net user|tap=NAME|fd=N|none[,NAME=VALUE...]  default: user; '--net help'\n"
	"  --share DIR:TAG[,NAME=VALUE...]  a folder for the guest; '--share help'\n"
	"  --vsock CID[,NAME=VALUE...]      sockets to this host (AF_VSOCK); '--vsock help'\n"
	"  --rng, --balloon SIZE, --watchdog ACTION, --display WxH, --input KIND, --agent KIND\n"
	"  --engine NAME    shim (default): our kernel module; kvm: the host's KVM\n"
	"  --hyperv, --tsc-khz KHZ  speak for Hyper-V, too (Windows' clock); the TSC's rate\n"
	"  --gdb unix:PATH|tcp:[HOST:]PORT[,wait], --vnc unix:PATH  let gdb attach; VNC clients\n"
	"  --stop-on-reset  end when the guest resets itself, instead of starting it again\n"
	"  --escape KEY     the key that ends the VM: '^]' (default), 'ctrl-a', 'none'\n"
	"  --grace SECONDS  after SIGTERM, time for the guest to switch itself off (30)\n"
	"  --stats, --verbose, --no-sandbox, --name TEXT  count exits; tell more; keep all rights\n"
	"\n"
	"SIGTERM presses the power button; a second signal, or the end of --grace, ends the VM.\n"
	"Exit status: 0 the guest switched itself off, 1 error, 2 wrong command line, 10 the "
	"guest\n"
	"reset itself (--stop-on-reset), 11 triple fault, 12 escape key, 13 its watchdog, "
	"128+N a signal.\n";

const struct cli_verb cli_verb_run = {
	.name = "run",
	.summary = "boot a kernel or a disk, with its console on this terminal",
	.usage = run_usage,
	.run = run,
	.options = run_options,
};

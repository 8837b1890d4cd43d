/* SPDX-License-Identifier: MIT */
/* The verb "create": a VM's document, checked, in a folder of its own; its new disks. */
#include "document.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option create_options[] = {
	DOCUMENT_OPTIONS,
	{ NULL, NULL, 0 },
};

static int take_option(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	struct document *d = opaque;

	return d->helped ? CLI_OK : document_option(verb, d, option, value);
}

static const char *disk_path(const cJSON *disk)
{
	return cJSON_GetObjectItemCaseSensitive(disk, "path")->valuestring;
}

static int make_disk(struct mh_ctx *ctx, const cJSON *disk, uint64_t bytes)
{
	struct mh_disk_create_config config = MH_DISK_CREATE_CONFIG_INIT;
	const cJSON *format = cJSON_GetObjectItemCaseSensitive(disk, "format");
	int error;

	config.format = format ? format->valuestring : "qcow2";
	config.bytes = bytes;
	error = mh_disk_create(ctx, disk_path(disk), &config);
	return error ? cli_library_error(ctx, error) : CLI_OK;
}

/* Sizes of disks that could not be made become 0. */
static int make_disks(struct mh_ctx *ctx, const cJSON *disks, uint64_t *sizes)
{
	int status = CLI_OK, n = 0;
	const cJSON *disk;

	cJSON_ArrayForEach(disk, disks)
	{
		if (sizes[n] && !status)
			status = make_disk(ctx, disk, sizes[n]);
		if (status)
			sizes[n] = 0;
		n++;
	}
	return status;
}

static void remove_disks(const cJSON *disks, const uint64_t *sizes)
{
	const cJSON *disk;
	int n = 0;

	cJSON_ArrayForEach(disk, disks) if (sizes[n++]) unlink(disk_path(disk));
}

static int check_files(struct mh_ctx *ctx, const struct mh_config *config)
{
	int error = mh_config_check(ctx, config), status;

	if (!error)
		return CLI_OK;
	status = cli_library_error(ctx, error);
	if (error == MH_ENOENT)
		cli_message("a new disk is made by --disk FILE,size=64G");
	return status;
}

/* What "create" has in hand. */
struct creation {
	const struct document *d;
	cJSON *disks;
	uint64_t *sizes; /* [disks] of those that are to be made; 0: it is there */
	char *text;
	struct mh_ctx *ctx;
	struct mh_config *config;
};

/* Everything that can be wrong is found before anything is left behind. */
static int create_vm(struct creation *c)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(c->d->root, "name");
	struct store_vm vm = { .dir = -1 };
	int status = make_disks(c->ctx, c->disks, c->sizes), lock = -1;

	if (!status)
		status = check_files(c->ctx, c->config);
	if (!status)
		status = store_create(&vm, name->valuestring, &lock);
	if (!status) {
		status = store_write(&vm, STORE_DOCUMENT, c->text);
		if (status)
			store_remove(&vm);
	}
	if (status)
		remove_disks(c->disks, c->sizes);
	if (lock >= 0)
		close(lock);
	store_close(&vm);
	return status;
}

static int prepare(const struct cli_verb *verb, struct creation *c)
{
	cJSON *devices = cJSON_GetObjectItemCaseSensitive(c->d->root, "devices"), *disk;
	int error, n = 0;

	c->disks = cJSON_GetObjectItemCaseSensitive(devices, "disks");
	c->sizes = calloc((size_t)cJSON_GetArraySize(c->disks) + 1, sizeof(*c->sizes));
	error = c->sizes ? mh_ctx_create(NULL, &c->ctx) : MH_ENOMEM;
	if (error)
		return cli_library_error(NULL, error);
	cJSON_ArrayForEach(disk, c->disks) c->sizes[n++] = device_take_size(disk);
	c->text = document_text(c->d);
	if (!c->text)
		return cli_library_error(NULL, MH_ENOMEM);
	error = mh_config_parse(c->ctx, c->text, strlen(c->text), "command line", NULL, &c->config);
	return error ? cli_usage_error(verb, "%s", mh_last_error(c->ctx)) : CLI_OK;
}

static int create(const struct cli_verb *verb, int argc, char **argv)
{
	static const int none[2] = { 0, 0 };
	struct document d;
	struct creation c = { .d = &d };
	int status;

	document_init(&d, NULL, true);
	status = cli_parse(verb, argc, argv, take_option, &d, none);
	if (!status && !d.helped && !cJSON_HasObjectItem(d.root, "name"))
		status = cli_usage_error(verb, "--name NAME is missing");
	if (!status && !d.helped) {
		document_defaults(&d);
		status = prepare(verb, &c);
		if (!status)
			status = create_vm(&c);
	}
	mh_config_free(c.config);
	mh_ctx_destroy(c.ctx);
	free(c.text);
	free(c.sizes);
	document_fini(&d);
	return status;
}

static const char create_usage[] =
	"usage: " CLI_NAME " create --name NAME [OPTION...]\n"
	"Describes a VM in $XDG_STATE_HOME/macrohard/vms; 'start' starts it. NAME is any text.\n"
	"\n"
	"  --memory SIZE    512M (default), 2G, ...; a number alone is MiB\n"
	"  --cpus N         1 (default) to 64 CPUs\n"
	"  --disk FILE[,NAME=VALUE...]      a disk; ',size=64G' makes it; '--disk help' tells "
	"more\n"
	"  --net user|tap=NAME|fd=N|none[,NAME=VALUE...]  default: user; '--net help'\n"
	"  --share DIR:TAG[,NAME=VALUE...]  a folder for the guest; '--share help'\n"
	"  --vsock CID[,NAME=VALUE...]      sockets to this host (AF_VSOCK); '--vsock help'\n"
	"  --display WxH|none[,NAME=VALUE...]  a screen; default: none; '--display help'\n"
	"  --input KIND[+KIND]...           keyboard, tablet, touch, mouse, ps2\n"
	"  --agent virtio|serial[,...]      a port for the agent in the guest; '--agent help'\n"
	"  --rng, --balloon SIZE, --watchdog ACTION  random numbers; memory back; '--watchdog "
	"help'\n"
	"  --firmware FILE  a BIOS image that boots the first disk; bios (default): SeaBIOS\n"
	"  --kernel FILE    a kernel instead: bzImage, or ELF vmlinux (PVH)\n"
	"  --initrd FILE    initial RAM disk\n"
	"  --cmdline TEXT   kernel command line (default: console=ttyS0, or hvc0)\n"
	"  --console KIND   serial (default): the first serial port; virtio: virtio-console\n"
	"  --engine NAME    shim (default): our kernel module; kvm: the host's KVM\n"
	"  --hyperv, --tsc-khz KHZ  speak for Hyper-V, too (Windows' clock); the TSC's rate\n"
	"  --gdb unix:PATH|tcp:[HOST:]PORT[,wait], --vnc unix:PATH  let gdb attach; VNC clients\n"
	"  --stop-on-reset  stop when the guest resets itself, instead of starting it again\n"
	"\n"
	"Exit status: 0 created, 1 error, 2 wrong command line, 4 there is such a VM already.\n";

const struct cli_verb cli_verb_create = {
	.name = "create",
	.summary = "describe a new VM: its memory, CPUs, disks, network, ...",
	.usage = create_usage,
	.run = create,
	.options = create_options,
};

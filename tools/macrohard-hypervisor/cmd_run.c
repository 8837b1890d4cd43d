/* SPDX-License-Identifier: MIT */
/* The verb "run": boots a kernel in a VM, with its serial console on this terminal. */
#include "cli.h"
#include "console.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_DEFAULT (512ull << 20)
#define ESCAPE_DEFAULT 0x1d /* Ctrl-] */
#define CPUS_MAX 64
#define DISKS_MAX 16
#define SHARES_MAX 8

struct run_options {
	struct mh_boot_config boot;
	struct mh_vm_config vm;
	enum mh_engine_kind engine;
	int escape;
	bool stats, verbose, rng, virtio_console;
	struct mh_disk_config disk[DISKS_MAX];
	unsigned int disks;
	struct mh_share_config share[SHARES_MAX];
	uint32_t shares;
};

enum {
	OPT_KERNEL = 1,
	OPT_INITRD,
	OPT_CMDLINE,
	OPT_MEMORY,
	OPT_CPUS,
	OPT_ENGINE,
	OPT_RESET,
	OPT_STATS,
	OPT_ESCAPE,
	OPT_NAME,
	OPT_VERBOSE,
	OPT_RNG,
	OPT_DISK,
	OPT_SHARE,
	OPT_CONSOLE
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "cmdline", required_argument, NULL, OPT_CMDLINE },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "stop-on-reset", no_argument, NULL, OPT_RESET },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "escape", required_argument, NULL, OPT_ESCAPE },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "rng", no_argument, NULL, OPT_RNG },
	{ "disk", required_argument, NULL, OPT_DISK },
	{ "share", required_argument, NULL, OPT_SHARE },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ NULL, 0, NULL, 0 },
};

static bool parse_engine(const char *text, enum mh_engine_kind *engine)
{
	if (!strcmp(text, "shim"))
		*engine = MH_ENGINE_SHIM;
	else if (!strcmp(text, "kvm"))
		*engine = MH_ENGINE_KVM;
	else
		return false;
	return true;
}

static bool disk_flag(const char *value, uint32_t flag, uint32_t *flags)
{
	if (!strcmp(value, "on"))
		*flags |= flag;
	else if (strcmp(value, "off"))
		return false;
	return true;
}

/* One "name=value" behind the file's name. */
static bool disk_word(char *word, struct mh_disk_config *disk)
{
	char *value = strchr(word, '=');

	if (!value)
		return false;
	*value++ = '\0';
	if (!strcmp(word, "format"))
		disk->format = value;
	else if (!strcmp(word, "serial"))
		disk->serial = value;
	else if (!strcmp(word, "queues"))
		return cli_parse_number(value, 1, 16, &disk->queues);
	else if (!strcmp(word, "readonly"))
		return disk_flag(value, MH_DISK_READONLY, &disk->flags);
	else if (!strcmp(word, "direct"))
		return disk_flag(value, MH_DISK_DIRECT, &disk->flags);
	else if (!strcmp(word, "writethrough"))
		return disk_flag(value, MH_DISK_WRITE_THROUGH, &disk->flags);
	else if (!strcmp(word, "split"))
		return disk_flag(value, MH_VIRTIO_SPLIT, &disk->flags);
	else
		return false;
	return true;
}

/* FILE[,NAME=VALUE]...: the pieces stay in the argument. */
static bool parse_disk(char *text, struct mh_disk_config *disk)
{
	const struct mh_disk_config defaults = MH_DISK_CONFIG_INIT;
	char *word = strchr(text, ',');

	*disk = defaults;
	disk->path = text;
	while (word) {
		char *next;

		*word++ = '\0';
		next = strchr(word, ',');
		if (next)
			*next = '\0';
		if (!disk_word(word, disk))
			return false;
		if (next)
			*next = ',';
		word = next;
	}
	return *text != '\0';
}

/* Options whose value has a form; false: it has not. */
static bool take_value(struct run_options *o, int option, char *value)
{
	switch (option) {
	case OPT_MEMORY:
		return cli_parse_size(value, &o->vm.memory_bytes);
	case OPT_CPUS:
		return cli_parse_number(value, 1, CPUS_MAX, &o->vm.cpus);
	case OPT_ENGINE:
		return parse_engine(value, &o->engine);
	case OPT_ESCAPE:
		return cli_parse_key(value, &o->escape);
	case OPT_CONSOLE:
		o->virtio_console = !strcmp(value, "virtio");
		return o->virtio_console || !strcmp(value, "serial");
	case OPT_DISK:
		return o->disks < DISKS_MAX && parse_disk(value, &o->disk[o->disks++]);
	case OPT_SHARE:
		return o->shares < SHARES_MAX && cli_parse_share(value, &o->share[o->shares++]);
	default:
		return false;
	}
}

static void take_option(struct run_options *o, int option, const char *value)
{
	switch (option) {
	case OPT_KERNEL:
		o->boot.kernel = value;
		break;
	case OPT_INITRD:
		o->boot.initrd = value;
		break;
	case OPT_CMDLINE:
		o->boot.cmdline = value;
		break;
	case OPT_NAME:
		o->vm.name = value;
		break;
	case OPT_RESET:
		o->vm.flags |= MH_VM_STOP_ON_RESET;
		break;
	case OPT_STATS:
		o->stats = true;
		break;
	case OPT_RNG:
		o->rng = true;
		break;
	default:
		o->verbose = true;
		break;
	}
}

static int parse(const struct cli_verb *verb, int argc, char **argv, struct run_options *o)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		switch (option) {
		case ':':
		case '?':
			return cli_option_error(verb, option, argv[optind - 1]);
		case OPT_MEMORY:
		case OPT_CPUS:
		case OPT_ENGINE:
		case OPT_ESCAPE:
		case OPT_DISK:
		case OPT_SHARE:
		case OPT_CONSOLE:
			if (!take_value(o, option, optarg))
				return cli_usage_error(verb, "--%s: '%s' is no such value",
						       long_options[option - 1].name, optarg);
			break;
		default:
			take_option(o, option, optarg);
			break;
		}
	}
	if (optind < argc)
		return cli_usage_error(verb, "'%s' belongs to no option", argv[optind]);
	if (!o->boot.kernel)
		return cli_usage_error(verb, "--kernel FILE is missing");
	return CLI_OK;
}

static void log_line(void *opaque, enum mh_log_level level, const char *text)
{
	/* In raw mode a line feed alone does not return the carriage. */
	fprintf(stderr, "%s: %s%s", CLI_NAME, text, isatty(STDERR_FILENO) ? "\r\n" : "\n");
}

static void print_stats(struct mh_vm *vm, uint32_t cpus)
{
	struct mh_vcpu_stats s = { .size = sizeof(s) };
	uint32_t i;

	fprintf(stderr, "vCPU %12s %12s %12s %12s %12s\n", "entries", "user exits", "page faults",
		"halts", "interrupts");
	for (i = 0; i < cpus; i++) {
		if (mh_vcpu_stats(vm, i, &s))
			continue;
		fprintf(stderr, "%4u %12llu %12llu %12llu %12llu %12llu\n", i,
			(unsigned long long)s.entries, (unsigned long long)s.user_exits,
			(unsigned long long)s.faults, (unsigned long long)s.halts,
			(unsigned long long)s.interrupts);
	}
}

/* Why a VM that stopped by itself did so, as an exit status and in words. */
static int stop_status(struct mh_vm *vm)
{
	enum mh_stop_reason reason = mh_vm_stop_reason(vm);

	switch (reason) {
	case MH_STOP_POWEROFF:
		return CLI_OK;
	case MH_STOP_RESET:
		cli_message("the guest reset itself");
		return CLI_RESET;
	case MH_STOP_SHUTDOWN:
	case MH_STOP_ERROR:
		cli_message("%s", mh_vm_stop_text(vm));
		return reason == MH_STOP_SHUTDOWN ? CLI_SHUTDOWN : CLI_ERROR;
	case MH_STOP_NONE:
	case MH_STOP_REQUEST:
		break;
	}
	cli_message("the VM was stopped");
	return CLI_ERROR;
}

/* Serves the started VM until it has stopped; the window is as it was when this returns. */
static int serve(struct console *console, struct mh_vm *vm)
{
	enum console_end end;
	int detail = 0;

	end = console_run(console, &detail);
	if (end != CONSOLE_STOPPED)
		mh_vm_stop(vm);
	console_detach(console);
	switch (end) {
	case CONSOLE_ESCAPE:
		return CLI_QUIT;
	case CONSOLE_SIGNAL:
		return CLI_SIGNALLED + detail;
	case CONSOLE_OUTPUT:
		cli_message("cannot write the guest's output: %s", strerror(detail));
		return CLI_ERROR;
	case CONSOLE_STOPPED:
		break;
	}
	return stop_status(vm);
}

static int attach_devices(const struct run_options *o, struct mh_vm *vm)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < o->disks && !error; i++)
		error = mh_disk_attach(vm, &o->disk[i], NULL);
	if (!error && o->rng)
		error = mh_rng_attach(vm, NULL, NULL);
	for (i = 0; !error && i < o->shares; i++)
		error = mh_share_attach(vm, &o->share[i], NULL);
	return error;
}

static int run_vm(struct mh_ctx *ctx, const struct run_options *o, struct console *console)
{
	struct mh_vm *vm;
	char key[16];
	int error, status;

	error = mh_vm_create(ctx, &o->vm, &vm);
	if (error)
		return cli_library_error(ctx, error);
	error = mh_vm_boot(vm, &o->boot);
	if (!error)
		error = attach_devices(o, vm);
	if (!error)
		error = console_attach(console, vm, o->virtio_console);
	if (!error && terminal_raw(&console->terminal)) {
		cli_message("cannot switch the terminal to raw mode: %s", strerror(errno));
		mh_vm_destroy(vm);
		return CLI_ERROR;
	}
	if (console->terminal.raw && o->escape >= 0) {
		cli_key_name(o->escape, key, sizeof(key));
		fprintf(stderr, "%s: %s ends the VM\r\n", CLI_NAME, key);
	}
	if (!error)
		error = mh_vm_start(vm);
	if (error) {
		console_detach(console);
		status = cli_library_error(ctx, error);
	} else {
		status = serve(console, vm);
		if (o->stats)
			print_stats(vm, o->vm.cpus);
	}
	mh_vm_destroy(vm);
	return status;
}

static int run(const struct cli_verb *verb, int argc, char **argv)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	struct run_options o = { .boot = MH_BOOT_CONFIG_INIT, .vm = MH_VM_CONFIG_INIT };
	struct console console;
	struct mh_ctx *ctx;
	int status, error;

	o.vm.memory_bytes = MEMORY_DEFAULT;
	o.escape = ESCAPE_DEFAULT;
	status = parse(verb, argc, argv, &o);
	if (status)
		return status;
	if (!o.boot.cmdline)
		o.boot.cmdline = o.virtio_console ? "console=hvc0" : "console=ttyS0";
	config.engine = o.engine;
	config.log = log_line;
	if (o.verbose)
		config.log_level = MH_LOG_DEBUG;
	error = mh_ctx_create(&config, &ctx);
	if (error)
		return cli_library_error(NULL, error);
	if (console_init(&console, o.escape)) {
		cli_message("cannot prepare the console: %s", strerror(errno));
		status = CLI_ERROR;
	} else {
		status = run_vm(ctx, &o, &console);
	}
	console_fini(&console);
	mh_ctx_destroy(ctx);
	return status;
}

static const char run_usage[] =
	"usage: " CLI_NAME " run --kernel FILE [OPTION...]\n"
	"\n"
	"Boots a Linux kernel in a VM. The guest's console is this terminal.\n"
	"\n"
	"  --kernel FILE    bzImage, or ELF vmlinux (PVH)\n"
	"  --initrd FILE    initial RAM disk\n"
	"  --cmdline TEXT   kernel command line (default: console=ttyS0, or hvc0)\n"
	"  --memory SIZE    512M (default), 2G, ...; a number alone is MiB\n"
	"  --cpus N         1 (default) to 64 virtual CPUs\n"
	"  --console KIND   serial (default): the first serial port; virtio: virtio-console\n"
	"  --disk FILE[,NAME=VALUE...]  up to 16 disks: format=raw|qcow2, readonly=on,\n"
	"                   direct=on, writethrough=on, serial=TEXT, queues=N, split=on\n"
	"  --rng            give the guest random numbers of this host (virtio-rng)\n"
	"  --share DIR:TAG  a folder for \"mount -t 9p\"; ,readonly ,owners=NAME ,uid=N ,gid=N\n"
	"  --engine NAME    shim (default): our kernel module; kvm: the host's KVM\n"
	"  --stop-on-reset  end when the guest resets itself, instead of starting it again\n"
	"  --escape KEY     the key that ends the VM: '^]' (default), 'ctrl-a', 'none'\n"
	"  --stats          at the end, count entries and exits of each virtual CPU\n"
	"  --name TEXT      the VM's name in messages\n"
	"  --verbose        show what the library does\n"
	"\n"
	"Standard input that is no terminal goes to the guest as it comes; its end ends nothing.\n"
	"Exit status: 0 the guest switched itself off, 1 error, 2 wrong command line, 10 the "
	"guest\n"
	"reset itself (--stop-on-reset), 11 triple fault, 12 escape key, 128+N ended by signal "
	"N.\n";

const struct cli_verb cli_verb_run = {
	.name = "run",
	.summary = "boot a Linux kernel, with its console on this terminal",
	.usage = run_usage,
	.run = run,
};

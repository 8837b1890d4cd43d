/* SPDX-License-Identifier: MIT */
/* The verb "run": boots a kernel in a VM, with its serial console on this terminal. */
#include "cli.h"
#include "console.h"
#include "devices.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_DEFAULT (512ull << 20)
#define ESCAPE_DEFAULT 0x1d /* Ctrl-] */
#define GRACE_DEFAULT 30    /* seconds */
#define GRACE_MAX 86400
#define CPUS_MAX 64

struct run_options {
	struct mh_boot_config boot;
	struct mh_vm_config vm;
	enum mh_engine_kind engine;
	int escape;
	uint32_t grace_s;
	bool stats, verbose, virtio_console;
	bool helped; /* somebody only wanted to know */
	struct devices devices;
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
	OPT_CONSOLE,
	OPT_GRACE,
	OPT_HYPERV,
	OPT_DEVICE
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
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "hyperv", no_argument, NULL, OPT_HYPERV },
	/* The table in devices.c has a row for each. */
	{ "disk", required_argument, NULL, OPT_DEVICE },
	{ "net", required_argument, NULL, OPT_DEVICE },
	{ "share", required_argument, NULL, OPT_DEVICE },
	{ "rng", no_argument, NULL, OPT_DEVICE },
	{ "vsock", required_argument, NULL, OPT_DEVICE },
	{ "balloon", required_argument, NULL, OPT_DEVICE },
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
	case OPT_GRACE:
		return cli_parse_number(value, 0, GRACE_MAX, &o->grace_s);
	case OPT_ESCAPE:
		return cli_parse_key(value, &o->escape);
	case OPT_CONSOLE:
		o->virtio_console = !strcmp(value, "virtio");
		return o->virtio_console || !strcmp(value, "serial");
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
	case OPT_HYPERV:
		o->vm.flags |= MH_VM_HYPERV;
		break;
	case OPT_STATS:
		o->stats = true;
		break;
	default:
		o->verbose = true;
		break;
	}
}

/* Without --net: a user network, unless somebody says "none". */
static int parse(const struct cli_verb *verb, int argc, char **argv, struct run_options *o)
{
	static char user_net[] = "user";
	int option, index = 0, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:", long_options, &index)) != -1) {
		switch (option) {
		case ':':
		case '?':
			return cli_option_error(verb, option, argv[optind - 1]);
		case OPT_MEMORY:
		case OPT_CPUS:
		case OPT_ENGINE:
		case OPT_ESCAPE:
		case OPT_CONSOLE:
		case OPT_GRACE:
			if (!take_value(o, option, optarg))
				return cli_usage_error(verb, "--%s: '%s' is no such value",
						       long_options[index].name, optarg);
			break;
		case OPT_DEVICE:
			o->helped = optarg && !strcmp(optarg, "help");
			if (o->helped) {
				devices_help(long_options[index].name);
				return CLI_OK;
			}
			status = devices_add(&o->devices, verb, long_options[index].name, optarg);
			if (status)
				return status;
			break;
		default:
			take_option(o, option, optarg);
			break;
		}
	}
	if (optind < argc)
		return cli_usage_error(verb, "'%s' belongs to no option", argv[optind]);
	if (!o->boot.kernel)
		return cli_usage_error(verb,
				       "--kernel FILE is missing: there is no firmware that boots "
				       "from a disk; give the kernel and --initrd of its /boot");
	if (devices_have(&o->devices, "net"))
		return CLI_OK;
	return devices_add(&o->devices, verb, "net", user_net);
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

	fprintf(stderr, "vCPU %12s %12s %12s %12s %12s %12s\n", "entries", "user exits",
		"page faults", "halts", "interrupts", "doorbells");
	for (i = 0; i < cpus; i++) {
		if (mh_vcpu_stats(vm, i, &s))
			continue;
		fprintf(stderr, "%4u %12llu %12llu %12llu %12llu %12llu %12llu\n", i,
			(unsigned long long)s.entries, (unsigned long long)s.user_exits,
			(unsigned long long)s.faults, (unsigned long long)s.halts,
			(unsigned long long)s.interrupts, (unsigned long long)s.doorbells);
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
		error = devices_attach(&o->devices, vm);
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
	o.grace_s = GRACE_DEFAULT;
	status = parse(verb, argc, argv, &o);
	if (status || o.helped)
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
	if (console_init(&console, o.escape, o.grace_s)) {
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
	"Boots a Linux kernel in a VM. Its console is this terminal, or pipes, whose end ends "
	"nothing.\n"
	"\n"
	"  --kernel FILE    bzImage, or ELF vmlinux (PVH)\n"
	"  --initrd FILE    initial RAM disk\n"
	"  --cmdline TEXT   kernel command line (default: console=ttyS0, or hvc0)\n"
	"  --memory SIZE    512M (default), 2G, ...; a number alone is MiB. --cpus N: 1 to 64 "
	"CPUs\n"
	"  --console KIND   serial (default): the first serial port; virtio: virtio-console\n"
	"  --disk FILE[,NAME=VALUE...]      a disk; '--disk help' tells the names\n"
	"  --net user|tap=NAME|fd=N|none[,NAME=VALUE...]  default: user; '--net help'\n"
	"  --share DIR:TAG[,NAME=VALUE...]  a folder for \"mount -t 9p\"; '--share help'\n"
	"  --vsock CID[,NAME=VALUE...]      sockets to this host (AF_VSOCK); '--vsock help'\n"
	"  --rng, --balloon SIZE            random numbers; the guest gives memory back\n"
	"  --engine NAME    shim (default): our kernel module; kvm: the host's KVM\n"
	"  --hyperv         for Windows' clock: speak for Hyper-V, too\n"
	"  --stop-on-reset  end when the guest resets itself, instead of starting it again\n"
	"  --escape KEY     the key that ends the VM: '^]' (default), 'ctrl-a', 'none'\n"
	"  --grace SECONDS  after SIGTERM, time for the guest to switch itself off (30)\n"
	"  --stats, --verbose, --name TEXT  count exits; tell more; the VM's name in messages\n"
	"\n"
	"SIGTERM presses the power button; a second signal, or the end of --grace, ends the VM.\n"
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

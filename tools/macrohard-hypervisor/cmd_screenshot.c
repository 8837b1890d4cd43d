/* SPDX-License-Identifier: MIT */
/* The verb "screenshot": what a VM's display shows, as a picture. */
#include "rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int two[2] = { 1, 2 };

static int no_options(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	return CLI_OK;
}

static int write_all(int fd, const char *data, ssize_t bytes)
{
	while (bytes > 0) {
		ssize_t n = write(fd, data, (size_t)bytes);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			data += n, bytes -= n;
	}
	return 0;
}

/* errno tells why it is not 0. */
static int copy(int from, int to)
{
	char data[65536];
	ssize_t n;

	while ((n = read(from, data, sizeof(data))) > 0)
		if (write_all(to, data, n))
			return -1;
	return n < 0 ? -1 : 0;
}

static int take(const struct store_vm *vm, const char *file)
{
	bool standard = !strcmp(file, "-");
	int from = openat(vm->dir, STORE_SCREENSHOT, O_RDONLY | O_CLOEXEC), to, rc;

	if (from < 0) {
		cli_message("VM \"%s\": %s: %s", vm->name, STORE_SCREENSHOT, strerror(errno));
		return CLI_ERROR;
	}
	to = standard ? STDOUT_FILENO : open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	rc = to < 0 ? -1 : copy(from, to);
	if (to >= 0 && !standard && close(to))
		rc = -1;
	if (rc)
		cli_message("%s: %s", file, strerror(errno));
	close(from);
	return rc ? CLI_ERROR : CLI_OK;
}

static int screenshot(const struct cli_verb *verb, int argc, char **argv)
{
	int status = cli_parse(verb, argc, argv, no_options, NULL, two);
	struct store_vm vm = { .dir = -1 };
	struct rpc *rpc = NULL;

	if (!status && argc - optind < 2)
		status = cli_usage_error(verb, "FILE is missing");
	if (!status)
		status = rpc_open(argv[optind], &vm, &rpc);
	if (!status)
		status = rpc_call(rpc, "screenshot", NULL, NULL);
	if (!status)
		status = take(&vm, argv[optind + 1]);
	rpc_shut(&vm, rpc);
	return status;
}

static const char screenshot_usage[] =
	"usage: " CLI_NAME " screenshot NAME FILE\n"
	"\n"
	"Writes what a running VM's display shows, with its pointer, to a file, as PNG. FILE '-' "
	"is\n"
	"standard output. The VM needs a display: 'create --display WxH'.\n"
	"\n"
	"Exit status: 0 written, 1 error (the guest shows nothing), 2 wrong command line, 3 there "
	"is\n"
	"no such VM, 4 it does not run.\n";

const struct cli_verb cli_verb_screenshot = {
	.name = "screenshot",
	.summary = "write what a running VM shows to a PNG file",
	.usage = screenshot_usage,
	.run = screenshot,
	.args = CLI_VM,
};

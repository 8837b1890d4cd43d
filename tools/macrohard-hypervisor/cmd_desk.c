/* SPDX-License-Identifier: MIT */
/* The verbs "window", "seamless" and "clipboard": a running VM on the caller's X server. */
#include "rpc.h"
#include "x11.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int none[2] = { 0, 0 };
static const int one[2] = { 1, 1 };
static const int two[2] = { 2, 2 };

static void tell(void *opaque, int error, const char *text)
{
	cli_message("%s", text);
}

/* A socket to the X server of the caller's session: the VM's process may not connect. */
static int dial(const char *display, struct mh_x11_socket *out)
{
	static const struct mh_x11_ops ops = { 1, tell, NULL };
	struct mh_x11_config config = MH_X11_CONFIG_INIT;
	struct x11_library x11;
	int error = x11_load(&x11);

	if (error) {
		cli_message("%s", x11.why);
		return CLI_ERROR;
	}
	config.display = display;
	config.ops = &ops;
	error = x11.call.dial(&config, out);
	x11_unload(&x11);
	return error ? CLI_ERROR : CLI_OK;
}

static void add_server(cJSON *params, const char *display, const struct mh_x11_socket *socket)
{
	char hex[2 * sizeof(socket->auth_data) + 1] = "";

	for (uint32_t n = 0; n < socket->auth_bytes; n++)
		snprintf(hex + 2 * n, 3, "%02x", socket->auth_data[n]);
	cJSON_AddStringToObject(params, "display", display);
	cJSON_AddNumberToObject(params, "screen", socket->screen);
	cJSON_AddStringToObject(params, "auth_name", socket->auth_name);
	cJSON_AddStringToObject(params, "auth_data", hex);
}

static int ask_process(struct rpc *rpc, const char *method, bool on, const char *display)
{
	struct mh_x11_socket socket = MH_X11_SOCKET_INIT;
	int status = on ? dial(display, &socket) : CLI_OK;
	cJSON *params;

	if (status)
		return status;
	params = cJSON_CreateObject();
	cJSON_AddBoolToObject(params, "on", on);
	if (on)
		add_server(params, display, &socket);
	status = rpc_call_with(rpc, method, params, socket.fd);
	if (socket.fd >= 0)
		close(socket.fd);
	return status;
}

/* Has the VM's process begin or end to do one of the methods "window", ... */
static int ask(const char *name, const char *method, bool on)
{
	const char *display = getenv("DISPLAY");
	struct store_vm vm = { .dir = -1 };
	struct rpc *rpc = NULL;
	int status;

	if (on && (!display || !*display)) {
		cli_message(
			"there is no X server to show VM \"%s\" on: DISPLAY is not set; call this "
			"in a session that has one, or set DISPLAY and XAUTHORITY",
			name);
		return CLI_ERROR;
	}
	status = rpc_open(name, &vm, &rpc);
	if (!status)
		status = ask_process(rpc, method, on, display);
	rpc_shut(&vm, rpc);
	return status;
}

/* ---- window ---- */

static const struct cli_option window_options[] = {
	{ "close", NULL, 0 },
	{ NULL, NULL, 0 },
};

static int set_true(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	*(bool *)opaque = true;
	return CLI_OK;
}

static int window(const struct cli_verb *verb, int argc, char **argv)
{
	bool end = false;
	int status = cli_parse(verb, argc, argv, set_true, &end, one);

	return status ? status : ask(argv[optind], "window", !end);
}

/* ---- seamless ---- */

struct seamless {
	const char *name;
	bool on;
};

static const struct cli_option seamless_options[] = {
	{ "enable", CLI_VM, 0 },
	{ "disable", CLI_VM, 0 },
	{ NULL, NULL, 0 },
};

static int seamless_option(const struct cli_verb *verb, void *opaque, const char *option,
			   char *value)
{
	struct seamless *s = opaque;

	if (s->name)
		return cli_usage_error(verb, "one of --enable and --disable, once");
	s->name = value;
	s->on = !strcmp(option, "enable");
	return CLI_OK;
}

static int seamless(const struct cli_verb *verb, int argc, char **argv)
{
	struct seamless s = { NULL, false };
	int status = cli_parse(verb, argc, argv, seamless_option, &s, none);

	if (status)
		return status;
	if (!s.name)
		return cli_usage_error(verb, "--enable VM or --disable VM is missing");
	return ask(s.name, "seamless", s.on);
}

/* ---- clipboard ---- */

static int no_options(const struct cli_verb *verb, void *opaque, const char *option, char *value)
{
	return CLI_OK;
}

static int clipboard(const struct cli_verb *verb, int argc, char **argv)
{
	int status = cli_parse(verb, argc, argv, no_options, NULL, two);
	const char *state;

	if (status)
		return status;
	state = argv[optind + 1];
	if (strcmp(state, "on") && strcmp(state, "off"))
		return cli_usage_error(verb, "'%s' is neither on nor off", state);
	return ask(argv[optind], "clipboard", !strcmp(state, "on"));
}

/* ---- the table ---- */

#define DESK_STATUS                                                                               \
	"\nThe server is that of DISPLAY and XAUTHORITY. It needs libmacrohard-x11.\n"            \
	"\nExit status: 0 done, 1 error, 2 wrong command line, 3 there is no such VM, 4 it does " \
	"not\nrun.\n"

static const char window_usage[] =
	"usage: " CLI_NAME " window [--close] NAME\n"
	"\n"
	"Shows a running VM's display in a window on the X server. When the window gets another\n"
	"size the guest is asked for that one. Ctrl+Alt+Enter makes it full screen, and a window\n"
	"again. Closing the window presses the guest's power button.\n"
	"\n"
	"  --close    take the window away; the VM runs on\n" DESK_STATUS;

const struct cli_verb cli_verb_window = {
	.name = "window",
	.summary = "show a running VM's display in a window",
	.usage = window_usage,
	.run = window,
	.options = window_options,
	.args = CLI_VM,
};

static const char seamless_usage[] =
	"usage: " CLI_NAME " seamless --enable NAME | --disable NAME\n"
	"\n"
	"Shows each window of a running VM's guest as a window on the X server, with its own\n"
	"title, icon and place in the task bar. It needs the agent in the guest.\n"
	"\n"
	"  --enable NAME     begin; it also shares the clipboard\n"
	"  --disable NAME    end both; the guest's windows stay in the guest\n" DESK_STATUS;

const struct cli_verb cli_verb_seamless = {
	.name = "seamless",
	.summary = "show a guest's windows among those of this desktop",
	.usage = seamless_usage,
	.run = seamless,
	.options = seamless_options,
};

static const char clipboard_usage[] =
	"usage: " CLI_NAME " clipboard NAME on|off\n"
	"\n"
	"Shares the X server's clipboard with a running VM's guest, in both directions: text,\n"
	"HTML and images, up to 16 MiB, as far as the VM's document lets it. What is copied goes\n"
	"over when somebody pastes it. It needs the agent in the guest.\n" DESK_STATUS;

const struct cli_verb cli_verb_clipboard = {
	.name = "clipboard",
	.summary = "share the clipboard with a running VM's guest",
	.usage = clipboard_usage,
	.run = clipboard,
	.args = CLI_VM,
	.seldom = true,
};

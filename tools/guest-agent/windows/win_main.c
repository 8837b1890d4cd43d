/* SPDX-License-Identifier: MIT */
/* The agent's program: its command line, its loop, and what it offers to the host. */
#include "win_agent.h"
#include "win_text.h"
#include "../files.h"

#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <winsock2.h>

#define AGAIN_MS 1000u /* between two tries to reach the host */
#define FEATURES                                                                      \
	(MHI_AGENT_F_INFO | MHI_AGENT_F_POWER | MHI_AGENT_F_TIME | MHI_AGENT_F_EXEC | \
	 MHI_AGENT_F_FILES | MHI_AGENT_F_MOUNT | MHI_AGENT_F_RESIZE | MHI_AGENT_F_INPUT)

static const char usage[] =
	"usage: macrohard-guest-agent [OPTION]\n"
	"\n"
	"Serves the host that this Windows is a guest of, in the session of the user who starts "
	"it.\n"
	"\n"
	"  --port NAME          the way to the host: a serial port (COM2) or a device's path;\n"
	"                       without it virtio's org.macrohard.agent.0, then COM2, are tried\n"
	"  --connect HOST:PORT  over TCP instead, for tests: nothing proves who is there\n"
	"  --version            prints it\n"
	"  --help               prints this\n";

/* ---- what is agreed on ---- */

static void agreed(void *os, uint32_t features)
{
	struct win_agent *agent = os;

	if (agent->clip)
		win_clip_agreed(agent, features & MHI_AGENT_F_CLIPBOARD);
	if (agent->windows)
		win_windows_agreed(agent, features & MHI_AGENT_F_WINDOWS);
}

static void room(void *os)
{
	struct win_agent *agent = os;

	if (agent->clip)
		win_clip_room(agent);
	if (agent->windows)
		win_windows_room(agent);
}

static const struct ga_os ops = {
	.system = "windows",
	.agent = "macrohard-guest-agent " AGENT_VERSION,
	.agreed = agreed,
	.room = room,
	.get_info = win_get_info,
	.shutdown = win_shutdown,
	.set_time = win_set_time,
	.mount = win_mount,
	.unmount = win_unmount,
	.exec = win_exec,
	.file_put = ga_file_put,
	.file_get = ga_file_get,
	.clip_offer = win_clip_offer,
	.clip_request = win_clip_request,
	.seamless = win_seamless,
	.work_area = win_work_area,
	.window_move = win_window_move,
	.window_act = win_window_act,
	.resize = win_resize,
	.key = win_key,
	.pointer = win_pointer,
	.button = win_button,
	.wheel = win_wheel,
};

/* ---- the loop ---- */

static void open_letters(struct win_agent *agent)
{
	struct win_letter *letter, *next;

	AcquireSRWLockExclusive(&agent->lock);
	letter = agent->first;
	agent->first = NULL;
	agent->last = &agent->first;
	ReleaseSRWLockExclusive(&agent->lock);
	for (; letter; letter = next) {
		next = letter->next;
		letter->open(agent, letter);
		free(letter);
	}
}

/* Returns 0; -1: the connection is of no use any more. */
static int move_input(struct win_agent *agent)
{
	uint8_t buffer[16384];
	long bytes = 1;

	while (bytes > 0 && ga_wants_input(&agent->session)) {
		bytes = win_stream_read(agent->way.in, buffer, sizeof(buffer));
		if (bytes > 0 && ga_input(&agent->session, buffer, (size_t)bytes))
			return -1;
	}
	return bytes < 0 ? -1 : 0;
}

static int move_output(struct win_agent *agent)
{
	const uint8_t *data;
	size_t bytes;
	long sent = 1;

	while (sent > 0 && (bytes = ga_output(&agent->session, &data))) {
		sent = win_stream_write(agent->way.out, data, bytes);
		if (sent > 0)
			ga_sent(&agent->session, (size_t)sent);
	}
	return sent < 0 ? -1 : 0;
}

/* One connection, until it ends. */
static void serve(struct win_agent *agent, uint32_t instance)
{
	ga_connected(&agent->session, instance, win_now());
	for (;;) {
		int ms, exec_ms;

		open_letters(agent);
		exec_ms = win_exec_poll(agent);
		if (move_input(agent) || move_output(agent))
			break;
		ms = ga_tick(&agent->session, win_now());
		if (agent->session.broken)
			break;
		/* What was just said is still to be sent. */
		if (move_output(agent))
			break;
		if (exec_ms >= 0 && (ms < 0 || exec_ms < ms))
			ms = exec_ms;
		WaitForSingleObject(agent->wake, ms < 0 ? INFINITE : (DWORD)ms);
	}
	ga_disconnected(&agent->session);
}

/* The ways that are tried, one after the other, for ever. */
struct ways {
	struct win_way list[2];
	uint32_t count;
};

static void run(struct win_agent *agent, const struct ways *ways)
{
	uint32_t instance = (uint32_t)(win_now() ^ GetCurrentProcessId() << 12);

	for (uint32_t n = 0;; n = (n + 1) % ways->count) {
		agent->way = ways->list[n];
		if (!win_way_open(&agent->way, agent->wake)) {
			instance += instance == UINT32_MAX ? 2 : 1;
			serve(agent, instance);
			win_way_close(&agent->way);
		}
		open_letters(agent);
		if (n + 1 == ways->count)
			Sleep(AGAIN_MS);
	}
}

/* ---- the start ---- */

/* Pixels are the display's, not those that Windows makes up for programs that know no scale. */
static void know_scale(void)
{
	typedef BOOL(WINAPI * set_context)(HANDLE);
	FARPROC found =
		GetProcAddress(GetModuleHandleW(L"user32.dll"), "SetProcessDpiAwarenessContext");
	set_context set;

	memcpy(&set, &found, sizeof(set));
	/* DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2, of Windows 10. */
	if (!set || !set((HANDLE)(intptr_t)-4))
		SetProcessDPIAware();
}

static int start(struct win_agent *agent)
{
	uint32_t features = FEATURES;
	WSADATA data;

	InitializeSRWLock(&agent->lock);
	agent->last = &agent->first;
	agent->wake = CreateEventW(NULL, FALSE, FALSE, NULL);
	if (!agent->wake || WSAStartup(MAKEWORD(2, 2), &data))
		return -1;
	know_scale();
	if (!win_clip_start(agent))
		features |= MHI_AGENT_F_CLIPBOARD;
	if (!win_windows_start(agent))
		features |= MHI_AGENT_F_WINDOWS;
	return ga_init(&agent->session, &ops, agent, features);
}

static bool tcp_way(struct win_way *way, wchar_t *text)
{
	wchar_t *colon = wcsrchr(text, L':');
	size_t units = colon ? wcslen(colon + 1) : 0;

	if (!units || units >= sizeof(way->service) / sizeof(way->service[0]))
		return false;
	way->kind = WIN_WAY_TCP;
	way->name = text;
	memcpy(way->service, colon + 1, units * sizeof(wchar_t));
	*colon = 0;
	return true;
}

/* "COM2" is one only as a device's path from COM10 on; so is any. */
static bool port_way(struct win_way *way, const wchar_t *text)
{
	size_t units = wcslen(text) + 5;
	wchar_t *path = malloc(units * sizeof(*path));

	if (path)
		_snwprintf(path, units, L"%ls%ls", text[0] == L'\\' ? L"" : L"\\\\.\\", text);
	way->kind = WIN_WAY_PORT;
	way->name = path;
	return path;
}

/* Returns -1, or the status to end with. */
static int parse(int argc, wchar_t **argv, struct ways *ways)
{
	ways->count = 1;
	if (argc == 2 && !wcscmp(argv[1], L"--help"))
		return fputs(usage, stdout) < 0;
	if (argc == 2 && !wcscmp(argv[1], L"--version"))
		return puts(ops.agent) < 0;
	if (argc == 3 && !wcscmp(argv[1], L"--connect") && tcp_way(&ways->list[0], argv[2]))
		return -1;
	if (argc == 3 && !wcscmp(argv[1], L"--port") && port_way(&ways->list[0], argv[2]))
		return -1;
	ways->count = 2;
	if (argc == 1 && port_way(&ways->list[0], L"\\\\.\\Global\\org.macrohard.agent.0") &&
	    port_way(&ways->list[1], L"COM2"))
		return -1;
	fputs(usage, stderr);
	return 2;
}

int main(void)
{
	struct ways ways = { .count = 0 };
	struct win_agent *agent = calloc(1, sizeof(*agent));
	int argc = 0, status;
	/* The C library's arguments are in the old code page. */
	wchar_t **argv = CommandLineToArgvW(GetCommandLineW(), &argc);

	status = argv ? parse(argc, argv, &ways) : 1;
	if (status >= 0)
		return status;
	if (!agent || start(agent)) {
		fputs("macrohard-guest-agent: cannot start: no memory or no sockets; "
		      "start Windows anew\n",
		      stderr);
		return 1;
	}
	run(agent, &ways);
	return 0;
}

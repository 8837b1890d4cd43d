/* SPDX-License-Identifier: MIT */
/*
 * What a test of the Windows agent has done on Windows' side of it: another program's clipboard,
 * windows of all kinds, typed text, arguments as they arrive. "poke WHAT ...", wide and in UTF-8.
 */
#include "../../../tools/guest-agent/windows/win_text.h"

#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>
#include <shellapi.h>

#define TRIES 200

static int broken(const char *what)
{
	fprintf(stderr, "poke: %s: error %lu\n", what, GetLastError());
	return 1;
}

static void print_wide(const wchar_t *text, size_t units)
{
	size_t bytes = 0;
	char *out = win_narrow(text, units, &bytes);

	if (out)
		fwrite(out, 1, bytes, stdout);
	free(out);
}

static char *read_all(size_t *bytes)
{
	size_t room = 1 << 24;
	char *data = malloc(room);

	*bytes = data ? fread(data, 1, room, stdin) : 0;
	return data;
}

/* ---- what arrives ---- */

static int do_args(int argc, wchar_t **argv)
{
	for (int n = 0; n < argc; n++) {
		print_wide(argv[n], wcslen(argv[n]));
		printf("\n");
	}
	return 0;
}

static int do_env(int argc, wchar_t **argv)
{
	const wchar_t *value = argc > 0 ? _wgetenv(argv[0]) : NULL;

	if (value)
		print_wide(value, wcslen(value));
	return value ? 0 : 1;
}

static int do_echo(int argc, wchar_t **argv)
{
	size_t bytes;
	char *data = read_all(&bytes);

	fwrite(data, 1, bytes, stdout);
	fprintf(stderr, "%u bytes\n", (unsigned)bytes);
	free(data);
	return argc > 0 ? (int)wcstol(argv[0], NULL, 0) : 0;
}

/* ---- the clipboard ---- */

static UINT format_of(const wchar_t *name)
{
	if (!wcscmp(name, L"text"))
		return CF_UNICODETEXT;
	if (!wcscmp(name, L"dib"))
		return CF_DIB;
	if (!wcscmp(name, L"files"))
		return CF_HDROP;
	return RegisterClipboardFormatW(!wcscmp(name, L"html") ? L"HTML Format" : L"PNG");
}

static bool open_clipboard(HWND window)
{
	for (int n = 0; n < TRIES; n++) {
		if (OpenClipboard(window))
			return true;
		Sleep(25);
	}
	return false;
}

/* Text has its final zero there, all else is as it comes. */
static HGLOBAL content_of(UINT format)
{
	size_t bytes, units = 0;
	char *data = read_all(&bytes);
	wchar_t *wide = NULL;
	HGLOBAL handle;
	void *at;

	if (format == CF_UNICODETEXT) {
		wide = win_wide(data, bytes, &units);
		bytes = (units + 1) * sizeof(*wide);
	}
	handle = GlobalAlloc(GMEM_MOVEABLE, bytes);
	at = handle ? GlobalLock(handle) : NULL;
	if (at)
		memcpy(at, wide ? (const void *)wide : data, bytes);
	GlobalUnlock(handle);
	free(wide);
	free(data);
	return handle;
}

/* Nobody owns what is set so: it stays when this program ends. */
static int do_set(int argc, wchar_t **argv)
{
	UINT format = format_of(argc > 0 ? argv[0] : L"text");
	HGLOBAL handle = content_of(format);
	HWND window =
		CreateWindowExW(0, L"STATIC", L"", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);

	if (!handle || !open_clipboard(window))
		return broken("the clipboard cannot be opened");
	EmptyClipboard();
	if (!SetClipboardData(format, handle))
		return broken("the clipboard does not take it");
	CloseClipboard();
	return 0;
}

static int do_get(int argc, wchar_t **argv)
{
	UINT format = format_of(argc > 0 ? argv[0] : L"text");
	HANDLE handle;
	const void *data;

	if (!open_clipboard(NULL))
		return broken("the clipboard cannot be opened");
	handle = GetClipboardData(format);
	data = handle ? GlobalLock(handle) : NULL;
	if (data && format == CF_UNICODETEXT)
		print_wide(data, wcslen(data));
	else if (data)
		fwrite(data, 1, GlobalSize(handle), stdout);
	if (data)
		GlobalUnlock(handle);
	CloseClipboard();
	return data ? 0 : 3;
}

/* ---- windows of others ---- */

static int do_title(int argc, wchar_t **argv)
{
	HWND window = argc > 1 ? FindWindowW(argv[0], NULL) : NULL;

	return window && SetWindowTextW(window, argv[1]) ? 0 : broken("there is no such window");
}

/* Characters, one by one, to who has the keyboard. */
static int do_type(int argc, wchar_t **argv)
{
	HWND window = argc > 1 ? FindWindowW(argv[0], NULL) : NULL;

	if (!window || !SetForegroundWindow(window))
		return broken("there is no such window");
	for (const wchar_t *c = argv[1]; *c; c++) {
		INPUT input[2] = { { .type = INPUT_KEYBOARD }, { .type = INPUT_KEYBOARD } };

		input[0].ki.wScan = input[1].ki.wScan = *c;
		input[0].ki.dwFlags = KEYEVENTF_UNICODE;
		input[1].ki.dwFlags = KEYEVENTF_UNICODE | KEYEVENTF_KEYUP;
		SendInput(2, input, sizeof(input[0]));
	}
	return 0;
}

static int do_text(int argc, wchar_t **argv)
{
	HWND window = argc > 0 ? FindWindowW(argv[0], NULL) : NULL;
	HWND edit = window ? FindWindowExW(window, NULL, L"Edit", NULL) : NULL;
	static wchar_t text[65536];

	if (!edit)
		return broken("there is no such window");
	print_wide(text, (size_t)SendMessageW(edit, WM_GETTEXT, 65536, (LPARAM)text));
	return 0;
}

/* ---- windows of its own ---- */

static LRESULT CALLBACK handle(HWND window, UINT message, WPARAM a, LPARAM b)
{
	MINMAXINFO *info = (MINMAXINFO *)b;

	switch (message) {
	case WM_GETMINMAXINFO:
		info->ptMinTrackSize = (POINT){ 321, 234 };
		return 0;
	case WM_DESTROY:
		if (!GetWindow(window, GW_OWNER))
			PostQuitMessage(0);
		return 0;
	default:
		return DefWindowProcW(window, message, a, b);
	}
}

static HWND make(const wchar_t *title, DWORD more, DWORD style, RECT at, HWND owner)
{
	WNDCLASSW class = { .lpfnWndProc = handle,
			    .hInstance = GetModuleHandleW(NULL),
			    .lpszClassName = L"Poke" };
	HWND window;

	RegisterClassW(&class);
	window = CreateWindowExW(more, L"Poke", title, style, at.left, at.top, at.right - at.left,
				 at.bottom - at.top, owner, NULL, class.hInstance, NULL);
	ShowWindow(window, more & WS_EX_NOACTIVATE ? SW_SHOWNOACTIVATE : SW_SHOW);
	return window;
}

/* A window, a dialog it waits for, and something like a menu. */
static int do_show(int argc, wchar_t **argv)
{
	HWND main_window = make(L"Poke \x65e5\x672c", 0, WS_OVERLAPPEDWINDOW,
				(RECT){ 100, 110, 500, 410 }, NULL);
	MSG msg;

	if (!main_window)
		return broken("no window");
	make(L"Poke's dialog", 0, WS_POPUP | WS_CAPTION | WS_SYSMENU, (RECT){ 150, 160, 400, 300 },
	     main_window);
	make(L"Poke's popup", WS_EX_TOOLWINDOW | WS_EX_NOACTIVATE, WS_POPUP,
	     (RECT){ 180, 190, 260, 350 }, main_window);
	EnableWindow(main_window, FALSE);
	while (GetMessageW(&msg, NULL, 0, 0) > 0)
		DispatchMessageW(&msg);
	return 0;
}

/* A window whose program does not answer any more. */
static int do_hang(int argc, wchar_t **argv)
{
	make(L"Poke hangs", 0, WS_OVERLAPPEDWINDOW, (RECT){ 0, 0, 300, 300 }, NULL);
	Sleep(600000);
	return 0;
}

/* Another program that goes on when this one has ended, with its pipes. */
static int do_leave(int argc, wchar_t **argv)
{
	wchar_t line[] = L"notepad.exe";
	STARTUPINFOW info = { .cb = sizeof(info) };
	PROCESS_INFORMATION process;

	printf("left\n");
	return CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &info, &process)
		       ? 0
		       : broken("no program");
}

int main(void)
{
	static const struct {
		const wchar_t *name;
		int (*fn)(int argc, wchar_t **argv);
	} verbs[] = {
		{ L"args", do_args }, { L"env", do_env },     { L"echo", do_echo },
		{ L"set", do_set },   { L"get", do_get },     { L"title", do_title },
		{ L"type", do_type }, { L"text", do_text },   { L"show", do_show },
		{ L"hang", do_hang }, { L"leave", do_leave },
	};
	int argc = 0;
	wchar_t **argv = CommandLineToArgvW(GetCommandLineW(), &argc);

	_setmode(_fileno(stdin), _O_BINARY);
	_setmode(_fileno(stdout), _O_BINARY);
	for (size_t n = 0; argc > 1 && n < sizeof(verbs) / sizeof(verbs[0]); n++)
		if (!wcscmp(argv[1], verbs[n].name))
			return verbs[n].fn(argc - 2, argv + 2);
	return broken("no such thing");
}

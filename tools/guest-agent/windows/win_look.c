/* SPDX-License-Identifier: MIT */
/* One look at all windows of the session. */
#include "win_windows.h"
#include "win_text.h"

#include <dwmapi.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define CLASS_MAX 64
#define PATH_UNITS 520
#define ICON_PIXELS 48
#define CLOAKED 14 /* DWMWA_CLOAKED, of Windows 8 */
/* A window's icon and limits are asked for when it is new, and then each so many looks. */
#define TURNS 32u
#define ASK_AGAIN 16u

struct sight {
	struct win_eyes *eyes;
	struct win_look *look;
	HWND active;
	const struct win_known *known[MHI_AGENT_WINDOWS_MAX]; /* of the look's windows */
	HWND parent[MHI_AGENT_WINDOWS_MAX];
};

/* ---- which windows ---- */

static bool is_one_of(const wchar_t *class, const wchar_t *const *list, size_t count)
{
	for (size_t n = 0; n < count; n++)
		if (!wcscmp(class, list[n]))
			return true;
	return false;
}

/* The desktop itself, its task bars, and the shadows of menus. */
static bool is_desktop(const wchar_t *class)
{
	static const wchar_t *const list[] = { L"Progman", L"WorkerW", L"Shell_TrayWnd",
					       L"Shell_SecondaryTrayWnd", L"SysShadow" };

	return is_one_of(class, list, sizeof(list) / sizeof(list[0]));
}

static bool is_menu(const wchar_t *class)
{
	static const wchar_t *const list[] = { L"#32768", L"tooltips_class32", L"ComboLBox" };

	return is_one_of(class, list, sizeof(list) / sizeof(list[0]));
}

/* Windows 8 and later keep windows that exist but are not shown, as those of other desktops. */
static bool is_cloaked(HWND window)
{
	DWORD cloaked = 0;

	return DwmGetWindowAttribute(window, CLOAKED, &cloaked, sizeof(cloaked)) == S_OK && cloaked;
}

/* ---- what is known of one ---- */

/* The path of a process' program in path [PATH_UNITS]. */
static bool program_of(DWORD process, wchar_t *path)
{
	DWORD units = PATH_UNITS;
	HANDLE handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process);
	bool found = handle && QueryFullProcessImageNameW(handle, 0, path, &units);

	if (handle)
		CloseHandle(handle);
	return found;
}

static void find_application(HWND window, DWORD process, char out[WIN_APPLICATION_MAX])
{
	wchar_t path[PATH_UNITS] = L"";
	const wchar_t *name;

	if (!program_of(process, path))
		GetClassNameW(window, path, PATH_UNITS);
	name = wcsrchr(path, L'\\');
	name = name ? name + 1 : path;
	win_narrow_into(out, WIN_APPLICATION_MAX, name, wcslen(name));
}

static struct win_known *recall(struct win_eyes *eyes, HWND window)
{
	DWORD process = 0, thread = GetWindowThreadProcessId(window, &process);
	struct win_known *k = NULL;

	for (uint32_t n = 0; n < eyes->count; n++)
		if (eyes->known[n].window == window && !eyes->known[n].seen)
			k = &eyes->known[n];
	if (k && k->process == process && k->thread == thread)
		return k;
	if (eyes->count == MHI_AGENT_WINDOWS_MAX)
		return NULL;
	k = &eyes->known[eyes->count++];
	memset(k, 0, sizeof(*k));
	k->window = window;
	k->process = process;
	k->thread = thread;
	/* Handles have 32 significant bits, and come again: a number makes them unique. */
	k->id = ++eyes->ids << 32 | (uint32_t)(uintptr_t)window;
	find_application(window, process, k->application);
	return k;
}

/* The icon that its program's file has. */
static struct win_icon *program_icon(DWORD process)
{
	wchar_t path[PATH_UNITS];
	struct win_icon *icon = NULL;
	HICON source = NULL;

	if (program_of(process, path) &&
	    PrivateExtractIconsW(path, 0, ICON_PIXELS, ICON_PIXELS, &source, NULL, 1, 0) == 1 &&
	    source) {
		icon = win_icon_of(source);
		DestroyIcon(source);
	}
	return icon;
}

static void ask_icon(struct win_known *k)
{
	HICON source = win_icon_source(k->window);
	struct win_icon *icon = source && source != k->source ? win_icon_of(source) : NULL;

	/* Wine has icons only for the process that made them. */
	if (!icon && !k->icon)
		icon = program_icon(k->process);
	if (!icon)
		return;
	win_icon_put(k->icon);
	k->icon = icon;
	k->source = source;
}

static uint32_t limit(LONG value)
{
	/* As large as all displays together is Windows' way to say that there is no limit. */
	LONG most = GetSystemMetrics(SM_CXMAXTRACK);

	return value <= 0 || value >= most ? 0 : (uint32_t)value;
}

static bool ask_limits(struct win_known *k)
{
	MINMAXINFO info = { .ptMinTrackSize = { GetSystemMetrics(SM_CXMINTRACK),
						GetSystemMetrics(SM_CYMINTRACK) },
			    .ptMaxTrackSize = { GetSystemMetrics(SM_CXMAXTRACK),
						GetSystemMetrics(SM_CYMAXTRACK) } };
	DWORD_PTR result;

	if (!SendMessageTimeoutW(k->window, WM_GETMINMAXINFO, 0, (LPARAM)&info, SMTO_ABORTIFHUNG,
				 WIN_ASK_MS, &result))
		return false;
	k->min_width = limit(info.ptMinTrackSize.x);
	k->min_height = limit(info.ptMinTrackSize.y);
	k->max_width = limit(info.ptMaxTrackSize.x);
	k->max_height = info.ptMaxTrackSize.y >= GetSystemMetrics(SM_CYMAXTRACK)
				? 0
				: limit(info.ptMaxTrackSize.y);
	return true;
}

/* One that is busy, as programs are when they start, is asked again soon, but not for ever. */
static void ask(struct win_known *k, uint32_t flags)
{
	bool answers = flags & MHI_AGENT_W_FIXED || ask_limits(k);

	k->asked++;
	k->answered = answers || k->asked >= ASK_AGAIN;
	if (!(flags & MHI_AGENT_W_POPUP) && k->answered)
		ask_icon(k);
}

/* ---- where it is ---- */

static void find_place(struct win_known *k)
{
	RECT seen, all;

	if (!GetWindowRect(k->window, &all))
		return;
	/* Windows 10 has borders around windows that only the pointer notices. */
	if (DwmGetWindowAttribute(k->window, DWMWA_EXTENDED_FRAME_BOUNDS, &seen, sizeof(seen)) !=
		    S_OK ||
	    seen.right <= seen.left || seen.bottom <= seen.top)
		seen = all;
	k->rect = seen;
	k->margins = (RECT){ seen.left - all.left, seen.top - all.top, all.right - seen.right,
			     all.bottom - seen.bottom };
}

static bool covers_monitor(const RECT *rect, HWND window)
{
	MONITORINFO info = { .cbSize = sizeof(info) };
	HMONITOR monitor = MonitorFromWindow(window, MONITOR_DEFAULTTONULL);

	return monitor && GetMonitorInfoW(monitor, &info) && EqualRect(rect, &info.rcMonitor);
}

/* ---- what it is ---- */

static uint32_t state_flags(const struct win_known *k, const struct sight *s)
{
	return MHI_AGENT_W_VISIBLE | (IsIconic(k->window) ? MHI_AGENT_W_MINIMISED : 0) |
	       (IsZoomed(k->window) ? MHI_AGENT_W_MAXIMISED : 0) |
	       (k->window == s->active ? MHI_AGENT_W_ACTIVE : 0);
}

static uint32_t kind_flags(const struct win_known *k, const wchar_t *class, HWND owner)
{
	LONG style = GetWindowLongW(k->window, GWL_STYLE);
	LONG more = GetWindowLongW(k->window, GWL_EXSTYLE);
	bool caption = (style & WS_CAPTION) == WS_CAPTION;
	bool bare = (style & WS_POPUP) && !caption && !(style & WS_THICKFRAME);
	uint32_t flags = 0;

	if (is_menu(class) || (bare && more & (WS_EX_TOOLWINDOW | WS_EX_NOACTIVATE)))
		return MHI_AGENT_W_POPUP | MHI_AGENT_W_NO_TASKBAR | MHI_AGENT_W_FIXED;
	if (caption)
		flags |= MHI_AGENT_W_DECORATED;
	else if (covers_monitor(&k->rect, k->window))
		flags |= MHI_AGENT_W_FULLSCREEN;
	if (owner && (caption || !wcscmp(class, L"#32770")))
		flags |= MHI_AGENT_W_DIALOG;
	if (flags & MHI_AGENT_W_DIALOG && !IsWindowEnabled(owner))
		flags |= MHI_AGENT_W_MODAL;
	if (more & WS_EX_TOPMOST)
		flags |= MHI_AGENT_W_ABOVE;
	if (!(style & WS_THICKFRAME))
		flags |= MHI_AGENT_W_FIXED;
	if (more & WS_EX_TOOLWINDOW || (owner && !(more & WS_EX_APPWINDOW)))
		flags |= MHI_AGENT_W_NO_TASKBAR;
	return flags;
}

/* Menus have no owner: they belong to the window that their thread shows them for. */
static HWND parent_of(HWND window, DWORD thread, uint32_t flags, HWND owner)
{
	GUITHREADINFO info = { .cbSize = sizeof(info) };
	HWND whose = owner;

	if (!whose && flags & MHI_AGENT_W_POPUP && GetGUIThreadInfo(thread, &info))
		whose = info.hwndMenuOwner ? info.hwndMenuOwner : info.hwndActive;
	whose = whose ? GetAncestor(whose, GA_ROOT) : NULL;
	return whose == window ? NULL : whose;
}

/* ---- the look ---- */

static int32_t within(LONG value, int32_t least, int32_t most)
{
	return value < least ? least : value > most ? most : (int32_t)value;
}

static void see(struct sight *s, struct win_known *k, const wchar_t *class)
{
	uint32_t n = s->look->count++;
	struct win_window *w = &s->look->windows[n];
	HWND owner = GetWindow(k->window, GW_OWNER);
	wchar_t title[MHI_AGENT_TITLE_MAX];
	int units;

	k->seen = true;
	s->known[n] = k;
	w->id = k->id;
	w->flags = state_flags(k, s);
	if (!(w->flags & MHI_AGENT_W_MINIMISED))
		find_place(k);
	w->flags |= kind_flags(k, class, owner);
	s->parent[n] = parent_of(k->window, k->thread, w->flags, owner);
	w->x = within(k->rect.left, -32768, 32767);
	w->y = within(k->rect.top, -32768, 32767);
	w->width = (uint32_t)within(k->rect.right - k->rect.left, 0, 16384);
	w->height = (uint32_t)within(k->rect.bottom - k->rect.top, 0, 16384);
	if (!k->answered || (s->eyes->turns + n) % TURNS == 0)
		ask(k, w->flags);
	w->min_width = k->min_width;
	w->min_height = k->min_height;
	w->max_width = k->max_width;
	w->max_height = k->max_height;
	/* This asks no other program: Windows knows their titles. */
	units = GetWindowTextW(k->window, title, MHI_AGENT_TITLE_MAX);
	win_narrow_into(w->title, sizeof(w->title), title, units > 0 ? (size_t)units : 0);
	memcpy(w->application, k->application, sizeof(w->application));
	w->icon = win_icon_get(k->icon);
}

static BOOL CALLBACK see_one(HWND window, LPARAM opaque)
{
	struct sight *s = (struct sight *)opaque;
	wchar_t class[CLASS_MAX] = L"";
	DWORD process = 0;
	struct win_known *k;
	RECT rect;

	GetWindowThreadProcessId(window, &process);
	if (!IsWindowVisible(window) || process == GetCurrentProcessId())
		return TRUE;
	GetClassNameW(window, class, CLASS_MAX);
	if (is_desktop(class) || is_cloaked(window) || !GetWindowRect(window, &rect) ||
	    IsRectEmpty(&rect))
		return TRUE;
	k = recall(s->eyes, window);
	if (k)
		see(s, k, class);
	return s->look->count < MHI_AGENT_WINDOWS_MAX;
}

/* Windows lists them from the top. */
static void turn_over(struct sight *s)
{
	struct win_look *look = s->look;

	for (uint32_t n = 0; n < look->count; n++)
		for (uint32_t m = 0; s->parent[n] && m < look->count; m++)
			if (s->known[m]->window == s->parent[n])
				look->windows[n].parent = look->windows[m].id;
	for (uint32_t n = 0; n < look->count / 2; n++) {
		struct win_window *a = &look->windows[n];
		struct win_window *b = &look->windows[look->count - 1 - n];
		struct win_window swap = *a;

		*a = *b;
		*b = swap;
	}
}

static void forget_unseen(struct win_eyes *eyes)
{
	uint32_t kept = 0;

	for (uint32_t n = 0; n < eyes->count; n++) {
		if (!eyes->known[n].seen) {
			win_icon_put(eyes->known[n].icon);
			continue;
		}
		eyes->known[n].seen = false;
		eyes->known[kept++] = eyes->known[n];
	}
	eyes->count = kept;
}

static uint32_t pointer_shape(void)
{
	static const struct {
		LPCWSTR name;
		uint32_t shape;
	} shapes[] = {
		{ IDC_IBEAM, MHI_AGENT_PTR_TEXT },    { IDC_HAND, MHI_AGENT_PTR_HAND },
		{ IDC_WAIT, MHI_AGENT_PTR_WAIT },     { IDC_APPSTARTING, MHI_AGENT_PTR_WAIT },
		{ IDC_CROSS, MHI_AGENT_PTR_CROSS },   { IDC_SIZEALL, MHI_AGENT_PTR_MOVE },
		{ IDC_SIZENS, MHI_AGENT_PTR_NS },     { IDC_SIZEWE, MHI_AGENT_PTR_EW },
		{ IDC_SIZENESW, MHI_AGENT_PTR_NESW }, { IDC_SIZENWSE, MHI_AGENT_PTR_NWSE },
		{ IDC_NO, MHI_AGENT_PTR_NO },
	};
	CURSORINFO info = { .cbSize = sizeof(info) };

	if (!GetCursorInfo(&info))
		return MHI_AGENT_PTR_DEFAULT;
	if (!(info.flags & CURSOR_SHOWING))
		return MHI_AGENT_PTR_HIDDEN;
	for (size_t n = 0; n < sizeof(shapes) / sizeof(shapes[0]); n++)
		if (info.hCursor == LoadCursorW(NULL, shapes[n].name))
			return shapes[n].shape;
	return MHI_AGENT_PTR_DEFAULT;
}

struct win_look *win_eyes_look(struct win_eyes *eyes)
{
	struct sight *s = calloc(1, sizeof(*s));
	struct win_look *look = s ? win_look_new(MHI_AGENT_WINDOWS_MAX) : NULL;

	if (look) {
		s->eyes = eyes;
		s->look = look;
		s->active = GetForegroundWindow();
		EnumWindows(see_one, (LPARAM)s);
		turn_over(s);
		forget_unseen(eyes);
		eyes->turns++;
		look->pointer = pointer_shape();
	}
	free(s);
	return look;
}

void win_eyes_forget(struct win_eyes *eyes)
{
	for (uint32_t n = 0; n < eyes->count; n++)
		win_icon_put(eyes->known[n].icon);
	eyes->count = 0;
}

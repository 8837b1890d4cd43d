/* SPDX-License-Identifier: MIT */
/* What the host does to windows: always asked for, never waited for. */
#include "win_windows.h"

#define SIZE_MAX_PIXELS 16384u

static void place(HWND window, HWND behind, UINT flags)
{
	SetWindowPos(window, behind, 0, 0, 0, 0,
		     SWP_NOMOVE | SWP_NOSIZE | SWP_NOACTIVATE | SWP_ASYNCWINDOWPOS | flags);
}

/*
 * Windows lets a program choose the active window only if it had the last input (Win32
 * documentation, SetForegroundWindow): a motion by nothing is one.
 */
static void activate(HWND window)
{
	INPUT nothing = { .type = INPUT_MOUSE };

	if (IsIconic(window))
		ShowWindowAsync(window, SW_RESTORE);
	SendInput(1, &nothing, sizeof(nothing));
	SetForegroundWindow(window);
}

static void deactivate(HWND window)
{
	HWND shell = GetShellWindow();

	if (GetForegroundWindow() == window)
		activate(shell ? shell : GetDesktopWindow());
}

static void move(const struct win_known *k, const struct win_deed *deed)
{
	UINT flags = SWP_NOZORDER | SWP_NOACTIVATE | SWP_NOOWNERZORDER | SWP_ASYNCWINDOWPOS;
	LONG width = (LONG)deed->width + k->margins.left + k->margins.right;
	LONG height = (LONG)deed->height + k->margins.top + k->margins.bottom;

	if (deed->width > SIZE_MAX_PIXELS || deed->height > SIZE_MAX_PIXELS ||
	    deed->x < INT16_MIN || deed->x > INT16_MAX || deed->y < INT16_MIN ||
	    deed->y > INT16_MAX)
		return;
	/* A window that cannot have another size is just moved. */
	if (!deed->width || !deed->height)
		flags |= SWP_NOSIZE;
	SetWindowPos(k->window, NULL, deed->x - k->margins.left, deed->y - k->margins.top, width,
		     height, flags);
}

static void act(const struct win_known *k, uint32_t action)
{
	switch (action) {
	case MHI_AGENT_ACT_ACTIVATE:
		activate(k->window);
		break;
	case MHI_AGENT_ACT_DEACTIVATE:
		deactivate(k->window);
		break;
	case MHI_AGENT_ACT_RAISE:
		place(k->window, HWND_TOP, 0);
		break;
	case MHI_AGENT_ACT_LOWER:
		place(k->window, HWND_BOTTOM, SWP_NOOWNERZORDER);
		break;
	case MHI_AGENT_ACT_MINIMISE:
		ShowWindowAsync(k->window, SW_MINIMIZE);
		break;
	case MHI_AGENT_ACT_RESTORE:
		ShowWindowAsync(k->window, SW_RESTORE);
		break;
	case MHI_AGENT_ACT_MAXIMISE:
		ShowWindowAsync(k->window, SW_MAXIMIZE);
		break;
	case MHI_AGENT_ACT_CLOSE:
		PostMessageW(k->window, WM_CLOSE, 0, 0);
		break;
	}
}

void win_eyes_do(struct win_eyes *eyes, const struct win_deed *deed)
{
	for (uint32_t n = 0; n < eyes->count; n++) {
		if (eyes->known[n].id != deed->id)
			continue;
		if (deed->action == WIN_DEED_MOVE)
			move(&eyes->known[n], deed);
		else
			act(&eyes->known[n], deed->action);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Windows of the session, for the host: the thread that looks at them and acts on them, and what
 * the first thread tells of its looks.
 */
#include "win_windows.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 100u
#define HINT_MS 15u /* after Windows says that something has changed: more of it may follow */
/* Of what the host bears in a second, four times as much: docs/agent-protocol.md, windows. */
#define UNITS_A_SECOND 5000u

/* Messages to the thread. */
enum { SAY_LOOK = WM_APP, SAY_REST, SAY_DO, SAY_HINT };

struct win_windows {
	struct win_agent *agent; /* (c) */
	HANDLE thread, ready;	 /* (c) */
	DWORD number;		 /* (c) the thread's */

	/* the first thread's */
	bool on;
	struct win_look *latest; /* NULL: none yet */
	struct win_diff diff;
	uint64_t second_ms; /* that units were spent in */
	uint32_t units;

	LONG under_way; /* looks that are in letters */
	LONG behind;	/* the host was not told all of the latest look */

	/* the windows' thread's */
	bool looking;
	uint64_t due_ms;
	struct win_look *last; /* without references to icons: only to compare; NULL: none */
	struct win_eyes eyes;
};

struct look_letter {
	struct win_letter letter;
	struct win_look *look;
};

/* ---- the first thread: telling ---- */

static bool tell(void *opaque, uint32_t type, const void *msg)
{
	struct win_agent *agent = opaque;
	struct win_windows *w = agent->windows;
	uint32_t units = type == MHI_MSG_WINDOW_STACK || type == MHI_MSG_WINDOW_ICON ? 8 : 1;
	uint64_t now = win_now();

	if (now - w->second_ms >= 1000) {
		w->second_ms = now;
		w->units = 0;
	}
	if (w->units + units > UNITS_A_SECOND || !ga_tell(&agent->session, type, msg))
		return false;
	w->units += units;
	return true;
}

static void tell_latest(struct win_agent *agent)
{
	struct win_windows *w = agent->windows;
	bool all = !w->on || !w->latest || win_diff_tell(&w->diff, w->latest, tell, agent);

	InterlockedExchange(&w->behind, !all);
}

static void open_look(struct win_agent *agent, struct win_letter *letter)
{
	struct win_windows *w = agent->windows;

	win_look_free(w->latest);
	w->latest = ((struct look_letter *)letter)->look;
	InterlockedExchange(&w->under_way, 0);
	tell_latest(agent);
}

void win_windows_room(struct win_agent *agent)
{
	tell_latest(agent);
}

/* Both sides begin with nothing. */
static void turn(struct win_agent *agent, bool on)
{
	struct win_windows *w = agent->windows;

	w->on = on;
	win_diff_forget(&w->diff);
	win_look_free(w->latest);
	w->latest = NULL;
	PostThreadMessageW(w->number, on ? SAY_LOOK : SAY_REST, 0, 0);
}

void win_windows_agreed(struct win_agent *agent, bool on)
{
	if (!on && agent->windows->on)
		turn(agent, false);
}

void win_seamless(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	struct win_agent *agent = os;

	/* The answer first: windows come behind it. */
	ga_done(request);
	turn(agent, msg->u.seamless.on);
}

/* ---- the first thread: acting ---- */

static void send_deed(struct win_agent *agent, struct ga_request *request,
		      const struct win_deed *what)
{
	struct win_deed *deed = malloc(sizeof(*deed));

	if (deed)
		*deed = *what;
	if (!deed || !PostThreadMessageW(agent->windows->number, SAY_DO, 0, (LPARAM)deed)) {
		free(deed);
		ga_end(request, MHI_AGENT_BUSY, "too much is to be done to windows");
	} else {
		ga_done(request);
	}
}

void win_window_move(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	const struct mhi_msg_window_move *m = &msg->u.window_move;
	struct win_deed deed = { m->id, WIN_DEED_MOVE, m->x, m->y, m->width, m->height };

	send_deed(os, request, &deed);
}

void win_window_act(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	struct win_deed deed = { .id = msg->u.window_act.id, .action = msg->u.window_act.action };

	if (deed.action < MHI_AGENT_ACTIONS)
		send_deed(os, request, &deed);
	else
		ga_end(request, MHI_AGENT_INVALID, "there is no such action: %u", deed.action);
}

/* ---- the windows' thread ---- */

static size_t bytes_of(const struct win_look *look)
{
	return sizeof(*look) + look->count * sizeof(look->windows[0]);
}

/* Send a look that is not the last one again; it is the function's. */
static void send_look(struct win_windows *w, struct win_look *look)
{
	struct look_letter *letter = NULL;
	struct win_look *copy = NULL;
	bool same =
		w->last && w->last->count == look->count && !memcmp(w->last, look, bytes_of(look));

	if (!same || InterlockedCompareExchange(&w->behind, 0, 0)) {
		letter = calloc(1, sizeof(*letter));
		copy = malloc(bytes_of(look));
	}
	if (!letter || !copy) {
		free(letter);
		free(copy);
		win_look_free(look);
		return;
	}
	memcpy(copy, look, bytes_of(look));
	free(w->last);
	w->last = copy;
	letter->letter.open = open_look;
	letter->look = look;
	InterlockedExchange(&w->under_way, 1);
	win_post(w->agent, &letter->letter);
}

static void look_now(struct win_windows *w)
{
	struct win_look *look;

	w->due_ms = win_now() + LOOK_MS;
	/* The first thread has not even seen the last one. */
	if (InterlockedCompareExchange(&w->under_way, 0, 0))
		return;
	look = win_eyes_look(&w->eyes);
	if (look)
		send_look(w, look);
}

/* The old numbers of windows are of use no more: another session may begin. */
static void turn_eyes(struct win_windows *w, bool looking)
{
	w->looking = looking;
	w->due_ms = 0;
	free(w->last);
	w->last = NULL;
	win_eyes_forget(&w->eyes);
}

static void hear(struct win_windows *w, const MSG *msg)
{
	uint64_t soon = win_now() + HINT_MS;

	switch (msg->message) {
	case SAY_LOOK:
	case SAY_REST:
		turn_eyes(w, msg->message == SAY_LOOK);
		break;
	case SAY_DO:
		win_eyes_do(&w->eyes, (const struct win_deed *)msg->lParam);
		free((void *)msg->lParam);
		w->due_ms = soon < w->due_ms ? soon : w->due_ms;
		break;
	case SAY_HINT:
		w->due_ms = soon < w->due_ms ? soon : w->due_ms;
		break;
	default:
		DispatchMessageW(msg);
	}
}

/* What of WINEVENTPROC's parameters is of no interest. */
#define SOURCE_AND_TIME DWORD thread, DWORD time

/* Windows calls it on the thread that asked for it, without anything of its own. */
static void CALLBACK changed(HWINEVENTHOOK hook, DWORD event, HWND window, LONG object, LONG child,
			     SOURCE_AND_TIME)
{
	if (window && object == OBJID_WINDOW && !child)
		PostThreadMessageW(GetCurrentThreadId(), SAY_HINT, 0, 0);
}

static DWORD WINAPI run(void *opaque)
{
	struct win_windows *w = opaque;
	UINT flags = WINEVENT_OUTOFCONTEXT | WINEVENT_SKIPOWNPROCESS;
	MSG msg;

	PeekMessageW(&msg, NULL, 0, 0, PM_NOREMOVE); /* from here on there is a queue */
	/* Hints only: where there are none, as under Wine, looking does without. */
	SetWinEventHook(EVENT_SYSTEM_FOREGROUND, EVENT_SYSTEM_MINIMIZEEND, NULL, changed, 0, 0,
			flags);
	SetWinEventHook(EVENT_OBJECT_CREATE, EVENT_OBJECT_NAMECHANGE, NULL, changed, 0, 0, flags);
	SetEvent(w->ready);
	for (;;) {
		uint64_t now = win_now();
		DWORD wait = !w->looking       ? INFINITE
			     : w->due_ms > now ? (DWORD)(w->due_ms - now)
					       : 0;

		MsgWaitForMultipleObjectsEx(0, NULL, wait, QS_ALLINPUT, MWMO_INPUTAVAILABLE);
		while (PeekMessageW(&msg, NULL, 0, 0, PM_REMOVE))
			hear(w, &msg);
		if (w->looking && win_now() >= w->due_ms)
			look_now(w);
	}
	return 0;
}

int win_windows_start(struct win_agent *agent)
{
	struct win_windows *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->agent = agent;
	w->ready = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (w->ready)
		w->thread = CreateThread(NULL, 0, run, w, 0, &w->number);
	if (!w->thread) {
		free(w);
		return -1;
	}
	WaitForSingleObject(w->ready, INFINITE);
	agent->windows = w;
	return 0;
}

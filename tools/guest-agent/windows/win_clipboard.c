/* SPDX-License-Identifier: MIT */
/*
 * The clipboard, for the host. Its thread has a window that owns what the host offers, and renders
 * it when a program pastes: the program waits for that, and nobody else does.
 */
#include "win_agent.h"
#include "win_clipboard.h"
#include "../content.h"

#include <objbase.h>
#include <stdlib.h>
#include <string.h>

#define RENDER_MS 30000u /* that a program waits for the host */
#define TRIES 20	 /* to open the clipboard while others have it */
#define TRY_MS 25u

/* Messages to the thread's window. */
enum { SAY_TAKE = WM_APP, SAY_DROP, SAY_FETCH };

/* A request of the host's that the thread works at. */
struct wanted {
	uint32_t ticket; /* 0: free */
	struct ga_request *request;
};

struct win_clip {
	struct win_agent *agent; /* (c) */
	HANDLE thread, ready;	 /* (c) */
	HWND window;		 /* (c) the thread's; NULL: it could not be made */

	/* the first thread's */
	bool on;
	bool untold;	       /* the host does not know types */
	uint32_t offer, types; /* Windows' last offer; types 0: nothing, or it is the host's */
	uint32_t host_offer, host_types; /* the host's last one */
	uint32_t tickets;
	struct wanted wanted[MHI_AGENT_REQUESTS_MAX];
	struct ga_content *asked; /* what a program waits for; NULL: none does */
	uint32_t asked_ticket;

	/* what a program waits for, from one thread to the other */
	HANDLE answered;
	SRWLOCK lock;
	uint32_t ticket; /* (lock) of the answer that is waited for; 0: none is */
	uint8_t *data;	 /* (lock) NULL: there is none */
	size_t bytes;	 /* (lock) */

	/* the thread's */
	uint32_t renders;
};

/* ---- letters ---- */

struct clip_letter {
	struct win_letter letter;
	uint32_t kinds;	 /* what is in the clipboard; the kind that is wanted */
	uint32_t ticket; /* of what is fetched or asked for */
	uint8_t *data;
	size_t bytes;
};

static struct clip_letter *new_letter(void (*open)(struct win_agent *, struct win_letter *))
{
	struct clip_letter *letter = calloc(1, sizeof(*letter));

	if (letter)
		letter->letter.open = open;
	return letter;
}

/* ---- from Windows to the host: the first thread ---- */

static void tell_offer(struct win_agent *agent)
{
	struct win_clip *c = agent->clip;
	struct mhi_msg_clip_offer msg = { MHI_AGENT_SEL_CLIPBOARD, c->offer, c->types, 0 };

	if (c->on && c->untold && ga_has_room(&agent->session) &&
	    ga_tell(&agent->session, MHI_MSG_CLIP_OFFER, &msg))
		c->untold = false;
}

void win_clip_room(struct win_agent *agent)
{
	tell_offer(agent);
}

static void open_kinds(struct win_agent *agent, struct win_letter *letter)
{
	struct win_clip *c = agent->clip;

	c->types = ((struct clip_letter *)letter)->kinds;
	c->offer++;
	c->untold = true;
	tell_offer(agent);
}

static struct wanted *find_wanted(struct win_clip *c, uint32_t ticket)
{
	for (size_t n = 0; n < MHI_AGENT_REQUESTS_MAX; n++)
		if (c->wanted[n].ticket == ticket)
			return &c->wanted[n];
	return NULL;
}

static void open_fetched(struct win_agent *agent, struct win_letter *letter)
{
	struct clip_letter *l = (struct clip_letter *)letter;
	struct wanted *w = find_wanted(agent->clip, l->ticket);

	if (!w) {
		free(l->data); /* the host does not want it any more */
		return;
	}
	w->ticket = 0;
	w->request->ops = NULL;
	if (l->data)
		ga_content_send(w->request, l->data, l->bytes);
	else
		ga_end(w->request, MHI_AGENT_MISSING, "the clipboard has no such content");
}

static void fetch_is_over(struct ga_request *request, uint32_t code, const char *text)
{
	struct wanted *w = request->data;

	w->ticket = 0;
}

void win_clip_request(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	static const struct ga_request_ops ops = { .over = fetch_is_over };
	const struct mhi_msg_clip_request *m = &msg->u.clip_request;
	struct win_clip *c = ((struct win_agent *)os)->clip;
	struct wanted *w = find_wanted(c, 0);
	struct clip_letter *letter;

	if (!request)
		return;
	if (m->selection != MHI_AGENT_SEL_CLIPBOARD || m->offer != c->offer ||
	    !(m->kind & c->types) || m->kind & (m->kind - 1)) {
		ga_end(request, MHI_AGENT_MISSING, "that is not offered any more");
		return;
	}
	do
		c->tickets++;
	while (!c->tickets || find_wanted(c, c->tickets));
	letter = w ? new_letter(open_fetched) : NULL;
	if (letter) {
		letter->kinds = m->kind;
		letter->ticket = c->tickets;
	}
	if (!letter || !PostMessageW(c->window, SAY_FETCH, 0, (LPARAM)letter)) {
		free(letter);
		ga_end(request, MHI_AGENT_BUSY, "too much of the clipboard is asked for");
		return;
	}
	*w = (struct wanted){ c->tickets, request };
	request->ops = &ops;
	request->data = w;
}

/* ---- from the host to Windows: the first thread ---- */

void win_clip_offer(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	const struct mhi_msg_clip_offer *m = &msg->u.clip_offer;
	struct win_clip *c = ((struct win_agent *)os)->clip;

	if (m->selection == MHI_AGENT_SEL_CLIPBOARD) {
		c->host_offer = m->offer;
		c->host_types = m->types;
		/* The newest offer is the only one. */
		if (m->types)
			c->types = 0;
		PostMessageW(c->window, m->types ? SAY_TAKE : SAY_DROP, m->types, 0);
	}
	ga_done(request);
}

static void answer(struct win_clip *c, uint32_t ticket, uint8_t *data, size_t bytes)
{
	AcquireSRWLockExclusive(&c->lock);
	if (c->ticket == ticket) {
		c->data = data;
		c->bytes = bytes;
		c->ticket = 0;
		data = NULL;
		SetEvent(c->answered);
	}
	ReleaseSRWLockExclusive(&c->lock);
	free(data); /* it came too late */
}

static void got_content(void *opaque, uint8_t *data, size_t bytes)
{
	struct win_clip *c = opaque;

	c->asked = NULL;
	answer(c, c->asked_ticket, data, bytes);
}

static void open_ask(struct win_agent *agent, struct win_letter *letter)
{
	struct clip_letter *l = (struct clip_letter *)letter;
	struct win_clip *c = agent->clip;
	struct mhi_msg_clip_request what = { MHI_AGENT_SEL_CLIPBOARD, c->host_offer, l->kinds, 0 };

	/* What was asked for before nobody waits for any more. */
	if (c->asked)
		ga_content_forget(c->asked);
	c->asked = NULL;
	c->asked_ticket = l->ticket;
	if (c->on && c->host_types & l->kinds)
		c->asked = ga_content_ask(&agent->session, &what, got_content, c);
	if (!c->asked)
		answer(c, l->ticket, NULL, 0);
}

void win_clip_agreed(struct win_agent *agent, bool on)
{
	struct win_clip *c = agent->clip;

	if (c->on == on)
		return;
	c->on = on;
	c->untold = c->types;
	if (!on && c->host_types)
		PostMessageW(c->window, SAY_DROP, 0, 0);
	c->host_types = 0;
	tell_offer(agent);
}

/* ---- the thread ---- */

static bool open_clipboard(HWND window)
{
	for (int n = 0; n < TRIES; n++) {
		if (OpenClipboard(window))
			return true;
		Sleep(TRY_MS);
	}
	return false;
}

/* Own it with formats that are rendered when they are wanted. */
static void take(struct win_clip *c, uint32_t kinds)
{
	UINT formats[8];
	size_t count = win_clip_formats(kinds, formats);

	if (!open_clipboard(c->window))
		return;
	EmptyClipboard();
	for (size_t n = 0; n < count; n++)
		SetClipboardData(formats[n], NULL);
	CloseClipboard();
}

/* The host's offer is void; if the clipboard still has it. */
static void drop(struct win_clip *c)
{
	if (GetClipboardOwner() != c->window || !open_clipboard(c->window))
		return;
	if (GetClipboardOwner() == c->window)
		EmptyClipboard();
	CloseClipboard();
}

static void fetch(struct win_clip *c, struct clip_letter *letter)
{
	if (GetClipboardOwner() != c->window && open_clipboard(c->window)) {
		letter->data = win_clip_read(letter->kinds, &letter->bytes);
		CloseClipboard();
	}
	win_post(c->agent, &letter->letter);
}

/* Wait for the host's content; NULL: it has none, or takes too long. */
static uint8_t *ask(struct win_clip *c, uint32_t kind, size_t *bytes)
{
	struct clip_letter *letter = new_letter(open_ask);
	uint8_t *data;

	if (!letter)
		return NULL;
	c->renders += c->renders == UINT32_MAX ? 2 : 1;
	letter->kinds = kind;
	letter->ticket = c->renders;
	AcquireSRWLockExclusive(&c->lock);
	c->ticket = c->renders;
	c->data = NULL;
	ResetEvent(c->answered);
	ReleaseSRWLockExclusive(&c->lock);
	win_post(c->agent, &letter->letter);
	WaitForSingleObject(c->answered, RENDER_MS);
	AcquireSRWLockExclusive(&c->lock);
	c->ticket = 0;
	data = c->data;
	*bytes = c->bytes;
	c->data = NULL;
	ReleaseSRWLockExclusive(&c->lock);
	return data;
}

static void render(struct win_clip *c, UINT format)
{
	uint32_t kind = win_clip_kind_of(format);
	size_t bytes = 0;
	uint8_t *data = kind ? ask(c, kind, &bytes) : NULL;
	HGLOBAL handle = data ? win_clip_make(format, data, bytes) : NULL;

	if (handle && !SetClipboardData(format, handle))
		GlobalFree(handle);
	free(data);
}

/* Somebody has changed it. What is the host's own is not offered to it. */
static void look(struct win_clip *c)
{
	struct clip_letter *letter;

	if (GetClipboardOwner() == c->window)
		return;
	letter = new_letter(open_kinds);
	if (!letter)
		return;
	letter->kinds = win_clip_kinds();
	win_post(c->agent, &letter->letter);
}

static LRESULT CALLBACK handle(HWND window, UINT message, WPARAM a, LPARAM b)
{
	struct win_clip *c = (struct win_clip *)GetWindowLongPtrW(window, GWLP_USERDATA);

	switch (c ? message : WM_NULL) {
	case WM_CLIPBOARDUPDATE:
		look(c);
		return 0;
	case WM_RENDERFORMAT:
		render(c, (UINT)a);
		return 0;
	case SAY_TAKE:
		take(c, (uint32_t)a);
		return 0;
	case SAY_DROP:
		drop(c);
		return 0;
	case SAY_FETCH:
		fetch(c, (struct clip_letter *)b);
		return 0;
	default:
		return DefWindowProcW(window, message, a, b);
	}
}

static HWND make_window(struct win_clip *c)
{
	WNDCLASSW class = { .lpfnWndProc = handle,
			    .hInstance = GetModuleHandleW(NULL),
			    .lpszClassName = L"MacrohardClipboard" };
	HWND window;

	if (!RegisterClassW(&class))
		return NULL;
	window = CreateWindowExW(0, class.lpszClassName, L"", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL,
				 class.hInstance, NULL);
	if (!window)
		return NULL;
	SetWindowLongPtrW(window, GWLP_USERDATA, (LONG_PTR)c);
	return AddClipboardFormatListener(window) ? window : NULL;
}

static DWORD WINAPI run(void *opaque)
{
	struct win_clip *c = opaque;
	MSG msg;

	CoInitializeEx(NULL, COINIT_MULTITHREADED); /* for pictures */
	c->window = make_window(c);
	SetEvent(c->ready);
	if (!c->window)
		return 1;
	look(c);
	while (GetMessageW(&msg, NULL, 0, 0) > 0)
		DispatchMessageW(&msg);
	return 0;
}

int win_clip_start(struct win_agent *agent)
{
	struct win_clip *c = calloc(1, sizeof(*c));

	if (!c)
		return -1;
	c->agent = agent;
	InitializeSRWLock(&c->lock);
	c->answered = CreateEventW(NULL, TRUE, FALSE, NULL);
	c->ready = CreateEventW(NULL, TRUE, FALSE, NULL);
	agent->clip = c;
	if (c->answered && c->ready)
		c->thread = CreateThread(NULL, 0, run, c, 0, NULL);
	if (c->thread)
		WaitForSingleObject(c->ready, INFINITE);
	if (c->window)
		return 0;
	agent->clip = NULL;
	return -1;
}

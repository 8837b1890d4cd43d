/* SPDX-License-Identifier: MIT */
/*
 * The agent for Windows. One thread, the program's first, has the session with the host and
 * everything of it; what may wait for other programs has a thread of its own (the clipboard, the
 * windows, each stream) and sends letters to the first one.
 */
#ifndef WIN_AGENT_H
#define WIN_AGENT_H

#include "../os.h"
#include "../session.h"
#include "win_diff.h"
#include "win_stream.h"

#include <windows.h>

struct win_agent;

/* Something that another thread has for the first one, which opens and then frees it. */
struct win_letter {
	struct win_letter *next;
	void (*open)(struct win_agent *agent, struct win_letter *letter);
};

/* How the host is reached. */
struct win_way {
	enum { WIN_WAY_PORT, WIN_WAY_TCP } kind;
	const wchar_t *name; /* a device's path, or a host's name */
	wchar_t service[8];  /* TCP's port */
	bool open;
	HANDLE handle; /* a device's, or a socket */
	struct win_stream *in, *out;
};

#define WIN_EXECS_MAX 16u
struct win_exec;
struct win_clip;
struct win_windows;

struct win_agent {
	struct ga_session session;
	HANDLE wake; /* set when the first thread has something to do */
	SRWLOCK lock;
	struct win_letter *first, **last; /* (lock) letters, the oldest first */
	struct win_way way;
	struct win_exec *execs[WIN_EXECS_MAX]; /* NULL: free */
	struct win_clip *clip;		       /* NULL: not there */
	struct win_windows *windows;	       /* NULL: not there */
};

/* Leave a letter, by any thread. It is the agent's from now on. */
void win_post(struct win_agent *agent, struct win_letter *letter);

/* Milliseconds of a clock that never goes back. */
uint64_t win_now(void);

/* What an error code of Windows means, as UTF-8 without an end of line. */
const char *win_error(char *out, size_t room, DWORD error);

/* The code that stands for it. */
enum mhi_agent_code win_error_code(DWORD error);

/* End a request that failed by an error of Windows, which was at doing what. */
void win_fail(struct ga_request *request, const char *doing, DWORD error);

/* A privilege that the agent's user may have, but that has to be asked for; false: it has not. */
bool win_privilege(const wchar_t *name);

/* ---- the way to the host ---- */

/* Returns 0; -1: it is not there now. */
int win_way_open(struct win_way *way, HANDLE wake);
void win_way_close(struct win_way *way);

/* ---- requests ---- */

ga_handler win_get_info, win_shutdown, win_set_time, win_exec, win_file_put, win_file_get,
	win_mount, win_unmount, win_resize, win_work_area, win_key, win_pointer, win_button,
	win_wheel;

/*
 * Move what programs wrote and what they are to read, and see who has ended. Returns milliseconds
 * until it is to be called again at the latest; -1: no need.
 */
int win_exec_poll(struct win_agent *agent);

/* ---- the clipboard ---- */

/* Returns 0; -1: there is none. */
int win_clip_start(struct win_agent *agent);

/* Whether the host wants to know it; false: it has gone, and with it all that it offered. */
void win_clip_agreed(struct win_agent *agent, bool on);

/* There is room again to tell the host. */
void win_clip_room(struct win_agent *agent);
ga_handler win_clip_offer, win_clip_request;

/* ---- windows ---- */

int win_windows_start(struct win_agent *agent);
void win_windows_agreed(struct win_agent *agent, bool on);
void win_windows_room(struct win_agent *agent);
ga_handler win_seamless, win_window_move, win_window_act;

#endif

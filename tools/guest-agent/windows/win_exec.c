/* SPDX-License-Identifier: MIT */
/*
 * Programs that the host runs: their streams within their credit, their end. Each is in a job, so
 * that whatever it started is ended with it when the host wants it no more.
 */
#include "win_agent.h"
#include "win_text.h"
#include "../exec.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define STREAMS 3
/* Whoever was started by a program that has ended may still write, for so long. */
#define GRACE_MS 1000u

struct win_exec {
	struct ga_request *request;
	HANDLE job, process;
	HANDLE waits; /* wakes the first thread when the process ends */
	HANDLE pipe[STREAMS];
	struct win_stream *stream[STREAMS]; /* NULL: not wanted, or ended */
	uint32_t signal;		    /* that the host killed it with; 0: it did not */
	uint64_t grace_ms;		    /* when its output is over; 0: it runs */
};

/* ---- streams ---- */

static void close_stream(struct win_exec *e, int n)
{
	win_stream_close(e->stream[n]);
	e->stream[n] = NULL;
	if (e->pipe[n])
		CloseHandle(e->pipe[n]);
	e->pipe[n] = NULL;
}

/* A pipe, of which the program inherits theirs; ours is read from if it is the program's output. */
static bool make_pipe(bool input, HANDLE *theirs, HANDLE *ours)
{
	SECURITY_ATTRIBUTES inherited = { sizeof(inherited), NULL, TRUE };
	HANDLE from, to;

	if (!CreatePipe(&from, &to, &inherited, 65536))
		return false;
	*theirs = input ? from : to;
	*ours = input ? to : from;
	SetHandleInformation(*ours, HANDLE_FLAG_INHERIT, 0);
	return true;
}

/* What is not wanted comes from and goes to nowhere. */
static bool make_nowhere(HANDLE *theirs)
{
	SECURITY_ATTRIBUTES inherited = { sizeof(inherited), NULL, TRUE };
	HANDLE handle =
		CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE,
			    FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, NULL);

	*theirs = handle == INVALID_HANDLE_VALUE ? NULL : handle;
	return *theirs;
}

static bool make_streams(struct win_agent *agent, struct win_exec *e, uint32_t flags,
			 HANDLE theirs[STREAMS])
{
	for (int n = 0; n < STREAMS; n++) {
		bool wanted = flags & (MHI_AGENT_EXEC_INPUT << n);

		if (!wanted && !make_nowhere(&theirs[n]))
			return false;
		if (wanted && !make_pipe(!n, &theirs[n], &e->pipe[n]))
			return false;
		if (wanted)
			e->stream[n] =
				win_stream_open(e->pipe[n], agent->wake, n ? 0 : WIN_STREAM_WRITES);
		if (wanted && !e->stream[n])
			return false;
	}
	return true;
}

/* ---- the end ---- */

static void free_exec(struct win_exec *e)
{
	if (e->waits)
		UnregisterWaitEx(e->waits, INVALID_HANDLE_VALUE);
	for (int n = 0; n < STREAMS; n++)
		close_stream(e, n);
	if (e->process)
		CloseHandle(e->process);
	if (e->job)
		CloseHandle(e->job);
	free(e);
}

static void forget(struct win_agent *agent, struct win_exec *e)
{
	for (uint32_t n = 0; n < WIN_EXECS_MAX; n++)
		if (agent->execs[n] == e)
			agent->execs[n] = NULL;
	free_exec(e);
}

static void is_over(struct ga_request *request, uint32_t code, const char *text)
{
	struct win_exec *e = request->data;

	TerminateJobObject(e->job, 1);
	forget(request->session->opaque, e);
}

/* Programs that this one has left behind, as "start" does, live on without it. */
static void let_go(struct win_exec *e)
{
	JOBOBJECT_EXTENDED_LIMIT_INFORMATION none = { 0 };

	SetInformationJobObject(e->job, JobObjectExtendedLimitInformation, &none, sizeof(none));
}

static void finish(struct win_agent *agent, struct win_exec *e)
{
	struct mhi_msg_exec_exit msg = { .signal = e->signal };
	struct ga_request *request = e->request;
	DWORD status = 0;

	GetExitCodeProcess(e->process, &status);
	msg.status = e->signal ? 0 : (int32_t)status;
	let_go(e);
	forget(agent, e);
	request->ops = NULL;
	ga_reply(request, MHI_MSG_EXEC_EXIT, &msg);
	ga_done(request);
}

static void CALLBACK ended(void *wake, BOOLEAN timeout)
{
	SetEvent(wake);
}

/* ---- while it runs ---- */

/* Returns whether there was some. */
static bool give_output(struct win_exec *e, int n)
{
	uint8_t buffer[GA_CHUNK];
	bool some = false;
	size_t room;
	long bytes = 1;

	while (bytes > 0 && (room = ga_room(e->request))) {
		bytes = win_stream_read(e->stream[n], buffer, room);
		if (bytes > 0)
			ga_data(e->request, (uint32_t)n, buffer, (size_t)bytes);
		some |= bytes > 0;
	}
	if (bytes < 0)
		close_stream(e, n);
	return some;
}

/* The ring has room for all that the host may send; what the program has read may come again. */
static void take_input(struct win_exec *e)
{
	uint64_t room = win_stream_room(e->stream[0]), may_get = e->request->may_get;

	if (win_stream_ended(e->stream[0])) {
		close_stream(e, 0);
		room = WIN_STREAM_RING;
	}
	if (room > may_get && (!e->stream[0] || room - may_get >= WIN_STREAM_RING / 4))
		ga_credit(e->request, room - may_get);
}

/* Returns whether it is over: there is no more output, or nobody to wait for. */
static bool poll_one(struct win_exec *e, uint64_t now)
{
	bool some = false;

	if (e->stream[0])
		take_input(e);
	for (int n = 1; n < STREAMS; n++)
		if (e->stream[n])
			some |= give_output(e, n);
	if (WaitForSingleObject(e->process, 0) == WAIT_TIMEOUT)
		return false;
	/* Output that waits for the host's credit does not miss its time. */
	if (!e->grace_ms || some || !ga_room(e->request))
		e->grace_ms = now + GRACE_MS;
	return (!e->stream[1] && !e->stream[2]) || now >= e->grace_ms;
}

int win_exec_poll(struct win_agent *agent)
{
	uint64_t now = win_now();
	int ms = -1;

	for (uint32_t n = 0; n < WIN_EXECS_MAX; n++) {
		struct win_exec *e = agent->execs[n];

		if (!e)
			continue;
		if (poll_one(e, now))
			finish(agent, e);
		else if (e->grace_ms)
			ms = GRACE_MS / 10;
	}
	return ms;
}

static void got_data(struct ga_request *request, uint32_t stream, const uint8_t *data,
		     uint32_t bytes)
{
	struct win_exec *e = request->data;

	/* What a program does not want to read is read for it: the host does not wait for ever. */
	if (stream || !e->stream[0] || (bytes && win_stream_write(e->stream[0], data, bytes) < 0)) {
		if (bytes)
			ga_credit(request, bytes);
	} else if (!bytes) {
		win_stream_finish(e->stream[0]);
	}
}

/* Windows has no signals: any of them ends the program and all that it started. */
static void got_message(struct ga_request *request, const struct mhi_agent_msg *msg)
{
	struct win_exec *e = request->data;

	if (msg->type != MHI_MSG_EXEC_KILL || !msg->u.exec_kill.signal || e->signal)
		return;
	e->signal = msg->u.exec_kill.signal;
	TerminateJobObject(e->job, 1);
}

/* ---- the start ---- */

static HANDLE make_job(void)
{
	JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { 0 };
	HANDLE job = CreateJobObjectW(NULL, NULL);

	limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
	if (job)
		SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits,
					sizeof(limits));
	return job;
}

struct words {
	wchar_t *line, *directory, *environment;
};

static void free_words(struct words *w)
{
	free(w->line);
	free(w->directory);
	free(w->environment);
}

static bool make_words(struct words *w, const struct ga_exec *strings, const char *directory)
{
	char *line = win_command_line(strings->arguments);
	wchar_t *own = GetEnvironmentStringsW();

	w->line = line ? win_wide(line, strlen(line), NULL) : NULL;
	w->directory = win_wide(directory, strlen(directory), NULL);
	w->environment = own ? win_environment(own, strings->environment) : NULL;
	free(line);
	if (own)
		FreeEnvironmentStringsW(own);
	return w->line && w->directory && w->environment;
}

/* Started suspended: nothing runs before it is in the job. Returns an error of Windows. */
static DWORD start(struct win_exec *e, const struct words *w, HANDLE theirs[STREAMS])
{
	DWORD flags = CREATE_SUSPENDED | CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT;
	STARTUPINFOW info = { .cb = sizeof(info), .dwFlags = STARTF_USESTDHANDLES };
	PROCESS_INFORMATION process;

	info.hStdInput = theirs[0];
	info.hStdOutput = theirs[1];
	info.hStdError = theirs[2];
	if (!CreateProcessW(NULL, w->line, NULL, NULL, TRUE, flags, w->environment,
			    w->directory[0] ? w->directory : NULL, &info, &process))
		return GetLastError();
	e->process = process.hProcess;
	if (!AssignProcessToJobObject(e->job, e->process)) {
		DWORD error = GetLastError();

		TerminateProcess(e->process, 1); /* it has run nothing yet */
		CloseHandle(process.hThread);
		return error;
	}
	ResumeThread(process.hThread);
	CloseHandle(process.hThread);
	return 0;
}

static DWORD run(struct win_agent *agent, struct win_exec *e, const struct words *w, uint32_t flags)
{
	HANDLE theirs[STREAMS] = { NULL, NULL, NULL };
	DWORD error = 0;

	e->job = make_job();
	if (!e->job || !make_streams(agent, e, flags, theirs))
		error = GetLastError();
	else
		error = start(e, w, theirs);
	for (int n = 0; n < STREAMS; n++)
		if (theirs[n])
			CloseHandle(theirs[n]);
	if (!error && !RegisterWaitForSingleObject(&e->waits, e->process, ended, agent->wake,
						   INFINITE, WT_EXECUTEONLYONCE))
		error = GetLastError();
	return error;
}

static struct win_exec **free_place(struct win_agent *agent)
{
	for (uint32_t n = 0; n < WIN_EXECS_MAX; n++)
		if (!agent->execs[n])
			return &agent->execs[n];
	return NULL;
}

static void begin(struct win_agent *agent, struct ga_request *request, struct win_exec **place,
		  const struct words *w, uint32_t flags)
{
	static const struct ga_request_ops ops = { .data = got_data,
						   .message = got_message,
						   .over = is_over };
	struct win_exec *e = calloc(1, sizeof(*e));
	DWORD error = e ? run(agent, e, w, flags) : ERROR_NOT_ENOUGH_MEMORY;

	if (error) {
		if (e)
			free_exec(e);
		win_fail(request, "cannot run the program", error);
		return;
	}
	e->request = request;
	request->ops = &ops;
	request->data = e;
	*place = e;
}

void win_exec(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	struct win_agent *agent = os;
	struct win_exec **place = free_place(agent);
	struct words words = { NULL, NULL, NULL };
	struct ga_exec strings;

	if (!request)
		return;
	if (ga_exec_init(&strings, &msg->u.exec))
		ga_end(request, MHI_AGENT_INVALID, "the program's strings are none");
	else if (msg->u.exec.user[0])
		ga_end(request, MHI_AGENT_UNSUPPORTED,
		       "programs run as the agent's user: Windows wants a password for others");
	else if (!place)
		ga_end(request, MHI_AGENT_BUSY, "%u programs are running already", WIN_EXECS_MAX);
	else if (!make_words(&words, &strings, msg->u.exec.directory))
		ga_end(request, MHI_AGENT_INVALID, "no program is called so");
	else
		begin(agent, request, place, &words, msg->u.exec.flags);
	free_words(&words);
	ga_exec_fini(&strings);
}

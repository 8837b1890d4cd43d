/* SPDX-License-Identifier: MIT */
/* Streams: one thread, one ring. Reader and writer differ only in who moves which end of it. */
#include "win_stream.h"

#include <stdlib.h>
#include <string.h>

struct win_stream {
	HANDLE handle;	/* (c) the caller's */
	HANDLE wake;	/* (c) the caller's: set for it */
	uint32_t flags; /* (c) */
	HANDLE thread;	/* (c) */
	HANDLE moved;	/* (c) set when the caller moved its end of the ring, or wants an end */
	HANDLE done;	/* (c) of the thread's input and output */
	SRWLOCK lock;	/* protects what follows, but not the ring's bytes: each is one side's */
	size_t head, bytes;
	bool ended;  /* the thread is over */
	bool finish; /* there will be no more to write */
	bool stop;
	uint8_t ring[WIN_STREAM_RING];
};

/* Reads of serial ports end after a while, with nothing: a success to Windows, but not to Wine. */
static bool is_timeout(const struct win_stream *s, DWORD error)
{
	return s->flags & WIN_STREAM_SERIAL &&
	       (error == ERROR_TIMEOUT || error == WAIT_TIMEOUT || error == ERROR_SEM_TIMEOUT);
}

/*
 * What a serial port has, at least one byte: Wine waits for all that is asked for, whatever
 * timeouts the port has.
 */
static DWORD there_are(HANDLE handle, DWORD most)
{
	COMSTAT stat;
	DWORD errors;

	if (!ClearCommError(handle, &errors, &stat) || !stat.cbInQue)
		return 1;
	return stat.cbInQue < most ? stat.cbInQue : most;
}

/* Read or write once; false: the end, for whatever reason. */
static bool transfer(struct win_stream *s, uint8_t *at, DWORD bytes, DWORD *moved)
{
	OVERLAPPED over = { .hEvent = s->done };
	bool writes = s->flags & WIN_STREAM_WRITES;
	BOOL ok;

	if (!writes && s->flags & WIN_STREAM_SERIAL)
		bytes = there_are(s->handle, bytes);
	ok = writes ? WriteFile(s->handle, at, bytes, NULL, &over)
		    : ReadFile(s->handle, at, bytes, NULL, &over);
	if (!ok && GetLastError() != ERROR_IO_PENDING)
		return false;
	/* win_stream_close cancels what is on its way, so that this returns. */
	if (!GetOverlappedResult(s->handle, &over, moved, TRUE))
		return is_timeout(s, GetLastError());
	return *moved || (s->flags & WIN_STREAM_SERIAL);
}

/* The part of the ring that the thread may use now; 0: none. Waits for nothing. */
static DWORD piece(struct win_stream *s, size_t *from, bool *over)
{
	bool writes = s->flags & WIN_STREAM_WRITES;
	size_t n;

	AcquireSRWLockExclusive(&s->lock);
	*from = writes ? s->head : (s->head + s->bytes) % WIN_STREAM_RING;
	n = writes ? s->bytes : WIN_STREAM_RING - s->bytes;
	if (n > WIN_STREAM_RING - *from)
		n = WIN_STREAM_RING - *from;
	*over = s->stop || (writes && s->finish && !n);
	ReleaseSRWLockExclusive(&s->lock);
	return (DWORD)n;
}

static void advance(struct win_stream *s, DWORD moved)
{
	AcquireSRWLockExclusive(&s->lock);
	if (s->flags & WIN_STREAM_WRITES) {
		s->head = (s->head + moved) % WIN_STREAM_RING;
		s->bytes -= moved;
	} else {
		s->bytes += moved;
	}
	ReleaseSRWLockExclusive(&s->lock);
	if (moved)
		SetEvent(s->wake);
}

static DWORD WINAPI run(void *opaque)
{
	struct win_stream *s = opaque;
	size_t from;
	bool over;

	for (;;) {
		DWORD moved = 0, n = piece(s, &from, &over);

		if (over)
			break;
		if (!n) {
			WaitForSingleObject(s->moved, INFINITE);
			continue;
		}
		if (!transfer(s, s->ring + from, n, &moved))
			break;
		advance(s, moved);
	}
	AcquireSRWLockExclusive(&s->lock);
	s->ended = true;
	ReleaseSRWLockExclusive(&s->lock);
	SetEvent(s->wake);
	return 0;
}

struct win_stream *win_stream_open(HANDLE handle, HANDLE wake, uint32_t flags)
{
	struct win_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->handle = handle;
	s->wake = wake;
	s->flags = flags;
	InitializeSRWLock(&s->lock);
	s->moved = CreateEventW(NULL, FALSE, FALSE, NULL);
	s->done = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (s->moved && s->done)
		s->thread = CreateThread(NULL, 0, run, s, 0, NULL);
	if (!s->thread) {
		win_stream_close(s);
		return NULL;
	}
	return s;
}

/* Copy between the ring at from and the caller's memory, around the ring's end. */
static void copy(struct win_stream *s, size_t from, uint8_t *out, const uint8_t *in, size_t bytes)
{
	size_t first = bytes < WIN_STREAM_RING - from ? bytes : WIN_STREAM_RING - from;

	if (out) {
		memcpy(out, s->ring + from, first);
		memcpy(out + first, s->ring, bytes - first);
	} else {
		memcpy(s->ring + from, in, first);
		memcpy(s->ring, in + first, bytes - first);
	}
}

long win_stream_read(struct win_stream *s, void *out, size_t room)
{
	size_t n;
	bool ended;

	AcquireSRWLockExclusive(&s->lock);
	n = s->bytes < room ? s->bytes : room;
	ended = s->ended && !s->bytes;
	copy(s, s->head, out, NULL, n);
	s->head = (s->head + n) % WIN_STREAM_RING;
	s->bytes -= n;
	ReleaseSRWLockExclusive(&s->lock);
	if (n)
		SetEvent(s->moved);
	return ended ? -1 : (long)n;
}

long win_stream_write(struct win_stream *s, const void *data, size_t bytes)
{
	size_t n;
	bool ended;

	AcquireSRWLockExclusive(&s->lock);
	n = WIN_STREAM_RING - s->bytes < bytes ? WIN_STREAM_RING - s->bytes : bytes;
	ended = s->ended || s->finish;
	if (!ended) {
		copy(s, (s->head + s->bytes) % WIN_STREAM_RING, NULL, data, n);
		s->bytes += n;
	}
	ReleaseSRWLockExclusive(&s->lock);
	if (ended)
		return -1;
	SetEvent(s->moved);
	return (long)n;
}

size_t win_stream_room(struct win_stream *s)
{
	size_t room;

	AcquireSRWLockShared(&s->lock);
	room = WIN_STREAM_RING - s->bytes;
	ReleaseSRWLockShared(&s->lock);
	return room;
}

void win_stream_finish(struct win_stream *s)
{
	AcquireSRWLockExclusive(&s->lock);
	s->finish = true;
	ReleaseSRWLockExclusive(&s->lock);
	SetEvent(s->moved);
}

bool win_stream_ended(struct win_stream *s)
{
	bool ended;

	AcquireSRWLockShared(&s->lock);
	ended = s->ended && (s->flags & WIN_STREAM_WRITES || !s->bytes);
	ReleaseSRWLockShared(&s->lock);
	return ended;
}

void win_stream_close(struct win_stream *s)
{
	if (!s)
		return;
	if (s->thread) {
		AcquireSRWLockExclusive(&s->lock);
		s->stop = true;
		ReleaseSRWLockExclusive(&s->lock);
		/* Again and again: the thread may be just about to begin what would wait. */
		do {
			SetEvent(s->moved);
			CancelIoEx(s->handle, NULL);
			CancelSynchronousIo(s->thread);
		} while (WaitForSingleObject(s->thread, 20) == WAIT_TIMEOUT);
		CloseHandle(s->thread);
	}
	if (s->moved)
		CloseHandle(s->moved);
	if (s->done)
		CloseHandle(s->done);
	free(s);
}

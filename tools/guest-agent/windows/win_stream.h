/* SPDX-License-Identifier: MIT */
/*
 * A handle's bytes without waiting: a thread of its own reads or writes it, from or to a ring in
 * memory. It makes serial ports, sockets and pipes alike, whatever waiting each of them would need.
 */
#ifndef WIN_STREAM_H
#define WIN_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <windows.h>

#define WIN_STREAM_RING 262144u

struct win_stream;

#define WIN_STREAM_WRITES (1u << 0) /* it is written, not read */
#define WIN_STREAM_SERIAL (1u << 1) /* a serial port: a read of nothing is no end */

/*
 * Start a thread for a handle, which stays the caller's and must be open until win_stream_close
 * has returned. wake is set whenever there is something new to read, room to write, or an end.
 * NULL: no memory, no thread.
 */
struct win_stream *win_stream_open(HANDLE handle, HANDLE wake, uint32_t flags);

/* What has been read, at most room bytes: their number; 0: nothing yet; -1: it has ended. */
long win_stream_read(struct win_stream *stream, void *out, size_t room);

/* Take bytes to write: as many as there is room for; -1: nobody reads them any more. */
long win_stream_write(struct win_stream *stream, const void *data, size_t bytes);

/* Bytes that win_stream_write would take. */
size_t win_stream_room(struct win_stream *stream);

/* No more will be written: it ends when what was taken is out. */
void win_stream_finish(struct win_stream *stream);

/* A reader has had its end, a writer has written all it had before win_stream_finish. */
bool win_stream_ended(struct win_stream *stream);

/* Stop the thread and free all of it; NULL is fine. */
void win_stream_close(struct win_stream *stream);

#endif

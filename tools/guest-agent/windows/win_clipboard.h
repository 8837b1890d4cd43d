/* SPDX-License-Identifier: MIT */
/* Contents of the clipboard between Windows' formats and the wire's kinds. */
#ifndef WIN_CLIPBOARD_H
#define WIN_CLIPBOARD_H

#include <stddef.h>
#include <stdint.h>
#include <windows.h>

/* The kinds (MHI_AGENT_CLIP_*) that are in the clipboard, which need not be open. */
uint32_t win_clip_kinds(void);

/*
 * The clipboard, which is open, as a kind: bytes for free(); NULL: there is none, or it is larger
 * than the agent takes.
 */
uint8_t *win_clip_read(uint32_t kind, size_t *bytes);

/* Write the formats that kinds are offered in to out [8]; returns how many. */
size_t win_clip_formats(uint32_t kinds, UINT *out);

/* The kind that a format is made of; 0: it is none of ours. */
uint32_t win_clip_kind_of(UINT format);

/* A format's content from the kind's, for SetClipboardData; NULL: it is none, or no memory. */
HGLOBAL win_clip_make(UINT format, const uint8_t *data, size_t bytes);

/*
 * Pictures, by Windows' own codecs; the thread must have called CoInitializeEx. Memory for free();
 * NULL: it is none, too large, or no memory.
 */
uint8_t *win_png_of_dib(const uint8_t *dib, size_t bytes, size_t *out);
uint8_t *win_dib_of_png(const uint8_t *png, size_t bytes, size_t *out);

#endif

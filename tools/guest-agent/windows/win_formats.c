/* SPDX-License-Identifier: MIT */
/* The clipboard's formats: which there are for a kind of content, and how one becomes the other. */
#include "win_clipboard.h"
#include "win_text.h"
#include "../content.h"

#include <shellapi.h>
#include <shlobj.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define FILES_MAX 4096u

static UINT html_format(void)
{
	return RegisterClipboardFormatW(L"HTML Format");
}

/* As browsers and office programs call it. */
static UINT png_format(void)
{
	return RegisterClipboardFormatW(L"PNG");
}

size_t win_clip_formats(uint32_t kinds, UINT *out)
{
	size_t count = 0;

	/* The best ones first: programs take the first that they know. */
	if (kinds & MHI_AGENT_CLIP_FILES)
		out[count++] = CF_HDROP;
	if (kinds & MHI_AGENT_CLIP_HTML)
		out[count++] = html_format();
	if (kinds & MHI_AGENT_CLIP_TEXT)
		out[count++] = CF_UNICODETEXT;
	if (kinds & MHI_AGENT_CLIP_PNG) {
		out[count++] = png_format();
		out[count++] = CF_DIB;
	}
	return count;
}

uint32_t win_clip_kind_of(UINT format)
{
	if (format == CF_UNICODETEXT)
		return MHI_AGENT_CLIP_TEXT;
	if (format == CF_HDROP)
		return MHI_AGENT_CLIP_FILES;
	if (format == html_format())
		return MHI_AGENT_CLIP_HTML;
	return format == png_format() || format == CF_DIB ? MHI_AGENT_CLIP_PNG : 0;
}

uint32_t win_clip_kinds(void)
{
	UINT formats[8];
	uint32_t kinds = 0;
	size_t count = win_clip_formats(MHI_AGENT_CLIP_TEXT | MHI_AGENT_CLIP_HTML |
						MHI_AGENT_CLIP_PNG | MHI_AGENT_CLIP_FILES,
					formats);

	for (size_t n = 0; n < count; n++)
		if (IsClipboardFormatAvailable(formats[n]))
			kinds |= win_clip_kind_of(formats[n]);
	return kinds;
}

/* ---- from the clipboard ---- */

static uint8_t *read_text(const uint16_t *text, size_t units, size_t *bytes)
{
	char *out;

	/* It ends with its zero; memory handles may be larger. */
	for (size_t n = 0; n < units; n++)
		if (!text[n])
			units = n;
	out = win_narrow(text, units, bytes);
	if (out)
		*bytes = win_to_lf(out, *bytes);
	return (uint8_t *)out;
}

static uint8_t *copy_of(const void *data, size_t bytes, size_t *out)
{
	uint8_t *copy = bytes <= GA_CONTENT_MAX ? malloc(bytes + 1) : NULL;

	if (copy)
		memcpy(copy, data, bytes);
	*out = bytes;
	return copy;
}

static uint8_t *read_html(const char *data, size_t bytes, size_t *out)
{
	const char *html = win_html_find(data, bytes, out);

	return copy_of(html, *out, out);
}

/* Paths, each with a \n behind it; *out is their bytes so far. */
static bool add_path(uint8_t **list, size_t *out, HDROP drop, UINT number)
{
	UINT units = DragQueryFileW(drop, number, NULL, 0);
	wchar_t *path = malloc((units + 1) * sizeof(*path));
	char *text = NULL;
	uint8_t *longer = NULL;
	size_t bytes;

	if (path && DragQueryFileW(drop, number, path, units + 1) == units)
		text = win_narrow(path, units, &bytes);
	if (text)
		longer = realloc(*list, *out + bytes + 2);
	if (longer) {
		memcpy(longer + *out, text, bytes);
		longer[*out + bytes] = '\n';
		*out += bytes + 1;
		*list = longer;
	}
	free(path);
	free(text);
	return longer;
}

static uint8_t *read_files(HDROP drop, size_t *out)
{
	UINT count = DragQueryFileW(drop, 0xffffffff, NULL, 0);
	uint8_t *list = calloc(1, 1);

	*out = 0;
	for (UINT n = 0; list && n < count && n < FILES_MAX; n++) {
		if (!add_path(&list, out, drop, n)) {
			free(list);
			return NULL;
		}
	}
	return list;
}

static uint8_t *read_format(UINT format, const void *data, size_t bytes, size_t *out)
{
	if (format == CF_UNICODETEXT)
		return read_text(data, bytes / 2, out);
	if (format == CF_DIB)
		return win_png_of_dib(data, bytes, out);
	if (format == html_format())
		return read_html(data, bytes, out);
	return copy_of(data, win_png_bytes(data, bytes), out);
}

uint8_t *win_clip_read(uint32_t kind, size_t *out)
{
	UINT formats[8];
	size_t count = win_clip_formats(kind, formats);
	uint8_t *content = NULL;

	for (size_t n = 0; n < count && !content; n++) {
		HANDLE handle = GetClipboardData(formats[n]);
		const void *data;

		if (!handle)
			continue;
		if (formats[n] == CF_HDROP)
			return read_files(handle, out);
		data = GlobalLock(handle);
		if (data)
			content = read_format(formats[n], data, GlobalSize(handle), out);
		GlobalUnlock(handle);
	}
	return content;
}

/* ---- to the clipboard ---- */

static HGLOBAL global_of(const void *data, size_t bytes)
{
	HGLOBAL handle = data ? GlobalAlloc(GMEM_MOVEABLE, bytes ? bytes : 1) : NULL;
	void *at = handle ? GlobalLock(handle) : NULL;

	if (at) {
		memcpy(at, data, bytes);
		GlobalUnlock(handle);
	}
	return handle;
}

static HGLOBAL make_text(const char *data, size_t bytes)
{
	size_t units = 0;
	char *lines = win_to_crlf(data, bytes, &bytes);
	wchar_t *wide = lines ? win_wide(lines, bytes, &units) : NULL;
	HGLOBAL handle = global_of(wide, (units + 1) * sizeof(*wide));

	free(lines);
	free(wide);
	return handle;
}

static HGLOBAL make_html(const char *data, size_t bytes)
{
	char *html = win_html_wrap(data, bytes, &bytes);
	HGLOBAL handle = global_of(html, bytes + 1);

	free(html);
	return handle;
}

/* DROPFILES, then the paths, each with its zero, then another one. */
static HGLOBAL make_files(const char *data, size_t bytes)
{
	DROPFILES head = { .pFiles = sizeof(head), .fWide = TRUE };
	size_t units = 0, used = 0;
	wchar_t *wide = win_wide(data, bytes, &units);
	uint8_t *all = wide ? calloc(1, sizeof(head) + (units + 2) * sizeof(*wide)) : NULL;
	wchar_t *out = all ? (wchar_t *)(void *)(all + sizeof(head)) : NULL;
	HGLOBAL handle;

	if (all)
		memcpy(all, &head, sizeof(head));
	for (size_t n = 0; out && n < units; n++)
		if (wide[n] != L'\n')
			out[used++] = wide[n];
		else if (used && out[used - 1])
			out[used++] = 0;
	handle = global_of(all, sizeof(head) + (used + 2) * sizeof(*wide));
	free(wide);
	free(all);
	return handle;
}

HGLOBAL win_clip_make(UINT format, const uint8_t *data, size_t bytes)
{
	uint8_t *dib;
	HGLOBAL handle;

	if (format == CF_UNICODETEXT)
		return make_text((const char *)data, bytes);
	if (format == CF_HDROP)
		return make_files((const char *)data, bytes);
	if (format == html_format())
		return make_html((const char *)data, bytes);
	if (format != CF_DIB)
		return global_of(data, bytes);
	dib = win_dib_of_png(data, bytes, &bytes);
	handle = global_of(dib, bytes);
	free(dib);
	return handle;
}
